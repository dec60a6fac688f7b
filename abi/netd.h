/* SPDX-License-Identifier: MIT */
/*
 * netd.h - /dev/netd: the door between the kernel's sockets and the network stack, which is a process.
 *
 * The kernel has the sockets, ports, interfaces, addresses, routes and the bytes of each connection; the stack (netd)
 * has the NICs, ARP and ND, fragments, and TCP towards the wire. One process at a time has the door open. All that must
 * outlive it lies in the memory of the door, which is the kernel's: who opens the door next finds each connection as
 * its predecessor left it and goes on. The kernel believes nothing of what the stack writes but checks it; nonsense
 * ends the stack, not the kernel, and a connection that it was written about is reset.
 *
 * Words "[k]" are written by the kernel only, "[n]" by netd only; "[*]" by both, by atomic operations. Numbers are the
 * machine's, unless it is said otherwise. Counts of bytes of a stream are 64 bits and never turn over; they begin
 * with 0, whatever the sequence numbers are.
 *
 * Includes nothing: the integer types of <stdint.h> are there already.
 */
#ifndef TESSERA_ABI_NETD_H
#define TESSERA_ABI_NETD_H

#define NETD_VERSION 1u

#define NETD_SLOTS         16384u       /* connections and listeners */
#define NETD_CHUNK         16384u       /* bytes of a stream lie in chunks of the arena */
#define NETD_CHUNKS        256u         /* of one direction of a stream: 4 MiB */
#define NETD_BLOCK         (2u << 20)   /* the arena grows by blocks, contiguous in memory */
#define NETD_CHUNK_NONE    0xffffu
#define NETD_HALF_OPEN     1024u        /* connections that peers began and have not confirmed */
#define NETD_FRAME_RING    (1u << 20)   /* bytes of each ring of frames */
#define NETD_FRAME_MAX     65600u       /* data of one record */

/* What mmap's offset says, and how much lies there. */
#define NETD_MAP_KERNEL    0x00000000ull /* struct netd_kernel_page; read only. One page */
#define NETD_MAP_NETD      0x00001000ull /* struct netd_netd_page. One page */
#define NETD_MAP_DIRTY     0x00002000ull /* struct netd_dirty: to netd. One page; that to the kernel is the next one */
#define NETD_MAP_HALF_OPEN 0x00100000ull /* struct netd_half_open[NETD_HALF_OPEN] */
#define NETD_MAP_FRAMES_OUT 0x00200000ull /* the ring of frames from the kernel; read only. NETD_FRAME_RING */
#define NETD_MAP_FRAMES_IN 0x00400000ull /* to the kernel. NETD_FRAME_RING */
#define NETD_MAP_WANTED    0x10000000ull /* struct netd_wanted[NETD_SLOTS], each NETD_WANTED_STRIDE long; read only */
#define NETD_MAP_ACTUAL    0x20000000ull /* struct netd_actual[NETD_SLOTS], each NETD_ACTUAL_STRIDE long */
#define NETD_MAP_ARENA     0x40000000ull /* netd_kernel_page.arena_blocks of them so far, room for arena_blocks_max */

#define NETD_WANTED_STRIDE 2048u
#define NETD_ACTUAL_STRIDE 512u

/* An IPv4 address a.b.c.d is ::ffff:a.b.c.d. */
struct netd_address {
	uint8_t bytes[16];
};

struct netd_endpoint {
	struct netd_address address;
	uint32_t scope;                /* of a link-local address: the interface; else 0 */
	uint16_t port;
	uint16_t unused;
};

/* --- the pages of control ------------------------------------------------------------------------- */

struct netd_kernel_page {
	uint32_t version;              /* NETD_VERSION */
	uint32_t arena_blocks, arena_blocks_max; /* [k] the first grows */
	uint32_t config;               /* [k] changes with interfaces, addresses, routes and neighbours */
	uint32_t slots_used;           /* [k] no slot from here on was ever in use */
	uint32_t taps;                 /* [k] NETD_TAP_: what is to be shown */
	uint64_t frames_out_head;      /* [k] bytes ever put into that ring */
	uint64_t frames_in_tail;       /* [k] bytes ever taken out of the other */
	uint8_t secret[32];            /* the same for all stacks since boot: for sequence numbers and timestamps */
};

#define NETD_TAP_FRAMES 0x1u           /* frames as they come and go: NETD_FRAME_SEEN, _SEEN_OUT */
#define NETD_TAP_TCP    0x2u           /* segments of TCP that come in: NETD_FRAME_TCP_SEEN */

