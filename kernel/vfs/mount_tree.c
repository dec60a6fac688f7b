/* SPDX-License-Identifier: MIT */
/*
 * mount_tree.c - trees of mounts: attached, copied, taken down.
 *
 * A tree belongs to a mount namespace, to none while it is made or after it was unmounted, or to `detached_mounts`
 * while a handle of open_tree or fsmount is all that keeps it.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/slab.h>

#include "mount_tree.h"

struct mount_namespace detached_mounts = {
	.ns = { { 1 }, NAMESPACE_MOUNT, 0, &init_user_namespace },
	.changed = WAIT_QUEUE_INIT(detached_mounts.changed),
};

uint64_t mount_attaches;
static struct list attached = LIST_INIT(attached); /* mount_lock: struct mount.attached_node */

void
mount_changed_locked(struct mount_namespace *ns)
{
	if (!ns)
		return;
	atomic_add(&ns->event, 1);
	wake_poll(&ns->changed, POLLERR | POLLPRI);
}

void
mount_set_namespace_locked(struct mount *top, struct mount_namespace *ns)
{
	mount_changed_locked(top->ns);
	for (struct mount *m = top; m; m = mount_next_locked(m, top)) {
		if (m->ns)
			m->ns->count--;
		m->ns = ns;
		if (ns)
			ns->count++;
	}
	mount_changed_locked(ns);
}

void
mount_attach_locked(struct mount *m, const struct path *where)
{
	tree_changes();
	m->parent = where->mount;
	mount_get(m->parent);
	m->mountpoint = where->dentry;
	dentry_get(m->mountpoint);
	spin_lock(&dentry_lock);
	m->mountpoint->mounted++;
	spin_unlock(&dentry_lock);
	list_add_tail(&m->parent->children, &m->sibling);
	list_add_tail(&attached, &m->attached_node);
	atomic_add(&mount_attaches, 1);
	mount_set_namespace_locked(m, m->parent->ns);
}

void
mount_unlink_locked(struct mount *m)
{
	tree_changes();
	m->parent = NULL;
	list_del_init(&m->sibling);
	list_del_init(&m->attached_node);
	spin_lock(&dentry_lock);
	m->mountpoint->mounted--;
	spin_unlock(&dentry_lock);
}

void
mount_detach_locked(struct mount *m, struct path *old)
{
	*old = (struct path){ m->parent, m->mountpoint };
	mount_unlink_locked(m);
	m->mountpoint = NULL;
	mount_set_namespace_locked(m, NULL);
}

/* One mount like `from`, showing `root`, with its place among the groups. */
static struct mount *
copy_one(struct mount *from, struct dentry *root, uint32_t how)
{
	struct mount *m = mount_create(from->fs, root, from->flags, from->source);

	if (!m)
		return NULL;
	m->locked_flags = from->locked_flags;
	m->unbindable = from->unbindable;
	if ((how & COPY_SLAVE) || ((how & COPY_SHARED_TO_SLAVE) && from->group)) {
		mount_set_master_locked(m, from->group);
	} else {
		if (from->group)
			mount_join_locked(m, from->group);
		mount_set_master_locked(m, from->master);
	}
	if ((how & COPY_SHARED) && mount_share_locked(m)) {
		mount_propagation_locked(m, MOUNT_PRIVATE);
		mount_put(m);
		return NULL;
	}
	if (how & COPY_REMEMBER)
		from->copy = m;
	return m;
}

struct mount *
mount_copy_alone_locked(struct mount *from, struct dentry *root)
{
	struct mount *m = copy_one(from, root, 0);

	return m ? m : ERR_PTR(-ENOMEM);
}

/* Is what `child` and the mounts on it show left out of a copy? 1: yes. -EPERM: it must not be. */
static int
is_left_out(const struct mount *child, uint32_t how)
{
	bool loop;

	if (!(how & COPY_UNBINDABLE) && child->unbindable)
		return child->locked ? -EPERM : 1;
	return !(how & COPY_NAMESPACES) && nsfs_is_mounts(child->root, &loop);
}

