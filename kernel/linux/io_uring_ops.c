/* SPDX-License-Identifier: MIT */
/*
 * io_uring_ops.c - what each operation of io_uring does: mostly the call of the same name.
 *
 * uring_execute() is called by the submitter first, which may not sleep, then perhaps by a worker of the same
 * process with the submitter's ids. A stream's operation is tried without waiting each time and says what it
 * would wait for. What cannot be tried so goes to a worker.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/iov.h>
#include <tessera/poll.h>
#include <tessera/process.h>

#include "clock_id.h"
#include "io_uring.h"
#include "io_uring_ops.h"
#include "linux.h"
#include "open.h"

#define FSYNC_DATASYNC 1u

#define TIMEOUT_ABS           BIT(0)
#define TIMEOUT_UPDATE        BIT(1)
#define TIMEOUT_BOOTTIME      BIT(2)
#define TIMEOUT_REALTIME      BIT(3)
#define LINK_TIMEOUT_UPDATE   BIT(4)
#define TIMEOUT_ETIME_SUCCESS BIT(5)

#define POLL_ADD_MULTI 1u

#define CANCEL_ALL BIT(0)
#define CANCEL_FD  BIT(1)
#define CANCEL_ANY BIT(2)
#define CANCEL_FD_FIXED BIT(3)

#define SPLICE_FD_IN_FIXED BIT(31)

#define VECTOR_FAST 8

/* One operation: what it needs, and its function. */
struct operation {
	enum uring_verdict (*run)(struct uring_request *q, const struct uring_sqe *s, bool may_sleep,
				  struct uring_answer *a);
	bool file;      /* may name a registered file */
	bool select;    /* may take a provided buffer */
	bool priority;  /* sqe->priority is one */
	bool own_priority; /* ... or flags, which it looks at itself */
};

/* --- files ------------------------------------------------------------------------------------ */

