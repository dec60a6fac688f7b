/* SPDX-License-Identifier: MIT */
/*
 * keyring.c - links and searches.
 *
 * A keyring holds at most one key of each type and name: a new link takes the place of the old. Keyrings in keyrings
 * make a graph without cycles, of which a search enters six levels, a keyring's own keys before those below it.
 * What is found in the wrong state is remembered as the answer, in case that nothing better comes.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "keys.h"

static bool
is_named(const struct key *k, const struct key_type *type, uint32_t hash, const char *description)
{
	return k->hash == hash && k->type == type && strcmp(k->description, description) == 0;
}

static struct key *
find(const struct key *ring, const struct key_type *type, uint32_t hash, const char *description)
{
	for (uint32_t i = 0; i < ring->link_count; i++)
		if (is_named(ring->links[i], type, hash, description))
			return ring->links[i];
	return NULL;
}

struct key *
keyring_find(const struct key *ring, const struct key_type *type, const char *description)
{
	return find(ring, type, key_hash(type, description), description);
}

bool
keyring_has(const struct key *ring, const struct key *k)
{
	for (uint32_t i = 0; i < ring->link_count; i++)
		if (ring->links[i] == k)
			return true;
	return false;
}

static int
make_room(struct key *ring)
{
	uint32_t room = ring->link_room ? 2 * ring->link_room : 4;
	struct key **links;

	if (ring->link_count < ring->link_room)
		return 0;
	links = kmalloc(room * sizeof(*links), 0);
	if (!links)
		return -ENOMEM;
	if (ring->link_count)
		memcpy(links, ring->links, ring->link_count * sizeof(*links));
	kfree(ring->links);
	ring->links = links;
	ring->link_room = room;
	return 0;
}

int
keyring_link(struct key *ring, struct key *k)
{
	int error;

	assert_mutex_held(&keys_lock);
	assert(ring->type->is_keyring);
	for (uint32_t i = 0; i < ring->link_count; i++)
		if (is_named(ring->links[i], k->type, k->hash, k->description)) {
			key_get(k);
			key_put(ring->links[i]);
			ring->links[i] = k;
			return 0;
		}
	error = make_room(ring);
	if (!error)
		error = key_charge(ring, ring->size + LINK_BYTES);
	if (error)
		return error;
	key_get(k);
	ring->links[ring->link_count++] = k;
	return 0;
}

static void
remove_at(struct key *ring, uint32_t i)
{
	struct key *k = ring->links[i];

	ring->links[i] = ring->links[--ring->link_count];
	(void)key_charge(ring, ring->size - LINK_BYTES);
	key_put(k);
}

bool
keyring_remove(struct key *ring, struct key *k)
{
	for (uint32_t i = 0; i < ring->link_count; i++)
		if (ring->links[i] == k) {
			remove_at(ring, i);
			return true;
		}
	return false;
}

void
keyring_prune(struct key *ring, bool (*gone)(const struct key *k))
{
	for (uint32_t i = ring->link_count; i-- > 0;)
		if (gone(ring->links[i]))
			remove_at(ring, i);
}

void
keyring_empty(struct key *ring)
{
	while (ring->link_count)
		remove_at(ring, ring->link_count - 1);
}

/*
 * Is `k` what is looked for? 0: it is not, 1: it is, and may be had; an errno: it would be.
 */
static int
judge(struct key *k, bool possessed, const struct key_query *q)
{
	struct key_ref r = { k, possessed };
	int state;

	if (q->exactly ? k != q->exactly : !is_named(k, q->type, q->hash, q->description))
		return 0;
	if (!q->exactly) {
		state = key_state(k);
		if (state == -EKEYEXPIRED && q->skip_expired)
			return 0;
		if (state)
			return state == -ENOKEY ? -EKEYREVOKED : state;
	}
	if (!q->unchecked && !key_permits(&r, q->cred, KEY_MAY_SEARCH))
		return -EACCES;
	return !q->exactly && k->negative ? -ENOKEY : 1;
}

/* The match directly in `ring`: as judge(). */
static int
judge_links(const struct key *ring, bool possessed, const struct key_query *q, struct key **found)
{
	for (uint32_t i = 0; i < ring->link_count; i++) {
		int verdict = judge(ring->links[i], possessed, q);

		if (verdict) {
			*found = ring->links[i];
			return verdict;
		}
	}
	return 0;
}

/* The next keyring of `ring` from *at on that a search may enter. */
static struct key *
next_below(const struct key *ring, uint32_t *at, bool possessed, const struct key_query *q)
{
	while (*at < ring->link_count) {
		struct key *k = ring->links[(*at)++];
		struct key_ref r = { k, possessed };

		if (k->type->is_keyring && !k->revoked && !k->invalid &&
		    (q->unchecked || key_permits(&r, q->cred, KEY_MAY_SEARCH)))
			return k;
	}
	return NULL;
}

int
keyring_search(const struct key_ref *ring, struct key_query *q, struct key_ref *out)
{
	struct { const struct key *ring; uint32_t next; } level[KEYRING_DEPTH];
	int answer = -EAGAIN, verdict;
	unsigned int depth = 0;
	struct key *k;

	assert_mutex_held(&keys_lock);
	if (!ring->key->type->is_keyring)
		return -ENOTDIR;
	if (!q->unchecked && !key_permits(ring, q->cred, KEY_MAY_SEARCH))
		return -EACCES;
	*out = *ring;
	verdict = judge(ring->key, ring->possessed, q);
	if (verdict)
		return verdict > 0 ? 0 : verdict;
	if (ring->key->revoked || ring->key->invalid)
		return -EAGAIN;
	level[depth].ring = ring->key;
	level[depth++].next = 0;
	while (depth > 0) {
		const struct key *here = level[depth - 1].ring;

		if (level[depth - 1].next == 0) {
			verdict = judge_links(here, ring->possessed, q, &out->key);
			if (verdict > 0)
				return 0;
			if (verdict < 0)
				answer = verdict;
		}
		k = next_below(here, &level[depth - 1].next, ring->possessed, q);
		if (!k) {
			depth--;
			continue;
		}
		if (depth == KEYRING_DEPTH) {
			q->too_deep = true;
			continue;
		}
		level[depth].ring = k;
		level[depth++].next = 0;
	}
	return answer;
}

int
keyring_can_link(struct key *ring, struct key *k)
{
	struct key_query q = { .exactly = ring, .unchecked = true };
	struct key_ref top = { k, false }, found;

	if (!ring->type->is_keyring)
		return -ENOTDIR;
	if (ring->closed)
		return -EPERM;
	if (!k->type->is_keyring)
		return 0;
	if (keyring_search(&top, &q, &found) == 0)
		return -EDEADLK;
	return q.too_deep ? -ELOOP : 0;
}
