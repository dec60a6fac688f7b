/* SPDX-License-Identifier: MIT */
/* How TCP connections end: half closes, resets, what the other side sees of each. shutdown(2), RFC 9293 3.6. */
#include "inet.h"

static int
state(int s)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);

	CHECK_OK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &size));
	return info.tcpi_state;
}

static void
until_state(int s, int wanted)
{
	long long end = check_now_ms() + READY_MS;

	while (state(s) != wanted && check_now_ms() < end)
		check_sleep_ms(1);
	CHECK_EQ(state(s), wanted);
}

TEST(half_close)
{
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	inet_until(s[1], POLLIN | POLLOUT | POLLRDHUP, POLLIN | POLLOUT | POLLRDHUP);
	CHECK_EQ(read(s[1], b, sizeof(b)), 2);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	until_state(s[1], TCP_CLOSE_WAIT);
	until_state(s[0], TCP_FIN_WAIT2);
	/* The other way stays open. */
	CHECK_EQ(write(s[1], "cd", 2), 2);
	CHECK_EQ(read(s[0], b, sizeof(b)), 2);
	CHECK_ERRNO(send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_OK(shutdown(s[1], SHUT_WR));
	inet_until(s[0], POLLIN | POLLOUT | POLLRDHUP, POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);
	until_state(s[0], TCP_CLOSE);
	until_state(s[1], TCP_CLOSE);
	CHECK_ERRNO(getpeername(s[0], (struct sockaddr *)&(struct sockaddr_in){ 0 }, &(socklen_t){ 16 }), ENOTCONN);
	CHECK_ERRNO(shutdown(s[0], SHUT_WR), ENOTCONN);
}

TEST(no_more_receiving)
{
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[1], "ab", 2), 2);
	CHECK_EQ(inet_ready(s[0], POLLIN), POLLIN);
	CHECK_OK(shutdown(s[0], SHUT_RD));
	CHECK_EQ(inet_now(s[0], POLLIN | POLLRDHUP), POLLIN | POLLRDHUP);
	/* What came is read, and so is what comes. */
	CHECK_EQ(read(s[0], b, sizeof(b)), 2);
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);
	CHECK_EQ(write(s[1], "cd", 2), 2);
	check_sleep_ms(20);
	CHECK_EQ(read(s[0], b, sizeof(b)), 2);
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);
}

TEST(close_with_all_read_ends_the_stream)
{
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[0], "ab", 2), 2);
	CHECK_OK(close(s[0]));
	inet_until(s[1], POLLIN | POLLRDHUP, POLLIN | POLLRDHUP);
	CHECK_EQ(read(s[1], b, sizeof(b)), 2);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	/* The first write goes out, to somebody who is not there: he says so. */
	CHECK_EQ(send(s[1], "x", 1, MSG_NOSIGNAL), 1);
	inet_until(s[1], POLLIN | POLLRDHUP, POLLIN | POLLRDHUP | POLLERR | POLLHUP);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(inet_get(s[1], SOL_SOCKET, SO_ERROR), 0);
}

TEST(close_with_something_unread_resets)
{
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[1], "ab", 2), 2);
	CHECK_EQ(write(s[0], "cd", 2), 2);
	CHECK_EQ(inet_ready(s[0], POLLIN), POLLIN);
	CHECK_OK(close(s[0]));
	inet_until(s[1], POLLIN | POLLOUT | POLLRDHUP, POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	/* What came before the reset is read first. */
	CHECK_EQ(read(s[1], b, sizeof(b)), 2);
	CHECK_ERRNO(read(s[1], b, sizeof(b)), ECONNRESET);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(close_that_does_not_linger_resets)
{
	struct linger l = { 1, 0 };
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_OK(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	CHECK_OK(close(s[0]));
	inet_until(s[1], POLLIN, POLLIN | POLLERR | POLLHUP);
	CHECK_ERRNO(send(s[1], "x", 1, MSG_NOSIGNAL), ECONNRESET);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
}

TEST(broken_pipe_comes_with_a_signal)
{
	pid_t pid;
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_OK(shutdown(s[0], SHUT_WR));
	pid = check_fork();
	if (pid == 0) {
		(void)!write(s[0], "x", 1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGPIPE);
}

TEST(what_was_never_connected)
{
	char b[4];
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(recv(s, b, sizeof(b), 0), ENOTCONN);
	CHECK_ERRNO(send(s, b, sizeof(b), MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(shutdown(s, SHUT_RDWR), ENOTCONN);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 0);
}

TEST(a_listener_that_is_shut_down_listens_no_more)
{
	int l, s;

	inet_fresh();
	l = inet_server(5);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(shutdown(l, SHUT_WR));
	CHECK_OK(inet_connect(s, inet_port(l)));
	CHECK_OK(shutdown(l, SHUT_RD));
	CHECK_ERRNO(accept(l, NULL, NULL), EINVAL);
	inet_until(s, POLLIN, POLLIN | POLLERR | POLLHUP);
	CHECK_OK(listen(l, 5));
}

TEST(both_end_at_once)
{
	char b[4];
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_OK(shutdown(s[0], SHUT_RDWR));
	CHECK_OK(shutdown(s[1], SHUT_RDWR));
	CHECK_EQ(read(s[0], b, sizeof(b)), 0);
	CHECK_EQ(read(s[1], b, sizeof(b)), 0);
	until_state(s[0], TCP_CLOSE);
	until_state(s[1], TCP_CLOSE);
}

/* Who ended first holds the port for a while; who asks to share may have it at once. */
TEST(a_port_is_held_after_the_end)
{
	int l, s, a;
	uint16_t port;

	inet_fresh();
	l = inet_server(5);
	port = inet_port(l);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, port));
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(close(l));
	CHECK_OK(close(a));
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_OK(close(s));
	l = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_bind(l, INADDR_LOOPBACK, port), EADDRINUSE);
	inet_set(l, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_ERRNO(inet_bind(l, INADDR_LOOPBACK, port), EADDRINUSE);
}
