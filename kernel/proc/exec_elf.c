/* SPDX-License-Identifier: MIT */
/*
 * exec_elf.c - a program in a new address space: segments, interpreter, stack, vDSO.
 *
 * Nothing here touches the calling program: the space is built beside the old one, so every failure is
 * still an error that execve can return.
 *
 *   0x0000000000010000   lowest mapping
 *   0x0000000000400000   ET_EXEC programs, usually, and their heap
 *   [0x200000000000, 0x400000000000)  the commons, kept free
 *   0x0000555555554000   ET_DYN programs (plus up to 2^28 pages), then their heap
 *   mmap_base            mappings, downwards: the interpreter first
 *   stack                below 0x7ffffffff000 by up to 2^22 pages
 *
 * The top of the stack, from high addresses: 8 zero bytes; file name, environment and argument strings
 * (in ascending order arguments, environment, name); "x86_64"; 16 random bytes; the auxiliary vector;
 * environment pointers; argument pointers; argc, at a 16-byte boundary, where rsp points.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/cred.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/process.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "exec.h"
#include "proc.h"

#define PIE_BASE        0x0000555555554000ul
#define PIE_RANDOM_BITS 28
#define MMAP_RANDOM_BITS 28
#define STACK_RANDOM_BITS 22
#define BRK_RANDOM      0x02000000ul
#define STACK_GAP_MIN   (128ul << 20)
#define STACK_GUARD_GAP (256 * PAGE_SIZE)
#define STACK_SLACK     (128ul << 10)

#define ADDR_NO_RANDOMIZE 0x0040000u

#define AUX_NULL 0
#define AUX_PHDR 3
#define AUX_PHENT 4
#define AUX_PHNUM 5
#define AUX_PAGESZ 6
#define AUX_BASE 7
#define AUX_FLAGS 8
#define AUX_ENTRY 9
#define AUX_UID 11
#define AUX_EUID 12
#define AUX_GID 13
#define AUX_EGID 14
#define AUX_PLATFORM 15
#define AUX_HWCAP 16
#define AUX_CLKTCK 17
#define AUX_SECURE 23
#define AUX_RANDOM 25
#define AUX_HWCAP2 26
#define AUX_EXECFN 31
#define AUX_SYSINFO_EHDR 33
#define AUX_MINSIGSTKSZ 51

int randomize_va_space = 2;

static const char platform[] = "x86_64";

/* --- files ------------------------------------------------------------------------------------ */

int
elf_image_read(struct elf_image *e, struct file *f)
{
	ssize_t n = file_read_kernel(f, &e->header, sizeof(e->header), 0);
	size_t size;
	int error;

	if (n != sizeof(e->header))
		return n < 0 ? (int)n : -ENOEXEC;
	error = elf_check_header(&e->header);
	if (error)
		return error;
	if (e->header.phoff > INT64_MAX - ELF_HEADERS_MAX * sizeof(struct elf_segment))
		return -ENOEXEC;
	size = e->header.phnum * sizeof(struct elf_segment);
	e->segments = kmalloc(size, 0);
	if (!e->segments)
		return -ENOMEM;
	n = file_read_kernel(f, e->segments, size, e->header.phoff);
	if (n < 0)
		return (int)n;
	if ((size_t)n != size)
		return -ENOEXEC; /* the table is not there */
	error = elf_plan_load(&e->header, e->segments, INT64_MAX, USER_END, &e->plan);
	if (error)
		return error;
	file_get(f);
	e->file = f;
	return 0;
}

void
elf_image_free(struct elf_image *e)
{
	kfree(e->segments);
	e->segments = NULL;
	if (e->file)
		file_put(e->file);
	e->file = NULL;
}

static uint32_t
segment_flags(const struct elf_segment *s)
{
	return (s->flags & ELF_PF_R ? MAPPING_READ : 0) | (s->flags & ELF_PF_W ? MAPPING_WRITE : 0) |
	       (s->flags & ELF_PF_X ? MAPPING_EXEC : 0) | MAPPING_MAYREAD | MAPPING_MAYWRITE |
	       MAPPING_MAYEXEC;
}

static int
map_anonymous(struct address_space *as, vaddr_t start, vaddr_t end, uint32_t flags)
{
	struct map_request r = {
		.addr = start,
		.length = end - start,
		.flags = flags,
		.place = MAP_PLACE_FIXED,
	};
	long at;

	if (start >= end)
		return 0;
	at = address_space_map(as, &r);
	return at < 0 ? (int)at : 0;
}

