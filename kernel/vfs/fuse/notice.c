/* SPDX-License-Identifier: MIT */
/*
 * notice.c - what a daemon tells unasked: names and contents that changed behind us, data for the cache, a request for
 * data from the cache, a file that is ready.
 *
 * The caller is the daemon. Nothing here may wait for an answer of it: names are changed under the cache's own lock,
 * never under a directory's, and only pages that are there are looked at.
 */
#include <tessera/backing.h>
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

#define REPLIES_MAX (2u * FUSE_PAGES_MAX * PAGE_SIZE) /* bytes of cached data that wait to be read by the daemon */

/* What a reply is counted as, small ones too. */
static uint32_t
reply_weight(const struct fuse_request *r)
{
	return (uint32_t)(r->data_size + PAGE_SIZE);
}

/* The notice's struct, alone or with more behind it. */
static int
take(struct iov_iter *from, void *out, size_t size, bool alone)
{
	if (from->count < size || (alone && from->count != size))
		return -EINVAL;
	return iov_copy_from(out, from, size) == size ? 0 : -EFAULT;
}

static int
poll_notice(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_poll n;
	int error = take(from, &n, sizeof(n), true);

	if (!error)
		fuse_poll_wake(c, n.kh);
	return error;
}

static int
inval_inode(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_inval_inode n;
	int error = take(from, &n, sizeof(n), true);
	struct inode *i;

	if (error)
		return error;
	i = fuse_node_find(c, n.node);
	if (!i)
		return -ENOENT;
	fuse_node_stale(i);
	fuse_acl_stale(i);
	if (n.offset >= 0 && i->object) {
		uint64_t end = n.length <= 0 ? UINT64_MAX : (uint64_t)n.offset + (uint64_t)n.length;

		/* What a program changed by a mapping and was not written yet stays. */
		object_drop_clean(i->object, (uint64_t)n.offset, end);
	}
	if (n.offset >= 0)
		fuse_link_stale(i);
	inode_put(i);
	return 0;
}

/* --- names ---------------------------------------------------------------------------------------------- */

