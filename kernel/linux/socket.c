/* SPDX-License-Identifier: MIT */
/*
 * socket.c - sockets are made, named and connected: socket, socketpair, bind, listen, accept, connect,
 * getsockname, getpeername, shutdown.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/network.h>
#include <tessera/process.h>
#include <tessera/uaccess.h>

#include "linux.h"
#include "socket.h"

#define SOCK_TYPE_MASK 0xf
#define SOCK_NONBLOCK  O_NONBLOCK
#define SOCK_CLOEXEC   O_CLOEXEC

struct socket *
socket_get(int fd, uint64_t rights, struct file **f, int *error)
{
	struct socket *s;

	*f = handle_get(fd, rights, error);
	if (!*f)
		return NULL;
	s = file_socket(*f);
	if (!s) {
		file_put(*f);
		*error = -ENOTSOCK;
	}
	return s;
}

int
socket_address_get(const void __user *from, int length, struct socket_address *out)
{
	out->length = 0;
	out->family = AF_UNSPEC;
	if (length < 0 || length > (int)SOCKET_ADDRESS_MAX)
		return -EINVAL;
	if (length && copy_from_user(out->bytes, from, (size_t)length))
		return -EFAULT;
	out->length = (uint32_t)length;
	return 0;
}

int
socket_address_put(const struct socket_address *a, void __user *to, int __user *length)
{
	int room;

	if (get_user(room, length))
		return -EFAULT;
	room = MIN(room, (int)a->length);
	if (room < 0)
		return -EINVAL;
	if (room && copy_to_user(to, a->bytes, (size_t)room))
		return -EFAULT;
	return put_user((int)a->length, length);
}

/* The flags in a type argument, as O_*; -EINVAL. */
static int
type_flags(int *type, uint32_t *flags)
{
	*flags = (uint32_t)*type & ~(uint32_t)SOCK_TYPE_MASK;
	*type &= SOCK_TYPE_MASK;
	return *flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC) ? -EINVAL : 0;
}

/* A socket in a file of its own, not yet in the table. */
static int
create_file(int family, int type, int protocol, uint32_t flags, struct file **out)
{
	struct socket *s;
	int error = socket_create(family, type, protocol, &s);

	if (error)
		return error;
	error = socket_file_create(flags & O_NONBLOCK, out);
	if (error) {
		s->ops->release(s);
		return error;
	}
	socket_attach(*out, s);
	return 0;
}

int
socket_file_new(int family, int type, int protocol, uint32_t *flags, struct file **out)
{
	int error = type_flags(&type, flags);

	return error ? error : create_file(family, type, protocol, *flags, out);
}

