/* SPDX-License-Identifier: MIT */
/*
 * vduse_ring.c - the driver's side of the split virtqueues (VIRTIO 1.2, 2.7), in memory that the daemon maps.
 *
 * The arena is one object. The bounce pages through which data go come first, in pieces of 2 MiB that are contiguous
 * where memory is not short: an IOMMU maps each by one entry, and a device finds a request's data in one piece. Behind
 * them follow, for each queue, the page of its ring and the page of its requests' headers. Addresses are offsets in it,
 * from ARENA_START. Slot n of a queue is always descriptors 3n, 3n + 1 and 3n + 2: header, data, status.
 *
 * The daemon is not trusted. It can write all of the arena at any time; so the kernel keeps for itself what is in the
 * ring (slots, `avail`, `used`) and reads three things only: how far the used ring goes, the ids in it,
 * and when a request is answered its status and data. An id that is not in the ring, or more answers than
 * there are questions, is nonsense: it is logged, what is in the ring gets EIO, and nobody listens to this daemon any
 * more.
 *
 * A daemon that dies leaves its requests in the ring. Before the next one sees the ring, its entries from `used` to
 * `avail` are written anew: what is not answered, in the order in which it was asked. A daemon that keeps a log
 * of what it took (as libvduse does) finds these at the places where its log has them, because it took them
 * in that order too; one that keeps none begins at `used` and does all of them. Since requests that are under way at
 * the same time have no order among each other, doing one twice does no harm.
 *
 * A request that got an error while it was in the ring (no daemon came in time) stays there, as a flush: the next
 * daemon answers it, and its late write cannot overwrite what was written since.
 *
 *	FREE -> FILLING -> BUSY ----------> DONE -> FREE
 *	                     \-> ABANDONED --^
 *
 * A daemon may have a device serve a queue: one that understands such rings itself (VDUSE_VQ_DIRECT). Then the ring
 * begins anew at index 0, as a device does after its reset; the kick goes to the device (VFIO_DEVICE_IOEVENTFD), and its
 * interrupt comes here, by an eventfd. What is trusted is the same: the device could always write to the arena.
 *
 * Locks: queue->lock (VDUSE_QUEUE), then bounce_lock (LEAF). Data are copied, and the daemon is kicked, without them.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vduse.h"

_Static_assert(sizeof(struct vring) <= PAGE_SIZE, "a ring is a page");
_Static_assert(offsetof(struct vring, avail) == 16 * RING_SIZE, "avail follows the descriptors");
_Static_assert(offsetof(struct vring, used) % 4 == 0, "the used ring is aligned");

#define NO_NOTIFY 1u /* used.flags: the daemon looks by itself */

static void *
arena_at(struct vduse *v, uint32_t page)
{
	return page_to_virt(v->pages[page]);
}

static bool
uses_events(const struct vduse_queue *q)
{
	return READ_ONCE(q->device->agreed) & VIRTIO_F_EVENT_IDX;
}

/* The answer that we want to be told of. */
static uint16_t *
used_event(struct vduse_queue *q)
{
	return &q->ring->avail.ring[q->size];
}

/* The request that the daemon wants to be told of. */
static uint16_t
avail_event(const struct vduse_queue *q)
{
	return (uint16_t)READ_ONCE(q->ring->used.ring[q->size].id);
}

static struct request_header *
header_of(struct vduse_queue *q, uint32_t slot)
{
	return (struct request_header *)page_to_virt(q->headers) + slot;
}

void
vduse_arena_free(struct vduse *v)
{
	for (uint32_t i = 0; v->pages && i < v->page_count; i++)
		if (v->pages[i])
			page_put(v->pages[i]);
	kvfree(v->pages);
	v->pages = NULL;
	if (v->arena)
		object_put(v->arena);
	v->arena = NULL;
}

