/* SPDX-License-Identifier: MIT */
/*
 * virtio_net.c - a network card of virtio: VIRTIO 1.1, 5.1. One queue each way, and one for orders.
 *
 * All buffers have one size, which an ordinary frame fits into with its header, and are the device's memory: what is sent
 * is copied into free ones, what has come is shown where it lies and the buffer given back. A longer frame takes
 * several; the parts of one that has come are put together elsewhere.
 *
 * Buffers that were sent are taken back when others are wanted: nobody is told that they were, unless there are none left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vfio.h>

#include "log.h"
#include "nic.h"
#include "virtio.h"
#include "virtio_net.h"
#include "virtio_net_hw.h"

#define QUEUE_SIZE    256
#define CONTROL_SIZE  16
#define BUFFER_SIZE   2048u
#define CHUNK_BUFFERS 32u /* are contiguous: more may not be found where there is no IOMMU */
#define TAG	      4	  /* of a VLAN */
#define MTU	      1500
#define MTU_LONG      9000 /* the most that is agreed upon */
#define FRAME_LONG    (NIC_HEADER + TAG + MTU_LONG)
#define PARTS_MAX     ((sizeof(struct virtio_net_header) + FRAME_LONG + BUFFER_SIZE - 1) / BUFFER_SIZE)

struct buffer {
	uint8_t *at;
	uint64_t bus;
	struct buffer *next; /* among the free ones, or of the same frame */
};

struct buffers {
	struct buffer all[QUEUE_SIZE];
	struct buffer *free;
	unsigned free_count;
};

/* What the device is to let through. */
struct filter {
	bool promiscuous, all_groups;
	unsigned count;
	uint8_t groups[NIC_GROUPS][NIC_ADDRESS];
};

/* The memory of the orders, which the device reads; it writes the answers. */
struct orders {
	struct virtio_net_order order[3];
	uint8_t answers[3];
	uint8_t promiscuous, all_groups;
	uint32_t hosts; /* 0: no addresses of hosts but its own; and the groups follow */
	uint32_t groups;
	uint8_t addresses[NIC_GROUPS][NIC_ADDRESS];
};

struct virtio_net {
	struct nic nic;
	struct virtio virtio;
	struct virtio_queue receive, transmit, control;
	struct buffers in, out;
	struct looker looker;
	bool wants_room;
	struct dma orders;
	unsigned orders_left; /* that the device has */
	bool filter_changed;  /* since they were given to it */
	struct filter filter;
	uint8_t long_frame[PARTS_MAX * BUFFER_SIZE];
};

#define HEADER sizeof(struct virtio_net_header)

static int
make_buffers(struct virtio_net *n, struct buffers *b, unsigned count)
{
	struct dma chunk;

	for (unsigned i = 0; i < count; i++) {
		if (i % CHUNK_BUFFERS == 0 && dma_alloc(n->virtio.device, &chunk, CHUNK_BUFFERS * BUFFER_SIZE) < 0)
			return -ENOMEM;
		b->all[i] = (struct buffer){
			.at = (uint8_t *)chunk.addr + i % CHUNK_BUFFERS * BUFFER_SIZE,
			.bus = chunk.bus + i % CHUNK_BUFFERS * BUFFER_SIZE,
			.next = b->free,
		};
		b->free = &b->all[i];
	}
	b->free_count = count;
	return 0;
}

/* ---------------------------------------------------------------------------------------------- receiving */

static void
give_back(struct virtio_net *n, struct buffer *b)
{
	struct virtio_buffer buffer = { .bus = b->bus, .size = BUFFER_SIZE };

	(void)virtio_queue_add(&n->receive, &buffer, 0, 1, b);
}

/* The one's complement sum of RFC 1071. */
static uint16_t
sum(const uint8_t *at, unsigned length)
{
	uint64_t total = 0;

	for (unsigned i = 0; i + 1 < length; i += 2)
		total += (unsigned)at[i] << 8 | at[i + 1];
	if (length & 1)
		total += (unsigned)at[length - 1] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return total;
}

/* 5.1.6.4: a frame that never was on a wire has half a checksum: that of the pseudo header. */
static bool
complete_checksum(uint8_t *frame, unsigned length, unsigned start, unsigned offset)
{
	uint16_t value;

	if (start + offset + 2 > length)
		return false;
	value = ~sum(frame + start, length - start);
	frame[start + offset] = value >> 8;
	frame[start + offset + 1] = value;
	return true;
}

