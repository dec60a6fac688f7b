/* SPDX-License-Identifier: MIT */
/*
 * dentry.c - the cache of names.
 *
 * A dentry says: in directory `parent`, `name` is `inode`, or (negative) is nothing. It holds a
 * reference on its parent and on its inode, so a path's dentry keeps all its ancestors.
 *
 *   create --> lone --hash--> HASHED (found by look-up) --drop--> lone --last put--> freed
 *
 * A hashed dentry whose last user leaves stays on the LRU list as a cached answer until memory is
 * wanted, its directory goes, or its file system is unmounted. A positive dentry in use keeps its
 * inode: removing the name only drops (unhashes) the dentry.
 *
 * Locks: dentry_lock guards the hash, the tree links, names, the LRU list and every reference count
 * that goes from or to zero. Counts above one are dropped without it. inode_put() may sleep and is
 * called after the lock was released.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/watch.h>

#include "vfs.h"

uint64_t tree_generation;

/* One bucket for so many pages of memory, one unused name kept for so many (about 1 % of memory). */
#define BUCKET_PAGES 16
#define UNUSED_PAGES 4
#define BUCKETS_MAX  (1u << 18)

struct spinlock dentry_lock = SPINLOCK_INIT(DENTRY);

static struct slab_cache *dentry_cache; /* [I] */
static struct list *buckets;            /* [d] */
static uint32_t bucket_mask;            /* [I] */
static struct list lru;                 /* [d] unused, oldest first */
static size_t unused, unused_limit;     /* [d] */

void
dentry_cache_init(void)
{
	struct memory_stats m;
	uint64_t count = 1024;

	memory_stats(&m);
	while (count < m.total / BUCKET_PAGES && count < BUCKETS_MAX)
		count *= 2;
	buckets = vmalloc(count * sizeof(*buckets));
	if (!buckets)
		panic("no memory for %lu name cache buckets", count);
	for (uint64_t i = 0; i < count; i++)
		list_init(&buckets[i]);
	bucket_mask = (uint32_t)count - 1;
	unused_limit = MAX(m.total / UNUSED_PAGES, 1024ul);
	list_init(&lru);
	dentry_cache = slab_cache_create("dentry", sizeof(struct dentry), 0);
}

static uint32_t
name_hash(const struct dentry *parent, const char *name, size_t length)
{
	uint64_t h = (uintptr_t)parent >> 6;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)name[i]) * 0x100000001b3ull;
	return (uint32_t)(h ^ h >> 32);
}

static bool
name_is(const struct dentry *d, const struct dentry *parent, uint32_t hash, const char *name,
	size_t length)
{
	return d->hash == hash && d->parent == parent && d->length == length &&
	       memcmp(d->name, name, length) == 0;
}

/* The hashed dentry of that name, no reference taken. */
static struct dentry *
find_locked(const struct dentry *parent, uint32_t hash, const char *name, size_t length)
{
	struct dentry *d;

	list_for_each(d, &buckets[hash & bucket_mask], hash_node)
		if (name_is(d, parent, hash, name, length))
			return d;
	return NULL;
}

/* A reference from under the lock: an unused one leaves the LRU list. */
static void
get_locked(struct dentry *d)
{
	if (ref_count(&d->refs) == 0) {
		list_del_init(&d->lru);
		unused--;
	}
	ref_get_cached(&d->refs);
}

struct dentry *
dentry_find(struct dentry *parent, const char *name, size_t length)
{
	uint32_t hash = name_hash(parent, name, length);
	struct dentry *d;

	spin_lock(&dentry_lock);
	d = find_locked(parent, hash, name, length);
	if (d)
		get_locked(d);
	spin_unlock(&dentry_lock);
	return d;
}

static bool
set_name(struct dentry *d, const char *name, size_t length)
{
	d->name = d->short_name;
	if (length >= sizeof(d->short_name)) {
		d->name = kmalloc(length + 1, 0);
		if (!d->name)
			return false;
	}
	memcpy(d->name, name, length);
	d->name[length] = '\0';
	d->length = (uint16_t)length;
	return true;
}

static struct dentry *
create(struct filesystem *fs, const char *name, size_t length)
{
	struct dentry *d = slab_alloc(dentry_cache, ALLOC_ZERO);

	if (!d)
		return NULL;
	if (!set_name(d, name, length)) {
		slab_free(dentry_cache, d);
		return NULL;
	}
	ref_init(&d->refs);
	d->fs = fs;
	atomic_add(&fs->dentries, 1);
	d->parent = d;
	list_init(&d->siblings);
	list_init(&d->children);
	list_init(&d->hash_node);
	list_init(&d->lru);
	return d;
}

