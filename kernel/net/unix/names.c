/* SPDX-License-Identifier: MIT */
/*
 * names.c - what AF_UNIX sockets are called.
 *
 * A path name is an inode of type S_IFSOCK that bind made; the socket holds a reference to it, and whoever
 * walks to that inode finds the socket in a table by the inode's address. Removing the name leaves the
 * socket bound. An abstract name (its first byte is 0) lives in the same table only, one name space for
 * each type of socket, and goes with the socket. An address given to bind with nothing behind the
 * family asks for some abstract name.
 *
 * Lock: names_lock (LEAF), taken inside a socket's own.
 */
#include <tessera/namespace.h>
#include <tessera/atomic.h>
#include <tessera/debug.h>
#include <tessera/errno.h>
#include <tessera/print.h>
#include <tessera/random.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "unix.h"

#define BUCKETS 64u
#define AUTOBIND_NAMES 0x100000u /* five hexadecimal digits */

static struct spinlock names_lock = SPINLOCK_INIT(LEAF);
static struct list buckets[BUCKETS]; /* names_lock; a zeroed one is empty, see bucket_at() */
static struct list all = LIST_INIT(all); /* names_lock: every socket, struct unix_socket.all_node */

/* --- addresses ---------------------------------------------------------------------------------- */

int
unix_check_address(const struct socket_address *a)
{
	if (a->length <= UNIX_PATH_OFFSET || a->length > UNIX_PATH_OFFSET + UNIX_PATH_MAX)
		return -EINVAL;
	return a->family == AF_UNIX ? 0 : -EINVAL;
}

static struct unix_address *
address_create(const void *path, size_t n)
{
	struct unix_address *a = kzalloc(sizeof(*a));

	if (!a)
		return NULL;
	ref_init(&a->refs);
	a->length = (uint32_t)(UNIX_PATH_OFFSET + n);
	a->name.family = AF_UNIX;
	memcpy(a->name.path, path, n);
	return a;
}

void
unix_address_put(struct unix_address *a)
{
	if (ref_put(&a->refs))
		kfree(a);
}

/* The path of a checked address as a string; it need not be terminated in the address. */
static void
path_of(const struct socket_address *a, char name[UNIX_PATH_MAX + 1])
{
	size_t n = a->length - UNIX_PATH_OFFSET;

	memcpy(name, a->bytes + UNIX_PATH_OFFSET, n);
	name[n] = '\0';
}

static bool
is_abstract(const struct socket_address *a)
{
	return a->bytes[UNIX_PATH_OFFSET] == 0;
}

void
unix_tell_sender(struct unix_socket *u, struct socket_address *out)
{
	const struct unix_address *a = atomic_load(&u->address);

	out->length = a ? a->length : 0;
	if (a)
		memcpy(out->bytes, &a->name, a->length);
}

int
unix_name(struct socket *s, bool peer, struct socket_address *out)
{
	struct unix_socket *u = unix_of(s);

	if (peer) {
		u = unix_peer_get(u);
		if (!u)
			return -ENOTCONN;
	}
	unix_tell_sender(u, out);
	if (out->length == 0) {
		out->family = AF_UNIX;
		out->length = UNIX_PATH_OFFSET;
	}
	if (peer)
		unix_put(u);
	return 0;
}

/* --- the table ---------------------------------------------------------------------------------- */

static struct list *
bucket_at(uint32_t hash)
{
	struct list *b = &buckets[hash % BUCKETS];

	if (!b->next)
		list_init(b);
	return b;
}

static uint32_t
hash_abstract(const uint8_t *name, size_t n, int type)
{
	uint32_t h = 2166136261u ^ (uint32_t)type;

	for (size_t i = 0; i < n; i++)
		h = (h ^ name[i]) * 16777619u;
	return h ^ h >> 15;
}

static uint32_t
hash_inode(const struct inode *i)
{
	return (uint32_t)((uintptr_t)i >> 6) * 2654435761u >> 8;
}

/* names_lock held. */
static struct unix_socket *
find_abstract_locked(struct list *bucket, const struct namespace *net, const void *name, size_t length, int type)
{
	struct unix_socket *u;

	list_for_each (u, bucket, name_node)
		if (!u->path.dentry && u->socket.net == net && u->socket.type == type && u->address->length == length &&
		    memcmp(&u->address->name, name, length) == 0)
			return u;
	return NULL;
}

