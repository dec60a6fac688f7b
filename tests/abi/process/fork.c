/* SPDX-License-Identifier: MIT */
/* Making processes: fork, vfork, clone, clone3. */
#include "../check.h"

#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static volatile int shared_value;
static char child_stack[65536] __attribute__((aligned(16)));

static int
set_shared_value(void *arg)
{
	shared_value = (int)(intptr_t)arg;
	return 5;
}

static int
close_fd(void *arg)
{
	return close((int)(intptr_t)arg);
}

static int
change_directory(void *arg)
{
	return chdir(arg);
}

TEST(fork_returns_zero_in_child_and_pid_in_parent)
{
	pid_t parent = getpid(), pid = check_fork();

	if (pid == 0) {
		CHECK_EQ(getppid(), parent);
		CHECK(getpid() != parent);
		CHECK_EQ(getpid(), syscall(SYS_gettid));
		_exit(3);
	}
	CHECK(pid > 0);
	CHECK_EXIT(pid, 3);
}

TEST(fork_copies_memory)
{
	static int value = 1;
	int *heap = malloc(sizeof(int));

	*heap = 10;
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(value, 1);
		value = 2;
		*heap = 20;
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(value, 1);
	CHECK_EQ(*heap, 10);
}

TEST(fork_child_has_no_pending_signals_alarms_or_children)
{
	sigset_t block, pending;

	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	alarm(100);
	pid_t sibling = check_fork();
	if (sibling == 0)
		_exit(0);
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(sigpending(&pending));
		CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
		sigset_t mask;
		CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &mask));
		CHECK_EQ(sigismember(&mask, SIGUSR1), 1);
		CHECK_EQ(alarm(0), 0);
		CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(sibling, 0);
	CHECK(alarm(0) > 90);
}

TEST(fork_only_takes_the_calling_thread)
{
	char text[32];
	pid_t pid = check_fork();

	if (pid == 0) {
		ssize_t n = CHECK_OK(readlink("/proc/self", text, sizeof(text) - 1));
		text[n] = '\0';
		CHECK_EQ(atoi(text), getpid());
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(fork_chain_of_generations)
{
	int ends[2], depth = 0;

	CHECK_OK(pipe(ends));
	pid_t first = check_fork();
	if (first == 0) {
		for (depth = 1; depth < 20; depth++) {
			pid_t pid = check_fork();
			if (pid > 0) {
				CHECK_EXIT(pid, 0);
				_exit(0);
			}
		}
		check_write_all(ends[1], &depth, sizeof(depth));
		_exit(0);
	}
	CHECK_EXIT(first, 0);
	check_read_all(ends[0], &depth, sizeof(depth));
	CHECK_EQ(depth, 20);
}

TEST(fork_many_and_reap_all)
{
	enum { COUNT = 100 };
	pid_t pids[COUNT];

	TIMEOUT(60);
	for (int i = 0; i < COUNT; i++) {
		pids[i] = check_fork();
		if (pids[i] == 0)
			_exit(i);
	}
	for (int i = COUNT - 1; i >= 0; i--)
		CHECK_EXIT(pids[i], i);
	CHECK_ERRNO(wait(NULL), ECHILD);
}

TEST(vfork_shares_memory_and_holds_the_parent)
{
	shared_value = 0;
	pid_t pid = vfork();
	if (pid == 0) {
		check_sleep_ms(50);
		shared_value = 7;
		_exit(4);
	}
	CHECK_EQ(shared_value, 7);
	CHECK_EXIT(pid, 4);
}

TEST(vfork_releases_the_parent_at_exec)
{
	int ends[2];
	pid_t pid;

	CHECK_OK(pipe(ends));
	pid = vfork();
	if (pid == 0) {
		dup2(ends[0], 0);
		execl("/proc/self/exe", "x", "--helper", "wait_for_a_byte", NULL);
		_exit(99);
	}
	/* Were it released at the child's end, nobody would write. */
	check_write_all(ends[1], "x", 1);
	CHECK_EXIT(pid, 0);
}

HELPER(wait_for_a_byte)
{
	char c;

	check_read_all(0, &c, 1);
}

TEST(clone_vm_shares_memory)
{
	shared_value = 0;
	pid_t pid = CHECK_OK(clone(set_shared_value, child_stack + sizeof(child_stack),
				   CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)11));
	CHECK_EQ(shared_value, 11);
	CHECK_EXIT(pid, 5);
}

TEST(clone_without_vm_copies_memory)
{
	shared_value = 0;
	pid_t pid = CHECK_OK(clone(set_shared_value, child_stack + sizeof(child_stack), SIGCHLD,
				   (void *)11));
	CHECK_EXIT(pid, 5);
	CHECK_EQ(shared_value, 0);
}

TEST(clone_files_shares_the_fd_table)
{
	int a = CHECK_OK(dup(0));
	pid_t pid = CHECK_OK(clone(close_fd, child_stack + sizeof(child_stack),
				   CLONE_FILES | SIGCHLD, (void *)(intptr_t)a));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(fcntl(a, F_GETFD), EBADF);
	int b = CHECK_OK(dup(0));
	pid = CHECK_OK(clone(close_fd, child_stack + sizeof(child_stack), SIGCHLD,
			     (void *)(intptr_t)b));
	CHECK_EXIT(pid, 0);
	CHECK_OK(fcntl(b, F_GETFD));
}

TEST(clone_fs_shares_the_working_directory)
{
	char now[PATH_MAX];

	pid_t pid = CHECK_OK(clone(change_directory, child_stack + sizeof(child_stack),
				   CLONE_FS | SIGCHLD, "/proc"));
	CHECK_EXIT(pid, 0);
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/proc");
}

TEST(clone_parent_settid_and_child_settid)
{
	pid_t parent_tid = 0;
	static pid_t child_tid;

	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL,
			   &parent_tid, &child_tid, NULL);
	if (pid == 0)
		_exit(child_tid == syscall(SYS_gettid) ? 0 : 1);
	CHECK(pid > 0);
	CHECK_EQ(parent_tid, pid);
	CHECK_EQ(child_tid, 0);
	CHECK_EXIT((pid_t)pid, 0);
}

