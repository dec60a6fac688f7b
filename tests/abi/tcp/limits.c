/* SPDX-License-Identifier: MIT */
/* Limits for what strangers make us say: challenges (RFC 5961, 7), answers to a SYN, errors of ICMP (icmp(7)). */
#include "wire.h"

enum { MANY = 40, FEW = 12 };

static int
pair(struct peer *p, uint16_t port, unsigned options)
{
	wire_open();
	*p = peer_make(port, options);
	return peer_connects(p, listener((uint16_t)(port + 1000), 5), (uint16_t)(port + 1000));
}

/* The same segment many times: how often it is answered, before data that is right. */
static unsigned
answers(struct peer *p, int s, uint32_t seq, uint32_t ack, unsigned flags)
{
	unsigned count = 0;

	for (int i = 0; i < MANY; i++)
		tell_at(p, seq, ack, flags, NULL, 0);
	tell(p, ACK | PSH, "x", 1);
	for (struct segment *seg = hear(p); seg->ack != p->sent; seg = hear(p)) {
		CHECK_EQ(seg->ack, p->sent - 1);
		CHECK_EQ(seg->flags & (SYN | RST), 0);
		count++;
	}
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	return count;
}

static void
are_few(unsigned count)
{
	CHECK(count >= 1);
	CHECK(count <= FEW);
}

TEST(rfc5961_7_syns_are_challenged_now_and_then)
{
	struct peer p;
	int s = pair(&p, 4901, 0);

	are_few(answers(&p, s, p.sent, 0, SYN));
	still_there(&p, s);
}

TEST(rfc5961_7_resets_are_challenged_now_and_then)
{
	struct peer p;
	int s = pair(&p, 4902, 0);

	are_few(answers(&p, s, p.sent + 100, 0, RST));
	still_there(&p, s);
}

TEST(rfc5961_7_acknowledgements_of_long_ago_are_challenged_now_and_then)
{
	struct peer p;
	int s = pair(&p, 4903, 0);

	are_few(answers(&p, s, p.sent, p.got - 0x20000000, ACK));
	still_there(&p, s);
}

TEST(rfc5961_7_what_is_outside_the_window_and_empty_is_answered_now_and_then)
{
	struct peer p;
	int s = pair(&p, 4904, 0);

	are_few(answers(&p, s, p.sent - 0x40000000, p.got, ACK));
	still_there(&p, s);
}

TEST(rfc5961_7_what_is_old_by_its_stamp_and_empty_is_answered_now_and_then)
{
	struct peer p;
	unsigned count = 0;
	int s = pair(&p, 4905, WITH_STAMPS);

	p.stamp -= 500;
	for (int i = 0; i < MANY; i++)
		tell_at(&p, p.sent, p.got, ACK, NULL, 0);
	p.stamp += 500;
	tell(&p, ACK, "x", 1);
	for (struct segment *seg = hear(&p); seg->ack != p.sent; seg = hear(&p))
		count++;
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	are_few(count);
	still_there(&p, s);
}

/* From a limit that all share a stranger would learn which connections there are: CVE-2016-5696. */
TEST(rfc5961_7_one_connections_limit_is_not_anothers)
{
	struct peer a, b;
	int listening, first, second;

	wire_open();
	listening = listener(5906, 5);
	a = peer_make(4906, 0);
	first = peer_connects(&a, listening, 5906);
	b = peer_make(4907, 0);
	second = peer_connects(&b, listening, 5906);
	are_few(answers(&a, first, a.sent, 0, SYN));
	tell_at(&b, b.sent, 0, SYN, NULL, 0);
	CHECK_EQ(hear_ack(&b, b.sent)->seq, b.got);
	still_there(&a, first);
	still_there(&b, second);
}

TEST(rfc5961_7_data_outside_the_window_is_answered_each_time)
{
	struct peer p;
	int s = pair(&p, 4908, 0);

	for (int i = 0; i < 10; i++) {
		tell_at(&p, p.sent + 0x40000000, p.got, ACK, "far", 3);
		CHECK_EQ(hear_ack(&p, p.sent)->seq, p.got);
	}
	still_there(&p, s);
}