int
io_uring_handle_for(struct uring_file f)
{
	struct process *p = current_process();
	uint32_t limit = (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	int fd = handle_reserve(p->handles, (int)MIN(limit - limit / 4, (uint32_t)INT32_MAX), limit);

	if (fd < 0)
		return fd;
	file_get(f.file);
	handle_install(p->handles, fd, f.file, f.rights, true);
	return fd;
}

int
io_uring_handle_begin(struct uring_request *q, const struct uring_sqe *s, bool *temporary)
{
	struct file *f;
	int error;

	*temporary = s->flags & SQE_FIXED_FILE;
	if (!*temporary)
		return s->fd;
	f = uring_request_file(q, &error);
	if (!f)
		return error;
	return io_uring_handle_for((struct uring_file){ f, uring_request_rights(q) });
}

void
io_uring_handle_end(int fd, bool temporary)
{
	if (temporary)
		(void)handle_close(current_process()->handles, fd);
}

struct file *
io_uring_file_for(struct uring_request *q, const struct uring_sqe *s, uint64_t right, int *error)
{
	struct file *f;

	if (!(s->flags & SQE_FIXED_FILE)) {
		f = handle_get(s->fd, right, error);
		if (!f)
			return NULL;
		file_put(f);
	}
	f = uring_request_file(q, error);
	if (f && (uring_request_rights(q) & right) != right) {
		*error = -EBADF;
		return NULL;
	}
	return f;
}

long
io_uring_keep(struct uring_request *q, const struct uring_sqe *s, struct uring_file f, bool cloexec)
{
	uint32_t place = (uint32_t)s->file_index;
	long r;

	if (place)
		r = uring_install_file(uring_request_ring(q), place, f);
	else
		r = handle_open(f.file, f.rights, cloexec);
	if (r < 0)
		file_put(f.file);
	return r;
}

/* --- reading and writing ---------------------------------------------------------------------- */

/*
 * A file whose pages may have to come from a store: what is there is read at once. Where that is not all, a worker begins
 * anew, and waits; so nothing is tried that moves the file's own position.
 */
static enum uring_verdict
cached_transfer(const struct uring_sqe *s, struct file *f, struct iov_iter *it, loff_t *at, bool write,
		struct uring_answer *a)
{
	bool only = s->op_flags & RW_NOWAIT, tried = !write && (at || only);
	ssize_t n = tried ? file_read_flags(f, it, at, s->op_flags | RW_NOWAIT) : -EAGAIN;
	bool all = n >= 0 && (it->count == 0 || !at || (uint64_t)*at >= READ_ONCE(cached_file_object(f)->size));

	return all || only || (n < 0 && n != -EAGAIN) ? done(a, n) : URING_WORKER;
}

static enum uring_verdict
transfer(struct uring_request *q, const struct uring_sqe *s, struct iov_iter *it, bool write, bool may_sleep,
	 struct uring_answer *a)
{
	uint32_t flags = s->op_flags;
	loff_t pos = (loff_t)s->offset, *at = &pos;
	struct file *f;
	ssize_t n;
	int error;

	if (flags & ~(RW_HIPRI | RW_DSYNC | RW_SYNC | RW_NOWAIT | RW_APPEND))
		return done(a, -EOPNOTSUPP);
	f = io_uring_file_for(q, s, write ? RIGHT_WRITE : RIGHT_READ, &error);
	if (!f)
		return done(a, error);
	if (!(f->mode & FILE_SEEKABLE) || pos == -1)
		at = NULL;
	else if (pos < 0)
		return done(a, -EINVAL);
	if (f->cached && !may_sleep)
		return cached_transfer(s, f, it, at, write, a);
	if (f->ops->waits && !may_sleep)
		return URING_WORKER;
	if (f->ops->poll && !f->cached && !f->ops->waits)
		flags |= RW_NOWAIT;
	else
		flags &= ~RW_NOWAIT; /* memory, which does not wait; or this is a worker, which may */
	n = write ? file_write_flags(f, it, at, flags) : file_read_flags(f, it, at, flags);
	if (n == -EAGAIN && !(s->op_flags & RW_NOWAIT)) {
		a->events = write ? POLLOUT : POLLIN;
		return URING_WAIT;
	}
	return done(a, n);
}

static enum uring_verdict
transfer_one(struct uring_request *q, const struct uring_sqe *s, bool write, bool may_sleep, struct uring_answer *a)
{
	uint64_t address = s->address;
	uint32_t size = s->length;
	struct iov_iter it;
	struct iovec one;
	int error;

	if (s->flags & SQE_BUFFER_SELECT) {
		error = uring_select(q, &address, &size, &a->flags);
		if (error)
			return done(a, error);
	}
	if (!user_range_ok(user(address), size))
		return done(a, -EFAULT);
	iov_iter_user(&it, &one, user(address), MIN((size_t)size, RW_MAX));
	return transfer(q, s, &it, write, may_sleep, a);
}

static enum uring_verdict
transfer_fixed(struct uring_request *q, const struct uring_sqe *s, bool write, bool may_sleep, struct uring_answer *a)
{
	struct iovec whole, one;
	struct iov_iter it;
	uint64_t base;

	if (!uring_request_buffer(q, &whole))
		return done(a, -EFAULT);
	base = (uintptr_t)whole.base;
	if (s->address < base || s->address - base > whole.length ||
	    s->length > whole.length - (s->address - base))
		return done(a, -EFAULT);
	iov_iter_user(&it, &one, user(s->address), MIN((size_t)s->length, RW_MAX));
	return transfer(q, s, &it, write, may_sleep, a);
}

static enum uring_verdict
transfer_vector(struct uring_request *q, const struct uring_sqe *s, bool write, bool may_sleep,
		struct uring_answer *a)
{
	struct iovec fast[VECTOR_FAST], *v;
	struct iov_iter it;
	enum uring_verdict verdict;
	ssize_t n = iov_import(user(s->address), s->length, fast, &v);

	if (n < 0)
		return done(a, n);
	iov_iter_segments(&it, v, s->length, MIN((size_t)n, RW_MAX));
	verdict = transfer(q, s, &it, write, may_sleep, a);
	iov_import_free(fast, v);
	return verdict;
}

#define RUN(name)                                                                                  \
	static enum uring_verdict run_##name(struct uring_request *q, const struct uring_sqe *s,   \
					     bool may_sleep, struct uring_answer *a)

