/* SPDX-License-Identifier: MIT */
/*
 * node.c - the daemon's nodes as inodes: one inode for each id, found by a tree; their attributes as last told.
 *
 * An inode counts the answers that named it (lookups) and gives the counts back when it goes. The daemon may use an id
 * again for another file once it has got all counts back; if it does so before, or answers with another kind of file, the old
 * inode is bad: every call on it fails with EIO, and a new inode takes its place.
 *
 * Attributes come with a time until which they may be believed. Calls that change something here (a write, a
 * truncation) take the next number of conn->attr_version; an answer that was asked for before a change does not
 * overwrite what the change left.
 *
 * A directory's inode->links says only whether it lives, for path walks stop in one that has none, and a daemon may tell
 * any number. stat tells the daemon's.
 */
#include <tessera/backing.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/pipe.h>
#include <tessera/posix_acl.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

uint64_t
fuse_deadline(uint64_t seconds, uint32_t ns)
{
	uint64_t wait, until;

	if (seconds == 0 && ns == 0)
		return 0;
	if (__builtin_mul_overflow(seconds, NSEC_PER_SEC, &wait) ||
	    __builtin_add_overflow(wait, MIN((uint64_t)ns, NSEC_PER_SEC - 1), &wait) ||
	    __builtin_add_overflow(wait, clock_monotonic_ns(), &until))
		return UINT64_MAX;
	return until;
}

static bool
is_kind(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
	       S_ISSOCK(mode);
}

bool
fuse_attr_is_valid(const struct fuse_attr *a)
{
	return is_kind(a->mode) && a->size <= INT64_MAX;
}

uint64_t
fuse_change_begin(struct fuse_connection *c)
{
	return atomic_add_fetch(&c->attr_version, 1);
}

/* --- the tree ----------------------------------------------------------------------------------------- */

static struct fuse_node *
find_locked(struct fuse_connection *c, uint64_t id)
{
	struct rb_node *at = c->nodes.root;

	while (at) {
		struct fuse_node *n = container_of(at, struct fuse_node, tree_node);

		if (n->id == id)
			return n;
		at = id < n->id ? at->left : at->right;
	}
	return NULL;
}

static void
erase_locked(struct fuse_connection *c, struct fuse_node *n)
{
	if (!n->in_tree)
		return;
	rb_erase(&c->nodes, &n->tree_node);
	n->in_tree = false;
	c->node_count--;
}

static void
insert_locked(struct fuse_connection *c, struct fuse_node *n)
{
	struct rb_node **link = &c->nodes.root, *parent = NULL;

	while (*link) {
		parent = *link;
		link = n->id < container_of(parent, struct fuse_node, tree_node)->id ? &parent->left : &parent->right;
	}
	rb_insert(&c->nodes, &n->tree_node, parent, link);
	n->in_tree = true;
	c->node_count++;
}

/* The living inode of `id` with a reference. One that is dying leaves the tree for its successor. */
static struct inode *
get_locked(struct fuse_connection *c, uint64_t id)
{
	struct fuse_node *n = find_locked(c, id);

	if (!n)
		return NULL;
	if (ref_get_unless_zero(&n->inode->refs))
		return n->inode;
	erase_locked(c, n);
	return NULL;
}

struct inode *
fuse_node_find(struct fuse_connection *c, uint64_t id)
{
	struct inode *i;

	spin_lock(&c->nodes_lock);
	i = get_locked(c, id);
	spin_unlock(&c->nodes_lock);
	return i;
}

/* --- attributes --------------------------------------------------------------------------------------- */

void
fuse_node_stale(struct inode *i)
{
	struct fuse_node *n = fuse_node_of(i);

	spin_lock(&n->lock);
	n->attr_version = n->stale_version = fuse_change_begin(fuse_of(i));
	WRITE_ONCE(n->valid_until, 0);
	spin_unlock(&n->lock);
}

bool
fuse_node_is_bad(const struct inode *i)
{
	return READ_ONCE(fuse_node_of(i)->bad);
}

void
fuse_node_bad(struct inode *i)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_node *n = fuse_node_of(i);
	struct fuse_file *keeper;

	WRITE_ONCE(n->bad, true);
	spin_lock(&c->nodes_lock);
	erase_locked(c, n);
	spin_unlock(&c->nodes_lock);
	spin_lock(&n->lock);
	keeper = n->keeper;
	n->keeper = NULL;
	spin_unlock(&n->lock);
	if (keeper)
		fuse_file_put(keeper);
	fuse_complain(c, "a node is not the file that it was", n->id);
}

static struct timespec64
time_of(uint64_t seconds, uint32_t ns)
{
	return (struct timespec64){ (int64_t)seconds, (int64_t)MIN((uint64_t)ns, NSEC_PER_SEC - 1) };
}

