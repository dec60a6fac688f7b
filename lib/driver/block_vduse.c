/* SPDX-License-Identifier: MIT */
/*
 * block_vduse.c - the kernel's requests: a virtio block device (VIRTIO 1.1, 5.2) behind VDUSE.
 *
 * The data of a request is handed to the driver where it lies. A region of the kernel's memory is mapped for the
 * device when it is first met; where that is not possible, block.c copies.
 *
 * What the kernel writes is checked as if it came from anybody: lengths, ranges, a status byte to answer into.
 *
 * A virtio disk can serve the kernel's rings by itself, where the kernel has what that takes: rings at the addresses at
 * which the device reaches them (with an IOMMU), a kick that rings the device's doorbell (VFIO_DEVICE_IOEVENTFD), and
 * an interrupt that tells the kernel (VDUSE_VQ_DIRECT, Tessera's extension). The rings are lent then: no request comes here,
 * and what is left to us is to watch that the device answers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "block.h"
#include "driver.h"
#include "manager.h"
#include "virtio_blk_hw.h"
#include "vduse.h"
#include "virtio.h"

#define QUEUE_SIZE 128
#define LOOK_DEPTH 2 /* more requests at once pay for being told of together */

/* Tessera's: the queue begins anew at index 0, and `fd` tells of what is used of it. */
#define VDUSE_VQ_DIRECT _IOW(VDUSE_BASE, 0x40, struct vduse_vq_eventfd)

struct front {
	struct vduse vduse;
	struct block_driver *block;
	struct block_request *free[VDUSE_QUEUES_MAX];
	struct block_request *all[VDUSE_QUEUES_MAX]; /* QUEUE_SIZE of them; those behind the first `used` are untouched */
	unsigned used[VDUSE_QUEUES_MAX];
	struct batch_hook hook;
	struct looker looker;
	bool starved[VDUSE_QUEUES_MAX];
	int fd, manager_fd;
	struct vduse_kind kind;
	struct manager_answer door; /* what the manager said of it: memory that the device reaches for all instances of us */
	struct ring_chain chain; /* the one being read */
	bool started, rings_lent;
	bool to_tell; /* the manager that we serve: when the first requests are on their way */
	struct watch watchdog; /* of rings that are lent */
	unsigned silent[VDUSE_QUEUES_MAX]; /* for so many ticks the device has answered nothing of what is there */
	uint16_t seen[VDUSE_QUEUES_MAX]; /* how far it was */
};

static void
make_kind(const struct block_disk *disk, struct vduse_kind *kind)
{
	struct virtio_blk_config config = {
		.capacity = disk->sectors,
		.seg_max = disk->segments_max,
		.size_max = disk->sectors_max * SECTOR_SIZE,
		.blk_size = disk->block_size,
		.num_queues = disk->queues,
		.max_discard_sectors = disk->discard_max,
		.max_discard_seg = 1,
		.discard_sector_alignment = disk->block_size / SECTOR_SIZE,
		.max_write_zeroes_sectors = disk->zeroes_max,
		.max_write_zeroes_seg = 1,
		.write_zeroes_may_unmap = disk->discard_max != 0,
	};

	memset(kind, 0, sizeof(*kind));
	kind->device_type = VIRTIO_TYPE_BLOCK;
	kind->queues = disk->queues;
	kind->queue_size = QUEUE_SIZE;
	kind->features = 1ull << VIRTIO_VERSION_1 | 1ull << VIRTIO_ACCESS_PLATFORM | 1ull << VIRTIO_INDIRECT_DESC |
			 1ull << VIRTIO_EVENT_IDX | 1ull << VIRTIO_BLK_SEG_MAX | 1ull << VIRTIO_BLK_SIZE_MAX |
			 1ull << VIRTIO_BLK_BLK_SIZE | 1ull << VIRTIO_BLK_MQ;
	kind->features |= (uint64_t)disk->write_cache << VIRTIO_BLK_FLUSH;
	kind->features |= (uint64_t)disk->read_only << VIRTIO_BLK_RO;
	kind->features |= (uint64_t)(disk->discard_max != 0) << VIRTIO_BLK_DISCARD;
	kind->features |= (uint64_t)(disk->zeroes_max != 0) << VIRTIO_BLK_WRITE_ZEROES;
	kind->config_size = sizeof(config);
	memcpy(kind->config, &config, sizeof(config));
}

