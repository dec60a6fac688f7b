/* SPDX-License-Identifier: MIT */
/*
 * panic.c - giving up: stop the machine, say why, where and who, then what panic= asks for.
 *
 *	(1) the first CPU to panic makes itself the owner; any other halts where it is
 *	(2) the owner stops the others by NMI, so that they change nothing more and print nothing
 *	(3) it prints; from (1) on nobody waits for a lock (debug_panicking())
 *	(4) panic=exit leaves the emulator with a status that says so, panic=reboot restarts, panic=kdb asks
 *	    who sits at the console; else halt
 *
 * A fault during (3) comes back here on the same CPU: then only the reason is printed, and (4).
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/debug.h>
#include <tessera/kdb.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "describe.h"

#define NOBODY UINT32_MAX
#define EMULATOR_STATUS_PANIC 126 /* becomes 253: no command's own status */
#define BACKTRACE_MAX 32
#define LOG_SHOWN 12 /* records, of a console that was quiet */

static uint32_t owner = NOBODY;  /* [a] the CPU that panics */
static uint32_t depth;           /* how often the owner has come here */
static char text[300];           /* the owner's */
uint8_t debug_stack[KERNEL_STACK_SIZE] __aligned(16);

enum panic_action { PANIC_UNDECIDED, PANIC_HALT, PANIC_REBOOT, PANIC_EXIT, PANIC_KDB };
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

void
debug_lock_stuck(void)
{
	if (debug_try_active())
		debug_try_stop("a lock is held by who stands still");
	if (debug_panicking())
		debug_halt_bystander();
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
	if (!strcmp(value, "kdb"))
		return PANIC_KDB;
	pr_warn("panic=%s: not one of halt, reboot, exit, kdb\n", value);
	return PANIC_HALT;
}

bool
debug_panic_asks(void)
{
	return action == PANIC_KDB;
}

void
debug_init(void)
{
	char value[16];

	action = chosen_action();
	kdb_init();
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
	case PANIC_KDB:
		kdb_panic();
		arch_exit_emulator(EMULATOR_STATUS_PANIC);
	default:
		break;
	}
	arch_halt();
}

void __noinline
debug_backtrace(void)
{
	describe_stack(NULL, (vaddr_t)__builtin_frame_address(0), BACKTRACE_MAX);
}

void
debug_backtrace_thread(struct thread *t)
{
	describe_thread_stack(t, BACKTRACE_MAX);
}

/* (3) and (4), on a stack of their own: the panic may be about the stack. */
static void
report(void *arg)
{
	const struct trap_frame *f = vantage.frame;
	char where[80];

	log_print(LOG_EMERG, "PANIC: %s\n", text);
	if (depth == 1) {
		if (f)
			pr_err("at %s\n", trap_from_user(f) ? "user code" :
			       symbol_format(arch_frame_pc(f), where, sizeof(where)));
		report_print(f, vantage.fp);
	} else {
		pr_err("while reporting another\n");
	}
	finish();
}

/* `f`: the registers, NULL: those of the caller are not of interest. */
static void __noreturn
give_up(const struct trap_frame *f, vaddr_t fp, const char *format, va_list args)
{
	if (debug_try_active())
		debug_try_fail(format, args);
	debug_report_begin();
	if (++depth > 3)
		arch_halt();
	log_divert(NULL);
	if (log_console_is_quiet()) {
		static const char title[] = "log so far, which the console did not show:\n";

		arch_console_write(title, sizeof(title) - 1);
		log_dump(LOG_SHOWN);
	}
	log_set_console_level(LOG_DEBUG);
	vsnprintf(text, sizeof(text), format, args);
	if (depth > 1)
		report(NULL);
	vantage = (struct vantage){ f, fp };
	if ((vaddr_t)__builtin_frame_address(0) - (vaddr_t)debug_stack < sizeof(debug_stack))
		report(NULL);
	arch_call_on_stack(report, NULL, (vaddr_t)debug_stack + sizeof(debug_stack));
	arch_halt();
}

void
panic(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	give_up(NULL, (vaddr_t)__builtin_frame_address(0), format, args);
}

void
panic_with_frame(const struct trap_frame *f, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	give_up(f, arch_frame_fp(f), format, args);
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
