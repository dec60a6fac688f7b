/* SPDX-License-Identifier: MIT */
/* wire.c - the peer's side: packets made and taken apart. See wire.h. */
#include "wire.h"

#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>

enum { IP_SIZE = 20, IP6_SIZE = 40, TCP_SIZE = 20, TCP = 6, UDP = 17, ICMP = 1, ICMP6 = 58 };

static int tun = -1;
static struct segment heard;
static uint8_t packet[70000];

static void
interface(int s, unsigned long request, struct ifreq *r, uint32_t address)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };

	memcpy(&r->ifr_addr, &in, sizeof(in));
	CHECK_OK(ioctl(s, request, r));
}

void
put_v6(uint8_t *to, uint32_t address)
{
	memset(to, 0, 16);
	to[0] = 0xfd;
	to[1] = 0x77;
	memcpy(to + 12, &(uint32_t){ htonl(address) }, 4);
}

/* ip -6 addr add fd77::10.77.0.1/64 dev wire0 */
static void
interface_v6(void)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct rtattr head;
		uint8_t address[16];
	} q = {
		.h = { sizeof(q), RTM_NEWADDR, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, 1, 0 },
		.m = { .ifa_family = AF_INET6, .ifa_prefixlen = 64, .ifa_index = if_nametoindex("wire0") },
		.head = { 20, IFA_LOCAL },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[256];
	} a;
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));

	put_v6(q.address, HERE);
	CHECK_EQ(send(s, &q, sizeof(q), 0), sizeof(q));
	CHECK(recv(s, &a, sizeof(a), 0) > 0);
	CHECK_EQ(a.h.nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(a.e.error, 0);
	CHECK_OK(close(s));
}

struct peer
peer_make(uint16_t port, unsigned options)
{
	return (struct peer){ .address = THERE, .port = port, .sent = 0x10000000, .window = 65535, .mss = 1460,
			      .options = options, .stamp = 1000 };
}

/* --- bytes --------------------------------------------------------------------------------------------------- */

static void
put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void
put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value & 0xffff);
}

static uint16_t
get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t
get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static uint32_t
sum(const uint8_t *at, size_t size, uint32_t from)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		from += get16(at + i);
	if (size % 2)
		from += (uint32_t)at[size - 1] << 8;
	return from;
}

static uint16_t
fold(uint32_t total)
{
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

static bool
is_v6(const uint8_t *ip)
{
	return ip[0] >> 4 == 6;
}

/* Of what is behind an IP header, with what TCP and ICMPv6 put before it: 0 when it is right. */
static uint16_t
checksum(const uint8_t *ip, size_t size, uint8_t protocol)
{
	uint32_t total = is_v6(ip) ? sum(ip + 8, 32, 0) : sum(ip + 12, 8, 0);

	return fold(sum(ip + (is_v6(ip) ? IP6_SIZE : IP_SIZE), size, total + protocol + (uint32_t)size));
}

/* --- saying -------------------------------------------------------------------------------------------------- */

static size_t
header_of(const struct peer *p)
{
	return p->options & BY_V6 ? IP6_SIZE : IP_SIZE;
}

/* An IP header before `size` bytes. */
static void
put_header(const struct peer *p, uint8_t *ip, size_t size, uint8_t protocol, uint32_t from, uint32_t to)
{
	memset(ip, 0, header_of(p));
	if (p->options & BY_V6) {
		ip[0] = 0x60;
		put16(ip + 4, (unsigned)size);
		ip[6] = protocol;
		ip[7] = 64;
		put_v6(ip + 8, from);
		put_v6(ip + 24, to);
		return;
	}
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)size + IP_SIZE);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, from);
	put32(ip + 16, to);
	put16(ip + 10, fold(sum(ip, IP_SIZE, 0)));
}

