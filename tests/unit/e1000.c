/* SPDX-License-Identifier: MIT */
/* unit: lib/driver/nic.c */
/*
 * e1000.c - the driver of Intel's network cards against a device that this test plays: what makes sense, and what does
 * not.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_device.h"

static uint32_t read_register(const volatile uint8_t *base, size_t offset);
static bool is_gone, never_resets;

/* The driver below sees registers that do something. */
#define read32 read_register
#include "../../drivers/net/e1000/e1000.c"
#undef read32

static uint32_t
read_register(const volatile uint8_t *base, size_t offset)
{
	uint32_t value = read32(base, offset);

	if (is_gone)
		return UINT32_MAX;
	if (offset == E1000_CTRL && !never_resets)
		return value & ~E1000_CTRL_RST;
	if (offset == E1000_RA + 4)
		return value | E1000_RA_VALID;
	if (offset == E1000_ICR)
		write32((volatile uint8_t *)base, offset, 0);
	return value;
}

#define FAKE_FRAME_MAX FRAME_MAX
#include "fake_stack.h"

static const struct nic_driver *const drivers[] = { &e1000_driver, NULL };

int
device_adopt(struct device *d, const char *name, int device_fd, int container_fd)
{
	return -ENODEV;
}

void
device_close(struct device *d)
{
}

static int
try_to_open(struct nic **nic)
{
	memset(&seen, 0, sizeof(seen));
	is_gone = never_resets = false;
	fake_begin(1);
	memcpy(fake.config, (uint16_t[]){ E1000_VENDOR, E1000_82574L }, 4);
	memcpy(fake.registers + E1000_RA, (uint8_t[]){ 0x52, 0x54, 0, 1, 2, 3 }, 6);
	fake.registers[E1000_STATUS] = E1000_STATUS_LU | 2 << E1000_STATUS_SPEED_SHIFT;
	return nic_open(drivers, &fake.device, nic);
}

static struct e1000 *
begin_one(void)
{
	struct nic *nic;

	assert_int_equal(try_to_open(&nic), 0);
	nic->stack = &stack;
	nic->ops->go(nic);
	return container_of(nic, struct e1000, nic);
}

static void
end(struct e1000 *e)
{
	e->nic.ops->close(&e->nic);
	fake_end();
}

static void
poke(uint32_t causes)
{
	write32(fake.registers, E1000_ICR, causes);
	fake.handler[0](&fake.device, 0, fake.argument[0]);
}

/* The device fills the next descriptor. */
static void
fill(struct e1000 *e, unsigned *next, unsigned length, uint8_t status, uint8_t errors)
{
	volatile struct e1000_receive *r = receive_at(e, *next);

	r->length = length;
	r->errors = errors;
	r->status = status;
	*next = (*next + 1) % RING;
}

static void
receives_frames(void **state)
{
	struct e1000 *e = begin_one();
	unsigned next = 0;

	assert_memory_equal(e->nic.address, ((uint8_t[]){ 0x52, 0x54, 0, 1, 2, 3 }), 6);
	assert_true(e->nic.carrier && e->nic.speed == 1000 && e->nic.mtu_max == 1500);
	assert_int_equal(read32(fake.registers, E1000_RDT), RING - 1);
	for (unsigned i = 0; i < 1000; i++) {
		unsigned length = NIC_HEADER + i % 1501;

		memset(e->in[next], i, length);
		fill(e, &next, length, E1000_RX_DONE | E1000_RX_END | (i % 2 ? E1000_RX_CHECKED : E1000_RX_IGNORE), 0);
		poke(E1000_INT_RXT0);
		assert_true(seen.frames == i + 1 && seen.length == length && seen.frame[length - 1] == (uint8_t)i);
		assert_int_equal(seen.flags, i % 2 ? NIC_CHECKSUM_GOOD : 0);
		assert_int_equal(read32(fake.registers, E1000_RDT), i % RING);
	}
	fill(e, &next, 100, E1000_RX_DONE | E1000_RX_END | E1000_RX_CHECKED, 0x20);
	poke(E1000_INT_RXT0);
	assert_true(seen.frames == 1001 && seen.flags == 0);
	end(e);
}

