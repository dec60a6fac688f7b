/* SPDX-License-Identifier: MIT */
/*
 * cpu.h - what one CPU owns. Reached through GS; nobody writes another CPU's fields but where marked.
 */
#ifndef TESSERA_CPU_H
#define TESSERA_CPU_H

#include <tessera/arch/cpu.h>
#include <tessera/types.h>

struct thread;
struct address_space;
struct run_queue;
struct spinlock;

/*
 * Who may touch a field:
 *   [I] never changes after the CPU came up   [s] this CPU only, preemption off
 *   [i] this CPU only, interrupts off         [a] atomic, any CPU
 * The first fields' offsets are known to assembly (arch/x86_64/asm_offsets.h asserts them).
 */
struct cpu {
	struct cpu *self;               /* [I] */
	struct thread *current;         /* [s] the running thread */
	uint32_t preempt_count;         /* [s] > 0: no preemption here */
	uint32_t need_resched;          /* [a] set by anyone, cleared by schedule() */
	uint32_t id;                    /* [I] 0 .. cpu_count - 1 */
	uint32_t irq_depth;             /* [i] > 0: inside an interrupt handler */
	vaddr_t kernel_stack_top;       /* [s] of `current`, loaded on entry from user mode */
	uint64_t user_rsp_scratch;      /* [i] used by the system call entry */
	struct thread *idle;            /* [I] */
	struct address_space *active;   /* [i] whose page tables are loaded */
	struct run_queue *rq;           /* [I] sched/ */
	void *frame_cache;              /* [I] mm/: per-CPU free frames */
	void *timers;                   /* [I] time/: this CPU's timer queue */
	void *worker;                   /* [I] sched/continuation.c */
	const struct spinlock *spin_wait; /* [s] for reports: what it spins for */
	struct lock_held *held;         /* [I] sync/: locks held in interrupt context */
	struct arch_cpu arch;           /*     arch's own part */
};

extern struct cpu *cpus[MAX_CPUS]; /* [I] by id; NULL when absent */
extern uint32_t cpu_count;         /* [I] CPUs that came up */

/* Everything a CPU needs of the rooms: called on the boot CPU before `c` starts. -ENOMEM: leave it
 * off. init/main.c. */
int cpu_prepare(struct cpu *c);

static inline struct thread *
current_thread(void)
{
	return arch_current_thread();
}

/* The CPU that this code runs on. Call with preemption off: the answer is stale otherwise. */
static inline struct cpu *
this_cpu(void)
{
	return arch_this_cpu();
}

#define for_each_cpu(c)                                                                            \
	for (uint32_t cpu_i_ = 0; cpu_i_ < cpu_count; cpu_i_++)                                    \
		if (((c) = cpus[cpu_i_]) != NULL)

#endif
