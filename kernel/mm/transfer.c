/* SPDX-License-Identifier: MIT */
/*
 * transfer.c - read(2) and write(2) through the page cache.
 *
 * A page is copied to and from without holding it: a store may drop it or write it out meanwhile. A
 * writer copies first and marks dirty then; if by then the page is the object's no more, it takes
 * back what it copied and does it again (1). So what was written is never left in a page that
 * nobody will write.
 *
 *	page there             copied into once it is up to date
 *	absent, written whole  made from the data, never read
 *	absent, past the end   zeroes around the data, never read
 *	absent, written partly read first
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/signal.h>
#include <tessera/string.h>

#include "mm.h"
#include "page_cache.h"

/* A transfer may be of two GiB, and others wait for the file's lock: who is killed has what he
 * has. */
static bool
is_over(ssize_t done)
{
	return done > 0 && unlikely(signal_fatal_pending(current_thread()));
}

static ssize_t
read_stored(struct memory_object *o, struct file *f, uint64_t offset, uint64_t size, struct iov_iter *to,
	    uint32_t rw_flags)
{
	ssize_t done = 0;
	int error = 0;

	while (to->count > 0 && offset < size && !is_over(done)) {
		size_t in_page = offset % PAGE_SIZE, left = MIN(to->count, size - offset);
		size_t n = MIN(PAGE_SIZE - in_page, left);
		uint64_t index = offset / PAGE_SIZE, last = (offset + left - 1) / PAGE_SIZE;
		struct page *p;
		size_t moved;

		error = rw_flags & RW_NOWAIT ? page_cache_find(o, f, index, 1, FIND_NOWAIT, &p)
					     : page_cache_get(o, f, index, last - index + 1, &p);
		if (error != 0)
			break;
		/* Filling it may have shown that the file ends before. */
		size = MIN(size, atomic_load_relaxed(&o->size));
		n = size > offset ? MIN(n, size - offset) : 0;
		moved = iov_copy_to(to, (char *)page_to_virt(p) + in_page, n);
		page_put(p);
		readahead_read(f, index);
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n) {
			error = -EFAULT;
			break;
		}
	}
	return done > 0 ? done : error;
}

