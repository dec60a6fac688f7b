/* SPDX-License-Identifier: MIT */
/*
 * sched.c - scheduling policies, priorities, affinity. Rules: sched(7), sched_setattr(2),
 * getpriority(2), ioprio_get(2).
 */
#include <tessera/cred.h>
#include <tessera/futex.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/string.h>

#include "linux.h"

#define RT_PRIORITY_MAX 99

struct sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};
#define SCHED_ATTR_SIZE_0 48

#define SCHED_FLAG_RESET_ON_FORK 0x01ull
#define SCHED_FLAG_RECLAIM       0x02ull /* these two concern SCHED_DEADLINE alone */
#define SCHED_FLAG_DL_OVERRUN    0x04ull
#define SCHED_FLAG_KEEP_POLICY   0x08ull
#define SCHED_FLAG_KEEP_PARAMS   0x10ull
#define SCHED_FLAG_UTIL_CLAMP    0x60ull
#define SCHED_FLAGS              0x7full

static bool
is_realtime(int policy)
{
	return policy == SCHED_FIFO || policy == SCHED_RR;
}

static bool
is_known(int policy)
{
	return policy == SCHED_OTHER || policy == SCHED_BATCH || policy == SCHED_IDLE ||
	       is_realtime(policy);
}

/* The thread `pid` (0: the caller) with a reference, or NULL. */
static struct thread *
find(pid_t pid)
{
	if (pid == 0) {
		thread_get(current_thread());
		return current_thread();
	}
	return thread_find(pid);
}

/* Same effective user as the target's real or effective one, or CAP_SYS_NICE. */
static bool
owns(struct thread *t)
{
	const struct cred *c = current_cred();
	struct cred *theirs;
	bool ok;

	if (t == current_thread())
		return true;
	theirs = thread_cred(t);
	ok = c->euid == theirs->uid || c->euid == theirs->euid;
	ok = ok || capable_in(theirs->user_ns, CAP_SYS_NICE);
	cred_put(theirs);
	return ok;
}

/* What an unprivileged caller may ask for; sched(7), "Privileges and resource limits". */
static int
may_set(struct thread *t, int policy, int priority, int nice, bool reset)
{
	uint64_t rt_limit = process_limit(t->process, RLIMIT_RTPRIO);
	uint64_t nice_limit = process_limit(t->process, RLIMIT_NICE);

	if (!owns(t))
		return -EPERM;
	if (capable(CAP_SYS_NICE))
		return 0;
	if (is_realtime(policy)) {
		if (policy != t->policy && rt_limit == 0)
			return -EPERM;
		if (priority > t->rt_priority && (uint64_t)priority > rt_limit)
			return -EPERM;
	} else if (nice < t->nice && (uint64_t)(20 - nice) > nice_limit) {
		return -EPERM;
	}
	/* SCHED_IDLE counts as the nicest of all; a child's fresh start is not given up. */
	if (t->policy == SCHED_IDLE && policy != SCHED_IDLE && (uint64_t)(20 - t->nice) > nice_limit)
		return -EPERM;
	return t->reset_on_fork && !reset ? -EPERM : 0;
}

static long
set_scheduler(pid_t pid, int policy, int priority, bool set_nice, int nice, bool keep_policy)
{
	bool reset = policy >= 0 && (policy & SCHED_RESET_ON_FORK);
	struct thread *t;
	int error;

	if (pid < 0)
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	if (keep_policy) {
		policy = t->policy;
		reset = t->reset_on_fork;
	} else {
		policy &= ~SCHED_RESET_ON_FORK;
	}
	error = -EINVAL;
	if (!is_known(policy))
		goto put;
	if (is_realtime(policy) ? priority < 1 || priority > RT_PRIORITY_MAX : priority != 0)
		goto put;
	error = may_set(t, policy, priority, set_nice ? nice : t->nice, reset);
	if (error)
		goto put;
	error = sched_set_policy(t, policy, priority);
	if (!error) {
		t->reset_on_fork = reset;
		if (set_nice && !is_realtime(policy))
			sched_set_nice(t, nice);
		futex_priority_changed(t);
		if (is_realtime(policy))
			timers_limit_changed(t->process);
	}
put:
	thread_put(t);
	return error;
}

long
linux_sched_yield(void)
{
	sched_yield_thread();
	return 0;
}

