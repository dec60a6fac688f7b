/* SPDX-License-Identifier: MIT */
/*
 * fanotify.c - groups that watch files, directories, mounts and file systems: fanotify(7).
 *
 * A group (the open object) is one of vfs/notify.c's; its marks carry two masks, of what it wants to hear and
 * of what it ignores. What happens waits in its queue (fanotify_event.c) until it is read
 * (fanotify_read.c). Groups of content and pre-content priority may ask to be asked: who opens or reads a file
 * then waits for their answer.
 *
 * Limits: of each user's groups and marks, and of the events that wait in a group; a group may be
 * without the last two.
 *
 * Locks: notify_lock.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/uaccess.h>
#include <tessera/user_count.h>

#include "fanotify.h"
#include "vfs.h"

#define FIONREAD 0x541bu

int fanotify_queue_max = 16384, fanotify_groups_max = 128, fanotify_marks_max = 8192;

static struct user_count user_groups = USER_COUNT_INIT(user_groups);
static struct user_count user_marks = USER_COUNT_INIT(user_marks);

struct fanotify_mark {
	struct notify_mark mark;
	bool counted;                 /* [I] against the user's limit */
};

static void
mark_free(struct notify_mark *m)
{
	struct fanotify_mark *fm = container_of(m, struct fanotify_mark, mark);

	if (fm->counted)
		user_count_give(&user_marks, container_of(m->group, struct fanotify, group)->user, 1);
	kfree(fm);
}

static void
group_free(struct notify_group *g)
{
	struct fanotify *n = container_of(g, struct fanotify, group);

	user_count_give(&user_groups, n->user, 1);
	kfree(n);
}

static const struct notify_ops group_ops = {
	.name = "fanotify",
	.tell = fanotify_tell,
	.judge = fanotify_judge,
	.mark_free = mark_free,
	.group_free = group_free,
};

/* --- marks ---------------------------------------------------------------------------------------- */

static void *
object_of(const struct path *p, enum notify_kind kind)
{
	switch (kind) {
	case NOTIFY_KIND_INODE:
		return p->dentry->inode;
	case NOTIFY_KIND_MOUNT:
		return p->mount;
	case NOTIFY_KIND_FILESYSTEM:
		return p->mount->fs;
	}
	return NULL;
}

/* A mark keeps what it once had: it holds its inode, ignores in the new way, and through changes. */
static int
may_change(const struct notify_mark *m, const struct fanotify_change *c)
{
	if (c->evictable && m->holds)
		return -EEXIST;
	if (c->ignore && !c->own_flags && m->own_flags)
		return -EEXIST;
	if (c->ignore && c->own_flags && !c->survives && m->survives)
		return -EEXIST;
	return 0;
}

static void
change_locked(struct notify_mark *m, const struct fanotify_change *c)
{
	if (c->ignore) {
		m->ignored |= c->mask;
		m->own_flags |= c->own_flags;
		m->survives |= c->survives;
	} else {
		m->mask |= c->mask;
	}
	if (m->kind == NOTIFY_KIND_INODE && !m->holds && !c->evictable) {
		m->holds = true;
		if (m->alive)
			inode_get(m->i);
	}
	notify_changed_locked(m);
}

/* A mark to enter; -ENOSPC: the user has too many. */
static struct fanotify_mark *
new_mark(struct fanotify *n, void *object, enum notify_kind kind)
{
	struct fanotify_mark *fm = kzalloc(sizeof(*fm));
	int error = 0;

	if (!fm)
		return ERR_PTR(-ENOMEM);
	if (!(n->shape.report & FANOTIFY_UNLIMITED_MARKS)) {
		error = user_count_take(&user_marks, n->user, 1, (uint64_t)READ_ONCE(fanotify_marks_max));
		fm->counted = !error;
	}
	if (error == -ENOMEM) {
		kfree(fm);
		return ERR_PTR(error);
	}
	fm->mark.group = &n->group;
	fm->mark.kind = kind;
	fm->mark.i = object;
	return fm;
}

