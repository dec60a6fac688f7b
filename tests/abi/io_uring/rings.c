/* SPDX-License-Identifier: MIT */
/* io_uring: the ring itself: its sizes, what is registered with it, how it is waited for and what it tells. */
#include "ring.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>

TEST(uring_setup_tells_sizes)
{
	struct ring r = ring_of(5);

	CHECK_EQ(r.p.sq_entries, 8);
	CHECK_EQ(r.p.cq_entries, 16);
	CHECK_EQ(*word(&r, r.p.sq_off.ring_entries), 8);
	CHECK_EQ(*word(&r, r.p.sq_off.ring_mask), 7);
	CHECK_EQ(*word(&r, r.p.cq_off.ring_entries), 16);
	CHECK_EQ(*word(&r, r.p.cq_off.ring_mask), 15);
	CHECK_EQ(fcntl(r.fd, F_GETFD), FD_CLOEXEC);
	close(r.fd);
	r = ring_with(4, (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = 100 });
	CHECK_EQ(r.p.cq_entries, 128);
	r = ring_with(40000, (struct io_uring_params){ .flags = IORING_SETUP_CLAMP });
	CHECK_EQ(r.p.sq_entries, 32768);
	CHECK_EQ(r.p.cq_entries, 65536);
}

TEST(uring_setup_errors)
{
	struct io_uring_params p = { 0 };

	close(ring_of(1).fd);
	CHECK_ERRNO(setup(0, &p), EINVAL);
	CHECK_ERRNO(setup(32769, &p), EINVAL);
	CHECK_ERRNO(setup(4, check_bad_address()), EFAULT);
	p.resv[1] = 1;
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = 1u << 30 };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_CQSIZE, .cq_entries = 2 };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_DEFER_TASKRUN };
	CHECK_ERRNO(setup(4, &p), EINVAL);
	p = (struct io_uring_params){ .flags = IORING_SETUP_TASKRUN_FLAG };
	CHECK_ERRNO(setup(4, &p), EINVAL);
}

TEST(uring_enter_and_register_errors)
{
	struct ring r = ring_of(4);
	struct ring none = { .fd = -1 }, other = { .fd = CHECK_FD };

	CHECK_ERRNO(enter(&none, 0, 0, 0), EBADF);
	CHECK_ERRNO(enter(&other, 0, 0, 0), EOPNOTSUPP);
	CHECK_ERRNO(enter(&r, 0, 0, 1u << 20), EINVAL);
	CHECK_EQ(enter(&r, 0, 0, 0), 0);
	CHECK_EQ(enter(&r, 4, 0, 0), 0); /* nothing is there */
	CHECK_ERRNO(reg(&none, IORING_REGISTER_PROBE, NULL, 0), EBADF);
	CHECK_ERRNO(reg(&other, IORING_REGISTER_PROBE, NULL, 0), EOPNOTSUPP);
	CHECK_ERRNO(reg(&r, 999, NULL, 0), EINVAL);
	char c;
	CHECK_ERRNO(read(r.fd, &c, 1), EINVAL);
}

TEST(uring_registered_buffers)
{
	struct ring r = ring_of(8);
	char *page = CHECK_OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec v = { page, 8192 }, bad = { NULL, 10 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0), ENXIO);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_BUFFERS, &bad, 1), EFAULT);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_BUFFERS, &v, 0), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_BUFFERS, check_bad_address(), 1), EFAULT);
	CHECK_OK(reg(&r, IORING_REGISTER_BUFFERS, &v, 1));
	CHECK_ERRNO(reg(&r, IORING_REGISTER_BUFFERS, &v, 1), EBUSY);
	strcpy(page + 100, "fixed");
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_WRITE_FIXED, fd, page + 100, 5, 0, 1)), 5);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ_FIXED, fd, page + 4090, 5, 0, 1)), 5);
	CHECK_MEM(page + 4090, "fixed", 5);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ_FIXED, fd, page + 8190, 5, 0, 1)), -EFAULT);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_READ_FIXED, fd, page, 5, 0, 1);
	s->buf_index = 1;
	CHECK_EQ(run(&r, s), -EFAULT);
	CHECK_OK(reg(&r, IORING_UNREGISTER_BUFFERS, NULL, 0));
}

