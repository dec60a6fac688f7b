/* SPDX-License-Identifier: MIT */
/*
 * vduse.h - a VDUSE device, as its files see it.
 */
#ifndef TESSERA_DEV_VDUSE_H
#define TESSERA_DEV_VDUSE_H

#include <tessera/atomic.h>
#include <tessera/block.h>
#include <tessera/continuation.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/poll.h>
#include <tessera/sysfs.h>
#include <tessera/vduse.h>

#define VDUSE_NAME_MAX 60u           /* letters; the disk's folder in /sys has room for as many */
#define RING_SIZE     128u           /* descriptors at most: a ring then fits into a page */
#define SLOTS         (RING_SIZE / 3u) /* requests in a ring: each is header, data, status */
#define BOUNCE_PAGES  1024u          /* 4 MiB for data in flight, all queues together */
#define QUEUES_MAX    16u
#define ARENA_START   0x80000000ull  /* its first byte, as rings name it; not 0: for devices that is none */
#define MESSAGE_SIZE  152u           /* of struct vduse_dev_request and of its answer */

/* VIRTIO 1.2, 2.1: device status */
#define STATUS_ACKNOWLEDGE 1u
#define STATUS_DRIVER      2u
#define STATUS_DRIVER_OK   4u
#define STATUS_FEATURES_OK 8u
#define STATUS_FAILED      128u

#define VIRTIO_F_EVENT_IDX       BIT(29)
#define VIRTIO_F_VERSION_1       BIT(32)
#define VIRTIO_F_ACCESS_PLATFORM BIT(33)

/* 2.7.5 */
struct vring_descriptor {
	uint64_t address;
	uint32_t length;
	uint16_t flags, next;
};
#define DESCRIPTOR_NEXT  1u
#define DESCRIPTOR_WRITE 2u          /* by the device */

/*
 * A page of the arena that the daemon sees: one queue's ring. It writes where it likes: only `used` is read. Behind the
 * last entry of either ring that is in use lies the event index of the other side: 2.7.10.
 */
struct vring {
	struct vring_descriptor descriptors[RING_SIZE];
	struct {
		uint16_t flags, index, ring[RING_SIZE + 1];
	} avail;
	struct {
		uint16_t flags, index;
		struct {
			uint32_t id, length;
		} ring[RING_SIZE + 1];
	} used __aligned(4);
};

enum slot_state {
	SLOT_FREE,
	SLOT_FILLING,   /* being prepared: not in the ring yet */
	SLOT_BUSY,      /* in the ring, the daemon's */
	SLOT_ABANDONED, /* in the ring, but its request got an error: harmless now */
	SLOT_DONE,      /* answered, being taken down */
};

/* [q] the queue's lock */
struct vduse_slot {
	enum slot_state state;       /* [q] */
	struct block_io *io;         /* [q] NULL: abandoned */
	uint32_t run, pages;         /* its bounce pages: the arena's first */
	uint32_t bytes;              /* of data */
	uint64_t sequence;           /* [q] order in which they went into the ring */
};

/* [q] lock  [v] vduse->lock */
struct vduse_queue {
	struct spinlock lock;        /* class VDUSE_QUEUE */
	struct vduse *device;        /* [I] */
	uint32_t index;              /* [I] */
	uint32_t max_size;           /* [v] as the daemon says; 0: not set up */
	uint32_t size, slot_count;   /* [I] once it is ready: a power of two; a third of it */
	bool ready;                  /* [q] the daemon may use it */
	struct vring *ring;          /* [I] from vduse_arena_create on */
	struct page *headers;        /* [I] the page behind it: struct request_header of each slot */
	uint16_t avail;              /* [q] what ring->avail.index should say */
	uint16_t used;               /* [q] up to where answers were taken */
	uint32_t in_ring;            /* [q] slots BUSY or ABANDONED */
	uint32_t answered_by;        /* [a] the CPU that was told of the last answer; UINT32_MAX: none was */
	uint64_t sequence;           /* [q] */
	bool kick_due;               /* [q] the daemon does not know of all yet */
	uint16_t assumed;            /* [q] what avail_event was when the daemon began: it may not have said anything yet */
	uint16_t told;               /* [q] `avail` when we last thought of telling it */
	struct file *kick;           /* [q] a reference; NULL: none */
	uint64_t oldest;             /* the watch's: the oldest request when it looked last, its sequence; 0: none */
	uint64_t oldest_since;       /* the watch's: when it was that first, ns */
	struct file *told_by;        /* [v] a reference: an eventfd that tells of answers; NULL: the daemon does */
	struct waiter teller;        /* on its queue, and under the lock of that `told_by` may be read */
	struct continuation telling; /* what that begins, with a reference to the device */
	uint32_t taking;             /* [a] of these that run */
	struct wait_queue taken;     /* none does */
	struct list waiting;         /* [q] struct block_io.node: no slot or no memory for them yet */
	struct vduse_slot slots[SLOTS];
};

/* A page, too: what lies around a request's data. */
struct request_header {
	uint32_t type, priority;
	uint64_t sector;
	struct {
		uint64_t sector;
		uint32_t sectors, flags;
	} range;                     /* of discard and write zeroes */
	uint8_t status;
	uint8_t padding[31];
};
_Static_assert(sizeof(struct request_header) == 64 && SLOTS * 64 <= 4096, "headers fill at most a page");

enum vduse_state {
	VDUSE_NEW,       /* queues are being set up */
	VDUSE_STARTING,  /* the driver's thread talks to the daemon */
	VDUSE_LIVE,      /* there is a disk */
	VDUSE_FAILED,    /* the daemon and the driver did not agree */
	VDUSE_GOING,     /* being destroyed */
};

