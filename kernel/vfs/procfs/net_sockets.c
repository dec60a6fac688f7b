/* SPDX-License-Identifier: MIT */
/*
 * net_sockets.c - /proc/PID/net: sockets of the Internet protocols, in the columns that netstat(8) knows.
 *
 * Addresses are eight hexadecimal digits for each four bytes, as the machine would read them. Lines of IPv4's tables have
 * a width of their own. What only Linux's TCP has (timers, retransmissions) stands as it does where nothing is lost.
 */
#include <tessera/inet.h>
#include <tessera/netlink.h>
#include <tessera/slab.h>

#include "net.h"

#define STREAM_WIDTH   149u
#define DATAGRAM_WIDTH 127u

enum { ESTABLISHED = 1, SYN_RECEIVED = 3, TIME_WAIT = 6, LISTENING = 10 };

static void
print_end(struct text *t, const struct endpoint *e, bool v6)
{
	if (v6)
		for (unsigned i = 0; i < 3; i++)
			text_print(t, "%08X", e->address.words[i]);
	text_print(t, "%08X:%04X ", e->address.words[3], e->port);
}

static void
print_common(struct text *t, const struct inet_socket_info *s, bool v6)
{
	uint64_t ticks = s->ends_in / (NSEC_PER_SEC / 100);

	print_end(t, &s->local, v6);
	print_end(t, &s->remote, v6);
	text_print(t, "%02X %08X:%08X %02X:%08lX %08X %5u %8d ", (unsigned int)s->state, s->state == LISTENING ? 0 : s->send_queue,
		   s->receive_queue, s->state == TIME_WAIT ? 3u : s->state == SYN_RECEIVED ? 1u : 0u, ticks, 0u, s->uid, 0);
}

static void
print_stream(struct text *t, unsigned int number, const struct inet_socket_info *s, bool v6)
{
	size_t from = t->used;
	bool listens = s->state == LISTENING;

	text_print(t, "%4u: ", number);
	print_common(t, s, v6);
	text_print(t, "%lu %u %016lx", s->inode, s->references, 0ul);
	if (s->state != TIME_WAIT && s->state != SYN_RECEIVED)
		text_print(t, " %u %u %u %u %d", listens ? 100u : 20u, listens ? 0u : 4u, 0u, 10u, listens ? 0 : -1);
	net_end_line(t, from, v6 ? 0 : STREAM_WIDTH);
}

static void
print_datagrams(struct text *t, int protocol, const struct inet_socket_info *s, bool v6)
{
	size_t from = t->used;

	text_print(t, protocol == IPPROTO_RAW ? "%4u: " : "%5u: ", s->local.port);
	print_common(t, s, v6);
	text_print(t, "%lu %u %016lx %u", s->inode, s->references, 0ul, s->drops);
	net_end_line(t, from, v6 || protocol == IPPROTO_RAW ? 0 : DATAGRAM_WIDTH);
}

static void
show_sockets(struct text *t, struct network *n, int protocol, bool v6)
{
	bool stream = protocol == IPPROTO_TCP;
	size_t from = t->used;
	uint32_t count;
	struct inet_socket_info *all = inet_sockets(n, protocol, &count);
	unsigned int number = 0;

	if (v6)
		text_print(t, "  sl  local_address                         remote_address                        st tx_queue "
			      "rx_queue tr tm->when retrnsmt   uid  timeout inode");
	else
		text_print(t, "%s  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
			   protocol == IPPROTO_UDP ? " " : "");
	if (!stream)
		text_print(t, " ref pointer drops");
	net_end_line(t, from, v6 || protocol == IPPROTO_RAW ? 0 : stream ? STREAM_WIDTH : DATAGRAM_WIDTH);
	for (int pass = 0; pass < 2; pass++) /* who listens comes first */
		for (uint32_t i = 0; i < count; i++) {
			if ((all[i].family == AF_INET6) != v6 || (all[i].state == LISTENING) != (pass == 0))
				continue;
			if (stream)
				print_stream(t, number++, &all[i], v6);
			else
				print_datagrams(t, protocol, &all[i], v6);
		}
	kvfree(all);
}

