/* SPDX-License-Identifier: MIT */
/*
 * operations.c - what the kernel asks through FUSE, as calls of the library.
 *
 * One thread answers, one request after another. A node of the kernel's is a node of ours, held once for each time that it
 * was told of it (lookup counts), by its number.
 *
 * What the kernel may remember: attributes for as long as it likes, because nobody else changes them; names not at all. A
 * file has names that the kernel takes for different ones (other cases, the short name): what is done under one would leave the
 * others in its memory.
 *
 * FAT has no owners and no modes. Files are who mounted's, and are all programs (rwxrwxrwx less the mask), as with
 * Linux's vfat: FAT_READ_ONLY takes the bits for writing away, and taking them all away sets it. Hidden, system and
 * archive, and these all, are there by FAT_IOCTL_GET_ATTRIBUTES and its other half.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/msdos_fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>

#include "fuse.h"

#define FOREVER 1e9 /* seconds */

static struct fat_mount *
mount_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* A node that the kernel holds; answers the request when there is none. */
static struct fat_node *
node(fuse_req_t req, fuse_ino_t ino)
{
	struct fat_node *n = fat_node_find(mount_of(req)->fs, ino);

	if (!n)
		fuse_reply_err(req, ESTALE);
	return n;
}

static mode_t
mode_of(const struct fat_mount *m, const struct fat_node *n)
{
	bool directory = fat_is_directory(n);
	mode_t bits = 0777 & ~(directory ? m->dir_mask : m->file_mask);

	/* Of a directory the attribute means something else to those who use it. */
	if (!directory && n->attributes & FAT_READ_ONLY)
		bits &= ~0222u;
	return (directory ? S_IFDIR : S_IFREG) | bits;
}

static struct timespec
spec(struct fat_time t)
{
	return (struct timespec){ .tv_sec = t.seconds, .tv_nsec = t.nanoseconds };
}

static void
fill(const struct fat_mount *m, struct fat_node *n, struct stat *st)
{
	uint32_t clusters = 0;

	/* A chain that is broken is told of when it is used. Directories are their clusters. */
	if (fat_is_directory(n) || n->chained)
		(void)fat_clusters_of(n, &clusters);
	else
		clusters = (uint32_t)(((uint64_t)n->size + m->fs->cluster_size - 1) / m->fs->cluster_size);
	*st = (struct stat){
		.st_ino = n->ino,
		.st_mode = mode_of(m, n),
		/* Of directories 1: who wants to know how many there are in it has to look. */
		.st_nlink = 1,
		.st_uid = m->uid,
		.st_gid = m->gid,
		.st_size = fat_is_directory(n) ? (off_t)clusters * m->fs->cluster_size : n->size,
		.st_blksize = m->fs->cluster_size,
		.st_blocks = (blkcnt_t)clusters * (m->fs->cluster_size / 512),
		.st_atim = spec(n->accessed),
		.st_mtim = spec(n->modified),
		.st_ctim = spec(n->modified),
	};
}

static void
fill_entry(const struct fat_mount *m, struct fat_node *n, struct fuse_entry_param *e)
{
	memset(e, 0, sizeof(*e));
	e->ino = n->ino;
	e->generation = n->generation;
	e->attr_timeout = FOREVER;
	fill(m, n, &e->attr);
}

/* Answer with a node, whose reference goes to the kernel if that takes it. */
static void
reply_entry(fuse_req_t req, struct fat_node *n, int error)
{
	struct fuse_entry_param e;

	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	fill_entry(mount_of(req), n, &e);
	if (fuse_reply_entry(req, &e) != 0)
		fat_node_put(n, 1);
}

/* --- names ------------------------------------------------------------------------------------------------ */

static void
op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fat_node *dir = node(req, parent), *n = NULL;
	int error;

	if (!dir)
		return;
	error = fat_lookup(dir, name, &n);
	reply_entry(req, n, error);
}

static void
op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	struct fat_node *n = fat_node_find(mount_of(req)->fs, ino);

	if (n)
		fat_node_put(n, count);
	fuse_reply_none(req);
}

static void
op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++) {
		struct fat_node *n = fat_node_find(mount_of(req)->fs, forgets[i].ino);

		if (n)
			fat_node_put(n, forgets[i].nlookup);
	}
	fuse_reply_none(req);
}

