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

#endif
