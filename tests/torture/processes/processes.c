/* SPDX-License-Identifier: MIT */
/*
 * processes.c - processes that end while they do everything else: kill, exec, exit, fork at once.
 */
#include <dirent.h>
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "storm.h"

#define PAGE 4096ul

static uint32_t word;
static int pipe_end[2];
static char *shared;

/* What the threads of a victim do until they are killed. */
static void *
busy(void *arg)
{
	struct pollfd p = { .events = POLLIN };
	char b[100];
	char *m;
	pid_t pid;

	for (;;) {
		switch ((long)arg % 10) {
		case 0:
			syscall(SYS_futex, &word, FUTEX_WAIT, 0, NULL, NULL, 0);
			break;
		case 1:
			if (read(pipe_end[0], b, sizeof(b)) < 0)
				sched_yield();
			break;
		case 2:
			p.fd = pipe_end[0];
			poll(&p, 1, -1);
			break;
		case 3:
			m = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			for (size_t i = 0; m != MAP_FAILED && i < 64; i++)
				m[i * PAGE] = 1;
			munmap(m, 64 * PAGE);
			break;
		case 4:
			pid = fork();
			if (pid == 0)
				_exit(0);
			if (pid > 0)
				waitpid(pid, NULL, 0);
			break;
		case 5: {
			pthread_t t;
			extern void *ends_at_once(void *);

			if (pthread_create(&t, NULL, ends_at_once, NULL) == 0)
				pthread_join(t, NULL);
			break;
		}
		case 6: {
			int fd = open("/proc/self/maps", O_RDONLY);

			while (fd >= 0 && read(fd, b, sizeof(b)) > 0)
				;
			close(fd);
			break;
		}
		case 7:
			for (size_t i = 0; i < 64; i++)
				((volatile char *)shared)[i * PAGE]++;
			madvise(shared, 64 * PAGE, MADV_DONTNEED);
			break;
		case 8: {
			int pair[2];

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
				if (write(pair[0], b, 1) < 0 || close(pair[0]) || read(pair[1], b, 1) < 0)
					sched_yield();
				close(pair[1]);
			}
			break;
		}
		default:
			pid = vfork();
			if (pid == 0) {
				execl("/proc/self/exe", "x", "--helper", "ends", (char *)NULL);
				_exit(1);
			}
			if (pid > 0)
				waitpid(pid, NULL, 0);
		}
	}
	return NULL;
}

void *ends_at_once(void *arg);
void *
ends_at_once(void *arg)
{
	return arg;
}

HELPER(ends)
{
	_exit(0);
}

/* `started`, shared with the victim, becomes 1 when it has a second thread. */
static pid_t
victim(int threads, volatile int *started)
{
	pid_t pid;

	*started = 0;
	pid = check_fork();
	if (pid == 0) {
		setpgid(0, 0);
		shared = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		for (long i = 1; i < threads; i++) {
			pthread_t t;

			if (pthread_create(&t, NULL, busy, (void *)i) != 0)
				break;
			*started = 1;
		}
		busy((void *)(long)storm_below(10));
		_exit(0);
	}
	setpgid(pid, pid);
	return pid;
}

/* kill -9 at any moment of processes with threads in every kind of call; returns how many had threads. */
static int
kill_four(void)
{
	static volatile int *started;
	pid_t pid[4];
	int threaded = 0;

	if (!started)
		started = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		pid[i] = victim(2 + storm_below(13), &started[i]);
	usleep((useconds_t)storm_below(20000));
	for (int i = 0; i < 4; i++) {
		int status;

		threaded += started[i];
		CHECK_OK(kill(storm_below(2) ? pid[i] : -pid[i], SIGKILL));
		CHECK_EQ(CHECK_OK(waitpid(pid[i], &status, 0)), pid[i]);
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
			FAIL("killed, and ended with %#x", (unsigned int)status);
		kill(-pid[i], SIGKILL); /* what it forked */
	}
	return threaded;
}

static void
kill_body(void)
{
	long long end = storm_end();
	int kills = 0;

	CHECK_OK(pipe(pipe_end));
	while (!storm_over(end) || !kills)
		kills += kill_four();
	close(pipe_end[0]);
	close(pipe_end[1]);
}

TEST(killed_whatever_they_do)
{
	storm_leaves_nothing(kill_body);
}

