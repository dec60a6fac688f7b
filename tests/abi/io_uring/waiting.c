/* SPDX-License-Identifier: MIT */
/* io_uring: requests that wait, follow each other, and are cancelled. */
#include "ring.h"

#include <poll.h>
#include <sys/eventfd.h>

TEST(uring_read_waits_for_a_pipe)
{
	struct ring r = ring_of(8);
	char text[16] = "";
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], text, 16, 0, 77);
	CHECK_EQ(submit(&r, 0), 1);
	check_sleep_ms(20);
	CHECK_EQ(ready(&r), 0);
	check_write_all(p[1], "late", 4);
	struct answer c = next(&r);
	CHECK_EQ(c.user_data, 77);
	CHECK_EQ(c.res, 4);
	CHECK_STR(text, "late");
	sqe(&r, IORING_OP_READ, p[0], text, 16, 0, 78);
	CHECK_EQ(submit(&r, 0), 1);
	close(p[1]);
	CHECK_EQ(next(&r).res, 0); /* the end */
}

TEST(uring_answer_comes_without_entering)
{
	struct ring r = ring_of(8);
	char text[16] = "";
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], text, 16, 0, 77);
	CHECK_EQ(submit(&r, 0), 1);
	check_write_all(p[1], "x", 1);
	for (int i = 0; ready(&r) == 0; i++) {
		CHECK(i < 5000);
		check_sleep_ms(1);
	}
	CHECK_EQ(next(&r).res, 1);
}

TEST(uring_poll_add_and_remove)
{
	struct ring r = ring_of(8);
	int p[2];
	struct io_uring_sqe *s;

	CHECK_OK(pipe(p));
	s = sqe(&r, IORING_OP_POLL_ADD, p[1], NULL, 0, 0, 1);
	s->poll32_events = POLLOUT;
	CHECK_EQ(run(&r, s), POLLOUT);
	s = sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 2);
	s->poll32_events = POLLIN;
	CHECK_EQ(submit(&r, 0), 1);
	CHECK_EQ(ready(&r), 0);
	check_write_all(p[1], "x", 1);
	struct answer c = next(&r);
	CHECK_EQ(c.user_data, 2);
	CHECK_EQ(c.res, POLLIN);
	char x;
	CHECK_EQ(read(p[0], &x, 1), 1);
	s = sqe(&r, IORING_OP_POLL_ADD, p[0], NULL, 0, 0, 3);
	s->poll32_events = POLLIN;
	CHECK_EQ(submit(&r, 0), 1);
	sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)3, 0, 0, 4);
	CHECK_EQ(submit(&r, 2), 1);
	int seen = 0;
	for (int i = 0; i < 2; i++) {
		c = next(&r);
		if (c.user_data == 3) {
			CHECK_EQ(c.res, -ECANCELED);
			seen |= 1;
		} else {
			CHECK_EQ(c.user_data, 4);
			CHECK_EQ(c.res, 0);
			seen |= 2;
		}
	}
	CHECK_EQ(seen, 3);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)3, 0, 0, 4)), -ENOENT);
}

TEST(uring_poll_many_times)
{
	struct ring r = ring_of(8);
	int e = CHECK_OK(eventfd(0, 0));
	struct io_uring_sqe *s = sqe(&r, IORING_OP_POLL_ADD, e, NULL, IORING_POLL_ADD_MULTI, 0, 5);

	s->poll32_events = POLLIN;
	CHECK_EQ(submit(&r, 0), 1);
	for (int i = 0; i < 3; i++) {
		uint64_t n = 1;

		check_write_all(e, &n, 8);
		struct answer c = next(&r);
		CHECK_EQ(c.user_data, 5);
		CHECK_EQ(c.res, POLLIN);
		CHECK_EQ(c.flags & IORING_CQE_F_MORE, IORING_CQE_F_MORE);
		check_read_all(e, &n, 8);
	}
	sqe(&r, IORING_OP_POLL_REMOVE, -1, (void *)5, 0, 0, 6);
	CHECK_EQ(submit(&r, 2), 1);
	struct answer two[2];
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ECANCELED);
	CHECK_EQ(two[0].flags & IORING_CQE_F_MORE, 0);
}

TEST(uring_timeouts)
{
	struct ring r = ring_of(8);
	struct __kernel_timespec t = { .tv_nsec = 30000000 }, bad = { .tv_nsec = -1 }, far = { .tv_sec = 100 };
	long long start = check_now_ms();

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT, -1, &t, 1, 0, 1)), -ETIME);
	CHECK(check_now_ms() - start >= 30);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT, -1, &bad, 1, 0, 1)), -EINVAL);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT, -1, check_bad_address(), 1, 0, 1)), -EFAULT);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT, -1, &t, 2, 0, 1)), -EINVAL);
	/* after two other answers */
	sqe(&r, IORING_OP_TIMEOUT, -1, &far, 1, 2, 9);
	CHECK_EQ(submit(&r, 0), 1);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)), 0);
	struct answer c = next(&r);
	CHECK_EQ(c.user_data, 9);
	CHECK_EQ(c.res, 0);
	/* removed */
	sqe(&r, IORING_OP_TIMEOUT, -1, &far, 1, 0, 10);
	sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)10, 0, 0, 11);
	CHECK_EQ(submit(&r, 2), 2);
	struct answer two[2];
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ECANCELED);
	CHECK_EQ(two[1].res, 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)10, 0, 0, 12)), -ENOENT);
	/* changed */
	sqe(&r, IORING_OP_TIMEOUT, -1, &far, 1, 0, 13);
	sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)13, 0, (uintptr_t)&t, 14)->timeout_flags =
		IORING_TIMEOUT_UPDATE;
	CHECK_EQ(submit(&r, 2), 2);
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ETIME);
	CHECK_EQ(two[1].res, 0);
}

