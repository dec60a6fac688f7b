/* SPDX-License-Identifier: MIT */
/*
 * inet.h - what the cases about sockets of the Internet protocols share.
 *
 * Each case makes a network of its own (CLONE_NEWNET) where only the loopback interface is, and puts that up: so ports of
 * one case are free for the next. What one side of a connection does reaches the other a little later: cases wait for it.
 */
#ifndef ABI_INET_H
#define ABI_INET_H

#include "../check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define READY_MS 15000

static inline void
inet_fresh(void)
{
	struct ifreq r = { .ifr_name = "lo" };
	int s;

	CHECK_OK(unshare(CLONE_NEWNET));
	s = CHECK_OK(socket(AF_INET, SOCK_DGRAM, 0));
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(s, SIOCSIFFLAGS, &r));
	CHECK_OK(close(s));
}

/* 127.0.0.1, or what is given, in the host's order. */
static inline struct sockaddr_in
inet_at(uint32_t address, uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(address) };
}

static inline struct sockaddr_in
inet_here(uint16_t port)
{
	return inet_at(INADDR_LOOPBACK, port);
}

static inline int
inet_bind(int s, uint32_t address, uint16_t port)
{
	struct sockaddr_in a = inet_at(address, port);

	return bind(s, (struct sockaddr *)&a, sizeof(a));
}

static inline int
inet_connect(int s, uint16_t port)
{
	struct sockaddr_in a = inet_here(port);

	return connect(s, (struct sockaddr *)&a, sizeof(a));
}

static inline int
inet_socket(int type)
{
	return CHECK_OK(socket(AF_INET, type, 0));
}

/* The port that it is bound to, 0: none. */
static inline uint16_t
inet_port(int s)
{
	struct sockaddr_storage a;
	socklen_t size = sizeof(a);

	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	return ntohs(a.ss_family == AF_INET ? ((struct sockaddr_in *)&a)->sin_port : ((struct sockaddr_in6 *)&a)->sin6_port);
}

static inline uint16_t
inet_peer_port(int s)
{
	struct sockaddr_in a;
	socklen_t size = sizeof(a);

	CHECK_OK(getpeername(s, (struct sockaddr *)&a, &size));
	return ntohs(a.sin_port);
}

/* Listens at a port of its own on 127.0.0.1. */
static inline int
inet_server(int backlog)
{
	int s = inet_socket(SOCK_STREAM);

	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 0));
	CHECK_OK(listen(s, backlog));
	return s;
}

/* Two ends of a connection: s[0] connected, s[1] accepted. */
static inline void
inet_pair(int s[2])
{
	int l = inet_server(1);

	s[0] = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s[0], inet_port(l)));
	s[1] = CHECK_OK(accept(l, NULL, NULL));
	CHECK_OK(close(l));
}

/* What of `events`, or of errors, is there; it waits until something is. */
static inline short
inet_ready(int s, short events)
{
	struct pollfd p = { .fd = s, .events = events };

	CHECK_OK(poll(&p, 1, READY_MS));
	return p.revents;
}

/* The same, at this moment. */
static inline short
inet_now(int s, short events)
{
	struct pollfd p = { .fd = s, .events = events };

	CHECK_OK(poll(&p, 1, 0));
	return p.revents;
}

/* Wait until poll says exactly `wanted` of the `events`. */
static inline void
inet_until(int s, short events, short wanted)
{
	long long end = check_now_ms() + READY_MS;

	while (inet_now(s, events) != wanted && check_now_ms() < end)
		check_sleep_ms(1);
	CHECK_EQ(inet_now(s, events), wanted);
}

static inline void
inet_set(int s, int level, int option, int value)
{
	CHECK_OK(setsockopt(s, level, option, &value, sizeof(value)));
}

static inline int
inet_get(int s, int level, int option)
{
	int value = -99;
	socklen_t size = sizeof(value);

	CHECK_OK(getsockopt(s, level, option, &value, &size));
	return value;
}

static inline void
inet_nonblock(int s)
{
	CHECK_OK(fcntl(s, F_SETFL, fcntl(s, F_GETFL) | O_NONBLOCK));
}

/* What a receive of up to 99 bytes gives, as a string; "-" when there is nothing now. */
static inline const char *
inet_text(int s, int flags)
{
	static char b[100];
	ssize_t n = recv(s, b, sizeof(b) - 1, flags);

	if (n < 0 && errno == EAGAIN)
		return "-";
	CHECK_OK(n);
	b[n] = '\0';
	return b;
}

#endif
