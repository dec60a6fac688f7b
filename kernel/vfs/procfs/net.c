/* SPDX-License-Identifier: MIT */
/*
 * net.c - /proc/PID/net: the sockets there are.
 *
 * Those of the process's network namespace.
 */
#include <tessera/namespace.h>
#include <tessera/socket.h>

#include "files.h"

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

static int
show_unix(struct text *t, struct target *at)
{
	struct listing l = { t, process_namespace(at->process, at->thread, NAMESPACE_NET, false) };

	text_print(t, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	unix_for_each(show_one, &l);
	namespace_put((struct namespace *)l.net);
	return 0;
}

/* Each network has its loopback, and nothing goes through that: there are no addresses. */
static int
show_devices(struct text *t, struct target *at)
{
	text_print(t, "Inter-|   Receive                                                |  Transmit\n"
		      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop "
		      "fifo colls carrier compressed\n%6s: %7u %7u %4u %4u %4u %5u %10u %9u %8u %7u %4u %4u %4u %5u "
		      "%7u %10u\n", "lo", 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u, 0u);
	return 0;
}

const struct entry net_entries[] = {
	ENTRY_FILE("dev", show_devices),
	ENTRY_FILE("unix", show_unix),
	{ 0 },
};
