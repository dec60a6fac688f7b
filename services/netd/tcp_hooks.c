/* SPDX-License-Identifier: MIT */
/* tcp_hooks.c - each segment passes here: what comes before lwIP has seen it, what goes before it has left. */
#include "tcp.h"

#define CHALLENGE_MS 500 /* Linux's tcp_invalid_ratelimit */

static struct connection *current; /* whose segment has come */
static uint16_t current_mss;	   /* as it was before; 0: its handshake has only begun */
static const struct connection *sending;

/* The segment that lwIP works on; port 0: none. Ports as they lie, the rest in the machine's order. */
static struct {
	uint16_t from, to, window;
	uint8_t flags;
	uint32_t sequence, acknowledges, end;
} incoming;

const struct connection *
tcp_sending(void)
{
	return sending;
}

bool
tcp_sends_late(void)
{
	return tcp_input_pcb != NULL;
}

/* A byte of a segment's options, which may lie in two pieces. */
static uint8_t
option_byte(const struct tcp_hdr *header, uint16_t at, uint16_t first, const uint8_t *rest)
{
	return at < first ? ((const uint8_t *)(header + 1))[at] : rest[at - first];
}

/* The peer's timestamp: RFC 7323, 3.2. False: the segment has none. */
static bool
stamp_of(const struct tcp_hdr *header, uint16_t size, uint16_t first, const uint8_t *rest, uint32_t *stamp)
{
	for (uint16_t at = 0, length; at < size; at += length) {
		uint8_t kind = option_byte(header, at, first, rest);

		length = 1;
		if (kind == LWIP_TCP_OPT_EOL)
			return false;
		if (kind == LWIP_TCP_OPT_NOP)
			continue;
		length = at + 1 < size ? option_byte(header, at + 1, first, rest) : 0;
		if (length < 2 || at + length > size)
			return false;
		if (kind != LWIP_TCP_OPT_TS || length != LWIP_TCP_OPT_LEN_TS)
			continue;
		*stamp = 0;
		for (int i = 2; i < 6; i++)
			*stamp = *stamp << 8 | option_byte(header, at + i, first, rest);
		return true;
	}
	return false;
}

/* One of long ago, by its timestamp, which lwIP does not look at: RFC 7323, 5.3. */
static bool
is_old(const struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t size, uint16_t first, const uint8_t *rest)
{
	uint32_t stamp;

	return pcb->flags & TF_TIMESTAMP && stamp_of(header, size, first, rest, &stamp) &&
		(int32_t)(stamp - pcb->ts_recent) < 0;
}

/* Nothing of it lies in the window, nor at its edges. */
static bool
is_outside(const struct tcp_pcb *pcb)
{
	return TCP_SEQ_LT(incoming.end, pcb->rcv_nxt) || TCP_SEQ_GT(incoming.sequence, pcb->rcv_nxt + pcb->rcv_wnd);
}

/* It acknowledges what was never sent, or what was acknowledged long ago: RFC 9293, 3.10.7.4; RFC 5961, 5.2. */
static bool
is_forged(const struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
	return TCP_SEQ_GT(header->ackno, pcb->snd_nxt) || TCP_SEQ_LT(header->ackno, pcb->lastack - pcb->snd_wnd_max);
}

/*
 * May it be answered that a segment makes no sense? RFC 5961, 7: not each, or who forges them makes us send as much, and two
 * ends that do not understand each other never stop. The limit is the connection's own: from one that all share a
 * stranger would learn about connections that are not his.
 */
static bool
may_challenge(struct connection *c)
{
	uint64_t now = now_ms();

	if (c->challenged && now - c->challenged < CHALLENGE_MS)
		return false;
	c->challenged = now;
	return true;
}

/*
 * To our SYN an answer to another one is reset, and our SYN sent again, since that may have been a connection that the peer
 * has not forgotten. Once: lwIP would for each, and count them until it gives up. An acknowledgement alone is none:
 * RFC 9293, 3.10.7.3.
 */
