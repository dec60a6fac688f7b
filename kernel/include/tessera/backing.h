/* SPDX-License-Identifier: MIT */
/*
 * backing.h - page caches whose contents lie elsewhere, with somebody who may be slow, silent or
 * wrong.
 *
 * Three structs:
 *
 *	backing       a device or a connection: whom pages are written to; its dirty objects, its flusher
 *	object_store  what one object keeps for it (memory_object.store)
 *	page_run      consecutive pages of one object on their way: one request
 *
 * A page of such an object is
 *
 *	            read_pages                  page_run_complete(ok)
 *	absent ----------------> LOCKED ------------------------------> UPTODATE
 *	                           |  failed                             |   ^
 *	                           v                               write |   | completed, or failed: the error is
 *	        neither; p->private: the errno.                          v   | told to who asks, once a file
 *	        Who looks next tries again                             DIRTY |
 *	                                                   write_pages   |   |
 *	                                                                 v   |
 *	                                                    WRITEBACK, may be DIRTY again
 *
 *	LOCKED      is being filled. Set, under pages_lock, by who starts it; cleared by completion.
 *	UPTODATE    holds what the store had, or newer. Only such pages are mapped, read, written, dirty.
 *	DIRTY       newer than the store. Its leaves in shared mappings may be writable; those of a clean page
 *	            never are, so the first store to it faults (fault.c marks it under the page-table lock).
 *	WRITEBACK   is being written. DIRTY as well: changed since then; never written twice at once.
 *	neither UPTODATE nor LOCKED but WRITEBACK: stale. It was truncated or dropped while it was on its way
 *	            out; whoever wants the page waits for that, then fills it.
 *
 * Changes of LOCKED, DIRTY, WRITEBACK and of UPTODATE to false, and places in the tree: pages_lock.
 * Waits are killable and hold no lock of this table; faults let go of the address space first.
 *
 * Removal (truncation, invalidation, reclaim) waits for nobody. A page being filled leaves the
 * tree, the answer goes into a page that nobody looks at, and who waited for it looks the index up
 * again. A page being written stays as stale. So a fill that began before a truncation never shows
 * after it. But a *write* that began before a truncation still reaches the store after it: who
 * truncates at the store does
 *
 *	object_hold_writes(o)        none is on its way now, none starts        (killable)
 *	... ask the store to truncate ...
 *	object_truncate(o, size)
 *	object_release_writes(o)
 *
 * WHAT A STORE DOES
 *
 * ops->read_pages(run), ops->write_pages(run): the run is the store's, and with it references to
 * the object and to its pages. run->list, ->private and ->tag are for its own use. It reads or
 * writes page_to_virt() of the pages, run->bytes bytes from the first on; a fill may find less (the
 * end of what the store has) and clears the rest itself, page_run_zero(). Then it calls
 * page_run_complete() for all pages, in parts and in any order, each page exactly once; with the
 * last the run is gone. It may do so inside the op; from any thread that may sleep; with no locks
 * held but its own that no page-cache call is made under. A store must in the end complete every
 * run: when it dies, with an error. Contents it delivered can be wrong, never too long: nothing
 * here believes them.
 *
 * Several runs of one object are with the store at once. Those of one page never are: a fill
 * of it ends before a write begins, and so on.
 *
 * Who may call: read_pages comes from readers, faults and readahead; write_pages from the flusher,
 * from fsync and its like, never from reclaim. run->file is set for fills that a file's user asked
 * for, valid during the op only: take your own reference if you need it longer. For writes it is
 * NULL.
 *
 * DIRTY PAGES
 *
 * An object that has dirty or leaving pages is on its backing's list, oldest first, with a
 * reference to it and to its inode: closing or forgetting a file does not lose what was written.
 * The backing's flusher, one thread, writes what has been dirty for dirty_expire, and more when all
 * dirty memory passes dirty_background; who dirties pages sleeps when it passes dirty (killable),
 * so memory is never full of them. One backing has at most its share, so one that is stuck leaves
 * room for the others. Daemons that serve a store say so with PR_SET_IO_FLUSHER: they are not made
 * to wait for their own work, and may use some of the memory reserve.
 *
 * ERRORS of writing are kept as a sequence: each open file learns of each error once, from fsync,
 * msync or close's flush; what failed is clean then and stays in memory while it can.
 *
 * Lock order: pages_lock, backing->lock; see memory_object.h.
 */
