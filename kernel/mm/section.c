/* SPDX-License-Identifier: MIT */
/*
 * section.c - memory comes online in sections of 16 MiB, when it is first needed.
 *
 * Eight sections, 128 MiB, are a group: their part of the page array fills exactly one large page. A group that
 * is all free memory comes online as a whole, any other section by section.
 *
 * A section is offline (its frames have no struct page yet and count as free), online, or dead: too
 * little of it is free to hold its own struct pages, so its memory is not used, unless somebody needs
 * frames of it that the boot loader filled (the initramfs): then it borrows frames from the allocator.
 * Bringing one, or a group, online means:
 *
 *   1. find frames for its part of the page array: from itself, by a cursor that moves over its free
 *      ranges ("carving"); the tables that map the array come from the same cursor;
 *   2. map them at page_array[first frame ...]: a group takes one large page; a section gets 4 KiB pages
 *      where there is memory, and one shared page full of PAGE_RESERVED entries where there is none, so
 *      that the buddy of any block can be looked at;
 *   3. with KASAN, the shadow of its part of the direct map, an eighth of it, likewise: large pages behind
 *      the array, or a frame for every 8 frames that are memory;
 *   4. mark what is occupied as reserved and give the rest to the buddy allocator.
 *
 * Boot touches only the first section that has memory (and those that hold the initramfs).
 *
 * Locks: section_lock, then kernel_table_lock, then a zone's. Never called with kernel_table_lock
 * held: page_alloc() looks before it comes here.
 */
#include <tessera/bootinfo.h>
#include <tessera/kasan.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "mm.h"

#define ENTRIES_PER_FRAME (PAGE_SIZE / sizeof(struct page))
#define TABLE_FRAMES      4 /* page tables that map one section's array */
#define GROUP_SECTIONS    8u
#define GROUP_FRAMES      (GROUP_SECTIONS * SECTION_FRAMES)
/* One frame of KASAN's shadow describes this many frames; the tables that map a section's shadow. */
#define SHADOWED_FRAMES     (1u << SHADOW_SHIFT)
#define SHADOW_FRAMES       (SECTION_FRAMES / SHADOWED_FRAMES)
#define SHADOW_TABLE_FRAMES (SHADOW_FRAMES / (PAGE_SIZE / sizeof(uint64_t)) + 2)
#define GROUP_SHADOW_FRAMES (GROUP_FRAMES / SHADOWED_FRAMES)
#define ARRAY_PROT        (PTE_READ | PTE_WRITE | PTE_GLOBAL)

/* The states of 4096 sections lie in a frame of their own, which exists where there is memory. */
#define STATES_PER_FRAME PAGE_SIZE

enum section_state { SECTION_NONE, SECTION_OFFLINE, SECTION_ONLINE, SECTION_DEAD };

struct page *page_array __ro_after_init;

static struct spinlock section_lock = SPINLOCK_INIT(SECTION);
/* section_lock; read freely: only ever grows towards ONLINE. The frames: [I] */
static uint8_t *states[SECTION_MAX / STATES_PER_FRAME];
static uint32_t section_count;       /* [I] */
static uint32_t next_offline;        /* section_lock: none below it is offline */
static uint64_t offline_frames;      /* section_lock, read freely */
static uint64_t array_frames;        /* section_lock, read freely: with their tables, and KASAN's shadow */
static paddr_t hole_frame;           /* [I] PAGE_RESERVED entries for what is not memory */

/* The carving in progress; section_lock. */
static pfn_t carve_next, carve_end;
static struct list spares = LIST_INIT(spares); /* borrowed frames, zeroed: struct page.node */

static enum section_state
state_of(uint64_t s)
{
	const uint8_t *frame = states[s / STATES_PER_FRAME];

	return frame ? (enum section_state)atomic_load(&frame[s % STATES_PER_FRAME]) : SECTION_NONE;
}

static void
set_state(uint64_t s, enum section_state new)
{
	atomic_store_release(&states[s / STATES_PER_FRAME][s % STATES_PER_FRAME], (uint8_t)new);
}

bool
section_is_carving(void)
{
	return spin_is_held(&section_lock);
}

/* The next free range that overlaps [pfn, end), clipped. False: none. */
static bool
next_range(const struct boot_ranges *r, pfn_t pfn, pfn_t end, struct frame_range *out)
{
	for (uint32_t i = 0; i < r->count; i++) {
		if (r->range[i].end <= pfn)
			continue;
		if (r->range[i].start >= end || pfn >= end)
			return false;
		out->start = MAX(r->range[i].start, pfn);
		out->end = MIN(r->range[i].end, end);
		return true;
	}
	return false;
}

