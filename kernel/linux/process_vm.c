/* SPDX-License-Identifier: MIT */
/*
 * process_vm.c - process_vm_readv and process_vm_writev: from one program's memory to another's.
 */
#include <tessera/address_space.h>
#include <tessera/iov.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

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
	if (result < 0)
		goto free_local;
	result = -ESRCH;
	p = process_find(pid);
	if (!p)
		goto free_remote;
	as = process_address_space(p); /* in this order: see process_may_inspect() */
	result = process_may_inspect(p);
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
