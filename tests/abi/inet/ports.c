/* SPDX-License-Identifier: MIT */
/* Who may have which port: bind(2), SO_REUSEADDR and SO_REUSEPORT of socket(7), ip(7), ipv6(7). */
#include "inet.h"

#include <sys/prctl.h>

static int
bound(uint32_t address, uint16_t port, int option)
{
	int s = inet_socket(SOCK_STREAM);

	if (option)
		inet_set(s, SOL_SOCKET, option, 1);
	CHECK_OK(inet_bind(s, address, port));
	return s;
}

TEST(a_port_of_its_own)
{
	int s, other;

	inet_fresh();
	s = bound(INADDR_LOOPBACK, 0, 0);
	CHECK_RANGE(inet_port(s), 32768, 60999);
	other = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_bind(other, INADDR_LOOPBACK, inet_port(s)), EADDRINUSE);
	CHECK_ERRNO(inet_bind(other, INADDR_ANY, inet_port(s)), EADDRINUSE);
	CHECK_OK(inet_bind(other, 0x7f000002, inet_port(s)));
	CHECK_ERRNO(inet_bind(s, INADDR_LOOPBACK, 0), EINVAL);
	CHECK_OK(close(s));
}

TEST(a_port_is_free_again_after_close)
{
	uint16_t port;
	int s;

	inet_fresh();
	s = bound(INADDR_LOOPBACK, 0, 0);
	port = inet_port(s);
	CHECK_OK(close(s));
	s = bound(INADDR_LOOPBACK, port, 0);
	CHECK_OK(listen(s, 1));
	CHECK_OK(close(s));
	s = bound(INADDR_LOOPBACK, port, 0);
}

TEST(addresses_may_be_shared_by_who_does_not_listen)
{
	int a, b, c;

	inet_fresh();
	a = bound(INADDR_LOOPBACK, 5000, SO_REUSEADDR);
	b = bound(INADDR_LOOPBACK, 5000, SO_REUSEADDR);
	c = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_bind(c, INADDR_LOOPBACK, 5000), EADDRINUSE);
	CHECK_OK(listen(a, 1));
	CHECK_ERRNO(listen(b, 1), EADDRINUSE);
	inet_set(c, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_ERRNO(inet_bind(c, INADDR_LOOPBACK, 5000), EADDRINUSE);
}

TEST(listeners_share_a_port)
{
	int l[3], got[3] = { 0 };

	inet_fresh();
	for (int i = 0; i < 3; i++) {
		l[i] = bound(INADDR_LOOPBACK, 5000, SO_REUSEPORT);
		CHECK_OK(listen(l[i], 100));
		inet_nonblock(l[i]);
	}
	for (int n = 0; n < 60; n++)
		CHECK_OK(inet_connect(inet_socket(SOCK_STREAM), 5000));
	for (int i = 0; i < 3; i++)
		while (accept(l[i], NULL, NULL) >= 0)
			got[i]++;
	CHECK_EQ(got[0] + got[1] + got[2], 60);
	for (int i = 0; i < 3; i++)
		CHECK_RANGE(got[i], 1, 58);
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 5000), EADDRINUSE);
}

TEST(the_closest_listener_gets_it)
{
	int any, near;

	inet_fresh();
	any = bound(INADDR_ANY, 5000, SO_REUSEPORT);
	near = bound(0x7f000002, 5000, SO_REUSEPORT);
	CHECK_OK(listen(any, 5));
	CHECK_OK(listen(near, 5));
	inet_nonblock(any);
	inet_nonblock(near);
	for (int i = 0; i < 2; i++) {
		struct sockaddr_in a = inet_at(0x7f000001u + (uint32_t)i, 5000);

		CHECK_OK(connect(inet_socket(SOCK_STREAM), (struct sockaddr *)&a, sizeof(a)));
	}
	CHECK_EQ(inet_ready(any, POLLIN), POLLIN);
	CHECK_EQ(inet_ready(near, POLLIN), POLLIN);
	CHECK_OK(accept(any, NULL, NULL));
	CHECK_ERRNO(accept(any, NULL, NULL), EAGAIN);
	CHECK_OK(accept(near, NULL, NULL));
}

