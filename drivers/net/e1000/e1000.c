/* SPDX-License-Identifier: MIT */
/*
 * e1000.c - Intel's 8254x and 82574, by the descriptors that all of them have (3.2.3, 3.3.3, 3.3.6, 3.3.7).
 *
 * Each way a ring of descriptors, each with a buffer of its own that a frame fits into. The device has those from its
 * head up to our tail, which is behind the last one that is given to it; what it has done with says so in the descriptor
 * itself. Heads are the device's registers and never read.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/vfio.h>

#include "e1000.h"
#include "e1000_hw.h"
#include "log.h"
#include "nic.h"
#include "pci_hw.h"

#define RING	      256u
#define BUFFER_SIZE   2048u
#define CHUNK_BUFFERS 32u /* are contiguous: more may not be found where there is no IOMMU */
#define TAG	      4	  /* of a VLAN */
#define MTU	      1500
#define FRAME_MAX     (NIC_HEADER + TAG + MTU)
#define RESET_MS      20 /* and more, until it has read its address */
#define GROUP_WORDS   128
#define SEND_MOST     2 /* descriptors of one frame */

struct e1000 {
	struct nic nic;
	struct device *device;
	volatile uint8_t *registers;
	struct looker looker;
	struct dma receive_ring, send_ring;
	uint8_t *in[RING], *out[RING];
	uint64_t out_bus[RING];
	unsigned in_next;		 /* to look at */
	bool in_rest;			 /* of a frame that is thrown away comes next */
	unsigned out_next, out_told;	 /* to fill; the tail as the device knows it */
	unsigned out_oldest;		 /* that has not been taken back */
	bool wants_room;
	uint32_t checksum;		 /* NIC_CHECKSUM as the device's context has it; 0: it has none */
	uint32_t control;		 /* RCTL, and the groups, as the device has them */
	uint32_t groups[GROUP_WORDS];
};

static volatile struct e1000_receive *
receive_at(struct e1000 *e, unsigned i)
{
	return (volatile struct e1000_receive *)e->receive_ring.addr + i;
}

static volatile struct e1000_send *
send_at(struct e1000 *e, unsigned i)
{
	return (volatile struct e1000_send *)e->send_ring.addr + i;
}

/* ---------------------------------------------------------------------------------------------- receiving */

/* A buffer with the whole of a frame, or a part of one that is longer than we allow. */
static void
take_frame(struct e1000 *e, const uint8_t *frame, unsigned length, uint8_t status, uint8_t errors)
{
	bool rest = e->in_rest;

	e->in_rest = !(status & E1000_RX_END);
	if (rest || e->in_rest || errors & E1000_RX_BAD || length < NIC_HEADER || length > FRAME_MAX) {
		e->nic.counts.received_errors += !e->in_rest;
		return;
	}
	e->nic.counts.received_packets++;
	e->nic.counts.received_bytes += length;
	e->nic.counts.multicast += (frame[0] & 1) && frame[0] != 0xff;
	e->nic.stack->received(&e->nic, frame, length,
		(status & (E1000_RX_IGNORE | E1000_RX_CHECKED)) == E1000_RX_CHECKED && !(errors & E1000_RX_BAD_SUM) ?
			NIC_CHECKSUM_GOOD : 0);
}

/* Whatever has come. True: something had. */
static bool
receive(struct e1000 *e)
{
	unsigned begun = e->in_next;

	for (unsigned left = RING - 1; left; left--) {
		volatile struct e1000_receive *r = receive_at(e, e->in_next);
		uint8_t status = __atomic_load_n(&r->status, __ATOMIC_ACQUIRE);

		if (!(status & E1000_RX_DONE))
			break;
		take_frame(e, e->in[e->in_next], r->length, status, r->errors);
		r->status = 0;
		e->in_next = (e->in_next + 1) % RING;
	}
	if (e->in_next == begun)
		return false;
	/* One stays ours: a ring that were all the device's would look like one of which nothing is. */
	__atomic_thread_fence(__ATOMIC_RELEASE);
	write32(e->registers, E1000_RDT, (e->in_next + RING - 1) % RING);
	return true;
}

