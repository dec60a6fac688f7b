/* SPDX-License-Identifier: MIT */
/* Ends of processes and who hears of them: wait4, waitid, orphans, subreapers. */
#include "../check.h"

#include <sys/prctl.h>
#include <sys/resource.h>

static void
ignore_signal(int sig __attribute__((unused)))
{
}

static pid_t
exiting_child(int code)
{
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(code);
	return pid;
}

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

TEST(exit_status_keeps_eight_bits)
{
	CHECK_EXIT(exiting_child(0), 0);
	CHECK_EXIT(exiting_child(255), 255);
	CHECK_EXIT(exiting_child(256), 0);
	CHECK_EXIT(exiting_child(-1), 255);
	CHECK_EXIT(exiting_child(0x1234), 0x34);
}

TEST(status_of_a_killed_child)
{
	int status;
	pid_t pid = pausing_child();

	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && !WIFEXITED(status) && !WIFSTOPPED(status));
	CHECK_EQ(WTERMSIG(status), SIGKILL);
	CHECK(!WCOREDUMP(status));
}

TEST(waitpid_wnohang)
{
	int status = 77;
	pid_t pid = pausing_child();

	CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK_EQ(status, 77);
	CHECK_EQ(waitpid(-1, &status, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_KILLED(pid, SIGTERM);
}

TEST(waitpid_errors)
{
	pid_t pid = exiting_child(0);

	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
	CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
	CHECK_ERRNO(wait(NULL), ECHILD);
	CHECK_ERRNO(waitpid(-1, NULL, 0x10000), EINVAL);
	CHECK_ERRNO(waitpid(INT_MIN, NULL, 0), ESRCH);
}

TEST(waitpid_bad_status_pointer_still_reaps)
{
	pid_t pid = exiting_child(0);

	CHECK_ERRNO(waitpid(pid, check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
}

TEST(wait_selects_by_process_group)
{
	pid_t mine = exiting_child(1);
	pid_t other = check_fork();

	if (other == 0) {
		setpgid(0, 0);
		_exit(2);
	}
	setpgid(other, other);
	int status;
	CHECK_EQ(waitpid(-other, &status, 0), other);
	CHECK_EQ(WEXITSTATUS(status), 2);
	CHECK_ERRNO(waitpid(-other, &status, 0), ECHILD);
	CHECK_EQ(waitpid(0, &status, 0), mine);
}

TEST(zombie_stays_until_waited_for)
{
	pid_t pid = exiting_child(0);
	siginfo_t info;

	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_OK(kill(pid, 0));
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(kill(pid, 0), ESRCH);
}

TEST(waitid_fields)
{
	siginfo_t info;
	pid_t pid = exiting_child(9);

	memset(&info, 0xee, sizeof(info));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
	CHECK_EQ(info.si_signo, SIGCHLD);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_EQ(info.si_pid, pid);
	CHECK_EQ(info.si_uid, 0);
	CHECK_EQ(info.si_status, 9);
	CHECK_OK(waitid(P_ALL, 0, &info, WEXITED));
	CHECK_EQ(info.si_pid, pid);
	pid = pausing_child();
	CHECK_OK(kill(pid, SIGTERM));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_KILLED);
	CHECK_EQ(info.si_status, SIGTERM);
}

TEST(waitid_errors_and_wnohang)
{
	siginfo_t info;
	pid_t pid = pausing_child();

	CHECK_ERRNO(waitid(P_ALL, 0, &info, 0), EINVAL);
	CHECK_ERRNO(waitid(P_ALL, 0, &info, 0x10000 | WEXITED), EINVAL);
	CHECK_ERRNO(waitid((idtype_t)77, 0, &info, WEXITED), EINVAL);
	CHECK_ERRNO(waitid(P_PID, 1, &info, WEXITED), ECHILD);
	CHECK_ERRNO(waitid(P_PID, 0, &info, WEXITED), EINVAL);
	info.si_pid = 77;
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_OK(waitid(P_PID, (id_t)pid, NULL, WEXITED));
}

TEST(wait_sees_stop_and_continue)
{
	int status;
	pid_t pid = pausing_child();

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(WSTOPSIG(status), SIGSTOP);
	CHECK_EQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECK_EQ(waitpid(pid, &status, WCONTINUED | WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(waitid_sees_stop_and_continue)
{
	siginfo_t info;
	pid_t pid = pausing_child();

	CHECK_OK(kill(pid, SIGTSTP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(info.si_code, CLD_STOPPED);
	CHECK_EQ(info.si_status, SIGTSTP);
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
	CHECK_EQ(info.si_code, CLD_CONTINUED);
	CHECK_EQ(info.si_status, SIGCONT);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(wait_without_wuntraced_does_not_see_a_stop)
{
	pid_t pid = pausing_child();

	CHECK_OK(kill(pid, SIGSTOP));
	siginfo_t info;
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT));
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(killing_a_stopped_child)
{
	pid_t pid = pausing_child();
	siginfo_t info;

	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	CHECK_OK(kill(pid, SIGTERM));
	check_sleep_ms(20);
	CHECK_EQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK_OK(kill(pid, SIGCONT));
	CHECK_KILLED(pid, SIGTERM);
}

TEST(orphan_goes_to_a_subreaper)
{
	int ends[2];
	pid_t orphan, want = getpid();

	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	int is_reaper = 0;
	CHECK_OK(prctl(PR_GET_CHILD_SUBREAPER, &is_reaper));
	CHECK_EQ(is_reaper, 1);
	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		pid_t parent = getpid();
		orphan = check_fork_orphan();
		if (orphan == 0) {
			while (getppid() == parent)
				check_sleep_ms(1);
			_exit(getppid() == want ? 21 : 22);
		}
		check_write_all(ends[1], &orphan, sizeof(orphan));
		_exit(0);
	}
	check_read_all(ends[0], &orphan, sizeof(orphan));
	CHECK_EXIT(pid, 0);
	CHECK_EXIT(orphan, 21);
}

TEST(orphan_goes_to_init)
{
	int ends[2];
	pid_t adopter;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		pid_t parent = getpid();
		if (check_fork_orphan() == 0) {
			while (getppid() == parent)
				check_sleep_ms(1);
			adopter = getppid();
			check_write_all(ends[1], &adopter, sizeof(adopter));
			_exit(0);
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	check_read_all(ends[0], &adopter, sizeof(adopter));
	if (adopter != 1)
		SKIP("something above the tests is a subreaper");
	CHECK_EQ(adopter, 1);
}

TEST(parent_death_signal)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		if (check_fork() == 0) {
			CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL));
			check_write_all(ends[1], "r", 1);
			for (;;)
				pause();
		}
		check_read_all(ends[0], &c, 1);
		_exit(0);
	}
	CHECK_OK(close(ends[1]));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(read(ends[0], &c, 1), 0);
}

TEST(wait_is_interrupted_by_a_handler)
{
	struct sigaction sa = { .sa_handler = ignore_signal };
	pid_t parent = getpid();

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR1));
		for (;;)
			pause();
	}
	CHECK_ERRNO(waitpid(pid, NULL, 0), EINTR);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(wait_restarts_with_sa_restart)
{
	struct sigaction sa = { .sa_handler = ignore_signal, .sa_flags = SA_RESTART };
	pid_t parent = getpid();

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR1));
		check_sleep_ms(30);
		_exit(4);
	}
	CHECK_EXIT(pid, 4);
}

