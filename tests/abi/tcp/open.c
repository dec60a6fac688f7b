/* SPDX-License-Identifier: MIT */
/* TCP, segment by segment: how connections come to be, and how they do not. */
#include "wire.h"

#include <netinet/tcp.h>

TEST(s3_5_a_listener_answers_a_syn_and_accepts)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4001, WITH_MSS);
	s = peer_connects(&p, listener(5001, 5), 5001);
	tell(&p, ACK | PSH, "hello", 5);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, (char[8]){ 0 }, 8, 0), 5);
}

TEST(s3_5_a_connect_sends_a_syn_and_acknowledges_the_answer)
{
	struct peer p;
	struct segment *seg;
	int s;

	wire_open();
	p = peer_make(4002, WITH_MSS);
	s = start_connect(&p);
	seg = hear(&p);
	CHECK_EQ(seg->flags, SYN);
	CHECK_EQ(seg->ack, 0);
	CHECK_EQ(seg->size, 0);
	CHECK(seg->mss > 0);
	p.got = seg->seq + 1;
	tell(&p, SYN | ACK, NULL, 0);
	seg = hear(&p);
	CHECK_EQ(seg->flags & (SYN | ACK | RST | FIN), ACK);
	CHECK_EQ(seg->seq, p.got);
	CHECK_EQ(seg->ack, p.sent);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_5_both_ends_may_connect_at_once)
{
	struct peer p;
	uint32_t first;
	int s;

	wire_open();
	p = peer_make(4003, WITH_MSS);
	s = start_connect(&p);
	first = hear_flags(&p, SYN)->seq;
	tell(&p, SYN, NULL, 0);
	p.got = first + 1;
	/* A SYN with an acknowledgement of the peer's, from the same place as the first. */
	CHECK_EQ(hear_flags(&p, SYN | ACK)->seq, first);
	tell(&p, ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	hear_data(&p, (char[1]){ 0 }, 1);
}

TEST(s3_5_2_a_syn_to_a_closed_port_is_reset)
{
	struct peer p;
	struct segment *seg;

	wire_open();
	p = peer_make(4004, WITH_MSS);
	p.their_port = 5004;
	tell(&p, SYN, NULL, 0);
	seg = hear(&p);
	CHECK_EQ(seg->flags, RST | ACK);
	CHECK_EQ(seg->seq, 0);
	CHECK_EQ(seg->ack, p.sent);
}

TEST(s3_5_2_data_to_a_closed_port_is_reset_behind_its_end)
{
	struct peer p;
	struct segment *seg;

	wire_open();
	p = peer_make(4005, 0);
	p.their_port = 5005;
	tell(&p, SYN | FIN, "abc", 3);
	seg = hear(&p);
	CHECK_EQ(seg->flags, RST | ACK);
	CHECK_EQ(seg->ack, p.sent);
}

TEST(s3_5_2_an_acknowledgement_to_a_closed_port_is_reset_where_it_stands)
{
	struct peer p;
	struct segment *seg;

	wire_open();
	p = peer_make(4006, 0);
	p.their_port = 5006;
	p.got = 0x12345678;
	tell(&p, ACK, NULL, 0);
	seg = hear(&p);
	CHECK_EQ(seg->flags, RST);
	CHECK_EQ(seg->seq, 0x12345678);
}

TEST(s3_5_2_a_reset_is_never_answered)
{
	struct peer p;

	wire_open();
	p = peer_make(4007, 0);
	p.their_port = 5007;
	p.got = 1;
	tell(&p, RST, NULL, 0);
	tell(&p, RST | ACK, NULL, 0);
	/* What comes is the answer to what is told now. */
	p.got = 0x22222222;
	tell(&p, ACK, NULL, 0);
	CHECK_EQ(hear(&p)->seq, 0x22222222);
}

TEST(s3_10_7_2_an_acknowledgement_to_a_listener_is_reset)
{
	struct peer p;

	wire_open();
	p = peer_make(4008, 0);
	listener(5008, 5);
	p.their_port = 5008;
	p.got = 0x33333333;
	tell(&p, ACK, NULL, 0);
	CHECK_EQ(hear_flags(&p, RST)->seq, 0x33333333);
}

TEST(s3_10_7_2_a_reset_to_a_listener_is_ignored)
{
	struct peer p;
	int l;

	wire_open();
	p = peer_make(4009, 0);
	l = listener(5009, 5);
	p.their_port = 5009;
	tell(&p, RST, NULL, 0);
	peer_connects(&p, l, 5009);
}

TEST(s3_10_7_3_a_connect_is_refused_by_a_reset_that_acknowledges_it)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4010, 0);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	tell(&p, RST | ACK, NULL, 0);
	CHECK_EQ(await_error(s), ECONNREFUSED);
}

