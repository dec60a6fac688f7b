/* SPDX-License-Identifier: MIT */
/*
 * dentry.c - the cache of names.
 *
 * A dentry says: in directory `parent`, `name` is `inode`, or (negative) is nothing. It holds a
 * reference on its parent and on its inode, so a path's dentry keeps all its ancestors.
 *
 *   create --> lone --hash--> HASHED (found by look-up) --drop--> lone --last put--> DEAD, freed
 *
 * A hashed dentry whose last user leaves stays as a cached answer until memory is wanted, its directory goes,
 * or its file system is unmounted. A positive dentry in use keeps its inode: removing the name only drops
 * (unhashes) the dentry.
 *
 * Finding takes no lock. dentry_lock guards all that changes; a reader (rcu.h) may look at a dentry's name,
 * parent, inode and next in its bucket at any time:
 *
 *  - A name or parent changes only while names_changing is odd. Who compares a name looks at that count
 *    before and after, and believes nothing if it was odd or is another (dentry_find, run_ahead).
 *  - A dentry that leaves a bucket keeps its hash_next, so a reader who stands on it gets on; chains end in
 *    NULL, so one who is led into another bucket by a move ends too, and the count tells.
 *  - Name, dentry and inode are freed by rcu_free().
 *  - A name that is not found may have come meanwhile. Whoever makes one looks again in dentry_hash().
 *
 * A reference is taken from any count but DENTRY_DEAD, and given back, without the lock. Only under the lock
 * does a count go from 0 to DENTRY_DEAD. The one who takes it to 0 must see to it that the dentry is cached or
 * killed, unless another has done so:
 *
 *  (1) dentry_put() takes the count to 0, then reads `hashed` and `listed`.
 *  (2) Who clears `hashed` or `listed` does so first, then tries to take the count from 0 to DENTRY_DEAD.
 *
 * Both are full barriers in the middle, so at least one sees the other: either (2) kills it, or (1) sees that it
 * is no longer cached and settles it under the lock.
 *
 * The list of unused names may hold used ones: they are sorted out when memory is wanted, oldest first; one that
 * was used since it was last looked at gets a second chance.
 *
 * Locks: dentry_lock. inode_put() may sleep and is called after the lock was released.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/rcu.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#include "vfs.h"

uint64_t tree_generation;

/* One bucket for so many pages of memory, one unused name kept for so many (about 1 % of memory). */
#define BUCKET_PAGES 16
#define UNUSED_PAGES 4
#define BUCKETS_MAX  (1u << 18)

#define DENTRY_DEAD 0x80000000u
#define LOOKS       32u /* names looked at with the lock held when one is wanted */

struct spinlock dentry_lock = SPINLOCK_INIT(DENTRY);
uint64_t names_changing;

static struct slab_cache *dentry_cache; /* [I] */
static struct dentry **buckets;         /* [r] */
static uint32_t bucket_mask;            /* [I] */
static struct list lru;                 /* [d] cached names, most of them unused, oldest first */
static size_t listed, listed_limit;     /* [d] */

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
	memset(buckets, 0, count * sizeof(*buckets));
	bucket_mask = (uint32_t)count - 1;
	listed_limit = MAX(m.total / UNUSED_PAGES, 1024ul);
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

/*
 * The other name may change while it is compared: never beyond its end, which every byte before is compared
 * for, a component having no 0 in it.
 */
static bool
name_is(const struct dentry *d, const struct dentry *parent, uint32_t hash, const char *name,
	size_t length)
{
	const char *other;

	if (READ_ONCE(d->hash) != hash || READ_ONCE(d->parent) != parent || READ_ONCE(d->length) != length)
		return false;
	other = READ_ONCE(d->name);
	for (size_t i = 0; i < length; i++)
		if (READ_ONCE(other[i]) != name[i])
			return false;
	return true;
}

/* The hashed dentry of that name, no reference taken. A reader, or dentry_lock is held. */
static struct dentry *
find(const struct dentry *parent, uint32_t hash, const char *name, size_t length)
{
	struct dentry *d = atomic_load(&buckets[hash & bucket_mask]);

	while (d && !name_is(d, parent, hash, name, length))
		d = atomic_load(&d->hash_next);
	return d;
}

