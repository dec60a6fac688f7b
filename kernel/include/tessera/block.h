/* SPDX-License-Identifier: MIT */
/*
 * block.h - block devices: disks, their partitions, and the requests that go to them.
 *
 * A disk is what a driver offers: a capacity, limits, a table of operations. A device is what programs
 * open: the whole disk (number 0) or a partition of it, a range of its bytes. Each has a page cache of its
 * own, as on Linux: a partition's pages and the whole disk's do not know of each other.
 *
 *	struct block_io      one transfer that somebody asked for: device, range, memory, whom to tell
 *	a request            one or more of them, neighbours on the disk, that the driver does at once: the
 *	                     first one, the others behind it on ->next
 *
 * Who submits owns the io and its segments until `done` is called; the driver owns the request in between.
 * Offsets and lengths are bytes and multiples of the logical block.
 */
#ifndef TESSERA_BLOCK_H
#define TESSERA_BLOCK_H

#include <tessera/atomic.h>
#include <tessera/disk_use.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/types.h>
#include <tessera/wait.h>

struct backing;
struct block_device;
struct block_disk;
struct file;
struct inode;
struct sysfs_attribute;
struct sysfs_node;
struct text;

#define BLOCK_NAME_MAX 32u
#define BLOCK_SECTOR   512u  /* the unit of capacities and statistics that programs see, whatever the block size */

/* --- requests ----------------------------------------------------------------------------------- */

enum block_op {
	BLOCK_READ,
	BLOCK_WRITE,
	BLOCK_FLUSH,    /* all writes that were completed before are on the medium */
	BLOCK_DISCARD,  /* the contents of the range do not matter any more */
	BLOCK_ZERO,     /* the range reads as zeroes */
	BLOCK_OPS,
};

#define BLOCK_PREFLUSH BIT(0) /* flush before the write */
#define BLOCK_FUA      BIT(1) /* the write itself is on the medium when it is done */
#define BLOCK_NOUNMAP  BIT(2) /* BLOCK_ZERO: the space stays allocated */

struct block_segment {
	struct page *page;
	uint32_t offset, length; /* may run over the end of the page into its physical neighbours */
};

/* [u] who submits  [c] the core  [d] the driver, while it has the request */
struct block_io {
	struct list node;               /* [c] in a plug, then [d] */
	struct block_device *device;    /* [u] */
	enum block_op op;               /* [u] */
	uint32_t flags;                 /* [u] BLOCK_PREFLUSH ... */
	uint64_t offset, length;        /* [u] on the device; from submission on: on the disk */
	const struct block_segment *segments; /* [u] READ, WRITE: they cover `length` */
	uint32_t count;                 /* [u] */
	void (*done)(struct block_io *io); /* [u] any context that holds no lock; io->error says how it went */
	void *private;                  /* [u] */
	int error;                      /* [c] */
	struct thread *waiter;          /* [a] who sleeps in block_wait(), a reference; request.c */

	uint32_t changes;               /* [c] of the disk, when it was checked */
	uint64_t sequence;              /* [c] the same */
	enum block_op doing;            /* [c] what the driver is to do: op, or a flush around it */
	uint8_t stage;                  /* [c] */
	struct block_io *next, *last;   /* [c] the others of the request; last counts in its first one only */
	uint64_t total;                 /* [c] bytes of the request, in its first one */
	uint32_t total_segments;        /* [c] the same */
	uint64_t started;               /* [c] when it went to the driver */
	uint64_t driver[2];             /* [d] */
};

/* Small transfers gathered on their way, so that neighbours become one request. On the caller's stack. */
struct block_plug {
	struct list ios;
	uint32_t count;
};
void block_plug_init(struct block_plug *p);
void block_unplug(struct block_plug *p); /* off they go */

/* Send it on its way; `p` NULL: at once. Thread context, no spinlock held; may wait while the disk is frozen. `done`
 * may have been called when it returns. */
void block_submit(struct block_io *io, struct block_plug *p);
/* The same and wait for it: its error. io->done is not used. */
int block_submit_wait(struct block_io *io);
/* Wait for an io whose `done` was block_io_wake: its error. */
int block_wait(struct block_io *io);
void block_io_wake(struct block_io *io);

/* Whole ranges of a device; they split, fall back (zeroes are written where the disk cannot zero), and wait. The
 * device's pages change with it. Errors: -EOPNOTSUPP, -EINTR (killed), what the disk says. */
int block_flush(struct block_device *b);
int block_discard(struct block_device *b, uint64_t offset, uint64_t length);
int block_zero(struct block_device *b, uint64_t offset, uint64_t length, uint32_t flags, bool may_write);
/* Bytes past the page cache, by a buffer of whole blocks in the kernel's direct map. */
int block_read_raw(struct block_device *b, uint64_t offset, void *buf, size_t length);

