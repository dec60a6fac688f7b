/* SPDX-License-Identifier: MIT */
/* group.c - messages of netlink that nobody asked for: the kernel's to groups, and those of programs to each other. */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/string.h>

#include "netlink_socket.h"

bool
netlink_has_listeners(struct network *n, int protocol, uint32_t group)
{
	struct netlink_socket *s;
	bool any = false;

	spin_lock(&netlink_table_lock);
	list_for_each (s, &netlink_all, node)
		any |= s->socket.protocol == protocol && s->socket.net == &n->ns && (s->groups & BIT(group - 1));
	spin_unlock(&netlink_table_lock);
	return any;
}

/* The first listener of those younger than number `after`, with a reference; NULL: there is none. */
static struct netlink_socket *
next_listener(struct network *n, int protocol, uint32_t group, uint64_t after)
{
	struct netlink_socket *s, *found = NULL;

	spin_lock(&netlink_table_lock);
	list_for_each (s, &netlink_all, node)
		if (s->number > after && s->socket.protocol == protocol && s->socket.net == &n->ns &&
		    (s->groups & BIT(group - 1))) {
			ref_get(&s->socket.refs);
			found = s;
			break;
		}
	spin_unlock(&netlink_table_lock);
	return found;
}

void
netlink_overrun(struct netlink_socket *n)
{
	if (READ_ONCE(n->no_enobufs))
		return;
	atomic_store(&n->socket.error, ENOBUFS);
	wake_poll(&n->socket.read_wait, POLLERR);
}

/* All who listen get a copy, but `except`. */
static void
tell(struct network *n, int protocol, uint32_t group, const struct packet *p, size_t size,
     const struct netlink_socket *except)
{
	uint64_t spared = except ? except->number : 0; /* they begin with 1 */
	struct netlink_socket *s;

	for (uint64_t at = 0; (s = next_listener(n, protocol, group, at)) != NULL; netlink_put_socket(s)) {
		struct packet *copy;

		at = s->number;
		if (at == spared)
			continue;
		copy = packet_create(size);
		if (copy) {
			memcpy(copy->data, p->data, size);
			copy->info = p->info;
			copy->info.to.scope = group;
		}
		if (!copy || !packet_queue_add(&s->queue, &s->socket, copy)) {
			if (copy)
				packet_free(copy);
			netlink_overrun(s);
		}
	}
}

void
netlink_tell_group(struct network *n, int protocol, uint32_t group, struct netlink_out *o)
{
	if (!o->packet)
		return;
	if (!o->error)
		tell(n, protocol, group, o->packet, o->used, NULL);
	packet_free(o->packet);
	o->packet = NULL;
}

/* --- programs --------------------------------------------------------------------------------------- */

/* What a program sends to others. NULL: no memory. */
static struct packet *
packet_of_program(const struct netlink_socket *n, const char *data, size_t size)
{
	struct packet *p = packet_create(size);
	const struct cred *c = current_cred();

	if (!p)
		return NULL;
	memcpy(p->data, data, size);
	p->info.interface = n->port;
	p->info.sender = (struct socket_credentials){ current_process()->pid, c->uid, c->gid };
	return p;
}

ssize_t
netlink_send_to_port(struct netlink_socket *n, uint32_t port, const char *data, size_t size)
{
	struct netlink_socket *to;
	struct packet *p;
	bool room;

	spin_lock(&netlink_table_lock);
	to = netlink_find_port(n->socket.net, n->socket.protocol, port);
	if (to)
		ref_get(&to->socket.refs);
	spin_unlock(&netlink_table_lock);
	if (!to)
		return -ECONNREFUSED;
	p = packet_of_program(n, data, size);
	room = p;
	if (p) {
		room = packet_queue_add(&to->queue, &to->socket, p);
		if (!room)
			packet_free(p);
	}
	netlink_put_socket(to);
	return !p ? -ENOBUFS : room ? (ssize_t)size : -EAGAIN;
}

ssize_t
netlink_send_to_group(struct netlink_socket *n, uint32_t groups, const char *data, size_t size)
{
	struct packet *p = packet_of_program(n, data, size);

	if (!p)
		return -ENOBUFS;
	tell((struct network *)n->socket.net, n->socket.protocol, (uint32_t)__builtin_ctz(groups) + 1, p, size, n);
	packet_free(p);
	return 0;
}
