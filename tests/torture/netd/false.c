/* SPDX-License-Identifier: MIT */
/*
 * What the kernel does with a stack that writes nonsense: it ends the stack, and resets the connection that this was about; the
 * next stack finds all others as they were.
 */
#include "stack.h"

/* A stack in a process of its own writes what `body` does, and tells; it is killed for that. */
static void
dies_of(void (*body)(struct stack *s, uint32_t slot), bool breaks_it)
{
	struct stack s = stack_open();
	uint32_t slot, other;
	int c = connection(&s, 1100, &slot), o = connection(&s, 1101, &other), status;
	char got[8];
	pid_t pid;

	CHECK_EQ(write(c, "queued", 6), 6);
	CHECK_EQ(write(o, "other", 5), 5);
	stack_close(&s);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		struct stack mine = stack_open();

		body(&mine, slot);
		stack_tell(&mine, slot);
		_exit(1); /* it may go on? */
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

	s = stack_open();
	if (breaks_it) {
		CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_RESET);
		CHECK_EQ(error_of(c), ECONNRESET);
	}
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	close(c);
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_NOTHING);
	CHECK_MEM(stack_byte(&s, stack_wanted(&s, other)->send_chunk, 0), "other", 5);
	CHECK_EQ(stack_deliver(&s, other, "fine", 4), 4);
	CHECK_EQ(read(o, got, sizeof(got)), 4);
	stack_state(&s, other, NETD_CLOSED, ECONNRESET);
	close(o);
	stack_close(&s);
}

static void
acknowledges_too_much(struct stack *s, uint32_t slot)
{
	stack_actual(s, slot)->acked = 7;
}

TEST(more_acknowledged_than_sent)
{
	dies_of(acknowledges_too_much, true);
}

static void
brings_too_much(struct stack *s, uint32_t slot)
{
	stack_actual(s, slot)->arrived = stack_wanted(s, slot)->granted + 1;
}

TEST(more_arrived_than_granted)
{
	dies_of(brings_too_much, true);
}

static void
has_no_such_state(struct stack *s, uint32_t slot)
{
	stack_actual(s, slot)->state = 99;
}

TEST(a_state_that_is_none)
{
	dies_of(has_no_such_state, true);
}

static void
ends_for_no_such_reason(struct stack *s, uint32_t slot)
{
	stack_actual(s, slot)->error = 0xffffffff;
	stack_actual(s, slot)->state = NETD_CLOSED;
}

TEST(an_error_that_is_none)
{
	dies_of(ends_for_no_such_reason, true);
}

static void
frames_beyond_the_ring(struct stack *s, uint32_t slot)
{
	s->netd->frames_in_head = s->kernel->frames_in_tail + NETD_FRAME_RING + 16;
}

TEST(frames_head_beyond_the_ring)
{
	dies_of(frames_beyond_the_ring, false);
}

static void
a_frame_that_is_too_long(struct stack *s, uint32_t slot)
{
	uint64_t at = s->kernel->frames_in_tail;
	struct netd_frame *f = (struct netd_frame *)(s->frames_in + at % NETD_FRAME_RING);

	*f = (struct netd_frame){ .length = 5000, .kind = NETD_FRAME_RECEIVED };
	s->netd->frames_in_head = at + 64;
}

TEST(a_frame_longer_than_what_there_is)
{
	dies_of(a_frame_that_is_too_long, false);
}

