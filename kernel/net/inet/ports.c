/* SPDX-License-Identifier: MIT */
/*
 * ports.c - who has which port of a network.
 *
 * A port_holder lies in the bucket of its port's number. Two of them may have the same port when nobody can mean both:
 * other addresses, other interfaces, or both said that it is well (SO_REUSEADDR, SO_REUSEPORT of socket(7)). Who
 * listens stands before all others of a bucket, so that finding him does not pass by the connections he accepted.
 *
 * Lock: network->ports_lock (PORTS), for all of it; nothing is taken inside.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/random.h>
#include <tessera/time.h>

#include "inet.h"

#define PORT_STEP  16u /* ports that are passed by, at most */
#define PORT_SLICE 64u /* ports that are looked at before the lock is let go for a moment */

void
port_tables_init(struct network *n)
{
	spin_init(&n->ports_lock, LOCK_PORTS);
	for (int kind = 0; kind < PORT_KINDS; kind++)
		for (unsigned i = 0; i < PORT_BUCKETS; i++)
			list_init(&n->ports[kind].bucket[i]);
}

static struct list *
bucket_of(struct network *n, enum port_kind kind, uint16_t port)
{
	return &n->ports[kind].bucket[port % PORT_BUCKETS];
}

/* --- who may have a port beside whom ------------------------------------------------------------- */

/* Is `b` one of those that "any" address `a` stands for? */
static bool
any_covers(const struct ip_address *a, bool only_v6, const struct ip_address *b)
{
	if (!ip_address_is_any(a))
		return false;
	return ip_address_is_any_v6(a) ? !(only_v6 && ip_address_is_v4(b)) : ip_address_is_v4(b);
}

static bool
addresses_overlap(const struct ip_address *a, bool a_only_v6, const struct ip_address *b, bool b_only_v6)
{
	return ip_address_equal(a, b) || any_covers(a, a_only_v6, b) || any_covers(b, b_only_v6, a);
}

/* Can something be meant for both `h` at `local` and `other`? */
static bool
overlap(const struct port_holder *h, const struct endpoint *local, const struct port_holder *other)
{
	if (other->local.port != local->port || (h->device && other->device && h->device != other->device))
		return false;
	return addresses_overlap(&local->address, h->only_v6, &other->local.address, other->only_v6);
}

/* What h's socket says now; of one that is gone, what it said last. */
static bool
says(const struct port_holder *h, uint32_t option)
{
	return (h->socket ? READ_ONCE(h->socket->socket.options) : h->options) & option;
}

static bool
may_share(const struct port_holder *h, const struct port_holder *other)
{
	if (says(h, SOCKET_REUSE_PORT) && says(other, SOCKET_REUSE_PORT) && (h->uid == other->uid || !other->socket))
		return true;
	return says(h, SOCKET_REUSE_ADDRESS) && says(other, SOCKET_REUSE_ADDRESS) && !other->listening;
}

/* ports_lock held. */
static bool
is_free(struct network *n, const struct port_holder *h, const struct endpoint *local)
{
	const struct port_holder *other;

	list_for_each (other, bucket_of(n, h->kind, local->port), node)
		if (other != h && overlap(h, local, other) && !may_share(h, other))
			return false;
	return true;
}

/* Nobody at all has the port. */
static bool
is_unused(struct network *n, const struct port_holder *h, uint16_t port)
{
	const struct port_holder *other;

	list_for_each (other, bucket_of(n, h->kind, port), node)
		if (other->local.port == port)
			return false;
	return true;
}

/* What waits for late segments that cannot come, for they would come from here: net.ipv4.tcp_tw_reuse is 2. */
static bool
may_be_taken_over(const struct port_holder *h)
{
	return !h->socket && ip_address_is_loopback(&h->remote.address) &&
	       clock_monotonic_ns() - h->waits_since > NSEC_PER_SEC;
}

