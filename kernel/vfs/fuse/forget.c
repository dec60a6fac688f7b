/* SPDX-License-Identifier: MIT */
/*
 * forget.c - giving counts back.
 *
 * Each answer that names a node counts as one look-up of it, and the daemon keeps the node until as many have been
 * forgotten. An inode gives its counts back when it goes, with memory that was taken when it came. An answer that nobody
 * waits for any more brought a count, an open file or a lock, too: whoever receives it gives that back.
 *
 * Nor did anybody see what such an answer changed. His caller has let go of all locks, so others have asked meanwhile, and
 * were told how it was before: now they are to ask again.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/file_lock.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

void
fuse_forget_queue(struct fuse_connection *c, struct fuse_forget *f, uint64_t node, uint64_t count)
{
	bool queued = false;

	*f = (struct fuse_forget){ .node = node, .count = count };
	spin_lock(&c->lock);
	if (c->connected && count > 0 && node != FUSE_ROOT_ID && node != 0) {
		*c->forgets_end = f;
		c->forgets_end = &f->next;
		queued = true;
	}
	spin_unlock(&c->lock);
	if (queued)
		wake_queue(&c->input, POLLIN | POLLRDNORM, 1);
	else
		kfree(f);
}

void
fuse_forget_one(struct fuse_connection *c, uint64_t node, uint64_t count)
{
	struct fuse_forget *f;

	if (node == 0 || node == FUSE_ROOT_ID)
		return;
	f = kmalloc(sizeof(*f), 0);
	if (f)
		fuse_forget_queue(c, f, node, count);
}

static void
forget_released(struct fuse_request *r)
{
	fuse_forget_one(r->conn, r->head.node, 1);
}

/* A daemon may look for the node when it is told of the RELEASE: the count goes back when that is answered. */
void
fuse_release_unused(struct fuse_connection *c, uint64_t node, const struct fuse_open_out *open, bool directory,
		    bool counted)
{
	struct fuse_release_in in = { .fh = open->fh };
	struct fuse_request *r = fuse_request_make(c, directory ? FUSE_RELEASEDIR : FUSE_RELEASE, node, &in, sizeof(in),
						   NULL, NULL);

	if (!r)
		return;
	if (counted)
		r->end = forget_released;
	fuse_request_force(r);
	fuse_request_start(r);
}

/* A lock that nobody waits for any more: its owner's FLUSH was before it. */
static void
unlock_again(struct fuse_request *granted)
{
	struct fuse_lk_in in = *(const struct fuse_lk_in *)granted->args;
	struct fuse_request *r;

	if (in.lock.type == FILE_LOCK_UNLOCK)
		return;
	in.lock.type = FILE_LOCK_UNLOCK;
	in.lock.pid = 0;
	r = fuse_request_make(granted->conn, FUSE_SETLK, granted->head.node, &in, sizeof(in), NULL, NULL);
	if (!r)
		return;
	r->file = granted->file; /* RELEASE comes behind it */
	fuse_file_get(r->file);
	fuse_request_force(r);
	fuse_request_start(r);
}

/* --- what changed unseen ------------------------------------------------------------------------------ */

static void
node_stale(struct fuse_connection *c, uint64_t node)
{
	struct inode *i = fuse_node_find(c, node);

	if (!i)
		return;
	fuse_node_stale(i);
	fuse_acl_stale(i);
	inode_put(i);
}

/* The daemon has other bytes in [start, start + n) of the node, which reaches to `end` now, or (0) as far as before. */
static void
contents_stale(struct fuse_connection *c, uint64_t node, uint64_t start, uint64_t n, uint64_t end)
{
	struct inode *i = fuse_node_find(c, node);

	if (i && i->object) {
		object_drop_clean(i->object, start, start + n);
		fuse_wrote(i, end);
	}
	if (i)
		inode_put(i);
	node_stale(c, node);
}

/* It was cut. Where writes are kept the size is ours, and is not asked for. */
static void
cut_late(struct fuse_connection *c, uint64_t node, uint64_t size)
{
	struct inode *i = fuse_node_find(c, node);

	if (i && i->object && fuse_keeps_writes(i))
		object_truncate(i->object, size);
	if (i)
		inode_put(i);
	node_stale(c, node);
}

