/* SPDX-License-Identifier: MIT */
/*
 * nvme.c - an NVMe controller: NVM Express 1.4 (nvme_hw.h names the sections). Each of its namespaces is a disk; they
 * share several pairs of queues, each with an interrupt of its own as far as there are.
 *
 * Where a queue has no slot for a namespace's request, block.c tries again after each batch, whosesoever completions
 * made room. Namespaces of formats that we cannot use are left out.
 *
 * A slot of a queue is a command's identifier, its PRP list (4.3) and its request. A queue has fewer slots than
 * entries, so that it never fills, and as many as one disk has requests: memory for the device costs a new instance
 * time. The admin queue has none. Pages are of 4 KiB: block.c brings data whose pieces meet at page borders. Data in
 * one piece, as the kernel's are, need no list where the controller knows descriptors of any length (4.4).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "nvme_hw.h"

#define QUEUE_SIZE  64
#define SLOTS_MAX   44 /* a ring of the kernel's holds 42 requests */
#define PAGE	    4096u
#define LIST_SIZE   1024 /* a PRP list: none crosses a page */
#define SECTORS_MAX (LIST_SIZE / 8 * PAGE / SECTOR_SIZE)
#define QUEUES_MAX  4
#define NAMESPACES_MAX 16
#define ADMIN_MS    10000
#define SPIN_US     200 /* an answer is worth so much waiting awake: the disk's users wait, too */

struct slot {
	struct block_request *request;
	struct slot *next;
	uint16_t number;
};

struct queue {
	unsigned id, size, slot_count, vector;
	uint16_t tail, told, head;
	uint16_t phase;
	struct nvme_command *commands;
	volatile struct nvme_completion *completions;
	struct dma commands_memory, completions_memory, lists;
	volatile uint8_t *tail_doorbell, *head_doorbell;
	struct slot *slots, *free;
};

struct nvme {
	struct device *device;
	volatile uint8_t *registers;
	uint64_t cap;
	bool has_sgl;
	struct block_disk common; /* what its disks have in common */
	struct queue admin, queues[QUEUES_MAX];
	unsigned queue_count;
	struct dma page; /* for identification */
	struct namespace {
		struct nvme *nvme;
		uint32_t id;
		unsigned block_shift; /* sectors to blocks */
		struct block_driver block;
	} namespaces[NAMESPACES_MAX];
	unsigned count;
};

/* ------------------------------------------------------------------------------------------- the queues */

static int
queue_make(struct nvme *n, struct queue *q, unsigned id, unsigned size, unsigned slots)
{
	unsigned most = NVME_CAP_MQES(n->cap), stride = NVME_CAP_STRIDE(n->cap);

	q->id = id;
	q->size = size < most ? size : most;
	q->slot_count = slots < q->size ? slots : q->size - 1;
	q->phase = 1;
	if (dma_alloc(n->device, &q->commands_memory, q->size * sizeof(struct nvme_command)) < 0 ||
		dma_alloc(n->device, &q->completions_memory, q->size * sizeof(struct nvme_completion)) < 0)
		return -ENOMEM;
	q->commands = q->commands_memory.addr;
	q->completions = q->completions_memory.addr;
	q->tail_doorbell = n->registers + NVME_DOORBELLS + 2ul * id * stride;
	q->head_doorbell = q->tail_doorbell + stride;
	if (q->slot_count == 0)
		return 0;
	q->slots = calloc(q->slot_count, sizeof(*q->slots));
	if (!q->slots || dma_alloc(n->device, &q->lists, q->slot_count * LIST_SIZE) < 0)
		return -ENOMEM;
	for (unsigned i = 0; i < q->slot_count; i++) {
		q->slots[i].number = i;
		q->slots[i].next = q->free;
		q->free = &q->slots[i];
	}
	return 0;
}

/* Put a command at the tail; the device sees it when the doorbell rings. */
static void
put(struct queue *q, const struct nvme_command *c)
{
	q->commands[q->tail] = *c;
	q->tail = q->tail + 1u == q->size ? 0 : q->tail + 1u;
}

