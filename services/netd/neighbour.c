/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - which address is which card: RFC 826, RFC 4861 (7.2, 7.3).
 *
 *   INCOMPLETE --answer--> REACHABLE --30 s--> STALE --used--> PROBE --answer--> REACHABLE
 *        \--three questions--> gone                               \--three questions--> gone
 *
 * What a card says unasked changes what we know only where we know something, or where it asks for us.
 *
 * When all places are taken, who was not used for longest gives way, and before all whom only they themselves have told
 * us of: whoever asks for us under many names drives out his own.
 */
#include <stdlib.h>

#include "log.h"
#include "tcp.h"

#define NEIGHBOURS   512
#define WAITING_MAX  16
#define ASK_MS	     1000
#define ASK_TIMES    3
#define REACHABLE_MS 30000

/* As Linux numbers them: NUD_*. */
enum state { INCOMPLETE = 1, REACHABLE = 2, STALE = 4, PROBE = 16, FAILED = 32, NO_ARP = 64, PERMANENT = 128 };

struct waiting {
	struct waiting *next;
	uint32_t length, checksum;
	uint8_t packet[];
};

static struct neighbour {
	struct interface *interface; /* NULL: free */
	struct netd_address address;
	enum state state;
	uint8_t link[NIC_ADDRESS];
	uint64_t since, used; /* used: something was to go there; 0: never yet */
	unsigned asked, waiting_count;
	bool told;		     /* the kernel has it in its table */
	struct waiting *waiting;
} neighbours[NEIGHBOURS];

static struct neighbour *recent; /* the one that was found last */

static struct neighbour *
find(const struct interface *i, const struct netd_address *a)
{
	if (recent && recent->interface == i && address_same(&recent->address, a))
		return recent;
	for (int n = 0; n < NEIGHBOURS; n++)
		if (neighbours[n].interface == i && address_same(&neighbours[n].address, a))
			return recent = &neighbours[n];
	return NULL;
}

static void
tell_kernel(struct neighbour *n, uint32_t state)
{
	struct netd_table_neighbour t = { .interface = n->interface->index, .state = state, .address = n->address };

	memcpy(t.link, n->link, NIC_ADDRESS);
	n->told = door_set_neighbour(&t) == 0;
}

static void
drop_waiting(struct neighbour *n)
{
	while (n->waiting) {
		struct waiting *w = n->waiting;

		n->waiting = w->next;
		free(w);
	}
	n->waiting_count = 0;
}

static void
forget(struct neighbour *n)
{
	drop_waiting(n);
	n->interface = NULL;
	if (recent == n)
		recent = NULL;
}

static bool
gives_way_before(const struct neighbour *n, const struct neighbour *other)
{
	return n->used != other->used ? n->used < other->used : n->since < other->since;
}

static void
evict(struct neighbour *n)
{
	if (n->told)
		tell_kernel(n, 0);
	forget(n);
}

static struct neighbour *
make(struct interface *i, const struct netd_address *a)
{
	struct neighbour *n = NULL;

	for (int k = 0; k < NEIGHBOURS && (!n || n->interface); k++)
		if (!neighbours[k].interface ||
			(neighbours[k].state != PERMANENT && (!n || gives_way_before(&neighbours[k], n))))
			n = &neighbours[k];
	if (!n)
		return NULL;
	if (n->interface)
		evict(n);
	memset(n, 0, sizeof(*n));
	n->interface = i;
	n->address = *a;
	return n;
}

static void
arp_send(struct interface *i, unsigned operation, const uint8_t *to, const uint8_t *target_link,
	const uint8_t sender[4], const uint8_t target[4])
{
	uint8_t frame[NIC_HEADER + 28] = { 0 }, *arp = frame + NIC_HEADER;
	struct iovec part = { frame, sizeof(frame) };

	memcpy(frame, to, NIC_ADDRESS);
	memcpy(frame + NIC_ADDRESS, i->link, NIC_ADDRESS);
	put16(frame + 12, ETHERNET_ARP);
	put16(arp, 1);
	put16(arp + 2, ETHERNET_IP4);
	arp[4] = NIC_ADDRESS;
	arp[5] = 4;
	put16(arp + 6, operation);
	memcpy(arp + 8, i->link, NIC_ADDRESS);
	memcpy(arp + 14, sender, 4);
	if (target_link)
		memcpy(arp + 18, target_link, NIC_ADDRESS);
	memcpy(arp + 24, target, 4);
	link_send(i, &part, 1, 0);
}

