/* SPDX-License-Identifier: MIT */
/*
 * notify.c - the way of an event to who watches.
 *
 * An event happens to an inode, maybe by way of an open file (then through a mount), maybe under a name
 * in a directory. So there are up to four objects whose marks may ask for it: the file system, the mount,
 * the inode, and the directory. A group has at most one mark on each, and is told once, with all its
 * marks in hand: what one of them ignores, the others do not report either. Groups of higher priority come
 * first; between groups of one priority the older does.
 *
 * All objects keep their marks in that one order (notify_marks.c), so that a walk is a merge of four lists. Where it
 * has to let go of the lock - somebody must be asked, or signalled - it remembers the group it was
 * at and goes on behind it.
 *
 * Locks: notify_lock guards all lists of marks and all groups' queues. Records are allocated under it
 * without waiting; inodes and groups are put after it is dropped.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "notify.h"
#include "vfs.h"

static uint32_t last_cookie; /* [a] */
static uint64_t told; /* [a] events that somebody heard of */

/* A merge of the objects' marks. */
struct walk {
	struct notify_object *at[NOTIFY_PLACES]; /* NULL: no object, or no marks there */
	struct notify_mark *next[NOTIFY_PLACES]; /* NULL: all seen */
	struct notify_mark *marks[NOTIFY_PLACES]; /* of the group that it has come to */
	struct notify_group *group;               /* ... which may be gone when the lock was dropped: */
	uint8_t priority;
	uint64_t id;
};

static struct notify_mark *
mark_after(const struct notify_object *o, const struct notify_mark *m)
{
	return m->object_node.next == &o->marks ? NULL
						: list_entry(m->object_node.next, struct notify_mark, object_node);
}

/* Go on behind the group it was at. */
static void
walk_resume(struct walk *w)
{
	const struct notify_group last = { .priority = w->priority, .id = w->id };

	for (int p = 0; p < NOTIFY_PLACES; p++) {
		if (!w->at[p])
			continue;
		w->next[p] = notify_first_mark(w->at[p]);
		while (w->next[p] && !notify_is_before(&last, w->next[p]->group))
			w->next[p] = mark_after(w->at[p], w->next[p]);
	}
}

/* Come to the next group and its marks. False: there is none. */
static bool
walk_step(struct walk *w)
{
	w->group = NULL;
	for (int p = 0; p < NOTIFY_PLACES; p++)
		if (w->next[p] && (!w->group || notify_is_before(w->next[p]->group, w->group)))
			w->group = w->next[p]->group;
	if (!w->group)
		return false;
	w->priority = w->group->priority;
	w->id = w->group->id;
	for (int p = 0; p < NOTIFY_PLACES; p++) {
		w->marks[p] = NULL;
		if (!w->next[p] || w->next[p]->group != w->group)
			continue;
		w->marks[p] = w->next[p];
		w->next[p] = mark_after(w->at[p], w->next[p]);
	}
	return true;
}

/* The flags that go with what is ignored. Those of old are fixed: directories are, entries as the mask says. */
static uint32_t
ignore_flags(const struct notify_mark *m)
{
	return m->own_flags ? m->ignored : NOTIFY_DIR | (m->mask & NOTIFY_ON_CHILD);
}

uint32_t
notify_ignored(const struct notify_mark *m, uint32_t event, enum notify_place at)
{
	uint32_t flags = ignore_flags(m);

	if (at == NOTIFY_AT_DIR && !(event & NOTIFY_RENAME) && !(flags & NOTIFY_ON_CHILD))
		return 0;
	if ((event & NOTIFY_DIR) && !(flags & NOTIFY_DIR))
		return 0;
	return m->ignored & NOTIFY_EVENTS;
}

bool
notify_applies(uint32_t mask, uint32_t event, enum notify_place at)
{
	if ((event & NOTIFY_DIR) && !(mask & NOTIFY_DIR))
		return false;
	return at != NOTIFY_AT_DIR || (event & NOTIFY_RENAME) || (mask & NOTIFY_ON_CHILD);
}

/* The group that the walk has come to: as notify_ops.tell. */
static void *
tell_group(struct walk *w, const struct notify_event *e, struct list *dead)
{
	uint32_t wanted = 0, ignored = 0;

	for (int p = 0; p < NOTIFY_PLACES; p++) {
		struct notify_mark *m = w->marks[p];

		if (!m)
			continue;
		/* A directory's mark that does not care for entries is none here. */
		if (p == NOTIFY_AT_DIR && !(e->what & NOTIFY_RENAME) &&
		    !((m->mask | ignore_flags(m)) & NOTIFY_ON_CHILD)) {
			w->marks[p] = NULL;
			continue;
		}
		if ((e->what & NOTIFY_MODIFY) && !m->survives && m->ignored) {
			m->ignored = 0;
			notify_sum_interest_locked(w->at[p]);
		}
		wanted |= m->mask;
		ignored |= notify_ignored(m, e->what, (enum notify_place)p);
	}
	if (!(e->what & NOTIFY_EVENTS & wanted & ~ignored))
		return NULL;
	atomic_add_relaxed(&told, 1);
	return w->group->ops->tell(w->group, e, w->marks, dead);
}

/* Has the group to be worked with outside of the lock? */
static bool
is_signalled(const struct notify_group *g)
{
	return g->async && READ_ONCE(g->async->entries.next) != &g->async->entries;
}

static uint32_t
interest_at(const struct notify_object *o)
{
	return o ? READ_ONCE(o->interest) : 0;
}

