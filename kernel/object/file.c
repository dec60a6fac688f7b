/* SPDX-License-Identifier: MIT */
/*
 * file.c - open objects: birth, death, counting, and the generic way into their operations.
 *
 * An open object is shared: by duplicated handles, by forked tables, by system calls in progress.
 * The generic entry points check what is common to all types (access mode, ranges, whose position
 * is used) so that an operation need not.
 *
 * Position: a file with FILE_SEEKABLE has one. Calls without an explicit position hold
 * position_lock for the whole transfer, so two of them never read the same bytes, unless they are
 * provably alone. Streams get a dummy.
 *
 * Counting: one counter per type name, found by the name's address in a small open-addressed table
 * that only grows. Readers and writers take no lock.
 */
#include <tessera/async.h>
#include <tessera/backing.h>
#include <tessera/config.h>
#include <tessera/continuation.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#define COUNT_SLOTS 128

static struct {
	const char *name; /* [a] set once */
	uint64_t count;   /* [a] */
} counts[COUNT_SLOTS];

static uint64_t total;   /* [a] open objects */
static uint64_t next_id; /* [a] */
static struct slab_cache *file_cache; /* [I] after the first open */

static uint64_t *
count_slot(const char *name)
{
	size_t i = ((uintptr_t)name >> 3) * 2654435761u % COUNT_SLOTS;

	for (size_t tried = 0; tried < COUNT_SLOTS; tried++, i = (i + 1) % COUNT_SLOTS) {
		const char *seen = atomic_load(&counts[i].name);

		if (seen == name)
			return &counts[i].count;
		if (seen == NULL && (atomic_cas(&counts[i].name, &seen, name) || seen == name))
			return &counts[i].count;
	}
	panic("more than %d types of open objects", COUNT_SLOTS);
}

static struct slab_cache *
cache(void)
{
	struct slab_cache *c = atomic_load(&file_cache), *expected = NULL;

	if (likely(c != NULL))
		return c;
	c = slab_cache_create("file", sizeof(struct file), 0);
	if (!atomic_cas(&file_cache, &expected, c))
		c = expected; /* two first opens at once: the loser's empty cache stays unused */
	return c;
}

