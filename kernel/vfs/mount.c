/* SPDX-License-Identifier: MIT */
/*
 * mount.c - the tree of mounts.
 *
 * A mount shows a file system, or a part of it, over a dentry of another mount. Mounting on a mount
 * point again stacks: the new mount's parent is the one that was on top, so (parent, mount point)
 * names at most one mount.
 *
 * References: the tree holds one on each attached mount, each child one on its parent, each path
 * (open file, working directory) one. A mount is busy when it has more than the tree's.
 *
 * Lock: mount_lock, for writing around changes of the tree; dentry->mounted counts mounts under it
 * so that a walk asks only where the answer is yes.
 */
#include <tessera/cred.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/process.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfs.h"

struct rwlock mount_lock;
struct mutex mount_copy_lock = MUTEX_INIT(mount_copy_lock, MOUNT_COPY);
struct mount *root_mount;

static uint64_t next_mount_id = 20; /* [a] */
static struct mutex single_lock = MUTEX_INIT(single_lock, SLEEP_LEAF);
static struct list singles = LIST_INIT(singles); /* single_lock: struct single */

/* The one instance of a type that has only one. */
struct single {
	struct list node;
	const struct filesystem_type *type;
	struct filesystem *fs; /* a reference, for ever */
};

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

void
mount_put(struct mount *m)
{
	while (m && ref_put(&m->refs)) {
		struct mount *parent = m->parent;

		if (m->mountpoint)
			dentry_put(m->mountpoint);
		dentry_put(m->root);
		filesystem_put(m->fs);
		kfree(m->source);
		kfree(m);
		m = parent;
	}
}

/* The mount on (parent, at), or NULL. mount_lock is held. */
static struct mount *
find_locked(struct mount *parent, struct dentry *at)
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
		m = find_locked(p->mount, p->dentry);
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
	if (up.mount)
		path_get(&up);
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
	return m && (READ_ONCE(m->flags) & MOUNT_READONLY) ? -EROFS : 0;
}

/* The next mount of the tree below `top` in pre-order, or NULL. mount_lock is held. */
static struct mount *
next_locked(struct mount *m, struct mount *top)
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

/* The tree at `top` is in the tree of `ns` from now on. */
static void
set_namespace_locked(struct mount *top, struct mount_namespace *ns)
{
	for (struct mount *m = top; m; m = next_locked(m, top))
		m->ns = ns;
}

/* Attach m at `where`. mount_lock is held for writing; the tree takes over a reference to m. */
static void
attach_locked(struct mount *m, const struct path *where)
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
	set_namespace_locked(m, m->parent->ns);
}

/* Take m out of the tree; *old gets what it held. The tree's reference becomes the caller's. */
static void
detach_locked(struct mount *m, struct path *old)
{
	*old = (struct path){ m->parent, m->mountpoint };
	tree_changes();
	m->parent = NULL;
	m->mountpoint = NULL;
	set_namespace_locked(m, NULL);
	list_del_init(&m->sibling);
	if (old->dentry) {
		spin_lock(&dentry_lock);
		old->dentry->mounted--;
		spin_unlock(&dentry_lock);
	}
}

/*
 * Step onto whatever has been mounted on `where` meanwhile, as later mounts go on top, and take mount_lock
 * for writing. -EINVAL: that mount is not in the caller's tree. If it is in none, what were mounted there would
 * never be found again nor freed.
 */
static int
lock_top_of(const struct path *where, struct path *out)
{
	*out = *where;
	path_get(out);
	for (;;) {
		mount_follow(out);
		write_lock(&mount_lock);
		if (!find_locked(out->mount, out->dentry))
			break;
		write_unlock(&mount_lock); /* somebody was faster */
	}
	return out->mount->ns == current_mount_namespace() ? 0 : -EINVAL;
}

/*
 * Attach m at `top`, from lock_top_of(); with `old`, take it away from where it is first: detach_locked().
 * -ENOENT: the name is gone. Who removes a name looks for mounts on it under the same lock.
 */
