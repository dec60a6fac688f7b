/* SPDX-License-Identifier: MIT */
/* tcp_time.c - what happens to connections because time passes, or because a neighbour does not answer. */
#include <errno.h>
#include <time.h>

#include "tcp.h"

#define ORPHAN_MS     60000 /* nobody has it any more, and the peer says nothing */
#define SYN_SHIFT_MAX 6
#define LOOK_TURNS    5	    /* 100 ms */
#define DUE_TURNS     50    /* 1 s */

void
tcp_keep_patient(struct tcp_pcb *pcb)
{
	if ((pcb->sa >> 3) + pcb->sv < TCP_MIN_RTO_TICKS)
		pcb->sv = TCP_MIN_RTO_TICKS - (pcb->sa >> 3);
	if (pcb->rto < TCP_MIN_RTO_TICKS)
		pcb->rto = TCP_MIN_RTO_TICKS;
}

/* What lwIP's clock does not look at. */
static void
look_at_time(struct connection *c, uint64_t now)
{
	struct tcp_pcb *pcb = c->pcb;
	uint64_t limit = c->wanted->user_timeout;

	if (pcb->state == SYN_SENT) {
		uint32_t times = c->wanted->connect_count ? c->wanted->connect_count : 6;

		pcb->rto = TCP_FIRST_RTO_TICKS << (pcb->nrtx < SYN_SHIFT_MAX ? pcb->nrtx : SYN_SHIFT_MAX);
		if (pcb->nrtx > times)
			connection_drop(c, false, ETIMEDOUT);
		else if (limit && now - c->progress > limit)
			connection_drop(c, false, ETIMEDOUT);
		return;
	}
	if (!pcb->unacked && !pcb->unsent)
		c->progress = now;
	else if (limit && now - c->progress > limit)
		connection_drop(c, true, ETIMEDOUT);
	else if (c->wanted->want == NETD_WANT_END && now - c->progress > ORPHAN_MS)
		connection_drop(c, false, ETIMEDOUT);
	if (c->pcb && c->corked && now - c->corked >= CORK_MS)
		connection_push(c);
}

bool tcp_clock_runs;

void
tcp_timer_needed(void)
{
	tcp_clock_runs = true;
}

/* A hundred milliseconds are over. */
static void
look_at_all(void)
{
	static uint32_t config;
	uint32_t config_now = door_get32(&door.netd->config_seen);
	uint64_t now = now_ms();
	struct tcp_pcb *pcb, *next;

	for (pcb = tcp_active_pcbs; pcb; pcb = next) {
		struct connection *c = pcb->callback_arg;

		next = pcb->next;
		if (!c || c->slot == NO_SLOT)
			continue;
		look_at_time(c, now);
		if (c->pcb && config != config_now)
			connection_fit_path(c);
		connection_touch(c);
	}
	config = config_now;
}

void
tcp_tick(void)
{
	static unsigned turn;

	tcp_tmr();
	connections_ask_for_lost();
	if (++turn % LOOK_TURNS == 0) {
		look_at_all();
		connections_settle();
		connections_rest(&tcp_active_pcbs);
		connections_rest(&tcp_tw_pcbs);
	}
	if (turn % DUE_TURNS == 0)
		connections_rouse_due();
	/* Those who have gone to rest by the clock alone are told of by `destroyed`. */
	tcp_clock_runs = tcp_active_pcbs || tcp_tw_pcbs || connections_need_clock();
}

void
tcp_unreachable(const struct interface *i, const struct netd_address *next)
{
	struct tcp_pcb *pcb, *after;

	for (pcb = tcp_active_pcbs; pcb; pcb = after) {
		struct connection *c = pcb->callback_arg;
		struct netd_address remote, hop;

		after = pcb->next;
		if (!c || c->slot == NO_SLOT || pcb->state != SYN_SENT)
			continue;
		address_from_lwip(&remote, &pcb->remote_ip);
		if (ip_route_to(&remote, c->wanted->interface, &hop) == i && !memcmp(&hop, next, sizeof(hop)))
			connection_drop(c, false, EHOSTUNREACH);
	}
}
