/* SPDX-License-Identifier: MIT */
/* epoll and eventfd. */
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

static void
ignore_signal(int sig __attribute__((unused)))
{
}

static int
add(int ep, int fd, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u64 = (uint64_t)fd << 32 | 7 };

	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int
ready(int ep)
{
	struct epoll_event e[8];

	return CHECK_OK(epoll_wait(ep, e, 8, 0));
}

TEST(epoll_level_triggered_reports_until_drained)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e;
	char c;

	CHECK_OK(pipe(ends));
	CHECK_OK(add(ep, ends[0], EPOLLIN));
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(write(ends[1], "ab", 2), 2);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLIN);
	CHECK_EQ(e.data.u64, (uint64_t)ends[0] << 32 | 7);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(epoll_edge_triggered_reports_once_per_arrival)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(ends));
	CHECK_OK(add(ep, ends[0], EPOLLIN | EPOLLET));
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(write(ends[1], "b", 1), 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(epoll_edge_triggered_add_of_ready_fd_reports)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(ends));
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_OK(add(ep, ends[0], EPOLLIN | EPOLLET));
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(epoll_oneshot_is_disarmed_until_modified)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN | EPOLLONESHOT };

	CHECK_OK(pipe(ends));
	CHECK_OK(add(ep, ends[0], EPOLLIN | EPOLLONESHOT));
	CHECK_EQ(write(ends[1], "a", 1), 1);
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
	CHECK_EQ(write(ends[1], "b", 1), 1);
	CHECK_EQ(ready(ep), 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &e));
	CHECK_EQ(ready(ep), 1);
	CHECK_EQ(ready(ep), 0);
}

TEST(epoll_ctl_errors)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN };

	CHECK_OK(pipe(ends));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e), EEXIST);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &e), ENOENT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_DEL, ends[1], NULL), ENOENT);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, 200, &e), EBADF);
	CHECK_ERRNO(epoll_ctl(200, EPOLL_CTL_ADD, ends[1], &e), EBADF);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ends[0], EPOLL_CTL_ADD, ends[1], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, 77, ends[1], &e), EINVAL);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], check_bad_address()), EFAULT);
	check_write_file("f", "", 0);
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, open("f", O_RDONLY), &e), EPERM);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_DEL, ends[0], NULL));
}

TEST(epoll_wait_and_create_errors)
{
	int ep = CHECK_OK(epoll_create1(EPOLL_CLOEXEC));
	struct epoll_event e;

	CHECK_EQ(fcntl(ep, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(epoll_create1(0x40000000), EINVAL);
	CHECK_ERRNO(epoll_create(0), EINVAL);
	CHECK_OK(epoll_create(1));
	CHECK_ERRNO(epoll_wait(ep, &e, 0, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(ep, &e, -1, 0), EINVAL);
	CHECK_ERRNO(epoll_wait(200, &e, 1, 0), EBADF);
	CHECK_ERRNO(epoll_wait(0, &e, 1, 0), EINVAL);
	int ev = CHECK_OK(eventfd(1, 0));
	CHECK_OK(add(ep, ev, EPOLLIN));
	CHECK_ERRNO(epoll_wait(ep, check_bad_address(), 1, 0), EFAULT);
}

TEST(epoll_reports_hangup_and_error_unasked)
{
	int ends[2], other[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e;

	CHECK_OK(pipe(ends));
	CHECK_OK(add(ep, ends[0], 0));
	CHECK_OK(close(ends[1]));
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLHUP);
	CHECK_OK(close(ends[0]));
	CHECK_OK(pipe(other));
	CHECK_OK(add(ep, other[1], 0));
	CHECK_OK(close(other[0]));
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLERR);
}

TEST(epoll_forgets_a_closed_file_but_not_a_dup)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(ends));
	int copy = CHECK_OK(dup(ends[0]));
	CHECK_OK(add(ep, ends[0], EPOLLIN));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_OK(close(ends[0]));
	CHECK_EQ(ready(ep), 1);
	CHECK_OK(close(copy));
	CHECK_EQ(ready(ep), 0);
}

TEST(epoll_same_file_under_two_fds)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));

	CHECK_OK(pipe(ends));
	int copy = CHECK_OK(dup(ends[0]));
	CHECK_OK(add(ep, ends[0], EPOLLIN));
	CHECK_OK(add(ep, copy, EPOLLIN));
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(ready(ep), 2);
}

