/* SPDX-License-Identifier: MIT */
/*
 * wait.c - wait queues, and sleeping with a deadline.
 *
 * The numbers are those of the protocol in <tessera/wait.h>.
 *
 * A waiter is on the sleeper's stack, on the queue from waiter_add() to waiter_remove(); so while a
 * queue's lock is held, every waiter on it and its thread are there. A woken waiter stays on the queue
 * until its owner removes it; waking it again does nothing and is not counted against the limit, so
 * two wake_one() wake two sleepers. An exclusive waiter may be chosen just when it has found its condition true
 * and is about to leave: `woken` remembers that, and the wake-up goes to the next.
 *
 * Locks: the queue's (WAIT_QUEUE), under it what the callbacks take: EPOLL_READY, CONTINUATION, THREAD
 * and RUN_QUEUE. A callback may wake a second queue, one that watches the first: watched before
 * watching, and watching has no cycles, because epoll refuses them.
 */
#include <tessera/atomic.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/signal.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

void
wait_queue_init(struct wait_queue *q)
{
	spin_init(&q->lock, LOCK_WAIT_QUEUE);
	list_init(&q->waiters);
}

static bool
wake_thread(struct waiter *w, uint32_t key)
{
	return thread_wake(w->thread);
}

/* Does `w` lie on the stack of the thread that runs, to be removed before that goes on? */
static bool
is_own(const struct waiter *w)
{
	return w->wake == wake_thread && w->thread && w->thread == current_thread();
}

void
waiter_init(struct waiter *w, struct thread *t)
{
	*w = (struct waiter){ .wake = wake_thread, .thread = t };
	list_init(&w->node);
}

/* Non-exclusive waiters in front, so that a wake-up reaches them all before its limit ends it. */
void
waiter_add(struct wait_queue *q, struct waiter *w)
{
	uint64_t flags = spin_lock_irq(&q->lock);

	assert(!w->queue);
	if (config_misuse_check && is_own(w))
		w->thread->waiters++;
	w->queue = q;
	if (w->thread && w->thread == current_thread())
		w->thread->wait_queue = q;
	if (w->exclusive)
		list_add_tail(&q->waiters, &w->node);
	else
		list_add(&q->waiters, &w->node);
	spin_unlock_irq(&q->lock, flags);
}

/*
 * Wake exclusive waiters until `exclusive` have used it up; others too unless told so. True: somebody has used it up. The
 * queue's lock is held.
 */
static bool
wake_locked(struct wait_queue *q, uint32_t key, uint32_t exclusive, bool others)
{
	struct waiter *w, *tmp;
	bool used = false;

	list_for_each_safe (w, tmp, &q->waiters, node) {
		bool alone = w->exclusive;

		if (alone && exclusive == 0)
			break;
		if (!alone && !others)
			continue;
		if (!w->wake(w, key))
			continue;
		used = true;
		if (alone) {
			w->woken = true;
			exclusive--;
		}
	}
	return used;
}

void
waiter_remove(struct waiter *w)
{
	struct wait_queue *q = READ_ONCE(w->queue);
	uint64_t flags;

	if (!q)
		return;
	flags = spin_lock_irq(&q->lock);
	if (w->queue) {
		list_del_init(&w->node);
		w->queue = NULL;
		if (w->thread && w->thread == current_thread())
			w->thread->wait_queue = NULL;
		if (config_misuse_check && is_own(w))
			w->thread->waiters--;
		if (w->woken && is_own(w))
			(void)wake_locked(q, 0, 1, false);
	}
	spin_unlock_irq(&q->lock, flags);
}

bool
wait_queue_is_empty(const struct wait_queue *q)
{
	return list_is_empty(&q->waiters);
}

