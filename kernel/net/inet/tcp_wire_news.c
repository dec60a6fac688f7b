/* SPDX-License-Identifier: MIT */
/*
 * tcp_wire_news.c - what the network stack tells of connections that lead out of this machine, and what it was told of
 * them by others: ICMP. Nothing of it is believed that cannot be.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/poll.h>

#include "../door/door.h"
#include "../ip/ip.h"
#include "tcp.h"
#include "tcp_wire.h"

/* The stack's half as it was at one moment; what it wrote first is read last. */
struct seen {
	uint32_t state, error, flags;
	uint64_t acked, arrived, urgent;
};

static bool
see(struct tcp_wire *w, struct seen *out)
{
	const struct netd_actual *a = slot_actual(w->slot);

	if (atomic_load(&a->generation) != w->generation)
		return false;
	out->state = atomic_load(&a->state);
	out->error = atomic_load(&a->error);
	out->flags = atomic_load(&a->flags);
	out->urgent = atomic_load(&a->urgent);
	out->arrived = atomic_load(&a->arrived);
	out->acked = atomic_load(&a->acked);
	return true;
}

/* What was acknowledged goes. `t`: the socket, or NULL. False: nonsense. */
static bool
take_acknowledged(struct tcp_socket *t, struct tcp_wire *w, const struct seen *seen)
{
	if (seen->acked < w->out.tail || seen->acked > atomic_load(&w->out.head)) {
		door_nonsense("acknowledged bytes", seen->acked);
		return false;
	}
	if (seen->acked > w->out.tail) {
		byte_ring_consume(&w->out, seen->acked - w->out.tail);
		if (t) /* what was wrong with the path is so no more */
			atomic_store(&t->inet.socket.soft_error, 0);
	}
	WRITE_ONCE(slot_wanted(w->slot)->acked, seen->acked);
	return true;
}

/* Bytes came in. False: nonsense. socket->lock held. */
static bool
take_arrived(struct tcp_socket *t, struct tcp_wire *w, const struct seen *seen)
{
	if (seen->arrived < t->ring.head || seen->arrived > READ_ONCE(slot_wanted(w->slot)->granted)) {
		door_nonsense("bytes that arrived", seen->arrived);
		return false;
	}
	atomic_store(&t->ring.head, seen->arrived);
	WRITE_ONCE(slot_wanted(w->slot)->arrived, seen->arrived);
	return true;
}

/* Segments that came and went since we looked last. Another stack may count from 0. */
static void
count_segments(struct tcp_wire *w)
{
	static const enum network_counter counter[TCP_WIRE_COUNTS] = { TCP_IN_SEGMENTS, TCP_OUT_SEGMENTS, TCP_RETRANSMITS };
	const struct netd_report *r = &slot_actual(w->slot)->report;
	const uint64_t now[TCP_WIRE_COUNTS] = { READ_ONCE(r->segments_in), READ_ONCE(r->segments_out), READ_ONCE(r->retransmits) };

	for (unsigned i = 0; i < TCP_WIRE_COUNTS; i++) {
		network_add(&init_network, counter[i], now[i] - (now[i] < w->counted[i] ? 0 : w->counted[i]));
		w->counted[i] = now[i];
	}
}

/* socket->lock held. Events for the two queues. */
struct news {
	uint32_t read, write;
	bool urgent, closed;
};

static void
fail(struct tcp_socket *t, uint32_t error)
{
	struct socket *s = &t->inet.socket;

	/* Why nobody answered may be known. */
	if (error == ETIMEDOUT && READ_ONCE(s->soft_error))
		error = (uint32_t)READ_ONCE(s->soft_error);
	if (error == ECONNRESET && t->state == TCP_CLOSE_WAIT)
		error = EPIPE;
	atomic_store(&s->error, (int)error);
	WRITE_ONCE(s->shutdown, SHUTDOWN_BOTH);
}

static void
over(struct tcp_socket *t, struct tcp_wire *w, const struct seen *seen, struct news *news)
{
	bool refused = t->state == TCP_SYN_SENT;

	atomic_store(&w->over, true);
	news->closed = true;
	news->read |= POLLIN | POLLRDNORM | POLLHUP | POLLRDHUP;
	news->write |= POLLOUT | POLLWRNORM | POLLHUP;
	if (seen->state == NETD_TIME_WAIT) {
		tcp_time_wait(t);
	} else if (seen->error || refused) {
		fail(t, seen->error ? seen->error : ECONNRESET);
		tcp_count_broken(t);
	}
	if (READ_ONCE(t->inet.socket.error)) {
		news->read |= POLLERR;
		news->write |= POLLERR;
	}
	tcp_closed(t);
}

static bool
is_state_of_connection(uint32_t state)
{
	return (state >= NETD_ESTABLISHED && state <= NETD_LAST_ACK) || state == NETD_CLOSING;
}

