/* SPDX-License-Identifier: MIT */
/*
 * calls.c - what the network stack asks for by ioctl: abi/netd.h.
 *
 * A NIC is known by its key, the place where it is plugged in: a stack that comes anew finds the interface that its predecessor
 * made, with all its addresses and routes.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/ip.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "../inet/tcp_wire.h"
#include "../network.h"
#include "door.h"

#define NICS_MAX 32u
#define FRAME_HEADER 14u /* of Ethernet */

/* [k] */
static struct nic {
	char key[32];
	uint32_t index;
} nics[NICS_MAX];
static uint32_t nic_count;

static struct nic *
find_nic(const char *key)
{
	for (uint32_t i = 0; i < nic_count; i++)
		if (strcmp(nics[i].key, key) == 0)
			return &nics[i];
	return NULL;
}

static const char *
key_of(uint32_t index)
{
	for (uint32_t i = 0; i < nic_count; i++)
		if (nics[i].index == index)
			return nics[i].key;
	return "";
}

/* --- interfaces ------------------------------------------------------------------------------------------ */

/* The first ethN that is free. -EEXIST: all are not. */
static int
make_interface(const struct netd_interface *a, struct interface_info *info)
{
	int error = -EEXIST;

	*info = (struct interface_info){
		.flags = INTERFACE_BROADCAST | INTERFACE_MULTICAST, .mtu = MIN(a->mtu_max, 1500u), .queue_length = 1000,
		.kind = LINK_ETHERNET, .address_length = 6, .link = &door_link_ops,
	};
	memcpy(info->address, a->address, 6);
	memset(info->broadcast, 0xff, 6);
	for (unsigned int n = 0; n < NICS_MAX && error == -EEXIST; n++) {
		snprintf(info->name, sizeof(info->name), "eth%u", n);
		error = interface_add(&init_network, info);
	}
	return error;
}

static int
add_interface(struct netd_interface *a)
{
	struct interface_info info;
	struct nic *nic;
	int error = 0;

	a->key[sizeof(a->key) - 1] = 0;
	if (!a->key[0] || a->mtu_max < 576)
		return -EINVAL;
	nic = find_nic(a->key);
	if (nic)
		error = network_interface(&init_network, nic->index, &info);
	else if (nic_count == NICS_MAX)
		return -ENOBUFS;
	else
		error = make_interface(a, &info);
	if (error)
		return error;
	if (!nic) {
		nic = &nics[nic_count++];
		memcpy(nic->key, a->key, sizeof(nic->key));
		nic->index = info.index;
		pr_info("netd: %s is %s\n", a->key, info.name);
	}
	a->index = info.index;
	string_copy(a->name, info.name, sizeof(a->name));
	return 0;
}

static int
set_link(const struct netd_link *l)
{
	struct interface_counts received = { l->received_packets, l->received_bytes, l->received_errors,
					     l->received_dropped, l->multicast };
	struct interface_counts sent = { l->sent_packets, l->sent_bytes, l->sent_errors, l->sent_dropped, 0 };

	return interface_set_link(&init_network, l->index, l->carrier, &received, &sent);
}

/* --- what there is --------------------------------------------------------------------------------------- */

static struct netd_address
address_of(const struct ip_address *a)
{
	struct netd_address out;

	memcpy(out.bytes, a->bytes, sizeof(out.bytes));
	return out;
}

static struct ip_address
address_in(const struct netd_address *a)
{
	struct ip_address out;

	memcpy(out.bytes, a->bytes, sizeof(out.bytes));
	return out;
}

static void
show_interface(const void *from, void *to)
{
	const struct interface_info *i = from;
	struct netd_table_interface *out = to;

	*out = (struct netd_table_interface){ .index = i->index, .flags = i->flags, .mtu = i->mtu, .kind = i->kind };
	string_copy(out->name, i->name, sizeof(out->name));
	string_copy(out->key, key_of(i->index), sizeof(out->key));
	memcpy(out->address, i->address, 6);
}

