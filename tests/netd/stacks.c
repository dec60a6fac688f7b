/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - two network stacks on one wire: what connections do, and that killing a stack does them no harm.
 *
 *   stacks [SEED [CASE]]
 */
#include <errno.h>

#include "host.h"

#define STREAMS	  16
#define PORT	  80
#define PATIENCE_MS 120000

static struct host a, b;
static struct stream near[STREAMS], far[STREAMS];
static uint64_t seed = 1, next_kill;
static const char *running;

static void
work(unsigned count)
{
	wire_carry(&a, &b);
	host_check(&a);
	host_check(&b);
	for (unsigned i = 0; i < count; i++) {
		stream_work(&near[i]);
		stream_work(&far[i]);
	}
}

static bool
is_over(const struct host *from, uint16_t port, uint16_t other)
{
	for (uint32_t slot = 0; slot < from->memory->kernel.slots_used; slot++) {
		const struct netd_wanted *w = slot_wanted(from->memory, slot);
		const struct netd_actual *s = slot_actual(from->memory, slot);

		if (w->want == NETD_WANT_CONNECTION && w->local.port == port && w->remote.port == other &&
			(s->generation != w->generation || (s->state != NETD_CLOSED && s->state != NETD_LAST_ACK)))
			return false;
	}
	return true;
}

static void
show(uint16_t port, uint16_t other)
{
	const struct host *hosts[] = { &a, &b };

	for (int h = 0; h < 2; h++)
		for (uint32_t slot = 0; slot < hosts[h]->memory->kernel.slots_used; slot++) {
			const struct netd_wanted *w = slot_wanted(hosts[h]->memory, slot);
			const struct netd_actual *s = slot_actual(hosts[h]->memory, slot);

			if (w->want == NETD_WANT_LISTEN || (w->local.port != port && w->remote.port != port) ||
				(w->local.port != other && w->remote.port != other))
				continue;
			fprintf(stderr, "host %u slot %u: wanted %u, queued %llu, state %u, error %u, flags %u, sent %llu, acked %llu, "
				"arrived %llu, end sent %u\n", hosts[h]->number, slot, w->want, (unsigned long long)w->queued,
				s->state, s->error, s->flags, (unsigned long long)s->sent, (unsigned long long)s->acked,
				(unsigned long long)s->arrived, s->end_sent);
		}
}

/* Who was accepted is the far end of whom? By its port. */
static void
accept_all(unsigned count, uint16_t first_port)
{
	struct stream s = { 0 };

	while (stream_accept(&s, &b)) {
		unsigned n = slot_wanted(b.memory, s.slot)->remote.port - first_port;

		if (n >= count || far[n].host)
			fail("a connection of port %u was accepted twice", first_port + n);
		s.send = far[n].send;
		s.receive = far[n].receive;
		s.ended = far[n].ended;
		far[n] = s;
		memset(&s, 0, sizeof(s));
	}
}

static uint16_t
begin(unsigned count, uint64_t there, uint64_t back)
{
	static uint16_t port = 20000;

	memset(near, 0, sizeof(near));
	memset(far, 0, sizeof(far));
	for (unsigned i = 0; i < count; i++) {
		near[i].send = far[i].receive = there;
		far[i].send = near[i].receive = back;
		near[i].ended = far[i].ended = true;
		stream_connect(&near[i], &a, &b, port + i, PORT + i % 2, i % 2);
	}
	port += count;
	return port - count;
}

/* Move it all, with one of the stacks killed about every `kill_ms`; 0: never. */
static void
transfer(unsigned count, uint64_t there, uint64_t back, uint32_t kill_ms)
{
	uint16_t port = begin(count, there, back);
	uint64_t began = test_now_ms(), moved = 0, moved_before = 0;
	unsigned done = 0;

	do {
		work(count);
		accept_all(count, port);
		moved = done;
		for (unsigned i = 0; i < count; i++)
			moved += near[i].taken + far[i].taken;
		/* On a busy machine a stack would be killed each time before it has begun. */
		if (kill_ms && test_now_ms() >= next_kill + (moved == moved_before ? 1000 : 0)) {
			moved_before = moved;
			host_kill(wire_random(2) ? &a : &b);
			next_kill = test_now_ms() + 1 + wire_random(2 * kill_ms);
		}
		done = 0;
		for (unsigned i = 0; i < count; i++) {
			if ((near[i].closed && near[i].error) || (far[i].closed && far[i].error))
				fail("stream %u ends with %u, %u", i, near[i].error, far[i].error);
			done += stream_is_done(&near[i]) + stream_is_done(&far[i]);
		}
		if (test_now_ms() - began > PATIENCE_MS) {
			for (unsigned i = 0; i < count; i++)
				fprintf(stderr, "%u: state %u sent %llu acked %llu taken %llu | state %u sent %llu acked %llu taken %llu\n",
					i, near[i].state, (unsigned long long)near[i].queued, (unsigned long long)near[i].freed,
					(unsigned long long)near[i].taken, far[i].state, (unsigned long long)far[i].queued,
					(unsigned long long)far[i].freed, (unsigned long long)far[i].taken);
			fail("%u of %u ends are done", done, 2 * count);
		}
	} while (done < 2 * count);
}

