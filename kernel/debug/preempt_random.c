/* SPDX-License-Identifier: MIT */
/*
 * preempt_random.c - preempt=random[:SEED[:RATE]]: threads are stopped where no timer would stop them.
 *
 * A race between two threads shows only when one of them is held up at the wrong instruction. So each
 * place where preemption becomes possible (a lock is released, a copy from or to a program begins), and
 * each place where a thread is about to want a lock, is a point: at one of RATE (64) the thread
 *
 *	yields		others of its CPU run first
 *	moves		to another CPU, as if balancing had sent it
 *	dawdles		up to some microseconds, while other CPUs go on
 *
 * And the CPU itself dawdles at some switches, between the choice of a thread and its first step, as a
 * virtual one does that its host stops there.
 *
 * Each thread has a row of random numbers of its own, begun from SEED (1) and its number, so what it does
 * depends on its own path alone.
 */
#include <tessera/arch.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/sched.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#define DAWDLE_SPINS 2000u

bool preempt_random_on;     /* [I] once the scheduler runs */
static uint64_t seed = 1;   /* [I] */
static uint64_t rate = 64;  /* [I] */

/* xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled". */
static uint32_t
next_random(struct thread *t)
{
	uint64_t x = t->preempt_random;

	if (!x)
		x = (seed + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)(uint32_t)t->tid << 17 ^ 1;
	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	t->preempt_random = x;
	return (uint32_t)((x * 0x2545f4914f6cdd1dull) >> 32);
}

static void
dawdle(uint32_t spins)
{
	while (spins-- > 0)
		arch_cpu_relax();
}

void
preempt_random_point(void)
{
	struct thread *t;
	uint32_t r;

	if (!preemptible())
		return;
	t = current_thread();
	if (t == cpus[t->cpu]->idle)
		return;
	r = next_random(t);
	if (r % rate != 0)
		return;
	r = next_random(t);
	if (r % 8 < 5)
		sched_yield_here(false);
	else if (r % 8 < 6)
		sched_yield_here(true);
	else
		dawdle((r >> 8) % DAWDLE_SPINS);
}

void
preempt_random_switch(struct thread *next)
{
	uint32_t r = next_random(next);

	/* Switches are rarer than locks. */
	if (r % (rate / 16 + 1) == 0)
		dawdle((r >> 8) % (10 * DAWDLE_SPINS));
}

void
preempt_random_init(void)
{
	char value[48];
	const char *end = value + 6;

	if (!config_preempt_random || !boot_argument("preempt", value, sizeof(value)))
		return;
	if (strncmp(value, "random", 6) != 0 ||
	    (*end == ':' && parse_u64(end + 1, &end, 10, &seed)) ||
	    (*end == ':' && parse_u64(end + 1, &end, 10, &rate)) || *end || !rate) {
		pr_warn("preempt=%s: not random[:SEED[:RATE]]\n", value);
		return;
	}
	pr_info("preempt: at random, seed %lu, one point of %lu\n", seed, rate);
	preempt_random_on = true;
}
