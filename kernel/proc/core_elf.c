/* SPDX-License-Identifier: MIT */
/*
 * core_elf.c - a process as an ELF core file, as debuggers read them.
 *
 *   ELF header | program headers | notes | padding to a page | the memory of each PT_LOAD in turn
 *
 * The notes, in Linux's order: of the thread that took the signal NT_PRSTATUS; of the process NT_PRPSINFO,
 * NT_SIGINFO, NT_AUXV, NT_FILE; of that thread NT_PRFPREG, NT_X86_XSTATE; then of each other thread its
 * NT_PRSTATUS and the same two. Their size is found by writing them to nowhere first.
 *
 * Every mapping has a PT_LOAD; how much of it is in the file is what process->coredump_filter says
 * (core(5)). Pages of anonymous memory that were never touched are holes in the file.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/core.h>
#include <tessera/cred.h>
#include <tessera/elf.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/iov.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "core.h"
#include "proc.h"

#define ELF_CORE 4
#define ELF_PT_NOTE 4

#define NT_PRSTATUS   1
#define NT_PRFPREG    2
#define NT_PRPSINFO   3
#define NT_AUXV       6
#define NT_X86_XSTATE 0x202
#define NT_FILE       0x46494c45
#define NT_SIGINFO    0x53494749

#define ARGUMENTS_SIZE 80

struct note_header {
	uint32_t name_size, size, type;
};

struct core_timeval {
	int64_t sec, usec;
};

/* struct elf_prstatus */
struct core_status {
	int32_t signo, code, error;
	int16_t current;
	uint64_t pending, held;
	int32_t pid, ppid, pgrp, sid;
	struct core_timeval user, system, children_user, children_system;
	uint64_t registers[ARCH_REGISTERS];
	int32_t has_fpu;
};
_Static_assert(sizeof(struct core_status) == 336, "struct elf_prstatus");

/* struct elf_prpsinfo */
struct core_process {
	char state, letter, zombie, nice;
	uint64_t flags;
	uint32_t uid, gid;
	int32_t pid, ppid, pgrp, sid;
	char name[16];
	char arguments[ARGUMENTS_SIZE];
};
_Static_assert(sizeof(struct core_process) == 136, "struct elf_prpsinfo");

/* A mapping as it was when the dump began. */
struct area {
	vaddr_t start, end;
	uint64_t dumped;      /* bytes of it that go into the file */
	uint64_t page;        /* offset in `file` */
	uint32_t flags;
	bool sparse;          /* pages that are not there are holes */
	struct file *file;    /* a reference, NULL: none */
};

struct core {
	struct process *p;
	struct address_space *as;
	const struct siginfo *info;
	struct area *areas;
	uint32_t count;
	char *buf;            /* PATH_MAX or a page, whichever is larger: a page */
	int32_t pid, ppid, pgrp, sid;
};
_Static_assert(PATH_MAX <= PAGE_SIZE, "one buffer does for both");

/* --- output --------------------------------------------------------------------------------------------- */

static void
put(struct core_out *o, const void *data, size_t n)
{
	struct iov_iter it;
	loff_t at = o->position;

	if (o->failed)
		return;
	if (!o->file) {
		o->position += (loff_t)n;
		return;
	}
	iov_iter_kernel(&it, (void *)(uintptr_t)data, n);
	o->written += n;
	if (o->written > o->limit || signal_fatal_pending(current_thread()) ||
	    file_write(o->file, &it, &at) != (ssize_t)n)
		o->failed = true;
	o->position = at;
}

static void
put_zeroes(struct core_out *o, size_t n)
{
	static const uint64_t zeroes[8];

	while (n > 0 && !o->failed) {
		size_t part = MIN(n, sizeof(zeroes));

		put(o, zeroes, part);
		n -= part;
	}
}

/* --- notes ------------------------------------------------------------------------------------------------ */

static void
begin_note(struct core_out *o, const char *name, uint32_t type, size_t size)
{
	struct note_header h = { (uint32_t)strlen(name) + 1, (uint32_t)size, type };
	char padded[8] = { 0 };

	memcpy(padded, name, h.name_size);
	put(o, &h, sizeof(h));
	put(o, padded, sizeof(padded));
}

static void
put_note(struct core_out *o, const char *name, uint32_t type, const void *data, size_t size)
{
	begin_note(o, name, type, size);
	put(o, data, size);
	put_zeroes(o, ALIGN_UP(size, 4ul) - size);
}

static struct core_timeval
timeval_of(uint64_t ns)
{
	return (struct core_timeval){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC) };
}