/*
 * Attach copies of the mounts below `from_root` in `from` at the same places below its copy: down to the
 * first child, up when a mount has no more. Mounts may nest deeper than a stack could follow.
 */
static int
copy_children(struct mount *from, struct dentry *from_root, struct mount *copy, uint32_t how)
{
	struct mount *at = from, *to = copy, *c;
	struct list *next = at->children.next;

	for (;;) {
		struct mount *child = list_entry(next, struct mount, sibling);
		int skip;

		if (next == &at->children) {
			if (at == from)
				return 0;
			next = at->sibling.next;
			at = at->parent;
			to = to->parent;
			continue;
		}
		skip = !dentry_is_below(child->mountpoint, at == from ? from_root : at->root);
		if (!skip)
			skip = is_left_out(child, how);
		if (skip < 0)
			return skip;
		if (skip) {
			next = next->next;
			continue;
		}
		c = copy_one(child, child->root, how);
		if (!c)
			return -ENOMEM;
		c->locked = child->locked;
		mount_attach_locked(c, &(struct path){ to, child->mountpoint });
		at = child;
		to = c;
		next = at->children.next;
	}
}

/* Every mount of the tree leaves it and its groups, and goes to `dead`. */
void
mount_discard_locked(struct mount *top, struct list *dead)
{
	mount_unmount_locked(top, TREE_APART, dead);
}

struct mount *
mount_copy_locked(struct mount *from, struct dentry *root, uint32_t how)
{
	struct list dead = LIST_INIT(dead);
	struct mount *m;
	int error;

	if (!(how & COPY_UNBINDABLE) && from->unbindable)
		return ERR_PTR(-EINVAL);
	m = copy_one(from, root, how);
	if (!m)
		return ERR_PTR(-ENOMEM);
	error = copy_children(from, root, m, how);
	if (!error)
		return m;
	mount_discard_locked(m, &dead);
	mount_put_all(&dead); /* shows nothing that the original does not hold, too */
	return ERR_PTR(error);
}

void
mount_lock_tree_locked(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top)) {
		m->locked_flags |= (m->flags & RESTRICTIONS) | ACCESS_TIMES;
		m->locked = m != top;
	}
}

bool
mount_hides_locked(struct mount *from, struct dentry *root)
{
	struct mount *m;

	list_for_each(m, &from->children, sibling)
		if (m->locked && dentry_is_below(m->mountpoint, root))
			return true;
	return false;
}

/* --- down ------------------------------------------------------------------------------------- */

static void
mark(struct mount *m, struct list *list)
{
	m->going = true;
	list_add_tail(list, &m->work);
}

static void
mark_other(void *ctx, struct mount *other)
{
	if (!other->going)
		mark(other, ctx);
}

/* Does `m` stay, or what covers all of it, which will hang where m hung? */
static bool
leaves_something(struct mount *m)
{
	while (m && m->going)
		m = mount_find_locked(m, m->root);
	return m;
}

/*
 * May what was found by propagation go? Not if it is locked to a parent that stays, nor if something on it would
 * be left, but for what covers all of it: two of them could not both hang where it hung.
 */
static bool
may_go(struct mount *m)
{
	struct mount *c;

	if (m->locked && !m->parent->going)
		return false;
	list_for_each(c, &m->children, sibling)
		if (c->mountpoint != m->root && leaves_something(c))
			return false;
	return true;
}

/* Leave on `found` those that may go; each that may not keeps others. */
static void
trim(struct list *found)
{
	bool changed;

	do {
		struct list *at = found->prev;

		changed = false;
		while (at != found) {
			struct mount *m = list_entry(at, struct mount, work);

			at = at->prev;
			if (may_go(m))
				continue;
			m->going = false;
			list_del_init(&m->work);
			changed = true;
		}
	} while (changed);
}

/* What covers `m`, which goes while it stays, hangs where m hung: or where that hung which goes with it. */
static void
keep_cover(struct mount *m)
{
	struct mount *cover = mount_find_locked(m, m->root), *up = m;
	struct path old, at;

	if (!cover || cover->going)
		return;
	do {
		at = (struct path){ up->parent, up->mountpoint };
		up = up->parent;
	} while (up->going);
	mount_detach_locked(cover, &old);
	mount_attach_locked(cover, &at);
	path_put(&old); /* neither is the last: m has the tree's, and the root */
}

