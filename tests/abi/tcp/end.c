/* SPDX-License-Identifier: MIT */
/* TCP, segment by segment: how connections end. */
#include "wire.h"

#include <netinet/tcp.h>

static int
pair(struct peer *p, uint16_t port, unsigned options)
{
	wire_open();
	*p = peer_make(port, options);
	return peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

/* Their FIN comes, and is acknowledged. */
static void
take_fin(struct peer *p)
{
	struct segment *s = hear_flags(p, FIN);

	CHECK_EQ(s->seq, p->got);
	p->got++;
}

TEST(s3_6_a_close_sends_a_fin_and_the_peer_may_go_on)
{
	struct peer p;
	char data[6];
	int s = pair(&p, 4101, 0);

	CHECK_OK(shutdown(s, SHUT_WR));
	take_fin(&p);
	tell(&p, ACK, NULL, 0);
	tell(&p, ACK, "three", 5);
	hear_ack(&p, p.sent);
	tell(&p, ACK | FIN, "!", 1);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
	CHECK_EQ(recv(s, data, 6, MSG_WAITALL), 6);
	CHECK_MEM(data, "three!", 6);
	CHECK_EQ(recv(s, data, 1, 0), 0);
}

TEST(s3_6_the_peer_may_end_first)
{
	struct peer p;
	struct segment *answer = NULL;
	int s = pair(&p, 4102, 0);

	tell(&p, ACK | FIN, NULL, 0);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 0);
	CHECK_EQ(send(s, "still", 5, 0), 5);
	hear_data(&p, (char[5]){ 0 }, 5);
	CHECK_OK(close(s));
	take_fin(&p);
	tell(&p, ACK, NULL, 0);
	/* Nothing is left: more is reset. Who had to send his end twice may wait a moment for an answer to each. */
	for (int i = 0; !answer || !(answer->flags & RST); i++) {
		CHECK(i < 100);
		tell(&p, ACK, NULL, 0);
		answer = hear_within(&p, 500);
	}
}

TEST(s3_6_both_ends_may_close_at_once)
{
	struct peer p;
	int s = pair(&p, 4103, 0);
	uint32_t fin;

	CHECK_OK(close(s));
	fin = hear_flags(&p, FIN)->seq;
	CHECK_EQ(fin, p.got);
	/* A FIN that does not acknowledge theirs. */
	tell(&p, ACK | FIN, NULL, 0);
	hear_ack(&p, p.sent);
	p.got++;
	tell(&p, ACK, NULL, 0);
	/* In TIME-WAIT a FIN that comes again is acknowledged again. */
	tell_at(&p, p.sent - 1, p.got, ACK | FIN, NULL, 0);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
}

TEST(s3_8_1_a_fin_is_sent_again)
{
	struct peer p;
	int s = pair(&p, 4104, 0);

	CHECK_OK(close(s));
	CHECK_EQ(hear_flags(&p, FIN)->seq, p.got);
	CHECK_EQ(hear_flags(&p, FIN)->seq, p.got);
}

TEST(s3_6_a_fin_is_sent_behind_all_data)
{
	struct peer p;
	static char data[20000], got[20000];
	int s = pair(&p, 4105, WITH_MSS);

	memset(data, 'd', sizeof(data));
	CHECK_EQ(send(s, data, sizeof(data), 0), sizeof(data));
	CHECK_OK(close(s));
	for (size_t done = 0;;) {
		struct segment *seg = hear(&p);

		CHECK(!(seg->flags & RST));
		if (seg->seq != p.got)
			continue;
		memcpy(got + done, seg->data, seg->size);
		done += seg->size;
		p.got += (uint32_t)seg->size;
		if (seg->flags & FIN) {
			CHECK_EQ(done, sizeof(data));
			break;
		}
		if (seg->size)
			tell(&p, ACK, NULL, 0);
	}
	CHECK_MEM(got, data, sizeof(data));
}

