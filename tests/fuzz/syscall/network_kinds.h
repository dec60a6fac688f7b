/* SPDX-License-Identifier: MIT */
/*
 * network_kinds.h - what arguments of the network's calls can be; part of kinds.c, whose words these are.
 *
 * Addresses are those that lead somewhere in a program's own network (lo, which is up) and some that do not;
 * ports are three, so that sockets meet. Options go by their numbers: each level's are few, and what is none belongs
 * to the test.
 */
#ifndef FUZZ_NETWORK_KINDS_H
#define FUZZ_NETWORK_KINDS_H

#include "../../../abi/netd.h"

#define D(n) { #n, n }

SET(inet_domains, N(AF_INET), N(AF_INET6))
SET(inet_protocols, D(0), D(0), D(0), D(1), D(6), D(17), D(58), D(136), D(255))
SET(raw_types, N(SOCK_RAW), N(SOCK_DGRAM), N(SOCK_RAW | SOCK_NONBLOCK), N(SOCK_DGRAM | SOCK_NONBLOCK))
SET(netlink_protocols, D(0), D(0), D(4), D(15), D(16), D(12))
/* in the network's order */
SET(frame_protocols, D(0), { "0x300", 0x300 }, { "0x8", 0x8 }, { "0xdd86", 0xdd86 }, { "0x608", 0x608 })
SET(ports, { "0x5000", 0x5000 }, { "0x5100", 0x5100 }, { "0x5200", 0x5200 }, { "0", 0 })
/* 127.0.0.1, 127.0.0.2, 0.0.0.0, 10.9.0.1 and .2, 224.1.2.3, 255.255.255.255, 192.0.2.1, as they lie in memory. */
SET(v4_addresses, { "0x100007f", 0x100007f }, { "0x100007f", 0x100007f }, { "0x200007f", 0x200007f },
    { "0", 0 }, { "0x100090a", 0x100090a }, { "0x200090a", 0x200090a }, { "0x30201e0", 0x30201e0 },
    { "0xffffffff", 0xffffffff }, { "0x10200c0", 0x10200c0 })
/* Halves of ::1, ::, ::ffff:127.0.0.1, fe80::1, fd00::1, ff02::1. */
SET(v6_heads, { "0", 0 }, { "0", 0 }, { "0x80fe", 0x80fe }, { "0xfd", 0xfd }, { "0x2ff", 0x2ff })
SET(v6_tails, { "0x100000000000000", 1ul << 56 }, { "0x100000000000000", 1ul << 56 }, { "0", 0 },
    { "0x100007fffff0000", 0x100007fffff0000 }, { "0x200000000000000", 2ul << 56 })
SET(address_sizes, { "16", 16 }, { "16", 16 }, { "28", 28 }, { "28", 28 }, { "12", 12 }, { "20", 20 },
    { "2", 2 }, { "0", 0 })
SET(inet_families, N(AF_INET), N(AF_INET), N(AF_INET6), N(AF_INET6), N(AF_UNSPEC))
SET(net_numbers, { "0", 0 }, { "1", 1 }, { "2", 2 }, { "8", 8 }, { "64", 64 }, { "255", 255 }, { "1280", 1280 },
    { "65536", 65536 }, { "0xffffffff", 0xffffffff }, { "0x7fffffff", 0x7fffffff })
SET(interfaces, { "1", 1 }, { "0", 0 }, { "2", 2 }, { "3", 3 }, { "0xffffffff", 0xffffffff })
SET(socket_all, D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(15),
    D(16), D(18), D(19), D(20), D(21), D(25), D(27), D(28), D(29), D(30), D(31), D(32), D(33), D(34), D(35),
    D(36), D(37), D(38), D(39), D(40), D(41), D(42), D(43), D(44), D(45), D(46), D(47), D(48), D(49), D(55),
    D(56), D(57), D(59), D(60), D(61), D(62), D(63), D(64), D(65), D(66), D(67), D(69), D(70), D(72), D(73),
    D(74))
SET(ip_all, D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(15),
    D(18), D(19), D(20), D(21), D(22), D(23), D(24), D(25), D(32), D(33), D(34), D(49), D(50), D(51))
SET(ipv6_all, D(1), D(2), D(3), D(6), D(7), D(8), D(9), D(11), D(15), D(16), D(17), D(18), D(19), D(22), D(23),
    D(24), D(25), D(26), D(29), D(30), D(33), D(49), D(50), D(51), D(52), D(53), D(54), D(55), D(56), D(57),
    D(58), D(59), D(60), D(61), D(62), D(66), D(67), D(70), D(72), D(73), D(74), D(75), D(76), D(78))
