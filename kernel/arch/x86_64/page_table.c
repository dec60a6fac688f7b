/* SPDX-License-Identifier: MIT */
/*
 * page_table.c - four-level page tables, edited in place.
 *
 * Level 3 is the root (512 GiB per entry), 2 (1 GiB), 1 (2 MiB: a table or a huge leaf), 0 (4 KiB
 * leaves). An entry is one of
 *
 *   0                               nothing
 *   PRESENT, not LARGE, level > 0   a table
 *   PRESENT, level 0 or LARGE       a leaf
 *   not PRESENT, SOFT_NONE          a leaf without any access (PROT_NONE): its frame is remembered
 *
 * Locks: mm/ holds the address space's page_table_lock (or the kernel region lock) over each call, so
 * there is one editor. The other party is the hardware of every CPU that has the tables loaded: it reads
 * at any time and sets accessed and dirty bits by atomic operations of its own. Hence every change of
 * an entry that was present is an exchange or a compare-and-exchange, and no bit it set is lost; and a
 * table is never freed while a CPU may have it in its paging-structure cache: prune only detaches.
 *
 * Counts: the `private` word of a table's struct page holds how many of its entries are in use, so
 * emptiness is one comparison. The root needs no such count; its word holds the number of table frames
 * of the whole address space instead.
 *
 * The kernel half is shared: all 256 upper root entries are made at boot, and every root copies them.
 * Tables below them come partly from before the frame allocator, so they are neither counted nor freed.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "msr.h"

#define ENTRIES   512
#define ROOT      3
#define USER_HALF 256 /* root entries */

#define SOFT_DEVICE BIT(9)
#define SOFT_NONE   BIT(10)

#define TABLE_BITS (X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_ACCESSED)
#define PKEY_SHIFT 59
#define PKEY_MASK  (0xfull << PKEY_SHIFT)

struct page_table kernel_page_table;

static inline unsigned int
level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * level;
}

static inline uint64_t
level_span(unsigned int level)
{
	return 1ull << level_shift(level);
}

static inline unsigned int
index_at(vaddr_t va, unsigned int level)
{
	return va >> level_shift(level) & (ENTRIES - 1);
}

static inline uint64_t *
table_of(uint64_t entry)
{
	return phys_to_virt(entry & X86_PTE_FRAME);
}

static inline bool
is_user(vaddr_t va)
{
	return va < BIT(47);
}

static inline bool
is_leaf(uint64_t entry, unsigned int level)
{
	return entry && (level == 0 || (entry & X86_PTE_LARGE));
}

static inline bool
is_table(uint64_t entry, unsigned int level)
{
	return level > 0 && (entry & (X86_PTE_PRESENT | X86_PTE_LARGE)) == X86_PTE_PRESENT;
}

/* Entries in use in the table that `entry` lies in. User half only. */
static inline uint64_t *
use_count(uint64_t *entry)
{
	return &virt_to_page(entry)->private;
}

static inline uint64_t *
frame_count(struct page_table *pt)
{
	return &pfn_to_page(pt->root >> PAGE_SHIFT)->private;
}

/* An entry of a table at `level` came into use, or went out of it. */
static inline void
count_entry(uint64_t *entry, unsigned int level, vaddr_t va, int change)
{
	if (level < ROOT && is_user(va))
		*use_count(entry) += (uint64_t)(int64_t)change;
}

/* The bits that mean the same in an entry and in a protection. */
#define SAME_BITS                                                                                           \
	(PTE_WRITE | PTE_USER | PTE_WCOMBINE | PTE_UNCACHED | PTE_ACCESSED | PTE_DIRTY | PTE_HUGE | PTE_GLOBAL | \
	 PTE_DEVICE)
_Static_assert(PTE_WRITE == X86_PTE_WRITE && PTE_USER == X86_PTE_USER && PTE_WCOMBINE == X86_PTE_PWT &&
	       PTE_UNCACHED == X86_PTE_PCD && PTE_ACCESSED == X86_PTE_ACCESSED && PTE_DIRTY == X86_PTE_DIRTY &&
	       PTE_HUGE == X86_PTE_LARGE && PTE_GLOBAL == X86_PTE_GLOBAL && PTE_DEVICE == SOFT_DEVICE,
	       "an entry's bits and a protection's");

