/* SPDX-License-Identifier: MIT */
/*
 * pid_namespace.h - processes with numbers of their own.
 *
 * The kernel knows processes, threads, groups and sessions by their numbers in the first namespace; whoever lives
 * in a deeper one has a number in each from there up. Numbers are translated where a program gives or gets one:
 * pid_given(), pid_shown(). Process 1 of a namespace adopts its orphans, and all die with it.
 */
#ifndef TESSERA_PID_NAMESPACE_H
#define TESSERA_PID_NAMESPACE_H

#include <tessera/accounting.h>
#include <tessera/namespace.h>
#include <tessera/radix.h>
#include <tessera/wait.h>

#define PID_NAMESPACE_DEPTH 32
#define PID_NONE INT32_MAX /* nobody's number */

/* [P] PROCESS_TREE */
struct pid_namespace {
	struct namespace ns;
	struct pid_namespace *parent;  /* [I] reference; NULL: the first */
	uint32_t level;                /* [I] 0: the first */
	struct radix_tree slots;       /* [P] struct pid_slot * by number; of the first: pid.c's own */
	pid_t last;                    /* [P] */
	struct process *init;          /* [P] its process 1, not counted; NULL: none yet, or gone */
	bool ended;                    /* [P] process 1 is dying or dead: nobody is born here any more */
	uint32_t processes;            /* [P] living and zombies, those below too */
	struct wait_queue fewer;       /* processes went down */
	struct accounting_state accounting;
	int end_status;                /* [P] how process 1 shall be seen to have ended, 0: as it did */
};

extern struct pid_namespace init_pid_namespace;

/* Below `parent`, with one reference. ERR_PTR(-ENOSPC, -ENOMEM). */
struct namespace *pid_namespace_create(struct namespace *parent, struct user_namespace *owner);
void pid_namespace_release(struct namespace *ns);
/* Who would restart or stop the machine from inside ends the namespace: its process 1 is seen to die of `signo`. */
void __noreturn pid_namespace_restart(struct pid_namespace *ns, int signo);
bool pid_namespace_is_inside(const struct namespace *ns, const struct namespace *of);
struct pid_namespace *current_pid_namespace(void); /* borrowed */

/* The number in `ns` of what the kernel knows as `pid`; 0: not seen from there. process_tree_lock is held. */
pid_t pid_number_locked(const struct pid_namespace *ns, pid_t pid);
pid_t pid_number(const struct pid_namespace *ns, pid_t pid);  /* takes it */
/* The kernel's number for one of `ns`; PID_NONE: nobody. 0 and below stay what they are. */
pid_t pid_global_locked(const struct pid_namespace *ns, pid_t number);
pid_t pid_global(const struct pid_namespace *ns, pid_t number);
/* The smallest number >= `from` in use in `ns` by a process, and whose it is; -1: none. */
pid_t pid_next_process(struct pid_namespace *ns, pid_t from);
/* Of the caller's namespace. */
pid_t pid_given(pid_t number);
pid_t pid_shown(pid_t pid);

#endif