/* Nobody is bound to the port by name, and no flow from there to `remote` is. */
static bool
is_free_for_flow(struct network *n, const struct port_holder *h, const struct endpoint *local,
		 const struct endpoint *remote)
{
	const struct port_holder *other;

	list_for_each (other, bucket_of(n, h->kind, local->port), node) {
		if (other == h || other->local.port != local->port || may_be_taken_over(other))
			continue;
		if (!other->by_connect && !h->local.port)
			return false;
		if (other->remote.port == remote->port &&
		    ip_address_equal(&other->remote.address, &remote->address) &&
		    addresses_overlap(&local->address, false, &other->local.address, false))
			return false;
	}
	return true;
}

/* --- taking and leaving -------------------------------------------------------------------------- */

static void
note_options(struct port_holder *h)
{
	struct inet_socket *s = h->socket;

	h->only_v6 = READ_ONCE(s->only_v6);
	h->device = READ_ONCE(s->device);
	h->uid = current_cred()->euid;
}

static void
enter(struct network *n, struct port_holder *h, const struct endpoint *local)
{
	h->local = *local;
	if (list_is_empty(&h->node))
		list_add_tail(bucket_of(n, h->kind, local->port), &h->node);
}

/*
 * Where the search for a flow's port begins: nobody guesses it, and one that was just left does not come back soon, for the
 * other side may still wait for late segments from there (RFC 6056, 3.3.5). ports_lock held.
 */
static uint32_t
first_try(struct network *n, uint32_t count)
{
	if (!n->next_port)
		n->next_port = (uint32_t)random_below(UINT16_MAX);
	n->next_port += 1 + (uint32_t)random_below(PORT_STEP);
	return n->next_port % count;
}

/* A search for a port, and how far it has come. */
struct search {
	const struct endpoint *local;
	const struct endpoint *remote; /* NULL: it is for no flow */
	uint32_t low, count, from;     /* the ports that there are, and which of them is the first */
	uint32_t tried;
	bool shared;                   /* as a last resort, one that both parties agreed to share */
};

static bool
fits(struct network *n, const struct port_holder *h, const struct search *s, const struct endpoint *try)
{
	if (s->remote) /* who wants to be his own peer has bound that port */
		return !endpoint_equal(try, s->remote) && is_free_for_flow(n, h, try, s->remote);
	return s->shared ? is_free(n, h, try) : is_unused(n, h, try->port);
}

/* The first port of the next few that fits. 0: none of them does. ports_lock held. */
static uint16_t
look_further(struct network *n, const struct port_holder *h, struct search *s)
{
	uint32_t end = MIN(s->tried + PORT_SLICE, s->count);
	struct endpoint try = *s->local;

	for (; s->tried < end; s->tried++) {
		try.port = (uint16_t)(s->low + (s->from + s->tried) % s->count);
		if (fits(n, h, s, &try))
			return try.port;
	}
	return 0;
}

/*
 * The first port that fits: for a flow behind those taken last, else from a random one on. 0: none does. ports_lock held; where
 * many have to be looked at it is let go now and then, so that others need not wait for all of them.
 */
static uint16_t
pick(struct network *n, const struct port_holder *h, const struct endpoint *local, const struct endpoint *remote)
{
	uint32_t low = (uint32_t)network_setting(n, SETTING_PORT_LOW), high = (uint32_t)network_setting(n, SETTING_PORT_HIGH);
	struct search s = { .local = local, .remote = remote, .low = low, .count = high >= low ? high - low + 1 : 1 };
	uint16_t port;

	s.from = remote ? first_try(n, s.count) : (uint32_t)random_below(s.count);
	while ((port = look_further(n, h, &s)) == 0) {
		if (s.tried == s.count && (remote || s.shared))
			return 0;
		if (s.tried == s.count) {
			s.shared = true;
			s.tried = 0;
		}
		spin_unlock(&n->ports_lock);
		spin_lock(&n->ports_lock);
	}
	return port;
}

int
port_take(struct network *n, struct port_holder *h, const struct endpoint *local)
{
	struct endpoint at = *local;
	int error = 0;

	spin_lock(&n->ports_lock);
	note_options(h);
	if (!at.port)
		at.port = pick(n, h, local, NULL);
	else if (!is_free(n, h, &at))
		error = -EADDRINUSE;
	if (!at.port)
		error = -EADDRINUSE;
	if (!error)
		enter(n, h, &at);
	spin_unlock(&n->ports_lock);
	return error;
}

