/* SPDX-License-Identifier: MIT */
/*
 * namespace.c - namespaces as objects, sets of them, and how a process comes to have others.
 *
 * A set is never changed: unshare and setns build another and put it in the process's place under
 * process->lock. Only a process with one thread does so, so that its own threads may read without a lock.
 * References between namespaces go one way, from what is owned to its user namespace and from child to
 * parent, so counts suffice to free them.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/fork.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/network.h>
#include <tessera/pid_namespace.h>
#include <tessera/slab.h>
#include <tessera/sysv.h>
#include <tessera/uts.h>

#include "proc.h"

#define FIRST_NUMBER 0xf0000010u

/* Stands for what has no more to it than being another. */
static void
plain_release(struct namespace *ns)
{
	kfree(ns);
}

struct ipc_holder {
	struct namespace ns;
	struct ipc_namespace *ipc; /* [I] reference */
};

static void
ipc_release(struct namespace *ns)
{
	struct ipc_holder *h = (struct ipc_holder *)ns;

	ipc_namespace_put(h->ipc);
	kfree(h);
}

const struct namespace_type namespace_types[NAMESPACE_KINDS] = {
	[NAMESPACE_CGROUP] = { "cgroup", CLONE_NEWCGROUP, plain_release },
	[NAMESPACE_IPC] = { "ipc", CLONE_NEWIPC, ipc_release },
	[NAMESPACE_MOUNT] = { "mnt", CLONE_NEWNS, mount_namespace_release },
	[NAMESPACE_NET] = { "net", CLONE_NEWNET, network_release },
	[NAMESPACE_PID] = { "pid", CLONE_NEWPID, pid_namespace_release },
	[NAMESPACE_TIME] = { "time", CLONE_NEWTIME, plain_release },
	[NAMESPACE_USER] = { "user", CLONE_NEWUSER, user_namespace_release },
	[NAMESPACE_UTS] = { "uts", CLONE_NEWUTS, plain_release },
};

static struct namespace init_cgroup = { { 1 }, NAMESPACE_CGROUP, 0xeffffffb, &init_user_namespace };
static struct ipc_holder init_ipc = { { { 1 }, NAMESPACE_IPC, 0xefffffff, &init_user_namespace }, &init_ipc_namespace };
static struct namespace init_time = { { 1 }, NAMESPACE_TIME, 0xeffffffa, &init_user_namespace };

struct namespaces init_namespaces = {
	.refs = { 1 },
	.of = {
		[NAMESPACE_CGROUP] = &init_cgroup,
		[NAMESPACE_IPC] = &init_ipc.ns,
		[NAMESPACE_MOUNT] = &init_mount_namespace.ns,
		[NAMESPACE_NET] = (struct namespace *)&init_network,
		[NAMESPACE_TIME] = &init_time,
		[NAMESPACE_UTS] = &init_uts_namespace.ns,
	},
	.pid_for_children = &init_pid_namespace.ns,
};

static uint64_t next_number = FIRST_NUMBER; /* [a] */
static uint64_t live = NAMESPACE_KINDS;     /* [a] */

void
namespace_init(struct namespace *ns, enum namespace_kind kind, struct user_namespace *owner)
{
	ref_init(&ns->refs);
	ns->kind = kind;
	ns->number = atomic_add_fetch(&next_number, 1);
	ns->owner = owner;
	namespace_get(&owner->ns);
	atomic_add(&live, 1);
}

void
namespace_put(struct namespace *ns)
{
	while (ns && ref_put(&ns->refs)) {
		struct namespace *owner = &ns->owner->ns;

		namespace_types[ns->kind].release(ns);
		atomic_sub(&live, 1);
		ns = owner;
	}
}

uint64_t
namespace_count(void)
{
	return atomic_load(&live);
}

/* --- sets ------------------------------------------------------------------------------------- */

void
namespaces_get(struct namespaces *n)
{
	ref_get(&n->refs);
}

void
namespaces_put(struct namespaces *n)
{
	if (!n || !ref_put(&n->refs))
		return;
	for (int i = 0; i < NAMESPACE_KINDS; i++)
		namespace_put(n->of[i]);
	namespace_put(n->pid_for_children);
	kfree(n);
}

const struct namespaces *
current_namespaces(void)
{
	struct process *p = current_process();

	return p && p->namespaces ? p->namespaces : &init_namespaces;
}

