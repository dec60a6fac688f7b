/* SPDX-License-Identifier: MIT */
/*
 * keys.h - keys and keyrings: keyrings(7). What programs keep in the kernel beside their memory.
 *
 * A key is named by its serial number, or by one of the special numbers for the caller's own keyrings. Every
 * function here resolves the numbers itself and checks what the caller may do.
 */
#ifndef TESSERA_KEYS_H
#define TESSERA_KEYS_H

#include <tessera/types.h>

struct cred;
struct key;
struct text;

/* The caller's own. */
#define KEY_THREAD       -1
#define KEY_PROCESS      -2
#define KEY_SESSION      -3
#define KEY_USER         -4
#define KEY_USER_SESSION -5
#define KEY_GROUP        -6
#define KEY_AUTHORITY    -7 /* of who makes a requested key: nobody's here */
#define KEY_REQUESTOR    -8

/* What may be done, one byte each for the possessor, the user, the group and others. */
#define KEY_MAY_VIEW   0x01u
#define KEY_MAY_READ   0x02u
#define KEY_MAY_WRITE  0x04u
#define KEY_MAY_SEARCH 0x08u
#define KEY_MAY_LINK   0x10u
#define KEY_MAY_SET    0x20u
#define KEY_MAY_ALL    0x3fu
#define KEY_PERM_ALL   0x3f3f3f3fu

/* Where requested keys go when nothing is said: cred->default_keyring. */
enum key_default {
	KEY_DEFAULT,
	KEY_DEFAULT_THREAD,
	KEY_DEFAULT_PROCESS,
	KEY_DEFAULT_SESSION,
	KEY_DEFAULT_USER,
	KEY_DEFAULT_USER_SESSION,
	KEY_DEFAULT_GROUP,
};

#define KEY_TYPE_MAX        32
#define KEY_DESCRIPTION_MAX 4096

/* All: a serial number, 0 or an errno. */
int key_add(const char *type, const char *description, const void *payload, size_t size, int ring);
/* Search what the caller has; a key that is found is linked to `ring` (0: to none). `callout`: make one if there is
 * none, which here fails as without /sbin/request-key: -ENOENT, and a negative key stays for a minute. */
int key_request(const char *type, const char *description, bool callout, int ring);
int key_keyring_id(int id, bool create);
int key_join_session(const char *name); /* NULL: a new one without a name */
int key_session_to_parent(void);
int key_update(int id, const void *payload, size_t size);
int key_revoke(int id);
int key_invalidate(int id);
int key_chown(int id, uid_t uid, gid_t gid); /* ID_INVALID: stays */
int key_set_permissions(int id, uint32_t perm);
int key_set_timeout(int id, uint32_t seconds);
int key_clear(int id);
int key_link(int id, int ring);
int key_unlink(int id, int ring);
int key_move(int id, int from, int to, bool exclusive);
int key_search(int ring, const char *type, const char *description, int to);
int key_restrict(int ring);
int key_set_default(int where); /* the old one */
int key_persistent(uid_t uid, int to);
int key_may_view(int id);
/* "type;uid;gid;perm;description", kfree it; its length with the NUL. */
int key_describe(int id, char **out);
/* What the key holds, up to `room` bytes of it into a new buffer, kfree it; how much it is. */
long key_read(int id, size_t room, void **out);

/* --- credentials carry references to keyrings ------------------------------------------------------ */

void key_get(struct key *k); /* NULL is fine */
void key_put(struct key *k); /* any context; NULL is fine */
void key_cred_copied(struct cred *c);        /* a copy: it holds references of its own */
void key_cred_put(struct cred *c);
void key_cred_new_process(struct cred *c);   /* `c` is to be another process's or program's: no thread or process keyring */
bool key_cred_is_private(const struct cred *c, bool thread); /* has what a new process (or thread) must not get */
int key_cred_new_thread(struct cred *c);     /* a thread keyring of its own if the parent has one */
void key_cred_fsuid(struct cred *c);         /* c->fsuid has changed: the thread keyring goes with it */
void key_session_inherit(void);              /* before a fork: take what key_session_to_parent() left */

void key_init(void);
void key_show_all(struct text *t);           /* /proc/keys: what the caller may view */
void key_show_users(struct text *t);         /* /proc/key-users */
void key_dump(void);                         /* to the log; no locks */

/* [a] /proc/sys/kernel/keys */
extern struct key_limits {
	int keys, bytes, root_keys, root_bytes, gc_delay, persistent_expiry;
} key_limits;

#endif
