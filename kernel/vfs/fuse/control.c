/* SPDX-License-Identifier: MIT */
/*
 * control.c - the file system fusectl, mounted on /sys/fs/fuse/connections: a directory for each connection, in which its
 * owner sees how many requests wait, sets limits, and aborts it.
 *
 * Inodes are made at each look-up; names in use are checked again before they are believed.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "../text_file.h"
#include "fuse.h"

#define CONTROL_MAGIC 0x65735543u

enum control { CONNECTION, WAITING, ABORT, MAX_BACKGROUND, CONGESTION, CONTROL_COUNT };

static const struct {
	const char *name;
	mode_t mode;
} controls[CONTROL_COUNT] = {
	[WAITING] = { "waiting", S_IFREG | 0400 },
	[ABORT] = { "abort", S_IFREG | 0200 },
	[MAX_BACKGROUND] = { "max_background", S_IFREG | 0600 },
	[CONGESTION] = { "congestion_threshold", S_IFREG | 0600 },
};

/* inode->private. [I]; NULL: the root */
struct place {
	struct fuse_connection *conn; /* reference */
	enum control what;
};

static const struct inode_ops root_ops, dir_ops, file_inode_ops;
static const struct file_ops dir_file_ops, text_file_ops;

static const struct place *
place_of(const struct inode *i)
{
	return i->private;
}

static ino_t
number_of(const struct fuse_connection *c, enum control what)
{
	return ((ino_t)c->number << 3 | what) + 2;
}

/* Takes over the reference to `c`. NULL: no memory. */
static struct inode *
create_inode(struct filesystem *fs, struct fuse_connection *c, enum control what)
{
	struct place *p = kmalloc(sizeof(*p), 0);
	struct inode *i = p ? inode_create(fs, what == CONNECTION ? S_IFDIR | 0500 : controls[what].mode) : NULL;

	if (!i) {
		kfree(p);
		fuse_connection_put(c);
		return NULL;
	}
	*p = (struct place){ c, what };
	i->private = p;
	i->number = number_of(c, what);
	i->uid = c->user;
	i->gid = c->group;
	i->ops = what == CONNECTION ? &dir_ops : &file_inode_ops;
	i->file_ops = what == CONNECTION ? &dir_file_ops : &text_file_ops;
	if (what == CONNECTION)
		i->links = 2;
	return i;
}

static void
control_evict(struct inode *i)
{
	struct place *p = i->private;

	if (p)
		fuse_connection_put(p->conn);
	kfree(p);
}

static int
attach(struct dentry *d, struct inode *i)
{
	if (!i)
		return -ENOMEM;
	dentry_attach(d, i);
	return 0;
}

static int
root_lookup(struct inode *dir, struct dentry *d)
{
	struct fuse_connection *c;
	uint64_t n = 0;

	for (uint32_t i = 0; i < d->length; i++) {
		if (d->name[i] < '0' || d->name[i] > '9' || (i == 0 && d->name[i] == '0' && d->length > 1) || i > 9)
			return 0;
		n = n * 10 + (uint64_t)(d->name[i] - '0');
	}
	c = n <= UINT32_MAX ? fuse_connection_find((uint32_t)n) : NULL;
	return c ? attach(d, create_inode(dir->fs, c, CONNECTION)) : 0;
}

static int
dir_lookup(struct inode *dir, struct dentry *d)
{
	struct fuse_connection *c = place_of(dir)->conn;

	for (enum control what = WAITING; what < CONTROL_COUNT; what++)
		if (strcmp(d->name, controls[what].name) == 0) {
			fuse_connection_get(c);
			return attach(d, create_inode(dir->fs, c, what));
		}
	return 0;
}

static bool
revalidate(struct dentry *d)
{
	return d->inode && READ_ONCE(place_of(d->inode)->conn->listed);
}

/* --- listing ------------------------------------------------------------------------------------------ */

struct next {
	uint32_t from, found;
	bool any;
};

static void
find_next(void *ctx, struct fuse_connection *c)
{
	struct next *n = ctx;

	if (c->number < n->from || (n->any && c->number >= n->found))
		return;
	n->found = c->number;
	n->any = true;
}

/* Positions: 2 + the connection's number. */
static int
root_readdir(struct file *f, struct dir_context *ctx)
{
	if (!directory_emit_dots(f, ctx))
		return 0;
	for (;;) {
		struct next n = { .from = (uint32_t)(ctx->position - 2) };
		char name[16];

		fuse_connections_visit(find_next, &n);
		if (!n.any)
			return 0;
		snprintf(name, sizeof(name), "%u", n.found);
		if (!ctx->emit(ctx, name, strlen(name), (loff_t)n.found + 3, ((ino_t)n.found << 3) + 2, S_IFDIR >> 12))
			return 0;
		ctx->position = (loff_t)n.found + 3;
	}
}

