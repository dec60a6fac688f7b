/* SPDX-License-Identifier: MIT */
/* ip_config.c - interfaces, addresses, routes and groups: what the kernel has decided. */
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>

#include "door.h"
#include "ip.h"
#include "log.h"

#define ROUTE_UNICAST 1	     /* RTN_UNICAST */
#define WAYS	      16

struct interface interfaces[INTERFACES_MAX];

static struct netd_table_address *addresses;
static struct netd_table_route *routes;
static struct netd_table_group *groups;
static struct broadcast {
	uint32_t interface, address; /* as it lies in a packet */
} *broadcasts;
static uint32_t broadcast_count;
static uint32_t address_count, route_count, group_count, config;
static bool config_known;

struct interface *
ip_interface(uint32_t index)
{
	for (int i = 0; i < INTERFACES_MAX; i++)
		if (interfaces[i].used && interfaces[i].index == index)
			return &interfaces[i];
	return NULL;
}

struct interface *
ip_interface_of(struct netif *netif)
{
	return (struct interface *)netif;
}

uint8_t
ip_netif_index(uint32_t index)
{
	struct interface *i = index ? ip_interface(index) : NULL;

	return i ? netif_get_index(&i->netif) : NETIF_NO_INDEX;
}

static void
take_interface(const struct netd_table_interface *t)
{
	struct interface *i = ip_interface(t->index);
	bool was_up = i && i->flags & IFF_UP;

	/* Of those that have no card only TUN and TAP are ours. */
	if (!i && (t->flags & IFF_LOOPBACK || (t->kind != ARPHRD_ETHER && t->kind != ARPHRD_NONE)))
		return;
	for (int n = 0; !i && n < INTERFACES_MAX; n++)
		if (!interfaces[n].used) {
			i = &interfaces[n];
			memset(i, 0, sizeof(*i));
			i->used = true;
			i->netif.num = n;
			i->ethernet = t->kind == ARPHRD_ETHER;
		}
	if (!i)
		return;
	i->index = t->index;
	i->flags = t->flags;
	i->mtu = t->mtu < 65535 ? t->mtu : 65535;
	i->netif.mtu = i->mtu;
	memcpy(i->name, t->name, sizeof(i->name));
	memcpy(i->link, t->address, sizeof(i->link));
	if (i->nic)
		i->nic->ops->filter(i->nic, t->flags & IFF_PROMISC, true, NULL, 0);
	if (was_up && !(t->flags & IFF_UP)) {
		neighbours_forget(i);
		i->link_local = 0;
	}
}

static void
take_interfaces(void)
{
	uint32_t count;
	struct netd_table_interface *table = door_table(NETD_TABLE_INTERFACES, sizeof(*table), &count);

	if (!table)
		return;
	for (int i = 0; i < INTERFACES_MAX; i++) {
		bool found = false;

		for (uint32_t n = 0; n < count; n++)
			found |= table[n].index == interfaces[i].index;
		if (interfaces[i].used && !found) {
			neighbours_forget(&interfaces[i]);
			interfaces[i].used = interfaces[i].nic != NULL;
			interfaces[i].flags = 0;
		}
	}
	for (uint32_t n = 0; n < count; n++)
		take_interface(&table[n]);
	free(table);
}

static void
take_neighbours(void)
{
	uint32_t count;
	struct netd_table_neighbour *table = door_table(NETD_TABLE_NEIGHBOURS, sizeof(*table), &count);

	if (table)
		neighbours_set(table, count);
	free(table);
}

/* Ways that were asked for lately; most packets are for where the one before was. */
static struct way {
	struct netd_address to, hop;
	uint32_t bound;
	struct interface *by; /* NULL: nothing here */
} ways[WAYS];

static void
forget_ways(void)
{
	memset(ways, 0, sizeof(ways));
}

static uint32_t
v4_of(const struct netd_address *a)
{
	uint32_t four;

	memcpy(&four, a->bytes + 12, 4);
	return four;
}

/* What each of our addresses of IPv4 calls broadcast: the last one of its prefix, and what was set besides. */
static void
find_broadcasts(void)
{
	free(broadcasts);
	broadcast_count = 0;
	broadcasts = calloc(address_count ? address_count : 1, 2 * sizeof(*broadcasts));
	for (uint32_t n = 0; broadcasts && n < address_count; n++) {
		const struct netd_table_address *t = &addresses[n];
		uint32_t mask;

		if (!address_is_v4(&t->address) || t->bits > 30)
			continue;
		mask = t->bits ? ~0u << (32 - t->bits) : 0;
		broadcasts[broadcast_count].interface = t->interface;
		broadcasts[broadcast_count++].address = v4_of(&t->address) | ~lwip_htonl(mask);
		if (!address_is_v4(&t->broadcast))
			continue;
		broadcasts[broadcast_count].interface = t->interface;
		broadcasts[broadcast_count++].address = v4_of(&t->broadcast);
	}
}