struct file *
file_create(const struct file_ops *ops, uint32_t flags, void *private)
{
	static const uint32_t modes[] = { FILE_READ, FILE_WRITE, FILE_READ | FILE_WRITE, 0 };
	struct file *f = slab_alloc(cache(), ALLOC_ZERO);

	if (!f)
		return NULL;
	ref_init(&f->refs);
	f->ops = ops;
	f->flags = flags & ~(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	f->mode = flags & O_PATH ? FILE_PATH : modes[flags & O_ACCMODE];
	spin_init(&f->lock, LOCK_FILE);
	mutex_init(&f->position_lock, LOCK_FILE_POSITION);
	f->private = private;
	f->cred = current_cred();
	cred_get((struct cred *)f->cred);
	f->id = atomic_add_fetch(&next_id, 1);
	f->counted = ops->name;
	list_init(&f->watchers);
	atomic_add_relaxed(count_slot(f->counted), 1);
	atomic_add_relaxed(&total, 1);
	return f;
}

void
file_set_ops(struct file *f, const struct file_ops *ops)
{
	atomic_sub(count_slot(f->counted), 1);
	f->ops = ops;
	f->counted = ops->name;
	atomic_add_relaxed(count_slot(f->counted), 1);
}

/* The last reference is gone: nobody else can see `f`. */
static void
destroy(struct file *f)
{
	file_watchers_gone(f);
	file_async_gone(f);
	notify_file(f, f->mode & FILE_WRITE ? NOTIFY_CLOSE_WRITE : NOTIFY_CLOSE_NOWRITE);
	if (f->inode) {
		file_locks_release(f);
		lease_file_gone(f);
	}
	if (f->ops->release)
		f->ops->release(f);
	if (f->cached)
		cached_file_detach(f);
	if (f->inode) {
		if ((f->mode & FILE_WRITE) && S_ISREG(f->inode->mode))
			atomic_sub(&f->inode->writers, 1);
		if (f->mode & FILE_READER)
			atomic_sub(&f->inode->readers, 1);
		if (f->mode & FILE_EXEC)
			atomic_sub(&f->inode->deny_write, 1);
		inode_put(f->inode);
	}
	if (f->mode & FILE_WRITER)
		mount_writer_remove(f->mount);
	if (f->mode & FILE_MOUNT)
		mount_released(f);
	if (f->dentry || f->mount)
		path_put(&(struct path){ f->mount, f->dentry });
	cred_put((struct cred *)f->cred);
	kfree(f->owner);
	atomic_sub(count_slot(f->counted), 1);
	atomic_sub(&total, 1);
	slab_free(file_cache, f);
}

void
file_put(struct file *f)
{
	if (ref_put(&f->refs))
		destroy(f);
}

static struct spinlock late_lock = SPINLOCK_INIT(LEAF);
static struct list late = LIST_INIT(late); /* late_lock: files to destroy, by late_node */
static struct continuation late_work;      /* late_lock: initialised with the first */

static void
destroy_late(struct continuation *c)
{
	for (;;) {
		uint64_t flags = spin_lock_irq(&late_lock);
		struct file *f = list_first(&late, struct file, late_node);

		if (f)
			list_del(&f->late_node);
		spin_unlock_irq(&late_lock, flags);
		if (!f)
			return;
		destroy(f);
	}
}

void
file_put_late(struct file *f)
{
	uint64_t flags;

	if (!ref_put(&f->refs))
		return;
	flags = spin_lock_irq(&late_lock);
	if (!late_work.fn)
		continuation_init(&late_work, destroy_late);
	list_add_tail(&late, &f->late_node);
	spin_unlock_irq(&late_lock, flags);
	continuation_run(&late_work);
}

/* A transfer at `pos`: 0, or -EINVAL before the start and past the largest position. */
static int
check_range(const struct file *f, loff_t pos, size_t count)
{
	if (f->mode & FILE_STREAM)
		return 0;
	return pos < 0 || (uint64_t)pos + count > INT64_MAX ? -EINVAL : 0;
}

/*
 * Does a transfer at the file's own position have to hold position_lock? Devices ignore the
 * position; and an open object with one reference, a borrowed handle's, has no other user.
 */
static bool
shares_position(const struct file *f)
{
	return ref_count(&f->refs) > 1 && f->inode &&
	       (S_ISREG(f->inode->mode) || S_ISDIR(f->inode->mode) || S_ISBLK(f->inode->mode));
}

static void
account(uint64_t *bytes, uint64_t *calls, ssize_t n)
{
	if (n > 0)
		atomic_add_relaxed(bytes, (uint64_t)n);
	atomic_add_relaxed(calls, 1);
}

ssize_t
file_read_flags(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct process *p = current_process();
	bool own = pos == NULL && (f->mode & (FILE_SEEKABLE | FILE_FORWARD)), locked = own && shares_position(f);
	loff_t dummy = 0;
	ssize_t n;

	if (!(f->mode & FILE_READ))
		return -EBADF;
	if (!f->ops->read)
		return -EINVAL;
	n = notify_permit(f, NOTIFY_ACCESS_PERM);
	if (n)
		return n;
	if (locked)
		mutex_lock(&f->position_lock);
	if (!pos)
		pos = own ? &f->position : &dummy;
	n = check_range(f, *pos, to->count);
	if (n == 0)
		n = f->ops->read(f, to, pos, rw_flags);
	if (n > 0)
		notify_file(f, NOTIFY_ACCESS);
	if (locked)
		mutex_unlock(&f->position_lock);
	if (p)
		account(&p->read_bytes, &p->read_calls, n);
	return n;
}

/* O_SYNC and its like: what was written shall last before the call returns. */
static ssize_t
sync_written(struct file *f, ssize_t n, uint32_t rw_flags)
{
	bool all = (READ_ONCE(f->flags) & O_SYNC) == O_SYNC || (rw_flags & RW_SYNC);
	int error = f->ops->sync(f, !all);

	return error ? error : n;
}

ssize_t
file_write_flags(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct process *p = current_process();
	bool own = pos == NULL && (f->mode & (FILE_SEEKABLE | FILE_FORWARD)), locked = own && shares_position(f);
	loff_t dummy = 0;
	ssize_t n;

	if (!(f->mode & FILE_WRITE))
		return -EBADF;
	if (!f->ops->write)
		return -EINVAL;
	if (locked)
		mutex_lock(&f->position_lock);
	if (!pos)
		pos = own ? &f->position : &dummy;
	n = check_range(f, *pos, from->count);
	if (n == 0)
		n = f->ops->write(f, from, pos, rw_flags);
	if (n > 0 && f->cached && f->ops->sync &&
	    ((READ_ONCE(f->flags) & O_DSYNC) || (rw_flags & (RW_DSYNC | RW_SYNC))))
		n = sync_written(f, n, rw_flags);
	if (n > 0)
		notify_file(f, NOTIFY_MODIFY);
	if (locked)
		mutex_unlock(&f->position_lock);
	if (p)
		account(&p->write_bytes, &p->write_calls, n);
	return n;
}

ssize_t
file_begin(struct file *f, struct iov_iter *it, loff_t pos, bool write, uint32_t rw_flags, struct file_transfer *t)
{
	struct process *p = current_process();
	ssize_t n;

	if (!f->ops->begin)
		return 0;
	n = write ? 0 : notify_permit(f, NOTIFY_ACCESS_PERM);
	if (n == 0)
		n = check_range(f, pos, it->count);
	if (n == 0) {
		size_t count = it->count;

		n = f->ops->begin(f, it, pos, write, rw_flags, t);
		if (n == FILE_UNDER_WAY) {
			notify_file(f, write ? NOTIFY_MODIFY : NOTIFY_ACCESS);
			account(write ? &p->write_bytes : &p->read_bytes, write ? &p->write_calls : &p->read_calls,
				(ssize_t)count);
		}
	}
	return n;
}

ssize_t
file_read(struct file *f, struct iov_iter *to, loff_t *pos)
{
	return file_read_flags(f, to, pos, 0);
}

ssize_t
file_write(struct file *f, struct iov_iter *from, loff_t *pos)
{
	return file_write_flags(f, from, pos, 0);
}

/* Read until n bytes, the end or an error; the file need not be open for reading (exec). */
ssize_t
file_read_kernel(struct file *f, void *buf, size_t n, loff_t pos)
{
	size_t done = 0;
	ssize_t got;

	if (!f->ops->read)
		return -EINVAL;
	got = notify_permit(f, NOTIFY_ACCESS_PERM);
	if (got)
		return got;
	while (done < n) {
		struct iov_iter to;

		iov_iter_kernel(&to, (char *)buf + done, n - done);
		got = f->ops->read(f, &to, &pos, 0);
		if (got < 0)
			return done ? (ssize_t)done : got;
		if (got == 0)
			break;
		done += (size_t)got;
	}
	if (done)
		notify_file(f, NOTIFY_ACCESS);
	return (ssize_t)done;
}

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

/* Data and holes of a file whose contents lie in a memory object. */
static loff_t
seek_data(struct inode *i, loff_t offset, int whence)
{
	uint64_t size = READ_ONCE(i->object->size), index;
	bool found;

	if (offset < 0 || (uint64_t)offset >= size)
		return -ENXIO;
	if (i->object->store) /* what is cached says nothing of what there is: all is data */
		return whence == SEEK_DATA ? offset : (loff_t)size;
	index = (uint64_t)offset >> PAGE_SHIFT;
	found = whence == SEEK_DATA ? object_next_data(i->object, &index)
				    : object_next_hole(i->object, &index);
	if (whence == SEEK_DATA && (!found || index << PAGE_SHIFT >= size))
		return -ENXIO;
	if (!found || index << PAGE_SHIFT >= size)
		return (loff_t)size;
	return MAX(offset, (loff_t)(index << PAGE_SHIFT));
}

/* lseek for regular files. position_lock is held if anybody else could move the position. */
static loff_t
seek_regular(struct file *f, loff_t offset, int whence)
{
	loff_t base = 0;

	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		base = f->position;
		break;
	case SEEK_END:
		base = (loff_t)(f->inode->object ? READ_ONCE(f->inode->object->size)
						 : f->inode->size);
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		if (!f->inode->object)
			return -EINVAL;
		offset = seek_data(f->inode, offset, whence);
		if (offset < 0)
			return offset;
		break;
	default:
		return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset) || offset < 0)
		return -EINVAL;
	f->position = offset;
	return offset;
}

