/* SPDX-License-Identifier: MIT */
/* What a filter's answer does to the call and to the program. */
#include "filter.h"

#include <sys/ptrace.h>

#include <pthread.h>

TEST(errno_is_returned)
{
	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO | E2BIG));
	CHECK_ERRNO(syscall(SYS_getppid), E2BIG);
	CHECK(getpid() > 0);
}

TEST(errno_zero_is_success_and_large_ones_are_cut)
{
	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO));
	CHECK_EQ(syscall(SYS_getppid), 0);
	CHECK_OK(INSTALL_FOR(0, SYS_getuid, SECCOMP_RET_ERRNO | 0xffff));
	CHECK_ERRNO(syscall(SYS_getuid), 4095);
}

TEST(filters_see_the_arguments)
{
	no_new_privs();
	CHECK_OK(INSTALL(0, LOAD(nr), IF_EQUAL(SYS_dup, 0, 5), LOAD(args[0]), IF_EQUAL(0x89abcdef, 0, 3),
			 BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]) + 4),
			 IF_EQUAL(0x01234567, 0, 1), ANSWER(SECCOMP_RET_ERRNO | 99), ANSWER(SECCOMP_RET_ALLOW)));
	CHECK_ERRNO(syscall(SYS_dup, 0x0123456789abcdefL), 99);
	CHECK_ERRNO(syscall(SYS_dup, 0x0123456689abcdefL), EBADF);
}

TEST(filters_see_architecture_and_place)
{
	no_new_privs();
	CHECK_OK(INSTALL(0, LOAD(nr), IF_EQUAL(SYS_getppid, 0, 4), LOAD(arch),
			 IF_EQUAL(AUDIT_ARCH_X86_64, 0, 2), LOAD(instruction_pointer),
			 BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1), ANSWER(SECCOMP_RET_ALLOW),
			 ANSWER(SECCOMP_RET_ERRNO | 88)));
	CHECK_ERRNO(syscall(SYS_getppid), 88);
}

TEST(the_strongest_answer_holds)
{
	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO | 1));
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_LOG));
	CHECK_ERRNO(syscall(SYS_getppid), 1);
	/* of equal ones the newest */
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO | 2));
	CHECK_ERRNO(syscall(SYS_getppid), 2);
}

TEST(unknown_calls_are_filtered)
{
	no_new_privs();
	CHECK_ERRNO(syscall(5000), ENOSYS);
	CHECK_OK(INSTALL_FOR(0, 5000, SECCOMP_RET_ERRNO | 123));
	CHECK_ERRNO(syscall(5000), 123);
}

TEST(log_makes_the_call)
{
	no_new_privs();
	CHECK_OK(INSTALL_FOR(SECCOMP_FILTER_FLAG_LOG, SYS_getppid, SECCOMP_RET_LOG));
	CHECK_EQ(syscall(SYS_getppid), getppid());
}

TEST(trace_without_tracer_is_enosys)
{
	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_TRACE | 7));
	CHECK_ERRNO(syscall(SYS_getppid), ENOSYS);
}

static volatile siginfo_t seen;
static volatile long seen_rax;

static void
on_sigsys(int signo __attribute__((unused)), siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	memcpy((void *)&seen, info, sizeof(seen));
	seen_rax = uc->uc_mcontext.gregs[REG_RAX];
	uc->uc_mcontext.gregs[REG_RAX] = 4242;
}

TEST(trap_tells_the_program)
{
	struct sigaction sa = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &sa, NULL));
	no_new_privs();
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_TRAP | 0x4321));
	CHECK_EQ(syscall(SYS_getppid), 4242);
	CHECK_EQ(seen.si_signo, SIGSYS);
	CHECK_EQ(seen.si_code, 1 /* SYS_SECCOMP */);
	CHECK_EQ(seen.si_errno, 0x4321);
	CHECK_EQ(seen.si_syscall, SYS_getppid);
	CHECK_EQ(seen.si_arch, AUDIT_ARCH_X86_64);
	CHECK(seen.si_call_addr != NULL);
	CHECK_EQ(seen_rax, SYS_getppid);
}

TEST(trap_without_handler_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		sigset_t all;

		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_TRAP));
		syscall(SYS_getppid);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

static void
ignore(int signo __attribute__((unused)))
{
}

TEST(kill_process_kills_despite_a_handler)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		signal(SIGSYS, ignore);
		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
		syscall(SYS_getppid);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

TEST(unknown_actions_kill_the_process)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, 0x00020000));
		syscall(SYS_getppid);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
}

static void *
forbidden(void *arg)
{
	syscall(SYS_getppid);
	return arg;
}

TEST(kill_thread_leaves_the_others)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;

		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
		pthread_create(&t, NULL, forbidden, (void *)1);
		pthread_join(t, NULL);
		_exit(5);
	}
	CHECK_EXIT(pid, 5);
}

TEST(kill_thread_of_the_only_one_kills_by_sigsys)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_KILL_THREAD));
		syscall(SYS_getppid);
		_exit(5);
	}
	CHECK_KILLED(pid, SIGSYS);
}

TEST(kill_process_by_a_thread_takes_all)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;

		no_new_privs();
		CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_KILL_PROCESS));
		pthread_create(&t, NULL, forbidden, (void *)1);
		pthread_join(t, NULL);
		_exit(5);
	}
	CHECK_KILLED(pid, SIGSYS);
}

/* --- synchronising threads -------------------------------------------------------------------- */

static pthread_barrier_t barrier;
static volatile long thread_answer;
static volatile int thread_errno, thread_tid;

