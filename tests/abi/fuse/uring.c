/* SPDX-License-Identifier: MIT */
/*
 * uring.c - io_uring on files of a daemon: who submits does not wait for it.
 */
#include "../io_uring/ring.h"
#include "daemon.h"

static char buf[8192] __attribute__((aligned(4096)));

/* The ring lets go of the file when it likes. */
static void
over(struct ring *r)
{
	int status;

	close(r->fd);
	UNTIL(umount2(MNT, 0) == 0);
	CHECK_OK(waitpid(daemon_pid, &status, 0));
	CHECK_EQ(status, 0);
}

/* Submit a transfer that the daemon holds; it is over when that is answered. */
static void
held_transfer(int opcode, int held, uint32_t init_flags, int flags)
{
	bool reads = opcode == IORING_OP_READ;
	struct ring r = ring_of(4);
	int fd;

	daemon_prepare();
	shared->attr_valid = 1000;
	shared->init_flags = init_flags | FUSE_ASYNC_READ; /* without, Linux waits for what it fetches ahead */
	shared->error[FUSE_POLL] = -ENOSYS;                /* with one it waits for that, too */
	shared->silent = held;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | flags));
	memcpy(buf, "HELLO", 5);
	sqe(&r, opcode, fd, buf, reads ? sizeof(buf) : 5, 0, 1);
	CHECK_EQ(submit(&r, 0), 1);
	UNTIL(atomic_load(&shared->count[held]) == 1);
	CHECK_EQ(ready(&r), 0);
	shared->silent = -2;
	shared->release_silent = true;
	CHECK_EQ(next(&r).res, reads ? 6 : 5);
	close(fd);
	CHECK_MEM(reads ? buf : shared->node[2].data, reads ? "hello\n" : "HELLO\n", 6);
	over(&r);
}

TEST(a_ring_reads_what_a_daemon_has)
{
	held_transfer(IORING_OP_READ, FUSE_READ, 0, 0);
}

TEST(a_ring_reads_what_a_daemon_has_past_the_cache)
{
	held_transfer(IORING_OP_READ, FUSE_READ, FUSE_ASYNC_DIO, O_DIRECT);
}

TEST(a_ring_writes_to_a_daemon)
{
	held_transfer(IORING_OP_WRITE, FUSE_WRITE, 0, 0);
}

/* A page that is written in part is read first. */
TEST(a_ring_writes_what_is_kept)
{
	held_transfer(IORING_OP_WRITE, FUSE_READ, FUSE_WRITEBACK_CACHE, 0);
}

/* A page is there, the next one is not: the answer is all of it. */
TEST(a_ring_reads_on_where_the_cache_ends)
{
	struct ring r = ring_of(4);
	int fd;

	daemon_prepare();
	shared->attr_valid = 1000;
	memset(shared->node[2].data, 'd', 64 * 4096);
	shared->node[2].attr.size = 64 * 4096;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 4096, 8 * 4096)), 4096);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, buf, sizeof(buf), 8 * 4096, 1)), (int)sizeof(buf));
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, buf, sizeof(buf), 63 * 4096, 1)), 4096);
	CHECK_EQ(run(&r, sqe(&r, IORING_OP_READ, fd, buf, sizeof(buf), 64 * 4096, 1)), 0);
	close(fd);
	over(&r);
}
