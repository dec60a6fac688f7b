/* SPDX-License-Identifier: MIT */
/*
 * kcsan.c - finds data races by watching a few accesses, each for a moment.
 *
 * The compiler calls us before each access to memory that could be shared. One plain access in a few
 * thousand is watched: its address goes into a table of watchpoints, and its CPU waits some microseconds.
 * All other accesses look whether somebody watches their bytes. One that does find its bytes watched, by a
 * CPU that would conflict with it, is one half of a race; the watcher is the other:
 *
 *	watcher, (1) enters its watchpoint             another CPU
 *	         (2) reads the value, waits             (3) finds the watchpoint, takes it, leaves its stack
 *	         (4) reads the value again, withdraws
 *	         (5) the watchpoint was taken: reports both
 *
 * What is reported. One of the two writes, not both are marked (volatile or atomic), and the value did
 * change while we waited. A plain write of an aligned word counts as marked unless kcsan=strict: compilers
 * do not tear those, and the reader is where such a race hurts. Each pair of places is reported once.
 *
 * A report may be made under any lock, so it is only noted; it is printed by the next access that is made
 * with preemption on, and by kcsan_flush(). kcsan=panic stops at the first one.
 *
 * The watcher waits with interrupts off: a CPU does not race with its own interrupts here.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/kcsan.h>
#include <tessera/memory_check.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "kcsan.h"

#define WATCHPOINTS 128u /* a power of two */
#define RACES_MAX   256u
#define SKIP_MIN    200u
#define SKIP_RANGE  512u /* a power of two */
#define ROUNDS_MIN  4u   /* an emulator that runs one CPU at a time changes over at each */
#define WAIT_NS     (40 * 1000ul)
#define WAIT_IRQ_NS (10 * 1000ul)

/* A watchpoint: bits 0..47 the address, 48..53 the size, 62 a write, 63 in use; or one of two states. */
#define WATCH_WRITE  BIT(62)
#define WATCH_USED   BIT(63)
#define WATCH_EMPTY  0ull
#define WATCH_TAKEN  1ull

struct side {
	stack_id_t stack;
	uint8_t size, type;
	pid_t tid;
	uint32_t cpu;
	char name[16];
};

struct race {
	struct side side[2]; /* the watcher, the other */
	vaddr_t address;
	uint64_t before, after;
};

static uint64_t watchpoints[WATCHPOINTS];    /* [a] */
static struct side takers[WATCHPOINTS];      /* by who took the watchpoint, until `left` */
static uint32_t left[WATCHPOINTS];           /* [a] the taker has written its side */

static struct {
	uint32_t skip;    /* accesses until the next that is watched */
	uint32_t random;
	uint32_t inside;  /* this CPU watches, or reports */
	uint32_t watched; /* accesses so far */
	uint32_t met;     /* watchpoints of others that it came upon */
} __aligned(64) per_cpu[MAX_CPUS];           /* [i]; interrupts may lose a count */

static struct race races[RACES_MAX];         /* [I] below race_count */
static uint32_t race_count;                  /* [a] */
static uint32_t race_lock;                   /* [a] 1: somebody adds a race. Never waited for with locks of others */
static uint32_t printed;                     /* [a] races printed, or about to be */
static bool enabled;                         /* [a] */
static bool strict, panics;                  /* [I] */

/* --- reports ---------------------------------------------------------------------------------- */

static const char *
type_name(uint8_t type)
{
	static const char *const names[] = {
		[0] = "read", [ACCESS_WRITE] = "write", [ACCESS_MARKED] = "marked read",
		[ACCESS_MARKED | ACCESS_WRITE] = "marked write",
	};

	return names[type & (ACCESS_WRITE | ACCESS_MARKED)];
}

static vaddr_t
site(const struct side *s)
{
	vaddr_t pc = 0;

	(void)stack_get(s->stack, &pc, 1);
	return pc;
}

static void
print_race(const struct race *r)
{
	char a[64], b[64];

	pr_err("kcsan: data race: %s and %s\n", symbol_format(site(&r->side[1]) - 1, a, sizeof(a)),
	       symbol_format(site(&r->side[0]) - 1, b, sizeof(b)));
	for (unsigned int i = 2; i-- > 0;) {
		const struct side *s = &r->side[i];

		pr_err("  %s of %u bytes at %#lx by %s (tid %d) on CPU %u:\n", type_name(s->type), s->size,
		       r->address, s->name, s->tid, s->cpu);
		stack_print(s->stack, "    ");
	}
	pr_err("  the value changed: %#lx -> %#lx\n", r->before, r->after);
	if (panics)
		panic("data race: %s and %s", a, b);
}

