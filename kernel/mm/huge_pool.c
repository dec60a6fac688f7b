/* SPDX-License-Identifier: MIT */
/*
 * huge_pool.c - the pool of huge pages behind MAP_HUGETLB: vm.nr_hugepages.
 *
 * The pool owns 2 MiB blocks that nothing else can use. A MAP_HUGETLB mapping takes what it needs
 * when it is made, so that a later fault cannot fail for lack of memory; when the last reference to
 * such a page goes, page_free() gives it back here. Pages above the target (the pool was made
 * smaller while they were in use) go to the frame allocator then.
 *
 *   allocator --set--> FREE --take--> in use --page_free--> FREE or allocator
 *
 * A private mapping holds its pages by its leaves, like other anonymous memory. A shared one has a
 * memory object whose pages are indexed in units of 2 MiB. Either way all edges are aligned to 2
 * MiB: the leaves are never split.
 */
#include <tessera/errno.h>
#include <tessera/string.h>

#include "huge_pool.h"
#include "mm.h"
#include "page_cache.h"

static struct spinlock pool_lock = SPINLOCK_INIT(LEAF);
static struct list free_pages = LIST_INIT(free_pages); /* pool_lock: struct page.node */
static struct huge_pool_stats pool;                    /* pool_lock, read freely */

const struct memory_object_ops huge_object_ops = {
	.name = "hugetlb",
};

void
huge_pool_stats(struct huge_pool_stats *out)
{
	*out = pool;
}

/* One more page for the pool, or one surplus page less. False: it cannot be. */
static bool
grow(void)
{
	struct page *p = page_alloc(HUGE_PAGE_ORDER, 0);
	uint64_t irq;

	if (!p)
		return false;
	page_make_compound(p);
	p->flags |= PAGE_HUGETLB;
	irq = spin_lock_irq(&pool_lock);
	p->refcount = 0;
	list_add(&free_pages, &p->node);
	pool.total++;
	pool.free++;
	spin_unlock_irq(&pool_lock, irq);
	return true;
}

static bool
shrink(void)
{
	struct page *p = NULL;
	uint64_t irq = spin_lock_irq(&pool_lock);

	if (!list_is_empty(&free_pages)) {
		p = list_first(&free_pages, struct page, node);
		list_del(&p->node);
		pool.total--;
		pool.free--;
		p->flags &= ~(uint32_t)PAGE_HUGETLB;
	}
	spin_unlock_irq(&pool_lock, irq);
	if (p)
		page_free(p, HUGE_PAGE_ORDER);
	return p != NULL;
}

/* vm.nr_hugepages: as near to `pages` as memory and use allow. May sleep. */
void
huge_pool_set(uint64_t pages)
{
	WRITE_ONCE(pool.target, pages);
	while (READ_ONCE(pool.total) < pages && grow())
		;
	while (READ_ONCE(pool.total) > pages && shrink())
		;
}

/* page_free() of a pool page. True: the pool keeps it. */
bool
huge_pool_take_back(struct page *p)
{
	uint64_t irq = spin_lock_irq(&pool_lock);
	bool keep = pool.total <= pool.target;

	if (keep) {
		p->flags = PAGE_HEAD | PAGE_HUGETLB;
		p->object = NULL;
		list_add(&free_pages, &p->node);
		pool.free++;
	} else {
		pool.total--;
		p->flags &= ~(uint32_t)PAGE_HUGETLB;
	}
	spin_unlock_irq(&pool_lock, irq);
	return keep;
}

/* A page of the pool, reference 1, cleared when `zero`. NULL: the pool is empty. */
struct page *
huge_pool_take(bool zero)
{
	struct page *p = NULL;
	uint64_t irq = spin_lock_irq(&pool_lock);

	if (!list_is_empty(&free_pages)) {
		p = list_first(&free_pages, struct page, node);
		list_del(&p->node);
		pool.free--;
		p->refcount = 1;
		p->mapcount = 0;
		p->object = NULL;
	}
	spin_unlock_irq(&pool_lock, irq);
	if (p && zero)
		memset(page_to_virt(p), 0, HUGE_PAGE_SIZE);
	return p;
}

/* Map `p` at `base`; its reference becomes the leaf's. 0, -EEXIST, -ENOMEM: the caller keeps it. */
static int
install(struct mapping *m, vaddr_t base, struct page *p)
{
	struct address_space *as = m->as;
	int error;

	spin_lock(&as->page_table_lock);
	error = arch_page_table_install(&as->page_table, base, page_to_phys(p),
					mapping_prot(m) | PTE_HUGE);
	if (error == 0) {
		*mapping_rss(m, p) += 1ul << HUGE_PAGE_ORDER;
		as->huge_leaves++;
	}
	spin_unlock(&as->page_table_lock);
	return error;
}

/* The object's page of 2 MiB unit `unit`, referenced; made when missing. NULL: the pool is
 * empty. */
static struct page *
object_page(struct memory_object *o, uint64_t unit)
{
	for (;;) {
		struct page *p;

		page_cache_peek(o, unit, &p, 1);
		if (p)
			return p;
		p = huge_pool_take(true);
		if (!p)
			return NULL;
		page_get(p);
		if (object_insert_page(o, unit, p) == 0)
			return p;
		p->refcount = 1;
		page_put(p);
	}
}

/* A fault where no leaf is. 0 or -EIO: the pool is empty (SIGBUS, as in Linux). */
int
huge_pool_fault(struct mapping *m, vaddr_t va)
{
	vaddr_t base = ALIGN_DOWN(va, HUGE_PAGE_SIZE);
	struct page *p;
	int error;

	if (m->object) {
		p = object_page(m->object, mapping_index(m, base) >> HUGE_PAGE_ORDER);
	} else {
		p = huge_pool_take(true);
		if (p)
			p->flags |= PAGE_ANON; /* not counted as such: it is the pool's */
	}
	if (!p)
		return -EIO;
	error = install(m, base, p);
	if (error != 0)
		page_put(p);
	return error == -EEXIST ? 0 : error;
}

/*
 * Copy-on-write of a whole pool page at `va`, which maps `from` read-only. page_table_lock held on
 * entry, released on return. 0 or -EIO: the pool is empty.
 */
int
huge_pool_copy(struct mapping *m, vaddr_t va, struct page *from)
{
	struct address_space *as = m->as;
	vaddr_t base = ALIGN_DOWN(va, HUGE_PAGE_SIZE);
	struct tlb_batch b;
	unsigned int prot;
	struct page *p;
	paddr_t now;

	page_get(from);
	spin_unlock(&as->page_table_lock);
	p = huge_pool_take(false);
	if (!p) {
		page_put(from);
		return -EIO;
	}
	p->flags |= PAGE_ANON;
	memcpy(page_to_virt(p), page_to_virt(from), HUGE_PAGE_SIZE);
	tlb_batch_init(&b, as);
	spin_lock(&as->page_table_lock);
	if (arch_page_table_lookup(&as->page_table, base, &now, &prot) &&
	    now == page_to_phys(from) && !(prot & PTE_WRITE)) {
		arch_page_table_unmap(&as->page_table, base, &now, &prot);
		(void)arch_page_table_map(&as->page_table, base, page_to_phys(p),
					  mapping_prot(m) | PTE_HUGE);
		if (leaf_was_used(as, prot))
			tlb_batch_add(&b, base, HUGE_PAGE_SIZE, from);
		else
			tlb_batch_hold(&b, from);
		p = NULL;
	}
	spin_unlock(&as->page_table_lock);
	tlb_batch_finish(&b);
	if (p)
		page_put(p);
	page_put(from);
	return 0;
}
