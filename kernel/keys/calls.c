/* SPDX-License-Identifier: MIT */
/*
 * calls.c - what add_key, request_key and keyctl do: numbers resolved, permissions checked, then the change.
 */
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "keys.h"

#define NEGATIVE_SECONDS 60

/* Begin a call that is about one key: locked, *out has a reference; end() undoes both. On error nothing is held. */
static int
begin(int id, unsigned int flags, uint32_t need, struct key_ref *out)
{
	int error;

	key_session_inherit();
	keys_enter();
	error = key_lookup(id, flags, need, out);
	if (error)
		keys_leave();
	return error;
}

static int
end(const struct key_ref *r, int result)
{
	key_put(r->key);
	keys_leave();
	return result;
}

static int
update_locked(const struct key_ref *r, const void *payload, size_t size)
{
	if (!r->key->type->updatable)
		return -EOPNOTSUPP;
	if (r->key->type->check_payload(payload, size))
		return -EINVAL;
	return key_fill(r->key, payload, size);
}

/* A new key of the caller's in `ring`: its serial. */
static int
add_new(struct key *ring, const struct key_type *type, const char *description, const void *payload, size_t size)
{
	const struct cred *c = current_cred();
	struct key *k = key_create(type, description, c->fsuid, c->fsgid, key_default_perm(type), KEY_COUNTED);
	int result;

	if (IS_ERR(k))
		return (int)PTR_ERR(k);
	result = key_fill(k, payload, size);
	if (!result)
		result = keyring_link(ring, k);
	if (!result)
		result = k->serial;
	key_put(k);
	return result;
}

static int
add_locked(const struct key_ref *ring, const char *type_name, const char *description, const void *payload,
	   size_t size)
{
	const struct key_type *type = key_type_find(type_name);
	struct key_ref old = { NULL, ring->possessed };
	int error;

	if (!type)
		return -ENODEV;
	if (!ring->key->type->is_keyring)
		return -ENOTDIR;
	if (type->check_payload(payload, size) || !description)
		return -EINVAL;
	if (ring->key->closed)
		return -EPERM;
	if (type->updatable)
		old.key = keyring_find(ring->key, type, description);
	if (!old.key || old.key->revoked || old.key->invalid)
		return add_new(ring->key, type, description, payload, size);
	if (!key_permits(&old, current_cred(), KEY_MAY_WRITE))
		return -EACCES;
	error = update_locked(&old, payload, size);
	return error ? error : old.key->serial;
}

int
key_add(const char *type, const char *description, const void *payload, size_t size, int ring)
{
	struct key_ref r;
	int error = begin(ring, LOOKUP_MAKE, KEY_MAY_WRITE, &r);

	return error ? error : end(&r, add_locked(&r, type, description, payload, size));
}

/* Where a key goes that the caller asked for; with a reference. */
static int
default_ring(struct key_ref *out)
{
	const struct cred *c = current_cred();

	switch (c->default_keyring) {
	case KEY_DEFAULT_USER:
		return key_lookup(KEY_USER, 0, KEY_MAY_WRITE, out);
	case KEY_DEFAULT_USER_SESSION:
		return key_lookup(KEY_USER_SESSION, 0, KEY_MAY_WRITE, out);
	case KEY_DEFAULT_SESSION:
		return key_lookup(KEY_SESSION, 0, KEY_MAY_WRITE, out);
	}
	if (c->thread_keyring && c->default_keyring != KEY_DEFAULT_PROCESS)
		return key_lookup(KEY_THREAD, 0, KEY_MAY_WRITE, out);
	if (c->process_keyring)
		return key_lookup(KEY_PROCESS, 0, KEY_MAY_WRITE, out);
	return key_lookup(KEY_SESSION, 0, KEY_MAY_WRITE, out);
}

static int
link_checked(struct key *ring, struct key *k)
{
	int error = keyring_can_link(ring, k);

	return error ? error : keyring_link(ring, k);
}

