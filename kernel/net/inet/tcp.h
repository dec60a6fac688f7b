/* SPDX-License-Identifier: MIT */
/*
 * tcp.h - a stream socket of the Internet protocols.
 *
 * Two sockets of one machine are joined directly: what one sends it puts into the ring of the other. Nothing of TCP's
 * segments, timers or windows is needed between them, only what programs see of them: the states, half closes, resets,
 * the urgent byte, and a port that stays taken for a while (RFC 9293; tcp(7)).
 *
 *                connect                                  connect, by the other side
 *   CLOSED -----------------> SYN_SENT      CLOSED -- listen --> LISTEN   (a child: ESTABLISHED)
 *              somebody listens, with room      |
 *   SYN_SENT ---------------> ESTABLISHED <-----+
 *
 *   ESTABLISHED -- we end --> FIN_WAIT2 -- it ends --> CLOSED, and TIME_WAIT without a socket
 *   ESTABLISHED -- it ends --> CLOSE_WAIT -- we end --> CLOSED
 *   any -- reset --> CLOSED, with an error
 *
 * Who connects to the very address and port that he is bound to is his own peer.
 *
 * An end is acknowledged at once, so FIN_WAIT1, CLOSING and LAST_ACK are never seen.
 *
 * One that leads out of this machine has a wire instead of a peer (tcp_wire.h): a slot that it shares with the network stack,
 * which says what state it is in.
 *
 * Locks: read_lock, then send_lock, then socket->lock. Sleepers hold none. A socket that changes both ends of a
 * connection does so one after the other; only who waits at a listener, or joins one, has two socket->locks, by
 * socket_lock_two(): each may have become the other's listener meanwhile.
 *
 * A listener may ask for children that have something to read (TCP_DEFER_ACCEPT): the others are held, without being told
 * of, until bytes or an end come, or as many seconds are over as it said. As many as its backlog says.
 *
 * References: the file has one, a listener one to each child that nobody has accepted and to each who waits for room at
 * it, each end of a connection one to the other, until it is released or disconnected.
 */
#ifndef TESSERA_NET_TCP_H
#define TESSERA_NET_TCP_H

#include <tessera/continuation.h>
#include <tessera/inet.h>

#include "inet.h"
#include "ring.h"
#include "tcp_wire.h"

/* As /proc/net/tcp and TCP_INFO number them. */
enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECEIVED,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSED,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
};

#define TCP_BUFFER      (512u * 1024)  /* of each side, where the program asked for no size */
#define TCP_TIME_WAIT_NS (60 * NSEC_PER_SEC)
#define TCP_CONNECT_NS  (127 * NSEC_PER_SEC) /* six retransmissions of a SYN */

/*
 * [I] immutable  [l] socket.lock  [r] read_lock  [w] send_lock  [a] atomic
 * [*] read_lock, send_lock and socket.lock to change; any of them to read
 * [L] socket.lock of the listener
 */
struct tcp_socket {
	struct inet_socket inet;       /* first */
	struct mutex read_lock;        /* class SOCKET_READ: one takes bytes out of `ring` */
	struct mutex send_lock;        /* class SOCKET_SEND: one puts bytes into the peer's */
	enum tcp_state state;          /* [l] */
	struct byte_ring ring;         /* what came in: its reader is read_lock's holder, its writer the peer's send_lock's */
	struct tcp_socket *peer;       /* [*] reference; NULL: none of this machine */
	struct tcp_wire *wire;         /* [*] reference: it leads out of this machine, or listens there too; NULL */
	bool more;                     /* [l] what was sent last came with MSG_MORE */
	bool end_received;             /* [l] the peer will send no more: behind what the ring holds is the end */
	bool released;                 /* [l] the file is gone */
	uint64_t urgent_read;          /* [r] the mark (ring.urgent) whose byte was read out of band */

	struct list pending;           /* [l] of a listener: children that nobody has accepted, oldest first */
	struct list waiting;           /* [l] of a listener: who waits for room in `pending` */
	struct list deferred;          /* [l] of a listener: children that are held until there is something to read */
	struct list queue_node;        /* [L] on one of these */
	struct tcp_socket *listener;   /* [l] reference: at whose `waiting` or `deferred` it is */
	bool held;                     /* [l] it is at somebody's `deferred` */
	uint32_t pending_count;        /* [l] */
	uint32_t deferred_count;       /* [l] */
	uint32_t backlog;              /* [l] more than so many in `pending`: no room */
	struct continuation give_up;   /* it waited, or was held, long enough. Its owner while armed: a reference */

	struct tcp_refusal *refusal;   /* [l] what ICMP said of its connect; NULL: nothing, or the program knows it */
	int32_t option[TCP_OPTIONS];   /* [a] as set */
};

static inline struct tcp_socket *
tcp_of(struct socket *s)
{
	return (struct tcp_socket *)s;
}

