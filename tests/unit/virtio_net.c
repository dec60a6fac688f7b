/* SPDX-License-Identifier: MIT */
/* unit: lib/driver/virtio.c lib/driver/virtio_queue.c */
/*
 * virtio_net.c - the driver of virtio's network cards against a device that this test plays: what makes sense, and
 * what does not.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_device.h"

#include "../../drivers/net/virtio_net/virtio_net.c"

/* Where the parts lie in its region. */
enum { COMMON = 0x0, NOTIFY = 0x1000, ISR = 0x2000, CONFIG = 0x3000 };
/* The register shows one word for both halves of the features: bit 32 and 33 are bits 0 and 1. */
#define FEATURES                                                                                                            \
	(1u << VIRTIO_NET_CSUM | 1u << VIRTIO_NET_GUEST_CSUM | 1u << VIRTIO_NET_MTU | 1u << VIRTIO_NET_MAC |                \
		1u << VIRTIO_NET_MRG_RXBUF | 1u << VIRTIO_NET_STATUS | 1u << VIRTIO_NET_CTRL_VQ | 1u << VIRTIO_NET_CTRL_RX)

#define FAKE_FRAME_MAX 16384
#include "fake_stack.h"


static void
add_capability(unsigned at, unsigned type, uint32_t offset, uint32_t length)
{
	fake.config[at] = 0x09;
	fake.config[at + 1] = at + 0x20;
	fake.config[at + VIRTIO_CAP_TYPE] = type;
	memcpy(fake.config + at + VIRTIO_CAP_OFFSET, &offset, 4);
	memcpy(fake.config + at + VIRTIO_CAP_LENGTH, &length, 4);
}

static void
prepare(uint32_t features, uint16_t mtu)
{
	static const uint8_t mac[] = { 0x52, 0x54, 0, 1, 2, 3 };

	memset(&seen, 0, sizeof(seen));
	fake_begin(2);
	fake.config[0x34] = 0x40;
	add_capability(0x40, VIRTIO_CAP_COMMON, COMMON, 0x1000);
	add_capability(0x60, VIRTIO_CAP_NOTIFY, NOTIFY, 0x1000);
	add_capability(0x80, VIRTIO_CAP_ISR, ISR, 0x1000);
	add_capability(0xa0, VIRTIO_CAP_DEVICE, CONFIG, 0x1000);
	fake.config[0xa1] = 0;
	memcpy(fake.registers + COMMON + VIRTIO_DEVICE_FEATURE, &features, 4);
	fake.registers[COMMON + VIRTIO_QUEUE_SIZE + 1] = 1; /* 256 */
	memcpy(fake.registers + CONFIG, mac, sizeof(mac));
	fake.registers[CONFIG + VIRTIO_NET_CONFIG_STATUS] = VIRTIO_NET_LINK_UP;
	memcpy(fake.registers + CONFIG + VIRTIO_NET_CONFIG_MTU, &mtu, 2);
}

static struct virtio_net *
begin(uint32_t features, uint16_t mtu)
{
	struct nic *nic;

	prepare(features, mtu);
	assert_int_equal(open_nic(&fake.device, &nic), 0);
	nic->stack = &stack;
	nic->ops->go(nic);
	return container_of(nic, struct virtio_net, nic);
}

static void
end(struct virtio_net *n)
{
	n->nic.ops->close(&n->nic);
	fake_end();
}

/* The device says that it is done with `id`, having written so much. */
static void
use(struct virtio_queue *q, uint32_t id, uint32_t written)
{
	q->used->ring[q->used->idx % q->size] = (struct vring_used_elem){ .id = id, .len = written };
	q->used->idx++;
}

static void
poke(void)
{
	fake.handler[0](&fake.device, 0, fake.argument[0]);
}

/* The next buffer that waits to be filled: its number. `taken` counts those that were. */
static uint16_t
next_buffer(const struct virtio_queue *q, uint16_t *taken)
{
	assert_int_not_equal(*taken, q->avail->idx);
	return q->avail->ring[(*taken)++ % q->size];
}

