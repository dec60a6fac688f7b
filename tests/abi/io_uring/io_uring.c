/* SPDX-License-Identifier: MIT */
/* io_uring: what each operation does, how requests wait, follow each other and end. */
#include "ring.h"

#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

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

TEST(uring_nop)
{
	struct ring r = ring_of(4);

	for (int i = 0; i < 100; i++)
		CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, (uint64_t)i << 40)), 0);
	for (int i = 0; i < 4; i++)
		sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, (uint64_t)i);
	CHECK_EQ(submit(&r, 4), 4);
	for (int i = 0; i < 4; i++)
		CHECK_EQ(next(&r).user_data, i);
	CHECK_EQ(run(&r, sqe(&r, 200, -1, NULL, 0, 0, 7)), -EINVAL);
}

TEST(uring_read_and_write_files)
{
	struct ring r = ring_of(8);
	char text[16] = "", more[16] = "";
	struct iovec v[2] = { { text, 2 }, { more, 3 } };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_WRITE, fd, "hello", 5, 0, 1)), 5);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, text, 5, 1, 1)), 4);
	CHECK_STR(text, "ello");
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READV, fd, v, 2, 0, 1)), 5);
	CHECK_MEM(text, "he", 2);
	CHECK_STR(more, "llo");
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_WRITEV, fd, v, 2, 5, 1)), 5);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, text, 5, (uint64_t)-1, 1)), 5); /* the file's own */
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FSYNC, fd, NULL, 0, 0, 1)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_FALLOCATE, fd, (void *)100, 0, 0, 1)), 0);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, check_bad_address(), 5, 0, 1)), -EFAULT);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, -1, text, 5, 0, 1)), -EBADF);
	int ro = CHECK_OK(open("f", O_RDONLY));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_WRITE, ro, text, 5, 0, 1)), -EBADF);
}

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
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ((a.user_data == 5 ? a : b).res, -ECANCELED);
	CHECK_EQ((a.user_data == 5 ? a : b).flags & IORING_CQE_F_MORE, 0);
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
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ((a.user_data == 10 ? a : b).res, -ECANCELED);
	CHECK_EQ((a.user_data == 11 ? a : b).res, 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)10, 0, 0, 12)), -ENOENT);
	/* changed */
	sqe(&r, IORING_OP_TIMEOUT, -1, &far, 1, 0, 13);
	sqe(&r, IORING_OP_TIMEOUT_REMOVE, -1, (void *)13, 0, (uintptr_t)&t, 14)->timeout_flags =
		IORING_TIMEOUT_UPDATE;
	CHECK_EQ(submit(&r, 2), 2);
	a = next(&r);
	b = next(&r);
	CHECK_EQ((a.user_data == 13 ? a : b).res, -ETIME);
	CHECK_EQ((a.user_data == 14 ? a : b).res, 0);
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
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ((a.user_data == 1 ? a : b).res, 2);
	CHECK_EQ((a.user_data == 2 ? a : b).res, -ECANCELED);
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
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ((a.user_data == 1 ? a : b).res, -ECANCELED);
	CHECK_EQ((a.user_data == 2 ? a : b).res, -ETIME);
	sqe(&r, IORING_OP_READ, p[0], text, 1, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &far, 1, 0, 2);
	CHECK_EQ(submit(&r, 0), 2);
	check_write_all(p[1], "x", 1);
	a = next(&r);
	b = next(&r);
	CHECK_EQ((a.user_data == 1 ? a : b).res, 1);
	CHECK_EQ((a.user_data == 2 ? a : b).res, -ECANCELED);
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
	struct answer a = next(&r), b = next(&r);
	CHECK_EQ((a.user_data == 1 ? a : b).res, -ECANCELED);
	CHECK_EQ((a.user_data == 2 ? a : b).res, 0);
	for (int i = 0; i < 3; i++)
		sqe(&r, IORING_OP_READ, p[0], text[i], 1, 0, 5);
	sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)5, 0, 0, 6)->cancel_flags = IORING_ASYNC_CANCEL_ALL;
	CHECK_EQ(submit(&r, 4), 4);
	for (int i = 0; i < 4; i++) {
		a = next(&r);
		CHECK_EQ(a.res, a.user_data == 6 ? 3 : -ECANCELED);
	}
	sqe(&r, IORING_OP_READ, p[0], text[0], 1, 0, 7);
	sqe(&r, IORING_OP_ASYNC_CANCEL, p[0], NULL, 0, 0, 8)->cancel_flags = IORING_ASYNC_CANCEL_FD;
	CHECK_EQ(submit(&r, 2), 2);
	a = next(&r);
	b = next(&r);
	CHECK_EQ((a.user_data == 7 ? a : b).res, -ECANCELED);
	CHECK_EQ((a.user_data == 8 ? a : b).res, 0);
	check_write_all(p[1], "x", 1); /* nobody took it */
	CHECK_EQ(read(p[0], text[0], 1), 1);
}

