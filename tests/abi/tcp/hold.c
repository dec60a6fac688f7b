/* SPDX-License-Identifier: MIT */
/*
 * TCP, segment by segment: what is held back because more is to come. It is not held for ever, so each is tried some
 * times: only if it never is held, it is not.
 */
#include "wire.h"

#include <netinet/tcp.h>

enum { PIECE = 600, SEGMENT = 1000, TRIES = 10 };

static int
pair(struct peer *p, uint16_t port)
{
	int s;

	wire_open();
	*p = peer_make(port, WITH_MSS);
	p->mss = SEGMENT;
	s = peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
	return s;
}

/* Two pieces are sent; true: they came as a full segment and the rest. */
static bool
come_together(struct peer *p, int s, int first_flags)
{
	static char data[PIECE];
	size_t done = 0;
	bool full = false;

	CHECK_EQ(send(s, data, PIECE, first_flags), PIECE);
	CHECK_EQ(send(s, data, PIECE, 0), PIECE);
	while (done < 2 * (size_t)PIECE) {
		struct segment *seg = hear(p);

		CHECK(!(seg->flags & RST));
		CHECK(seg->size <= SEGMENT);
		if (seg->seq != p->got || !seg->size)
			continue;
		full |= seg->size == SEGMENT;
		done += seg->size;
		p->got += (uint32_t)seg->size;
		tell(p, ACK, NULL, 0);
	}
	return full;
}

TEST(s3_7_4_what_is_corked_waits_for_a_full_segment)
{
	struct peer p;
	int s = pair(&p, 4501), tries = 0;

	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int)));
	while (!come_together(&p, s, 0))
		CHECK(++tries < TRIES);
}

TEST(s3_7_4_what_is_sent_with_more_waits_for_it)
{
	struct peer p;
	int s = pair(&p, 4502), tries = 0;

	while (!come_together(&p, s, MSG_MORE))
		CHECK(++tries < TRIES);
}

TEST(s3_7_4_what_is_corked_goes_at_last)
{
	struct peer p;
	char data[4];
	int s = pair(&p, 4503);

	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_CORK, &(int){ 1 }, sizeof(int)));
	CHECK_EQ(send(s, "cork", 4, 0), 4);
	hear_data(&p, data, 4);
	CHECK_MEM(data, "cork", 4);
	CHECK_EQ(send(s, "more", 4, MSG_MORE), 4);
	hear_data(&p, data, 4);
	CHECK_MEM(data, "more", 4);
	/* And with what ends the connection. */
	CHECK_EQ(send(s, "last", 4, 0), 4);
	CHECK_OK(shutdown(s, SHUT_WR));
	hear_data(&p, data, 4);
	CHECK_MEM(data, "last", 4);
	CHECK_EQ(hear_flags(&p, FIN)->flags & RST, 0);
}
