/* SPDX-License-Identifier: MIT */
/*
 * socket.h - the socket layer: what every socket is, and what an address family must offer.
 *
 * A socket is an open object (struct file) whose private pointer leads to a struct socket, the first
 * member of the family's own struct. net/socket.c has what all families share: birth of the open
 * object, reading and writing it as a file, deadlines, errors. A family is a table of operations;
 * net/families.c lists them.
 */
#ifndef TESSERA_SOCKET_H
#define TESSERA_SOCKET_H

#include <tessera/async.h>
#include <tessera/atomic.h>
#include <tessera/file.h>
#include <tessera/iov.h>
#include <tessera/ip_address.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/time.h>
#include <tessera/types.h>
#include <tessera/wait.h>

struct cred;
struct memory_object;
struct path;
struct poll_table;
struct socket;

/* Linux's values. */
#define AF_UNSPEC 0
#define AF_UNIX   1
#define AF_INET   2
#define AF_INET6  10
#define AF_NETLINK 16
#define AF_PACKET  17
#define AF_LIMIT  46

#define IPPROTO_IP   0
#define IPPROTO_TCP  6
#define IPPROTO_UDP  17
#define IPPROTO_IPV6 41
#define IPPROTO_ICMP 1
#define IPPROTO_ICMPV6 58
#define IPPROTO_RAW  255

#define SOCK_STREAM     1
#define SOCK_DGRAM      2
#define SOCK_RAW        3
#define SOCK_SEQPACKET  5
#define SOCK_TYPE_LIMIT 11

#define MSG_OOB          0x1u
#define MSG_PEEK         0x2u
#define MSG_CTRUNC       0x8u
#define MSG_TRUNC        0x20u
#define MSG_DONTWAIT     0x40u
#define MSG_EOR          0x80u
#define MSG_WAITALL      0x100u
#define MSG_NOSIGNAL     0x4000u
#define MSG_MORE         0x8000u
#define MSG_WAITFORONE   0x10000u
#define MSG_ERRQUEUE     0x2000u
#define MSG_CMSG_CLOEXEC 0x40000000u
#define MSG_CMSG_COMPAT  0x80000000u

/* socket->shutdown, and the argument of ops->shutdown. */
#define SHUTDOWN_RECEIVE 1u
#define SHUTDOWN_SEND    2u
#define SHUTDOWN_BOTH    3u

#define SOCKET_BUFFER      212992u   /* send and receive limits at birth, and what a program may ask for, if nobody sets others */
#define SOCKET_ADDRESS_MAX 128u
#define SOCKET_RIGHTS_MAX  253u      /* files in one message */
#define SOCKET_NOBODY      65534u    /* the ids of who did not say */

struct socket_address {
	uint32_t length;                         /* bytes in use; 0: none */
	union {
		uint16_t family;
		uint8_t bytes[SOCKET_ADDRESS_MAX];
	};
};

