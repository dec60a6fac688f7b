/* SPDX-License-Identifier: MIT */
/* Multicast: groups, their senders, and by which interface one sends. ip(7), ipv6(7), RFC 3678. */
#include "inet.h"

#define GROUP 0xe9000001u /* 233.0.0.1 */

static int
receiver(uint16_t port)
{
	int s = inet_socket(SOCK_DGRAM);

	inet_set(s, SOL_SOCKET, SO_REUSEADDR, 1);
	CHECK_OK(inet_bind(s, INADDR_ANY, port));
	return s;
}

static struct ip_mreqn
request(uint32_t group)
{
	return (struct ip_mreqn){ .imr_multiaddr.s_addr = htonl(group), .imr_ifindex = 1 };
}

static int
sender(void)
{
	struct ip_mreqn r = { .imr_ifindex = 1 };
	int s = inet_socket(SOCK_DGRAM);

	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)));
	return s;
}

static ssize_t
send_group(int s, uint32_t group, uint16_t port, const char *text)
{
	struct sockaddr_in to = inet_at(group, port);

	return sendto(s, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to));
}

TEST(a_group_is_joined_and_left)
{
	struct ip_mreqn r = request(GROUP);
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), EADDRINUSE);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, 7), EINVAL);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)), EADDRNOTAVAIL);
	r.imr_ifindex = 77;
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), ENODEV);
	r = request(0x0a000001);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), EINVAL);
	r = request(GROUP);
	/* No interface is named, and no way leads there. */
	r.imr_ifindex = 0;
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), ENODEV);
	r.imr_address.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, 8));
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, 8));
	CHECK_ERRNO(setsockopt(inet_socket(SOCK_STREAM), IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), EPROTO);
	for (uint32_t i = 0; i < 20; i++) {
		r = request(GROUP + i);
		CHECK_OK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	}
	r = request(GROUP + 20);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)), ENOBUFS);
}

TEST(members_hear_what_is_sent)
{
	struct ip_mreqn r = request(GROUP);
	int a, b, s;

	inet_fresh();
	a = receiver(0);
	b = receiver(inet_port(a));
	s = sender();
	/* Nobody is a member. */
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "zero"), 4);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "-");
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &r, sizeof(r)));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "one"), 3);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "one");
	/* It is no member, but hears what the machine has joined. */
	CHECK_EQ(inet_ready(b, POLLIN), POLLIN);
	CHECK_STR(inet_text(b, MSG_DONTWAIT), "one");
	inet_set(b, IPPROTO_IP, IP_MULTICAST_ALL, 0);
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "two"), 3);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "two");
	CHECK_STR(inet_text(b, MSG_DONTWAIT), "-");
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_DROP_MEMBERSHIP, &r, sizeof(r)));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "three"), 5);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "-");
}

TEST(some_senders_only)
{
	struct ip_mreq_source r = { .imr_multiaddr.s_addr = htonl(GROUP), .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				    .imr_sourceaddr.s_addr = htonl(0x7f000005) };
	int a, s;

	inet_fresh();
	a = receiver(0);
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &r, sizeof(r)));
	s = sender();
	CHECK_OK(inet_bind(s, 0x7f000006, 0));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "not heard"), 9);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "-");
	s = sender();
	CHECK_OK(inet_bind(s, 0x7f000005, 0));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "heard"), 5);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "heard");
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, &r, sizeof(r)), EADDRNOTAVAIL);
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &r, sizeof(r)), EINVAL);
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, IP_DROP_SOURCE_MEMBERSHIP, &r, sizeof(r)), EINVAL);
}

TEST(all_senders_but_one)
{
	struct ip_mreqn m = request(GROUP);
	struct ip_mreq_source r = { .imr_multiaddr.s_addr = htonl(GROUP), .imr_interface.s_addr = htonl(INADDR_LOOPBACK),
				    .imr_sourceaddr.s_addr = htonl(0x7f000005) };
	int a, s;

	inet_fresh();
	a = receiver(0);
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof(m)));
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_BLOCK_SOURCE, &r, sizeof(r)));
	s = sender();
	CHECK_OK(inet_bind(s, 0x7f000005, 0));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "not heard"), 9);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "-");
	CHECK_OK(setsockopt(a, IPPROTO_IP, IP_UNBLOCK_SOURCE, &r, sizeof(r)));
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "heard"), 5);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "heard");
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, IP_UNBLOCK_SOURCE, &r, sizeof(r)), EADDRNOTAVAIL);
}

TEST(by_which_interface)
{
	struct in_addr at = { htonl(INADDR_LOOPBACK) };
	struct ip_mreqn r = { .imr_ifindex = 55 };
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_ERRNO(send_group(s, GROUP, 9, "x"), ENETUNREACH);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_MULTICAST_IF), 0);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof(at)));
	CHECK_EQ((uint32_t)inet_get(s, IPPROTO_IP, IP_MULTICAST_IF), htonl(INADDR_LOOPBACK));
	CHECK_EQ(send_group(s, GROUP, 9, "x"), 1);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &r, sizeof(r)), EADDRNOTAVAIL);
	at.s_addr = htonl(0x0a010203);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof(at)), EADDRNOTAVAIL);
	at.s_addr = 0;
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &at, sizeof(at)));
	CHECK_ERRNO(send_group(s, GROUP, 9, "x"), ENETUNREACH);
}

TEST(groups_of_version_6)
{
	struct ipv6_mreq r = { .ipv6mr_interface = 1 };
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };
	int a, s;

	inet_fresh();
	CHECK_EQ(inet_pton(AF_INET6, "ff02::1234", &r.ipv6mr_multiaddr), 1);
	a = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(bind(a, (struct sockaddr *)&any, sizeof(any)));
	CHECK_OK(setsockopt(a, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(a, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r, sizeof(r)), EADDRINUSE);
	s = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	inet_set(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1);
	CHECK_EQ(inet_get(s, IPPROTO_IPV6, IPV6_MULTICAST_IF), 1);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &(int){ 99 }, 4), ENODEV);
	CHECK_OK(setsockopt(a, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(a, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &r, sizeof(r)), EADDRNOTAVAIL);
	r.ipv6mr_interface = 99;
	CHECK_ERRNO(setsockopt(a, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &r, sizeof(r)), ENODEV);
}

TEST(groups_by_the_newer_calls)
{
	struct group_req r = { .gr_interface = 1 };
	struct sockaddr_in group = inet_at(GROUP, 0);
	int a, s;

	inet_fresh();
	memcpy(&r.gr_group, &group, sizeof(group));
	a = receiver(0);
	CHECK_OK(setsockopt(a, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, MCAST_JOIN_GROUP, &r, sizeof(r)), EADDRINUSE);
	s = sender();
	CHECK_EQ(send_group(s, GROUP, inet_port(a), "new"), 3);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_STR(inet_text(a, MSG_DONTWAIT), "new");
	CHECK_OK(setsockopt(a, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)));
	CHECK_ERRNO(setsockopt(a, IPPROTO_IP, MCAST_LEAVE_GROUP, &r, sizeof(r)), EADDRNOTAVAIL);
}
