/* SPDX-License-Identifier: MIT */
/*
 * sockets.c - handles sent through sockets: into themselves, into each other, and lost on the way.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include "check.h"

static int
send_fd(int through, int fd)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec v = { "x", 1 };
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.h.cmsg_level = SOL_SOCKET;
	control.h.cmsg_type = SCM_RIGHTS;
	control.h.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	return sendmsg(through, &m, MSG_DONTWAIT) == 1 ? 0 : -1;
}

static bool
pairs_missing(void)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) != 0)
		return true;
	CHECK_OK(close(s[0]));
	CHECK_OK(close(s[1]));
	return false;
}

TEST(socket_sent_through_itself)
{
	int s[2];

	if (pairs_missing())
		SKIP("no sockets");
	for (int i = 0; i < 200; i++) {
		CHECK_OK(socketpair(AF_UNIX, i % 2 ? SOCK_STREAM : SOCK_DGRAM, 0, s));
		CHECK_OK(send_fd(s[0], s[0]));
		CHECK_OK(send_fd(s[0], s[1]));
		CHECK_OK(send_fd(s[1], s[0]));
		CHECK_OK(close(s[0]));
		CHECK_OK(close(s[1]));
	}
}

/* Each pair holds the one before: closing the last must not dig through all of them at once. */
TEST(sockets_in_sockets_in_great_depth)
{
	int before[2], s[2], depth = 0;

	if (pairs_missing())
		SKIP("no sockets");
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, before));
	for (; depth < 600; depth++) {
		CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
		if (send_fd(s[0], before[0]) != 0 || send_fd(s[0], before[1]) != 0) {
			CHECK_EQ(errno, ETOOMANYREFS);
			break;
		}
		CHECK_OK(close(before[0]));
		CHECK_OK(close(before[1]));
		before[0] = s[0];
		before[1] = s[1];
	}
	CHECK(depth >= 3);
}

TEST(fds_that_never_arrive)
{
	int s[2];

	if (pairs_missing())
		SKIP("no sockets");
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	for (int i = 0; i < 50 && send_fd(s[0], CHECK_FD) == 0; i++)
		;
	CHECK_ERRNO(send_fd(s[0], 10000), EBADF);
	/* No room for the handles: they are dropped and the reader is told. */
	char c;
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	CHECK_EQ(recvmsg(s[1], &m, 0), 1);
	CHECK(m.msg_flags & MSG_CTRUNC);
	CHECK_OK(close(s[1]));
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
}

/* Control messages of every wrong length. */
TEST(malformed_control_messages)
{
	static const size_t lengths[] = { 0, 1, 15, 16, 17, 19, 20, 24, 100, 1ul << 31, 1ul << 62, ~0ul };
	union {
		struct cmsghdr h;
		char space[4096];
	} control;
	int s[2];

	if (pairs_missing())
		SKIP("no sockets");
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
			for (int type = 0; type < 5; type++) {
				struct iovec v = { "x", 1 };
				struct msghdr m = {
					.msg_iov = &v, .msg_iovlen = 1,
					.msg_control = &control, .msg_controllen = lengths[k],
				};

				memset(&control, 0, sizeof(control));
				control.h.cmsg_level = SOL_SOCKET;
				control.h.cmsg_type = type;
				control.h.cmsg_len = lengths[i];
				sendmsg(s[0], &m, MSG_DONTWAIT);
				char buf[10];
				recv(s[1], buf, sizeof(buf), MSG_DONTWAIT);
			}
}

TEST(addresses_of_odd_lengths)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	if (s < 0)
		SKIP("no sockets");
	memset(a.sun_path, 'x', sizeof(a.sun_path));
	for (unsigned int n = 0; n < 200; n++) {
		socklen_t length = n < 150 ? n : n * 0x4000000u;
		connect(s, (struct sockaddr *)&a, length);
		int t = CHECK_OK(socket(AF_UNIX, SOCK_DGRAM, 0));
		if (bind(t, (struct sockaddr *)&a, length) == 0) {
			struct sockaddr_un back;
			socklen_t got = sizeof(back);
			CHECK_OK(getsockname(t, (struct sockaddr *)&back, &got));
		}
		CHECK_OK(close(t));
	}
	CHECK(bind(s, (struct sockaddr *)0xffffffff80000000, 20) == -1);
	CHECK(getsockname(s, (struct sockaddr *)0xffffffff80000000, (socklen_t *)&a) == -1);
}
