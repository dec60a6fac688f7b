/* SPDX-License-Identifier: MIT */
/*
 * events.c - what options ask for: fork, vfork, clone, exec, exit; and tracees with several threads.
 */
#include "tracee.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>

HELPER(exits7)
{
	_exit(7);
}

static void
execs(void)
{
	execl("/proc/self/exe", "x", "--helper", "exits7", NULL);
	_exit(99);
}

static void
forks(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(3);
	waitpid(pid, &status, 0);
	_exit(WEXITSTATUS(status));
}

static unsigned long
message(pid_t pid)
{
	unsigned long m = 0;

	CHECK_OK(trace(PTRACE_GETEVENTMSG, pid, 0, A(&m)));
	return m;
}

TEST(options_that_are_none_are_einval)
{
	pid_t pid = tracee_stopped();

	CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, 1ul << 8), EINVAL);
	CHECK_ERRNO(trace(PTRACE_SETOPTIONS, pid, 0, 1ul << 40), EINVAL);
	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, 0xff | PTRACE_O_EXITKILL | PTRACE_O_SUSPEND_SECCOMP));
	tracee_end(pid);
}

TEST(exec_without_options_is_a_sigtrap)
{
	pid_t pid = tracee_running(execs);
	siginfo_t info;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, SI_USER);
	CHECK_EQ(info.si_pid, pid);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 7);
}

TEST(exec_event_tells_the_thread)
{
	pid_t pid = tracee_running(execs);
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXEC));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message(pid), pid);
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_code, EVENT(PTRACE_EVENT_EXEC));
	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0));
	tracee_expect(pid, SIGTRAP); /* the exit of execve */
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_execve);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.rax)), 0);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 7);
}

TEST(fork_event_attaches_the_child)
{
	pid_t pid = tracee_running(forks), child;
	siginfo_t info;

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_FORK));
	child = (pid_t)message(pid);
	tracee_expect(child, SIGSTOP);
	CHECK_EQ(tracee_peek_user(child, USER(regs.rax)), 0);
	CHECK_OK(trace(PTRACE_GETSIGINFO, child, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGSTOP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, child, 0, 0));
	CHECK_EQ(tracee_wait(child), 3 << 8);
	tracee_expect(pid, SIGCHLD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

TEST(without_the_option_a_child_is_free)
{
	pid_t pid = tracee_running(forks);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGCHLD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

static void
vforks(void)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

TEST(vfork_events_at_both_ends)
{
	pid_t pid = tracee_running(vforks), child;

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_VFORK));
	child = (pid_t)message(pid);
	tracee_expect(child, SIGSTOP);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, child, 0, 0));
	CHECK_EQ(tracee_wait(child), 0);
	tracee_expect(pid, EVENT(PTRACE_EVENT_VFORK_DONE));
	CHECK_EQ(message(pid), child);
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

static void
exits9(void)
{
	_exit(9);
}

TEST(exit_event_comes_before_the_end)
{
	pid_t pid = tracee_running(exits9);
	char path[64];

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message(pid), 9 << 8);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	CHECK(check_read_file(path, (char[4096]){ 0 }, 4096) > 0);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 9);
}

TEST(exit_event_of_a_killed_tracee)
{
	pid_t pid = tracee_stopped();

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT));
	kill(pid, SIGKILL);
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXIT));
	CHECK_EQ(message(pid), SIGKILL);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_KILLED(pid, SIGKILL);
}

/* --- filters of system calls --- */

static void
filtered_calls(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpgrp, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 77),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
	_exit(syscall(SYS_getpgrp) == 5 ? 5 : errno == ENOSYS ? 6 : errno == EXDEV ? 7 : 8);
}

TEST(a_filter_asks_the_tracer_about_a_call)
{
	pid_t pid = tracee_running(filtered_calls);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_SECCOMP));
	CHECK_EQ(message(pid), 77);
	CHECK_EQ(tracee_peek_user(pid, USER(regs.orig_rax)), SYS_getpgrp);
	/* Not made, with this result. */
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), -1ul));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rax), 5));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 5);
}

TEST(a_call_changed_by_the_tracer_is_filtered_again)
{
	pid_t pid = tracee_running(filtered_calls);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_SECCOMP));
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.orig_rax), SYS_getsid));
	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0));
	tracee_expect(pid, SIGTRAP); /* its exit */
	CHECK_EQ((long)tracee_peek_user(pid, USER(regs.rax)), -EXDEV);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 7);
}

TEST(a_filter_without_a_tracer_that_listens_is_enosys)
{
	pid_t pid = tracee_running(filtered_calls);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 6);
}

TEST(suspended_filters_let_everything_pass)
{
	pid_t pid = tracee_running(filtered_calls);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_SUSPEND_SECCOMP));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 8);
}

/* --- threads --- */

static volatile int go_on;

static void *
thread_body(void *arg)
{
	while (!go_on)
		usleep(1000);
	return NULL;
}

static void
one_thread(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_body, NULL);
	pthread_join(t, NULL);
	for (;;)
		pause(); /* exit_group() might catch the thread on its last steps */
}

