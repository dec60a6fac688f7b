/* SPDX-License-Identifier: MIT */
/*
 * uts.h - the machine's names, as uname(2) and /proc/sys/kernel tell them.
 */
#ifndef TESSERA_UTS_H
#define TESSERA_UTS_H

#include <tessera/types.h>

#define UTS_NAME_MAX 64

extern const char kernel_release[], kernel_version[]; /* made by the build */

/* Copy host and domain name out; each place has UTS_NAME_MAX + 1 bytes. NULL: not wanted. */
void uts_get_names(char *host, char *domain);
void uts_set_name(const char *name, bool domain);

#endif
