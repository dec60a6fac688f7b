/* SPDX-License-Identifier: MIT */
/*
 * maps.c - /proc/PID/maps, smaps, smaps_rollup and mem: the address space, told and read.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
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
	size_t before = t->used;

	text_print(t, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", m->start, m->end,
		   m->flags & MAPPING_READ ? 'r' : '-', m->flags & MAPPING_WRITE ? 'w' : '-',
		   m->flags & MAPPING_EXEC ? 'x' : '-', m->flags & MAPPING_SHARED ? 's' : 'p',
		   m->object && i ? m->object_page << PAGE_SHIFT : 0ul, i ? DEV_MAJOR(i->fs->device) : 0,
		   i ? DEV_MINOR(i->fs->device) : 0, i ? i->number : 0);
	if ((m->file && m->file->dentry) || special_name(m)) {
		while (!t->failed && t->used - before < 73)
			text_add(t, " ", 1);
		print_name(t, m, buf);
	}
	text_add(t, "\n", 1);
}

struct usage {
	uint64_t size, resident, shared, private_dirty, anonymous;
};

/* What of [start, end) is in the page tables. as->lock is held for reading. */
static void
measure(struct address_space *as, const struct mapping *m, struct usage *u)
{
	vaddr_t va = m->start;

	u->size += m->end - m->start;
	spin_lock(&as->page_table_lock);
	for (va = arch_page_table_next(&as->page_table, va, m->end); va < m->end;
	     va = arch_page_table_next(&as->page_table, va, m->end)) {
		unsigned int prot;
		paddr_t pa;
		size_t size = PAGE_SIZE;
		struct page *p;

		if (!arch_page_table_lookup(&as->page_table, va, &pa, &prot)) {
			va += PAGE_SIZE;
			continue;
		}
		if (prot & PTE_HUGE)
			size = HUGE_PAGE_SIZE;
		p = prot & PTE_DEVICE ? NULL : phys_to_page(pa);
		u->resident += size;
		if (p && p->mapcount > 1)
			u->shared += size;
		else
			u->private_dirty += size;
		if (p && (p->flags & PAGE_ANON))
			u->anonymous += size;
		va = ALIGN_DOWN(va, size) + size;
	}
	spin_unlock(&as->page_table_lock);
}

static void
print_usage(struct text *t, const struct usage *u)
{
	text_print(t, "Rss:            %8lu kB\nPss:            %8lu kB\nShared_Clean:   %8lu kB\n"
		      "Shared_Dirty:   %8lu kB\nPrivate_Clean:  %8lu kB\nPrivate_Dirty:  %8lu kB\n"
		      "Referenced:     %8lu kB\nAnonymous:      %8lu kB\nAnonHugePages:  %8lu kB\n"
		      "Swap:           %8lu kB\nLocked:         %8lu kB\n",
		   u->resident / 1024, (u->private_dirty + u->shared / 2) / 1024, u->shared / 1024, 0ul, 0ul,
		   u->private_dirty / 1024, u->resident / 1024, u->anonymous / 1024, 0ul, 0ul, 0ul);
}

enum detail { MAPS, SMAPS, ROLLUP };

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
		if (detail != ROLLUP)
			print_mapping(t, &m, buf);
		if (detail == SMAPS) {
			text_print(t, "Size:           %8lu kB\nKernelPageSize: %8lu kB\nMMUPageSize:    %8lu kB\n",
				   u.size / 1024, PAGE_SIZE / 1024, PAGE_SIZE / 1024);
			print_usage(t, &u);
			text_print(t, "VmFlags:%s%s%s%s \n", m.flags & MAPPING_READ ? " rd" : "",
				   m.flags & MAPPING_WRITE ? " wr" : "", m.flags & MAPPING_EXEC ? " ex" : "",
				   m.flags & MAPPING_SHARED ? " sh" : "");
			u = (struct usage){ 0 };
		}
		if (m.file)
			file_put(m.file);
	}
	if (detail == ROLLUP && last) {
		text_print(t, "%08lx-%08lx ---p 00000000 00:00 0 %25s[rollup]\n", first, last, "");
		print_usage(t, &u);
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
show_smaps(struct text *t, struct target *at)
{
	return show(t, at, SMAPS);
}

int
show_smaps_rollup(struct text *t, struct target *at)
{
	return show(t, at, ROLLUP);
}

/* /proc/PID/mem: positions are addresses. */
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
	as = process_may_inspect(at.process) == 0 ? process_address_space(at.process) : NULL;
	buf = kmalloc(PAGE_SIZE, 0);
	while (as && buf && it->count > 0) {
		size_t want = MIN(it->count, PAGE_SIZE - (size_t)*pos % PAGE_SIZE), moved;

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
	.read = memory_read,
	.write = memory_write,
	.seek = memory_seek,
};
