/* SPDX-License-Identifier: MIT */
/* tun.h - ioctls of /dev/net/tun. */
#ifndef TESSERA_LINUX_TUN_H
#define TESSERA_LINUX_TUN_H

#include <tessera/types.h>

struct tun_file;

long tun_command(struct tun_file *f, unsigned int command, uintptr_t arg);

#endif
