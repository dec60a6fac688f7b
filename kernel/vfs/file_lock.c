/* SPDX-License-Identifier: MIT */
/*
 * file_lock.c - advisory locks on files.
 *
 * Three families share one list per inode: POSIX record locks, owned by a handle table (a process);
 * open-file-description locks, owned by an open object; flock's, owned by an open object and
 * covering the whole file. POSIX and OFD locks conflict with each other; flock's only with flock's.
 *
 * Owners' ranges never overlap: setting a range first cuts it out of the owner's own locks, then
 * adds and merges. Waiters sleep on one queue per inode and look again at each change.
 *
 * A POSIX wait that would close a circle of waiters gets -EDEADLK: each waiting owner is listed
 * with the owner it waits for, and the chain is followed before sleeping.
 *
 * Lock: file_locks_lock for all lists; nothing is taken inside it but the wait queue's.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/wait.h>

#include "vfs.h"

enum lock_family { FAMILY_POSIX, FAMILY_OFD, FAMILY_FLOCK };

struct file_lock {
	struct list node;
	struct list all_node;     /* in all_locks while held */
	const struct inode *inode;
	const void *owner;        /* handle table or open object */
	enum lock_family family;
	struct file_lock_range range;
};

/* A POSIX owner that sleeps, and whom it waits for. */
struct waiting {
	struct list node;
	const void *owner, *blocker;
	const struct file_lock *want, *in_the_way; /* the latter as it was when the wait began */
};

static struct spinlock file_locks_lock = SPINLOCK_INIT(INODE_CACHE);
static struct list waiting_owners = LIST_INIT(waiting_owners); /* file_locks_lock */
static struct list all_locks = LIST_INIT(all_locks);           /* file_locks_lock: for listing */
static long lock_count, waiting_count;                         /* file_locks_lock */

/* `h` begins to be held, behind `where` in its inode's list. */
static void
hold_locked(struct list *where, struct file_lock *h)
{
	list_add(where, &h->node);
	list_add_tail(&all_locks, &h->all_node);
	lock_count++;
}

/* `h` is held no longer; the caller frees what is in `dead`. */
static void
unhold_locked(struct file_lock *h, struct list *dead)
{
	list_del(&h->node);
	list_del(&h->all_node);
	lock_count--;
	list_add(dead, &h->node);
}

static bool
families_meet(enum lock_family a, enum lock_family b)
{
	return (a == FAMILY_FLOCK) == (b == FAMILY_FLOCK);
}

static bool
overlap(const struct file_lock_range *a, const struct file_lock_range *b)
{
	return a->start <= b->end && b->start <= a->end;
}

/* Somebody else's lock in the way of `want`, or NULL. */
static struct file_lock *
conflict_locked(struct inode_claims *l, const struct file_lock *want)
{
	struct file_lock *h;

	list_for_each(h, &l->held, node) {
		if (h->owner == want->owner && h->family == want->family)
			continue;
		if (families_meet(h->family, want->family) && overlap(&h->range, &want->range) &&
		    (h->range.type == FILE_LOCK_WRITE || want->range.type == FILE_LOCK_WRITE))
			return h;
	}
	return NULL;
}

static bool
deadlock_locked(const void *owner, const void *blocker)
{
	struct waiting *w;

	for (unsigned int hops = 0; hops < 32; hops++) {
		const void *next = NULL;

		if (blocker == owner)
			return true;
		list_for_each(w, &waiting_owners, node)
			if (w->owner == blocker)
				next = w->blocker;
		if (!next)
			return false;
		blocker = next;
	}
	return false;
}

/*
 * Cut want's range out of its owner's locks. `spare` is used when a lock falls in two; *spare_used
 * says so. Locks that vanish go to `dead`.
 */
static void
cut_locked(struct inode_claims *l, const struct file_lock *want, struct file_lock *spare,
	bool *spare_used, struct list *dead)
{
	struct file_lock *h, *tmp;

	list_for_each_safe(h, tmp, &l->held, node) {
		if (h->owner != want->owner || h->family != want->family ||
			!overlap(&h->range, &want->range))
			continue;
		if (h->range.start < want->range.start && h->range.end > want->range.end) {
			*spare = *h;
			*spare_used = true;
			spare->range.start = want->range.end + 1;
			h->range.end = want->range.start - 1;
			hold_locked(&h->node, spare);
			return;
		}
		if (h->range.start < want->range.start) {
			h->range.end = want->range.start - 1;
		} else if (h->range.end > want->range.end) {
			h->range.start = want->range.end + 1;
		} else {
			unhold_locked(h, dead);
		}
	}
}