/* Linux's device numbers of 32 bits. */
static dev_t
device_of(uint32_t d)
{
	return DEV((d & 0xfff00) >> 8, (d & 0xff) | (d >> 12 & 0xfff00));
}

/* What the rest of the kernel reads. n->lock is held. */
static void
apply_locked(struct inode *i, const struct fuse_attr *a)
{
	const struct fuse_connection *c = fuse_of(i);
	const struct user_namespace *ns = c->user_ns;
	mode_t mode = (i->mode & S_IFMT) | (a->mode & 07777);

	/* The daemon judges who may delete, unless it left that to us. */
	if (!c->default_permissions)
		mode &= ~S_ISVTX;
	WRITE_ONCE(i->mode, mode);
	WRITE_ONCE(i->uid, id_map_in(ns, &ns->uids, a->uid));
	WRITE_ONCE(i->gid, id_map_in(ns, &ns->gids, a->gid));
	if (!S_ISDIR(mode))
		WRITE_ONCE(i->links, a->links);
	WRITE_ONCE(i->number, a->ino);
	i->accessed = time_of(a->atime, a->atime_ns);
	if (!fuse_keeps_writes(i)) {
		i->modified = time_of(a->mtime, a->mtime_ns);
		i->changed = time_of(a->ctime, a->ctime_ns);
	}
	if (!i->object)
		i->size = a->size;
}

/*
 * The contents changed behind us: cached pages are dropped, but those that a mapping has changed. It may also have been
 * us, by a truncation or a write that the daemon now tells of. No spinlock is held.
 */
static void
contents_changed(struct inode *i, bool shorter, bool same_size, bool newer)
{
	const struct fuse_connection *c = fuse_of(i);

	/* A write may have made it longer since: what that left in the pages stays. */
	if (shorter)
		object_drop_behind(i->object);
	if ((!same_size && !fuse_has(c, FUSE_EXPLICIT_INVAL_DATA)) || (newer && fuse_has(c, FUSE_AUTO_INVAL_DATA)))
		object_drop_clean(i->object, 0, UINT64_MAX);
}

bool
fuse_node_update(struct inode *i, const struct fuse_attr *a, uint64_t valid_until, uint64_t version)
{
	struct fuse_node *n = fuse_node_of(i);
	bool newer, fresh, sized = i->object && !fuse_keeps_writes(i);
	uint64_t size = a->size;

	spin_lock(&n->lock);
	if (version && n->attr_version > version) {
		/* It was asked for before a change here: believed in nothing but what no change here touches. */
		WRITE_ONCE(n->valid_until, 0);
		fresh = n->stale_version <= version;
		spin_unlock(&n->lock);
		return fresh;
	}
	newer = a->mtime != n->attr.mtime || a->mtime_ns != n->attr.mtime_ns;
	n->attr = *a;
	n->attr_version = atomic_load(&fuse_of(i)->attr_version);
	n->stale_times = false;
	apply_locked(i, a);
	WRITE_ONCE(n->valid_until, valid_until);
	if (sized) {
		size = READ_ONCE(i->object->size);
		atomic_store(&i->object->size, a->size);
	}
	spin_unlock(&n->lock);
	if (sized)
		contents_changed(i, a->size < size, size == a->size, newer);
	return true;
}

/* --- birth and death ---------------------------------------------------------------------------------- */

static void
set_kind(struct inode *i, const struct fuse_attr *a)
{
	switch (i->mode & S_IFMT) {
	case S_IFREG:
		i->ops = &fuse_file_inode_ops;
		i->file_ops = &fuse_file_ops;
		break;
	case S_IFDIR:
		i->ops = &fuse_dir_ops;
		i->file_ops = &fuse_dir_file_ops;
		break;
	case S_IFLNK:
		i->ops = &fuse_link_ops;
		break;
	default:
		i->ops = &fuse_special_ops;
		i->rdev = device_of(a->rdev);
	}
}

/* An inode that nobody can find yet. NULL: no memory. */
static struct inode *
create(struct filesystem *fs, uint64_t id, uint64_t generation, const struct fuse_attr *a)
{
	struct fuse_connection *c = fs->private;
	struct fuse_node *n = kzalloc(sizeof(*n));
	struct fuse_forget *forget = kmalloc(sizeof(*forget), 0);
	struct memory_object *o = n && S_ISREG(a->mode) ? fuse_object_create(c, a->size) : NULL;
	struct inode *i = n && forget && (o || !S_ISREG(a->mode)) ? inode_create(fs, a->mode & S_IFMT) : NULL;

	if (!i) {
		if (o)
			object_put(o);
		kfree(forget);
		kfree(n);
		return NULL;
	}
	spin_init(&n->lock, LOCK_FUSE_NODE);
	mutex_init(&n->asking, LOCK_FUSE_ASKING);
	n->id = id;
	n->generation = generation;
	n->inode = i;
	n->forget = forget;
	n->attr = *a;
	list_init(&n->files);
	i->private = n;
	i->object = o;
	if (o)
		o->inode = i;
	set_kind(i, a);
	i->modified = i->changed = time_of(a->mtime, a->mtime_ns);
	apply_locked(i, a);
	return i;
}

