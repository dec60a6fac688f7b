/* SPDX-License-Identifier: MIT */
/*
 * block.h - commands of block devices and of what makes them.
 */
#ifndef TESSERA_LINUX_BLOCK_H
#define TESSERA_LINUX_BLOCK_H

#include <tessera/types.h>

struct block_device;
struct file;

long block_command(struct file *f, unsigned int command, uintptr_t arg);
long loop_command(struct file *f, struct block_device *b, unsigned int command, uintptr_t arg);
long loop_control_command(unsigned int command, uintptr_t arg);

#endif
