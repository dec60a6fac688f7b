/* SPDX-License-Identifier: MIT */
/*
 * tcp_options.c - what setsockopt sets of a stream, and what it tells of itself. tcp(7).
 *
 * Between sockets of one machine nothing is delayed, lost or sent again: there most options are kept and told, no more.
 */
#include <tessera/errno.h>
#include <tessera/inet.h>

#include "tcp.h"

#define LOOPBACK_SEGMENT 65483u /* of an MTU of 65536, with IPv4's and TCP's headers and the timestamps off */

/* What each may be; at birth some are as the network's settings say. low > high: only on and off, other numbers are on. */
static const struct limits {
	bool known;
	int32_t low, high, at_birth;
} limits[TCP_OPTIONS] = {
	[TCP_OPTION_NO_DELAY] = { true, 1, 0, 0 },
	[TCP_OPTION_CORK] = { true, 1, 0, 0 },
	[TCP_OPTION_QUICK_ACK] = { true, 1, 0, 1 },
	[TCP_OPTION_MAX_SEGMENT] = { true, 88, 32767, 0 },
	[TCP_OPTION_KEEP_IDLE] = { true, 1, 32767, 0 },
	[TCP_OPTION_KEEP_INTERVAL] = { true, 1, 32767, 0 },
	[TCP_OPTION_KEEP_COUNT] = { true, 1, 127, 0 },
	[TCP_OPTION_SYN_COUNT] = { true, 1, 127, 0 },
	[TCP_OPTION_LINGER] = { true, INT32_MIN, INT32_MAX, 0 },
	[TCP_OPTION_DEFER_ACCEPT] = { true, INT32_MIN, INT32_MAX, 0 }, /* kept as deferral() has it */
	[TCP_OPTION_WINDOW_CLAMP] = { true, INT32_MIN, INT32_MAX, 0 },
	[TCP_OPTION_USER_TIMEOUT] = { true, 0, INT32_MAX, 0 },
	[TCP_OPTION_UNSENT_LOW_WATER] = { true, INT32_MIN, INT32_MAX, 0 },
};

void
tcp_options_init(struct tcp_socket *t)
{
	const struct network *n = network_of(&t->inet.socket);

	for (int i = 0; i < TCP_OPTIONS; i++)
		t->option[i] = limits[i].at_birth;
	t->option[TCP_OPTION_KEEP_IDLE] = network_setting(n, SETTING_KEEP_IDLE);
	t->option[TCP_OPTION_KEEP_INTERVAL] = network_setting(n, SETTING_KEEP_INTERVAL);
	t->option[TCP_OPTION_KEEP_COUNT] = network_setting(n, SETTING_KEEP_COUNT);
	t->option[TCP_OPTION_SYN_COUNT] = network_setting(n, SETTING_SYN_COUNT);
	t->option[TCP_OPTION_LINGER] = network_setting(n, SETTING_FIN_TIMEOUT);
}

/* When at least `seconds` are over and an answer to a SYN is sent again: after 1, 2, 4 ... 64 seconds, then 120 each. */
static int
deferral(int seconds)
{
	int period = 0, step = 1;

	for (int times = 0; period < seconds && times < 255; times++) {
		period += step;
		step = MIN(step * 2, 120);
	}
	return period;
}

int
tcp_option_set(struct socket *s, int option, int value)
{
	const struct limits *l = option > 0 && option < TCP_OPTIONS ? &limits[option] : NULL;

	if (!l || !l->known)
		return -ENOPROTOOPT;
	if (l->low > l->high)
		value = value != 0;
	else if (option == TCP_OPTION_MAX_SEGMENT && value == 0)
		value = 0; /* as if it had not been set */
	else if (value < l->low || value > l->high)
		return -EINVAL;
	if (option == TCP_OPTION_DEFER_ACCEPT)
		value = deferral(value);
	WRITE_ONCE(tcp_of(s)->option[option], value);
	return 0;
}

int
tcp_option_get(struct socket *s, int option, int *value)
{
	struct tcp_socket *t = tcp_of(s);

	if (option <= 0 || option >= TCP_OPTIONS || !limits[option].known)
		return -ENOPROTOOPT;
	*value = READ_ONCE(t->option[option]);
	if (option == TCP_OPTION_MAX_SEGMENT) {
		struct tcp_report r;

		tcp_report(s, &r);
		*value = (int)r.max_segment;
	}
	return 0;
}

void
tcp_options_changed(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s), *peer;

	mutex_lock(&s->lock);
	tcp_wire_update(t);
	mutex_unlock(&s->lock);
	peer = READ_ONCE(s->buffer_lock) ? tcp_peer_get(t) : NULL;
	if (!peer)
		return;
	tcp_fit_ring(t, peer);
	tcp_fit_ring(peer, t);
	tcp_wake(t);
	tcp_wake(peer);
	tcp_put(peer);
}

void
tcp_report(struct socket *s, struct tcp_report *out)
{
	struct tcp_socket *t = tcp_of(s);

	*out = (struct tcp_report){ .threshold = UINT32_MAX, .congestion_window = 10 * LOOPBACK_SEGMENT, .path_mtu = 65535,
				    .rto = 201000 };
	mutex_lock(&s->lock);
	out->state = (uint8_t)t->state;
	out->max_segment = t->state == TCP_CLOSED || t->state == TCP_LISTEN ? 536 : LOOPBACK_SEGMENT;
	out->received = atomic_load(&t->ring.head);
	out->sent = out->acknowledged = t->peer ? atomic_load(&t->peer->ring.head) : 0;
	if (t->wire && t->state != TCP_LISTEN) {
		struct endpoint to = t->inet.remote;
		struct way w;

		tcp_wire_report(t->wire, out);
		out->path_mtu = to.port && inet_find_way(&t->inet, &to, &t->inet.local.address, &w) == 0 ? w.mtu : 1500;
	}
	out->pending = t->pending_count;
	out->backlog = t->backlog;
	mutex_unlock(&s->lock);
}

void
tcp_info(const struct tcp_report *r, struct tcp_info *out)
{
	*out = (struct tcp_info){ 0 };
	out->state = r->state;
	out->send_segment = out->receive_segment = out->advertised_segment = r->max_segment;
	out->options = (uint8_t)(r->has_timestamps | r->has_sack << 1 | r->has_scale << 2);
	out->window_scales = (uint8_t)(r->send_scale | r->receive_scale << 4);
	out->timeout = r->rto;
	out->path_mtu = r->path_mtu;
	out->congestion_window = r->congestion_window / r->max_segment;
	out->send_threshold = r->threshold == UINT32_MAX ? INT32_MAX : r->threshold / r->max_segment;
	out->bytes_received = r->received;
	out->bytes_sent = r->sent;
	out->bytes_acknowledged = r->acknowledged;
	out->not_sent = (uint32_t)MIN(r->not_sent, (uint64_t)UINT32_MAX);
	out->round_trip = r->rtt;
	out->round_trip_variance = r->rtt_variation;
	out->send_window = r->send_window;
	out->retransmits = (uint8_t)MIN(r->retransmits_now, 255u);
	out->all_retransmitted = r->retransmits;
	out->unacknowledged = r->unacked;
	out->last_data_sent = r->since_sent;
	out->last_data_received = out->last_ack_received = r->since_received;
	out->segments_out = (uint32_t)r->segments_out;
	out->segments_in = (uint32_t)r->segments_in;
	out->pacing_rate_max = UINT64_MAX;
	out->reordering = 3;
	if (r->state == TCP_LISTEN) { /* the words are of the queue there */
		out->unacknowledged = r->pending;
		out->selective = r->backlog;
	}
}
