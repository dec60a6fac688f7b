/* SPDX-License-Identifier: MIT */
/*
 * keys.c - the letters that make the kernel do something at once, after Linux's SysRq: typed on the
 * console behind a BREAK or three Ctrl-^, or written to /proc/sysrq-trigger.
 */
#include <tessera/kdb.h>

#include <tessera/arch.h>
#include <tessera/panic.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "commands.h"
#include "session.h"

#define CARET      0x1e /* Ctrl-^ */
#define CARETS     3
#define ARMED_NS   (5 * NSEC_PER_SEC)

struct key {
	char letter;
	const char *command; /* run by kdb, for the log; NULL: see kdb_key() */
	const char *help;
};

static const struct key keys[] = {
	{ 'b', NULL, "reboot at once" },
	{ 'c', NULL, "panic on purpose" },
	{ 'd', "locks", "locks held and waited for" },
	{ 'g', NULL, "kdb, on the console" },
	{ 'h', NULL, "this help" },
	{ 'l', "cpus", "what each CPU runs, with its stack" },
	{ 'm', "memory", "memory" },
	{ 'o', NULL, "power off" },
	{ 'p', "regs", "registers" },
	{ 'q', "timers", "timers" },
	{ 't', "bta", "all threads with their stacks" },
	{ 'w', "bta D", "threads in uninterruptible sleep" },
	{ 'z', "trace", "the last trace records" },
};

static const struct key *
key_of(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].letter == letter)
			return &keys[i];
	return NULL;
}

static void
print_help(void)
{
	pr_info("sysrq: letters to write here, or to type behind a BREAK or three Ctrl-^:\n");
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		pr_info("sysrq:   %c  %s\n", keys[i].letter, keys[i].help);
}

void
kdb_key(char letter, const struct trap_frame *f)
{
	const struct key *k = key_of(letter);
	char line[KDB_LINE_MAX];

	if (letter >= '0' && letter <= '9') {
		/* As on Linux: 7 shows what is less important than warnings, 4 errors ... */
		log_set_console_level((enum log_level)(MIN(letter - '0', 8) - 1));
		return;
	}
	if (k && k->command) {
		pr_info("sysrq: %s\n", k->help);
		string_copy(line, k->command, sizeof(line));
		kdb_report(f, line);
		return;
	}
	switch (letter) {
	case 'b':
		arch_reboot();
	case 'c':
		panic("sysrq: a crash was asked for");
	case 'g':
		kdb_enter(f, f ? "called from the console" : "called by /proc/sysrq-trigger");
		break;
	case 'o':
		arch_power_off();
	default:
		print_help();
	}
}

int
kdb_keys_byte(struct kdb_keys *k, uint8_t byte, bool is_break)
{
	if (!kdb_enabled())
		return KDB_KEY_PASS;
	if (is_break) {
		*k = (struct kdb_keys){ .armed = true, .armed_at = arch_clock_ns() };
		return KDB_KEY_TAKE;
	}
	if (k->armed && byte != CARET) {
		bool known = key_of((char)byte) && arch_clock_ns() - k->armed_at < ARMED_NS;

		*k = (struct kdb_keys){ 0 };
		return known ? byte : KDB_KEY_PASS;
	}
	if (byte != CARET) {
		k->carets = 0;
		return KDB_KEY_PASS;
	}
	if (k->carets < CARETS && ++k->carets < CARETS)
		return KDB_KEY_PASS;
	k->armed = true;
	k->armed_at = arch_clock_ns();
	return KDB_KEY_TAKE;
}