long
linux_sched_setscheduler(pid_t pid, int policy, const int __user *param)
{
	int priority;

	if (policy < 0 || !param)
		return -EINVAL;
	if (get_user(priority, param))
		return -EFAULT;
	return set_scheduler(pid, policy, priority, false, 0, false);
}

long
linux_sched_setparam(pid_t pid, const int __user *param)
{
	int priority;

	if (!param)
		return -EINVAL;
	if (get_user(priority, param))
		return -EFAULT;
	return set_scheduler(pid, -1, priority, false, 0, true);
}

long
linux_sched_getscheduler(pid_t pid)
{
	struct thread *t;
	long policy;

	if (pid < 0)
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	policy = t->policy | (t->reset_on_fork ? SCHED_RESET_ON_FORK : 0);
	thread_put(t);
	return policy;
}

long
linux_sched_getparam(pid_t pid, int __user *param)
{
	struct thread *t;
	int priority;

	if (pid < 0 || !param)
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	priority = t->rt_priority;
	thread_put(t);
	return put_user(priority, param);
}

/* In nanoseconds; Linux's bounds. */
#define DEADLINE_RUNTIME_MIN 1024ull
#define DEADLINE_PERIOD_MIN  (100 * NSEC_PER_USEC)
#define DEADLINE_PERIOD_MAX  ((1ull << 22) * NSEC_PER_USEC)

/* runtime <= deadline <= period, which is the deadline when it is not given. */
static bool
deadline_is_right(const struct sched_attr *a)
{
	uint64_t period = a->period ? a->period : a->deadline;

	return a->priority == 0 && a->deadline && a->runtime >= DEADLINE_RUNTIME_MIN && a->runtime <= a->deadline &&
	       a->deadline <= period && period >= DEADLINE_PERIOD_MIN && period <= DEADLINE_PERIOD_MAX;
}

/* There is no class for deadlines: whatever is asked for rightly finds all time given away. */
static int
refuse_deadline(const struct thread *t, const struct sched_attr *a)
{
	if (!deadline_is_right(a))
		return -EINVAL;
	if (!capable(CAP_SYS_NICE))
		return -EPERM;
	if (sched_online_mask & ~t->affinity.bits) /* it must be free to run anywhere */
		return -EPERM;
	return -EBUSY;
}

long
linux_sched_setattr(pid_t pid, struct sched_attr __user *uattr, unsigned int flags)
{
	struct sched_attr a = { 0 };
	uint32_t size;
	uint8_t newer;

	if (!uattr || pid < 0 || flags)
		return -EINVAL;
	if (get_user(size, &uattr->size))
		return -EFAULT;
	if (size == 0)
		size = SCHED_ATTR_SIZE_0;
	if (size < SCHED_ATTR_SIZE_0 || size > PAGE_SIZE) {
		(void)put_user((uint32_t)sizeof(a), &uattr->size);
		return -E2BIG;
	}
	if (copy_from_user(&a, uattr, MIN((size_t)size, sizeof(a))))
		return -EFAULT;
	/* What is newer than us must be zero. */
	for (size_t at = sizeof(a); at < size; at++) {
		if (get_user(newer, (const uint8_t __user *)uattr + at))
			return -EFAULT;
		if (newer) {
			(void)put_user((uint32_t)sizeof(a), &uattr->size);
			return -E2BIG;
		}
	}
	if ((a.flags & SCHED_FLAG_UTIL_CLAMP) && size < sizeof(a))
		return -EINVAL;
	if ((int32_t)a.policy < 0 || (a.flags & ~SCHED_FLAGS))
		return -EINVAL;
	if (a.flags & SCHED_FLAG_UTIL_CLAMP)
		return -EOPNOTSUPP;
	a.nice = MIN(MAX(a.nice, -20), 19);
	if (a.flags & (SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS)) {
		struct thread *t = find(pid);

		if (!t)
			return -ESRCH;
		a.policy = t->policy; /* one of the parameters, too */
		if (a.flags & SCHED_FLAG_KEEP_PARAMS) {
			a.priority = t->rt_priority;
			a.nice = t->nice;
		}
		thread_put(t);
	}
	if (a.policy == SCHED_DEADLINE) {
		struct thread *t = find(pid);
		int error = t ? refuse_deadline(t, &a) : -ESRCH;

		if (t)
			thread_put(t);
		return error;
	}
	return set_scheduler(pid,
			     a.policy | (a.flags & SCHED_FLAG_RESET_ON_FORK ? SCHED_RESET_ON_FORK : 0),
			     a.priority, true, a.nice, false);
}