/* ------------------------------------------------------------------------------------ memory of the ring */

static void
region_mapped(struct vduse *v, struct vduse_region *r)
{
	struct front *f = container_of(v, struct front, vduse);
	int error = 0;

	/* A driver without a device reaches what we reach. */
	r->lent = f->door.lent.last && r->start == f->door.lent.start && r->last == f->door.lent.last;
	if (r->lent)
		r->bus = f->door.lent.bus;
	else if (f->block->device)
		error = dma_map(f->block->device, r->addr, r->last - r->start + 1, &r->bus);
	r->reachable = error == 0;
	log_debug("memory of the kernel, %llu bytes: %s", (unsigned long long)(r->last - r->start + 1),
		error ? strerror(-error) : "the device reaches it");
}

static void
region_unmapped(struct vduse *v, struct vduse_region *r)
{
	struct front *f = container_of(v, struct front, vduse);

	if (r->reachable && !r->lent && f->block->device)
		dma_unmap(f->block->device, r->bus, r->last - r->start + 1);
}

/* ---------------------------------------------------------------------------------------------- requests */

/* Those that nobody has used yet are touched last: memory costs a new instance time. */
static struct block_request *
request_get(struct front *f, unsigned queue)
{
	struct block_request *r = f->free[queue];

	if (r)
		f->free[queue] = r->next;
	else if (f->used[queue] < QUEUE_SIZE)
		r = &f->all[queue][f->used[queue]++];
	return r;
}

static bool
has_request(const struct front *f, unsigned queue)
{
	return f->free[queue] || f->used[queue] < QUEUE_SIZE;
}

static void
give_back(struct front *f, struct block_request *r, uint8_t status, uint32_t written)
{
	struct vduse_queue *q = r->source;

	*r->status = status;
	device_ring_give(&q->ring, r->head, written + 1);
	r->next = f->free[q->ring.index];
	f->free[q->ring.index] = r;
}

static void
request_done(struct block_request *r, int error)
{
	struct vduse_queue *q = r->source;
	struct front *f = container_of(q->vduse, struct front, vduse);
	uint8_t status = error == 0 ? VIRTIO_BLK_OK : error == -EOPNOTSUPP ? VIRTIO_BLK_UNSUPP : VIRTIO_BLK_IOERR;

	give_back(f, r, status, error ? 0 : r->written_on_success);
}

/* Take `size` bytes from the front of `count` buffers, which shrink. */
static bool
take_bytes(struct ring_buffer *buffers, unsigned count, void *to, uint32_t size)
{
	for (unsigned i = 0; i < count && size; i++) {
		uint32_t n = buffers[i].size < size ? buffers[i].size : size;

		memcpy(to, buffers[i].addr, n);
		to = (char *)to + n;
		buffers[i].addr = (char *)buffers[i].addr + n;
		buffers[i].ring_addr += n;
		buffers[i].size -= n;
		size -= n;
	}
	return size == 0;
}

/* The data of a read or write. Returns its bytes, or UINT64_MAX when it has too many pieces. */
static uint64_t
take_data(struct front *f, struct block_request *r, const struct ring_buffer *buffers, unsigned count)
{
	uint64_t bytes = 0;

	r->segment_count = 0;
	r->reachable = true;
	for (unsigned i = 0; i < count; i++) {
		struct vduse_region *region;
		struct block_segment *s = &r->segments[r->segment_count];

		if (buffers[i].size == 0)
			continue;
		if (r->segment_count++ == BLOCK_SEGMENTS_MAX)
			return UINT64_MAX;
		region = vduse_find(&f->vduse, buffers[i].ring_addr, buffers[i].size);
		if (!region || !region->reachable)
			r->reachable = false;
		*s = (struct block_segment){ .addr = buffers[i].addr, .size = buffers[i].size };
		if (r->reachable)
			s->bus = region->bus + (buffers[i].ring_addr - region->start);
		bytes += s->size;
	}
	return bytes;
}