static void *
ask_later(void *arg)
{
	thread_tid = (int)syscall(SYS_gettid);
	if (arg)
		INSTALL(0, ANSWER(SECCOMP_RET_ALLOW));
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	thread_answer = syscall(SYS_getppid);
	thread_errno = errno;
	return NULL;
}

static pthread_t
start(void *arg)
{
	pthread_t t;

	pthread_barrier_init(&barrier, NULL, 2);
	pthread_create(&t, NULL, ask_later, arg);
	pthread_barrier_wait(&barrier);
	return t;
}

static void
finish(pthread_t t)
{
	pthread_barrier_wait(&barrier);
	pthread_join(t, NULL);
}

TEST(a_filter_is_of_one_thread)
{
	pthread_t t;

	no_new_privs();
	t = start(NULL);
	CHECK_OK(INSTALL_FOR(0, SYS_getppid, SECCOMP_RET_ERRNO | 5));
	finish(t);
	
	CHECK(thread_answer != -1);
}

TEST(tsync_takes_the_others_along)
{
	pthread_t t = start(NULL);

	no_new_privs();
	CHECK_OK(INSTALL_FOR(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 5));
	finish(t);
	CHECK_EQ(thread_answer, -1);
	CHECK_EQ(thread_errno, 5);
}

TEST(tsync_fails_for_a_thread_with_its_own_filter)
{
	pthread_t t;

	no_new_privs();
	t = start((void *)1);
	CHECK_EQ(INSTALL_FOR(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 5), thread_tid);
	CHECK_ERRNO(INSTALL_FOR(SECCOMP_FILTER_FLAG_TSYNC | (1u << 4), SYS_getppid, SECCOMP_RET_ERRNO | 5), ESRCH);
	CHECK(syscall(SYS_getppid) > 0);
	finish(t);
	CHECK(thread_answer > 0);
}

static void *
make_threads(void *arg)
{
	for (int i = 0; i < 200; i++) {
		pthread_t t;

		if (pthread_create(&t, NULL, forbidden, NULL) == 0)
			pthread_join(t, NULL);
	}
	return arg;
}

static void *
forbidden_or_not(void *arg __attribute__((unused)))
{
	long r = syscall(SYS_getppid);

	return (void *)(r == -1 ? 1L : 0L);
}

/* A thread that is being made while all are synchronised is under the filter as well. */
TEST(tsync_races_with_new_threads)
{
	pthread_t maker, t;
	void *result;

	no_new_privs();
	pthread_create(&maker, NULL, make_threads, NULL);
	for (int i = 0; i < 50; i++)
		CHECK_OK(INSTALL_FOR(SECCOMP_FILTER_FLAG_TSYNC, SYS_getppid, SECCOMP_RET_ERRNO | 5));
	pthread_create(&t, NULL, forbidden_or_not, NULL);
	pthread_join(t, &result);
	CHECK_EQ((long)result, 1);
	pthread_join(maker, NULL);
}

HELPER(nothing)
{
	_exit(6);
}

static void *
exec_soon(void *arg)
{
	usleep(1000);
	execl("/proc/self/exe", "self", "--helper", "nothing", NULL);
	return arg;
}

/* One thread synchronises, one execs: the exec wins in the end, and nothing hangs. */
TEST(tsync_races_with_exec)
{
	for (int i = 0; i < 10; i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			pthread_t t;

			no_new_privs();
			pthread_create(&t, NULL, exec_soon, NULL);
			for (int n = 0; n < 2000; n++)
				if (INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ANSWER(SECCOMP_RET_ALLOW)) != 0)
					break;
			pthread_join(t, NULL);
			_exit(1);
		}
		CHECK_EXIT(pid, 6);
	}
}

/* A tracer that would see any signal, and could keep it off, sees none. */
TEST(a_killed_call_does_not_ask_the_tracer)
{
	static const uint32_t kills[] = { SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD };

	for (int i = 0; i < 2; i++) {
		int status;
		pid_t pid = check_fork();

		if (pid == 0) {
			CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
			no_new_privs();
			CHECK_OK(INSTALL_FOR(0, SYS_getppid, kills[i]));
			raise(SIGSTOP);
			syscall(SYS_getppid);
			_exit(1);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
		CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	}
}

TEST(a_tracer_reads_filters)
{
	struct { uint64_t index, flags; } m = { 0, 1 };
	struct sock_filter code[8];
	int status;
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(ptrace(PTRACE_TRACEME, 0, 0, 0));
		raise(SIGSTOP);
		no_new_privs();
		CHECK_OK(INSTALL(0, ANSWER(SECCOMP_RET_ALLOW)));
		CHECK_OK(INSTALL_FOR(SECCOMP_FILTER_FLAG_LOG, SYS_getppid, SECCOMP_RET_ERRNO | 3));
		raise(SIGSTOP);
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, code), EINVAL); /* it has none yet */
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m), &m), EINVAL);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	/* counted from the oldest */
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, NULL), 1);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, code), 4);
	CHECK_EQ(code[2].k, SECCOMP_RET_ERRNO | 3);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 2, code), ENOENT);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 1, check_bad_address()), EFAULT);
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 100, &m), 16);
	CHECK_EQ(m.flags, 0);
	m.index = 1;
	CHECK_EQ(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m), &m), 16);
	CHECK_EQ(m.flags, SECCOMP_FILTER_FLAG_LOG);
	m.index = 2;
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m), &m), ENOENT);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, 7, &m), EINVAL);
	CHECK_ERRNO(ptrace(PTRACE_SECCOMP_GET_METADATA, pid, sizeof(m), check_bad_address()), EFAULT);
	CHECK_OK(ptrace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 0);
}
