/* SPDX-License-Identifier: MIT */
/*
 * page_cache.h - pages of objects, as the files of this room see them. <tessera/backing.h> has the
 * theory.
 */
#ifndef MM_PAGE_CACHE_H
#define MM_PAGE_CACHE_H

#include <tessera/backing.h>
#include <tessera/memory_object.h>

#define MARK_DIRTY     0u /* radix marks of object->pages: the pages with PAGE_DIRTY ... */
#define MARK_WRITEBACK 1u /* ... and with PAGE_WRITEBACK */

/*
 * What an object keeps for its store. [I] immutable  [p] the object's pages_lock  [b] the backing's lock, and
 * pages_lock to change it because of pages  [a] atomic
 */
struct object_store {
	struct memory_object *object;  /* [I] of which this is a part */
	struct backing *backing;       /* [I] a reference */
	uint64_t dirty, writeback;     /* [p] pages; read without it */
	uint32_t holds;                /* [p] object_hold_writes(): no write starts */
	bool orphan;                   /* [p] its inode has gone: there is nobody by whom to write */
	struct wait_queue idle;        /* nothing is on its way, or the last hold is over */
	struct error_sequence errors;  /* [a] */
	struct list node;              /* [b] while listed: in backing->objects (dirty or leaving pages) or ->clean */
	bool listed;                   /* [b] and references are held: to the object and to */
	struct inode *pinned;          /* [b] this inode, or NULL */
	uint64_t dirtied_when;         /* [b] monotonic ns: has been dirty since, or a round wrote it then */
	bool awaited;                  /* [b] backing_sync() is to wait for it */
};

/* --- page_cache.c ------------------------------------------------------------------------------- */

static inline uint32_t
page_flags(const struct page *p)
{
	return atomic_load(&p->flags);
}

/* Sleep while `p`, referenced, has any of these flags. 0 or -EINTR: killed. */
int page_wait(struct page *p, uint32_t flags);
int page_wait_mode(struct page *p, uint32_t flags, enum wait_mode mode);
void page_wake(const struct page *p); /* flags that may be waited for were cleared; the page may be gone by now */
/* Put `p` into the empty slot `index`; its reference becomes the object's. 0, -EEXIST, -ENOMEM. */
int page_cache_insert(struct memory_object *o, uint64_t index, struct page *p);
/* Take `p` out of its slot. pages_lock held; the object's reference is the caller's then. */
void page_cache_detach(struct memory_object *o, struct page *p);
/* Counters of what page_cache_detach() took out. */
void page_cache_count(bool stored, int64_t pages);
/* The page at `index` as it is, with a reference, or NULL. */
struct page *page_cache_look_up(struct memory_object *o, uint64_t index);
/* Is there one, in whatever state? It may come or go at once. */
bool page_cache_has(struct memory_object *o, uint64_t index);
/* Take pages [first, last] out of the object and drop its references; leaves stay for the
 * caller. Pages that are being written stay, stale. */
void page_cache_remove(struct memory_object *o, uint64_t first, uint64_t last);
/* Take one page out that is not up to date, if it is there: it may get what the store had before. False: it is up to date,
 * and may be dirty. */
bool page_cache_remove_unfilled(struct memory_object *o, uint64_t index);
/* The same as page_cache_remove(), but pages that are dirty or being written stay as they are. How many did. */
uint64_t page_cache_remove_clean(struct memory_object *o, uint64_t first, uint64_t last);
/* Up to `n` pages from `index` on that are there and valid, each referenced; NULL where none is. */
void page_cache_peek(struct memory_object *o, uint64_t index, struct page **out, uint32_t n);
/* Make the missing page `index`, zeroed and up to date; *out gets it with a reference. -EEXIST:
 * somebody else did. */
int page_cache_add_zero(struct memory_object *o, uint64_t index, struct page **out);
void page_cache_init(void);

void object_cache_init(void);
/* The last reference may be dropped where nothing may be waited for: a worker does the rest. */
void object_put_late(struct memory_object *o);
/* Take the right to write from every shared leaf of the pages. */
void object_protect_range(struct memory_object *o, uint64_t first, uint64_t last);

/* --- fill.c: objects with a store ----------------------------------------------------------------- */

