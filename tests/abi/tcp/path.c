/* SPDX-License-Identifier: MIT */
/* What routers say of the way (ICMP), and who the neighbours on it are. */
#include "wire.h"

#include <linux/errqueue.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <net/ethernet.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

enum { UNREACHABLE = 3, EXCEEDED = 11, TO_NET = 0, TO_HOST = 1, TOO_BIG = 4 };

static int
pair(struct peer *p, uint16_t port)
{
	wire_open();
	*p = peer_make(port, WITH_MSS);
	return peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

static int
path_mtu(int s)
{
	int mtu = 0;

	CHECK_OK(getsockopt(s, IPPROTO_IP, IP_MTU, &mtu, &(socklen_t){ sizeof(mtu) }));
	return mtu;
}

/* A socket of datagrams for who lives at the peer's address. */
static int
datagrams(uint32_t to)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(to) };
	int s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));

	CHECK_OK(connect(s, (struct sockaddr *)&in, sizeof(in)));
	return s;
}

/* What came by the wire first is looked at before what is sent now: its answer tells that. */
static void
let_it_pass(struct peer *p)
{
	struct peer other = peer_make((uint16_t)(p->port + 500), 0);

	other.their_port = 9;
	tell(&other, SYN, NULL, 0);
	hear_flags(&other, RST);
}

TEST(rfc1191_a_narrow_path_is_remembered_for_all)
{
	struct peer p;
	int s = pair(&p, 4301), u;

	CHECK_EQ(path_mtu(s), 1500);
	CHECK_EQ(send(s, (char[1400]){ 0 }, 1400, 0), 1400);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	hear_data(&p, (char[1400]){ 0 }, 1400);
	CHECK_EQ(path_mtu(s), 900);
	u = datagrams(THERE);
	CHECK_EQ(path_mtu(u), 900);
	CHECK_EQ(path_mtu(datagrams(THERE + 1)), 1500);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DO }, sizeof(int)));
	CHECK_ERRNO(send(u, (char[1000]){ 0 }, 1000, 0), EMSGSIZE);
	CHECK_EQ(send(u, (char[872]){ 0 }, 872, 0), 872);
}

/* What is under way is cut anew from where the peer stands, which may be within a segment that was cut before. */
TEST(rfc1191_a_path_may_turn_out_narrower_still)
{
	static uint8_t data[10000], heard[9000];
	struct segment *seg;
	struct peer p;
	int s = pair(&p, 4317);

	for (unsigned i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i ^ i >> 8);
	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	do
		seg = hear_some(&p);
	while (seg->seq != p.got || seg->size > 860);
	p.got += 1000;
	tell(&p, ACK, NULL, 0);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 600);
	hear_data(&p, heard, sizeof(heard));
	CHECK_MEM(heard, data + 1000, sizeof(heard));
	still_there(&p, s);
}

/* ip route get: how long packets to the peer may be as somebody has told, and for how many seconds; 0: nobody has. */
static unsigned
route_mtu(unsigned *expires)
{
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		struct rtattr head;
		uint32_t to;
	} q = {
		.h = { sizeof(q), RTM_GETROUTE, NLM_F_REQUEST, 1, 0 },
		.m = { .rtm_family = AF_INET, .rtm_dst_len = 32 },
		.head = { 8, RTA_DST }, .to = htonl(THERE),
	};
	struct {
		struct nlmsghdr h;
		struct rtmsg m;
		char more[1024];
	} a;
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), left;
	unsigned mtu = 0;

	CHECK_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
	CHECK(recv(s, &a, sizeof(a), 0) > 0);
	CHECK_OK(close(s));
	CHECK_EQ(a.h.nlmsg_type, RTM_NEWROUTE);
	CHECK(a.m.rtm_flags & RTM_F_CLONED);
	*expires = 0;
	left = (int)RTM_PAYLOAD(&a.h);
	for (struct rtattr *r = RTM_RTA(&a.m); RTA_OK(r, left); r = RTA_NEXT(r, left)) {
		int inside = (int)RTA_PAYLOAD(r);

		if (r->rta_type == RTA_CACHEINFO)
			*expires = ((struct rta_cacheinfo *)RTA_DATA(r))->rta_expires / 100;
		if (r->rta_type != RTA_METRICS)
			continue;
		for (struct rtattr *x = RTA_DATA(r); RTA_OK(x, inside); x = RTA_NEXT(x, inside))
			if (x->rta_type == RTAX_MTU)
				memcpy(&mtu, RTA_DATA(x), sizeof(mtu));
	}
	return mtu;
}