void
kcsan_flush(void)
{
	uint32_t id, n;

	preempt_disable();
	id = this_cpu()->id;
	per_cpu[id].inside++;
	while ((n = atomic_load(&printed)) < atomic_load(&race_count))
		if (atomic_cas(&printed, &n, n + 1))
			print_race(&races[n]);
	per_cpu[id].inside--;
	preempt_enable_no_resched();
}

void
kcsan_summary(void)
{
	uint64_t watched = 0, met = 0;

	kcsan_flush();
	for (uint32_t i = 0; i < MAX_CPUS; i++) {
		watched += per_cpu[i].watched;
		met += per_cpu[i].met;
	}
	pr_info("kcsan: %u data races; %lu accesses watched, %lu met by another CPU\n", kcsan_count(),
		watched, met);
}

uint32_t
kcsan_count(void)
{
	return atomic_load(&race_count);
}

static bool
known(vaddr_t a, vaddr_t b)
{
	for (uint32_t i = 0; i < race_count; i++) {
		vaddr_t x = site(&races[i].side[0]), y = site(&races[i].side[1]);

		if ((x == a && y == b) || (x == b && y == a))
			return true;
	}
	return false;
}

/* Interrupts off. */
static void
note_race(const struct race *r)
{
	uint32_t free = 0;

	while (!atomic_cas(&race_lock, &free, 1)) {
		free = 0;
		arch_cpu_relax();
		if (debug_panicking())
			return;
	}
	if (race_count < RACES_MAX && !known(site(&r->side[0]), site(&r->side[1]))) {
		races[race_count] = *r;
		atomic_store_release(&race_count, race_count + 1);
	}
	atomic_store_release(&race_lock, 0);
}

/* Three functions deep: itself, watch() or meet(), and the compiler's door. */
static __noinline void
describe_here(struct side *s, uint32_t cpu, size_t size, uint8_t type)
{
	struct thread *t = current_thread();

	s->size = (uint8_t)size;
	s->type = type;
	s->cpu = cpu;
	s->tid = t ? t->tid : 0;
	string_copy(s->name, t ? t->name : "none", sizeof(s->name));
	s->stack = stack_remember(3);
}

/* --- watching --------------------------------------------------------------------------------- */

static uint32_t
slot_of(vaddr_t address)
{
	return (uint32_t)(address >> 6) * 2654435761u >> 25;
}
_Static_assert(WATCHPOINTS == 1u << 7, "slot_of() gives 7 bits");

static uint64_t
value_at(vaddr_t address, size_t size)
{
	switch (size) {
	case 1:
		return *(const volatile uint8_t *)address;
	case 2:
		return *(const volatile uint16_t *)address;
	case 4:
		return *(const volatile uint32_t *)address;
	default:
		return *(const volatile uint64_t *)address;
	}
}

/* Is it as good as marked? */
static uint8_t
effective(vaddr_t address, size_t size, uint8_t type)
{
	if (!strict && (type & ACCESS_WRITE) && size <= 8 && IS_ALIGNED(address, size))
		return type | ACCESS_MARKED;
	return type;
}

