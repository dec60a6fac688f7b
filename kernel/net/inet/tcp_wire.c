/* SPDX-License-Identifier: MIT */
/*
 * tcp_wire.c - connections that lead out of this machine: what the network stack is told of them by a slot of the door.
 * tcp_wire.h has the life of a wire, abi/netd.h the words of a slot; tcp_wire_open.c how one begins, tcp_wire_news.c
 * what the stack tells.
 *
 * The window: at first small, so that many idle connections hold little, and twice as large each time that the program has
 * read all of it, up to what the receive buffer allows.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../door/door.h"
#include "tcp.h"
#include "tcp_wire.h"

#define WINDOW_MOST   ((NETD_CHUNKS - 2) * NETD_CHUNK)
#define SEND_MOST     (1024u * 1024)
#define RECLAIM_FROM  (NETD_SLOTS / 8 * 7) /* so many slots are taken: what waits in TIME_WAIT has to go */

/* --- birth and death -------------------------------------------------------------------------------------- */

void
tcp_wire_put(struct tcp_wire *w)
{
	if (!ref_put(&w->refs))
		return;
	byte_ring_destroy(&w->out);
	byte_ring_destroy(&w->in);
	slot_free(w->slot);
	kfree(w);
}

struct tcp_socket *
tcp_wire_let_go_of_socket(struct tcp_wire *w)
{
	struct tcp_socket *t;

	spin_lock(&door.lock);
	t = w->socket;
	w->socket = NULL;
	spin_unlock(&door.lock);
	return t;
}

void
tcp_wire_let_go(struct tcp_wire *w)
{
	if (slot_let_go(w))
		tcp_wire_put(w);
}

/* A wire in TIME_WAIT whose slot is needed. */
static void
reclaim(struct tcp_wire *w)
{
	if (atomic_load(&w->over))
		tcp_wire_let_go(w);
}

struct tcp_wire *
tcp_wire_create(void)
{
	struct tcp_wire *w;

	if (door_ready())
		return NULL;
	if (READ_ONCE(door.slots_taken) >= RECLAIM_FROM)
		slots_for_each(reclaim);
	w = kzalloc(sizeof(*w));
	if (!w)
		return NULL;
	ref_init(&w->refs);
	if (slot_take(w, &w->slot, &w->generation) == 0)
		return w;
	kfree(w);
	return NULL;
}

void
tcp_wire_marry(struct tcp_socket *t, struct tcp_wire *w)
{
	tcp_get(t);
	w->socket = t;
	t->wire = w; /* the caller's reference */
}

void
tcp_wire_annul(struct tcp_socket *t, struct tcp_wire *w)
{
	byte_ring_destroy(&t->ring);
	t->wire = NULL;
	if (tcp_wire_let_go_of_socket(w))
		tcp_put(t); /* never the last one: the caller has one */
	tcp_wire_let_go(w);
	tcp_wire_put(w);
}

/* --- what the stack is told --------------------------------------------------------------------------------- */

uint32_t
tcp_wire_window_limit(const struct tcp_socket *t)
{
	const struct socket *s = &t->inet.socket;
	uint32_t most = s->buffer_lock & SOCKET_RECEIVE_LOCKED ? MAX(READ_ONCE(s->receive_limit) / 2, 2048u) : WINDOW_MOST;
	int32_t clamp = READ_ONCE(t->option[TCP_OPTION_WINDOW_CLAMP]);

	if (clamp > 0)
		most = MIN(most, (uint32_t)clamp);
	return MIN(most, WINDOW_MOST);
}

static uint8_t
header_byte(struct tcp_socket *t, enum inet_option v4, enum inet_option v6, int otherwise)
{
	int value = inet_number_get(&t->inet.socket, ip_address_is_v4(&t->inet.local.address) ? v4 : v6);

	return (uint8_t)(value < 0 ? otherwise : value);
}