int
port_take_flow(struct network *n, struct port_holder *h, const struct endpoint *local, const struct endpoint *remote)
{
	struct endpoint at = *local;

	spin_lock(&n->ports_lock);
	note_options(h);
	at.port = pick(n, h, local, remote);
	if (at.port) {
		h->by_connect = true;
		h->remote = *remote;
		enter(n, h, &at);
	}
	spin_unlock(&n->ports_lock);
	return at.port ? 0 : -EADDRNOTAVAIL;
}

int
port_connect(struct network *n, struct port_holder *h, const struct endpoint *local, const struct endpoint *remote)
{
	int error = 0;

	spin_lock(&n->ports_lock);
	if (h->kind == PORTS_TCP && !is_free_for_flow(n, h, local, remote)) {
		error = -EADDRNOTAVAIL;
	} else {
		h->local = *local;
		h->remote = *remote;
	}
	spin_unlock(&n->ports_lock);
	return error;
}

void
port_disconnect(struct network *n, struct port_holder *h, const struct ip_address *address)
{
	spin_lock(&n->ports_lock);
	h->local.address = *address;
	h->remote = (struct endpoint){ 0 };
	spin_unlock(&n->ports_lock);
}

int
port_listen(struct network *n, struct port_holder *h)
{
	int error = 0;

	spin_lock(&n->ports_lock);
	note_options(h);
	if (!is_free(n, h, &h->local)) {
		error = -EADDRINUSE;
	} else if (!h->listening) {
		h->listening = true;
		list_del_init(&h->node);
		list_add(bucket_of(n, h->kind, h->local.port), &h->node);
	}
	spin_unlock(&n->ports_lock);
	return error;
}

void
port_take_accepted(struct network *n, struct port_holder *h, const struct port_holder *listener,
		   const struct endpoint *local, const struct endpoint *remote)
{
	spin_lock(&n->ports_lock);
	note_options(h);
	h->uid = listener->uid; /* who runs here is the one who connects, or the stack */
	h->remote = *remote;
	enter(n, h, local);
	spin_unlock(&n->ports_lock);
}

void
port_rebind_device(struct network *n, struct port_holder *h)
{
	spin_lock(&n->ports_lock);
	h->device = READ_ONCE(h->socket->device);
	spin_unlock(&n->ports_lock);
}

void
port_unlisten(struct network *n, struct port_holder *h)
{
	spin_lock(&n->ports_lock);
	if (h->listening && !list_is_empty(&h->node)) {
		list_del_init(&h->node);
		list_add_tail(bucket_of(n, h->kind, h->local.port), &h->node);
	}
	h->listening = false;
	spin_unlock(&n->ports_lock);
}

void
port_inherit(struct network *n, struct port_holder *heir, const struct port_holder *h)
{
	spin_lock(&n->ports_lock);
	heir->remote = h->remote;
	heir->device = h->device;
	heir->uid = h->uid;
	heir->options = READ_ONCE(h->socket->socket.options);
	heir->only_v6 = h->only_v6;
	heir->by_connect = h->by_connect;
	enter(n, heir, &h->local);
	spin_unlock(&n->ports_lock);
}

void
port_release(struct network *n, struct port_holder *h)
{
	spin_lock(&n->ports_lock);
	list_del_init(&h->node);
	h->listening = h->by_connect = false;
	h->local = h->remote = (struct endpoint){ 0 };
	spin_unlock(&n->ports_lock);
}

/* --- finding ------------------------------------------------------------------------------------- */

/* How closely `h` is meant by `to`; 0: not at all. */
static unsigned
closeness(const struct port_holder *h, const struct endpoint *to, uint32_t device)
{
	unsigned n = 1;

	if (h->local.port != to->port || (h->device && h->device != device))
		return 0;
	if (ip_address_equal(&h->local.address, &to->address))
		n += 4;
	else if (!any_covers(&h->local.address, h->only_v6, &to->address))
		return 0;
	if (h->device)
		n += 2;
	/* A socket of the flow's own version is closer than one that speaks both. */
	if (ip_address_is_v4(&h->local.address) == ip_address_is_v4(&to->address))
		n++;
	return n;
}