int
vduse_arena_create(struct vduse *v)
{
	size_t size;

	v->page_count = BOUNCE_PAGES + v->queue_count * 2;
	size = v->page_count * sizeof(v->pages[0]);
	v->arena = object_create(&anonymous_object_ops, v->page_count * PAGE_SIZE, NULL);
	v->pages = v->arena ? kvmalloc(size) : NULL;
	if (!v->pages)
		return -ENOMEM;
	memset(v->pages, 0, size);
	for (uint32_t i = 0; i < BOUNCE_PAGES; i += HUGE_PAGE_SIZE / PAGE_SIZE)
		object_make_contiguous(v->arena, i);
	for (uint32_t i = 0; i < v->page_count; i++) {
		int error = object_get_page(v->arena, i, &v->pages[i]);

		if (error)
			return error;
	}
	for (uint32_t i = 0; i < v->queue_count; i++) {
		v->queues[i].ring = arena_at(v, vduse_ring_page(i));
		v->queues[i].headers = v->pages[vduse_ring_page(i) + 1];
	}
	return 0;
}

/* --- bounce pages ------------------------------------------------------------------------------------ */

static bool
in_use(const struct vduse *v, uint32_t i)
{
	return v->bounce_map[i / 64] >> (i % 64) & 1;
}

static void
mark(struct vduse *v, uint32_t first, uint32_t n, bool used)
{
	for (uint32_t i = first; i < first + n; i++) {
		if (used)
			v->bounce_map[i / 64] |= 1ull << (i % 64);
		else
			v->bounce_map[i / 64] &= ~(1ull << (i % 64));
	}
}

/* A run of n pages, the first that fits. False: there is none at the moment. */
static bool
bounce_take(struct vduse *v, uint32_t n, uint32_t *first)
{
	uint64_t flags = spin_lock_irq(&v->bounce_lock);
	uint32_t run = 0;
	bool found = n == 0;

	for (uint32_t i = 0; i < BOUNCE_PAGES && !found; i++) {
		run = in_use(v, i) ? 0 : run + 1;
		if (run == n) {
			*first = i + 1 - n;
			mark(v, *first, n, true);
			found = true;
		}
	}
	spin_unlock_irq(&v->bounce_lock, flags);
	return found;
}

static void
bounce_give(struct vduse *v, uint32_t first, uint32_t n)
{
	uint64_t flags = spin_lock_irq(&v->bounce_lock);

	mark(v, first, n, false);
	spin_unlock_irq(&v->bounce_lock, flags);
}

/* Between the segments of a request and its run. */
static void
copy(struct vduse *v, const struct block_io *io, const struct vduse_slot *s, bool in)
{
	uint32_t at = 0;

	for (; io; io = io->next)
		for (uint32_t i = 0; i < io->count; i++) {
			char *memory = (char *)page_to_virt(io->segments[i].page) + io->segments[i].offset;
			uint32_t left = io->segments[i].length;

			while (left > 0) {
				char *bounce = arena_at(v, s->run + at / (uint32_t)PAGE_SIZE);
				uint32_t inside = at % (uint32_t)PAGE_SIZE;
				uint32_t n = MIN(left, (uint32_t)PAGE_SIZE - inside);

				if (in)
					memcpy(memory, bounce + inside, n);
				else
					memcpy(bounce + inside, memory, n);
				memory += n;
				at += n;
				left -= n;
			}
		}
}

/* --- into the ring ------------------------------------------------------------------------------------ */

static uint64_t
address_of(uint32_t page)
{
	return ARENA_START + (uint64_t)page * PAGE_SIZE;
}

/* The three descriptors of slot n. */
static void
describe(struct vduse_queue *q, uint32_t n, bool in)
{
	struct vduse_slot *s = &q->slots[n];
	struct vring_descriptor *d = &q->ring->descriptors[n * 3];
	uint64_t header = address_of(vduse_ring_page(q->index) + 1) + n * sizeof(struct request_header);
	bool ranged = s->bytes == sizeof(((struct request_header *)NULL)->range) && s->pages == 0;

	d[0] = (struct vring_descriptor){
		.address = header,
		.length = 16,
		.flags = DESCRIPTOR_NEXT,
		.next = (uint16_t)(n * 3 + (s->bytes ? 1 : 2)),
	};
	d[1] = (struct vring_descriptor){
		.address = ranged ? header + offsetof(struct request_header, range)
				  : address_of(s->run),
		.length = s->bytes,
		.flags = (uint16_t)(DESCRIPTOR_NEXT | (in ? DESCRIPTOR_WRITE : 0)),
		.next = (uint16_t)(n * 3 + 2),
	};
	d[2] = (struct vring_descriptor){
		.address = header + offsetof(struct request_header, status),
		.length = 1,
		.flags = DESCRIPTOR_WRITE,
	};
}

