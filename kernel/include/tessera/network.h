/* SPDX-License-Identifier: MIT */
/*
 * network.h - networks: their interfaces, addresses, routes and neighbours. What ip(8) shows and sets.
 *
 * A network namespace stands for one struct network. Who lists what is in it gets copies (struct *_info), taken under
 * the network's lock, so that nothing of it is held while it is told.
 *
 * Addresses of ours and routes are two views of one thing: with an address come a route to its prefix and, in
 * the local table, one to itself; find_route() looks at the local table first.
 */
#ifndef TESSERA_NETWORK_H
#define TESSERA_NETWORK_H

#include <tessera/ip_address.h>
#include <tessera/namespace.h>

struct link_ops;
struct network;

extern struct network init_network; /* begins with its struct namespace */

#define INTERFACE_NAME_MAX 15u
#define LINK_ADDRESS_MAX   32u
#define NETWORK_LOOPBACK   1u       /* its interface's number, in each network */
#define INTERFACES_MAX     256u     /* of one network */
#define ADDRESSES_MAX      1024u
#define ROUTES_MAX         4096u
#define NEIGHBOURS_MAX     1024u

/* interface_info.flags: Linux's IFF_*. */
#define INTERFACE_UP            BIT(0)
#define INTERFACE_BROADCAST     BIT(1)
#define INTERFACE_LOOPBACK      BIT(3)
#define INTERFACE_POINT_TO_POINT BIT(4)
#define INTERFACE_RUNNING       BIT(6)
#define INTERFACE_NO_ARP        BIT(7)
#define INTERFACE_PROMISCUOUS   BIT(8)
#define INTERFACE_ALL_MULTICAST BIT(9)
#define INTERFACE_MULTICAST     BIT(12)
#define INTERFACE_LOWER_UP      BIT(16)
/* Those that a program may set. */
#define INTERFACE_SETTABLE (INTERFACE_UP | INTERFACE_PROMISCUOUS | INTERFACE_ALL_MULTICAST | INTERFACE_MULTICAST | \
			    INTERFACE_NO_ARP)

/* interface_info.kind: Linux's ARPHRD_*. */
#define LINK_ETHERNET 1u
#define LINK_LOOPBACK 772u
#define LINK_NONE     0xfffeu       /* IP packets without a frame */

struct interface_counts {
	uint64_t packets, bytes, errors, dropped, multicast;
};

struct interface_info {
	uint32_t index;
	char name[INTERFACE_NAME_MAX + 1];
	uint32_t flags, mtu, queue_length, group;
	uint16_t kind;
	uint8_t address_length;
	uint8_t address[LINK_ADDRESS_MAX], broadcast[LINK_ADDRESS_MAX];
	bool carrier;
	bool was_up;                   /* it is up, or was */
	const struct link_ops *link;   /* how it sends (ip.h); NULL: it does not */
	struct interface_counts received, sent;
};

/* An address of ours. */
struct address_info {
	uint32_t interface;
	struct ip_address address;
	struct ip_address peer;        /* the other end of a point-to-point link; else as `address` */
	struct ip_address broadcast;   /* of IPv4; any: none */
	uint8_t bits;                  /* of the prefix: IPv4's 0 to 32 */
	uint8_t scope;                 /* Linux's RT_SCOPE_* */
	uint32_t flags;                /* Linux's IFA_F_* */
	char label[INTERFACE_NAME_MAX + 1];
	deadline_t valid_until, preferred_until;
};

enum route_type { ROUTE_UNICAST = 1, ROUTE_LOCAL, ROUTE_BROADCAST, ROUTE_ANYCAST, ROUTE_MULTICAST, ROUTE_BLACKHOLE,
		  ROUTE_UNREACHABLE, ROUTE_PROHIBIT };

#define ROUTE_TABLE_MAIN  254u
#define ROUTE_TABLE_LOCAL 255u

#define ROUTE_PROTOCOL_KERNEL 2u
#define ROUTE_PROTOCOL_BOOT   3u