static uint8_t *
memory_of(const struct virtio_queue *q, uint16_t id)
{
	return (uint8_t *)(uintptr_t)q->desc[id].addr;
}

static void
receives_frames(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	uint16_t taken = 0;

	assert_memory_equal(n->nic.address, ((uint8_t[]){ 0x52, 0x54, 0, 1, 2, 3 }), 6);
	assert_true(n->nic.carrier && n->nic.mtu_max == 1500 && n->nic.can_checksum);
	for (unsigned i = 0; i < 1000; i++) {
		uint16_t id = next_buffer(&n->receive, &taken);
		unsigned length = NIC_HEADER + i % 1501;
		uint8_t *at = memory_of(&n->receive, id);

		memset(at, 0, HEADER);
		((struct virtio_net_header *)at)->buffers = 1;
		((struct virtio_net_header *)at)->flags = i % 2 ? VIRTIO_NET_DATA_VALID : 0;
		memset(at + HEADER, i, length);
		use(&n->receive, id, HEADER + length);
		poke();
		assert_true(seen.frames == i + 1 && seen.length == length && seen.frame[length - 1] == (uint8_t)i);
		assert_int_equal(seen.flags, i % 2 ? NIC_CHECKSUM_GOOD : 0);
	}
	assert_int_equal(n->nic.counts.received_packets, 1000);
	end(n);
}

static void
lengths_that_make_no_sense(void **state)
{
	static const uint32_t lengths[] = { 0, 11, 12, 25, 12 + 1519, 2048, 2049, 65535, UINT32_MAX };
	struct virtio_net *n = begin(FEATURES, 1500);
	uint16_t taken = 0;

	for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint16_t id = next_buffer(&n->receive, &taken);

		((struct virtio_net_header *)memory_of(&n->receive, id))->buffers = 1;
		use(&n->receive, id, lengths[i]);
		poke();
		assert_int_equal(seen.frames, 0);
		assert_int_equal(n->nic.counts.received_errors, i + 1);
	}
	end(n);
}

static void
numbers_that_were_not_given(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	uint16_t taken = 0, id = next_buffer(&n->receive, &taken);

	((struct virtio_net_header *)memory_of(&n->receive, id))->buffers = 1;
	use(&n->receive, 256, 100);
	use(&n->receive, UINT32_MAX, 100);
	use(&n->receive, id, 100);
	poke();
	assert_int_equal(seen.frames, 1);
	assert_int_equal(fake.complaints, 2);
	use(&n->transmit, 7, 0);
	use(&n->control, 3, 0);
	use(&n->control, 3, 0);
	n->wants_room = true;
	poke();
	assert_int_equal(n->out.free_count, QUEUE_SIZE);
	end(n);
}

static void
long_frames(void **state)
{
	struct virtio_net *n = begin(FEATURES, 9000);
	uint16_t taken = 0, ids[PARTS_MAX];
	struct virtio_net_header *header;

	assert_int_equal(n->nic.mtu_max, 9000);
	for (unsigned i = 0; i < 5; i++) {
		ids[i] = next_buffer(&n->receive, &taken);
		memset(memory_of(&n->receive, ids[i]), 'a' + i, BUFFER_SIZE);
	}
	header = (void *)memory_of(&n->receive, ids[0]);
	*header = (struct virtio_net_header){ .buffers = 3 };
	for (unsigned i = 0; i < 3; i++)
		use(&n->receive, ids[i], i == 2 ? 100 : BUFFER_SIZE);
	poke();
	assert_true(seen.frames == 1 && seen.length == 2 * BUFFER_SIZE + 100 - HEADER);
	assert_true(seen.frame[BUFFER_SIZE - HEADER - 1] == 'a' && seen.frame[BUFFER_SIZE - HEADER] == 'b');
	assert_int_equal(seen.frame[seen.length - 1], 'c');
	/* More buffers than it has used, and more than any frame takes. */
	header = (void *)memory_of(&n->receive, ids[3]);
	*header = (struct virtio_net_header){ .buffers = 2 };
	use(&n->receive, ids[3], BUFFER_SIZE);
	poke();
	header = (void *)memory_of(&n->receive, ids[4]);
	*header = (struct virtio_net_header){ .buffers = UINT16_MAX };
	use(&n->receive, ids[4], BUFFER_SIZE);
	poke();
	assert_true(seen.frames == 1 && n->nic.counts.received_errors == 2);
	end(n);
}

