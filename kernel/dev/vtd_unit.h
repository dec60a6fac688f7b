/* SPDX-License-Identifier: MIT */
/*
 * vtd_unit.h - one of Intel's remapping units: what the files that drive it share.
 */
#ifndef TESSERA_DEV_VTD_UNIT_H
#define TESSERA_DEV_VTD_UNIT_H

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/lock.h>

#include "vtd_hw.h"

#define VTD_UNITS_MAX  8u
#define VTD_SCOPES_MAX 32u

struct vtd_scope {
	uint8_t bus, devfn;
	bool bridge;                   /* and all that is behind it */
};

/* An I/O APIC whose interrupts come by this unit, and the name that they come under. */
struct vtd_ioapic {
	uint8_t id, bus, devfn;
};

/* [I] but what is said  [P] pci_lock  [q] queue_lock  [a] atomic */
struct vtd_unit {
	volatile uint8_t *registers;
	uint64_t cap, ecap;
	uint16_t segment;
	bool all;                      /* all devices that no other unit names */
	bool remaps;                   /* interrupts */
	struct vtd_scope scopes[VTD_SCOPES_MAX];
	uint32_t scope_count;
	struct vtd_ioapic ioapics[VTD_SCOPES_MAX];
	uint32_t ioapic_count;
	uint64_t *root;                /* [P] 256 entries of 16 bytes */
	uint64_t *contexts[256];       /* [P] of each bus; NULL: none yet */
	struct spinlock queue_lock;    /* class LEAF: who has it forget something */
	uint64_t *queue;               /* descriptors of 16 bytes, one page; NULL: registers are used */
	uint32_t tail;                 /* [q] where the next descriptor goes */
	volatile uint32_t *status;     /* [q] what a wait writes */
	uint32_t waits;                /* [q] */
	int interrupt;                 /* that tells of faults; -1: none */
	uint64_t faults;               /* [a] */
	uint32_t shown[256];           /* [a] of them in the log, by a hash of who asked */
};

extern struct vtd_unit vtd_units[VTD_UNITS_MAX]; /* vtd.c */
extern uint32_t vtd_unit_count;

static inline uint32_t
vtd_read32(const struct vtd_unit *u, uint32_t at)
{
	return *(volatile uint32_t *)(u->registers + at);
}

static inline uint64_t
vtd_read64(const struct vtd_unit *u, uint32_t at)
{
	return *(volatile uint64_t *)(u->registers + at);
}

static inline void
vtd_write32(const struct vtd_unit *u, uint32_t at, uint32_t value)
{
	*(volatile uint32_t *)(u->registers + at) = value;
}

static inline void
vtd_write64(const struct vtd_unit *u, uint32_t at, uint64_t value)
{
	*(volatile uint64_t *)(u->registers + at) = value;
}

/* vtd.c: one of the bits of VTD_COMMAND, obeyed when it returns */
void vtd_command(const struct vtd_unit *u, uint32_t bit);
/* What was written to tables is there for the units. */
void vtd_publish(const void *p, size_t n);
uint64_t *vtd_new_table(void); /* NULL: no memory */

/* --- vtd_queue.c: having a unit forget what it remembers; any context */
/* Descriptors in memory are used from now on. False: no memory, or the unit cannot. */
bool vtd_queue_start(struct vtd_unit *u);
/* Contexts (VTD_CONTEXT_*, 0: none) and translations (VTD_IOTLB_*), of the domain `id` where that is asked for. */
void vtd_forget(struct vtd_unit *u, uint64_t context, uint64_t iotlb, uint32_t id);
/* Entries of interrupts, all or (count > 0) some: only with a queue. */
void vtd_forget_interrupts(struct vtd_unit *u, uint32_t first, uint32_t count);

/* --- vtd_remap.c: interrupts */
/* All units can: from now on an interrupt is its device's, or none. */
void vtd_remap_start(void);
void vtd_remap_dump(void);

#endif
