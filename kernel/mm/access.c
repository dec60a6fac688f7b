/* SPDX-License-Identifier: MIT */
/*
 * access.c - the pages of a space for those who do not touch them by its addresses: futexes,
 * /proc/PID/mem, ptrace, devices; and faulting in a range before anybody touches it.
 *
 * Each takes as->lock for reading for some pages at a time, and lets go of it while a store is
 * waited for.
 */
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/string.h>

#include "fault.h"
#include "mm.h"

/*
 * The page behind `va` as the tables have it, with a reference, when they allow the access. `force`
 * asks for a page that may be read, or, for a write, one that is the mapping's own to change. It is
 * marked with the flags `mark` before anybody can share it: fork looks under the same lock.
 */
static struct page *
look(struct mapping *m, vaddr_t va, bool write, bool force, uint32_t mark, unsigned int *present)
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
		if (p && ok) {
			page_get(page_head(p));
			if (mark)
				atomic_or(&page_head(p)->flags, mark);
		} else {
			p = NULL;
		}
	}
	spin_unlock(&as->page_table_lock);
	return p;
}

void
address_space_split_block(struct address_space *as, vaddr_t addr)
{
	struct mapping *m;
	unsigned int prot;
	paddr_t pa;

	if (READ_ONCE(as->huge_leaves) == 0)
		return;
	read_lock(&as->lock);
	m = address_space_find(as, addr);
	if (m && m->start <= addr && !(m->flags & (MAPPING_DEVICE | MAPPING_HUGETLB))) {
		spin_lock(&as->page_table_lock);
		if (arch_page_table_lookup(&as->page_table, addr, &pa, &prot) && (prot & PTE_HUGE) &&
		    atomic_load(&pfn_to_page(pa >> PAGE_SHIFT)->refcount) == 1)
			(void)leaf_split_locked(as, addr);
		spin_unlock(&as->page_table_lock);
	}
	read_unlock(&as->lock);
}

/* As the program's own access would be: pkeys(7). */
static bool
refused_by_key(const struct mapping *m, bool write)
{
	unsigned int what = write ? KEY_NO_ACCESS | KEY_NO_WRITE : KEY_NO_ACCESS;
	struct process *p = current_process();

	return p && m->as == p->as && arch_key_count() && (arch_key_rights(m->key) & what);
}

int
address_space_mark_page(struct address_space *as, vaddr_t addr, bool write, bool force, uint32_t mark, struct page **out)
{
	unsigned int access = write ? FAULT_WRITE : 0;
	struct fault_after after = { 0 };
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
			  : !fault_is_allowed(m, access))
			break;
		if (m->flags & MAPPING_DEVICE) /* who owns its frames counts no references */
			break;
		if (!force && refused_by_key(m, write))
			break;
		*out = look(m, ALIGN_DOWN(addr, PAGE_SIZE), write, force, mark, &present);
		if (*out) {
			read_unlock(&as->lock);
			return 0;
		}
		error = mapping_fault(m, addr, access | present, force, &after);
		if (after.object)
			break;
		if (error != 0)
			break;
	}
	read_unlock(&as->lock);
	if (after.object) {
		error = fault_finish(&after, error);
		if (error == 0 || error == -EAGAIN)
			goto again;
	}
	if (error == -EFAULT && !grown && current_process() && as == current_process()->as) {
		grown = true;
		if (fault_grow_stack(as, addr) == 0)
			goto again;
	}
	return error != 0 ? error : -EFAULT;
}

int
address_space_get_page(struct address_space *as, vaddr_t addr, bool write, bool force,
		       struct page **out)
{
	return address_space_mark_page(as, addr, write, force, 0, out);
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
		if (write)
			page_written(p);
		page_put(p);
		done += part;
	}
	return (ssize_t)done;
}

int
address_space_populate(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct fault_after after = { 0 };
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
					      (there ? FAULT_PRESENT : 0), false, &after);
			if (error != 0 || after.object)
				break;
		}
		read_unlock(&as->lock);
		if (after.object)
			error = fault_finish(&after, error);
		if (error == -EAGAIN)
			continue;
		if (error != 0)
			return error;
	}
	return 0;
}