static void
show_address(const void *from, void *to)
{
	const struct address_info *a = from;
	struct netd_table_address *out = to;

	*out = (struct netd_table_address){ .interface = a->interface, .bits = a->bits, .flags = a->flags, .scope = a->scope };
	out->address = address_of(&a->address);
	out->broadcast = address_of(&a->broadcast);
}

static void
show_route(const void *from, void *to)
{
	const struct route_info *r = from;
	struct netd_table_route *out = to;

	*out = (struct netd_table_route){ .interface = r->interface, .bits = r->bits, .type = r->type, .metric = r->metric };
	out->to = address_of(&r->to);
	if (!ip_address_is_any(&r->gateway)) /* which IPv4 writes in another way than zeros */
		out->gateway = address_of(&r->gateway);
	if (!ip_address_is_any(&r->source))
		out->source = address_of(&r->source);
	out->v6 = r->v6;
}

static void
show_neighbour(const void *from, void *to)
{
	const struct neighbour_info *e = from;
	struct netd_table_neighbour *out = to;

	*out = (struct netd_table_neighbour){ .interface = e->interface, .state = e->state };
	out->address = address_of(&e->address);
	memcpy(out->link, e->link, MIN(sizeof(out->link), (size_t)e->link_length));
}

static void
show_group(const void *from, void *to)
{
	const struct group_info *g = from;
	struct netd_table_group *out = to;

	*out = (struct netd_table_group){ .interface = g->interface, .group = address_of(&g->group) };
}

/* Copy `count` entries of `size` bytes at `all` out, each as `show` makes it of `entry` bytes. */
static int
tell_table(struct netd_table_request *r, const void *all, uint32_t count, size_t size, size_t entry,
	   void (*show)(const void *from, void *to))
{
	uint32_t n = MIN(r->count, count);
	char *out = kvmalloc(MAX((size_t)n, (size_t)1) * entry);
	int error;

	if (!out)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		show((const char *)all + i * size, out + i * entry);
	error = copy_to_user((void __user *)r->entries, out, n * entry);
	kvfree(out);
	r->count = count;
	return error;
}

static int
get_table(struct netd_table_request *r)
{
	struct network *n = &init_network;
	uint32_t count = 0;
	int error = -EINVAL;
	void *all = NULL;

	r->config = atomic_load(&door.kernel->config);
	switch (r->table) {
	case NETD_TABLE_INTERFACES:
		all = network_interfaces(n, &count);
		error = all ? tell_table(r, all, count, sizeof(struct interface_info), sizeof(struct netd_table_interface),
					 show_interface) : -ENOMEM;
		break;
	case NETD_TABLE_ADDRESSES:
		all = network_addresses(n, &count);
		error = all ? tell_table(r, all, count, sizeof(struct address_info), sizeof(struct netd_table_address),
					 show_address) : -ENOMEM;
		break;
	case NETD_TABLE_ROUTES:
		all = network_routes(n, &count);
		error = all ? tell_table(r, all, count, sizeof(struct route_info), sizeof(struct netd_table_route),
					 show_route) : -ENOMEM;
		break;
	case NETD_TABLE_NEIGHBOURS:
		all = network_neighbours(n, &count);
		error = all ? tell_table(r, all, count, sizeof(struct neighbour_info), sizeof(struct netd_table_neighbour),
					 show_neighbour) : -ENOMEM;
		break;
	case NETD_TABLE_GROUPS:
		all = network_groups(n, &count);
		error = all ? tell_table(r, all, count, sizeof(struct group_info), sizeof(struct netd_table_group),
					 show_group) : -ENOMEM;
		break;
	}
	kvfree(all);
	return error;
}

/* --- what was learnt -------------------------------------------------------------------------------------- */

