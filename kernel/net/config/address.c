/* SPDX-License-Identifier: MIT */
/*
 * address.c - addresses of ours. ip-address(8).
 *
 * With an address come routes: in the local table one to the address itself, and as long as its interface is up one to the
 * broadcast address, in the main table one to the other addresses of its prefix, which are on the link.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "config.h"

struct address_info *
network_addresses(struct network *n, uint32_t *count)
{
	struct address_info *all = kvmalloc(ADDRESSES_MAX * sizeof(*all));
	struct own_address *a;

	*count = 0;
	if (!all)
		return NULL;
	spin_lock(&n->config_lock);
	list_for_each (a, &n->addresses, node)
		all[(*count)++] = a->info;
	spin_unlock(&n->config_lock);
	return all;
}

uint32_t
network_interface_of(struct network *n, const struct ip_address *address)
{
	struct own_address *a;
	uint32_t index = ip_address_is_loopback(address) ? NETWORK_LOOPBACK : 0;

	spin_lock(&n->config_lock);
	list_for_each (a, &n->addresses, node)
		if (ip_address_equal(&a->info.address, address))
			index = a->info.interface;
	spin_unlock(&n->config_lock);
	return index;
}

static struct own_address *
find(struct network *n, const struct address_info *like)
{
	struct own_address *a;

	list_for_each (a, &n->addresses, node)
		if (a->info.interface == like->interface && ip_address_equal(&a->info.address, &like->address) &&
		    (ip_address_is_v4(&like->address) ? a->info.bits == like->bits : true))
			return a;
	return NULL;
}

/* --- the routes that come with an address ----------------------------------------------------------- */

struct ip_address
prefix_of(const struct ip_address *a, unsigned bits)
{
	struct ip_address p = *a;

	if (ip_address_is_v4(a))
		bits += 96;
	for (unsigned i = 0; i < sizeof(p.bytes); i++, bits -= MIN(bits, 8u))
		if (bits < 8)
			p.bytes[i] &= (uint8_t)(0xff00u >> bits);
	return p;
}

static bool
same_prefix(const struct address_info *a, const struct address_info *b)
{
	return a->interface == b->interface && a->bits == b->bits && ip_address_is_v4(&a->address) &&
	       ip_address_is_v4(&b->address) && ip_address_matches(&a->peer, &b->peer, 96u + a->bits);
}

/* What is sent from by the routes of `a`: of a secondary address the first one of its prefix. */
static struct ip_address
first_of(struct network *n, const struct address_info *a)
{
	struct ip_address first = a->address;
	struct own_address *other;

	if (!(a->flags & ADDRESS_SECONDARY))
		return first;
	spin_lock(&n->config_lock);
	list_for_each (other, &n->addresses, node)
		if (!(other->info.flags & ADDRESS_SECONDARY) && same_prefix(&other->info, a))
			first = other->info.address;
	spin_unlock(&n->config_lock);
	return first;
}

static void
add(struct network *n, const struct address_info *a, enum route_type type, struct ip_address to, uint8_t bits)
{
	bool v6 = !ip_address_is_v4(&a->address), main = type == ROUTE_UNICAST;
	struct route_info r = {
		.v6 = v6, .to = to, .bits = bits, .source = first_of(n, a), .interface = a->interface,
		.metric = v6 && main ? 256 : 0, .table = main ? ROUTE_TABLE_MAIN : ROUTE_TABLE_LOCAL, .type = (uint8_t)type,
		.scope = type == ROUTE_LOCAL ? SCOPE_HOST : SCOPE_LINK, .protocol = ROUTE_PROTOCOL_KERNEL,
	};

	r.gateway = v6 ? (struct ip_address){ 0 } : ip_address_v4(0);
	if (v6) {
		r.scope = SCOPE_UNIVERSE;
		r.source = (struct ip_address){ 0 };
	}
	route_add(n, &r, false);
}

static void
add_routes(struct network *n, const struct interface_info *i, const struct address_info *a)
{
	bool v6 = !ip_address_is_v4(&a->address), loopback = i->flags & INTERFACE_LOOPBACK;
	uint8_t all = v6 ? 128 : 32;
	struct ip_address prefix = prefix_of(&a->peer, a->bits);

	if (!v6)
		add(n, a, ROUTE_LOCAL, a->address, all);
	if (!(i->flags & INTERFACE_UP))
		return;
	if (v6) {
		add(n, a, ROUTE_LOCAL, a->address, all);
		if (!(a->flags & ADDRESS_NO_PREFIX_ROUTE) && !ip_address_is_loopback(&a->address))
			add(n, a, ROUTE_UNICAST, prefix, a->bits);
		return;
	}
	if (a->bits < 31 || !ip_address_equal(&a->peer, &a->address))
		if (!(a->flags & (ADDRESS_NO_PREFIX_ROUTE | ADDRESS_SECONDARY)))
			add(n, a, loopback ? ROUTE_LOCAL : ROUTE_UNICAST, prefix, a->bits);
	if (a->bits < 31) {
		struct ip_address last = prefix;

		last.words[3] |= host_to_net32(UINT32_MAX >> a->bits);
		add(n, a, ROUTE_BROADCAST, last, 32);
	}
}

void
addresses_refresh_routes(struct network *n, uint32_t index)
{
	struct interface_info i;
	uint32_t count;
	struct address_info *all = network_addresses(n, &count);

	for (uint32_t k = 0; k < count; k++)
		if (all[k].interface == index && network_interface(n, index, &i) == 0)
			add_routes(n, &i, &all[k]);
	kvfree(all);
}

