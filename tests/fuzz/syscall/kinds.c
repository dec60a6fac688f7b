/* SPDX-License-Identifier: MIT */
/* kinds.c - what arguments can be: sets of constants, structs, sorts of results. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/fuse.h>
#include <linux/futex.h>
#include <linux/hdreg.h>
#include <linux/input.h>
#include <linux/loop.h>
#include <linux/membarrier.h>
#include <linux/mempolicy.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/uinput.h>
#include <linux/vduse.h>
#include <linux/vfio.h>
#include <linux/xattr.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

#include "fuzz.h"

#define N(x) { #x, (uint64_t)(x) }
#define SET(name, ...) static const struct named name[] = { __VA_ARGS__ };

SET(open_flags, N(O_RDONLY), N(O_WRONLY), N(O_RDWR), N(O_CREAT), N(O_EXCL), N(O_NOCTTY), N(O_TRUNC), N(O_APPEND),
    N(O_NONBLOCK), N(O_DIRECTORY), N(O_NOFOLLOW), N(O_CLOEXEC), N(O_PATH), N(O_TMPFILE), N(O_SYNC), N(O_DSYNC),
    N(O_DIRECT), N(O_NOATIME), N(O_ASYNC))
SET(fd_flags, N(O_CLOEXEC), N(O_NONBLOCK), N(O_DIRECT))
SET(modes, { "0", 0 }, { "0644", 0644 }, { "0755", 0755 }, { "0777", 0777 }, { "04755", 04755 }, { "02070", 02070 },
    { "01777", 01777 })
SET(node_modes, N(S_IFREG | 0644), N(S_IFIFO | 0666), N(S_IFSOCK | 0600), N(S_IFCHR | 0666), N(S_IFBLK | 0600),
    N(S_IFDIR | 0755))
SET(devices, { "0x103", 0x103 }, { "0x105", 0x105 }, { "0x502", 0x502 }, { "0x500", 0x500 }, { "0x8800", 0x8800 })
SET(at_flags, N(AT_SYMLINK_NOFOLLOW), N(AT_REMOVEDIR), N(AT_SYMLINK_FOLLOW), N(AT_EMPTY_PATH), N(AT_NO_AUTOMOUNT),
    N(AT_EACCESS), N(AT_STATX_FORCE_SYNC), N(AT_RECURSIVE))
SET(whence, N(SEEK_SET), N(SEEK_CUR), N(SEEK_END), N(SEEK_DATA), N(SEEK_HOLE))
SET(prot, N(PROT_READ), N(PROT_WRITE), N(PROT_EXEC), N(PROT_GROWSDOWN), N(PROT_GROWSUP))
SET(map_flags, N(MAP_SHARED), N(MAP_PRIVATE), N(MAP_FIXED), N(MAP_ANONYMOUS), N(MAP_GROWSDOWN), N(MAP_LOCKED),
    N(MAP_NORESERVE), N(MAP_POPULATE), N(MAP_NONBLOCK), N(MAP_STACK), N(MAP_HUGETLB), N(MAP_FIXED_NOREPLACE), N(MAP_32BIT))
SET(remap_flags, N(MREMAP_MAYMOVE), N(MREMAP_FIXED), N(MREMAP_DONTUNMAP))
SET(sync_flags, N(MS_ASYNC), N(MS_INVALIDATE), N(MS_SYNC))
SET(advices, N(MADV_NORMAL), N(MADV_RANDOM), N(MADV_SEQUENTIAL), N(MADV_WILLNEED), N(MADV_DONTNEED), N(MADV_FREE),
    N(MADV_REMOVE), N(MADV_DONTFORK), N(MADV_DOFORK), N(MADV_HUGEPAGE), N(MADV_NOHUGEPAGE), N(MADV_DONTDUMP), N(MADV_DODUMP),
    N(MADV_WIPEONFORK), N(MADV_KEEPONFORK), N(MADV_COLD), N(MADV_PAGEOUT), N(MADV_POPULATE_READ), N(MADV_POPULATE_WRITE),
    N(MADV_MERGEABLE))
SET(memory_policies, N(MPOL_DEFAULT), N(MPOL_PREFERRED), N(MPOL_BIND), N(MPOL_INTERLEAVE), N(MPOL_LOCAL), N(MPOL_F_STATIC_NODES),
    N(MPOL_F_RELATIVE_NODES))
SET(policy_flags, N(MPOL_F_NODE), N(MPOL_F_ADDR), N(MPOL_F_MEMS_ALLOWED))
SET(node_bits, { "0", 0 }, { "2", 2 }, { "65", 65 }, { "1025", 1025 }, { "0x10000", 0x10000 })
SET(mlock_flags, N(MCL_CURRENT), N(MCL_FUTURE), N(MCL_ONFAULT))
SET(mask_how, N(SIG_BLOCK), N(SIG_UNBLOCK), N(SIG_SETMASK))
SET(action_flags, N(SA_NOCLDSTOP), N(SA_NOCLDWAIT), N(SA_SIGINFO), N(SA_ONSTACK), N(SA_RESTART), N(SA_NODEFER), N(SA_RESETHAND),
    { "SA_RESTORER", 0x04000000 })
SET(stack_flags, N(SS_ONSTACK), N(SS_DISABLE), { "SS_AUTODISARM", 1u << 31 })
SET(poll_events, N(POLLIN), N(POLLPRI), N(POLLOUT), N(POLLERR), N(POLLHUP), N(POLLRDHUP), N(POLLNVAL))
SET(epoll_events, N(EPOLLIN), N(EPOLLOUT), N(EPOLLPRI), N(EPOLLRDHUP), N(EPOLLET), N(EPOLLONESHOT), N(EPOLLEXCLUSIVE),
    N(EPOLLWAKEUP), N(EPOLLHUP))
SET(epoll_ops, N(EPOLL_CTL_ADD), N(EPOLL_CTL_MOD), N(EPOLL_CTL_DEL))
SET(itimers, N(ITIMER_VIRTUAL), N(ITIMER_PROF), N(ITIMER_REAL))
SET(clocks, N(CLOCK_REALTIME), N(CLOCK_MONOTONIC), N(CLOCK_PROCESS_CPUTIME_ID), N(CLOCK_THREAD_CPUTIME_ID),
    N(CLOCK_MONOTONIC_RAW), N(CLOCK_REALTIME_COARSE), N(CLOCK_BOOTTIME), N(CLOCK_REALTIME_ALARM), N(CLOCK_TAI))
SET(timer_flags, N(TIMER_ABSTIME), N(TFD_TIMER_CANCEL_ON_SET))
SET(small_times, { "0", 0 }, { "1", 1 }, { "1000", 1000 }, { "1000000", 1000000 }, { "999999999", 999999999 },
    { "1000000000", 1000000000 }, { "0xffffffffffffffff", UINT64_MAX })
SET(seconds, { "0", 0 }, { "1", 1 }, { "2000000000", 2000000000 }, { "0x7fffffffffffffff", INT64_MAX },
    { "0xffffffffffffffff", UINT64_MAX })
SET(domains, N(AF_UNIX), N(AF_INET), N(AF_INET6), N(AF_NETLINK), N(AF_PACKET))
SET(socket_types, N(SOCK_STREAM), N(SOCK_DGRAM), N(SOCK_SEQPACKET), N(SOCK_STREAM | SOCK_NONBLOCK),
    N(SOCK_DGRAM | SOCK_NONBLOCK), N(SOCK_SEQPACKET | SOCK_CLOEXEC), N(SOCK_RAW))
SET(socket_flags, N(SOCK_CLOEXEC), N(SOCK_NONBLOCK))
SET(message_flags, N(MSG_DONTWAIT), N(MSG_PEEK), N(MSG_TRUNC), N(MSG_CTRUNC), N(MSG_WAITALL), N(MSG_NOSIGNAL), N(MSG_EOR),
    N(MSG_OOB), N(MSG_CMSG_CLOEXEC), N(MSG_ERRQUEUE), N(MSG_WAITFORONE), N(MSG_MORE))
SET(shuts, N(SHUT_RD), N(SHUT_WR), N(SHUT_RDWR))
SET(socket_levels, N(SOL_SOCKET))
SET(socket_options, N(SO_TYPE), N(SO_ERROR), N(SO_SNDBUF), N(SO_RCVBUF), N(SO_PASSCRED), N(SO_PEERCRED), N(SO_RCVTIMEO),
    N(SO_SNDTIMEO), N(SO_PEEK_OFF), N(SO_DOMAIN), N(SO_PROTOCOL), N(SO_ACCEPTCONN), N(SO_REUSEADDR), N(SO_LINGER),
    N(SO_SNDBUFFORCE), N(SO_RCVLOWAT), N(SO_PEERSEC), N(SO_PASSSEC), N(SO_TIMESTAMP), N(SO_PEERGROUPS), N(SO_KEEPALIVE))
SET(cmsg_types, { "SCM_RIGHTS", 1 }, { "SCM_CREDENTIALS", 2 })
SET(clone_flags, N(CLONE_VM), N(CLONE_FS), N(CLONE_FILES), N(CLONE_SIGHAND), N(CLONE_PIDFD), N(CLONE_VFORK), N(CLONE_PARENT),
    N(CLONE_THREAD), N(CLONE_SYSVSEM), N(CLONE_SETTLS), N(CLONE_PARENT_SETTID), N(CLONE_CHILD_CLEARTID), N(CLONE_CHILD_SETTID),
    N(CLONE_DETACHED), N(SIGCHLD), N(SIGUSR1), N(CLONE_IO), N(CLONE_NEWNS), N(CLONE_CLEAR_SIGHAND),
    N(CLONE_NEWUSER), N(CLONE_NEWUTS), N(CLONE_NEWIPC), N(CLONE_NEWNET), N(CLONE_NEWCGROUP), N(CLONE_NEWPID))
SET(thread_flags, N(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD), N(CLONE_CHILD_CLEARTID),
    N(CLONE_CHILD_SETTID), N(CLONE_PARENT_SETTID), N(CLONE_SYSVSEM))
SET(wait_options, N(WNOHANG), N(WUNTRACED), N(WCONTINUED), N(WEXITED), N(WNOWAIT), N(__WALL), N(__WNOTHREAD), N(__WCLONE))
SET(wait_whats, N(P_ALL), N(P_PID), N(P_PGID), N(P_PIDFD))
SET(fcntls, N(F_DUPFD), N(F_GETFD), N(F_SETFD), N(F_GETFL), N(F_SETFL), N(F_DUPFD_CLOEXEC), N(F_GETPIPE_SZ), N(F_SETPIPE_SZ),
    N(F_ADD_SEALS), N(F_GET_SEALS), N(F_GETOWN), N(F_SETSIG), N(F_GETSIG), N(F_SETLEASE), N(F_GETLEASE), N(F_NOTIFY))
SET(fcntl_args, { "0", 0 }, { "1", 1 }, { "0x1000", 0x1000 }, { "0x100000", 0x100000 }, N(O_NONBLOCK), N(O_APPEND), N(O_ASYNC),
    N(O_DIRECT), { "0xf", 0xf }, { "30", 30 })
SET(lock_commands, N(F_GETLK), N(F_SETLK), N(F_SETLKW), N(F_OFD_GETLK), N(F_OFD_SETLK), N(F_OFD_SETLKW))
SET(lock_types, N(F_RDLCK), N(F_WRLCK), N(F_UNLCK))
SET(flocks, N(LOCK_SH), N(LOCK_EX), N(LOCK_UN), N(LOCK_SH | LOCK_NB), N(LOCK_EX | LOCK_NB))
SET(owner_types, N(F_OWNER_TID), N(F_OWNER_PID), N(F_OWNER_PGRP))
SET(fallocate_modes, { "0", 0 }, N(FALLOC_FL_KEEP_SIZE), N(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE), N(FALLOC_FL_ZERO_RANGE),
    N(FALLOC_FL_COLLAPSE_RANGE), N(FALLOC_FL_INSERT_RANGE))
SET(fadvices, N(POSIX_FADV_NORMAL), N(POSIX_FADV_RANDOM), N(POSIX_FADV_SEQUENTIAL), N(POSIX_FADV_WILLNEED),
    N(POSIX_FADV_DONTNEED), N(POSIX_FADV_NOREUSE))
SET(splice_flags, N(SPLICE_F_MOVE), N(SPLICE_F_NONBLOCK), N(SPLICE_F_MORE), N(SPLICE_F_GIFT))
SET(rw_flags, N(RWF_HIPRI), N(RWF_DSYNC), N(RWF_SYNC), N(RWF_NOWAIT), N(RWF_APPEND))
SET(rlimits, N(RLIMIT_CPU), N(RLIMIT_DATA), N(RLIMIT_STACK), N(RLIMIT_CORE), N(RLIMIT_RSS), N(RLIMIT_NOFILE), N(RLIMIT_MEMLOCK),
    N(RLIMIT_SIGPENDING), N(RLIMIT_MSGQUEUE), N(RLIMIT_NICE), N(RLIMIT_RTPRIO), N(RLIMIT_FSIZE))
SET(rlimit_values, { "0", 0 }, { "4", 4 }, { "64", 64 }, { "0x10000", 0x10000 }, { "0x100000", 0x100000 },
    { "0xffffffffffffffff", UINT64_MAX })
SET(usages, N(RUSAGE_SELF), N(RUSAGE_CHILDREN), N(RUSAGE_THREAD))
SET(prctls, N(PR_SET_PDEATHSIG), N(PR_GET_PDEATHSIG), N(PR_GET_DUMPABLE), N(PR_SET_DUMPABLE), N(PR_GET_KEEPCAPS),
    N(PR_SET_KEEPCAPS), N(PR_SET_NAME), N(PR_GET_NAME), N(PR_CAPBSET_READ), N(PR_CAPBSET_DROP), N(PR_GET_SECUREBITS),
    N(PR_SET_SECUREBITS), N(PR_SET_TIMERSLACK), N(PR_GET_TIMERSLACK), N(PR_SET_CHILD_SUBREAPER), N(PR_GET_CHILD_SUBREAPER),
    N(PR_SET_NO_NEW_PRIVS), N(PR_GET_NO_NEW_PRIVS), N(PR_GET_TID_ADDRESS), N(PR_SET_THP_DISABLE), N(PR_GET_THP_DISABLE),
    N(PR_CAP_AMBIENT), N(PR_SET_MM), N(PR_SET_VMA), N(PR_GET_TSC))
SET(seccomp_ops, { "1", 1 }, { "2", 2 }, { "3", 3 })
SET(seccomp_flags, { "1", 1 }, { "2", 2 }, { "4", 4 }, { "8", 8 }, { "16", 16 }, { "32", 32 })
SET(bpf_codes, { "0x06", 0x06 }, { "0x20", 0x20 }, { "0x15", 0x15 }, { "0x02", 0x02 }, { "0x60", 0x60 }, { "0x44", 0x44 })
SET(bpf_values, { "0x7fff0000", 0x7fff0000 }, { "0", 0 }, { "0x50016", 0x50016 }, { "0x7ffc0000", 0x7ffc0000 }, { "16", 16 }, { "39", 39 })
SET(arch_prctls, { "ARCH_SET_GS", 0x1001 }, { "ARCH_GET_FS", 0x1003 }, { "ARCH_GET_GS", 0x1004 }, { "ARCH_CET_STATUS", 0x3001 })
SET(futex_ops, N(FUTEX_WAIT), N(FUTEX_WAKE), N(FUTEX_REQUEUE), N(FUTEX_CMP_REQUEUE), N(FUTEX_WAKE_OP), N(FUTEX_LOCK_PI),
    N(FUTEX_UNLOCK_PI), N(FUTEX_TRYLOCK_PI), N(FUTEX_WAIT_BITSET), N(FUTEX_WAKE_BITSET), N(FUTEX_WAIT_REQUEUE_PI),
    N(FUTEX_CMP_REQUEUE_PI), N(FUTEX_LOCK_PI2), N(FUTEX_WAIT_PRIVATE), N(FUTEX_WAKE_PRIVATE), N(FUTEX_LOCK_PI_PRIVATE),
    N(FUTEX_UNLOCK_PI_PRIVATE), N(FUTEX_WAIT_REQUEUE_PI_PRIVATE), N(FUTEX_CMP_REQUEUE_PI_PRIVATE))
SET(futex_words, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "0x80000000", 0x80000000 }, { "0x40000000", 0x40000000 },
    { "0xffffffff", 0xffffffff }, { "0x7fffffff", 0x7fffffff })
SET(futex_sizes, { "0x82", 0x82 }, { "2", 2 })
SET(policies, { "SCHED_OTHER", 0 }, N(SCHED_FIFO), N(SCHED_RR), N(SCHED_BATCH), N(SCHED_IDLE), { "SCHED_DEADLINE", 6 },
    { "SCHED_FIFO|SCHED_RESET_ON_FORK", 0x40000001 })
SET(priorities, { "0", 0 }, { "1", 1 }, { "10", 10 }, { "20", 20 })
SET(prio_whats, N(PRIO_PROCESS), N(PRIO_PGRP))
SET(nices, { "0", 0 }, { "19", 19 }, { "10", 10 }, { "0xffffffec", 0xffffffec }, { "5", 5 })
SET(inotify_masks, N(IN_ACCESS), N(IN_MODIFY), N(IN_ATTRIB), N(IN_CLOSE_WRITE), N(IN_CLOSE_NOWRITE), N(IN_OPEN), N(IN_MOVED_FROM),
    N(IN_MOVED_TO), N(IN_CREATE), N(IN_DELETE), N(IN_DELETE_SELF), N(IN_MOVE_SELF), N(IN_ONLYDIR), N(IN_DONT_FOLLOW),
    N(IN_EXCL_UNLINK), N(IN_MASK_ADD), N(IN_ONESHOT), N(IN_MASK_CREATE))
SET(fanotify_flags, N(FAN_CLOEXEC), N(FAN_CLASS_CONTENT), N(FAN_CLASS_PRE_CONTENT), N(FAN_UNLIMITED_QUEUE),
    N(FAN_UNLIMITED_MARKS), { "0x80", 0x80 }, N(FAN_REPORT_TID), N(FAN_REPORT_FID), N(FAN_REPORT_DIR_FID), { "0x800", 0x800 },
    { "0x1000", 0x1000 })
/* Not the permission events: the fuzzer answers nobody. */
SET(fanotify_masks, N(FAN_ACCESS), N(FAN_MODIFY), N(FAN_ATTRIB), N(FAN_CLOSE_WRITE), N(FAN_CLOSE_NOWRITE), N(FAN_OPEN), N(FAN_MOVED_FROM),
    N(FAN_MOVED_TO), N(FAN_CREATE), N(FAN_DELETE), N(FAN_DELETE_SELF), N(FAN_MOVE_SELF), N(FAN_OPEN_EXEC), N(FAN_EVENT_ON_CHILD),
    N(FAN_ONDIR), { "0x10000000", 0x10000000 })
