/* SPDX-License-Identifier: MIT */
/*
 * mount_change.c - binding, moving, unmounting, changing what mounts allow and how they propagate; pivot_root.
 *
 * One changes only the tree of one's own namespace, and trees that are attached nowhere. Each change is one critical
 * section of mount_lock; what goes away is put after it.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "mount_tree.h"

int
mount_lock_top_of(const struct path *where, struct path *out)
{
	*out = *where;
	path_get(out);
	for (;;) {
		mount_follow(out);
		write_lock(&mount_lock);
		if (!mount_find_locked(out->mount, out->dentry))
			break;
		write_unlock(&mount_lock); /* somebody was faster */
	}
	return out->mount->ns == current_mount_namespace() ? 0 : -EINVAL;
}

static void
unlock_and_put(struct path *top, struct list *dead)
{
	write_unlock(&mount_lock);
	mount_put_all(dead);
	path_put(top);
}

static bool
is_of_kind(const struct mount *m, const struct path *where)
{
	return S_ISDIR(m->root->inode->mode) == S_ISDIR(where->dentry->inode->mode);
}

int
mount_graft(struct mount *m, const struct path *where)
{
	struct list dead = LIST_INIT(dead);
	struct path top;
	int error = mount_lock_top_of(where, &top);

	if (error)
		;
	else if (top.mount->fs == m->fs && top.dentry == top.mount->root && m->root == top.dentry)
		error = -EBUSY; /* the same once more on itself */
	else if (!is_of_kind(m, &top))
		error = -ENOTDIR;
	else
		error = mount_attach_tree_locked(m, &top, NULL, &dead);
	unlock_and_put(&top, &dead);
	return error;
}

/* A copy of what is at `from`, for binding. The lock is held. ERR_PTR. */
static struct mount *
copy_for_bind(const struct path *from, bool recursive)
{
	struct mount *m = from->mount;

	if (m->unbindable)
		return ERR_PTR(-EINVAL);
	if (m->ns != current_mount_namespace() && !mount_is_of_namespace(m))
		return ERR_PTR(-EINVAL);
	if (recursive)
		return mount_copy_locked(m, from->dentry, COPY_NAMESPACES);
	if (mount_hides_locked(m, from->dentry))
		return ERR_PTR(-EINVAL);
	return mount_copy_alone_locked(m, from->dentry);
}

int
vfs_bind(const struct path *from, const struct path *where, bool recursive)
{
	struct list dead = LIST_INIT(dead);
	bool loops = false;
	struct mount *m;
	struct path top;
	int error;

	if (nsfs_is_mounts(from->dentry, &loops) && loops)
		return -EINVAL;
	error = mount_lock_top_of(where, &top);
	if (error)
		goto out;
	m = copy_for_bind(from, recursive);
	if (IS_ERR(m)) {
		error = (int)PTR_ERR(m);
		goto out;
	}
	error = is_of_kind(m, &top) ? mount_attach_tree_locked(m, &top, NULL, &dead) : -ENOTDIR;
	if (error)
		mount_discard_locked(m, &dead);
out:
	unlock_and_put(&top, &dead);
	return error;
}

int
vfs_open_copy(const struct path *from, bool recursive, struct file **out)
{
	struct mount *m;

	write_lock(&mount_lock);
	m = copy_for_bind(from, recursive);
	if (!IS_ERR(m))
		mount_set_namespace_locked(m, &detached_mounts);
	write_unlock(&mount_lock);
	return IS_ERR(m) ? (int)PTR_ERR(m) : vfs_open_detached(m, out);
}

/* Lets the tree go: each mount of it with its last user. */
static void
dissolve(struct mount *m)
{
	struct list dead = LIST_INIT(dead);

	write_lock(&mount_lock);
	if (m->ns == &detached_mounts)
		mount_unmount_locked(m, TREE_CONNECTED, &dead);
	write_unlock(&mount_lock);
	mount_put_all(&dead);
}

