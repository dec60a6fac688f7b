/* SPDX-License-Identifier: MIT */
/*
 * group.c - multicast groups: who has joined which, and whom of a group's senders he hears. ip(7), ipv6(7), RFC 3678.
 *
 * A membership is of one socket, one group and one interface. It hears all senders but those in its list (EXCLUDE), or
 * only those in it (INCLUDE). All memberships of a network are in one list; links are told when one comes or goes.
 *
 * Locks: groups_lock of the network, for all of it.
 */
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../ip/ip.h"
#include "inet.h"

#define MEMBERSHIPS_MAX_V4 20u  /* net.ipv4.igmp_max_memberships */
#define MEMBERSHIPS_MAX    64u
#define SOURCES_MAX_V4     10u  /* net.ipv4.igmp_max_msf */
#define SOURCES_MAX        64u
#define GROUPS_MAX         4096u /* of a network */

/* [I] immutable  [g] groups_lock */
struct membership {
	struct list node;          /* [g] network->groups */
	struct inet_socket *socket;/* [I] */
	struct ip_address group;   /* [I] */
	uint32_t interface;        /* [I] */
	bool only_listed;          /* [g] INCLUDE */
	bool has_list;             /* [g] a source was ever named */
	uint32_t source_count;     /* [g] */
	struct ip_address source[SOURCES_MAX]; /* [g] */
};

/* All hosts are members of these: RFC 1112, 4; RFC 4291, 2.8. */
static bool
is_of_all(const struct ip_address *group)
{
	if (ip_address_is_v4(group))
		return group->words[3] == host_to_net32(0xe0000001);
	return (group->bytes[1] & 0xf) <= 2 && group->halves[1] == __builtin_bswap64(1);
}

bool
group_is_joined(struct network *n, uint32_t interface, const struct ip_address *group)
{
	struct membership *m;
	bool joined = !ip_address_is_multicast(group) || is_of_all(group);

	if (joined)
		return true;
	spin_lock(&n->groups_lock);
	list_for_each (m, &n->groups, node)
		joined |= m->interface == interface && ip_address_equal(&m->group, group);
	spin_unlock(&n->groups_lock);
	return joined;
}

static bool
lists(const struct membership *m, const struct ip_address *source, uint32_t *at)
{
	for (*at = 0; *at < m->source_count; ++*at)
		if (ip_address_equal(&m->source[*at], source))
			return true;
	return false;
}

bool
group_allows(struct inet_socket *s, uint32_t interface, const struct ip_address *group, const struct ip_address *from)
{
	struct network *n = network_of(&s->socket);
	bool v4 = ip_address_is_v4(group);
	bool allowed = inet_number_get(&s->socket, v4 ? INET_MULTICAST_ALL : INET6_MULTICAST_ALL) != 0;
	struct membership *m;
	uint32_t at;

	if (!ip_address_is_multicast(group))
		return true;
	spin_lock(&n->groups_lock);
	list_for_each (m, &n->groups, node)
		if (m->socket == s && ip_address_equal(&m->group, group) && (!v4 || m->interface == interface)) {
			allowed = lists(m, from, &at) == m->only_listed;
			break;
		}
	spin_unlock(&n->groups_lock);
	return allowed;
}

/* One entry for each group on an interface, of `count` with a user each, where the first one was. How many are left. */
static uint32_t
join_equals(struct group_info *all, uint32_t count)
{
	uint32_t left = 0, i;

	for (uint32_t k = 0; k < count; k++) {
		for (i = 0; i < left; i++)
			if (all[i].interface == all[k].interface && ip_address_equal(&all[i].group, &all[k].group))
				break;
		if (i < left)
			all[i].users++;
		else
			all[left++] = all[k];
	}
	return left;
}

struct group_info *
network_groups(struct network *n, uint32_t *count)
{
	struct group_info *all = kvmalloc(GROUPS_MAX * sizeof(*all));
	struct membership *m;

	*count = 0;
	if (!all)
		return NULL;
	spin_lock(&n->groups_lock);
	list_for_each (m, &n->groups, node)
		all[(*count)++] = (struct group_info){ .interface = m->interface, .group = m->group, .users = 1 };
	spin_unlock(&n->groups_lock);
	*count = join_equals(all, *count); /* which takes its time, if they are many: without the lock */
	return all;
}

/* --- changes ---------------------------------------------------------------------------------------- */

