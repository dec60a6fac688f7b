/* SPDX-License-Identifier: MIT */
/*
 * dnotify.c - a signal when something happens in a directory: fcntl's F_NOTIFY.
 *
 * What was asked for belongs to an open object and the table of handles through which it was asked. Each such
 * request is a group of vfs/notify.c with one mark, on the directory; so a directory's marks are the list of its
 * requests. The signal goes to the open object's owner (F_SETOWN), by the number that F_SETSIG said.
 *
 *   request: made by F_NOTIFY --(event without `again`, F_NOTIFY of 0, a handle closed)--> gone
 *
 * A request does not hold its file: (1) it is entered, (2) F_NOTIFY looks whether the handle is still there; who
 * closes (3) takes the handle away, (4) looks for requests. One of the two sees the other, so none outlives
 * the file's handles in its table.
 *
 * Locks: notify_lock. Signals are sent without it.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "notify.h"
#include "vfs.h"

/* [I] immutable  [n] notify_lock */
struct request {
	struct notify_group group;
	struct notify_mark mark;
	struct file *file;                /* [I] */
	const struct handle_table *table; /* [I] a name only */
	int fd;                           /* [n] what si_fd says; read without it */
	bool again;                       /* [n] */
};

int dnotify_enable = 1;

/* The file gets a reference, for dnotify_judge(). */
static void *
dnotify_tell(struct notify_group *g, const struct notify_event *e, struct notify_mark *const marks[NOTIFY_PLACES],
	     struct list *dead)
{
	struct request *r = container_of(g, struct request, group);

	if (!(r->mark.mask & e->what & NOTIFY_EVENTS))
		return NULL;
	/* A move elsewhere is told as one name less here and one more there. */
	if ((e->what & NOTIFY_RENAME) && e->dir != e->new_dir)
		return NULL;
	if (!ref_get_unless_zero(&r->file->refs))
		return NULL;
	if (!r->again)
		notify_kill_locked(&r->mark, dead);
	return r;
}

static int
dnotify_judge(struct notify_group *g, void *question)
{
	struct request *r = question;

	file_signal_owner(r->file, READ_ONCE(r->fd), ASYNC_MSG);
	file_put_late(r->file);
	return 0;
}

/* A request ends with its mark. */
static void
dnotify_mark_free(struct notify_mark *m)
{
	notify_group_put(m->group);
}

static void
dnotify_group_free(struct notify_group *g)
{
	kfree(container_of(g, struct request, group));
}

static const struct notify_ops dnotify_ops = {
	.name = "dnotify",
	.tell = dnotify_tell,
	.judge = dnotify_judge,
	.mark_free = dnotify_mark_free,
	.group_free = dnotify_group_free,
};

/* What was asked for by way of f and t, or NULL. */
static struct request *
find_locked(const struct notify_object *o, const struct file *f, const struct handle_table *t)
{
	struct notify_mark *m;

	list_for_each(m, &o->marks, object_node) {
		struct request *r = container_of(m->group, struct request, group);

		if (m->group->ops == &dnotify_ops && r->file == f && r->table == t)
			return r;
	}
	return NULL;
}

void
dnotify_closed_slow(struct file *f, struct handle_table *t)
{
	struct notify_object *o = atomic_load(&f->inode->notify);
	struct list dead = LIST_INIT(dead);
	struct request *r;

	if (!o)
		return;
	spin_lock(&notify_lock);
	r = find_locked(o, f, t);
	if (r)
		notify_kill_locked(&r->mark, &dead);
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
}

static struct request *
new_request(struct file *f, const struct handle_table *t)
{
	struct request *r = kzalloc(sizeof(*r));

	if (!r)
		return NULL;
	notify_group_init(&r->group, &dnotify_ops, 0);
	r->mark.group = &r->group;
	r->mark.kind = NOTIFY_KIND_INODE;
	r->mark.i = f->inode;
	r->mark.holds = true;
	r->file = f;
	r->table = t;
	return r;
}

/* Does `fd` still lead to f? */
static bool
is_handle_of(struct handle_table *t, int fd, const struct file *f)
{
	struct file *now = handle_table_get(t, fd, NULL);
	bool same = now == f;

	if (now)
		file_put(now);
	return same;
}

int
dnotify_set(struct file *f, int fd, uint32_t events, bool again)
{
	struct handle_table *t = current_process()->handles;
	struct notify_object *o;
	struct request *r, *fresh;
	int error;

	if (!f->inode || !S_ISDIR(f->inode->mode))
		return -ENOTDIR;
	o = notify_object_get(NOTIFY_KIND_INODE, f->inode);
	fresh = o ? new_request(f, t) : NULL;
	if (!fresh)
		return -ENOMEM;
	error = file_owner_default(f);
	if (error) {
		notify_group_put(&fresh->group);
		return error;
	}
	spin_lock(&f->lock);
	WRITE_ONCE(f->mode, f->mode | FILE_DNOTIFY);
	spin_unlock(&f->lock);
	spin_lock(&notify_lock); /* (1) */
	r = find_locked(o, f, t);
	if (!r)
		r = fresh;
	r->mark.mask |= events | NOTIFY_ON_CHILD;
	r->again |= again;
	WRITE_ONCE(r->fd, fd);
	if (r == fresh)
		notify_add_locked(o, &r->mark);
	else
		notify_changed_locked(&r->mark);
	spin_unlock(&notify_lock);
	if (r != fresh)
		notify_group_put(&fresh->group);
	if (!is_handle_of(t, fd, f)) /* (2) */
		dnotify_closed_slow(f, t);
	return 0;
}