SET(tcp_all, D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(16),
    D(18), D(19), D(20), D(21), D(22), D(23), D(24), D(25), D(26), D(27), D(28), D(29), D(30), D(31), D(32),
    D(33), D(35), D(36), D(37))
SET(packet_all, D(1), D(2), D(5), D(6), D(7), D(8), D(9), D(10), D(11), D(12), D(13), D(14), D(15), D(16),
    D(17), D(18), D(19), D(20), D(21), D(22), D(23))
SET(option_sizes, D(4), D(4), D(4), D(8), D(12), D(16), D(1), D(0), D(36), { "0xffffffff", 0xffffffff })
SET(group_sizes, D(136), D(264), D(12), D(8), D(20), D(4))
SET(value_rooms, D(4), D(8), D(16), D(256), D(1), D(0), { "0xffffffff", 0xffffffff })
SET(few, D(1), D(2), D(3), D(4), D(5), D(7), D(8), D(9), D(10), D(11), D(12), D(100), D(101), D(103), D(104))
SET(net_levels, D(1), D(0), D(6), D(17), D(41), D(58), D(255), D(263), D(270))
SET(group_options, D(35), D(36), D(39), D(40), D(42), D(43), D(44), D(45), D(46), D(47), D(20), D(21))
/* IP_TOS .. IPV6_PKTINFO, IPV6_TCLASS, UDP_SEGMENT */
SET(ip_cmsgs, D(1), D(2), D(8), D(49), D(50), D(51), D(52), D(66), D(67), D(103))
SET(cmsg_levels, D(0), D(41), D(1), D(17))
SET(net_ioctls, { "SIOCGIFNAME", 0x8910 }, { "SIOCGIFCONF", 0x8912 }, { "SIOCGIFFLAGS", 0x8913 },
    { "SIOCSIFFLAGS", 0x8914 }, { "SIOCGIFADDR", 0x8915 }, { "SIOCSIFADDR", 0x8916 },
    { "SIOCGIFDSTADDR", 0x8917 }, { "SIOCSIFDSTADDR", 0x8918 }, { "SIOCGIFBRDADDR", 0x8919 },
    { "SIOCSIFBRDADDR", 0x891a }, { "SIOCGIFNETMASK", 0x891b }, { "SIOCSIFNETMASK", 0x891c },
    { "SIOCGIFMETRIC", 0x891d }, { "SIOCGIFMTU", 0x8921 }, { "SIOCSIFMTU", 0x8922 }, { "SIOCSIFNAME", 0x8923 },
    { "SIOCGIFHWADDR", 0x8927 }, { "SIOCSIFHWADDR", 0x8924 }, { "SIOCADDMULTI", 0x8931 },
    { "SIOCGIFINDEX", 0x8933 }, { "SIOCGIFTXQLEN", 0x8942 }, { "SIOCSIFTXQLEN", 0x8943 },
    { "SIOCETHTOOL", 0x8946 }, { "SIOCGARP", 0x8954 }, { "SIOCSARP", 0x8955 }, { "SIOCGIFMAP", 0x8970 },
    { "SIOCATMARK", 0x8905 }, { "SIOCGSTAMP", 0x8906 }, { "SIOCOUTQNSD", 0x894b })
SET(route_ioctls, { "SIOCADDRT", 0x890b }, { "SIOCDELRT", 0x890c })
SET(link_flags, { "0", 0 }, { "1", 1 }, { "0x1043", 0x1043 }, { "0x100", 0x100 }, { "0x1001", 0x1001 },
    { "0x1002", 0x1002 })
SET(tun_ioctls, { "TUNSETIFF", 0x400454ca }, { "TUNSETPERSIST", 0x400454cb }, { "TUNSETOWNER", 0x400454cc },
    { "TUNSETGROUP", 0x400454ce }, { "TUNGETFEATURES", 0x800454cf }, { "TUNSETOFFLOAD", 0x400454d0 },
    { "TUNGETIFF", 0x800454d2 }, { "TUNGETSNDBUF", 0x800454d3 }, { "TUNSETSNDBUF", 0x400454d4 },
    { "TUNSETCARRIER", 0x400454e2 })
SET(names, { "0x6f6c", 0x6f6c }, { "0x6f6c", 0x6f6c }, { "0x306e7574", 0x306e7574 }, { "0x61", 0x61 },
    { "0x64256e7574", 0x64256e7574 }, { "0x313a6f6c", 0x313a6f6c }, { "0", 0 })
