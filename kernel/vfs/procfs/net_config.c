/* SPDX-License-Identifier: MIT */
/*
 * net_config.c - /proc/PID/net: interfaces, addresses, routes and neighbours.
 */
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "net.h"

#define ROUTE_WIDTH 127u

/* Flags of routes, and of neighbours. */
#define RTF_UP       0x1u
#define RTF_GATEWAY  0x2u
#define RTF_HOST     0x4u
#define RTF_REJECT   0x200u
#define RTF_NONEXTHOP 0x200000u
#define RTF_LOCAL    0x80000000u
#define ATF_COM  0x2u
#define ATF_PERM 0x4u

void
net_dev(struct text *t, struct network *n)
{
	uint32_t count;
	struct interface_info *all = network_interfaces(n, &count);

	text_print(t, "Inter-|   Receive                                                |  Transmit\n"
		      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
		      "fifo colls carrier compressed\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct interface_counts *in = &all[i].received, *out = &all[i].sent;

		text_print(t, "%6s: %7lu %7lu %4lu %4lu %4u %5u %10u %9lu %8lu %7lu %4lu %4lu %4u %5u %7u %10u\n", all[i].name,
			   in->bytes, in->packets, in->errors, in->dropped, 0u, 0u, 0u, in->multicast, out->bytes, out->packets,
			   out->errors, out->dropped, 0u, 0u, 0u, 0u);
	}
	kvfree(all);
}

static const char *
name_of(struct network *n, uint32_t interface, struct interface_info *i)
{
	return network_interface(n, interface, i) == 0 ? i->name : "*";
}

static void
print_route(struct text *t, struct network *n, const struct route_info *r)
{
	struct interface_info i;
	size_t from = t->used;
	bool reject = r->type == ROUTE_UNREACHABLE || r->type == ROUTE_PROHIBIT;
	uint32_t flags = RTF_UP | (r->bits == 32 ? RTF_HOST : 0) | (reject ? RTF_REJECT : 0);
	uint32_t mask = r->bits ? host_to_net32(UINT32_MAX << (32 - r->bits)) : 0;

	if (!ip_address_is_any(&r->gateway))
		flags |= RTF_GATEWAY;
	text_print(t, "%s\t%08X\t%08X\t%04X\t%d\t%u\t%d\t%08X\t%d\t%u\t%u",
		   reject || r->type == ROUTE_BLACKHOLE ? "*" : name_of(n, r->interface, &i), r->to.words[3],
		   r->gateway.words[3], flags, 0, 0u, (int)r->metric, mask, 0, 0u, 0u);
	net_end_line(t, from, ROUTE_WIDTH);
}

void
net_route(struct text *t, struct network *n)
{
	size_t from = t->used;
	uint32_t count;
	struct route_info *all = network_routes(n, &count);

	text_print(t, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	net_end_line(t, from, ROUTE_WIDTH);
	for (uint32_t i = 0; i < count; i++)
		if (!all[i].v6 && all[i].table == ROUTE_TABLE_MAIN)
			print_route(t, n, &all[i]);
	kvfree(all);
}

static void
print_v6(struct text *t, const struct ip_address *a)
{
	for (unsigned i = 0; i < sizeof(a->bytes); i++)
		text_print(t, "%02x", a->bytes[i]);
}

static void
print_route_v6(struct text *t, struct network *n, const struct route_info *r)
{
	static const struct ip_address none;
	struct interface_info i;
	bool reject = r->type == ROUTE_UNREACHABLE || r->type == ROUTE_PROHIBIT || r->type == ROUTE_BLACKHOLE;
	uint32_t flags = RTF_UP | (r->bits == 128 && r->table == ROUTE_TABLE_MAIN ? RTF_HOST : 0);

	flags |= (!ip_address_is_any(&r->gateway) ? RTF_GATEWAY : 0) | (reject ? RTF_REJECT : 0);
	if (r->type == ROUTE_LOCAL)
		flags |= RTF_LOCAL | RTF_NONEXTHOP;
	print_v6(t, &r->to);
	text_print(t, " %02x ", r->bits);
	print_v6(t, &none);
	text_print(t, " 00 ");
	print_v6(t, &r->gateway);
	text_print(t, " %08x %08x %08x %08x %8s\n", r->metric, 1u, 0u, flags, name_of(n, r->interface, &i));
}

/* Each table ends with an entry that says that there is no way. */
static void
print_no_route(struct text *t)
{
	text_print(t, "%032x 00 %032x 00 %032x ffffffff 00000001 00000000 %08x %8s\n", 0u, 0u, 0u, RTF_REJECT | RTF_NONEXTHOP,
		   "lo");
}

void
net_ipv6_route(struct text *t, struct network *n)
{
	uint32_t count;
	struct route_info *all = network_routes(n, &count);

	for (uint32_t table = ROUTE_TABLE_MAIN; table <= ROUTE_TABLE_LOCAL; table++) {
		for (uint32_t k = 0; k < count; k++)
			if (all[k].v6 && all[k].table == table)
				print_route_v6(t, n, &all[k]);
		print_no_route(t);
	}
	kvfree(all);
}

void
net_arp(struct text *t, struct network *n)
{
	uint32_t count;
	struct neighbour_info *all = network_neighbours(n, &count);
	struct interface_info on;

	text_print(t, "IP address       HW type     Flags       HW address            Mask     Device\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct neighbour_info *e = &all[i];
		const uint8_t *a = &e->address.bytes[12], *l = e->link;
		uint32_t flags = e->state & NEIGHBOUR_PERMANENT ? ATF_PERM | ATF_COM
				 : e->state & (NEIGHBOUR_INCOMPLETE | NEIGHBOUR_FAILED) ? 0 : ATF_COM;
		char text[16];

		if (!ip_address_is_v4(&e->address) || (e->state & NEIGHBOUR_NO_ARP) ||
		    network_interface(n, e->interface, &on) < 0)
			continue;
		snprintf(text, sizeof(text), "%u.%u.%u.%u", a[0], a[1], a[2], a[3]);
		text_print(t, "%-16s 0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", text,
			   (unsigned int)on.kind, flags, l[0], l[1], l[2], l[3], l[4], l[5], on.name);
	}
	kvfree(all);
}

/* How far an address of IPv6 reaches, as bits of its own. */
static unsigned int
scope_bits(const struct address_info *a)
{
	return ip_address_is_loopback(&a->address) ? 0x10 : ip_address_is_link_local(&a->address) ? 0x20 : 0;
}

void
net_if_inet6(struct text *t, struct network *n)
{
	uint32_t count;
	struct address_info *all = network_addresses(n, &count);
	struct interface_info i;

	for (uint32_t k = 0; k < count; k++) {
		if (ip_address_is_v4(&all[k].address) || network_interface(n, all[k].interface, &i) < 0)
			continue;
		print_v6(t, &all[k].address);
		text_print(t, " %02x %02x %02x %02x %8s\n", i.index, all[k].bits, scope_bits(&all[k]), all[k].flags & 0xffu, i.name);
	}
	kvfree(all);
}