static void
ring_doorbell(struct queue *q)
{
	if (q->told == q->tail)
		return;
	q->told = q->tail;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	write32(q->tail_doorbell, 0, q->tail);
}

/* The next completion, copied, or false. 4.6: the phase bit changes at each round. */
static bool
take(struct queue *q, struct nvme_completion *c)
{
	volatile struct nvme_completion *at = &q->completions[q->head];

	c->status = at->status;
	if ((c->status & 1) != q->phase)
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	c->id = at->id;
	c->dw0 = at->dw0;
	if (++q->head == q->size) {
		q->head = 0;
		q->phase ^= 1;
	}
	return true;
}

/* -------------------------------------------------------------------------------------------- requests */

/* 4.3: the first page, then the second or a list of all others. */
static void
make_prps(struct queue *q, struct slot *s, struct nvme_command *c, const struct block_request *r)
{
	uint64_t *list = (uint64_t *)((char *)q->lists.addr + s->number * LIST_SIZE);
	unsigned count = 0;

	for (unsigned i = 0; i < r->segment_count; i++) {
		uint64_t at = r->segments[i].bus, end = at + r->segments[i].size;

		if (i == 0) {
			c->prp1 = at;
			at = (at | (PAGE - 1)) + 1;
		}
		for (; at < end; at += PAGE)
			list[count++] = at;
	}
	if (count == 1)
		c->prp2 = list[0];
	else if (count)
		c->prp2 = q->lists.bus + s->number * LIST_SIZE;
}

/* The data of a read or write. */
static void
make_data(bool has_sgl, struct queue *q, struct slot *s, struct nvme_command *c, const struct block_request *r)
{
	if (!has_sgl || r->segment_count != 1 || r->segments[0].size <= 2 * PAGE) {
		make_prps(q, s, c, r);
		return;
	}
	c->flags = NVME_COMMAND_SGL;
	c->prp1 = r->segments[0].bus;
	c->prp2 = r->segments[0].size;
}

static void
make_ranges(const struct namespace *n, struct queue *q, struct slot *s, struct nvme_command *c, const struct block_request *r)
{
	struct nvme_range *range = (struct nvme_range *)((char *)q->lists.addr + s->number * LIST_SIZE);

	*range = (struct nvme_range){ .first = r->sector >> n->block_shift, .blocks = r->sectors >> n->block_shift };
	c->prp1 = q->lists.bus + s->number * LIST_SIZE;
	c->dw10 = 0; /* one range */
	c->dw11 = NVME_DSM_DEALLOCATE;
}

static int
submit(struct block_driver *b, struct block_request *r)
{
	static const uint8_t opcodes[] = {
		[BLOCK_READ] = NVME_READ, [BLOCK_WRITE] = NVME_WRITE, [BLOCK_FLUSH] = NVME_FLUSH,
		[BLOCK_DISCARD] = NVME_DSM, [BLOCK_WRITE_ZEROES] = NVME_ZEROES,
	};
	struct namespace *n = container_of(b, struct namespace, block);
	struct queue *q = &n->nvme->queues[r->queue];
	struct nvme_command c = { .opcode = opcodes[r->op], .nsid = n->id };
	uint64_t first = r->sector >> n->block_shift;
	struct slot *s = q->free;

	if (!s)
		return -EAGAIN;
	c.id = s->number;
	if (r->op == BLOCK_DISCARD) {
		make_ranges(n, q, s, &c, r);
	} else if (r->op != BLOCK_FLUSH) {
		c.dw10 = first;
		c.dw11 = first >> 32;
		c.dw12 = (r->sectors >> n->block_shift) - 1;
		if (r->op == BLOCK_WRITE_ZEROES)
			c.dw12 |= r->may_unmap ? NVME_ZEROES_DEALLOCATE : 0;
		else
			make_data(n->nvme->has_sgl, q, s, &c, r);
	}
	q->free = s->next;
	s->request = r;
	put(q, &c);
	return 0;
}

static void
commit(struct block_driver *b, unsigned queue)
{
	ring_doorbell(&container_of(b, struct namespace, block)->nvme->queues[queue]);
}