static void
what_makes_no_sense(void **state)
{
	static const struct {
		unsigned length;
		uint8_t status, errors;
	} bad[] = {
		{ 0, E1000_RX_DONE | E1000_RX_END, 0 }, { 13, E1000_RX_DONE | E1000_RX_END, 0 },
		{ FRAME_MAX + 1, E1000_RX_DONE | E1000_RX_END, 0 }, { 65535, E1000_RX_DONE | E1000_RX_END, 0 },
		{ 100, E1000_RX_DONE | E1000_RX_END, 1 },
	};
	struct e1000 *e = begin_one();
	unsigned next = 0;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		fill(e, &next, bad[i].length, bad[i].status, bad[i].errors);
		poke(E1000_INT_RXT0);
		assert_true(seen.frames == 0 && e->nic.counts.received_errors == i + 1);
	}
	/* A frame of three buffers is none, and what follows is one. */
	fill(e, &next, 2048, E1000_RX_DONE, 0);
	fill(e, &next, 2048, E1000_RX_DONE, 0);
	fill(e, &next, 100, E1000_RX_DONE | E1000_RX_END, 0);
	fill(e, &next, 101, E1000_RX_DONE | E1000_RX_END, 0);
	poke(E1000_INT_RXT0);
	assert_true(seen.frames == 1 && seen.length == 101 && e->nic.counts.received_errors == 6);
	end(e);
}

static void
sends_until_there_is_no_room(void **state)
{
	struct e1000 *e = begin_one();
	uint8_t bytes[1600];
	struct iovec parts[] = { { bytes, 14 }, { bytes + 14, 1000 } };
	unsigned sent = 0;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i;
	assert_int_equal(e->nic.ops->send(&e->nic, &(struct iovec){ bytes, FRAME_MAX + 1 }, 1, 0), -EMSGSIZE);
	assert_int_equal(e->nic.ops->send(&e->nic, &(struct iovec){ bytes, 15 }, 1, 0), 0);
	assert_true(send_at(e, 0)->length == E1000_FRAME_MIN && e->out[0][14] == 14 && e->out[0][15] == 0);
	assert_int_equal(read32(fake.registers, E1000_TDT), 0);
	while (e->nic.ops->send(&e->nic, parts, 2, 0) == 0)
		sent++;
	assert_int_equal(sent, RING - 1 - SEND_MOST); /* one is never given, and the short frame took one */
	assert_memory_equal(e->out[1], bytes, 1014);
	assert_int_equal(read32(fake.registers, E1000_TDT), sent + 1); /* who waits for room has told it */
	poke(E1000_INT_TXDW);
	assert_int_equal(seen.rooms, 0);
	for (unsigned i = 0; i < 20; i++)
		send_at(e, i)->status = E1000_TX_DONE;
	poke(E1000_INT_TXDW);
	assert_true(seen.rooms == 1 && e->out_oldest == 20);
	/* What is not there to be done cannot be done. */
	for (unsigned i = 0; i < RING; i++)
		send_at(e, i)->status = E1000_TX_DONE;
	take_back_sent(e);
	assert_int_equal(e->out_oldest, e->out_told);
	end(e);
}

/* 3.3.6: where the sum is stands in a descriptor of its own, as long as it is the same. */
static void
leaves_checksums_to_the_device(void **state)
{
	struct e1000 *e = begin_one();
	volatile struct e1000_context *context = (volatile struct e1000_context *)send_at(e, 0);
	uint8_t bytes[100] = { 0 };
	struct iovec part = { bytes, sizeof(bytes) };

	assert_true(e->nic.can_checksum);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(e->nic.ops->send(&e->nic, &part, 1, NIC_CHECKSUM(34, 16)), 0);
	assert_int_equal(e->nic.ops->send(&e->nic, &part, 1, 0), 0);
	assert_int_equal(e->nic.ops->send(&e->nic, &part, 1, NIC_CHECKSUM(54, 6)), 0);
	assert_int_equal(e->out_next, 6);
	assert_true(context->type == 0 && context->command == (E1000_TX_TYPED | E1000_TX_REPORT));
	assert_true(context->start == 34 && context->offset == 50 && context->end == 0);
	for (unsigned i = 1; i < 3; i++) {
		assert_true(send_at(e, i)->type == E1000_TX_DATA && send_at(e, i)->options == E1000_TX_SUM);
		assert_true(send_at(e, i)->command == (E1000_TX_END | E1000_TX_FCS | E1000_TX_REPORT | E1000_TX_TYPED));
		assert_true(send_at(e, i)->address == e->out_bus[i] && send_at(e, i)->length == sizeof(bytes));
	}
	assert_true(send_at(e, 3)->type == 0 && send_at(e, 3)->options == 0);
	assert_true(context[4].start == 54 && context[4].offset == 60 && send_at(e, 5)->options == E1000_TX_SUM);
	end(e);
}

