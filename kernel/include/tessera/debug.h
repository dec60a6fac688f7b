/* SPDX-License-Identifier: MIT */
/*
 * debug.h - what the rest of the kernel asks of debug/ beside panic() and the log.
 */
#ifndef TESSERA_DEBUG_H
#define TESSERA_DEBUG_H

#include <tessera/types.h>

/* After the arguments are known: quiet, loglevel=, panic=. */
void debug_init(void);

/* The kernel is giving up: locks may be held by CPUs that are halted, so nobody waits for them. */
bool debug_panicking(void);
/* This CPU is about to panic and wants to print first. Stops the others. */
void debug_report_begin(void);
/* Called by who waits while another CPU panics: never returns. */
void __noreturn debug_halt_bystander(void);

/* Print the present call stack, and that of a thread that is switched out. */
void debug_backtrace(void);
struct thread;
void debug_backtrace_thread(struct thread *t);

/* The function that holds `pc`: its name, and how far into it. NULL: none. */
const char *symbol_find(vaddr_t pc, uint64_t *offset);

#endif