SET(fanotify_marks, N(FAN_MARK_ADD), N(FAN_MARK_REMOVE), N(FAN_MARK_FLUSH), N(FAN_MARK_MOUNT), N(FAN_MARK_FILESYSTEM),
    N(FAN_MARK_IGNORED_MASK), N(FAN_MARK_IGNORED_SURV_MODIFY), N(FAN_MARK_ONLYDIR), { "0x200", 0x200 }, { "0x400", 0x400 })
SET(key_type_words, { "0x72657375", 0x72657375 }, { "0x676e697279656b", 0x676e697279656b }, { "0x6e6f676f6c", 0x6e6f676f6c }) /* user, keyring, logon */
SET(key_name_words, { "0x61", 0x61 }, { "0x623a61", 0x623a61 }, { "0x7365735f", 0x7365735f }) /* a, a:b, _ses */
/* Not the user's own, nor his persistent one: what is put there stays. */
SET(key_rings, { "0xffffffff", 0xffffffff }, { "0xfffffffe", 0xfffffffe }, { "0xfffffffd", 0xfffffffd }, { "0xfffffff9", 0xfffffff9 },
    { "0", 0 })
SET(key_operations, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "6", 6 }, { "7", 7 }, { "8", 8 }, { "9", 9 },
    { "10", 10 }, { "11", 11 }, { "12", 12 }, { "15", 15 }, { "16", 16 }, { "18", 18 }, { "19", 19 }, { "21", 21 },
    { "29", 29 }, { "30", 30 }, { "31", 31 })