/* ------------------------------------------------------------------------------------------------ sending */

static void
flush(struct nic *nic)
{
	struct e1000 *e = container_of(nic, struct e1000, nic);

	if (e->out_told == e->out_next)
		return;
	e->out_told = e->out_next;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	write32(e->registers, E1000_TDT, e->out_next);
}

static void
take_back_sent(struct e1000 *e)
{
	while (e->out_oldest != e->out_told &&
		__atomic_load_n(&send_at(e, e->out_oldest)->status, __ATOMIC_ACQUIRE) & E1000_TX_DONE)
		e->out_oldest = (e->out_oldest + 1) % RING;
}

static unsigned
free_count(struct e1000 *e)
{
	return (e->out_oldest + RING - e->out_next - 1) % RING;
}

static void
give_to_device(struct e1000 *e, const struct e1000_send *s)
{
	*send_at(e, e->out_next) = *s;
	e->out_next = (e->out_next + 1) % RING;
}

/* Where the checksum of the next frames is. */
static void
send_context(struct e1000 *e, uint32_t checksum)
{
	uint8_t start = checksum >> 16;
	struct e1000_context context = {
		.start = start, .offset = start + checksum, .command = E1000_TX_TYPED | E1000_TX_REPORT,
	};
	struct e1000_send s;

	e->checksum = checksum;
	memcpy(&s, &context, sizeof(s));
	give_to_device(e, &s);
}

static int
send_frame(struct nic *nic, const struct iovec *parts, unsigned count, uint32_t flags)
{
	struct e1000 *e = container_of(nic, struct e1000, nic);
	struct e1000_send s = { .command = E1000_TX_END | E1000_TX_FCS | E1000_TX_REPORT };
	size_t length = 0;
	uint8_t *to;

	for (unsigned i = 0; i < count; i++)
		length += parts[i].iov_len;
	if (length > FRAME_MAX)
		return -EMSGSIZE;
	if (free_count(e) < SEND_MOST)
		take_back_sent(e);
	if (free_count(e) < SEND_MOST) {
		flush(nic);
		e->wants_room = true;
		return -EAGAIN;
	}
	if (flags && flags != e->checksum)
		send_context(e, flags);
	if (flags) {
		s.type = E1000_TX_DATA;
		s.command |= E1000_TX_TYPED;
		s.options = E1000_TX_SUM;
	}
	to = e->out[e->out_next];
	s.address = e->out_bus[e->out_next];
	for (unsigned i = 0; i < count; i++) {
		memcpy(to, parts[i].iov_base, parts[i].iov_len);
		to += parts[i].iov_len;
	}
	/* The rest is filled up by the device, behind what it sums up: QEMU's 82574 takes zeroes of ours for the packet's. */
	if (length < E1000_FRAME_MIN)
		memset(to, 0, E1000_FRAME_MIN - length);
	s.length = length < E1000_FRAME_MIN ? E1000_FRAME_MIN : length;
	give_to_device(e, &s);
	nic->counts.sent_packets++;
	nic->counts.sent_bytes += length;
	return 0;
}

static bool
tell_of_room(struct e1000 *e)
{
	if (!e->wants_room)
		return false;
	take_back_sent(e);
	if (free_count(e) < SEND_MOST)
		return false;
	e->wants_room = false;
	e->nic.stack->room(&e->nic);
	return true;
}

/* ------------------------------------------------------------------------------------- what the device says */

static void
read_link(struct e1000 *e)
{
	static const uint32_t speeds[] = { 10, 100, 1000, 1000 };
	uint32_t status = read32(e->registers, E1000_STATUS);

	e->nic.carrier = status & E1000_STATUS_LU;
	e->nic.speed = e->nic.carrier ? speeds[status >> E1000_STATUS_SPEED_SHIFT & 3] : 0;
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	struct e1000 *e = argument;
	uint32_t causes = read32(e->registers, E1000_ICR);

	if (causes == UINT32_MAX) { /* it was pulled out */
		e->nic.stack->failed(&e->nic);
		return;
	}
	if (causes & E1000_INT_LSC) {
		bool was = e->nic.carrier;

		read_link(e);
		if (was != e->nic.carrier)
			e->nic.stack->link(&e->nic);
	}
	if (causes & E1000_INT_TXDW)
		write32(e->registers, E1000_IMC, E1000_INT_TXDW);
	tell_of_room(e);
	receive(e);
}

