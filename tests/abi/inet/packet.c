/* SPDX-License-Identifier: MIT */
/* Packet sockets, and filters of sockets. packet(7), socket(7). */
#include "inet.h"

#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>

static int
tap(int type, int protocol)
{
	return CHECK_OK(socket(AF_PACKET, type, htons((uint16_t)protocol)));
}

static uint16_t
send_udp(const char *text)
{
	struct sockaddr_in to = inet_here(9);
	int s = inet_socket(SOCK_DGRAM);

	CHECK_EQ(sendto(s, text, strlen(text), 0, (struct sockaddr *)&to, sizeof(to)), strlen(text));
	return inet_port(s);
}

TEST(a_frame_comes_with_its_header)
{
	struct sockaddr_ll from = { 0 };
	socklen_t size = sizeof(from);
	struct ethhdr *e;
	char b[200];
	int s;

	inet_fresh();
	s = tap(SOCK_RAW, ETH_P_IP);
	send_udp("hello");
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(s, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 14 + 20 + 8 + 5);
	e = (struct ethhdr *)b;
	CHECK_EQ(ntohs(e->h_proto), ETH_P_IP);
	CHECK_MEM(e->h_dest, "\0\0\0\0\0\0", 6);
	CHECK_MEM(b + 42, "hello", 5);
	CHECK_EQ(size, sizeof(from));
	CHECK_EQ(from.sll_family, AF_PACKET);
	CHECK_EQ(ntohs(from.sll_protocol), ETH_P_IP);
	CHECK_EQ(from.sll_ifindex, 1);
	CHECK_EQ(from.sll_hatype, 772);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_EQ(from.sll_halen, 6);
	/* The answer: nobody is at port 9. */
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recv(s, b, 20, MSG_TRUNC), 14 + 20 + 8 + 33);
	CHECK_ERRNO(recv(s, b, 20, MSG_DONTWAIT), EAGAIN);
}

TEST(without_a_header_and_all_of_them)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	char b[200];
	int d, all, v6;

	inet_fresh();
	d = tap(SOCK_DGRAM, ETH_P_IP);
	all = tap(SOCK_RAW, ETH_P_ALL);
	v6 = tap(SOCK_RAW, ETH_P_IPV6);
	send_udp("hello");
	CHECK_EQ(inet_ready(d, POLLIN), POLLIN);
	CHECK_EQ(recv(d, b, sizeof(b), 0), 33);
	CHECK_EQ(b[0], 0x45);
	/* Who wants all sees it go out, and come in. */
	CHECK_EQ(inet_ready(all, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(all, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 47);
	CHECK_EQ(from.sll_pkttype, PACKET_OUTGOING);
	CHECK_EQ(inet_ready(all, POLLIN), POLLIN);
	CHECK_EQ(recvfrom(all, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 47);
	CHECK_EQ(from.sll_pkttype, PACKET_HOST);
	CHECK_EQ(inet_now(v6, POLLIN), 0);
}

TEST(where_a_packet_socket_is_bound)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP), .sll_ifindex = 1 };
	socklen_t size = sizeof(a);
	int s;

	inet_fresh();
	s = tap(SOCK_RAW, 0);
	send_udp("before");
	CHECK_EQ(inet_now(s, POLLIN), 0);
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	memset(&a, 0xff, sizeof(a));
	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, 18);
	CHECK_EQ(a.sll_family, AF_PACKET);
	CHECK_EQ(ntohs(a.sll_protocol), ETH_P_ARP);
	CHECK_EQ(a.sll_ifindex, 1);
	CHECK_EQ(a.sll_hatype, 772);
	CHECK_EQ(a.sll_halen, 6);
	a.sll_ifindex = 99;
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, sizeof(a)), ENODEV);
	CHECK_ERRNO(bind(s, (struct sockaddr *)&a, 10), EINVAL);
	CHECK_ERRNO(getpeername(s, (struct sockaddr *)&a, &size), EOPNOTSUPP);
	CHECK_ERRNO(connect(s, (struct sockaddr *)&a, sizeof(a)), EOPNOTSUPP);
	CHECK_ERRNO(listen(s, 1), EOPNOTSUPP);
	CHECK_ERRNO(shutdown(s, SHUT_RD), EOPNOTSUPP);
	CHECK_ERRNO(socket(AF_PACKET, SOCK_STREAM, 0), ESOCKTNOSUPPORT);
}