static void
hand_over(struct virtio_net *n, const struct virtio_net_header *header, uint8_t *frame, unsigned length)
{
	uint32_t flags = header->flags & (VIRTIO_NET_DATA_VALID | VIRTIO_NET_NEEDS_CSUM) ? NIC_CHECKSUM_GOOD : 0;

	if (!virtio_has(&n->virtio, VIRTIO_NET_GUEST_CSUM))
		flags = 0;
	else if (header->flags & VIRTIO_NET_NEEDS_CSUM &&
		 !complete_checksum(frame, length, header->checksum_start, header->checksum_offset))
		flags = 0;
	n->nic.counts.received_packets++;
	n->nic.counts.received_bytes += length;
	n->nic.counts.multicast += (frame[0] & 1) && frame[0] != 0xff;
	n->nic.stack->received(&n->nic, frame, length, flags);
}

/* The rest of a frame that began in `first`: 5.1.6.3.1. Its length, or 0: it makes no sense, or is too long. */
static unsigned
put_together(struct virtio_net *n, const struct buffer *first, unsigned length, unsigned count)
{
	uint32_t written;
	struct buffer *b;

	memcpy(n->long_frame, first->at + HEADER, length);
	for (unsigned i = 1; i < count; i++) {
		b = virtio_queue_take(&n->receive, &written);
		if (!b)
			return 0;
		if (length && written <= BUFFER_SIZE && length + written <= sizeof(n->long_frame)) {
			memcpy(n->long_frame + length, b->at, written);
			length += written;
		} else {
			length = 0;
		}
		give_back(n, b);
	}
	return length;
}

/* Whatever has come. True: something had. */
static bool
receive(struct virtio_net *n)
{
	struct buffer *b;
	uint32_t written;
	bool any = false;

	for (unsigned left = QUEUE_SIZE; left && (b = virtio_queue_take(&n->receive, &written)); left--) {
		struct virtio_net_header header;
		unsigned length, count;
		uint8_t *frame = b->at + HEADER;

		any = true;
		memcpy(&header, b->at, sizeof(header));
		count = virtio_has(&n->virtio, VIRTIO_NET_MRG_RXBUF) ? header.buffers : 1;
		length = written >= HEADER && written <= BUFFER_SIZE ? written - HEADER : 0;
		if (length && count > 1) {
			length = count <= PARTS_MAX ? put_together(n, b, length, count) : 0;
			frame = n->long_frame;
		}
		if (length >= NIC_HEADER && length <= NIC_HEADER + TAG + n->nic.mtu_max)
			hand_over(n, &header, frame, length);
		else
			n->nic.counts.received_errors++;
		give_back(n, b);
	}
	if (any)
		virtio_queue_kick(&n->receive);
	return any;
}

/* ------------------------------------------------------------------------------------------------ sending */

static void
take_back_sent(struct virtio_net *n)
{
	struct buffer *b, *next;

	while ((b = virtio_queue_take(&n->transmit, NULL))) {
		for (; b; b = next) {
			next = b->next;
			b->next = n->out.free;
			n->out.free = b;
			n->out.free_count++;
		}
	}
}

/* As many free buffers as a frame of `length` takes, chained; the first begins with a header. NULL: there are too few. */
static struct buffer *
take_free(struct virtio_net *n, unsigned length)
{
	unsigned count = (HEADER + length + BUFFER_SIZE - 1) / BUFFER_SIZE;
	struct buffer *first, *last;

	if (n->out.free_count < count || n->transmit.free_count < count)
		take_back_sent(n);
	if (n->out.free_count < count || n->transmit.free_count < count)
		return NULL;
	first = last = n->out.free;
	for (unsigned i = 1; i < count; i++)
		last = last->next;
	n->out.free = last->next;
	n->out.free_count -= count;
	last->next = NULL;
	return first;
}