static int
place_locked(struct mount *m, const struct path *top, struct path *old)
{
	struct dentry *d = top->dentry;
	int error = 0;

	read_lock(&d->inode->lock);
	if (!d->hashed && d->parent != d) {
		error = -ENOENT;
	} else {
		if (old)
			detach_locked(m, old);
		attach_locked(m, top);
	}
	read_unlock(&d->inode->lock);
	return error;
}

int
mount_graft(struct mount *m, const struct path *where)
{
	struct path top;
	int error = lock_top_of(where, &top);

	if (error)
		;
	else if (S_ISDIR(m->root->inode->mode) != S_ISDIR(top.dentry->inode->mode))
		error = -ENOTDIR;
	else if (top.mount->fs == m->fs && top.dentry == top.mount->root && m->root == top.dentry)
		error = -EBUSY; /* the same once more on itself */
	else
		error = place_locked(m, &top, NULL);
	write_unlock(&mount_lock);
	path_put(&top);
	return error;
}

/* The single instance of a type, with a reference; NULL: not there yet. single_lock is held. */
static struct filesystem *
find_single_locked(const struct filesystem_type *type)
{
	struct single *s;

	list_for_each(s, &singles, node)
		if (s->type == type) {
			ref_get(&s->fs->refs);
			return s->fs;
		}
	return NULL;
}

static struct filesystem *
find_single(const struct filesystem_type *type)
{
	struct filesystem *fs;

	mutex_lock(&single_lock);
	fs = find_single_locked(type);
	mutex_unlock(&single_lock);
	return fs;
}

/* `fs` becomes the single instance, unless another was faster: that one then. NULL: no memory. */
static struct filesystem *
keep_single(struct filesystem *fs)
{
	struct single *s = kzalloc(sizeof(*s));
	struct filesystem *other;

	if (!s) {
		filesystem_put(fs);
		return NULL;
	}
	s->type = fs->type;
	s->fs = fs;
	mutex_lock(&single_lock);
	other = find_single_locked(fs->type);
	if (!other) {
		list_add_tail(&singles, &s->node);
		ref_get(&fs->refs);
	}
	mutex_unlock(&single_lock);
	if (!other)
		return fs;
	kfree(s);
	filesystem_put(fs);
	return other;
}

/* A new or the single instance of a type, with a reference. */
static int
instance(struct filesystem_type *type, const char *source, const char *options,
	 struct filesystem **out)
{
	bool single = type->single && !(type->is_another && type->is_another());
	struct filesystem *fs = single ? find_single(type) : NULL;
	int error;

	if (type->instance)
		return type->instance(out);
	if (fs) {
		*out = fs;
		return 0;
	}
	fs = filesystem_create(type);
	if (!fs)
		return -ENOMEM;
	error = type->mount(fs, source, options);
	if (error) {
		namespace_put(&fs->user_ns->ns);
		kfree(fs);
		return error;
	}
	*out = single ? keep_single(fs) : fs;
	return *out ? 0 : -ENOMEM;
}

/*
 * In a user namespace of its own one mounts what cannot harm others, and /proc only if nothing of it is hidden
 * from one already.
 */
static int
may_mount_type(const struct filesystem_type *type)
{
	struct mount_namespace *ns = current_mount_namespace();
	bool shown = false;

	if (capable(CAP_SYS_ADMIN))
		return 0;
	if (!type->user_mount)
		return -EPERM;
	if (!type->single)
		return 0;
	read_lock(&mount_lock);
	for (struct mount *m = ns->root; m && !shown; m = next_locked(m, ns->root))
		shown = m->fs->type == type && m->root == m->fs->root && list_is_empty(&m->children);
	read_unlock(&mount_lock);
	return shown ? 0 : -EPERM;
}

int
vfs_mount(const char *source, const struct path *where, const char *type_name, uint32_t flags,
	  const char *options)
{
	struct filesystem_type *type = filesystem_find(type_name);
	struct filesystem *fs;
	struct mount *m;
	int error;

	if (!type)
		return -ENODEV;
	error = where ? may_mount_type(type) : 0;
	if (error)
		return error;
	error = instance(type, source, options, &fs);
	if (error)
		return error;
	m = mount_create(fs, fs->root, flags, source);
	filesystem_put(fs);
	if (!m)
		return -ENOMEM;
	error = where ? mount_graft(m, where) : 0;
	if (error)
		mount_put(m);
	else if (!where) {
		root_mount = init_mount_namespace.root = m;
		m->ns = &init_mount_namespace;
	}
	return error;
}