static uint32_t
flags_of(const struct tcp_socket *t)
{
	const struct socket *s = &t->inet.socket;
	uint32_t flags = 0;

	if (READ_ONCE(t->option[TCP_OPTION_NO_DELAY]))
		flags |= NETD_FLAG_NO_DELAY;
	if (READ_ONCE(t->option[TCP_OPTION_CORK]) || READ_ONCE(t->more))
		flags |= NETD_FLAG_CORK;
	if (READ_ONCE(s->options) & SOCKET_KEEPALIVE)
		flags |= NETD_FLAG_KEEPALIVE;
	if (READ_ONCE(t->option[TCP_OPTION_QUICK_ACK]))
		flags |= NETD_FLAG_QUICK_ACK;
	if (READ_ONCE(s->shutdown) & SHUTDOWN_SEND)
		flags |= NETD_FLAG_END;
	if (READ_ONCE(t->inet.only_v6))
		flags |= NETD_FLAG_V6_ONLY;
	return flags;
}

void
tcp_wire_tell_options(struct tcp_socket *t, struct netd_wanted *wanted)
{
	wanted->keep_idle = (uint32_t)t->option[TCP_OPTION_KEEP_IDLE] * 1000;
	wanted->keep_interval = (uint32_t)t->option[TCP_OPTION_KEEP_INTERVAL] * 1000;
	wanted->keep_count = (uint32_t)t->option[TCP_OPTION_KEEP_COUNT];
	wanted->user_timeout = (uint32_t)t->option[TCP_OPTION_USER_TIMEOUT];
	wanted->connect_count = (uint32_t)t->option[TCP_OPTION_SYN_COUNT];
	wanted->max_segment = (uint32_t)t->option[TCP_OPTION_MAX_SEGMENT];
	wanted->ttl = header_byte(t, INET_TTL, INET6_HOPS, network_setting(network_of(&t->inet.socket), SETTING_TTL));
	wanted->tos = header_byte(t, INET_TOS, INET6_CLASS, 0);
	if (t->state == TCP_LISTEN)
		wanted->window_max = tcp_wire_window_limit(t);
	wanted->interface = t->inet.device;
	/* What was shut down is all in the ring: who shuts down waits for who is sending. */
	atomic_store(&wanted->flags, (wanted->flags & (NETD_FLAG_ACCEPTED | NETD_FLAG_MAY_CUT)) | flags_of(t));
}

/* Linux's IP_PMTUDISC_DONT: who asks for that has his packets cut on the way. */
#define DISCOVER_NOT 0

void
tcp_wire_tell_path(struct tcp_socket *t, struct netd_wanted *wanted)
{
	struct inet_socket *s = &t->inet;
	bool v4 = ip_address_is_v4(&s->remote.address);
	bool asked = inet_number_get(&s->socket, v4 ? INET_MTU_DISCOVER : INET6_MTU_DISCOVER) != DISCOVER_NOT;
	struct endpoint to = s->remote;
	struct way w;

	assert_mutex_held(&s->socket.lock);
	if (inet_find_way(s, &to, &s->local.address, &w))
		return;
	atomic_store(&wanted->path_mtu, w.mtu_until ? w.mtu : 0);
	if (!asked || w.may_cut)
		atomic_or(&wanted->flags, NETD_FLAG_MAY_CUT);
	else
		atomic_and(&wanted->flags, ~NETD_FLAG_MAY_CUT);
}

uint32_t
tcp_wire_send_limit(const struct tcp_socket *t)
{
	const struct socket *s = &t->inet.socket;

	return READ_ONCE(s->buffer_lock) & SOCKET_SEND_LOCKED ? READ_ONCE(s->send_limit) : SEND_MOST;
}

void
tcp_wire_update(struct tcp_socket *t)
{
	assert_mutex_held(&t->inet.socket.lock);
	if (!t->wire || t->wire->over)
		return;
	tcp_wire_tell_options(t, slot_wanted(t->wire->slot));
	if (t->state != TCP_LISTEN) {
		byte_ring_set_limit(&t->wire->out, tcp_wire_send_limit(t));
		tcp_wire_tell_path(t, slot_wanted(t->wire->slot));
	}
	slot_changed(t->wire->slot);
}

/* --- sending and receiving --------------------------------------------------------------------------------- */

bool
tcp_wire_room(const struct byte_ring *out)
{
	if (byte_ring_length(out) == 0)
		return true;
	return byte_ring_room(out) * 3 >= READ_ONCE(out->limit) && (READ_ONCE(out->chunk_end) > READ_ONCE(out->head) || chunks_left());
}

