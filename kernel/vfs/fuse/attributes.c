/* SPDX-License-Identifier: MIT */
/*
 * attributes.c - stat, permission, chmod, chown, utimens, truncate: what the daemon says, and what it is asked to change.
 *
 * Without the option default_permissions the daemon judges every call by itself, knowing who calls; the kernel only
 * keeps strangers out (fuse_may_access) and asks for access(2) and chdir(2). With it the mode bits, and the access
 * control lists of a daemon that keeps such, are checked here.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/posix_acl.h>
#include <tessera/process.h>
#include <tessera/string.h>

#include "fuse.h"

/* --- asking --------------------------------------------------------------------------------------- */

static bool
is_valid(const struct inode *i)
{
	return clock_monotonic_ns() < READ_ONCE(fuse_node_of(i)->valid_until);
}

/* An answer with attributes of `i`. -EIO: they are of something else. 1: of before they were declared stale. */
static int
take_attributes(struct inode *i, const struct fuse_attr_out *out, uint64_t version)
{
	if (!fuse_attr_is_valid(&out->attr) || ((i->mode ^ out->attr.mode) & S_IFMT)) {
		fuse_node_bad(i);
		return -EIO;
	}
	return fuse_node_update(i, &out->attr, fuse_deadline(out->valid, out->valid_ns), version) ? 0 : 1;
}

#define ASKED_AGAIN 3 /* times at most: a daemon may declare a node stale with every answer */

static int
ask_attributes(struct inode *i, struct file *f)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_file *ff = f && S_ISREG(i->mode) ? fuse_file_of(f) : NULL;
	struct fuse_getattr_in in = { 0 };
	uint64_t version = atomic_load(&c->attr_version);
	struct fuse_request *r;
	int error = -ENOMEM;

	if (ff) {
		in.flags = FUSE_GETATTR_FH;
		in.fh = ff->fh;
	}
	r = ff ? fuse_file_request(ff, FUSE_GETATTR, &in, sizeof(in))
	       : fuse_request_make(c, FUSE_GETATTR, fuse_node_of(i)->id, &in, sizeof(in), NULL, NULL);
	if (r && fuse_request_wants(r, sizeof(struct fuse_attr_out), false))
		error = fuse_request_call(r);
	if (!error)
		error = take_attributes(i, r->out, version);
	fuse_request_put(r);
	return error;
}

static int
get_attributes(struct inode *i, struct file *f)
{
	int error = 1;

	for (int n = 0; error > 0 && n < ASKED_AGAIN; n++)
		error = ask_attributes(i, f);
	return MIN(error, 0);
}

int
fuse_refresh(struct inode *i, struct file *f, bool nowait)
{
	if (fuse_node_is_bad(i))
		return -EIO;
	if (is_valid(i))
		return 0;
	return nowait ? -EAGAIN : get_attributes(i, f);
}

/* The inode's own, for where they are kept here, over the daemon's. */
static void
show(struct inode *i, struct file_stat *st)
{
	struct fuse_node *n = fuse_node_of(i);
	struct fuse_attr a;

	spin_lock(&n->lock);
	a = n->attr;
	spin_unlock(&n->lock);
	st->inode = a.ino;
	st->mode = (i->mode & S_IFMT) | (a.mode & 07777);
	st->links = a.links;
	if (st->uid == ID_INVALID)
		st->uid = ID_OVERFLOW;
	if (st->gid == ID_INVALID)
		st->gid = ID_OVERFLOW;
	st->rdev = i->rdev;
	st->size = i->object ? READ_ONCE(i->object->size) : a.size;
	st->block_size = a.block_size ? 1ull << (31 - __builtin_clz(a.block_size)) : fuse_of(i)->block_size;
	st->blocks = a.blocks;
	st->no_birth = true;
}

int
fuse_get_attributes(struct inode *i, struct file_stat *st)
{
	struct fuse_node *n = fuse_node_of(i);
	int error = 0;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (!fuse_may_access(fuse_of(i)))
		return -EACCES;
	if (st->wish == STAT_FRESH || (st->wish == STAT_AS_USUAL && (READ_ONCE(n->stale_times) || !is_valid(i))))
		error = get_attributes(i, NULL);
	if (error)
		return error;
	inode_stat(i, st);
	show(i, st);
	return 0;
}