static uint64_t
leaf_make(paddr_t pa, unsigned int prot)
{
	uint64_t e = (pa & X86_PTE_FRAME) | (prot & SAME_BITS);

	e |= prot & (PTE_READ | PTE_WRITE | PTE_EXEC) ? X86_PTE_PRESENT : SOFT_NONE;
	e |= prot & PTE_EXEC ? 0 : X86_PTE_NX;
	e |= prot & PTE_UNCACHED ? X86_PTE_PWT : 0; /* uncached is both */
	e |= (uint64_t)(prot >> PTE_PKEY_SHIFT & 0xf) << PKEY_SHIFT;
	return e;
}

static unsigned int
leaf_prot(uint64_t e)
{
	unsigned int prot = (unsigned int)e & (SAME_BITS & ~PTE_WRITE);

	if (likely(e & X86_PTE_PRESENT)) {
		prot |= PTE_READ | ((unsigned int)e & PTE_WRITE);
		prot |= e & X86_PTE_NX ? 0 : PTE_EXEC;
	}
	if (unlikely(prot & PTE_UNCACHED))
		prot &= ~PTE_WCOMBINE;
	prot |= (unsigned int)((e & PKEY_MASK) >> PKEY_SHIFT) << PTE_PKEY_SHIFT;
	return prot;
}

/*
 * The frame that `va` falls in: a 4 KiB one, or the 2 MiB one inside a large leaf of either size, whose
 * PAT bit is never set.
 */
static paddr_t
leaf_frame(uint64_t e, unsigned int level, vaddr_t va)
{
	paddr_t pa = e & X86_PTE_FRAME;

	if (level == 2)
		pa += va & (level_span(2) - 1) & ~(HUGE_PAGE_SIZE - 1);
	return pa;
}

/* The entry of `va` at exactly `level`, NULL when a table above it is missing or is a larger leaf. */
static uint64_t *
entry_at(struct page_table *pt, vaddr_t va, unsigned int level)
{
	uint64_t *e = (uint64_t *)phys_to_virt(pt->root) + index_at(va, ROOT);

	for (unsigned int l = ROOT; l > level; l--) {
		uint64_t v = READ_ONCE(*e);

		if (!is_table(v, l))
			return NULL;
		e = table_of(v) + index_at(va, l - 1);
	}
	return e;
}

/* The leaf that translates `va` and its level, NULL when there is none. */
static uint64_t *
find_leaf(struct page_table *pt, vaddr_t va, unsigned int *level)
{
	uint64_t *e = (uint64_t *)phys_to_virt(pt->root) + index_at(va, ROOT);

	for (unsigned int l = ROOT;; l--) {
		uint64_t v = READ_ONCE(*e);

		if (is_leaf(v, l)) {
			*level = l;
			return e;
		}
		if (!is_table(v, l))
			return NULL;
		e = table_of(v) + index_at(va, l - 1);
	}
}

int
arch_page_table_init(struct page_table *pt)
{
	uint64_t *root, *kernel = phys_to_virt(kernel_page_table.root);

	pt->root = frame_alloc(ALLOC_ZERO);
	if (!pt->root)
		return -ENOMEM;
	root = phys_to_virt(pt->root);
	memcpy(root + USER_HALF, kernel + USER_HALF, (ENTRIES - USER_HALF) * sizeof(*root));
	*frame_count(pt) = 1;
	return 0;
}

/*
 * Free the tables below `table`, whose entries are of `level`, and then nothing of `table` itself. `used`: how
 * many of its entries are; they are few and far between.
 */
static void
free_tables(uint64_t *table, unsigned int level, unsigned int entries, uint64_t used)
{
	for (unsigned int i = 0; i < entries && used > 0; i++) {
		struct page *p;

		while (i % 8 == 0 && i < entries &&
		       !(table[i] | table[i + 1] | table[i + 2] | table[i + 3] | table[i + 4] | table[i + 5] |
			 table[i + 6] | table[i + 7]))
			i += 8;
		if (i >= entries)
			break;
		used -= table[i] != 0;
		if (!is_table(table[i], level))
			continue;
		p = pfn_to_page((table[i] & X86_PTE_FRAME) >> PAGE_SHIFT);
		if (level > 1)
			free_tables(table_of(table[i]), level - 1, ENTRIES, p->private);
		p->private = 0;
		frame_free(table[i] & X86_PTE_FRAME);
	}
}

