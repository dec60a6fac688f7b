/* SPDX-License-Identifier: MIT */
/*
 * mount_groups.c - peer groups: how mounting at one place mounts elsewhere. Rules: mount_namespaces(7).
 *
 * A shared mount is a member of a peer group. What is mounted on, or unmounted from, one member happens to all of
 * them, wherever they are, in whatever namespace, if they show the directory at all. A mount that is the slave of
 * a group gets what happens to the group and gives nothing back; it may be a member of another group that is fed by it.
 * So groups form trees: each member of a group is a slave of the same group, or all of none.
 *
 *   private --share--> member of a group --make slave--> slave of that group (private, if it was the last)
 *      ^                     |                                |
 *      +-------private-------+--------------private-----------+          unbindable: private, and not to be copied
 *
 * The last member to leave a group passes the group's slaves on to its own master.
 *
 * What propagates is found by a walk over groups, from the one concerned downwards: breadth first, with the groups
 * themselves as the queue, for a chain of slaves may be longer than a stack. All copies are made before the first
 * of them is attached, so that one that fails leaves nothing.
 *
 * All of this is under mount_lock, for writing.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "mount_tree.h"

int mount_max = 100000; /* in one namespace: /proc/sys/fs/mount-max */

/* [M] all */
struct peer_group {
	uint32_t id;           /* [I] */
	struct list members;   /* of mounts, by peer_node; never empty */
	struct list slaves;    /* of mounts, by slave_node */
	struct list walk;      /* in the queue of a walk */
	struct mount *source;  /* during a propagation: the copy that its slaves' copies are copied from */
};

/* Numbers in use; the smallest free one is given out. */
static uint64_t *numbers;
static uint32_t numbers_size; /* in bits */

/* 0: no memory. */
static uint32_t
number_get(void)
{
	uint64_t *more;
	uint32_t n = 0;

	while (n < numbers_size && (numbers[n / 64] & BIT(n % 64)))
		n = numbers[n / 64] == UINT64_MAX ? n + 64 : n + 1;
	if (n >= numbers_size) {
		more = kzalloc(numbers_size / 8 + 64);
		if (!more)
			return 0;
		if (numbers)
			memcpy(more, numbers, numbers_size / 8);
		kfree(numbers);
		numbers = more;
		n = numbers_size;
		numbers_size += 512;
	}
	numbers[n / 64] |= BIT(n % 64);
	return n + 1;
}

static void
number_put(uint32_t id)
{
	numbers[(id - 1) / 64] &= ~BIT((id - 1) % 64);
}

void
mount_join_locked(struct mount *m, struct peer_group *g)
{
	m->group = g;
	list_add_tail(&g->members, &m->peer_node);
}

int
mount_share_locked(struct mount *m)
{
	struct peer_group *g;

	if (m->group)
		return 0;
	g = kzalloc(sizeof(*g));
	if (!g)
		return -ENOMEM;
	g->id = number_get();
	if (!g->id) {
		kfree(g);
		return -ENOMEM;
	}
	list_init(&g->members);
	list_init(&g->slaves);
	list_init(&g->walk);
	mount_join_locked(m, g);
	return 0;
}

void
mount_set_master_locked(struct mount *m, struct peer_group *master)
{
	list_del_init(&m->slave_node);
	m->master = master;
	if (master)
		list_add_tail(&master->slaves, &m->slave_node);
}

/* m, the last member, has left: its master takes over the slaves. */
static void
end_group(struct peer_group *g, struct mount *m)
{
	struct mount *s;

	while ((s = list_first(&g->slaves, struct mount, slave_node)) != NULL)
		mount_set_master_locked(s, m->master);
	number_put(g->id);
	kfree(g);
}

/* Out of its group, of which it becomes a slave. */
static void
make_slave(struct mount *m)
{
	struct peer_group *g = m->group;

	if (!g)
		return;
	m->group = NULL;
	list_del_init(&m->peer_node);
	if (list_is_empty(&g->members))
		end_group(g, m);
	else
		mount_set_master_locked(m, g);
}

/* To MOUNT_SHARED only after mount_share_locked(). */
void
mount_propagation_locked(struct mount *m, enum mount_propagation to)
{
	if (to == MOUNT_SHARED) {
		m->unbindable = false;
		return;
	}
	make_slave(m);
	if (to == MOUNT_SLAVE)
		return;
	mount_set_master_locked(m, NULL);
	m->unbindable = to == MOUNT_UNBINDABLE;
}

