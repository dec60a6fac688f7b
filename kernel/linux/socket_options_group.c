/* SPDX-License-Identifier: MIT */
/*
 * socket_options_group.c - options of IPv4 and IPv6 about multicast groups: who is a member, by which interface one sends. ip(7),
 * ipv6(7), RFC 3678.
 */
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "socket.h"

#define IP_MULTICAST_IF           32
#define IP_ADD_MEMBERSHIP         35
#define IP_DROP_MEMBERSHIP        36
#define IP_UNBLOCK_SOURCE         37
#define IP_BLOCK_SOURCE           38
#define IP_ADD_SOURCE_MEMBERSHIP  39
#define IP_DROP_SOURCE_MEMBERSHIP 40
#define MCAST_JOIN_GROUP          42 /* of both versions, as the next ones are */
#define MCAST_BLOCK_SOURCE        43
#define MCAST_UNBLOCK_SOURCE      44
#define MCAST_LEAVE_GROUP         45
#define MCAST_JOIN_SOURCE_GROUP   46
#define MCAST_LEAVE_SOURCE_GROUP  47
#define IPV6_MULTICAST_IF         17
#define IPV6_ADD_MEMBERSHIP       20
#define IPV6_DROP_MEMBERSHIP      21

/* struct ip_mreqn, and without its last word struct ip_mreq. */
struct linux_mreqn {
	uint32_t group, address;
	int32_t interface;
};
_Static_assert(sizeof(struct linux_mreqn) == 12, "Linux's layout");
#define MREQ_SIZE 8

struct linux_mreq_source {
	uint32_t group, address, source;
};
_Static_assert(sizeof(struct linux_mreq_source) == 12, "Linux's layout");

struct linux_ipv6_mreq {
	uint8_t group[16];
	int32_t interface;
};
_Static_assert(sizeof(struct linux_ipv6_mreq) == 20, "Linux's layout");

/* struct group_source_req, and without its last part struct group_req; addresses are a sockaddr_storage. */
struct linux_group_source {
	uint32_t interface;
	uint32_t pad;
	uint8_t group[SOCKET_ADDRESS_MAX];
	uint8_t source[SOCKET_ADDRESS_MAX];
};
_Static_assert(sizeof(struct linux_group_source) == 264, "Linux's layout");
#define GROUP_REQ_SIZE 136

/* --- IPv4's own ------------------------------------------------------------------------------------- */

static int
change_v4(struct socket *s, enum group_change what, const void __user *value, int length)
{
	struct linux_mreqn r = { 0 };
	struct group_request g;

	if (s->type == SOCK_STREAM)
		return -EPROTO;
	if (length < MREQ_SIZE)
		return -EINVAL;
	if (copy_from_user(&r, value, MIN((size_t)length, sizeof(r)) & ~3ul))
		return -EFAULT;
	if (length < (int)sizeof(r))
		r.interface = 0;
	g = (struct group_request){ .group = ip_address_v4(r.group), .at = ip_address_v4(r.address),
				    .interface = (uint32_t)r.interface };
	return inet_group_change(s, what, &g);
}

static int
change_source_v4(struct socket *s, enum group_change what, const void __user *value, int length)
{
	struct linux_mreq_source r;
	struct group_request g;

	if (length != (int)sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, value, sizeof(r)))
		return -EFAULT;
	g = (struct group_request){ .group = ip_address_v4(r.group), .source = ip_address_v4(r.source),
				    .at = ip_address_v4(r.address) };
	return inet_group_change(s, what, &g);
}

static int
set_interface_v4(struct socket *s, const void __user *value, int length)
{
	size_t size = length >= (int)sizeof(struct linux_mreqn) ? sizeof(struct linux_mreqn)
		      : length >= MREQ_SIZE			? MREQ_SIZE
								: sizeof(uint32_t);
	struct linux_mreqn r = { 0 };
	struct ip_address at;

	if (s->type == SOCK_STREAM || length < (int)sizeof(r.address))
		return -EINVAL;
	if (copy_from_user(&r, value, size))
		return -EFAULT;
	/* The address alone, or where a struct has it. */
	at = ip_address_v4(size == sizeof(uint32_t) ? r.group : r.address);
	return inet_multicast_interface_set(s, (uint32_t)r.interface, &at);
}

/* --- IPv6's own, and those of both ------------------------------------------------------------------ */

static int
change_v6(struct socket *s, enum group_change what, const void __user *value, int length)
{
	struct linux_ipv6_mreq r;
	struct group_request g = { 0 };

	if (length < (int)sizeof(r))
		return -EINVAL;
	if (s->type == SOCK_STREAM)
		return -EPROTO;
	if (copy_from_user(&r, value, sizeof(r)))
		return -EFAULT;
	memcpy(g.group.bytes, r.group, sizeof(r.group));
	g.interface = (uint32_t)r.interface;
	if (ip_address_is_v4(&g.group))
		return -EINVAL;
	return inet_group_change(s, what, &g);
}

