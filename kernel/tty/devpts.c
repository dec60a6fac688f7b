/* SPDX-License-Identifier: MIT */
/*
 * devpts.c - /dev/pts: one node for each pseudo-terminal, and ptmx.
 *
 * A node's inode belongs to its pty, so that chmod and chown stick however often the name is dropped
 * from the cache; names are looked up in the table of ptys. There is one instance, which stays
 * once it was mounted.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "tty_private.h"

#define DEVPTS_MAGIC 0x1cd1
#define GID_TTY      5
#define PTMX_DEVICE  DEV(5, 2)

static struct filesystem *devpts; /* [I] after the first mount */
static struct inode *ptmx_inode;  /* [I] likewise, a reference */

static int
node_open(struct inode *i, struct file *f)
{
	struct tty *t = pty_find(DEV_MINOR(i->rdev));
	int error;

	if (!t)
		return -EIO;
	error = t->node == i ? tty_open_file(t, f) : -EIO;
	tty_put(t);
	return error;
}

static const struct inode_ops node_ops = {
	.name = "pts",
	.open = node_open,
};

static const struct inode_ops ptmx_ops = {
	.name = "ptmx",
	.open = pty_open_master,
};

static bool
parse_index(const char *name, size_t length, uint32_t *index)
{
	const char *end;
	uint64_t n;

	if (length == 0 || (length > 1 && name[0] == '0') || name[0] < '0' || name[0] > '9')
		return false;
	if (parse_u64(name, &end, 10, &n) != 0 || end != name + length || n > UINT32_MAX)
		return false;
	*index = (uint32_t)n;
	return true;
}

static int
root_lookup(struct inode *dir, struct dentry *d)
{
	uint32_t index;
	struct tty *t;

	if (strcmp(d->name, "ptmx") == 0) {
		inode_get(ptmx_inode);
		dentry_attach(d, ptmx_inode);
		return 0;
	}
	if (!parse_index(d->name, d->length, &index))
		return 0;
	t = pty_find(index);
	if (!t)
		return 0;
	if (t->node) {
		inode_get(t->node);
		dentry_attach(d, t->node);
	}
	tty_put(t);
	return 0;
}

/* A cached name is believed while it leads to the pty of that number alive now. */
static bool
root_revalidate(struct dentry *d)
{
	struct inode *i = d->inode;
	uint32_t index;
	struct tty *t;
	bool same;

	if (i == ptmx_inode)
		return true;
	if (!parse_index(d->name, d->length, &index))
		return i == NULL;
	t = pty_find(index);
	same = i == (t ? t->node : NULL);
	if (t)
		tty_put(t);
	return same;
}

static const struct inode_ops root_ops = {
	.name = "devpts",
	.lookup = root_lookup,
	.revalidate = root_revalidate,
};

/* Positions: 0 and 1 the dots, 2 ptmx, 3 + N terminal N. */
static int
root_readdir(struct file *f, struct dir_context *ctx)
{
	if (ctx->position == 0 && !ctx->emit(ctx, ".", 1, 1, f->inode->number, S_IFDIR >> 12))
		return 0;
	if (ctx->position <= 1) {
		ctx->position = 1;
		if (!ctx->emit(ctx, "..", 2, 2, f->inode->number, S_IFDIR >> 12))
			return 0;
		ctx->position = 2;
	}
	if (ctx->position == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, 3, ptmx_inode->number, S_IFCHR >> 12))
			return 0;
		ctx->position = 3;
	}
	for (uint32_t n = pty_next((uint32_t)(ctx->position - 3)); n != UINT32_MAX; n = pty_next(n + 1)) {
		char name[12];
		int length = snprintf(name, sizeof(name), "%u", n);

		if (!ctx->emit(ctx, name, (size_t)length, 4 + (loff_t)n, 3 + n, S_IFCHR >> 12))
			return 0;
		ctx->position = 4 + (loff_t)n;
	}
	return 0;
}

static const struct file_ops root_file_ops = {
	.name = "devpts",
	.readdir = root_readdir,
};

/* The inode of a new pty: owned by who opened it, group tty, mode 0620. NULL: not mounted, memory. */
struct inode *
devpts_node_create(struct tty *t)
{
	struct inode *i;

	if (!devpts)
		return NULL;
	i = inode_create(devpts, S_IFCHR | 0620);
	if (!i)
		return NULL;
	i->ops = &node_ops;
	i->file_ops = &tty_file_ops;
	i->rdev = t->device;
	i->gid = GID_TTY;
	i->number = 3 + t->index;
	return i;
}

/* The pty ends: names found from now on lead nowhere. Called once, by the master's release. */
void
devpts_node_remove(struct tty *t)
{
	inode_put(t->node);
}

static int
devpts_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct inode *root = inode_create(fs, S_IFDIR | 0755);

	if (!root)
		return -ENOMEM;
	root->ops = &root_ops;
	root->file_ops = &root_file_ops;
	root->links = 2;
	root->uid = root->gid = 0;
	ptmx_inode = inode_create(fs, S_IFCHR | 0666);
	if (!ptmx_inode) {
		inode_put(root);
		return -ENOMEM;
	}
	ptmx_inode->ops = &ptmx_ops;
	ptmx_inode->file_ops = &tty_file_ops;
	ptmx_inode->rdev = PTMX_DEVICE;
	ptmx_inode->uid = ptmx_inode->gid = 0;
	fs->root = dentry_create_root(fs, root);
	if (!fs->root)
		return -ENOMEM;
	ref_get(&fs->refs);
	devpts = fs;
	return 0;
}

static int
devpts_remount(struct filesystem *fs, const char *options)
{
	return 0;
}

static void
devpts_show_options(struct filesystem *fs, char *out, size_t size)
{
	scnprintf(out, size, ",gid=%d,mode=620,ptmxmode=666", GID_TTY);
}

static struct filesystem_type devpts_type = {
	.name = "devpts",
	.magic = DEVPTS_MAGIC,
	.no_device = true,
	.single = true,
	.user_mount = true, /* the one that the namespace shows already; its inodes keep their owners */
	.mount = devpts_mount,
	.remount = devpts_remount,
	.show_options = devpts_show_options,
};

void
devpts_init(void)
{
	filesystem_register(&devpts_type);
}