int
vfs_open_detached(struct mount *m, struct file **out)
{
	struct path p = { m, m->root };
	int error;

	write_lock(&mount_lock);
	if (!m->ns)
		mount_set_namespace_locked(m, &detached_mounts);
	write_unlock(&mount_lock);
	error = vfs_open_path(&p, out);
	if (error)
		dissolve(m);
	else
		(*out)->mode |= FILE_MOUNT;
	return error;
}

void
mount_released(struct file *f)
{
	dissolve(f->mount);
}

/* --- flags ------------------------------------------------------------------------------------ */

/* May `m` get these? -EPERM: it is locked to what it has. */
static int
may_get_flags(const struct mount *m, uint32_t flags)
{
	if (m->locked_flags & RESTRICTIONS & ~flags)
		return -EPERM;
	if ((m->locked_flags & ACCESS_TIMES) && ((m->flags ^ flags) & ACCESS_TIMES))
		return -EPERM;
	return 0;
}

/* Say that `m` is read-only: -EBUSY, and it is not, when files are open for writing. See mount_writer_add(). */
static int
forbid_writing(struct mount *m)
{
	if (m->flags & MOUNT_READONLY)
		return 0;
	WRITE_ONCE(m->flags, m->flags | MOUNT_READONLY); /* (1) */
	memory_barrier();
	if (atomic_load(&m->writers) == 0) /* (2) */
		return 0;
	WRITE_ONCE(m->flags, m->flags & ~MOUNT_READONLY);
	return -EBUSY;
}

static int
fs_set_readonly(struct filesystem *fs, bool readonly)
{
	if (!readonly || READ_ONCE(fs->readonly)) {
		WRITE_ONCE(fs->readonly, readonly);
		return 0;
	}
	WRITE_ONCE(fs->readonly, true); /* (1) */
	memory_barrier();
	if (atomic_load(&fs->writers) == 0) /* (2) */
		return 0;
	WRITE_ONCE(fs->readonly, false);
	return -EBUSY;
}

int
filesystem_reconfigure(struct filesystem *fs, const bool *readonly, const char *options)
{
	bool before = READ_ONCE(fs->readonly);
	int error = readonly ? fs_set_readonly(fs, *readonly) : 0;

	if (error)
		return error;
	if (fs->type->remount)
		error = fs->type->remount(fs, options);
	else if (options && *options)
		error = -EINVAL;
	if (error)
		WRITE_ONCE(fs->readonly, before);
	return error;
}

/* Can `where` be remounted with these flags? The mount, or ERR_PTR. */
static int
may_remount(const struct path *where, uint32_t flags)
{
	struct mount *m = where->mount;

	if (where->dentry != m->root || READ_ONCE(m->ns) != current_mount_namespace())
		return -EINVAL;
	return may_get_flags(m, flags);
}

int
vfs_remount_bind(const struct path *where, uint32_t flags)
{
	struct mount *m = where->mount;
	int error;

	write_lock(&mount_lock);
	error = may_remount(where, flags);
	if (!error && (flags & MOUNT_READONLY))
		error = forbid_writing(m);
	if (!error) {
		WRITE_ONCE(m->flags, flags);
		mount_changed_locked(m->ns);
	}
	write_unlock(&mount_lock);
	return error;
}

int
vfs_remount(const struct path *where, uint32_t flags, bool readonly, const char *options)
{
	struct mount *m = where->mount;
	int error;

	read_lock(&mount_lock);
	error = may_remount(where, flags);
	read_unlock(&mount_lock);
	if (!error && !capable_in(m->fs->user_ns, CAP_SYS_ADMIN))
		error = -EPERM;
	if (!error)
		error = filesystem_reconfigure(m->fs, &readonly, options);
	if (error)
		return error;
	write_lock(&mount_lock);
	WRITE_ONCE(m->flags, flags);
	mount_changed_locked(m->ns);
	write_unlock(&mount_lock);
	return 0;
}

