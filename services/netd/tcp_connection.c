/* SPDX-License-Identifier: MIT */
/*
 * tcp_connection.c - one connection: what is known of it on both sides, what arrives, and its end.
 *
 * What arrives is copied into the arena's chunks. Its window is what the kernel grants: lwIP's rcv_wnd is kept at
 * granted - arrived.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "log.h"
#include "tcp.h"

#define SECOND_ANSWER_MS 2000
#define PUT_OFF_MAX	 8 /* every so many are not put off */

static struct connection *touched;

static void destroyed(u8_t id, void *data);

static const struct tcp_ext_arg_callbacks callbacks = { .destroy = destroyed };

uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

void
connection_touch(struct connection *c)
{
	if (c->touched)
		return;
	c->touched = true;
	c->next_touched = touched;
	touched = c;
}

void
connection_tell(struct connection *c)
{
	c->to_tell = true;
	connection_touch(c);
}

/* lwIP frees the control block. */
static void
destroyed(u8_t id, void *data)
{
	struct connection *c = data;

	if (!c)
		return;
	c->pcb = NULL;
	connection_tell(c);
}

/* lwIP gives up. The control block is gone, or goes next. */
static void
failed(void *argument, err_t err)
{
	struct connection *c = argument;

	if (!c || c->error)
		return;
	if (err == ERR_RST)
		c->error = c->pcb && c->pcb->state == SYN_SENT ? ECONNREFUSED : ECONNRESET;
	else if (err == ERR_ABRT)
		c->error = ETIMEDOUT;
	connection_tell(c);
}

static err_t
sent(void *argument, struct tcp_pcb *pcb, u16_t length)
{
	struct connection *c = argument;

	c->actual->acked += length;
	c->progress = now_ms();
	connection_tell(c);
	return ERR_OK;
}

/*
 * lwIP is about to acknowledge data, since it is the second segment that waits for it. More may have come with it: one
 * acknowledgement is for all of them, when the round ends.
 */
static void
put_off_acknowledgement(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!(pcb->flags & TF_ACK_NOW) || pcb->state != ESTABLISHED || pcb->ooseq)
		return;
	c->put_off = (c->put_off + 1) % PUT_OFF_MAX;
	if (!c->put_off)
		return;
	tcp_clear_flags(pcb, TF_ACK_NOW);
	tcp_set_flags(pcb, TF_ACK_DELAY);
}

static err_t
received(void *argument, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
	struct connection *c = argument;
	uint64_t at = c->actual->arrived;

	connection_tell(c);
	if (!p) {
		door_put32(&c->actual->flags, c->actual->flags | NETD_FLAG_END_ARRIVED);
		return ERR_OK;
	}
	for (const struct pbuf *q = p; q; q = q->next) {
		const uint8_t *from = q->payload;
		uint32_t left = q->len, room;

		while (left) {
			uint8_t *to = at < c->granted ? door_chunk(c->wanted->receive_chunk, at, &room) : NULL;

			if (!to) {
				log_error("slot %u: there is no room at byte %llu, below %llu", c->slot,
					(unsigned long long)at, (unsigned long long)c->granted);
				pbuf_free(p);
				c->error = ENOBUFS;
				tcp_abort(pcb);
				return ERR_ABRT;
			}
			room = room < left ? room : left;
			memcpy(to, from, room);
			from += room;
			left -= room;
			at += room;
		}
	}
	door_put64(&c->actual->arrived, at);
	pbuf_free(p);
	put_off_acknowledgement(c);
	return ERR_OK;
}

struct connection *
connection_new(uint32_t slot)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->slot = slot;
	c->actual = &c->own;
	c->progress = now_ms();
	if (slot == NO_SLOT)
		return c;
	c->wanted = door_wanted(slot);
	c->actual = door_actual(slot);
	c->generation = door_get32(&c->wanted->generation);
	slot_set_connection(slot, c);
	return c;
}

void
connection_attach(struct connection *c, struct tcp_pcb *pcb)
{
	c->pcb = pcb;
	tcp_arg(pcb, c);
	tcp_recv(pcb, received);
	tcp_sent(pcb, sent);
	tcp_err(pcb, failed);
	tcp_ext_arg_set_callbacks(pcb, 0, &callbacks);
	tcp_ext_arg_set(pcb, 0, c);
}

void
connection_drop(struct connection *c, bool reset, int error)
{
	c->error = error ? error : -1;
	connection_rouse(c);
	if (c->pcb)
		tcp_abandon(c->pcb, reset);
	if (c->error < 0)
		c->error = 0;
	connection_tell(c);
}

void
connection_forget(struct connection *c)
{
	if (c->slot != NO_SLOT)
		slot_set_connection(c->slot, NULL);
	c->slot = NO_SLOT;
	c->actual = &c->own;
	c->wanted = NULL;
	connection_drop(c, false, 0);
}

