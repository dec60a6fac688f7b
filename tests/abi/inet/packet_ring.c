/* SPDX-License-Identifier: MIT */
/* Rings of packet sockets: frames come and go in memory that is mapped. packet(7). */
#include "inet.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define BLOCK    4096u
#define BLOCKS   2u
#define FRAME    1024u
#define FRAMES   (BLOCK / FRAME * BLOCKS)
#define PROTOCOL 0x88b5

static int
ring_socket(int type, int version)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = 1 };
	int s;

	inet_fresh();
	s = CHECK_OK(socket(AF_PACKET, type, 0));
	inet_set(s, SOL_PACKET, PACKET_VERSION, version);
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	return s;
}

static int
set_ring(int s, int option, unsigned block, unsigned blocks, unsigned frame, unsigned frames)
{
	struct tpacket_req r = { block, blocks, frame, frames };

	return setsockopt(s, SOL_PACKET, option, &r, sizeof(r));
}

static int
set_blocks(int s, unsigned timeout, unsigned private)
{
	struct tpacket_req3 r = { BLOCK, BLOCKS, FRAME, FRAMES, timeout, private, 0 };

	return setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, sizeof(r));
}

static char *
map_ring(int s, size_t size)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, s, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* A frame of n bytes, its header among them, that begins with `mark` behind it. */
static void
send_frame(size_t n, char mark)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = 1, .sll_halen = 6 };
	int s = CHECK_OK(socket(AF_PACKET, SOCK_DGRAM, 0));
	char b[2000];

	memset(b, mark, sizeof(b));
	CHECK_EQ(sendto(s, b, n - 14, 0, (struct sockaddr *)&to, sizeof(to)), n - 14);
	CHECK_OK(close(s));
}

static struct tpacket2_hdr *
frame_2(char *p, unsigned i)
{
	return (struct tpacket2_hdr *)(p + i * FRAME);
}

static uint32_t
status_of(const void *p)
{
	return __atomic_load_n((const uint32_t *)p, __ATOMIC_ACQUIRE);
}

TEST(versions_and_sizes_of_headers)
{
	int s = CHECK_OK((inet_fresh(), socket(AF_PACKET, SOCK_RAW, 0))), n;
	socklen_t size = sizeof(n);

	CHECK_EQ(inet_get(s, SOL_PACKET, PACKET_VERSION), TPACKET_V1);
	CHECK_EQ(inet_get(s, SOL_PACKET, PACKET_RESERVE), 0);
	for (n = TPACKET_V1; n <= TPACKET_V3; n++) {
		int header = n;

		CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &header, &size));
		CHECK_EQ(header, n == TPACKET_V3 ? 48 : 32);
		inet_set(s, SOL_PACKET, PACKET_VERSION, n);
		CHECK_EQ(inet_get(s, SOL_PACKET, PACKET_VERSION), n);
	}
	CHECK_ERRNO(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &n, &size), EINVAL);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_VERSION, &n, sizeof(n)), EINVAL);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_VERSION, &n, 2), EINVAL);
	n = -1;
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RESERVE, &n, sizeof(n)), EINVAL);
	size = 2;
	CHECK_ERRNO(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &n, &size), EINVAL);
	inet_set(s, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
	CHECK_EQ(inet_get(s, SOL_PACKET, PACKET_QDISC_BYPASS), 1);
	n = 2;
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &n, sizeof(n)), EINVAL);
}