static void *
ends_all(void *arg)
{
	pthread_barrier_wait(arg);
	if (storm_below(8))
		_exit(5);
	pthread_exit(NULL);
}

/*
 * The threads of a program end at once on all processors, and its memory goes with the last of them, while the
 * next program takes what was freed: no processor may come back to the old page tables.
 */
static void
end_body(void)
{
	enum { THREADS = 6, PROGRAMS = 4 };
	long long end = storm_end();

	while (!storm_over(end)) {
		pid_t pid[PROGRAMS];

		for (int i = 0; i < PROGRAMS; i++) {
			pid[i] = check_fork();
			if (pid[i] == 0) {
				volatile uint64_t mine[512];
				pthread_barrier_t barrier;

				for (size_t j = 0; j < 512; j++)
					mine[j] = (uint64_t)getpid() << 32 | j;
				pthread_barrier_init(&barrier, NULL, THREADS + 1);
				for (int j = 0; j < THREADS; j++)
					storm_thread(ends_all, &barrier);
				pthread_barrier_wait(&barrier);
				for (size_t j = 0; j < 512; j++)
					if (mine[j] != ((uint64_t)getpid() << 32 | j))
						_exit(6);
				_exit(5);
			}
		}
		for (int i = 0; i < PROGRAMS; i++) {
			int status;

			CHECK_EQ(CHECK_OK(waitpid(pid[i], &status, 0)), pid[i]);
			if (!WIFEXITED(status) || WEXITSTATUS(status) != 5)
				FAIL("a program ended with %#x", (unsigned int)status);
		}
	}
}

TEST(threads_end_and_memory_with_the_last)
{
	storm_leaves_nothing(end_body);
}

/* `--helper kills N`: processes with threads are killed until there were N; says how many there were. */
static int kills_wanted, kills_done;

static void
counted_kills(void)
{
	int end = kills_done + kills_wanted;

	CHECK_OK(pipe(pipe_end));
	while (kills_done < end)
		kills_done += kill_four();
	close(pipe_end[0]);
	close(pipe_end[1]);
}

HELPER(kills)
{
	dup2(STDOUT_FILENO, CHECK_FD);
	kills_wanted = (argc > 1 ? atoi(argv[1]) : 100) / 2;
	/* Twice at least: half of them each time. */
	storm_leaves_nothing(counted_kills);
	printf("%d killed\n", kills_done);
}

/* `--helper as UID LIMIT PROGRAM...`: run it as that user, with at most LIMIT processes. */
HELPER(as)
{
	struct rlimit l = { 0, 0 };

	dup2(STDOUT_FILENO, CHECK_FD);
	CHECK(argc > 3);
	l.rlim_cur = l.rlim_max = (rlim_t)atoi(argv[2]);
	CHECK_OK(setrlimit(RLIMIT_NPROC, &l));
	check_become((uid_t)atoi(argv[1]), (gid_t)atoi(argv[1]));
	close(CHECK_FD);
	execv(argv[3], argv + 3);
	_exit(126);
}

/* Threads that all exec, exit and get killed at once: one of these happens, and only one. */
static void *
execs(void *arg)
{
	pthread_barrier_wait(arg);
	switch (storm_below(6)) {
	case 0:
		_exit(3);
	case 1:
		kill(getpid(), SIGKILL);
		break;
	case 2:
		pthread_exit(NULL);
	default:
		execl("/proc/self/exe", "x", "--helper", "exec_came_through", (char *)NULL);
	}
	return NULL;
}

HELPER(exec_came_through)
{
	DIR *d = opendir("/proc/self/task");
	int threads = 0;
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		threads += e->d_name[0] != '.';
	/* Alone, and the leader. */
	_exit(threads == 1 && getpid() == (pid_t)syscall(SYS_gettid) ? 7 : 8);
}

static void
exec_body(void)
{
	long long end = storm_end();

	while (!storm_over(end)) {
		pid_t pid = check_fork();
		int status;

		if (pid == 0) {
			int n = 2 + storm_below(8);
			pthread_barrier_t b;
			pthread_t t;

			pthread_barrier_init(&b, NULL, (unsigned int)n);
			for (int i = 1; i < n; i++)
				if (pthread_create(&t, NULL, execs, &b) != 0)
					_exit(3);
			execs(&b);
			pthread_exit(NULL);
		}
		if (storm_below(4) == 0) {
			usleep((useconds_t)storm_below(3000));
			kill(pid, SIGKILL);
		}
		CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
		if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL
					: WEXITSTATUS(status) != 3 && WEXITSTATUS(status) != 7 && WEXITSTATUS(status) != 0)
			FAIL("an exec among execs ended with %#x", (unsigned int)status);
	}
}