void
connection_take_options(struct connection *c)
{
	const struct netd_wanted *w = c->wanted;
	struct tcp_pcb *pcb = c->pcb;

	if (w->flags & NETD_FLAG_NO_DELAY)
		tcp_nagle_disable(pcb);
	else
		tcp_nagle_enable(pcb);
	pcb->ttl = w->ttl ? w->ttl : 64;
	pcb->tos = w->tos;
	if (w->flags & NETD_FLAG_KEEPALIVE)
		ip_set_option(pcb, SOF_KEEPALIVE);
	else
		ip_reset_option(pcb, SOF_KEEPALIVE);
	if (w->keep_idle)
		pcb->keep_idle = w->keep_idle;
	if (w->keep_interval)
		pcb->keep_intvl = w->keep_interval;
	if (w->keep_count)
		pcb->keep_cnt = w->keep_count;
	connection_fit_path(c);
	c->wants_ack = w->flags & NETD_FLAG_QUICK_ACK;
}

/* What both sides have said of themselves. */
static void
fill_record(struct connection *c, struct netd_record *r)
{
	struct tcp_pcb *pcb = c->pcb;

	if (pcb->mss < LEAST_SEGMENT)
		pcb->mss = LEAST_SEGMENT;
	r->receive_base = c->receive_base;
	r->max_segment = pcb->mss;
	r->send_scale = pcb->snd_scale;
	r->receive_scale = pcb->rcv_scale;
	r->has_scale = (pcb->flags & TF_WND_SCALE) != 0;
	r->has_sack = (pcb->flags & TF_SACK) != 0;
	r->has_timestamps = (pcb->flags & TF_TIMESTAMP) != 0;
	r->established = 1;
}

void
connection_record(struct connection *c, uint32_t send_base)
{
	struct netd_record r = { .generation = c->generation, .send_base = send_base, .time_offset = c->time_offset };

	c->send_base = send_base;
	if (c->half)
		fill_record(c, &r);
	r.checksum = record_checksum(&r);
	if (!c->half) {
		c->actual->record = r;
		return;
	}
	c->half->record = r;
	door_put32(&c->half->used, 1);
}

void
connection_established(struct connection *c, uint32_t window_max)
{
	struct tcp_pcb *pcb = c->pcb;
	struct netd_actual *a = c->actual;
	struct netd_record r = {
		.generation = c->generation, .send_base = c->send_base, .time_offset = c->time_offset,
	};

	c->receive_base = pcb->rcv_nxt;
	fill_record(c, &r);
	r.checksum = record_checksum(&r);
	pcb->rcv_ann_wnd = LWIP_MIN(window_max, 65535);
	pcb->rcv_ann_right_edge = pcb->rcv_nxt + pcb->rcv_ann_wnd;
	a->announced = pcb->rcv_ann_right_edge;
	a->send_window = pcb->snd_wnd;
	a->send_window_at = pcb->snd_wl1;
	a->send_window_ack = pcb->snd_wl2;
	a->time_recent = pcb->ts_recent;
	a->record = r;
	door_put32(&a->state, NETD_ESTABLISHED);
}

/* Without a scale no larger window can be told: RFC 7323, 2. */
static uint32_t
largest_window(const struct connection *c)
{
	return c->pcb->flags & TF_WND_SCALE ? c->wanted->window_max : LWIP_MIN(c->wanted->window_max, 0xffff);
}

void
connection_set_window(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;
	uint64_t granted = door_get64(&c->wanted->granted), arrived = c->actual->arrived;

	if (granted > c->granted)
		c->granted = granted;
	if (c->granted > arrived + TCP_WND)
		c->granted = arrived + TCP_WND;
	pcb->rcv_wnd = c->granted > arrived ? c->granted - arrived : 0;
	if (!(pcb->flags & TF_WND_SCALE) && pcb->rcv_wnd > 0xffff)
		pcb->rcv_wnd = 0xffff;
}

/*
 * A peer that may wait for room hears of it at once: what it was told is less than half of the window, and a step is
 * not small (RFC 9293, 3.8.6.2.2). Other steps go along with what is sent anyway.
 */
static void
grant(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t edge, gain, told, most = largest_window(c);

	connection_set_window(c);
	edge = pcb->rcv_nxt + pcb->rcv_wnd;
	if (c->actual->flags & NETD_FLAG_END_ARRIVED || TCP_SEQ_LEQ(edge, pcb->rcv_ann_right_edge))
		return;
	gain = edge - pcb->rcv_ann_right_edge;
	told = TCP_SEQ_GT(pcb->rcv_ann_right_edge, pcb->rcv_nxt) ? pcb->rcv_ann_right_edge - pcb->rcv_nxt : 0;
	if (told >= most / 2 || gain < LWIP_MIN(2u * pcb->mss, most / 2))
		return;
	pcb->rcv_ann_wnd = pcb->rcv_wnd;
	tcp_ack_now(pcb);
	tcp_output(pcb);
}