TEST(uring_registered_files)
{
	struct ring r = ring_of(8);
	char text[8] = "";
	int p[2], fds[3];
	struct io_uring_sqe *s;

	CHECK_OK(pipe(p));
	fds[0] = p[0];
	fds[1] = -1;
	fds[2] = p[1];
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_FILES, NULL, 0), ENXIO);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES, fds, 0), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES, check_bad_address(), 3), EFAULT);
	CHECK_OK(reg(&r, IORING_REGISTER_FILES, fds, 3));
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES, fds, 3), EBUSY);
	close(p[0]);
	close(p[1]);
	s = sqe(&r, IORING_OP_WRITE, 2, "abc", 3, 0, 1);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 3);
	s = sqe(&r, IORING_OP_READ, 0, text, 3, 0, 1);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 3);
	CHECK_STR(text, "abc");
	s = sqe(&r, IORING_OP_READ, 1, text, 3, 0, 1);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), -EBADF);
	s = sqe(&r, IORING_OP_READ, 3, text, 3, 0, 1);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), -EBADF);
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600)), replace[2] = { fd, -1 };
	struct io_uring_files_update up = { .offset = 1, .fds = (uintptr_t)replace };
	CHECK_EQ(reg(&r, IORING_REGISTER_FILES_UPDATE, &up, 2), 2);
	s = sqe(&r, IORING_OP_WRITE, 1, "abc", 3, 0, 1);
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 3);
	s = sqe(&r, IORING_OP_READ, 0, text, 3, 0, 1); /* its writer went with the update */
	s->flags = IOSQE_FIXED_FILE;
	CHECK_EQ(run(&r, s), 0);
	up.offset = 3;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_FILES_UPDATE, &up, 1), EINVAL);
	CHECK_OK(reg(&r, IORING_UNREGISTER_FILES, NULL, 0));
}

TEST(uring_eventfd_tells)
{
	struct ring r = ring_of(8);
	int e = CHECK_OK(eventfd(0, EFD_NONBLOCK)), file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	uint64_t n;

	CHECK_ERRNO(reg(&r, IORING_REGISTER_EVENTFD, &file, 1), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_EVENTFD, NULL, 0), ENXIO);
	CHECK_OK(reg(&r, IORING_REGISTER_EVENTFD, &e, 1));
	CHECK_ERRNO(reg(&r, IORING_REGISTER_EVENTFD, &e, 1), EBUSY);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)), 0);
	CHECK_EQ(read(e, &n, 8), 8);
	CHECK(n >= 1);
	CHECK_OK(reg(&r, IORING_UNREGISTER_EVENTFD, NULL, 0));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)), 0);
	CHECK_ERRNO(read(e, &n, 8), EAGAIN);
}

TEST(uring_probe_is_honest)
{
	struct ring r = ring_of(4);
	struct {
		struct io_uring_probe head;
		struct io_uring_probe_op ops[256];
	} p;

	memset(&p, 0, sizeof(p));
	CHECK_OK(reg(&r, IORING_REGISTER_PROBE, &p, 256));
	CHECK(p.head.last_op >= IORING_OP_LINKAT);
	CHECK(p.head.ops[IORING_OP_NOP].flags & IO_URING_OP_SUPPORTED);
	CHECK(p.head.ops[IORING_OP_READ].flags & IO_URING_OP_SUPPORTED);
	for (int op = 0; op <= p.head.last_op; op++) {
		CHECK_EQ(p.head.ops[op].op, op);
		if (p.head.ops[op].flags & IO_URING_OP_SUPPORTED)
			continue;
		CHECK_EQ(run(&r, sqe(&r, op, -1, NULL, 0, 0, 1)), -EINVAL);
	}
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PROBE, &p, 256), EINVAL); /* not zero */
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PROBE, &p, 257), EINVAL);
}

