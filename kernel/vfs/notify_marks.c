/* SPDX-License-Identifier: MIT */
/*
 * notify_marks.c - groups, and the marks that say what each watches.
 *
 * All objects keep their marks in the order of notify_is_before(). A group has at most one mark on each object.
 *
 *   mark: alive --(taken off, group ended, object gone, one-shot event)--> dead --> freed
 *
 * A mark on an inode keeps the inode (unless it is evictable); one on a mount or a file system goes
 * with it. A mark keeps its group.
 *
 * Locks: notify_lock guards all lists of marks. Inodes and groups are put after it is dropped.
 * Save: marks are saved with the open object of their group, by the keys of their objects.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "notify.h"
#include "vfs.h"

uint32_t notify_marks, notify_judges;
uint64_t notify_groups;
struct spinlock notify_lock = SPINLOCK_INIT(NOTIFY);

static uint64_t last_group; /* [a] */

/* --- groups and marks --------------------------------------------------------------------------- */

void
notify_group_init(struct notify_group *g, const struct notify_ops *ops, uint8_t priority)
{
	g->ops = ops;
	ref_init(&g->refs);
	g->priority = priority;
	g->id = atomic_add_fetch(&last_group, 1);
	list_init(&g->marks);
	g->count = 0;
	g->async = NULL;
	atomic_add(&notify_groups, 1);
}

void
notify_group_put(struct notify_group *g)
{
	if (!ref_put(&g->refs))
		return;
	assert(list_is_empty(&g->marks));
	atomic_sub(&notify_groups, 1);
	g->ops->group_free(g);
}

void
notify_group_end(struct notify_group *g)
{
	struct list dead = LIST_INIT(dead);
	struct notify_mark *m;

	spin_lock(&notify_lock);
	while ((m = list_first(&g->marks, struct notify_mark, group_node)) != NULL)
		notify_kill_locked(m, &dead);
	spin_unlock(&notify_lock);
	notify_free_dead(&dead);
	notify_group_put(g);
}

static struct notify_object **
slot_of(enum notify_kind kind, void *object)
{
	switch (kind) {
	case NOTIFY_KIND_INODE:
		return &((struct inode *)object)->notify;
	case NOTIFY_KIND_MOUNT:
		return &((struct mount *)object)->notify;
	case NOTIFY_KIND_FILESYSTEM:
		return &((struct filesystem *)object)->notify;
	}
	return NULL;
}

static struct notify_object *
object_of(const struct notify_mark *m)
{
	return atomic_load(slot_of(m->kind, m->i));
}

struct notify_object *
notify_object_get(enum notify_kind kind, void *object)
{
	struct notify_object **slot = slot_of(kind, object), *fresh, *expected = NULL;

	if (atomic_load(slot))
		return atomic_load(slot);
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	list_init(&fresh->marks);
	if (atomic_cas(slot, &expected, fresh))
		return fresh;
	kfree(fresh);
	return expected;
}

/* Who ignores something until the file is modified has to hear of that. */
static uint32_t
interest_of(const struct notify_mark *m)
{
	return m->mask | (m->ignored && !m->survives ? NOTIFY_MODIFY : 0);
}

void
notify_sum_interest_locked(struct notify_object *o)
{
	struct notify_mark *m;
	uint32_t all = 0;

	assert_held(&notify_lock);
	list_for_each(m, &o->marks, object_node)
		all |= interest_of(m);
	WRITE_ONCE(o->interest, all);
}

struct notify_mark *
notify_find_locked(struct notify_object *o, const struct notify_group *g)
{
	struct notify_mark *m;

	assert_held(&notify_lock);
	list_for_each(m, &o->marks, object_node)
		if (m->group == g)
			return m;
	return NULL;
}

void
notify_add_locked(struct notify_object *o, struct notify_mark *m)
{
	struct notify_mark *at;

	assert_held(&notify_lock);
	list_for_each(at, &o->marks, object_node)
		if (notify_is_before(m->group, at->group))
			break;
	list_insert_between(&m->object_node, at->object_node.prev, &at->object_node);
	list_add(&m->group->marks, &m->group_node);
	m->group->count++;
	m->alive = true;
	ref_get(&m->group->refs);
	if (m->holds)
		inode_get(m->i);
	notify_sum_interest_locked(o);
	atomic_add(&notify_marks, 1);
	if (m->group->priority)
		atomic_add(&notify_judges, 1);
}