TEST(s3_10_7_3_a_connect_ignores_resets_that_do_not_acknowledge_it)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4011, 0);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	tell(&p, RST, NULL, 0);
	tell_at(&p, p.sent, p.got + 5, RST | ACK, NULL, 0);
	tell_at(&p, p.sent, p.got - 1, RST | ACK, NULL, 0);
	tell(&p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_10_7_3_an_answer_to_another_syn_is_reset)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4012, 0);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	tell_at(&p, p.sent, p.got + 1000, SYN | ACK, NULL, 0);
	CHECK_EQ(hear_flags(&p, RST)->seq, p.got + 1000);
	/* The connect goes on. */
	tell(&p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_10_7_3_many_answers_to_other_syns_do_not_end_a_connect)
{
	struct peer p;
	unsigned syns = 0;
	int s;

	wire_open();
	p = peer_make(4080, 0);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	for (uint32_t i = 0; i < 20; i++) {
		struct segment *seg;

		tell_at(&p, p.sent, p.got + 1000 + i, i % 2 ? ACK : SYN | ACK, NULL, 0);
		/* A SYN may be sent again meanwhile, early or when it is time; not by each of them. */
		while (!((seg = hear_within(&p, PATIENCE))->flags & RST))
			syns++;
		CHECK_EQ(seg->seq, p.got + 1000 + i);
	}
	CHECK(syns <= 4);
	/* What gives up does so by its clock. */
	CHECK_EQ(poll(&(struct pollfd){ s, POLLOUT, 0 }, 1, 1500), 0);
	tell(&p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_10_7_3_an_acknowledgement_alone_is_no_answer_to_a_syn)
{
	struct segment *seg;
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4081, 0);
	s = start_connect(&p);
	p.got = hear_flags(&p, SYN)->seq + 1;
	tell(&p, ACK, NULL, 0);
	tell_at(&p, p.sent, p.got + 7, ACK, NULL, 0);
	/* The first that comes is about the second, which makes no sense. */
	while ((seg = hear(&p))->flags == SYN)
		;
	CHECK_EQ(seg->flags, RST);
	CHECK_EQ(seg->seq, p.got + 7);
	tell(&p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
}

TEST(s3_8_1_a_syn_is_sent_again)
{
	struct peer p;
	uint32_t first;

	wire_open();
	p = peer_make(4013, 0);
	start_connect(&p);
	first = hear_flags(&p, SYN)->seq;
	CHECK_EQ(hear_flags(&p, SYN)->seq, first);
}

TEST(s3_8_1_the_answer_to_a_syn_is_sent_again)
{
	struct peer p;
	uint32_t first;

	wire_open();
	p = peer_make(4014, 0);
	listener(5014, 5);
	p.their_port = 5014;
	tell(&p, SYN, NULL, 0);
	first = hear_flags(&p, SYN | ACK)->seq;
	CHECK_EQ(hear_flags(&p, SYN | ACK)->seq, first);
}

TEST(s3_10_7_4_a_reset_before_the_handshake_ends_leaves_the_listener)
{
	struct peer p;
	int l;

	wire_open();
	p = peer_make(4015, 0);
	l = listener(5015, 1);
	p.their_port = 5015;
	for (int i = 0; i < 20; i++) {
		tell(&p, SYN, NULL, 0);
		hear_flags(&p, SYN | ACK);
		tell(&p, RST, NULL, 0);
		p.port++;
	}
	peer_connects(&p, l, 5015);
}

TEST(s3_10_7_4_data_may_come_with_the_last_acknowledgement)
{
	struct peer p;
	char data[4];
	int l, s;

	wire_open();
	p = peer_make(4016, 0);
	l = listener(5016, 1);
	peer_begins(&p, 5016);
	tell(&p, ACK | FIN, "data", 4);
	await(l, POLLIN);
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, data, 4, MSG_WAITALL), 4);
	CHECK_MEM(data, "data", 4);
	CHECK_EQ(recv(s, data, 4, 0), 0);
	hear_ack(&p, p.sent);
}

