/* SPDX-License-Identifier: MIT */
/*
 * fault.c - page faults: what a missing or insufficient leaf means, and mending it.
 *
 *	                      read                         write
 *	private anonymous     the zero frame, read-only    a zeroed page; 2 MiB where one fits
 *	private of an object  the object's page, read-only a copy of it, ours
 *	shared                the object's page            the object's page, dirty
 *	device                the device's frame           the same
 *
 * A write to a present, read-only leaf of a private mapping breaks copy-on-write: a page that
 * nobody else refers to just becomes writable (no flush: a right grew); otherwise it is copied, the
 * leaf replaced, and the old translation flushed before the old page is let go.
 *
 * Work is done in three steps: get the page without the page-table lock (this may sleep), take the
 * lock and look whether the slot still is as the fault found it, install. Whoever loses a race
 * gives its page back and returns 0: the instruction runs again and finds what the winner
 * installed.
 *
 * Locks: as->lock for reading throughout; page_table_lock around the last step. Against truncation
 * see object.c: page->object is looked at again under page_table_lock. The commonest fault, the first write to a small
 * page of anonymous memory, does without as->lock: it looks under page_table_lock at a tree that nobody changes,
 * and again when it has a page (address_space_change()).
 */
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/preempt.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/string.h>
#include <tessera/trace.h>

#include "huge_pool.h"
#include "mm.h"
#include "page_cache.h"
#include "stats.h"

/* Said at once of a leaf that the faulting access is about to use: the processor need not. */
#define TOUCHED (PTE_ACCESSED | PTE_DIRTY)
#define FAULT_AROUND 16u /* pages mapped around one that was read */

int huge_page_mode = HUGE_ALWAYS;
struct fault_counters fault_counts;

/* --- pieces ----------------------------------------------------------------------------------- */

/* A table frame is missing: drop page_table_lock and make room, a few times. 0: try again, -ENOMEM. */
static int
make_room(struct address_space *as, uint32_t *tries)
{
	struct page *p;

	spin_unlock(&as->page_table_lock);
	p = ++*tries < 4 ? page_alloc(0, ALLOC_USER) : NULL;
	if (p)
		page_free(p, 0);
	spin_lock(&as->page_table_lock);
	return p ? 0 : -ENOMEM;
}

static bool
beyond_end(struct memory_object *o, uint64_t index)
{
	uint64_t size = atomic_load_relaxed(&o->size);

	return size != UINT64_MAX && index >= DIV_ROUND_UP(size, PAGE_SIZE);
}

/*
 * Install a leaf for a page whose reference becomes the leaf's, if the slot is still empty and the
 * page still belongs to `o` (NULL: it is ours alone). Returns 0: installed; -EAGAIN: the slot is
 * taken, the page left its object or lies past the object's end by now, the reference stays with the
 * caller; -ENOMEM likewise.
 */
static int
install_page(struct mapping *m, vaddr_t va, struct page *p, unsigned int prot,
	     struct memory_object *o)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	int error;

	spin_lock(&as->page_table_lock);
	do {
		if ((o && READ_ONCE(p->object) != o) ||
		    (m->object && beyond_end(m->object, mapping_index(m, va))))
			error = -EEXIST; /* truncated meanwhile: what it unmaps it looks for under our lock */
		else
			error = arch_page_table_install(&as->page_table, va, page_to_phys(p), prot);
	} while (unlikely(error == -ENOMEM) && make_room(as, &tries) == 0);
	if (likely(error == 0)) {
		++*mapping_rss(m, p);
		if (o)
			atomic_add_relaxed(&p->mapcount, 1);
	}
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? -EAGAIN : error;
}

struct page *
anonymous_page(unsigned int flags)
{
	struct page *p = page_alloc(0, ALLOC_USER | flags);

	if (likely(p)) {
		p->flags |= PAGE_ANON;
		frames_count(COUNT_ANONYMOUS, 1);
	}
	return p;
}

/* --- anonymous memory ------------------------------------------------------------------------- */

