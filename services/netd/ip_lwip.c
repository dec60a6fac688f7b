/* SPDX-License-Identifier: MIT */
/*
 * ip_lwip.c - what lwIP's TCP calls of an IP layer: routes by interface, and packets out.
 *
 * While lwIP works on a segment that came it may acknowledge data before it has given it to us (tcp.h). What it
 * sends then is kept until it has.
 */
#include <lwip/ip.h>
#include <lwip/ip6.h>
#include <lwip/nd6.h>
#include <lwip/prot/ip4.h>
#include <lwip/sys.h>
#include <stdlib.h>

#include "log.h"
#include "tcp.h"

struct ip_globals ip_data;
const ip_addr_t ip_addr_any_type = IPADDR_ANY_TYPE_INIT;

struct late {
	struct late *next;
	struct interface *interface;
	struct netd_address hop;
	uint32_t length, checksum;
	uint8_t data[];
};

static struct late *late, **late_end = &late;

u32_t
sys_now(void)
{
	return now_ms();
}

void
netd_assertion_failed(const char *what, const char *file, int line)
{
	log_error("lwIP: %s (%s:%d)", what, file, line);
	abort();
}

static struct netif *
route(const struct netd_address *to)
{
	struct netd_address hop;
	struct interface *i = ip_route_to(to, 0, &hop);

	return i ? &i->netif : NULL;
}

struct netif *
ip4_route(const ip4_addr_t *to)
{
	struct netd_address t = address_v4(to);

	return route(&t);
}

struct netif *
ip6_route(const ip6_addr_t *from, const ip6_addr_t *to)
{
	struct netd_address t = address_v6(to->addr);

	return route(&t);
}

/* Our connections have their addresses from the kernel. */
const ip_addr_t *
ip6_select_source_address(struct netif *netif, const ip6_addr_t *to)
{
	return NULL;
}

struct netif *
netif_get_by_index(u8_t index)
{
	struct interface *i = index && index <= INTERFACES_MAX ? &interfaces[index - 1] : NULL;

	return i && i->used ? &i->netif : NULL;
}

u16_t
nd6_get_destination_mtu(const ip6_addr_t *to, struct netif *netif)
{
	return netif ? netif->mtu : 1280;
}

static void
keep(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count, uint32_t checksum)
{
	uint32_t length = 0;
	struct late *l;

	for (unsigned n = 0; n < count; n++)
		length += parts[n].iov_len;
	l = memory_take(sizeof(*l) + length);
	if (!l)
		return;
	*l = (struct late){ .interface = i, .hop = *hop, .checksum = checksum };
	for (unsigned n = 0; n < count; n++) {
		memcpy(l->data + l->length, parts[n].iov_base, parts[n].iov_len);
		l->length += parts[n].iov_len;
	}
	*late_end = l;
	late_end = &l->next;
}

void
ip_send_late(void)
{
	while (late) {
		struct late *l = late;
		struct iovec part = { .iov_base = l->data, .iov_len = l->length };

		late = l->next;
		ip_transmit(l->interface, &l->hop, &part, 1, l->checksum);
		memory_give(l);
	}
	late_end = &late;
}

/* The sum of parts that may be of odd length. */
static uint16_t
sum_of(const struct iovec *parts, unsigned count, uint32_t sum)
{
	bool odd = false;

	for (unsigned n = 0; n < count; n++) {
		uint16_t one = ip_fold(ip_sum(0, parts[n].iov_base, parts[n].iov_len));

		sum = ip_fold(sum) + (odd ? (uint16_t)(one << 8 | one >> 8) : one);
		odd ^= parts[n].iov_len & 1;
	}
	return ip_fold(sum);
}

/* A segment of TCP, `p`, goes behind `header`. */
static err_t
segment_out(struct pbuf *p, struct netif *netif, uint8_t *header, unsigned size, const struct netd_address *from,
	const struct netd_address *to)
{
	const struct connection *c = tcp_sending();
	struct iovec parts[IP_PARTS_MAX] = { { header, size } };
	struct interface *i = ip_interface_of(netif), *by;
	uint32_t sum = ip_fold(ip_pseudo_sum(from, to, IP_PROTO_TCP, p->tot_len)), checksum = 0;
	struct netd_address hop;
	unsigned count = 1;
	int error;

	for (struct pbuf *q = p; q; q = q->next) {
		if (count == IP_PARTS_MAX)
			return ERR_BUF;
		if (q->len)
			parts[count++] = (struct iovec){ .iov_base = q->payload, .iov_len = q->len };
	}
	by = ip_route_to(to, c && c->pcb && c->pcb->netif_idx ? i->index : 0, &hop);
	if (by)
		i = by;
	if (i->nic && i->nic->can_checksum && size + p->tot_len <= i->mtu) {
		checksum = NIC_CHECKSUM(size, 16);
		((struct tcp_hdr *)p->payload)->chksum = sum;
	} else {
		((struct tcp_hdr *)p->payload)->chksum = 0;
		((struct tcp_hdr *)p->payload)->chksum = ~sum_of(parts + 1, count - 1, sum);
	}
	if (tcp_sends_late()) {
		keep(i, &hop, parts, count, checksum);
		return ERR_OK;
	}
	error = ip_transmit(i, &hop, parts, count, checksum);
	return error ? ERR_IF : ERR_OK;
}

err_t
ip4_output_if(struct pbuf *p, const ip4_addr_t *src, const ip4_addr_t *dest, u8_t ttl, u8_t tos, u8_t proto,
	struct netif *netif)
{
	static uint16_t identification;
	struct netd_address from = address_v4(src), to = address_v4(dest);
	const struct connection *c = tcp_sending();
	uint8_t header[IP_HLEN] = { 0x45, tos };

	put16(header + 2, IP_HLEN + p->tot_len);
	put16(header + 4, identification++);
	if (!c || !c->wanted || !(c->wanted->flags & NETD_FLAG_MAY_CUT))
		put16(header + 6, IP_DF);
	header[8] = ttl;
	header[9] = proto;
	memcpy(header + 12, src, 4);
	memcpy(header + 16, dest, 4);
	*(uint16_t *)(header + 10) = ~ip_fold(ip_sum(0, header, IP_HLEN));
	return segment_out(p, netif, header, sizeof(header), &from, &to);
}

err_t
ip6_output_if(struct pbuf *p, const ip6_addr_t *src, const ip6_addr_t *dest, u8_t hl, u8_t tc, u8_t nexth,
	struct netif *netif)
{
	struct netd_address from = address_v6(src->addr), to = address_v6(dest->addr);
	uint8_t header[40] = { 0x60 | tc >> 4, tc << 4 };

	put16(header + 4, p->tot_len);
	header[6] = nexth;
	header[7] = hl;
	memcpy(header + 8, src->addr, 16);
	memcpy(header + 24, dest->addr, 16);
	return segment_out(p, netif, header, sizeof(header), &from, &to);
}