static bool
is_other(const struct inode *i, const struct fuse_entry_out *e)
{
	return fuse_node_of(i)->generation != e->generation || ((i->mode ^ e->attr.mode) & S_IFMT);
}

/* The inode of e->node, and one more look-up counted. NULL: no memory, the count is not taken. */
static struct inode *
get_or_create(struct filesystem *fs, const struct fuse_entry_out *e)
{
	struct fuse_connection *c = fs->private;
	struct inode *fresh = NULL, *i;

	for (;;) {
		spin_lock(&c->nodes_lock);
		i = get_locked(c, e->node);
		if (!i && fresh) {
			insert_locked(c, fuse_node_of(fresh));
			i = fresh;
			fresh = NULL;
		}
		spin_unlock(&c->nodes_lock);
		if (i && is_other(i, e)) {
			fuse_node_bad(i);
			inode_put(i);
			continue;
		}
		if (i)
			break;
		fresh = create(fs, e->node, e->generation, &e->attr);
		if (!fresh)
			return NULL;
	}
	if (fresh)
		inode_put(fresh);
	spin_lock(&fuse_node_of(i)->lock);
	fuse_node_of(i)->lookups++;
	spin_unlock(&fuse_node_of(i)->lock);
	return i;
}

struct inode *
fuse_node_try(struct filesystem *fs, const struct fuse_entry_out *e, uint64_t version)
{
	struct inode *i;

	if (e->node == 0 || e->node == FUSE_ROOT_ID || !fuse_attr_is_valid(&e->attr)) {
		fuse_complain(fs->private, "an answer names no possible file", e->node);
		return ERR_PTR(-EIO);
	}
	i = get_or_create(fs, e);
	if (!i)
		return ERR_PTR(-ENOMEM);
	fuse_node_update(i, &e->attr, fuse_deadline(e->attr_valid, e->attr_valid_ns), version);
	return i;
}

struct inode *
fuse_node_get(struct filesystem *fs, const struct fuse_entry_out *e, uint64_t version)
{
	struct inode *i = fuse_node_try(fs, e, version);

	if (IS_ERR(i))
		fuse_forget_one(fs->private, e->node, 1);
	return i;
}

void
fuse_node_uncount(struct inode *i)
{
	struct fuse_node *n = fuse_node_of(i);

	spin_lock(&n->lock);
	n->lookups--;
	spin_unlock(&n->lock);
}

static struct fuse_file *
any_keeper(struct fuse_connection *c)
{
	struct fuse_file *ff = NULL;
	struct rb_node *at;

	spin_lock(&c->nodes_lock);
	for (at = rb_first(&c->nodes); at && !ff; at = rb_next(at)) {
		struct fuse_node *n = container_of(at, struct fuse_node, tree_node);

		spin_lock(&n->lock);
		ff = n->keeper;
		n->keeper = NULL;
		spin_unlock(&n->lock);
	}
	spin_unlock(&c->nodes_lock);
	return ff;
}

void
fuse_nodes_drop_keepers(struct fuse_connection *c)
{
	struct fuse_file *ff;

	while ((ff = any_keeper(c)) != NULL)
		fuse_file_put(ff);
}

struct inode *
fuse_node_root(struct filesystem *fs, mode_t mode)
{
	struct fuse_attr a = { .mode = mode, .ino = FUSE_ROOT_ID, .links = 1 };
	struct fuse_connection *c = fs->private;
	struct inode *i = create(fs, FUSE_ROOT_ID, 0, &a);

	if (!i)
		return NULL;
	spin_lock(&c->nodes_lock);
	insert_locked(c, fuse_node_of(i));
	spin_unlock(&c->nodes_lock);
	return i;
}

void
fuse_node_evict(struct inode *i)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_node *n = fuse_node_of(i);

	spin_lock(&c->nodes_lock);
	erase_locked(c, n);
	spin_unlock(&c->nodes_lock);
	if (S_ISFIFO(i->mode))
		fifo_inode_gone(i);
	fuse_forget_queue(c, n->forget, n->id, n->lookups);
	kfree(n->link);
	kfree(n);
	i->private = NULL;
}
