/* SPDX-License-Identifier: MIT */
/*
 * vdso.c - the kernel's side of the vDSO: its pages, and the data page that makes its clocks tick.
 *
 * The object is built for user mode (vdso/) and copied once into pages that every program maps. The
 * writer of the data page holds `lock`; readers are programs, which use the sequence number
 * (vdso/vdso_data.h): (1) make it odd, (2) change the fields, (3) make it even; stores of x86 are seen in
 * order, so a reader that finds the same even number before and after has read one state.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/lock.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "platform.h"
#include "vdso.h"
#include "vdso/vdso_data.h"

#define TEXT_PAGES_MAX 4

extern const uint8_t vdso_image_start[], vdso_image_end[];

static struct page *pages[TEXT_PAGES_MAX + 1]; /* [I] text, then data */
static unsigned int text_pages;                /* [I] */
static struct spinlock lock = SPINLOCK_INIT(LEAF);

void
vdso_init(void)
{
	size_t size = (size_t)(vdso_image_end - vdso_image_start);
	struct vdso_data *d;

	text_pages = (unsigned int)DIV_ROUND_UP(size, PAGE_SIZE);
	assert(text_pages <= TEXT_PAGES_MAX);
	for (unsigned int i = 0; i <= text_pages; i++) {
		pages[i] = page_alloc(0, ALLOC_ZERO);
		if (!pages[i])
			panic("no memory for the vDSO");
		if (i < text_pages)
			memcpy(page_to_virt(pages[i]), vdso_image_start + i * PAGE_SIZE,
			       MIN(PAGE_SIZE, size - i * PAGE_SIZE));
	}
	d = page_to_virt(pages[text_pages]);
	d->version = VDSO_DATA_VERSION;
	arch_vdso_update_clock();
}

unsigned int
arch_vdso_text_pages(void)
{
	return text_pages;
}

struct page *
arch_vdso_page(unsigned int index)
{
	assert(index <= text_pages);
	return pages[index];
}

void
arch_vdso_update_clock(void)
{
	struct clock_scale scale = { 0 };
	uint64_t flags;
	int64_t offset;
	struct vdso_data *d;
	bool tsc;

	if (text_pages == 0)
		return; /* vdso_init() will do it */
	d = page_to_virt(pages[text_pages]);
	flags = spin_lock_irq(&lock);
	tsc = clock_scale_get(&scale);
	offset = clock_realtime_offset_ns();
	atomic_store(&d->sequence, d->sequence + 1); /* (1) */
	d->clock = tsc ? VDSO_CLOCK_TSC : VDSO_CLOCK_NONE; /* (2) */
	d->base_tsc = scale.base_tsc;
	d->base_ns = scale.base_ns;
	d->multiplier = scale.multiplier;
	d->realtime_offset_ns = (uint64_t)offset;
	atomic_store(&d->sequence, d->sequence + 1); /* (3) */
	spin_unlock_irq(&lock, flags);
}