struct netd_netd_page {
	uint32_t asleep;               /* [*] netd waits in poll(): POLLIN is due when there is work. The kernel clears it */
	uint32_t config_seen;          /* [n] netd_kernel_page.config as netd knows it: another one is work */
	uint64_t frames_out_tail;      /* [n] */
	uint64_t frames_in_head;       /* [n] */
	uint64_t wants_room;           /* [*] the kernel waits for room among the frames out: NETD_KICK when there is */
};

/*
 * Slots to look at. Who changed a slot sets its bit in `slot` and then that of the word in `summary`, both by atomic or;
 * who looks takes whole words by exchange with 0, first of summary, and looks at the slots afterwards. A new netd looks at all.
 */
struct netd_dirty {
	uint64_t summary[NETD_SLOTS / 64 / 64]; /* [*] */
	uint64_t slot[NETD_SLOTS / 64];         /* [*] */
};

/* --- slots ------------------------------------------------------------------------------------------ */

/* What the kernel wants of a slot. */
enum netd_want {
	NETD_WANT_NOTHING,             /* the slot is free: forget what was there, without a word to the peer */
	NETD_WANT_LISTEN,
	NETD_WANT_CONNECTION,          /* connect to `remote` if that has not been done, and go on */
	NETD_WANT_END,                 /* its program is gone: as before, and netd says when nothing is left, TIME_WAIT included */
	NETD_WANT_RESET,               /* send a reset, if the peer knows of us, and be CLOSED */
};

/* netd_wanted.flags */
#define NETD_FLAG_END       0x1u       /* behind the byte `queued` is the end of what we send */
#define NETD_FLAG_NO_DELAY  0x2u
#define NETD_FLAG_CORK      0x4u       /* keep back what is less than a segment */
#define NETD_FLAG_KEEPALIVE 0x8u
#define NETD_FLAG_QUICK_ACK 0x10u
#define NETD_FLAG_ACCEPTED  0x20u      /* netd_accept made it */
#define NETD_FLAG_V6_ONLY   0x40u      /* a listener at :: that wants no connections by IPv4 */
#define NETD_FLAG_MAY_CUT   0x80u      /* routers may cut its packets; else these say "do not fragment" */

struct netd_wanted {
	uint32_t generation;           /* [k] counts the lives of the slot */
	uint32_t want;                 /* [k] enum netd_want */
	struct netd_endpoint local, remote;
	uint32_t interface;            /* [k] bound to this one; 0: as the routes say */
	uint32_t flags;                /* [k] NETD_FLAG_ */
	uint64_t queued;               /* [k] bytes to send since the beginning */
	uint64_t urgent;               /* [k] behind the latest urgent byte; 0: none */
	uint64_t granted;              /* [k] netd may receive up to this byte of the stream: the window's right edge */
	uint64_t taken;                /* [k] how many of them the program has read */
	uint64_t acked, arrived;       /* [k] as the kernel has taken note of them: netd's own are never less */
	uint32_t window_max;           /* [k] how far granted may come to lie before `arrived`: what scale is good for */
	uint32_t backlog_left;         /* [k] of a listener: connections that it has room for */
	uint32_t keep_idle, keep_interval; /* [k] milliseconds */
	uint32_t keep_count;
	uint32_t user_timeout;         /* [k] milliseconds without an acknowledgement; 0: TCP's own */
	uint32_t connect_count;        /* [k] how often SYN is sent again */
	uint32_t max_segment;          /* [k] TCP_MAXSEG; 0: as the interface has it */
	uint32_t path_mtu;             /* [k] packets no longer than that get through; 0: as the interface has it */
	uint8_t ttl, tos;
	uint8_t unused[2];
	/* Byte b of a stream lies in chunk [b / NETD_CHUNK % NETD_CHUNKS], at b % NETD_CHUNK in it. NETD_CHUNK_NONE. */
	uint16_t send_chunk[NETD_CHUNKS];    /* [k] valid for acked <= b < queued */
	uint16_t receive_chunk[NETD_CHUNKS]; /* [k] valid for arrived <= b < granted */
};

/* As Linux numbers them. */
enum netd_state {
	NETD_UNSEEN, NETD_ESTABLISHED, NETD_SYN_SENT, NETD_SYN_RECEIVED, NETD_FIN_WAIT1, NETD_FIN_WAIT2, NETD_TIME_WAIT,
	NETD_CLOSED, NETD_CLOSE_WAIT, NETD_LAST_ACK, NETD_LISTENING, NETD_CLOSING,
};