static bool
wants_huge(const struct mapping *m, vaddr_t base)
{
	if (base < m->start || base + HUGE_PAGE_SIZE > m->end || (m->flags & MAPPING_NOHUGE))
		return false;
	if (huge_page_mode == HUGE_NEVER ||
	    (huge_page_mode == HUGE_MADVISE && !(m->flags & MAPPING_HUGE)))
		return false;
	return frames_plentiful();
}

/* Put 2 MiB at `base`. -EAGAIN: small pages have to do. */
static int
fault_huge(struct mapping *m, vaddr_t base)
{
	struct address_space *as = m->as;
	vaddr_t end = base + HUGE_PAGE_SIZE;
	int error = -EAGAIN;
	struct page *p;
	bool empty;

	/* Look first: clearing 2 MiB for nothing, at every small fault, costs more than it can
	 * ever save. */
	spin_lock(&as->page_table_lock);
	empty = arch_page_table_next(&as->page_table, base, end) == end;
	spin_unlock(&as->page_table_lock);
	p = empty ? page_alloc(HUGE_PAGE_ORDER, ALLOC_NOWAIT | ALLOC_USER | ALLOC_ZERO) : NULL;
	if (!p)
		return -EAGAIN;
	page_make_compound(p);
	p->flags |= PAGE_ANON;
	frames_count(COUNT_ANONYMOUS, 1l << HUGE_PAGE_ORDER);
	frames_count(COUNT_HUGE, 1l << HUGE_PAGE_ORDER);
	spin_lock(&as->page_table_lock);
	if (arch_page_table_next(&as->page_table, base, end) == end) {
		error = arch_page_table_prepare(&as->page_table, base, true);
		if (error == 0)
			error = arch_page_table_map(&as->page_table, base, page_to_phys(p),
						    mapping_prot(m) | PTE_HUGE | TOUCHED);
	}
	if (error == 0) {
		as->rss_anon += 1ul << HUGE_PAGE_ORDER;
		as->huge_leaves++;
	}
	spin_unlock(&as->page_table_lock);
	if (error != 0) {
		page_put(p);
		return -EAGAIN;
	}
	atomic_add_relaxed(&fault_counts.huge, 1);
	return 0;
}

static int
fault_zero(struct mapping *m, vaddr_t va)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	int error;

	spin_lock(&as->page_table_lock);
	do {
		error = arch_page_table_install(&as->page_table, va, zero_frame,
						(mapping_prot(m) & ~PTE_WRITE) | PTE_DEVICE);
	} while (unlikely(error == -ENOMEM) && make_room(as, &tries) == 0);
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? 0 : error;
}

