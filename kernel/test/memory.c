/* SPDX-License-Identifier: MIT */
/*
 * memory.c - in-kernel tests of frames, slab, regions and the radix tree, from all CPUs at once.
 */
#include <tessera/atomic.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/page.h>
#include <tessera/print.h>
#include <tessera/radix.h>
#include <tessera/rbtree.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/time.h>

/* A cheap sequence that differs for each member. */
static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

#define FRAMES 64

static void
frames_member(void *arg, uint32_t index)
{
	struct page *held[FRAMES] = { NULL };
	uint8_t order[FRAMES] = { 0 };
	uint32_t random = index * 77 + 1;

	for (uint32_t i = 0; i < 4000; i++) {
		uint32_t slot = next_random(&random) % FRAMES;
		uint64_t *words;

		if (held[slot]) {
			words = page_to_virt(held[slot]);
			if (words[0] != ((uint64_t)index << 32 | slot))
				ktest_fail(__FILE__, __LINE__, "a frame was given to two");
			page_free(held[slot], order[slot]);
			held[slot] = NULL;
			continue;
		}
		order[slot] = next_random(&random) % 16 ? 0 : next_random(&random) % 4;
		held[slot] = page_alloc(order[slot], i % 2 ? ALLOC_ZERO : 0);
		if (!held[slot]) {
			ktest_fail(__FILE__, __LINE__, "no frame of order %u", order[slot]);
			break;
		}
		words = page_to_virt(held[slot]);
		if (!IS_ALIGNED((uint64_t)words, PAGE_SIZE << order[slot]) || (i % 2 && words[511]))
			ktest_fail(__FILE__, __LINE__, "a frame is not aligned, or not clear");
		words[0] = (uint64_t)index << 32 | slot;
	}
	for (uint32_t slot = 0; slot < FRAMES; slot++)
		if (held[slot])
			page_free(held[slot], order[slot]);
}

KTEST(frames_are_given_once)
{
	ktest_parallel(cpu_count + 1, frames_member, NULL);
}

/* PAGE_FREE belongs to the zone's lock: with it a buddy being freed on another CPU would merge the frame. */
KTEST(frames_on_a_stack_are_no_zones)
{
	uint64_t irq = arch_irq_save();
	struct page *p = page_alloc(0, ALLOC_NOWAIT);
	uint32_t flags = 0;

	if (p) {
		page_free(p, 0);
		flags = p->flags;
	}
	arch_irq_restore(irq);
	if (!p)
		ktest_fail(__FILE__, __LINE__, "no frame");
	else if (flags != PAGE_STACKED)
		ktest_fail(__FILE__, __LINE__, "a frame on a CPU's stack has flags %#x", flags);
}

#define OBJECTS 200

static void
slab_member(void *arg, uint32_t index)
{
	static const size_t sizes[] = { 16, 24, 60, 100, 200, 500, 1000, 3000, 9000 };
	uint8_t *held[OBJECTS] = { NULL };
	size_t size[OBJECTS] = { 0 };
	uint32_t random = index * 31 + 7;

	for (uint32_t i = 0; i < 5000; i++) {
		uint32_t slot = next_random(&random) % OBJECTS;
		uint8_t mark = (uint8_t)(index * 37 + slot);

		if (held[slot]) {
			if (held[slot][0] != mark || held[slot][size[slot] - 1] != mark)
				ktest_fail(__FILE__, __LINE__, "an object was given to two");
			kfree(held[slot]);
			held[slot] = NULL;
			continue;
		}
		size[slot] = sizes[next_random(&random) % ARRAY_SIZE(sizes)];
		held[slot] = kmalloc(size[slot], 0);
		if (!held[slot]) {
			ktest_fail(__FILE__, __LINE__, "no memory for %lu bytes", size[slot]);
			break;
		}
		memset(held[slot], mark, size[slot]);
	}
	for (uint32_t slot = 0; slot < OBJECTS; slot++)
		kfree(held[slot]);
}

KTEST(slab_objects_are_given_once)
{
	ktest_parallel(cpu_count, slab_member, NULL);
}

/* Freed on another CPU than allocated: the magazines must pass them on. */
struct handover {
	void *slot[64]; /* [a] */
	uint32_t left;  /* [a] */
};

static void
handover_member(void *arg, uint32_t index)
{
	struct handover *h = arg;
	uint32_t random = index + 1;

	for (uint32_t i = 0; i < 3000; i++) {
		uint32_t *p = kmalloc(128, 0);
		void *old;

		if (!p) {
			ktest_fail(__FILE__, __LINE__, "no memory");
			return;
		}
		*p = 0xfeedface;
		old = atomic_exchange(&h->slot[next_random(&random) % 64], (void *)p);
		if (old && *(uint32_t *)old != 0xfeedface)
			ktest_fail(__FILE__, __LINE__, "an object changed hands twice");
		if (old)
			*(uint32_t *)old = 0;
		kfree(old);
	}
}