/* --- permission ----------------------------------------------------------------------------------- */

static int
ask_access(struct inode *i, int mask)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_access_in in = { .mask = (uint32_t)mask & 7 };
	int error;

	if (fuse_lacks(c, LACK_ACCESS))
		return 0;
	error = fuse_request_do(fuse_request_make(c, FUSE_ACCESS, fuse_node_of(i)->id, &in, sizeof(in), NULL, NULL));
	if (error == -ENOSYS) {
		fuse_lacks_it(c, LACK_ACCESS);
		error = 0;
	}
	return error;
}

/* The mode bits as they are, and if they forbid it and may be old: as they are now. */
static int
judge(struct inode *i, int mask, bool refreshed)
{
	int error;

	fuse_acl_fetch(i);
	error = permission_generic(i, mask & 7);
	if (error == -EACCES && !refreshed) {
		error = get_attributes(i, NULL);
		fuse_acl_fetch(i);
		if (!error)
			error = permission_generic(i, mask & 7);
	}
	return error;
}

static int
judge_exec(struct inode *i, bool refreshed)
{
	int error;

	if (i->mode & 0111)
		return 0;
	error = refreshed ? 0 : get_attributes(i, NULL);
	return error ? error : i->mode & 0111 ? 0 : -EACCES;
}

int
fuse_permission(struct inode *i, int mask)
{
	const struct fuse_connection *c = fuse_of(i);
	bool runs = (mask & MAY_EXEC) && S_ISREG(i->mode), refreshed = false;
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (!fuse_may_access(c))
		return -EACCES;
	if ((c->default_permissions || runs) && !is_valid(i)) {
		error = get_attributes(i, NULL);
		if (error)
			return error;
		refreshed = true;
	}
	if (c->default_permissions)
		return judge(i, mask, refreshed);
	if (mask & (MAY_ACCESS | MAY_CHDIR))
		return ask_access(i, mask);
	return runs ? judge_exec(i, refreshed) : 0;
}

/* --- changing --------------------------------------------------------------------------------------- */

/* ff: the open file that `in` names, or NULL. NULL: no memory. */
static struct fuse_request *
setattr_request(struct inode *i, struct fuse_file *ff, const struct fuse_setattr_in *in)
{
	struct fuse_request *r = ff ? fuse_file_request(ff, FUSE_SETATTR, in, sizeof(*in))
				    : fuse_request_make(fuse_of(i), FUSE_SETATTR, fuse_node_of(i)->id, in, sizeof(*in),
							NULL, NULL);

	if (r && fuse_request_wants(r, sizeof(struct fuse_attr_out), false))
		return r;
	fuse_request_put(r);
	return NULL;
}

/* ff as above. in->size: what the daemon says it is then. */
static int
set_attributes(struct inode *i, struct fuse_file *ff, struct fuse_setattr_in *in)
{
	struct fuse_request *r = setattr_request(i, ff, in);
	struct fuse_connection *c = fuse_of(i);
	const struct fuse_attr_out *out;
	int error = r ? fuse_request_call(r) : -ENOMEM;

	if (!error) {
		out = r->out;
		/* It was asked under the inode's lock: nothing here is newer. */
		fuse_change_begin(c);
		in->size = out->attr.size;
		error = take_attributes(i, out, 0);
	} else if (error == -EINTR) {
		fuse_node_stale(i);
	}
	fuse_request_put(r);
	return error;
}

static mode_t
without_set_ids(mode_t mode)
{
	return mode & ~(S_ISUID | (mode & 0010 ? S_ISGID : 0u));
}

/*
 * Giving a file away, writing and cutting take its set-id bits, where the daemon does not see to that. What is told is
 * the whole mode, so it is asked for before: the one that is known here may give rights that the daemon has taken.
 * `surely`: also where none is known.
 */
