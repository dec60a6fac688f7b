/* SPDX-License-Identifier: MIT */
/*
 * uevent.c - NETLINK_KOBJECT_UEVENT: what udev(7) is told of interfaces that come, go and are called another name.
 *
 * A message is a line "action@path", then "NAME=value" lines; each ends with a zero byte. The kernel's go to group 1;
 * udev's own, which programs send, to group 2. Interfaces are told of in their network.
 */
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/string.h>

#include "netlink.h"

#define GROUPS       32u
#define GROUP_KERNEL 1u
#define TEXT_MAX     512u

static uint64_t last_number; /* [a] of all messages */

uint64_t
netlink_last_event(void)
{
	return READ_ONCE(last_number);
}

/* Programs may have the kernel say something to containers on Linux. */
static int
request(const struct netlink_request *r, struct netlink_out *o)
{
	return r->privileged ? -EOPNOTSUPP : -EPERM;
}

const struct netlink_protocol netlink_uevent = { .name = "kobject_uevent", .groups = GROUPS, .request = request };

void
netlink_interface_event(struct network *n, const char *action, const struct interface_info *i, const char *old)
{
	uint64_t number = atomic_add_fetch(&last_number, 1);
	struct netlink_out o = { 0 };
	char text[TEXT_MAX];
	size_t used;

	if (!netlink_has_listeners(n, NETLINK_KOBJECT_UEVENT, GROUP_KERNEL))
		return;
#define PATH "/devices/virtual/net/"
	used = (size_t)snprintf(text, sizeof(text), "%s@" PATH "%s\nACTION=%s\nDEVPATH=" PATH "%s\nSUBSYSTEM=net\n", action,
				i->name, action, i->name);
	if (old)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "DEVPATH_OLD=" PATH "%s\n", old);
#undef PATH
	used += (size_t)snprintf(text + used, sizeof(text) - used, "INTERFACE=%s\nIFINDEX=%u\nSEQNUM=%lu\n", i->name, i->index,
				 number);
	for (size_t k = 0; k < used; k++)
		if (text[k] == '\n')
			text[k] = '\0';
	o.packet = packet_create(used);
	o.used = used;
	if (!o.packet)
		return;
	memcpy(o.packet->data, text, used);
	netlink_tell_group(n, NETLINK_KOBJECT_UEVENT, GROUP_KERNEL, &o);
}