#ifndef TESSERA_BACKING_H
#define TESSERA_BACKING_H

#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/rcu.h>
#include <tessera/types.h>
#include <tessera/wait.h>

struct sysfs_node;
struct thread;

/* --- errors told once a file ------------------------------------------------------------------- */

/* [a] 0: none yet. Bits 0-11 the errno, bit 12 somebody has been told, above: how many. */
struct error_sequence {
	uint32_t value;
};
void error_sequence_set(struct error_sequence *s, int error);
/* Where a file that is opened now begins: an error that nobody has been told is new to it as
 * well. */
uint32_t error_sequence_sample(struct error_sequence *s);
/* The error since *seen, which is moved on; 0: none. */
int error_sequence_check(struct error_sequence *s, uint32_t *seen);

/* --- backings ----------------------------------------------------------------------------------- */

#define BACKING_RUN_MAX   256u /* pages in one run */
#define BACKING_NAME_SIZE 32

/*
 * [I] set at creation, or by its owner before the first page  [b] lock  [a] atomic  [L] the list of all backings
 */
struct backing {
	struct refcount refs;
	char name[BACKING_NAME_SIZE];  /* [I] "8:0", "fuse 0:35": the flusher's name, dumps */
	uint32_t run_pages;            /* [I] at most in one run */
	uint32_t readahead_pages;      /* [a] largest window; 0: none */
	uint32_t max_ratio;            /* [a] percent of the dirty limit that it may use; untrusted daemons: 1 */
	uint32_t min_ratio;            /* [a] percent of it that it may use whatever the others have */
	struct sysfs_node *node;       /* the owner's: of backing_publish(), or NULL */
	bool untrusted;                /* [I] it may never answer: sync(2) waits for it only as long as it gets on */
	void *private;                 /* [I] the owner's */
	/* [I] After all pages were written, by sync and syncfs: what was written shall last. 0 or an errno; killable.
	 * Empty: nothing to do. */
	int (*flush)(struct backing *b, bool wait);
	struct mutex syncing;          /* class BACKING_SYNC: one waits for all objects */
	struct mutex pass;             /* class BACKING_PASS: one goes over all objects */
	struct spinlock lock;          /* class BACKING */
	struct list objects;           /* [b] object_store.node, the longest dirty first */
	struct list clean;             /* [b] the same, written meanwhile: to be let go of */
	struct thread *flusher;        /* [b] NULL: not needed yet */
	struct wait_queue work;        /* the flusher waits here */
	struct wait_queue progress;    /* pages were written: those who were slowed down wait here */
	int64_t dirty, writeback;      /* [a] pages */
	uint64_t filled, written;      /* [a] pages, ever */
	uint32_t pins;                 /* [a] objects listed, each with a reference to its inode */
	uint64_t rounds;               /* [a] the flusher's */
	int dead;                      /* [a] 0, or what every fill and write answers: backing_kill() */
	bool kicked;                   /* [b] a round is wanted that goes on until little is dirty */
	bool kicked_all;               /* [b] ... nothing */
	bool stopping;                 /* [a] */
	struct error_sequence errors;  /* of all its objects: syncfs */
	struct list all_node;          /* [L] */
	uint64_t synced;               /* [L] the last sync(2) that has been here */
	struct rcu_head rcu;
};