static size_t
put_options(struct peer *p, unsigned flags, uint8_t *at)
{
	uint8_t *o = at;

	if ((flags & SYN && p->options & WITH_MSS) || p->options & MSS_ALWAYS) {
		*o++ = 2, *o++ = 4;
		put16(o, p->mss);
		o += 2;
	}
	if (flags & SYN && p->options & WITH_SACK)
		*o++ = 1, *o++ = 1, *o++ = 4, *o++ = 2;
	if (p->options & WITH_STAMPS) {
		*o++ = 1, *o++ = 1, *o++ = 8, *o++ = 10;
		put32(o, p->stamp);
		put32(o + 4, flags & ACK ? p->echo : 0);
		o += 8;
	}
	if (flags & SYN && p->options & WITH_SCALE)
		*o++ = 1, *o++ = 3, *o++ = 3, *o++ = p->scale;
	return (size_t)(o - at);
}

static size_t
make_segment(struct peer *p, uint32_t seq, uint32_t ack, unsigned flags, const void *data, size_t size)
{
	uint8_t *t = packet + header_of(p);
	size_t options, all;

	memset(t, 0, TCP_SIZE);
	put16(t, p->port);
	put16(t + 2, p->their_port);
	put32(t + 4, seq);
	put32(t + 8, flags & ACK ? ack : 0);
	options = put_options(p, flags, t + TCP_SIZE);
	t[12] = (uint8_t)((TCP_SIZE + options) / 4 << 4);
	t[13] = (uint8_t)flags;
	put16(t + 14, p->window);
	put16(t + 18, flags & URG ? p->urgent : 0);
	if (size)
		memcpy(t + TCP_SIZE + options, data, size);
	all = TCP_SIZE + options + size;
	put_header(p, packet, all, TCP, p->address, HERE);
	put16(t + 16, checksum(packet, all, TCP));
	return header_of(p) + all;
}

void
tell_at(struct peer *p, uint32_t seq, uint32_t ack, unsigned flags, const void *data, size_t size)
{
	size_t all = make_segment(p, seq, ack, flags, data, size);

	CHECK_EQ(write(tun, packet, all), all);
}

void
tell(struct peer *p, unsigned flags, const void *data, size_t size)
{
	tell_at(p, p->sent, p->got, flags, data, size);
	p->sent += (uint32_t)size + !!(flags & SYN) + !!(flags & FIN);
}

void
tell_spoilt(struct peer *p, unsigned flags, const void *data, size_t size)
{
	size_t all = make_segment(p, p->sent, p->got, flags, data, size);

	packet[header_of(p) + 17] ^= 1;
	CHECK_EQ(write(tun, packet, all), all);
}

void
tell_framed(struct peer *p, int tap, const uint8_t *card, unsigned flags)
{
	size_t all = make_segment(p, p->sent, p->got, flags, NULL, 0);
	uint8_t frame[14 + IP_SIZE + 60] = { [6] = 2, [12] = 8 };

	memcpy(frame, card, 6);
	memcpy(frame + 14, packet, all);
	CHECK_EQ(write(tap, frame, 14 + all), 14 + all);
}

void
tell_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t seq, uint16_t mtu)
{
	size_t header = header_of(p), size = 8 + header + 8;
	uint8_t *icmp = packet + header, *t = icmp + 8 + header;

	memset(icmp, 0, size);
	icmp[0] = type;
	icmp[1] = code;
	put16(icmp + 6, mtu);
	put_header(p, icmp + 8, 1500 - header, TCP, HERE, p->address);
	put16(t, p->their_port);
	put16(t + 2, p->port);
	put32(t + 4, seq);
	put_header(p, packet, size, p->options & BY_V6 ? ICMP6 : ICMP, p->address, HERE);
	put16(icmp + 2, p->options & BY_V6 ? checksum(packet, size, ICMP6) : fold(sum(icmp, size, 0)));
	CHECK_EQ(write(tun, packet, header + size), header + size);
}

void
tell_datagram(struct peer *p)
{
	uint8_t *u = packet + header_of(p);

	put16(u, p->port);
	put16(u + 2, p->their_port);
	put16(u + 4, 8);
	put16(u + 6, 0);
	put_header(p, packet, 8, UDP, p->address, HERE);
	put16(u + 6, checksum(packet, 8, UDP));
	CHECK_EQ(write(tun, packet, header_of(p) + 8), header_of(p) + 8);
}