void
wait_queue_dump(const struct wait_queue *q)
{
	const struct waiter *w;
	char name[64];

	pr_info("wait queue %p: lock %s\n", (const void *)q, q->lock.holder_cpu ? "held" : "free");
	list_for_each_checked (w, &q->waiters, node) {
		const struct thread *t = w->thread;

		if (t)
			pr_info("  waiter %p: %s (tid %d)%s\n", (const void *)w, t->name, t->tid,
				w->exclusive ? ", exclusive" : "");
		else
			pr_info("  waiter %p: calls %s\n", (const void *)w,
				symbol_format((vaddr_t)w->wake, name, sizeof(name)));
	}
}

/*
 * (5). The barrier makes (4), whatever the caller wrote, visible before the list is looked at. Other CPUs are
 * interrupted when the lock is free again: who runs there removes its waiter first of all.
 */
bool
wake_queue(struct wait_queue *q, uint32_t key, uint32_t exclusive)
{
	uint64_t outer, flags;
	bool used;

	memory_barrier();
	if (list_is_empty(&q->waiters))
		return false;
	outer = arch_irq_save();
	sched_kicks_hold();
	flags = spin_lock_irq_nested(&q->lock);
	used = wake_locked(q, key, exclusive, true);
	spin_unlock_irq(&q->lock, flags);
	sched_kicks_send();
	arch_irq_restore(outer);
	if (READ_ONCE(this_cpu()->need_resched))
		schedule_preempted();
	return used;
}

/* (1), second half; the store is a full barrier, so (2) is read after it. */
void
wait_prepare(enum wait_mode mode)
{
	struct thread *t = current_thread();

	t->wait_mode = (uint8_t)mode;
	t->uninterruptible = mode != WAIT_INTERRUPTIBLE;
	atomic_store(&t->state, THREAD_SLEEPING);
}

void
wait_finish(void)
{
	struct thread *t = current_thread();

	atomic_store(&t->state, THREAD_RUNNABLE);
	t->uninterruptible = false;
}

/* Does a signal that is waiting end a sleep in this mode? No spinlock held. */
static bool
interrupted(struct thread *t, enum wait_mode mode)
{
	if (!t->process)
		return false;
	switch (mode) {
	case WAIT_INTERRUPTIBLE:
		return signal_pending(t);
	case WAIT_KILLABLE:
		return signal_fatal_pending(t);
	case WAIT_UNINTERRUPTIBLE:
		break;
	}
	return false;
}

/* thread->sleep_timer: started by thread_alloc() with this callback. */
void
wait_deadline_reached(struct timer *timer)
{
	struct thread *t = container_of(timer, struct thread, sleep_timer);

	atomic_store(&t->sleep_timed_out, true);
	thread_wake(t);
}

/*
 * (3). The thread may have been woken since wait_prepare(): its state is RUNNABLE then and schedule()
 * comes straight back. A signal sent before the test below is seen by it; one sent later finds the
 * state SLEEPING and wakes us.
 */
int
wait_sleep(enum wait_mode mode, deadline_t until)
{
	struct thread *t = current_thread();
	bool timed_out = false;

	assert(t != this_cpu()->idle);
	if (interrupted(t, mode)) {
		wait_finish();
		return -EINTR;
	}
	if (until == DEADLINE_NEVER) {
		schedule();
	} else {
		if (until <= clock_monotonic_ns()) {
			wait_finish();
			return -ETIMEDOUT;
		}
		atomic_store(&t->sleep_timed_out, false);
		timer_start(&t->sleep_timer, until);
		schedule();
		timer_cancel(&t->sleep_timer);
		timed_out = atomic_load(&t->sleep_timed_out);
	}
	wait_finish();
	if (timed_out)
		return -ETIMEDOUT;
	return interrupted(t, mode) ? -EINTR : 0;
}

/* Awake, nobody can choose w until it sleeps again. */
int
wait_sleep_exclusive(struct waiter *w, enum wait_mode mode, deadline_t until)
{
	int error = wait_sleep(mode, until);

	if (!error)
		w->woken = false;
	return error;
}

int
wait_until(deadline_t until, enum wait_mode mode)
{
	for (;;) {
		int error;

		wait_prepare(mode);
		error = wait_sleep(mode, until);
		if (error)
			return error;
	}
}