long
linux_socket(int family, int type, int protocol)
{
	struct file *f;
	uint32_t flags;
	int error = socket_file_new(family, type, protocol, &flags, &f), fd;

	if (error)
		return error;
	fd = handle_open(f, RIGHT_ALL, flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

/* The program learns both numbers before either handle is there, so a fault leaves nothing. */
static int
reserve_two(struct handle_table *t, int __user *out, int fd[2])
{
	uint32_t limit = (uint32_t)MIN(process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	int error;

	fd[0] = handle_reserve(t, 0, limit);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = error = handle_reserve(t, 0, limit);
	if (error < 0)
		goto first;
	error = copy_to_user(out, fd, 2 * sizeof(fd[0]));
	if (!error)
		return 0;
	handle_unreserve(t, fd[1]);
first:
	handle_unreserve(t, fd[0]);
	return error;
}

long
linux_socketpair(int family, int type, int protocol, int __user *fds)
{
	struct handle_table *t = current_process()->handles;
	struct file *a, *b;
	struct socket *s;
	uint32_t flags;
	int fd[2], error = type_flags(&type, &flags);

	if (!error)
		error = reserve_two(t, fds, fd);
	if (error)
		return error;
	error = create_file(family, type, protocol, flags, &a);
	if (error)
		goto numbers;
	error = create_file(family, type, protocol, flags, &b);
	if (error)
		goto first;
	s = file_socket(a);
	error = s->ops->pair ? s->ops->pair(s, file_socket(b)) : -EOPNOTSUPP;
	if (error)
		goto second;
	handle_install(t, fd[0], a, RIGHT_ALL, flags & O_CLOEXEC);
	handle_install(t, fd[1], b, RIGHT_ALL, flags & O_CLOEXEC);
	return 0;
second:
	file_put(b);
first:
	file_put(a);
numbers:
	handle_unreserve(t, fd[1]);
	handle_unreserve(t, fd[0]);
	return error;
}

long
linux_bind(int fd, const void __user *address, int length)
{
	struct socket_address a;
	struct file *f;
	int error = 0;
	struct socket *s = socket_get(fd, RIGHT_BIND, &f, &error);

	if (!s)
		return error;
	error = socket_address_get(address, length, &a);
	if (!error)
		error = s->ops->bind(s, &a);
	file_put(f);
	return error;
}

long
linux_connect(int fd, const void __user *address, int length)
{
	struct socket_address a;
	struct file *f;
	int error = 0;
	struct socket *s = socket_get(fd, RIGHT_CONNECT, &f, &error);

	if (!s)
		return error;
	error = socket_address_get(address, length, &a);
	if (!error)
		error = s->ops->connect(s, &a, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0);
	file_put(f);
	return error;
}

long
linux_listen(int fd, int backlog)
{
	struct file *f;
	int error = 0;
	struct socket *s = socket_get(fd, RIGHT_LISTEN, &f, &error);

	if (!s)
		return error;
	error = s->ops->listen(s, MIN((uint32_t)backlog, (uint32_t)network_setting((struct network *)s->net, SETTING_BACKLOG)));
	file_put(f);
	return error;
}

/* The next connection of `s` as a file; *peer: who it is. */
static int
accept_file(struct socket *s, uint32_t wait, uint32_t flags, struct file **out, struct socket_address *peer)
{
	struct socket *fresh;
	int error = socket_file_create(flags & O_NONBLOCK, out);

	if (error)
		return error;
	error = s->ops->accept(s, wait, &fresh);
	if (!error) {
		socket_attach(*out, fresh);
		error = peer && fresh->ops->name(fresh, true, peer) ? -ECONNABORTED : 0;
	}
	if (error)
		file_put(*out);
	return error;
}

/* A connection whose address cannot be told is lost, as on Linux. */
int
socket_accept_file(struct socket *s, uint32_t wait, uint32_t flags, void __user *address, int __user *length,
		   struct file **out)
{
	struct socket_address peer;
	int error = accept_file(s, wait, flags, out, address ? &peer : NULL);

	if (error || !address)
		return error;
	error = socket_address_put(&peer, address, length);
	if (error)
		file_put(*out);
	return error;
}

long
linux_accept4(int fd, void __user *address, int __user *length, int flags)
{
	struct process *p = current_process();
	uint32_t limit = (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	struct file *f, *fresh;
	int error = 0, new_fd;
	struct socket *s = socket_get(fd, RIGHT_ACCEPT, &f, &error);

	if (!s)
		return error;
	error = -EINVAL;
	if ((uint32_t)flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC))
		goto listener;
	new_fd = error = handle_reserve(p->handles, 0, limit);
	if (error < 0)
		goto listener;
	error = socket_accept_file(s, f->flags & O_NONBLOCK ? MSG_DONTWAIT : 0, (uint32_t)flags, address, length,
				   &fresh);
	if (error)
		goto number;
	handle_install(p->handles, new_fd, fresh, RIGHT_ALL, (uint32_t)flags & SOCK_CLOEXEC);
	file_put(f);
	return new_fd;
number:
	handle_unreserve(p->handles, new_fd);
listener:
	file_put(f);
	return error;
}

long
linux_accept(int fd, void __user *address, int __user *length)
{
	return linux_accept4(fd, address, length, 0);
}

static long
tell_name(int fd, bool peer, void __user *address, int __user *length)
{
	struct socket_address a;
	struct file *f;
	int error = 0;
	struct socket *s = socket_get(fd, RIGHT_NONE, &f, &error);

	if (!s)
		return error;
	error = s->ops->name(s, peer, &a);
	if (!error)
		error = socket_address_put(&a, address, length);
	file_put(f);
	return error;
}

long
linux_getsockname(int fd, void __user *address, int __user *length)
{
	return tell_name(fd, false, address, length);
}

long
linux_getpeername(int fd, void __user *address, int __user *length)
{
	return tell_name(fd, true, address, length);
}

long
linux_shutdown(int fd, int how)
{
	struct file *f;
	int error = 0;
	struct socket *s = socket_get(fd, RIGHT_CONTROL, &f, &error);

	if (!s)
		return error;
	error = how < 0 || how > 2 ? -EINVAL : s->ops->shutdown(s, (uint32_t)how + 1);
	file_put(f);
	return error;
}
