/* SPDX-License-Identifier: MIT */
/*
 * posix_timers.c - timer_create and its family.
 *
 * A timer owns the one signal entry it ever queues. When it fires while the entry is still queued, that
 * is an overrun. A periodic timer is armed again only when its signal is delivered (and then counts the
 * periods it missed), so that a tiny interval cannot drown the machine in interrupts; when the
 * signal is ignored, at least IGNORED_MIN passes.
 *
 * That entry counts against RLIMIT_SIGPENDING from the timer's birth, so there are only so many timers.
 */
#include "timers.h"

#include <tessera/sched.h>
#include <tessera/slab.h>

#define TIMERS_MAX  4096
#define IGNORED_MIN (10 * NSEC_PER_MSEC)

static bool
counts_cpu(const struct posix_timer *pt)
{
	return pt->clock == POSIX_CLOCK_PROCESS_CPU || pt->clock == POSIX_CLOCK_THREAD_CPU;
}

/*
 * CPU time of another process. Two may measure each other while each holds its own lock: who does not get the
 * other's at once goes by what it saw last.
 */
static uint64_t
measured_elsewhere(struct posix_timer *pt)
{
	struct process *p = pt->measured;
	uint64_t user, all;

	if (spin_trylock(&p->signal_lock)) {
		timers_cpu_time_locked(p, &user, &all);
		pt->measured_time = pt->user_only ? user : all;
		spin_unlock(&p->signal_lock);
	}
	return pt->measured_time;
}

/* The present time on the scale of pt->when. */
static uint64_t
now_of(struct posix_timer *pt)
{
	uint64_t user, all, system;

	switch (pt->clock) {
	case POSIX_CLOCK_PROCESS_CPU:
		if (pt->measured)
			return measured_elsewhere(pt);
		timers_cpu_time_locked(pt->process, &user, &all);
		return pt->user_only ? user : all;
	case POSIX_CLOCK_THREAD_CPU:
		thread_times(pt->measured_thread, &user, &system);
		return pt->user_only ? user : user + system;
	default:
		return clock_monotonic_ns();
	}
}

/* Move `when` past `now`; how many periods were missed besides the one that is due. */
static uint32_t
forward(struct posix_timer *pt, uint64_t now)
{
	uint64_t missed = now > pt->when ? (now - pt->when) / pt->interval : 0;

	pt->when = deadline_add(pt->when, (missed + 1) * pt->interval);
	return (uint32_t)MIN(missed, (uint64_t)INT32_MAX);
}

static void
arm(struct posix_timer *pt)
{
	if (pt->when != 0 && !counts_cpu(pt))
		timer_start(&pt->timer, pt->when);
}

/* It is due. signal_lock held. */
static void
expire(struct posix_timer *pt, uint64_t now)
{
	struct thread *target = pt->notify == POSIX_NOTIFY_THREAD ? pt->target : NULL;
	bool queued = false;

	if (pt->notify != POSIX_NOTIFY_NONE) {
		if (!list_is_empty(&pt->entry.node)) {
			pt->overrun++;
			queued = true;
		} else {
			pt->overrun = 0;
			queued = signal_send_entry_locked(pt->process, target, &pt->entry);
		}
	}
	if (!pt->interval) {
		pt->when = 0;
	} else if (!queued || counts_cpu(pt)) {
		forward(pt, now);
		if (!counts_cpu(pt))
			timer_start(&pt->timer, MAX(pt->when, deadline_after(IGNORED_MIN)));
	}
	/* else: posix_timer_delivered() arms it again */
}

static void
fired(struct timer *timer)
{
	struct posix_timer *pt = container_of(timer, struct posix_timer, timer);
	struct process *p = pt->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock), now = clock_monotonic_ns();

	if (pt->when != 0 && now >= pt->when)
		expire(pt, now);
	else
		arm(pt);
	spin_unlock_irq(&p->signal_lock, flags);
}

/* The real clock was set. */
static void
clock_moved(struct clock_watcher *w, int64_t shift)
{
	struct posix_timer *pt = container_of(w, struct posix_timer, watcher);
	uint64_t flags = spin_lock_irq(&pt->process->signal_lock);

	if (pt->absolute && pt->when != 0) {
		pt->when = deadline_move(pt->when, shift);
		arm(pt);
	}
	spin_unlock_irq(&pt->process->signal_lock, flags);
}

void
posix_timer_delivered(struct posix_timer *pt, struct siginfo *info)
{
	if (pt->interval && pt->when && !counts_cpu(pt)) {
		uint64_t now = clock_monotonic_ns();

		if (now >= pt->when)
			pt->overrun += forward(pt, now);
		arm(pt);
	}
	pt->last_overrun = MIN(pt->overrun, (uint32_t)INT32_MAX);
	info->timer.overrun = pt->last_overrun;
	pt->overrun = 0;
}