void
notify_changed_locked(struct notify_mark *m)
{
	assert_held(&notify_lock);
	if (m->alive)
		notify_sum_interest_locked(object_of(m));
}

void
notify_kill_locked(struct notify_mark *m, struct list *dead)
{
	assert_held(&notify_lock);
	assert(m->alive);
	m->alive = false;
	list_del(&m->object_node);
	list_del(&m->group_node);
	m->group->count--;
	notify_sum_interest_locked(object_of(m));
	if (m->group->ops->mark_ends)
		m->group->ops->mark_ends(m);
	list_add_tail(dead, &m->object_node);
	atomic_sub(&notify_marks, 1);
	if (m->group->priority)
		atomic_sub(&notify_judges, 1);
}

void
notify_free_dead(struct list *dead)
{
	struct notify_mark *m, *tmp;

	list_for_each_safe(m, tmp, dead, object_node) {
		struct notify_group *g = m->group;

		if (m->holds)
			inode_put(m->i);
		g->ops->mark_free(m);
		notify_group_put(g);
	}
}

/* --- ends of objects ---------------------------------------------------------------------------- */

/* All marks of `o` end, and go to `dead`. */
static void
end_marks(struct notify_object *o, struct list *dead)
{
	struct notify_mark *m;

	spin_lock(&notify_lock);
	while ((m = notify_first_mark(o)) != NULL)
		notify_kill_locked(m, dead);
	spin_unlock(&notify_lock);
}

/* The object itself ends: none of its marks holds it. */
static void
free_object(struct notify_object *o)
{
	struct list dead = LIST_INIT(dead);
	const struct notify_mark *m;

	end_marks(o, &dead);
	list_for_each(m, &dead, object_node)
		assert(!m->holds);
	notify_free_dead(&dead);
	kfree(o);
}

void
notify_inode_removed_slow(struct inode *i, uint32_t event)
{
	struct notify_object *o = atomic_load(&i->notify);
	struct list dead = LIST_INIT(dead);

	notify_inode_slow(i, event);
	if (!o)
		return;
	end_marks(o, &dead);
	notify_free_dead(&dead);
}

bool
notify_inode_is_marked(const struct inode *i)
{
	const struct notify_object *o = atomic_load(&i->notify);

	return o && !list_is_empty(&o->marks);
}

void
notify_inode_freed(struct inode *i)
{
	if (unlikely(i->notify != NULL))
		free_object(i->notify);
}

void
notify_mount_freed(struct mount *m)
{
	if (unlikely(m->notify != NULL))
		free_object(m->notify);
}

void
notify_filesystem_freed(struct filesystem *fs)
{
	if (unlikely(fs->notify != NULL))
		free_object(fs->notify);
}

/* --- as programs see them -------------------------------------------------------------------------- */

uint32_t
notify_device_shown(const struct filesystem *fs)
{
	return DEV_MAJOR(fs->device) << 20 | DEV_MINOR(fs->device);
}

static void
show_bytes(uint32_t word, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	for (int n = 0; n < 4; n++, word >>= 8)
		print(ctx, "%02x", word & 0xff);
}

/* Where there are no keys one is made up of the number alone. */
void
notify_show_key(const struct inode *i, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct file_key key;

	if (vfs_inode_key(i, &key)) {
		print(ctx, "fhandle-bytes:8 fhandle-type:1 f_handle:");
		show_bytes((uint32_t)i->number, print, ctx);
		show_bytes(0, print, ctx);
		return;
	}
	print(ctx, "fhandle-bytes:c fhandle-type:1 f_handle:");
	show_bytes(key.generation, print, ctx);
	show_bytes((uint32_t)key.inode, print, ctx);
	show_bytes((uint32_t)(key.inode >> 32), print, ctx);
}
