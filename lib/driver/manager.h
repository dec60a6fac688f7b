/* SPDX-License-Identifier: MIT */
/*
 * manager.h - what a driver and the device manager say to each other, over a socket of packets.
 *
 * A driver that knows its disk asks for the door, and says which disk it is; the answer brings the descriptor. The manager
 * makes the VDUSE device when it hears of that disk first, and opens it anew for each instance of the driver: what waits
 * behind a door is written to the disk that it was meant for, whatever else may be in its place by then. The memory of its
 * rings it maps for the device once, for all instances: that takes longer than all else that an instance does before it
 * serves.
 *
 * A disk's next driver is a process already, which waits for its device here (--device-later).
 */
#ifndef DRIVER_MANAGER_H
#define DRIVER_MANAGER_H

#include "vduse.h"

#define MANAGER_WANTS_VDUSE  1
#define MANAGER_RUNS	     2 /* no answer: the driver serves */
#define MANAGER_WAITS	     5 /* no answer: it lives, and waits for its device */
#define MANAGER_WANTS_RANDOM 3 /* /dev/random, to write to */
#define MANAGER_WANTS_INPUT  6 /* /dev/uinput, with the device that a predecessor made, if there was one */
#define MANAGER_WANTS_TTY    4 /* the master of a terminal, which is /dev/hvc0, hvc1, ... for programs */

#define MANAGER_DISK_MAX 96

struct manager_request {
	uint32_t what;
	char disk[MANAGER_DISK_MAX]; /* MANAGER_WANTS_VDUSE: the same text for the same disk, another for another */
	uint64_t sectors; /* ... now: it may have grown */
	uint32_t unit; /* of several input devices of one driver */
	struct vduse_kind kind;
};

/* Memory of a ring that the device reaches already: [start, last] as rings name it, at `bus`. last 0: none. */
struct manager_lent {
	uint64_t start, last, bus;
};

struct manager_answer {
	int32_t error; /* 0: a descriptor comes along */
	uint32_t grown; /* MANAGER_WANTS_VDUSE: the kernel knows the disk as smaller than it is now */
	struct manager_lent lent;
};

/* For a driver: the descriptor of the VDUSE device of `disk`, which has so many sectors, or a negative errno. */
int manager_ask_vduse(int manager_fd, const char *disk, uint64_t sectors, const struct vduse_kind *kind,
	struct manager_answer *answer);
/* For a driver: the descriptor that it asks for by MANAGER_WANTS_RANDOM, _TTY or _INPUT, or a negative errno. */
int manager_ask(int manager_fd, uint32_t what, unsigned unit);
/* For a driver: tell that it serves now. Nothing happens without a manager (-1). */
void manager_tell_running(int manager_fd);
/* For a driver whose device takes its time: now and then. */
void manager_tell_waiting(int manager_fd);
/* For the manager: answer with a descriptor, or, when fd < 0, with that error. */
int manager_answer(int driver_fd, int fd, const struct manager_answer *answer);
/* For the manager: a spare process is to drive this device now. 0, or a negative errno: it is dead. */
int manager_give_device(int driver_fd, int device, int container);
/* For a spare process: wait for that. 0, or a negative errno: there is no manager any more. */
int manager_take_device(int manager_fd, int *device, int *container);

#endif
