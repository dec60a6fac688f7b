/* SPDX-License-Identifier: MIT */
/* stack.c - the process of a network stack: its door is memory, its card a socket. */
#include <errno.h>
#include <linux/neighbour.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

#include "../../services/netd/tcp.h"
#include "host.h"

#define LONG_MS 60000

static struct host *self;

/* --- what lib/driver would do */

void
log_error(const char *format, ...)
{
	va_list words;

	va_start(words, format);
	vfprintf(stderr, format, words);
	va_end(words);
	fputc('\n', stderr);
	/* Nothing that these tests do is an error to a stack. */
	abort();
}

void
log_info(const char *format, ...)
{
}

void
log_debug(const char *format, ...)
{
}

/* --- memory.c keeps blocks; the sanitiser is to know of each */

void *
memory_take(size_t size)
{
	return malloc(size);
}

void
memory_give(void *at)
{
	free(at);
}

/* --- the door's calls */

void
door_kick(void)
{
	door.changed = false;
}

void
door_map_arena(void)
{
}

int
door_accept(struct netd_accept *a)
{
	struct memory *m = self->memory;
	uint32_t listener = NO_SLOT, slot;
	struct netd_wanted *w;

	memory_lock(m);
	for (uint32_t n = 0; n < m->kernel.slots_used; n++)
		if (slot_wanted(m, n)->want == NETD_WANT_LISTEN && slot_wanted(m, n)->local.port == a->local.port)
			listener = n;
	if (listener == NO_SLOT || m->refuse_accepts || m->accepted_count == LISTENERS_QUEUE) {
		memory_unlock(m);
		return listener == NO_SLOT ? -ECONNREFUSED : -EAGAIN;
	}
	slot = slot_take(m);
	w = slot_wanted(m, slot);
	w->local = a->local;
	w->remote = a->remote;
	w->window_max = slot_wanted(m, listener)->window_max;
	w->granted = w->window_max < 32768 ? w->window_max : 32768;
	w->flags = NETD_FLAG_ACCEPTED;
	chunks_fill(m, w->receive_chunk, 0, w->granted);
	a->slot = slot;
	a->generation = a->actual.generation = a->actual.record.generation = w->generation;
	*slot_actual(m, slot) = a->actual;
	m->accepted[m->accepted_count++] = slot;
	__atomic_store_n(&w->want, NETD_WANT_CONNECTION, __ATOMIC_RELEASE);
	memory_unlock(m);
	return 0;
}

int
door_add_interface(struct netd_interface *i)
{
	i->index = 2;
	strcpy(i->name, "eth0");
	return 0;
}

int
door_set_link(const struct netd_link *l)
{
	return 0;
}

/* Whom the kernel knows: their addresses. */
static struct netd_address known[4096];
static unsigned known_count;

int
door_set_neighbour(const struct netd_table_neighbour *n)
{
	unsigned at = 0;

	if (n->state == NUD_REACHABLE)
		self->memory->confirmed[n->address.bytes[0] != 0]++;
	else if (n->state == NUD_FAILED)
		self->memory->failed++;
	while (at < known_count && !address_same(&known[at], &n->address))
		at++;
	if (!n->state && at < known_count)
		known[at] = known[--known_count];
	else if (n->state && at == known_count && at < sizeof(known) / sizeof(known[0]))
		known[known_count++] = n->address;
	return 0;
}

unsigned
stack_neighbours(void)
{
	return known_count;
}

int
door_add_address(const struct netd_table_address *a)
{
	return 0;
}

int
door_add_route(const struct netd_table_route *r)
{
	return 0;
}

static uint32_t
interfaces_of(struct netd_table_interface *t)
{
	*t = (struct netd_table_interface){
		.index = 2, .flags = IFF_UP | IFF_RUNNING | IFF_BROADCAST, .mtu = 1500, .kind = ARPHRD_ETHER, .name = "eth0",
		.key = "card", .address = { 2, 0, 0, 0, 0, self->number },
	};
	return 1;
}

