/* SPDX-License-Identifier: MIT */
/*
 * interface.c - the interfaces of a network. netdevice(7).
 *
 * An interface that goes up brings with it what belongs to it by itself: loopback its addresses 127.0.0.1/8 and ::1, a link
 * with hardware addresses one of IPv6 that is local to it (RFC 4862, 5.3). One that goes down loses its addresses
 * of IPv6, and its routes but those to its own addresses of IPv4.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/time.h>

#include "config.h"

#define MTU_MIN 68u        /* RFC 791 */
#define MTU_MAX 65536u

void
config_free(struct list *gone)
{
	while (!list_is_empty(gone)) {
		struct list *node = gone->next;

		list_del(node);
		kfree(node);
	}
}

struct interface *
interface_find(struct network *n, uint32_t index)
{
	struct interface *i;

	assert_held(&n->config_lock);
	list_for_each (i, &n->interfaces, node)
		if (i->info.index == index)
			return i;
	return NULL;
}

static struct interface *
find_named(struct network *n, const char *name)
{
	struct interface *i;

	list_for_each (i, &n->interfaces, node)
		if (strcmp(i->info.name, name) == 0)
			return i;
	return NULL;
}

/* What a file of /sys could not be called, and what ip(8) would take for something else. */
static bool
is_name(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > INTERFACE_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (; *name; name++)
		if (*name == '/' || *name == ':' || *name == ' ' || (*name >= '\t' && *name <= '\r'))
			return false;
	return true;
}

int
interface_add(struct network *n, struct interface_info *info)
{
	struct interface *i;
	int error = 0;

	if (!is_name(info->name))
		return -EINVAL;
	i = kzalloc(sizeof(*i));
	if (!i)
		return -ENOMEM;
	spin_lock(&n->config_lock);
	if (find_named(n, info->name))
		error = -EEXIST;
	else if (n->interface_count == INTERFACES_MAX)
		error = -ENOBUFS;
	if (!error) {
		info->index = ++n->next_interface;
		i->info = *info;
		n->interface_count++;
		list_add_tail(&n->interfaces, &i->node);
	}
	spin_unlock(&n->config_lock);
	if (error) {
		kfree(i);
		return error;
	}
	interface_show(n, info->index);
	netlink_interface_event(n, "add", info, NULL);
	netlink_network_changed(n, NETWORK_LINK, info);
	return 0;
}

void
interface_remove(struct network *n, uint32_t index)
{
	struct list gone = LIST_INIT(gone);
	struct sysfs_node *shown = NULL;
	struct interface_info info;
	struct interface *i;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		info = i->info;
		shown = i->directory;
		routes_of_interface_gone(n, index, false, &gone);
		addresses_of_interface_gone(n, index, &gone);
		neighbours_of_interface_gone(n, index, &gone);
		list_del(&i->node);
		n->interface_count--;
		list_add_tail(&gone, &i->node);
	}
	spin_unlock(&n->config_lock);
	if (shown)
		sysfs_remove(shown);
	if (i) {
		netlink_network_changed(n, NETWORK_LINK_GONE, &info);
		netlink_interface_event(n, "remove", &info, NULL);
	}
	config_free(&gone);
}

/* What the flags say of it. */
static void
show_carrier(struct interface_info *i)
{
	i->flags &= ~(INTERFACE_RUNNING | INTERFACE_LOWER_UP);
	if ((i->flags & INTERFACE_UP) && i->carrier)
		i->flags |= INTERFACE_RUNNING | INTERFACE_LOWER_UP;
}

int
interface_set_counts(struct network *n, uint32_t index, const struct interface_counts *received,
		     const struct interface_counts *sent)
{
	struct interface *i;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		i->info.received = *received;
		i->info.sent = *sent;
	}
	spin_unlock(&n->config_lock);
	return i ? 0 : -ENODEV;
}

int
interface_set_link(struct network *n, uint32_t index, bool carrier, const struct interface_counts *received,
		   const struct interface_counts *sent)
{
	struct interface_info info;
	struct interface *i;
	bool changed = false;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		changed = i->info.carrier != carrier;
		i->info.carrier = carrier;
		show_carrier(&i->info);
		info = i->info;
	}
	spin_unlock(&n->config_lock);
	if (changed)
		netlink_network_changed(n, NETWORK_LINK, &info);
	return interface_set_counts(n, index, received, sent);
}

/* --- what there is -------------------------------------------------------------------------------- */

/* config_lock held. Loopback's packets are counted apart, without it. */
static struct interface_info
info_of(struct network *n, const struct interface *i)
{
	struct interface_info info = i->info;

	if (info.flags & INTERFACE_LOOPBACK) {
		info.sent.packets = info.received.packets = READ_ONCE(n->loop_packets);
		info.sent.bytes = info.received.bytes = READ_ONCE(n->loop_bytes);
	}
	return info;
}

struct interface_info *
network_interfaces(struct network *n, uint32_t *count)
{
	struct interface_info *all = kvmalloc(INTERFACES_MAX * sizeof(*all));
	struct interface *i;

	*count = 0;
	if (!all)
		return NULL;
	spin_lock(&n->config_lock);
	list_for_each (i, &n->interfaces, node)
		all[(*count)++] = info_of(n, i);
	spin_unlock(&n->config_lock);
	return all;
}

int
network_interface(struct network *n, uint32_t index, struct interface_info *out)
{
	struct interface *i;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i)
		*out = info_of(n, i);
	spin_unlock(&n->config_lock);
	return i ? 0 : -ENODEV;
}

int
network_interface_named(struct network *n, const char *name, struct interface_info *out)
{
	struct interface *i;

	spin_lock(&n->config_lock);
	i = find_named(n, name);
	if (i)
		*out = info_of(n, i);
	spin_unlock(&n->config_lock);
	return i ? 0 : -ENODEV;
}

