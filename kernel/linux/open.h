/* SPDX-License-Identifier: MIT */
/*
 * open.h - opening a file without giving it a number, for io_uring.
 */
#ifndef TESSERA_LINUX_OPEN_H
#define TESSERA_LINUX_OPEN_H

#include <tessera/types.h>

struct file;
struct linux_open_how;

struct open_request {
	uint32_t flags; /* O_* */
	mode_t mode;
	unsigned int lookup;
};

struct open_request open_request_of(int flags, mode_t mode); /* openat(2)'s arguments */
int open_request_read(const struct linux_open_how __user *uhow, size_t size, struct open_request *r); /* openat2's */
/* *rights: what its handle may do. */
int open_file(int dirfd, const char __user *uname, struct open_request *r, struct file **out, uint64_t *rights);

#endif
