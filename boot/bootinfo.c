/* SPDX-License-Identifier: MIT */
/*
 * bootinfo.c - what is the same for every boot protocol: a memory map that can be trusted, and the
 * kernel's arguments.
 */
#include <tessera/bootinfo.h>
#include <tessera/string.h>

#include "../kernel/arch/x86_64/platform.h"
#include "boot.h"

#define E820_USABLE 1
#define E820_ACPI   3
#define E820_NVS    4
#define E820_BAD    5

#define PHYSICAL_MAX (1ull << 52)
#define LOW_MEMORY_END 0xa0000ull

struct boot_trampoline boot_trampoline __ro_after_init;

static uint32_t
type_from_e820(uint32_t type)
{
	switch (type) {
	case E820_USABLE:
		return BOOT_MEMORY_USABLE;
	case E820_ACPI:
		return BOOT_MEMORY_ACPI;
	case E820_NVS:
		return BOOT_MEMORY_NVS;
	case E820_BAD:
		return BOOT_MEMORY_BAD;
	}
	return BOOT_MEMORY_RESERVED;
}

void
boot_memory_add(struct bootinfo *b, uint64_t start, uint64_t size, uint32_t e820_type)
{
	uint32_t type = type_from_e820(e820_type);
	uint64_t end;

	if (!size || start >= PHYSICAL_MAX || b->memory_count == BOOT_MEMORY_MAX)
		return;
	end = size > PHYSICAL_MAX - start ? PHYSICAL_MAX : start + size;
	if (type == BOOT_MEMORY_USABLE) {
		start = ALIGN_UP(start, PAGE_SIZE);
		end = ALIGN_DOWN(end, PAGE_SIZE);
	} else {
		start = ALIGN_DOWN(start, PAGE_SIZE);
		end = ALIGN_UP(end, PAGE_SIZE);
	}
	if (start >= end)
		return;
	b->memory[b->memory_count++] = (struct boot_memory){ .start = start, .end = end, .type = type };
}

/* Of two types for one frame, which is true? The one that promises less. */
static int
type_rank(uint32_t type)
{
	static const uint8_t rank[] = {
		[BOOT_MEMORY_USABLE] = 1, [BOOT_MEMORY_ACPI] = 2, [BOOT_MEMORY_NVS] = 3,
		[BOOT_MEMORY_RESERVED] = 4, [BOOT_MEMORY_BAD] = 5,
	};

	return rank[type];
}

static void
sort_edges(uint64_t *edge, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++) {
		uint64_t e = edge[i];
		uint32_t j = i;

		for (; j && edge[j - 1] > e; j--)
			edge[j] = edge[j - 1];
		edge[j] = e;
	}
}

/*
 * Make the map sorted and disjoint: cut it at every edge of every range, give each piece the
 * strongest type that covers it, and join neighbours of one type. A map of too many pieces loses
 * its last ones.
 */
static void
disjoin(struct bootinfo *b)
{
	static uint64_t edge[2 * BOOT_MEMORY_MAX];
	static struct boot_memory out[BOOT_MEMORY_MAX];
	uint32_t edges = 0, count = 0;

	for (uint32_t i = 0; i < b->memory_count; i++) {
		edge[edges++] = b->memory[i].start;
		edge[edges++] = b->memory[i].end;
	}
	sort_edges(edge, edges);

	for (uint32_t e = 0; e + 1 < edges; e++) {
		struct boot_memory piece = { .start = edge[e], .end = edge[e + 1] };
		int best = 0;

		if (piece.start == piece.end)
			continue;
		for (uint32_t i = 0; i < b->memory_count; i++) {
			const struct boot_memory *m = &b->memory[i];

			if (m->start <= piece.start && m->end >= piece.end && type_rank(m->type) > best) {
				best = type_rank(m->type);
				piece.type = m->type;
			}
		}
		if (!best)
			continue;
		if (count && out[count - 1].end == piece.start && out[count - 1].type == piece.type)
			out[count - 1].end = piece.end;
		else if (count < BOOT_MEMORY_MAX)
			out[count++] = piece;
	}
	memcpy(b->memory, out, count * sizeof(out[0]));
	b->memory_count = count;
}

/*
 * Set some memory below 1 MiB aside, where the other CPUs wake in real mode (smp_start.c). Low
 * memory is nobody else's before the frame allocator, which then never sees it.
 */
static void
reserve_trampoline(struct bootinfo *b)
{
	uint64_t best = 0;

	for (uint32_t i = 0; i < b->memory_count; i++) {
		const struct boot_memory *m = &b->memory[i];
		uint64_t end = MIN(m->end, LOW_MEMORY_END);

		if (m->type != BOOT_MEMORY_USABLE || end < TRAMPOLINE_SIZE + PAGE_SIZE ||
		    end - TRAMPOLINE_SIZE < m->start)
			continue;
		if (b->initrd_size && b->initrd < end && b->initrd + b->initrd_size > end - TRAMPOLINE_SIZE)
			continue;
		best = MAX(best, end - TRAMPOLINE_SIZE);
	}
	if (!best || b->memory_count == BOOT_MEMORY_MAX)
		return;
	boot_trampoline.start = best;
	b->memory[b->memory_count++] = (struct boot_memory){
		.start = best, .end = best + TRAMPOLINE_SIZE, .type = BOOT_MEMORY_RESERVED,
	};
	disjoin(b);
}

void
boot_info_normalise(struct bootinfo *b)
{
	if (b->initrd_size && (b->initrd >= PHYSICAL_MAX || b->initrd_size > PHYSICAL_MAX - b->initrd))
		b->initrd = b->initrd_size = 0;
	/* The first page is never memory: address 0 means "none" in many tables. */
	boot_memory_add(b, 0, PAGE_SIZE, 0);
	disjoin(b);
	reserve_trampoline(b);
}

void
boot_command_set(struct bootinfo *b, const char *text, size_t limit)
{
	size_t n = 0;

	while (n < limit && n < BOOT_COMMAND_MAX - 1 && text[n]) {
		b->command[n] = text[n];
		n++;
	}
	b->command[n] = '\0';
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n';
}

bool
boot_command_has(const char *line, const char *word)
{
	for (size_t scanned = 0; scanned < BOOT_COMMAND_MAX && *line; scanned++) {
		size_t n = 0;

		while (word[n] && line[n] == word[n])
			n++;
		if (!word[n] && (!line[n] || is_blank(line[n])))
			return true;
		while (*line && !is_blank(*line))
			line++;
		while (is_blank(*line))
			line++;
	}
	return false;
}

/*
 * Arguments are separated by blanks; a value in double quotes may hold blanks. Of an argument given
 * twice the last one counts.
 */
bool
boot_argument(const char *name, char *out, size_t size)
{
	const char *s = bootinfo.command;
	size_t length = strlen(name);
	bool found = false;

	for (;;) {
		bool quoted = false, match;
		size_t n = 0;

		while (is_blank(*s))
			s++;
		if (!*s)
			return found;
		match = !strncmp(s, name, length) && (s[length] == '=' || !s[length] || is_blank(s[length]));
		if (match) {
			found = true;
			s += length;
			if (*s == '=')
				s++;
		}
		for (; *s && (quoted || !is_blank(*s)); s++) {
			if (*s == '"')
				quoted = !quoted;
			else if (match && n + 1 < size)
				out[n++] = *s;
		}
		if (match && size)
			out[n] = '\0';
	}
}

bool
boot_flag(const char *name)
{
	char value[8];

	if (!boot_argument(name, value, sizeof(value)))
		return false;
	return strcmp(value, "off") && strcmp(value, "0") && strcmp(value, "no");
}
