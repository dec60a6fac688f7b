/* SPDX-License-Identifier: MIT */
/*
 * devices.h - the device manager: which driver drives what, and how it fares.
 *
 * States of a device that has a driver:
 *
 *   WAITING --time comes--> STARTING --it serves--> RUNNING
 *      ^                        |                      |
 *      +----------died----------+----------------------+      ended by itself with 0, or hopeless: RESTING
 *
 * The manager keeps the device's descriptors while the device is there, so that what a dead driver had mapped stays
 * valid for the device until the next instance has taken it away, and so that the kernel need not reset the device
 * in its slow way. The VDUSE device stays too; its descriptor is opened for each instance anew, by which the kernel
 * knows that one has died.
 */
#ifndef DEVICES_DEVICES_H
#define DEVICES_DEVICES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "loop.h"
#include "manager.h"

/* A line of the table: a kind of devices and its driver. */
struct rule {
	struct rule *next;
	char driver[64];	/* the name of the file without .driver */
	char program[256];
	uint32_t class, class_mask;
	uint16_t vendor, product; /* 0: any */
	char platform[32];	/* the name of an old device of the machine; "": it is for PCI devices */
	uint32_t door;		/* what it may ask for: MANAGER_WANTS_ */
	const char *options[8];	/* for the program */
	unsigned option_count;
};

#define INPUTS_MAX 4 /* input devices of one driver */

enum state { WAITING, STARTING, RUNNING, RESTING };

#define DOORS_MAX 32 /* disks of one device */
#define LENT_MAX  8  /* of them, by their numbers, have the memory of their rings mapped for all instances */

/* A VDUSE device that was made for a disk. */
struct door {
	struct door *next;
	unsigned number; /* no other of the device has it */
	char name[64], disk[MANAGER_DISK_MAX];
	uint64_t sectors; /* of the disk when it was asked for last */
	bool taken;	  /* by the instance that runs; else its disk is not there now */
	struct manager_lent lent;
};

/* A process of the driver that waits for a device: start.c. */
struct spare {
	pid_t pid; /* 0: there is none, and nothing else here counts */
	int socket;
	struct watch child; /* a pidfd */
	dev_t device;	    /* and so on: the program's file as it was */
	ino_t inode;
	off_t size;
	struct timespec changed;
};

struct managed {
	struct managed *next;
	char address[32]; /* on PCI, or the name of an old device of the machine */
	bool platform;
	const struct rule *rule;
	enum state state;
	bool seen; /* by the scan that is under way */
	bool bound;
	bool iommu; /* else its driver is trusted with all memory, and nothing is kept for the next instance */
	int device, container, group;
	struct watch request; /* the kernel wants the device back */
	pid_t pid;
	struct watch child;  /* a pidfd */
	struct watch socket; /* to the driver */
	struct watch timer;  /* of the next start, or of making the spare process */
	struct spare spare;
	unsigned failures;   /* deaths in a row that came too early */
	uint64_t answered;   /* by all instances, when one had died and when it was looked at last */
	uint64_t silent_since; /* ms: when it was seen first to have answered no more */
	uint64_t wait;	     /* ms that the next start waits, after them */
	unsigned starts;
	uint64_t started; /* ms */
	uint64_t node;	  /* the inode of its folder in /sys: another device in its place has another */
	struct door *doors; /* in the order in which they were made */
	int tty;	  /* the master of its terminal, or -1: it outlives the driver, so that nobody is hung up */
	char tty_name[32];
	/* /dev/uinput with the devices that it provides, or -1: these outlive it, so that readers see a pause. */
	int inputs[INPUTS_MAX];
};

/* devices.c: all that there are, in the order in which they were found. */
extern struct managed *managed_all;
extern bool settling;	   /* at first one is begun after the other */
extern bool status_is_old; /* the file; it is written when what happened at once has been dealt with */
struct managed *make_managed(const char *address, const struct rule *rule);
void stop_watching(struct watch *w); /* and close it, if it is open */
void change(struct managed *m, enum state state);
void wait_for_start(struct managed *m, uint64_t milliseconds);
/* It could not be started, or died too early: it waits, longer each time. */
void failed(struct managed *m);
/* The device is gone, or the kernel wants it back, or another instance is to begin: nothing of ours may hold it. */
void give_up(struct managed *m);
/* It was started, and what it serves is there; or it will not be so soon. */
bool is_tried(const struct managed *m);

/* find.c: have a `managed` for each device that is there and has a driver, and no other. */
void find_devices(void);

/* stack.c: the network stack, and the cards, which have no process of their own. */
bool is_stack(const struct managed *m);
bool is_card(const struct managed *m);
void have_stack(const struct rule *rule); /* a card was found */
/* The stack is wanted, too, where a program makes an interface of its own (TUN, TAP). */
void listen_for_interfaces(void);
bool stack_is_tried(void);
/* Give a new instance its door and all cards. A negative errno: it is dead, or there is no door. */
int give_network(int socket);
/* The card's time has come, if the stack runs; otherwise it starts with that. */
void start_card(struct managed *card);
void take_cards_back(void); /* the stack is dead */
void give_up_card(struct managed *card);

/* table.c: read all of `folder`; the rule for a device, or NULL. */
int table_read(const char *folder);
const struct rule *table_find(uint32_t class, uint16_t vendor, uint16_t product);
const struct rule *table_find_platform(const char *name);
const struct rule *table_find_network(void); /* the network stack's */

/* bind.c: give the device to VFIO and open it, or take all that back. A negative errno. */
extern bool without_iommu; /* --without-iommu: devices are given out all the same */
int bind_device(struct managed *m);
void unbind_device(struct managed *m);

/* start.c: start the driver with nothing but its device. Returns its pid or a negative errno. */
pid_t start_driver(struct managed *m);
/* Have a process ready for the next start, if there is none; that there be one is not needed. Or have none. */
void make_spare(struct managed *m);
void drop_spare(struct managed *m);

/* door.c: what a driver asks for. Its descriptor or a negative errno, and what is to be told besides. */
int open_door(struct managed *m, struct manager_request *r, struct manager_answer *answer);
/* Another instance begins: it has been given none of them. */
void leave_doors(struct managed *m);
/* The instance has served for long: a door that it has not asked for is of a disk that is gone, and goes when that is closed. */
void drop_left_doors(struct managed *m);
/*
 * What the kernel says of the disks behind a driver: requests answered since they were made, and whether any waits for
 * an answer. False: there are none, or this kernel does not say.
 */
bool count_at_doors(const struct managed *m, uint64_t *answered, bool *waiting);
/* Take away what was made for a device that is gone; a disk that is open still goes when destroy_left() finds it closed. */
void destroy_doors(struct managed *m);
void destroy_left(void);
/* The device is in other hands: nothing is mapped for it any more. */
void forget_lent(struct managed *m);

uint64_t now_ms(void);

#endif
