/* SPDX-License-Identifier: MIT */
/*
 * process.h - what a program runs in: address space, handles, directory, signals, family.
 *
 * Lifetime: born by fork, the first of its threads is the leader (tid == pid). When the last thread
 * ends it is a zombie: everything but its number and status is gone; the parent's wait reaps it.
 */
#ifndef TESSERA_PROCESS_H
#define TESSERA_PROCESS_H

#include <tessera/atomic.h>
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/path.h>
#include <tessera/signal.h>
#include <tessera/thread.h>
#include <tessera/types.h>
#include <tessera/wait.h>

struct address_space;
struct dentry;
struct handle_table;
struct ipc_namespace;
struct mount;
struct namespaces;
struct pid_namespace;
struct tty;

#define RLIMIT_CPU 0
#define RLIMIT_FSIZE 1
#define RLIMIT_DATA 2
#define RLIMIT_STACK 3
#define RLIMIT_CORE 4
#define RLIMIT_RSS 5
#define RLIMIT_NPROC 6
#define RLIMIT_NOFILE 7
#define RLIMIT_MEMLOCK 8
#define RLIMIT_AS 9
#define RLIMIT_LOCKS 10
#define RLIMIT_SIGPENDING 11
#define RLIMIT_MSGQUEUE 12
#define RLIMIT_NICE 13
#define RLIMIT_RTPRIO 14
#define RLIMIT_RTTIME 15
#define RLIMIT_COUNT 16
#define RLIM_INFINITY UINT64_MAX

struct rlimit64 {
	uint64_t current, maximum;
};

/* Working directory, root, umask: shared by CLONE_FS. vfs/fs_context.c. */
struct fs_context {
	struct refcount refs;
	struct spinlock lock;      /* class LEAF */
	struct path cwd, root;     /* lock; references */
	mode_t umask;              /* lock */
};

/* Actions: shared by CLONE_SIGHAND. */
struct signal_actions {
	struct refcount refs;
	struct spinlock lock;      /* class LEAF */
	struct signal_action action[SIGNAL_COUNT + 1]; /* lock; a handler alone may be read without it */
};

struct session {
	struct refcount refs;
	pid_t sid;                 /* [I] */
	struct tty *tty;           /* PROCESS_TREE: the controlling terminal, a reference */
	struct list groups;        /* PROCESS_TREE */
};

struct process_group {
	struct refcount refs;
	pid_t pgid;                /* [I] */
	struct session *session;   /* [I] reference */
	struct list members;       /* PROCESS_TREE: struct process.group_node */
	struct list session_node;  /* PROCESS_TREE */
};

enum process_state { PROCESS_ALIVE, PROCESS_ZOMBIE, PROCESS_REAPED };

/*
 * [I] immutable  [P] PROCESS_TREE (process_tree_lock)  [p] lock  [s] signal_lock  [a] atomic
 */
struct process {
	struct refcount refs;
	pid_t pid;                        /* [I] in the first namespace */
	pid_t local_pid;                  /* [I] in its own */
	struct pid_namespace *pid_ns;     /* [I] once published: reference */
	bool unprotected;                 /* [a] a process 1 that its own fault ends */
	enum process_state state;         /* [P] */
	struct spinlock lock;             /* class PROCESS */
	struct spinlock signal_lock;      /* class SIGNAL */
	struct mutex exec_lock;           /* class EXEC */

	/* threads */
	struct list threads;              /* [p]+[s] to change, either to read: struct thread.process_node,
					     the living ones, oldest first */
	uint32_t thread_count;            /* [p]+[s] alive */
	uint32_t worker_count;            /* [p]+[s] of these, those that only serve io_uring */
	struct list uring_pools;          /* ipc/uring/worker.c */
	struct thread *leader;            /* [p] reference; stays, perhaps dead, until the process is reaped */
	struct wait_queue threads_wait;   /* exec waits here for the others to end */

	/* what it holds */
	struct address_space *as;         /* [p] reference; NULL once a zombie. The running threads read
					     it freely: only exec, alone by then, replaces it. */
	struct handle_table *handles;     /* [p] reference */
	struct fs_context *fs;            /* [p] reference */
	struct namespaces *namespaces;    /* [p] reference; as ipc */
	struct ipc_namespace *ipc;        /* [p] reference; its own threads read it freely */
	struct rlimit64 limits[RLIMIT_COUNT]; /* [p] */

