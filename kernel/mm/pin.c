/* SPDX-License-Identifier: MIT */
/*
 * pin.c - pages that devices use behind the processor's back.
 *
 * A device goes on writing to the page that it was given, so the program must go on seeing that page. What could part
 * them is copying: of private memory that is shared with a parent or child, or that was never written to. So such
 * memory is pinned as if for writing, which makes the page the program's own, and fork leaves pinned pages to the
 * parent: the child gets its copy at once (fork.c).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/process.h>

#include "mm.h"

int
address_space_pin(struct address_space *as, vaddr_t addr, bool write, struct page **out)
{
	struct mapping *m;
	bool private_memory, readable;

	read_lock(&as->lock);
	m = address_space_find(as, addr);
	readable = m && m->start <= addr && (m->flags & MAPPING_READ);
	private_memory = readable && !(m->flags & MAPPING_SHARED) && (m->flags & MAPPING_MAYWRITE);
	read_unlock(&as->lock);
	if (!readable)
		return -EFAULT;
	return write || !private_memory ? address_space_mark_page(as, addr, write, false, PAGE_PINNED, out)
					: address_space_mark_page(as, addr, true, true, PAGE_PINNED, out);
}

int
address_space_lock_charge(struct address_space *as, uint64_t pages)
{
	uint64_t limit = task_limit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	int error = 0;

	address_space_change(as);
	if (as->locked_pages + pages > limit && !capable(CAP_IPC_LOCK))
		error = -ENOMEM;
	else
		as->locked_pages += pages;
	address_space_changed(as);
	return error;
}

void
address_space_lock_release(struct address_space *as, uint64_t pages)
{
	address_space_change(as);
	as->locked_pages -= pages;
	address_space_changed(as);
}