struct namespaces *
process_namespaces(struct process *p)
{
	struct namespaces *n;

	spin_lock(&p->lock);
	n = p->namespaces;
	if (n)
		namespaces_get(n);
	spin_unlock(&p->lock);
	return n;
}

/* A copy with a reference to each; NULL: no memory. */
static struct namespaces *
set_copy(const struct namespaces *from)
{
	struct namespaces *n = kmemdup(from, sizeof(*from));

	if (!n)
		return NULL;
	ref_init(&n->refs);
	for (int i = 0; i < NAMESPACE_KINDS; i++)
		if (n->of[i])
			namespace_get(n->of[i]);
	namespace_get(n->pid_for_children);
	return n;
}

static struct namespace *
create_plain(enum namespace_kind kind, struct user_namespace *owner)
{
	struct namespace *ns = kzalloc(sizeof(*ns));

	if (ns)
		namespace_init(ns, kind, owner);
	return ns;
}

static struct namespace *
create_ipc(struct user_namespace *owner, struct ipc_namespace *ipc)
{
	struct ipc_holder *h = kzalloc(sizeof(*h));

	if (!h)
		return NULL;
	namespace_init(&h->ns, NAMESPACE_IPC, owner);
	h->ipc = ipc;
	ipc_namespace_get(ipc);
	return &h->ns;
}

/* Replace one of n's; takes over the reference to `ns`. */
static int
set_one(struct namespaces *n, enum namespace_kind kind, struct namespace *ns)
{
	if (IS_ERR(ns))
		return (int)PTR_ERR(ns);
	if (!ns)
		return -ENOMEM;
	namespace_put(n->of[kind]);
	n->of[kind] = ns;
	return 0;
}

static int
renew(struct namespaces *n, uint64_t flags, struct user_namespace *owner, struct ipc_namespace *ipc,
      struct fs_context *fs)
{
	struct namespace *pid;
	int error = 0;

	if (flags & CLONE_NEWUTS)
		error = set_one(n, NAMESPACE_UTS, uts_namespace_copy(n->of[NAMESPACE_UTS], owner));
	if (!error && (flags & CLONE_NEWIPC))
		error = set_one(n, NAMESPACE_IPC, create_ipc(owner, ipc));
	if (!error && (flags & CLONE_NEWNET))
		error = set_one(n, NAMESPACE_NET, network_create(owner));
	if (!error && (flags & CLONE_NEWCGROUP))
		error = set_one(n, NAMESPACE_CGROUP, create_plain(NAMESPACE_CGROUP, owner));
	if (!error && (flags & CLONE_NEWPID)) {
		pid = pid_namespace_create(n->pid_for_children, owner);
		if (IS_ERR(pid))
			return (int)PTR_ERR(pid);
		namespace_put(n->pid_for_children);
		n->pid_for_children = pid;
	}
	if (!error && (flags & CLONE_NEWNS))
		error = set_one(n, NAMESPACE_MOUNT, mount_namespace_copy(n->of[NAMESPACE_MOUNT], owner, fs));
	return error;
}

struct namespaces *
namespaces_copy(struct namespaces *from, uint64_t flags, const struct cred *c, struct ipc_namespace *ipc,
		struct fs_context *fs)
{
	struct namespaces *n;
	int error;

	if (!(flags & CLONE_NAMESPACES)) {
		namespaces_get(from);
		return from;
	}
	if (!cred_capable_in(c, c->user_ns, CAP_SYS_ADMIN))
		return ERR_PTR(-EPERM);
	n = set_copy(from);
	if (!n)
		return ERR_PTR(-ENOMEM);
	error = renew(n, flags, c->user_ns, ipc, fs);
	if (!error)
		return n;
	namespaces_put(n);
	return ERR_PTR(error);
}

struct namespace *
process_namespace(struct process *p, struct thread *t, enum namespace_kind kind, bool children)
{
	struct namespace *ns = NULL;

	spin_lock(&p->lock);
	if (kind == NAMESPACE_USER) {
		if (p->namespaces && t && t->cred)
			ns = &t->cred->user_ns->ns;
	} else if (p->namespaces) {
		ns = children ? p->namespaces->pid_for_children
		     : kind == NAMESPACE_PID ? &p->pid_ns->ns : p->namespaces->of[kind];
	}
	if (ns)
		namespace_get(ns);
	spin_unlock(&p->lock);
	return ns;
}