static void
make(fuse_req_t req, fuse_ino_t parent, const char *name, bool directory)
{
	struct fat_node *dir = node(req, parent), *n = NULL;
	int error;

	if (!dir)
		return;
	error = fat_create(dir, name, directory, &n);
	reply_entry(req, n, error);
}

static void
op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
	if (S_ISREG(mode))
		make(req, parent, name, false);
	else
		fuse_reply_err(req, EPERM);
}

static void
op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, true);
}

static void
op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

static void
op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	fuse_reply_err(req, EPERM);
}

static void
op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fat_node *dir = node(req, parent);

	if (dir)
		fuse_reply_err(req, -fat_unlink(dir, name));
}

static void
op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fat_node *dir = node(req, parent);

	if (dir)
		fuse_reply_err(req, -fat_rmdir(dir, name));
}

static void
op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *new_name, unsigned int flags)
{
	struct fat_node *dir = node(req, parent), *target = dir ? node(req, to) : NULL;
	unsigned int how = (flags & RENAME_NOREPLACE ? FAT_RENAME_KEEP : 0) | (flags & RENAME_EXCHANGE ? FAT_RENAME_EXCHANGE : 0);

	if (!target)
		return;
	fuse_reply_err(req, flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE) ? EINVAL : -fat_rename(dir, name, target, new_name, how));
}

/* --- attributes --------------------------------------------------------------------------------------------- */

static void
reply_attributes(fuse_req_t req, struct fat_node *n, int error)
{
	struct stat st;

	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	fill(mount_of(req), n, &st);
	fuse_reply_attr(req, &st, FOREVER);
}

static void
op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);

	if (n)
		reply_attributes(req, n, 0);
}

/*
 * Modes that the attribute can say, all bits for writing or none, change it; others change nothing and are no error,
 * because programs that copy files set modes everywhere. So it is with Linux's vfat.
 */
static int
set_mode(const struct fat_mount *m, struct fat_node *n, mode_t mode)
{
	mode_t all = 0777 & ~m->file_mask, write = all & 0222;
	uint8_t attributes;

	if (fat_is_directory(n) || ((mode ^ all) & 0777 & ~0222u) || ((mode & 0222) != 0 && (mode & 0222) != write))
		return 0;
	attributes = (uint8_t)(mode & 0222 || !write ? n->attributes & ~FAT_READ_ONLY : n->attributes | FAT_READ_ONLY);
	return attributes == n->attributes ? 0 : fat_set_attributes(n, attributes);
}

static int
set_times(struct fat_node *n, const struct stat *st, int set)
{
	struct timespec now;
	struct fat_time modified, accessed;

	if (!(set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME_NOW | FUSE_SET_ATTR_ATIME_NOW)))
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	modified = accessed = (struct fat_time){ now.tv_sec, (uint32_t)now.tv_nsec };
	if (!(set & FUSE_SET_ATTR_MTIME_NOW))
		modified = (struct fat_time){ st->st_mtim.tv_sec, (uint32_t)st->st_mtim.tv_nsec };
	if (!(set & FUSE_SET_ATTR_ATIME_NOW))
		accessed = (struct fat_time){ st->st_atim.tv_sec, (uint32_t)st->st_atim.tv_nsec };
	return fat_set_times(n, set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW) ? &modified : NULL,
		set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW) ? &accessed : NULL);
}

static void
op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set, struct fuse_file_info *fi)
{
	const struct fat_mount *m = mount_of(req);
	struct fat_node *n = node(req, ino);
	int error = 0;

	if (!n)
		return;
	if ((set & FUSE_SET_ATTR_UID && st->st_uid != m->uid) || (set & FUSE_SET_ATTR_GID && st->st_gid != m->gid))
		error = -EPERM;
	if (!error && set & FUSE_SET_ATTR_MODE)
		error = set_mode(m, n, st->st_mode);
	if (!error && set & FUSE_SET_ATTR_SIZE)
		error = fat_resize(n, (uint64_t)st->st_size);
	if (!error)
		error = set_times(n, st, set);
	reply_attributes(req, n, error);
}

static void
op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct fat_space space;
	struct statvfs st = { 0 };

	fat_space(mount_of(req)->fs, &space);
	st.f_bsize = st.f_frsize = space.block_size;
	st.f_blocks = space.blocks;
	st.f_bfree = st.f_bavail = space.free;
	st.f_namemax = FAT_NAME_UNITS;
	fuse_reply_statfs(req, &st);
}

/* --- files ---------------------------------------------------------------------------------------------------- */

