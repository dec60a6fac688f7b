/* SPDX-License-Identifier: MIT */
/*
 * slots.c - who has which slot of the door, and how the two sides tell each other which of them have changed.
 *
 * A slot goes from one owner to the next with another generation. What the stack wrote about an older one is not
 * looked at: it says by netd_actual.generation what it speaks of.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../inet/tcp_wire.h"
#include "door.h"

#define WANTED_IN_PAGE (PAGE_SIZE / NETD_WANTED_STRIDE)
#define ACTUAL_IN_PAGE (PAGE_SIZE / NETD_ACTUAL_STRIDE)

/* [I] the arrays. The pages that slots lie in, once one of them was taken: [a], NULL until then. */
static char **wanted_page, **actual_page;

struct netd_wanted *
slot_wanted(uint32_t slot)
{
	char *page = atomic_load(&wanted_page[slot / WANTED_IN_PAGE]);

	return (struct netd_wanted *)(page + slot % WANTED_IN_PAGE * NETD_WANTED_STRIDE);
}

struct netd_actual *
slot_actual(uint32_t slot)
{
	char *page = atomic_load(&actual_page[slot / ACTUAL_IN_PAGE]);

	return (struct netd_actual *)(page + slot % ACTUAL_IN_PAGE * NETD_ACTUAL_STRIDE);
}

static bool
have_array(void *where, size_t count)
{
	void **array = where;

	if (!*array)
		*array = kvmalloc(count * sizeof(void *));
	if (*array)
		memset(*array, 0, count * sizeof(void *));
	return *array;
}

int
slots_init(void)
{
	return have_array(&door.owner, NETD_SLOTS) && have_array(&wanted_page, NETD_SLOTS / WANTED_IN_PAGE) &&
	       have_array(&actual_page, NETD_SLOTS / ACTUAL_IN_PAGE) ? 0 : -ENOMEM;
}

/* The page at `offset` is known in *where. The object gives everybody the same one. */
static bool
have_page(char **where, uint64_t offset)
{
	char *page = atomic_load(where);

	if (page)
		return true;
	page = door_page(offset);
	if (page)
		atomic_store(where, page);
	return page;
}

static bool
have_pages(uint32_t slot)
{
	return have_page(&wanted_page[slot / WANTED_IN_PAGE],
			 NETD_MAP_WANTED + (uint64_t)(slot / WANTED_IN_PAGE) * PAGE_SIZE) &&
	       have_page(&actual_page[slot / ACTUAL_IN_PAGE],
			 NETD_MAP_ACTUAL + (uint64_t)(slot / ACTUAL_IN_PAGE) * PAGE_SIZE);
}

/* The first free one from the last one taken on, so that the stack has time to forget a slot. door.lock held. */
static uint32_t
find_free(void)
{
	uint32_t used = door.kernel->slots_used, n = door.next_slot;

	assert_held(&door.lock);
	for (uint32_t i = 0; i < used; i++, n++) {
		if (n >= used)
			n = 0;
		if (!door.owner[n])
			return n;
	}
	return used;
}

/* Nobody's wire: who has no reference to give. The slot is being made ready for its owner. */
static struct tcp_wire reserved;

/* The number of a slot that is `reserved` from now on; NETD_SLOTS: all are taken. */
static uint32_t
reserve(void)
{
	uint32_t n;

	spin_lock(&door.lock);
	n = door.kernel->slots_used;
	/* A quarter more than are in use: the same pages serve again, and a slot rests a while. */
	if (n >= NETD_SLOTS || n > door.slots_taken + door.slots_taken / 4 + 64)
		n = find_free();
	/* Behind those that were ever used are some that others have just reserved. */
	while (n < NETD_SLOTS && door.owner[n])
		n++;
	if (n < NETD_SLOTS) {
		door.owner[n] = &reserved;
		door.slots_taken++;
		door.next_slot = n + 1;
	}
	spin_unlock(&door.lock);
	return n;
}

