/* SPDX-License-Identifier: MIT */
/* AF_UNIX datagrams: names, connect, queues, errors. */
#include "unix.h"

static ssize_t
send_to(int s, const char *text, const char *name, int flags)
{
	struct unix_name n = unix_name(name);

	return sendto(s, text, strlen(text), flags, (struct sockaddr *)&n.a, n.size);
}

TEST(sendto_and_the_senders_name)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), c = unix_socket(SOCK_DGRAM);
	struct sockaddr_un from;
	socklen_t size = sizeof(from);
	char b[8] = "";

	CHECK_EQ(send_to(c, "hello", "r", 0), 5);
	CHECK_EQ(recvfrom(r, b, 8, 0, (struct sockaddr *)&from, &size), 5);
	CHECK_STR(b, "hello");
	CHECK_EQ(size, 0);
	CHECK_OK(unix_bind(c, "c"));
	CHECK_EQ(send_to(c, "again", "r", 0), 5);
	size = sizeof(from);
	CHECK_EQ(recvfrom(r, b, 8, 0, (struct sockaddr *)&from, &size), 5);
	CHECK_EQ(size, 4);
	CHECK_STR(from.sun_path, "c");
	CHECK_EQ(sendto(r, "back", 4, 0, (struct sockaddr *)&from, size), 4);
	CHECK_EQ(read(c, b, 8), 4);
}

TEST(connected_sender)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), q = unix_server(SOCK_DGRAM, "q", 0);
	int c = unix_client(SOCK_DGRAM, "r");
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	char b[8];

	CHECK_EQ(write(c, "one", 3), 3);
	CHECK_EQ(read(r, b, 8), 3);
	CHECK_EQ(send_to(c, "three", "q", 0), 5);
	CHECK_EQ(read(q, b, 8), 5);
	CHECK_OK(unix_connect(c, "q"));
	CHECK_EQ(write(c, "four", 4), 4);
	CHECK_EQ(read(q, b, 8), 4);
	CHECK_OK(connect(c, &unspec, sizeof(unspec)));
	CHECK_ERRNO(write(c, "x", 1), ENOTCONN);
	CHECK_ERRNO(unix_connect(c, "gone"), ENOENT);
}

TEST(connected_receiver_hears_only_its_peer)
{
	int a = unix_server(SOCK_DGRAM, "a", 0), b = unix_server(SOCK_DGRAM, "b", 0);

	CHECK_OK(unix_connect(a, "b"));
	CHECK_ERRNO(unix_connect(unix_socket(SOCK_DGRAM), "a"), EPERM);
	CHECK_ERRNO(send_to(unix_socket(SOCK_DGRAM), "x", "a", 0), EPERM);
	CHECK_EQ(send_to(b, "x", "a", 0), 1);
}

TEST(queue_of_a_receiver_is_short)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), c = unix_client(SOCK_DGRAM, "r"), n = 0;
	char b;

	while (send(c, "x", 1, MSG_DONTWAIT) == 1)
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_RANGE(n, 2, 1000);
	CHECK_EQ(unix_poll(c, POLLOUT), 0);
	CHECK_ERRNO(send_to(unix_socket(SOCK_DGRAM), "x", "r", MSG_DONTWAIT), EAGAIN);
	struct pollfd p = { .fd = c, .events = POLLOUT };
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(20);
		CHECK_EQ(read(r, &b, 1), 1);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EQ(p.revents, POLLOUT);
	CHECK_EXIT(pid, 0);
	CHECK_EQ(send(c, "x", 1, MSG_DONTWAIT), 1);
}

TEST(full_receiver_makes_the_sender_wait)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), c = unix_client(SOCK_DGRAM, "r"), n = 0;
	struct timeval tv = { .tv_usec = 30000 };
	char b;

	while (send(c, "x", 1, MSG_DONTWAIT) == 1)
		n++;
	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	CHECK_ERRNO(write(c, "x", 1), EAGAIN);
	tv.tv_usec = 0;
	CHECK_OK(setsockopt(c, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(write(c, "y", 1), 1);
		_exit(0);
	}
	check_wait_asleep(pid, 0);
	for (int i = 0; i < n; i++)
		CHECK_EQ(read(r, &b, 1), 1);
	CHECK_EQ(read(r, &b, 1), 1);
	CHECK_EQ(b, 'y');
	CHECK_EXIT(pid, 0);
}