struct dentry *
dentry_peek(const struct dentry *parent, const char *name, size_t length)
{
	assert(rcu_reading());
	return find(parent, name_hash(parent, name, length), name, length);
}

bool
dentry_get_peeked(struct dentry *d)
{
	uint32_t n = ref_count(&d->refs);

	do {
		if (n == DENTRY_DEAD)
			return false;
	} while (!atomic_cas(&d->refs.count, &n, n + 1));
	return true;
}

struct dentry *
dentry_find(struct dentry *parent, const char *name, size_t length)
{
	uint32_t hash = name_hash(parent, name, length);
	struct dentry *d;
	uint64_t changing;

	rcu_read_lock();
	changing = atomic_load(&names_changing);
	d = find(parent, hash, name, length);
	if (d && !dentry_get_peeked(d))
		d = NULL;
	rcu_read_unlock();
	if (likely(names_same_since(changing)))
		return d;
	dentry_put(d);
	spin_lock(&dentry_lock);
	d = find(parent, hash, name, length);
	if (d)
		ref_get_cached(&d->refs);
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

/* The directory that `d` leads to is found by it from now on. */
static void
remember_alias_locked(struct dentry *d)
{
	if (d->inode && d->fs->type->foreign_names && S_ISDIR(d->inode->mode))
		d->inode->alias = d;
}

struct dentry *
dentry_create_lone(struct filesystem *fs, struct inode *i, const char *name)
{
	struct dentry *d = create(fs, name, strnlen(name, NAME_MAX));

	if (d) {
		d->inode = i;
		remember_alias_locked(d);
	}
	return d;
}

struct dentry *
inode_alias(struct inode *i)
{
	struct dentry *d;

	spin_lock(&dentry_lock);
	d = i->alias;
	if (d && !dentry_get_peeked(d))
		d = NULL;
	spin_unlock(&dentry_lock);
	return d;
}

bool
dentry_place_lone(struct dentry *d)
{
	bool ours;

	spin_lock(&dentry_lock);
	ours = !d->inode->alias;
	if (ours)
		d->inode->alias = d;
	spin_unlock(&dentry_lock);
	return ours;
}

struct dentry *
dentry_place(struct dentry *d, char *name)
{
	struct dentry *parent;

	spin_lock(&dentry_lock);
	memcpy(name, d->name, d->length + 1u);
	parent = d->parent;
	dentry_get(parent);
	spin_unlock(&dentry_lock);
	return parent;
}

void
dentry_attach(struct dentry *d, struct inode *i)
{
	struct inode *old;

	spin_lock(&dentry_lock);
	old = d->inode;
	atomic_store_release(&d->inode, i);
	if (d->hashed)
		remember_alias_locked(d);
	spin_unlock(&dentry_lock);
	if (old)
		inode_put(old);
}

static void
hash_locked(struct dentry *d)
{
	struct dentry **bucket = &buckets[d->hash & bucket_mask], *next = *bucket;

	WRITE_ONCE(d->hash_next, next);
	if (next)
		next->hash_link = &d->hash_next;
	d->hash_link = bucket;
	WRITE_ONCE(d->hashed, true);
	atomic_store_release(bucket, d);
}

/* Rule (2) is for the caller. */
static void
unhash_locked(struct dentry *d)
{
	if (!d->hashed)
		return;
	if (d->hash_next)
		d->hash_next->hash_link = d->hash_link;
	atomic_store_release(d->hash_link, d->hash_next);
	WRITE_ONCE(d->hashed, false);
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
	other = find(d->parent, d->hash, d->name, d->length);
	if (other) {
		ref_get_cached(&other->refs);
	} else {
		hash_locked(d);
		remember_alias_locked(d);
	}
	spin_unlock(&dentry_lock);
	if (!other)
		return d;
	dentry_put(d);
	return other;
}

/* Is `old` what everybody finds where `d` would be? Then another was faster than who made `d`. */
static bool
stands_there(struct dentry *old, const struct dentry *d)
{
	bool there;

	spin_lock(&dentry_lock);
	there = old->hashed && name_is(old, d->parent, d->hash, d->name, d->length);
	spin_unlock(&dentry_lock);
	return there;
}

/*
 * `old` gets the place of `d`, whose directory is held. The directory that it leaves is held too: nobody is about to
 * do something to the name there. -ESTALE: somebody is.
 */
static int
take_place(struct dentry *old, struct dentry *d)
{
	struct dentry *parent = dentry_parent(old);
	int error = -ESTALE;

	if (parent == d->parent) {
		/* Who takes it away from here needs this directory; who renames across directories may be who asks. */
		dentry_move(old, d);
		dentry_put(parent);
		return 0;
	}
	dentry_put(parent);
	if (!mutex_trylock(&d->fs->rename_lock))
		return -ESTALE;
	parent = dentry_parent(old);
	if (dentry_is_below(d, old)) {
		error = -ELOOP;
	} else if (read_trylock(&parent->inode->lock)) {
		dentry_move(old, d);
		read_unlock(&parent->inode->lock);
		error = 0;
	}
	dentry_put(parent);
	mutex_unlock(&d->fs->rename_lock);
	return error;
}

/*
 * `d`, looked up and not hashed, leads to a directory that has another name in the cache: it was moved without us. Its
 * cached dentry, on which all below it and maybe mounts and programs stand, takes the place. A directory never has two:
 * one that lay in itself would be locked twice by who works on both.
 */
struct dentry *
dentry_adopt(struct dentry *d)
{
	struct dentry *old = d->inode && d->fs->type->foreign_names && S_ISDIR(d->inode->mode) ? inode_alias(d->inode) : NULL;
	int error;

	if (!old || stands_there(old, d)) {
		dentry_put(old);
		return dentry_hash(d);
	}
	error = take_place(old, d);
	if (error)
		dentry_put(old);
	else
		WRITE_ONCE(old->expires, READ_ONCE(d->expires));
	dentry_put(d);
	return error ? ERR_PTR(error) : old;
}

static void
list_locked(struct dentry *d)
{
	list_add_tail(&lru, &d->lru);
	WRITE_ONCE(d->listed, true);
	listed++;
}

static void
unlist_locked(struct dentry *d)
{
	if (!d->listed)
		return;
	list_del(&d->lru);
	WRITE_ONCE(d->listed, false);
	listed--;
}

/* Nobody uses `d`: nobody ever will. The caller kills it. */
static bool
condemn_locked(struct dentry *d)
{
	uint32_t none = 0;

	return atomic_cas(&d->refs.count, &none, DENTRY_DEAD);
}

static void
free_dentry(struct rcu_head *h)
{
	struct dentry *d = container_of(h, struct dentry, rcu);

	if (d->name != d->short_name)
		kfree(d->name);
	slab_free(dentry_cache, d);
}

/*
 * Free `d`, which has been condemned. dentry_lock is held on entry and free on return.
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
	unlist_locked(d);
	list_del(&d->siblings);
	if (i && i->alias == d)
		i->alias = NULL;
	spin_unlock(&dentry_lock);
	if (i && i->links == 0)
		notify_inode_removed(i, NOTIFY_DELETE_SELF);
	if (i)
		inode_put(i);
	rcu_free(&d->rcu, free_dentry);
	atomic_sub(&fs->dentries, 1); /* the last: from here on the file system may be gone */
	return parent;
}

