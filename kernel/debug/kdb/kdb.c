/* SPDX-License-Identifier: MIT */
/*
 * kdb.c - a session: stop the machine, talk, let it go.
 *
 *	(1) one CPU becomes the owner; one that comes second stands still like all others
 *	(2) the others are parked by NMI (arch_park_other_cpus()), wherever they are
 *	(3) the log is diverted to the console; commands run on a stack of their own, each as an attempt
 *	    (debug_try()), so that a fault costs one command
 *	(4) `go`: everything is let go. The clocks have run on: timers that came due fire now, and whoever
 *	    measures a hang leaves out debug_stopped_ns()
 *
 * No locks: whoever holds one may stand still.
 */
#include <tessera/kdb.h>

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/panic.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "../describe.h"
#include "commands.h"
#include "session.h"

#define NOBODY UINT32_MAX

static uint32_t owner = NOBODY;      /* [a] (1) */
static bool enabled = true;          /* [I] after kdb_init() */
static uint32_t screen_rows;         /* [I] of the terminal, 0: not known */
static bool leaving;                 /* the owner's */
static const char *session_why;      /* likewise */
static bool all_answered;            /* likewise */
static uint64_t stopped_ns;          /* [a] */

static const struct kdb_command *const tables[] = {
	kdb_thread_commands, kdb_memory_commands, kdb_object_commands, kdb_machine_commands,
};

void
kdb_init(void)
{
	char value[16];
	uint64_t n;

	enabled = !boot_argument("kdb", value, sizeof(value)) || strcmp(value, "off") != 0;
	if (boot_argument("rows", value, sizeof(value)) && parse_u64(value, NULL, 10, &n) == 0 && n < 1000)
		screen_rows = (uint32_t)n;
}

bool
kdb_enabled(void)
{
	return enabled;
}

bool
kdb_wants_watch(void)
{
	return enabled && debug_panic_asks();
}

uint64_t
debug_stopped_ns(void)
{
	return atomic_load_relaxed(&stopped_ns);
}

/* --- commands ------------------------------------------------------------------------------------ */

void
kdb_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	debug_try_fail(format, args);
}

static bool
begins(const char *name, const char *with)
{
	return !strncmp(name, with, strlen(with));
}

/* The command of that name, or else the first that begins so. */
const struct kdb_command *
kdb_find_command(const char *name)
{
	const struct kdb_command *first = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct kdb_command *c = tables[i]; c->name; c++) {
			if (!strcmp(c->name, name))
				return c;
			if (!first && begins(c->name, name))
				first = c;
		}
	}
	return first;
}

static void
help(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct kdb_command *c = tables[i]; c->name; c++)
			kdb_print("%-10s %-18s %s\n", c->name, c->arguments, c->help);
	kdb_print("help                          this; names may be shortened; Ctrl-C ends a command\n");
}

static int
split(char *line, char **argv)
{
	int argc = 0;

	while (argc < KDB_ARGS_MAX) {
		while (*line == ' ')
			*line++ = '\0';
		if (!*line)
			break;
		argv[argc++] = line;
		while (*line && *line != ' ')
			line++;
	}
	return argc;
}

static void
run_line(void *arg)
{
	char *line = arg, *argv[KDB_ARGS_MAX];
	int argc = split(line, argv);
	const struct kdb_command *c;

	if (!argc)
		return;
	if (!strcmp(argv[0], "help") || !strcmp(argv[0], "?")) {
		help();
		return;
	}
	c = kdb_find_command(argv[0]);
	if (!c)
		kdb_fail("no command begins with %s; `help` lists them", argv[0]);
	c->fn(argc, argv);
}

void
kdb_leave(void)
{
	if (debug_panicking())
		kdb_fail("the kernel has panicked and cannot go on: reboot, poweroff or exit");
	leaving = true;
}

