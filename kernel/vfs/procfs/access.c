/* SPDX-License-Identifier: MIT */
/*
 * access.c - who may look at what of procfs, what of it can be changed, and where its links lead.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../vfs.h"
#include "files.h"
#include "frame.h"

int
may_inspect(struct inode *i, struct target *at)
{
	if (!(node_of(i)->entry->flags & ENTRY_INSPECT) || !at->process)
		return 0;
	return process_may_inspect_thread(at->process, at->whole ? NULL : at->thread) ? -EACCES : 0;
}

void
procfs_evict(struct inode *i)
{
	kfree(i->private);
}

/* --- links --------------------------------------------------------------------------------------- */

static ssize_t
link_readlink(struct inode *i, char *buf, size_t size)
{
	const struct entry *e = node_of(i)->entry;
	struct target at;
	ssize_t n = target_get(i, &at);

	if (n)
		return n == -ESRCH ? -ENOENT : n;
	n = may_inspect(i, &at);
	if (n == 0 && e->readlink)
		n = e->readlink(&at, buf, size);
	else if (n == 0) {
		struct path p = { 0 };
		char *text = kmalloc(PATH_MAX, 0), *name;

		n = text ? e->jump(&at, &p) : -ENOMEM;
		if (n == 0) {
			name = path_name(&p, text, PATH_MAX);
			n = IS_ERR(name) ? PTR_ERR(name) : (ssize_t)MIN(strlen(name), size);
			if (n > 0)
				memcpy(buf, name, (size_t)n);
			path_put(&p);
		}
		kfree(text);
	}
	target_put(&at);
	return n;
}

static int
link_jump(struct inode *i, struct mount **mount, struct dentry **dentry)
{
	struct target at;
	struct path p = { 0 };
	int error = target_get(i, &at);

	if (error)
		return -ENOENT;
	error = may_inspect(i, &at);
	/* What is mapped can be out of reach by any name. */
	if (!error && (node_of(i)->entry->flags & ENTRY_MAPPING) && !capable(CAP_SYS_ADMIN) &&
	    !capable(CAP_CHECKPOINT_RESTORE))
		error = -EPERM;
	if (!error)
		error = node_of(i)->entry->jump(&at, &p);
	target_put(&at);
	if (error)
		return error;
	*mount = p.mount;
	*dentry = p.dentry;
	return 0;
}

/* --- permissions and attributes ------------------------------------------------------------------ */

/* Directories with hidden insides (fd) ask the inspection rule instead of their mode bits. */
int
procfs_dir_permission(struct inode *i, int mask)
{
	struct target at;
	int error;

	if (!is_process_top(node_of(i)) && !(node_of(i)->entry->flags & ENTRY_INSPECT))
		return permission_generic(i, mask);
	error = target_get(i, &at);
	if (error)
		return -ENOENT;
	if (!is_process_top(node_of(i)))
		error = may_inspect(i, &at);
	else if (!process_is_shown(&at, at.process, PROC_CLOSED))
		error = READ_ONCE(at.instance->hiding) == PROC_HIDDEN ? -ENOENT : -EPERM;
	else
		error = permission_generic(i, mask);
	target_put(&at);
	return error;
}

/* Read-only settings are so for root too: no capability overrides the bits. */
static int
setting_permission(struct inode *i, int mask)
{
	const struct cred *c = current_cred();
	mode_t mode = i->mode;

	if (c->euid == 0)
		mode >>= 6;
	else if (cred_in_group(c, 0))
		mode >>= 3;
	return mask & ~mode & 7 ? -EACCES : 0;
}

static int
setting_set_attributes(struct inode *i, const struct inode_change *c)
{
	return c->what & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

/* Modes below /proc/PID follow the process; nobody sets them, and of its directory nothing. */
int
procfs_set_attributes(struct inode *i, const struct inode_change *c)
{
	const struct entry *e = node_of(i)->entry;

	if (e == process_list.each || e == task_list.each)
		return -EPERM;
	return node_of(i)->pid && (c->what & ATTR_MODE) ? -EPERM : 0;
}

const struct inode_ops procfs_setting_ops = {
	.name = "proc setting",
	.open = proc_file_open,
	.permission = setting_permission,
	.set_attributes = setting_set_attributes,
	.evict = procfs_evict,
};

const struct inode_ops procfs_file_ops = {
	.name = "proc file",
	.open = proc_file_open,
	.set_attributes = procfs_set_attributes,
	.evict = procfs_evict,
};

const struct inode_ops procfs_link_ops = {
	.name = "proc link",
	.readlink = link_readlink,
	.evict = procfs_evict,
};

const struct inode_ops procfs_jump_ops = {
	.name = "proc magic link",
	.readlink = link_readlink,
	.jump = link_jump,
	.evict = procfs_evict,
};
