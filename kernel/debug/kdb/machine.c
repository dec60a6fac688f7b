/* SPDX-License-Identifier: MIT */
/*
 * machine.c - kdb's commands about the machine: interrupts, timers, log, registers; and ways out.
 */
#include <tessera/arch.h>
#include <tessera/cpu.h>
#include <tessera/latency.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/string.h>
#include <tessera/time.h>
#include <tessera/trace.h>

#include "../describe.h"
#include "commands.h"

#define STATUS_PANIC 126
#define LOG_DEFAULT  20u

static void
irq_line(void *ctx, const char *name, const uint64_t *per_cpu, const char *what)
{
	kdb_print("%4s", name);
	for (uint32_t i = 0; i < cpu_count; i++)
		kdb_print(" %10lu", per_cpu[i]);
	kdb_print(" %s\n", what ?: "");
}

static void
command_irqs(int argc, char **argv)
{
	arch_irq_counts_print(irq_line, NULL);
}

static void
command_timers(int argc, char **argv)
{
	kdb_print("now %lu\n", clock_monotonic_ns());
	timer_dump();
}

static void
command_log(int argc, char **argv)
{
	log_dump(argc > 1 ? (uint32_t)kdb_number(argv[1]) : LOG_DEFAULT);
}

static void
command_regs(int argc, char **argv)
{
	const struct trap_frame *f = vantage.frame;

	if (argc > 1) {
		uint64_t id = kdb_number(argv[1]);

		f = id < cpu_count ? describe_cpu_frame((uint32_t)id) : NULL;
	}
	if (!f)
		kdb_fail("no registers were saved: this CPU came here by a call (see bt)");
	arch_frame_print(f);
	describe_code(arch_frame_pc(f));
}

static void
command_more(int argc, char **argv)
{
	if (argc < 2)
		kdb_fail("off, or how many rows?");
	kdb_set_rows(strcmp(argv[1], "off") ? (uint32_t)kdb_number(argv[1]) : 0);
}

#define TRACE_LINES 40

static void
trace_line(void *unused, const char *line)
{
	kdb_print("%s\n", line);
}

static void
command_trace(int argc, char **argv)
{
	uint64_t n = argc > 1 ? kdb_number(argv[1]) : TRACE_LINES;

	if (!trace_recorded())
		kdb_fail("nothing was recorded: /proc/tessera/trace/enable, or the argument trace=");
	trace_tail((unsigned int)MIN(n, (uint64_t)UINT32_MAX), trace_line, NULL);
}

static void __printf(2, 3)
print_in_context(void *unused, const char *format, ...)
{
	char line[160];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	kdb_print("%s", line);
}

static void
command_latency(int argc, char **argv)
{
	latency_print(print_in_context, NULL);
}

static void
command_go(int argc, char **argv)
{
	kdb_leave();
}

static void
command_reboot(int argc, char **argv)
{
	arch_reboot();
}

static void
command_poweroff(int argc, char **argv)
{
	arch_power_off();
}

static void
command_exit(int argc, char **argv)
{
	arch_exit_emulator(STATUS_PANIC);
}

const struct kdb_command kdb_machine_commands[] = {
	{ "irqs", "", "interrupts so far, on each CPU", command_irqs },
	{ "timers", "", "what each CPU's timers will do", command_timers },
	{ "log", "[N]", "the last N lines of the log", command_log },
	{ "trace", "[N]", "the last N events that were recorded", command_trace },
	{ "latency", "", "the longest times with interrupts or preemption off", command_latency },
	{ "regs", "[CPU]", "registers where kdb was entered, or of a CPU", command_regs },
	{ "more", "off|ROWS", "stop when the screen is full", command_more },
	{ "go", "", "let the machine go on", command_go },
	{ "reboot", "", "restart the machine", command_reboot },
	{ "poweroff", "", "switch it off", command_poweroff },
	{ "exit", "", "leave the emulator with the status of a panic", command_exit },
	{ 0 },
};