/* Netlink: what a request is about and does; each attribute a number or an address. */
SET(link_messages, D(16), D(17), D(18), D(19), { "88", 88 }, { "92", 92 })
SET(address_messages, D(20), D(21), D(22))
SET(route_messages, D(24), D(25), D(26), D(32), D(33), D(34), D(104), D(106))
SET(neighbour_messages, D(28), D(29), D(30))
SET(message_bits, { "1", 1 }, { "5", 5 }, { "0x301", 0x301 }, { "0x405", 0x405 }, { "0x605", 0x605 },
    { "0x505", 0x505 }, { "0xd", 0xd }, { "0x105", 0x105 })
SET(attributes, D(1), D(2), D(3), D(4), D(5), D(6), D(7), D(8), D(9), D(12), D(15), D(16), D(18), D(20), D(24),
    D(29))
SET(attribute_sizes, D(16), D(20), D(20), D(28), D(0), D(8), D(1000))
SET(number_sizes, D(8), D(8), D(8), D(8), D(4), D(5), D(6), D(0), D(1000))
SET(long_sizes, D(20), D(20), D(20), D(8), D(12), D(0), D(21))
SET(prefixes, D(8), D(16), D(24), D(32), D(64), D(128), D(0), D(129))
SET(route_types, D(1), D(1), D(2), D(3), D(6), D(7), D(8), D(5))
SET(tables, D(254), D(255), D(0), D(253), D(7))
SET(scopes, D(0), D(253), D(254), D(255))
SET(diag_protocols, D(6), D(17), D(255), D(1), D(136), D(132))
/* The network stack's door: its calls, what it maps, and what may stand there. abi/netd.h */
SET(door_maps, { "0", 0 }, { "0x1000", 0x1000 }, { "0x2000", 0x2000 }, { "0x100000", 0x100000 },
    { "0x200000", 0x200000 }, { "0x400000", 0x400000 }, { "0x10000000", 0x10000000 },
    { "0x20000000", 0x20000000 }, { "0x40000000", 0x40000000 })
SET(door_calls, N(NETD_SET_LINK), N(NETD_GET_TABLE), N(NETD_SET_NEIGHBOUR), N(NETD_ADD_ADDRESS),
    N(NETD_ADD_ROUTE))
SET(door_nics, N(NETD_ADD_INTERFACE))
SET(door_accepts, N(NETD_ACCEPT))
SET(frame_kinds, D(4), D(4), D(4), D(5), D(6), D(7), D(8), D(0), D(1), D(9))
SET(frame_sizes, D(20), D(28), D(40), D(48), D(60), D(64), D(0), D(65600), { "0x100000", 0x100000 })
SET(frame_heads, D(0), D(96), D(112), D(128), D(32), { "0x100000", 0x100000 })
/* First words of packets: IPv4 of UDP, ICMP and raw with and without fragments, IPv6. */
SET(packet_words, { "0x1c000045", 0x1c000045 }, { "0x30000045", 0x30000045 }, { "0x60", 0x60 },
    { "0x1c00004f", 0x1c00004f }, { "0xffff0045", 0xffff0045 })
SET(packet_protocols, D(17), D(1), D(6), D(58), D(255), D(2), D(0), D(44))