static bool
is_no_answer(const struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
	if ((TCPH_FLAGS(header) & (TCP_ACK | TCP_RST)) != TCP_ACK)
		return false;
	if (header->ackno == pcb->lastack + 1)
		return !(TCPH_FLAGS(header) & TCP_SYN);
	if (!pcb->nrtx)
		return false;
	tcp_rst(pcb, header->ackno, incoming.end, ip_current_dest_addr(), ip_current_src_addr(), header->dest, header->src);
	return true;
}

/* lwIP would take its acknowledgement: there would be a connection that nobody has asked the kernel about. */
static bool
is_syn_to_half_open(const struct connection *c, const struct tcp_pcb *pcb, const struct tcp_hdr *header)
{
	return c->slot == NO_SLOT && TCPH_FLAGS(header) & TCP_ACK &&
		TCP_SEQ_BETWEEN(header->ackno, pcb->lastack + 1, pcb->snd_nxt);
}

/*
 * What lwIP would take, and must not; and what it would answer once too often. Data that is old or outside of the window is
 * always answered: nobody sends data for an acknowledgement of nothing, and who repeats it may have lost our answer.
 */
static bool
is_refused(struct connection *c, struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t size, uint16_t first, const uint8_t *rest)
{
	bool old, outside, forged;

	if (pcb->state < SYN_RCVD)
		return is_no_answer(pcb, header);
	if (pcb->state == SYN_RCVD && (TCPH_FLAGS(header) & (TCP_SYN | TCP_RST)) == TCP_SYN &&
		is_syn_to_half_open(c, pcb, header)) {
		if (may_challenge(c))
			tcp_send_empty_ack(pcb);
		return true;
	}
	if ((TCPH_FLAGS(header) & (TCP_SYN | TCP_RST)) == TCP_SYN)
		return !(pcb->state == SYN_RCVD && TCPH_FLAGS(header) & TCP_ACK) && !may_challenge(c);
	if (pcb->state == SYN_RCVD || pcb->state == TIME_WAIT)
		return false;
	if (TCPH_FLAGS(header) & TCP_RST)
		return incoming.sequence != pcb->rcv_nxt && !is_outside(pcb) && !may_challenge(c);
	if (!(TCPH_FLAGS(header) & TCP_ACK))
		return true;
	old = is_old(pcb, header, size, first, rest);
	outside = is_outside(pcb);
	forged = is_forged(pcb, header);
	if (!old && !outside && !forged)
		return false;
	if (!((old || outside) && incoming.end != incoming.sequence) && !may_challenge(c))
		return true;
	if (!old && !forged)
		return false;
	tcp_send_empty_ack(pcb);
	return true;
}

/*
 * What reaches beyond the window, or behind the end that has come out of order, is cut off: lwIP puts it among what came
 * out of order as it is, and finds out too late that there is no room for it.
 */
static void
fit_into_window(struct connection *c, const struct tcp_pcb *pcb, struct tcp_hdr *header, struct pbuf *p)
{
	uint32_t window = pcb->rcv_wnd, edge, room;

	if (pcb->state == SYN_RCVD)
		window = LWIP_MIN(window, connection_first_window(c));
	edge = pcb->rcv_nxt + window;
	for (const struct tcp_seg *s = pcb->ooseq; s; s = s->next)
		if (TCPH_FLAGS(s->tcphdr) & TCP_FIN)
			edge = s->tcphdr->seqno + s->len;
	if (TCP_SEQ_LEQ(incoming.end, edge))
		return;
	room = TCP_SEQ_GT(edge, incoming.sequence) ? edge - incoming.sequence : 0;
	TCPH_UNSET_FLAG(header, TCP_FIN);
	if (p->tot_len > room)
		pbuf_realloc(p, room);
}

