/* SPDX-License-Identifier: MIT */
/*
 * mqueue.c - mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr.
 */
#include <tessera/handle.h>
#include <tessera/mqueue.h>
#include <tessera/netlink.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "clock_id.h"
#include "linux.h"
#include "user_name.h"

#define SIGEV_SIGNAL 0
#define SIGEV_NONE   1
#define SIGEV_THREAD 2

struct linux_mq_attr {
	int64_t flags, count_max, size_max, count, reserved[4];
};
_Static_assert(sizeof(struct linux_mq_attr) == 64, "struct mq_attr");

struct linux_sigevent {
	uint64_t value;
	int32_t signo, notify;
	uint8_t rest[48];
};
_Static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent");

/* The queue's open object with a reference, when it is one and was opened for that. */
static struct file *
queue_file(int fd, uint64_t rights, uint32_t mode, int *error)
{
	struct file *f = handle_get(fd, rights, error);

	if (!f)
		return NULL;
	if (file_mqueue(f) && (f->mode & mode) == mode)
		return f;
	file_put(f);
	*error = -EBADF;
	return NULL;
}

long
linux_mq_open(const char __user *uname, int flags, mode_t mode, const void __user *uattr)
{
	struct mqueue_attributes a;
	struct linux_mq_attr attr;
	struct file *f;
	char *name;
	int error, fd;

	if (uattr && copy_from_user(&attr, uattr, sizeof(attr)))
		return -EFAULT;
	if (uattr)
		a = (struct mqueue_attributes){ attr.count_max, attr.size_max };
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	error = mqueue_open(name, (uint32_t)flags, mode, uattr ? &a : NULL, &f);
	kfree(name);
	if (error)
		return error;
	fd = handle_open(f, handle_rights_of(f), true); /* always close-on-exec */
	if (fd < 0)
		file_put(f);
	return fd;
}

long
linux_mq_unlink(const char __user *uname)
{
	char *name = user_name_get(uname);
	int error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	error = mqueue_unlink(name);
	kfree(name);
	return error;
}

/* An absolute time on the realtime clock; none: for ever. */
static int
read_deadline(const struct timespec64 __user *utime, deadline_t *until)
{
	struct timespec64 ts;

	*until = DEADLINE_NEVER;
	if (!utime)
		return 0;
	if (copy_from_user(&ts, utime, sizeof(ts)))
		return -EFAULT;
	if (!timespec_valid(&ts))
		return -EINVAL;
	*until = clock_deadline(CLOCK_REALTIME, timespec_ns(&ts));
	return 0;
}

static int
send(struct file *f, const char __user *text, size_t size, unsigned int priority, deadline_t until)
{
	struct mqueue_attributes a;
	struct mqueue_message *m;
	int64_t count;
	int error;

	mqueue_attributes(file_mqueue(f), &a, &count);
	if (size > (size_t)a.size_max)
		return -EMSGSIZE;
	m = kmalloc(sizeof(*m) + size, 0);
	if (!m)
		return -ENOMEM;
	list_init(&m->node);
	m->priority = priority;
	m->size = size;
	error = copy_from_user(m->data, text, size) ? -EFAULT : mqueue_send(f, m, until);
	if (error)
		kfree(m);
	return error;
}

long
linux_mq_timedsend(int fd, const char __user *text, size_t size, unsigned int priority,
		   const struct timespec64 __user *timeout)
{
	deadline_t until;
	struct file *f;
	int error = read_deadline(timeout, &until);

	if (error)
		return error;
	if (priority >= MQUEUE_PRIORITY_LIMIT)
		return -EINVAL;
	f = queue_file(fd, RIGHT_WRITE, FILE_WRITE, &error);
	if (!f)
		return error;
	error = send(f, text, size, priority, until);
	file_put(f);
	return error;
}

