/* SPDX-License-Identifier: MIT */
/*
 * lock.c - advisory locks that the daemon keeps: GETLK, SETLK, SETLKW, for record locks and for flock(2).
 *
 * Where it did not ask to keep them they are the kernel's as anywhere. The daemon knows an owner by a scrambled number.
 * It lets record locks go when an owner's handle is closed (FLUSH) and flock's with RELEASE.
 */
#include <tessera/errno.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>

#include "fuse.h"

static bool
is_remote(const struct fuse_connection *c, bool flock)
{
	return fuse_has(c, flock ? FUSE_FLOCK_LOCKS : FUSE_POSIX_LOCKS);
}

static struct fuse_request *
lock_request(struct fuse_file *ff, enum fuse_opcode op, const struct file_lock_range *r, const void *owner, bool flock)
{
	struct fuse_connection *c = ff->conn;
	bool names = op != FUSE_GETLK && r->type != FILE_LOCK_UNLOCK;
	struct fuse_lk_in in = {
		.fh = ff->fh,
		.owner = fuse_lock_owner(c, owner),
		.lock = {
			.start = r->start,
			.end = MIN(r->end, (uint64_t)INT64_MAX),
			.type = (uint32_t)r->type,
			.pid = names ? (uint32_t)pid_number(c->pid_ns, current_process()->pid) : 0,
		},
		.flags = flock ? FUSE_LK_FLOCK : 0,
	};

	return fuse_file_request(ff, op, &in, sizeof(in));
}

static int
take_conflict(struct fuse_connection *c, const struct fuse_lock *l, struct file_lock_range *r)
{
	if (l->type == FILE_LOCK_UNLOCK) {
		r->type = FILE_LOCK_UNLOCK;
		return 0;
	}
	if (l->type > FILE_LOCK_UNLOCK || l->start > INT64_MAX || l->end > INT64_MAX || l->end < l->start) {
		fuse_complain(c, "a lock that cannot be", l->type);
		return -EIO;
	}
	*r = (struct file_lock_range){
		.start = l->start, .end = l->end, .type = (int)l->type, .pid = pid_global(c->pid_ns, (pid_t)l->pid),
	};
	if (r->pid == PID_NONE || r->pid < 0)
		r->pid = 0;
	return 0;
}

static int
test(struct fuse_file *ff, struct file_lock_range *range, const void *owner)
{
	struct fuse_request *r = lock_request(ff, FUSE_GETLK, range, owner, false);
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, sizeof(struct fuse_lk_out), false))
		error = fuse_request_call(r);
	if (!error)
		error = take_conflict(ff->conn, &((const struct fuse_lk_out *)r->out)->lock, range);
	fuse_request_put(r);
	return error;
}

int
fuse_lock(struct file *f, struct file_lock_range *range, enum file_lock_act act, const void *owner, bool flock)
{
	struct fuse_file *ff = fuse_file_of(f);
	int error;

	if (!is_remote(ff->conn, flock))
		return FILE_LOCK_HERE;
	if (fuse_node_is_bad(f->inode))
		return -EIO;
	if (act == FILE_LOCK_TEST)
		return test(ff, range, owner);
	if (flock) {
		ff->flock_owner = fuse_lock_owner(ff->conn, owner);
		ff->flock = true;
	}
	error = fuse_request_do(lock_request(ff, act == FILE_LOCK_WAIT ? FUSE_SETLKW : FUSE_SETLK, range, owner, flock));
	return error == -EINTR ? -ERESTARTSYS : error;
}