static void
checksums_of_frames_that_were_on_no_wire(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	uint16_t taken = 0;

	for (unsigned i = 0; i < 4; i++) {
		uint16_t id = next_buffer(&n->receive, &taken);
		uint8_t *at = memory_of(&n->receive, id);
		struct virtio_net_header header = { .flags = VIRTIO_NET_NEEDS_CSUM, .buffers = 1 };

		header.checksum_start = (uint16_t[]){ 34, 34, 65535, 60 }[i];
		header.checksum_offset = (uint16_t[]){ 6, 27, 65535, 65535 }[i];
		memset(at, 0, BUFFER_SIZE);
		memcpy(at, &header, HEADER);
		at[HEADER + 34] = 0x12;
		at[HEADER + 35] = 0x34;
		use(&n->receive, id, HEADER + 62);
		poke();
		assert_int_equal(seen.frames, i + 1);
		assert_int_equal(seen.flags, i == 0 ? NIC_CHECKSUM_GOOD : 0);
		if (i == 0)
			assert_true(seen.frame[40] == 0xed && seen.frame[41] == 0xcb);
	}
	end(n);
}

static void
sends_until_there_is_no_room(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	uint8_t bytes[1600];
	struct iovec parts[] = { { bytes, 14 }, { bytes + 14, 0 }, { bytes + 14, 1000 } };
	unsigned sent = 0;
	uint8_t *at;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(n->nic.ops->send(&n->nic, &(struct iovec){ bytes, 1519 }, 1, 0), -EMSGSIZE);
	assert_int_equal(n->nic.ops->send(&n->nic, &(struct iovec){ bytes, 20 }, 1, NIC_CHECKSUM(14, 2)), 0);
	at = memory_of(&n->transmit, n->transmit.avail->ring[0]);
	assert_int_equal(n->transmit.desc[n->transmit.avail->ring[0]].len, HEADER + NIC_FRAME_MIN);
	assert_true(at[HEADER + 19] == 19 && at[HEADER + 20] == 0 && at[HEADER + 59] == 0);
	assert_int_equal(((struct virtio_net_header *)at)->flags, VIRTIO_NET_NEEDS_CSUM);
	assert_int_equal(((struct virtio_net_header *)at)->checksum_start, 14);
	assert_int_equal(((struct virtio_net_header *)at)->checksum_offset, 2);
	while (n->nic.ops->send(&n->nic, parts, 3, 0) == 0)
		sent++;
	assert_int_equal(sent, QUEUE_SIZE - 1);
	at = memory_of(&n->transmit, n->transmit.avail->ring[1]);
	assert_memory_equal(at + HEADER, bytes, 1014);
	assert_int_equal(n->transmit.desc[n->transmit.avail->ring[1]].len, HEADER + 1014);
	poke();
	assert_int_equal(seen.rooms, 0);
	for (unsigned i = 0; i < 20; i++)
		use(&n->transmit, n->transmit.avail->ring[i], 0);
	poke();
	assert_int_equal(seen.rooms, 1);
	assert_int_equal(n->nic.ops->send(&n->nic, parts, 3, 0), 0);
	end(n);
}

static void
sends_long_frames(void **state)
{
	struct virtio_net *n = begin(FEATURES, 9000);
	uint8_t bytes[9014];
	struct iovec parts[] = { { bytes, 14 }, { bytes + 14, 5000 }, { bytes + 5014, 4000 } };
	unsigned at = 0, head = n->transmit.free_head, skip = HEADER;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 7 >> 3;
	assert_int_equal(n->nic.ops->send(&n->nic, parts, 3, 0), 0);
	for (unsigned i = head;; i = n->transmit.desc[i].next) {
		const struct vring_desc *d = &n->transmit.desc[i];

		assert_memory_equal((uint8_t *)(uintptr_t)d->addr + skip, bytes + at, d->len - skip);
		at += d->len - skip;
		skip = 0;
		if (!(d->flags & VRING_DESC_NEXT))
			break;
	}
	assert_int_equal(at, sizeof(bytes));
	assert_int_equal(n->out.free_count, QUEUE_SIZE - 5);
	use(&n->transmit, head, 0);
	take_back_sent(n);
	assert_int_equal(n->out.free_count, QUEUE_SIZE);
	end(n);
}