/* Join `n` with neighbours of the same owner and type. */
static void
merge_locked(struct inode_claims *l, struct file_lock *n, struct list *dead)
{
	struct file_lock *h, *tmp;

	list_for_each_safe(h, tmp, &l->held, node) {
		if (h == n || h->owner != n->owner || h->family != n->family ||
		    h->range.type != n->range.type)
			continue;
		if (h->range.end + 1 == n->range.start)
			n->range.start = h->range.start;
		else if (n->range.end + 1 == h->range.start)
			n->range.end = h->range.end;
		else
			continue;
		unhold_locked(h, dead);
	}
}

static void
free_all(struct list *dead)
{
	struct file_lock *h, *tmp;

	list_for_each_safe(h, tmp, dead, node)
		kfree(h);
}

/* Wait until the list has changed since `generation`. 0 or -ERESTARTSYS. */
static int
wait_for_change(struct inode_claims *l, uint64_t generation)
{
	return wait_event_interruptible(&l->changed, READ_ONCE(l->generation) != generation) == 0
		       ? 0
		       : -ERESTARTSYS;
}

static int
set_lock(struct inode *i, const struct file_lock *want, bool wait)
{
	struct inode_claims *l = inode_claims_get(&i->locks);
	struct file_lock *n = kmalloc(sizeof(*n), 0), *spare = kmalloc(sizeof(*spare), 0),
			 *in_the_way;
	struct list dead = LIST_INIT(dead);
	bool n_used = false, spare_used = false;
	int error = -ENOLCK;

	if (!l || !n || !spare)
		goto out;
	for (;;) {
		struct waiting w = { .owner = want->owner, .want = want };
		uint64_t generation;

		spin_lock(&file_locks_lock);
		in_the_way = want->range.type == FILE_LOCK_UNLOCK ? NULL : conflict_locked(l, want);
		if (!in_the_way)
			break;
		error = -EAGAIN;
		w.blocker = in_the_way->owner;
		if (wait && want->family == FAMILY_POSIX && deadlock_locked(want->owner, w.blocker))
			error = -EDEADLK;
		if (!wait || error == -EDEADLK) {
			spin_unlock(&file_locks_lock);
			goto out;
		}
		generation = l->generation;
		w.in_the_way = in_the_way;
		list_add(&waiting_owners, &w.node);
		waiting_count++;
		spin_unlock(&file_locks_lock);
		error = wait_for_change(l, generation);
		spin_lock(&file_locks_lock);
		list_del(&w.node);
		waiting_count--;
		spin_unlock(&file_locks_lock);
		if (error)
			goto out;
	}
	cut_locked(l, want, spare, &spare_used, &dead);
	if (want->range.type != FILE_LOCK_UNLOCK) {
		*n = *want;
		n_used = true;
		hold_locked(l->held.prev, n);
		if (want->family != FAMILY_FLOCK)
			merge_locked(l, n, &dead);
	}
	inode_claims_changed(l);
	spin_unlock(&file_locks_lock);
	error = 0;
out:
	free_all(&dead);
	if (!n_used)
		kfree(n);
	if (!spare_used)
		kfree(spare);
	return error;
}

static struct file_lock
wanted(struct file *f, const struct file_lock_range *r, bool ofd)
{
	struct process *p = current_process();

	return (struct file_lock){
		.inode = f->inode,
		.owner = ofd ? (const void *)f : p->handles,
		.family = ofd ? FAMILY_OFD : FAMILY_POSIX,
		.range = { r->start, r->end, r->type, ofd ? -1 : p->pid },
	};
}

/* Files whose locks somebody else keeps. FILE_LOCK_HERE: not those. */
static int
elsewhere(struct file *f, struct file_lock *want, enum file_lock_act act)
{
	if (!f->ops->lock)
		return FILE_LOCK_HERE;
	return f->ops->lock(f, &want->range, act, want->owner, want->family == FAMILY_FLOCK);
}

