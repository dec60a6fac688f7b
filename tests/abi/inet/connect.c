/* SPDX-License-Identifier: MIT */
/* TCP connections between sockets of one machine: connect, listen, accept. tcp(7), connect(2), listen(2). */
#include "inet.h"

#include <fcntl.h>
#include <pthread.h>

TEST(a_connection_carries_bytes_both_ways)
{
	char b[8] = "";
	int s[2];

	inet_fresh();
	inet_pair(s);
	CHECK_EQ(write(s[0], "there", 5), 5);
	CHECK_EQ(read(s[1], b, sizeof(b)), 5);
	CHECK_MEM(b, "there", 5);
	CHECK_EQ(write(s[1], "back", 4), 4);
	CHECK_EQ(read(s[0], b, sizeof(b)), 4);
	CHECK_MEM(b, "back", 4);
	CHECK_EQ(inet_port(s[0]), inet_peer_port(s[1]));
	CHECK_EQ(inet_port(s[1]), inet_peer_port(s[0]));
}

TEST(accept_tells_who_connected)
{
	int l, s, a;
	struct sockaddr_in who = { 0 };
	socklen_t size = sizeof(who);

	inet_fresh();
	l = inet_server(5);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	a = CHECK_OK(accept(l, (struct sockaddr *)&who, &size));
	CHECK_EQ(size, sizeof(who));
	CHECK_EQ(who.sin_family, AF_INET);
	CHECK_EQ(ntohl(who.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(ntohs(who.sin_port), inet_port(s));
	CHECK_RANGE(inet_port(s), 32768, 60999);
	CHECK_EQ(inet_port(a), inet_port(l));
}

TEST(nobody_listens)
{
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_connect(s, 9), ECONNREFUSED);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
	/* It may be tried again. */
	CHECK_ERRNO(inet_connect(s, 9), ECONNREFUSED);
}

TEST(connect_that_may_not_wait)
{
	int l, s;

	inet_fresh();
	l = inet_server(5);
	s = inet_socket(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_EQ(inet_now(s, POLLIN | POLLOUT), POLLOUT | POLLHUP);
	CHECK_ERRNO(inet_connect(s, inet_port(l)), EINPROGRESS);
	CHECK_EQ(inet_ready(s, POLLOUT), POLLOUT);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
	CHECK_OK(inet_connect(s, inet_port(l)));
	CHECK_ERRNO(inet_connect(s, inet_port(l)), EISCONN);
}

TEST(connect_that_may_not_wait_is_refused)
{
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_ERRNO(inet_connect(s, 9), EINPROGRESS);
	inet_until(s, POLLIN | POLLOUT | POLLRDHUP, POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
	/* The error is told; what is left says that there was one. */
	CHECK_ERRNO(inet_connect(s, 9), ECONNABORTED);
	CHECK_ERRNO(inet_connect(s, 9), EINPROGRESS);
	inet_until(s, POLLOUT, POLLOUT | POLLERR | POLLHUP);
	CHECK_ERRNO(inet_connect(s, 9), ECONNREFUSED);
}

TEST(a_listener_is_no_end_of_a_connection)
{
	char b[4];
	int l;

	inet_fresh();
	l = inet_server(5);
	CHECK_EQ(inet_now(l, POLLIN | POLLOUT), 0);
	CHECK_ERRNO(recv(l, b, sizeof(b), 0), ENOTCONN);
	CHECK_ERRNO(send(l, b, sizeof(b), MSG_NOSIGNAL), EPIPE);
	CHECK_ERRNO(inet_connect(l, 9), EISCONN);
	CHECK_EQ(inet_get(l, SOL_SOCKET, SO_ACCEPTCONN), 1);
	CHECK_ERRNO(ioctl(l, FIONREAD, &(int){ 0 }), EINVAL);
	/* A new length of the queue may be set. */
	CHECK_OK(listen(l, 7));
}

TEST(accept_needs_a_listener)
{
	int s[2];

	inet_fresh();
	CHECK_ERRNO(accept(inet_socket(SOCK_STREAM), NULL, NULL), EINVAL);
	inet_pair(s);
	CHECK_ERRNO(accept(s[0], NULL, NULL), EINVAL);
	CHECK_ERRNO(listen(s[0], 5), EINVAL);
}

TEST(accept_that_may_not_wait)
{
	int l, s;

	inet_fresh();
	l = inet_server(5);
	inet_nonblock(l);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	CHECK_EQ(inet_ready(l, POLLIN), POLLIN);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	CHECK_EQ(inet_now(l, POLLIN), 0);
}

TEST(listen_binds_who_is_not_bound)
{
	int l = -1, s;

	inet_fresh();
	l = inet_socket(SOCK_STREAM);
	CHECK_OK(listen(l, 5));
	CHECK_RANGE(inet_port(l), 32768, 60999);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
}

static void *
accept_late(void *arg)
{
	check_sleep_ms(200);
	return (void *)(long)accept(*(int *)arg, NULL, NULL);
}

/* A backlog of 1 has room for two; the third waits until one of them is accepted. */
TEST(who_finds_no_room_waits_for_it)
{
	int l, s[3];
	pthread_t t;
	void *got;

	inet_fresh();
	l = inet_server(1);
	for (int i = 0; i < 2; i++) {
		s[i] = inet_socket(SOCK_STREAM);
		CHECK_OK(inet_connect(s[i], inet_port(l)));
	}
	s[2] = inet_socket(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_ERRNO(inet_connect(s[2], inet_port(l)), EINPROGRESS);
	check_sleep_ms(50);
	CHECK_EQ(inet_now(s[2], POLLIN | POLLOUT), 0);
	CHECK_ERRNO(inet_connect(s[2], inet_port(l)), EALREADY);
	CHECK_RETURNS(pthread_create(&t, NULL, accept_late, &l), 0);
	CHECK_EQ(inet_ready(s[2], POLLOUT), POLLOUT);
	CHECK_OK(inet_connect(s[2], inet_port(l)));
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK((long)got >= 0);
	CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(accept(l, NULL, NULL));
}

TEST(who_waits_for_room_is_refused_when_the_listener_closes)
{
	int l, s[2], waits;

	inet_fresh();
	l = inet_server(0);
	s[0] = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s[0], inet_port(l)));
	waits = inet_socket(SOCK_STREAM | SOCK_NONBLOCK);
	CHECK_ERRNO(inet_connect(waits, inet_port(l)), EINPROGRESS);
	check_sleep_ms(50);
	CHECK_EQ(inet_now(waits, POLLOUT), 0);
	CHECK_OK(close(l));
	inet_until(waits, POLLOUT, POLLOUT | POLLERR | POLLHUP);
	CHECK_EQ(inet_get(waits, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	/* Who was in the queue is reset. */
	inet_until(s[0], POLLIN, POLLIN | POLLERR | POLLHUP);
	CHECK_ERRNO(recv(s[0], &(char){ 0 }, 1, 0), ECONNRESET);
}

TEST(bytes_may_be_sent_before_anybody_accepts)
{
	char b[4];
	int l, s, a;

	inet_fresh();
	l = inet_server(5);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	CHECK_EQ(write(s, "hi", 2), 2);
	CHECK_OK(close(s));
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(read(a, b, sizeof(b)), 2);
	CHECK_EQ(read(a, b, sizeof(b)), 0);
}

TEST(no_family_dissolves_a_connection)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	int l, s, a;

	inet_fresh();
	l = inet_server(5);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(connect(s, &none, sizeof(none)));
	inet_until(a, POLLIN, POLLIN | POLLERR | POLLHUP);
	CHECK_ERRNO(recv(a, &none, 1, 0), ECONNRESET);
	/* And it may connect again. */
	CHECK_OK(inet_connect(s, inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(write(s, "x", 1), 1);
	CHECK_EQ(read(a, &none, 1), 1);
}

TEST(addresses_that_cannot_be)
{
	struct sockaddr_in a = inet_here(9);
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, 1), EINVAL);
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, sizeof(a) - 1), EINVAL);
	a.sin_family = AF_UNIX;
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, sizeof(a)), EAFNOSUPPORT);
	a = inet_at(0x0a000001, 9);
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, sizeof(a)), ENETUNREACH);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, sizeof(a)), EADDRNOTAVAIL);
	CHECK_ERRNO(getpeername(s, (struct sockaddr *)&a, &(socklen_t){ sizeof(a) }), ENOTCONN);
	CHECK_ERRNO(socketpair(AF_INET, SOCK_STREAM, 0, (int[2]){ 0 }), EOPNOTSUPP);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_STREAM, 300), EINVAL);
	CHECK_ERRNO(socket(AF_INET, SOCK_SEQPACKET, 0), ESOCKTNOSUPPORT);
}