static int
add_mode_without_set_ids(struct inode *i, struct fuse_setattr_in *in, bool surely)
{
	int error;

	if (!S_ISREG(i->mode) || (!surely && without_set_ids(i->mode) == i->mode))
		return 0;
	error = get_attributes(i, NULL);
	if (error || (in->valid & FUSE_SET_MODE) || without_set_ids(i->mode) == i->mode)
		return error;
	in->valid |= FUSE_SET_MODE;
	in->mode = without_set_ids(i->mode);
	return 0;
}

static void
set_times(struct fuse_setattr_in *in, const struct inode_change *c)
{
	struct timespec64 now = inode_now();
	struct timespec64 a = c->what & ATTR_ATIME_NOW ? now : c->accessed;
	struct timespec64 m = c->what & ATTR_MTIME_NOW ? now : c->modified;

	if (c->what & ATTR_ATIME) {
		in->valid |= FUSE_SET_ATIME | (c->what & ATTR_ATIME_NOW ? FUSE_SET_ATIME_NOW : 0);
		in->atime = (uint64_t)a.tv_sec;
		in->atime_ns = (uint32_t)a.tv_nsec;
	}
	if (c->what & ATTR_MTIME) {
		in->valid |= FUSE_SET_MTIME | (c->what & ATTR_MTIME_NOW ? FUSE_SET_MTIME_NOW : 0);
		in->mtime = (uint64_t)m.tv_sec;
		in->mtime_ns = (uint32_t)m.tv_nsec;
	}
}

/* ids as the daemon knows them. -EOVERFLOW: it knows none such. */
static int
set_owners(const struct fuse_connection *c, struct fuse_setattr_in *in, const struct inode_change *ch)
{
	const struct user_namespace *ns = c->user_ns;

	if (ch->what & ATTR_UID) {
		in->valid |= FUSE_SET_UID;
		in->uid = id_map_out(ns, &ns->uids, ch->uid);
		if (in->uid == ID_INVALID)
			return -EOVERFLOW;
	}
	if (ch->what & ATTR_GID) {
		in->valid |= FUSE_SET_GID;
		in->gid = id_map_out(ns, &ns->gids, ch->gid);
		if (in->gid == ID_INVALID)
			return -EOVERFLOW;
	}
	return 0;
}

static void
put_modified(struct fuse_setattr_in *in, struct timespec64 t)
{
	in->valid |= FUSE_SET_MTIME;
	in->mtime = (uint64_t)t.tv_sec;
	in->mtime_ns = (uint32_t)t.tv_nsec;
}

static void
put_changed(struct fuse_setattr_in *in, struct timespec64 t)
{
	in->valid |= FUSE_SET_CTIME;
	in->ctime = (uint64_t)t.tv_sec;
	in->ctime_ns = (uint32_t)t.tv_nsec;
}

/* The times as they are; nothing is believed of the answer, because the inode's lock is not held. NULL: no memory. */
static struct fuse_request *
times_request(struct inode *i, struct fuse_file *ff)
{
	struct fuse_setattr_in in = { .valid = FUSE_SET_FH, .fh = ff->fh };

	put_modified(&in, i->modified);
	put_changed(&in, i->changed);
	return setattr_request(i, ff, &in);
}

int
fuse_tell_times(struct inode *i, struct fuse_file *ff)
{
	struct fuse_node *n = fuse_node_of(i);
	struct fuse_request *r;
	int error;

	if (!atomic_exchange(&n->times_ours, false))
		return 0;
	r = times_request(i, ff);
	error = r ? fuse_request_call(r) : -ENOMEM;
	if (error == -EINTR || error == -ENOMEM) /* who was to tell it is being killed: the next does */
		WRITE_ONCE(n->times_ours, true);
	fuse_request_put(r);
	return error;
}

void
fuse_tell_times_late(struct inode *i, struct fuse_file *ff)
{
	struct fuse_node *n = fuse_node_of(i);
	struct fuse_request *r;

	if (!atomic_exchange(&n->times_ours, false))
		return;
	r = times_request(i, ff);
	if (!r) {
		WRITE_ONCE(n->times_ours, true);
		return;
	}
	fuse_request_force(r);
	fuse_request_post(r);
}

