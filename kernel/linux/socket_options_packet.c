/* SPDX-License-Identifier: MIT */
/*
 * socket_options_packet.c - options of packet sockets, packet(7), and filters of all sockets: SO_ATTACH_FILTER of socket(7).
 */
#include <tessera/bpf.h>
#include <tessera/errno.h>
#include <tessera/packet_socket.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "socket.h"

/* --- filters ---------------------------------------------------------------------------------------- */

struct linux_sock_fprog {
	uint16_t length;
	uint16_t pad[3];
	const struct bpf_instruction __user *filter;
};
_Static_assert(sizeof(struct linux_sock_fprog) == 16, "Linux's layout");

int
socket_filter_option_set(struct socket *s, const void __user *value, int length)
{
	struct linux_sock_fprog f;
	struct bpf_instruction *p;
	size_t size;
	int error;

	if (length != (int)sizeof(f))
		return -EINVAL;
	if (copy_from_user(&f, value, sizeof(f)))
		return -EFAULT;
	if (READ_ONCE(s->options) & SOCKET_LOCK_FILTER)
		return -EPERM;
	if (!f.filter || f.length == 0 || f.length > BPF_LENGTH_MAX)
		return -EINVAL;
	size = f.length * sizeof(*p);
	p = kmalloc(size, 0);
	if (!p)
		return -ENOMEM;
	error = copy_from_user(p, f.filter, size) ? -EFAULT : socket_filter_attach(s, p, f.length);
	kfree(p);
	return error;
}

/* Lengths are in instructions here. */
int
socket_filter_option_get(struct socket *s, int room, void __user *value, int __user *length)
{
	struct bpf_instruction *p;
	uint32_t n;
	int error = socket_filter_get(s, &p, &n);

	if (!error && room > 0 && n > (uint32_t)room)
		error = -EINVAL;
	if (!error && room > 0 && n && copy_to_user(value, p, n * sizeof(*p)))
		error = -EFAULT;
	kfree(p);
	if (!error)
		error = put_user((int)n, length);
	return error;
}

/* --- packet sockets --------------------------------------------------------------------------------- */

#define PACKET_ADD_MEMBERSHIP  1
#define PACKET_DROP_MEMBERSHIP 2
#define PACKET_RX_RING         5
#define PACKET_STATISTICS      6
#define PACKET_COPY_THRESH     7
#define PACKET_AUXDATA         8
#define PACKET_ORIGDEV         9
#define PACKET_VERSION         10
#define PACKET_HDRLEN          11
#define PACKET_RESERVE         12
#define PACKET_TX_RING         13
#define PACKET_LOSS            14
#define PACKET_TIMESTAMP       17
#define PACKET_TX_HAS_OFF      19
#define PACKET_QDISC_BYPASS    20
#define PACKET_IGNORE_OUTGOING 23

struct linux_packet_mreq {
	int32_t interface;
	uint16_t type, length;
	uint8_t address[8];
};
_Static_assert(sizeof(struct linux_packet_mreq) == 16, "Linux's layout");

struct linux_tpacket_req3 {
	uint32_t block_size, blocks, frame_size, frames; /* what versions 1 and 2 have, too */
	uint32_t timeout, private, features;
};
_Static_assert(sizeof(struct linux_tpacket_req3) == 28, "Linux's layout");

#define REQUEST_SIZE_1 ((int)offsetof(struct linux_tpacket_req3, timeout))

#define NO_OPTION (-1)

static int
number_of(int option)
{
	switch (option) {
	case PACKET_AUXDATA:
		return PACKET_TELL_AUXDATA;
	case PACKET_ORIGDEV:
		return PACKET_TELL_ORIGIN;
	case PACKET_LOSS:
		return PACKET_FLAGS_LOSS;
	case PACKET_TIMESTAMP:
		return PACKET_TIME_SOURCE;
	case PACKET_IGNORE_OUTGOING:
		return PACKET_NO_OUTGOING;
	case PACKET_TX_HAS_OFF:
		return PACKET_SENDS_AT_OFFSET;
	case PACKET_QDISC_BYPASS:
		return PACKET_NO_QUEUE;
	default:
		return NO_OPTION;
	}
}

static int
set_membership(struct socket *s, bool add, const void __user *value, int length)
{
	struct linux_packet_mreq r = { 0 };

	if (length < (int)sizeof(r))
		return -EINVAL;
	if (copy_from_user(&r, value, sizeof(r)))
		return -EFAULT;
	return packet_membership(s, add, (uint32_t)r.interface, r.type, r.address, r.length);
}

static int
set_ring(struct socket *s, bool send, const void __user *value, int length)
{
	int size = packet_version(s) == PACKET_VERSION_3 ? (int)sizeof(struct linux_tpacket_req3) : REQUEST_SIZE_1;
	struct linux_tpacket_req3 r = { 0 };
	struct packet_ring_wish w;

	if (length < size)
		return -EINVAL;
	if (copy_from_user(&r, value, (size_t)size))
		return -EFAULT;
	w = (struct packet_ring_wish){ .block_size = r.block_size, .blocks = r.blocks, .frame_size = r.frame_size,
				       .frames = r.frames, .timeout = r.timeout, .private = r.private,
				       .features = r.features };
	return packet_ring_set(s, send, &w);
}

