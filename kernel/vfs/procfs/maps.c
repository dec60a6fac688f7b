/* SPDX-License-Identifier: MIT */
/*
 * maps.c - /proc/PID/maps, smaps, smaps_rollup and mem: the address space, told and read.
 */
#include <tessera/address_space.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../vfs.h"
#include "procfs.h"

static const char *
special_name(const struct mapping *m)
{
	if (m->flags & MAPPING_HEAP)
		return "[heap]";
	if (m->flags & MAPPING_STACK)
		return "[stack]";
	if (m->flags & MAPPING_VDSO)
		return "[vdso]";
	if (m->flags & MAPPING_VVAR)
		return "[vvar]";
	if ((m->flags & MAPPING_SHARED) && !m->file)
		return "/dev/zero (deleted)"; /* shared memory without a file */
	return NULL;
}

static void
print_name(struct text *t, const struct mapping *m, char *buf)
{
	const char *name = special_name(m);

	if (m->file && m->file->dentry) {
		name = path_name(&(struct path){ m->file->mount, m->file->dentry }, buf, PATH_MAX);
		if (IS_ERR(name))
			name = NULL;
	}
	if (name)
		text_print(t, "%s", name);
}

static void
print_mapping(struct text *t, const struct mapping *m, char *buf)
{
	const struct inode *i = m->file ? m->file->inode : NULL;
	bool named = (m->file && m->file->dentry) || special_name(m);
	size_t before = t->used;

	text_print(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", m->start, m->end,
		   m->flags & MAPPING_READ ? 'r' : '-', m->flags & MAPPING_WRITE ? 'w' : '-',
		   m->flags & MAPPING_EXEC ? 'x' : '-', m->flags & MAPPING_SHARED ? 's' : 'p',
		   m->object && i ? m->object_page << PAGE_SHIFT : 0ul, i ? DEV_MAJOR(i->fs->device) : 0,
		   i ? DEV_MINOR(i->fs->device) : 0, i ? i->number : 0);
	if (named) {
		while (!t->failed && t->used - before < 73)
			text_add(t, " ", 1);
		print_name(t, m, buf);
	}
	text_add(t, "\n", 1);
}

/* Bytes, but for the shares: those are in units of 1 / (1 << SHARE_SHIFT) byte. */
struct usage {
	uint64_t size, resident, shared_clean, shared_dirty, private_clean, private_dirty;
	uint64_t referenced, anonymous, huge, locked;
	uint64_t share, share_dirty, share_anon, share_file, share_shmem;
};

#define SHARE_SHIFT   12
#define MEASURE_BATCH 512 /* leaves looked at in one hold of page_table_lock */

/*
 * How many leaves show the page. Leaves of anonymous memory are counted by the page's references alone; a
 * block that is split somewhere has one for each small leaf, so of such a block it is only known that it is
 * shared.
 */
static uint32_t
sharers(const struct page *head, bool block)
{
	uint32_t refs;

	if (!(head->flags & PAGE_ANON))
		return MAX(atomic_load_relaxed(&head->mapcount), 1u);
	refs = MAX(atomic_load_relaxed(&head->refcount), 1u);
	return block ? MIN(refs, 2u) : refs;
}

static void
count_leaf(struct usage *u, const struct mapping *m, struct page *p, size_t size, unsigned int prot)
{
	struct page *head = p->flags & PAGE_TAIL ? p->head : p;
	uint32_t maps = sharers(head, p->flags & (PAGE_HEAD | PAGE_TAIL));
	uint64_t share = ((uint64_t)size << SHARE_SHIFT) / maps;
	bool anonymous = head->flags & PAGE_ANON;
	/* Memory without a store behind it can only be lost: it counts as dirty. */
	bool dirty = anonymous || (prot & PTE_DIRTY) || (head->flags & PAGE_DIRTY) ||
		     (m->object && !m->object->ops->write_page);

	u->resident += size;
	u->share += share;
	if (dirty)
		u->share_dirty += share;
	if (maps > 1)
		*(dirty ? &u->shared_dirty : &u->shared_clean) += size;
	else
		*(dirty ? &u->private_dirty : &u->private_clean) += size;
	if ((prot & PTE_ACCESSED) || (head->flags & PAGE_REFERENCED))
		u->referenced += size;
	if (m->flags & MAPPING_LOCKED)
		u->locked += share >> SHARE_SHIFT;
	if (anonymous) {
		u->anonymous += size;
		u->share_anon += share;
		if (prot & PTE_HUGE)
			u->huge += size;
	} else if (m->object && m->object->ops == &anonymous_object_ops) {
		u->share_shmem += share;
	} else {
		u->share_file += share;
	}
}

/* Add what of `m` is in the page tables. as->lock is held for reading; page_table_lock is let go now and
 * then, so that a large mapping keeps no fault waiting. */
