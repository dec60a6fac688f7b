/* SPDX-License-Identifier: MIT */
/*
 * timerfd.c - timerfd_create(2): expirations as a counter that can be read and waited for.
 *
 * Times are kept on the monotonic clock; one set against the realtime clock is converted when it is
 * set, and again when that clock is. The timer's callback counts and wakes readers; it runs with interrupts off. It does not arm
 * the next period: whoever reads or looks does, and counts the periods that have passed, so that an
 * interval of a nanosecond costs one interrupt a read and not the machine.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/thread.h>

#define CLOCK_REALTIME       0
#define CLOCK_REALTIME_ALARM 8

struct timerfd {
	struct spinlock lock;     /* class DEVICE: the callback takes it, and timers under it */
	struct timer timer;
	deadline_t next;          /* lock: 0 disarmed */
	bool parked;              /* lock: next is due, and not armed until somebody looks */
	uint64_t interval;        /* lock: ns, 0: once */
	uint64_t expirations;     /* lock: not read yet */
	int clock;                /* [I] */
	bool absolute;            /* lock: set for a time of the real clock, not from now on */
	bool cancel_on_set;       /* lock: and given up when that clock is set: */
	bool cancelled;           /* lock: which happened, and no read has told yet */
	struct clock_watcher watcher; /* of the real clock, if it is ours */
	struct wait_queue wait;
};

static const struct file_ops timerfd_ops;

static struct timerfd *
timerfd_of(struct file *f)
{
	return f->private;
}

/* Count what is due, and move `next` past `now`. */
static void
count_locked(struct timerfd *t, uint64_t now)
{
	uint64_t n = t->interval ? (now - t->next) / t->interval + 1 : 1;

	t->expirations += n;
	t->next = t->interval ? deadline_add(t->next, n * t->interval) : 0;
}

static void
expire(struct timer *timer)
{
	struct timerfd *t = container_of(timer, struct timerfd, timer);
	uint64_t flags = spin_lock_irq(&t->lock), now = clock_monotonic_ns();

	if (t->next != 0 && now >= t->next) {
		count_locked(t, now);
		t->parked = t->next != 0;
	} else if (t->next != 0) {
		timer_start(&t->timer, t->next);
	}
	spin_unlock_irq(&t->lock, flags);
	wake_poll(&t->wait, POLLIN | POLLRDNORM);
}

/* Somebody looks: periods passed since the callback count, and the next is waited for. */
static void
unpark_locked(struct timerfd *t)
{
	uint64_t now = clock_monotonic_ns();

	if (!t->parked)
		return;
	t->parked = false;
	if (now >= t->next)
		count_locked(t, now);
	timer_start(&t->timer, t->next);
}

static bool
is_realtime(const struct timerfd *t)
{
	return t->clock == CLOCK_REALTIME || t->clock == CLOCK_REALTIME_ALARM;
}

/* The real clock was set. */
static void
clock_moved(struct clock_watcher *w, int64_t shift)
{
	struct timerfd *t = container_of(w, struct timerfd, watcher);
	uint64_t flags = spin_lock_irq(&t->lock);
	bool wake = t->cancel_on_set;

	if (t->cancel_on_set)
		t->cancelled = true;
	if (t->absolute && t->next != 0) {
		t->next = deadline_move(t->next, shift);
		if (!t->parked)
			timer_start(&t->timer, t->next);
	}
	spin_unlock_irq(&t->lock, flags);
	if (wake)
		wake_poll(&t->wait, POLLIN | POLLRDNORM);
}

/* Is there something to tell? *n: how many expirations, 0: the clock was set. */
static bool
take(struct timerfd *t, uint64_t *n)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool told;

	unpark_locked(t);
	told = t->expirations > 0 || t->cancelled;
	*n = t->cancelled ? 0 : t->expirations;
	t->expirations = 0;
	t->cancelled = false;
	spin_unlock_irq(&t->lock, flags);
	return told;
}

static ssize_t
timerfd_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct timerfd *t = timerfd_of(f);
	uint64_t n;

	if (to->count < sizeof(n))
		return -EINVAL;
	if (!take(t, &n)) {
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&t->wait, take(t, &n)))
			return -ERESTARTSYS;
	}
	if (n == 0)
		return -ECANCELED;
	return iov_copy_to(to, &n, sizeof(n)) == sizeof(n) ? (ssize_t)sizeof(n) : -EFAULT;
}

