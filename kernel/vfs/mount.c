/* SPDX-License-Identifier: MIT */
/*
 * mount.c - mounts, one by one: made, counted, walked across, let go.
 *
 * A mount shows a file system, or a part of it, over a dentry of another mount. Mounting on a mount
 * point again stacks: the new mount's parent is the one that was on top, so (parent, mount point)
 * names at most one mount.
 *
 * References: the tree holds one on each attached mount, each child one on its parent, each path
 * (open file, working directory) one. A mount is busy when it has more than the tree's.
 *
 * What is unmounted while in use may stay attached to its parent, which is unmounted too, so that what it covers
 * stays covered: it is lapsed then. A lapsed mount holds no reference to its parent; the parent holds the one
 * on it that was the tree's, and gives it up with its own last.
 *
 * Lock: mount_lock, for writing around changes of the tree; dentry->mounted counts mounts under it
 * so that a walk asks only where the answer is yes. Trees: mount_tree.c. Peer groups: mount_groups.c. The calls:
 * mount_change.c, mount_new.c.
 */
#include <tessera/cred.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/notify.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mount_tree.h"

struct rwlock mount_lock;
struct mount *root_mount;

static uint64_t next_mount_id = 20; /* [a] */

struct mount *
mount_create(struct filesystem *fs, struct dentry *root, uint32_t flags, const char *source)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (!m)
		return NULL;
	m->source = kstrdup(source ? source : "none");
	if (!m->source) {
		kfree(m);
		return NULL;
	}
	ref_init(&m->refs);
	m->id = atomic_add_fetch(&next_mount_id, 1);
	m->fs = fs;
	ref_get(&fs->refs);
	m->root = root;
	dentry_get(root);
	m->flags = flags;
	list_init(&m->children);
	list_init(&m->sibling);
	list_init(&m->attached_node);
	list_init(&m->peer_node);
	list_init(&m->slave_node);
	list_init(&m->work);
	return m;
}

struct mount *
mount_create_internal(struct filesystem *fs)
{
	struct mount *m = mount_create(fs, fs->root, MOUNT_NOATIME, fs->type->name);

	if (m)
		m->internal = true;
	return m;
}

/* Take its lapsed children from a mount that nobody has any more: onto `dead`, if nobody has them either. */
static void
leave_lapsed(struct mount *m, struct list *dead)
{
	struct list left = LIST_INIT(left);
	struct mount *c;

	if (list_is_empty(&m->children))
		return;
	write_lock(&mount_lock);
	while ((c = list_first(&m->children, struct mount, sibling)) != NULL) {
		assert(c->lapsed);
		c->lapsed = false;
		mount_unlink_locked(c);
		list_add_tail(&left, &c->work);
	}
	write_unlock(&mount_lock);
	while ((c = list_first(&left, struct mount, work)) != NULL) {
		struct dentry *d = c->mountpoint;

		list_del_init(&c->work);
		c->mountpoint = NULL;
		dentry_put(d);
		if (ref_put(&c->refs))
			list_add_tail(dead, &c->work);
	}
}

static void
destroy(struct mount *m)
{
	assert(!m->group && !m->master && !m->parent);
	notify_mount_freed(m);
	if (m->mountpoint)
		dentry_put(m->mountpoint);
	dentry_put(m->root);
	filesystem_put(m->fs);
	kfree(m->source);
	kfree(m);
}

/* A list, for what lapsed below it may nest deeper than a stack could follow. */
void
mount_put(struct mount *m)
{
	struct list dead = LIST_INIT(dead);

	if (!m || !ref_put(&m->refs))
		return;
	leave_lapsed(m, &dead);
	destroy(m);
	while ((m = list_first(&dead, struct mount, work)) != NULL) {
		list_del_init(&m->work);
		leave_lapsed(m, &dead);
		destroy(m);
	}
}

struct mount *
mount_find_locked(struct mount *parent, struct dentry *at)
{
	struct mount *m;

	list_for_each(m, &parent->children, sibling)
		if (m->mountpoint == at)
			return m;
	return NULL;
}

void
mount_follow(struct path *p)
{
	while (READ_ONCE(p->dentry->mounted)) {
		struct mount *m;
		struct path on;

		read_lock(&mount_lock);
		m = mount_find_locked(p->mount, p->dentry);
		if (m) {
			on = (struct path){ m, m->root };
			path_get(&on);
		}
		read_unlock(&mount_lock);
		if (!m)
			return;
		path_put(p);
		*p = on;
	}
}

bool
mount_leave(struct path *p)
{
	struct path up;

	read_lock(&mount_lock);
	up = (struct path){ p->mount->parent, p->mount->mountpoint };
	/* A lapsed mount does not hold its parent, which may be waiting for the lock to leave it. */
	if (up.mount && !ref_get_unless_zero(&up.mount->refs))
		up.mount = NULL;
	if (up.mount)
		dentry_get(up.dentry);
	read_unlock(&mount_lock);
	if (!up.mount)
		return false;
	path_put(p);
	*p = up;
	return true;
}

