/* SPDX-License-Identifier: MIT */
/*
 * super.c - instances of tmpfs: limits, the root directory; and files without a mount
 * (memfd).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tmpfs.h"

int
tmpfs_fill(struct filesystem *fs, const char *options)
{
	struct tmpfs_options o = {
		.max_pages = tmpfs_total_pages() / 2,
		.max_inodes = tmpfs_total_pages() / 2,
		.mode = 01777,
		.uid = current_cred()->fsuid,
		.gid = current_cred()->fsgid,
	};
	struct tmpfs *t;
	struct inode *root;
	int error = tmpfs_options_parse(options, &o);

	if (error)
		return error;
	t = kzalloc(sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->max_pages = o.max_pages;
	t->max_inodes = o.max_inodes;
	t->mode = o.mode;
	t->uid = o.uid;
	t->gid = o.gid;
	fs->private = t;
	root = tmpfs_inode_create(fs, NULL, S_IFDIR | o.mode, 0);
	if (!root)
		goto no_memory;
	root->uid = o.uid;
	root->gid = o.gid;
	fs->root = dentry_create_root(fs, root);
	if (fs->root)
		return 0;
	inode_put(root);
no_memory:
	kfree(t);
	return -ENOMEM;
}

static int
tmpfs_mount(struct filesystem *fs, const char *source, const char *options)
{
	return tmpfs_fill(fs, options);
}

void
tmpfs_unmount(struct filesystem *fs)
{
	kfree(fs->private);
}

int
tmpfs_statfs(struct filesystem *fs, struct fs_stat *st)
{
	struct tmpfs *t = tmpfs_of(fs);

	st->block_size = PAGE_SIZE;
	st->name_max = NAME_MAX;
	if (t->max_pages) {
		st->blocks = t->max_pages;
		st->free = st->available = t->max_pages - MIN(t->pages, t->max_pages);
	}
	if (t->max_inodes) {
		st->files = t->max_inodes;
		st->files_free = t->max_inodes - MIN(t->inodes, t->max_inodes);
	}
	return 0;
}

int
tmpfs_remount(struct filesystem *fs, const char *options)
{
	struct tmpfs *t = tmpfs_of(fs);
	struct tmpfs_options o = { .max_pages = t->max_pages, .max_inodes = t->max_inodes };
	int error = tmpfs_options_parse(options, &o);

	if (error)
		return error;
	if ((o.size_given && o.max_pages && o.max_pages < t->pages) ||
	    (o.inodes_given && o.max_inodes && o.max_inodes < t->inodes))
		return -EINVAL;
	WRITE_ONCE(t->max_pages, o.max_pages);
	WRITE_ONCE(t->max_inodes, o.max_inodes);
	return 0;
}

void
tmpfs_show_options(struct filesystem *fs, char *out, size_t size)
{
	struct tmpfs *t = tmpfs_of(fs);
	size_t at = 0;

	out[0] = '\0';
	if (t->max_pages != tmpfs_total_pages() / 2)
		at += (size_t)scnprintf(out + at, size - at, ",size=%luk", t->max_pages * 4);
	if (t->max_inodes != tmpfs_total_pages() / 2)
		at += (size_t)scnprintf(out + at, size - at, ",nr_inodes=%lu", t->max_inodes);
	if (t->mode != 01777)
		at += (size_t)scnprintf(out + at, size - at, ",mode=%o", t->mode);
	if (t->uid)
		at += (size_t)scnprintf(out + at, size - at, ",uid=%u", t->uid);
	if (t->gid)
		at += (size_t)scnprintf(out + at, size - at, ",gid=%u", t->gid);
	scnprintf(out + at, size - at, ",inode64");
}

static struct filesystem_type tmpfs_type = {
	.check_option = tmpfs_check_option,
	.name = "tmpfs",
	.user_mount = true,
	.magic = TMPFS_MAGIC,
	.no_device = true,
	.mount = tmpfs_mount,
	.unmount = tmpfs_unmount,
	.statfs = tmpfs_statfs,
	.name_of = tmpfs_name_of,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};

/* The root's limit is the memory there is, which df shall say. */
static int
rootfs_statfs(struct filesystem *fs, struct fs_stat *st)
{
	struct memory_stats m;
	int error = tmpfs_statfs(fs, st);

	if (!error && st->blocks == 0) {
		memory_stats(&m);
		st->blocks = m.total;
		st->free = st->available = m.free;
	}
	return error;
}

