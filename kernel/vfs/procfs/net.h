/* SPDX-License-Identifier: MIT */
/*
 * net.h - what the files of /proc/PID/net share. Each is one function that writes about a network.
 */
#ifndef TESSERA_VFS_PROCFS_NET_H
#define TESSERA_VFS_PROCFS_NET_H

#include <tessera/network.h>

#include "files.h"

/* The end of a line that began at `from`, filled up with blanks to `width`. */
void net_end_line(struct text *t, size_t from, size_t width);

/* net_sockets.c */
void net_tcp(struct text *t, struct network *n);
void net_tcp6(struct text *t, struct network *n);
void net_udp(struct text *t, struct network *n);
void net_udp6(struct text *t, struct network *n);
void net_raw(struct text *t, struct network *n);
void net_raw6(struct text *t, struct network *n);
void net_icmp(struct text *t, struct network *n);
void net_icmp6(struct text *t, struct network *n);
void net_netlink(struct text *t, struct network *n);
void net_packet(struct text *t, struct network *n);
void net_sockstat(struct text *t, struct network *n);
void net_sockstat6(struct text *t, struct network *n);
uint32_t net_established(struct network *n); /* how many connections there are */

/* net_config.c */
void net_dev(struct text *t, struct network *n);
void net_route(struct text *t, struct network *n);
void net_ipv6_route(struct text *t, struct network *n);
void net_arp(struct text *t, struct network *n);
void net_if_inet6(struct text *t, struct network *n);

/* net_groups.c */
void net_igmp(struct text *t, struct network *n);
void net_igmp6(struct text *t, struct network *n);
void net_dev_mcast(struct text *t, struct network *n);

/* net_counters.c */
void net_snmp(struct text *t, struct network *n);
void net_snmp6(struct text *t, struct network *n);
void net_netstat(struct text *t, struct network *n);
void net_softnet_stat(struct text *t, struct network *n);
void net_ptype(struct text *t, struct network *n);

#endif