TEST(rfc1191_a_narrow_path_is_shown_to_who_asks_for_the_route)
{
	unsigned expires;
	struct peer p;
	int s = pair(&p, 4310);

	CHECK_EQ(route_mtu(&expires), 0);
	CHECK_EQ(expires, 0);
	CHECK_EQ(send(s, (char[1400]){ 0 }, 1400, 0), 1400);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	hear_data(&p, (char[1400]){ 0 }, 1400);
	CHECK_EQ(route_mtu(&expires), 900);
	CHECK_RANGE(expires, 400, 600);
}

TEST(rfc4821_who_probes_a_path_is_bound_by_his_link_alone)
{
	struct peer p;
	int s = pair(&p, 4311), u;

	CHECK_EQ(send(s, (char[1400]){ 0 }, 1400, 0), 1400);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	hear_data(&p, (char[1400]){ 0 }, 1400);
	u = datagrams(THERE);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_PROBE }, sizeof(int)));
	CHECK_EQ(path_mtu(u), 900);
	CHECK_EQ(send(u, (char[1472]){ 0 }, 1472, 0), 1472);
	CHECK_ERRNO(send(u, (char[1473]){ 0 }, 1473, 0), EMSGSIZE);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_INTERFACE }, sizeof(int)));
	CHECK_EQ(send(u, (char[1472]){ 0 }, 1472, 0), 1472);
	CHECK_ERRNO(send(u, (char[1473]){ 0 }, 1473, 0), EMSGSIZE);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_OMIT }, sizeof(int)));
	CHECK_EQ(send(u, (char[1473]){ 0 }, 1473, 0), 1473);
	CHECK_OK(setsockopt(u, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DO }, sizeof(int)));
	CHECK_ERRNO(send(u, (char[1472]){ 0 }, 1472, 0), EMSGSIZE);
}

TEST(rfc1191_a_path_is_never_wider_nor_as_narrow_as_somebody_says)
{
	struct peer p;
	int s = pair(&p, 4302);

	CHECK_EQ(send(s, (char[1400]){ 0 }, 1400, 0), 1400);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 9000);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got + 0x100000, 700); /* about what was never sent */
	let_it_pass(&p);
	CHECK_EQ(path_mtu(s), 1500);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 68);
	hear_data(&p, (char[1400]){ 0 }, 1400);
	CHECK_EQ(path_mtu(s), 552);
}

TEST(rfc1191_who_wants_to_be_cut_on_the_way_sends_less_all_the_same)
{
	struct segment *seg;
	struct peer p;
	int s = pair(&p, 4303);

	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_MTU_DISCOVER, &(int){ IP_PMTUDISC_DONT }, sizeof(int)));
	CHECK_EQ(send(s, (char[1400]){ 0 }, 1400, 0), 1400);
	CHECK_EQ(hear_some(&p)->size, 1400);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	/* Some day: it need not be at once. */
	do
		seg = hear(&p);
	while (seg->size != 860);
	hear_data(&p, (char[1400]){ 0 }, 1400);
}

/* `size` bytes and the end behind them, each acknowledged when it comes; what is cut anew may overlap what came. */
static void
hear_all(struct peer *p, size_t size)
{
	uint32_t end = p->got + (uint32_t)size;

	while (p->got != end + 1) {
		struct segment *s = hear(p);
		uint32_t last = s->seq + (uint32_t)s->size + !!(s->flags & FIN);

		CHECK(!(s->flags & RST));
		if ((int32_t)(s->seq - p->got) <= 0 && (int32_t)(last - p->got) > 0)
			p->got = last;
		if (s->size || s->flags & FIN)
			tell(p, ACK, NULL, 0);
		CHECK((int32_t)(end + 1 - p->got) >= 0);
	}
}

/* More than goes at once: when the path turns out narrow, some was sent, some was not, and the end waits behind it. */
static void
ends_on_a_narrow_path(uint16_t port, bool peer_first, int (*end)(int s))
{
	struct peer p = peer_make(port, WITH_MSS);
	int s = peer_connects(&p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));

	if (peer_first) {
		tell(&p, ACK | FIN, NULL, 0);
		CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 0);
	}
	CHECK_EQ(send(s, (char[40000]){ 0 }, 40000, 0), 40000);
	CHECK_OK(end(s));
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TOO_BIG, p.got, 900);
	hear_all(&p, 40000);
}

static int
half_close(int s)
{
	return shutdown(s, SHUT_WR);
}

