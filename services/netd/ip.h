/* SPDX-License-Identifier: MIT */
/*
 * ip.h - packets: interfaces and their cards, addresses and routes as the kernel has them, neighbours, and IP both
 * ways.
 *
 *   ip_config.c      what the kernel says: interfaces, addresses, routes, groups
 *   ip_link.c        frames to and from cards, TUN and TAP
 *   ip_out.c         a packet is routed, cut where it is too long, and goes to a neighbour
 *   ip_in.c          a packet that came: to lwIP's TCP, or to the kernel
 *   ip_fragments.c   packets put together again
 *   neighbour.c      which address is which card: ARP, and ND's half of it
 *   nd.c             IPv6: our own addresses, what routers advertise
 *   groups.c         who is told which groups we have joined: IGMP, MLD
 *   ip_lwip.c        what lwIP's TCP takes to be its IP layer
 */
#ifndef NETD_IP_H
#define NETD_IP_H

#include <lwip/netif.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "../../abi/netd.h"
#include "nic.h"

#define INTERFACES_MAX 64
#define IP_PARTS_MAX   32 /* of a packet to send */

#define ETHERNET_IP4 0x0800u
#define ETHERNET_ARP 0x0806u
#define ETHERNET_IP6 0x86ddu

struct interface {
	struct netif netif;	/* first: what lwIP has of it. `num` is its place among all */
	uint32_t index, flags, mtu; /* IFF_* */
	char name[NETD_NAME_MAX], key[32];
	uint8_t link[NIC_ADDRESS];
	struct nic *nic;	/* NULL: TUN or TAP, or a card that has not come */
	bool ethernet;		/* a frame has a header */
	bool used, blocked;	/* `blocked`: the card had no room */
	uint64_t tentative_since; /* ms: we ask whether anybody else has our link-local address; 0: not now */
	uint8_t link_local, solicits; /* enum of nd.c; how often routers were asked */
	uint64_t solicited;
};

extern struct interface interfaces[INTERFACES_MAX];

/* --- ip_config.c */

/* Read the kernel's tables if they have changed; true: they had. */
bool ip_config_look(void);
struct interface *ip_interface(uint32_t index);
/* Of lwIP's. */
struct interface *ip_interface_of(struct netif *netif);
/* lwIP's name of an interface; 0: none, or any. */
uint8_t ip_netif_index(uint32_t index);
/* The interface by which packets for `to` leave, and the next hop; `bound`: by that one. NULL: no route. */
struct interface *ip_route_to(const struct netd_address *to, uint32_t bound, struct netd_address *hop);
bool ip_is_ours(const struct netd_address *a);
bool ip_is_broadcast(const struct interface *i, const struct netd_address *a);
bool ip_group_joined(const struct interface *i, const struct netd_address *group);
/* An address of `i` to speak with `to` by; false: it has none of this kind. */
bool ip_source(const struct interface *i, const struct netd_address *to, struct netd_address *source);
bool ip_has_address(const struct interface *i, const struct netd_address *a);
/* The groups that sockets have joined. */
const struct netd_table_group *ip_groups(uint32_t *count);

/* --- ip_link.c */

/* Beside NIC_CHECKSUM_GOOD: the frame that it came in is to many cards. */
#define LINK_TO_MANY 0x100u

/* A card is there: it becomes an interface. */
int ip_add_nic(struct nic *nic);
/* A frame of Ethernet, or a packet where there is none. 0, -EAGAIN: no room now, another negative errno: it is lost. */
int link_send(struct interface *i, const struct iovec *parts, unsigned count, uint32_t checksum);
/* `held` holds the frame, and is NULL behind the call if it was taken; NULL: it is somebody else's. */
void link_receive(struct interface *i, const uint8_t *frame, uint32_t length, uint32_t flags, struct pbuf **held);
/* Cards begin to send what they were given. */
void link_flush(void);
/* Counts and carriers, for the kernel. */
void link_report(void);
extern const struct nic_stack link_stack;

/* --- ip_out.c */

/* Frames of the kernel's go out. True: there were some. */
bool ip_frames_out(void);
/*
 * A packet, parts[0] of which begins with its header, goes to the neighbour `hop`; `checksum` as nic->ops->send()
 * takes it, from the packet's first byte on. As link_send().
 */
int ip_transmit(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count,
	uint32_t checksum);
