/* SPDX-License-Identifier: MIT */
/* netlink.h - messages of AF_NETLINK, looked at. netlink(7). */
#ifndef ABI_NETLINK_H
#define ABI_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stddef.h>

/* The attribute of this type behind a message's `body` bytes, or NULL. */
static inline const struct rtattr *
netlink_attribute(const struct nlmsghdr *h, size_t body, uint16_t type)
{
	const struct rtattr *a = (const struct rtattr *)((const char *)NLMSG_DATA(h) + NLMSG_ALIGN(body));
	int left = (int)(h->nlmsg_len - NLMSG_LENGTH(body));

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == type)
			return a;
	return NULL;
}

#endif