/* With a number, by which its answer is known. */
static void
tell_echo(struct peer *p, uint16_t number)
{
	uint8_t *echo = packet + header_of(p);

	memset(echo, 0, 8);
	echo[0] = p->options & BY_V6 ? 128 : 8;
	put16(echo + 6, number);
	put_header(p, packet, 8, p->options & BY_V6 ? ICMP6 : ICMP, p->address, HERE);
	put16(echo + 2, p->options & BY_V6 ? checksum(packet, 8, ICMP6) : fold(sum(echo, 8, 0)));
	CHECK_EQ(write(tun, packet, header_of(p) + 8), header_of(p) + 8);
}

/* --- opening ------------------------------------------------------------------------------------------------- */

/* Linux says that an address of IPv6 is there before it is of use: until it answers a ping. */
static void
await_v6(void)
{
	struct peer p = peer_make(0, BY_V6);

	for (int tries = 0; tries < 600; tries++) {
		struct pollfd f = { tun, POLLIN, 0 };

		tell_echo(&p, 0);
		CHECK_OK(poll(&f, 1, 100));
		while (read(tun, packet, sizeof(packet)) > 0)
			if (is_v6(packet) && packet[6] == ICMP6 && packet[IP6_SIZE] == 129)
				return;
	}
	FAIL("nobody answers a ping");
}

void
wire_open(void)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int s = CHECK_OK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tun < 0 && (errno == ENOENT || errno == ENODEV))
		SKIP("there is no /dev/net/tun");
	CHECK(tun >= 0);
	/* A kernel whose TCP is a process' has none when its door stands open. */
	if (open("/dev/netd", O_RDWR | O_CLOEXEC) >= 0)
		SKIP("no network stack runs");
	TIMEOUT(120);
	strcpy(r.ifr_name, "wire0");
	CHECK_OK(ioctl(tun, TUNSETIFF, &r));
	interface(s, SIOCSIFADDR, &r, HERE);
	interface(s, SIOCSIFNETMASK, &r, 0xffffff00u);
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP | IFF_RUNNING;
	CHECK_OK(ioctl(s, SIOCSIFFLAGS, &r));
	CHECK_OK(close(s));
	interface_v6();
	await_v6();
}

/* --- hearing ------------------------------------------------------------------------------------------------- */

static void
take_options(struct segment *s, const uint8_t *o, const uint8_t *end)
{
	for (; o < end && *o != 0; o += *o == 1 ? 1 : o[1]) {
		if (*o == 1)
			continue;
		CHECK(o + 1 < end && o[1] >= 2 && o + o[1] <= end);
		switch (*o) {
		case 2: s->mss = get16(o + 2); break;
		case 3: s->scale = o[2]; break;
		case 4: s->sack_permitted = true; break;
		case 5:
			s->sacks = (o[1] - 2u) / 8;
			for (unsigned i = 0; i < s->sacks; i++) {
				s->sack[i][0] = get32(o + 2 + 8 * i);
				s->sack[i][1] = get32(o + 6 + 8 * i);
			}
			break;
		case 8:
			s->stamped = true;
			s->stamp = get32(o + 2);
			s->echo = get32(o + 6);
			break;
		}
	}
}

/* Whether a packet carries TCP to the peer's address; it must be a right one then. */
static bool
is_to(const struct peer *p, size_t size)
{
	uint8_t address[16];

	if (size < header_of(p) + TCP_SIZE)
		return false;
	if (p->options & BY_V6) {
		put_v6(address, p->address);
		if (!is_v6(packet) || packet[6] != TCP || memcmp(packet + 24, address, 16))
			return false;
		CHECK_EQ(get16(packet + 4) + IP6_SIZE, size);
		return true;
	}
	if (packet[0] != 0x45 || packet[9] != TCP || get32(packet + 16) != p->address)
		return false;
	CHECK_EQ(get16(packet + 2), size);
	CHECK_EQ(fold(sum(packet, IP_SIZE, 0)), 0);
	return true;
}