TEST(wait4_gives_the_usage_of_the_child)
{
	struct rusage use;
	pid_t pid = check_fork();

	if (pid == 0) {
		struct timespec cpu;
		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
		while (cpu.tv_sec == 0 && cpu.tv_nsec < 60000000);
		_exit(0);
	}
	memset(&use, 0xee, sizeof(use));
	CHECK_EQ(wait4(pid, NULL, 0, &use), pid);
	long long us = (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * 1000000LL +
		       use.ru_utime.tv_usec + use.ru_stime.tv_usec;
	CHECK_RANGE(us, 40000, 5000000);
	CHECK(use.ru_maxrss > 0);
	struct rusage all;
	CHECK_OK(getrusage(RUSAGE_CHILDREN, &all));
	/* Both together: how they are divided is worked out anew for each question. */
	CHECK((all.ru_utime.tv_sec + all.ru_stime.tv_sec) * 1000000LL + all.ru_utime.tv_usec + all.ru_stime.tv_usec + 2 >= us);
}

TEST(exit_closes_fds_and_frees_the_parent)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0)
		raise(SIGKILL);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &c, 1), 0);
	CHECK_KILLED(pid, SIGKILL);
}

/* A handle to the last of a line of processes that are all gone keeps, or lets go, as many as there were. */
TEST(handle_to_the_end_of_a_long_line)
{
	int ready[2], go[2], handle;
	char byte;
	pid_t first, last = 0;

	TIMEOUT(60);
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	first = check_fork();
	if (first == 0) {
		for (int depth = 0; depth < 600; depth++) {
			pid_t child = check_fork();

			if (child > 0) {
				CHECK_EXIT(child, 0);
				_exit(0);
			}
		}
		last = getpid();
		CHECK_EQ(write(ready[1], &last, sizeof(last)), sizeof(last));
		CHECK_EQ(read(go[0], &byte, 1), 1);
		_exit(0);
	}
	CHECK_EQ(read(ready[0], &last, sizeof(last)), sizeof(last));
	handle = CHECK_OK(syscall(SYS_pidfd_open, last, 0));
	CHECK_EQ(write(go[1], "", 1), 1);
	CHECK_EXIT(first, 0);
	CHECK_OK(close(handle));
}

TEST(a_handle_that_does_not_block_and_wnohang)
{
	siginfo_t info = { 0 };
	int release[2], handle;
	pid_t pid;
	char c;

	CHECK_OK(pipe(release));
	pid = check_fork();
	if (pid == 0) {
		close(release[1]);
		_exit(read(release[0], &c, 1) == 0 ? 3 : 4);
	}
	handle = CHECK_OK((int)syscall(SYS_pidfd_open, pid, O_NONBLOCK));
	CHECK_ERRNO(waitid(P_PIDFD, (id_t)handle, &info, WEXITED), EAGAIN);
	CHECK_OK(waitid(P_PIDFD, (id_t)handle, &info, WEXITED | WNOHANG));
	CHECK_EQ(info.si_pid, 0);
	close(release[1]);
	CHECK_EXIT(pid, 3);
}

TEST(a_directory_of_the_dead_takes_no_signal)
{
	char name[32];
	pid_t pid = check_fork();
	int dir;

	if (pid == 0)
		pause();
	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = CHECK_OK(open(name, O_DIRECTORY | O_CLOEXEC));
	CHECK_OK((int)syscall(SYS_pidfd_send_signal, dir, SIGKILL, NULL, 0));
	CHECK_KILLED(pid, SIGKILL);
	CHECK_ERRNO((int)syscall(SYS_pidfd_send_signal, dir, 0, NULL, 0), ESRCH);
	CHECK_ERRNO((int)syscall(SYS_pidfd_send_signal, open("/proc", O_DIRECTORY), 0, NULL, 0), EBADF);
}
