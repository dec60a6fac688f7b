/* SPDX-License-Identifier: MIT */
/*
 * devpts.c - /dev/pts: one node for each pseudo-terminal, and ptmx.
 *
 * Each mount is an instance with terminals and numbers of its own. A ptmx makes terminals of the instance it
 * lies in; one elsewhere, as /dev/ptmx, of the instance mounted on the name "pts" beside it. A master keeps
 * its instance. See the kernel's Documentation/filesystems/devpts.
 *
 * A node's inode belongs to its pty, so that chmod and chown stick however often the name is dropped
 * from the cache; names are looked up in the instance's table of ptys, which pty.c keeps.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tty_private.h"

#define DEVPTS_MAGIC 0x1cd1
#define PTMX_DEVICE  DEV(5, 2)
#define PTMX_NUMBER  2 /* of its inode; terminal N's is 3 + N */
#define LIMIT_NONE   (1u << 20)

struct options {
	uid_t uid;
	gid_t gid;
	bool uid_given, gid_given;
	mode_t mode, ptmx_mode;
	uint32_t max;
};

/* [I] immutable  [r] changed by remount, read without a lock */
struct instance {
	struct pty_table ptys;
	struct inode *ptmx;     /* [I] a reference */
	struct options options; /* [r] */
};

static struct filesystem_type devpts_type;

static struct instance *
instance_of(const struct filesystem *fs)
{
	return fs->private;
}