/* What has changed for `t`, whose lock is held. False: nonsense. */
static bool
take_news(struct tcp_socket *t, struct tcp_wire *w, const struct seen *seen, struct news *news)
{
	uint64_t had = t->ring.head;

	if (t->state == TCP_LISTEN || seen->state == NETD_UNSEEN)
		return true;
	if (!is_state_of_connection(seen->state)) {
		door_nonsense("a state", seen->state);
		return false;
	}
	if (seen->error > MAX_ERRNO) {
		door_nonsense("an error", seen->error);
		return false;
	}
	if (!take_arrived(t, w, seen))
		return false;
	if (t->ring.head != had)
		news->read |= POLLIN | POLLRDNORM;
	if (seen->urgent > t->ring.urgent && seen->urgent <= seen->arrived + 65536) {
		atomic_store(&t->ring.urgent, seen->urgent);
		news->urgent = true;
		news->read |= POLLPRI;
	}
	if ((seen->flags & NETD_FLAG_END_ARRIVED) && !t->end_received) {
		atomic_store(&t->end_received, true);
		atomic_or(&t->inet.socket.shutdown, SHUTDOWN_RECEIVE);
		news->read |= POLLIN | POLLRDNORM | POLLRDHUP;
	}
	if (seen->state == NETD_CLOSED || seen->state == NETD_TIME_WAIT) {
		over(t, w, seen, news);
		return true;
	}
	if (t->state == TCP_SYN_SENT && seen->state != NETD_SYN_SENT)
		news->write |= POLLOUT | POLLWRNORM;
	if (seen->state != t->state)
		WRITE_ONCE(t->state, (enum tcp_state)seen->state);
	return true;
}

static void
tell(struct tcp_socket *t, const struct news *news)
{
	struct socket *s = &t->inet.socket;

	if (news->read) {
		wake_poll(&s->read_wait, news->read);
		async_tell(&s->async, news->closed ? ASYNC_HUP : ASYNC_IN);
	}
	if (news->urgent)
		async_tell(&s->async, ASYNC_PRI);
	if (news->write) {
		wake_poll(&s->write_wait, news->write);
		async_tell(&s->async, ASYNC_OUT);
	}
}

/* Who found no room is told when there is enough of it. socket->lock held. */
static void
tell_of_room(struct tcp_socket *t, struct tcp_wire *w, struct news *news)
{
	struct socket *s = &t->inet.socket;

	if (!atomic_load(&s->wants_room) || !tcp_wire_room(&w->out))
		return;
	atomic_store(&s->wants_room, false);
	news->write |= POLLOUT | POLLWRNORM;
}

/* Nonsense about it: what the stack knows of it may be wrong, too, so that nobody can go on. socket->lock held. */
static void
give_up_on(struct tcp_socket *t, struct tcp_wire *w, struct news *news)
{
	struct seen seen = { .state = NETD_CLOSED, .error = ECONNRESET };

	over(t, w, &seen, news);
}

/* The next stack is to end it. */
static void
reset_broken(struct tcp_wire *w)
{
	w->broken = true;
	atomic_store(&slot_wanted(w->slot)->want, (uint32_t)NETD_WANT_RESET);
	slot_changed(w->slot);
}

static struct tcp_socket *
socket_of(struct tcp_wire *w)
{
	struct tcp_socket *t;

	spin_lock(&door.lock);
	t = w->socket;
	if (t)
		tcp_get(t);
	spin_unlock(&door.lock);
	return t;
}

void
tcp_wire_look(struct tcp_wire *w)
{
	struct tcp_socket *t = socket_of(w);
	struct news news = { 0 };
	bool late = false, readable = false;
	struct seen seen;

	assert_mutex_held(&door.kick_lock);
	if (see(w, &seen)) {
		bool sound = w->broken || take_acknowledged(t, w, &seen);

		count_segments(w);
		if (t) {
			mutex_lock(&t->inet.socket.lock);
			/* CLOSED: it is about to be cut off. */
			if (t->wire == w && !w->over && t->state != TCP_CLOSED) {
				sound = sound && take_news(t, w, &seen, &news);
				if (!sound)
					give_up_on(t, w, &news);
				tell_of_room(t, w, &news);
				late = t->released && !w->over && byte_ring_length(&t->ring) > 0;
				readable = byte_ring_length(&t->ring) > 0 || t->end_received;
				if (news.urgent && t->inet.socket.file && !t->released)
					file_signal_urgent(t->inet.socket.file);
			}
			mutex_unlock(&t->inet.socket.lock);
			tell(t, &news);
		}
		if (!sound)
			reset_broken(w);
		if (news.closed) {
			struct tcp_socket *own = tcp_wire_let_go_of_socket(w);

			if (own)
				tcp_put(own);
		}
		if (seen.state == NETD_CLOSED && sound)
			tcp_wire_let_go(w);
	}
	if (late)
		tcp_wire_cut(t); /* to whom nobody listens: RFC 1122, 4.2.2.13 */
	if (readable)
		tcp_admit_held(t);
	else if (news.closed && READ_ONCE(t->held))
		tcp_disconnect(t); /* reset before there was anything to accept it for */
	if (t)
		tcp_put(t);
}

/* --- what routers tell ------------------------------------------------------------------------------------- */

