/* SPDX-License-Identifier: MIT */
/*
 * commands.h - private to debug/kdb: commands and the console they write to.
 *
 * A command is run by debug_try() on a stopped machine: it takes no locks, reads what it likes, and may
 * fault. What it prints by pr_info() and its like comes out on kdb's console.
 */
#ifndef DEBUG_KDB_COMMANDS_H
#define DEBUG_KDB_COMMANDS_H

#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/types.h>

#define KDB_LINE_MAX 160
#define KDB_ARGS_MAX 8

struct kdb_command {
	const char *name;      /* any beginning that no other command before it has will do */
	const char *arguments; /* for help */
	const char *help;
	void (*fn)(int argc, char **argv);
};

/* One table per file, ended by an entry without a name. */
extern const struct kdb_command kdb_thread_commands[], kdb_memory_commands[], kdb_object_commands[],
	kdb_machine_commands[];
const struct kdb_command *kdb_find_command(const char *name);

/* --- console.c --- */
void kdb_write(const char *text, size_t n);
/* Where what is printed goes: kdb_write(), or a buffer. */
void kdb_set_output(void (*write)(const char *text, size_t n));
void kdb_print(const char *format, ...) __printf(1, 2);
/* Rows between two stops of the output, 0: no stops. */
void kdb_set_rows(uint32_t rows);
void kdb_console_begin(bool fresh); /* of a session (fresh), of a command */
/* A line without its newline. Waits as long as it takes. */
void kdb_read_line(const char *prompt, char *line, size_t size);

/* --- arguments: each ends the command with a message when it does not like what it gets --- */
uint64_t kdb_number(const char *text);             /* 12, 0xff, a function's name, name+0x10 */
struct thread *kdb_thread(const char *text);       /* by tid, or by address */
struct process *kdb_process(const char *text);     /* by pid, or by address */
void __noreturn kdb_fail(const char *format, ...) __printf(1, 2);

/* --- kdb.c --- */
void kdb_leave(void);                              /* `go`: the session ends with this command */

/* --- keys.c --- */
void kdb_keys_help(void);

#endif