TEST(execs_at_once)
{
	storm_leaves_nothing(exec_body);
}

/* A fork bomb in its limit; another user forks as before. */
static void
bomb(void)
{
	for (;;) {
		pid_t pid = fork();

		if (pid < 0) {
			if (errno != EAGAIN)
				_exit(1);
			usleep(1000);
		}
	}
}

static void
bomb_body(void)
{
	long long end = storm_end();
	pid_t pid = check_fork();

	if (pid == 0) {
		struct rlimit l = { 60, 60 };

		setpgid(0, 0);
		CHECK_OK(setrlimit(RLIMIT_NPROC, &l));
		check_become(12345, 12345);
		bomb();
	}
	setpgid(pid, pid);
	while (!storm_over(end)) {
		/* The other user's shell. */
		pid_t other = check_fork();

		if (other == 0) {
			check_become(12346, 12346);
			execl("/proc/self/exe", "x", "--helper", "ends", (char *)NULL);
			_exit(9);
		}
		CHECK_EXIT(other, 0);
	}
	for (int i = 0; i < 1000 && kill(-pid, SIGKILL) == 0; i++) {
		while (waitpid(-pid, NULL, WNOHANG) > 0)
			;
		usleep(5000);
	}
	CHECK_ERRNO(kill(-pid, 0), ESRCH);
}

TEST(fork_bomb_stays_in_its_limit)
{
	/* Orphans are ours to reap. */
	CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
	CHECK_OK(chmod("/proc/self/exe", 0755) == 0 || errno == EROFS ? 0 : 0);
	storm_leaves_nothing(bomb_body);
}

/* Readers of /proc against what comes and goes. */
static volatile bool stop;

static void
read_all(int dir, int depth)
{
	static const char *const skip[] = { "kmsg", "pagemap", "mem", "kcov", "sysrq-trigger", "kcore" };
	DIR *d = fdopendir(dir);
	struct dirent *e;

	while (d && !stop && (e = readdir(d)) != NULL) {
		bool skipped = e->d_name[0] == '.';
		char buffer[1024];
		int fd;

		for (size_t i = 0; i < sizeof(skip) / sizeof(skip[0]); i++)
			skipped |= strcmp(e->d_name, skip[i]) == 0;
		if (skipped)
			continue;
		if (e->d_type == DT_LNK) {
			if (readlinkat(dirfd(d), e->d_name, buffer, sizeof(buffer)) < 0)
				continue;
		}
		fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NONBLOCK | (e->d_type == DT_LNK ? O_PATH : 0));
		if (fd < 0)
			continue;
		if (e->d_type == DT_DIR && depth < 4) {
			read_all(fd, depth + 1);
			continue;
		}
		for (int i = 0; i < 20 && read(fd, buffer, sizeof(buffer)) > 0; i++)
			;
		close(fd);
	}
	if (d)
		closedir(d);
}

static void *
proc_reader(void *arg)
{
	while (!stop) {
		DIR *d = opendir("/proc");
		struct dirent *e;

		while (d && !stop && (e = readdir(d)) != NULL) {
			int fd;

			if (e->d_name[0] < '1' || e->d_name[0] > '9' || atoi(e->d_name) < getpid())
				continue;
			fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY);
			if (fd >= 0)
				read_all(fd, 0);
		}
		closedir(d);
	}
	return NULL;
}

static void
proc_body(void)
{
	long long end = storm_end();
	pthread_t t[2];

	CHECK_OK(pipe(pipe_end));
	stop = false;
	for (int i = 0; i < 2; i++)
		t[i] = storm_thread(proc_reader, NULL);
	while (!storm_over(end)) {
		volatile int started;
		pid_t pid = victim(1 + storm_below(6), &started);
		int status;

		usleep((useconds_t)storm_below(30000));
		kill(-pid, SIGKILL);
		CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	close(pipe_end[0]);
	close(pipe_end[1]);
}

TEST(proc_is_read_while_they_go)
{
	storm_leaves_nothing(proc_body);
}