/* The address in a sockaddr of the version that the level is of. */
static int
address_of(const uint8_t *sockaddr, int level, struct ip_address *out)
{
	uint16_t family;
	uint32_t v4;

	memcpy(&family, sockaddr, sizeof(family));
	if (family != (level == IPPROTO_IP ? AF_INET : AF_INET6))
		return level == IPPROTO_IP ? -EINVAL : -EADDRNOTAVAIL;
	if (level == IPPROTO_IP) {
		memcpy(&v4, sockaddr + 4, sizeof(v4));
		*out = ip_address_v4(v4);
	} else {
		memcpy(out->bytes, sockaddr + 8, sizeof(out->bytes));
	}
	return 0;
}

static int
change_any(struct socket *s, int level, enum group_change what, const void __user *value, int length)
{
	bool has_source = what != GROUP_JOIN && what != GROUP_LEAVE;
	size_t size = has_source ? sizeof(struct linux_group_source) : GROUP_REQ_SIZE;
	struct linux_group_source r;
	struct group_request g = { 0 };
	int error;

	if (length < (int)size)
		return -EINVAL;
	if (s->type == SOCK_STREAM && !has_source)
		return -EPROTO;
	if (copy_from_user(&r, value, size))
		return -EFAULT;
	error = address_of(r.group, level, &g.group);
	if (!error && has_source)
		error = address_of(r.source, level, &g.source);
	if (error)
		return error;
	g.interface = r.interface;
	g.at = ip_address_v4(0);
	return inet_group_change(s, what, &g);
}

static int
set_of_both(struct socket *s, int level, int option, const void __user *value, int length)
{
	switch (option) {
	case MCAST_JOIN_GROUP:
		return change_any(s, level, GROUP_JOIN, value, length);
	case MCAST_LEAVE_GROUP:
		return change_any(s, level, GROUP_LEAVE, value, length);
	case MCAST_BLOCK_SOURCE:
		return change_any(s, level, GROUP_BLOCK_SOURCE, value, length);
	case MCAST_UNBLOCK_SOURCE:
		return change_any(s, level, GROUP_UNBLOCK_SOURCE, value, length);
	case MCAST_JOIN_SOURCE_GROUP:
		return change_any(s, level, GROUP_JOIN_SOURCE, value, length);
	case MCAST_LEAVE_SOURCE_GROUP:
		return change_any(s, level, GROUP_LEAVE_SOURCE, value, length);
	default:
		return -ENOPROTOOPT;
	}
}

int
inet_group_option_set(struct socket *s, int level, int option, const void __user *value, int length)
{
	int n;

	if (level == IPPROTO_IPV6) {
		switch (option) {
		case IPV6_ADD_MEMBERSHIP:
			return change_v6(s, GROUP_JOIN, value, length);
		case IPV6_DROP_MEMBERSHIP:
			return change_v6(s, GROUP_LEAVE, value, length);
		case IPV6_MULTICAST_IF:
			if (s->type == SOCK_STREAM)
				return -ENOPROTOOPT;
			if (length < (int)sizeof(n))
				return -EINVAL;
			return get_user(n, (const int __user *)value) ? -EFAULT : inet_multicast_interface6_set(s, n);
		default:
			return set_of_both(s, level, option, value, length);
		}
	}
	switch (option) {
	case IP_MULTICAST_IF:
		return set_interface_v4(s, value, length);
	case IP_ADD_MEMBERSHIP:
		return change_v4(s, GROUP_JOIN, value, length);
	case IP_DROP_MEMBERSHIP:
		return change_v4(s, GROUP_LEAVE, value, length);
	case IP_BLOCK_SOURCE:
		return change_source_v4(s, GROUP_BLOCK_SOURCE, value, length);
	case IP_UNBLOCK_SOURCE:
		return change_source_v4(s, GROUP_UNBLOCK_SOURCE, value, length);
	case IP_ADD_SOURCE_MEMBERSHIP:
		return change_source_v4(s, GROUP_JOIN_SOURCE, value, length);
	case IP_DROP_SOURCE_MEMBERSHIP:
		return change_source_v4(s, GROUP_LEAVE_SOURCE, value, length);
	default:
		return set_of_both(s, level, option, value, length);
	}
}

int
inet_group_option_get(struct socket *s, int level, int option, uint32_t *out)
{
	struct ip_address at;
	uint32_t interface6;

	inet_multicast_interface_get(s, &at, &interface6);
	if (level == IPPROTO_IP && option == IP_MULTICAST_IF)
		*out = at.words[3];
	else if (level == IPPROTO_IPV6 && option == IPV6_MULTICAST_IF)
		*out = interface6;
	else
		return -ENOPROTOOPT;
	return 0;
}
