/* SPDX-License-Identifier: MIT */
/*
 * directory.c - reading a daemon's directories: READDIR, and READDIRPLUS, whose entries bring nodes and attributes.
 *
 * A position is the daemon's own. Entries are asked for a page at a time and handed on; what the caller has no room for
 * is asked for again. READDIRPLUS counts a look-up for each entry, also for those the caller has no room for: they go
 * into the cache of names like any.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

#define ENTRIES_SIZE PAGE_SIZE
#define LISTED_NAME_MAX 1024u /* as on Linux: longer than any name that can be looked up */

static size_t
record_size(size_t head, const struct fuse_dirent *e)
{
	return ALIGN_UP(head + sizeof(*e) + e->length, 8);
}

/*
 * The entry at *at of `size` bytes, whose record begins `head` bytes before it; moves on. NULL: the end, or (*error) one
 * that cannot be.
 */
static const struct fuse_dirent *
next_entry(const char *data, size_t size, size_t *at, size_t head, int *error)
{
	const struct fuse_dirent *e;
	size_t left = size - *at, record;

	*error = 0;
	if (left < head + sizeof(*e))
		return NULL;
	e = (const struct fuse_dirent *)(data + *at + head);
	*error = -EIO;
	if (e->length == 0 || e->length > LISTED_NAME_MAX)
		return NULL;
	record = record_size(head, e);
	*error = 0;
	if (record > left)
		return NULL;
	*error = -EIO;
	for (uint32_t i = 0; i < e->length; i++)
		if (e->name[i] == '/')
			return NULL;
	*error = 0;
	*at += record;
	return e;
}

/* Of READDIRPLUS: what the record of `e` begins with. */
static const struct fuse_entry_out *
entry_before(const struct fuse_dirent *e)
{
	return (const struct fuse_entry_out *)(const void *)e - 1;
}

static bool
is_dots(const struct fuse_dirent *e)
{
	return e->name[0] == '.' && (e->length == 1 || (e->length == 2 && e->name[1] == '.'));
}

void
fuse_forget_entries(struct fuse_connection *c, const char *entries, size_t size)
{
	const struct fuse_dirent *e;
	size_t at = 0;
	int error;

	while ((e = next_entry(entries, size, &at, sizeof(struct fuse_entry_out), &error)) != NULL)
		if (!is_dots(e))
			fuse_forget_one(c, entry_before(e)->node, 1);
}

/* No look-up can ask for it: it is only listed. */
static bool
is_unreachable(const struct fuse_dirent *e)
{
	return e->length > NAME_MAX || memchr(e->name, '\0', e->length);
}

/*
 * What an entry of READDIRPLUS says becomes a cached name, if it can. A file that cannot be concerns who asks for it, not
 * who lists its name. The directory's lock is held.
 */
static void
remember(struct dentry *dir, const struct fuse_entry_out *entry, const struct fuse_dirent *e, uint64_t version)
{
	struct dentry *d;
	struct inode *i;

	if (entry->node == 0 || is_dots(e)) /* those are not counted */
		return;
	if (is_unreachable(e)) {
		fuse_forget_one(dir->fs->private, entry->node, 1);
		return;
	}
	i = fuse_node_get(dir->fs, entry, version);
	if (IS_ERR(i))
		return;
	d = dentry_find(dir, e->name, e->length);
	if (d && d->inode != i) {
		dentry_drop(d);
		dentry_put(d);
		d = NULL;
	}
	if (d) {
		inode_put(i);
	} else {
		d = dentry_create(dir, e->name, e->length);
		if (!d) {
			inode_put(i);
			return;
		}
		dentry_attach(d, i);
		fuse_dentry_until(d, entry);
		d = dentry_adopt(d);
		if (IS_ERR(d))
			return;
	}
	if (d->inode == i)
		fuse_dentry_until(d, entry);
	dentry_put(d);
}

/* Hand on what `r` brought. 1: full, 0: all of it was, or an errno. */
static int
hand_on(struct file *f, struct dir_context *ctx, const struct fuse_request *r, bool plus, uint64_t version)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0, at = 0;
	const struct fuse_dirent *e;
	bool full = false;
	int error;

	while ((e = next_entry(r->out, r->got, &at, head, &error)) != NULL) {
		if (!full)
			full = !ctx->emit(ctx, e->name, e->length, (loff_t)e->offset, e->ino, e->type);
		if (!full)
			ctx->position = (loff_t)e->offset;
		else if (!plus)
			break;
		if (plus)
			remember(f->dentry, entry_before(e), e, version);
	}
	if (error) /* what lies behind it is nothing that could be told from anything else */
		fuse_complain(r->conn, "an entry of a directory that cannot be", fuse_file_of(f)->node);
	return error ? error : full;
}

/* Ask with READDIRPLUS? Where the daemon leaves it to us: at the beginning, and where names are looked up. */
static bool
wants_plus(struct file *f, const struct dir_context *ctx)
{
	const struct fuse_connection *c = fuse_of(f->inode);
	struct fuse_node *n = fuse_node_of(f->inode);

	if (!fuse_has(c, FUSE_DO_READDIRPLUS))
		return false;
	if (!fuse_has(c, FUSE_READDIRPLUS_AUTO) || ctx->position == 0)
		return true;
	return atomic_exchange(&n->plus_wanted, false);
}

/* One request's worth. >0: full or the end. */
static int
read_some(struct file *f, struct dir_context *ctx)
{
	struct fuse_connection *c = fuse_of(f->inode);
	struct fuse_file *ff = fuse_file_of(f);
	bool plus = wants_plus(f, ctx);
	struct fuse_read_in in = {
		.fh = ff->fh, .offset = (uint64_t)ctx->position, .size = ENTRIES_SIZE, .flags = ff->flags,
	};
	uint64_t version = atomic_load(&c->attr_version);
	struct fuse_request *r = fuse_file_request(ff, plus ? FUSE_READDIRPLUS : FUSE_READDIR, &in, sizeof(in));
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, ENTRIES_SIZE, true))
		error = fuse_ask_alone(f->inode, r);
	if (!error)
		error = r->got ? hand_on(f, ctx, r, plus, version) : 1;
	fuse_request_put(r);
	return error;
}

static int
dir_readdir(struct file *f, struct dir_context *ctx)
{
	int result;

	if (fuse_node_is_bad(f->inode))
		return -EIO;
	result = read_some(f, ctx);
	WRITE_ONCE(fuse_node_of(f->inode)->stale_times, true);
	return MIN(result, 0);
}

static int
dir_sync(struct file *f, bool data_only)
{
	return fuse_send_sync(f, FUSE_FSYNCDIR, LACK_FSYNCDIR, data_only);
}

static loff_t
dir_seek(struct file *f, loff_t offset, int whence)
{
	if (whence == 1)
		offset += f->position;
	else if (whence != 0)
		return -EINVAL;
	f->position = offset; /* positions are the daemon's numbers, negative ones too */
	return offset;
}

const struct file_ops fuse_dir_file_ops = {
	.name = "fuse directory",
	.read = directory_read,
	.readdir = dir_readdir,
	.seek = dir_seek,
	.sync = dir_sync,
	.ioctl = fuse_ioctl,
	.own_ioctl = true,
	.release = fuse_release,
	.dump = fuse_file_dump,
};
