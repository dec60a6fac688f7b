/* SPDX-License-Identifier: MIT */
/* TCP, segment by segment: data, windows, what is sent again, what comes out of order. */
#include "wire.h"

#include <netinet/tcp.h>
#include <sys/ioctl.h>

static int
pair(struct peer *p, uint16_t port, unsigned options)
{
	wire_open();
	*p = peer_make(port, options);
	return peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
read_all(int s, const char *wanted)
{
	char data[64];
	size_t size = strlen(wanted);

	CHECK_EQ(recv(s, data, size, MSG_WAITALL), size);
	CHECK_MEM(data, wanted, size);
}

TEST(s3_8_1_data_is_sent_again_later_each_time)
{
	struct peer p;
	double at[5];
	int s = pair(&p, 4201, WITH_MSS);

	CHECK_EQ(send(s, "data", 4, 0), 4);
	for (int i = 0; i < 5; i++) {
		struct segment *seg = hear(&p);

		CHECK_EQ(seg->seq, p.got);
		CHECK_EQ(seg->size, 4);
		CHECK_MEM(seg->data, "data", 4);
		at[i] = now();
	}
	/* Doubled each time, which three doublings show however late a segment is seen. */
	CHECK(at[4] - at[3] > (at[2] - at[1]) * 1.2);
	p.got += 4;
	tell(&p, ACK, NULL, 0);
	CHECK_EQ(send(s, "more", 4, 0), 4);
	hear_data(&p, (char[4]){ 0 }, 4);
}

TEST(rfc5681_three_duplicates_bring_what_is_missing)
{
	struct peer p;
	static char data[1000 * 8];
	uint32_t seen = 0;
	int s;

	wire_open();
	p = peer_make(4202, WITH_MSS | WITH_SACK);
	p.mss = 1000;
	s = peer_connects(&p, listener(5202, 5), 5202);
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(send(s, data + 1000 * i, 1000, 0), 1000);
	/* The first is lost; each other one is told by a duplicate, until it comes again. */
	for (;;) {
		struct segment *seg = hear(&p);

		if (seg->size && seg->seq == p.got && seen > 0)
			break;
		if (seg->size && seg->seq != p.got)
			tell(&p, ACK, NULL, 0);
		seen += !!seg->size;
	}
	p.got += sizeof(data);
	tell(&p, ACK, NULL, 0);
	await(s, POLLOUT);
	forget();
	CHECK_EQ(send(s, "x", 1, 0), 1);
	hear_data(&p, (char[1]){ 0 }, 1);
}

TEST(s3_8_6_1_a_closed_window_is_asked_and_opens)
{
	struct peer p;
	char data[5];
	int s = pair(&p, 4203, WITH_MSS);

	/* Behind what told of a window: Linux takes no smaller one from the same place. */
	tell(&p, ACK, "sh", 2);
	p.window = 0;
	tell(&p, ACK, "ut", 2);
	hear_ack(&p, p.sent);
	CHECK_EQ(send(s, "later", 5, 0), 5);
	for (int i = 0; i < 3; i++) {
		struct segment *seg = hear(&p);

		/* A probe: what was acknowledged before, or one byte. */
		CHECK(!(seg->flags & RST));
		CHECK(seg->size <= 1);
		CHECK(seg->seq == p.got || seg->seq == p.got - 1);
		tell(&p, ACK, NULL, 0);
	}
	p.window = 1000;
	tell(&p, ACK, NULL, 0);
	hear_data(&p, data, 5);
	CHECK_MEM(data, "later", 5);
}

/* The byte that asks may be all there is; whoever asks by none hears of a window, and sends it then. */
TEST(s3_8_6_1_a_closed_window_may_take_the_byte_that_asks)
{
	struct segment *seg;
	struct peer p;
	int s = pair(&p, 4290, WITH_MSS);

	tell(&p, ACK, "sh", 2);
	p.window = 0;
	tell(&p, ACK, "ut", 2);
	hear_ack(&p, p.sent);
	CHECK_EQ(send(s, "x", 1, 0), 1);
	do {
		seg = hear(&p);
		CHECK(!(seg->flags & RST));
		if (seg->size)
			p.got += 1;
		else
			p.window = 1000;
		tell(&p, ACK, NULL, 0);
	} while (!seg->size);
	/* There is no more to ask for. On a busy machine the byte may have been sent twice. */
	while ((seg = hear_within(&p, 1500)) != NULL)
		CHECK(seg->size > 0);
	p.window = 1000;
	tell(&p, ACK, NULL, 0);
	read_all(s, "shut");
	still_there(&p, s);
}

TEST(s3_8_6_no_more_is_sent_than_the_window_has)
{
	struct peer p;
	static char data[5000];
	uint32_t end;
	int s;

	wire_open();
	p = peer_make(4204, WITH_MSS);
	p.window = 1000;
	p.mss = 500;
	s = peer_connects(&p, listener(5204, 5), 5204);
	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	end = p.got + sizeof(data);
	while (p.got != end) {
		struct segment *seg = hear(&p);
		uint32_t last = seg->seq + (uint32_t)seg->size;

		CHECK((int32_t)(last - (p.got + 1000)) <= 0);
		if (seg->seq == p.got && seg->size) {
			p.got = last;
			tell(&p, ACK, NULL, 0);
		}
	}
}

TEST(rfc7323_2_windows_are_scaled)
{
	struct peer p;
	static char data[20000];
	uint32_t end;
	int s;

	wire_open();
	p = peer_make(4205, WITH_MSS | WITH_SCALE);
	p.scale = 7;
	s = peer_connects(&p, listener(5205, 5), 5205);
	tell(&p, ACK, "x", 1);
	p.window = 10; /* 1,280 bytes; without a scale it would be ten */
	tell(&p, ACK, "y", 1);
	hear_ack(&p, p.sent);
	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	end = p.got + sizeof(data);
	while (p.got != end) {
		struct segment *seg = hear(&p);
		uint32_t last = seg->seq + (uint32_t)seg->size;

		CHECK((int32_t)(last - (p.got + 1280)) <= 0);
		CHECK(seg->size == 0 || seg->size > 10 || last == end);
		if (seg->seq == p.got && seg->size) {
			p.got = last;
			tell(&p, ACK, NULL, 0);
		}
	}
}

/* Fills what the other one takes, until its window is shut. */
static void
fill(struct peer *p, int scale)
{
	static char data[1000];
	uint32_t edge;

	tell(p, ACK, data, 1);
	for (;;) {
		struct segment *seg = hear_ack(p, p->sent);

		edge = seg->ack + ((uint32_t)seg->window << scale);
		if (edge == p->sent)
			return;
		tell(p, ACK, data, edge - p->sent < sizeof(data) ? edge - p->sent : sizeof(data));
	}
}

TEST(s3_8_6_a_window_shuts_stays_where_it_was_and_opens_again)
{
	struct peer p;
	struct segment *seg;
	static char data[1 << 20];
	uint32_t full;
	int s, l;

	wire_open();
	p = peer_make(4206, WITH_MSS);
	l = listener(5206, 5);
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &(int){ 8192 }, sizeof(int)));
	s = peer_connects(&p, l, 5206);
	fill(&p, 0);
	full = p.sent;
	/* More than it takes is not taken. */
	tell_at(&p, p.sent, p.got, ACK, "more", 4);
	CHECK_EQ(hear_ack(&p, full)->window, 0);
	CHECK(recv(s, data, sizeof(data), 0) > 0);
	do
		seg = hear_ack(&p, full);
	while (seg->window == 0);
	tell(&p, ACK, "more", 4);
	hear_ack(&p, p.sent);
}