struct route_info {
	bool v6;                       /* which version's table */
	struct ip_address to;
	uint8_t bits;                  /* of `to`; 0: the default route */
	struct ip_address gateway;     /* any: none, it is on the link */
	struct ip_address source;      /* what is sent from, if the sender does not say; any: not said */
	uint32_t interface;
	uint32_t metric, table;
	uint8_t type, scope, protocol, tos;
};

enum neighbour_state { NEIGHBOUR_INCOMPLETE = 1, NEIGHBOUR_REACHABLE = 2, NEIGHBOUR_STALE = 4, NEIGHBOUR_DELAY = 8,
		       NEIGHBOUR_PROBE = 16, NEIGHBOUR_FAILED = 32, NEIGHBOUR_NO_ARP = 64, NEIGHBOUR_PERMANENT = 128 };

struct neighbour_info {
	uint32_t interface;
	struct ip_address address;
	uint8_t link[LINK_ADDRESS_MAX];
	uint8_t link_length;
	uint16_t state;                /* enum neighbour_state */
};

/* A network with a loopback interface that is down, and nothing else. One reference; NULL: no memory. */
struct namespace *network_create(struct user_namespace *owner);
void network_release(struct namespace *ns);
void network_init(void); /* the first one, whose loopback interface is down as well */
void door_init(void); /* /dev/netd, by which the network stack serves the first one */
struct network *current_network(void); /* the caller's, borrowed */

/* --- what there is -------------------------------------------------------------------------------- */

/* Copies of all, to be kvfree'd; *count of them. NULL: no memory. */
struct interface_info *network_interfaces(struct network *n, uint32_t *count);
struct address_info *network_addresses(struct network *n, uint32_t *count);
struct route_info *network_routes(struct network *n, uint32_t *count); /* in the order in which ip(8) shows them */
struct neighbour_info *network_neighbours(struct network *n, uint32_t *count);
/* One of them. -ENODEV. */
int network_interface(struct network *n, uint32_t index, struct interface_info *out);
int network_interface_named(struct network *n, const char *name, struct interface_info *out);
/* The interface that has that address; 0: none. */
uint32_t network_interface_of(struct network *n, const struct ip_address *address);

/* --- settings: /proc/sys/net ------------------------------------------------------------------------- */

enum network_setting {
	SETTING_BACKLOG,               /* of listeners, at most */
	SETTING_RECEIVE_DEFAULT, SETTING_RECEIVE_MAX, SETTING_SEND_DEFAULT, SETTING_SEND_MAX, /* bytes; of the machine */
	SETTING_PORT_LOW, SETTING_PORT_HIGH, /* a pair: ports for who does not say */
	SETTING_PORT_UNPRIVILEGED,     /* below: CAP_NET_BIND_SERVICE */
	SETTING_TTL,
	SETTING_FREE_BIND, SETTING_FREE_BIND_V6, /* to addresses that are not ours */
	SETTING_ONLY_V6,               /* IPV6_V6ONLY at birth */
	SETTING_PING_LOW, SETTING_PING_HIGH, /* a pair: groups that may have sockets of echoes */
	SETTING_KEEP_IDLE, SETTING_KEEP_INTERVAL, SETTING_KEEP_COUNT, SETTING_SYN_COUNT, SETTING_FIN_TIMEOUT, /* TCP, seconds */
	SETTING_ICMP_INTERVAL, SETTING_ICMP6_INTERVAL, /* ms between errors to one address; 0: no limit */
	SETTING_ICMP_MASK,             /* types of ICMP that are limited, a bit for each */
	SETTING_ICMP_RATE, SETTING_ICMP_BURST, /* errors to all, a second and at once */
	SETTING_UNIX_QUEUE,            /* datagrams that wait at a socket of AF_UNIX */
	NETWORK_SETTINGS,
};
int network_setting(const struct network *n, enum network_setting which);
/* `count` of them, from `which` on. -EINVAL. */
int network_setting_set(struct network *n, enum network_setting which, const int *values, unsigned count);