TEST(epoll_nested)
{
	int ends[2], inner = CHECK_OK(epoll_create1(0)), outer = CHECK_OK(epoll_create1(0));
	struct pollfd p = { .fd = outer, .events = POLLIN };
	char c;

	CHECK_OK(pipe(ends));
	CHECK_OK(add(inner, ends[0], EPOLLIN));
	CHECK_OK(add(outer, inner, EPOLLIN));
	CHECK_EQ(ready(outer), 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(ready(outer), 1);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(read(ends[0], &c, 1), 1);
	CHECK_EQ(ready(outer), 0);
	CHECK_ERRNO(add(inner, outer, EPOLLIN), ELOOP);
}

TEST(epoll_nested_wakes_a_sleeper)
{
	int ends[2], inner = CHECK_OK(epoll_create1(0)), outer = CHECK_OK(epoll_create1(0));
	struct epoll_event e;

	CHECK_OK(pipe(ends));
	CHECK_OK(add(inner, ends[0], EPOLLIN));
	CHECK_OK(add(outer, inner, EPOLLIN));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(50);
		check_write_all(ends[1], "x", 1);
		_exit(0);
	}
	CHECK_EQ(epoll_wait(outer, &e, 1, -1), 1);
	CHECK_EXIT(pid, 0);
}

TEST(epoll_wait_timeout_is_kept)
{
	int ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e;
	long long start = check_now_ms();

	CHECK_EQ(epoll_wait(ep, &e, 1, 100), 0);
	CHECK_RANGE(check_now_ms() - start, 99, 5000);
}

TEST(epoll_wait_returns_at_most_maxevents_and_rotates)
{
	enum { PIPES = 5 };
	int ep = CHECK_OK(epoll_create1(0)), seen = 0;
	struct epoll_event e[2];
	uint64_t fds = 0;

	for (int i = 0; i < PIPES; i++) {
		int ev = CHECK_OK(eventfd(1, 0));
		struct epoll_event add_event = { .events = EPOLLIN, .data.u64 = (uint64_t)i };
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &add_event));
	}
	for (int round = 0; round < 3; round++) {
		int n = CHECK_OK(epoll_wait(ep, e, 2, 0));
		CHECK_EQ(n, 2);
		for (int i = 0; i < n; i++)
			fds |= 1ULL << e[i].data.u64;
		seen += n;
	}
	CHECK_EQ(seen, 6);
	CHECK_EQ(fds, (1 << PIPES) - 1);
}

TEST(epoll_mod_changes_interest)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLOUT, .data.u64 = 99 };

	CHECK_OK(pipe(ends));
	CHECK_OK(add(ep, ends[1], 0));
	CHECK_EQ(ready(ep), 0);
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_MOD, ends[1], &e));
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 1);
	CHECK_EQ(e.events, EPOLLOUT);
	CHECK_EQ(e.data.u64, 99);
}

TEST(epoll_exclusive_rules)
{
	int ends[2], ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN | EPOLLEXCLUSIVE };

	CHECK_OK(pipe(ends));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &e));
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_MOD, ends[0], &e), EINVAL);
	e.events = EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT;
	CHECK_ERRNO(epoll_ctl(ep, EPOLL_CTL_ADD, ends[1], &e), EINVAL);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EQ(ready(ep), 1);
}

TEST(epoll_exclusive_wakes_one_who_sleeps)
{
	int ends[2], busy = CHECK_OK(epoll_create1(0)), idle = CHECK_OK(epoll_create1(0));
	struct epoll_event e;
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_OK(add(busy, ends[0], EPOLLIN | EPOLLEXCLUSIVE)); /* the first to be told, and nobody waits there */
	CHECK_OK(add(idle, ends[0], EPOLLIN | EPOLLEXCLUSIVE));
	pid = check_fork();
	if (pid == 0)
		_exit(epoll_wait(idle, &e, 1, -1));
	check_wait_asleep(pid, 0);
	CHECK_EQ(write(ends[1], "x", 1), 1);
	CHECK_EXIT(pid, 1);
	CHECK_EQ(ready(busy), 1);
}

TEST(epoll_pwait_mask_and_eintr)
{
	sigset_t block, none;
	int ep = CHECK_OK(epoll_create1(0));
	struct epoll_event e;

	signal(SIGUSR1, ignore_signal);
	sigemptyset(&none);
	sigemptyset(&block);
	sigaddset(&block, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &block, NULL));
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(epoll_wait(ep, &e, 1, 10), 0);
	CHECK_ERRNO(epoll_pwait(ep, &e, 1, 5000, &none), EINTR);
	CHECK_EQ(epoll_pwait(ep, &e, 1, 10, &none), 0);
}

static int waiter_result;

static void *
wait_once(void *arg)
{
	struct epoll_event e;

	waiter_result = epoll_wait((int)(intptr_t)arg, &e, 1, 8000);
	return NULL;
}

