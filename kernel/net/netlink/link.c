/* SPDX-License-Identifier: MIT */
/*
 * link.c - NETLINK_ROUTE about interfaces: ip-link(8).
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "rtnetlink.h"

struct ifinfomsg {
	uint8_t family, pad;
	uint16_t kind;
	int32_t index;
	uint32_t flags, change;
};
_Static_assert(sizeof(struct ifinfomsg) == 16, "Linux's layout");

enum { IFLA_ADDRESS = 1, IFLA_BROADCAST, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_QDISC, IFLA_STATS, IFLA_MASTER = 10,
       IFLA_TXQLEN = 13, IFLA_OPERSTATE = 16, IFLA_LINKMODE, IFLA_LINKINFO, IFLA_NET_NS_PID, IFLA_IFALIAS, IFLA_STATS64 = 23,
       IFLA_AF_SPEC = 26, IFLA_GROUP, IFLA_NET_NS_FD, IFLA_PROMISCUITY = 30,
       IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES, IFLA_CARRIER, IFLA_CARRIER_CHANGES = 35, IFLA_PROTO_DOWN = 39,
       IFLA_GSO_MAX_SEGS, IFLA_GSO_MAX_SIZE, IFLA_CARRIER_UP_COUNT = 47, IFLA_CARRIER_DOWN_COUNT, IFLA_MIN_MTU = 50,
       IFLA_MAX_MTU, IFLA_GRO_MAX_SIZE = 58, IFLA_TSO_MAX_SIZE, IFLA_TSO_MAX_SEGS, IFLA_ALLMULTI, IFLA_LIMIT = 64 };

enum { IFLA_INET_CONF = 1, IFLA_INET6_FLAGS = 1, IFLA_INET6_CONF, IFLA_INET6_ADDR_GEN_MODE = 8 };

#define IF_READY     0x80000000u /* IFLA_INET6_FLAGS: IPv6 is at work there */
#define SEGMENTS_MAX 65535u   /* offloads, as they are of an interface that says nothing of them */
#define SIZE_MAX_OFFLOAD 65536u
#define TSO_SIZE_MAX 524280u

static void
put_counts(struct netlink_out *o, const struct interface_info *i)
{
	uint64_t wide[25] = { i->received.packets, i->sent.packets, i->received.bytes, i->sent.bytes, i->received.errors,
			      i->sent.errors, i->received.dropped, i->sent.dropped, i->received.multicast };
	uint32_t narrow[24];

	for (unsigned k = 0; k < 24; k++)
		narrow[k] = (uint32_t)wide[k];
	netlink_put(o, IFLA_STATS64, wide, sizeof(wide));
	netlink_put(o, IFLA_STATS, narrow, sizeof(narrow));
}

/* RFC 2863's ifOperStatus, as Linux numbers it. */
static uint8_t
operational_state(const struct interface_info *i)
{
	enum { UNKNOWN, DOWN = 2, UP = 6 };

	if (!(i->flags & INTERFACE_UP))
		return DOWN;
	if (i->flags & INTERFACE_LOOPBACK)
		return UNKNOWN;
	return i->carrier ? UP : DOWN;
}

/* What the two versions add: settings, numbered as linux/ip.h and linux/ipv6.h do; those that are not said are 0. */
static void
put_families(struct netlink_out *o)
{
	uint32_t v4[33] = { [3] = 1, [4] = 1, [6] = 1 }; /* redirects are taken, and sent; media are shared */
	uint32_t v6[57] = { [1] = 64, [2] = 1280, [3] = 1, [4] = 1, [5] = 1 };
	size_t all = netlink_nest(o, IFLA_AF_SPEC), one = netlink_nest(o, AF_INET);

	netlink_put(o, IFLA_INET_CONF, v4, sizeof(v4));
	netlink_unnest(o, one);
	one = netlink_nest(o, AF_INET6);
	netlink_put_u32(o, IFLA_INET6_FLAGS, IF_READY);
	netlink_put(o, IFLA_INET6_CONF, v6, sizeof(v6));
	netlink_put_u8(o, IFLA_INET6_ADDR_GEN_MODE, 0); /* by the hardware address */
	netlink_unnest(o, one);
	netlink_unnest(o, all);
}

