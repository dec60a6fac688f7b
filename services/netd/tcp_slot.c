/* SPDX-License-Identifier: MIT */
/* tcp_slot.c - what the kernel wants of each slot, and what is done about it. */
#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "tcp.h"

static struct connection *connections[NETD_SLOTS];

struct connection *
slot_connection(uint32_t slot)
{
	return connections[slot];
}

void
slot_set_connection(uint32_t slot, struct connection *c)
{
	connections[slot] = c;
}

/* What is known of that life of the slot is only this: nothing of an earlier one stays. */
static void
say(uint32_t slot, uint32_t generation, enum netd_state state, int error)
{
	struct netd_actual *a = door_actual(slot);

	door_put32(&a->generation, generation - 1);
	memset((char *)a + sizeof(a->generation), 0, sizeof(*a) - sizeof(a->generation));
	a->state = state;
	a->error = error;
	door_put32(&a->generation, generation);
	door_mark(slot);
}

/* There is nothing of it here, nor will there be. */
static void
close_unseen(uint32_t slot, uint32_t generation, int error)
{
	say(slot, generation, NETD_CLOSED, error);
}

static void
listen_at(uint32_t slot, uint32_t generation)
{
	int error;

	if (listener_is_joined(slot, generation))
		return;
	listener_leave(slot);
	error = listener_join(slot);
	if (error) {
		close_unseen(slot, generation, -error);
		return;
	}
	say(slot, generation, NETD_LISTENING, 0);
}

/* A connection that nothing is known of here: begin it, unless it has been over before. */
static void
begin(uint32_t slot, uint32_t generation, uint32_t want, bool adopt)
{
	const struct netd_actual *a = door_actual(slot);
	struct connection *c;

	if (a->generation == generation && a->state == NETD_CLOSED) {
		door_mark(slot);
		return;
	}
	if (a->generation != generation && want != NETD_WANT_CONNECTION) {
		close_unseen(slot, generation, 0);
		return;
	}
	c = connection_new(slot);
	if (!c) {
		close_unseen(slot, generation, ENOBUFS);
		return;
	}
	if (a->generation == generation && adopt)
		connection_adopt(c);
	else
		connection_open(c, 0);
	if (c->pcb)
		connection_wants(c);
}

static void
look(uint32_t slot, bool adopt)
{
	const struct netd_wanted *w = door_wanted(slot);
	uint32_t generation = door_get32(&w->generation), want = door_get32(&w->want);
	struct connection *c = connections[slot];

	if (c && (c->generation != generation || want == NETD_WANT_NOTHING)) {
		connection_forget(c);
		c = NULL;
	}
	if (want != NETD_WANT_LISTEN)
		listener_leave(slot);
	switch (want) {
	case NETD_WANT_NOTHING:
		return;
	case NETD_WANT_LISTEN:
		listen_at(slot, generation);
		return;
	case NETD_WANT_CONNECTION:
	case NETD_WANT_END:
	case NETD_WANT_RESET:
		if (c)
			connection_wants(c);
		else
			begin(slot, generation, want, adopt);
		return;
	default:
		log_error("slot %u: the kernel wants %u", slot, want);
	}
}

void
slot_look(uint32_t slot)
{
	look(slot, false);
}

bool
slots_look(void)
{
	bool found = false;

	for (unsigned i = 0; i < NETD_SLOTS / 4096; i++) {
		uint64_t words = __atomic_load_n(&door.to_netd->summary[i], __ATOMIC_RELAXED);

		if (!words)
			continue;
		words = __atomic_exchange_n(&door.to_netd->summary[i], 0, __ATOMIC_SEQ_CST);
		for (; words; words &= words - 1) {
			unsigned word = i * 64 + __builtin_ctzll(words);
			uint64_t bits = __atomic_exchange_n(&door.to_netd->slot[word], 0, __ATOMIC_SEQ_CST);

			/* Where these are to go may have been said just before them. */
			ip_config_look();
			for (; bits; bits &= bits - 1) {
				look(word * 64 + __builtin_ctzll(bits), false);
				found = true;
			}
		}
	}
	return found;
}

void
slots_adopt(void)
{
	uint32_t used = door_get32(&door.kernel->slots_used);

	/* Listeners first: what is half open belongs to one. */
	for (uint32_t slot = 0; slot < used && slot < NETD_SLOTS; slot++)
		if (door_wanted(slot)->want == NETD_WANT_LISTEN)
			look(slot, true);
	half_open_adopt();
	for (uint32_t slot = 0; slot < used && slot < NETD_SLOTS; slot++)
		if (door_wanted(slot)->want != NETD_WANT_LISTEN)
			look(slot, true);
	connections_settle();
}