static int
fault_anonymous(struct mapping *m, vaddr_t va, bool write)
{
	vaddr_t base = ALIGN_DOWN(va, HUGE_PAGE_SIZE);
	struct page *p;
	int error;

	if (!write)
		return fault_zero(m, va);
	if (wants_huge(m, base)) {
		error = fault_huge(m, base);
		if (error != -EAGAIN)
			return error;
	}
	p = anonymous_page(ALLOC_ZERO);
	if (!p)
		return -ENOMEM;
	error = install_page(m, va, p, mapping_prot(m) | TOUCHED, NULL);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

/* The mapping of `va`, when a small anonymous page may be put there without asking further. page_table_lock is held. */
static struct mapping *
find_anonymous_locked(struct address_space *as, vaddr_t va)
{
	struct mapping *m;

	if (atomic_load(&as->changes) & 1)
		return NULL;
	m = address_space_find(as, va);
	if (!m || m->start > va || m->object || !(m->flags & MAPPING_WRITE) || (m->flags & MAPPING_HUGETLB))
		return NULL;
	return wants_huge(m, ALIGN_DOWN(va, HUGE_PAGE_SIZE)) ? NULL : m;
}

/* A write to what is not there, without as->lock. 0: mended; -EAGAIN: it has to be done with the lock. */
static int
fault_anonymous_unlocked(struct address_space *as, vaddr_t va)
{
	int error = -EAGAIN;
	struct mapping *m;
	uint64_t changes;
	struct page *p;

	spin_lock(&as->page_table_lock);
	m = find_anonymous_locked(as, va);
	changes = atomic_load_relaxed(&as->changes);
	spin_unlock(&as->page_table_lock);
	if (!m)
		return -EAGAIN;
	p = anonymous_page(ALLOC_ZERO);
	if (!p)
		return -EAGAIN;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	spin_lock(&as->page_table_lock);
	if (likely(atomic_load(&as->changes) == changes)) { /* and so `m` is as it was */
		error = arch_page_table_install(&as->page_table, va, page_to_phys(p), mapping_prot(m) | TOUCHED);
		as->rss_anon += error == 0;
	}
	spin_unlock(&as->page_table_lock);
	if (unlikely(error != 0))
		page_put(p);
	return error == 0 || error == -EEXIST ? 0 : -EAGAIN;
}

/* --- objects ---------------------------------------------------------------------------------- */

/* What read_page and charge_page say, as a fault says it: everything but lack of memory is
 * SIGBUS. */
static int
object_error(int error)
{
	return error == -ENOMEM || error == -EINTR ? error : -EIO;
}

/* The object is told of the first write to a clean page, so such leaves start read-only. */
static bool
tracks_writes(const struct memory_object *o)
{
	return o->ops->write_page || o->ops->page_mkwrite;
}

static int
fault_device(struct mapping *m, vaddr_t va)
{
	struct address_space *as = m->as;
	unsigned int prot = 0;
	uint32_t tries = 0;
	paddr_t pa;
	int error = m->object->ops->device_page(m->object, mapping_index(m, va), &pa, &prot);

	if (error != 0)
		return object_error(error);
	prot = mapping_prot(m) | (prot & (PTE_UNCACHED | PTE_WCOMBINE)) | PTE_DEVICE;
	spin_lock(&as->page_table_lock);
	do {
		error = arch_page_table_install(&as->page_table, va, pa, prot);
	} while (unlikely(error == -ENOMEM) && make_room(as, &tries) == 0);
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? 0 : error;
}

/*
 * After a read fault at `va`: map the valid pages that the object has around it, within the mapping
 * and within one page table. A failure costs nothing but a later fault.
 */
static void
fault_around(struct mapping *m, vaddr_t va, unsigned int prot)
{
	struct address_space *as = m->as;
	struct memory_object *o = m->object;
	vaddr_t low = MAX(ALIGN_DOWN(va, FAULT_AROUND * PAGE_SIZE), m->start);
	vaddr_t high =
		MIN(ALIGN_DOWN(va, FAULT_AROUND * PAGE_SIZE) + FAULT_AROUND * PAGE_SIZE, m->end);
	uint32_t n = (uint32_t)((high - low) >> PAGE_SHIFT);
	struct page *pages[FAULT_AROUND], *fit[FAULT_AROUND];
	uint64_t mapped, *rss, first = mapping_index(m, low);

	page_cache_peek(o, first, pages, n);
	spin_lock(&as->page_table_lock);
	for (uint32_t i = 0; i < n; i++)
		fit[i] = pages[i] && READ_ONCE(pages[i]->object) == o && !beyond_end(o, first + i) ? pages[i] : NULL;
	mapped = arch_page_table_fill(&as->page_table, low, fit, n, prot);
	rss = mapped ? mapping_rss(m, pages[__builtin_ctzll(mapped)]) : NULL;
	for (uint32_t i = 0; i < n; i++)
		if (mapped & BIT(i)) {
			atomic_add_relaxed(&pages[i]->mapcount, 1);
			++*rss;
		}
	spin_unlock(&as->page_table_lock);
	for (uint32_t i = 0; i < n; i++)
		if (pages[i] && !(mapped & BIT(i)))
			page_put(pages[i]);
}

static int
fault_object_read(struct mapping *m, vaddr_t va)
{
	struct memory_object *o = m->object;
	unsigned int prot = mapping_prot(m);
	struct page *p;
	int error = object_get_page(o, mapping_index(m, va), true, &p);

	if (error != 0)
		return object_error(error);
	if (!(m->flags & MAPPING_SHARED) || tracks_writes(o))
		prot &= ~PTE_WRITE;
	error = install_page(m, va, p, prot, o);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	fault_around(m, va, prot);
	return 0;
}

static int
fault_object_copy(struct mapping *m, vaddr_t va)
{
	struct page *from, *p;
	int error = object_get_page(m->object, mapping_index(m, va), true, &from);

	if (error != 0)
		return object_error(error);
	p = anonymous_page(0);
	if (!p) {
		page_put(from);
		return -ENOMEM;
	}
	memcpy(page_to_virt(p), page_to_virt(from), PAGE_SIZE);
	page_put(from);
	WRITE_ONCE(m->has_anon, true);
	error = install_page(m, va, p, mapping_prot(m) | TOUCHED, NULL);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

static int
fault_object_write(struct mapping *m, vaddr_t va)
{
	struct memory_object *o = m->object;
	struct page *p;
	int error = object_get_page(o, mapping_index(m, va), true, &p);

	if (error != 0)
		return object_error(error);
	if (o->ops->page_mkwrite) {
		error = o->ops->page_mkwrite(o, p);
		if (error != 0) {
			page_put(p);
			return object_error(error);
		}
	}
	object_mark_dirty(o, p);
	if (o->inode)
		inode_touch_modified(o->inode);
	error = install_page(m, va, p, mapping_prot(m) | TOUCHED, o);
	if (error != 0) {
		page_put(p);
		return error == -EAGAIN ? 0 : error;
	}
	return 0;
}

/* --- copy on write ---------------------------------------------------------------------------- */

/* The first write to a clean page of a shared mapping. */
static int
write_shared(struct mapping *m, vaddr_t va, paddr_t pa)
{
	struct address_space *as = m->as;
	struct memory_object *o = m->object;
	struct page *p = pfn_to_page(pa >> PAGE_SHIFT);
	unsigned int prot;
	paddr_t now;
	int error = 0;

	assert_held(&as->page_table_lock);
	page_get(p);
	spin_unlock(&as->page_table_lock);
	if (o->ops->page_mkwrite)
		error = o->ops->page_mkwrite(o, p);
	if (error == 0) {
		spin_lock(&as->page_table_lock);
		if (arch_page_table_lookup(&as->page_table, va, &now, &prot) && now == pa) {
			object_mark_dirty(o, p);
			arch_page_table_protect(&as->page_table, va, mapping_prot(m));
			tlb_count_upgrade();
		}
		spin_unlock(&as->page_table_lock);
	}
	page_put(p);
	return error == 0 ? 0 : object_error(error);
}

/*
 * Replace the leaf at `va`, which maps `pa` read-only, by a copy. page_table_lock is held on entry
 * and released on return. `from`: the page behind it, NULL for the zero frame.
 */
static int
copy_page(struct mapping *m, vaddr_t va, paddr_t pa, struct page *from)
{
	struct address_space *as = m->as;
	struct tlb_batch b;
	unsigned int prot;
	struct page *p;
	paddr_t now;

	if (from)
		page_get(page_head(from));
	spin_unlock(&as->page_table_lock);
	p = anonymous_page(from ? 0 : ALLOC_ZERO);
	if (p && from)
		memcpy(page_to_virt(p), page_to_virt(from), PAGE_SIZE);
	if (!p) {
		if (from)
			page_put(from);
		return -ENOMEM;
	}
	WRITE_ONCE(m->has_anon, true);
	tlb_batch_init(&b, as);
	spin_lock(&as->page_table_lock);
	if (!arch_page_table_lookup(&as->page_table, va, &now, &prot) || now != pa ||
	    (prot & (PTE_WRITE | PTE_HUGE))) {
		spin_unlock(&as->page_table_lock);
		page_put(p);
		if (from)
			page_put(from);
		return 0;
	}
	arch_page_table_unmap(&as->page_table, va, &now, &prot);
	/* The tables are there: this cannot fail. */
	(void)arch_page_table_map(&as->page_table, va, page_to_phys(p), mapping_prot(m) | TOUCHED);
	if (from) {
		--*mapping_rss(m, from);
		if (from->flags & PAGE_CACHED)
			atomic_sub(&from->mapcount, 1);
	}
	as->rss_anon++;
	if (leaf_was_used(as, prot))
		tlb_batch_add(&b, va, PAGE_SIZE, from);
	else
		tlb_batch_hold(&b, from);
	spin_unlock(&as->page_table_lock);
	tlb_batch_finish(&b);
	if (from)
		page_put(from);
	atomic_add_relaxed(&fault_counts.copied, 1);
	return 0;
}

/* A write to a leaf that is there but read-only. */
static int
fault_write_present(struct mapping *m, vaddr_t va, bool force)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	unsigned int prot;
	struct page *p, *head;
	paddr_t pa;

	spin_lock(&as->page_table_lock);
again:
	if (!arch_page_table_lookup(&as->page_table, va, &pa, &prot) || (prot & PTE_WRITE)) {
		/* Somebody mended it; a CPU may fault once more on what its TLB remembers. */
		if (this_cpu()->active == as)
			arch_tlb_flush_page(va);
		spin_unlock(&as->page_table_lock);
		return 0;
	}
	if (m->flags & MAPPING_SHARED) {
		if (!(prot & PTE_DEVICE))
			return write_shared(m, va, pa);
		spin_unlock(&as->page_table_lock);
		return -EACCES;
	}
	if (prot & PTE_DEVICE) {
		if (pa == zero_frame)
			return copy_page(m, va, pa, NULL);
		spin_unlock(&as->page_table_lock);
		return -EACCES;
	}
	p = pfn_to_page(pa >> PAGE_SHIFT);
	head = page_head(p);
	if ((head->flags & PAGE_ANON) && atomic_load(&head->refcount) == 1) {
		/* Ours alone. With force the mapping stays read-only: being ours is all that is
		 * needed. */
		if (!force || (m->flags & MAPPING_WRITE)) {
			arch_page_table_protect(&as->page_table, va, mapping_prot(m));
			tlb_count_upgrade();
		}
		spin_unlock(&as->page_table_lock);
		return 0;
	}
	if ((prot & PTE_HUGE) && (m->flags & MAPPING_HUGETLB))
		return huge_pool_copy(m, va, head);
	if (prot & PTE_HUGE) {
		/* Shared after fork: copy 4 KiB of it, not 2 MiB. */
		if (leaf_split_locked(as, va) == 0 || make_room(as, &tries) == 0)
			goto again;
		spin_unlock(&as->page_table_lock);
		return -ENOMEM;
	}
	return copy_page(m, va, pa, p);
}

/* --- the door --------------------------------------------------------------------------------- */

static bool
allowed(const struct mapping *m, unsigned int access)
{
	if (access & FAULT_WRITE)
		return m->flags & MAPPING_WRITE;
	if (access & FAULT_EXEC)
		return m->flags & MAPPING_EXEC;
	return m->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC);
}