/* Complete what has ended; true: something has. */
static bool
reap(struct queue *q)
{
	struct nvme_completion c;
	uint16_t before = q->head;

	while (take(q, &c)) {
		unsigned code = NVME_STATUS_CODE(c.status);
		struct slot *s = c.id < q->slot_count ? &q->slots[c.id] : NULL;
		struct block_request *r;

		if (!s || !s->request) {
			log_error("queue %u: the device ends command %u, which it was not given", q->id, c.id);
			continue;
		}
		r = s->request;
		s->request = NULL;
		s->next = q->free;
		q->free = s;
		if (code)
			log_debug("queue %u: status 0x%03x", q->id, code);
		block_complete(r, code == 0 ? 0 : code == NVME_INVALID_OPCODE ? -EOPNOTSUPP : -EIO);
	}
	if (q->head == before)
		return false;
	write32(q->head_doorbell, 0, q->head);
	return true;
}

static bool
look(struct block_driver *b)
{
	struct nvme *n = container_of(b, struct namespace, block)->nvme;
	bool found = false;

	for (unsigned i = 0; i < n->queue_count; i++)
		found |= reap(&n->queues[i]);
	return found;
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	struct nvme *n = argument;

	for (unsigned i = 0; i < n->queue_count; i++)
		if (n->queues[i].vector == vector)
			reap(&n->queues[i]);
}

static void
poll_all(struct block_driver *b)
{
	struct nvme *n = container_of(b, struct namespace, block)->nvme;
	uint32_t status = read32(n->registers, NVME_CSTS);

	for (unsigned i = 0; i < n->queue_count; i++)
		reap(&n->queues[i]);
	if (status & NVME_CSTS_CFS) {
		log_error("the controller has failed: status 0x%x", status);
		exit(DRIVER_EXIT_DEVICE);
	}
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .look = look, .poll = poll_all };

/* ------------------------------------------------------------------------------------------- the start */

static uint64_t
microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000ull + now.tv_nsec / 1000;
}

/* Between two looks at what has been waited for since `begun`. */
static void
rest(uint64_t begun)
{
	static const struct timespec little = { .tv_nsec = 100000 };

	if (microseconds() - begun > SPIN_US)
		nanosleep(&little, NULL);
}

/* 7.6.1: wait until the controller is ready, or is not. */
static int
wait_ready(struct nvme *n, uint32_t ready)
{
	uint64_t begun = microseconds();

	while ((read32(n->registers, NVME_CSTS) & NVME_CSTS_RDY) != ready) {
		if (microseconds() - begun > 500000 * (NVME_CAP_TO(n->cap) + 1)) {
			log_error("the controller does not become %s", ready ? "ready" : "idle");
			return -ETIMEDOUT;
		}
		rest(begun);
	}
	return 0;
}

/* The answer to one of the commands that were put. Returns 0, -EIO or -ETIMEDOUT; *result is its first word. */
static int
admin_wait(struct nvme *n, uint8_t opcode, uint32_t *result)
{
	uint64_t begun = microseconds();
	struct nvme_completion answer;

	ring_doorbell(&n->admin);
	while (!take(&n->admin, &answer)) {
		if (microseconds() - begun > ADMIN_MS * 1000) {
			log_error("no answer to admin command 0x%02x", opcode);
			return -ETIMEDOUT;
		}
		rest(begun);
	}
	write32(n->admin.head_doorbell, 0, n->admin.head);
	if (result)
		*result = answer.dw0;
	if (NVME_STATUS_CODE(answer.status)) {
		log_error("admin command 0x%02x: status 0x%03x", opcode, NVME_STATUS_CODE(answer.status));
		return -EIO;
	}
	return 0;
}

/* One admin command to its end. */
static int
admin(struct nvme *n, struct nvme_command *c, uint32_t *result)
{
	put(&n->admin, c);
	return admin_wait(n, c->opcode, result);
}

static int
identify(struct nvme *n, uint32_t what, uint32_t nsid)
{
	struct nvme_command c = { .opcode = NVME_ADMIN_IDENTIFY, .nsid = nsid, .prp1 = n->page.bus, .dw10 = what };

	return admin(n, &c, NULL);
}