/*
 * One frame, zeroed, of the section that comes online. section_lock held. 0: the section is too
 * small.
 */
paddr_t
section_carve(void)
{
	struct frame_range f;

	assert_held(&section_lock);
	if (!next_range(&boot_free, carve_next, carve_end, &f)) {
		struct page *p = list_first(&spares, struct page, node);

		if (!p)
			return 0;
		list_del(&p->node);
		array_frames++;
		return page_to_phys(p);
	}
	array_frames++;
	carve_next = f.start + 1;
	memset(phys_to_virt(f.start << PAGE_SHIFT), 0, PAGE_SIZE);
	return f.start << PAGE_SHIFT;
}

static bool
map_array(pfn_t first, paddr_t frame, bool huge)
{
	vaddr_t va = (vaddr_t)pfn_to_page(first);
	uint64_t flags = spin_lock_irq(&kernel_table_lock);
	int r = arch_page_table_prepare(&kernel_page_table, va, huge);

	if (r == 0)
		r = arch_page_table_map(&kernel_page_table, va, frame,
					ARRAY_PROT | (huge ? PTE_HUGE : 0));
	spin_unlock_irq(&kernel_table_lock, flags);
	return r == 0;
}

/* `frame` (or the large page there) is the shadow of the direct map from `pfn` on. */
static bool
map_shadow(pfn_t pfn, paddr_t frame, bool huge)
{
	vaddr_t va = SHADOW_OF(phys_to_virt(pfn << PAGE_SHIFT));
	uint64_t flags = spin_lock_irq(&kernel_table_lock);
	int r = arch_shadow_map(va, frame, huge);

	spin_unlock_irq(&kernel_table_lock, flags);
	return r == 0;
}

/* The shadow of a group: [frame, frame + GROUP_SHADOW_FRAMES) of its own, aligned. */
static bool
shadow_full(pfn_t first, pfn_t frame)
{
	const pfn_t step = HUGE_PAGE_SIZE >> PAGE_SHIFT;

	for (pfn_t i = 0; i < GROUP_SHADOW_FRAMES; i += step) {
		memset(phys_to_virt((frame + i) << PAGE_SHIFT), 0, HUGE_PAGE_SIZE);
		if (!map_shadow(first + i * SHADOWED_FRAMES, (frame + i) << PAGE_SHIFT, true))
			return false;
	}
	return true;
}

static bool
shadow_partial(pfn_t first, pfn_t end)
{
	struct frame_range f;

	for (pfn_t pfn = first; pfn < end; pfn += SHADOWED_FRAMES) {
		paddr_t frame;

		if (!next_range(&boot_ram, pfn, pfn + SHADOWED_FRAMES, &f))
			continue;
		frame = section_carve();
		if (!frame || !map_shadow(pfn, frame, false))
			return false;
	}
	return true;
}

/* The array of a group that is all free memory: its own first 2 MiB; the shadow behind it. */
static bool
build_full(pfn_t first)
{
	pfn_t shadow = first + (HUGE_PAGE_SIZE >> PAGE_SHIFT);

	carve_next = config_kasan ? shadow + GROUP_SHADOW_FRAMES : shadow;
	array_frames += carve_next - first;
	if (!map_array(first, first << PAGE_SHIFT, true))
		return false;
	memset(pfn_to_page(first), 0, HUGE_PAGE_SIZE);
	return !config_kasan || shadow_full(first, shadow);
}

static bool
build_partial(pfn_t first, pfn_t end)
{
	struct frame_range f;

	for (pfn_t pfn = first; pfn < end; pfn += ENTRIES_PER_FRAME) {
		paddr_t frame = hole_frame;

		if (next_range(&boot_ram, pfn, pfn + ENTRIES_PER_FRAME, &f)) {
			frame = section_carve();
			if (frame == 0)
				return false;
		}
		if (!map_array(pfn, frame, false))
			return false;
	}
	return !config_kasan || shadow_partial(first, end);
}

