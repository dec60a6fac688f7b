/* SPDX-License-Identifier: MIT */
/*
 * stack.h - the network stack's side of /dev/netd in the hands of a test: it is the stack, as honest or false as the case
 * wants. The machine has no network card, so that nobody else has the door.
 */
#ifndef TORTURE_NETD_STACK_H
#define TORTURE_NETD_STACK_H

#include <stdint.h>

#include <abi/netd.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "storm.h"

#define OURS   0x0a090902u /* 10.9.9.2, of the interface that the stack has */
#define THEIRS 0x0a090901u

struct stack {
	int fd;
	volatile struct netd_kernel_page *kernel;
	struct netd_netd_page *netd;
	struct netd_dirty *to_netd, *to_kernel;
	char *frames_out, *frames_in, *wanted, *actual, *arena, *half_open;
	size_t arena_size;
	uint32_t interface;
};

static inline void *
stack_map(const struct stack *s, uint64_t offset, size_t size, bool write)
{
	void *p = mmap(NULL, size, PROT_READ | (write ? PROT_WRITE : 0), MAP_SHARED, s->fd, (off_t)offset);

	if (p == MAP_FAILED)
		FAIL("mmap of the door at %#llx: %m", (unsigned long long)offset);
	return p;
}

/* The interface is up and has its address, as often as it is asked for. */
static inline void
stack_interface(struct stack *s)
{
	struct netd_interface i = { .key = "a test", .mtu_max = 1500, .address = { 2, 0, 0, 0, 0, 7 } };
	struct netd_link link = { .carrier = 1 };
	struct ifreq r = { 0 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(OURS) };
	int u = CHECK_OK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

	CHECK_OK(ioctl(s->fd, NETD_ADD_INTERFACE, &i));
	s->interface = link.index = i.index;
	CHECK_OK(ioctl(s->fd, NETD_SET_LINK, &link));
	strcpy(r.ifr_name, i.name);
	if (ioctl(u, SIOCGIFADDR, &r) == 0) { /* a stack before has done it */
		close(u);
		return;
	}
	memcpy(&r.ifr_addr, &a, sizeof(a));
	CHECK_OK(ioctl(u, SIOCSIFADDR, &r));
	a.sin_addr.s_addr = htonl(0xffffff00);
	memcpy(&r.ifr_netmask, &a, sizeof(a));
	CHECK_OK(ioctl(u, SIOCSIFNETMASK, &r));
	CHECK_OK(ioctl(u, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(u, SIOCSIFFLAGS, &r));
	close(u);
}

static inline struct stack
stack_open(void)
{
	struct stack s = { .fd = -1 };

	/* The one before may be on its way out. */
	for (int tries = 0; s.fd < 0 && tries < 500; tries++) {
		s.fd = open("/dev/netd", O_RDWR | O_CLOEXEC);
		if (s.fd < 0)
			usleep(10000);
	}
	CHECK(s.fd >= 0);
	s.kernel = stack_map(&s, NETD_MAP_KERNEL, 4096, false);
	s.netd = stack_map(&s, NETD_MAP_NETD, 4096, true);
	s.to_netd = stack_map(&s, NETD_MAP_DIRTY, 4096, true);
	s.to_kernel = stack_map(&s, NETD_MAP_DIRTY + 4096, 4096, true);
	s.half_open = stack_map(&s, NETD_MAP_HALF_OPEN, NETD_HALF_OPEN * sizeof(struct netd_half_open), true);
	s.frames_out = stack_map(&s, NETD_MAP_FRAMES_OUT, NETD_FRAME_RING, false);
	s.frames_in = stack_map(&s, NETD_MAP_FRAMES_IN, NETD_FRAME_RING, true);
	s.wanted = stack_map(&s, NETD_MAP_WANTED, (size_t)NETD_SLOTS * NETD_WANTED_STRIDE, false);
	s.actual = stack_map(&s, NETD_MAP_ACTUAL, (size_t)NETD_SLOTS * NETD_ACTUAL_STRIDE, true);
	s.arena_size = (size_t)s.kernel->arena_blocks_max * NETD_BLOCK;
	s.arena = stack_map(&s, NETD_MAP_ARENA, s.arena_size, true);
	/* What a predecessor left half done is taken as it is. */
	s.netd->asleep = 0;
	s.netd->frames_out_tail = s.kernel->frames_out_head;
	CHECK_EQ(s.netd->frames_in_head, s.kernel->frames_in_tail);
	stack_interface(&s);
	return s;
}

static inline void
stack_close(struct stack *s)
{
	munmap((void *)s->kernel, 4096);
	munmap(s->netd, 4096);
	munmap(s->to_netd, 4096);
	munmap(s->to_kernel, 4096);
	munmap(s->half_open, NETD_HALF_OPEN * sizeof(struct netd_half_open));
	munmap(s->frames_out, NETD_FRAME_RING);
	munmap(s->frames_in, NETD_FRAME_RING);
	munmap(s->wanted, (size_t)NETD_SLOTS * NETD_WANTED_STRIDE);
	munmap(s->actual, (size_t)NETD_SLOTS * NETD_ACTUAL_STRIDE);
	munmap(s->arena, s->arena_size);
	close(s->fd);
}

static inline const struct netd_wanted *
stack_wanted(const struct stack *s, uint32_t slot)
{
	return (const struct netd_wanted *)(s->wanted + (size_t)slot * NETD_WANTED_STRIDE);
}

static inline struct netd_actual *
stack_actual(const struct stack *s, uint32_t slot)
{
	return (struct netd_actual *)(s->actual + (size_t)slot * NETD_ACTUAL_STRIDE);
}

/* The slot of the connection to that port of theirs, or the listener at that port of ours; -1: none. */
static inline int
stack_find(const struct stack *s, bool listener, uint16_t port)
{
	for (uint32_t i = 0; i < s->kernel->slots_used; i++) {
		const struct netd_wanted *w = stack_wanted(s, i);
		bool listens = w->want == NETD_WANT_LISTEN;

		if (w->want != NETD_WANT_NOTHING && listens == listener &&
		    (listener ? w->local.port : w->remote.port) == port)
			return (int)i;
	}
	return -1;
}

/* The slot has changed. True: the kernel finds nothing wrong. */
static inline bool
stack_tell(struct stack *s, uint32_t slot)
{
	__atomic_fetch_or(&s->to_kernel->slot[slot / 64], 1ull << slot % 64, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&s->to_kernel->summary[slot / 64 / 64], 1ull << slot / 64 % 64, __ATOMIC_SEQ_CST);
	return ioctl(s->fd, NETD_KICK) == 0;
}

/* The stack says that it is in that state, in the life that the slot has now. */
static inline void
stack_state(struct stack *s, uint32_t slot, enum netd_state state, uint32_t error)
{
	struct netd_actual *a = stack_actual(s, slot);

	if (a->generation != stack_wanted(s, slot)->generation) {
		memset(a, 0, sizeof(*a));
		a->generation = stack_wanted(s, slot)->generation;
	}
	a->error = error;
	a->state = state;
	CHECK(stack_tell(s, slot));
}

/* A byte of a stream. */
static inline char *
stack_byte(const struct stack *s, const uint16_t *chunks, uint64_t at)
{
	uint16_t chunk = chunks[at / NETD_CHUNK % NETD_CHUNKS];

	CHECK(chunk != NETD_CHUNK_NONE);
	return s->arena + (size_t)chunk * NETD_CHUNK + at % NETD_CHUNK;
}

/* Bytes of theirs arrive, as many as the kernel has granted room for. How many. */
static inline size_t
stack_deliver(struct stack *s, uint32_t slot, const char *bytes, size_t n)
{
	const struct netd_wanted *w = stack_wanted(s, slot);
	struct netd_actual *a = stack_actual(s, slot);
	uint64_t granted = __atomic_load_n(&w->granted, __ATOMIC_SEQ_CST);
	size_t done = 0;

	while (done < n && a->arrived + done < granted) {
		*stack_byte(s, w->receive_chunk, a->arrived + done) = bytes[done];
		done++;
	}
	__atomic_store_n(&a->arrived, a->arrived + done, __ATOMIC_SEQ_CST);
	CHECK(stack_tell(s, slot));
	return done;
}

/* A connection to that port of theirs, begun; the stack has not answered. */
static inline int
begin_connection(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(THEIRS) };
	int c = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	CHECK_ERRNO(connect(c, (struct sockaddr *)&to, sizeof(to)), EINPROGRESS);
	return c;
}

static inline int
connection(struct stack *s, uint16_t port, uint32_t *slot)
{
	int c = begin_connection(port), found = stack_find(s, false, port);

	CHECK(found >= 0);
	*slot = (uint32_t)found;
	stack_state(s, *slot, NETD_ESTABLISHED, 0);
	return c;
}

static inline short
events_of(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT | POLLPRI | POLLRDHUP };

	CHECK(poll(&p, 1, 0) >= 0);
	return p.revents;
}

static inline int
error_of(int fd)
{
	int error = -1;
	socklen_t n = sizeof(error);

	CHECK_OK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n));
	return error;
}

#endif
