/* SPDX-License-Identifier: MIT */
/*
 * mount_namespace.c - several trees of mounts.
 *
 * Each namespace has a tree; mount->ns says in whose a mount is, NULL when it is in none. A process reaches
 * mounts of others through handles and directories it holds, but changes only the tree of its own namespace.
 *
 * A copy of a tree for another, less privileged user namespace is locked: what its mounts hide must stay
 * hidden, and what they forbid forbidden. So no mount but the topmost can be taken away or moved from where it
 * is, and no restricting flag taken off it (mount->locked, locked_flags).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "vfs.h"

struct mount_namespace init_mount_namespace = {
	.ns = { { 1 }, NAMESPACE_MOUNT, 0xf0000001, &init_user_namespace },
	.changed = WAIT_QUEUE_INIT(init_mount_namespace.changed),
};

struct mount_namespace *
current_mount_namespace(void)
{
	return (struct mount_namespace *)current_namespaces()->of[NAMESPACE_MOUNT];
}

bool
mount_may_change(void)
{
	return capable_in(current_mount_namespace()->ns.owner, CAP_SYS_ADMIN);
}

bool
mount_may_set_id(const struct mount *m, const struct user_namespace *of)
{
	return READ_ONCE(m->ns) == current_mount_namespace() && user_namespace_is_inside(of, m->fs->user_ns);
}

void
mount_namespace_release(struct namespace *ns)
{
	struct mount_namespace *n = (struct mount_namespace *)ns;

	if (n->root)
		mount_tree_drop(n->root);
	assert(n->count == 0);
	kfree(n);
}

/* Where `p` leads in the tree of `from` it is to lead in the copy. What it held is the caller's to put, or NULL. */
static struct mount *
move_to_copy_locked(struct path *p, const struct mount_namespace *from)
{
	struct mount *old = p->mount;

	if (old->ns != from)
		return NULL;
	p->mount = old->copy;
	mount_get(p->mount);
	return old;
}

struct namespace *
mount_namespace_copy(struct namespace *from, struct user_namespace *owner, struct fs_context *fs)
{
	struct mount_namespace *old = (struct mount_namespace *)from, *n = kzalloc(sizeof(*n));
	struct mount *root = NULL, *cwd = NULL;

	if (!n)
		return NULL;
	namespace_init(&n->ns, NAMESPACE_MOUNT, owner);
	wait_queue_init(&n->changed);
	/* In one: what were mounted between the two would have no copy. Nobody else uses `fs`. */
	write_lock(&mount_lock);
	n->root = mount_tree_copy_locked(old->root, n, owner != from->owner);
	if (n->root) {
		root = move_to_copy_locked(&fs->root, old);
		cwd = move_to_copy_locked(&fs->cwd, old);
	}
	write_unlock(&mount_lock);
	mount_put(root);
	mount_put(cwd);
	if (n->root)
		return &n->ns;
	namespace_put(&n->ns);
	return NULL;
}

void
mount_namespace_entered(struct namespace *ns)
{
	struct mount_namespace *n = (struct mount_namespace *)ns;
	struct path top;

	read_lock(&mount_lock);
	top = (struct path){ n->root, n->root->root };
	path_get(&top);
	read_unlock(&mount_lock);
	mount_follow(&top);
	fs_context_set_cwd(&top);
	fs_context_set_root(&top);
	path_put(&top);
}

bool
fs_context_is_confined(void)
{
	struct mount_namespace *n = current_mount_namespace();
	struct path root, top;
	bool confined;

	fs_context_root(&root);
	read_lock(&mount_lock);
	top = (struct path){ n->root, n->root->root };
	path_get(&top);
	read_unlock(&mount_lock);
	mount_follow(&top);
	confined = root.mount != top.mount || root.dentry != top.dentry;
	path_put(&top);
	path_put(&root);
	return confined;
}
