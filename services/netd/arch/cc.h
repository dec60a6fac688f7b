/* SPDX-License-Identifier: MIT */
/* cc.h - what lwIP asks of the compiler and its surroundings. */
#ifndef NETD_CC_H
#define NETD_CC_H

#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

void netd_assertion_failed(const char *what, const char *file, int line) __attribute__((noreturn));

#define LWIP_PLATFORM_DIAG(words) do { } while (0)
#define LWIP_PLATFORM_ASSERT(what) netd_assertion_failed(what, __FILE__, __LINE__)
#define LWIP_NO_UNISTD_H 0
#define BYTE_ORDER LITTLE_ENDIAN

#endif