/*
 * Condemn the oldest name that nobody uses; NULL: none of the first LOOKS is. Used ones leave the list, those used
 * lately go to its end.
 */
static struct dentry *
take_oldest_locked(void)
{
	struct dentry *d;

	for (unsigned int left = LOOKS; left > 0 && (d = list_first(&lru, struct dentry, lru)) != NULL; left--) {
		if (READ_ONCE(d->used)) {
			WRITE_ONCE(d->used, false);
			list_del(&d->lru);
			list_add_tail(&lru, &d->lru);
			continue;
		}
		unlist_locked(d);
		if (condemn_locked(d))
			return d;
	}
	return NULL;
}

/*
 * The count of `d` was taken to 0 while it was not cached. List it or kill it, unless it is in use again, or
 * dead. Leaves the reader's section. Returns who now has to be put: a parent, or NULL.
 */
static struct dentry *
settle(struct dentry *d)
{
	struct dentry *old = NULL;
	bool unused;

	spin_lock(&dentry_lock);
	/* Looked at while it must be there, dead or not; one that is unused now dies under the lock alone. */
	unused = ref_count(&d->refs) == 0;
	rcu_read_unlock();
	if (unused) {
		if (!d->hashed || d->fs->type->no_cache) {
			if (condemn_locked(d))
				old = d;
		} else if (!d->listed) {
			list_locked(d);
			if (listed > listed_limit)
				old = take_oldest_locked();
		}
	}
	if (old)
		return kill_locked(old);
	spin_unlock(&dentry_lock);
	return NULL;
}