/* Nobody makes the key: that is remembered for a while. */
static int
add_negative(const struct key_type *type, const char *description, const struct key_ref *dest)
{
	struct key_ref ring = { NULL, false };
	const struct cred *c;
	struct key *k;
	int error = dest->key ? 0 : default_ring(&ring);

	if (error)
		return error;
	c = current_cred(); /* no earlier: a ring that is found may have become the caller's, with new credentials */
	k = key_create(type, description, c->fsuid, c->fsgid, key_default_perm(type), KEY_COUNTED);
	if (IS_ERR(k)) {
		key_put(ring.key);
		return (int)PTR_ERR(k);
	}
	k->negative = true;
	k->user->made--;
	k->expiry = keys_now() + NEGATIVE_SECONDS;
	error = link_checked(dest->key ? dest->key : ring.key, k);
	key_put(k);
	key_put(ring.key);
	return error ? error : -ENOENT;
}

static int
request_locked(const char *type_name, const char *description, bool callout, const struct key_ref *dest)
{
	struct key_query q = { .cred = current_cred(), .type = key_type_find(type_name), .description = description,
			       .skip_expired = true };
	struct key_ref found;
	int error;

	if (!q.type)
		return -ENOKEY;
	q.hash = key_hash(q.type, description);
	error = key_search_all(&q, &found);
	if (error == -EAGAIN)
		return callout ? add_negative(q.type, description, dest) : -ENOKEY;
	if (!error && dest->key)
		error = key_permits(&found, current_cred(), KEY_MAY_LINK) ? link_checked(dest->key, found.key) : -EACCES;
	return error ? error : found.key->serial;
}

int
key_request(const char *type, const char *description, bool callout, int ring)
{
	struct key_ref dest = { NULL, false };
	int result = 0;

	key_session_inherit();
	keys_enter();
	if (ring)
		result = key_lookup(ring, LOOKUP_MAKE, KEY_MAY_WRITE, &dest);
	if (!result)
		result = request_locked(type, description, callout, &dest);
	else
		dest.key = NULL;
	return end(&dest, result);
}

int
key_keyring_id(int id, bool create)
{
	struct key_ref r;
	int error = begin(id, create ? LOOKUP_MAKE : 0, KEY_MAY_SEARCH, &r);

	return error ? error : end(&r, r.key->serial);
}

int
key_update(int id, const void *payload, size_t size)
{
	struct key_ref r;
	int error = begin(id, 0, KEY_MAY_WRITE, &r);

	return error ? error : end(&r, update_locked(&r, payload, size));
}

int
key_revoke(int id)
{
	struct key_ref r;
	int error = begin(id, 0, KEY_MAY_WRITE, &r);

	if (error == -EACCES)
		error = begin(id, 0, KEY_MAY_SET, &r);
	if (error)
		return error;
	key_mark_revoked(r.key);
	return end(&r, 0);
}

static bool
is_invalid(const struct key *k)
{
	return k->invalid;
}

int
key_invalidate(int id)
{
	struct key_ref r;
	struct key *k;
	int error = begin(id, 0, KEY_MAY_SEARCH, &r);

	if (error)
		return error;
	r.key->invalid = true;
	KEYS_EACH (k)
		keyring_prune(k, is_invalid);
	return end(&r, 0);
}

int
key_chown(int id, uid_t uid, gid_t gid)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_MAKE | LOOKUP_ANY, KEY_MAY_SET, &r);

	if (error)
		return error;
	if (uid == ID_INVALID)
		uid = r.key->uid;
	if (gid == ID_INVALID)
		gid = r.key->gid;
	if (!capable(CAP_SYS_ADMIN) &&
	    (uid != r.key->uid || (gid != r.key->gid && !cred_in_group(current_cred(), gid))))
		return end(&r, -EACCES);
	if (uid != r.key->uid)
		error = key_transfer(r.key, uid);
	if (!error) {
		r.key->uid = uid;
		r.key->gid = gid;
	}
	return end(&r, error);
}

