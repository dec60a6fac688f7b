/* SPDX-License-Identifier: MIT */
/*
 * socket_options_inet.c - setsockopt and getsockopt of the levels below SOL_SOCKET: TCP, UDP, IPv4, IPv6, netlink. tcp(7), udp(7),
 * ip(7), ipv6(7), netlink(7).
 */
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "socket.h"

#define TCP_INFO       11
#define TCP_CONGESTION 13
#define TCP_FASTOPEN   23
#define TCP_FASTOPEN_CONNECT 30

#define CONGESTION_NAME_MAX 16

/* --- setting ------------------------------------------------------------------------------------ */

/* One algorithm is there, by both names that programs ask for. */
static int
set_congestion(const void __user *value, int length)
{
	char name[CONGESTION_NAME_MAX] = { 0 };

	if (length < 1)
		return -EINVAL;
	if (copy_from_user(name, value, MIN((size_t)length, sizeof(name) - 1)))
		return -EFAULT;
	return strcmp(name, "reno") == 0 || strcmp(name, "cubic") == 0 ? 0 : -ENOENT;
}

static int
set_tcp(struct socket *s, int option, const void __user *value, int length)
{
	int n;

	if (option == TCP_CONGESTION)
		return set_congestion(value, length);
	if (length < (int)sizeof(n))
		return -EINVAL;
	if (get_user(n, (const int __user *)value))
		return -EFAULT;
	if (option == TCP_FASTOPEN || option == TCP_FASTOPEN_CONNECT)
		return -EOPNOTSUPP;
	return tcp_option_set(s, option, n);
}

/* --- numbers of ip(7), ipv6(7), udp(7) ------------------------------------------------------------ */

#define NO_OPTION (-1)

static int
v4_option(int option)
{
	switch (option) {
	case 1:
		return INET_TOS;
	case 2:
		return INET_TTL;
	case 3:
		return INET_HEADER_INCLUDED;
	case 6:
		return INET_RECEIVE_OPTIONS;
	case 8:
		return INET_PACKET_INFO;
	case 10:
		return INET_MTU_DISCOVER;
	case 11:
		return INET_RECEIVE_ERRORS;
	case 12:
		return INET_RECEIVE_TTL;
	case 13:
		return INET_RECEIVE_TOS;
	case 15:
		return INET_FREE_BIND;
	case 19:
		return INET_TRANSPARENT;
	case 20:
		return INET_RECEIVE_DESTINATION;
	case 21:
		return INET_MIN_TTL;
	case 23:
		return INET_CHECKSUM;
	case 24:
		return INET_BIND_LATE;
	case 25:
		return INET_RECEIVE_FRAGMENT_SIZE;
	case 33:
		return INET_MULTICAST_TTL;
	case 34:
		return INET_MULTICAST_LOOP;
	case 49:
		return INET_MULTICAST_ALL;
	default:
		return NO_OPTION;
	}
}

#define IP_MTU       14
#define IPV6_V6ONLY  26
#define IPV6_MTU     24
#define IPV6_CHECKSUM 7

static int
v6_option(int option)
{
	switch (option) {
	case 16:
		return INET6_HOPS;
	case 18:
		return INET6_MULTICAST_HOPS;
	case 19:
		return INET6_MULTICAST_LOOP;
	case 23:
		return INET6_MTU_DISCOVER;
	case 25:
		return INET6_RECEIVE_ERRORS;
	case 29:
		return INET6_MULTICAST_ALL;
	case 49:
		return INET6_PACKET_INFO;
	case 51:
		return INET6_RECEIVE_HOPS;
	case 62:
		return INET6_DONT_FRAGMENT;
	case 66:
		return INET6_RECEIVE_CLASS;
	case 67:
		return INET6_CLASS;
	case 70:
		return INET6_AUTO_FLOW_LABEL;
	case 73:
		return INET6_MIN_HOPS;
	case 74:
		return INET6_RECEIVE_DESTINATION;
	case 75:
		return INET6_TRANSPARENT;
	case 78:
		return INET6_FREE_BIND;
	default:
		return NO_OPTION;
	}
}

