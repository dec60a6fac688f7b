/* SPDX-License-Identifier: MIT */
/* Raw sockets, and datagram sockets of ICMP: raw(7), icmp(7), RFC 3542. */
#include "inet.h"

#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

#define ICMP_FILTER 1 /* linux/icmp.h's, which cannot be had beside the C library's */

static uint16_t
sum_of(const void *data, size_t n)
{
	const uint8_t *b = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

struct echo {
	struct icmphdr header;
	char data[16];
};

static struct echo
echo_request(uint16_t id)
{
	struct echo e = { .header = { .type = ICMP_ECHO, .un.echo = { htons(id), htons(7) } }, .data = "what comes back" };

	e.header.checksum = sum_of(&e, sizeof(e));
	return e;
}

static ssize_t
send_here(int s, const void *data, size_t n)
{
	struct sockaddr_in to = inet_here(0);

	return sendto(s, data, n, 0, (struct sockaddr *)&to, sizeof(to));
}

static int
raw(int protocol)
{
	return CHECK_OK(socket(AF_INET, SOCK_RAW, protocol));
}

TEST(an_echo_by_a_raw_socket)
{
	struct echo e = echo_request(77);
	char b[200];
	struct iphdr *ip = (struct iphdr *)b;
	struct icmphdr *icmp = (struct icmphdr *)(b + 20);
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	int s;

	inet_fresh();
	s = raw(IPPROTO_ICMP);
	CHECK_EQ(send_here(s, &e, sizeof(e)), sizeof(e));
	/* What it sent comes to itself, too. */
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(s, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 20 + sizeof(e));
	CHECK_EQ(ip->version, 4);
	CHECK_EQ(ip->ihl, 5);
	CHECK_EQ(ip->protocol, IPPROTO_ICMP);
	CHECK_EQ(ntohs(ip->tot_len), 20 + sizeof(e));
	CHECK_EQ(ip->ttl, 64);
	CHECK_EQ(sum_of(ip, 20), 0);
	CHECK_EQ(icmp->type, ICMP_ECHO);
	CHECK_EQ(from.sin_port, 0);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 20 + sizeof(e));
	CHECK_EQ(icmp->type, ICMP_ECHOREPLY);
	CHECK_EQ(ntohs(icmp->un.echo.id), 77);
	CHECK_EQ(ntohs(icmp->un.echo.sequence), 7);
	CHECK_EQ(sum_of(icmp, sizeof(e)), 0);
	CHECK_MEM(b + 28, e.data, sizeof(e.data));
	CHECK_EQ(inet_now(s, POLLIN), 0);
}

TEST(what_a_raw_socket_is_called)
{
	struct sockaddr_in a = inet_here(99);
	int s;

	inet_fresh();
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 0), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET, SOCK_RAW, 300), EINVAL);
	s = raw(IPPROTO_ICMP);
	CHECK_EQ(inet_port(s), IPPROTO_ICMP);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_PROTOCOL), IPPROTO_ICMP);
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_EQ(inet_port(s), IPPROTO_ICMP);
	CHECK_ERRNO(inet_bind(s, 0x0a000001, 0), EADDRNOTAVAIL);
	CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
	CHECK_ERRNO(send(s, "12345678", 8, 0), EDESTADDRREQ);
	CHECK_OK(connect(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_EQ(inet_peer_port(s), 99);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_HDRINCL), 0);
	CHECK_EQ(inet_get(raw(IPPROTO_RAW), IPPROTO_IP, IP_HDRINCL), 1);
}