/* [I]  [v] lock  [m] message_lock  [a]  [T] table_lock */
struct vduse {
	struct refcount refs;        /* the table, an open file, the driver's thread, the disk, continuations */
	char name[VDUSE_NAME_SIZE];  /* [I] */
	uint32_t vendor, id;         /* [I] */
	uint32_t minor;              /* [I] */
	struct list node;            /* [T] */
	struct mutex lock;           /* class VDUSE */
	enum vduse_state state;      /* [v]; read without it */
	uint64_t features;           /* [I] offered */
	uint64_t agreed;             /* [a] */
	uint8_t status;              /* [a] */
	uint8_t *config;             /* [v] */
	uint32_t config_size;        /* [I] */
	uint32_t queue_count;        /* [I] */
	struct vduse_queue *queues;  /* [I] */
	bool connected;              /* [v]; read without it: somebody has it open */
	bool broken;                 /* [a] this daemon wrote nonsense: it is not listened to any more */
	bool expired;                /* [a] no daemon came in time: requests fail */
	bool stalled;                /* [a] this one is there and has answered nothing in time: the same */
	bool dying;                  /* [a] */
	uint32_t beginning;          /* [a] the driver's thread is at work; who waits for its end: `answered` */
	struct continuation limit;   /* the time without a daemon is over */
	struct continuation watch;   /* a look at whether it answers, while anything is in a ring */
	uint32_t watching;           /* [a] that one is on its way, with a reference */
	uint64_t answers_seen;       /* the watch's: `answers` when it looked last */
	uint64_t attached_seen;      /* the watch's: `attached` */
	uint64_t silent_since;       /* the watch's: when it was seen first to be what it still is, ns */
	struct block_disk *disk;     /* [v] a reference; NULL: none (yet) */
	struct block_disk *coming;   /* [v] while its first requests are under way; NULL: none */
	int disk_index;              /* [v] its letter, the driver's thread's and then the disk's; -1: none */
	char serial[24];             /* [I] once there is a disk */
	char disk_folder[96];        /* [I] where /sys has it */
	/* [a] daemons, requests given to another, answers that made no sense, answers that did */
	uint64_t attached, replayed, refused, answers;
	struct sysfs_node *dir;      /* [I] */

	/* memory that the daemon maps: the bounce pages; then rings and headers, a page each a queue */
	struct memory_object *arena; /* [I] */
	struct page **pages;         /* [I] all of it, references */
	uint32_t page_count;         /* [I] */
	struct spinlock bounce_lock; /* class LEAF */
	uint64_t bounce_map[BOUNCE_PAGES / 64]; /* bounce_lock: in use */

	struct spinlock message_lock; /* class LEAF */
	struct list to_send;         /* [m] struct message.node: not read yet */
	struct list sent;            /* [m] read, not answered */
	uint32_t last_id;            /* [m] */
	struct wait_queue readers;   /* something to read */
	struct wait_queue answered;  /* a message was answered, or nobody will */
};

static inline void
vduse_get(struct vduse *v)
{
	ref_get(&v->refs);
}
void vduse_put(struct vduse *v);

/* --- vduse_message.c */
/* Tell the daemon the status: 0, -EIO (it refuses), -ENXIO (the device goes). Waits, over daemons that come and go. */
int vduse_send_status(struct vduse *v, uint8_t status);
ssize_t vduse_read_message(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags);
ssize_t vduse_write_answer(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags);
uint32_t vduse_poll_messages(struct file *f, struct poll_table *pt);
void vduse_messages_again(struct vduse *v); /* a daemon is gone: the next is to answer what it left */

/* --- vduse_ring.c */
/* The page of the arena that is the ring of queue `index`. */
static inline uint32_t
vduse_ring_page(uint32_t index)
{
	return BOUNCE_PAGES + index * 2;
}
int vduse_arena_create(struct vduse *v);
void vduse_arena_free(struct vduse *v);
void vduse_ring_submit(struct vduse *v, struct block_io *io);
void vduse_ring_commit(struct vduse *v);
void vduse_ring_take(struct vduse_queue *q);    /* answers that are there */
void vduse_ring_attach(struct vduse *v);        /* a daemon has come: what is not answered is before it again */
void vduse_ring_restart(struct vduse_queue *q); /* the same of one queue, whose indices begin at 0 */
/* Listen to an eventfd, or to none; vduse->lock is held. */
void vduse_ring_listen(struct vduse_queue *q, struct file *f);
void vduse_ring_init(struct vduse *v, uint32_t index);
void vduse_ring_fail(struct vduse *v);          /* all that is under way gets EIO */
void vduse_ring_kick(struct vduse_queue *q);    /* if it is due */
bool vduse_ring_is_busy(struct vduse *v);       /* something is in a ring */
uint64_t vduse_ring_oldest(struct vduse_queue *q); /* that waits for an answer: its sequence; 0: nothing does */
void vduse_watch_begin(struct vduse *v);        /* something has come into a ring (vduse.c) */

/* --- vduse_block.c */
int vduse_block_start(struct vduse *v);         /* a thread of its own: status, features, disk */
int vduse_block_check(const struct vduse_create *c);
void vduse_block_config(struct vduse *v);       /* the configuration changed */
/* Fill the header of a request and say which part the device writes: false: it cannot do that. */
bool vduse_block_header(struct vduse *v, const struct block_io *io, struct request_header *h);
extern const struct sysfs_attribute vduse_disk_attributes[];

#endif