/* What sockets of a kind have no use for: 0, or the errno that setting it is. */
static int
check_kind(const struct socket *s, int which)
{
	bool stream = s->type == SOCK_STREAM;

	switch (which) {
	case INET_HEADER_INCLUDED:
		return s->type == SOCK_RAW ? 0 : -ENOPROTOOPT;
	case INET_MULTICAST_TTL:
	case INET_RECEIVE_FRAGMENT_SIZE:
		return stream ? -EINVAL : 0;
	case INET6_MULTICAST_HOPS:
		return stream ? -ENOPROTOOPT : 0;
	default:
		return 0;
	}
}

/* IPv4's may come in one byte. */
static int
get_number(const void __user *value, int length, bool byte_will_do, int *n)
{
	uint8_t byte;

	if (length >= (int)sizeof(*n))
		return get_user(*n, (const int __user *)value);
	if (!byte_will_do || length < 1)
		return -EINVAL;
	if (get_user(byte, (const uint8_t __user *)value))
		return -EFAULT;
	*n = byte;
	return 0;
}

static int
set_ip(struct socket *s, int option, const void __user *value, int length)
{
	int which = v4_option(option), n, error;

	if (which == NO_OPTION)
		return inet_group_option_set(s, IPPROTO_IP, option, value, length);
	error = get_number(value, length, true, &n);
	if (!error)
		error = check_kind(s, which);
	return error ? error : inet_number_set(s, (enum inet_option)which, n);
}

static int
set_ipv6(struct socket *s, int option, const void __user *value, int length)
{
	int which = v6_option(option), n, error;

	if (s->family != AF_INET6)
		return -ENOPROTOOPT;
	if (which == NO_OPTION && option != IPV6_V6ONLY && option != IPV6_CHECKSUM)
		return inet_group_option_set(s, IPPROTO_IPV6, option, value, length);
	error = get_number(value, length, false, &n);
	if (!error)
		error = check_kind(s, which);
	if (error)
		return error;
	if (option == IPV6_CHECKSUM)
		return s->type == SOCK_RAW ? raw_checksum_set(s, n, false) : -ENOPROTOOPT;
	return which == NO_OPTION ? inet_set_only_v6(s, n) : inet_number_set(s, (enum inet_option)which, n);
}

/* --- raw(7) --------------------------------------------------------------------------------------- */

#define SOL_ICMPV6   58
#define SOL_RAW      255
#define ICMP_FILTER  1       /* ICMP6_FILTER is as well */
#define ICMP6_WORDS  8

/* The filter of types at `level`: how many words. 0: the socket has none there. */
static unsigned
filter_words(const struct socket *s, int level)
{
	if (level == SOL_RAW)
		return s->family == AF_INET && s->protocol == 1 ? 1 : 0;
	return s->family == AF_INET6 && s->protocol == SOL_ICMPV6 ? ICMP6_WORDS : 0;
}

