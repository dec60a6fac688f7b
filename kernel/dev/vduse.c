/* SPDX-License-Identifier: MIT */
/*
 * vduse.c - VDUSE devices: made and destroyed by /dev/vduse/control, served by whoever opens /dev/vduse/NAME.
 *
 *	          all queues set up     the daemon answers
 *	NEW ------------------------> STARTING ------------> LIVE ----> GOING
 *	                                  \--> FAILED ------------------^
 *
 * On Linux a device stays apart until "vdpa dev add" gives it to a driver, by netlink. Here there is one driver for
 * all, and it begins as soon as the daemon has set up its last queue; the disk is there when the daemon has
 * answered. What Linux calls unbinding is VDUSE_DESTROY_DEV here: it fails with EBUSY while a program has the disk
 * open.
 *
 * One daemon at a time has /dev/vduse/NAME open. When it goes, requests wait, for as long as the disk's queue/io_timeout
 * says; the next one gets them again (vduse_ring.c). After that time they fail, and so does all that comes, until a
 * daemon is there. The same holds when daemons are there, one or several, and in that time answer none of what is in
 * the rings, or when one leaves the oldest request of a ring for that long: from the next answer on, or with the next
 * daemon, requests go there again.
 *
 * References: the table, each open file, the driver's thread, the disk, and each of its continuations (limit, watch, a
 * queue's telling) while it waits or runs.
 * Locks: table_lock (VDUSE_TABLE), then vduse->lock (VDUSE); neither is held while anybody waits for the daemon.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/sysfs.h>

#include "vduse.h"

#define MAJOR_VDUSE 244u
#define DEVICES_MAX 1024u
#define PATIENCE_MS 30000u /* before there is a disk that says */

static struct mutex table_lock = MUTEX_INIT(table_lock, VDUSE_TABLE);
static struct list devices = LIST_INIT(devices); /* table_lock */

static const struct file_ops control_ops = {
	.name = "vduse-control",
};

bool
file_is_vduse_control(const struct file *f)
{
	return f->ops == &control_ops;
}

/* --- birth and death ------------------------------------------------------------------------------------ */

void
vduse_put(struct vduse *v)
{
	if (!ref_put(&v->refs))
		return;
	for (uint32_t i = 0; v->queues && i < v->queue_count; i++)
		if (v->queues[i].kick)
			file_put_late(v->queues[i].kick); /* the end of a disk comes below that of a file, of pages, ... */
	vduse_arena_free(v);
	kvfree(v->queues);
	kfree(v->config);
	kfree(v);
}

/* No daemon came in time. */
static void
time_is_up(struct continuation *c)
{
	struct vduse *v = container_of(c, struct vduse, limit);

	mutex_lock(&v->lock); /* until all have failed: a daemon that comes now takes over what is left */
	if (!v->connected) {
		WRITE_ONCE(v->expired, true);
		pr_err("vduse: %s: no daemon has come: requests fail until one does\n", v->name);
		vduse_ring_fail(v);
	}
	mutex_unlock(&v->lock);
	vduse_put(v);
}

/* How long requests wait for an answer, or a daemon. v->lock is held, or a request is on its way. */
static uint64_t
patience_ns(const struct vduse *v)
{
	const struct block_disk *d = READ_ONCE(v->disk), *coming = READ_ONCE(v->coming);

	d = d ? d : coming;
	return (d ? READ_ONCE(d->timeout_ms) : PATIENCE_MS) * NSEC_PER_MSEC;
}

static void
watch_later(struct vduse *v, uint64_t patience)
{
	uint64_t step = MIN(MAX(patience / 8, 10 * NSEC_PER_MSEC), (uint64_t)NSEC_PER_SEC);

	continuation_run_when(&v->watch, NULL, deadline_after(step));
}