SET(rename_flags, N(RENAME_NOREPLACE), N(RENAME_EXCHANGE), N(RENAME_WHITEOUT))
SET(memfd_flags, { "MFD_CLOEXEC", 1 }, { "MFD_ALLOW_SEALING", 2 }, { "MFD_HUGETLB", 4 })
SET(xattr_flags, { "0", 0 }, N(XATTR_CREATE), N(XATTR_REPLACE))
SET(membarriers, N(MEMBARRIER_CMD_QUERY), N(MEMBARRIER_CMD_GLOBAL), N(MEMBARRIER_CMD_PRIVATE_EXPEDITED),
    N(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED), N(MEMBARRIER_CMD_GLOBAL_EXPEDITED), N(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED),
    N(MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE), N(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE),
    { "128", 128 }, { "256", 256 })
SET(kcmps, { "KCMP_FILE", 0 }, { "KCMP_VM", 1 }, { "KCMP_FILES", 2 }, { "KCMP_FS", 3 }, { "KCMP_SIGHAND", 4 }, { "KCMP_IO", 5 },
    { "KCMP_SYSVSEM", 6 }, { "KCMP_EPOLL_TFD", 7 })
SET(mount_flags, N(MS_RDONLY), N(MS_NOSUID), N(MS_NODEV), N(MS_NOEXEC), N(MS_REMOUNT), N(MS_BIND), N(MS_MOVE), N(MS_REC), N(MS_PRIVATE),
    N(MS_SHARED), N(MS_SLAVE), N(MS_UNBINDABLE), N(MS_NOATIME), N(MS_RELATIME), N(MS_SILENT))
SET(tree_flags, { "OPEN_TREE_CLONE", 1 }, { "AT_RECURSIVE", 0x8000 }, N(AT_EMPTY_PATH), N(AT_SYMLINK_NOFOLLOW), N(O_CLOEXEC))
SET(move_flags, { "F_SYMLINKS", 1 }, { "F_EMPTY_PATH", 4 }, { "T_SYMLINKS", 0x10 }, { "T_EMPTY_PATH", 0x40 }, { "SET_GROUP", 0x100 })
SET(pick_flags, { "1", 1 }, { "2", 2 }, { "8", 8 })
SET(config_commands, { "FLAG", 0 }, { "STRING", 1 }, { "BINARY", 2 }, { "PATH", 3 }, { "FD", 5 }, { "CREATE", 6 }, { "RECONFIGURE", 7 })
SET(mount_attrs, { "RDONLY", 1 }, { "NOSUID", 2 }, { "NODEV", 4 }, { "NOEXEC", 8 }, { "NOATIME", 0x10 }, { "STRICTATIME", 0x20 }, { "_ATIME", 0x70 },
    { "NODIRATIME", 0x80 }, { "IDMAP", 0x100000 }, { "NOSYMFOLLOW", 0x200000 })
SET(propagations, { "0", 0 }, N(MS_SHARED), N(MS_SLAVE), N(MS_PRIVATE), N(MS_UNBINDABLE))
SET(umount_flags, N(MNT_FORCE), N(MNT_DETACH), N(MNT_EXPIRE), N(UMOUNT_NOFOLLOW))
SET(resolves, N(RESOLVE_NO_XDEV), N(RESOLVE_NO_MAGICLINKS), N(RESOLVE_NO_SYMLINKS), N(RESOLVE_BENEATH), N(RESOLVE_IN_ROOT), N(RESOLVE_CACHED))
SET(ioctls, N(FIONREAD), N(FIONBIO), N(FIOASYNC), N(FIOCLEX), N(TCGETS), N(TCSETS), N(TCSETSW), N(TCSETSF), N(TIOCGPGRP), N(TIOCSPGRP), N(TIOCSCTTY),
    N(TIOCNOTTY), N(TIOCGWINSZ), N(TIOCSWINSZ), N(TIOCGPTN), N(TIOCSPTLCK), N(TIOCGPTPEER), N(TCFLSH), N(TCXONC), N(TCSBRK), N(TIOCOUTQ),
    N(TIOCPKT), N(TIOCSTI), N(TIOCGSID), N(TIOCSETD), N(TIOCGETD), N(TIOCEXCL), N(TIOCNXCL), N(FIGETBSZ), N(FS_IOC_GETFLAGS), N(FS_IOC_SETFLAGS))
SET(getrandom_flags, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "4", 4 })
SET(sizes8, { "8", 8 })
SET(advice_sizes, { "0x1000", 0x1000 }, { "0x2000", 0x2000 }, { "0x8000", 0x8000 }, { "0x40000", 0x40000 }, { "0x200000", 0x200000 }, { "0", 0 },
    { "0xffffffffffffffff", UINT64_MAX }, { "0x100", 0x100 })
SET(counts, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "0", 0 }, { "4", 4 }, { "16", 16 })
SET(timeouts, { "0", 0 }, { "1", 1 }, { "5", 5 }, { "0xffffffff", 0xffffffff })
SET(notifies, N(SIGEV_SIGNAL), N(SIGEV_NONE), N(SIGEV_THREAD_ID), N(SIGEV_THREAD))
SET(cap_versions, { "0x20080522", 0x20080522 }, { "0x19980330", 0x19980330 })
SET(caps, { "0", 0 }, { "0xffffffff", 0xffffffff }, { "0x3f", 0x3f })
SET(code_values, { "0xffffffff", 0xffffffff }, { "0", 0 }, { "0xfffffffa", 0xfffffffa }, { "0x80", 0x80 })
SET(ranges, { "0", 0 }, { "3", 3 }, { "5", 5 }, { "10", 10 }, { "0xffffffff", 0xffffffff })
SET(range_flags, { "CLOSE_RANGE_UNSHARE", 2 }, { "CLOSE_RANGE_CLOEXEC", 4 })
SET(ioprio_values, { "0", 0 }, { "0x4004", 0x4004 }, { "0x2000", 0x2000 }, { "0x6007", 0x6007 })
SET(dirfds, N(AT_FDCWD))
SET(personas, { "0", 0 }, { "0xffffffff", 0xffffffff }, { "0x0400000", 0x400000 }, { "0x0040000", 0x40000 })
SET(statx_masks, { "0xfff", 0xfff }, { "0x7ff", 0x7ff }, { "0", 0 }, { "0x80000000", 0x80000000 })
SET(syslogs, { "2", 2 }, { "3", 3 }, { "9", 9 }, { "10", 10 })
SET(rseq_flags, { "0", 0 }, { "1", 1 })
SET(aio_commands, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "7", 7 }, { "8", 8 })
SET(uring_flags, { "IORING_SETUP_SQPOLL", 2 }, { "IORING_SETUP_CQSIZE", 8 }, { "IORING_SETUP_CLAMP", 16 }, { "IORING_SETUP_R_DISABLED", 64 },
    { "IORING_SETUP_SINGLE_ISSUER", 4096 })
SET(enter_flags, { "IORING_ENTER_GETEVENTS", 1 }, { "IORING_ENTER_SQ_WAKEUP", 2 }, { "IORING_ENTER_EXT_ARG", 8 })
SET(uring_commands, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "6", 6 }, { "8", 8 }, { "12", 12 },
    { "13", 13 }, { "14", 14 }, { "22", 22 }, { "23", 23 }, { "25", 25 })
SET(sqe_flags, { "IOSQE_FIXED_FILE", 1 }, { "IOSQE_IO_DRAIN", 2 }, { "IOSQE_IO_LINK", 4 }, { "IOSQE_IO_HARDLINK", 8 },
    { "IOSQE_ASYNC", 16 }, { "IOSQE_BUFFER_SELECT", 32 }, { "IOSQE_CQE_SKIP_SUCCESS", 64 })
