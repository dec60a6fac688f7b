/* SPDX-License-Identifier: MIT */
/*
 * inet.h - what programs may ask of a socket of the Internet protocols beyond what all sockets have: its options.
 */
#ifndef TESSERA_INET_H
#define TESSERA_INET_H

#include <tessera/socket.h>

/* IPV6_V6ONLY: :: stands for IPv6's addresses alone, IPv4's are not spoken to. -EINVAL: it is bound already. */
int inet_set_only_v6(struct socket *s, bool on);
bool inet_is_only_v6(struct socket *s);

/* Options of either version's headers, and of what is told of them. */
enum inet_option {
	INET_TOS, INET_TTL, INET_MIN_TTL, INET_MTU_DISCOVER, INET_MULTICAST_TTL, INET_MULTICAST_LOOP, INET_MULTICAST_ALL,
	INET_PACKET_INFO, INET_RECEIVE_TTL, INET_RECEIVE_TOS, INET_RECEIVE_OPTIONS, INET_RECEIVE_DESTINATION,
	INET_RECEIVE_ERRORS, INET_RECEIVE_FRAGMENT_SIZE, INET_HEADER_INCLUDED, INET_FREE_BIND, INET_TRANSPARENT,
	INET_BIND_LATE, INET_CHECKSUM,
	INET6_CLASS, INET6_HOPS, INET6_MIN_HOPS, INET6_MTU_DISCOVER, INET6_MULTICAST_HOPS, INET6_MULTICAST_LOOP,
	INET6_MULTICAST_ALL, INET6_PACKET_INFO, INET6_RECEIVE_HOPS, INET6_RECEIVE_CLASS, INET6_RECEIVE_ERRORS,
	INET6_RECEIVE_DESTINATION, INET6_DONT_FRAGMENT, INET6_AUTO_FLOW_LABEL, INET6_FREE_BIND, INET6_TRANSPARENT,
	INET_OPTIONS,
};

/* ip(7), ipv6(7). -EINVAL: not a value of that option, -EPERM. */
int inet_number_set(struct socket *s, enum inet_option option, int value);
int inet_number_get(struct socket *s, enum inet_option option);
/* Where a datagram was sent to, in the form of the socket's family. */
void inet_destination(struct socket *s, const struct endpoint *to, struct socket_address *out);
/* SO_BINDTODEVICE: 0 for none. -ENODEV; -EPERM: it is bound to one, and the caller has no CAP_NET_RAW. */
int inet_bind_device(struct socket *s, uint32_t interface);
uint32_t inet_device(struct socket *s);

enum group_change { GROUP_JOIN, GROUP_LEAVE, GROUP_JOIN_SOURCE, GROUP_LEAVE_SOURCE, GROUP_BLOCK_SOURCE, GROUP_UNBLOCK_SOURCE };

struct group_request {
	struct ip_address group, source;
	uint32_t interface;            /* 0: that of the address `at`, or as the routes say */
	struct ip_address at;
};

/* Membership in a multicast group. -EINVAL, -ENODEV, -EADDRINUSE: it is a member; -EADDRNOTAVAIL: it is none; -ENOBUFS. */
int inet_group_change(struct socket *s, enum group_change what, const struct group_request *r);
/* IP_MULTICAST_IF, by number or address; both none: as the routes say. -EADDRNOTAVAIL. */
int inet_multicast_interface_set(struct socket *s, uint32_t interface, const struct ip_address *at);
/* IPV6_MULTICAST_IF. -ENODEV, -EINVAL. */
int inet_multicast_interface6_set(struct socket *s, int interface);
void inet_multicast_interface_get(struct socket *s, struct ip_address *at, uint32_t *interface6);

/* IP_MTU, IPV6_MTU: of the way to the peer. -ENOTCONN. */
int inet_path_mtu(struct socket *s);
/* ICMP_FILTER (one word), ICMP6_FILTER (8) of a raw socket; IPV6_CHECKSUM, which may be said at
 * another level (`raw_level`) even of ICMPv6: -EINVAL. */
int raw_filter_set(struct socket *s, const uint32_t *words, unsigned count);
void raw_filter_get(struct socket *s, uint32_t *words, unsigned count);
int raw_checksum_set(struct socket *s, int at, bool raw_level);
int raw_checksum_get(struct socket *s);

/* UDP_CORK, UDP_SEGMENT of a socket of UDP. -EINVAL. */
int udp_cork_set(struct socket *s, bool on);
int udp_segment_set(struct socket *s, int bytes);
void udp_options_get(struct socket *s, bool *cork, int *segment);