int
slot_take(struct tcp_wire *w, uint32_t *slot, uint32_t *generation)
{
	struct netd_wanted *wanted;
	uint32_t n = reserve();

	if (n == NETD_SLOTS)
		return -ENOBUFS;
	if (!have_pages(n)) {
		spin_lock(&door.lock);
		door.owner[n] = NULL;
		door.slots_taken--;
		spin_unlock(&door.lock);
		return -ENOBUFS;
	}
	wanted = slot_wanted(n);
	*slot = n;
	*generation = wanted->generation + 1;
	memset((char *)wanted + sizeof(wanted->generation), 0, sizeof(*wanted) - sizeof(wanted->generation));
	memset(wanted->send_chunk, 0xff, sizeof(wanted->send_chunk));
	memset(wanted->receive_chunk, 0xff, sizeof(wanted->receive_chunk));
	atomic_store(&wanted->generation, *generation);
	/* Whatever a stack that is no more has written there, it is not about this life. */
	atomic_store(&slot_actual(n)->generation, 0u);
	tcp_wire_get(w);
	spin_lock(&door.lock);
	/* From now on the stack's thread may find it. */
	door.owner[n] = w;
	w->held = true;
	if (n >= door.kernel->slots_used)
		atomic_store(&door.kernel->slots_used, n + 1);
	spin_unlock(&door.lock);
	return 0;
}

bool
slot_let_go(struct tcp_wire *w)
{
	bool held;

	spin_lock(&door.lock);
	held = w->held;
	w->held = false;
	spin_unlock(&door.lock);
	return held;
}

void
slot_free(uint32_t slot)
{
	struct netd_wanted *wanted = slot_wanted(slot);

	atomic_store(&wanted->want, (uint32_t)NETD_WANT_NOTHING);
	slot_changed(slot);
	spin_lock(&door.lock);
	door.owner[slot] = NULL;
	door.slots_taken--;
	spin_unlock(&door.lock);
}

/* --- telling --------------------------------------------------------------------------------------------- */

void
slot_changed(uint32_t slot)
{
	atomic_or(&door.to_netd->slot[slot / 64], BIT(slot % 64));
	atomic_or(&door.to_netd->summary[slot / 64 / 64], BIT(slot / 64 % 64));
	door_wake();
}

static struct tcp_wire *
owner_get(uint32_t slot)
{
	struct tcp_wire *w;

	spin_lock(&door.lock);
	w = door.owner[slot];
	if (w && !ref_get_unless_zero(&w->refs))
		w = NULL; /* it is about to free the slot */
	spin_unlock(&door.lock);
	return w;
}

static void
look_at_word(uint32_t word)
{
	uint64_t bits = atomic_exchange(&door.to_kernel->slot[word], 0ul);

	while (bits) {
		uint32_t slot = word * 64 + (uint32_t)__builtin_ctzl(bits);
		struct tcp_wire *w = owner_get(slot);

		bits &= bits - 1;
		if (!w)
			continue;
		tcp_wire_look(w);
		tcp_wire_put(w);
	}
}

void
slots_look(void)
{
	assert_mutex_held(&door.kick_lock);
	for (uint32_t i = 0; i < ARRAY_SIZE(door.to_kernel->summary); i++) {
		uint64_t words = atomic_load(&door.to_kernel->summary[i]);

		if (words)
			words = atomic_exchange(&door.to_kernel->summary[i], 0ul);
		for (; words; words &= words - 1)
			look_at_word(i * 64 + (uint32_t)__builtin_ctzl(words));
	}
}

void
slots_for_each(void (*fn)(struct tcp_wire *w))
{
	uint32_t used = atomic_load(&door.kernel->slots_used);

	for (uint32_t slot = 0; slot < used; slot++) {
		struct tcp_wire *w = owner_get(slot);

		if (!w)
			continue;
		fn(w);
		tcp_wire_put(w);
	}
}

void
slots_take_stock(void)
{
	assert_mutex_held(&door.kick_lock);
	for (uint32_t i = 0; i < ARRAY_SIZE(door.to_kernel->summary); i++)
		atomic_store(&door.to_kernel->summary[i], 0ul);
	for (uint32_t i = 0; i < ARRAY_SIZE(door.to_kernel->slot); i++)
		atomic_store(&door.to_kernel->slot[i], 0ul);
	slots_for_each(tcp_wire_look);
}
