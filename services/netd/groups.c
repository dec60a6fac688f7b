/* SPDX-License-Identifier: MIT */
/*
 * groups.c - the routers of a network are told which groups we have joined: IGMP 2 (RFC 2236), MLD 1 (RFC 2710).
 *
 * A report goes when a group is joined, once more a second later, and as an answer to a router's question.
 */
#include <net/if.h>
#include <stdlib.h>

#include "tcp.h"

#define REPORT4 0x16
#define QUERY4	0x11
#define REPORT6 131
#define QUERY6	130
#define AGAIN_MS 1000

static struct netd_table_group *known;
static uint32_t known_count;
static uint64_t again; /* ms: all are told once more then; 0: no */

static void
report4(struct interface *i, const struct netd_address *group)
{
	uint8_t packet[24 + 8] = { 0x46, 0xc0, 0, sizeof(packet), 0, 0, 0, 0, 1, 2 };
	struct netd_address source;
	struct iovec part = { packet, sizeof(packet) };

	if (!ip_source(i, group, &source))
		return;
	memcpy(packet + 12, source.bytes + 12, 4);
	memcpy(packet + 16, group->bytes + 12, 4);
	packet[20] = 0x94; /* router alert: RFC 2113 */
	packet[21] = 4;
	*(uint16_t *)(packet + 10) = ~ip_fold(ip_sum(0, packet, 24));
	packet[24] = REPORT4;
	memcpy(packet + 28, group->bytes + 12, 4);
	*(uint16_t *)(packet + 26) = ~ip_fold(ip_sum(0, packet + 24, 8));
	ip_transmit(i, group, &part, 1, 0);
}

static void
report6(struct interface *i, const struct netd_address *group)
{
	uint8_t packet[40 + 8 + 24] = { 0x60, [5] = 32, [6] = 0, [7] = 1, [40] = 58, [42] = 5, [43] = 2 };
	struct netd_address source;
	struct iovec part = { packet, sizeof(packet) };

	if (!ip_source(i, group, &source) || !address_is_link_local(&source))
		return;
	memcpy(packet + 8, &source, 16);
	memcpy(packet + 24, group, 16);
	packet[48] = REPORT6;
	memcpy(packet + 56, group, 16);
	*(uint16_t *)(packet + 50) = ~ip_fold(ip_sum(ip_pseudo_sum(&source, group, 58, 24), packet + 48, 24));
	ip_transmit(i, group, &part, 1, 0);
}

static void
report(const struct netd_table_group *g)
{
	for (int n = 0; n < INTERFACES_MAX; n++) {
		struct interface *i = &interfaces[n];

		if (!i->used || !i->nic || !(i->flags & IFF_UP) || (g->interface && g->interface != i->index))
			continue;
		if (address_is_v4(&g->group))
			report4(i, &g->group);
		else
			report6(i, &g->group);
	}
}

static bool
is_known(const struct netd_table_group *g)
{
	for (uint32_t n = 0; n < known_count; n++)
		if (known[n].interface == g->interface && !memcmp(&known[n].group, &g->group, sizeof(g->group)))
			return true;
	return false;
}

void
groups_changed(void)
{
	uint32_t count;
	const struct netd_table_group *now = ip_groups(&count);
	struct netd_table_group *copy = count ? malloc(count * sizeof(*copy)) : NULL;

	if (count && !copy)
		return;
	for (uint32_t n = 0; n < count; n++) {
		copy[n] = now[n];
		if (is_known(&now[n]))
			continue;
		report(&now[n]);
		again = now_ms() + AGAIN_MS;
	}
	free(known);
	known = copy;
	known_count = count;
}

void
groups_receive(struct interface *i, const uint8_t *message, uint32_t length, bool v6)
{
	if (length < (v6 ? 24 : 8) || message[0] != (v6 ? QUERY6 : QUERY4))
		return;
	if (!again)
		again = now_ms() + AGAIN_MS;
}

void
groups_tick(uint64_t now)
{
	if (!again || now < again)
		return;
	again = 0;
	for (uint32_t n = 0; n < known_count; n++)
		report(&known[n]);
}