static int
may_open(fuse_req_t req, struct fat_node *n, struct fuse_file_info *fi)
{
	bool write = (fi->flags & O_ACCMODE) != O_RDONLY;
	int error = 0;

	if (fat_is_directory(n))
		return -EISDIR;
	if (write && !fat_writable(mount_of(req)->fs))
		return -EROFS;
	if (fi->flags & O_TRUNC)
		error = fat_resize(n, 0);
	/* Nobody else changes it. */
	fi->keep_cache = 1;
	fi->noflush = 1;
	return error ? error : fat_node_open(n);
}

static void
op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);
	int error = n ? may_open(req, n, fi) : 0;

	if (n && error)
		fuse_reply_err(req, -error);
	else if (n && fuse_reply_open(req, fi) != 0)
		fat_node_close(n);
}

static void
op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);

	if (!n)
		return;
	fat_node_close(n);
	fuse_reply_err(req, 0);
}

static void
op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *fi)
{
	struct fat_node *dir = node(req, parent), *n;
	struct fuse_entry_param e;
	int error;

	if (!dir)
		return;
	error = fat_create(dir, name, false, &n);
	/* Under another of its names it may be there. */
	if (error == -EEXIST && !(fi->flags & O_EXCL))
		error = fat_lookup(dir, name, &n);
	if (!error) {
		error = may_open(req, n, fi);
		if (error)
			fat_node_put(n, 1);
	}
	if (error) {
		fuse_reply_err(req, -error);
		return;
	}
	fill_entry(mount_of(req), n, &e);
	if (fuse_reply_create(req, &e, fi) != 0) {
		fat_node_close(n);
		fat_node_put(n, 1);
	}
}

static void
op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);
	char *bytes;
	ssize_t got;

	if (!n)
		return;
	bytes = malloc(size ? size : 1);
	got = bytes ? fat_read(n, (uint64_t)offset, bytes, size) : -ENOMEM;
	if (got < 0)
		fuse_reply_err(req, (int)-got);
	else
		fuse_reply_buf(req, bytes, (size_t)got);
	free(bytes);
}

static void
op_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);
	ssize_t put;

	if (!n)
		return;
	put = fat_write(n, (uint64_t)offset, bytes, size);
	if (put < 0)
		fuse_reply_err(req, (int)-put);
	else
		fuse_reply_write(req, (size_t)put);
}

/* No holes: what is promised is there, as zeros. To promise room behind the end is not offered. */
static void
op_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length, struct fuse_file_info *fi)
{
	struct fat_node *n = node(req, ino);
	uint64_t end = (uint64_t)offset + (uint64_t)length;

	if (n)
		fuse_reply_err(req, mode ? EOPNOTSUPP : end > n->size ? -fat_resize(n, end) : 0);
}

static void
op_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	fuse_reply_err(req, -fat_sync(mount_of(req)->fs));
}

/* --- directories ------------------------------------------------------------------------------------------------ */

/* One name into the answer, with what is known of its file if `plus`. Returns its size there, 0 for an error. */
static size_t
add_name(fuse_req_t req, struct fat_node *dir, const struct fat_entry *entry, bool plus, char *to, size_t room)
{
	struct fuse_entry_param e = { .attr_timeout = FOREVER };
	char name[FAT_NAME_BYTES];
	struct fat_node *n = NULL;
	size_t size;

	fat_name_to_utf8(entry->name, entry->length, name);
	e.attr.st_ino = fat_entry_ino(dir, entry);
	e.attr.st_mode = entry->attributes & FAT_DIRECTORY ? S_IFDIR : S_IFREG;
	if (!plus)
		return fuse_add_direntry(req, to, room, name, &e.attr, entry->slot + 3);
	/* One that makes no sense is shown all the same: who asks for it learns more. */
	if (fat_node_of(dir, entry, &n) == 0)
		fill_entry(mount_of(req), n, &e);
	size = fuse_add_direntry_plus(req, to, room, name, &e, entry->slot + 3);
	if (n && size > room)
		fat_node_put(n, 1);
	return size;
}

static size_t
add_dots(fuse_req_t req, struct fat_node *dir, off_t at, bool plus, char *to, size_t room)
{
	/* No node: the kernel knows these two. */
	struct fuse_entry_param e = { .attr.st_mode = S_IFDIR };
	const char *name = at == 0 ? "." : "..";

	e.attr.st_ino = at == 0 || !dir->dir ? dir->ino : dir->dir->ino;
	return plus ? fuse_add_direntry_plus(req, to, room, name, &e, at + 1)
		    : fuse_add_direntry(req, to, room, name, &e.attr, at + 1);
}

