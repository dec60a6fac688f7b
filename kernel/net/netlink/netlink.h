/* SPDX-License-Identifier: MIT */
/*
 * netlink.h - AF_NETLINK inside: sockets by which programs ask the kernel, and are told. netlink(7), linux/netlink.h.
 *
 * A message is a header, then what its type says, then attributes: each a length, a type and data, aligned to four bytes.
 * A request is answered while it is sent: the answers lie in the sender's queue when send returns. An answer to a dump is
 * many messages, cut into packets that a reader has room for. When they fill the queue, the dump stops; each receive that
 * finds the queue half empty has the request handled again, and what was told before is left out (struct netlink_dump).
 *
 * Locks: netlink_table_lock (NETLINK) of the list of sockets and of their numbers; it is taken alone. Requests of one kind
 * are handled one at a time (request_lock), as on Linux: who looks and then changes is not disturbed.
 */
#ifndef TESSERA_NETLINK_H
#define TESSERA_NETLINK_H

#include <tessera/packet.h>

#include "../network.h"

struct netlink_socket;

struct nlmsghdr {
	uint32_t length;        /* this header included */
	uint16_t type, flags;
	uint32_t sequence, port;
};
_Static_assert(sizeof(struct nlmsghdr) == 16, "Linux's layout");

struct nlattr {
	uint16_t length;        /* this header included */
	uint16_t type;
};

#define NLM_F_REQUEST 0x1u
#define NLM_F_MULTI   0x2u
#define NLM_F_ACK     0x4u
#define NLM_F_ECHO    0x8u
#define NLM_F_DUMP_FILTERED 0x20u
#define NLM_F_ROOT    0x100u
#define NLM_F_MATCH   0x200u
#define NLM_F_DUMP    (NLM_F_ROOT | NLM_F_MATCH)
#define NLM_F_REPLACE 0x100u
#define NLM_F_EXCL    0x200u
#define NLM_F_BULK    0x200u  /* of requests to delete */
#define NLM_F_CREATE  0x400u

#define NLM_F_CAPPED   0x100u /* of an answer: the request is not all there */
#define NLM_F_ACK_TLVS 0x200u /* attributes follow */
#define NLMSGERR_ATTR_MSG 1u

#define NLMSG_NOOP  1u
#define NLMSG_ERROR 2u
#define NLMSG_DONE  3u
#define NLMSG_MIN_TYPE 0x10u

#define NETLINK_ROUTE          0
#define NETLINK_SOCK_DIAG      4
#define NETLINK_KOBJECT_UEVENT 15
#define NETLINK_GENERIC        16
#define NETLINK_PROTOCOLS      32

/* Messages that are put together, in a packet that grows. */
struct netlink_out {
	struct netlink_socket *to;     /* answers go there; NULL: to a group */
	struct packet *packet;         /* NULL: none yet, or no memory */
	size_t used;
	size_t message;                /* where the present message begins */
	uint32_t sequence, port;       /* of the request */
	bool multi;                    /* it is one of many: parts of a dump */
	bool full;                     /* of a dump: its receiver has no room; what is put together now is lost */
	uint32_t part;                 /* of a dump: the bytes of a packet, but that one message always fits */
	uint32_t skip;                 /* of a dump that goes on: messages still to be left out */
	uint32_t held, told;           /* of a dump: messages in `packet`, and those that went to the receiver */
	int error;                     /* -ENOBUFS: something did not fit, or no memory */
	const char *complaint;         /* why the request fails, for people (NETLINK_EXT_ACK); NULL: the errno says it */
};

/* A request, checked to lie in what was sent: header, `body` and its length. */
struct netlink_request {
	const struct nlmsghdr *header;
	const void *body;
	size_t length;
	struct network *network;
	bool privileged;               /* the sender has CAP_NET_ADMIN over it */
};

struct netlink_protocol {
	const char *name;
	uint32_t groups;
	/* Answer into `out`. 0, 1: a dump, all of it is there; or the errno that the acknowledgement carries. */
	int (*request)(const struct netlink_request *r, struct netlink_out *out);
	bool dumps_any;                /* each message may ask for a dump; else the third of each four may */
};
extern const struct netlink_protocol netlink_route, netlink_diag, netlink_uevent;

static inline void
netlink_complain(struct netlink_out *o, const char *why)
{
	o->complaint = why;
}

#define NETLINK_PART 16384u /* no packet of answers is longer */
/* What is in `o` goes to its receiver; there is nothing in it then. */
void netlink_send_part(struct netlink_out *o);
/* The same, but the last message stays. */
void netlink_send_but_last(struct netlink_out *o);

/* --- putting messages together --- */
/* Begin a message with a body of `size` bytes, which are zero: where it is, or NULL: no memory. */
void *netlink_begin(struct netlink_out *o, uint16_t type, uint16_t flags, size_t size);
void netlink_put(struct netlink_out *o, uint16_t type, const void *data, size_t size);
void netlink_put_u32(struct netlink_out *o, uint16_t type, uint32_t value);
void netlink_put_u8(struct netlink_out *o, uint16_t type, uint8_t value);
void netlink_put_string(struct netlink_out *o, uint16_t type, const char *s);
size_t netlink_nest(struct netlink_out *o, uint16_t type); /* attributes inside one; what netlink_unnest() wants */
void netlink_unnest(struct netlink_out *o, size_t nest);
void netlink_end(struct netlink_out *o);

/* --- taking requests apart --- */
/* The attributes behind the first `header` bytes of a body, by type, up to `max`; what is not there is NULL. -EINVAL. */
int netlink_parse(const struct netlink_request *r, size_t header, const struct nlattr **attribute, unsigned max);
/* The same of those that lie in another one; NULL: there is none. */
void netlink_parse_nest(const struct nlattr *nest, const struct nlattr **attribute, unsigned max);
static inline const void *
netlink_data(const struct nlattr *a)
{
	return a + 1;
}
static inline size_t
netlink_size(const struct nlattr *a)
{
	return a->length - sizeof(*a);
}
/* Its value; `otherwise` if it is not there or too short. */
uint32_t netlink_u32(const struct nlattr *a, uint32_t otherwise);
/* A string that ends, of at most `size` bytes with its end. -EINVAL, -ERANGE. */
int netlink_string(const struct nlattr *a, char *to, size_t size);

/* Send what is in `o` to all who listen to `group` (1 and up) of the protocol in the network. */
void netlink_tell_group(struct network *n, int protocol, uint32_t group, struct netlink_out *o);
/* The packet is taken over and comes to that socket. False: there is no room. */
bool netlink_deliver(struct socket *s, struct packet *p);
/* Does anybody listen to the group? A hint. */
bool netlink_has_listeners(struct network *n, int protocol, uint32_t group);

#endif