int
mapping_fault(struct mapping *m, vaddr_t va, unsigned int access, bool force)
{
	bool write = access & FAULT_WRITE;
	int error;

	if (!force && unlikely(!allowed(m, access)))
		return -EACCES;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	if (access & FAULT_PRESENT) {
		if (write)
			return fault_write_present(m, va, force);
		/* Present and readable: the TLB was behind. */
		preempt_disable();
		if (this_cpu()->active == m->as)
			arch_tlb_flush_page(va);
		preempt_enable();
		return 0;
	}
	if (m->flags & MAPPING_HUGETLB)
		return huge_pool_fault(m, va);
	if (!m->object)
		return fault_anonymous(m, va, write);
	if (m->object->ops->device_page)
		return fault_device(m, va);
	if (beyond_end(m->object, mapping_index(m, va)))
		return -EIO;
	if (!write)
		error = fault_object_read(m, va);
	else if (m->flags & MAPPING_SHARED)
		error = fault_object_write(m, va);
	else
		error = fault_object_copy(m, va);
	return error;
}

/*
 * Extend the stack that lies above `va` down to it. as->lock is taken for writing inside.
 * 0 or -EFAULT: no stack, another mapping too close, or a limit.
 */
static int
grow_stack(struct address_space *as, vaddr_t va)
{
	struct mapping *m, *below;
	uint64_t pages;
	int error = -EFAULT;

	va = ALIGN_DOWN(va, PAGE_SIZE);
	address_space_change(as);
	m = address_space_find(as, va);
	if (m && m->start <= va) {
		error = 0; /* another thread did it */
		goto unlock;
	}
	if (!m || !(m->flags & MAPPING_GROWSDOWN) || va < USER_MIN)
		goto unlock;
	below = mapping_prev(m);
	if (below && va - below->end < STACK_GUARD_GAP && !(below->flags & MAPPING_GROWSDOWN) &&
	    (below->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC)))
		goto unlock;
	pages = (m->start - va) >> PAGE_SHIFT;
	if (m->end - va > task_limit(RLIMIT_STACK) || check_limits(as, pages, m->flags) != 0)
		goto unlock;
	if ((m->flags & MAPPING_LOCKED) && check_lock_limit(as, pages) != 0)
		goto unlock;
	if ((m->flags & MAPPING_ACCOUNT) && commit_charge(pages) != 0)
		goto unlock;
	as->total_pages += pages;
	as->peak_total = MAX(as->peak_total, as->total_pages);
	as->stack_pages += pages;
	if (m->flags & MAPPING_LOCKED)
		as->locked_pages += pages;
	if (m->flags & MAPPING_ACCOUNT)
		as->committed += pages;
	mapping_set_range(m, va, m->end);
	error = 0;