/* --- entering --------------------------------------------------------------------------------- */

/* May who has credentials `c` enter `ns`, and how is the set changed by that? */
static int
enter_one(struct namespaces *n, struct namespace *ns, struct cred *c, struct ipc_namespace **ipc)
{
	struct user_namespace *user = user_namespace_of(ns);
	int error = 0;

	switch (ns->kind) {
	case NAMESPACE_USER:
		if (user == c->user_ns || ref_count(&current_process()->fs->refs) > 1)
			return -EINVAL;
		if (!cred_capable_in(c, user, CAP_SYS_ADMIN))
			return -EPERM;
		user_namespace_join(c, user);
		return 0;
	case NAMESPACE_MOUNT:
		if (!cred_capable_in(c, c->user_ns, CAP_SYS_CHROOT))
			return -EPERM;
		if (ref_count(&current_process()->fs->refs) > 1)
			error = -EINVAL;
		break;
	case NAMESPACE_PID:
		if (!pid_namespace_is_inside(ns, &current_pid_namespace()->ns))
			error = -EINVAL;
		break;
	case NAMESPACE_IPC:
		*ipc = ((struct ipc_holder *)ns)->ipc;
		break;
	default:
		break;
	}
	if (!cred_capable_in(c, ns->owner, CAP_SYS_ADMIN) || !cred_capable_in(c, c->user_ns, CAP_SYS_ADMIN))
		return -EPERM;
	if (error)
		return error;
	namespace_get(ns);
	if (ns->kind == NAMESPACE_PID) {
		namespace_put(n->pid_for_children);
		n->pid_for_children = ns;
		return 0;
	}
	return set_one(n, ns->kind, ns);
}

/* Enter all of `list`, or none. */
static int
enter(struct namespace *const *list, int count)
{
	struct process *p = current_process();
	struct cred *c = cred_copy(current_cred());
	struct namespaces *n = set_copy(p->namespaces), *old = p->namespaces;
	struct ipc_namespace *ipc = NULL;
	bool user = false, mount = false;
	int error = c && n ? 0 : -ENOMEM;

	if (!error && READ_ONCE(p->thread_count) > 1)
		error = -EINVAL;
	for (int i = 0; i < count && !error; i++) {
		error = enter_one(n, list[i], c, &ipc);
		user |= list[i]->kind == NAMESPACE_USER;
		mount |= list[i]->kind == NAMESPACE_MOUNT;
	}
	if (error)
		goto drop;
	if (user) {
		cred_install(c);
		c = NULL;
	}
	if (ipc) {
		ipc_namespace_get(ipc);
		process_change_ipc(p, ipc);
	}
	spin_lock(&p->lock);
	p->namespaces = n;
	spin_unlock(&p->lock);
	if (mount)
		mount_namespace_entered(n->of[NAMESPACE_MOUNT]);
	n = old;
drop:
	cred_put(c);
	namespaces_put(n);
	return error;
}

int
namespace_enter(struct namespace *ns)
{
	if (ns->kind == NAMESPACE_TIME)
		return ns == current_namespaces()->of[NAMESPACE_TIME] ? 0 : -EINVAL;
	return enter(&ns, 1);
}

int
namespaces_enter(struct process *p, uint64_t flags)
{
	struct namespace *list[NAMESPACE_KINDS];
	struct thread *leader;
	int error, count = 0;

	spin_lock(&p->lock);
	leader = p->namespaces ? p->leader : NULL;
	if (leader)
		thread_get(leader);
	spin_unlock(&p->lock);
	if (!leader)
		return -ESRCH;
	error = process_may_inspect(p);
	if (error)
		goto put;
	/* The user namespace first: it gives the rights over the others. */
	for (int i = -1; i < NAMESPACE_KINDS; i++) {
		enum namespace_kind kind = i < 0 ? NAMESPACE_USER : (enum namespace_kind)i;

		if (!(flags & namespace_types[kind].flag) || (i >= 0 && kind == NAMESPACE_USER))
			continue;
		list[count] = process_namespace(p, leader, kind, false);
		if (!list[count]) {
			error = -ESRCH;
			goto put;
		}
		count++;
	}
	error = enter(list, count);
put:
	while (count-- > 0)
		namespace_put(list[count]);
	thread_put(leader);
	return error;
}
