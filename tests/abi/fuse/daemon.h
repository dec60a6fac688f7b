/* SPDX-License-Identifier: MIT */
/*
 * daemon.h - a FUSE daemon for the cases: a small tree in memory, speaking the protocol over /dev/fuse by itself.
 *
 * The daemon is a child of the case. `shared` is memory of both: what the daemon is to do (knobs), and what it was asked
 * (counts, the last request of each kind). Its tree lives in shared memory too, so that a case can change it behind the
 * kernel's back, and a second daemon finds what the first one left.
 */
#ifndef ABI_FUSE_DAEMON_H
#define ABI_FUSE_DAEMON_H

#include <linux/fuse.h>
#include <stdatomic.h>
#include <sys/mount.h>

#include "check.h"

#define NODES      64
#define DATA_MAX   (300 * 1024)
#define OPCODES    64
#define MNT        "mnt"
#define BUFFER     (1200 * 1024)

struct node {
	bool used;
	uint64_t parent, generation;
	char name[NAME_MAX + 1];
	struct fuse_attr attr;
	char *data;                  /* shared: contents, a link's body */
	char xattr_name[64];
	char xattr[256];
	uint32_t xattr_size;
	_Atomic uint64_t lookups;
	_Atomic int opened;          /* and not released */
};

struct shared {
	/* knobs */
	uint64_t entry_valid, attr_valid;  /* seconds */
	bool negative;                     /* absent names are remembered for entry_valid */
	uint32_t init_flags, init_flags2;  /* those wanted of INIT */
	uint32_t init_minor, init_major, max_write, max_pages, max_background;
	uint32_t open_flags;               /* FOPEN_* */
	_Atomic int error[OPCODES];        /* answer this instead */
	_Atomic int silent;                /* this opcode is not answered; -1: any */
	_Atomic bool release_silent;       /* ... and now the held one is */
	bool ignore_interrupts, interrupt_eagain;
	_Atomic int close_after;           /* leave (without an answer) at this opcode */
	bool no_poll_events;
	uint32_t write_pause;              /* microseconds, before a WRITE is done */
	uint32_t ioctl_retry;
	/* what a wrong daemon does: see wrong() */
	_Atomic int wrong;
	_Atomic int spoil;                 /* this opcode is answered with `reply` instead; -1: none */
	int32_t reply_error;
	uint32_t reply_size;
	char reply[8192];
	/* what was asked */
	_Atomic uint64_t count[OPCODES];
	_Atomic uint64_t answered;
	struct fuse_in_header head[OPCODES];
	char body[OPCODES][512];
	uint32_t body_size[OPCODES];
	struct fuse_init_in init;
	_Atomic uint64_t forgotten;        /* counts given back in all */
	_Atomic uint64_t interrupt_unique, kh;
	_Atomic bool ended;                /* the daemon saw the end */
	_Atomic int end_errno;
	_Atomic int write_errno;           /* of its last write to the device */
	_Atomic uint64_t opened, released, max_read_size, max_write_size;
	_Atomic bool forgot_open;          /* a node was forgotten that somebody had open */
	_Atomic uint64_t lock_owner;
	struct fuse_file_lock held;        /* one lock, for GETLK and SETLK */
	uint64_t held_owner;
	struct node node[NODES];           /* by id; 1: the root */
};

extern struct shared *shared;
extern int device;                         /* the case's handle of the device, until daemon_start closes it */
extern pid_t daemon_pid;

/* Fresh shared memory, a tree with /hello ("hello\n"), /dir/inside, /link -> hello. Skips the case without /dev/fuse. */
void daemon_prepare(void);
/* Mount on "mnt" with `options` behind the necessary ones, NULL: none. 0 or an errno. */
int daemon_mount(const char *options);
void daemon_start(void);
/* All of it, successfully. */
void daemon_run(const char *options);
/* Umount and wait for the daemon. */
void daemon_end(void);
void daemon_kill(void);
struct node *node_find(uint64_t parent, const char *name);
struct node *node_make(uint64_t parent, const char *name, uint32_t mode, const char *data);
static inline uint64_t
node_id(const struct node *n)
{
	return (uint64_t)(n - shared->node);
}
/* From now on requests of this kind are answered with these bytes; daemon_right(): as any good daemon does. */
void daemon_reply(int opcode, const void *data, size_t n);
void daemon_right(void);
/* Nothing has been broken: the good daemon is asked something new. daemon_fine_end(): and then it ends. */
void daemon_still_fine(void);
void daemon_fine_end(void);
/* What a good daemon says of `n`. */
struct fuse_entry_out node_entry(const struct node *n);
/* The daemon is to leave at this opcode, before it answers; and is waited for. */
void daemon_gone(void);
/* Answer by hand, for cases that are their own daemon. */
int device_answer(int fd, uint64_t unique, int error, const void *data, size_t n);
ssize_t device_notice(int fd, int code, const void *data, size_t n, const void *more, size_t more_n);
/* Wait until `cond`, which another process brings about. */
#define UNTIL(cond)                                                                                \
	do {                                                                                       \
		for (int until_ = 0; !(cond); until_++) {                                          \
			CHECK(until_ < 20000);                                                     \
			usleep(500);                                                               \
		}                                                                                  \
	} while (0)
#define COUNT(op) ((unsigned long)atomic_load(&shared->count[FUSE_##op]))
/* The arguments of the last request of a kind. */
#define LAST(op, type) ((const struct type *)(const void *)shared->body[FUSE_##op])

enum {
	RIGHT, WRONG_SHORT, WRONG_LONG, WRONG_LENGTH, WRONG_UNIQUE, WRONG_TWICE, WRONG_ERROR, WRONG_MODE, WRONG_NODE_ROOT,
	WRONG_SIZE, WRONG_NAME, WRONG_KIND, WRONG_COUNT, WRONG_READ_LONG,
};

#endif
