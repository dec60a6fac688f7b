/* SPDX-License-Identifier: MIT */
/* ip_out.c - packets leave: checksums, fragments, the header of Ethernet. */
#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "tcp.h"

#define IP4_HEADER   20
#define IP6_HEADER   40
#define IP6_FRAGMENT 44

uint32_t
ip_sum(uint32_t sum, const void *data, size_t size)
{
	const uint8_t *at = data;
	uint64_t total = sum, word;
	uint32_t half;

	for (; size >= 8; size -= 8, at += 8) {
		memcpy(&word, at, 8);
		total += word;
		total += total < word;
	}
	if (size >= 4) {
		memcpy(&half, at, 4);
		total += half;
		total += total < half;
		at += 4;
		size -= 4;
	}
	half = 0;
	memcpy(&half, at, size);
	total += half;
	total += total < half;
	total = (total >> 32) + (total & 0xffffffff);
	total = (total >> 32) + (total & 0xffffffff);
	return total;
}

uint16_t
ip_fold(uint32_t sum)
{
	sum = (sum >> 16) + (sum & 0xffff);
	return (sum >> 16) + (sum & 0xffff);
}

uint32_t
ip_pseudo_sum(const struct netd_address *from, const struct netd_address *to, uint8_t protocol, uint32_t length)
{
	bool v4 = address_is_v4(to);
	uint8_t rest[8] = { length >> 24, length >> 16, length >> 8, length, 0, 0, 0, protocol };
	uint32_t sum;

	sum = ip_sum(0, from->bytes + (v4 ? 12 : 0), v4 ? 4 : 16);
	sum = ip_sum(sum, to->bytes + (v4 ? 12 : 0), v4 ? 4 : 16);
	return ip_sum(sum, rest, sizeof(rest));
}

static void
group_card(const struct netd_address *a, uint8_t link[NIC_ADDRESS])
{
	if (address_is_v4(a)) {
		const uint8_t card[3] = { 1, 0, 0x5e };

		memcpy(link, card, 3);
		link[3] = a->bytes[13] & 0x7f;
		link[4] = a->bytes[14];
		link[5] = a->bytes[15];
		return;
	}
	link[0] = link[1] = 0x33;
	memcpy(link + 2, a->bytes + 12, 4);
}

/* To a neighbour, in a frame. */
static int
hand_on(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count,
	uint32_t checksum)
{
	struct iovec frame[IP_PARTS_MAX + 1];
	uint8_t header[NIC_HEADER];

	if (!i->ethernet)
		return link_send(i, parts, count, 0);
	if (count > IP_PARTS_MAX)
		return -EMSGSIZE;
	if (address_is_group(hop)) {
		group_card(hop, header);
	} else if (ip_is_broadcast(i, hop)) {
		memset(header, 0xff, NIC_ADDRESS);
	} else if (!neighbour_find(i, hop, header)) {
		neighbour_wait(i, hop, parts, count, checksum);
		return 0;
	}
	memcpy(header + NIC_ADDRESS, i->link, NIC_ADDRESS);
	put16(header + 12, address_is_v4(hop) ? ETHERNET_IP4 : ETHERNET_IP6);
	frame[0] = (struct iovec){ .iov_base = header, .iov_len = sizeof(header) };
	memcpy(frame + 1, parts, count * sizeof(*parts));
	if (checksum)
		checksum += NIC_HEADER << 16;
	return link_send(i, frame, count + 1, checksum);
}

static uint8_t *
gather(const struct iovec *parts, unsigned count, uint32_t *length)
{
	uint8_t *whole, *to;

	*length = 0;
	for (unsigned n = 0; n < count; n++)
		*length += parts[n].iov_len;
	to = whole = malloc(*length ? *length : 1);
	for (unsigned n = 0; whole && n < count; n++) {
		memcpy(to, parts[n].iov_base, parts[n].iov_len);
		to += parts[n].iov_len;
	}
	return whole;
}