RUN(nop) { return done(a, 0); }
RUN(read) { return transfer_one(q, s, false, may_sleep, a); }
RUN(write) { return transfer_one(q, s, true, may_sleep, a); }
RUN(readv) { return transfer_vector(q, s, false, may_sleep, a); }
RUN(writev) { return transfer_vector(q, s, true, may_sleep, a); }
RUN(read_fixed) { return transfer_fixed(q, s, false, may_sleep, a); }
RUN(write_fixed) { return transfer_fixed(q, s, true, may_sleep, a); }

RUN(fsync)
{
	if (s->op_flags & ~FSYNC_DATASYNC || s->address)
		return done(a, -EINVAL);
	return done(a, WITH_HANDLE(q, s, s->op_flags & FSYNC_DATASYNC ? linux_fdatasync(fd)
									    : linux_fsync(fd)));
}

RUN(sync_range)
{
	return done(a, WITH_HANDLE(q, s, linux_sync_file_range(fd, (loff_t)s->offset, s->length,
							       s->op_flags)));
}

/* A worker's, which takes no signals: too long is an error and no SIGXFSZ. */
RUN(fallocate)
{
	if (!may_sleep)
		return URING_WORKER;
	return done(a, WITH_HANDLE(q, s, linux_fallocate(fd, (int)s->length, (loff_t)s->offset,
							 (loff_t)s->address)));
}

RUN(fadvise)
{
	return done(a, WITH_HANDLE(q, s, linux_fadvise64(fd, (loff_t)s->offset, (loff_t)s->length,
							 (int)s->op_flags)));
}

RUN(madvise) { return done(a, linux_madvise(s->address, s->length, (int)s->op_flags)); }

/* --- waiting ---------------------------------------------------------------------------------- */

RUN(poll_add)
{
	if (s->length & ~POLL_ADD_MULTI)
		return done(a, -EINVAL);
	return uring_poll_add(q, s->op_flags & ~(uint32_t)(POLLNVAL), s->length & POLL_ADD_MULTI, a);
}

static int
read_time(const struct uring_sqe *s, uint64_t address, uint32_t flags, deadline_t *until)
{
	struct timespec64 ts;

	if ((flags & TIMEOUT_BOOTTIME) && (flags & TIMEOUT_REALTIME))
		return -EINVAL;
	if (copy_from_user(&ts, user(address), sizeof(ts)))
		return -EFAULT;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0)
		return -EINVAL;
	if (flags & TIMEOUT_ABS)
		*until = clock_deadline(flags & TIMEOUT_REALTIME ? CLOCK_REALTIME : CLOCK_MONOTONIC,
					timespec_ns(&ts));
	else
		*until = deadline_after(timespec_ns(&ts));
	return 0;
}

static bool
timeout_is_right(const struct uring_sqe *s)
{
	return !s->buffer && !s->file_index && s->length == 1 &&
	       !(s->op_flags & ~(TIMEOUT_ABS | TIMEOUT_BOOTTIME | TIMEOUT_REALTIME | TIMEOUT_ETIME_SUCCESS)) &&
	       !(s->opcode == URING_OP_LINK_TIMEOUT && s->offset);
}

static enum uring_verdict
timeout(struct uring_request *q, const struct uring_sqe *s, uint32_t count, struct uring_answer *a)
{
	deadline_t until;
	int error;

	error = read_time(s, s->address, s->op_flags, &until);
	if (error)
		return done(a, error);
	return uring_timeout_add(q, until, count, s->op_flags & TIMEOUT_ETIME_SUCCESS);
}

RUN(timeout) { return timeout(q, s, (uint32_t)s->offset, a); }
RUN(link_timeout) { return timeout(q, s, 0, a); }

RUN(timeout_remove)
{
	struct uring_match m = { .user_data = s->address, .only = URING_OP_TIMEOUT, .never = -1 };
	deadline_t until;
	int error;

	if (s->buffer || s->length || s->file_index)
		return done(a, -EINVAL);
	if (!(s->op_flags & (TIMEOUT_UPDATE | LINK_TIMEOUT_UPDATE)))
		return done(a, s->op_flags ? -EINVAL : uring_cancel(q, &m));
	error = read_time(s, s->offset, s->op_flags, &until);
	return done(a, error ? error : uring_timeout_update(q, s->address, until));
}

