/* SPDX-License-Identifier: MIT */
/*
 * ip.h - IP packets on their way between sockets and links.
 *
 * Above are sockets (net/inet, net/packet), below links: loopback (net/ip/loopback.c), and what the network stack's door and
 * TUN interfaces offer. Who makes an interface names its struct link_ops in interface_info.link.
 *
 * A packet (struct packet) that goes down has its IP header at `data`. One that comes up has so too, and is whole.
 */
#ifndef TESSERA_IP_H
#define TESSERA_IP_H

#include <tessera/ip_address.h>
#include <tessera/time.h>
#include <tessera/types.h>

struct network;
struct packet;

/* What a link does for sockets. No lock is held; `send` and `send_frame` do not sleep. A slot may be empty. */
struct link_ops {
	/*
	 * A whole IP packet to `next` on the link. It may be longer than the link's MTU: it is cut then. On success p is taken
	 * over, else it is the caller's still. -EAGAIN: there is no room now; -ENETDOWN, -ENOBUFS.
	 */
	int (*send)(struct network *n, uint32_t interface, const struct ip_address *next, struct packet *p);
	/* A frame with its link's header, as it is. The same. */
	int (*send_frame)(struct network *n, uint32_t interface, struct packet *p);
	/* Sleep until there may be room after -EAGAIN: 0, -ETIMEDOUT, -EINTR (a signal). */
	int (*wait_for_room)(struct network *n, uint32_t interface, deadline_t until);
	/* Multicast groups were joined or left: network_groups() says which there are now. */
	void (*groups_changed)(struct network *n);
	/* Packet sockets that want all frames of the network are more or fewer: network_taps(). */
	void (*taps_changed)(struct network *n);
};

extern const struct link_ops loopback_ops;

/* ip_input()'s flags. */
#define IP_CHECKED BIT(0)          /* checksums of what is inside are known to be right */
#define IP_TO_MANY BIT(1)          /* the link had it for many or for all: nothing is refused */

/*
 * A whole packet for this machine came in by `interface`. Takes p over. No lock is held; it does not sleep for long, so
 * what finds no room is dropped.
 */
void ip_input(struct network *n, uint32_t interface, struct packet *p, uint32_t flags);
/* The same of a segment of TCP, which raw sockets may want to see (network_wants_tcp()), and nobody else. */
void ip_input_tcp_seen(struct network *n, uint32_t interface, struct packet *p);
bool network_wants_tcp(struct network *n);

/* Whom a frame was for: Linux's PACKET_*. */
enum frame_direction { FRAME_HOST, FRAME_BROADCAST, FRAME_MULTICAST, FRAME_OTHER_HOST, FRAME_OUTGOING };

/* A frame of `size` bytes with its link's header came in or went out: packet sockets get copies. */
void frame_seen(struct network *n, uint32_t interface, const void *frame, size_t size, enum frame_direction d);
/* How many packet sockets want frames: none, and frame_seen() need not be called. */
uint32_t network_taps(struct network *n);

/* A multicast group that sockets of this machine have joined on an interface; one entry, however many have. */
struct group_info {
	uint32_t interface;
	uint32_t users;
	struct ip_address group;
};
/* Copies of all, to be kvfree'd; *count of them. NULL: no memory. */
struct group_info *network_groups(struct network *n, uint32_t *count);

/* What happened to packets, as /proc/net/snmp, snmp6 and netstat name it. */
enum network_counter {
	IP_IN, IP_IN_HEADER_ERRORS, IP_IN_ADDRESS_ERRORS, IP_IN_UNKNOWN, IP_IN_DISCARDS, IP_IN_DELIVERS, IP_OUT, IP_OUT_DISCARDS,
	IP_OUT_NO_ROUTES,
	IP6_IN, IP6_IN_HEADER_ERRORS, IP6_IN_ADDRESS_ERRORS, IP6_IN_UNKNOWN, IP6_IN_DISCARDS, IP6_IN_DELIVERS, IP6_OUT,
	IP6_OUT_DISCARDS, IP6_OUT_NO_ROUTES,
	ICMP_IN, ICMP_IN_ERRORS, ICMP_IN_CHECKSUM_ERRORS, ICMP_IN_UNREACHABLE, ICMP_IN_TIME_EXCEEDED, ICMP_IN_ECHOS,
	ICMP_IN_ECHO_REPLIES, ICMP_OUT, ICMP_OUT_UNREACHABLE, ICMP_OUT_ECHOS, ICMP_OUT_ECHO_REPLIES,
	ICMP_OUT_LIMITED, ICMP_OUT_LIMITED_HOST, ICMP6_OUT_LIMITED_HOST,
	ICMP6_IN, ICMP6_IN_ERRORS, ICMP6_IN_CHECKSUM_ERRORS, ICMP6_IN_UNREACHABLE, ICMP6_IN_TIME_EXCEEDED, ICMP6_IN_ECHOS,
	ICMP6_IN_ECHO_REPLIES, ICMP6_OUT, ICMP6_OUT_UNREACHABLE, ICMP6_OUT_ECHOS, ICMP6_OUT_ECHO_REPLIES,
	UDP_IN, UDP_NO_PORTS, UDP_IN_ERRORS, UDP_OUT, UDP_RECEIVE_BUFFER_ERRORS, UDP_SEND_BUFFER_ERRORS, UDP_CHECKSUM_ERRORS,
	UDP6_IN, UDP6_NO_PORTS, UDP6_IN_ERRORS, UDP6_OUT, UDP6_RECEIVE_BUFFER_ERRORS, UDP6_SEND_BUFFER_ERRORS,
	UDP6_CHECKSUM_ERRORS,
	TCP_ACTIVE_OPENS, TCP_PASSIVE_OPENS, TCP_ATTEMPT_FAILS, TCP_ESTABLISHED_RESETS, TCP_IN_SEGMENTS, TCP_OUT_SEGMENTS,
	TCP_RETRANSMITS,
	NETWORK_COUNTERS,
};
uint64_t network_count(struct network *n, enum network_counter which);

/* net.ipv4.ping_group_range: the groups whose members may make datagram sockets of ICMP; low > high: nobody. */
void network_ping_groups(struct network *n, gid_t *low, gid_t *high);

#endif