ssize_t
object_read(struct memory_object *o, struct file *f, uint64_t offset, uint64_t size, struct iov_iter *to,
	    uint32_t rw_flags)
{
	ssize_t done = 0;

	if (unlikely(o->store))
		return read_stored(o, f, offset, size, to, rw_flags);
	while (to->count > 0 && offset < size && !is_over(done)) {
		size_t in_page = offset % PAGE_SIZE;
		size_t room = MIN(PAGE_SIZE - in_page, to->count), n = MIN(room, size - offset);
		struct page *p = page_cache_look_up(o, offset / PAGE_SIZE);
		size_t moved;

		if (p) {
			moved = iov_copy_to(to, (char *)page_to_virt(p) + in_page, n);
			page_put(p);
		} else {
			moved = iov_zero(to, n);
		}
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}

/*
 * A missing page that is about to be written whole is not zeroed or read first: it is filled before
 * anybody can see it. *moved: bytes taken from the iterator. *out: the page, referenced, not dirty
 * yet. -EEXIST: there is one by now, `from` is as it was.
 */
static int
write_fresh(struct memory_object *o, uint64_t index, struct iov_iter *from, size_t *moved, struct page **out)
{
	struct page *p;
	int error = o->ops->charge_page ? o->ops->charge_page(o, 1) : 0;

	*moved = 0;
	if (error != 0)
		return error;
	p = page_alloc(0, ALLOC_USER);
	error = -ENOMEM;
	if (!p)
		goto uncharge;
	*moved = iov_copy_from(page_to_virt(p), from, PAGE_SIZE);
	error = -EFAULT;
	/* Of what the store has, the rest of a page that could not be copied whole is not known. */
	if (*moved == 0 || (o->store && *moved < PAGE_SIZE))
		goto free_page;
	if (*moved < PAGE_SIZE)
		memset((char *)page_to_virt(p) + *moved, 0, PAGE_SIZE - *moved);
	p->flags |= PAGE_UPTODATE;
	page_get(p);
	error = page_cache_insert(o, index, p);
	if (error != 0)
		goto free_page;
	*out = p;
	return 0;

free_page:
	iov_revert(from, *moved);
	*moved = 0;
	p->refcount = 1;
	page_free(p, 0);
uncharge:
	if (o->ops->charge_page)
		o->ops->charge_page(o, -1);
	return error;
}

/* The size grows before the page is dirty: a write-back that begins at once must not cut it off. */
static void
grow(struct memory_object *o, uint64_t end)
{
	uint64_t size = atomic_load_relaxed(&o->size);

	while (size < end && !atomic_cas(&o->size, &size, end))
		;
}

/* The page to write `n` bytes at `offset` into, up to date, referenced. */
static int
page_for_write(struct memory_object *o, struct file *f, uint64_t offset, struct page **out)
{
	uint64_t index = offset / PAGE_SIZE;
	int error;

	if (index << PAGE_SHIFT < atomic_load_relaxed(&o->size))
		return page_cache_get(o, f, index, 1, out);
	*out = page_cache_look_up(o, index);
	if (!*out) {
		error = page_cache_add_zero(o, index, out);
		if (error != -EEXIST)
			return error;
	} else {
		page_put(*out);
	}
	return page_cache_get(o, f, index, 1, out);
}

/*
 * Copy up to `n` bytes, which end within the page, to where they belong. 0: *moved of them, which
 * may be none, are in *out, referenced, and not marked dirty yet.
 */
static int
write_page(struct memory_object *o, struct file *f, uint64_t offset, size_t n, struct iov_iter *from, size_t *moved,
	   struct page **out)
{
	uint64_t index = offset / PAGE_SIZE;
	int error;

	if (n == PAGE_SIZE && !page_cache_has(o, index)) {
		error = write_fresh(o, index, from, moved, out);
		/* Somebody else made one meanwhile, or not all could be copied and the rest has to be read. */
		if (error != -EEXIST && error != -EFAULT)
			return error;
	}
	error = page_for_write(o, f, offset, out);
	if (error == 0)
		*moved = iov_copy_from((char *)page_to_virt(*out) + offset % PAGE_SIZE, from, n);
	return error;
}

static ssize_t
write_stored(struct memory_object *o, struct file *f, uint64_t offset, struct iov_iter *from)
{
	int error = object_prepare_dirty(o);
	ssize_t done = 0;

	while (error == 0 && from->count > 0 && !is_over(done)) {
		size_t n = MIN(PAGE_SIZE - offset % PAGE_SIZE, from->count), moved;
		struct page *p;

		error = dirty_throttle(o->store->backing);
		if (error == 0)
			error = write_page(o, f, offset, n, from, &moved, &p);
		if (error != 0)
			break;
		if (moved > 0)
			grow(o, offset + moved);
		if (moved > 0 && !object_mark_dirty(o, p)) { /* (1) */
			iov_revert(from, moved);
			page_put(p);
			error = atomic_load(&o->store->backing->dead);
			continue;
		}
		page_put(p);
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n)
			error = -EFAULT;
	}
	return done > 0 ? done : error;
}

ssize_t
object_write(struct memory_object *o, struct file *f, uint64_t offset, struct iov_iter *from)
{
	ssize_t done = 0;

	if (unlikely(o->store))
		return write_stored(o, f, offset, from);
	while (from->count > 0 && !is_over(done)) {
		uint64_t index = offset / PAGE_SIZE;
		size_t in_page = offset % PAGE_SIZE;
		size_t n = MIN(PAGE_SIZE - in_page, from->count), moved;
		struct page *p = page_cache_look_up(o, index);
		int error = 0;

		if (!p && n == PAGE_SIZE) {
			error = write_fresh(o, index, from, &moved, &p);
		} else {
			if (!p)
				error = page_cache_add_zero(o, index, &p);
			if (error == 0)
				moved = iov_copy_from((char *)page_to_virt(p) + in_page, from, n);
		}
		if (error == -EEXIST)
			continue;
		if (error != 0)
			return done > 0 ? done : error;
		page_put(p);
		done += (ssize_t)moved;
		offset += moved;
		if (moved < n)
			return done > 0 ? done : -EFAULT;
	}
	return done;
}

void
object_update(struct memory_object *o, uint64_t offset, const void *data, size_t n)
{
	const char *from = data;

	while (o->store && n > 0) {
		size_t in_page = offset % PAGE_SIZE, part = MIN(n, PAGE_SIZE - in_page);
		struct page *p = page_cache_look_up(o, offset / PAGE_SIZE);

		if (p && (page_flags(p) & PAGE_UPTODATE))
			memcpy((char *)page_to_virt(p) + in_page, from, part);
		else if (p) /* a fill under way may bring what was there before */
			(void)object_invalidate(o, offset, offset + part, true);
		if (p)
			page_put(p);
		offset += part;
		from += part;
		n -= part;
	}
}
