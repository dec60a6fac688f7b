/* SPDX-License-Identifier: MIT */
/*
 * tcp_rest.c - connections that nothing is expected of soon rest: they are on none of lwIP's lists.
 *
 * lwIP looks for a segment's connection from a list's beginning, and at all of them at each tick. With a thousand that
 * say nothing, or a thousand in TIME_WAIT, that would be most of its work. What rests is in a table here, by its ends.
 *
 *   in lwIP's list --nothing under way for a while, or TIME_WAIT--> resting
 *   resting --a segment for it, the kernel wants something, a timer is due--> in lwIP's list
 *
 * Only who has a timer that may become due needs the clock meanwhile: keepalive, and the end of TIME_WAIT.
 */
#include "tcp.h"

#define BUCKETS	    4096
#define QUIET_TICKS (200 / TCP_SLOW_INTERVAL)
#define STIRS	    (TF_ACK_DELAY | TF_ACK_NOW | TF_INFR | TF_RTO | TF_CLOSEPEND | TF_FIN)

static struct connection *table[BUCKETS];
static struct connection *resting; /* all, by rest_before and rest_behind */
static unsigned count, clocked;

static unsigned
bucket_of(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
	struct netd_endpoint here = { .port = local_port }, there = { .port = remote_port };

	address_from_lwip(&here.address, local);
	address_from_lwip(&there.address, remote);
	return tuple_hash(&here, &there) % BUCKETS;
}

static bool
needs_clock(const struct tcp_pcb *pcb)
{
	return pcb->state == TIME_WAIT || ip_get_option(pcb, SOF_KEEPALIVE);
}

static bool
may_rest(const struct connection *c, const struct tcp_pcb *pcb)
{
	if (!c || c->slot == NO_SLOT || c->touched)
		return false;
	if (pcb->state == TIME_WAIT)
		return true;
	return (pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT) && !pcb->unacked && !pcb->unsent && !pcb->ooseq &&
		!pcb->refused_data && !pcb->persist_backoff && !(pcb->flags & STIRS) && !c->corked &&
		!pcb->keep_cnt_sent && tcp_ticks - pcb->tmr >= QUIET_TICKS;
}

/* `pcb` has been taken off lwIP's list. */
static void
enter(struct connection *c, struct tcp_pcb *pcb)
{
	struct connection **bucket = &table[bucket_of(&pcb->local_ip, pcb->local_port, &pcb->remote_ip, pcb->remote_port)];

	pcb->next = NULL;
	c->rest_bucket = bucket;
	c->rest_next = *bucket;
	*bucket = c;
	c->rest_before = NULL;
	c->rest_behind = resting;
	if (resting)
		resting->rest_before = c;
	resting = c;
	c->rest_clocked = needs_clock(pcb);
	count++;
	clocked += c->rest_clocked;
}

void
connection_rouse(struct connection *c)
{
	struct connection **at = c->rest_bucket;

	if (!at)
		return;
	while (*at != c)
		at = &(*at)->rest_next;
	*at = c->rest_next;
	*(c->rest_before ? &c->rest_before->rest_behind : &resting) = c->rest_behind;
	if (c->rest_behind)
		c->rest_behind->rest_before = c->rest_before;
	c->rest_bucket = NULL;
	count--;
	clocked -= c->rest_clocked;
	c->progress = now_ms();
	if (c->pcb->state == TIME_WAIT)
		TCP_REG(&tcp_tw_pcbs, c->pcb);
	else
		TCP_REG_ACTIVE(c->pcb);
	tcp_timer_needed();
}

void
connections_rest(struct tcp_pcb **list)
{
	struct tcp_pcb **at = list;

	while (*at) {
		struct tcp_pcb *pcb = *at;
		struct connection *c = pcb->callback_arg;

		if (!may_rest(c, pcb)) {
			at = &pcb->next;
			continue;
		}
		*at = pcb->next;
		enter(c, pcb);
	}
}

void
connections_rouse_for(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
	const struct tcp_pcb *first = tcp_active_pcbs;
	struct connection *c, *next;

	/* Most segments are for the one that had the one before, which is the first in lwIP's list. */
	if (!count || (first && first->remote_port == remote_port && first->local_port == local_port &&
			ip_addr_cmp(&first->remote_ip, remote) && ip_addr_cmp(&first->local_ip, local)))
		return;
	for (c = table[bucket_of(local, local_port, remote, remote_port)]; c; c = next) {
		const struct tcp_pcb *pcb = c->pcb;

		next = c->rest_next;
		if (pcb->local_port == local_port && pcb->remote_port == remote_port &&
			ip_addr_cmp(&pcb->remote_ip, remote) && ip_addr_cmp(&pcb->local_ip, local))
			connection_rouse(c);
	}
}

static bool
is_due(const struct tcp_pcb *pcb)
{
	uint32_t since = tcp_ticks - pcb->tmr;

	return since > (pcb->state == TIME_WAIT ? 2 * TCP_MSL : pcb->keep_idle) / TCP_SLOW_INTERVAL;
}

void
connections_rouse_due(void)
{
	struct connection *c, *next;

	for (c = clocked ? resting : NULL; c; c = next) {
		next = c->rest_behind;
		if (c->rest_clocked && is_due(c->pcb))
			connection_rouse(c);
	}
}

bool
connections_need_clock(void)
{
	return clocked > 0;
}