long
linux_sched_getattr(pid_t pid, struct sched_attr __user *uattr, unsigned int size, unsigned int flags)
{
	struct sched_attr a = { 0 };
	struct thread *t;

	if (!uattr || pid < 0 || flags || size < SCHED_ATTR_SIZE_0 || size > PAGE_SIZE)
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	a.size = (uint32_t)MIN((size_t)size, sizeof(a));
	a.policy = t->policy;
	a.flags = t->reset_on_fork ? SCHED_FLAG_RESET_ON_FORK : 0;
	if (is_realtime(t->policy))
		a.priority = t->rt_priority;
	else
		a.nice = t->nice;
	a.util_max = 1024;
	thread_put(t);
	return copy_to_user(uattr, &a, a.size);
}

long
linux_sched_get_priority_max(int policy)
{
	if (policy == SCHED_DEADLINE) /* known by name: its threads have no priority */
		return 0;
	return !is_known(policy) ? -EINVAL : is_realtime(policy) ? RT_PRIORITY_MAX : 0;
}

long
linux_sched_get_priority_min(int policy)
{
	if (policy == SCHED_DEADLINE)
		return 0;
	return !is_known(policy) ? -EINVAL : is_realtime(policy) ? 1 : 0;
}

long
linux_sched_rr_get_interval(pid_t pid, struct timespec64 __user *out)
{
	struct timespec64 ts;
	struct thread *t;

	if (pid < 0)
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	ts = ns_timespec(sched_rr_interval_ns(t));
	thread_put(t);
	return copy_to_user(out, &ts, sizeof(ts));
}

long
linux_sched_setaffinity(pid_t pid, unsigned int size, const uint64_t __user *umask)
{
	struct cpu_mask mask = { 0 };
	struct thread *t;
	long error;

	if (copy_from_user(&mask, umask, MIN((size_t)size, sizeof(mask))))
		return -EFAULT;
	t = find(pid);
	if (!t)
		return -ESRCH;
	error = owns(t) ? 0 : -EPERM;
	if (!error) {
		if (cpu_count < 64)
			mask.bits &= BIT(cpu_count) - 1;
		error = mask.bits ? sched_set_affinity(t, mask) : -EINVAL;
	}
	thread_put(t);
	return error;
}