static int
map_file(struct address_space *as, struct file *f, vaddr_t start, size_t length, uint64_t offset,
	 uint32_t flags)
{
	struct map_request r = {
		.addr = start,
		.length = length,
		.flags = flags,
		.place = MAP_PLACE_FIXED,
		.offset = offset,
		.file = f,
	};
	struct memory_object *object;
	long at;

	if (!f->ops->mmap)
		return -ENOEXEC;
	at = f->ops->mmap(f, offset, length, &r.flags, &object);
	if (at < 0)
		return (int)at;
	r.object = object;
	at = address_space_map(as, &r);
	object_put(object);
	return at < 0 ? (int)at : 0;
}

/* Zero [start, end of its page) in a private file mapping: the first bytes of the bss. */
static int
clear_tail(struct address_space *as, vaddr_t start)
{
	size_t n = ALIGN_UP(start, PAGE_SIZE) - start;
	void *zeroes;
	ssize_t done;

	if (n == 0)
		return 0;
	zeroes = kzalloc(n);
	if (!zeroes)
		return -ENOMEM;
	done = address_space_access(as, start, zeroes, n, true, true);
	kfree(zeroes);
	return done == (ssize_t)n ? 0 : -ENOMEM;
}

static int
map_segment(struct elf_image *e, struct address_space *as, const struct elf_segment *s)
{
	uint32_t flags = segment_flags(s);
	vaddr_t start = e->bias + ALIGN_DOWN(s->vaddr, PAGE_SIZE);
	vaddr_t file_end = e->bias + s->vaddr + s->file_size;
	vaddr_t memory_end = ALIGN_UP(e->bias + s->vaddr + s->memory_size, PAGE_SIZE);
	int error;

	if (s->memory_size == 0)
		return 0;
	if (s->file_size == 0)
		return map_anonymous(as, start, memory_end, flags);
	error = map_file(as, e->file, start, ALIGN_UP(file_end, PAGE_SIZE) - start,
			 ALIGN_DOWN(s->offset, PAGE_SIZE), flags);
	if (error || s->memory_size == s->file_size)
		return error;
	if (s->flags & ELF_PF_W) {
		error = clear_tail(as, file_end);
		if (error)
			return error;
	}
	return map_anonymous(as, ALIGN_UP(file_end, PAGE_SIZE), memory_end, flags);
}

int
elf_image_map(struct elf_image *e, struct address_space *as)
{
	if (e->bias + e->plan.end > USER_END || e->bias + e->plan.start < USER_MIN)
		return -ENOMEM;
	for (unsigned int i = 0; i < e->header.phnum; i++) {
		int error;

		if (e->segments[i].type != ELF_PT_LOAD)
			continue;
		error = map_segment(e, as, &e->segments[i]);
		if (error)
			return error;
	}
	return 0;
}

/* --- places ----------------------------------------------------------------------------------- */

/* The interpreter named in the program's headers. 0 or an errno. */
static int
open_interpreter(struct exec_layout *l)
{
	struct elf_plan *plan = &l->main.plan;
	struct path at;
	struct file *f;
	char *name;
	ssize_t n;
	int error;

	name = kmalloc(plan->interp_size, 0);
	if (!name)
		return -ENOMEM;
	n = file_read_kernel(l->main.file, name, plan->interp_size, plan->interp_offset);
	error = n < 0 ? (int)n : -ENOEXEC;
	if (n != (ssize_t)plan->interp_size || name[plan->interp_size - 1] != '\0')
		goto free_name;
	error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &at);
	if (error)
		goto free_name;
	error = exec_open(&at, &f);
	path_put(&at);
	if (error)
		goto free_name;
	error = elf_image_read(&l->interp, f);
	if (error == -ENOEXEC)
		error = -ELIBBAD;
	file_put(f);
free_name:
	kfree(name);
	return error;
}

/* A free range for an ET_DYN file, from the top of the mapping area. */
static long
find_place(struct address_space *as, const struct elf_plan *plan)
{
	struct map_request r = { .length = plan->end - plan->start };
	long at = address_space_map(as, &r);
	int error;

	if (at < 0)
		return at;
	error = address_space_unmap(as, at, r.length);
	return error ? error : at;
}

static vaddr_t
random_pages(const struct exec_layout *l, unsigned int bits)
{
	return l->randomize ? (random_u64() & (BIT(bits) - 1)) << PAGE_SHIFT : 0;
}