/* In the network of `s`, wherever its program has gone. */
static struct unix_socket *
find_abstract(const struct socket *s, const struct socket_address *a)
{
	struct list *bucket;
	struct unix_socket *u;
	uint64_t flags = spin_lock_irq(&names_lock);

	bucket = bucket_at(hash_abstract(a->bytes, a->length, s->type));
	u = find_abstract_locked(bucket, s->net, a->bytes, a->length, s->type);
	if (u && !ref_get_unless_zero(&u->socket.refs))
		u = NULL;
	spin_unlock_irq(&names_lock, flags);
	return u ? u : ERR_PTR(-ECONNREFUSED);
}

static struct unix_socket *
find_inode(const struct inode *i)
{
	struct unix_socket *u, *found = NULL;
	uint64_t flags = spin_lock_irq(&names_lock);

	list_for_each (u, bucket_at(hash_inode(i)), name_node)
		if (u->path.dentry && u->path.dentry->inode == i && ref_get_unless_zero(&u->socket.refs)) {
			found = u;
			break;
		}
	spin_unlock_irq(&names_lock, flags);
	return found;
}

/* Whoever may write to the inode may connect to it. */
static struct unix_socket *
find_path(const struct socket_address *a, int type)
{
	char name[UNIX_PATH_MAX + 1];
	struct unix_socket *u = NULL;
	struct path p;
	int error;

	path_of(a, name);
	error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);
	if (error)
		return ERR_PTR(error);
	error = vfs_permission(p.dentry->inode, MAY_WRITE);
	if (!error) {
		if (S_ISSOCK(p.dentry->inode->mode))
			u = find_inode(p.dentry->inode);
		error = !u ? -ECONNREFUSED : u->socket.type != type ? -EPROTOTYPE : 0;
	}
	path_put(&p);
	if (!error)
		return u;
	if (u)
		unix_put(u);
	return ERR_PTR(error);
}

struct unix_socket *
unix_find(const struct socket *s, const struct socket_address *a)
{
	return is_abstract(a) ? find_abstract(s, a) : find_path(a, s->type);
}

void
unix_name_remove(struct unix_socket *u)
{
	uint64_t flags = spin_lock_irq(&names_lock);

	list_del_init(&u->name_node);
	spin_unlock_irq(&names_lock, flags);
}

void
unix_list_add(struct unix_socket *u)
{
	uint64_t flags = spin_lock_irq(&names_lock);

	list_add_tail(&all, &u->all_node);
	spin_unlock_irq(&names_lock, flags);
}

void
unix_list_remove(struct unix_socket *u)
{
	uint64_t flags = spin_lock_irq(&names_lock);

	list_del(&u->all_node);
	spin_unlock_irq(&names_lock, flags);
}

/* The first socket behind `u` (NULL: of all) that is not being freed, with a reference. */
static struct unix_socket *
next_of_all(struct unix_socket *u)
{
	uint64_t flags = spin_lock_irq(&names_lock);
	struct list *l = u ? u->all_node.next : all.next;

	for (u = NULL; l != &all; l = l->next) {
		u = list_entry(l, struct unix_socket, all_node);
		if (ref_get_unless_zero(&u->socket.refs))
			break;
		u = NULL;
	}
	spin_unlock_irq(&names_lock, flags);
	return u;
}

/* The reference to where we are keeps the place in the list. */
void
unix_report(const struct socket *socket, struct unix_report *out)
{
	struct unix_socket *u = (struct unix_socket *)socket, *peer = NULL;
	long pending = u->socket.ops->pending(&u->socket, false), unread = u->socket.ops->pending(&u->socket, true);

	*out = (struct unix_report){ 0 };
	mutex_lock(&u->socket.lock);
	if (u->socket.state == SOCKET_LISTENING) {
		out->receive_queue = u->queue_length;
		out->send_queue = u->backlog;
	} else {
		out->receive_queue = pending > 0 ? (uint32_t)pending : 0;
		out->send_queue = unread > 0 ? (uint32_t)unread : 0;
	}
	peer = u->peer;
	if (peer)
		unix_get(peer);
	if (u->path.dentry) {
		out->file = u->path.dentry->inode->number;
		out->device = u->path.dentry->inode->fs->device;
	}
	mutex_unlock(&u->socket.lock);
	if (peer) {
		out->peer = peer->socket.inode;
		unix_put(peer);
	}
}

void
unix_for_each(void (*fn)(void *ctx, const struct socket *s, const struct socket_address *name), void *ctx)
{
	struct unix_socket *u = next_of_all(NULL), *next;
	struct socket_address name;

	for (; u; u = next) {
		unix_tell_sender(u, &name);
		if (!READ_ONCE(u->dead))
			fn(ctx, &u->socket, &name);
		next = next_of_all(u);
		unix_put(u);
	}
}

