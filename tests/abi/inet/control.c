/* SPDX-License-Identifier: MIT */
/* What travels beside datagrams, and the options that say so: ip(7), ipv6(7), udp(7), RFC 3542. */
#include "inet.h"

#include <netinet/udp.h>

static int
receiver(void)
{
	int s = inet_socket(SOCK_DGRAM);

	CHECK_OK(inet_bind(s, INADDR_ANY, 0));
	return s;
}

/* One message of up to 99 bytes; the control message of that level and type, or NULL. */
static const void *
receive(int s, int level, int type, size_t *size)
{
	static char b[100], control[256];
	struct iovec v = { b, sizeof(b) };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };

	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_OK(recvmsg(s, &m, 0));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c))
		if (c->cmsg_level == level && c->cmsg_type == type) {
			*size = c->cmsg_len - CMSG_LEN(0);
			return CMSG_DATA(c);
		}
	return NULL;
}

static ssize_t
send_to_with(int s, void *to, socklen_t to_size, int level, int type, const void *data, size_t size)
{
	char control[64] = { 0 };
	struct iovec v = { "hello", 5 };
	struct msghdr m = { .msg_name = to, .msg_namelen = to_size, .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = CMSG_SPACE(size) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(size);
	memcpy(CMSG_DATA(c), data, size);
	return sendmsg(s, &m, 0);
}

static ssize_t
send_with(int s, uint16_t port, int level, int type, const void *data, size_t size)
{
	struct sockaddr_in to = inet_here(port);

	return send_to_with(s, &to, sizeof(to), level, type, data, size);
}

TEST(where_a_datagram_came_to)
{
	const struct in_pktinfo *i;
	struct sockaddr_in to;
	size_t size;
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	inet_set(r, IPPROTO_IP, IP_PKTINFO, 1);
	to = inet_at(0x7f000005, inet_port(r));
	CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	i = receive(r, IPPROTO_IP, IP_PKTINFO, &size);
	CHECK(i != NULL);
	CHECK_EQ(size, sizeof(*i));
	CHECK_EQ(i->ipi_ifindex, 1);
	CHECK_EQ(ntohl(i->ipi_addr.s_addr), 0x7f000005);
	CHECK_EQ(ntohl(i->ipi_spec_dst.s_addr), 0x7f000005);
	inet_set(r, IPPROTO_IP, IP_PKTINFO, 0);
	CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	CHECK(receive(r, IPPROTO_IP, IP_PKTINFO, &size) == NULL);
}

TEST(the_source_may_be_said_with_the_datagram)
{
	struct in_pktinfo i = { .ipi_spec_dst.s_addr = htonl(0x7f000007) };
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char b[8];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	CHECK_EQ(send_with(s, inet_port(r), IPPROTO_IP, IP_PKTINFO, &i, sizeof(i)), 5);
	CHECK_EQ(recvfrom(r, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 5);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), 0x7f000007);
	CHECK_ERRNO(send_with(s, inet_port(r), IPPROTO_IP, IP_PKTINFO, &i, 3), EINVAL);
	CHECK_ERRNO(send_with(s, inet_port(r), IPPROTO_IP, 200, &i, sizeof(i)), EINVAL);
}

TEST(ttl_and_tos)
{
	const void *p;
	int ttl = 7, tos = 0x10;
	size_t size;
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	inet_set(r, IPPROTO_IP, IP_RECVTTL, 1);
	CHECK_EQ(send_with(s, inet_port(r), IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), 5);
	p = receive(r, IPPROTO_IP, IP_TTL, &size);
	CHECK(p != NULL);
	CHECK_EQ(size, sizeof(int));
	CHECK_EQ(*(const int *)p, 7);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_TTL), 64);
	inet_set(s, IPPROTO_IP, IP_TTL, 9);
	CHECK_EQ(send(s, "x", 1, 0), -1);
	CHECK_EQ(send_with(s, inet_port(r), IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 5);
	p = receive(r, IPPROTO_IP, IP_TTL, &size);
	CHECK(p != NULL);
	CHECK_EQ(*(const int *)p, 9);
	inet_set(r, IPPROTO_IP, IP_RECVTTL, 0);
	inet_set(r, IPPROTO_IP, IP_RECVTOS, 1);
	CHECK_EQ(send_with(s, inet_port(r), IPPROTO_IP, IP_TOS, &tos, sizeof(tos)), 5);
	p = receive(r, IPPROTO_IP, IP_TOS, &size);
	CHECK(p != NULL);
	CHECK_EQ(size, 1);
	CHECK_EQ(*(const uint8_t *)p, 0x10);
	ttl = 0;
	CHECK_ERRNO(send_with(s, inet_port(r), IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), EINVAL);
	ttl = 256;
	CHECK_ERRNO(send_with(s, inet_port(r), IPPROTO_IP, IP_TTL, &ttl, sizeof(ttl)), EINVAL);
}

