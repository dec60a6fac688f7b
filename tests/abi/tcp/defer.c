/* SPDX-License-Identifier: MIT */
/* TCP, segment by segment: a listener that waits for data (TCP_DEFER_ACCEPT). */
#include "wire.h"

#include <netinet/tcp.h>

static int
patient(uint16_t port, int seconds)
{
	int l = listener(port, 5);

	CHECK_OK(setsockopt(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)));
	CHECK_OK(fcntl(l, F_SETFL, O_NONBLOCK));
	return l;
}

/* The handshake, all of it. */
static struct peer
shake(uint16_t port, uint16_t theirs)
{
	struct peer p = peer_make(port, WITH_MSS);

	peer_begins(&p, theirs);
	tell(&p, ACK, NULL, 0);
	return p;
}

/* What came by the wire first is looked at before what is sent now: its answer tells that. */
static void
let_it_pass(void)
{
	struct peer other = peer_make(4799, 0);

	other.their_port = 9;
	tell(&other, SYN, NULL, 0);
	hear_flags(&other, RST);
}

static uint16_t
peer_port(int s)
{
	struct sockaddr_in in = { 0 };

	CHECK_OK(getpeername(s, (struct sockaddr *)&in, &(socklen_t){ sizeof(in) }));
	return ntohs(in.sin_port);
}

TEST(defer_accept_waits_for_data)
{
	struct peer p;
	char data[5];
	int l, s;

	wire_open();
	l = patient(5701, 100);
	p = shake(4701, 5701);
	let_it_pass();
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	tell(&p, ACK | PSH, "hello", 5);
	await(l, POLLIN);
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, data, 5, MSG_WAITALL), 5);
	CHECK_MEM(data, "hello", 5);
	hear_ack(&p, p.sent);
	still_there(&p, s);
}

TEST(defer_accept_takes_data_that_comes_with_the_last_acknowledgement)
{
	struct peer p;
	char data[5];
	int l, s;

	wire_open();
	l = patient(5702, 100);
	p = peer_make(4702, WITH_MSS);
	peer_begins(&p, 5702);
	tell(&p, ACK | PSH, "hello", 5);
	await(l, POLLIN);
	s = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(recv(s, data, 5, MSG_WAITALL), 5);
	CHECK_MEM(data, "hello", 5);
}

TEST(defer_accept_waits_for_an_end)
{
	struct peer p;
	int l;

	wire_open();
	l = patient(5703, 100);
	p = shake(4703, 5703);
	let_it_pass();
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	tell(&p, ACK | FIN, NULL, 0);
	await(l, POLLIN);
	CHECK_EQ(recv(CHECK_OK(accept(l, NULL, NULL)), (char[1]){ 0 }, 1, 0), 0);
	hear_ack(&p, p.sent);
}

TEST(defer_accept_forgets_who_resets)
{
	struct peer p, other;
	int l;

	wire_open();
	l = patient(5704, 100);
	p = shake(4704, 5704);
	other = shake(4705, 5704);
	tell(&p, RST, NULL, 0);
	let_it_pass();
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
	tell(&other, ACK | PSH, "x", 1);
	await(l, POLLIN);
	CHECK_EQ(peer_port(CHECK_OK(accept(l, NULL, NULL))), 4705);
	CHECK_ERRNO(accept(l, NULL, NULL), EAGAIN);
}

/* Linux answers the SYN again when the time is over, and wants that acknowledged. */
TEST(defer_accept_lets_the_silent_in_when_its_time_is_over)
{
	struct pollfd f = { .events = POLLIN };
	struct peer p;
	int s;

	wire_open();
	f.fd = patient(5706, 1);
	p = shake(4706, 5706);
	while (CHECK_OK(poll(&f, 1, 200)) == 0)
		tell(&p, ACK, NULL, 0);
	s = CHECK_OK(accept(f.fd, NULL, NULL));
	forget();
	still_there(&p, s);
}

TEST(defer_accept_ends_with_its_listener)
{
	struct peer p;
	int l;

	wire_open();
	l = patient(5707, 100);
	p = shake(4707, 5707);
	let_it_pass();
	CHECK_OK(close(l));
	tell(&p, ACK | PSH, "x", 1);
	hear_flags(&p, RST);
}