static bool
inside(const struct block_disk *disk, uint64_t sector, uint64_t sectors)
{
	uint32_t unit = disk->block_size / SECTOR_SIZE;

	return sector <= disk->sectors && sectors <= disk->sectors - sector && sector % unit == 0 && sectors % unit == 0;
}

/* What follows gives a status of virtio: VIRTIO_BLK_OK means that the request can start. */
static uint8_t
decode_data(struct front *f, struct block_request *r, struct ring_chain *c, uint64_t sector)
{
	const struct block_disk *disk = &f->block->disk;
	bool in = r->op == BLOCK_READ;
	uint64_t bytes = take_data(f, r, c->buffers + (in ? c->out : 0), in ? c->in : c->out);

	if (bytes == 0 || bytes % SECTOR_SIZE || bytes / SECTOR_SIZE > disk->sectors_max)
		return VIRTIO_BLK_IOERR;
	r->sector = sector;
	r->sectors = bytes / SECTOR_SIZE;
	r->written_on_success = in ? bytes : 0;
	if (!inside(disk, r->sector, r->sectors) || (!in && disk->read_only))
		return VIRTIO_BLK_IOERR;
	return VIRTIO_BLK_OK;
}

static uint8_t
decode_range(struct front *f, struct block_request *r, struct ring_chain *c)
{
	const struct block_disk *disk = &f->block->disk;
	uint32_t most = r->op == BLOCK_DISCARD ? disk->discard_max : disk->zeroes_max;
	struct virtio_blk_range range;

	if (most == 0)
		return VIRTIO_BLK_UNSUPP;
	if (!take_bytes(c->buffers, c->out, &range, sizeof(range)) || range.num_sectors > most ||
		!inside(disk, range.sector, range.num_sectors) || disk->read_only)
		return VIRTIO_BLK_IOERR;
	/* 5.2.6.2: a discard has no flags. */
	if (range.flags & ~(r->op == BLOCK_WRITE_ZEROES ? VIRTIO_BLK_UNMAP : 0u))
		return VIRTIO_BLK_UNSUPP;
	r->sector = range.sector;
	r->sectors = range.num_sectors;
	r->may_unmap = range.flags & VIRTIO_BLK_UNMAP;
	return VIRTIO_BLK_OK;
}

static uint8_t
decode(struct front *f, struct block_request *r, struct ring_chain *c, bool *answered)
{
	struct virtio_blk_header header;

	r->written_on_success = 0;
	r->segment_count = 0;
	if (!take_bytes(c->buffers, c->out, &header, sizeof(header)))
		return VIRTIO_BLK_IOERR;
	switch (header.type) {
	case VIRTIO_BLK_IN:
		r->op = BLOCK_READ;
		return decode_data(f, r, c, header.sector);
	case VIRTIO_BLK_OUT:
		r->op = BLOCK_WRITE;
		return decode_data(f, r, c, header.sector);
	case VIRTIO_BLK_DO_FLUSH:
		r->op = BLOCK_FLUSH;
		*answered = !f->block->disk.write_cache;
		return VIRTIO_BLK_OK;
	case VIRTIO_BLK_DO_DISCARD:
		r->op = BLOCK_DISCARD;
		return decode_range(f, r, c);
	case VIRTIO_BLK_DO_WRITE_ZEROES:
		r->op = BLOCK_WRITE_ZEROES;
		return decode_range(f, r, c);
	case VIRTIO_BLK_GET_ID:
		if (c->in == 0 || c->buffers[c->out].size < VIRTIO_BLK_ID_SIZE)
			return VIRTIO_BLK_IOERR;
		memcpy(c->buffers[c->out].addr, f->block->disk.id, VIRTIO_BLK_ID_SIZE);
		r->written_on_success = VIRTIO_BLK_ID_SIZE;
		*answered = true;
		return VIRTIO_BLK_OK;
	default:
		return VIRTIO_BLK_UNSUPP;
	}
}