/* What a stack may write is what it was given to write, whatever it asks of its mappings. */
TEST(a_part_is_not_made_to_show_another)
{
	struct stack s = stack_open();
	size_t half_open = NETD_HALF_OPEN * sizeof(struct netd_half_open);

	CHECK_ERRNO((long)mremap(s.half_open, half_open, NETD_MAP_FRAMES_IN, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((long)mremap(s.half_open, 0, NETD_MAP_FRAMES_IN, MREMAP_MAYMOVE), EFAULT);
	CHECK_ERRNO((long)mremap(s.half_open, half_open, half_open, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
	CHECK_ERRNO(remap_file_pages(s.netd, 4096, 0, NETD_MAP_WANTED / 4096, 0), EINVAL);
	stack_close(&s);
}

/* Nor does it take away for good what its successors and the kernel meet in. */
TEST(a_part_stays_where_it_is)
{
	struct stack s = stack_open();

	CHECK_ERRNO(madvise(s.netd, 4096, MADV_REMOVE), EOPNOTSUPP);
	CHECK_ERRNO(madvise(s.arena, s.arena_size, MADV_REMOVE), EOPNOTSUPP);
	stack_close(&s);
}

/* Who listens within the machine only hears nobody by a wire, whatever the stack says of where something came from. */
TEST(nobody_comes_by_loopback)
{
	const struct netd_endpoint here = { .address = { { [10] = 0xff, 0xff, 127, 0, 0, 1 } }, .port = 1300 };
	const struct netd_endpoint ours = { .address = { { [10] = 0xff, 0xff, 10, 9, 9, 2 } }, .port = 1300 };
	const struct netd_endpoint theirs = { .address = { { [10] = 0xff, 0xff, 10, 9, 9, 1 } }, .port = 1301 };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1300), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int l = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0)), any = CHECK_OK(socket(AF_INET, SOCK_STREAM, 0)), one = 1;
	struct stack s = stack_open();
	struct netd_accept from_there = { .local = here, .remote = theirs, .interface = s.interface };
	struct netd_accept from_here = { .local = ours, .remote = here, .interface = s.interface };
	struct netd_accept by_loopback = { .local = ours, .remote = theirs, .interface = 1 };
	struct netd_accept of_nobody = { .local = ours, .remote = theirs, .interface = s.interface };

	of_nobody.remote.port = 0;
	CHECK_OK(setsockopt(l, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	CHECK_OK(setsockopt(any, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one)));
	CHECK_OK(bind(l, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(l, 1));
	a.sin_addr.s_addr = 0;
	CHECK_OK(bind(any, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(listen(any, 1));
	CHECK_ERRNO(ioctl(s.fd, NETD_ACCEPT, &from_there), ECONNREFUSED);
	CHECK_ERRNO(ioctl(s.fd, NETD_ACCEPT, &from_here), ECONNREFUSED);
	CHECK_ERRNO(ioctl(s.fd, NETD_ACCEPT, &by_loopback), ECONNREFUSED);
	CHECK_ERRNO(ioctl(s.fd, NETD_ACCEPT, &of_nobody), ECONNREFUSED);
	close(l);
	close(any);
	stack_close(&s);
}

TEST(no_packet_comes_by_loopback)
{
	/* UDP from 127.0.0.1, 1301, to the same, 1300: "x". */
	static const uint8_t packet[] = {
		0x45, 0, 0, 29, 0, 0, 0, 0, 64, 17, 0x7c, 0xce, 127, 0, 0, 1, 127, 0, 0, 1, 0x05, 0x15, 0x05, 0x14, 0, 9, 0, 0, 'x',
	};
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1300), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int u = CHECK_OK(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
	struct stack s = stack_open();
	struct netd_frame f = { .length = sizeof(packet), .kind = NETD_FRAME_RECEIVED };
	uint64_t at = s.kernel->frames_in_tail;
	char byte;

	CHECK(at % NETD_FRAME_RING + 128 <= NETD_FRAME_RING);
	CHECK_OK(bind(u, (struct sockaddr *)&a, sizeof(a)));
	for (f.interface = 1; f.interface <= s.interface; f.interface += s.interface - 1, at += 64) {
		memcpy(s.frames_in + at % NETD_FRAME_RING, &f, sizeof(f));
		memcpy(s.frames_in + at % NETD_FRAME_RING + sizeof(f), packet, sizeof(packet));
	}
	__atomic_store_n(&s.netd->frames_in_head, at, __ATOMIC_SEQ_CST);
	CHECK_OK(ioctl(s.fd, NETD_KICK));
	CHECK_EQ(s.kernel->frames_in_tail, at);
	CHECK_ERRNO(recv(u, &byte, 1, 0), EAGAIN);
	close(u);
	stack_close(&s);
}

/* What a stack wrote and did not live to tell is not its successor's fault. */
TEST(nonsense_of_a_predecessor)
{
	struct stack s = stack_open();
	uint32_t slot, other;
	int c = connection(&s, 1110, &slot), o = connection(&s, 1111, &other), status;
	pid_t pid;

	stack_close(&s);
	pid = CHECK_OK(fork());
	if (pid == 0) {
		struct stack mine = stack_open();

		stack_actual(&mine, slot)->acked = 7;
		mine.to_kernel->slot[slot / 64] = ~0ull;
		mine.to_kernel->summary[slot / 64 / 64] = ~0ull;
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);

	s = stack_open();
	CHECK_EQ(stack_wanted(&s, slot)->want, NETD_WANT_RESET);
	CHECK_EQ(error_of(c), ECONNRESET);
	CHECK_EQ(error_of(o), 0);
	stack_state(&s, slot, NETD_CLOSED, ECONNRESET);
	stack_state(&s, other, NETD_CLOSED, ECONNRESET);
	close(c);
	close(o);
	stack_close(&s);
}

/* Anything anywhere, again and again, while programs connect, send, receive and close. */
static void
scribble(void)
{
	struct stack s = stack_open();
	uint32_t used = s.kernel->slots_used ? s.kernel->slots_used : 1;

	for (;;) {
		uint64_t value = storm_random() & 1 ? storm_random() % 65536 : (uint64_t)storm_random() << 32 | storm_random();
		uint32_t slot = storm_random() % used;
		char *half = s.actual + (size_t)slot * NETD_ACTUAL_STRIDE;

		switch (storm_random() % 40) {
		case 0:
			s.netd->frames_in_head = s.kernel->frames_in_tail + value % NETD_FRAME_RING / 16 * 16;
			break;
		case 1:
			s.netd->frames_out_tail = value;
			break;
		case 2:
			*(uint64_t *)(s.frames_in + storm_random() % (NETD_FRAME_RING / 8) * 8) = value;
			break;
		case 3:
			s.to_kernel->slot[storm_random() % (NETD_SLOTS / 64)] = value;
			s.to_kernel->summary[storm_random() % 4] = value;
			break;
		case 4 ... 10:
			*(uint32_t *)half = stack_wanted(&s, slot)->generation;
			break;
		case 11 ... 20:
			*(uint32_t *)(half + 4) = (uint32_t)value % 13;
			break;
		default:
			*(uint32_t *)half = stack_wanted(&s, slot)->generation;
			*(uint64_t *)(half + storm_random() % (sizeof(struct netd_actual) / 8) * 8) = value;
		}
		if (ioctl(s.fd, NETD_KICK) && errno == EINVAL)
			break;
		if (storm_random() % 64 == 0) {
			struct netd_accept a;

			for (size_t i = 0; i < sizeof(a) / 4; i++)
				((uint32_t *)&a)[i] = storm_random();
			a.local.port = 1200;
			(void)ioctl(s.fd, NETD_ACCEPT, &a);
		}
	}
	pause(); /* to be killed */
}

static void *
use_sockets(void *until)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(1200) };
	char bytes[4096] = { 0 };
	int l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	bind(l, (struct sockaddr *)&a, sizeof(a));
	listen(l, 8);
	while (!__atomic_load_n((bool *)until, __ATOMIC_RELAXED)) {
		int c = begin_connection((uint16_t)(1201 + storm_random() % 8)), x = accept4(l, NULL, NULL, SOCK_NONBLOCK);

		for (unsigned n = storm_random() % 32; n > 0; n--) {
			(void)send(c, bytes, storm_random() % sizeof(bytes), MSG_NOSIGNAL);
			(void)recv(c, bytes, sizeof(bytes), 0);
			(void)events_of(c);
		}
		if (x >= 0)
			close(x);
		if (storm_random() % 2)
			shutdown(c, SHUT_WR);
		close(c);
	}
	close(l);
	return NULL;
}

/* What the kernel wants of slots is done by ending the connections. How many there were. */
static unsigned
end_those_there_are(struct stack *s)
{
	unsigned count = 0;

	for (uint32_t slot = 0; slot < s->kernel->slots_used; slot++) {
		struct netd_actual *a = stack_actual(s, slot);

		uint32_t life = __atomic_load_n(&stack_wanted(s, slot)->generation, __ATOMIC_SEQ_CST);

		if (stack_wanted(s, slot)->want == NETD_WANT_NOTHING)
			continue;
		a->acked = __atomic_load_n(&stack_wanted(s, slot)->acked, __ATOMIC_SEQ_CST);
		a->arrived = __atomic_load_n(&stack_wanted(s, slot)->arrived, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&stack_wanted(s, slot)->generation, __ATOMIC_SEQ_CST) != life)
			continue;
		a->flags = 0;
		a->generation = life;
		a->error = ECONNRESET;
		a->state = NETD_CLOSED;
		CHECK(stack_tell(s, slot));
		count++;
	}
	return count;
}

/* An honest stack ends all connections. */
static void
end_all(void)
{
	struct stack s = stack_open();

	end_those_there_are(&s);
	stack_close(&s);
}

TEST(a_stack_that_scribbles)
{
	bool over = false;
	pthread_t user;
	long long end = storm_end();
	unsigned stacks = 0;

	end_all(); /* makes the interface */
	CHECK_EQ(pthread_create(&user, NULL, use_sockets, &over), 0);
	while (!storm_over(end) || stacks == 0) {
		pid_t pid = CHECK_OK(fork());
		int status;

		if (pid == 0)
			scribble();
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		stacks++;
		end_all();
	}
	__atomic_store_n(&over, true, __ATOMIC_RELAXED);
	pthread_join(user, NULL);

	end_all();
}

static struct shared {
	int socket;
	bool over;
} shared;

static void *
connects(void *arg __attribute__((unused)))
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(1400), .sin_addr.s_addr = htonl(THEIRS) };

	while (!__atomic_load_n(&shared.over, __ATOMIC_RELAXED))
		(void)connect(shared.socket, (struct sockaddr *)&to, sizeof(to));
	return NULL;
}

static void *
disconnects(void *arg __attribute__((unused)))
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	while (!__atomic_load_n(&shared.over, __ATOMIC_RELAXED))
		(void)connect(shared.socket, &none, sizeof(none));
	return NULL;
}

/* One socket in the hands of several threads, while the stack ends its connections: each slot comes back. */
TEST(threads_that_connect_and_disconnect_leave_no_slot)
{
	void *(*const bodies[])(void *) = { connects, connects, disconnects, disconnects };
	enum { THREADS = sizeof(bodies) / sizeof(bodies[0]) };
	pthread_t threads[THREADS];
	long long end = storm_end();
	struct stack s;

	end_all();
	s = stack_open();
	shared.socket = CHECK_OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, bodies[i], NULL), 0);
	while (!storm_over(end))
		end_those_there_are(&s);
	__atomic_store_n(&shared.over, true, __ATOMIC_RELAXED);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	close(shared.socket);
	end_those_there_are(&s);
	CHECK_EQ(end_those_there_are(&s), 0);
	stack_close(&s);
}
