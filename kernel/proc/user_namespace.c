/* SPDX-License-Identifier: MIT */
/*
 * user_namespace.c - users with numbers of their own, and capabilities that reach no further.
 *
 * The kernel knows users by the numbers of the first namespace. A namespace maps ranges of its own numbers to
 * those, so a map written relative to the parent is translated once, when it is written. Who makes a
 * namespace, and lives in its parent, has all capabilities over it; who lives in it has those of its sets.
 *
 * Maps are written once: extents first, then (1) count with release order; readers (2) load count first.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/slab.h>

#include "proc.h"

int user_namespaces_for_all = 1;

static struct id_extent identity = { 0, 0, UINT32_MAX };

struct user_namespace init_user_namespace = {
	.ns = { .refs = { 1 }, .kind = NAMESPACE_USER, .number = 0xeffffffd },
	.uids = { 1, &identity },
	.gids = { 1, &identity },
};

/* --- maps ------------------------------------------------------------------------------------- */

uint32_t
id_map_in(const struct user_namespace *ns, const struct id_map *m, uint32_t id)
{
	uint32_t n;

	if (ns == &init_user_namespace)
		return id;
	n = atomic_load(&m->count); /* (2) */
	for (uint32_t i = 0; i < n; i++)
		if (id >= m->extents[i].inside && id - m->extents[i].inside < m->extents[i].count)
			return m->extents[i].outside + (id - m->extents[i].inside);
	return ID_INVALID;
}

uint32_t
id_map_out(const struct user_namespace *ns, const struct id_map *m, uint32_t id)
{
	uint32_t n;

	if (ns == &init_user_namespace)
		return id;
	n = atomic_load(&m->count); /* (2) */
	for (uint32_t i = 0; i < n; i++)
		if (id >= m->extents[i].outside && id - m->extents[i].outside < m->extents[i].count)
			return m->extents[i].inside + (id - m->extents[i].outside);
	return ID_INVALID;
}

static struct user_namespace *
here(void)
{
	return current_cred()->user_ns;
}

uid_t
uid_from_user(uid_t uid)
{
	return id_map_in(here(), &here()->uids, uid);
}

gid_t
gid_from_user(gid_t gid)
{
	return id_map_in(here(), &here()->gids, gid);
}

uid_t
uid_shown_in(const struct user_namespace *ns, uid_t uid)
{
	uint32_t id = id_map_out(ns, &ns->uids, uid);

	return id == ID_INVALID && ns != &init_user_namespace ? ID_OVERFLOW : id;
}

uid_t
uid_shown(uid_t uid)
{
	return uid_shown_in(here(), uid);
}

gid_t
gid_shown(gid_t gid)
{
	const struct user_namespace *ns = here();
	uint32_t id = id_map_out(ns, &ns->gids, gid);

	return id == ID_INVALID && ns != &init_user_namespace ? ID_OVERFLOW : id;
}

bool
setgroups_allowed(const struct user_namespace *ns)
{
	return atomic_load(&ns->gids.count) != 0 && !READ_ONCE(ns->no_setgroups);
}

/* --- capabilities ----------------------------------------------------------------------------- */

bool
cred_capable_in(const struct cred *c, const struct user_namespace *ns, int cap)
{
	for (;;) {
		const struct user_namespace *parent = ns->ns.owner;

		if (ns == c->user_ns)
			return c->cap_effective & BIT(cap);
		if (ns->level <= c->user_ns->level)
			return false;
		if (parent == c->user_ns && ns->creator == c->euid)
			return true;
		ns = parent;
	}
}

bool
capable_in(const struct user_namespace *ns, int cap)
{
	return cred_capable_in(current_cred(), ns, cap);
}

bool
capable_here(int cap)
{
	return current_cred()->cap_effective & BIT(cap);
}

bool
inode_capable(const struct inode *i, int cap)
{
	const struct cred *c = current_cred();
	const struct user_namespace *ns = c->user_ns;

	if (!(c->cap_effective & BIT(cap)))
		return false;
	return ns == &init_user_namespace || (id_map_out(ns, &ns->uids, i->uid) != ID_INVALID &&
					      id_map_out(ns, &ns->gids, i->gid) != ID_INVALID);
}

bool
user_namespace_is_inside(const struct user_namespace *ns, const struct user_namespace *of)
{
	while (ns->level > of->level)
		ns = ns->ns.owner;
	return ns == of;
}

/* --- birth ------------------------------------------------------------------------------------ */

void
user_namespace_join(struct cred *c, struct user_namespace *ns)
{
	struct user_namespace *old = c->user_ns;

	namespace_get(&ns->ns);
	c->user_ns = ns;
	c->securebits = 0;
	c->cap_effective = c->cap_permitted = c->cap_bounding = CAP_FULL;
	c->cap_inheritable = c->cap_ambient = 0;
	namespace_put(&old->ns);
}

int
user_namespace_create(struct cred *c)
{
	struct user_namespace *parent = c->user_ns, *ns;

	if (!READ_ONCE(user_namespaces_for_all) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (parent->level >= USER_NAMESPACE_DEPTH)
		return -ENOSPC;
	/* Who sees another root than its mount namespace's could see the rest through capabilities. */
	if (fs_context_is_confined())
		return -EPERM;
	if (id_map_out(parent, &parent->uids, c->euid) == ID_INVALID ||
	    id_map_out(parent, &parent->gids, c->egid) == ID_INVALID)
		return -EPERM;
	ns = kzalloc(sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	namespace_init(&ns->ns, NAMESPACE_USER, parent);
	ns->level = parent->level + 1;
	ns->creator = c->euid;
	ns->creator_group = c->egid;
	ns->maps_root = cred_capable_in(c, parent, CAP_SETFCAP);
	ns->no_setgroups = READ_ONCE(parent->no_setgroups);
	user_namespace_join(c, ns);
	namespace_put(&ns->ns);
	return 0;
}

void
user_namespace_release(struct namespace *ns)
{
	struct user_namespace *user = user_namespace_of(ns);

	kfree(user->uids.extents);
	kfree(user->gids.extents);
	kfree(user);
}