int
key_set_permissions(int id, uint32_t perm)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_MAKE | LOOKUP_ANY, KEY_MAY_SET, &r);

	if (error)
		return error;
	if (!capable(CAP_SYS_ADMIN) && r.key->uid != current_cred()->fsuid)
		return end(&r, -EACCES);
	r.key->perm = perm;
	return end(&r, 0);
}

int
key_set_timeout(int id, uint32_t seconds)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_MAKE | LOOKUP_ANY, KEY_MAY_SET, &r);

	if (error)
		return error;
	r.key->expiry = seconds ? keys_now() + seconds : 0;
	return end(&r, 0);
}

int
key_clear(int id)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_MAKE, KEY_MAY_WRITE, &r);

	if (error)
		return error;
	if (!r.key->type->is_keyring)
		return end(&r, -ENOTDIR);
	keyring_empty(r.key);
	return end(&r, 0);
}

int
key_link(int id, int ring)
{
	struct key_ref to, r;
	int error = begin(ring, LOOKUP_MAKE, KEY_MAY_WRITE, &to);

	if (error)
		return error;
	error = key_lookup(id, LOOKUP_MAKE, KEY_MAY_LINK, &r);
	if (error)
		return end(&to, error);
	error = link_checked(to.key, r.key);
	key_put(r.key);
	return end(&to, error);
}

int
key_unlink(int id, int ring)
{
	struct key_ref from, r;
	int error = begin(ring, 0, KEY_MAY_WRITE, &from);

	if (error)
		return error;
	error = key_lookup(id, LOOKUP_ANY, NEED_UNCHECKED, &r);
	if (error)
		return end(&from, error);
	if (!from.key->type->is_keyring)
		error = -ENOTDIR;
	else if (!keyring_remove(from.key, r.key))
		error = -ENOENT;
	key_put(r.key);
	return end(&from, error);
}

static int
move_locked(struct key *k, struct key *from, struct key *to, bool exclusive)
{
	int error;

	if (from == to)
		return 0;
	if (!from->type->is_keyring || !to->type->is_keyring)
		return -ENOTDIR;
	if (!keyring_has(from, k))
		return -ENOENT;
	if (exclusive && keyring_find(to, k->type, k->description))
		return -EEXIST;
	error = link_checked(to, k);
	if (!error)
		(void)keyring_remove(from, k);
	return error;
}

int
key_move(int id, int from, int to, bool exclusive)
{
	struct key_ref k, a, b;
	int error = begin(id, LOOKUP_MAKE, KEY_MAY_LINK, &k);

	if (error)
		return error;
	error = key_lookup(from, 0, KEY_MAY_WRITE, &a);
	if (error)
		return end(&k, error);
	error = key_lookup(to, LOOKUP_MAKE, KEY_MAY_WRITE, &b);
	if (!error) {
		error = move_locked(k.key, a.key, b.key, exclusive);
		key_put(b.key);
	}
	key_put(a.key);
	return end(&k, error);
}

static int
search_locked(const struct key_ref *ring, const char *type, const char *description, const struct key_ref *dest)
{
	struct key_query q = { .cred = current_cred(), .type = key_type_find(type), .description = description };
	struct key_ref found;
	int error;

	if (!q.type)
		return -ENOKEY;
	q.hash = key_hash(q.type, description);
	error = keyring_search(ring, &q, &found);
	if (error)
		return error == -EAGAIN ? -ENOKEY : error;
	if (dest->key)
		error = key_permits(&found, current_cred(), KEY_MAY_LINK) ? link_checked(dest->key, found.key) : -EACCES;
	return error ? error : found.key->serial;
}

int
key_search(int ring, const char *type, const char *description, int to)
{
	struct key_ref r, dest = { NULL, false };
	int result = begin(ring, 0, KEY_MAY_SEARCH, &r);

	if (result)
		return result;
	if (to)
		result = key_lookup(to, LOOKUP_MAKE, KEY_MAY_WRITE, &dest);
	if (result)
		return end(&r, result);
	result = search_locked(&r, type, description, &dest);
	key_put(dest.key);
	return end(&r, result);
}

