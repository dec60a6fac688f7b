/* SPDX-License-Identifier: MIT */
/* Datagrams that do not arrive: IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE. ip(7), ipv6(7). */
#include "inet.h"

#include <linux/errqueue.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>

struct seen {
	struct sock_extended_err e;
	struct sockaddr_storage offender, to;
	char data[100];
	ssize_t size;
	int flags;
};

static ssize_t
receive_error(int s, struct seen *out)
{
	char control[256];
	struct iovec v = { out->data, sizeof(out->data) };
	struct msghdr m = { .msg_name = &out->to, .msg_namelen = sizeof(out->to), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	out->size = recvmsg(s, &m, MSG_ERRQUEUE | MSG_DONTWAIT);
	out->flags = m.msg_flags;
	if (out->size < 0)
		return -1;
	c = CMSG_FIRSTHDR(&m);
	CHECK(c != NULL);
	CHECK(c->cmsg_type == IP_RECVERR || c->cmsg_type == IPV6_RECVERR);
	memcpy(&out->e, CMSG_DATA(c), sizeof(out->e));
	memcpy(&out->offender, SO_EE_OFFENDER((struct sock_extended_err *)CMSG_DATA(c)),
	       c->cmsg_len - CMSG_LEN(sizeof(out->e)));
	return out->size;
}

TEST(who_asks_is_told_of_each_datagram)
{
	struct sockaddr_in to = inet_here(9);
	struct seen e;
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 1);
	CHECK_ERRNO(receive_error(s, &e), EAGAIN);
	/* Not connected, and told even so. */
	CHECK_EQ(sendto(s, "lost", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(inet_ready(s, POLLIN), POLLERR);
	CHECK_EQ(receive_error(s, &e), 4);
	CHECK_EQ(e.flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	CHECK_MEM(e.data, "lost", 4);
	CHECK_EQ(e.e.ee_errno, ECONNREFUSED);
	CHECK_EQ(e.e.ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(e.e.ee_type, ICMP_DEST_UNREACH);
	CHECK_EQ(e.e.ee_code, ICMP_PORT_UNREACH);
	CHECK_EQ(e.offender.ss_family, AF_INET);
	CHECK_EQ(ntohl(((struct sockaddr_in *)&e.offender)->sin_addr.s_addr), INADDR_LOOPBACK);
	CHECK_EQ(ntohs(((struct sockaddr_in *)&e.to)->sin_port), 9);
	CHECK_EQ(ntohl(((struct sockaddr_in *)&e.to)->sin_addr.s_addr), INADDR_LOOPBACK);
	/* With its message the error is gone. */
	CHECK_EQ(inet_now(s, POLLIN), 0);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
}

TEST(the_pending_error_comes_first)
{
	struct sockaddr_in to = inet_here(9);
	struct seen e;
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 1);
	/* A busy Linux has the answers brought by a thread of its own, a moment later. */
	CHECK_EQ(sendto(s, "a", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	inet_until(s, POLLIN, POLLERR);
	CHECK_ERRNO(sendto(s, "b", 1, 0, (struct sockaddr *)&to, sizeof(to)), ECONNREFUSED);
	CHECK_EQ(sendto(s, "c", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	CHECK_EQ(receive_error(s, &e), 1);
	CHECK_EQ(e.data[0], 'a');
	inet_until(s, POLLIN, POLLERR);
	CHECK_EQ(receive_error(s, &e), 1);
	CHECK_EQ(e.data[0], 'c');
	CHECK_ERRNO(receive_error(s, &e), EAGAIN);
	CHECK_EQ(inet_now(s, POLLIN), 0);
}

TEST(who_does_not_ask_and_has_no_peer_is_told_nothing)
{
	struct sockaddr_in to = inet_here(10);
	struct seen e;
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_EQ(sendto(s, "lost", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(inet_now(s, POLLIN | POLLOUT), POLLOUT);
	CHECK_OK(inet_connect(s, 9));
	CHECK_EQ(send(s, "lost", 4, 0), 4);
	inet_until(s, POLLIN, POLLERR);
	CHECK_ERRNO(receive_error(s, &e), EAGAIN);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), ECONNREFUSED);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_ERROR), 0);
}

TEST(errors_of_version_6)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9), .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct seen e;
	int s;

	inet_fresh();
	s = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	inet_set(s, IPPROTO_IPV6, IPV6_RECVERR, 1);
	CHECK_EQ(sendto(s, "lost", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(inet_ready(s, POLLIN), POLLERR);
	CHECK_EQ(receive_error(s, &e), 4);
	CHECK_EQ(e.e.ee_errno, ECONNREFUSED);
	CHECK_EQ(e.e.ee_origin, SO_EE_ORIGIN_ICMP6);
	CHECK_EQ(e.e.ee_type, ICMP6_DST_UNREACH);
	CHECK_EQ(e.e.ee_code, ICMP6_DST_UNREACH_NOPORT);
	CHECK_EQ(e.offender.ss_family, AF_INET6);
	CHECK_MEM(&((struct sockaddr_in6 *)&e.to)->sin6_addr, &to.sin6_addr, 16);
	CHECK_EQ(((struct sockaddr_in6 *)&e.to)->sin6_port, htons(9));
}

TEST(errors_are_the_same_when_somebody_looks_at_packets)
{
	struct sockaddr_in to = inet_here(9);
	struct seen e;
	int s;

	inet_fresh();
	CHECK_OK(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 1);
	CHECK_EQ(sendto(s, "lost", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(inet_ready(s, POLLIN), POLLERR);
	CHECK_EQ(receive_error(s, &e), 4);
	CHECK_MEM(e.data, "lost", 4);
	CHECK_EQ(e.e.ee_errno, ECONNREFUSED);
	CHECK_EQ(ntohs(((struct sockaddr_in *)&e.to)->sin_port), 9);
}

static void
set_mtu(int mtu)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_mtu = mtu };

	CHECK_OK(ioctl(inet_socket(SOCK_DGRAM), SIOCSIFMTU, &r));
}

TEST(too_long_for_the_way)
{
	struct sockaddr_in to = inet_here(9);
	static char big[3000];
	struct seen e;
	int s;

	inet_fresh();
	set_mtu(1500);
	s = inet_socket(SOCK_DGRAM);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 1);
	inet_set(s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
	CHECK_ERRNO(sendto(s, big, 1473, 0, (struct sockaddr *)&to, sizeof(to)), EMSGSIZE);
	CHECK_EQ(receive_error(s, &e), 0);
	CHECK_EQ(e.e.ee_errno, EMSGSIZE);
	CHECK_EQ(e.e.ee_origin, SO_EE_ORIGIN_LOCAL);
	CHECK_EQ(e.e.ee_info, 1500);
	CHECK_EQ(inet_now(s, POLLIN), 0);
	inet_set(s, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT);
	inet_set(s, IPPROTO_IP, IP_RECVERR, 0);
	CHECK_EQ(sendto(s, big, 3000, 0, (struct sockaddr *)&to, sizeof(to)), 3000);
	CHECK_ERRNO(getsockopt(s, IPPROTO_IP, IP_MTU, &(int){ 0 }, &(socklen_t){ 4 }), ENOTCONN);
	CHECK_OK(inet_connect(s, 9));
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_MTU), 1500);
}