static int
set_neighbour(const struct netd_table_neighbour *e)
{
	struct neighbour_info info = { .interface = e->interface, .address = address_in(&e->address), .link_length = 6,
				       .state = (uint16_t)e->state };

	memcpy(info.link, e->link, 6);
	return e->state ? neighbour_set(&init_network, &info) : neighbour_remove(&init_network, &info);
}

static int
add_address(const struct netd_table_address *a)
{
	struct address_info info = {
		.interface = a->interface, .bits = (uint8_t)a->bits, .flags = a->flags, .scope = (uint8_t)a->scope,
		.valid_until = DEADLINE_NEVER, .preferred_until = DEADLINE_NEVER,
	};

	info.address = info.peer = address_in(&a->address);
	info.broadcast = address_in(&a->broadcast);
	return address_add(&init_network, &info);
}

static int
add_route(const struct netd_table_route *r)
{
	struct route_info info = {
		.v6 = r->v6, .interface = r->interface, .bits = (uint8_t)r->bits, .type = (uint8_t)r->type, .metric = r->metric,
		.table = ROUTE_TABLE_MAIN, .protocol = ROUTE_PROTOCOL_KERNEL,
	};

	info.to = address_in(&r->to);
	info.gateway = address_in(&r->gateway);
	info.source = address_in(&r->source);
	if (r->bits > (r->v6 ? 128 : 32) || ip_address_is_v4(&info.to) == info.v6)
		return -EINVAL;
	return route_add(&init_network, &info, true);
}

void
door_config_changed(struct network *n, enum network_event what, const void *info)
{
	const struct neighbour_info *e = info;

	if (!door_serves(n) || !door_is_ready())
		return;
	/* Neighbours are told by the stack itself, but for those that somebody has set. */
	if (what == NETWORK_NEIGHBOUR && !(e->state & (NEIGHBOUR_PERMANENT | NEIGHBOUR_NO_ARP)))
		return;
	__atomic_fetch_add(&door.kernel->config, 1, __ATOMIC_SEQ_CST);
	door_wake();
}

/* --- the calls --------------------------------------------------------------------------------------------- */

/* What a call's argument may be. */
union argument {
	struct netd_interface interface;
	struct netd_link link;
	struct netd_accept accept;
	struct netd_table_request table;
	struct netd_table_neighbour neighbour;
	struct netd_table_address address;
	struct netd_table_route route;
};

static long
kick(void)
{
	door.kicks++;
	slots_look();
	frames_look();
	return atomic_load(&door.broken) ? -EINVAL : 0;
}

static long
call(unsigned int command, union argument *a)
{
	switch (command) {
	case NETD_ADD_INTERFACE:
		return add_interface(&a->interface);
	case NETD_SET_LINK:
		return set_link(&a->link);
	case NETD_ACCEPT:
		return tcp_wire_accept(&a->accept);
	case NETD_GET_TABLE:
		return get_table(&a->table);
	case NETD_SET_NEIGHBOUR:
		return set_neighbour(&a->neighbour);
	case NETD_ADD_ADDRESS:
		return add_address(&a->address);
	case NETD_ADD_ROUTE:
		return add_route(&a->route);
	}
	return -ENOTTY;
}

long
door_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	size_t n = command >> 16 & 0x3fff;
	union argument *a;
	long result;

	if (command == NETD_KICK) {
		mutex_lock(&door.kick_lock);
		result = kick();
		mutex_unlock(&door.kick_lock);
		return result;
	}
	if (n == 0 || n > sizeof(*a))
		return -ENOTTY;
	a = kzalloc(sizeof(*a));
	if (!a)
		return -ENOMEM;
	result = copy_from_user(a, (const void __user *)arg, n);
	if (!result) {
		mutex_lock(&door.kick_lock);
		result = call(command, a);
		mutex_unlock(&door.kick_lock);
	}
	if (!result)
		result = copy_to_user((void __user *)arg, a, n);
	kfree(a);
	return result;
}