RUN(poll_remove)
{
	struct uring_match m = { .user_data = s->address, .only = URING_OP_POLL_ADD, .never = -1 };

	if (s->length || s->offset || s->op_flags || s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, uring_cancel(q, &m));
}

RUN(cancel)
{
	struct uring_match m = { .user_data = s->address, .only = -1, .never = -1,
				 .any = s->op_flags & CANCEL_ANY,
				 .all = s->op_flags & (CANCEL_ALL | CANCEL_ANY) };
	int error = 0;

	if (s->offset || s->file_index || (s->op_flags & ~(CANCEL_ALL | CANCEL_FD | CANCEL_ANY | CANCEL_FD_FIXED)))
		return done(a, -EINVAL);
	if (s->op_flags & CANCEL_FD) {
		m.file = uring_request_file(q, &error);
		if (!m.file)
			return done(a, error);
	}
	return done(a, uring_cancel(q, &m));
}

/* --- names and handles ------------------------------------------------------------------------ */

/* Opening may wait for the other side of a fifo, or a lock of a directory: not here. */
static enum uring_verdict
open_into_place(struct uring_request *q, const struct uring_sqe *s, struct open_request *r, struct uring_answer *a)
{
	struct uring_file f;
	int error;

	if (r->flags & O_CLOEXEC) /* places know none */
		return done(a, -EINVAL);
	error = open_file(s->fd, user(s->address), r, &f.file, &f.rights);
	return done(a, error ? error : io_uring_keep(q, s, f, false));
}

RUN(openat)
{
	struct open_request r = open_request_of((int)s->op_flags, s->length);

	if (s->buffer)
		return done(a, -EINVAL);
	if (!may_sleep)
		return URING_WORKER;
	if (s->file_index)
		return open_into_place(q, s, &r, a);
	return done(a, linux_openat(s->fd, user(s->address), (int)s->op_flags, s->length));
}

RUN(openat2)
{
	struct open_request r;
	int error;

	if (s->buffer)
		return done(a, -EINVAL);
	if (!may_sleep)
		return URING_WORKER;
	if (!s->file_index)
		return done(a, linux_openat2(s->fd, user(s->address), user(s->offset), s->length));
	error = open_request_read(user(s->offset), s->length, &r);
	return error ? done(a, error) : open_into_place(q, s, &r, a);
}

/* A place that is empty already cannot be emptied. */
static int
empty_place(struct uring *u, uint32_t index)
{
	struct uring_file f = uring_file_at(u, index);

	if (!f.file)
		return uring_file_count(u) == 0 ? -ENXIO : index >= uring_file_count(u) ? -EINVAL : -EBADF;
	file_put(f.file);
	return uring_update_file(u, index, (struct uring_file){ 0 });
}

RUN(close)
{
	struct file *f;
	int error;

	if (s->offset || s->address || s->length || s->op_flags || s->buffer)
		return done(a, -EINVAL);
	if (s->file_index)
		return done(a, s->fd ? -EINVAL : empty_place(uring_request_ring(q), (uint32_t)s->file_index - 1));
	f = handle_get(s->fd, RIGHT_NONE, &error);
	if (!f)
		return done(a, error);
	error = file_uring(f) ? -EBADF : 0; /* a ring closes no ring */
	file_put(f);
	return done(a, error ? error : linux_close(s->fd));
}

RUN(files_update)
{
	if (s->op_flags || s->file_index || !s->length)
		return done(a, -EINVAL);
	if ((uint32_t)s->offset == URING_ALLOCATE)
		return done(a, io_uring_allocate_files(uring_request_ring(q), s->address, s->length));
	return done(a, io_uring_update_files(uring_request_ring(q), (uint32_t)s->offset, s->address,
					     s->length));
}

RUN(statx)
{
	if (s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, linux_statx(s->fd, user(s->address), s->op_flags, s->length, user(s->offset)));
}