/* The name behind a notice's struct, to be freed. ERR_PTR. */
static char *
take_name(struct iov_iter *from, uint32_t length)
{
	char *name;

	if (length > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	if (length == 0 || from->count != length + 1)
		return ERR_PTR(-EINVAL);
	name = kmalloc(length + 1, 0);
	if (!name)
		return ERR_PTR(-ENOMEM);
	if (iov_copy_from(name, from, length + 1) != length + 1) {
		kfree(name);
		return ERR_PTR(-EFAULT);
	}
	name[length] = '\0';
	return name;
}

/* The cached `name` in the directory `parent`, with a reference; *dir: its inode, with one. */
static int
find_entry(struct fuse_connection *c, uint64_t parent, const char *name, struct inode **dir, struct dentry **out)
{
	struct inode *i = fuse_node_find(c, parent);
	struct dentry *d = NULL;
	int error = -ENOENT;

	*out = NULL;
	if (!i)
		return -ENOENT;
	if (!S_ISDIR(i->mode)) {
		error = -ENOTDIR;
	} else {
		d = inode_alias(i);
		if (d)
			*out = dentry_find(d, name, strlen(name));
		dentry_put(d);
	}
	if (!*out) {
		inode_put(i);
		return error;
	}
	*dir = i;
	return 0;
}

static int
forget_entry(struct fuse_connection *c, uint64_t parent, const char *name, bool expire)
{
	struct inode *dir;
	struct dentry *d;
	int error = find_entry(c, parent, name, &dir, &d);

	if (error)
		return error;
	fuse_node_stale(dir);
	if (expire || READ_ONCE(d->mounted))
		WRITE_ONCE(d->expires, 0); /* what is mounted there stays; the name is asked for again */
	else
		dentry_drop(d);
	if (d->inode)
		fuse_node_stale(d->inode);
	dentry_put(d);
	inode_put(dir);
	return 0;
}

void
fuse_entry_stale(struct fuse_connection *c, uint64_t parent, const char *name)
{
	struct inode *dir = fuse_node_find(c, parent);

	if (!dir)
		return;
	fuse_node_stale(dir);
	inode_put(dir);
	(void)forget_entry(c, parent, name, true);
}

static int
inval_entry(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_inval_entry n;
	int error = take(from, &n, sizeof(n), false);
	char *name;

	if (error)
		return error;
	name = take_name(from, n.length);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	error = forget_entry(c, n.parent, name, n.flags & FUSE_EXPIRE_ONLY);
	kfree(name);
	return error;
}

/* The daemon has removed `child`. */
static int
entry_deleted(struct fuse_connection *c, uint64_t parent, uint64_t child, const char *name)
{
	struct inode *dir;
	struct dentry *d;
	int error = find_entry(c, parent, name, &dir, &d);

	if (error)
		return error;
	if (READ_ONCE(d->mounted))
		error = -EBUSY;
	else if (!d->inode || fuse_node_of(d->inode)->id != child)
		error = -ENOENT;
	if (error == -ENOENT) /* one of us is wrong about it */
		dentry_drop(d);
	if (!error) {
		fuse_node_stale(dir);
		if (S_ISDIR(d->inode->mode))
			WRITE_ONCE(d->inode->links, 0);
		else if (d->inode->links > 0)
			WRITE_ONCE(d->inode->links, d->inode->links - 1);
		dentry_drop(d);
		if (S_ISDIR(d->inode->mode))
			dentry_prune(d);
	}
	dentry_put(d);
	inode_put(dir);
	return error;
}

static int
delete_entry(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_delete n;
	int error = take(from, &n, sizeof(n), false);
	char *name;

	if (error)
		return error;
	name = take_name(from, n.length);
	if (IS_ERR(name))
		return (int)PTR_ERR(name);
	error = entry_deleted(c, n.parent, n.child, name);
	kfree(name);
	return error;
}

/* --- contents ------------------------------------------------------------------------------------------- */

/* A page that is not there yet, whole or up to the end of the file. */
static void
insert_page(struct memory_object *o, uint64_t offset, const void *data, size_t n)
{
	struct page *p;

	if (offset % PAGE_SIZE || (n < PAGE_SIZE && offset + n < READ_ONCE(o->size)))
		return;
	p = page_alloc(0, ALLOC_ZERO | ALLOC_USER);
	if (!p)
		return;
	memcpy(page_to_virt(p), data, n);
	if (object_insert_page(o, offset / PAGE_SIZE, p))
		page_put(p);
}

static int
store_data(struct inode *i, uint64_t offset, size_t size, struct iov_iter *from)
{
	struct memory_object *o = i->object;
	uint64_t end = offset + size;
	char *buf = kmalloc(PAGE_SIZE, 0);
	int error = 0;

	if (!buf)
		return -ENOMEM;
	if (end > READ_ONCE(o->size))
		fuse_wrote(i, end);
	while (size > 0 && !error) {
		size_t n = MIN(size, PAGE_SIZE - offset % PAGE_SIZE);

		if (iov_copy_from(buf, from, n) != n) {
			error = -EFAULT;
			break;
		}
		object_update(o, offset, buf, n);
		insert_page(o, offset, buf, n);
		offset += n;
		size -= n;
	}
	kfree(buf);
	return error;
}

static int
store(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_store n;
	int error = take(from, &n, sizeof(n), false);
	struct inode *i;

	if (error)
		return error;
	if (from->count != n.size || n.offset > (uint64_t)INT64_MAX - n.size)
		return -EINVAL;
	i = fuse_node_find(c, n.node);
	if (!i)
		return -ENOENT;
	error = i->object ? store_data(i, n.offset, n.size, from) : -EINVAL;
	inode_put(i);
	return error;
}

/* The daemon has read what it wanted to have, or will not. */
static void
reply_done(struct fuse_request *r)
{
	atomic_sub(&r->conn->replies, reply_weight(r));
}

/* `n` bytes that are cached, in memory of just that size; NULL: none, or no memory. */
static void *
copy_cached(struct inode *i, uint64_t offset, size_t size, size_t *n)
{
	void *room = kvmalloc(size), *data = NULL;
	struct iov_iter it;
	ssize_t got;

	*n = 0;
	if (!room)
		return NULL;
	iov_iter_kernel(&it, room, size);
	got = object_read(i->object, NULL, offset, READ_ONCE(i->object->size), &it, RW_NOWAIT);
	if (got > 0)
		data = kvmalloc((size_t)got);
	if (data) {
		*n = (size_t)got;
		memcpy(data, room, *n);
	}
	kvfree(room);
	return data;
}

/*
 * What is cached of [offset, offset + size) as an answer that is a request: NOTIFY_REPLY. A daemon that asks and does
 * not read fills no memory: -ENOMEM when what waits for it is too much.
 */
static int
send_cached(struct fuse_connection *c, struct inode *i, const struct fuse_notice_retrieve *n)
{
	size_t most = MIN((size_t)c->max_write, (size_t)c->max_pages * PAGE_SIZE), size = MIN((size_t)n->size, most);
	struct fuse_retrieve_in in = { .offset = n->offset };
	struct fuse_request *r;

	if (atomic_load(&c->replies) >= REPLIES_MAX)
		return -ENOMEM;
	r = fuse_request_make(c, FUSE_NOTIFY_REPLY, n->node, &in, sizeof(in), NULL, NULL);
	if (!r)
		return -ENOMEM;
	if (size)
		r->data = copy_cached(i, n->offset, size, &r->data_size);
	((struct fuse_retrieve_in *)r->args)->size = (uint32_t)r->data_size;
	atomic_add(&c->replies, reply_weight(r));
	r->end = reply_done;
	fuse_request_force(r);
	r->no_answer = true;
	r->head.unique = n->unique;
	fuse_request_start(r);
	return 0;
}

static int
retrieve(struct fuse_connection *c, struct iov_iter *from)
{
	struct fuse_notice_retrieve n;
	int error = take(from, &n, sizeof(n), true);
	struct inode *i;

	if (error)
		return error;
	i = fuse_node_find(c, n.node);
	if (!i)
		return -ENOENT;
	error = i->object && n.offset <= INT64_MAX ? send_cached(c, i, &n) : -EINVAL;
	inode_put(i);
	return error;
}

static int
notice_of(struct fuse_connection *c, int kind, struct iov_iter *from)
{
	switch (kind) {
	case FUSE_NOTICE_POLL:
		return poll_notice(c, from);
	case FUSE_NOTICE_INVAL_INODE:
		return inval_inode(c, from);
	case FUSE_NOTICE_INVAL_ENTRY:
		return inval_entry(c, from);
	case FUSE_NOTICE_STORE:
		return store(c, from);
	case FUSE_NOTICE_RETRIEVE:
		return retrieve(c, from);
	case FUSE_NOTICE_DELETE:
		return delete_entry(c, from);
	}
	return -EINVAL;
}

/* Inodes are used: the file system is not unmounted meanwhile. */
int
fuse_notice(struct fuse_connection *c, int kind, struct iov_iter *from)
{
	int error = -ENOENT;

	read_lock(&c->alive);
	if (c->fs || kind == FUSE_NOTICE_POLL)
		error = notice_of(c, kind, from);
	read_unlock(&c->alive);
	return error;
}
