/* SPDX-License-Identifier: MIT */
/*
 * inet.c - what sockets of AF_INET and AF_INET6 have in common: birth, bind, names. ip(7), ipv6(7).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "datagram.h"
#include "inet.h"
#include "tcp.h"

static int
create(int family, int type, int protocol, struct socket **out)
{
	if (protocol < 0 || protocol > 255)
		return -EINVAL;
	switch (type) {
	case SOCK_STREAM:
		if (protocol != 0 && protocol != IPPROTO_TCP)
			return -EPROTONOSUPPORT;
		return tcp_create(family, out);
	case SOCK_DGRAM:
		if (protocol == (family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
			return ping_create(family, out);
		if (protocol != 0 && protocol != IPPROTO_UDP)
			return -EPROTONOSUPPORT;
		return udp_create(family, out);
	case SOCK_RAW:
		return protocol == 0 ? -EPROTONOSUPPORT : raw_create(family, protocol, out);
	default:
		return -ESOCKTNOSUPPORT;
	}
}

static int
create_v4(int type, int protocol, struct socket **out)
{
	return create(AF_INET, type, protocol, out);
}

static int
create_v6(int type, int protocol, struct socket **out)
{
	return create(AF_INET6, type, protocol, out);
}

const struct socket_family inet_family = { .name = "inet", .create = create_v4 };
const struct socket_family inet6_family = { .name = "inet6", .create = create_v6 };

void
inet_socket_init(struct inet_socket *s, const struct socket_ops *ops, int family, int type, int protocol,
		 enum port_kind kind)
{
	socket_init(&s->socket, ops, family, type);
	s->socket.protocol = protocol;
	s->port.kind = kind;
	s->port.socket = s;
	list_init(&s->port.node);
	s->local.address = s->remote.address = inet_any(s);
	s->only_v6 = family == AF_INET6 && network_setting(network_of(&s->socket), SETTING_ONLY_V6);
	inet_options_init(s);
}

void
inet_socket_destroy(struct inet_socket *s)
{
	port_release(network_of(&s->socket), &s->port);
	groups_leave_all(s);
	socket_filter_drop(&s->socket);
	namespace_put(s->socket.net);
}

/* --- bind ---------------------------------------------------------------------------------------- */

static int
check_v4(const struct inet_socket *s, const struct ip_address *a)
{
	if (ip_address_is_any(a) || ip_address_is_multicast(a) || ip_address_is_broadcast(a))
		return 0;
	return network_is_local(network_of(&s->socket), a) ? 0 : -EADDRNOTAVAIL;
}

bool
inet_binds_freely(const struct inet_socket *s)
{
	const struct network *n = network_of(&s->socket);

	if (network_setting(n, s->socket.family == AF_INET6 ? SETTING_FREE_BIND_V6 : SETTING_FREE_BIND))
		return true;
	return READ_ONCE(s->option[INET_FREE_BIND]) || READ_ONCE(s->option[INET_TRANSPARENT]) ||
	       READ_ONCE(s->option[INET6_FREE_BIND]) || READ_ONCE(s->option[INET6_TRANSPARENT]);
}

/* May `s` be bound to that address? -EINVAL, -EADDRNOTAVAIL. */
static int
check_address(const struct inet_socket *s, const struct endpoint *e)
{
	const struct ip_address *a = &e->address;

	if (inet_binds_freely(s))
		return 0;
	if (s->socket.family == AF_INET)
		return check_v4(s, a);
	if (ip_address_is_v4(a))
		return READ_ONCE(s->only_v6) ? -EINVAL : check_v4(s, a);
	if (s->socket.type == SOCK_STREAM && ip_address_is_multicast(a))
		return -EINVAL;
	if (ip_address_is_link_local(a) && !e->scope && !READ_ONCE(s->device))
		return -EINVAL;
	if (ip_address_is_any(a) || ip_address_is_multicast(a))
		return 0;
	return network_is_local(network_of(&s->socket), a) ? 0 : -EADDRNOTAVAIL;
}

/* 0.0.0.0 may come without a family: what programs of old wrote. */
static int
get_bind_address(const struct inet_socket *s, const struct socket_address *a, struct endpoint *out)
{
	struct socket_address as_inet;
	int error = inet_address_get(s, a, out);

	if (error != -EAFNOSUPPORT || s->socket.family != AF_INET || a->family != AF_UNSPEC)
		return error;
	as_inet = *a;
	as_inet.family = AF_INET;
	error = inet_address_get(s, &as_inet, out);
	return error || ip_address_is_any(&out->address) ? error : -EAFNOSUPPORT;
}

int
inet_bind_address(const struct inet_socket *s, const struct socket_address *a, struct endpoint *out)
{
	int error = get_bind_address(s, a, out);

	return error ? error : check_address(s, out);
}

/* Ports below 1024 are for who may have them; an echo's identifier may be any. */
static bool
may_have(const struct inet_socket *s, uint16_t port)
{
	return port == 0 || port >= network_setting(network_of(&s->socket), SETTING_PORT_UNPRIVILEGED) || s->port.kind == PORTS_PING ||
	       capable_in(network_of(&s->socket)->ns.owner, CAP_NET_BIND_SERVICE);
}