TEST(any_address_is_this_machine)
{
	struct sockaddr_in any = inet_at(INADDR_ANY, 0);
	int l, s;

	inet_fresh();
	l = inet_server(5);
	any.sin_port = htons(inet_port(l));
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(connect(s, (struct sockaddr *)&any, sizeof(any)));
	CHECK_OK(getpeername(s, (struct sockaddr *)&any, &(socklen_t){ sizeof(any) }));
	CHECK_EQ(ntohl(any.sin_addr.s_addr), INADDR_LOOPBACK);
}

/* All of 127.0.0.0/8 is here; who goes there comes from 127.0.0.1, unless he says otherwise. */
TEST(other_loopback_addresses)
{
	struct sockaddr_in a = inet_at(0x7f010203, 0);
	socklen_t size = sizeof(a);
	int l, s;

	inet_fresh();
	l = inet_socket(SOCK_STREAM);
	CHECK_OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(l, 5));
	s = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_connect(s, inet_port(l)), ECONNREFUSED);
	a.sin_port = htons(inet_port(l));
	CHECK_OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(ntohl(a.sin_addr.s_addr), INADDR_LOOPBACK);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(s, 0x7f000009, 0));
	a = inet_at(0x7f010203, inet_port(l));
	CHECK_OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(ntohl(a.sin_addr.s_addr), 0x7f000009);
}

