/* SPDX-License-Identifier: MIT */
/*
 * fault.c - page faults: what a missing or insufficient leaf means, and who mends it.
 *
 *	                      read                         write
 *	private anonymous     the zero frame, read-only    a zeroed page; 2 MiB where one fits
 *	private of an object  the object's page, read-only a copy of it, ours
 *	shared                the object's page            the object's page, dirty
 *	device                the device's frame           the same
 *
 * fault_anonymous.c and fault_object.c fill empty slots, copy_on_write.c serves writes to leaves
 * that are there and read-only, huge_pool.c those of MAP_HUGETLB; access.c faults on behalf of
 * others. Here are the door and what they share.
 *
 * Work is done in three steps: get the page without the page-table lock (this may sleep), take the
 * lock and look whether the slot still is as the fault found it, install. Whoever loses a race
 * gives its page back and returns 0: the instruction runs again and finds what the winner
 * installed.
 *
 * A page that has to come from a store is waited for without as->lock: the fault hands it out
 * (struct fault_after), its caller lets go, waits, and begins again. So does who made a page dirty
 * and has to be slowed down.
 *
 * Locks: as->lock for reading throughout; page_table_lock around the last step. Against truncation
 * see object.c: page->object and PAGE_UPTODATE are looked at again under page_table_lock; there a
 * page is marked dirty, too, before its leaf may be written: see writeback.c. The commonest fault,
 * the first write to a small page of anonymous memory, does without as->lock:
 * fault_anonymous_unlocked(), by the protocol in address_space.c.
 */
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/preempt.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/trace.h>

#include "fault.h"
#include "huge_pool.h"
#include "mm.h"
#include "page_cache.h"

/* --- pieces ----------------------------------------------------------------------------------- */

int
fault_make_room(struct address_space *as, uint32_t *tries)
{
	struct page *p;

	spin_unlock(&as->page_table_lock);
	p = ++*tries < 4 ? page_alloc(0, ALLOC_USER) : NULL;
	if (p)
		page_free(p, 0);
	spin_lock(&as->page_table_lock);
	return p ? 0 : -ENOMEM;
}

bool
fault_is_beyond(struct memory_object *o, uint64_t index)
{
	uint64_t size = atomic_load_relaxed(&o->size);

	return size != UINT64_MAX && index >= DIV_ROUND_UP(size, PAGE_SIZE);
}

int
fault_finish(struct fault_after *after, int error)
{
	struct memory_object *o = after->object;

	if (after->page) {
		assert(error == -EAGAIN);
		error = page_cache_await(o, after->page);
		after->page = NULL;
		if (error == 0)
			error = signal_fatal_pending(current_thread()) ? -EINTR : -EAGAIN;
		else if (error != -EINTR && error != -ENOMEM)
			error = -EIO;
	} else if (o) {
		(void)dirty_throttle(o->store->backing);
	}
	if (o)
		object_put_late(o); /* a fault comes under any lock */
	after->object = NULL;
	return error;
}

int
fault_install(struct mapping *m, vaddr_t va, struct page *p, unsigned int prot, struct memory_object *o, bool dirty)
{
	struct address_space *as = m->as;
	uint32_t tries = 0;
	int error;

	spin_lock(&as->page_table_lock);
	do {
		if ((o && (READ_ONCE(p->object) != o || (o->store && !(page_flags(p) & PAGE_UPTODATE)))) ||
		    (m->object && fault_is_beyond(m->object, mapping_index(m, va))) ||
		    (dirty && !object_mark_dirty(o, p)))
			error = -EEXIST; /* truncated meanwhile: what it unmaps it looks for under our lock */
		else
			error = arch_page_table_install(&as->page_table, va, page_to_phys(p), prot);
	} while (unlikely(error == -ENOMEM) && fault_make_room(as, &tries) == 0);
	if (likely(error == 0)) {
		++*mapping_rss(m, p);
		if (o)
			atomic_add_relaxed(&p->mapcount, 1);
	}
	spin_unlock(&as->page_table_lock);
	return error == -EEXIST ? -EAGAIN : error;
}

/* --- the door --------------------------------------------------------------------------------- */

bool
fault_is_allowed(const struct mapping *m, unsigned int access)
{
	if (access & FAULT_WRITE)
		return m->flags & MAPPING_WRITE;
	if (access & FAULT_EXEC)
		return m->flags & MAPPING_EXEC;
	return m->flags & (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC);
}

int
mapping_fault(struct mapping *m, vaddr_t va, unsigned int access, bool force, struct fault_after *after)
{
	bool write = access & FAULT_WRITE;
	int error;

	if (!force && unlikely(!fault_is_allowed(m, access)))
		return -EACCES;
	va = ALIGN_DOWN(va, PAGE_SIZE);
	if (access & FAULT_PRESENT) {
		if (write)
			return fault_write_present(m, va, force, after);
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
	if (fault_is_beyond(m->object, mapping_index(m, va)))
		return -EIO;
	if (!write)
		error = fault_object_read(m, va, after);
	else if (m->flags & MAPPING_SHARED)
		error = fault_object_write(m, va, after);
	else
		error = fault_object_copy(m, va, after);
	return error;
}

int
fault_grow_stack(struct address_space *as, vaddr_t va)
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

/* It was counted as a minor one. */
static void
count_major(struct thread *t, struct address_space *as)
{
	cpu_count_one(CPU_COUNTER(faults_major));
	t->minor_faults--;
	t->major_faults++;
	atomic_sub(&as->minor_faults, 1);
	atomic_add_relaxed(&as->major_faults, 1);
}

static int
handle(vaddr_t address, unsigned int access)
{
	struct thread *t = current_thread();
	struct address_space *as = t->process ? t->process->as : NULL, *resting;
	struct fault_after after = { 0 };
	struct mapping *m;
	bool major = false;
	uint64_t misses;
	int error;

	if (unlikely(!as || address >= USER_END || t->pagefault_disabled))
		return -EFAULT;
	t->minor_faults++;
	atomic_add_relaxed(&as->minor_faults, 1);
	misses = t->page_misses;
	resting = tlb_rest();
	if ((access & (FAULT_WRITE | FAULT_PRESENT)) == FAULT_WRITE) {
		error = fault_anonymous_unlocked(as, address);
		if (likely(error != -EAGAIN))
			goto unrest;
	}
	for (;;) {
		read_lock(&as->lock);
		m = address_space_find(as, address);
		if (likely(m && m->start <= address)) {
			error = mapping_fault(m, address, access, false, &after);
			read_unlock(&as->lock);
			/* However soon it has come: who waits for another's reading has a minor one. */
			if (unlikely(t->page_misses != misses) && !major) {
				major = true;
				count_major(t, as);
			}
			if (likely(!after.object))
				break;
			error = fault_finish(&after, error);
			if (error != -EAGAIN)
				break;
			continue;
		}
		read_unlock(&as->lock);
		error = -EFAULT;
		if (!m || fault_grow_stack(as, address) != 0)
			break;
	}
unrest:
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

