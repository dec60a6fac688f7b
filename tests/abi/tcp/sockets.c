/* SPDX-License-Identifier: MIT */
/* sockets.c - the kernel's side: sockets that listen and connect, and what they say. See wire.h. */
#include "wire.h"

static struct sockaddr_in6
name_v6(uint32_t address, uint16_t port)
{
	struct sockaddr_in6 in = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	put_v6(in.sin6_addr.s6_addr, address);
	return in;
}

static int
listen_at(const void *name, socklen_t size, int family, int backlog)
{
	int s = CHECK_OK(socket(family, SOCK_STREAM, 0));

	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)));
	CHECK_OK(bind(s, name, size));
	CHECK_OK(listen(s, backlog));
	return s;
}

int
listener(uint16_t port, int backlog)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(HERE) };

	return listen_at(&in, sizeof(in), AF_INET, backlog);
}

int
listener_v6(uint16_t port, int backlog)
{
	struct sockaddr_in6 in = name_v6(HERE, port);

	return listen_at(&in, sizeof(in), AF_INET6, backlog);
}

void
peer_begins(struct peer *p, uint16_t port)
{
	struct segment *s;

	p->their_port = port;
	tell(p, SYN, NULL, 0);
	s = hear_flags(p, SYN | ACK);
	CHECK_EQ(s->ack, p->sent);
	p->got = s->seq + 1;
}

int
peer_connects(struct peer *p, int listening, uint16_t port)
{
	peer_begins(p, port);
	tell(p, ACK, NULL, 0);
	await(listening, POLLIN);
	return CHECK_OK(accept(listening, NULL, NULL));
}

int
start_connect(struct peer *p)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(p->port), .sin_addr.s_addr = htonl(p->address) };
	struct sockaddr_in6 in6 = name_v6(p->address, p->port);
	bool v6 = p->options & BY_V6;
	int s = CHECK_OK(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));

	p->their_port = 0;
	CHECK_EQ(connect(s, v6 ? (void *)&in6 : (void *)&in, v6 ? sizeof(in6) : sizeof(in)), -1);
	CHECK_EQ(errno, EINPROGRESS);
	return s;
}

int
connects_to_peer(struct peer *p)
{
	int s = start_connect(p);

	p->got = hear_flags(p, SYN)->seq + 1;
	tell(p, SYN | ACK, NULL, 0);
	await(s, POLLOUT);
	CHECK_EQ(error_of(s), 0);
	CHECK_EQ(hear_ack(p, p->sent)->seq, p->got);
	CHECK_OK(fcntl(s, F_SETFL, 0));
	return s;
}

void
await(int fd, short events)
{
	struct pollfd f = { fd, events, 0 };

	CHECK_EQ(CHECK_OK(poll(&f, 1, PATIENCE)), 1);
}

int
error_of(int fd)
{
	int error = -1;

	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){ sizeof(error) }));
	return error;
}

int
await_error(int fd)
{
	struct pollfd f = { fd, 0, 0 };

	CHECK_EQ(CHECK_OK(poll(&f, 1, PATIENCE)), 1);
	CHECK(f.revents & POLLERR);
	return error_of(fd);
}

void
still_there(struct peer *p, int s)
{
	char byte = 0;

	tell(p, ACK | PSH, "a", 1);
	CHECK_EQ(recv(s, &byte, 1, 0), 1);
	CHECK_EQ(byte, 'a');
	CHECK_EQ(send(s, "b", 1, MSG_NOSIGNAL), 1);
	hear_data(p, &byte, 1);
	CHECK_EQ(byte, 'b');
}
