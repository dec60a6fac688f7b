/* SPDX-License-Identifier: MIT */
/*
 * inotify.c - watching files and directories: inotify(7).
 *
 * A watch joins an instance (the open object) and an inode, on whose list it stands, and holds the
 * inode. Who changes something tells the inode; each watch that asked for the event puts a record
 * into its instance's queue. Equal records in a row are kept once; a full queue ends in one
 * overflow record.
 *
 *   watch: LIVE --(rm_watch, last name gone, one-shot event, instance closed)--> dead
 *
 * Its last record is IGNORED.
 *
 * Locks: watch_lock, a spinlock, guards every list here: those of inodes, of instances, and the
 * queues. Records are allocated under it without waiting. Inodes are put after it is dropped.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/radix.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>
#include <tessera/user_count.h>
#include <tessera/watch.h>

#include "vfs.h"

#define FIONREAD 0x541bu

int inotify_queue_max = 16384, inotify_instances_max = 128, inotify_watches_max = 65536;

static struct user_count user_instances = USER_COUNT_INIT(user_instances);
static struct user_count user_watches = USER_COUNT_INIT(user_watches);

/* All under watch_lock but what says otherwise. */
struct inotify {
	struct list queue;          /* struct record */
	uid_t user;                 /* [I] who made it: it and its watches count against his limits */
	uint32_t queue_max;         /* [I] records that may wait */
	uint32_t queued;
	uint32_t watches;
	struct radix_tree numbers;  /* struct watch by number */
	int next_number;
	size_t bytes;               /* that a read of everything would give */
	bool dead;
	struct wait_queue wait;
};

struct watch {
	struct list inode_node;     /* inode->watches */
	struct inotify *owner;      /* [I] */
	struct inode *inode;        /* [I] a reference */
	int number;                 /* [I] */
	uid_t user;                 /* [I] who is charged for it, if it is `counted` */
	bool counted;               /* [I] */
	uint32_t mask;
};

/* struct inotify_event as programs read it, then the name, padded with NULs to 16. */
struct event_header {
	int32_t number;
	uint32_t mask, cookie, length;
};

struct record {
	struct list node;
	struct event_header header;
	char name[];
};

uint32_t watch_count;

static struct spinlock watch_lock = SPINLOCK_INIT(INODE_CACHE);
static uint32_t last_cookie; /* [a] */

uint32_t
watch_new_cookie(void)
{
	return atomic_add_fetch(&last_cookie, 1);
}

/* The list of an inode's watches, made on first use. NULL: no memory. */
static struct list *
watches_of(struct inode *i)
{
	struct list *fresh;
	void *expected = NULL;

	if (atomic_load(&i->watches))
		return i->watches;
	fresh = kmalloc(sizeof(*fresh), 0);
	if (!fresh)
		return NULL;
	list_init(fresh);
	if (atomic_cas(&i->watches, &expected, (void *)fresh))
		return fresh;
	kfree(fresh);
	return expected;
}

/* --- queues ----------------------------------------------------------------------------------- */

static size_t
record_size(const struct record *r)
{
	return sizeof(r->header) + r->header.length;
}

static bool
same_record(const struct record *r, const struct event_header *h, const char *name)
{
	return r->header.number == h->number && r->header.mask == h->mask &&
	       r->header.cookie == h->cookie && r->header.length == h->length &&
	       (!name || strcmp(r->name, name) == 0);
}

/* Queue a record; the caller wakes the instance. watch_lock is held. */
static void
queue_locked(struct inotify *n, int number, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t room = name ? ALIGN_UP(strlen(name) + 1, 16ul) : 0;
	struct event_header h = { number, mask, cookie, (uint32_t)room };
	struct record *last = list_last(&n->queue, struct record, node), *r;

	if (last && same_record(last, &h, name))
		return;
	if (n->queued >= n->queue_max) {
		if (last && last->header.mask == WATCH_Q_OVERFLOW)
			return;
		h = (struct event_header){ -1, WATCH_Q_OVERFLOW, 0, 0 };
		name = NULL;
		room = 0;
	}
	r = kmalloc(sizeof(*r) + room, ALLOC_NOWAIT | ALLOC_ZERO);
	if (!r)
		return;
	r->header = h;
	if (name)
		string_copy(r->name, name, room);
	list_add_tail(&n->queue, &r->node);
	n->queued++;
	n->bytes += record_size(r);
}

/* Take the watch out of everything; IGNORED is its last word. The caller puts the inode and frees
 * it. */
static void
kill_locked(struct watch *w)
{
	list_del_init(&w->inode_node);
	radix_remove(&w->owner->numbers, (uint64_t)w->number);
	w->owner->watches--;
	queue_locked(w->owner, w->number, WATCH_IGNORED, 0, NULL);
	atomic_sub(&watch_count, 1);
}

static void
free_watch(struct watch *w)
{
	inode_put(w->inode);
	if (w->counted)
		user_count_give(&user_watches, w->user, 1);
	kfree(w);
}

