/* SPDX-License-Identifier: MIT */
/*
 * open.c - files open at a daemon: OPEN, RELEASE, FLUSH, FSYNC.
 *
 * What the daemon calls `fh` lives from its answer to OPEN or CREATE until RELEASE. A struct fuse_file is that: the open
 * object has a reference to it, each request that names it another. RELEASE goes out when the last is given up, so a read
 * ahead that is still on its way never comes behind it. The inode stays until RELEASE is answered, so that the node is
 * not forgotten before.
 *
 * A daemon that answers OPEN with ENOSYS wants to hear of no open or release.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "fuse.h"

/* --- struct fuse_file ----------------------------------------------------------------------------------- */

struct fuse_file *
fuse_file_create(struct fuse_connection *c, bool directory)
{
	struct fuse_file *ff = kzalloc(sizeof(*ff));
	struct fuse_release_in in = { 0 };

	if (!ff)
		return NULL;
	ff->release = fuse_request_make(c, directory ? FUSE_RELEASEDIR : FUSE_RELEASE, 0, &in, sizeof(in), NULL, NULL);
	if (!ff->release) {
		kfree(ff);
		return NULL;
	}
	ref_init(&ff->refs);
	ff->conn = c;
	fuse_connection_get(c);
	ff->directory = directory;
	ff->kh = atomic_add_fetch(&c->next_file, 1);
	list_init(&ff->node_link);
	list_init(&ff->poll_node);
	wait_queue_init(&ff->poll);
	return ff;
}

static void
destroy(struct fuse_file *ff)
{
	struct fuse_connection *c = ff->conn;

	spin_lock(&c->lock);
	if (ff->polled)
		list_del(&ff->poll_node);
	spin_unlock(&c->lock);
	fuse_request_put(ff->release);
	kfree(ff);
	fuse_connection_put(c);
}

void
fuse_file_discard(struct fuse_file *ff)
{
	if (ff)
		destroy(ff);
}

void
fuse_file_opened(struct fuse_file *ff, struct inode *i, uint32_t flags, const struct fuse_open_out *out)
{
	ff->fh = out->fh;
	ff->open_flags = ff->directory ? out->flags & ~FUSE_OPEN_DIRECT_IO : out->flags;
	ff->flags = flags;
	if (!i)
		return;
	ff->inode = i;
	inode_get(i);
	ff->node = fuse_node_of(i)->id;
	spin_lock(&fuse_node_of(i)->lock);
	list_add(&fuse_node_of(i)->files, &ff->node_link);
	spin_unlock(&fuse_node_of(i)->lock);
}

struct fuse_file *
fuse_file_any(struct inode *i, bool write)
{
	struct fuse_node *n = fuse_node_of(i);
	struct fuse_file *ff, *found = NULL;

	spin_lock(&n->lock);
	list_for_each(ff, &n->files, node_link) {
		uint32_t mode = ff->flags & O_ACCMODE;

		if (write ? mode == O_RDONLY : mode == O_WRONLY)
			continue;
		if (ref_get_unless_zero(&ff->refs)) {
			found = ff;
			break;
		}
	}
	spin_unlock(&n->lock);
	return found;
}

static void
released(struct fuse_request *r)
{
	inode_put(r->context);
}

/* The daemon lets go of it. `wait`: until it has. */
static void
send_release(struct fuse_file *ff, bool wait)
{
	struct fuse_request *r = ff->release;
	struct fuse_release_in *in = (struct fuse_release_in *)r->args;

	*in = (struct fuse_release_in){ .fh = ff->fh, .flags = ff->flags };
	if (ff->flock) {
		in->release_flags = FUSE_RELEASE_FLOCK_UNLOCK;
		in->lock_owner = ff->flock_owner;
	}
	r->head.node = ff->node;
	fuse_request_force(r);
	if (ff->inode) {
		r->context = ff->inode;
		r->end = released;
	}
	ff->release = NULL;
	if (wait)
		(void)fuse_request_do(r);
	else
		fuse_request_start(r);
}

static void
put(struct fuse_file *ff, bool wait)
{
	if (!ref_put(&ff->refs))
		return;
	if (ff->inode) {
		spin_lock(&fuse_node_of(ff->inode)->lock);
		list_del(&ff->node_link);
		spin_unlock(&fuse_node_of(ff->inode)->lock);
	}
	if (!ff->no_open)
		send_release(ff, wait);
	else if (ff->inode)
		inode_put(ff->inode);
	destroy(ff);
}