#define NETWORK_SETS(X) \
	X(inet_domains, KIND_CHOICE) X(inet_protocols, KIND_CHOICE) X(raw_types, KIND_CHOICE) \
	X(netlink_protocols, KIND_CHOICE) X(frame_protocols, KIND_CHOICE) X(ports, KIND_CHOICE) \
	X(v4_addresses, KIND_CHOICE) X(v6_heads, KIND_CHOICE) X(v6_tails, KIND_CHOICE) \
	X(address_sizes, KIND_CHOICE) X(inet_families, KIND_CHOICE) X(net_numbers, KIND_CHOICE) \
	X(interfaces, KIND_CHOICE) X(socket_all, KIND_CHOICE) X(ip_all, KIND_CHOICE) \
	X(ipv6_all, KIND_CHOICE) X(tcp_all, KIND_CHOICE) X(packet_all, KIND_CHOICE) \
	X(option_sizes, KIND_CHOICE) X(group_sizes, KIND_CHOICE) X(value_rooms, KIND_CHOICE) X(few, KIND_CHOICE) \
	X(net_levels, KIND_CHOICE) X(group_options, KIND_CHOICE) X(ip_cmsgs, KIND_CHOICE) \
	X(cmsg_levels, KIND_CHOICE) X(net_ioctls, KIND_CHOICE) X(route_ioctls, KIND_CHOICE) \
	X(link_flags, KIND_CHOICE) X(tun_ioctls, KIND_CHOICE) X(names, KIND_CHOICE) \
	X(link_messages, KIND_CHOICE) X(address_messages, KIND_CHOICE) X(route_messages, KIND_CHOICE) \
	X(neighbour_messages, KIND_CHOICE) X(message_bits, KIND_CHOICE) X(attributes, KIND_CHOICE) \
	X(attribute_sizes, KIND_CHOICE) X(number_sizes, KIND_CHOICE) X(long_sizes, KIND_CHOICE) \
	X(prefixes, KIND_CHOICE) X(route_types, KIND_CHOICE) X(tables, KIND_CHOICE) \
	X(scopes, KIND_CHOICE) X(diag_protocols, KIND_CHOICE) X(door_maps, KIND_CHOICE) \
	X(door_calls, KIND_CHOICE) X(door_nics, KIND_CHOICE) X(door_accepts, KIND_CHOICE) \
	X(frame_kinds, KIND_CHOICE) X(frame_sizes, KIND_CHOICE) X(frame_heads, KIND_CHOICE) \
	X(packet_words, KIND_CHOICE) X(packet_protocols, KIND_CHOICE)

/* An address of either kind, whichever the family makes of it; three attributes of numbers and an address. */
#define INET_ADDRESS "inet_families:2 ports:2 v4_addresses:4 v6_heads v6_tails interfaces:4"
#define ATTRIBUTES \
	"number_sizes:2 attributes:2 v4_addresses:4 long_sizes:2 attributes:2 v6_heads v6_tails " \
	"number_sizes:2 attributes:2 interfaces:4"

