/* SPDX-License-Identifier: MIT */
/*
 * inotify.c - watching files and directories: inotify(7).
 *
 * An instance (the open object) is a group of vfs/notify.c, a watch is a mark of it on an inode, with a
 * number. Each event that a watch asked for puts a record into its instance's queue. Equal records in a row
 * are kept once; a full queue ends in one overflow record.
 *
 *   watch: LIVE --(rm_watch, last name gone, one-shot event, instance closed)--> dead
 *
 * Its last record is IGNORED.
 *
 * Locks: notify_lock guards the queues and the numbers, too.
 */
#include <tessera/async.h>
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

#include "notify.h"
#include "vfs.h"

#define FIONREAD 0x541bu

/* What programs see of an event, and of a watch. */
#define EVENT_SHOWN (INOTIFY_EVENTS | NOTIFY_DIR | NOTIFY_UNMOUNT | INOTIFY_IGNORED | NOTIFY_OVERFLOW)
#define MASK_SHOWN  (INOTIFY_EVENTS | INOTIFY_EXCL_UNLINK | INOTIFY_ONESHOT)

int inotify_queue_max = 16384, inotify_instances_max = 128, inotify_watches_max = 65536;

static struct user_count user_instances = USER_COUNT_INIT(user_instances);
static struct user_count user_watches = USER_COUNT_INIT(user_watches);

/* All under notify_lock but what says otherwise. */
struct inotify {
	struct notify_group group;
	struct async_list async;    /* who is told of records by signal */
	struct list queue;          /* struct record */
	uid_t user;                 /* [I] who made it: it and its watches count against his limits */
	uint32_t queue_max;         /* [I] records that may wait */
	uint32_t queued;
	struct radix_tree numbers;  /* struct watch by number */
	int next_number;
	size_t bytes;               /* that a read of everything would give */
	struct wait_queue wait;
};

