/* SPDX-License-Identifier: MIT */
/*
 * namespaces.c - /proc/PID/ns, and the maps of a user namespace.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/string.h>

#include "files.h"

/* --- links ------------------------------------------------------------------------------------ */

static int
jump(struct target *at, struct path *out, enum namespace_kind kind, bool children)
{
	struct namespace *ns = process_namespace(at->process, at->thread, kind, children);

	return ns ? nsfs_path(ns, out) : -ENOENT;
}

#define JUMP(name, kind, children)                                                                 \
	static int jump_##name(struct target *at, struct path *out)                                \
	{                                                                                          \
		return jump(at, out, kind, children);                                              \
	}
JUMP(cgroup, NAMESPACE_CGROUP, false)
JUMP(ipc, NAMESPACE_IPC, false)
JUMP(mnt, NAMESPACE_MOUNT, false)
JUMP(net, NAMESPACE_NET, false)
JUMP(pid, NAMESPACE_PID, false)
JUMP(pid_for_children, NAMESPACE_PID, true)
JUMP(time, NAMESPACE_TIME, false)
JUMP(user, NAMESPACE_USER, false)
JUMP(uts, NAMESPACE_UTS, false)

#define LINK(n, function) \
	{ .name = n, .mode = S_IFLNK | 0777, .flags = ENTRY_INSPECT, .jump = function }

const struct entry namespace_entries[] = {
	LINK("cgroup", jump_cgroup),
	LINK("ipc", jump_ipc),
	LINK("mnt", jump_mnt),
	LINK("net", jump_net),
	LINK("pid", jump_pid),
	LINK("pid_for_children", jump_pid_for_children),
	LINK("time", jump_time),
	LINK("time_for_children", jump_time),
	LINK("user", jump_user),
	LINK("uts", jump_uts),
	{ 0 },
};

/* --- maps ------------------------------------------------------------------------------------- */

static struct user_namespace *
user_of(struct target *at)
{
	return user_namespace_of(process_namespace(at->process, at->thread, NAMESPACE_USER, false));
}

/* As the caller's namespace numbers them, or, in its own, as its parent does. */
static int
show_map(struct text *t, struct target *at, bool gids)
{
	struct user_namespace *ns = user_of(at);
	const struct user_namespace *mine = current_cred()->user_ns;
	const struct id_map *m;
	uint32_t n;

	if (!ns)
		return -EINVAL;
	if (mine == ns && ns->ns.owner)
		mine = ns->ns.owner;
	m = gids ? &ns->gids : &ns->uids;
	n = atomic_load(&m->count);
	for (uint32_t i = 0; i < n; i++) {
		const struct id_extent *e = &m->extents[i];

		text_print(t, "%10u %10u %10u\n", e->inside, id_map_out(mine, gids ? &mine->gids : &mine->uids, e->outside),
			   e->count);
	}
	namespace_put(&ns->ns);
	return 0;
}

int
show_uid_map(struct text *t, struct target *at)
{
	return show_map(t, at, false);
}

int
show_gid_map(struct text *t, struct target *at)
{
	return show_map(t, at, true);
}

static ssize_t
write_map(struct target *at, char *data, size_t n, bool gids)
{
	struct user_namespace *ns = user_of(at);
	int error;

	if (!ns)
		return -EINVAL;
	error = user_namespace_set_map(ns, gids, at->opener, data);
	namespace_put(&ns->ns);
	return error ? error : (ssize_t)n;
}

ssize_t
write_uid_map(struct target *at, char *data, size_t n)
{
	return write_map(at, data, n, false);
}

ssize_t
write_gid_map(struct target *at, char *data, size_t n)
{
	return write_map(at, data, n, true);
}

int
show_setgroups(struct text *t, struct target *at)
{
	struct user_namespace *ns = user_of(at);

	if (!ns)
		return -EINVAL;
	text_print(t, "%s\n", READ_ONCE(ns->no_setgroups) ? "deny" : "allow");
	namespace_put(&ns->ns);
	return 0;
}

static bool
is_word(const char *data, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(data, word, n) != 0)
		return false;
	while (data[n] == ' ' || data[n] == '\n' || data[n] == '\t')
		n++;
	return !data[n];
}

ssize_t
write_setgroups(struct target *at, char *data, size_t n)
{
	struct user_namespace *ns = user_of(at);
	int error;

	if (!ns)
		return -EINVAL;
	if (!cred_capable_in(at->opener, ns, CAP_SYS_ADMIN))
		error = -EACCES;
	else if (is_word(data, "allow"))
		error = user_namespace_set_setgroups(ns, true);
	else
		error = is_word(data, "deny") ? user_namespace_set_setgroups(ns, false) : -EINVAL;
	namespace_put(&ns->ns);
	return error ? error : (ssize_t)n;
}
