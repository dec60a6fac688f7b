/* SPDX-License-Identifier: MIT */
/*
 * aio.c - io_setup, io_destroy, io_submit, io_getevents, io_pgetevents, io_cancel.
 *
 * IOCB_CMD_POLL is refused (-EINVAL): poll, epoll and io_uring wait. What is under way, to a disk past the page
 * cache, cannot be cancelled, as on Linux. Transfers of one call are gathered for the disk (a plug).
 */
#include <tessera/aio.h>
#include <tessera/block.h>
#include <tessera/handle.h>
#include <tessera/iov.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"

#define CMD_PREAD   0
#define CMD_PWRITE  1
#define CMD_FSYNC   2
#define CMD_FDSYNC  3
#define CMD_PREADV  7
#define CMD_PWRITEV 8

#define FLAG_RESFD  1u
#define FLAG_IOPRIO 2u

#define VECTOR_FAST 8
#define EVENTS_AT_ONCE 128u

struct linux_iocb {
	uint64_t data;
	uint32_t key, rw_flags;
	uint16_t opcode;
	int16_t priority;
	uint32_t fd;
	uint64_t buffer, size;
	int64_t offset;
	uint64_t reserved;
	uint32_t flags, result_fd;
};
_Static_assert(sizeof(struct linux_iocb) == 64, "struct iocb");
_Static_assert(sizeof(struct aio_event) == 32, "struct io_event");

long
linux_io_setup(unsigned int count, uint64_t __user *out)
{
	uint64_t id;
	int error;

	if (get_user(id, out))
		return -EFAULT;
	if (id || count == 0 || count > 0x10000000u / sizeof(struct aio_event))
		return -EINVAL;
	if (count > AIO_EVENTS_MAX)
		return -EAGAIN;
	error = aio_create(count, &id);
	if (error)
		return error;
	if (put_user(id, out)) {
		(void)aio_destroy(id);
		return -EFAULT;
	}
	return 0;
}

long
linux_io_destroy(uint64_t id)
{
	return aio_destroy(id);
}

/* --- submitting ------------------------------------------------------------------------------- */

/* What is under way: all that its end is told by. */
struct under_way {
	struct file_transfer transfer;
	struct aio_context *context; /* a reference */
	struct aio_event event;
	struct file *file, *told;    /* references; told may be NULL */
};

static void
transfer_done(struct file_transfer *t, ssize_t n)
{
	struct under_way *w = container_of(t, struct under_way, transfer);

	w->event.result = n;
	aio_post(w->context, &w->event);
	if (w->told) {
		eventfd_signal(w->told, 1);
		file_put_late(w->told);
	}
	file_put_late(w->file);
	aio_put(w->context);
	kfree(w);
}

/* One that may be begun and not waited for, and was: FILE_UNDER_WAY. */
static ssize_t
begin(struct file *f, struct iov_iter *it, const struct linux_iocb *b, bool write, struct under_way *w)
{
	struct under_way *copy;
	ssize_t n;

	if (!f->ops->begin || !(f->mode & FILE_SEEKABLE))
		return 0;
	copy = kmalloc(sizeof(*copy), 0);
	if (!copy)
		return 0; /* then wait */
	*copy = *w;
	copy->transfer.done = transfer_done;
	file_get(f);
	if (copy->told)
		file_get(copy->told);
	aio_get(copy->context);
	n = file_begin(f, it, b->offset, write, b->rw_flags, &copy->transfer);
	if (n == FILE_UNDER_WAY)
		return n;
	aio_put(copy->context);
	if (copy->told)
		file_put(copy->told);
	file_put(f);
	kfree(copy);
	return n;
}

