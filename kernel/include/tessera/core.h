/* SPDX-License-Identifier: MIT */
/*
 * core.h - the files that programs leave behind when a signal ends them: their settings. proc/core.c.
 */
#ifndef TESSERA_CORE_H
#define TESSERA_CORE_H

#include <tessera/types.h>

#define CORE_PATTERN_MAX 128

/* process->coredump_filter, Linux's bits: which mappings go into the file. */
#define CORE_ANON_PRIVATE BIT(0)
#define CORE_ANON_SHARED  BIT(1)
#define CORE_FILE_PRIVATE BIT(2)
#define CORE_FILE_SHARED  BIT(3)
#define CORE_ELF_HEADERS  BIT(4)
#define CORE_HUGE_PRIVATE BIT(5)
#define CORE_HUGE_SHARED  BIT(6)
#define CORE_FILTER_ALL     0x1ffu
#define CORE_FILTER_DEFAULT 0x33u

/* /proc/sys/kernel/core_pattern, core_uses_pid. -EINVAL: too long, or a pipe to a program. */
void core_pattern_get(char out[CORE_PATTERN_MAX]);
int core_pattern_set(const char *pattern);
extern int core_uses_pid; /* [a] append the number where the pattern does not say it */

#endif
