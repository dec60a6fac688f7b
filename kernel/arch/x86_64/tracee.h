/* SPDX-License-Identifier: MIT */
/*
 * tracee.h - what traps and switches do for threads that are traced (tracee.c).
 */
#ifndef ARCH_X86_64_TRACEE_H
#define ARCH_X86_64_TRACEE_H

#include <tessera/types.h>

struct thread;
struct trap_frame;

/* Debug registers of `next` or none at all: called when it or who ran before has some. Interrupts off. */
void debug_switch(const struct thread *next);
/* A debug trap of the calling thread, with the bits of DR6 that say why. */
void debug_note(struct trap_frame *f, uint64_t status);
/* The calling thread's new program has none. */
void debug_drop_current(void);

#endif
