/* SPDX-License-Identifier: MIT */
/*
 * process_keys.c - the keyrings that belong to a thread, a process, a session, a user.
 *
 * The first three hang off credentials: a thread's copy of them has a reference to each. Threads that a thread makes
 * share its process keyring from then on, a new process has none; the session's goes on to every child. Who has no
 * session keyring uses his user's, until he asks for one to be made. To possess a key is to find it from these three
 * by links that may be searched.
 *
 * Credentials never change in place: a keyring is put into a copy, which is installed.
 *
 * keyctl's SESSION_TO_PARENT leaves a keyring at the parent (process->session_left), who takes it the next time it
 * calls here or forks: nobody can see the difference.
 */
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/string.h>

#include "keys.h"

#define POSSESSOR(may) ((uint32_t)(may) << 24)
#define USER(may)      ((uint32_t)(may) << 16)

/* --- credentials ------------------------------------------------------------------------------------ */

void
key_cred_copied(struct cred *c)
{
	key_get(c->thread_keyring);
	key_get(c->process_keyring);
	key_get(c->session_keyring);
}

void
key_cred_put(struct cred *c)
{
	key_put(c->thread_keyring);
	key_put(c->process_keyring);
	key_put(c->session_keyring);
}

void
key_cred_new_process(struct cred *c)
{
	key_put(c->thread_keyring);
	key_put(c->process_keyring);
	c->thread_keyring = c->process_keyring = NULL;
}

bool
key_cred_is_private(const struct cred *c, bool thread)
{
	return c->thread_keyring || (!thread && c->process_keyring);
}

static struct key *
create_own(const char *name, const struct cred *c, uint32_t perm, enum key_quota quota)
{
	return key_create(&key_type_keyring, name, c->uid, c->gid, perm, quota);
}

static struct key *
create_private(const char *name, const struct cred *c)
{
	return create_own(name, c, POSSESSOR(KEY_MAY_ALL) | USER(KEY_MAY_VIEW), KEY_OVERRUN);
}

int
key_cred_new_thread(struct cred *c)
{
	struct key *k;

	if (!c->thread_keyring)
		return 0;
	keys_enter();
	k = create_private("_tid", c);
	keys_leave();
	if (IS_ERR(k))
		return (int)PTR_ERR(k);
	key_put(c->thread_keyring);
	c->thread_keyring = k;
	return 0;
}

void
key_cred_fsuid(struct cred *c)
{
	if (!c->thread_keyring)
		return;
	keys_enter();
	c->thread_keyring->uid = c->fsuid;
	keys_leave();
}

enum own { OWN_THREAD, OWN_PROCESS, OWN_SESSION };

static struct key **
slot_of(struct cred *c, enum own which)
{
	return which == OWN_THREAD ? &c->thread_keyring : which == OWN_PROCESS ? &c->process_keyring : &c->session_keyring;
}

/* Make `k` the caller's; takes over the reference, also on error. */
static int
install(enum own which, struct key *k)
{
	struct cred *c;

	if (IS_ERR(k))
		return (int)PTR_ERR(k);
	c = cred_copy(current_cred());
	if (!c) {
		key_put(k);
		return -ENOMEM;
	}
	key_put(*slot_of(c, which));
	*slot_of(c, which) = k;
	cred_install(c);
	return 0;
}

void
key_session_inherit(void)
{
	struct process *p = current_process();
	struct key *left;

	if (!p || !atomic_load_relaxed(&p->session_left))
		return;
	left = atomic_exchange(&p->session_left, NULL);
	if (left)
		(void)install(OWN_SESSION, left); /* without memory it keeps what it has */
}

int
key_set_default(int where)
{
	int old = current_cred()->default_keyring, error = 0;
	struct key_ref r;
	struct cred *c;

	if (where == -1)
		return old;
	if (where < KEY_DEFAULT || where >= KEY_DEFAULT_GROUP)
		return -EINVAL;
	if (where == KEY_DEFAULT_THREAD || where == KEY_DEFAULT_PROCESS) {
		keys_enter();
		error = key_lookup(where == KEY_DEFAULT_THREAD ? KEY_THREAD : KEY_PROCESS, LOOKUP_MAKE,
				   NEED_UNCHECKED, &r);
		if (!error)
			key_put(r.key);
		keys_leave();
	}
	c = error ? NULL : cred_copy(current_cred());
	if (!c)
		return error ? error : -ENOMEM;
	c->default_keyring = (uint8_t)where;
	cred_install(c);
	return old;
}

