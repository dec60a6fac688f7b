/* SPDX-License-Identifier: MIT */
/*
 * net.c - /proc/PID/net: which files there are, and sockets of AF_UNIX. All of it is about the process's network.
 */
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/socket.h>

#include "net.h"

#define FLAG_LISTENING 0x10000u /* __SO_ACCEPTCON */

/* As the socket's user sees it, or, when it has none yet, on its way to one. */
static unsigned int
state_of(const struct socket *s)
{
	enum { UNCONNECTED = 1, CONNECTING, CONNECTED, DISCONNECTING };
	bool connected = s->state == SOCKET_CONNECTED;

	if (READ_ONCE(s->file))
		return connected ? CONNECTED : UNCONNECTED;
	return connected ? CONNECTING : DISCONNECTING;
}

struct listing {
	struct text *text;
	const struct namespace *net;
};

/* Addresses of the kernel are not told: the first column is 0, as Linux shows it to the unprivileged. */
static void
show_one(void *ctx, const struct socket *s, const struct socket_address *name)
{
	const struct listing *l = ctx;
	struct text *t = l->text;
	const char *path = (const char *)name->bytes + sizeof(name->family);
	size_t n = name->length > sizeof(name->family) ? name->length - sizeof(name->family) : 0;

	if (s->net != l->net)
		return;
	text_print(t, "%016lx: %08X %08X %08X %04X %02X %5lu", 0ul, ref_count(&s->refs), 0u,
		   s->state == SOCKET_LISTENING ? FLAG_LISTENING : 0, s->type, state_of(s), s->inode);
	if (n > 0) {
		text_add(t, " ", 1);
		if (path[0])
			n--; /* the path's own end */
		for (size_t i = 0; i < n; i++)
			text_add(t, path[i] ? &path[i] : "@", 1);
	}
	text_add(t, "\n", 1);
}

static void
net_unix(struct text *t, struct network *n)
{
	struct listing l = { t, (const struct namespace *)n };

	text_print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(show_one, &l);
}

void
net_end_line(struct text *t, size_t from, size_t width)
{
	size_t length = t->used - from;

	if (length < width)
		text_print(t, "%*s", (int)(width - length), "");
	text_add(t, "\n", 1);
}

/* Each file tells of the network that the process is in. -EINVAL: it is in none any more. */
#define SHOW(name)                                                                                                         \
	static int show_##name(struct text *t, struct target *at)                                                          \
	{                                                                                                                  \
		struct namespace *net = process_namespace(at->process, at->thread, NAMESPACE_NET, false);                  \
                                                                                                                           \
		if (!net)                                                                                                  \
			return -EINVAL;                                                                                    \
		net_##name(t, (struct network *)net);                                                                      \
		namespace_put(net);                                                                                        \
		return 0;                                                                                                  \
	}

#define FILES(F)													\
	F(arp) F(dev) F(dev_mcast) F(icmp) F(icmp6) F(if_inet6) F(igmp) F(igmp6) F(ipv6_route) F(netlink)		\
	F(netstat) F(packet) F(ptype) F(raw) F(raw6) F(route) F(snmp) F(snmp6) F(sockstat) F(sockstat6)			\
	F(softnet_stat) F(tcp) F(tcp6) F(udp) F(udp6) F(unix)
FILES(SHOW)

#define ENTRY(name) ENTRY_FILE(#name, show_##name),
const struct entry net_entries[] = { FILES(ENTRY){ 0 } };