/* Slot n, whose request has failed, stays in the ring as a flush. */
static void
describe_abandoned(struct vduse_queue *q, uint32_t n)
{
	struct request_header *h = header_of(q, n);

	memset(h, 0, sizeof(*h));
	h->type = 4; /* VIRTIO_BLK_T_FLUSH */
	describe(q, n, false);
}

/* Slot n is ready: the daemon may have it. q->lock is held. */
static void
publish(struct vduse_queue *q, uint32_t n)
{
	assert_held(&q->lock);
	q->ring->avail.ring[q->avail % q->size] = (uint16_t)(n * 3);
	q->avail++;
	q->in_ring++;
	q->slots[n].sequence = ++q->sequence;
	q->slots[n].state = SLOT_BUSY;
	atomic_store_release(&q->ring->avail.index, q->avail); /* after the descriptors */
	q->kick_due = true;
}

static uint32_t
bytes_of(const struct block_io *io)
{
	if (io->doing == BLOCK_READ || io->doing == BLOCK_WRITE)
		return (uint32_t)io->total;
	return io->doing == BLOCK_FLUSH ? 0 : (uint32_t)sizeof(((struct request_header *)NULL)->range);
}

static uint32_t
bounce_pages(const struct block_io *io)
{
	bool data = io->doing == BLOCK_READ || io->doing == BLOCK_WRITE;

	return data ? (uint32_t)DIV_ROUND_UP(io->total, PAGE_SIZE) : 0;
}

/* Room for the first that waits: its slot, FILLING, or -1. */
static int
reserve(struct vduse_queue *q)
{
	struct vduse *v = q->device;
	struct block_io *io;
	int n;

	spin_lock(&q->lock);
	for (n = (int)q->slot_count - 1; n >= 0 && q->slots[n].state != SLOT_FREE; n--)
		;
	if (n >= 0 && !list_is_empty(&q->waiting)) {
		struct vduse_slot *s = &q->slots[n];

		io = list_first(&q->waiting, struct block_io, node);
		s->pages = bounce_pages(io);
		s->run = 0;
		if (bounce_take(v, s->pages, &s->run)) {
			list_del(&io->node);
			s->io = io;
			s->bytes = bytes_of(io);
			s->state = SLOT_FILLING;
		} else {
			n = -1;
		}
	} else {
		n = -1;
	}
	spin_unlock(&q->lock);
	return n;
}

/* Back to nothing; who waits for room looks again. */
static void
free_slot(struct vduse_queue *q, uint32_t n)
{
	struct vduse_slot *s = &q->slots[n];

	bounce_give(q->device, s->run, s->pages);
	spin_lock(&q->lock);
	s->io = NULL;
	s->pages = 0;
	s->state = SLOT_FREE;
	spin_unlock(&q->lock);
}

static void
answer(struct block_io *io, int error)
{
	if (!io->driver[1]) {
		block_complete(io, error);
		return;
	}
	io->error = error; /* the driver's own question */
	block_io_wake(io);
}

static bool
is_offline(const struct vduse *v)
{
	return READ_ONCE(v->broken) || READ_ONCE(v->dying) || READ_ONCE(v->expired) || READ_ONCE(v->stalled);
}

bool
vduse_ring_is_busy(struct vduse *v)
{
	for (uint32_t i = 0; i < v->queue_count; i++)
		if (READ_ONCE(v->queues[i].in_ring))
			return true;
	return false;
}

uint64_t
vduse_ring_oldest(struct vduse_queue *q)
{
	uint64_t oldest = 0;

	spin_lock(&q->lock);
	for (uint32_t i = 0; i < q->slot_count; i++)
		if (q->slots[i].state == SLOT_BUSY && (!oldest || q->slots[i].sequence < oldest))
			oldest = q->slots[i].sequence;
	spin_unlock(&q->lock);
	return oldest;
}

