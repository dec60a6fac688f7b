/* SPDX-License-Identifier: MIT */
/* keys.h - the three calls, which the C library has no functions for. */
#ifndef ABI_KEYS_H
#define ABI_KEYS_H

#include "../check.h"

#include <linux/keyctl.h>

/* What linux/keyctl.h leaves to libkeyutils: for possessor, user, group, others. */
#define KEY_POS(may) ((may) << 24)
#define KEY_USR(may) ((may) << 16)
#define KEY_GRP(may) ((may) << 8)
#define KEY_OTH(may) (may)
enum { VIEW = 1, READ = 2, WRITE = 4, SEARCH = 8, LINK = 16, SETATTR = 32, ALL = 63 };

typedef int serial_t;

static inline long
add(const char *type, const char *description, const void *payload, size_t size, serial_t ring)
{
	return syscall(SYS_add_key, type, description, payload, size, ring);
}

static inline long
request(const char *type, const char *description, const char *callout, serial_t ring)
{
	return syscall(SYS_request_key, type, description, callout, ring);
}

#define keyctl(operation, ...) syscall(SYS_keyctl, operation, ##__VA_ARGS__)

/* The text of KEYCTL_DESCRIBE. */
static inline const char *
describe(serial_t id)
{
	static char text[5000];

	CHECK_OK(keyctl(KEYCTL_DESCRIBE, id, text, sizeof(text)));
	return text;
}

static inline serial_t
session(void)
{
	return (serial_t)CHECK_OK(keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL));
}

/* Is `key` directly in `ring`? */
static inline bool
is_in(serial_t key, serial_t ring)
{
	serial_t list[64];
	long n = CHECK_OK(keyctl(KEYCTL_READ, ring, list, sizeof(list))) / (long)sizeof(*list);

	for (long i = 0; i < n && i < 64; i++)
		if (list[i] == key)
			return true;
	return false;
}

#define RING KEY_SPEC_SESSION_KEYRING
#endif