static int
enable(struct nvme *n)
{
	int error;

	n->cap = read64(n->registers, NVME_CAP);
	write32(n->registers, NVME_CC, 0);
	error = wait_ready(n, 0);
	device_bus_master(n->device, true);
	if (error || queue_make(n, &n->admin, 0, 16, 0) < 0 || dma_alloc(n->device, &n->page, PAGE) < 0)
		return error ? error : -ENOMEM;
	if (NVME_CAP_MPSMIN(n->cap) > PAGE) {
		log_error("the controller has no pages of 4 KiB");
		return -EINVAL;
	}
	write32(n->registers, NVME_AQA, (n->admin.size - 1) << 16 | (n->admin.size - 1));
	write64(n->registers, NVME_ASQ, n->admin.commands_memory.bus);
	write64(n->registers, NVME_ACQ, n->admin.completions_memory.bus);
	write32(n->registers, NVME_CC, NVME_CC_EN);
	return wait_ready(n, NVME_CSTS_RDY);
}

static int
read_controller(struct nvme *n)
{
	const uint8_t *page = n->page.addr;
	struct block_disk *disk = &n->common;
	uint16_t oncs;
	uint32_t sgls;

	if (identify(n, NVME_IDENTIFY_CONTROLLER, 0) < 0)
		return -EIO;
	memcpy(disk->id, page + NVME_ID_SERIAL, 20);
	for (int i = 19; i >= 0 && disk->id[i] == ' '; i--)
		disk->id[i] = '\0';
	disk->sectors_max = SECTORS_MAX;
	if (page[NVME_ID_MDTS] && page[NVME_ID_MDTS] < 16) {
		uint32_t most = (NVME_CAP_MPSMIN(n->cap) << page[NVME_ID_MDTS]) / SECTOR_SIZE;

		disk->sectors_max = most < SECTORS_MAX ? most : SECTORS_MAX;
	}
	disk->write_cache = page[NVME_ID_VWC] & 1;
	memcpy(&sgls, page + NVME_ID_SGLS, sizeof(sgls));
	n->has_sgl = sgls & NVME_SGLS_SUPPORT;
	memcpy(&oncs, page + NVME_ID_ONCS, sizeof(oncs));
	disk->discard_max = oncs & NVME_ONCS_DSM ? 1u << 20 : 0;
	disk->zeroes_max = oncs & NVME_ONCS_ZEROES ? 0x8000 : 0;
	return 0;
}

/* The namespace `id` as one more disk; -EINVAL: not one that we can use. */
static int
add_namespace(struct nvme *n, uint32_t id)
{
	const uint8_t *page = n->page.addr;
	struct namespace *ns = &n->namespaces[n->count];
	struct block_disk *disk = &ns->block.disk;
	unsigned format, shift, length;
	uint64_t blocks;

	if (identify(n, NVME_IDENTIFY_NAMESPACE, id) < 0)
		return -EIO;
	memcpy(&blocks, page + NVME_NS_NSZE, sizeof(blocks));
	format = page[NVME_NS_FLBAS] & 0xf;
	shift = page[NVME_NS_LBAF + 4 * format + 2];
	if (shift < 9 || shift > 12) {
		log_error("namespace %u has blocks of 2^%u bytes", id, shift);
		return -EINVAL;
	}
	*ns = (struct namespace){ .nvme = n, .id = id, .block_shift = shift - 9 };
	ns->block.device = n->device;
	ns->block.ops = &ops;
	*disk = n->common;
	disk->unit = id;
	disk->block_size = 1u << shift;
	disk->sectors = blocks << ns->block_shift;
	disk->segments_max = BLOCK_SEGMENTS_MAX;
	disk->segment_align = PAGE;
	length = strlen(disk->id);
	if (n->count && length < sizeof(disk->id) - 4) /* no two disks are called the same */
		snprintf(disk->id + length, sizeof(disk->id) - length, "-%u", id % 1000);
	n->count++;
	return 0;
}