/* Begin what is in f->chain, or answer it. */
static void
begin_request(struct front *f, struct vduse_queue *q)
{
	struct ring_chain *c = &f->chain;
	struct ring_buffer *last = &c->buffers[c->out + c->in - 1];
	struct block_request *r;
	bool answered = false;
	uint8_t status;

	/* 5.2.6: the last byte that we may write is the status. */
	if (c->in == 0) {
		log_error("queue %u: a request without a place for its status", q->ring.index);
		device_ring_give(&q->ring, c->head, 0);
		return;
	}
	r = request_get(f, q->ring.index);
	r->source = q;
	r->queue = q->ring.index;
	r->head = c->head;
	r->done = request_done;
	r->status = (uint8_t *)last->addr + --last->size;
	status = decode(f, r, c, &answered);
	if (status != VIRTIO_BLK_OK || answered)
		give_back(f, r, status, answered ? r->written_on_success : 0);
	else
		block_start(f->block, r);
}

/* Take all that is there. More is looked for, or listened to before the loop waits. */
static void
kicked(struct vduse *v, struct vduse_queue *q)
{
	struct front *f = container_of(v, struct front, vduse);
	unsigned index = q->ring.index;
	int there;

	if (f->rings_lent)
		return;
	while (has_request(f, index) && (there = device_ring_take(&q->ring, &f->chain)) != 0)
		if (there > 0)
			begin_request(f, q);
	/* Only a ring that holds one request twice comes here: go on when some have ended. */
	f->starved[index] = !has_request(f, index);
}

/* Can requests be taken from this queue? */
static bool
is_served(const struct front *f, const struct vduse_queue *q)
{
	return q->ready && !f->rings_lent && !f->vduse.draining && !f->starved[q->ring.index];
}

static enum looked
look(struct looker *l)
{
	struct front *f = container_of(l, struct front, looker);
	struct block_driver *b = f->block;
	bool found;

	if (f->rings_lent || !b->ops->look || b->in_flight > LOOK_DEPTH)
		return LOOK_NO_MORE;
	found = b->ops->look(b);
	for (unsigned i = 0; i < f->vduse.queue_count; i++) {
		struct vduse_queue *q = &f->vduse.queues[i];

		if (is_served(f, q) && device_ring_has_request(&q->ring)) {
			kicked(&f->vduse, q);
			found = true;
		}
	}
	return found ? LOOK_FOUND : LOOK_NOTHING;
}

static bool
listen(struct looker *l)
{
	struct front *f = container_of(l, struct front, looker);
	bool found = false;

	for (unsigned i = 0; i < f->vduse.queue_count; i++) {
		struct vduse_queue *q = &f->vduse.queues[i];

		if (is_served(f, q) && device_ring_listen(&q->ring)) {
			kicked(&f->vduse, q);
			found = true;
		}
	}
	return found;
}

static void
publish(struct front *f)
{
	for (unsigned i = 0; i < f->vduse.queue_count; i++)
		if (f->vduse.queues[i].ready)
			vduse_publish(&f->vduse, &f->vduse.queues[i]);
}

/* ------------------------------------------------------------------------------------------- rings lent */

static bool
is_silent(struct front *f, unsigned index)
{
	const struct device_ring *r = &f->vduse.queues[index].ring;
	uint16_t used;

	if (!f->vduse.queues[index].ready)
		return false;
	used = __atomic_load_n(&r->used->idx, __ATOMIC_ACQUIRE);
	if (used == __atomic_load_n(&r->avail->idx, __ATOMIC_ACQUIRE) || used != f->seen[index])
		f->silent[index] = 0;
	else
		f->silent[index]++;
	f->seen[index] = used;
	return f->silent[index] >= SLOW_TICKS;
}

