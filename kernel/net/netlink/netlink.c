/* SPDX-License-Identifier: MIT */
/*
 * netlink.c - sockets of AF_NETLINK: their numbers, options, and what all sockets do. The theory is in netlink.h.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/netlink.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "netlink_socket.h"

#define REQUEST_MAX 65536u  /* what one send may carry */
#define LISTEN_MAX 64u

struct sockaddr_nl {
	uint16_t family, pad;
	uint32_t port, groups;
};
_Static_assert(sizeof(struct sockaddr_nl) == 12, "Linux's layout");

struct spinlock netlink_table_lock = SPINLOCK_INIT(NETLINK);
struct list netlink_all = LIST_INIT(netlink_all);
static uint64_t last_number; /* netlink_table_lock: of the sockets that there ever were */

static const struct netlink_protocol *const protocols[NETLINK_PROTOCOLS] = {
	[NETLINK_ROUTE] = &netlink_route,
	[NETLINK_SOCK_DIAG] = &netlink_diag,
	[NETLINK_KOBJECT_UEVENT] = &netlink_uevent,
};

static const struct socket_ops netlink_ops;

static struct netlink_socket *
netlink_of(struct socket *s)
{
	return (struct netlink_socket *)s;
}

const struct netlink_protocol *
netlink_protocol_of(const struct netlink_socket *n)
{
	return protocols[n->socket.protocol];
}

static int
netlink_create(int type, int protocol, struct socket **out)
{
	struct netlink_socket *n;

	if (type != SOCK_RAW && type != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (protocol < 0 || protocol >= NETLINK_PROTOCOLS || !protocols[protocol])
		return -EPROTONOSUPPORT;
	n = kzalloc(sizeof(*n));
	if (!n)
		return -ENOMEM;
	socket_init(&n->socket, &netlink_ops, AF_NETLINK, type);
	n->socket.protocol = protocol;
	packet_queue_init(&n->queue);
	spin_lock(&netlink_table_lock);
	n->number = ++last_number;
	list_add_tail(&netlink_all, &n->node);
	spin_unlock(&netlink_table_lock);
	*out = &n->socket;
	return 0;
}

const struct socket_family netlink_family = { .name = "netlink", .create = netlink_create };

void
netlink_put_socket(struct netlink_socket *n)
{
	if (!ref_put(&n->socket.refs))
		return;
	packet_queue_drop(&n->queue);
	socket_filter_drop(&n->socket);
	namespace_put(n->socket.net);
	kvfree(n->dump);
	kfree(n);
}

static void
netlink_release(struct socket *s)
{
	struct netlink_socket *n = netlink_of(s);

	spin_lock(&netlink_table_lock);
	list_del_init(&n->node);
	spin_unlock(&netlink_table_lock);
	netlink_put_socket(n);
}

/* --- numbers and groups --------------------------------------------------------------------------- */

struct netlink_socket *
netlink_find_port(const struct namespace *net, int protocol, uint32_t port)
{
	struct netlink_socket *n;

	list_for_each (n, &netlink_all, node)
		if (n->port == port && n->socket.protocol == protocol && n->socket.net == net)
			return n;
	return NULL;
}

/* The process's id is the first choice, then numbers that are none. */
static int
take_port(struct netlink_socket *n, uint32_t port)
{
	static uint32_t next = UINT32_MAX - 4096; /* netlink_table_lock */
	int error = 0;

	spin_lock(&netlink_table_lock);
	if (n->port) {
		error = port && port != n->port ? -EINVAL : 0;
	} else {
		if (!port)
			port = (uint32_t)current_process()->local_pid;
		else if (netlink_find_port(n->socket.net, n->socket.protocol, port))
			error = -EADDRINUSE;
		while (!error && netlink_find_port(n->socket.net, n->socket.protocol, port))
			port = next--;
		if (!error)
			n->port = port;
	}
	spin_unlock(&netlink_table_lock);
	return error;
}

/* What Linux lets anybody listen to. */
static bool
may_listen(const struct netlink_socket *n)
{
	return n->socket.protocol == NETLINK_ROUTE || n->socket.protocol == NETLINK_KOBJECT_UEVENT ||
	       n->socket.protocol == NETLINK_GENERIC || capable_in(n->socket.net->owner, CAP_NET_ADMIN);
}

static int
get_address(const struct socket_address *a, struct sockaddr_nl *out)
{
	if (a->length < sizeof(*out))
		return -EINVAL;
	memcpy(out, a->bytes, sizeof(*out));
	return out->family == AF_NETLINK ? 0 : -EINVAL;
}

static int
netlink_bind(struct socket *s, const struct socket_address *a)
{
	struct netlink_socket *n = netlink_of(s);
	struct sockaddr_nl nl;
	int error = get_address(a, &nl);

	if (!error && nl.groups && !may_listen(n))
		error = -EPERM;
	if (!error)
		error = take_port(n, nl.port);
	if (error)
		return error;
	spin_lock(&netlink_table_lock);
	n->groups = (n->groups & ~(uint64_t)UINT32_MAX) | nl.groups;
	n->has_listened |= nl.groups != 0;
	spin_unlock(&netlink_table_lock);
	return 0;
}

static int
netlink_connect(struct socket *s, const struct socket_address *a, uint32_t flags)
{
	struct netlink_socket *n = netlink_of(s);
	struct sockaddr_nl nl;
	int error;

	if (a->length < sizeof(a->family))
		return -EINVAL;
	if (a->family == AF_UNSPEC) {
		WRITE_ONCE(n->peer, 0);
		return 0;
	}
	error = get_address(a, &nl);
	if (!error)
		error = take_port(n, 0);
	if (!error)
		WRITE_ONCE(n->peer, nl.port);
	return error;
}

static void
put_address(struct socket_address *out, uint32_t port, uint32_t groups)
{
	struct sockaddr_nl nl = { .family = AF_NETLINK, .port = port, .groups = groups };

	memcpy(out->bytes, &nl, sizeof(nl));
	out->length = sizeof(nl);
}

static int
netlink_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct netlink_socket *n = netlink_of(s);

	if (peer)
		put_address(out, READ_ONCE(n->peer), 0);
	else
		put_address(out, READ_ONCE(n->port), (uint32_t)READ_ONCE(n->groups));
	return 0;
}