/* --- the walk --------------------------------------------------------------------------------- */

/* Put g and all groups below it on `queue`, masters first. */
static void
queue_groups(struct peer_group *g, struct list *queue)
{
	struct peer_group *at;
	struct mount *m;

	list_add_tail(queue, &g->walk);
	list_for_each(at, queue, walk)
		list_for_each(m, &at->slaves, slave_node)
			if (m->group && list_is_empty(&m->group->walk))
				list_add_tail(queue, &m->group->walk);
}

static void
end_walk(struct list *queue)
{
	struct peer_group *g;

	while ((g = list_first(queue, struct peer_group, walk)) != NULL) {
		list_del_init(&g->walk);
		g->source = NULL;
	}
}

void
mount_gather_locked(struct mount *m, void (*fn)(void *ctx, struct mount *other), void *ctx)
{
	struct list queue = LIST_INIT(queue);
	struct mount *to, *other;
	struct peer_group *g;

	if (!m->parent || !m->parent->group)
		return;
	queue_groups(m->parent->group, &queue);
	list_for_each(g, &queue, walk) {
		list_for_each(to, &g->members, peer_node) {
			other = to != m->parent && to->ns ? mount_find_locked(to, m->mountpoint) : NULL;
			if (other)
				fn(ctx, other);
		}
		list_for_each(to, &g->slaves, slave_node) {
			other = !to->group && to->ns ? mount_find_locked(to, m->mountpoint) : NULL;
			if (other)
				fn(ctx, other);
		}
	}
	end_walk(&queue);
}

/* --- attaching -------------------------------------------------------------------------------- */

/* What is being attached where, and the copies made so far, by work. */
struct spread {
	const struct path *top;
	struct list copies;
	uint32_t mounts;       /* in the tree */
};

static uint32_t
tree_size(struct mount *top)
{
	uint32_t n = 0;

	for (struct mount *m = top; m; m = mount_next_locked(m, top))
		n++;
	return n;
}

static bool
fits(struct mount_namespace *ns, uint32_t n)
{
	if (ns->count + ns->pending + n > (uint32_t)READ_ONCE(mount_max))
		return false;
	ns->pending += n;
	return true;
}

/* Copy `source` for `to`, if that shows the directory. 1: made. 0, -ENOMEM, -ENOSPC. */
static int
copy_for(struct spread *s, struct mount *to, struct mount *source, uint32_t how)
{
	struct mount *c;

	if (to == s->top->mount || !mount_is_live(to) || !dentry_is_below(s->top->dentry, to->root))
		return 0;
	c = mount_copy_locked(source, source->root, how | COPY_UNBINDABLE);
	if (IS_ERR(c))
		return (int)PTR_ERR(c);
	c->target = to;
	list_add_tail(&s->copies, &c->work);
	return fits(to->ns, s->mounts) ? 1 : -ENOSPC;
}

/* To the members of g: the first that gets a copy in a group other than the source's has one that is its slave. */
static int
copy_for_members(struct spread *s, struct peer_group *g)
{
	uint32_t how = g == s->top->mount->group ? COPY_SHARED : COPY_SHARED | COPY_SLAVE;
	struct mount *to;
	int made;

	list_for_each(to, &g->members, peer_node) {
		made = copy_for(s, to, g->source, how);
		if (made < 0)
			return made;
		if (!made)
			continue;
		g->source = list_last(&s->copies, struct mount, work);
		how = COPY_SHARED;
	}
	return 0;
}

static int
copy_for_slaves(struct spread *s, struct peer_group *g)
{
	struct mount *to;
	int made;

	list_for_each(to, &g->slaves, slave_node) {
		if (to->group) {
			if (!to->group->source)
				to->group->source = g->source;
			continue;
		}
		made = copy_for(s, to, g->source, COPY_SLAVE);
		if (made < 0)
			return made;
	}
	return 0;
}

static int
make_copies(struct spread *s, struct mount *m)
{
	struct list queue = LIST_INIT(queue);
	struct peer_group *g;
	int error = 0;

	queue_groups(s->top->mount->group, &queue);
	s->top->mount->group->source = m;
	list_for_each(g, &queue, walk) {
		error = copy_for_members(s, g);
		if (!error)
			error = copy_for_slaves(s, g);
		if (error)
			break;
	}
	end_walk(&queue);
	return error;
}

