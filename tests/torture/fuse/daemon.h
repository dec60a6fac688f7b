/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - the FUSE daemons of the storms: a tree that is worked out from its nodes' numbers, and lies about it.
 *
 * Node n has the entries e0 .. e6, of the numbers 8n .. 8n + 6: e0 and e1 are directories, e2 to e5 files, e6 is a link; e7
 * there is none. Nothing is kept of them but what files of SLOTS different numbers contain.
 */
#ifndef TORTURE_FUSE_DAEMON_H
#define TORTURE_FUSE_DAEMON_H

#include <linux/fuse.h>
#include <stdatomic.h>

#include "storm.h"

enum { SLOTS = 8, SLOT_SIZE = 128 * 1024, FILE_SIZE = 20000, DEPTH_MAX = 1 << 18 };

struct tree {
	uint32_t init_flags;
	int lies;                      /* of so many answers in 1000 something is wrong */
	uint32_t size[SLOTS];
	char data[SLOTS][SLOT_SIZE];
};

/* Memory that children share. */
struct tree *tree_create(void);
/* Mount on `where`; the device, or -1. */
int tree_mount(const char *where, const char *options);
/* A process that serves `device` until the end of the connection, with two threads. */
pid_t tree_serve(struct tree *t, int device, uint64_t seed);

#endif
