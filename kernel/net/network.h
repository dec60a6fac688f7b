/* SPDX-License-Identifier: MIT */
/*
 * network.h - what belongs to one network, for the rooms of net/.
 *
 * [I] immutable  [n] config_lock  [p] ports_lock  [t] waits_lock  [w] watchers_lock  [g] groups_lock  [a] atomic
 *
 * config_lock is a spinlock that is held shortly: lists are short, and who shows them copies. Within it an object's
 * fields may be read and changed; outside of it nothing points to an interface but its number.
 */
#ifndef TESSERA_NET_NETWORK_H
#define TESSERA_NET_NETWORK_H

#include <tessera/continuation.h>
#include <tessera/ip.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/network.h>

#define PORT_BUCKETS 256u
#define IP_PROTOCOLS 256u
#define PATH_MTUS    32u
#define ICMP_DEBTS   64u

/* Whose numbers are apart from each other's. */
enum port_kind { PORTS_TCP, PORTS_UDP, PORTS_PING, PORT_KINDS };

struct port_table {
	struct list bucket[PORT_BUCKETS]; /* [p] struct port_holder.node */
};

struct interface {
	struct list node;              /* [n] network->interfaces, by number */
	struct interface_info info;    /* [n] but index and kind: [I]; counts: [a] */
	struct sysfs_node *directory;  /* [n] in the first network; NULL: none, or nobody's */
};

struct own_address {
	struct list node;              /* [n] network->addresses */
	struct address_info info;      /* [n] */
};

struct route {
	struct list node;              /* [n] network->routes: the longer prefix first, then the smaller metric */
	struct route_info info;        /* [n] */
};

struct neighbour {
	struct list node;              /* [n] network->neighbours */
	struct neighbour_info info;    /* [n] */
};

/* A router has said that what goes to `to` may be no longer than that: RFC 1191, RFC 8201. */
struct path_mtu {
	struct ip_address to;          /* [n] as all of it */
	uint32_t interface, mtu;
	bool cut;                      /* less than that was asked for: what is longer may be cut */
	deadline_t until;              /* the path may be another one then; in the past: the entry is free */
};

/* Who was sent errors of ICMP: ip/icmp_limit.c. */
struct icmp_debt {
	struct ip_address to;          /* [n] as all of it */
	deadline_t paid;               /* when all that he was sent is paid for */
};

struct network {
	struct namespace ns;           /* first */
	struct spinlock config_lock;   /* class NETWORK */
	struct list interfaces, addresses, routes, neighbours; /* [n] */
	uint32_t interface_count, address_count, route_count, neighbour_count; /* [n] */
	uint32_t next_interface;       /* [n] the number of the next one */
	struct path_mtu path_mtus[PATH_MTUS]; /* [n] the oldest gives way */
	deadline_t path_mtus_until;    /* [n] when the last of them ends */

	struct icmp_debt icmp_debts[ICMP_DEBTS]; /* [n] who owes least gives way */
	deadline_t icmp_paid;          /* [n] the same of all together */

	uint64_t loop_packets, loop_bytes; /* [a] that went by loopback */

	int setting[NETWORK_SETTINGS]; /* [a] */

	struct spinlock ports_lock;    /* class PORTS */
	uint32_t next_port;            /* [p] where the search for a flow's port went on last; 0: none yet */
	struct port_table ports[PORT_KINDS]; /* [p] */
	struct spinlock waits_lock;    /* class TIME_WAIT */
	struct list waits;             /* [t] struct time_wait, the next to end first */
	uint32_t waits_count;          /* [t] */
	bool sweeps;                   /* [t] the sweeper is armed, or runs: it is never armed twice */
	struct continuation sweeper;   /* while there are any: at the end of the first */

	struct list raws;              /* [p] struct raw_socket.watcher */
	struct spinlock watchers_lock; /* class WATCHERS */
	struct list taps;              /* [w] struct packet_socket.watcher: those that want frames */
	uint32_t raw_count[IP_PROTOCOLS]; /* [a] raw sockets of a protocol; IPPROTO_RAW receives nothing */
	uint32_t tap_count;            /* [a] */
	struct spinlock groups_lock;   /* class GROUPS */
	struct list groups;            /* [g] struct membership.node */
	uint64_t counters[NETWORK_COUNTERS]; /* [a] */
};

/* --- interface.c --- */
/* config_lock held. NULL: there is none. */
struct interface *interface_find(struct network *n, uint32_t index);
/* A new interface like `info`, whose index is set. -EEXIST, -ENOBUFS, -ENOMEM. No lock held. */
int interface_add(struct network *n, struct interface_info *info);
void interface_remove(struct network *n, uint32_t index);
/* What went through since it was made. -ENODEV. No lock held. */
int interface_set_counts(struct network *n, uint32_t index, const struct interface_counts *received,
			 const struct interface_counts *sent);
/* What its driver says of it: has it a carrier, and what went through since it was made. -ENODEV. No lock held. */
int interface_set_link(struct network *n, uint32_t index, bool carrier, const struct interface_counts *received,
		       const struct interface_counts *sent);

/* --- path_mtu.c --- */
/*
 * `out`, the way to `to`, is one whose MTU may be known to be smaller than its link's. config_lock held.
 */
void path_mtu_apply(struct network *n, const struct ip_address *to, struct way *out);
/* An interface is down, or another one: what was known of the ways by it is not so any more. config_lock held. */
void path_mtus_of_interface_gone(struct network *n, uint32_t index);

/* --- ip/counters.c --- */
void ip_init(struct network *n);
void network_add(struct network *n, enum network_counter which, uint64_t count);

/* --- address.c, route.c, neighbour.c: what goes with an interface. config_lock held; what is freed is put on `gone`,
 * to be freed with config_free() when the lock is not held. --- */
void addresses_of_interface_gone(struct network *n, uint32_t index, struct list *gone);
/* `only_down`: the interface is still there, and what IPv4 has of its own on it stays. */
void routes_of_interface_gone(struct network *n, uint32_t index, bool only_down, struct list *gone);
void neighbours_of_interface_gone(struct network *n, uint32_t index, struct list *gone);
/* Each begins with its node. */
void config_free(struct list *gone);

#endif