static void
tell_link(struct network *n, uint32_t interface)
{
	struct interface_info info;

	if (network_interface(n, interface, &info) == 0 && info.link && info.link->groups_changed)
		info.link->groups_changed(n);
}

/* The interface that is meant. -ENODEV. */
static int
find_interface(struct inet_socket *s, const struct group_request *r, uint32_t *out)
{
	struct network *n = network_of(&s->socket);
	bool v4 = ip_address_is_v4(&r->group);
	struct interface_info info;
	struct ip_address none = v4 ? ip_address_v4(0) : (struct ip_address){ 0 };
	struct way w;

	*out = r->interface;
	if (*out)
		return network_interface(n, *out, &info);
	if (v4 && !ip_address_is_any(&r->at)) {
		*out = network_interface_of(n, &r->at);
		return *out ? 0 : -ENODEV;
	}
	if (find_way(n, &r->group, &none, READ_ONCE(s->device), &w))
		return -ENODEV;
	*out = w.interface;
	return 0;
}

/* groups_lock held. NULL: it is no member. */
static struct membership *
find(struct network *n, const struct inet_socket *s, const struct ip_address *group, uint32_t interface)
{
	struct membership *m;

	list_for_each (m, &n->groups, node)
		if (m->socket == s && m->interface == interface && ip_address_equal(&m->group, group))
			return m;
	return NULL;
}

/* Is there room for one more of s? groups_lock held. */
static bool
has_room(struct network *n, const struct inet_socket *s, const struct ip_address *group)
{
	uint32_t of_socket = 0, all = 0;
	struct membership *m;

	list_for_each (m, &n->groups, node) {
		of_socket += m->socket == s;
		all++;
	}
	return of_socket < (ip_address_is_v4(group) ? MEMBERSHIPS_MAX_V4 : MEMBERSHIPS_MAX) && all < GROUPS_MAX;
}

/* -EADDRINUSE, -ENOBUFS. */
static int
join(struct inet_socket *s, const struct ip_address *group, uint32_t interface, bool only_listed)
{
	struct membership *fresh = kzalloc(sizeof(*fresh));
	struct network *n = network_of(&s->socket);
	int error = 0;

	if (!fresh)
		return -ENOBUFS;
	fresh->socket = s;
	fresh->group = *group;
	fresh->interface = interface;
	fresh->only_listed = only_listed;
	spin_lock(&n->groups_lock);
	if (find(n, s, group, interface))
		error = -EADDRINUSE;
	else if (!has_room(n, s, group))
		error = -ENOBUFS;
	else
		list_add_tail(&n->groups, &fresh->node);
	WRITE_ONCE(s->was_member, true);
	spin_unlock(&n->groups_lock);
	if (error)
		kfree(fresh);
	else
		tell_link(n, interface);
	return error;
}

/* `any_interface`: whichever it is. -EADDRNOTAVAIL. */
static int
leave(struct inet_socket *s, const struct ip_address *group, uint32_t interface, bool any_interface)
{
	struct network *n = network_of(&s->socket);
	struct membership *m, *found = NULL;

	spin_lock(&n->groups_lock);
	list_for_each (m, &n->groups, node)
		if (!found && m->socket == s && (any_interface || m->interface == interface) &&
		    ip_address_equal(&m->group, group))
			found = m;
	if (found)
		list_del(&found->node);
	spin_unlock(&n->groups_lock);
	if (!found)
		return -EADDRNOTAVAIL;
	tell_link(n, found->interface);
	kfree(found);
	return 0;
}

void
groups_leave_all(struct inet_socket *s)
{
	struct network *n = network_of(&s->socket);
	struct membership *m, *tmp;
	struct list gone = LIST_INIT(gone);

	if (!READ_ONCE(s->was_member))
		return;
	spin_lock(&n->groups_lock);
	list_for_each_safe (m, tmp, &n->groups, node)
		if (m->socket == s) {
			list_del(&m->node);
			list_add_tail(&gone, &m->node);
		}
	spin_unlock(&n->groups_lock);
	list_for_each_safe (m, tmp, &gone, node) {
		tell_link(n, m->interface);
		kfree(m);
	}
}

/* --- senders ---------------------------------------------------------------------------------------- */

/* Put `source` on the list of m. groups_lock held. */
static int
add_source(struct membership *m, const struct ip_address *source)
{
	uint32_t at;

	if (m->source_count >= (ip_address_is_v4(&m->group) ? SOURCES_MAX_V4 : SOURCES_MAX))
		return -ENOBUFS;
	if (lists(m, source, &at))
		return -EADDRNOTAVAIL;
	m->source[m->source_count++] = *source;
	m->has_list = true;
	return 0;
}

