/* SPDX-License-Identifier: MIT */
/*
 * processes.c - failing allocations below processes, threads, signals and timers.
 */
#include "fail_nth.h"

#include <grp.h>
#include <linux/futex.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>

SCENARIO(fork_and_wait)
{
	pid_t pid = OK(fork());
	int status;

	if (pid == 0)
		_exit(7);
	CHECK_EQ(OK(waitpid(pid, &status, 0)), pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

SCENARIO(vfork)
{
	pid_t pid;

	/* Not on trial in the child, which shares our memory: it arms nothing. */
	fail_begin();
	pid = vfork();
	if (pid == 0)
		_exit(6);
	if (pid < 0) {
		int error = errno;

		fail_verdict(__FILE__, __LINE__, "vfork()", fail_end(), error);
	} else {
		fail_end();
		CHECK_EXIT(pid, 6);
	}
}

/* Far from all others: the table of processes grows for it. */
SCENARIO(pids_far_away)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
			set_tid_size, cgroup;
	} args = { .exit_signal = SIGCHLD, .set_tid_size = 1 };
	pid_t wanted = 20000, pid;

	while (kill(wanted, 0) == 0)
		wanted += 64;
	args.set_tid = (uintptr_t)&wanted;
	pid = OK((pid_t)syscall(435, &args, sizeof(args)));
	if (pid == 0)
		_exit(7);
	CHECK_EQ(pid, wanted);
	CHECK_EXIT(pid, 7);
}

static void *
returns_itself(void *arg)
{
	return arg;
}

SCENARIO(threads)
{
	pthread_t t;
	void *value;

	OK_RETURNS(pthread_create(&t, NULL, returns_itself, &value));
	pthread_join(t, &value);
	CHECK(value == &value);
}

static int
how_it_went(void)
{
	char text[24] = "";
	int fd = open("/proc/thread-self/fail-nth", O_RDONLY);

	if (fd >= 0 && read(fd, text, sizeof(text) - 1) < 0)
		_exit(44);
	return fd >= 0 && atol(text) == 0 ? 42 : 43;
}

HELPER(exec_ended)
{
	_exit(how_it_went());
}

/* exec in a child with its Nth allocation failing: an error, the new program, or death; never a wreck. */
static void
exec_row(const char *path, char **argv)
{
	for (int n = 1; n < 20000; n++) {
		pid_t pid = CHECK_OK(fork());
		int status;

		if (pid == 0) {
			char text[24];
			int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

			if (fd >= 0 && write(fd, text, (size_t)snprintf(text, sizeof(text), "%d", n)) < 0)
				_exit(45);
			execv(path, argv);
			_exit(errno == ENOMEM || errno == EAGAIN || errno == ENFILE || errno == EFAULT ? 1 : 46);
		}
		CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
		if (WIFSIGNALED(status)) {
			if (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGSEGV)
				FAIL("allocation %d: killed by signal %d", n, WTERMSIG(status));
			continue;
		}
		switch (WEXITSTATUS(status)) {
		case 43:
			return;
		case 1:
		case 2: /* the shell has words of its own */
		case 126:
		case 127:
		case 42:
			continue;
		default:
			FAIL("allocation %d: exit status %d", n, WEXITSTATUS(status));
		}
	}
	FAIL("exec never comes through");
}

static void
exec_program(void)
{
	exec_row("/proc/self/exe", (char *[]){ "x", "--helper", "exec_ended", NULL });
}

TEST(exec_fails_at_each_allocation)
{
	check_timeout(300);
	storm_leaves_nothing(exec_program);
}

static void
exec_script(void)
{
	exec_row("./script", (char *[]){ "x", NULL });
}

TEST(exec_of_a_script_fails_at_each_allocation)
{
	char self[256] = "", text[400];

	check_timeout(300);
	CHECK_OK(readlink("/proc/self/exe", self, sizeof(self) - 1));
	if (access("/bin/sh", X_OK) != 0)
		SKIP("no shell");
	snprintf(text, sizeof(text), "#!/bin/sh\nexec %s --helper exec_ended\n", self);
	check_write_file("script", text, strlen(text));
	CHECK_OK(chmod("script", 0700));
	storm_leaves_nothing(exec_script);
}

static volatile sig_atomic_t got;

static void
take(int signal, siginfo_t *info, void *context)
{
	got++;
}

