/* SPDX-License-Identifier: MIT */
/*
 * inet.h - AF_INET and AF_INET6 inside: what sockets of both have in common, ports, networks.
 *
 * A socket of either family is a struct inet_socket; addresses are kept in one shape (ip_address.h) and only told in
 * the family's. What its protocol adds lies behind: struct tcp_socket (tcp.h), struct datagram_socket (datagram.h).
 *
 * Locks, in this order: a stream's read_lock, its send_lock, socket->lock, then ports_lock of the network. Two
 * sockets' socket->locks are held together only by connect: the listener's, then nested that of who connects.
 */
#ifndef TESSERA_NET_INET_H
#define TESSERA_NET_INET_H

#include <tessera/inet.h>
#include <tessera/ip_address.h>
#include <tessera/socket.h>

#include "../network.h"

/* Who has a port: a socket, or for a while what is left of a connection. */
struct port_holder {
	struct list node;              /* [p] of the port's bucket; empty: it has none */
	enum port_kind kind;           /* [I] */
	struct inet_socket *socket;    /* [I] NULL: a connection that waits for late segments (tcp_time_wait.c) */
	struct endpoint local, remote; /* [p] remote.port 0: of any */
	uint32_t device;               /* [p] of this interface only; 0: of all */
	uid_t uid;                     /* [p] */
	uint32_t options;              /* [I] socket == NULL: those that the socket had */
	bool only_v6;                  /* [p] bound to ::, and not to IPv4's */
	bool listening;                /* [p] */
	bool by_connect;               /* [p] picked by connect: may be shared by flows to other places */
	uint64_t waits_since;          /* [I] socket == NULL: when it ended, monotonic ns */
};

static inline struct network *
network_of(const struct socket *s)
{
	return (struct network *)s->net;
}

/*
 * [I] immutable  [l] socket.lock  [p] network's ports_lock  [a] atomic
 */
struct inet_socket {
	struct socket socket;          /* first */
	struct port_holder port;       /* its own words say */
	struct endpoint local;         /* [l] where it is bound; a copy of port.local, for who holds socket.lock */
	struct endpoint remote;        /* [l] port 0: not connected */
	bool fixed_address, fixed_port;/* [l] bind named them: disconnecting leaves them */
	uint32_t device;               /* [a] SO_BINDTODEVICE: the interface's number */
	bool only_v6;                  /* [a] IPV6_V6ONLY */
	uint32_t multicast_interface;  /* [a] IP_MULTICAST_IF; 0: as the routes say */
	uint32_t multicast_interface6; /* [a] IPV6_MULTICAST_IF */
	bool was_member;               /* [a] it has joined a multicast group at some time */
	struct ip_address multicast_source; /* [l] of IPv4, with multicast_interface */
	int32_t option[INET_OPTIONS];  /* [a] as set */
};

static inline struct inet_socket *
inet_of(struct socket *s)
{
	return (struct inet_socket *)s;
}

/* --- address.c ---------------------------------------------------------------------------------- */

/* A program's address for a socket of `family`. -EINVAL: too short, -EAFNOSUPPORT. IPv4's of a socket of AF_INET6
 * come in the form ::ffff:a.b.c.d. */
int inet_address_get(const struct inet_socket *s, const struct socket_address *a, struct endpoint *out);
/* The same in the form of the socket's family. */
void inet_address_put(const struct inet_socket *s, const struct endpoint *e, struct socket_address *out);
/* Any of the socket's family: 0.0.0.0 or ::. */
struct ip_address inet_any(const struct inet_socket *s);

/* --- ports.c ------------------------------------------------------------------------------------ */

void port_tables_init(struct network *n);
/*
 * Take `local` for `h`, whose socket's options count as they are now; port 0 picks one at random that nobody has.
 * -EADDRINUSE. On success h->local says which.
 */