/* As many of those that wait as there is room for. */
static void
pump(struct vduse_queue *q)
{
	struct vduse *v = q->device;
	int n;

	while ((n = reserve(q)) >= 0) {
		struct vduse_slot *s = &q->slots[n];
		struct block_io *io = s->io;
		struct request_header *h = header_of(q, (uint32_t)n);
		bool known, offline;

		memset(h, 0, sizeof(*h));
		h->status = 0xff;
		known = vduse_block_header(v, io, h);
		if (known && io->doing == BLOCK_WRITE)
			copy(v, io, s, false);
		spin_lock(&q->lock);
		offline = is_offline(v);
		if (known && !offline) {
			describe(q, (uint32_t)n, io->doing == BLOCK_READ);
			publish(q, (uint32_t)n);
		}
		vduse_watch_begin(v); /* before it can be answered, and the disk go */
		spin_unlock(&q->lock);
		if (!known || offline) {
			free_slot(q, (uint32_t)n);
			answer(io, known ? -EIO : -EOPNOTSUPP);
		}
	}
}

/* The queue whose answers come to this CPU, which then need not wake another one; else any, each CPU another one. */
static struct vduse_queue *
queue_here(struct vduse *v)
{
	uint32_t cpu = arch_cpu_id();

	for (uint32_t i = 0; i < v->queue_count; i++)
		if (READ_ONCE(v->queues[i].answered_by) == cpu)
			return &v->queues[i];
	return &v->queues[cpu % v->queue_count];
}

void
vduse_ring_submit(struct vduse *v, struct block_io *io)
{
	struct vduse_queue *q = queue_here(v);
	bool offline;

	spin_lock(&q->lock);
	offline = is_offline(v);
	if (!offline)
		list_add_tail(&q->waiting, &io->node);
	spin_unlock(&q->lock);
	if (offline)
		answer(io, -EIO);
	else
		pump(q);
}

/*
 * Does the daemon want to be told of what came since it was thought of last? It says so, then looks at avail once more:
 * our index is out before we look at what it says. 2.7.7 and 2.7.10 of the specification. q->lock is held.
 */
static bool
wants_kick(struct vduse_queue *q)
{
	uint16_t old = q->told, new = q->avail;

	memory_barrier();
	q->told = new;
	/* One that goes on by its log does not say what it wants to hear of before it has taken something out of avail. */
	if (uses_events(q))
		return avail_event(q) == q->assumed || (uint16_t)(new - avail_event(q) - 1) < (uint16_t)(new - old);
	return !(READ_ONCE(q->ring->used.flags) & NO_NOTIFY);
}

void
vduse_ring_kick(struct vduse_queue *q)
{
	struct file *kick = NULL;

	spin_lock(&q->lock);
	if (q->kick_due && q->kick) {
		q->kick_due = false;
		if (wants_kick(q)) {
			kick = q->kick;
			file_get(kick);
		}
	}
	spin_unlock(&q->lock);
	if (kick) {
		eventfd_signal(kick, 1);
		file_put_late(kick); /* requests come from deep below */
	}
}

void
vduse_ring_commit(struct vduse *v)
{
	for (uint32_t i = 0; i < v->queue_count; i++)
		if (READ_ONCE(v->queues[i].kick_due))
			vduse_ring_kick(&v->queues[i]);
}

/* --- out of the ring ---------------------------------------------------------------------------------- */

static void
refuse(struct vduse *v, struct vduse_queue *q, const char *what, uint64_t value)
{
	if (READ_ONCE(v->broken))
		return;
	WRITE_ONCE(v->broken, true);
	atomic_add(&v->refused, 1);
	pr_err("vduse: %s: queue %u: %s (%lu): what is under way gets an error, this daemon is not heard any more\n",
	       v->name, q->index, what, value);
}

/*
 * The next answer: its slot, DONE. -1: there is none, or nonsense instead. One at a time: the daemon may go on
 * writing while we take.
 */
static int
take(struct vduse_queue *q)
{
	struct vduse *v = q->device;
	uint16_t there;
	uint32_t id, n;
	int result = -1;

	spin_lock(&q->lock);
	there = (uint16_t)(atomic_load(&q->ring->used.index) - q->used);
	if (there == 0 && q->ready && uses_events(q)) {
		/* The next one we want to hear of; then a look at what the daemon wrote before it saw that. */
		WRITE_ONCE(*used_event(q), q->used);
		memory_barrier();
		there = (uint16_t)(atomic_load(&q->ring->used.index) - q->used);
	}
	if (there == 0 || READ_ONCE(v->broken) || !q->ready)
		goto out;
	if (there > q->in_ring) {
		refuse(v, q, "more answers than requests", there);
		goto out;
	}
	id = READ_ONCE(q->ring->used.ring[q->used % q->size].id);
	n = id / 3;
	if (id % 3 || n >= q->slot_count || (q->slots[n].state != SLOT_BUSY && q->slots[n].state != SLOT_ABANDONED)) {
		refuse(v, q, "an answer to what was not asked", id);
		goto out;
	}
	q->used++;
	q->in_ring--;
	q->slots[n].state = SLOT_DONE;
	result = (int)n;
out:
	spin_unlock(&q->lock);
	return result;
}

