/* SPDX-License-Identifier: MIT */
/*
 * initramfs.c - the boot archive becomes the root file system.
 *
 * The archive lies in frames nobody else has. Data of a regular file that starts on a frame
 * boundary is not copied: its whole frames are claimed and become the file's pages; only a last
 * partial frame is copied. So is everything else, and each frame that was not claimed is released.
 * Frames are handed over in one pass from low to high, so a frame is claimed or released exactly
 * once.
 *
 * The archive is input like any other: an entry that makes no sense ends the unpacking with a line
 * in the log; what came before stays.
 */
#include <tessera/errno.h>
#include <tessera/cpio.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfs.h"

struct unpacking {
	paddr_t start;          /* of the archive, frame aligned down */
	const uint8_t *archive;
	size_t size;
	paddr_t handed;         /* frames below it have been claimed or released */
	uint64_t files, claimed, copied;
	struct list links;      /* struct hard_link: inodes with more names to come */
};

struct hard_link {
	struct list node;
	uint32_t inode, major, minor;
	char *name;             /* of the first one */
};

/* Release the frames up to `limit` that nobody claimed. */
static void
release_up_to(struct unpacking *u, paddr_t limit)
{
	if (limit > u->handed) {
		frames_release_boot_range(u->handed, limit);
		u->handed = limit;
	}
}

/* Make the directories that lead to `name`. */
static void
make_parents(char *name)
{
	for (char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		vfs_mkdir(AT_FDCWD, name, 0755);
		*slash = '/';
	}
}

static void
set_attributes(const char *name, const struct cpio_entry *e)
{
	struct inode_change c = {
		.what = ATTR_UID | ATTR_GID | ATTR_ATIME | ATTR_MTIME,
		.mode = e->mode & 07777,
		.uid = e->uid,
		.gid = e->gid,
		.accessed = { .tv_sec = e->time },
		.modified = { .tv_sec = e->time },
	};
	struct path p;

	if (path_lookup(AT_FDCWD, name, 0, &p) != 0)
		return;
	vfs_set_attributes(&p, &c);
	if (!S_ISLNK(e->mode)) {
		c.what = ATTR_MODE;
		vfs_set_attributes(&p, &c);
	}
	path_put(&p);
}

/* Give whole frames of the data to the file. Returns the bytes that need not be copied. */
static size_t
donate_frames(struct unpacking *u, struct inode *i, const struct cpio_entry *e)
{
	paddr_t pa = u->start + e->data_offset;
	size_t done = 0;

	if (pa % PAGE_SIZE || pa < u->handed)
		return 0;
	release_up_to(u, pa);
	while (e->size - done >= PAGE_SIZE) {
		struct page *p = frames_claim_boot_page(pa + done);

		if (!p)
			break;
		u->handed = pa + done + PAGE_SIZE;
		if (object_insert_page(i->object, done / PAGE_SIZE, p) != 0) {
			/* No memory for the tree: the copy below will say so. The frame is still
			 * whole. */
			page_put(p);
			return done;
		}
		u->claimed++;
		done += PAGE_SIZE;
	}
	return done;
}

static int
fill_file(struct unpacking *u, const char *name, const struct cpio_entry *e)
{
	struct iov_iter from;
	struct file *f;
	loff_t pos = 0;
	ssize_t n = 0;
	int error = vfs_open(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, e->mode & 07777, 0, &f);

	if (error)
		return error;
	if (S_ISREG(f->inode->mode) && f->inode->object) {
		pos = (loff_t)donate_frames(u, f->inode, e);
		write_lock(&f->inode->lock);
		WRITE_ONCE(f->inode->object->size, (uint64_t)pos);
		write_unlock(&f->inode->lock);
	}
	if ((size_t)pos < e->size) {
		iov_iter_kernel(&from, (void *)(e->data + pos), e->size - (size_t)pos);
		n = file_write(f, &from, &pos);
		u->copied++;
	}
	file_put(f);
	if (n < 0)
		return (int)n;
	return (size_t)pos < e->size ? -ENOSPC : 0;
}

/*
 * An entry of a file with several names: the first name is kept, later ones are linked. True: done.
 */
