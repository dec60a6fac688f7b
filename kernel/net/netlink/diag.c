/* SPDX-License-Identifier: MIT */
/*
 * diag.c - NETLINK_SOCK_DIAG: sockets are shown to programs that look at them, such as ss(8). sock_diag(7).
 *
 * The first byte of a request is the family that it is about; each family has its own words.
 */
#include <tessera/errno.h>
#include <tessera/netlink.h>
#include <tessera/slab.h>

#include "diag.h"

/* --- AF_NETLINK -------------------------------------------------------------------------------------- */

struct netlink_diag_request {
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t inode, show;
	uint32_t cookie[2];
};
_Static_assert(sizeof(struct netlink_diag_request) == 20, "Linux's layout");

struct netlink_diag_message {
	uint8_t family, type, protocol, state;
	uint32_t port, to_port, to_group, inode;
	uint32_t cookie[2];
};
_Static_assert(sizeof(struct netlink_diag_message) == 28, "Linux's layout");

#define SOCK_DESTROY 21u

enum { NETLINK_DIAG_MEMINFO, NETLINK_DIAG_GROUPS };

#define SHOW_MEMINFO  BIT(0)
#define SHOW_GROUPS   BIT(1)
#define ALL_PROTOCOLS 255u

static void
put_netlink(struct netlink_out *o, const struct netlink_diag_request *q, const struct netlink_socket_info *s)
{
	struct netlink_diag_message *m = netlink_begin(o, SOCK_DIAG_BY_FAMILY, 0, sizeof(*m));
	uint32_t memory[9] = { s->queued, SOCKET_BUFFER, 0, SOCKET_BUFFER, 0, 0, 0, 0, s->drops };

	if (!m)
		return;
	m->family = AF_NETLINK;
	m->type = SOCK_RAW;
	m->protocol = (uint8_t)s->protocol;
	m->state = 7; /* NETLINK_UNCONNECTED, as the rest of the world counts it */
	m->port = s->port;
	m->inode = (uint32_t)s->inode;
	m->cookie[0] = (uint32_t)s->inode;
	if (q->show & SHOW_GROUPS)
		netlink_put(o, NETLINK_DIAG_GROUPS, &s->groups, sizeof(s->groups));
	if (q->show & SHOW_MEMINFO)
		netlink_put(o, NETLINK_DIAG_MEMINFO, memory, sizeof(memory));
	netlink_end(o);
}

int
diag_netlink_request(const struct netlink_request *r, bool dump, struct netlink_out *o)
{
	const struct netlink_diag_request *q = r->body;
	struct netlink_socket_info *all;
	uint32_t count;

	if (r->length < sizeof(*q))
		return -EINVAL;
	if (!dump)
		return -EOPNOTSUPP;
	all = netlink_sockets(r->network, &count);
	for (uint32_t i = 0; i < count; i++)
		if (q->protocol == ALL_PROTOCOLS || q->protocol == all[i].protocol)
			put_netlink(o, q, &all[i]);
	kvfree(all);
	return 1;
}

/* --- all of them --------------------------------------------------------------------------------------- */

static int
request(const struct netlink_request *r, struct netlink_out *o)
{
	bool dump = (r->header->flags & NLM_F_DUMP) == NLM_F_DUMP;

	if (r->header->type != SOCK_DIAG_BY_FAMILY) /* no socket is closed for another program's sake */
		return r->header->type == SOCK_DESTROY ? -EOPNOTSUPP : -EINVAL;
	if (r->length < 2)
		return -EINVAL;
	switch (*(const uint8_t *)r->body) {
	case AF_INET:
	case AF_INET6:
		return diag_inet_request(r, dump, o);
	case AF_UNIX:
		return diag_unix_request(r, dump, o);
	case AF_NETLINK:
		return diag_netlink_request(r, dump, o);
	default:
		return *(const uint8_t *)r->body < AF_LIMIT ? -ENOENT : -EINVAL;
	}
}

const struct netlink_protocol netlink_diag = { .name = "diag", .groups = 4, .request = request, .dumps_any = true };