TEST(low_ports_need_a_right)
{
	pid_t pid;

	inet_fresh();
	bound(INADDR_LOOPBACK, 80, 0);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 81), EACCES);
		CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 1024));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(sharing_a_port_with_another_user)
{
	pid_t pid;

	inet_fresh();
	bound(INADDR_LOOPBACK, 5000, SO_REUSEPORT);
	pid = check_fork();
	if (pid == 0) {
		int s = inet_socket(SOCK_STREAM);

		inet_set(s, SOL_SOCKET, SO_REUSEPORT, 1);
		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		s = inet_socket(SOCK_STREAM);
		inet_set(s, SOL_SOCKET, SO_REUSEPORT, 1);
		CHECK_ERRNO(inet_bind(s, INADDR_LOOPBACK, 5000), EADDRINUSE);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(binding_without_a_family)
{
	struct sockaddr_in a = { 0 };
	int s;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK(inet_port(s) != 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_ERRNO(bind(inet_socket(SOCK_STREAM), (struct sockaddr *)&a, sizeof(a)), EAFNOSUPPORT);
	CHECK_ERRNO(bind(inet_socket(SOCK_STREAM), (struct sockaddr *)&a, 8), EINVAL);
}

/* --- IPv6 ----------------------------------------------------------------------------------------- */

static struct sockaddr_in6
at6(const char *address, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	CHECK_EQ(inet_pton(AF_INET6, address, &a.sin6_addr), 1);
	return a;
}

static int
socket6(void)
{
	return CHECK_OK(socket(AF_INET6, SOCK_STREAM, 0));
}

static int
bind6(int s, const char *address, uint16_t port)
{
	struct sockaddr_in6 a = at6(address, port);

	return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static int
connect6(int s, const char *address, uint16_t port)
{
	struct sockaddr_in6 a = at6(address, port);

	return connect(s, (struct sockaddr *)&a, sizeof(a));
}

static void
check_peer6(int s, const char *want)
{
	struct sockaddr_in6 a = { 0 };
	socklen_t size = sizeof(a);
	char text[64];

	CHECK_OK(getpeername(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, sizeof(a));
	CHECK_EQ(a.sin6_family, AF_INET6);
	CHECK_STR(inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text)), want);
}

TEST(connections_of_version_6)
{
	int l, s, a;

	inet_fresh();
	l = socket6();
	CHECK_OK(bind6(l, "::1", 0));
	CHECK_OK(listen(l, 5));
	s = socket6();
	CHECK_OK(connect6(s, "::1", inet_port(l)));
	a = CHECK_OK(accept(l, NULL, NULL));
	check_peer6(a, "::1");
	check_peer6(s, "::1");
	CHECK_EQ(write(s, "x", 1), 1);
	CHECK_EQ(read(a, &(char){ 0 }, 1), 1);
	/* Nobody listens there for version 4. */
	CHECK_ERRNO(inet_connect(inet_socket(SOCK_STREAM), inet_port(l)), ECONNREFUSED);
}

TEST(a_listener_for_both_versions)
{
	int l, a;

	inet_fresh();
	l = socket6();
	CHECK_OK(bind6(l, "::", 5000));
	CHECK_OK(listen(l, 5));
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_ANY, 5000), EADDRINUSE);
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 5000), EADDRINUSE);
	CHECK_OK(inet_connect(inet_socket(SOCK_STREAM), 5000));
	a = CHECK_OK(accept(l, NULL, NULL));
	check_peer6(a, "::ffff:127.0.0.1");
	CHECK_OK(connect6(socket6(), "::ffff:127.0.0.1", 5000));
	a = CHECK_OK(accept(l, NULL, NULL));
	check_peer6(a, "::ffff:127.0.0.1");
	CHECK_OK(connect6(socket6(), "::", 5000));
	a = CHECK_OK(accept(l, NULL, NULL));
	check_peer6(a, "::1");
}

TEST(a_listener_for_version_6_only)
{
	int l, four;

	inet_fresh();
	l = socket6();
	CHECK_EQ(inet_get(l, IPPROTO_IPV6, IPV6_V6ONLY), 0);
	inet_set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	CHECK_OK(bind6(l, "::", 5000));
	CHECK_ERRNO(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 0 }, sizeof(int)), EINVAL);
	CHECK_OK(listen(l, 5));
	CHECK_ERRNO(inet_connect(inet_socket(SOCK_STREAM), 5000), ECONNREFUSED);
	four = bound(INADDR_ANY, 5000, 0);
	CHECK_OK(listen(four, 5));
	CHECK_OK(inet_connect(inet_socket(SOCK_STREAM), 5000));
	CHECK_OK(accept(four, NULL, NULL));
	l = socket6();
	inet_set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	CHECK_ERRNO(bind6(l, "::ffff:127.0.0.1", 5001), EINVAL);
	CHECK_ERRNO(connect6(l, "::ffff:127.0.0.1", 5000), ENETUNREACH);
}

TEST(addresses_of_version_6_that_cannot_be)
{
	struct sockaddr_in6 a = at6("::1", 5000);
	int s;

	inet_fresh();
	s = socket6();
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, 16), EINVAL);
	CHECK_ERRNO(bind6(s, "2001:db8::1", 0), EADDRNOTAVAIL);
	CHECK_ERRNO(bind6(s, "fe80::1", 0), EINVAL);
	CHECK_ERRNO(connect6(s, "2001:db8::1", 9), ENETUNREACH);
	a.sin6_family = AF_INET;
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, sizeof(a)), EAFNOSUPPORT);
	/* The old form, without a scope, will do. */
	a = at6("::1", 5000);
	CHECK_OK(bind(s, (struct sockaddr *)&a, 24));
}

TEST(options_of_tcp)
{
	int s, l;

	inet_fresh();
	s = inet_socket(SOCK_STREAM);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_NODELAY), 0);
	inet_set(s, IPPROTO_TCP, TCP_NODELAY, 7);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPINTVL), 75);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPCNT), 9);
	inet_set(s, IPPROTO_TCP, TCP_KEEPIDLE, 10);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPIDLE), 10);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 0 }, 4), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 40000 }, 4), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 128 }, 4), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &(int){ 10 }, 4), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, 3), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, (void *)8, 4), EFAULT);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, 999, &(int){ 1 }, 4), ENOPROTOOPT);
	CHECK_ERRNO(getsockopt(s, IPPROTO_TCP, 999, &(int){ 1 }, &(socklen_t){ 4 }), ENOPROTOOPT);
	inet_set(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nonesuch", 8), ENOENT);
	/* Who is accepted is as the listener was. */
	l = inet_server(5);
	inet_set(l, IPPROTO_TCP, TCP_NODELAY, 1);
	inet_set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
	CHECK_OK(inet_connect(s, inet_port(l)));
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_NODELAY), 1);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_KEEPALIVE), 1);
}