void
vduse_watch_begin(struct vduse *v)
{
	if (atomic_load_relaxed(&v->watching) || atomic_exchange(&v->watching, 1u))
		return;
	vduse_get(v);
	v->silent_since = clock_monotonic_ns();
	v->answers_seen = READ_ONCE(v->answers);
	watch_later(v, patience_ns(v));
}

/* Is a request of any queue, the oldest of it, what it was a patience ago? A new daemon has a patience of its own. */
static bool
leaves_one(struct vduse *v, uint64_t now, uint64_t patience)
{
	bool leaves = false;

	for (uint32_t i = 0; i < v->queue_count; i++) {
		struct vduse_queue *q = &v->queues[i];
		uint64_t oldest = vduse_ring_oldest(q);

		if (oldest != q->oldest || v->attached != v->attached_seen) {
			q->oldest = oldest;
			q->oldest_since = now;
		}
		leaves = leaves || (oldest && now - q->oldest_since >= patience);
	}
	v->attached_seen = v->attached;
	return leaves;
}

/* The daemon is there, and silent for longer than anybody is to wait. v->lock is held. */
static void
give_up_on(struct vduse *v, const char *what)
{
	WRITE_ONCE(v->stalled, true);
	pr_err("vduse: %s: its daemon %s: requests fail until it does\n", v->name, what);
	vduse_ring_fail(v);
}

/* While something is in a ring. Whoever puts something there when nothing was begins anew. */
static void
watch(struct continuation *c)
{
	struct vduse *v = container_of(c, struct vduse, watch);
	uint64_t now = clock_monotonic_ns(), answered = READ_ONCE(v->answers), patience;
	bool busy, leaves;

	mutex_lock(&v->lock);
	patience = patience_ns(v);
	leaves = leaves_one(v, now, patience);
	if (leaves && v->connected && !v->stalled)
		give_up_on(v, "leaves a request without an answer");
	else if (answered != v->answers_seen || v->stalled) {
		v->answers_seen = answered;
		v->silent_since = now;
	} else if (now - v->silent_since >= patience && v->connected && vduse_ring_is_busy(v)) {
		give_up_on(v, "answers nothing");
	}
	busy = !v->stalled && !v->dying && vduse_ring_is_busy(v);
	if (!busy)
		atomic_store(&v->watching, 0u);
	mutex_unlock(&v->lock);
	/* What came between the look and the word found the watch on its way: look once more. */
	if (!busy && !READ_ONCE(v->stalled) && !READ_ONCE(v->dying) && vduse_ring_is_busy(v) &&
	    !atomic_exchange(&v->watching, 1u))
		busy = true;
	if (busy)
		watch_later(v, patience);
	else
		vduse_put(v);
}

static bool
is_name(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n <= VDUSE_NAME_MAX && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       strcmp(name, "control") != 0;
}

static struct vduse *
find_locked(const char *name)
{
	struct vduse *v;

	list_for_each(v, &devices, node)
		if (strcmp(v->name, name) == 0)
			return v;
	return NULL;
}

/* Everything but its place in the table and its names. */
static struct vduse *
create(const struct vduse_create *c)
{
	struct vduse *v = kzalloc(sizeof(*v));
	size_t size = c->queues * sizeof(v->queues[0]);

	if (!v)
		return NULL;
	ref_init(&v->refs);
	list_init(&v->node);
	mutex_init(&v->lock, LOCK_VDUSE);
	spin_init(&v->bounce_lock, LOCK_LEAF);
	spin_init(&v->message_lock, LOCK_LEAF);
	list_init(&v->to_send);
	list_init(&v->sent);
	wait_queue_init(&v->readers);
	wait_queue_init(&v->answered);
	continuation_init(&v->limit, time_is_up);
	continuation_init(&v->watch, watch);
	snprintf(v->name, sizeof(v->name), "%s", c->name);
	v->vendor = c->vendor;
	v->id = c->device;
	v->features = c->features;
	v->config_size = c->config_size;
	v->queue_count = c->queues;
	v->disk_index = -1;
	v->config = kmemdup(c->config, MAX(c->config_size, 1u));
	v->queues = kvmalloc(size);
	if (v->queues)
		memset(v->queues, 0, size); /* before the first error: what is in them is given back */
	if (!v->config || !v->queues) {
		vduse_put(v);
		return NULL;
	}
	for (uint32_t i = 0; i < c->queues; i++)
		vduse_ring_init(v, i);
	if (vduse_arena_create(v)) {
		vduse_put(v);
		return NULL;
	}
	return v;
}