void
rtnetlink_put_link(struct netlink_out *o, const struct interface_info *i, uint16_t type)
{
	struct ifinfomsg *m = netlink_begin(o, type, 0, sizeof(*m));

	if (!m)
		return;
	m->kind = i->kind;
	m->index = (int32_t)i->index;
	m->flags = i->flags;
	netlink_put_string(o, IFLA_IFNAME, i->name);
	netlink_put_u32(o, IFLA_TXQLEN, i->queue_length);
	netlink_put_u8(o, IFLA_OPERSTATE, operational_state(i));
	netlink_put_u8(o, IFLA_LINKMODE, 0);
	netlink_put_u32(o, IFLA_MTU, i->mtu);
	netlink_put_u32(o, IFLA_MIN_MTU, 0);
	netlink_put_u32(o, IFLA_MAX_MTU, 0);
	netlink_put_u32(o, IFLA_GROUP, i->group);
	netlink_put_u32(o, IFLA_PROMISCUITY, (i->flags & INTERFACE_PROMISCUOUS) != 0);
	netlink_put_u32(o, IFLA_NUM_TX_QUEUES, 1);
	netlink_put_u32(o, IFLA_NUM_RX_QUEUES, 1);
	netlink_put_u8(o, IFLA_CARRIER, (i->flags & INTERFACE_UP) && i->carrier);
	netlink_put_u32(o, IFLA_ALLMULTI, (i->flags & INTERFACE_ALL_MULTICAST) != 0);
	netlink_put_u32(o, IFLA_GSO_MAX_SEGS, SEGMENTS_MAX);
	netlink_put_u32(o, IFLA_GSO_MAX_SIZE, SIZE_MAX_OFFLOAD);
	netlink_put_u32(o, IFLA_GRO_MAX_SIZE, SIZE_MAX_OFFLOAD);
	netlink_put_u32(o, IFLA_TSO_MAX_SIZE, TSO_SIZE_MAX);
	netlink_put_u32(o, IFLA_TSO_MAX_SEGS, SEGMENTS_MAX);
	netlink_put_u32(o, IFLA_CARRIER_CHANGES, 0);
	netlink_put_u32(o, IFLA_CARRIER_UP_COUNT, 0);
	netlink_put_u32(o, IFLA_CARRIER_DOWN_COUNT, 0);
	netlink_put_u8(o, IFLA_PROTO_DOWN, 0);
	netlink_put_string(o, IFLA_QDISC, !i->was_up ? "noop" : i->flags & INTERFACE_LOOPBACK ? "noqueue" : "pfifo_fast");
	if (i->address_length) {
		netlink_put(o, IFLA_ADDRESS, i->address, i->address_length);
		netlink_put(o, IFLA_BROADCAST, i->broadcast, i->address_length);
	}
	put_counts(o, i);
	put_families(o);
	netlink_end(o);
}

static int
find_link(const struct netlink_request *r, const struct ifinfomsg *m, const struct nlattr **a, struct interface_info *out)
{
	char name[INTERFACE_NAME_MAX + 1];
	int error;

	if (m->index > 0)
		return network_interface(r->network, (uint32_t)m->index, out);
	if (m->index < 0 || !a[IFLA_IFNAME])
		return -EINVAL;
	error = netlink_string(a[IFLA_IFNAME], name, sizeof(name));
	return error ? error : network_interface_named(r->network, name, out);
}

static int
show_links(const struct netlink_request *r, struct netlink_out *o)
{
	uint32_t count;
	struct interface_info *all = network_interfaces(r->network, &count);

	if (!all)
		return -ENOBUFS;
	for (uint32_t i = 0; i < count; i++)
		rtnetlink_put_link(o, &all[i], RTM_LINK);
	kvfree(all);
	return 1;
}