TEST(receiver_that_went)
{
	int r = unix_server(SOCK_DGRAM, "r", 0), c = unix_client(SOCK_DGRAM, "r");

	CHECK_OK(close(r));
	CHECK_ERRNO(write(c, "x", 1), ECONNREFUSED);
	CHECK_ERRNO(write(c, "x", 1), ENOTCONN);
	CHECK_ERRNO(send_to(c, "x", "r", 0), ECONNREFUSED);
	CHECK_ERRNO(send_to(c, "x", "nowhere", 0), ENOENT);
	unix_server(SOCK_STREAM, "s", 1);
	CHECK_ERRNO(send_to(c, "x", "s", 0), EPROTOTYPE);
}

TEST(too_long_a_datagram)
{
	int s[2], limit;
	socklen_t size = sizeof(limit);

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_OK(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &limit, &size));
	char *b = calloc(1, (size_t)limit);
	CHECK_ERRNO(send(s[0], b, (size_t)limit, 0), EMSGSIZE);
	CHECK_EQ(send(s[0], b, 100000, 0), 100000);
	b[99999] = 1;
	CHECK_EQ(recv(s[1], b, (size_t)limit, 0), 100000);
	CHECK_EQ(b[99999], 0);
}

TEST(reconnecting_loses_what_was_queued)
{
	int s[2], error;
	socklen_t size = sizeof(error);
	struct sockaddr unspec = { .sa_family = AF_UNSPEC };
	char b;

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_EQ(write(s[1], "lost", 4), 4);
	CHECK_OK(connect(s[0], &unspec, sizeof(unspec)));
	CHECK_ERRNO(recv(s[0], &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_OK(getsockopt(s[1], SOL_SOCKET, SO_ERROR, &error, &size));
	CHECK_EQ(error, ECONNRESET);
}

TEST(pair_shutdown)
{
	int s[2];
	char b;

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_EQ(write(s[0], "x", 1), 1);
	CHECK_OK(shutdown(s[1], SHUT_RD));
	CHECK_EQ(read(s[1], &b, 1), 1);
	CHECK_EQ(read(s[1], &b, 1), 0);
	CHECK_ERRNO(recv(s[1], &b, 1, MSG_DONTWAIT), EAGAIN);
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_OK(shutdown(s[1], SHUT_WR));
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(unix_poll(s[1], POLLIN | POLLRDHUP) & (POLLHUP | POLLRDHUP | POLLIN),
		 POLLHUP | POLLRDHUP | POLLIN);
}

TEST(message_vectors)
{
	int s[2];
	char a[4] = "abc", b[4] = "def", got[2][8] = { "", "" };
	struct iovec out[2] = { { a, 3 }, { b, 3 } }, in[2] = { { got[0], 2 }, { got[1], 8 } };
	struct mmsghdr m[3] = { { .msg_hdr = { .msg_iov = &out[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &out[1], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = out, .msg_iovlen = 2 } } };
	struct mmsghdr r[3] = { { .msg_hdr = { .msg_iov = &in[0], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = &in[1], .msg_iovlen = 1 } },
				{ .msg_hdr = { .msg_iov = in, .msg_iovlen = 2 } } };
	struct timespec ts = { .tv_nsec = 2000000000 };

	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
	CHECK_EQ(sendmmsg(s[0], m, 3, 0), 3);
	CHECK_EQ(m[0].msg_len, 3);
	CHECK_EQ(m[2].msg_len, 6);
	CHECK_EQ(recvmmsg(s[1], r, 2, MSG_WAITFORONE, NULL), 2);
	CHECK_EQ(r[0].msg_len, 2);
	CHECK_EQ(r[0].msg_hdr.msg_flags, MSG_TRUNC);
	CHECK_EQ(r[1].msg_len, 3);
	CHECK_EQ(r[1].msg_hdr.msg_flags, 0);
	CHECK_EQ(recvmmsg(s[1], &r[2], 1, 0, NULL), 1);
	CHECK_EQ(r[2].msg_len, 6);
	CHECK_MEM(got[0], "ab", 2);
	CHECK_STR(got[1], "cdef");
	CHECK_ERRNO(recvmmsg(s[1], r, 2, MSG_DONTWAIT, NULL), EAGAIN);
	CHECK_ERRNO(recvmmsg(s[1], r, 2, 0, &ts), EINVAL);
	m[0].msg_hdr.msg_iovlen = 1025;
	CHECK_ERRNO(sendmsg(s[0], &m[0].msg_hdr, 0), EMSGSIZE);
	m[0].msg_hdr.msg_iovlen = 1;
	out[0].iov_base = check_bad_address();
	CHECK_ERRNO(sendmsg(s[0], &m[0].msg_hdr, 0), EFAULT);
}
