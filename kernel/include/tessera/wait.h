/* SPDX-License-Identifier: MIT */
/*
 * wait.h - the one kind of wait queue.
 *
 * Whoever waits puts a `waiter` on a queue; whoever makes something true wakes the queue. A waiter is
 * a callback: the default wakes a thread, epoll's puts an item on its ready list. poll, select,
 * epoll and every blocking call use the same queues.
 *
 * The rule against lost wake-ups, as numbered in the code:
 *   (1) the sleeper adds itself and sets its state to sleeping, (2) tests the condition, (3) calls
 *   schedule(); the waker (4) makes the condition true, (5) wakes the queue. (1) before (2) and (4)
 *   before (5), each with a full barrier, means one of the two sees the other.
 */
#ifndef TESSERA_WAIT_H
#define TESSERA_WAIT_H

#include <tessera/cpu.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/time.h>
#include <tessera/types.h>

struct thread;

struct wait_queue {
	struct spinlock lock;   /* class WAIT_QUEUE */
	struct list waiters;    /* lock */
};

struct waiter {
	struct list node;                                  /* queue lock */
	struct wait_queue *queue;                          /* queue lock; NULL: not on one */
	/* Called with the queue's lock held, interrupts off. `key`: POLL* events or 0.
	 * Returns true when this waiter used the wake-up up (counts against the limit). */
	bool (*wake)(struct waiter *w, uint32_t key);
	struct thread *thread;
	bool exclusive;
	bool woken;                                        /* exclusive: by a wake-up that it has not looked for yet */
	void *private;
};

#define WAIT_QUEUE_INIT(q) { .lock = SPINLOCK_INIT(WAIT_QUEUE), .waiters = LIST_INIT((q).waiters) }
void wait_queue_init(struct wait_queue *q);

/* Wake all non-exclusive waiters and up to `exclusive` exclusive ones. True: somebody used it up. Any context. */
bool wake_queue(struct wait_queue *q, uint32_t key, uint32_t exclusive);
static inline void wake_all(struct wait_queue *q) { (void)wake_queue(q, 0, UINT32_MAX); }
static inline bool wake_one(struct wait_queue *q) { return wake_queue(q, 0, 1); }
static inline void wake_poll(struct wait_queue *q, uint32_t events) { (void)wake_queue(q, events, UINT32_MAX); }
/* The same where one is enough of those who watch with EPOLLEXCLUSIVE, or wait in accept. */
static inline void wake_poll_one(struct wait_queue *q, uint32_t events) { (void)wake_queue(q, events, 1); }
void wait_queue_dump(const struct wait_queue *q); /* who waits, to the log; takes no locks */
bool wait_queue_is_empty(const struct wait_queue *q); /* a hint */

/* debug/misuse.c */
void __noreturn __cold waiters_left(const struct thread *t, const char *where);

/* A waiter for `t`, which it wakes; on and off a queue, whose lock is taken inside. */
void waiter_init(struct waiter *w, struct thread *t);
void waiter_add(struct wait_queue *q, struct waiter *w);
void waiter_remove(struct waiter *w); /* safe when not on a queue */

enum wait_mode {
	WAIT_UNINTERRUPTIBLE, /* D in ps */
	WAIT_KILLABLE,        /* only fatal signals end it */
	WAIT_INTERRUPTIBLE,   /* any unblocked signal ends it */
};

/* Pieces of wait_event, for waits on several queues: (1) */
void wait_prepare(enum wait_mode mode);
/* (3): sleep until woken or the deadline. Returns 0 woken (or spurious), -ETIMEDOUT, or -EINTR when a
 * signal that `mode` heeds is pending. */
int wait_sleep(enum wait_mode mode, deadline_t until);
/*
 * wait_sleep() of an exclusive waiter's thread: 0 says that it will look at its condition again. Who leaves
 * the queue otherwise - it looked before a wake-up came, ran out of time, got a signal - leaves that wake-up to the
 * next: waiter_remove() passes it on.
 */
int wait_sleep_exclusive(struct waiter *w, enum wait_mode mode, deadline_t until);
void wait_finish(void);
void wait_deadline_reached(struct timer *t); /* what thread->sleep_timer runs */

/*
 * Sleep until `cond` holds. Returns 0, -ETIMEDOUT, or -EINTR (callers turn it into -ERESTARTSYS or
 * what the call's contract says). Call with no spinlock held, interrupts on.
 */
#define wait_event_deadline(q, cond, mode, until) wait_event_as(q, cond, mode, until, false)
/* The same as an exclusive waiter: of those who wait so, wake_one() and wake_poll_one() wake one. */
#define wait_event_exclusive(q, cond, mode, until) wait_event_as(q, cond, mode, until, true)
#define wait_event_as(q, cond, mode, until, alone)                                                 \
	({                                                                                         \
		int wait_r_ = 0;                                                                   \
		if (!(cond)) {                                                                     \
			struct waiter wait_w_;                                                     \
			waiter_init(&wait_w_, current_thread());                                   \
			wait_w_.exclusive = (alone);                                               \
			waiter_add((q), &wait_w_);                                                 \
			for (;;) {                                                                 \
				wait_prepare(mode);                                                \
				if (cond)                                                          \
					break;                                                     \
				wait_r_ = (alone) ? wait_sleep_exclusive(&wait_w_, (mode), (until)) \
						  : wait_sleep((mode), (until));                   \
				if (wait_r_ != 0) {                                                \
					if (cond)                                                  \
						wait_r_ = 0;                                       \
					break;                                                     \
				}                                                                  \
			}                                                                          \
			wait_finish();                                                             \
			waiter_remove(&wait_w_);                                                   \
		}                                                                                  \
		wait_r_;                                                                           \
	})
#define wait_event(q, cond) (void)wait_event_deadline(q, cond, WAIT_UNINTERRUPTIBLE, DEADLINE_NEVER)
#define wait_event_interruptible(q, cond)                                                          \
	wait_event_deadline(q, cond, WAIT_INTERRUPTIBLE, DEADLINE_NEVER)
#define wait_event_killable(q, cond) wait_event_deadline(q, cond, WAIT_KILLABLE, DEADLINE_NEVER)

/* Sleep for a time only. Same returns as wait_sleep; 0 never happens before the deadline. */
int wait_until(deadline_t until, enum wait_mode mode);

#endif
