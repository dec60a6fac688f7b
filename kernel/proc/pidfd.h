/* SPDX-License-Identifier: MIT */
/*
 * pidfd.h - a process as an open object: pidfd_open(2), CLONE_PIDFD.
 */
#ifndef TESSERA_PROC_PIDFD_H
#define TESSERA_PROC_PIDFD_H

#include <tessera/types.h>

struct file;
struct process;

/* An open object for p, which it references. `flags`: O_NONBLOCK or 0. NULL: no memory. */
struct file *pidfd_create(struct process *p, uint32_t flags);

#endif