bool
ip_config_look(void)
{
	uint32_t now = door_get32(&door.kernel->config);

	if (config_known && now == config)
		return false;
	config = now;
	config_known = true;
	door_put32(&door.netd->config_seen, now);
	take_interfaces();
	free(addresses);
	addresses = door_table(NETD_TABLE_ADDRESSES, sizeof(*addresses), &address_count);
	find_broadcasts();
	free(routes);
	routes = door_table(NETD_TABLE_ROUTES, sizeof(*routes), &route_count);
	forget_ways();
	free(groups);
	groups = door_table(NETD_TABLE_GROUPS, sizeof(*groups), &group_count);
	take_neighbours();
	groups_changed();
	return true;
}

static bool
within(const struct netd_address *a, const struct netd_address *net, unsigned bits)
{
	uint64_t x[2], y[2], other;

	if (bits > 128)
		return false;
	memcpy(x, a->bytes, 16);
	memcpy(y, net->bytes, 16);
	other = __builtin_bswap64(x[0] ^ y[0]);
	if (bits < 64)
		return !bits || !(other >> (64 - bits));
	bits -= 64;
	return !other && (!bits || !(__builtin_bswap64(x[1] ^ y[1]) >> (64 - bits)));
}

static bool
is_none(const struct netd_address *a)
{
	static const struct netd_address none;

	return address_same(a, &none);
}

static struct interface *
find_route(const struct netd_address *to, uint32_t bound, struct netd_address *hop)
{
	bool v4 = address_is_v4(to);
	const struct netd_table_route *best = NULL;
	struct interface *by = NULL;

	*hop = *to;
	for (uint32_t n = 0; n < route_count; n++) {
		const struct netd_table_route *r = &routes[n];
		struct interface *i;

		if (r->type != ROUTE_UNICAST || !r->v6 != v4 || (bound && r->interface != bound) ||
			!within(to, &r->to, r->bits + (v4 ? 96 : 0)))
			continue;
		if (best && (best->bits > r->bits || (best->bits == r->bits && best->metric <= r->metric)))
			continue;
		i = ip_interface(r->interface);
		if (!i || !(i->flags & IFF_UP))
			continue;
		best = r;
		by = i;
	}
	if (by && !address_is_group(to)) {
		if (!is_none(&best->gateway))
			*hop = best->gateway;
		return by;
	}
	/* What is bound to an interface is taken to be reached there. */
	if (!by && bound)
		by = ip_interface(bound);
	return by && by->flags & IFF_UP ? by : NULL;
}

struct interface *
ip_route_to(const struct netd_address *to, uint32_t bound, struct netd_address *hop)
{
	struct way *w = &ways[to->bytes[15] % WAYS];

	if (!w->by || w->bound != bound || !address_same(&w->to, to)) {
		w->to = *to;
		w->bound = bound;
		w->by = find_route(to, bound, &w->hop);
	}
	*hop = w->hop;
	return w->by;
}

bool
ip_is_ours(const struct netd_address *a)
{
	for (uint32_t n = 0; n < address_count; n++)
		if (address_same(&addresses[n].address, a))
			return true;
	return false;
}

bool
ip_has_address(const struct interface *i, const struct netd_address *a)
{
	for (uint32_t n = 0; n < address_count; n++)
		if (addresses[n].interface == i->index && address_same(&addresses[n].address, a))
			return true;
	return false;
}

bool
ip_is_broadcast(const struct interface *i, const struct netd_address *a)
{
	uint32_t host = v4_of(a);

	if (!address_is_v4(a))
		return false;
	if (!~host)
		return true;
	for (uint32_t n = 0; n < broadcast_count; n++)
		if (broadcasts[n].address == host && broadcasts[n].interface == i->index)
			return true;
	return false;
}

bool
ip_source(const struct interface *i, const struct netd_address *to, struct netd_address *source)
{
	const struct netd_table_address *best = NULL;
	bool v4 = address_is_v4(to);

	for (uint32_t n = 0; n < address_count; n++) {
		const struct netd_table_address *t = &addresses[n];

		if (t->interface != i->index || address_is_v4(&t->address) != v4)
			continue;
		if (!best || within(to, &t->address, t->bits + (v4 ? 96 : 0)))
			best = t;
	}
	if (best)
		*source = best->address;
	return best != NULL;
}

const struct netd_table_group *
ip_groups(uint32_t *count)
{
	*count = group_count;
	return groups;
}

bool
ip_group_joined(const struct interface *i, const struct netd_address *group)
{
	static const uint8_t all4[4] = { 224, 0, 0, 1 };
	const uint8_t *g = group->bytes;

	if (address_is_v4(group) ? !memcmp(g + 12, all4, 4) : g[1] <= 2 && g[15] == 1 && !g[2] && !g[14])
		return true;
	for (uint32_t n = 0; n < group_count; n++)
		if ((!groups[n].interface || groups[n].interface == i->index) &&
			address_same(&groups[n].group, group))
			return true;
	if (address_is_v4(group))
		return false;
	/* Solicited-node: RFC 4291, 2.7.1. */
	for (uint32_t n = 0; n < address_count; n++)
		if (g[1] == 2 && g[11] == 1 && g[12] == 0xff && !address_is_v4(&addresses[n].address) &&
			!memcmp(g + 13, addresses[n].address.bytes + 13, 3))
			return true;
	return false;
}