TEST(epoll_add_while_another_thread_waits)
{
	int ep = CHECK_OK(epoll_create1(0));
	pthread_t thread;

	CHECK_RETURNS(pthread_create(&thread, NULL, wait_once, (void *)(intptr_t)ep), 0);
	check_sleep_ms(50);
	CHECK_OK(add(ep, eventfd(1, 0), EPOLLIN));
	CHECK_RETURNS(pthread_join(thread, NULL), 0);
	CHECK_EQ(waiter_result, 1);
}

TEST(eventfd_counts)
{
	uint64_t v = 5;
	int fd = CHECK_OK(eventfd(3, EFD_NONBLOCK));

	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 8);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	CHECK_ERRNO(read(fd, &v, 4), EINVAL);
	CHECK_ERRNO(write(fd, &v, 4), EINVAL);
	v = UINT64_MAX;
	CHECK_ERRNO(write(fd, &v, 8), EINVAL);
	v = UINT64_MAX - 1;
	CHECK_EQ(write(fd, &v, 8), 8);
	v = 1;
	CHECK_ERRNO(write(fd, &v, 8), EAGAIN);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, UINT64_MAX - 1);
}

TEST(eventfd_semaphore_counts_down)
{
	uint64_t v;
	int fd = CHECK_OK(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC));

	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_EQ(v, 1);
	CHECK_EQ(read(fd, &v, 8), 8);
	CHECK_ERRNO(read(fd, &v, 8), EAGAIN);
	CHECK_ERRNO(eventfd(0, 0x40000000), EINVAL);
}

TEST(eventfd_poll_states)
{
	uint64_t v = UINT64_MAX - 1;
	int fd = CHECK_OK(eventfd(0, 0));
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
}

TEST(eventfd_blocking_read_waits_for_write)
{
	uint64_t v = 0;
	int fd = CHECK_OK(eventfd(0, 0));
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_EQ(read(fd, &v, 8), 8);
		_exit((int)v);
	}
	check_wait_asleep(pid, 0);
	v = 42;
	CHECK_EQ(write(fd, &v, 8), 8);
	CHECK_EXIT(pid, 42);
}

/* However epolls are put one above the other, an event at the bottom does no harm. */
TEST(epoll_tower_is_refused_or_works)
{
	enum { HEIGHT = 200 };
	int below = CHECK_OK(epoll_create1(0)), top = below, next = below;
	struct epoll_event e;

	for (int i = 0; i < HEIGHT; i++) {
		next = CHECK_OK(epoll_create1(0));
		if (add(below, next, EPOLLIN) != 0) {
			CHECK_EQ(errno, ELOOP);
			break;
		}
		below = next;
	}
	if (add(below, eventfd(1, 0), EPOLLIN) != 0)
		CHECK(errno == EINVAL || errno == ELOOP);
	CHECK_RANGE(epoll_wait(top, &e, 1, 0), 0, 1);
}

static int two_results[2];

static void *
wait_second(void *arg)
{
	struct epoll_event e;

	two_results[1] = epoll_wait((int)(intptr_t)arg, &e, 1, 5000);
	return NULL;
}

static void *
wait_first(void *arg)
{
	struct epoll_event e;

	two_results[0] = epoll_wait((int)(intptr_t)arg, &e, 1, 5000);
	return NULL;
}

/* What stays ready after the first sleeper took it is told to the next. */
TEST(epoll_level_triggered_wakes_the_next_sleeper)
{
	int ep = CHECK_OK(epoll_create1(0)), counter = CHECK_OK(eventfd(0, EFD_SEMAPHORE));
	uint64_t two = 2;
	pthread_t a, b;

	CHECK_OK(add(ep, counter, EPOLLIN));
	CHECK_RETURNS(pthread_create(&a, NULL, wait_first, (void *)(intptr_t)ep), 0);
	CHECK_RETURNS(pthread_create(&b, NULL, wait_second, (void *)(intptr_t)ep), 0);
	check_sleep_ms(50);
	CHECK_EQ(write(counter, &two, sizeof(two)), 8);
	CHECK_RETURNS(pthread_join(a, NULL), 0);
	CHECK_RETURNS(pthread_join(b, NULL), 0);
	CHECK_EQ(two_results[0], 1);
	CHECK_EQ(two_results[1], 1);
}

TEST(epoll_reports_as_many_as_there_is_room_for)
{
	enum { FILES = 300 };
	static struct epoll_event events[FILES + 10];
	bool seen[FILES] = { false };
	int ep = CHECK_OK(epoll_create1(0));

	for (int i = 0; i < FILES; i++) {
		struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)i };
		int fd = CHECK_OK(eventfd(1, 0));

		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
	}
	CHECK_EQ(epoll_wait(ep, events, FILES + 10, 0), FILES);
	for (int i = 0; i < FILES; i++) {
		CHECK_EQ(events[i].events, EPOLLIN);
		CHECK(!seen[events[i].data.u32]);
		seen[events[i].data.u32] = true;
	}
	CHECK_EQ(epoll_wait(ep, events, 100, 0), 100);
}

