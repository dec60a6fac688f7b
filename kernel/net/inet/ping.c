/* SPDX-License-Identifier: MIT */
/*
 * ping.c - datagram sockets of ICMP: whoever may have one sends echoes and receives their answers, and nothing else. icmp(7).
 *
 * The "port" is the echo's identifier; the kernel writes it, and the checksum, into what is sent.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "datagram.h"

static const struct socket_ops ping_ops;

static bool
may_ping(struct network *n)
{
	const struct cred *c = current_cred();
	gid_t low, high;

	network_ping_groups(n, &low, &high);
	if (c->egid >= low && c->egid <= high)
		return true;
	for (uint32_t i = 0; i < c->group_count; i++)
		if (c->groups[i] >= low && c->groups[i] <= high)
			return true;
	return false;
}

int
ping_create(int family, struct socket **out)
{
	struct datagram_socket *d;

	if (!may_ping(current_network()))
		return -EACCES;
	d = datagram_create(sizeof(*d), &ping_ops, family, SOCK_DGRAM, family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6,
			    PORTS_PING);
	if (!d)
		return -ENOMEM;
	d->inet.only_v6 = family == AF_INET6;
	d->inet.socket.options = SOCKET_REUSE_ADDRESS;
	*out = &d->inet.socket;
	return 0;
}

static struct datagram_socket *
find(struct network *n, uint32_t interface, const struct ip_address *own, const struct ip_address *peer, const void *echo)
{
	struct endpoint to = { .address = *own, .port = load_net16((const char *)echo + 4) };
	struct endpoint from = { .address = *peer };

	return (struct datagram_socket *)port_find_receiver(n, PORTS_PING, &to, &from, interface);
}

void
ping_input(struct network *n, struct packet *p, const struct ip_label *l)
{
	struct datagram_socket *d = find(n, p->info.interface, &l->to, &l->from, p->data + l->header);

	packet_pull(p, l->header);
	if (!d || !packet_queue_add(&d->queue, &d->inet.socket, p))
		packet_free(p);
	if (d)
		datagram_put(d);
}

void
ping_error(struct network *n, uint32_t interface, const struct ip_label *l, const void *inside, size_t size,
	   const struct socket_error *e, bool hard)
{
	struct endpoint to = { .address = l->to };
	struct datagram_socket *d;

	if (*(const uint8_t *)inside != (l->v6 ? ICMP6_ECHO : ICMP_ECHO))
		return;
	d = find(n, interface, &l->from, &l->to, inside);
	if (!d)
		return;
	datagram_error(d, e, &to, inside, size, hard);
	datagram_put(d);
}

/* The message is made whole: its identifier, its checksum. */
static void
sign(struct packet *p, const struct ip_label *l, uint16_t id)
{
	uint16_t sum;

	store_net16(p->data + 2, 0);
	store_net16(p->data + 4, id);
	sum = checksum_end(checksum_add(l->v6 ? checksum_pseudo(l, p->length) : 0, p->data, p->length));
	memcpy(p->data + 2, &sum, sizeof(sum));
}

static bool
is_echo(const struct socket *s, const struct packet *p)
{
	return (uint8_t)p->data[0] == (s->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO) && p->data[1] == 0;
}

static ssize_t
ping_send(struct socket *s, struct socket_message *m)
{
	struct datagram_socket *d = datagram_of(s);
	struct datagram_path path;
	size_t n = m->data->count;
	struct packet *p;
	int error = 0;

	if (n > 65535)
		return -EMSGSIZE;
	if (n < ICMP_HEADER)
		return -EINVAL;
	p = packet_create_sendable(n);
	if (!p)
		return -ENOBUFS;
	if (iov_copy_from(p->data, m->data, n) != n)
		error = -EFAULT;
	else if (m->flags & MSG_OOB)
		error = -EOPNOTSUPP;
	else if (!is_echo(s, p))
		error = -EINVAL;
	if (!error)
		error = datagram_check_send(s, m);
	if (!error)
		error = datagram_find_path(d, m, &path);
	if (error) {
		packet_free(p);
		return error;
	}
	sign(p, &path.label, d->inet.port.local.port);
	network_add(network_of(s), path.label.v6 ? ICMP6_OUT_ECHOS : ICMP_OUT_ECHOS, 1);
	error = datagram_send(d, &path, p, socket_deadline(s->send_timeout, m->flags));
	return error ? error : (ssize_t)n;
}

static void
ping_dump(struct socket *s)
{
	struct datagram_socket *d = datagram_of(s);

	pr_info("  ping: id %u, %u bytes in, %u dropped\n", d->inet.local.port, d->queue.charged, d->queue.drops);
}

static const struct socket_ops ping_ops = {
	.bind = inet_bind,
	.connect = datagram_connect,
	.listen = datagram_no_listen,
	.accept = datagram_no_accept,
	.pair = datagram_no_pair,
	.name = inet_name,
	.shutdown = datagram_shutdown,
	.send = ping_send,
	.receive = datagram_receive,
	.poll = datagram_poll,
	.pending = datagram_pending,
	.peer_cred = inet_peer_cred,
	.set_peek_offset = datagram_set_peek_offset,
	.release = datagram_release,
	.dump = ping_dump,
};