/* --- changes. The caller has CAP_NET_ADMIN over the network; may sleep. ----------------------------- */

int interface_set_flags(struct network *n, uint32_t index, uint32_t flags, uint32_t mask); /* -ENODEV */
int interface_set_mtu(struct network *n, uint32_t index, uint32_t mtu);       /* -ENODEV, -EINVAL */
int interface_rename(struct network *n, uint32_t index, const char *name);    /* -ENODEV, -EEXIST, -EINVAL, -EBUSY: it is up */
int interface_set_queue_length(struct network *n, uint32_t index, uint32_t length);
/* -ENODEV, -EEXIST, -EINVAL, -ENOBUFS; -EADDRNOTAVAIL. */
int address_add(struct network *n, const struct address_info *a);
int address_remove(struct network *n, const struct address_info *a);
/* -EEXIST, -ENETUNREACH: the gateway is not on a link, -ENODEV, -EINVAL; -ESRCH. `replace`: one like it goes. */
int route_add(struct network *n, const struct route_info *r, bool replace);
int route_remove(struct network *n, const struct route_info *r);
int neighbour_set(struct network *n, const struct neighbour_info *e);         /* -ENODEV, -EINVAL */
int neighbour_remove(struct network *n, const struct neighbour_info *e);      /* -ENOENT */

/* --- the way ---------------------------------------------------------------------------------------- */

struct way {
	uint32_t interface;            /* by which it goes; of what is ours: the loopback's */
	struct ip_address source;
	struct ip_address next;        /* the gateway, or the receiver itself */
	uint32_t mtu, link_mtu;        /* what the way takes, and its interface */
	deadline_t mtu_until;          /* how long the mtu is believed to be less than the link's; 0: it is the link's */
	bool may_cut;                  /* the path's mtu is so small that packets may be cut, whatever is asked for */
	bool local;                    /* it stays in this machine */
	uint8_t type;                  /* enum route_type */
	const struct link_ops *link;   /* of the interface; NULL: it does not send */
};

/* How one goes to `to`; from `source` unless that is any, by `interface` unless that is 0. -ENETUNREACH, -EINVAL (a
 * blackhole), -EHOSTUNREACH, -EACCES (prohibited). */
int find_way(struct network *n, const struct ip_address *to, const struct ip_address *source, uint32_t interface,
	     struct way *out);
/* The same, and the route that says so. */
int find_way_and_route(struct network *n, const struct ip_address *to, const struct ip_address *source, uint32_t interface,
		       struct way *out, struct route_info *by);
/*
 * A router says that of what goes to `to` no more than `mtu` bytes get through in one packet. What makes no sense is not
 * believed: a way is never found to be wider, and never narrower than any is (RFC 1191, 3; RFC 8201, 4).
 */
void path_mtu_learn(struct network *n, const struct ip_address *to, uint32_t mtu);
/* Is `a` an address of this machine in the network? */
bool network_is_local(struct network *n, const struct ip_address *a);

/* --- who is told ------------------------------------------------------------------------------------ */

enum network_event { NETWORK_LINK, NETWORK_LINK_GONE, NETWORK_ADDRESS, NETWORK_ADDRESS_GONE, NETWORK_ROUTE,
		     NETWORK_ROUTE_GONE, NETWORK_NEIGHBOUR, NETWORK_NEIGHBOUR_GONE };

/* Something changed; `info` is the struct *_info of it: netlink's listeners are told. No lock held; may sleep. */
void netlink_network_changed(struct network *n, enum network_event what, const void *info);
/* An interface came ("add"), went ("remove") or was called `old` before ("move"): udev is told. The same. */
void netlink_interface_event(struct network *n, const char *action, const struct interface_info *i, const char *old);
/* The number of the last of those that were told so. */
uint64_t netlink_last_event(void);

#endif