TEST(a_frame_is_sent)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(0x88b5), .sll_ifindex = 1, .sll_halen = 6,
				  .sll_addr = { 2, 0, 0, 0, 0, 1 } };
	char b[100];
	int r, s;

	inet_fresh();
	r = tap(SOCK_RAW, 0x88b5);
	s = tap(SOCK_DGRAM, 0);
	CHECK_EQ(sendto(s, "data", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_EQ(recv(r, b, sizeof(b), 0), 18);
	CHECK_MEM(b, to.sll_addr, 6);
	CHECK_MEM(b + 12, "\x88\xb5" "data", 6);
	to.sll_ifindex = 99;
	CHECK_ERRNO(sendto(s, "data", 4, 0, (struct sockaddr *)&to, sizeof(to)), ENXIO);
	CHECK_ERRNO(send(s, "data", 4, 0), ENXIO);
}

TEST(counts_and_what_travels_beside)
{
	struct tpacket_stats n;
	socklen_t size = sizeof(n);
	char b[200], control[100];
	struct iovec v = { b, 10 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct tpacket_auxdata *a;
	struct cmsghdr *c;
	int s;

	inet_fresh();
	s = tap(SOCK_DGRAM, ETH_P_IP);
	inet_set(s, SOL_PACKET, PACKET_AUXDATA, 1);
	CHECK_EQ(inet_get(s, SOL_PACKET, PACKET_AUXDATA), 1);
	send_udp("hello");
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(recvmsg(s, &m, MSG_TRUNC), 33);
	CHECK_EQ(m.msg_flags & MSG_TRUNC, MSG_TRUNC);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c != NULL);
	CHECK_EQ(c->cmsg_level, SOL_PACKET);
	CHECK_EQ(c->cmsg_type, PACKET_AUXDATA);
	a = (struct tpacket_auxdata *)CMSG_DATA(c);
	CHECK_EQ(a->tp_status & TP_STATUS_USER, TP_STATUS_USER);
	CHECK_EQ(a->tp_len, 33);
	CHECK_EQ(a->tp_snaplen, 33);
	CHECK_EQ(a->tp_net, 0);
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(n.tp_packets, 2);
	CHECK_EQ(n.tp_drops, 0);
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(n.tp_packets, 0);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, 99, &(int){ 1 }, 4), ENOPROTOOPT);
}

TEST(memberships_of_a_link)
{
	struct packet_mreq r = { .mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC };
	int s;

	inet_fresh();
	s = tap(SOCK_RAW, ETH_P_ALL);
	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)));
	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)));
	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)));
	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)));
	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &r, sizeof(r)));
	r.mr_ifindex = 99;
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, sizeof(r)), ENODEV);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &r, 8), EINVAL);
}

static void
attach(int s, struct sock_filter *f, unsigned short n)
{
	struct sock_fprog p = { n, f };

	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_ATTACH_FILTER, &p, sizeof(p)));
}

TEST(a_filter_on_frames)
{
	/* The protocol, and UDP's length: by where the headers are. */
	struct sock_filter wants[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 9)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 30),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	char b[200];
	int s;

	inet_fresh();
	s = tap(SOCK_RAW, ETH_P_IP);
	attach(s, wants, 6);
	send_udp("hello");
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	/* Cut to what the filter wants; the answer by ICMP is not. */
	CHECK_EQ(recv(s, b, sizeof(b), MSG_TRUNC), 30);
	CHECK_EQ(b[23], IPPROTO_UDP);
	CHECK_EQ(inet_now(s, POLLIN), 0);
}

