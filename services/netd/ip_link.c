/* SPDX-License-Identifier: MIT */
/* ip_link.c - frames: cards' ones, and those of TUN and TAP, which the kernel gives to programs. */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>

#include "driver.h"
#include "tcp.h"

#define PACKET_HOST	 0
#define PACKET_BROADCAST 1
#define PACKET_MULTICAST 2
#define PACKET_OTHERHOST 3

static uint64_t to_flush; /* a bit for each of `interfaces` */

_Static_assert(INTERFACES_MAX <= 64, "each has its bit");

static bool
taps(void)
{
	return __atomic_load_n(&door.kernel->taps, __ATOMIC_RELAXED) & NETD_TAP_FRAMES;
}

int
link_send(struct interface *i, const struct iovec *parts, unsigned count, uint32_t checksum)
{
	int error;

	if (!(i->flags & IFF_UP))
		return -ENETDOWN;
	if (!i->nic) {
		if (!door_frame_send(NETD_FRAME_TO_READ, 0, i->index, NULL, parts, count))
			return -ENOBUFS;
	} else if (!i->nic->carrier) {
		return -ENETDOWN; /* what is for others does not wait for a cable */
	} else {
		error = i->nic->ops->send(i->nic, parts, count, checksum);
		if (error) {
			i->blocked |= error == -EAGAIN;
			return error;
		}
		to_flush |= 1ull << (i - interfaces);
	}
	if (taps())
		door_frame_send(NETD_FRAME_SEEN_OUT, 0, i->index, NULL, parts, count);
	return 0;
}

void
link_flush(void)
{
	for (; to_flush; to_flush &= to_flush - 1) {
		struct nic *nic = interfaces[__builtin_ctzll(to_flush)].nic;

		nic->ops->flush(nic);
	}
}

static unsigned
kind_of(const struct interface *i, const uint8_t *frame)
{
	static const uint8_t all[NIC_ADDRESS] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (!memcmp(frame, all, NIC_ADDRESS))
		return PACKET_BROADCAST;
	if (frame[0] & 1)
		return PACKET_MULTICAST;
	return memcmp(frame, i->link, NIC_ADDRESS) ? PACKET_OTHERHOST : PACKET_HOST;
}

void
link_receive(struct interface *i, const uint8_t *frame, uint32_t length, uint32_t flags, struct pbuf **held)
{
	struct iovec part = { .iov_base = (void *)frame, .iov_len = length };
	unsigned kind = PACKET_HOST, type;

	if (!(i->flags & IFF_UP) || length > NETD_FRAME_MAX)
		return;
	if (i->ethernet) {
		if (length < NIC_HEADER)
			return;
		kind = kind_of(i, frame);
	}
	if (taps())
		door_frame_send(NETD_FRAME_SEEN, kind << 8 | (flags & NIC_CHECKSUM_GOOD ? NETD_FRAME_CHECKED : 0), i->index,
			NULL, &part, 1);
	if (kind == PACKET_OTHERHOST)
		return;
	if (kind != PACKET_HOST)
		flags |= LINK_TO_MANY;
	if (!i->ethernet) {
		type = !length ? 0 : frame[0] >> 4 == 4 ? ETHERNET_IP4 : frame[0] >> 4 == 6 ? ETHERNET_IP6 : 0;
	} else {
		type = get16(frame + 12);
		frame += NIC_HEADER;
		length -= NIC_HEADER;
	}
	if (type == ETHERNET_IP4)
		ip4_receive(i, frame, length, flags, held);
	else if (type == ETHERNET_IP6)
		ip6_receive(i, frame, length, flags, held);
	else if (type == ETHERNET_ARP)
		arp_receive(i, frame, length);
}

static void
received(struct nic *nic, const void *frame, unsigned length, uint32_t flags)
{
	struct pbuf *copy = length <= UINT16_MAX ? pbuf_alloc(PBUF_RAW, length, PBUF_RAM) : NULL;

	/* The device may go on writing: what is looked at is ours. */
	if (!copy)
		return;
	memcpy(copy->payload, frame, length);
	link_receive(nic->owner, copy->payload, length, flags, &copy);
	if (copy)
		pbuf_free(copy);
}

static void
report(struct nic *nic)
{
	const struct interface *i = nic->owner;
	struct netd_link l = {
		.index = i->index, .carrier = nic->carrier, .speed = nic->speed,
		.received_packets = nic->counts.received_packets, .received_bytes = nic->counts.received_bytes,
		.received_errors = nic->counts.received_errors, .received_dropped = nic->counts.received_dropped,
		.multicast = nic->counts.multicast,
		.sent_packets = nic->counts.sent_packets, .sent_bytes = nic->counts.sent_bytes,
		.sent_errors = nic->counts.sent_errors,
	};

	door_set_link(&l);
}

void
link_report(void)
{
	for (int n = 0; n < INTERFACES_MAX; n++)
		if (interfaces[n].used && interfaces[n].nic)
			report(interfaces[n].nic);
}

static void
link_changed(struct nic *nic)
{
	struct interface *i = nic->owner;

	log_info("%s: %s", i->name, nic->carrier ? "the cable is there" : "no cable");
	report(nic);
	/* It may never tell of room now, and what is for others would wait behind its frames: these are lost. */
	if (!nic->carrier)
		i->blocked = false;
}

static void
room(struct nic *nic)
{
	struct interface *i = nic->owner;

	i->blocked = false;
	tcp_txnow();
}

static void
card_failed(struct nic *nic)
{
	log_error("%s makes no sense", nic->key);
	/* The next process begins with the card anew, and has the connections. */
	exit(DRIVER_EXIT_DEVICE);
}

const struct nic_stack link_stack = {
	.received = received, .link = link_changed, .room = room, .failed = card_failed,
};

int
ip_add_nic(struct nic *nic)
{
	struct netd_interface n = { .mtu_max = nic->mtu_max };
	struct interface *i = NULL;
	int error;

	memcpy(n.key, nic->key, sizeof(n.key));
	memcpy(n.address, nic->address, NIC_ADDRESS);
	error = door_add_interface(&n);
	if (error)
		return error;
	for (int k = 0; k < INTERFACES_MAX && !i; k++)
		if (!interfaces[k].used || interfaces[k].index == n.index)
			i = &interfaces[k];
	if (!i)
		return -ENFILE;
	if (!i->used) {
		memset(i, 0, sizeof(*i));
		i->netif.num = i - interfaces;
	}
	i->used = true;
	i->index = n.index;
	i->ethernet = true;
	i->nic = nic;
	memcpy(i->name, n.name, sizeof(i->name));
	memcpy(i->link, nic->address, NIC_ADDRESS);
	i->mtu = i->netif.mtu = nic->mtu_max < 1500 ? nic->mtu_max : 1500;
	nic->stack = &link_stack;
	nic->owner = i;
	report(nic);
	return 0;
}
