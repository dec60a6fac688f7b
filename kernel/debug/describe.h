/* SPDX-License-Identifier: MIT */
/*
 * describe.h - private to debug/: threads, stacks and processes in words, for panics and kdb.
 *
 * For a stopped machine: nothing here takes a lock. Lines go to the log at LOG_ERR, which kdb diverts.
 */
#ifndef DEBUG_DESCRIBE_H
#define DEBUG_DESCRIBE_H

#include <tessera/config.h>
#include <tessera/types.h>

struct address_space;
struct process;
struct thread;
struct trap_frame;

/* broken.c: an attempt is being made on this CPU; end it. */
bool debug_try_active(void);
void __noreturn debug_try_fail(const char *format, va_list args) __printf(1, 0);
void __noreturn debug_try_stop(const char *format, ...) __printf(1, 2);

/* Where this CPU, which describes, was before: registers, or a frame pointer alone. */
struct vantage {
	const struct trap_frame *frame; /* NULL: only fp */
	vaddr_t fp;
};
extern struct vantage vantage; /* of the CPU that has stopped the others */

/* The registers of the CPU `id`, NULL: not known. */
const struct trap_frame *describe_cpu_frame(uint32_t id);
/* The call stack from `fp` on, with the interrupted instruction of `f` first if not NULL; max lines. */
void describe_stack(const struct trap_frame *f, vaddr_t fp, uint32_t max);
void describe_thread_stack(struct thread *t, uint32_t max);
/* The same in one line, "a+0x1 < b+0x2", at most `depth` functions. */
void describe_stack_short(const struct trap_frame *f, vaddr_t fp, uint32_t depth, char *out, size_t size);
/* Where a thread that sleeps does so: the innermost function that is not about sleeping. */
void describe_wait_place(struct thread *t, char *out, size_t size);
char describe_state(const struct thread *t); /* as ps: R S D T Z, and N: not started */
/* "read(0x3, 0x7ffd1000, 0x400)", or nothing: it is in no system call. */
void describe_call(struct thread *t, char *out, size_t size);
void describe_command_line(struct process *p, char *out, size_t size);
/* Bytes of another address space, without faulting anything in. How many could be read. */
size_t describe_read_user(struct address_space *as, vaddr_t va, void *out, size_t n);
/* "/usr/bin/bash+0x1234" of a user address, or nothing. */
void describe_user_address(struct process *p, vaddr_t va, char *out, size_t size);
/* Who: two or three lines. */
void describe_thread(struct thread *t);
void describe_code(vaddr_t pc);

/* log.c: what log_print() gets goes to `write` instead, whole lines. NULL: as usual again. The CPU that
 * has stopped the others. */
void log_divert(void (*write)(const char *text, size_t n));
/* The last n records, to the console or where the log is diverted to. No lock. */
void log_dump(uint32_t n);
bool log_console_is_quiet(void);

/* panic.c: the stack that a panic reports from, and kdb works on. */
extern uint8_t debug_stack[KERNEL_STACK_SIZE];
/* panic=kdb: somebody sits at the console. */
bool debug_panic_asks(void);

/* report.c: all but the first lines, which say why. */
void report_print(const struct trap_frame *f, vaddr_t fp);

#endif
