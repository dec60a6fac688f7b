/* SPDX-License-Identifier: MIT */
/*
 * output.c - IP packets of sockets on their way to a link. ip(7).
 */
#include <tessera/errno.h>
#include <tessera/random.h>

#include "ip.h"

/* A copy for sockets of this machine of what is for many. */
static void
loop_back(struct network *n, const struct way *w, const struct packet *p)
{
	struct packet *copy = packet_copy(p);

	if (copy)
		ip_input(n, w->interface, copy, IP_CHECKED | IP_TO_MANY);
}

/* False: the wait for room ended without. */
static bool
wait_for_room(struct network *n, const struct way *w, deadline_t until)
{
	return until != 0 && w->link->wait_for_room && w->link->wait_for_room(n, w->interface, until) == 0;
}

static int
give_to_link(struct network *n, const struct way *w, deadline_t until, struct packet *p)
{
	int error;

	if (!w->link || !w->link->send)
		return -ENETDOWN;
	do
		error = w->link->send(n, w->interface, &w->next, p);
	while (error == -EAGAIN && wait_for_room(n, w, until));
	return error;
}

int
ip_send_whole(struct network *n, const struct way *w, const struct ip_label *l, const struct ip_manner *m,
	      struct packet *p)
{
	bool many = w->type == ROUTE_MULTICAST || w->type == ROUTE_BROADCAST, wire = w->link != &loopback_ops;
	int error;

	if (l->length > w->mtu && l->dont_fragment) {
		packet_free(p);
		return -EMSGSIZE;
	}
	network_add(n, l->v6 ? IP6_OUT : IP_OUT, 1);
	if (many && m->loop && wire)
		loop_back(n, w, p);
	if (w->type == ROUTE_MULTICAST && l->ttl == 0 && wire) {
		packet_free(p);
		return 0;
	}
	error = give_to_link(n, w, m->until, p);
	if (error) {
		network_add(n, l->v6 ? IP6_OUT_DISCARDS : IP_OUT_DISCARDS, 1);
		packet_free(p);
	}
	return error;
}

int
ip_send(struct network *n, const struct way *w, struct ip_label *l, const struct ip_manner *m, struct packet *p)
{
	l->header = (uint16_t)(l->v6 ? IP6_HEADER : IP4_HEADER + m->options_size);
	l->length = p->length + l->header;
	if (l->length - (l->v6 ? IP6_HEADER : 0) > IP_PACKET_MAX) {
		packet_free(p);
		return -EMSGSIZE;
	}
	l->id = (uint16_t)random_below(UINT16_MAX + 1);
	if (l->v6)
		ip6_build(packet_push(p, l->header), l);
	else
		ip4_build(packet_push(p, l->header), l, m->options);
	return ip_send_whole(n, w, l, m, p);
}