/* What /proc says of a connection of the peer's to that port; 0: nothing. */
static unsigned
state_in_proc(const struct peer *p)
{
	FILE *f = fopen("/proc/self/net/tcp", "r");
	unsigned from, to, state, found = 0;
	char line[300];

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &from, &to, &state) == 3 && from == p->their_port && to == p->port)
			found = state;
	CHECK_OK(fclose(f));
	return found;
}

TEST(s3_3_2_a_connection_that_is_not_confirmed_is_shown)
{
	struct peer p;
	int l;

	wire_open();
	p = peer_make(4017, 0);
	l = listener(5017, 1);
	p.their_port = 5017;
	CHECK_EQ(state_in_proc(&p), 0);
	peer_begins(&p, 5017);
	CHECK_EQ(state_in_proc(&p), TCP_SYN_RECV);
	tell(&p, ACK, NULL, 0);
	await(l, POLLIN);
	CHECK_EQ(state_in_proc(&p), TCP_ESTABLISHED);
	/* One that is given up is gone. */
	p = peer_make(4018, 0);
	peer_begins(&p, 5017);
	CHECK_EQ(state_in_proc(&p), TCP_SYN_RECV);
	tell(&p, RST, NULL, 0);
	while (state_in_proc(&p) == TCP_SYN_RECV)
		check_sleep_ms(10);
	CHECK_EQ(state_in_proc(&p), 0);
}

TEST(s3_10_7_4_a_syn_with_the_last_acknowledgement_confirms_nothing)
{
	struct peer p;
	int l;

	wire_open();
	p = peer_make(4082, 0);
	l = listener(5082, 1);
	peer_begins(&p, 5082);
	tell_at(&p, p.sent - 1, p.got, SYN | ACK, NULL, 0);
	/* It is told where we are. */
	CHECK_EQ(hear_ack(&p, p.sent)->flags & SYN, 0);
	CHECK_EQ(poll(&(struct pollfd){ l, POLLIN, 0 }, 1, 100), 0);
	CHECK_EQ(state_in_proc(&p), TCP_SYN_RECV);
	tell(&p, ACK, NULL, 0);
	await(l, POLLIN);
	still_there(&p, CHECK_OK(accept(l, NULL, NULL)));
}

TEST(s3_4_1_initial_sequence_numbers_differ)
{
	uint32_t seen[8];

	wire_open();
	for (int i = 0; i < 8; i++) {
		struct peer p = peer_make((uint16_t)(4020 + i), 0);

		start_connect(&p);
		seen[i] = hear_flags(&p, SYN)->seq;
		for (int before = 0; before < i; before++)
			CHECK((seen[i] - seen[before]) >> 10 != 0);
	}
}

TEST(rfc6056_ports_are_not_counted_up)
{
	struct peer p;
	uint16_t before = 0;
	int in_turn = 0;

	wire_open();
	p = peer_make(4030, 0);
	for (int i = 0; i < 16; i++) {
		p.port++;
		start_connect(&p);
		hear_flags(&p, SYN);
		in_turn += p.their_port - before >= 0 && p.their_port - before <= 2;
		before = p.their_port;
	}
	CHECK(in_turn < 8);
}

/* 4,000 bytes that `s` sends come in segments of no more than `largest`. */
static void
comes_in_segments(struct peer *p, int s, size_t largest)
{
	static char data[4000];

	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	for (size_t done = 0; done < sizeof(data);) {
		struct segment *seg = hear(p);

		CHECK(seg->size <= largest);
		if (seg->size && seg->seq == p->got) {
			done += seg->size;
			p->got += (uint32_t)seg->size;
			tell(p, ACK, NULL, 0);
		}
	}
}