int
key_restrict(int ring)
{
	struct key_ref r;
	int error = begin(ring, 0, KEY_MAY_SET, &r);

	if (error)
		return error;
	if (!r.key->type->is_keyring)
		error = -ENOTDIR;
	else if (r.key->closed)
		error = -EEXIST;
	else
		r.key->closed = true;
	return end(&r, error);
}

/* The keyring that outlives a user's sessions, for some days since it was last asked for; in `to`. */
static int
persistent_locked(uid_t uid, struct key *to)
{
	struct key_user *u = key_user_find(uid);
	struct key_ref r;
	char name[32];
	int error;

	if (u && u->persistent && key_state(u->persistent)) {
		key_put(u->persistent);
		u->persistent = NULL;
	}
	if (!u || !u->persistent) {
		struct key *k;

		snprintf(name, sizeof(name), "_persistent.%u", uid_shown(uid));
		k = key_create(&key_type_keyring, name, uid, GID_NONE,
			       (KEY_MAY_ALL & ~KEY_MAY_SET) << 24 | (KEY_MAY_VIEW | KEY_MAY_READ) << 16, KEY_FREE);
		if (IS_ERR(k))
			return (int)PTR_ERR(k);
		u = k->user;
		u->persistent = k;
	}
	r = (struct key_ref){ u->persistent, true };
	if (!key_permits(&r, current_cred(), KEY_MAY_LINK))
		return -EACCES;
	error = link_checked(to, r.key);
	if (error)
		return error;
	r.key->expiry = keys_now() + (uint64_t)READ_ONCE(key_limits.persistent_expiry);
	return r.key->serial;
}

int
key_persistent(uid_t uid, int to)
{
	const struct cred *c = current_cred();
	struct key_ref r;
	int error;

	if (uid != c->uid && uid != c->euid && !capable_here(CAP_SETUID))
		return -EPERM;
	error = begin(to, LOOKUP_MAKE, KEY_MAY_WRITE, &r);
	if (error)
		return error;
	if (!r.key->type->is_keyring)
		return end(&r, -ENOTDIR);
	return end(&r, persistent_locked(uid, r.key));
}

int
key_may_view(int id)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_ANY, KEY_MAY_VIEW, &r);

	return error ? error : end(&r, 0);
}

int
key_describe(int id, char **out)
{
	struct key_ref r;
	int error = begin(id, LOOKUP_ANY, KEY_MAY_VIEW, &r);
	size_t size;

	if (error)
		return error;
	size = strlen(r.key->description) + 80;
	*out = kmalloc(size, 0);
	if (!*out)
		return end(&r, -ENOMEM);
	return end(&r, snprintf(*out, size, "%s;%d;%d;%08x;%s", r.key->type->name, (int)uid_shown(r.key->uid),
				(int)key_gid_shown(r.key), r.key->perm, r.key->description) + 1);
}

/* The numbers of a keyring's keys, or the payload. */
static void
copy_contents(const struct key *k, void *out, size_t size)
{
	if (!k->type->is_keyring) {
		memcpy(out, k->data, size);
		return;
	}
	for (size_t i = 0; i < size / sizeof(int); i++)
		((int *)out)[i] = k->links[i]->serial;
}

long
key_read(int id, size_t room, void **out)
{
	struct key_ref r;
	size_t size;
	int error = begin(id, 0, NEED_UNCHECKED, &r);

	*out = NULL;
	if (error)
		return error;
	if (r.key->negative)
		return end(&r, -ENOKEY);
	if (!key_permits(&r, current_cred(), KEY_MAY_READ) && !r.possessed)
		return end(&r, -EACCES);
	if (!r.key->type->readable)
		return end(&r, -EOPNOTSUPP);
	error = key_state(r.key);
	if (error)
		return end(&r, error);
	size = r.key->type->is_keyring ? r.key->link_count * sizeof(int) : r.key->size;
	if (size && size <= room) {
		*out = kmalloc(size, 0);
		if (!*out)
			return end(&r, -ENOMEM);
		copy_contents(r.key, *out, size);
	}
	return end(&r, (int)size);
}