/* What must not come before the close is over: the peer's end of a connection that we closed. */
static void
to_time_wait(struct peer *p, int s)
{
	CHECK_OK(close(s));
	take_fin(p);
	tell(p, ACK | FIN, NULL, 0);
	hear_ack(p, p->sent);
}

TEST(s3_10_7_4_time_wait_acknowledges_a_fin_that_comes_again)
{
	struct peer p;
	int s = pair(&p, 4106, 0);

	to_time_wait(&p, s);
	for (int i = 0; i < 3; i++) {
		tell_at(&p, p.sent - 1, p.got, ACK | FIN, NULL, 0);
		CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
	}
}

TEST(s3_10_7_4_time_wait_answers_old_data_with_where_it_stands)
{
	struct peer p;
	int s = pair(&p, 4107, 0);

	tell(&p, ACK, "old", 3);
	hear_ack(&p, p.sent);
	CHECK_EQ(recv(s, (char[3]){ 0 }, 3, 0), 3);
	to_time_wait(&p, s);
	tell_at(&p, p.sent - 4, p.got, ACK, "old", 3);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
}

TEST(s3_10_7_4_time_wait_answers_a_syn)
{
	struct peer p;
	struct segment *seg;
	int s = pair(&p, 4108, 0);

	to_time_wait(&p, s);
	/* A new connection from the same place: begun at once, or told where the old one stands. */
	p.sent += 100000;
	tell(&p, SYN, NULL, 0);
	seg = hear(&p);
	CHECK((seg->flags & (SYN | ACK)) == (SYN | ACK) ? seg->ack == p.sent : !!(seg->flags & (ACK | RST)));
}

TEST(rfc1337_time_wait_is_not_ended_by_a_syn_of_old)
{
	struct peer p;
	int s = pair(&p, 4109, 0);

	to_time_wait(&p, s);
	tell_at(&p, p.sent - 1, p.got, SYN, NULL, 0);
	hear(&p);
	tell_at(&p, p.sent - 1, p.got, ACK | FIN, NULL, 0);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
}

TEST(s3_10_7_4_a_reset_ends_a_connection)
{
	struct peer p;
	int s = pair(&p, 4110, 0);

	tell(&p, RST, NULL, 0);
	CHECK_EQ(await_error(s), ECONNRESET);
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 0);
	CHECK_ERRNO(send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
}

TEST(s3_10_7_4_a_reset_after_the_peers_end_breaks_the_pipe)
{
	struct peer p;
	int s = pair(&p, 4111, 0);

	tell(&p, ACK | FIN, NULL, 0);
	hear_ack(&p, p.sent);
	tell(&p, RST, NULL, 0);
	CHECK_EQ(await_error(s), EPIPE);
}

TEST(rfc5961_3_a_reset_that_is_not_exact_is_challenged)
{
	struct peer p;
	int s = pair(&p, 4112, 0);

	tell_at(&p, p.sent + 100, p.got, RST, NULL, 0);
	CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
	still_there(&p, s);
}

TEST(s3_10_7_4_a_reset_outside_the_window_is_ignored)
{
	struct peer p;
	int s = pair(&p, 4113, 0);

	tell_at(&p, p.sent - 100, p.got, RST, NULL, 0);
	tell_at(&p, p.sent + 0x10000000, p.got, RST, NULL, 0);
	still_there(&p, s);
}

TEST(rfc5961_4_a_syn_on_a_connection_is_challenged)
{
	struct peer p;
	int s = pair(&p, 4114, 0);

	tell_at(&p, p.sent, p.got, SYN, NULL, 0);
	hear_ack(&p, p.sent);
	still_there(&p, s);
}

TEST(s3_10_7_4_data_that_acknowledges_what_was_not_sent_is_dropped)
{
	struct peer p;
	int s = pair(&p, 4115, 0);

	tell_at(&p, p.sent, p.got + 1000, ACK, "bad", 3);
	still_there(&p, s);
}