long
linux_sched_getaffinity(pid_t pid, unsigned int size, uint64_t __user *umask)
{
	struct cpu_mask mask;
	struct thread *t;

	if (size < sizeof(mask) || (size & (sizeof(uint64_t) - 1)))
		return -EINVAL;
	t = find(pid);
	if (!t)
		return -ESRCH;
	mask = t->affinity;
	thread_put(t);
	if (cpu_count < 64)
		mask.bits &= BIT(cpu_count) - 1;
	return copy_to_user(umask, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

/* --- nice ------------------------------------------------------------------------------------- */

#define PRIO_PROCESS 0
#define PRIO_PGRP    1
#define PRIO_USER    2

/* Is p among those that `which` and `who` name? process_tree_lock held. */
static bool
is_named(struct process *p, int which, uint32_t who)
{
	struct cred *c;
	bool yes;

	if (p->state != PROCESS_ALIVE)
		return false;
	if (which == PRIO_PGRP)
		return p->group && pid_number_locked(current_pid_namespace(), p->group->pgid) == (pid_t)who;
	if (!p->leader)
		return false;
	c = thread_cred(p->leader);
	yes = c->uid == uid_from_user(who);
	cred_put(c);
	return yes;
}

static int
set_one(struct thread *t, int nice, int error)
{
	uint64_t limit = process_limit(t->process, RLIMIT_NICE);

	if (!owns(t))
		return -EPERM;
	if (nice < t->nice && !capable(CAP_SYS_NICE) && (uint64_t)(20 - nice) > limit)
		return -EACCES;
	sched_set_nice(t, nice);
	return error == -ESRCH ? 0 : error;
}

/* Visit the leaders of a group's or user's processes with a reference each, outside the lock. */
static struct thread *
next_named(int which, uint32_t who, pid_t *from)
{
	struct process *p;
	struct thread *t = NULL;

	while (!t && (p = process_next(*from)) != NULL) {
		*from = p->pid + 1;
		spin_lock(&process_tree_lock);
		if (is_named(p, which, who)) {
			t = p->leader;
			thread_get(t);
		}
		spin_unlock(&process_tree_lock);
		process_put(p);
	}
	return t;
}

static uint32_t
default_who(int which)
{
	return which == PRIO_PGRP ? (uint32_t)pid_shown(process_pgid(current_process())) : uid_shown(current_cred()->uid);
}

long
linux_setpriority(int which, int who, int nice)
{
	long error = -ESRCH;
	struct thread *t;
	pid_t from = 1;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	nice = MIN(MAX(nice, -20), 19);
	if (which == PRIO_PROCESS) {
		t = find(who);
		if (t) {
			error = set_one(t, nice, (int)error);
			thread_put(t);
		}
		return error;
	}
	if (who == 0)
		who = default_who(which);
	while ((t = next_named(which, who, &from)) != NULL) {
		error = set_one(t, nice, (int)error);
		thread_put(t);
	}
	return error;
}

/* 20 - nice, so that no valid answer looks like an error. */
long
linux_getpriority(int which, int who)
{
	long best = -ESRCH;
	struct thread *t;
	pid_t from = 1;

	if (which < PRIO_PROCESS || which > PRIO_USER)
		return -EINVAL;
	if (which == PRIO_PROCESS) {
		t = find(who);
		if (t) {
			best = 20 - t->nice;
			thread_put(t);
		}
		return best;
	}
	if (who == 0)
		who = default_who(which);
	while ((t = next_named(which, who, &from)) != NULL) {
		best = MAX(best, (long)(20 - t->nice));
		thread_put(t);
	}
	return best;
}

/* --- I/O priority: kept and told; there is one class of disk queue ------------------------------ */

#define IOPRIO_CLASS(v) ((v) >> 13 & 7)
#define IOPRIO_LEVEL(v) ((v) & 7) /* above it are hints for a device */
#define IOPRIO_VALUE(class, level) ((class) << 13 | (level))
#define IOPRIO_NONE     0
#define IOPRIO_REALTIME 1
#define IOPRIO_BEST     2
#define IOPRIO_IDLE     3

/* What was set, or what follows from the nice value. */
static long
io_priority(struct thread *t)
{
	int set = READ_ONCE(t->io_priority);

	if (set)
		return set;
	if (t->policy == SCHED_IDLE)
		return IOPRIO_VALUE(IOPRIO_IDLE, 0);
	return IOPRIO_VALUE(is_realtime(t->policy) ? IOPRIO_REALTIME : IOPRIO_BEST, (t->nice + 20) / 5);
}

static int
set_io_priority(struct thread *t, int value)
{
	if (!owns(t))
		return -EPERM;
	WRITE_ONCE(t->io_priority, (uint16_t)value);
	return 0;
}

/* `which` counts from 1 here, in the order of getpriority's. */
long
linux_ioprio_get(int which, int who)
{
	long best = -ESRCH;
	struct thread *t;
	pid_t from = 1;

	if (which < 1 || which > 3)
		return -EINVAL;
	if (which == 1) {
		t = find(who);
		if (t) {
			/* Never set: the class is none, and not what it works out to. */
			best = READ_ONCE(t->io_priority);
			thread_put(t);
		}
		return best;
	}
	if (who == 0)
		who = default_who(which - 1);
	while ((t = next_named(which - 1, who, &from)) != NULL) {
		long one = io_priority(t);

		best = best < 0 ? one : MIN(best, one);
		thread_put(t);
	}
	return best;
}

static int
check_io_priority(int value)
{
	switch (IOPRIO_CLASS(value)) {
	case IOPRIO_REALTIME:
		return capable(CAP_SYS_ADMIN) || capable(CAP_SYS_NICE) ? 0 : -EPERM;
	case IOPRIO_BEST:
	case IOPRIO_IDLE:
		return 0;
	case IOPRIO_NONE:
		return IOPRIO_LEVEL(value) ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

long
linux_ioprio_set(int which, int who, int value)
{
	long error = check_io_priority(value);
	struct thread *t;
	pid_t from = 1;

	if (error)
		return error;
	if (which < 1 || which > 3)
		return -EINVAL;
	error = -ESRCH;
	if (which == 1) {
		t = find(who);
		if (t) {
			error = set_io_priority(t, value);
			thread_put(t);
		}
		return error;
	}
	if (who == 0)
		who = default_who(which - 1);
	while ((error == -ESRCH || !error) && (t = next_named(which - 1, who, &from)) != NULL) {
		error = set_io_priority(t, value);
		thread_put(t);
	}
	return error;
}