/* Move bytes; what goes wrong before the first one would be moved is *error. */
static long
transfer(const struct linux_iocb *b, struct under_way *w, int *error)
{
	bool write = b->opcode == CMD_PWRITE || b->opcode == CMD_PWRITEV;
	bool vector = b->opcode == CMD_PREADV || b->opcode == CMD_PWRITEV;
	struct iovec fast[VECTOR_FAST], *v = NULL;
	struct file *f = w->file;
	struct iov_iter it;
	loff_t pos = b->offset;
	ssize_t n;

	*error = -EBADF;
	if (!(f->mode & (write ? FILE_WRITE : FILE_READ)))
		return 0;
	*error = -EINVAL;
	if (!(write ? f->ops->write : f->ops->read))
		return 0;
	*error = -EOPNOTSUPP;
	if (b->rw_flags & ~(RW_HIPRI | RW_DSYNC | RW_SYNC | RW_APPEND))
		return 0;
	if (vector) {
		n = iov_import(__force_user(struct iovec __user *, b->buffer), b->size, fast, &v);
		*error = (int)n;
		if (n < 0)
			return 0;
		iov_iter_segments(&it, v, (uint32_t)b->size, MIN((size_t)n, RW_MAX));
	} else {
		*error = -EFAULT;
		if (!user_range_ok(__force_user(void __user *, b->buffer), b->size))
			return 0;
		iov_iter_user(&it, fast, __force_user(void __user *, b->buffer), MIN(b->size, RW_MAX));
	}
	*error = 0;
	n = begin(f, &it, b, write, w);
	if (n == 0) {
		block_unplug(w->transfer.plug); /* what waits for this one does not wait longer */
		n = write ? file_write_flags(f, &it, f->mode & FILE_SEEKABLE ? &pos : NULL, b->rw_flags)
			  : file_read_flags(f, &it, f->mode & FILE_SEEKABLE ? &pos : NULL, b->rw_flags);
	}
	if (vector)
		iov_import_free(fast, v);
	if (n <= -ERESTARTSYS && n >= -ERESTART_RESTARTBLOCK)
		n = -EINTR;
	return n;
}

static long
execute(const struct linux_iocb *b, struct under_way *w, int *error)
{
	switch (b->opcode) {
	case CMD_PREAD:
	case CMD_PWRITE:
	case CMD_PREADV:
	case CMD_PWRITEV:
		return transfer(b, w, error);
	case CMD_FSYNC:
	case CMD_FDSYNC:
		*error = -EINVAL;
		if (b->buffer || b->offset || b->size || b->rw_flags)
			return 0;
		*error = 0;
		block_unplug(w->transfer.plug);
		return b->opcode == CMD_FSYNC ? linux_fsync((int)b->fd) : linux_fdatasync((int)b->fd);
	}
	*error = -EINVAL;
	return 0;
}

static int
eventfd_get(const struct linux_iocb *b, struct file **out)
{
	int error = 0;

	*out = NULL;
	if (!(b->flags & FLAG_RESFD))
		return 0;
	*out = handle_get((int)b->result_fd, RIGHT_WRITE, &error);
	if (!*out)
		return error;
	if (file_is_eventfd(*out))
		return 0;
	file_put(*out);
	*out = NULL;
	return -EINVAL;
}

static void
eventfd_tell(struct file *f)
{
	eventfd_signal(f, 1);
	file_put(f);
}

static int
submit_one(struct aio_context *c, struct linux_iocb __user *user, struct block_plug *plug)
{
	struct under_way w = { .transfer.plug = plug, .context = c, .event.object = (uintptr_t)user };
	struct linux_iocb b;
	int error = 0;

	if (copy_from_user(&b, user, sizeof(b)))
		return -EFAULT;
	if (b.reserved || (int64_t)b.size < 0 || (b.flags & ~(FLAG_RESFD | FLAG_IOPRIO)))
		return -EINVAL;
	error = aio_reserve(c);
	if (error)
		return error;
	w.file = handle_get((int)b.fd, RIGHT_NONE, &error);
	if (!w.file)
		goto unreserve;
	error = eventfd_get(&b, &w.told);
	if (error)
		goto put_file;
	error = -EFAULT;
	if (put_user(0u, &user->key))
		goto put_told;
	w.event.data = b.data;
	w.event.result = execute(&b, &w, &error);
	if (error)
		goto put_told;
	file_put(w.file);
	if (w.event.result == FILE_UNDER_WAY) {
		if (w.told)
			file_put(w.told);
		return 0;
	}
	aio_post(c, &w.event);
	if (w.told)
		eventfd_tell(w.told);
	return 0;

put_told:
	if (w.told)
		file_put(w.told);
put_file:
	file_put(w.file);
unreserve:
	aio_unreserve(c);
	return error;
}

