/* SPDX-License-Identifier: MIT */
/*
 * pagemap.c - /proc/PID/pagemap: one 64-bit word for each page of the address space. Only who has
 * CAP_SYS_ADMIN learns frame numbers.
 *
 * f->private is target_space_id(). The words of up to CHUNK pages are gathered under as->page_table_lock,
 * then copied out without it.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>

#include "files.h"

#define WORD_PRESENT   BIT(63)
#define WORD_FILE      BIT(61)
#define WORD_EXCLUSIVE BIT(56)
#define WORD_FRAME     (BIT(55) - 1)
#define CHUNK          64u

static uint64_t
word_at(struct address_space *as, vaddr_t va, bool frames)
{
	unsigned int prot;
	struct page *p;
	uint64_t word = WORD_PRESENT;
	paddr_t pa;

	if (!arch_page_table_lookup(&as->page_table, va, &pa, &prot))
		return 0;
	if (prot & PTE_HUGE)
		pa += va & (HUGE_PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
	if (frames)
		word |= pa >> PAGE_SHIFT & WORD_FRAME;
	p = prot & PTE_DEVICE ? NULL : phys_to_page(pa);
	if (p && (p->flags & PAGE_TAIL))
		p = p->head;
	if (p && !(p->flags & PAGE_ANON))
		word |= WORD_FILE;
	if (p && atomic_load_relaxed(&p->mapcount) == 1)
		word |= WORD_EXCLUSIVE;
	return word;
}

static ssize_t
read_words(struct address_space *as, struct iov_iter *to, loff_t *pos, bool frames)
{
	uint64_t words[CHUNK];
	size_t done = 0;

	while (to->count > 0) {
		uint64_t page = (uint64_t)*pos / sizeof(words[0]);
		size_t n = MIN(to->count / sizeof(words[0]), (size_t)CHUNK), moved;

		if (page >= USER_END >> PAGE_SHIFT)
			break;
		n = MIN(n, (size_t)((USER_END >> PAGE_SHIFT) - page));
		read_lock(&as->lock);
		spin_lock(&as->page_table_lock);
		for (size_t i = 0; i < n; i++)
			words[i] = word_at(as, (page + i) << PAGE_SHIFT, frames);
		spin_unlock(&as->page_table_lock);
		read_unlock(&as->lock);
		moved = iov_copy_to(to, words, n * sizeof(words[0]));
		*pos += (loff_t)moved;
		done += moved;
		if (moved < n * sizeof(words[0]))
			return done ? (ssize_t)done : -EFAULT;
		if (signal_pending(current_thread()))
			break;
	}
	return (ssize_t)done;
}

static ssize_t
pagemap_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct address_space *as = NULL;
	struct target at;
	ssize_t n;

	if (*pos % 8 || to->count % 8)
		return -EINVAL;
	if (target_get(f->inode, &at))
		return 0;
	if (process_may_inspect(at.process) == 0)
		as = target_space(&at, (uintptr_t)f->private);
	n = as ? read_words(as, to, pos, cred_capable(f->cred, CAP_SYS_ADMIN)) : 0;
	if (as)
		address_space_put(as);
	target_put(&at);
	return n;
}

const struct file_ops pagemap_file_ops = {
	.no_splice_read = true,
	.name = "proc pagemap",
	.read = pagemap_read,
};