static int
outcome(struct vduse_queue *q, uint32_t n)
{
	switch (READ_ONCE(header_of(q, n)->status)) {
	case 0:
		return 0;
	case 1:
		return -EIO;
	case 2:
		return -EOPNOTSUPP;
	default:
		pr_warn("vduse: %s: an answer without a status\n", q->device->name);
		return -EIO;
	}
}

void
vduse_ring_take(struct vduse_queue *q)
{
	struct vduse *v = q->device;
	int n;

	while ((n = take(q)) >= 0) {
		struct vduse_slot *s = &q->slots[n];
		struct block_io *io = s->io;
		int error = io ? outcome(q, (uint32_t)n) : 0;

		atomic_add_relaxed(&v->answers, 1);
		if (unlikely(READ_ONCE(v->stalled))) {
			WRITE_ONCE(v->stalled, false);
			pr_info("vduse: %s: its daemon answers again\n", v->name);
		}
		if (io && !error && io->doing == BLOCK_READ)
			copy(v, io, s, true);
		free_slot(q, (uint32_t)n);
		if (io)
			answer(io, error);
	}
	if (READ_ONCE(v->broken))
		vduse_ring_fail(v);
	/* There is room again, in this ring and among the pages of all. */
	for (uint32_t i = 0; i < v->queue_count; i++)
		if (!list_is_empty(&v->queues[i].waiting))
			pump(&v->queues[i]);
	vduse_ring_commit(v);
}

/* One that waits, or is in the ring and is from now on only a flush that nobody waits for. NULL: no more. */
static struct block_io *
fail_one(struct vduse_queue *q)
{
	struct block_io *io = NULL;

	spin_lock(&q->lock);
	if (!list_is_empty(&q->waiting)) {
		io = list_first(&q->waiting, struct block_io, node);
		list_del(&io->node);
	}
	for (uint32_t n = 0; n < q->slot_count && !io; n++) {
		struct vduse_slot *s = &q->slots[n];

		if (s->state != SLOT_BUSY)
			continue;
		io = s->io;
		s->io = NULL;
		s->bytes = 0;
		s->state = SLOT_ABANDONED;
		describe_abandoned(q, n);
	}
	spin_unlock(&q->lock);
	return io;
}

void
vduse_ring_fail(struct vduse *v)
{
	for (uint32_t i = 0; i < v->queue_count; i++) {
		struct block_io *io;

		while ((io = fail_one(&v->queues[i])) != NULL)
			answer(io, -EIO);
	}
}

/* --- another daemon ------------------------------------------------------------------------------------ */

/* The slot in the ring that went there first after number `after`; -1: none. */
static int
next_in_ring(const struct vduse_queue *q, uint64_t after)
{
	int found = -1;

	for (uint32_t n = 0; n < q->slot_count; n++) {
		const struct vduse_slot *s = &q->slots[n];

		if ((s->state == SLOT_BUSY || s->state == SLOT_ABANDONED) && s->sequence > after &&
		    (found < 0 || s->sequence < q->slots[found].sequence))
			found = (int)n;
	}
	return found;
}