static int
conn_readdir(struct file *f, struct dir_context *ctx)
{
	if (!directory_emit_dots(f, ctx))
		return 0;
	for (; ctx->position < CONTROL_COUNT + 1; ctx->position++) {
		enum control what = (enum control)(ctx->position - 1);
		const char *name = controls[what].name;

		if (!ctx->emit(ctx, name, strlen(name), ctx->position + 1, number_of(place_of(f->inode)->conn, what),
			       S_IFREG >> 12))
			return 0;
	}
	return 0;
}

static int
dir_readdir(struct file *f, struct dir_context *ctx)
{
	return place_of(f->inode) ? conn_readdir(f, ctx) : root_readdir(f, ctx);
}

/* --- files -------------------------------------------------------------------------------------------- */

static int
make_text(struct file *f, struct text *out)
{
	const struct place *p = place_of(f->inode);
	const struct fuse_connection *c = p->conn;

	switch (p->what) {
	case WAITING:
		text_print(out, "%u\n", atomic_load(&c->waiting));
		return 0;
	case MAX_BACKGROUND:
		text_print(out, "%u\n", READ_ONCE(c->max_background));
		return 0;
	case CONGESTION:
		text_print(out, "%u\n", READ_ONCE(c->congestion));
		return 0;
	default:
		return -EINVAL;
	}
}

static ssize_t
text_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return text_file_read(f, f->private, make_text, to, pos);
}

static int
set_limit(struct fuse_connection *c, enum control what, const char *text)
{
	uint64_t n = 0;
	const char *at = text;

	while (*at >= '0' && *at <= '9' && n <= UINT16_MAX)
		n = n * 10 + (uint64_t)(*at++ - '0');
	if (at == text || (*at && !(*at == '\n' && !at[1])) || n > UINT16_MAX)
		return -EINVAL;
	if (what == MAX_BACKGROUND)
		fuse_background_limit(c, (uint32_t)n);
	else
		WRITE_ONCE(c->congestion, (uint32_t)n);
	return 0;
}

static ssize_t
text_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	const struct place *p = place_of(f->inode);
	size_t n = from->count;
	char text[32] = "";
	int error = 0;

	if (p->what == ABORT) {
		p->conn->aborted = true;
		fuse_abort(p->conn);
		return (ssize_t)n;
	}
	if (*pos != 0 || n >= sizeof(text))
		return -EINVAL;
	if (iov_copy_from(text, from, n) != n)
		return -EFAULT;
	error = set_limit(p->conn, p->what, text);
	return error ? error : (ssize_t)n;
}

static const struct file_ops text_file_ops = {
	.name = "fusectl",
	.read = text_read,
	.write = text_write,
	.seek = seek_without_end,
	.release = text_file_release,
};

static const struct file_ops dir_file_ops = {
	.name = "fusectl directory",
	.read = directory_read,
	.seek = seek_without_end,
	.readdir = dir_readdir,
	.sync = directory_sync,
};

static const struct inode_ops root_ops = {
	.name = "fusectl root",
	.lookup = root_lookup,
	.revalidate = revalidate,
};

static const struct inode_ops dir_ops = {
	.name = "fusectl directory",
	.lookup = dir_lookup,
	.revalidate = revalidate,
	.evict = control_evict,
};

static const struct inode_ops file_inode_ops = {
	.name = "fusectl file",
	.open = text_file_open,
	.evict = control_evict,
};

static int
control_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct inode *root = inode_create(fs, S_IFDIR | 0555);

	if (!root)
		return -ENOMEM;
	root->ops = &root_ops;
	root->file_ops = &dir_file_ops;
	root->uid = root->gid = 0;
	root->links = 2;
	fs->root = dentry_create_root(fs, root);
	if (fs->root)
		return 0;
	inode_put(root);
	return -ENOMEM;
}

static struct filesystem_type control_type = {
	.name = "fusectl",
	.magic = CONTROL_MAGIC,
	.no_device = true,
	.single = true,
	.no_cache = true,
	.mount = control_mount,
};

void
fuse_control_init(void)
{
	filesystem_register(&control_type);
	if (!sysfs_make_path("fs/fuse/connections"))
		pr_warn("fuse: no memory for /sys/fs/fuse/connections\n");
}
