/* SPDX-License-Identifier: MIT */
/*
 * key.c - one key: its life, its quota, who may do what with it.
 *
 *   created --fill--> GOOD --revoke--> REVOKED --gc_delay--> taken out of all keyrings
 *      |                \--time------> EXPIRED --gc_delay--> the same
 *      \--(nobody makes it)--> NEGATIVE: stands in for a minute, so that nobody asks again
 *
 * An invalidated key is out of all keyrings at once. A key is found by its serial number as long as somebody holds a
 * reference: a link, a thread's credentials, a call in progress. key_put() is for any context: the last one only
 * puts the key on `dead`, and keys_enter() or a worker frees it, and what it linked to, one after the other, without
 * recursion.
 *
 * Quota: each user has a number of keys and of bytes; a key costs its name and its payload, a keyring its links.
 *
 * Locks: keys_lock, which holds nothing but memory locks and dead_lock.
 * Save: a key is its fields and, for a keyring, the serials of its links; credentials name theirs by serial.
 */
#include <tessera/continuation.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#include "keys.h"

#define PAYLOAD_MAX 32767

struct mutex keys_lock;                       /* class SLEEP_LEAF */
struct key_limits key_limits = { 200, 20000, 1000000, 25000000, 300, 259200 };

static struct rb_tree by_serial;              /* [K] of struct key */
static struct list users = LIST_INIT(users);  /* [K] */
static uint64_t next_sweep;                   /* [K] seconds */
static struct spinlock dead_lock = SPINLOCK_INIT(LEAF);
static struct list dead = LIST_INIT(dead);    /* [d] */
static struct continuation burial;

uint64_t
keys_now(void)
{
	return clock_realtime_ns() / NSEC_PER_SEC;
}

/* --- types ------------------------------------------------------------------------------------------ */

static int
check_bytes(const void *payload, size_t size)
{
	return size > 0 && size <= PAYLOAD_MAX && payload ? 0 : -EINVAL;
}

static int
check_nothing(const void *payload, size_t size)
{
	return size ? -EINVAL : 0;
}

/* "service:name". */
static int
check_qualified(const char *description)
{
	return *description != ':' && strchr(description, ':') ? 0 : -EINVAL;
}

const struct key_type key_type_keyring = {
	.name = "keyring", .is_keyring = true, .readable = true, .check_payload = check_nothing
};

static const struct key_type plain_types[] = {
	{ .name = "user", .readable = true, .updatable = true, .check_payload = check_bytes },
	{ .name = "logon", .updatable = true, .check_description = check_qualified, .check_payload = check_bytes },
};

const struct key_type *
key_type_find(const char *name)
{
	if (strcmp(name, key_type_keyring.name) == 0)
		return &key_type_keyring;
	for (size_t i = 0; i < ARRAY_SIZE(plain_types); i++)
		if (strcmp(name, plain_types[i].name) == 0)
			return &plain_types[i];
	return NULL;
}

uint32_t
key_default_perm(const struct key_type *type)
{
	uint32_t possessor = KEY_MAY_VIEW | KEY_MAY_SEARCH | KEY_MAY_LINK | KEY_MAY_SET;

	if (type->readable)
		possessor |= KEY_MAY_READ;
	if (type->is_keyring || type->updatable)
		possessor |= KEY_MAY_WRITE;
	return possessor << 24 | KEY_MAY_VIEW << 16;
}

uint32_t
key_hash(const struct key_type *type, const char *description)
{
	uint32_t h = (uint32_t)(uintptr_t)type * 2654435761u;

	for (; *description; description++)
		h = (h ^ (uint8_t)*description) * 16777619u;
	return h;
}

/* --- users and their quota -------------------------------------------------------------------------- */

struct key_user *
key_user_find(uid_t uid)
{
	struct key_user *u;

	assert_mutex_held(&keys_lock);
	list_for_each(u, &users, node)
		if (u->uid == uid)
			return u;
	return NULL;
}

struct key_user *
key_user_make(uid_t uid)
{
	struct key_user *u = key_user_find(uid);

	if (u)
		return u;
	u = kzalloc(sizeof(*u));
	if (!u)
		return NULL;
	u->uid = uid;
	list_add_tail(&users, &u->node);
	return u;
}

/* Who has no keys has no record. */
static void
user_forget(struct key_user *u)
{
	if (u->keys || u->keyring || u->session || u->persistent)
		return;
	list_del(&u->node);
	kfree(u);
}

