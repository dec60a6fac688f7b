/* SPDX-License-Identifier: MIT */
/*
 * sched.h - who runs where: per-CPU run queues, real-time above fair, preemption, idle pull.
 *
 * 64 queue priorities: real-time ones are FIFO lists under a bitmap; below them normal threads are
 * ordered by weighted virtual run time.
 */
#ifndef TESSERA_SCHED_H
#define TESSERA_SCHED_H

#include <tessera/thread.h>
#include <tessera/types.h>

void sched_init(void);                     /* boot CPU; the caller becomes a thread */
/* Make `c`'s run queue and its idle thread, on whose stack `c` is to start. On the boot CPU, before
 * `c` runs. -ENOMEM: leave that CPU off. */
int sched_init_cpu(struct cpu *c);
/* A new CPU's life: idle loop. Called on c->idle's stack, interrupts off, GS set. */
void __noreturn cpu_entry(struct cpu *c);
void __noreturn sched_idle_loop(void);

/* Give the CPU to the best thread. The caller's state says whether it stays runnable. Called with
 * no spinlock held, preemption on (or by the wait code). */
void schedule(void);
extern uint64_t sched_online_mask; /* [a] bit per CPU that schedules */
void sched_yield_thread(void);
void sched_yield_here(bool move); /* preempt=random only */
/* SLEEPING (or STOPPED when `stopped`) -> RUNNABLE. False: it was not asleep. Any context. */
bool thread_wake(struct thread *t);
bool thread_wake_stopped(struct thread *t);
/*
 * Interrupts to other CPUs are kept back from hold to send, both with interrupts off, on one CPU. Sending one may
 * take long on a virtual machine, and who is woken shall not find the waker's lock held. Nests.
 */
void sched_kicks_hold(void);
void sched_kicks_send(void);
/* Interrupt a sleep if its wait mode heeds signals: fatal says that SIGKILL is the reason. */
void thread_interrupt(struct thread *t, bool fatal);
/* Make a thread running elsewhere in user mode enter the kernel soon (thread->work was set). */
void thread_kick(struct thread *t);

/* Parameters; -EINVAL on bad values. Locks taken inside. */
int sched_set_policy(struct thread *t, int policy, int rt_priority);
void sched_set_nice(struct thread *t, int nice);
int sched_set_affinity(struct thread *t, struct cpu_mask mask); /* -EINVAL: no such CPU. Migrates. */
void sched_set_inherited(struct thread *t, int rt_priority);    /* PI: 0 none */
uint64_t sched_rr_interval_ns(struct thread *t);
/* Child's share of the parent at fork. */
void sched_fork(struct thread *child, struct thread *parent);

/* A thread's CPU times, current even while it runs. */
void thread_times(struct thread *t, uint64_t *user_ns, uint64_t *system_ns);
/* arch calls these on the user/kernel border when accounting is on; cheap. */
void sched_load_average(uint64_t load[3]); /* fixed point, 11 bits */
uint64_t cpu_idle_ns(uint32_t cpu_id);
void cpu_times(uint32_t cpu_id, uint64_t *user, uint64_t *system, uint64_t *idle, uint64_t *irq);
uint64_t sched_context_switches(void);
uint32_t sched_runnable_count(void);
void sched_dump(void); /* run queues, no locks */

#endif
