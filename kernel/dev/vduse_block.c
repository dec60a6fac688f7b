/* SPDX-License-Identifier: MIT */
/*
 * vduse_block.c - the virtio-blk driver (VIRTIO 1.2, 5.2): what a daemon's device offers becomes /dev/vdX.
 *
 * A thread of its own does what the specification calls initialisation: the status goes up bit by bit, each step told to
 * the daemon and answered by it; features are agreed on; then the disk is made, and its partition table is read. A
 * configuration that makes no sense ends in FAILED and a line in the log.
 *
 * The letter is taken before that thread begins, so that disks are called after the order in which daemons set them up,
 * and not after which of the threads is first.
 */
#include <tessera/errno.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>
#include <tessera/thread.h>

#include "vduse.h"

#define MAJOR_VIRTBLK 254u
#define MINORS        16u
#define DISKS_MAX     256
#define MAX_BYTES     (256u << 10)

#define F_SIZE_MAX     BIT(1)
#define F_RO           BIT(5)
#define F_BLK_SIZE     BIT(6)
#define F_FLUSH        BIT(9)
#define F_TOPOLOGY     BIT(10)
#define F_CONFIG_WCE   BIT(11)
#define F_MQ           BIT(12)
#define F_DISCARD      BIT(13)
#define F_WRITE_ZEROES BIT(14)
#define DRIVER_FEATURES                                                                                            \
	(VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1 | VIRTIO_F_ACCESS_PLATFORM | F_SIZE_MAX | F_RO | F_BLK_SIZE |     \
	 F_FLUSH | F_TOPOLOGY | F_MQ | F_DISCARD | F_WRITE_ZEROES)

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };

#define ID_BYTES    20u
#define ZERO_UNMAPS 1u

/* 5.2.4 */
struct config {
	uint64_t capacity;
	uint32_t size_max, seg_max;
	uint16_t cylinders;
	uint8_t heads, sectors;
	uint32_t blk_size;
	uint8_t physical_block_exp, alignment_offset;
	uint16_t min_io_size;
	uint32_t opt_io_size;
	uint8_t wce, unused;
	uint16_t num_queues;
	uint32_t max_discard_sectors, max_discard_seg, discard_sector_alignment;
	uint32_t max_write_zeroes_sectors, max_write_zeroes_seg;
	uint8_t write_zeroes_may_unmap, unused1[3];
} __packed;
_Static_assert(sizeof(struct config) == 60, "struct virtio_blk_config up to write zeroes");

static struct spinlock letters_lock = SPINLOCK_INIT(LEAF);
static uint64_t letters[DISKS_MAX / 64]; /* letters_lock: vda is bit 0 */

int
vduse_block_check(const struct vduse_create *c)
{
	if (c->device != VIRTIO_ID_BLOCK)
		return -EINVAL;
	if (!(c->features & VIRTIO_F_ACCESS_PLATFORM) || (c->features & F_CONFIG_WCE))
		return -EINVAL;
	return 0;
}

/* As much of the configuration as there is; zeroes behind it. */
static void
read_config(struct vduse *v, struct config *c)
{
	memset(c, 0, sizeof(*c));
	mutex_lock(&v->lock);
	memcpy(c, v->config, MIN((size_t)v->config_size, sizeof(*c)));
	mutex_unlock(&v->lock);
}

static uint64_t
capacity_of(const struct config *c)
{
	return c->capacity > INT64_MAX / BLOCK_SECTOR ? 0 : c->capacity * BLOCK_SECTOR;
}

