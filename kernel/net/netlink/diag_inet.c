/* SPDX-License-Identifier: MIT */
/*
 * diag_inet.c - NETLINK_SOCK_DIAG about sockets of AF_INET and AF_INET6, for ss(8). linux/inet_diag.h.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "diag.h"

struct inet_diag_request {
	uint8_t family, protocol, extensions, pad;
	uint32_t states;                       /* bit n: those in state n */
	struct inet_diag_sockid id;
};
_Static_assert(sizeof(struct inet_diag_request) == 56, "Linux's layout");

struct inet_diag_message {
	uint8_t family, state, timer, retransmits;
	struct inet_diag_sockid id;
	uint32_t expires;                      /* milliseconds */
	uint32_t receive_queue, send_queue, uid, inode;
};
_Static_assert(sizeof(struct inet_diag_message) == 72, "Linux's layout");

#define INET_DIAG_REQ_BYTECODE 1u

enum { INET_DIAG_MEMINFO = 1, INET_DIAG_INFO, INET_DIAG_CONG = 4, INET_DIAG_TOS, INET_DIAG_TCLASS, INET_DIAG_SKMEMINFO,
       INET_DIAG_SHUTDOWN, INET_DIAG_SKV6ONLY = 11, INET_DIAG_MARK = 15 };

enum { ESTABLISHED = 1, SYN_RECEIVED = 3, TIME_WAIT = 6, CLOSED = 7, LISTENING = 10 };

static bool
wants(const struct inet_diag_request *q, unsigned what)
{
	return q->extensions & BIT(what - 1);
}

static void
put_address(uint32_t *to, const struct ip_address *a, bool v6)
{
	if (v6)
		memcpy(to, a->words, sizeof(a->words));
	else
		to[0] = a->words[3];
}

/* Memory in the order of SK_MEMINFO_*: what lies in the queues, and how much may. */
static void
put_memory(struct netlink_out *o, const struct inet_diag_request *q, const struct inet_socket_info *s)
{
	uint32_t queued = s->state == LISTENING ? 0 : s->receive_queue, sent = s->state == LISTENING ? 0 : s->send_queue;
	uint32_t memory[9] = { queued, s->receive_limit, sent, s->send_limit, 0, sent, 0, 0, s->drops };
	uint32_t older[4] = { queued, sent, 0, sent };

	if (wants(q, INET_DIAG_MEMINFO))
		netlink_put(o, INET_DIAG_MEMINFO, older, sizeof(older));
	if (wants(q, INET_DIAG_SKMEMINFO))
		netlink_put(o, INET_DIAG_SKMEMINFO, memory, sizeof(memory));
}

static void
put_stream(struct netlink_out *o, const struct inet_diag_request *q, const struct inet_socket_info *s)
{
	struct tcp_info info;

	if (wants(q, INET_DIAG_CONG))
		netlink_put_string(o, INET_DIAG_CONG, "cubic");
	if (wants(q, INET_DIAG_INFO)) {
		tcp_info(&s->report, &info);
		netlink_put(o, INET_DIAG_INFO, &info, sizeof(info));
	}
}