static void
groups_and_link(void **state)
{
	static const uint8_t groups[1][6] = { { 0x33, 0x33, 0, 0, 0x50, 0x12 } };
	struct e1000 *e = begin_one();

	e->nic.ops->filter(&e->nic, false, false, groups, 1);
	/* 0x12 << 4 | 0x50 >> 4 is 0x125: bit 5 of word 9. */
	assert_int_equal(read32(fake.registers, E1000_MTA + 4 * 9), 1 << 5);
	assert_int_equal(read32(fake.registers, E1000_RCTL) & (E1000_RCTL_UPE | E1000_RCTL_MPE), 0);
	e->nic.ops->filter(&e->nic, false, true, NULL, 0);
	assert_int_equal(read32(fake.registers, E1000_MTA + 4 * 9), 0);
	assert_int_equal(read32(fake.registers, E1000_RCTL) & (E1000_RCTL_UPE | E1000_RCTL_MPE), E1000_RCTL_MPE);
	fake.registers[E1000_STATUS] = 0;
	poke(E1000_INT_LSC);
	assert_true(seen.links == 1 && !e->nic.carrier && e->nic.speed == 0);
	poke(E1000_INT_LSC);
	assert_int_equal(seen.links, 1);
	is_gone = true;
	poke(E1000_INT_LSC);
	assert_int_equal(seen.failures, 1);
	end(e);
}

/* A device that writes anything into its rings and buffers. */
static void
anything(void **state)
{
	for (unsigned round = 0; round < 40; round++) {
		struct e1000 *e = begin_one();
		uint8_t bytes[FRAME_MAX + 10] = { 0 };

		for (unsigned step = 0; step < 4000; step++) {
			struct dma *m = &fake.dma[fake_random() % fake.dma_count];

			switch (fake_random() % 5) {
			case 0:
				((uint8_t *)m->addr)[fake_random() % m->size] = fake_random();
				break;
			case 1:
				receive_at(e, fake_random() % RING)->length = fake_random();
				receive_at(e, fake_random() % RING)->status = fake_random();
				send_at(e, fake_random() % RING)->status = fake_random();
				break;
			case 2:
				(void)e->nic.ops->send(&e->nic, &(struct iovec){ bytes, fake_random() % sizeof(bytes) }, 1,
					fake_random() % 2 ? NIC_CHECKSUM(fake_random() % 2 ? 34 : 54, 16) : 0);
				e->nic.ops->flush(&e->nic);
				break;
			case 3:
				poke(fake_random());
				break;
			case 4:
				(void)e->looker.look(&e->looker);
				(void)e->looker.listen(&e->looker);
				break;
			}
		}
		end(e);
	}
}

static void
devices_that_cannot_be_opened(void **state)
{
	struct nic *nic;
	unsigned count;

	assert_int_equal(try_to_open(&nic), 0);
	count = fake.dma_count;
	nic->ops->close(nic);
	fake_end();
	for (unsigned i = 1; i <= count; i++) {
		assert_int_equal(try_to_open(&nic), 0);
		nic->ops->close(nic);
		fake_end();
		fake_begin(1);
		memcpy(fake.config, (uint16_t[]){ E1000_VENDOR, E1000_82540EM }, 4);
		fake.dma_fails_at = i;
		assert_int_equal(nic_open(drivers, &fake.device, &nic), -ENOMEM);
		fake_end();
	}
	never_resets = true;
	fake_begin(1);
	memcpy(fake.config, (uint16_t[]){ E1000_VENDOR, E1000_82540EM }, 4);
	assert_int_equal(nic_open(drivers, &fake.device, &nic), -ENODEV);
	memcpy(fake.config, (uint16_t[]){ E1000_VENDOR, 0x1234 }, 4);
	assert_int_equal(nic_open(drivers, &fake.device, &nic), -ENODEV);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(receives_frames),
		cmocka_unit_test(what_makes_no_sense),
		cmocka_unit_test(sends_until_there_is_no_room),
		cmocka_unit_test(leaves_checksums_to_the_device),
		cmocka_unit_test(groups_and_link),
		cmocka_unit_test(anything),
		cmocka_unit_test(devices_that_cannot_be_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
