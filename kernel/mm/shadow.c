/* SPDX-License-Identifier: MIT */
/*
 * shadow.c - frames for KASAN's shadow of kernel regions (debug/sanitizers/kasan.c has the whole story;
 * section.c brings the direct map's).
 *
 * A frame of shadow describes 8 pages of addresses. A region's block has whole ones when it is that large;
 * smaller blocks share. So each such frame counts in its refcount the blocks that it describes: the first
 * brings it, closed all over, and the last takes it away.
 *
 * Locks: kernel_table_lock for the tables and these counts.
 */
#include <tessera/errno.h>
#include <tessera/kasan.h>
#include <tessera/string.h>

#include "mm.h"

/* One more block for the frame at shadow address `va`, if there is one. */
static bool
frame_get(vaddr_t va)
{
	paddr_t frame;
	uint64_t flags = spin_lock_irq(&kernel_table_lock);

	frame = arch_shadow_lookup(va);
	if (frame)
		pfn_to_page(frame >> PAGE_SHIFT)->refcount++;
	spin_unlock_irq(&kernel_table_lock, flags);
	return frame != 0;
}

/* Map `p` at `va`. -EEXIST: somebody was faster. */
static int
frame_map(vaddr_t va, struct page *p)
{
	for (;;) {
		uint64_t flags = spin_lock_irq(&kernel_table_lock);
		int e = arch_shadow_lookup(va) ? -EEXIST : arch_shadow_map(va, page_to_phys(p), false);

		spin_unlock_irq(&kernel_table_lock, flags);
		if (e != -ENOMEM || !section_online_next())
			return e;
	}
}

static int
frame_add(vaddr_t va)
{
	while (!frame_get(va)) {
		struct page *p = page_alloc(0, 0);
		int e;

		if (!p)
			return -ENOMEM;
		p->flags |= PAGE_KERNEL;
		memset(page_to_virt(p), KASAN_REGION_GUARD, PAGE_SIZE);
		e = frame_map(va, p);
		if (!e)
			return 0;
		page_free(p, 0);
		if (e != -EEXIST)
			return e;
	}
	return 0;
}

/* One block less; the frame goes to `out` with the last. */
static void
frame_remove(vaddr_t va, struct list *out)
{
	uint64_t flags = spin_lock_irq(&kernel_table_lock);
	struct page *p = pfn_to_page(arch_shadow_lookup(va) >> PAGE_SHIFT);

	if (--p->refcount == 0) {
		arch_shadow_unmap(va);
		list_add(out, &p->node);
	}
	spin_unlock_irq(&kernel_table_lock, flags);
}

static void
remove_frames(vaddr_t first, vaddr_t end)
{
	struct list frames = LIST_INIT(frames);

	for (vaddr_t va = first; va < end; va += PAGE_SIZE)
		frame_remove(va, &frames);
	if (list_is_empty(&frames))
		return;
	tlb_flush_kernel(first, end);
	frames_free_list(&frames);
}

int
kasan_region_add(vaddr_t start, size_t size)
{
	vaddr_t first = ALIGN_DOWN(SHADOW_OF(start), PAGE_SIZE), end = SHADOW_OF(start + size);

	for (vaddr_t va = first; va < end; va += PAGE_SIZE) {
		int e = frame_add(va);

		if (e) {
			remove_frames(first, va);
			return e;
		}
	}
	return 0;
}

void
kasan_region_remove(vaddr_t start, size_t size)
{
	kasan_poison((const void *)start, size, KASAN_REGION_GUARD);
	remove_frames(ALIGN_DOWN(SHADOW_OF(start), PAGE_SIZE), SHADOW_OF(start + size));
}