void
connection_wants(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!pcb)
		return;
	connection_rouse(c);
	switch (door_get32(&c->wanted->want)) {
	case NETD_WANT_RESET:
		connection_drop(c, pcb->state != SYN_SENT, 0);
		return;
	case NETD_WANT_END:
		if (pcb->state == SYN_SENT) {
			connection_drop(c, false, 0);
			return;
		}
		/* What comes now is answered by a reset. */
		tcp_set_flags(pcb, TF_RXCLOSED);
		break;
	}
	connection_take_options(c);
	connection_touch(c);
}

/*
 * Whoever wants his acknowledgements quick has them when he next says something, behind what he sends: that has them
 * with it already.
 */
static void
acknowledge(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!pcb || (!c->wants_ack && !c->put_off))
		return;
	c->wants_ack = false;
	c->put_off = 0;
	if (!(pcb->flags & TF_ACK_DELAY))
		return;
	tcp_ack_now(pcb);
	tcp_output(pcb);
}

/* A connection in SYN_RCVD with a slot is one that both ends have begun: connect() still waits. */
static const uint8_t states[] = {
	[CLOSED] = NETD_CLOSED, [LISTEN] = NETD_LISTENING, [SYN_SENT] = NETD_SYN_SENT, [SYN_RCVD] = NETD_SYN_SENT,
	[ESTABLISHED] = NETD_ESTABLISHED, [FIN_WAIT_1] = NETD_FIN_WAIT1, [FIN_WAIT_2] = NETD_FIN_WAIT2,
	[CLOSE_WAIT] = NETD_CLOSE_WAIT, [CLOSING] = NETD_CLOSING, [LAST_ACK] = NETD_LAST_ACK, [TIME_WAIT] = NETD_TIME_WAIT,
};

void
connection_store_state(struct connection *c)
{
	if (c->actual->state == states[c->pcb->state])
		return;
	door_put32(&c->actual->state, states[c->pcb->state]);
	connection_tell(c);
}

/*
 * In LAST_ACK a connection is over with the acknowledgement of its end. Of what is sent twice come two: the second one
 * would come to nobody, and be answered by a reset. From CLOSING it goes to TIME_WAIT, for a moment, in which that one is
 * heard.
 */
void
connection_repeats(struct connection *c)
{
	if (c->pcb->state != LAST_ACK)
		return;
	c->pcb->state = CLOSING;
	c->answered_twice = true;
}

static void
report(struct connection *c)
{
	struct netd_report *r = &c->actual->report;
	const struct tcp_pcb *pcb = c->pcb;
	const uint32_t tick = 2 * TCP_TMR_INTERVAL * 1000;

	r->rtt = (pcb->sa >> 3) * tick;
	r->rtt_variation = (pcb->sv >> 2) * tick;
	r->rto = pcb->rto * tick;
	r->send_window = pcb->snd_wnd;
	r->congestion_window = pcb->cwnd;
	r->threshold = pcb->ssthresh;
	r->retransmits_now = pcb->nrtx;
	r->retransmits = c->retransmits;
	r->max_segment = pcb->mss;
	r->unacked = pcb->mss ? (pcb->snd_nxt - pcb->lastack + pcb->mss - 1) / pcb->mss : 0;
	c->actual->send_window = pcb->snd_wnd;
	c->actual->send_window_at = pcb->snd_wl1;
	c->actual->send_window_ack = pcb->snd_wl2;
	c->actual->time_recent = pcb->ts_recent;
}

/* The end of a round: what has come of `c`? */
static void
settle(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (!pcb) {
		if (c->slot != NO_SLOT) {
			c->actual->error = c->error > 0 ? c->error : 0;
			door_put32(&c->actual->state, NETD_CLOSED);
			door_mark(c->slot);
			slot_set_connection(c->slot, NULL);
		}
		half_open_gone(c);
		free(c);
		return;
	}
	if (c->slot == NO_SLOT)
		return;
	if (!c->begun && pcb->state >= ESTABLISHED) {
		c->begun = true;
		pcb->cwnd = 10 * pcb->mss; /* RFC 6928 */
	}
	if (pcb->state == LAST_ACK)
		pcb->tmr = tcp_ticks;
	if (pcb->state == TIME_WAIT && c->answered_twice) {
		c->answered_twice = false;
		pcb->tmr = tcp_ticks - (2 * TCP_MSL - SECOND_ANSWER_MS) / TCP_SLOW_INTERVAL;
	}
	if (pcb->state != TIME_WAIT) {
		tcp_keep_patient(pcb);
		if (pcb->state >= ESTABLISHED) {
			grant(c);
			connection_push(c);
			acknowledge(c);
			if (c->pcb && c->misses && pcb->ooseq)
				connection_has_gap(c);
		}
	}
	if (!c->pcb)
		return; /* it is touched again, by its end */
	connection_store_state(c);
	report(c);
	if (c->to_tell)
		door_mark(c->slot);
	c->to_tell = false;
}

void
connections_settle(void)
{
	while (touched) {
		struct connection *c = touched;

		touched = c->next_touched;
		c->touched = false;
		settle(c);
	}
}