int port_take(struct network *n, struct port_holder *h, const struct endpoint *local);
/* Pick a port for a flow from `local` to `remote`, one that no other flow between the two has. -EADDRNOTAVAIL. */
int port_take_flow(struct network *n, struct port_holder *h, const struct endpoint *local, const struct endpoint *remote);
/* `h`, which is bound, now is the flow to `remote`. -EADDRNOTAVAIL: another is already. */
int port_connect(struct network *n, struct port_holder *h, const struct endpoint *local, const struct endpoint *remote);
/* `h`, which stays bound, at `address`, is no flow any more. */
void port_disconnect(struct network *n, struct port_holder *h, const struct ip_address *address);
/* `h`, which is bound, listens from now on. -EADDRINUSE: somebody else does, or is bound in a way that excludes it. */
int port_listen(struct network *n, struct port_holder *h);
/* Another flow at the port of `listener`: a connection that it will accept. */
void port_take_accepted(struct network *n, struct port_holder *h, const struct port_holder *listener,
			const struct endpoint *local, const struct endpoint *remote);
/* The socket is bound to another interface, or none. */
void port_rebind_device(struct network *n, struct port_holder *h);
/* `h` listens no more; it keeps its port, if it has one. */
void port_unlisten(struct network *n, struct port_holder *h);
/* The fresh `heir` has the same flow as `h`, until it is released itself. */
void port_inherit(struct network *n, struct port_holder *heir, const struct port_holder *h);
void port_release(struct network *n, struct port_holder *h); /* nothing, if it has none */
/* Who listens at `to`, for somebody at `from`, with a reference to its socket; NULL: nobody. The closest match, among
 * equals (SO_REUSEPORT) one by the flow's hash. */
struct inet_socket *port_find_listener(struct network *n, const struct endpoint *to, const struct endpoint *from,
				       uint32_t device);

/* Whose flow it is between these two, with a reference; NULL: nobody's. */
struct inet_socket *port_find_flow(struct network *n, enum port_kind kind, const struct endpoint *local,
				   const struct endpoint *remote);

/* Who is to receive a datagram to `to`, with a reference; NULL: nobody. A flow's own socket is closest. */
struct inet_socket *port_find_receiver(struct network *n, enum port_kind kind, const struct endpoint *to,
				       const struct endpoint *from, uint32_t device);
/* All who are, as one sent to many is for; at most `max`, each with a reference. How many. */
unsigned port_find_receivers(struct network *n, enum port_kind kind, const struct endpoint *to,
			     const struct endpoint *from, uint32_t device, struct inet_socket **out, unsigned max);

/* --- group.c ------------------------------------------------------------------------------------ */

/* Does `s` want what `from` sent to the group? */
bool group_allows(struct inet_socket *s, uint32_t interface, const struct ip_address *group, const struct ip_address *from);
void groups_leave_all(struct inet_socket *s);

/* --- options.c --- */
void inet_options_init(struct inet_socket *s);

/* --- inet.c ------------------------------------------------------------------------------------- */

/* What is common to all kinds, for a fresh socket. */
void inet_socket_init(struct inet_socket *s, const struct socket_ops *ops, int family, int type, int protocol,
		      enum port_kind kind);
int inet_bind(struct socket *s, const struct socket_address *a);
/* May it be bound to what is not of this machine? */
bool inet_binds_freely(const struct inet_socket *s);
/* The address in `a`, if the socket may be bound to it. -EINVAL, -EAFNOSUPPORT, -EADDRNOTAVAIL. */
int inet_bind_address(const struct inet_socket *s, const struct socket_address *a, struct endpoint *out);
int inet_name(struct socket *s, bool peer, struct socket_address *out);
/*
 * The way to `to`, which becomes what it stands for: any is this machine. `from`: from where, or any. -EINVAL: the two are of
 * different versions; -ENETUNREACH: or of one that the socket does not speak, or `from` is not ours; or as find_way().
 */
int inet_find_way(struct inet_socket *s, struct endpoint *to, const struct ip_address *from, struct way *out);
void inet_peer_cred(struct socket *s, pid_t *pid, struct cred **cred);
/* Memory of the socket may go: drop what inet_socket_init() took. Its kind frees it. */
void inet_socket_destroy(struct inet_socket *s);

#endif
