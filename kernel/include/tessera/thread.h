/* SPDX-License-Identifier: MIT */
/*
 * thread.h - what the scheduler runs: a kernel stack, a state, a place in a run queue.
 *
 *             thread_start           picked
 *   NEW ----------------> RUNNABLE <-------> RUNNING ---- thread_exit ---> DEAD
 *                            ^                  |
 *                            +---- woken --- SLEEPING / STOPPED
 *
 * sched/ owns the scheduling fields, proc/ those of a program's thread (process, signals, tid).
 * A thread with process == NULL is the kernel's own.
 */
#ifndef TESSERA_THREAD_H
#define TESSERA_THREAD_H

#include <tessera/arch/thread.h>
#include <tessera/atomic.h>
#include <tessera/disk_use.h>
#include <tessera/kcov.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/lock_stat.h>
#include <tessera/memory_policy.h>
#include <tessera/rbtree.h>
#include <tessera/signal.h>
#include <tessera/time.h>
#include <tessera/types.h>
#include <tessera/user_dispatch.h>
#include <tessera/wait.h>

struct cpu;
struct cred;
struct process;
struct ptrace;
struct seccomp_filter;
struct sem_undo_list;

enum thread_state {
	THREAD_NEW,
	THREAD_RUNNABLE,      /* in a run queue or running */
	THREAD_SLEEPING,      /* until woken */
	THREAD_STOPPED,       /* job control or a tracer; woken by SIGCONT, the tracer or SIGKILL */
	THREAD_DEAD,
};

/* Scheduling policies, Linux's numbers. */
#define SCHED_OTHER 0
#define SCHED_FIFO  1
#define SCHED_RR    2
#define SCHED_BATCH 3
#define SCHED_IDLE  5
#define SCHED_DEADLINE 6 /* known by name only */
#define SCHED_RESET_ON_FORK 0x40000000

/* thread->work: reasons to call thread_return_to_user(). Tested by assembly: see THREAD_WORK. */
#define WORK_SIGNAL  (1u << 0) /* a signal may be deliverable */
#define WORK_STOP    (1u << 1) /* group stop asked for */
#define WORK_EXIT    (1u << 2) /* this thread must end */
#define WORK_RESUME  (1u << 3) /* proc: restore saved signal mask, rseq and such */
#define WORK_RSEQ    (1u << 4)
#define WORK_TRAP    (1u << 5) /* ptrace: stop for the tracer */
#define WORK_SYSCALL_EXIT (1u << 6) /* ptrace: a call that took the long way ends */
#define WORK_FRAME   (1u << 7) /* somebody wrote into the user frame: all of it is to be loaded */

/* thread->call_work: reasons to look at each system call before it is made. */
#define CALL_WORK_SECCOMP (1u << 0)
/* For its tracer, who writes these while the thread is stopped: */
#define CALL_WORK_TRACE   (1u << 1) /* stop at entry and exit */
#define CALL_WORK_EMULATE (1u << 2) /* stop at entry, do nothing */
#define CALL_WORK_STEP    (1u << 3) /* single-stepped: the way out of the call is a step */
#define CALL_WORK_DISPATCH (1u << 4) /* the program handles some itself */
#define CALL_WORK_PTRACE  (CALL_WORK_TRACE | CALL_WORK_EMULATE | CALL_WORK_STEP)

struct cpu_mask {
	uint64_t bits; /* MAX_CPUS == 64 */
};

/* May others wait for a PI futex that a thread owns? See proc/futex_pi.c. */
enum pi_state {
	PI_ALIVE,
	PI_EXITING,
	PI_DEAD,
};

/*
 * Why a call may be run again after a signal handler (ERESTART_RESTARTBLOCK): nanosleep, poll, futex.
 */
struct restart_block {
	long (*fn)(struct restart_block *b);
	deadline_t deadline;
	uint64_t arg[5];
};

/*
 * [I] immutable after start  [o] the thread itself  [q] the lock of its run queue
 * [T] lock  [a] atomic  [P] PROCESS_TREE  [p] process->lock  [s] process->signal_lock
 */
