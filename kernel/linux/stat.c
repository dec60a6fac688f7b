/* SPDX-License-Identifier: MIT */
/*
 * stat.c - stat, lstat, fstat, newfstatat, statx, statfs, ustat, access.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "user_name.h"

struct linux_stat {
	uint64_t device, inode, links;
	uint32_t mode, uid, gid, pad0;
	uint64_t rdev;
	int64_t size, block_size, blocks;
	uint64_t accessed, accessed_ns, modified, modified_ns, changed, changed_ns;
	int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "struct stat");

struct statx_time {
	int64_t seconds;
	uint32_t ns;
	int32_t pad;
};

struct linux_statx {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, pad0;
	uint64_t inode, size, blocks, attributes_mask;
	struct statx_time accessed, born, changed, modified;
	uint32_t rdev_major, rdev_minor, device_major, device_minor;
	uint64_t mount_id;
	uint32_t dio_memory_align, dio_offset_align;
	uint64_t spare[12];
};
_Static_assert(sizeof(struct linux_statx) == 256, "struct statx");

#define AT_STATX_FORCE_SYNC 0x2000u
#define AT_STATX_DONT_SYNC  0x4000u
#define STATX_BASIC_STATS 0x7ffu
#define STATX_BTIME       0x800u
#define STATX_MNT_ID      0x1000u
#define STATX_RESERVED    0x80000000u
#define STATX_ATTR_IMMUTABLE  0x10u
#define STATX_ATTR_APPEND     0x20u
#define STATX_ATTR_NODUMP     0x40u
#define STATX_ATTR_MOUNT_ROOT 0x2000u

struct linux_statfs {
	int64_t type, block_size;
	uint64_t blocks, free, available, files, files_free;
	int32_t id[2];
	int64_t name_max, fragment_size, flags, spare[4];
};
_Static_assert(sizeof(struct linux_statfs) == 120, "struct statfs");

/* Device numbers as glibc takes them apart. */
static uint64_t
encode_device(dev_t d)
{
	uint64_t major = DEV_MAJOR(d), minor = DEV_MINOR(d);

	return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffull) << 12 |
	       (major & ~0xfffull) << 32;
}

static long
stat_out(const struct file_stat *st, struct linux_stat __user *out)
{
	struct linux_stat s = {
		.device = encode_device(st->device),
		.inode = st->inode,
		.links = st->links,
		.mode = st->mode,
		.uid = uid_shown(st->uid),
		.gid = gid_shown(st->gid),
		.rdev = encode_device(st->rdev),
		.size = (int64_t)st->size,
		.block_size = (int64_t)st->block_size,
		.blocks = (int64_t)st->blocks,
		.accessed = (uint64_t)st->accessed.tv_sec,
		.accessed_ns = (uint64_t)st->accessed.tv_nsec,
		.modified = (uint64_t)st->modified.tv_sec,
		.modified_ns = (uint64_t)st->modified.tv_nsec,
		.changed = (uint64_t)st->changed.tv_sec,
		.changed_ns = (uint64_t)st->changed.tv_nsec,
	};

	return copy_to_user(out, &s, sizeof(s));
}

static long
stat_handle(int fd, struct file_stat *st, bool *mount_root)
{
	int error = 0;
	struct file *f = handle_get_path(fd, RIGHT_STAT, &error);

	if (!f)
		return error;
	error = vfs_stat_file(f, st);
	if (mount_root)
		*mount_root = f->mount && f->dentry == f->mount->root;
	file_put(f);
	return error;
}

static long
stat_name(int dirfd, const char __user *uname, unsigned int lookup, enum stat_wish wish, struct file_stat *st,
	  bool *mount_root)
{
	char *name = user_name_get(uname);
	struct path p;
	long error;

	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!*name && (lookup & LOOKUP_EMPTY) && dirfd != AT_FDCWD) {
		kfree(name);
		return stat_handle(dirfd, st, mount_root);
	}
	error = path_lookup(dirfd, name, lookup, &p);
	kfree(name);
	if (error)
		return error;
	error = vfs_stat_wish(&p, st, wish);
	if (mount_root)
		*mount_root = p.dentry == p.mount->root;
	path_put(&p);
	return error;
}

static long
stat_common(int dirfd, const char __user *name, unsigned int lookup, struct linux_stat __user *out)
{
	struct file_stat st;
	long error = stat_name(dirfd, name, lookup, STAT_AS_USUAL, &st, NULL);

	return error ? error : stat_out(&st, out);
}

