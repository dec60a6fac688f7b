/* SPDX-License-Identifier: MIT */
/* alone.c - a stack without another one: its card, and who is on its wire, are the case's own. */
#include <sys/wait.h>
#include <unistd.h>

#include "../../services/netd/tcp.h"
#include "host.h"

#define ETH0	  2
#define STRANGERS 2000
#define TABLE	  512 /* of the stack's neighbours */

/* A process of its own, since a stack has one door. */
static void
alone(void (*run)(struct host *h))
{
	struct host h;
	int status;
	pid_t child = fork();

	if (child == 0) {
		host_create(&h, 1);
		stack_begin(&h);
		run(&h);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		fail("a stack by itself ends with %#x", status);
}

/* --- a cable ------------------------------------------------------------------------------------------------- */

/* A frame of a program's for the card. */
static void
put_frame(struct memory *m)
{
	struct netd_frame f = { .length = 64, .kind = NETD_FRAME_SEND_RAW, .interface = ETH0 };

	memcpy(m->frames_out + m->kernel.frames_out_head, &f, sizeof(f));
	m->kernel.frames_out_head += sizeof(f) + f.length;
	door_frames_see();
	ip_frames_out();
}

static void
lose_cable(struct host *h)
{
	struct memory *m = h->memory;

	stack_set_card(false, true);
	put_frame(m);
	if (m->netd.frames_out_tail)
		fail("a frame went by a card without room");
	stack_set_card(false, false);
	put_frame(m);
	if (m->netd.frames_out_tail != m->kernel.frames_out_head)
		fail("frames wait for a card without a cable");
}

void
alone_without_cable(void)
{
	alone(lose_cable);
}

/* --- neighbours ---------------------------------------------------------------------------------------------- */

static struct netd_address
stranger(unsigned number)
{
	return address_v4((uint8_t[4]){ 10, 1, number >> 8, number });
}

/* `from` asks who we are. */
static void
ask_from(const struct host *h, const struct netd_address *from)
{
	uint8_t frame[NIC_HEADER + 28] = { 255, 255, 255, 255, 255, 255, 2, 9, [12] = 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 9 };
	struct netd_address own = host_address(h->number, false);

	memcpy(frame + NIC_HEADER + 14, from->bytes + 12, 4);
	memcpy(frame + NIC_HEADER + 24, own.bytes + 12, 4);
	stack_receive(frame, sizeof(frame));
}

static void
flood(struct host *h)
{
	struct netd_address gateway = host_address(200, false), other;
	struct interface *i = ip_interface(ETH0);
	uint8_t card[NIC_ADDRESS];

	ask_from(h, &gateway);
	if (!neighbour_find(i, &gateway, card))
		fail("who asked for us is not known");
	for (unsigned n = 0; n < STRANGERS; n++) {
		other = stranger(n);
		ask_from(h, &other);
	}
	if (!neighbour_find(i, &gateway, card))
		fail("strangers drive out who is in use");
	if (stack_neighbours() > TABLE)
		fail("the kernel has %u neighbours of a stack that knows %u", stack_neighbours(), TABLE);
	if (!neighbour_find(i, &other, card))
		fail("who asked last is not known");
}

void
alone_flooded(void)
{
	alone(flood);
}
