/* SPDX-License-Identifier: MIT */
/*
 * counters.c - what a network keeps for packets: how many of each kind there were, who watches them, who may ping.
 */
#include <tessera/atomic.h>

#include "../network.h"

void
ip_init(struct network *n)
{
	spin_init(&n->watchers_lock, LOCK_WATCHERS);
	spin_init(&n->groups_lock, LOCK_GROUPS);
	list_init(&n->raws);
	list_init(&n->taps);
	list_init(&n->groups);
}

void
network_add(struct network *n, enum network_counter which, uint64_t count)
{
	atomic_add(&n->counters[which], count);
}

uint64_t
network_count(struct network *n, enum network_counter which)
{
	return READ_ONCE(n->counters[which]);
}

uint32_t
network_taps(struct network *n)
{
	return READ_ONCE(n->tap_count);
}

bool
network_wants_tcp(struct network *n)
{
	return READ_ONCE(n->raw_count[6]) != 0;
}

void
network_ping_groups(struct network *n, gid_t *low, gid_t *high)
{
	*low = (gid_t)network_setting(n, SETTING_PING_LOW);
	*high = (gid_t)network_setting(n, SETTING_PING_HIGH);
}
