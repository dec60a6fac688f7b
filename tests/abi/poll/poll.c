/* SPDX-License-Identifier: MIT */
/* poll, ppoll, select, pselect. */
#include "../check.h"

#include <poll.h>
#include <sys/resource.h>
#include <sys/select.h>

static volatile sig_atomic_t signals_seen;

static void
count_signal(int sig __attribute__((unused)))
{
	signals_seen++;
}

static short
events_of(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

/* A child that does one write to `fd` after `ms`. */
static pid_t
write_later(int fd, long ms)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		check_sleep_ms(ms);
		check_write_all(fd, "x", 1);
		_exit(0);
	}
	return pid;
}

TEST(poll_pipe_states)
{
	int ends[2];
	static char block[65536];

	CHECK_OK(pipe(ends));
	CHECK_EQ(events_of(ends[0], POLLIN | POLLOUT), 0);
	CHECK_EQ(events_of(ends[1], POLLIN | POLLOUT), POLLOUT);
	check_write_all(ends[1], block, sizeof(block));
	CHECK_EQ(events_of(ends[0], POLLIN | POLLRDNORM), POLLIN | POLLRDNORM);
	CHECK_EQ(events_of(ends[1], POLLOUT), 0);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(events_of(ends[0], POLLIN), POLLIN | POLLHUP);
	check_read_all(ends[0], block, sizeof(block));
	CHECK_EQ(events_of(ends[0], POLLIN), POLLHUP);
	CHECK_EQ(events_of(ends[0], 0), POLLHUP);
}

TEST(poll_write_end_without_reader_is_pollerr)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(close(ends[0]));
	CHECK_EQ(events_of(ends[1], POLLOUT), POLLOUT | POLLERR);
	CHECK_EQ(events_of(ends[1], 0), POLLERR);
}

TEST(poll_regular_file_and_null_are_always_ready)
{
	check_write_file("f", "", 0);
	CHECK_EQ(events_of(open("f", O_RDWR), POLLIN | POLLOUT), POLLIN | POLLOUT);
	CHECK_EQ(events_of(open("/dev/null", O_RDWR), POLLIN | POLLOUT), POLLIN | POLLOUT);
}

TEST(poll_bad_fd_is_pollnval_and_negative_is_skipped)
{
	struct pollfd p[3] = {
		{ .fd = 200, .events = POLLIN },
		{ .fd = -1, .events = POLLIN, .revents = 77 },
		{ .fd = -5, .events = POLLIN },
	};

	CHECK_EQ(poll(p, 3, 1000), 1);
	CHECK_EQ(p[0].revents, POLLNVAL);
	CHECK_EQ(p[1].revents, 0);
	CHECK_EQ(p[2].revents, 0);
}

TEST(poll_errors)
{
	struct pollfd p = { .fd = 0, .events = POLLIN };

	CHECK_ERRNO(poll(check_bad_address(), 1, 0), EFAULT);
	CHECK_EQ(poll(check_bad_address(), 0, 0), 0);
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 300, 300 }));
	CHECK_ERRNO(poll(&p, 301, 0), EINVAL);
	struct timespec t = { 0, 1000000000 };
	CHECK_ERRNO(ppoll(&p, 1, &t, NULL), EINVAL);
	t = (struct timespec){ -1, 0 };
	CHECK_ERRNO(ppoll(&p, 1, &t, NULL), EINVAL);
}

TEST(poll_timeout_is_kept)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	long long start = check_now_ms();
	CHECK_EQ(poll(&p, 1, 100), 0);
	CHECK_RANGE(check_now_ms() - start, 99, 5000);
	CHECK_EQ(p.revents, 0);
	start = check_now_ms();
	CHECK_EQ(poll(NULL, 0, 50), 0);
	CHECK_RANGE(check_now_ms() - start, 49, 5000);
}

TEST(poll_wakes_when_data_comes)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	pid_t pid = write_later(ends[1], 50);
	struct pollfd p[2] = { { .fd = 0, .events = POLLPRI },
			       { .fd = ends[0], .events = POLLIN } };
	CHECK_EQ(poll(p, 2, -1), 1);
	CHECK_EQ(p[0].revents, 0);
	CHECK_EQ(p[1].revents, POLLIN);
	CHECK_EXIT(pid, 0);
}

TEST(poll_wakes_writer_when_space_comes)
{
	static char block[65536];
	int ends[2];

	CHECK_OK(pipe(ends));
	check_write_all(ends[1], block, sizeof(block));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(50);
		check_read_all(ends[0], block, sizeof(block));
		_exit(0);
	}
	struct pollfd p = { .fd = ends[1], .events = POLLOUT };
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EXIT(pid, 0);
}

TEST(poll_same_fd_twice)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	struct pollfd p[2] = { { .fd = ends[0], .events = POLLIN },
			       { .fd = ends[0], .events = POLLIN } };
	CHECK_EQ(poll(p, 2, 0), 2);
}

TEST(poll_is_interrupted_even_with_sa_restart)
{
	struct sigaction sa = { .sa_handler = count_signal, .sa_flags = SA_RESTART };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		check_wait_asleep(parent, 0);
		CHECK_OK(kill(parent, SIGUSR1));
		_exit(0);
	}
	CHECK_ERRNO(poll(NULL, 0, 8000), EINTR);
	CHECK_EQ(signals_seen, 1);
	CHECK_EXIT(pid, 0);
}

