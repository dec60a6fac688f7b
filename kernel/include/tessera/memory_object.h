/* SPDX-License-Identifier: MIT */
/*
 * memory_object.h - what pages belong to: a file's page cache, shared anonymous memory, a device.
 *
 * A memory object is a sparse array of pages. read(2), write(2) and mmap(2) of one file use the same
 * pages. Private anonymous memory has no object: its pages live in page tables alone and are shared
 * after fork by reference count.
 *
 * Of most objects memory is the only store (tmpfs, memfd, shared anonymous memory): a page is made as
 * zeroes and stays until it is truncated away. An object with a `store` keeps copies of what lies
 * elsewhere; who that is, what states its pages have, and what a store must do, is in backing.h.
 *
 * Lock order: object->lock (sleeping; truncation, punching and invalidation exclude each other), object->mappings_lock,
 * a page-table lock, object->pages_lock, backing->lock. None of them is held while anybody waits for a store.
 */
#ifndef TESSERA_MEMORY_OBJECT_H
#define TESSERA_MEMORY_OBJECT_H

#include <tessera/atomic.h>
#include <tessera/lock.h>
#include <tessera/page.h>
#include <tessera/radix.h>

struct address_space;
struct backing;
struct file;
struct inode;
struct mapping;
struct memory_object;
struct object_store;
struct page_run;

struct memory_object_ops {
	const char *name;

	/* --- of objects with a store; see backing.h for the whole contract ----------------------- */

	/* Start to fill the pages of `run`, which is the store's until it has completed each of them by
	 * page_run_complete(): at once, later, in any order, from any thread. May sleep, but waits for
	 * no answer. Empty: read_page, page by page. */
	void (*read_pages)(struct page_run *run);
	/* The simple form: fill `p` now. May sleep; should end when the caller is killed. 0 or an errno. */
	int (*read_page)(struct memory_object *o, struct page *p);
	/* Start to write the pages of `run`, likewise. Empty: write_page, page by page. Neither of
	 * both: pages never become dirty, writes are refused (-EROFS). */
	void (*write_pages)(struct page_run *run);
	int (*write_page)(struct memory_object *o, struct page *p);
	/* A mapped clean page is about to be written. The address space is locked for reading: no waiting for a
	 * daemon. 0 or an errno (the program gets SIGBUS). Empty: it may. */
	int (*page_mkwrite)(struct memory_object *o, struct page *p);
	/* Nothing of it was dirty or leaving, some time after it was: written, or dropped. The flusher calls it, with
	 * the object and its inode held; may sleep, waits for no answer. May be empty. */
	void (*cleaned)(struct memory_object *o);

	/* --- of others ----------------------------------------------------------------------------- */

	/* Device objects: the physical address of page `index`, without a struct page. */
	int (*device_page)(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot);
	/* May one more page be added? For file-system size limits. 0 or -ENOSPC. */
	int (*charge_page)(struct memory_object *o, int pages);

	void (*release)(struct memory_object *o); /* last reference gone, pages freed */
};

/*
 * [I] set at creation  [o] lock  [p] pages_lock  [m] mappings_lock  [a] atomic
 */
struct memory_object {
	const struct memory_object_ops *ops; /* [I] */
	struct refcount refs;
	bool embedded;                       /* [I] part of something that release() frees */
	struct mutex lock;                   /* class OBJECT: [o] */
	struct spinlock pages_lock;          /* class PAGES */
	struct radix_tree pages;             /* [p] struct page * by index */
	struct spinlock mappings_lock;       /* class MAPPINGS */
	struct list mappings;                /* [m] struct mapping.object_node */
	uint64_t size;                       /* [a] bytes; a fault at or past it is SIGBUS; UINT64_MAX none */
	struct inode *inode;                 /* [p] whose contents, not counted; NULL: none, or gone */
	struct object_store *store;          /* [I] NULL: memory is the only store */
	uint64_t writable_mappings;          /* [a] shared writable mappings: memfd seals, deny-write */
	void *private;                       /* [I] */
};

struct memory_object *object_create(const struct memory_object_ops *ops, uint64_t size, void *private);
/* The same with a store, whose pages `backing` writes back: it gets a reference. NULL: no memory. */
struct memory_object *object_create_stored(const struct memory_object_ops *ops, uint64_t size, void *private,
					   struct backing *backing);
/* For an object inside something larger: release() frees that. */
void object_init(struct memory_object *o, const struct memory_object_ops *ops, uint64_t size);
void object_get(struct memory_object *o);
void object_put(struct memory_object *o);
void object_inode_gone(struct memory_object *o); /* o->inode is no more; others may still have the object */
void object_dump(const struct memory_object *o); /* to the log; takes no locks */
extern const struct memory_object_ops huge_object_ops; /* shared MAP_HUGETLB memory */
extern const struct memory_object_ops anonymous_object_ops; /* shared anonymous memory, memfd, tmpfs */

/*
 * The page at `index`, up to date, with a reference for the caller. A missing page is made (zero or read). May
 * sleep; a wait for the store ends when the caller is killed (-EINTR).
 * Returns 0, -ENOMEM, -ENOSPC, -EINTR, or what the store said.
 */
int object_get_page(struct memory_object *o, uint64_t index, struct page **out);
/* Give a page that is ours (refcount 1, contents valid) to an empty slot: 0, -EEXIST, -ENOMEM. */
int object_insert_page(struct memory_object *o, uint64_t index, struct page *p);
/* Make the 2 MiB of pages from `index` on, as zeroes, of one piece of memory where that is to be had: it is a wish. */
void object_make_contiguous(struct memory_object *o, uint64_t index);
/* What `p`, referenced, holds was changed. Without a store: nothing is to be done. False: the page is its
 * object's no more or was dropped meanwhile, and the change is to be made again where the new one is. */
bool object_mark_dirty(struct memory_object *o, struct page *p);
/* The same for one who has a page and knows no object: it wrote by a page of an address space. */
void page_written(struct page *p);
/* Drop all pages whose first byte is at or past `size` (zeroing the tail of the last), unmapping
 * them everywhere. Sets o->size. Never waits for the store. */
void object_truncate(struct memory_object *o, uint64_t size);
/* Pages behind the size that it has now go: for who sets the size under a lock of his own, before. */
void object_drop_behind(struct memory_object *o);
/* Drop the pages wholly inside [start, end), zero the partial edges. */
void object_punch(struct memory_object *o, uint64_t start, uint64_t end);
/* A device object shows nothing from now on: no leaf is left, and an access is SIGBUS. Or it shows its pages again. */
void device_object_hide(struct memory_object *o);
void device_object_show(struct memory_object *o);
/* Next index >= *index with a page (data) or without (hole): SEEK_DATA, SEEK_HOLE. Without a store. */
bool object_next_data(struct memory_object *o, uint64_t *index);
bool object_next_hole(struct memory_object *o, uint64_t *index);

struct iov_iter;
/*
 * read/write through the page cache, the file's size checked and kept by the caller's lock. `f`: on
 * whose behalf (its readahead), or NULL. rw_flags: RW_NOWAIT reads only what is there (-EAGAIN).
 * Return bytes moved or an errno when none was.
 *
 * A write to an object with a store moves o->size on itself, page by page and before the page is dirty, so
 * that it is never written back short. It waits while too much is dirty.
 */
ssize_t object_read(struct memory_object *o, struct file *f, uint64_t offset, uint64_t size, struct iov_iter *to,
		    uint32_t rw_flags);
ssize_t object_write(struct memory_object *o, struct file *f, uint64_t offset, struct iov_iter *from);

#endif
