/* SPDX-License-Identifier: MIT */
/*
 * fork.c - a second address space with the same contents.
 *
 * Only leaves that cannot be had again are copied: anonymous pages. Both sides keep the page,
 * read-only; who writes first copies (fault.c). Large leaves are shared whole. Everything else,
 * shared mappings, clean file pages, the zero frame, is left out and faults in again.
 *
 * Both sides return through the stack. Its page is copied for the child at once, and the parent
 * keeps the right to write: that saves both a fault, and the parent a flush of the CPUs on which
 * other threads run.
 *
 * Taking the right to write from the parent needs one flush, at the end, before the child can run.
 * Where other CPUs run threads of the parent, the accessed bits go with it: a page that nobody has
 * read since is then copied on its first write without interrupting them (tlb.h). Until that one
 * flush the bits say less than they should, which as->unflushed tells whoever takes leaves out
 * without as->lock: truncation.
 *
 * Locks: both spaces are being changed (address_space_change()), so that no fault runs in the
 * parent meanwhile, not even one that does without as->lock. The child is nobody else's yet; its
 * locks are taken nested below the parent's.
 */
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/string.h>

#include "mm.h"

#define LEAVES 16u /* at once, on the stack */

/* One fork. */
struct sharing {
	struct tlb_batch batch; /* of the parent */
	vaddr_t stack;          /* the page of the caller's stack */
	bool elsewhere;         /* threads of the parent run on other CPUs: accessed bits are cleared, as->unflushed says so */
};

/*
 * A device may use the page of `l`: the parent keeps it, and its right to write to it, and the
 * child gets a copy. False: memory is short, or it is a large page; then who writes first gets the
 * copy, which a device does not see. Both page_table_locks held.
 */
static bool
copy_pinned(struct mapping *m, struct page_table_leaf *l)
{
	struct page *p = l->prot & PTE_HUGE ? NULL : anonymous_page(ALLOC_NOWAIT);

	if (!p)
		return false;
	if (l->prot & PTE_WRITE)
		arch_page_table_protect(&m->as->page_table, l->va, mapping_prot(m));
	memcpy(page_to_virt(p), phys_to_virt(l->pa), PAGE_SIZE);
	l->pa = page_to_phys(p);
	return true;
}

/*
 * Share the next leaves of [*va, end). Both page_table_locks held. 0, or -ENOMEM; *va is where to
 * go on in either case.
 */
static int
share_some(struct mapping *m, struct mapping *copy, vaddr_t *va, vaddr_t end, struct sharing *s)
{
	struct address_space *to = copy->as;
	struct page_table_leaf leaf[LEAVES];
	unsigned int n, kept = 0, done;
	uint32_t own = 0; /* a bit for each that is a copy */

	n = arch_page_table_share(&m->as->page_table, va, end, leaf, LEAVES, s->elsewhere);
	for (unsigned int i = 0; i < n; i++) {
		if ((leaf[i].prot & PTE_DEVICE) ||
		    !(page_head(pfn_to_page(leaf[i].pa >> PAGE_SHIFT))->flags & PAGE_ANON))
			continue;
		if ((leaf[i].prot & PTE_WRITE) && (leaf[i].prot & PTE_ACCESSED))
			tlb_batch_add(&s->batch, leaf[i].va,
				      leaf[i].prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE, NULL);
		leaf[kept] = leaf[i];
		if ((page_head(pfn_to_page(leaf[i].pa >> PAGE_SHIFT))->flags & PAGE_PINNED) && copy_pinned(m, &leaf[kept]))
			own |= BIT(kept);
		kept++;
	}
	done = arch_page_table_put(
		&to->page_table, leaf, kept, PTE_WRITE | PTE_DIRTY | PTE_ACCESSED);
	for (unsigned int i = 0; i < done; i++) {
		if (!(own & BIT(i)))
			page_get(page_head(pfn_to_page(leaf[i].pa >> PAGE_SHIFT)));
		to->rss_anon += leaf[i].prot & PTE_HUGE ? 1ul << HUGE_PAGE_ORDER : 1;
		to->huge_leaves += leaf[i].prot & PTE_HUGE ? 1 : 0;
	}
	for (unsigned int i = done; i < kept; i++)
		if (own & BIT(i))
			page_put(pfn_to_page(leaf[i].pa >> PAGE_SHIFT));
	if (done < kept) {
		*va = leaf[done].va;
		return -ENOMEM;
	}
	if (n < LEAVES)
		*va = MAX(*va, end); /* a large leaf may reach beyond */
	return 0;
}

/*
 * Give `copy` a page of its own with what the page at `va` holds. False: it is not there, may not
 * be written, is not anonymous, is large, or memory is short; then it is to be shared like others.
 * Both page_table_locks held.
 */
