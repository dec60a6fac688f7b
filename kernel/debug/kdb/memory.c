/* SPDX-License-Identifier: MIT */
/*
 * memory.c - kdb's commands about memory: frames, caches, address spaces, bytes.
 */
#include <tessera/address_space.h>
#include <tessera/arch.h>
#include <tessera/debug.h>
#include <tessera/page.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/tlb.h>

#include "../describe.h"
#include "commands.h"

#define WORDS_DEFAULT 16u
#define WORDS_MAX     4096u

uint64_t
kdb_number(const char *text)
{
	char name[KDB_LINE_MAX];
	const char *end;
	uint64_t n, more = 0;
	char *plus;

	if (parse_u64(text, &end, text[0] == '0' ? 16 : 10, &n) == 0 && !*end)
		return n;
	/* Addresses are often copied without their 0x. */
	if (parse_u64(text, &end, 16, &n) == 0 && !*end)
		return n;
	string_copy(name, text, sizeof(name));
	plus = strchr(name, '+');
	if (plus) {
		*plus = '\0';
		if (parse_u64(plus + 1, &end, 0, &more) != 0 || *end)
			kdb_fail("%s is not a number", plus + 1);
	}
	n = symbol_address(name);
	if (!n)
		kdb_fail("%s is neither a number nor a function", text);
	return n + more;
}

struct process *
kdb_process(const char *text)
{
	uint64_t n = kdb_number(text);
	struct process *p;

	list_for_each_checked (p, &all_processes, all_node)
		if ((uint64_t)p->pid == n || (uint64_t)(uintptr_t)p == n)
			return p;
	kdb_fail("no process %s", text);
}

static struct address_space *
space(int argc, char **argv)
{
	struct process *p;

	if (argc < 2)
		kdb_fail("of which process? (a pid)");
	p = kdb_process(argv[1]);
	if (!p->as)
		kdb_fail("process %d has no address space: it has ended", p->pid);
	return p->as;
}

static void
command_memory(int argc, char **argv)
{
	memory_dump();
	kdb_print("promised: %lu pages of %lu\n", committed_pages(), commit_limit_pages());
}

static void
command_slabs(int argc, char **argv)
{
	slab_dump();
}

static void
command_as(int argc, char **argv)
{
	address_space_dump(space(argc, argv));
}

static void
command_pte(int argc, char **argv)
{
	vaddr_t va;

	if (argc < 3)
		kdb_fail("of which process (a pid, or k for the kernel's own), at which address?");
	va = kdb_number(argv[2]);
	arch_page_table_dump(!strcmp(argv[1], "k") ? &kernel_page_table : &space(argc, argv)->page_table, va);
}

static void
command_page(int argc, char **argv)
{
	if (argc < 2)
		kdb_fail("which frame? (its number: the physical address / 4096)");
	page_dump(kdb_number(argv[1]));
}

static void
command_tlb(int argc, char **argv)
{
	tlb_dump();
}

static char
printable(uint8_t c)
{
	return c >= ' ' && c < 127 ? (char)c : '.';
}

/* md ADDR [N] [PID]: N words of 8 bytes, two in a line, and as text. */
static void
command_md(int argc, char **argv)
{
	vaddr_t va = argc > 1 ? kdb_number(argv[1]) : 0;
	uint64_t n = argc > 2 ? kdb_number(argv[2]) : WORDS_DEFAULT;
	struct address_space *as = argc > 3 ? space(argc - 2, argv + 2) : NULL;
	char where[64];

	if (argc < 2)
		kdb_fail("which address?");
	for (n = MIN(n, (uint64_t)WORDS_MAX); n > 0; n -= MIN(n, 2ul), va += 16) {
		uint64_t word[2];
		char text[17];

		if (as ? describe_read_user(as, va, word, sizeof(word)) != sizeof(word)
		       : !arch_probe_read(word, (const void *)va, sizeof(word)))
			kdb_fail("%#lx cannot be read", va);
		for (unsigned int i = 0; i < 16; i++)
			text[i] = printable((uint8_t)(word[i / 8] >> i % 8 * 8));
		text[16] = '\0';
		kdb_print("%016lx  %016lx %016lx  %s", va, word[0], word[1], text);
		for (unsigned int i = 0; i < 2; i++) {
			uint64_t offset;

			if (symbol_find(word[i], &offset))
				kdb_print(" %s", symbol_format(word[i], where, sizeof(where)));
		}
		kdb_print("\n");
	}
}

static void
command_symbol(int argc, char **argv)
{
	char where[80];
	vaddr_t va;

	if (argc < 2)
		kdb_fail("which address or name?");
	va = kdb_number(argv[1]);
	kdb_print("%#lx %s\n", va, symbol_format(va, where, sizeof(where)));
}

const struct kdb_command kdb_memory_commands[] = {
	{ "memory", "", "frames: zones, and what they are used for", command_memory },
	{ "slabs", "", "caches of kernel objects", command_slabs },
	{ "as", "PID", "the mappings of a process", command_as },
	{ "pte", "PID|k ADDR", "what the page tables say of an address", command_pte },
	{ "page", "PFN", "one frame", command_page },
	{ "tlb", "", "loaded address spaces and flushes", command_tlb },
	{ "md", "ADDR [N [PID]]", "N words of memory", command_md },
	{ "symbol", "ADDR|NAME", "the function at an address, the address of a function", command_symbol },
	{ 0 },
};
