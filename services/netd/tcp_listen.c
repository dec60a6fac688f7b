/* SPDX-License-Identifier: MIT */
/*
 * tcp_listen.c - where connections may begin.
 *
 * Of all slots that listen at an address and port, lwIP knows one listener; which of them gets a connection the kernel
 * chooses (NETD_ACCEPT), when the peer has confirmed. Until then a connection is half open: an entry of the door's table
 * has what a successor needs. There are few of those: the oldest goes when one more comes, so who floods us only drives
 * out his own and, of others, those that take longer than he does for as many.
 */
#include <errno.h>
#include <stdlib.h>

#include "log.h"
#include "tcp.h"

#define COMPLAINT_MS 60000

struct listener {
	struct listener *next;
	struct tcp_pcb_listen *pcb;
	struct netd_endpoint local;
	uint32_t interface;
	bool v6_only;
	uint32_t first; /* slot, or NO_SLOT */
};

static struct listener *listeners;
static struct {
	struct listener *listener;
	uint32_t generation, next;
} members[NETD_SLOTS];
static struct connection *oldest, *youngest;
static unsigned half_open_count, half_open_next;

static err_t begins(u8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb);

static const struct tcp_ext_arg_callbacks callbacks = { .passive_open = begins };

/* The kernel has been asked already: half_open_segment(). */
static err_t
accepted(void *argument, struct tcp_pcb *pcb, err_t err)
{
	return pcb ? ERR_OK : ERR_MEM;
}

bool
listener_is_joined(uint32_t slot, uint32_t generation)
{
	return members[slot].listener && members[slot].generation == generation;
}

uint32_t
listener_window(const struct listener *l)
{
	return l->first == NO_SLOT ? UINT32_MAX : door_get32(&door_wanted(l->first)->window_max);
}

static struct listener *
make(const struct netd_wanted *w)
{
	static const struct netd_address any;
	struct listener *l = calloc(1, sizeof(*l));
	struct tcp_pcb *pcb = l ? tcp_new() : NULL;

	if (!pcb) {
		free(l);
		return NULL;
	}
	l->local = w->local;
	l->interface = w->interface ? w->interface : w->local.scope;
	l->v6_only = w->flags & NETD_FLAG_V6_ONLY;
	l->first = NO_SLOT;
	address_to_lwip(&pcb->local_ip, &w->local.address);
	if (!memcmp(&w->local.address, &any, sizeof(any)) && !l->v6_only)
		IP_SET_TYPE(&pcb->local_ip, IPADDR_TYPE_ANY);
	pcb->local_port = w->local.port;
	pcb->netif_idx = ip_netif_index(l->interface);
	tcp_arg(pcb, l);
	tcp_ext_arg_set_callbacks(pcb, 0, &callbacks);
	l->pcb = (struct tcp_pcb_listen *)tcp_listen_with_backlog(pcb, 255);
	if (!l->pcb) {
		tcp_abort(pcb);
		free(l);
		return NULL;
	}
	tcp_accept((struct tcp_pcb *)l->pcb, accepted);
	l->next = listeners;
	listeners = l;
	return l;
}

int
listener_join(uint32_t slot)
{
	const struct netd_wanted *w = door_wanted(slot);
	uint32_t interface = w->interface ? w->interface : w->local.scope;
	struct listener *l;

	for (l = listeners; l; l = l->next)
		if (!memcmp(&l->local.address, &w->local.address, sizeof(l->local.address)) &&
			l->local.port == w->local.port && l->interface == interface &&
			l->v6_only == !!(w->flags & NETD_FLAG_V6_ONLY))
			break;
	if (!l)
		l = make(w);
	if (!l)
		return -ENOBUFS;
	members[slot].listener = l;
	members[slot].generation = door_get32(&w->generation);
	members[slot].next = l->first;
	l->first = slot;
	return 0;
}

void
listener_leave(uint32_t slot)
{
	struct listener *l = members[slot].listener, **at;
	struct connection *c, *next;
	uint32_t *link;

	if (!l)
		return;
	members[slot].listener = NULL;
	for (link = &l->first; *link != slot; link = &members[*link].next)
		;
	*link = members[slot].next;
	if (l->first != NO_SLOT)
		return;
	for (c = oldest; c; c = next) {
		next = c->next;
		if (c->listener == l)
			connection_drop(c, false, 0);
	}
	for (at = &listeners; *at != l; at = &(*at)->next)
		;
	*at = l->next;
	tcp_close((struct tcp_pcb *)l->pcb);
	free(l);
}

