/* SPDX-License-Identifier: MIT */
/*
 * ahci.c - SATA disks: AHCI 1.3.1 (ahci_hw.h names the sections). One process drives all disks of a controller.
 *
 * A port has up to 32 slots; a slot is a command's table and its request. Two kinds of commands must not mix
 * (AHCI 5.5.1): queued ones, many at once, and plain ones, of which we send one at a time.
 *
 *   QUEUED: reads and writes run, queued      PLAIN: one plain command runs      IDLE: nothing runs
 *
 * When a queued command fails, the disk drops all that were queued and tells of one of them, in a way that not every
 * disk gets right. So those that had not ended are sent again, each by itself as a plain command: the one that fails
 * then is the one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ahci_hw.h"
#include "driver.h"

#define SLOTS	   32
#define PORTS	   32
#define REGIONS	   BLOCK_SEGMENTS_MAX
#define TABLE_SIZE 4096 /* more than a table with its regions; none crosses a page */
#define WAIT_MS	   1000
#define LINK_MS	   15 /* a disk answers the reset of its link in 10 (COMINIT) */

_Static_assert(sizeof(struct ahci_table) + REGIONS * sizeof(struct ahci_region) <= TABLE_SIZE - SECTOR_SIZE, "");

struct port {
	struct ahci *ahci;
	unsigned number;
	volatile uint8_t *registers;
	struct block_driver block;
	bool can_queue;
	unsigned slots;
	uint32_t used;	  /* slots with a command of ours */
	uint32_t queued;  /* those of them that were sent as queued ones */
	uint32_t to_send; /* those of them that commit() sends */
	uint32_t again;	  /* those of them that are to be sent by themselves */
	struct block_request *requests[SLOTS];
	struct dma memory; /* the list of headers, and what the disk sends */
	struct dma tables;
};

struct ahci {
	struct device *device;
	volatile uint8_t *registers;
	struct port *ports[PORTS];
	unsigned count;
	uint32_t empty; /* ports without a link to anything */
};

/* --------------------------------------------------------------------------------------------- commands */

static struct ahci_table *
table_of(struct port *p, unsigned slot)
{
	return (struct ahci_table *)((char *)p->tables.addr + slot * TABLE_SIZE);
}

/* Fill a slot's header and table: a command without data so far. */
static struct ahci_fis *
make_command(struct port *p, unsigned slot, uint8_t command)
{
	struct ahci_header *h = (struct ahci_header *)p->memory.addr + slot;
	struct ahci_table *t = table_of(p, slot);
	struct ahci_fis *fis = (struct ahci_fis *)t->fis;

	memset(t, 0, sizeof(*t));
	*h = (struct ahci_header){ .flags = sizeof(*fis) / 4, .table = p->tables.bus + slot * TABLE_SIZE };
	*fis = (struct ahci_fis){ .type = AHCI_FIS_HOST, .flags = AHCI_FIS_COMMAND, .command = command };
	return fis;
}

static void
add_region(struct port *p, unsigned slot, uint64_t bus, uint32_t size)
{
	struct ahci_header *h = (struct ahci_header *)p->memory.addr + slot;

	table_of(p, slot)->regions[h->regions++] = (struct ahci_region){ .bus = bus, .size = size - 1 };
}

static void
set_address(struct ahci_fis *fis, uint64_t block)
{
	fis->lba0 = block;
	fis->lba1 = block >> 8;
	fis->lba2 = block >> 16;
	fis->lba3 = block >> 24;
	fis->lba4 = block >> 32;
	fis->lba5 = block >> 40;
	fis->device = AHCI_DEVICE_LBA;
}

/* One range of 8 bytes, in a sector of its own at the end of the slot's table: ACS 7.10.3. */
static void
add_trim(struct port *p, unsigned slot, uint64_t block, uint16_t blocks)
{
	uint64_t *range = (uint64_t *)((char *)table_of(p, slot) + TABLE_SIZE - SECTOR_SIZE);

	memset(range, 0, SECTOR_SIZE);
	range[0] = block | (uint64_t)blocks << 48;
	add_region(p, slot, p->tables.bus + slot * TABLE_SIZE + TABLE_SIZE - SECTOR_SIZE, SECTOR_SIZE);
}