int
netlink_option(struct socket *s, int option, int value)
{
	struct netlink_socket *n = netlink_of(s);
	bool join = option == NETLINK_ADD_MEMBERSHIP;

	switch (option) {
	case NETLINK_ADD_MEMBERSHIP:
	case NETLINK_DROP_MEMBERSHIP:
		if (value < 1 || value > (int)MIN(netlink_protocol_of(n)->groups, LISTEN_MAX))
			return -EINVAL;
		if (join && !may_listen(n))
			return -EPERM;
		spin_lock(&netlink_table_lock);
		n->groups = join ? n->groups | BIT(value - 1) : n->groups & ~BIT(value - 1);
		n->has_listened = true;
		spin_unlock(&netlink_table_lock);
		return 0;
	case NETLINK_EXT_ACK:
		WRITE_ONCE(n->extended, value != 0);
		return 0;
	case NETLINK_CAP_ACK:
		WRITE_ONCE(n->capped, value != 0);
		return 0;
	case NETLINK_GET_STRICT_CHK:
		WRITE_ONCE(n->strict, value != 0);
		return 0;
	case NETLINK_PKTINFO:
		WRITE_ONCE(n->packet_info, value != 0);
		return 0;
	case NETLINK_BROADCAST_ERROR:
		WRITE_ONCE(n->broadcast_error, value != 0);
		return 0;
	case NETLINK_NO_ENOBUFS:
		WRITE_ONCE(n->no_enobufs, value != 0);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int
netlink_option_get(struct socket *s, int option)
{
	struct netlink_socket *n = netlink_of(s);

	switch (option) {
	case NETLINK_EXT_ACK:
		return READ_ONCE(n->extended);
	case NETLINK_CAP_ACK:
		return READ_ONCE(n->capped);
	case NETLINK_GET_STRICT_CHK:
		return READ_ONCE(n->strict);
	case NETLINK_PKTINFO:
		return READ_ONCE(n->packet_info);
	case NETLINK_BROADCAST_ERROR:
		return READ_ONCE(n->broadcast_error);
	case NETLINK_NO_ENOBUFS:
		return READ_ONCE(n->no_enobufs);
	default:
		return -ENOPROTOOPT;
	}
}

unsigned
netlink_groups_get(struct socket *s, uint32_t words[NETLINK_GROUP_WORDS])
{
	struct netlink_socket *n = netlink_of(s);
	uint64_t groups = READ_ONCE(n->groups);

	words[0] = (uint32_t)groups;
	words[1] = (uint32_t)(groups >> 32);
	if (!READ_ONCE(n->has_listened))
		return 0;
	return netlink_protocol_of(n)->groups > 32 ? 2 : 1;
}

/* --- sending ---------------------------------------------------------------------------------------- */

static ssize_t
deliver(struct netlink_socket *n, const struct sockaddr_nl *to, const char *data, size_t size)
{
	ssize_t error = to->groups ? netlink_send_to_group(n, to->groups, data, size) : 0;

	if (error)
		return error;
	if (to->port)
		return netlink_send_to_port(n, to->port, data, size);
	netlink_answer(n, data, size);
	return (ssize_t)size;
}

static ssize_t
netlink_send(struct socket *s, struct socket_message *m)
{
	struct netlink_socket *n = netlink_of(s);
	struct sockaddr_nl to = { .port = READ_ONCE(n->peer) };
	size_t size = m->data->count;
	ssize_t result;
	char *data;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->address.length) {
		int error = get_address(&m->address, &to);

		if (error)
			return error;
	}
	if ((to.port || to.groups) && !capable_in(s->net->owner, CAP_NET_ADMIN))
		return -EPERM;
	result = take_port(n, 0);
	if (result && !READ_ONCE(n->port))
		return result;
	if (size > REQUEST_MAX)
		return -EMSGSIZE;
	if (size == 0)
		return to.port ? -ECONNREFUSED : 0;
	data = kvmalloc(size);
	if (!data)
		return -ENOBUFS;
	result = iov_copy_from(data, m->data, size) == size ? deliver(n, &to, data, size) : -EFAULT;
	kvfree(data);
	return result;
}

/* --- being told ----------------------------------------------------------------------------------- */

static ssize_t
netlink_receive(struct socket *s, struct socket_message *m)
{
	struct netlink_socket *n = netlink_of(s);
	struct packet_info info;
	ssize_t result;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (m->data->count > READ_ONCE(n->receive_max))
		WRITE_ONCE(n->receive_max, (uint32_t)MIN(m->data->count, (size_t)NETLINK_PART));
	result = packet_queue_receive(&n->queue, s, m, &info);
	netlink_go_on(n);
	if (result < 0)
		return result;
	put_address(&m->address, info.interface, info.to.scope ? (uint32_t)BIT(info.to.scope - 1) : 0);
	m->has_credentials = true;
	m->credentials = info.sender;
	return result;
}

bool
netlink_deliver(struct socket *s, struct packet *p)
{
	return packet_queue_add(&netlink_of(s)->queue, s, p);
}

/* --- the rest ------------------------------------------------------------------------------------- */

static uint32_t
netlink_poll(struct socket *s, struct file *f, struct poll_table *pt)
{
	struct netlink_socket *n = netlink_of(s);
	uint32_t events = POLLOUT | POLLWRNORM | POLLWRBAND;

	poll_wait(pt, f, &s->read_wait);
	if (READ_ONCE(s->error))
		events |= POLLERR;
	if (!packet_queue_is_empty(&n->queue))
		events |= POLLIN | POLLRDNORM;
	return events;
}

static long
netlink_pending(struct socket *s, bool out)
{
	return out ? 0 : (long)packet_queue_next(&netlink_of(s)->queue);
}

static int
not_supported_listen(struct socket *s, uint32_t backlog)
{
	return -EOPNOTSUPP;
}

static int
not_supported_accept(struct socket *s, uint32_t flags, struct socket **out)
{
	return -EOPNOTSUPP;
}

static int
not_supported_pair(struct socket *a, struct socket *b)
{
	return -EOPNOTSUPP;
}

static int
not_supported_shutdown(struct socket *s, uint32_t how)
{
	return -EOPNOTSUPP;
}

static void
no_peer_cred(struct socket *s, pid_t *pid, struct cred **cred)
{
	*pid = 0;
	*cred = NULL;
}

struct netlink_socket_info *
netlink_sockets(struct network *net, uint32_t *count)
{
	struct netlink_socket_info *found;
	struct netlink_socket *n;
	uint32_t max = 16; /* some may come meanwhile */

	*count = 0;
	spin_lock(&netlink_table_lock);
	list_for_each (n, &netlink_all, node)
		max++;
	spin_unlock(&netlink_table_lock);
	found = kvmalloc(max * sizeof(*found));
	if (!found)
		return NULL;
	spin_lock(&netlink_table_lock);
	list_for_each (n, &netlink_all, node) {
		const struct socket *s = &n->socket;

		if (*count == max || s->net != &net->ns)
			continue;
		found[(*count)++] = (struct netlink_socket_info){
			.protocol = s->protocol, .port = n->port, .groups = n->groups, .queued = READ_ONCE(n->queue.charged),
			.drops = READ_ONCE(n->queue.drops), .references = ref_count(&s->refs) + 1,
			.inode = READ_ONCE(s->file) ? s->inode : 0,
		};
	}
	spin_unlock(&netlink_table_lock);
	return found;
}

static void
netlink_dump(struct socket *s)
{
	struct netlink_socket *n = netlink_of(s);

	pr_info("  netlink: protocol %d, port %u, groups %lx, %u bytes in\n", s->protocol, n->port, n->groups,
		n->queue.charged);
}

static const struct socket_ops netlink_ops = {
	.bind = netlink_bind,
	.connect = netlink_connect,
	.listen = not_supported_listen,
	.accept = not_supported_accept,
	.pair = not_supported_pair,
	.name = netlink_name,
	.shutdown = not_supported_shutdown,
	.send = netlink_send,
	.receive = netlink_receive,
	.poll = netlink_poll,
	.pending = netlink_pending,
	.peer_cred = no_peer_cred,
	.release = netlink_release,
	.dump = netlink_dump,
};