/* --- tcp.c --- */
int tcp_create(int family, struct socket **out);
struct tcp_socket *tcp_create_socket(int family); /* one reference; NULL: no memory */
/* The same for a connection at `l`: of its network, whoever connects or accepts and wherever he is. */
struct tcp_socket *tcp_create_child(const struct inet_socket *l);
static inline void
tcp_get(struct tcp_socket *t)
{
	ref_get(&t->inet.socket.refs);
}
void tcp_put(struct tcp_socket *t);
/* Has it no peer, no wire, and waits at no listener? Its lock is held. */
static inline bool
tcp_is_free(const struct tcp_socket *t)
{
	return !t->peer && !t->wire && !t->listener;
}
/* The other end with a reference, or NULL. */
struct tcp_socket *tcp_peer_get(struct tcp_socket *t);
/* Everybody who sleeps at `t` looks again. */
void tcp_wake(struct tcp_socket *t);
/* `t` is no flow any more; a port that bind did not name goes. Its socket->lock is held. */
void tcp_closed(struct tcp_socket *t);
/* Counted: `t`, which is CLOSED next, has not come as far as that by both sides' word. RFC 4022. Its socket->lock is held. */
void tcp_count_broken(struct tcp_socket *t);
/* The other side answers with a reset: what happens to `t`. No lock held. */
void tcp_was_reset(struct tcp_socket *t);
/* `t` becomes as it was at birth, but for its options and what bind named. No lock held. */
void tcp_disconnect(struct tcp_socket *t);
extern const struct socket_ops tcp_ops;

/* --- tcp_connect.c --- */
int tcp_connect(struct socket *s, const struct socket_address *a, uint32_t flags);

/* --- tcp_listen.c --- */
int tcp_listen(struct socket *s, uint32_t backlog);
/* Join `t`, in SYN_SENT, with a child of `l`, or let it wait there; or it is told that nobody listens. Takes over the reference
 * to the child. No lock held. */
void tcp_meet(struct tcp_socket *t, struct tcp_socket *l, struct tcp_socket *child);
/* `t`, in SYN_SENT, has called itself: both ends open at once, and it is both. No lock held. */
void tcp_meet_itself(struct tcp_socket *t);
int tcp_accept(struct socket *s, uint32_t flags, struct socket **out);
/* What comes from `from` has as much room at `to` as the limits of both say now, if they still are peers. No lock held. */
void tcp_fit_ring(struct tcp_socket *to, const struct tcp_socket *from);
/* What a fresh child takes over from its listener. */
void tcp_inherit(struct tcp_socket *child, const struct tcp_socket *l);
/* A connection from elsewhere, which has its ends: from now on it is to be accepted at `l`, and has the caller's reference. No
 * lock held. -ECONNREFUSED: it listens no more; -EAGAIN: no room. */
int tcp_queue_child(struct tcp_socket *l, struct tcp_socket *child);
/* Who waits for `l`, or has not been accepted by it, is told that it listens no more. No lock held. */
void tcp_listen_end(struct tcp_socket *l);
void tcp_connect_init(struct tcp_socket *t);
/* `t` waits at no listener any more, nor is held by one. No lock held. */
void tcp_stop_waiting(struct tcp_socket *t);
/* There is something to read of `t`: if a listener holds it, it is to be accepted now. No socket->lock held. */
void tcp_admit_held(struct tcp_socket *t);

/* --- tcp_close.c --- */
int tcp_shutdown(struct socket *s, uint32_t how);
void tcp_release(struct socket *s);

/* --- tcp_data.c --- */
ssize_t tcp_send(struct socket *s, struct socket_message *m);
ssize_t tcp_receive(struct socket *s, struct socket_message *m);
uint32_t tcp_poll(struct socket *s, struct file *f, struct poll_table *pt);
long tcp_pending(struct socket *s, bool out);
bool tcp_at_mark(struct socket *s);
/* An urgent byte is here that was not read; the mark stands before the next byte to read. */
bool tcp_has_urgent(const struct tcp_socket *t);
bool tcp_at_urgent(const struct tcp_socket *t);
/* Is it worth to write, or of no use to wait? If not, who makes room tells. socket->lock held. */
bool tcp_has_room(struct tcp_socket *t);

/* --- tcp_refusal.c --- */
/* A connect ends by this error; `quoted`: TCP_QUOTED bytes of its SYN. socket->lock held. */
void tcp_refusal_keep(struct tcp_socket *t, const struct socket_error *e, const void *quoted);
/* recv with MSG_ERRQUEUE. -EAGAIN. */
ssize_t tcp_refusal_receive(struct tcp_socket *t, struct socket_message *m);

/* --- tcp_options.c --- */
void tcp_options_init(struct tcp_socket *t);
void tcp_options_changed(struct socket *s);

/* --- tcp_time_wait.c --- */
/* The flow's port stays taken for a minute. Nothing happens where there is no memory. */
void tcp_time_wait(struct tcp_socket *t); /* its socket->lock is held */
void tcp_time_waits_init(struct network *n);
void tcp_time_waits_end(struct network *n); /* the network is about to be freed */

#endif