/* Attached in the caller's namespace, or the top of a tree that is attached nowhere. */
static bool
may_change(const struct mount *m)
{
	if (m->ns == current_mount_namespace())
		return true;
	return m->ns == &detached_mounts && !m->parent;
}

static int
share(struct mount *top, bool recursive)
{
	for (struct mount *m = top; m; m = recursive ? mount_next_locked(m, top) : NULL)
		if (mount_share_locked(m))
			return -ENOMEM; /* those that are shared by now have groups of one: no harm */
	return 0;
}

int
vfs_change_propagation(const struct path *where, enum mount_propagation to, bool recursive)
{
	struct mount *top = where->mount;
	int error = 0;

	if (where->dentry != top->root)
		return -EINVAL;
	write_lock(&mount_lock);
	if (!may_change(top))
		error = -EINVAL;
	if (!error && to == MOUNT_SHARED)
		error = share(top, recursive);
	for (struct mount *m = top; m && !error; m = recursive ? mount_next_locked(m, top) : NULL)
		mount_propagation_locked(m, to);
	write_unlock(&mount_lock);
	return error;
}

static uint32_t
changed_flags(const struct mount *m, const struct mount_change *c)
{
	return (m->flags & ~c->clear) | c->set;
}

/* Those before `stop` that prepare_change() made read-only stay so; or, with `undo`, do not. */
static void
settle_change(struct mount *top, const struct mount *stop, const struct mount_change *c, bool undo)
{
	for (struct mount *m = top; m != stop; m = c->recursive ? mount_next_locked(m, top) : NULL) {
		if (m->going && undo)
			WRITE_ONCE(m->flags, m->flags & ~MOUNT_READONLY);
		m->going = false;
	}
}

/*
 * All mounts may get what `c` says, and those that become read-only are so already, marked as going until
 * settle_change(); or an error, and nothing has changed.
 */
static int
prepare_change(struct mount *top, const struct mount_change *c)
{
	struct mount *m;
	int error = 0;

	for (m = top; m && !error; m = c->recursive ? mount_next_locked(m, top) : NULL)
		error = may_get_flags(m, changed_flags(m, c));
	if (error || !(c->set & MOUNT_READONLY))
		return error;
	for (m = top; m; m = c->recursive ? mount_next_locked(m, top) : NULL) {
		m->going = !(m->flags & MOUNT_READONLY);
		error = forbid_writing(m);
		if (error) {
			m->going = false;
			settle_change(top, m, c, true);
			break;
		}
	}
	return error;
}

int
vfs_change_mount(const struct path *where, const struct mount_change *c)
{
	struct mount *top = where->mount;
	int error = 0;

	if (where->dentry != top->root)
		return -EINVAL;
	write_lock(&mount_lock);
	if (!may_change(top))
		error = -EINVAL;
	if (!error)
		error = prepare_change(top, c);
	if (!error) {
		/* Not before: nothing is shared of a tree that cannot be changed. */
		if (c->propagates && c->to == MOUNT_SHARED)
			error = share(top, c->recursive);
		settle_change(top, NULL, c, error != 0);
	}
	for (struct mount *m = top; m && !error; m = c->recursive ? mount_next_locked(m, top) : NULL) {
		WRITE_ONCE(m->flags, changed_flags(m, c));
		if (c->propagates)
			mount_propagation_locked(m, c->to);
	}
	if (!error)
		mount_changed_locked(top->ns);
	write_unlock(&mount_lock);
	return error;
}

