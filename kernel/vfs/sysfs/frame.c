/* SPDX-License-Identifier: MIT */
/*
 * frame.c - sysfs as a file system: inodes made from the nodes of the tree at each look-up.
 *
 * There is one instance. Names are not kept once unused; a name in use is checked again before it is believed.
 * Nothing but removal by its owner takes a node away, and programs add none.
 *
 * Directory positions: 2 + n for attribute n, NODE_POSITION + id for a node.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "../text_file.h"
#include "../vfs.h"
#include "sysfs.h"

#define SYSFS_MAGIC   0x62656572
#define FILE_SIZE     4096       /* what stat says of every file, and the most that a write takes */
#define NODE_POSITION 4096

/* inode->private. [I]; `node` is a reference */
struct place {
	struct sysfs_node *node;                /* the directory or link, or the directory that the file is in */
	const struct sysfs_attribute *attribute; /* NULL: the node itself */
	uint32_t number;                        /* of the attribute in its directory */
};

static const struct inode_ops dir_ops, file_inode_ops, link_ops;
static const struct file_ops dir_file_ops, text_file_ops, bytes_file_ops;

static const struct place *
place_of(const struct inode *i)
{
	return i->private;
}

/* Attributes of a directory stand behind it: see sysfs_find_attribute_locked(). The root's is 1. */
static ino_t
inode_number(const struct place *p)
{
	return (p->node->id << 16 | (p->attribute ? p->number + 1 : 0)) + 1;
}

static mode_t
mode_of(const struct place *p)
{
	if (p->attribute)
		return S_IFREG | p->attribute->mode;
	return p->node->target ? S_IFLNK | 0777 : S_IFDIR | 0755;
}

/* An inode of this place; takes a reference to the node. NULL: no memory. */
static struct inode *
create_inode(struct filesystem *fs, const struct place *from)
{
	mode_t mode = mode_of(from);
	struct place *p = kmemdup(from, sizeof(*from));
	struct inode *i = p ? inode_create(fs, mode) : NULL;

	if (!i) {
		kfree(p);
		return NULL;
	}
	sysfs_node_get(p->node);
	i->private = p;
	i->number = inode_number(p);
	i->uid = i->gid = 0;
	switch (mode & S_IFMT) {
	case S_IFDIR:
		i->ops = &dir_ops;
		i->file_ops = &dir_file_ops;
		i->links = 2 + p->node->directories;
		break;
	case S_IFLNK:
		i->ops = &link_ops;
		break;
	default:
		i->ops = &file_inode_ops;
		i->file_ops = p->attribute->bytes ? &bytes_file_ops : &text_file_ops;
		i->size = p->attribute->bytes ? p->attribute->bytes->size(p->node->object, p->attribute->index)
					      : FILE_SIZE;
	}
	return i;
}

static void
place_evict(struct inode *i)
{
	struct place *p = i->private;

	sysfs_node_put(p->node);
	kfree(p);
}

static int
dir_lookup(struct inode *dir, struct dentry *d)
{
	struct sysfs_node *n = place_of(dir)->node;
	struct place p = { 0 };
	struct inode *i = NULL;
	int error = 0; /* absent: a negative name, which is not believed the next time */

	read_lock(&sysfs_lock);
	if (!n->removed) {
		p.attribute = sysfs_find_attribute_locked(n, d->name, d->length, &p.number);
		p.node = p.attribute ? n : sysfs_find_locked(n, d->name, d->length);
	}
	if (p.node) {
		i = create_inode(dir->fs, &p);
		error = i ? 0 : -ENOMEM;
	}
	read_unlock(&sysfs_lock);
	if (i)
		dentry_attach(d, i);
	return error;
}

static bool
dir_revalidate(struct dentry *d)
{
	return d->inode && !READ_ONCE(place_of(d->inode)->node->removed);
}

static int
dir_attributes(struct inode *i, struct file_stat *st)
{
	inode_stat(i, st);
	st->links = 2 + READ_ONCE(place_of(i)->node->directories);
	return 0;
}

/* Emit the attributes from ctx->position on. False: full. */
static bool
emit_attributes(struct sysfs_node *n, struct dir_context *ctx)
{
	loff_t position = 2;

	for (uint32_t table = 0; table < SYSFS_TABLES; table++) {
		const struct sysfs_attribute *a = n->tables[table];

		for (uint32_t i = 0; a && a[i].name; i++, position++) {
			struct place p = { n, &a[i], table << 8 | i };

			if (ctx->position > position || !sysfs_is_visible(n, &a[i]))
				continue;
			if (!ctx->emit(ctx, a[i].name, strlen(a[i].name), position + 1, inode_number(&p),
				       S_IFREG >> 12))
				return false;
			ctx->position = position + 1;
		}
	}
	return true;
}

