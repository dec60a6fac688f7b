/* SPDX-License-Identifier: MIT */
/*
 * load.c - the load average: how many threads wanted a CPU, damped over 1, 5 and 15 minutes.
 *
 * There is no periodic tick to count in. Each run queue carries its own three averages and steps them,
 * in whole periods of five seconds, before its number of threads changes: between changes the number
 * is constant, so n periods are one power of the decay. The sum over CPUs is the average of the sum.
 */
#include "run_queue.h"

#define FRACTION 11
#define ONE      (1ull << FRACTION)
#define PERIOD   (5 * NSEC_PER_SEC)

/* e^(-5 s / window) with 11 bits of fraction. */
static const uint64_t decays[3] = { 1884, 2014, 2037 };

/* average <- average * decay^periods + active * (1 - decay^periods); the last two have FRACTION bits. */
void
load_advance(uint64_t *average, uint64_t decay, uint64_t active, uint64_t periods)
{
	const uint64_t one = 1ull << 24; /* more bits for the power, or small steps vanish */
	uint64_t power = one, base = decay << (24 - FRACTION);

	for (; periods; periods >>= 1) {
		if (periods & 1)
			power = power * base >> 24;
		base = base * base >> 24;
	}
	*average = (*average * power + active * (one - power) + one / 2) >> 24;
}

void
load_update(struct load_average *l, uint32_t queued, uint64_t now)
{
	uint64_t periods;

	if (likely(now < l->next))
		return;
	if (l->next == 0) {
		l->next = now + PERIOD;
		return;
	}
	periods = (now - l->next) / PERIOD + 1;
	l->next += periods * PERIOD;
	for (unsigned int i = 0; i < 3; i++)
		load_advance(&l->average[i], decays[i], queued * ONE, periods);
}
