/* SPDX-License-Identifier: MIT */
/*
 * tracee.h - what the cases of ptrace share: making tracees, waiting for their stops.
 */
#ifndef ABI_PTRACE_TRACEE_H
#define ABI_PTRACE_TRACEE_H

#include "check.h"

/* Handlers and threads have parameters that most of them do not look at. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

#include <elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#ifndef PTRACE_EVENT_STOP
#define PTRACE_EVENT_STOP 128
#endif
#define EVENT(e) (SIGTRAP | (e) << 8)

/* ptrace(2) as the kernel has it: peeks go to where `data` points, errors are the value. */
static inline long
trace(long request, pid_t pid, unsigned long addr, unsigned long data)
{
	return syscall(SYS_ptrace, request, pid, addr, data);
}

#define A(p) ((unsigned long)(p))

/* A child that offers itself and stops; the caller has seen that stop. */
pid_t tracee_stopped(void);
/* A child that runs body() after it was let go on from such a stop. */
pid_t tracee_running(void (*body)(void));
/* A child that is not traced and sleeps for ever. */
pid_t tracee_sleeper(void);
/* A child that is not traced and counts in a shared word; *word is where. */
pid_t tracee_counter(volatile unsigned long **word);
/* Wait for `pid` to stop with wait4's status; ends the case when it does something else. */
void tracee_expect(pid_t pid, int code);
int tracee_wait(pid_t pid);
/* End it and see it dead. */
void tracee_end(pid_t pid);
unsigned long tracee_peek_user(pid_t pid, unsigned long offset);
#define USER(field) offsetof(struct user, field)

#endif