signed char
tcp_segment_comes(struct tcp_pcb *pcb, struct tcp_hdr *header, uint16_t options, uint16_t options1,
	const uint8_t *options2, struct pbuf *p)
{
	struct connection *c = pcb->callback_arg;
	struct netd_actual *a;

	if (pcb->state == LISTEN)
		return TCPH_FLAGS(header) & TCP_SYN && !(TCPH_FLAGS(header) & (TCP_ACK | TCP_RST)) && !listener_admits(pcb) ?
			ERR_ABRT : ERR_OK;
	if (!c)
		return ERR_OK;
	a = c->actual;
	a->report.segments_in++;
	a->report.last_received = now_ms();
	if (c->slot == NO_SLOT && pcb->state == SYN_RCVD && !half_open_segment(c, header))
		return ERR_ABRT;
	if (is_refused(c, pcb, header, options, options1, options2))
		return ERR_ABRT;
	current = c;
	if (TCPH_FLAGS(header) & TCP_URG && pcb->state >= ESTABLISHED) {
		/* Behind the urgent byte; what comes before what has arrived is old. */
		int32_t ahead = header->seqno + lwip_ntohs(header->urgp) - (c->receive_base + (uint32_t)a->arrived);

		if (ahead > 0 && a->arrived + ahead > a->urgent) {
			door_put64(&a->urgent, a->arrived + ahead);
			c->to_tell = true;
		}
	}
	current_mss = pcb->state >= SYN_RCVD ? pcb->mss : 0;
	if (c->slot != NO_SLOT && pcb->state >= SYN_RCVD && pcb->state != TIME_WAIT)
		fit_into_window(c, pcb, header, p);
	return ERR_OK;
}

/* Of the header there is at least what every one has. */
static void
note_incoming(const struct pbuf *p)
{
	const struct tcp_hdr *header = p->payload;
	uint32_t size = p->tot_len - LWIP_MIN(p->tot_len, TCPH_HDRLEN_BYTES(header));

	incoming.from = header->src;
	incoming.to = header->dest;
	incoming.window = lwip_ntohs(header->wnd);
	incoming.flags = TCPH_FLAGS(header);
	incoming.sequence = lwip_ntohl(header->seqno);
	incoming.acknowledges = lwip_ntohl(header->ackno);
	incoming.end = incoming.sequence + size + !!(incoming.flags & TCP_SYN) + !!(incoming.flags & TCP_FIN);
}

/*
 * A new connection begins between ends that are in TIME_WAIT, and behind all that the old one had: that is over now
 * (RFC 9293, 3.6.1). lwIP would answer for the old one, until that has waited long enough.
 */
static void
leave_time_wait(void)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_tw_pcbs; pcb; pcb = pcb->next)
		if (pcb->local_port == lwip_ntohs(incoming.to) && pcb->remote_port == lwip_ntohs(incoming.from) &&
			ip_addr_cmp(&pcb->remote_ip, ip_current_src_addr()) &&
			ip_addr_cmp(&pcb->local_ip, ip_current_dest_addr()))
			break;
	if (pcb && pcb->callback_arg && TCP_SEQ_GT(incoming.sequence, pcb->rcv_nxt))
		connection_drop(pcb->callback_arg, false, 0);
}

