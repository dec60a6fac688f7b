/* SPDX-License-Identifier: MIT */
/*
 * preempt.h - holding the scheduler off on this CPU.
 *
 * The count lives in the CPU, not in the thread: a switch happens only inside schedule(), where the
 * count is exactly one, so every thread finds the count it left.
 */
#ifndef TESSERA_PREEMPT_H
#define TESSERA_PREEMPT_H

#include <tessera/config.h>
#include <tessera/cpu.h>

/* Run the scheduler because preemption was asked for while it was off. Called with the count at zero;
 * with interrupts off it does nothing: need_resched stays set for who turns them on. sched/. */
void schedule_preempted(void);
/* The same at the end of an interrupt, interrupts off from beginning to end: else the next one could come
 * before the switch, want one too, and so on until the stack is full. */
void schedule_interrupted(void);

/* preempt=random: where threads are stopped at random (debug/preempt_random.c). */
extern bool preempt_random_on;
void preempt_random_init(void);
void preempt_random_point(void);
/* `next` was chosen to run here and will in a moment; interrupts off. */
struct thread;
void preempt_random_switch(struct thread *next);

static __always_inline void
preempt_random_here(void)
{
	if (config_preempt_random && unlikely(preempt_random_on))
		preempt_random_point();
}

static inline void
preempt_disable(void)
{
	arch_preempt_count_inc();
	__asm__ volatile("" ::: "memory");
	if (latency_watched())
		latency_preempt_off();
}

static inline void
preempt_enable_no_resched(void)
{
	if (latency_watched())
		latency_preempt_on();
	__asm__ volatile("" ::: "memory");
	arch_preempt_count_dec();
}

static inline void
preempt_enable(void)
{
	if (latency_watched())
		latency_preempt_on();
	__asm__ volatile("" ::: "memory");
	if (arch_preempt_count_dec_and_should_resched())
		schedule_preempted();
	preempt_random_here();
}

/* True when this code may sleep: no spinlock held, not in an interrupt, interrupts on. */
static inline bool
preemptible(void)
{
	return arch_preempt_count() == 0 && arch_irqs_enabled();
}

#endif
