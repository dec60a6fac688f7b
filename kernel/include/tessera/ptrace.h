/* SPDX-License-Identifier: MIT */
/*
 * ptrace.h - one thread holds another still, looks at it, changes it, lets it go on.
 *
 * A tracee is a thread; so is its tracer, though any thread of the tracer's process may wait for the
 * tracee. proc/ptrace.c has the theory: links, stops, locks, lifetimes.
 */
#ifndef TESSERA_PTRACE_H
#define TESSERA_PTRACE_H

#include <tessera/list.h>
#include <tessera/signal.h>
#include <tessera/types.h>

struct cred;
struct process;
struct thread;

/* ptrace->options, Linux's values. */
#define PTRACE_OPTION_SYSGOOD    BIT(0) /* system call stops say so: bit 7 of the signal number */
#define PTRACE_OPTION_FORK       BIT(1)
#define PTRACE_OPTION_VFORK      BIT(2)
#define PTRACE_OPTION_CLONE      BIT(3)
#define PTRACE_OPTION_EXEC       BIT(4)
#define PTRACE_OPTION_VFORK_DONE BIT(5)
#define PTRACE_OPTION_EXIT       BIT(6)
#define PTRACE_OPTION_SECCOMP    BIT(7)
#define PTRACE_OPTION_EXITKILL   BIT(20)
#define PTRACE_OPTION_SUSPEND_SECCOMP BIT(21) /* filters of calls rest while it is traced */
#define PTRACE_OPTIONS           (0xfful | PTRACE_OPTION_EXITKILL | PTRACE_OPTION_SUSPEND_SECCOMP)

/* What a stop tells of, Linux's numbers; the bit of the option that asks for one is 1 << number. */
#define PTRACE_EVENT_FORK       1u
#define PTRACE_EVENT_VFORK      2u
#define PTRACE_EVENT_CLONE      3u
#define PTRACE_EVENT_EXEC       4u
#define PTRACE_EVENT_VFORK_DONE 5u
#define PTRACE_EVENT_EXIT       6u
#define PTRACE_EVENT_SECCOMP    7u
#define PTRACE_EVENT_STOP       128u

/* ptrace->message of a system call stop. */
#define PTRACE_MESSAGE_ENTRY 1
#define PTRACE_MESSAGE_EXIT  2

enum ptrace_stop {
	PTRACE_RUNS,          /* not in a stop for its tracer */
	PTRACE_STOP_SIGNAL,   /* a signal is being delivered: the tracer decides which */
	PTRACE_STOP_SYSCALL,  /* at a call's entry or exit */
	PTRACE_STOP_EVENT,    /* fork, exec, exit ..., or a step into a handler */
	PTRACE_STOP_GROUP,    /* job control, or PTRACE_INTERRUPT */
};

/* ptrace->trap: stops asked for that come as soon as the thread looks. */
#define PTRACE_TRAP_STOP   BIT(0) /* once, whatever happened */
#define PTRACE_TRAP_NOTIFY BIT(1) /* job control changed: the tracer is to hear of it (seized only) */

/*
 * A thread's life as a tracee. Made when it is first traced, freed with the thread, so that it may be
 * looked at without asking whether the tracer has gone.
 *
 * [I] immutable  [P] process_tree_lock  [s] signal_lock of the tracee's process
 * [o] the tracee itself, or its tracer while it holds it frozen
 */
