/* SPDX-License-Identifier: MIT */
/* host.c - the kernel's half of a door, as far as a stack sees it. */
#include "host.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct host *hosts[2];

void
host_fail(void)
{
	for (int i = 0; i < 2; i++)
		if (hosts[i] && hosts[i]->stack > 0)
			kill(hosts[i]->stack, SIGKILL);
	exit(1);
}

uint64_t
test_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

void
memory_lock(struct memory *m)
{
	while (__atomic_exchange_n(&m->lock, 1, __ATOMIC_ACQUIRE))
		sched_yield();
}

void
memory_unlock(struct memory *m)
{
	__atomic_store_n(&m->lock, 0, __ATOMIC_RELEASE);
}

struct netd_wanted *
slot_wanted(struct memory *m, uint32_t slot)
{
	return (struct netd_wanted *)(m->wanted + (size_t)slot * NETD_WANTED_STRIDE);
}

struct netd_actual *
slot_actual(struct memory *m, uint32_t slot)
{
	return (struct netd_actual *)(m->actual + (size_t)slot * NETD_ACTUAL_STRIDE);
}

void
slot_mark(struct memory *m, uint32_t slot)
{
	__atomic_fetch_or(&m->to_netd.slot[slot / 64], 1ull << slot % 64, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&m->to_netd.summary[slot / 4096], 1ull << slot / 64 % 64, __ATOMIC_SEQ_CST);
}

uint16_t
chunk_take(struct memory *m)
{
	if (!m->free_count)
		fail("no chunk is free");
	return m->free_chunk[--m->free_count];
}

void
chunks_fill(struct memory *m, uint16_t *chunks, uint64_t from, uint64_t to)
{
	for (uint64_t at = from; at < to; at = (at / NETD_CHUNK + 1) * NETD_CHUNK)
		if (chunks[at / NETD_CHUNK % NETD_CHUNKS] == NETD_CHUNK_NONE)
			chunks[at / NETD_CHUNK % NETD_CHUNKS] = chunk_take(m);
}

void
chunks_free(struct memory *m, uint16_t *chunks, uint64_t from, uint64_t to)
{
	for (uint64_t n = from / NETD_CHUNK; n < to / NETD_CHUNK; n++) {
		uint16_t *chunk = &chunks[n % NETD_CHUNKS];

		if (*chunk == NETD_CHUNK_NONE)
			continue;
		/* Who still reads it reads this. */
		memset(m->arena + (size_t)*chunk * NETD_CHUNK, 0xee, NETD_CHUNK);
		m->free_chunk[m->free_count++] = *chunk;
		*chunk = NETD_CHUNK_NONE;
	}
}

uint32_t
slot_take(struct memory *m)
{
	static uint32_t next;

	for (uint32_t i = 0; i < SLOTS; i++) {
		uint32_t slot = (next + i) % SLOTS;
		struct netd_wanted *w = slot_wanted(m, slot);

		if (w->want != NETD_WANT_NOTHING)
			continue;
		next = slot + 1;
		memset((char *)w + sizeof(w->generation), 0, sizeof(*w) - sizeof(w->generation));
		memset(w->send_chunk, 0xff, sizeof(w->send_chunk));
		memset(w->receive_chunk, 0xff, sizeof(w->receive_chunk));
		w->generation++;
		if (slot >= m->kernel.slots_used)
			m->kernel.slots_used = slot + 1;
		return slot;
	}
	fail("no slot is free");
}

struct netd_address
host_address(unsigned number, bool v6)
{
	struct netd_address a4 = { { [10] = 0xff, [11] = 0xff, [12] = 10, [15] = number } };
	struct netd_address a6 = { { [0] = 0xfd, [15] = number } };

	return v6 ? a6 : a4;
}

void
host_create(struct host *h, unsigned number)
{
	struct memory *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int ends[2], size = 4 << 20;

	if (m == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
		fail("no memory, or no cable");
	for (int i = 0; i < 2; i++)
		setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	*h = (struct host){ .memory = m, .number = number, .test = getpid(), .wire = ends[0], .card = ends[1] };
	m->kernel.version = NETD_VERSION;
	m->kernel.arena_blocks = m->kernel.arena_blocks_max = BLOCKS;
	m->kernel.config = 1;
	memset(m->kernel.secret, 17 * number, sizeof(m->kernel.secret));
	for (uint32_t i = 0; i < CHUNKS; i++)
		m->free_chunk[m->free_count++] = i;
	hosts[number - 1] = h;
}

void
host_start(struct host *h)
{
	h->stack = fork();
	if (h->stack == 0)
		stack_run(h);
	if (h->stack < 0)
		fail("no process");
}

void
host_check(struct host *h)
{
	int status;

	if (waitpid(h->stack, &status, WNOHANG) == h->stack) {
		h->stack = -1;
		fail("the stack of host %u has ended: %#x", h->number, status);
	}
}

void
host_stop(struct host *h)
{
	/* Calls of the kernel are through, or have not begun: a process dies outside of them. */
	memory_lock(h->memory);
	host_check(h);
	kill(h->stack, SIGKILL);
	waitpid(h->stack, NULL, 0);
	memory_unlock(h->memory);
}

void
host_kill(struct host *h)
{
	host_stop(h);
	h->kills++;
	host_start(h);
}
