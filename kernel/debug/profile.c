/* SPDX-License-Identifier: MIT */
/*
 * profile.c - the sampling profiler: what each CPU was doing, many times a second.
 *
 * A timer on each CPU ticks at the rate asked for. Its interrupt cannot strike code that has interrupts
 * off; so a CPU does not look at itself: its tick sends an NMI to the next CPU, which samples itself in
 * the NMI, whatever it was in the middle of. Where there is one CPU it samples itself from the timer
 * interrupt, and a section with interrupts off is charged to the instruction that ends it.
 *
 * A sample is a stack: return addresses by frame pointers, of the kernel and then of the program. The
 * program's memory is read through its page tables without faulting; libraries without frame pointers
 * give one or two frames. Equal stacks are counted in one entry of a table that each CPU owns, so the
 * output is as long as the number of different stacks. A full table counts as missed.
 *
 * The table is written only by its CPU, in the NMI or the timer interrupt (`busy` keeps the one out of
 * the other); an entry is published by its count and never changes after, but for that.
 *
 * Locks: profile_lock (SLEEP_LEAF) for the switches and against tables going away under a reader.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/lock.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/profile.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#define DEPTH   24u
#define ENTRIES 2048u
#define PROBES  16u

#define USER_STACK_STEP (1ul << 20) /* no frame is larger */
#define USER_STACK_SIZE (8ul << 20)

struct stack {
	uint64_t hash;
	char name[16];
	uint32_t kernel, depth; /* the first `kernel` are the kernel's */
	vaddr_t pc[DEPTH];      /* innermost first */
};

struct entry {
	uint64_t count; /* [a] 0: free */
	struct stack stack;
};

struct table {
	bool busy;                /* [s] */
	uint64_t samples, missed; /* [s] */
	struct entry entry[ENTRIES];
};

struct sampler {
	struct timer timer;
	bool running; /* [i] */
};

static struct mutex profile_lock = MUTEX_INIT(profile_lock, SLEEP_LEAF);
static struct table *tables[MAX_CPUS];     /* [a] */
static struct sampler samplers[MAX_CPUS];  /* [i] its CPU */
static uint32_t rate;                      /* [a] Hz; 0: stopped */

/* --- one sample ------------------------------------------------------------------------------------- */

static bool
push(struct stack *s, vaddr_t pc)
{
	if (s->depth == DEPTH)
		return false;
	s->pc[s->depth++] = pc;
	return true;
}

/* The call is before its return address. What is beyond the entry from user mode is the program's. */
static bool
push_kernel(void *ctx, const struct stack_step *step)
{
	return !(step->entry && trap_from_user(step->entry)) &&
	       push(ctx, step->exact ? step->pc : step->pc - 1);
}

static void
walk_user(struct stack *s, const struct trap_frame *f)
{
	uint64_t frame = f->rbp, next, pc;

	if (!push(s, f->rip))
		return;
	while (frame % 8 == 0 && frame >= f->rsp && frame - f->rsp < USER_STACK_STEP &&
	       arch_peek_user(frame, &next) && arch_peek_user(frame + 8, &pc)) {
		/* Where rbp is no frame pointer it often leads to pointers to the stack itself. */
		if (pc < PAGE_SIZE || pc >= 1ull << 47 || pc - f->rsp < USER_STACK_SIZE || !push(s, pc))
			return;
		if (next <= frame || next - frame >= USER_STACK_STEP)
			return;
		frame = next;
	}
}

static void
take(struct stack *s, struct cpu *c, const struct trap_frame *f)
{
	struct thread *t = c->current;

	memset(s, 0, sizeof(*s));
	memcpy(s->name, t ? t->name : "boot\0\0\0\0\0\0\0\0\0\0\0", sizeof(s->name));
	if (!trap_from_user(f)) {
		push(s, f->rip);
		arch_stack_walk(f->rbp, push_kernel, s);
		s->kernel = s->depth;
		f = t && t->process ? arch_user_frame(t) : NULL;
	}
	if (f && trap_from_user(f))
		walk_user(s, f);
	s->hash = 0xcbf29ce484222325ull;
	for (uint32_t i = 0; i < s->depth; i++)
		s->hash = (s->hash ^ s->pc[i]) * 0x100000001b3ull;
	s->hash ^= trace_name_word(s->name, 0) * 31 + trace_name_word(s->name, 8);
}

static bool
same(const struct stack *a, const struct stack *b)
{
	return a->hash == b->hash && a->depth == b->depth && a->kernel == b->kernel &&
	       !memcmp(a->name, b->name, sizeof(a->name)) &&
	       !memcmp(a->pc, b->pc, a->depth * sizeof(a->pc[0]));
}

static void
count(struct table *table, const struct stack *s)
{
	for (uint32_t i = 0; i < PROBES; i++) {
		struct entry *e = &table->entry[(s->hash + i) % ENTRIES];

		if (e->count == 0) {
			e->stack = *s;
			atomic_store_release(&e->count, 1);
			return;
		}
		if (same(&e->stack, s)) {
			WRITE_ONCE(e->count, e->count + 1);
			return;
		}
	}
	table->missed++;
}

/* Interrupts off, or in an NMI. */
static void
sample(const struct trap_frame *f)
{
	struct cpu *c = this_cpu();
	struct table *table = atomic_load(&tables[c->id]);
	struct stack s;

	if (!table)
		return;
	if (table->busy) {
		table->missed++;
		return;
	}
	table->busy = true;
	table->samples++;
	take(&s, c, f);
	count(table, &s);
	WRITE_ONCE(table->busy, false);
}

