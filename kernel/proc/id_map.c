/* SPDX-License-Identifier: MIT */
/*
 * id_map.c - what is written to /proc/PID/uid_map, gid_map and setgroups: user_namespaces(7).
 *
 * A line is "first inside, first in the parent, how many". A map is written once, by who has CAP_SYS_ADMIN over
 * the namespace and lives in it or in its parent. Without CAP_SETUID (CAP_SETGID) over the parent it may map only
 * the writer's own id, and for groups only after setgroups has been given up for good.
 *
 * The parent's user 0 is mapped only by who has CAP_SETFCAP over the parent: a file capability that is set inside
 * counts wherever its root is the parent's, so it would be CAP_SETFCAP there. A writer from inside has it by what
 * the creator had.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "proc.h"

static struct mutex map_lock = MUTEX_INIT(map_lock, SLEEP_LEAF); /* writing of all maps and no_setgroups */

/* A number of 32 bits after blanks; *at moves behind it. */
static int
parse_id(const char **at, uint32_t *out)
{
	uint64_t v;

	while (**at == ' ' || **at == '\t')
		(*at)++;
	if (parse_u64(*at, at, 10, &v) || v > UINT32_MAX)
		return -EINVAL;
	*out = (uint32_t)v;
	return 0;
}

static bool
overlaps(uint32_t a, uint32_t b, uint32_t a_count, uint32_t b_count)
{
	return a < b ? b - a < a_count : a - b < b_count;
}

/* Does `e` not wrap, and share no number with the `n` before it? */
static bool
fits(const struct id_extent *all, uint32_t n, const struct id_extent *e)
{
	if (e->count == 0 || e->inside == ID_INVALID || e->outside == ID_INVALID ||
	    e->count > UINT32_MAX - e->inside || e->count > UINT32_MAX - e->outside)
		return false;
	for (uint32_t i = 0; i < n; i++)
		if (overlaps(all[i].inside, e->inside, all[i].count, e->count) ||
		    overlaps(all[i].outside, e->outside, all[i].count, e->count))
			return false;
	return true;
}

/* The number of extents, or -EINVAL. */
static int
parse_map(const char *text, struct id_extent *out)
{
	uint32_t n = 0;

	while (*text) {
		struct id_extent *e = &out[n];

		if (n == ID_EXTENTS || parse_id(&text, &e->inside) || parse_id(&text, &e->outside) ||
		    parse_id(&text, &e->count))
			return -EINVAL;
		while (*text == ' ' || *text == '\t')
			text++;
		if ((*text && *text != '\n') || !fits(out, n, e))
			return -EINVAL;
		text += *text == '\n';
		n++;
	}
	return n ? (int)n : -EINVAL;
}

/* Does none of these stand for the parent's user 0, or may the opener map it? Before they are translated. */
static bool
root_allowed(const struct user_namespace *ns, const struct cred *opener, const struct id_extent *e, int n)
{
	for (int i = 0; i < n; i++)
		if (e[i].outside == 0)
			return opener->user_ns == ns ? ns->maps_root
						     : cred_capable_in(opener, ns->ns.owner, CAP_SETFCAP);
	return true;
}

/* May the caller, who opened the file as `opener`, map these? map_lock is held. */
static bool
allowed(const struct user_namespace *ns, bool gids, const struct cred *opener, const struct id_extent *e, int n)
{
	const struct user_namespace *parent = ns->ns.owner;
	int cap = gids ? CAP_SETGID : CAP_SETUID;
	uint32_t kernel_id;

	if (!gids && !root_allowed(ns, opener, e, n))
		return false;
	if (n == 1 && e->count == 1 && ns->creator == opener->euid) {
		kernel_id = gids ? id_map_in(parent, &parent->gids, e->outside)
				 : id_map_in(parent, &parent->uids, e->outside);
		if (!gids && kernel_id == opener->euid)
			return true;
		if (gids && ns->no_setgroups && kernel_id == opener->egid)
			return true;
	}
	return capable_in(parent, cap) && cred_capable_in(opener, parent, cap);
}

/* From the parent's numbers to the kernel's. False: some are not mapped there, or not as one range. */
static bool
translate(const struct user_namespace *parent, bool gids, struct id_extent *e, int n)
{
	const struct id_map *m = gids ? &parent->gids : &parent->uids;

	for (int i = 0; i < n; i++) {
		uint32_t first = id_map_in(parent, m, e[i].outside);
		uint32_t last = id_map_in(parent, m, e[i].outside + e[i].count - 1);

		if (first == ID_INVALID || last == ID_INVALID || last - first != e[i].count - 1)
			return false;
		e[i].outside = first;
	}
	return true;
}

int
user_namespace_set_map(struct user_namespace *ns, bool gids, const struct cred *opener, const char *text)
{
	struct id_map *m = gids ? &ns->gids : &ns->uids;
	const struct user_namespace *mine = current_cred()->user_ns;
	struct id_extent *e;
	int n, error = -EPERM;

	if (!ns->ns.owner || (mine != ns && mine != ns->ns.owner))
		return -EPERM;
	e = kmalloc(ID_EXTENTS * sizeof(*e), 0);
	if (!e)
		return -ENOMEM;
	mutex_lock(&map_lock);
	if (m->count || !cred_capable_in(opener, ns, CAP_SYS_ADMIN))
		goto out;
	error = n = parse_map(text, e);
	if (n < 0)
		goto out;
	error = -EPERM;
	if (!allowed(ns, gids, opener, e, n) || !translate(ns->ns.owner, gids, e, n))
		goto out;
	m->extents = e;
	atomic_store(&m->count, (uint32_t)n); /* (1) */
	e = NULL;
	error = 0;
out:
	mutex_unlock(&map_lock);
	kfree(e);
	return error;
}

int
user_namespace_set_setgroups(struct user_namespace *ns, bool allow)
{
	int error = 0;

	mutex_lock(&map_lock);
	if (allow)
		error = ns->no_setgroups ? -EPERM : 0;
	else if (ns->gids.count)
		error = ns->no_setgroups ? 0 : -EPERM;
	else
		WRITE_ONCE(ns->no_setgroups, true);
	mutex_unlock(&map_lock);
	return error;
}