/* --- names ---------------------------------------------------------------------------------------------- */

static int
show_dev(struct text *t, void *object)
{
	struct vduse *v = object;

	text_print(t, "%u:%u\n", MAJOR_VDUSE, v->minor);
	return 0;
}

static int
show_uevent(struct text *t, void *object)
{
	struct vduse *v = object;

	text_print(t, "MAJOR=%u\nMINOR=%u\nDEVNAME=vduse/%s\n", MAJOR_VDUSE, v->minor, v->name);
	return 0;
}

static int
show_state(struct text *t, void *object)
{
	static const char *const names[] = {
		[VDUSE_NEW] = "new", [VDUSE_STARTING] = "starting", [VDUSE_LIVE] = "live",
		[VDUSE_FAILED] = "failed", [VDUSE_GOING] = "going",
	};
	struct vduse *v = object;

	text_print(t, "%s%s%s%s%s\n", names[READ_ONCE(v->state)], READ_ONCE(v->connected) ? " connected" : "",
		   READ_ONCE(v->broken) ? " broken" : "", READ_ONCE(v->expired) ? " expired" : "",
		   READ_ONCE(v->stalled) ? " stalled" : "");
	return 0;
}

static int
show_counts(struct text *t, void *object)
{
	struct vduse *v = object;

	text_print(t, "daemons %lu\nreplayed %lu\nrefused %lu\nanswered %lu\nwaiting %d\n", v->attached, v->replayed,
		   v->refused, READ_ONCE(v->answers), vduse_ring_is_busy(v));
	return 0;
}

static const struct sysfs_attribute device_attributes[] = {
	{ "counts", 0444, .show = show_counts },
	{ "dev", 0444, .show = show_dev },
	{ "state", 0444, .show = show_state },
	{ "uevent", 0444, .show = show_uevent },
	{ 0 },
};

static int
add_names(struct vduse *v)
{
	char path[VDUSE_NAME_SIZE + 8], number[24];
	int error;

	snprintf(number, sizeof(number), "%u:%u", MAJOR_VDUSE, v->minor);
	snprintf(path, sizeof(path), "vduse/%s", v->name);
	v->dir = sysfs_add_directory(sysfs_make_path("devices/virtual/vduse"), v->name, v);
	error = sysfs_add_attributes(v->dir, device_attributes);
	if (!error)
		error = sysfs_add_link(v->dir, "subsystem", sysfs_make_path("class/vduse"));
	if (!error)
		error = sysfs_add_link(sysfs_make_path("class/vduse"), v->name, v->dir);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("bus/vdpa/devices"), v->name, v->dir);
	if (!error)
		error = sysfs_add_link(sysfs_make_path("dev/char"), number, v->dir);
	if (!error)
		error = devfs_add(path, S_IFCHR | 0600, DEV(MAJOR_VDUSE, v->minor));
	if (error) {
		sysfs_remove(v->dir);
		v->dir = NULL;
	}
	return error;
}

static void
remove_names(struct vduse *v)
{
	char path[VDUSE_NAME_SIZE + 8];

	snprintf(path, sizeof(path), "vduse/%s", v->name);
	devfs_remove(path, DEV(MAJOR_VDUSE, v->minor));
	sysfs_remove(v->dir);
}

