/* SPDX-License-Identifier: MIT */
/*
 * shm.c - System V shared memory: segments are memory objects with a name.
 *
 * An attach is an ordinary shared mapping of the segment's object through an open file of its own; the file's
 * mapped and unmapped operations count mappings, so fork, exec, exit and a munmap in the middle keep the
 * number right without knowing of segments. The counter has a spinlock, for it changes under an address
 * space's lock, which stands below the tables'.
 *
 * A segment that is removed while attached stays, without its key, marked SHM_DEST, until the last mapping
 * goes. Whoever takes the count to zero then removes it: he drops all his locks first, so between the two an
 * attach by id may come in; remove_if_unused() looks again under the table's lock, and an attach counts
 * itself under the segment's.
 */
#include <tessera/address_space.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/memory_object.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/user_count.h>

#include "sysv.h"

/*
 * [I] immutable  [c] count_lock  [l] the head's lock
 */
struct shm {
	struct ipc_object ipc;
	struct memory_object *object;  /* [I] a reference */
	struct inode *inode;           /* [I] a reference: what maps shows */
	uint64_t size;                 /* [I] bytes, as asked for */
	uint64_t charged;              /* [I] pages promised */
	bool huge;                     /* [I] */
	pid_t creator;                 /* [I] */
	int64_t changed;               /* [l] */
	uint64_t locked_pages;         /* [l] counted against locked_by */
	uid_t locked_by;               /* [l] */
	struct spinlock count_lock;    /* class LEAF */
	uint64_t attaches;             /* [c] mappings, and calls of shmat under way */
	int64_t attached, detached;    /* [c] */
	pid_t last;                    /* [c] */
};

static struct user_count locked_pages = USER_COUNT_INIT(locked_pages); /* that SHM_LOCK holds */

static struct shm *
shm_of(struct ipc_object *o)
{
	return container_of(o, struct shm, ipc);
}

static uint64_t
pages_of(const struct shm *s)
{
	return DIV_ROUND_UP(s->size, PAGE_SIZE);
}

/* --- birth and death -------------------------------------------------------------------------- */

/* Pages of 2 MiB come from a pool that must hold them all; not everybody may take them. */
static int
check_huge(const struct ipc_request *r)
{
	uint32_t log = r->flags >> SHM_HUGE_SHIFT & SHM_HUGE_MASK;
	struct huge_pool_stats pool;

	if (log != 0 && log != HUGE_PAGE_SHIFT)
		return log == 30 ? -ENOMEM : -EINVAL;
	if (!capable(CAP_IPC_LOCK) && !cred_in_group(current_cred(), 0))
		return -EPERM;
	huge_pool_stats(&pool);
	return DIV_ROUND_UP(r->size, HUGE_PAGE_SIZE) > pool.free ? -ENOMEM : 0;
}

static void
shm_free(struct ipc_object *o)
{
	struct shm *s = shm_of(o);

	if (s->object)
		object_put(s->object);
	if (s->inode)
		inode_put(s->inode);
	commit_release(s->charged);
	kfree(s);
}