/* --- users ------------------------------------------------------------------------------------------ */

static struct key *
create_for_user(const char *prefix, uid_t uid)
{
	char name[24];

	snprintf(name, sizeof(name), "%s.%u", prefix, uid_shown(uid));
	return key_create(&key_type_keyring, name, uid, GID_NONE,
			  POSSESSOR(KEY_MAY_ALL & ~KEY_MAY_SET) | USER(KEY_MAY_ALL), KEY_COUNTED);
}

/* A user has two keyrings, of which the one for sessions holds the other. They are made when first asked for. */
int
key_user_keyrings(uid_t uid, struct key_user **out)
{
	struct key_user *u = key_user_find(uid);
	struct key *own, *session;
	int error;

	*out = u;
	if (u && u->keyring && u->session && !u->keyring->invalid && !u->session->invalid)
		return 0;
	own = create_for_user("_uid", uid);
	if (IS_ERR(own))
		return (int)PTR_ERR(own);
	session = create_for_user("_uid_ses", uid);
	error = IS_ERR(session) ? (int)PTR_ERR(session) : keyring_link(session, own);
	if (error) {
		key_put(own);
		if (!IS_ERR(session))
			key_put(session);
		return error;
	}
	u = own->user;
	key_put(u->keyring);
	key_put(u->session);
	u->keyring = own;
	u->session = session;
	*out = u;
	return 0;
}

/* --- searches and numbers --------------------------------------------------------------------------- */

/* What a search of one more of the caller's keyrings said, beside what the others did. */
static bool
settle(int answer, int *quiet, int *loud)
{
	if (answer == -ENOKEY || (answer == -EAGAIN && !*quiet))
		*quiet = answer;
	else if (answer != -EAGAIN)
		*loud = answer;
	return answer == 0;
}

int
key_search_all(struct key_query *q, struct key_ref *out)
{
	const struct cred *c = q->cred;
	struct key *session = c->session_keyring;
	struct key *const own[] = { c->thread_keyring, c->process_keyring };
	int quiet = 0, loud = -EAGAIN;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		struct key_ref r = { own[i], true };

		if (own[i] && settle(keyring_search(&r, q, out), &quiet, &loud))
			return 0;
	}
	if (!session) {
		struct key_user *u = key_user_find(c->uid);

		session = u ? u->session : NULL;
	}
	if (session) {
		struct key_ref r = { session, true };

		if (settle(keyring_search(&r, q, out), &quiet, &loud))
			return 0;
	}
	return quiet ? quiet : loud;
}

static int
make_own(enum own which, const struct cred *c)
{
	switch (which) {
	case OWN_THREAD:
		return install(which, create_private("_tid", c));
	case OWN_PROCESS:
		return install(which, create_private("_pid", c));
	default:
		return install(which, create_own("_ses", c,
			POSSESSOR(KEY_MAY_ALL) | USER(KEY_MAY_VIEW | KEY_MAY_READ),
			c->session_keyring ? KEY_COUNTED : KEY_OVERRUN));
	}
}

/* The session keyring: what there is, or the user's, which who wants to write to it does not get. */
static int
lookup_session(bool make)
{
	const struct cred *c = current_cred();
	struct key_user *u = key_user_find(c->uid);
	int error;

	if (c->session_keyring && (!make || !u || c->session_keyring != u->session))
		return 0;
	error = key_user_keyrings(c->uid, &u);
	if (error)
		return error;
	if (make)
		return make_own(OWN_SESSION, c);
	key_get(u->session);
	return install(OWN_SESSION, u->session);
}

/* One of the caller's own, borrowed. */
static int
lookup_own(int id, bool make, struct key **out)
{
	enum own which = id == KEY_THREAD ? OWN_THREAD : id == KEY_PROCESS ? OWN_PROCESS : OWN_SESSION;
	struct key_user *u;
	int error = 0;

	switch (id) {
	case KEY_THREAD:
	case KEY_PROCESS:
		if (!*slot_of((struct cred *)current_cred(), which))
			error = make ? make_own(which, current_cred()) : -ENOKEY;
		break;
	case KEY_SESSION:
		error = lookup_session(make);
		break;
	case KEY_USER:
	case KEY_USER_SESSION:
		error = key_user_keyrings(current_cred()->uid, &u);
		if (!error)
			*out = id == KEY_USER ? u->keyring : u->session;
		return error;
	case KEY_AUTHORITY:
	case KEY_REQUESTOR:
		return -ENOKEY;
	default:
		return -EINVAL;
	}
	if (!error)
		*out = *slot_of((struct cred *)current_cred(), which);
	return error;
}