struct thread {
	/* entry code knows the places of these */
	uint32_t work;                 /* [a] WORK_* */
	uint32_t magic;                /* [I] THREAD_MAGIC: a stray pointer is noticed */
	uint64_t syscall_number;       /* [o] the present call, -1 outside; for /proc/PID/syscall */

	/* identity */
	pid_t tid;                     /* [I] in the initial namespace; 0: kernel thread without one */
	pid_t local_tid;               /* [I] in its own namespace */
	char name[16];                 /* [o] written by itself or under process->lock: comm */
	struct process *process;       /* [I] NULL: kernel thread */
	struct list process_node;      /* [p] process->threads */
	struct refcount refs;          /* the creature itself; freed at 0 after death */

	/* machine */
	void *stack;                   /* [I] kernel stack, lowest address */
	vaddr_t stack_top;             /* [I] */
	struct arch_thread arch;       /* [o] */

	/* scheduling */
	struct spinlock lock;          /* class THREAD */
	enum thread_state state;       /* [T] + [o]: see sched/ */
	bool uninterruptible;          /* [o] D rather than S in ps */
	uint8_t wait_mode;             /* [o] enum wait_mode of the present sleep */
	bool on_cpu;                   /* [a] its stack is in use right now */
	bool queued;                   /* [q] */
	uint8_t policy;                /* [T] SCHED_* */
	int8_t nice;                   /* [T] -20 .. 19 */
	uint8_t rt_priority;           /* [T] 1 .. 99 for FIFO and RR, else 0 */
	uint8_t inherited_priority;    /* [T] through PI futexes and mutexes */
	bool reset_on_fork;            /* [T] */
	uint32_t cpu;                  /* [q] where it runs or ran last */
	struct cpu_mask affinity;      /* [T] */
	struct rb_node run_node;       /* [q] fair queue */
	struct list run_list;          /* [q] real-time queues */
	uint64_t vruntime;             /* [q] weighted nanoseconds */
	uint64_t slice_end;            /* [q] */
	uint64_t run_start;            /* [o] when it got the CPU */
	uint64_t user_ns, system_ns;   /* [T] as last reported: they never go back */
	uint64_t sum_exec_ns;          /* [q] */
	uint64_t sleep_start;          /* [q] when it left the run queue */
	const void *sleep_queue;       /* [q] which queue that was, and its min_vruntime then; only to compare */
	uint64_t sleep_vruntime;       /* [q] */
	uint64_t burst_start;          /* [q] sum_exec_ns when it was last woken */
	uint64_t rt_spell, rt_next;    /* [s] RLIMIT_RTTIME: burst_start of the spell that was judged, and the CPU
	                                * time it may have until SIGXCPU comes (again) */
	uint64_t burst_ns;             /* [q] how long it runs between sleeps, an average */
	uint64_t user_ticks, system_ticks; /* [q] samples: how to split sum_exec_ns */
	struct list all_node;          /* sched/'s list of all threads, its lock */
	struct list dead_node;         /* [s] of the CPU that is to free it */
	uint64_t voluntary_switches, involuntary_switches; /* [o] */
	uint64_t start_time;           /* [I] monotonic ns */
	struct timer sleep_timer;      /* [o] */
	bool sleep_timed_out;          /* [a] */
	struct lock_held held;         /* [o] locks held in thread context */
	struct lock_stat_held lock_holds; /* [o] sync/lock_stat.c: sleeping locks */
	void *waiting_for_lock;        /* [o] for reports */
	uint8_t waiting_kind;          /* [o] enum lock_wait_kind of it */
	const struct wait_queue *wait_queue; /* [o] for reports: the last it put itself on, NULL: none */
	uint32_t waiters;              /* [o] of its own on queues; kept where misuse is checked */
	uint32_t pagefault_disabled;   /* [o] */
	bool reclaiming;               /* [o] is getting memory back (page_alloc); does not begin again inside */
	bool memory_reserve;           /* [a] being killed by the OOM killer: may use the reserve */

