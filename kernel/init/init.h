/* SPDX-License-Identifier: MIT */
/*
 * init.h - private to init/.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <tessera/types.h>

/* Choose the stack protector's word. The caller and all above it never return, or have no guard. */
void stack_guard_init(void);

#endif