TEST(what_a_ring_may_be)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V2);
	struct tpacket_req3 r = { BLOCK, BLOCKS, FRAME, FRAMES, 5, 0, 0 };
	char *p;

	CHECK(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED && errno == EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 1000, BLOCKS, FRAME, FRAMES), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 0, BLOCKS, FRAME, FRAMES), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 0x80000000u, BLOCKS, FRAME, FRAMES), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME + 8, FRAMES), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, 48, 170), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, BLOCK * 2, 1), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES + 1), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, 0, FRAME, FRAMES), EINVAL);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 0x40000000u, 8, 0x40000000u, 8), ENOMEM);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &r, 12), EINVAL);
	CHECK_OK(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES), EBUSY);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_VERSION, &(int){ 0 }, 4), EBUSY);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_RESERVE, &(int){ 0 }, 4), EBUSY);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_LOSS, &(int){ 0 }, 4), EBUSY);
	CHECK(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, BLOCK * BLOCKS, PROT_READ, MAP_SHARED, s, BLOCK) == MAP_FAILED && errno == EINVAL);
	p = map_ring(s, BLOCK * BLOCKS);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 0, 0, 0, 0), EBUSY);
	CHECK_ERRNO(set_ring(s, PACKET_TX_RING, BLOCK, BLOCKS, FRAME, FRAMES), EBUSY);
	CHECK_OK(munmap(p, BLOCK * BLOCKS));
	CHECK_OK(set_ring(s, PACKET_RX_RING, 0, 0, 0, 0));
	/* Of version 3. */
	inet_set(s, SOL_PACKET, PACKET_VERSION, TPACKET_V3);
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES), EINVAL);
	CHECK_ERRNO(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &r, sizeof(r)), EINVAL);
	CHECK_ERRNO(set_blocks(s, 5, BLOCK), EINVAL);
	CHECK_OK(set_blocks(s, 5, 100));
}

TEST(no_other_socket_can_be_mapped)
{
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK(mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, s, 0) == MAP_FAILED && errno == ENODEV);
}

TEST(frames_come_into_a_ring)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V2);
	struct tpacket2_hdr *h;
	struct sockaddr_ll *from;
	struct tpacket_stats n;
	socklen_t size = sizeof(n);
	char *p;

	CHECK_OK(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	p = map_ring(s, BLOCK * BLOCKS);
	CHECK_EQ(inet_now(s, POLLIN), 0);
	CHECK_EQ(status_of(frame_2(p, 0)), TP_STATUS_KERNEL);
	send_frame(100, 'a');
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	h = frame_2(p, 0);
	CHECK_EQ(status_of(h) & (TP_STATUS_USER | TP_STATUS_LOSING | TP_STATUS_COPY), TP_STATUS_USER);
	CHECK_EQ(h->tp_len, 100);
	CHECK_EQ(h->tp_snaplen, 100);
	CHECK_EQ(h->tp_mac, 66);
	CHECK_EQ(h->tp_net, 80);
	CHECK(h->tp_sec > 1000000000u && h->tp_nsec < 1000000000u);
	from = (struct sockaddr_ll *)((char *)h + 32);
	CHECK_EQ(from->sll_family, AF_PACKET);
	CHECK_EQ(ntohs(from->sll_protocol), PROTOCOL);
	CHECK_EQ(from->sll_ifindex, 1);
	CHECK_EQ(from->sll_hatype, 772);
	CHECK_EQ(from->sll_pkttype, PACKET_HOST);
	CHECK_EQ(from->sll_halen, 6);
	CHECK_MEM((char *)h + h->tp_mac + 12, "\x88\xb5" "aaa", 5);
	CHECK_ERRNO(recv(s, &n, sizeof(n), MSG_DONTWAIT), EAGAIN);
	/* One that is longer than the ring's frames is cut. */
	send_frame(1400, 'b');
	h = frame_2(p, 1);
	inet_until(s, POLLIN, POLLIN);
	while (!status_of(h))
		check_sleep_ms(1);
	CHECK_EQ(h->tp_len, 1400);
	CHECK_EQ(h->tp_snaplen, FRAME - 66);
	CHECK_EQ(((char *)h)[FRAME - 1], 'b');
	CHECK_EQ(status_of(frame_2(p, 2)), TP_STATUS_KERNEL);
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(size, sizeof(n));
	CHECK_EQ(n.tp_packets, 2);
	CHECK_EQ(n.tp_drops, 0);
	/* What was given back: the ring is read again from there on; poll looks at the last one. */
	__atomic_store_n(&frame_2(p, 0)->tp_status, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&frame_2(p, 1)->tp_status, 0, __ATOMIC_RELEASE);
	CHECK_EQ(inet_now(s, POLLIN), 0);
}

