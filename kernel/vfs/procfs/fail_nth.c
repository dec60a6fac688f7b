/* SPDX-License-Identifier: MIT */
/*
 * fail_nth.c - /proc/PID/task/TID/fail-nth: which of the thread's next allocations fails
 * (debug/fault_inject.c). Not a text file: reading it must not allocate.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "files.h"

/* The thread, if it is the caller itself: nobody else's count may change while it runs. */
static struct thread *
own_thread(struct file *f)
{
	struct thread *t = NULL;
	struct target at;

	if (target_get(f->inode, &at))
		return NULL;
	if (at.thread == current_thread())
		t = at.thread;
	target_put(&at);
	return t;
}

static ssize_t
fail_nth_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct thread *t = own_thread(f);
	char text[24];
	size_t n, done;

	if (!t)
		return -EPERM;
	n = (size_t)scnprintf(text, sizeof(text), "%lu\n", t->fail_nth);
	if (*pos < 0 || (size_t)*pos >= n)
		return 0;
	done = iov_copy_to(to, text + *pos, n - (size_t)*pos);
	*pos += (loff_t)done;
	return done ? (ssize_t)done : -EFAULT;
}

static ssize_t
fail_nth_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct thread *t = own_thread(f);
	size_t n = from->count;
	char text[24] = "";
	const char *end;
	uint64_t v, count = 1;

	/* It lasts beyond exec: nobody sends a privileged program into its error paths. */
	if (!t || !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	if (n >= sizeof(text))
		return -EINVAL;
	if (iov_copy_from(text, from, n) != n)
		return -EFAULT;
	if (parse_u64(text, &end, 10, &v) || (*end == ':' && parse_u64(end + 1, &end, 10, &count)) ||
	    (*end && *end != '\n') || !count)
		return -EINVAL;
	t->fail_nth = v;
	t->fail_more = v ? count - 1 : 0;
	return (ssize_t)n;
}

const struct file_ops fail_nth_file_ops = {
	.name = "fail-nth",
	.read = fail_nth_read,
	.write = fail_nth_write,
};