long
linux_stat(const char __user *name, struct linux_stat __user *out)
{
	return stat_common(AT_FDCWD, name, LOOKUP_FOLLOW, out);
}

long
linux_lstat(const char __user *name, struct linux_stat __user *out)
{
	return stat_common(AT_FDCWD, name, 0, out);
}

long
linux_fstat(int fd, struct linux_stat __user *out)
{
	struct file_stat st;
	long error = stat_handle(fd, &st, NULL);

	return error ? error : stat_out(&st, out);
}

static unsigned int
lookup_flags(int flags)
{
	return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
	       (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

long
linux_newfstatat(int dirfd, const char __user *name, struct linux_stat __user *out, int flags)
{
	if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
		return -EINVAL;
	return stat_common(dirfd, name, lookup_flags(flags), out);
}

static struct statx_time
statx_time(struct timespec64 t)
{
	return (struct statx_time){ .seconds = t.tv_sec, .ns = (uint32_t)t.tv_nsec };
}

static uint64_t
statx_attributes(uint32_t flags)
{
	return (flags & INODE_IMMUTABLE ? STATX_ATTR_IMMUTABLE : 0) | (flags & INODE_APPEND ? STATX_ATTR_APPEND : 0) |
	       (flags & INODE_NODUMP ? STATX_ATTR_NODUMP : 0);
}

static enum stat_wish
wish_of(unsigned int flags)
{
	if (flags & AT_STATX_FORCE_SYNC)
		return STAT_FRESH;
	return flags & AT_STATX_DONT_SYNC ? STAT_CACHED : STAT_AS_USUAL;
}

long
linux_statx(int dirfd, const char __user *name, unsigned int flags, unsigned int mask,
	    struct linux_statx __user *out)
{
	struct file_stat st;
	struct linux_statx x;
	bool mount_root = false;
	long error;

	if (mask & STATX_RESERVED)
		return -EINVAL;
	if (flags & ~(unsigned int)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH |
				    AT_STATX_SYNC_TYPE))
		return -EINVAL;
	if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	error = stat_name(dirfd, name, lookup_flags((int)flags), wish_of(flags), &st, &mount_root);
	if (error)
		return error;
	x = (struct linux_statx){
		.mask = STATX_BASIC_STATS | (st.no_birth ? 0 : STATX_BTIME) | STATX_MNT_ID,
		.block_size = (uint32_t)st.block_size,
		.attributes = statx_attributes(st.attributes) | (mount_root ? STATX_ATTR_MOUNT_ROOT : 0),
		.attributes_mask = statx_attributes(st.attributes_known) | STATX_ATTR_MOUNT_ROOT,
		.links = st.links,
		.uid = uid_shown(st.uid),
		.gid = gid_shown(st.gid),
		.mode = (uint16_t)st.mode,
		.inode = st.inode,
		.size = st.size,
		.blocks = st.blocks,
		.accessed = statx_time(st.accessed),
		.born = st.no_birth ? (struct statx_time){ 0 } : statx_time(st.born),
		.changed = statx_time(st.changed),
		.modified = statx_time(st.modified),
		.rdev_major = DEV_MAJOR(st.rdev),
		.rdev_minor = DEV_MINOR(st.rdev),
		.device_major = DEV_MAJOR(st.device),
		.device_minor = DEV_MINOR(st.device),
		.mount_id = st.mount_id,
	};
	return copy_to_user(out, &x, sizeof(x));
}

#define ST_VALID   0x20
#define ST_RDONLY  1
#define ST_NOSUID  2
#define ST_NODEV   4
#define ST_NOEXEC  8
#define ST_NOATIME 1024
#define ST_NODIRATIME 2048
#define ST_RELATIME 4096
#define ST_NOSYMFOLLOW 8192

static long
statfs_out(const struct inode *i, uint32_t mount_flags, struct linux_statfs __user *out)
{
	struct filesystem *fs = i->fs;
	struct fs_stat st;
	struct linux_statfs s;
	long error = filesystem_statfs(fs, i, &st);

	if (error)
		return error;
	s = (struct linux_statfs){
		.type = fs->type->magic,
		.block_size = (int64_t)st.block_size,
		.blocks = st.blocks,
		.free = st.free,
		.available = st.available,
		.files = st.files,
		.files_free = st.files_free,
		.name_max = (int64_t)st.name_max,
		.fragment_size = (int64_t)(st.fragment_size ? st.fragment_size : st.block_size),
		.flags = ST_VALID | (mount_flags & (ST_RDONLY | ST_NOSUID | ST_NODEV | ST_NOEXEC)) |
			 (mount_flags & (ST_NOATIME | ST_NODIRATIME)) |
			 (fs->readonly ? ST_RDONLY : 0) | (mount_flags & MOUNT_RELATIME ? ST_RELATIME : 0) |
			 (mount_flags & MOUNT_NOSYMFOLLOW ? ST_NOSYMFOLLOW : 0),
	};
	filesystem_id(fs, s.id);
	return copy_to_user(out, &s, sizeof(s));
}

long
linux_statfs(const char __user *uname, struct linux_statfs __user *out)
{
	struct path p;
	long error;

	error = user_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW, &p);
	if (error)
		return error;
	error = statfs_out(p.dentry->inode, p.mount->flags, out);
	path_put(&p);
	return error;
}