/* All of the tree into groups; `fresh_group` says which were in none. */
static int
share_tree(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top)) {
		bool fresh = !m->group;

		if (mount_share_locked(m))
			return -ENOMEM;
		m->fresh_group = fresh;
	}
	return 0;
}

/* Done with that; `undo`: the fresh groups go again. Nobody else is in them, nor slave of them. */
static void
share_tree_end(struct mount *top, bool undo)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top)) {
		if (m->fresh_group && undo)
			make_slave(m);
		else if (!undo)
			m->unbindable = false;
		m->fresh_group = false;
	}
}

/* A copy in its place. What was there covers it from now on: it was mounted later, as its group sees it. */
static void
attach_copy(struct mount *c, const struct path *top)
{
	struct mount *to = c->target, *cover = mount_find_locked(to, top->dentry), *on = c, *up;
	struct path old = { 0 };

	c->target = NULL;
	to->ns->pending = 0;
	if (cover)
		mount_detach_locked(cover, &old);
	mount_attach_locked(c, &(struct path){ to, top->dentry });
	if (to->ns->ns.owner != current_mount_namespace()->ns.owner)
		mount_lock_tree_locked(c);
	c->locked = false;
	if (!cover)
		return;
	while ((up = mount_find_locked(on, on->root)) != NULL)
		on = up;
	mount_attach_locked(cover, &(struct path){ on, on->root });
	path_put(&old); /* not the last: `to` has the tree's, the directory c's */
}

static int
place(struct mount *m, const struct path *top, struct path *old, struct spread *s)
{
	struct dentry *d = top->dentry;
	struct mount *c;
	int error = 0;

	/* Who removes a name looks for mounts on it under the same lock. */
	read_lock(&d->inode->lock);
	if (!d->hashed && d->parent != d) {
		error = -ENOENT;
	} else {
		if (old)
			mount_detach_locked(m, old);
		mount_attach_locked(m, top);
		while ((c = list_first(&s->copies, struct mount, work)) != NULL) {
			list_del_init(&c->work);
			attach_copy(c, top);
		}
	}
	read_unlock(&d->inode->lock);
	return error;
}

int
mount_attach_tree_locked(struct mount *m, const struct path *top, struct path *old, struct list *dead)
{
	struct spread s = { .top = top, .copies = LIST_INIT(s.copies), .mounts = tree_size(m) };
	bool shared = top->mount->group;
	struct mount *c;
	int error = fits(top->mount->ns, old ? 0 : s.mounts) ? 0 : -ENOSPC;

	if (!error && shared) {
		error = share_tree(m);
		if (!error)
			error = make_copies(&s, m);
	}
	if (!error)
		error = place(m, top, old, &s);
	top->mount->ns->pending = 0;
	while ((c = list_first(&s.copies, struct mount, work)) != NULL) {
		list_del_init(&c->work);
		c->target->ns->pending = 0;
		mount_discard_locked(c, dead);
	}
	if (shared)
		share_tree_end(m, error);
	return error;
}

/* --- what is told of them --------------------------------------------------------------------- */

/* The nearest group above that has a member in the same namespace below `root`: the one it comes from, as seen there. */
static uint32_t
dominating(const struct mount *m, const struct path *root)
{
	struct mount *peer;

	for (struct peer_group *g = m->master; g;
	     g = list_first(&g->members, struct mount, peer_node)->master)
		list_for_each(peer, &g->members, peer_node)
			if (peer->ns == m->ns && mount_reaches_locked(&(struct path){ peer, peer->root }, root))
				return g->id;
	return 0;
}

void
mount_groups_of(const struct mount *m, const struct path *root, struct mount_groups *out)
{
	*out = (struct mount_groups){ 0 };
	read_lock(&mount_lock);
	if (m->group)
		out->shared = m->group->id;
	if (m->master) {
		out->master = m->master->id;
		out->from = dominating(m, root);
		if (out->from == out->master)
			out->from = 0;
	}
	read_unlock(&mount_lock);
}

void
mount_groups_dump(const struct mount *m)
{
	if (m->group || m->master || m->unbindable)
		pr_info("  shared %u, slave of %u%s\n", m->group ? m->group->id : 0, m->master ? m->master->id : 0,
			m->unbindable ? ", unbindable" : "");
}
