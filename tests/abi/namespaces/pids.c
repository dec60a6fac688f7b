/* SPDX-License-Identifier: MIT */
/* PID namespaces: numbers of their own, process 1 and its end, what is seen from where. */
#include "ns.h"

#include <dirent.h>
#include <linux/reboot.h>
#include <sys/ptrace.h>

/* A child that is process 1 of a namespace of its own. */
static pid_t
fork_inside(void)
{
	pid_t pid = CHECK_OK((pid_t)syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));

	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

TEST(the_first_is_one)
{
	pid_t pid = fork_inside();

	if (pid == 0) {
		CHECK_EQ(getpid(), 1);
		CHECK_EQ(syscall(SYS_gettid), 1);
		CHECK_EQ(getppid(), 0);
		CHECK_EQ(getsid(0), 0);
		CHECK_EQ(getpgid(0), 0);
		CHECK_EQ(setsid(), 1);
		CHECK_EQ(getsid(0), 1);
		_exit(7);
	}
	CHECK(pid > 1);
	CHECK_EXIT(pid, 7);
}

TEST(numbers_count_from_two)
{
	pid_t pid = fork_inside();

	if (pid == 0) {
		pid_t child = fork();

		if (child == 0)
			_exit(getpid() == 2 && getppid() == 1 ? 5 : 6);
		CHECK_EQ(child, 2);
		CHECK_EXIT(child, 5);
		child = fork();
		if (child == 0)
			_exit(0);
		CHECK_EQ(child, 3);
		CHECK_EXIT(child, 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(unshare_is_for_children)
{
	ino_t mine = ns_number("/proc/self/ns/pid"), theirs;
	pid_t pid, self = getpid();

	CHECK_OK(unshare(CLONE_NEWPID));
	CHECK_EQ(getpid(), self);
	CHECK_EQ(ns_number("/proc/self/ns/pid"), mine);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, 0, 0, 0, 0), EINVAL);
	pid = fork();
	if (pid == 0)
		_exit(getpid() == 1 ? 3 : 4);
	CHECK_EXIT(pid, 3);
	/* its process 1 has gone: nobody is born there any more */
	CHECK_ERRNO(fork(), ENOMEM);
	(void)theirs;
}

TEST(others_are_out_of_reach)
{
	pid_t outer = getpid(), pid = fork_inside();

	if (pid == 0) {
		if (outer > 2)
			CHECK_ERRNO(kill(outer, 0), ESRCH);
		CHECK_ERRNO(syscall(SYS_sched_getscheduler, outer), ESRCH);
		CHECK_ERRNO(kill(-1, SIGKILL), ESRCH);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(process_one_is_spared_from_inside)
{
	pid_t pid = fork_inside();

	if (pid == 0) {
		pid_t child;

		CHECK_OK(kill(1, SIGKILL));
		CHECK_OK(kill(1, SIGTERM));
		child = fork();
		if (child == 0)
			_exit(kill(1, SIGKILL));
		CHECK_EXIT(child, 0);
		_exit(9);
	}
	CHECK_EXIT(pid, 9);
}

TEST(process_one_dies_of_a_kill_from_above_and_of_its_own_faults)
{
	pid_t pid = fork_inside();

	if (pid == 0) {
		for (;;)
			pause();
	}
	CHECK_OK(kill(pid, SIGTERM)); /* nothing */
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	pid = fork_inside();
	if (pid == 0) {
		*(volatile int *)check_bad_address() = 1;
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(who_restarts_inside_ends_the_namespace)
{
	static const struct {
		unsigned int command;
		int signo;
	} of[] = {
		{ LINUX_REBOOT_CMD_RESTART, SIGHUP },
		{ LINUX_REBOOT_CMD_HALT, SIGINT },
		{ LINUX_REBOOT_CMD_POWER_OFF, SIGINT },
	};

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		pid_t pid = fork_inside();

		if (pid == 0) {
			if (fork() == 0) { /* not by process 1 itself: it is killed */
				syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, of[i].command, 0);
				_exit(1);
			}
			for (;;)
				pause();
		}
		CHECK_KILLED(pid, of[i].signo);
		pid = fork_inside();
		if (pid == 0) {
			syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, of[i].command, 0);
			_exit(1);
		}
		CHECK_KILLED(pid, of[i].signo);
	}
	pid_t pid = fork_inside();
	if (pid == 0) {
		CHECK_ERRNO(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_CAD_OFF, 0),
			    EINVAL);
		CHECK_ERRNO(syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, 1, LINUX_REBOOT_CMD_RESTART, 0), EINVAL);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(all_die_with_process_one)
{
	int fds[2];
	char c;
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = fork_inside();
	if (pid == 0) {
		for (int i = 0; i < 5; i++)
			if (fork() == 0) {
				if (i == 2)
					setsid();
				if (i == 3)
					signal(SIGTERM, SIG_IGN);
				for (;;)
					pause();
			}
		if (fork() == 0) { /* a namespace below */
			unshare(CLONE_NEWPID);
			if (fork() == 0)
				for (;;)
					pause();
			for (;;)
				pause();
		}
		check_write_all(fds[1], "x", 1);
		_exit(0);
	}
	close(fds[1]);
	check_read_all(fds[0], &c, 1);
	CHECK_EXIT(pid, 0);
	/* each held the pipe: its end has come when all have gone */
	CHECK_EQ(read(fds[0], &c, 1), 0);
}

TEST(orphans_come_to_process_one)
{
	pid_t pid = fork_inside();

	if (pid == 0) {
		int fds[2];
		pid_t middle, orphan;

		CHECK_OK(pipe(fds));
		middle = fork();
		if (middle == 0) {
			orphan = fork();
			if (orphan == 0) {
				char c;

				close(fds[1]);
				check_read_all(fds[0], &c, 1);
				_exit(getppid() == 1 ? 21 : 22);
			}
			_exit(0);
		}
		CHECK_EXIT(middle, 0);
		check_write_all(fds[1], "x", 1);
		{
			int status;
			pid_t got = CHECK_OK(wait(&status));

			CHECK_EQ(got, 3);
			CHECK(WIFEXITED(status));
			CHECK_EQ(WEXITSTATUS(status), 21);
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static volatile pid_t sender;

static void
on_signal(int signo __attribute__((unused)), siginfo_t *info, void *context __attribute__((unused)))
{
	sender = info->si_pid;
}

TEST(senders_are_numbered_by_the_receiver)
{
	struct sigaction sa = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	pid_t pid;
	int fds[2];
	char c;

	CHECK_OK(pipe(fds));
	pid = fork_inside();
	if (pid == 0) {
		sigset_t set;

		sigemptyset(&set);
		sigaddset(&set, SIGUSR1);
		sigaddset(&set, SIGCHLD);
		sigprocmask(SIG_BLOCK, &set, NULL);
		sigaction(SIGUSR1, &sa, NULL);
		check_write_all(fds[1], "x", 1);
		siginfo_t info;
		CHECK_EQ(sigwaitinfo(&set, &info), SIGUSR1);
		CHECK_EQ(info.si_pid, 0); /* from above */
		if (fork() == 0)
			_exit(kill(1, SIGUSR1));
		do
			CHECK_OK(sigwaitinfo(&set, &info));
		while (info.si_signo != SIGUSR1);
		CHECK_EQ(info.si_pid, 2);
		_exit(0);
	}
	check_read_all(fds[0], &c, 1);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
}

TEST(proc_shows_its_mounters_view)
{
	pid_t pid;

	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	pid = fork_inside();
	if (pid == 0) {
		char text[4096], *at;
		DIR *d;
		struct dirent *e;
		int processes = 0, a, b;

		/* the old one does not know us by our number */
		CHECK(readlink("/proc/self", text, sizeof(text)) > 0);
		CHECK(strtol(text, NULL, 10) != 1);
		CHECK_OK(mount("proc", "/proc", "proc", 0, NULL));
		CHECK_EQ(readlink("/proc/self", text, sizeof(text)), 1);
		CHECK_EQ(text[0], '1');
		d = opendir("/proc");
		while ((e = readdir(d)) != NULL)
			processes += e->d_name[0] >= '0' && e->d_name[0] <= '9';
		closedir(d);
		CHECK_EQ(processes, 1);
		check_read_file("/proc/1/status", text, sizeof(text));
		at = strstr(text, "\nPid:");
		CHECK(at && sscanf(at, "\nPid: %d\nPPid: %d", &a, &b) == 2);
		CHECK_EQ(a, 1);
		CHECK_EQ(b, 0);
		CHECK_OK(access("/proc/1/task/1/stat", F_OK));
		check_read_file("/proc/self/stat", text, sizeof(text));
		CHECK_EQ(atoi(text), 1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(status_lists_all_numbers)
{
	char path[64], text[4096], *at;
	int fds[2], a, b;
	char c;
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = fork_inside();
	if (pid == 0) {
		check_read_all(fds[0], &c, 1);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	check_read_file(path, text, sizeof(text));
	at = strstr(text, "\nNSpid:");
	CHECK(at && sscanf(at, "\nNSpid: %d %d", &a, &b) == 2);
	CHECK_EQ(a, pid);
	CHECK_EQ(b, 1);
	check_write_all(fds[1], "x", 1);
	CHECK_EXIT(pid, 0);
}

TEST(setns_goes_down_only)
{
	int home = CHECK_OK(open("/proc/self/ns/pid", O_RDONLY)), fds[2], inner;
	char path[64], c;
	pid_t pid, child;

	CHECK_OK(pipe(fds));
	pid = fork_inside();
	if (pid == 0) {
		CHECK_ERRNO(setns(home, CLONE_NEWPID), EINVAL);
		check_read_all(fds[0], &c, 1);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	inner = CHECK_OK(open(path, O_RDONLY));
	CHECK_OK(setns(inner, CLONE_NEWPID));
	child = CHECK_OK(fork());
	if (child == 0)
		_exit(getpid() == 2 && getppid() == 0 ? 30 : 31);
	CHECK_EXIT(child, 30);
	CHECK_EQ(ioctl(inner, _IO(0xb7, 3)), CLONE_NEWPID);
	check_write_all(fds[1], "x", 1);
	CHECK_EXIT(pid, 0);
}

TEST(depth_is_limited)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (int depth = 0; depth < 40; depth++) {
			pid_t child;
			int status;

			if (unshare(CLONE_NEWPID) != 0)
				_exit(errno == ENOSPC && depth >= 30 ? 50 : 51);
			child = fork();
			if (child < 0)
				_exit(errno == EINVAL || errno == ENOSPC ? 50 : 52);
			if (child > 0) {
				waitpid(child, &status, 0);
				_exit(WEXITSTATUS(status));
			}
		}
		_exit(53);
	}
	CHECK_EXIT(pid, 50);
}

/* A process 1 that sleeps; the caller has seen it ready. */
static pid_t
sleeper_inside(void)
{
	int ends[2];
	pid_t pid;
	char c;

	CHECK_OK(pipe(ends));
	pid = fork_inside();
	if (pid == 0) {
		CHECK_EQ(write(ends[1], "x", 1), 1);
		for (;;)
			pause();
	}
	check_read_all(ends[0], &c, 1);
	close(ends[0]);
	close(ends[1]);
	return pid;
}

/* Whichever way a SIGKILL from above comes. */
TEST(process_one_dies_of_any_sigkill_from_above)
{
	pid_t pid = sleeper_inside();
	int fd;

	CHECK_OK(syscall(SYS_tgkill, pid, pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);

	pid = sleeper_inside();
	fd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
	CHECK_OK(syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
	CHECK_KILLED(pid, SIGKILL);

	pid = sleeper_inside();
	siginfo_t info = { .si_signo = SIGKILL, .si_code = SI_QUEUE };
	CHECK_OK(syscall(SYS_rt_sigqueueinfo, pid, SIGKILL, &info));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(process_one_stops_of_a_sigstop_from_above)
{
	pid_t pid = sleeper_inside();
	int status;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, WUNTRACED)), pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(process_one_dies_with_the_parent_that_it_named)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	pid_t parent = check_fork();
	if (parent == 0) {
		(void)sleeper_inside(); /* which holds the pipe */
		_exit(0);
	}
	CHECK_EXIT(parent, 0);
	close(ends[1]);
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

TEST(process_one_dies_with_a_tracer_that_asked_for_it)
{
	pid_t pid = sleeper_inside(), tracer = check_fork();

	if (tracer == 0) {
		CHECK_EQ(ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_EXITKILL), 0);
		_exit(0);
	}
	CHECK_EXIT(tracer, 0);
	CHECK_KILLED(pid, SIGKILL);
}

/* A handle to a process that the sender's namespace does not see. */
TEST(a_handle_does_not_reach_up)
{
	int fd = CHECK_OK((int)syscall(SYS_pidfd_open, getpid(), 0));
	pid_t pid = fork_inside();

	if (pid == 0) {
		CHECK_ERRNO(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0), EINVAL);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static long
clone_with(uint64_t flags, size_t count, pid_t *numbers)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, numbers, count;
	} a = { .flags = flags, .exit_signal = SIGCHLD, .numbers = (uintptr_t)numbers, .count = count };

	return syscall(SYS_clone3, &a, sizeof(a));
}

/* A number that nobody has: its child's, who is gone. */
static pid_t
free_number(void)
{
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
	return pid;
}

TEST(numbers_are_chosen_on_each_level)
{
	pid_t wanted[3] = { 1, 0, 0 }, pid;
	char line[512];
	int fd;

	wanted[1] = free_number();
	pid = (pid_t)clone_with(CLONE_NEWPID, 2, wanted);
	if (pid == 0) {
		pid_t inside[1] = { 40 }, below[2] = { 1, 41 };
		long child;

		CHECK_EQ(getpid(), 1);
		child = clone_with(0, 1, inside);
		if (child == 0)
			_exit(getpid() == 40 ? 4 : 5);
		CHECK_EQ(child, 40);
		CHECK_EXIT((pid_t)child, 4);
		child = clone_with(CLONE_NEWPID, 2, below);
		if (child == 0)
			_exit(getpid() == 1 ? 6 : 7);
		CHECK_EQ(child, 41);
		CHECK_EXIT((pid_t)child, 6);
		_exit(0);
	}
	CHECK_EQ(pid, wanted[1]);
	CHECK_EXIT(pid, 0);

	/* and they are all told */
	wanted[1] = free_number();
	pid = (pid_t)clone_with(CLONE_NEWPID, 2, wanted);
	if (pid == 0)
		for (;;)
			pause();
	CHECK_EQ(pid, wanted[1]);
	fd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
	snprintf(line, sizeof(line), "/proc/self/fdinfo/%d", fd);
	check_read_file(line, line, sizeof(line));
	CHECK(strstr(line, "NSpid:") != NULL);
	{
		int here = 0, there = 0;

		CHECK_EQ(sscanf(strstr(line, "NSpid:"), "NSpid:\t%d\t%d", &here, &there), 2);
		CHECK_EQ(here, pid);
		CHECK_EQ(there, 1);
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(numbers_that_cannot_be_had)
{
	pid_t one = 1, zero = 0, negative = -1, pair[2] = { 2, 0 }, three[3] = { 1, 1, 1 }, free = free_number();

	CHECK_ERRNO(clone_with(0, 1, NULL), EINVAL);
	CHECK_ERRNO(clone_with(0, 0, &one), EINVAL);
	CHECK_ERRNO(clone_with(0, 33, &one), EINVAL);
	CHECK_ERRNO(clone_with(0, 1, check_bad_address()), EFAULT);
	CHECK_ERRNO(clone_with(0, 1, &zero), EINVAL);
	CHECK_ERRNO(clone_with(0, 1, &negative), EINVAL);
	CHECK_ERRNO(clone_with(0, 1, &one), EEXIST);
	CHECK_ERRNO(clone_with(0, 3, three), EINVAL); /* there are not so many levels */
	pair[1] = free;
	CHECK_ERRNO(clone_with(CLONE_NEWPID, 2, pair), EINVAL); /* the first there is number 1 */
	pair[0] = 1;
	pair[1] = 1;
	CHECK_ERRNO(clone_with(CLONE_NEWPID, 2, pair), EEXIST);
	check_drop_root();
	CHECK_ERRNO(clone_with(0, 1, &free), EPERM);
}
