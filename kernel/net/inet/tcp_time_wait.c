/* SPDX-License-Identifier: MIT */
/*
 * tcp_time_wait.c - what is left of a connection that this side ended first: its two endpoints, for a minute, during
 * which the port is not given to who did not ask to share it (RFC 9293, 3.6.1; SO_REUSEADDR of socket(7)).
 *
 * They stand in one queue for each network, which is in the order of their ends; the network's sweeper takes the old ones off.
 * Lock: network->waits_lock (TIME_WAIT), then ports_lock.
 */
#include <tessera/sched.h>
#include <tessera/slab.h>

#include "tcp.h"

#define WAITS_MAX 16384u /* beyond that a port is free at once */

struct time_wait {
	struct list node;          /* [t] network->waits */
	struct port_holder holder;
	deadline_t until;          /* [I] */
};

void
tcp_time_wait(struct tcp_socket *t)
{
	struct inet_socket *s = &t->inet;
	struct network *n = network_of(&s->socket);
	struct time_wait *w = kzalloc(sizeof(*w));
	bool first;

	assert_mutex_held(&s->socket.lock);
	if (!w)
		return;
	w->until = deadline_after(TCP_TIME_WAIT_NS);
	list_init(&w->holder.node);
	w->holder.kind = PORTS_TCP;
	w->holder.waits_since = clock_monotonic_ns();
	spin_lock(&n->waits_lock);
	if (n->waits_count == WAITS_MAX) {
		spin_unlock(&n->waits_lock);
		kfree(w);
		return;
	}
	n->waits_count++;
	first = !n->sweeps;
	n->sweeps = true;
	list_add_tail(&n->waits, &w->node);
	port_inherit(n, &w->holder, &s->port);
	spin_unlock(&n->waits_lock);
	if (first)
		continuation_run_when(&n->sweeper, NULL, w->until);
}

/*
 * The oldest one whose time is over, off the queue. NULL: *next says when the next one's will be; where there is none, the
 * sweeper has done its work and does not look at the network again.
 */
static struct time_wait *
take_old(struct network *n, deadline_t now, deadline_t *next)
{
	struct time_wait *w;

	spin_lock(&n->waits_lock);
	w = list_first(&n->waits, struct time_wait, node);
	if (w && w->until > now) {
		*next = w->until;
		w = NULL;
	} else if (w) {
		list_del(&w->node);
		n->waits_count--;
		port_release(n, &w->holder);
	} else {
		n->sweeps = false;
	}
	spin_unlock(&n->waits_lock);
	return w;
}

static bool
sweeps(struct network *n)
{
	bool yes;

	spin_lock(&n->waits_lock);
	yes = n->sweeps;
	spin_unlock(&n->waits_lock);
	return yes;
}

static void
sweep(struct continuation *c)
{
	struct network *n = container_of(c, struct network, sweeper);
	deadline_t now = clock_monotonic_ns(), next = DEADLINE_NEVER;
	struct time_wait *w;

	while ((w = take_old(n, now, &next)) != NULL)
		kfree(w);
	if (next != DEADLINE_NEVER)
		continuation_run_when(c, NULL, next);
}

void
tcp_time_waits_init(struct network *n)
{
	spin_init(&n->waits_lock, LOCK_TIME_WAIT);
	list_init(&n->waits);
	continuation_init(&n->sweeper, sweep);
}

void
tcp_time_waits_end(struct network *n)
{
	deadline_t next;
	struct time_wait *w;

	/* One that has begun has the network in its hands still. */
	while (!continuation_cancel(&n->sweeper) && sweeps(n))
		sched_yield_thread();
	while ((w = take_old(n, DEADLINE_NEVER, &next)) != NULL)
		kfree(w);
}