unlock:
	address_space_changed(as);
	return error;
}

static int
handle(vaddr_t address, unsigned int access)
{
	struct thread *t = current_thread();
	struct address_space *as = t->process ? t->process->as : NULL, *resting;
	struct mapping *m;
	int error = 0;

	if (unlikely(!as || address >= USER_END || t->pagefault_disabled))
		return -EFAULT;
	t->minor_faults++;
	atomic_add_relaxed(&as->minor_faults, 1);
	resting = tlb_rest();
	if ((access & (FAULT_WRITE | FAULT_PRESENT)) == FAULT_WRITE && fault_anonymous_unlocked(as, address) == 0)
		goto mended;
	for (;;) {
		read_lock(&as->lock);
		m = address_space_find(as, address);
		if (likely(m && m->start <= address)) {
			error = mapping_fault(m, address, access, false);
			read_unlock(&as->lock);
			break;
		}
		read_unlock(&as->lock);
		error = -EFAULT;
		if (!m || grow_stack(as, address) != 0)
			break;
	}
mended:
	if (resting)
		tlb_unrest(resting);
	return error;
}

static void
count_fault(unsigned int access, bool user)
{
	cpu_count_one(user ? CPU_COUNTER(faults_user) : CPU_COUNTER(faults_kernel));
	cpu_count_one(access & FAULT_WRITE  ? CPU_COUNTER(faults_write)
		      : access & FAULT_EXEC ? CPU_COUNTER(faults_exec)
					    : CPU_COUNTER(faults_read));
	if (access & FAULT_PRESENT)
		cpu_count_one(CPU_COUNTER(faults_present));
}