static enum looked
look(struct looker *l)
{
	struct e1000 *e = container_of(l, struct e1000, looker);
	bool room = tell_of_room(e);

	return receive(e) || room ? LOOK_FOUND : LOOK_NOTHING;
}

/* Frames that come are told all the time: to switch that off and on takes longer than to be told. */
static bool
listen_to(struct looker *l)
{
	struct e1000 *e = container_of(l, struct e1000, looker);
	bool room = false;

	if (e->wants_room) {
		write32(e->registers, E1000_IMS, E1000_INT_TXDW);
		room = tell_of_room(e);
	}
	return receive(e) || room;
}

/* 13.5.1: bits 47 to 36 of an address choose one of 4096 of the table; others than asked for may be heard. */
static void
set_filter(struct nic *nic, bool promiscuous, bool all_groups, const uint8_t (*addresses)[NIC_ADDRESS], unsigned count)
{
	struct e1000 *e = container_of(nic, struct e1000, nic);
	uint32_t groups[GROUP_WORDS] = { 0 };
	uint32_t control = E1000_RCTL_EN | E1000_RCTL_BAM | E1000_RCTL_2048 | E1000_RCTL_SECRC;

	for (unsigned i = 0; i < count; i++) {
		unsigned bit = addresses[i][4] >> 4 | addresses[i][5] << 4;

		groups[bit / 32] |= 1u << bit % 32;
	}
	for (unsigned i = 0; i < GROUP_WORDS; i++)
		if (groups[i] != e->groups[i])
			write32(e->registers, E1000_MTA + 4 * i, e->groups[i] = groups[i]);
	if (promiscuous)
		control |= E1000_RCTL_UPE | E1000_RCTL_MPE;
	if (all_groups)
		control |= E1000_RCTL_MPE;
	/* Only when it changes: QEMU's hears nothing for a second afterwards. */
	if (control != e->control)
		write32(e->registers, E1000_RCTL, e->control = control);
}

/* --------------------------------------------------------------------------------------- beginning and end */

/* 14.3. The device forgets all but its address, which it reads anew. -ENODEV: it does not. */
static int
reset(struct e1000 *e)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	volatile uint8_t *r = e->registers;

	write32(r, E1000_IMC, UINT32_MAX);
	write32(r, E1000_RCTL, 0);
	write32(r, E1000_TCTL, 0);
	write32(r, E1000_CTRL, read32(r, E1000_CTRL) | E1000_CTRL_RST);
	for (unsigned left = RESET_MS; left; left--) {
		uint32_t control = read32(r, E1000_CTRL);

		if (control != UINT32_MAX && !(control & E1000_CTRL_RST) && read32(r, E1000_RA + 4) & E1000_RA_VALID)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ENODEV;
}

static int
make_buffers(struct e1000 *e, uint8_t **at, bool to_send)
{
	struct dma chunk;

	for (unsigned i = 0; i < RING; i++) {
		uint64_t bus;

		if (i % CHUNK_BUFFERS == 0 && dma_alloc(e->device, &chunk, CHUNK_BUFFERS * BUFFER_SIZE) < 0)
			return -ENOMEM;
		at[i] = (uint8_t *)chunk.addr + i % CHUNK_BUFFERS * BUFFER_SIZE;
		bus = chunk.bus + i % CHUNK_BUFFERS * BUFFER_SIZE;
		if (to_send)
			e->out_bus[i] = bus;
		else
			receive_at(e, i)->address = bus;
	}
	return 0;
}