int
fanotify_add(struct file *f, const struct path *p, const struct fanotify_change *c)
{
	struct fanotify *n = fanotify_of(f);
	void *object = object_of(p, c->kind);
	struct notify_object *o;
	struct fanotify_mark *fresh;
	struct notify_mark *m;
	int error = 0;

	/* What is written to at this moment is not ignored until it is written to. */
	if (c->ignore && !c->survives && c->kind == NOTIFY_KIND_INODE && !S_ISDIR(p->dentry->inode->mode) &&
	    atomic_load(&p->dentry->inode->writers) > 0)
		return 0;
	o = notify_object_get(c->kind, object);
	if (!o)
		return -ENOMEM;
	fresh = new_mark(n, object, c->kind);
	if (IS_ERR(fresh))
		return (int)PTR_ERR(fresh);
	spin_lock(&notify_lock);
	m = notify_find_locked(o, &n->group);
	if (m) {
		error = may_change(m, c);
		if (!error)
			change_locked(m, c);
	} else if (!fresh->counted && !(n->shape.report & FANOTIFY_UNLIMITED_MARKS)) {
		error = -ENOSPC;
	} else {
		change_locked(&fresh->mark, c);
		notify_add_locked(o, &fresh->mark);
		fresh = NULL;
	}
	spin_unlock(&notify_lock);
	if (fresh)
		mark_free(&fresh->mark);
	return error;
}

int
fanotify_remove(struct file *f, const struct path *p, const struct fanotify_change *c)
{
	struct notify_object *o = notify_object_get(c->kind, object_of(p, c->kind));
	struct list dead = LIST_INIT(dead);
	struct notify_mark *m;

	if (!o)
		return -ENOMEM;
	spin_lock(&notify_lock);
	m = notify_find_locked(o, &fanotify_of(f)->group);
	if (m) {
		if (c->ignore)
			m->ignored &= ~(c->mask & ~c->kept);
		else
			m->mask &= ~(c->mask & ~c->kept);
		notify_changed_locked(m);
		if (!((m->mask | m->ignored) & ~c->kept))
			notify_kill_locked(m, &dead);
	}
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
	return m ? 0 : -ENOENT;
}

void
fanotify_flush(struct file *f, enum notify_kind kind)
{
	struct fanotify *n = fanotify_of(f);
	struct list dead = LIST_INIT(dead);
	struct notify_mark *m, *tmp;

	spin_lock(&notify_lock);
	list_for_each_safe(m, tmp, &n->group.marks, group_node)
		if (m->kind == kind)
			notify_kill_locked(m, &dead);
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
}

/* --- the open object ------------------------------------------------------------------------------ */

static uint32_t
fanotify_poll(struct file *f, struct poll_table *pt)
{
	struct fanotify *n = fanotify_of(f);

	poll_wait(pt, f, &n->wait);
	return list_is_empty(&n->queue) ? 0 : POLLIN | POLLRDNORM;
}

static long
fanotify_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	int bytes;

	if (command != FIONREAD)
		return -ENOTTY;
	spin_lock(&notify_lock);
	bytes = (int)fanotify_of(f)->bytes;
	spin_unlock(&notify_lock);
	return put_user(bytes, (int __user *)arg);
}

static void
fanotify_release(struct file *f)
{
	struct fanotify *n = fanotify_of(f);

	fanotify_drain(n);
	notify_group_end(&n->group);
}

/* What fdinfo says of a mark, taken under the lock. */
struct shown_mark {
	enum notify_kind kind;
	uint32_t flags, mask, ignored;
	struct inode *i;              /* a reference */
	uint64_t mount_id;
	uint32_t device;
};

#define SHOWN_SURVIVES  0x40u
#define SHOWN_EVICTABLE 0x200u
#define SHOWN_OWN_FLAGS 0x400u

