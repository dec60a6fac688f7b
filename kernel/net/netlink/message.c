/* SPDX-License-Identifier: MIT */
/*
 * message.c - messages of netlink: put together, and taken apart.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "netlink.h"

/* --- putting messages together -------------------------------------------------------------------- */

/* Room for `size` bytes more, zeroed; NULL: none. */
static char *
room(struct netlink_out *o, size_t size)
{
	char *at;

	if (o->error || o->used + ALIGN_UP(size, 4) > NETLINK_PART) {
		o->error = o->error ? o->error : -ENOBUFS;
		return NULL;
	}
	at = o->packet->data + o->used;
	memset(at, 0, ALIGN_UP(size, 4));
	o->used += ALIGN_UP(size, 4);
	return at;
}

void *
netlink_begin(struct netlink_out *o, uint16_t type, uint16_t flags, size_t size)
{
	struct nlmsghdr *h;

	/* No message that is told is longer than half a part. */
	if (o->packet && o->used > NETLINK_PART / 2)
		netlink_send_part(o);
	if (o->full)
		return NULL;
	if (!o->packet) {
		o->packet = packet_create(NETLINK_PART);
		o->used = 0;
	}
	if (!o->packet) {
		o->error = -ENOBUFS;
		return NULL;
	}
	o->message = o->used;
	h = (struct nlmsghdr *)room(o, sizeof(*h) + size);
	if (!h)
		return NULL;
	h->type = type;
	h->flags = flags | (o->multi ? NLM_F_MULTI : 0);
	h->sequence = o->sequence;
	h->port = o->port;
	return h + 1;
}

void
netlink_put(struct netlink_out *o, uint16_t type, const void *data, size_t size)
{
	struct nlattr *a = (struct nlattr *)room(o, sizeof(*a) + size);

	if (!a)
		return;
	a->type = type;
	a->length = (uint16_t)(sizeof(*a) + size);
	if (size)
		memcpy(a + 1, data, size);
}

void
netlink_put_u32(struct netlink_out *o, uint16_t type, uint32_t value)
{
	netlink_put(o, type, &value, sizeof(value));
}

void
netlink_put_u8(struct netlink_out *o, uint16_t type, uint8_t value)
{
	netlink_put(o, type, &value, sizeof(value));
}

void
netlink_put_string(struct netlink_out *o, uint16_t type, const char *s)
{
	netlink_put(o, type, s, strlen(s) + 1);
}

size_t
netlink_nest(struct netlink_out *o, uint16_t type)
{
	size_t at = o->used;

	netlink_put(o, type, NULL, 0);
	return at;
}

void
netlink_unnest(struct netlink_out *o, size_t nest)
{
	if (!o->error)
		((struct nlattr *)(o->packet->data + nest))->length = (uint16_t)(o->used - nest);
}

void
netlink_end(struct netlink_out *o)
{
	if (o->error)
		return;
	((struct nlmsghdr *)(o->packet->data + o->message))->length = (uint32_t)(o->used - o->message);
	if (!o->multi)
		return;
	if (o->skip) {
		o->skip--;
		o->used = o->message;
		return;
	}
	if (o->message && o->used > o->part)
		netlink_send_but_last(o);
	o->held++;
}

/* --- taking requests apart ------------------------------------------------------------------------ */

#define NLA_TYPE_MASK 0x3fffu

static void
find_attributes(const char *at, size_t left, const struct nlattr **attribute, unsigned max)
{
	memset(attribute, 0, (max + 1) * sizeof(*attribute));
	while (left >= sizeof(struct nlattr)) {
		const struct nlattr *a = (const struct nlattr *)at;
		size_t step = ALIGN_UP((size_t)a->length, 4);

		if (a->length < sizeof(*a) || a->length > left)
			break;
		if ((a->type & NLA_TYPE_MASK) <= max)
			attribute[a->type & NLA_TYPE_MASK] = a;
		if (step >= left)
			break;
		at += step;
		left -= step;
	}
}

int
netlink_parse(const struct netlink_request *r, size_t header, const struct nlattr **attribute, unsigned max)
{
	size_t from = ALIGN_UP(header, 4);

	find_attributes((const char *)r->body + from, r->length > from ? r->length - from : 0, attribute, max);
	return r->length < header ? -EINVAL : 0;
}

void
netlink_parse_nest(const struct nlattr *nest, const struct nlattr **attribute, unsigned max)
{
	find_attributes(nest ? netlink_data(nest) : NULL, nest ? netlink_size(nest) : 0, attribute, max);
}

uint32_t
netlink_u32(const struct nlattr *a, uint32_t otherwise)
{
	uint32_t n;

	if (!a || netlink_size(a) < sizeof(n))
		return otherwise;
	memcpy(&n, netlink_data(a), sizeof(n));
	return n;
}

int
netlink_string(const struct nlattr *a, char *to, size_t size)
{
	size_t n = strnlen(netlink_data(a), netlink_size(a));

	if (n >= size)
		return -ERANGE;
	memcpy(to, netlink_data(a), n);
	to[n] = '\0';
	return 0;
}
