/* SPDX-License-Identifier: MIT */
/*
 * tcp_adopt.c - connections that another process began: a control block is made of what stands in the slot.
 *
 * What the predecessor has sent and the peer not acknowledged is sent once more, as after a timeout; lwIP keeps such
 * segments with the unsent ones and takes acknowledgements for them, since snd_nxt says they were sent. What came
 * out of order is lost: nobody has acknowledged it, and who has told the peer of it by SACK may take that back
 * (RFC 2018, 8).
 */
#include <errno.h>

#include "log.h"
#include "tcp.h"

#define LATELY_MS 3000 /* the peer may wait for an answer that never left */
#define ACKS	  4

static uint64_t lately; /* ms: until then what the last stack lost is asked for */

void
pcb_from_record(struct tcp_pcb *pcb, const struct netd_record *r)
{
	pcb->mss = r->max_segment ? r->max_segment : 536;
	pcb->snd_scale = r->send_scale < 14 ? r->send_scale : 14;
	pcb->rcv_scale = r->receive_scale < 14 ? r->receive_scale : 14;
	tcp_set_flags(pcb, (r->has_scale ? TF_WND_SCALE : 0) | (r->has_sack ? TF_SACK : 0) |
		(r->has_timestamps ? TF_TIMESTAMP : 0));
	pcb->rto = TCP_FIRST_RTO_TICKS;
	pcb->sv = TCP_FIRST_RTO_TICKS;
}

/* In which state is what has sent and received so much? */
static enum tcp_state
state_of(const struct netd_actual *a)
{
	bool peer_ended = a->flags & NETD_FLAG_END_ARRIVED;

	if (!a->end_sent)
		return peer_ended ? CLOSE_WAIT : ESTABLISHED;
	if (a->state == NETD_FIN_WAIT2 || a->state == NETD_TIME_WAIT)
		return peer_ended ? TIME_WAIT : FIN_WAIT_2;
	if (!peer_ended)
		return FIN_WAIT_1;
	return a->state == NETD_CLOSE_WAIT || a->state == NETD_LAST_ACK ? LAST_ACK : CLOSING;
}

static void
fill(struct connection *c, struct tcp_pcb *pcb, enum tcp_state state)
{
	const struct netd_wanted *w = c->wanted;
	struct netd_actual *a = c->actual;
	const struct netd_record *r = &a->record;
	bool end_acked = state == FIN_WAIT_2 || state == TIME_WAIT;

	c->send_base = r->send_base;
	c->receive_base = r->receive_base;
	c->time_offset = r->time_offset;
	c->written = a->acked;
	c->begun = true;
	pcb_from_record(pcb, r);
	address_to_lwip(&pcb->local_ip, &w->local.address);
	address_to_lwip(&pcb->remote_ip, &w->remote.address);
	pcb->local_port = w->local.port;
	pcb->remote_port = w->remote.port;
	pcb->netif_idx = ip_netif_index(w->interface ? w->interface : w->remote.scope);
	pcb->lastack = r->send_base + (uint32_t)a->acked + end_acked;
	pcb->snd_lbb = pcb->lastack;
	pcb->snd_nxt = r->send_base + (uint32_t)(a->sent > a->acked ? a->sent : a->acked) + (a->end_sent != 0);
	pcb->snd_wnd = a->send_window;
	pcb->snd_wnd_max = LWIP_MAX(a->send_window, 2u * pcb->mss);
	pcb->snd_wl1 = a->send_window_at;
	pcb->snd_wl2 = a->send_window_ack;
	pcb->cwnd = 10 * pcb->mss;
	pcb->rcv_nxt = r->receive_base + (uint32_t)a->arrived + (a->flags & NETD_FLAG_END_ARRIVED ? 1 : 0);
	pcb->rcv_ann_right_edge = a->announced;
	pcb->rcv_ann_wnd = TCP_SEQ_GT(a->announced, pcb->rcv_nxt) ? a->announced - pcb->rcv_nxt : 0;
	pcb->ts_recent = a->time_recent;
	pcb->ts_lastacksent = pcb->rcv_nxt;
	/* TIME_WAIT ends when it would have, however often a stack is killed meanwhile. */
	pcb->tmr = tcp_ticks;
	if (state == TIME_WAIT)
		pcb->tmr -= ((uint32_t)now_ms() - a->report.last_received) / TCP_SLOW_INTERVAL;
}