static int
node_open(struct inode *i, struct file *f)
{
	struct tty *t = pty_find(&instance_of(i->fs)->ptys, DEV_MINOR(i->rdev));
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
	struct instance *in = instance_of(dir->fs);
	uint32_t index;
	struct tty *t;

	if (strcmp(d->name, "ptmx") == 0) {
		inode_get(in->ptmx);
		dentry_attach(d, in->ptmx);
		return 0;
	}
	if (!parse_index(d->name, d->length, &index))
		return 0;
	t = pty_find(&in->ptys, index);
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
	struct instance *in = instance_of(d->fs);
	struct inode *i = d->inode;
	uint32_t index;
	struct tty *t;
	bool same;

	if (i == in->ptmx)
		return true;
	if (!parse_index(d->name, d->length, &index))
		return i == NULL;
	t = pty_find(&in->ptys, index);
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
	struct instance *in = instance_of(f->inode->fs);

	if (ctx->position == 0 && !ctx->emit(ctx, ".", 1, 1, f->inode->number, S_IFDIR >> 12))
		return 0;
	if (ctx->position <= 1) {
		ctx->position = 1;
		if (!ctx->emit(ctx, "..", 2, 2, f->inode->number, S_IFDIR >> 12))
			return 0;
		ctx->position = 2;
	}
	if (ctx->position == 2) {
		if (!ctx->emit(ctx, "ptmx", 4, 3, PTMX_NUMBER, S_IFCHR >> 12))
			return 0;
		ctx->position = 3;
	}
	for (uint32_t n = pty_next(&in->ptys, (uint32_t)(ctx->position - 3)); n != UINT32_MAX;
	     n = pty_next(&in->ptys, n + 1)) {
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

/* --- for pty.c ---------------------------------------------------------------------------------- */

int
devpts_find(const struct path *ptmx, struct path *root)
{
	int error = 0;

	if (ptmx->dentry->fs->type == &devpts_type) {
		*root = (struct path){ ptmx->mount, ptmx->dentry->fs->root };
		path_get(root);
		return 0;
	}
	error = path_sibling(ptmx, "pts", root);
	if (error)
		return -ENODEV;
	if (root->dentry->fs->type == &devpts_type && root->dentry == root->dentry->fs->root)
		return 0;
	path_put(root);
	return -ENODEV;
}

struct pty_table *
devpts_table(struct filesystem *fs)
{
	return &instance_of(fs)->ptys;
}

uint32_t
devpts_limit(struct filesystem *fs)
{
	return READ_ONCE(instance_of(fs)->options.max);
}

struct inode *
devpts_node_create(struct filesystem *fs, struct tty *t)
{
	const struct options *o = &instance_of(fs)->options;
	struct inode *i = inode_create(fs, S_IFCHR | o->mode);

	if (!i)
		return NULL;
	i->ops = &node_ops;
	i->file_ops = &tty_file_ops;
	i->rdev = t->device;
	if (o->uid_given)
		i->uid = o->uid;
	if (o->gid_given)
		i->gid = o->gid;
	i->number = 3 + t->index;
	return i;
}

/* --- instances ---------------------------------------------------------------------------------- */

static int
take_option(void *into, const char *key, const char *value)
{
	struct options *o = into;
	const char *end;
	uint64_t n;
	bool octal;

	if (!value)
		return strcmp(key, "newinstance") == 0 ? 0 : -EINVAL; /* they all are */
	octal = strcmp(key, "mode") == 0 || strcmp(key, "ptmxmode") == 0;
	if (parse_u64(value, &end, octal ? 8 : 10, &n) != 0 || *end || n > INT32_MAX)
		return -EINVAL;
	if (strcmp(key, "mode") == 0) {
		o->mode = (mode_t)n & 07777;
	} else if (strcmp(key, "ptmxmode") == 0) {
		o->ptmx_mode = (mode_t)n & 07777;
	} else if (strcmp(key, "max") == 0) {
		o->max = (uint32_t)n;
		return n > LIMIT_NONE ? -EINVAL : 0;
	} else if (strcmp(key, "uid") == 0) {
		o->uid = uid_from_user((uid_t)n);
		o->uid_given = true;
		return o->uid == ID_INVALID ? -EINVAL : 0;
	} else if (strcmp(key, "gid") == 0) {
		o->gid = gid_from_user((gid_t)n);
		o->gid_given = true;
		return o->gid == ID_INVALID ? -EINVAL : 0;
	} else {
		return -EINVAL;
	}
	return 0;
}

/* What is not named is as if never set, at remount too. 0, -EINVAL, -ENOMEM; *o is then unchanged. */
static int
parse_options(const char *text, struct options *o)
{
	struct options fresh = { .mode = 0600, .max = LIMIT_NONE };
	int error = mount_options_each(text, take_option, &fresh);

	if (!error)
		*o = fresh;
	return error;
}

static struct inode *
make_root(struct filesystem *fs)
{
	struct inode *root = inode_create(fs, S_IFDIR | 0755);

	if (!root)
		return NULL;
	root->ops = &root_ops;
	root->file_ops = &root_file_ops;
	root->links = 2;
	root->number = 1;
	return root;
}

static struct inode *
make_ptmx(struct filesystem *fs, mode_t mode)
{
	struct inode *i = inode_create(fs, S_IFCHR | mode);

	if (!i)
		return NULL;
	i->ops = &ptmx_ops;
	i->file_ops = &tty_file_ops;
	i->rdev = PTMX_DEVICE;
	i->number = PTMX_NUMBER;
	return i;
}

static int
devpts_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct instance *in = kzalloc(sizeof(*in));
	struct inode *root;
	int error;

	if (!in)
		return -ENOMEM;
	pty_table_init(&in->ptys);
	error = parse_options(options, &in->options);
	if (error)
		goto free;
	fs->private = in;
	error = -ENOMEM;
	in->ptmx = make_ptmx(fs, in->options.ptmx_mode);
	if (!in->ptmx)
		goto free;
	root = make_root(fs);
	if (!root)
		goto ptmx;
	fs->root = dentry_create_root(fs, root);
	if (fs->root)
		return 0;
	inode_put(root);
ptmx:
	inode_put(in->ptmx);
free:
	kfree(in);
	return error;
}

static void
devpts_unmount(struct filesystem *fs)
{
	struct instance *in = instance_of(fs);

	inode_put(in->ptmx);
	kfree(in);
}

static int
devpts_remount(struct filesystem *fs, const char *options)
{
	struct instance *in = instance_of(fs);
	struct options o;
	int error = parse_options(options, &o);

	if (error)
		return error;
	in->options = o;
	write_lock(&in->ptmx->lock);
	in->ptmx->mode = S_IFCHR | o.ptmx_mode;
	write_unlock(&in->ptmx->lock);
	return 0;
}

static void
devpts_show_options(struct filesystem *fs, char *out, size_t size)
{
	const struct options *o = &instance_of(fs)->options;
	size_t at = 0;

	out[0] = '\0';
	if (o->uid_given)
		at += (size_t)scnprintf(out + at, size - at, ",uid=%u", uid_shown(o->uid));
	if (o->gid_given)
		at += (size_t)scnprintf(out + at, size - at, ",gid=%u", gid_shown(o->gid));
	at += (size_t)scnprintf(out + at, size - at, ",mode=%03o,ptmxmode=%03o", o->mode, o->ptmx_mode);
	if (o->max < LIMIT_NONE)
		scnprintf(out + at, size - at, ",max=%u", o->max);
}

static struct filesystem_type devpts_type = {
	.late_options = true,
	.name = "devpts",
	.magic = DEVPTS_MAGIC,
	.no_device = true,
	.user_mount = true,
	.own_devices = true,
	.mount = devpts_mount,
	.unmount = devpts_unmount,
	.remount = devpts_remount,
	.show_options = devpts_show_options,
};

void
devpts_init(void)
{
	filesystem_register(&devpts_type);
}
