/* SPDX-License-Identifier: MIT */
/*
 * mount_flags.h - MOUNT_ATTR_* of fsmount and mount_setattr.
 */
#ifndef TESSERA_LINUX_MOUNT_FLAGS_H
#define TESSERA_LINUX_MOUNT_FLAGS_H

#include <tessera/inode.h>
#include <tessera/types.h>

#define ATTR_RDONLY      0x1u
#define ATTR_NOSUID      0x2u
#define ATTR_NODEV       0x4u
#define ATTR_NOEXEC      0x8u
#define ATTR_ACCESS      0x70u /* a value: */
#define ATTR_NOATIME     0x10u
#define ATTR_STRICTATIME 0x20u /* ... 0 is relatime */
#define ATTR_NODIRATIME  0x80u
#define ATTR_IDMAP       0x100000u
#define ATTR_NOSYMFOLLOW 0x200000u
#define ATTR_PLAIN \
	(ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC | ATTR_ACCESS | ATTR_NODIRATIME | ATTR_NOSYMFOLLOW)
#define ATTR_KNOWN       (ATTR_PLAIN | ATTR_IDMAP)

struct file;

/* All but the times of access. */
uint32_t mount_flags_of_attr(uint64_t attr);
/* Add what the value of ATTR_ACCESS in `attr` says to *flags: -EINVAL. */
long mount_flags_access(uint64_t attr, uint32_t *flags);
/* A new handle of f, whose reference it takes over also when it fails. */
long install_or_put(struct file *f, bool cloexec);

#endif
