/* SPDX-License-Identifier: MIT */
/*
 * fork.h - making processes and threads, replacing programs, waiting. proc/'s door for linux/.
 */
#ifndef TESSERA_FORK_H
#define TESSERA_FORK_H

#include <tessera/disk_use.h>
#include <tessera/types.h>

struct file;
struct process;

/* CLONE_*, Linux's values. */
#define CLONE_VM 0x00000100ull
#define CLONE_FS 0x00000200ull
#define CLONE_FILES 0x00000400ull
#define CLONE_SIGHAND 0x00000800ull
#define CLONE_PIDFD 0x00001000ull
#define CLONE_PTRACE 0x00002000ull
#define CLONE_VFORK 0x00004000ull
#define CLONE_PARENT 0x00008000ull
#define CLONE_THREAD 0x00010000ull
#define CLONE_SYSVSEM 0x00040000ull
#define CLONE_SETTLS 0x00080000ull
#define CLONE_PARENT_SETTID 0x00100000ull
#define CLONE_CHILD_CLEARTID 0x00200000ull
#define CLONE_DETACHED 0x00400000ull
#define CLONE_UNTRACED 0x00800000ull
#define CLONE_CHILD_SETTID 0x01000000ull
#define CLONE_NEWTIME 0x00000080ull
#define CLONE_NEWNS 0x00020000ull
#define CLONE_NEWCGROUP 0x02000000ull
#define CLONE_NEWUTS 0x04000000ull
#define CLONE_NEWIPC 0x08000000ull
#define CLONE_NEWUSER 0x10000000ull
#define CLONE_NEWPID 0x20000000ull
#define CLONE_NEWNET 0x40000000ull
/* All that a set of namespaces holds and that can be new. */
#define CLONE_NAMESPACES \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID)
#define CLONE_IO 0x80000000ull
#define CLONE_CLEAR_SIGHAND 0x100000000ull
#define CLONE_INTO_CGROUP   0x200000000ull

struct clone_request {
	uint64_t flags;
	int exit_signal;
	vaddr_t stack;                  /* top; 0: the parent's */
	vaddr_t tls;
	int32_t __user *parent_tid;
	int32_t __user *child_tid;
	int32_t __user *pidfd;
	const pid_t *set_tid;           /* numbers from the deepest namespace up */
	size_t set_tid_count;           /* in those above one is chosen */
};
/* The child's tid, or EAGAIN, ENOMEM, EINVAL ... . */
long process_clone(const struct clone_request *r);

/* unshare(2): CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_NEWIPC and what is never shared with others anyway.
 * -EINVAL, -ENOMEM, -EPERM. */
int process_unshare(uint64_t flags);

/*
 * Replace the caller's program. `argv`, `envp`: user arrays. Does not come back to the old program on
 * success: returns 0 and the next return to user mode starts the new one. Errors before the point of
 * no return are returned; later ones kill the process.
 */
long process_exec(int dirfd, const char *path, uint64_t argv, uint64_t envp, int flags);

/*
 * The caller becomes the program `given` for /proc/PID/exe, when nothing of the one it started as is mapped any
 * more: -EBUSY. -EACCES: may not be executed, or is being written.
 */
int process_set_exe(struct file *given);

/* wait4/waitid. `which` as P_ALL, P_PID, P_PGID, P_PIDFD; options: Linux's W* bits. */
struct wait_result {
	pid_t pid;
	uid_t uid;
	int status;     /* as wait4 gives it */
	int code;       /* CLD_* */
	int code_status; /* exit code or signal, as waitid gives it */
	uint64_t user_ns, system_ns, minor_faults, major_faults, peak_rss;
	struct disk_use disk;
};
long process_wait(int which, pid_t id, int options, struct wait_result *out);

/* rseq(2). */
long rseq_register(uint64_t address, uint32_t size, int flags, uint32_t signature);

/* pidfds: a handle to a process; the process of one with a reference (NULL: *error). */
long pidfd_open(pid_t pid, uint32_t flags);
struct file *pidfd_create(struct process *p, uint32_t flags); /* NULL: no memory */
struct process *pidfd_get(int fd, bool *nonblock, int *error);
struct process *pidfd_get_for_signal(int fd, int *error); /* a /proc/PID directory will do too */

#endif
