/* SPDX-License-Identifier: MIT */
/*
 * uring.c - io_uring on a disk past the page cache: who submits does not wait for it, and so one thread has more than one
 * request with it.
 */
#include "../io_uring/ring.h"
#include "daemon.h"

enum { REQUESTS = 8 };

/* The daemon takes no notice of requests until there are as many as that. */
static void
many_at_once(int opcode)
{
	struct disk *d = disk_create(0);
	pid_t daemon = daemon_start(d, true);
	struct ring r = ring_of(REQUESTS);
	unsigned char *memory = aligned(REQUESTS * 512);
	int fd = CHECK_OK(open(d->path, O_RDWR | O_DIRECT));

	for (int i = 0; i < REQUESTS; i++) {
		memset(opcode == IORING_OP_READ ? d->data + i * 1024 : memory + i * 512, 'a' + i, 512);
		sqe(&r, opcode, fd, memory + i * 512, 512, (uint64_t)i * 1024, (uint64_t)i);
	}
	d->behaviour = HOLD;
	CHECK_EQ(submit(&r, 0), REQUESTS);
	while (d->seen < REQUESTS)
		check_sleep_ms(1);
	CHECK_EQ(ready(&r), 0u);
	daemon_kill(daemon);
	d->behaviour = SERVE;
	daemon = daemon_start(d, false);
	for (int i = 0; i < REQUESTS; i++)
		CHECK_EQ(next(&r).res, 512);
	for (int i = 0; i < REQUESTS; i++)
		CHECK_MEM(d->data + i * 1024, memory + i * 512, 512);
	close(fd);
	close(r.fd);
	daemon_kill(daemon);
	disk_destroy(d);
}

TEST(a_ring_has_many_reads_with_a_disk)
{
	many_at_once(IORING_OP_READ);
}

TEST(a_ring_has_many_writes_with_a_disk)
{
	many_at_once(IORING_OP_WRITE);
}