static __noinline void
watch(vaddr_t address, size_t size, uint8_t type)
{
	uint64_t flags = arch_irq_save(), empty = WATCH_EMPTY, mine, until;
	uint32_t slot = slot_of(address), cpu = this_cpu()->id;
	bool in_irq = this_cpu()->irq_depth || !(flags & RFLAGS_IF);
	struct race r = { .address = address };

	per_cpu[cpu].random = per_cpu[cpu].random * 1664525 + 1013904223;
	per_cpu[cpu].skip = SKIP_MIN + (per_cpu[cpu].random >> 8) % SKIP_RANGE;
	mine = WATCH_USED | (type & ACCESS_WRITE ? WATCH_WRITE : 0) | (uint64_t)size << 48 |
	       (address & (BIT(48) - 1));
	if (per_cpu[cpu].inside || !atomic_cas(&watchpoints[slot], &empty, mine)) /* (1) */
		goto out;
	per_cpu[cpu].inside++;
	per_cpu[cpu].watched++;
	r.before = value_at(address, size); /* (2) */
	until = arch_clock_ns() + (in_irq ? WAIT_IRQ_NS : WAIT_NS);
	for (uint32_t round = 0; (round < ROUNDS_MIN || arch_clock_ns() < until) &&
				 atomic_load_relaxed(&watchpoints[slot]) == mine; round++)
		arch_cpu_relax();
	/* (3) was only about to write when it took the watchpoint. */
	if (atomic_load_relaxed(&watchpoints[slot]) != mine)
		for (uint32_t round = 0; (round < ROUNDS_MIN || arch_clock_ns() < until + WAIT_IRQ_NS) &&
					 value_at(address, size) == r.before; round++)
			arch_cpu_relax();
	r.after = value_at(address, size); /* (4) */
	if (!atomic_cas(&watchpoints[slot], &mine, WATCH_EMPTY)) {
		while (!atomic_load(&left[slot]))
			arch_cpu_relax();
		if (r.before != r.after) { /* (5) */
			r.side[1] = takers[slot];
			describe_here(&r.side[0], cpu, size, type);
			note_race(&r);
		}
		atomic_store_release(&left[slot], 0);
		atomic_store_release(&watchpoints[slot], WATCH_EMPTY);
	}
	per_cpu[cpu].inside--;
out:
	arch_irq_restore(flags);
	if (atomic_load_relaxed(&printed) < atomic_load_relaxed(&race_count) && preemptible() &&
	    !per_cpu[cpu].inside && !debug_panicking())
		kcsan_flush();
}

/* (3): `seen` watches bytes of ours. */
static __noinline void
meet(uint32_t slot, uint64_t seen, vaddr_t address, size_t size, uint8_t type)
{
	uint64_t flags = arch_irq_save();
	uint32_t cpu = this_cpu()->id;

	if (!per_cpu[cpu].inside && atomic_cas(&watchpoints[slot], &seen, WATCH_TAKEN)) {
		per_cpu[cpu].inside++;
		per_cpu[cpu].met++;
		describe_here(&takers[slot], cpu, size, type);
		atomic_store_release(&left[slot], 1);
		per_cpu[cpu].inside--;
	}
	arch_irq_restore(flags);
}

/* Does the watchpoint conflict with this access? */
static inline bool
conflicts(uint64_t seen, vaddr_t address, size_t size, uint8_t type)
{
	uint64_t start = seen & (BIT(48) - 1), length = seen >> 48 & 63;
	uint64_t here = address & (BIT(48) - 1);

	return (seen & WATCH_USED) && here < start + length && start < here + size &&
	       ((seen & WATCH_WRITE) || (type & ACCESS_WRITE));
}

static inline void
access(vaddr_t address, size_t size, uint8_t type)
{
	uint32_t slot, cpu;
	uint64_t seen;

	if (!enabled)
		return;
	slot = slot_of(address);
	seen = atomic_load_relaxed(&watchpoints[slot]);
	if (unlikely(seen > WATCH_TAKEN) && conflicts(seen, address, size, type)) {
		meet(slot, seen, address, size, type);
		return;
	}
	/* Only what is not marked is watched: one plain side makes a race. */
	if (type & ACCESS_MARKED)
		return;
	cpu = this_cpu()->id;
	if (likely(per_cpu[cpu].skip-- > 0))
		return;
	if (effective(address, size, type) & ACCESS_MARKED)
		per_cpu[cpu].skip = 0; /* the next may do */
	else
		watch(address, size, type);
}

void
kcsan_start(void)
{
	char value[16];

	if (boot_argument("kcsan", value, sizeof(value))) {
		strict = !strcmp(value, "strict");
		panics = !strcmp(value, "panic");
	}
	for (uint32_t i = 0; i < MAX_CPUS; i++)
		per_cpu[i].random = per_cpu[i].skip = 1000 + i * 77;
	enabled = true;
}

/* --- what the compiler calls ------------------------------------------------------------------ */

