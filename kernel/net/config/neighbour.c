/* SPDX-License-Identifier: MIT */
/*
 * neighbour.c - who on a link has which address, as far as it was set by hand or told by who resolves them. ip-neighbour(8).
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "config.h"

struct neighbour_info *
network_neighbours(struct network *n, uint32_t *count)
{
	struct neighbour_info *all = kvmalloc(NEIGHBOURS_MAX * sizeof(*all));
	struct neighbour *e;

	*count = 0;
	if (!all)
		return NULL;
	spin_lock(&n->config_lock);
	list_for_each (e, &n->neighbours, node)
		all[(*count)++] = e->info;
	spin_unlock(&n->config_lock);
	return all;
}

static struct neighbour *
find(struct network *n, const struct neighbour_info *like)
{
	struct neighbour *e;

	list_for_each (e, &n->neighbours, node)
		if (e->info.interface == like->interface && ip_address_equal(&e->info.address, &like->address))
			return e;
	return NULL;
}

int
neighbour_set(struct network *n, const struct neighbour_info *info)
{
	struct neighbour *fresh = kzalloc(sizeof(*fresh)), *e;
	int error = 0;

	if (!fresh)
		return -ENOMEM;
	spin_lock(&n->config_lock);
	e = find(n, info);
	if (!interface_find(n, info->interface)) {
		error = -ENODEV;
	} else if (e) {
		e->info = *info;
	} else if (n->neighbour_count == NEIGHBOURS_MAX) {
		error = -ENOBUFS;
	} else {
		fresh->info = *info;
		list_add_tail(&n->neighbours, &fresh->node);
		n->neighbour_count++;
		fresh = NULL;
	}
	spin_unlock(&n->config_lock);
	kfree(fresh);
	if (!error)
		netlink_network_changed(n, NETWORK_NEIGHBOUR, info);
	return error;
}

int
neighbour_remove(struct network *n, const struct neighbour_info *like)
{
	struct neighbour_info told;
	struct neighbour *e;

	spin_lock(&n->config_lock);
	e = find(n, like);
	if (e) {
		told = e->info;
		list_del(&e->node);
		n->neighbour_count--;
	}
	spin_unlock(&n->config_lock);
	if (!e)
		return -ENOENT;
	kfree(e);
	netlink_network_changed(n, NETWORK_NEIGHBOUR_GONE, &told);
	return 0;
}

void
neighbours_of_interface_gone(struct network *n, uint32_t index, struct list *gone)
{
	struct neighbour *e, *tmp;

	assert_held(&n->config_lock);
	list_for_each_safe (e, tmp, &n->neighbours, node) {
		if (e->info.interface != index)
			continue;
		list_del(&e->node);
		list_add_tail(gone, &e->node);
		n->neighbour_count--;
	}
}
