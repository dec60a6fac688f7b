/* SPDX-License-Identifier: MIT */
/*
 * cpio.h - reading "newc" cpio archives in memory. Pure: no allocation, no side effects.
 */
#ifndef TESSERA_CPIO_H
#define TESSERA_CPIO_H

#include <tessera/types.h>

struct cpio_entry {
	const char *name;       /* NUL-terminated inside the archive, no NUL within `length` */
	size_t length;
	uint32_t inode, mode, uid, gid, links, time;
	uint32_t device_major, device_minor; /* of the archived file system, for hard links */
	uint32_t rdev_major, rdev_minor;
	const uint8_t *data;
	size_t size, data_offset; /* offset from the start of the archive */
	bool trailer;           /* the end mark of one archive; another may follow */
};

/*
 * The entry at or after *offset; *offset moves behind it. Zero bytes between archives are skipped.
 * Returns 1, 0 at the end, or -EINVAL where the bytes are not an entry or it does not fit.
 */
int cpio_next(const uint8_t *archive, size_t size, size_t *offset, struct cpio_entry *e);

#endif