SET(sqe_rw_ops, { "IORING_OP_NOP", 0 }, { "IORING_OP_FSYNC", 3 }, { "IORING_OP_READ_FIXED", 4 }, { "IORING_OP_WRITE_FIXED", 5 },
    { "IORING_OP_POLL_ADD", 6 }, { "IORING_OP_POLL_REMOVE", 7 }, { "IORING_OP_SYNC_FILE_RANGE", 8 }, { "IORING_OP_ACCEPT", 13 },
    { "IORING_OP_ASYNC_CANCEL", 14 }, { "IORING_OP_FALLOCATE", 17 }, { "IORING_OP_CLOSE", 19 }, { "IORING_OP_FILES_UPDATE", 20 },
    { "IORING_OP_READ", 22 }, { "IORING_OP_WRITE", 23 }, { "IORING_OP_FADVISE", 24 }, { "IORING_OP_MADVISE", 25 },
    { "IORING_OP_SEND", 26 }, { "IORING_OP_RECV", 27 }, { "IORING_OP_EPOLL_CTL", 29 }, { "IORING_OP_SPLICE", 30 },
    { "IORING_OP_PROVIDE_BUFFERS", 31 }, { "IORING_OP_REMOVE_BUFFERS", 32 }, { "IORING_OP_TEE", 33 }, { "IORING_OP_SHUTDOWN", 34 },
    { "IORING_OP_MSG_RING", 40 }, { "IORING_OP_SOCKET", 45 })
SET(sqe_path_ops, { "IORING_OP_OPENAT", 18 }, { "IORING_OP_STATX", 21 }, { "IORING_OP_UNLINKAT", 36 }, { "IORING_OP_MKDIRAT", 37 })
SET(sqe_message_ops, { "IORING_OP_READV", 1 }, { "IORING_OP_WRITEV", 2 }, { "IORING_OP_SENDMSG", 9 }, { "IORING_OP_RECVMSG", 10 },
    { "IORING_OP_CONNECT", 16 })
SET(sqe_time_ops, { "IORING_OP_TIMEOUT", 11 }, { "IORING_OP_TIMEOUT_REMOVE", 12 }, { "IORING_OP_LINK_TIMEOUT", 15 })
SET(sqe_names, { "0", 0 }, { "1", 1 }, { "2", 2 })
SET(uring_maps, { "0", 0 }, { "0x8000000", 0x8000000 }, { "0x10000000", 0x10000000 })
SET(queue_counts, { "1", 1 }, { "4", 4 }, { "10", 10 }, { "0", 0 })
SET(queue_sizes, { "8", 8 }, { "64", 64 }, { "0", 0 })
SET(ipc_keys, { "IPC_PRIVATE", 0 }, { "0x7e55e7a", 0x7e55e7a }, { "0x7e55e7b", 0x7e55e7b })
SET(ipc_flags, N(IPC_CREAT), N(IPC_EXCL), { "0600", 0600 }, { "0444", 0444 }, { "SHM_HUGETLB", 04000 },
    { "SHM_NORESERVE", 010000 })
SET(shm_sizes, { "0x1000", 0x1000 }, { "0x8000", 0x8000 }, { "1", 1 }, { "0x200000", 0x200000 })
SET(shm_flags, N(SHM_RDONLY), N(SHM_RND), N(SHM_REMAP), { "SHM_EXEC", 0100000 })
SET(shm_commands, N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(SHM_LOCK), N(SHM_UNLOCK), N(SHM_STAT), N(SHM_INFO))
SET(sem_commands, N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(GETPID), N(GETVAL), N(GETALL), N(GETNCNT), N(GETZCNT),
    N(SETVAL), N(SETALL), N(SEM_STAT), N(SEM_INFO))
SET(sem_flags, { "0", 0 }, N(IPC_NOWAIT), { "SEM_UNDO", 0x1000 }, { "SEM_UNDO|IPC_NOWAIT", 0x1800 })
SET(sem_changes, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "0xffff", 0xffff }, { "0xfffe", 0xfffe }, { "0x7fff", 0x7fff })
SET(msg_commands, N(IPC_RMID), N(IPC_SET), N(IPC_STAT), N(IPC_INFO), N(MSG_STAT), N(MSG_INFO))
SET(msg_flags, N(IPC_NOWAIT), N(MSG_NOERROR), { "MSG_EXCEPT", 020000 }, { "MSG_COPY", 040000 })
SET(msg_types, { "1", 1 }, { "0", 0 }, { "2", 2 }, { "0xffffffffffffffff", UINT64_MAX }, { "0xfffffffffffffffe", UINT64_MAX - 1 })
/* struct ucontext, then (0x1000) the area of fxsave with Linux's words at 464 and the xsave header at 512. */
SET(frame_places, { "FRAME_FLAGS", 0 }, { "FRAME_LINK", 8 }, { "FRAME_STACK", 16 }, { "FRAME_STACK_FLAGS", 24 },
    { "FRAME_STACK_SIZE", 32 }, { "FRAME_R8", 40 }, { "FRAME_RBX", 128 }, { "FRAME_RSP", 160 }, { "FRAME_RIP", 168 },
    { "FRAME_EFLAGS", 176 }, { "FRAME_SELECTORS", 184 }, { "FRAME_FPSTATE", 224 }, { "FRAME_MASK", 296 },
    { "FRAME_FCW", 0x1000 }, { "FRAME_FTW", 0x1004 }, { "FRAME_MXCSR", 0x1018 }, { "FRAME_ST0", 0x1020 },
    { "FRAME_XMM0", 0x10a0 }, { "FRAME_MAGIC1", 0x11d0 }, { "FRAME_EXTENDED_SIZE", 0x11d4 }, { "FRAME_XFEATURES", 0x11d8 },
    { "FRAME_XSTATE_SIZE", 0x11e0 }, { "FRAME_XSTATE_BV", 0x1200 }, { "FRAME_XCOMP_BV", 0x1208 },
    { "FRAME_XHEADER", 0x1210 }, { "FRAME_YMM", 0x1240 }, { "FRAME_MAGIC2", 0x1340 })
/* The value's upper words matter where the place is the start of several fields. */
SET(frame_values, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "0xffffffff", 0xffffffff }, { "0x1f80", 0x1f80 },
    { "0x8000000000000000", 1ul << 63 }, { "0x46505853", 0x46505853 }, { "0x46505845", 0x46505845 }, { "0x344", 0x344 },
    { "0x340", 0x340 }, { "0x200", 0x200 }, { "7", 7 }, { "0x2b0000000000033", 0x2b0000000000033 },
    { "0x2b000000000002b", 0x2b000000000002b }, { "0x2b0000000000023", 0x2b0000000000023 },
    { "0x18000000000010", 0x18000000000010 }, { "0x100", 0x100 }, { "0x4000", 0x4000 }, { "0x3202", 0x3202 },
    { "0x7ffffffff000", 0x7ffffffff000 }, { "0x800000000000", 0x800000000000 }, { "0xffff800000000000", 0xffff800000000000 })
SET(listener_flags, { "8", 8 }, { "8|16", 24 }, { "8|32", 40 }, { "8|4", 12 })
SET(notice_ioctls, { "NOTIF_RECV", 0xc0502100 }, { "NOTIF_SEND", 0xc0182101 }, { "NOTIF_ID_VALID", 0x40082102 },
    { "NOTIF_ADDFD", 0x40182103 })
SET(notice_ids, { "0", 0 }, { "1", 1 }, { "2", 2 })
/* Input devices: described, written to, read, asked. */
SET(uinput_bits, N(UI_SET_EVBIT), N(UI_SET_KEYBIT), N(UI_SET_RELBIT), N(UI_SET_ABSBIT), N(UI_SET_MSCBIT), N(UI_SET_LEDBIT),
    N(UI_SET_SNDBIT), N(UI_SET_FFBIT), N(UI_SET_SWBIT), N(UI_SET_PROPBIT), N(UI_DEV_CREATE), N(UI_DEV_DESTROY))
SET(input_codes, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "8", 8 }, { "0x11", 0x11 }, { "0x12", 0x12 }, { "0x14", 0x14 },
    { "0x15", 0x15 }, { "0x2f", 0x2f }, { "0x35", 0x35 }, { "0x39", 0x39 }, { "0x50", 0x50 }, { "0x51", 0x51 }, { "0x52", 0x52 },
    { "0x110", 0x110 }, { "0x14a", 0x14a }, { "0x145", 0x145 }, { "0x18", 0x18 }, { "0x1c", 0x1c })
SET(input_values, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "99", 99 }, { "0x7fffffff", 0x7fffffff }, { "0x80000000", 0x80000000 },
    { "0xffffffff", 0xffffffff }, { "1000", 1000 })
/* A name is a word: it is printed and read again. */
#define UI_GET_SYSNAME_16   UI_GET_SYSNAME(16)
#define EVIOCGNAME_64       EVIOCGNAME(64)
#define EVIOCGPHYS_64       EVIOCGPHYS(64)
#define EVIOCGUNIQ_64       EVIOCGUNIQ(64)
#define EVIOCGPROP_16       EVIOCGPROP(16)
#define EVIOCGMTSLOTS_256   EVIOCGMTSLOTS(256)
#define EVIOCGKEY_96        EVIOCGKEY(96)
#define EVIOCGLED_8         EVIOCGLED(8)
#define EVIOCGSND_8         EVIOCGSND(8)
#define EVIOCGSW_8          EVIOCGSW(8)
#define EVIOCGBIT_0_8       EVIOCGBIT(0, 8)
#define EVIOCGBIT_EV_KEY_96 EVIOCGBIT(EV_KEY, 96)
#define EVIOCGBIT_EV_FF_16  EVIOCGBIT(EV_FF, 16)
#define EVIOCGABS_0         EVIOCGABS(0)
#define EVIOCGABS_0x2f      EVIOCGABS(0x2f)
#define EVIOCSABS_0         EVIOCSABS(0)
#define EVIOCSABS_0x35      EVIOCSABS(0x35)

