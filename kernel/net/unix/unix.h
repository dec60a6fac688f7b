/* SPDX-License-Identifier: MIT */
/*
 * unix.h - AF_UNIX inside: the socket, its name, and a message between two of them.
 */
#ifndef TESSERA_NET_UNIX_H
#define TESSERA_NET_UNIX_H

#include <tessera/inode.h>
#include <tessera/socket.h>

#define UNIX_PATH_MAX     108u
#define UNIX_PATH_OFFSET  2u        /* of sun_path: an address of this length has no name */
#define UNIX_INLINE_MAX   32768u    /* bytes of a message that lie behind its header */

/* A name; shared by a listener and the connections it accepted. [I] */
struct unix_address {
	struct refcount refs;
	uint32_t length;            /* as getsockname tells it */
	struct {
		uint16_t family;
		char path[UNIX_PATH_MAX + 1]; /* path[0] == 0: abstract, `length` ends it */
	} name;
};

/*
 * [I] immutable  [l] socket.lock  [n] names_lock  [f] flight_lock  [a] atomic  [r] read_lock
 * [1] socket.lock to set, once; read without it
 */
struct unix_socket {
	struct socket socket;           /* first */
	struct mutex read_lock;         /* class SOCKET_READ: who takes messages off the queue. Not needed
					   where nobody can be reading: release, flight.c */
	struct list messages;           /* [l] struct unix_message.node, oldest first */
	struct list pending;            /* [l] of a listener: connections not accepted */
	struct list pending_node;       /* [l] the listener's */
	uint32_t queue_length;          /* [l] messages or pending connections */
	uint32_t arrivals;              /* [l] messages ever queued: who found nothing waits for another */
	struct unix_message *urgent;    /* [l] of `messages`: the latest byte out of band, until it is taken */
	uint32_t backlog;               /* [l] more than this in the queue: wait */
	struct unix_socket *peer;       /* [l] a reference. Streams: [1], until release */
	bool dead;                      /* [l] released: nothing may be queued */
	uint64_t sent;                  /* [a] charges of our messages that nobody has read */
	struct wait_queue room_wait;    /* whoever waits for our queue to shrink */
	struct waiter relay;            /* [l] on peer->room_wait: wakes our write_wait. Datagrams only */

	struct unix_address *address;   /* [1] a reference; NULL: no name */
	struct path path;               /* [1] references; of a name in the file system. None after release */
	struct list name_node;          /* [n] */
	struct list all_node;           /* [n] */

	pid_t peer_pid;                 /* [l] who connected, or listened */
	struct cred *peer_cred;         /* [l] a reference, or NULL */

	uint32_t in_flight;             /* [f] messages that carry it */
	uint32_t inside;                /* [f] of those, how many lie in queues of candidates */
	bool candidate;                 /* [f] flight.c: reachable through messages only, so far */
	struct list flight_node;        /* [f] while in_flight > 0 */
	struct list work_node;          /* [f] */
};

/* [I] once queued, but offset and rights: [r] of the receiver (rights also [f]). */
struct unix_message {
	struct list node;               /* the receiver's socket.lock */
	struct unix_socket *from;       /* a reference: charged for it, its name is told */
	struct socket_rights *rights;
	bool has_credentials;
	bool peeked;                    /* [r] SO_PEEK_OFF: an empty datagram that was shown once */
	struct socket_credentials credentials;
	uint64_t time;                  /* realtime ns it was queued, if the receiver wanted to know */
	uint32_t length, offset;        /* bytes; a stream's reader has consumed up to offset */
	uint32_t charge;
	char *data;                     /* behind the header, or vmalloc'd when long */
};

static inline struct unix_socket *
unix_of(struct socket *s)
{
	return (struct unix_socket *)s;
}

/* --- unix.c --- */
struct unix_socket *unix_create_socket(int type); /* one reference; NULL: no memory */
static inline void
unix_get(struct unix_socket *u)
{
	ref_get(&u->socket.refs);
}
void unix_put(struct unix_socket *u);
/* The peer with a reference, or NULL. */
struct unix_socket *unix_peer_get(struct unix_socket *u);
/* Who the caller is becomes what SO_PEERCRED of the other side tells. u's lock held, or u not shared. */
void unix_set_peer_cred(struct unix_socket *u);
void unix_release(struct socket *s);
bool unix_is_writable(const struct unix_socket *u);
static inline bool
unix_queue_is_full(const struct unix_socket *u)
{
	return READ_ONCE(u->queue_length) > READ_ONCE(u->backlog);
}