/* One reference; NULL: no memory. run_pages BACKING_RUN_MAX, readahead 32 pages, max_ratio 100. */
struct backing *backing_create(const char *name, void *private);
void backing_get(struct backing *b);
/* The owner lets go: all objects of it are gone or clean, or backing_kill() was called. May
 * sleep. */
void backing_put(struct backing *b);
/* bdi.c: show `b` as /sys/class/bdi/NAME, and no longer: its owner does, while it has it. Sleep. 0,
 * -ENOMEM, or -EEXIST. */
int backing_publish(struct backing *b, const char *name);
void backing_unpublish(struct backing *b);
/*
 * The store will answer no more: from now on fills and writes end with `error` (-EIO, -ENOTCONN)
 * without asking it, dirty pages are dropped from writing (the error is told), throttled writers go
 * on. Runs that are with the store are the store's to complete. Does not wait.
 */
void backing_kill(struct backing *b, int error);
/*
 * After backing_kill(), when the store has completed all runs: wait until none of its objects'
 * inodes is held because of what was dirty. Before a file system whose inodes they are goes.
 */
void backing_settle(struct backing *b);
/* Write all that is dirty; wait for it, if asked. 0 or -EINTR; errors are told by b->errors. */
int backing_sync(struct backing *b, bool wait);
/* The same of a store that may never answer: waits while it gets on with what was dirty, and leaves it to the flusher when
 * nothing was written for some seconds. 0, or -EINTR where `killable`. */
int backing_sync_patiently(struct backing *b, bool killable);
/* sync(2): all backings. */
int backing_sync_all(void);
/* Start to write all that is dirty anywhere; waits for nothing. */
void backing_write_all(void);
void backing_dump_all(void); /* to the log; takes no locks */

/* --- runs: see above ----------------------------------------------------------------------------- */

/* [I] while the store has it, but for what is marked as the store's */
struct page_run {
	struct memory_object *object;  /* a reference */
	struct file *file;             /* fills: on whose behalf, during the op only; or NULL */
	uint64_t first;                /* index of pages[0] */
	uint32_t count;                /* pages, 1 .. backing->run_pages */
	uint32_t bytes;                /* from the first on, that lie inside the object's size */
	bool write;
	bool urgent;                   /* somebody waits for it: a read, fsync; not readahead, not background */
	uint32_t left;                 /* [a] pages not completed yet */
	struct list list;              /* the store's */
	void *private;                 /* the store's */
	uint64_t tag;                  /* the store's */
	struct page *pages[];
};

/* The pages [from, from + count) of the run are done: error 0 or a negative errno. With the last,
 * `run` is gone. */
void page_run_complete(struct page_run *run, uint32_t from, uint32_t count, int error);
/* A fill found only `bytes`: the rest of the run is zeroes. */
void page_run_zero(struct page_run *run, uint32_t bytes);
static inline void
page_run_complete_all(struct page_run *run, int error)
{
	page_run_complete(run, 0, run->count, error);
}

/* --- what file systems and block devices ask of the cache ----------------------------------------- */
/* Ranges are bytes, [start, end), end UINT64_MAX: all. Without a store these do nothing and return
 * 0. */

/* Start to write what is dirty in the range. `urgent`: also what is being written and dirty again
 * (waits for it, killable): then all that was dirty at the call is on its way. 0 or -EINTR. */
int object_write_start(struct memory_object *o, uint64_t start, uint64_t end, bool urgent);
/* Wait for what is on its way. 0 or -EINTR. */
int object_write_wait(struct memory_object *o, uint64_t start, uint64_t end);
/* Both: nothing that was dirty at the call is, after it. 0 or -EINTR. Errors:
 * cached_file_error(). */
int object_sync(struct memory_object *o, uint64_t start, uint64_t end);
/* All of it, even by one who is being killed: for who takes away what the pages would be written to. */
void object_sync_unkillably(struct memory_object *o);
/* No write is on its way and none starts until the release; nests. 0, or -EINTR and nothing is
 * held. */
