/* SPDX-License-Identifier: MIT */
/*
 * fault.h - what the files that mend faults share; fault.c has the theory. `va` is a page's
 * address, and as->lock is held for reading, where nothing else is said.
 *
 * Those that return an int mend the fault (0), or return what fault_handle() does
 * (<tessera/address_space.h>), or -EAGAIN with what has to be waited for in `after`.
 */
#ifndef MM_FAULT_H
#define MM_FAULT_H

#include <tessera/address_space.h>

struct fault_after;

/* Said at once of a leaf that the faulting access is about to use: the processor need not. */
#define TOUCHED (PTE_ACCESSED | PTE_DIRTY)

/* --- fault.c --- */

/* A table frame is missing: drop page_table_lock, make room, take it again; a few times. 0: try
 * again, -ENOMEM. */
int fault_make_room(struct address_space *as, uint32_t *tries);
/*
 * Install a leaf for a page whose reference becomes the leaf's, if the slot is still empty and the
 * page still belongs to `o` (NULL: it is ours alone). `dirty`: it is going to be written. Returns
 * 0: installed; -EAGAIN: the slot is taken, the page left its object or lies past the object's end
 * by now, the reference stays with the caller; -ENOMEM likewise.
 */
int fault_install(struct mapping *m, vaddr_t va, struct page *p, unsigned int prot, struct memory_object *o, bool dirty);
bool fault_is_beyond(struct memory_object *o, uint64_t index); /* past its end */
bool fault_is_allowed(const struct mapping *m, unsigned int access); /* by the rights of the mapping */
/*
 * Extend the stack that lies above `va` down to it. No lock held: as->lock is taken for writing
 * inside. 0 or -EFAULT: no stack, another mapping too close, or a limit.
 */
int fault_grow_stack(struct address_space *as, vaddr_t va);

/* --- fault_anonymous.c --- */

int fault_anonymous(struct mapping *m, vaddr_t va, bool write);
/* A write to what is not there, no lock held, `va` any address. 0: mended; -ENOMEM; -EAGAIN: it has
 * to be done with as->lock. */
int fault_anonymous_unlocked(struct address_space *as, vaddr_t va);

/* --- fault_object.c --- */

int fault_object_read(struct mapping *m, vaddr_t va, struct fault_after *after);
int fault_object_write(struct mapping *m, vaddr_t va, struct fault_after *after); /* of a shared mapping */
int fault_object_copy(struct mapping *m, vaddr_t va, struct fault_after *after);  /* the same of a private one */
int fault_device(struct mapping *m, vaddr_t va);
/* The first write to a clean page of a shared mapping, whose leaf maps `pa`. page_table_lock too is
 * held on entry, and released on return. */
int fault_write_shared(struct mapping *m, vaddr_t va, paddr_t pa, struct fault_after *after);

/* --- copy_on_write.c --- */

/* A write to a leaf that is there but read-only. `force`: past the mapping's rights; the page
 * becomes its own, and stays read-only. */
int fault_write_present(struct mapping *m, vaddr_t va, bool force, struct fault_after *after);

#endif
