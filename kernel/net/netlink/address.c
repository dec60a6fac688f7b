/* SPDX-License-Identifier: MIT */
/*
 * address.c - NETLINK_ROUTE about addresses of ours and of neighbours: ip-address(8), ip-neighbour(8).
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "rtnetlink.h"

#define ALWAYS UINT32_MAX  /* a lifetime without an end, in seconds */

struct ifaddrmsg {
	uint8_t family, bits, flags, scope;
	uint32_t index;
};
_Static_assert(sizeof(struct ifaddrmsg) == 8, "Linux's layout");

enum { IFA_ADDRESS = 1, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO = 6, IFA_FLAGS = 8, IFA_LIMIT = 12 };

struct ndmsg {
	uint8_t family, pad1;
	uint16_t pad2;
	int32_t index;
	uint16_t state;
	uint8_t flags, type;
};
_Static_assert(sizeof(struct ndmsg) == 12, "Linux's layout");

enum { NDA_DST = 1, NDA_LLADDR, NDA_CACHEINFO, NDA_PROBES, NDA_LIMIT = 16 };

static uint32_t
seconds_left(deadline_t until)
{
	uint64_t now = clock_monotonic_ns();

	if (until == DEADLINE_NEVER)
		return ALWAYS;
	return until > now ? (uint32_t)MIN((until - now) / NSEC_PER_SEC, (uint64_t)ALWAYS - 1) : 0;
}

void
rtnetlink_put_own(struct netlink_out *o, const struct address_info *i, uint16_t type)
{
	struct ifaddrmsg *m = netlink_begin(o, type, 0, sizeof(*m));
	bool v4 = ip_address_is_v4(&i->address);
	uint32_t times[4] = { seconds_left(i->preferred_until), seconds_left(i->valid_until), 0, 0 };

	if (!m)
		return;
	m->family = rtnetlink_family(&i->address);
	m->bits = i->bits;
	m->flags = (uint8_t)i->flags;
	m->scope = i->scope;
	m->index = i->interface;
	if (v4 || !ip_address_equal(&i->peer, &i->address))
		rtnetlink_put_address(o, IFA_ADDRESS, &i->peer);
	else
		rtnetlink_put_address(o, IFA_ADDRESS, &i->address);
	if (v4 || !ip_address_equal(&i->peer, &i->address))
		rtnetlink_put_address(o, IFA_LOCAL, &i->address);
	if (v4 && !ip_address_is_any(&i->broadcast))
		rtnetlink_put_address(o, IFA_BROADCAST, &i->broadcast);
	if (v4)
		netlink_put_string(o, IFA_LABEL, i->label);
	netlink_put_u32(o, IFA_FLAGS, i->flags);
	netlink_put(o, IFA_CACHEINFO, times, sizeof(times));
	netlink_end(o);
}

static int
show_addresses(const struct netlink_request *r, struct netlink_out *o)
{
	const struct ifaddrmsg *m = r->body;
	uint8_t family = r->length >= 1 ? m->family : AF_UNSPEC;
	uint32_t only = r->length >= sizeof(*m) ? m->index : 0, count;
	struct address_info *all = network_addresses(r->network, &count);

	if (!all)
		return -ENOBUFS;
	for (int pass = 0; pass < 2; pass++) /* IPv4's first */
		for (uint32_t i = 0; i < count; i++)
			if (ip_address_is_v4(&all[i].address) == (pass == 0) &&
			    (family == AF_UNSPEC || family == rtnetlink_family(&all[i].address)) &&
			    (!only || only == all[i].interface))
				rtnetlink_put_own(o, &all[i], RTM_ADDRESS);
	kvfree(all);
	return 1;
}

static deadline_t
until(uint32_t seconds)
{
	return seconds == ALWAYS ? DEADLINE_NEVER : deadline_after(seconds * NSEC_PER_SEC);
}