/* The sum of 16 bit words in network order, as they lie; `sum` goes on from one part to the next of even length. */
uint32_t ip_sum(uint32_t sum, const void *data, size_t size);
uint16_t ip_fold(uint32_t sum);
/* The sum of what TCP, UDP and ICMPv6 put before their segments. */
uint32_t ip_pseudo_sum(const struct netd_address *from, const struct netd_address *to, uint8_t protocol,
	uint32_t length);

/* --- ip_lwip.c */

/* What was held back while a segment came in goes out. */
void ip_send_late(void);

/* --- ip_in.c */

/* `held` as of link_receive(). */
void ip4_receive(struct interface *i, const uint8_t *packet, uint32_t length, uint32_t flags, struct pbuf **held);
void ip6_receive(struct interface *i, const uint8_t *packet, uint32_t length, uint32_t flags, struct pbuf **held);

/* --- ip_fragments.c */

/* What a fragment says of itself. `key` is all that the fragments of one packet have in common. */
struct fragment {
	const uint8_t *header;	/* IPv4: the header; IPv6: all before the fragment header */
	uint32_t header_length;
	uint32_t offset;	/* in bytes */
	bool more;
	const uint8_t *data;
	uint32_t length;
	uint8_t key[40];
};

/* A fragment came. The packet, whole, if that was its last one; it is there until the next call. */
const uint8_t *fragment_add(const struct fragment *f, uint32_t *length);
void fragments_tick(uint64_t now);

/* --- neighbour.c */

/* The card behind `hop`. False: not known now; it is asked for. */
bool neighbour_find(struct interface *i, const struct netd_address *hop, uint8_t link[NIC_ADDRESS]);
/* A packet waits for it. `checksum`: as ip_transmit() takes it. */
void neighbour_wait(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count,
	uint32_t checksum);
/* A card has said who it is. `answer`: because we asked; `make`: we want to know though we did not ask. */
void neighbour_learn(struct interface *i, const struct netd_address *a, const uint8_t link[NIC_ADDRESS], bool answer,
	bool make);
/* It has answered us where we asked it, and has not said where it is. */
void neighbour_confirm(struct interface *i, const struct netd_address *a);
/* As the kernel has them now: some were set by hand, some that we told of were taken away. */
void neighbours_set(const struct netd_table_neighbour *table, uint32_t count);
void neighbours_tick(uint64_t now);
void neighbours_forget(struct interface *i);
void arp_receive(struct interface *i, const uint8_t *packet, uint32_t length);

/* --- nd.c */

void nd_receive(struct interface *i, const uint8_t *packet, const uint8_t *message, uint32_t length);
void nd_solicit(struct interface *i, const struct netd_address *target, const uint8_t *link);
void nd_tick(uint64_t now);

/* --- groups.c */

void groups_changed(void);
void groups_receive(struct interface *i, const uint8_t *message, uint32_t length, bool v6);
void groups_tick(uint64_t now);

static inline bool
address_is_v4(const struct netd_address *a)
{
	uint64_t first;
	uint32_t then;

	__builtin_memcpy(&first, a->bytes, 8);
	__builtin_memcpy(&then, a->bytes + 8, 4);
	return !first && then == 0xffff0000; /* as the machine reads 0, 0, ff, ff */
}

static inline bool
address_same(const struct netd_address *a, const struct netd_address *b)
{
	uint64_t x[2], y[2];

	__builtin_memcpy(x, a->bytes, 16);
	__builtin_memcpy(y, b->bytes, 16);
	return x[0] == y[0] && x[1] == y[1];
}

static inline bool
address_is_group(const struct netd_address *a)
{
	return address_is_v4(a) ? a->bytes[12] >> 4 == 14 : a->bytes[0] == 0xff;
}

static inline struct netd_address
address_v4(const void *four)
{
	struct netd_address a = { { [10] = 0xff, [11] = 0xff } };

	__builtin_memcpy(a.bytes + 12, four, 4);
	return a;
}

static inline struct netd_address
address_v6(const void *sixteen)
{
	struct netd_address a;

	__builtin_memcpy(a.bytes, sixteen, 16);
	return a;
}

static inline uint16_t
get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline void
put16(uint8_t *p, uint16_t value)
{
	p[0] = value >> 8;
	p[1] = value;
}

#endif
