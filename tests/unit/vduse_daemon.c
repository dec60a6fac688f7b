/* SPDX-License-Identifier: MIT */
/* unit: lib/driver/vduse.c lib/driver/device_ring.c lib/driver/block.c lib/driver/block_vduse.c lib/driver/loop.c lib/driver/log.c lib/driver/manager.c */
/*
 * vduse_daemon.c - a driver's upper half against a kernel that this test plays: rings in shared memory, messages,
 * sense and nonsense, a daemon that dies.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../lib/driver/driver.h"
#include "../../lib/driver/manager.h"
#include "../../lib/driver/virtio_blk_hw.h"

#define MEMORY	(1 << 20)
#define SECTORS 256
#define SIZE	16

/* ------------------------------------------------------------------------------------- the kernel's side */

static struct kernel {
	uint8_t *memory; /* named from 0 on */
	int memory_fd, far;
	uint16_t avail_index;
	bool ready, no_memory;
	int kick, interrupts;
} k;

#define DESC  ((struct vring_desc *)k.memory)
#define AVAIL ((struct vring_avail *)(k.memory + 0x1000))
#define USED  ((struct vring_used *)(k.memory + 0x2000))
#define TABLE ((struct vring_desc *)(k.memory + 0x3000))
#define DATA  0x10000

int
ioctl(int fd, unsigned long request, ...)
{
	va_list ap;
	void *arg;

	va_start(ap, request);
	arg = va_arg(ap, void *);
	va_end(ap);
	switch (request) {
	case VDUSE_IOTLB_GET_FD: {
		struct vduse_iotlb_entry *e = arg;

		if (e->start >= MEMORY || k.no_memory) {
			errno = EINVAL;
			return -1;
		}
		*e = (struct vduse_iotlb_entry){ .last = MEMORY - 1, .perm = VDUSE_ACCESS_RW };
		return dup(k.memory_fd);
	}
	case VDUSE_VQ_GET_INFO: {
		struct vduse_vq_info *i = arg;

		i->num = SIZE;
		i->desc_addr = 0;
		i->driver_addr = 0x1000;
		i->device_addr = 0x2000;
		i->split.avail_index = k.avail_index;
		i->ready = k.ready;
		return 0;
	}
	case VDUSE_DEV_GET_FEATURES:
		*(uint64_t *)arg = 1ull << VIRTIO_VERSION_1 | 1ull << VIRTIO_INDIRECT_DESC;
		return 0;
	case VDUSE_VQ_SETUP_KICKFD:
		k.kick = ((struct vduse_vq_eventfd *)arg)->fd;
		return 0;
	case VDUSE_VQ_INJECT_IRQ:
		k.interrupts++;
		return 0;
	default:
		return 0;
	}
}

static void
ask(struct vduse_dev_request request)
{
	assert_int_equal(write(k.far, &request, sizeof(request)), sizeof(request));
	loop_once(0);
}

/* The daemon's answer, or -1 when there is none yet. */
static int
answer(struct vduse_dev_response *r)
{
	return recv(k.far, r, sizeof(*r), MSG_DONTWAIT) == sizeof(*r) ? (int)r->result : -1;
}

static void
set_status(uint8_t status)
{
	ask((struct vduse_dev_request){ .type = VDUSE_SET_STATUS, .request_id = 5, .s.status = status });
}

static void
offer(uint16_t head)
{
	AVAIL->ring[AVAIL->idx % SIZE] = head;
	AVAIL->idx++;
}

static void
kick(void)
{
	uint64_t one = 1;

	assert_int_equal(write(k.kick, &one, sizeof(one)), sizeof(one));
	loop_once(0);
}

static void
describe(struct vring_desc *d, unsigned at, uint64_t addr, uint32_t len, uint16_t flags)
{
	d[at] = (struct vring_desc){ .addr = addr, .len = len, .flags = flags, .next = at + 1 };
}

static uint8_t *
status_of(unsigned slot)
{
	return k.memory + DATA + slot * 0x4000 + 0x3000;
}

/* A request of `sectors` in the descriptors from `at` on: a header, one piece of data, the status. */
static void
request(struct vring_desc *d, unsigned at, unsigned slot, uint32_t type, uint64_t sector, uint32_t sectors)
{
	uint64_t base = DATA + slot * 0x4000;

	*(struct virtio_blk_header *)(k.memory + base) = (struct virtio_blk_header){ .type = type, .sector = sector };
	*status_of(slot) = 0xee;
	describe(d, at, base, 16, VRING_DESC_NEXT);
	if (sectors) {
		describe(d, at + 1, base + 0x1000, sectors * 512, VRING_DESC_NEXT | (type ? 0 : VRING_DESC_WRITE));
		at++;
	}
	describe(d, at + 1, base + 0x3000, 1, VRING_DESC_WRITE);
}

