/* SPDX-License-Identifier: MIT */
/* Threads as pthreads use them: creation, storage, joint life and death, signals. */
#include "../check.h"
#include "start.h"

#include <dirent.h>
#include <linux/sched.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/prctl.h>

static __thread int local = 5;
static __thread char local_block[5000];
static volatile int shared;
static volatile sig_atomic_t signals_seen;
static volatile pid_t signal_thread;

static pid_t
own_tid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

static void
note_thread(int sig __attribute__((unused)))
{
	signal_thread = own_tid();
	signals_seen++;
}

static void *
return_argument(void *arg)
{
	return arg;
}

TEST(create_and_join_gives_the_result)
{
	pthread_t t;

	start(&t, return_argument, (void *)77);
	CHECK_EQ(join(t), 77);
}

TEST(create_and_join_a_thousand_times)
{
	TIMEOUT(60);
	for (intptr_t i = 0; i < 1000; i++) {
		pthread_t t;
		start(&t, return_argument, (void *)i);
		CHECK_EQ(join(t), i);
	}
}

static sem_t gate;

static void *
wait_at_gate(void *arg)
{
	sem_wait(&gate);
	__sync_fetch_and_add(&shared, 1);
	return arg;
}

TEST(two_hundred_threads_at_once)
{
	enum { COUNT = 200 };
	static pthread_t t[COUNT];
	static char text[4096];

	TIMEOUT(60);
	sem_init(&gate, 0, 0);
	for (int i = 0; i < COUNT; i++)
		start(&t[i], wait_at_gate, NULL);
	check_read_file("/proc/self/status", text, sizeof(text));
	CHECK(strstr(text, "Threads:"));
	CHECK_EQ(atoi(strstr(text, "Threads:") + 8), COUNT + 1);
	for (int i = 0; i < COUNT; i++)
		sem_post(&gate);
	for (int i = 0; i < COUNT; i++)
		join(t[i]);
	CHECK_EQ(shared, COUNT);
}

static void *
use_storage(void *arg)
{
	CHECK_EQ(local, 5);
	for (size_t i = 0; i < sizeof(local_block); i++)
		CHECK_EQ(local_block[i], 0);
	local = (int)(intptr_t)arg;
	memset(local_block, local, sizeof(local_block));
	errno = local;
	for (int i = 0; i < 50; i++)
		sched_yield();
	CHECK_EQ(errno, (int)(intptr_t)arg);
	for (size_t i = 0; i < sizeof(local_block); i++)
		CHECK_EQ(local_block[i], (char)local);
	return &local;
}

TEST(thread_local_storage_is_per_thread)
{
	pthread_t t[10];

	for (intptr_t i = 0; i < 10; i++)
		start(&t[i], use_storage, (void *)(i + 1));
	for (int i = 0; i < 10; i++)
		CHECK(join(t[i]) != &local);
	CHECK_EQ(local, 5);
}

static void *
look_at_ids(void *arg)
{
	CHECK_EQ(getpid(), (pid_t)(intptr_t)arg);
	CHECK(own_tid() != getpid());
	return (void *)(intptr_t)own_tid();
}

TEST(threads_share_the_pid_and_have_own_tids)
{
	pthread_t a, b;

	CHECK_EQ(own_tid(), getpid());
	start(&a, look_at_ids, (void *)(intptr_t)getpid());
	start(&b, look_at_ids, (void *)(intptr_t)getpid());
	CHECK(join(a) != join(b));
}

static void *
exit_whole_process(void *arg __attribute__((unused)))
{
	_exit(33);
}

static void *
block_forever(void *arg)
{
	int *ends = arg;
	char c;

	if (ends)
		(void)!read(ends[0], &c, 1);
	else
		pause();
	return NULL;
}

static void *
lock_mutex(void *arg)
{
	return (void *)(intptr_t)pthread_mutex_lock(arg);
}

TEST(exit_group_ends_blocked_and_busy_threads)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		pthread_t t;
		static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
		pthread_mutex_lock(&m);
		for (int i = 0; i < 3; i++)
			start(&t, block_forever, ends);
		for (int i = 0; i < 3; i++)
			start(&t, block_forever, NULL);
		start(&t, lock_mutex, &m);
		check_sleep_ms(20);
		start(&t, exit_whole_process, NULL);
		for (;;)
			shared++;
	}
	CHECK_EXIT(pid, 33);
}

static void *
outlive_main(void *arg __attribute__((unused)))
{
	check_sleep_ms(50);
	_exit(44);
}

TEST(process_lives_until_its_last_thread)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;
		start(&t, outlive_main, NULL);
		syscall(SYS_exit, 0);
	}
	CHECK_EXIT(pid, 44);
}