/* How a ring's frames are sent is not changed under it. */
static int
set_number(struct socket *s, int option, int n)
{
	int which = number_of(option);

	switch (option) {
	case PACKET_VERSION:
		return packet_version_set(s, (uint32_t)n);
	case PACKET_RESERVE:
		return packet_reserve_set(s, (uint32_t)n);
	case PACKET_LOSS:
	case PACKET_TX_HAS_OFF:
		if (packet_has_rings(s))
			return option == PACKET_LOSS ? -EBUSY : 0;
		break;
	case PACKET_IGNORE_OUTGOING:
		if (n < 0 || n > 1)
			return -EINVAL;
		break;
	case PACKET_COPY_THRESH: /* frames that are longer than a ring's are cut, and not queued beside it */
		return 0;
	default:
		if (which == NO_OPTION)
			return -ENOPROTOOPT;
	}
	packet_option_set(s, (enum packet_option)which, which == PACKET_TIME_SOURCE ? n : n != 0);
	return 0;
}

int
packet_socket_option_set(struct socket *s, int option, const void __user *value, int length)
{
	int n;

	if (option == PACKET_ADD_MEMBERSHIP || option == PACKET_DROP_MEMBERSHIP)
		return set_membership(s, option == PACKET_ADD_MEMBERSHIP, value, length);
	if (option == PACKET_RX_RING || option == PACKET_TX_RING)
		return set_ring(s, option == PACKET_TX_RING, value, length);
	if (number_of(option) == NO_OPTION && option != PACKET_VERSION && option != PACKET_RESERVE &&
	    option != PACKET_COPY_THRESH)
		return -ENOPROTOOPT;
	/* As Linux does: most want just a number, the oldest at least one. */
	if (option == PACKET_AUXDATA || option == PACKET_ORIGDEV ? length < (int)sizeof(n) : length != (int)sizeof(n))
		return -EINVAL;
	if (get_user(n, (const int __user *)value))
		return -EFAULT;
	return set_number(s, option, n);
}

/* What one asks about stands where the answer will. */
static int
get_header_size(const void __user *value, int *room, int *n)
{
	*room = MIN(*room, (int)sizeof(*n));
	if (*room < (int)sizeof(*n))
		return -EINVAL;
	if (get_user(*n, (const int __user *)value))
		return -EFAULT;
	*n = packet_header_size((uint32_t)*n);
	return MIN(*n, 0);
}

static int
get_number(struct socket *s, int option, const void __user *value, int *room, int *n)
{
	int which = number_of(option);

	switch (option) {
	case PACKET_VERSION:
		*n = (int)packet_version(s);
		return 0;
	case PACKET_RESERVE:
		*n = (int)packet_reserve(s);
		return 0;
	case PACKET_HDRLEN:
		return get_header_size(value, room, n);
	default:
		if (which == NO_OPTION)
			return -ENOPROTOOPT;
		*n = packet_option_get(s, (enum packet_option)which);
		return 0;
	}
}

int
packet_socket_option_get(struct socket *s, int option, void __user *value, int __user *length)
{
	uint32_t statistics[3];
	const void *from = statistics;
	size_t size = sizeof(statistics);
	int room, n, error = 0;

	if (get_user(room, length))
		return -EFAULT;
	if (room < 0)
		return -EINVAL;
	if (option == PACKET_STATISTICS) {
		packet_statistics(s, &statistics[0], &statistics[1]);
		statistics[2] = packet_freezes(s);
		if (packet_version(s) != PACKET_VERSION_3)
			size -= sizeof(statistics[2]);
	} else {
		error = get_number(s, option, value, &room, &n);
		from = &n;
		size = sizeof(n);
	}
	if (error)
		return error;
	room = MIN(room, (int)size);
	return put_user(room, length) || copy_to_user(value, from, (size_t)room) ? -EFAULT : 0;
}

/* --- beside a frame --------------------------------------------------------------------------------- */

#define SOL_PACKET     263
#define TP_STATUS_USER 1u
#define TP_STATUS_CSUM_VALID 0x80u

struct linux_tpacket_auxdata {
	uint32_t status, length, captured;
	uint16_t link, network, tag, tag_protocol;
};
_Static_assert(sizeof(struct linux_tpacket_auxdata) == 20, "Linux's layout");

void
packet_control_put(struct socket *s, struct control_out *out, const struct socket_message *m, size_t captured)
{
	const struct socket_frame *f = &m->packet.frame;
	struct linux_tpacket_auxdata a = { .status = TP_STATUS_USER | TP_STATUS_CSUM_VALID, .length = f->length,
					   .captured = (uint32_t)captured, .network = f->network };

	if (packet_option_get(s, PACKET_TELL_AUXDATA))
		socket_control_put(out, SOL_PACKET, PACKET_AUXDATA, &a, sizeof(a));
}