uint64_t
posix_timers_check_cpu_locked(struct interval_timers *it, uint64_t user, uint64_t all)
{
	uint64_t left = UINT64_MAX;
	struct posix_timer *pt;

	list_for_each(pt, &it->posix, node) {
		uint64_t now;

		if (!counts_cpu(pt) || pt->when == 0)
			continue;
		if (pt->clock == POSIX_CLOCK_PROCESS_CPU && !pt->measured)
			now = pt->user_only ? user : all;
		else
			now = now_of(pt);
		if (now >= pt->when)
			expire(pt, now);
		if (pt->when)
			left = MIN(left, pt->when - now);
	}
	return left;
}

/* --- the calls -------------------------------------------------------------------------------- */

static struct posix_timer *
find_locked(struct interval_timers *it, int id)
{
	struct posix_timer *pt;

	if (it)
		list_for_each(pt, &it->posix, node)
			if (pt->id == id)
				return pt;
	return NULL;
}

/* One of the caller's threads with a reference. */
static struct thread *
own_thread(pid_t tid)
{
	struct thread *t = thread_find(tid);

	if (t && t->process != current_process()) {
		thread_put(t);
		return NULL;
	}
	return t;
}

static int
free_id_locked(struct interval_timers *it)
{
	for (int tries = 0; tries <= TIMERS_MAX; tries++) {
		int id = it->next_id;

		it->next_id = id == INT32_MAX ? 0 : id + 1;
		if (!find_locked(it, id))
			return id;
	}
	return -EAGAIN;
}

static void
destroy_unwatched(struct posix_timer *pt)
{
	if (pt->target)
		thread_put(pt->target);
	if (pt->measured_thread)
		thread_put(pt->measured_thread);
	if (pt->measured)
		process_put(pt->measured);
	kfree(pt);
}

static void
destroy(struct posix_timer *pt)
{
	if (pt->clock == POSIX_CLOCK_REALTIME)
		clock_unwatch(&pt->watcher);
	timer_cancel(&pt->timer);
	destroy_unwatched(pt);
}

/* Whose CPU time `pt` is to measure. -EINVAL: there is none such. */
static int
find_measured(struct posix_timer *pt, pid_t number)
{
	if (pt->clock == POSIX_CLOCK_THREAD_CPU) {
		pt->measured_thread = own_thread(number ? number : current_thread()->local_tid);
		return pt->measured_thread ? 0 : -EINVAL;
	}
	if (pt->clock != POSIX_CLOCK_PROCESS_CPU || number == 0)
		return 0;
	pt->measured = process_find(number);
	if (pt->measured == current_process()) {
		process_put(pt->measured);
		pt->measured = NULL;
		return 0;
	}
	return pt->measured ? 0 : -EINVAL;
}

int
posix_timer_create(const struct posix_timer_request *r)
{
	struct process *p = current_process();
	struct interval_timers *it = timers_get(p);
	struct posix_timer *pt;
	uint64_t flags;
	int id;

	if (!it)
		return -EAGAIN;
	pt = kzalloc(sizeof(*pt));
	if (!pt)
		return -EAGAIN;
	pt->process = p;
	pt->clock = r->clock;
	pt->user_only = r->user_only;
	pt->notify = r->notify;
	timer_init(&pt->timer, fired);
	list_init(&pt->entry.node);
	pt->entry.timer = pt;
	if (r->notify == POSIX_NOTIFY_THREAD)
		pt->target = own_thread(r->tid);
	if ((r->notify == POSIX_NOTIFY_THREAD && !pt->target) || find_measured(pt, r->measured)) {
		destroy_unwatched(pt);
		return -EINVAL;
	}
	if (pt->clock == POSIX_CLOCK_REALTIME)
		clock_watch(&pt->watcher, clock_moved);
	flags = spin_lock_irq(&p->signal_lock);
	id = p->pending_count < process_limit(p, RLIMIT_SIGPENDING) ? free_id_locked(it) : -EAGAIN;
	if (id >= 0) {
		p->pending_count++;
		pt->id = id;
		pt->entry.info = (struct siginfo){ .signo = r->signo, .code = SI_TIMER };
		pt->entry.info.timer.timer = id;
		pt->entry.info.timer.value = r->value_is_id ? (uint64_t)id : r->value;
		list_add_tail(&it->posix, &pt->node);
	}
	spin_unlock_irq(&p->signal_lock, flags);
	if (id < 0)
		destroy(pt);
	return id;
}