void
dentry_put(struct dentry *d)
{
	while (d) {
		rcu_read_lock();
		if (!READ_ONCE(d->used))
			WRITE_ONCE(d->used, true);
		if (!ref_put(&d->refs) || likely(READ_ONCE(d->hashed) && READ_ONCE(d->listed))) {
			rcu_read_unlock();
			return;
		}
		d = settle(d);
	}
}

size_t
dentry_shrink(size_t n)
{
	size_t done = 0;

	/* Twice round, for those that get a second chance. */
	for (size_t looks = 2 * READ_ONCE(listed) / LOOKS + n; done < n && looks > 0; looks--) {
		struct dentry *d;

		spin_lock(&dentry_lock);
		d = take_oldest_locked();
		if (!d) {
			spin_unlock(&dentry_lock);
			continue;
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

/* Give `a` the name and hash of the other; the names swap so that nothing is allocated. */
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
	WRITE_ONCE(a->name, b_short ? a->short_name : b_name);
	WRITE_ONCE(b->name, a_short ? b->short_name : a_name);
	WRITE_ONCE(a->length, b->length);
	WRITE_ONCE(b->length, length);
	WRITE_ONCE(a->hash, b->hash);
	WRITE_ONCE(b->hash, hash);
}

static void
swap_parents_locked(struct dentry *a, struct dentry *b)
{
	struct dentry *parent = a->parent;

	WRITE_ONCE(a->parent, b->parent);
	WRITE_ONCE(b->parent, parent);
	list_del(&a->siblings);
	list_del(&b->siblings);
	list_add_tail(&a->parent->children, &a->siblings);
	list_add_tail(&b->parent->children, &b->siblings);
}

/* Names change from here ... */
static void
names_begin_locked(void)
{
	tree_changes();
	atomic_add(&names_changing, 1);
}

/* ... to here. */
static void
names_end_locked(void)
{
	atomic_add(&names_changing, 1);
}

void
dentry_move(struct dentry *d, struct dentry *to)
{
	spin_lock(&dentry_lock);
	names_begin_locked();
	unhash_locked(to);
	unhash_locked(d);
	swap_names_locked(d, to);
	swap_parents_locked(d, to);
	hash_locked(d);
	names_end_locked();
	spin_unlock(&dentry_lock);
}

void
dentry_exchange(struct dentry *a, struct dentry *b)
{
	spin_lock(&dentry_lock);
	names_begin_locked();
	unhash_locked(a);
	unhash_locked(b);
	swap_names_locked(a, b);
	swap_parents_locked(a, b);
	hash_locked(a);
	hash_locked(b);
	names_end_locked();
	spin_unlock(&dentry_lock);
}

/* One unused child of `d`, condemned; or NULL when there is none, and all children are unhashed. */
static struct dentry *
take_unused_child_locked(struct dentry *d)
{
	struct dentry *c;

	list_for_each(c, &d->children, siblings) {
		unhash_locked(c);
		if (condemn_locked(c))
			return c;
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

/* Condemn all unused names of `fs` and move them to `out`. Its mounts are gone: nobody looks them up. */
static void
collect_unused(struct filesystem *fs, struct list *out)
{
	struct dentry *d, *tmp;

	spin_lock(&dentry_lock);
	list_for_each_safe(d, tmp, &lru, lru)
		if (d->fs == fs && condemn_locked(d)) {
			unhash_locked(d);
			unlist_locked(d);
			list_add_tail(out, &d->lru);
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
			list_del(&d->lru);
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
	dentry_get(parent);
	spin_unlock(&dentry_lock);
	return parent;
}