#define SHOW(name, protocol, v6)                        \
	void net_##name(struct text *t, struct network *n) \
	{                                               \
		show_sockets(t, n, protocol, v6);       \
	}
SHOW(tcp, IPPROTO_TCP, false)
SHOW(tcp6, IPPROTO_TCP, true)
SHOW(udp, IPPROTO_UDP, false)
SHOW(udp6, IPPROTO_UDP, true)
SHOW(icmp, IPPROTO_ICMP, false)
SHOW(icmp6, IPPROTO_ICMP, true)
SHOW(raw, IPPROTO_RAW, false)
SHOW(raw6, IPPROTO_RAW, true)

/* --- how many there are ---------------------------------------------------------------------------- */

struct socket_counts {
	uint32_t all[2], time_wait, orphans, established; /* all: of IPv4, of IPv6 */
};

static struct socket_counts
count_sockets(struct network *n, int protocol)
{
	struct socket_counts c = { 0 };
	uint32_t count;
	struct inet_socket_info *all = inet_sockets(n, protocol, &count);

	for (uint32_t i = 0; i < count; i++) {
		if (all[i].state == TIME_WAIT) {
			c.time_wait++;
			continue;
		}
		if (all[i].state == SYN_RECEIVED) /* no socket yet */
			continue;
		c.all[all[i].family == AF_INET6]++;
		c.established += all[i].state == ESTABLISHED;
		c.orphans += protocol == IPPROTO_TCP && all[i].inode == 0 && all[i].state != ESTABLISHED;
	}
	kvfree(all);
	return c;
}

struct unix_count {
	struct network *network;
	uint32_t count;
};

static void
count_unix(void *ctx, const struct socket *s, const struct socket_address *name)
{
	struct unix_count *c = ctx;

	c->count += s->net == (struct namespace *)c->network;
}

void
net_sockstat(struct text *t, struct network *n)
{
	struct socket_counts tcp = count_sockets(n, IPPROTO_TCP), udp = count_sockets(n, IPPROTO_UDP);
	struct socket_counts raw = count_sockets(n, IPPROTO_RAW);
	struct unix_count c = { n, tcp.all[0] + tcp.all[1] + udp.all[0] + udp.all[1] };
	uint32_t links;

	kvfree(netlink_sockets(n, &links));
	unix_for_each(count_unix, &c);
	text_print(t, "sockets: used %u\n"
		      "TCP: inuse %u orphan %u tw %u alloc %u mem 0\n"
		      "UDP: inuse %u mem 0\n"
		      "UDPLITE: inuse 0\n"
		      "RAW: inuse %u\n"
		      "FRAG: inuse 0 memory 0\n",
		   c.count + links + raw.all[0] + raw.all[1], tcp.all[0], tcp.orphans, tcp.time_wait,
		   tcp.all[0] + tcp.all[1], udp.all[0], raw.all[0]);
}

void
net_sockstat6(struct text *t, struct network *n)
{
	struct socket_counts tcp = count_sockets(n, IPPROTO_TCP), udp = count_sockets(n, IPPROTO_UDP);
	struct socket_counts raw = count_sockets(n, IPPROTO_RAW);

	text_print(t, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse 0\nRAW6: inuse %u\nFRAG6: inuse 0 memory 0\n", tcp.all[1],
		   udp.all[1], raw.all[1]);
}

uint32_t
net_established(struct network *n)
{
	return count_sockets(n, IPPROTO_TCP).established;
}

/* --- of other families ----------------------------------------------------------------------------- */

void
net_netlink(struct text *t, struct network *n)
{
	uint32_t count;
	struct netlink_socket_info *all = netlink_sockets(n, &count);

	text_print(t, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n");
	for (uint32_t i = 0; i < count; i++)
		text_print(t, "%016lx %-3d %-10u %08x %-8u %-8u %-5u %-8u %-8u %-8lu\n", 0ul, all[i].protocol, all[i].port,
			   (uint32_t)all[i].groups, all[i].queued, 0u, 0u, all[i].references, all[i].drops, all[i].inode);
	kvfree(all);
}

/* Sockets of AF_PACKET are not told of. */
void
net_packet(struct text *t, struct network *n)
{
	text_print(t, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
}