/* The root file system, which cannot be mounted a second time. */
static struct filesystem_type rootfs_type = {
	.check_option = tmpfs_check_option,
	.name = "rootfs",
	.magic = TMPFS_MAGIC,
	.no_device = true,
	.single = true,
	.mount = tmpfs_mount,
	.statfs = rootfs_statfs,
	.name_of = tmpfs_name_of,
	.remount = tmpfs_remount,
	.show_options = tmpfs_show_options,
};

/* The mode of the root directory is the only option that ramfs knows: all others it overlooks. */
static int
take_ramfs_option(void *into, const char *key, const char *value)
{
	const char *end;
	uint64_t n;

	if (strcmp(key, "mode") != 0)
		return 0;
	if (!value || parse_u64(value, &end, 8, &n) || *end)
		return -EINVAL;
	*(mode_t *)into = (mode_t)n & 07777;
	return 0;
}

static int
ramfs_mount(struct filesystem *fs, const char *source, const char *options)
{
	char without_limits[48];
	mode_t mode = 0755;
	int error = mount_options_each(options, take_ramfs_option, &mode);

	if (error)
		return error;
	scnprintf(without_limits, sizeof(without_limits), "mode=%o,size=0,nr_inodes=0", mode);
	return tmpfs_fill(fs, without_limits);
}

static int
ramfs_remount(struct filesystem *fs, const char *options)
{
	return 0;
}

static int
ramfs_check_option(const char *key, const char *value)
{
	mode_t mode;

	return take_ramfs_option(&mode, key, value);
}

static void
ramfs_show_options(struct filesystem *fs, char *out, size_t size)
{
	const struct tmpfs *t = tmpfs_of(fs);

	out[0] = '\0';
	if (t->mode != 0755)
		scnprintf(out, size, ",mode=%o", t->mode);
}

/* tmpfs without limits, and without options that could set one. */
static struct filesystem_type ramfs_type = {
	.check_option = ramfs_check_option,
	.name = "ramfs",
	.user_mount = true,
	.magic = RAMFS_MAGIC,
	.no_device = true,
	.mount = ramfs_mount,
	.unmount = tmpfs_unmount,
	.statfs = tmpfs_statfs,
	.remount = ramfs_remount,
	.show_options = ramfs_show_options,
};

/* Where memfds live: no limit but memory. */
static struct filesystem *hidden; /* [I] */
static struct mount *hidden_mount;

void
tmpfs_init(void)
{
	int error;

	filesystem_register(&tmpfs_type);
	filesystem_register(&rootfs_type);
	filesystem_register(&ramfs_type);
	hidden = filesystem_create(&tmpfs_type);
	if (!hidden || tmpfs_fill(hidden, "nr_blocks=0,nr_inodes=0") != 0)
		panic("no memory for the file system of memfds");
	hidden_mount = mount_create_internal(hidden);
	/* no limits: the initial image must fit in whatever memory there is */
	error = vfs_mount("rootfs", NULL, "rootfs", 0, false, "mode=755,size=0,nr_inodes=0");
	if (!hidden_mount || error)
		panic("cannot mount the root file system: error %d", error);
}

int
memory_file_create(const char *name, uint32_t flags, struct file **out)
{
	struct inode *i = tmpfs_inode_create(hidden, NULL, S_IFREG | 0777, 0);
	struct path p = { .mount = hidden_mount };
	struct file *f;

	if (!i)
		return -ENOMEM;
	i->links = 0;
	p.dentry = dentry_create_lone(hidden, i, name);
	if (!p.dentry) {
		inode_put(i);
		return -ENOMEM;
	}
	f = file_create(&regular_file_ops, flags, NULL);
	if (f) {
		f->inode = i;
		inode_get(i);
		f->dentry = p.dentry;
		f->mount = p.mount;
		path_get(&p);
		f->mode |= FILE_SEEKABLE;
		if (f->mode & FILE_WRITE)
			atomic_add(&i->writers, 1);
	}
	dentry_put(p.dentry);
	*out = f;
	return f ? 0 : -ENFILE;
}
