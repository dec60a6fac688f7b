/* SPDX-License-Identifier: MIT */
/* io_uring: requests that are answered many times, and the buffers that they take. */
#include "ring.h"

#include <poll.h>
#include <sys/eventfd.h>

static int
cancel(struct ring *r, uint64_t data, struct answer *ended)
{
	int result = 1;

	sqe(r, IORING_OP_ASYNC_CANCEL, -1, (void *)data, 0, 0, 99);
	CHECK_EQ(submit(r, 2), 1);
	for (int i = 0; i < 2; i++) {
		struct answer a = next(r);

		if (a.user_data == 99)
			result = a.res;
		else
			*ended = a;
	}
	return result;
}

TEST(uring_accepts_again_and_again)
{
	struct ring r = ring_of(8);
	int fd = listener("s");
	struct answer a;

	sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 5)->ioprio = IORING_ACCEPT_MULTISHOT;
	CHECK_EQ(submit(&r, 0), 1);
	for (int i = 0; i < 3; i++) {
		int client = connected("s");
		char c;

		a = next(&r);
		CHECK_EQ(a.user_data, 5);
		CHECK(a.res > 0);
		CHECK_EQ(a.flags, IORING_CQE_F_MORE);
		CHECK_OK(write(client, "x", 1));
		check_read_all(a.res, &c, 1);
	}
	CHECK_EQ(cancel(&r, 5, &a), 0);
	CHECK_EQ(a.res, -ECANCELED);
	CHECK_EQ(a.flags, 0);
	/* Several that wait already. */
	close(connected("s"));
	close(connected("s"));
	sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 5)->ioprio = IORING_ACCEPT_MULTISHOT;
	CHECK_EQ(submit(&r, 2), 1);
	CHECK_EQ(next(&r).flags, IORING_CQE_F_MORE);
	CHECK_EQ(next(&r).flags, IORING_CQE_F_MORE);
}

TEST(uring_accepts_into_free_places)
{
	struct ring r = ring_of(8);
	struct io_uring_rsrc_register all = { .nr = 2, .flags = IORING_RSRC_REGISTER_SPARSE };
	int fd = listener("s");
	struct io_uring_sqe *s;
	struct answer a;

	CHECK_OK(reg(&r, IORING_REGISTER_FILES2, &all, sizeof(all)));
	s = sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 5);
	s->ioprio = IORING_ACCEPT_MULTISHOT;
	s->file_index = IORING_FILE_INDEX_ALLOC;
	CHECK_EQ(submit(&r, 0), 1);
	for (int i = 0; i < 3; i++) {
		(void)connected("s");
		a = next(&r);
		CHECK_EQ(a.res, i < 2 ? i : -ENFILE);
		CHECK_EQ(a.flags, i < 2 ? IORING_CQE_F_MORE : 0);
	}
	s = sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 5);
	s->ioprio = IORING_ACCEPT_MULTISHOT;
	s->file_index = 1;
	CHECK_EQ(run(&r, s), -EINVAL);
	sqe(&r, IORING_OP_ACCEPT, fd, NULL, 0, 0, 5)->ioprio = 4;
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, -EINVAL);
}

/* --- a ring of buffers ------------------------------------------------------------------------------ */

enum { BUFFERS = 4, SIZE = 8 };

struct buffers {
	struct io_uring_buf_ring *ring;
	uint16_t tail;
	char memory[BUFFERS][SIZE];
};

static void
give(struct buffers *b, int id)
{
	struct io_uring_buf *e = &b->ring->bufs[b->tail & (BUFFERS - 1)];

	e->addr = (uintptr_t)b->memory[id];
	e->len = SIZE;
	e->bid = (uint16_t)id;
	__atomic_store_n(&b->ring->tail, ++b->tail, __ATOMIC_RELEASE);
}

static void
buffers_of(struct ring *r, struct buffers *b, uint16_t group)
{
	struct io_uring_buf_reg one = { .ring_entries = BUFFERS, .bgid = group };

	*b = (struct buffers){ 0 };
	b->ring = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	one.ring_addr = (uintptr_t)b->ring;
	CHECK_OK(reg(r, IORING_REGISTER_PBUF_RING, &one, 1));
}

static void
take(struct ring *r, int fd, int op, uint16_t group, uint64_t data, int flags)
{
	struct io_uring_sqe *s = sqe(r, op, fd, NULL, 0, 0, data);

	s->flags = IOSQE_BUFFER_SELECT;
	s->buf_group = group;
	s->ioprio = (uint16_t)flags;
}

