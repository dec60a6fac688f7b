/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - the VDUSE daemons of the storms: a disk in memory that outlives them, served rightly, or with lies.
 */
#ifndef TORTURE_DISKS_DAEMON_H
#define TORTURE_DISKS_DAEMON_H

#include "storm.h"

enum { DISK_SIZE = 1 << 20, QUEUES_MAX = 4 };

struct disk {
	char name[32];
	char path[64];              /* of its block device */
	int queues;
	uint64_t features;
	volatile int lies;          /* before so many of 1000 looks at a ring something wrong is done */
	unsigned char data[DISK_SIZE];
};

/* A device in memory that children share; `wild`: its features and sizes are drawn, and may make no sense. */
struct disk *disk_create(struct disk *again, const char *name, bool wild);
/* It is not in use any more, or will not be soon: until it is gone. */
void disk_destroy(struct disk *d);
/* A daemon of two threads. */
pid_t disk_serve(struct disk *d, uint64_t seed);
/* Its block device is there: true, and d->path is known. False: it will not be, or not within `ms`. */
bool disk_find(struct disk *d, long ms);
/* How long requests wait for an answer. */
void disk_patience(const struct disk *d, int ms);

#endif