bool
vduse_block_header(struct vduse *v, const struct block_io *io, struct request_header *h)
{
	uint64_t agreed = READ_ONCE(v->agreed);

	if (io->driver[1]) {
		h->type = T_GET_ID;
		return true;
	}
	switch (io->doing) {
	case BLOCK_READ:
	case BLOCK_WRITE:
		h->type = io->doing == BLOCK_READ ? T_IN : T_OUT;
		h->sector = io->offset / BLOCK_SECTOR;
		return true;
	case BLOCK_FLUSH:
		h->type = T_FLUSH;
		return (agreed & F_FLUSH) != 0;
	case BLOCK_DISCARD:
	case BLOCK_ZERO:
		h->type = io->doing == BLOCK_DISCARD ? T_DISCARD : T_WRITE_ZEROES;
		h->range.sector = io->offset / BLOCK_SECTOR;
		h->range.sectors = (uint32_t)(io->length / BLOCK_SECTOR);
		if (io->doing == BLOCK_ZERO && !(io->flags & BLOCK_NOUNMAP))
			h->range.flags = ZERO_UNMAPS;
		return (agreed & (io->doing == BLOCK_DISCARD ? F_DISCARD : F_WRITE_ZEROES)) != 0;
	default:
		return false;
	}
}

/* --- the disk ----------------------------------------------------------------------------------------- */

static void
disk_submit(struct block_disk *d, struct block_io *io)
{
	io->driver[1] = 0;
	vduse_ring_submit(d->private, io);
}

static void
disk_commit(struct block_disk *d)
{
	vduse_ring_commit(d->private);
}

static void
give_letter(struct vduse *v)
{
	uint64_t flags = spin_lock_irq(&letters_lock);

	letters[v->disk_index / 64] &= ~(1ull << (v->disk_index % 64));
	spin_unlock_irq(&letters_lock, flags);
	v->disk_index = -1;
}

static bool
take_letter(struct vduse *v)
{
	uint64_t flags = spin_lock_irq(&letters_lock);
	int index;

	for (index = 0; index < DISKS_MAX && (letters[index / 64] >> (index % 64) & 1); index++)
		;
	if (index < DISKS_MAX)
		letters[index / 64] |= 1ull << (index % 64);
	spin_unlock_irq(&letters_lock, flags);
	v->disk_index = index < DISKS_MAX ? index : -1;
	return index < DISKS_MAX;
}

static void
disk_release(struct block_disk *d)
{
	struct vduse *v = d->private;

	give_letter(v);
	vduse_put(v);
}

static void
disk_dump(struct block_disk *d)
{
	struct vduse *v = d->private;

	pr_info("  vduse %s: status %#x%s%s%s\n", v->name, v->status, v->connected ? " daemon" : "",
		v->broken ? " broken" : "", v->expired ? " expired" : "");
}

static const struct block_disk_ops disk_ops = {
	.name = "vduse",
	.submit = disk_submit,
	.commit = disk_commit,
	.release = disk_release,
	.dump = disk_dump,
};

static int
show_serial(struct text *t, void *object)
{
	struct block_device *b = object;
	struct vduse *v = b->disk->private;

	text_print(t, "%s", v->serial);
	return 0;
}

static int
show_cache_type(struct text *t, void *object)
{
	struct block_device *b = object;

	text_print(t, "%s\n", b->disk->limits.write_cache ? "write back" : "write through");
	return 0;
}

const struct sysfs_attribute vduse_disk_attributes[] = {
	{ "cache_type", 0444, .show = show_cache_type },
	{ "serial", 0444, .show = show_serial },
	{ 0 },
};

/* "vda" ... "vdz", "vdaa" ... */
static void
disk_name(char *out, size_t size, int index)
{
	if (index < 26)
		snprintf(out, size, "vd%c", 'a' + index);
	else
		snprintf(out, size, "vd%c%c", 'a' + index / 26 - 1, 'a' + index % 26);
}

