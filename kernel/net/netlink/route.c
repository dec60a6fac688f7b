/* SPDX-License-Identifier: MIT */
/*
 * route.c - NETLINK_ROUTE about routes and the rules that choose their tables: ip-route(8), ip-rule(8).
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "../config/config.h"
#include "rtnetlink.h"

struct rtmsg {
	uint8_t family, bits, source_bits, tos, table, protocol, scope, type;
	uint32_t flags;
};
_Static_assert(sizeof(struct rtmsg) == 12, "Linux's layout");

enum { RTA_DST = 1, RTA_SRC, RTA_OIF = 4, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_CACHEINFO = 12, RTA_TABLE = 15,
       RTA_PREF = 20, RTA_UID = 25, RTA_LIMIT = 32 };
enum { RTAX_LOCK = 1, RTAX_MTU };        /* within RTA_METRICS */
#define CACHE_EXPIRES 2                  /* struct rta_cacheinfo's word: in hundredths of a second */

/* rtmsg.flags */
#define RTM_F_CLONED   0x200u
#define RTCF_BROADCAST 0x10000000u
#define RTCF_MULTICAST 0x20000000u
#define RTCF_LOCAL     0x80000000u

struct fib_rule_hdr {
	uint8_t family, to_bits, from_bits, tos, table, pad1, pad2, action;
	uint32_t flags;
};
_Static_assert(sizeof(struct fib_rule_hdr) == 12, "Linux's layout");

enum { FRA_PRIORITY = 6, FRA_TABLE = 15 };

void
rtnetlink_put_route(struct netlink_out *o, const struct route_info *i, uint16_t type)
{
	struct rtmsg *m = netlink_begin(o, type, 0, sizeof(*m));

	if (!m)
		return;
	m->family = i->v6 ? AF_INET6 : AF_INET;
	m->bits = i->bits;
	m->tos = i->tos;
	m->table = (uint8_t)MIN(i->table, 255u);
	m->protocol = i->protocol;
	m->scope = i->scope;
	m->type = i->type;
	netlink_put_u32(o, RTA_TABLE, i->table);
	if (i->bits)
		rtnetlink_put_address(o, RTA_DST, &i->to);
	if (i->metric || i->v6)
		netlink_put_u32(o, RTA_PRIORITY, i->metric);
	if (!ip_address_is_any(&i->source))
		rtnetlink_put_address(o, RTA_PREFSRC, &i->source);
	if (!ip_address_is_any(&i->gateway))
		rtnetlink_put_address(o, RTA_GATEWAY, &i->gateway);
	if (i->interface)
		netlink_put_u32(o, RTA_OIF, i->interface);
	if (i->v6) {
		uint32_t cache[8] = { 0 };

		netlink_put(o, RTA_CACHEINFO, cache, sizeof(cache));
		netlink_put_u8(o, RTA_PREF, 0);
	}
	netlink_end(o);
}

static int
show_routes(const struct netlink_request *r, struct netlink_out *o)
{
	const struct rtmsg *m = r->body;
	uint8_t family = r->length >= 1 ? m->family : AF_UNSPEC;
	const struct nlattr *a[RTA_LIMIT + 1];
	uint32_t table = 0, count;
	struct route_info *all;

	if (netlink_parse(r, sizeof(*m), a, RTA_LIMIT) == 0)
		table = netlink_u32(a[RTA_TABLE], m->table);
	all = network_routes(r->network, &count);
	if (!all)
		return -ENOBUFS;
	for (uint32_t i = 0; i < count; i++)
		if ((family == AF_UNSPEC || all[i].v6 == (family == AF_INET6)) && (!table || table == all[i].table))
			rtnetlink_put_route(o, &all[i], RTM_ROUTE);
	kvfree(all);
	return 1;
}

