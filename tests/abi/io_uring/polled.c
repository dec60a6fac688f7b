/* SPDX-License-Identifier: MIT */
/* io_uring: a thread of the kernel's takes submissions; the program enters the ring only to wake it. */
#include "ring.h"

#include <sched.h>

static struct ring
polled_ring(unsigned int idle_ms)
{
	return ring_with(8, (struct io_uring_params){ .flags = IORING_SETUP_SQPOLL, .sq_thread_idle = idle_ms });
}

/* What liburing does in place of submitting. */
static void
publish(struct ring *r)
{
	__atomic_store_n(word(r, r->p.sq_off.tail), r->tail, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(word(r, r->p.sq_off.flags), __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP)
		CHECK_OK(enter(r, 0, 0, IORING_ENTER_SQ_WAKEUP));
}

static struct answer
answered(struct ring *r)
{
	while (ready(r) == 0)
		sched_yield();
	return next(r);
}

/* Awake it takes what is published; when it happens to sleep, it is woken. */
TEST(uring_polled_takes_what_is_published)
{
	struct ring r = polled_ring(5000);
	char text[4];
	int p[2];

	CHECK_OK(pipe(p));
	for (uint64_t i = 0; i < 100; i++) {
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
		publish(&r);
		CHECK_EQ(answered(&r).user_data, i);
	}
	sqe(&r, IORING_OP_READ, p[0], text, 3, 0, 7);
	publish(&r);
	CHECK_OK(write(p[1], "abc", 3));
	CHECK_EQ(answered(&r).res, 3);
}

TEST(uring_polled_sleeps_and_is_woken)
{
	struct ring r = polled_ring(1);

	for (uint64_t i = 0; i < 20; i++) {
		while (!(__atomic_load_n(word(&r, r.p.sq_off.flags), __ATOMIC_SEQ_CST) & IORING_SQ_NEED_WAKEUP))
			check_sleep_ms(1);
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
		publish(&r);
		CHECK_EQ(answered(&r).user_data, i);
	}
}

TEST(uring_polled_makes_room)
{
	struct ring r = polled_ring(1);

	for (uint64_t i = 0; i < 400; i++) {
		while (r.tail - __atomic_load_n(word(&r, r.p.sq_off.head), __ATOMIC_ACQUIRE) == r.p.sq_entries)
			CHECK_OK(enter(&r, 0, 0, IORING_ENTER_SQ_WAIT | IORING_ENTER_SQ_WAKEUP));
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, i);
		publish(&r);
		if (i >= 8)
			CHECK_EQ(answered(&r).user_data, i - 8);
	}
	/* The count that is asked for is what is told; waiting works as ever. */
	CHECK_EQ(enter(&r, 5, 8, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP), 5);
	CHECK_EQ(ready(&r), 8);
}

TEST(uring_polled_setup_errors)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQ_AFF };

	close(ring_of(1).fd);
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF, .sq_thread_cpu = 4000 };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_SQPOLL | IORING_SETUP_COOP_TASKRUN };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_SQPOLL | IORING_SETUP_SQ_AFF, .sq_thread_idle = 1 };
	int fd = CHECK_OK(setup(4, &p));
	close(fd);
}

/* Nothing is taken before the ring is enabled; a closed one leaves no thread behind. */
TEST(uring_polled_when_enabled)
{
	struct ring r = ring_with(8, (struct io_uring_params){
		.flags = IORING_SETUP_SQPOLL | IORING_SETUP_R_DISABLED, .sq_thread_idle = 1 });

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 3);
	__atomic_store_n(word(&r, r.p.sq_off.tail), r.tail, __ATOMIC_SEQ_CST);
	check_sleep_ms(20);
	CHECK_EQ(ready(&r), 0);
	CHECK_OK(reg(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	publish(&r);
	CHECK_EQ(answered(&r).user_data, 3);
}

/* The program whose thread it is has ended: who holds the ring still is told. */
TEST(uring_polled_ends_with_its_program)
{
	int fds[2], fd;
	struct ring r;

	CHECK_OK(pipe(fds));
	pid_t pid = check_fork();
	if (pid == 0) {
		r = polled_ring(1);
		pid_t child = check_fork_orphan();
		if (child == 0) {
			char c;

			close(fds[1]);
			check_read_all(fds[0], &c, 1); /* the parent is gone when nobody holds the other end */
			while (enter(&r, 0, 0, IORING_ENTER_SQ_WAKEUP) == 0)
				check_sleep_ms(1);
			CHECK_EQ(errno, EOWNERDEAD);
			check_write_file("told", "x", 1);
			_exit(0);
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	check_write_all(fds[1], "x", 1);
	while ((fd = open("told", O_RDONLY)) < 0)
		check_sleep_ms(5);
}