static void
plain(void)
{
	transfer(STREAMS, 1 << 20, 1 << 20, 0);
}

static void
small(void)
{
	transfer(STREAMS, 1, 0, 0);
	transfer(STREAMS, 0, 0, 0);
	transfer(STREAMS, 0, 1461, 0);
}

static void
bad_wire(void)
{
	wire.loss = 10;
	wire.doubled = 10;
	wire.late = 20;
	transfer(STREAMS, 1 << 20, 1 << 19, 0);
}

static void
killed(void)
{
	transfer(STREAMS, 2 << 20, 2 << 20, 100);
}

static void
killed_on_bad_wire(void)
{
	wire.loss = 10;
	wire.doubled = 10;
	wire.late = 20;
	transfer(STREAMS, 1 << 19, 1 << 19, 200);
}

/* Many short ones: each moment of handshakes and ends is hit. */
static void
killed_short(void)
{
	for (int i = 0; i < 12; i++)
		transfer(STREAMS, 1000, 3000, 15);
}

static void
wait_for(struct stream *s, uint32_t state)
{
	uint64_t began = test_now_ms();

	while (!s->closed && s->state != state) {
		work(1);
		if (test_now_ms() - began > PATIENCE_MS)
			fail("it is in state %u, not %u", s->state, state);
	}
}

static void
refused(void)
{
	wire.resets_allowed = true;
	memset(near, 0, sizeof(near));
	memset(far, 0, sizeof(far));
	stream_connect(&near[0], &a, &b, 30000, 9999, false);
	wait_for(&near[0], NETD_CLOSED);
	if (near[0].error != ECONNREFUSED)
		fail("connecting to nobody gives %u", near[0].error);
}

static void
unreachable(void)
{
	memset(near, 0, sizeof(near));
	memset(far, 0, sizeof(far));
	stream_connect(&near[0], &a, NULL, 30001, PORT, false);
	wait_for(&near[0], NETD_CLOSED);
	if (near[0].error != EHOSTUNREACH)
		fail("connecting to a host that is not there gives %u", near[0].error);
}

static void
reset(void)
{
	uint16_t port = begin(1, 100000, 100000);

	wire.resets_allowed = true;
	near[0].ended = far[0].ended = false;
	while (!far[0].host || far[0].taken < 1000) {
		work(1);
		accept_all(1, port);
		far[0].ended = false;
	}
	stream_reset(&near[0]);
	wait_for(&near[0], NETD_CLOSED);
	wait_for(&far[0], NETD_CLOSED);
	if (near[0].error || far[0].error != ECONNRESET)
		fail("who resets hears %u, the other %u", near[0].error, far[0].error);
}

/* Nobody reads for a while, and a stack is killed meanwhile. */
static void
closed_window(void)
{
	uint16_t port = begin(1, 1 << 20, 0);
	uint64_t began;

	near[0].ended = true;
	while (!far[0].host) {
		work(1);
		accept_all(1, port);
		far[0].paused = true;
	}
	began = test_now_ms();
	while (test_now_ms() - began < 1000)
		work(1);
	/* But for what a scaled window cannot say. */
	if (far[0].taken + 128 < far[0].granted)
		fail("%llu of %llu bytes of the window came", (unsigned long long)far[0].taken,
			(unsigned long long)far[0].granted);
	host_kill(&a);
	began = test_now_ms();
	while (test_now_ms() - began < 500)
		work(1);
	host_kill(&b);
	far[0].paused = false;
	while (!stream_is_done(&near[0]) || !stream_is_done(&far[0])) {
		work(1);
		if (test_now_ms() - began > PATIENCE_MS)
			fail("%llu bytes came once the window opened", (unsigned long long)far[0].taken);
	}
}

/* A full backlog: it waits, and comes once there is room. */
static void
full_backlog(void)
{
	uint64_t began = test_now_ms();
	uint16_t port;

	b.memory->refuse_accepts = 1;
	port = begin(2, 1000, 1000);
	while (test_now_ms() - began < 1500)
		work(2);
	b.memory->refuse_accepts = 0;
	while (!stream_is_done(&near[0]) || !stream_is_done(&far[0]) || !stream_is_done(&near[1]) ||
		!stream_is_done(&far[1])) {
		work(2);
		accept_all(2, port);
		if (test_now_ms() - began > PATIENCE_MS)
			fail("nothing comes of what had to wait");
	}
}

