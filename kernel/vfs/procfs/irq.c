/* SPDX-License-Identifier: MIT */
/*
 * irq.c - /proc/irq: where each interrupt may go, and where it goes; /proc/interrupts.
 *
 * A set of CPUs is written as Linux reads it: in hexadecimal, by commas in groups of 32 bits, or (_list) as 0-3,8.
 */
#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/string.h>
#include <tessera/tlb.h>

#include "files.h"

/* --- sets of CPUs ---------------------------------------------------------------------------------- */

static const char *
skip_blanks(const char *at)
{
	while (*at == ' ' || *at == '\t' || *at == '\n')
		at++;
	return at;
}

/* "f", "ff,00000000". -EINVAL, -EOVERFLOW: there can be no such CPU. */
static int
parse_mask(const char *at, uint64_t *out)
{
	uint64_t set = 0, group;
	bool more = true;

	for (at = skip_blanks(at); more; at++) {
		const char *begin = at;

		if (parse_u64(at, &at, 16, &group) || at - begin > 8 || (begin[0] == '0' && begin[1] == 'x'))
			return -EINVAL;
		if (set >> 32)
			return -EOVERFLOW;
		set = set << 32 | group;
		more = *at == ',';
	}
	if (*skip_blanks(at - 1))
		return -EINVAL;
	if (cpu_count < 64 && set >> cpu_count)
		return -EOVERFLOW;
	*out = set;
	return 0;
}

/* "0-3,8", or nothing. */
static int
parse_list(const char *at, uint64_t *out)
{
	uint64_t set = 0, from, to;

	for (at = skip_blanks(at); *at;) {
		if (parse_u64(at, &at, 10, &from))
			return -EINVAL;
		to = from;
		if (*at == '-' && parse_u64(at + 1, &at, 10, &to))
			return -EINVAL;
		if (to < from)
			return -EINVAL;
		if (to >= cpu_count)
			return -ERANGE;
		for (uint64_t c = from; c <= to; c++)
			set |= BIT(c);
		at = skip_blanks(at);
		if (*at == ',')
			at++;
		else if (*at)
			return -EINVAL;
	}
	*out = set;
	return 0;
}

/* --- an interrupt -------------------------------------------------------------------------------- */

static bool
state_of(const struct target *at, struct arch_irq_state *s)
{
	return arch_irq_state((uint32_t)at->address, s);
}

static int
show_wanted(struct text *t, struct target *at)
{
	struct arch_irq_state s;

	if (!state_of(at, &s))
		return -EIO;
	text_add_cpu_mask(t, s.wanted);
	text_add(t, "\n", 1);
	return 0;
}

static int
show_wanted_list(struct text *t, struct target *at)
{
	struct arch_irq_state s;

	if (!state_of(at, &s))
		return -EIO;
	text_add_cpu_list(t, s.wanted);
	text_add(t, "\n", 1);
	return 0;
}

static int
show_effective(struct text *t, struct target *at)
{
	struct arch_irq_state s;

	if (!state_of(at, &s))
		return -EIO;
	text_add_cpu_mask(t, BIT(s.cpu));
	text_add(t, "\n", 1);
	return 0;
}

static int
show_effective_list(struct text *t, struct target *at)
{
	struct arch_irq_state s;

	if (!state_of(at, &s))
		return -EIO;
	text_print(t, "%u\n", s.cpu);
	return 0;
}

static int
show_hint(struct text *t, struct target *at)
{
	text_add_cpu_mask(t, 0);
	text_add(t, "\n", 1);
	return 0;
}

static int
show_spurious(struct text *t, struct target *at)
{
	struct arch_irq_state s;

	if (!state_of(at, &s))
		return -EIO;
	text_print(t, "count %lu\nunhandled 0\nlast_unhandled 0 ms\n", s.count % 100000);
	return 0;
}

