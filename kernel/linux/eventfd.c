/* SPDX-License-Identifier: MIT */
/*
 * eventfd.c - eventfd(2), timerfd_create(2) and its kin, signalfd(2).
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/handle.h>
#include <tessera/poll.h>

#include "linux.h"

#define EFD_SEMAPHORE 1
#define TFD_ABSTIME   1
#define TFD_CANCEL_ON_SET 2

/* Install a fresh file, or say why not. */
static long
open_new(struct file *f, int flags)
{
	int fd;

	if (!f)
		return -ENOMEM;
	fd = handle_open(f, RIGHT_ALL, (uint32_t)flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

long
linux_eventfd2(unsigned int initial, int flags)
{
	if (flags & ~(int)(EFD_SEMAPHORE | O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	return open_new(eventfd_create_file(initial, flags & EFD_SEMAPHORE, (uint32_t)flags & O_NONBLOCK),
			flags);
}

long
linux_eventfd(unsigned int initial)
{
	return linux_eventfd2(initial, 0);
}

long
linux_timerfd_create(int clock, int flags)
{
	/* realtime, monotonic, boottime and the two alarm clocks */
	bool known = clock == 0 || clock == 1 || (clock >= 7 && clock <= 9);

	if (!known || (flags & ~(int)(O_CLOEXEC | O_NONBLOCK)))
		return -EINVAL;
	if (clock >= 8 && !capable(CAP_WAKE_ALARM))
		return -EPERM;
	return open_new(timerfd_create_file(clock, (uint32_t)flags & O_NONBLOCK), flags);
}

static int
to_ns(const struct timespec64 *t, uint64_t *ns)
{
	if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	*ns = (uint64_t)MIN(t->tv_sec, (int64_t)(INT64_MAX / NSEC_PER_SEC - 1)) * NSEC_PER_SEC +
	      (uint64_t)t->tv_nsec;
	return 0;
}

static struct timespec64
from_ns(uint64_t ns)
{
	return (struct timespec64){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) };
}

long
linux_timerfd_settime(int fd, int flags, const struct linux_itimerspec __user *value,
		      struct linux_itimerspec __user *old)
{
	uint64_t ns, interval, old_ns, old_interval;
	struct linux_itimerspec spec;
	struct file *f;
	int error;

	if (flags & ~(TFD_ABSTIME | TFD_CANCEL_ON_SET))
		return -EINVAL;
	if (copy_from_user(&spec, value, sizeof(spec)))
		return -EFAULT;
	if (to_ns(&spec.value, &ns) || to_ns(&spec.interval, &interval))
		return -EINVAL;
	f = handle_get(fd, RIGHT_CONTROL, &error);
	if (!f)
		return error;
	error = timerfd_set(f, flags & TFD_ABSTIME, flags & TFD_CANCEL_ON_SET, ns, interval, &old_ns,
			    &old_interval);
	file_put(f);
	if (!error && old) {
		spec = (struct linux_itimerspec){ from_ns(old_interval), from_ns(old_ns) };
		error = copy_to_user(old, &spec, sizeof(spec));
	}
	return error;
}

long
linux_timerfd_gettime(int fd, struct linux_itimerspec __user *value)
{
	struct linux_itimerspec spec;
	uint64_t ns, interval;
	struct file *f;
	int error;

	f = handle_get(fd, RIGHT_STAT, &error);
	if (!f)
		return error;
	error = timerfd_get(f, &ns, &interval);
	file_put(f);
	if (error)
		return error;
	spec = (struct linux_itimerspec){ from_ns(interval), from_ns(ns) };
	return copy_to_user(value, &spec, sizeof(spec));
}

long
linux_signalfd4(int fd, const uint64_t __user *mask, size_t mask_size, int flags)
{
	struct file *f;
	uint64_t set;
	int error;

	if (mask_size != sizeof(set))
		return -EINVAL;
	if (get_user(set, mask))
		return -EFAULT;
	if (flags & ~(int)(O_CLOEXEC | O_NONBLOCK))
		return -EINVAL;
	if (fd == -1)
		return open_new(signalfd_create_file(set, (uint32_t)flags & O_NONBLOCK), flags);
	f = handle_get(fd, RIGHT_CONTROL, &error);
	if (!f)
		return error;
	if (file_is_signalfd(f))
		signalfd_set_mask(f, set);
	else
		error = -EINVAL;
	file_put(f);
	return error ? error : fd;
}

long
linux_signalfd(int fd, const uint64_t __user *mask, size_t mask_size)
{
	return linux_signalfd4(fd, mask, mask_size, 0);
}