TEST(rfc1191_a_connection_that_has_ended_fits_its_path_too)
{
	wire_open();
	ends_on_a_narrow_path(4313, false, half_close);
	ends_on_a_narrow_path(4314, false, close);
	ends_on_a_narrow_path(4315, true, half_close);
	ends_on_a_narrow_path(4316, true, close);
}

static void
connect_ends(uint16_t port, uint8_t code, int error)
{
	struct peer p = peer_make(port, 0);
	int s = start_connect(&p);
	uint32_t seq = hear_flags(&p, SYN)->seq;

	tell_icmp(&p, UNREACHABLE, 3, seq + 0x100000, 0); /* not about our SYN */
	tell_icmp(&p, UNREACHABLE, code, seq, 0);
	CHECK_EQ(await_error(s), error);
	CHECK_OK(close(s));
}

TEST(s3_9_2_2_what_is_unreachable_ends_a_connect)
{
	wire_open();
	connect_ends(4304, TO_NET, ENETUNREACH);
	connect_ends(4305, TO_HOST, EHOSTUNREACH);
	connect_ends(4306, 2, ENOPROTOOPT);
	connect_ends(4307, 13, EHOSTUNREACH);
}

TEST(s3_9_2_2_what_is_unreachable_is_known_of_a_connection)
{
	struct peer p;
	int s = pair(&p, 4308);

	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TO_NET, p.got, 0);
	let_it_pass(&p);
	CHECK_EQ(error_of(s), ENETUNREACH);
	CHECK_EQ(error_of(s), 0);
	CHECK_EQ(send(s, "y", 1, 0), 1);
	p.got += 1;
	tell(&p, ACK, NULL, 0);
	hear_data(&p, (char[1]){ 0 }, 1);
}

/* What traceroute by TCP asks. */
TEST(s3_9_2_2_a_connect_is_told_who_says_that_it_cannot_be)
{
	char control[256], quoted[100];
	struct sockaddr_in to;
	struct iovec v = { quoted, sizeof(quoted) };
	struct msghdr m = { .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &v, .msg_iovlen = 1, .msg_control = control,
			    .msg_controllen = sizeof(control) };
	struct sock_extended_err *e;
	struct cmsghdr *c;
	struct peer p;
	uint32_t seq;
	int s;

	wire_open();
	p = peer_make(4312, 0);
	s = start_connect(&p);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int)));
	CHECK_ERRNO(recvmsg(s, &m, MSG_ERRQUEUE), EAGAIN);
	seq = hear_flags(&p, SYN)->seq;
	tell_icmp(&p, EXCEEDED, 0, seq, 0);
	await(s, POLLERR);
	CHECK_EQ(recvmsg(s, &m, MSG_ERRQUEUE), 8);
	CHECK_EQ(m.msg_flags & MSG_ERRQUEUE, MSG_ERRQUEUE);
	CHECK_MEM(quoted + 4, &(uint32_t){ htonl(seq) }, 4);
	CHECK_EQ(ntohs(to.sin_port), p.port);
	CHECK_EQ(ntohl(to.sin_addr.s_addr), THERE);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR);
	e = (struct sock_extended_err *)CMSG_DATA(c);
	CHECK_EQ(e->ee_errno, EHOSTUNREACH);
	CHECK_EQ(e->ee_origin, SO_EE_ORIGIN_ICMP);
	CHECK_EQ(e->ee_type, EXCEEDED);
	CHECK_EQ(ntohl(((struct sockaddr_in *)SO_EE_OFFENDER(e))->sin_addr.s_addr), THERE);
	CHECK_ERRNO(recvmsg(s, &m, MSG_ERRQUEUE), EAGAIN);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_9_2_2_who_asks_hears_of_what_is_unreachable)
{
	struct peer p;
	int s = pair(&p, 4309);

	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_RECVERR, &(int){ 1 }, sizeof(int)));
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, TO_HOST, p.got, 0);
	CHECK_EQ(await_error(s), EHOSTUNREACH);
	/* It is the connection's error, and stands in no queue. */
	CHECK_ERRNO(recv(s, (char[1]){ 0 }, 1, MSG_ERRQUEUE), EAGAIN);
	hear_data(&p, (char[1]){ 0 }, 1);
	tell(&p, ACK | PSH, "z", 1);
	await(s, POLLIN);
	CHECK_ERRNO(recv(s, (char[1]){ 0 }, 1, MSG_ERRQUEUE), EAGAIN);
	CHECK_EQ(send(s, "y", 1, 0), 1);
	hear_data(&p, (char[1]){ 0 }, 1);
}