static void
put_status(struct core_out *o, const struct core *c, struct thread *t)
{
	struct core_status s = { .pid = t->tid, .ppid = c->ppid, .pgrp = c->pgrp, .sid = c->sid, .has_fpu = 1 };
	uint64_t user, sys;

	s.signo = s.current = (int16_t)c->info->signo;
	s.code = c->info->code;
	s.error = c->info->error;
	s.pending = t->pending.set;
	s.held = t->signal_mask;
	if (t->tid == c->p->pid)
		process_times(c->p, &user, &sys);
	else
		thread_times(t, &user, &sys);
	s.user = timeval_of(user);
	s.system = timeval_of(sys);
	s.children_user = timeval_of(c->p->children_user_ns);
	s.children_system = timeval_of(c->p->children_system_ns);
	for (unsigned int i = 0; i < ARCH_REGISTERS; i++)
		s.registers[i] = arch_register_get(t, i);
	put_note(o, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

static void
put_fpu(struct core_out *o, const struct core *c, struct thread *t)
{
	size_t size = arch_fpu_size(true);

	assert(size <= PAGE_SIZE);
	arch_fpu_get(t, c->buf, false);
	put_note(o, "CORE", NT_PRFPREG, c->buf, arch_fpu_size(false));
	if (size > arch_fpu_size(false)) {
		arch_fpu_get(t, c->buf, true);
		put_note(o, "LINUX", NT_X86_XSTATE, c->buf, size);
	}
}

static void
put_process(struct core_out *o, const struct core *c)
{
	struct core_process i = { .letter = 'R', .pid = c->pid, .ppid = c->ppid, .pgrp = c->pgrp, .sid = c->sid };
	struct thread *t = current_thread();
	size_t n = MIN(c->as->arg_end - c->as->arg_start, (size_t)ARGUMENTS_SIZE - 1);
	ssize_t got = address_space_access(c->as, c->as->arg_start, i.arguments, n, false, true);

	i.nice = t->nice;
	i.flags = c->p->did_exec ? 0x400000 : 0x400040;
	i.uid = current_cred()->uid;
	i.gid = current_cred()->gid;
	string_copy(i.name, t->name, sizeof(i.name));
	for (ssize_t at = 0; at < got; at++)
		if (i.arguments[at] == '\0')
			i.arguments[at] = ' ';
	put_note(o, "CORE", NT_PRPSINFO, &i, sizeof(i));
}

static const char *
area_name(const struct core *c, const struct area *a)
{
	char *name = a->file && a->file->dentry
		     ? path_name(&(struct path){ a->file->mount, a->file->dentry }, c->buf, PATH_MAX) : NULL;

	return name && !IS_ERR(name) ? name : "";
}

/* Which files lie where: three words a mapping, then the names. */
static void
put_files(struct core_out *o, const struct core *c)
{
	uint64_t head[2] = { 0, PAGE_SIZE };
	size_t size = sizeof(head);

	for (uint32_t i = 0; i < c->count; i++) {
		if (!c->areas[i].file)
			continue;
		head[0]++;
		size += 3 * sizeof(uint64_t) + strlen(area_name(c, &c->areas[i])) + 1;
	}
	if (head[0] == 0)
		return;
	begin_note(o, "CORE", NT_FILE, size);
	put(o, head, sizeof(head));
	for (uint32_t i = 0; i < c->count; i++) {
		const struct area *a = &c->areas[i];
		uint64_t place[3] = { a->start, a->end, a->page };

		if (a->file)
			put(o, place, sizeof(place));
	}
	for (uint32_t i = 0; i < c->count; i++) {
		const char *name;

		if (!c->areas[i].file)
			continue;
		name = area_name(c, &c->areas[i]);
		put(o, name, strlen(name) + 1);
	}
	put_zeroes(o, ALIGN_UP(size, 4ul) - size);
}

/* All others are parked: the list changes no more, and is read without its locks. */
static void
put_notes(struct core_out *o, const struct core *c)
{
	struct thread *self = current_thread(), *t;
	size_t words = MIN((size_t)c->as->auxv_count, ARRAY_SIZE(c->as->auxv));

	put_status(o, c, self);
	put_process(o, c);
	put_note(o, "CORE", NT_SIGINFO, c->info, sizeof(*c->info));
	put_note(o, "CORE", NT_AUXV, c->as->auxv, words * sizeof(uint64_t));
	put_files(o, c);
	put_fpu(o, c, self);
	list_for_each(t, &c->p->threads, process_node) {
		if (t == self || t->worker) /* a worker has no registers of the program's */
			continue;
		put_status(o, c, t);
		put_fpu(o, c, t);
	}
}

/* --- memory ------------------------------------------------------------------------------------------------ */

/* How much of a mapping is dumped, by the rules of core(5). as->lock held. */
static uint64_t
dump_size(const struct mapping *m, uint32_t filter)
{
	bool shared = m->flags & MAPPING_SHARED;
	bool nameless = !m->file || m->file->inode->links == 0;
	uint64_t all = m->end - m->start;

	if (m->flags & MAPPING_VDSO)
		return all;
	if (m->flags & (MAPPING_DONTDUMP | MAPPING_DEVICE | MAPPING_VVAR))
		return 0;
	if (m->flags & MAPPING_HUGETLB)
		return filter & (shared ? CORE_HUGE_SHARED : CORE_HUGE_PRIVATE) ? all : 0;
	if (shared)
		return filter & (nameless ? CORE_ANON_SHARED : CORE_FILE_SHARED) ? all : 0;
	if ((!m->file || atomic_load_relaxed(&m->has_anon)) && (filter & CORE_ANON_PRIVATE))
		return all;
	if (!m->file)
		return 0;
	if (filter & CORE_FILE_PRIVATE)
		return all;
	/* The first page of a program or library tells which one it is. */
	if ((filter & CORE_ELF_HEADERS) && m->object_page == 0 && (m->flags & MAPPING_READ) &&
	    (m->file->inode->mode & 0111))
		return PAGE_SIZE;
	return 0;
}

static void
gather(struct core *c, uint32_t room, uint32_t filter)
{
	struct mapping *m;

	for (m = address_space_find(c->as, 0); m && c->count < room; m = mapping_next(m)) {
		struct area *a = &c->areas[c->count++];

		*a = (struct area){ .start = m->start, .end = m->end, .flags = m->flags,
				    .dumped = dump_size(m, filter), .sparse = !m->object };
		if (m->file && m->file->dentry) {
			a->page = m->object_page;
			a->file = m->file;
			file_get(a->file);
		}
	}
}

/* The mappings now; who shares the memory from another process may still add some: those are left out. */
static bool
list_areas(struct core *c)
{
	uint32_t filter = atomic_load(&c->p->coredump_filter);

	read_lock(&c->as->lock);
	c->areas = kmalloc(MAX(c->as->mapping_count, 1u) * sizeof(*c->areas), 0);
	if (c->areas)
		gather(c, c->as->mapping_count, filter);
	read_unlock(&c->as->lock);
	return c->areas;
}

static void
free_areas(struct core *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		if (c->areas[i].file)
			file_put(c->areas[i].file);
	kfree(c->areas);
}

static void
put_area(struct core_out *o, const struct core *c, const struct area *a)
{
	for (vaddr_t at = a->start; at < a->start + a->dumped && !o->failed; at += PAGE_SIZE) {
		bool there = true;

		if (a->sparse && (address_space_mincore(c->as, at, &there) || !there))
			there = false;
		else
			there = address_space_access(c->as, at, c->buf, PAGE_SIZE, false, true) == (ssize_t)PAGE_SIZE;
		if (there)
			put(o, c->buf, PAGE_SIZE);
		else
			o->position += (loff_t)PAGE_SIZE;
	}
}

/* --- the file ------------------------------------------------------------------------------------------------ */

static void
put_headers(struct core_out *o, const struct core *c, uint64_t notes)
{
	struct elf_header h = {
		.ident = { 0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little end first */, 1 },
		.type = ELF_CORE, .machine = ELF_MACHINE_X86_64, .version = 1, .phoff = sizeof(h),
		.ehsize = sizeof(h), .phentsize = sizeof(struct elf_segment), .phnum = (uint16_t)(c->count + 1),
	};
	struct elf_segment s = { .type = ELF_PT_NOTE, .file_size = notes, .align = 4 };

	s.offset = sizeof(h) + (c->count + 1) * sizeof(s);
	put(o, &h, sizeof(h));
	put(o, &s, sizeof(s));
	s.offset = ALIGN_UP(s.offset + notes, PAGE_SIZE);
	s.type = ELF_PT_LOAD;
	s.align = PAGE_SIZE;
	for (uint32_t i = 0; i < c->count; i++) {
		const struct area *a = &c->areas[i];

		s.vaddr = a->start;
		s.file_size = a->dumped;
		s.memory_size = a->end - a->start;
		s.flags = (a->flags & MAPPING_READ ? ELF_PF_R : 0) | (a->flags & MAPPING_WRITE ? ELF_PF_W : 0) |
			  (a->flags & MAPPING_EXEC ? ELF_PF_X : 0);
		put(o, &s, sizeof(s));
		s.offset += s.file_size;
	}
}

static void
put_all(struct core_out *o, const struct core *c)
{
	struct core_out counter = { 0 };
	loff_t written;

	put_notes(&counter, c);
	put_headers(o, c, (uint64_t)counter.position);
	put_notes(o, c);
	o->position = ALIGN_UP(o->position, (loff_t)PAGE_SIZE);
	written = o->position;
	for (uint32_t i = 0; i < c->count; i++)
		put_area(o, c, &c->areas[i]);
	/* The file is as long as its headers say, also when it ends in a hole. */
	if (!o->failed && o->position > written && o->file->inode->size < (uint64_t)o->position) {
		o->position--;
		put(o, "", 1);
	}
}

bool
core_elf_write(struct core_out *o, struct process *p, const struct siginfo *info)
{
	struct core c = { .p = p, .as = p->as, .info = info, .pid = p->pid };
	bool written = false;

	c.pgrp = process_pgid(p);
	c.sid = process_sid(p);
	spin_lock(&process_tree_lock);
	c.ppid = p->parent ? p->parent->pid : 0;
	spin_unlock(&process_tree_lock);
	c.buf = kmalloc(PAGE_SIZE, 0);
	if (!c.buf)
		return false;
	if (list_areas(&c)) {
		put_all(o, &c);
		written = true;
		free_areas(&c);
	}
	kfree(c.buf);
	return written;
}
