/* SPDX-License-Identifier: MIT */
/*
 * door.h - the kernel's side of /dev/netd (abi/netd.h): the memory that sockets share with the network stack.
 *
 * There is one door, for the first network. Its memory is one memory object, made page by page when it is needed, which the kernel
 * reads and writes by its own mapping of all memory, and the stack by mmap. It outlives the stack.
 *
 *   memory.c   the object, its parts, the arena's chunks
 *   slots.c    who has which slot; the dirty maps; what a kick finds in them
 *   frames.c   the two rings of frames
 *   calls.c    what the stack asks for by ioctl
 *   door.c     the file itself
 *
 * Locks: kick_lock, then sockets' locks, then door.lock. The stack's thread holds kick_lock and may sleep below it for
 * memory, never for a program: what a program may hold while it copies to or from its own memory (a stream's read_lock
 * and send_lock, a queue's read_lock) is not taken there.
 */
#ifndef TESSERA_NET_DOOR_H
#define TESSERA_NET_DOOR_H

#include <tessera/ip_address.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/network.h>
#include <tessera/types.h>
#include <tessera/wait.h>

#include <abi/netd.h>

struct file;
struct packet;
struct tcp_wire;

/* [I] immutable once the door is  [k] kick_lock  [d] lock  [a] atomic  [N] the stack writes it as it likes */
struct door {
	struct mutex kick_lock;                /* class NETD_KICK: the stack tells, one thread at a time */
	struct spinlock lock;                  /* class NETD_DOOR */
	struct memory_object *memory;          /* [I] */
	struct netd_kernel_page *kernel;       /* [I] */
	struct netd_netd_page *netd;           /* [I] [N] */
	struct netd_dirty *to_netd, *to_kernel; /* [I] [N] */

	bool is_ready;                         /* [a] the memory is there */
	bool open;                             /* [d] a stack has it */
	bool broken;                           /* [a] it wrote nonsense, and is being killed */
	struct wait_queue work;                /* the stack waits here, in poll */
	uint64_t opened;                       /* [d] how often */
	uint64_t kicks, wakes;                 /* [k] [a] how often it told, and was told */

	struct tcp_wire **owner;               /* [I] the array; [d] NULL: free. With a reference while w->held */
	uint32_t slots_taken;                  /* [d] */
	uint32_t next_slot;                    /* [d] where the search for a free one begins */

	struct spinlock out_lock;              /* class NETD_DOOR, too, with no other of it: frames_out_head */
	struct wait_queue frame_room;          /* who waits for room among the frames out */
};

extern struct door door;

/* Does the stack serve that network? */
static inline bool
door_serves(const struct network *n)
{
	return n == &init_network;
}

/*
 * Have the memory of the door, which is made when somebody needs it first: a stack, an interface that a stack is to serve, a
 * socket that leads out of the machine. Until then there is none. -ENOMEM. May sleep; sockets' locks may be held.
 */
int door_ready(void);
/* Has it been made? What it has can be used then. */
static inline bool
door_is_ready(void)
{
	return __atomic_load_n(&door.is_ready, __ATOMIC_ACQUIRE);
}
/* The stack wrote what cannot be: it is killed, and a line in the log says why. Its thread calls, kick_lock held. */
void door_nonsense(const char *what, uint64_t number);
/* There is work for the stack. What it is to see has been written. */
void door_wake(void);

/* --- memory.c -------------------------------------------------------------------------------------------- */

int door_memory_init(void); /* -ENOMEM; what was made by then stays for the next try */
/* The page of the object at `offset`, made if it is not there, as the kernel sees it; NULL: no memory. May sleep. */
void *door_page(uint64_t offset);
/* `count` of them, from `offset` on, into those of `page` that are NULL; two who do so find the same. False: no memory. */
bool door_pages(char *page[], uint32_t count, uint64_t offset);
/* What of the object may be mapped: 0, -EINVAL, -EPERM: for reading only. */
int door_check_mapping(uint64_t offset, size_t length, bool write);