/* Options of a stream that are a number. Linux's values. */
enum tcp_option {
	TCP_OPTION_NO_DELAY = 1,
	TCP_OPTION_MAX_SEGMENT = 2,
	TCP_OPTION_CORK = 3,
	TCP_OPTION_KEEP_IDLE = 4,
	TCP_OPTION_KEEP_INTERVAL = 5,
	TCP_OPTION_KEEP_COUNT = 6,
	TCP_OPTION_SYN_COUNT = 7,
	TCP_OPTION_LINGER = 8,
	TCP_OPTION_DEFER_ACCEPT = 9,
	TCP_OPTION_WINDOW_CLAMP = 10,
	TCP_OPTION_QUICK_ACK = 12,
	TCP_OPTION_USER_TIMEOUT = 18,
	TCP_OPTION_UNSENT_LOW_WATER = 25,
	TCP_OPTIONS,
};

/* tcp(7). 0, -EINVAL: not a value of that option, -ENOPROTOOPT: no such option. */
int tcp_option_set(struct socket *s, int option, int value);
int tcp_option_get(struct socket *s, int option, int *value);

/* How a connection fares, for TCP_INFO. */
struct tcp_report {
	uint8_t state;                 /* enum tcp_state, Linux's values */
	bool has_scale, has_sack, has_timestamps;
	uint8_t send_scale, receive_scale;
	uint32_t max_segment, path_mtu; /* bytes */
	uint64_t received, sent, acknowledged; /* bytes */
	uint64_t not_sent;             /* bytes in the buffer that the peer was never sent */
	uint32_t pending, backlog;     /* of a listener: connections to be accepted, and how many may wait */
	uint32_t rtt, rtt_variation, rto; /* microseconds */
	uint32_t send_window, congestion_window, threshold; /* bytes; a threshold of UINT32_MAX: none */
	uint32_t retransmits_now, retransmits, unacked; /* segments */
	uint32_t since_sent, since_received; /* milliseconds */
	uint64_t segments_out, segments_in;
};
void tcp_report(struct socket *s, struct tcp_report *out);

/* The same as programs are told, by TCP_INFO and by NETLINK_SOCK_DIAG: Linux's layout, as far as 6.1 goes. */
struct tcp_info {
	uint8_t state, congestion_state, retransmits, probes, backoff, options, window_scales, flags;
	uint32_t timeout, ack_timeout, send_segment, receive_segment;
	uint32_t unacknowledged, selective, lost, retransmitted, forward;
	uint32_t last_data_sent, last_ack_sent, last_data_received, last_ack_received;
	uint32_t path_mtu, receive_threshold, round_trip, round_trip_variance, send_threshold, congestion_window;
	uint32_t advertised_segment, reordering;
	uint32_t receive_round_trip, receive_space;
	uint32_t all_retransmitted;
	uint64_t pacing_rate, pacing_rate_max, bytes_acknowledged, bytes_received;
	uint32_t segments_out, segments_in;
	uint32_t not_sent, least_round_trip, data_segments_in, data_segments_out;
	uint64_t delivery_rate, busy, limited_by_window, limited_by_buffer;
	uint32_t delivered, delivered_marked;
	uint64_t bytes_sent, bytes_retransmitted;
	uint32_t duplicates, reordered;
	uint32_t out_of_order, send_window;
};
_Static_assert(sizeof(struct tcp_info) == 232, "Linux's layout");
void tcp_info(const struct tcp_report *r, struct tcp_info *out);

/* --- which sockets there are ------------------------------------------------------------------------ */

/* One socket, as it was when it was asked. */
struct inet_socket_info {
	uint16_t family;
	uint8_t state;                 /* enum tcp_state; of datagrams: ESTABLISHED with a peer, else CLOSED */
	uint8_t shutdown;              /* SHUTDOWN_* */
	uint8_t tos;
	bool only_v6;
	bool fixed_port;               /* bind named it */
	struct endpoint local, remote;
	uint32_t interface;            /* bound to this one; 0: none */
	uint32_t receive_queue;        /* bytes; of a listener: connections that nobody has accepted */
	uint32_t send_queue;           /* bytes; of a listener: how many may wait */
	uint32_t receive_limit, send_limit;
	uint32_t drops, references, mark;
	uid_t uid;
	uint64_t inode;                /* 0: no program has it, or no more */
	uint64_t cookie;               /* the same as long as the socket is there */
	uint64_t ends_in;              /* of TIME_WAIT: nanoseconds */
	struct tcp_report report;      /* of a stream but in TIME_WAIT */
};

struct network;
/* Copies of all of that protocol, of both families, to be kvfree'd; *count of them. NULL: no memory, or no such protocol. */
struct inet_socket_info *inet_sockets(struct network *n, int protocol, uint32_t *count);

#endif