void
profile_nmi(const struct trap_frame *f)
{
	sample(f);
}

/* The CPU whose turn it is to be looked at by `self`. */
static struct cpu *
neighbour(uint32_t self)
{
	for (uint32_t i = 1; i < cpu_count; i++) {
		struct cpu *c = cpus[(self + i) % cpu_count];

		if (c && c->arch.online)
			return c;
	}
	return NULL;
}

static void
tick(struct timer *timer)
{
	struct cpu *c = this_cpu(), *other = neighbour(c->id);
	uint32_t hz = atomic_load(&rate);

	if (!hz) {
		samplers[c->id].running = false;
		return;
	}
	timer_start(timer, deadline_after(NSEC_PER_SEC / hz));
	if (other)
		arch_profile_nmi(other->id);
	else if (arch_interrupted_frame())
		sample(arch_interrupted_frame());
}

/* --- switches ------------------------------------------------------------------------------------- */

static void
start_here(void *unused)
{
	struct sampler *s = &samplers[this_cpu()->id];

	if (s->running)
		return;
	s->running = true;
	timer_init(&s->timer, tick);
	timer_start(&s->timer, deadline_after(NSEC_PER_SEC / atomic_load(&rate)));
}

static void
everywhere(void (*fn)(void *))
{
	uint64_t flags;

	preempt_disable();
	arch_call_cpus(~0ull, fn, NULL);
	flags = arch_irq_save();
	fn(NULL);
	arch_irq_restore(flags);
	preempt_enable();
}

/* profile_lock held. After it no tick is armed or runs. */
static void
stop(void)
{
	if (!atomic_exchange(&rate, 0))
		return;
	for (uint32_t i = 0; i < cpu_count; i++)
		if (samplers[i].running) {
			timer_cancel(&samplers[i].timer);
			samplers[i].running = false;
		}
}

/* profile_lock held, stopped. */
static void
free_tables(void)
{
	struct table *old[MAX_CPUS];

	for (uint32_t i = 0; i < MAX_CPUS; i++)
		old[i] = atomic_exchange(&tables[i], NULL);
	/* An NMI that was sent has been taken by who passes through an interrupt after it. */
	trace_synchronize();
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		vfree(old[i]);
}

static int
make_tables(void)
{
	for (uint32_t i = 0; i < cpu_count; i++) {
		struct table *t = cpus[i] && !tables[i] ? vmalloc(sizeof(*t)) : NULL;

		if (!cpus[i] || tables[i])
			continue;
		if (!t) {
			free_tables();
			return -ENOMEM;
		}
		atomic_store(&tables[i], t);
	}
	return 0;
}

int
profile_start(uint32_t hz)
{
	int error;

	if (hz == 0 || hz > PROFILE_HZ_MAX)
		return -EINVAL;
	mutex_lock(&profile_lock);
	stop();
	error = make_tables();
	if (!error) {
		atomic_store(&rate, hz);
		everywhere(start_here);
	}
	mutex_unlock(&profile_lock);
	return error;
}

void
profile_stop(void)
{
	mutex_lock(&profile_lock);
	stop();
	mutex_unlock(&profile_lock);
}

void
profile_free(void)
{
	mutex_lock(&profile_lock);
	stop();
	free_tables();
	mutex_unlock(&profile_lock);
}

static void
clear_here(void *unused)
{
	struct table *t = atomic_load(&tables[this_cpu()->id]);

	if (!t)
		return;
	t->busy = true;
	for (uint32_t i = 0; i < ENTRIES; i++)
		t->entry[i].count = 0;
	t->samples = t->missed = 0;
	WRITE_ONCE(t->busy, false);
}

void
profile_reset(void)
{
	mutex_lock(&profile_lock);
	everywhere(clear_here);
	mutex_unlock(&profile_lock);
}

void
profile_totals(uint64_t *samples, uint64_t *missed)
{
	*samples = *missed = 0;
	mutex_lock(&profile_lock);
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		if (tables[i]) {
			*samples += READ_ONCE(tables[i]->samples);
			*missed += READ_ONCE(tables[i]->missed);
		}
	mutex_unlock(&profile_lock);
}

/* --- report ---------------------------------------------------------------------------------------- */

static void
print_frame(const struct stack *s, uint32_t i, void (*print)(void *, const char *, ...), void *ctx)
{
	const char *name = NULL;
	uint64_t offset;

	if (i < s->kernel)
		name = symbol_find(s->pc[i], &offset);
	if (name)
		print(ctx, ";%s_[k]", name);
	else
		print(ctx, ";%#lx", s->pc[i]);
}

static void
print_entry(const struct entry *e, void (*print)(void *, const char *, ...), void *ctx)
{
	char name[17] = { 0 };

	memcpy(name, e->stack.name, 16);
	for (char *p = name; *p; p++)
		if (*p == ';' || *p <= ' ' || *p > '~')
			*p = '_';
	print(ctx, "%s", name);
	for (uint32_t i = e->stack.depth; i-- > 0; )
		print_frame(&e->stack, i, print, ctx);
	print(ctx, " %lu\n", READ_ONCE(e->count));
}

void
profile_print(void (*print)(void *ctx, const char *format, ...), void *ctx)
{
	mutex_lock(&profile_lock);
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		for (uint32_t k = 0; tables[i] && k < ENTRIES; k++)
			if (atomic_load(&tables[i]->entry[k].count))
				print_entry(&tables[i]->entry[k], print, ctx);
	mutex_unlock(&profile_lock);
}