static int
remove_source(struct membership *m, const struct ip_address *source)
{
	uint32_t at;

	if (!lists(m, source, &at))
		return -EADDRNOTAVAIL;
	m->source[at] = m->source[--m->source_count];
	return 0;
}

/* *empty: nobody is heard any more, which is to leave. */
static int
change_source(struct inet_socket *s, const struct group_request *r, uint32_t interface, bool only_listed, bool add,
	      bool *empty)
{
	struct network *n = network_of(&s->socket);
	struct membership *m;
	int error;

	spin_lock(&n->groups_lock);
	m = find(n, s, &r->group, interface);
	if (!m || (m->has_list && m->only_listed != only_listed)) {
		error = -EINVAL;
	} else {
		m->only_listed = only_listed;
		error = add ? add_source(m, &r->source) : remove_source(m, &r->source);
		*empty = !error && only_listed && m->source_count == 0;
	}
	spin_unlock(&n->groups_lock);
	return error;
}

static int
change_list(struct inet_socket *s, enum group_change what, const struct group_request *r, uint32_t interface)
{
	bool only_listed = what == GROUP_JOIN_SOURCE || what == GROUP_LEAVE_SOURCE, empty = false;
	bool add = what == GROUP_JOIN_SOURCE || what == GROUP_BLOCK_SOURCE;
	int error;

	if (what == GROUP_JOIN_SOURCE) {
		error = join(s, &r->group, interface, true);
		if (error && error != -EADDRINUSE)
			return error;
	}
	error = change_source(s, r, interface, only_listed, add, &empty);
	return empty ? leave(s, &r->group, interface, false) : error;
}

int
inet_group_change(struct socket *socket, enum group_change what, const struct group_request *r)
{
	struct inet_socket *s = inet_of(socket);
	uint32_t interface = 0;
	int error;

	if (!ip_address_is_multicast(&r->group))
		return -EINVAL;
	/* Of IPv6 one may leave without saying where. */
	if (what == GROUP_LEAVE && !r->interface && !ip_address_is_v4(&r->group))
		return leave(s, &r->group, 0, true);
	error = find_interface(s, r, &interface);
	if (error)
		return error;
	switch (what) {
	case GROUP_JOIN:
		return join(s, &r->group, interface, false);
	case GROUP_LEAVE:
		return leave(s, &r->group, interface, false);
	default:
		return change_list(s, what, r, interface);
	}
}

/* --- by which interface one sends ------------------------------------------------------------------- */

int
inet_multicast_interface_set(struct socket *socket, uint32_t interface, const struct ip_address *at)
{
	struct inet_socket *s = inet_of(socket);
	struct network *n = network_of(socket);
	struct interface_info info;
	uint32_t device = READ_ONCE(s->device);

	if (!interface && !ip_address_is_any(at)) {
		interface = network_interface_of(n, at);
		if (!interface)
			return -EADDRNOTAVAIL;
	}
	if (interface && network_interface(n, interface, &info))
		return -EADDRNOTAVAIL;
	if (interface && device && device != interface)
		return -EINVAL;
	mutex_lock(&socket->lock);
	WRITE_ONCE(s->multicast_interface, interface);
	s->multicast_source = interface ? *at : ip_address_v4(0);
	mutex_unlock(&socket->lock);
	return 0;
}

int
inet_multicast_interface6_set(struct socket *socket, int interface)
{
	struct inet_socket *s = inet_of(socket);
	uint32_t device = READ_ONCE(s->device);
	struct interface_info info;

	if (interface && network_interface(network_of(socket), (uint32_t)interface, &info))
		return -ENODEV;
	if (interface && device && device != (uint32_t)interface)
		return -EINVAL;
	WRITE_ONCE(s->multicast_interface6, (uint32_t)interface);
	return 0;
}

void
inet_multicast_interface_get(struct socket *socket, struct ip_address *at, uint32_t *interface6)
{
	struct inet_socket *s = inet_of(socket);

	mutex_lock(&socket->lock);
	*at = READ_ONCE(s->multicast_interface) ? s->multicast_source : ip_address_v4(0);
	*interface6 = READ_ONCE(s->multicast_interface6);
	mutex_unlock(&socket->lock);
}