void
watch_tell_inode_slow(struct inode *i, uint32_t event, const char *name, uint32_t cookie)
{
	struct list *watches = atomic_load(&i->watches), spent = LIST_INIT(spent);
	struct watch *w, *tmp;

	if (!watches)
		return;
	spin_lock(&watch_lock);
	list_for_each_safe(w, tmp, watches, inode_node) {
		if (!(w->mask & event & WATCH_ALL) && !(event & WATCH_UNMOUNT))
			continue;
		queue_locked(w->owner, w->number, event, cookie, name);
		wake_poll(&w->owner->wait, POLLIN | POLLRDNORM);
		if (w->mask & WATCH_ONESHOT) {
			kill_locked(w);
			list_add(&spent, &w->inode_node);
		}
	}
	spin_unlock(&watch_lock);
	list_for_each_safe(w, tmp, &spent, inode_node)
		free_watch(w);
}

void
watch_tell_dentry_slow(struct dentry *d, uint32_t event)
{
	struct dentry *parent;
	char name[NAME_MAX + 1];

	if (!d->inode)
		return;
	if (S_ISDIR(d->inode->mode))
		event |= WATCH_ISDIR;
	parent = dentry_parent(d);
	if (parent != d && parent->inode && atomic_load(&parent->inode->watches)) {
		spin_lock(&dentry_lock);
		memcpy(name, d->name, (size_t)d->length + 1);
		spin_unlock(&dentry_lock);
		watch_tell_inode_slow(parent->inode, event, name, 0);
	}
	dentry_put(parent);
	watch_tell_inode_slow(d->inode, event, NULL, 0);
}

void
watch_inode_removed(struct inode *i, uint32_t event)
{
	struct list *watches = atomic_load(&i->watches), dead = LIST_INIT(dead);
	struct watch *w, *tmp;

	if (!watches)
		return;
	watch_tell_inode_slow(i, event, NULL, 0);
	spin_lock(&watch_lock);
	list_for_each_safe(w, tmp, watches, inode_node) {
		kill_locked(w);
		wake_poll(&w->owner->wait, POLLIN | POLLRDNORM);
		list_add(&dead, &w->inode_node);
	}
	spin_unlock(&watch_lock);
	list_for_each_safe(w, tmp, &dead, inode_node)
		free_watch(w);
}

bool
watch_inode_is_watched(const struct inode *i)
{
	const struct list *watches = atomic_load(&i->watches);

	return watches && !list_is_empty(watches);
}

/* --- the open object -------------------------------------------------------------------------- */

static struct inotify *
inotify_of(const struct file *f)
{
	return f->private;
}

/*
 * The next record if it fits in `room`, out of the queue. *too_small: there is one that does not.
 */
static struct record *
take_record(struct inotify *n, size_t room, bool *too_small)
{
	struct record *r;

	spin_lock(&watch_lock);
	r = list_first(&n->queue, struct record, node);
	*too_small = r && record_size(r) > room;
	if (*too_small)
		r = NULL;
	if (r) {
		list_del(&r->node);
		n->queued--;
		n->bytes -= record_size(r);
	}
	spin_unlock(&watch_lock);
	return r;
}

static ssize_t
inotify_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct inotify *n = inotify_of(f);
	ssize_t done = 0;

	for (;;) {
		bool too_small;
		struct record *r = take_record(n, to->count, &too_small);
		size_t size, moved;

		if (r) {
			size = record_size(r);
			moved = iov_copy_to(to, &r->header, sizeof(r->header));
			if (moved == sizeof(r->header))
				moved += iov_copy_to(to, r->name, r->header.length);
			kfree(r);
			if (moved < size)
				return done ? done : -EFAULT;
			done += (ssize_t)size;
			continue;
		}
		if (done)
			return done;
		if (too_small)
			return -EINVAL;
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&n->wait, !list_is_empty(&n->queue)))
			return -ERESTARTSYS;
	}
}

static uint32_t
inotify_poll(struct file *f, struct poll_table *pt)
{
	struct inotify *n = inotify_of(f);

	poll_wait(pt, f, &n->wait);
	return list_is_empty(&n->queue) ? 0 : POLLIN | POLLRDNORM;
}

static long
inotify_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	int bytes;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&watch_lock);
	bytes = (int)inotify_of(f)->bytes;
	spin_unlock(&watch_lock);
	return put_user(bytes, (int __user *)arg);
}

/* The watch with the smallest number, dead; or NULL. */
static struct watch *
kill_first(struct inotify *n)
{
	uint64_t number = 0;
	struct watch *w;

	spin_lock(&watch_lock);
	w = radix_next(&n->numbers, &number);
	if (w)
		kill_locked(w);
	spin_unlock(&watch_lock);
	return w;
}

static void
inotify_release(struct file *f)
{
	struct inotify *n = inotify_of(f);
	struct record *r, *tmp;
	struct watch *w;

	while ((w = kill_first(n)) != NULL)
		free_watch(w);
	list_for_each_safe(r, tmp, &n->queue, node)
		kfree(r);
	radix_destroy(&n->numbers);
	user_count_give(&user_instances, n->user, 1);
	kfree(n);
}