struct socket_credentials {                      /* Linux's struct ucred */
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/* Files that travel in a message: a reference to each, and the rights that the handle had. */
struct socket_rights {
	struct list node;                        /* whoever holds it */
	uint32_t count;
	uid_t sender;                            /* counted against this user's limit */
	struct {
		struct file *file;
		uint64_t rights;
	} entry[SOCKET_RIGHTS_MAX];
};

/* Whose word an error is: Linux's SO_EE_ORIGIN_*. */
enum { ERROR_NONE, ERROR_LOCAL, ERROR_ICMP, ERROR_ICMP6 };

/* Why a datagram did not arrive: what struct sock_extended_err tells. */
struct socket_error {
	uint8_t origin, type, code;              /* origin ERROR_NONE: it is none */
	int error;                               /* positive */
	uint32_t info;                           /* EMSGSIZE: what would have fitted */
	struct endpoint offender;                /* who sent the ICMP message */
};

/* Of a frame that a packet socket receives. */
struct socket_frame {
	uint32_t length;                         /* before a filter cut it short */
	uint16_t protocol;                       /* as numbers are kept here */
	uint16_t network;                        /* where its network layer's header begins */
	uint16_t kind;                           /* of the link: ARPHRD_* */
	uint8_t type;                            /* whom it was for: enum frame_direction */
	uint8_t address_length;
	uint8_t address[8];                      /* who sent it on the link */
};

/* What the header of a datagram says, in either direction. Sending, what is not given is as the socket's options say. */
struct socket_packet {
	bool has_info;                           /* sending: source and interface are given */
	struct endpoint to;                      /* received: where it was sent to; sending: its source */
	uint32_t interface;                      /* by which it came, or is to go; 0: not said */
	int16_t ttl, tos;                        /* received: -1: not known */
	bool has_ttl, has_tos;                   /* sending: they are given */
	uint16_t segment;                        /* sending: cut into datagrams of so many bytes; 0: not */
	uint32_t flow;                           /* received: IPv6's flow label */
	struct socket_error error;               /* received with MSG_ERRQUEUE */
	struct socket_frame frame;               /* received by a packet socket */
};

/*
 * One call of send or receive. Sending, a family takes `rights` over by setting it to NULL; receiving,
 * it hands out what it sets. What is left in it afterwards is the caller's.
 */
struct socket_message {
	struct iov_iter *data;
	uint32_t flags;                          /* MSG_*, as asked */
	uint32_t result;                         /* MSG_*, as happened: TRUNC, OOB */
	struct socket_address address;           /* to whom, or from whom */
	struct socket_rights *rights;
	uint64_t time;                           /* received: realtime ns it was queued; 0: not noted */
	uint32_t drops;                          /* received: packets that found no room before this one */
	struct socket_packet packet;             /* of the Internet's families: what goes beside the bytes */
	bool has_credentials;                    /* sending: given; receiving: to be told, if wanted */
	struct socket_credentials credentials;
};

struct socket_ops {
	/* Addresses as the program gave them: nothing is checked but their length limit. */
	int (*bind)(struct socket *s, const struct socket_address *a);
	int (*connect)(struct socket *s, const struct socket_address *a, uint32_t flags);
	int (*listen)(struct socket *s, uint32_t backlog);
	/* The next connection, its reference for the caller. flags: MSG_DONTWAIT. */
	int (*accept)(struct socket *s, uint32_t flags, struct socket **out);
	int (*pair)(struct socket *a, struct socket *b);
	int (*name)(struct socket *s, bool peer, struct socket_address *out);
	int (*shutdown)(struct socket *s, uint32_t how);
	/* Errors that come before those of a message's control part. Empty: none do. send checks again. */
	int (*check_send)(struct socket *s);
	ssize_t (*send)(struct socket *s, struct socket_message *m);
	ssize_t (*receive)(struct socket *s, struct socket_message *m);
	uint32_t (*poll)(struct socket *s, struct file *f, struct poll_table *pt);
	/* Bytes that a read would give (out: that the other side has yet to read), or an errno. */
	long (*pending)(struct socket *s, bool out);
	/* Who is at the other end: process, and credentials with a reference; 0 and NULL: nobody yet. */
	void (*peer_cred)(struct socket *s, pid_t *pid, struct cred **cred);
	/* MSG_PEEK begins that many bytes behind the front, from now on; negative: at the front. */
	void (*set_peek_offset)(struct socket *s, int32_t offset);
	/* Is the next byte to read the one that came out of band? Empty: such bytes are not known. */
	bool (*at_mark)(struct socket *s);
	/* A program has set an option, any. May be empty. */
	void (*options_changed)(struct socket *s);
	/* Memory that it shares with its program: the object, with a reference. Empty: -ENODEV. */
	int (*mmap)(struct socket *s, uint64_t offset, size_t length, struct memory_object **out);
	/* One mapping more, or less. May be empty. */
	void (*mapped)(struct socket *s, bool more);
	/* What it is bound to in the file system, with references. -ENOENT: nothing. */
	int (*bound_path)(struct socket *s, struct path *out);
	void (*release)(struct socket *s);       /* the file is gone; drops the file's reference */
	void (*dump)(struct socket *s);
};

struct socket_family {
	const char *name;
	/* A socket with one reference, or an errno: EPROTONOSUPPORT, ESOCKTNOSUPPORT, ENOMEM ... */
	int (*create)(int type, int protocol, struct socket **out);
};

extern const struct socket_family *const socket_families[AF_LIMIT]; /* empty: EAFNOSUPPORT */
extern const struct socket_family unix_family, inet_family, inet6_family, netlink_family, packet_family;

enum socket_state { SOCKET_UNCONNECTED, SOCKET_LISTENING, SOCKET_CONNECTING, SOCKET_CONNECTED };

/* Options of a netlink socket: Linux's values. -ENOPROTOOPT, -EINVAL, -EPERM. */
#define NETLINK_GROUP_WORDS 2u
enum { NETLINK_ADD_MEMBERSHIP = 1, NETLINK_DROP_MEMBERSHIP = 2, NETLINK_PKTINFO = 3, NETLINK_BROADCAST_ERROR = 4,
       NETLINK_NO_ENOBUFS = 5, NETLINK_LIST_MEMBERSHIPS = 9, NETLINK_CAP_ACK = 10, NETLINK_EXT_ACK = 11, NETLINK_GET_STRICT_CHK = 12 };
int netlink_option(struct socket *s, int option, int value);
/* A flag; -ENOPROTOOPT. The groups it listens to: as many words as there are, 0 for who never listened. */
int netlink_option_get(struct socket *s, int option);
unsigned netlink_groups_get(struct socket *s, uint32_t words[NETLINK_GROUP_WORDS]);

/* socket->buffer_lock: who set the size of a buffer has his way. */
#define SOCKET_SEND_LOCKED    BIT(0)
#define SOCKET_RECEIVE_LOCKED BIT(1)

/* socket->options: what setsockopt switches on and off. */
#define SOCKET_PASS_CREDENTIALS BIT(0)
#define SOCKET_REUSE_ADDRESS    BIT(1)
#define SOCKET_REUSE_PORT       BIT(2)
#define SOCKET_BROADCAST        BIT(3)
#define SOCKET_KEEPALIVE        BIT(4)
#define SOCKET_DEBUG            BIT(5)
#define SOCKET_DONT_ROUTE       BIT(6)
#define SOCKET_OOB_INLINE       BIT(7)
#define SOCKET_PASS_SECURITY    BIT(8)
#define SOCKET_LINGER           BIT(9)
#define SOCKET_TIMESTAMP        BIT(10) /* tell when a datagram came, in microseconds */
#define SOCKET_TIMESTAMP_NS     BIT(11) /* the same in nanoseconds; at most one of the two */
/* Kept and told, and of no use to a family without devices: */
#define SOCKET_NO_CHECKSUM      BIT(12)
#define SOCKET_COUNT_DROPS      BIT(13)
#define SOCKET_WIFI_STATUS      BIT(14)
#define SOCKET_NO_FCS           BIT(15)
#define SOCKET_LOCK_FILTER      BIT(16)
#define SOCKET_ERROR_QUEUE_EVENT BIT(17)
#define SOCKET_PREFER_BUSY_POLL BIT(18)

/* socket->timestamping: Linux's SOF_TIMESTAMPING_*. */
#define SOCKET_TIMESTAMPING_RECEIVE  BIT(3)
#define SOCKET_TIMESTAMPING_SOFTWARE BIT(4)
#define SOCKET_TIMESTAMPING_ALL      0x1ffffu

/*
 * [I] immutable  [l] lock, read without it by who waits and polls  [a] atomic
 */
struct namespace;

struct socket {
	struct refcount refs;          /* the file, peers, queues */
	const struct socket_ops *ops;  /* [I] */
	uint16_t family, type;         /* [I] */
	int protocol;                  /* [I] */
	struct namespace *net;         /* [I] reference: abstract names are its */
	struct file *file;             /* [I] once set: the open object, not counted; NULL: not accepted */
	ino_t inode;                   /* [I] once set: the number of its inode */
	struct mutex lock;             /* class SOCKET */
	enum socket_state state;       /* [l] */
	uint32_t shutdown;             /* [l] SHUTDOWN_* */
	int error;                     /* [a] pending, positive: the next call returns it, once */
	int soft_error;                /* [a] what may be why nothing comes: for SO_ERROR, and when the socket gives up */
	struct wait_queue read_wait;   /* there is something to receive or accept, or never will be */
	struct wait_queue write_wait;  /* there is room to send, or never will be */