struct ptrace {
	struct thread *thread;       /* [I] whose it is */
	struct list node;            /* [P] in process->tracees of the tracer; holds a reference to `thread` */
	struct thread *tracer;       /* [P]+[s] to change, either to read; a reference. NULL: not traced */
	struct cred *tracer_cred;    /* [P]+[s] likewise: the tracer's when the link was made */
	uint32_t options;            /* [s] PTRACE_OPTION_* */
	bool seized;                 /* [s] by PTRACE_SEIZE: no SIGSTOP, stops tell of job control */
	bool reported;               /* [s] wait has told of the present stop */
	bool listening;              /* [s] in a group stop, and only news of job control is to end it */
	bool frozen;                 /* [s] its tracer works on it: not even SIGKILL makes it run */
	bool in_call;                /* [s] the stop is inside a system call, whose exit is yet to come */
	bool stepping;               /* [o] stops after the next instruction */
	uint8_t trap;                /* [s] PTRACE_TRAP_* */
	uint8_t stop;                /* [s] enum ptrace_stop */
	bool has_info;               /* [s] `info` belongs to the present stop */
	bool dead;                   /* [P] ended, not its process's leader: its number waits for the tracer */
	int code;                    /* [s] of the present stop: signal, event << 8 */
	int resume_signal;           /* [s] what the tracer wants delivered */
	int exit_status;             /* [P] once dead */
	uint64_t message;            /* [s] PTRACE_GETEVENTMSG */
	struct siginfo info;         /* [s] */
};

/* --- for the tracer's calls: linux/ptrace.c ------------------------------------------------------ */

int ptrace_traceme(void);                                   /* -EPERM */
/* -ESRCH, -EPERM, -ERESTARTNOINTR, -ENOMEM. */
int ptrace_attach(pid_t tid, bool seize, uint32_t options);
/*
 * The caller's tracee `tid`, with a reference, or NULL: -ESRCH. `freeze`: only when it is in a stop, and
 * held there until ptrace_unfreeze(), ptrace_resume() or ptrace_detach(), one of which must follow.
 */
struct thread *ptrace_get(pid_t tid, bool freeze);
void ptrace_unfreeze(struct thread *t);
enum ptrace_how { PTRACE_GO, PTRACE_GO_SYSCALL, PTRACE_GO_STEP, PTRACE_GO_EMULATE, PTRACE_GO_EMULATE_STEP };
/* Of a frozen tracee; `signo` 0: none. */
void ptrace_resume(struct thread *t, enum ptrace_how how, int signo);
void ptrace_detach(struct thread *t, int signo);
int ptrace_listen(struct thread *t);                        /* frozen; -EIO */
int ptrace_interrupt(struct thread *t);                     /* running or not; -EIO */
void ptrace_kill(struct thread *t);
void ptrace_set_options(struct thread *t, uint32_t options);
uint64_t ptrace_message(struct thread *t);
int ptrace_siginfo(struct thread *t, struct siginfo *out);  /* -EINVAL: none in this stop */
int ptrace_set_siginfo(struct thread *t, const struct siginfo *in);
uint64_t ptrace_signal_mask(struct thread *t);
void ptrace_set_signal_mask(struct thread *t, uint64_t mask);
/* The entry number `index` of the queue (the process's with `shared`). False: no more. */
bool ptrace_peek_siginfo(struct thread *t, bool shared, uint64_t index, struct siginfo *out);
/* Which kind of system call stop this is: PTRACE_MESSAGE_*, 0: none. */
int ptrace_syscall_stop(struct thread *t);
/* The tracee's memory, past protection. Bytes moved or -EIO. */
ssize_t ptrace_access(struct thread *t, vaddr_t addr, void *buf, size_t n, bool write);

/* --- for the tracee's way ------------------------------------------------------------------------- */

/* The thread `tid` as the calling thread's tracer numbers it: what PTRACE_GETEVENTMSG tells. 0: not at all. */
uint64_t ptrace_number(pid_t tid);
/* May the calling thread's tracer keep hold of a program that has more rights than the caller? */
bool ptrace_tracer_capable(void);
/* Call entry: false when the call is not to be made and what `f` says is its result. */
struct trap_frame;
bool ptrace_syscall_enter(struct trap_frame *f);
/* A filter of calls wants the tracer asked. False: there is none that listens. */
bool ptrace_seccomp(uint16_t data);
bool ptrace_suspends_seccomp(void); /* of the calling thread */

/* --- for /proc -------------------------------------------------------------------------------------- */

pid_t ptrace_tracer_pid(struct thread *t); /* 0: none */
bool ptrace_is_stopped(const struct thread *t); /* a hint */

#endif
