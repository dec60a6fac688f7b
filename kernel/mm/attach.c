/* SPDX-License-Identifier: MIT */
/*
 * attach.c - taking away what one open file has mapped: shmdt(2).
 *
 * The program names the address that it got; parts may have been unmapped, moved or protected since. What
 * still lies where the whole file's mapping would have put it goes, everything else stays.
 */
#include <tessera/errno.h>
#include <tessera/file.h>

#include "mm.h"

/* Does `m` lie where a mapping of its whole file at `addr` would have put it? */
static bool
in_place(const struct mapping *m, vaddr_t addr)
{
	return (m->start - addr) >> PAGE_SHIFT == m->object_page;
}

int
address_space_unmap_attached(struct address_space *as, vaddr_t addr, const struct file_ops *ops)
{
	struct list doomed = LIST_INIT(doomed);
	struct mapping *m, *next;
	struct file *f = NULL;
	vaddr_t end = USER_END;
	int error = -EINVAL;

	if (!IS_ALIGNED(addr, PAGE_SIZE) || addr > USER_END)
		return -EINVAL;
	address_space_change(as);
	for (m = address_space_find(as, addr); m && m->end <= end; m = next) {
		next = mapping_next(m);
		if (!m->file || m->file->ops != ops || !in_place(m, addr) || (f && m->file != f))
			continue;
		if (!f) {
			f = m->file; /* `doomed` holds it until we are done */
			end = MIN(USER_END, addr + ALIGN_UP(m->object->size, PAGE_SIZE));
		}
		error = unmap_locked(as, m->start, m->end, &doomed);
		if (error)
			break;
	}
	address_space_changed(as);
	mappings_free(&doomed);
	return error;
}
