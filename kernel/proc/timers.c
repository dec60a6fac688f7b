/* SPDX-License-Identifier: MIT */
/*
 * timers.c - interval timers (real, virtual, profiling) and the limits on CPU time: RLIMIT_CPU of a process,
 * RLIMIT_RTTIME of what a real-time thread runs without going to sleep.
 *
 * CPU time is not counted by a tick: a process with T threads on C CPUs cannot use up R nanoseconds in
 * less than R / min(T, C), so a timer is set for then, and looks. An idle process is looked at ever
 * more rarely as its time does not advance; the shortest interval is SAMPLE_MIN.
 */
#include "timers.h"

#include <tessera/cpu.h>
#include <tessera/sched.h>
#include <tessera/slab.h>

#define SAMPLE_MIN (2 * NSEC_PER_MSEC)
/* Between two signals of a real timer: sending one takes long enough to fill an interval of less. */
#define REAL_MIN   (100 * NSEC_PER_USEC)

void
timers_cpu_time_locked(struct process *p, uint64_t *user, uint64_t *all)
{
	struct thread *t;
	uint64_t u, s;

	assert_held(&p->signal_lock);
	*user = p->dead_user_ns;
	*all = p->dead_user_ns + p->dead_system_ns;
	list_for_each(t, &p->threads, process_node) {
		thread_times(t, &u, &s);
		*user += u;
		*all += u + s;
	}
}

/* --- real time -------------------------------------------------------------------------------- */

/* Kernel timer, interrupts off. */
static void
real_fired(struct timer *timer)
{
	struct interval_timers *it = container_of(timer, struct interval_timers, real_timer);
	struct process *p = it->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock), now = clock_monotonic_ns();

	if (it->real_when != 0 && !it->ending) {
		if (now >= it->real_when) {
			(void)signal_send_locked(p, NULL, SIGALRM, NULL);
			if (it->real_interval)
				it->real_when = deadline_add(it->real_when,
							     ((now - it->real_when) / it->real_interval + 1) *
							     it->real_interval);
			else
				it->real_when = 0;
		}
		if (it->real_when)
			timer_start(timer, MAX(it->real_when, now + REAL_MIN));
	}
	spin_unlock_irq(&p->signal_lock, flags);
}

/* --- CPU time --------------------------------------------------------------------------------- */

/* Fire if due; what is left until the next time, UINT64_MAX when it is off. */
static uint64_t
check_one(struct process *p, struct cpu_limit_timer *c, uint64_t now, int signo)
{
	if (c->when == 0)
		return UINT64_MAX;
	if (now >= c->when) {
		(void)signal_send_locked(p, NULL, signo, NULL);
		if (!c->interval) {
			c->when = 0;
			return UINT64_MAX;
		}
		c->when = deadline_add(c->when, ((now - c->when) / c->interval + 1) * c->interval);
	}
	return c->when - now;
}

/* RLIMIT_CPU: SIGXCPU at the soft limit and each second beyond, SIGKILL at the hard one. */
static uint64_t
check_limit(struct interval_timers *it, uint64_t now)
{
	struct process *p = it->process;
	struct rlimit64 *l = &p->limits[RLIMIT_CPU];
	uint64_t hard = READ_ONCE(l->maximum);

	if (it->limit_when == 0)
		return UINT64_MAX;
	if (hard < INT64_MAX / NSEC_PER_SEC && now >= hard * NSEC_PER_SEC) {
		(void)process_kill_threads_locked(p, SIGKILL, NULL);
		return UINT64_MAX;
	}
	if (now >= it->limit_when) {
		(void)signal_send_locked(p, NULL, SIGXCPU, NULL);
		it->limit_when = now + NSEC_PER_SEC;
	}
	return it->limit_when - now;
}

/* Spells end unseen: look this many times until the limit could be reached. */
#define RT_LOOKS 8

static bool
runs_in_real_time(const struct thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR;
}