loff_t
file_seek(struct file *f, loff_t offset, int whence)
{
	bool locked;
	loff_t at;

	if (whence < 0 || whence > SEEK_HOLE)
		return -EINVAL;
	if (!(f->mode & FILE_SEEKABLE)) /* anonymous objects stay at 0 without complaint */
		return f->inode && !(f->inode->mode & S_IFMT) ? 0 : -ESPIPE;
	locked = shares_position(f);
	if (locked)
		mutex_lock(&f->position_lock);
	if (f->ops->seek)
		at = f->ops->seek(f, offset, whence);
	else if (f->inode && S_ISREG(f->inode->mode))
		at = seek_regular(f, offset, whence);
	else
		at = -ESPIPE;
	if (locked)
		mutex_unlock(&f->position_lock);
	return at;
}

uint32_t
file_poll(struct file *f, struct poll_table *pt)
{
	if (!f->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return f->ops->poll(f, pt);
}

void
file_counts(void (*fn)(void *ctx, const char *type, uint64_t n), void *ctx)
{
	for (size_t i = 0; i < COUNT_SLOTS; i++)
		if (atomic_load(&counts[i].name))
			fn(ctx, counts[i].name, atomic_load_relaxed(&counts[i].count));
}

uint64_t
file_count(void)
{
	return atomic_load_relaxed(&total);
}

void
file_dump(struct file *f)
{
	pr_info("   file %lu: %s \"%s\" refs %u flags %o mode %x position %ld\n", f->id, f->ops->name,
		f->dentry ? f->dentry->name : "", ref_count(&f->refs), f->flags, f->mode, f->position);
	if (f->ops->dump)
		f->ops->dump(f);
}
