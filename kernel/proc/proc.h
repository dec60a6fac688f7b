/* SPDX-License-Identifier: MIT */
/*
 * proc.h - what the files of proc/ share with each other and with nobody else.
 *
 * The locks, outermost first: process_tree_lock, process->lock, process->signal_lock. Two processes'
 * locks of one class are never held together. The list of a process's threads is changed under its
 * lock and its signal_lock, so that holding either is enough to walk it; an interrupt (a timer that
 * sends a signal) takes signal_lock only.
 */
#ifndef TESSERA_PROC_PROC_H
#define TESSERA_PROC_PROC_H

#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/ptrace.h>
#include <tessera/thread.h>
#include <tessera/types.h>

struct memory_object;
struct pid_namespace;

/* --- pid.c: numbers. All under process_tree_lock. ------------------------------------------------ */

#define PID_LOCAL_MAX 65535 /* 16 bits: see the design's node numbers */
#define PID_RESERVED  300   /* after a wrap small numbers stay with the system's first processes */

/* Who uses a number; a slot lives while one of the four does. */
struct pid_slot {
	struct thread *thread;         /* not counted: cleared before it dies */
	struct process *process;       /* not counted: cleared when it is reaped */
	struct process_group *group;
	struct session *session;
	struct pid_namespace *ns;      /* [I] reference: the innermost in which it has a number */
	pid_t numbers[];               /* [I] by level, from the first namespace on */
};

/* New numbers in `ns` and all above, with an empty slot (the caller fills it at once); that of the first namespace is
 * returned. want 0: the next free one of `ns`. -EAGAIN: none left, -EEXIST: `want` is taken, -ENOMEM. */
pid_t pid_alloc_locked(const pid_t *want, size_t wanted, struct pid_namespace *ns);
struct pid_slot *pid_slot_locked(pid_t pid); /* NULL: number not in use */
void pid_release_locked(pid_t pid);          /* give the number back if nobody uses its slot */

/* --- pid_namespace.c */
void pid_namespace_join_locked(struct process *p);  /* it is born, pid_ns and local_pid are set */
void pid_namespace_leave_locked(struct process *p); /* it has been reaped */
bool process_is_namespace_init(const struct process *p);
void pid_namespace_end(struct process *p);          /* p, the caller, is process 1 of one and ends. Sleeps. */

/* --- process.c ------------------------------------------------------------------------------------ */

/* A process with no threads, address space or handles; actions, signals and limits at defaults. */
struct process *process_alloc(void);
void process_add_thread_locked(struct process *p, struct thread *t); /* lock and signal_lock held */
void process_publish_locked(struct process *p, struct process *parent);
void process_set_parent_locked(struct process *p, struct process *parent);
/* Take a zombie off the tree: its number, group and place are gone. The caller drops the life's
 * reference with process_put() after unlocking. */
void process_reap_locked(struct process *p);

/* --- group.c -------------------------------------------------------------------------------------- */

struct process_group *group_find_locked(pid_t pgid); /* borrowed; NULL */
/* Put p into a new session and group of its own number, both allocated by the caller. */
void group_attach_locked(struct process *p, struct process_group *g);
void group_detach_locked(struct process *p);
struct session *session_create(pid_t sid);
struct process_group *group_create(pid_t pgid, struct session *s);
void group_put(struct process_group *g);
void session_put(struct session *s);
void group_publish_locked(struct process_group *g);
bool group_is_orphaned_locked(struct process_group *g, struct process *ignored);
bool group_has_stopped_locked(struct process_group *g);

/* --- unshare.c */
struct ipc_namespace;
void process_change_ipc(struct process *p, struct ipc_namespace *ipc);

/* --- user.c: how many threads a user runs (RLIMIT_NPROC) ------------------------------------------ */

void user_charge_locked(uid_t uid, int64_t n); /* process_tree_lock */
uint64_t user_count_locked(uid_t uid);

/* --- signal.c ------------------------------------------------------------------------------------- */

struct signal_entry {
	struct list node;
	struct siginfo info;
	struct process *charged;        /* whose pending_count it is in; NULL: nobody's */
	struct posix_timer *timer;      /* whose entry it is: not freed, the timer owns it; NULL */
};

void signal_queue_init(struct signal_queue *q);
void signal_queue_flush(struct signal_queue *q, uint64_t which); /* signal_lock, or the last user */
void signal_queue_forget(struct signal_queue *q, int signo);
struct signal_actions *actions_create(void);
struct signal_actions *actions_copy(struct signal_actions *from);
struct signal_action signal_action_of(struct process *p, int signo);
void actions_put(struct signal_actions *a);
/* Defaults for what had a handler; ignored stays ignored. `ignored_too`: that as well. */
void actions_reset(struct signal_actions *a, bool ignored_too);
/* Send with p->signal_lock held. `t` NULL: to the process. */
int signal_send_locked(struct process *p, struct thread *t, int signo, const struct siginfo *info);
/* Recompute WORK_SIGNAL of the calling thread, or of a thread that cannot run. signal_lock held. */
void signal_recompute_locked(struct process *p, struct thread *t);
/* End every thread of p but `except` with `status`; signal_lock held. False: it was ending already. */
void thread_kill_locked(struct thread *t); /* this one only: exec ends the others so */
void signal_retarget_locked(struct process *p, struct thread *except, uint64_t set);
bool signal_send_entry_locked(struct process *p, struct thread *t, struct signal_entry *e);
bool signal_spares(struct process *p);
bool process_kill_threads_locked(struct process *p, int status, struct thread *except);
/* The calling thread's next deliverable signal is taken out of the queues. signal_lock held. */
int signal_dequeue_locked(struct process *p, struct thread *t, uint64_t mask, struct siginfo *info);
/* A queued timer signal is being delivered. */
void posix_timer_delivered(struct posix_timer *timer, struct siginfo *info);
bool signal_default_ignores(int signo);
bool signal_default_stops(int signo);
bool signal_default_dumps(int signo);