static uint8_t *
data_of(unsigned slot)
{
	return k.memory + DATA + slot * 0x4000 + 0x1000;
}

static unsigned
answered(void)
{
	return USED->idx;
}

/* ------------------------------------------------------------------------------------- the driver's side */

static uint8_t disk[SECTORS * 512];
static struct block_request *held[64];
static unsigned held_count;
static bool hold;

static void
do_request(struct block_request *r)
{
	uint64_t at = r->sector * 512;

	for (unsigned i = 0; i < r->segment_count; i++) {
		if (r->op == BLOCK_READ)
			memcpy(r->segments[i].addr, disk + at, r->segments[i].size);
		else
			memcpy(disk + at, r->segments[i].addr, r->segments[i].size);
		at += r->segments[i].size;
	}
	block_complete(r, 0);
}

static int
submit(struct block_driver *b, struct block_request *r)
{
	held[held_count++] = r;
	return 0;
}

/* The last comes first. */
static void
commit(struct block_driver *b, unsigned queue)
{
	while (held_count && !hold)
		do_request(held[--held_count]);
}

static void
no_poll(struct block_driver *b)
{
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .poll = no_poll };

int
dma_map(struct device *d, void *addr, size_t size, uint64_t *bus)
{
	*bus = (uintptr_t)addr;
	return 0;
}

void
dma_unmap(struct device *d, uint64_t bus, size_t size)
{
}

void
dma_forget_predecessor(struct device *d)
{
}

int
dma_alloc(struct device *d, struct dma *m, size_t size)
{
	return -ENOMEM;
}

int
driver_confine(const struct driver_options *o)
{
	loop_stop(0); /* block_serve() comes back; the test turns the loop */
	return 0;
}

int
block_serve_test(struct block_driver **disks, unsigned count, const struct driver_options *o)
{
	return 0;
}

/* A daemon, for a kernel that is new or that has had another. One that is left behind is dead: it gets no more. */
static void
start(bool adopt)
{
	struct block_driver *b = calloc(1, sizeof(*b)), *disks[] = { b };
	struct driver_options o = { 0 };
	struct vduse_dev_response r;
	int ends[2], manager[2];

	held_count = 0;
	hold = false;
	b->ops = &ops;
	b->disk = (struct block_disk){
		.sectors = SECTORS, .block_size = 512, .sectors_max = 16, .segments_max = 8, .queues = 1, .depth = 16,
		.write_cache = true, .id = "disk",
	};
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, manager), 0);
	/* The manager's answer waits already. */
	assert_int_equal(manager_answer(manager[1], ends[0], &(struct manager_answer){ 0 }), 0);
	close(ends[0]);
	o.manager_fd = manager[0];
	k.far = ends[1];
	k.ready = adopt;
	if (!adopt) {
		memset(k.memory, 0, MEMORY);
		k.avail_index = 0;
	}
	assert_int_equal(block_serve(disks, 1, &o), 0);
	if (adopt) {
		loop_once(0);
		return;
	}
	k.ready = true;
	set_status(VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK | VIRTIO_DRIVER_OK);
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_OK);
	assert_int_equal(r.request_id, 5);
}

/* -------------------------------------------------------------------------------------------------- sense */

static void
test_reads_and_writes(void **state)
{
	start(false);
	request(DESC, 0, 0, VIRTIO_BLK_OUT, 7, 2);
	memset(data_of(0), 0x5a, 1024);
	request(DESC, 4, 1, VIRTIO_BLK_DO_FLUSH, 0, 0);
	offer(0);
	offer(4);
	k.interrupts = 0;
	kick();
	assert_int_equal(answered(), 2);
	assert_int_equal(*status_of(0), VIRTIO_BLK_OK);
	assert_int_equal(*status_of(1), VIRTIO_BLK_OK);
	assert_int_equal(k.interrupts, 1); /* one for both */
	assert_int_equal(disk[7 * 512], 0x5a);
	assert_int_equal(disk[9 * 512 - 1], 0x5a);
	/* By a table of its own, and read back. */
	request(TABLE, 0, 2, VIRTIO_BLK_IN, 7, 2);
	describe(DESC, 8, 0x3000, 3 * sizeof(struct vring_desc), VRING_DESC_INDIRECT);
	offer(8);
	kick();
	assert_int_equal(answered(), 3);
	assert_int_equal(*status_of(2), VIRTIO_BLK_OK);
	assert_int_equal(USED->ring[2].id, 8);
	assert_int_equal(USED->ring[2].len, 1025);
	assert_memory_equal(data_of(2), data_of(0), 1024);
}