void
key_users_visit(void (*fn)(void *ctx, const struct key_user *u), void *ctx)
{
	struct key_user *u;

	list_for_each(u, &users, node)
		fn(ctx, u);
}

static bool
has_room(const struct key_user *u, uint32_t keys, size_t bytes)
{
	uint64_t most_keys = (uint64_t)READ_ONCE(*(u->uid ? &key_limits.keys : &key_limits.root_keys));
	uint64_t most_bytes = (uint64_t)READ_ONCE(*(u->uid ? &key_limits.bytes : &key_limits.root_bytes));

	return u->quota_keys + keys <= most_keys && u->quota_bytes + bytes <= most_bytes;
}

int
key_charge(struct key *k, size_t size)
{
	size_t quota = k->quota - k->size + size;

	if (k->counted) {
		if (size > k->size && !has_room(k->user, 0, size - k->size))
			return -EDQUOT;
		k->user->quota_bytes += (uint32_t)(quota - k->quota);
	}
	k->quota = quota;
	k->size = size;
	return 0;
}

static void
user_leave(struct key *k)
{
	struct key_user *u = k->user;

	u->keys--;
	u->made -= !k->negative;
	if (k->counted) {
		u->quota_keys--;
		u->quota_bytes -= (uint32_t)k->quota;
	}
	user_forget(u);
}

static void
user_join(struct key *k, struct key_user *u)
{
	k->user = u;
	u->keys++;
	u->made += !k->negative;
	if (k->counted) {
		u->quota_keys++;
		u->quota_bytes += (uint32_t)k->quota;
	}
}

