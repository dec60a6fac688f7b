/* SPDX-License-Identifier: MIT */
/*
 * ring.h - what the cases of io_uring share: a ring mapped and filled by hand, by its calls alone.
 */
#ifndef ABI_URING_RING_H
#define ABI_URING_RING_H

#include "../check.h"

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

/* struct io_uring_cqe without what may follow. */
struct answer {
	uint64_t user_data;
	int32_t res;
	uint32_t flags;
};

struct ring {
	int fd;
	struct io_uring_params p;
	char *memory;
	struct io_uring_sqe *sqes;
	unsigned int tail;
};

static inline int
setup(unsigned int entries, struct io_uring_params *p)
{
	return (int)syscall(SYS_io_uring_setup, entries, p);
}

static inline int
enter(struct ring *r, unsigned int submit, unsigned int wait, unsigned int flags)
{
	return (int)syscall(SYS_io_uring_enter, r->fd, submit, wait, flags, NULL, 0);
}

static inline int
reg(struct ring *r, unsigned int command, void *arg, unsigned int n)
{
	return (int)syscall(SYS_io_uring_register, r->fd, command, arg, n);
}

static inline unsigned int *
word(struct ring *r, unsigned int offset)
{
	return (unsigned int *)(r->memory + offset);
}

static inline struct ring
ring_with(unsigned int entries, struct io_uring_params p)
{
	struct ring r = { .p = p };

	r.fd = setup(entries, &r.p);
	if (r.fd == -1 && (errno == ENOSYS || errno == EPERM))
		SKIP("no io_uring here");
	CHECK(r.fd >= 0);
	CHECK(r.p.features & IORING_FEAT_SINGLE_MMAP);
	size_t size = r.p.sq_off.array + r.p.sq_entries * 4;
	size_t cq = r.p.cq_off.cqes + r.p.cq_entries * sizeof(struct answer);
	r.memory = CHECK_OK(mmap(NULL, size > cq ? size : cq, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_POPULATE, r.fd, IORING_OFF_SQ_RING));
	r.sqes = CHECK_OK(mmap(NULL, r.p.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_POPULATE, r.fd, IORING_OFF_SQES));
	return r;
}

static inline struct ring
ring_of(unsigned int entries)
{
	return ring_with(entries, (struct io_uring_params){ 0 });
}

/* The next entry to be filled; all are submitted by submit(). */
static inline struct io_uring_sqe *
sqe(struct ring *r, int op, int fd, const void *addr, unsigned int len, uint64_t off, uint64_t data)
{
	unsigned int index = r->tail & (r->p.sq_entries - 1);
	struct io_uring_sqe *s = &r->sqes[index];

	memset(s, 0, sizeof(*s));
	s->opcode = (uint8_t)op;
	s->fd = fd;
	s->addr = (uintptr_t)addr;
	s->len = len;
	s->off = off;
	s->user_data = data;
	word(r, r->p.sq_off.array)[index] = index;
	r->tail++;
	return s;
}

static inline int
submit(struct ring *r, unsigned int wait)
{
	unsigned int n = r->tail - __atomic_load_n(word(r, r->p.sq_off.head), __ATOMIC_ACQUIRE);

	__atomic_store_n(word(r, r->p.sq_off.tail), r->tail, __ATOMIC_RELEASE);
	return enter(r, n, wait, wait ? IORING_ENTER_GETEVENTS : 0);
}

static inline unsigned int
ready(struct ring *r)
{
	return __atomic_load_n(word(r, r->p.cq_off.tail), __ATOMIC_ACQUIRE) - *word(r, r->p.cq_off.head);
}

/* The next answer, waited for. */
static inline struct answer
next(struct ring *r)
{
	struct answer c;

	while (ready(r) == 0)
		CHECK_OK(enter(r, 0, 1, IORING_ENTER_GETEVENTS));
	unsigned int head = *word(r, r->p.cq_off.head);
	memcpy(&c, r->memory + r->p.cq_off.cqes + (head & (r->p.cq_entries - 1)) * sizeof(c), sizeof(c));
	__atomic_store_n(word(r, r->p.cq_off.head), head + 1, __ATOMIC_RELEASE);
	return c;
}

/* The next two answers, that of the lower user_data first: in which order they come is nobody's promise. */
static inline void
next_two(struct ring *r, struct answer two[2])
{
	struct answer a = next(r), b = next(r);

	CHECK(a.user_data != b.user_data);
	two[0] = a.user_data < b.user_data ? a : b;
	two[1] = a.user_data < b.user_data ? b : a;
}

/* One request, submitted and answered. */
static inline int
run(struct ring *r, struct io_uring_sqe *s)
{
	uint64_t data = s->user_data;

	CHECK_EQ(submit(r, 1), 1);
	struct answer c = next(r);
	CHECK_EQ(c.user_data, data);
	return c.res;
}

/* A socket that listens in the case's folder, and one that is connected to it. */
static inline int
listener(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(address.sun_path, name);
	CHECK_OK(bind(fd, (void *)&address, sizeof(address)));
	CHECK_OK(listen(fd, 8));
	return fd;
}

static inline int
connected(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));

	strcpy(address.sun_path, name);
	CHECK_OK(connect(fd, (void *)&address, sizeof(address)));
	return fd;
}

#endif