SCENARIO(plain_signals_are_never_lost)
{
	struct sigaction sa = { .sa_sigaction = take, .sa_flags = SA_SIGINFO };

	volatile char room[20000];

	/* A frame for the handler has its place. */
	memset((char *)room, 0, sizeof(room));
	got = 0;
	sigaction(SIGUSR1, &sa, NULL);
	fail_begin();
	CHECK_EQ(kill(getpid(), SIGUSR1), 0);
	fail_end();
	CHECK_EQ(got, 1);
	fail_begin();
	CHECK_EQ(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1), 0);
	fail_end();
	CHECK_EQ(got, 2);
}

SCENARIO(queued_signals)
{
	sigset_t set;
	siginfo_t info;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 5; i++)
		OK(sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i }));
	for (int i = 0; i < 5; i++) {
		CHECK_EQ(OK(sigwaitinfo(&set, &info)), SIGRTMIN);
		CHECK_EQ(info.si_value.sival_int, i);
	}
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* The child's end is told whatever memory there is. */
SCENARIO(sigchld_comes)
{
	struct sigaction sa = { .sa_sigaction = take, .sa_flags = SA_SIGINFO };
	pid_t pid;

	got = 0;
	sigaction(SIGCHLD, &sa, NULL);
	pid = OK(fork());
	if (pid == 0) {
		int fd = open("/proc/thread-self/fail-nth", O_RDWR);

		if (fd >= 0 && write(fd, "1", 1) < 0)
			_exit(9);
		_exit(1);
	}
	CHECK_EXIT(pid, 1);
	for (int i = 0; !got && i < 500; i++)
		check_sleep_ms(2);
	CHECK_EQ(got, 1);
	signal(SIGCHLD, SIG_DFL);
}

SCENARIO(timers)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	struct itimerspec in = { .it_value = { .tv_sec = 100 } };
	struct itimerval soon = { .it_value = { .tv_sec = 100 } };
	int id;

	OK((int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &id));
	OK((int)syscall(SYS_timer_settime, id, 0, &in, NULL));
	OK((int)syscall(SYS_timer_delete, id));
	OK(setitimer(ITIMER_REAL, &soon, NULL));
	soon.it_value.tv_sec = 0;
	OK(setitimer(ITIMER_REAL, &soon, NULL));
}

SCENARIO(identities)
{
	gid_t groups[40];
	pid_t pid;

	for (int i = 0; i < 40; i++)
		groups[i] = (gid_t)i + 100;
	OK((int)syscall(SYS_setgroups, 40, groups));
	CHECK_EQ(getgroups(0, NULL), 40);
	OK((int)syscall(SYS_setresuid, 1, 0, 0));
	OK((int)syscall(SYS_setresuid, 0, 0, 0));
	OK(prctl(PR_SET_KEEPCAPS, 1));
	OK(prctl(PR_SET_KEEPCAPS, 0));
	OK((int)syscall(SYS_setgroups, 0, groups));
	pid = OK(fork());
	if (pid == 0) {
		/* Armed by itself. */
		int fd = open("/proc/thread-self/fail-nth", O_RDWR);

		for (char n = '1'; n <= '5'; n++) {
			if (fd >= 0 && write(fd, &n, 1) < 0)
				_exit(9);
			if (setsid() >= 0)
				_exit(4);
			if (errno != ENOMEM)
				_exit(10);
		}
		_exit(11);
	}
	CHECK_EXIT(pid, 4);
}

SCENARIO(pidfds)
{
	int mine = OK((int)syscall(SYS_pidfd_open, getpid(), 0)), got_fd;

	got_fd = OK((int)syscall(SYS_pidfd_getfd, mine, 0, 0));
	OK((int)syscall(SYS_pidfd_send_signal, mine, 0, NULL, 0));
	close(got_fd);
	close(mine);
}

SCENARIO(unshare_files)
{
	pid_t pid = OK((pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0));

	if (pid == 0) {
		int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

		/* The table is our parent's too. */
		dup2(fd, 99);
		close(fd);
		for (char n = '1'; n <= '9'; n++) {
			if (fd >= 0 && write(99, &n, 1) < 0)
				_exit(9);
			if (syscall(SYS_unshare, CLONE_FILES | CLONE_FS) == 0)
				_exit(fcntl(0, F_GETFD) == 0 ? 8 : 12);
			if (errno != ENOMEM)
				_exit(10);
		}
		_exit(11);
	}
	CHECK_EXIT(pid, 8);
	close(99);
}