/* A copy of `from` showing `root`. */
static struct mount *
copy_mount(struct mount *from, struct dentry *root)
{
	struct mount *m = mount_create(from->fs, root, from->flags, from->source);

	if (m)
		m->locked_flags = from->locked_flags;
	return m;
}

/*
 * Attach copies of the mounts below `from_root` in `from` at the same places below its copy: down to the
 * first child, up when a mount has no more. Mounts may nest deeper than a stack could follow.
 */
static int
copy_children_locked(struct mount *from, struct dentry *from_root, struct mount *copy)
{
	struct mount *at = from, *to = copy, *c;
	struct list *next = at->children.next;

	for (;;) {
		struct mount *child = list_entry(next, struct mount, sibling);

		if (next == &at->children) {
			if (at == from)
				return 0;
			next = at->sibling.next;
			at = at->parent;
			to = to->parent;
			continue;
		}
		if (!dentry_is_below(child->mountpoint, at == from ? from_root : at->root)) {
			next = next->next;
			continue;
		}
		c = copy_mount(child, child->root);
		if (!c)
			return -ENOMEM;
		c->locked = child->locked;
		child->copy = c;
		attach_locked(c, &(struct path){ to, child->mountpoint });
		at = child;
		to = c;
		next = at->children.next;
	}
}

/* Take the whole tree at `top` apart; all become the callers' to put: collected on `out`. */
static void
dismantle_locked(struct mount *top, struct list *out)
{
	struct mount *m;

	while ((m = next_locked(top, top)) != NULL) {
		struct path old;

		while (!list_is_empty(&m->children))
			m = list_entry(m->children.next, struct mount, sibling);
		detach_locked(m, &old);
		/* Parent and mount point stay referenced through the fields until the mount is
		 * freed. */
		m->parent = old.mount;
		m->mountpoint = old.dentry;
		list_add_tail(out, &m->sibling);
	}
}

static void
put_all(struct list *mounts)
{
	struct mount *m, *tmp;

	list_for_each_safe(m, tmp, mounts, sibling) {
		struct path old;

		list_del_init(&m->sibling);
		write_lock(&mount_lock);
		old = (struct path){ m->parent, m->mountpoint };
		m->parent = NULL;
		m->mountpoint = NULL;
		write_unlock(&mount_lock);
		path_put(&old);
		mount_put(m);
	}
}

void
mount_tree_drop(struct mount *top)
{
	struct list dead = LIST_INIT(dead);

	write_lock(&mount_lock);
	dismantle_locked(top, &dead);
	set_namespace_locked(top, NULL);
	write_unlock(&mount_lock);
	put_all(&dead);
	mount_put(top);
}

#define RESTRICTIONS (MOUNT_READONLY | MOUNT_NOSUID | MOUNT_NODEV | MOUNT_NOEXEC)
#define ACCESS_TIMES (MOUNT_NOATIME | MOUNT_NODIRATIME | MOUNT_RELATIME)

/* What a mount restricts it will always restrict, and all but the first stay where they are. */
static void
lock_tree_locked(struct mount *top)
{
	for (struct mount *m = top; m; m = next_locked(m, top)) {
		m->locked_flags |= (m->flags & RESTRICTIONS) | ACCESS_TIMES;
		m->locked = m != top;
	}
}

struct mount *
mount_tree_copy(struct mount *top, struct mount_namespace *ns, bool lock)
{
	struct mount *m = copy_mount(top, top->root);
	int error;

	if (!m)
		return NULL;
	write_lock(&mount_lock);
	error = copy_children_locked(top, top->root, m);
	top->copy = m;
	if (!error) {
		set_namespace_locked(m, ns);
		if (lock)
			lock_tree_locked(m);
	}
	write_unlock(&mount_lock);
	if (!error)
		return m;
	mount_tree_drop(m);
	return NULL;
}