static int
cut4(struct interface *i, const struct netd_address *hop, uint8_t *packet, uint32_t length)
{
	uint32_t header = (packet[0] & 15) * 4u, step = (i->mtu - header) & ~7u, at = header;
	uint16_t offset = get16(packet + 6);
	uint8_t copy[60];
	int error = 0;

	if (header < IP4_HEADER || length < header || i->mtu < header + 8 || offset & 0x4000)
		return -EMSGSIZE;
	memcpy(copy, packet, header);
	while (at < length && !error) {
		uint32_t size = length - at < step ? length - at : step;
		struct iovec parts[2] = { { copy, header }, { packet + at, size } };

		put16(copy + 2, header + size);
		put16(copy + 6, (offset + (at - header) / 8) | (at + size < length ? 0x2000 : 0));
		copy[10] = copy[11] = 0;
		*(uint16_t *)(copy + 10) = ~ip_fold(ip_sum(0, copy, header));
		error = hand_on(i, hop, parts, 2, 0);
		at += size;
	}
	return error;
}

/* RFC 8200, 4.5. There are no headers before the fragment's that routers would have to see. */
static int
cut6(struct interface *i, const struct netd_address *hop, uint8_t *packet, uint32_t length)
{
	static uint32_t identification;
	uint32_t step = (i->mtu - IP6_HEADER - 8) & ~7u, at = IP6_HEADER;
	uint8_t copy[IP6_HEADER + 8];
	uint64_t seed[2] = { now_ms(), ++identification };
	uint32_t id = keyed_hash(seed, sizeof(seed));
	int error = 0;

	if (length < IP6_HEADER || i->mtu < IP6_HEADER + 16)
		return -EMSGSIZE;
	memcpy(copy, packet, IP6_HEADER);
	copy[IP6_HEADER] = copy[6];
	copy[6] = IP6_FRAGMENT;
	copy[IP6_HEADER + 1] = 0;
	memcpy(copy + IP6_HEADER + 4, &id, 4);
	while (at < length && !error) {
		uint32_t size = length - at < step ? length - at : step;
		struct iovec parts[2] = { { copy, sizeof(copy) }, { packet + at, size } };

		put16(copy + 4, 8 + size);
		put16(copy + IP6_HEADER + 2, (at - IP6_HEADER) | (at + size < length));
		error = hand_on(i, hop, parts, 2, 0);
		at += size;
	}
	return error;
}

int
ip_transmit(struct interface *i, const struct netd_address *hop, const struct iovec *parts, unsigned count,
	uint32_t checksum)
{
	uint32_t length = 0;
	uint8_t *whole;
	int error;

	for (unsigned n = 0; n < count; n++)
		length += parts[n].iov_len;
	if (length <= i->mtu)
		return hand_on(i, hop, parts, count, checksum);
	whole = gather(parts, count, &length);
	if (!whole)
		return -ENOBUFS;
	error = whole[0] >> 4 == 4 ? cut4(i, hop, whole, length) : cut6(i, hop, whole, length);
	free(whole);
	/* What has gone of it cannot be called back: the rest is lost as on the wire. */
	return error == -EAGAIN ? -ENOBUFS : error;
}

static int
frame_out(struct interface *i, const struct netd_frame *f)
{
	struct iovec part = { .iov_base = (void *)(f + 1), .iov_len = f->length };

	switch (f->kind) {
	case NETD_FRAME_SEND:
		return f->length ? ip_transmit(i, &f->next, &part, 1, 0) : 0;
	case NETD_FRAME_SEND_RAW:
		return f->length >= (i->ethernet ? NIC_HEADER : 1) ? link_send(i, &part, 1, 0) : 0;
	case NETD_FRAME_WRITTEN:
		link_receive(i, (const uint8_t *)(f + 1), f->length, 0, NULL);
		return 0;
	}
	return 0;
}

bool
ip_frames_out(void)
{
	const struct netd_frame *f;
	bool found = false;

	while ((f = door_frame_next()) != NULL) {
		struct interface *i = ip_interface(f->interface);

		/* Without room at the card it stays where it is; room() comes back to it. */
		if (i && (i->blocked || frame_out(i, f) == -EAGAIN))
			break;
		door_frame_done();
		found = true;
	}
	return found;
}