KTEST(slab_frees_what_others_allocated)
{
	static struct handover h;

	ktest_parallel(cpu_count + 1, handover_member, &h);
	for (uint32_t i = 0; i < 64; i++) {
		kfree(h.slot[i]);
		h.slot[i] = NULL;
	}
}

static void
region_member(void *arg, uint32_t index)
{
	uint32_t random = index + 5;

	for (uint32_t i = 0; i < 40; i++) {
		size_t size = (1 + next_random(&random) % 20) * PAGE_SIZE - 100;
		uint8_t *p = vmalloc(size);
		void *stack = kernel_stack_alloc();

		if (!p || !stack) {
			ktest_fail(__FILE__, __LINE__, "no region");
			vfree(p);
			return;
		}
		for (size_t at = 0; at < size; at += 512)
			if (p[at])
				ktest_fail(__FILE__, __LINE__, "vmalloc memory is not clear");
		memset(p, (int)index + 1, size);
		memset(stack, 0x55, KERNEL_STACK_SIZE);
		for (size_t at = 0; at < size; at += 512)
			if (p[at] != (uint8_t)(index + 1))
				ktest_fail(__FILE__, __LINE__, "a region was given to two");
		kernel_stack_free(stack);
		vfree(p);
	}
}

KTEST(regions_are_given_once)
{
	ktest_parallel(MIN(cpu_count, 8u), region_member, NULL);
}

KTEST(radix_finds_what_was_stored)
{
	static const uint64_t keys[] = { 0, 1, 63, 64, 65, 4095, 4096, 1ull << 20, 1ull << 40, UINT64_MAX };
	struct radix_tree t;
	uint64_t at = 0, free;
	void *old, *run[8];

	radix_init(&t);
	for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++)
		kcheck_equal(radix_set(&t, keys[i], (void *)(keys + i), &old), 0);
	kcheck_equal(t.count, ARRAY_SIZE(keys));
	for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++) {
		kcheck(radix_get(&t, keys[i]) == keys + i);
		kcheck(radix_next(&t, &at) == keys + i);
		kcheck_equal(at, keys[i]);
		at++;
	}
	kcheck(!radix_get(&t, 2));
	radix_get_run(&t, 60, run, ARRAY_SIZE(run)); /* over the edge of a node */
	for (uint64_t i = 0; i < ARRAY_SIZE(run); i++)
		kcheck(run[i] == radix_get(&t, 60 + i));
	radix_get_run(&t, 1ull << 30, run, ARRAY_SIZE(run)); /* where there is no node */
	for (uint32_t i = 0; i < ARRAY_SIZE(run); i++)
		kcheck(!run[i]);
	kcheck(radix_find_free(&t, 63, 100, &free));
	kcheck_equal(free, 66);
	for (uint32_t i = 0; i < ARRAY_SIZE(keys); i++)
		kcheck(radix_remove(&t, keys[i]) == keys + i);
	kcheck_equal(t.count, 0);
	radix_destroy(&t);
}

/*
 * Memory that 32 bits do not reach is as good as the other. Blocks are taken, untouched, until one lies
 * there; a machine without such memory says so.
 */
KTEST(frames_above_4_gib_keep_their_contents)
{
	const uint64_t words = (PAGE_SIZE << MAX_ORDER) / sizeof(uint64_t), step = PAGE_SIZE / sizeof(uint64_t);
	struct list taken = LIST_INIT(taken);
	uint32_t high = 0;
	bool right = true;
	struct page *p;

	while (high < 4 && (p = page_alloc(MAX_ORDER, ALLOC_NOWAIT)) != NULL) {
		list_add(&taken, &p->node);
		high += page_to_phys(p) >= BIT(32);
	}
	if (high == 0)
		pr_info("ktest: no memory above 4 GiB here\n");
	list_for_each(p, &taken, node) {
		uint64_t *w = page_to_virt(p);

		for (uint64_t i = 0; page_to_phys(p) >= BIT(32) && i < words; i += step)
			w[i] = page_to_phys(p) + i;
	}
	while (!list_is_empty(&taken)) {
		uint64_t *w;

		p = list_first(&taken, struct page, node);
		list_del(&p->node);
		w = page_to_virt(p);
		for (uint64_t i = 0; page_to_phys(p) >= BIT(32) && i < words; i += step)
			right = right && w[i] == page_to_phys(p) + i;
		page_free(p, MAX_ORDER);
	}
	kcheck(right);
	if (high > 0)
		pr_info("ktest: memory above 4 GiB keeps what it is given\n");
}