ssize_t
tcp_wire_send(struct tcp_socket *t, struct socket_message *m, size_t most)
{
	struct tcp_wire *w = t->wire;
	struct netd_wanted *wanted = slot_wanted(w->slot);
	bool more = m->flags & MSG_MORE;
	ssize_t n;

	assert_mutex_held(&t->send_lock);
	n = byte_ring_put(&w->out, m->data, most, m->flags & MSG_DONTWAIT);
	if (n == -ENOBUFS && byte_ring_length(&w->out) > 0)
		return 0; /* what is acknowledged makes room */
	if (n <= 0)
		return n;
	if ((m->flags & MSG_OOB) && m->data->count == 0) { /* the last byte is here, and the stack does not know of it yet */
		w->out.urgent = w->out.head;
		atomic_store(&wanted->urgent, w->out.head);
	}
	if (more != t->more) {
		mutex_lock(&t->inet.socket.lock);
		WRITE_ONCE(t->more, more);
		tcp_wire_tell_options(t, wanted);
		mutex_unlock(&t->inet.socket.lock);
	}
	atomic_store(&wanted->queued, w->out.head);
	slot_changed(w->slot);
	return n;
}

/* A peer that knows no scale (RFC 7323, 2) can be told of no larger one. */
static uint32_t
largest_window(const struct tcp_wire *w)
{
	return READ_ONCE(slot_actual(w->slot)->record.has_scale) ? w->window_max : MIN(w->window_max, (uint32_t)UINT16_MAX);
}

void
tcp_wire_consumed(struct tcp_socket *t)
{
	struct tcp_wire *w = t->wire;
	struct netd_wanted *wanted;
	struct byte_ring *r = &t->ring;
	uint64_t granted;
	uint32_t most;

	assert_mutex_held(&t->read_lock);
	if (!w || READ_ONCE(w->over))
		return;
	most = largest_window(w);
	if (r->tail - w->grown_at >= w->window && w->window < most) {
		w->window = MIN(w->window * 2, most);
		w->grown_at = r->tail;
	}
	wanted = slot_wanted(w->slot);
	granted = wanted->granted;
	/* By small steps it would be told too often. */
	if (r->tail + w->window < granted + MIN(w->window / 4, NETD_CHUNK))
		return;
	granted = MAX(byte_ring_grant(r, r->tail + w->window), granted);
	WRITE_ONCE(wanted->taken, r->tail);
	atomic_store(&wanted->granted, granted);
	if (granted - w->told >= w->window / 2) {
		w->told = granted;
		slot_changed(w->slot);
	}
}

/* --- the end ------------------------------------------------------------------------------------------------- */

void
tcp_wire_end(struct tcp_socket *t)
{
	struct tcp_wire *w = t->wire;
	struct netd_wanted *wanted;

	assert_mutex_held(&t->inet.socket.lock);
	if (!w || w->over)
		return;
	wanted = slot_wanted(w->slot);
	tcp_wire_tell_options(t, wanted);
	atomic_store(&wanted->want, (uint32_t)NETD_WANT_END);
	slot_changed(w->slot);
}

void
tcp_wire_cut(struct tcp_socket *t)
{
	struct tcp_socket *own = NULL;
	struct tcp_wire *w;

	mutex_lock(&t->read_lock);
	mutex_lock(&t->send_lock);
	mutex_lock(&t->inet.socket.lock);
	/* Whoever closed it; another thread may have cut that already, and connected it anew. */
	w = t->state == TCP_CLOSED || t->released ? t->wire : NULL;
	if (w) {
		t->wire = NULL;
		w->in = t->ring;
		memset(&t->ring, 0, sizeof(t->ring));
		own = tcp_wire_let_go_of_socket(w);
		if (!w->over) {
			atomic_store(&slot_wanted(w->slot)->want, (uint32_t)NETD_WANT_RESET);
			slot_changed(w->slot);
		}
	}
	mutex_unlock(&t->inet.socket.lock);
	mutex_unlock(&t->send_lock);
	mutex_unlock(&t->read_lock);
	if (w)
		tcp_wire_put(w);
	if (own)
		tcp_put(own);
}