static void
set_late(const struct fuse_request *r)
{
	const struct fuse_setattr_in *in = (const struct fuse_setattr_in *)r->args;
	const struct fuse_attr_out *out = r->out;

	if ((in->valid & FUSE_SET_SIZE) && fuse_attr_is_valid(&out->attr))
		cut_late(r->conn, r->head.node, out->attr.size);
	else
		node_stale(r->conn, r->head.node);
}

static void
written_late(const struct fuse_request *r)
{
	const struct fuse_write_in *in = (const struct fuse_write_in *)r->args;
	uint32_t size = MIN(((const struct fuse_write_out *)r->out)->size, in->size);

	contents_stale(r->conn, r->head.node, in->offset, size, in->offset + size);
}

static void
allocated_late(const struct fuse_request *r)
{
	const struct fuse_fallocate_in *in = (const struct fuse_fallocate_in *)r->args;
	uint64_t end = in->offset + in->length;

	contents_stale(r->conn, r->head.node, in->offset, in->length, in->mode & FALLOC_KEEP_SIZE ? 0 : end);
}

static void
copied_late(const struct fuse_request *r)
{
	const struct fuse_copy_range_in *in = (const struct fuse_copy_range_in *)r->args;
	uint64_t size = MIN((uint64_t)((const struct fuse_write_out *)r->out)->size, in->length);

	contents_stale(r->conn, in->node_out, in->offset_out, size, in->offset_out + size);
}

/* The name that follows `size` bytes of the arguments is another now, or none. */
static void
name_stale(const struct fuse_request *r, size_t size)
{
	fuse_entry_stale(r->conn, r->head.node, r->args + size);
}

static void
moved_late(const struct fuse_request *r, size_t size)
{
	const char *from = r->args + size;
	uint64_t to_dir = ((const struct fuse_rename_in *)r->args)->to_dir; /* RENAME2 begins with it, too */

	fuse_entry_stale(r->conn, r->head.node, from);
	fuse_entry_stale(r->conn, to_dir, from + strlen(from) + 1);
}

/* c->alive is held, and the file system is there. */
static void
look_again(const struct fuse_request *r)
{
	switch (r->head.opcode) {
	case FUSE_SETATTR:
		set_late(r);
		break;
	case FUSE_SETXATTR:
	case FUSE_REMOVEXATTR:
		node_stale(r->conn, r->head.node);
		break;
	case FUSE_WRITE:
		written_late(r);
		break;
	case FUSE_FALLOCATE:
		allocated_late(r);
		break;
	case FUSE_COPY_FILE_RANGE:
		copied_late(r);
		break;
	case FUSE_OPEN:
		if (((const struct fuse_open_in *)r->args)->flags & O_TRUNC)
			cut_late(r->conn, r->head.node, 0);
		break;
	case FUSE_MKNOD:
		name_stale(r, sizeof(struct fuse_mknod_in));
		break;
	case FUSE_MKDIR:
		name_stale(r, sizeof(struct fuse_mkdir_in));
		break;
	case FUSE_CREATE:
		name_stale(r, sizeof(struct fuse_create_in));
		break;
	case FUSE_LINK:
		node_stale(r->conn, ((const struct fuse_link_in *)r->args)->node);
		name_stale(r, sizeof(struct fuse_link_in));
		break;
	case FUSE_SYMLINK:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		name_stale(r, 0);
		break;
	case FUSE_RENAME:
		moved_late(r, sizeof(struct fuse_rename_in));
		break;
	case FUSE_RENAME2:
		moved_late(r, sizeof(struct fuse_rename2_in));
		break;
	}
}

void
fuse_answer_orphan(struct fuse_request *r)
{
	const struct fuse_create_out *created = r->out;
	struct fuse_connection *c = r->conn;

	read_lock(&c->alive);
	if (c->fs)
		look_again(r);
	read_unlock(&c->alive);
	switch (r->head.opcode) {
	case FUSE_LOOKUP:
	case FUSE_MKNOD:
	case FUSE_MKDIR:
	case FUSE_SYMLINK:
	case FUSE_LINK:
		fuse_forget_one(c, created->entry.node, 1);
		break;
	case FUSE_CREATE:
	case FUSE_TMPFILE:
		fuse_release_unused(c, created->entry.node, &created->open, false, true);
		break;
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		fuse_release_unused(c, r->head.node, r->out, r->head.opcode == FUSE_OPENDIR, false);
		break;
	case FUSE_SETLK:
	case FUSE_SETLKW:
		unlock_again(r);
		break;
	case FUSE_READDIRPLUS:
		fuse_forget_entries(c, r->out, r->got);
		break;
	}
}