	/* family */
	struct process *parent;           /* [P] counted */
	pid_t parent_pid;                 /* [P] to write, free to read: its number in our namespace, 0: not in it */
	struct key *session_left;         /* [a] reference: the session keyring that a child wants it to have */
	struct list children;             /* [P] struct process.sibling */
	struct list sibling;              /* [P] */
	struct list tracees;              /* [P] struct ptrace.node: threads that threads of this one trace */
	struct process_group *group;      /* [P] reference */
	struct list group_node;           /* [P] */
	struct list all_node;             /* [P] all_processes */
	struct wait_queue child_wait;     /* wait4 sleeps here: woken on each child's change */
	bool child_subreaper;             /* [P] */
	bool did_exec;                    /* [P] setpgid's rule */
	bool used_privilege;              /* [a] a capability let it do something: for accounting */
	struct thread *creator;           /* [P] who forked it: __WNOTHREAD */

	/* signals */
	struct signal_actions *actions;   /* [s] reference */
	struct signal_queue pending;      /* [s] for the process as a whole */
	struct wait_queue signal_wait;    /* sigwait, signalfd */
	bool group_exit;                  /* [s] everybody must go */
	int exit_status;                  /* [s] wait status word, once group_exit or zombie */
	bool stopped;                     /* [s] group stop complete: every thread has stopped */
	int stop_signal;                  /* [s] group stop asked for or in force; 0: none */
	uint32_t threads_stopping;        /* [s] that have yet to stop */
	bool tell_continued;              /* [s] the first thread to run tells the parent */
	uint64_t continue_generation;     /* [s] SIGCONTs so far: a stop decided before one is void */
	bool stop_reported;               /* [s] wait has told of the stop */
	bool continued;                   /* [s] wait has yet to tell */
	int exit_signal;                  /* [P] what the parent gets, SIGCHLD mostly */
	int parent_death_signal;          /* [p] prctl PR_SET_PDEATHSIG */
	struct thread *core;              /* [a] set under [s]: it writes a core file, the others wait; NULL */
	uint32_t core_parked;             /* [s] threads that wait for it */
	struct wait_queue core_wait;
	uint32_t coredump_filter;         /* [a] which mappings go into it: <tessera/core.h> */
	uint32_t pending_count;           /* [s] queued entries, against RLIMIT_SIGPENDING */

	/* accounting */
	uint64_t start_time;              /* [I] monotonic ns */
	uint64_t dead_user_ns, dead_system_ns;         /* [s] of threads that ended */
	uint64_t children_user_ns, children_system_ns; /* [s] of reaped children */
	uint64_t dead_minor, dead_major, children_minor, children_major; /* [s] */
	struct disk_use dead_disk, children_disk;      /* [s] */
	uint64_t dead_voluntary, dead_involuntary;     /* [s] */
	uint64_t peak_rss;                /* [p] pages, of memory that it had before: exec, exit; see the function */
	uint64_t children_peak_rss;       /* [s] pages; of reaped children */
	uint64_t read_bytes, write_bytes, read_calls, write_calls; /* [a] */
	struct interval_timers *timers;   /* [s] itimers and POSIX timers, proc/timers.c */
	bool timers_ended;                /* [s] it ends: timers stay NULL from here on */
	int oom_score_adj;                /* [a] */
	bool no_unknown_call_log;         /* [a] an unknown call was logged already */
	bool dumpable;                    /* [a] */
	bool io_flusher;                  /* [a] prctl: as set; nothing here waits for its own writes */
	bool no_huge_pages;               /* [a] prctl: as set */
	uint8_t mce_kill;                 /* [a] prctl: when to be told of broken memory */
	uint32_t membarrier;              /* [a] expedited membarrier commands registered for */
};

extern struct spinlock process_tree_lock;  /* class PROCESS_TREE */
extern struct list all_processes;          /* process_tree_lock */
extern struct process *init_process;       /* [I] pid 1 */

static inline struct process *
current_process(void)
{
	return current_thread()->process;
}