static void
inotify_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct inotify *n = inotify_of(f);
	struct watch copy, *w;
	ino_t inode = 0;

	for (uint64_t number = 0;; number++) {
		spin_lock(&watch_lock);
		w = radix_next(&n->numbers, &number);
		if (w) {
			copy = *w;
			inode = w->inode->number;
		}
		spin_unlock(&watch_lock);
		if (!w)
			break;
		print(ctx, "inotify wd:%x ino:%lx sdev:0 mask:%x ignored_mask:0\n", copy.number,
			inode, copy.mask);
	}
}

static void
inotify_dump(struct file *f)
{
	const struct inotify *n = inotify_of(f);

	pr_info("  inotify: %u watches, %u records\n", n->watches, n->queued);
}

static const struct file_ops inotify_ops = {
	.name = "inotify",
	.no_splice_read = true,
	.read = inotify_read,
	.poll = inotify_poll,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
	.fdinfo = inotify_fdinfo,
	.dump = inotify_dump,
};

struct file *
inotify_create(uint32_t flags)
{
	struct inotify *n = kzalloc(sizeof(*n));
	struct file *f;
	int error;

	if (!n)
		return ERR_PTR(-ENOMEM);
	n->user = current_cred()->euid;
	n->queue_max = (uint32_t)READ_ONCE(inotify_queue_max);
	error = user_count_take(&user_instances, n->user, 1, (uint64_t)READ_ONCE(inotify_instances_max));
	if (error) {
		kfree(n);
		return ERR_PTR(error == -EDQUOT ? -EMFILE : error);
	}
	list_init(&n->queue);
	wait_queue_init(&n->wait);
	radix_init(&n->numbers);
	n->next_number = 1;
	f = anonymous_file_create(&inotify_ops, O_RDONLY | flags, n);
	if (f)
		return f;
	user_count_give(&user_instances, n->user, 1);
	kfree(n);
	return ERR_PTR(-ENOMEM);
}

/* The instance's watch on i, or NULL. watch_lock is held. */
static struct watch *
find_locked(struct inotify *n, struct list *watches)
{
	struct watch *w;

	list_for_each(w, watches, inode_node)
		if (w->owner == n)
			return w;
	return NULL;
}

/* Enter `fresh`, or change the watch that is there already (then fresh is left alone). */
static int
add_locked(struct inotify *n, struct list *watches, struct watch *fresh, uint32_t mask, bool *used)
{
	struct watch *w = find_locked(n, watches);
	int error;

	*used = false;
	if (w) {
		if (mask & WATCH_MASK_CREATE)
			return -EEXIST;
		w->mask = (mask & WATCH_MASK_ADD ? w->mask : 0) | mask;
		return w->number;
	}
	if (!fresh->counted)
		return -ENOSPC;
	fresh->number = n->next_number;
	error = radix_set(&n->numbers, (uint64_t)fresh->number, fresh, NULL);
	if (error)
		return error;
	n->next_number++;
	n->watches++;
	list_add(watches, &fresh->inode_node);
	atomic_add(&watch_count, 1);
	*used = true;
	return fresh->number;
}

bool
file_is_inotify(struct file *f)
{
	return f->ops == &inotify_ops;
}

int
inotify_add(struct file *f, struct inode *i, uint32_t mask)
{
	struct list *there = watches_of(i);
	struct watch *fresh = kzalloc(sizeof(*fresh));
	bool used = false;
	int number;

	if (!file_is_inotify(f)) {
		kfree(fresh);
		return -EINVAL;
	}
	if (!there || !fresh) {
		kfree(fresh);
		return -ENOMEM;
	}
	fresh->owner = inotify_of(f);
	fresh->inode = i;
	fresh->mask = mask;
	fresh->user = inotify_of(f)->user;
	number = user_count_take(&user_watches, fresh->user, 1, (uint64_t)READ_ONCE(inotify_watches_max));
	if (number == -ENOMEM) {
		kfree(fresh);
		return number;
	}
	fresh->counted = number == 0;
	list_init(&fresh->inode_node);
	inode_get(i);
	spin_lock(&watch_lock);
	number = add_locked(inotify_of(f), there, fresh, mask, &used);
	spin_unlock(&watch_lock);
	if (!used)
		free_watch(fresh);
	return number;
}

int
inotify_remove(struct file *f, int number)
{
	struct inotify *n = inotify_of(f);
	struct watch *w;

	if (f->ops != &inotify_ops)
		return -EINVAL;
	spin_lock(&watch_lock);
	w = number > 0 ? radix_get(&n->numbers, (uint64_t)number) : NULL;
	if (w)
		kill_locked(w);
	spin_unlock(&watch_lock);
	if (!w)
		return -EINVAL;
	wake_poll(&n->wait, POLLIN | POLLRDNORM);
	free_watch(w);
	return 0;
}