/* Would a copy of what `from` shows without the mounts on it show what a locked mount hides? */
static bool
hides_locked(struct mount *from, struct dentry *root)
{
	struct mount *m;

	list_for_each(m, &from->children, sibling)
		if (m->locked && dentry_is_below(m->mountpoint, root))
			return true;
	return false;
}

int
vfs_bind(const struct path *from, const struct path *where, bool recursive)
{
	struct list dead = LIST_INIT(dead);
	struct mount *m = copy_mount(from->mount, from->dentry);
	int error = 0;

	if (!m)
		return -ENOMEM;
	write_lock(&mount_lock);
	if (from->mount->ns != current_mount_namespace() && !mount_is_of_namespace(from->mount))
		error = -EINVAL;
	else if (!recursive && hides_locked(from->mount, from->dentry))
		error = -EINVAL;
	else if (recursive)
		error = copy_children_locked(from->mount, from->dentry, m);
	write_unlock(&mount_lock);
	if (!error)
		error = mount_graft(m, where);
	if (!error)
		return 0;
	write_lock(&mount_lock);
	dismantle_locked(m, &dead);
	write_unlock(&mount_lock);
	put_all(&dead);
	mount_put(m);
	return error;
}

int
vfs_remount(const struct path *where, uint32_t flags, const char *options, bool bind)
{
	struct mount *m = where->mount;
	int error = 0;

	if (where->dentry != m->root || READ_ONCE(m->ns) != current_mount_namespace())
		return -EINVAL;
	if (m->locked_flags & RESTRICTIONS & ~flags)
		return -EPERM;
	if ((m->locked_flags & ACCESS_TIMES) && ((m->flags ^ flags) & ACCESS_TIMES))
		return -EPERM;
	if (!bind && !capable_in(m->fs->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (!bind) {
		if (m->fs->type->remount)
			error = m->fs->type->remount(m->fs, options);
		else if (options && *options)
			error = -EINVAL;
	}
	if (error)
		return error;
	write_lock(&mount_lock);
	m->flags = flags;
	write_unlock(&mount_lock);
	return 0;
}

int
vfs_move_mount(const struct path *from, const struct path *where)
{
	struct mount *m = from->mount, *up;
	struct path top, old = { 0 };
	int error;

	if (from->dentry != m->root)
		return -EINVAL;
	error = lock_top_of(where, &top);
	/* the top of all, or just unmounted: the tree has no reference to give */
	if (!m->parent || m->ns != current_mount_namespace() || m->locked)
		error = -EINVAL;
	for (up = top.mount; up; up = up->parent)
		if (up == m && !error)
			error = -ELOOP;
	if (!error && S_ISDIR(m->root->inode->mode) != S_ISDIR(top.dentry->inode->mode))
		error = -EINVAL;
	if (!error)
		error = place_locked(m, &top, &old);
	write_unlock(&mount_lock);
	path_put(&old);
	path_put(&top);
	return error;
}

#define MNT_FORCE  1
#define MNT_DETACH 2
#define MNT_EXPIRE 4

int
vfs_unmount(struct path *p, int flags)
{
	struct list dead = LIST_INIT(dead);
	struct mount *m = p->mount;
	struct path old = { 0 }, root;
	int error = 0;

	if (p->dentry != m->root)
		return -EINVAL;
	if (flags & MNT_EXPIRE)
		return flags & (MNT_FORCE | MNT_DETACH) ? -EINVAL : -EAGAIN;
	fs_context_root(&root);
	write_lock(&mount_lock);
	if (m->ns != current_mount_namespace() || m->locked) {
		error = -EINVAL;
	} else if (!m->parent) {
		error = m == m->ns->root ? -EBUSY : -EINVAL;
	} else if (!(flags & MNT_DETACH) && (root.mount == m || !list_is_empty(&m->children) ||
					     ref_count(&m->refs) > 2)) {
		error = -EBUSY; /* the tree's and p's are two */
	} else {
		dismantle_locked(m, &dead);
		detach_locked(m, &old);
	}
	write_unlock(&mount_lock);
	path_put(&root);
	if (error)
		return error;
	path_put(&old);
	put_all(&dead);
	mount_put(m); /* the tree's; p still holds one */
	return 0;
}

/* Is `p` at or below `top`, across mounts? mount_lock is held. */
static bool
is_reachable_locked(const struct path *p, const struct path *top)
{
	struct mount *m = p->mount;
	struct dentry *d = p->dentry;

	while (m != top->mount && m->parent) {
		d = m->mountpoint;
		m = m->parent;
	}
	return m == top->mount && dentry_is_below(d, top->dentry);
}

/* The rules of pivot_root(2). mount_lock is held. */
static int
may_pivot_locked(const struct path *new_root, const struct path *put_old, const struct path *root)
{
	const struct mount_namespace *ns = current_mount_namespace();
	struct mount *m = new_root->mount;

	if (root->mount->ns != ns || m->ns != ns || put_old->mount->ns != ns || m->locked)
		return -EINVAL;
	if (m == root->mount || put_old->mount == root->mount)
		return -EBUSY;
	if (new_root->dentry != m->root || !m->parent || root->dentry != root->mount->root)
		return -EINVAL;
	if (!is_reachable_locked(put_old, new_root) || !is_reachable_locked(new_root, root))
		return -EINVAL;
	return 0;
}

int
vfs_pivot_root(const struct path *new_root, const struct path *put_old)
{
	struct path root, at = { 0 }, top = { 0 }, dropped = { 0 };
	struct mount_namespace *ns = current_mount_namespace();
	struct mount *m = new_root->mount;
	int error;

	fs_context_root(&root);
	top = *put_old;
	path_get(&top);
	write_lock(&mount_lock);
	error = may_pivot_locked(new_root, put_old, &root);
	if (!error) {
		detach_locked(m, &at);
		set_namespace_locked(m, ns);
		m->locked = root.mount->locked;
		root.mount->locked = false;
		if (root.mount->parent) {
			detach_locked(root.mount, &dropped);
			attach_locked(m, &dropped);
		} else {
			/* The namespace's reference to its root goes over, and the tree's to the old one. */
			ns->root = m;
		}
		attach_locked(root.mount, &top);
		if (root.mount == root_mount)
			root_mount = m;
	}
	write_unlock(&mount_lock);
	if (!error)
		fs_context_move_all(&root, &(struct path){ m, m->root });
	path_put(&dropped);
	path_put(&at);
	path_put(&top);
	path_put(&root);
	return error;
}

void
mounts_visit(struct mount_namespace *ns, const struct path *root, void (*fn)(void *ctx, struct mount *m, const char *where),
	void *ctx)
{
	char *buf = kmalloc(PATH_MAX, 0);
	uint64_t last = 0;

	if (!buf)
		return;
	/* In the order of their ids, one at a time, so that no lock is held while fn runs. */
	for (;;) {
		struct mount *m, *best = NULL;
		unsigned int state;
		char *where;

		read_lock(&mount_lock);
		for (m = ns->root; m; m = next_locked(m, ns->root))
			if (m->id > last && (!best || m->id < best->id))
				best = m;
		if (best)
			mount_get(best);
		read_unlock(&mount_lock);
		if (!best)
			break;
		last = best->id;
		where = path_name_from(
			&(struct path){best, best->root}, root, buf, PATH_MAX, &state);
		if (!IS_ERR(where) && !(state & PATH_UNREACHABLE))
			fn(ctx, best, where);
		mount_put(best);
	}
	kfree(buf);
}

#define DUMP_DEPTH 32

static void
dump_tree(const struct mount *m, uint32_t depth)
{
	const struct mount *child;

	pr_info("%*s%lu %s on %s, type %s, flags %#x, refs %u, %lu names\n", (int)(2 * depth), "", m->id,
		m->source ? m->source : "none", m->mountpoint ? m->mountpoint->name : "/",
		m->fs->type->name, m->flags, ref_count(&m->refs), m->fs->dentries);
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