SET(uinput_ioctls, N(UI_DEV_SETUP), N(UI_GET_VERSION), N(UI_GET_SYSNAME_16), N(UI_BEGIN_FF_UPLOAD), N(UI_END_FF_UPLOAD),
    N(UI_BEGIN_FF_ERASE), N(UI_END_FF_ERASE), N(UI_SET_PHYS))
SET(evdev_ioctls, N(EVIOCGVERSION), N(EVIOCGID), N(EVIOCGREP), N(EVIOCGKEYCODE), N(EVIOCGKEYCODE_V2), N(EVIOCGNAME_64), N(EVIOCGPHYS_64),
    N(EVIOCGUNIQ_64), N(EVIOCGPROP_16), N(EVIOCGMTSLOTS_256), N(EVIOCGKEY_96), N(EVIOCGLED_8), N(EVIOCGSND_8), N(EVIOCGSW_8),
    N(EVIOCGBIT_0_8), N(EVIOCGBIT_EV_KEY_96), N(EVIOCGBIT_EV_FF_16), N(EVIOCGABS_0), N(EVIOCGABS_0x2f), N(EVIOCGEFFECTS))
SET(evdev_sets, N(EVIOCSREP), N(EVIOCSCLOCKID), N(EVIOCSABS_0), N(EVIOCSABS_0x35), N(EVIOCSKEYCODE), N(EVIOCSKEYCODE_V2), N(EVIOCSFF))
SET(evdev_numbers, N(EVIOCGRAB), N(EVIOCREVOKE), N(EVIOCRMFF))
SET(evdev_masks, N(EVIOCGMASK), N(EVIOCSMASK))
/* Disks: asked, changed, with a table of partitions or a file below them. The words are ends of names: p0, p1, p2; a, a1, b. */
SET(loop_words, { "0x3070", 0x3070 }, { "0x3170", 0x3170 }, { "0x3270", 0x3270 })
SET(disk_words, { "0x6164762f7665642f", 0x6164762f7665642f }, { "0x6264762f7665642f", 0x6264762f7665642f })
SET(part_words, { "0", 0 }, { "0x31", 0x31 }, { "0x32", 0x32 })
SET(block_asks, N(BLKROGET), N(BLKGETSIZE), N(BLKRAGET), N(BLKFRAGET), N(BLKSECTGET), N(BLKSSZGET), N(BLKBSZGET), N(BLKGETSIZE64),
    N(BLKIOMIN), N(BLKIOOPT), N(BLKALIGNOFF), N(BLKPBSZGET), N(BLKDISCARDZEROES), N(BLKROTATIONAL), { "BLKGETDISKSEQ", 0x80081280 },
    N(HDIO_GETGEO), N(LOOP_GET_STATUS), N(LOOP_GET_STATUS64))
SET(block_ranges, N(BLKDISCARD), N(BLKZEROOUT), N(BLKSECDISCARD))
SET(block_sets, N(BLKROSET), N(BLKBSZSET))
SET(block_numbers, N(BLKRRPART), N(BLKFLSBUF), N(BLKRASET), N(BLKFRASET), N(LOOP_CLR_FD), N(LOOP_SET_CAPACITY),
    N(LOOP_SET_DIRECT_IO), N(LOOP_SET_BLOCK_SIZE), N(LOOP_CTL_ADD), N(LOOP_CTL_REMOVE), N(LOOP_CTL_GET_FREE))
SET(block_values, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "512", 512 }, { "1024", 1024 }, { "4096", 4096 }, { "8192", 8192 },
    { "0x10000", 0x10000 }, { "0x7ffffffffffffe00", 0x7ffffffffffffe00 }, { "100", 100 })
SET(part_operations, { "BLKPG_ADD", 1 }, { "BLKPG_DELETE", 2 }, { "BLKPG_RESIZE", 3 })
SET(loop_files, N(LOOP_SET_FD), N(LOOP_CHANGE_FD))
SET(loop_configures, N(LOOP_CONFIGURE), N(LOOP_SET_STATUS64), N(LOOP_SET_STATUS))
SET(loop_flags, N(LO_FLAGS_READ_ONLY), N(LO_FLAGS_AUTOCLEAR), N(LO_FLAGS_PARTSCAN), N(LO_FLAGS_DIRECT_IO))
/* A daemon's disk: with version 1, of its memory only, and some that a disk can do. */
SET(vduse_features, { "0x300006640", 0x300006640 }, { "0x320006240", 0x320006240 }, { "0x300000000", 0x300000000 },
    { "0x100000000", 0x100000000 }, { "0x300001042", 0x300001042 })
SET(vduse_asks, N(VDUSE_DEV_GET_FEATURES), N(VDUSE_VQ_GET_INFO), N(VDUSE_IOTLB_GET_INFO), N(VDUSE_GET_API_VERSION))
SET(vduse_sets, N(VDUSE_VQ_SETUP), N(VDUSE_DEV_SET_CONFIG), N(VDUSE_VQ_INJECT_IRQ), N(VDUSE_SET_API_VERSION), N(VDUSE_VQ_SETUP_KICKFD))
SET(vduse_sizes, { "128", 128 }, { "4", 4 }, { "0", 0 }, { "1", 1 }, { "7", 7 }, { "0xffff", 0xffff } )
SET(fuse_notices, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 }, { "4", 4 }, { "5", 5 }, { "6", 6 }, { "0xfffffffe", 0xfffffffe },
    { "0xffffffda", 0xffffffda })
SET(fuse_ids, { "2", 2 }, { "4", 4 }, { "6", 6 }, { "8", 8 }, { "10", 10 }, { "12", 12 }, { "0", 0 }, { "14", 14 })
SET(fuse_flags, N(FUSE_ASYNC_READ), N(FUSE_POSIX_LOCKS), N(FUSE_ATOMIC_O_TRUNC), N(FUSE_EXPORT_SUPPORT), N(FUSE_BIG_WRITES),
    N(FUSE_DO_READDIRPLUS), N(FUSE_ASYNC_DIO), N(FUSE_WRITEBACK_CACHE), N(FUSE_NO_OPEN_SUPPORT), N(FUSE_PARALLEL_DIROPS),
    N(FUSE_POSIX_ACL), N(FUSE_ABORT_ERROR), N(FUSE_MAX_PAGES), N(FUSE_NO_OPENDIR_SUPPORT), N(FUSE_EXPLICIT_INVAL_DATA))
SET(fuse_modes, { "0x41ff", 0x41ff }, { "0x81ff", 0x81ff }, { "0xa1ff", 0xa1ff }, { "0", 0 })
SET(fuse_sizes, { "0x10", 0x10 }, { "0x18", 0x18 }, { "0x20", 0x20 }, { "0x50", 0x50 }, { "0x60", 0x60 }, { "0x78", 0x78 }, { "0x90", 0x90 },
    { "0xa0", 0xa0 })
SET(vfio_numbers, N(VFIO_GET_API_VERSION), N(VFIO_CHECK_EXTENSION), N(VFIO_SET_IOMMU))
SET(vfio_structs, N(VFIO_IOMMU_GET_INFO), N(VFIO_IOMMU_MAP_DMA), N(VFIO_IOMMU_UNMAP_DMA), { "VFIO_IOMMU_ALLOC_DMA", 0x3ba4 })
/* By the kind of their fourth argument: a number or none, room, a vector, what is stored. */
SET(ptrace_requests, { "PTRACE_SEIZE", 0x4206 }, { "PTRACE_ATTACH", 16 }, { "PTRACE_INTERRUPT", 0x4207 }, { "PTRACE_LISTEN", 0x4208 },
    { "PTRACE_CONT", 7 }, { "PTRACE_SINGLESTEP", 9 }, { "PTRACE_SYSCALL", 24 }, { "PTRACE_SYSEMU", 31 },
    { "PTRACE_SINGLEBLOCK", 33 }, { "PTRACE_DETACH", 17 }, { "PTRACE_KILL", 8 }, { "PTRACE_SETOPTIONS", 0x4200 },
    { "PTRACE_POKEUSR", 6 }, { "PTRACE_POKEDATA", 5 }, { "PTRACE_TRACEME", 0 }, { "PTRACE_ARCH_PRCTL", 30 })
SET(ptrace_outs, { "PTRACE_PEEKDATA", 2 }, { "PTRACE_PEEKUSR", 3 }, { "PTRACE_GETREGS", 12 }, { "PTRACE_GETFPREGS", 14 },
    { "PTRACE_GETEVENTMSG", 0x4201 }, { "PTRACE_GETSIGINFO", 0x4202 }, { "PTRACE_PEEKSIGINFO", 0x4209 },
    { "PTRACE_GETSIGMASK", 0x420a }, { "PTRACE_GET_SYSCALL_INFO", 0x420e }, { "PTRACE_SECCOMP_GET_FILTER", 0x420c },
    { "PTRACE_GET_RSEQ_CONFIGURATION", 0x420f }, { "PTRACE_SECCOMP_GET_METADATA", 0x420d })
