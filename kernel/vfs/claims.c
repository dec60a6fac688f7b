/* SPDX-License-Identifier: MIT */
/*
 * claims.c - what file locks and leases have in common: a list on the inode, and waiters who look again when
 * one of its claims has gone.
 */
#include <tessera/slab.h>

#include "vfs.h"

struct inode_claims *
inode_claims_get(struct inode_claims **slot)
{
	struct inode_claims *c = atomic_load(slot), *fresh;

	if (c)
		return c;
	fresh = kzalloc(sizeof(*fresh));
	if (!fresh)
		return NULL;
	list_init(&fresh->held);
	wait_queue_init(&fresh->changed);
	if (atomic_cas(slot, &c, fresh))
		return fresh;
	kfree(fresh);
	return c;
}

void
inode_claims_changed(struct inode_claims *c)
{
	c->generation++;
	wake_all(&c->changed);
}