/* Everything in [start, end) that has an entry of its own becomes reserved. */
static void
reserve(pfn_t start, pfn_t end)
{
	struct frame_range f;

	while (start < end) {
		pfn_t group = ALIGN_DOWN(start, ENTRIES_PER_FRAME);
		pfn_t stop = MIN(end, group + ENTRIES_PER_FRAME);

		if (next_range(&boot_ram, group, group + ENTRIES_PER_FRAME, &f))
			for (pfn_t pfn = start; pfn < stop; pfn++) {
				pfn_to_page(pfn)->flags = PAGE_RESERVED;
				pfn_to_page(pfn)->refcount = 1;
			}
		start = stop;
	}
}

static void
release(pfn_t start, pfn_t end)
{
	while (start < end) {
		unsigned int order = start == 0 ? MAX_ORDER : (unsigned int)__builtin_ctzl(start);

		order = MIN(order, (unsigned int)MAX_ORDER);
		while (start + (1ul << order) > end)
			order--;
		if (config_kasan)
			kasan_page_free(pfn_to_page(start), order);
		frames_add_block(start, order);
		start += 1ul << order;
	}
}

/* Frames that the array of a section, its shadow and the tables that map them take at most. */
static uint64_t
frames_needed(uint32_t s)
{
	pfn_t first = (pfn_t)s * SECTION_FRAMES, end = first + SECTION_FRAMES;
	struct frame_range f;
	uint64_t n = TABLE_FRAMES;

	for (pfn_t pfn = first; pfn < end; pfn += ENTRIES_PER_FRAME)
		n += next_range(&boot_ram, pfn, pfn + ENTRIES_PER_FRAME, &f);
	if (!config_kasan)
		return n;
	for (pfn_t pfn = first; pfn < end; pfn += SHADOWED_FRAMES)
		n += next_range(&boot_ram, pfn, pfn + SHADOWED_FRAMES, &f);
	return n + SHADOW_TABLE_FRAMES;
}

static uint64_t
frames_free(uint32_t s)
{
	pfn_t first = (pfn_t)s * SECTION_FRAMES, end = first + SECTION_FRAMES;
	struct frame_range f;
	uint64_t n = 0;

	for (pfn_t at = MAX(first, boot_frames_cursor()); next_range(&boot_free, at, end, &f); at = f.end)
		n += f.end - f.start;
	return n;
}

/* Free frames between `first` and `end` that boot may have taken some of. */
static uint64_t
frames_between(pfn_t first, pfn_t end)
{
	struct frame_range f;
	uint64_t total = 0;

	for (pfn_t at = first; next_range(&boot_free, at, end, &f); at = f.end)
		total += f.end - f.start;
	return total;
}

/* Is the group from section `s` on all free memory, and none of it online? */
static bool
group_is_whole(uint32_t s)
{
	pfn_t first = (pfn_t)s * SECTION_FRAMES;

	if (s % GROUP_SECTIONS != 0 || boot_frames_cursor() > first)
		return false;
	for (uint32_t i = 0; i < GROUP_SECTIONS; i++)
		if (s + i >= section_count || state_of(s + i) != SECTION_OFFLINE)
			return false;
	return frames_between(first, first + GROUP_FRAMES) == GROUP_FRAMES;
}

/* Give up sections [s, s + count). */
static bool
give_up(uint32_t s, uint32_t count, uint64_t frames)
{
	for (uint32_t i = 0; i < count; i++)
		set_state(s + i, SECTION_DEAD);
	if (frames > 0)
		pr_warn("mm: section %u is too small to use, %lu frames lost\n", s, frames);
	return false;
}

/* Section `s` comes online, and with it its group if that is whole. section_lock held. */
static bool
online_locked(uint32_t s)
{
	bool whole = group_is_whole(s - s % GROUP_SECTIONS);
	uint32_t count = whole ? GROUP_SECTIONS : 1;
	pfn_t first, end, at;
	struct frame_range f;
	uint64_t total;

	assert_held(&section_lock);
	s -= s % count;
	first = (pfn_t)s * SECTION_FRAMES;
	end = first + count * SECTION_FRAMES;
	total = frames_between(first, end);
	if (state_of(s) == SECTION_OFFLINE)
		offline_frames -= MIN(offline_frames, total);
	if (list_is_empty(&spares) && frames_free(s) < frames_needed(s))
		return give_up(s, 1, total);

	carve_next = MAX(first, boot_frames_cursor());
	carve_end = end;
	if (!(whole ? build_full(first) : build_partial(first, end)))
		return give_up(s, count, total);

	/* Between the free ranges all is reserved, and so is what the cursor has passed. */
	for (at = first; next_range(&boot_free, at, end, &f); at = f.end)
		reserve(at, f.start);
	reserve(at, end);
	if (carve_next > first)
		for (at = first; next_range(&boot_free, at, MIN(carve_next, end), &f); at = f.end)
			reserve(f.start, f.end);
	for (uint32_t i = 0; i < count; i++)
		set_state(s + i, SECTION_ONLINE);
	for (at = carve_next; next_range(&boot_free, at, end, &f); at = f.end)
		release(f.start, f.end);
	return true;
}

