/* SPDX-License-Identifier: MIT */
/*
 * arch/thread.h - x86-64: what a thread carries besides its kernel stack.
 */
#ifndef TESSERA_ARCH_THREAD_H
#define TESSERA_ARCH_THREAD_H

#include <tessera/types.h>

struct arch_debug;

/* All owner-only: the thread itself, or whoever holds it switched out. */
struct arch_thread {
	uint64_t rsp;          /* kernel stack pointer while switched out */
	uint64_t fs_base;      /* user; current in the register while it runs */
	uint64_t gs_base;      /* user */
	uint16_t ds, es, fs, gs; /* user selectors, nearly always 0 */
	void *fpu;             /* XSAVE area (64-byte aligned), NULL for kernel threads */
	uint32_t fpu_size;
	uint32_t fpu_cpu;      /* CPU that last held its FPU registers, UINT32_MAX: none */
	bool fpu_in_memory;    /* `fpu` is newer than the registers, even while it runs */
	uint8_t trap_no;       /* of its last trap: what a signal frame reports */
	uint32_t error_code;
	uint64_t fault_address; /* CR2 of its last page fault */
	struct arch_debug *debug; /* debug registers, NULL: none; tracee.c */
	uint64_t debug_status;  /* why its last debug trap came, as DR6's bits */
	bool no_tsc;            /* its user code may not read the time-stamp counter */
	bool step_forced;       /* the trap flag in its user frame is its tracer's */
};

#endif
