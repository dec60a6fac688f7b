/* SPDX-License-Identifier: MIT */
/*
 * nd.c - IPv6's neighbours and routers: RFC 4861, and addresses that we give ourselves: RFC 4862.
 *
 * An interface that is up gets a link-local address once nobody else claims it; then routers are asked. What they
 * advertise - a prefix for an address of ours, a default route - becomes the kernel's.
 */
#include <net/if.h>

#include "log.h"
#include "tcp.h"

#define SOLICIT_ROUTER	   133
#define ADVERTISE_ROUTER   134
#define SOLICIT_NEIGHBOUR  135
#define ADVERTISE_NEIGHBOUR 136
#define OPTION_SOURCE	   1
#define OPTION_TARGET	   2
#define OPTION_PREFIX	   3
#define SOLICITED	   0x40000000u
#define OVERRIDE	   0x20000000u

#define TENTATIVE_MS	   1000
#define SOLICIT_MS	   4000
#define SOLICIT_TIMES	   3
#define SCOPE_LINK	   253 /* RT_SCOPE_LINK */

enum link_local { NONE, TENTATIVE, OURS, TAKEN };

static struct netd_address
with_card(const struct interface *i, const uint8_t prefix[8])
{
	struct netd_address a;

	memcpy(a.bytes, prefix, 8);
	memcpy(a.bytes + 8, i->link, 3);
	a.bytes[8] ^= 2;
	a.bytes[11] = 0xff;
	a.bytes[12] = 0xfe;
	memcpy(a.bytes + 13, i->link + 3, 3);
	return a;
}

static struct netd_address
link_local(const struct interface *i)
{
	static const uint8_t prefix[8] = { 0xfe, 0x80 };

	return with_card(i, prefix);
}

