/* SPDX-License-Identifier: MIT */
/*
 * describe.c - a stopped machine in words: whose stack, which call, which program.
 *
 * Who is asked about may be broken. Stacks and user memory are read by probing; the rest faults if it is
 * wrong, inside the caller's debug_try().
 */
#include "describe.h"

#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/ptrace.h>
#include <tessera/string.h>
#include <tessera/syscall.h>

struct vantage vantage;

const struct trap_frame *
describe_cpu_frame(uint32_t id)
{
	return id == this_cpu()->id ? vantage.frame : arch_stopped_frame(id);
}

/* --- stacks ------------------------------------------------------------------------------------- */

void
describe_user_address(struct process *p, vaddr_t va, char *out, size_t size)
{
	struct rb_node *n = p && p->as ? p->as->mappings.root : NULL;

	out[0] = '\0';
	for (unsigned int i = 0; n && i < 64; i++) {
		struct mapping *m = container_of(n, struct mapping, node);

		if (va < m->start) {
			n = n->left;
		} else if (va >= m->end) {
			n = n->right;
		} else {
			if (m->file && m->file->dentry)
				snprintf(out, size, "%s+%#lx", m->file->dentry->name,
					 va - m->start + (m->object_page << PAGE_SHIFT));
			else if (m->flags & MAPPING_VDSO)
				snprintf(out, size, "[vdso]+%#lx", va - m->start);
			return;
		}
	}
}

struct printer {
	uint32_t left;
	struct process *process;
};

static void
print_user(struct process *p, const struct trap_frame *f)
{
	char where[80];

	describe_user_address(p, arch_frame_pc(f), where, sizeof(where));
	pr_err("  user mode: pc %#lx sp %#lx %s\n", arch_frame_pc(f), arch_frame_sp(f), where);
}

static bool
print_step(void *ctx, const struct stack_step *s)
{
	struct printer *p = ctx;
	char where[80];

	if (s->entry && trap_from_user(s->entry)) {
		print_user(p->process, s->entry);
		return false;
	}
	if (s->entry)
		pr_err("  -- interrupted --\n");
	/* A return address may lie behind the end of its function: the call does not return. */
	pr_err("  %s\n", symbol_format(s->exact ? s->pc : s->pc - 1, where, sizeof(where)));
	return --p->left > 0;
}

static void
print_stack(struct process *process, const struct trap_frame *f, vaddr_t fp, uint32_t max)
{
	struct printer p = { max, process };
	char where[80];

	pr_err("call stack, innermost first:\n");
	if (f && trap_from_user(f)) {
		print_user(process, f);
		return;
	}
	if (f) {
		pr_err("  %s\n", symbol_format(arch_frame_pc(f), where, sizeof(where)));
		fp = arch_frame_fp(f);
	}
	arch_stack_walk(fp, print_step, &p);
}

void
describe_stack(const struct trap_frame *f, vaddr_t fp, uint32_t max)
{
	struct thread *t = current_thread();

	print_stack(t ? t->process : NULL, f, fp, max);
}

/* How to walk the stack of `t`: false when it runs and nobody knows where. */
static bool
stack_of(struct thread *t, const struct trap_frame **f, vaddr_t *fp)
{
	struct cpu *c;

	*f = NULL;
	*fp = 0;
	for_each_cpu (c) {
		if (c->current != t)
			continue;
		*f = describe_cpu_frame(c->id);
		if (c == this_cpu())
			*fp = vantage.fp;
		return *f || *fp;
	}
	if (t->on_cpu || t->state == THREAD_DEAD)
		return false;
	*fp = arch_thread_frame_pointer(t);
	return true;
}

void
describe_thread_stack(struct thread *t, uint32_t max)
{
	const struct trap_frame *f;
	vaddr_t fp;

	if (!stack_of(t, &f, &fp))
		pr_err("%s (tid %d): %s\n", t->name, t->tid,
		       t->state == THREAD_DEAD ? "dead" : "it runs, and its registers are not known");
	else
		print_stack(t->process, f, fp, max);
}

struct collector {
	char *out;
	size_t size, used;
	uint32_t left;
};

static void
collect(struct collector *c, const char *text)
{
	c->used += (size_t)scnprintf(c->out + c->used, c->size - c->used, "%s%s", c->used ? " < " : "",
				     text);
}

static bool
collect_step(void *ctx, const struct stack_step *s)
{
	struct collector *c = ctx;
	char where[80];

	if (s->entry && trap_from_user(s->entry)) {
		collect(c, "user");
		return false;
	}
	collect(c, symbol_format(s->exact ? s->pc : s->pc - 1, where, sizeof(where)));
	return --c->left > 0;
}

void
describe_stack_short(const struct trap_frame *f, vaddr_t fp, uint32_t depth, char *out, size_t size)
{
	struct collector c = { out, size, 0, depth };
	char where[80];

	out[0] = '\0';
	if (f && trap_from_user(f)) {
		snprintf(out, size, "user mode, pc %#lx", arch_frame_pc(f));
		return;
	}
	if (f) {
		collect(&c, symbol_format(arch_frame_pc(f), where, sizeof(where)));
		fp = arch_frame_fp(f);
	}
	arch_stack_walk(fp, collect_step, &c);
}

