/* SPDX-License-Identifier: MIT */
/* TCP, segment by segment: who speaks for others, who asks for more than there is, and who is never heard of again. */
#include "wire.h"

#include <netinet/tcp.h>

static int
pair(struct peer *p, uint16_t port, unsigned options)
{
	wire_open();
	*p = peer_make(port, options);
	return peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

/* SYNs from `count` places, none of which says any more. */
static void
flood(uint16_t port, unsigned from, unsigned count)
{
	struct peer f = peer_make(1, WITH_MSS);

	f.their_port = port;
	for (unsigned i = from; i < from + count; i++) {
		f.port = (uint16_t)(1024 + i);
		f.address = THERE + 1 + i % 200;
		f.sent = i * 7919;
		tell(&f, SYN, NULL, 0);
		if (i % 64 == 0)
			forget();
	}
}

TEST(rfc4987_a_client_of_a_flooded_listener_gets_through)
{
	struct peer p;
	struct segment *seg;
	int l, s;

	wire_open();
	l = listener(5601, 16);
	flood(5601, 0, 2000);
	forget();
	p = peer_make(4601, WITH_MSS);
	p.their_port = 5601;
	/* It says its SYN again, as clients do, until it is answered. */
	do {
		tell_at(&p, p.sent, 0, SYN, NULL, 0);
		seg = hear_within(&p, 1000);
		CHECK(!seg || !(seg->flags & RST));
	} while (!seg || !(seg->flags & SYN));
	p.sent++;
	CHECK_EQ(seg->ack, p.sent);
	p.got = seg->seq + 1;
	/* The flood goes on while its answer is on the way. */
	flood(5601, 2000, 500);
	tell(&p, ACK, NULL, 0);
	tell(&p, ACK, "x", 1);
	await(l, POLLIN);
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	forget();
	still_there(&p, s);
}

TEST(rfc4987_an_answer_that_was_guessed_makes_no_connection)
{
	struct peer p;
	int l;

	wire_open();
	l = listener(5602, 16);
	p = peer_make(4602, WITH_MSS);
	peer_begins(&p, 5602);
	for (uint32_t i = 1; i < 20; i++)
		tell_at(&p, p.sent, p.got + i * 0x1000001, ACK, "forged", 6);
	hear_flags(&p, RST);
	CHECK_EQ(poll(&(struct pollfd){ l, POLLIN, 0 }, 1, 0), 0);
	tell(&p, ACK, NULL, 0);
	await(l, POLLIN);
	CHECK_OK(accept(l, NULL, NULL));
}

TEST(rfc5961_3_resets_all_over_the_window_do_not_end_a_connection)
{
	struct peer p;
	int s = pair(&p, 4603, 0);

	for (uint32_t i = 1; i < 60; i++)
		tell_at(&p, p.sent + i * 1000, p.got, i % 2 ? RST : RST | ACK, NULL, 0);
	forget();
	still_there(&p, s);
}

TEST(s3_10_7_4_data_outside_the_window_is_not_taken)
{
	struct peer p;
	char data[3];
	int s = pair(&p, 4604, WITH_SACK);

	tell_at(&p, p.sent + 0x40000000, p.got, ACK, "far", 3);
	hear_ack(&p, p.sent);
	tell_at(&p, p.sent - 0x40000000, p.got, ACK, "old", 3);
	hear_ack(&p, p.sent);
	tell_at(&p, p.sent + 0x40000000, p.got, ACK | FIN, NULL, 0);
	CHECK_EQ(hear_ack(&p, p.sent)->sacks, 0);
	tell(&p, ACK, "now", 3);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, data, 3, MSG_WAITALL), 3);
	CHECK_MEM(data, "now", 3);
	still_there(&p, s);
}

/* A hole up to `until` is filled, and what came behind it is taken, too. */
static void
fill_hole(struct peer *p, uint32_t until)
{
	static char data[10000];
	uint32_t ack;

	while (p->sent != until)
		tell(p, ACK, data, until - p->sent < sizeof(data) ? until - p->sent : sizeof(data));
	do {
		struct segment *seg = hear(p);

		CHECK(!(seg->flags & RST));
		ack = seg->ack;
	} while ((int32_t)(ack - until) <= 0);
}

/* The window's right edge, which stays where it is until somebody reads. */
static uint32_t
edge_of_window(struct peer *p)
{
	struct segment *seg;

	tell(p, ACK, "first", 5);
	seg = hear_ack(p, p->sent);
	return seg->ack + seg->window;
}

/* Behind a hole `size` bytes come that begin a hundred before the window's edge; then what fills the hole. */
static void
comes_at_the_edge(uint16_t port, unsigned flags, size_t size)
{
	static char data[1000];
	struct peer p;
	uint32_t edge;

	pair(&p, port, 0);
	edge = edge_of_window(&p);
	tell_at(&p, edge - 100, p.got, ACK | flags, data, size);
	fill_hole(&p, edge - 100);
}

