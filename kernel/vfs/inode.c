/* SPDX-License-Identifier: MIT */
/*
 * inode.c - inodes and file system instances: birth, death, times.
 *
 * An inode lives as long as somebody holds a reference: dentries, open files and, in memory file
 * systems, the directory entries that name it. evict() runs when the last one goes.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file_lock.h>
#include <tessera/inode.h>
#include <tessera/lease.h>
#include <tessera/posix_acl.h>
#include <tessera/panic.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/notify.h>

#include "vfs.h"

static struct slab_cache *inode_cache;   /* [I] */
static struct spinlock types_lock = SPINLOCK_INIT(INODE_CACHE);
static struct list types = LIST_INIT(types); /* types_lock */
static struct spinlock instances_lock = SPINLOCK_INIT(INODE_CACHE);
static struct list instances = LIST_INIT(instances); /* instances_lock */
static uint32_t next_device;             /* [a] minor numbers of unnamed devices */

void
inode_cache_init(void)
{
	inode_cache = slab_cache_create("inode", sizeof(struct inode), 0);
}

struct timespec64
inode_now(void)
{
	uint64_t ns = clock_realtime_ns();

	return (struct timespec64){ (int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC) };
}

struct inode *
inode_create(struct filesystem *fs, mode_t mode)
{
	const struct cred *c = current_cred();
	struct inode *i = slab_alloc(inode_cache, ALLOC_ZERO);

	if (!i)
		return NULL;
	ref_init(&i->refs);
	i->fs = fs;
	i->number = atomic_add_fetch(&fs->next_inode, 1);
	i->mode = mode;
	i->uid = c->fsuid;
	i->gid = c->fsgid;
	i->links = 1;
	i->accessed = i->modified = i->changed = i->born = inode_now();
	rwlock_init(&i->lock, LOCK_INODE);
	spin_lock(&fs->inodes_lock);
	list_add_tail(&fs->inodes, &i->fs_node);
	spin_unlock(&fs->inodes_lock);
	return i;
}

static void
free_inode(struct rcu_head *h)
{
	slab_free(inode_cache, container_of(h, struct inode, rcu));
}

void
inode_put(struct inode *i)
{
	if (!ref_put(&i->refs))
		return;
	notify_inode_freed(i);
	if (i->ops && i->ops->evict)
		i->ops->evict(i);
	if (i->object) {
		if (i->object->store && i->object->inode == i)
			object_inode_gone(i->object);
		object_put(i->object);
	}
	kfree(i->locks);
	kfree(i->leases);
	posix_acl_put(i->acl);
	posix_acl_put(i->default_acl);
	spin_lock(&i->fs->inodes_lock);
	list_del(&i->fs_node);
	spin_unlock(&i->fs->inodes_lock);
	rcu_free(&i->rcu, free_inode);
}

uint64_t
inode_size(const struct inode *i)
{
	return i->object && S_ISREG(i->mode) ? READ_ONCE(i->object->size) : i->size;
}

static bool
earlier_or_same(struct timespec64 a, struct timespec64 b)
{
	return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec <= b.tv_nsec);
}

/*
 * The contents were read through `m` (NULL: no mount). relatime: the time is kept unless it is not
 * newer than the last change or a day old.
 */
void
inode_touch_accessed(struct inode *i, const struct mount *m)
{
	uint32_t flags = m ? READ_ONCE(m->flags) : MOUNT_RELATIME;
	struct timespec64 now;

	if ((flags & MOUNT_NOATIME) || (READ_ONCE(i->attributes) & INODE_NOATIME) || mount_is_readonly(m))
		return;
	if ((flags & MOUNT_NODIRATIME) && S_ISDIR(i->mode))
		return;
	now = inode_now();
	if ((flags & MOUNT_RELATIME) && !earlier_or_same(i->accessed, i->modified) &&
	    !earlier_or_same(i->accessed, i->changed) && now.tv_sec - i->accessed.tv_sec < 86400)
		return;
	i->accessed = now;
}

void
file_touch_accessed(const struct file *f)
{
	if (!(READ_ONCE(f->flags) & O_NOATIME))
		inode_touch_accessed(f->inode, f->mount);
}

/* The contents were changed; inode->lock is held for writing. */
void
inode_touch_modified(struct inode *i)
{
	i->modified = i->changed = inode_now();
}

void
file_touch_modified(const struct file *f)
{
	if (mount_is_readonly(f->mount))
		return;
	write_lock(&f->inode->lock);
	inode_touch_modified(f->inode);
	write_unlock(&f->inode->lock);
}

int
filesystem_register(struct filesystem_type *t)
{
	int error = 0;
	struct filesystem_type *other;

	spin_lock(&types_lock);
	list_for_each(other, &types, node)
		if (strcmp(other->name, t->name) == 0)
			error = -EBUSY;
	if (!error)
		list_add_tail(&types, &t->node);
	spin_unlock(&types_lock);
	return error;
}