/* Functions that are how one waits, not what for. */
static const char *const waiting[] = {
	"arch_thread_switch", "thread_switch_stack", "switch_thread", "schedule", "wait_sleep", "wait_until",
	"lock_slowly", "lock_watchfully", "mutex_lock", "read_lock", "write_lock", "schedule_preempted", "wait_for_lock",
};

static bool
find_place(void *ctx, const struct stack_step *s)
{
	struct collector *c = ctx;
	uint64_t offset;
	const char *name = symbol_find(s->pc - 1, &offset);

	if (s->entry)
		return false;
	for (size_t i = 0; name && i < ARRAY_SIZE(waiting); i++)
		if (!strncmp(name, waiting[i], strlen(waiting[i])))
			return true;
	if (!name)
		return false;
	snprintf(c->out, c->size, "%s", name);
	return false;
}

void
describe_wait_place(struct thread *t, char *out, size_t size)
{
	struct collector c = { out, size, 0, 1 };
	const struct trap_frame *f;
	vaddr_t fp;

	out[0] = '\0';
	if (!t->on_cpu && stack_of(t, &f, &fp))
		arch_stack_walk(fp, find_place, &c);
}

/* --- threads and programs ------------------------------------------------------------------------- */

char
describe_state(const struct thread *t)
{
	switch (t->state) {
	case THREAD_NEW:
		return 'N';
	case THREAD_RUNNABLE:
		return 'R';
	case THREAD_SLEEPING:
		return t->uninterruptible ? 'D' : 'S';
	case THREAD_STOPPED:
		return ptrace_is_stopped(t) ? 't' : 'T';
	case THREAD_DEAD:
		return 'Z';
	}
	return '?';
}

void
describe_call(struct thread *t, char *out, size_t size)
{
	uint64_t nr = t->syscall_number;
	const struct trap_frame *f;
	unsigned int arguments;
	const char *name;
	size_t n;

	out[0] = '\0';
	if (!t->process || nr == UINT64_MAX)
		return;
	f = arch_user_frame(t);
	name = nr < CALL_MAX ? syscall_name((unsigned int)nr) : NULL;
	arguments = name ? syscall_arguments((unsigned int)nr) : 6;
	n = name ? (size_t)scnprintf(out, size, "%s(", name) : (size_t)scnprintf(out, size, "call %lu(", nr);
	for (unsigned int i = 0; i < arguments; i++)
		n += (size_t)scnprintf(out + n, size - n, "%s%#lx", i ? ", " : "", arch_frame_argument(f, i));
	scnprintf(out + n, size - n, ")");
}

size_t
describe_read_user(struct address_space *as, vaddr_t va, void *out, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t in_page = PAGE_SIZE - ((va + done) & (PAGE_SIZE - 1));
		size_t part = MIN(n - done, in_page);
		unsigned int prot;
		paddr_t pa;

		if (!as || !arch_page_table_lookup(&as->page_table, va + done, &pa, &prot))
			break;
		pa += (va + done) & ((prot & PTE_HUGE ? HUGE_PAGE_SIZE : PAGE_SIZE) - 1);
		if (!arch_probe_read((char *)out + done, phys_to_virt(pa), part))
			break;
		done += part;
	}
	return done;
}

void
describe_command_line(struct process *p, char *out, size_t size)
{
	struct address_space *as = p->as;
	size_t n = 0;

	if (as && as->arg_end > as->arg_start)
		n = describe_read_user(as, as->arg_start, out, MIN(size - 1, as->arg_end - as->arg_start));
	out[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if (out[i] < ' ' || out[i] > '~')
			out[i] = i == n - 1 ? '\0' : ' ';
}

void
describe_thread(struct thread *t)
{
	char text[160];

	if (!t->process) {
		pr_err("  kernel thread %s\n", t->name);
		return;
	}
	describe_command_line(t->process, text, sizeof(text));
	pr_err("  process %d: %s\n", t->process->pid, text[0] ? text : "(its arguments cannot be read)");
	describe_call(t, text, sizeof(text));
	if (text[0])
		pr_err("  system call %s\n", text);
}

/* The bytes around an instruction. */
void
describe_code(vaddr_t pc)
{
	enum { BEFORE = 20, AFTER = 16 };
	char line[3 * (BEFORE + AFTER) + 24];
	size_t n = (size_t)scnprintf(line, sizeof(line), "code:");
	uint8_t byte;

	for (vaddr_t at = pc - BEFORE; at != pc + AFTER; at++) {
		if (!arch_probe_read(&byte, (const void *)at, 1))
			n += (size_t)scnprintf(line + n, sizeof(line) - n, at == pc ? " <-->" : " --");
		else
			n += (size_t)scnprintf(line + n, sizeof(line) - n, at == pc ? " <%02x>" : " %02x",
					       byte);
	}
	pr_err("%s\n", line);
}
