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
 * A CENSUS counts instead of timing: how many interrupts one operation sends to the CPUs on which other threads of
 * the process run, or sleep, that the TLB be flushed. One thread operates, the others do nothing. Such an item prints
 *
 *	name <tab> interrupts/op <tab> value
 *
 * by the line TLB of /proc/interrupts, which both kernels have.
 */
#ifndef PARALLEL_H
#define PARALLEL_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 64
#define PAGE        4096l

enum kind { PROCESSES = 1, THREADS = 2, CENSUS = 4 };

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
void give_up(const char *file, int line, const char *what) __attribute__((noreturn));
void stand_on(int cpu);

extern char byte, block[65536];
extern int shared_fd;       /* what `share` of an item opened */
extern int cpus;            /* how many workers an item has at most: the CPUs it may use */

#define MUST(expr)                                                                                          \
	({                                                                                                  \
		__typeof__(expr) value_ = (expr);                                                           \
		if (__builtin_expect((long)value_ == -1, 0))                                                \
			give_up(__FILE__, __LINE__, #expr);                                                 \
		value_;                                                                                     \
	})

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
