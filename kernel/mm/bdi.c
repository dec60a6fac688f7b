/* SPDX-License-Identifier: MIT */
/*
 * bdi.c - backings in /sys/class/bdi, by the number that stat(2) tells of their files or disks.
 *
 *	read_ahead_kb          the largest window of readahead; BLKRASET and a disk's queue/read_ahead_kb are the same number
 *	max_ratio              percent of the dirty limit that it may use
 *	min_ratio              percent that it may use whatever the others have
 *	stable_pages_required  0: a page that is being written may be changed meanwhile, and is written again
 *
 * What is promised to all together by min_ratio is at most the whole limit.
 *
 * Locks: ratio_lock (LEAF) for both ratios of all backings.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/sysfs.h>

#define CLASS "class/bdi"
#define KB_PER_PAGE (PAGE_SIZE >> 10)
#define READAHEAD_KB_MAX (1u << 20)

static struct spinlock ratio_lock = SPINLOCK_INIT(LEAF);
static uint32_t promised; /* ratio_lock: the sum of min_ratio */

static int
show_read_ahead(struct text *t, void *object)
{
	const struct backing *b = object;

	text_print(t, "%lu\n", READ_ONCE(b->readahead_pages) * KB_PER_PAGE);
	return 0;
}

static ssize_t
store_read_ahead(void *object, char *data, size_t n)
{
	struct backing *b = object;
	uint64_t kb;
	ssize_t used = sysfs_parse_number(data, n, READAHEAD_KB_MAX, &kb);

	if (used > 0)
		WRITE_ONCE(b->readahead_pages, (uint32_t)(kb / KB_PER_PAGE));
	return used;
}

static int
show_max_ratio(struct text *t, void *object)
{
	const struct backing *b = object;

	text_print(t, "%u\n", READ_ONCE(b->max_ratio));
	return 0;
}

/* Both ratios at once, of which one is new. ratio_lock is held. */
static int
set_ratios_locked(struct backing *b, uint32_t min, uint32_t max)
{
	assert_held(&ratio_lock);
	if (min > max || promised - b->min_ratio + min > 100)
		return -EINVAL;
	promised += min - b->min_ratio;
	WRITE_ONCE(b->min_ratio, min);
	WRITE_ONCE(b->max_ratio, max);
	return 0;
}

static ssize_t
store_ratio(struct backing *b, char *data, size_t n, bool is_max)
{
	uint64_t ratio, flags;
	ssize_t used = sysfs_parse_number(data, n, 100, &ratio);
	int error;

	if (used < 0)
		return used;
	flags = spin_lock_irq(&ratio_lock);
	error = set_ratios_locked(b, is_max ? b->min_ratio : (uint32_t)ratio, is_max ? (uint32_t)ratio : b->max_ratio);
	spin_unlock_irq(&ratio_lock, flags);
	return error ? error : used;
}

static ssize_t
store_max_ratio(void *object, char *data, size_t n)
{
	return store_ratio(object, data, n, true);
}

static int
show_min_ratio(struct text *t, void *object)
{
	const struct backing *b = object;

	text_print(t, "%u\n", READ_ONCE(b->min_ratio));
	return 0;
}

static ssize_t
store_min_ratio(void *object, char *data, size_t n)
{
	return store_ratio(object, data, n, false);
}

static int
show_zero(struct text *t, void *object)
{
	text_print(t, "0\n");
	return 0;
}

static int
show_nothing(struct text *t, void *object)
{
	return 0;
}

static const struct sysfs_attribute attributes[] = {
	{ "max_ratio", 0644, .show = show_max_ratio, .store = store_max_ratio },
	{ "min_ratio", 0644, .show = show_min_ratio, .store = store_min_ratio },
	{ "read_ahead_kb", 0644, .show = show_read_ahead, .store = store_read_ahead },
	{ "stable_pages_required", 0444, .show = show_zero },
	{ "uevent", 0444, .show = show_nothing },
	{ 0 },
};

int
backing_publish(struct backing *b, const char *name)
{
	struct sysfs_node *class = sysfs_make_path(CLASS);
	struct sysfs_node *dir = sysfs_add_directory(sysfs_make_path("devices/virtual/bdi"), name, b);
	int error = dir ? sysfs_add_attributes(dir, attributes) : -ENOMEM;

	if (!error)
		error = sysfs_add_link(dir, "subsystem", class);
	if (!error)
		error = sysfs_add_link(class, name, dir);
	if (!error)
		b->node = dir;
	else if (dir)
		sysfs_remove(dir);
	return error;
}

void
backing_unpublish(struct backing *b)
{
	uint64_t flags;

	if (b->node)
		sysfs_remove(b->node);
	b->node = NULL;
	flags = spin_lock_irq(&ratio_lock);
	promised -= b->min_ratio;
	b->min_ratio = 0;
	spin_unlock_irq(&ratio_lock, flags);
}