/* So that segments of one flow find one socket. */
static uint32_t
flow_hash(const struct endpoint *to, const struct endpoint *from)
{
	uint64_t h = to->address.halves[1] ^ from->address.halves[1] * 31 ^ from->address.halves[0] * 7;

	h = (h ^ (uint64_t)from->port << 16 ^ to->port) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(h >> 32);
}

struct inet_socket *
port_find_listener(struct network *n, const struct endpoint *to, const struct endpoint *from, uint32_t device)
{
	struct list *bucket = bucket_of(n, PORTS_TCP, to->port);
	struct inet_socket *found = NULL;
	unsigned best = 0, equals = 0, which;
	struct port_holder *h;

	spin_lock(&n->ports_lock);
	list_for_each (h, bucket, node) {
		unsigned c = h->listening ? closeness(h, to, device) : 0;

		if (!h->listening)
			break;
		equals = c > best ? 1 : equals + (c && c == best);
		best = MAX(best, c);
	}
	which = equals ? flow_hash(to, from) % equals : 0;
	list_for_each (h, bucket, node) {
		if (!best || !h->listening)
			break;
		if (closeness(h, to, device) == best && which-- == 0) {
			found = h->socket;
			break;
		}
	}
	if (found && !ref_get_unless_zero(&found->socket.refs))
		found = NULL;
	spin_unlock(&n->ports_lock);
	return found;
}

struct inet_socket *
port_find_flow(struct network *n, enum port_kind kind, const struct endpoint *local, const struct endpoint *remote)
{
	struct list *bucket = bucket_of(n, kind, local->port);
	struct inet_socket *found = NULL;
	struct port_holder *h;

	spin_lock(&n->ports_lock);
	list_for_each (h, bucket, node) {
		if (h->local.port != local->port || h->remote.port != remote->port || !h->socket ||
		    !ip_address_equal(&h->local.address, &local->address) ||
		    !ip_address_equal(&h->remote.address, &remote->address))
			continue;
		if (ref_get_unless_zero(&h->socket->socket.refs))
			found = h->socket;
		break;
	}
	spin_unlock(&n->ports_lock);
	return found;
}

/* How closely a holder of datagrams is meant; one with a peer, only by that. */
static unsigned
closeness_of_flow(const struct port_holder *h, const struct endpoint *to, const struct endpoint *from, uint32_t device)
{
	unsigned n = closeness(h, to, device);

	if (n == 0 || !h->remote.port)
		return n;
	if (h->remote.port != from->port || !ip_address_equal(&h->remote.address, &from->address))
		return 0;
	return n + 8;
}

struct inet_socket *
port_find_receiver(struct network *n, enum port_kind kind, const struct endpoint *to, const struct endpoint *from,
		   uint32_t device)
{
	struct list *bucket = bucket_of(n, kind, to->port);
	struct inet_socket *found = NULL;
	unsigned best = 0, equals = 0, which;
	struct port_holder *h;

	spin_lock(&n->ports_lock);
	list_for_each (h, bucket, node) {
		unsigned c = closeness_of_flow(h, to, from, device);

		equals = c > best ? 1 : equals + (c && c == best);
		best = MAX(best, c);
	}
	which = equals ? flow_hash(to, from) % equals : 0;
	list_for_each (h, bucket, node)
		if (best && closeness_of_flow(h, to, from, device) == best && which-- == 0) {
			found = h->socket;
			break;
		}
	if (found && !ref_get_unless_zero(&found->socket.refs))
		found = NULL;
	spin_unlock(&n->ports_lock);
	return found;
}

unsigned
port_find_receivers(struct network *n, enum port_kind kind, const struct endpoint *to, const struct endpoint *from,
		    uint32_t device, struct inet_socket **out, unsigned max)
{
	struct port_holder *h;
	unsigned count = 0;

	spin_lock(&n->ports_lock);
	list_for_each (h, bucket_of(n, kind, to->port), node)
		if (count < max && closeness_of_flow(h, to, from, device) &&
		    ref_get_unless_zero(&h->socket->socket.refs))
			out[count++] = h->socket;
	spin_unlock(&n->ports_lock);
	return count;
}