TEST(numbers_of_ip)
{
	uint8_t byte = 5;
	socklen_t size = 1;
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){ 0 }, 4), EINVAL);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_TTL, &(int){ 256 }, 4), EINVAL);
	inet_set(s, IPPROTO_IP, IP_TTL, -1);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_TTL), 64);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_TTL, &byte, 1));
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_TTL), 5);
	byte = 0;
	CHECK_OK(getsockopt(s, IPPROTO_IP, IP_TTL, &byte, &size));
	CHECK_EQ(size, 1);
	CHECK_EQ(byte, 5);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_MULTICAST_TTL), 1);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_WANT);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ 9 }, 4), EINVAL);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 1);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_RECVERR), 1);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, 222, &(int){ 1 }, 4), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &(int){ 1 }, 4), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, 4), ENOPROTOOPT);
	s = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_EQ(inet_get(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS), 64);
	inet_set(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 0);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &(int){ 300 }, 4), EINVAL);
	CHECK_EQ(inet_get(s, IPPROTO_IPV6, IPV6_RECVPKTINFO), 0);
	inet_set(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	CHECK_EQ(inet_get(s, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
}

TEST(options_of_another_kind_of_socket)
{
	int t, u, six, on = 1, stamps[2] = { 7, 7 };
	socklen_t size = sizeof(stamps);

	inet_fresh();
	t = inet_socket(SOCK_STREAM);
	u = inet_socket(SOCK_DGRAM);
	six = CHECK_OK(socket(AF_INET6, SOCK_STREAM, 0));
	CHECK_ERRNO(setsockopt(t, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)), ENOPROTOOPT);
	CHECK_ERRNO(setsockopt(u, IPPROTO_IP, IP_HDRINCL, &on, sizeof(on)), ENOPROTOOPT);
	CHECK_EQ(inet_get(u, IPPROTO_IP, IP_HDRINCL), 0);
	CHECK_ERRNO(setsockopt(t, IPPROTO_IP, IP_MULTICAST_TTL, &on, sizeof(on)), EINVAL);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MULTICAST_TTL, &on, sizeof(on)));
	CHECK_ERRNO(setsockopt(t, IPPROTO_IP, IP_RECVFRAGSIZE, &on, sizeof(on)), EINVAL);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_RECVFRAGSIZE, &on, sizeof(on)));
	CHECK_ERRNO(setsockopt(six, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &on, sizeof(on)), ENOPROTOOPT);
	inet_set(u, SOL_SOCKET, SO_TIMESTAMPING, 1 << 4);
	CHECK_OK(getsockopt(u, SOL_SOCKET, SO_TIMESTAMPING, stamps, &size));
	CHECK_EQ(size, 8);
	CHECK_EQ(stamps[0], 1 << 4);
	CHECK_EQ(stamps[1], 0);
}

TEST(version_6_says_where_too)
{
	const struct in6_pktinfo *i;
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const int *hops;
	size_t size;
	int r, s;

	inet_fresh();
	r = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(bind(r, (struct sockaddr *)&(struct sockaddr_in6){ .sin6_family = AF_INET6 }, sizeof(to)));
	s = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	to.sin6_port = htons(inet_port(r));
	inet_set(r, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	i = receive(r, IPPROTO_IPV6, IPV6_PKTINFO, &size);
	CHECK(i != NULL);
	CHECK_EQ(size, sizeof(*i));
	CHECK_EQ(i->ipi6_ifindex, 1);
	CHECK_MEM(&i->ipi6_addr, &to.sin6_addr, 16);
	inet_set(r, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	hops = receive(r, IPPROTO_IPV6, IPV6_HOPLIMIT, &size);
	CHECK(hops != NULL);
	CHECK_EQ(*hops, 64);
}

TEST(one_send_of_several_datagrams)
{
	struct sockaddr_in to;
	char b[10];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_UDP, UDP_SEGMENT, 4);
	CHECK_EQ(inet_get(s, IPPROTO_UDP, UDP_SEGMENT), 4);
	to = inet_here(inet_port(r));
	CHECK_EQ(sendto(s, "aaaabbbbcc", 10, 0, (struct sockaddr *)&to, sizeof(to)), 10);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 4);
	CHECK_MEM(b, "aaaa", 4);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 4);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 2);
	CHECK_ERRNO(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){ 70000 }, 4), EINVAL);
}

