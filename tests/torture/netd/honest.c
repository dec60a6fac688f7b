/* SPDX-License-Identifier: MIT */
/* What sockets and an honest stack see of each other. */
#include "stack.h"

#include <pthread.h>

#define BULK (8u << 20)

TEST(connect_is_the_stacks)
{
	struct stack s = stack_open();
	int c = begin_connection(1001), slot = stack_find(&s, false, 1001);
	const struct netd_wanted *w;

	CHECK(slot >= 0);
	w = stack_wanted(&s, (uint32_t)slot);
	CHECK_EQ(w->want, NETD_WANT_CONNECTION);
	CHECK_EQ(w->local.address.bytes[15], 2);
	CHECK_EQ(w->remote.address.bytes[15], 1);
	CHECK(w->local.port != 0 && w->granted > 0 && w->ttl == 64);
	CHECK_EQ(events_of(c), 0);
	stack_state(&s, (uint32_t)slot, NETD_ESTABLISHED, 0);
	CHECK_EQ(events_of(c), POLLOUT);
	CHECK_EQ(error_of(c), 0);
	close(c);
	stack_close(&s);
}

TEST(connect_that_is_refused)
{
	struct stack s = stack_open();
	int c = begin_connection(1002), slot = stack_find(&s, false, 1002);
	char byte;

	CHECK(slot >= 0);
	stack_state(&s, (uint32_t)slot, NETD_CLOSED, ECONNREFUSED);
	CHECK(events_of(c) & POLLERR);
	CHECK_EQ(error_of(c), ECONNREFUSED);
	CHECK_ERRNO(send(c, "x", 1, MSG_NOSIGNAL), EPIPE);
	CHECK_EQ(read(c, &byte, 1), 0);
	close(c);
	CHECK_EQ(stack_find(&s, false, 1002), -1);
	stack_close(&s);
}

TEST(bytes_go_both_ways_and_end)
{
	struct stack s = stack_open();
	const struct netd_wanted *w;
	struct netd_actual *a;
	uint32_t slot, generation;
	char got[16];
	int c = connection(&s, 1003, &slot);

	w = stack_wanted(&s, slot);
	a = stack_actual(&s, slot);
	generation = w->generation;
	CHECK_EQ(write(c, "hello", 5), 5);
	CHECK_EQ(w->queued, 5);
	CHECK_MEM(stack_byte(&s, w->send_chunk, 0), "hello", 5);
	a->sent = a->acked = 5;
	CHECK_EQ(stack_deliver(&s, slot, "world", 5), 5);
	CHECK_EQ(events_of(c), POLLIN | POLLOUT);
	CHECK_EQ(read(c, got, sizeof(got)), 5);
	CHECK_MEM(got, "world", 5);
	CHECK_ERRNO(read(c, got, sizeof(got)), EAGAIN);
	a->flags = NETD_FLAG_END_ARRIVED;
	stack_state(&s, slot, NETD_CLOSE_WAIT, 0);
	CHECK(events_of(c) & POLLRDHUP);
	CHECK_EQ(read(c, got, sizeof(got)), 0);
	CHECK_EQ(write(c, "bye", 3), 3);
	close(c);
	CHECK_EQ(w->queued, 8);
	CHECK(w->flags & NETD_FLAG_END);
	CHECK_EQ(w->want, NETD_WANT_END);
	a->acked = 8;
	stack_state(&s, slot, NETD_LAST_ACK, 0);
	CHECK_EQ(w->want, NETD_WANT_END);
	stack_state(&s, slot, NETD_CLOSED, 0);
	CHECK_EQ(w->want, NETD_WANT_NOTHING);
	CHECK_EQ(w->generation, generation);
	stack_close(&s);
}

TEST(time_wait_leaves_the_socket_and_keeps_the_slot)
{
	struct stack s = stack_open();
	const struct netd_wanted *w;
	uint32_t slot;
	int c = connection(&s, 1004, &slot);

	w = stack_wanted(&s, slot);
	CHECK_OK(shutdown(c, SHUT_WR));
	CHECK(w->flags & NETD_FLAG_END);
	stack_state(&s, slot, NETD_FIN_WAIT2, 0);
	CHECK(!(events_of(c) & POLLHUP));
	stack_actual(&s, slot)->flags = NETD_FLAG_END_ARRIVED;
	stack_state(&s, slot, NETD_TIME_WAIT, 0);
	CHECK(events_of(c) & POLLHUP);
	CHECK_EQ(error_of(c), 0);
	close(c);
	CHECK(w->want != NETD_WANT_NOTHING);
	stack_state(&s, slot, NETD_CLOSED, 0);
	CHECK_EQ(w->want, NETD_WANT_NOTHING);
	stack_close(&s);
}

TEST(what_is_left_unread_resets)
{
	struct stack s = stack_open();
	uint32_t slot;
	int c = connection(&s, 1005, &slot);

	CHECK_EQ(stack_deliver(&s, slot, "unread", 6), 6);
	close(c);
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_RESET);
	stack_state(&s, slot, NETD_CLOSED, 0);
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_NOTHING);
	stack_close(&s);
}

