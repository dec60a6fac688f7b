/* SPDX-License-Identifier: MIT */
/* TCP by IPv6: what is the same, and what routers say there (ICMPv6). */
#include "wire.h"

#include <netinet/tcp.h>

enum { UNREACHABLE = 1, NO_ROUTE = 0, FORBIDDEN = 1, NO_ANSWER = 3, NO_PORT = 4, TOO_BIG = 2 };

static int
pair(struct peer *p, uint16_t port, unsigned options)
{
	wire_open();
	*p = peer_make(port, options | BY_V6);
	return peer_connects(p, listener_v6((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

static int
path_mtu(int s)
{
	int mtu = 0;

	CHECK_OK(getsockopt(s, IPPROTO_IPV6, IPV6_MTU, &mtu, &(socklen_t){ sizeof(mtu) }));
	return mtu;
}

TEST(s3_5_a_listener_accepts_by_v6)
{
	struct sockaddr_in6 in;
	struct peer p;
	int s = pair(&p, 4401, WITH_MSS | WITH_SCALE | WITH_SACK | WITH_STAMPS);

	CHECK_OK(getpeername(s, (struct sockaddr *)&in, &(socklen_t){ sizeof(in) }));
	CHECK_EQ(in.sin6_family, AF_INET6);
	CHECK_EQ(ntohs(in.sin6_port), 4401);
	CHECK_EQ(in.sin6_addr.s6_addr[0], 0xfd);
	CHECK_EQ(in.sin6_addr.s6_addr[15], 2);
	still_there(&p, s);
	CHECK_OK(close(s));
	CHECK_EQ(hear_flags(&p, FIN)->seq, p.got);
}

TEST(s3_5_a_connect_by_v6)
{
	struct segment *seg;
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4402, WITH_MSS | BY_V6);
	s = start_connect(&p);
	seg = hear_flags(&p, SYN);
	CHECK_EQ(seg->mss, 1440); /* of 1500, without both headers */
	p.got = seg->seq + 1;
	tell(&p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
	CHECK_OK(fcntl(s, F_SETFL, 0));
	still_there(&p, s);
}

TEST(s3_5_2_a_syn_to_a_closed_port_is_reset_by_v6)
{
	struct segment *seg;
	struct peer p;

	wire_open();
	p = peer_make(4403, WITH_MSS | BY_V6);
	p.their_port = 5403;
	tell(&p, SYN, NULL, 0);
	seg = hear(&p);
	CHECK_EQ(seg->flags, RST | ACK);
	CHECK_EQ(seg->ack, p.sent);
}

TEST(s3_5_a_connect_is_refused_by_v6)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4404, BY_V6);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	tell(&p, RST | ACK, NULL, 0);
	CHECK_EQ(await_error(s), ECONNREFUSED);
}

TEST(s3_1_a_wrong_checksum_is_dropped_by_v6)
{
	struct peer p;
	int s = pair(&p, 4405, 0);

	tell_spoilt(&p, ACK, "bad", 3);
	tell_spoilt(&p, RST, NULL, 0);
	still_there(&p, s);
}

TEST(rfc8201_a_narrow_path_is_remembered)
{
	struct peer p;
	struct segment *seg;
	static char data[4000];
	int s = pair(&p, 4406, WITH_MSS);
	uint32_t end = p.got + sizeof(data);

	p.mss = 1440;
	CHECK_EQ(path_mtu(s), 1500);
	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	do
		seg = hear(&p);
	while (seg->size < 1300);
	tell_icmp(&p, TOO_BIG, 0, p.got, 1300);
	for (bool smaller = false; p.got != end;) {
		seg = hear(&p);
		smaller |= seg->size && seg->seq == p.got && seg->size <= 1240;
		if (smaller && seg->seq == p.got) {
			CHECK(seg->size <= 1240);
			p.got += (uint32_t)seg->size;
			tell(&p, ACK, NULL, 0);
		}
	}
	CHECK_EQ(path_mtu(s), 1300);
}

static void
connect_ends(uint16_t port, uint8_t code, int error)
{
	struct peer p = peer_make(port, BY_V6);
	int s = start_connect(&p);
	uint32_t seq = hear_flags(&p, SYN)->seq;

	tell_icmp(&p, UNREACHABLE, code, seq + 0x100000, 0); /* not about our SYN */
	tell_icmp(&p, UNREACHABLE, code, seq, 0);
	CHECK_EQ(await_error(s), error);
	CHECK_OK(close(s));
}

TEST(rfc4443_what_is_unreachable_ends_a_connect)
{
	wire_open();
	connect_ends(4407, NO_ROUTE, ENETUNREACH);
	connect_ends(4408, FORBIDDEN, EACCES);
	connect_ends(4409, NO_ANSWER, EHOSTUNREACH);
	connect_ends(4410, NO_PORT, ECONNREFUSED);
}

TEST(rfc4443_what_is_unreachable_does_not_end_a_connection)
{
	struct peer p;
	int s = pair(&p, 4411, 0);

	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(hear(&p)->seq, p.got);
	tell_icmp(&p, UNREACHABLE, NO_PORT, p.got, 0);
	tell_icmp(&p, UNREACHABLE, NO_ROUTE, p.got, 0);
	hear_data(&p, (char[1]){ 0 }, 1);
	still_there(&p, s);
}