void
arch_page_table_destroy(struct page_table *pt)
{
	free_tables(phys_to_virt(pt->root), ROOT, USER_HALF, USER_HALF);
	*frame_count(pt) = 0;
	frame_free(pt->root);
	pt->root = 0;
}

int
arch_page_table_prepare(struct page_table *pt, vaddr_t va, bool huge)
{
	unsigned int level = huge ? 1 : 0;
	uint64_t *e = (uint64_t *)phys_to_virt(pt->root) + index_at(va, ROOT);

	for (unsigned int l = ROOT; l > level; l--) {
		uint64_t v = READ_ONCE(*e);

		if (is_leaf(v, l))
			return -EBUSY;
		if (!v) {
			paddr_t frame = frame_alloc(ALLOC_ZERO | ALLOC_NOWAIT);

			if (!frame)
				return -ENOMEM;
			if (is_user(va)) {
				pfn_to_page(frame >> PAGE_SHIFT)->private = 0;
				(*frame_count(pt))++;
			}
			count_entry(e, l, va, 1);
			v = frame | TABLE_BITS | (is_user(va) ? X86_PTE_USER : 0);
			/* After the zeroes of the table, for walkers on other CPUs. */
			atomic_store_release(e, v);
		}
		e = table_of(v) + index_at(va, l - 1);
	}
	return huge && is_table(READ_ONCE(*e), level) ? -EBUSY : 0;
}

int
arch_page_table_map(struct page_table *pt, vaddr_t va, paddr_t pa, unsigned int prot)
{
	unsigned int level = prot & PTE_HUGE ? 1 : 0;
	uint64_t *e = entry_at(pt, va, level);

	if (!e)
		return -ENOMEM;
	if (*e)
		panic("page table: %#lx is mapped twice (entry %#lx, new frame %#lx)", va, *e, pa);
	count_entry(e, level, va, 1);
	atomic_store_release(e, leaf_make(pa, prot));
	return 0;
}

bool
arch_page_table_lookup(struct page_table *pt, vaddr_t va, paddr_t *pa, unsigned int *prot)
{
	unsigned int level;
	uint64_t *e = find_leaf(pt, va, &level), v;

	if (!e)
		return false;
	v = READ_ONCE(*e);
	*pa = leaf_frame(v, level, va);
	*prot = leaf_prot(v);
	return true;
}

bool
arch_page_table_unmap(struct page_table *pt, vaddr_t va, paddr_t *pa, unsigned int *prot)
{
	unsigned int level;
	uint64_t *e = find_leaf(pt, va, &level), v;

	if (!e || level > 1)
		return false;
	v = atomic_exchange(e, 0);
	count_entry(e, level, va, -1);
	*pa = leaf_frame(v, level, va);
	*prot = leaf_prot(v);
	return true;
}

/*
 * True when a TLB that still holds `old` would allow what `new` does not, or reach memory otherwise. No TLB holds
 * what was never used (tlb.h).
 */
static bool
needs_flush(uint64_t old, uint64_t new)
{
	uint64_t lost = old & ~new & (X86_PTE_PRESENT | X86_PTE_WRITE | X86_PTE_USER);
	uint64_t attributes = X86_PTE_PWT | X86_PTE_PCD | X86_PTE_GLOBAL | PKEY_MASK;

	if (!(old & X86_PTE_PRESENT) || ((old & X86_PTE_USER) && !(old & X86_PTE_ACCESSED)))
		return false;
	return lost || (~old & new & X86_PTE_NX) || ((old ^ new) & attributes);
}