int
file_lock_set(struct file *f, const struct file_lock_range *r, bool ofd, bool wait)
{
	struct file_lock want = wanted(f, r, ofd);
	int result = elsewhere(f, &want, wait ? FILE_LOCK_WAIT : FILE_LOCK_TRY);

	return result == FILE_LOCK_HERE ? set_lock(f->inode, &want, wait) : result;
}

int
file_lock_test(struct file *f, struct file_lock_range *r, bool ofd)
{
	struct inode_claims *l = atomic_load(&f->inode->locks);
	struct file_lock want = wanted(f, r, ofd), *h = NULL;
	int result = elsewhere(f, &want, FILE_LOCK_TEST);

	if (result != FILE_LOCK_HERE) {
		*r = want.range;
		return result;
	}
	spin_lock(&file_locks_lock);
	if (l)
		h = conflict_locked(l, &want);
	if (h)
		*r = h->range;
	else
		r->type = FILE_LOCK_UNLOCK;
	spin_unlock(&file_locks_lock);
	return 0;
}

int
file_flock(struct file *f, int type, bool wait)
{
	struct file_lock want = {
		.inode = f->inode,
		.owner = f,
		.family = FAMILY_FLOCK,
		.range = { 0, UINT64_MAX, type, current_process()->pid },
	};
	int result = elsewhere(f, &want, wait ? FILE_LOCK_WAIT : FILE_LOCK_TRY);

	return result == FILE_LOCK_HERE ? set_lock(f->inode, &want, wait) : result;
}

/* Drop all locks of `owner`, of one family or (posix false) of the two that open objects own. */
static void
drop_all(struct inode *i, const void *owner, bool posix)
{
	struct inode_claims *l = atomic_load(&i->locks);
	struct list dead = LIST_INIT(dead);
	struct file_lock *h, *tmp;

	if (!l || list_is_empty(&l->held))
		return;
	spin_lock(&file_locks_lock);
	list_for_each_safe(h, tmp, &l->held, node)
		if (h->owner == owner && (h->family == FAMILY_POSIX) == posix)
			unhold_locked(h, &dead);
	if (!list_is_empty(&dead))
		inode_claims_changed(l);
	spin_unlock(&file_locks_lock);
	free_all(&dead);
}

void
file_locks_close(struct file *f, struct handle_table *owner)
{
	drop_all(f->inode, owner, true);
}

void
file_locks_release(struct file *f)
{
	drop_all(f->inode, f, false);
}

/* --- listing ----------------------------------------------------------------------------------------- */

static struct file_lock_info
describe(const struct file_lock *h, bool waits)
{
	static const char *const kinds[] = {
		[FAMILY_POSIX] = "POSIX ", [FAMILY_OFD] = "OFDLCK", [FAMILY_FLOCK] = "FLOCK ",
	};

	return (struct file_lock_info){
		.kind = kinds[h->family],
		.range = h->range,
		.waits = waits,
		.device = h->inode->fs->device,
		.inode = h->inode->number,
	};
}

/* Is `h` the lock that `w` met? The address alone could be a later lock's. */
static bool
waits_for(const struct waiting *w, const struct file_lock *h)
{
	return w->in_the_way == h && w->want->inode == h->inode && w->blocker == h->owner;
}

static long
list_locked(struct file_lock_info *out)
{
	struct file_lock *h;
	struct waiting *w;
	long n = 0;

	list_for_each(h, &all_locks, all_node) {
		out[n++] = describe(h, false);
		list_for_each(w, &waiting_owners, node)
			if (waits_for(w, h))
				out[n++] = describe(w->want, true);
	}
	return n;
}

struct file_lock_info *
file_locks_list(long *count)
{
	struct file_lock_info *out;
	long room;

	for (;;) {
		spin_lock(&file_locks_lock);
		room = lock_count + waiting_count;
		spin_unlock(&file_locks_lock);
		*count = 0;
		if (room == 0)
			return NULL;
		out = kmalloc((size_t)room * sizeof(*out), 0);
		if (!out) {
			*count = -ENOMEM;
			return NULL;
		}
		spin_lock(&file_locks_lock);
		if (lock_count + waiting_count <= room) {
			*count = list_locked(out);
			spin_unlock(&file_locks_lock);
			return out;
		}
		spin_unlock(&file_locks_lock);
		kfree(out);
	}
}
