/* SPDX-License-Identifier: MIT */
/*
 * route.c - routes, and the way to an address. ip-route(8).
 *
 * One list holds the routes of both versions and of all tables, the longer prefix first and of one length the smaller
 * metric: the first that fits is the best of its table. The local table is asked before the main one.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "config.h"

/* As addresses are numbers: < 0, 0, > 0. */
static int
compare_addresses(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Does the prefix of `a` contain that of `b`? */
static bool
contains(const struct route_info *a, const struct route_info *b)
{
	return a->bits < b->bits && ip_address_matches(&a->to, &b->to, a->bits + (a->v6 ? 0 : 96));
}

/*
 * Is `a` shown before `b`? IPv4's before IPv6's; the main table before the local one; then by address. A prefix that
 * contains another comes before it; of IPv6, and of IPv4 if both begin with the same address, after it.
 */
static bool
shown_before(const struct route_info *a, const struct route_info *b)
{
	int order = compare_addresses(&a->to, &b->to);

	if (a->v6 != b->v6)
		return b->v6;
	if (a->table != b->table)
		return a->table < b->table;
	if (a->v6 && (contains(a, b) || contains(b, a)))
		return contains(b, a);
	if (order)
		return order < 0;
	return a->bits != b->bits ? a->bits > b->bits : a->metric < b->metric;
}

/* Let all[at] sink to its place among those below it, of `count`, where none is shown after the one above it. */
static void
sift(struct route_info *all, uint32_t at, uint32_t count)
{
	uint32_t child;

	for (; (child = 2 * at + 1) < count; at = child) {
		struct route_info r = all[at];

		if (child + 1 < count && shown_before(&all[child], &all[child + 1]))
			child++;
		if (!shown_before(&r, &all[child]))
			return;
		all[at] = all[child];
		all[child] = r;
	}
}

static void
sort(struct route_info *all, uint32_t count)
{
	for (uint32_t i = count / 2; i-- > 0;)
		sift(all, i, count);
	for (uint32_t left = count; left-- > 1;) {
		struct route_info last = all[left];

		all[left] = all[0];
		all[0] = last;
		sift(all, 0, left);
	}
}

struct route_info *
network_routes(struct network *n, uint32_t *count)
{
	struct route_info *all = kvmalloc(ROUTES_MAX * sizeof(*all));
	struct route *r;

	*count = 0;
	if (!all)
		return NULL;
	spin_lock(&n->config_lock);
	list_for_each (r, &n->routes, node)
		all[(*count)++] = r->info;
	spin_unlock(&n->config_lock);
	sort(all, *count);
	return all;
}

/* --- the way ---------------------------------------------------------------------------------------- */

static bool
leads_to(const struct route_info *r, const struct ip_address *to)
{
	bool v6 = !ip_address_is_v4(to);

	return r->v6 == v6 && ip_address_matches(&r->to, to, r->bits + (v6 ? 0 : 96));
}

/* The best route of `table` to `to` by an interface that is up; `interface` 0: by any. config_lock held. */
static const struct route_info *
best(struct network *n, uint32_t table, const struct ip_address *to, uint32_t interface)
{
	struct route *r;

	list_for_each (r, &n->routes, node)
		if (r->info.table == table && leads_to(&r->info, to) &&
		    (!interface || r->info.interface == interface || table == ROUTE_TABLE_LOCAL))
			return &r->info;
	return NULL;
}

/* An address of ours on that interface to send from, of the version and a scope that `to` has. config_lock held. */
static bool
source_on(struct network *n, uint32_t interface, const struct ip_address *to, struct ip_address *out)
{
	bool v4 = ip_address_is_v4(to), near = ip_address_is_link_local(to);
	struct own_address *a;
	bool found = false;

	list_for_each (a, &n->addresses, node) {
		if (a->info.interface != interface || ip_address_is_v4(&a->info.address) != v4)
			continue;
		if (found && (v4 || ip_address_is_link_local(&a->info.address) != near))
			continue;
		*out = a->info.address;
		found = true;
	}
	return found;
}

static int
error_of(enum route_type type)
{
	switch (type) {
	case ROUTE_BLACKHOLE:
		return -EINVAL;
	case ROUTE_UNREACHABLE:
		return -EHOSTUNREACH;
	case ROUTE_PROHIBIT:
		return -EACCES;
	default:
		return 0;
	}
}

/* By a named interface one may go without a route: all there is on the link. config_lock held. */
static int
by_interface(struct network *n, const struct ip_address *to, uint32_t interface, struct way *out)
{
	struct interface *i = interface_find(n, interface);

	if (!i || !(i->info.flags & INTERFACE_UP))
		return -ENETUNREACH;
	out->interface = interface;
	out->next = *to;
	out->mtu = out->link_mtu = i->info.mtu;
	out->link = i->info.link;
	out->type = ip_address_is_multicast(to) ? ROUTE_MULTICAST : ROUTE_UNICAST;
	return 0;
}

static int
by_route(struct network *n, const struct route_info *r, const struct ip_address *to, struct way *out)
{
	struct interface *i = interface_find(n, r->type == ROUTE_LOCAL ? NETWORK_LOOPBACK : r->interface);
	int error = error_of(r->type);

	if (error || !i)
		return error ? error : -ENETUNREACH;
	out->interface = i->info.index;
	out->next = ip_address_is_any(&r->gateway) ? *to : r->gateway;
	out->mtu = out->link_mtu = i->info.mtu;
	out->link = i->info.link;
	out->local = r->type == ROUTE_LOCAL;
	out->type = r->type;
	if (!ip_address_is_any(&r->source) && ip_address_is_any(&out->source))
		out->source = r->source;
	return 0;
}

int
find_way(struct network *n, const struct ip_address *to, const struct ip_address *source, uint32_t interface,
	 struct way *out)
{
	struct route_info by;

	return find_way_and_route(n, to, source, interface, out, &by);
}

int
find_way_and_route(struct network *n, const struct ip_address *to, const struct ip_address *source, uint32_t interface,
		   struct way *out, struct route_info *by)
{
	const struct route_info *r;
	int error;

	*out = (struct way){ .source = *source };
	*by = (struct route_info){ .v6 = !ip_address_is_v4(to), .to = *to };
	spin_lock(&n->config_lock);
	r = best(n, ROUTE_TABLE_LOCAL, to, interface);
	if (!r)
		r = best(n, ROUTE_TABLE_MAIN, to, interface);
	if (r)
		*by = *r;
	if (r)
		error = by_route(n, r, to, out);
	else
		error = interface ? by_interface(n, to, interface, out) : -ENETUNREACH;
	if (!error)
		path_mtu_apply(n, to, out);
	if (!error && ip_address_is_any(&out->source)) {
		if (out->local)
			out->source = *to;
		else if (!source_on(n, out->interface, to, &out->source) && !ip_address_is_v4(to))
			error = -EADDRNOTAVAIL;
	}
	spin_unlock(&n->config_lock);
	if (!error && !out->local && (ip_address_is_multicast(to) || ip_address_is_broadcast(to))) {
		out->type = ip_address_is_multicast(to) ? ROUTE_MULTICAST : ROUTE_BROADCAST;
		out->next = *to; /* it is for all on the link, not for a gateway */
	}
	return error;
}

bool
network_is_local(struct network *n, const struct ip_address *a)
{
	const struct route_info *r;
	bool local;

	spin_lock(&n->config_lock);
	r = best(n, ROUTE_TABLE_LOCAL, a, 0);
	local = r && r->type == ROUTE_LOCAL;
	spin_unlock(&n->config_lock);
	return local;
}

/* --- changes ---------------------------------------------------------------------------------------- */

static bool
comes_before(const struct route_info *a, const struct route_info *b)
{
	return a->bits != b->bits ? a->bits > b->bits : a->metric < b->metric;
}

/* Two that cannot be told apart by whom they are for. */
static bool
same_target(const struct route_info *a, const struct route_info *b)
{
	return a->v6 == b->v6 && a->table == b->table && a->bits == b->bits && ip_address_equal(&a->to, &b->to) &&
	       a->metric == b->metric && a->tos == b->tos;
}

static bool
same(const struct route_info *a, const struct route_info *b)
{
	return same_target(a, b) && a->interface == b->interface && ip_address_equal(&a->gateway, &b->gateway) &&
	       a->type == b->type;
}

static struct route *
find(struct network *n, const struct route_info *like, bool (*alike)(const struct route_info *, const struct route_info *))
{
	struct route *r;

	list_for_each (r, &n->routes, node)
		if (alike(&r->info, like))
			return r;
	return NULL;
}

static void
insert(struct network *n, struct route *fresh)
{
	struct route *r;

	list_for_each (r, &n->routes, node)
		if (comes_before(&fresh->info, &r->info))
			break;
	list_add_tail(&r->node, &fresh->node); /* before `r`, or at the end */
	n->route_count++;
}

/* A gateway must be somebody's on a link; if no interface is named, that says which. config_lock held. */
static int
check_gateway(struct network *n, struct route_info *r)
{
	const struct route_info *to;

	if (ip_address_is_any(&r->gateway))
		return 0;
	if (r->v6 && ip_address_is_link_local(&r->gateway))
		return r->interface ? 0 : -EINVAL;
	to = best(n, ROUTE_TABLE_LOCAL, &r->gateway, 0);
	if (to && (r->v6 || to->type != ROUTE_LOCAL))
		return -EINVAL;
	if (!to)
		to = best(n, ROUTE_TABLE_MAIN, &r->gateway, r->interface);
	if (!to || (to->type != ROUTE_UNICAST && to->type != ROUTE_LOCAL) || !ip_address_is_any(&to->gateway))
		return r->v6 ? -EHOSTUNREACH : -ENETUNREACH;
	r->interface = to->interface;
	return 0;
}

static int
check(struct network *n, struct route_info *r)
{
	int error = check_gateway(n, r);
	struct interface *i;

	if (error)
		return error;
	if (error_of(r->type)) {
		r->interface = r->v6 ? NETWORK_LOOPBACK : 0;
		return 0;
	}
	i = interface_find(n, r->interface);
	if (!i)
		return -ENODEV;
	if (r->type == ROUTE_LOCAL && !r->v6)
		return 0;
	return i->info.flags & INTERFACE_UP ? 0 : -ENETDOWN;
}

int
route_add(struct network *n, const struct route_info *info, bool replace)
{
	struct route *fresh = kzalloc(sizeof(*fresh)), *old = NULL;
	struct route_info told;
	int error;

	if (!fresh)
		return -ENOMEM;
	fresh->info = *info;
	spin_lock(&n->config_lock);
	error = check(n, &fresh->info);
	if (!error) {
		old = info->protocol == ROUTE_PROTOCOL_KERNEL || (info->v6 && !replace) ? find(n, &fresh->info, same)
											: find(n, &fresh->info, same_target);
		if (old && !replace)
			error = -EEXIST;
	}
	if (!error && !old && n->route_count == ROUTES_MAX)
		error = -ENOBUFS;
	if (!error && old) {
		list_del(&old->node);
		n->route_count--;
	}
	if (!error) {
		told = fresh->info;
		insert(n, fresh);
	}
	spin_unlock(&n->config_lock);
	if (error) {
		kfree(fresh);
		return error;
	}
	kfree(old);
	netlink_network_changed(n, NETWORK_ROUTE, &told);
	return 0;
}

/* Does `r` fit what is to be removed? What is not said there may be anything. */
static bool
is_meant(const struct route_info *r, const struct route_info *like)
{
	return r->v6 == like->v6 && r->table == like->table && r->bits == like->bits && ip_address_equal(&r->to, &like->to) &&
	       (!like->interface || r->interface == like->interface) && (!like->metric || r->metric == like->metric) &&
	       (ip_address_is_any(&like->gateway) || ip_address_equal(&r->gateway, &like->gateway)) &&
	       (!like->type || r->type == like->type);
}

int
route_remove(struct network *n, const struct route_info *like)
{
	struct route *r;
	struct route_info told;

	spin_lock(&n->config_lock);
	r = find(n, like, is_meant);
	if (r) {
		told = r->info;
		list_del(&r->node);
		n->route_count--;
	}
	spin_unlock(&n->config_lock);
	if (!r)
		return -ESRCH;
	kfree(r);
	netlink_network_changed(n, NETWORK_ROUTE_GONE, &told);
	return 0;
}

void
routes_of_interface_gone(struct network *n, uint32_t index, bool only_down, struct list *gone)
{
	struct route *r, *tmp;

	assert_held(&n->config_lock);
	path_mtus_of_interface_gone(n, index);
	list_for_each_safe (r, tmp, &n->routes, node) {
		if (r->info.interface != index || (only_down && !r->info.v6 && r->info.type == ROUTE_LOCAL))
			continue;
		list_del(&r->node);
		list_add_tail(gone, &r->node);
		n->route_count--;
	}
}

/* Does another address of IPv6 need the route to its prefix? config_lock held. */
static bool
prefix_is_shared(struct network *n, const struct address_info *gone)
{
	struct own_address *a;

	list_for_each (a, &n->addresses, node)
		if (a->info.interface == gone->interface && !ip_address_is_v4(&a->info.address) && a->info.bits == gone->bits &&
		    ip_address_matches(&a->info.peer, &gone->peer, gone->bits))
			return true;
	return false;
}

void
routes_of_address_gone(struct network *n, const struct address_info *a, struct list *gone)
{
	bool v6 = !ip_address_is_v4(&a->address);
	struct ip_address prefix = prefix_of(&a->peer, a->bits);
	bool shared = v6 && prefix_is_shared(n, a);
	struct route *r, *tmp;

	assert_held(&n->config_lock);
	list_for_each_safe (r, tmp, &n->routes, node) {
		bool to_itself = r->info.table == ROUTE_TABLE_LOCAL && ip_address_equal(&r->info.to, &a->address);
		bool to_prefix = v6 && !shared && r->info.protocol == ROUTE_PROTOCOL_KERNEL &&
				 r->info.bits == a->bits && ip_address_equal(&r->info.to, &prefix);
		bool from_it = !v6 && ip_address_equal(&r->info.source, &a->address);

		if (r->info.v6 != v6 || r->info.interface != a->interface || !(to_itself || to_prefix || from_it))
			continue;
		list_del(&r->node);
		list_add_tail(gone, &r->node);
		n->route_count--;
	}
}
