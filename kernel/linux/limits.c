/* SPDX-License-Identifier: MIT */
/*
 * limits.c - getrlimit, setrlimit, prlimit64.
 */
#include <tessera/cred.h>
#include <tessera/namespace.h>
#include <tessera/process.h>

#include "linux.h"

#define NOFILE_CEILING 1048576 /* /proc/sys/fs/nr_open */

static int
check_limit(struct process *p, unsigned int which, const struct rlimit64 *l)
{
	if (l->current > l->maximum)
		return -EINVAL;
	if (which == RLIMIT_NOFILE && l->maximum > NOFILE_CEILING)
		return -EPERM;
	if (l->maximum > READ_ONCE(p->limits[which].maximum) && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	return 0;
}

/* Read and then replace one limit; either pointer may be NULL. */
static int
change_limit(struct process *p, unsigned int which, const struct rlimit64 *new_limit, struct rlimit64 *old)
{
	int error = 0;

	if (which >= RLIMIT_COUNT)
		return -EINVAL;
	spin_lock(&p->lock);
	if (new_limit)
		error = check_limit(p, which, new_limit);
	if (!error) {
		if (old)
			*old = p->limits[which];
		if (new_limit)
			p->limits[which] = *new_limit;
	}
	spin_unlock(&p->lock);
	if (!error && new_limit && (which == RLIMIT_CPU || which == RLIMIT_RTTIME))
		timers_limit_changed(p);
	return error;
}

/* The same user in all ids, or CAP_SYS_RESOURCE. */
static int
may_change(struct process *p)
{
	const struct cred *c = current_cred();
	struct cred *theirs;
	bool ok;

	if (p == current_process())
		return 0;
	theirs = process_thread_cred(p, NULL);
	if (!theirs)
		return -ESRCH;
	ok = c->uid == theirs->euid && c->uid == theirs->suid && c->uid == theirs->uid &&
	     c->gid == theirs->egid && c->gid == theirs->sgid && c->gid == theirs->gid;
	ok = ok || capable_in(theirs->user_ns, CAP_SYS_RESOURCE);
	cred_put(theirs);
	return ok ? 0 : -EPERM;
}

long
linux_prlimit64(pid_t pid, unsigned int which, const struct rlimit64 __user *unew,
		struct rlimit64 __user *uold)
{
	struct rlimit64 new_limit, old;
	struct process *p;
	int error;

	if (unew && copy_from_user(&new_limit, unew, sizeof(new_limit)))
		return -EFAULT;
	p = process_find_by_thread(pid ? pid : current_process()->local_pid);
	if (!p)
		return -ESRCH;
	error = may_change(p);
	if (!error)
		error = change_limit(p, which, unew ? &new_limit : NULL, uold ? &old : NULL);
	process_put(p);
	if (!error && uold && copy_to_user(uold, &old, sizeof(old)))
		error = -EFAULT;
	return error;
}

long
linux_getrlimit(unsigned int which, struct rlimit64 __user *out)
{
	struct rlimit64 old;
	int error = change_limit(current_process(), which, NULL, &old);

	return error ? error : copy_to_user(out, &old, sizeof(old));
}

long
linux_setrlimit(unsigned int which, const struct rlimit64 __user *in)
{
	struct rlimit64 new_limit;

	if (copy_from_user(&new_limit, in, sizeof(new_limit)))
		return -EFAULT;
	return change_limit(current_process(), which, &new_limit, NULL);
}
