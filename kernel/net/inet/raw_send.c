/* SPDX-License-Identifier: MIT */
/*
 * raw_send.c - what raw sockets send: what goes behind an IP header, or with IP_HDRINCL a packet as it is. raw(7).
 */
#include <tessera/errno.h>
#include <tessera/random.h>
#include <tessera/string.h>

#include "raw.h"

/* IPV6_CHECKSUM: the checksum of the message goes where it belongs. */
static int
sign(const struct raw_socket *r, struct packet *p, const struct ip_label *l)
{
	int32_t at = READ_ONCE(r->checksum_at);
	uint16_t sum;

	if (!l->v6 || at < 0)
		return 0;
	if ((size_t)at + sizeof(sum) > p->length)
		return -EINVAL;
	memset(p->data + at, 0, sizeof(sum));
	sum = checksum_end_never_0(checksum_add(checksum_pseudo(l, p->length), p->data, p->length));
	memcpy(p->data + at, &sum, sizeof(sum));
	return 0;
}

/*
 * A packet of IPv4 with its header, of which the kernel writes the length and the checksum, and where there is 0 the source and
 * the number. Takes p over.
 */
static int
send_whole_v4(struct raw_socket *r, struct datagram_path *path, struct packet *p, deadline_t until)
{
	struct ip_manner m = { .loop = path->loop, .until = until };
	uint8_t *b = (uint8_t *)p->data;
	size_t header = p->length < IP4_HEADER ? 0 : (b[0] & 0xfu) * 4u;
	struct ip_label l;
	uint16_t sum;

	if (header < IP4_HEADER || header > p->length) {
		packet_free(p);
		return -EINVAL;
	}
	if (p->length > path->way.mtu) {
		packet_free(p);
		return -EMSGSIZE;
	}
	b[0] = (uint8_t)(4u << 4 | header / 4);
	store_net16(b + 2, (uint16_t)p->length);
	if (load_net16(b + 4) == 0)
		store_net16(b + 4, (uint16_t)random_below(UINT16_MAX + 1));
	if (load_net32(b + 12) == 0)
		memcpy(b + 12, path->from.address.bytes + 12, 4);
	memset(b + 10, 0, sizeof(sum));
	sum = checksum_end(checksum_add(0, b, header));
	memcpy(b + 10, &sum, sizeof(sum));
	if (!ip_parse(b, p->length, false, &l)) {
		packet_free(p);
		return -EINVAL;
	}
	return ip_send_whole(network_of(&r->datagram.inet.socket), &path->way, &l, &m, p);
}

/* The same of IPv6, where nothing is written. */
static int
send_whole_v6(struct raw_socket *r, struct datagram_path *path, struct packet *p, deadline_t until)
{
	struct ip_manner m = { .loop = path->loop, .until = until };
	struct ip_label l = path->label;

	if (p->length < IP6_HEADER) {
		packet_free(p);
		return -EINVAL;
	}
	l.length = p->length;
	l.dont_fragment = true;
	return ip_send_whole(network_of(&r->datagram.inet.socket), &path->way, &l, &m, p);
}

/* Of IPv6 the "port" says the protocol again, or nothing. */
static int
check_protocol(struct socket *s, const struct socket_message *m, struct datagram_path *path)
{
	uint16_t port = m->address.length ? path->to.port : 0;

	if (s->family != AF_INET6 || port == 0 || port == s->protocol)
		return 0;
	if (s->protocol != IPPROTO_RAW || port > 255)
		return -EINVAL;
	path->label.protocol = (uint8_t)port;
	return 0;
}

ssize_t
raw_send(struct socket *s, struct socket_message *m)
{
	deadline_t until = socket_deadline(s->send_timeout, m->flags);
	bool whole = inet_number_get(s, INET_HEADER_INCLUDED);
	struct raw_socket *r = raw_of(s);
	struct datagram_path path;
	size_t n = m->data->count;
	struct packet *p;
	int error;

	if (n > IP_PACKET_MAX)
		return -EMSGSIZE;
	error = datagram_check_send(s, m);
	if (!error)
		error = datagram_find_path(&r->datagram, m, &path);
	if (!error)
		error = check_protocol(s, m, &path);
	if (error)
		return error;
	p = packet_create_sendable(n);
	if (!p)
		return -ENOBUFS;
	if (iov_copy_from(p->data, m->data, n) != n)
		error = -EFAULT;
	else if (!whole)
		error = sign(r, p, &path.label);
	if (error) {
		packet_free(p);
		return error;
	}
	if (whole)
		error = s->family == AF_INET ? send_whole_v4(r, &path, p, until) : send_whole_v6(r, &path, p, until);
	else
		error = datagram_send(&r->datagram, &path, p, until);
	return error ? error : (ssize_t)n;
}

int
raw_filter_set(struct socket *s, const uint32_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		WRITE_ONCE(raw_of(s)->filter[i], words[i]);
	return 0;
}

void
raw_filter_get(struct socket *s, uint32_t *words, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		words[i] = READ_ONCE(raw_of(s)->filter[i]);
}

int
raw_checksum_set(struct socket *s, int at, bool raw_level)
{
	/* ICMPv6 without its checksum would be none: RFC 3542, 3.1. At the other level programs of old may. */
	if (s->protocol == IPPROTO_ICMPV6 && !raw_level)
		return -EINVAL;
	if (at > 0 && (at & 1))
		return -EINVAL;
	WRITE_ONCE(raw_of(s)->checksum_at, at < 0 ? -1 : at);
	return 0;
}

int
raw_checksum_get(struct socket *s)
{
	return READ_ONCE(raw_of(s)->checksum_at);
}
