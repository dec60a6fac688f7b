/* SPDX-License-Identifier: MIT */
/*
 * parallel.h - the frame around what several CPUs do at once.
 *
 * One static program, the same file on both kernels. An item is an operation that a number of workers, processes or
 * threads, repeat for a short fixed time, each for itself; what is printed is how many they did together in a second:
 *
 *	WORKERS(pipe, PROCESSES, open_pipe, NULL)
 *	{
 *		MUST(write(w->fd[1], &byte, 1));
 *		MUST(read(w->fd[0], &byte, 1));
 *	}
 *
 * Worker i stands on CPU i. `open_pipe` prepares one worker, in the worker; the last name, when there is one,
 * prepares what all share before they start. Where throughput does not grow with the workers, they wait for each
 * other somewhere.
 *
 * By the line TLB of /proc/interrupts, which both kernels have, it is counted besides how many interrupts the workers
 * of a threaded item send each other that the TLB be flushed, for each operation: `NAME.threads.N.flushes`. A CENSUS
 * only counts: one thread operates, the others run in user mode (`NAME.running.N`) or sleep (`NAME.sleeping.N`). Each
 * such line is
 *
 *	name <tab> interrupts/op <tab> value
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include "../frame.h"

#include <sched.h>
#include <sys/syscall.h>

#define WORKERS_MAX 64
#define PAGE        4096l

enum kind { PROCESSES = 1, THREADS = 2, CENSUS = 4, NO_SCALING = 8 };

struct worker {
	volatile uint64_t done; /* operations; its own cache line */
	int index, count;
	int fd[4];
	char *memory;
	long turn;              /* the item's own */
	char name[32];
	pid_t partner;
} __attribute__((aligned(128)));

struct item {
	const char *name;
	int kind;
	uint64_t weight;        /* operations that one call of run() does */
	void (*run)(struct worker *w);
	void (*prepare)(struct worker *w);
	void (*share)(void);
	struct item *next;
};

void item_register(struct item *i);
void stand_on(int cpu);

extern char byte, block[65536];
extern int shared_fd;       /* what `share` of an item opened */
extern int cpus;            /* how many workers an item has at most: the CPUs it may use */

#define ITEM_OF(item_name, how, operations, prepare_fn, share_fn)                                           \
	static void run_##item_name(struct worker *w);                                                      \
	static struct item item_##item_name = {                                                             \
		.name = #item_name, .kind = how, .weight = operations, .run = run_##item_name,              \
		.prepare = prepare_fn, .share = share_fn,                                                   \
	};                                                                                                  \
	__attribute__((constructor)) static void register_##item_name(void)                                 \
	{                                                                                                   \
		item_register(&item_##item_name);                                                           \
	}                                                                                                   \
	static void run_##item_name(struct worker *w)

#define WORKERS(name, how, prepare, share) ITEM_OF(name, how, 1, prepare, share)

#endif