/* The mark at `place` in the group's list; false: there are fewer. */
static bool
show_mark(struct fanotify *n, uint32_t place, struct shown_mark *s)
{
	struct notify_mark *m;
	bool found = false;

	*s = (struct shown_mark){ 0 };
	spin_lock(&notify_lock);
	list_for_each(m, &n->group.marks, group_node) {
		if (place-- > 0)
			continue;
		found = true;
		s->kind = m->kind;
		s->mask = m->mask;
		s->ignored = m->ignored;
		s->flags = (m->survives ? SHOWN_SURVIVES : 0) | (m->own_flags ? SHOWN_OWN_FLAGS : 0);
		if (m->kind == NOTIFY_KIND_INODE) {
			s->flags |= m->holds ? 0 : SHOWN_EVICTABLE;
			if (ref_get_unless_zero(&m->i->refs))
				s->i = m->i;
		} else if (m->kind == NOTIFY_KIND_MOUNT) {
			s->mount_id = m->mount->id;
		} else {
			s->device = notify_device_shown(m->fs);
		}
		break;
	}
	spin_unlock(&notify_lock);
	return found;
}

static void
fanotify_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct fanotify *n = fanotify_of(f);
	struct shown_mark s;

	print(ctx, "fanotify flags:%x event-flags:%x\n", n->shape.shown_flags, n->shape.open_flags);
	for (uint32_t place = 0; show_mark(n, place, &s); place++) {
		if (s.kind == NOTIFY_KIND_INODE && !s.i)
			continue;
		if (s.kind == NOTIFY_KIND_INODE)
			print(ctx, "fanotify ino:%lx sdev:%x ", s.i->number, notify_device_shown(s.i->fs));
		else if (s.kind == NOTIFY_KIND_MOUNT)
			print(ctx, "fanotify mnt_id:%lx ", s.mount_id);
		else
			print(ctx, "fanotify sdev:%x ", s.device);
		print(ctx, "mflags:%x mask:%x ignored_mask:%x", s.flags, s.mask, s.ignored);
		if (s.i) {
			print(ctx, " ");
			notify_show_key(s.i, print, ctx);
			inode_put(s.i);
		}
		print(ctx, "\n");
	}
}

static void
fanotify_dump(struct file *f)
{
	const struct fanotify *n = fanotify_of(f);

	pr_info("  fanotify: priority %u, %u marks, %u events%s, questions asked: %s\n", n->group.priority,
		n->group.count, n->queued, n->overflown ? " and more" : "", list_is_empty(&n->asked) ? "no" : "yes");
}

static const struct file_ops fanotify_ops = {
	.name = "fanotify",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = fanotify_read,
	.write = fanotify_write,
	.poll = fanotify_poll,
	.ioctl = fanotify_ioctl,
	.release = fanotify_release,
	.fdinfo = fanotify_fdinfo,
	.dump = fanotify_dump,
};

bool
file_is_fanotify(struct file *f)
{
	return f->ops == &fanotify_ops;
}

const struct fanotify_shape *
fanotify_shape_of(struct file *f)
{
	return &fanotify_of(f)->shape;
}

struct file *
fanotify_create(const struct fanotify_shape *s, uint32_t flags)
{
	struct fanotify *n = kzalloc(sizeof(*n));
	struct file *f;
	int error;

	if (!n)
		return ERR_PTR(-ENOMEM);
	n->shape = *s;
	n->user = current_cred()->euid;
	n->queue_max = s->report & FANOTIFY_UNLIMITED_QUEUE ? UINT32_MAX : (uint32_t)READ_ONCE(fanotify_queue_max);
	error = user_count_take(&user_groups, n->user, 1, (uint64_t)READ_ONCE(fanotify_groups_max));
	if (error) {
		kfree(n);
		return ERR_PTR(error == -EDQUOT ? -EMFILE : error);
	}
	notify_group_init(&n->group, &group_ops, s->priority);
	list_init(&n->queue);
	list_init(&n->asked);
	for (size_t b = 0; b < FANOTIFY_BUCKETS; b++)
		list_init(&n->buckets[b]);
	wait_queue_init(&n->wait);
	wait_queue_init(&n->answers);
	f = anonymous_file_create(&fanotify_ops, O_RDWR | flags, n);
	if (f)
		return f;
	notify_group_end(&n->group);
	return ERR_PTR(-ENOMEM);
}
