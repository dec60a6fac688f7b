/* SPDX-License-Identifier: MIT */
/*
 * debug.h - what the rest of the kernel asks of debug/ beside panic() and the log.
 */
#ifndef TESSERA_DEBUG_H
#define TESSERA_DEBUG_H

#include <tessera/list.h>
#include <tessera/types.h>

struct trap_frame;

/* After the arguments are known: quiet, loglevel=, panic=. */
void debug_init(void);

/* The kernel is giving up: locks may be held by CPUs that are halted, so nobody waits for them. */
bool debug_panicking(void);
/* This CPU is about to panic and wants to print first. Stops the others. */
void debug_report_begin(void);
/* Called by who waits while another CPU panics: never returns. */
void __noreturn debug_halt_bystander(void);
/* Called by who has waited long for a lock: does not return when its holder stands still. */
void debug_lock_stuck(void);
/* How long kdb has held the machine, all in all: who measures a hang must not count it. */
uint64_t debug_stopped_ns(void);

/* Print the present call stack, and that of a thread that is switched out or on a stopped CPU. */
void debug_backtrace(void);
struct thread;
void debug_backtrace_thread(struct thread *t);

/* The function that holds `pc`: its name, and how far into it. NULL: none. */
const char *symbol_find(vaddr_t pc, uint64_t *offset);
/* The function of that name, 0: none. */
vaddr_t symbol_address(const char *name);

/* All functions in the order of their addresses. */
void symbol_for_each(void (*fn)(void *ctx, vaddr_t start, const char *name), void *ctx);

/* --- on a machine that may be broken: debug/broken.c ------------------------------------------ */

/*
 * fn(arg) while all other CPUs stand still and interrupts are off. A fault or a panic inside it ends only
 * it: false, and *reason (not NULL) tells what happened. What it had locked or half changed stays so: it
 * is for looking, not for changing. May be nested.
 */
bool debug_try(void (*fn)(void *), void *arg, const char **reason);

/*
 * A walk over a list whose links may be wrong. Each element is read only after it was seen to be readable
 * and linked back; a break is reported in a line of the log, and ends the walk.
 */
struct debug_walk {
	const struct list *head, *at;
	uint32_t left;
};
#define DEBUG_WALK_MAX 65536u
void *debug_walk_next(struct debug_walk *w, size_t offset, size_t size);
#define list_for_each_checked(e, l, member)                                                        \
	for (struct debug_walk walk_ = { (l), (l), DEBUG_WALK_MAX };                               \
	     ((e) = debug_walk_next(&walk_, offsetof(__typeof__(*(e)), member), sizeof(*(e)))) != NULL;)

#endif
