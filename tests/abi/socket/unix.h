/* SPDX-License-Identifier: MIT */
/* unix.h - what the cases about named AF_UNIX sockets share. */
#ifndef ABI_SOCKET_UNIX_H
#define ABI_SOCKET_UNIX_H

#include "../check.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

/* An address and its length; a name that begins with '@' is abstract. */
struct unix_name {
	struct sockaddr_un a;
	socklen_t size;
};

static inline struct unix_name
unix_name(const char *name)
{
	struct unix_name n = { .a.sun_family = AF_UNIX };

	strcpy(n.a.sun_path, name);
	n.size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	if (name[0] == '@')
		n.a.sun_path[0] = '\0';
	else
		n.size++;
	return n;
}

static inline int
unix_bind(int s, const char *name)
{
	struct unix_name n = unix_name(name);

	return bind(s, (struct sockaddr *)&n.a, n.size);
}

static inline int
unix_connect(int s, const char *name)
{
	struct unix_name n = unix_name(name);

	return connect(s, (struct sockaddr *)&n.a, n.size);
}

static inline int
unix_socket(int type)
{
	return CHECK_OK(socket(AF_UNIX, type, 0));
}

/* Bound, and listening unless it is for datagrams. */
static inline int
unix_server(int type, const char *name, int backlog)
{
	int s = unix_socket(type);

	CHECK_OK(unix_bind(s, name));
	if ((type & 0xf) != SOCK_DGRAM)
		CHECK_OK(listen(s, backlog));
	return s;
}

static inline int
unix_client(int type, const char *name)
{
	int s = unix_socket(type);

	CHECK_OK(unix_connect(s, name));
	return s;
}

static inline short
unix_poll(int s, short events)
{
	struct pollfd p = { .fd = s, .events = events };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

#endif