/* Make the command of a request in its slot. */
static void
make_request(struct port *p, unsigned slot, const struct block_request *r, bool queued)
{
	struct ahci_header *h = (struct ahci_header *)p->memory.addr + slot;
	uint32_t unit = p->block.disk.block_size / SECTOR_SIZE;
	uint32_t blocks = r->sectors / unit;
	bool write = r->op == BLOCK_WRITE;
	struct ahci_fis *fis;

	switch (r->op) {
	case BLOCK_FLUSH:
		make_command(p, slot, ATA_FLUSH)->device = AHCI_DEVICE_LBA;
		return;
	case BLOCK_DISCARD:
		fis = make_command(p, slot, ATA_DSM);
		fis->features_low = ATA_DSM_TRIM;
		fis->count_low = 1;
		fis->device = AHCI_DEVICE_LBA;
		h->flags |= AHCI_HEADER_WRITE;
		add_trim(p, slot, r->sector / unit, blocks);
		return;
	default:
		break;
	}
	fis = make_command(p, slot,
		queued ? (write ? ATA_WRITE_QUEUED : ATA_READ_QUEUED) : (write ? ATA_WRITE : ATA_READ));
	set_address(fis, r->sector / unit);
	if (queued) {
		fis->features_low = blocks;
		fis->features_high = blocks >> 8;
		fis->count_low = slot << 3;
	} else {
		fis->count_low = blocks;
		fis->count_high = blocks >> 8;
	}
	h->flags |= write ? AHCI_HEADER_WRITE : 0;
	for (unsigned i = 0; i < r->segment_count; i++)
		add_region(p, slot, r->segments[i].bus, r->segments[i].size);
}

/* Hand slots to the port; what was written before is seen before. */
static void
issue(struct port *p, uint32_t slots, uint32_t queued)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
	if (queued)
		write32(p->registers, AHCI_PORT_SACT, queued);
	write32(p->registers, AHCI_PORT_CI, slots);
}

static bool
is_data(const struct block_request *r)
{
	return r->op == BLOCK_READ || r->op == BLOCK_WRITE;
}

static int
submit(struct block_driver *b, struct block_request *r)
{
	struct port *p = container_of(b, struct port, block);
	bool queued = p->can_queue && is_data(r);
	unsigned slot;

	if (r->op == BLOCK_WRITE_ZEROES)
		return -EOPNOTSUPP;
	/* What runs is of the other kind, or is sent again: later. */
	if (p->again || (p->used && (!queued || p->used != p->queued)))
		return -EAGAIN;
	slot = __builtin_ctz(~p->used | 1u << 31);
	if (p->used >> slot & 1 || slot >= p->slots)
		return -EAGAIN;
	make_request(p, slot, r, queued);
	p->requests[slot] = r;
	p->used |= 1u << slot;
	p->queued |= (uint32_t)queued << slot;
	p->to_send |= 1u << slot;
	return 0;
}

static void
commit(struct block_driver *b, unsigned queue)
{
	struct port *p = container_of(b, struct port, block);

	if (p->to_send)
		issue(p, p->to_send, p->to_send & p->queued);
	p->to_send = 0;
}

static void
end(struct port *p, unsigned slot, int error)
{
	p->used &= ~(1u << slot);
	p->queued &= ~(1u << slot);
	p->again &= ~(1u << slot);
	block_complete(p->requests[slot], error);
}

/* Send the next of those that go by themselves. */
static void
send_again(struct port *p)
{
	unsigned slot = __builtin_ctz(p->again);

	make_request(p, slot, p->requests[slot], false);
	issue(p, 1u << slot, 0);
}

/* ------------------------------------------------------------------------------------------------ a port */

static uint64_t
milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ull + now.tv_nsec / 1000000;
}

/* Wait until the bits `mask` of a register are `value`. */
static bool
wait_for(volatile uint8_t *registers, unsigned offset, uint32_t mask, uint32_t value)
{
	static const struct timespec little = { .tv_nsec = 100000 };
	uint64_t until = milliseconds() + WAIT_MS;

	while ((read32(registers, offset) & mask) != value) {
		if (milliseconds() > until)
			return false;
		nanosleep(&little, NULL);
	}
	return true;
}

static void
set_bits(volatile uint8_t *registers, unsigned offset, uint32_t clear, uint32_t set)
{
	write32(registers, offset, (read32(registers, offset) & ~clear) | set);
}