int
vduse_create(const struct vduse_create *c)
{
	struct vduse *v, *other;
	int error = vduse_block_check(c);

	if (error)
		return error;
	if (!is_name(c->name) || c->queues == 0 || c->queues > QUEUES_MAX || c->align > PAGE_SIZE)
		return -EINVAL;
	mutex_lock(&table_lock);
	if (find_locked(c->name)) {
		mutex_unlock(&table_lock);
		return -EEXIST;
	}
	v = create(c);
	error = v ? 0 : -ENOMEM;
	if (v) {
		v->minor = 1;
		list_for_each(other, &devices, node) /* in the order of their minors */
			if (other->minor == v->minor)
				v->minor++;
			else
				break;
		list_add_tail(&other->node, &v->node);
		error = v->minor > DEVICES_MAX ? -ENOSPC : add_names(v);
		if (error) {
			list_del(&v->node);
			vduse_put(v);
		}
	}
	mutex_unlock(&table_lock);
	return error;
}

int
vduse_destroy(const char *name)
{
	struct block_disk *d = NULL;
	struct vduse *v;
	int error = 0;

	mutex_lock(&table_lock);
	v = find_locked(name);
	if (!v || READ_ONCE(v->dying)) {
		mutex_unlock(&table_lock);
		return -EINVAL;
	}
	mutex_lock(&v->lock);
	if (v->connected || (v->disk && READ_ONCE(v->disk->openers)))
		error = -EBUSY;
	if (!error) {
		v->state = VDUSE_GOING;
		WRITE_ONCE(v->dying, true);
		d = v->disk;
		v->disk = NULL;
	}
	mutex_unlock(&v->lock);
	mutex_unlock(&table_lock);
	if (error)
		return error;
	wake_all(&v->answered);
	if (continuation_cancel(&v->limit))
		vduse_put(v);
	if (continuation_cancel(&v->watch))
		vduse_put(v);
	vduse_ring_fail(v);
	wait_event(&v->answered, !atomic_load(&v->beginning)); /* its thread makes names below ours, and takes them away */
	if (d) {
		block_disk_remove(d);
		block_disk_put(d);
	}
	mutex_lock(&table_lock); /* until now name and minor are taken */
	remove_names(v);
	list_del(&v->node);
	mutex_unlock(&table_lock);
	vduse_put(v);
	return 0;
}

/* --- the daemon's file ------------------------------------------------------------------------------------ */

static int
device_open(struct inode *i, struct file *f)
{
	struct vduse *v, *found = NULL;
	int error = 0;

	mutex_lock(&table_lock);
	list_for_each(v, &devices, node)
		if (v->minor == DEV_MINOR(i->rdev))
			found = v;
	v = found;
	if (v)
		vduse_get(v);
	mutex_unlock(&table_lock);
	if (!v)
		return -ENODEV;
	mutex_lock(&v->lock);
	if (v->connected)
		error = -EBUSY;
	else if (v->state == VDUSE_GOING)
		error = -ENODEV;
	if (!error) {
		WRITE_ONCE(v->connected, true);
		atomic_add(&v->attached, 1);
		if (continuation_cancel(&v->limit))
			vduse_put(v); /* its reference; ours is there */
		vduse_ring_attach(v);
		WRITE_ONCE(v->broken, false);
		WRITE_ONCE(v->expired, false);
		WRITE_ONCE(v->stalled, false);
		if (vduse_ring_is_busy(v))
			vduse_watch_begin(v);
	}
	mutex_unlock(&v->lock);
	if (error)
		vduse_put(v);
	else
		f->private = v;
	return error;
}

