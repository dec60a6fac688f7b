/* SPDX-License-Identifier: MIT */
/* UDP between sockets of one machine. udp(7), RFC 768. */
#include "inet.h"

#include <netinet/udp.h>

static int
receiver(void)
{
	int s = inet_socket(SOCK_DGRAM);

	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 0));
	return s;
}

static ssize_t
send_to(int s, const void *b, size_t n, uint16_t port)
{
	struct sockaddr_in a = inet_here(port);

	return sendto(s, b, n, 0, (struct sockaddr *)&a, sizeof(a));
}

TEST(a_datagram_keeps_its_bounds_and_tells_who_sent_it)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char b[16];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	CHECK_EQ(send_to(s, "one", 3, inet_port(r)), 3);
	CHECK_EQ(send_to(s, "", 0, inet_port(r)), 0);
	CHECK_EQ(send_to(s, "three", 5, inet_port(r)), 5);
	CHECK_RANGE(inet_port(s), 32768, 60999);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(r, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 3);
	CHECK_MEM(b, "one", 3);
	CHECK_EQ(size, sizeof(from));
	CHECK_EQ(from.sin_family, AF_INET);
	CHECK_EQ(ntohs(from.sin_port), inet_port(s));
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 0);
	CHECK_EQ(recv(r, b, 2, MSG_TRUNC | MSG_PEEK), 5);
	CHECK_EQ(recv(r, b, 2, 0), 2);
	CHECK_ERRNO(recv(r, b, 2, MSG_DONTWAIT), EAGAIN);
}

TEST(sending_needs_an_address)
{
	struct sockaddr_in a = inet_here(0);
	static char big[66000];
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_ERRNO(send(s, "x", 1, 0), EDESTADDRREQ);
	CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), EINVAL);
	CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&a, 8), EINVAL);
	a.sin_family = AF_UNIX;
	a.sin_port = htons(9);
	CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), EAFNOSUPPORT);
	CHECK_ERRNO(send_to(s, big, 65508, 9), EMSGSIZE);
	CHECK_ERRNO(send_to(s, big, 66000, 9), EMSGSIZE);
	CHECK_EQ(send_to(s, big, 65507, 9), 65507);
	CHECK_ERRNO(send(s, "x", 1, MSG_OOB), EOPNOTSUPP);
	a = inet_at(0x0a000001, 9);
	CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&a, sizeof(a)), ENETUNREACH);
	a = inet_at(INADDR_BROADCAST, 9);
	CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
	CHECK_ERRNO(accept(s, NULL, NULL), EOPNOTSUPP);
	CHECK_ERRNO(shutdown(s, SHUT_WR), ENOTCONN);
}

TEST(a_connected_socket_hears_its_peer_only)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char b[8];
	int a, c, other;

	inet_fresh();
	a = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(a, INADDR_LOOPBACK, 5000));
	c = receiver();
	other = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_connect(a, inet_port(c)));
	CHECK_EQ(inet_peer_port(a), inet_port(c));
	CHECK_EQ(send(a, "hi", 2, 0), 2);
	CHECK_EQ(recv(c, b, sizeof(b), 0), 2);
	CHECK_EQ(send_to(other, "no", 2, inet_port(a)), 2);
	CHECK_EQ(send_to(c, "yes", 3, inet_port(a)), 3);
	CHECK_EQ(recv(a, b, sizeof(b), 0), 3);
	CHECK_ERRNO(recv(a, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	CHECK_OK(connect(a, &none, sizeof(none)));
	CHECK_ERRNO(getpeername(a, &none, &(socklen_t){ sizeof(none) }), ENOTCONN);
	CHECK_EQ(send_to(other, "now", 3, inet_port(a)), 3);
	CHECK_EQ(recv(a, b, sizeof(b), 0), 3);
}

TEST(nobody_is_there)
{
	char b[8];
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_EQ(send_to(s, "x", 1, 10), 1);
	CHECK_EQ(send_to(s, "x", 1, 10), 1);
	CHECK_OK(inet_connect(s, 9));
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(inet_ready(s, POLLIN) & POLLERR, POLLERR);
	CHECK_ERRNO(recv(s, b, sizeof(b), 0), ECONNREFUSED);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(inet_ready(s, POLLIN) & POLLERR, POLLERR);
	CHECK_ERRNO(send(s, "x", 1, 0), ECONNREFUSED);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(inet_ready(s, POLLIN) & POLLERR, POLLERR);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
}

TEST(what_finds_no_room_is_lost)
{
	static char b[1000];
	int r, s, n = 0;

	inet_fresh();
	r = receiver();
	inet_nonblock(r);
	inet_set(r, SOL_SOCKET, SO_RCVBUF, 8000);
	s = inet_socket(SOCK_DGRAM);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(send_to(s, b, sizeof(b), inet_port(r)), sizeof(b));
	while (recv(r, b, sizeof(b), 0) == sizeof(b))
		n++;
	CHECK_EQ(errno, EAGAIN);
	CHECK_RANGE(n, 4, 30);
	CHECK_EQ(send_to(s, "again", 5, inet_port(r)), 5);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 5);
}

TEST(the_length_of_the_next)
{
	int r, s, n = -1;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(ioctl(r, FIONREAD, &n));
	CHECK_EQ(n, 0);
	CHECK_EQ(send_to(s, "four", 4, inet_port(r)), 4);
	CHECK_EQ(send_to(s, "x", 1, inet_port(r)), 1);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_OK(ioctl(r, FIONREAD, &n));
	CHECK_EQ(n, 4);
}