int
fault_handle(vaddr_t address, unsigned int access, bool user, struct trap_frame *f)
{
	int error;

	count_fault(access, user);
	trace_fault_enter(address, access, f->rip);
	error = handle(address, access);
	trace_fault_exit(address, access, error);
	if (unlikely(error))
		cpu_count_one(CPU_COUNTER(faults_refused));
	return error;
}

/* --- on behalf of others ---------------------------------------------------------------------- */

/*
 * The page behind `va` as the tables have it, with a reference, when they allow the access. `force`
 * asks for a page that may be read, or, for a write, one that is the mapping's own to change.
 */
static struct page *
look(struct mapping *m, vaddr_t va, bool write, bool force, unsigned int *present)
{
	struct address_space *as = m->as;
	struct page *p = NULL;
	unsigned int prot;
	paddr_t pa;

	spin_lock(&as->page_table_lock);
	*present = 0;
	if (arch_page_table_lookup(&as->page_table, va, &pa, &prot)) {
		bool ok;

		*present = FAULT_PRESENT;
		if (prot & PTE_HUGE)
			pa += va & (HUGE_PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
		p = phys_to_page(pa);
		ok = !write || (prot & PTE_WRITE);
		if (!ok && force && p && !(prot & PTE_DEVICE) && !(m->flags & MAPPING_SHARED)) {
			struct page *head = page_head(p);

			ok = (head->flags & PAGE_ANON) && atomic_load(&head->refcount) == 1;
		}
		if (!(prot & PTE_READ) && !force)
			ok = false;
		if (p && ok)
			page_get(page_head(p));
		else
			p = NULL;
	}
	spin_unlock(&as->page_table_lock);
	return p;
}

int
address_space_get_page(struct address_space *as, vaddr_t addr, bool write, bool force,
		       struct page **out)
{
	unsigned int access = write ? FAULT_WRITE : 0;
	bool grown = false;
	int error = 0;

	if (addr >= USER_END)
		return -EFAULT;
again:
	read_lock(&as->lock);
	for (uint32_t i = 0; i < 64; i++) {
		struct mapping *m = address_space_find(as, addr);
		unsigned int present;

		error = -EFAULT;
		if (!m || m->start > addr)
			break;
		if (force ? !(m->flags & (write && (m->flags & MAPPING_SHARED) ? MAPPING_WRITE :
					  write ? MAPPING_MAYWRITE : MAPPING_MAYREAD))
			  : !allowed(m, access))
			break;
		*out = look(m, ALIGN_DOWN(addr, PAGE_SIZE), write, force, &present);
		if (*out) {
			read_unlock(&as->lock);
			return 0;
		}
		/* A leaf that is there and may not be touched at all has no page to give. */
		if (present && !write && m->object && m->object->ops->device_page)
			break;
		error = mapping_fault(m, addr, access | present, force);
		if (error != 0)
			break;
	}
	read_unlock(&as->lock);
	if (error == -EFAULT && !grown && current_process() && as == current_process()->as) {
		grown = true;
		if (grow_stack(as, addr) == 0)
			goto again;
	}
	return error != 0 ? error : -EFAULT;
}

ssize_t
address_space_access(struct address_space *as, vaddr_t addr, void *buf, size_t n, bool write,
		     bool force)
{
	size_t done = 0;

	while (done < n) {
		size_t in_page = (addr + done) % PAGE_SIZE;
		size_t part = MIN(n - done, PAGE_SIZE - in_page);
		struct page *p;
		char *at;
		int error = address_space_get_page(as, addr + done, write, force, &p);

		if (error != 0)
			return done > 0 ? (ssize_t)done : error;
		at = (char *)page_to_virt(p) + in_page;
		if (write)
			memcpy(at, (char *)buf + done, part);
		else
			memcpy((char *)buf + done, at, part);
		page_put(p);
		done += part;
	}
	return (ssize_t)done;
}

int
address_space_populate(struct address_space *as, vaddr_t start, vaddr_t end)
{
	vaddr_t va = start;

	while (va < end) {
		struct mapping *m;
		bool write;
		int error;

		if (signal_fatal_pending(current_thread()))
			return -EINTR;
		read_lock(&as->lock);
		m = address_space_find(as, va);
		if (!m || m->start > va) {
			read_unlock(&as->lock);
			return -ENOMEM;
		}
		/* A little at a time, so that writers of the tree are not held up. */
		write = (m->flags & (MAPPING_WRITE | MAPPING_SHARED)) == MAPPING_WRITE;
		error = 0;
		for (uint32_t i = 0; i < 64 && va < end && va < m->end; i++, va += PAGE_SIZE) {
			unsigned int prot;
			paddr_t pa;
			bool there;

			if (!(m->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC))) {
				error = -EFAULT;
				break;
			}
			spin_lock(&as->page_table_lock);
			there = arch_page_table_lookup(&as->page_table, va, &pa, &prot);
			spin_unlock(&as->page_table_lock);
			if (there && (!write || (prot & PTE_WRITE)))
				continue;
			error = mapping_fault(m, va, (write ? FAULT_WRITE : 0) |
					      (there ? FAULT_PRESENT : 0), false);
			if (error != 0)
				break;
		}
		read_unlock(&as->lock);
		if (error != 0)
			return error;
	}
	return 0;
}