/* What is known when a connection begins and stays so; written before the first segment leaves. */
struct netd_record {
	uint32_t generation;           /* of the slot */
	uint32_t checksum;             /* CRC32C of what follows */
	uint32_t send_base;            /* the sequence number of the first byte of the stream: that of SYN + 1 */
	uint32_t receive_base;         /* the same of the peer's; 0 while it is not known */
	uint32_t time_offset;          /* our timestamps are CLOCK_MONOTONIC's milliseconds plus this */
	uint16_t max_segment;          /* as agreed upon */
	uint8_t send_scale, receive_scale;
	uint8_t has_scale, has_sack, has_timestamps;
	uint8_t established;           /* the rest holds what the handshake has found; 0: only send_base and time_offset do */
};

/* How it fares, for TCP_INFO. */
struct netd_report {
	uint32_t rtt, rtt_variation, rto;      /* microseconds */
	uint32_t send_window, congestion_window, threshold; /* bytes */
	uint32_t retransmits_now, retransmits, unacked; /* segments */
	uint32_t last_sent, last_received;     /* CLOCK_MONOTONIC's milliseconds */
	uint64_t segments_out, segments_in;
	uint32_t max_segment, unused;          /* what segments are no longer than now, options included */
};

/* netd_actual.flags */
#define NETD_FLAG_END_ARRIVED 0x1u     /* behind the byte `arrived` is the end of what the peer sends */

struct netd_actual {
	uint32_t generation;           /* [n] of the life that all this is about */
	uint32_t state;                /* [n] enum netd_state; CLOSED: nothing is left of it at netd */
	uint32_t error;                /* [n] why it is CLOSED: an errno; 0: it ended as it should */
	uint32_t flags;                /* [n] */
	uint64_t acked;                /* [n] so many bytes the peer has; the kernel takes their chunks back */
	uint64_t sent;                 /* [n] so many have ever been sent; written before the segment leaves */
	uint64_t arrived;              /* [n] so many are in the chunks; written before an acknowledgement leaves */
	uint64_t urgent;               /* [n] behind the peer's latest urgent byte; 0: none */
	uint32_t end_sent;             /* [n] our FIN has been sent; written before it leaves */
	uint32_t send_window, send_window_at, send_window_ack; /* [n] SND.WND, SND.WL1, SND.WL2 */
	uint32_t announced;            /* [n] the right edge of the window that was last told, as a sequence number */
	uint32_t time_recent;          /* [n] the peer's timestamp to echo */
	struct netd_record record;     /* [n] */
	struct netd_report report;     /* [n] */
};

/* A connection that a peer began: between its SYN and what confirms ours. */
struct netd_half_open {
	uint32_t used;                 /* [n] set last and cleared first; 0: nothing here counts */
	uint32_t interface;
	struct netd_endpoint local, remote;
	uint32_t time_recent, send_window;
	uint64_t since;                /* CLOCK_MONOTONIC ns */
	struct netd_record record;     /* generation is 0 */
	uint8_t unused[24];
};

/* --- frames ---------------------------------------------------------------------------------------- */

/*
 * A ring of frames holds records, each beginning at a multiple of 16 bytes: this header and `length` bytes. One that would not
 * fit before the ring's end is preceded by a header of NETD_FRAME_SKIP up to there (`length` counts without its header). Where
 * the header itself would not fit, nothing is written: the next record is at the ring's beginning.
 */
enum netd_frame_kind {
	NETD_FRAME_SKIP,
	/* From the kernel */
	NETD_FRAME_SEND,               /* an IP packet, to go by `interface` to `next`; netd cuts it where it is too long */
	NETD_FRAME_SEND_RAW,           /* a frame with its header, to go as it is */
	NETD_FRAME_WRITTEN,            /* what a program wrote to a TUN or TAP interface: as if a NIC had received it */
	/* To the kernel */
	NETD_FRAME_RECEIVED,           /* an IP packet to one of our addresses, or to many; whole. TCP's do not come */
	NETD_FRAME_SEEN,               /* a frame as it came in, for packet sockets */
	NETD_FRAME_SEEN_OUT,           /* as it went out */
	NETD_FRAME_TO_READ,            /* what a program is to read from a TUN or TAP interface */
	NETD_FRAME_TCP_SEEN,           /* a segment of TCP, for raw sockets, where there are any */
};

#define NETD_FRAME_CHECKED 0x1u        /* checksums of its inside are known to be right */
#define NETD_FRAME_TO_MANY 0x2u        /* the link had it for many, or for all */
#define NETD_FRAME_FOR(flags) ((flags) >> 8) /* whom a frame was for that was SEEN, as PACKET_HOST ... number them */