static void
test_identity(void **state)
{
	start(false);
	request(DESC, 0, 0, VIRTIO_BLK_GET_ID, 0, 1);
	DESC[1].len = VIRTIO_BLK_ID_SIZE;
	DESC[1].flags |= VRING_DESC_WRITE;
	offer(0);
	kick();
	assert_int_equal(*status_of(0), VIRTIO_BLK_OK);
	assert_string_equal((char *)data_of(0), "disk");
}

/* What each request gets that asks for what the disk has not. */
static void
test_refusals(void **state)
{
	static const struct {
		uint32_t type;
		uint64_t sector;
		uint32_t sectors;
		uint8_t status;
	} cases[] = {
		{ VIRTIO_BLK_IN, SECTORS, 1, VIRTIO_BLK_IOERR },
		{ VIRTIO_BLK_OUT, SECTORS - 1, 2, VIRTIO_BLK_IOERR },
		{ VIRTIO_BLK_IN, UINT64_MAX, 2, VIRTIO_BLK_IOERR },
		{ VIRTIO_BLK_IN, 0, 0, VIRTIO_BLK_IOERR },
		{ VIRTIO_BLK_DO_DISCARD, 0, 1, VIRTIO_BLK_UNSUPP },
		{ 77, 0, 0, VIRTIO_BLK_UNSUPP },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		start(false);
		request(DESC, 0, 0, cases[i].type, cases[i].sector, cases[i].sectors);
		offer(0);
		kick();
		assert_int_equal(answered(), 1);
		assert_int_equal(*status_of(0), cases[i].status);
	}
	/* A piece that is no whole sector; more than the disk takes at once. */
	for (uint32_t size = 100; size <= 17 * 512; size += 17 * 512 - 100) {
		start(false);
		request(DESC, 0, 0, VIRTIO_BLK_IN, 0, 1);
		DESC[1].len = size;
		offer(0);
		kick();
		assert_int_equal(answered(), 1);
		assert_int_not_equal(*status_of(0), VIRTIO_BLK_OK);
	}
}

/* ----------------------------------------------------------------------------------------------- nonsense */

static void
spoil_head(void)
{
	AVAIL->ring[0] = SIZE + 3;
}

static void
spoil_circle(void)
{
	DESC[1].next = 0;
	DESC[1].flags = VRING_DESC_NEXT;
}

static void
spoil_address(void)
{
	DESC[1].addr = MEMORY - 100;
}

static void
spoil_wrap(void)
{
	DESC[1].addr = UINT64_MAX - 100;
}

static void
spoil_next(void)
{
	DESC[0].next = 999;
}

static void
spoil_nested(void)
{
	describe(TABLE, 0, 0x3000, 16, VRING_DESC_INDIRECT);
	describe(DESC, 0, 0x3000, 16, VRING_DESC_INDIRECT);
}

static void
spoil_table_size(void)
{
	describe(DESC, 0, 0x3000, 17, VRING_DESC_INDIRECT);
}

static void
spoil_order(void)
{
	DESC[0].flags |= VRING_DESC_WRITE;
	DESC[1].flags &= ~VRING_DESC_WRITE;
}

static void
spoil_status(void)
{
	DESC[1].flags &= ~(VRING_DESC_NEXT | VRING_DESC_WRITE);
}

static void
spoil_header(void)
{
	DESC[0].len = 3;
}

static void
spoil_empty(void)
{
	DESC[0].len = 0;
}

/* Each is given back, and the next request is served. */
static void
test_nonsense(void **state)
{
	static void (*const spoils[])(void) = { spoil_head, spoil_circle, spoil_address, spoil_wrap, spoil_next, spoil_nested,
		spoil_table_size, spoil_order, spoil_status, spoil_header, spoil_empty };

	for (size_t i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
		start(false);
		request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
		offer(0);
		spoils[i]();
		request(DESC, 8, 1, VIRTIO_BLK_IN, 1, 1);
		offer(8);
		kick();
		assert_int_equal(answered(), 2);
		assert_int_not_equal(*status_of(0), VIRTIO_BLK_OK);
		assert_int_equal(*status_of(1), VIRTIO_BLK_OK);
	}
}