/* A tracee with a second thread, both stopped; the thread's number. */
static pid_t
two_threads(void (*body)(void), pid_t *thread, unsigned long options)
{
	pid_t pid = tracee_running(body);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | options));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_CLONE));
	*thread = (pid_t)message(pid);
	tracee_expect(*thread, SIGSTOP);
	return pid;
}

TEST(clone_event_attaches_the_thread)
{
	pid_t thread, pid = two_threads(one_thread, &thread, 0);
	int one = 1;

	CHECK_OK(trace(PTRACE_POKEDATA, pid, A(&go_on), (unsigned)one));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, thread, 0, 0));
	CHECK_EQ(tracee_wait(thread), 0);
	CHECK_ERRNO(waitpid(thread, NULL, __WALL), ECHILD);
	tracee_end(pid);
}

TEST(a_thread_that_ended_waits_for_its_tracer)
{
	pid_t thread, pid = two_threads(one_thread, &thread, 0);
	siginfo_t info = { 0 };
	char path[64];

	CHECK_OK(trace(PTRACE_POKEDATA, pid, A(&go_on), 1));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, thread, 0, 0));
	CHECK_OK(waitid(P_PID, (id_t)thread, &info, WEXITED | WNOWAIT | __WALL));
	CHECK_EQ(info.si_pid, thread);
	CHECK_EQ(info.si_code, CLD_EXITED);
	CHECK_ERRNO(trace(PTRACE_CONT, thread, 0, 0), ESRCH);
	CHECK_ERRNO(trace(PTRACE_ATTACH, thread, 0, 0), EPERM);
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	CHECK_OK(access(path, F_OK));
	CHECK_EQ(tracee_wait(thread), 0);
	tracee_end(pid);
}

TEST(a_killed_process_tells_the_end_of_each_thread)
{
	pid_t thread, pid = two_threads(one_thread, &thread, 0);
	int status;

	kill(pid, SIGKILL);
	status = tracee_wait(thread);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

static void *
thread_execs(void *arg)
{
	execs();
	return NULL;
}

static void
thread_that_execs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_execs, NULL);
	for (;;)
		pause();
}

TEST(exec_by_another_thread_takes_the_leaders_number)
{
	pid_t thread, pid = two_threads(thread_that_execs, &thread, PTRACE_O_TRACEEXEC);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, thread, 0, 0));
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_EQ(message(pid), thread);
	CHECK_ERRNO(trace(PTRACE_CONT, thread, 0, 0), ESRCH);
	CHECK_ERRNO(waitpid(thread, NULL, __WALL), ECHILD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 7);
}

static void
leader_execs(void)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_body, NULL);
	execs();
}

TEST(exec_of_the_leader_ends_the_other_threads)
{
	pid_t thread, pid = two_threads(leader_execs, &thread, PTRACE_O_TRACEEXEC);

	CHECK_OK(trace(PTRACE_CONT, thread, 0, 0));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(tracee_wait(thread), 0);
	tracee_expect(pid, EVENT(PTRACE_EVENT_EXEC));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 7);
}

TEST(a_single_thread_may_be_attached_to)
{
	pid_t pid = check_fork(), thread;

	if (pid == 0) {
		pthread_t t;

		pthread_create(&t, NULL, thread_body, NULL);
		for (;;)
			pause();
	}
	check_wait_asleep(pid, 0);
	thread = pid + 1; /* nobody else makes threads here */
	CHECK_OK(trace(PTRACE_ATTACH, thread, 0, 0));
	tracee_expect(thread, SIGSTOP);
	CHECK_ERRNO(trace(PTRACE_CONT, pid, 0, 0), ESRCH);
	CHECK_OK(trace(PTRACE_DETACH, thread, 0, 0));
	kill(pid, SIGKILL);
	CHECK_KILLED(pid, SIGKILL);
}

