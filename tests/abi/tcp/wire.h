/* SPDX-License-Identifier: MIT */
/*
 * wire.h - the other end of a TCP connection, segment by segment.
 *
 * A case is both ends: its sockets ask the kernel's TCP, and a struct peer, behind a TUN device, is who that TCP talks
 * to. The peer has no state of its own making: it says what the case says, and what comes is looked at. Each packet
 * that comes is checked: its lengths, its checksums.
 *
 * Names of cases begin with the section of RFC 9293 that asks for what they check, or with another RFC's number. What
 * is asked is what these say, not how soon: hear() is patient, and that something does not come is seen by what comes
 * instead of it.
 */
#ifndef TCP_WIRE_H
#define TCP_WIRE_H

#include "../check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { PATIENCE = 60000 }; /* milliseconds */

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/*
 * Options of the peer's SYN; the two behind WITH_SCALE are used all along, if the other one agrees. BY_V6: it speaks IPv6.
 * MSS_ALWAYS: what WITH_MSS says is said in each segment.
 */
enum { WITH_MSS = 1, WITH_SCALE = 2, WITH_SACK = 4, WITH_STAMPS = 8, BY_V6 = 16, MSS_ALWAYS = 32 };

#define HERE 0x0a4d0001u /* 10.77.0.1 and fd77::10.77.0.1, the kernel's */
#define THERE 0x0a4d0002u /* the peer's */

struct peer {
	uint32_t address; /* of IPv6: the last bytes of one that begins with fd77:: */
	uint16_t port, their_port;
	uint32_t sent;    /* the next sequence number to send */
	uint32_t got;     /* the next one to come: what is acknowledged */
	uint16_t window;  /* as it stands in the header */
	uint16_t urgent;  /* the pointer that goes with URG */
	uint16_t mss;     /* of WITH_MSS */
	uint8_t  scale;   /* of WITH_SCALE */
	unsigned options;
	uint32_t stamp;   /* the peer's clock */
	uint32_t echo;    /* the last one of theirs */
};

struct segment {
	uint16_t from, to;
	uint32_t seq, ack;
	unsigned flags;
	uint16_t window, urgent;
	uint16_t mss;            /* 0: not there */
	int scale;               /* -1: not there */
	bool sack_permitted, stamped;
	uint32_t stamp, echo;
	unsigned sacks;
	uint32_t sack[4][2];
	size_t size;
	uint8_t data[65536];
};

/* Have the wire: a TUN device at 10.77.0.1/24 and fd77::/64. Skips the case where the kernel has none. */
void wire_open(void);

struct peer peer_make(uint16_t port, unsigned options);

/* The address of IPv6 that goes by this number. */
void put_v6(uint8_t *to, uint32_t address);

/* Say something at the peer's place in the stream, and go on behind it. */
void tell(struct peer *p, unsigned flags, const void *data, size_t size);

/* Say something anywhere; the peer's place stays. */
void tell_at(struct peer *p, uint32_t seq, uint32_t ack, unsigned flags, const void *data, size_t size);

/* The same with a checksum that is wrong. */
void tell_spoilt(struct peer *p, unsigned flags, const void *data, size_t size);

/* The next segment for this peer, but for a SYN that it has taken. The case fails when none comes. */
struct segment *hear(struct peer *p);

/* The same, or NULL when none comes in time: for a peer that says something again. */
struct segment *hear_within(struct peer *p, int milliseconds);

/* The next one that has all of `flags`; those before it may be anything but resets. */
struct segment *hear_flags(struct peer *p, unsigned flags);

/* Segments until one acknowledges `ack`; none may be a reset. */
struct segment *hear_ack(struct peer *p, uint32_t ack);

/* The next one with data: a SYN that was sent twice may come before it. */
struct segment *hear_some(struct peer *p);

/* `size` bytes of data in order, each acknowledged when it comes; into `data`. */
void hear_data(struct peer *p, void *data, size_t size);

/* Whatever has come by now is forgotten. */
void forget(void);

/* A segment without data in a frame of Ethernet to that card, by a TAP device; what comes of it comes as ever. */
void tell_framed(struct peer *p, int tap, const uint8_t *card, unsigned flags);

/* An ICMP error, for who speaks IPv6 one of its own, about a segment of theirs with this sequence number. */
void tell_icmp(struct peer *p, uint8_t type, uint8_t code, uint32_t seq, uint16_t mtu);

/* An empty datagram of UDP, from the peer's port to `their_port`. */
void tell_datagram(struct peer *p);

/* How many errors of ICMP, for whomever, say that a port is closed: those that come before the answer to a ping. */
unsigned hear_refusals(struct peer *p);

/* --- sockets: sockets.c --- */

/* A listener on a port of HERE. */
int listener(uint16_t port, int backlog);
int listener_v6(uint16_t port, int backlog);

/* The peer's SYN for a listener's port; the answer is taken, and not acknowledged. */
void peer_begins(struct peer *p, uint16_t port);

/* The peer connects to a listener's port: the socket that accept gives. */
int peer_connects(struct peer *p, int listener, uint16_t port);

/* A socket that connects to the peer: connect has been called, the SYN is not answered. */
int start_connect(struct peer *p);

/* The same, with the SYN taken and answered, and the connection there. */
int connects_to_peer(struct peer *p);

/* Wait for what poll says, patiently. */
void await(int fd, short events);

/* What SO_ERROR says. */
int error_of(int fd);

/* A call is repeated until the connection's error comes; the error. */
int await_error(int fd);

/* The connection still carries data both ways. */
void still_there(struct peer *p, int s);

#endif