static void *
exit_thread_only(void *arg __attribute__((unused)))
{
	syscall(SYS_exit, 9);
	return NULL;
}

TEST(exit_of_a_thread_leaves_the_process)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;
		start(&t, exit_thread_only, NULL);
		join(t);
		_exit(3);
	}
	CHECK_EXIT(pid, 3);
}

static void *
crash(void *arg __attribute__((unused)))
{
	*(volatile int *)8 = 1;
	return NULL;
}

TEST(fatal_signal_in_a_thread_kills_all)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;
		start(&t, block_forever, NULL);
		start(&t, crash, NULL);
		for (;;)
			pause();
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(stop_and_continue_act_on_all_threads)
{
	volatile int *counter = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					      MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;
		start(&t, block_forever, NULL);
		for (;;) {
			++*counter;
			sched_yield();
		}
	}
	int status;
	while (!*counter)
		check_sleep_ms(1);
	CHECK_OK(kill(pid, SIGSTOP));
	CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
	int before = *counter;
	check_sleep_ms(50);
	CHECK_EQ(*counter, before);
	CHECK_OK(kill(pid, SIGCONT));
	while (*counter == before)
		check_sleep_ms(1);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

static void *
report_tid_and_pause(void *arg)
{
	*(volatile pid_t *)arg = own_tid();
	while (!signals_seen)
		check_sleep_ms(1);
	return NULL;
}

TEST(pthread_kill_reaches_that_thread)
{
	pthread_t t;
	volatile pid_t tid = 0;

	signal(SIGUSR1, note_thread);
	start(&t, report_tid_and_pause, (void *)&tid);
	while (!tid)
		check_sleep_ms(1);
	CHECK_RETURNS(pthread_kill(t, SIGUSR1), 0);
	join(t);
	CHECK_EQ(signal_thread, tid);
	CHECK_EQ(signals_seen, 1);
}