long
linux_mq_timedreceive(int fd, char __user *text, size_t size, unsigned int __user *priority,
		      const struct timespec64 __user *timeout)
{
	struct mqueue_message *m;
	deadline_t until;
	struct file *f;
	int error = read_deadline(timeout, &until);
	long result;

	if (error)
		return error;
	f = queue_file(fd, RIGHT_READ, FILE_READ, &error);
	if (!f)
		return error;
	m = mqueue_receive(f, size, until);
	file_put(f);
	if (IS_ERR(m))
		return PTR_ERR(m);
	result = (long)m->size;
	if ((priority && put_user(m->priority, priority)) || copy_to_user(text, m->data, m->size))
		result = -EFAULT;
	kfree(m);
	return result;
}

/* SIGEV_THREAD is the C library's: its helper thread reads from a netlink socket what was told it here. */
static int
make_note(const struct linux_sigevent *e, struct netlink_note **out)
{
	char cookie[MQUEUE_NOTE];
	struct file *f;
	int error;

	if (copy_from_user(cookie, __force_user(const void __user *, e->value), sizeof(cookie)))
		return -EFAULT;
	f = handle_get(e->signo, RIGHT_NONE, &error);
	if (!f)
		return error;
	error = netlink_note_create(f, sizeof(cookie), out);
	file_put(f);
	if (!error)
		memcpy(netlink_note_bytes(*out), cookie, sizeof(cookie));
	return error;
}

static int
notify(int fd, const struct linux_sigevent *e, struct netlink_note *note)
{
	int error;
	struct file *f = queue_file(fd, RIGHT_NONE, 0, &error);

	if (!f)
		return error;
	error = mqueue_notify(file_mqueue(f), e->notify == SIGEV_SIGNAL ? e->signo : 0, e->value, note);
	file_put(f);
	return error;
}

static int
forget(int fd)
{
	int error;
	struct file *f = queue_file(fd, RIGHT_NONE, 0, &error);

	if (!f)
		return error;
	mqueue_forget(file_mqueue(f));
	file_put(f);
	return 0;
}

long
linux_mq_notify(int fd, const void __user *uevent)
{
	struct netlink_note *note = NULL;
	struct linux_sigevent e;
	int error = 0;

	if (!uevent)
		return forget(fd);
	if (copy_from_user(&e, uevent, sizeof(e)))
		return -EFAULT;
	if (e.notify != SIGEV_SIGNAL && e.notify != SIGEV_NONE && e.notify != SIGEV_THREAD)
		return -EINVAL;
	if (e.notify == SIGEV_SIGNAL && (e.signo < 0 || e.signo > SIGNAL_COUNT))
		return -EINVAL;
	if (e.notify == SIGEV_THREAD)
		error = make_note(&e, &note);
	if (!error)
		error = notify(fd, &e, note);
	if (error && note)
		netlink_note_drop(note);
	return error;
}

static void
set_nonblock(struct file *f, bool on)
{
	spin_lock(&f->lock);
	WRITE_ONCE(f->flags, on ? f->flags | O_NONBLOCK : f->flags & ~O_NONBLOCK);
	spin_unlock(&f->lock);
}

long
linux_mq_getsetattr(int fd, const void __user *unew, void __user *uold)
{
	struct linux_mq_attr attr, old;
	struct mqueue_attributes a;
	struct file *f;
	int error;

	if (unew) {
		if (copy_from_user(&attr, unew, sizeof(attr)))
			return -EFAULT;
		if (attr.flags & ~(int64_t)O_NONBLOCK)
			return -EINVAL;
	}
	f = queue_file(fd, unew ? RIGHT_SET_FLAGS : RIGHT_NONE, 0, &error);
	if (!f)
		return error;
	memset(&old, 0, sizeof(old));
	mqueue_attributes(file_mqueue(f), &a, &old.count);
	old.count_max = a.count_max;
	old.size_max = a.size_max;
	old.flags = READ_ONCE(f->flags) & O_NONBLOCK;
	if (unew)
		set_nonblock(f, attr.flags & O_NONBLOCK);
	file_put(f);
	return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}
