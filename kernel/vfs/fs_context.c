/* SPDX-License-Identifier: MIT */
/*
 * fs_context.c - working directory, root directory and umask of a process.
 *
 * A kernel thread has none: it sees the root of the root mount.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "vfs.h"

static struct fs_context *
current_context(void)
{
	struct process *p = current_process();

	return p ? p->fs : NULL;
}

struct fs_context *
fs_context_copy(struct fs_context *from)
{
	struct fs_context *fs = kzalloc(sizeof(*fs));
	struct path top = { root_mount, root_mount->root };

	if (!fs)
		return NULL;
	ref_init(&fs->refs);
	spin_init(&fs->lock, LOCK_LEAF);
	if (from) {
		uint64_t flags = spin_lock_irq(&from->lock);

		fs->cwd = from->cwd;
		fs->root = from->root;
		fs->umask = from->umask;
		path_get(&fs->cwd);
		path_get(&fs->root);
		spin_unlock_irq(&from->lock, flags);
		return fs;
	}
	fs->cwd = fs->root = top;
	fs->umask = 022;
	path_get(&top);
	path_get(&top);
	return fs;
}

void
fs_context_put(struct fs_context *fs)
{
	if (!ref_put(&fs->refs))
		return;
	path_put(&fs->cwd);
	path_put(&fs->root);
	kfree(fs);
}

void
fs_context_get(struct fs_context *fs, struct path *cwd, struct path *root)
{
	uint64_t flags = spin_lock_irq(&fs->lock);

	if (cwd) {
		*cwd = fs->cwd;
		path_get(cwd);
	}
	if (root) {
		*root = fs->root;
		path_get(root);
	}
	spin_unlock_irq(&fs->lock, flags);
}

/* For who has no context. */
static void
get_top(struct path *out)
{
	*out = (struct path){ root_mount, root_mount->root };
	path_get(out);
}

void
fs_context_root(struct path *out)
{
	if (current_context())
		fs_context_get(current_context(), NULL, out);
	else
		get_top(out);
}

void
fs_context_cwd(struct path *out)
{
	if (current_context())
		fs_context_get(current_context(), out, NULL);
	else
		get_top(out);
}

/* One of the caller's two becomes `p`. */
static void
set(struct fs_context *fs, struct path *which, const struct path *p)
{
	struct path old;
	uint64_t flags;

	path_get(p);
	flags = spin_lock_irq(&fs->lock);
	old = *which;
	*which = *p;
	spin_unlock_irq(&fs->lock, flags);
	path_put(&old);
}

void
fs_context_set_cwd(const struct path *p)
{
	set(current_context(), &current_context()->cwd, p);
}

void
fs_context_set_root(const struct path *p)
{
	set(current_context(), &current_context()->root, p);
}

mode_t
fs_context_umask(void)
{
	struct fs_context *fs = current_context();

	return fs ? READ_ONCE(fs->umask) : 0;
}

mode_t
fs_context_set_umask(mode_t mask)
{
	struct fs_context *fs = current_context();
	uint64_t flags = spin_lock_irq(&fs->lock);
	mode_t old = fs->umask;

	fs->umask = mask & 0777;
	spin_unlock_irq(&fs->lock, flags);
	return old;
}

/* Put `to` where `from` stands in one context. The old references are dropped outside the lock. */
static void
move_one(struct fs_context *fs, const struct path *from, const struct path *to)
{
	struct path old_root = { 0 }, old_cwd = { 0 };
	uint64_t flags = spin_lock_irq(&fs->lock);

	if (path_equal(&fs->root, from)) {
		old_root = *from;
		fs->root = *to;
		path_get(to);
	}
	if (path_equal(&fs->cwd, from)) {
		old_cwd = *from;
		fs->cwd = *to;
		path_get(to);
	}
	spin_unlock_irq(&fs->lock, flags);
	path_put(&old_root);
	path_put(&old_cwd);
}

void
fs_context_move_all(const struct path *from, const struct path *to)
{
	struct process *p;

	for (pid_t pid = 1; (p = process_next(pid)) != NULL; pid++) {
		struct fs_context *fs;

		pid = p->pid;
		spin_lock(&p->lock);
		fs = p->fs;
		if (fs)
			ref_get(&fs->refs);
		spin_unlock(&p->lock);
		if (fs) {
			move_one(fs, from, to);
			fs_context_put(fs);
		}
		process_put(p);
	}
}