/* One thread against RLIMIT_RTTIME (nanoseconds). What is left until it can be due again. */
static uint64_t
check_spell(struct process *p, struct thread *t, uint64_t soft, uint64_t hard)
{
	uint64_t user, system, start = READ_ONCE(t->burst_start), ran, next, look;

	thread_times(t, &user, &system);
	ran = user + system - MIN(start, user + system);
	if (t->rt_spell != start || t->rt_next == 0) {
		t->rt_spell = start;
		t->rt_next = soft;
	}
	if (ran >= hard) {
		(void)process_kill_threads_locked(p, SIGKILL, NULL);
		return UINT64_MAX;
	}
	if (ran >= t->rt_next) {
		(void)signal_send_locked(p, NULL, SIGXCPU, NULL);
		t->rt_next = ran + NSEC_PER_SEC;
	}
	next = MIN(t->rt_next, hard) - ran;
	look = MAX(soft / RT_LOOKS, SAMPLE_MIN);
	return MIN(next, look);
}

/* A limit in microseconds as nanoseconds; UINT64_MAX: none. */
static uint64_t
limit_ns(uint64_t us)
{
	return us < INT64_MAX / NSEC_PER_USEC ? us * NSEC_PER_USEC : UINT64_MAX;
}

/* RLIMIT_RTTIME: SIGXCPU at the soft limit and each second beyond, SIGKILL at the hard one. */
static uint64_t
check_realtime(struct process *p)
{
	const struct rlimit64 *l = &p->limits[RLIMIT_RTTIME];
	uint64_t soft = limit_ns(READ_ONCE(l->current)), hard = limit_ns(READ_ONCE(l->maximum));
	uint64_t left = UINT64_MAX;
	struct thread *t;

	if (soft == UINT64_MAX)
		return UINT64_MAX;
	list_for_each(t, &p->threads, process_node)
		if (runs_in_real_time(t))
			left = MIN(left, check_spell(p, t, soft, hard));
	return left;
}

void
timers_thread_added_locked(struct process *p, const struct thread *t)
{
	assert_held(&p->signal_lock);
	if (p->timers && runs_in_real_time(t))
		timers_arm_cpu_locked(p->timers);
}

void
timers_arm_cpu_locked(struct interval_timers *it)
{
	struct process *p = it->process;
	uint64_t user, all, left, parallel;

	if (it->ending)
		return;
	timers_cpu_time_locked(p, &user, &all);
	left = check_one(p, &it->virtual_time, user, SIGVTALRM);
	left = MIN(left, check_one(p, &it->prof_time, all, SIGPROF));
	left = MIN(left, check_limit(it, all));
	left = MIN(left, check_realtime(p));
	left = MIN(left, posix_timers_check_cpu_locked(it, user, all));
	if (left == UINT64_MAX)
		return;
	parallel = MAX(MIN(p->thread_count, cpu_count), 1u);
	timer_start(&it->cpu_timer, deadline_after(MAX(left / parallel, SAMPLE_MIN)));
}

static void
cpu_fired(struct timer *timer)
{
	struct interval_timers *it = container_of(timer, struct interval_timers, cpu_timer);
	struct process *p = it->process;
	uint64_t flags = spin_lock_irq(&p->signal_lock);

	timers_arm_cpu_locked(it);
	spin_unlock_irq(&p->signal_lock, flags);
}

/* --- the set of a process --------------------------------------------------------------------- */

/* Of p, made on first use. NULL: no memory, or p has ended. Only p's own threads may use it unlocked. */
struct interval_timers *
timers_get(struct process *p)
{
	struct interval_timers *it = READ_ONCE(p->timers), *fresh;
	uint64_t flags;

	if (it)
		return it;
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	fresh->process = p;
	timer_init(&fresh->real_timer, real_fired);
	timer_init(&fresh->cpu_timer, cpu_fired);
	list_init(&fresh->posix);
	flags = spin_lock_irq(&p->signal_lock);
	it = p->timers;
	if (!it && !p->timers_ended)
		WRITE_ONCE(p->timers, it = fresh);
	spin_unlock_irq(&p->signal_lock, flags);
	if (it != fresh)
		kfree(fresh);
	return it;
}