/* --- neighbours ---------------------------------------------------------------------------------------------- */

static const uint8_t card[6] = { 2, 0, 0, 0x77, 0, 9 };

/* A TAP device at 10.78.0.1/24. */
static int
tap_open(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a4e0001) };
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0)), tap;

	wire_open(); /* skips the case where there is none */
	tap = CHECK_OK(open("/dev/net/tun", O_RDWR | O_CLOEXEC));
	strcpy(r.ifr_name, "tap7");
	CHECK_OK(ioctl(tap, TUNSETIFF, &r));
	memcpy(&r.ifr_addr, &in, sizeof(in));
	CHECK_OK(ioctl(s, SIOCSIFADDR, &r));
	in.sin_addr.s_addr = htonl(0xffffff00u);
	memcpy(&r.ifr_addr, &in, sizeof(in));
	CHECK_OK(ioctl(s, SIOCSIFNETMASK, &r));
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	CHECK_OK(ioctl(s, SIOCSIFFLAGS, &r));
	CHECK_OK(close(s));
	return tap;
}

/* ip neigh add, or del, of 10.78.0.9. */
static void
neighbour(uint16_t type, uint16_t flags)
{
	struct {
		struct nlmsghdr h;
		struct ndmsg m;
		struct rtattr to_head;
		uint32_t to;
		struct rtattr card_head;
		uint8_t card[8];
	} q = {
		.h = { sizeof(q), type, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0 },
		.m = { .ndm_family = AF_INET, .ndm_ifindex = (int)if_nametoindex("tap7"), .ndm_state = NUD_PERMANENT },
		.to_head = { 8, NDA_DST }, .to = htonl(0x0a4e0009), .card_head = { 10, NDA_LLADDR },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} a;
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));

	memcpy(q.card, card, 6);
	CHECK_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
	CHECK(recv(s, &a, sizeof(a), 0) > 0);
	CHECK_EQ(a.h.nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(a.e.error, 0);
	CHECK_OK(close(s));
}

/* The next frame that is about 10.78.0.9: a packet to it, or a question who that is. Its type. */
static unsigned
hear_frame(int tap, uint8_t *frame)
{
	for (;;) {
		unsigned type;

		await(tap, POLLIN);
		if (read(tap, frame, 2000) < 42)
			continue;
		type = (unsigned)frame[12] << 8 | frame[13];
		if ((type == ETHERTYPE_IP && frame[33] == 9) || (type == ETHERTYPE_ARP && frame[41] == 9))
			return type;
	}
}

TEST(rfc826_a_neighbour_that_was_set_is_not_asked_for)
{
	static uint8_t frame[2000];
	int tap = tap_open(), u;

	neighbour(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
	u = datagrams(0x0a4e0009);
	CHECK_EQ(send(u, (char[20]){ 0 }, 20, 0), 20);
	CHECK_EQ(hear_frame(tap, frame), ETHERTYPE_IP);
	CHECK_MEM(frame, card, 6);
	neighbour(RTM_DELNEIGH, 0);
	CHECK_EQ(send(u, (char[20]){ 0 }, 20, 0), 20);
	CHECK_EQ(hear_frame(tap, frame), ETHERTYPE_ARP);
}

static void
card_of_tap(uint8_t *to)
{
	int s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));
	struct ifreq r = { 0 };

	strcpy(r.ifr_name, "tap7");
	CHECK_OK(ioctl(s, SIOCGIFHWADDR, &r));
	memcpy(to, r.ifr_hwaddr.sa_data, 6);
	CHECK_OK(close(s));
}

TEST(rfc1122_4_2_3_10_a_segment_in_a_frame_to_many_is_not_taken)
{
	static const uint8_t cards[][6] = { { 255, 255, 255, 255, 255, 255 }, { 1, 0, 0x5e, 0, 0, 1 } };
	int tap = tap_open();
	struct peer p = peer_make(4330, 0);
	uint8_t own[6];

	listener(5330, 5);
	p.their_port = 5330;
	for (int i = 0; i < 2; i++)
		tell_framed(&p, tap, cards[i], SYN);
	/* Another SYN, by its number: the first that is answered. */
	card_of_tap(own);
	p.sent += 1000;
	tell_framed(&p, tap, own, SYN);
	CHECK_EQ(hear_flags(&p, SYN | ACK)->ack, p.sent + 1);
}
