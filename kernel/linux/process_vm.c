/* SPDX-License-Identifier: MIT */
/*
 * process_vm.c - process_vm_readv, process_vm_writev: from one program's memory to another's; process_madvise,
 * process_mrelease: what another does with its memory.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/fork.h>
#include <tessera/iov.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/wait.h>

#include "linux.h"

/*
 * Move bytes between `local` and the other's segments, through one page at a time. Bytes moved, or
 * -EFAULT when there were none. It may be two GiB and more: a killed caller stops at once.
 */
static ssize_t
transfer(struct address_space *as, const struct iovec *remote, unsigned long n,
	 struct iov_iter *local, bool write)
{
	char *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t done = 0, error = 0;

	if (!buf)
		return -ENOMEM;
	for (unsigned long i = 0; i < n && local->count > 0 && error == 0; i++) {
		vaddr_t at = (vaddr_t)remote[i].base;
		size_t left = MIN(remote[i].length, local->count);

		while (left > 0 && error == 0) {
			size_t part = MIN(left, PAGE_SIZE - at % PAGE_SIZE), had = part;
			ssize_t moved;

			if (signal_fatal_pending(current_thread())) {
				error = -EINTR;
				break;
			}
			if (write)
				had = iov_copy_from(buf, local, part);
			moved = had > 0 ? address_space_access(as, at, buf, had, write, false)
					: -EFAULT;
			if (moved < 0) {
				error = -EFAULT;
				break;
			}
			if (!write)
				moved = (ssize_t)iov_copy_to(local, buf, (size_t)moved);
			done += moved;
			at += (size_t)moved;
			left -= (size_t)moved;
			if ((size_t)moved < part)
				error = -EFAULT;
		}
	}
	kfree(buf);
	return done > 0 ? done : error;
}

static long
process_vm(pid_t pid, const struct iovec __user *lvec, unsigned long lcount,
	   const struct iovec __user *rvec, unsigned long rcount, unsigned long flags, bool write)
{
	struct iovec lfast[8], rfast[8], *lv, *rv = rfast;
	struct address_space *as;
	struct iov_iter local;
	struct process *p;
	ssize_t total;
	long result;

	if (flags != 0)
		return -EINVAL;
	total = iov_import(lvec, lcount, lfast, &lv);
	if (total < 0)
		return total;
	result = 0;
	if (total == 0)
		goto free_local;
	iov_iter_segments(&local, lv, (uint32_t)lcount, (size_t)total);
	result = iov_import(rvec, rcount, rfast, &rv);
	if (result <= 0)
		goto free_remote;
	result = -ESRCH;
	p = process_find_by_thread(pid);
	if (!p)
		goto free_remote;
	as = process_address_space(p); /* in this order: see process_may_inspect() */
	result = process_may_attach(p, NULL);
	if (result == 0)
		result = as ? transfer(as, rv, rcount, &local, write) : -ESRCH;
	if (as)
		address_space_put(as);
	process_put(p);
free_remote:
	iov_import_free(rfast, rv);
free_local:
	iov_import_free(lfast, lv);
	return result;
}

long
linux_process_vm_readv(pid_t pid, const struct iovec __user *lvec, unsigned long lcount,
		       const struct iovec __user *rvec, unsigned long rcount, unsigned long flags)
{
	return process_vm(pid, lvec, lcount, rvec, rcount, flags, false);
}

long
linux_process_vm_writev(pid_t pid, const struct iovec __user *lvec, unsigned long lcount,
			const struct iovec __user *rvec, unsigned long rcount, unsigned long flags)
{
	return process_vm(pid, lvec, lcount, rvec, rcount, flags, true);
}

/* --- advice to another process ---------------------------------------------------------------------- */

#define MADV_WILLNEED 3
#define MADV_COLD     20
#define MADV_PAGEOUT  21

/* Bytes advised, or why there were none. */
static ssize_t
advise_segments(struct address_space *as, const struct iovec *v, unsigned long n, int advice)
{
	ssize_t done = 0;
	int error = 0;

	for (unsigned long i = 0; i < n && error == 0; i++) {
		if (signal_fatal_pending(current_thread()))
			error = -EINTR;
		else
			error = address_space_advise(as, (vaddr_t)v[i].base, v[i].length, advice);
		if (error == 0)
			done += (ssize_t)v[i].length;
	}
	return done > 0 ? done : error;
}

/* By whom p may be advised, and how. */
static ssize_t
advise_process(struct process *p, const struct iovec *v, unsigned long n, int advice)
{
	struct address_space *as;
	ssize_t result;

	if (advice != MADV_WILLNEED && advice != MADV_COLD && advice != MADV_PAGEOUT)
		return -EINVAL;
	as = process_address_space(p); /* in this order: see process_may_inspect() */
	result = as ? process_may_inspect(p) : -ESRCH;
	if (result == -EPERM)
		result = -EACCES;
	if (result == 0 && !capable(CAP_SYS_NICE))
		result = -EPERM;
	if (result == 0)
		result = advise_segments(as, v, n, advice);
	if (as)
		address_space_put(as);
	return result;
}

long
linux_process_madvise(int pidfd, const struct iovec __user *vec, unsigned long segments, int advice,
		      unsigned int flags)
{
	struct iovec fast[8], *v;
	struct process *p;
	int error = 0;
	ssize_t result;

	if (flags != 0)
		return -EINVAL;
	result = iov_import(vec, segments, fast, &v);
	if (result < 0)
		return result;
	p = pidfd_get(pidfd, NULL, &error);
	if (p) {
		result = advise_process(p, v, segments, advice);
		process_put(p);
	} else {
		result = error;
	}
	iov_import_free(fast, v);
	return result;
}

/*
 * The memory of a process that is being killed. It gives it back itself, and nothing here keeps it from running
 * that far: the caller waits until that has happened.
 */
long
linux_process_mrelease(int pidfd, unsigned int flags)
{
	struct process *p;
	uint64_t irq;
	bool ends;
	int error = 0;

	if (flags != 0)
		return -EINVAL;
	p = pidfd_get(pidfd, NULL, &error);
	if (!p)
		return error;
	irq = spin_lock_irq(&p->signal_lock);
	ends = p->group_exit;
	spin_unlock_irq(&p->signal_lock, irq);
	if (READ_ONCE(p->state) != PROCESS_ALIVE)
		error = -ESRCH;
	else if (!ends)
		error = -EINVAL;
	else
		error = wait_event_killable(&p->threads_wait, READ_ONCE(p->state) != PROCESS_ALIVE);
	process_put(p);
	return error;
}
