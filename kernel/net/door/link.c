/* SPDX-License-Identifier: MIT */
/*
 * link.c - the links that the network stack serves, as sockets see them: NICs, TUN and TAP. What goes out becomes a record
 * among the frames out; the stack cuts it, finds the neighbour and sends it.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/ip.h>
#include <tessera/packet.h>

#include "door.h"

#define USUAL_FRAME 2048u

static int
send(struct network *n, uint32_t interface, enum netd_frame_kind kind, const struct ip_address *next, struct packet *p)
{
	/* A TUN interface of another network: nobody serves it. */
	int error = door_serves(n) ? frame_out(kind, 0, interface, next, p->data, p->length) : 0;

	if (!error)
		packet_free(p);
	return error == -EMSGSIZE ? -ENOBUFS : error;
}

static int
door_send(struct network *n, uint32_t interface, const struct ip_address *next, struct packet *p)
{
	return send(n, interface, NETD_FRAME_SEND, next, p);
}

static int
door_send_frame(struct network *n, uint32_t interface, struct packet *p)
{
	return send(n, interface, NETD_FRAME_SEND_RAW, NULL, p);
}

static int
door_wait_for_room(struct network *n, uint32_t interface, deadline_t until)
{
	return wait_event_deadline(&door.frame_room, frames_have_room(USUAL_FRAME), WAIT_INTERRUPTIBLE, until);
}

static void
door_groups_changed(struct network *n)
{
	door_config_changed(n, NETWORK_ADDRESS, NULL);
}

static void
door_taps_changed(struct network *n)
{
	uint32_t taps = (network_taps(n) ? NETD_TAP_FRAMES : 0) | (network_wants_tcp(n) ? NETD_TAP_TCP : 0);

	if (door_serves(n) && door_is_ready())
		atomic_store(&door.kernel->taps, taps);
}

const struct link_ops door_link_ops = {
	.send = door_send,
	.send_frame = door_send_frame,
	.wait_for_room = door_wait_for_room,
	.groups_changed = door_groups_changed,
	.taps_changed = door_taps_changed,
};