TEST(who_calls_itself_answers)
{
	char data[4];
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 5000));
	CHECK_OK(inet_connect(s, 5000));
	CHECK_EQ(send(s, "echo", 4, 0), 4);
	CHECK_EQ(recv(s, data, 4, MSG_WAITALL), 4);
	CHECK_MEM(data, "echo", 4);
	CHECK_OK(shutdown(s, SHUT_WR));
	CHECK_EQ(recv(s, data, 4, 0), 0);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_OK(close(s));
	/* With something unread it is reset, which leaves nothing behind. */
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 5001));
	CHECK_OK(inet_connect(s, 5001));
	CHECK_EQ(send(s, "echo", 4, 0), 4);
	CHECK_OK(close(s));
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 5001));
}

TEST(ports_run_out_and_come_back)
{
	enum { PORTS = 8 };
	struct sockaddr_in elsewhere = inet_at(0x7f000002, 5000);
	struct linger at_once = { 1, 0 };
	int fd, l, s, last = -1;

	inet_fresh();
	fd = CHECK_OK(open("/proc/sys/net/ipv4/ip_local_port_range", O_WRONLY));
	CHECK_EQ(write(fd, "40000 40007", 11), 11);
	l = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(l, INADDR_ANY, 5000));
	CHECK_OK(listen(l, 64));
	for (int i = 0; i < PORTS; i++) {
		last = inet_socket(SOCK_STREAM);
		CHECK_OK(inet_connect(last, 5000));
	}
	s = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_connect(s, 5000), EADDRNOTAVAIL);
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 0), EADDRINUSE);
	/* Ports are many for each place that one goes to. */
	CHECK_OK(connect(inet_socket(SOCK_STREAM), (struct sockaddr *)&elsewhere, sizeof(elsewhere)));
	CHECK_OK(setsockopt(last, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)));
	CHECK_OK(close(last));
	CHECK_OK(inet_connect(s, 5000));
}

static bool
lo_is_up(int s)
{
	struct ifreq r = { .ifr_name = "lo" };

	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	return r.ifr_flags & IFF_UP;
}

/* Wherever its program has gone since. */
TEST(a_connection_is_of_the_network_of_its_listener)
{
	int l, c, a, later;

	inet_fresh();
	l = inet_server(1);
	c = inet_socket(SOCK_STREAM);
	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_OK(inet_connect(c, inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK(lo_is_up(l) && lo_is_up(a));
	later = inet_socket(SOCK_STREAM);
	CHECK(!lo_is_up(later));
	CHECK_ERRNO(inet_connect(later, inet_port(l)), ENETUNREACH);
	CHECK_EQ(write(c, "x", 1), 1);
	CHECK_OK(close(l));
	CHECK_OK(close(c));
	CHECK_STR(inet_text(a, 0), "x");
	CHECK_STR(inet_text(a, 0), "");
	CHECK_OK(close(a));
}

/* What bind named stays; where it was connected to, and from, does not. */
TEST(a_bound_socket_is_free_of_its_connection)
{
	struct sockaddr_in elsewhere = inet_at(0x7f000002, 5001);
	int s[2], any, l, pair;

	inet_fresh();
	for (int i = 0; i < 2; i++) {
		s[i] = inet_socket(SOCK_STREAM);
		inet_set(s[i], SOL_SOCKET, SO_REUSEADDR, 1);
		CHECK_OK(inet_bind(s[i], INADDR_LOOPBACK, 5000));
	}
	CHECK_ERRNO(inet_connect(s[0], 6000), ECONNREFUSED);
	CHECK_ERRNO(inet_connect(s[1], 6000), ECONNREFUSED);
	l = inet_server(1);
	CHECK_OK(inet_connect(s[0], inet_port(l)));
	CHECK_ERRNO(inet_connect(s[1], inet_port(l)), EADDRNOTAVAIL);
	pair = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(connect(s[0], &(struct sockaddr){ .sa_family = AF_UNSPEC }, sizeof(struct sockaddr)));
	inet_until(pair, POLLHUP, POLLHUP | POLLERR);
	CHECK_OK(inet_connect(s[1], inet_port(l)));

	any = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(any, INADDR_ANY, 5001));
	CHECK_ERRNO(inet_connect(any, 6000), ECONNREFUSED);
	CHECK_OK(listen(any, 1));
	CHECK_OK(connect(inet_socket(SOCK_STREAM), (struct sockaddr *)&elsewhere, sizeof(elsewhere)));
}
