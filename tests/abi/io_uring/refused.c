/* SPDX-License-Identifier: MIT */
/* io_uring: entries that are wrong in themselves, what goes with them, and rings that would hold themselves. */
#include "ring.h"

#include <linux/time_types.h>
#include <sys/resource.h>

/* An entry that no ring takes: a priority of a class that there is not. */
static struct io_uring_sqe *
wrong(struct ring *r, uint64_t user_data)
{
	struct io_uring_sqe *s = sqe(r, IORING_OP_READ, -1, NULL, 0, 0, user_data);

	s->ioprio = 0xffff;
	return s;
}

/* Take `n` answers, in whatever order they come: results by user data, below 4. None may be left. */
static void
take(struct ring *r, int n, int32_t results[4])
{
	for (int i = 0; i < 4; i++)
		results[i] = 1;
	for (int i = 0; i < n; i++) {
		struct answer a = next(r);

		CHECK_RANGE(a.user_data, 0, 3);
		results[a.user_data] = a.res;
	}
	CHECK_EQ(ready(r), 0);
}

TEST(uring_stops_at_a_wrong_entry)
{
	struct ring r = ring_of(8);
	int32_t results[4];

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	wrong(&r, 2);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	CHECK_EQ(submit(&r, 0), 2);
	take(&r, 2, results);
	CHECK_EQ(results[1], 0);
	CHECK_EQ(results[2], -EINVAL);
	CHECK_EQ(enter(&r, 1, 1, IORING_ENTER_GETEVENTS), 1); /* it is still there */
	CHECK_EQ(next(&r).user_data, 3);
	close(r.fd);

	r = ring_with(8, (struct io_uring_params){ .flags = IORING_SETUP_SUBMIT_ALL });
	wrong(&r, 1);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	CHECK_EQ(submit(&r, 0), 2);
	take(&r, 2, results);
	CHECK_EQ(results[1], -EINVAL);
	CHECK_EQ(results[2], 0);
}

TEST(uring_chain_with_a_wrong_entry_does_not_begin)
{
	struct ring r = ring_of(8);
	struct __kernel_timespec second = { .tv_sec = 1 };
	int32_t results[4];
	char byte;
	int p[2];

	check_write_file("f", "x", 1);
	for (int place = 0; place < 3; place++) {
		for (int i = 0; i < 3; i++) {
			struct io_uring_sqe *s = i == place ? wrong(&r, (uint64_t)i)
							    : sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, (uint64_t)i);
			s->flags |= i < 2 ? IOSQE_IO_HARDLINK : 0;
		}
		CHECK_EQ(submit(&r, 0), 3);
		take(&r, 3, results);
		for (int i = 0; i < 3; i++)
			CHECK_EQ(results[i], i == place ? -EINVAL : -ECANCELED);
	}
	/* A guard that is wrong ends what it guards, at once. */
	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], &byte, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &second, 1, 0, 2)->ioprio = 89;
	CHECK_EQ(submit(&r, 0), 2);
	take(&r, 2, results);
	CHECK_EQ(results[1], -ECANCELED);
	CHECK_EQ(results[2], -EINVAL);
}

TEST(uring_silent_failure_silences_its_chain)
{
	struct ring r = ring_of(8);
	int32_t results[4];

	for (int silent = 0; silent < 2; silent++) {
		sqe(&r, IORING_OP_READ, -1, NULL, 1, 0, 1)->flags =
			(uint8_t)(IOSQE_IO_LINK | (silent ? IOSQE_CQE_SKIP_SUCCESS : 0));
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = (uint8_t)(silent ? 0 : IOSQE_CQE_SKIP_SUCCESS);
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
		CHECK_EQ(submit(&r, 0), 3);
		take(&r, silent ? 2 : 3, results);
		CHECK_EQ(results[1], -EBADF);
		CHECK_EQ(results[2], silent ? 1 : -ECANCELED);
		CHECK_EQ(results[3], 0);
	}
}

TEST(uring_fallocate_beyond_the_limit_sends_no_signal)
{
	struct ring r = ring_of(4);
	struct rlimit limit = { 4096, 4096 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FALLOCATE, fd, (void *)8192, 0, 0, 1)), -EFBIG);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FALLOCATE, fd, (void *)4096, 0, 0, 1)), 0);
}

TEST(uring_closes_no_ring_and_goes_through_no_socket)
{
	struct ring r = ring_of(4), other = ring_of(4);
	struct iovec v = { "x", 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .header = { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	int s[2];

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_CLOSE, r.fd, NULL, 0, 0, 1)), -EBADF);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_CLOSE, other.fd, NULL, 0, 0, 2)), -EBADF);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_CLOSE, -1, NULL, 0, 0, 3)), -EBADF);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	memcpy(CMSG_DATA(&control.header), &r.fd, sizeof(int));
	CHECK_ERRNO(sendmsg(s[0], &h, 0), EINVAL);
	CHECK_OK(fcntl(r.fd, F_GETFD));
}