/* Nobody speaks in somebody else's name. */
#define OTHERS 0x08080808u

TEST(who_is_bound_to_what_is_not_ours_says_nothing)
{
	const int types[] = { SOCK_DGRAM, SOCK_STREAM };
	struct sockaddr_in to;

	inet_fresh();
	to = inet_here(inet_port(receiver()));
	for (int n = 0; n < 2; n++) {
		int s = inet_socket(types[n]);

		inet_set(s, IPPROTO_IP, IP_FREEBIND, 1);
		CHECK_OK(inet_bind(s, OTHERS, 0));
		CHECK_ERRNO(connect(s, (struct sockaddr *)&to, sizeof(to)), ENETUNREACH);
		if (types[n] == SOCK_DGRAM)
			CHECK_ERRNO(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), ENETUNREACH);
	}
}

TEST(a_source_that_is_said_is_ours)
{
	static const uint32_t nobodys[] = { 0xe0000001, 0xffffffff };
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT, .sin6_port = htons(9) };
	struct in6_pktinfo i6 = { .ipi6_addr = IN6ADDR_LOOPBACK_INIT };
	struct in_pktinfo i = { 0 };
	int s, s6;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	s6 = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	for (size_t n = 0; n < sizeof(nobodys) / sizeof(nobodys[0]); n++) {
		i.ipi_spec_dst.s_addr = htonl(nobodys[n]);
		CHECK_ERRNO(send_with(s, 9, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i)), EINVAL);
	}
	i.ipi_spec_dst.s_addr = htonl(OTHERS);
	CHECK_ERRNO(send_with(s, 9, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i)), ENETUNREACH);
	inet_set(s, IPPROTO_IP, IP_FREEBIND, 1);
	CHECK_ERRNO(send_with(s, 9, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i)), ENETUNREACH);
	inet_set(s, IPPROTO_IP, IP_TRANSPARENT, 1);
	CHECK_EQ(send_with(s, 9, IPPROTO_IP, IP_PKTINFO, &i, sizeof(i)), 5);
	CHECK_EQ(send_to_with(s6, &to, sizeof(to), IPPROTO_IPV6, IPV6_PKTINFO, &i6, sizeof(i6)), 5);
	CHECK_EQ(inet_pton(AF_INET6, "2001:db8::9", &i6.ipi6_addr), 1);
	CHECK_ERRNO(send_to_with(s6, &to, sizeof(to), IPPROTO_IPV6, IPV6_PKTINFO, &i6, sizeof(i6)), EINVAL);
}

TEST(one_send_of_too_many_datagrams)
{
	struct sockaddr_in to;
	char b[600] = { 0 };
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_UDP, UDP_SEGMENT, 4);
	to = inet_here(inet_port(r));
	CHECK_ERRNO(sendto(s, b, 600, 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
	CHECK_ERRNO(recv(r, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	CHECK_EQ(sendto(s, b, 200, 0, (struct sockaddr *)&to, sizeof(to)), 200);
	for (int i = 0; i < 50; i++)
		CHECK_EQ(recv(r, b, sizeof(b), 0), 4);
	CHECK_ERRNO(recv(r, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
}

TEST(a_corked_socket)
{
	struct sockaddr_in to;
	char b[10];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	to = inet_here(inet_port(r));
	inet_set(s, IPPROTO_UDP, UDP_CORK, 1);
	CHECK_EQ(sendto(s, "ab", 2, 0, (struct sockaddr *)&to, sizeof(to)), 2);
	CHECK_EQ(sendto(s, "cd", 2, 0, (struct sockaddr *)&to, sizeof(to)), 2);
	check_sleep_ms(20);
	CHECK_ERRNO(recv(r, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	inet_set(s, IPPROTO_UDP, UDP_CORK, 0);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 4);
	CHECK_MEM(b, "abcd", 4);
}

/* What is too long fails at the part that makes it so, and nothing is left of it. */
TEST(a_corked_datagram_that_is_too_long)
{
	static char big[65535];
	char b[10];
	int r, s;

	inet_fresh();
	r = receiver();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_connect(s, inet_port(r)));
	CHECK_ERRNO(send(s, big, sizeof(big), MSG_MORE), EMSGSIZE);
	CHECK_ERRNO(send(s, big, 65508, MSG_MORE), EMSGSIZE);
	CHECK_EQ(send(s, "ab", 2, MSG_MORE), 2);
	CHECK_ERRNO(send(s, big, 65506, 0), EMSGSIZE);
	CHECK_EQ(send(s, "c", 1, 0), 1);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 1);
	CHECK_MEM(b, "c", 1);
}