TEST(s3_8_6_2_2_a_window_does_not_open_by_crumbs)
{
	struct peer p;
	struct segment *seg;
	char byte;
	int s, l;

	wire_open();
	p = peer_make(4207, WITH_MSS);
	l = listener(5207, 5);
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_RCVBUF, &(int){ 8192 }, sizeof(int)));
	s = peer_connects(&p, l, 5207);
	fill(&p, 0);
	CHECK_EQ(recv(s, &byte, 1, 0), 1);
	/* A probe; its answer. */
	tell_at(&p, p.sent, p.got, ACK, "x", 1);
	seg = hear(&p);
	CHECK(seg->window == 0 || seg->window >= 500);
}

TEST(s3_10_7_4_what_comes_out_of_order_is_put_in_order)
{
	struct peer p;
	uint32_t first;
	int s = pair(&p, 4208, WITH_MSS);

	first = p.sent;
	tell_at(&p, first + 6, p.got, ACK, "ghi", 3);
	hear_ack(&p, first);
	tell_at(&p, first + 3, p.got, ACK, "def", 3);
	hear_ack(&p, first);
	tell_at(&p, first, p.got, ACK, "abc", 3);
	hear_ack(&p, first + 9);
	read_all(s, "abcdefghi");
}

TEST(rfc2018_what_came_out_of_order_is_told)
{
	struct peer p;
	struct segment *seg;
	uint32_t first;
	int s = pair(&p, 4209, WITH_MSS | WITH_SACK);

	first = p.sent;
	tell_at(&p, first + 100, p.got, ACK, "one", 3);
	seg = hear_ack(&p, first);
	CHECK_EQ(seg->sacks, 1);
	CHECK_EQ(seg->sack[0][0], first + 100);
	CHECK_EQ(seg->sack[0][1], first + 103);
	tell_at(&p, first + 200, p.got, ACK, "two", 3);
	seg = hear_ack(&p, first);
	CHECK_EQ(seg->sacks, 2);
	/* The first block holds what came last. */
	CHECK_EQ(seg->sack[0][0], first + 200);
	CHECK_EQ(seg->sack[0][1], first + 203);
	CHECK_EQ(seg->sack[1][0], first + 100);
	tell(&p, ACK, (char[200]){ 0 }, 200);
	p.sent += 3;
	seg = hear_ack(&p, p.sent);
	/* None is left, but perhaps one that tells what came twice (RFC 2883). */
	CHECK(seg->sacks == 0 || (int32_t)(seg->sack[0][1] - p.sent) <= 0);
	CHECK_EQ(recv(s, (char[203]){ 0 }, 203, MSG_WAITALL), 203);
}