SET(ptrace_sets, { "PTRACE_GETREGSET", 0x4204 }, { "PTRACE_SETREGSET", 0x4205 })
SET(ptrace_writes, { "PTRACE_SETREGS", 13 }, { "PTRACE_SETFPREGS", 15 }, { "PTRACE_SETSIGINFO", 0x4203 }, { "PTRACE_SETSIGMASK", 0x420b })
SET(ptrace_addresses, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "0x202", 0x202 }, { "8", 8 }, { "0x80", 0x80 }, { "0x78", 0x78 },
    { "0x90", 0x90 }, { "0x350", 0x350 }, { "0x380", 0x380 }, { "0x388", 0x388 }, { "0x40000001000", 0x40000001000 }, { "0x100", 0x100 })
SET(ptrace_numbers, { "0", 0 }, { "0x1", 1 }, { "SIGSTOP", 19 }, { "10", 10 }, { "0x7f", 0x7f }, { "0x1000ff", 0x1000ff },
    { "0x100000", 0x100000 }, { "0x402019", 0x402019 }, { "0xd0101", 0xd0101 }, { "0x155", 0x155 }, { "0x3003", 0x3003 })
/* No argument by themselves: names for the parts of others. */
SET(parts, N(LOCK_NB), N(S_IFREG), N(S_IFIFO), N(S_IFSOCK), N(S_IFCHR), N(S_IFBLK), N(S_IFDIR), N(FALLOC_FL_PUNCH_HOLE),
    N(SCHED_RESET_ON_FORK))
SET(rights, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "3", 3 })

#include "network_kinds.h"

#define SETS(X)                                                                                                          \
	X(open_flags, KIND_FLAGS) X(fd_flags, KIND_FLAGS) X(modes, KIND_CHOICE) X(node_modes, KIND_CHOICE)               \
	X(devices, KIND_CHOICE) X(at_flags, KIND_FLAGS) X(whence, KIND_CHOICE) X(prot, KIND_FLAGS)                       \
	X(map_flags, KIND_FLAGS) X(remap_flags, KIND_FLAGS) X(sync_flags, KIND_FLAGS) X(advices, KIND_CHOICE)            \
	X(memory_policies, KIND_FLAGS) X(policy_flags, KIND_FLAGS) X(node_bits, KIND_CHOICE)                             \
	X(mlock_flags, KIND_FLAGS) X(mask_how, KIND_CHOICE) X(action_flags, KIND_FLAGS) X(stack_flags, KIND_FLAGS)       \
	X(poll_events, KIND_FLAGS) X(epoll_events, KIND_FLAGS) X(epoll_ops, KIND_CHOICE) X(itimers, KIND_CHOICE)         \
	X(clocks, KIND_CHOICE) X(timer_flags, KIND_FLAGS) X(small_times, KIND_CHOICE) X(seconds, KIND_CHOICE)            \
	X(domains, KIND_CHOICE) X(socket_types, KIND_CHOICE) X(socket_flags, KIND_FLAGS) X(message_flags, KIND_FLAGS)    \
	X(shuts, KIND_CHOICE) X(socket_levels, KIND_CHOICE) X(socket_options, KIND_CHOICE) X(cmsg_types, KIND_CHOICE)    \
	X(clone_flags, KIND_FLAGS) X(thread_flags, KIND_FLAGS) X(wait_options, KIND_FLAGS) X(wait_whats, KIND_CHOICE)    \
	X(fcntls, KIND_CHOICE) X(fcntl_args, KIND_CHOICE) X(lock_commands, KIND_CHOICE) X(lock_types, KIND_CHOICE)       \
	X(flocks, KIND_CHOICE) X(owner_types, KIND_CHOICE) X(fallocate_modes, KIND_CHOICE) X(fadvices, KIND_CHOICE)      \
	X(splice_flags, KIND_FLAGS) X(rw_flags, KIND_FLAGS) X(rlimits, KIND_CHOICE) X(rlimit_values, KIND_CHOICE)        \
	X(usages, KIND_CHOICE) X(prctls, KIND_CHOICE) X(arch_prctls, KIND_CHOICE) X(seccomp_ops, KIND_CHOICE) X(seccomp_flags, KIND_FLAGS)                                 \
	X(bpf_codes, KIND_CHOICE) X(bpf_values, KIND_CHOICE) X(futex_ops, KIND_CHOICE)              \
	X(futex_words, KIND_CHOICE) X(futex_sizes, KIND_CHOICE) X(policies, KIND_CHOICE) X(priorities, KIND_CHOICE)      \
	X(prio_whats, KIND_CHOICE) X(nices, KIND_CHOICE) X(inotify_masks, KIND_FLAGS) X(fanotify_flags, KIND_FLAGS) X(fanotify_masks, KIND_FLAGS) X(fanotify_marks, KIND_FLAGS) X(key_type_words, KIND_CHOICE) X(key_name_words, KIND_CHOICE) \
	X(key_rings, KIND_CHOICE) X(key_operations, KIND_CHOICE) X(rename_flags, KIND_FLAGS)        \
	X(memfd_flags, KIND_FLAGS) X(xattr_flags, KIND_CHOICE) X(membarriers, KIND_CHOICE) X(kcmps, KIND_CHOICE)         \
	X(tree_flags, KIND_FLAGS) X(move_flags, KIND_FLAGS) X(pick_flags, KIND_FLAGS) X(config_commands, KIND_CHOICE)    \
	X(mount_attrs, KIND_FLAGS) X(propagations, KIND_CHOICE)                                                          \
	X(mount_flags, KIND_FLAGS) X(umount_flags, KIND_FLAGS) X(resolves, KIND_FLAGS) X(ioctls, KIND_CHOICE)            \
	X(getrandom_flags, KIND_CHOICE) X(sizes8, KIND_CHOICE) X(advice_sizes, KIND_CHOICE) X(counts, KIND_CHOICE)       \
	X(timeouts, KIND_CHOICE) X(notifies, KIND_CHOICE) X(cap_versions, KIND_CHOICE) X(caps, KIND_CHOICE)              \
	X(code_values, KIND_CHOICE) X(ranges, KIND_CHOICE) X(range_flags, KIND_FLAGS) X(ioprio_values, KIND_CHOICE)      \
	X(dirfds, KIND_CHOICE) X(personas, KIND_CHOICE) X(statx_masks, KIND_CHOICE) X(syslogs, KIND_CHOICE)              \
	X(rseq_flags, KIND_CHOICE) X(rights, KIND_CHOICE) X(ipc_keys, KIND_CHOICE) X(ipc_flags, KIND_FLAGS)              \
	X(shm_sizes, KIND_CHOICE) X(shm_flags, KIND_FLAGS) X(shm_commands, KIND_CHOICE) X(sem_commands, KIND_CHOICE)     \
	X(sem_flags, KIND_CHOICE) X(sem_changes, KIND_CHOICE) X(msg_commands, KIND_CHOICE) X(msg_flags, KIND_FLAGS)      \
	X(msg_types, KIND_CHOICE) X(frame_places, KIND_CHOICE) X(frame_values, KIND_CHOICE) X(listener_flags, KIND_CHOICE)            \
	X(notice_ioctls, KIND_CHOICE) X(notice_ids, KIND_CHOICE) X(ptrace_requests, KIND_CHOICE) X(ptrace_outs, KIND_CHOICE) \
	X(ptrace_sets, KIND_CHOICE) X(ptrace_writes, KIND_CHOICE) X(ptrace_addresses, KIND_CHOICE)                       \
	X(ptrace_numbers, KIND_CHOICE) X(aio_commands, KIND_CHOICE) X(uring_flags, KIND_FLAGS) X(enter_flags, KIND_FLAGS) X(uring_commands, KIND_CHOICE) \
	X(sqe_flags, KIND_FLAGS) X(sqe_rw_ops, KIND_CHOICE) X(sqe_path_ops, KIND_CHOICE) X(sqe_message_ops, KIND_CHOICE) \
	X(sqe_time_ops, KIND_CHOICE) X(sqe_names, KIND_CHOICE) \
	X(uinput_bits, KIND_CHOICE) X(input_codes, KIND_CHOICE) X(input_values, KIND_CHOICE) X(uinput_ioctls, KIND_CHOICE)  \
	X(evdev_ioctls, KIND_CHOICE) X(evdev_sets, KIND_CHOICE) X(evdev_numbers, KIND_CHOICE) X(evdev_masks, KIND_CHOICE) \
	X(loop_words, KIND_CHOICE) X(disk_words, KIND_CHOICE) X(part_words, KIND_CHOICE) X(block_asks, KIND_CHOICE)      \
	X(block_ranges, KIND_CHOICE) X(block_sets, KIND_CHOICE) X(block_numbers, KIND_CHOICE) X(block_values, KIND_CHOICE) \
	X(part_operations, KIND_CHOICE) X(loop_files, KIND_CHOICE) X(loop_configures, KIND_CHOICE) X(loop_flags, KIND_FLAGS) \
	X(vduse_features, KIND_CHOICE) X(vduse_asks, KIND_CHOICE) X(vduse_sets, KIND_CHOICE) X(vduse_sizes, KIND_CHOICE) \
	X(fuse_notices, KIND_CHOICE) X(fuse_ids, KIND_CHOICE) X(fuse_flags, KIND_FLAGS) X(fuse_modes, KIND_CHOICE) X(fuse_sizes, KIND_CHOICE)     \
	X(vfio_numbers, KIND_CHOICE) X(vfio_structs, KIND_CHOICE)                                                        \
	X(uring_maps, KIND_CHOICE) X(queue_counts, KIND_CHOICE) X(queue_sizes, KIND_CHOICE) X(parts, KIND_CHOICE)

