/* SPDX-License-Identifier: MIT */
/* io_uring: the threads that execute requests for a program, and counts that a program writes into its ring. */
#include "ring.h"

#include <dirent.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/user.h>

/* A request that a thread of the kernel's waits in: opening a fifo that nobody writes to. */
static void
occupy_worker(struct ring *r)
{
	CHECK_OK(mkfifo("fifo", 0600));
	struct io_uring_sqe *s = sqe(r, IORING_OP_OPENAT, AT_FDCWD, "fifo", 0, 0, 1);
	s->open_flags = O_RDONLY;
	s->flags = IOSQE_ASYNC;
	CHECK_EQ(submit(r, 0), 1);
}

/* A thread of `pid` other than its first, once there is one. */
static pid_t
find_worker(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	for (;;) {
		DIR *d = opendir(path);
		struct dirent *e;
		pid_t found = 0;

		CHECK(d != NULL);
		while ((e = readdir(d)) != NULL)
			if (atoi(e->d_name) > 0 && atoi(e->d_name) != pid)
				found = atoi(e->d_name);
		closedir(d);
		if (found)
			return found;
		usleep(1000);
	}
}

/* Traces a worker of `pid`. One that was found may be gone before it is asked for: then the next is taken. */
static pid_t
trace_worker(pid_t pid, enum __ptrace_request how)
{
	pid_t worker;

	do {
		worker = find_worker(pid);
		errno = 0;
	} while (ptrace(how, worker, 0, 0) != 0 && errno == ESRCH);
	CHECK_EQ(errno, 0);
	return worker;
}

TEST(uring_program_with_workers_dumps_core)
{
	pid_t pid = check_fork();
	int status;

	if (pid == 0) {
		CHECK_OK(setrlimit(RLIMIT_CORE, &(struct rlimit){ 1 << 20, RLIM_INFINITY }));
		struct ring r = ring_of(8);
		occupy_worker(&r);
		check_wait_asleep(getpid(), find_worker(getpid()));
		raise(SIGQUIT);
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_SKIPPED)
		SKIP("no io_uring here");
	CHECK(WIFSIGNALED(status));
	CHECK_EQ(WTERMSIG(status), SIGQUIT);
}

/* A debugger holds them still as any thread; they have no registers of the program's. */
TEST(uring_workers_can_be_traced)
{
	pid_t pid = check_fork(), worker;
	struct user_regs_struct regs;
	struct user_fpregs_struct fpu;
	int status;

	if (pid == 0) {
		struct ring r = ring_of(8);
		occupy_worker(&r);
		for (;;)
			pause();
	}
	worker = trace_worker(pid, PTRACE_SEIZE);
	CHECK_OK(ptrace(PTRACE_INTERRUPT, worker, 0, 0));
	CHECK_EQ(CHECK_OK(waitpid(worker, &status, __WALL)), worker);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(ptrace(PTRACE_GETREGS, worker, 0, &regs));
	CHECK_OK(ptrace(PTRACE_GETFPREGS, worker, 0, &fpu));
	CHECK_OK(ptrace(PTRACE_CONT, worker, 0, 0));
	/* It stops with its process, for its tracer. */
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(CHECK_OK(waitpid(worker, &status, __WALL)), worker);
	CHECK(WIFSTOPPED(status));
	CHECK_OK(kill(pid, SIGKILL));
	do
		CHECK_EQ(CHECK_OK(waitpid(worker, &status, __WALL)), worker);
	while (WIFSTOPPED(status));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(uring_workers_can_be_attached_to)
{
	pid_t pid = check_fork(), worker;
	int status;

	if (pid == 0) {
		struct ring r = ring_of(8);
		occupy_worker(&r);
		for (;;)
			pause();
	}
	worker = trace_worker(pid, PTRACE_ATTACH);
	CHECK_EQ(CHECK_OK(waitpid(worker, &status, __WALL)), worker);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_OK(ptrace(PTRACE_DETACH, worker, 0, 0));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(uring_killing_a_worker_kills_the_program)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		struct ring r = ring_of(8);
		occupy_worker(&r);
		for (;;)
			pause();
	}
	pid_t worker = find_worker(pid);
	CHECK_OK(syscall(SYS_tgkill, pid, worker, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

/* However far off the tail is, one call takes no more than there are entries. */
TEST(uring_tail_far_off_is_a_full_ring)
{
	struct ring r = ring_of(8);

	for (unsigned int i = 0; i < r.p.sq_entries; i++)
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
	__atomic_store_n(word(&r, r.p.sq_off.tail), 0x80000000u, __ATOMIC_RELEASE);
	CHECK_EQ(enter(&r, UINT_MAX, 0, 0), r.p.sq_entries);
	CHECK_EQ(ready(&r), r.p.sq_entries);
	CHECK_EQ(enter(&r, 5, 0, 0), 5);
}

/* With entries that name none, too: dropped, and soon over. */
TEST(uring_wrong_indexes_without_end_are_soon_over)
{
	struct ring r = ring_of(8);

	for (unsigned int i = 0; i < r.p.sq_entries; i++)
		word(&r, r.p.sq_off.array)[i] = ~0u;
	__atomic_store_n(word(&r, r.p.sq_off.tail), 0xfffffff0u, __ATOMIC_RELEASE);
	(void)enter(&r, UINT_MAX, 0, 0);
	CHECK_RANGE(*word(&r, r.p.sq_off.dropped), 1, r.p.sq_entries);
}
