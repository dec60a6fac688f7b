/* SPDX-License-Identifier: MIT */
/*
 * show.c - /proc/keys, /proc/key-users, and the log.
 */
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/text.h>

#include "keys.h"

static void
time_left(const struct key *k, char *out, size_t size)
{
	static const struct { uint64_t seconds; char letter; } units[] = {
		{ 604800, 'w' }, { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' },
	};
	uint64_t now = keys_now(), left = k->expiry - now;
	unsigned int u = 0;

	if (!k->expiry || now >= k->expiry) {
		snprintf(out, size, "%s", k->expiry ? "expd" : "perm");
		return;
	}
	while (left < units[u].seconds)
		u++;
	snprintf(out, size, "%lu%c", left / units[u].seconds, units[u].letter);
}

static void
show_key(struct text *t, const struct key *k)
{
	char left[24];

	time_left(k, left, sizeof(left));
	text_print(t, "%08x %c%c%c%c%c%c%c %5d %4s %08x %5d %5d %-9.9s %s", (uint32_t)k->serial, 'I',
		   k->revoked ? 'R' : '-', '-', k->counted ? 'Q' : '-', '-', k->negative ? 'N' : '-',
		   k->invalid ? 'i' : '-', (int)ref_count(&k->refs), left, k->perm, (int)uid_shown(k->uid),
		   (int)key_gid_shown(k), k->type->name, k->description);
	if (k->negative)
		text_print(t, "\n");
	else if (k->type->is_keyring && !k->link_count)
		text_print(t, ": empty\n");
	else
		text_print(t, ": %lu\n", k->type->is_keyring ? (uint64_t)k->link_count : (uint64_t)k->size);
}

void
key_show_all(struct text *t)
{
	const struct cred *c = current_cred();
	struct key *k;

	keys_enter();
	KEYS_EACH (k) {
		struct key_query q = { .cred = c, .exactly = k };
		struct key_ref r = { k, false }, found;

		if (id_map_out(c->user_ns, &c->user_ns->uids, k->user->uid) == ID_INVALID)
			continue;
		if (k->perm & KEY_MAY_VIEW << 24)
			r.possessed = key_search_all(&q, &found) == 0;
		if (key_permits(&r, c, KEY_MAY_VIEW))
			show_key(t, k);
	}
	keys_leave();
}

static void
show_user(void *ctx, const struct key_user *u)
{
	const struct user_namespace *ns = current_cred()->user_ns;

	if (id_map_out(ns, &ns->uids, u->uid) == ID_INVALID)
		return;
	text_print(ctx, "%5u: %5u %u/%u %u/%d %u/%d\n", uid_shown(u->uid), u->keys + 1, u->keys, u->made, u->quota_keys,
		   u->uid ? key_limits.keys : key_limits.root_keys, u->quota_bytes,
		   u->uid ? key_limits.bytes : key_limits.root_bytes);
}

void
key_show_users(struct text *t)
{
	keys_enter();
	key_users_visit(show_user, t);
	keys_leave();
}

void
key_dump(void)
{
	struct key *k;

	KEYS_EACH (k)
		pr_info("key %d %s \"%s\": uid %u, perm %08x, %u references, %lu bytes, %u links%s%s%s\n", k->serial,
			k->type->name, k->description, k->uid, k->perm, ref_count(&k->refs), (uint64_t)k->size,
			k->link_count, k->revoked ? ", revoked" : "", k->invalid ? ", invalid" : "",
			k->negative ? ", negative" : "");
}