/* --- signal_deliver.c ----------------------------------------------------------------------------- */

/* A thread that ends no longer takes part in a group stop. Both locks of the process held. Returns true
 * when that completed the stop: tell the parent. */
bool stop_leave_locked(struct process *p, struct thread *t);
/* SIGCHLD with CLD_STOPPED or CLD_CONTINUED to the parent, and wake its waits. No locks held. */
void notify_parent_of_stop(struct process *p, int code, int signo);

/* --- ptrace.c, ptrace_stop.c ------------------------------------------------------------------------ */

struct trap_frame;
static inline bool
ptrace_is_traced(const struct thread *t)
{
	return t->ptrace && t->ptrace->tracer;
}
/* In a stop for its tracer, and not to be woken by signals. signal_lock held. */
static inline bool
ptrace_holds(const struct thread *t)
{
	return t->ptrace && t->ptrace->stop != PTRACE_RUNS;
}
/* Make room for a tracer of t. 0 or -ENOMEM. */
int ptrace_prepare(struct thread *t);
/* The new thread gets the caller's tracer, and a stop before its first instruction. ptrace_prepare()d,
 * unknown to others, process_tree_lock held. */
void ptrace_inherit_locked(struct thread *t);
/* The tracer lets go; nothing happens when there is none. process_tree_lock held. */
void ptrace_unlink_locked(struct thread *t);
/* The calling thread ends: its tracees go free. Zombies among them that nobody waits for come on `dead`. */
void ptrace_tracer_ends_locked(struct thread *tracer, struct list *dead);
/* t, not the leader, has ended with `status`. True: its number stays until its tracer has waited. */
bool ptrace_thread_ended_locked(struct thread *t, int status);
/* Who traces the leader of p from another process than p's parent, NULL: nobody. process_tree_lock held. */
struct process *ptrace_foreign_tracer_locked(struct process *p);
void ptrace_free(struct thread *t);

/* All on the calling thread, p its process; signal_lock held, dropped and taken again while it stops. */
int ptrace_stop_signal(struct process *p, struct thread *t, int signo, struct siginfo *info, uint64_t *flags);
void ptrace_stop_group(struct process *p, struct thread *t, bool last, uint64_t *flags);
void ptrace_stop_trap(struct process *p, struct thread *t, uint64_t *flags);
/* Job control changed for t, seized or not: it is to look. signal_lock held. */
void ptrace_notify_locked(struct thread *t);
/* No locks held: */
unsigned int ptrace_clone_event(uint64_t flags, int exit_signal); /* which one the tracer wants; 0: none */
void ptrace_stop_event(unsigned int event, uint64_t message);     /* if the tracer wants it */
void ptrace_stop_step(void);                                      /* stepped into a handler */
void ptrace_exec(uint64_t old);
void ptrace_thread_exits(int status);
void ptrace_syscall_exit(struct trap_frame *f);

/* exit.c: tell the parent, or its tracer first, that p has become a zombie. True: nobody will wait. */
bool notify_parent_of_exit_locked(struct process *p);

/* --- core.c ----------------------------------------------------------------------------------------- */

/* The calling thread dies of `info`, whose default action leaves a core file: write one if that is wanted.
 * The process is ending afterwards, with the status that tells of the file, or as it was. */
void core_dump(const struct siginfo *info);
/* The calling thread t ends: not before a core file of its process is written. */
void core_park(struct process *p, struct thread *t);

/* --- exec and its helpers ------------------------------------------------------------------------- */

/* Map the vDSO into a space being built; returns the address of its text or an errno. */
long vdso_map(struct address_space *as, vaddr_t near_stack, bool randomize);
void vfork_release(struct thread *t);
/* Wait until the caller is its process's only thread and carries its number; others are ended.
 * -EAGAIN: the process is ending already. */
int exec_take_over(struct process *p);

/* --- timers --------------------------------------------------------------------------------------- */

void timers_exec(struct process *p);  /* POSIX timers go, interval timers stay */
void timers_exit(struct process *p);  /* all go; no signals from them afterwards */

/* --- futexes -------------------------------------------------------------------------------------- */

void futex_thread_exit(struct thread *t, bool ends); /* or execs: robust list, PI futexes, clear_child_tid */
void futex_init(void);

/* --- rseq.c --------------------------------------------------------------------------------------- */

struct trap_frame;
/* Write the CPU number to the thread's area and leave an interrupted critical section. -EFAULT. */
int rseq_update(struct trap_frame *f, bool before_signal);

#endif