static int
shm_create(struct ipc_namespace *ns, const struct ipc_request *r, struct ipc_object **out)
{
	uint64_t pages = DIV_ROUND_UP(r->size, PAGE_SIZE);
	bool huge = r->flags & SHM_HUGETLB;
	struct shm *s;
	int error;

	if (r->size < 1 || r->size > atomic_load(&ns->shm_max))
		return -EINVAL;
	if (atomic_load(&ns->shm_pages) + pages > atomic_load(&ns->shm_all))
		return -ENOSPC;
	error = huge ? check_huge(r) : 0;
	if (error)
		return error;
	if (r->size > INT64_MAX)
		return -EINVAL;
	s = kzalloc(sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->size = r->size;
	s->huge = huge;
	s->creator = current_process()->pid;
	s->changed = ipc_now();
	spin_init(&s->count_lock, LOCK_LEAF);
	error = -ENOMEM;
	if (!huge && !(r->flags & SHM_NORESERVE)) {
		if (commit_charge(pages))
			goto free_shm;
		s->charged = pages;
	}
	s->object = object_create(huge ? &huge_object_ops : &anonymous_object_ops,
				  ALIGN_UP(r->size, huge ? HUGE_PAGE_SIZE : PAGE_SIZE), NULL);
	s->inode = anonymous_inode_create(S_IFREG | (r->flags & 0777));
	if (!s->object || !s->inode)
		goto free_shm;
	atomic_add(&ns->shm_pages, pages);
	*out = &s->ipc;
	return 0;

free_shm:
	shm_free(&s->ipc);
	return error;
}

static int
shm_check(struct ipc_object *o, const struct ipc_request *r)
{
	return shm_of(o)->size < r->size ? -EINVAL : 0;
}

static uint32_t
shm_limit(const struct ipc_namespace *ns)
{
	return atomic_load(&ns->shm_count_max);
}

static void
unlock_pages(struct shm *s)
{
	user_count_give(&locked_pages, s->locked_by, s->locked_pages);
	s->locked_pages = 0;
}

static void
shm_removed(struct ipc_object *o)
{
	struct shm *s = shm_of(o);

	atomic_sub(&o->ns->shm_pages, pages_of(s));
	unlock_pages(s);
}

static void
shm_changed(struct ipc_object *o, const struct ipc_change *c)
{
	shm_of(o)->changed = ipc_now();
}

bool
shm_stays(struct ipc_object *o)
{
	struct shm *s = shm_of(o);
	bool attached = atomic_load(&s->attaches) > 0;

	if (attached) {
		o->mode |= SHM_DEST;
		ipc_forget_key_locked(o);
	}
	return attached;
}

static void
shm_dump(const struct ipc_object *o)
{
	const struct shm *s = container_of(o, const struct shm, ipc);

	pr_info("  %lu bytes, %lu attached, %lu pages there\n", s->size, s->attaches, s->object->pages.count);
}

const struct ipc_kind_ops shm_kind = {
	.name = "shm",
	.create = shm_create,
	.check = shm_check,
	.limit = shm_limit,
	.changed = shm_changed,
	.removed = shm_removed,
	.free = shm_free,
	.dump = shm_dump,
};

/* --- attaching -------------------------------------------------------------------------------- */

/* An address space may be taken apart by a worker, for nobody. */
static pid_t
current_pid(void)
{
	return current_process() ? current_process()->pid : 0;
}

static void
remove_if_unused(struct shm *s)
{
	struct ipc_object *o = &s->ipc;
	bool gone;

	write_lock(&ipc_table_of(o)->lock);
	mutex_lock(&o->lock);
	gone = !o->deleted && (o->mode & SHM_DEST) && atomic_load(&s->attaches) == 0;
	if (gone)
		ipc_delete_locked(o);
	mutex_unlock(&o->lock);
	write_unlock(&ipc_table_of(o)->lock);
	if (gone)
		ipc_put(o);
}

/* One mapping less, or one call of shmat is over (`silent`: that leaves no trace). No lock held. */
static void
count_down(struct shm *s, bool silent)
{
	uint64_t flags = spin_lock_irq(&s->count_lock), left;

	if (!silent) {
		s->detached = ipc_now();
		s->last = current_pid();
	}
	left = s->attaches - 1;
	atomic_store(&s->attaches, left);
	spin_unlock_irq(&s->count_lock, flags);
	if (left == 0)
		remove_if_unused(s);
}

static void
count_up(struct shm *s, bool silent)
{
	uint64_t flags = spin_lock_irq(&s->count_lock);

	if (!silent) {
		s->attached = ipc_now();
		s->last = current_pid();
	}
	atomic_store(&s->attaches, s->attaches + 1);
	spin_unlock_irq(&s->count_lock, flags);
}

static void
attach_mapped(struct file *f)
{
	count_up(f->private, false);
}

static void
attach_unmapped(struct file *f)
{
	count_down(f->private, false);
}

static void
attach_release(struct file *f)
{
	struct shm *s = f->private;
	struct ipc_namespace *ns = s->ipc.ns;

	ipc_put(&s->ipc);
	ipc_namespace_put(ns);
}

static void
attach_dump(struct file *f)
{
	struct shm *s = f->private;

	pr_info("shm: segment %d, %lu bytes\n", s->ipc.id, s->size);
}

static int
attach_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	struct shm *s = f->private;

	*out = s->object;
	object_get(s->object);
	return 0;
}

static const struct file_ops attach_ops = {
	.name = "shm",
	.mmap = attach_mmap,
	.mapped = attach_mapped,
	.unmapped = attach_unmapped,
	.release = attach_release,
	.dump = attach_dump,
};

/* An open file of the segment, which the mapping will hold. */
static struct file *
attach_file(struct shm *s, bool writable)
{
	char name[32];
	struct file *f;

	snprintf(name, sizeof(name), "/SYSV%08x (deleted)", (uint32_t)s->ipc.key);
	s->inode->number = (ino_t)s->ipc.id;
	f = anonymous_inode_open(s->inode, name, &attach_ops, writable ? O_RDWR : O_RDONLY, s);
	if (f) {
		ref_get(&s->ipc.refs);
		ipc_namespace_get(s->ipc.ns);
	}
	return f;
}

static long
attach_map(struct shm *s, struct file *f, bool fixed, vaddr_t addr, uint32_t flags)
{
	struct map_request r = {
		.addr = addr,
		.length = s->object->size,
		.flags = MAPPING_READ | MAPPING_SHARED | MAPPING_MAYREAD | MAPPING_MAYEXEC,
		.object = s->object,
		.file = f,
	};
	long result;

	if (!(flags & SHM_RDONLY))
		r.flags |= MAPPING_WRITE | MAPPING_MAYWRITE;
	if (flags & SHM_EXEC)
		r.flags |= MAPPING_EXEC;
	if (s->huge)
		r.flags |= MAPPING_HUGETLB;
	if (fixed)
		r.place = flags & SHM_REMAP ? MAP_PLACE_FIXED : MAP_PLACE_NOREPLACE;
	if (fixed && r.length > USER_END - MIN(addr, USER_END))
		return !(flags & SHM_REMAP) && addr + s->size < addr ? -EINVAL : -ENOMEM;
	if (fixed && addr < USER_MIN && !capable(CAP_SYS_RAWIO))
		return -EPERM;
	result = address_space_map(current_process()->as, &r);
	return result == -EEXIST ? -EINVAL : result;
}

