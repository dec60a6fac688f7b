/* SPDX-License-Identifier: MIT */
/*
 * file_caps.h - security.capability, for xattr.c.
 */
#ifndef TESSERA_LINUX_FILE_CAPS_H
#define TESSERA_LINUX_FILE_CAPS_H

#include <tessera/types.h>

struct inode;

#define XATTR_CAPS "security.capability"

/* -EINVAL: no such thing; -EPERM: not without CAP_SETFCAP over the file. */
long file_caps_set(struct inode *i, const void *value, size_t size, int flags);
/* The length, which is all that is asked for if size is 0. -EOVERFLOW: for a root that the caller has no number for. */
long file_caps_get(struct inode *i, void *value, size_t size);

#endif