/* As block.c's, which has nothing to watch here. */
static void
watch_rings(struct watch *w)
{
	struct front *f = container_of(w, struct front, watchdog);

	for (uint32_t i = 0; i < f->vduse.queue_count; i++) {
		if (!is_silent(f, i))
			continue;
		f->block->ops->poll(f->block);
		manager_tell_waiting(f->manager_fd);
		if (f->silent[i] > HANG_TICKS) {
			log_error("the device does not answer what is in queue %u: giving up", i);
			_exit(DRIVER_EXIT_DEVICE);
		}
	}
}

/* Does all that it takes exist? Its rings then lie where the device finds them, as it likes them. */
static bool
can_lend(struct front *f, struct vduse_vq_info *info, int *answers)
{
	uint64_t both = 1ull << VIRTIO_EVENT_IDX | 1ull << VIRTIO_BLK_FLUSH | 1ull << VIRTIO_BLK_RO |
			1ull << VIRTIO_BLK_DISCARD | 1ull << VIRTIO_BLK_WRITE_ZEROES;
	struct vduse_vq_eventfd none = { .fd = -1 };
	struct block_driver *b = f->block;

	if (!b->ops->lending || !b->device->iommu || !f->door.lent.last || f->door.lent.bus != f->door.lent.start)
		return false;
	if ((f->vduse.features ^ b->features) & both)
		return false;
	if (ioctl(f->fd, VDUSE_VQ_DIRECT, &none) == 0 || errno != EBADF)
		return false;
	for (unsigned i = 0; i < f->vduse.queue_count; i++) {
		info[i] = (struct vduse_vq_info){ .index = i };
		if (ioctl(f->fd, VDUSE_VQ_GET_INFO, &info[i]) < 0 || !info[i].ready)
			return false;
		answers[i] = b->ops->lending->can(b, i, info[i].num);
		if (answers[i] < 0)
			return false;
	}
	return true;
}

static void
lend_rings(struct front *f, const struct vduse_vq_info *info, const int *answers)
{
	f->rings_lent = true;
	dma_forget_predecessor(f->block->device);
	for (unsigned i = 0; i < f->vduse.queue_count; i++) {
		struct vduse_vq_eventfd event = { .index = i, .fd = answers[i] };
		struct virtio_ring ring = {
			.desc = info[i].desc_addr, .avail = info[i].driver_addr, .used = info[i].device_addr, .size = info[i].num,
		};

		loop_forget(&f->vduse.queues[i].kick);
		if (ioctl(f->fd, VDUSE_VQ_DIRECT, &event) < 0) {
			log_error("queue %u cannot be lent: %s", i, strerror(errno));
			_exit(DRIVER_EXIT_DEVICE);
		}
		f->block->ops->lending->give_ring(f->block, i, &ring);
	}
	f->watchdog.ready = watch_rings;
	if (loop_watch_timer(&f->watchdog, TICK_MS) < 0)
		log_error("no watchdog: there is no timer");
}

static void
begun(struct vduse *v)
{
	struct front *f = container_of(v, struct front, vduse);
	struct vduse_vq_info info[VDUSE_QUEUES_MAX];
	int answers[VDUSE_QUEUES_MAX];

	if (!f->started) {
		f->started = true;
		if (can_lend(f, info, answers))
			lend_rings(f, info, answers);
		if (f->block->ops->go)
			f->block->ops->go(f->block);
		for (unsigned i = 0; f->rings_lent && i < v->queue_count; i++)
			f->block->ops->lending->give_doorbell(f->block, i, v->queues[i].kick.fd);
		if (f->door.grown && vduse_set_config(v, &f->kind) < 0)
			log_error("the kernel does not hear that the disk has grown");
	}
	f->to_tell = true;
}

static void
tell_running(struct front *f)
{
	f->to_tell = false;
	log_info("serving%s%s", f->vduse.adopted ? ": going on where another stopped" : "",
		f->rings_lent ? ", by the device itself" : "");
	manager_tell_running(f->manager_fd);
}

