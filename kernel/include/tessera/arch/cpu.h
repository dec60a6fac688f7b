/* SPDX-License-Identifier: MIT */
/*
 * arch/cpu.h - x86-64: the inline half of the door: per-CPU words through GS, interrupt flag,
 * barriers. Everything slower is a function in <tessera/arch.h>.
 */
#ifndef TESSERA_ARCH_CPU_H
#define TESSERA_ARCH_CPU_H

#include <tessera/latency.h>
#include <tessera/types.h>

struct cpu;
struct thread;
struct trap_frame;

/* Offsets in struct cpu; asserted in arch/x86_64/asm_offsets.h. */
#define CPU_SELF             0
#define CPU_CURRENT          8
#define CPU_PREEMPT_COUNT    16
#define CPU_NEED_RESCHED     20
#define CPU_ID               24
#define CPU_IRQ_DEPTH        28
#define CPU_KERNEL_STACK_TOP 32
#define CPU_USER_RSP         40

#define RFLAGS_IF 0x200ul

/* A CPU's descriptor tables and interrupt-controller identity; [I] after it came up. */
struct arch_cpu {
	uint64_t gdt[16] __aligned(16);
	uint8_t tss[104 + 24];         /* no I/O bitmap beyond the terminator */
	uint32_t apic_id;
	uint32_t acpi_id;
	uint64_t irq_count[256];       /* [i] by vector */
	const struct trap_frame *interrupted; /* [i] what the interrupt being handled interrupted */
	void *fault_stacks;            /* double fault, NMI, machine check */
	struct thread *fpu_owner;      /* [i] whose FPU state the registers hold, NULL: nobody's */
	volatile uint32_t online;
};

static __always_inline struct cpu *
arch_this_cpu(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	return c;
}

static __always_inline struct thread *
arch_current_thread(void)
{
	struct thread *t;

	__asm__ volatile("movq %%gs:8, %0" : "=r"(t));
	return t;
}

/* The caller stays on the CPU. */
static __always_inline uint32_t
arch_cpu_id(void)
{
	uint32_t id;

	__asm__ volatile("movl %%gs:24, %0" : "=r"(id));
	return id;
}

static __always_inline uint32_t
arch_preempt_count(void)
{
	uint32_t n;

	__asm__ volatile("movl %%gs:16, %0" : "=r"(n));
	return n;
}

static __always_inline void
arch_preempt_count_inc(void)
{
	__asm__ volatile("incl %%gs:16" ::: "memory", "cc");
}

static __always_inline void
arch_preempt_count_dec(void)
{
	__asm__ volatile("decl %%gs:16" ::: "memory", "cc");
}

/* Decrement; true when the count reached zero and another thread should run. */
static __always_inline bool
arch_preempt_count_dec_and_should_resched(void)
{
	bool zero;
	uint32_t need;

	__asm__ volatile("decl %%gs:16" : "=@ccz"(zero)::"memory");
	if (!zero)
		return false;
	__asm__ volatile("movl %%gs:20, %0" : "=r"(need));
	return need != 0;
}

/* Add one to the word at `offset` in this CPU's struct cpu, whichever CPU that is. Any context. */
static __always_inline void
arch_cpu_inc(size_t offset)
{
	__asm__ volatile("incq %%gs:(%0)" ::"r"(offset) : "memory", "cc");
}

static __always_inline uint64_t
arch_irq_flags(void)
{
	uint64_t f;

	__asm__ volatile("pushfq; popq %0" : "=r"(f)::"memory");
	return f;
}

static __always_inline bool
arch_irqs_enabled(void)
{
	return arch_irq_flags() & RFLAGS_IF;
}

/* The four that everybody uses are seen by the record of long times without interrupts (latency.h). */
static __always_inline void
arch_irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
	if (latency_watched())
		latency_irqs_off();
}

static __always_inline void
arch_irq_enable(void)
{
	if (latency_watched())
		latency_irqs_on();
	__asm__ volatile("sti" ::: "memory");
}

static __always_inline uint64_t
arch_irq_save(void)
{
	uint64_t f = arch_irq_flags();

	__asm__ volatile("cli" ::: "memory");
	if ((f & RFLAGS_IF) && latency_watched())
		latency_irqs_off();
	return f;
}

static __always_inline void
arch_irq_restore(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		arch_irq_enable();
}

/* Do these flags let interrupts in? */
static __always_inline bool
arch_flags_irqs_on(uint64_t flags)
{
	return flags & RFLAGS_IF;
}

/* The same unseen, for who records. */
static __always_inline uint64_t
arch_irq_save_quiet(void)
{
	uint64_t f = arch_irq_flags();

	__asm__ volatile("cli" ::: "memory");
	return f;
}

static __always_inline void
arch_irq_restore_quiet(uint64_t flags)
{
	if (flags & RFLAGS_IF)
		__asm__ volatile("sti" ::: "memory");
}

/* Add to a word that only this CPU changes, whole as this CPU's interrupts and NMIs see it. The caller
 * stays on the CPU. Returns what was there. */
static __always_inline uint64_t
arch_local_fetch_add(uint64_t *word, uint64_t n)
{
	__asm__ volatile("xaddq %0, %1" : "+r"(n), "+m"(*word)::"memory", "cc");
	return n;
}

/* Add one to a word that only the caller changes; others who see it see all that was written before. */
static __always_inline void
arch_release_inc16(uint16_t *word)
{
	__asm__ volatile("incw %0" : "+m"(*word)::"memory", "cc");
}

static __always_inline void
arch_cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static __always_inline uint64_t
arch_cycles(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

#endif