/* A PI futex that its owner holds while another thread waits for it on trial. */
static uint32_t pi_word;
static pthread_barrier_t met;

static void *
pi_owner(void *arg)
{
	syscall(SYS_futex, &pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0);
	pthread_barrier_wait(&met);
	check_sleep_ms(5);
	syscall(SYS_futex, &pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0);
	return NULL;
}

SCENARIO(pi_futexes)
{
	pthread_t t;

	pi_word = 0;
	pthread_barrier_init(&met, NULL, 2);
	t = storm_thread(pi_owner, NULL);
	pthread_barrier_wait(&met);
	OK((int)syscall(SYS_futex, &pi_word, FUTEX_LOCK_PI, 0, NULL, NULL, 0));
	CHECK_EQ(pi_word & FUTEX_TID_MASK, (uint32_t)syscall(SYS_gettid));
	OK((int)syscall(SYS_futex, &pi_word, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	pthread_join(t, NULL);
	CHECK_EQ(pi_word, 0);
}

static uint32_t word;

static void *
waker(void *arg)
{
	check_wait_asleep(getpid(), *(pid_t *)arg);
	while (syscall(SYS_futex, &word, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	return NULL;
}

SCENARIO(futexes)
{
	pid_t self = (pid_t)syscall(SYS_gettid);
	struct timespec soon = { 0, 1000 };
	pthread_t t = storm_thread(waker, &self);

	OK((int)syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0));
	pthread_join(t, NULL);
	fail_begin();
	CHECK_ERRNO(syscall(SYS_futex, &word, FUTEX_WAIT, 0, &soon, NULL, 0), ETIMEDOUT);
	fail_end();
}

SCENARIO(futex_waitv)
{
	struct {
		uint64_t val, uaddr;
		uint32_t flags, reserved;
	} w[40] = { { 0 } };
	struct timespec now;

	word = 5;
	for (int i = 0; i < 40; i++) {
		w[i].uaddr = (uintptr_t)&word;
		w[i].flags = 2; /* FUTEX_32 */
		w[i].val = 5;
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (int tries = 0; tries < 2; tries++) {
		long r;
		int error;
		bool injected;

		fail_begin();
		r = syscall(449, w, 40, 0, &now, CLOCK_MONOTONIC);
		error = errno;
		injected = fail_end();
		if (r == -1 && (error == ETIMEDOUT || error == ENOSYS))
			break;
		fail_verdict(__FILE__, __LINE__, "futex_waitv", injected, error);
	}
	word = 0;
}

SCENARIO(memory_of_another)
{
	static char block[100] = "memory";
	int fd = OK(open("/proc/self/mem", O_RDWR));
	char text[4000];

	CHECK_EQ(OK(pread(fd, text, sizeof(block), (off_t)(uintptr_t)block)), 100);
	CHECK_STR(text, "memory");
	CHECK_EQ(OK(pwrite(fd, "other", 6, (off_t)(uintptr_t)block)), 6);
	CHECK_STR(block, "other");
	close(fd);
	fd = OK(open("/proc/thread-self/children", O_RDONLY));
	OK(read(fd, text, sizeof(text)));
	close(fd);
	fd = OK(open("/proc/self/comm", O_WRONLY));
	OK(write(fd, "comm", 4));
	close(fd);
	fd = OK(open("/proc/self/pagemap", O_RDONLY));
	OK(pread(fd, text, 80, 0));
	close(fd);
}

SCENARIO(kernel_log)
{
	int fd = OK(open("/dev/kmsg", O_RDONLY | O_NONBLOCK));
	char text[8192];

	OK(read(fd, text, sizeof(text)));
	close(fd);
	OK((int)syscall(SYS_syslog, 3, text, sizeof(text)));
}

SCENARIO(limits_and_names)
{
	struct rlimit l;
	char name[64];

	OK(getrlimit(RLIMIT_NOFILE, &l));
	OK(setrlimit(RLIMIT_NOFILE, &l));
	OK(prctl(PR_SET_NAME, "nth"));
	OK(gethostname(name, sizeof(name)));
	OK(sethostname(name, strlen(name)));
}