TEST(a_full_ring_loses_frames)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V2);
	struct tpacket_stats n;
	socklen_t size = sizeof(n);
	char *p;

	CHECK_OK(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	p = map_ring(s, BLOCK * BLOCKS);
	for (unsigned i = 0; i < FRAMES + 3; i++)
		send_frame(60, (char)('a' + i));
	for (unsigned i = 0; i < FRAMES; i++) {
		while (!status_of(frame_2(p, i)))
			check_sleep_ms(1);
		CHECK_EQ(((char *)frame_2(p, i))[80], 'a' + (int)i);
	}
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(n.tp_packets, FRAMES + 3);
	CHECK_EQ(n.tp_drops, 3);
	/* The next one lies where the first one was. */
	__atomic_store_n(&frame_2(p, 0)->tp_status, 0, __ATOMIC_RELEASE);
	send_frame(60, 'z');
	while (!status_of(frame_2(p, 0)))
		check_sleep_ms(1);
	CHECK_EQ(((char *)frame_2(p, 0))[80], 'z');
}

TEST(the_first_version_and_reserved_bytes)
{
	int s = ring_socket(SOCK_DGRAM, TPACKET_V1);
	struct tpacket_hdr *h;
	char *p;

	inet_set(s, SOL_PACKET, PACKET_RESERVE, 7);
	CHECK_OK(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	p = map_ring(s, BLOCK * BLOCKS);
	h = (struct tpacket_hdr *)p;
	send_frame(100, 'a');
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(h->tp_status & TP_STATUS_USER, TP_STATUS_USER);
	CHECK_EQ(h->tp_len, 86);
	CHECK_EQ(h->tp_snaplen, 86);
	CHECK_EQ(h->tp_mac, 64 + 16 + 7);
	CHECK_EQ(h->tp_net, 64 + 16 + 7);
	CHECK(h->tp_sec > 1000000000u && h->tp_usec < 1000000u);
	CHECK_EQ(p[64 + 16 + 7], 'a');
}

TEST(blocks_of_the_third_version)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V3);
	struct tpacket_block_desc *b;
	struct tpacket3_hdr *h;
	struct tpacket_stats_v3 n;
	socklen_t size = sizeof(n);
	char *p;

	CHECK_OK(set_blocks(s, 20, 13));
	p = map_ring(s, BLOCK * BLOCKS);
	b = (struct tpacket_block_desc *)p;
	CHECK_EQ(b->version, TPACKET_V3);
	CHECK_EQ(b->offset_to_priv, 48);
	CHECK_EQ(b->hdr.bh1.block_status, TP_STATUS_KERNEL);
	CHECK_EQ(b->hdr.bh1.seq_num, 1);
	send_frame(100, 'a');
	/* It is not full: it is shown after a while. */
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_EQ(b->hdr.bh1.block_status, TP_STATUS_USER | TP_STATUS_BLK_TMO);
	CHECK_EQ(b->hdr.bh1.num_pkts, 1);
	CHECK_EQ(b->hdr.bh1.offset_to_first_pkt, 48 + 16);
	CHECK_EQ(b->hdr.bh1.blk_len, 64 + 184);
	h = (struct tpacket3_hdr *)(p + 64);
	CHECK_EQ(h->tp_next_offset, 0);
	CHECK_EQ(h->tp_len, 100);
	CHECK_EQ(h->tp_snaplen, 100);
	CHECK_EQ(h->tp_mac, 82);
	CHECK_EQ(h->tp_net, 96);
	CHECK_EQ(h->tp_status & TP_STATUS_USER, TP_STATUS_USER);
	CHECK_EQ(((char *)h)[96], 'a');
	CHECK_EQ(b->hdr.bh1.ts_last_pkt.ts_sec, h->tp_sec);
	CHECK_EQ(b->hdr.bh1.ts_last_pkt.ts_nsec, h->tp_nsec);
	b = (struct tpacket_block_desc *)(p + BLOCK);
	CHECK_EQ(b->hdr.bh1.seq_num, 2);
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(size, sizeof(n));
	CHECK_EQ(n.tp_packets, 1);
	CHECK_EQ(n.tp_freeze_q_cnt, 0);
}