/* Who accepts ends first, and waits: a new connection between the same ends begins, also with the next stack. */
static void
again_from_the_same_port(void)
{
	uint64_t began = test_now_ms();

	for (int i = 0; i < 3; i++) {
		memset(near, 0, sizeof(near));
		memset(far, 0, sizeof(far));
		near[0].send = near[0].receive = far[0].send = far[0].receive = 1000;
		far[0].ended = true;
		if (i == 2)
			host_kill(&b);
		stream_connect(&near[0], &a, &b, 31000, PORT, false);
		while (!stream_is_done(&near[0]) || !stream_is_done(&far[0])) {
			work(1);
			accept_all(1, 31000);
			near[0].ended = near[0].end_seen;
			if (test_now_ms() - began > PATIENCE_MS)
				fail("connection %d does not come to its end", i);
		}
	}
}

/* A listener has nothing of those who had its slot before. */
static void
listener_in_a_used_slot(void)
{
	uint64_t began = test_now_ms();
	const struct netd_actual *actual = NULL;

	for (uint32_t slot = 0; slot < SLOTS; slot++)
		if (slot_wanted(b.memory, slot)->want == NETD_WANT_NOTHING)
			*slot_actual(b.memory, slot) = (struct netd_actual){ .acked = 7, .arrived = 8, .urgent = 9, .error = 10 };
	stream_listen(&b, 4000, false, 5);
	for (uint32_t slot = 0; slot < b.memory->kernel.slots_used; slot++)
		if (slot_wanted(b.memory, slot)->want == NETD_WANT_LISTEN && slot_wanted(b.memory, slot)->local.port == 4000)
			actual = slot_actual(b.memory, slot);
	while (actual->state != NETD_LISTENING) {
		work(0);
		if (test_now_ms() - began > PATIENCE_MS)
			fail("nobody listens");
	}
	if (actual->acked || actual->arrived || actual->urgent || actual->error)
		fail("a listener has %llu bytes acknowledged, %llu arrived", (unsigned long long)actual->acked,
			(unsigned long long)actual->arrived);
}

/* Neighbours that were not heard of for long are asked where they are, and answer there: none is given up. */
static void
asked_neighbours(void)
{
	uint64_t began = test_now_ms();
	struct memory *m = a.memory;

	transfer(2, 1, 1, 0);
	m->failed = m->confirmed[0] = m->confirmed[1] = 0;
	m->time_leaps = 1;
	while (!m->confirmed[0] || !m->confirmed[1]) {
		transfer(2, 1, 1, 0);
		for (uint64_t now = test_now_ms(); test_now_ms() - now < 100;)
			work(0);
		if (m->failed || test_now_ms() - began > PATIENCE_MS)
			fail("of neighbours there are %u of IPv4, %u of IPv6, and %u are given up", m->confirmed[0], m->confirmed[1], m->failed);
	}
}

static const struct {
	const char *name;
	void (*run)(void);
} cases[] = {
	{ "plain", plain }, { "small", small }, { "bad_wire", bad_wire }, { "killed", killed },
	{ "killed_on_bad_wire", killed_on_bad_wire }, { "killed_short", killed_short }, { "refused", refused },
	{ "unreachable", unreachable }, { "reset", reset }, { "closed_window", closed_window },
	{ "full_backlog", full_backlog }, { "again_from_the_same_port", again_from_the_same_port },
	{ "listener_in_a_used_slot", listener_in_a_used_slot }, { "asked_neighbours", asked_neighbours },
	{ "without_cable", alone_without_cable }, { "flooded", alone_flooded },
};

int
main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		seed = strtoull(argv[1], NULL, 0);
	host_create(&a, 1);
	host_create(&b, 2);
	host_start(&a);
	host_start(&b);
	stream_listen(&b, PORT, false, 100);
	stream_listen(&b, PORT + 1, true, 100);
	/* Who comes before they are heard of is refused. */
	while (slot_actual(b.memory, 0)->state != NETD_LISTENING || slot_actual(b.memory, 1)->state != NETD_LISTENING)
		work(0);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t began = test_now_ms();

		if (argc > 2 && strcmp(argv[2], cases[i].name))
			continue;
		running = cases[i].name;
		wire = (struct wire){ .seed = seed, .is_over = is_over, .show = show };
		a.kills = b.kills = 0;
		next_kill = 0;
		cases[i].run();
		printf("ok %s: %llu frames, %llu resets, %u kills, %llu ms\n", running, (unsigned long long)wire.frames,
			(unsigned long long)wire.resets, a.kills + b.kills, (unsigned long long)(test_now_ms() - began));
	}
	host_stop(&a);
	host_stop(&b);
	return 0;
}
