/* SPDX-License-Identifier: MIT */
/*
 * shadow.c - the page tables of KASAN's shadow (layout.h): 16 TiB of which a few MiB are there.
 *
 * Everything that has no shadow of its own shares one page of zeroes, read-only. It is mapped 2^32 times
 * by three tables that refer to one another only downwards:
 *
 *	root --32 entries--> shared[2] --512--> shared[1] --512--> shared[0] --512--> the page of zeroes
 *
 * To give an address a frame, the shared tables on the way to it are replaced by copies of them. The root
 * is copied into every program's table, so what it refers to is settled here, before the first program:
 * the entries under which frames will be mapped (the direct map's, the regions' and the image's) get
 * their own table at once.
 *
 * A replaced entry was present, and nobody is told: a CPU that still holds the old translation reads
 * zeroes (it misses an error, for as long as that stays in its TLB) or faults on writing, which drops the
 * translation; arch_shadow_mend() lets it write again.
 *
 * Locks: kernel_table_lock; none at boot.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/layout.h>
#include <tessera/page.h>
#include <tessera/string.h>

#include "kernel_image.h"
#include "msr.h"

#define ENTRIES 512
#define ROOT    3

#define TABLE_BITS (X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_ACCESSED)
#define ZERO_BITS  (X86_PTE_PRESENT | X86_PTE_NX | X86_PTE_ACCESSED | X86_PTE_GLOBAL)
#define OWN_BITS   (ZERO_BITS | X86_PTE_WRITE | X86_PTE_DIRTY)

static paddr_t shared[ROOT]; /* [I] tables by the level of their entries */
static paddr_t zeroes;       /* [I] */

static unsigned int
index_at(vaddr_t va, unsigned int level)
{
	return va >> (PAGE_SHIFT + 9 * level) & (ENTRIES - 1);
}

/*
 * The entry for `va` at `level`, in a table that is not shared. NULL: no memory for a table, or a large
 * page lies there.
 */
static uint64_t *
own_entry(vaddr_t va, unsigned int level)
{
	uint64_t *table = phys_to_virt(kernel_page_table.root);

	for (unsigned int l = ROOT; l > level; l--) {
		uint64_t *e = &table[index_at(va, l)];

		if (*e & X86_PTE_LARGE)
			return NULL;
		if ((*e & X86_PTE_FRAME) == shared[l - 1]) {
			paddr_t copy = frame_alloc(ALLOC_NOWAIT);

			if (!copy)
				return NULL;
			memcpy(phys_to_virt(copy), phys_to_virt(shared[l - 1]), PAGE_SIZE);
			atomic_store_release(e, copy | TABLE_BITS);
		}
		table = phys_to_virt(*e & X86_PTE_FRAME);
	}
	return &table[index_at(va, level)];
}

int
arch_shadow_map(vaddr_t va, paddr_t frame, bool huge)
{
	uint64_t *e = own_entry(va, huge ? 1 : 0);

	if (!e)
		return -ENOMEM;
	atomic_store_release(e, frame | OWN_BITS | (huge ? X86_PTE_LARGE : 0));
	return 0;
}

/* The 4 KiB entry of `va`, NULL when a large page or a shared table is what translates it. */
static uint64_t *
find_own(vaddr_t va, unsigned int *level)
{
	uint64_t *table = phys_to_virt(kernel_page_table.root);

	for (unsigned int l = ROOT;; l--) {
		uint64_t *e = &table[index_at(va, l)];
		paddr_t frame = READ_ONCE(*e) & X86_PTE_FRAME;

		*level = l;
		if (l == 0 || (*e & X86_PTE_LARGE))
			return frame == zeroes ? NULL : e;
		if (frame == shared[l - 1])
			return NULL;
		table = phys_to_virt(frame);
	}
}

paddr_t
arch_shadow_lookup(vaddr_t va)
{
	unsigned int level;
	uint64_t *e = find_own(va, &level);

	return e ? READ_ONCE(*e) & X86_PTE_FRAME : 0;
}

paddr_t
arch_shadow_unmap(vaddr_t va)
{
	unsigned int level;
	uint64_t *e = find_own(va, &level);

	if (!e || level > 0)
		return 0;
	return atomic_exchange(e, zeroes | ZERO_BITS) & X86_PTE_FRAME;
}

bool
arch_shadow_mend(vaddr_t va)
{
	return va >= SHADOW_BASE && va < SHADOW_END && arch_shadow_lookup(va) != 0;
}

static void
make_shared(void)
{
	uint64_t below = (zeroes = boot_frame_alloc()) | ZERO_BITS;

	for (unsigned int level = 0; level < ROOT; level++) {
		uint64_t *table;

		shared[level] = boot_frame_alloc();
		table = phys_to_virt(shared[level]);
		for (unsigned int i = 0; i < ENTRIES; i++)
			table[i] = below;
		below = shared[level] | TABLE_BITS;
	}
}

void
arch_shadow_init(vaddr_t va, size_t size)
{
	uint64_t *root = phys_to_virt(kernel_page_table.root);

	make_shared();
	for (vaddr_t at = SHADOW_BASE; at < SHADOW_END; at += 1ul << (PAGE_SHIFT + 9 * ROOT))
		root[index_at(at, ROOT)] = shared[ROOT - 1] | TABLE_BITS;
	own_entry(SHADOW_OF(DIRECT_MAP_START), ROOT - 1);
	own_entry(SHADOW_OF(REGIONS_START), ROOT - 1);
	for (vaddr_t at = ALIGN_DOWN(va, PAGE_SIZE); at < va + size; at += PAGE_SIZE)
		arch_shadow_map(at, boot_frame_alloc(), false);
}