static void
device_release(struct file *f)
{
	struct vduse *v = f->private;

	if (!v) /* it was not opened */
		return;
	for (uint32_t i = 0; i < v->queue_count; i++) {
		struct vduse_queue *q = &v->queues[i];
		struct file *kick;

		mutex_lock(&v->lock);
		vduse_ring_listen(q, NULL);
		mutex_unlock(&v->lock);
		vduse_ring_take(q); /* what it has answered and not said */
		spin_lock(&q->lock);
		kick = q->kick;
		q->kick = NULL;
		spin_unlock(&q->lock);
		if (kick)
			file_put(kick);
	}
	vduse_messages_again(v);
	mutex_lock(&v->lock);
	WRITE_ONCE(v->connected, false);
	/* Who wrote nonsense, or was silent, is gone: what comes now waits for the next. */
	WRITE_ONCE(v->broken, false);
	WRITE_ONCE(v->stalled, false);
	/* Also while the disk is only coming: who opens it waits for its table to be read. */
	if (v->state == VDUSE_STARTING || v->state == VDUSE_LIVE) {
		vduse_get(v);
		continuation_run_when(&v->limit, NULL, deadline_after(patience_ns(v)));
	}
	mutex_unlock(&v->lock);
	vduse_put(v);
}

static void
device_dump(struct file *f)
{
	struct vduse *v = f->private;

	pr_info("  vduse %s: status %#x, %lu daemons, %lu replayed, %lu refused\n", v->name, v->status, v->attached,
		v->replayed, v->refused);
}

static const struct file_ops device_ops = {
	.name = "vduse",
	.no_splice_read = true,
	.no_splice_write = true,
	.read = vduse_read_message,
	.write = vduse_write_answer,
	.poll = vduse_poll_messages,
	.release = device_release,
	.dump = device_dump,
};

struct vduse *
file_vduse(const struct file *f)
{
	return f->ops == &device_ops ? f->private : NULL;
}

/* --- what the daemon asks for ------------------------------------------------------------------------------ */

static int
arena_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct memory_object *o = f->private;

	if (!(*flags & MAPPING_SHARED))
		return -EINVAL;
	object_get(o);
	*out = o;
	return 0;
}

static void
arena_release(struct file *f)
{
	object_put(f->private);
}

static const struct file_ops arena_ops = {
	.name = "vduse-domain",
	.mmap = arena_mmap,
	.release = arena_release,
};

int
vduse_region_info(struct vduse *v, struct vduse_region *r)
{
	uint64_t last = ARENA_START + v->page_count * PAGE_SIZE - 1;

	if (r->start > r->last || r->start > last || r->last < ARENA_START)
		return -EINVAL;
	*r = (struct vduse_region){ .start = ARENA_START, .last = last };
	return 0;
}

int
vduse_region_file(struct vduse *v, struct vduse_region *r, struct file **out)
{
	int error = vduse_region_info(v, r);

	if (error)
		return error;
	*out = anonymous_file_create(&arena_ops, O_RDWR, v->arena);
	if (!*out)
		return -ENFILE;
	object_get(v->arena);
	return 0;
}

uint64_t
vduse_features(struct vduse *v)
{
	return READ_ONCE(v->agreed);
}

uint32_t
vduse_config_size(const struct vduse *v)
{
	return v->config_size;
}

int
vduse_set_config(struct vduse *v, uint32_t offset, const void *data, uint32_t length)
{
	if (length == 0 || offset > v->config_size || length > v->config_size - offset)
		return -EINVAL;
	mutex_lock(&v->lock);
	memcpy(v->config + offset, data, length);
	mutex_unlock(&v->lock);
	return 0;
}

int
vduse_config_changed(struct vduse *v)
{
	if (!(READ_ONCE(v->status) & STATUS_DRIVER_OK))
		return -EINVAL;
	vduse_block_config(v);
	return 0;
}

/* The largest power of two that daemon and page allow; a request takes three descriptors. */
static int
set_size(struct vduse_queue *q)
{
	uint32_t size = RING_SIZE;

	while (size > q->max_size)
		size /= 2;
	if (size < 4)
		return -EINVAL;
	q->size = size;
	q->slot_count = size / 3;
	return 0;
}

