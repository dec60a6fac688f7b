/* SPDX-License-Identifier: MIT */
/*
 * tcp_refusal.c - what ICMP said of a connect, which it ended: for who asked for it, by MSG_ERRQUEUE. ip(7), ipv6(7).
 *
 * There is one at most. What ICMP says of a connection that is there is its error, and no more.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../ip/ip.h"
#include "tcp.h"

struct tcp_refusal {
	struct socket_error error;
	struct endpoint to;
	uint8_t quoted[TCP_QUOTED];
};

void
tcp_refusal_keep(struct tcp_socket *t, const struct socket_error *e, const void *quoted)
{
	struct tcp_refusal *r = kmalloc(sizeof(*r), 0);

	assert_mutex_held(&t->inet.socket.lock);
	if (!r)
		return;
	r->error = *e;
	r->to = t->inet.remote;
	memcpy(r->quoted, quoted, sizeof(r->quoted));
	kfree(t->refusal);
	t->refusal = r;
}

ssize_t
tcp_refusal_receive(struct tcp_socket *t, struct socket_message *m)
{
	struct tcp_refusal *r;
	ssize_t n = -EAGAIN;

	mutex_lock(&t->inet.socket.lock);
	r = t->refusal;
	t->refusal = NULL;
	mutex_unlock(&t->inet.socket.lock);
	if (!r)
		return n;
	n = (ssize_t)MIN(sizeof(r->quoted), m->data->count);
	m->result |= n < (ssize_t)sizeof(r->quoted) ? MSG_ERRQUEUE | MSG_TRUNC : MSG_ERRQUEUE;
	if (iov_copy_to(m->data, r->quoted, (size_t)n) != (size_t)n)
		n = -EFAULT;
	inet_address_put(&t->inet, &r->to, &m->address);
	m->packet = (struct socket_packet){ .error = r->error, .to = r->to, .ttl = -1, .tos = -1 };
	atomic_store(&t->inet.socket.error, 0);
	kfree(r);
	return n;
}
