/* SPDX-License-Identifier: MIT */
/*
 * tlb_flush.c - loading page tables and forgetting translations on this CPU. mm/tlb.c decides when.
 *
 * With PCID a load can keep what the TLB knows of other address spaces: bit 63 of the value written to
 * CR3 says "do not flush this PCID". Global entries, the kernel's, survive everything but INVPCID of
 * all contexts or a change of CR4.PGE.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>

#include "features.h"
#include "msr.h"

#define CR3_KEEP BIT(63)

#define INVPCID_ALL_GLOBAL 2

bool
arch_has_pcid(void)
{
	return cpu_features.pcid;
}

/* Call with interrupts off. `pcid` is ignored, and everything not global flushed, without PCIDs. */
void
arch_page_table_load(struct page_table *pt, uint16_t pcid, bool flush)
{
	uint64_t cr3 = pt->root;

	if (cpu_features.pcid)
		cr3 |= pcid | (flush ? 0 : CR3_KEEP);
	cr3_write(cr3);
}

void
arch_tlb_flush_page(vaddr_t va)
{
	__asm__ volatile("invlpg (%0)" ::"r"(va) : "memory");
}

void
arch_tlb_flush_all(bool global)
{
	uint64_t flags, cr4;

	flags = arch_irq_save();
	if (!global) {
		cr3_write(cr3_read());
	} else if (cpu_features.invpcid) {
		struct {
			uint64_t pcid, address;
		} all = { 0, 0 };

		__asm__ volatile("invpcid %0, %1" ::"m"(all), "r"((uint64_t)INVPCID_ALL_GLOBAL)
				 : "memory");
	} else {
		cr4 = cr4_read();
		cr4_write(cr4 & ~CR4_PGE);
		cr4_write(cr4);
		if (!(cr4 & CR4_PGE))
			cr3_write(cr3_read());
	}
	arch_irq_restore(flags);
}
