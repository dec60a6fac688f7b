/* SPDX-License-Identifier: MIT */
/* request.c - requests of netlink, and their answers: acknowledgements, errors, dumps in parts. */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "netlink_socket.h"

#define PART_LEAST 3776u /* what each reader must have room for, as on Linux: glibc's getifaddrs() has 4,096 bytes */

static struct mutex request_lock = MUTEX_INIT(request_lock, NETLINK_REQUEST);

/* The first n bytes of what is in `o`, as one packet. What finds no room is lost, but of a dump it is told later. */
static void
send_bytes(struct netlink_out *o, size_t n)
{
	struct netlink_socket *to = o->to;
	struct packet *p = packet_create(n);

	if (p)
		memcpy(p->data, o->packet->data, n);
	if (p && (!o->multi || packet_queue_has_room(&to->queue, &to->socket, p)) &&
	    packet_queue_add(&to->queue, &to->socket, p)) {
		o->told += o->held;
		o->held = 0;
		return;
	}
	if (p && o->multi)
		o->full = true;
	else
		netlink_overrun(to);
	if (p)
		packet_free(p);
}

void
netlink_send_part(struct netlink_out *o)
{
	if (o->used && !o->full)
		send_bytes(o, o->used);
	if (o->packet)
		packet_free(o->packet);
	o->packet = NULL;
	o->used = 0;
}

void
netlink_send_but_last(struct netlink_out *o)
{
	size_t last = o->used - o->message;

	send_bytes(o, o->message);
	memmove(o->packet->data, o->packet->data + o->message, last);
	o->used = last;
	o->message = 0;
}

/* NLMSG_ERROR: the errno, and the request that it is about. 0 is an acknowledgement. */
static void
acknowledge(struct netlink_socket *n, const struct netlink_request *r, struct netlink_out *o, int error)
{
	bool whole = error && !READ_ONCE(n->capped);
	size_t size = sizeof(int32_t) + (whole ? r->header->length : sizeof(*r->header));
	uint16_t flags = error && o->complaint && READ_ONCE(n->extended) ? NLM_F_ACK_TLVS : 0;
	char *body;

	o->multi = false;
	if (size > NETLINK_PART / 2) {
		whole = false;
		size = sizeof(int32_t) + sizeof(*r->header);
	}
	body = netlink_begin(o, NLMSG_ERROR, flags | (whole ? 0 : NLM_F_CAPPED), size);
	if (!body)
		return;
	memcpy(body, &error, sizeof(int32_t));
	memcpy(body + sizeof(int32_t), r->header, size - sizeof(int32_t));
	if (flags)
		netlink_put_string(o, NLMSGERR_ATTR_MSG, o->complaint);
	netlink_end(o);
}

/* What the protocol says, then the end that belongs to it. request_lock held. *o: what was told, and whether it is all. */
static void
handle(struct netlink_socket *n, const struct netlink_request *r, struct netlink_out *o, bool busy)
{
	int error = busy ? -EBUSY : netlink_protocol_of(n)->request(r, o);

	if (error >= 0 && o->error)
		error = o->error;
	o->skip = 0; /* the end is told, though there may be less than there was before */
	if (error == 1) { /* the dump is over */
		int32_t *done = netlink_begin(o, NLMSG_DONE, 0, sizeof(*done));

		if (done)
			netlink_end(o);
	} else if (error < 0 || (r->header->flags & NLM_F_ACK)) {
		if (o->error) { /* half a message is dropped */
			o->used = o->message;
			o->error = 0;
		}
		acknowledge(n, r, o, error);
	}
	netlink_send_part(o);
}

/* As much of the socket's dump as there is room for. request_lock held. */
static void
tell_more(struct netlink_socket *n)
{
	struct netlink_dump *d = n->dump;
	const struct nlmsghdr *h = &d->request;
	struct netlink_request r = { h, h + 1, h->length - sizeof(*h), (struct network *)n->socket.net, d->privileged };
	struct netlink_out o = { .to = n, .sequence = h->sequence, .port = n->port, .multi = true, .skip = d->told };

	o.part = MIN(MAX(READ_ONCE(n->receive_max), PART_LEAST), NETLINK_PART / 2);
	handle(n, &r, &o, false);
	d->told += o.told;
	if (!o.full) {
		WRITE_ONCE(n->dump, NULL);
		kvfree(d);
	}
}

/* Of one more while one is told Linux says EBUSY, too. */
static void
begin_dump(struct netlink_socket *n, const struct netlink_request *r)
{
	struct netlink_out o = { .to = n, .sequence = r->header->sequence, .port = n->port };
	struct netlink_dump *d;

	if (n->dump) {
		handle(n, r, &o, true);
		return;
	}
	d = kvmalloc(offsetof(struct netlink_dump, request) + r->header->length);
	if (!d) {
		netlink_overrun(n);
		return;
	}
	d->told = 0;
	d->privileged = r->privileged;
	memcpy(&d->request, r->header, r->header->length);
	WRITE_ONCE(n->dump, d);
	tell_more(n);
}

/*
 * A dump that stopped had something in the queue before it. Who takes that comes here afterwards, and waits for the lock
 * until the dump has stopped: it is not forgotten.
 */
void
netlink_go_on(struct netlink_socket *n)
{
	if (!READ_ONCE(n->dump))
		return;
	mutex_lock(&request_lock);
	if (n->dump && READ_ONCE(n->queue.charged) <= READ_ONCE(n->socket.receive_limit) / 2)
		tell_more(n);
	mutex_unlock(&request_lock);
}

static void
answer(struct netlink_socket *n, const struct netlink_request *r)
{
	struct netlink_out o = { .to = n, .sequence = r->header->sequence, .port = n->port };

	mutex_lock(&request_lock);
	if ((r->header->flags & NLM_F_DUMP) == NLM_F_DUMP &&
	    (netlink_protocol_of(n)->dumps_any || (r->header->type & 3) == 2))
		begin_dump(n, r);
	else
		handle(n, r, &o, false);
	mutex_unlock(&request_lock);
}

void
netlink_answer(struct netlink_socket *n, const char *data, size_t left)
{
	while (left >= sizeof(struct nlmsghdr)) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)data;
		struct netlink_request r = { h, h + 1, 0, (struct network *)n->socket.net, false };
		size_t step;

		if (h->length < sizeof(*h) || h->length > left)
			return;
		r.length = h->length - sizeof(*h);
		r.privileged = capable_in(n->socket.net->owner, CAP_NET_ADMIN);
		if ((h->flags & NLM_F_REQUEST) && h->type >= NLMSG_MIN_TYPE)
			answer(n, &r);
		else if (h->flags & NLM_F_ACK) {
			struct netlink_out o = { .to = n, .sequence = h->sequence, .port = n->port };

			acknowledge(n, &r, &o, 0);
			netlink_send_part(&o);
		}
		step = MIN(ALIGN_UP((size_t)h->length, 4), left);
		data += step;
		left -= step;
	}
}
