/* SPDX-License-Identifier: MIT */
/*
 * seccomp.h - a filter, its chain and its listener: between seccomp.c and seccomp_notify.c.
 */
#ifndef TESSERA_PROC_SECCOMP_H
#define TESSERA_PROC_SECCOMP_H

#include <tessera/atomic.h>
#include <tessera/bpf.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/seccomp.h>
#include <tessera/wait.h>

/* Who answers for a filter. [l] lock */
struct seccomp_listener {
	struct refcount refs;          /* the filter, the open file, each who waits for an answer */
	struct spinlock lock;          /* class SECCOMP */
	struct list notices;           /* [l] struct notice, oldest first */
	uint64_t next_id;              /* [l] */
	bool closed;                   /* [l] the file is gone: nobody answers any more */
	bool deserted;                 /* [l] no thread is left under the filter */
	struct wait_queue queue;       /* of who reads */
};

/* [I] immutable, so that threads share chains without locks. */
struct seccomp_filter {
	struct refcount refs;          /* threads, later filters */
	struct seccomp_filter *previous; /* [I] reference */
	struct seccomp_listener *listener; /* [I] reference, or NULL */
	bool logged;                   /* [I] */
	bool wait_killable;            /* [I] */
	uint32_t depth;                /* [I] filters from here on */
	uint32_t weight;               /* [I] instructions from here on, and four a filter */
	uint32_t length;               /* [I] */
	struct bpf_instruction program[]; /* [I] */
};

struct seccomp_listener *seccomp_listener_create(void);
void seccomp_listener_put(struct seccomp_listener *l);
void seccomp_listener_desert(struct seccomp_listener *l); /* the last thread has left */
struct file *seccomp_listener_open(struct seccomp_listener *l); /* NULL: no memory */
/* Ask and wait for the answer. True: make the call; else *result. */
bool seccomp_ask(const struct seccomp_filter *f, const struct seccomp_data *d, long *result);

#endif
