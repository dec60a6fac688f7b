/* SPDX-License-Identifier: MIT */
/* stream.c - connections, as a kernel and its programs have them. */
#include "host.h"

#define SEND_MOST (256u * 1024)

static uint8_t
pattern(uint32_t seed, uint64_t at)
{
	uint64_t x = (at + seed) * 0x9e3779b97f4a7c15ull;

	return x >> 56 ^ x >> 24;
}

void
stream_listen(struct host *h, uint16_t port, bool v6, uint32_t backlog)
{
	struct memory *m = h->memory;
	struct netd_address any4 = { { [10] = 0xff, [11] = 0xff } };
	struct netd_wanted *w;
	uint32_t slot;

	memory_lock(m);
	slot = slot_take(m);
	w = slot_wanted(m, slot);
	w->local.port = port;
	if (!v6)
		w->local.address = any4;
	w->backlog_left = backlog;
	w->window_max = 1 << 20;
	__atomic_store_n(&w->want, NETD_WANT_LISTEN, __ATOMIC_RELEASE);
	memory_unlock(m);
	slot_mark(m, slot);
}

static void
begin(struct stream *s, struct host *h, uint32_t slot)
{
	struct netd_wanted *w = slot_wanted(h->memory, slot);

	s->host = h;
	s->slot = slot;
	s->generation = w->generation;
	s->window = w->window_max;
	s->granted = w->granted;
	s->seed_out = h->number * 1000003u + w->local.port * 131u + w->remote.port;
	s->seed_in = (3 - h->number) * 1000003u + w->remote.port * 131u + w->local.port;
}

void
stream_connect(struct stream *s, struct host *h, struct host *to, uint16_t from_port, uint16_t port, bool v6)
{
	struct memory *m = h->memory;
	struct netd_wanted *w;
	uint32_t slot;

	memory_lock(m);
	slot = slot_take(m);
	w = slot_wanted(m, slot);
	w->local = (struct netd_endpoint){ .address = host_address(h->number, v6), .port = from_port };
	w->remote = (struct netd_endpoint){ .address = host_address(to ? to->number : 77, v6), .port = port };
	w->window_max = s->window ? s->window : 1 << 20;
	w->granted = w->window_max < 32768 ? w->window_max : 32768;
	w->connect_count = 6;
	chunks_fill(m, w->receive_chunk, 0, w->granted);
	__atomic_store_n(&w->want, NETD_WANT_CONNECTION, __ATOMIC_RELEASE);
	memory_unlock(m);
	begin(s, h, slot);
	slot_mark(m, slot);
}

bool
stream_accept(struct stream *s, struct host *h)
{
	struct memory *m = h->memory;
	uint32_t slot;

	memory_lock(m);
	if (!m->accepted_count) {
		memory_unlock(m);
		return false;
	}
	slot = m->accepted[0];
	memmove(m->accepted, m->accepted + 1, --m->accepted_count * sizeof(m->accepted[0]));
	memory_unlock(m);
	begin(s, h, slot);
	return true;
}

static void
send_some(struct stream *s, struct netd_wanted *w, uint64_t acked)
{
	struct memory *m = s->host->memory;
	uint64_t upto = acked + SEND_MOST < s->send ? acked + SEND_MOST : s->send;

	chunks_free(m, w->send_chunk, s->freed, acked);
	s->freed = acked;
	if (upto > s->queued && (upto - s->queued >= 4096 || upto == s->send)) {
		chunks_fill(m, w->send_chunk, s->queued, upto);
		for (uint64_t at = s->queued; at < upto; at++)
			m->arena[(size_t)w->send_chunk[at / NETD_CHUNK % NETD_CHUNKS] * NETD_CHUNK + at % NETD_CHUNK] =
				pattern(s->seed_out, at);
		s->queued = upto;
		__atomic_store_n(&w->queued, upto, __ATOMIC_RELEASE);
		slot_mark(m, s->slot);
	}
	if (s->queued == s->send && s->ended && !(w->flags & NETD_FLAG_END)) {
		__atomic_store_n(&w->flags, w->flags | NETD_FLAG_END, __ATOMIC_RELEASE);
		slot_mark(m, s->slot);
	}
}