/* --- up and down ---------------------------------------------------------------------------------- */

/* A modified EUI-64 behind fe80::/64: RFC 4291, appendix A. */
static struct ip_address
link_local_of(const uint8_t *mac)
{
	return (struct ip_address){ .bytes = { 0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe,
					       mac[3], mac[4], mac[5] } };
}

static void
add_own(struct network *n, const struct interface_info *i, struct ip_address a, uint8_t bits, uint8_t scope)
{
	struct address_info info = {
		.interface = i->index, .address = a, .peer = a, .bits = bits, .scope = scope, .flags = ADDRESS_PERMANENT,
		.valid_until = DEADLINE_NEVER, .preferred_until = DEADLINE_NEVER,
	};

	if (ip_address_is_v4(&a))
		string_copy(info.label, i->name, sizeof(info.label));
	address_add(n, &info);
}

static bool
has_v4(struct network *n, uint32_t index)
{
	struct own_address *a;
	bool has = false;

	spin_lock(&n->config_lock);
	list_for_each (a, &n->addresses, node)
		has |= a->info.interface == index && ip_address_is_v4(&a->info.address);
	spin_unlock(&n->config_lock);
	return has;
}

static void
came_up(struct network *n, const struct interface_info *i)
{
	addresses_refresh_routes(n, i->index);
	if (i->flags & INTERFACE_LOOPBACK) {
		if (!has_v4(n, i->index))
			add_own(n, i, ip_address_v4(host_to_net32(0x7f000001)), 8, SCOPE_HOST);
		add_own(n, i, (struct ip_address){ .bytes = { [15] = 1 } }, 128, SCOPE_HOST);
	} else if (i->kind == LINK_ETHERNET) {
		add_own(n, i, link_local_of(i->address), 64, SCOPE_LINK);
	}
}

/* What IPv6 lost is told of: its routes, those of the main table first, then its addresses. */
static void
tell_of_gone(struct network *n, struct list *routes, struct list *addresses)
{
	struct own_address *a;
	struct route *r;

	for (int local = 0; local < 2; local++)
		list_for_each (r, routes, node)
			if (r->info.v6 && (r->info.table == ROUTE_TABLE_LOCAL) == local)
				netlink_network_changed(n, NETWORK_ROUTE_GONE, &r->info);
	list_for_each (a, addresses, node)
		netlink_network_changed(n, NETWORK_ADDRESS_GONE, &a->info);
}

static void
went_down(struct network *n, uint32_t index)
{
	struct list routes = LIST_INIT(routes), addresses = LIST_INIT(addresses), neighbours = LIST_INIT(neighbours);

	spin_lock(&n->config_lock);
	routes_of_interface_gone(n, index, true, &routes);
	addresses_v6_of_interface_gone(n, index, &addresses);
	neighbours_of_interface_gone(n, index, &neighbours);
	spin_unlock(&n->config_lock);
	tell_of_gone(n, &routes, &addresses);
	config_free(&routes);
	config_free(&addresses);
	config_free(&neighbours);
}

int
interface_set_flags(struct network *n, uint32_t index, uint32_t flags, uint32_t mask)
{
	struct interface_info info;
	struct interface *i;
	uint32_t was = 0;

	mask &= INTERFACE_SETTABLE;
	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		was = i->info.flags;
		i->info.flags = (was & ~mask) | (flags & mask);
		i->info.was_up |= (i->info.flags & INTERFACE_UP) != 0;
		show_carrier(&i->info);
		info = i->info;
	}
	spin_unlock(&n->config_lock);
	if (!i)
		return -ENODEV;
	if (was == info.flags)
		return 0;
	netlink_network_changed(n, NETWORK_LINK, &info);
	if (!(was & INTERFACE_UP) && (info.flags & INTERFACE_UP))
		came_up(n, &info);
	if ((was & INTERFACE_UP) && !(info.flags & INTERFACE_UP))
		went_down(n, index);
	return 0;
}

/* --- other settings ------------------------------------------------------------------------------- */

int
interface_set_mtu(struct network *n, uint32_t index, uint32_t mtu)
{
	struct interface_info info;
	struct interface *i;

	if (mtu < MTU_MIN || mtu > MTU_MAX)
		return -EINVAL;
	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i) {
		i->info.mtu = mtu;
		info = i->info;
	}
	spin_unlock(&n->config_lock);
	if (i)
		netlink_network_changed(n, NETWORK_LINK, &info);
	return i ? 0 : -ENODEV;
}

int
interface_set_queue_length(struct network *n, uint32_t index, uint32_t length)
{
	struct interface *i;

	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (i)
		i->info.queue_length = length;
	spin_unlock(&n->config_lock);
	return i ? 0 : -ENODEV;
}

int
interface_rename(struct network *n, uint32_t index, const char *name)
{
	char old[INTERFACE_NAME_MAX + 1];
	struct interface_info info;
	struct interface *i;
	int error = 0;

	if (!is_name(name))
		return -EINVAL;
	spin_lock(&n->config_lock);
	i = interface_find(n, index);
	if (!i)
		error = -ENODEV;
	else if (i->info.flags & INTERFACE_UP)
		error = -EBUSY;
	else if (find_named(n, name) && find_named(n, name) != i)
		error = -EEXIST;
	if (!error) {
		string_copy(old, i->info.name, sizeof(old));
		string_copy(i->info.name, name, sizeof(i->info.name));
		info = i->info;
	}
	spin_unlock(&n->config_lock);
	if (error)
		return error;
	interface_hide(n, index);
	interface_show(n, index);
	netlink_interface_event(n, "move", &info, old);
	netlink_network_changed(n, NETWORK_LINK, &info);
	return 0;
}