static int
set_raw(struct socket *s, int level, int option, const void __user *value, int length)
{
	unsigned words = filter_words(s, level);
	uint32_t filter[ICMP6_WORDS];
	int n, error;

	if (s->family == AF_INET6 && level == SOL_RAW && option == IPV6_CHECKSUM) {
		error = get_number(value, length, false, &n);
		return error ? error : raw_checksum_set(s, n, true);
	}
	if (option != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (words == 0)
		return -EOPNOTSUPP;
	/* What is not given stays as it is. */
	raw_filter_get(s, filter, words);
	if (copy_from_user(filter, value, MIN((size_t)length, words * sizeof(uint32_t))))
		return -EFAULT;
	return raw_filter_set(s, filter, words);
}

#define UDP_CORK    1
#define UDP_SEGMENT 103
#define UDP_GRO     104

static int
set_udp(struct socket *s, int option, const void __user *value, int length)
{
	int n, error = get_number(value, length, false, &n);

	if (error)
		return error;
	switch (option) {
	case UDP_CORK:
		return udp_cork_set(s, n);
	case UDP_SEGMENT:
		return udp_segment_set(s, n);
	case UDP_GRO: /* datagrams may be handed over one by one even so */
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

#define SOL_PACKET  263
#define SOL_NETLINK 270

static int
set_netlink(struct socket *s, int option, const void __user *value, int length)
{
	int n;

	if (length < (int)sizeof(n))
		return -EINVAL;
	if (get_user(n, (const int __user *)value))
		return -EFAULT;
	return netlink_option(s, option, n);
}

int
inet_option_set(struct socket *s, int level, int option, const void __user *value, int length)
{
	if (s->family == AF_NETLINK)
		return level == SOL_NETLINK ? set_netlink(s, option, value, length) : -ENOPROTOOPT;
	if (s->family == AF_PACKET)
		return level == SOL_PACKET ? packet_socket_option_set(s, option, value, length) : -ENOPROTOOPT;
	if (level == IPPROTO_TCP && s->type == SOCK_STREAM)
		return set_tcp(s, option, value, length);
	if (level == IPPROTO_UDP && s->type == SOCK_DGRAM && s->protocol == IPPROTO_UDP)
		return set_udp(s, option, value, length);
	if (s->type == SOCK_RAW && (level == SOL_RAW || level == SOL_ICMPV6))
		return set_raw(s, level, option, value, length);
	if (level == IPPROTO_IP)
		return set_ip(s, option, value, length);
	if (level == IPPROTO_IPV6)
		return set_ipv6(s, option, value, length);
	return -ENOPROTOOPT;
}

/* --- getting ------------------------------------------------------------------------------------ */

static int
put_option(const void *from, size_t size, int room, void __user *value, int __user *length)
{
	room = MIN(room, (int)size);
	if (put_user(room, length) || copy_to_user(value, from, (size_t)room))
		return -EFAULT;
	return 0;
}

static int
get_info(struct socket *s, int room, void __user *value, int __user *length)
{
	struct tcp_info i;
	struct tcp_report r;

	tcp_report(s, &r);
	tcp_info(&r, &i);
	return put_option(&i, sizeof(i), room, value, length);
}

static int
get_tcp(struct socket *s, int option, int room, void __user *value, int __user *length)
{
	static const char congestion[CONGESTION_NAME_MAX] = "cubic";
	int n, error;

	if (option == TCP_INFO)
		return get_info(s, room, value, length);
	if (option == TCP_CONGESTION)
		return put_option(congestion, sizeof(congestion), room, value, length);
	if (option == TCP_FASTOPEN || option == TCP_FASTOPEN_CONNECT) {
		n = 0;
		return put_option(&n, sizeof(n), room, value, length);
	}
	error = tcp_option_get(s, option, &n);
	return error ? error : put_option(&n, sizeof(n), room, value, length);
}

/* As long as the number fits into a byte, IPv4's may be asked for in one. */
static int
put_number(int n, bool byte_will_do, int room, void __user *value, int __user *length)
{
	uint8_t byte = (uint8_t)n;

	if (byte_will_do && room > 0 && room < (int)sizeof(n) && n >= 0 && n <= (int)UINT8_MAX)
		return put_option(&byte, 1, room, value, length);
	return put_option(&n, sizeof(n), room, value, length);
}

static int
get_ip(struct socket *s, int level, int option, int room, void __user *value, int __user *length)
{
	int which = level == IPPROTO_IP ? v4_option(option) : v6_option(option), error;
	uint32_t word;

	if (level == IPPROTO_IPV6 && s->family != AF_INET6)
		return -ENOPROTOOPT;
	if (level == IPPROTO_IPV6 && option == IPV6_V6ONLY)
		return put_number(inet_is_only_v6(s), false, room, value, length);
	if (level == IPPROTO_IPV6 && option == IPV6_CHECKSUM && s->type == SOCK_RAW)
		return put_number(raw_checksum_get(s), false, room, value, length);
	if (level == IPPROTO_IP ? option == IP_MTU : option == IPV6_MTU) {
		error = inet_path_mtu(s);
		return error < 0 ? error : put_number(error, level == IPPROTO_IP, room, value, length);
	}
	if (which == NO_OPTION) {
		error = inet_group_option_get(s, level, option, &word);
		return error ? error : put_option(&word, sizeof(word), room, value, length);
	}
	return put_number(inet_number_get(s, (enum inet_option)which), level == IPPROTO_IP, room, value, length);
}

static int
get_memberships(struct socket *s, int room, void __user *value, int __user *length)
{
	uint32_t words[NETLINK_GROUP_WORDS];
	unsigned count = netlink_groups_get(s, words), fit = MIN(count, (unsigned)room / (unsigned)sizeof(words[0]));

	if (copy_to_user(value, words, fit * sizeof(words[0])) || put_user((int)(count * sizeof(words[0])), length))
		return -EFAULT;
	return 0;
}

static int
get_netlink(struct socket *s, int option, int room, void __user *value, int __user *length)
{
	int n;

	if (option == NETLINK_LIST_MEMBERSHIPS)
		return get_memberships(s, room, value, length);
	n = netlink_option_get(s, option);
	if (n < 0)
		return n;
	return room < (int)sizeof(n) ? -EINVAL : put_option(&n, sizeof(n), room, value, length);
}

static int
get_udp(struct socket *s, int option, int room, void __user *value, int __user *length)
{
	int segment;
	bool cork;

	udp_options_get(s, &cork, &segment);
	if (option != UDP_CORK && option != UDP_SEGMENT && option != UDP_GRO)
		return -ENOPROTOOPT;
	return put_number(option == UDP_CORK ? cork : option == UDP_SEGMENT ? segment : 0, false, room, value, length);
}

static int
get_raw(struct socket *s, int level, int option, int room, void __user *value, int __user *length)
{
	unsigned words = filter_words(s, level);
	uint32_t filter[ICMP6_WORDS];

	if (s->family == AF_INET6 && level == SOL_RAW && option == IPV6_CHECKSUM)
		return put_number(raw_checksum_get(s), false, room, value, length);
	if (option != ICMP_FILTER)
		return -ENOPROTOOPT;
	if (words == 0)
		return -EOPNOTSUPP;
	raw_filter_get(s, filter, words);
	return put_option(filter, words * sizeof(uint32_t), room, value, length);
}

int
inet_option_get(struct socket *s, int level, int option, void __user *value, int __user *length)
{
	int room;

	if (s->family == AF_PACKET)
		return level == SOL_PACKET ? packet_socket_option_get(s, option, value, length) : -ENOPROTOOPT;
	if (s->family == AF_NETLINK && level != SOL_NETLINK)
		return -ENOPROTOOPT;
	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (s->family == AF_NETLINK)
		return get_netlink(s, option, room, value, length);
	if (level == IPPROTO_TCP && s->type == SOCK_STREAM)
		return get_tcp(s, option, room, value, length);
	if (level == IPPROTO_UDP && s->type == SOCK_DGRAM && s->protocol == IPPROTO_UDP)
		return get_udp(s, option, room, value, length);
	if (s->type == SOCK_RAW && (level == SOL_RAW || level == SOL_ICMPV6))
		return get_raw(s, level, option, room, value, length);
	if (level == IPPROTO_IP || level == IPPROTO_IPV6)
		return get_ip(s, level, option, room, value, length);
	return -ENOPROTOOPT;
}
