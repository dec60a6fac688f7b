/* SPDX-License-Identifier: MIT */
/*
 * packets.c - any packets, and any time between them: the network stack under libFuzzer, with AddressSanitizer.
 *
 * An input is a row of steps, each a byte that says what, one that says how many bytes follow, and these. Packets get
 * their lengths and checksums from here, since a fuzzer does not hit them; segments are near the connection that
 * there is.
 * The stack lives through all inputs, as it does through all packets; after each one what it has of connections is
 * forgotten.
 */
#include "../../../services/netd/tcp.h"
#include "../../netd/host.h"

#define PORT 80

static struct host here;
static uint32_t port = 1024;

static void
round_of_stack(void)
{
	slots_look();
	ip_frames_out();
	connections_settle();
	door_kick();
	here.memory->kernel.frames_in_tail = here.memory->netd.frames_in_head;
}

static void
frame_of(uint8_t *frame, unsigned type)
{
	const uint8_t header[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };

	memcpy(frame, header, sizeof(header));
	put16(frame + 12, type);
}

/* A packet of IPv4 or IPv6 with this inside, whose own checksum lies at `sum_at` (0: none). */
static void
send_packet(bool v6, uint8_t protocol, const uint8_t *inside, uint32_t length, uint32_t sum_at, uint16_t fragment)
{
	static uint8_t frame[2048];
	uint8_t *ip = frame + NIC_HEADER, *at = ip + (v6 ? 40 : 20);
	struct netd_address from = host_address(2, v6), to = host_address(1, v6);

	if (length > 1500)
		length = 1500;
	memset(frame, 0, sizeof(frame));
	frame_of(frame, v6 ? ETHERNET_IP6 : ETHERNET_IP4);
	memcpy(at, inside, length);
	if (sum_at && sum_at + 2 <= length) {
		put16(at + sum_at, 0);
		*(uint16_t *)(at + sum_at) = ~ip_fold(ip_sum(protocol == 1 ? 0 : ip_pseudo_sum(&from, &to, protocol, length), at,
			length));
	}
	if (v6) {
		ip[0] = 0x60;
		put16(ip + 4, length);
		ip[6] = protocol;
		ip[7] = 255;
		memcpy(ip + 8, &from, 16);
		memcpy(ip + 24, &to, 16);
	} else {
		ip[0] = 0x45;
		put16(ip + 2, 20 + length);
		put16(ip + 6, fragment);
		ip[8] = 64;
		ip[9] = protocol;
		memcpy(ip + 12, from.bytes + 12, 4);
		memcpy(ip + 16, to.bytes + 12, 4);
		*(uint16_t *)(ip + 10) = ~ip_fold(ip_sum(0, ip, 20));
	}
	stack_receive(frame, NIC_HEADER + (v6 ? 40 : 20) + length);
}

static struct tcp_pcb *
find(void)
{
	for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
		if (pcb->remote_port == port)
			return pcb;
	return NULL;
}

/* data[0]: the window; [1], [2]: how far its numbers are from those that are due; [3]: words of options; these; data. */
static void
send_segment(const uint8_t *data, uint32_t size, uint8_t flags)
{
	uint8_t segment[60 + 256] = { 0 };
	struct tcp_pcb *pcb = find();
	uint32_t sequence, acknowledged, options;

	if (size < 4)
		return;
	options = data[3] % 11;
	sequence = lwip_htonl((pcb ? pcb->rcv_nxt : 1000) + (int8_t)data[1]);
	acknowledged = lwip_htonl((pcb ? pcb->snd_nxt : 0) + (int8_t)data[2]);
	put16(segment, port);
	put16(segment + 2, PORT);
	memcpy(segment + 4, &sequence, 4);
	memcpy(segment + 8, &acknowledged, 4);
	segment[12] = (5 + options) << 4;
	segment[13] = flags;
	put16(segment + 14, data[0] << 4);
	size -= 4;
	memcpy(segment + 20, data + 4, size);
	/* Now and then it ends within its options. */
	if (size < options * 4 && !(data[0] & 1))
		size = options * 4;
	send_packet(false, 6, segment, 20 + size, 16, 0);
}

static void
connect_here(void)
{
	static const uint8_t syn[4 + 20] = {
		0x40, 0, 0, 5, 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0,
	};
	static const uint8_t ack[4] = { 0x40 };

	send_segment(syn, sizeof(syn), TCP_SYN);
	round_of_stack();
	send_segment(ack, sizeof(ack), TCP_ACK);
	round_of_stack();
}