/* Everything that is not answered lies in the ring again, the first of it at `first`. */
static void
begin_at(struct vduse_queue *q, uint16_t first)
{
	uint64_t after = 0;
	int n;

	assert_held(&q->lock);
	q->avail = q->used = first;
	while ((n = next_in_ring(q, after)) >= 0) {
		struct vduse_slot *s = &q->slots[n];

		after = s->sequence;
		/* Whatever the last one wrote there. */
		if (s->io) {
			describe(q, (uint32_t)n, s->io->doing == BLOCK_READ);
			memset(header_of(q, (uint32_t)n), 0, sizeof(struct request_header));
			vduse_block_header(q->device, s->io, header_of(q, (uint32_t)n));
		} else {
			describe_abandoned(q, (uint32_t)n);
		}
		header_of(q, (uint32_t)n)->status = 0xff;
		q->ring->avail.ring[q->avail % q->size] = (uint16_t)(n * 3);
		q->avail++;
	}
	q->ring->avail.flags = 0;
	q->ring->used.flags = 0;
	q->told = q->used;
	if (uses_events(q)) {
		*used_event(q) = q->used;
		q->ring->used.ring[q->size].id = q->assumed = q->used;
	}
	q->ring->used.index = q->used;
	atomic_store_release(&q->ring->avail.index, q->avail);
	q->kick_due = q->in_ring > 0;
}

void
vduse_ring_attach(struct vduse *v)
{
	for (uint32_t i = 0; i < v->queue_count; i++) {
		struct vduse_queue *q = &v->queues[i];

		/* The last one could write over these, too. They stay in the ring: there is nobody to answer. */
		for (uint32_t n = 0; n < q->slot_count; n++)
			if (READ_ONCE(q->slots[n].state) == SLOT_BUSY && q->slots[n].io->doing == BLOCK_WRITE)
				copy(v, q->slots[n].io, &q->slots[n], false);
		spin_lock(&q->lock);
		begin_at(q, q->used);
		atomic_add(&v->replayed, q->in_ring);
		spin_unlock(&q->lock);
	}
}

void
vduse_ring_restart(struct vduse_queue *q)
{
	spin_lock(&q->lock);
	begin_at(q, 0);
	spin_unlock(&q->lock);
}

/* --- answers that an eventfd tells of ------------------------------------------------------------------- */

/*
 * Answers are taken for the daemon that told where to listen, never for its successor, which takes the ring over and
 * believes that nobody answers meanwhile:
 *
 *   here:                              vduse_ring_listen(q, NULL):
 *   (1) taking + 1                     (3) told_by = NULL
 *   (2) told_by? if so, take           (4) wait until taking is 0
 *
 * Who is late finds at (2) what (3) wrote, or (4) waits for him.
 */
static void
answers_told(struct continuation *c)
{
	struct vduse_queue *q = container_of(c, struct vduse_queue, telling);

	atomic_add(&q->taking, 1u);
	if (atomic_load(&q->told_by))
		vduse_ring_take(q);
	if (atomic_sub_fetch(&q->taking, 1u) == 0 && !wait_queue_is_empty(&q->taken))
		wake_all(&q->taken);
	vduse_put(q->device);
}

static void
tell_later(struct vduse_queue *q)
{
	vduse_get(q->device);
	if (!continuation_run(&q->telling))
		vduse_put(q->device); /* not the last: whoever listens has one */
}

/* The eventfd's queue is locked; mostly in a device's interrupt. */
static bool
answers_come(struct waiter *w, uint32_t key)
{
	struct vduse_queue *q = container_of(w, struct vduse_queue, teller);

	if (key & POLLIN) {
		eventfd_drain(q->told_by);
		WRITE_ONCE(q->answered_by, arch_cpu_id());
		tell_later(q);
	}
	return false;
}

void
vduse_ring_listen(struct vduse_queue *q, struct file *f)
{
	struct file *old = q->told_by;

	assert_mutex_held(&q->device->lock);
	if (old)
		waiter_remove(&q->teller);
	atomic_store(&q->told_by, f);
	if (old)
		file_put(old);
	if (!f) {
		wait_event(&q->taken, atomic_load(&q->taking) == 0);
		return;
	}
	file_get(f);
	waiter_add(eventfd_queue(f), &q->teller);
	if (file_poll(f, NULL) & POLLIN)
		tell_later(q);
}

void
vduse_ring_init(struct vduse *v, uint32_t index)
{
	struct vduse_queue *q = &v->queues[index];

	spin_init(&q->lock, LOCK_VDUSE_QUEUE);
	list_init(&q->waiting);
	q->device = v;
	q->index = index;
	q->answered_by = UINT32_MAX;
	wait_queue_init(&q->taken);
	waiter_init(&q->teller, NULL);
	q->teller.wake = answers_come;
	continuation_init(&q->telling, answers_told);
}