static void
measure(struct address_space *as, const struct mapping *m, struct usage *u)
{
	vaddr_t va = m->start;

	u->size += m->end - m->start;
	while (va < m->end) {
		spin_lock(&as->page_table_lock);
		for (int n = 0; n < MEASURE_BATCH; n++) {
			size_t size = PAGE_SIZE;
			unsigned int prot;
			struct page *p;
			paddr_t pa;

			va = arch_page_table_next(&as->page_table, va, m->end);
			if (va >= m->end)
				break;
			if (arch_page_table_lookup(&as->page_table, va, &pa, &prot)) {
				if (prot & PTE_HUGE)
					size = HUGE_PAGE_SIZE;
				p = prot & PTE_DEVICE ? NULL : phys_to_page(pa);
				if (p)
					count_leaf(u, m, p, size, prot);
			}
			va = ALIGN_DOWN(va, size) + size;
		}
		spin_unlock(&as->page_table_lock);
	}
}

static void
print_kib(struct text *t, const char *name, uint64_t bytes)
{
	text_print(t, "%-16s%8lu kB\n", name, bytes / 1024); /* columns as on Linux, also where the name is long */
}

static void
print_usage(struct text *t, const struct usage *u, bool rollup)
{
	print_kib(t, "Rss:", u->resident);
	print_kib(t, "Pss:", u->share >> SHARE_SHIFT);
	print_kib(t, "Pss_Dirty:", u->share_dirty >> SHARE_SHIFT);
	if (rollup) {
		print_kib(t, "Pss_Anon:", u->share_anon >> SHARE_SHIFT);
		print_kib(t, "Pss_File:", u->share_file >> SHARE_SHIFT);
		print_kib(t, "Pss_Shmem:", u->share_shmem >> SHARE_SHIFT);
	}
	print_kib(t, "Shared_Clean:", u->shared_clean);
	print_kib(t, "Shared_Dirty:", u->shared_dirty);
	print_kib(t, "Private_Clean:", u->private_clean);
	print_kib(t, "Private_Dirty:", u->private_dirty);
	print_kib(t, "Referenced:", u->referenced);
	print_kib(t, "Anonymous:", u->anonymous);
	print_kib(t, "LazyFree:", 0);
	print_kib(t, "AnonHugePages:", u->huge);
	print_kib(t, "ShmemPmdMapped:", 0);
	print_kib(t, "FilePmdMapped:", 0);
	print_kib(t, "Shared_Hugetlb:", 0);
	print_kib(t, "Private_Hugetlb:", 0);
	print_kib(t, "Swap:", 0);
	print_kib(t, "SwapPss:", 0);
	print_kib(t, "Locked:", u->locked);
}

static void
print_flags(struct text *t, const struct mapping *m)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ MAPPING_READ, "rd" },     { MAPPING_WRITE, "wr" },     { MAPPING_EXEC, "ex" },
		{ MAPPING_SHARED, "sh" },   { MAPPING_MAYREAD, "mr" },   { MAPPING_MAYWRITE, "mw" },
		{ MAPPING_MAYEXEC, "me" },  { MAPPING_SHARED, "ms" },    { MAPPING_GROWSDOWN, "gd" },
		{ MAPPING_LOCKED, "lo" },   { MAPPING_SEQUENTIAL, "sr" }, { MAPPING_RANDOM, "rr" },
		{ MAPPING_DONTFORK, "dc" },  { MAPPING_ACCOUNT, "ac" },
		{ MAPPING_NORESERVE, "nr" }, { MAPPING_HUGETLB, "ht" },  { MAPPING_WIPEONFORK, "wf" },
		{ MAPPING_DONTDUMP, "dd" }, { MAPPING_HUGE, "hg" },      { MAPPING_NOHUGE, "nh" },
	};

	text_print(t, "VmFlags:");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (m->flags & names[i].flag)
			text_print(t, " %s", names[i].name);
	text_print(t, " \n");
}

/* One line of numa_maps: pages, all of the one node there is. `u` is of `m` alone. */
static void
print_node(struct text *t, const struct mapping *m, const struct usage *u, char *buf)
{
	bool file = m->file && m->file->dentry;
	uint64_t dirty = u->shared_dirty + u->private_dirty;

	text_print(t, "%08lx default", m->start);
	if (file) {
		text_print(t, " file=");
		print_name(t, m, buf);
	} else if (m->flags & (MAPPING_HEAP | MAPPING_STACK)) {
		text_print(t, m->flags & MAPPING_HEAP ? " heap" : " stack");
	}
	if (m->flags & MAPPING_HUGETLB)
		text_print(t, " huge");
	if (u->resident) {
		if (u->anonymous)
			text_print(t, " anon=%lu", u->anonymous >> PAGE_SHIFT);
		if (dirty)
			text_print(t, " dirty=%lu", dirty >> PAGE_SHIFT);
		if (u->resident != u->anonymous && u->resident != dirty)
			text_print(t, " mapped=%lu", u->resident >> PAGE_SHIFT);
		text_print(t, " N0=%lu kernelpagesize_kB=4", u->resident >> PAGE_SHIFT);
	}
	text_add(t, "\n", 1);
}

enum detail { MAPS, SMAPS, ROLLUP, NODES };

/*
 * A copy of the mapping at or after `from`, with a reference on its file; what is in memory of it is
 * added to *u unless NULL. False: no more. Names are printed without as->lock, which is inner to the
 * locks that names need.
 */