bool
section_is_online(pfn_t pfn)
{
	uint64_t s = pfn / SECTION_FRAMES;

	return s < section_count && state_of(s) == SECTION_ONLINE;
}

/* Frames for a section that cannot provide its own, taken before the lock. */
static void
borrow_frames(uint32_t s, struct list *out)
{
	uint64_t have = frames_free(s), need = frames_needed(s);

	for (; have < need; have++) {
		struct page *p = page_alloc(0, ALLOC_ZERO | ALLOC_NOWAIT);

		if (!p)
			return;
		list_add(out, &p->node);
	}
}

bool
section_online_for(pfn_t pfn)
{
	uint64_t s = pfn / SECTION_FRAMES;
	struct list borrowed = LIST_INIT(borrowed);
	uint64_t flags;
	bool ok;

	if (s >= section_count)
		return false;
	if (section_is_online(pfn))
		return true;
	borrow_frames((uint32_t)s, &borrowed);
	flags = spin_lock_irq(&section_lock);
	list_splice_tail(&spares, &borrowed);
	ok = state_of(s) == SECTION_ONLINE;
	if (state_of(s) == SECTION_OFFLINE || state_of(s) == SECTION_DEAD)
		ok = online_locked((uint32_t)s);
	list_splice_tail(&borrowed, &spares);
	spin_unlock_irq(&section_lock, flags);
	frames_free_list(&borrowed);
	return ok;
}

bool
section_online_next(void)
{
	bool ok = false;
	uint64_t flags;

	if (atomic_load_relaxed(&offline_frames) == 0)
		return false;
	flags = spin_lock_irq(&section_lock);
	while (!ok && next_offline < section_count) {
		if (state_of(next_offline) == SECTION_OFFLINE)
			ok = online_locked(next_offline);
		next_offline++;
	}
	spin_unlock_irq(&section_lock, flags);
	return ok;
}

uint64_t
section_offline_frames(void)
{
	return atomic_load_relaxed(&offline_frames);
}

uint64_t
section_array_frames(void)
{
	return atomic_load_relaxed(&array_frames);
}

/* Find which sections have memory; frames_init() then brings the first one online. */
void
section_init(void)
{
	struct page *holes;

	boot_ranges_init();
	hole_frame = boot_frame_alloc();
	holes = phys_to_virt(hole_frame);
	for (uint32_t i = 0; i < ENTRIES_PER_FRAME; i++) {
		holes[i].flags = PAGE_RESERVED;
		holes[i].refcount = 1;
	}
	for (uint32_t i = 0; i < boot_ram.count; i++) {
		const struct frame_range *f = &boot_ram.range[i];
		uint64_t last = (f->end - 1) / SECTION_FRAMES;

		for (uint64_t s = f->start / SECTION_FRAMES; s <= last; s++) {
			uint8_t **frame = &states[s / STATES_PER_FRAME];

			if (!*frame)
				*frame = phys_to_virt(boot_frame_alloc());
			set_state(s, SECTION_OFFLINE);
		}
		section_count = MAX(section_count, (uint32_t)last + 1);
	}
	for (uint32_t i = 0; i < boot_free.count; i++)
		offline_frames += boot_free.range[i].end - boot_free.range[i].start;
}

/*
 * The page of a physical address; NULL: device, hole, or memory that is not online (and so cannot
 * be in use).
 */
struct page *
phys_to_page(paddr_t pa)
{
	pfn_t pfn = pa >> PAGE_SHIFT;
	struct frame_range f;

	if (!section_is_online(pfn) || !next_range(&boot_ram, pfn, pfn + 1, &f))
		return NULL;
	return pfn_to_page(pfn);
}

bool
frames_next_online(pfn_t *pfn)
{
	struct frame_range f;

	while (next_range(&boot_ram, *pfn, (pfn_t)section_count * SECTION_FRAMES, &f)) {
		*pfn = f.start;
		if (section_is_online(f.start))
			return true;
		*pfn = ALIGN_DOWN(f.start, SECTION_FRAMES) + SECTION_FRAMES;
	}
	return false;
}