/* "fuse.sshfs" is fuse: what is behind the dot is for people. */
static bool
is_called(const struct filesystem_type *t, const char *name)
{
	size_t n = strlen(t->name);

	return strncmp(t->name, name, n) == 0 && (!name[n] || (t->has_subtype && name[n] == '.'));
}

struct filesystem_type *
filesystem_find(const char *name)
{
	struct filesystem_type *t, *found = NULL;

	spin_lock(&types_lock);
	list_for_each(t, &types, node)
		if (is_called(t, name)) {
			found = t;
			break;
		}
	spin_unlock(&types_lock);
	return found;
}

/* Types are never unregistered, so the list only grows and can be read along. */
void
filesystem_types(void (*fn)(void *ctx, const struct filesystem_type *t), void *ctx)
{
	struct filesystem_type *t;

	list_for_each(t, &types, node)
		fn(ctx, t);
}

int
filesystem_type_count(void)
{
	struct filesystem_type *t;
	int n = 0;

	list_for_each(t, &types, node)
		n++;
	return n;
}

int
filesystem_type_place(const char *name)
{
	struct filesystem_type *t;
	int n = 0;

	list_for_each(t, &types, node) {
		if (strcmp(t->name, name) == 0)
			return n;
		n++;
	}
	return -EINVAL;
}

const char *
filesystem_type_at(unsigned int place)
{
	struct filesystem_type *t;

	list_for_each(t, &types, node)
		if (place-- == 0)
			return t->name;
	return NULL;
}

struct filesystem *
filesystem_create(const struct filesystem_type *type)
{
	struct filesystem *fs = kzalloc(sizeof(*fs));

	if (!fs)
		return NULL;
	ref_init(&fs->refs);
	fs->type = type;
	fs->device = DEV(0, atomic_add_fetch(&next_device, 1));
	mutex_init(&fs->rename_lock, LOCK_RENAME);
	spin_init(&fs->inodes_lock, LOCK_INODE_CACHE);
	list_init(&fs->inodes);
	fs->user_ns = current_cred()->user_ns;
	namespace_get(&fs->user_ns->ns);
	spin_lock(&instances_lock);
	list_add_tail(&instances, &fs->instance_node);
	spin_unlock(&instances_lock);
	return fs;
}

void
filesystem_discard(struct filesystem *fs)
{
	spin_lock(&instances_lock);
	list_del(&fs->instance_node);
	spin_unlock(&instances_lock);
	assert(list_is_empty(&fs->inodes));
	namespace_put(&fs->user_ns->ns);
	kfree(fs);
}

struct filesystem *
filesystem_by_device(dev_t device)
{
	struct filesystem *fs, *found = NULL;

	spin_lock(&instances_lock);
	list_for_each(fs, &instances, instance_node)
		if (fs->device == device && ref_get_unless_zero(&fs->refs)) {
			found = fs;
			break;
		}
	spin_unlock(&instances_lock);
	return found;
}

int
filesystem_statfs(struct filesystem *fs, const struct inode *of, struct fs_stat *st)
{
	*st = (struct fs_stat){ .type = fs->type->magic, .block_size = PAGE_SIZE, .name_max = NAME_MAX, .of = of };
	return fs->type->statfs ? fs->type->statfs(fs, st) : 0;
}

/* Watches hold inodes but no mount: they end with the file system. */
static void
end_watches(struct filesystem *fs)
{
	struct inode *i, *found;

	do {
		found = NULL;
		spin_lock(&fs->inodes_lock);
		list_for_each(i, &fs->inodes, fs_node)
			if (notify_inode_is_marked(i) && ref_get_unless_zero(&i->refs)) {
				found = i;
				break;
			}
		spin_unlock(&fs->inodes_lock);
		if (found) {
			notify_inode_removed(found, NOTIFY_UNMOUNT);
			inode_put(found);
		}
	} while (found);
}

void
filesystem_put(struct filesystem *fs)
{
	if (!ref_put(&fs->refs))
		return;
	spin_lock(&instances_lock);
	list_del(&fs->instance_node);
	spin_unlock(&instances_lock);
	end_watches(fs);
	notify_filesystem_freed(fs);
	if (fs->type->leave)
		fs->type->leave(fs);
	dentry_purge_filesystem(fs);
	if (fs->root)
		dentry_put(fs->root);
	/* Somebody who made room in the cache of names may still be freeing one of ours. */
	while (atomic_load(&fs->dentries) > 0)
		sched_yield_thread();
	if (fs->type->unmount)
		fs->type->unmount(fs);
	assert(list_is_empty(&fs->inodes));
	namespace_put(&fs->user_ns->ns);
	kfree(fs);
}
