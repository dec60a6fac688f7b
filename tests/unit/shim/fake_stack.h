/* SPDX-License-Identifier: MIT */
/*
 * fake_stack.h - what a network card's driver tells its stack, remembered. Included once, behind FAKE_FRAME_MAX: no frame is
 * longer.
 */
#ifndef UNIT_FAKE_STACK_H
#define UNIT_FAKE_STACK_H

#include <string.h>

#include "nic.h"

static struct {
	unsigned frames, links, rooms, failures;
	uint8_t frame[FAKE_FRAME_MAX];
	unsigned length;
	uint32_t flags;
} seen;

static void
on_frame(struct nic *nic, const void *frame, unsigned length, uint32_t flags)
{
	assert_true(length >= NIC_HEADER && length <= sizeof(seen.frame));
	memcpy(seen.frame, frame, length);
	seen.length = length;
	seen.flags = flags;
	seen.frames++;
}

static void
on_link(struct nic *nic)
{
	seen.links++;
}

static void
on_room(struct nic *nic)
{
	seen.rooms++;
}

static void
on_failure(struct nic *nic)
{
	seen.failures++;
}

static const struct nic_stack stack = { .received = on_frame, .link = on_link, .room = on_room, .failed = on_failure };

#endif
