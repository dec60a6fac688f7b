/* SPDX-License-Identifier: MIT */
/*
 * diag_unix.c - NETLINK_SOCK_DIAG about sockets of AF_UNIX, for ss(8). linux/unix_diag.h.
 */
#include <tessera/errno.h>

#include "diag.h"

struct unix_diag_request {
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t states, inode, show;
	uint32_t cookie[2];
};
_Static_assert(sizeof(struct unix_diag_request) == 24, "Linux's layout");

struct unix_diag_message {
	uint8_t family, type, state, pad;
	uint32_t inode;
	uint32_t cookie[2];
};
_Static_assert(sizeof(struct unix_diag_message) == 16, "Linux's layout");

enum { UNIX_DIAG_NAME, UNIX_DIAG_VFS, UNIX_DIAG_PEER, UNIX_DIAG_ICONS, UNIX_DIAG_RQLEN, UNIX_DIAG_MEMINFO,
       UNIX_DIAG_SHUTDOWN };

/* unix_diag_request.show */
#define SHOW_NAME    BIT(0)
#define SHOW_VFS     BIT(1)
#define SHOW_PEER    BIT(2)
#define SHOW_RQLEN   BIT(4)
#define SHOW_MEMINFO BIT(5)

enum { ESTABLISHED = 1, CLOSED = 7, LISTENING = 10 };

struct listing {
	const struct netlink_request *request;
	struct netlink_out *out;
	uint32_t only;                 /* the one of this number; 0: all */
	bool found;
};

static void
put_socket(struct netlink_out *o, const struct unix_diag_request *q, const struct socket *s,
	   const struct socket_address *name, uint8_t state)
{
	struct unix_diag_message *m = netlink_begin(o, SOCK_DIAG_BY_FAMILY, 0, sizeof(*m));
	struct unix_report report;

	if (!m)
		return;
	unix_report(s, &report);
	m->family = AF_UNIX;
	m->type = (uint8_t)s->type;
	m->state = state;
	m->inode = (uint32_t)s->inode;
	m->cookie[0] = (uint32_t)s->inode;
	if ((q->show & SHOW_NAME) && name->length > sizeof(name->family)) {
		const char *path = (const char *)name->bytes + sizeof(name->family);
		size_t n = name->length - sizeof(name->family);

		netlink_put(o, UNIX_DIAG_NAME, path, path[0] ? n - 1 : n);
	}
	if ((q->show & SHOW_VFS) && report.file)
		netlink_put(o, UNIX_DIAG_VFS, (uint32_t[]){ (uint32_t)report.file, (uint32_t)report.device }, 8);
	if ((q->show & SHOW_PEER) && report.peer)
		netlink_put_u32(o, UNIX_DIAG_PEER, (uint32_t)report.peer);
	if (q->show & SHOW_RQLEN)
		netlink_put(o, UNIX_DIAG_RQLEN, (uint32_t[]){ report.receive_queue, report.send_queue }, 8);
	if (q->show & SHOW_MEMINFO)
		netlink_put(o, UNIX_DIAG_MEMINFO, (uint32_t[9]){ 0, s->receive_limit, 0, s->send_limit }, 36);
	netlink_put_u8(o, UNIX_DIAG_SHUTDOWN, (uint8_t)READ_ONCE(s->shutdown));
	netlink_end(o);
}

static void
show_one(void *ctx, const struct socket *s, const struct socket_address *name)
{
	struct listing *l = ctx;
	const struct unix_diag_request *q = l->request->body;
	uint8_t state = s->state == SOCKET_LISTENING ? LISTENING : s->state == SOCKET_CONNECTED ? ESTABLISHED : CLOSED;

	if (!s->inode)
		return; /* a connection that nobody has accepted */
	if (s->net != (struct namespace *)l->request->network || (l->only ? s->inode != l->only : !(q->states & BIT(state))))
		return;
	put_socket(l->out, q, s, name, state);
	l->found = true;
}

int
diag_unix_request(const struct netlink_request *r, bool dump, struct netlink_out *o)
{
	const struct unix_diag_request *q = r->body;
	struct listing l = { .request = r, .out = o };

	if (r->length < sizeof(*q))
		return -EINVAL;
	if (!dump && q->inode == 0)
		return -EINVAL;
	l.only = dump ? 0 : q->inode;
	unix_for_each(show_one, &l);
	return dump ? 1 : l.found ? 0 : -ENOENT;
}