static bool
link_known(struct unpacking *u, const char *name, const struct cpio_entry *e)
{
	struct hard_link *l;

	if (e->links < 2 || !S_ISREG(e->mode))
		return false;
	list_for_each(l, &u->links, node)
		if (l->inode == e->inode && l->major == e->device_major &&
			l->minor == e->device_minor) {
			vfs_unlink(AT_FDCWD, name, false);
			return vfs_link(AT_FDCWD, l->name, AT_FDCWD, name, 0) == 0 && e->size == 0;
		}
	l = kzalloc(sizeof(*l));
	if (!l)
		return false;
	l->inode = e->inode;
	l->major = e->device_major;
	l->minor = e->device_minor;
	l->name = kstrdup(name);
	if (l->name)
		list_add_tail(&u->links, &l->node);
	else
		kfree(l);
	return false;
}

static void
forget_links(struct unpacking *u)
{
	struct hard_link *l, *tmp;

	list_for_each_safe(l, tmp, &u->links, node) {
		kfree(l->name);
		kfree(l);
	}
	list_init(&u->links);
}

static int
make_symlink(const char *name, const struct cpio_entry *e)
{
	char *target;
	int error;

	if (e->size == 0 || e->size >= PATH_MAX)
		return -ENAMETOOLONG;
	target = kzalloc(e->size + 1);
	if (!target)
		return -ENOMEM;
	memcpy(target, e->data, e->size);
	vfs_unlink(AT_FDCWD, name, false);
	error = vfs_symlink(target, AT_FDCWD, name);
	kfree(target);
	return error;
}

/*
 * Take away what has this name and is of another type: an entry replaces a symbolic link, it does not
 * write through it.
 */
static void
make_room(const char *name, unsigned int mode)
{
	struct path p;
	unsigned int present;

	if (path_lookup(AT_FDCWD, name, 0, &p) != 0)
		return;
	present = p.dentry->inode->mode;
	path_put(&p);
	if ((present & S_IFMT) != (mode & S_IFMT))
		vfs_unlink(AT_FDCWD, name, S_ISDIR(present));
}

static int
make_entry(struct unpacking *u, char *name, const struct cpio_entry *e)
{
	int error;

	make_parents(name);
	make_room(name, e->mode);
	switch (e->mode & S_IFMT) {
	case S_IFDIR:
		error = vfs_mkdir(AT_FDCWD, name, e->mode & 07777);
		return error == -EEXIST ? 0 : error;
	case S_IFREG:
		return link_known(u, name, e) ? 0 : fill_file(u, name, e);
	case S_IFLNK:
		return make_symlink(name, e);
	case S_IFCHR:
	case S_IFBLK:
	case S_IFIFO:
	case S_IFSOCK:
		vfs_unlink(AT_FDCWD, name, false);
		return vfs_mknod(AT_FDCWD, name, e->mode, DEV(e->rdev_major, e->rdev_minor));
	default:
		return -EINVAL;
	}
}

static int
unpack_entry(struct unpacking *u, const struct cpio_entry *e)
{
	char *name;
	int error;

	if (e->length == 0 || e->length >= PATH_MAX)
		return -EINVAL;
	name = kmalloc(e->length + 2, 0);
	if (!name)
		return -ENOMEM;
	name[0] = '/';
	memcpy(name + 1, e->name, e->length);
	name[e->length + 1] = '\0';
	error = make_entry(u, name, e);
	if (error)
		pr_warn("initramfs: %s: error %d\n", name, error);
	else
		set_attributes(name, e);
	u->files++;
	kfree(name);
	return error == -ENOSPC || error == -ENOMEM ? error : 0;
}

int
initramfs_unpack(paddr_t start, size_t size)
{
	struct unpacking u = {
		.start = start,
		.archive = phys_to_virt(start),
		.size = size,
		.handed = ALIGN_DOWN(start, PAGE_SIZE),
	};
	struct cpio_entry e;
	size_t offset = 0;
	int more = 0, error = 0;

	list_init(&u.links);
	while (!error && (more = cpio_next(u.archive, size, &offset, &e)) > 0) {
		if (e.trailer)
			forget_links(&u);
		else
			error = unpack_entry(&u, &e);
		release_up_to(&u, MIN(ALIGN_DOWN(start + offset, PAGE_SIZE), start + size));
	}
	forget_links(&u);
	if (more < 0) {
		pr_err("initramfs: not a cpio entry at offset %lu of %lu\n", offset, size);
		error = more;
	}
	release_up_to(&u, ALIGN_UP(start + size, PAGE_SIZE));
	pr_info("initramfs: %lu entries, %lu frames taken over, %lu files copied\n", u.files,
		u.claimed, u.copied);
	if (devfs_mount_early() != 0)
		pr_warn("cannot mount /dev\n");
	return error;
}