/* Two events, room that can be written for one: that one is reported, the other is still there. */
TEST(epoll_event_that_cannot_be_written_stays)
{
	struct epoll_event *events = (struct epoll_event *)(check_page_end() - sizeof(*events));
	int ep = CHECK_OK(epoll_create1(0)), fds[2];
	struct epoll_event again[2];

	for (int i = 0; i < 2; i++) {
		struct epoll_event e = { .events = EPOLLIN | EPOLLET | EPOLLONESHOT, .data.u32 = (uint32_t)i };

		fds[i] = CHECK_OK(eventfd(1, 0));
		CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &e));
	}
	CHECK_EQ(epoll_wait(ep, events, 2, 0), 1);
	uint32_t first = events->data.u32;
	CHECK_ERRNO(epoll_wait(ep, events + 1, 1, 0), EFAULT);
	CHECK_ERRNO(epoll_wait(ep, check_bad_address(), 2, 0), EFAULT);
	CHECK_EQ(epoll_wait(ep, again, 2, 0), 1);
	CHECK_EQ(again[0].data.u32, 1 - first);
	CHECK_EQ(epoll_wait(ep, again, 2, 0), 0);
}

static void
allow_files(rlim_t n)
{
	CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){ n, n }));
}

/* Epolls that watch `below`, until one is refused; how many there are then. */
static int
watch_until_refused(int below)
{
	for (int n = 0; n < 1000; n++) {
		int ep = CHECK_OK(epoll_create1(0));

		if (add(ep, below, EPOLLIN) == 0)
			continue;
		CHECK_EQ(errno, EINVAL);
		close(ep);
		return n;
	}
	FAIL("a thousand ways from one file were allowed");
}

/* One event goes up all ways from its file, so there may be only so many of each length. */
TEST(epoll_ways_up_from_a_file_are_limited)
{
	static const int limits[] = { 500, 100, 50, 10 };

	allow_files(2000);
	for (unsigned int length = 0; length < 4; length++) {
		int below = CHECK_OK(eventfd(0, 0));

		for (unsigned int level = 0; level <= length; level++) {
			int ep = CHECK_OK(epoll_create1(0));

			CHECK_OK(add(ep, below, EPOLLIN));
			below = ep;
		}
		CHECK_EQ(watch_until_refused(below), limits[length]);
	}
}

TEST(epoll_refusal_of_a_way_leaves_nothing)
{
	int fd = CHECK_OK(eventfd(0, 0)), ep = CHECK_OK(epoll_create1(0));
	uint64_t one = 1;

	allow_files(2000);
	CHECK_OK(add(ep, fd, EPOLLIN));
	CHECK_EQ(watch_until_refused(ep), 500);
	CHECK_EQ(write(fd, &one, sizeof(one)), sizeof(one));
	CHECK_EQ(ready(ep), 1);
	CHECK_OK(add(ep, CHECK_OK(eventfd(0, 0)), EPOLLIN));
}

/* The file comes last: its ways up are counted as well. */
TEST(epoll_file_below_too_many_ways_is_refused)
{
	int row[24], ep, ways = 0, fd = CHECK_OK(eventfd(0, 0));

	/* 24 * 24 ways of length 2, when the row stands on the file. */
	for (int i = 0; i < 24; i++)
		row[i] = CHECK_OK(epoll_create1(0));
	for (int i = 0; i < 24; i++) {
		ep = CHECK_OK(epoll_create1(0));
		for (int k = 0; k < 24; k++)
			CHECK_OK(add(ep, row[k], EPOLLIN));
	}
	for (int i = 0; i < 24; i++) {
		if (add(row[i], fd, EPOLLIN) != 0) {
			CHECK_EQ(errno, EINVAL);
			break;
		}
		ways += 24;
	}
	CHECK_EQ(ways, 480);
}

/*
 * Many epolls that all watch all of the row below: looking for loops is over soon. Of forty in a row there are 64,000
 * ways from top to bottom, and 4,800 additions look through what is below theirs; sixty show nothing else, and take
 * three times as long.
 */
TEST(epoll_rows_that_watch_each_other_are_soon_looked_through)
{
	int row[4][40];

	for (int level = 0; level < 4; level++)
		for (int i = 0; i < 40; i++)
			row[level][i] = CHECK_OK(epoll_create1(0));
	for (int level = 1; level < 4; level++)
		for (int i = 0; i < 40; i++)
			for (int k = 0; k < 40; k++)
				CHECK_OK(add(row[level][i], row[level - 1][k], EPOLLIN));
	CHECK_ERRNO(add(row[0][0], row[3][39], EPOLLIN), ELOOP);
}