/* Decide where stack and mappings lie. */
static void
place_areas(struct exec_layout *l)
{
	uint64_t gap = process_limit(current_process(), RLIMIT_STACK);
	uint64_t pad = STACK_GUARD_GAP + (l->randomize ? BIT(STACK_RANDOM_BITS) << PAGE_SHIFT : 0);

	if (gap + pad > gap)
		gap += pad;
	gap = MIN(MAX(gap, STACK_GAP_MIN), USER_END / 6 * 5);
	l->stack_top = USER_END - random_pages(l, STACK_RANDOM_BITS);
	l->as->mmap_base = ALIGN_DOWN(USER_END - gap - random_pages(l, MMAP_RANDOM_BITS), PAGE_SIZE);
}

/* Where the program itself goes. 0 or an errno. */
static int
place_program(struct exec_layout *l)
{
	struct elf_plan *plan = &l->main.plan;
	long at;

	if (!plan->dynamic) {
		l->main.bias = 0;
	} else if (plan->interp_size) {
		at = PIE_BASE + random_pages(l, PIE_RANDOM_BITS);
		l->main.bias = ALIGN_DOWN((vaddr_t)at, plan->alignment) - plan->start;
	} else {
		/* A program without interpreter may be one itself, started by hand: keep it out of the
		 * way of what it will load. */
		at = find_place(l->as, plan);
		if (at < 0)
			return (int)at;
		l->main.bias = ALIGN_DOWN((vaddr_t)at, plan->alignment) - plan->start;
	}
	return elf_image_map(&l->main, l->as);
}

static void
place_heap(struct exec_layout *l)
{
	struct elf_plan *plan = &l->main.plan;
	vaddr_t brk = ALIGN_UP(l->main.bias + plan->brk, PAGE_SIZE);

	if (l->randomize && randomize_va_space > 1) {
		if (plan->dynamic && !plan->interp_size)
			brk = PIE_BASE;
		brk += random_below(BRK_RANDOM >> PAGE_SHIFT) << PAGE_SHIFT;
	}
	l->as->brk_start = l->as->brk = brk;
}

static int
place_interpreter(struct exec_layout *l)
{
	long at;

	if (!l->interp.file) {
		l->entry = l->main.bias + l->main.plan.entry;
		return 0;
	}
	if (l->interp.plan.dynamic) {
		at = find_place(l->as, &l->interp.plan);
		if (at < 0)
			return (int)at;
		l->interp.bias = at - l->interp.plan.start;
	}
	l->entry = l->interp.bias + l->interp.plan.entry;
	return elf_image_map(&l->interp, l->as);
}

/* --- the stack -------------------------------------------------------------------------------- */

struct stack_writer {
	struct address_space *as;
	vaddr_t sp;
	int error;
};

static void
push(struct stack_writer *w, const void *data, size_t n)
{
	w->sp -= n;
	if (w->error == 0 && n > 0 &&
	    address_space_access(w->as, w->sp, (void *)data, n, true, true) != (ssize_t)n)
		w->error = -ENOMEM;
}

static void
add_aux(struct address_space *as, uint64_t type, uint64_t value)
{
	as->auxv[as->auxv_count++] = type;
	as->auxv[as->auxv_count++] = value;
}

static void
fill_aux(struct exec_layout *l, const struct cred *c, bool secure, vaddr_t random, vaddr_t name,
	 vaddr_t platform_at)
{
	struct address_space *as = l->as;
	const struct elf_plan *plan = &l->main.plan;

	as->auxv_count = 0;
	if (as->vdso)
		add_aux(as, AUX_SYSINFO_EHDR, as->vdso);
	add_aux(as, AUX_MINSIGSTKSZ, arch_min_signal_stack());
	add_aux(as, AUX_HWCAP, arch_hwcap());
	add_aux(as, AUX_PAGESZ, PAGE_SIZE);
	add_aux(as, AUX_CLKTCK, 100);
	add_aux(as, AUX_PHDR, plan->headers ? l->main.bias + plan->headers : 0);
	add_aux(as, AUX_PHENT, sizeof(struct elf_segment));
	add_aux(as, AUX_PHNUM, l->main.header.phnum);
	add_aux(as, AUX_BASE, l->interp.file ? l->interp.bias : 0);
	add_aux(as, AUX_FLAGS, 0);
	add_aux(as, AUX_ENTRY, l->main.bias + plan->entry);
	add_aux(as, AUX_UID, c->uid);
	add_aux(as, AUX_EUID, c->euid);
	add_aux(as, AUX_GID, c->gid);
	add_aux(as, AUX_EGID, c->egid);
	add_aux(as, AUX_SECURE, secure);
	add_aux(as, AUX_RANDOM, random);
	add_aux(as, AUX_HWCAP2, arch_hwcap2());
	add_aux(as, AUX_EXECFN, name);
	add_aux(as, AUX_PLATFORM, platform_at);
	add_aux(as, AUX_NULL, 0);
}