TEST(uring_names)
{
	struct ring r = ring_of(8);
	struct statx st;
	struct open_how { uint64_t flags, mode, resolve; } how = { O_RDONLY, 0, 0 };

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_MKDIRAT, AT_FDCWD, "d", 0700, 0, 1)), 0);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "d/f", 0600, 0, 1);
	s->open_flags = O_CREAT | O_RDWR;
	int fd = run(&r, s);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_STATX, AT_FDCWD, "d/f", STATX_BASIC_STATS, (uintptr_t)&st, 1)), 0);
	CHECK_EQ(st.stx_size, 5);
	int again = run(&r, sqe(&r, IORING_OP_OPENAT2, AT_FDCWD, "d/f", sizeof(how), (uintptr_t)&how, 1));
	CHECK(again >= 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_CLOSE, again, NULL, 0, 0, 1)), 0);
	CHECK_ERRNO(fcntl(again, F_GETFD), EBADF);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_CLOSE, again, NULL, 0, 0, 1)), -EBADF);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_RENAMEAT, AT_FDCWD, "d/f", (unsigned int)AT_FDCWD, (uintptr_t)"d/g", 1)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_LINKAT, AT_FDCWD, "d/g", (unsigned int)AT_FDCWD, (uintptr_t)"d/h", 1)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_SYMLINKAT, AT_FDCWD, "h", 0, (uintptr_t)"d/s", 1)), 0);
	CHECK_OK(access("d/s", R_OK));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_UNLINKAT, AT_FDCWD, "d/g", 0, 0, 1)), 0);
	s = sqe(&r, IORING_OP_UNLINKAT, AT_FDCWD, "d", 0, 0, 1);
	s->unlink_flags = AT_REMOVEDIR;
	CHECK_EQ(run(&r, s), -ENOTEMPTY);
	s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "none", 0, 0, 1);
	CHECK_EQ(run(&r, s), -ENOENT);
	s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, check_bad_address(), 0, 0, 1);
	CHECK_EQ(run(&r, s), -EFAULT);
}

TEST(uring_open_of_a_fifo_blocks_nobody_else)
{
	struct ring r = ring_of(8);

	CHECK_OK(mkfifo("p", 0600));
	/* Without the flag Linux opens a fifo as if it were not to wait. */
	sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "p", 0, 0, 1)->flags = IOSQE_ASYNC;
	CHECK_EQ(submit(&r, 0), 1);
	sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "/dev/null", 0, 0, 2);
	CHECK_EQ(submit(&r, 1), 1);
	struct answer c = next(&r);
	CHECK_EQ(c.user_data, 2);
	struct io_uring_sqe *s = sqe(&r, IORING_OP_OPENAT, AT_FDCWD, "p", 0, 0, 3);
	s->open_flags = O_WRONLY;
	s->flags = IOSQE_ASYNC;
	CHECK_EQ(submit(&r, 2), 1);
	CHECK(next(&r).res >= 0);
	CHECK(next(&r).res >= 0);
}