	struct async_list async;       /* whom to tell by signal */
	bool wants_room;               /* [a] a sender found none since it was last told of some */

	uint32_t options;              /* [a] SOCKET_* */
	uint32_t send_limit;           /* [a] bytes sent and not read, with overhead */
	uint32_t receive_limit;        /* [a] as set; streams and datagrams are bounded by the sender */
	uint32_t low_water;            /* [a] least bytes a stream's receive waits for */
	uint32_t priority;             /* [a] as set */
	uint32_t linger;               /* [a] seconds, as set */
	uint32_t mark, busy_poll, buffer_lock, timestamping; /* [a] as set */
	int32_t incoming_cpu;          /* [a] as set; -1: none */
	int32_t peek_offset;           /* [a] SO_PEEK_OFF, the family's lock to write; negative: none */
	struct socket_filter *filter;  /* SO_ATTACH_FILTER: net/filter.c's lock; NULL: none */
	uint64_t pacing_rate;          /* [a] as set; UINT64_MAX: none */
	uint64_t send_timeout, receive_timeout; /* [a] ns; UINT64_MAX: for ever */
};

/* For families: fill in what is common. One reference. */
void socket_init(struct socket *s, const struct socket_ops *ops, int family, int type);
/* The fresh `s` is of the network `net`, not of that of who made it: the far end of somebody else's connection. */
void socket_set_network(struct socket *s, struct namespace *net);
/* Its filter goes; the family calls it before it frees the socket. */
void socket_filter_drop(struct socket *s);
struct bpf_instruction;
/* SO_ATTACH_FILTER: n instructions, copied; -EINVAL, -ENOMEM, -EPERM: it is locked. SO_DETACH_FILTER: -ENOENT, -EPERM. */
int socket_filter_attach(struct socket *s, const struct bpf_instruction *p, uint32_t n);
int socket_filter_detach(struct socket *s);
/* SO_GET_FILTER: a copy, to be kfree'd, of *n instructions; NULL with *n 0: there is none. -ENOMEM. */
int socket_filter_get(struct socket *s, struct bpf_instruction **p, uint32_t *n);
struct bpf_frame;
/* How many of `size` bytes the socket wants: all, if it has no filter. */
uint32_t socket_filter_run(struct socket *s, const void *data, uint32_t size, const struct bpf_frame *frame);
/* When a call that began now has to end: 0 at once, DEADLINE_NEVER. */
deadline_t socket_deadline(uint64_t timeout, uint32_t flags);
/* What a call returns whose wait ended with `error`: -EAGAIN, -ERESTARTSYS or -EINTR. */
int socket_wait_error(int error, deadline_t deadline);
/* Lock two sockets, which may be one: the lower address first, whichever wants something of the other. */
void socket_lock_two(struct socket *a, struct socket *b);
void socket_unlock_two(struct socket *a, struct socket *b);
/* The pending error, negative, which is none then; or 0. */
int socket_take_error(struct socket *s);

/* --- messages that keep their bounds, and MSG_PEEK with SO_PEEK_OFF. What holds the queue still is held: its read_lock --- */

/* What a receive looks for, and what it saw. */
struct socket_look {
	bool peek;
	size_t skip;        /* SO_PEEK_OFF: bytes to pass over, then those of the message that was found */
	uint32_t arrivals;  /* when nothing was there */
};
/* As a receive with these flags begins. */
struct socket_look socket_look_begin(const struct socket *s, uint32_t flags);
/*
 * Does it begin with the next message, which is of that length? If not, that is passed over. *peeked belongs to the message: an
 * empty one is shown once.
 */
bool socket_look_finds(struct socket_look *l, const struct socket *s, uint32_t length, bool *peeked);
/* `n` bytes were taken off the queue, or only looked at: SO_PEEK_OFF moves along. Streams, too. */
void socket_peek_moves(struct socket *s, size_t n, bool peeked);
/* How far behind the front a receive with these flags begins. Streams, too. */
static inline size_t
socket_peek_offset(const struct socket *s, uint32_t flags)
{
	int32_t offset = READ_ONCE(s->peek_offset);

	return (flags & MSG_PEEK) && offset > 0 ? (size_t)offset : 0;
}

/* A socket with a reference, or an errno (EAFNOSUPPORT, EINVAL, the family's). */
int socket_create(int family, int type, int protocol, struct socket **out);
/* An open object without a socket; flags O_NONBLOCK. -ENOMEM. */
int socket_file_create(uint32_t flags, struct file **out);
/* Marry them; takes over the reference to `s`. */
void socket_attach(struct file *f, struct socket *s);
/* The socket behind an open file, or NULL. Borrowed: valid as long as the file. */
struct socket *file_socket(struct file *f);

/* send and receive with the file's O_NONBLOCK taken into account. */
ssize_t socket_send(struct socket *s, struct socket_message *m);
ssize_t socket_receive(struct socket *s, struct socket_message *m);

/* Call fn for each AF_UNIX socket that is not closed; `name` is as getsockname tells it, of length 0 when there is none. fn may
 * sleep. */
void unix_for_each(void (*fn)(void *ctx, const struct socket *s, const struct socket_address *name),
		   void *ctx);

/* More of one that unix_for_each() shows. */
struct unix_report {
	uint64_t peer;                 /* the number of its peer's inode; 0: none */
	uint64_t file, device;         /* of what it is bound to in the file system; 0: nothing */
	uint32_t receive_queue, send_queue; /* bytes; of a listener connections: that wait, and that may */
};
void unix_report(const struct socket *s, struct unix_report *out);

void unix_sockets_dump(void); /* the same to the log; takes no locks */

struct socket_rights *socket_rights_create(void); /* empty, of the caller; NULL: no memory */
/* Drop the files and free it; NULL is fine. No lock held. Never recurses, however sockets in it nest. */
void socket_rights_drop(struct socket_rights *r);

#endif