static void
groups_and_link(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	const uint8_t groups[2][6] = { { 1, 2, 3 }, { 3, 2, 1 } };
	const struct orders *o = n->orders.addr;

	/* go() has given three orders; those that come meanwhile wait for the answers. */
	assert_int_equal(n->orders_left, 3);
	n->nic.ops->filter(&n->nic, false, true, NULL, 0);
	n->nic.ops->filter(&n->nic, true, false, groups, 2);
	assert_int_equal(n->control.avail->idx, 3);
	for (unsigned i = 0; i < 3; i++)
		use(&n->control, n->control.avail->ring[i], 1);
	poke();
	assert_int_equal(n->control.avail->idx, 6);
	assert_true(o->promiscuous == 1 && o->all_groups == 0 && o->groups == 2 && o->addresses[1][0] == 3);
	fake.registers[CONFIG + VIRTIO_NET_CONFIG_STATUS] = 0;
	fake.handler[1](&fake.device, 1, fake.argument[1]);
	assert_true(seen.links == 1 && !n->nic.carrier);
	fake.registers[COMMON + VIRTIO_STATUS] |= VIRTIO_NEEDS_RESET;
	fake.handler[1](&fake.device, 1, fake.argument[1]);
	assert_int_equal(seen.failures, 1);
	end(n);
}

/* A device that writes anything anywhere that is its: its rings, its buffers, its registers. */
static void
anything(void **state)
{
	for (unsigned round = 0; round < 40; round++) {
		struct virtio_net *n = begin(FEATURES | (round % 2) << VIRTIO_EVENT_IDX, round % 3 ? 9000 : 1500);
		uint8_t bytes[9018] = { 0 };

		for (unsigned step = 0; step < 2000; step++) {
			struct virtio_queue *q = (struct virtio_queue *[]){ &n->receive, &n->transmit, &n->control }[fake_random() % 3];
			struct dma *m = &fake.dma[fake_random() % fake.dma_count];

			switch (fake_random() % 6) {
			case 0:
				((uint8_t *)m->addr)[fake_random() % m->size] = fake_random();
				break;
			case 1:
			case 2:
				use(q, fake_random() % (q->size + 1), fake_random() % 2200);
				break;
			case 3:
				(void)n->nic.ops->send(&n->nic, &(struct iovec){ bytes, fake_random() % 9100 % sizeof(bytes) }, 1, 0);
				n->nic.ops->flush(&n->nic);
				break;
			case 4:
				poke();
				break;
			case 5:
				(void)n->looker.look(&n->looker);
				(void)n->looker.listen(&n->looker);
				break;
			}
		}
		end(n);
	}
}

static void
memory_that_runs_out(void **state)
{
	struct virtio_net *n = begin(FEATURES, 1500);
	unsigned count = fake.dma_count;
	struct nic *nic;

	end(n);
	for (unsigned i = 1; i <= count; i++) {
		prepare(FEATURES, 1500);
		fake.dma_fails_at = i;
		assert_int_not_equal(open_nic(&fake.device, &nic), 0);
		fake_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receives_frames),
		cmocka_unit_test(lengths_that_make_no_sense),
		cmocka_unit_test(numbers_that_were_not_given),
		cmocka_unit_test(long_frames),
		cmocka_unit_test(checksums_of_frames_that_were_on_no_wire),
		cmocka_unit_test(sends_until_there_is_no_room),
		cmocka_unit_test(sends_long_frames),
		cmocka_unit_test(groups_and_link),
		cmocka_unit_test(anything),
		cmocka_unit_test(memory_that_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
