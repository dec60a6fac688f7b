/* SPDX-License-Identifier: MIT */
/* io_uring: what each operation does. */
#include "ring.h"

#include <sys/uio.h>

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