#define PLAIN(n)                                                                                   \
	void __tsan_read##n(void *p) { access((vaddr_t)p, n, 0); }                                 \
	void __tsan_write##n(void *p) { access((vaddr_t)p, n, ACCESS_WRITE); }                     \
	void __tsan_read_write##n(void *p) { access((vaddr_t)p, n, ACCESS_WRITE); }                \
	void __tsan_unaligned_read##n(void *p) { access((vaddr_t)p, n, 0); }                       \
	void __tsan_unaligned_write##n(void *p) { access((vaddr_t)p, n, ACCESS_WRITE); }           \
	void __tsan_unaligned_read_write##n(void *p) { access((vaddr_t)p, n, ACCESS_WRITE); }      \
	void __tsan_volatile_read##n(void *p) { access((vaddr_t)p, n, ACCESS_MARKED); }            \
	void __tsan_volatile_write##n(void *p)                                                     \
	{                                                                                          \
		access((vaddr_t)p, n, ACCESS_MARKED | ACCESS_WRITE);                               \
	}                                                                                          \
	void __tsan_unaligned_volatile_read##n(void *p) { access((vaddr_t)p, n, ACCESS_MARKED); }  \
	void __tsan_unaligned_volatile_write##n(void *p)                                           \
	{                                                                                          \
		access((vaddr_t)p, n, ACCESS_MARKED | ACCESS_WRITE);                               \
	}

PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

/* A structure assigned whole: its first and last bytes stand for it. */
void
__tsan_read_range(void *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		access((vaddr_t)p + i, MIN(size - i, (size_t)8), 0);
}

void
__tsan_write_range(void *p, size_t size)
{
	for (size_t i = 0; i < size; i += 8)
		access((vaddr_t)p + i, MIN(size - i, (size_t)8), ACCESS_WRITE);
}

void
__tsan_func_entry(void *pc)
{
}

void
__tsan_func_exit(void)
{
}

void
__tsan_init(void)
{
}

/* The atomic operations themselves; always in the strongest order. */
#define MARKED_READ  access((vaddr_t)p, sizeof(*p), ACCESS_MARKED)
#define MARKED_WRITE access((vaddr_t)p, sizeof(*p), ACCESS_MARKED | ACCESS_WRITE)

#define FETCH(bits, op)                                                                            \
	uint##bits##_t __tsan_atomic##bits##_fetch_##op(volatile uint##bits##_t *p,                \
							uint##bits##_t v, int order)               \
	{                                                                                          \
		MARKED_WRITE;                                                                      \
		return __atomic_fetch_##op(p, v, __ATOMIC_SEQ_CST);                                \
	}

#define COMPARE(bits, kind)                                                                        \
	int __tsan_atomic##bits##_compare_exchange_##kind(volatile uint##bits##_t *p, void *expected, \
							  uint##bits##_t v, int order, int failed) \
	{                                                                                          \
		MARKED_WRITE;                                                                      \
		return __atomic_compare_exchange_n(p, (uint##bits##_t *)expected, v, false,        \
						   __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);            \
	}

#define ATOMIC(bits)                                                                               \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)     \
	{                                                                                          \
		MARKED_READ;                                                                       \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                       \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)  \
	{                                                                                          \
		MARKED_WRITE;                                                                      \
		if (order == __ATOMIC_SEQ_CST)                                                     \
			__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                  \
		else                                                                               \
			__atomic_store_n(p, v, __ATOMIC_RELEASE);                                  \
	}                                                                                          \
	uint##bits##_t __tsan_atomic##bits##_exchange(volatile uint##bits##_t *p,                  \
						      uint##bits##_t v, int order)                 \
	{                                                                                          \
		MARKED_WRITE;                                                                      \
		return __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);                                \
	}                                                                                          \
	FETCH(bits, add) FETCH(bits, sub) FETCH(bits, and) FETCH(bits, or) FETCH(bits, xor)        \
	COMPARE(bits, strong) COMPARE(bits, weak)                                                  \
	uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(                                 \
		volatile uint##bits##_t *p, uint##bits##_t expected, uint##bits##_t v, int order,  \
		int failed)                                                                        \
	{                                                                                          \
		MARKED_WRITE;                                                                      \
		__atomic_compare_exchange_n(p, &expected, v, false, __ATOMIC_SEQ_CST,              \
					    __ATOMIC_SEQ_CST);                                     \
		return expected;                                                                   \
	}

ATOMIC(8)
ATOMIC(16)
ATOMIC(32)
ATOMIC(64)

void
__tsan_atomic_thread_fence(int order)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void
__tsan_atomic_signal_fence(int order)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}