static ssize_t
write_wanted(struct target *at, char *data, size_t n)
{
	uint64_t set;
	int error = parse_mask(data, &set);

	if (!error)
		error = arch_irq_set_affinity((uint32_t)at->address, set);
	return error ? error : (ssize_t)n;
}

static ssize_t
write_wanted_list(struct target *at, char *data, size_t n)
{
	uint64_t set;
	int error = parse_list(data, &set);

	if (!error)
		error = arch_irq_set_affinity((uint32_t)at->address, set);
	return error ? error : (ssize_t)n;
}

static const struct entry number_entries[] = {
	ENTRY_FILE("affinity_hint", show_hint),
	ENTRY_FILE("effective_affinity", show_effective),
	ENTRY_FILE("effective_affinity_list", show_effective_list),
	ENTRY_LINE("node", "0"),
	{ .name = "smp_affinity", .mode = S_IFREG | 0644, .show = show_wanted, .write = write_wanted },
	{ .name = "smp_affinity_list", .mode = S_IFREG | 0644, .show = show_wanted_list, .write = write_wanted_list },
	ENTRY_FILE("spurious", show_spurious),
	{ 0 },
};

/* --- all of them --------------------------------------------------------------------------------- */

static long
number_next(struct target *at, long from)
{
	return arch_irq_next(from);
}

static long
number_find(struct target *at, const char *name, size_t length)
{
	long n = parse_number(name, length);

	return n >= 0 && arch_irq_next(n) == n ? n : -1;
}

static const struct entry number_entry = {
	.name = "number",
	.mode = S_IFDIR | 0555,
	.flags = ENTRY_PLACE,
	.children = number_entries,
};

const struct entry_list irq_list = {
	.find = number_find,
	.next = number_next,
	.each = &number_entry,
};

static int
show_default(struct text *t, struct target *at)
{
	uint64_t all = cpu_count < 64 ? BIT(cpu_count) - 1 : UINT64_MAX;

	text_add_cpu_mask(t, READ_ONCE(arch_irq_default_affinity) & all);
	text_add(t, "\n", 1);
	return 0;
}

static ssize_t
write_default(struct target *at, char *data, size_t n)
{
	uint64_t set;
	int error = parse_mask(data, &set);

	if (error)
		return error;
	if (cpu_count < 64 && !(set & (BIT(cpu_count) - 1)))
		return -EINVAL;
	WRITE_ONCE(arch_irq_default_affinity, set);
	return (ssize_t)n;
}

const struct entry irq_entries[] = {
	{ .name = "default_smp_affinity", .mode = S_IFREG | 0644, .show = show_default, .write = write_default },
	{ 0 },
};

/* --- /proc/interrupts ------------------------------------------------------------------------------ */

static void
tlb_line(struct text *t)
{
	text_print(t, "TLB:");
	for (uint32_t i = 0; i < cpu_count; i++)
		text_print(t, " %10lu", tlb_interrupts_taken(i));
	text_print(t, "   TLB shootdowns\n");
}

static void
interrupt_line(void *ctx, const char *name, const uint64_t *per_cpu, const char *what)
{
	struct text *t = ctx;
	uint64_t sum = 0;

	if (!what) {
		tlb_line(t); /* the last of those that have a column for each CPU */
		for (uint32_t i = 0; i < cpu_count; i++)
			sum += per_cpu[i];
		text_print(t, "%3s: %10lu\n", name, sum);
		return;
	}
	text_print(t, "%3s:", name);
	for (uint32_t i = 0; i < cpu_count; i++)
		text_print(t, " %10lu", per_cpu[i]);
	text_print(t, " %s\n", what);
}

int
show_interrupts(struct text *t, struct target *at)
{
	text_print(t, "%11s", "");
	for (uint32_t i = 0; i < cpu_count; i++)
		text_print(t, "CPU%-8u", i);
	text_add(t, "\n", 1);
	arch_irq_counts_print(interrupt_line, t);
	return 0;
}
