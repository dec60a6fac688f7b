/* SPDX-License-Identifier: MIT */
/* Process groups and sessions. */
#include "../check.h"

static pid_t
pausing_child(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

TEST(child_inherits_group_and_session)
{
	pid_t group = getpgrp(), session = getsid(0);
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_EQ(getpgrp(), group);
		CHECK_EQ(getsid(0), session);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(getpgid(0), group);
	CHECK_EQ(getpgid(getpid()), group);
}

TEST(setpgid_makes_and_joins_groups)
{
	pid_t a = pausing_child(), b = pausing_child();

	CHECK_OK(setpgid(a, 0));
	CHECK_EQ(getpgid(a), a);
	CHECK_OK(setpgid(b, a));
	CHECK_EQ(getpgid(b), a);
	CHECK_OK(setpgid(b, getpgrp()));
	CHECK_EQ(getpgid(b), getpgrp());
	CHECK_OK(kill(a, SIGKILL));
	CHECK_OK(kill(b, SIGKILL));
	CHECK_KILLED(a, SIGKILL);
	CHECK_KILLED(b, SIGKILL);
}

TEST(setpgid_errors)
{
	pid_t a = pausing_child();

	CHECK_ERRNO(setpgid(a, -1), EINVAL);
	CHECK_ERRNO(setpgid(-1, 0), EINVAL);
	CHECK_ERRNO(setpgid(-1, getpgrp()), ESRCH);
	CHECK_ERRNO(setpgid(1, 0), ESRCH);
	CHECK_ERRNO(setpgid(a, 1), EPERM);
	CHECK_ERRNO(setpgid(a, 4194300), EPERM);
	CHECK_ERRNO(getpgid(4194300), ESRCH);
	CHECK_ERRNO(getsid(4194300), ESRCH);
	CHECK_OK(kill(a, SIGKILL));
	CHECK_KILLED(a, SIGKILL);
}

TEST(setpgid_of_a_child_that_did_exec_is_eacces)
{
	int ends[2];
	char c;

	CHECK_OK(pipe2(ends, O_CLOEXEC));
	pid_t pid = check_fork();
	if (pid == 0) {
		execl("/proc/self/exe", "x", "--helper", "pause_forever", NULL);
		_exit(99);
	}
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &c, 1), 0);
	CHECK_ERRNO(setpgid(pid, pid), EACCES);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

HELPER(pause_forever)
{
	for (;;)
		pause();
}

TEST(setsid_makes_a_session_without_terminal)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_EQ(setsid(), getpid());
		CHECK_EQ(getsid(0), getpid());
		CHECK_EQ(getpgrp(), getpid());
		CHECK_ERRNO(open("/dev/tty", O_RDWR), ENXIO);
		CHECK_ERRNO(setsid(), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(setsid_of_a_group_leader_is_eperm)
{
	CHECK_EQ(getpgrp(), getpid());
	CHECK_ERRNO(setsid(), EPERM);
}

TEST(setpgid_of_a_session_leader_is_eperm)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setsid());
		CHECK_ERRNO(setpgid(0, 0), EPERM);
		check_write_all(ends[1], "r", 1);
		for (;;)
			pause();
	}
	check_read_all(ends[0], &c, 1);
	CHECK_ERRNO(setpgid(pid, getpgrp()), EPERM);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(kill_reaches_the_whole_group_only)
{
	pid_t a = pausing_child(), b = pausing_child(), other = pausing_child();

	CHECK_OK(setpgid(a, a));
	CHECK_OK(setpgid(b, a));
	CHECK_OK(kill(-a, SIGTERM));
	CHECK_KILLED(a, SIGTERM);
	CHECK_KILLED(b, SIGTERM);
	CHECK_EQ(waitpid(other, NULL, WNOHANG), 0);
	CHECK_ERRNO(kill(-a, SIGTERM), ESRCH);
	CHECK_OK(kill(other, SIGKILL));
	CHECK_KILLED(other, SIGKILL);
}

TEST(group_outlives_its_leader)
{
	pid_t a = pausing_child(), b = pausing_child();

	CHECK_OK(setpgid(a, a));
	CHECK_OK(setpgid(b, a));
	CHECK_OK(kill(a, SIGKILL));
	CHECK_KILLED(a, SIGKILL);
	CHECK_EQ(getpgid(b), a);
	pid_t c = pausing_child();
	CHECK_OK(setpgid(c, a));
	CHECK_OK(kill(-a, SIGKILL));
	CHECK_KILLED(b, SIGKILL);
	CHECK_KILLED(c, SIGKILL);
}

TEST(newly_orphaned_stopped_group_gets_hup_and_cont)
{
	int ends[2];
	char c = 0;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		/* Own session: the leader's exit must orphan its child's group. */
		CHECK_OK(setsid());
		pid_t worker = check_fork_orphan();
		if (worker == 0) {
			sigset_t hup;
			int sig;
			CHECK_OK(setpgid(0, 0));
			sigemptyset(&hup);
			sigaddset(&hup, SIGHUP);
			CHECK_OK(sigprocmask(SIG_BLOCK, &hup, NULL));
			CHECK_OK(raise(SIGSTOP));
			CHECK_EQ(sigwait(&hup, &sig), 0);
			check_write_all(ends[1], "h", 1);
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(worker, &status, WUNTRACED), worker);
		CHECK(WIFSTOPPED(status));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	check_read_all(ends[0], &c, 1);
	CHECK_EQ(c, 'h');
}

/* A group that was orphaned all along: the end of one member does not hang up its stopped ones. */
TEST(group_without_a_link_is_not_hung_up)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		int status;

		CHECK_OK(setsid());
		pid_t stopped = check_fork();
		if (stopped == 0) {
			CHECK_OK(raise(SIGSTOP));
			_exit(3);
		}
		CHECK_EQ(waitpid(stopped, &status, WUNTRACED), stopped);
		CHECK(WIFSTOPPED(status));
		pid_t passing = check_fork();
		if (passing == 0)
			_exit(0);
		CHECK_EXIT(passing, 0);
		check_sleep_ms(20);
		CHECK_EQ(waitpid(stopped, &status, WNOHANG | WUNTRACED | WCONTINUED), 0);
		CHECK_OK(kill(stopped, SIGCONT));
		CHECK_EXIT(stopped, 3);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}