	/* a program's thread */
	uint32_t call_work;            /* [a] CALL_WORK_* */
	uint8_t seccomp_mode;          /* [p] to write; itself reads it freely: see proc/seccomp.c */
	bool no_new_privs;             /* [p] to write, only to true; exec gives no privileges any more */
	struct seccomp_filter *seccomp; /* [p] to write: its chain, a reference */
	const struct cred *cred;       /* [o] reference; other threads read it under process->lock */
	uint64_t signal_mask;          /* [s] blocked; only itself changes it */
	uint64_t saved_signal_mask;    /* [o] to restore after sigsuspend, ppoll */
	bool restore_signal_mask;      /* [o] */
	struct signal_queue pending;   /* [s] directed at this thread */
	struct signal_stack altstack;  /* [o] */
	struct restart_block restart;  /* [o] */
	uint32_t __user *clear_child_tid; /* [o] */
	uint32_t __user *set_child_tid;   /* [o] to be written by the thread itself before it first runs */
	void __user *robust_list;      /* [o] */
	void __user *rseq;             /* [o] */
	uint32_t rseq_size, rseq_signature; /* [o] */
	struct user_dispatch dispatch; /* [o] */
	int exit_signal;               /* [I] */
	bool worker;                   /* [I] of its process: see process_add_worker() */
	bool exiting;                  /* [s] */
	bool left_process;             /* [o] ended before others of its process: its memory may be gone */
	struct vfork_wait *vfork;      /* [o] parent to release at exec or exit */
	uint64_t minor_faults, major_faults; /* [o] */
	struct disk_use disk;          /* [o] */
	uint64_t page_misses;          /* [o] pages of stores that it looked for and were not cached */
	struct ptrace *ptrace;         /* [a] NULL until it is first traced: proc/ptrace.c */
	struct futex_waiter *futex;    /* FUTEX_PI: the PI futex being waited for, NULL: none */
	struct sem_undo_list *sem_undo; /* [o] what System V semaphores are owed; NULL: nothing yet */
	struct list pi_held;           /* FUTEX_PI: who waits for PI futexes it owns */
	uint8_t pi_state;              /* FUTEX_PI: enum pi_state */
	uint32_t personality;          /* [o] */
	uint64_t timer_slack_ns;       /* [o] */
	uint16_t io_priority;          /* [a] as set by ioprio_set; 0: none */
	struct memory_policy memory_policy; /* [o] set_mempolicy */
	struct kcov_thread kcov;       /* [o] */
	uint64_t fail_nth;             /* [o] allocations until one fails; 0: none shall */
	uint64_t fail_more;            /* [o] how many behind that one fail too */
	bool roams;                    /* [q] preempt=random chose it to move */
	uint64_t preempt_random;       /* [o] state of its random numbers */
};

#define THREAD_WORK  0
#define THREAD_MAGIC 0x74687264u
_Static_assert(offsetof(struct thread, work) == THREAD_WORK, "entry code reads thread->work");

/* A kernel thread, not started yet. fn must not return: it calls thread_exit(). NULL: no memory. */
struct thread *thread_create_kernel(const char *name, void (*fn)(void *), void *arg);
/* Allocate with a kernel stack, fields at their defaults: proc/ fills in the rest. */
struct thread *thread_alloc(void);
void thread_start(struct thread *t);      /* NEW -> RUNNABLE */
void __noreturn thread_exit(void);        /* the calling kernel or program thread ends for good */
static inline void
thread_get(struct thread *t)
{
	ref_get(&t->refs);
}
void thread_put(struct thread *t);
uint64_t thread_count(void);
/* proc/ provides: drop what it put into a thread that is being freed (process, credentials). Called by
 * the last thread_put(); any context that may free memory. */
void thread_release_user(struct thread *t);
/* Take a user thread through its exit path; defined by proc/. */
void __noreturn thread_exit_user(int status);

/* Every thread there is, for dumps and ps-like views: sched/'s list. fn under its lock (LEAF). */
/* The same without the lock, on a stopped machine; the list may be broken, and then ends there. */
void thread_for_each_stopped(void (*fn)(void *ctx, struct thread *t), void *ctx);
void thread_for_each(void (*fn)(void *ctx, struct thread *t), void *ctx);

#endif
