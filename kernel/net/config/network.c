/* SPDX-License-Identifier: MIT */
/*
 * network.c - networks: birth and death, and the first one.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/ip.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/tun.h>

#include "../inet/inet.h"
#include "../inet/tcp.h"
#include "config.h"

#define LOOPBACK_MTU 65536u

struct network init_network = {
	.ns = { { 1 }, NAMESPACE_NET, 0xf0000000, &init_user_namespace },
};

struct network *
current_network(void)
{
	return (struct network *)current_namespaces()->of[NAMESPACE_NET];
}

/* -ENOMEM. */
static int
prepare(struct network *n)
{
	struct interface_info lo = {
		.name = "lo", .flags = INTERFACE_LOOPBACK, .mtu = LOOPBACK_MTU, .queue_length = 1000, .kind = LINK_LOOPBACK,
		.address_length = 6, .carrier = true, .link = &loopback_ops,
	};

	spin_init(&n->config_lock, LOCK_NETWORK);
	list_init(&n->interfaces);
	list_init(&n->addresses);
	list_init(&n->routes);
	list_init(&n->neighbours);
	network_settings_init(n);
	port_tables_init(n);
	tcp_time_waits_init(n);
	ip_init(n);
	return interface_add(n, &lo);
}

void
network_init(void)
{
	if (prepare(&init_network))
		panic("no memory for the loopback interface");
}

struct namespace *
network_create(struct user_namespace *owner)
{
	struct network *n = kvmalloc(sizeof(*n));

	if (!n)
		return NULL;
	memset(n, 0, sizeof(*n));
	if (prepare(n)) {
		kvfree(n);
		return NULL;
	}
	namespace_init(&n->ns, NAMESPACE_NET, owner);
	return &n->ns;
}

void
network_release(struct namespace *ns)
{
	struct network *n = (struct network *)ns;

	tcp_time_waits_end(n);
	tun_network_ends(n);
	while (!list_is_empty(&n->interfaces))
		interface_remove(n, list_first(&n->interfaces, struct interface, node)->info.index);
	config_free(&n->routes); /* those that lead to no interface */
	kvfree(n);
}