struct dentry *
dentry_create(struct dentry *parent, const char *name, size_t length)
{
	struct dentry *d = create(parent->fs, name, length);

	if (!d)
		return NULL;
	d->hash = name_hash(parent, name, length);
	dentry_get(parent);
	spin_lock(&dentry_lock);
	d->parent = parent;
	list_add_tail(&parent->children, &d->siblings);
	spin_unlock(&dentry_lock);
	return d;
}

struct dentry *
dentry_create_root(struct filesystem *fs, struct inode *i)
{
	return dentry_create_lone(fs, i, "/");
}

struct dentry *
dentry_create_lone(struct filesystem *fs, struct inode *i, const char *name)
{
	struct dentry *d = create(fs, name, strnlen(name, NAME_MAX));

	if (d)
		d->inode = i;
	return d;
}

void
dentry_attach(struct dentry *d, struct inode *i)
{
	struct inode *old;

	spin_lock(&dentry_lock);
	old = d->inode;
	d->inode = i;
	spin_unlock(&dentry_lock);
	if (old)
		inode_put(old);
}

struct dentry *
dentry_hash(struct dentry *d)
{
	struct dentry *other;

	spin_lock(&dentry_lock);
	if (d->hashed) {
		spin_unlock(&dentry_lock);
		return d;
	}
	other = find_locked(d->parent, d->hash, d->name, d->length);
	if (other) {
		get_locked(other);
	} else {
		list_add(&buckets[d->hash & bucket_mask], &d->hash_node);
		d->hashed = true;
	}
	spin_unlock(&dentry_lock);
	if (!other)
		return d;
	dentry_put(d);
	return other;
}

static void
unhash_locked(struct dentry *d)
{
	if (!d->hashed)
		return;
	list_del_init(&d->hash_node);
	d->hashed = false;
}

/*
 * Free `d`: no references, off the LRU list. dentry_lock is held on entry and free on return.
 * Returns the parent, whose reference the caller now has to drop, or NULL.
 */
static struct dentry *
kill_locked(struct dentry *d)
{
	struct dentry *parent = d->parent == d ? NULL : d->parent;
	struct filesystem *fs = d->fs;
	struct inode *i = d->inode;

	assert(list_is_empty(&d->children));
	unhash_locked(d);
	list_del_init(&d->siblings);
	spin_unlock(&dentry_lock);
	if (i && i->links == 0)
		watch_inode_removed(i, WATCH_DELETE_SELF);
	if (i)
		inode_put(i);
	if (d->name != d->short_name)
		kfree(d->name);
	slab_free(dentry_cache, d);
	atomic_sub(&fs->dentries, 1); /* the last: from here on the file system may be gone */
	return parent;
}

static struct dentry *
take_oldest_locked(void)
{
	struct dentry *d = list_first(&lru, struct dentry, lru);

	if (d) {
		list_del_init(&d->lru);
		unused--;
	}
	return d;
}

/* Drop a reference known not to be the last; false: it is the last. */
static bool
put_fast(struct dentry *d)
{
	uint32_t n = ref_count(&d->refs);

	while (n > 1)
		if (atomic_cas(&d->refs.count, &n, n - 1))
			return true;
	return false;
}

void
dentry_put(struct dentry *d)
{
	while (d && !put_fast(d)) {
		spin_lock(&dentry_lock);
		if (!ref_put(&d->refs)) {
			spin_unlock(&dentry_lock);
			return;
		}
		if (d->hashed && !d->fs->type->no_cache) {
			list_add_tail(&lru, &d->lru);
			d = ++unused > unused_limit ? take_oldest_locked() : NULL;
			if (!d) {
				spin_unlock(&dentry_lock);
				return;
			}
		}
		d = kill_locked(d);
	}
}

size_t
dentry_shrink(size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct dentry *d;

		spin_lock(&dentry_lock);
		d = take_oldest_locked();
		if (!d) {
			spin_unlock(&dentry_lock);
			break;
		}
		dentry_put(kill_locked(d));
		done++;
	}
	return done;
}

void
dentry_drop(struct dentry *d)
{
	spin_lock(&dentry_lock);
	unhash_locked(d);
	spin_unlock(&dentry_lock);
}