TEST(s3_10_7_4_what_comes_out_of_order_may_reach_beyond_the_window)
{
	comes_at_the_edge(4608, 0, 1000);
}

TEST(s3_10_7_4_an_end_out_of_order_may_stand_at_the_edge_of_the_window)
{
	comes_at_the_edge(4609, FIN, 100);
}

TEST(s3_10_7_4_what_comes_out_of_order_may_reach_behind_an_end)
{
	static char data[2010];
	struct peer p;
	uint32_t edge;

	pair(&p, 4610, 0);
	edge = edge_of_window(&p);
	tell_at(&p, edge - 2000, p.got, ACK | FIN, data, 1);
	tell_at(&p, edge - 2010, p.got, ACK, data, 2010);
	fill_hole(&p, edge - 2010);
}

/* Up to the window's edge there is data in order, behind an end that came before it. */
TEST(s3_10_7_4_what_comes_in_order_may_reach_behind_an_end)
{
	static char data[2010];
	struct peer p;
	uint32_t edge;

	pair(&p, 4611, 0);
	edge = edge_of_window(&p);
	tell_at(&p, edge - 2000, p.got, ACK | FIN, data, 1);
	while (p.sent != edge - 2010)
		tell(&p, ACK, (char[10000]){ 0 }, edge - 2010 - p.sent < 10000 ? edge - 2010 - p.sent : 10000);
	hear_ack(&p, p.sent);
	tell_at(&p, p.sent, p.got, ACK, data, 2010);
	while ((int32_t)(hear(&p)->ack - p.sent) <= 0)
		;
}

TEST(s3_2_how_long_segments_may_be_is_said_in_a_syn)
{
	struct segment *seg;
	struct peer p;
	int s = pair(&p, 4612, WITH_MSS);

	p.options |= MSS_ALWAYS;
	p.mss = 1;
	tell(&p, ACK, "x", 1);
	hear_ack(&p, p.sent);
	p.options &= ~(unsigned)MSS_ALWAYS;
	CHECK_EQ(send(s, (char[3000]){ 0 }, 3000, 0), 3000);
	seg = hear_some(&p);
	CHECK_EQ(seg->seq, p.got);
	CHECK_EQ(seg->size, 1460);
	hear_data(&p, (char[3000]){ 0 }, 3000);
}

/* It is said when nothing can be said to the peer any more; whatever is queued then arrives. */
TEST(s3_7_1_segments_may_be_made_shorter_when_some_are_queued)
{
	static char data[60010];
	struct peer p;
	int s = pair(&p, 4613, WITH_MSS);
	uint32_t end = p.got + sizeof(data);

	CHECK_EQ(send(s, data, sizeof(data) - 10, 0), sizeof(data) - 10);
	CHECK_EQ(hear_some(&p)->seq, p.got);
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &(int){ 536 }, sizeof(int)));
	CHECK_EQ(send(s, data, 10, 0), 10);
	tell(&p, ACK, NULL, 0);
	while (p.got != end) {
		struct segment *seg = hear(&p);
		uint32_t last = seg->seq + (uint32_t)seg->size;

		/* Nothing has come that would be acknowledged. */
		CHECK(seg->size > 0);
		if ((int32_t)(seg->seq - p.got) <= 0 && (int32_t)(last - p.got) > 0)
			p.got = last;
		tell(&p, ACK, NULL, 0);
	}
}

TEST(s3_5_1_a_peer_that_has_forgotten_us_is_asked_and_resets)
{
	struct peer p;
	int s = pair(&p, 4605, 0);

	/* It began anew, with another number. */
	tell_at(&p, p.sent + 0x30000000, 0, SYN, NULL, 0);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
	/* To which that says nothing: it resets where our acknowledgement stands. */
	tell_at(&p, p.sent, 0, RST, NULL, 0);
	CHECK_EQ(await_error(s), ECONNRESET);
}

TEST(s3_8_5_an_urgent_pointer_may_point_anywhere)
{
	struct peer p;
	char data[8];
	int s = pair(&p, 4606, 0);

	p.urgent = 0xffff;
	tell(&p, ACK | URG, "one", 3);
	p.urgent = 0;
	tell(&p, ACK | URG, NULL, 0);
	tell(&p, ACK, "two", 3);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, data, 6, MSG_WAITALL), 6);
	CHECK_MEM(data, "onetwo", 6);
	still_there(&p, s);
}

TEST(rfc2018_a_peer_may_tell_of_anything_as_received)
{
	struct peer p;
	char data[6];
	int s = pair(&p, 4607, WITH_MSS | WITH_SACK | WITH_STAMPS);

	/* Stamps of long ago, and of far ahead, are of no connection that says nothing new. */
	p.stamp -= 500;
	tell_at(&p, p.sent, p.got, ACK, "old", 3);
	hear_ack(&p, p.sent);
	p.stamp += 500;
	tell(&p, ACK, "abc", 3);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, data, 3, MSG_WAITALL), 3);
	CHECK_MEM(data, "abc", 3);
	still_there(&p, s);
}