/* Is the segment that begins with `sequence` one that the peer has not acknowledged? Nobody else knows which these are. */
static bool
is_under_way(const struct tcp_wire *w, uint32_t sequence)
{
	const struct netd_actual *a = slot_actual(w->slot);
	uint32_t base = READ_ONCE(a->record.send_base), first, end;

	if (atomic_load(&a->generation) != w->generation)
		return false;
	first = base + (uint32_t)READ_ONCE(a->acked) - (READ_ONCE(a->state) == NETD_SYN_SENT);
	end = base + (uint32_t)READ_ONCE(a->sent) + (READ_ONCE(a->end_sent) != 0);
	return sequence - first <= end - first;
}

/* The way is narrower than it was: the stack cuts smaller segments. */
static void
narrow(struct tcp_socket *t, struct tcp_wire *w, uint32_t mtu)
{
	path_mtu_learn(network_of(&t->inet.socket), &t->inet.remote.address, mtu);
	tcp_wire_tell_path(t, slot_wanted(w->slot));
	slot_changed(w->slot);
}

/* A connect comes to nothing; what is there already goes on, but who has asked for it hears what is wrong. */
static void
take_error(struct tcp_socket *t, struct tcp_wire *w, const struct socket_error *e, const void *quoted, struct news *news)
{
	struct seen seen = { .state = NETD_CLOSED, .error = e->error };
	struct socket *s = &t->inet.socket;
	bool v4 = ip_address_is_v4(&t->inet.remote.address);
	bool asked = inet_number_get(s, v4 ? INET_RECEIVE_ERRORS : INET6_RECEIVE_ERRORS) != 0;

	if (e->error == EMSGSIZE) {
		narrow(t, w, e->info);
	} else if (t->state == TCP_SYN_SENT) {
		if (asked)
			tcp_refusal_keep(t, e, quoted);
		over(t, w, &seen, news);
		atomic_store(&slot_wanted(w->slot)->want, (uint32_t)NETD_WANT_RESET);
		slot_changed(w->slot);
	} else if (asked) {
		atomic_store(&s->error, e->error);
		news->read |= POLLERR;
		news->write |= POLLERR;
	} else {
		atomic_store(&s->soft_error, e->error);
	}
}

void
tcp_error(struct network *n, const struct ip_label *l, const void *inside, const struct socket_error *e)
{
	struct endpoint from = { .address = l->from, .port = load_net16(inside) };
	struct endpoint to = { .address = l->to, .port = load_net16((const char *)inside + 2) };
	struct tcp_socket *t = (struct tcp_socket *)port_find_flow(n, PORTS_TCP, &from, &to), *own = NULL;
	struct news news = { 0 };
	struct tcp_wire *w;

	if (!t)
		return;
	mutex_lock(&t->inet.socket.lock);
	w = t->wire;
	if (w && !w->over && t->state != TCP_LISTEN && t->state != TCP_CLOSED && is_under_way(w, load_net32((const char *)inside + 4)))
		take_error(t, w, e, inside, &news);
	if (news.closed)
		own = tcp_wire_let_go_of_socket(w);
	mutex_unlock(&t->inet.socket.lock);
	tell(t, &news);
	if (own)
		tcp_put(own);
	tcp_put(t);
}

void
tcp_wire_report(struct tcp_wire *w, struct tcp_report *out)
{
	const struct netd_actual *a = slot_actual(w->slot);
	const struct netd_report *r = &a->report;
	uint64_t sent = READ_ONCE(a->sent), queued = atomic_load(&w->out.head);
	uint32_t now = (uint32_t)(clock_monotonic_ns() / NSEC_PER_MSEC);

	if (READ_ONCE(a->generation) != w->generation)
		return;
	out->has_scale = READ_ONCE(a->record.has_scale);
	out->has_sack = READ_ONCE(a->record.has_sack);
	out->has_timestamps = READ_ONCE(a->record.has_timestamps);
	out->send_scale = READ_ONCE(a->record.send_scale) & 15;
	out->receive_scale = READ_ONCE(a->record.receive_scale) & 15;
	out->max_segment = READ_ONCE(r->max_segment);
	if (!out->max_segment || out->max_segment > UINT16_MAX)
		out->max_segment = MAX(READ_ONCE(a->record.max_segment), 1u);
	out->sent = sent;
	out->acknowledged = READ_ONCE(w->out.tail);
	out->not_sent = queued > sent ? queued - sent : 0;
	out->rtt = READ_ONCE(r->rtt);
	out->rtt_variation = READ_ONCE(r->rtt_variation);
	out->rto = READ_ONCE(r->rto);
	out->send_window = READ_ONCE(r->send_window);
	out->congestion_window = READ_ONCE(r->congestion_window);
	out->threshold = READ_ONCE(r->threshold);
	out->retransmits_now = READ_ONCE(r->retransmits_now);
	out->retransmits = READ_ONCE(r->retransmits);
	out->unacked = READ_ONCE(r->unacked);
	out->since_sent = now - READ_ONCE(r->last_sent);
	out->since_received = now - READ_ONCE(r->last_received);
	out->segments_out = READ_ONCE(r->segments_out);
	out->segments_in = READ_ONCE(r->segments_in);
}