/* Give `d` the parent, name and hash of the other; the names swap so that nothing is allocated. */
static void
swap_names_locked(struct dentry *a, struct dentry *b)
{
	char short_name[sizeof(a->short_name)];
	bool a_short = a->name == a->short_name, b_short = b->name == b->short_name;
	char *a_name = a->name, *b_name = b->name;
	uint16_t length = a->length;
	uint32_t hash = a->hash;

	memcpy(short_name, a->short_name, sizeof(short_name));
	memcpy(a->short_name, b->short_name, sizeof(short_name));
	memcpy(b->short_name, short_name, sizeof(short_name));
	a->name = b_short ? a->short_name : b_name;
	b->name = a_short ? b->short_name : a_name;
	a->length = b->length;
	b->length = length;
	a->hash = b->hash;
	b->hash = hash;
}

static void
swap_parents_locked(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;

	a->parent = b->parent;
	b->parent = parent;
	list_del(&a->siblings);
	list_del(&b->siblings);
	list_add_tail(&a->parent->children, &a->siblings);
	list_add_tail(&b->parent->children, &b->siblings);
}

static void
rehash_locked(struct dentry *d)
{
	unhash_locked(d);
	list_add(&buckets[d->hash & bucket_mask], &d->hash_node);
	d->hashed = true;
}

void
dentry_move(struct dentry *d, struct dentry *to)
{
	spin_lock(&dentry_lock);
	tree_changes();
	unhash_locked(to);
	unhash_locked(d);
	swap_names_locked(d, to);
	swap_parents_locked(d, to);
	rehash_locked(d);
	spin_unlock(&dentry_lock);
}

void
dentry_exchange(struct dentry *a, struct dentry *b)
{
	spin_lock(&dentry_lock);
	tree_changes();
	unhash_locked(a);
	unhash_locked(b);
	swap_names_locked(a, b);
	swap_parents_locked(a, b);
	rehash_locked(a);
	rehash_locked(b);
	spin_unlock(&dentry_lock);
}

/* One unused child of `d`, off the LRU list; or NULL when there is none, and all children are unhashed. */
static struct dentry *
take_unused_child_locked(struct dentry *d)
{
	struct dentry *c;

	list_for_each(c, &d->children, siblings) {
		unhash_locked(c);
		if (ref_count(&c->refs) == 0 && !list_is_empty(&c->lru)) {
			list_del_init(&c->lru);
			unused--;
			return c;
		}
	}
	return NULL;
}

void
dentry_prune(struct dentry *d)
{
	for (;;) {
		struct dentry *c;

		spin_lock(&dentry_lock);
		c = take_unused_child_locked(d);
		if (!c) {
			spin_unlock(&dentry_lock);
			return;
		}
		dentry_put(kill_locked(c));
	}
}

/* Move all unused names of `fs` from the LRU list to `out`. Its mounts are gone: nobody looks them up. */
static void
collect_unused(struct filesystem *fs, struct list *out)
{
	struct dentry *d, *tmp;

	spin_lock(&dentry_lock);
	list_for_each_safe(d, tmp, &lru, lru)
		if (d->fs == fs) {
			list_del(&d->lru);
			list_add_tail(out, &d->lru);
			unused--;
		}
	spin_unlock(&dentry_lock);
}

/* A directory becomes unused when its last name has gone: one round for each level of the tree. */
void
dentry_purge_filesystem(struct filesystem *fs)
{
	for (;;) {
		struct list dead = LIST_INIT(dead);
		struct dentry *d;

		collect_unused(fs, &dead);
		if (list_is_empty(&dead))
			return;
		while ((d = list_first(&dead, struct dentry, lru)) != NULL) {
			list_del_init(&d->lru);
			spin_lock(&dentry_lock);
			dentry_put(kill_locked(d));
		}
	}
}

bool
dentry_is_below(struct dentry *d, struct dentry *ancestor)
{
	bool below = false;

	spin_lock(&dentry_lock);
	for (;; d = d->parent) {
		if (d == ancestor) {
			below = true;
			break;
		}
		if (d->parent == d)
			break;
	}
	spin_unlock(&dentry_lock);
	return below;
}

struct dentry *
dentry_parent(struct dentry *d)
{
	struct dentry *parent;

	spin_lock(&dentry_lock);
	parent = d->parent;
	get_locked(parent);
	spin_unlock(&dentry_lock);
	return parent;
}