static bool
settle(struct vduse *v)
{
	struct front *f = container_of(v, struct front, vduse);

	publish(f);
	return f->block->in_flight == 0 && !f->block->waiting;
}

static void
idle(struct block_driver *b)
{
	struct front *f = b->source;

	publish(f);
	vduse_idle(&f->vduse);
}

static void
slow(struct block_driver *b)
{
	manager_tell_waiting(((struct front *)b->source)->manager_fd);
}

/* After each batch, when block.c's hook has handed on what came: tell the kernel what is done. */
static void
after_batch(struct batch_hook *h)
{
	struct front *f = container_of(h, struct front, hook);

	publish(f);
	for (unsigned i = 0; i < f->vduse.queue_count; i++)
		if (f->starved[i] && f->vduse.queues[i].ready && !f->vduse.draining)
			kicked(&f->vduse, &f->vduse.queues[i]);
	if (f->to_tell)
		tell_running(f);
}

static int
make_requests(struct front *f, unsigned queues)
{
	for (unsigned q = 0; q < queues; q++) {
		f->all[q] = calloc(QUEUE_SIZE, sizeof(*f->all[q]));
		if (!f->all[q])
			return -ENOMEM;
	}
	return 0;
}

/* The descriptor of /dev/vduse/NAME: from the manager, or opened by ourselves. */
static int
open_door(const struct driver_options *o, unsigned unit, const struct block_disk *disk, struct front *f)
{
	const struct vduse_kind *kind = &f->kind;
	char name[MANAGER_DISK_MAX], size[32] = "";
	int control, error;

	if (o->manager_fd >= 0) {
		/* One without a name of its own is told by its size, too; another may grow. */
		if (!disk->id[0])
			snprintf(size, sizeof(size), "%llu sectors", (unsigned long long)disk->sectors);
		snprintf(name, sizeof(name), "%u %s%s, blocks of %u, %u queues", disk->unit, disk->id, size, disk->block_size,
			disk->queues);
		return manager_ask_vduse(o->manager_fd, name, disk->sectors, kind, &f->door);
	}
	if (!o->vduse) {
		log_error("neither --vduse nor --test: nobody to serve");
		return -EINVAL;
	}
	snprintf(name, sizeof(name), unit ? "%s%u" : "%s", o->vduse, unit);
	control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return -errno;
	error = vduse_create(control, name, kind);
	close(control);
	return error && error != -EEXIST ? error : vduse_open(name);
}

/* Have a front for disk `unit`, not begun yet. */
static int
make_front(struct block_driver *b, unsigned unit, const struct driver_options *o)
{
	struct front *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	make_kind(&b->disk, &f->kind);
	f->fd = open_door(o, unit, &b->disk, f);
	if (f->fd < 0)
		return f->fd;
	f->block = b;
	b->source = f;
	b->idle = idle;
	b->slow = slow;
	f->vduse.kicked = kicked;
	f->vduse.settle = settle;
	f->vduse.begun = begun;
	f->manager_fd = o->manager_fd;
	f->vduse.region_mapped = region_mapped;
	f->vduse.region_unmapped = region_unmapped;
	f->hook.run = after_batch;
	loop_add_hook(&f->hook);
	f->looker.look = look;
	f->looker.listen = listen;
	loop_add_looker(&f->looker);
	return make_requests(f, b->disk.queues);
}

int
block_serve_vduse(struct block_driver **disks, unsigned count, const struct driver_options *o)
{
	int error = 0;

	for (unsigned i = 0; i < count && !error; i++)
		error = make_front(disks[i], i, o);
	if (!error)
		error = driver_confine(o);
	for (unsigned i = 0; i < count && !error; i++) {
		struct front *f = disks[i]->source;

		error = vduse_begin(&f->vduse, f->fd, &f->kind);
	}
	if (error) {
		log_error("cannot serve the kernel: %s", strerror(-error));
		return DRIVER_EXIT_DEVICE;
	}
	return loop_run();
}
