/* SPDX-License-Identifier: MIT */
/*
 * packet.h - messages that keep their bounds: what sockets of datagrams, of packets and of netlink receive.
 *
 * A packet belongs to one queue at a time, or to who made it. What a queue holds is charged to its socket, whose
 * receive_limit bounds it; what does not fit is dropped, and counted.
 */
#ifndef TESSERA_PACKET_H
#define TESSERA_PACKET_H

#include <tessera/ip_address.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/socket.h>

/* Bytes that may be put before those of a packet: Ethernet's header, the longest of IP, and UDP's. */
#define PACKET_HEADROOM 96u

/* What came with the bytes. */
struct packet_info {
	struct endpoint from, to;
	uint32_t interface;            /* by which it came */
	int16_t ttl, tos;              /* of its IP header; -1: it had none */
	uint32_t flow;                 /* IPv6's flow label, in the order of the wire */
	struct socket_error error;     /* of a queue of errors: what it is about */
	struct socket_frame frame;     /* of packet sockets */
	struct socket_credentials sender; /* of netlink; zeroes: the kernel */
};

struct packet {
	struct list node;              /* its queue's lock */
	struct packet_info info;       /* [I] once queued, as all but `peeked` is */
	uint64_t time;                 /* realtime ns it was queued; 0: nobody wanted to know */
	uint32_t length, charge;
	uint32_t drops;                /* how many were dropped before it, when it was queued */
	uint16_t header;               /* bytes before `data` that a socket's filter sees, too */
	bool peeked;                   /* the queue's reader: an empty one was shown once (SO_PEEK_OFF) */
	char *data;                    /* the first byte, in `memory` */
	char *memory;                  /* behind the struct; when long frames, or kvmalloc'd */
	bool frames;                   /* `memory` is 1 << order frames */
	uint8_t order;
};

struct packet_queue {
	struct mutex read_lock;        /* class SOCKET_READ: who takes packets off */
	struct spinlock lock;          /* class PACKETS */
	struct list packets;           /* lock; the oldest first */
	uint32_t charged;              /* lock; read without, too: bytes, with overhead */
	uint32_t arrivals;             /* lock: ever queued; who found nothing waits for another */
	uint32_t drops;                /* lock: ever dropped for want of room */
};

/* For n bytes, which are yet to be filled in. NULL: no memory. */
struct packet *packet_create(size_t n);
/* The same with PACKET_HEADROOM before them. */
struct packet *packet_create_sendable(size_t n);
struct packet *packet_copy(const struct packet *p); /* with headroom */
void packet_free(struct packet *p);

void packet_queue_init(struct packet_queue *q);
void packet_queue_drop(struct packet_queue *q); /* all that it holds */
/* Give `p` to the queue of `s`, unless its filter does not want it, and wake who waits. False: there is no room; the packet is the caller's still, counted
 * as dropped. */
bool packet_queue_add(struct packet_queue *q, struct socket *s, struct packet *p);
/* The same without a look at the filter, and without a word to who waits for packets; and that word alone. */
bool packet_queue_put(struct packet_queue *q, struct socket *s, struct packet *p);
void packet_queue_tell(struct socket *s);
/* Would there be room for `p` just now? */
bool packet_queue_has_room(const struct packet_queue *q, const struct socket *s, const struct packet *p);
/* The first packet, for the caller to free; NULL: there is none. */
struct packet *packet_queue_take(struct packet_queue *q);
/* Of a queue of errors, what the first one says. False: there is none. */
bool packet_queue_peek_error(struct packet_queue *q, struct socket_error *out);
/*
 * One call of recv: wait for a packet, copy its bytes out, take it off the queue unless MSG_PEEK is asked for. *info and
 * m->time are its own. The bytes copied, or with MSG_TRUNC its length; 0: shutdown; or an errno.
 */
ssize_t packet_queue_receive(struct packet_queue *q, struct socket *s, struct socket_message *m,
			     struct packet_info *info);
/* The length of the next packet; 0: there is none. */
size_t packet_queue_next(struct packet_queue *q);

/* Its first n bytes are taken off, but not forgotten: packet_push() brings them back. */
static inline void
packet_pull(struct packet *p, size_t n)
{
	p->data += n;
	p->length -= (uint32_t)n;
}

/* Room for n bytes before the others. They must be there: headroom, or what was pulled. */
static inline void *
packet_push(struct packet *p, size_t n)
{
	p->data -= n;
	p->length += (uint32_t)n;
	return p->data;
}

static inline size_t
packet_headroom(const struct packet *p)
{
	return (size_t)(p->data - p->memory);
}

static inline bool
packet_queue_is_empty(const struct packet_queue *q)
{
	return list_is_empty(&q->packets);
}

#endif