void
tcp_receive_segment(struct pbuf *p, struct interface *from)
{
	bool first;

	note_incoming(p);
	first = (incoming.flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN;
	/* Who listens may have begun to in this very round, before the SYN came, and be known to the kernel only. */
	if (first)
		slots_look();
	connections_rouse_for(ip_current_dest_addr(), lwip_ntohs(incoming.to), ip_current_src_addr(),
		lwip_ntohs(incoming.from));
	if (first)
		leave_time_wait();
	current = NULL;
	tcp_input(p, &from->netif);
	incoming.from = 0;
	if (current)
		connection_touch(current);
	/* How long segments may be is said in a SYN: RFC 9293, 3.2. lwIP takes it from any, whatever is queued. */
	if (current && current->pcb && current_mss)
		current->pcb->mss = current_mss;
	/* The byte that asked for a window was all there was: there is nothing to ask with, and lwIP's clock would. */
	if (current && current->pcb && !current->pcb->unsent)
		current->pcb->persist_backoff = 0;
	if (current && current->pcb && current->pcb->state == SYN_SENT && first)
		connection_cross(current, incoming.sequence, incoming.window);
	current = NULL;
	ip_send_late();
}

/*
 * A reset that answers what came stands where that says, and acknowledges only what says nothing of the kind: RFC 9293,
 * 3.10.7.1. lwIP's always acknowledge, and count a SYN and a FIN as one.
 */
static void
reset_leaves(const struct tcp_pcb *pcb, struct tcp_hdr *header)
{
	if (!incoming.from || header->src != incoming.to || header->dest != incoming.from ||
		(pcb && pcb->state >= ESTABLISHED))
		return;
	if (incoming.flags & TCP_ACK) {
		header->seqno = lwip_htonl(incoming.acknowledges);
		header->ackno = 0;
		TCPH_UNSET_FLAG(header, TCP_ACK);
	} else {
		header->seqno = 0;
		header->ackno = lwip_htonl(incoming.end);
	}
}

/* The first segment: its options are the connection's. */
static void
first_leaves(struct connection *c, struct tcp_hdr *header)
{
	uint8_t *option = (uint8_t *)(header + 1);

	header->wnd = lwip_htons(connection_first_window(c));
	if (c->wanted && c->wanted->max_segment && option[0] == LWIP_TCP_OPT_MSS &&
		get16(option + 2) > c->wanted->max_segment) {
		option[2] = c->wanted->max_segment >> 8;
		option[3] = c->wanted->max_segment;
	}
	connection_record(c, lwip_ntohl(header->seqno) + 1);
	if (c->slot == NO_SLOT)
		return;
	door_put32(&c->actual->state, NETD_SYN_SENT);
	door_put32(&c->actual->generation, c->generation);
}

/* Our timestamps are the clock's and the connection's own offset. */
static void
add_time_offset(struct connection *c, struct tcp_hdr *header, uint32_t *end)
{
	for (uint32_t *word = (uint32_t *)(header + 1); word + 2 < end; word++)
		if (*word == PP_HTONL(0x0101080a)) {
			word[1] = lwip_htonl(lwip_ntohl(word[1]) + c->time_offset);
			return;
		}
}

static void
mark_urgent(struct connection *c, struct tcp_hdr *header)
{
	uint64_t urgent = door_get64(&c->wanted->urgent);
	uint32_t ahead = c->send_base + (uint32_t)urgent - lwip_ntohl(header->seqno);

	if (!urgent || urgent <= c->actual->acked || ahead - 1 >= 0xffff) {
		header->urgp = 0;
		TCPH_UNSET_FLAG(header, TCP_URG);
		return;
	}
	header->urgp = lwip_htons(ahead);
	TCPH_SET_FLAG(header, TCP_URG);
}

uint32_t *
tcp_segment_leaves(struct pbuf *p, struct tcp_hdr *header, const struct tcp_pcb *pcb, uint32_t *options)
{
	struct connection *c = pcb && pcb->state != LISTEN ? pcb->callback_arg : NULL;
	struct netd_actual *a;
	uint32_t end;
	int32_t more;

	sending = c;
	if (TCPH_FLAGS(header) & TCP_RST)
		reset_leaves(pcb, header);
	if (!c)
		return options;
	a = c->actual;
	a->report.segments_out++;
	a->report.last_sent = now_ms();
	add_time_offset(c, header, options);
	if (TCPH_FLAGS(header) & TCP_SYN) {
		first_leaves(c, header);
		return options;
	}
	if (c->slot == NO_SLOT || TCPH_FLAGS(header) & TCP_RST)
		return options;
	a->announced = lwip_ntohl(header->ackno) + ((uint32_t)lwip_ntohs(header->wnd) << pcb->rcv_scale);
	a->time_recent = pcb->ts_recent;
	end = lwip_ntohl(header->seqno) + p->tot_len - TCPH_HDRLEN_BYTES(header);
	more = end - (c->send_base + (uint32_t)a->sent);
	/* Without data its number may be that behind our FIN. */
	if (p->tot_len > TCPH_HDRLEN_BYTES(header)) {
		if (more > 0) {
			door_put64(&a->sent, a->sent + more);
		} else {
			c->retransmits++;
			connection_repeats(c);
		}
		mark_urgent(c, header);
	}
	if (TCPH_FLAGS(header) & TCP_FIN) {
		if (a->end_sent)
			connection_repeats(c);
		door_put32(&a->end_sent, 1);
	}
	/* Whom this tells that his end has come he may forget us: that ours was acknowledged must be known then. */
	connection_store_state(c);
	return options;
}