/* --- adding and removing ---------------------------------------------------------------------------- */

/* How far an address of IPv6 reaches, as a rank. */
static unsigned
reach(const struct ip_address *a)
{
	return ip_address_is_loopback(a) ? 0 : ip_address_is_link_local(a) ? 1 : 2;
}

/*
 * Where Linux shows it: of IPv6 those that reach farther first, and the latest first among equals; of IPv4 behind the last
 * one that is no secondary and of no wider scope, secondaries at the end. config_lock held.
 */
static void
insert(struct network *n, struct own_address *fresh)
{
	bool v4 = ip_address_is_v4(&fresh->info.address), second = fresh->info.flags & ADDRESS_SECONDARY;
	struct list *before = &n->addresses;
	struct own_address *a;

	list_for_each (a, &n->addresses, node) {
		if (a->info.interface != fresh->info.interface || ip_address_is_v4(&a->info.address) != v4)
			continue;
		if (!v4 && reach(&a->info.address) <= reach(&fresh->info.address)) {
			before = &a->node;
			break;
		}
		if (v4 && !second && !(a->info.flags & ADDRESS_SECONDARY) && fresh->info.scope <= a->info.scope)
			before = a->node.next;
	}
	if (v4 && !second && before == &n->addresses)
		list_for_each (a, &n->addresses, node)
			if (a->info.interface == fresh->info.interface && ip_address_is_v4(&a->info.address)) {
				before = &a->node;
				break;
			}
	list_add_tail(before, &fresh->node);
	n->address_count++;
}

int
address_add(struct network *n, const struct address_info *info)
{
	bool v4 = ip_address_is_v4(&info->address);
	struct own_address *a, *other;
	struct interface_info on;
	struct address_info added;
	struct interface *i;
	int error = 0;

	if (info->bits > (v4 ? 32 : 128) || ip_address_is_multicast(&info->address) ||
	    (!v4 && ip_address_is_any(&info->address)))
		return v4 ? -EINVAL : -EADDRNOTAVAIL;
	a = kzalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	a->info = *info;
	spin_lock(&n->config_lock);
	i = interface_find(n, info->interface);
	if (!i)
		error = -ENODEV;
	else if (find(n, info))
		error = -EEXIST;
	else if (n->address_count == ADDRESSES_MAX)
		error = -ENOBUFS;
	if (!error) {
		on = i->info;
		a->info.flags &= ~ADDRESS_SECONDARY;
		list_for_each (other, &n->addresses, node)
			if (same_prefix(&other->info, info))
				a->info.flags |= ADDRESS_SECONDARY;
		added = a->info;
		insert(n, a);
	}
	spin_unlock(&n->config_lock);
	if (error) {
		kfree(a);
		return error;
	}
	netlink_network_changed(n, NETWORK_ADDRESS, &added);
	add_routes(n, &on, &added);
	return 0;
}

/* *was: what it was. -EADDRNOTAVAIL. */
static int
remove_one(struct network *n, const struct address_info *info, struct address_info *was)
{
	struct list gone = LIST_INIT(gone);
	struct own_address *a;

	spin_lock(&n->config_lock);
	a = interface_find(n, info->interface) ? find(n, info) : NULL;
	if (a) {
		*was = a->info;
		list_del(&a->node);
		list_add_tail(&gone, &a->node);
		n->address_count--;
		routes_of_address_gone(n, was, &gone);
	}
	spin_unlock(&n->config_lock);
	if (!a)
		return -EADDRNOTAVAIL;
	config_free(&gone);
	return 0;
}

/* One that came after `first` to its prefix. */
static bool
find_secondary(struct network *n, const struct address_info *first, struct address_info *out)
{
	struct own_address *a;
	bool found = false;

	spin_lock(&n->config_lock);
	list_for_each (a, &n->addresses, node)
		if (!found && (a->info.flags & ADDRESS_SECONDARY) && same_prefix(&a->info, first)) {
			*out = a->info;
			found = true;
		}
	spin_unlock(&n->config_lock);
	return found;
}

int
address_remove(struct network *n, const struct address_info *info)
{
	struct address_info was, other;
	int error = remove_one(n, info, &was);

	if (error)
		return error;
	/* They go with it. */
	while (!(was.flags & ADDRESS_SECONDARY) && find_secondary(n, &was, &other) && remove_one(n, &other, &other) == 0)
		netlink_network_changed(n, NETWORK_ADDRESS_GONE, &other);
	netlink_network_changed(n, NETWORK_ADDRESS_GONE, &was);
	return 0;
}

static void
gone_if(struct network *n, uint32_t index, bool v6_only, struct list *gone)
{
	struct own_address *a, *tmp;

	assert_held(&n->config_lock);
	list_for_each_safe (a, tmp, &n->addresses, node) {
		if (a->info.interface != index || (v6_only && ip_address_is_v4(&a->info.address)))
			continue;
		list_del(&a->node);
		list_add_tail(gone, &a->node);
		n->address_count--;
	}
}

void
addresses_of_interface_gone(struct network *n, uint32_t index, struct list *gone)
{
	gone_if(n, index, false, gone);
}

void
addresses_v6_of_interface_gone(struct network *n, uint32_t index, struct list *gone)
{
	gone_if(n, index, true, gone);
}
