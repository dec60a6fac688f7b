/* SPDX-License-Identifier: MIT */
/*
 * group.c - process groups and sessions: who belongs where, and when a group is orphaned.
 *
 * A session holds groups, a group holds processes (zombies too, until they are reaped). A group holds
 * a reference to its session, each member one to its group; when the last member leaves, the group
 * is unpublished and goes.
 *
 * A group is orphaned (POSIX 3.259) when no member has a parent in another group of the same session:
 * nobody is left who would continue it after a stop.
 */
#include <tessera/pid_namespace.h>
#include <tessera/slab.h>
#include <tessera/tty.h>

#include "proc.h"

struct session *
session_create(pid_t sid)
{
	struct session *s = kzalloc(sizeof(*s));

	if (!s)
		return NULL;
	ref_init(&s->refs);
	s->sid = sid;
	list_init(&s->groups);
	return s;
}

void
session_put(struct session *s)
{
	if (s && ref_put(&s->refs)) {
		assert(list_is_empty(&s->groups));
		kfree(s);
	}
}

/* A group that nobody knows yet. Takes a reference to s. NULL: no memory. */
struct process_group *
group_create(pid_t pgid, struct session *s)
{
	struct process_group *g = kzalloc(sizeof(*g));

	if (!g)
		return NULL;
	ref_init(&g->refs);
	g->pgid = pgid;
	g->session = s;
	ref_get(&s->refs);
	list_init(&g->members);
	list_init(&g->session_node);
	return g;
}

void
group_put(struct process_group *g)
{
	if (g && ref_put(&g->refs)) {
		session_put(g->session);
		kfree(g);
	}
}

/* Give the group (and its session, when it is the session's first) its place under its number, whose
 * slot must be there. */
void
group_publish_locked(struct process_group *g)
{
	struct pid_slot *slot = pid_slot_locked(g->pgid);

	assert(slot && !slot->group);
	slot->group = g;
	list_add_tail(&g->session->groups, &g->session_node);
	slot = pid_slot_locked(g->session->sid);
	assert(slot && (!slot->session || slot->session == g->session));
	slot->session = g->session;
}

static void
group_unpublish_locked(struct process_group *g)
{
	struct session *s = g->session;
	struct pid_slot *slot = pid_slot_locked(g->pgid);

	list_del_init(&g->session_node);
	if (slot && slot->group == g)
		slot->group = NULL;
	pid_release_locked(g->pgid);
	if (!list_is_empty(&s->groups))
		return;
	slot = pid_slot_locked(s->sid);
	if (slot && slot->session == s)
		slot->session = NULL;
	pid_release_locked(s->sid);
}

void
group_attach_locked(struct process *p, struct process_group *g)
{
	assert_held(&process_tree_lock);
	ref_get(&g->refs);
	p->group = g;
	list_add_tail(&g->members, &p->group_node);
}

void
group_detach_locked(struct process *p)
{
	struct process_group *g = p->group;

	assert_held(&process_tree_lock);
	list_del_init(&p->group_node);
	p->group = NULL;
	if (list_is_empty(&g->members))
		group_unpublish_locked(g);
	group_put(g);
}

struct process_group *
group_find_locked(pid_t pgid)
{
	struct pid_slot *slot = pid_slot_locked(pgid);

	return slot ? slot->group : NULL;
}

/* Leaving `ignored` (about to exit, NULL: nobody) out of account. */
bool
group_is_orphaned_locked(struct process_group *g, struct process *ignored)
{
	struct process *p;

	assert_held(&process_tree_lock);
	list_for_each(p, &g->members, group_node) {
		struct process *parent = p->parent;

		if (p == ignored || p->state != PROCESS_ALIVE || !parent || parent == init_process)
			continue;
		if (parent->group && parent->group != g && parent->group->session == g->session)
			return false;
	}
	return true;
}

bool
group_has_stopped_locked(struct process_group *g)
{
	struct process *p;

	list_for_each(p, &g->members, group_node)
		if (p->state == PROCESS_ALIVE && READ_ONCE(p->stop_signal) != 0)
			return true;
	return false;
}

pid_t
process_pgid(struct process *p)
{
	pid_t pgid;

	spin_lock(&process_tree_lock);
	pgid = p->group ? p->group->pgid : 0;
	spin_unlock(&process_tree_lock);
	return pgid;
}

pid_t
process_sid(struct process *p)
{
	pid_t sid;

	spin_lock(&process_tree_lock);
	sid = p->group ? p->group->session->sid : 0;
	spin_unlock(&process_tree_lock);
	return sid;
}

bool
process_group_exists_in_session(pid_t pgid, pid_t sid)
{
	struct process_group *g;
	bool yes;

	spin_lock(&process_tree_lock);
	g = group_find_locked(pgid);
	yes = g && g->session->sid == sid;
	spin_unlock(&process_tree_lock);
	return yes;
}