static void
clones_untraced(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

TEST(clone_untraced_escapes)
{
	pid_t pid = tracee_running(clones_untraced);

	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGCHLD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

static void
clones_traced(void)
{
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_PTRACE | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
}

TEST(clone_ptrace_attaches_without_an_event)
{
	pid_t pid = tracee_running(clones_traced), child;
	int status;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	child = CHECK_OK(waitpid(-1, &status, __WALL));
	CHECK(child != pid);
	CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	CHECK_OK(trace(PTRACE_CONT, child, 0, 0));
	CHECK_EQ(tracee_wait(child), 0);
	tracee_expect(pid, SIGCHLD);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}

TEST(children_of_the_seized_stop_with_an_event)
{
	int go[2];
	pid_t pid, child;
	char c;

	CHECK_OK(pipe(go));
	pid = check_fork();
	if (pid == 0) {
		check_read_all(go[0], &c, 1);
		forks();
	}
	CHECK_OK(trace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEFORK));
	check_write_all(go[1], "x", 1);
	tracee_expect(pid, EVENT(PTRACE_EVENT_FORK));
	child = (pid_t)message(pid);
	tracee_expect(child, EVENT(PTRACE_EVENT_STOP));
	CHECK_OK(trace(PTRACE_DETACH, child, 0, 0));
	CHECK_OK(trace(PTRACE_DETACH, pid, 0, 0));
	CHECK_EXIT(pid, 3);
}

/* --- races: nothing may hang, nothing may be lost --- */

TEST(killing_a_tracee_that_is_being_looked_at)
{
	TIMEOUT(30);
	for (int i = 0; i < 200; i++) {
		pid_t pid = tracee_stopped(), killer;
		struct user_regs_struct r;

		killer = check_fork();
		if (killer == 0) {
			kill(pid, SIGKILL);
			_exit(0);
		}
		while (trace(PTRACE_GETREGS, pid, 0, A(&r)) == 0)
			trace(PTRACE_SETREGS, pid, 0, A(&r));
		CHECK_EQ(errno, ESRCH);
		CHECK_KILLED(pid, SIGKILL);
		CHECK_EXIT(killer, 0);
	}
}

TEST(a_tracer_killed_at_any_moment)
{
	TIMEOUT(30);
	for (int i = 0; i < 60; i++) {
		volatile unsigned long *word;
		pid_t pid = tracee_counter(&word), tracer = check_fork();
		unsigned long seen;

		if (tracer == 0) {
			int status;

			CHECK_OK(trace(PTRACE_SEIZE, pid, 0, 0));
			for (;;) {
				trace(PTRACE_INTERRUPT, pid, 0, 0);
				waitpid(pid, &status, __WALL);
				trace(i & 1 ? PTRACE_CONT : PTRACE_SYSCALL, pid, 0, 0);
			}
		}
		check_sleep_ms(i % 7);
		kill(tracer, SIGKILL);
		CHECK_KILLED(tracer, SIGKILL);
		seen = *word;
		while (*word == seen)
			check_sleep_ms(1);
		kill(pid, SIGKILL);
		CHECK_KILLED(pid, SIGKILL);
		munmap((void *)word, 4096);
	}
}

static void *
forks_and_ends(void *arg)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();

		if (pid == 0)
			_exit(0);
		waitpid(pid, NULL, 0);
	}
	return NULL;
}

static void
busy_threads(void)
{
	pthread_t t[3];

	for (int i = 0; i < 3; i++)
		pthread_create(&t[i], NULL, forks_and_ends, NULL);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	execs();
}

TEST(threads_that_fork_end_and_exec_under_a_tracer_of_all)
{
	pid_t pid = tracee_running(busy_threads), who;
	unsigned int events = 0;
	int status, code;

	TIMEOUT(60);
	CHECK_OK(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
		       PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD));
	CHECK_OK(trace(PTRACE_SYSCALL, pid, 0, 0));
	for (;;) {
		who = CHECK_OK(waitpid(-1, &status, __WALL));
		if (who == pid && WIFEXITED(status))
			break;
		if (!WIFSTOPPED(status))
			continue;
		code = status >> 8;
		if (code >> 8)
			events++;
		if (code == SIGSTOP || code >> 8 || code == (SIGTRAP | 0x80))
			code = 0;
		trace(PTRACE_SYSCALL, who, 0, (unsigned)code & 0x7f);
	}
	CHECK_EQ(WEXITSTATUS(status), 7);
	/* 3 threads cloned, 60 children forked, all of those and the process itself ended, one exec. */
	CHECK_EQ(events, 3 + 60 + 3 + 60 + 1 + 1);
}

/* A child that lives in a namespace of its own is told of by its tracer's number. */
TEST(fork_event_tells_the_number_that_the_tracer_knows)
{
	unsigned long message = 0;
	int go[2], told[2], status;
	pid_t pid, inner;
	char c;

	CHECK_OK(pipe(go));
	CHECK_OK(pipe(told));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWPID));
		inner = check_fork();
		if (inner == 0) {
			check_read_all(go[0], &c, 1);
			pid_t child = fork();
			_exit(child == 0 ? 0 : child == 2 ? 7 : 8);
		}
		check_write_all(told[1], &inner, sizeof(inner));
		CHECK_EXIT(inner, 7);
		_exit(0);
	}
	check_read_all(told[0], &inner, sizeof(inner));
	CHECK_EQ(trace(PTRACE_SEIZE, inner, 0, PTRACE_O_TRACEFORK), 0);
	check_write_all(go[1], "x", 1);
	tracee_expect(inner, EVENT(PTRACE_EVENT_FORK));
	CHECK_EQ(trace(PTRACE_GETEVENTMSG, inner, 0, A(&message)), 0);
	CHECK(message > 2);
	CHECK_EQ(CHECK_OK(waitpid((pid_t)message, &status, __WALL)), message);
	CHECK(WIFSTOPPED(status));
	CHECK_EQ(trace(PTRACE_DETACH, (pid_t)message, 0, 0), 0);
	CHECK_EQ(trace(PTRACE_DETACH, inner, 0, 0), 0);
	CHECK_EXIT(pid, 0);
}