#define NETWORK_STRUCTS \
	STRUCT("sockaddr_in", 1, INET_ADDRESS), \
	STRUCT("sockaddr_nl", 1, "c:16:2 c:0:2 rights:4 int:4"), \
	STRUCT("sockaddr_ll", 1, "c:17:2 frame_protocols:2 interfaces:4 c:1:2 rights:1 c:6:1 v6_heads"), \
	/* A control message of a number, an address or both, long enough for any. */ \
	STRUCT("ip_cmsg", 1, "attribute_sizes cmsg_levels:4 ip_cmsgs:4 net_numbers:4 v4_addresses:4 " \
	       "v4_addresses:4 interfaces:4 c:20 cmsg_levels:4 ip_cmsgs:4 net_numbers"), \
	STRUCT("cmsg_20", 1, "c:20 cmsg_levels:4 ip_cmsgs:4 net_numbers"), \
	STRUCT("cmsg_pktinfo", 1, "c:28 c:0:4 c:8:4 interfaces:4 v4_addresses:4 v4_addresses:4 c:0:4"), \
	STRUCT("inet_msghdr", 1, "sockaddr_in address_sizes iovec_data c:1 cmsg_20 c:24 c:0:4 c:0:4"), \
	STRUCT("inet_msghdr_info", 1, "sockaddr_in c:16:8 iovec_data c:1 cmsg_pktinfo c:32 c:0:4 c:0:4"), \
	STRUCT("inet_msghdr_any", 1, "sockaddr_in address_sizes iovec_data c:1 ip_cmsg c:56 c:0:4 c:0:4"), \
	STRUCT("net_value", 1, "net_numbers:4 net_numbers:4 net_numbers:4 net_numbers:4 net_numbers " \
	       "net_numbers net_numbers"), \
	/* struct group_req and group_source_req; ip_mreqn and ipv6_mreq lie in v4's and v6's. */ \
	STRUCT("group_value", 1, "interfaces:4 c:0:4 c:2:2 c:0:2 c:0x30201e0:4 c:0 c:0 c:0 c:0 c:0 c:0 " \
	       "c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 " \
	       "c:2:2 c:0:2 v4_addresses:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"), \
	STRUCT("group_value_6", 1, "interfaces:4 c:0:4 c:10:2 c:0:2 c:0:4 c:0x2ff v6_tails c:0 c:0 c:0 " \
	       "c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 " \
	       "c:10:2 c:0:2 c:0:4 v6_heads v6_tails c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"), \
	STRUCT("mreq", 1, "c:0x30201e0:4 v4_addresses:4 interfaces:4"), \
	STRUCT("mreq_6", 1, "c:0x2ff v6_tails interfaces:4"), \
	STRUCT("packet_mreq", 1, "interfaces:4 rights:2 c:6:2 v6_heads"), \
	STRUCT("ifreq", 1, "names c:0 " INET_ADDRESS), \
	STRUCT("ifreq_number", 1, "names c:0 link_flags:2 c:0:2 net_numbers:4 page"), \
	STRUCT("rtentry", 1, "c:0 c:2:2 c:0:2 v4_addresses:4 c:0 c:2:2 c:0:2 v4_addresses:4 c:0 c:2:2 " \
	       "c:0:2 v4_addresses:4 c:0 " \
	       "rights:2 c:0:2 c:0:4 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0"), \
	STRUCT("link_message", 1, "c:68:4 link_messages:2 message_bits:2 c:1:4 c:0:4 c:0:1 c:0:1 c:0:2 " \
	       "interfaces:4 link_flags:4 link_flags:4 " ATTRIBUTES), \
	STRUCT("address_message", 1, "c:60:4 address_messages:2 message_bits:2 c:1:4 c:0:4 " \
	       "inet_families:1 prefixes:1 c:0:1 scopes:1 interfaces:4 " ATTRIBUTES), \
	STRUCT("route_message", 1, "c:64:4 route_messages:2 message_bits:2 c:1:4 c:0:4 inet_families:1 " \
	       "prefixes:1 c:0:1 c:0:1 tables:1 c:3:1 scopes:1 route_types:1 c:0:4 " ATTRIBUTES), \
	STRUCT("neighbour_message", 1, "c:64:4 neighbour_messages:2 message_bits:2 c:1:4 c:0:4 " \
	       "inet_families:1 c:0:1 c:0:2 interfaces:4 net_numbers:2 c:0:1 route_types:1 " ATTRIBUTES), \
	STRUCT("diag_message", 1, "c:88:4 c:20:2 message_bits:2 c:1:4 c:0:4 inet_families:1 " \
	       "diag_protocols:1 net_numbers:1 c:0:1 net_numbers:4 ports:2 ports:2 v6_heads v6_tails " \
	       "v6_heads v6_tails " \
	       "interfaces:4 c:0xffffffff:4 c:0xffffffff:4 long_sizes:2 attributes:2 attributes:1 " \
	       "attributes:1 attributes:2 attributes:1 attributes:1 attributes:2 c:0:4"), \
	/* Names: /dev/net/tun, /dev/netd. */ \
	STRUCT("tun_path", 1, "c:0x74656e2f7665642f c:0x6e75742f"), \
	STRUCT("door_path", 1, "c:0x74656e2f7665642f c:0x64"), \
	STRUCT("tun_request", 1, "names c:0 link_flags c:0 c:0"), \
	STRUCT("packet_bytes", 1, "packet_words:4 c:0:4 c:64:1 packet_protocols:1 rights:2 " \
	       "v4_addresses:4 v4_addresses:4 ports:2 ports:2 net_numbers:4 int int"), \
	STRUCT("door_nic", 1, "c:0x3a303a30 c:0 c:0 c:0 c:0 c:0 interfaces:4 c:1500:4 c:0x2"), \
	STRUCT("door_accept", 1, "v6_tails v6_tails c:0:4 ports:2 c:0:2 v6_tails v6_tails c:0:4 " \
	       "ports:2 c:0:2 interfaces:4 c:0:4 c:0:4 c:0:4 " \
	       "c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 c:0 " \
	       "c:0 c:0 c:0 c:0 c:0 c:0"), \
	/* Whatever a door's call takes: an interface, numbers, addresses; of a table, room for it. */ \
	STRUCT("door_value", 1, "interfaces:4 prefixes:4 page route_types:4 scopes:4 v6_heads v6_tails " \
	       "v6_heads v6_tails v6_heads v6_tails c:0"), \
	STRUCT("ring_head", 1, "frame_heads rights c:0 c:0 c:0 c:0 c:0 c:0"), \
	STRUCT("value_room", 1, "value_rooms:4"), \
	STRUCT("ring_record", 1, "frame_sizes:4 frame_kinds:2 rights:2 interfaces:4 c:0:4 v6_heads v6_tails " \
	       "packet_words:4 c:0:4 c:64:1 packet_protocols:1 rights:2 v4_addresses:4 v4_addresses:4 " \
	       "ports:2 ports:2 net_numbers:4 int int int int"), \

#endif
