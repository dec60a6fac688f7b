/* SPDX-License-Identifier: MIT */
/* tcp_wire_open.c - how connections that lead out of this machine begin, and listeners that are known there. */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/time.h>

#include "../door/door.h"
#include "tcp.h"
#include "tcp_wire.h"

#define WINDOW_FIRST (32u * 1024)
#define COMPLAINT_NS (60 * NSEC_PER_SEC)

/* No slot, or no memory, is left for one more connection: what it is told. The log is told once a minute. */
static int
no_room(void)
{
	static uint64_t said; /* [a] */
	uint64_t now = clock_monotonic_ns(), was = atomic_load(&said);

	if ((!was || now - was >= COMPLAINT_NS) && atomic_cas(&said, &was, now))
		pr_warn("netd: no slot or no memory is left for another connection\n");
	return -ENOBUFS;
}

/* Rings for a connection of `t`, and its first window. False: no memory. */
static bool
make_rings(struct tcp_socket *t, struct tcp_wire *w)
{
	struct netd_wanted *wanted = slot_wanted(w->slot);

	w->window_max = tcp_wire_window_limit(t);
	w->window = MIN(w->window_max, WINDOW_FIRST);
	byte_ring_init_chunks(&w->out, tcp_wire_send_limit(t), wanted->send_chunk);
	byte_ring_init_chunks(&t->ring, w->window_max, wanted->receive_chunk);
	w->told = byte_ring_grant(&t->ring, w->window);
	wanted->granted = w->told;
	wanted->window_max = w->window_max;
	return w->told > 0;
}

/* `t` has a wire, of which the stack knows nothing yet: what is wanted of it, with our end. NULL: no memory, no slot. */
static struct netd_wanted *
begin(struct tcp_socket *t)
{
	struct tcp_wire *w = tcp_wire_create();
	struct netd_wanted *wanted;

	assert_mutex_held(&t->inet.socket.lock);
	if (!w)
		return NULL;
	tcp_wire_marry(t, w);
	wanted = slot_wanted(w->slot);
	wanted->local = door_endpoint(&t->inet.local);
	return wanted;
}

/* All is said: the stack is to do that. */
static void
tell_wish(struct tcp_socket *t, struct netd_wanted *wanted, enum netd_want want)
{
	tcp_wire_tell_options(t, wanted);
	atomic_store(&wanted->want, (uint32_t)want);
	slot_changed(t->wire->slot);
}

int
tcp_wire_connect(struct tcp_socket *t)
{
	struct netd_wanted *wanted = begin(t);

	if (!wanted)
		return no_room();
	if (!make_rings(t, t->wire)) {
		tcp_wire_annul(t, t->wire);
		return no_room();
	}
	wanted->remote = door_endpoint(&t->inet.remote);
	tcp_wire_tell_path(t, wanted);
	tell_wish(t, wanted, NETD_WANT_CONNECTION);
	return 0;
}

static uint32_t
backlog_left(const struct tcp_socket *t)
{
	return t->pending_count > t->backlog ? 0 : t->backlog + 1 - t->pending_count;
}

int
tcp_wire_listen(struct tcp_socket *t)
{
	struct netd_wanted *wanted = begin(t);

	if (!wanted)
		return no_room();
	wanted->window_max = tcp_wire_window_limit(t);
	wanted->backlog_left = backlog_left(t);
	tell_wish(t, wanted, NETD_WANT_LISTEN);
	return 0;
}

void
tcp_wire_backlog(struct tcp_socket *t)
{
	struct netd_wanted *wanted;
	uint32_t left = backlog_left(t), was;

	assert_mutex_held(&t->inet.socket.lock);
	if (!t->wire)
		return;
	wanted = slot_wanted(t->wire->slot);
	was = wanted->backlog_left;
	atomic_store(&wanted->backlog_left, left);
	if (was == 0 && left > 0)
		slot_changed(t->wire->slot);
}

void
tcp_wire_listen_end(struct tcp_socket *t)
{
	struct tcp_wire *w = t->wire;

	assert_mutex_held(&t->inet.socket.lock);
	if (!w)
		return;
	atomic_store(&w->over, true);
	tcp_wire_annul(t, w);
}

/*
 * May that come by a wire? Not what is of this machine: who listens there only, or asks who it is that comes, trusts in that. RFC
 * 1122, 3.2.1.3.
 */
static bool
may_come(const struct endpoint *local, const struct endpoint *remote, uint32_t interface)
{
	return local->port && remote->port && interface != NETWORK_LOOPBACK && !ip_address_is_loopback(&local->address) &&
	       !ip_address_is_loopback(&remote->address) && !network_is_local(&init_network, &remote->address);
}

int
tcp_wire_accept(struct netd_accept *a)
{
	struct endpoint local = door_endpoint_of(&a->local), remote = door_endpoint_of(&a->remote);
	struct inet_socket *l = may_come(&local, &remote, a->interface)
					? port_find_listener(&init_network, &local, &remote, a->interface) : NULL;
	struct netd_wanted *wanted;
	struct tcp_socket *child;
	struct tcp_wire *w;
	int error = -ENOBUFS;

	assert_mutex_held(&door.kick_lock);
	if (!l)
		return -ECONNREFUSED;
	child = tcp_create_child(l);
	w = child ? tcp_wire_create() : NULL;
	if (w) {
		mutex_lock(&child->inet.socket.lock);
		tcp_inherit(child, (struct tcp_socket *)l);
		child->inet.local = local;
		child->inet.remote = remote;
		tcp_wire_marry(child, w);
		if (make_rings(child, w)) {
			wanted = slot_wanted(w->slot);
			wanted->local = a->local;
			wanted->remote = a->remote;
			wanted->flags = NETD_FLAG_ACCEPTED;
			tcp_wire_tell_options(child, wanted);
			tcp_wire_tell_path(child, wanted);
			a->actual.generation = a->actual.record.generation = w->generation;
			*slot_actual(w->slot) = a->actual;
			a->slot = w->slot;
			a->generation = w->generation;
			/* Before anybody can accept it, and close it. */
			atomic_store(&wanted->want, (uint32_t)NETD_WANT_CONNECTION);
			error = 0;
		}
		mutex_unlock(&child->inet.socket.lock);
	}
	if (!error)
		error = tcp_queue_child((struct tcp_socket *)l, child);
	if (error && w) {
		mutex_lock(&child->inet.socket.lock);
		tcp_wire_annul(child, w);
		mutex_unlock(&child->inet.socket.lock);
	}
	if (error && child)
		tcp_put(child);
	if (error == -ENOBUFS)
		no_room();
	tcp_put((struct tcp_socket *)l);
	return error;
}