/* Take `m` out, with the tree's reference onto `dead`: or leave it, lapsed, to its parent. */
static void
take_down(struct mount *m, uint32_t how, struct list *dead)
{
	struct mount *parent = m->parent;
	bool stays = parent && parent->going && !(how & TREE_APART) && ((how & TREE_CONNECTED) || m->locked);

	mount_propagation_locked(m, MOUNT_PRIVATE);
	if (m->ns) {
		mount_changed_locked(m->ns);
		m->ns->count--;
		m->ns = NULL;
	}
	if (stays) {
		m->lapsed = true;
	} else {
		if (parent)
			mount_unlink_locked(m);
		list_add_tail(dead, &m->work);
	}
	if (parent)
		mount_put(parent); /* not the last: it has the tree's */
}

void
mount_unmount_locked(struct mount *top, uint32_t how, struct list *dead)
{
	struct list going = LIST_INIT(going), found = LIST_INIT(found);
	struct mount *m;

	for (m = top; m; m = mount_next_locked(m, top))
		mark(m, &going);
	if (how & TREE_PROPAGATE)
		list_for_each(m, &going, work)
			mount_gather_locked(m, mark_other, &found);
	trim(&found);
	list_for_each(m, &found, work)
		keep_cover(m);
	list_splice_tail(&going, &found);
	/* From the leaves, so that each still has its parent when it is asked whether it stays. */
	while ((m = list_last(&going, struct mount, work)) != NULL) {
		list_del_init(&m->work);
		take_down(m, how, dead);
		m->going = false;
	}
}

void
mount_put_all(struct list *dead)
{
	struct mount *m;

	while ((m = list_first(dead, struct mount, work)) != NULL) {
		struct dentry *d = m->mountpoint;

		list_del_init(&m->work);
		m->mountpoint = NULL;
		if (d)
			dentry_put(d);
		mount_put(m);
	}
}

/* --- on names that go -------------------------------------------------------------------------- */

/* A walk over all mounts: names that are mounted upon are seldom removed. */
bool
mount_is_here(const struct dentry *d)
{
	const struct mount_namespace *ns = current_mount_namespace();
	const struct mount *m;
	bool here = false;

	read_lock(&mount_lock);
	list_for_each(m, &attached, attached_node)
		here = here || (m->mountpoint == d && m->ns == ns);
	read_unlock(&mount_lock);
	return here;
}

/* One that is in a tree. mount_lock is held. */
static struct mount *
find_on_locked(const struct dentry *d)
{
	struct mount *m;

	list_for_each(m, &attached, attached_node)
		if (m->mountpoint == d && m->ns)
			return m;
	return NULL;
}

void
mount_leave_name(struct dentry *d)
{
	struct list dead = LIST_INIT(dead);
	struct mount *m;

	write_lock(&mount_lock);
	while ((m = find_on_locked(d)) != NULL)
		mount_unmount_locked(m, TREE_CONNECTED, &dead);
	write_unlock(&mount_lock);
	mount_put_all(&dead);
}

/* --- of namespaces ---------------------------------------------------------------------------- */

void
mount_tree_drop(struct mount *top)
{
	struct list dead = LIST_INIT(dead);

	write_lock(&mount_lock);
	mount_unmount_locked(top, 0, &dead);
	write_unlock(&mount_lock);
	mount_put_all(&dead);
}

struct mount *
mount_tree_copy_locked(struct mount *top, struct mount_namespace *ns, bool lock)
{
	uint32_t how = COPY_UNBINDABLE | COPY_REMEMBER | (lock ? COPY_SHARED_TO_SLAVE : 0);
	struct mount *m = mount_copy_locked(top, top->root, how);

	if (IS_ERR(m))
		return NULL;
	mount_set_namespace_locked(m, ns);
	if (lock)
		mount_lock_tree_locked(m);
	return m;
}
