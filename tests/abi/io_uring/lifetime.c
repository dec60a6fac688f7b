/* SPDX-License-Identifier: MIT */
/* io_uring: how requests end with their ring, their process and its program; whose ids they have. */
#include "ring.h"

#include <pthread.h>

TEST(uring_close_and_exit_cancel)
{
	char text[8];
	int p[2];

	CHECK_OK(pipe(p));
	for (int how = 0; how < 3; how++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			struct ring r = ring_of(8);
			struct __kernel_timespec far = { .tv_sec = 100 };

			CHECK_OK(mkfifo(how ? "p1" : "p0", 0600) == 0 || errno == EEXIST ? 0 : -1);
			sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1)->flags = IOSQE_IO_LINK;
			sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
			sqe(&r, IORING_OP_TIMEOUT, -1, &far, 1, 0, 3);
			sqe(&r, IORING_OP_OPENAT, AT_FDCWD, how ? "p1" : "p0", 0, 0, 4);
			CHECK_EQ(submit(&r, 0), 4);
			if (how == 0)
				close(r.fd);
			if (how == 2)
				kill(getpid(), SIGKILL);
			_exit(0);
		}
		if (how == 2)
			CHECK_KILLED(pid, SIGKILL);
		else
			CHECK_EXIT(pid, 0);
	}
	check_write_all(p[1], "x", 1);
	CHECK_EQ(read(p[0], text, 1), 1); /* nobody of those took it */
}

static void *
wait_forever(void *arg)
{
	struct ring *r = arg;
	char text[8];
	int p[2];

	CHECK_OK(pipe(p));
	sqe(r, IORING_OP_READ, p[0], text, 1, 0, 1);
	CHECK_EQ(submit(r, 0), 1);
	return NULL;
}

TEST(uring_process_ends_with_its_last_thread_of_the_program)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		struct ring r = ring_of(4);
		pthread_t t;

		CHECK_RETURNS(pthread_create(&t, NULL, wait_forever, &r), 0);
		CHECK_RETURNS(pthread_join(t, NULL), 0);
		syscall(SYS_exit, 7); /* this thread alone */
	}
	CHECK_EXIT(pid, 7);
}

HELPER(uring_after_exec)
{
	_exit(0);
}

TEST(uring_exec_cancels)
{
	int p[2];
	char text[8];

	CHECK_OK(pipe(p));
	pid_t pid = check_fork();
	if (pid == 0) {
		struct ring r = ring_of(4);

		CHECK_OK(fcntl(r.fd, F_SETFD, 0)); /* the ring lives on */
		sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1);
		CHECK_EQ(submit(&r, 0), 1);
		char *args[] = { "x", "--helper", "uring_after_exec", NULL };
		execv("/proc/self/exe", args);
		_exit(1);
	}
	CHECK_EXIT(pid, 0);
	check_write_all(p[1], "x", 1);
	CHECK_EQ(read(p[0], text, 1), 1);
}

TEST(uring_child_may_use_the_ring)
{
	struct ring r = ring_of(8);
	int p[2];
	char text[8];

	CHECK_OK(pipe(p));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(run(&r, sqe(&r, IORING_OP_WRITE, p[1], "abc", 3, 0, 1)), 3);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(read(p[0], text, 8), 3);
}

TEST(uring_request_keeps_the_ids_of_who_submitted)
{
	struct ring r = ring_of(8);

	check_write_file("secret", "x", 1);
	CHECK_OK(chmod("secret", 0600));
	CHECK_OK(chmod(".", 0777));
	CHECK_OK(seteuid(CHECK_NOBODY));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "secret", 0, 0, 1)), -EACCES);
	CHECK_OK(seteuid(0));
	CHECK(run(&r, sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "secret", 0, 0, 1)) >= 0);
}

TEST(uring_many_requests_and_threads)
{
	struct ring r = ring_of(64);
	char text[64];
	int p[2];
	unsigned int answers = 0;

	CHECK_OK(pipe(p));
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 32; i++)
			sqe(&r, IORING_OP_READ, p[0], &text[i], 1, 0, 1);
		CHECK_EQ(submit(&r, 0), 32);
		for (int i = 0; i < 32; i++)
			sqe(&r, IORING_OP_WRITE, p[1], "x", 1, 0, 2);
		CHECK_EQ(submit(&r, 1), 32);
		for (int i = 0; i < 64; i++) {
			CHECK_EQ(next(&r).res, 1);
			answers++;
		}
	}
	CHECK_EQ(answers, 20 * 64);
	CHECK_EQ(ready(&r), 0);
}
