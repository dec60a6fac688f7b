/* SPDX-License-Identifier: MIT */
/*
 * tcp_open.c - connections that we begin, towards who listens or begins one with us at the same time.
 */
#include <errno.h>

#include "log.h"
#include "tcp.h"

#define FIRST_WINDOW 32768 /* as the kernel grants a connection at first, where its listener allows as much */

uint32_t
connection_first_window(const struct connection *c)
{
	uint64_t most = FIRST_WINDOW;

	if (c->wanted)
		most = door_get64(&c->wanted->granted);
	else if (c->listener)
		most = LWIP_MIN(most, listener_window(c->listener));
	return most < 0xffff ? most : 0xffff;
}

static err_t
connected(void *argument, struct tcp_pcb *pcb, err_t err)
{
	struct connection *c = argument;

	connection_established(c, connection_first_window(c));
	connection_set_window(c);
	pcb->rcv_ann_wnd = pcb->rcv_wnd;
	connection_tell(c);
	return ERR_OK;
}

void
connection_open(struct connection *c, uint32_t send_base)
{
	const struct netd_wanted *w = c->wanted;
	struct tcp_pcb *pcb;
	ip_addr_t remote;
	err_t err;

	if (!send_base) {
		struct netd_actual *a = c->actual;

		/* What the slot's former life left goes before its generation says that it is of this one. */
		door_put32(&a->generation, c->generation - 1);
		memset((char *)a + sizeof(a->generation), 0, sizeof(*a) - sizeof(a->generation));
		c->time_offset = tuple_hash(&w->local, &w->remote) >> 32;
	}
	pcb = tcp_new();
	if (!pcb) {
		c->actual->generation = c->generation;
		connection_drop(c, false, ENOBUFS);
		return;
	}
	connection_attach(c, pcb);
	address_to_lwip(&pcb->local_ip, &w->local.address);
	address_to_lwip(&remote, &w->remote.address);
	pcb->local_port = w->local.port;
	pcb->netif_idx = ip_netif_index(w->interface ? w->interface : w->remote.scope);
	connection_take_options(c);
	pcb->rto = TCP_FIRST_RTO_TICKS;
	pcb->sv = TCP_FIRST_RTO_TICKS;
	tcp_next_sequence = send_base;
	err = tcp_connect(pcb, &remote, w->remote.port, connected);
	tcp_next_sequence = 0;
	connection_tell(c);
	if (err == ERR_OK)
		return;
	door_put32(&c->actual->generation, c->generation);
	connection_drop(c, false, err == ERR_RTE ? ENETUNREACH : ENOBUFS);
}

/* The peer has our SYN. */
static err_t
crossed(void *argument, struct tcp_pcb *pcb, err_t err)
{
	return pcb ? connected(argument, pcb, err) : ERR_MEM;
}

/*
 * Both ends have begun: RFC 9293, 3.5, figure 8. lwIP knows SYN_RCVD only of those who listen: this is whom it takes to
 * have done so.
 */
void
connection_cross(struct connection *c, uint32_t sequence, uint16_t window)
{
	static struct tcp_pcb_listen nobody = { .state = LISTEN, .accept = crossed };
	struct tcp_pcb *pcb = c->pcb;

	pcb->state = SYN_RCVD;
	pcb->listener = &nobody;
	pcb->rcv_nxt = pcb->rcv_ann_right_edge = sequence + 1;
	pcb->snd_wl1 = sequence - 1;
	pcb->snd_wnd = pcb->snd_wnd_max = window;
	pcb->mss = tcp_eff_send_mss(pcb->mss, &pcb->local_ip, &pcb->remote_ip);
	/* The same SYN again, that it acknowledges theirs. */
	tcp_segs_free(pcb->unacked);
	tcp_segs_free(pcb->unsent);
	pcb->unacked = pcb->unsent = NULL;
	pcb->snd_queuelen = 0;
	pcb->snd_nxt = pcb->snd_lbb = pcb->snd_wl2 = pcb->lastack;
	pcb->rtime = -1;
	pcb->nrtx = 0;
	if (tcp_enqueue_flags(pcb, TCP_SYN | TCP_ACK) == ERR_OK)
		tcp_output(pcb);
	connection_touch(c);
}