TEST(what_comes_after_close_resets)
{
	struct stack s = stack_open();
	uint32_t slot;
	int c = connection(&s, 1006, &slot);

	close(c);
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_END);
	CHECK_EQ(stack_deliver(&s, slot, "late", 4), 4);
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_RESET);
	stack_state(&s, slot, NETD_CLOSED, 0);
	stack_close(&s);
}

TEST(a_reset_is_an_error_after_what_came)
{
	struct stack s = stack_open();
	char got[8];
	uint32_t slot;
	int c = connection(&s, 1007, &slot);

	CHECK_EQ(stack_deliver(&s, slot, "last", 4), 4);
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	CHECK(events_of(c) & POLLERR);
	CHECK_EQ(read(c, got, sizeof(got)), 4);
	CHECK_ERRNO(read(c, got, sizeof(got)), ECONNRESET);
	CHECK_EQ(read(c, got, sizeof(got)), 0);
	close(c);
	stack_close(&s);
}

static int
listener(struct stack *s, uint16_t port, int backlog, uint32_t *slot)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, found, l = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)));
	CHECK_OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(l, backlog));
	found = stack_find(s, true, port);
	CHECK(found >= 0);
	*slot = (uint32_t)found;
	stack_state(s, *slot, NETD_LISTENING, 0);
	return l;
}

/* A peer with that port of its own has connected to ours. 0, or an errno. */
static int
accepted(struct stack *s, uint16_t port, uint16_t from, struct netd_accept *a)
{
	static const uint8_t ours[16] = { [10] = 255, [11] = 255, 10, 9, 9, 2 }, theirs[16] = { [10] = 255, [11] = 255, 10, 9, 9, 1 };

	memset(a, 0, sizeof(*a));
	memcpy(a->local.address.bytes, ours, 16);
	memcpy(a->remote.address.bytes, theirs, 16);
	a->local.port = port;
	a->remote.port = from;
	a->interface = s->interface;
	a->actual.state = NETD_ESTABLISHED;
	a->actual.record.max_segment = 1460;
	return ioctl(s->fd, NETD_ACCEPT, a) ? errno : 0;
}

TEST(a_listener_gets_connections_up_to_its_backlog)
{
	struct sockaddr_in from;
	socklen_t n = sizeof(from);
	struct stack s = stack_open();
	struct netd_accept a, b;
	uint32_t slot;
	int l = listener(&s, 2001, 1, &slot), c;
	char got[8];

	CHECK_EQ(stack_wanted(&s, slot)->backlog_left, 2);
	CHECK_EQ(accepted(&s, 2002, 40000, &a), ECONNREFUSED);
	CHECK_EQ(accepted(&s, 2001, 40000, &a), 0);
	CHECK_EQ(stack_wanted(&s, slot)->backlog_left, 1);
	CHECK_EQ(accepted(&s, 2001, 40001, &b), 0);
	CHECK_EQ(accepted(&s, 2001, 40002, &b), EAGAIN);
	CHECK_EQ(stack_deliver(&s, a.slot, "early", 5), 5);
	c = CHECK_OK(accept(l, (struct sockaddr *)&from, &n));
	CHECK_EQ(ntohs(from.sin_port), 40000);
	CHECK_EQ(ntohl(from.sin_addr.s_addr), THEIRS);
	CHECK_EQ(read(c, got, sizeof(got)), 5);
	CHECK_EQ(stack_wanted(&s, slot)->backlog_left, 1);
	close(l);
	CHECK_EQ(stack_find(&s, true, 2001), -1);
	stack_state(&s, a.slot, NETD_CLOSED, 0);
	close(c);
	stack_close(&s);
}

TEST(the_next_stack_finds_everything)
{
	struct stack s = stack_open();
	uint32_t slot;
	char got[8];
	int c = connection(&s, 1008, &slot);

	CHECK_EQ(write(c, "first", 5), 5);
	stack_close(&s);
	CHECK_EQ(write(c, "second", 6), 6);
	CHECK_EQ(events_of(c), POLLOUT);
	s = stack_open();
	CHECK_EQ(stack_find(&s, false, 1008), slot);
	CHECK_EQ(stack_wanted(&s, slot)->queued, 11);
	CHECK_MEM(stack_byte(&s, stack_wanted(&s, slot)->send_chunk, 5), "second", 6);
	CHECK_EQ(stack_deliver(&s, slot, "third", 5), 5);
	CHECK_EQ(read(c, got, sizeof(got)), 5);
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	close(c);
	stack_close(&s);
}

TEST(only_one_has_the_door)
{
	struct stack s = stack_open();
	uint64_t rights[] = { NETD_MAP_KERNEL, NETD_MAP_FRAMES_OUT, NETD_MAP_WANTED };

	CHECK_ERRNO(open("/dev/netd", O_RDWR), EBUSY);
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, s.fd, (off_t)rights[i]) == MAP_FAILED);
		CHECK_EQ(errno, EPERM);
	}
	CHECK_ERRNO(mprotect((void *)s.kernel, 4096, PROT_READ | PROT_WRITE), EACCES);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, s.fd, 0x4000) == MAP_FAILED);
	CHECK_EQ(errno, EINVAL);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, s.fd, 0) == MAP_FAILED);
	stack_close(&s);
}

