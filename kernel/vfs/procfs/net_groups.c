/* SPDX-License-Identifier: MIT */
/*
 * net_groups.c - /proc/PID/net: multicast groups, as netstat(8) and ip-maddress(8) read them, and the addresses by which
 * Ethernet knows them.
 *
 * Beside those that sockets have joined there are groups that each interface is in by itself: RFC 1112, 4; RFC 4291, 2.8.
 * The newest stands first.
 */
#include <tessera/ip.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "net.h"

/* Of a group of IPv6, as Linux shows them. */
#define AT_LINK   0x4u /* the link was told to receive it */
#define UNTOLD    0x8u /* routers are not told of it */

struct membership {
	struct ip_address group;
	uint32_t users;
};

/* All groups of one interface. */
struct memberships {
	struct membership *each;       /* room for `all` sockets' groups and those of the interface itself */
	uint32_t count;
};

static void
add(struct memberships *m, const struct ip_address *group, uint32_t users)
{
	uint32_t i;

	for (i = 0; i < m->count; i++)
		if (ip_address_equal(&m->each[i].group, group))
			break;
	if (i == m->count)
		m->each[m->count++] = (struct membership){ .group = *group };
	m->each[i].users += users;
}

/* ff0S::1, for scope S. */
static struct ip_address
all_nodes(uint8_t scope)
{
	return (struct ip_address){ .bytes = { 0xff, scope, [15] = 1 } };
}

/* Who looks for the neighbour `a` asks in ff02::1:ff00:0 with the last 24 bits of it. */
static struct ip_address
solicited_node(const struct ip_address *a)
{
	struct ip_address g = { .bytes = { 0xff, 0x02, [11] = 1, [12] = 0xff } };

	memcpy(&g.bytes[13], &a->bytes[13], 3);
	return g;
}

struct listing {
	struct group_info *joined;
	struct address_info *own;
	uint32_t joined_count, own_count;
};

/* Those of the interface in the order in which they came, of one version of IP. */
static void
collect(struct memberships *m, const struct listing *l, const struct interface_info *i, bool v6)
{
	struct ip_address all = ip_address_v4(host_to_net32(0xe0000001)), near = all_nodes(1), link = all_nodes(2);

	m->count = 0;
	if (v6) {
		add(m, &near, 1);
		add(m, &link, 1);
	} else if (i->flags & INTERFACE_UP) {
		add(m, &all, 1);
	}
	for (uint32_t k = 0; v6 && i->kind == LINK_ETHERNET && k < l->own_count; k++)
		if (l->own[k].interface == i->index && !ip_address_is_v4(&l->own[k].address)) {
			struct ip_address g = solicited_node(&l->own[k].address);

			add(m, &g, 1);
		}
	for (uint32_t k = 0; k < l->joined_count; k++)
		if (l->joined[k].interface == i->index && ip_address_is_v4(&l->joined[k].group) != v6)
			add(m, &l->joined[k].group, l->joined[k].users);
}

static void
print_v4(struct text *t, const struct interface_info *i, const struct memberships *m)
{
	if (m->count)
		text_print(t, "%u\t%-10s: %5u %7s\n", i->index, i->name, m->count, "V3");
	for (uint32_t k = m->count; k-- > 0;)
		text_print(t, "\t\t\t\t%08X %5u 0:00000000\t\t0\n", m->each[k].group.words[3], m->each[k].users);
}

static void
print_v6(struct text *t, const struct interface_info *i, const struct memberships *m)
{
	for (uint32_t k = m->count; k-- > 0;) {
		const struct ip_address *g = &m->each[k].group;
		uint8_t scope = g->bytes[1] & 0xf;
		struct ip_address link = all_nodes(2);
		uint32_t flags = (scope < 2 ? 0 : AT_LINK) | (scope < 2 || ip_address_equal(g, &link) ? UNTOLD : 0);

		text_print(t, "%-4u %-15s ", i->index, i->name);
		for (unsigned int b = 0; b < sizeof(g->bytes); b++)
			text_print(t, "%02x", g->bytes[b]);
		text_print(t, " %5u %08X 0\n", m->each[k].users, flags);
	}
}

/* RFC 1112, 6.4 and RFC 2464, 7. */
static void
print_link(struct text *t, const struct interface_info *i, const struct memberships *m)
{
	if (i->kind != LINK_ETHERNET)
		return;
	for (uint32_t k = 0; k < m->count; k++) {
		const uint8_t *g = m->each[k].group.bytes;

		if (ip_address_is_v4(&m->each[k].group))
			text_print(t, "%-4u %-15s 1     0     01005e%02x%02x%02x\n", i->index, i->name, g[13] & 0x7fu, g[14], g[15]);
		else if ((g[1] & 0xf) >= 2)
			text_print(t, "%-4u %-15s 1     0     3333%02x%02x%02x%02x\n", i->index, i->name, g[12], g[13], g[14],
				   g[15]);
	}
}

typedef void print_function(struct text *t, const struct interface_info *i, const struct memberships *m);

static void
show(struct text *t, struct network *n, bool v4, bool v6, print_function *print)
{
	uint32_t count;
	struct interface_info *all = network_interfaces(n, &count);
	struct listing l;
	struct memberships m;

	l.joined = network_groups(n, &l.joined_count);
	l.own = network_addresses(n, &l.own_count);
	m.each = kvmalloc((l.joined_count + l.own_count + 2) * sizeof(*m.each));
	for (uint32_t i = 0; m.each && i < count; i++) {
		if (v6) {
			collect(&m, &l, &all[i], true);
			print(t, &all[i], &m);
		}
		if (v4) {
			collect(&m, &l, &all[i], false);
			print(t, &all[i], &m);
		}
	}
	kvfree(m.each);
	kvfree(l.own);
	kvfree(l.joined);
	kvfree(all);
}

void
net_igmp(struct text *t, struct network *n)
{
	text_print(t, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	show(t, n, true, false, print_v4);
}

void
net_igmp6(struct text *t, struct network *n)
{
	show(t, n, false, true, print_v6);
}

void
net_dev_mcast(struct text *t, struct network *n)
{
	show(t, n, true, true, print_link);
}
