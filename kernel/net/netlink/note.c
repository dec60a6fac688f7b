/* SPDX-License-Identifier: MIT */
/*
 * note.c - messages that are made when somebody asks to be told, and come when it happens: mq_notify(3).
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/netlink.h>
#include <tessera/slab.h>

#include "netlink.h"

struct netlink_note {
	struct file *file;             /* reference */
	struct packet *packet;         /* NULL: sent */
};

int
netlink_note_create(struct file *f, size_t n, struct netlink_note **out)
{
	struct socket *s = file_socket(f);
	struct netlink_note *note;

	if (!s)
		return -ENOTSOCK;
	if (s->family != AF_NETLINK)
		return -EINVAL;
	note = kmalloc(sizeof(*note), 0);
	if (!note)
		return -ENOMEM;
	note->packet = packet_create(n);
	if (!note->packet) {
		kfree(note);
		return -ENOMEM;
	}
	file_get(f);
	note->file = f;
	*out = note;
	return 0;
}

void *
netlink_note_bytes(struct netlink_note *note)
{
	return note->packet->data;
}

void
netlink_note_send(struct netlink_note *note)
{
	if (netlink_deliver(file_socket(note->file), note->packet))
		note->packet = NULL;
	netlink_note_drop(note);
}

/* Late: who tells may hold locks that the end of a socket may not stand below. */
void
netlink_note_drop(struct netlink_note *note)
{
	if (note->packet)
		packet_free(note->packet);
	file_put_late(note->file);
	kfree(note);
}