TEST(uring_buffer_ring_registration)
{
	struct ring r = ring_of(8);
	struct buffers b;
	struct io_uring_buf_reg one = { .ring_entries = BUFFERS, .bgid = 3 };

	buffers_of(&r, &b, 3);
	one.ring_addr = (uintptr_t)b.ring;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EEXIST);
	one.bgid = 4;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 2), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, NULL, 1), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, check_bad_address(), 1), EFAULT);
	one.ring_entries = 3;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EINVAL);
	one.ring_entries = 65536;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EINVAL);
	one.ring_entries = 4;
	one.ring_addr += 8;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EINVAL);
	one.ring_addr = 0;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EFAULT);
	one.ring_addr = (uintptr_t)b.ring;
	one.resv[1] = 1;
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EINVAL);
	one.resv[1] = 0;
	/* Low numbers are all known when one is; others come and go. */
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1), EINVAL);
	one.bgid = 1000;
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1), ENOENT);
	CHECK_OK(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1));
	CHECK_OK(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1));
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1), ENOENT);
	one.bgid = 3;
	CHECK_OK(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1));
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1), EINVAL);
	/* A group whose buffers were given one by one. */
	struct io_uring_sqe *s = sqe(&r, IORING_OP_PROVIDE_BUFFERS, 1, b.memory, SIZE, 0, 1);
	s->buf_group = 3;
	CHECK_EQ(run(&r, s), 0);
	CHECK_ERRNO(reg(&r, IORING_UNREGISTER_PBUF_RING, &one, 1), EINVAL);
	CHECK_ERRNO(reg(&r, IORING_REGISTER_PBUF_RING, &one, 1), EEXIST);
}

TEST(uring_buffer_ring_is_read_in_its_order)
{
	struct ring r = ring_of(8);
	struct buffers b;
	struct answer a;
	int p[2];

	CHECK_OK(pipe(p));
	buffers_of(&r, &b, 1);
	CHECK_OK(write(p[1], "abcdefghij", 10));
	take(&r, p[0], IORING_OP_READ, 1, 7, 0);
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, -ENOBUFS);
	give(&b, 2);
	give(&b, 0);
	take(&r, p[0], IORING_OP_READ, 1, 7, 0);
	CHECK_EQ(submit(&r, 1), 1);
	a = next(&r);
	CHECK_EQ(a.res, SIZE);
	CHECK_EQ(a.flags, IORING_CQE_F_BUFFER | 2u << IORING_CQE_BUFFER_SHIFT);
	CHECK_MEM(b.memory[2], "abcdefgh", 8);
	take(&r, p[0], IORING_OP_READ, 1, 7, 0);
	CHECK_EQ(submit(&r, 1), 1);
	a = next(&r);
	CHECK_EQ(a.res, 2);
	CHECK_EQ(a.flags, IORING_CQE_F_BUFFER);
	/* Round and round. */
	for (int i = 0; i < 10; i++) {
		give(&b, i % BUFFERS);
		CHECK_OK(write(p[1], "z", 1));
		take(&r, p[0], IORING_OP_READ, 1, 7, 0);
		CHECK_EQ(submit(&r, 1), 1);
		CHECK_EQ(next(&r).flags >> IORING_CQE_BUFFER_SHIFT, i % BUFFERS);
	}
}

/* Who waits holds no buffer: two wait, and one buffer is enough for one after the other. */
TEST(uring_waiting_takes_no_buffer)
{
	struct ring r = ring_of(8);
	struct buffers b;
	int p[2], q[2];

	CHECK_OK(pipe(p));
	CHECK_OK(pipe(q));
	buffers_of(&r, &b, 1);
	give(&b, 1);
	take(&r, p[0], IORING_OP_READ, 1, 1, 0);
	take(&r, q[0], IORING_OP_READ, 1, 2, 0);
	CHECK_EQ(submit(&r, 0), 2);
	CHECK_EQ(ready(&r), 0);
	CHECK_OK(write(q[1], "q", 1));
	CHECK_EQ(next(&r).user_data, 2);
	give(&b, 3);
	CHECK_OK(write(p[1], "p", 1));
	struct answer a = next(&r);
	CHECK_EQ(a.user_data, 1);
	CHECK_EQ(a.flags >> IORING_CQE_BUFFER_SHIFT, 3);
	CHECK_EQ(b.memory[3][0], 'p');
}

TEST(uring_receives_again_and_again)
{
	struct ring r = ring_of(8);
	struct buffers b;
	struct answer a;
	int s[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	buffers_of(&r, &b, 1);
	for (int i = 0; i < BUFFERS; i++)
		give(&b, i);
	take(&r, s[0], IORING_OP_RECV, 1, 6, IORING_RECV_MULTISHOT);
	CHECK_EQ(submit(&r, 0), 1);
	for (int i = 0; i < BUFFERS; i++) {
		CHECK_OK(write(s[1], "hello", 5));
		a = next(&r);
		CHECK_EQ(a.res, 5);
		CHECK_EQ(a.flags, IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | (unsigned)i << IORING_CQE_BUFFER_SHIFT);
		CHECK_MEM(b.memory[i], "hello", 5);
	}
	/* No buffer is left. */
	CHECK_OK(write(s[1], "hello", 5));
	a = next(&r);
	CHECK_EQ(a.res, -ENOBUFS);
	CHECK_EQ(a.flags, 0);
	give(&b, 1);
	give(&b, 2);
	take(&r, s[0], IORING_OP_RECV, 1, 6, IORING_RECV_MULTISHOT);
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).flags, IORING_CQE_F_BUFFER | IORING_CQE_F_MORE | 1u << IORING_CQE_BUFFER_SHIFT);
	/* The end of the stream is the last answer. */
	close(s[1]);
	a = next(&r);
	CHECK_EQ(a.res, 0);
	CHECK_EQ(a.flags & IORING_CQE_F_MORE, 0);
}

