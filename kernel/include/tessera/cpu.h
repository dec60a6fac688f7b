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
struct trace_ring;

/* What each CPU counts, for /proc: summed over CPUs by cpu_counters_sum(). */
#define CPU_COUNTERS(C)                                                                            \
	C(wakes, "threads woken")                                                                  \
	C(migrations, "threads moved to another CPU")                                              \
	C(forks, "threads started")                                                                \
	C(exits, "threads ended")                                                                  \
	C(execs, "programs started")                                                               \
	C(handles_opened, "handles installed, copies of fork and dup too")                         \
	C(handles_closed, "handles closed, by whatever way")                                       \
	C(faults_user, "page faults of user code")                                                 \
	C(faults_kernel, "page faults of the kernel at user memory")                               \
	C(faults_read, "of both: reads")                                                           \
	C(faults_write, "of both: writes")                                                         \
	C(faults_exec, "of both: instruction fetches")                                             \
	C(faults_present, "of both: of a page that was there, without the right")                  \
	C(faults_refused, "of both: not mended")                                                   \
	C(faults_major, "of both: of a page of a disk or daemon, which was not cached")            \
	C(page_allocs, "blocks of frames handed out")                                              \
	C(page_frees, "blocks of frames given back")                                               \
	C(reclaims, "times that memory was looked for")                                            \
	C(reclaimed, "times that some was found")                                                  \
	C(allocs_failed, "blocks of frames that could not be had")
#define CPU_CALLS 1101 /* CALL_MAX, and one for all others */
struct cpu_counters {
#define CPU_COUNTER_FIELD(name, what) uint64_t name;
	CPU_COUNTERS(CPU_COUNTER_FIELD)
#undef CPU_COUNTER_FIELD
	uint64_t call[CPU_CALLS];
};

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
	struct trace_ring *trace;       /* [a] debug/trace.c; NULL: nothing is recorded here */
	uint64_t kicks;                 /* [i] other CPUs to be told to reschedule, while kicks_held */
	uint32_t kicks_held;            /* [i] > 0: a wake-up is under way, sched_kicks_hold() */
	uint64_t rcu_active;            /* [a] written by this CPU: the epoch its reader began in; 0 */
	uint32_t rcu_depth;             /* [s] */
	struct arch_cpu arch;           /*     arch's own part */
	struct cpu_counters counters;   /* [s] by single instructions: any context */
};

#define CPU_COUNTER(name) offsetof(struct cpu, counters.name)
/* Count one more of CPU_COUNTER(name). Any context. */
static __always_inline void
cpu_count_one(size_t offset)
{
	arch_cpu_inc(offset);
}
/* counters.NAME over all CPUs. */
uint64_t cpu_counter_sum(size_t offset);

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
