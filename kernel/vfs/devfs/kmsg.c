/* SPDX-License-Identifier: MIT */
/*
 * kmsg.c - /dev/kmsg: a read gives one record of the kernel's log, a write adds one.
 *
 * f->private: struct reader, which record comes next. A reader that the log has overtaken is told once,
 * by EPIPE, and goes on at the oldest record there is. Who opens the file for reading counts as waiting
 * for the log all along: poll may leave a watch behind, and a count is cheaper than finding out.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/lock.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "devfs.h"

#define LINE_MAX 992 /* Linux's longest write */

struct reader {
	struct mutex lock; /* class SLEEP_LEAF */
	uint64_t next;     /* lock */
};

static int
kmsg_open(struct inode *i, struct file *f)
{
	struct reader *r;

	if ((f->mode & FILE_READ) && !log_readable())
		return -EPERM;
	r = kzalloc(sizeof(*r));
	if (!r)
		return -ENOMEM;
	mutex_init(&r->lock, LOCK_SLEEP_LEAF);
	r->next = log_first_sequence();
	f->private = r;
	atomic_add(&log_waiters, 1);
	return 0;
}

static void
kmsg_release(struct file *f)
{
	if (f->private)
		atomic_sub(&log_waiters, 1);
	kfree(f->private);
}

/* The next record into `buf`; waits for one. */
static ssize_t
next_record(struct reader *r, char *buf, size_t size, bool wait)
{
	for (;;) {
		bool truncated;
		uint64_t next;
		ssize_t n;

		mutex_lock(&r->lock);
		n = log_read_record(&r->next, buf, size, &truncated);
		next = r->next;
		mutex_unlock(&r->lock);
		if (n)
			return n;
		if (truncated)
			return -EINVAL;
		if (!wait)
			return -EAGAIN;
		if (log_wait(next))
			return -ERESTARTSYS;
	}
}

static ssize_t
kmsg_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	char *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t n;

	if (!buf)
		return -ENOMEM;
	n = next_record(f->private, buf, MIN(PAGE_SIZE, to->count), !file_may_not_wait(f, rw_flags));
	if (n > 0 && iov_copy_to(to, buf, (size_t)n) < (size_t)n)
		n = -EFAULT;
	kfree(buf);
	return n;
}

static uint32_t
kmsg_poll(struct file *f, struct poll_table *pt)
{
	struct reader *r = f->private;
	uint64_t next;

	poll_wait(pt, f, &log_readers);
	next = READ_ONCE(r->next);
	if (next < log_first_sequence())
		return POLLIN | POLLRDNORM | POLLERR | POLLPRI;
	return next < log_next_sequence() ? POLLIN | POLLRDNORM : 0;
}

/* The oldest record; SEEK_DATA: the first not cleared; SEEK_END: none, only what is to come. */
static loff_t
kmsg_seek(struct file *f, loff_t offset, int whence)
{
	struct reader *r = f->private;
	uint64_t next;

	if (offset != 0)
		return -ESPIPE;
	switch (whence) {
	case 0: /* SEEK_SET */
		next = log_first_sequence();
		break;
	case 3: /* SEEK_DATA */
		next = MAX(log_cleared_sequence(), log_first_sequence());
		break;
	case 2: /* SEEK_END */
		next = log_next_sequence();
		break;
	default:
		return -EINVAL;
	}
	mutex_lock(&r->lock);
	r->next = next;
	mutex_unlock(&r->lock);
	return 0;
}

/* "<N>" before the text is its priority: level in the low three bits, facility above. A program is never
 * the kernel: facility 0 becomes 1 (user). */
static unsigned int
take_priority(char **line)
{
	unsigned int priority = 0;
	char *p = *line;

	if (*p++ != '<' || *p < '0' || *p > '9')
		return 1 << 3 | LOG_WARNING;
	while (*p >= '0' && *p <= '9' && priority < 1000)
		priority = priority * 10 + (unsigned int)(*p++ - '0');
	if (*p != '>')
		return 1 << 3 | LOG_WARNING;
	*line = p + 1;
	if (priority >> 3 == 0)
		priority |= 1 << 3;
	return MIN(priority & 0xff, 0xf7u);
}

static ssize_t
kmsg_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	size_t n = from->count;
	unsigned int priority;
	char *text, *line;
	ssize_t r = (ssize_t)n;

	if (n >= LINE_MAX)
		return -EINVAL;
	text = kmalloc(n + 1, 0);
	if (!text)
		return -ENOMEM;
	if (iov_copy_from(text, from, n) < n) {
		r = -EFAULT;
		goto free_text;
	}
	text[n] = '\0';
	line = text;
	priority = take_priority(&line);
	/* The log takes the newline at the end away. */
	log_print((enum log_level)priority, "%s", line);
free_text:
	kfree(text);
	return r;
}

static const struct file_ops kmsg_ops = {
	.name = "kmsg",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = kmsg_read,
	.seek = kmsg_seek,
	.write = kmsg_write,
	.poll = kmsg_poll,
	.release = kmsg_release,
};

void
kmsg_init(void)
{
	chrdev_register("kmsg", DEV(MAJOR_MEMORY, 11), 0644, &kmsg_ops, kmsg_open);
}
