/* SPDX-License-Identifier: MIT */
/*
 * vduse.h - commands of /dev/vduse/control and /dev/vduse/NAME.
 */
#ifndef TESSERA_LINUX_VDUSE_H
#define TESSERA_LINUX_VDUSE_H

#include <tessera/types.h>

struct vduse;

long vduse_control_command(unsigned int command, uintptr_t arg);
long vduse_command(struct vduse *v, unsigned int command, uintptr_t arg);

#endif