struct watch {
	struct notify_mark mark;
	int number;                 /* [I] */
	bool counted;               /* [I] */
	uint32_t shown;             /* MASK_SHOWN of what was asked for */
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

static struct inotify *
of_group(struct notify_group *g)
{
	return container_of(g, struct inotify, group);
}

static struct watch *
of_mark(struct notify_mark *m)
{
	return container_of(m, struct watch, mark);
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

/* Queue a record; the caller wakes the instance. notify_lock is held. */
static void
queue_locked(struct inotify *n, int number, uint32_t mask, uint32_t cookie, const char *name)
{
	size_t room = name ? ALIGN_UP(strlen(name) + 1, 16ul) : 0;
	struct event_header h = { number, mask, cookie, (uint32_t)room };
	struct record *last = list_last(&n->queue, struct record, node), *r;

	if (last && same_record(last, &h, name))
		return;
	if (n->queued >= n->queue_max) {
		if (last && last->header.mask == NOTIFY_OVERFLOW)
			return;
		h = (struct event_header){ -1, NOTIFY_OVERFLOW, 0, 0 };
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

/* --- what the marks' layer calls ----------------------------------------------------------------- */

static void
report_locked(struct inotify *n, struct watch *w, const struct notify_event *e, bool named, struct list *dead)
{
	if (!(w->mark.mask & e->what & NOTIFY_EVENTS) && !(e->what & NOTIFY_UNMOUNT))
		return;
	/* A name that is gone already says nothing, if that was asked for. */
	if ((w->shown & INOTIFY_EXCL_UNLINK) && e->path && !READ_ONCE(e->path->dentry->hashed) &&
	    e->path->dentry->parent != e->path->dentry)
		return;
	queue_locked(n, w->number, e->what & EVENT_SHOWN, named ? e->cookie : 0, named ? e->name : NULL);
	wake_poll(&n->wait, POLLIN | POLLRDNORM);
	if (w->shown & INOTIFY_ONESHOT)
		notify_kill_locked(&w->mark, dead);
}

/* Both a directory and its entry may be watched: each has its own record, with and without the name. */
static void *
inotify_tell(struct notify_group *g, const struct notify_event *e, struct notify_mark *const marks[NOTIFY_PLACES],
	     struct list *dead)
{
	if (marks[NOTIFY_AT_DIR])
		report_locked(of_group(g), of_mark(marks[NOTIFY_AT_DIR]), e, true, dead);
	if (marks[NOTIFY_AT_INODE])
		report_locked(of_group(g), of_mark(marks[NOTIFY_AT_INODE]), e,
			      (e->what & NOTIFY_ENTRY_EVENTS) != 0, dead);
	return NULL;
}

static void
inotify_mark_ends(struct notify_mark *m)
{
	struct inotify *n = of_group(m->group);

	radix_remove(&n->numbers, (uint64_t)of_mark(m)->number);
	queue_locked(n, of_mark(m)->number, INOTIFY_IGNORED, 0, NULL);
	wake_poll(&n->wait, POLLIN | POLLRDNORM);
}

static void
inotify_mark_free(struct notify_mark *m)
{
	struct watch *w = of_mark(m);

	if (w->counted)
		user_count_give(&user_watches, of_group(m->group)->user, 1);
	kfree(w);
}

static void
inotify_group_free(struct notify_group *g)
{
	struct inotify *n = of_group(g);
	struct record *r, *tmp;

	list_for_each_safe(r, tmp, &n->queue, node)
		kfree(r);
	radix_destroy(&n->numbers);
	user_count_give(&user_instances, n->user, 1);
	kfree(n);
}

static const struct notify_ops inotify_group_ops = {
	.name = "inotify",
	.tell = inotify_tell,
	.mark_ends = inotify_mark_ends,
	.mark_free = inotify_mark_free,
	.group_free = inotify_group_free,
};

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

	spin_lock(&notify_lock);
	r = list_first(&n->queue, struct record, node);
	*too_small = r && record_size(r) > room;
	if (*too_small)
		r = NULL;
	if (r) {
		list_del(&r->node);
		n->queued--;
		n->bytes -= record_size(r);
	}
	spin_unlock(&notify_lock);
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
	spin_lock(&notify_lock);
	bytes = (int)inotify_of(f)->bytes;
	spin_unlock(&notify_lock);
	return put_user(bytes, (int __user *)arg);
}

static struct async_list *
inotify_async(struct file *f)
{
	return &inotify_of(f)->async;
}

static void
inotify_release(struct file *f)
{
	notify_group_end(&inotify_of(f)->group);
}

static void
inotify_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct inotify *n = inotify_of(f);

	for (uint32_t place = 0;; place++) {
		uint32_t mask = 0, at = place;
		struct inode *i = NULL;
		struct notify_mark *m;
		int number = 0;

		spin_lock(&notify_lock);
		list_for_each(m, &n->group.marks, group_node)
			if (at-- == 0) {
				i = m->i;
				inode_get(i);
				mask = of_mark(m)->shown;
				number = of_mark(m)->number;
				break;
			}
		spin_unlock(&notify_lock);
		if (!i)
			break;
		print(ctx, "inotify wd:%x ino:%lx sdev:%x mask:%x ignored_mask:0 ", number, i->number,
		      notify_device_shown(i->fs), mask);
		notify_show_key(i, print, ctx);
		print(ctx, "\n");
		inode_put(i);
	}
}

static void
inotify_dump(struct file *f)
{
	const struct inotify *n = inotify_of(f);

	pr_info("  inotify: %u watches, %u records\n", n->group.count, n->queued);
}

static const struct file_ops inotify_ops = {
	.name = "inotify",
	.no_splice_read = true,
	.read = inotify_read,
	.poll = inotify_poll,
	.async = inotify_async,
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
	notify_group_init(&n->group, &inotify_group_ops, 0);
	async_list_init(&n->async);
	n->group.async = &n->async;
	list_init(&n->queue);
	wait_queue_init(&n->wait);
	radix_init(&n->numbers);
	n->next_number = 1;
	f = anonymous_file_create(&inotify_ops, O_RDONLY | flags, n);
	if (f)
		return f;
	notify_group_end(&n->group);
	return ERR_PTR(-ENOMEM);
}

/* Enter `fresh`, or change the watch that is there already (then fresh is left alone). */
static int
add_locked(struct inotify *n, struct notify_object *o, struct watch *fresh, uint32_t asked, bool *used)
{
	struct notify_mark *there = notify_find_locked(o, &n->group);
	struct watch *w = there ? of_mark(there) : NULL;
	int error;

	*used = false;
	if (w) {
		if (asked & INOTIFY_MASK_CREATE)
			return -EEXIST;
		w->mark.mask = (asked & INOTIFY_MASK_ADD ? w->mark.mask : 0) | fresh->mark.mask;
		w->shown = (asked & INOTIFY_MASK_ADD ? w->shown : 0) | fresh->shown;
		notify_changed_locked(&w->mark);
		return w->number;
	}
	if (!fresh->counted)
		return -ENOSPC;
	fresh->number = n->next_number;
	error = radix_set(&n->numbers, (uint64_t)fresh->number, fresh, NULL);
	if (error)
		return error;
	n->next_number++;
	notify_add_locked(o, &fresh->mark);
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
	struct notify_object *o = notify_object_get(NOTIFY_KIND_INODE, i);
	struct watch *fresh = o ? kzalloc(sizeof(*fresh)) : NULL;
	struct inotify *n = inotify_of(f);
	bool used = false;
	int number;

	if (!fresh)
		return -ENOMEM;
	fresh->mark.group = &n->group;
	fresh->mark.kind = NOTIFY_KIND_INODE;
	fresh->mark.i = i;
	fresh->mark.holds = true;
	fresh->mark.mask = (mask & INOTIFY_EVENTS) | NOTIFY_UNMOUNT | (S_ISDIR(i->mode) ? NOTIFY_ON_CHILD : 0);
	fresh->shown = mask & MASK_SHOWN;
	number = user_count_take(&user_watches, n->user, 1, (uint64_t)READ_ONCE(inotify_watches_max));
	if (number == -ENOMEM) {
		kfree(fresh);
		return number;
	}
	fresh->counted = number == 0;
	spin_lock(&notify_lock);
	number = add_locked(n, o, fresh, mask, &used);
	spin_unlock(&notify_lock);
	if (!used)
		inotify_mark_free(&fresh->mark);
	return number;
}

int
inotify_remove(struct file *f, int number)
{
	struct inotify *n = inotify_of(f);
	struct list dead = LIST_INIT(dead);
	struct watch *w;

	spin_lock(&notify_lock);
	w = number > 0 ? radix_get(&n->numbers, (uint64_t)number) : NULL;
	if (w)
		notify_kill_locked(&w->mark, &dead);
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
	return w ? 0 : -EINVAL;
}
