/* SPDX-License-Identifier: MIT */
/*
 * wait.c - wait4, waitid, getrusage, times: what became of children and what all cost.
 */
#include <tessera/namespace.h>
#include <tessera/address_space.h>
#include <tessera/fork.h>
#include <tessera/process.h>
#include <tessera/sched.h>

#include "linux.h"

#define W_OPTIONS_WAIT4  (0x1u | 0x2u | 0x8u | 0x20000000u | 0x40000000u | 0x80000000u)
#define W_OPTIONS_WAITID (W_OPTIONS_WAIT4 | 0x4u | 0x01000000u)
#define WEXITED  0x4u
#define WSTATES  (0x2u | 0x4u | 0x8u)

#define P_ALL  0
#define P_PID  1
#define P_PGID 2

#define BLOCK_SIZE 512u

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN -1
#define RUSAGE_THREAD   1

struct linux_rusage {
	struct linux_timeval user, system;
	int64_t peak_rss_kib, shared, data, stack, minor_faults, major_faults, swaps, blocks_in,
		blocks_out, messages_sent, messages_received, signals, voluntary, involuntary;
};
_Static_assert(sizeof(struct linux_rusage) == 144, "struct rusage");

static struct linux_timeval
timeval_of(uint64_t ns)
{
	return (struct linux_timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / NSEC_PER_USEC };
}

/* In blocks of 512 bytes. */
static void
show_disk_use(struct linux_rusage *r, const struct disk_use *d)
{
	r->blocks_in = (int64_t)(d->read / BLOCK_SIZE);
	r->blocks_out = (int64_t)(d->written / BLOCK_SIZE);
}

static void
rusage_of_wait(const struct wait_result *w, struct linux_rusage *r)
{
	*r = (struct linux_rusage){
		.user = timeval_of(w->user_ns),
		.system = timeval_of(w->system_ns),
		.peak_rss_kib = w->peak_rss * (PAGE_SIZE / 1024),
		.minor_faults = w->minor_faults,
		.major_faults = w->major_faults,
	};
	show_disk_use(r, &w->disk);
}

long
linux_wait4(pid_t pid, int __user *status, int options, struct linux_rusage __user *rusage)
{
	struct wait_result w;
	struct linux_rusage r;
	int which = P_PID;
	pid_t id = pid;
	long result;

	if (options & ~W_OPTIONS_WAIT4)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1) {
		which = P_ALL;
	} else if (pid <= 0) {
		which = P_PGID;
		id = -pid;
	}
	result = process_wait(which, id, options | WEXITED, &w);
	if (result <= 0)
		return result;
	if (status && put_user(w.status, status))
		return -EFAULT;
	if (rusage) {
		rusage_of_wait(&w, &r);
		if (copy_to_user(rusage, &r, sizeof(r)))
			return -EFAULT;
	}
	return result;
}

long
linux_waitid(int which, pid_t id, struct siginfo __user *out, int options, struct linux_rusage __user *rusage)
{
	struct siginfo info = { 0 };
	struct wait_result w = { 0 };
	struct linux_rusage r;
	long result = -EINVAL;

	if (!(options & ~W_OPTIONS_WAITID) && (options & WSTATES))
		result = process_wait(which, id, options, &w);
	if (result > 0) {
		info.signo = SIGCHLD;
		info.code = w.code;
		info.child.pid = w.pid;
		info.child.uid = uid_shown(w.uid);
		info.child.status = w.code_status;
		if (rusage) {
			rusage_of_wait(&w, &r);
			if (copy_to_user(rusage, &r, sizeof(r)))
				return -EFAULT;
		}
	}
	/* Only these fields are written, zeros in an error too, as Linux does; the rest of the program's struct stays. */
	if (out && copy_to_user(out, &info, offsetof(struct siginfo, child.pad)))
		return -EFAULT;
	return MIN(result, 0l);
}

static void
rusage_self(struct process *p, struct linux_rusage *r)
{
	uint64_t user, sys, flags;
	struct disk_use disk;
	struct thread *t;

	process_times(p, &user, &sys);
	r->user = timeval_of(user);
	r->system = timeval_of(sys);
	flags = spin_lock_irq(&p->signal_lock);
	r->minor_faults = p->dead_minor;
	r->major_faults = p->dead_major;
	disk = p->dead_disk;
	r->voluntary = p->dead_voluntary;
	r->involuntary = p->dead_involuntary;
	list_for_each(t, &p->threads, process_node) {
		r->minor_faults += t->minor_faults;
		r->major_faults += t->major_faults;
		disk_use_add(&disk, &t->disk);
		r->voluntary += t->voluntary_switches;
		r->involuntary += t->involuntary_switches;
	}
	spin_unlock_irq(&p->signal_lock, flags);
	show_disk_use(r, &disk);
	r->peak_rss_kib = process_peak_resident(p) * (PAGE_SIZE / 1024);
}

static void
rusage_children(struct process *p, struct linux_rusage *r)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	r->user = timeval_of(p->children_user_ns);
	r->system = timeval_of(p->children_system_ns);
	r->minor_faults = p->children_minor;
	r->major_faults = p->children_major;
	show_disk_use(r, &p->children_disk);
	r->peak_rss_kib = p->children_peak_rss * (PAGE_SIZE / 1024);
	spin_unlock_irq(&p->signal_lock, flags);
}

static void
rusage_thread(struct thread *t, struct linux_rusage *r)
{
	uint64_t user, sys;

	thread_times(t, &user, &sys);
	r->user = timeval_of(user);
	r->system = timeval_of(sys);
	r->minor_faults = t->minor_faults;
	r->major_faults = t->major_faults;
	show_disk_use(r, &t->disk);
	r->voluntary = t->voluntary_switches;
	r->involuntary = t->involuntary_switches;
	r->peak_rss_kib = process_peak_resident(t->process) * (PAGE_SIZE / 1024);
}

long
linux_getrusage(int who, struct linux_rusage __user *out)
{
	struct linux_rusage r = { 0 };

	switch (who) {
	case RUSAGE_SELF:
		rusage_self(current_process(), &r);
		break;
	case RUSAGE_CHILDREN:
		rusage_children(current_process(), &r);
		break;
	case RUSAGE_THREAD:
		rusage_thread(current_thread(), &r);
		break;
	default:
		return -EINVAL;
	}
	return copy_to_user(out, &r, sizeof(r));
}

/* In ticks of 1/100 s; the value is the time since boot, as Linux's jiffies but without their offset. */
long
linux_times(int64_t __user *out)
{
	struct process *p = current_process();
	uint64_t tick = NSEC_PER_SEC / 100, user, sys, flags;
	int64_t t[4];

	process_times(p, &user, &sys);
	flags = spin_lock_irq(&p->signal_lock);
	t[0] = user / tick;
	t[1] = sys / tick;
	t[2] = p->children_user_ns / tick;
	t[3] = p->children_system_ns / tick;
	spin_unlock_irq(&p->signal_lock, flags);
	if (out && copy_to_user(out, t, sizeof(t)))
		return -EFAULT;
	return clock_monotonic_ns() / tick;
}
