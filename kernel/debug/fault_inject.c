/* SPDX-License-Identifier: MIT */
/*
 * fault_inject.c - make the Nth allocation fail, and say which places in the kernel were ever refused.
 *
 * Linux's interface (its Documentation/fault-injection): a thread writes N to
 * /proc/thread-self/fail-nth, and the Nth allocation that it makes from then on fails. Reading gives 0
 * when that has happened, else how many are still to come. The write itself counts none, since it sets
 * the number last. Only what the thread itself does in the kernel counts, not interrupts that come
 * meanwhile.
 *
 * Beyond Linux, "N:COUNT" makes the COUNT - 1 behind it fail too, so that what tries again fails again.
 *
 * An allocation is one call of kmalloc() and its kind, slab_alloc(), page_alloc(), frame_alloc(),
 * vmalloc() or kernel_stack_alloc(), waiting or not. What one of these asks another for counts again: a
 * cache that grows wants a page.
 *
 * failalloc=N[:COUNT] does the same to the whole machine: from the moment when the scheduler runs, the
 * Nth allocation by anybody fails, and COUNT - 1 behind it.
 *
 * The table of sites is open addressing by the address that the allocator returns to; entries are
 * taken by compare-and-exchange and stay for ever, so readers need no lock.
 */
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/fault_inject.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#define SITES 2048u /* a power of two, more than the kernel has calls of allocators */

struct site {
	uintptr_t address; /* [a] 0: free; then it stays */
	uint64_t calls;    /* [a] */
	uint64_t failed;   /* [a] */
};

static struct site sites[config_fault_injection ? SITES : 1];
static int64_t boot_left;  /* [a] allocations until failalloc= strikes; 0: never or over */
static int64_t boot_fails; /* [a] how many then fail */

static struct site *
site_find(uintptr_t address)
{
	uint32_t at = (uint32_t)(((address >> 2) * 0x9e3779b97f4a7c15ull) >> 40) % SITES;

	for (uint32_t i = 0; i < SITES; i++, at = (at + 1) % SITES) {
		uintptr_t there = atomic_load_relaxed(&sites[at].address);

		if (there == address)
			return &sites[at];
		if (there == 0 && (atomic_cas(&sites[at].address, &there, address) || there == address))
			return &sites[at];
	}
	return NULL;
}

static bool
boot_strikes(void)
{
	int64_t left;

	if (likely(atomic_load_relaxed(&boot_left) == 0))
		return false;
	left = atomic_sub_fetch(&boot_left, 1);
	if (left > 0)
		return false;
	if (left <= -atomic_load_relaxed(&boot_fails))
		atomic_store(&boot_left, 0);
	else if (left == 0)
		atomic_store(&boot_left, -1); /* 0 would be "over" */
	return true;
}

static bool
thread_strikes(struct thread *t)
{
	if (likely(t->fail_nth == 0)) {
		if (likely(t->fail_more == 0))
			return false;
		t->fail_more--;
		return true;
	}
	return --t->fail_nth == 0;
}

bool
fault_inject_count(const void *address)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;
	struct site *s;
	bool strike;

	if (c->irq_depth > 0 || !t)
		return false;
	strike = boot_strikes() || thread_strikes(t);
	s = site_find((uintptr_t)address);
	if (s) {
		atomic_add_relaxed(&s->calls, 1);
		if (strike)
			atomic_add_relaxed(&s->failed, 1);
	}
	return strike;
}

void
fault_inject_boot(void)
{
	char value[48];
	const char *end;
	uint64_t n, count = 1;

	if (!config_fault_injection || !boot_argument("failalloc", value, sizeof(value)))
		return;
	if (parse_u64(value, &end, 10, &n) ||
	    (*end == ':' && parse_u64(end + 1, &end, 10, &count)) || *end || !n || !count) {
		pr_warn("failalloc=%s: not N or N:COUNT\n", value);
		return;
	}
	pr_info("failalloc: allocation %lu from here fails, %lu in all\n", n, count);
	atomic_store(&boot_fails, (int64_t)count);
	atomic_store(&boot_left, (int64_t)n);
}

void
fault_inject_for_each_site(void (*fn)(void *ctx, vaddr_t site, uint64_t calls, uint64_t failed),
			   void *ctx)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(sites); i++)
		if (atomic_load(&sites[i].address))
			fn(ctx, sites[i].address, atomic_load_relaxed(&sites[i].calls),
			   atomic_load_relaxed(&sites[i].failed));
}