static struct netd_address
solicited_node(const struct netd_address *a)
{
	struct netd_address g = { { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(g.bytes + 13, a->bytes + 13, 3);
	return g;
}

/* A message of ICMPv6 in a packet, with our card's address as its last option if `with_link`. */
static void
send_message(struct interface *i, const struct netd_address *from, const struct netd_address *to,
	uint8_t type, uint32_t flags,
	const struct netd_address *target, uint8_t option)
{
	uint8_t packet[40 + 8 + 16 + 8] = { 0x60 }, *message = packet + 40;
	uint32_t length = 8;
	struct iovec part = { .iov_base = packet };

	message[0] = type;
	flags = lwip_htonl(flags);
	memcpy(message + 4, &flags, 4);
	if (target) {
		memcpy(message + length, target, 16);
		length += 16;
	}
	if (option) {
		message[length] = option;
		message[length + 1] = 1;
		memcpy(message + length + 2, i->link, NIC_ADDRESS);
		length += 8;
	}
	put16(packet + 4, length);
	packet[6] = 58;
	packet[7] = 255;
	memcpy(packet + 8, from, 16);
	memcpy(packet + 24, to, 16);
	*(uint16_t *)(message + 2) = ~ip_fold(ip_sum(ip_pseudo_sum(from, to, 58, length), message, length));
	part.iov_len = 40 + length;
	ip_transmit(i, to, &part, 1, 0);
}

void
nd_solicit(struct interface *i, const struct netd_address *target, const uint8_t *link)
{
	struct netd_address to = link ? *target : solicited_node(target), from;

	if (ip_source(i, target, &from))
		send_message(i, &from, &to, SOLICIT_NEIGHBOUR, 0, target, OPTION_SOURCE);
}

/* The first option of this kind, which is as long as it says; NULL: none. *at goes on behind it. */
static const uint8_t *
next_option(const uint8_t *message, uint32_t length, uint32_t *at, uint8_t kind)
{
	while (*at + 8 <= length) {
		const uint8_t *option = message + *at;

		if (!option[1] || *at + option[1] * 8u > length)
			return NULL;
		*at += option[1] * 8u;
		if (option[0] == kind)
			return option;
	}
	return NULL;
}

/* Asked at one of our addresses, not at a group: he has our card's address, as Linux has it then, too (RFC 4861, 7.2.4). */
static void
solicited(struct interface *i, const struct netd_address *from, bool by_group, const uint8_t *message, uint32_t length)
{
	struct netd_address target = address_v6(message + 8), own = link_local(i);
	struct netd_address all = { { 0xff, 2, [15] = 1 } }, none = { { 0 } };
	uint32_t at = 24;
	const uint8_t *source = next_option(message, length, &at, OPTION_SOURCE);
	bool probe = !memcmp(from, &none, sizeof(none));

	if (probe && i->link_local == TENTATIVE && !memcmp(&target, &own, sizeof(own))) {
		i->link_local = TAKEN;
		return;
	}
	if (!ip_has_address(i, &target))
		return;
	if (probe) {
		send_message(i, &target, &all, ADVERTISE_NEIGHBOUR, OVERRIDE, &target, OPTION_TARGET);
		return;
	}
	if (source)
		neighbour_learn(i, from, source + 2, false, true);
	send_message(i, &target, from, ADVERTISE_NEIGHBOUR, SOLICITED | (by_group ? OVERRIDE : 0), &target,
		by_group ? OPTION_TARGET : 0);
}

static void
advertised(struct interface *i, const uint8_t *message, uint32_t length)
{
	struct netd_address target = address_v6(message + 8), own = link_local(i);
	uint32_t at = 24;
	const uint8_t *link = next_option(message, length, &at, OPTION_TARGET);

	if (i->link_local == TENTATIVE && !memcmp(&target, &own, sizeof(own))) {
		log_error("%s: another one has our link-local address", i->name);
		i->link_local = TAKEN;
		return;
	}
	if (link)
		neighbour_learn(i, &target, link + 2, message[4] & 0x40, false);
	else if (message[4] & 0x40)
		neighbour_confirm(i, &target);
}

static void
prefix_advertised(struct interface *i, const uint8_t *option)
{
	struct netd_table_address a = { .interface = i->index, .bits = option[2] };
	struct netd_table_route r = { .interface = i->index, .bits = option[2], .type = 1, .metric = 256, .v6 = 1 };

	/* Autonomous, of the length that fits our identifiers, valid, and not link-local: RFC 4862, 5.5.3. */
	if (option[1] != 4 || option[2] > 128 || (option[16] == 0xfe && (option[17] & 0xc0) == 0x80) || option[16] == 0xff ||
		!(option[4] | option[5] | option[6] | option[7]))
		return;
	if (option[3] & 0x40 && option[2] == 64) {
		a.address = with_card(i, option + 16);
		if (!ip_has_address(i, &a.address))
			door_add_address(&a);
	}
	if (option[3] & 0x80) {
		memcpy(r.to.bytes, option + 16, 16);
		door_add_route(&r);
	}
}

static void
router(struct interface *i, const struct netd_address *from, const uint8_t *message, uint32_t length)
{
	struct netd_table_route r = { .interface = i->index, .type = 1, .metric = 1024, .v6 = 1, .gateway = *from };
	const uint8_t *option;
	uint32_t at = 16;

	if (!address_is_link_local(from))
		return;
	i->solicits = SOLICIT_TIMES;
	option = next_option(message, length, &at, OPTION_SOURCE);
	if (option)
		neighbour_learn(i, from, option + 2, false, true);
	at = 16;
	while ((option = next_option(message, length, &at, OPTION_PREFIX)) != NULL)
		prefix_advertised(i, option);
	if (get16(message + 6))
		door_add_route(&r);
}

void
nd_receive(struct interface *i, const uint8_t *packet, const uint8_t *message, uint32_t length)
{
	struct netd_address from = address_v6(packet + 8);

	if (message[0] == SOLICIT_NEIGHBOUR && length >= 24)
		solicited(i, &from, packet[24] == 0xff, message, length);
	else if (message[0] == ADVERTISE_NEIGHBOUR && length >= 24)
		advertised(i, message, length);
	else if (message[0] == ADVERTISE_ROUTER && length >= 16)
		router(i, &from, message, length);
}

static void
look_after(struct interface *i, uint64_t now)
{
	struct netd_address own = link_local(i), none = { { 0 } }, routers = { { 0xff, 2, [15] = 2 } };
	struct netd_address group = solicited_node(&own);
	struct netd_table_address a = { .interface = i->index, .bits = 64, .scope = SCOPE_LINK, .address = own };

	if (i->link_local == NONE) {
		i->link_local = ip_has_address(i, &own) ? OURS : TENTATIVE;
		i->tentative_since = now;
		if (i->link_local == TENTATIVE)
			send_message(i, &none, &group, SOLICIT_NEIGHBOUR, 0, &own, 0);
	} else if (i->link_local == TENTATIVE && now - i->tentative_since > TENTATIVE_MS) {
		i->link_local = door_add_address(&a) ? TAKEN : OURS;
		i->solicits = 0;
		i->solicited = 0;
	} else if (i->link_local == OURS && i->solicits < SOLICIT_TIMES && now - i->solicited > SOLICIT_MS) {
		i->solicits++;
		i->solicited = now;
		send_message(i, &own, &routers, SOLICIT_ROUTER, 0, NULL, OPTION_SOURCE);
	}
}

void
nd_tick(uint64_t now)
{
	for (int n = 0; n < INTERFACES_MAX; n++)
		if (interfaces[n].used && interfaces[n].nic && interfaces[n].nic->carrier && interfaces[n].flags & IFF_UP)
			look_after(&interfaces[n], now);
}