int
key_transfer(struct key *k, uid_t uid)
{
	struct key_user *to = key_user_make(uid);

	if (!to)
		return -ENOMEM;
	if (to == k->user) /* the key's owner and who pays for it may be two: key_cred_fsuid() */
		return 0;
	if (k->counted && !has_room(to, 1, k->quota)) {
		user_forget(to);
		return -EDQUOT;
	}
	user_leave(k);
	user_join(k, to);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------------- */

/* No trace of it is to be left in memory that others get. */
static void
drop_payload(struct key *k)
{
	if (k->data)
		memset(k->data, 0, k->size);
	kfree(k->data);
	k->data = NULL;
	(void)key_charge(k, 0);
}

static void
bury_locked(struct key *k)
{
	rb_erase(&by_serial, &k->node);
	if (k->type->is_keyring)
		keyring_empty(k);
	else
		drop_payload(k);
	user_leave(k);
	kfree(k->links);
	kfree(k->description);
	kfree(k);
}

/* Free what nobody refers to; a keyring's links may join the queue behind it. */
static void
bury_all_locked(void)
{
	struct key *k;
	uint64_t flags;

	for (;;) {
		flags = spin_lock_irq(&dead_lock);
		k = list_first(&dead, struct key, dead_node);
		if (k)
			list_del(&k->dead_node);
		spin_unlock_irq(&dead_lock, flags);
		if (!k)
			break;
		bury_locked(k);
	}
}

static void
bury(struct continuation *c)
{
	mutex_lock(&keys_lock);
	bury_all_locked();
	mutex_unlock(&keys_lock);
}

void
key_get(struct key *k)
{
	if (k)
		ref_get(&k->refs);
}

void
key_put(struct key *k)
{
	uint64_t flags;

	if (!k || !ref_put(&k->refs))
		return;
	flags = spin_lock_irq(&dead_lock);
	list_add_tail(&dead, &k->dead_node);
	spin_unlock_irq(&dead_lock, flags);
	continuation_run(&burial);
}

static bool
is_over(const struct key *k)
{
	uint64_t now = keys_now(), delay = (uint64_t)READ_ONCE(key_limits.gc_delay);

	return k->invalid || (k->revoked && k->dead_since + delay <= now) || (k->expiry && k->expiry + delay <= now);
}

static void
drop_if_over(struct key **slot)
{
	if (*slot && is_over(*slot)) {
		key_put(*slot);
		*slot = NULL;
	}
}

/* Take what has been dead for long out of all keyrings, about once a minute. */
static void
sweep_locked(void)
{
	struct key_user *u;
	struct key *k;

	if (keys_now() < next_sweep)
		return;
	next_sweep = keys_now() + 60;
	KEYS_EACH (k)
		keyring_prune(k, is_over);
	list_for_each(u, &users, node) {
		drop_if_over(&u->keyring);
		drop_if_over(&u->session);
		drop_if_over(&u->persistent);
	}
}

void
keys_enter(void)
{
	mutex_lock(&keys_lock);
	sweep_locked();
	bury_all_locked();
}

void
keys_leave(void)
{
	bury_all_locked();
	mutex_unlock(&keys_lock);
}

/* An unused number, as little to be guessed as Linux's. */
static void
number_key(struct key *k)
{
	struct rb_node **link, *parent;

	do {
		k->serial = (int)(3 + random_below(0x7ffffffc));
		link = &by_serial.root;
		parent = NULL;
		while (*link && rb_entry(*link, struct key, node)->serial != k->serial) {
			parent = *link;
			link = k->serial < rb_entry(parent, struct key, node)->serial ? &parent->left : &parent->right;
		}
	} while (*link);
	rb_insert(&by_serial, &k->node, parent, link);
}

struct key *
key_create(const struct key_type *type, const char *description, uid_t uid, gid_t gid, uint32_t perm,
	   enum key_quota quota)
{
	struct key_user *u;
	struct key *k;
	size_t cost;

	assert_mutex_held(&keys_lock);
	if (!*description || (type->check_description && type->check_description(description)))
		return ERR_PTR(-EINVAL);
	cost = strlen(description) + 1;
	u = key_user_make(uid);
	if (!u)
		return ERR_PTR(-ENOMEM);
	if (quota == KEY_COUNTED && !has_room(u, 1, cost)) {
		user_forget(u);
		return ERR_PTR(-EDQUOT);
	}
	k = kzalloc(sizeof(*k));
	if (!k) {
		user_forget(u);
		return ERR_PTR(-ENOMEM);
	}
	ref_init(&k->refs);
	k->type = type;
	k->description = kstrdup(description);
	if (!k->description) {
		user_forget(u);
		kfree(k);
		return ERR_PTR(-ENOMEM);
	}
	number_key(k);
	k->hash = key_hash(type, description);
	k->namespace = current_cred()->user_ns->ns.number;
	k->uid = uid;
	k->gid = gid;
	k->perm = perm;
	k->counted = quota != KEY_FREE;
	k->quota = cost;
	user_join(k, u);
	return k;
}

int
key_fill(struct key *k, const void *payload, size_t size)
{
	size_t old_size = k->size;
	void *data, *old = k->data;
	int error;

	if (!k->type->is_keyring) {
		data = kmemdup(payload, size);
		if (!data)
			return -ENOMEM;
		error = key_charge(k, size);
		if (error) {
			kfree(data);
			return error;
		}
		if (old)
			memset(old, 0, old_size);
		kfree(old);
		k->data = data;
	}
	k->user->made += k->negative;
	k->negative = false;
	k->expiry = 0;
	return 0;
}

void
key_mark_revoked(struct key *k)
{
	if (k->revoked)
		return;
	k->revoked = true;
	k->dead_since = keys_now();
	if (k->type->is_keyring)
		keyring_empty(k);
	else
		drop_payload(k);
}

int
key_state(const struct key *k)
{
	if (k->invalid)
		return -ENOKEY;
	if (k->revoked)
		return -EKEYREVOKED;
	return k->expiry && keys_now() >= k->expiry ? -EKEYEXPIRED : 0;
}

gid_t
key_gid_shown(const struct key *k)
{
	return k->gid == GID_NONE ? ID_OVERFLOW : gid_shown(k->gid);
}

/* As the permissions say: of the user, else the group, else others, and beside that of who possesses it. */
bool
key_permits(const struct key_ref *r, const struct cred *c, uint32_t need)
{
	const struct key *k = r->key;
	uint32_t may;

	if (k->uid == c->fsuid)
		may = k->perm >> 16;
	else if (k->gid != GID_NONE && (k->perm & KEY_MAY_ALL << 8) && cred_in_group(c, k->gid))
		may = k->perm >> 8;
	else
		may = k->perm;
	if (r->possessed)
		may |= k->perm >> 24;
	return (may & need) == need;
}

struct key *
key_next(int from)
{
	struct key *next = NULL;

	for (struct rb_node *n = by_serial.root; n;) {
		struct key *k = rb_entry(n, struct key, node);

		if (k->serial >= from)
			next = k;
		n = k->serial > from ? n->left : k->serial < from ? n->right : NULL;
	}
	return next;
}

struct key *
key_find(int serial)
{
	struct key *k = key_next(serial);

	assert_mutex_held(&keys_lock);
	return k && k->serial == serial && ref_get_unless_zero(&k->refs) ? k : NULL;
}

void
key_init(void)
{
	mutex_init(&keys_lock, LOCK_SLEEP_LEAF);
	continuation_init(&burial, bury);
}