static bool
copy_mapping(struct address_space *as, vaddr_t from, struct mapping *out, struct usage *u)
{
	struct mapping *m;

	read_lock(&as->lock);
	m = address_space_find(as, from);
	if (m) {
		*out = *m;
		if (out->file)
			file_get(out->file);
		if (u)
			measure(as, m, u);
	}
	read_unlock(&as->lock);
	return m != NULL;
}

/* A whole aligned 2 MiB fits. */
static bool
huge_possible(const struct mapping *m)
{
	return ALIGN_UP(m->start, HUGE_PAGE_SIZE) + HUGE_PAGE_SIZE <= m->end;
}

static int
show(struct text *t, struct target *at, enum detail detail)
{
	struct address_space *as = process_address_space(at->process);
	struct mapping m;
	struct usage u = { 0 };
	vaddr_t first = 0, last = 0;
	char *buf;

	if (!as)
		return 0;
	buf = kmalloc(PATH_MAX, 0);
	if (!buf) {
		address_space_put(as);
		return -ENOMEM;
	}
	while (copy_mapping(as, last, &m, detail == MAPS ? NULL : &u)) {
		if (!last)
			first = m.start;
		last = m.end;
		if (detail == MAPS || detail == SMAPS)
			print_mapping(t, &m, buf);
		if (detail == NODES) {
			print_node(t, &m, &u, buf);
			u = (struct usage){ 0 };
		}
		if (detail == SMAPS) {
			print_kib(t, "Size:", u.size);
			print_kib(t, "KernelPageSize:", PAGE_SIZE);
			print_kib(t, "MMUPageSize:", PAGE_SIZE);
			print_usage(t, &u, false);
			text_print(t, "THPeligible:    %d\n",
				   !m.object && !(m.flags & MAPPING_NOHUGE) && huge_possible(&m));
			if (arch_key_count())
				text_print(t, "ProtectionKey:  %8u\n", m.key);
			print_flags(t, &m);
			u = (struct usage){ 0 };
		}
		if (m.file)
			file_put_late(m.file);
	}
	if (detail == ROLLUP) {
		size_t before = t->used;

		text_print(t, "%08lx-%08lx ---p 00000000 00:00 0 ", first, last);
		while (!t->failed && t->used - before < 73)
			text_add(t, " ", 1);
		text_print(t, "[rollup]\n");
		print_usage(t, &u, true);
	}
	kfree(buf);
	address_space_put(as);
	return 0;
}

int
show_maps(struct text *t, struct target *at)
{
	return show(t, at, MAPS);
}

int
show_numa_maps(struct text *t, struct target *at)
{
	return show(t, at, NODES);
}

int
show_smaps(struct text *t, struct target *at)
{
	return show(t, at, SMAPS);
}

int
show_smaps_rollup(struct text *t, struct target *at)
{
	return show(t, at, ROLLUP);
}

/* /proc/PID/mem: positions are addresses. f->private: target_space_id(). */
static ssize_t
move_memory(struct file *f, struct iov_iter *it, loff_t *pos, bool write)
{
	struct address_space *as;
	struct target at;
	size_t done = 0;
	char *buf;
	ssize_t n = target_get(f->inode, &at);

	if (n)
		return 0; /* the program has gone: nothing to read */
	as = process_may_inspect(at.process) == 0 ? target_space(&at, (uintptr_t)f->private) : NULL;
	buf = kmalloc(PAGE_SIZE, 0);
	if (!buf)
		n = -ENOMEM;
	while (as && buf && it->count > 0) {
		size_t want = MIN(it->count, PAGE_SIZE - (size_t)*pos % PAGE_SIZE), moved;

		if (signal_fatal_pending(current_thread())) {
			n = -EINTR;
			break;
		}
		if (write) {
			want = iov_copy_from(buf, it, want);
			n = want ? address_space_access(as, (vaddr_t)*pos, buf, want, true, true) : -EFAULT;
			moved = n > 0 ? (size_t)n : 0;
		} else {
			n = address_space_access(as, (vaddr_t)*pos, buf, want, false, true);
			moved = n > 0 ? iov_copy_to(it, buf, (size_t)n) : 0;
		}
		if (n <= 0 || moved == 0) {
			n = n < 0 ? -EIO : -EFAULT;
			break;
		}
		*pos += (loff_t)moved;
		done += moved;
	}
	kfree(buf);
	if (as)
		address_space_put(as);
	target_put(&at);
	return done ? (ssize_t)done : MIN(n, (ssize_t)0);
}

static ssize_t
memory_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return move_memory(f, to, pos, false);
}

static ssize_t
memory_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return move_memory(f, from, pos, true);
}

static loff_t
memory_seek(struct file *f, loff_t offset, int whence)
{
	if (whence == 1)
		offset += f->position;
	else if (whence != 0)
		return -EINVAL;
	return f->position = offset;
}

const struct file_ops memory_file_ops = {
	.name = "proc memory",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = memory_read,
	.write = memory_write,
	.seek = memory_seek,
};
