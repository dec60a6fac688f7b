/* SPDX-License-Identifier: MIT */
/*
 * bench.h - the frame around the micro-benchmarks.
 *
 * One static program, the same file on both kernels. An item is a loop over one thing that a program asks of the
 * kernel:
 *
 *	ITEM(read_1, "ns", 20000)
 *	{
 *		for (long i = 0; i < n; i++)
 *			MUST(read(zero, &byte, 1));
 *	}
 *
 * BEFORE and AFTER of the same name prepare and clear up, unmeasured. Each item runs in a child of its own, in a
 * fresh scratch directory, once to warm up with a tenth of the rounds and then ROUNDS times; what is printed is the
 * smallest time of one operation. A line of output is
 *
 *	name <tab> unit <tab> value
 *
 * in nanoseconds, or in MB/s where the unit says so.
 */
#ifndef BENCH_H
#define BENCH_H

#include "../frame.h"

struct item {
	const char *name, *unit;
	long n;                /* operations in a round */
	long bytes;            /* each moves so many: the unit is MB/s; else 0 */
	void (*run)(long n);
	void (*before)(void), (*after)(void);
	struct item *next;
};

void item_register(struct item *i);

/*
 * No-operations that `tessera profile` knows: it counts what the machine does between them (tools/profile/plugin.c).
 */
#define MARK_START() __asm__ volatile("nopl 0x7e55e7a0(%%rax,%%rax,1)" ::: "memory")
#define MARK_STOP()  __asm__ volatile("nopl 0x7e55e7a1(%%rax,%%rax,1)" ::: "memory")

#define ITEM_OF(item_name, item_unit, rounds, size, before_fn, after_fn)                                    \
	static void run_##item_name(long n);                                                                \
	static struct item item_##item_name = {                                                             \
		.name = #item_name, .unit = item_unit, .n = rounds, .bytes = size, .run = run_##item_name,  \
		.before = before_fn, .after = after_fn,                                                     \
	};                                                                                                  \
	__attribute__((constructor)) static void register_##item_name(void)                                 \
	{                                                                                                   \
		item_register(&item_##item_name);                                                           \
	}                                                                                                   \
	static void run_##item_name(long n)

#define ITEM(name, rounds)                         ITEM_OF(name, "ns", rounds, 0, NULL, NULL)
#define ITEM_IN(name, rounds, before, after)       ITEM_OF(name, "ns", rounds, 0, before, after)
#define RATE_IN(name, rounds, size, before, after) ITEM_OF(name, "MB/s", rounds, size, before, after)

#endif
