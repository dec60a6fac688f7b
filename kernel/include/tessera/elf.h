/* SPDX-License-Identifier: MIT */
/*
 * elf.h - the ELF64 format as far as loading a program needs it, and a parser that trusts nothing.
 *
 * From the System V ABI, chapters 4 and 5, and its AMD64 supplement.
 */
#ifndef TESSERA_ELF_H
#define TESSERA_ELF_H

#include <tessera/types.h>

struct elf_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, phoff, shoff;
	uint32_t flags;
	uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "Elf64_Ehdr");

struct elf_segment {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, file_size, memory_size, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "Elf64_Phdr");

#define ELF_EXEC 2
#define ELF_DYN  3
#define ELF_MACHINE_X86_64 62

#define ELF_PT_LOAD      1
#define ELF_PT_DYNAMIC   2
#define ELF_PT_INTERP    3
#define ELF_PT_PHDR      6
#define ELF_PT_TLS       7
#define ELF_PT_GNU_STACK 0x6474e551u
#define ELF_PF_X 1u
#define ELF_PF_W 2u
#define ELF_PF_R 4u

/* 64 KiB of headers, as Linux allows. */
#define ELF_HEADERS_MAX (65536 / sizeof(struct elf_segment))
#define ELF_INTERP_MAX  4096

/* What the headers say about loading, checked. Addresses are the file's own, before any bias. */
struct elf_plan {
	bool dynamic;            /* ET_DYN: may be put anywhere */
	uint64_t entry;
	uint64_t start, end;     /* pages that the segments span; end exclusive */
	uint64_t alignment;      /* the largest p_align of a segment that is a power of two, at least a page */
	uint64_t headers;        /* address of the program headers in memory, 0: in no segment */
	uint64_t code_start, code_end, data_start, data_end, brk;
	uint64_t interp_offset, interp_size; /* in the file; size counts the NUL. 0: none */
	bool has_stack;          /* PT_GNU_STACK seen */
	bool stack_exec;
	uint32_t load_count;
};

/* Is it an x86-64 ELF that could be executed? 0 or -ENOEXEC. */
int elf_check_header(const struct elf_header *h);
/* Read the headers `segments` (h->phnum of them) of a file of `file_size` bytes. `limit`: the end of user
 * addresses. 0, or -ENOEXEC, -EINVAL. */
int elf_plan_load(const struct elf_header *h, const struct elf_segment *segments, uint64_t file_size,
		  uint64_t limit, struct elf_plan *plan);

#endif