void
timers_exec(struct process *p)
{
	if (p->timers)
		posix_timers_delete_all(p->timers);
}

void
timers_exit(struct process *p)
{
	uint64_t flags = spin_lock_irq(&p->signal_lock);
	struct interval_timers *it = p->timers;

	p->timers_ended = true; /* prlimit makes none for a zombie */
	if (it)
		it->ending = true;
	spin_unlock_irq(&p->signal_lock, flags);
	if (!it)
		return;
	posix_timers_delete_all(it);
	timer_cancel(&it->real_timer);
	timer_cancel(&it->cpu_timer);
	flags = spin_lock_irq(&p->signal_lock);
	p->timers = NULL;
	spin_unlock_irq(&p->signal_lock, flags);
	kfree(it);
}

void
timers_limit_changed(struct process *p)
{
	uint64_t limit = process_limit(p, RLIMIT_CPU), flags;
	struct interval_timers *it;

	if (limit == RLIM_INFINITY && process_limit(p, RLIMIT_RTTIME) == RLIM_INFINITY &&
	    !READ_ONCE(p->timers))
		return;
	if (!timers_get(p))
		return;
	flags = spin_lock_irq(&p->signal_lock);
	it = p->timers; /* p may be another process, and end meanwhile */
	if (!it)
		goto unlock;
	if (limit >= INT64_MAX / NSEC_PER_SEC)
		it->limit_when = 0;
	else
		it->limit_when = MAX(limit, 1ul) * NSEC_PER_SEC;
	timers_arm_cpu_locked(it);
unlock:
	spin_unlock_irq(&p->signal_lock, flags);
}

/* --- setitimer -------------------------------------------------------------------------------- */

static void
read_locked(struct interval_timers *it, int which, uint64_t *value, uint64_t *interval)
{
	uint64_t now = clock_monotonic_ns(), when, user, all;

	if (which == ITIMER_REAL) {
		when = it->real_when;
		*interval = it->real_interval;
	} else {
		struct cpu_limit_timer *c = which == ITIMER_VIRTUAL ? &it->virtual_time : &it->prof_time;

		timers_cpu_time_locked(it->process, &user, &all);
		now = which == ITIMER_VIRTUAL ? user : all;
		when = c->when;
		*interval = c->interval;
	}
	/* Due but not yet fired is not off: a tiny rest, as Linux reports it. */
	*value = when == 0 ? 0 : when > now ? when - now : NSEC_PER_USEC;
}

void
itimer_get(int which, uint64_t *value, uint64_t *interval)
{
	struct process *p = current_process();
	struct interval_timers *it = p->timers;
	uint64_t flags;

	*value = *interval = 0;
	if (!it)
		return;
	flags = spin_lock_irq(&p->signal_lock);
	read_locked(it, which, value, interval);
	spin_unlock_irq(&p->signal_lock, flags);
}

int
itimer_set(int which, uint64_t value, uint64_t interval, uint64_t *old_value, uint64_t *old_interval)
{
	struct process *p = current_process();
	struct interval_timers *it = timers_get(p);
	uint64_t flags, user, all;

	if (!it)
		return -ENOMEM;
	flags = spin_lock_irq(&p->signal_lock);
	read_locked(it, which, old_value, old_interval);
	if (which == ITIMER_REAL) {
		it->real_when = value ? deadline_after(value) : 0;
		it->real_interval = value ? interval : 0;
		if (it->real_when)
			timer_start(&it->real_timer, it->real_when);
	} else {
		struct cpu_limit_timer *c = which == ITIMER_VIRTUAL ? &it->virtual_time : &it->prof_time;

		timers_cpu_time_locked(p, &user, &all);
		c->when = value ? (which == ITIMER_VIRTUAL ? user : all) + value : 0;
		c->interval = interval; /* kept though it is off: only the real timer forgets */
		timers_arm_cpu_locked(it);
	}
	spin_unlock_irq(&p->signal_lock, flags);
	return 0;
}
