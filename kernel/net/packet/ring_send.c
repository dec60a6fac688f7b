/* SPDX-License-Identifier: MIT */
/*
 * ring_send.c - frames that a program has put into a ring are sent when it calls send. The theory is in packet_ring.h.
 */
#include <tessera/errno.h>
#include <tessera/signal.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "packet_ring.h"

#define LOOKS_MAX 256u /* frames that are looked at before the lock is let go */

/* What a frame says of itself, in any version. */
struct request {
	uint32_t length, next;
	uint16_t link, network;
};

static struct request
read_request(const struct packet_socket *k, const struct packet_ring *r, uint64_t at)
{
	struct ring_header_1 one;
	struct ring_header_2 two;
	struct ring_header_3 three;

	switch (k->version) {
	case PACKET_VERSION_1:
		ring_read(r, at, &one, sizeof(one));
		return (struct request){ one.length, 0, one.link, one.network };
	case PACKET_VERSION_2:
		ring_read(r, at, &two, sizeof(two));
		return (struct request){ two.length, 0, two.link, two.network };
	default:
		ring_read(r, at, &three, sizeof(three));
		return (struct request){ three.length, three.next, three.link, three.network };
	}
}

/* Where the bytes begin within their frame: behind the header, or if the program may say, where it says. 0: nowhere. */
static uint32_t
offset_of(const struct packet_socket *k, const struct packet_ring *r, const struct request *q)
{
	uint32_t header = ring_header_size(k->version), at = k->socket.type == SOCK_DGRAM ? q->network : q->link;

	if (!READ_ONCE(k->option[PACKET_SENDS_AT_OFFSET]))
		return header;
	return at >= header && q->length <= r->wish.frame_size && at <= r->wish.frame_size - q->length ? at : 0;
}

/* What the frame at `at` asks for. 0 or an error: it cannot be sent. */
static int
look(const struct packet_socket *k, const struct packet_ring *r, const struct interface_info *info, uint64_t at,
     uint32_t *length, uint64_t *data)
{
	struct request q = read_request(k, r, at);
	uint32_t offset = offset_of(k, r, &q);

	if (q.next)
		return -EINVAL;
	if (q.length > r->wish.frame_size - ring_header_size(k->version))
		return -EMSGSIZE;
	if (!offset)
		return -EINVAL;
	*length = q.length;
	*data = at + offset;
	return packet_check_size(k, q.length, info);
}

/*
 * The next frame that is to be sent, and is nobody else's then. Its number; -EAGAIN: there is none; -EBUSY: none of those that
 * were looked at, of *left. What cannot be sent is passed over if the program said so (PACKET_LOSS), else it is marked, stays
 * the next, and ends the call with an error.
 */
static long
look_further(struct packet_socket *k, struct packet_ring *r, const struct interface_info *info, uint32_t *left,
	     uint32_t *length, uint64_t *data)
{
	bool pass = READ_ONCE(k->option[PACKET_FLAGS_LOSS]);
	uint32_t looks = MIN(*left, LOOKS_MAX);
	long result;

	*left -= looks;
	result = *left ? -EBUSY : -EAGAIN;
	spin_lock(&k->ring_lock);
	for (; looks > 0; looks--) {
		uint32_t frame = r->head;
		int error;

		if (ring_status(r, k->version, frame) != RING_SEND_REQUEST) {
			result = -EAGAIN;
			break;
		}
		error = look(k, r, info, ring_frame_at(r, frame), length, data);
		if (error && !pass) {
			ring_set_status(r, k->version, frame, RING_WRONG_FORMAT);
			result = error;
			break;
		}
		ring_set_status(r, k->version, frame, error ? RING_AVAILABLE : RING_SENDING);
		r->head = ring_after(r, frame);
		if (!error) {
			result = frame;
			break;
		}
	}
	spin_unlock(&k->ring_lock);
	return result;
}

/* However fast another thread puts frames there that are passed over, each of the ring is looked at once. */
static long
take(struct packet_socket *k, struct packet_ring *r, const struct interface_info *info, uint32_t *length,
     uint64_t *data)
{
	uint32_t left = r->wish.frames;
	long frame;

	do
		frame = look_further(k, r, info, &left, length, data);
	while (frame == -EBUSY && !signal_fatal_pending(current_thread()));
	return frame == -EBUSY ? -EAGAIN : frame;
}

/* The bytes that were sent. A frame that finds no room on its way is lost, as on any way. */
ssize_t
ring_send(struct packet_socket *k, struct packet_ring *r, struct socket_message *m)
{
	deadline_t until = socket_deadline(k->socket.send_timeout, m->flags);
	struct interface_info info;
	struct link_address to;
	uint32_t length = 0;
	uint64_t data = 0;
	ssize_t sum = 0;
	long frame;
	int error = packet_find_target(k, m, &to, &info);

	if (error)
		return error;
	/* Another thread may fill the ring for as long as it likes. */
	while ((frame = take(k, r, &info, &length, &data)) >= 0) {
		struct packet *p = packet_create_sendable(length);

		if (p) {
			ring_read(r, data, p->data, length);
			if (packet_transmit(k, &to, &info, p, until))
				packet_free(p);
		}
		ring_set_status(r, k->version, (uint32_t)frame, RING_AVAILABLE);
		wake_poll(&k->socket.read_wait, POLLOUT | POLLWRNORM);
		sum += length;
		if (signal_fatal_pending(current_thread()))
			return sum;
	}
	return frame == -EAGAIN ? sum : frame;
}
