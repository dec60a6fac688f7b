/* SPDX-License-Identifier: MIT */
/*
 * keys.h - what the files of this room share.
 */
#ifndef TESSERA_KEYS_KEYS_H
#define TESSERA_KEYS_KEYS_H

#include <tessera/atomic.h>
#include <tessera/cred.h>
#include <tessera/keys.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/rbtree.h>

#define KEYRING_DEPTH 6    /* keyrings in keyrings that a search enters */
#define LINK_BYTES    4    /* of quota for each link */
#define GID_NONE      UINT32_MAX

struct key_type {
	const char *name;
	bool is_keyring;
	bool readable, updatable;
	/* 0 or -EINVAL. Empty: everything but the empty one is fine. */
	int (*check_description)(const char *description);
	int (*check_payload)(const void *payload, size_t size);
};

/* [K] keys_lock (class SLEEP_LEAF) */
struct key_user {
	struct list node;           /* [K] in users */
	uid_t uid;                  /* [I] */
	uint32_t keys, made;        /* [K] all, and those that are not negative */
	uint32_t quota_keys, quota_bytes; /* [K] of those that count */
	struct key *keyring, *session, *persistent; /* [K] references */
};

/* [I] immutable  [K] keys_lock  [d] dead_lock */
struct key {
	struct refcount refs;       /* links, credentials, users; calls in progress */
	struct rb_node node;        /* [K] in by_serial */
	int serial;                 /* [I] */
	const struct key_type *type; /* [I] */
	char *description;          /* [I] */
	uint32_t hash;              /* [I] of type and description */
	uint64_t namespace;         /* [I] number of the maker's user namespace: whose named keyring it is */
	struct key_user *user;      /* [K] */
	uid_t uid;                  /* [K] */
	gid_t gid;                  /* [K] */
	uint32_t perm;              /* [K] */
	bool revoked, invalid;      /* [K] */
	bool negative;              /* [K] stands for "there is none" */
	bool counted;               /* [K] in its user's quota */
	bool closed;                /* [K] keyring: takes no links any more */
	uint64_t expiry;            /* [K] seconds of the real clock; 0: never */
	uint64_t dead_since;        /* [K] revoked: when */
	size_t size;                /* [K] of data; a keyring's is what its links cost */
	size_t quota;               /* [K] bytes charged, if counted */
	void *data;                 /* [K] owned */
	struct key **links;         /* [K] keyring: references */
	uint32_t link_count, link_room; /* [K] */
	struct list dead_node;      /* [d] after the last reference */
};

/* A key and how the caller came to it. The reference is the holder's. */
struct key_ref {
	struct key *key;
	bool possessed;
};

/* key.c */
extern struct mutex keys_lock;
extern const struct key_type key_type_keyring;
const struct key_type *key_type_find(const char *name); /* NULL: none */
/* Lock, and do first what was left to do. */
void keys_enter(void);
void keys_leave(void);
uint64_t keys_now(void);
enum key_quota { KEY_COUNTED, KEY_OVERRUN, KEY_FREE };
/* With one reference, or ERR_PTR: -EINVAL, -ENOMEM, -EDQUOT. */
struct key *key_create(const struct key_type *type, const char *description, uid_t uid, gid_t gid, uint32_t perm,
		       enum key_quota quota);
int key_fill(struct key *k, const void *payload, size_t size); /* -EDQUOT, -ENOMEM */
int key_charge(struct key *k, size_t size);                  /* its data is to be of this size: -EDQUOT */
int key_state(const struct key *k);                          /* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
bool key_permits(const struct key_ref *r, const struct cred *c, uint32_t need);
gid_t key_gid_shown(const struct key *k);                     /* to the caller */
uint32_t key_hash(const struct key_type *type, const char *description);
struct key *key_find(int serial);                            /* with a reference; NULL */
/* The key of the lowest number from `from` on, borrowed; NULL: none. It may have lost its last reference. */
struct key *key_next(int from);
#define KEYS_EACH(k) for ((k) = key_next(1); (k); (k) = (k)->serial < INT32_MAX ? key_next((k)->serial + 1) : NULL)
struct key_user *key_user_find(uid_t uid);                   /* NULL: he has no keys */
struct key_user *key_user_make(uid_t uid);                   /* NULL: no memory. Goes with his last key */
void key_users_visit(void (*fn)(void *ctx, const struct key_user *u), void *ctx);
int key_transfer(struct key *k, uid_t uid);                  /* the quota's owner: -EDQUOT, -ENOMEM */
void key_mark_revoked(struct key *k);
uint32_t key_default_perm(const struct key_type *type);

/* keyring.c */
struct key *keyring_find(const struct key *ring, const struct key_type *type, const char *description);
int keyring_can_link(struct key *ring, struct key *k); /* cycles, depth, -EPERM when it is closed */
int keyring_link(struct key *ring, struct key *k);     /* replaces one of the same name; -EDQUOT, -ENOMEM */
bool keyring_has(const struct key *ring, const struct key *k);
bool keyring_remove(struct key *ring, struct key *k);
void keyring_empty(struct key *ring);
void keyring_prune(struct key *ring, bool (*gone)(const struct key *k));

struct key_query {
	const struct cred *cred;
	const struct key_type *type;
	const char *description;
	uint32_t hash;
	const struct key *exactly;   /* this very key, in whatever state; NULL: any */
	bool skip_expired;           /* as if they were not there */
	bool unchecked;              /* permissions are not asked: for cycles */
	bool too_deep;               /* set: something lies below what is looked at */
};
/* Below and including `ring`: *out borrowed. -EAGAIN: none; -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED, -EACCES: there is one. */
int keyring_search(const struct key_ref *ring, struct key_query *q, struct key_ref *out);

/* process_keys.c */
#define LOOKUP_MAKE    BIT(0) /* the caller's own keyrings are made when they are missing */
#define LOOKUP_ANY     BIT(1) /* a negative key will do */
#define NEED_NOTHING   0u          /* alive, that is all */
#define NEED_UNCHECKED 0x100u      /* the caller looks at state and permissions himself */
int key_lookup(int id, unsigned int flags, uint32_t need, struct key_ref *out); /* *out has a reference */
int key_search_all(struct key_query *q, struct key_ref *out);                    /* borrowed */
int key_user_keyrings(uid_t uid, struct key_user **out);

#endif