static int
make_rings(struct e1000 *e)
{
	volatile uint8_t *r = e->registers;

	if (dma_alloc(e->device, &e->receive_ring, RING * sizeof(struct e1000_receive)) < 0 ||
		dma_alloc(e->device, &e->send_ring, RING * sizeof(struct e1000_send)) < 0 ||
		make_buffers(e, e->in, false) < 0 || make_buffers(e, e->out, true) < 0)
		return -ENOMEM;
	write64(r, E1000_RDBA, e->receive_ring.bus);
	write32(r, E1000_RDLEN, RING * sizeof(struct e1000_receive));
	write32(r, E1000_RDH, 0);
	write32(r, E1000_RDT, 0);
	write64(r, E1000_TDBA, e->send_ring.bus);
	write32(r, E1000_TDLEN, RING * sizeof(struct e1000_send));
	write32(r, E1000_TDH, 0);
	write32(r, E1000_TDT, 0);
	return 0;
}

/* 14.4, 14.5. */
static void
go(struct nic *nic)
{
	struct e1000 *e = container_of(nic, struct e1000, nic);
	volatile uint8_t *r = e->registers;

	loop_add_looker(&e->looker);
	for (unsigned i = 0; i < GROUP_WORDS; i++)
		write32(r, E1000_MTA + 4 * i, 0);
	write32(r, E1000_RXCSUM, E1000_RXCSUM_TUOFL);
	write32(r, E1000_TIPG, E1000_TIPG_COPPER);
	write32(r, E1000_TCTL, E1000_TCTL_EN | E1000_TCTL_PSP | E1000_TCTL_CT | E1000_TCTL_COLD);
	set_filter(nic, false, false, NULL, 0);
	write32(r, E1000_RDT, RING - 1);
	write32(r, E1000_IMS, E1000_INT_LSC | E1000_INT_RXDMT0 | E1000_INT_RXO | E1000_INT_RXT0);
}

static void
close_nic(struct nic *nic)
{
	struct e1000 *e = container_of(nic, struct e1000, nic);

	loop_drop_looker(&e->looker);
	(void)reset(e);
	free(e);
}

static const struct nic_ops ops = { .go = go, .send = send_frame, .flush = flush, .filter = set_filter, .close = close_nic };

static int
begin(struct e1000 *e, struct device *d)
{
	uint64_t address;
	int error;

	e->registers = device_registers(d, 0, E1000_REGISTERS);
	if (!e->registers)
		return -ENODEV;
	error = reset(e);
	if (error) {
		log_error("the device does not come back from its reset");
		return error;
	}
	address = read64(e->registers, E1000_RA);
	for (unsigned i = 0; i < NIC_ADDRESS; i++)
		e->nic.address[i] = address >> 8 * i;
	e->nic.mtu_max = MTU;
	e->nic.can_checksum = true;
	/* 82574's MSI-X gives each cause a vector, which is of no use to one thread. */
	d->irq_counts[VFIO_PCI_MSIX_IRQ_INDEX] = 0;
	error = device_interrupts(d, 1);
	if (error < 0)
		return error;
	device_on_interrupt(d, 0, interrupt, e);
	device_bus_master(d, true);
	error = make_rings(e);
	if (error)
		return error;
	if (device_config_read(d, PCI_DEVICE, 2) == E1000_82574L)
		write32(e->registers, E1000_TXDCTL, E1000_TXDCTL_82574);
	write32(e->registers, E1000_CTRL,
		(read32(e->registers, E1000_CTRL) & ~E1000_CTRL_LRST) | E1000_CTRL_ASDE | E1000_CTRL_SLU | E1000_CTRL_FD);
	read_link(e);
	return 0;
}

static int
open_nic(struct device *d, struct nic **out)
{
	struct e1000 *e = calloc(1, sizeof(*e));
	int error;

	if (!e)
		return -ENOMEM;
	e->device = d;
	e->nic.ops = &ops;
	e->looker = (struct looker){ .look = look, .listen = listen_to };
	error = begin(e, d);
	if (error) {
		free(e);
		return error;
	}
	*out = &e->nic;
	return 0;
}

static bool
matches(uint16_t vendor, uint16_t product)
{
	return vendor == E1000_VENDOR && (product == E1000_82540EM || product == E1000_82545EM || product == E1000_82544GC ||
						 product == E1000_82574L);
}

const struct nic_driver e1000_driver = { .name = "e1000", .matches = matches, .open = open_nic };
