/* SPDX-License-Identifier: MIT */
/*
 * epoll.c - epoll_create(2), epoll_ctl(2), epoll_wait(2) and their kin.
 */
#include <tessera/cpu.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

#include "linux.h"

#define OP_ADD    1
#define OP_DELETE 2
#define EVENTS_MAX (INT32_MAX / (int)sizeof(struct epoll_event))

long
linux_epoll_create1(int flags)
{
	struct file *f;
	int fd;

	if (flags & ~(int)O_CLOEXEC)
		return -EINVAL;
	f = epoll_create_file();
	if (!f)
		return -ENOMEM;
	fd = handle_open(f, RIGHT_ALL, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
linux_epoll_create(int size)
{
	return size <= 0 ? -EINVAL : linux_epoll_create1(0);
}

long
linux_epoll_ctl(int epfd, int op, int fd, struct linux_epoll_event __user *event)
{
	struct epoll_event e = { .events = 0 };
	struct file *epoll, *f;
	int error;

	if (op != OP_DELETE && copy_from_user(&e, event, sizeof(e)))
		return -EFAULT;
	epoll = handle_get(epfd, RIGHT_CONTROL, &error);
	if (!epoll)
		return error;
	f = handle_get(fd, RIGHT_POLL, &error);
	if (f) {
		error = !f->ops->poll ? -EPERM : epoll_control(epoll, op, fd, f, &e);
		file_put(f);
	}
	file_put(epoll);
	return error;
}

/* Where a wait puts what it reports. */
struct user_events {
	struct epoll_event __user *out;
};

static int
take_event(void *context, int index, const struct epoll_event *e)
{
	char __user *out = (char __user *)(((const struct user_events *)context)->out + index);

	return put_user(e->events, (uint32_t __user *)(out + offsetof(struct epoll_event, events))) ||
	       put_user(e->data, (uint64_t __user *)(out + offsetof(struct epoll_event, data))) ? -EFAULT : 0;
}

static long
wait_events(struct file *epoll, void __user *out, int max, deadline_t until)
{
	struct user_events to = { out };
	const struct epoll_taker taker = { take_event, &to };

	return epoll_wait_events(epoll, &taker, max, until);
}

static long
do_epoll_wait(int epfd, void __user *events, int max, deadline_t until)
{
	struct handle_loan l;
	int error;
	long r;

	if (max <= 0 || max > EVENTS_MAX)
		return -EINVAL;
	if (!user_range_ok(events, (size_t)max * sizeof(struct epoll_event)))
		return -EFAULT;
	if (!handle_borrow(epfd, RIGHT_NONE, &l, &error))
		return error;
	r = file_is_epoll(l.file) ? handle_need(l.file, l.rights, RIGHT_READ) : -EINVAL;
	if (!r)
		r = wait_events(l.file, events, max, until);
	handle_return(&l);
	return r;
}

static deadline_t
deadline_ms(int timeout_ms)
{
	if (timeout_ms < 0)
		return DEADLINE_NEVER;
	return timeout_ms == 0 ? 0 : deadline_after((uint64_t)timeout_ms * NSEC_PER_MSEC);
}

long
linux_epoll_wait(int epfd, struct linux_epoll_event __user *events, int max, int timeout_ms)
{
	return do_epoll_wait(epfd, events, max, deadline_ms(timeout_ms));
}

static long
do_epoll_pwait(int epfd, void __user *events, int max, deadline_t until, const uint64_t __user *mask,
	       size_t mask_size)
{
	uint64_t set;
	long r;

	if (!mask)
		return do_epoll_wait(epfd, events, max, until);
	if (mask_size != sizeof(set))
		return -EINVAL;
	if (get_user(set, mask))
		return -EFAULT;
	signal_mask_begin(set);
	r = do_epoll_wait(epfd, events, max, until);
	signal_mask_end(r == -EINTR);
	return r;
}

long
linux_epoll_pwait(int epfd, struct linux_epoll_event __user *events, int max, int timeout_ms,
		  const uint64_t __user *mask, size_t mask_size)
{
	return do_epoll_pwait(epfd, events, max, deadline_ms(timeout_ms), mask, mask_size);
}

long
linux_epoll_pwait2(int epfd, struct linux_epoll_event __user *events, int max,
		   struct timespec64 __user *timeout, const uint64_t __user *mask, size_t mask_size)
{
	deadline_t until = DEADLINE_NEVER;
	struct timespec64 t;

	if (timeout) {
		if (get_user(t, timeout))
			return -EFAULT;
		if (t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= (int64_t)NSEC_PER_SEC)
			return -EINVAL;
		until = t.tv_sec == 0 && t.tv_nsec == 0 ? 0
			: (uint64_t)t.tv_sec > INT64_MAX / NSEC_PER_SEC
				? DEADLINE_NEVER
				: deadline_after((uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec);
	}
	return do_epoll_pwait(epfd, events, max, until, mask, mask_size);
}