/* Tell everybody who wants to know. 0, or why who was asked says no. */
static int
deliver(const struct notify_event *e)
{
	struct inode *second = e->what & NOTIFY_RENAME ? e->new_dir : e->what & NOTIFY_ON_CHILD ? e->dir : NULL;
	struct inode *first = e->what & NOTIFY_ENTRY_EVENTS ? e->dir : e->i;
	struct list dead = LIST_INIT(dead);
	uint32_t interest = 0;
	struct walk w = { 0 };
	int error = 0;

	w.at[NOTIFY_AT_FILESYSTEM] = atomic_load(&first->fs->notify);
	w.at[NOTIFY_AT_MOUNT] = e->path ? atomic_load(&e->path->mount->notify) : NULL;
	w.at[NOTIFY_AT_INODE] = atomic_load(&first->notify);
	w.at[NOTIFY_AT_DIR] = second ? atomic_load(&second->notify) : NULL;
	for (int p = 0; p < NOTIFY_PLACES; p++)
		interest |= interest_at(w.at[p]);
	if (!(interest & e->what & NOTIFY_EVENTS))
		return 0;
	spin_lock(&notify_lock);
	w.priority = UINT8_MAX;
	walk_resume(&w);
	while (!error && walk_step(&w)) {
		struct notify_group *g = w.group;
		void *question = tell_group(&w, e, &dead);

		if (IS_ERR(question)) {
			error = (int)PTR_ERR(question);
			break;
		}
		if (!question && !is_signalled(g))
			continue;
		ref_get(&g->refs);
		spin_unlock(&notify_lock);
		if (question)
			error = g->ops->judge(g, question);
		else
			async_tell(g->async, ASYNC_IN);
		notify_group_put(g);
		spin_lock(&notify_lock);
		walk_resume(&w);
	}
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
	return error;
}

/* What one object wants to hear of entries, or of files together with their directory. */
static uint32_t
child_interest(const struct notify_object *o)
{
	uint32_t interest = interest_at(o);

	return interest & NOTIFY_ON_CHILD ? interest & NOTIFY_CHILD_EVENTS : 0;
}

/* Does anybody else but the directory want to hear where the file is? */
static bool
wants_directory(const struct notify_event *e)
{
	uint32_t wanted;

	if (e->what & NOTIFY_DIR)
		return false;
	wanted = child_interest(atomic_load(&e->i->notify)) | child_interest(atomic_load(&e->i->fs->notify));
	if (e->path)
		wanted |= child_interest(atomic_load(&e->path->mount->notify));
	return wanted & e->what;
}

/* `e` lacks what only the name can say: which directory, and what it is called there. */
static int
deliver_named(struct notify_event *e, struct dentry *d)
{
	struct dentry *parent = dentry_parent(d);
	char name[NAME_MAX + 1];
	bool heard;
	int error;

	if (parent != d && parent->inode) {
		heard = child_interest(atomic_load(&parent->inode->notify)) & e->what;
		if (heard || wants_directory(e)) {
			spin_lock(&dentry_lock);
			memcpy(name, d->name, (size_t)d->length + 1);
			spin_unlock(&dentry_lock);
			e->dir = parent->inode;
			e->name = name;
		}
		if (heard)
			e->what |= NOTIFY_ON_CHILD;
	}
	error = deliver(e);
	dentry_put(parent);
	return error;
}

static uint32_t
kind_of(const struct inode *i)
{
	return S_ISDIR(i->mode) ? NOTIFY_DIR : 0;
}

void
notify_path_slow(const struct path *p, uint32_t event)
{
	struct notify_event e = { .path = p, .i = p->dentry->inode };

	if (!e.i)
		return;
	e.what = event | kind_of(e.i);
	deliver_named(&e, p->dentry);
}

void
notify_dentry_slow(struct dentry *d, uint32_t event)
{
	struct notify_event e = { .i = d->inode };

	if (!e.i)
		return;
	e.what = event | kind_of(e.i);
	deliver_named(&e, d);
}

void
notify_inode_slow(struct inode *i, uint32_t event)
{
	deliver(&(struct notify_event){ .what = event | kind_of(i), .i = i });
}

void
notify_entry_slow(struct inode *dir, uint32_t event, const char *name, struct inode *i)
{
	deliver(&(struct notify_event){ .what = event | kind_of(i), .i = i, .dir = dir, .name = name });
}

void
notify_moved_slow(const struct notify_move *m)
{
	struct notify_event e = { .i = m->i };
	uint32_t kind = kind_of(m->i);

	e.dir = m->dir;
	e.name = m->name;
	e.new_dir = m->new_dir;
	e.new_name = m->new_name;
	e.what = NOTIFY_RENAME | kind;
	deliver(&e);
	e.new_dir = NULL;
	e.new_name = NULL;
	e.cookie = atomic_add_fetch(&last_cookie, 1);
	e.what = NOTIFY_MOVED_FROM | kind;
	deliver(&e);
	e.dir = m->new_dir;
	e.name = m->new_name;
	e.what = NOTIFY_MOVED_TO | kind;
	deliver(&e);
	if (m->over)
		notify_inode_slow(m->over, NOTIFY_ATTRIB);
	notify_inode_slow(m->i, NOTIFY_MOVE_SELF);
}

int
notify_permit_slow(struct file *f, uint32_t events)
{
	const struct path p = { f->mount, f->dentry };

	/* Two questions if it is opened to be run, that one first. */
	for (uint32_t event = NOTIFY_OPEN_EXEC_PERM; event >= NOTIFY_OPEN_PERM; event >>= 1) {
		struct notify_event e = { .path = &p, .i = f->inode };
		int error;

		if (!(events & event))
			continue;
		e.what = event | kind_of(f->inode);
		error = deliver_named(&e, f->dentry);
		if (error)
			return error;
	}
	return 0;
}

void
notify_dump(void)
{
	pr_info("  notify: %lu groups, %u marks, %u of them are asked; told %lu times\n", notify_groups, notify_marks,
		notify_judges, told);
}
