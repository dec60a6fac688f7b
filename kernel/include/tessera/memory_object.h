/* SPDX-License-Identifier: MIT */
/*
 * memory_object.h - what pages belong to: a file's page cache, shared anonymous memory, a device.
 *
 * A memory object is a sparse array of pages. read(2), write(2) and mmap(2) of one file use the same
 * pages. Private anonymous memory has no object: its pages live in page tables alone and are shared
 * after fork by reference count.
 *
 * Lock order: object->lock (sleeping, fills and truncation), object->mappings_lock, a page-table
 * lock, object->pages_lock.
 */
#ifndef TESSERA_MEMORY_OBJECT_H
#define TESSERA_MEMORY_OBJECT_H

#include <tessera/atomic.h>
#include <tessera/lock.h>
#include <tessera/page.h>
#include <tessera/radix.h>

struct memory_object;
struct inode;
struct address_space;
struct mapping;

struct memory_object_ops {
	const char *name;
	/* Fill `p` (locked, not up to date) from the backing store. Empty: zeroes. May sleep.
	 * Returns 0 or a negative errno (a mapping's fault then raises SIGBUS). */
	int (*read_page)(struct memory_object *o, struct page *p);
	/* Write a dirty page back. Empty: memory is the only store, pages cannot be evicted. */
	int (*write_page)(struct memory_object *o, struct page *p);
	/* A mapped page is about to be written for the first time since it was clean. */
	int (*page_mkwrite)(struct memory_object *o, struct page *p);
	/* Device objects: the physical address of page `index`, without a struct page. */
	int (*device_page)(struct memory_object *o, uint64_t index, paddr_t *pa, unsigned int *prot);
	void (*release)(struct memory_object *o); /* last reference gone, pages freed */
	/* May one more page be added? For file-system size limits. 0 or -ENOSPC. */
	int (*charge_page)(struct memory_object *o, int pages);
};

/*
 * [I] set at creation  [o] lock  [p] pages_lock  [m] mappings_lock  [a] atomic
 */
struct memory_object {
	const struct memory_object_ops *ops; /* [I] */
	struct refcount refs;
	bool embedded;                       /* [I] part of something that release() frees */
	struct mutex lock;                   /* class OBJECT */
	struct spinlock pages_lock;          /* class PAGES */
	struct radix_tree pages;             /* [p] struct page * by index */
	struct spinlock mappings_lock;       /* class MAPPINGS */
	struct list mappings;                /* [m] struct mapping.object_node */
	uint64_t size;                       /* [a] bytes; a fault at or past it is SIGBUS; UINT64_MAX none */
	struct inode *inode;                 /* [I] whose contents, not counted; may be NULL */
	uint64_t dirty;                      /* [a] pages */
	uint64_t writable_mappings;          /* [a] shared writable mappings: memfd seals, deny-write */
	void *private;                       /* [I] */
};

struct memory_object *object_create(const struct memory_object_ops *ops, uint64_t size, void *private);
/* For an object inside something larger: release() frees that. */
void object_init(struct memory_object *o, const struct memory_object_ops *ops, uint64_t size);
void object_get(struct memory_object *o);
void object_put(struct memory_object *o);
extern const struct memory_object_ops huge_object_ops; /* shared MAP_HUGETLB memory */
extern const struct memory_object_ops anonymous_object_ops; /* shared anonymous memory, memfd, tmpfs */

/*
 * The page at `index`, filled, with a reference for the caller. `create`: a missing page is made
 * (zero or read); otherwise NULL is returned in *out for a hole. May sleep.
 * Returns 0, -ENOMEM, -ENOSPC, -EIO ... .
 */
int object_get_page(struct memory_object *o, uint64_t index, bool create, struct page **out);
/* Give a page that is ours (refcount 1, contents valid) to an empty slot: 0, -EEXIST, -ENOMEM. */
int object_insert_page(struct memory_object *o, uint64_t index, struct page *p);
void object_mark_dirty(struct memory_object *o, struct page *p);
/* Drop all pages whose first byte is at or past `size` (zeroing the tail of the last), unmapping
 * them everywhere. Sets o->size. May sleep. */
void object_truncate(struct memory_object *o, uint64_t size);
/* Drop the pages wholly inside [start, end), zero the partial edges. */
void object_punch(struct memory_object *o, uint64_t start, uint64_t end);
/* Write dirty pages of the range back; waits. */
int object_sync(struct memory_object *o, uint64_t start, uint64_t end);
/* Next index >= *index with a page (data) or without (hole): SEEK_DATA, SEEK_HOLE. */
bool object_next_data(struct memory_object *o, uint64_t *index);
bool object_next_hole(struct memory_object *o, uint64_t *index);

struct iov_iter;
/* read/write through the page cache, the file's size checked and kept by the caller's lock.
 * Return bytes moved or an errno when none was. */
ssize_t object_read(struct memory_object *o, uint64_t offset, uint64_t size, struct iov_iter *to);
ssize_t object_write(struct memory_object *o, uint64_t offset, struct iov_iter *from);

#endif