TEST(types_that_are_not_wanted)
{
	struct echo e = echo_request(5);
	uint32_t filter = ~(1u << ICMP_ECHOREPLY), got = 0;
	socklen_t size = sizeof(got);
	char b[100];
	int s;

	inet_fresh();
	s = raw(IPPROTO_ICMP);
	CHECK_OK(setsockopt(s, SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)));
	CHECK_OK(getsockopt(s, SOL_RAW, ICMP_FILTER, &got, &size));
	CHECK_EQ(got, filter);
	CHECK_EQ(send_here(s, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 20 + sizeof(e));
	CHECK_EQ(b[20], ICMP_ECHOREPLY);
	CHECK_EQ(inet_now(s, POLLIN), 0);
	CHECK_ERRNO(setsockopt(raw(IPPROTO_UDP), SOL_RAW, ICMP_FILTER, &filter, sizeof(filter)), EOPNOTSUPP);
}

TEST(udp_written_by_hand)
{
	struct {
		struct iphdr ip;
		struct udphdr udp;
		char data[4];
	} p = { .ip = { .version = 4, .ihl = 5, .ttl = 9, .protocol = IPPROTO_UDP, .daddr = htonl(INADDR_LOOPBACK) },
		.udp = { .uh_sport = htons(1234), .uh_ulen = htons(12) }, .data = "abc" };
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	int s, r;

	inet_fresh();
	r = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(r, INADDR_LOOPBACK, 0));
	s = raw(IPPROTO_RAW);
	p.udp.uh_dport = htons(inet_port(r));
	CHECK_EQ(send_here(s, &p, sizeof(p)), sizeof(p));
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	p.data[0] = 0;
	CHECK_EQ(recvfrom(r, p.data, 4, 0, (struct sockaddr *)&from, &size), 4);
	CHECK_STR(p.data, "abc");
	CHECK_EQ(ntohs(from.sin_port), 1234);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_ERRNO(send_here(s, &p, 19), EINVAL);
	p.ip.ihl = 15;
	CHECK_ERRNO(send_here(s, &p, sizeof(p)), EINVAL);
}

TEST(who_listens_to_udp_sees_it_and_what_is_refused)
{
	char b[200];
	int u, i, s;

	inet_fresh();
	u = raw(IPPROTO_UDP);
	i = raw(IPPROTO_ICMP);
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_connect(s, 9));
	CHECK_EQ(send(s, "hello", 5, 0), 5);
	CHECK_EQ(inet_ready(u, POLLIN), POLLIN);
	CHECK_EQ(recv(u, b, sizeof(b), 0), 33);
	CHECK_EQ(b[9], IPPROTO_UDP);
	CHECK_MEM(b + 28, "hello", 5);
	CHECK_EQ(inet_ready(i, POLLIN), POLLIN);
	CHECK_EQ(recv(i, b, sizeof(b), 0), 20 + 8 + 33);
	CHECK_EQ(b[20], ICMP_DEST_UNREACH);
	CHECK_EQ(b[21], ICMP_PORT_UNREACH);
	CHECK_EQ(sum_of(b + 20, 41), 0);
	CHECK_MEM(b + 56, "hello", 5);
	CHECK_EQ(inet_ready(s, 0), POLLERR);
	CHECK_ERRNO(recv(s, b, 1, MSG_DONTWAIT), ECONNREFUSED);
}

TEST(a_protocol_that_nobody_knows)
{
	struct sockaddr_in to = inet_here(0);
	int s, other;
	char b[100];

	inet_fresh();
	s = raw(201);
	other = raw(202);
	CHECK_OK(connect(other, (struct sockaddr *)&to, sizeof(to)));
	/* Somebody has it: it arrives, also there where it came from. */
	CHECK_EQ(send(other, "abc", 3, 0), 3);
	CHECK_EQ(inet_ready(other, POLLIN), POLLIN);
	CHECK_EQ(recv(other, b, sizeof(b), 0), 23);
	CHECK_MEM(b + 20, "abc", 3);
	CHECK_EQ(inet_now(s, POLLIN), 0);
}