int
vfs_share_group(const struct path *from_path, const struct path *to_path)
{
	struct mount *from = from_path->mount, *to = to_path->mount;
	int error = -EINVAL;

	write_lock(&mount_lock);
	if (!from->ns || !to->ns)
		goto out;
	error = -EPERM;
	if (!capable_in(from->ns->ns.owner, CAP_SYS_ADMIN) || !capable_in(to->ns->ns.owner, CAP_SYS_ADMIN))
		goto out;
	error = -EINVAL;
	if (from_path->dentry != from->root || to_path->dentry != to->root || from->fs != to->fs ||
	    !dentry_is_below(to->root, from->root) || mount_hides_locked(from, to->root))
		goto out;
	if (to->group || to->master || !(from->group || from->master))
		goto out;
	mount_set_master_locked(to, from->master);
	if (from->group) {
		mount_join_locked(to, from->group);
		mount_propagation_locked(to, MOUNT_SHARED);
	}
	error = 0;
out:
	write_unlock(&mount_lock);
	return error;
}

/* --- moving ----------------------------------------------------------------------------------- */

static bool
has_unbindable(struct mount *top)
{
	for (struct mount *m = top; m; m = mount_next_locked(m, top))
		if (m->unbindable)
			return true;
	return false;
}

/* Has the tree a mount of a file of a mount namespace as old as the caller's? */
static bool
has_loop(struct mount *top)
{
	bool loops = false;

	for (struct mount *m = top; m; m = mount_next_locked(m, top))
		if (nsfs_is_mounts(m->root, &loops) && loops)
			return true;
	return false;
}

/* The rules of MS_MOVE and move_mount(2). The lock is held. */
static int
may_move(const struct path *from, const struct path *to)
{
	struct mount *m = from->mount, *up;
	bool attached = m->parent;

	if (attached ? m->ns != current_mount_namespace() : m->ns != &detached_mounts)
		return -EINVAL;
	if (m->locked || from->dentry != m->root || !is_of_kind(m, to))
		return -EINVAL;
	if (attached && m->parent->group)
		return -EINVAL;
	if (to->mount->group && has_unbindable(m))
		return -EINVAL;
	if (has_loop(m))
		return -ELOOP;
	for (up = to->mount; up; up = up->parent)
		if (up == m)
			return -ELOOP;
	return 0;
}

int
vfs_move_mount(const struct path *from, const struct path *where)
{
	struct list dead = LIST_INIT(dead);
	struct path top, old = { 0 };
	int error = mount_lock_top_of(where, &top);

	if (!error)
		error = may_move(from, &top);
	/* A detached tree's reference, that of who made it, becomes the tree's. */
	if (!error)
		error = mount_attach_tree_locked(from->mount, &top, from->mount->parent ? &old : NULL, &dead);
	unlock_and_put(&top, &dead);
	path_put(&old);
	return error;
}

/* --- unmounting ------------------------------------------------------------------------------- */

struct busy {
	bool is;
};

/* Would what hangs there by propagation, and would go, go while somebody is in it? */
static void
look_at_other(void *ctx, struct mount *other)
{
	struct mount *cover = mount_find_locked(other, other->root);
	bool alone = other->children.next == other->children.prev;
	struct busy *b = ctx;

	if (!list_is_empty(&other->children) && !(alone && cover))
		return; /* stays anyhow */
	if (ref_count(&other->refs) > (cover ? 2 : 1))
		b->is = true;
}

static bool
is_busy(struct mount *m)
{
	struct busy b = { 0 };

	/* the tree's and the caller's are two */
	if (!list_is_empty(&m->children) || ref_count(&m->refs) > 2)
		return true;
	mount_gather_locked(m, look_at_other, &b);
	return b.is;
}

/* The first call for a mount that nobody uses marks it, the second one finds that nobody has used it since. */
static int
expire(struct mount *m, int flags)
{
	struct path root;
	bool is_root;

	fs_context_root(&root);
	is_root = root.mount == m;
	path_put(&root);
	if (is_root || (flags & (UNMOUNT_FORCE | UNMOUNT_DETACH)))
		return -EINVAL;
	if (ref_count(&m->refs) != 2)
		return -EBUSY;
	return atomic_exchange(&m->expiring, true) ? 0 : -EAGAIN;
}

