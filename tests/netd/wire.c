/* SPDX-License-Identifier: MIT */
/* wire.c - carries frames, not all of them and not in order. */
#include <poll.h>
#include <sys/socket.h>

#include "host.h"

#define HELD_MAX 64
#define FRAME_MAX 2048

struct wire wire = { .seed = 1 };

static struct held {
	struct host *to;
	uint64_t due;
	size_t length;
	uint8_t frame[FRAME_MAX];
} held[HELD_MAX];
static unsigned held_count;

uint32_t
wire_random(uint32_t below)
{
	wire.seed = wire.seed * 6364136223846793005ull + 1442695040888963407ull;
	return (wire.seed >> 33) % below;
}

static void
look_for_reset(const struct host *from, const uint8_t *frame, size_t length)
{
	const uint8_t *ip = frame + 14, *tcp;
	uint16_t port, other;

	if (length >= 14 + 40 && frame[12] == 8 && frame[13] == 0 && ip[9] == 6)
		tcp = ip + (ip[0] & 15) * 4;
	else if (length >= 14 + 60 && frame[12] == 0x86 && ip[6] == 6)
		tcp = ip + 40;
	else
		return;
	if (!(tcp[13] & 4))
		return;
	wire.resets++;
	port = tcp[0] << 8 | tcp[1];
	other = tcp[2] << 8 | tcp[3];
	/* What the wire brings once more to a connection that is over is answered by one. */
	if (wire.resets_allowed || (wire.doubled && wire.is_over(from, port, other)))
		return;
	wire.show(port, other);
	fail("host %u sends a reset: port %u to %u, flags %#x", from->number, port, other, tcp[13]);
}

static void
deliver(struct host *to, const uint8_t *frame, size_t length)
{
	/* What there is no room for is lost. */
	if (!wire.cut)
		send(to->wire, frame, length, MSG_DONTWAIT);
}

static void
release(uint64_t now)
{
	for (unsigned i = 0; i < held_count;) {
		if (held[i].due > now) {
			i++;
			continue;
		}
		deliver(held[i].to, held[i].frame, held[i].length);
		held[i] = held[--held_count];
	}
}

static void
carry(struct host *from, struct host *to, uint64_t now)
{
	uint8_t frame[FRAME_MAX];
	ssize_t n;

	for (int i = 0; i < 256 && (n = recv(from->wire, frame, sizeof(frame), MSG_DONTWAIT)) > 0; i++) {
		wire.frames++;
		look_for_reset(from, frame, n);
		if (wire_random(1000) < wire.loss)
			continue;
		if (wire_random(1000) < wire.doubled)
			deliver(to, frame, n);
		if (wire_random(1000) < wire.late && held_count < HELD_MAX) {
			struct held *h = &held[held_count++];

			*h = (struct held){ .to = to, .due = now + 1 + wire_random(5), .length = n };
			memcpy(h->frame, frame, n);
			continue;
		}
		deliver(to, frame, n);
	}
}

void
wire_carry(struct host *a, struct host *b)
{
	struct pollfd ends[2] = { { .fd = a->wire, .events = POLLIN }, { .fd = b->wire, .events = POLLIN } };
	uint64_t now = test_now_ms();

	poll(ends, 2, 1);
	carry(a, b, now);
	carry(b, a, now);
	release(now);
}