int
rtnetlink_address_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o)
{
	const struct nlattr *a[IFA_LIMIT + 1];
	const struct ifaddrmsg *m = r->body;
	struct address_info i = { .valid_until = DEADLINE_NEVER, .preferred_until = DEADLINE_NEVER };
	struct interface_info on;
	int error;

	if (act == GET)
		return dump ? show_addresses(r, o) : -EOPNOTSUPP;
	error = netlink_parse(r, sizeof(*m), a, IFA_LIMIT);
	if (!error && !rtnetlink_is_family(m->family))
		error = -EOPNOTSUPP;
	if (!error && !a[IFA_LOCAL] && !a[IFA_ADDRESS])
		error = act == NEW || m->family == AF_INET6 ? -EINVAL : -EADDRNOTAVAIL;
	if (!error)
		error = rtnetlink_get_address(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], m->family, &i.address);
	if (!error)
		error = rtnetlink_get_address(a[IFA_ADDRESS] ? a[IFA_ADDRESS] : a[IFA_LOCAL], m->family, &i.peer);
	if (!error)
		error = rtnetlink_get_address(a[IFA_BROADCAST], m->family, &i.broadcast);
	if (!error)
		error = network_interface(r->network, m->index, &on);
	if (error)
		return error;
	i.interface = m->index;
	i.bits = m->bits;
	i.scope = m->scope;
	i.flags = netlink_u32(a[IFA_FLAGS], m->flags);
	if (m->family == AF_INET6 && ip_address_is_link_local(&i.address))
		i.scope = 253;
	if (a[IFA_CACHEINFO] && netlink_size(a[IFA_CACHEINFO]) >= 8) {
		uint32_t times[2];

		memcpy(times, netlink_data(a[IFA_CACHEINFO]), sizeof(times));
		i.preferred_until = until(times[0]);
		i.valid_until = until(times[1]);
	}
	if (i.valid_until == DEADLINE_NEVER)
		i.flags |= 0x80; /* IFA_F_PERMANENT */
	if (m->family == AF_INET) {
		string_copy(i.label, on.name, sizeof(i.label));
		if (a[IFA_LABEL])
			error = netlink_string(a[IFA_LABEL], i.label, sizeof(i.label));
	}
	if (error)
		return error;
	if (act == DELETE)
		return address_remove(r->network, &i);
	error = address_add(r->network, &i);
	if (error == -EEXIST && (r->header->flags & NLM_F_REPLACE)) {
		address_remove(r->network, &i);
		error = address_add(r->network, &i);
	}
	return error;
}

/* --- neighbours ---------------------------------------------------------------------------------------- */

void
rtnetlink_put_neighbour(struct netlink_out *o, const struct neighbour_info *i, uint16_t type)
{
	struct ndmsg *m = netlink_begin(o, type, 0, sizeof(*m));
	uint32_t cache[4] = { 0 };

	if (!m)
		return;
	m->family = rtnetlink_family(&i->address);
	m->index = (int32_t)i->interface;
	m->state = i->state;
	m->type = ROUTE_UNICAST;
	rtnetlink_put_address(o, NDA_DST, &i->address);
	if (i->link_length)
		netlink_put(o, NDA_LLADDR, i->link, i->link_length);
	netlink_put_u32(o, NDA_PROBES, 0);
	netlink_put(o, NDA_CACHEINFO, cache, sizeof(cache));
	netlink_end(o);
}

static int
show_neighbours(const struct netlink_request *r, struct netlink_out *o)
{
	const struct ndmsg *m = r->body;
	uint8_t family = r->length >= 1 ? m->family : AF_UNSPEC;
	uint32_t count;
	struct neighbour_info *all = network_neighbours(r->network, &count);

	if (!all)
		return -ENOBUFS;
	for (uint32_t i = 0; i < count; i++)
		if (family == AF_UNSPEC || family == rtnetlink_family(&all[i].address))
			rtnetlink_put_neighbour(o, &all[i], RTM_NEIGHBOUR);
	kvfree(all);
	return 1;
}

int
rtnetlink_neighbour_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o)
{
	const struct nlattr *a[NDA_LIMIT + 1];
	const struct ndmsg *m = r->body;
	struct neighbour_info i = { 0 };
	int error;

	if (act == GET && dump)
		return show_neighbours(r, o);
	error = netlink_parse(r, sizeof(*m), a, NDA_LIMIT);
	if (!error && !rtnetlink_is_family(m->family))
		error = -EOPNOTSUPP;
	if (!error && !a[NDA_DST])
		error = -EINVAL;
	if (!error)
		error = rtnetlink_get_address(a[NDA_DST], m->family, &i.address);
	if (error)
		return error;
	i.interface = (uint32_t)m->index;
	i.state = m->state;
	if (a[NDA_LLADDR]) {
		i.link_length = (uint8_t)MIN(netlink_size(a[NDA_LLADDR]), sizeof(i.link));
		memcpy(i.link, netlink_data(a[NDA_LLADDR]), i.link_length);
	}
	if (act == GET)
		return -EOPNOTSUPP;
	return act == NEW ? neighbour_set(r->network, &i) : neighbour_remove(r->network, &i);
}
