/* SPDX-License-Identifier: MIT */
/*
 * config.h - build-time choices, as constants tested with a plain `if`, so that both sides compile.
 */
#ifndef TESSERA_CONFIG_H
#define TESSERA_CONFIG_H

#include <tessera/types.h>

/* Check every lock's class order and owner at run time; print both stacks when it is broken. */
static const bool config_lock_check = true;
/* Fill freed frames and slab objects with a pattern and check it when they are handed out again. */
static const bool config_poison = false;

#define KERNEL_STACK_SIZE (16 * 1024)

#endif
