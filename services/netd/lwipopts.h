/* SPDX-License-Identifier: MIT */
/*
 * lwipopts.h - what lwIP is here: TCP, and nothing else. Addresses, routes, neighbours and packets of IP are ip.h's,
 * which also defines the few functions of lwIP's IP layer that its TCP calls (ip_lwip.c).
 */
#ifndef NETD_LWIPOPTS_H
#define NETD_LWIPOPTS_H

#define NO_SYS			1
#define SYS_LIGHTWEIGHT_PROT	0
#define LWIP_SOCKET		0
#define LWIP_NETCONN		0
#define LWIP_SINGLE_NETIF	0

/* Memory is malloc's: what bounds it are the limits of connections, windows and queues. */
#define MEM_LIBC_MALLOC		1
#define mem_clib_malloc		memory_take
#define mem_clib_free		memory_give
#define MEMP_MEM_MALLOC		1
#define MEM_ALIGNMENT		8

#define LWIP_IPV4		1
#define LWIP_IPV6		1
#define LWIP_IPV6_SCOPES	0 /* a connection of a link-local address is bound to its interface instead */
#define LWIP_ARP		0
#define LWIP_ICMP		0
#define LWIP_ICMP6		0
#define LWIP_IGMP		0
#define LWIP_IPV6_MLD		0
#define LWIP_IPV6_AUTOCONFIG	0
#define LWIP_ND6_ALLOW_RA_UPDATES 0
#define LWIP_ND6_TCP_REACHABILITY_HINTS 0
#define LWIP_RAW		0
#define LWIP_UDP		0
#define LWIP_DNS		0
#define LWIP_TCP		1
#define LWIP_STATS		0

/* ip_lwip.c sums up what the card does not. */
#define CHECKSUM_GEN_TCP	0
#define CHECKSUM_CHECK_TCP	0
#define LWIP_CHECKSUM_ON_COPY	0

/* As much as a slot's window can be (abi/netd.h); a connection's own is less: tcp_connection.c sets it. */
#define TCP_WND			(4u << 20)
#define LWIP_WND_SCALE		1
#define TCP_RCV_SCALE		7
#define TCP_MSS			8960 /* the interface's MTU says how much of it is used */
#define TCP_SND_BUF		(4u << 20)
#define TCP_SND_QUEUELEN	32000
#define TCP_OVERSIZE		0
#define TCP_CALCULATE_EFF_SEND_MSS 1
#define LWIP_TCP_SACK_OUT	1
#define LWIP_TCP_MAX_SACK_NUM	4
#define LWIP_TCP_TIMESTAMPS	1
#define TCP_QUEUE_OOSEQ		1
#define TCP_OOSEQ_MAX_PBUFS	2048
#define TCP_LISTEN_BACKLOG	0 /* the kernel has the backlog */
#define SO_REUSE		1 /* the listener of an address goes before that of all */
#define LWIP_TCP_KEEPALIVE	1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 1 /* tells us when a block is gone */

/*
 * The clock of retransmission ticks each 2 * 20 ms, that of delayed acknowledgements each 20 ms. TCP_MIN_RTO_TICKS is
 * what lwIP has no notion of, since it never had so fine a clock.
 */
#define TCP_TMR_INTERVAL	20
#define TCP_MIN_RTO_TICKS	(200 / (2 * TCP_TMR_INTERVAL))
#define TCP_FIRST_RTO_TICKS	(1000 / (2 * TCP_TMR_INTERVAL))
#define TCP_MSL			30000UL
/* About a quarter of an hour. A connection's own limits are looked at in tcp_connection.c. */
#define TCP_MAXRTX		40
#define TCP_SYNMAXRTX		255

#include "hooks.h"

#define LWIP_HOOK_FILENAME	"hooks.h"
#define LWIP_HOOK_TCP_ISN	tcp_first_sequence
#define LWIP_HOOK_TCP_INPACKET_PCB tcp_segment_comes
#define LWIP_HOOK_TCP_OUT_ADD_TCPOPTS tcp_segment_leaves

#endif