bool
process_group_is_orphaned(pid_t pgid)
{
	struct process_group *g;
	bool yes;

	spin_lock(&process_tree_lock);
	g = group_find_locked(pgid);
	yes = !g || group_is_orphaned_locked(g, NULL);
	spin_unlock(&process_tree_lock);
	return yes;
}

/* setpgid(2)'s rules, all but memory. 0 or EPERM, ESRCH, EACCES. */
static int
may_set_group_locked(struct process *self, struct process *p, pid_t pgid)
{
	struct process_group *g;

	if (!p || p->state == PROCESS_REAPED)
		return -ESRCH;
	if (p != self) {
		if (p->parent != self)
			return -ESRCH;
		if (p->group->session != self->group->session)
			return -EPERM;
		if (p->did_exec)
			return -EACCES;
	}
	if (p->group->session->sid == p->pid)
		return -EPERM;
	if (pgid == p->pid)
		return 0;
	g = group_find_locked(pgid);
	return g && g->session == self->group->session ? 0 : -EPERM;
}

/* setpgid(2); 0 in either place means the caller's, the target's. */
int
process_set_group(pid_t pid, pid_t pgid)
{
	struct process *self = current_process(), *p;
	struct process_group *fresh = NULL, *g;
	struct pid_slot *slot;
	int error;

	pid = pid ? pid_given(pid) : self->pid;
	pgid = pid_given(pgid);
	if (pgid == 0)
		pgid = pid;
	if (pgid < 0)
		return -EINVAL;
	/* The session of a target in ours is ours: the caller's may be read ahead. */
	if (pid == pgid) {
		struct session *s;

		spin_lock(&process_tree_lock);
		s = self->group->session;
		ref_get(&s->refs); /* the parent may move the caller to another group meanwhile */
		spin_unlock(&process_tree_lock);
		fresh = group_create(pgid, s);
		session_put(s);
		if (!fresh)
			return -ENOMEM;
	}
	spin_lock(&process_tree_lock);
	slot = pid_slot_locked(pid);
	p = slot ? slot->process : NULL;
	error = slot && slot->thread && !p ? -EINVAL /* of a thread that is not the first */
					   : may_set_group_locked(self, p, pgid);
	if (error == 0 && p->group->pgid != pgid) {
		g = group_find_locked(pgid);
		if (!g) {
			g = fresh;
			group_publish_locked(g);
		}
		ref_get(&g->refs); /* moving the last member out must not take it away */
		group_detach_locked(p);
		group_attach_locked(p, g);
		group_put(g);
	}
	spin_unlock(&process_tree_lock);
	group_put(fresh);
	return error;
}

/* setsid(2): the new session's number, -EPERM when the caller leads a group, -ENOMEM. */
pid_t
process_new_session(void)
{
	struct process *p = current_process();
	struct session *s = session_create(p->pid);
	struct process_group *g = s ? group_create(p->pid, s) : NULL;
	struct pid_slot *slot;
	pid_t result = -EPERM;

	if (!g) {
		session_put(s);
		return -ENOMEM;
	}
	spin_lock(&process_tree_lock);
	slot = pid_slot_locked(p->pid);
	if (!slot->group && !slot->session) {
		group_detach_locked(p);
		group_publish_locked(g);
		group_attach_locked(p, g);
		result = p->local_pid;
	}
	spin_unlock(&process_tree_lock);
	group_put(g);
	session_put(s);
	return result;
}

/* The group of thread or process `pid`; 0: the caller's. process_tree_lock held; NULL: there is none. */
static const struct process_group *
group_of_locked(const struct pid_namespace *ns, pid_t pid)
{
	struct pid_slot *slot = pid_slot_locked(pid ? pid_global_locked(ns, pid) : current_process()->pid);

	if (slot && slot->thread)
		return slot->thread->process->group;
	return slot && slot->process ? slot->process->group : NULL;
}

/* getpgid(2), getsid(2): 0 is the caller. -ESRCH. */
pid_t
process_get_group(pid_t pid)
{
	const struct pid_namespace *ns = current_pid_namespace();
	const struct process_group *g;
	pid_t result;

	spin_lock(&process_tree_lock);
	g = group_of_locked(ns, pid);
	result = g ? pid_number_locked(ns, g->pgid) : -ESRCH;
	spin_unlock(&process_tree_lock);
	return result;
}

pid_t
process_get_session(pid_t pid)
{
	const struct pid_namespace *ns = current_pid_namespace();
	const struct process_group *g;
	pid_t result;

	spin_lock(&process_tree_lock);
	g = group_of_locked(ns, pid);
	result = g ? pid_number_locked(ns, g->session->sid) : -ESRCH;
	spin_unlock(&process_tree_lock);
	return result;
}
