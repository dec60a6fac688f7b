/* SPDX-License-Identifier: MIT */
/*
 * vdso.h - start-up of the vDSO's pages; the rest is in <tessera/arch.h>.
 */
#ifndef ARCH_VDSO_H
#define ARCH_VDSO_H

/* Once, after the clock and the frame allocator, before the first program. */
void vdso_init(void);

#endif