static void
announce(void *arg)
{
	struct thread *t = current_thread();

	kdb_print("\nkdb: %s. CPU %u, %s (tid %d). All CPUs stand still.\n", session_why, this_cpu()->id,
		  t ? t->name : "no thread", t ? t->tid : 0);
	if (!all_answered)
		kdb_print("(not all do: see cpus)\n");
	kdb_print("`help` lists the commands, %s.\n",
		  debug_panicking() ? "`exit` ends the machine" : "`go` lets the machine go on");
}

static void
talk(void *arg)
{
	char line[KDB_LINE_MAX];
	const char *reason;

	leaving = false;
	kdb_set_rows(screen_rows);
	kdb_console_begin(true);
	debug_try(announce, NULL, NULL);
	while (!leaving) {
		kdb_read_line("kdb> ", line, sizeof(line));
		kdb_console_begin(false);
		if (!debug_try(run_line, line, &reason))
			kdb_print("kdb: %s\n", reason);
	}
}

/* --- sessions ---------------------------------------------------------------------------------------- */

struct hold {
	void (*fn)(void *);
	void *arg;
	void (*write)(const char *text, size_t n);
};

/* (1) to (4) around fn(arg), whose output goes to `write`. False: another CPU was first. */
static bool
hold_machine(const struct trap_frame *f, vaddr_t fp, struct hold *s)
{
	uint64_t flags = arch_irq_save(), start;
	uint32_t nobody = NOBODY;

	if (debug_panicking() || !atomic_cas(&owner, &nobody, this_cpu()->id)) {
		arch_irq_restore(flags);
		return false;
	}
	start = arch_clock_ns();
	all_answered = arch_park_other_cpus();
	vantage = (struct vantage){ f, fp };
	log_divert(s->write);
	kdb_set_output(s->write);
	arch_call_on_stack(s->fn, s->arg, (vaddr_t)debug_stack + sizeof(debug_stack));
	log_divert(NULL);
	atomic_add(&stopped_ns, arch_clock_ns() - start);
	arch_unpark_cpus();
	atomic_store(&owner, NOBODY);
	arch_irq_restore(flags);
	return true;
}

void __noinline
kdb_enter(const struct trap_frame *f, const char *why)
{
	struct hold s = { talk, NULL, kdb_write };

	session_why = why;
	hold_machine(f, (vaddr_t)__builtin_frame_address(0), &s);
}

bool
kdb_nmi(const struct trap_frame *f)
{
	struct hold s = { talk, NULL, kdb_write };

	if (!enabled || debug_panicking())
		return false;
	session_why = "non-maskable interrupt";
	if (!hold_machine(f, 0, &s))
		arch_park_here(f);
	return true;
}

void
kdb_panic(void)
{
	if (!enabled)
		return;
	session_why = "panic";
	all_answered = true;
	log_divert(kdb_write);
	kdb_set_output(kdb_write);
	talk(NULL);
	log_divert(NULL);
}

/* --- reports into the log ------------------------------------------------------------------------------ */

static char kept[64 * 1024];
static size_t kept_length;
static bool keeping;             /* [a] somebody uses `kept` */

static void
keep(const char *text, size_t n)
{
	n = MIN(n, sizeof(kept) - 1 - kept_length);
	memcpy(kept + kept_length, text, n);
	kept_length += n;
}

static void
run_kept(void *arg)
{
	const char *reason;

	if (!debug_try(run_line, arg, &reason))
		keep(reason, strlen(reason));
}

void __noinline
kdb_report(const struct trap_frame *f, char *line)
{
	struct hold s = { run_kept, line, keep };
	char *at = kept;

	if (atomic_exchange(&keeping, true))
		return;
	kept_length = 0;
	hold_machine(f, (vaddr_t)__builtin_frame_address(0), &s);
	kept[kept_length] = '\0';
	while (*at) {
		char *end = strchr(at, '\n');

		if (end)
			*end = '\0';
		pr_info("%s\n", at);
		if (!end)
			break;
		at = end + 1;
	}
	atomic_store(&keeping, false);
}
