/* SPDX-License-Identifier: MIT */
/*
 * open_flags.h - what open(2) makes of its flags, for all calls that open something.
 */
#ifndef TESSERA_LINUX_OPEN_FLAGS_H
#define TESSERA_LINUX_OPEN_FLAGS_H

#include <tessera/types.h>

/* Drop what is not known, as open and openat always did, and add what they imply. */
uint32_t open_flags_known(uint32_t flags);
/* Combinations: 0 or -EINVAL; O_PATH puts most others away. */
int open_flags_check(uint32_t *flags);

#endif