/* What the kernel and a program do. */
static void
program(const uint8_t *data, uint32_t size)
{
	struct memory *m = here.memory;

	for (uint32_t i = 0; size && i < m->accepted_count; i++) {
		struct netd_wanted *w = slot_wanted(m, m->accepted[i]);
		struct netd_actual *a = slot_actual(m, m->accepted[i]);
		uint64_t queued = w->queued + (data[0] & 0x7f) * 64, granted = a->arrived + 20000;

		if (data[0] & 0x80)
			w->flags ^= NETD_FLAG_CORK | NETD_FLAG_NO_DELAY | NETD_FLAG_KEEPALIVE;
		if (w->flags & NETD_FLAG_END || queued - a->acked > 100000)
			queued = w->queued;
		chunks_fill(m, w->send_chunk, w->queued, queued);
		w->queued = queued;
		if (granted > w->granted) {
			chunks_fill(m, w->receive_chunk, w->granted, granted);
			w->granted = granted;
		}
		if (size > 1 && data[1] & 1)
			w->flags |= NETD_FLAG_END;
		if (size > 1 && data[1] & 2)
			w->want = data[1] & 4 ? NETD_WANT_RESET : NETD_WANT_END;
		if (size > 1 && data[1] & 8)
			w->urgent = w->queued;
		slot_mark(m, m->accepted[i]);
	}
}

static void
step(uint8_t what, const uint8_t *data, uint32_t size)
{
	uint8_t frame[300] = { 0 };

	switch (what % 9) {
	case 0:
		send_segment(data, size, size ? data[0] >> 2 : 0);
		break;
	case 1:
		send_segment(data, size, TCP_ACK | (size && data[0] & 2 ? TCP_PSH : 0) | (size && data[0] & 4 ? TCP_FIN : 0));
		break;
	case 2:
		frame_of(frame, size ? data[0] << 8 | (size > 1 ? data[1] : 0) : 0);
		memcpy(frame + NIC_HEADER, data, size);
		stack_receive(frame, NIC_HEADER + size);
		break;
	case 3:
		send_packet(false, 17, data, size & ~7u, 0, size > 1 ? 0x2000 | (data[0] % 32) : 0x2000);
		break;
	case 4:
		send_packet(true, size ? data[0] % 61 : 59, data, size, 0, 0);
		break;
	case 5:
		send_packet(true, 58, data, size, 2, 0);
		break;
	case 6:
		frame_of(frame, ETHERNET_ARP);
		memcpy(frame + NIC_HEADER, data, size);
		stack_receive(frame, NIC_HEADER + size);
		break;
	case 7:
		for (unsigned i = size ? data[0] : 1; i; i--)
			tcp_tick();
		neighbours_tick(now_ms() + size);
		fragments_tick(now_ms());
		break;
	case 8:
		program(data, size);
		break;
	}
	round_of_stack();
}

static void
forget_all(void)
{
	struct memory *m = here.memory;

	for (uint32_t i = 0; i < m->accepted_count; i++) {
		struct netd_wanted *w = slot_wanted(m, m->accepted[i]);

		w->want = NETD_WANT_NOTHING;
		slot_mark(m, m->accepted[i]);
		chunks_free(m, w->send_chunk, 0, (uint64_t)NETD_CHUNKS * NETD_CHUNK);
		chunks_free(m, w->receive_chunk, 0, (uint64_t)NETD_CHUNKS * NETD_CHUNK);
	}
	round_of_stack();
	m->accepted_count = 0;
	port = 1024 + (port - 1023) % 60000;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!here.memory) {
		struct netd_table_neighbour peer = {
			.interface = 2, .state = 0x80 /* NUD_PERMANENT */, .address = host_address(2, false),
			.link = { 2, 0, 0, 0, 0, 2 },
		};

		host_create(&here, 1);
		stack_begin(&here);
		neighbours_set(&peer, 1);
		stream_listen(&here, PORT, false, 100);
		round_of_stack();
	}
	connect_here();
	while (size >= 2) {
		uint32_t length = data[1] < size - 2 ? data[1] : size - 2;
		/* A copy of its own: who reads behind it is seen. */
		uint8_t *copy = malloc(length ? length : 1);

		memcpy(copy, data + 2, length);
		step(data[0], copy, length);
		free(copy);
		data += 2 + length;
		size -= 2 + length;
	}
	forget_all();
	return 0;
}
