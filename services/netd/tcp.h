/* SPDX-License-Identifier: MIT */
/*
 * tcp.h - connections: lwIP's control blocks on one side, slots of the door on the other.
 *
 * All that must outlive this process is in a connection's slot before the segment leaves that makes it true: how far we
 * have sent before data or FIN, how far data has arrived before it is acknowledged. tcp_segment_leaves() (tcp_hooks.c)
 * stores the first; for the second, what lwIP would send before it has given us the data is held back
 * (tcp_sends_late()). So a successor that takes up what stands there (tcp_adopt.c) is never told of an
 * acknowledgement for what it has not sent, and never denies what was acknowledged.
 *
 *   slot_look()  what the kernel wants of a slot, now                       tcp_slot.c
 *   connection_*  one connection: its data, its window, its end             tcp_connection.c, tcp_send.c
 *                 and its beginning, where it is ours                       tcp_open.c
 *   listener_*    addresses where connections may begin, and half-open ones tcp_listen.c
 *
 * A connection is reached from its slot and from its control block (callback_arg). It lives from connection_new() until
 * the end of the round in which its control block has gone (connections_settle()).
 */
#ifndef NETD_TCP_H
#define NETD_TCP_H

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

#include "door.h"
#include "ip.h"

#define NO_SLOT 0xffffffffu
#define CORK_MS 200 /* nothing is held back longer */
#define LEAST_SEGMENT 64 /* a peer that asks for less only makes work */

struct listener;

struct connection {
	uint32_t slot;		     /* NO_SLOT: half open */
	uint32_t generation;
	struct tcp_pcb *pcb;	     /* NULL: it has ended */
	const struct netd_wanted *wanted;
	struct netd_actual *actual;  /* a half-open one's: &own */
	struct netd_half_open *half; /* NULL: it has a slot */
	struct listener *listener;   /* of a half-open one */
	uint32_t send_base, receive_base, time_offset; /* as in netd_record */
	uint64_t written;	     /* bytes of the stream that lwIP was given */
	uint64_t granted;	     /* of wanted->granted, what lwIP knows of */
	uint64_t progress;	     /* ms: when the peer last acknowledged something, or there was nothing to acknowledge */
	uint64_t corked;	     /* ms: since when something is held back; 0: nothing is */
	uint64_t challenged;	     /* ms: when it was last answered that a segment makes no sense; 0: never */
	uint32_t retransmits;
	int error;		     /* why it ended */
	bool end_written;
	bool wants_ack;		     /* what has come is acknowledged at the end of this round */
	bool answered_twice;	     /* by its peer: it was in LAST_ACK */
	bool misses;		     /* of what comes before lost_before some may have come to a stack that was killed */
	uint32_t lost_before;	     /* a sequence number */
	uint64_t asked, arrived_before; /* actual->arrived when the peer was last asked for it; at the last tick */
	uint8_t put_off;	     /* acknowledgements that were due and wait for the end of this round */
	bool begun;		     /* its first window of congestion is set */
	bool touched, to_tell; /* in the list of those to settle; the kernel is to be told */
	struct connection *next_touched;
	struct connection *next, *previous; /* half-open ones by age */
	struct connection **rest_bucket; /* NULL: it does not rest */
	struct connection *rest_next, *rest_before, *rest_behind; /* in its bucket; among all that rest */
	bool rest_clocked;	     /* it has a timer */
	struct netd_actual own;
};

/* --- slots: tcp_slot.c */

/* Look at each slot that the kernel has marked. True: there were some. */
bool slots_look(void);
/* The same for one. */
void slot_look(uint32_t slot);
/* The first look at all, with what a predecessor left. */
void slots_adopt(void);
struct connection *slot_connection(uint32_t slot);
void slot_set_connection(uint32_t slot, struct connection *c);

/* --- connections: tcp_connection.c */