/* Where writes are kept the times are ours. i->lock is held for writing. */
static void
keep_times(struct inode *i, const struct fuse_setattr_in *in)
{
	if (in->valid & FUSE_SET_MTIME) {
		i->modified = (struct timespec64){ (int64_t)in->mtime, in->mtime_ns };
		WRITE_ONCE(fuse_node_of(i)->times_ours, false);
	}
	i->changed = (struct timespec64){ (int64_t)in->ctime, in->ctime_ns };
}

int
fuse_change(struct inode *i, const struct inode_change *ch)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_setattr_in in = { 0 };
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (!fuse_may_access(c))
		return -EACCES;
	error = c->default_permissions ? permission_change(i, ch) : 0;
	if (!error)
		error = set_owners(c, &in, ch);
	if (error)
		return error;
	if (ch->what & ATTR_MODE) {
		in.valid |= FUSE_SET_MODE;
		in.mode = (i->mode & S_IFMT) | (ch->mode & 07777);
		if (c->default_permissions && !cred_in_group(current_cred(), i->gid) && !inode_capable(i, CAP_FSETID))
			in.mode &= ~S_ISGID;
	}
	set_times(&in, ch);
	if ((in.valid & (FUSE_SET_UID | FUSE_SET_GID)) && !fuse_has(c, FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2))
		error = add_mode_without_set_ids(i, &in, true);
	if (error)
		return error;
	if (!in.valid)
		return 0;
	if (fuse_keeps_writes(i))
		put_changed(&in, inode_now());
	error = set_attributes(i, NULL, &in);
	if (!error && fuse_keeps_writes(i))
		keep_times(i, &in);
	if (!error && (in.valid & (FUSE_SET_MODE | FUSE_SET_UID | FUSE_SET_GID)))
		fuse_acl_stale(i);
	return error;
}

/* What a write or a truncation changes about set-id bits. */
int
fuse_drop_set_ids(struct inode *i)
{
	struct fuse_setattr_in in = { 0 };
	int error;

	if (fuse_has(fuse_of(i), FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2) || capable(CAP_FSETID))
		return 0;
	error = add_mode_without_set_ids(i, &in, false);
	return !error && in.valid ? set_attributes(i, NULL, &in) : error;
}

static int
may_have_size(const struct inode *i, uint64_t size)
{
	if (size <= inode_size(i) || size <= file_size_limit())
		return 0;
	signal_send_thread(current_thread(), SIGXFSZ, NULL);
	return -EFBIG;
}

/* The daemon cuts while no write is on its way: one that came after would make the file long again. */
static int
cut(struct inode *i, struct fuse_file *ff, struct fuse_setattr_in *in)
{
	int error = object_hold_writes(i->object);

	if (error)
		return error;
	error = set_attributes(i, ff, in);
	if (!error)
		object_truncate(i->object, in->size);
	object_release_writes(i->object);
	return error;
}

int
fuse_truncate(struct inode *i, struct file *f, uint64_t size)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_setattr_in in = { .valid = FUSE_SET_SIZE, .size = size };
	struct fuse_file *ff = f && !(f->mode & FILE_TRUNCATE) ? fuse_file_of(f) : NULL;
	int error;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (!fuse_may_access(c))
		return -EACCES;
	in.valid |= FUSE_SET_LOCKOWNER;
	in.lock_owner = fuse_lock_owner(c, current_process()->handles);
	if (ff) {
		in.valid |= FUSE_SET_FH;
		in.fh = ff->fh;
	}
	write_lock(&i->lock);
	error = may_have_size(i, size);
	if (!error && fuse_has(c, FUSE_HANDLE_KILLPRIV_V2) && !capable(CAP_FSETID))
		in.valid |= FUSE_SET_KILL_SUIDGID;
	else if (!error && !fuse_has(c, FUSE_HANDLE_KILLPRIV) && !capable(CAP_FSETID))
		error = add_mode_without_set_ids(i, &in, false);
	if (fuse_keeps_writes(i) && size != inode_size(i)) {
		put_modified(&in, inode_now());
		put_changed(&in, inode_now());
	}
	if (!error)
		error = cut(i, ff, &in);
	if (!error && (in.valid & FUSE_SET_CTIME))
		keep_times(i, &in);
	write_unlock(&i->lock);
	return error;
}