/* Frames of 1,000 bytes: three have room in a block. */
TEST(full_blocks_freeze_the_ring)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V3);
	struct tpacket_block_desc *b;
	struct tpacket3_hdr *h;
	struct tpacket_stats_v3 n;
	socklen_t size = sizeof(n);
	char *p;

	CHECK_OK(set_blocks(s, 100000, 0));
	p = map_ring(s, BLOCK * BLOCKS);
	b = (struct tpacket_block_desc *)p;
	for (int i = 0; i < 8; i++)
		send_frame(1000, (char)('a' + i));
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	while (!status_of(&((struct tpacket_block_desc *)(p + BLOCK))->hdr.bh1.block_status))
		check_sleep_ms(1);
	CHECK_EQ(b->hdr.bh1.block_status, TP_STATUS_USER);
	CHECK_EQ(b->hdr.bh1.num_pkts, 3);
	h = (struct tpacket3_hdr *)(p + b->hdr.bh1.offset_to_first_pkt);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(h->tp_next_offset, i == 2 ? 0 : 1088);
		CHECK_EQ(((char *)h)[96], 'a' + i);
		h = (struct tpacket3_hdr *)((char *)h + h->tp_next_offset);
	}
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(n.tp_packets, 8);
	CHECK_EQ(n.tp_drops, 2);
	CHECK_EQ(n.tp_freeze_q_cnt, 1);
	/* Thawed by the next frame. */
	__atomic_store_n(&b->hdr.bh1.block_status, 0, __ATOMIC_RELEASE);
	for (int i = 0; i < 2; i++)
		send_frame(1000, 'y');
	while (b->hdr.bh1.seq_num != 3)
		check_sleep_ms(1);
	CHECK_OK(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &n, &size));
	CHECK_EQ(n.tp_drops, 0);
}

/* Both rings in one mapping, the one to receive into first. */
static void
send_from_ring(int version, unsigned data)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(PROTOCOL), .sll_ifindex = 1, .sll_halen = 6 };
	int s = ring_socket(SOCK_DGRAM, version), r = CHECK_OK(socket(AF_PACKET, SOCK_DGRAM, htons(PROTOCOL)));
	struct tpacket_req3 none = { BLOCK, BLOCKS, FRAME, FRAMES, 0, 0, 0 };
	char *p, *f, b[2000];

	CHECK_OK(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &none, version == TPACKET_V3 ? sizeof(none) : 16));
	p = map_ring(s, BLOCK * BLOCKS);
	CHECK_EQ(inet_now(s, POLLOUT), POLLOUT);
	for (unsigned i = 0; i < 3; i++) {
		f = p + i * FRAME;
		memset(f + data, 'a' + (int)i, 50);
		if (version == TPACKET_V1)
			((struct tpacket_hdr *)f)->tp_len = 50 - i;
		else if (version == TPACKET_V2)
			((struct tpacket2_hdr *)f)->tp_len = 50 - i;
		else
			((struct tpacket3_hdr *)f)->tp_len = 50 - i;
		if (version == TPACKET_V3)
			((struct tpacket3_hdr *)f)->tp_status = TP_STATUS_SEND_REQUEST;
		else
			*(uint32_t *)f = TP_STATUS_SEND_REQUEST;
	}
	CHECK_EQ(sendto(s, NULL, 0, 0, (struct sockaddr *)&to, sizeof(to)), 50 + 49 + 48);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ(inet_ready(r, POLLIN), POLLIN);
		CHECK_EQ(recv(r, b, sizeof(b), 0), 50 - i);
		CHECK_EQ(b[0], 'a' + (int)i);
		f = p + i * FRAME + (version == TPACKET_V3 ? offsetof(struct tpacket3_hdr, tp_status) : 0);
		while (status_of(f) & 7)
			check_sleep_ms(1);
	}
	CHECK_EQ(sendto(s, NULL, 0, 0, (struct sockaddr *)&to, sizeof(to)), 0);
}