static int
check(const struct key_ref *r, unsigned int flags, uint32_t need)
{
	int state;

	if (need == NEED_UNCHECKED)
		return 0;
	if (r->key->negative && !(flags & LOOKUP_ANY))
		return -ENOKEY;
	state = key_state(r->key);
	if (state)
		return state;
	return key_permits(r, current_cred(), need) ? 0 : -EACCES;
}

int
key_lookup(int id, unsigned int flags, uint32_t need, struct key_ref *out)
{
	int error;

	assert_mutex_held(&keys_lock);
	*out = (struct key_ref){ NULL, id < 0 };
	if (id <= 0) {
		error = id ? lookup_own(id, flags & LOOKUP_MAKE, &out->key) : -EINVAL;
		if (error)
			return error;
		key_get(out->key);
	} else {
		struct key_query q = { .cred = current_cred() };
		struct key_ref found;

		out->key = key_find(id);
		if (!out->key)
			return -ENOKEY;
		q.exactly = out->key;
		out->possessed = key_search_all(&q, &found) == 0;
	}
	error = check(out, flags, need);
	if (error)
		key_put(out->key);
	return error;
}

/* A named keyring of the caller's namespace that he may search, with a reference; NULL. */
static struct key *
find_named(const char *name)
{
	uint64_t namespace = current_cred()->user_ns->ns.number;
	struct key *k;

	KEYS_EACH (k) {
		struct key_ref r = { k, false };

		if (k->type->is_keyring && k->namespace == namespace && !k->revoked && *name != '.' &&
		    strcmp(k->description, name) == 0 && key_permits(&r, current_cred(), KEY_MAY_SEARCH) &&
		    ref_get_unless_zero(&k->refs))
			return k;
	}
	return NULL;
}

int
key_join_session(const char *name)
{
	const struct cred *c;
	struct key *k;
	int serial;

	key_session_inherit();
	c = current_cred();
	keys_enter();
	if (!name) {
		serial = make_own(OWN_SESSION, c);
		goto leave;
	}
	k = find_named(name);
	if (k && k == c->session_keyring) {
		key_put(k);
		keys_leave();
		return 0;
	}
	if (!k)
		k = create_own(name, c, POSSESSOR(KEY_MAY_ALL) | USER(KEY_MAY_VIEW | KEY_MAY_READ | KEY_MAY_LINK),
			       KEY_COUNTED);
	serial = install(OWN_SESSION, k);
leave:
	if (!serial)
		serial = current_cred()->session_keyring->serial;
	keys_leave();
	return serial;
}

/* With a reference; NULL: none. */
static struct process *
get_parent(void)
{
	struct process *p;

	spin_lock(&process_tree_lock);
	p = current_process()->parent;
	if (p)
		process_get(p);
	spin_unlock(&process_tree_lock);
	return p;
}

/* May the caller's session keyring become the parent's? 1: yes, 0: it is already. */
static int
may_give(struct process *parent, const struct key *session)
{
	const struct cred *c = current_cred();
	struct cred *theirs;
	int answer = -EPERM;

	if (parent->pid <= 1 || READ_ONCE(parent->thread_count) != 1)
		return -EPERM;
	theirs = process_thread_cred(parent, NULL);
	if (!theirs)
		return -EPERM;
	if (theirs->session_keyring == session)
		answer = 0;
	else if (theirs->uid == c->euid && theirs->euid == c->euid && theirs->suid == c->euid &&
		 theirs->gid == c->egid && theirs->egid == c->egid && theirs->sgid == c->egid &&
		 session->uid == c->euid && (!theirs->session_keyring || theirs->session_keyring->uid == c->euid))
		answer = 1;
	cred_put(theirs);
	return answer;
}

int
key_session_to_parent(void)
{
	struct process *parent;
	struct key_ref r;
	int error;

	key_session_inherit();
	keys_enter();
	error = key_lookup(KEY_SESSION, 0, KEY_MAY_LINK, &r);
	if (error)
		goto leave;
	parent = get_parent();
	error = parent ? may_give(parent, r.key) : -EPERM;
	if (error > 0) {
		key_put(atomic_exchange(&parent->session_left, r.key));
		error = 0;
	} else {
		key_put(r.key);
	}
	if (parent)
		process_put(parent);
leave:
	keys_leave();
	return error;
}
