/* SPDX-License-Identifier: MIT */
/*
 * forget.c - giving counts back.
 *
 * Each answer that names a node counts as one look-up of it, and the daemon keeps the node until as many have been
 * forgotten. An inode gives its counts back when it goes, with memory that was taken when it came. An answer that nobody
 * waits for any more brought a count, an open file or a lock, too: whoever receives it gives that back.
 */
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

void
fuse_answer_orphan(struct fuse_request *r)
{
	const struct fuse_create_out *created = r->out;
	struct fuse_connection *c = r->conn;

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
