/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - a VDUSE daemon for the cases: a disk in memory that outlives it, and ways to misbehave.
 *
 * The case is the program that uses the disk. A daemon is a child; both see `struct disk`.
 */
#ifndef ABI_VDUSE_DAEMON_H
#define ABI_VDUSE_DAEMON_H

#include <dirent.h>
#include <linux/fs.h>
#include <linux/vduse.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "check.h"

#define DISK_SIZE (1024 * 1024)
#define LOG_SIZE  1024
#define FEATURES  (1ull << 33 | 1ull << 32 | 1ull << 14 | 1ull << 13 | 1ull << 9 | 1ull << 6)

#define EVENT_IDX (1ull << 29)

/* Tessera's: the ring begins anew, and an eventfd tells of answers. */
#define VDUSE_VQ_DIRECT _IOW(VDUSE_BASE, 0x40, struct vduse_vq_eventfd)

enum behaviour {
	SERVE,
	HOLD,        /* take no notice of requests */
	HOLD_CHANGE, /* the same, and write another order into each: a discard of nothing */
	HOLD_DATA,   /* of those about data; it says who it is */
	BAD_ID,      /* answer what was not asked */
	BAD_INDEX,   /* claim more answers than there are questions */
	BAD_STATUS,  /* answer with a status that there is not */
	LEAVE_SEVEN, /* answer all but what is for sector 7 */
	FAIL_ALL,    /* answer: an error */
	SCRIBBLE,    /* random bytes all over the shared memory, random answers */
	REFUSE,      /* every message is answered: failed */
	BY_LOG,      /* what is in the ring at its start it knows from a log; then it looks only when it is kicked */
	STAY_BEHIND, /* HOLD, and a child that answers when the daemon is dead (stay_behind()) */
};

struct disk {
	char name[32];
	char path[64];               /* of its block device */
	unsigned char data[DISK_SIZE];
	volatile int behaviour;
	volatile bool direct;        /* the next daemon serves as a device: VDUSE_VQ_DIRECT */
	volatile bool changed;       /* HOLD_CHANGE has */
	volatile bool senseless;     /* a discard of nothing was asked for */
	volatile int behind;         /* that child: 1, it waits; 2, it may; 3, it has */
	volatile unsigned int seen;  /* requests that are before the daemon */
	volatile unsigned int logged;
	volatile unsigned long long log[LOG_SIZE]; /* sectors, in the order of doing */
};

int control_open(void);
/* A device `d->name`, not served yet; more features can be asked for. */
struct disk *disk_create(unsigned long long features);
struct disk *disk_create_as(const char *name, unsigned long long features);
/* A daemon; with `wait`, until there is a block device. */
pid_t daemon_start(struct disk *d, bool wait);
/* Is there a block device? Then d->path is known. */
bool find_path(struct disk *d);
void daemon_kill(pid_t pid);
/* The caller and its children run on this CPU only; false: there is none of that number. */
bool run_on(int cpu);
void disk_destroy(struct disk *d);
/* What /sys/class/vduse/NAME/state says. */
bool state_has(const struct disk *d, const char *word);
void wait_for_state(const struct disk *d, const char *word);
unsigned char *aligned(size_t size);

#endif