#define FIND_NOWAIT BIT(0) /* start nothing */
#define FIND_AROUND BIT(1) /* a fault: what lies before may be wanted as well */
#define FIND_ALONE  BIT(2) /* nothing else is wanted */
/*
 * The page at `index`, and no waiting for the store. `wanted`: pages the caller is going to read
 * from there on. 0: *out is up to date, referenced. -EAGAIN: *out, referenced, is to be waited for
 * by page_cache_await(); NULL with FIND_NOWAIT. Or -ENOMEM.
 */
int page_cache_find(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, unsigned int how,
		    struct page **out);
/* Wait until the store has done with `p`, and drop the reference. `o` is only compared. 0: look
 * again; -EINTR; what the store said. */
int page_cache_await(const struct memory_object *o, struct page *p);
/* Both. */
int page_cache_get(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, struct page **out);
/*
 * Start to fetch those of pages [first, first + count) that are not there; the one at `mark` gets
 * PAGE_READAHEAD. `urgent`: somebody waits for the first, which then must exist on success; the
 * others come if there is memory. 0 or -ENOMEM.
 */
int fill_start(struct memory_object *o, struct file *f, uint64_t first, uint64_t count, uint64_t mark, bool urgent);
/* A run with room for `room` pages, or less when memory is short; none yet. NULL: none to be had. */
struct page_run *page_run_create(struct memory_object *o, uint64_t first, uint32_t room, uint32_t *got);
void page_run_free(struct page_run *run); /* one that nobody has been given */

/* --- readahead.c ------------------------------------------------------------------------------------ */

/* Page `index` is not there: start to fetch it and what is expected to be wanted. 0 or -ENOMEM. */
int readahead_missing(struct memory_object *o, struct file *f, uint64_t index, uint64_t wanted, unsigned int how);
/* Page `index`, which is there, began the part of the window that was fetched ahead: fetch the
 * next. */
void readahead_more(struct memory_object *o, struct file *f, uint64_t index);
/* A read through `f` ended with page `index`. */
void readahead_read(struct file *f, uint64_t index);

/* --- writeback.c ------------------------------------------------------------------------------------ */

/* Before pages of `o` become dirty: is it possible at all? Starts the flusher. May sleep. 0,
 * -EROFS, -ENOMEM, or what the dead backing says. */
int object_prepare_dirty(struct memory_object *o);
/* `p` is dirty no more because it is dropped. pages_lock held. */
void writeback_forget_dirty(struct memory_object *o, struct page *p);
/* page_run_complete() of a run that was written. */
void write_complete(struct page_run *run, uint32_t from, uint32_t count, int error);

/* --- backing.c ------------------------------------------------------------------------------------- */

int backing_start_flusher(struct backing *b); /* 0 or -ENOMEM */
/* pages_lock held: the object got its first dirty page. False: its inode is on its way out, nobody
 * wants the data. */
bool backing_object_dirty(struct object_store *s);
/* pages_lock held: it has neither dirty nor leaving pages any more. */
void backing_object_clean(struct object_store *s);
void backing_kick(struct backing *b);

/* --- throttle.c -------------------------------------------------------------------------------------- */

void dirty_count(struct backing *b, int64_t dirty, int64_t writeback);
/* Is more dirty than the flusher shall leave lying? */
bool dirty_over_background(struct backing *b);
/* Wait while `b` has more dirty than it may. 0 or -EINTR. No locks that a store might want. */
int dirty_throttle(struct backing *b);
/* The allocator found nothing: wait a moment for pages that are being written. False: there are
 * none, or the caller is one whom writing waits for. */
bool writeback_wait_memory(void);
void writeback_progress(struct backing *b); /* some pages were written: who waits for that goes on */

/* --- age.c -------------------------------------------------------------------------------------------- */

/* Was `page` of `o`, both referenced, used by an address since this was asked last? */
bool object_age(struct memory_object *o, struct page *page);

/* --- evict.c ------------------------------------------------------------------------------------------ */

/* An object's page enters or leaves the list of those that can be had again. pages_lock held. */
void evict_add(struct page *p);
void evict_remove(struct page *p);
/* The object of a cached page, with a reference, or NULL. */
struct memory_object *evict_object_of(struct page *p);

#endif