/* It may be the daemon that gives up the last reference, by an answer: who waited for it then would wait for himself. */
void
fuse_file_put(struct fuse_file *ff)
{
	put(ff, false);
}

/* --- opening -------------------------------------------------------------------------------------------- */

/* O_* for the daemon: those that concern only the look-up are the kernel's, and so is O_TRUNC where it does not want it. */
static uint32_t
daemon_flags(const struct fuse_connection *c, const struct file *f)
{
	uint32_t flags = (f->flags | O_LARGEFILE) & ~(O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC);

	if ((f->mode & FILE_TRUNCATE) && fuse_has(c, FUSE_ATOMIC_O_TRUNC))
		flags |= O_TRUNC;
	return flags;
}

static int
send_open(struct fuse_file *ff, struct inode *i, uint32_t flags)
{
	struct fuse_connection *c = ff->conn;
	struct fuse_open_in in = { .flags = flags };
	struct fuse_request *r;
	int error = -ENOMEM;

	if ((flags & O_TRUNC) && fuse_has(c, FUSE_HANDLE_KILLPRIV_V2) && !capable(CAP_FSETID))
		in.open_flags = FUSE_OPEN_IN_KILL_SUIDGID;
	r = fuse_request_make(c, ff->directory ? FUSE_OPENDIR : FUSE_OPEN, fuse_node_of(i)->id, &in, sizeof(in), NULL,
			      NULL);
	if (r && fuse_request_wants(r, sizeof(struct fuse_open_out), false))
		error = fuse_request_call(r);
	if (!error)
		fuse_file_opened(ff, i, flags, r->out);
	fuse_request_put(r);
	return error;
}

/* OPEN, or nothing where the daemon wants none. */
static int
open_at_daemon(struct fuse_file *ff, struct inode *i, uint32_t flags)
{
	struct fuse_open_out none = { .flags = FUSE_OPEN_KEEP_CACHE };
	enum fuse_lack lack = ff->directory ? LACK_OPENDIR : LACK_OPEN;
	int error = -ENOSYS;

	if (!fuse_lacks(ff->conn, lack))
		error = send_open(ff, i, flags);
	if (error != -ENOSYS)
		return error;
	fuse_lacks_it(ff->conn, lack);
	ff->no_open = true;
	fuse_file_opened(ff, i, flags, &none);
	return 0;
}

/* The file is open: what the answer's flags say of positions and of what is cached. */
static void
opened(struct inode *i, struct file *f, uint32_t flags)
{
	struct fuse_file *ff = fuse_file_of(f);

	if (ff->open_flags & FUSE_OPEN_STREAM)
		f->mode = (f->mode & ~FILE_SEEKABLE) | FILE_STREAM;
	else if (ff->open_flags & FUSE_OPEN_NONSEEKABLE)
		f->mode = (f->mode & ~FILE_SEEKABLE) | FILE_FORWARD;
	if (!i->object)
		return;
	if (flags & O_TRUNC) {
		fuse_node_stale(i); /* first: who asked before is not to bring the old size back */
		object_truncate(i->object, 0);
		f->mode &= ~FILE_TRUNCATE;
	} else if (!(ff->open_flags & FUSE_OPEN_KEEP_CACHE)) {
		object_drop_clean(i->object, 0, UINT64_MAX);
	}
}

static int
open_now(struct inode *i, struct file *f, uint32_t flags)
{
	struct fuse_file *ff;
	int error;

	if (!f->private) { /* else CREATE has opened it */
		ff = fuse_file_create(fuse_of(i), S_ISDIR(i->mode));
		if (!ff)
			return -ENOMEM;
		error = open_at_daemon(ff, i, flags);
		if (error) {
			fuse_file_discard(ff);
			return error;
		}
		f->private = ff;
		f->mode |= FILE_OPENED;
	}
	opened(i, f, flags);
	return 0;
}

/* The daemon cuts as it opens: as in cut() of attributes.c, no write may come after that. */
static int
open_and_cut(struct inode *i, struct file *f, uint32_t flags)
{
	int error;

	write_lock(&i->lock);
	error = object_hold_writes(i->object);
	if (!error) {
		error = open_now(i, f, flags);
		if (error == -EINTR)
			fuse_node_stale(i); /* it may be cut all the same */
		object_release_writes(i->object);
	}
	write_unlock(&i->lock);
	return error;
}

int
fuse_open(struct inode *i, struct file *f)
{
	uint32_t flags = daemon_flags(fuse_of(i), f);
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	error = i->object && (flags & O_TRUNC) ? open_and_cut(i, f, flags) : open_now(i, f, flags);
	return error || !i->object ? error : cached_file_attach(f, i->object);
}