TEST(uring_receives_again_errors)
{
	struct ring r = ring_of(8);
	struct io_uring_sqe *s;
	char c;
	int p[2];

	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
	sqe(&r, IORING_OP_RECV, p[0], &c, 1, 0, 1)->ioprio = IORING_RECV_MULTISHOT;
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, -EINVAL);
	take(&r, p[0], IORING_OP_RECV, 1, 1, 0x100);
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, -EINVAL);
	s = sqe(&r, IORING_OP_RECV, p[0], NULL, 1, 0, 1);
	s->flags = IOSQE_BUFFER_SELECT;
	s->ioprio = IORING_RECV_MULTISHOT;
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, -EINVAL);
	/* To wait before the first try is no more than that. */
	sqe(&r, IORING_OP_RECV, p[0], &c, 1, 0, 1)->ioprio = IORING_RECVSEND_POLL_FIRST;
	CHECK_EQ(submit(&r, 0), 1);
	CHECK_OK(write(p[1], "x", 1));
	CHECK_EQ(next(&r).res, 1);
	/* No signal where the other side is gone. */
	close(p[1]);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_SEND, p[0], &c, 1, 0, 1)), -EPIPE);
}

/* Buffers given one by one are taken in the order they came. */
TEST(uring_provided_buffers_come_in_order)
{
	struct ring r = ring_of(8);
	static char memory[4][8];
	int p[2];

	CHECK_OK(pipe(p));
	CHECK_OK(write(p[1], "abcdefgh", 8));
	sqe(&r, IORING_OP_PROVIDE_BUFFERS, 4, memory, 8, 10, 1)->buf_group = 5;
	CHECK_EQ(submit(&r, 1), 1);
	CHECK_EQ(next(&r).res, 0);
	for (unsigned int i = 0; i < 4; i++) {
		struct io_uring_sqe *s = sqe(&r, IORING_OP_READ, p[0], NULL, 2, 0, 2);
		struct answer a;

		s->flags = IOSQE_BUFFER_SELECT;
		s->buf_group = 5;
		CHECK_EQ(submit(&r, 1), 1);
		a = next(&r);
		CHECK_EQ(a.res, 2);
		CHECK_EQ(a.flags >> IORING_CQE_BUFFER_SHIFT, 10 + i);
	}
}

/* --- very many ---------------------------------------------------------------------------------------- */

TEST(uring_many_polls_are_cancelled_one_by_one)
{
	enum { MANY = 8192 };
	struct ring r = ring_of(4096);
	int fd = CHECK_OK(eventfd(0, 0));
	int ended = 0, cancelled = 0;

	TIMEOUT(30);
	for (int i = 0; i < MANY; i++) {
		sqe(&r, IORING_OP_POLL_ADD, fd, NULL, 0, 0, (uint64_t)i)->poll32_events = POLLIN;
		if (i % 4096 == 4095)
			CHECK_EQ(submit(&r, 0), 4096);
	}
	for (int i = MANY - 1; i >= 0; i--) {
		sqe(&r, IORING_OP_ASYNC_CANCEL, -1, (void *)(uintptr_t)i, 0, 0, 1u << 20);
		if (i % 1024)
			continue;
		CHECK_EQ(submit(&r, 2048), 1024);
		for (int k = 0; k < 2048; k++) {
			struct answer a = next(&r);

			CHECK_EQ(a.res, a.user_data == 1u << 20 ? 0 : -ECANCELED);
			if (a.user_data == 1u << 20)
				cancelled++;
			else
				ended++;
		}
	}
	CHECK_EQ(cancelled, MANY);
	CHECK_EQ(ended, MANY);
}

TEST(uring_link_timeout_alone_is_einval)
{
	struct ring r = ring_of(8);
	struct timespec second = { .tv_sec = 1 };
	struct answer a;

	CHECK_EQ(run(&r, sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &second, 1, 0, 1)), -EINVAL);
	/* One that guards another guards nothing. */
	sqe(&r, IORING_OP_NOP, -1, NULL, 0, 0, 1)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &second, 1, 0, 2)->flags = IOSQE_IO_LINK;
	sqe(&r, IORING_OP_LINK_TIMEOUT, -1, &second, 1, 0, 3);
	CHECK_EQ(submit(&r, 3), 3);
	for (int i = 0; i < 3; i++) {
		a = next(&r);
		CHECK_EQ(a.res, a.user_data == 3 ? -EINVAL : -ECANCELED);
	}
}