/* AHCI 10.3.2: no command runs afterwards. */
static bool
port_stop(struct port *p)
{
	set_bits(p->registers, AHCI_PORT_CMD, AHCI_CMD_START, 0);
	return wait_for(p->registers, AHCI_PORT_CMD, AHCI_CMD_RUNS, 0);
}

/* AHCI 10.4.2: the line to the disk anew. */
static bool
port_connect(struct port *p)
{
	static const struct timespec one_ms = { .tv_nsec = 1000000 };

	write32(p->registers, AHCI_PORT_SCTL, 0x301);
	nanosleep(&one_ms, NULL);
	write32(p->registers, AHCI_PORT_SCTL, 0x300);
	if (!wait_for(p->registers, AHCI_PORT_SSTS, AHCI_SSTS_DETECTED, AHCI_SSTS_PRESENT))
		return false;
	write32(p->registers, AHCI_PORT_SERR, ~0u);
	return wait_for(p->registers, AHCI_PORT_TFD, AHCI_TFD_BUSY, 0);
}

/* AHCI 6.2.2: something failed. What had not ended goes again, each by itself; what went by itself has failed. */
static void
recover(struct port *p, uint32_t cause)
{
	bool alone = p->again || p->used != p->queued;
	uint32_t unfinished = p->used & ~p->to_send;

	log_info("port %u: error, cause 0x%08x, task file 0x%x", p->number, cause, read32(p->registers, AHCI_PORT_TFD));
	if (!port_stop(p) || (read32(p->registers, AHCI_PORT_TFD) & AHCI_TFD_BUSY && !port_connect(p))) {
		log_error("port %u cannot be stopped", p->number);
		exit(DRIVER_EXIT_DEVICE);
	}
	write32(p->registers, AHCI_PORT_SERR, ~0u);
	write32(p->registers, AHCI_PORT_IS, ~0u);
	set_bits(p->registers, AHCI_PORT_CMD, 0, AHCI_CMD_START);
	if (alone) {
		end(p, __builtin_ctz(p->again ? p->again : unfinished), -EIO);
	} else {
		/* Those not yet sent come along: the kinds must not mix. */
		p->again = p->used;
		p->queued = 0;
		p->to_send = 0;
	}
	if (p->again)
		send_again(p);
}

/* What has ended: a queued command leaves SACT, a plain one CI. */
static void
reap(struct port *p)
{
	uint32_t cause = read32(p->registers, AHCI_PORT_IS);
	uint32_t running, ended;

	write32(p->registers, AHCI_PORT_IS, cause);
	running = read32(p->registers, AHCI_PORT_CI) | read32(p->registers, AHCI_PORT_SACT);
	if (p->again) {
		uint32_t alone = p->again & -p->again;

		if (cause & AHCI_IS_ERRORS) {
			recover(p, cause);
		} else if (!(running & alone)) {
			end(p, __builtin_ctz(alone), 0);
			if (p->again)
				send_again(p);
		}
		return;
	}
	/* With an error, a plain command left CI or not: it has failed. A queued one that left SACT has ended. */
	ended = p->used & ~p->to_send & ~running;
	if (cause & AHCI_IS_ERRORS)
		ended &= p->queued;
	for (; ended; ended &= ended - 1)
		end(p, __builtin_ctz(ended), 0);
	if (cause & AHCI_IS_ERRORS && p->used & ~p->to_send)
		recover(p, cause);
}

static bool
is_linked(const struct ahci *a, unsigned number)
{
	return read32(a->registers + AHCI_PORT(number), AHCI_PORT_SSTS) & AHCI_SSTS_DETECTED;
}

/* Something has come to a port where nothing was. The next instance begins with all that there is then. */
static void
look_at_empty(struct ahci *a, uint32_t ports)
{
	for (; ports; ports &= ports - 1) {
		unsigned number = __builtin_ctz(ports);

		if (is_linked(a, number)) {
			log_info("port %u: something has come", number);
			exit(DRIVER_EXIT_DEVICE);
		}
		write32(a->registers + AHCI_PORT(number), AHCI_PORT_SERR, ~0u);
		write32(a->registers + AHCI_PORT(number), AHCI_PORT_IS, ~0u);
	}
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	struct ahci *a = argument;
	uint32_t cause = read32(a->registers, AHCI_IS);

	look_at_empty(a, cause & a->empty);

	for (unsigned i = 0; i < a->count; i++)
		if (cause >> a->ports[i]->number & 1)
			reap(a->ports[i]);
	/* AHCI 3.1.3: the port's cause first, then this. */
	write32(a->registers, AHCI_IS, cause);
	/* What ended between the two is seen only now. */
	for (unsigned i = 0; i < a->count; i++)
		if (cause >> a->ports[i]->number & 1)
			reap(a->ports[i]);
}