/* More requests than the ring has room for: nothing is taken. */
static void
test_index_that_jumps(void **state)
{
	start(false);
	AVAIL->idx = 1000;
	kick();
	assert_int_equal(answered(), 0);
}

/* The same head again and again: no more under way than there is room for, and none is lost. */
static void
test_one_head_many_times(void **state)
{
	start(false);
	hold = true;
	request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < SIZE; i++)
			offer(0);
		kick();
	}
	assert_int_equal(held_count, 3 * SIZE);
	hold = false;
	request(DESC, 4, 1, VIRTIO_BLK_DO_FLUSH, 0, 0);
	offer(4);
	kick();
	assert_int_equal(answered(), 3 * SIZE + 1);
}

/* ------------------------------------------------------------------------------------- states of the device */

/* A status of 0 is answered when nothing is under way, and not before. */
static void
test_reset_waits(void **state)
{
	struct vduse_dev_response r;

	start(false);
	hold = true;
	request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
	offer(0);
	kick();
	k.ready = false;
	set_status(0);
	assert_int_equal(answer(&r), -1);
	offer(0);
	kick(); /* not taken any more */
	assert_int_equal(held_count, 1);
	hold = false;
	do_request(held[--held_count]);
	loop_once(0);
	kick();
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_OK);
	assert_int_equal(answered(), 1);
}

/* Memory that goes away is mapped again when it is met, and the ring goes on. */
static void
test_memory_changes(void **state)
{
	struct vduse_dev_response r;

	start(false);
	request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
	offer(0);
	kick();
	assert_int_equal(answered(), 1);
	ask((struct vduse_dev_request){ .type = VDUSE_UPDATE_IOTLB, .iova = { .start = 0, .last = UINT64_MAX } });
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_OK);
	offer(0);
	kick();
	assert_int_equal(answered(), 2);
	/* Gone for good: no fault of ours. */
	k.no_memory = true;
	ask((struct vduse_dev_request){ .type = VDUSE_UPDATE_IOTLB, .iova = { .start = 0, .last = UINT64_MAX } });
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_OK);
	offer(0);
	kick();
	assert_int_equal(answered(), 2);
	k.no_memory = false;
}

static void
test_state_is_told(void **state)
{
	struct vduse_dev_response r;

	start(false);
	request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
	offer(0);
	kick();
	ask((struct vduse_dev_request){ .type = VDUSE_GET_VQ_STATE, .vq_state.index = 0 });
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_OK);
	assert_int_equal(r.vq_state.split.avail_index, 1);
	ask((struct vduse_dev_request){ .type = VDUSE_GET_VQ_STATE, .vq_state.index = 40 });
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_FAILED);
	ask((struct vduse_dev_request){ .type = 99 });
	assert_int_equal(answer(&r), VDUSE_REQ_RESULT_FAILED);
}

/* A daemon dies with requests under way; the kernel gives them again, the next one goes on without a message. */
static void
test_successor(void **state)
{
	start(false);
	request(DESC, 0, 0, VIRTIO_BLK_IN, 1, 1);
	offer(0);
	kick();
	hold = true;
	request(DESC, 4, 1, VIRTIO_BLK_OUT, 3, 1);
	memset(data_of(1), 0x77, 512);
	offer(4);
	request(DESC, 8, 2, VIRTIO_BLK_IN, 1, 1);
	offer(8);
	kick();
	assert_int_equal(answered(), 1);
	k.avail_index = answered();
	start(true);
	assert_int_equal(answered(), 3);
	assert_int_equal(*status_of(1), VIRTIO_BLK_OK);
	assert_int_equal(*status_of(2), VIRTIO_BLK_OK);
	assert_int_equal(disk[3 * 512], 0x77);
	request(DESC, 0, 0, VIRTIO_BLK_IN, 3, 1);
	offer(0);
	kick();
	assert_int_equal(answered(), 4);
	assert_int_equal(*data_of(0), 0x77);
}

static int
make_memory(void **state)
{
	k.memory_fd = memfd_create("memory", 0);
	if (k.memory_fd < 0 || ftruncate(k.memory_fd, MEMORY) < 0)
		return -1;
	k.memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, k.memory_fd, 0);
	return k.memory == MAP_FAILED ? -1 : 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_and_writes),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_index_that_jumps),
		cmocka_unit_test(test_one_head_many_times),
		cmocka_unit_test(test_reset_waits),
		cmocka_unit_test(test_memory_changes),
		cmocka_unit_test(test_state_is_told),
		cmocka_unit_test(test_successor),
	};

	return cmocka_run_group_tests(tests, make_memory, NULL);
}
