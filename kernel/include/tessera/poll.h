/* SPDX-License-Identifier: MIT */
/*
 * poll.h - readiness: events, and how a file tells a waiter which queues to watch.
 */
#ifndef TESSERA_POLL_H
#define TESSERA_POLL_H

#include <tessera/types.h>
#include <tessera/wait.h>

#define POLLIN     0x0001u
#define POLLPRI    0x0002u
#define POLLOUT    0x0004u
#define POLLERR    0x0008u
#define POLLHUP    0x0010u
#define POLLNVAL   0x0020u
#define POLLRDNORM 0x0040u
#define POLLRDBAND 0x0080u
#define POLLWRNORM 0x0100u
#define POLLWRBAND 0x0200u
#define POLLMSG    0x0400u
#define POLLREMOVE 0x1000u
#define POLLRDHUP  0x2000u

struct file;

/* Passed down ops->poll. add == NULL: only the present state is asked for. */
struct poll_table {
	void (*add)(struct poll_table *pt, struct file *f, struct wait_queue *q);
	uint32_t events;   /* what the caller is interested in */
};

static inline void
poll_wait(struct poll_table *pt, struct file *f, struct wait_queue *q)
{
	if (pt && pt->add)
		pt->add(pt, f, q);
}

/* One of the files that poll_files() watches; fd < 0 is skipped. The layout of struct pollfd. */
struct poll_item {
	int32_t fd;
	uint16_t events, revents;
};
/* What is always told, wanted or not. */
#define POLL_ALWAYS (POLLERR | POLLHUP)

/*
 * Wait until one of the items is ready and fill in revents (POLLNVAL: no such handle). Returns how many
 * have any, 0 at the deadline, -EINTR, -ENOMEM. May sleep.
 */
long poll_files(struct poll_item *items, uint32_t count, deadline_t until);

#define EPOLLEXCLUSIVE (1u << 28)
#define EPOLLWAKEUP    (1u << 29)
#define EPOLLONESHOT   (1u << 30)
#define EPOLLET        (1u << 31)

/* Linux's layout: packed on x86-64. */
struct epoll_event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

struct iov_iter;

/* Files of the ipc room, with one reference, or NULL: no memory. */
struct file *epoll_create_file(void);
struct file *eventfd_create_file(uint64_t value, bool semaphore, uint32_t flags);
bool file_is_eventfd(const struct file *f);
/* Add `n` to the counter of an eventfd, and wake who waits for it; what does not fit is lost. Any context, no lock
 * held that stands behind WAIT_QUEUE or LEAF. */
void eventfd_signal(struct file *f, uint64_t n);
/* What read(2) would give, without waiting; false: the counter is zero. The queue that is woken when it no longer is. */
bool eventfd_take(struct file *f, uint64_t *n);
struct wait_queue *eventfd_queue(struct file *f);
/* For a waiter on that queue, woken with its lock held: the counter is zero again. Who waits to write, because it would
 * overflow, is not told. */
void eventfd_drain(struct file *f);
struct file *timerfd_create_file(int clock, uint32_t flags);
struct file *signalfd_create_file(uint64_t mask, uint32_t flags);
bool file_is_epoll(const struct file *f);
bool file_is_signalfd(const struct file *f);
void signalfd_set_mask(struct file *f, uint64_t mask);
/* epoll_ctl(2); op 1 add, 2 delete, 3 modify. EEXIST, ENOENT, ELOOP, EINVAL, EPERM, ENOMEM. */
int epoll_control(struct file *epoll, int op, int fd, struct file *f, const struct epoll_event *event);
/* Which file (its id) stands in the set under number `fd`, the `which`th of them. -EINVAL: no epoll; -ENOENT. */
int epoll_target(struct file *epoll, int fd, uint32_t which, uint64_t *id);
/* Up to `max` events. Count, 0 at the deadline, -EINTR, or the taker's error about the first. */
struct epoll_taker {
	/* Take event number `index` of this wait, or refuse it with an errno. May fault; takes no locks but memory's. */
	int (*take)(void *context, int index, const struct epoll_event *e);
	void *context;
};
long epoll_wait_events(struct file *epoll, const struct epoll_taker *taker, int max, deadline_t until);
/* timerfd_settime(2), ns. clock-absolute when `absolute`. interval 0: once. value 0: disarm. */
int timerfd_set(struct file *f, bool absolute, bool cancel_on_set, uint64_t value, uint64_t interval,
		uint64_t *old_value, uint64_t *old_interval); /* -EINVAL: not a timerfd */
int timerfd_get(struct file *f, uint64_t *value, uint64_t *interval);
bool file_is_timerfd(const struct file *f);
/* As if it had expired `n` times. */
void timerfd_set_expirations(struct file *f, uint64_t n);

#endif