void
fuse_release(struct file *f)
{
	struct fuse_file *ff = f->private;
	bool wait;

	f->private = NULL;
	if (!ff || fuse_keeper_take(ff))
		return;
	wait = ff->conn->destroy && current_process(); /* a CPU's worker waits for no daemon: it may need that worker */
	/* A store by a mapping may have come after the last close(2), and been written since. */
	if (ff->inode && (ff->flags & O_ACCMODE) != O_RDONLY && !fuse_node_is_bad(ff->inode)) {
		if (wait)
			(void)fuse_tell_times(ff->inode, ff);
		else
			fuse_tell_times_late(ff->inode, ff);
	}
	put(ff, wait);
}

/* --- flush, fsync --------------------------------------------------------------------------------------- */

/*
 * Who holds a lock, told to the daemon: the same number for the same owner, from which nothing of the kernel's
 * addresses can be read. Two rounds of a mix with the connection's key.
 */
uint64_t
fuse_lock_owner(const struct fuse_connection *c, const void *owner)
{
	uint64_t v = (uintptr_t)owner;

	for (int round = 0; round < 2; round++) {
		v ^= c->owner_key[round];
		v = (v ^ v >> 33) * 0xff51afd7ed558ccdull;
		v = (v ^ v >> 33) * 0xc4ceb9fe1a85ec53ull;
		v ^= v >> 33;
	}
	return v;
}

static int
send_flush(struct fuse_file *ff, const void *owner)
{
	struct fuse_connection *c = ff->conn;
	struct fuse_flush_in in = { .fh = ff->fh, .lock_owner = fuse_lock_owner(c, owner) };
	struct fuse_request *r = fuse_file_request(ff, FUSE_FLUSH, &in, sizeof(in));
	int error;

	if (!r)
		return -ENOMEM;
	r->force = true;
	r->error = 0;
	error = fuse_request_do(r);
	if (error != -ENOSYS)
		return error;
	fuse_lacks_it(c, LACK_FLUSH);
	return 0;
}

/* close(2) of a handle: the daemon hears of each, and its error is close's. */
int
fuse_flush(struct file *f, struct handle_table *by)
{
	struct fuse_file *ff = fuse_file_of(f);
	int error = 0, told;

	if (!ff)
		return 0;
	if (fuse_node_is_bad(f->inode))
		return -EIO;
	if ((ff->open_flags & FUSE_OPEN_NOFLUSH) && !fuse_keeps_writes(f->inode))
		return 0;
	if (f->inode->object && object_is_dirty(f->inode->object))
		error = object_sync(f->inode->object, 0, UINT64_MAX);
	if (!error)
		error = cached_file_error(f);
	if (!error)
		error = fuse_tell_times(f->inode, ff);
	/* One who is being killed does not wait, but the daemon hears of it: locks go with it. */
	if ((!error || error == -EINTR) && !fuse_lacks(ff->conn, LACK_FLUSH))
		error = send_flush(ff, by);
	told = error == -EINTR ? 0 : error;
	if (!error && fuse_keeps_writes(f->inode))
		WRITE_ONCE(fuse_node_of(f->inode)->stale_times, true);
	return told;
}

int
fuse_send_sync(struct file *f, enum fuse_opcode op, enum fuse_lack lack, bool data_only)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct fuse_fsync_in in = { .fh = ff->fh, .flags = data_only ? FUSE_FSYNC_DATA : 0 };
	int error;

	if (f->inode && fuse_node_is_bad(f->inode))
		return -EIO;
	if (fuse_lacks(ff->conn, lack))
		return 0;
	error = fuse_request_do(fuse_file_request(ff, op, &in, sizeof(in)));
	if (error != -ENOSYS)
		return error;
	fuse_lacks_it(ff->conn, lack);
	return 0;
}

int
fuse_sync(struct file *f, bool data_only)
{
	int error = cached_file_sync(f, 0, UINT64_MAX);

	if (!error)
		error = fuse_tell_times(f->inode, fuse_file_of(f));
	return error ? error : fuse_send_sync(f, FUSE_FSYNC, LACK_FSYNC, data_only);
}

void
fuse_file_dump(struct file *f)
{
	const struct fuse_file *ff = f->private;

	if (ff)
		pr_info("  node %lu fh %lu of connection %u, flags %#x%s\n", ff->node, ff->fh, ff->conn->number,
			ff->open_flags, ff->no_open ? ", not open at the daemon" : "");
}