static bool
copy_leaf(struct mapping *m, struct mapping *copy, vaddr_t va)
{
	struct page_table_leaf leaf = { .va = va };
	struct page *old, *p;

	if (!arch_page_table_lookup(&m->as->page_table, va, &leaf.pa, &leaf.prot) || !(leaf.prot & PTE_WRITE) ||
	    (leaf.prot & (PTE_HUGE | PTE_DEVICE)))
		return false;
	old = pfn_to_page(leaf.pa >> PAGE_SHIFT);
	p = old->flags & PAGE_ANON ? anonymous_page(ALLOC_NOWAIT) : NULL;
	if (!p)
		return false;
	memcpy(page_to_virt(p), page_to_virt(old), PAGE_SIZE);
	leaf.pa = page_to_phys(p);
	if (arch_page_table_put(&copy->as->page_table, &leaf, 1, 0) == 0) {
		page_put(p);
		return false;
	}
	copy->as->rss_anon++;
	return true;
}

static int
share_leaves(struct mapping *m, struct mapping *copy, struct sharing *s)
{
	vaddr_t stack = s->stack;
	vaddr_t va = m->start;
	uint32_t tries = 0;

	while (va < m->end) {
		int error = 0;

		spin_lock(&m->as->page_table_lock);
		spin_lock_nested(&copy->as->page_table_lock);
		if (va == stack && copy_leaf(m, copy, va))
			va += PAGE_SIZE;
		else
			error = share_some(m, copy, &va, va < stack && stack < m->end ? stack : m->end, s);
		spin_unlock(&copy->as->page_table_lock);
		spin_unlock(&m->as->page_table_lock);
		if (error != 0) {
			struct page *p = ++tries < 4 ? page_alloc(0, ALLOC_USER) : NULL;

			if (!p)
				return -ENOMEM;
			page_free(p, 0);
		}
	}
	return 0;
}

static int
copy_mapping(struct mapping *m, struct address_space *to, struct sharing *s)
{
	struct mapping *copy;

	if (m->flags & MAPPING_DONTFORK)
		return 0;
	copy = mapping_alloc(to);
	if (!copy)
		return -ENOMEM;
	copy->start = m->start;
	copy->end = m->end;
	copy->flags = m->flags & ~(uint32_t)MAPPING_LOCKED;
	/* What is shared stays promised once. */
	if (m->flags & MAPPING_SHARED)
		copy->flags &= ~(uint32_t)MAPPING_ACCOUNT;
	if ((copy->flags & MAPPING_ACCOUNT) && commit_charge(mapping_pages(m)) != 0) {
		struct list one = LIST_INIT(one);

		list_add(&one, &copy->object_node);
		mappings_free(&one);
		return -ENOMEM;
	}
	copy->key = m->key;
	copy->policy = m->policy;
	copy->object_page = m->object_page;
	copy->object = m->object;
	copy->has_anon = m->has_anon;
	if (copy->object)
		object_get(copy->object);
	mapping_set_file(copy, m->file);
	mapping_link(copy);
	if ((m->flags & (MAPPING_SHARED | MAPPING_WIPEONFORK)) || (m->object && !m->has_anon))
		return 0;
	return share_leaves(m, copy, s);
}

static void
copy_layout(struct address_space *from, struct address_space *to)
{
	to->mmap_base = from->mmap_base;
	to->brk_start = from->brk_start;
	to->brk = from->brk;
	to->stack_start = from->stack_start;
	to->code_start = from->code_start;
	to->code_end = from->code_end;
	to->data_start = from->data_start;
	to->data_end = from->data_end;
	to->arg_start = from->arg_start;
	to->arg_end = from->arg_end;
	to->env_start = from->env_start;
	to->env_end = from->env_end;
	to->vdso = from->vdso;
	to->keys = from->keys;
	to->execute_only_key = from->execute_only_key;
	memcpy(to->auxv, from->auxv, sizeof(to->auxv));
	to->auxv_count = from->auxv_count;
	to->dumpable = from->dumpable;
	to->exe = from->exe;
	if (to->exe)
		file_get(to->exe);
}

static bool
runs_elsewhere(const struct address_space *as)
{
	return atomic_load(&as->running) & ~BIT(this_cpu()->id);
}

/* Accessed bits of `as` will be cleared (1), or are flushed by now (-1). */
static void
add_unflushed(struct address_space *as, int n)
{
	spin_lock(&as->page_table_lock);
	as->unflushed += (uint32_t)n;
	spin_unlock(&as->page_table_lock);
}

int
address_space_fork(struct address_space *from, vaddr_t stack, struct address_space **out)
{
	struct address_space *to = address_space_create();
	struct sharing s;
	struct rb_node *n;
	int error = 0;

	if (!to)
		return -ENOMEM;
	s.stack = ALIGN_DOWN(stack, PAGE_SIZE);
	tlb_batch_init(&s.batch, from);
	address_space_change(from);
	address_space_change_nested(to); /* parent, then child */
	copy_layout(from, to);
	s.elsewhere = runs_elsewhere(from);
	if (s.elsewhere)
		add_unflushed(from, 1);
	for (n = rb_first(&from->mappings); n && error == 0; n = rb_next(n))
		error = copy_mapping(rb_entry(n, struct mapping, node), to, &s);
	address_space_changed(to);
	tlb_batch_finish(&s.batch);
	if (s.elsewhere)
		add_unflushed(from, -1);
	address_space_changed(from);
	if (error != 0) {
		address_space_put(to);
		return error;
	}
	*out = to;
	return 0;
}