static int
may_unmount(const struct path *p, int flags)
{
	struct mount *m = p->mount;

	if (!mount_may_change())
		return -EPERM;
	if (p->dentry != m->root || READ_ONCE(m->ns) != current_mount_namespace() || READ_ONCE(m->locked))
		return -EINVAL;
	if ((flags & UNMOUNT_FORCE) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	return flags & UNMOUNT_EXPIRE ? expire(m, flags) : 0;
}

static int
unmount(struct mount *m, int flags, struct list *dead)
{
	struct path root;
	int error = 0;

	fs_context_root(&root);
	write_lock(&mount_lock);
	if (m->ns != current_mount_namespace() || m->locked)
		error = -EINVAL;
	else if (!m->parent)
		error = m == m->ns->root ? -EBUSY : -EINVAL;
	else if (flags & UNMOUNT_DETACH)
		mount_unmount_locked(m, TREE_PROPAGATE, dead);
	else if (root.mount == m || is_busy(m))
		error = -EBUSY;
	else
		mount_unmount_locked(m, TREE_PROPAGATE | TREE_APART, dead);
	write_unlock(&mount_lock);
	path_put(&root);
	return error;
}

/* Takes over p's references: a look at a mount that is to expire does not count as a use, as path_put() would. */
int
vfs_unmount(struct path *p, int flags)
{
	struct list dead = LIST_INIT(dead);
	int error = may_unmount(p, flags);

	if (!error && (flags & UNMOUNT_FORCE) && p->mount->fs->type->force)
		p->mount->fs->type->force(p->mount->fs);
	if (!error)
		error = unmount(p->mount, flags, &dead);
	mount_put_all(&dead);
	dentry_put(p->dentry);
	mount_put(p->mount);
	*p = (struct path){ 0 };
	return error;
}

/* --- pivot_root ------------------------------------------------------------------------------- */

bool
mount_reaches_locked(const struct path *p, const struct path *top)
{
	struct mount *m = p->mount;
	struct dentry *d = p->dentry;

	while (m != top->mount && m->parent) {
		d = m->mountpoint;
		m = m->parent;
	}
	return m == top->mount && dentry_is_below(d, top->dentry);
}

static bool
is_shared(const struct mount *m)
{
	return m && m->group;
}

/* The rules of pivot_root(2). mount_lock is held. */
static int
may_pivot(const struct path *new_root, const struct path *put_old, const struct path *root)
{
	const struct mount_namespace *ns = current_mount_namespace();
	struct mount *m = new_root->mount;

	if (is_shared(put_old->mount) || is_shared(m->parent) || is_shared(root->mount->parent))
		return -EINVAL;
	if (root->mount->ns != ns || m->ns != ns || m->locked)
		return -EINVAL;
	if (!new_root->dentry->hashed && new_root->dentry->parent != new_root->dentry)
		return -ENOENT;
	if (m == root->mount || put_old->mount == root->mount)
		return -EBUSY;
	if (new_root->dentry != m->root || !m->parent || root->dentry != root->mount->root)
		return -EINVAL;
	if (!mount_reaches_locked(put_old, new_root) || !mount_reaches_locked(new_root, root))
		return -EINVAL;
	return 0;
}

int
vfs_pivot_root(const struct path *new_root, const struct path *put_old)
{
	struct path root, at = { 0 }, top, dropped = { 0 };
	struct mount_namespace *ns = current_mount_namespace();
	struct mount *m = new_root->mount;
	int error;

	fs_context_root(&root);
	error = mount_lock_top_of(put_old, &top);
	if (!error)
		error = may_pivot(new_root, &top, &root);
	if (!error) {
		mount_detach_locked(m, &at);
		mount_set_namespace_locked(m, ns);
		m->locked = root.mount->locked;
		root.mount->locked = false;
		if (root.mount->parent) {
			mount_detach_locked(root.mount, &dropped);
			mount_attach_locked(m, &dropped);
		} else {
			/* The namespace's reference to its root goes over, and the tree's to the old one. */
			ns->root = m;
		}
		mount_attach_locked(root.mount, &top);
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
