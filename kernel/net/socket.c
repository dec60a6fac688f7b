/* SPDX-License-Identifier: MIT */
/*
 * socket.c - what sockets of all families share: the open object around them, errors and deadlines.
 *
 * Locks: socket->lock (class SOCKET) covers a socket's state; the family says what else. Nobody sleeps for
 * an event with it held: sleepers test state, shutdown and error without it and look again with it.
 */
#include <tessera/namespace.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/network.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/socket.h>
#include <tessera/uaccess.h>

#define TIOCOUTQ 0x5411u
#define FIONREAD 0x541bu

static const struct file_ops socket_file_ops;

void
socket_init(struct socket *s, const struct socket_ops *ops, int family, int type)
{
	ref_init(&s->refs);
	s->ops = ops;
	s->family = (uint16_t)family;
	s->type = (uint16_t)type;
	s->net = current_namespaces()->of[NAMESPACE_NET];
	namespace_get(s->net);
	mutex_init(&s->lock, LOCK_SOCKET);
	wait_queue_init(&s->read_wait);
	async_list_init(&s->async);
	wait_queue_init(&s->write_wait);
	s->send_limit = (uint32_t)network_setting(&init_network, SETTING_SEND_DEFAULT);
	s->receive_limit = (uint32_t)network_setting(&init_network, SETTING_RECEIVE_DEFAULT);
	s->low_water = 1;
	s->incoming_cpu = -1;
	s->peek_offset = -1;
	s->pacing_rate = UINT64_MAX;
	s->send_timeout = s->receive_timeout = UINT64_MAX;
}

void
socket_set_network(struct socket *s, struct namespace *net)
{
	struct namespace *makers = s->net;

	namespace_get(net);
	s->net = net;
	namespace_put(makers);
}

deadline_t
socket_deadline(uint64_t timeout, uint32_t flags)
{
	if (flags & MSG_DONTWAIT)
		return 0;
	return timeout == UINT64_MAX ? DEADLINE_NEVER : deadline_after(timeout);
}

/* A call with a time limit is not started again: the limit would begin anew. signal(7). */
int
socket_wait_error(int error, deadline_t deadline)
{
	if (error == -ETIMEDOUT)
		return -EAGAIN;
	return deadline == DEADLINE_NEVER ? -ERESTARTSYS : -EINTR;
}

void
socket_lock_two(struct socket *a, struct socket *b)
{
	if (a == b) {
		mutex_lock(&a->lock);
		return;
	}
	mutex_lock(&MIN(a, b)->lock);
	mutex_lock_nested(&MAX(a, b)->lock);
}

void
socket_unlock_two(struct socket *a, struct socket *b)
{
	mutex_unlock(&a->lock);
	if (a != b)
		mutex_unlock(&b->lock);
}

int
socket_take_error(struct socket *s)
{
	if (likely(READ_ONCE(s->error) == 0))
		return 0;
	return -atomic_exchange(&s->error, 0);
}

int
socket_create(int family, int type, int protocol, struct socket **out)
{
	if (family < 0 || family >= AF_LIMIT)
		return -EAFNOSUPPORT;
	if (type < 0 || type >= SOCK_TYPE_LIMIT)
		return -EINVAL;
	if (!socket_families[family])
		return -EAFNOSUPPORT;
	return socket_families[family]->create(type, protocol, out);
}

int
socket_file_create(uint32_t flags, struct file **out)
{
	struct inode *i = anonymous_inode_create(S_IFSOCK | 0777);
	char name[32];

	if (!i)
		return -ENOMEM;
	snprintf(name, sizeof(name), "socket:[%lu]", i->number);
	*out = anonymous_inode_open(i, name, &socket_file_ops, O_RDWR | (flags & O_NONBLOCK), NULL);
	inode_put(i);
	return *out ? 0 : -ENOMEM;
}

void
socket_attach(struct file *f, struct socket *s)
{
	f->private = s;
	s->inode = f->inode->number;
	WRITE_ONCE(s->file, f);
}

struct socket *
file_socket(struct file *f)
{
	return f->ops == &socket_file_ops ? f->private : NULL;
}