struct netd_frame {
	uint32_t length;
	uint16_t kind, flags;
	uint32_t interface;
	uint32_t unused;
	struct netd_address next;
};

/* --- calls ------------------------------------------------------------------------------------------ */

#define NETD_NAME_MAX 16u
#define NETD_LINK_MAX 8u

/* A NIC that netd drives becomes an interface, or goes on being the one that the same `key` had. */
struct netd_interface {
	char key[32];                  /* in: where the NIC is: "0000:00:03.0" */
	char name[NETD_NAME_MAX];      /* out */
	uint32_t index;                /* out */
	uint32_t mtu_max;              /* in */
	uint8_t address[NETD_LINK_MAX]; /* in: 6 bytes */
};

struct netd_link {
	uint32_t index, carrier, speed, unused; /* speed: Mbit/s; 0: not known */
	uint64_t received_packets, received_bytes, received_errors, received_dropped, multicast;
	uint64_t sent_packets, sent_bytes, sent_errors, sent_dropped;
};

/* The peer has confirmed: a listener gets a connection. */
struct netd_accept {
	struct netd_endpoint local, remote; /* in */
	uint32_t interface;            /* in: by which it came */
	uint32_t slot;                 /* out */
	uint32_t generation;           /* out */
	uint32_t unused;
	struct netd_actual actual;     /* in: what the slot's is to be; the kernel fills both generations in */
};

/* What there is, as the kernel has it. */
enum netd_table { NETD_TABLE_INTERFACES, NETD_TABLE_ADDRESSES, NETD_TABLE_ROUTES, NETD_TABLE_NEIGHBOURS, NETD_TABLE_GROUPS };

struct netd_table_request {
	uint32_t table;                /* in: enum netd_table */
	uint32_t count;                /* in: how many entries there is room for; out: how many there are */
	uint64_t entries;              /* in: a pointer to an array of struct netd_table_* */
	uint32_t config, unused;       /* out: netd_kernel_page.config that they belong to */
};

struct netd_table_interface {
	uint32_t index, flags, mtu, kind; /* Linux's IFF_*, ARPHRD_* */
	char name[NETD_NAME_MAX];
	char key[32];                  /* of a NIC; "": it is not netd's (loopback), or a TUN or TAP interface */
	uint8_t address[NETD_LINK_MAX];
};
struct netd_table_address {
	uint32_t interface, bits, flags, scope; /* IFA_F_*, RT_SCOPE_* */
	struct netd_address address, broadcast;
};
struct netd_table_route {
	uint32_t interface, bits, type, metric; /* RTN_* */
	struct netd_address to, gateway, source; /* gateway, source: all 0: none */
	uint32_t v6, unused;
};
struct netd_table_neighbour {
	uint32_t interface, state;     /* NUD_* */
	struct netd_address address;
	uint8_t link[NETD_LINK_MAX];
};
struct netd_table_group {              /* a multicast group that some socket has joined */
	uint32_t interface, unused;
	struct netd_address group;
};

#define NETD_IOC(number, type) (((number) & 0xffu) | 0xb7u << 8 | (uint32_t)sizeof(type) << 16 | 3u << 30)
#define NETD_KICK          (0xb720u)   /* look at the dirty slots and at the frames. EINVAL: nonsense was found */
#define NETD_ADD_INTERFACE NETD_IOC(0x21, struct netd_interface)
#define NETD_SET_LINK      NETD_IOC(0x22, struct netd_link)   /* carrier, and counts since the interface began */
/* ECONNREFUSED: nobody listens; EAGAIN: no room at the listener; ENOBUFS. */
#define NETD_ACCEPT        NETD_IOC(0x23, struct netd_accept)
#define NETD_GET_TABLE     NETD_IOC(0x24, struct netd_table_request)
#define NETD_SET_NEIGHBOUR NETD_IOC(0x25, struct netd_table_neighbour) /* what was learnt; state 0: it is gone */
#define NETD_ADD_ADDRESS   NETD_IOC(0x26, struct netd_table_address) /* learnt from a router, with a route to its prefix */
#define NETD_ADD_ROUTE     NETD_IOC(0x27, struct netd_table_route) /* the same of a router */

_Static_assert(sizeof(struct netd_wanted) <= NETD_WANTED_STRIDE && sizeof(struct netd_actual) <= NETD_ACTUAL_STRIDE,
	       "slots are as large as that");
_Static_assert(sizeof(struct netd_half_open) == 128 && sizeof(struct netd_frame) == 32, "as laid out");

#endif
