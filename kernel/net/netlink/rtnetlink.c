/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink.c - NETLINK_ROUTE: interfaces, addresses, routes and neighbours are shown, changed and told of. rtnetlink(7).
 *
 * Each kind has four messages, NEW, DEL, GET and (of links) SET, numbered in a row. A GET with NLM_F_DUMP shows all.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../door/door.h"
#include "rtnetlink.h"

/* Groups that are told. */
#define GROUP_LINK        1u
#define GROUP_NEIGHBOUR   3u
#define GROUP_V4_ADDRESS  5u
#define GROUP_V4_ROUTE    7u
#define GROUP_V6_ADDRESS  9u
#define GROUP_V6_ROUTE    11u
#define GROUPS            36u

#define NETNSA_NSID 1u

/* --- addresses in attributes ------------------------------------------------------------------------ */

uint8_t
rtnetlink_family(const struct ip_address *a)
{
	return ip_address_is_v4(a) ? AF_INET : AF_INET6;
}

void
rtnetlink_put_address(struct netlink_out *o, uint16_t type, const struct ip_address *a)
{
	if (ip_address_is_v4(a))
		netlink_put(o, type, &a->words[3], 4);
	else
		netlink_put(o, type, a->bytes, 16);
}

int
rtnetlink_get_address(const struct nlattr *a, uint8_t family, struct ip_address *out)
{
	uint32_t v4;

	*out = family == AF_INET ? ip_address_v4(0) : (struct ip_address){ 0 };
	if (!a)
		return 0;
	if (netlink_size(a) < (family == AF_INET ? 4u : 16u))
		return -EINVAL;
	if (family == AF_INET) {
		memcpy(&v4, netlink_data(a), sizeof(v4));
		*out = ip_address_v4(v4);
	} else {
		memcpy(out->bytes, netlink_data(a), 16);
	}
	return 0;
}

bool
rtnetlink_is_family(uint8_t family)
{
	return family == AF_INET || family == AF_INET6;
}

/* --- requests and events ------------------------------------------------------------------------------------ */

/* By which number a network knows another one: none has been given one. */
static int
show_network_number(struct netlink_out *o)
{
	uint8_t *body = netlink_begin(o, RTM_NETWORK, 0, 4);

	if (!body)
		return -ENOBUFS;
	netlink_put_u32(o, NETNSA_NSID, UINT32_MAX);
	netlink_end(o);
	return 0;
}

static int
request(const struct netlink_request *r, struct netlink_out *o)
{
	bool dump = (r->header->flags & NLM_F_DUMP) == NLM_F_DUMP;
	uint16_t type = r->header->type;
	enum act act = type == RTM_SETLINK ? NEW : (enum act)(type & 3);

	if (r->length < 1)
		return 0;
	if (type != RTM_SETLINK && (type & 3) == 3)
		return -EOPNOTSUPP;
	if (act != GET && !r->privileged)
		return -EPERM;
	if (act == DELETE && (r->header->flags & NLM_F_BULK))
		return -EOPNOTSUPP;
	switch (type & ~3u) {
	case RTM_LINK:
		return rtnetlink_link_request(r, act, dump, o);
	case RTM_ADDRESS:
		return rtnetlink_address_request(r, act, dump, o);
	case RTM_ROUTE:
		return rtnetlink_route_request(r, act, dump, o);
	case RTM_NEIGHBOUR:
		return rtnetlink_neighbour_request(r, act, dump, o);
	case RTM_RULE:
		return rtnetlink_rule_request(r, act, dump, o);
	case RTM_NETWORK:
		return act == GET && !dump ? show_network_number(o) : -EOPNOTSUPP;
	case RTM_NEXT_HOP: /* there are none beside routes */
		return act == GET && dump ? 1 : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

const struct netlink_protocol netlink_route = { .name = "route", .groups = GROUPS, .request = request };

static uint32_t
group_of(enum network_event what, const void *info)
{
	switch (what) {
	case NETWORK_LINK:
	case NETWORK_LINK_GONE:
		return GROUP_LINK;
	case NETWORK_ADDRESS:
	case NETWORK_ADDRESS_GONE:
		return ip_address_is_v4(&((const struct address_info *)info)->address) ? GROUP_V4_ADDRESS : GROUP_V6_ADDRESS;
	case NETWORK_ROUTE:
	case NETWORK_ROUTE_GONE:
		return ((const struct route_info *)info)->v6 ? GROUP_V6_ROUTE : GROUP_V4_ROUTE;
	default:
		return GROUP_NEIGHBOUR;
	}
}

void
netlink_network_changed(struct network *n, enum network_event what, const void *info)
{
	struct netlink_out o = { 0 };
	uint32_t group = group_of(what, info);

	door_config_changed(n, what, info);
	if (!netlink_has_listeners(n, NETLINK_ROUTE, group))
		return;
	switch (what) {
	case NETWORK_LINK:
	case NETWORK_LINK_GONE:
		rtnetlink_put_link(&o, info, RTM_LINK + (what == NETWORK_LINK_GONE));
		break;
	case NETWORK_ADDRESS:
	case NETWORK_ADDRESS_GONE:
		rtnetlink_put_own(&o, info, RTM_ADDRESS + (what == NETWORK_ADDRESS_GONE));
		break;
	case NETWORK_ROUTE:
	case NETWORK_ROUTE_GONE:
		rtnetlink_put_route(&o, info, RTM_ROUTE + (what == NETWORK_ROUTE_GONE));
		break;
	default:
		rtnetlink_put_neighbour(&o, info, RTM_NEIGHBOUR + (what == NETWORK_NEIGHBOUR_GONE));
	}
	netlink_tell_group(n, NETLINK_ROUTE, group, &o);
}
