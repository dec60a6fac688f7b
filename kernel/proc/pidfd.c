/* SPDX-License-Identifier: MIT */
/*
 * pidfd.c - the open object that stands for a process: readable once the process has ended.
 *
 * It holds a reference to the process, not to its number: after the process was reaped the handle
 * still names the same, dead, process.
 */
#include <tessera/file.h>
#include <tessera/fork.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/poll.h>
#include <tessera/print.h>

#include "proc.h"

static uint32_t
pidfd_poll(struct file *f, struct poll_table *pt)
{
	struct process *p = f->private;

	poll_wait(pt, f, &p->threads_wait);
	return READ_ONCE(p->state) != PROCESS_ALIVE ? POLLIN | POLLRDNORM : 0;
}

static void
pidfd_release(struct file *f)
{
	process_put(f->private);
}

static void
pidfd_dump(struct file *f)
{
	struct process *p = f->private;

	pr_info("pidfd of process %d, state %d\n", p->pid, (int)p->state);
}

static void
pidfd_info(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	struct process *p = f->private;
	const struct pid_namespace *here = current_pid_namespace(), *path[PID_NAMESPACE_DEPTH + 1], *n = p->pid_ns;
	int pid = READ_ONCE(p->state) == PROCESS_REAPED ? -1 : pid_shown(p->pid);
	uint32_t depth = 0;

	for (; pid > 0 && n && n->level > here->level; n = n->parent)
		path[depth++] = n;
	print(ctx, "Pid:\t%d\nNSpid:\t%d", pid, pid);
	while (depth-- > 0) /* and its numbers further down */
		print(ctx, "\t%d", pid_number(path[depth], p->pid));
	print(ctx, "\n");
}

static const struct file_ops pidfd_ops = {
	.name = "pidfd",
	.poll = pidfd_poll,
	.release = pidfd_release,
	.dump = pidfd_dump,
	.fdinfo = pidfd_info,
};

struct file *
pidfd_create(struct process *p, uint32_t flags)
{
	struct file *f = anonymous_file_create(&pidfd_ops, O_RDWR | flags, p);

	if (f)
		process_get(p);
	return f;
}

/* The process of a pidfd handle with a reference, or NULL with *error. */
struct process *
pidfd_get(int fd, bool *nonblock, int *error)
{
	struct file *f = handle_get(fd, RIGHT_NONE, error);
	struct process *p = NULL;

	if (!f)
		return NULL;
	if (f->ops == &pidfd_ops) {
		p = f->private;
		process_get(p);
		if (nonblock)
			*nonblock = f->flags & O_NONBLOCK;
	} else {
		*error = -EBADF;
	}
	file_put(f);
	return p;
}

/* The same for sending signals, which a handle of the directory /proc/PID may do too. */
struct process *
pidfd_get_for_signal(int fd, int *error)
{
	struct process *p = pidfd_get(fd, NULL, error);
	struct file *f;

	if (p)
		return p;
	f = handle_get(fd, RIGHT_NONE, error);
	if (!f)
		return NULL;
	p = procfs_process_of(f, error);
	file_put(f);
	return p;
}

/* A handle to the process `pid`: fd, or -ESRCH, -EINVAL (a thread that leads none), -EMFILE ... . */
long
pidfd_open(pid_t pid, uint32_t flags)
{
	struct process *p = process_find(pid);
	struct file *f;
	int fd;

	if (!p) {
		struct thread *t = thread_find(pid);

		if (t)
			thread_put(t);
		return t ? -EINVAL : -ESRCH;
	}
	f = pidfd_create(p, flags);
	process_put(p);
	if (!f)
		return -ENOMEM;
	fd = handle_open(f, RIGHT_ALL, true);
	if (fd < 0)
		file_put(f);
	return fd;
}