/* NULL, or what about the configuration makes no sense. */
static const char *
set_limits(struct vduse *v, struct block_limits *l, const struct config *c)
{
	uint64_t f = v->agreed;
	uint32_t block = f & F_BLK_SIZE ? c->blk_size : BLOCK_SECTOR;

	if (block < BLOCK_SECTOR || block > PAGE_SIZE || (block & (block - 1)))
		return "the block size";
	l->logical_block = l->physical_block = l->io_min = block;
	if (f & F_TOPOLOGY) {
		if (c->physical_block_exp > 12)
			return "the physical block size";
		l->physical_block = block << c->physical_block_exp;
		l->io_min = c->min_io_size ? c->min_io_size * block : l->physical_block;
		l->io_opt = (uint32_t)MIN((uint64_t)c->opt_io_size * block, (uint64_t)UINT32_MAX);
	}
	l->max_bytes = MAX_BYTES;
	if (f & F_SIZE_MAX) {
		l->max_bytes = MIN(MAX_BYTES, ALIGN_DOWN(c->size_max, (uint32_t)PAGE_SIZE));
		if (l->max_bytes == 0)
			return "the largest segment";
	}
	l->max_segments = 128;
	l->write_cache = (f & F_FLUSH) != 0;
	l->rotational = true;
	if ((f & F_DISCARD) && c->max_discard_sectors && c->max_discard_seg) {
		l->max_discard = (uint64_t)c->max_discard_sectors * BLOCK_SECTOR;
		l->discard_granularity = MAX(c->discard_sector_alignment, 1u) * BLOCK_SECTOR;
	}
	if ((f & F_WRITE_ZEROES) && c->max_write_zeroes_sectors && c->max_write_zeroes_seg)
		l->max_zero = (uint64_t)c->max_write_zeroes_sectors * BLOCK_SECTOR;
	/* A request's length in sectors has 32 bits. */
	l->max_discard = MIN(l->max_discard, (uint64_t)1 << 40);
	l->max_zero = MIN(l->max_zero, (uint64_t)1 << 40);
	return NULL;
}

static void
set_coming(struct vduse *v, struct block_disk *d)
{
	mutex_lock(&v->lock);
	WRITE_ONCE(v->coming, d);
	mutex_unlock(&v->lock);
}

/* The device's name for itself, at most 20 letters. Nothing depends on it. */
static void
ask_serial(struct vduse *v)
{
	char *buf = kzalloc(ID_BYTES + 1);
	struct block_segment s = { buf ? virt_to_page(buf) : NULL, (uint32_t)((uintptr_t)buf % PAGE_SIZE), ID_BYTES };
	struct block_io io = { .op = BLOCK_READ, .doing = BLOCK_READ, .segments = &s, .count = 1, .length = ID_BYTES,
			       .total = ID_BYTES, .driver = { 0, 1 } };

	if (!buf)
		return;
	vduse_ring_submit(v, &io);
	vduse_ring_commit(v);
	if (block_wait(&io) == 0)
		for (uint32_t i = 0; i < ID_BYTES && buf[i] > ' ' && buf[i] < 0x7f; i++)
			v->serial[i] = buf[i];
	kfree(buf);
}

