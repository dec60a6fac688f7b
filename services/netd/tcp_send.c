/* SPDX-License-Identifier: MIT */
/*
 * tcp_send.c - what a connection sends.
 *
 * Its bytes lie in the arena's chunks. lwIP is given pointers into them, as much as the peer's window and the network
 * take now and a little more; it points there until the peer has acknowledged, and only then is `acked` raised.
 */
#include <errno.h>

#include "log.h"
#include "tcp.h"

#define AHEAD 44 /* segments: given to lwIP beyond what the windows take */

/* Of what is queued, up to where lwIP may have it now. */
static uint64_t
sendable(struct connection *c, uint64_t queued)
{
	const struct tcp_pcb *pcb = c->pcb;
	/* As lwIP cuts them: a peer with a small window gets small ones, and not so much more work. */
	uint32_t segment = LWIP_MIN(pcb->mss, LWIP_MAX(pcb->snd_wnd_max / 2, 1));
	uint64_t most = c->actual->acked + LWIP_MIN(pcb->snd_wnd, pcb->cwnd) + AHEAD * segment, full, now;

	if (!(c->wanted->flags & NETD_FLAG_CORK) || c->wanted->flags & NETD_FLAG_END || c->wanted->want == NETD_WANT_END) {
		c->corked = 0;
		return queued < most ? queued : most;
	}
	full = pcb->mss - (pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0);
	if (queued > c->written + full) {
		c->corked = 0;
		queued = c->written + (queued - c->written) / full * full;
		return queued < most ? queued : most;
	}
	now = now_ms();
	if (queued > c->written && !c->corked)
		c->corked = now;
	if (!c->corked || now - c->corked < CORK_MS)
		return c->written;
	c->corked = 0;
	return queued < most ? queued : most;
}

void
connection_push(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;
	uint64_t queued = door_get64(&c->wanted->queued), upto;
	bool end;

	if (c->end_written || (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT)) {
		tcp_output(pcb);
		return;
	}
	/* `end` is read behind `queued`: it is said behind the last byte. */
	end = door_get32(&c->wanted->flags) & NETD_FLAG_END || door_get32(&c->wanted->want) == NETD_WANT_END;
	upto = sendable(c, queued);
	while (c->written < upto) {
		uint32_t left;
		const uint8_t *at = door_chunk(c->wanted->send_chunk, c->written, &left);

		if (!at) {
			log_error("slot %u: byte %llu of %llu is nowhere", c->slot, (unsigned long long)c->written,
				(unsigned long long)queued);
			connection_drop(c, true, ECONNABORTED);
			return;
		}
		if (left > upto - c->written)
			left = upto - c->written;
		if (tcp_write(pcb, at, left, c->written + left < queued ? TCP_WRITE_FLAG_MORE : 0) != ERR_OK)
			break;
		c->written += left;
	}
	if (end && c->written == door_get64(&c->wanted->queued)) {
		c->end_written = true;
		tcp_shutdown(pcb, 0, 1);
	} else {
		tcp_output(pcb);
	}
}

/* Up to there, and the end behind it if `end`, the stream is lwIP's to send once more. */
static void
queue_again(struct connection *c, uint64_t upto, bool end)
{
	struct tcp_pcb *pcb = c->pcb;

	while (c->written < upto) {
		uint32_t left;
		const uint8_t *at = door_chunk(c->wanted->send_chunk, c->written, &left);

		if (!at)
			break;
		if (left > upto - c->written)
			left = upto - c->written;
		if (tcp_write(pcb, at, left, TCP_WRITE_FLAG_MORE) != ERR_OK)
			break;
		c->written += left;
	}
	if (end && c->written == upto && tcp_send_fin(pcb) == ERR_OK) {
		c->end_written = true;
		tcp_set_flags(pcb, TF_FIN);
	}
	if (pcb->unsent) {
		tcp_set_flags(pcb, TF_RTO);
		pcb->rto_end = pcb->snd_nxt;
	}
}

void
connection_queue_again(struct connection *c)
{
	queue_again(c, c->actual->sent, c->actual->end_sent);
}

/* All that lwIP has of it to send is forgotten; what it was is in the arena. */
static void
take_back(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;

	tcp_segs_free(pcb->unacked);
	tcp_segs_free(pcb->unsent);
	pcb->unacked = pcb->unsent = NULL;
	pcb->snd_queuelen = 0;
	pcb->snd_buf = TCP_SND_BUF;
	pcb->snd_lbb = pcb->lastack;
	pcb->rtime = -1;
	pcb->dupacks = 0;
	pcb->persist_backoff = 0;
	tcp_clear_flags(pcb, TF_INFR | TF_FIN | TF_NAGLEMEMERR);
	/* Where the peer has a part of a segment, lwIP has not said so: it is heard of with the whole of it. */
	c->actual->acked += pcb->lastack - (c->send_base + (uint32_t)c->actual->acked);
	c->written = c->actual->acked;
	c->end_written = false;
	connection_tell(c);
}

void
connection_fit_path(struct connection *c)
{
	struct tcp_pcb *pcb = c->pcb;
	uint32_t headers = IP_IS_V4_VAL(pcb->remote_ip) ? 40 : 60, path = door_get32(&c->wanted->path_mtu), fits;
	struct netd_address to, hop;
	uint64_t written = c->written;
	bool end = c->end_written && !(pcb->flags & TF_CLOSEPEND);
	enum tcp_state state = pcb->state;
	struct interface *i;

	address_from_lwip(&to, &pcb->remote_ip);
	i = ip_route_to(&to, c->wanted->interface, &hop);
	fits = i ? i->mtu : UINT16_MAX;
	if (path && path < fits)
		fits = path;
	fits = fits > headers + LEAST_SEGMENT ? fits - headers : LEAST_SEGMENT;
	if (c->wanted->max_segment)
		fits = LWIP_MIN(fits, LWIP_MAX(c->wanted->max_segment, LEAST_SEGMENT));
	if (pcb->mss <= fits)
		return;
	pcb->mss = fits;
	if (pcb->state < ESTABLISHED || pcb->state == FIN_WAIT_2 || pcb->state == TIME_WAIT)
		return;
	/* No congestion is what lost them: RFC 1191, 6.4. lwIP takes data only of who has not ended. */
	take_back(c);
	pcb->state = ESTABLISHED;
	queue_again(c, written, end);
	pcb->state = state;
	tcp_output(pcb);
}