TEST(s3_10_7_4_what_overlaps_is_read_once)
{
	struct peer p;
	uint32_t first;
	int s = pair(&p, 4210, WITH_MSS);

	first = p.sent;
	tell_at(&p, first + 4, p.got, ACK, "efgh", 4);
	hear_ack(&p, first);
	tell_at(&p, first + 2, p.got, ACK, "cdef", 4);
	hear_ack(&p, first);
	tell_at(&p, first, p.got, ACK, "abcd", 4);
	hear_ack(&p, first + 8);
	/* Old and new in one. */
	tell_at(&p, first + 6, p.got, ACK, "ghij", 4);
	hear_ack(&p, first + 10);
	read_all(s, "abcdefghij");
}

TEST(s3_10_7_4_old_data_is_acknowledged_again)
{
	struct peer p;
	int s = pair(&p, 4211, WITH_MSS);

	tell(&p, ACK, "abc", 3);
	hear_ack(&p, p.sent);
	tell_at(&p, p.sent - 3, p.got, ACK, "abc", 3);
	hear_ack(&p, p.sent);
	tell(&p, ACK, "d", 1);
	hear_ack(&p, p.sent);
	read_all(s, "abcd");
}

TEST(s3_10_7_4_a_fin_before_its_data_waits_for_it)
{
	struct peer p;
	uint32_t first;
	int s = pair(&p, 4212, WITH_MSS);

	first = p.sent;
	tell_at(&p, first + 3, p.got, ACK | FIN, "def", 3);
	hear_ack(&p, first);
	tell_at(&p, first, p.got, ACK, "abc", 3);
	read_all(s, "abcdef");
	/* The FIN may have been forgotten: it comes again. */
	tell_at(&p, first + 6, p.got, ACK | FIN, NULL, 0);
	hear_ack(&p, first + 7);
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 0);
}

TEST(rfc7323_3_stamps_are_echoed)
{
	struct peer p;
	struct segment *seg;
	int s = pair(&p, 4213, WITH_MSS | WITH_STAMPS);

	p.stamp = 5000;
	tell(&p, ACK, "x", 1);
	seg = hear_ack(&p, p.sent);
	CHECK(seg->stamped);
	CHECK_EQ(seg->echo, 5000);
	p.stamp = 6000;
	tell(&p, ACK, "y", 1);
	CHECK_EQ(hear_ack(&p, p.sent)->echo, 6000);
	CHECK_EQ(send(s, "z", 1, 0), 1);
	seg = hear(&p);
	CHECK(seg->stamped && seg->size == 1);
	CHECK_EQ(seg->echo, 6000);
}

TEST(rfc7323_5_data_with_an_older_stamp_is_dropped_and_answered)
{
	struct peer p;
	int s = pair(&p, 4214, WITH_MSS | WITH_STAMPS);

	p.stamp = 100000;
	tell(&p, ACK, "new", 3);
	hear_ack(&p, p.sent);
	p.stamp = 50000;
	tell_at(&p, p.sent, p.got, ACK, "old", 3);
	hear_ack(&p, p.sent);
	p.stamp = 100001;
	tell(&p, ACK, "now", 3);
	hear_ack(&p, p.sent);
	read_all(s, "newnow");
}

TEST(s3_8_5_urgent_data_is_pointed_to)
{
	struct peer p;
	struct segment *seg;
	int s = pair(&p, 4215, WITH_MSS);

	CHECK_EQ(send(s, "abc!", 4, MSG_OOB), 4);
	seg = hear(&p);
	CHECK(seg->flags & URG);
	CHECK_EQ(seg->size, 4);
	/* Behind the byte: what all the world does (RFC 6093), not what RFC 793 meant. */
	CHECK_EQ(seg->urgent, 4);
}