static void
poll_all(struct block_driver *b)
{
	reap(container_of(b, struct port, block));
}

static const struct block_ops ops = { .submit = submit, .commit = commit, .poll = poll_all };

/* ------------------------------------------------------------------------------------------- the start */

static int
port_begin(struct port *p)
{
	volatile uint8_t *registers = p->registers;

	if (!port_stop(p))
		return -EIO;
	set_bits(registers, AHCI_PORT_CMD, AHCI_CMD_FIS, 0);
	if (!wait_for(registers, AHCI_PORT_CMD, AHCI_CMD_FIS_RUNS, 0) ||
		dma_alloc(p->ahci->device, &p->memory, 4096) < 0 ||
		dma_alloc(p->ahci->device, &p->tables, SLOTS * TABLE_SIZE) < 0)
		return -EIO;
	/* 1 KiB of headers, then 256 bytes for what the disk sends: AHCI 4.2.1. */
	write64(registers, AHCI_PORT_CLB, p->memory.bus);
	write64(registers, AHCI_PORT_FB, p->memory.bus + 1024);
	set_bits(registers, AHCI_PORT_CMD, 0, AHCI_CMD_FIS | AHCI_CMD_SPIN_UP | AHCI_CMD_POWER);
	if (!port_connect(p)) {
		log_error("port %u: what is there does not become ready", p->number);
		return -EIO;
	}
	if (read32(registers, AHCI_PORT_SIG) != AHCI_SIG_DISK)
		return -ENODEV;
	write32(registers, AHCI_PORT_IS, ~0u);
	set_bits(registers, AHCI_PORT_CMD, 0, AHCI_CMD_START);
	return 0;
}

static uint64_t
words(const uint16_t *id, unsigned first, unsigned count)
{
	uint64_t value = 0;

	for (unsigned i = count; i-- > 0;)
		value = value << 16 | id[first + i];
	return value;
}

static int
read_disk(struct port *p)
{
	struct block_disk *disk = &p->block.disk;
	uint32_t cap = read32(p->ahci->registers, AHCI_CAP);
	struct dma page;
	const uint16_t *id;

	if (dma_alloc(p->ahci->device, &page, 4096) < 0)
		return -ENOMEM;
	make_command(p, 0, ATA_IDENTIFY);
	add_region(p, 0, page.bus, SECTOR_SIZE);
	issue(p, 1, 0);
	if (!wait_for(p->registers, AHCI_PORT_CI, 1, 0) || read32(p->registers, AHCI_PORT_TFD) & AHCI_TFD_ERROR) {
		log_error("port %u: the disk does not say what it is", p->number);
		return -EIO;
	}
	write32(p->registers, AHCI_PORT_IS, ~0u);
	id = page.addr;
	disk->block_size = SECTOR_SIZE;
	if ((id[ATA_ID_SIZES] & 0xd000) == 0x5000)
		disk->block_size = words(id, ATA_ID_SIZE, 2) * 2;
	disk->sectors = words(id, ATA_ID_SECTORS, 4) * (disk->block_size / SECTOR_SIZE);
	for (unsigned i = 0; i < 20; i++)
		disk->id[i] = id[ATA_ID_SERIAL + i / 2] >> (i % 2 ? 0 : 8);
	for (int i = 19; i >= 0 && disk->id[i] == ' '; i--)
		disk->id[i] = '\0';
	p->slots = AHCI_CAP_SLOTS(cap);
	p->can_queue = cap & AHCI_CAP_NCQ && id[ATA_ID_SATA] & 1 << 8;
	if (p->can_queue && (id[ATA_ID_QUEUE] & 0x1f) + 1u < p->slots)
		p->slots = (id[ATA_ID_QUEUE] & 0x1f) + 1;
	disk->queues = 1;
	disk->depth = p->can_queue ? p->slots : 1;
	disk->segments_max = REGIONS;
	disk->segment_align = 2;
	disk->sectors_max = UINT16_MAX;
	disk->write_cache = id[ATA_ID_FEATURES] & 1 << 5;
	disk->discard_max = id[ATA_ID_DSM] & 1 ? UINT16_MAX : 0;
	return 0;
}