bool
arch_page_table_protect(struct page_table *pt, vaddr_t va, unsigned int prot)
{
	uint64_t keep = X86_PTE_FRAME | X86_PTE_ACCESSED | X86_PTE_DIRTY | SOFT_DEVICE;
	unsigned int level;
	uint64_t *e = find_leaf(pt, va, &level), old, new;

	if (!e || level > 1)
		return false;
	prot = level > 0 ? prot | PTE_HUGE : prot & ~PTE_HUGE;
	old = READ_ONCE(*e);
	do
		new = (old & keep) | leaf_make(0, prot);
	while (!atomic_cas(e, &old, new));
	return needs_flush(old, new);
}

unsigned int
arch_page_table_harvest(struct page_table *pt, vaddr_t va, unsigned int bits)
{
	uint64_t clear = (bits & PTE_DIRTY ? X86_PTE_DIRTY : 0) |
			 (bits & PTE_ACCESSED ? X86_PTE_ACCESSED : 0);
	unsigned int level;
	uint64_t *e = find_leaf(pt, va, &level), old;

	if (!e)
		return 0;
	old = READ_ONCE(*e);
	if (old & clear)
		old = __atomic_fetch_and(e, ~clear, __ATOMIC_SEQ_CST);
	return leaf_prot(old) & bits & (PTE_DIRTY | PTE_ACCESSED);
}

int
arch_page_table_split(struct page_table *pt, vaddr_t va)
{
	uint64_t *e = entry_at(pt, va, 1), *small, old;
	paddr_t frame;

	if (!e || !is_leaf(READ_ONCE(*e), 1))
		return 0;
	frame = frame_alloc(ALLOC_NOWAIT);
	if (!frame)
		return -ENOMEM;
	small = phys_to_virt(frame);
	old = READ_ONCE(*e);
	do {
		/* Again when the hardware set a bit meanwhile. */
		for (unsigned int i = 0; i < ENTRIES; i++)
			small[i] = (old & ~X86_PTE_LARGE) + i * PAGE_SIZE;
	} while (!atomic_cas(e, &old, frame | TABLE_BITS | (is_user(va) ? X86_PTE_USER : 0)));
	if (is_user(va)) {
		pfn_to_page(frame >> PAGE_SHIFT)->private = ENTRIES;
		(*frame_count(pt))++;
	}
	return 0;
}

vaddr_t
arch_page_table_next(struct page_table *pt, vaddr_t va, vaddr_t end)
{
	while (va < end) {
		uint64_t *e = (uint64_t *)phys_to_virt(pt->root) + index_at(va, ROOT);
		unsigned int level = ROOT;
		vaddr_t after;

		while (is_table(READ_ONCE(*e), level)) {
			uint64_t *table = table_of(READ_ONCE(*e));

			if (is_user(va) && *use_count(table) == 0)
				break;
			level--;
			e = table + index_at(va, level);
		}
		if (is_leaf(READ_ONCE(*e), level))
			return va;
		/* Nothing in this entry; at the lowest level look along the table first. */
		after = (va & ~(level_span(level) - 1)) + level_span(level);
		while (level == 0 && after < end && index_at(after, 0) != 0) {
			if (*++e)
				return after;
			after += PAGE_SIZE;
		}
		if (after < va)
			break; /* past the end of the address space */
		va = after;
	}
	return end;
}

/* What prune_table works on: leaves went from [start, end); nothing is mapped in [floor, ceiling). */
struct prune {
	struct page_table *pt;
	vaddr_t start, end, floor, ceiling;
	struct page *chain;
};

/* As arch_page_table_prune, for one table of entries of `level`, the first of which maps `base`. */
static void
prune_table(struct prune *w, uint64_t *table, unsigned int level, vaddr_t base)
{
	uint64_t span = level_span(level);
	unsigned int first = w->start > base ? (unsigned int)((w->start - base) >> level_shift(level)) : 0;

	for (unsigned int i = first; i < ENTRIES && base + i * span < w->end; i++) {
		vaddr_t low = base + i * span;
		struct page *p;
		uint64_t v = READ_ONCE(table[i]);

		if (!is_table(v, level))
			continue;
		if (level > 1)
			prune_table(w, table_of(v), level - 1, low);
		p = pfn_to_page((v & X86_PTE_FRAME) >> PAGE_SHIFT);
		if (low < w->floor || low + span > w->ceiling || p->private != 0)
			continue;
		atomic_store(&table[i], 0);
		count_entry(&table[i], level, low, -1);
		(*frame_count(w->pt))--;
		p->private = (uint64_t)w->chain;
		w->chain = p;
	}
}