/* The table of pointers that _start finds: argc, argv, envp, auxv. */
static int
push_table(struct stack_writer *w, const struct exec_args *a, vaddr_t strings)
{
	size_t words = 1 + a->argc + 1 + a->envc + 1 + w->as->auxv_count;
	uint64_t *table = kvmalloc(words * sizeof(uint64_t)), *p = table;
	const char *s = a->data;

	if (!table)
		return -ENOMEM;
	*p++ = a->argc;
	for (uint32_t i = 0; i < a->argc + a->envc; i++) {
		if (i == a->argc)
			*p++ = 0;
		*p++ = strings + (s - a->data);
		s += strlen(s) + 1;
	}
	if (a->envc == 0)
		*p++ = 0;
	*p++ = 0;
	memcpy(p, w->as->auxv, w->as->auxv_count * sizeof(uint64_t));
	w->sp = ALIGN_DOWN(w->sp - words * sizeof(uint64_t), 16ul) + words * sizeof(uint64_t);
	push(w, table, words * sizeof(uint64_t));
	kvfree(table);
	return w->error;
}

static int
build_stack(struct exec_layout *l, const struct exec_args *a, const struct cred *c, bool secure)
{
	struct address_space *as = l->as;
	struct stack_writer w = { .as = as, .sp = l->stack_top };
	size_t size = ALIGN_UP(a->used + (a->argc + a->envc + 64) * 8ul + STACK_SLACK, PAGE_SIZE);
	uint32_t flags = MAPPING_READ | MAPPING_WRITE | MAPPING_GROWSDOWN | MAPPING_STACK |
			 MAPPING_MAYREAD | MAPPING_MAYWRITE | MAPPING_MAYEXEC;
	uint8_t random[16];
	vaddr_t strings, platform_at;
	uint64_t zero = 0;
	int error;

	if (l->main.plan.has_stack && l->main.plan.stack_exec)
		flags |= MAPPING_EXEC;
	error = map_anonymous(as, l->stack_top - size, l->stack_top, flags);
	if (error)
		return error;
	push(&w, &zero, sizeof(zero));
	push(&w, a->data, a->used);
	strings = w.sp;
	as->arg_start = strings;
	as->arg_end = as->env_start = strings + a->env_offset;
	as->env_end = strings + a->name_offset;
	if (l->randomize)
		w.sp -= random_below(8192);
	w.sp = ALIGN_DOWN(w.sp, 16ul);
	push(&w, platform, sizeof(platform));
	platform_at = w.sp;
	random_bytes(random, sizeof(random));
	push(&w, random, sizeof(random));
	fill_aux(l, c, secure, w.sp, strings + a->name_offset, platform_at);
	if (w.error)
		return w.error;
	error = push_table(&w, a, strings);
	l->stack = as->stack_start = w.sp;
	return error;
}

/* --- all of it -------------------------------------------------------------------------------- */

int
exec_layout_build(struct exec_layout *l, const struct exec_args *args, const struct cred *cred,
		  bool secure)
{
	uint32_t personality = current_thread()->personality;
	struct elf_plan *plan = &l->main.plan;
	long at;
	int error;

	l->randomize = randomize_va_space != 0 && !(personality & ADDR_NO_RANDOMIZE);
	if (plan->interp_size) {
		error = open_interpreter(l);
		if (error)
			return error;
	}
	l->as = address_space_create();
	if (!l->as)
		return -ENOMEM;
	place_areas(l);
	error = place_program(l);
	if (error)
		return error;
	place_heap(l);
	error = place_interpreter(l);
	if (error)
		return error;
	at = vdso_map(l->as, l->stack_top, l->randomize);
	if (at < 0)
		return (int)at;
	l->as->vdso = at;
	l->as->code_start = l->main.bias + plan->code_start;
	l->as->code_end = l->main.bias + plan->code_end;
	l->as->data_start = l->main.bias + plan->data_start;
	l->as->data_end = l->main.bias + plan->data_end;
	l->as->exe = l->main.file;
	file_get(l->main.file);
	return build_stack(l, args, cred, secure);
}