TEST(uring_sockets)
{
	struct ring r = ring_of(8);
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "s" };
	char text[16] = "";
	int listener = run(&r, sqe(&r, IORING_OP_SOCKET, AF_UNIX, NULL, 0, SOCK_STREAM, 1));

	if (listener == -EINVAL)
		listener = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(listener >= 0);
	CHECK_OK(bind(listener, (void *)&a, sizeof(a)));
	CHECK_OK(listen(listener, 4));
	sqe(&r, IORING_OP_ACCEPT, listener, NULL, 0, 0, 2);
	CHECK_EQ(submit(&r, 0), 1);
	int client = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	sqe(&r, IORING_OP_CONNECT, client, &a, 0, sizeof(a), 3);
	CHECK_EQ(submit(&r, 2), 1);
	struct answer one = next(&r), two = next(&r);
	int server = (one.user_data == 2 ? one : two).res;
	CHECK(server >= 0);
	CHECK_EQ((one.user_data == 3 ? one : two).res, 0);
	sqe(&r, IORING_OP_RECV, server, text, 16, 0, 4);
	CHECK_EQ(submit(&r, 0), 1);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 5)), 0);
	CHECK_EQ(send(client, "hello", 5, 0), 5);
	one = next(&r);
	CHECK_EQ(one.user_data, 4);
	CHECK_EQ(one.res, 5);
	CHECK_STR(text, "hello");
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_SEND, server, "back", 4, 0, 6)), 4);
	struct iovec v = { text, 16 };
	struct msghdr h = { .msg_iov = &v, .msg_iovlen = 1 };
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_RECVMSG, client, &h, 1, 0, 7)), 4);
	v.iov_len = 2;
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_SENDMSG, client, &h, 1, 0, 8)), 2);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_SHUTDOWN, client, NULL, SHUT_WR, 0, 9)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_RECV, server, text, 16, 0, 10)), 2);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_RECV, server, text, 16, 0, 10)), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_RECV, CHECK_FD, text, 16, 0, 11)), -ENOTSOCK);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_ACCEPT, client, NULL, 0, 0, 12)), -EINVAL);
}

TEST(uring_splice_and_tee)
{
	struct ring r = ring_of(8);
	int a[2], b[2], fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	char text[8] = "";
	struct io_uring_sqe *s;

	CHECK_OK(pipe(a));
	CHECK_OK(pipe(b));
	check_write_all(a[1], "abc", 3);
	s = sqe(&r, IORING_OP_TEE, b[1], NULL, 3, 0, 1);
	s->splice_fd_in = a[0];
	CHECK_EQ(run(&r, s), 3);
	s = sqe(&r, IORING_OP_SPLICE, fd, NULL, 3, 5, 2);
	s->splice_fd_in = a[0];
	s->splice_off_in = (uint64_t)-1;
	CHECK_EQ(run(&r, s), 3);
	CHECK_EQ(pread(fd, text, 3, 5), 3);
	CHECK_STR(text, "abc");
	CHECK_EQ(read(b[0], text, 8), 3);
}

TEST(uring_provided_buffers)
{
	struct ring r = ring_of(8);
	static char pool[4][16];
	int p[2];
	struct io_uring_sqe *s;

	CHECK_OK(pipe(p));
	s = sqe(&r, IORING_OP_PROVIDE_BUFFERS, 4, pool, 16, 100, 1);
	s->buf_group = 7;
	CHECK_EQ(run(&r, s), 0);
	for (int i = 0; i < 4; i++) {
		s = sqe(&r, IORING_OP_READ, p[0], NULL, 16, 0, 2);
		s->flags = IOSQE_BUFFER_SELECT;
		s->buf_group = 7;
		CHECK_EQ(submit(&r, 0), 1);
		check_write_all(p[1], "data", 4);
		struct answer c = next(&r);
		CHECK_EQ(c.res, 4);
		CHECK(c.flags & IORING_CQE_F_BUFFER);
		int id = (int)(c.flags >> IORING_CQE_BUFFER_SHIFT);
		CHECK_RANGE(id, 100, 103);
		CHECK_MEM(pool[id - 100], "data", 4);
	}
	s = sqe(&r, IORING_OP_READ, p[0], NULL, 16, 0, 2);
	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = 7;
	check_write_all(p[1], "data", 4);
	CHECK_EQ(run(&r, s), -ENOBUFS);
	s = sqe(&r, IORING_OP_PROVIDE_BUFFERS, 2, pool, 16, 0, 1);
	CHECK_EQ(run(&r, s), 0);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_REMOVE_BUFFERS, 5, NULL, 0, 0, 1)), 2);
	s = sqe(&r, IORING_OP_REMOVE_BUFFERS, 5, NULL, 0, 0, 1);
	s->buf_group = 99;
	CHECK_EQ(run(&r, s), -ENOENT);
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
