/* SPDX-License-Identifier: MIT */
/*
 * vtd_queue.c - having an IOMMU forget what it remembers of tables that have changed.
 *
 * Units of today read descriptors from a queue in memory (revision 3.3 of the specification, 6.5.2); the old way, by
 * registers, knows nothing of interrupts. A wait behind the descriptors writes a number into memory when all before it
 * has been done; whoever asks spins until it is there, so the queue is never longer than a few descriptors.
 *
 * Lock: queue_lock, for both ways.
 */
#include <tessera/bootinfo.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/slab.h>

#include "vtd_unit.h"

#define WAIT_SPINS 10000000u
#define SLOTS      256u          /* a page */

static void
wait_clear(const struct vtd_unit *u, uint32_t at, uint64_t bit)
{
	for (uint32_t i = 0; i < WAIT_SPINS; i++)
		if (!(vtd_read64(u, at) & bit))
			return;
	panic("iommu: unit %ld does not answer: register %#x", u - vtd_units, at);
}

static void
put(struct vtd_unit *u, uint64_t low, uint64_t high)
{
	uint64_t *slot = &u->queue[2 * u->tail];

	assert_held(&u->queue_lock);
	slot[0] = low;
	slot[1] = high;
	vtd_publish(slot, 16);
	u->tail = (u->tail + 1) % SLOTS;
}

/* What was put is done when it returns. */
static void
run(struct vtd_unit *u)
{
	uint32_t number = ++u->waits;

	put(u, VTD_QUEUE_WAIT | VTD_QUEUE_WRITE | (uint64_t)number << 32, virt_to_phys((const void *)u->status));
	vtd_write64(u, VTD_QUEUE_TAIL, (uint64_t)u->tail << 4);
	for (uint32_t i = 0; i < WAIT_SPINS; i++) {
		if (*u->status == number)
			return;
		if (vtd_read32(u, VTD_FAULT_STATUS) & VTD_FAULT_QUEUE)
			panic("iommu: unit %ld does not understand what it is to forget", u - vtd_units);
	}
	panic("iommu: unit %ld does not forget", u - vtd_units);
}

void
vtd_forget(struct vtd_unit *u, uint64_t context, uint64_t iotlb, uint32_t id)
{
	uint32_t at = (uint32_t)VTD_ECAP_IOTLB(u->ecap) + 8;
	uint64_t flags = spin_lock_irq(&u->queue_lock);

	if (u->cap & VTD_CAP_FLUSH_WRITES)
		vtd_command(u, VTD_COMMAND_FLUSH_WRITES);
	if (u->queue) {
		/* The kinds have the same order in both ways; in descriptors they stand at bit 4. */
		if (context)
			put(u, VTD_QUEUE_CONTEXT | VTD_CONTEXT_KIND(context) << 4 | (uint64_t)id << 16, 0);
		put(u, VTD_QUEUE_IOTLB | VTD_IOTLB_KIND(iotlb) << 4 | VTD_QUEUE_DRAIN | (uint64_t)id << 16, 0);
		run(u);
	} else {
		if (context) {
			vtd_write64(u, VTD_CONTEXT_COMMAND, VTD_CONTEXT_GO | context | id);
			wait_clear(u, VTD_CONTEXT_COMMAND, VTD_CONTEXT_GO);
		}
		vtd_write64(u, at, VTD_IOTLB_GO | iotlb | VTD_IOTLB_DRAIN | VTD_IOTLB_ID(id));
		wait_clear(u, at, VTD_IOTLB_GO);
	}
	spin_unlock_irq(&u->queue_lock, flags);
}

void
vtd_forget_interrupts(struct vtd_unit *u, uint32_t first, uint32_t count)
{
	uint64_t flags = spin_lock_irq(&u->queue_lock);

	assert(u->queue);
	if (count == 0)
		put(u, VTD_QUEUE_INTERRUPTS, 0);
	for (uint32_t i = 0; i < count; i++) {
		put(u, VTD_QUEUE_INTERRUPTS | VTD_QUEUE_ONE | (uint64_t)(first + i) << 32, 0);
		if (i % (SLOTS / 2) == SLOTS / 2 - 1)
			run(u);
	}
	run(u);
	spin_unlock_irq(&u->queue_lock, flags);
}

bool
vtd_queue_start(struct vtd_unit *u)
{
	uint64_t *page;

	if (!(u->ecap & VTD_ECAP_QUEUE) || boot_flag("noqueue"))
		return false;
	page = vtd_new_table();
	if (!page)
		return false;
	u->status = kzalloc(sizeof(*u->status));
	if (!u->status) {
		frame_free(virt_to_phys(page));
		return false;
	}
	vtd_write64(u, VTD_QUEUE_TAIL, 0);
	vtd_write64(u, VTD_QUEUE_ADDRESS, virt_to_phys(page)); /* 256 descriptors of 16 bytes */
	vtd_command(u, VTD_COMMAND_QUEUE);
	u->queue = page;
	return true;
}