void
unix_sockets_dump(void)
{
	static const char *const states[] = { "unconnected", "listening", "connecting", "connected" };
	const struct unix_socket *u;
	uint32_t n = 0;

	list_for_each_checked (u, &all, all_node) {
		const struct socket *s = &u->socket;

		pr_info("socket %p inode %lu type %u %s refs %u\n", (const void *)u, s->inode, s->type,
			s->state < ARRAY_SIZE(states) ? states[s->state] : "?", ref_count(&s->refs));
		s->ops->dump((struct socket *)(uintptr_t)s);
		n++;
	}
	pr_info("%u sockets\n", n);
}

/* --- bind --------------------------------------------------------------------------------------- */

/*
 * Give `u` the abstract name `a`, taking over the reference on success. -EINVAL: it has a name,
 * -EADDRINUSE: somebody else has this one.
 */
static int
take_abstract(struct unix_socket *u, struct unix_address *a)
{
	struct list *bucket;
	uint64_t flags;
	int error = 0;

	mutex_lock(&u->socket.lock);
	flags = spin_lock_irq(&names_lock);
	bucket = bucket_at(hash_abstract((const uint8_t *)&a->name, a->length, u->socket.type));
	if (u->address) {
		error = -EINVAL;
	} else if (find_abstract_locked(bucket, u->socket.net, &a->name, a->length, u->socket.type)) {
		error = -EADDRINUSE;
	} else {
		atomic_store(&u->address, a);
		list_add(bucket, &u->name_node);
	}
	spin_unlock_irq(&names_lock, flags);
	mutex_unlock(&u->socket.lock);
	return error;
}

static int
bind_abstract(struct unix_socket *u, const struct socket_address *given)
{
	struct unix_address *a = address_create(given->bytes + UNIX_PATH_OFFSET,
						given->length - UNIX_PATH_OFFSET);
	int error;

	if (!a)
		return -ENOMEM;
	error = take_abstract(u, a);
	if (error)
		unix_address_put(a);
	return error;
}

int
unix_autobind(struct unix_socket *u)
{
	uint32_t number = (uint32_t)random_u64();

	for (uint32_t tries = 0; tries < AUTOBIND_NAMES; tries++, number++) {
		struct unix_address *a;
		char name[8] = "";
		int error;

		if (atomic_load(&u->address))
			return 0;
		snprintf(name + 1, sizeof(name) - 1, "%05x", number % AUTOBIND_NAMES);
		a = address_create(name, 6);
		if (!a)
			return -ENOMEM;
		error = take_abstract(u, a);
		if (!error)
			return 0;
		unix_address_put(a);
		if (error == -EINVAL)
			return 0; /* another thread was faster: it has a name */
	}
	return -ENOSPC;
}

int
unix_name_sender(struct unix_socket *u)
{
	if (!(READ_ONCE(u->socket.options) & SOCKET_PASS_CREDENTIALS) || atomic_load(&u->address))
		return 0;
	return unix_autobind(u);
}

/* The inode is made first: its errors come before "has a name already", as on Linux. */
static int
bind_path(struct unix_socket *u, const struct socket_address *given)
{
	char name[UNIX_PATH_MAX + 1];
	struct unix_address *a;
	struct path made;
	uint64_t flags;
	int error;

	path_of(given, name);
	a = address_create(name, strlen(name) + 1);
	if (!a)
		return -ENOMEM;
	error = vfs_mknod_path(AT_FDCWD, name, S_IFSOCK | 0777, 0, &made);
	if (error) {
		unix_address_put(a);
		return error == -EEXIST ? -EADDRINUSE : error;
	}
	mutex_lock(&u->socket.lock);
	if (u->address) {
		error = -EINVAL;
	} else {
		flags = spin_lock_irq(&names_lock);
		u->path = made;
		atomic_store(&u->address, a);
		list_add(bucket_at(hash_inode(made.dentry->inode)), &u->name_node);
		spin_unlock_irq(&names_lock, flags);
	}
	mutex_unlock(&u->socket.lock);
	if (error) {
		vfs_unlink(AT_FDCWD, name, false);
		path_put(&made);
		unix_address_put(a);
	}
	return error;
}

int
unix_bind(struct socket *s, const struct socket_address *a)
{
	struct unix_socket *u = unix_of(s);
	int error;

	if (a->length == UNIX_PATH_OFFSET && a->family == AF_UNIX)
		return unix_autobind(u);
	error = unix_check_address(a);
	if (error)
		return error;
	return is_abstract(a) ? bind_abstract(u, a) : bind_path(u, a);
}