/* --- what a driver offers ----------------------------------------------------------------------- */

struct block_limits {
	uint32_t logical_block;     /* a power of two, 512 to 4096 */
	uint32_t physical_block, io_min, io_opt;
	uint32_t max_bytes;         /* of one request */
	uint32_t max_segments;
	uint32_t discard_granularity;
	uint64_t max_discard;       /* bytes of one; 0: cannot */
	uint64_t max_zero;          /* the same */
	bool write_cache;           /* it has one: flushes mean something */
	bool fua;                   /* it can write through it */
	bool rotational;
};

struct block_disk_ops {
	const char *name;
	/* Take the request `io`. Answers with block_complete(), from anywhere. Never sleeps. */
	void (*submit)(struct block_disk *d, struct block_io *io);
	/* No more for the moment: tell the hardware. May be empty. */
	void (*commit)(struct block_disk *d);
	/* May a program open it? Under d->lock. Empty: yes. */
	int (*open)(struct block_disk *d, uint32_t flags);
	/* The last handle of the disk and its partitions is closed. Under d->lock. May be empty. */
	void (*closed)(struct block_disk *d);
	/* Nobody knows the disk any more: free d->private. */
	void (*release)(struct block_disk *d);
	void (*dump)(struct block_disk *d); /* log lines, no locks; may be empty */
};

#define BLOCK_EXTENDED_MAJOR 259u /* partitions for which a disk has no minors */

struct block_statistics { /* [a] */
	struct {
		uint64_t ios, merges, sectors, ns;
	} of[BLOCK_OPS];
	uint64_t busy_ns;           /* while anything was in flight */
	uint64_t stamp;             /* when that was brought up to date */
	uint64_t in_flight[2];      /* reads, others */
};

/*
 * [I] immutable after block_disk_add  [l] lock  [t] block_table_lock  [a] atomic
 */
struct block_disk {
	struct refcount refs;
	const struct block_disk_ops *ops; /* [I] */
	void *private;                    /* [I] the driver's */
	char name[BLOCK_NAME_MAX];        /* [I] at most 20 letters */
	uint32_t major, first_minor, minors; /* [I] */
	const char *sysfs_parent;         /* [I] "devices/virtual/block" */
	const struct sysfs_attribute *attributes; /* [I] the driver's own; may be NULL */
	struct block_limits limits;       /* [a] changed while frozen only */
	struct mutex lock;                /* class BLOCK */
	struct list devices;              /* [l] struct block_device.disk_node, the whole disk first */
	struct block_device *whole;       /* [I] */
	uint32_t openers;                 /* [l] of all its devices */
	bool no_partitions;               /* [l] nobody looks for a table */
	bool stale_table;                 /* [a] the medium has changed: look for a table at the next open */
	bool readonly;                    /* [a] the driver says so */
	bool removable;                   /* [I] */
	bool gone;                        /* [a] */
	uint64_t sequence;                /* [a] diskseq */
	struct backing *backing;          /* [I] whom the pages of its devices are written to */
	uint32_t timeout_ms;              /* [a] how long a request may wait for a driver that has gone */
	uint32_t no_merges;               /* [a] queue/nomerges */
	uint32_t frozen;                  /* [a] */
	uint32_t changes;                 /* [a] how often it was thawed: what requests depend on may be different */
	uint32_t in_flight;               /* [a] */
	struct wait_queue drained;        /* in_flight is 0, or frozen */
	struct list table_node;           /* [t] */
};

/* [I]  [l] disk->lock  [a]  [t] block_table_lock */
struct block_device {
	struct memory_object *object;     /* [I] the page cache; its references are the device's */
	struct block_disk *disk;          /* [I] a reference */
	uint32_t number;                  /* [I] 0: the whole disk */
	dev_t dev;                        /* [I] */
	uint64_t start;                   /* [a] bytes on the disk */
	char name[BLOCK_NAME_MAX];        /* [I] at most 20 letters */
	char uuid[40], label[80];         /* [I] of a partition, "" where there is none */
	bool readonly;                    /* [a] by BLKROSET or the table */
	bool gone;                        /* [a] */
	uint32_t openers;                 /* [l] */
	uint32_t writers;                 /* [l] */
	void *holder;                     /* [l] who claimed it, NULL: nobody */
	uint32_t holders;                 /* [l] how often */
	uint32_t block_size;              /* [a] BLKBSZSET's */
	struct block_statistics statistics;
	struct sysfs_node *node;          /* [l] */
	struct list disk_node;            /* [l] */
	struct list table_node;           /* [t] */
};

static inline uint64_t
block_size(const struct block_device *b)
{
	return atomic_load(&b->object->size);
}
static inline bool
block_readonly(const struct block_device *b)
{
	return READ_ONCE(b->readonly) || READ_ONCE(b->disk->readonly);
}