TEST(process_signal_goes_to_a_thread_that_does_not_block_it)
{
	pthread_t t;
	volatile pid_t tid = 0;
	sigset_t set;

	signal(SIGUSR1, note_thread);
	start(&t, report_tid_and_pause, (void *)&tid);
	while (!tid)
		check_sleep_ms(1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_RETURNS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	CHECK_OK(kill(getpid(), SIGUSR1));
	join(t);
	CHECK_EQ(signal_thread, tid);
}

static void *
wait_for_signal(void *arg)
{
	int sig = 0;

	CHECK_RETURNS(sigwait(arg, &sig), 0);
	return (void *)(intptr_t)sig;
}

TEST(sigwait_in_a_thread_takes_process_signals)
{
	pthread_t t;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_RETURNS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	start(&t, wait_for_signal, &set);
	check_sleep_ms(20);
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(join(t), SIGUSR1);
}

static void *
mask_of_thread(void *arg)
{
	sigset_t *mask = arg;

	CHECK_RETURNS(pthread_sigmask(SIG_BLOCK, NULL, mask), 0);
	return NULL;
}

TEST(new_thread_inherits_the_mask_but_not_pending)
{
	pthread_t t;
	sigset_t set, got;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	CHECK_RETURNS(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
	start(&t, mask_of_thread, &got);
	join(t);
	CHECK_EQ(sigismember(&got, SIGUSR2), 1);
	CHECK_EQ(sigismember(&got, SIGUSR1), 0);
}

static void *
name_thread(void *arg)
{
	char path[64], text[32];

	CHECK_OK(prctl(PR_SET_NAME, "worker bee"));
	*(volatile pid_t *)arg = own_tid();
	snprintf(path, sizeof(path), "/proc/self/task/%d/comm", own_tid());
	check_read_file(path, text, sizeof(text));
	CHECK_STR(text, "worker bee\n");
	sem_wait(&gate);
	return NULL;
}

TEST(thread_names_and_task_directory)
{
	pthread_t t;
	char main_name[32], text[32], path[64];
	volatile pid_t tid = 0;
	int entries = 0;

	sem_init(&gate, 0, 0);
	check_read_file("/proc/self/comm", main_name, sizeof(main_name));
	start(&t, name_thread, (void *)&tid);
	while (!tid)
		check_sleep_ms(1);
	check_read_file("/proc/self/comm", text, sizeof(text));
	CHECK_STR(text, main_name);
	snprintf(path, sizeof(path), "/proc/%d/comm", tid);
	check_read_file(path, text, sizeof(text));
	CHECK_STR(text, "worker bee\n");
	DIR *d = opendir("/proc/self/task");
	CHECK(d);
	while (readdir(d))
		entries++;
	closedir(d);
	CHECK_EQ(entries, 4);
	sem_post(&gate);
	join(t);
	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	for (int i = 0; i < 2000 && access(path, F_OK) == 0; i++)
		check_sleep_ms(5);
	CHECK_ERRNO(access(path, F_OK), ENOENT);
}

static void *
fork_in_thread(void *arg __attribute__((unused)))
{
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(own_tid() == getpid() ? 6 : 7);
	CHECK_EXIT(pid, 6);
	return NULL;
}

TEST(fork_from_a_thread)
{
	pthread_t t;

	start(&t, fork_in_thread, NULL);
	join(t);
}

static void *
reap_in_thread(void *arg)
{
	CHECK_EXIT((pid_t)(intptr_t)arg, 8);
	return NULL;
}

TEST(any_thread_may_wait_for_a_child)
{
	pthread_t t;
	pid_t pid = check_fork();

	if (pid == 0)
		_exit(8);
	start(&t, reap_in_thread, (void *)(intptr_t)pid);
	join(t);
}

static void *
open_and_chdir(void *arg)
{
	CHECK_OK(chdir("/"));
	umask(055);
	CHECK_EQ(dup2(0, 77), 77);
	return arg;
}

TEST(threads_share_fds_directory_and_umask)
{
	pthread_t t;
	char now[PATH_MAX];

	start(&t, open_and_chdir, NULL);
	join(t);
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/");
	CHECK_OK(fcntl(77, F_GETFD));
	CHECK_EQ(umask(0), 055);
}

static void *
use_much_stack(void *arg __attribute__((unused)))
{
	volatile char room[200000];

	for (size_t i = 0; i < sizeof(room); i += 4096)
		room[i] = 1;
	return (void *)(uintptr_t)room[4096];
}

TEST(threads_have_their_own_stacks)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		start(&t[i], use_much_stack, NULL);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(join(t[i]), 1);
}

static volatile bool bottomless = true;

static void *
run_over_the_stack(void *arg)
{
	volatile char room[4096];

	room[0] = 1;
	if (!bottomless)
		return arg;
	return run_over_the_stack((void *)&room[0]) ? (void *)&room[0] : arg;
}

TEST(guard_page_of_a_thread_stack_faults)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t t;
		pthread_attr_t a;
		pthread_attr_init(&a);
		pthread_attr_setstacksize(&a, 65536);
		CHECK_RETURNS(pthread_create(&t, &a, run_over_the_stack, NULL), 0);
		join(t);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void *
loop_until_cancelled(void *arg __attribute__((unused)))
{
	for (;;)
		pause();
	return NULL;
}

TEST(pthread_cancel_ends_a_sleeping_thread)
{
	pthread_t t;

	start(&t, loop_until_cancelled, NULL);
	check_sleep_ms(10);
	CHECK_RETURNS(pthread_cancel(t), 0);
	CHECK(join(t) == PTHREAD_CANCELED);
}

static void *
spin_for_a_while(void *arg)
{
	volatile int *flags = arg;

	__sync_fetch_and_add(&flags[0], 1);
	long long start_ms = check_now_ms();
	while (flags[0] < 2 && check_now_ms() - start_ms < 5000)
		;
	return (void *)(intptr_t)flags[0];
}

TEST(two_spinning_threads_both_make_progress)
{
	static volatile int flags[1];
	pthread_t a, b;

	start(&a, spin_for_a_while, (void *)flags);
	start(&b, spin_for_a_while, (void *)flags);
	CHECK_EQ(join(a), 2);
	CHECK_EQ(join(b), 2);
}

TEST(setuid_applies_to_every_thread)
{
	pthread_t t;

	/* libc changes each thread by a signal of its own; this shows that that works. */
	sem_init(&gate, 0, 0);
	start(&t, wait_at_gate, NULL);
	check_sleep_ms(10);
	CHECK_OK(setuid(1000));
	char path[64], text[4096];
	DIR *d = opendir("/proc/self/task");
	CHECK(d);
	struct dirent *e;
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%.20s/status", e->d_name);
		check_read_file(path, text, sizeof(text));
		CHECK(strstr(text, "Uid:\t1000\t1000\t1000\t1000\n"));
	}
	closedir(d);
	sem_post(&gate);
	join(t);
}

TEST(raw_set_tid_address_returns_the_tid)
{
	static int word;

	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(syscall(SYS_set_tid_address, &word), getpid());
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

static void *
read_own_usage(void *arg)
{
	struct timespec cpu;

	do
		CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu));
	while (cpu.tv_sec == 0 && cpu.tv_nsec < 150000000);
	return arg;
}

TEST(thread_cpu_clock_is_separate)
{
	pthread_t t;
	struct timespec a, b, p;

	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a));
	start(&t, read_own_usage, NULL);
	join(t);
	CHECK_OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b));
	CHECK_OK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &p));
	CHECK((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec < 150000000);
	CHECK(p.tv_sec * 1000000000LL + p.tv_nsec >= 150000000);
}