int
mount_want_write(const struct mount *m)
{
	return mount_is_readonly(m) ? -EROFS : 0;
}

/*
 * A file is opened for writing through `m`: -EROFS, or it is counted. Who makes the mount read-only (1) says so,
 * (2) looks for writers; here (3) a writer is counted, (4) asks whether it may. One of the two gives way.
 */
int
mount_writer_add(struct mount *m)
{
	atomic_add(&m->writers, 1); /* (3), with the barrier of (1) and (2) */
	atomic_add(&m->fs->writers, 1);
	if (!mount_is_readonly(m)) /* (4) */
		return 0;
	mount_writer_remove(m);
	return -EROFS;
}

void
mount_writer_remove(struct mount *m)
{
	atomic_sub(&m->fs->writers, 1);
	atomic_sub(&m->writers, 1);
}

struct mount *
mount_next_locked(struct mount *m, struct mount *top)
{
	if (!list_is_empty(&m->children))
		return list_entry(m->children.next, struct mount, sibling);
	while (m != top) {
		if (m->sibling.next != &m->parent->children)
			return list_entry(m->sibling.next, struct mount, sibling);
		m = m->parent;
	}
	return NULL;
}

#define VISIT_BATCH 256u

/* The mounts with the smallest ids above `last`, in their order, with references: how many. */
static uint32_t
take_next(struct mount_namespace *ns, uint64_t last, struct mount **batch)
{
	uint32_t n = 0;

	read_lock(&mount_lock);
	for (struct mount *m = ns->root; m; m = mount_next_locked(m, ns->root)) {
		uint32_t at;

		if (m->id <= last || (n == VISIT_BATCH && m->id > batch[n - 1]->id))
			continue;
		n += n < VISIT_BATCH;
		for (at = n - 1; at > 0 && batch[at - 1]->id > m->id; at--)
			batch[at] = batch[at - 1];
		batch[at] = m;
	}
	for (uint32_t i = 0; i < n; i++)
		mount_get(batch[i]);
	read_unlock(&mount_lock);
	return n;
}

void
mounts_visit(struct mount_namespace *ns, const struct path *root, void (*fn)(void *ctx, struct mount *m, const char *where),
	void *ctx)
{
	struct {
		struct mount *batch[VISIT_BATCH];
		char name[PATH_MAX];
	} *b = kmalloc(sizeof(*b), 0);
	uint64_t last = 0;
	uint32_t n;

	if (!b)
		return;
	/* In the order of their ids, some at a time, so that no lock is held while fn runs and a hundred thousand take no
	 * hundred thousand looks at all. */
	while ((n = take_next(ns, last, b->batch)) > 0) {
		last = b->batch[n - 1]->id;
		for (uint32_t i = 0; i < n; i++) {
			struct mount *m = b->batch[i];
			unsigned int state;
			char *where = path_name_from(&(struct path){ m, m->root }, root, b->name, PATH_MAX, &state);

			if (!IS_ERR(where) && !(state & PATH_UNREACHABLE))
				fn(ctx, m, where);
			mount_put(m);
		}
	}
	kfree(b);
}

#define DUMP_DEPTH 32

static void
dump_tree(const struct mount *m, uint32_t depth)
{
	const struct mount *child;

	pr_info("%*s%lu %s on %s, type %s, flags %#x, refs %u, %lu names\n", (int)(2 * depth), "", m->id,
		m->source ? m->source : "none", m->mountpoint ? m->mountpoint->name : "/",
		m->fs->type->name, m->flags, ref_count(&m->refs), m->fs->dentries);
	mount_groups_dump(m);
	if (depth < DUMP_DEPTH)
		list_for_each_checked (child, &m->children, sibling)
			dump_tree(child, depth + 1);
}

void
mount_dump(void)
{
	if (root_mount)
		dump_tree(root_mount, 0);
}

/* Every inode of every file system that is in the tree: too many to show all. */
static void
dump_inodes(const struct mount *m, uint32_t depth, uint32_t show)
{
	const struct mount *child;
	const struct inode *i;
	uint64_t n = 0;

	pr_info("%s:\n", m->fs->type->name);
	list_for_each_checked (i, &m->fs->inodes, fs_node) {
		if (n++ < show)
			pr_info("  inode %p number %lu mode %o links %u refs %u size %lu\n", (const void *)i,
				i->number, i->mode, i->links, ref_count(&i->refs),
				i->object ? i->object->size : i->size);
	}
	pr_info("  %lu inodes\n", n);
	if (depth < DUMP_DEPTH)
		list_for_each_checked (child, &m->children, sibling)
			dump_inodes(child, depth + 1, show);
}

void
inode_dump(uint32_t show)
{
	if (root_mount)
		dump_inodes(root_mount, 0, show);
}