/*
 * A window that is full opens as the program reads, and grows; nothing is lost or turned round. How wide it became, of a
 * peer that knows a scale or not.
 */
static uint64_t
much_comes(uint16_t port, bool scale)
{
	struct stack s = stack_open();
	uint32_t slot;
	uint64_t sent = 0, got = 0, widest = 0;
	int c = connection(&s, port, &slot);
	static char out[65536], in[65536];

	stack_actual(&s, slot)->record.has_scale = scale;
	while (got < BULK) {
		const struct netd_wanted *w = stack_wanted(&s, slot);
		size_t want = sizeof(out), n;

		for (size_t i = 0; i < want; i++)
			out[i] = (char)((sent + i) * 31 >> 3);
		if (w->granted - stack_actual(&s, slot)->arrived > widest)
			widest = w->granted - stack_actual(&s, slot)->arrived;
		sent += stack_deliver(&s, slot, out, want);
		n = (size_t)CHECK_OK(read(c, in, sizeof(in)));
		for (size_t i = 0; i < n; i++)
			if (in[i] != (char)((got + i) * 31 >> 3))
				FAIL("byte %llu is another", (unsigned long long)(got + i));
		got += n;
	}
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	close(c);
	stack_close(&s);
	return widest;
}

TEST(much_comes_in)
{
	CHECK(much_comes(1009, true) > 65536);
}

/* A wider one it cannot be told of: RFC 7323, 2. */
TEST(much_comes_in_without_scale)
{
	uint64_t widest = much_comes(1011, false);

	CHECK(widest > 32768 && widest <= 65536);
}

/* What is not acknowledged stays, as much as the buffer takes; then a sender waits for acknowledgements. */
TEST(much_goes_out)
{
	struct stack s = stack_open();
	uint32_t slot;
	uint64_t put = 0;
	int c = connection(&s, 1010, &slot);
	const struct netd_wanted *w = stack_wanted(&s, slot);
	struct netd_actual *a = stack_actual(&s, slot);
	static char out[65536];

	while (a->acked < BULK) {
		ssize_t n = 1;

		while (n > 0) {
			for (size_t i = 0; i < sizeof(out); i++)
				out[i] = (char)((put + i) * 13 >> 2);
			n = write(c, out, sizeof(out));
			put += n > 0 ? (uint64_t)n : 0;
		}
		CHECK_EQ(errno, EAGAIN);
		CHECK_EQ(w->queued, put);
		CHECK(!(events_of(c) & POLLOUT));
		for (uint64_t at = a->acked; at < put; at++)
			if (*stack_byte(&s, w->send_chunk, at) != (char)(at * 13 >> 2))
				FAIL("byte %llu is another", (unsigned long long)at);
		a->sent = put;
		a->acked = put - storm_random() % 1000;
		CHECK(stack_tell(&s, slot));
		CHECK(events_of(c) & POLLOUT);
	}
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	close(c);
	stack_close(&s);
}

/* --- many at once --------------------------------------------------------------------------------------- */

#define THREADS 4
#define EACH    200

static pthread_barrier_t ready;

static void *
connect_many(void *first)
{
	static int fds[THREADS][EACH];
	uint16_t port = (uint16_t)(uintptr_t)first;
	int *mine = fds[(port - 2000) / EACH];

	pthread_barrier_wait(&ready);
	for (uint16_t n = 0; n < EACH; n++)
		mine[n] = begin_connection((uint16_t)(port + n));
	return mine;
}

TEST(who_connect_at_once_have_a_slot_each)
{
	struct stack s = stack_open();
	pthread_t threads[THREADS];
	int *fds[THREADS];

	CHECK_EQ(pthread_barrier_init(&ready, NULL, THREADS), 0);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, connect_many, (void *)(2000 + i * EACH)), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], (void **)&fds[i]);
	for (uint16_t n = 0; n < THREADS * EACH; n++) {
		int slot = stack_find(&s, false, (uint16_t)(2000 + n));

		CHECK(slot >= 0);
		stack_state(&s, (uint32_t)slot, NETD_CLOSED, ECONNREFUSED);
		CHECK_EQ(error_of(fds[n / EACH][n % EACH]), ECONNREFUSED);
		close(fds[n / EACH][n % EACH]);
		CHECK_EQ(stack_find(&s, false, (uint16_t)(2000 + n)), -1);
	}
	stack_close(&s);
}

TEST(larger_backlog_is_told)
{
	struct stack s = stack_open();
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1099) };
	int l = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), slot;

	CHECK_OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(l, 1));
	slot = stack_find(&s, true, 1099);
	CHECK(slot >= 0);
	CHECK_EQ(stack_wanted(&s, (uint32_t)slot)->backlog_left, 2);
	CHECK_OK(listen(l, 7));
	CHECK_EQ(stack_wanted(&s, (uint32_t)slot)->backlog_left, 8);
	close(l);
	stack_close(&s);
}
