/* SPDX-License-Identifier: MIT */
/*
 * tcp_wire.h - a connection, or a listener, that leads out of this machine: a slot of the door, and a socket.
 *
 * A wire has a slot from birth to death. While its socket knows it (t->wire) and it the socket (w->socket), each has a
 * reference to the other; the slot has one to the wire.
 *
 *   the socket is closed: it stays, nobody's, until all that it sent is acknowledged: the stack says TIME_WAIT or CLOSED
 *   the socket is cut off (a reset, connect to AF_UNSPEC): the wire takes the ring of what came in over, into which the stack may
 *   still be writing, and keeps it until that says CLOSED
 *   TIME_WAIT or CLOSED: the wire lets go of the socket; at CLOSED the slot lets go of the wire
 *
 * Locks: as in tcp.h; `out` is written under the socket's send_lock and emptied under the door's kick_lock.
 */
#ifndef TESSERA_NET_TCP_WIRE_H
#define TESSERA_NET_TCP_WIRE_H

#include <tessera/atomic.h>

#include "ring.h"

struct endpoint;
struct netd_accept;
struct netd_wanted;
struct poll_table;
struct socket_message;
struct tcp_report;
struct tcp_socket;

#define TCP_WIRE_COUNTS 3 /* segments: in, out, sent again */

/* [I] immutable  [l] socket->lock of the socket  [d] door.lock  [k] the door's kick_lock  [r] the socket's read_lock */
struct tcp_wire {
	struct refcount refs;
	uint32_t slot, generation;     /* [I] */
	struct tcp_socket *socket;     /* [d] with a reference; NULL: nobody's any more */
	bool held;                     /* [d] the slot has a reference to it */
	struct byte_ring out;          /* what is sent and not acknowledged */
	struct byte_ring in;           /* [k] of a socket that was cut off */
	uint32_t window;               /* [r] how much may lie in the socket's ring, unread or yet to come */
	uint32_t window_max;           /* [r] */
	uint64_t grown_at;             /* [r] where the window grew last */
	uint64_t told;                 /* [r] what of the grant the stack was told */
	bool over;                     /* [l] the stack has said TIME_WAIT or CLOSED, or it is broken */
	uint64_t counted[TCP_WIRE_COUNTS]; /* [k] what of the stack's report the network has counted */
	bool broken;                   /* [k] the stack wrote nonsense about it: only CLOSED is of interest */
};

static inline void
tcp_wire_get(struct tcp_wire *w)
{
	ref_get(&w->refs);
}
void tcp_wire_put(struct tcp_wire *w);
/* The stack has changed its half of the slot. Its thread calls, the door's kick_lock held. */
void tcp_wire_look(struct tcp_wire *w);

/* --- between its files ------------------------------------------------------------------------------------ */

/* Of nobody yet; the caller has a reference, the slot another. NULL: no memory, no slot. */
struct tcp_wire *tcp_wire_create(void);
/* The two know each other. The wire has the caller's reference from its creation. socket->lock held. */
void tcp_wire_marry(struct tcp_socket *t, struct tcp_wire *w);
/* Undo the two of a wire that the stack has not been told of. socket->lock held. */
void tcp_wire_annul(struct tcp_socket *t, struct tcp_wire *w);
/* Socket and wire know each other no more, from the wire's side. The reference to the socket is the caller's; NULL. */
struct tcp_socket *tcp_wire_let_go_of_socket(struct tcp_wire *w);
/* The slot lets go of the wire, once. */
void tcp_wire_let_go(struct tcp_wire *w);
/* All that may change. socket->lock held. */
void tcp_wire_tell_options(struct tcp_socket *t, struct netd_wanted *wanted);
/* How wide the way to the peer is. socket->lock held. */
void tcp_wire_tell_path(struct tcp_socket *t, struct netd_wanted *wanted);
/* How many bytes of what `t` has sent may wait for their acknowledgement. */
uint32_t tcp_wire_send_limit(const struct tcp_socket *t);
/* How large the window of `t` may become. */
uint32_t tcp_wire_window_limit(const struct tcp_socket *t);

/* --- for sockets ------------------------------------------------------------------------------------------ */

/* `t`, in SYN_SENT with both endpoints, is connected by the stack. socket->lock held. -ENOBUFS. */
int tcp_wire_connect(struct tcp_socket *t);
/* `t` listens at the stack as well, or listens no more. socket->lock held. -ENOBUFS. */
int tcp_wire_listen(struct tcp_socket *t);
void tcp_wire_listen_end(struct tcp_socket *t);
/* There is more room, or less, at the listener. socket->lock held. */
void tcp_wire_backlog(struct tcp_socket *t);
/* The stack has a connection for whoever listens there: its slot. -ECONNREFUSED, -EAGAIN, -ENOBUFS. */
int tcp_wire_accept(struct netd_accept *a);

/* Is it worth to send, or to find out why it cannot be? */
bool tcp_wire_room(const struct byte_ring *out);
/* send_lock held: put bytes on the way. As send_piece(). */
ssize_t tcp_wire_send(struct tcp_socket *t, struct socket_message *m, size_t most);
/* read_lock held: the program has read; the window may move on. */
void tcp_wire_consumed(struct tcp_socket *t);
/* Options changed, or the socket will send no more. socket->lock held. */
void tcp_wire_update(struct tcp_socket *t);
/* How it fares, as the stack says. socket->lock held. */
void tcp_wire_report(struct tcp_wire *w, struct tcp_report *out);
/* The program is gone; what is on the way goes on. socket->lock held. */
void tcp_wire_end(struct tcp_socket *t);
/* Cut it off; the peer gets a reset unless it is all over. No lock held. */
void tcp_wire_cut(struct tcp_socket *t);

#endif