struct connection *connection_new(uint32_t slot);
/* Nothing is left of it: its control block goes, with a reset or without a word. The kernel hears `error`. */
void connection_drop(struct connection *c, bool reset, int error);
/* It is not the kernel's any more: without a word to anybody. */
void connection_forget(struct connection *c);
/* Give `pcb` to `c`, with our callbacks. */
void connection_attach(struct connection *c, struct tcp_pcb *pcb);
/* What the kernel wants of it has changed. */
void connection_wants(struct connection *c);
/* The handshake is over, in which a window of so much was told: what stays the same is in actual->record now. */
void connection_established(struct connection *c, uint32_t window_max);
/* Its state, if it is another now. */
void connection_store_state(struct connection *c);
/* It sends again what it has sent. */
void connection_repeats(struct connection *c);
/* Store what is known when the first segment leaves. */
void connection_record(struct connection *c, uint32_t send_base);
/* lwIP's window becomes what the kernel grants now. */
void connection_set_window(struct connection *c);
/* What the kernel says of it beside its data. */
void connection_take_options(struct connection *c);
/* The kernel is to be told of it, when the round ends. */
void connection_tell(struct connection *c);
/* Look at it at the end of this round. */
void connection_touch(struct connection *c);
/* What changed in this round is told to the kernel; connections that have ended go. */
void connections_settle(void);
/* Milliseconds of CLOCK_MONOTONIC. */
uint64_t now_ms(void);
/* A segment, its pseudo header's addresses in ip_data, goes to lwIP. */
void tcp_receive_segment(struct pbuf *p, struct interface *from);
/* True while what is sent must wait until tcp_receive_segment() is through. */
bool tcp_sends_late(void);
/* The connection whose segment is being sent, or NULL. */
const struct connection *tcp_sending(void);

/* --- opening: tcp_open.c */

/* Open towards wanted->remote; `send_base` 0: anew; else a predecessor began so. */
void connection_open(struct connection *c, uint32_t send_base);
/* A SYN has come for `c`, in SYN_SENT, which lwIP has done nothing with but read its options. */
void connection_cross(struct connection *c, uint32_t sequence, uint16_t window);
/* The window that its first segment tells the peer. */
uint32_t connection_first_window(const struct connection *c);

/* --- sending: tcp_send.c */

/* Give lwIP what it may send now. */
void connection_push(struct connection *c);
/* What was sent and not acknowledged counts as sent, and is sent again; lwIP has nothing of it. */
void connection_queue_again(struct connection *c);
/* Segments are cut so that they fit the way, and are what TCP_MAXSEG says at most; those that have not arrived, again. */
void connection_fit_path(struct connection *c);

/* --- time: tcp_time.c */

/* Every 20 ms, if `tcp_clock_runs`. */
void tcp_tick(void);
extern bool tcp_clock_runs;
/* lwIP knows no least time before it retransmits, and its clock was never so fine. */
void tcp_keep_patient(struct tcp_pcb *pcb);
/* No neighbour answers for `next` on `i`: who wants to connect by it is told. */
void tcp_unreachable(const struct interface *i, const struct netd_address *next);

/* --- rest: tcp_rest.c */

/* Those of lwIP's list that nothing is expected of are taken off it. */
void connections_rest(struct tcp_pcb **list);
/* `c` may rest: then it is lwIP's again. */
void connection_rouse(struct connection *c);
/* A segment comes for who has these ends. */
void connections_rouse_for(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port);
/* Those whose timers are due. */
void connections_rouse_due(void);
bool connections_need_clock(void);

/* --- adoption: tcp_adopt.c */

void pcb_from_record(struct tcp_pcb *pcb, const struct netd_record *r);
/* Make `c`, whose slot a predecessor had, go on. */
void connection_adopt(struct connection *c);
/* Something has come for `c`, which misses something, and something before it has not. */
void connection_has_gap(struct connection *c);
/* At each tick: from whom nothing comes any more, and something may be missing, is asked for it. */
void connections_ask_for_lost(void);
/* CRC32C of a record. */
uint32_t record_checksum(const struct netd_record *r);

/* --- listeners: tcp_listen.c */

int listener_join(uint32_t slot);
void listener_leave(uint32_t slot);
bool listener_is_joined(uint32_t slot, uint32_t generation);
/* How large the window of its connections may become. */
uint32_t listener_window(const struct listener *l);
/* A SYN for `pcb`, which listens: may it come? */
bool listener_admits(struct tcp_pcb *pcb);
/* A segment for a half-open connection; false: it is to be forgotten. */
bool half_open_segment(struct connection *c, const struct tcp_hdr *header);
/* A half-open connection has gone: its entry is free. */
void half_open_gone(struct connection *c);
/* The half-open ones that a predecessor left go on. */
void half_open_adopt(void);

/* --- keys: tcp_keys.c */

/* A number that nobody guesses who does not know the door's secret: SipHash-2-4. */
uint64_t keyed_hash(const void *data, size_t size);
uint64_t tuple_hash(const struct netd_endpoint *local, const struct netd_endpoint *remote);
/* The number of our first byte of the next connection, where a predecessor has told the peer; 0: choose. */
extern uint32_t tcp_next_sequence;

void address_to_lwip(ip_addr_t *to, const struct netd_address *from);
void address_from_lwip(struct netd_address *to, const ip_addr_t *from);
bool address_is_link_local(const struct netd_address *a);

#endif
