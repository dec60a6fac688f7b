/* SPDX-License-Identifier: MIT */
/*
 * datagram_send.c - the way out of sockets of whole messages: where to, from where, with what header. ip(7), ipv6(7).
 */
#include <tessera/errno.h>
#include <tessera/signal.h>
#include <tessera/thread.h>

#include "datagram.h"

/* Linux's IP_PMTUDISC_*: what may be too long for the way. */
enum { DISCOVER_DONT, DISCOVER_WANT, DISCOVER_DO, DISCOVER_PROBE, DISCOVER_INTERFACE, DISCOVER_OMIT };

int
datagram_have_port(struct inet_socket *i)
{
	int error;

	if (i->socket.type == SOCK_RAW || i->port.local.port)
		return 0;
	error = port_take(network_of(&i->socket), &i->port, &(struct endpoint){ .address = i->local.address });
	if (error)
		return error == -EADDRINUSE ? -EAGAIN : error;
	i->local.port = i->port.local.port;
	return 0;
}

/* By which interface a message for a group goes; 0: as the routes say. socket->lock held. */
static uint32_t
multicast_interface(const struct inet_socket *i, const struct ip_address *to, struct ip_address *from)
{
	if (!ip_address_is_v4(to))
		return READ_ONCE(i->multicast_interface6);
	if (ip_address_is_any(from) && READ_ONCE(i->multicast_interface))
		*from = i->multicast_source;
	if (READ_ONCE(i->multicast_interface))
		return READ_ONCE(i->multicast_interface);
	/* Who says from which address says by which interface. */
	return ip_address_is_any(from) ? 0 : network_interface_of(network_of(&i->socket), from);
}

int
datagram_find_way(struct inet_socket *i, struct endpoint *to, struct ip_address *from, uint32_t interface,
		  struct way *w)
{
	bool v4 = ip_address_is_v4(&to->address);
	uint32_t scope = to->scope;
	int error;

	if (ip_address_is_multicast(from) || ip_address_is_broadcast(from))
		*from = ip_address_is_v4(from) ? ip_address_v4(0) : (struct ip_address){ 0 };
	if (!interface && !scope && !READ_ONCE(i->device) && ip_address_is_multicast(&to->address))
		interface = multicast_interface(i, &to->address, from);
	if (interface)
		to->scope = interface;
	error = inet_find_way(i, to, from, w);
	if (v4 || !ip_address_is_link_local(&to->address))
		to->scope = scope;
	if (error)
		return error;
	*from = w->source;
	return w->type == ROUTE_BROADCAST && !(READ_ONCE(i->socket.options) & SOCKET_BROADCAST) ? -EACCES : 0;
}

/* Time to live, type of service ... as the message says, or the socket's options. */
static void
write_label(struct inet_socket *i, const struct socket_message *m, struct datagram_path *path)
{
	bool v4 = ip_address_is_v4(&path->to.address), many = ip_address_is_multicast(&path->to.address);
	enum inet_option ttl = v4 ? (many ? INET_MULTICAST_TTL : INET_TTL) : many ? INET6_MULTICAST_HOPS : INET6_HOPS;
	struct socket *s = &i->socket;

	path->label = (struct ip_label){ .from = path->from.address, .to = path->to.address, .v6 = !v4,
					 .protocol = (uint8_t)s->protocol };
	path->label.ttl = (uint8_t)(m->packet.has_ttl ? m->packet.ttl : inet_number_get(s, ttl));
	path->label.tos = (uint8_t)(m->packet.has_tos ? m->packet.tos : inet_number_get(s, v4 ? INET_TOS : INET6_CLASS));
	path->discover = (uint8_t)inet_number_get(s, v4 ? INET_MTU_DISCOVER : INET6_MTU_DISCOVER);
	if (!v4 && inet_number_get(s, INET6_DONT_FRAGMENT))
		path->discover = DISCOVER_DO;
	if (path->discover >= DISCOVER_PROBE) /* who finds out for himself believes nobody */
		path->way.mtu = path->way.link_mtu;
	path->loop = inet_number_get(s, v4 ? INET_MULTICAST_LOOP : INET6_MULTICAST_LOOP) != 0;
}

/* Is the source that a message names one that can be? -EINVAL. Of IPv4 inet_find_way() says the rest. */
static int
check_source(struct inet_socket *i, const struct ip_address *a)
{
	bool good;

	if (ip_address_is_v4(a))
		good = !ip_address_is_multicast(a) && !ip_address_is_broadcast(a);
	else
		good = inet_binds_freely(i) || network_is_local(network_of(&i->socket), a);
	return good ? 0 : -EINVAL;
}

int
datagram_find_path(struct datagram_socket *d, const struct socket_message *m, struct datagram_path *path)
{
	struct inet_socket *i = &d->inet;
	bool has_source = m->packet.has_info && !ip_address_is_any(&m->packet.to.address);
	int error = has_source ? check_source(i, &m->packet.to.address) : 0;

	if (!error && m->address.length) {
		error = inet_address_get(i, &m->address, &path->to);
		if (!error && path->to.port == 0 && i->socket.protocol == IPPROTO_UDP && i->socket.type == SOCK_DGRAM)
			error = -EINVAL;
	}
	if (error)
		return error;
	mutex_lock(&i->socket.lock);
	if (!m->address.length && i->socket.state == SOCKET_CONNECTED)
		path->to = i->remote;
	else if (!m->address.length)
		error = -EDESTADDRREQ;
	if (!error)
		error = datagram_have_port(i);
	if (!error) {
		path->from = i->local;
		if (has_source)
			path->from.address = m->packet.to.address;
		error = datagram_find_way(i, &path->to, &path->from.address, m->packet.interface, &path->way);
	}
	mutex_unlock(&i->socket.lock);
	if (!error)
		write_label(i, m, path);
	return error;
}

int
datagram_check_send(struct socket *s, const struct socket_message *m)
{
	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (READ_ONCE(s->shutdown) & SHUTDOWN_SEND) {
		if (!(m->flags & MSG_NOSIGNAL))
			signal_send_thread(current_thread(), SIGPIPE, NULL);
		return -EPIPE;
	}
	return socket_take_error(s);
}

/* It is too long for the way, and may not be cut: who wants to know of errors is told how long it may be. */
static int
too_long(struct datagram_socket *d, const struct datagram_path *path)
{
	struct socket_error e = { .origin = ERROR_LOCAL, .error = EMSGSIZE, .info = path->way.mtu };

	if (inet_number_get(&d->inet.socket, path->label.v6 ? INET6_RECEIVE_ERRORS : INET_RECEIVE_ERRORS))
		datagram_error(d, &e, &path->to, NULL, 0, false);
	return -EMSGSIZE;
}

int
datagram_send(struct datagram_socket *d, struct datagram_path *path, struct packet *p, deadline_t until)
{
	struct ip_label *l = &path->label;
	struct ip_manner m = { .loop = path->loop, .until = until };
	bool fits = p->length + (l->v6 ? IP6_HEADER : IP4_HEADER) <= path->way.mtu;

	l->dont_fragment = path->discover == DISCOVER_DO || path->discover == DISCOVER_PROBE ||
			   (fits && path->discover == DISCOVER_WANT);
	if (!fits && (l->dont_fragment || path->discover == DISCOVER_INTERFACE)) {
		packet_free(p);
		return too_long(d, path);
	}
	return ip_send(network_of(&d->inet.socket), &path->way, l, &m, p);
}
