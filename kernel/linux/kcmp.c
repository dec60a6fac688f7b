/* SPDX-License-Identifier: MIT */
/*
 * kcmp.c - do two processes share something? kcmp(2), for checkpointing tools.
 */
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/process.h>

#include "linux.h"

#define KCMP_FILE    0
#define KCMP_VM      1
#define KCMP_FILES   2
#define KCMP_FS      3
#define KCMP_SIGHAND 4
#define KCMP_IO      5
#define KCMP_SYSVSEM 6
#define KCMP_EPOLL_TFD 7

struct linux_epoll_slot {
	uint32_t epoll, target, which;
};

/* Objects are ordered by an id that says nothing of where they lie; tables that have none by whether
 * they are the same. */
static long
order(uint64_t a, uint64_t b)
{
	return a == b ? 0 : a < b ? 1 : 2;
}

static long
same(const void *a, const void *b)
{
	return a == b ? 0 : 3;
}

static long
compare_files(struct process *p, int fd1, struct process *q, int fd2)
{
	struct handle_table *a = process_handles(p), *b = process_handles(q);
	struct file *f = a ? handle_table_get(a, fd1, NULL) : NULL;
	struct file *g = b ? handle_table_get(b, fd2, NULL) : NULL;
	long result = f && g ? order(f->id, g->id) : -EBADF;

	if (f)
		file_put(f);
	if (g)
		file_put(g);
	if (a)
		handle_table_put(a);
	if (b)
		handle_table_put(b);
	return result;
}

/* Is file `fd` of p what an epoll of q watches under a number, the how-manieth of that number? */
static long
compare_watched(struct process *p, int fd, struct process *q, const struct linux_epoll_slot __user *uslot)
{
	struct linux_epoll_slot slot;
	struct handle_table *a, *b;
	struct file *f, *epoll;
	uint64_t id = 0;
	long result;

	if (copy_from_user(&slot, uslot, sizeof(slot)))
		return -EFAULT;
	a = process_handles(p);
	b = process_handles(q);
	f = a ? handle_table_get(a, fd, NULL) : NULL;
	epoll = b ? handle_table_get(b, (int)slot.epoll, NULL) : NULL;
	result = f && epoll ? epoll_target(epoll, (int)slot.target, slot.which, &id) : -EBADF;
	if (!result)
		result = order(f->id, id);
	if (f)
		file_put(f);
	if (epoll)
		file_put(epoll);
	if (a)
		handle_table_put(a);
	if (b)
		handle_table_put(b);
	return result;
}

/* Have the two threads one list of what semaphores are owed? None at all is one, too. */
static long
compare_undo(pid_t tid1, pid_t tid2)
{
	struct thread *t = thread_find(tid1), *u = thread_find(tid2);
	long result = t && u ? same(READ_ONCE(t->sem_undo), READ_ONCE(u->sem_undo)) : -ESRCH;

	if (t)
		thread_put(t);
	if (u)
		thread_put(u);
	return result;
}

static long
compare(struct process *p, struct process *q, int type, unsigned long i, unsigned long j)
{
	switch (type) {
	case KCMP_FILE:
		return compare_files(p, (int)i, q, (int)j);
	case KCMP_VM:
		return same(READ_ONCE(p->as), READ_ONCE(q->as));
	case KCMP_FILES:
		return same(READ_ONCE(p->handles), READ_ONCE(q->handles));
	case KCMP_FS:
		return same(READ_ONCE(p->fs), READ_ONCE(q->fs));
	case KCMP_SIGHAND:
		return same(READ_ONCE(p->actions), READ_ONCE(q->actions));
	case KCMP_IO:
		return 0;
	case KCMP_EPOLL_TFD:
		return compare_watched(p, (int)i, q, (const struct linux_epoll_slot __user *)j);
	}
	return -EINVAL;
}

long
linux_kcmp(pid_t pid1, pid_t pid2, int type, unsigned long i, unsigned long j)
{
	struct process *p = process_find_by_thread(pid1), *q = process_find_by_thread(pid2);
	long result = -ESRCH;

	if (p && q) {
		result = process_may_inspect(p);
		if (!result)
			result = process_may_inspect(q);
		if (!result)
			result = type == KCMP_SYSVSEM ? compare_undo(pid1, pid2)
						      : compare(p, q, type, i, j);
	}
	process_put(p);
	process_put(q);
	return result;
}