bool
listener_admits(struct tcp_pcb *pcb)
{
	const struct listener *l = pcb->callback_arg;

	for (uint32_t slot = l->first; slot != NO_SLOT; slot = members[slot].next)
		if (door_get32(&door_wanted(slot)->backlog_left))
			return true;
	return false;
}

static void
age_add(struct connection *c)
{
	c->previous = youngest;
	c->next = NULL;
	*(youngest ? &youngest->next : &oldest) = c;
	youngest = c;
	half_open_count++;
}

void
half_open_gone(struct connection *c)
{
	if (!c->half)
		return;
	door_put32(&c->half->used, 0);
	c->half->interface = 0;
	c->half = NULL;
	*(c->previous ? &c->previous->next : &oldest) = c->next;
	*(c->next ? &c->next->previous : &youngest) = c->previous;
	half_open_count--;
}

/* Once a minute: whoever looks after the machine is to know. */
static void
say_flooded(const struct connection *c)
{
	static uint64_t said;
	uint64_t now = now_ms();

	if (said && now - said < COMPLAINT_MS)
		return;
	said = now;
	log_info("port %u: more connections begin than are confirmed, the oldest give way", c->pcb ? c->pcb->local_port : 0);
}

static struct netd_half_open *
free_entry(void)
{
	struct netd_half_open *h;

	if (half_open_count == NETD_HALF_OPEN) {
		struct connection *c = oldest;

		say_flooded(c);
		connection_drop(c, false, 0);
		half_open_gone(c);
	}
	do
		h = &door.half_open[half_open_next++ % NETD_HALF_OPEN];
	while (h->used || h->interface);
	return h;
}

/* A SYN has come: `pcb` is new. */
static err_t
begins(u8_t id, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb)
{
	struct connection *c = connection_new(NO_SLOT);
	struct netd_half_open *h;

	if (!c)
		return ERR_MEM;
	h = free_entry();
	memset(h, 0, sizeof(*h));
	address_from_lwip(&h->local.address, &pcb->local_ip);
	address_from_lwip(&h->remote.address, &pcb->remote_ip);
	h->local.port = pcb->local_port;
	h->remote.port = pcb->remote_port;
	h->interface = ip_interface_of(ip_current_input_netif())->index;
	if (address_is_link_local(&h->remote.address)) {
		h->local.scope = h->remote.scope = h->interface;
		pcb->netif_idx = ip_netif_index(h->interface);
	}
	h->since = now_ms() * 1000000;
	h->time_recent = pcb->ts_recent;
	h->send_window = pcb->snd_wnd;
	c->half = h;
	c->listener = listening->callback_arg;
	c->receive_base = pcb->rcv_nxt;
	c->time_offset = tuple_hash(&h->local, &h->remote) >> 32;
	pcb->rto = TCP_FIRST_RTO_TICKS;
	pcb->sv = TCP_FIRST_RTO_TICKS;
	connection_attach(c, pcb);
	age_add(c);
	return ERR_OK;
}

/* The peer has confirmed; who gets it? 0, or a negative errno of NETD_ACCEPT's. */
static int
hand_over(struct connection *c)
{
	struct netd_accept a = { .local = c->half->local, .remote = c->half->remote, .interface = c->half->interface };
	int error;

	connection_established(c, connection_first_window(c));
	a.actual = *c->actual;
	error = door_accept(&a);
	if (error)
		return error;
	if (a.slot >= NETD_SLOTS) {
		log_error("the kernel gives slot %u to a new connection", a.slot);
		abort();
	}
	half_open_gone(c);
	c->listener = NULL;
	/* Whoever had the slot is over, and we have not looked yet. */
	listener_leave(a.slot);
	if (slot_connection(a.slot))
		connection_forget(slot_connection(a.slot));
	c->slot = a.slot;
	c->generation = a.generation;
	c->wanted = door_wanted(a.slot);
	c->actual = door_actual(a.slot);
	slot_set_connection(a.slot, c);
	connection_set_window(c);
	connection_wants(c);
	return 0;
}