/* How long packets may be there, and for how long that is known, where it is not the link that says so. */
static void
put_path_mtu(struct netlink_out *o, const struct way *w)
{
	uint64_t now = clock_monotonic_ns(), left = w->mtu_until > now ? w->mtu_until - now : 0;
	uint32_t cache[8] = { 0 };

	if (left) {
		size_t metrics = netlink_nest(o, RTA_METRICS);

		if (w->may_cut)
			netlink_put_u32(o, RTAX_LOCK, 1u << RTAX_MTU);
		netlink_put_u32(o, RTAX_MTU, w->mtu);
		netlink_unnest(o, metrics);
		cache[CACHE_EXPIRES] = (uint32_t)(left / (NSEC_PER_SEC / 100));
	}
	netlink_put(o, RTA_CACHEINFO, cache, sizeof(cache));
}

/* What IPv4 found is told as a route made for the occasion, to that address alone. */
static void
put_way_v4(struct netlink_out *o, const struct route_info *asked, const struct way *w)
{
	struct rtmsg *m = netlink_begin(o, RTM_ROUTE, 0, sizeof(*m));

	if (!m)
		return;
	m->family = AF_INET;
	m->bits = 32;
	m->table = ROUTE_TABLE_MAIN; /* with which the local one is one, as long as there are no rules but the usual ones */
	m->type = w->type;
	m->flags = RTM_F_CLONED | (w->local ? RTCF_LOCAL : 0) |
		   (w->type == ROUTE_BROADCAST ? RTCF_BROADCAST : w->type == ROUTE_MULTICAST ? RTCF_MULTICAST : 0);
	rtnetlink_put_address(o, RTA_DST, &asked->to);
	netlink_put_u32(o, RTA_TABLE, ROUTE_TABLE_MAIN);
	if (!ip_address_is_any(&asked->source))
		rtnetlink_put_address(o, RTA_SRC, &asked->source);
	if (w->interface)
		netlink_put_u32(o, RTA_OIF, w->interface);
	if (ip_address_is_any(&asked->source))
		rtnetlink_put_address(o, RTA_PREFSRC, &w->source);
	if (!ip_address_equal(&w->next, &asked->to))
		rtnetlink_put_address(o, RTA_GATEWAY, &w->next);
	netlink_put_u32(o, RTA_UID, uid_shown(current_cred()->euid));
	put_path_mtu(o, w);
	netlink_end(o);
}

/* IPv6 tells the route that it found. */
static void
put_way_v6(struct netlink_out *o, const struct route_info *asked, const struct route_info *by, const struct way *w)
{
	struct rtmsg *m = netlink_begin(o, RTM_ROUTE, 0, sizeof(*m));

	if (!m)
		return;
	m->family = AF_INET6;
	m->bits = 128;
	m->source_bits = 128;
	m->table = (uint8_t)MIN(by->table, 255u);
	m->protocol = by->protocol;
	m->type = w->type;
	netlink_put_u32(o, RTA_TABLE, by->table);
	rtnetlink_put_address(o, RTA_DST, &asked->to);
	rtnetlink_put_address(o, RTA_SRC, &asked->source);
	if (w->interface)
		netlink_put_u32(o, RTA_OIF, w->interface);
	rtnetlink_put_address(o, RTA_PREFSRC, &w->source);
	if (!ip_address_equal(&w->next, &asked->to))
		rtnetlink_put_address(o, RTA_GATEWAY, &w->next);
	netlink_put_u32(o, RTA_PRIORITY, by->metric);
	put_path_mtu(o, w);
	netlink_put_u8(o, RTA_PREF, 0);
	netlink_end(o);
}

/* ip route get: which way would it take? */
static int
show_way(const struct netlink_request *r, const struct route_info *asked, struct netlink_out *o)
{
	struct route_info by;
	struct way w;
	int error = find_way_and_route(r->network, &asked->to, &asked->source, asked->interface, &w, &by);

	if (error)
		return error;
	if (!by.table)
		by.table = ROUTE_TABLE_MAIN;
	if (asked->v6)
		put_way_v6(o, asked, &by, &w);
	else
		put_way_v4(o, asked, &w);
	return 0;
}