extern int randomize_va_space;  /* /proc/sys/kernel/randomize_va_space: 0, 1, 2 */
void process_init(void);
/* Start pid 1 from `path` in the root file system. Panics with a clear line when it cannot. */
void process_start_init(const char *path);
static inline void
process_get(struct process *p)
{
	ref_get(&p->refs);
}
void process_put(struct process *p);
/* By number in the caller's namespace; with a reference, or NULL. */
struct process *process_find(pid_t pid);
/* Whose number or one of whose threads' numbers it is: most calls that take a "pid" mean that. */
struct process *process_find_by_thread(pid_t tid);
struct thread *thread_find(pid_t tid);
struct process *process_find_in(struct pid_namespace *ns, pid_t pid);
struct thread *thread_find_in(struct pid_namespace *ns, pid_t tid);
/* The process with the smallest pid >= `pid` (zombies too), with a reference: /proc's listing. */
struct process *process_next(pid_t pid);
struct thread *process_thread_next(struct process *p, pid_t tid); /* likewise among its threads */
/* Its address space with a reference, NULL when it has none (zombie). */
struct address_space *process_address_space(struct process *p);
struct handle_table *process_handles(struct process *p);
/* The controlling terminal etc., for tty/. process_tree_lock taken inside. */
pid_t process_pgid(struct process *p);
pid_t process_sid(struct process *p);
bool process_group_exists_in_session(pid_t pgid, pid_t sid);
bool process_group_is_orphaned(pid_t pgid);
/* setpgid, setsid, getpgid, getsid with their errors; pid 0 is the caller. */
int process_set_group(pid_t pid, pid_t pgid);
pid_t process_new_session(void);
pid_t process_get_group(pid_t pid);
pid_t process_get_session(pid_t pid);
/* RLIMIT_CPU or RLIMIT_RTTIME was set, or a thread of p runs in real time from now on. */
void timers_limit_changed(struct process *p);
static inline uint64_t
process_limit(struct process *p, int which) /* the soft limit */
{
	return READ_ONCE(p->limits[which].current);
}
uint32_t process_count(void);
/* Wait, two seconds at most, until those are gone that have ended or were killed: for who counts what is left. Sleeps, no
 * lock held; a caller that is killed returns at once. What is not waited for: settle.c. */
void processes_settle(void);
pid_t process_last_pid(void);
/* The most pages that were resident at once in any memory that it has had. p->lock is taken inside. */
uint64_t process_peak_resident(struct process *p);
/* Sum of all threads, dead ones too. */
void process_times(struct process *p, uint64_t *user_ns, uint64_t *system_ns);
/* End every thread with this wait status (exit_group, fatal signal). Does not return for the caller's
 * own process. */
void __noreturn process_exit_group(int status);
/*
 * A thread of the caller's process that runs fn(arg) and never its program: it takes no signals. It asks
 * signal_worker_must_end() between its works and after each wait that was interrupted, and ends with
 * process_worker_exit(). A process whose other threads have ended ends. -EAGAIN, -ENOMEM.
 */
int process_add_worker(const char *name, void (*fn)(void *), void *arg);
void __noreturn process_worker_exit(void);
void process_kill(struct process *p); /* SIGKILL from the kernel: OOM, hangup of last resort */
/* May the caller inspect p? The rule of ptrace(2)'s access checks. 0 or -EPERM. */
int process_may_inspect(struct process *p);
/* ... t, a thread of p's, by what that thread may do; NULL: the leader. */
int process_may_inspect_thread(struct process *p, struct thread *t);
/* The same by the caller's real ids, as ptrace(2) itself asks. */
int process_may_attach(struct process *p, struct thread *t);
/* The credentials of `t`, a thread of p's (NULL: the leader), with a reference; NULL: it is gone.
 * p->lock taken inside; the caller holds a reference to t. */
struct cred *process_thread_cred(struct process *p, struct thread *t);

/* A copy with one reference (NULL: no memory), for a process of its own; the last put lets go of the directories. */
struct fs_context *fs_context_copy(struct fs_context *from);
void fs_context_put(struct fs_context *fs);
/* Both or one of them, with references; NULL: not wanted. */
void fs_context_get(struct fs_context *fs, struct path *cwd, struct path *root);

#endif