long
linux_fstatfs(int fd, struct linux_statfs __user *out)
{
	int error = 0;
	struct file *f = handle_get_path(fd, RIGHT_STAT, &error);
	long result;

	if (!f)
		return error;
	result = f->inode ? statfs_out(f->inode, f->mount ? f->mount->flags : 0, out) : -ENOSYS;
	file_put(f);
	return result;
}

struct linux_ustat {
	int32_t blocks_free, pad;
	uint64_t files_free;
	char name[6], pack[6], tail[4];
};
_Static_assert(sizeof(struct linux_ustat) == 32, "struct ustat");

long
linux_ustat(unsigned int device, struct linux_ustat __user *out)
{
	struct filesystem *fs = filesystem_by_device(DEV(
		(device & 0xfff00) >> 8, (device & 0xff) | (device >> 12 & 0xfff00)));
	struct fs_stat st;
	long error;

	if (!fs)
		return -EINVAL;
	error = filesystem_statfs(fs, NULL, &st);
	filesystem_put(fs);
	if (!error) {
		struct linux_ustat u = { .blocks_free = (int32_t)st.free, .files_free = st.files_free };

		error = copy_to_user(out, &u, sizeof(u));
	}
	return error;
}

/*
 * access asks with the real ids: for the time of the call the thread carries credentials in which
 * they are the file-system ids, with the capabilities that the real uid would have.
 */
static const struct cred *
real_ids_begin(void)
{
	struct thread *t = current_thread();
	const struct cred *old = t->cred;
	struct cred *c = cred_copy(old);

	if (!c)
		return NULL;
	c->fsuid = c->uid;
	c->fsgid = c->gid;
	c->cap_effective = c->uid == uid_from_user(0) ? c->cap_permitted : 0;
	spin_lock(&t->process->lock);
	t->cred = c;
	spin_unlock(&t->process->lock);
	return old;
}

static void
real_ids_end(const struct cred *old)
{
	struct thread *t = current_thread();
	const struct cred *c = t->cred;

	spin_lock(&t->process->lock);
	t->cred = old;
	spin_unlock(&t->process->lock);
	cred_put((struct cred *)c);
}

static long
access_path(const struct path *p, int mode)
{
	struct inode *i = p->dentry->inode;
	long error;

	if ((mode & MAY_EXEC) && S_ISREG(i->mode) && (p->mount->flags & MOUNT_NOEXEC))
		return -EACCES;
	error = vfs_permission(i, mode | MAY_ACCESS);
	if (!error && (mode & MAY_WRITE) && mount_is_readonly(p->mount) &&
		!S_ISCHR(i->mode) && !S_ISBLK(i->mode) && !S_ISFIFO(i->mode) && !S_ISSOCK(i->mode))
		error = -EROFS;
	return error;
}

long
linux_faccessat2(int dirfd, const char __user *uname, int mode, int flags)
{
	const struct cred *old = NULL;
	struct path p;
	char *name;
	long error;

	if ((mode & ~7) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
		return -EINVAL;
	name = user_name_get(uname);
	if (IS_ERR(name))
		return PTR_ERR(name);
	if (!(flags & AT_EACCESS)) {
		old = real_ids_begin();
		if (!old) {
			kfree(name);
			return -ENOMEM;
		}
	}
	error = path_lookup(dirfd, name, lookup_flags(flags), &p);
	if (!error) {
		error = access_path(&p, mode);
		path_put(&p);
	}
	if (old)
		real_ids_end(old);
	kfree(name);
	return error;
}

long
linux_faccessat(int dirfd, const char __user *name, int mode)
{
	return linux_faccessat2(dirfd, name, mode, 0);
}

long
linux_access(const char __user *name, int mode)
{
	return linux_faccessat2(AT_FDCWD, name, mode, 0);
}