TEST(s3_7_1_a_peer_without_the_option_gets_536_bytes_at_most)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4050, 0);
	s = peer_connects(&p, listener(5050, 5), 5050);
	comes_in_segments(&p, s, 536);
}

TEST(s3_7_1_segments_are_no_larger_than_the_peer_takes)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4051, WITH_MSS);
	p.mss = 700;
	s = connects_to_peer(&p);
	comes_in_segments(&p, s, 700);
}

TEST(s3_1_unknown_options_are_ignored)
{
	struct peer p;
	int s;

	wire_open();
	/* The scale of 14 is the largest; one above it counts as 14 (RFC 7323, 2.3). */
	p = peer_make(4052, WITH_MSS | WITH_SCALE);
	p.scale = 15;
	p.window = 1;
	s = peer_connects(&p, listener(5052, 5), 5052);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	hear_data(&p, (char[1]){ 0 }, 1);
}

TEST(rfc7323_options_are_used_only_if_both_ends_name_them)
{
	struct peer p;
	struct segment *seg;

	wire_open();
	p = peer_make(4053, WITH_MSS);
	listener(5053, 5);
	p.their_port = 5053;
	tell(&p, SYN, NULL, 0);
	seg = hear_flags(&p, SYN | ACK);
	CHECK_EQ(seg->scale, -1);
	CHECK(!seg->stamped);
	CHECK(!seg->sack_permitted);
	p = peer_make(4054, WITH_MSS | WITH_SCALE | WITH_SACK | WITH_STAMPS);
	p.their_port = 5053;
	tell(&p, SYN, NULL, 0);
	seg = hear_flags(&p, SYN | ACK);
	CHECK(seg->scale >= 0 && seg->scale <= 14);
	CHECK(seg->stamped);
	CHECK_EQ(seg->echo, p.stamp);
	CHECK(seg->sack_permitted);
}

/* As clients do: say it again until it is answered. */
static void
insist(struct peer *p)
{
	struct segment *seg = NULL;

	while (!seg || !(seg->flags & SYN)) {
		tell_at(p, p->sent - 1, 0, SYN, NULL, 0);
		seg = hear_within(p, 1000);
		CHECK(!seg || !(seg->flags & RST));
	}
	p->got = seg->seq + 1;
	tell(p, ACK, NULL, 0);
}

TEST(s3_10_7_2_a_backlog_that_is_full_delays_and_does_not_refuse)
{
	struct peer p[4];
	int l;

	wire_open();
	l = listener(5060, 1);
	for (int i = 0; i < 4; i++) {
		p[i] = peer_make((uint16_t)(4060 + i), 0);
		p[i].their_port = 5060;
		tell(&p[i], SYN, NULL, 0);
		/* One more than the backlog says has room on Linux, only so many elsewhere. */
		if (i == 0)
			insist(&p[i]);
	}
	for (int i = 0; i < 4; i++) {
		int s;

		if (i > 0) {
			forget();
			insist(&p[i]);
		}
		await(l, POLLIN);
		s = CHECK_OK(accept(l, NULL, NULL));
		tell(&p[i], ACK, "x", 1);
		CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	}
}

TEST(rfc4987_a_flood_of_syns_leaves_other_listeners_and_connections_alone)
{
	struct peer p, old, flood;
	int other, s;

	wire_open();
	listener(5070, 16);
	other = listener(5071, 16);
	old = peer_make(4070, 0);
	s = peer_connects(&old, other, 5071);
	flood = peer_make(1, 0);
	flood.their_port = 5070;
	for (unsigned i = 0; i < 3000; i++) {
		flood.port = (uint16_t)(1024 + i);
		flood.address = THERE + 1 + i % 200;
		flood.sent = i * 7919;
		tell(&flood, SYN, NULL, 0);
		if (i % 64 == 0)
			forget();
	}
	tell(&old, ACK, "x", 1);
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	p = peer_make(4071, 0);
	peer_connects(&p, other, 5071);
}