struct page *
arch_page_table_prune(struct page_table *pt, vaddr_t start, vaddr_t end, vaddr_t floor,
		      vaddr_t ceiling)
{
	struct prune w = {
		.pt = pt, .start = start, .end = MIN(end, BIT(47)), .floor = floor,
		.ceiling = ceiling,
	};

	if (is_user(start))
		prune_table(&w, phys_to_virt(pt->root), ROOT, 0);
	return w.chain;
}

void
arch_page_table_release(struct page *chain)
{
	while (chain) {
		struct page *p = chain;

		chain = (struct page *)p->private;
		p->private = 0;
		frame_free(page_to_phys(p));
	}
}

/* --- many leaves at a time: one walk from the root for each bottom table ----------------------- */

int
arch_page_table_install(struct page_table *pt, vaddr_t va, paddr_t pa, unsigned int prot)
{
	unsigned int level = prot & PTE_HUGE ? 1 : 0;
	uint64_t *e = entry_at(pt, va, level);

	if (!e) {
		int error = arch_page_table_prepare(pt, va, level > 0);

		if (error)
			return error == -EBUSY ? -EEXIST : error;
		e = entry_at(pt, va, level);
	}
	if (*e)
		return -EEXIST;
	count_entry(e, level, va, 1);
	atomic_store_release(e, leaf_make(pa, prot));
	return 0;
}

/*
 * The bottom entry of the next leaf at or after *va, and in *stop where its table or `end` ends. NULL with
 * *va < end: a large leaf lies there; with *va >= end: nothing is left.
 */
static uint64_t *
next_run(struct page_table *pt, vaddr_t *va, vaddr_t end, vaddr_t *stop)
{
	*va = arch_page_table_next(pt, *va, end);
	if (*va >= end)
		return NULL;
	*stop = MIN(end, (*va & ~(HUGE_PAGE_SIZE - 1)) + HUGE_PAGE_SIZE);
	return entry_at(pt, *va, 0);
}

unsigned int
arch_page_table_take(struct page_table *pt, vaddr_t *va, vaddr_t end, struct page_table_leaf *out,
		     unsigned int max)
{
	unsigned int n = 0;
	vaddr_t stop;

	while (n < max) {
		uint64_t *e = next_run(pt, va, end, &stop), *count;
		unsigned int before = n;

		if (!e) {
			if (*va >= end ||
			    !arch_page_table_unmap(pt, *va, &out[n].pa, &out[n].prot))
				break;
			out[n++].va = *va;
			*va += HUGE_PAGE_SIZE;
			continue;
		}
		count = use_count(e);
		for (; *va < stop && n < max; *va += PAGE_SIZE, e++) {
			uint64_t v;

			if (!READ_ONCE(*e))
				continue;
			v = atomic_exchange(e, 0);
			out[n++] = (struct page_table_leaf){ *va, v & X86_PTE_FRAME,
							     leaf_prot(v) };
		}
		*count -= n - before;
	}
	return n;
}

unsigned int
arch_page_table_share(struct page_table *pt, vaddr_t *va, vaddr_t end, struct page_table_leaf *out,
		      unsigned int max, bool forget)
{
	uint64_t keep = ~(uint64_t)(forget ? X86_PTE_WRITE | X86_PTE_ACCESSED : X86_PTE_WRITE);
	unsigned int n = 0;
	vaddr_t stop;

	while (n < max) {
		uint64_t *e = next_run(pt, va, end, &stop);

		if (!e) {
			if (*va >= end ||
			    !arch_page_table_lookup(pt, *va, &out[n].pa, &out[n].prot))
				break;
			arch_page_table_protect(pt, *va, out[n].prot & ~PTE_WRITE);
			out[n++].va = *va;
			*va += HUGE_PAGE_SIZE;
			continue;
		}
		for (; *va < stop && n < max; *va += PAGE_SIZE, e++) {
			uint64_t v = READ_ONCE(*e);

			if (!v)
				continue;
			if (v & X86_PTE_WRITE)
				v = __atomic_fetch_and(e, keep, __ATOMIC_SEQ_CST);
			out[n++] = (struct page_table_leaf){ *va, v & X86_PTE_FRAME,
							     leaf_prot(v) };
		}
	}
	return n;
}

