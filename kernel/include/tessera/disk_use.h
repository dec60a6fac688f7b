/* SPDX-License-Identifier: MIT */
/*
 * disk_use.h - what somebody has asked of disks: getrusage(2), /proc/PID/io.
 *
 * Reads count for who sends them to a disk, readahead and page faults too. A write counts when a page becomes dirty, for
 * who made it so: it is sent later, by somebody else. O_DIRECT's count when they are sent.
 */
#ifndef TESSERA_DISK_USE_H
#define TESSERA_DISK_USE_H

#include <tessera/types.h>

struct disk_use {
	uint64_t read, written; /* bytes */
};

static inline void
disk_use_add(struct disk_use *sum, const struct disk_use *more)
{
	sum->read += more->read;
	sum->written += more->written;
}

#endif
