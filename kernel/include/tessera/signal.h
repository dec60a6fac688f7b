/* SPDX-License-Identifier: MIT */
/*
 * signal.h - signals: numbers, sets, queues, and how the rest of the kernel sends them.
 */
#ifndef TESSERA_SIGNAL_H
#define TESSERA_SIGNAL_H

#include <tessera/list.h>
#include <tessera/types.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGNAL_COUNT 64 /* numbers 1 .. 64 */
#define SIGNAL_BIT(n) (1ull << ((n) - 1))
#define SIGNAL_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* si_code */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE -1
#define SI_TIMER -2
#define SI_SIGIO -5
#define SI_TKILL -6
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define FPE_INTOVF 2
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define SEGV_BNDERR 3
#define SEGV_PKUERR 4
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define TRAP_HWBKPT 4
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6

/* Linux's siginfo_t, 128 bytes; the kernel's copy is exactly what the program gets. */
struct siginfo {
	int32_t signo, error, code, pad0;
	union {
		struct { pid_t pid; uid_t uid; uint64_t value; } kill;      /* SI_USER, SI_QUEUE */
		struct { int32_t timer; int32_t overrun; uint64_t value; int32_t private; } timer;
		struct { pid_t pid; uid_t uid; int32_t status; int32_t pad; int64_t utime, stime; } child;
		struct { uint64_t address; int16_t lsb; int16_t pad[3]; uint64_t lower, upper; } fault;
		struct { uint64_t address; uint64_t pad; uint32_t pkey; } pkey_fault;
		struct { int64_t band; int32_t fd; } poll;
		struct { uint64_t call_address; int32_t syscall; uint32_t arch; } sys;
		uint8_t bytes[112];
	};
};
_Static_assert(sizeof(struct siginfo) == 128, "siginfo_t");

/* sigaction flags, Linux's. */
#define SA_NOCLDSTOP 0x00000001ull
#define SA_NOCLDWAIT 0x00000002ull
#define SA_SIGINFO   0x00000004ull
#define SA_EXPOSE_TAGBITS 0x00000800ull /* addresses here have no tags */
#define SA_RESTORER  0x04000000ull
#define SA_ONSTACK   0x08000000ull
#define SA_RESTART   0x10000000ull
#define SA_NODEFER   0x40000000ull
#define SA_RESETHAND 0x80000000ull
#define SA_IMMUTABLE 0x00800000ull /* the kernel's own: a signal on its way ends the process, and nothing stops it */
#define SIG_DFL 0ull
#define SIG_IGN 1ull

struct signal_action { /* Linux's kernel sigaction layout */
	uint64_t handler, flags, restorer, mask;
};

struct signal_stack { /* stack_t */
	uint64_t sp;
	int32_t flags;    /* SS_ONSTACK 1, SS_DISABLE 2, SS_AUTODISARM 1<<31 */
	uint64_t size;
};

struct signal_queue {
	uint64_t set;          /* pending numbers */
	struct list entries;   /* struct signal_entry: queued siginfos, oldest first */
};

struct process;
struct thread;

/* Send to a process (any thread may take it) or to one thread. `info` NULL: SI_KERNEL. No permission
 * check: that is the call's. Any context but under signal_lock or later classes. 0 or -EAGAIN (queue
 * limit for real-time signals), -ESRCH when it is gone. */
int signal_send_process(struct process *p, int signo, const struct siginfo *info);
int signal_send_thread(struct thread *t, int signo, const struct siginfo *info);
/* As a fault does: cannot be blocked or ignored away. Of the calling thread. */
void signal_force(int signo, const struct siginfo *info);
/* It ends the process, whatever handler there is, and its tracer is not asked. */
void signal_force_default(int signo, const struct siginfo *info);
/* To all of a process group. pgid > 0. -ESRCH when it is empty. Not from an interrupt. */
int signal_send_group(pid_t pgid, int signo, const struct siginfo *info);
/* An unblocked, not ignored signal (or exit) waits for the calling thread: blocking calls return. */
bool signal_pending(struct thread *t);
bool signal_fatal_pending(struct thread *t);
/* Set the calling thread's mask (SIGKILL and SIGSTOP are taken out). */
void signal_set_mask(uint64_t mask);
/*
 * ppoll, pselect, epoll_pwait, sigsuspend: a mask that holds until the call is over. After begin the
 * call waits; end(true) when it returns because of a signal (the old mask comes back after the handler
 * has been set up), end(false) otherwise (at once).
 */
void signal_mask_begin(uint64_t mask);
void signal_mask_end(bool interrupted);
/* Take the first pending signal out of `set` (the thread's own before the process's): its number and
 * *info, or 0. For sigtimedwait and signalfd, which wait on process->signal_wait. */
int signal_take(uint64_t set, struct siginfo *info);
/* What is pending for the calling thread, its own and the process's. */
uint64_t signal_pending_set(void);
/* sigaction(2); either may be NULL. -EINVAL. */
int signal_set_action(int signo, const struct signal_action *new_action, struct signal_action *old);
/*
 * kill(2) and tgkill(2) with their permission checks. signo 0 only checks. `pid` as kill's; -EPERM,
 * -ESRCH, -EINVAL.
 */
int signal_kill(pid_t pid, int signo, const struct siginfo *info);
int signal_kill_thread(pid_t pid, pid_t tid, int signo, const struct siginfo *info); /* pid <= 0: of any */
/* May the caller send signo to p? 0 or -EPERM. */
int signal_may_send(struct process *p, int signo);
/* A worker's part in stopping with its process, and whether it has to end. */
bool signal_worker_must_end(void);
void siginfo_user(struct siginfo *out, int signo, int code); /* pid and uid of the caller filled in */

#endif