/* 5.15.2.2: those that there are, in order. The list lies in the page that each is identified in. */
static int
read_namespaces(struct nvme *n)
{
	uint32_t ids[NAMESPACES_MAX];

	if (identify(n, NVME_IDENTIFY_NAMESPACES, 0) < 0)
		return -EIO;
	memcpy(ids, n->page.addr, sizeof(ids));
	for (unsigned i = 0; i < NAMESPACES_MAX && ids[i]; i++)
		if (add_namespace(n, ids[i]) == -EIO)
			return -EIO;
	if (n->count == 0) {
		log_error("the controller has no namespace");
		return -ENODEV;
	}
	return 0;
}

/* 5.3, 5.4: contiguous; interrupts on. First all completion queues, then the submission queues that use them. */
static int
create_pairs(struct nvme *n, unsigned count)
{
	int error = 0, failed;

	for (unsigned i = 0; i < count; i++) {
		struct queue *q = &n->queues[i];
		struct nvme_command c = {
			.opcode = NVME_ADMIN_CREATE_CQ, .id = i, .prp1 = q->completions_memory.bus,
			.dw10 = (q->size - 1) << 16 | q->id, .dw11 = q->vector << 16 | 3,
		};

		put(&n->admin, &c);
	}
	for (unsigned i = 0; i < count && error != -ETIMEDOUT; i++)
		if ((failed = admin_wait(n, NVME_ADMIN_CREATE_CQ, NULL)) != 0)
			error = failed;
	for (unsigned i = 0; i < count && !error; i++) {
		struct queue *q = &n->queues[i];
		struct nvme_command c = {
			.opcode = NVME_ADMIN_CREATE_SQ, .id = i, .prp1 = q->commands_memory.bus,
			.dw10 = (q->size - 1) << 16 | q->id, .dw11 = q->id << 16 | 1,
		};

		put(&n->admin, &c);
	}
	for (unsigned i = 0; i < count && !error; i++)
		error = admin_wait(n, NVME_ADMIN_CREATE_SQ, NULL);
	return error;
}

static int
create_queues(struct nvme *n, unsigned wanted)
{
	struct nvme_command c = {
		.opcode = NVME_ADMIN_SET_FEATURES, .dw10 = NVME_FEATURE_QUEUES, .dw11 = (wanted - 1) << 16 | (wanted - 1),
	};
	uint32_t granted;
	int error = admin(n, &c, &granted);

	if (error)
		return error;
	if ((granted & 0xffff) + 1 < wanted)
		wanted = (granted & 0xffff) + 1;
	if ((granted >> 16) + 1 < wanted)
		wanted = (granted >> 16) + 1;
	/* Vector 0 is the admin queue's too, which is polled. */
	error = device_interrupts(n->device, wanted + 1);
	for (unsigned i = 0; i < wanted && error >= 0; i++) {
		error = queue_make(n, &n->queues[i], i + 1, QUEUE_SIZE, SLOTS_MAX);
		n->queues[i].vector = device_on_interrupt(n->device, i + 1, interrupt, n);
	}
	if (error >= 0)
		error = create_pairs(n, wanted);
	n->queue_count = n->common.queues = wanted;
	n->common.depth = n->queues[0].slot_count;
	return error;
}

static int
run(struct device *d, const struct driver_options *o)
{
	static struct nvme n;
	struct block_driver *disks[NAMESPACES_MAX];
	unsigned queues = o->queues && o->queues < QUEUES_MAX ? o->queues : QUEUES_MAX;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	/* One for each processor is enough. */
	if (processors > 0 && processors < queues)
		queues = processors;
	n.device = d;
	n.registers = device_registers(d, 0, NVME_DOORBELLS + PAGE);
	if (!n.registers || enable(&n) < 0 || read_controller(&n) < 0 || create_queues(&n, queues) < 0 || read_namespaces(&n) < 0)
		return DRIVER_EXIT_DEVICE;
	for (unsigned i = 0; i < n.count; i++)
		disks[i] = &n.namespaces[i].block;
	return block_serve(disks, n.count, o);
}

int
main(int argc, char **argv)
{
	static const struct driver driver = { .name = "nvme", .about = "Driver of NVMe disks (NVM Express 1.4).", .run = run };

	return driver_main(&driver, argc, argv);
}