ssize_t
socket_send(struct socket *s, struct socket_message *m)
{
	if (s->file->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	return s->ops->send(s, m);
}

ssize_t
socket_receive(struct socket *s, struct socket_message *m)
{
	if (s->file->flags & O_NONBLOCK)
		m->flags |= MSG_DONTWAIT;
	return s->ops->receive(s, m);
}

/* --- peeking ------------------------------------------------------------------------------------ */

struct socket_look
socket_look_begin(const struct socket *s, uint32_t flags)
{
	return (struct socket_look){ .peek = flags & MSG_PEEK, .skip = socket_peek_offset(s, flags) };
}

bool
socket_look_finds(struct socket_look *l, const struct socket *s, uint32_t length, bool *peeked)
{
	if (!l->peek || READ_ONCE(s->peek_offset) < 0)
		return true;
	if (l->skip < length || (l->skip == 0 && !*peeked)) {
		*peeked |= length == 0;
		return true;
	}
	l->skip -= length;
	return false;
}

void
socket_peek_moves(struct socket *s, size_t n, bool peeked)
{
	int64_t offset = READ_ONCE(s->peek_offset);

	if (offset < 0)
		return;
	offset += peeked ? (int64_t)n : -(int64_t)n;
	WRITE_ONCE(s->peek_offset, (int32_t)MIN(MAX(offset, 0l), (int64_t)INT32_MAX));
}

/* --- a socket as a file ------------------------------------------------------------------------- */

static ssize_t
socket_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct socket_message m = { .data = to, .flags = rw_flags & RW_NOWAIT ? MSG_DONTWAIT : 0 };
	ssize_t n;

	if (to->count == 0)
		return 0;
	n = socket_receive(f->private, &m);
	socket_rights_drop(m.rights); /* nobody asked for them */
	return n;
}

static ssize_t
socket_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct socket *s = f->private;
	struct socket_message m = { .data = from, .flags = rw_flags & RW_NOWAIT ? MSG_DONTWAIT : 0 };

	if (s->type == SOCK_SEQPACKET)
		m.flags |= MSG_EOR;
	return socket_send(s, &m);
}

static uint32_t
socket_poll(struct file *f, struct poll_table *pt)
{
	struct socket *s = f->private;

	return s->ops->poll(s, f, pt);
}

static long
socket_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct socket *s = f->private;
	long n;

	if (command != FIONREAD && command != TIOCOUTQ)
		return -ENOTTY;
	n = s->ops->pending(s, command == TIOCOUTQ);
	return n < 0 ? n : put_user((int32_t)n, __force_user(int32_t __user *, arg));
}

static int
socket_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct socket *s = f->private;

	return s->ops->mmap ? s->ops->mmap(s, offset, length, out) : -ENODEV;
}

static void
socket_mapped(struct file *f)
{
	struct socket *s = f->private;

	if (s->ops->mapped)
		s->ops->mapped(s, true);
}

static void
socket_unmapped(struct file *f)
{
	struct socket *s = f->private;

	if (s->ops->mapped)
		s->ops->mapped(s, false);
}

static void
socket_release(struct file *f)
{
	struct socket *s = f->private;

	if (s)
		s->ops->release(s);
}

static void
socket_dump(struct file *f)
{
	static const char *const states[] = { "unconnected", "listening", "connecting", "connected" };
	struct socket *s = f->private;

	if (!s)
		return;
	pr_info("socket: family %u type %u %s, shutdown %x, error %d, refs %u\n", s->family, s->type,
		states[s->state], s->shutdown, s->error, ref_count(&s->refs));
	s->ops->dump(s);
}

static struct async_list *
socket_async(struct file *f)
{
	return &file_socket(f)->async;
}

static const struct file_ops socket_file_ops = {
	.async = socket_async,
	.name = "socket",
	.read = socket_read,
	.write = socket_write,
	.poll = socket_poll,
	.ioctl = socket_ioctl,
	.mmap = socket_mmap,
	.mapped = socket_mapped,
	.unmapped = socket_unmapped,
	.release = socket_release,
	.dump = socket_dump,
};