/* --- names.c --- */
int unix_check_address(const struct socket_address *a); /* 0 or -EINVAL */
int unix_bind(struct socket *s, const struct socket_address *a);
int unix_autobind(struct unix_socket *u);
/* As connect and sendto demand: bind a nameless sender that wants to be known. */
int unix_name_sender(struct unix_socket *u);
/* Who is bound to `a`, as `s` sees it, with a reference; ERR_PTR: -ECONNREFUSED, -EPROTOTYPE, what the path gave. */
struct unix_socket *unix_find(const struct socket *s, const struct socket_address *a);
void unix_name_remove(struct unix_socket *u);
/* Birth and death, for unix_for_each(). */
void unix_list_add(struct unix_socket *u);
void unix_list_remove(struct unix_socket *u);
void unix_address_put(struct unix_address *a);
int unix_name(struct socket *s, bool peer, struct socket_address *out);
/* What getsockname of `u` tells; length 0 when it has no name. */
void unix_tell_sender(struct unix_socket *u, struct socket_address *out);

/* --- connect.c --- */
int unix_listen(struct socket *s, uint32_t backlog);
int unix_accept(struct socket *s, uint32_t flags, struct socket **out);
int unix_pair(struct socket *a, struct socket *b);
int unix_stream_connect(struct socket *s, const struct socket_address *a, uint32_t flags);
int unix_shutdown(struct socket *s, uint32_t how);

/* --- message.c --- */
/* Room for n bytes in the name of `u`, waiting for it until the deadline; the data is yet to be filled
 * in. ERR_PTR: -EAGAIN, -EPIPE, the pending error, -EINTR, -ERESTARTSYS, -ENOBUFS. */
struct unix_message *unix_message_create(struct unix_socket *u, size_t n, deadline_t until);
void unix_message_free(struct unix_message *m);       /* no lock held */
void unix_messages_free(struct list *messages);
/* Move the rights of `m` into the message. -ETOOMANYREFS. */
int unix_message_load(struct unix_message *msg, struct socket_message *m);
/* Put it into the queue of `to`, whose lock is held. The caller wakes to's read_wait. */
void unix_message_queue(struct unix_socket *to, struct unix_message *msg);
/* Give a receiver the rights of `msg`: all of them, or when peeking a copy. -ENOMEM (peeking only). */
int unix_message_unload(struct unix_message *msg, struct socket_message *m);
void unix_message_credentials(const struct unix_message *msg, struct socket_message *m);

/* --- stream.c, datagram.c --- */
ssize_t unix_stream_send(struct socket *s, struct socket_message *m);
ssize_t unix_stream_receive(struct socket *s, struct socket_message *m);
int unix_datagram_connect(struct socket *s, const struct socket_address *a, uint32_t flags);
ssize_t unix_datagram_send(struct socket *s, struct socket_message *m);
ssize_t unix_datagram_receive(struct socket *s, struct socket_message *m);
uint32_t unix_datagram_poll(struct socket *s, struct file *f, struct poll_table *pt);
int unix_packet_check_send(struct socket *s);
ssize_t unix_packet_send(struct socket *s, struct socket_message *m);
ssize_t unix_packet_receive(struct socket *s, struct socket_message *m);

/* --- flight.c --- */
/* The files of `r` are in a message from now on. -ETOOMANYREFS: the user has too many under way. */
int unix_flight_begin(struct socket_rights *r);
void unix_flight_end(struct socket_rights *r);
/* The same files once more, not in flight. NULL: no memory. */
struct socket_rights *unix_flight_copy(const struct socket_rights *r);
/* Free sockets that only each other's messages still reach. No lock held. */
void unix_flight_collect(void);
extern const struct socket_ops unix_stream_ops, unix_datagram_ops, unix_packet_ops;

#endif