TEST(a_datagram_in_parts)
{
	struct sockaddr_in a;
	char b[20];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	a = inet_here(inet_port(r));
	CHECK_EQ(sendto(s, "ab", 2, MSG_MORE, (struct sockaddr *)&a, sizeof(a)), 2);
	CHECK_EQ(sendto(s, "cd", 2, MSG_MORE, (struct sockaddr *)&a, sizeof(a)), 2);
	check_sleep_ms(20);
	CHECK_ERRNO(recv(r, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(sendto(s, "ef", 2, 0, (struct sockaddr *)&a, sizeof(a)), 2);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 6);
	CHECK_MEM(b, "abcdef", 6);
	CHECK_EQ(send_to(s, "x", 1, inet_port(r)), 1);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 1);
}

TEST(shutdown_of_a_connected_socket)
{
	char b[4];
	int a, c;

	inet_fresh();
	a = receiver();
	c = receiver();
	CHECK_OK(inet_connect(a, inet_port(c)));
	CHECK_OK(shutdown(a, SHUT_WR));
	CHECK_ERRNO(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(send_to(c, "y", 1, inet_port(a)), 1);
	CHECK_EQ(recv(a, b, sizeof(b), 0), 1);
	CHECK_OK(shutdown(a, SHUT_RD));
	CHECK_EQ(recv(a, b, sizeof(b), 0), 0);
	CHECK_EQ(inet_now(a, POLLIN | POLLOUT | POLLRDHUP), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);
}

TEST(peeking_moves_along)
{
	char b[10];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	inet_set(r, SOL_SOCKET, SO_PEEK_OFF, 0);
	CHECK_EQ(send_to(s, "abcd", 4, inet_port(r)), 4);
	CHECK_EQ(send_to(s, "ef", 2, inet_port(r)), 2);
	check_sleep_ms(20);
	CHECK_EQ(recv(r, b, 3, MSG_PEEK), 3);
	CHECK_EQ(inet_get(r, SOL_SOCKET, SO_PEEK_OFF), 3);
	CHECK_EQ(recv(r, b, 3, MSG_PEEK), 1);
	CHECK_EQ(recv(r, b, 3, MSG_PEEK), 2);
	CHECK_EQ(recv(r, b, 9, 0), 4);
	CHECK_EQ(inet_get(r, SOL_SOCKET, SO_PEEK_OFF), 2);
}

TEST(both_versions_at_one_socket)
{
	struct sockaddr_in6 from, to = { .sin6_family = AF_INET6 };
	socklen_t size = sizeof(from);
	char b[8], text[64];
	int r, s;

	inet_fresh();
	r = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(bind(r, (struct sockaddr *)&to, sizeof(to)));
	s = inet_socket(SOCK_DGRAM);
	CHECK_EQ(send_to(s, "four", 4, inet_port(r)), 4);
	CHECK_EQ(recvfrom(r, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 4);
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::ffff:127.0.0.1");
	CHECK_EQ(sendto(r, "back", 4, 0, (struct sockaddr *)&from, size), 4);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 4);
	s = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	to.sin6_addr = in6addr_loopback;
	to.sin6_port = htons(inet_port(r));
	CHECK_EQ(sendto(s, "six", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	CHECK_EQ(recvfrom(r, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 3);
	CHECK_STR(inet_ntop(AF_INET6, &from.sin6_addr, text, sizeof(text)), "::1");
}

TEST(many_at_once)
{
	struct mmsghdr m[3] = { 0 };
	struct iovec v[3];
	char b[3][8];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_connect(s, inet_port(r)));
	for (int i = 0; i < 3; i++) {
		v[i] = (struct iovec){ "abc", (size_t)i + 1 };
		m[i].msg_hdr.msg_iov = &v[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	CHECK_EQ(sendmmsg(s, m, 3, 0), 3);
	CHECK_EQ(m[2].msg_len, 3);
	for (int i = 0; i < 3; i++)
		v[i] = (struct iovec){ b[i], 8 };
	CHECK_EQ(recvmmsg(r, m, 3, 0, NULL), 3);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(m[i].msg_len, i + 1);
}

TEST(a_port_is_shared_only_by_consent)
{
	int a, b;

	inet_fresh();
	a = receiver();
	b = inet_socket(SOCK_DGRAM);
	CHECK_ERRNO(inet_bind(b, INADDR_LOOPBACK, inet_port(a)), EADDRINUSE);
	/* TCP's ports are others. */
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, inet_port(a)));
	inet_set(a, SOL_SOCKET, SO_REUSEADDR, 1);
	inet_set(b, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_OK(inet_bind(b, INADDR_LOOPBACK, inet_port(a)));
}

static void
read_counts(unsigned long long *bytes, unsigned long long *packets)
{
	FILE *f = fopen("/proc/net/dev", "r");
	char line[400];
	int found = 0;

	CHECK(f != NULL);
	while (fgets(line, sizeof(line), f))
		found += sscanf(line, " lo: %llu %llu", bytes, packets) == 2;
	CHECK_EQ(found, 1);
	fclose(f);
}

TEST(loopback_counts_datagrams)
{
	unsigned long long bytes[2], packets[2];
	struct sockaddr_in to;
	int r, s;

	inet_fresh();
	r = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(r, INADDR_LOOPBACK, 0));
	to = inet_here(inet_port(r));
	s = inet_socket(SOCK_DGRAM);
	/* Linux may be busy with IPv6's discovery just after loopback has come up: at least what was sent. */
	read_counts(&bytes[0], &packets[0]);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(sendto(s, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	read_counts(&bytes[1], &packets[1]);
	CHECK(packets[1] >= packets[0] + 3 && packets[1] < packets[0] + 20);
	CHECK(bytes[1] >= bytes[0] + 3 * 33);
}