int object_hold_writes(struct memory_object *o);
void object_release_writes(struct memory_object *o);
/* Drop the pages that touch the range. `discard`: all of them, unmapped, with changes that were not
 * written (write first, where they count); else those that are clean, idle and not mapped. How many
 * stayed. */
uint64_t object_invalidate(struct memory_object *o, uint64_t start, uint64_t end, bool discard);
/* The store has something else than the pages of the range: drop those that are clean, unmapping them. What was changed
 * here and not written stays, to be written. How many stayed. */
uint64_t object_drop_clean(struct memory_object *o, uint64_t start, uint64_t end);
/* The store has [offset, offset + n) = data now (a write through): pages that are there show it. */
void object_update(struct memory_object *o, uint64_t offset, const void *data, size_t n);
/* Fetch pages [first, first + count) if they are not there, no more than a window or a run of them; waits for none. */
void object_readahead(struct memory_object *o, struct file *f, uint64_t first, uint64_t count);
/* Has it dirty pages or pages on their way? A hint: a page that moves from one to the other may be missed. */
bool object_is_dirty(const struct memory_object *o);
/* The same, for who gives something up because there are none. */
bool object_is_dirty_now(struct memory_object *o);

/* --- open files ------------------------------------------------------------------------------------ */

enum readahead_advice { READAHEAD_NORMAL, READAHEAD_RANDOM, READAHEAD_SEQUENTIAL };

/* file->cached: what an open file of an object with a store remembers. [f] file->lock, but races
 * are harmless */
struct cached_file {
	struct memory_object *object;  /* [I] a reference */
	uint32_t error_seen;           /* [f] of object->store->errors */
	uint64_t window_start;         /* [f] the present window, in pages */
	uint32_t window_size, window_ahead; /* [f] its last `ahead` pages were not asked for yet when it was fetched */
	uint64_t previous;             /* [f] the last page read; UINT64_MAX: none */
	uint8_t advice;                /* [f] READAHEAD_* */
};

/* At open, for files whose contents are `o` (a disk's many names share its object). Nothing without
 * a store, or when it was done. 0 or -ENOMEM. What open() makes of a file whose inode has an object
 * is attached already. */
int cached_file_attach(struct file *f, struct memory_object *o);
void cached_file_detach(struct file *f); /* object/file.c: the file is gone */
/* The object behind an open file, NULL: none. Not counted. */
struct memory_object *cached_file_object(const struct file *f);
/* Errors of writing that this file has not been told; moves on. 0: none. */
int cached_file_error(struct file *f);
void cached_file_advise(struct file *f, enum readahead_advice advice);
/* syncfs asks each open file, directories too, of the file system that it lies in: errors that no
 * write through it need have to do with. file->fs_error_seen is where it began (at open, of any
 * kind but O_PATH) and how far it has been told. */
void file_system_error_begin(struct file *f);
int file_system_error(struct file *f);
/* fsync's part that is the cache's: object_sync() and cached_file_error(). */
int cached_file_sync(struct file *f, uint64_t start, uint64_t end);

/* --- limits: /proc/sys/vm --------------------------------------------------------------------------- */

extern int dirty_ratio, dirty_background_ratio;         /* [a] percent of what can be had */
extern uint64_t dirty_bytes, dirty_background_bytes;    /* [a] instead of them, when not 0 */
extern int dirty_expire_centisecs, dirty_writeback_centisecs; /* [a] */
void dirty_limits_changed(void); /* one of the first four was written */

struct writeback_stats {
	uint64_t dirty, writeback;               /* pages now */
	uint64_t dirtied, written;               /* pages ever */
	uint64_t threshold, background;          /* pages */
};
void writeback_stats(struct writeback_stats *out);
/* drop_caches: clean pages that are not in use, by a mapping or otherwise. */
void page_cache_drop(void);

#endif
