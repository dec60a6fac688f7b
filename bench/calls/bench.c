/* SPDX-License-Identifier: MIT */
/*
 * bench.c - runs the items: see bench.h.
 *
 *	bench [WORD...]     those whose names begin with a WORD; all
 *	bench --list        their names, units and how many operations a round has
 *	bench --nothing     ends at once: what fork_exec starts
 */
#include "bench.h"

#define ROUNDS 3

static struct item *items, **last = &items;

void
item_register(struct item *i)
{
	*last = i;
	last = &i->next;
}

static double
one_round(struct item *i, long n)
{
	double start, end;

	if (i->before)
		i->before();
	start = now();
	MARK_START();
	i->run(n);
	MARK_STOP();
	end = now();
	if (i->after)
		i->after();
	return (end - start) / (double)n;
}

static void
measure(void *item)
{
	struct item *i = item;
	double best = 0;

	one_round(i, i->n > 10 ? i->n / 10 : 1);
	for (int round = 0; round < ROUNDS; round++) {
		double ns = one_round(i, i->n);

		if (round == 0 || ns < best)
			best = ns;
	}
	if (i->bytes)
		printf("%s\t%s\t%.2f\n", i->name, i->unit, (double)i->bytes * 1e3 / best);
	else
		printf("%s\t%s\t%.2f\n", i->name, i->unit, best);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--nothing") == 0)
		return 0;
	for (struct item *i = items; i; i = i->next) {
		if (argc > 1 && strcmp(argv[1], "--list") == 0) {
			printf("%s\t%s\t%ld\n", i->name, i->unit, i->n);
		} else if (is_wanted(i->name, 1, argc, argv) && run_apart(measure, i) != 0) {
			printf("%s\tfailed\n", i->name);
			failed = 1;
		}
	}
	return failed;
}