unsigned int
arch_page_table_put(struct page_table *pt, const struct page_table_leaf *in, unsigned int n,
		    unsigned int without)
{
	vaddr_t run = UINT64_MAX;
	uint64_t *table = NULL;
	unsigned int i;

	for (i = 0; i < n; i++) {
		vaddr_t va = in[i].va;
		unsigned int prot = in[i].prot & ~without;
		uint64_t *e;

		if (prot & PTE_HUGE) {
			if (arch_page_table_install(pt, va, in[i].pa, prot) != 0)
				break;
			continue;
		}
		if ((va & ~(HUGE_PAGE_SIZE - 1)) != run) {
			if (arch_page_table_prepare(pt, va, false) != 0)
				break;
			run = va & ~(HUGE_PAGE_SIZE - 1);
			table = entry_at(pt, run, 0);
		}
		e = table + index_at(va, 0);
		if (*e)
			panic("page table: %#lx is mapped twice (entry %#lx)", va, *e);
		count_entry(e, 0, va, 1);
		atomic_store_release(e, leaf_make(in[i].pa, prot));
	}
	return i;
}

uint64_t
arch_page_table_fill(struct page_table *pt, vaddr_t va, struct page *const *pages, unsigned int n,
		     unsigned int prot)
{
	uint64_t *e = entry_at(pt, va, 0), leaf = leaf_make(0, prot), mapped = 0;
	int count = 0;

	if (!e)
		return 0;
	for (unsigned int i = 0; i < n; i++) {
		if (!pages[i] || e[i])
			continue;
		atomic_store_release(&e[i], leaf | page_to_phys(pages[i]));
		mapped |= BIT(i);
		count++;
	}
	count_entry(e, 0, va, count);
	return mapped;
}

uint64_t
arch_page_table_frames(struct page_table *pt)
{
	return pt->root == kernel_page_table.root ? 0 : *frame_count(pt);
}

/* --- for the curious -------------------------------------------------------------------------- */

/* The table's entry for `va`, or false when memory ends there: tables may be corrupt. */
static bool
probe_entry(paddr_t table, unsigned int level, vaddr_t va, uint64_t *entry)
{
	const uint64_t *at = phys_to_virt(table);

	return arch_probe_read(entry, &at[index_at(va, level)], sizeof(*entry));
}

void
arch_page_table_dump(struct page_table *pt, vaddr_t va)
{
	static const char *const names[] = { "PTE", "PMD", "PUD", "PGD" };
	paddr_t table = pt->root;

	for (unsigned int level = ROOT;; level--) {
		uint64_t e;

		if (!probe_entry(table, level, va, &e)) {
			pr_info("%s: the table at %#lx cannot be read\n", names[level], table);
			return;
		}
		pr_info("%s %#lx[%u] = %016lx%s%s%s%s%s%s%s%s\n", names[level], table, index_at(va, level),
			e, e & X86_PTE_PRESENT ? " present" : e ? " not-present" : " empty",
			e & X86_PTE_WRITE ? " write" : "", e & X86_PTE_USER ? " user" : "",
			e & X86_PTE_NX ? " no-exec" : "", e & X86_PTE_ACCESSED ? " accessed" : "",
			e & X86_PTE_DIRTY ? " dirty" : "",
			level && (e & X86_PTE_LARGE) ? " large" : "", e & SOFT_DEVICE ? " uncounted" : "");
		if (is_leaf(e, level)) {
			paddr_t offset = va & (level_span(level) - 1);

			pr_info("%#lx -> physical %#lx\n", va,
				(paddr_t)(e & X86_PTE_FRAME & ~(level_span(level) - 1)) + offset);
			return;
		}
		if (!is_table(e, level))
			return;
		table = e & X86_PTE_FRAME;
	}
}