long
linux_io_submit(uint64_t id, long count, uint64_t __user *list)
{
	struct aio_context *c;
	struct block_plug plug;
	long done = 0;
	int error = 0;

	if (count < 0)
		return -EINVAL;
	c = aio_find(id);
	if (!c)
		return -EINVAL;
	block_plug_init(&plug);
	for (; done < count; done++) {
		uint64_t at;

		error = get_user(at, &list[done]) ? -EFAULT : submit_one(c, __force_user(struct linux_iocb __user *, at), &plug);
		if (error)
			break;
	}
	block_unplug(&plug);
	aio_put(c);
	return done ? done : error;
}

/* --- events ----------------------------------------------------------------------------------- */

static long
get_events(uint64_t id, long least, long most, struct aio_event __user *out, deadline_t until)
{
	struct aio_context *c = aio_find(id);
	struct aio_event *some;
	long n = 0, got = 0;

	if (!c)
		return -EINVAL;
	n = -EINVAL;
	if (least < 0 || most < least)
		goto put_context;
	n = -ENOMEM;
	some = kmalloc(EVENTS_AT_ONCE * sizeof(*some), 0);
	if (!some)
		goto put_context;
	for (n = 0; n < most; n += got) {
		uint32_t want = (uint32_t)MIN(most - n, (long)EVENTS_AT_ONCE);

		got = aio_wait(c, (uint32_t)MIN(MAX(least - n, 0l), (long)want), want, some, until);
		if (got <= 0)
			break;
		if (copy_to_user(out + n, some, (size_t)got * sizeof(*some))) {
			got = -EFAULT;
			break;
		}
	}
	kfree(some);
	if (n == 0 && got < 0)
		n = got;
put_context:
	aio_put(c);
	return n;
}

static int
read_timeout(const struct timespec64 __user *timeout, deadline_t *until)
{
	struct timespec64 ts;

	*until = DEADLINE_NEVER;
	if (!timeout)
		return 0;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	*until = ts.tv_sec < 0 ? 0 : deadline_after(timespec_ns(&ts));
	return 0;
}

long
linux_io_getevents(uint64_t id, long least, long most, void __user *out, const struct timespec64 __user *timeout)
{
	deadline_t until;
	int error = read_timeout(timeout, &until);

	return error ? error : get_events(id, least, most, out, until);
}

long
linux_io_pgetevents(uint64_t id, long least, long most, void __user *out,
		    const struct timespec64 __user *timeout, const void __user *umask)
{
	struct {
		uint64_t mask, size;
	} arg = { 0 };
	deadline_t until;
	uint64_t mask;
	int error = read_timeout(timeout, &until);
	long n;

	if (error)
		return error;
	if (umask && copy_from_user(&arg, umask, sizeof(arg)))
		return -EFAULT;
	if (!arg.mask)
		return get_events(id, least, most, out, until);
	if (arg.size != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, __force_user(void __user *, arg.mask), sizeof(mask)))
		return -EFAULT;
	signal_mask_begin(mask);
	n = get_events(id, least, most, out, until);
	signal_mask_end(n == -EINTR);
	return n;
}

long
linux_io_cancel(uint64_t id, const void __user *user, void __user *result)
{
	struct linux_iocb b;
	struct aio_context *c;

	if (copy_from_user(&b, user, sizeof(b)))
		return -EFAULT;
	if (b.key != 0)
		return -EINVAL;
	c = aio_find(id);
	if (c)
		aio_put(c);
	return -EINVAL; /* it is over, or cannot be called back */
}