TEST(frames_are_sent_from_a_ring_1)
{
	send_from_ring(TPACKET_V1, 32);
}

TEST(frames_are_sent_from_a_ring_2)
{
	send_from_ring(TPACKET_V2, 32);
}

TEST(frames_are_sent_from_a_ring_3)
{
	send_from_ring(TPACKET_V3, 48);
}

TEST(a_frame_that_cannot_be_sent)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V2);
	char *p;

	CHECK_OK(set_ring(s, PACKET_TX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	p = map_ring(s, BLOCK * BLOCKS);
	frame_2(p, 0)->tp_len = FRAME;
	frame_2(p, 0)->tp_status = TP_STATUS_SEND_REQUEST;
	CHECK_ERRNO(send(s, NULL, 0, 0), EMSGSIZE);
	CHECK_EQ(status_of(frame_2(p, 0)), TP_STATUS_WRONG_FORMAT);
	CHECK_EQ(inet_now(s, POLLOUT) & POLLOUT, POLLOUT);
	/* It is the next one still. */
	frame_2(p, 0)->tp_len = 60;
	memset((char *)frame_2(p, 0) + 32, 0, 60);
	frame_2(p, 0)->tp_status = TP_STATUS_SEND_REQUEST;
	CHECK_EQ(send(s, NULL, 0, 0), 60);
	frame_2(p, 1)->tp_len = 10;
	frame_2(p, 1)->tp_status = TP_STATUS_SEND_REQUEST;
	CHECK_ERRNO(send(s, NULL, 0, 0), EINVAL);
}

TEST(both_rings_and_a_child)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V2), status;
	struct tpacket2_hdr *out;
	pid_t child;
	char *p;

	CHECK_OK(set_ring(s, PACKET_TX_RING, BLOCK, 1, FRAME, 4));
	CHECK_OK(set_ring(s, PACKET_RX_RING, BLOCK, BLOCKS, FRAME, FRAMES));
	p = map_ring(s, BLOCK * (BLOCKS + 1));
	out = (struct tpacket2_hdr *)(p + BLOCK * BLOCKS);
	child = CHECK_OK(fork());
	if (child == 0) {
		memset((char *)out + 32, 0, 60);
		memcpy((char *)out + 32 + 12, "\x88\xb5" "child", 7);
		out->tp_len = 60;
		out->tp_status = TP_STATUS_SEND_REQUEST;
		_exit(send(s, NULL, 0, 0) == 60 ? 0 : 1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	CHECK_MEM((char *)frame_2(p, 0) + 80, "child", 5);
	/* The child's mapping is gone, ours is not. */
	CHECK_ERRNO(set_ring(s, PACKET_RX_RING, 0, 0, 0, 0), EBUSY);
	CHECK_OK(munmap(p, BLOCK * (BLOCKS + 1)));
	CHECK_OK(set_ring(s, PACKET_RX_RING, 0, 0, 0, 0));
	CHECK_OK(set_ring(s, PACKET_TX_RING, 0, 0, 0, 0));
}

TEST(a_mapping_outlives_its_socket)
{
	int s = ring_socket(SOCK_RAW, TPACKET_V3);
	char *p;

	CHECK_OK(set_blocks(s, 100000, 0));
	p = map_ring(s, BLOCK * BLOCKS);
	send_frame(100, 'a');
	CHECK_OK(close(s));
	send_frame(100, 'b');
	CHECK_EQ(((struct tpacket_block_desc *)p)->version, TPACKET_V3);
	p[BLOCK] = 1;
}