/* Whether a packet is a segment for the peer; it must be a right one then. */
static bool
take(struct peer *p, struct segment *s, size_t size)
{
	const uint8_t *t = packet + header_of(p);
	size_t header;

	if (!is_to(p, size) || get16(t + 2) != p->port || (p->their_port && get16(t) != p->their_port))
		return false;
	size -= header_of(p);
	CHECK_EQ(checksum(packet, size, TCP), 0);
	header = (size_t)(t[12] >> 4) * 4;
	CHECK(header >= TCP_SIZE && header <= size);
	*s = (struct segment){ .from = get16(t), .to = get16(t + 2), .seq = get32(t + 4), .ack = get32(t + 8),
			       .flags = t[13] & 63u, .window = get16(t + 14), .urgent = get16(t + 18), .scale = -1,
			       .size = size - header };
	take_options(s, t + TCP_SIZE, t + header);
	memcpy(s->data, t + header, s->size);
	p->their_port = s->from;
	if (s->stamped)
		p->echo = s->stamp;
	return true;
}

struct segment *
hear_within(struct peer *p, int milliseconds)
{
	for (;;) {
		struct pollfd f = { tun, POLLIN, 0 };
		ssize_t size = read(tun, packet, sizeof(packet));

		if (size > 0 && take(p, &heard, (size_t)size))
			return &heard;
		if (size < 0 && CHECK_OK(poll(&f, 1, milliseconds)) == 0)
			return NULL;
	}
}

struct segment *
hear(struct peer *p)
{
	struct segment *s;

	/* On a busy machine a SYN may have come twice before the first was answered. */
	do
		s = hear_within(p, PATIENCE);
	while (s && (s->flags & (SYN | ACK)) == SYN && s->seq + 1 == p->got);
	if (!s)
		FAIL("nothing came");
	return s;
}

struct segment *
hear_flags(struct peer *p, unsigned flags)
{
	for (;;) {
		struct segment *s = hear(p);

		if ((s->flags & flags) == flags)
			return s;
		CHECK(!(s->flags & RST));
	}
}

struct segment *
hear_ack(struct peer *p, uint32_t ack)
{
	for (;;) {
		struct segment *s = hear(p);

		CHECK(!(s->flags & RST));
		CHECK((int32_t)(s->ack - ack) <= 0);
		if (s->ack == ack)
			return s;
	}
}

struct segment *
hear_some(struct peer *p)
{
	struct segment *s;

	do
		s = hear(p);
	while (!s->size);
	return s;
}

void
hear_data(struct peer *p, void *data, size_t size)
{
	size_t done = 0;

	while (done < size) {
		struct segment *s = hear(p);

		CHECK(!(s->flags & RST));
		if (s->seq == p->got && s->size) {
			CHECK(done + s->size <= size);
			memcpy((char *)data + done, s->data, s->size);
			done += s->size;
			p->got += (uint32_t)s->size;
		}
		if (s->size)
			tell(p, ACK, NULL, 0);
	}
}

unsigned
hear_refusals(struct peer *p)
{
	static uint16_t number;
	bool v6 = p->options & BY_V6;
	unsigned count = 0;

	tell_echo(p, ++number);
	for (;;) {
		struct pollfd f = { tun, POLLIN, 0 };
		ssize_t size = read(tun, packet, sizeof(packet));
		const uint8_t *icmp = packet + header_of(p);

		if (size < 0 && CHECK_OK(poll(&f, 1, PATIENCE)) == 0)
			FAIL("no answer to a ping");
		if (size < (ssize_t)header_of(p) + 8 || is_v6(packet) != v6 || packet[v6 ? 6 : 9] != (v6 ? ICMP6 : ICMP))
			continue;
		if (icmp[0] == (v6 ? 129 : 0) && get16(icmp + 6) == number)
			return count;
		count += icmp[0] == (v6 ? 1 : 3) && icmp[1] == (v6 ? 4 : 3);
	}
}

void
forget(void)
{
	while (read(tun, packet, sizeof(packet)) > 0)
		;
}