TEST(s3_8_5_urgent_data_is_read_apart)
{
	struct peer p;
	char byte = 0, data[8];
	int mark, s = pair(&p, 4216, WITH_MSS);

	p.urgent = 3;
	tell(&p, ACK | URG, "ab!cd", 5);
	hear_ack(&p, p.sent);
	await(s, POLLPRI);
	CHECK_EQ(recv(s, &byte, 1, MSG_OOB), 1);
	CHECK_EQ(byte, '!');
	CHECK_EQ(recv(s, data, sizeof(data), 0), 2);
	CHECK_MEM(data, "ab", 2);
	CHECK_OK(ioctl(s, SIOCATMARK, &mark));
	CHECK_EQ(mark, 1);
	CHECK_EQ(recv(s, data, sizeof(data), 0), 2);
	CHECK_MEM(data, "cd", 2);
}

TEST(s3_7_4_small_writes_wait_for_the_acknowledgement)
{
	struct peer p;
	struct segment *seg;
	char data[2];
	int s = pair(&p, 4217, WITH_MSS);

	CHECK_EQ(send(s, "a", 1, 0), 1);
	CHECK_EQ(hear_some(&p)->size, 1);
	CHECK_EQ(send(s, "b", 1, 0), 1);
	CHECK_EQ(send(s, "c", 1, 0), 1);
	p.got++;
	while ((seg = hear_within(&p, 20)) != NULL)
		CHECK(seg->size == 0 || seg->seq != p.got);
	tell(&p, ACK, NULL, 0);
	hear_data(&p, data, 2);
	CHECK_MEM(data, "bc", 2);
}

TEST(s3_7_4_small_writes_do_not_wait_where_that_is_asked_for)
{
	struct peer p;
	int s = pair(&p, 4218, WITH_MSS);

	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
	for (int i = 0; i < 3; i++) {
		uint32_t place = p.got + (uint32_t)i;

		CHECK_EQ(send(s, "a", 1, 0), 1);
		while (hear(&p)->seq != place)
			;
	}
}

TEST(s3_8_6_3_every_second_full_segment_is_acknowledged)
{
	struct peer p;
	static char data[1000];
	int s = pair(&p, 4219, WITH_MSS);

	for (int i = 0; i < 10; i++) {
		tell(&p, ACK, data, sizeof(data));
		tell(&p, ACK, data, sizeof(data));
		hear_ack(&p, p.sent);
		CHECK_EQ(recv(s, (char[2000]){ 0 }, 2000, MSG_WAITALL), 2000);
	}
}

TEST(s3_10_7_4_a_window_that_shrinks_is_lived_with)
{
	struct peer p;
	static char data[6000];
	int s = pair(&p, 4220, WITH_MSS);
	uint32_t end = p.got + sizeof(data);

	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	hear_flags(&p, ACK);
	p.window = 100;
	tell(&p, ACK, NULL, 0);
	p.window = 4000;
	while (p.got != end) {
		struct segment *seg = hear(&p);

		CHECK(!(seg->flags & RST));
		tell(&p, ACK, NULL, 0);
		if (seg->seq == p.got)
			p.got += (uint32_t)seg->size;
	}
	tell(&p, ACK, NULL, 0);
}

TEST(s3_4_sequence_numbers_wrap)
{
	struct peer p;
	static char data[1000];
	char got[1000];
	int s;

	wire_open();
	p = peer_make(4221, WITH_MSS | WITH_SACK);
	p.sent = 0xfffffe00;
	s = peer_connects(&p, listener(5221, 5), 5221);
	memset(data, 'w', sizeof(data));
	tell_at(&p, p.sent + 500, p.got, ACK, data + 500, 500);
	hear_ack(&p, p.sent);
	tell_at(&p, p.sent, p.got, ACK, data, 500);
	p.sent += 1000;
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, got, sizeof(got), MSG_WAITALL), sizeof(got));
	CHECK_MEM(got, data, sizeof(got));
}

TEST(rfc1191_a_smaller_path_makes_smaller_segments)
{
	struct peer p;
	static char data[3000];
	struct segment *seg;
	int s = pair(&p, 4222, WITH_MSS);
	uint32_t end = p.got + sizeof(data);

	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	do
		seg = hear(&p);
	while (seg->size < 1000);
	tell_icmp(&p, 3, 4, p.got, 800);
	for (bool smaller = false; p.got != end;) {
		seg = hear(&p);
		smaller |= seg->size && seg->seq == p.got && seg->size <= 760;
		if (smaller && seg->seq == p.got) {
			CHECK(seg->size <= 760);
			p.got += (uint32_t)seg->size;
			tell(&p, ACK, NULL, 0);
		}
	}
}
