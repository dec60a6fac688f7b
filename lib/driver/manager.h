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
 *
 * The network stack has all cards of the machine, and asks for nothing: it is given its door to the kernel first, then each
 * card, then the word that these are all; and later those that come. When a card goes, the stack is killed and begins anew
 * without it. Until the door comes it is a spare process.
 */
#ifndef DRIVER_MANAGER_H
#define DRIVER_MANAGER_H

#include "vduse.h"

#define MANAGER_WANTS_VDUSE  1
#define MANAGER_RUNS	     2 /* no answer: the driver serves */
#define MANAGER_WAITS	     5 /* no answer: it lives, and waits for its device */
#define MANAGER_WANTS_RANDOM 3 /* /dev/random, to write to */
#define MANAGER_WANTS_INPUT  6 /* /dev/uinput, with the device that a predecessor made, if there was one */
#define MANAGER_WANTS_NETWORK 7 /* nobody asks by this: what the network stack is given, and is not asked for */
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

/* What the manager gives to the network stack. */
enum manager_gives {
	MANAGER_GIVES_DOOR = 1, /* a descriptor of /dev/netd */
	MANAGER_GIVES_CARD,	/* two: of the device and of the container for its memory */
	MANAGER_GIVES_NO_MORE,	/* none: these were the cards that there are now */
};

#define MANAGER_FDS_MAX 2

struct manager_gift {
	uint32_t what;
	char name[32]; /* of a card: its address */
};

/*
 * For the stack: what is given next, as enum manager_gives, and its descriptors; or a negative errno: -EAGAIN, nothing now
 * and `wait` is false; -EPIPE, there is no manager any more.
 */
int manager_take_gift(int manager_fd, struct manager_gift *gift, int fds[MANAGER_FDS_MAX], bool wait);
/* For the manager. 0, or a negative errno: it is dead, or does not listen. */
int manager_give(int stack_fd, const struct manager_gift *gift, const int *fds);
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