static int
ping6_raw(void)
{
	return CHECK_OK(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
}

TEST(an_echo_of_version_6)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct icmp6_hdr e = { .icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_id = htons(3), .icmp6_seq = htons(4) };
	struct icmp6_filter f;
	char b[100];
	int s;

	inet_fresh();
	s = ping6_raw();
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
	CHECK_OK(setsockopt(s, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof(f)));
	CHECK_EQ(sendto(s, &e, sizeof(e), 0, (struct sockaddr *)&to, sizeof(to)), sizeof(e));
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 8);
	CHECK_EQ((uint8_t)b[0], ICMP6_ECHO_REPLY);
	CHECK_EQ(b[5], 3);
	CHECK_EQ(b[7], 4);
	CHECK(b[2] || b[3]);
	CHECK_EQ(inet_now(s, POLLIN), 0);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){ 2 }, 4), EINVAL);
	inet_set(s, SOL_RAW, IPV6_CHECKSUM, 2);
	CHECK_EQ(inet_get(CHECK_OK(socket(AF_INET6, SOCK_RAW, 200)), IPPROTO_IPV6, IPV6_CHECKSUM), -1);
}

TEST(a_checksum_where_the_program_wants_it)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	uint8_t b[8] = { 1, 2, 3, 4, 0, 0, 5, 6 };
	int s;

	inet_fresh();
	s = CHECK_OK(socket(AF_INET6, SOCK_RAW, 200));
	inet_set(s, IPPROTO_IPV6, IPV6_CHECKSUM, 4);
	CHECK_ERRNO(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &(int){ 3 }, 4), EINVAL);
	CHECK_EQ(sendto(s, b, sizeof(b), 0, (struct sockaddr *)&to, sizeof(to)), 8);
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recv(s, b, sizeof(b), 0), 8);
	/* ::1, ::1, 8 bytes of protocol 200: 2 + 8 + 200 + 0x0102 + 0x0304 + 0x0506 */
	CHECK_EQ(b[4] << 8 | b[5], 0xffff ^ (2 + 8 + 200 + 0x0102 + 0x0304 + 0x0506));
	to.sin6_port = htons(7);
	CHECK_ERRNO(sendto(s, b, sizeof(b), 0, (struct sockaddr *)&to, sizeof(to)), EINVAL);
}

static void
allow_pings(void)
{
	int fd = open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY);

	if (fd < 0)
		check_skip("no net.ipv4.ping_group_range here");
	CHECK_EQ(write(fd, "0 2147483647", 12), 12);
	CHECK_OK(close(fd));
}

TEST(an_echo_by_a_datagram_socket)
{
	struct echo e = echo_request(1);
	struct sockaddr_in a;
	socklen_t size = sizeof(a);
	char b[100];
	int s;

	inet_fresh();
	CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP), EACCES);
	allow_pings();
	s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	e.header.checksum = 0;
	CHECK_EQ(send_here(s, &e, sizeof(e)), sizeof(e));
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(s, b, sizeof(b), 0, (struct sockaddr *)&a, &size), sizeof(e));
	CHECK_EQ(b[0], ICMP_ECHOREPLY);
	CHECK_EQ((uint8_t)b[4] << 8 | (uint8_t)b[5], inet_port(s));
	CHECK_EQ(sum_of(b, sizeof(e)), 0);
	CHECK_EQ(a.sin_port, 0);
	CHECK_ERRNO(send_here(s, &e, 7), EINVAL);
	e.header.type = ICMP_ECHOREPLY;
	CHECK_ERRNO(send_here(s, &e, sizeof(e)), EINVAL);
	s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP));
	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 66));
	CHECK_EQ(inet_port(s), 66);
	/* Identifiers may be shared unless somebody says no. */
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_REUSEADDR), 1);
	CHECK_OK(inet_bind(CHECK_OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)), INADDR_LOOPBACK, 66));
	inet_set(s, SOL_SOCKET, SO_REUSEADDR, 0);
	CHECK_ERRNO(inet_bind(CHECK_OK(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)), INADDR_LOOPBACK, 66), EADDRINUSE);
	CHECK_ERRNO(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6), EPROTONOSUPPORT);
	CHECK_ERRNO(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP), EPROTONOSUPPORT);
}