TEST(clone_exit_signal_other_than_sigchld)
{
	int status;
	pid_t pid = CHECK_OK(clone(set_shared_value, child_stack + sizeof(child_stack), 0, NULL));

	check_sleep_ms(20);
	CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
	CHECK_EQ(waitpid(pid, &status, __WALL), pid);
	CHECK_EQ(WEXITSTATUS(status), 5);
	signal(SIGUSR1, SIG_IGN);
	pid = CHECK_OK(clone(set_shared_value, child_stack + sizeof(child_stack), SIGUSR1, NULL));
	CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
}

TEST(clone_flag_combinations_that_are_einval)
{
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, NULL, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, NULL, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND, NULL, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, NULL, 0, 0, 0), EINVAL);
}

TEST(clone_parent_makes_a_sibling)
{
	int ends[2];
	pid_t sibling;

	CHECK_OK(pipe(ends));
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		long other = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, 0);
		if (other == 0)
			_exit(getppid() == parent ? 9 : 8);
		sibling = (pid_t)other;
		check_write_all(ends[1], &sibling, sizeof(sibling));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	check_read_all(ends[0], &sibling, sizeof(sibling));
	CHECK_EXIT(sibling, 9);
}

TEST(clone3_like_fork)
{
	static pid_t parent_tid;
	struct clone_args args = {
		.flags = CLONE_PARENT_SETTID,
		.parent_tid = (uint64_t)(uintptr_t)&parent_tid,
		.exit_signal = SIGCHLD,
	};

	long pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0 && errno == ENOSYS)
		SKIP("no clone3");
	if (pid == 0)
		_exit(6);
	CHECK_EQ(parent_tid, pid);
	CHECK_EXIT((pid_t)pid, 6);
}

TEST(clone3_argument_errors)
{
	struct clone_args args = { .exit_signal = SIGCHLD };

	if (syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS)
		SKIP("no clone3");
	CHECK_ERRNO(syscall(SYS_clone3, &args, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone3, check_bad_address(), sizeof(args)), EFAULT);
	args.exit_signal = 65;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.exit_signal = SIGCHLD;
	args.stack = 4096;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.stack = 0;
	args.flags = CLONE_THREAD;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
	args.flags = 0xff;
	CHECK_ERRNO(syscall(SYS_clone3, &args, sizeof(args)), EINVAL);
}

TEST(clone_pidfd_polls_and_waits)
{
	int pidfd = -1;
	long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL, NULL);

	if (pid < 0 && errno == EINVAL)
		SKIP("no CLONE_PIDFD");
	if (pid == 0)
		_exit(3);
	CHECK(pid > 0);
	CHECK(pidfd >= 0);
	CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
	siginfo_t info;
	CHECK_OK(waitid(3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED));
	CHECK_EQ(info.si_status, 3);
	CHECK_EQ(info.si_pid, pid);
}

TEST(pidfd_open_signals_and_polls)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0 && errno == ENOSYS)
		SKIP("no pidfd_open");
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
	CHECK_OK(syscall(SYS_pidfd_send_signal, fd, SIGTERM, NULL, 0));
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents & POLLIN, POLLIN);
	CHECK_KILLED(pid, SIGTERM);
	CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_open, 4194300, 0), ESRCH);
	CHECK_ERRNO(syscall(SYS_pidfd_open, getpid(), 0x40000000), EINVAL);
	CHECK_ERRNO(syscall(SYS_pidfd_open, -1, 0), EINVAL);
}

TEST(shared_anonymous_memory_is_shared_with_the_child)
{
	int *word = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		*word = 77;
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(*word, 77);
}