static int
get_route(const struct netlink_request *r, struct route_info *i)
{
	const struct nlattr *a[RTA_LIMIT + 1];
	const struct rtmsg *m = r->body;
	int error = netlink_parse(r, sizeof(*m), a, RTA_LIMIT);

	if (!error && !rtnetlink_is_family(m->family))
		error = -EOPNOTSUPP;
	if (error)
		return error;
	*i = (struct route_info){ .v6 = m->family == AF_INET6, .bits = m->bits, .tos = m->tos, .type = m->type,
				  .scope = m->scope, .protocol = m->protocol };
	error = rtnetlink_get_address(a[RTA_DST], m->family, &i->to);
	if (!error)
		error = rtnetlink_get_address(a[RTA_GATEWAY], m->family, &i->gateway);
	if (!error)
		error = rtnetlink_get_address(a[RTA_PREFSRC], m->family, &i->source);
	if (!error && r->header->type == RTM_ROUTE + GET && a[RTA_SRC])
		error = rtnetlink_get_address(a[RTA_SRC], m->family, &i->source);
	i->interface = netlink_u32(a[RTA_OIF], 0);
	i->metric = netlink_u32(a[RTA_PRIORITY], 0);
	i->table = netlink_u32(a[RTA_TABLE], m->table);
	if (i->bits > (i->v6 ? 128 : 32))
		error = -EINVAL;
	return error;
}

int
rtnetlink_route_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o)
{
	struct ip_address prefix;
	struct route_info i;
	int error;

	if (act == GET && dump)
		return show_routes(r, o);
	error = get_route(r, &i);
	if (error)
		return error;
	if (act == GET)
		return show_way(r, &i, o);
	prefix = prefix_of(&i.to, i.bits);
	if (!i.v6 && !ip_address_equal(&prefix, &i.to)) {
		netlink_complain(o, "Invalid prefix for given prefix length");
		return -EINVAL;
	}
	i.to = prefix;
	if (!i.table)
		i.table = ROUTE_TABLE_MAIN;
	if (act == DELETE)
		return route_remove(r->network, &i);
	if (!(r->header->flags & NLM_F_CREATE) && !(r->header->flags & NLM_F_REPLACE))
		return -ENOENT;
	if (i.v6 && !i.metric)
		i.metric = 1024;
	if (!i.type)
		i.type = ROUTE_UNICAST;
	error = route_add(r->network, &i, r->header->flags & NLM_F_REPLACE);
	if (error == -ENETUNREACH)
		netlink_complain(o, "Nexthop has invalid gateway");
	return error;
}

/* --- rules: the three that are always there --------------------------------------------------------------- */

static int
show_rules(const struct netlink_request *r, struct netlink_out *o)
{
	static const struct { uint32_t priority; uint8_t table; } rules[] = { { 0, 255 }, { 32766, 254 }, { 32767, 253 } };
	uint8_t family = r->length >= 1 ? *(const uint8_t *)r->body : AF_INET;

	for (unsigned i = 0; i < (family == AF_INET6 ? 2 : ARRAY_SIZE(rules)); i++) {
		struct fib_rule_hdr *m = netlink_begin(o, RTM_RULE, 0, sizeof(*m));

		if (!m)
			return -ENOBUFS;
		m->family = family == AF_INET6 ? AF_INET6 : AF_INET;
		m->table = rules[i].table;
		m->action = 1; /* look into the table */
		netlink_put_u32(o, FRA_TABLE, rules[i].table);
		netlink_put_u32(o, FRA_PRIORITY, rules[i].priority);
		netlink_end(o);
	}
	return 1;
}

int
rtnetlink_rule_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o)
{
	return act == GET && dump ? show_rules(r, o) : -EOPNOTSUPP;
}