static void
ask(struct neighbour *n)
{
	static const uint8_t all[NIC_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct netd_address source = { { 0 } };

	n->asked++;
	n->since = now_ms();
	if (!address_is_v4(&n->address)) {
		nd_solicit(n->interface, &n->address, n->state == PROBE ? n->link : NULL);
		return;
	}
	ip_source(n->interface, &n->address, &source);
	arp_send(n->interface, 1, n->state == PROBE ? n->link : all, NULL, source.bytes + 12, n->address.bytes + 12);
}

bool
neighbour_find(struct interface *i, const struct netd_address *hop, uint8_t link[NIC_ADDRESS])
{
	struct neighbour *n = find(i, hop);

	if (!n) {
		n = make(i, hop);
		if (!n)
			return false;
		n->state = INCOMPLETE;
		ask(n);
	}
	n->used = now_ms();
	if (n->state == INCOMPLETE)
		return false;
	memcpy(link, n->link, NIC_ADDRESS);
	if (n->state == STALE) {
		n->state = PROBE;
		n->asked = 0;
		n->since = n->used;
	}
	return true;
}

void
neighbour_wait(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count,
	uint32_t checksum)
{
	struct neighbour *n = find(i, hop);
	struct waiting *w, **end;
	uint32_t length = 0;

	if (!n || n->state != INCOMPLETE || n->waiting_count == WAITING_MAX)
		return;
	for (unsigned k = 0; k < count; k++)
		length += parts[k].iov_len;
	w = malloc(sizeof(*w) + length);
	if (!w)
		return;
	w->next = NULL;
	w->length = 0;
	w->checksum = checksum;
	for (unsigned k = 0; k < count; k++) {
		memcpy(w->packet + w->length, parts[k].iov_base, parts[k].iov_len);
		w->length += parts[k].iov_len;
	}
	for (end = &n->waiting; *end; end = &(*end)->next)
		;
	*end = w;
	n->waiting_count++;
}

static void
send_waiting(struct neighbour *n)
{
	struct waiting *w = n->waiting, *next;
	struct netd_address hop = n->address;
	struct interface *i = n->interface;

	n->waiting = NULL;
	n->waiting_count = 0;
	for (; w; w = next) {
		struct iovec part = { w->packet, w->length };

		next = w->next;
		ip_transmit(i, &hop, &part, 1, w->checksum);
		free(w);
	}
}

/* It is `state` from now on, and the kernel hears of it if `changed`. */
static void
known(struct neighbour *n, enum state state, bool changed)
{
	n->state = state;
	n->since = now_ms();
	n->asked = 0;
	if (changed)
		tell_kernel(n, state);
}

void
neighbour_learn(struct interface *i, const struct netd_address *a, const uint8_t link[NIC_ADDRESS], bool answer,
	bool want)
{
	struct neighbour *n = find(i, a);
	bool changed;

	if (link[0] & 1)
		return;
	if (!n && want)
		n = make(i, a);
	if (!n || n->state == PERMANENT)
		return;
	changed = n->state != REACHABLE || memcmp(n->link, link, NIC_ADDRESS);
	memcpy(n->link, link, NIC_ADDRESS);
	/* One of IPv4 that asks us has, with it, answered us. */
	known(n, answer || address_is_v4(a) ? REACHABLE : STALE, changed);
	send_waiting(n);
}

void
neighbour_confirm(struct interface *i, const struct netd_address *a)
{
	struct neighbour *n = find(i, a);

	if (n && n->state != INCOMPLETE && n->state != PERMANENT)
		known(n, REACHABLE, n->state != REACHABLE);
}

static void
set(const struct netd_table_neighbour *t)
{
	struct interface *i = ip_interface(t->interface);
	struct neighbour *n = i ? find(i, &t->address) : NULL;

	if (i && !n)
		n = make(i, &t->address);
	if (!n)
		return;
	n->state = PERMANENT;
	n->told = true;
	memcpy(n->link, t->link, NIC_ADDRESS);
	send_waiting(n);
}

void
neighbours_set(const struct netd_table_neighbour *table, uint32_t count)
{
	for (int k = 0; k < NEIGHBOURS; k++) {
		struct neighbour *n = &neighbours[k];
		const struct netd_table_neighbour *t = NULL;

		if (!n->interface || !n->told)
			continue;
		for (uint32_t at = 0; at < count && !t; at++)
			if (table[at].interface == n->interface->index &&
				!memcmp(&table[at].address, &n->address, sizeof(n->address)))
				t = &table[at];
		if (!t)
			forget(n);
		else if (n->state == PERMANENT)
			n->state = STALE;
	}
	for (uint32_t at = 0; at < count; at++)
		if (table[at].state & (PERMANENT | NO_ARP))
			set(&table[at]);
}

void
neighbours_forget(struct interface *i)
{
	for (int n = 0; n < NEIGHBOURS; n++)
		if (neighbours[n].interface == i)
			forget(&neighbours[n]);
}

static void
no_answer(struct neighbour *n)
{
	struct interface *i = n->interface;
	struct netd_address a = n->address;

	tell_kernel(n, FAILED);
	forget(n);
	tcp_unreachable(i, &a);
}

void
neighbours_tick(uint64_t now)
{
	for (int k = 0; k < NEIGHBOURS; k++) {
		struct neighbour *n = &neighbours[k];

		if (!n->interface)
			continue;
		if (n->state == REACHABLE && now - n->since > REACHABLE_MS)
			n->state = STALE;
		if ((n->state != INCOMPLETE && n->state != PROBE) || now - n->since < ASK_MS)
			continue;
		if (n->asked < ASK_TIMES)
			ask(n);
		else
			no_answer(n);
	}
}

void
arp_receive(struct interface *i, const uint8_t *arp, uint32_t length)
{
	struct netd_address sender, target;
	unsigned operation;

	if (length < 28 || get16(arp) != 1 || get16(arp + 2) != ETHERNET_IP4 || arp[4] != NIC_ADDRESS || arp[5] != 4)
		return;
	operation = get16(arp + 6);
	sender = address_v4(arp + 14);
	target = address_v4(arp + 24);
	if (address_is_group(&sender) || ip_is_ours(&sender))
		return;
	if (operation == 1 && ip_is_ours(&target)) {
		uint32_t probe;

		memcpy(&probe, arp + 14, 4);
		if (probe)
			neighbour_learn(i, &sender, arp + 8, false, true);
		arp_send(i, 2, arp + 8, arp + 8, target.bytes + 12, sender.bytes + 12);
	} else {
		neighbour_learn(i, &sender, arp + 8, operation == 2, false);
	}
}
