/* SPDX-License-Identifier: MIT */
/*
 * uts.h - the machine's names, as uname(2) and /proc/sys/kernel tell them: those of the caller's namespace.
 */
#ifndef TESSERA_UTS_H
#define TESSERA_UTS_H

#include <tessera/namespace.h>
#include <tessera/types.h>

#define UTS_NAME_MAX 64

extern const char kernel_release[], kernel_version[]; /* made by the build */

struct uts_namespace {
	struct namespace ns;
	char host[UTS_NAME_MAX + 1], domain[UTS_NAME_MAX + 1]; /* uts.c's lock */
};
extern struct uts_namespace init_uts_namespace;

/* Copy host and domain name out; each place has UTS_NAME_MAX + 1 bytes. NULL: not wanted. */
void uts_get_names(char *host, char *domain);
void uts_set_name(const char *name, bool domain);
bool uts_may_set(void); /* CAP_SYS_ADMIN over the namespace */
/* With one reference; NULL: no memory. */
struct namespace *uts_namespace_copy(struct namespace *from, struct user_namespace *owner);

#endif