RUN(renameat)
{
	return done(a, linux_renameat2(s->fd, user(s->address), (int)s->length, user(s->offset),
				       s->op_flags));
}

RUN(unlinkat)
{
	if (s->offset || s->length || s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, linux_unlinkat(s->fd, user(s->address), (int)s->op_flags));
}

RUN(mkdirat)
{
	if (s->offset || s->op_flags || s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, linux_mkdirat(s->fd, user(s->address), s->length));
}

RUN(symlinkat)
{
	if (s->length || s->op_flags || s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, linux_symlinkat(user(s->address), s->fd, user(s->offset)));
}

RUN(linkat)
{
	return done(a, linux_linkat(s->fd, user(s->address), (int)s->length, user(s->offset),
				    (int)s->op_flags));
}

RUN(epoll_ctl)
{
	if (s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, linux_epoll_ctl(s->fd, (int)s->length, (int)s->offset, user(s->address)));
}

/* --- pipes ------------------------------------------------------------------------------------ */

/* The handle to read from: a registered file's is temporary. */
static int
source_begin(struct uring_request *q, const struct uring_sqe *s, bool *temporary)
{
	struct uring_file f;
	int fd;

	*temporary = s->op_flags & SPLICE_FD_IN_FIXED;
	if (!*temporary)
		return s->file_index;
	f = uring_file_at(uring_request_ring(q), (uint32_t)s->file_index);
	if (!f.file)
		return -EBADF;
	fd = io_uring_handle_for(f);
	file_put(f.file);
	return fd;
}

RUN(splice)
{
	loff_t in = (loff_t)s->address, out = (loff_t)s->offset;
	uint32_t flags = s->op_flags & ~(uint32_t)SPLICE_FD_IN_FIXED;
	bool temporary;
	long result;
	int from;

	if (!may_sleep)
		return URING_WORKER;
	from = source_begin(q, s, &temporary);
	if (from < 0 && temporary)
		return done(a, from);
	result = WITH_HANDLE(q, s, io_uring_splice(from, in, fd, out, s->length, flags));
	io_uring_handle_end(from, temporary);
	return done(a, result);
}

RUN(tee)
{
	uint32_t flags = s->op_flags & ~(uint32_t)SPLICE_FD_IN_FIXED;
	bool temporary;
	long result;
	int from;

	if (s->address || s->offset)
		return done(a, -EINVAL);
	if (!may_sleep)
		return URING_WORKER;
	from = source_begin(q, s, &temporary);
	if (from < 0 && temporary)
		return done(a, from);
	result = WITH_HANDLE(q, s, linux_tee(from, fd, s->length, flags));
	io_uring_handle_end(from, temporary);
	return done(a, result);
}

/* --- provided buffers ------------------------------------------------------------------------- */

RUN(provide_buffers)
{
	if (s->op_flags || s->file_index || s->fd <= 0 || s->fd > (int32_t)UINT16_MAX)
		return done(a, s->fd <= 0 || s->fd > (int32_t)UINT16_MAX ? -E2BIG : -EINVAL);
	if (!user_range_ok(user(s->address), (size_t)s->length * (size_t)s->fd))
		return done(a, -EFAULT);
	if (s->offset > UINT16_MAX)
		return done(a, -E2BIG);
	if (s->offset + (uint64_t)s->fd > (int32_t)UINT16_MAX + 1ul)
		return done(a, -EINVAL);
	return done(a, uring_provide(q, s->address, s->length, (uint32_t)s->fd, (uint32_t)s->offset));
}