static int
dir_readdir(struct file *f, struct dir_context *ctx)
{
	struct sysfs_node *n = place_of(f->inode)->node, *child;

	if (!directory_emit_dots(f, ctx))
		return 0;
	read_lock(&sysfs_lock);
	if (!emit_attributes(n, ctx))
		goto out;
	list_for_each(child, &n->children, sibling) {
		struct place p = { .node = child };
		loff_t next = NODE_POSITION + (loff_t)child->id + 1;

		if (ctx->position >= next)
			continue;
		if (!ctx->emit(ctx, child->name, strlen(child->name), next, inode_number(&p), mode_of(&p) >> 12))
			goto out;
		ctx->position = next;
	}
out:
	read_unlock(&sysfs_lock);
	return 0;
}

static ssize_t
link_readlink(struct inode *i, char *buf, size_t size)
{
	struct sysfs_node *n = place_of(i)->node;
	char *text = kmalloc(PATH_MAX, 0);
	ssize_t length;

	if (!text)
		return -ENOMEM;
	read_lock(&sysfs_lock);
	length = n->removed ? -ENOENT : sysfs_link_text_locked(n, text, PATH_MAX);
	read_unlock(&sysfs_lock);
	if (length > 0) {
		length = (ssize_t)MIN((size_t)length, size);
		memcpy(buf, text, (size_t)length);
	}
	kfree(text);
	return length;
}

/* Owners and modes are the kernel's to say. */
static int
set_attributes(struct inode *i, const struct inode_change *c)
{
	return c->what & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

/* --- files ------------------------------------------------------------------------------------------- */

/* Who may pass over the mode bits cannot make a file writable that takes nothing, or readable that says nothing. */
static int
file_open(struct inode *i, struct file *f)
{
	const struct sysfs_attribute *a = place_of(i)->attribute;

	if ((f->mode & FILE_READ) && (!(a->mode & 0444) || !(a->show || a->bytes)))
		return -EACCES;
	if ((f->mode & FILE_WRITE) && (!(a->mode & 0222) || !(a->store || a->change || a->bytes)))
		return -EACCES;
	if (a->bytes)
		return 0;
	return text_file_open(i, f);
}

static int
make_text(struct file *f, struct text *out)
{
	const struct place *p = place_of(f->inode);
	int error;

	read_lock(&sysfs_lock);
	error = p->node->removed ? -ENODEV : p->attribute->show(out, p->node->object);
	read_unlock(&sysfs_lock);
	return error;
}

static ssize_t
text_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return text_file_read(f, f->private, make_text, to, pos);
}

/* What the attribute does with n > 0 bytes. */
static ssize_t
store(const struct place *p, char *data, size_t n)
{
	const struct sysfs_attribute *a = p->attribute;
	void *object = p->node->object;
	ssize_t result;

	read_lock(&sysfs_lock);
	if (p->node->removed) {
		read_unlock(&sysfs_lock);
		return -ENODEV;
	}
	if (!a->change) {
		result = a->store(object, data, n);
		read_unlock(&sysfs_lock);
		return result;
	}
	if (a->hold)
		a->hold(object);
	read_unlock(&sysfs_lock);
	result = a->change(object, data, n);
	if (a->drop)
		a->drop(object);
	return result;
}

static ssize_t
text_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	const struct place *p = place_of(f->inode);
	size_t n = MIN(from->count, (size_t)FILE_SIZE);
	char *data = kmalloc(FILE_SIZE + 1, 0);
	ssize_t result = -EFAULT;

	if (!data)
		return -ENOMEM;
	if (iov_copy_from(data, from, n) < n)
		goto out;
	data[n] = '\0';
	result = n ? store(p, data, n) : 0;
	if (result > 0)
		*pos += result;
out:
	kfree(data);
	return result;
}

/* --- files of bytes ---------------------------------------------------------------------------------- */

/* How many of `n` bytes from `at` on are inside the file: 0, it ends before. */
static size_t
inside(const struct place *p, uint64_t at, size_t n)
{
	uint64_t size = p->attribute->bytes->size(p->node->object, p->attribute->index);

	n = MIN(n, (size_t)PAGE_SIZE);
	return at >= size ? 0 : MIN(n, (size_t)(size - at));
}