/* The port's disk as one more of ours. -ENODEV: what is there is no disk. */
static int
add_port(struct ahci *a, unsigned number)
{
	struct port *p = calloc(1, sizeof(*p));
	int error;

	if (!p)
		return -ENOMEM;
	p->ahci = a;
	p->number = number;
	p->registers = a->registers + AHCI_PORT(number);
	p->block.device = a->device;
	p->block.disk.unit = number;
	p->block.ops = &ops;
	error = port_begin(p);
	if (!error)
		error = read_disk(p);
	if (error) {
		free(p);
		return error;
	}
	a->ports[a->count++] = p;
	return 0;
}

static int
reset(struct ahci *a)
{
	set_bits(a->registers, AHCI_GHC, 0, AHCI_GHC_ENABLE);
	set_bits(a->registers, AHCI_GHC, 0, AHCI_GHC_RESET);
	if (!wait_for(a->registers, AHCI_GHC, AHCI_GHC_RESET, 0)) {
		log_error("the controller does not end its reset");
		return -EIO;
	}
	device_bus_master(a->device, true);
	set_bits(a->registers, AHCI_GHC, 0, AHCI_GHC_ENABLE);
	return 0;
}

/* The implemented ports; some of `empty` if a link takes its time and there is no other. */
static uint32_t
find_ports(struct ahci *a)
{
	static const struct timespec link = { .tv_nsec = LINK_MS * 1000000 };
	uint32_t ports = read32(a->registers, AHCI_PI);

	for (unsigned try = 0; try < 2; try++) {
		a->empty = 0;
		for (unsigned i = 0; i < PORTS; i++) {
			if (AHCI_PORT(i) + AHCI_PORT_SIZE > a->device->bars[5].size)
				ports &= ~(1u << i);
			else if (ports >> i & 1 && !is_linked(a, i))
				a->empty |= 1u << i;
		}
		if (a->empty != ports)
			break;
		if (try == 0)
			nanosleep(&link, NULL);
	}
	return ports;
}

/* Those that have a disk. Whether another might have one, too, the next time. */
static bool
add_ports(struct ahci *a)
{
	uint32_t ports = find_ports(a) & ~a->empty;
	bool failed = false;

	for (; ports; ports &= ports - 1) {
		int error = add_port(a, __builtin_ctz(ports));

		failed = failed || (error && error != -ENODEV);
	}
	return failed;
}

static int
run(struct device *d, const struct driver_options *o)
{
	static struct ahci a;
	struct block_driver *disks[PORTS];
	bool failed;

	a.device = d;
	a.registers = device_registers(d, 5, AHCI_PORT(1));
	if (!a.registers || reset(&a) < 0)
		return DRIVER_EXIT_DEVICE;
	d->low = !(read32(a.registers, AHCI_CAP) & AHCI_CAP_64);
	failed = add_ports(&a);
	if (a.count == 0) {
		log_info("no disk");
		return failed ? DRIVER_EXIT_DEVICE : 0;
	}
	if (device_interrupts(d, 1) < 0)
		return DRIVER_EXIT_DEVICE;
	device_on_interrupt(d, 0, interrupt, &a);
	for (unsigned i = 0; i < a.count; i++) {
		disks[i] = &a.ports[i]->block;
		write32(a.ports[i]->registers, AHCI_PORT_IE, AHCI_IS_ENDS | AHCI_IS_ERRORS);
	}
	for (uint32_t empty = a.empty; empty; empty &= empty - 1)
		write32(a.registers + AHCI_PORT(__builtin_ctz(empty)), AHCI_PORT_IE, AHCI_IS_CONNECT);
	write32(a.registers, AHCI_IS, ~0u);
	set_bits(a.registers, AHCI_GHC, 0, AHCI_GHC_INTERRUPT);
	return block_serve(disks, a.count, o);
}

int
main(int argc, char **argv)
{
	static const struct driver driver = { .name = "ahci", .about = "Driver of SATA disks (AHCI 1.3.1).", .run = run };

	return driver_main(&driver, argc, argv);
}