TEST(rfc5961_5_data_with_an_acknowledgement_of_long_ago_is_dropped)
{
	struct peer p;
	int s = pair(&p, 4116, 0);

	tell_at(&p, p.sent, p.got - 0x20000000, ACK, "bad", 3);
	still_there(&p, s);
}

TEST(s3_10_7_4_what_has_no_ack_flag_is_dropped)
{
	struct peer p;
	int s = pair(&p, 4117, 0);

	tell_at(&p, p.sent, 0, PSH, "bad", 3);
	tell_at(&p, p.sent, 0, FIN, NULL, 0);
	still_there(&p, s);
}

TEST(s3_1_a_wrong_checksum_is_dropped)
{
	struct peer p;
	int s = pair(&p, 4118, 0);

	tell_spoilt(&p, ACK, "bad", 3);
	tell_spoilt(&p, RST, NULL, 0);
	still_there(&p, s);
}

TEST(rfc2525_a_close_with_unread_data_resets)
{
	struct peer p;
	int s = pair(&p, 4119, 0);

	tell(&p, ACK, "unread", 6);
	hear_ack(&p, p.sent);
	CHECK_OK(close(s));
	CHECK_EQ(hear_flags(&p, RST)->seq, p.got);
}

TEST(s3_6_data_after_a_close_is_reset)
{
	struct peer p;
	int s = pair(&p, 4120, 0);

	CHECK_OK(close(s));
	take_fin(&p);
	tell(&p, ACK, NULL, 0);
	tell(&p, ACK, "late", 4);
	hear_flags(&p, RST);
}

TEST(s3_9_1_an_abort_resets)
{
	struct peer p;
	int s = pair(&p, 4121, 0);

	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger)));
	CHECK_OK(close(s));
	CHECK_EQ(hear_flags(&p, RST)->seq, p.got);
}

TEST(s3_8_4_keepalive_asks_and_gives_up)
{
	struct peer p;
	int s = pair(&p, 4122, 0);

	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_KEEPIDLE, &(int){ 1 }, sizeof(int)));
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_KEEPINTVL, &(int){ 1 }, sizeof(int)));
	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_KEEPCNT, &(int){ 2 }, sizeof(int)));
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, sizeof(int)));
	/* One byte before what is expected, or none; who answers lives. */
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(hear_flags(&p, ACK)->seq, p.got - 1);
		tell(&p, ACK, NULL, 0);
	}
	still_there(&p, s);
	CHECK_EQ(await_error(s), ETIMEDOUT);
}

TEST(rfc5482_the_user_timeout_ends_what_is_not_acknowledged)
{
	struct peer p;
	int s = pair(&p, 4123, 0);

	CHECK_OK(setsockopt(s, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){ 1000 }, sizeof(unsigned)));
	CHECK_EQ(send(s, "x", 1, 0), 1);
	CHECK_EQ(await_error(s), ETIMEDOUT);
}

TEST(s3_9_2_2_an_unreachable_port_refuses_a_connect)
{
	struct peer p;
	int s;

	wire_open();
	p = peer_make(4124, 0);
	s = start_connect(&p);
	tell_icmp(&p, 3, 3, hear_flags(&p, SYN)->seq, 0);
	CHECK_EQ(await_error(s), ECONNREFUSED);
}

TEST(s3_9_2_2_an_unreachable_host_does_not_end_a_connection)
{
	struct peer p;
	int s = pair(&p, 4125, 0);

	CHECK_EQ(send(s, "x", 1, 0), 1);
	tell_icmp(&p, 3, 1, hear_some(&p)->seq, 0);
	tell_icmp(&p, 3, 0, p.got, 0);
	tell_icmp(&p, 3, 3, p.got + 0x100000, 0); /* about what was never sent */
	p.got++;
	tell(&p, ACK, NULL, 0);
	forget();
	still_there(&p, s);
}
