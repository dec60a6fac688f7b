/* SPDX-License-Identifier: MIT */
/*
 * protect.c - mprotect: new rights for a range, mapping by mapping.
 */
#include <tessera/errno.h>
#include <tessera/process.h>

#include "mm.h"

#define RIGHTS (MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC)

static bool
may(const struct mapping *m, uint32_t rwx)
{
	return !((rwx & MAPPING_READ) && !(m->flags & MAPPING_MAYREAD)) &&
	       !((rwx & MAPPING_WRITE) && !(m->flags & MAPPING_MAYWRITE)) &&
	       !((rwx & MAPPING_EXEC) && !(m->flags & MAPPING_MAYEXEC));
}

/* Give [start, end), which lies inside `m`, the rights. *out gets the mapping that then holds
 * end - 1. */
static int
protect_part(struct mapping *m, vaddr_t start, vaddr_t end, uint32_t rwx, int new_key,
	     struct list *doomed, struct mapping **out)
{
	uint32_t flags = (m->flags & ~(uint32_t)RIGHTS) | rwx;
	uint8_t key = new_key < 0 ? key_for(m->as, rwx, m->flags, m->key) : (uint8_t)new_key;
	uint64_t pages = (end - start) >> PAGE_SHIFT;
	bool grows_data = (rwx & MAPPING_WRITE) &&
			  !(m->flags & (MAPPING_WRITE | MAPPING_SHARED | MAPPING_GROWSDOWN));
	bool charge = grows_data && !(m->flags & MAPPING_ACCOUNT) &&
		      !((m->flags & MAPPING_NORESERVE) && overcommit_mode != 2);
	struct tlb_batch b;

	*out = m;
	if (flags == m->flags && key == m->key)
		return 0;
	if (grows_data && m->as->data_pages + pages > task_limit(RLIMIT_DATA) >> PAGE_SHIFT)
		return -ENOMEM;
	if (charge) {
		if (commit_charge(pages) != 0)
			return -ENOMEM;
		flags |= MAPPING_ACCOUNT;
	}
	if (start > m->start) {
		struct mapping *upper = mapping_split(m, start);

		if (!upper)
			goto uncharge;
		m = upper;
	}
	if (end < m->end && !mapping_split(m, end))
		goto uncharge;
	mapping_set_flags(m, flags);
	m->key = key;
	tlb_batch_init(&b, m->as);
	mapping_reprotect(m, start, end, &b);
	tlb_batch_finish(&b);
	*out = mapping_merge(m, doomed);
	return 0;

uncharge:
	if (charge)
		commit_release(pages);
	return -ENOMEM;
}

/*
 * `rwx`: MAPPING_READ|WRITE|EXEC, with MAPPING_GROWSDOWN: from the start of the stack that `addr`
 * lies in. What precedes the place of an error is changed. -EINVAL, -ENOMEM (a hole, no memory, a
 * limit), -EACCES (more than the file was opened for). `key`: a protection key for the range, -EINVAL if it
 * was not given out; -1 leaves the choice to the mappings.
 */
int
address_space_protect(struct address_space *as, vaddr_t addr, size_t length, uint32_t rwx, int key)
{
	struct list doomed = LIST_INIT(doomed);
	vaddr_t end = addr + ALIGN_UP(length, PAGE_SIZE);
	struct address_space *resting;
	struct mapping *m;
	int error = 0;

	if (!IS_ALIGNED(addr, PAGE_SIZE))
		return -EINVAL;
	if (length == 0)
		return 0;
	if (end <= addr)
		return -ENOMEM;
	resting = tlb_rest();
	address_space_change(as);
	error = -EINVAL;
	if (key != -1 && !key_is_given(as, key))
		goto unlock;
	error = 0;
	m = address_space_find(as, addr);
	if (rwx & MAPPING_GROWSDOWN) {
		rwx &= ~(uint32_t)MAPPING_GROWSDOWN;
		error = -ENOMEM;
		if (!m || m->start >= end)
			goto unlock;
		error = -EINVAL;
		if (!(m->flags & MAPPING_GROWSDOWN))
			goto unlock;
		addr = m->start;
		error = 0;
	}
	while (addr < end) {
		vaddr_t stop;

		error = -ENOMEM;
		if (!m || m->start > addr)
			break;
		error = -EACCES;
		if (!may(m, rwx))
			break;
		stop = MIN(m->end, end);
		error = -EINVAL;
		if (cuts_huge(as, addr, stop))
			break;
		error = protect_part(m, addr, stop, rwx, key, &doomed, &m);
		if (error != 0)
			break;
		addr = stop;
		if (m->end <= addr)
			m = mapping_next(m);
	}
unlock:
	address_space_changed(as);
	if (resting)
		tlb_unrest(resting);
	mappings_free(&doomed);
	return error;
}