TEST(a_filter_on_datagrams)
{
	/* It sees UDP's header: the length is at 4. */
	struct sock_filter wants[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 8 + 3, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 8 + 2),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_filter got[4];
	socklen_t n = 0;
	struct sock_fprog none = { 0, wants }, endless = { 3, wants };
	struct sockaddr_in to;
	int r, s;

	inet_fresh();
	r = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(r, INADDR_LOOPBACK, 0));
	s = inet_socket(SOCK_DGRAM);
	to = inet_here(inet_port(r));
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, 4), ENOENT);
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, &none, sizeof(none)), EINVAL);
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, &endless, sizeof(endless)), EINVAL);
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, &none, 8), EINVAL);
	attach(r, wants, 4);
	CHECK_OK(getsockopt(r, SOL_SOCKET, SO_GET_FILTER, NULL, &n));
	CHECK_EQ(n, 4);
	CHECK_OK(getsockopt(r, SOL_SOCKET, SO_GET_FILTER, got, &n));
	CHECK_MEM(got, wants, sizeof(wants));
	CHECK_EQ(sendto(s, "four", 4, 0, (struct sockaddr *)&to, sizeof(to)), 4);
	CHECK_EQ(sendto(s, "abc", 3, 0, (struct sockaddr *)&to, sizeof(to)), 3);
	CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
	CHECK_STR(inet_text(r, MSG_DONTWAIT), "ab");
	CHECK_STR(inet_text(r, MSG_DONTWAIT), "-");
	inet_set(r, SOL_SOCKET, SO_LOCK_FILTER, 1);
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, 4), EPERM);
	CHECK_ERRNO(setsockopt(r, SOL_SOCKET, SO_ATTACH_FILTER, &endless, sizeof(endless)), EPERM);
}

TEST(a_socket_of_one_interface)
{
	char name[IF_NAMESIZE] = "lo";
	socklen_t size = sizeof(name);
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
	CHECK_OK(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, name, &size));
	CHECK_EQ(size, 3);
	CHECK_STR(name, "lo");
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_BINDTOIFINDEX), 1);
	CHECK_ERRNO(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nobody0", 8), ENODEV);
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "", 1));
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_BINDTOIFINDEX), 0);
	inet_set(s, SOL_SOCKET, SO_BINDTOIFINDEX, 1);
	CHECK_EQ(inet_get(s, SOL_SOCKET, SO_BINDTOIFINDEX), 1);
}

TEST(when_a_datagram_came)
{
	char b[10], control[200];
	struct iovec v = { b, sizeof(b) };
	long long end = check_now_ms() + READY_MS;
	struct cmsghdr *c = NULL;
	struct timespec t[3], now;
	struct sockaddr_in to;
	int r, s;

	inet_fresh();
	r = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(r, INADDR_LOOPBACK, 0));
	to = inet_here(inet_port(r));
	s = inet_socket(SOCK_DGRAM);
	inet_set(r, SOL_SOCKET, SO_TIMESTAMPING, 1 << 3 | 1 << 4); /* software, of what is received */
	CHECK_EQ(inet_get(r, SOL_SOCKET, SO_TIMESTAMPING), 0x18);
	/* Linux begins to note the time a little later. */
	while (!c && check_now_ms() < end) {
		struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
				    .msg_controllen = sizeof(control) };

		CHECK_EQ(sendto(s, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
		CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
		CHECK_EQ(recvmsg(r, &m, 0), 1);
		c = CMSG_FIRSTHDR(&m);
	}
	CHECK_OK(clock_gettime(CLOCK_REALTIME, &now));
	CHECK(c != NULL);
	CHECK_EQ(c->cmsg_type, SO_TIMESTAMPING);
	CHECK_EQ(c->cmsg_len, CMSG_LEN(sizeof(t)));
	memcpy(t, CMSG_DATA(c), sizeof(t));
	CHECK(t[0].tv_sec <= now.tv_sec && t[0].tv_sec > now.tv_sec - 100);
	CHECK_EQ(t[2].tv_sec, 0);
}