/* Positions: 0 and 1 the dots, then 2 and the slot. What lies in a slot stays there. */
static void
list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, bool plus)
{
	struct fat_node *dir = node(req, ino);
	char *bytes = dir ? malloc(size ? size : 1) : NULL;
	struct fat_entry entry;
	size_t used = 0;
	uint32_t slot;
	int found = 0;

	if (!dir)
		return;
	for (; bytes && at < 2; at++) {
		size_t n = add_dots(req, dir, at, plus, bytes + used, size - used);

		if (n > size - used)
			goto reply;
		used += n;
	}
	for (slot = (uint32_t)(at - 2); bytes && (found = fat_list(dir, &slot, &entry)) > 0;) {
		size_t n = add_name(req, dir, &entry, plus, bytes + used, size - used);

		if (n > size - used)
			break;
		used += n;
	}
reply:
	if (!bytes || (found < 0 && used == 0))
		fuse_reply_err(req, bytes ? -found : ENOMEM);
	else
		fuse_reply_buf(req, bytes, used);
	free(bytes);
}

static void
op_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *fi)
{
	list(req, ino, size, at, false);
}

static void
op_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t at, struct fuse_file_info *fi)
{
	list(req, ino, size, at, true);
}

/* --- ioctl ------------------------------------------------------------------------------------------------------ */

static void
reply_label(fuse_req_t req, struct fat *fs)
{
	char label[FSLABEL_MAX] = { 0 };
	int error = fat_label(fs, label);

	if (error)
		fuse_reply_err(req, -error);
	else
		fuse_reply_ioctl(req, 0, label, sizeof(label));
}

static int
set_label(fuse_req_t req, struct fat *fs, const char *text, size_t size)
{
	if (fuse_req_ctx(req)->uid != 0)
		return -EPERM;
	return size != FSLABEL_MAX || !memchr(text, 0, size) ? -EINVAL : fat_set_label(fs, text);
}

static int
set_dos_attributes(struct fat_mount *m, fuse_req_t req, struct fat_node *n, const void *in, size_t size)
{
	uint32_t attributes;

	if (fuse_req_ctx(req)->uid != 0 && fuse_req_ctx(req)->uid != m->uid)
		return -EACCES;
	if (size != sizeof(attributes))
		return -EINVAL;
	memcpy(&attributes, in, sizeof(attributes));
	return fat_set_attributes(n, (uint8_t)attributes);
}

static void
op_ioctl(fuse_req_t req, fuse_ino_t ino, unsigned int command, void *argument, struct fuse_file_info *fi,
	 unsigned int flags, const void *in, size_t in_size, size_t out_size)
{
	struct fat_mount *m = mount_of(req);
	struct fat_node *n = node(req, ino);
	uint32_t answer;
	int error = 0;

	if (!n)
		return;
	switch (command) {
	case FAT_IOCTL_GET_ATTRIBUTES:
		answer = n->attributes;
		fuse_reply_ioctl(req, 0, &answer, sizeof(answer));
		return;
	case FAT_IOCTL_GET_VOLUME_ID:
		fuse_reply_ioctl(req, 0, &m->fs->serial, sizeof(m->fs->serial));
		return;
	case FS_IOC_GETFSLABEL:
		reply_label(req, m->fs);
		return;
	case FAT_IOCTL_SET_ATTRIBUTES:
		error = set_dos_attributes(m, req, n, in, in_size);
		break;
	case FS_IOC_SETFSLABEL:
		error = set_label(req, m->fs, in, in_size);
		break;
	default:
		error = -ENOTTY;
	}
	if (error)
		fuse_reply_err(req, -error);
	else
		fuse_reply_ioctl(req, 0, NULL, 0);
}

const struct fuse_lowlevel_ops fat_operations = {
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.setattr = op_setattr,
	.mknod = op_mknod,
	.mkdir = op_mkdir,
	.unlink = op_unlink,
	.rmdir = op_rmdir,
	.symlink = op_symlink,
	.rename = op_rename,
	.link = op_link,
	.open = op_open,
	.create = op_create,
	.release = op_release,
	.read = op_read,
	.write = op_write,
	.fallocate = op_fallocate,
	.fsync = op_fsync,
	.fsyncdir = op_fsync,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.ioctl = op_ioctl,
};
