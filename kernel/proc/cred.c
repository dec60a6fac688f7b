/* SPDX-License-Identifier: MIT */
/*
 * cred.c - credentials: copied, altered, installed; never changed in place.
 *
 * thread->cred is written by the thread itself under process->lock; other threads read it under that
 * lock and take a reference.
 */
#include <tessera/cred.h>
#include <tessera/keys.h>
#include <tessera/namespace.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "proc.h"

struct cred init_cred = {
	.refs = { 1 },
	.cap_effective = CAP_FULL,
	.cap_permitted = CAP_FULL,
	.cap_bounding = CAP_FULL,
	.user_ns = &init_user_namespace,
};

void
cred_get(struct cred *c)
{
	ref_get(&c->refs);
}

void
cred_put(struct cred *c)
{
	if (c && ref_put(&c->refs)) {
		assert(c != &init_cred);
		namespace_put(&c->user_ns->ns);
		key_cred_put(c);
		kfree(c->groups);
		kfree(c);
	}
}

struct cred *
cred_copy(const struct cred *c)
{
	struct cred *n = kmemdup(c, sizeof(*c));

	if (!n)
		return NULL;
	ref_init(&n->refs);
	if (c->group_count > 0) {
		n->groups = kmemdup(c->groups, c->group_count * sizeof(gid_t));
		if (!n->groups) {
			kfree(n);
			return NULL;
		}
	}
	namespace_get(&n->user_ns->ns);
	key_cred_copied(n);
	return n;
}

const struct cred *
current_cred(void)
{
	struct thread *t = current_thread();

	return t->cred ? t->cred : &init_cred;
}

bool
cred_capable(const struct cred *c, int cap)
{
	return cred_capable_in(c, &init_user_namespace, cap);
}

bool
capable(int cap)
{
	struct process *p = current_process();

	if (!cred_capable(current_cred(), cap))
		return false;
	if (p && !READ_ONCE(p->used_privilege))
		WRITE_ONCE(p->used_privilege, true);
	return true;
}

bool
cred_in_group(const struct cred *c, gid_t gid)
{
	uint32_t low = 0, high = c->group_count;

	if (gid == c->fsgid)
		return true;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (c->groups[middle] == gid)
			return true;
		if (c->groups[middle] < gid)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/*
 * Make `c` the calling thread's credentials. A change of effective ids or capabilities makes the
 * process undumpable and forgets its parent-death signal, a change of the real user moves the count
 * of its threads, as Linux's commit_creds does.
 */
void
cred_install(struct cred *c)
{
	struct thread *t = current_thread();
	struct process *p = t->process;
	struct cred *old = (struct cred *)t->cred;

	if (old->euid != c->euid || old->egid != c->egid || old->fsuid != c->fsuid ||
	    old->fsgid != c->fsgid || (c->user_ns == old->user_ns && (c->cap_permitted & ~old->cap_permitted))) {
		atomic_store(&p->dumpable, false);
		WRITE_ONCE(p->parent_death_signal, 0);
	}
	if (old->uid != c->uid) {
		spin_lock(&process_tree_lock);
		user_charge_locked(c->uid, 1);
		user_charge_locked(old->uid, -1);
		spin_unlock(&process_tree_lock);
	}
	if (old->fsuid != c->fsuid)
		key_cred_fsuid(c);
	spin_lock(&p->lock);
	t->cred = c;
	spin_unlock(&p->lock);
	cred_put(old);
}

struct cred *
thread_cred(struct thread *t)
{
	struct process *p = t->process;
	struct cred *c;

	spin_lock(&p->lock);
	c = (struct cred *)t->cred;
	cred_get(c);
	spin_unlock(&p->lock);
	return c;
}