TEST(uring_wait_with_a_time)
{
	struct ring r = ring_of(4);
	struct __kernel_timespec t = { .tv_nsec = 30000000 };
	struct io_uring_getevents_arg a = { .ts = (uintptr_t)&t };

	CHECK_ERRNO(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &a,
			    sizeof(a)), ETIME);
	CHECK_ERRNO(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &a,
			    8), EINVAL);
	CHECK_ERRNO(syscall(SYS_io_uring_enter, r.fd, 0, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
			    check_bad_address(), sizeof(a)), EFAULT);
}

static void
on_signal(int sig __attribute__((unused)))
{
}

TEST(uring_wait_is_interrupted)
{
	struct ring r = ring_of(4);
	pid_t pid = check_fork();

	if (pid == 0) {
		struct sigaction sa = { .sa_handler = on_signal };

		CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
		CHECK_ERRNO(enter(&r, 0, 1, IORING_ENTER_GETEVENTS), EINTR);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	kill(pid, SIGUSR1);
	CHECK_EXIT(pid, 0);
}

TEST(uring_overflow_loses_nothing)
{
	struct ring r = ring_of(4); /* 8 answers */

	for (int i = 0; i < 20; i++) {
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, (uint64_t)i);
		CHECK_EQ(submit(&r, 0), 1);
	}
	CHECK_EQ(ready(&r), 8);
	CHECK(__atomic_load_n(word(&r, r.p.sq_off.flags), __ATOMIC_ACQUIRE) & IORING_SQ_CQ_OVERFLOW);
	for (int i = 0; i < 20; i++)
		CHECK_EQ(next(&r).user_data, i);
	CHECK_EQ(*word(&r, r.p.cq_off.overflow), 0);
}

TEST(uring_wrong_index_is_dropped)
{
	struct ring r = ring_of(4);

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	word(&r, r.p.sq_off.array)[0] = 1000;
	submit(&r, 0);
	CHECK_EQ(*word(&r, r.p.sq_off.dropped), 1);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 2)), 0);
}

TEST(uring_poll_and_epoll_of_the_ring)
{
	struct ring r = ring_of(4);
	struct pollfd p = { .fd = r.fd, .events = POLLIN | POLLOUT };
	struct epoll_event e = { .events = EPOLLIN };
	int ep = CHECK_OK(epoll_create1(0)), pp[2];
	char text[4];

	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_OK(pipe(pp));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, r.fd, &e));
	sqe(&r, IORING_OP_READ, pp[0], text, 1, 0, 1);
	CHECK_EQ(submit(&r, 0), 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, 0), 0);
	check_write_all(pp[1], "x", 1);
	CHECK_EQ(epoll_wait(ep, &e, 1, -1), 1);
	CHECK_EQ(next(&r).res, 1);
}

TEST(uring_disabled_until_enabled)
{
	struct ring r = ring_with(4, (struct io_uring_params){ .flags = IORING_SETUP_R_DISABLED });

	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	CHECK_ERRNO(submit(&r, 0), EBADFD);
	CHECK_OK(reg(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0));
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, 0);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_ENABLE_RINGS, NULL, 0), EBADFD);
}

static struct ring shared;

static void *
submit_elsewhere(void *arg)
{
	sqe(&shared, IORING_OP_NOP, -1, NULL, 0, 0, 1);
	CHECK_ERRNO(submit(&shared, 0), EEXIST);
	return arg;
}

TEST(uring_single_issuer)
{
	pthread_t t;

	struct io_uring_params p = { .flags = IORING_SETUP_SINGLE_ISSUER };
	int fd = setup(4, &p);
	if (fd == -1 && errno == EINVAL)
		SKIP("older than 6.0");
	close(fd);
	shared = ring_with(4, (struct io_uring_params){ .flags = IORING_SETUP_SINGLE_ISSUER });
	CHECK_EQ(run(&shared, sqe(&shared, IORING_OP_NOP, -1, NULL, 0, 0, 1)), 0);
	CHECK_RETURNS(pthread_create(&t, NULL, submit_elsewhere, NULL), 0);
	CHECK_RETURNS(pthread_join(t, NULL), 0);
}
