/* SPDX-License-Identifier: MIT */
/*
 * core.h - between core.c, which decides about a core file, and core_elf.c, which writes it.
 */
#ifndef PROC_CORE_H
#define PROC_CORE_H

#include <tessera/types.h>

struct file;
struct process;
struct siginfo;
struct thread;

/* Where a core file goes: counted first, then written; what would pass the limit is not. */
struct core_out {
	struct file *file;   /* NULL: only count */
	loff_t position;
	uint64_t limit;      /* on the bytes written: holes are free */
	uint64_t written;
	bool failed;         /* full, killed, or the file took no more */
};

/*
 * Write p, whose calling thread dies of `info` and whose other threads are parked, as an ELF core file.
 * Returns with o->failed where it broke off; false: nothing could be written at all (no memory).
 */
bool core_elf_write(struct core_out *o, struct process *p, const struct siginfo *info);

#endif