static ssize_t
bytes_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	const struct place *p = place_of(f->inode);
	const struct sysfs_attribute *a = p->attribute;
	void *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t n = -ENODEV;

	if (!buf)
		return -ENOMEM;
	read_lock(&sysfs_lock);
	if (!p->node->removed) {
		n = (ssize_t)inside(p, (uint64_t)*pos, to->count);
		if (n > 0)
			n = a->bytes->read ? a->bytes->read(f, p->node->object, a->index, buf, (size_t)n,
							    (uint64_t)*pos)
					   : -EIO;
	}
	read_unlock(&sysfs_lock);
	if (n > 0 && iov_copy_to(to, buf, (size_t)n) < (size_t)n)
		n = -EFAULT;
	if (n > 0)
		*pos += n;
	kfree(buf);
	return n;
}

static ssize_t
bytes_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	const struct place *p = place_of(f->inode);
	const struct sysfs_attribute *a = p->attribute;
	size_t wanted = MIN(from->count, (size_t)PAGE_SIZE);
	void *buf = kmalloc(PAGE_SIZE, 0);
	ssize_t n = -EFAULT;

	if (!buf)
		return -ENOMEM;
	if (iov_copy_from(buf, from, wanted) < wanted)
		goto free_buf;
	read_lock(&sysfs_lock);
	n = -ENODEV;
	if (!p->node->removed) {
		n = (ssize_t)inside(p, (uint64_t)*pos, wanted);
		if (n > 0)
			n = a->bytes->write ? a->bytes->write(f, p->node->object, a->index, buf, (size_t)n,
							      (uint64_t)*pos)
					    : -EIO;
	}
	read_unlock(&sysfs_lock);
	if (n > 0)
		*pos += n;
free_buf:
	kfree(buf);
	return n;
}

static int
bytes_mmap(struct file *f, uint64_t offset, size_t length, uint32_t *flags, struct memory_object **out)
{
	const struct place *p = place_of(f->inode);
	const struct sysfs_attribute *a = p->attribute;
	int error = -ENODEV;

	if (!a->bytes->mmap)
		return -ENODEV;
	read_lock(&sysfs_lock);
	if (!p->node->removed)
		error = a->bytes->mmap(f, p->node->object, a->index, offset, length, flags, out);
	read_unlock(&sysfs_lock);
	return error;
}

static const struct file_ops bytes_file_ops = {
	.name = "sysfs bytes",
	.read = bytes_read,
	.write = bytes_write,
	.mmap = bytes_mmap,
};

static const struct file_ops text_file_ops = {
	.name = "sysfs",
	.read = text_read,
	.write = text_write,
	.seek = seek_without_end,
	.release = text_file_release,
};

static const struct file_ops dir_file_ops = {
	.name = "sysfs directory",
	.read = directory_read,
	.seek = seek_without_end,
	.readdir = dir_readdir,
	.sync = directory_sync,
};

static const struct inode_ops dir_ops = {
	.name = "sysfs directory",
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
	.get_attributes = dir_attributes,
	.set_attributes = set_attributes,
	.evict = place_evict,
};

static const struct inode_ops file_inode_ops = {
	.name = "sysfs file",
	.open = file_open,
	.set_attributes = set_attributes,
	.evict = place_evict,
};

static const struct inode_ops link_ops = {
	.name = "sysfs link",
	.readlink = link_readlink,
	.evict = place_evict,
};

static int
sysfs_mount(struct filesystem *fs, const char *source, const char *options)
{
	struct place p = { .node = &sysfs_root };
	struct inode *root = create_inode(fs, &p);

	if (!root)
		return -ENOMEM;
	fs->root = dentry_create_root(fs, root);
	if (!fs->root) {
		inode_put(root);
		return -ENOMEM;
	}
	return 0;
}

static int
sysfs_remount(struct filesystem *fs, const char *options)
{
	return 0;
}

static struct filesystem_type sysfs_type = {
	.name = "sysfs",
	.magic = SYSFS_MAGIC,
	.no_device = true,
	.single = true,
	.no_cache = true,
	.mount = sysfs_mount,
	.remount = sysfs_remount,
};

void
sysfs_init(void)
{
	rwlock_init(&sysfs_lock, LOCK_SYSFS);
	filesystem_register(&sysfs_type);
	sysfs_add_machine();
	sysfs_add_processors();
	sysfs_add_memory();
}