static void
put_socket(struct netlink_out *o, const struct netlink_request *r, const struct inet_socket_info *s)
{
	const struct inet_diag_request *q = r->body;
	struct inet_diag_message *m = netlink_begin(o, SOCK_DIAG_BY_FAMILY, 0, sizeof(*m));
	bool v6 = s->family == AF_INET6;

	if (!m)
		return;
	m->family = (uint8_t)s->family;
	m->state = s->state;
	m->timer = s->state == TIME_WAIT ? 3 : s->state == SYN_RECEIVED ? 1 : 0;
	m->id.source_port = host_to_net16(s->local.port);
	m->id.peer_port = host_to_net16(s->remote.port);
	put_address(m->id.source, &s->local.address, v6);
	put_address(m->id.peer, &s->remote.address, v6);
	m->id.interface = s->interface;
	m->id.cookie[0] = (uint32_t)s->cookie;
	m->id.cookie[1] = (uint32_t)(s->cookie >> 32);
	m->expires = (uint32_t)(s->ends_in / NSEC_PER_MSEC);
	m->receive_queue = s->receive_queue;
	m->send_queue = s->send_queue;
	m->uid = s->state == SYN_RECEIVED ? 0 : uid_shown(s->uid);
	m->inode = (uint32_t)s->inode;
	/* What is no socket yet, or no more, has no more to tell. */
	if (s->state == SYN_RECEIVED && r->privileged)
		netlink_put_u32(o, INET_DIAG_MARK, s->mark);
	if (s->state != TIME_WAIT && s->state != SYN_RECEIVED) {
		netlink_put_u8(o, INET_DIAG_SHUTDOWN, s->shutdown);
		if (wants(q, INET_DIAG_TOS))
			netlink_put_u8(o, INET_DIAG_TOS, s->tos);
		if (v6 && wants(q, INET_DIAG_TCLASS))
			netlink_put_u8(o, INET_DIAG_TCLASS, s->tos);
		if (v6 && (s->state == LISTENING || s->state == CLOSED))
			netlink_put_u8(o, INET_DIAG_SKV6ONLY, s->only_v6);
		if (r->privileged)
			netlink_put_u32(o, INET_DIAG_MARK, s->mark);
		put_memory(o, q, s);
		if (q->protocol == IPPROTO_TCP)
			put_stream(o, q, s);
	}
	netlink_end(o);
}

static bool
same_end(const struct endpoint *e, uint16_t port, const uint32_t *address, bool v6)
{
	uint32_t words[4] = { 0 };

	put_address(words, &e->address, v6);
	return e->port == net_to_host16(port) && memcmp(words, address, v6 ? 16 : 4) == 0;
}

static bool
is_the_one(const struct inet_diag_request *q, const struct inet_socket_info *s)
{
	bool v6 = q->family == AF_INET6;

	return s->family == q->family && same_end(&s->local, q->id.source_port, q->id.source, v6) &&
	       same_end(&s->remote, q->id.peer_port, q->id.peer, v6);
}

/* Attributes behind the request: a program may be among them. *size 0: none. */
static int
find_filter(const struct netlink_request *r, const void **program, size_t *size)
{
	const struct nlattr *a[INET_DIAG_REQ_BYTECODE + 1];
	int error = netlink_parse(r, sizeof(struct inet_diag_request), a, INET_DIAG_REQ_BYTECODE);

	*size = 0;
	*program = NULL;
	if (error || !a[INET_DIAG_REQ_BYTECODE])
		return error;
	*program = netlink_data(a[INET_DIAG_REQ_BYTECODE]);
	*size = netlink_size(a[INET_DIAG_REQ_BYTECODE]);
	return diag_filter_check(*program, *size);
}

int
diag_inet_request(const struct netlink_request *r, bool dump, struct netlink_out *o)
{
	const struct inet_diag_request *q = r->body;
	struct inet_socket_info *all;
	const void *program;
	size_t size;
	uint32_t count;
	bool found = false;
	int error;

	if (r->length < sizeof(*q))
		return -EINVAL;
	if (q->protocol != IPPROTO_TCP && q->protocol != IPPROTO_UDP && q->protocol != IPPROTO_RAW)
		return dump ? 1 : -ENOENT;
	error = find_filter(r, &program, &size);
	if (error)
		return error;
	all = inet_sockets(r->network, q->protocol, &count);
	/* Who listens comes first. */
	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < count && !found; i++) {
			const struct inet_socket_info *s = &all[i];

			if ((s->state == LISTENING) != (pass == 0))
				continue;
			if (dump ? s->family == q->family && (q->states & BIT(s->state)) &&
				   (!q->id.source_port || q->id.source_port == host_to_net16(s->local.port)) &&
				   (!q->id.peer_port || q->id.peer_port == host_to_net16(s->remote.port)) &&
				   diag_filter_run(program, size, s)
				 : is_the_one(q, s)) {
				put_socket(o, r, s);
				found = !dump;
			}
		}
	kvfree(all);
	return dump ? 1 : found ? 0 : -ENOENT;
}