static void
receive_some(struct stream *s, struct netd_wanted *w, uint64_t arrived)
{
	struct memory *m = s->host->memory;
	uint64_t granted, was = s->taken;

	if (arrived > s->granted)
		fail("host %u slot %u: %llu bytes arrived, %llu granted", s->host->number, s->slot,
			(unsigned long long)arrived, (unsigned long long)s->granted);
	for (; s->taken < arrived; s->taken++) {
		uint16_t chunk = w->receive_chunk[s->taken / NETD_CHUNK % NETD_CHUNKS];

		if (m->arena[(size_t)chunk * NETD_CHUNK + s->taken % NETD_CHUNK] != pattern(s->seed_in, s->taken))
			fail("host %u slot %u: byte %llu is another", s->host->number, s->slot, (unsigned long long)s->taken);
	}
	if (s->paused)
		return;
	chunks_free(m, w->receive_chunk, was, s->taken);
	granted = s->taken + s->window;
	if (granted <= s->granted)
		return;
	chunks_fill(m, w->receive_chunk, s->granted, granted);
	s->granted = granted;
	__atomic_store_n(&w->taken, s->taken, __ATOMIC_RELAXED);
	__atomic_store_n(&w->granted, granted, __ATOMIC_RELEASE);
	slot_mark(m, s->slot);
}

static void
free_slot(struct stream *s, struct netd_wanted *w)
{
	struct memory *m = s->host->memory;

	s->closed = true;
	for (int i = 0; i < (int)NETD_CHUNKS; i++) {
		chunks_free(m, w->send_chunk, i * NETD_CHUNK, (i + 1) * NETD_CHUNK);
		chunks_free(m, w->receive_chunk, i * NETD_CHUNK, (i + 1) * NETD_CHUNK);
	}
	/* In TIME_WAIT the slot has its rest. */
	if (s->state != NETD_CLOSED)
		return;
	__atomic_store_n(&w->want, NETD_WANT_NOTHING, __ATOMIC_RELEASE);
	slot_mark(m, s->slot);
}

void
stream_work(struct stream *s)
{
	struct netd_wanted *w;
	struct netd_actual *a;

	if (!s->host || s->closed)
		return;
	w = slot_wanted(s->host->memory, s->slot);
	a = slot_actual(s->host->memory, s->slot);
	if (__atomic_load_n(&a->generation, __ATOMIC_ACQUIRE) != s->generation)
		return;
	memory_lock(s->host->memory);
	s->state = __atomic_load_n(&a->state, __ATOMIC_ACQUIRE);
	s->end_seen = __atomic_load_n(&a->flags, __ATOMIC_ACQUIRE) & NETD_FLAG_END_ARRIVED;
	if (a->acked > s->queued)
		fail("host %u slot %u: %llu acknowledged, %llu queued", s->host->number, s->slot,
			(unsigned long long)a->acked, (unsigned long long)s->queued);
	receive_some(s, w, __atomic_load_n(&a->arrived, __ATOMIC_ACQUIRE));
	if (s->state != NETD_SYN_SENT && s->state != NETD_CLOSED)
		send_some(s, w, __atomic_load_n(&a->acked, __ATOMIC_ACQUIRE));
	if (s->state == NETD_CLOSED || s->state == NETD_TIME_WAIT) {
		s->error = s->state == NETD_CLOSED ? a->error : 0;
		free_slot(s, w);
	}
	memory_unlock(s->host->memory);
}

bool
stream_is_done(const struct stream *s)
{
	return s->closed && s->taken == s->receive && s->end_seen && !s->error;
}

void
stream_end(struct stream *s)
{
	s->ended = true;
}

void
stream_reset(struct stream *s)
{
	struct memory *m = s->host->memory;

	__atomic_store_n(&slot_wanted(m, s->slot)->want, NETD_WANT_RESET, __ATOMIC_RELEASE);
	slot_mark(m, s->slot);
}
