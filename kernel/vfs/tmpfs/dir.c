/* SPDX-License-Identifier: MIT */
/*
 * dir.c - directories of tmpfs: two trees over the same entries, by name and by position.
 *
 * An entry's position is given once and never again in that directory, so getdents can go on after
 * the entry it stopped at was removed.
 *
 * The way back, from an inode to its names, is for file handles: each inode's list of entries, under one
 * spinlock for all, because an entry changes hands when names do.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tmpfs.h"

static struct spinlock names_lock = SPINLOCK_INIT(INODE_CACHE);

static uint32_t
hash_name(const char *name, size_t length)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (uint8_t)name[i]) * 16777619u;
	return h;
}

/* The order of by_name: hash, length, bytes. */
static int
compare(const struct tmpfs_entry *e, uint32_t hash, const char *name, size_t length)
{
	if (hash != e->hash)
		return hash < e->hash ? -1 : 1;
	if (length != e->length)
		return length < e->length ? -1 : 1;
	return memcmp(name, e->name, length);
}

struct tmpfs_entry *
tmpfs_entry_find(struct inode *dir, const char *name, size_t length)
{
	struct rb_node *n = tmpfs_inode_of(dir)->by_name.root;
	uint32_t hash = hash_name(name, length);

	while (n) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_name);
		int c = compare(e, hash, name, length);

		if (c == 0)
			return e;
		n = c < 0 ? n->left : n->right;
	}
	return NULL;
}

void
tmpfs_entry_set(struct tmpfs_entry *e, struct inode *i)
{
	spin_lock(&names_lock);
	list_del_init(&e->inode_node);
	e->inode = i;
	list_add_tail(&tmpfs_inode_of(i)->names, &e->inode_node);
	spin_unlock(&names_lock);
}

/* filesystem_type.name_of. An entry on the list lives, and its directory with it, until names_lock was had. */
int
tmpfs_name_of(struct inode *i, struct inode **dir, char *name)
{
	struct tmpfs_entry *e;
	int error = -ENOENT;

	spin_lock(&names_lock);
	list_for_each(e, &tmpfs_inode_of(i)->names, inode_node)
		if (ref_get_unless_zero(&e->dir->refs)) {
			*dir = e->dir;
			memcpy(name, e->name, (size_t)e->length + 1);
			error = 0;
			break;
		}
	spin_unlock(&names_lock);
	return error;
}

int
tmpfs_entry_add(struct inode *dir, const struct dentry *d, struct inode *i)
{
	struct tmpfs_inode *t = tmpfs_inode_of(dir);
	struct tmpfs_entry *e = kzalloc(sizeof(*e) + d->length + 1u);
	struct rb_node **link = &t->by_name.root, *parent = NULL;

	if (!e)
		return -ENOMEM;
	e->length = d->length;
	memcpy(e->name, d->name, d->length);
	e->hash = hash_name(e->name, e->length);
	e->dir = dir;
	list_init(&e->inode_node);
	e->position = t->next_position++;
	while (*link) {
		parent = *link;
		link = compare(container_of(parent, struct tmpfs_entry, by_name), e->hash, e->name,
			       e->length) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&t->by_name, &e->by_name, parent, link);
	/* Positions only grow: the new one goes to the far right. */
	parent = rb_last(&t->by_position);
	rb_insert(&t->by_position, &e->by_position, parent,
		parent ? &parent->right : &t->by_position.root);
	tmpfs_entry_set(e, i);
	dir->size += TMPFS_ENTRY_SIZE;
	return 0;
}

void
tmpfs_entry_remove(struct inode *dir, struct tmpfs_entry *e)
{
	struct tmpfs_inode *t = tmpfs_inode_of(dir);

	rb_erase(&t->by_name, &e->by_name);
	rb_erase(&t->by_position, &e->by_position);
	dir->size -= TMPFS_ENTRY_SIZE;
	spin_lock(&names_lock);
	list_del(&e->inode_node);
	spin_unlock(&names_lock);
	inode_put(e->inode);
	kfree(e);
}

bool
tmpfs_dir_is_empty(const struct inode *dir)
{
	return tmpfs_inode_of(dir)->by_name.root == NULL;
}

/* Free everything below `root`, without recursion: down into the first directory, up when empty. */
void
tmpfs_dir_free_tree(struct inode *root)
{
	struct inode *dir = root;

	for (;;) {
		struct rb_node *n = rb_first(&tmpfs_inode_of(dir)->by_position);
		struct tmpfs_entry *e;

		if (!n) {
			if (dir == root)
				return;
			dir = tmpfs_inode_of(dir)->emptied_from;
			continue;
		}
		e = container_of(n, struct tmpfs_entry, by_position);
		if (S_ISDIR(e->inode->mode) && !tmpfs_dir_is_empty(e->inode)) {
			tmpfs_inode_of(e->inode)->emptied_from = dir;
			dir = e->inode;
			continue;
		}
		e->inode->links = 0;
		tmpfs_entry_remove(dir, e);
	}
}

/* The first entry at or after `position`. */
static struct tmpfs_entry *
find_position(struct inode *dir, loff_t position)
{
	struct rb_node *n = tmpfs_inode_of(dir)->by_position.root;
	struct tmpfs_entry *best = NULL;

	while (n) {
		struct tmpfs_entry *e = container_of(n, struct tmpfs_entry, by_position);

		if (e->position >= position) {
			best = e;
			n = n->left;
		} else {
			n = n->right;
		}
	}
	return best;
}

static int
tmpfs_readdir(struct file *f, struct dir_context *ctx)
{
	struct tmpfs_entry *e;

	if (!directory_emit_dots(f, ctx))
		return 0;
	for (e = find_position(f->inode, ctx->position); e;
	     e = rb_entry(rb_next(&e->by_position), struct tmpfs_entry, by_position)) {
		if (!ctx->emit(ctx, e->name, e->length, e->position + 1, e->inode->number,
			       e->inode->mode >> 12 & 15))
			return 0;
		ctx->position = e->position + 1;
	}
	return 0;
}

const struct file_ops tmpfs_dir_file_ops = {
	.name = "directory",
	.read = directory_read,
	.seek = seek_without_end,
	.readdir = tmpfs_readdir,
	.sync = directory_sync,
};
