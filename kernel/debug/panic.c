/* SPDX-License-Identifier: MIT */
/*
 * panic.c - giving up: stop the machine, say why, where and who, then what panic= asks for.
 *
 *	(1) the first CPU to panic makes itself the owner; any other halts where it is
 *	(2) the owner stops the others by NMI, so that they change nothing more and print nothing
 *	(3) it prints; from (1) on nobody waits for a lock (debug_panicking())
 *	(4) panic=exit leaves the emulator with a status that says so, panic=reboot restarts; else halt
 *
 * A fault during (3) comes back here on the same CPU: then only the reason is printed, and (4).
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#define NOBODY UINT32_MAX
#define EMULATOR_STATUS_PANIC 126 /* becomes 253: no command's own status */
#define BACKTRACE_MAX 32

static uint32_t owner = NOBODY;  /* [a] the CPU that panics */
static uint32_t depth;           /* how often the owner has come here */
static char text[300];           /* the owner's */

enum panic_action { PANIC_UNDECIDED, PANIC_HALT, PANIC_REBOOT, PANIC_EXIT };
static enum panic_action action; /* [I] after debug_init() */

bool
debug_panicking(void)
{
	return atomic_load_relaxed(&owner) != NOBODY;
}

void
debug_halt_bystander(void)
{
	arch_irq_disable();
	arch_halt();
}

/* What the boot arguments want after a panic. */
static enum panic_action
chosen_action(void)
{
	char value[16];

	if (!boot_argument("panic", value, sizeof(value)) || !strcmp(value, "halt"))
		return PANIC_HALT;
	if (!strcmp(value, "exit"))
		return PANIC_EXIT;
	if (!strcmp(value, "reboot") || !strcmp(value, "-1"))
		return PANIC_REBOOT;
	pr_warn("panic=%s: not one of halt, reboot, exit\n", value);
	return PANIC_HALT;
}

void
debug_init(void)
{
	char value[16];

	action = chosen_action();
	if (boot_argument("loglevel", value, sizeof(value)) && value[0] >= '0' && value[0] <= '8' &&
	    !value[1])
		log_set_console_level((enum log_level)(value[0] - '1'));
	else if (boot_flag("quiet"))
		log_set_console_level(LOG_WARNING);
	else if (boot_flag("debug"))
		log_set_console_level(LOG_DEBUG);
}

/* (1) and (2). */
void
debug_report_begin(void)
{
	uint32_t nobody = NOBODY, self;

	arch_irq_disable();
	self = this_cpu()->id;
	if (!atomic_cas(&owner, &nobody, self)) {
		if (nobody != self)
			debug_halt_bystander();
		return;
	}
	arch_stop_other_cpus();
}

static void __noreturn
finish(void)
{
	/* Before debug_init() nobody has asked. */
	if (action == PANIC_UNDECIDED)
		action = chosen_action();
	switch (action) {
	case PANIC_EXIT:
		arch_exit_emulator(EMULATOR_STATUS_PANIC);
	case PANIC_REBOOT:
		arch_reboot();
	default:
		break;
	}
	arch_halt();
}

static bool
print_address(void *ctx, vaddr_t pc)
{
	uint32_t *left = ctx;
	char where[80];

	/* A return address may lie behind the end of its function: the call does not return. */
	pr_err("  %s\n", symbol_format(pc - 1, where, sizeof(where)));
	return --*left > 0;
}

static void
backtrace_from(vaddr_t rbp)
{
	uint32_t left = BACKTRACE_MAX;

	pr_err("call stack, innermost first:\n");
	arch_backtrace(rbp, print_address, &left);
}

void __noinline
debug_backtrace(void)
{
	backtrace_from((vaddr_t)__builtin_frame_address(0));
}

void
debug_backtrace_thread(struct thread *t)
{
	if (t->on_cpu)
		pr_err("%s (tid %d) is running\n", t->name, t->tid);
	else
		backtrace_from(arch_thread_frame_pointer(t));
}

static void
print_context(void)
{
	struct cpu *c = this_cpu();
	struct thread *t = c->current;

	pr_err("CPU %u of %u, thread %s (tid %d)%s, preempt count %u\n", c->id, cpu_count,
	       t ? t->name : "none", t ? t->tid : 0, c->irq_depth ? ", in an interrupt" : "",
	       c->preempt_count);
	if (t)
		lock_held_print(t);
}

/* (3) and (4). `f`: the registers, NULL: those of the caller are not of interest. */
static void __noreturn
report(const struct trap_frame *f, vaddr_t rbp, const char *format, va_list args)
{
	debug_report_begin();
	if (++depth > 3)
		arch_halt();
	log_set_console_level(LOG_DEBUG);
	vsnprintf(text, sizeof(text), format, args);
	log_print(LOG_EMERG, "PANIC: %s\n", text);
	if (depth == 1) {
		print_context();
		if (f) {
			char where[80];

			pr_err("at %s\n", symbol_format(f->rip, where, sizeof(where)));
			arch_frame_print(f);
		}
		backtrace_from(rbp);
	} else {
		pr_err("while reporting another\n");
	}
	finish();
}

void
panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(NULL, (vaddr_t)__builtin_frame_address(0), format, args);
}

void
panic_with_frame(const struct trap_frame *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(f, f->rbp, format, args);
}

void
warn_backtrace(const char *format, ...)
{
	char line[256];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	pr_warn("WARNING: %s\n", line);
	debug_backtrace();
}