#define SET_KIND(set_name, how)                                                                    \
	{ .name = #set_name, .type = how, .set = set_name, .set_size = sizeof(set_name) / sizeof(set_name[0]) },
#define RESOURCE(kind_name, bits) { .name = kind_name, .type = KIND_RESOURCE, .resource = bits }
/* Fields: kind:bytes; 8 when it says nothing. "c:N:S" is the constant N. */
#define STRUCT(kind_name, how_many, fields_text) \
	{ .name = kind_name, .type = KIND_POINTER, .n = how_many, .layout = fields_text }

static struct kind kinds[] = {
	{ .name = "int", .type = KIND_INT },
	{ .name = "path", .type = KIND_PATH },
	{ .name = "bytes", .type = KIND_BYTES },
	{ .name = "out", .type = KIND_OUT },
	{ .name = "out8", .type = KIND_OUT, .n = 8 },
	{ .name = "out16", .type = KIND_OUT, .n = 16 },
	{ .name = "out256", .type = KIND_OUT, .n = 256 },
	{ .name = "length", .type = KIND_LENGTH },
	{ .name = "page", .type = KIND_PAGE },
	{ .name = "signal", .type = KIND_SIGNAL },
	{ .name = "id", .type = KIND_ID },
	{ .name = "handler", .type = KIND_HANDLER },
	{ .name = "restorer", .type = KIND_RESTORER },
	RESOURCE("fd", R_FD), RESOURCE("file", R_FILE | R_MEMFD), RESOURCE("dir", R_DIR), RESOURCE("pipe", R_PIPE),
	RESOURCE("socket", R_SOCKET | R_INET | R_NETLINK | R_PACKET), RESOURCE("epoll", R_EPOLL), RESOURCE("eventfd", R_EVENTFD),
	RESOURCE("timerfd", R_TIMERFD), RESOURCE("signalfd", R_SIGNALFD), RESOURCE("inotify", R_INOTIFY), RESOURCE("fanotify", R_FANOTIFY),
	RESOURCE("memfd", R_MEMFD), RESOURCE("pidfd", R_PIDFD), RESOURCE("tty", R_TTY), RESOURCE("pid", R_PID),
	RESOURCE("timer", R_TIMER), RESOURCE("watch", R_WATCH), RESOURCE("pkey", R_PKEY), RESOURCE("brk", R_BRK),
	RESOURCE("mqueue", R_MQUEUE), RESOURCE("listener", R_LISTENER), RESOURCE("uring", R_URING), RESOURCE("aio", R_AIO),
	RESOURCE("shm", R_SHM), RESOURCE("sem", R_SEM), RESOURCE("msg", R_MSG), RESOURCE("key", R_KEY),
	RESOURCE("uinput", R_UINPUT), RESOURCE("evdev", R_EVDEV), RESOURCE("block", R_BLOCK), RESOURCE("vduse", R_VDUSE),
	RESOURCE("fuse", R_FUSE), RESOURCE("vfio", R_VFIO), RESOURCE("below", R_FILE | R_MEMFD | R_BLOCK),
	RESOURCE("inet", R_INET), RESOURCE("netlink", R_NETLINK), RESOURCE("packet", R_PACKET), RESOURCE("tun", R_TUN),
	RESOURCE("door", R_DOOR),
	SETS(SET_KIND)
	NETWORK_SETS(SET_KIND)
	NETWORK_STRUCTS
	STRUCT("mount_attr", 1, "mount_attrs mount_attrs propagations fd"),
	STRUCT("key_type", 1, "key_type_words"),
	STRUCT("key_name", 1, "key_name_words"),
	STRUCT("sigset", 1, "int"),
	STRUCT("sigaction", 1, "handler action_flags restorer int"),
	STRUCT("sigstack", 1, "page stack_flags advice_sizes"),
	STRUCT("timespec", 1, "seconds small_times"),
	STRUCT("timespec2", 1, "seconds small_times seconds small_times"),
	STRUCT("itimerspec", 1, "seconds small_times seconds small_times"),
	STRUCT("itimerval", 1, "seconds small_times seconds small_times"),
	STRUCT("fd_set", 1, "int int"),
	STRUCT("pollfd", 0, "fd:4 poll_events:2 c:0:2"),
	STRUCT("iovec", 0, "page length"),
	STRUCT("iovec_data", 0, "bytes length"),
	STRUCT("siginfo", 1, "signal:4 c:0:4 code_values:4 c:0:4 pid:4 id:4 int int int int int int int int int int int int"),
	STRUCT("sigevent", 1, "int signal:4 notifies:4 pid:4 c:0:4 int int int int int"),
	STRUCT("epoll_event", 1, "epoll_events:4 int:4 int:4"),
	STRUCT("sockaddr", 1, "c:1:2 c:0x61:4 c:0:4 c:0:4"),
	STRUCT("abstract", 1, "c:1:2 c:0x6100:2 c:0:4"),
	STRUCT("socklen", 1, "counts:4"),
	STRUCT("int_value", 1, "int:4 int:4 int"),
	STRUCT("rights_cmsg", 1, "c:0x18 c:1:4 cmsg_types:4 fd:4 fd:4"),
	STRUCT("msghdr", 1, "sockaddr c:0:8 iovec_data c:1 rights_cmsg c:0x18 c:0:4 c:0:4"),
	STRUCT("msghdr_in", 1, "out c:16:8 iovec c:1 out256 c:0x40 c:0:4 c:0:4"),
	STRUCT("mmsghdr", 0, "sockaddr c:0:8 iovec_data c:1 rights_cmsg c:0x18 c:0:4 c:0:4 c:0:8"),
	STRUCT("mmsghdr_in", 0, "out c:16:8 iovec c:1 out256 c:0x40 c:0:4 c:0:4 c:0:8"),
	STRUCT("rlimit", 1, "rlimit_values rlimit_values"),
	STRUCT("flock_struct", 1, "lock_types:2 whence:2 c:0:4 length length pid:4 c:0:4"),
	STRUCT("owner", 1, "owner_types:4 pid:4"),
	STRUCT("offset", 1, "length"),
	STRUCT("sched_param", 1, "priorities:4"),
	STRUCT("sched_attr", 1, "c:56:4 policies:4 int nices:4 priorities:4 int int int int:4 int:4"),
	STRUCT("cpu_set", 1, "rights"),
	STRUCT("open_how", 1, "open_flags modes resolves"),
	STRUCT("clone_args", 1, "clone_flags page page page signal page advice_sizes c:0 page c:0 c:0"),
	STRUCT("argv", 1, "bytes bytes c:0"),
	STRUCT("bpf_code", 1, "bpf_codes:2 rights:1 rights:1 bpf_values:4 bpf_codes:2 rights:1 rights:1 bpf_values:4 c:6:2 c:0:2 bpf_values:4"),
	STRUCT("bpf_program", 1, "c:3:8 bpf_code"),
	STRUCT("cap_header", 1, "cap_versions:4 pid:4"),
	STRUCT("cap_data", 1, "caps:4 caps:4 caps:4 caps:4 caps:4 caps:4"),
	STRUCT("groups", 0, "id:4"),
	STRUCT("robust", 1, "page c:0 page"),
	STRUCT("waitv", 0, "futex_words page futex_sizes:4 c:0:4"),
	STRUCT("timex", 1, "int int int int int int int int int int int int int int int int int int int int int int int int int int"),
	STRUCT("termios", 1, "int:4 int:4 int:4 int:4 int int int int"),
	STRUCT("mask_arg", 1, "sigset sizes8"),
	STRUCT("sembuf", 0, "counts:2 sem_changes:2 sem_flags:2"),
	STRUCT("message", 1, "msg_types int int int int"),
	STRUCT("queue_attr", 1, "c:0 queue_counts queue_sizes c:0 c:0 c:0 c:0 c:0"),
	STRUCT("iocb", 1, "int c:0:4 c:0:4 aio_commands:2 c:0:2 fd:4 page length length c:0 c:0:4 c:0:4"),
	STRUCT("iocbs", 1, "iocb iocb iocb iocb"),
	STRUCT("aio_id", 1, "c:0"),
	STRUCT("uring_params", 1, "c:0:4 counts:4 uring_flags:4 c:0:4 c:0:4 c:0:4 c:0:4 c:0:4 c:0:4 c:0:4 c:0 c:0 c:0 c:0 c:0 c:0 "
				  "c:0 c:0 c:0 c:0"),
	/* struct io_uring_sqe: what its address leads to decides which operations fit. */
	STRUCT("sqe_rw", 4, "sqe_rw_ops:1 sqe_flags:1 counts:2 fd:4 length page advice_sizes:4 poll_events:4 sqe_names counts:2 c:0:2 fd:4 c:0 c:0"),
	STRUCT("sqe_path", 4, "sqe_path_ops:1 sqe_flags:1 c:0:2 dirfds:4 out256 path modes:4 open_flags:4 sqe_names c:0:2 c:0:2 counts:4 c:0 c:0"),
	STRUCT("sqe_message", 4, "sqe_message_ops:1 sqe_flags:1 c:0:2 socket:4 counts msghdr c:1:4 message_flags:4 sqe_names counts:2 c:0:2 c:0:4 c:0 c:0"),
	STRUCT("sqe_time", 4, "sqe_time_ops:1 sqe_flags:1 c:0:2 c:0:4 counts timespec c:1:4 timer_flags:4 sqe_names c:0:2 c:0:2 c:0:4 c:0 c:0"),
	STRUCT("ipc_status", 1, "c:0:4 id:4 id:4 c:0 c:0:4 int int int int int int int int int int int"),
	/* Of struct seccomp_notif_resp and the one that adds a descriptor, whichever it is taken for. */
	STRUCT("notice", 1, "notice_ids counts:4 fd:4 code_values:4 rights:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"),
	/* As many words as Linux's user_fpregs_struct has; the first are user_regs_struct. */
	STRUCT("registers", 1, "int int int int int int int int int int int int int int int counts frame_values frame_values "
			       "frame_values page frame_values page page int int int int int int int int int int int "
			       "int int int int int int int int int int int int int int int int int int int int int int int int int int int int int int"),
	STRUCT("frame_edits", 4, "frame_places frame_values"),
	STRUCT("rseq_area", 1, "c:0 c:0 c:0 c:0"),
	/* Names: /dev/uinput, /dev/input/event0, /dev/input/mice. */
	STRUCT("uinput_path", 1, "c:0x6e69752f7665642f c:0x747570"),
	STRUCT("event_path", 1, "c:0x706e692f7665642f c:0x746e6576652f7475 c:0x30"),
	STRUCT("mice_path", 1, "c:0x706e692f7665642f c:0x6563696d2f7475"),
	/* struct uinput_setup, and a request about an effect. */
	STRUCT("uinput_setup", 1, "counts:4 input_codes:4 c:0x61 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 counts:4 c:0:4"),
	STRUCT("uinput_axis", 1, "input_codes:2 c:0:2 input_values:4 input_values:4 input_values:4 counts:4 counts:4 counts:4"),
	STRUCT("input_events", 4, "c:0 c:0 input_codes:2 input_codes:2 input_values:4"),
	/* struct ff_effect; its first words are other commands' arguments. */
	STRUCT("input_effect", 1, "input_codes:2 input_values:2 counts:2 counts:2 counts:2 counts:2 counts:2 c:0:2 input_codes:2 counts:2 "
				  "counts:4 c:0 c:0 c:0"),
	STRUCT("input_mask", 1, "input_codes:4 sizes8:4 page"),
	/* Names: /dev/loop0, /dev/loop-control, /dev/vda1, /dev/vduse/control, /dev/vduse/a, /dev/fuse, /dev/cuse, /dev/vfio/vfio. */
	STRUCT("loop_path", 1, "c:0x6f6f6c2f7665642f loop_words"),
	STRUCT("loop_control_path", 1, "c:0x6f6f6c2f7665642f c:0x6f72746e6f632d70 c:0x6c"),
	STRUCT("disk_path", 1, "disk_words part_words"),
	STRUCT("vduse_control_path", 1, "c:0x7564762f7665642f c:0x72746e6f632f6573 c:0x6c6f"),
	STRUCT("vduse_path", 1, "c:0x7564762f7665642f c:0x612f6573"),
	STRUCT("fuse_path", 1, "c:0x7375662f7665642f c:0x65"),
	STRUCT("cuse_path", 1, "c:0x7375632f7665642f c:0x65"),
	STRUCT("vfio_path", 1, "c:0x6966762f7665642f c:0x6f6966762f6f"),
	STRUCT("block_range", 1, "block_values block_values"),
	STRUCT("block_set", 1, "block_values:4 c:0:4"),
	STRUCT("part_entry", 1, "block_values block_values rights:4 c:0:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"),
	STRUCT("part_change", 1, "part_operations:4 c:0:4 c:152:4 c:0:4 part_entry"),
	/* struct loop_config; what begins it is struct loop_info64's device and inode, which are not looked at. */
	STRUCT("loop_config", 1, "below:4 block_values:4 c:0 c:0 c:0 block_values block_values c:0:4 c:0:4 c:0:4 loop_flags:4 "
				 "c:0x61 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0x62 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 "
				 "c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"),
	STRUCT("loop_status", 1, "c:0 c:0 c:0 block_values block_values c:0:4 c:0:4 c:0:4 loop_flags:4 "
				 "c:0x61 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0x62 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"),
	/* struct vduse_dev_config with a disk's configuration: a name of 256 bytes, a disk of 2048 sectors. */
	STRUCT("vduse_config", 1, "c:0x61 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 "
				  "c:0 c:0 c:0 c:0 c:0 c:0:4 c:2:4 vduse_features rights:4 c:4096:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0:4 c:60:4 "
				  "c:2048 block_values:4 c:128:4 c:0:4 block_values:4 counts:2 counts:2 counts:4 c:0:2 rights:2 block_values:4 "
				  "rights:4 block_values:4 block_values:4 rights:4"),
	STRUCT("vduse_name", 1, "c:0x61 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 "
				"c:0 c:0 c:0 c:0 c:0"),
	/* What begins with a queue's index, or with an offset and a length. */
	STRUCT("vduse_args", 1, "rights:4 vduse_sizes:4 block_values c:0 c:0 c:0 c:0"),
	STRUCT("vduse_kick", 1, "rights:4 eventfd:4"),
	STRUCT("vduse_range", 1, "c:0 rights block_values c:0 c:0 c:0 c:0"),
	STRUCT("vduse_answer", 1, "counts:4 rights:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"),
	/* Of a mount whose connection is descriptor 3: fd=3,rootmode=40000,user_id=0,group_id=0 and allow_other. */
	STRUCT("fuse_type", 1, "c:0x65737566"),
	STRUCT("fuse_options", 1, "c:0x6f6f722c333d6466 c:0x30343d65646f6d74 c:0x726573752c303030 c:0x72672c303d64695f c:0x303d64695f70756f c:0"),
	STRUCT("fuse_options_all", 1, "c:0x6f6f722c333d6466 c:0x30343d65646f6d74 c:0x726573752c303030 c:0x72672c303d64695f "
				      "c:0x303d64695f70756f c:0x6f5f776f6c6c612c c:0x72656874"),
	/* Answers: to INIT; about a node, with room for what is open; a notice. */
	STRUCT("fuse_init", 1, "c:0x50:4 c:0:4 fuse_ids c:7:4 c:31:4 block_values:4 fuse_flags:4 counts:2 counts:2 block_values:4 counts:4 counts:2 c:0:2 c:0 "
			       "c:0 c:0 c:0"),
	STRUCT("fuse_entry", 1, "fuse_sizes:4 fuse_notices:4 fuse_ids counts counts counts counts counts:4 counts:4 counts block_values counts counts counts "
				"counts counts:4 counts:4 counts:4 fuse_modes:4 counts:4 c:0:4 c:0:4 c:0:4 counts:4 c:0:4 counts counts"),
	STRUCT("fuse_fd", 1, "fuse:4"),
	STRUCT("vfio_struct", 1, "c:0x28:4 rights:4 block_values page advice_sizes block_values"),
};
static unsigned int kind_count = sizeof(kinds) / sizeof(kinds[0]);

static struct kind constants[256];
static unsigned int constants_used;

static const struct kind *
find(const char *name, size_t length)
{
	for (unsigned int i = 0; i < kind_count; i++)
		if (strlen(kinds[i].name) == length && memcmp(kinds[i].name, name, length) == 0)
			return &kinds[i];
	return NULL;
}

const struct kind *
kind_of(const char *name)
{
	const struct kind *k = find(name, strlen(name));

	if (!k) {
		report("no kind is called %s", name);
		exit(2);
	}
	return k;
}

static const struct kind *
constant_kind(uint64_t n)
{
	for (unsigned int i = 0; i < constants_used; i++)
		if (constants[i].n == n)
			return &constants[i];
	constants[constants_used] = (struct kind){ .name = "c", .type = KIND_CONST, .n = n };
	return &constants[constants_used++];
}

/* "c:0x18:4", "fd:4" or "page". */
static struct field
field_of(const char *text, size_t length)
{
	struct field f = { .size = 8 };
	char word[64];
	char *colon, *end;

	memcpy(word, text, length);
	word[length] = '\0';
	colon = strchr(word, ':');
	if (word[0] == 'c' && colon == word + 1) {
		f.kind = constant_kind(strtoull(word + 2, &end, 0));
		if (*end == ':')
			f.size = (uint8_t)atoi(end + 1);
		return f;
	}
	if (colon) {
		f.size = (uint8_t)atoi(colon + 1);
		*colon = '\0';
	}
	f.kind = kind_of(word);
	return f;
}

static void
read_layout(struct kind *k)
{
	k->fields = calloc(MAX_ITEMS, sizeof(*k->fields));
	for (const char *s = k->layout; *s; s += *s == ' ') {
		size_t length = strcspn(s, " ");

		k->fields[k->field_count++] = field_of(s, length);
		s += length;
	}
}

bool
constant_named(const char *name, size_t length, uint64_t *n)
{
	for (unsigned int i = 0; i < kind_count; i++)
		for (unsigned int j = 0; j < kinds[i].set_size; j++)
			if (strlen(kinds[i].set[j].name) == length &&
			    memcmp(kinds[i].set[j].name, name, length) == 0) {
				*n = kinds[i].set[j].n;
				return true;
			}
	return false;
}

/* Programs are kept as text: what is printed must be read as the same number. */
static void
check_names(const struct kind *k)
{
	for (unsigned int i = 0; i < k->set_size; i++) {
		uint64_t n = 0;

		if (!number_parse(k->set[i].name, &n) || n != k->set[i].n) {
			report("kinds.c: %s is not read as %#lx", k->set[i].name, k->set[i].n);
			exit(2);
		}
	}
}

void descs_init(void);

void
kinds_init(void)
{
	for (unsigned int i = 0; i < kind_count; i++)
		if (kinds[i].layout)
			read_layout(&kinds[i]);
	for (unsigned int i = 0; i < kind_count; i++)
		check_names(&kinds[i]);
	descs_init();
}
