/* SPDX-License-Identifier: MIT */
/*
 * policy.c - memory policies of mappings: see <tessera/memory_policy.h>. Neighbours join only when theirs agree.
 */
#include <tessera/errno.h>
#include <tessera/memory_policy.h>

#include "mm.h"

static bool
has_hole(struct address_space *as, vaddr_t start, vaddr_t end)
{
	struct mapping *m;

	for (m = address_space_find(as, start); m && m->start <= start && start < end; m = mapping_next(m))
		start = m->end;
	return start < end;
}

int
address_space_set_policy(struct address_space *as, uint64_t start, uint64_t end, const struct memory_policy *p)
{
	struct list doomed = LIST_INIT(doomed);
	struct mapping *m;
	int error = 0;

	address_space_change(as);
	if (has_hole(as, start, end))
		error = -EFAULT;
	while (start < end && error == 0) {
		m = address_space_find(as, start);
		if (memory_policy_equal(&m->policy, p)) {
			start = m->end;
			continue;
		}
		/* Pages of 2 MiB are not cut; the policy is that of the whole. */
		if (!(m->flags & MAPPING_HUGETLB)) {
			error = mappings_cut(as, start, MIN(m->end, end));
			if (error != 0)
				break;
			m = address_space_find(as, start);
		}
		m->policy = *p;
		m = mapping_merge(m, &doomed);
		start = m->end;
	}
	address_space_changed(as);
	mappings_free(&doomed);
	return error;
}

int
address_space_policy(struct address_space *as, uint64_t addr, struct memory_policy *out)
{
	uint64_t next;

	return address_space_next_policy(as, addr, addr + 1, out, &next) ? 0 : -EFAULT;
}

bool
address_space_next_policy(struct address_space *as, uint64_t addr, uint64_t end, struct memory_policy *out,
			  uint64_t *next)
{
	struct mapping *m;
	bool found;

	read_lock(&as->lock);
	m = address_space_find(as, addr);
	found = m && m->start < end;
	if (found) {
		*out = m->policy;
		*next = m->end;
	}
	read_unlock(&as->lock);
	return found;
}

int
address_space_page_present(struct address_space *as, uint64_t addr)
{
	struct mapping *m;
	unsigned int prot;
	int error = -EFAULT;
	paddr_t pa;

	read_lock(&as->lock);
	m = address_space_find(as, addr);
	if (m && m->start <= addr && !(m->flags & MAPPING_DEVICE)) {
		spin_lock(&as->page_table_lock);
		error = arch_page_table_lookup(&as->page_table, addr & ~(uint64_t)(PAGE_SIZE - 1), &pa, &prot)
				? 0 : m->object ? -ENOENT : -EFAULT;
		spin_unlock(&as->page_table_lock);
	}
	read_unlock(&as->lock);
	return error;
}