/* A new one: which kinds can be made here is what others have to say; none. */
static int
make_link(const struct nlattr **a, struct netlink_out *o)
{
	if (a[IFLA_LINKINFO])
		netlink_complain(o, "Unknown device type");
	return -EOPNOTSUPP;
}

static bool
is_other(const struct nlattr *a, const void *now, size_t size)
{
	return a && (netlink_size(a) != size || memcmp(netlink_data(a), now, size) != 0);
}

/* How a link's own address of IPv6 is made: by its hardware address, whoever wants it otherwise. */
static bool
is_other_generation(const struct nlattr *families)
{
	const struct nlattr *family[AF_INET6 + 1], *a[IFLA_INET6_ADDR_GEN_MODE + 1];
	uint8_t now = 0;

	netlink_parse_nest(families, family, AF_INET6);
	netlink_parse_nest(family[AF_INET6], a, IFLA_INET6_ADDR_GEN_MODE);
	return is_other(a[IFLA_INET6_ADDR_GEN_MODE], &now, sizeof(now));
}

/* What nobody can change here is refused and not passed over, but to what it is already. */
static int
check_change(const struct netlink_request *r, const struct nlattr **a, const struct interface_info *i)
{
	uint32_t master = netlink_u32(a[IFLA_MASTER], 0);
	struct interface_info of;

	if (a[IFLA_NET_NS_PID] || a[IFLA_NET_NS_FD])
		return i->flags & INTERFACE_LOOPBACK ? -EINVAL : -EOPNOTSUPP;
	if (master)
		return network_interface(r->network, master, &of) ? -EINVAL : -EOPNOTSUPP;
	if (is_other(a[IFLA_ADDRESS], i->address, i->address_length) ||
	    is_other(a[IFLA_BROADCAST], i->broadcast, i->address_length) ||
	    netlink_u32(a[IFLA_GROUP], i->group) != i->group || (a[IFLA_IFALIAS] && netlink_size(a[IFLA_IFALIAS]) > 1) ||
	    is_other_generation(a[IFLA_AF_SPEC]))
		return -EOPNOTSUPP;
	return 0;
}

static int
change_link(const struct netlink_request *r, const struct ifinfomsg *m, const struct nlattr **a, struct netlink_out *o)
{
	struct interface_info i;
	char name[INTERFACE_NAME_MAX + 1];
	int error = find_link(r, m, a, &i);

	if (r->header->type != RTM_SETLINK && (error == -ENODEV || (m->index == 0 && !a[IFLA_IFNAME])))
		return r->header->flags & NLM_F_CREATE ? make_link(a, o) : -ENODEV;
	if (!error && (r->header->flags & NLM_F_EXCL))
		return -EEXIST;
	if (!error)
		error = check_change(r, a, &i);
	if (!error && a[IFLA_IFNAME]) {
		error = netlink_string(a[IFLA_IFNAME], name, sizeof(name));
		if (!error && strcmp(name, i.name) != 0)
			error = interface_rename(r->network, i.index, name);
	}
	if (!error && a[IFLA_MTU])
		error = interface_set_mtu(r->network, i.index, netlink_u32(a[IFLA_MTU], 0));
	if (!error && a[IFLA_TXQLEN])
		error = interface_set_queue_length(r->network, i.index, netlink_u32(a[IFLA_TXQLEN], 0));
	if (!error && (m->flags || m->change))
		error = interface_set_flags(r->network, i.index, m->flags, m->change ? m->change : INTERFACE_SETTABLE);
	return error;
}

int
rtnetlink_link_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o)
{
	const struct nlattr *a[IFLA_LIMIT + 1];
	const struct ifinfomsg *m = r->body;
	struct interface_info i;
	int error;

	if (act == GET && dump)
		return show_links(r, o);
	error = netlink_parse(r, sizeof(*m), a, IFLA_LIMIT);
	if (error)
		return error;
	if (act == NEW)
		return change_link(r, m, a, o);
	error = find_link(r, m, a, &i);
	if (error)
		return error;
	if (act == DELETE)
		return -EOPNOTSUPP;
	rtnetlink_put_link(o, &i, RTM_LINK);
	return 0;
}