static uint32_t
addresses_of(struct netd_table_address *t)
{
	t[0] = (struct netd_table_address){ .interface = 2, .bits = 24, .address = host_address(self->number, false) };
	t[1] = (struct netd_table_address){ .interface = 2, .bits = 64, .address = host_address(self->number, true) };
	t[2] = (struct netd_table_address){ .interface = 2, .bits = 64, .address = {
		{ 0xfe, 0x80, [8] = 0, [11] = 0xff, [12] = 0xfe, [15] = self->number } } };
	return 3;
}

static uint32_t
routes_of(struct netd_table_route *t)
{
	t[0] = (struct netd_table_route){ .interface = 2, .bits = 24, .type = 1, .to = host_address(0, false) };
	t[1] = (struct netd_table_route){ .interface = 2, .bits = 64, .type = 1, .to = host_address(0, true), .v6 = 1 };
	return 2;
}

void *
door_table(uint32_t table, size_t entry_size, uint32_t *count)
{
	void *entries = calloc(4, entry_size);

	*count = table == NETD_TABLE_INTERFACES ? interfaces_of(entries) :
		table == NETD_TABLE_ADDRESSES ? addresses_of(entries) : table == NETD_TABLE_ROUTES ? routes_of(entries) : 0;
	return entries;
}

/* --- the card */

static bool full;

static void
card_go(struct nic *nic)
{
}

static int
card_send(struct nic *nic, const struct iovec *parts, unsigned count, uint32_t checksum)
{
	struct msghdr m = { .msg_iov = (struct iovec *)parts, .msg_iovlen = count };

	return full || sendmsg(self->card, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -EAGAIN : 0;
}

static void
card_filter(struct nic *nic, bool promiscuous, bool all_groups, const uint8_t (*addresses)[NIC_ADDRESS], unsigned count)
{
}

static const struct nic_ops card_ops = { .go = card_go, .send = card_send, .flush = card_go, .filter = card_filter,
	.close = card_go };
static struct nic card = { .ops = &card_ops, .key = "card", .mtu_max = 1500, .carrier = true };

static void
open_door(struct memory *m)
{
	door = (struct door){
		.fd = -1, .kernel = &m->kernel, .netd = &m->netd, .to_netd = &m->to_netd, .to_kernel = &m->to_kernel,
		.half_open = m->half_open, .frames_out = m->frames_out, .frames_in = m->frames_in,
		.wanted = m->wanted, .actual = m->actual, .arena = m->arena, .arena_blocks = BLOCKS,
		.frames_in_head = m->netd.frames_in_head,
	};
}

void
stack_begin(struct host *h)
{
	self = h;
	card.address[0] = 2;
	card.address[5] = h->number;
	open_door(h->memory);
	if (ip_add_nic(&card) < 0)
		abort();
	ip_config_look();
	slots_adopt();
}

void
stack_receive(const void *frame, size_t length)
{
	card.stack->received(&card, frame, length, 0);
}

void
stack_set_card(bool room, bool carrier)
{
	full = !room;
	if (card.carrier == carrier)
		return;
	card.carrier = carrier;
	card.stack->link(&card);
}

void
stack_run(struct host *h)
{
	static uint8_t frame[2048];
	struct pollfd cable = { .fd = h->card, .events = POLLIN };
	uint64_t ticked = now_ms(), slow = ticked;
	ssize_t n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != h->test)
		_exit(0);
	stack_begin(h);
	for (;;) {
		uint64_t now = now_ms();

		poll(&cable, 1, 1);
		for (int i = 0; i < 64 && (n = recv(h->card, frame, sizeof(frame), MSG_DONTWAIT)) > 0; i++)
			stack_receive(frame, n);
		for (; tcp_clock_runs && now - ticked >= TCP_TMR_INTERVAL; ticked += TCP_TMR_INTERVAL)
			tcp_tick();
		if (!tcp_clock_runs)
			ticked = now;
		if (now - slow >= 200) {
			slow = now;
			neighbours_tick(now + (self->memory->time_leaps ? LONG_MS : 0));
			self->memory->time_leaps = 0;
			fragments_tick(now);
		}
		card.stack->room(&card);
		slots_look();
		ip_frames_out();
		connections_settle();
		link_flush();
		door_kick();
	}
}