/* From here on the letter is the disk's: it goes with its last user. */
static int
make_disk(struct vduse *v)
{
	struct config c;
	struct block_disk *d = block_disk_create(&disk_ops, v);
	const char *wrong;
	int error;

	if (!d) {
		give_letter(v);
		return -ENOMEM;
	}
	vduse_get(v);
	read_config(v, &c);
	wrong = set_limits(v, &d->limits, &c);
	if (wrong) {
		pr_err("vduse: %s: %s makes no sense\n", v->name, wrong);
		error = -EINVAL;
		goto put;
	}
	disk_name(d->name, sizeof(d->name), v->disk_index);
	d->major = MAJOR_VIRTBLK;
	d->first_minor = (uint32_t)v->disk_index * MINORS;
	d->minors = MINORS;
	d->readonly = (v->agreed & F_RO) != 0;
	d->attributes = vduse_disk_attributes;
	snprintf(v->disk_folder, sizeof(v->disk_folder), "devices/virtual/vduse/%.60s/block", v->name);
	d->sysfs_parent = v->disk_folder;
	set_coming(v, d);
	ask_serial(v);
	error = READ_ONCE(v->dying) ? -ENXIO : 0;
	if (!error)
		error = block_disk_add(d, ALIGN_DOWN(capacity_of(&c), (uint64_t)d->limits.logical_block));
	if (error) {
		set_coming(v, NULL);
		goto put;
	}
	if (READ_ONCE(v->expired)) /* its table could not be read */
		WRITE_ONCE(d->stale_table, true);
	mutex_lock(&v->lock);
	WRITE_ONCE(v->coming, NULL);
	if (v->state == VDUSE_STARTING) {
		v->disk = d;
		v->state = VDUSE_LIVE;
	} else {
		error = -ENXIO; /* destroyed meanwhile: the disk went before it was known */
	}
	mutex_unlock(&v->lock);
	if (!error) {
		vduse_block_config(v); /* it may have changed meanwhile, too */
		return 0;
	}
	block_disk_remove(d);
put:
	block_disk_put(d);
	return error;
}

/* 3.1.1 of the specification. */
static int
initialise(struct vduse *v)
{
	uint8_t status = 0;
	int error = vduse_send_status(v, 0);

	if (!error)
		error = vduse_send_status(v, status |= STATUS_ACKNOWLEDGE);
	if (!error)
		error = vduse_send_status(v, status |= STATUS_DRIVER);
	if (error)
		return error;
	if (!(v->features & VIRTIO_F_VERSION_1)) {
		pr_err("vduse: %s: an old device: it does not offer version 1\n", v->name);
		return -EINVAL;
	}
	WRITE_ONCE(v->agreed, v->features & DRIVER_FEATURES);
	error = vduse_send_status(v, status |= STATUS_FEATURES_OK);
	if (error)
		return error;
	/* The daemon's next look at its queues, when it hears of DRIVER_OK, finds them. */
	for (uint32_t i = 0; i < v->queue_count; i++) {
		spin_lock(&v->queues[i].lock);
		v->queues[i].ready = true;
		spin_unlock(&v->queues[i].lock);
	}
	WRITE_ONCE(v->status, status | STATUS_DRIVER_OK);
	return vduse_send_status(v, status | STATUS_DRIVER_OK);
}

static void
start(void *arg)
{
	struct vduse *v = arg;
	int error = initialise(v);

	if (error)
		give_letter(v);
	else
		error = make_disk(v);
	if (error && error != -ENXIO) {
		pr_err("vduse: %s: no disk: error %d\n", v->name, error);
		WRITE_ONCE(v->status, STATUS_FAILED);
	}
	mutex_lock(&v->lock);
	if (v->state == VDUSE_STARTING)
		v->state = VDUSE_FAILED;
	mutex_unlock(&v->lock);
	atomic_store(&v->beginning, 0u);
	wake_all(&v->answered);
	vduse_put(v);
	thread_exit();
}

int
vduse_block_start(struct vduse *v)
{
	struct thread *t;

	if (!take_letter(v))
		return -ENOSPC;
	t = thread_create_kernel("vduse", start, v);
	if (!t) {
		give_letter(v);
		return -ENOMEM;
	}
	vduse_get(v);
	atomic_store(&v->beginning, 1u);
	thread_start(t);
	return 0;
}

void
vduse_block_config(struct vduse *v)
{
	struct block_disk *d;
	uint64_t capacity;
	struct config c;

	read_config(v, &c);
	mutex_lock(&v->lock);
	d = v->state == VDUSE_LIVE ? v->disk : NULL;
	if (d) {
		capacity = ALIGN_DOWN(capacity_of(&c), (uint64_t)d->limits.logical_block);
		if (capacity != block_size(d->whole))
			block_disk_set_capacity(d, capacity, true);
	}
	mutex_unlock(&v->lock);
}