/* A chunk that is nobody's; NETD_CHUNK_NONE: no memory, or the arena is full. May sleep. */
uint16_t chunk_take(void);
void chunk_free(uint16_t chunk);
/* A byte of it, and of those behind it up to the end of its page. */
char *chunk_at(uint16_t chunk, uint32_t offset);
bool chunks_left(void); /* a guess: chunk_take() would find one */

/* --- slots.c --------------------------------------------------------------------------------------------- */

int slots_init(void); /* -ENOMEM */
/* A free slot becomes that of `w`, of which it has a reference from then on. Its words say NOTHING still. -ENOBUFS. May sleep. */
int slot_take(struct tcp_wire *w, uint32_t *slot, uint32_t *generation);
/* The slot's reference becomes the caller's; false: it has none any more. */
bool slot_let_go(struct tcp_wire *w);
/* It is nobody's any more; the stack forgets it. */
void slot_free(uint32_t slot);
struct netd_wanted *slot_wanted(uint32_t slot); /* of a slot that is taken */
struct netd_actual *slot_actual(uint32_t slot); /* [N] */
/* The stack is to look at it. What was written before is seen. */
void slot_changed(uint32_t slot);
/* What the stack has changed: tcp_wire_look() for each. kick_lock held. */
void slots_look(void);
/* The stack goes: all it has left in its slots is looked at, so that the next one is not blamed for it. kick_lock held. */
void slots_take_stock(void);
/* All that are taken, one after the other, each with a reference for the time of the call. */
void slots_for_each(void (*fn)(struct tcp_wire *w));

/* --- frames.c -------------------------------------------------------------------------------------------- */

/* Have the two rings, 2 MiB: for a stack, or an interface that one is to serve. -ENOMEM. May sleep. */
int frames_ready(void);
/*
 * Give a frame to the stack. -EAGAIN: no room now, door.frame_room tells; -EMSGSIZE. `next` may be NULL.
 */
int frame_out(enum netd_frame_kind kind, uint32_t flags, uint32_t interface, const struct ip_address *next,
	      const void *bytes, size_t n);
bool frames_have_room(size_t n);
/* What the stack has given: handed on. kick_lock held. */
void frames_look(void);
/* The stack goes: its last frames are handed on, and the next one begins with none. kick_lock held. */
void frames_take_stock(void);
bool frames_are_waiting(void); /* out, for the stack */

/* --- half_open.c ----------------------------------------------------------------------------------------- */

int half_open_ready(void); /* for a stack. -ENOMEM. May sleep */
/* What the stack says of a connection that its peer has not confirmed; false: there is none of that number, below NETD_HALF_OPEN. */
bool half_open_get(uint32_t index, struct endpoint *local, struct endpoint *remote, uint32_t *interface);

/* --- link.c --- */
extern const struct link_ops door_link_ops;

/* --- calls.c --------------------------------------------------------------------------------------------- */

long door_ioctl(struct file *f, unsigned int command, uintptr_t arg);
/* Interfaces, addresses, routes, neighbours or groups of a network changed; `info` as of netlink_network_changed(), NULL where
 * `what` is no neighbour. Any context that may take spinlocks. */
void door_config_changed(struct network *n, enum network_event what, const void *info);

/* The endpoint as the door writes it, and back. */
static inline struct netd_endpoint
door_endpoint(const struct endpoint *e)
{
	struct netd_endpoint out = { .scope = e->scope, .port = e->port };

	__builtin_memcpy(out.address.bytes, e->address.bytes, 16);
	return out;
}

static inline struct endpoint
door_endpoint_of(const struct netd_endpoint *e)
{
	struct endpoint out = { .port = e->port, .scope = e->scope };

	__builtin_memcpy(out.address.bytes, e->address.bytes, 16);
	return out;
}

#endif