/* Copy the parts into the buffers of a frame, and tell how the device sees it. How many buffers it takes. */
static unsigned
gather(struct buffer *b, const struct iovec *parts, unsigned count, struct virtio_buffer *out)
{
	unsigned used = HEADER, n = 0;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *from = parts[i].iov_base;
		size_t left = parts[i].iov_len;

		while (left) {
			size_t piece = left < BUFFER_SIZE - used ? left : BUFFER_SIZE - used;

			if (piece == 0) {
				out[n++] = (struct virtio_buffer){ .bus = b->bus, .size = used };
				b = b->next;
				used = 0;
				continue;
			}
			memcpy(b->at + used, from, piece);
			used += piece;
			from += piece;
			left -= piece;
		}
	}
	out[n++] = (struct virtio_buffer){ .bus = b->bus, .size = used };
	return n;
}

static int
send_frame(struct nic *nic, const struct iovec *parts, unsigned count, uint32_t flags)
{
	struct virtio_net *n = container_of(nic, struct virtio_net, nic);
	struct virtio_buffer out[PARTS_MAX];
	struct virtio_net_header header = { 0 };
	struct buffer *b;
	size_t length = 0;

	for (unsigned i = 0; i < count; i++)
		length += parts[i].iov_len;
	if (length > NIC_HEADER + TAG + nic->mtu_max)
		return -EMSGSIZE;
	b = take_free(n, length < NIC_FRAME_MIN ? NIC_FRAME_MIN : length);
	if (!b) {
		virtio_queue_kick(&n->transmit);
		n->wants_room = true;
		return -EAGAIN;
	}
	if (flags && virtio_has(&n->virtio, VIRTIO_NET_CSUM)) {
		header.flags = VIRTIO_NET_NEEDS_CSUM;
		header.checksum_start = flags >> 16 & 0x7fff;
		header.checksum_offset = flags;
	}
	memcpy(b->at, &header, HEADER);
	count = gather(b, parts, count, out);
	if (length < NIC_FRAME_MIN) {
		memset(b->at + HEADER + length, 0, NIC_FRAME_MIN - length);
		out[0].size = HEADER + NIC_FRAME_MIN;
	}
	(void)virtio_queue_add(&n->transmit, out, count, 0, b); /* there is room: take_free() has seen to that */
	nic->counts.sent_packets++;
	nic->counts.sent_bytes += length;
	return 0;
}

static void
flush(struct nic *nic)
{
	struct virtio_net *n = container_of(nic, struct virtio_net, nic);

	virtio_queue_kick(&n->transmit);
}

/* True: the stack was told, and may have sent something, of which the device is to hear. */
static bool
tell_of_room(struct virtio_net *n)
{
	if (!n->wants_room)
		return false;
	take_back_sent(n);
	if (n->out.free_count < PARTS_MAX || n->transmit.free_count < PARTS_MAX)
		return false;
	n->wants_room = false;
	n->nic.stack->room(&n->nic);
	return true;
}

/* ------------------------------------------------------------------------------------------------- orders */

#define PART(n, name) { .bus = (n)->orders.bus + offsetof(struct orders, name), .size = sizeof(((struct orders *)0)->name) }

/* The filter as it is now, by three orders at once; while the device has some, this waits for their answers. */
static void
give_orders(struct virtio_net *n)
{
	struct orders *o = n->orders.addr;
	struct virtio_buffer order[3][3] = {
		{ PART(n, order[0]), PART(n, promiscuous), PART(n, answers[0]) },
		{ PART(n, order[1]), PART(n, all_groups), PART(n, answers[1]) },
		{ PART(n, order[2]), PART(n, hosts), PART(n, answers[2]) },
	};

	if (n->orders_left || !n->filter_changed)
		return;
	n->filter_changed = false;
	*o = (struct orders){
		.order = { { VIRTIO_NET_CLASS_RX, VIRTIO_NET_RX_PROMISC }, { VIRTIO_NET_CLASS_RX, VIRTIO_NET_RX_ALL_GROUPS },
			{ VIRTIO_NET_CLASS_MAC, VIRTIO_NET_MAC_TABLE } },
		.answers = { 0xff, 0xff, 0xff },
		.promiscuous = n->filter.promiscuous, .all_groups = n->filter.all_groups,
		.groups = n->filter.count,
	};
	memcpy(o->addresses, n->filter.groups, sizeof(o->addresses));
	order[2][1].size = 2 * sizeof(uint32_t) + n->filter.count * NIC_ADDRESS;
	for (unsigned i = 0; i < 3; i++)
		if (virtio_queue_add(&n->control, order[i], 2, 1, n) == 0)
			n->orders_left++;
	virtio_queue_kick(&n->control);
}