long
shm_attach(int id, vaddr_t addr, uint32_t flags)
{
	uint32_t rights = 0444 | (flags & SHM_RDONLY ? 0 : 0222) | (flags & SHM_EXEC ? 0111 : 0);
	struct ipc_object *o;
	struct file *f;
	struct shm *s;
	bool fixed = addr != 0;
	long result = -ENOMEM;
	int error;

	if (addr % PAGE_SIZE) {
		if (!(flags & SHM_RND))
			return -EINVAL;
		addr = ALIGN_DOWN(addr, PAGE_SIZE);
		if (!addr && (flags & SHM_REMAP))
			return -EINVAL;
	} else if (!addr && (flags & SHM_REMAP)) {
		return -EINVAL;
	}
	o = ipc_find_locked(IPC_SHM, id, rights, &error);
	if (!o)
		return error;
	s = shm_of(o);
	count_up(s, true); /* removal waits for us */
	f = attach_file(s, !(flags & SHM_RDONLY));
	mutex_unlock(&o->lock);
	if (f) {
		result = attach_map(s, f, fixed, addr, flags);
		file_put(f);
	}
	count_down(s, true);
	ipc_put(o);
	return result;
}

int
shm_detach(vaddr_t addr)
{
	return address_space_unmap_attached(current_process()->as, addr, &attach_ops);
}

/* --- the calls -------------------------------------------------------------------------------- */

int
shm_get(int32_t key, uint64_t size, uint32_t flags)
{
	struct ipc_request r = { .key = key, .flags = flags, .size = size };

	return ipc_get(IPC_SHM, &r);
}

int
shm_status(int name, enum ipc_naming by, struct shm_status *out)
{
	int error;
	struct ipc_object *o = ipc_find_named_locked(IPC_SHM, name, by, &error);
	struct shm *s;
	uint64_t flags;

	if (!o)
		return error;
	s = shm_of(o);
	*out = (struct shm_status){ .size = s->size, .changed = s->changed, .creator = s->creator };
	ipc_status_fill(o, &out->ipc);
	flags = spin_lock_irq(&s->count_lock);
	out->attached = s->attached;
	out->detached = s->detached;
	out->last = s->last;
	out->attaches = s->attaches;
	spin_unlock_irq(&s->count_lock, flags);
	out->resident = READ_ONCE(s->object->pages.count);
	ipc_unlock_put(o);
	return 0;
}

static int
lock_check(const struct shm *s, bool lock)
{
	uid_t euid = current_cred()->euid;

	if (capable(CAP_IPC_LOCK))
		return 0;
	if (euid != s->ipc.uid && euid != s->ipc.cuid)
		return -EPERM;
	return lock && process_limit(current_process(), RLIMIT_MEMLOCK) == 0 ? -EPERM : 0;
}

/* Memory that is not swapped is locked already: what counts is the mark and the limit. */
int
shm_lock(int id, bool lock)
{
	int error;
	struct ipc_object *o = ipc_find_locked(IPC_SHM, id, 0, &error);
	uint64_t limit = process_limit(current_process(), RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct shm *s;

	if (!o)
		return error;
	if (capable(CAP_IPC_LOCK))
		limit = UINT64_MAX;
	s = shm_of(o);
	error = lock_check(s, lock);
	if (error || s->huge)
		goto unlock;
	if (lock && !(o->mode & SHM_LOCKED)) {
		error = user_count_take(&locked_pages, current_cred()->uid, pages_of(s), limit) ? -ENOMEM : 0;
		if (error)
			goto unlock;
		s->locked_pages = pages_of(s);
		s->locked_by = current_cred()->uid;
		o->mode |= SHM_LOCKED;
	} else if (!lock && (o->mode & SHM_LOCKED)) {
		unlock_pages(s);
		o->mode &= ~SHM_LOCKED;
	}
unlock:
	ipc_unlock_put(o);
	return error;
}

uint64_t
shm_resident_pages(void)
{
	struct ipc_table *t = &current_ipc_namespace()->table[IPC_SHM];
	struct ipc_object *o;
	uint64_t pages = 0;

	read_lock(&t->lock);
	for (uint64_t i = 0; (o = radix_next(&t->objects, &i)) != NULL; i++)
		pages += READ_ONCE(shm_of(o)->object->pages.count);
	read_unlock(&t->lock);
	return pages;
}