bool
half_open_segment(struct connection *c, const struct tcp_hdr *header)
{
	struct tcp_pcb *pcb = c->pcb;
	unsigned flags = TCPH_FLAGS(header);
	int error;

	/* That our SYN has not left yet is possible: the card had no room. */
	if (flags & (TCP_RST | TCP_SYN) || !(flags & TCP_ACK) || header->ackno != pcb->lastack + 1 ||
		header->ackno != pcb->snd_nxt)
		return true;
	if (!TCP_SEQ_BETWEEN(header->seqno, pcb->rcv_nxt, pcb->rcv_nxt + 0xffff))
		return false;
	error = hand_over(c);
	if (!error)
		return true;
	/* Without room at the listener it is as if the segment were lost. */
	if (error != -EAGAIN)
		connection_drop(c, true, 0);
	return false;
}

static struct listener *
find(const struct netd_half_open *h)
{
	static const struct netd_address any, any4 = { { [10] = 0xff, 0xff } };
	bool v4 = !memcmp(&h->local.address, &any4, 12);
	struct listener *found = NULL;

	for (struct listener *l = listeners; l; l = l->next) {
		if (l->local.port != h->local.port || (l->interface && l->interface != h->interface))
			continue;
		if (!memcmp(&l->local.address, &h->local.address, sizeof(any)))
			return l;
		if (!memcmp(&l->local.address, v4 ? &any4 : &any, sizeof(any)) ||
			(v4 && !l->v6_only && !memcmp(&l->local.address, &any, sizeof(any))))
			found = l;
	}
	return found;
}

/* The kernel took it, and our predecessor could not say so any more. */
static bool
has_slot(const struct netd_half_open *h)
{
	uint32_t used = door_get32(&door.kernel->slots_used);

	for (uint32_t slot = 0; slot < used && slot < NETD_SLOTS; slot++) {
		const struct netd_wanted *w = door_wanted(slot);

		if (w->want != NETD_WANT_NOTHING && w->want != NETD_WANT_LISTEN && w->local.port == h->local.port &&
			w->remote.port == h->remote.port &&
			!memcmp(&w->remote.address, &h->remote.address, sizeof(w->remote.address)) &&
			!memcmp(&w->local.address, &h->local.address, sizeof(w->local.address)))
			return true;
	}
	return false;
}

/* False: there is no memory for it. */
static bool
go_on(struct netd_half_open *h, struct listener *l)
{
	struct connection *c = connection_new(NO_SLOT);
	struct tcp_pcb *pcb = c ? tcp_new() : NULL;
	const struct netd_record *r = &h->record;

	if (!pcb) {
		free(c);
		return false;
	}
	c->half = h;
	c->listener = l;
	c->send_base = r->send_base;
	c->receive_base = r->receive_base;
	c->time_offset = r->time_offset;
	connection_attach(c, pcb);
	pcb_from_record(pcb, r);
	address_to_lwip(&pcb->local_ip, &h->local.address);
	address_to_lwip(&pcb->remote_ip, &h->remote.address);
	pcb->local_port = h->local.port;
	pcb->remote_port = h->remote.port;
	pcb->netif_idx = ip_netif_index(h->remote.scope);
	pcb->listener = l->pcb;
	pcb->state = SYN_RCVD;
	pcb->rcv_nxt = pcb->rcv_ann_right_edge = r->receive_base;
	pcb->snd_nxt = pcb->snd_lbb = pcb->lastack = pcb->snd_wl2 = r->send_base - 1;
	pcb->snd_wl1 = r->receive_base - 2;
	pcb->snd_wnd = pcb->snd_wnd_max = h->send_window;
	pcb->ts_recent = h->time_recent;
	if (r->has_scale)
		pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND;
	TCP_REG_ACTIVE(pcb);
	age_add(c);
	tcp_enqueue_flags(pcb, TCP_SYN | TCP_ACK);
	tcp_output(pcb);
	return true;
}

void
half_open_adopt(void)
{
	for (unsigned i = 0; i < NETD_HALF_OPEN; i++) {
		struct netd_half_open *h = &door.half_open[i];
		struct listener *l = h->used ? find(h) : NULL;

		if (l && h->record.established && h->record.checksum == record_checksum(&h->record) && !has_slot(h) && go_on(h, l))
			continue;
		h->interface = 0;
		door_put32(&h->used, 0);
	}
}