/*
 * What the peer sent while nobody was here is lost. Three acknowledgements that say nothing new have it send again
 * at once, instead of after its timeout (RFC 5681, 3.2); the first one may say something.
 */
static void
ask_for_lost(struct connection *c)
{
	c->asked = c->actual->arrived;
	for (int i = 0; i < ACKS; i++)
		tcp_send_empty_ack(c->pcb);
}

/*
 * Who does not go by SACK (QEMU's user network knows none, lwIP only sends it) answers with one segment, and waits for
 * its timeout before the next: so that one is asked for in the same way, when the first has come. Each request has had
 * an answer before there is another.
 */
static void
ask_for_more(struct connection *c)
{
	if (TCP_SEQ_GEQ(c->pcb->rcv_nxt, c->lost_before))
		c->misses = false;
	else if (c->actual->arrived != c->asked)
		ask_for_lost(c);
}

void
connection_has_gap(struct connection *c)
{
	if (now_ms() < lately)
		ask_for_more(c);
}

void
connections_ask_for_lost(void)
{
	struct tcp_pcb *pcb, *next;

	if (!lately)
		return;
	if (now_ms() >= lately)
		lately = 0;
	for (pcb = tcp_active_pcbs; pcb && lately; pcb = next) {
		struct connection *c = pcb->callback_arg;

		next = pcb->next;
		if (!c || !c->misses)
			continue;
		if (c->arrived_before == c->actual->arrived)
			ask_for_more(c);
		c->arrived_before = c->actual->arrived;
	}
}

void
connection_adopt(struct connection *c)
{
	struct netd_actual *a = c->actual;
	enum tcp_state state = state_of(a);
	struct tcp_pcb *pcb;

	if (a->state == NETD_SYN_SENT || a->state == NETD_UNSEEN) {
		/* Of the record only what stood there before the handshake is sure to be whole. */
		c->time_offset = a->record.time_offset;
		connection_open(c, a->record.send_base);
		return;
	}
	if (a->record.generation != c->generation || !a->record.established ||
		a->record.checksum != record_checksum(&a->record) || a->sent < a->acked ||
		door_get64(&c->wanted->queued) < a->sent) {
		log_error("slot %u: what is known of its connection makes no sense; it is reset (generation %u of %u, %llu of %llu "
			"bytes sent, %llu acknowledged, state %u)", c->slot, a->record.generation, c->generation,
			(unsigned long long)a->sent, (unsigned long long)c->wanted->queued, (unsigned long long)a->acked, a->state);
		connection_drop(c, false, ECONNRESET);
		return;
	}
	pcb = tcp_new();
	if (!pcb) {
		connection_drop(c, false, ENOBUFS);
		return;
	}
	connection_attach(c, pcb);
	fill(c, pcb, state);
	if (state == TIME_WAIT) {
		pcb->state = TIME_WAIT;
		TCP_REG(&tcp_tw_pcbs, pcb);
		return;
	}
	pcb->state = ESTABLISHED;
	TCP_REG_ACTIVE(pcb);
	connection_set_window(c);
	if (state == FIN_WAIT_2)
		c->end_written = true;
	else
		connection_queue_again(c);
	pcb->nrtx = pcb->unsent != NULL;
	pcb->state = state;
	if ((uint32_t)now_ms() - a->report.last_received < LATELY_MS) {
		lately = now_ms() + LATELY_MS;
		c->misses = true;
		c->lost_before = a->announced;
		ask_for_lost(c);
	}
	tcp_output(pcb);
	connection_touch(c);
}