RUN(remove_buffers)
{
	if (s->op_flags || s->address || s->length || s->offset || s->file_index || s->fd <= 0)
		return done(a, -EINVAL);
	return done(a, uring_unprovide(q, (uint32_t)s->fd));
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct operation operations[] = {
	[0] = { .run = run_nop },
	[1] = { .run = run_readv, .file = true, .priority = true },
	[2] = { .run = run_writev, .file = true, .priority = true },
	[3] = { .run = run_fsync, .file = true },
	[4] = { .run = run_read_fixed, .file = true, .priority = true },
	[5] = { .run = run_write_fixed, .file = true, .priority = true },
	[URING_OP_POLL_ADD] = { .run = run_poll_add, .file = true },
	[7] = { .run = run_poll_remove },
	[8] = { .run = run_sync_range, .file = true },
	[9] = { .run = io_uring_run_sendmsg, .file = true, .own_priority = true },
	[10] = { .run = io_uring_run_recvmsg, .file = true, .own_priority = true },
	[URING_OP_TIMEOUT] = { .run = run_timeout },
	[12] = { .run = run_timeout_remove },
	[13] = { .run = io_uring_run_accept, .file = true, .own_priority = true },
	[14] = { .run = run_cancel, .file = true },
	[URING_OP_LINK_TIMEOUT] = { .run = run_link_timeout },
	[16] = { .run = io_uring_run_connect, .file = true },
	[17] = { .run = run_fallocate, .file = true },
	[18] = { .run = run_openat },
	[19] = { .run = run_close },
	[20] = { .run = run_files_update },
	[21] = { .run = run_statx },
	[22] = { .run = run_read, .file = true, .select = true, .priority = true },
	[23] = { .run = run_write, .file = true, .priority = true },
	[24] = { .run = run_fadvise, .file = true },
	[25] = { .run = run_madvise },
	[26] = { .run = io_uring_run_send, .file = true, .own_priority = true },
	[27] = { .run = io_uring_run_recv, .file = true, .select = true, .own_priority = true },
	[28] = { .run = run_openat2 },
	[29] = { .run = run_epoll_ctl },
	[30] = { .run = run_splice, .file = true },
	[31] = { .run = run_provide_buffers },
	[32] = { .run = run_remove_buffers },
	[33] = { .run = run_tee, .file = true },
	[34] = { .run = io_uring_run_shutdown, .file = true },
	[35] = { .run = run_renameat },
	[36] = { .run = run_unlinkat },
	[37] = { .run = run_mkdirat },
	[38] = { .run = run_symlinkat },
	[39] = { .run = run_linkat },
	[40] = { .run = io_uring_run_msg_ring, .file = true },
	[45] = { .run = io_uring_run_socket },
};

bool
io_uring_knows(unsigned int opcode)
{
	return opcode < ARRAY_SIZE(operations) && operations[opcode].run;
}

/* The priority of a transfer: ioprio_set(2)'s values. */
static int
check_priority(uint16_t priority)
{
	switch (priority >> 13) {
	case 0:
		return priority ? -EINVAL : 0;
	case 1:
		return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0 : -EPERM;
	case 2:
	case 3:
		return 0;
	}
	return -EINVAL;
}

int
uring_check(const struct uring_sqe *s)
{
	const struct operation *o;

	if (!io_uring_knows(s->opcode))
		return -EINVAL;
	o = &operations[s->opcode];
	if (s->flags & ~0x7fu || s->personality)
		return -EINVAL;
	if ((s->flags & SQE_BUFFER_SELECT) && !o->select)
		return -EOPNOTSUPP;
	if (s->priority && !o->own_priority)
		return o->priority ? check_priority(s->priority) : -EINVAL;
	if ((s->opcode == URING_OP_TIMEOUT || s->opcode == URING_OP_LINK_TIMEOUT) && !timeout_is_right(s))
		return -EINVAL;
	return 0;
}

enum uring_verdict
uring_execute(struct uring_request *q, bool may_sleep, struct uring_answer *a)
{
	const struct uring_sqe *s = uring_request_sqe(q);
	const struct operation *o;

	o = &operations[s->opcode]; /* uring_check() was content */
	if ((s->flags & SQE_FIXED_FILE) && !o->file)
		return done(a, -EBADF);
	if ((s->flags & SQE_ASYNC) && !may_sleep && o->file && s->opcode != URING_OP_POLL_ADD)
		return URING_WORKER;
	return o->run(q, s, may_sleep, a);
}

bool
uring_is_short(const struct uring_sqe *s, int32_t result)
{
	switch (s->opcode) {
	case 4:
	case 5:
	case 22:
	case 23:
		return result >= 0 && !(s->flags & SQE_BUFFER_SELECT) && (uint32_t)result != s->length;
	}
	return false;
}