TEST(rfc4987_a_syn_that_comes_again_is_answered_now_and_then)
{
	struct peer p;
	unsigned count = 0;
	int listening, s;

	wire_open();
	listening = listener(5909, 5);
	p = peer_make(4909, 0);
	peer_begins(&p, 5909);
	for (int i = 0; i < MANY; i++)
		tell_at(&p, p.sent - 1, 0, SYN, NULL, 0);
	tell(&p, ACK, NULL, 0);
	tell(&p, ACK | PSH, "x", 1);
	for (struct segment *seg = hear_within(&p, PATIENCE); seg && seg->ack != p.sent; seg = hear_within(&p, PATIENCE))
		count += seg->flags & SYN ? 1 : 0;
	are_few(count);
	await(listening, POLLIN);
	s = CHECK_OK(accept(listening, NULL, NULL));
	CHECK_EQ(recv(s, (char[1]){ 0 }, 1, 0), 1);
	still_there(&p, s);
}

/* --- errors of ICMP ------------------------------------------------------------------------------------------ */

/* Datagrams for a port that is closed. */
static struct peer
knocks(uint32_t address, unsigned options, unsigned count)
{
	struct peer p = peer_make(4920, options);

	p.address = address;
	p.their_port = 9;
	for (unsigned i = 0; i < count; i++)
		tell_datagram(&p);
	return p;
}

static void
one_hears_little_and_another_all_the_same(unsigned options)
{
	struct peer p;

	wire_open();
	p = knocks(THERE + 100, options, MANY);
	are_few(hear_refusals(&p));
	p = knocks(THERE + 101, options, 1);
	CHECK_EQ(hear_refusals(&p), 1);
}

TEST(rfc1812_who_knocks_at_closed_ports_is_told_now_and_then)
{
	one_hears_little_and_another_all_the_same(0);
}

TEST(rfc4443_who_knocks_at_closed_ports_is_told_now_and_then)
{
	one_hears_little_and_another_all_the_same(BY_V6);
}

static void
set(const char *name, const char *value)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
	fd = CHECK_OK(open(path, O_WRONLY | O_CLOEXEC));
	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	CHECK_OK(close(fd));
}

/*
 * Until what was sent before counts no more. Linux's limits go by its ticks, and those stand still while the host has
 * no time for the processor that counts them; the coarse clock stands with them.
 */
static void
let_go_by(void)
{
	struct timespec now, begun;

	CHECK_OK(clock_gettime(CLOCK_MONOTONIC_COARSE, &begun));
	do {
		usleep(10000);
		CHECK_OK(clock_gettime(CLOCK_MONOTONIC_COARSE, &now));
	} while ((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 < 100);
}

TEST(rfc1812_limits_of_errors_can_be_lifted)
{
	unsigned of_each, of_type;
	struct peer p;

	wire_open();
	let_go_by();
	set("icmp_msgs_burst", "1000"); /* of all; this one stays out of the way */
	set("icmp_ratelimit", "0");
	p = knocks(THERE + 102, 0, 20);
	of_each = hear_refusals(&p);
	set("icmp_ratelimit", "1000");
	set("icmp_msgs_burst", "50");
	set("icmp_ratemask", "0");
	p = knocks(THERE + 103, 0, 100);
	of_type = hear_refusals(&p);
	set("icmp_ratemask", "6168");
	CHECK_EQ(of_each, 20);
	CHECK_EQ(of_type, 100);
}

TEST(rfc1812_many_who_knock_are_told_now_and_then)
{
	unsigned count = 0;
	struct peer p;

	wire_open();
	let_go_by(); /* which Linux counts when it sends the next */
	p = knocks(THERE + 19, 0, 1);
	CHECK_EQ(hear_refusals(&p), 1);
	set("icmp_msgs_per_sec", "5");
	for (uint32_t i = 0; i < 4; i++) {
		for (uint32_t j = 0; j < 50; j++)
			p = knocks(THERE + 20 + i * 50 + j, 0, 1);
		count += hear_refusals(&p);
	}
	set("icmp_msgs_per_sec", "1000");
	CHECK(count >= 10);
	CHECK(count <= 120);
}

TEST(rfc1122_within_the_machine_each_error_is_told)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));

	/* Who looks at messages of ICMP has each be one. */
	CHECK_OK(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	CHECK_OK(connect(s, (struct sockaddr *)&in, sizeof(in)));
	for (int i = 0; i < 100; i++) {
		CHECK_EQ(send(s, "x", 1, 0), 1);
		CHECK_ERRNO(recv(s, (char[1]){ 0 }, 1, 0), ECONNREFUSED);
	}
}