int
vduse_queue_setup(struct vduse *v, uint32_t index, uint32_t max_size)
{
	bool all = true;
	int error = 0;

	if (index >= v->queue_count)
		return -EINVAL;
	mutex_lock(&v->lock);
	v->queues[index].max_size = max_size;
	for (uint32_t i = 0; i < v->queue_count; i++)
		all = all && v->queues[i].max_size;
	if (all && v->state == VDUSE_NEW) {
		for (uint32_t i = 0; i < v->queue_count; i++)
			error = error ? error : set_size(&v->queues[i]);
		if (!error)
			error = vduse_block_start(v);
		if (!error)
			v->state = VDUSE_STARTING;
	}
	mutex_unlock(&v->lock);
	return error;
}

int
vduse_queue_info(struct vduse *v, struct vduse_queue_info *i)
{
	struct vduse_queue *q;
	uint64_t at;

	if (i->index >= v->queue_count)
		return -EINVAL;
	q = &v->queues[i->index];
	at = ARENA_START + vduse_ring_page(i->index) * PAGE_SIZE;
	spin_lock(&q->lock);
	i->ready = q->ready;
	i->size = q->ready ? q->size : 0;
	i->descriptors = q->ready ? at : 0;
	i->driver = q->ready ? at + offsetof(struct vring, avail) : 0;
	i->device = q->ready ? at + offsetof(struct vring, used) : 0;
	i->avail_index = q->used;
	spin_unlock(&q->lock);
	return 0;
}

int
vduse_queue_kick_file(struct vduse *v, uint32_t index, struct file *kick)
{
	struct vduse_queue *q;
	struct file *old;

	if (index >= v->queue_count)
		return -EINVAL;
	q = &v->queues[index];
	if (kick)
		file_get(kick);
	spin_lock(&q->lock);
	old = q->kick;
	q->kick = kick;
	spin_unlock(&q->lock);
	if (old)
		file_put(old);
	vduse_ring_kick(q); /* what came before there was anybody to tell */
	return 0;
}

int
vduse_queue_interrupt(struct vduse *v, uint32_t index)
{
	if (index >= v->queue_count)
		return -EINVAL;
	if (!(READ_ONCE(v->status) & STATUS_DRIVER_OK) || !READ_ONCE(v->queues[index].ready))
		return -EINVAL;
	WRITE_ONCE(v->queues[index].answered_by, arch_cpu_id());
	vduse_ring_take(&v->queues[index]);
	return 0;
}

int
vduse_queue_direct(struct vduse *v, uint32_t index, struct file *answers)
{
	struct vduse_queue *q;
	int error = 0;

	if (index >= v->queue_count)
		return -EINVAL;
	q = &v->queues[index];
	mutex_lock(&v->lock);
	if (!READ_ONCE(q->ready)) {
		error = -EINVAL;
	} else {
		vduse_ring_restart(q);
		vduse_ring_listen(q, answers);
	}
	mutex_unlock(&v->lock);
	if (!error)
		vduse_ring_kick(q);
	return error;
}

void
vduse_dump(void)
{
	struct vduse *v;

	list_for_each(v, &devices, node)
		pr_info("vduse %s: state %u refs %u status %#x queues %u daemons %lu replayed %lu refused %lu\n", v->name,
			v->state, v->refs.count, v->status, v->queue_count, v->attached, v->replayed, v->refused);
}

void
vduse_init(void)
{
	int error = chrdev_register_range("vduse/control", DEV(MAJOR_VDUSE, 0), 1, &control_ops, NULL);

	if (!error)
		error = devfs_add("vduse/control", S_IFCHR | 0600, DEV(MAJOR_VDUSE, 0));
	if (!error)
		error = sysfs_add_device("devices/virtual", "vduse", "control", DEV(MAJOR_VDUSE, 0), 0600);
	if (!error)
		error = chrdev_register_range("vduse", DEV(MAJOR_VDUSE, 1), DEVICES_MAX, &device_ops, device_open);
	if (error)
		pr_warn("vduse: no memory\n");
}