static void
take_answers(struct virtio_net *n)
{
	const struct orders *o = n->orders.addr;

	if (!o)
		return;
	while (virtio_queue_take(&n->control, NULL))
		if (--n->orders_left == 0 && (o->answers[0] | o->answers[1] | o->answers[2]) != VIRTIO_NET_ORDER_DONE)
			log_error("%s: the device does not choose which groups it hears", n->nic.key);
	give_orders(n);
}

static void
set_filter(struct nic *nic, bool promiscuous, bool all_groups, const uint8_t (*addresses)[NIC_ADDRESS], unsigned count)
{
	struct virtio_net *n = container_of(nic, struct virtio_net, nic);

	n->filter = (struct filter){ .promiscuous = promiscuous, .all_groups = all_groups || count > NIC_GROUPS };
	n->filter.count = n->filter.all_groups ? 0 : count;
	if (n->filter.count)
		memcpy(n->filter.groups, addresses, n->filter.count * NIC_ADDRESS);
	n->filter_changed = true;
	if (n->orders.addr)
		give_orders(n);
}

/* ------------------------------------------------------------------------------------- what the device says */

/* The configuration has changed, or may have. */
static void
look_at_link(struct virtio_net *n)
{
	bool up = !virtio_has(&n->virtio, VIRTIO_NET_STATUS) ||
		  read16(n->virtio.config, VIRTIO_NET_CONFIG_STATUS) & VIRTIO_NET_LINK_UP;

	if (up == n->nic.carrier)
		return;
	n->nic.carrier = up;
	n->nic.stack->link(&n->nic);
}

static void
config_changed(struct device *d, unsigned vector, void *argument)
{
	struct virtio_net *n = argument;

	if (virtio_is_broken(&n->virtio)) {
		log_error("%s: the device asks for a reset", n->nic.key);
		virtio_reset(&n->virtio);
		n->nic.stack->failed(&n->nic);
		return;
	}
	look_at_link(n);
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	struct virtio_net *n = argument;

	/* One vector is for all; of the pin the cause is told, and taken back by that. */
	if (d->vectors == 1 && (d->irq_index == VFIO_PCI_MSIX_IRQ_INDEX || virtio_isr(&n->virtio) & VIRTIO_ISR_CONFIG))
		config_changed(d, vector, n);
	virtio_queue_quiet(&n->receive);
	take_answers(n);
	tell_of_room(n);
	receive(n);
}

static enum looked
look(struct looker *l)
{
	struct virtio_net *n = container_of(l, struct virtio_net, looker);
	bool room = tell_of_room(n);

	return receive(n) || room ? LOOK_FOUND : LOOK_NOTHING;
}

static bool
listen_to(struct looker *l)
{
	struct virtio_net *n = container_of(l, struct virtio_net, looker);
	bool there = virtio_queue_listen(&n->receive);

	if (n->wants_room && virtio_queue_listen(&n->transmit)) {
		tell_of_room(n);
		there = true;
	}
	if (n->orders_left && virtio_queue_listen(&n->control)) {
		take_answers(n);
		there = true;
	}
	return there && (receive(n), true);
}

/* --------------------------------------------------------------------------------------- beginning and end */

static void
go(struct nic *nic)
{
	struct virtio_net *n = container_of(nic, struct virtio_net, nic);

	loop_add_looker(&n->looker);
	virtio_go(&n->virtio);
	for (unsigned i = 0; i < n->receive.size; i++)
		give_back(n, &n->in.all[i]);
	virtio_queue_kick(&n->receive);
	set_filter(nic, false, false, NULL, 0);
}

static void
close_nic(struct nic *nic)
{
	struct virtio_net *n = container_of(nic, struct virtio_net, nic);

	loop_drop_looker(&n->looker);
	virtio_reset(&n->virtio);
	virtio_queue_end(&n->receive);
	virtio_queue_end(&n->transmit);
	virtio_queue_end(&n->control);
	free(n);
}

static const struct nic_ops ops = { .go = go, .send = send_frame, .flush = flush, .filter = set_filter, .close = close_nic };

