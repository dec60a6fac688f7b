/* SPDX-License-Identifier: MIT */
/*
 * user_copy.h - the instructions that may fault, and their table (user_copy.S).
 */
#ifndef ARCH_USER_COPY_H
#define ARCH_USER_COPY_H

#include <tessera/types.h>

/* Distances from the fields themselves. */
struct exception_entry {
	int32_t instruction;
	int32_t fixup;
};

extern const struct exception_entry exception_table_start[], exception_table_end[];

/* Read by assembly. [I] after traps' CPU set-up on the boot CPU. */
extern bool user_access_guarded; /* SMAP is on: user memory only between STAC and CLAC */
extern bool user_copy_rep;       /* REP MOVSB is the fastest copy */

/* Choose how user memory is reached. Boot CPU, once, after features_init_cpu(). */
void user_copy_init(void);

int fpu_xsave_user(void __user *area, uint64_t mask);
int fpu_xrstor_user(const void __user *area, uint64_t mask);
int fpu_xrstor_checked(const void *area, uint64_t mask);
int fpu_fxrstor_checked(const void *area);
int msr_read_checked(uint32_t msr, uint64_t *value);

#endif