TEST(uring_links_go_one_after_the_other)
{
	struct ring r = ring_of(8);
	char text[8] = "";
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_WRITE, fd, "abc", 3, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_READ, fd, text, 3, 0, 3);
	CHECK_EQ(submit(&r, 0), 3);
	check_sleep_ms(20);
	CHECK_EQ(ready(&r), 0); /* all wait for the first */
	check_write_all(p[1], "x", 1);
	for (uint64_t i = 1; i <= 3; i++) {
		struct answer c = next(&r);

		CHECK_EQ(c.user_data, i);
		CHECK_EQ(c.res, i == 1 ? 1 : 3);
	}
	CHECK_STR(text, "abc");
}

TEST(uring_failed_link_cancels_the_rest_a_hard_one_does_not)
{
	struct ring r = ring_of(8);
	char text[8];

	for (int hard = 0; hard < 2; hard++) {
		uint8_t flag = hard ? IOSQE_IO_HARDLINK : IOSQE_IO_LINK;

		sqe(&r, IORING_OP_READ, -1, text, 1, 0, 1)->flags = flag;
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = flag;
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
		CHECK_EQ(submit(&r, 3), 3);
		for (int i = 0; i < 3; i++) {
			struct answer c = next(&r);

			if (c.user_data == 1)
				CHECK_EQ(c.res, -EBADF);
			else
				CHECK_EQ(c.res, hard ? 0 : -ECANCELED);
		}
	}
	/* a short read breaks a chain, too */
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	check_write_all(fd, "ab", 2);
	sqe(&r, IORING_OP_READ, fd, text, 3, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2);
	CHECK_EQ(submit(&r, 2), 2);
	struct answer two[2];
	next_two(&r, two);
	CHECK_EQ(two[0].res, 2);
	CHECK_EQ(two[1].res, -ECANCELED);
}

TEST(uring_link_timeout)
{
	struct ring r = ring_of(8);
	struct __kernel_timespec t = { .tv_nsec = 30000000 }, far = { .tv_sec = 100 };
	char text[8];
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &t, 1, 0, 2);
	CHECK_EQ(submit(&r, 2), 2);
	struct answer two[2];
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ECANCELED);
	CHECK_EQ(two[1].res, -ETIME);
	sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &far, 1, 0, 2);
	CHECK_EQ(submit(&r, 0), 2);
	check_write_all(p[1], "x", 1);
	next_two(&r, two);
	CHECK_EQ(two[0].res, 1);
	CHECK_EQ(two[1].res, -ECANCELED);
}

TEST(uring_drain_waits_for_all_before)
{
	struct ring r = ring_of(8);
	char text[8];
	int p[2];

	CHECK_OK(pipe(p));
	sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1);
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)->flags = IOSQE_IO_DRAIN;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	CHECK_EQ(submit(&r, 0), 3);
	check_sleep_ms(20);
	CHECK_EQ(ready(&r), 0);
	check_write_all(p[1], "x", 1);
	CHECK_EQ(next(&r).user_data, 1);
	CHECK_EQ(next(&r).user_data + next(&r).user_data, 5);
}

TEST(uring_success_can_be_silent)
{
	struct ring r = ring_of(8);

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_CQE_SKIP_SUCCESS;
	sqe(&r, IORING_OP_CLOSE, 9999, NULL, 0, 0, 2)->flags = IOSQE_CQE_SKIP_SUCCESS;
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	CHECK_EQ(submit(&r, 2), 3);
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ(a.user_data + b.user_data, 5);
	CHECK_EQ(ready(&r), 0);
}

TEST(uring_cancel)
{
	struct ring r = ring_of(8);
	char text[3][8];
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 0, 9)), -ENOENT);
	sqe(&r, IORING_OP_READ, p[0], text[0], 1, 0, 1);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)1, 0, 0, 2);
	CHECK_EQ(submit(&r, 2), 2);
	struct answer two[2];
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ECANCELED);
	CHECK_EQ(two[1].res, 0);
	for (int i = 0; i < 3; i++)
		sqe(&r, IORING_OP_READ, p[0], text[i], 1, 0, 5);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)5, 0, 0, 6)->cancel_flags = IORING_ASYNC_CANCEL_ALL;
	CHECK_EQ(submit(&r, 4), 4);
	for (int i = 0; i < 4; i++) {
		struct answer a = next(&r);

		CHECK_EQ(a.res, a.user_data == 6 ? 3 : -ECANCELED);
	}
	sqe(&r, IORING_OP_READ, p[0], text[0], 1, 0, 7);
	sqe(&r, IORING_OP_ASYNC_CANCEL, p[0], NULL, 0, 0, 8)->cancel_flags = IORING_ASYNC_CANCEL_FD;
	CHECK_EQ(submit(&r, 2), 2);
	next_two(&r, two);
	CHECK_EQ(two[0].res, -ECANCELED);
	CHECK_EQ(two[1].res, 0);
	check_write_all(p[1], "x", 1); /* nobody took it */
	CHECK_EQ(read(p[0], text[0], 1), 1);
}