/* Off the list and out of the queues; signal_lock held. */
static void
unlink_locked(struct posix_timer *pt)
{
	struct process *p = pt->process;
	struct signal_queue *q = pt->notify == POSIX_NOTIFY_THREAD ? &pt->target->pending : &p->pending;

	list_del_init(&pt->node);
	p->pending_count--;
	pt->when = 0;
	if (!list_is_empty(&pt->entry.node)) {
		list_del_init(&pt->entry.node);
		signal_queue_forget(q, pt->entry.info.signo);
	}
}

int
posix_timer_delete(int id)
{
	struct process *p = current_process();
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct posix_timer *pt = find_locked(p->timers, id);

	if (pt)
		unlink_locked(pt);
	spin_unlock_irq(&p->signal_lock, flags);
	if (!pt)
		return -EINVAL;
	destroy(pt);
	return 0;
}

void
posix_timers_delete_all(struct interval_timers *it)
{
	struct process *p = it->process;
	struct posix_timer *pt;
	uint64_t flags;

	for (;;) {
		flags = spin_lock_irq(&p->signal_lock);
		pt = list_first(&it->posix, struct posix_timer, node);
		if (pt)
			unlink_locked(pt);
		spin_unlock_irq(&p->signal_lock, flags);
		if (!pt)
			return;
		destroy(pt);
	}
}

static void
read_locked(struct posix_timer *pt, uint64_t *value, uint64_t *interval)
{
	uint64_t now;

	*value = 0;
	*interval = pt->interval;
	if (pt->when == 0)
		return;
	now = now_of(pt);
	if (pt->when > now)
		*value = pt->when - now;
	else if (pt->interval)
		*value = pt->interval - (now - pt->when) % pt->interval;
	else
		*value = pt->notify == POSIX_NOTIFY_NONE ? 0 : 1;
}

/* When on the scale of pt->when: an absolute time of the real clock is turned into a deadline. */
static uint64_t
start_time(struct posix_timer *pt, bool absolute, uint64_t value)
{
	uint64_t now;

	if (value == 0)
		return 0;
	if (!absolute)
		return counts_cpu(pt) ? now_of(pt) + value : deadline_after(value);
	if (pt->clock == POSIX_CLOCK_REALTIME) {
		now = clock_realtime_ns();
		return value > now ? deadline_after(value - now) : clock_monotonic_ns();
	}
	return value;
}

int
posix_timer_set(int id, bool absolute, uint64_t value, uint64_t interval, uint64_t *old_value,
		uint64_t *old_interval)
{
	struct process *p = current_process();
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct posix_timer *pt = find_locked(p->timers, id);

	if (pt) {
		read_locked(pt, old_value, old_interval);
		pt->when = start_time(pt, absolute, value);
		pt->absolute = absolute && pt->clock == POSIX_CLOCK_REALTIME;
		pt->interval = value ? interval : 0;
		pt->overrun = 0;
		pt->last_overrun = 0;
		if (!list_is_empty(&pt->entry.node)) {
			/* A signal of the old setting must not be delivered any more. */
			list_del_init(&pt->entry.node);
			signal_queue_forget(pt->notify == POSIX_NOTIFY_THREAD ? &pt->target->pending
									      : &p->pending,
					    pt->entry.info.signo);
		}
		if (counts_cpu(pt))
			timers_arm_cpu_locked(p->timers);
		else
			arm(pt);
	}
	spin_unlock_irq(&p->signal_lock, flags);
	return pt ? 0 : -EINVAL;
}

int
posix_timer_get(int id, uint64_t *value, uint64_t *interval)
{
	struct process *p = current_process();
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct posix_timer *pt = find_locked(p->timers, id);

	if (pt)
		read_locked(pt, value, interval);
	spin_unlock_irq(&p->signal_lock, flags);
	return pt ? 0 : -EINVAL;
}

int
posix_timer_overrun(int id)
{
	struct process *p = current_process();
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct posix_timer *pt = find_locked(p->timers, id);
	int overrun = pt ? (int)pt->last_overrun : -EINVAL;

	spin_unlock_irq(&p->signal_lock, flags);
	return overrun;
}

bool
posix_timer_last(struct process *p, int before, struct posix_timer_told *out)
{
	const struct posix_timer *t, *best = NULL;
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	if (p->timers)
		list_for_each (t, &p->timers->posix, node)
			if (t->id < before && (!best || t->id > best->id))
				best = t;
	if (best)
		*out = (struct posix_timer_told){
			.id = best->id,
			.signo = best->entry.info.signo,
			.value = best->entry.info.timer.value,
			.clock = best->clock,
			.notify = best->notify,
			.target = best->notify == POSIX_NOTIFY_THREAD ? best->target->tid : p->pid,
		};
	spin_unlock_irq(&p->signal_lock, flags);
	return best != NULL;
}