static uint32_t
timerfd_poll(struct file *f, struct poll_table *pt)
{
	struct timerfd *t = timerfd_of(f);

	poll_wait(pt, f, &t->wait);
	return READ_ONCE(t->expirations) > 0 || READ_ONCE(t->cancelled) ? POLLIN | POLLRDNORM : 0;
}

static void
timerfd_release(struct file *f)
{
	struct timerfd *t = timerfd_of(f);
	uint64_t flags;

	if (is_realtime(t))
		clock_unwatch(&t->watcher);
	flags = spin_lock_irq(&t->lock);
	t->next = 0;
	spin_unlock_irq(&t->lock, flags);
	timer_cancel(&t->timer);
	kfree(t);
}

static void
remaining_locked(struct timerfd *t, uint64_t *value, uint64_t *interval)
{
	uint64_t now = clock_monotonic_ns();

	*value = t->next == 0 ? 0 : t->next > now ? t->next - now : 1;
	*interval = t->interval;
}

int
timerfd_get(struct file *f, uint64_t *value, uint64_t *interval)
{
	struct timerfd *t;
	uint64_t flags;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	t = timerfd_of(f);
	flags = spin_lock_irq(&t->lock);
	unpark_locked(t);
	remaining_locked(t, value, interval);
	spin_unlock_irq(&t->lock, flags);
	return 0;
}

int
timerfd_set(struct file *f, bool absolute, bool cancel_on_set, uint64_t value, uint64_t interval,
	    uint64_t *old_value, uint64_t *old_interval)
{
	struct timerfd *t;
	deadline_t next = 0;
	uint64_t flags;

	if (f->ops != &timerfd_ops)
		return -EINVAL;
	t = timerfd_of(f);
	if (value > 0 && !absolute) {
		next = deadline_after(value);
	} else if (value > 0) {
		uint64_t offset = is_realtime(t) ? (uint64_t)clock_realtime_offset_ns() : 0;

		next = value > offset ? value - offset : 1;
	}
	flags = spin_lock_irq(&t->lock);
	unpark_locked(t);
	remaining_locked(t, old_value, old_interval);
	t->next = next;
	t->interval = interval;
	t->expirations = 0;
	t->absolute = absolute && is_realtime(t);
	t->cancel_on_set = t->absolute && cancel_on_set;
	t->cancelled = false;
	/* a callback that runs right now sees the new `next` and arms accordingly */
	if (next != 0)
		timer_start(&t->timer, next);
	spin_unlock_irq(&t->lock, flags);
	if (next == 0)
		timer_cancel(&t->timer);
	return 0;
}

bool
file_is_timerfd(const struct file *f)
{
	return f->ops == &timerfd_ops;
}

void
timerfd_set_expirations(struct file *f, uint64_t n)
{
	struct timerfd *t = timerfd_of(f);
	uint64_t flags = spin_lock_irq(&t->lock);

	t->expirations = n;
	spin_unlock_irq(&t->lock, flags);
	wake_poll(&t->wait, POLLIN | POLLRDNORM);
}

static void
timerfd_dump(struct file *f)
{
	struct timerfd *t = timerfd_of(f);

	pr_info("timerfd: clock %d, next %lu, interval %lu, expired %lu", t->clock, t->next, t->interval,
		t->expirations);
}

static const struct file_ops timerfd_ops = {
	.name = "timerfd",
	.no_splice_read = true,
	.read = timerfd_read,
	.poll = timerfd_poll,
	.release = timerfd_release,
	.dump = timerfd_dump,
};

struct file *
timerfd_create_file(int clock, uint32_t flags)
{
	struct timerfd *t = kzalloc(sizeof(*t));
	struct file *f;

	if (!t)
		return NULL;
	spin_init(&t->lock, LOCK_DEVICE);
	timer_init(&t->timer, expire);
	t->clock = clock;
	wait_queue_init(&t->wait);
	f = anonymous_file_create(&timerfd_ops, O_RDWR | flags, t);
	if (!f) {
		kfree(t);
		return NULL;
	}
	f->mode |= FILE_STREAM;
	if (is_realtime(t))
		clock_watch(&t->watcher, clock_moved);
	return f;
}
