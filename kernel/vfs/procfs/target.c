/* SPDX-License-Identifier: MIT */
/*
 * target.c - what a file below /proc/PID is about, found again at each access.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/process.h>

#include "frame.h"

int
target_of(const struct node *n, struct target *at)
{
	*at = (struct target){ .whole = n->tid == 0, .fd = n->fd, .address = n->address };
	if (n->pid == 0)
		return 0;
	at->process = process_find_in(&init_pid_namespace, n->pid);
	if (at->process && at->process->start_time != n->start) {
		process_put(at->process);
		at->process = NULL;
	}
	if (!at->process)
		return -ESRCH;
	at->thread = process_thread_next(at->process, n->tid ? n->tid : n->pid);
	if (n->tid && (!at->thread || at->thread->tid != n->tid)) {
		target_put(at);
		return -ESRCH;
	}
	return 0;
}

static const struct proc_instance nothing = { .ns = &init_pid_namespace };

bool
process_is_shown(const struct target *at, struct process *p, enum proc_hiding from)
{
	int hiding = READ_ONCE(at->instance->hiding);

	if (hiding < (int)from)
		return true;
	if (hiding != PROC_NOT_THERE && cred_in_group(current_cred(), READ_ONCE(at->instance->group)))
		return true;
	return process_may_inspect(p) == 0;
}

int
target_get(const struct inode *i, struct target *at)
{
	int error = target_of(node_of(i), at);

	at->instance = i->fs->private ? i->fs->private : &nothing; /* its root is being made */
	at->ns = at->instance->ns;
	return error;
}

void
target_put(struct target *at)
{
	if (at->thread)
		thread_put(at->thread);
	if (at->process)
		process_put(at->process);
	at->thread = NULL;
	at->process = NULL;
}

struct address_space *
target_space(struct target *at, uint64_t id)
{
	struct address_space *as = at->process ? process_address_space(at->process) : NULL;

	if (as && as->id != id) {
		address_space_put(as);
		as = NULL;
	}
	return as;
}

uint64_t
target_space_id(struct target *at)
{
	struct address_space *as = at->process ? process_address_space(at->process) : NULL;
	uint64_t id = as ? as->id : 0;

	if (as)
		address_space_put(as);
	return id;
}