int
inet_bind(struct socket *socket, const struct socket_address *a)
{
	struct inet_socket *s = inet_of(socket);
	struct network *n = network_of(socket);
	struct endpoint e;
	int error = inet_bind_address(s, a, &e);

	if (error)
		return error;
	if (!may_have(s, e.port))
		return -EACCES;
	mutex_lock(&socket->lock);
	if (socket->state != SOCKET_UNCONNECTED || s->port.local.port || s->fixed_address)
		error = -EINVAL;
	else if (e.port || !READ_ONCE(s->option[INET_BIND_LATE]))
		error = port_take(n, &s->port, &e);
	if (!error) {
		s->local = e;
		s->local.port = s->port.local.port;
		s->fixed_address = !ip_address_is_any(&e.address);
		s->fixed_port = e.port != 0;
	}
	mutex_unlock(&socket->lock);
	return error;
}

/* What is sent from addresses that are not ours is for who has a right to that, whatever he may be bound to (IP_FREEBIND). */
static bool
speaks_for_others(const struct inet_socket *s)
{
	return READ_ONCE(s->option[INET_TRANSPARENT]) || READ_ONCE(s->option[INET6_TRANSPARENT]) ||
	       (s->socket.type == SOCK_RAW && READ_ONCE(s->option[INET_HEADER_INCLUDED]));
}

int
inet_find_way(struct inet_socket *s, struct endpoint *to, const struct ip_address *from, struct way *out)
{
	bool v4 = ip_address_is_v4(&to->address);
	struct ip_address none = { 0 };

	if (s->socket.family == AF_INET6 && v4 && READ_ONCE(s->only_v6))
		return -ENETUNREACH;
	if (ip_address_is_any(&to->address)) {
		v4 |= ip_address_is_v4(from);
		if (v4)
			to->address = ip_address_is_any(from) ? ip_address_v4(host_to_net32(0x7f000001)) : *from;
		else
			to->address = (struct ip_address){ .bytes = { [15] = 1 } };
	}
	if (v4)
		none = ip_address_v4(0);
	if (ip_address_is_any(from))
		from = &none;
	else if (ip_address_is_v4(from) != v4)
		return s->socket.family == AF_INET6 && !v4 ? -ENETUNREACH : -EINVAL;
	else if (v4 && !speaks_for_others(s) && !network_is_local(network_of(&s->socket), from))
		return -ENETUNREACH;
	return find_way(network_of(&s->socket), &to->address, from, to->scope ? to->scope : READ_ONCE(s->device), out);
}

int
inet_path_mtu(struct socket *s)
{
	struct inet_socket *i = inet_of(s);
	struct endpoint to, from;
	struct way w;
	int error;

	mutex_lock(&s->lock);
	to = i->remote;
	from = i->local;
	error = s->state == SOCKET_CONNECTED ? 0 : -ENOTCONN;
	mutex_unlock(&s->lock);
	if (!error)
		error = inet_find_way(i, &to, &from.address, &w);
	if (error)
		return -ENOTCONN;
	return (int)(ip_address_is_v4(&to.address) ? MIN(w.mtu, 65535u) : w.mtu);
}

int
inet_set_only_v6(struct socket *s, bool on)
{
	int error = 0;

	mutex_lock(&s->lock);
	if (inet_of(s)->port.local.port)
		error = -EINVAL;
	else
		WRITE_ONCE(inet_of(s)->only_v6, on);
	mutex_unlock(&s->lock);
	return error;
}

void
inet_destination(struct socket *s, const struct endpoint *to, struct socket_address *out)
{
	inet_address_put(inet_of(s), to, out);
}

int
inet_bind_device(struct socket *s, uint32_t interface)
{
	struct inet_socket *i = inet_of(s);
	struct interface_info info;
	int error = interface ? network_interface(network_of(s), interface, &info) : 0;

	if (!error && READ_ONCE(i->device) && !capable_in(s->net->owner, CAP_NET_RAW))
		error = -EPERM;
	if (error)
		return error;
	mutex_lock(&s->lock);
	WRITE_ONCE(i->device, interface);
	port_rebind_device(network_of(s), &i->port);
	mutex_unlock(&s->lock);
	return 0;
}

uint32_t
inet_device(struct socket *s)
{
	return READ_ONCE(inet_of(s)->device);
}

bool
inet_is_only_v6(struct socket *s)
{
	return READ_ONCE(inet_of(s)->only_v6);
}

int
inet_name(struct socket *socket, bool peer, struct socket_address *out)
{
	struct inet_socket *s = inet_of(socket);
	int error = 0;

	mutex_lock(&socket->lock);
	if (peer && !s->remote.port)
		error = -ENOTCONN;
	else
		inet_address_put(s, peer ? &s->remote : &s->local, out);
	mutex_unlock(&socket->lock);
	return error;
}

/* Who is at the other end is not known, even if it is of this machine. */
void
inet_peer_cred(struct socket *s, pid_t *pid, struct cred **cred)
{
	*pid = 0;
	*cred = NULL;
}