static int
begin_queues(struct virtio_net *n)
{
	struct device *d = n->virtio.device;
	int vectors = device_interrupts(d, 2), vector, error;

	if (vectors < 0)
		return vectors;
	vector = device_on_interrupt(d, 1, config_changed, n);
	if (d->irq_index == VFIO_PCI_MSIX_IRQ_INDEX) {
		write16(n->virtio.common, VIRTIO_CONFIG_VECTOR, vector);
		if (read16(n->virtio.common, VIRTIO_CONFIG_VECTOR) != vector)
			return -ENOSPC;
	}
	vector = device_on_interrupt(d, 0, interrupt, n);
	error = virtio_queue_begin(&n->virtio, &n->receive, VIRTIO_NET_RECEIVE, QUEUE_SIZE, vector, 0);
	if (!error)
		error = virtio_queue_begin(&n->virtio, &n->transmit, VIRTIO_NET_TRANSMIT, QUEUE_SIZE, vector, 0);
	if (!error && virtio_has(&n->virtio, VIRTIO_NET_CTRL_VQ) && virtio_has(&n->virtio, VIRTIO_NET_CTRL_RX)) {
		error = virtio_queue_begin(&n->virtio, &n->control, VIRTIO_NET_CONTROL, CONTROL_SIZE, vector, 0);
		if (!error)
			error = dma_alloc(d, &n->orders, sizeof(struct orders));
	}
	if (!error)
		error = make_buffers(n, &n->in, n->receive.size);
	if (!error)
		error = make_buffers(n, &n->out, n->transmit.size);
	if (!error)
		virtio_queue_quiet(&n->transmit);
	return error;
}

/* 5.1.4: what the device says of itself. */
static int
read_config(struct virtio_net *n)
{
	const struct virtio *v = &n->virtio;

	if (!v->config || v->config_size < VIRTIO_NET_CONFIG_MTU || !virtio_has(v, VIRTIO_NET_MAC)) {
		log_error("the device has no address");
		return -ENODEV;
	}
	for (unsigned i = 0; i < NIC_ADDRESS; i++)
		n->nic.address[i] = read8(v->config, VIRTIO_NET_CONFIG_MAC + i);
	n->nic.mtu_max = MTU;
	if (virtio_has(v, VIRTIO_NET_MTU) && v->config_size >= VIRTIO_NET_CONFIG_MTU + 2)
		n->nic.mtu_max = read16(v->config, VIRTIO_NET_CONFIG_MTU);
	if (n->nic.mtu_max > MTU && !virtio_has(v, VIRTIO_NET_MRG_RXBUF))
		n->nic.mtu_max = MTU;
	if (n->nic.mtu_max > MTU_LONG)
		n->nic.mtu_max = MTU_LONG;
	n->nic.can_checksum = virtio_has(v, VIRTIO_NET_CSUM);
	n->nic.carrier = !virtio_has(v, VIRTIO_NET_STATUS) || read16(v->config, VIRTIO_NET_CONFIG_STATUS) & VIRTIO_NET_LINK_UP;
	return 0;
}

static int
open_nic(struct device *d, struct nic **out)
{
	struct virtio_net *n = calloc(1, sizeof(*n));
	int error;

	if (!n)
		return -ENOMEM;
	n->nic.ops = &ops;
	n->looker = (struct looker){ .look = look, .listen = listen_to };
	error = virtio_begin(&n->virtio, d,
		1ull << VIRTIO_EVENT_IDX | 1ull << VIRTIO_NET_CSUM | 1ull << VIRTIO_NET_GUEST_CSUM | 1ull << VIRTIO_NET_MTU |
			1ull << VIRTIO_NET_MAC | 1ull << VIRTIO_NET_MRG_RXBUF | 1ull << VIRTIO_NET_STATUS |
			1ull << VIRTIO_NET_CTRL_VQ | 1ull << VIRTIO_NET_CTRL_RX);
	if (!error)
		error = read_config(n);
	if (!error)
		error = begin_queues(n);
	if (error) {
		if (n->virtio.common)
			virtio_reset(&n->virtio);
		virtio_queue_end(&n->receive);
		virtio_queue_end(&n->transmit);
		virtio_queue_end(&n->control);
		free(n);
		return error;
	}
	*out = &n->nic;
	return 0;
}

static bool
matches(uint16_t vendor, uint16_t product)
{
	return vendor == VIRTIO_VENDOR && (product == VIRTIO_NET_MODERN || product == VIRTIO_NET_TRANSITIONAL);
}

const struct nic_driver virtio_net_driver = { .name = "virtio_net", .matches = matches, .open = open_nic };