/* A disk with one reference, not known to anybody yet: fill in what is [I]. NULL: no memory. */
struct block_disk *block_disk_create(const struct block_disk_ops *ops, void *private);
/* Make it known: nodes, /sys, partitions. -EBUSY: the number or the name is taken; -ENOMEM. */
int block_disk_add(struct block_disk *d, uint64_t capacity);
/* It is no more: names vanish, what is in flight is waited for, what comes gets EIO. Once. The reference stays. */
void block_disk_remove(struct block_disk *d);
static inline void
block_disk_get(struct block_disk *d)
{
	ref_get(&d->refs);
}
void block_disk_put(struct block_disk *d);
/* The size changes; pages beyond go. `news`: diskseq counts, a table is looked for at the next open. No lock held. */
void block_disk_set_capacity(struct block_disk *d, uint64_t capacity, bool news);
/* No request is under way and none starts until thaw. Nests. */
void block_disk_freeze(struct block_disk *d);
void block_disk_thaw(struct block_disk *d);
/* The driver has done the request, or given up: `error` 0 or an errno. It holds no lock but of a class above BLOCK. */
void block_complete(struct block_io *io, int error);

/* --- devices ------------------------------------------------------------------------------------- */

/* By number, with a reference; NULL: there is none. */
struct block_device *block_device_find(dev_t dev);
static inline void
block_device_get(struct block_device *b)
{
	object_get(b->object);
}
static inline void
block_device_put(struct block_device *b)
{
	object_put(b->object);
}
/* For a file system or a program: nobody else may claim it or, of a whole disk, a part of it. -EBUSY. */
int block_claim(struct block_device *b, void *holder);
void block_unclaim(struct block_device *b, void *holder);
/* A use, as an open file is: counts for BLKRRPART and the driver. -ENXIO: it has gone; -EROFS; what the driver says. */
int block_device_open(struct block_device *b, uint32_t flags);
void block_device_close(struct block_device *b, uint32_t flags);
/* Write back what is dirty and have the disk flush. `f`: tell the errors that it has not been told. */
int block_device_sync(struct block_device *b, struct file *f);

/* An open block special file's device; NULL: the file is something else. Borrowed. */
struct block_device *file_block_device(const struct file *f);
/* open(2) of a block special file: `flags` with O_EXCL. */
int block_open_file(struct inode *i, struct file *f, uint32_t flags);
/* A number without a device may be one that comes into being when it is opened: true: look again. */
bool loop_probe(dev_t dev);

/* Partitions: look for a table and make what it says. -EBUSY: some are in use; -EINVAL: cannot have any. */
int block_scan_partitions(struct block_disk *d);
int block_add_partition(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length);
int block_delete_partition(struct block_disk *d, uint32_t number);
int block_resize_partition(struct block_disk *d, uint32_t number, uint64_t start, uint64_t length);

/* Every device, in the order of the disks: under block_table_lock, so fn takes no lock before that. */
void block_for_each(void (*fn)(void *ctx, struct block_device *b), void *ctx);
void block_majors(void (*fn)(void *ctx, uint32_t major, const char *name), void *ctx);
int block_show_partitions(struct text *t);
int block_show_diskstats(struct text *t);
/* What disks have read and written since boot. */
void block_transferred(struct disk_use *out);
void block_dump(void); /* all disks to the log, no locks */
void block_init(void);

/* --- loop devices (block/loop.c) ------------------------------------------------------------------ */

#define LOOP_READ_ONLY 1u
#define LOOP_AUTOCLEAR 4u
#define LOOP_PARTSCAN  8u
#define LOOP_DIRECT_IO 16u
#define LOOP_NAME 64

struct loop_status {
	uint64_t offset, size_limit;
	uint32_t flags;
	uint32_t number;
	uint64_t backing_device, backing_inode, rdev; /* backing_device: Linux's dev_t as DEV() */
	char name[LOOP_NAME];
	char crypt_name[LOOP_NAME];
	uint64_t init[2];
};
bool block_is_loop(const struct block_device *b);
/* `f`: the backing file, a reference of the caller's stays his. -EBUSY: it has one; -EBADF; -EINVAL. */
int loop_configure(struct block_device *b, struct file *self, struct file *f, uint32_t block_size,
		   const struct loop_status *s);
int loop_change_file(struct block_device *b, struct file *f);
int loop_clear(struct block_device *b);
int loop_set_status(struct block_device *b, const struct loop_status *s);
int loop_get_status(struct block_device *b, struct loop_status *s);
int loop_set_capacity(struct block_device *b);
int loop_set_direct_io(struct block_device *b, bool on);
int loop_set_block_size(struct block_device *b, uint64_t size);
int loop_add(int number); /* -1: the next; the number */
int loop_remove(int number);
int loop_get_free(void);
bool file_is_loop_control(const struct file *f);
void loop_init(void);

#endif