TEST(ppoll_takes_the_mask_for_the_wait_only)
{
	sigset_t block, none, now;
	struct sigaction sa = { .sa_handler = count_signal };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(signals_seen, 0);
	struct timespec t = { 5, 0 };
	CHECK_ERRNO(ppoll(NULL, 0, &t, &none), EINTR);
	CHECK_EQ(signals_seen, 1);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
	CHECK_EQ(sigismember(&now, SIGUSR1), 1);
}

TEST(ppoll_updates_remaining_time_in_the_raw_call)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	struct pollfd p = { .fd = ends[0], .events = POLLIN };
	struct timespec t = { 9, 0 };
	pid_t pid = write_later(ends[1], 100);
	CHECK_EQ(syscall(SYS_ppoll, &p, 1, &t, NULL, 8), 1);
	CHECK(t.tv_sec < 9);
	CHECK_EXIT(pid, 0);
}

TEST(select_sets_and_counts)
{
	int ends[2];
	fd_set r, w, e;

	CHECK_OK(pipe(ends));
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(ends[0], &r);
	FD_SET(ends[1], &w);
	FD_SET(ends[0], &e);
	struct timeval t = { 0, 0 };
	CHECK_EQ(select(ends[1] + 1, &r, &w, &e, &t), 1);
	CHECK(!FD_ISSET(ends[0], &r) && FD_ISSET(ends[1], &w) && !FD_ISSET(ends[0], &e));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	FD_SET(ends[0], &r);
	CHECK_EQ(select(ends[1] + 1, &r, &w, NULL, &t), 2);
	CHECK_OK(close(ends[1]));
	CHECK_EQ(read(ends[0], &t, 1), 1);
	t = (struct timeval){ 0, 0 };
	CHECK_EQ(select(ends[0] + 1, &r, NULL, NULL, &t), 1);
}

TEST(select_errors)
{
	fd_set r;
	struct timeval t = { 0, 0 };

	FD_ZERO(&r);
	FD_SET(200, &r);
	CHECK_ERRNO(select(201, &r, NULL, NULL, &t), EBADF);
	CHECK_ERRNO(select(-1, NULL, NULL, NULL, &t), EINVAL);
	CHECK_ERRNO(select(10, check_bad_address(), NULL, NULL, &t), EFAULT);
	t.tv_sec = -1;
	CHECK_ERRNO(syscall(SYS_select, 0, NULL, NULL, NULL, &t), EINVAL);
}

TEST(select_ignores_fds_at_or_above_nfds)
{
	fd_set r;
	struct timeval t = { 0, 0 };

	FD_ZERO(&r);
	FD_SET(200, &r);
	CHECK_EQ(select(200, &r, NULL, NULL, &t), 0);
}

TEST(select_timeout_and_remaining_time)
{
	struct timeval t = { 0, 80000 };
	long long start = check_now_ms();

	CHECK_EQ(select(0, NULL, NULL, NULL, &t), 0);
	CHECK_RANGE(check_now_ms() - start, 79, 5000);
	CHECK_EQ(t.tv_sec, 0);
	CHECK_EQ(t.tv_usec, 0);
	int ends[2];
	CHECK_OK(pipe(ends));
	fd_set r;
	FD_ZERO(&r);
	FD_SET(ends[0], &r);
	pid_t pid = write_later(ends[1], 100);
	t = (struct timeval){ 9, 0 };
	CHECK_EQ(select(ends[0] + 1, &r, NULL, NULL, &t), 1);
	CHECK(t.tv_sec < 9 && t.tv_sec >= 0);
	CHECK_EXIT(pid, 0);
}

TEST(select_above_1024_in_the_raw_call)
{
	static unsigned long bits[2048 / 64];
	struct timeval t = { 0, 0 };

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 2048, 2048 }));
	CHECK_EQ(dup2(open("/dev/null", O_RDONLY), 1500), 1500);
	bits[1500 / 64] = 1UL << (1500 % 64);
	CHECK_EQ(syscall(SYS_select, 1501, bits, NULL, NULL, &t), 1);
	CHECK_EQ(bits[1500 / 64], 1UL << (1500 % 64));
}

TEST(pselect_mask_and_errors)
{
	sigset_t block, none;
	struct sigaction sa = { .sa_handler = count_signal };

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	struct timespec t = { 5, 0 };
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &t, &none), EINTR);
	CHECK_EQ(signals_seen, 1);
	t = (struct timespec){ 0, 2000000000 };
	CHECK_ERRNO(pselect(0, NULL, NULL, NULL, &t, NULL), EINVAL);
}

TEST(poll_many_fds)
{
	enum { PIPES = 100 };
	static struct pollfd p[PIPES];
	int writers[PIPES];

	for (int i = 0; i < PIPES; i++) {
		int ends[2];
		CHECK_OK(pipe(ends));
		p[i] = (struct pollfd){ .fd = ends[0], .events = POLLIN };
		writers[i] = ends[1];
	}
	CHECK_EQ(poll(p, PIPES, 0), 0);
	CHECK_EQ(write(writers[37], "x", 1), 1);
	CHECK_EQ(write(writers[99], "x", 1), 1);
	CHECK_EQ(poll(p, PIPES, -1), 2);
	CHECK_EQ(p[37].revents, POLLIN);
	CHECK_EQ(p[99].revents, POLLIN);
	CHECK_EQ(p[0].revents, 0);
}
