/* SPDX-License-Identifier: MIT */
/*
 * errors.c - datagrams that did not arrive: IP_RECVERR and IPV6_RECVERR, MSG_ERRQUEUE. ip(7), ipv6(7).
 *
 * Each error is the next call's, and for who asked a message in a queue of its own, with what is known of the datagram. The
 * error that is pending is that of the first message, as long as there is one.
 */
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/string.h>

#include "datagram.h"

static bool
wants_errors(struct socket *s, const struct endpoint *to)
{
	return inet_number_get(s, ip_address_is_v4(&to->address) ? INET_RECEIVE_ERRORS : INET6_RECEIVE_ERRORS) != 0;
}

static void
queue_error(struct datagram_socket *d, const struct socket_error *e, const struct endpoint *to, const void *data, size_t n)
{
	struct packet *p = packet_create(n);

	if (!p)
		return;
	if (n)
		memcpy(p->data, data, n);
	p->info.error = *e;
	p->info.to = *to;
	if (!packet_queue_put(&d->errors, &d->inet.socket, p))
		packet_free(p);
}

void
datagram_error(struct datagram_socket *d, const struct socket_error *e, const struct endpoint *to, const void *data,
	       size_t n, bool hard)
{
	struct socket *s = &d->inet.socket;

	if (e->error == EMSGSIZE && (e->origin == ERROR_ICMP || e->origin == ERROR_ICMP6))
		path_mtu_learn(network_of(s), &to->address, e->info);
	/* What would have fitted is of use to who finds out the way's MTU; others' datagrams are cut. */
	if (e->error == EMSGSIZE && e->origin == ERROR_ICMP)
		hard = inet_number_get(s, INET_MTU_DISCOVER) != 0;
	if (wants_errors(s, to))
		queue_error(d, e, to, data, n);
	else if (!hard || READ_ONCE(s->state) != SOCKET_CONNECTED)
		return;
	if (e->origin != ERROR_LOCAL)
		atomic_store(&s->error, e->error);
	wake_poll(&s->read_wait, POLLERR);
	wake_poll(&s->write_wait, POLLERR);
}

ssize_t
datagram_receive_error(struct socket *s, struct socket_message *m)
{
	struct datagram_socket *d = datagram_of(s);
	struct packet *p = packet_queue_take(&d->errors);
	struct socket_error next;
	size_t n;

	if (!p)
		return -EAGAIN;
	n = MIN((size_t)p->length, m->data->count);
	if (n < p->length)
		m->result |= MSG_TRUNC;
	m->result |= MSG_ERRQUEUE;
	if (iov_copy_to(m->data, p->data, n) != n) {
		packet_free(p);
		return -EFAULT;
	}
	inet_address_put(&d->inet, &p->info.to, &m->address);
	m->packet = (struct socket_packet){ .error = p->info.error, .to = p->info.to, .ttl = -1, .tos = -1 };
	if (packet_queue_peek_error(&d->errors, &next))
		atomic_store(&s->error, next.origin == ERROR_LOCAL ? 0 : next.error);
	else if (p->info.error.origin != ERROR_LOCAL)
		atomic_store(&s->error, 0);
	packet_free(p);
	return (ssize_t)n;
}
