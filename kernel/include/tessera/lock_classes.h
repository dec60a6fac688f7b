/* SPDX-License-Identifier: MIT */
/*
 * lock_classes.h - the order of all locks, as one table.
 *
 * A thread may take a lock only if its class stands BELOW (later than) every lock it holds.
 * Columns: name, kind (SPIN, SPIN_IRQ = also taken by interrupt handlers, so always with them off,
 * MUTEX, RWLOCK = sleeping), what it protects. Two locks of one class are taken together only with
 * the _nested call, which says in which order. Sleeping locks stand before spinlocks.
 * docs/locking.md is generated from this table.
 */
#ifndef TESSERA_LOCK_CLASSES_H
#define TESSERA_LOCK_CLASSES_H

#define LOCK_CLASSES(C)                                                                            \
	C(EXEC,           MUTEX,    "process->exec_lock: one exec at a time")       \
	C(ACCOUNTING,     MUTEX,    "records of processes that ended are written")                 \
	C(BACKING_SYNC,   MUTEX,    "backing->syncing: one waits for all its dirty objects")       \
	C(BACKING_PASS,   MUTEX,    "backing->pass: one goes over all its dirty objects")          \
	C(URING_SUBMIT,   MUTEX,    "uring->submit_lock: one thread submits, in order")            \
	C(PIPE,           MUTEX,    "pipe->lock")                                                  \
	C(FILE_POSITION,  MUTEX,    "file->position_lock")                                         \
	C(PCI,            MUTEX,    "PCI buses and devices: who is there, whose driver has them")  \
	C(VFIO,           MUTEX,    "VFIO's groups: open, in which container, with which devices") \
	C(VFIO_DEVICE,    MUTEX,    "a VFIO device: its configuration, its interrupts")            \
	C(FS_CONFIG,      MUTEX,    "fs_config->lock: a file system being put together")           \
	C(VDUSE_TABLE,    MUTEX,    "which VDUSE devices there are")                               \
	C(VDUSE,          MUTEX,    "vduse->lock: state, configuration, whose daemon it is")      \
	C(INPUT_EFFECTS,  MUTEX,    "an input device's effects; held while its provider is asked")  \
	C(UINPUT,         MUTEX,    "uinput->lock: the device that a program provides")            \
	C(INPUT,          MUTEX,    "which input devices there are")                               \
	C(LOOP_TABLE,     MUTEX,    "which loop devices there are")                                \
	C(BLOCK,          MUTEX,    "block_disk->lock: who has it open, claims, partitions")        \
	C(LOOP,           MUTEX,    "loop->lock: what file a loop device shows, and how")         \
	C(LOOP_CHAIN,     MUTEX,    "that loop devices which show loop devices form no ring")      \
	C(MOUNT,          RWLOCK,   "the tree of mounts")                                          \
	C(FUSE_ALIVE,     RWLOCK,   "a FUSE connection's file system, for reading while what its daemon says uses it") \
	C(RENAME,         MUTEX,    "fs->rename_lock: moves of directories")                       \
	C(INODE,          RWLOCK,   "inode->lock: contents of a directory, size of a file")        \
	C(INODE_CHILD,    RWLOCK,   "inode->lock of an entry while its directory's is held")       \
	C(FUSE_ASKING,    MUTEX,    "a FUSE directory's node: one question about names at a time")   \
	C(NETD_KICK,      MUTEX,    "what the network stack tells of connections and frames is taken") \
	C(TUN,            MUTEX,    "interfaces behind which a program stands")                     \
	C(SYSFS,          RWLOCK,   "the tree of /sys; for reading while a file of it is shown or set")\
	C(BLOCK_TABLE,    MUTEX,    "disks and block devices by number")                           \
	C(URING,          MUTEX,    "uring->lock: requests, answers, what is registered")          \
	C(URING_POOLS,    MUTEX,    "process->uring_pools of all processes")                       \
	C(EPOLL_WATCHERS, MUTEX,    "file->watchers of all files: who watches what")               \
	C(EPOLL,          MUTEX,    "epoll->lock: set of watched files; outer to inner")           \
	C(NETLINK_REQUEST, MUTEX,   "requests to the kernel by netlink: one at a time")            \
	C(SOCKET_READ,    MUTEX,    "unix_socket->read_lock: one reader of a queue at a time")     \
	C(SOCKET_SEND,    MUTEX,    "a stream's send_lock: one writer at a time")                 \
	C(SOCKET_FLIGHT,  MUTEX,    "sockets in flight: which messages carry which sockets")       \
	C(SOCKET,         MUTEX,    "socket->lock; of two the lower address first, a listener's before its fresh child's") \
	C(IPC_TABLE,      RWLOCK,   "System V objects of a kind, by id and by key")               \
	C(IPC,            MUTEX,    "a System V object or a message queue")                        \
	C(CLOCK_SET,      MUTEX,    "who is told when the real clock is set")                      \
	C(INPUT_CLIENTS,  MUTEX,    "who reads an input device, while they are told by signal")    \
	C(ASYNC,          MUTEX,    "async_list->lock: which open objects tell by signal")         \
	C(SLEEP_LEAF,     MUTEX,    "small private mutexes that hold nothing else but memory locks") \
	C(ADDRESS_SPACE,  RWLOCK,   "address_space->lock: the tree of mappings")                   \
	C(OBJECT,         MUTEX,    "memory_object->lock: pages being filled or truncated")        \
	C(NETLINK,        SPIN,     "which netlink sockets there are, their numbers and groups")   \
	C(NETWORK,        SPIN,     "a network's interfaces, addresses, routes, neighbours")       \
	C(TIME_WAIT,      SPIN,     "a network's connections that wait for late segments")       \
	C(PORTS,          SPIN,     "who has which port of a network")                            \
	C(NETD_DOOR,      SPIN,     "who has which slot of the network stack's door; its frames out") \
	C(WATCHERS,       SPIN,     "a network's packet sockets")                                  \
	C(GROUPS,         SPIN,     "which sockets have joined which multicast groups")            \
	C(SOCKET_FILTER,  SPIN,     "which filter a socket has")                                   \
	C(PACKETS,        SPIN,     "a queue of packets that a socket is to receive")             \
	C(VDUSE_QUEUE,    SPIN,     "a VDUSE device's queue: what is in its ring")                 \
	C(FUTEX,          SPIN,     "a bucket of the futex table")                                 \
	C(FUTEX_PI,       SPIN,     "who owns which priority-inheriting futex, who waits for it")  \
	C(PROCESS_TREE,   SPIN,     "parents, children, groups, sessions, pids")                   \
	C(PROCESS,        SPIN,     "process->lock: threads, limits, credentials")                 \
	C(SIGNAL,         SPIN_IRQ, "process->signal_lock: pending signals, actions, masks")       \
	C(HANDLES,        SPIN,     "handle_table->lock")                                          \
	C(FILE,           SPIN,     "file->lock: flags, owner")                                    \
	C(SECCOMP,        SPIN,     "seccomp_listener->lock: calls that wait for an answer")        \
	C(NOTIFY,         SPIN,     "marks on inodes, mounts and file systems; queues of what was told") \
	C(DENTRY,         SPIN,     "dentry tree: hash, children, parents")                        \
	C(INODE_CACHE,    SPIN,     "the table of inodes of a file system")                        \
	C(FUSE,           SPIN,     "a FUSE connection: requests, devices, forgets")                   \
	C(FUSE_NODES,     SPIN,     "the nodes of a FUSE connection; the list of connections")        \
	C(FUSE_NODE,      SPIN,     "a FUSE node: attributes, open files")                             \
	C(MAPPINGS,       SPIN,     "memory_object->mappings_lock: who maps it")                   \
	C(PAGE_TABLE,     SPIN,     "address_space->page_table_lock")                              \
	C(PAGES,          SPIN,     "memory_object->pages_lock: the tree of pages")                \
	C(BACKING,        SPIN,     "backing->lock: its dirty objects, its flusher")                \
	C(INPUT_DEVICE,   SPIN,     "an input device: its state, its packet, its readers' queues") \
	C(INPUT_MOUSE,    SPIN,     "mice: their readers' queues")                                 \
	C(TTY_BUFFER,     SPIN_IRQ, "tty input and output rings")                                  \
	C(DEVICE_LINE,    SPIN_IRQ, "interrupt lines that devices share: who has them")             \
	C(DEVICE,         SPIN_IRQ, "a device's registers")                                        \
	C(WAIT_QUEUE,     SPIN_IRQ, "a wait queue's list; watched to watching")                    \
	C(EPOLL_READY,    SPIN_IRQ, "epoll->ready_lock: the ready list")                           \
	C(TIMER,          SPIN_IRQ, "a CPU's timer queue")                                         \
	C(CONTINUATION,   SPIN_IRQ, "a CPU's queue of continuations")                              \
	C(THREAD,         SPIN_IRQ, "thread->lock: state, scheduling parameters")                  \
	C(RUN_QUEUE,      SPIN_IRQ, "a CPU's run queue")                                           \
	C(SLAB,           SPIN_IRQ, "a slab cache")                                                \
	C(REGION,         SPIN_IRQ, "kernel virtual regions")                                      \
	C(SECTION,        SPIN_IRQ, "bringing a section of memory online")                         \
	C(KERNEL_TABLE,   SPIN_IRQ, "kernel page table")                                           \
	C(FRAMES,         SPIN_IRQ, "a zone of the frame allocator")                               \
	C(TLB,            SPIN_IRQ, "flush requests in flight")                                    \
	C(IRQ,            SPIN_IRQ, "interrupt routing")                                           \
	C(LEAF,           SPIN_IRQ, "small private spinlocks that hold nothing else")              \
	C(LOG,            SPIN_IRQ, "the log ring")                                                \
	C(CONSOLE,        SPIN_IRQ, "the polled console")

#define LOCK_CLASS_ENUM(name, kind, what) LOCK_##name,
enum lock_class { LOCK_CLASSES(LOCK_CLASS_ENUM) LOCK_CLASS_COUNT };
#undef LOCK_CLASS_ENUM

#endif
