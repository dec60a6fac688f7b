/* SPDX-License-Identifier: MIT */
/*
 * names.c - the names in a daemon's directories: look-up, and making, removing, moving them.
 *
 * An answer says until when its name may be believed; dentry->expires keeps that, and a look-up that finds an
 * expired name asks again (revalidate). A name that is told absent with node 0 may be remembered as absent as long;
 * ENOENT is not remembered.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

void
fuse_dentry_until(struct dentry *d, const struct fuse_entry_out *e)
{
	WRITE_ONCE(d->expires, fuse_deadline(e->entry_valid, e->entry_valid_ns));
}

/* --- look-up ------------------------------------------------------------------------------------------ */

int
fuse_ask_alone(struct inode *dir, struct fuse_request *r)
{
	struct fuse_node *n = fuse_node_of(dir);
	int error;

	if (fuse_has(r->conn, FUSE_PARALLEL_DIROPS))
		return fuse_request_call(r);
	error = mutex_lock_killable(&n->asking);
	if (error)
		return error;
	error = fuse_request_call(r);
	mutex_unlock(&n->asking);
	return error;
}

/* Ask for `name` in the directory. 0: *e, e->node 0 where there is none. */
static int
ask(struct inode *dir, const char *name, struct fuse_entry_out *e)
{
	struct fuse_request *r = fuse_request_make(fuse_of(dir), FUSE_LOOKUP, fuse_node_of(dir)->id, NULL, 0, name, NULL);
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, sizeof(*e), false))
		error = fuse_ask_alone(dir, r);
	if (!error)
		*e = *(const struct fuse_entry_out *)r->out;
	else if (error == -ENOENT)
		*e = (struct fuse_entry_out){ 0 };
	fuse_request_put(r);
	return error == -ENOENT ? 0 : error;
}

struct inode *
fuse_node_by_number(struct filesystem *fs, uint64_t id)
{
	struct fuse_connection *c = fs->private;
	struct fuse_request *r = fuse_request_make(c, FUSE_LOOKUP, id, NULL, 0, ".", NULL);
	uint64_t version = atomic_load(&c->attr_version);
	const struct fuse_entry_out *e;
	struct inode *i;
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, sizeof(*e), false))
		error = fuse_request_call(r);
	e = r ? r->out : NULL;
	if (!error && e->node != id) {
		fuse_forget_one(c, e->node, 1);
		error = -ESTALE;
	}
	i = error ? ERR_PTR(error == -ENOENT ? -ESTALE : error) : fuse_node_get(fs, e, version);
	fuse_request_put(r);
	return i;
}

static int
dir_lookup(struct inode *dir, struct dentry *d)
{
	struct fuse_connection *c = fuse_of(dir);
	uint64_t version = atomic_load(&c->attr_version);
	struct fuse_entry_out e;
	struct inode *i;
	int error;

	if (fuse_node_is_bad(dir))
		return -EIO;
	error = ask(dir, d->name, &e);
	if (error)
		return error;
	if (e.node) {
		i = fuse_node_get(dir->fs, &e, version);
		if (IS_ERR(i))
			return (int)PTR_ERR(i);
		dentry_attach(d, i);
	}
	fuse_dentry_until(d, &e);
	return 0;
}

/* The expired name `d` is the same as before, and now to be believed longer. */
static bool
same_again(struct dentry *d, struct inode *dir, const char *name)
{
	struct fuse_connection *c = fuse_of(dir);
	uint64_t version = atomic_load(&c->attr_version);
	struct fuse_entry_out e;
	struct inode *i = d->inode, *now;
	bool same;

	if (fuse_node_is_bad(i) || ask(dir, name, &e) || !e.node)
		return false;
	if (e.node != fuse_node_of(i)->id) {
		fuse_forget_one(c, e.node, 1);
		return false;
	}
	if (e.node == FUSE_ROOT_ID)
		return false;
	now = fuse_node_get(dir->fs, &e, version);
	if (IS_ERR(now))
		return false;
	same = now == i;
	inode_put(now);
	if (same) {
		fuse_dentry_until(d, &e);
		WRITE_ONCE(fuse_node_of(dir)->plus_wanted, true);
	}
	return same;
}

static bool
dir_revalidate(struct dentry *d)
{
	struct dentry *parent;
	bool same = false;
	char *name;

	if (clock_monotonic_ns() < READ_ONCE(d->expires))
		return !d->inode || !fuse_node_is_bad(d->inode);
	if (!d->inode)
		return false;
	name = kmalloc(NAME_MAX + 1, 0);
	if (!name)
		return false;
	parent = dentry_place(d, name);
	if (parent->inode && parent != d)
		same = same_again(d, parent->inode, name);
	dentry_put(parent);
	kfree(name);
	return same;
}

/* --- making ------------------------------------------------------------------------------------------- */

/* A mode as the daemon gets it. */
static uint32_t
masked(const struct fuse_connection *c, mode_t mode)
{
	return fuse_has(c, FUSE_DONT_MASK) ? mode : mode & ~fs_context_umask();
}

/* Nobody labels files here: an empty list of labels. */
static bool
add_security(struct fuse_request *r)
{
	struct fuse_security_header *h;

	if (!fuse_has(r->conn, FUSE_SECURITY_CTX))
		return true;
	h = kvmalloc(sizeof(*h));
	if (!h)
		return false;
	*h = (struct fuse_security_header){ .size = sizeof(*h) };
	r->data = h;
	r->data_size = sizeof(*h);
	return true;
}

/*
 * A directory that was just made is none that is known: the known one is not what it was, and a new inode takes its node
 * and the count that came with the answer. -ELOOP: it is one above `d`.
 */
static struct inode *
only_here(struct inode *i, struct dentry *d, const struct fuse_entry_out *e)
{
	struct dentry *old = inode_alias(i);
	struct filesystem *fs = i->fs;
	bool above = old && dentry_is_below(d, old);

	dentry_put(old);
	if (!old)
		return i;
	if (!above) {
		fuse_node_bad(i);
		fuse_node_uncount(i);
	}
	inode_put(i);
	return above ? ERR_PTR(-ELOOP) : fuse_node_get(fs, e, 0);
}

/* What was made, for `d`: of the kind asked for. */
static int
attach_made(struct inode *dir, struct dentry *d, const struct fuse_entry_out *e, mode_t kind)
{
	struct inode *i = fuse_node_get(dir->fs, e, 0);

	if (!IS_ERR(i) && S_ISDIR(kind) && S_ISDIR(i->mode))
		i = only_here(i, d, e);
	if (IS_ERR(i))
		return (int)PTR_ERR(i);
	if ((i->mode ^ kind) & S_IFMT) {
		inode_put(i);
		fuse_complain(fuse_of(dir), "made another kind of file than was asked for", e->node);
		return -EIO;
	}
	dentry_attach(d, i);
	fuse_dentry_until(d, e);
	return 0;
}

/* Takes over `r`, which makes `d`. */
static int
make(struct inode *dir, struct dentry *d, struct fuse_request *r, mode_t kind)
{
	int error = -ENOMEM;

	if (r && fuse_request_wants(r, sizeof(struct fuse_entry_out), false))
		error = fuse_request_call(r);
	if (!error)
		error = attach_made(dir, d, r->out, kind);
	if (!error || error == -EINTR)
		fuse_node_stale(dir);
	fuse_request_put(r);
	return error;
}

static struct fuse_request *
request_in(struct inode *dir, enum fuse_opcode op, const void *in, size_t size, const char *name, const char *name2)
{
	return fuse_request_make(fuse_of(dir), op, fuse_node_of(dir)->id, in, size, name, name2);
}

static struct fuse_request *
labelled(struct fuse_request *r)
{
	if (r && add_security(r))
		return r;
	fuse_request_put(r);
	return NULL;
}

static uint32_t
encode_device(dev_t d)
{
	uint32_t major = DEV_MAJOR(d), minor = DEV_MINOR(d);

	return (minor & 0xff) | major << 8 | (minor & ~0xffu) << 12;
}

static int
dir_mknod(struct inode *dir, struct dentry *d, mode_t mode, dev_t rdev)
{
	const struct fuse_connection *c = fuse_of(dir);
	struct fuse_mknod_in in = {
		.mode = masked(c, mode), .rdev = encode_device(rdev), .umask = fs_context_umask(),
	};

	return make(dir, d, labelled(request_in(dir, FUSE_MKNOD, &in, sizeof(in), d->name, NULL)), mode);
}

static int
dir_create(struct inode *dir, struct dentry *d, mode_t mode)
{
	return dir_mknod(dir, d, mode, 0);
}

static int
dir_mkdir(struct inode *dir, struct dentry *d, mode_t mode)
{
	const struct fuse_connection *c = fuse_of(dir);
	struct fuse_mkdir_in in = { .mode = masked(c, mode & 07777), .umask = fs_context_umask() };

	return make(dir, d, labelled(request_in(dir, FUSE_MKDIR, &in, sizeof(in), d->name, NULL)), S_IFDIR);
}

static int
dir_symlink(struct inode *dir, struct dentry *d, const char *target)
{
	return make(dir, d, labelled(request_in(dir, FUSE_SYMLINK, NULL, 0, d->name, target)), S_IFLNK);
}

static int
dir_link(struct inode *dir, struct dentry *d, struct inode *target)
{
	struct fuse_link_in in = { .node = fuse_node_of(target)->id };
	int error;

	if (fuse_node_is_bad(target))
		return -EIO;
	error = make(dir, d, request_in(dir, FUSE_LINK, &in, sizeof(in), d->name, NULL), target->mode);
	if (error == -EINTR)
		fuse_node_stale(target);
	return error;
}

/* --- making and opening at once ------------------------------------------------------------------------ */

/* An answer to CREATE or TMPFILE. The file is open at the daemon by now: what cannot be used is given back. */
static int
take_created(struct inode *dir, struct fuse_request *r, uint32_t flags, struct file *f, struct inode **out)
{
	const struct fuse_create_out *made = r->out;
	struct inode *i = ERR_PTR(-EIO);

	if (S_ISREG(made->entry.attr.mode))
		i = fuse_node_try(dir->fs, &made->entry, 0);
	else
		fuse_complain(r->conn, "made another kind of file than was asked for", made->entry.node);
	if (IS_ERR(i)) {
		fuse_release_unused(r->conn, made->entry.node, &made->open, false, true);
		fuse_file_discard(f->private);
		f->private = NULL;
		return (int)PTR_ERR(i);
	}
	fuse_file_opened(f->private, i, flags, &made->open);
	f->mode |= FILE_OPENED;
	*out = i;
	return 0;
}

static int
create_open(struct inode *dir, enum fuse_opcode op, const char *name, mode_t mode, uint32_t flags, struct file *f,
	    struct inode **out, struct fuse_entry_out *entry)
{
	struct fuse_connection *c = fuse_of(dir);
	struct fuse_create_in in = {
		.flags = (flags | O_LARGEFILE) & ~(O_NOCTTY | (flags & O_EXCL ? O_TRUNC : 0)),
		.mode = masked(c, mode),
		.umask = fs_context_umask(),
	};
	struct fuse_request *r = labelled(request_in(dir, op, &in, sizeof(in), name, NULL));
	int error = -ENOMEM;

	f->private = fuse_file_create(c, false);
	if (r && f->private && fuse_request_wants(r, sizeof(struct fuse_create_out), false))
		error = fuse_request_call(r);
	if (error) {
		fuse_file_discard(f->private);
		f->private = NULL;
	} else {
		*entry = *(const struct fuse_entry_out *)r->out;
		error = take_created(dir, r, in.flags & ~(O_CREAT | O_EXCL | O_TRUNC), f, out);
	}
	if (!error || error == -EINTR)
		fuse_node_stale(dir);
	fuse_request_put(r);
	return error;
}

static int
dir_create_open(struct inode *dir, struct dentry *d, mode_t mode, uint32_t flags, struct file *f)
{
	struct fuse_connection *c = fuse_of(dir);
	struct fuse_entry_out e;
	struct inode *i;
	int error = -ENOSYS;

	if (fuse_node_is_bad(dir))
		return -EIO;
	if (!fuse_lacks(c, LACK_CREATE))
		error = create_open(dir, FUSE_CREATE, d->name, mode, flags, f, &i, &e);
	if (error == -ENOSYS) {
		fuse_lacks_it(c, LACK_CREATE);
		return dir_create(dir, d, mode);
	}
	if (error)
		return error;
	dentry_attach(d, i);
	fuse_dentry_until(d, &e);
	return 0;
}

static int
dir_tmpfile_open(struct inode *dir, mode_t mode, uint32_t flags, struct file *f, struct inode **out)
{
	struct fuse_connection *c = fuse_of(dir);
	struct fuse_entry_out e;
	int error = -ENOSYS;

	if (!fuse_lacks(c, LACK_TMPFILE))
		error = create_open(dir, FUSE_TMPFILE, "/", mode, flags, f, out, &e);
	if (error == -ENOSYS) {
		fuse_lacks_it(c, LACK_TMPFILE);
		error = -EOPNOTSUPP;
	}
	return error;
}

/* --- removing and moving -------------------------------------------------------------------------------- */

/* One name of `i` is gone. */
static void
name_gone(struct inode *i, bool directory)
{
	struct fuse_node *n = fuse_node_of(i);

	spin_lock(&n->lock);
	if (directory) {
		i->links = 0;
	} else if (i->links > 0) {
		i->links--;
		n->attr.links = i->links;
	}
	spin_unlock(&n->lock);
	fuse_node_stale(i);
}

static int
take_name(struct inode *dir, struct dentry *d, enum fuse_opcode op)
{
	int error;

	if (fuse_node_is_bad(dir))
		return -EIO;
	error = fuse_request_do(request_in(dir, op, NULL, 0, d->name, NULL));
	if (!error) {
		fuse_node_stale(dir);
		name_gone(d->inode, op == FUSE_RMDIR);
	} else if (error == -EINTR || error == -ENOENT) {
		WRITE_ONCE(d->expires, 0);
	}
	return error;
}

static int
dir_unlink(struct inode *dir, struct dentry *d)
{
	return take_name(dir, d, FUSE_UNLINK);
}

static int
dir_rmdir(struct inode *dir, struct dentry *d)
{
	return take_name(dir, d, FUSE_RMDIR);
}

static struct fuse_request *
rename_request(struct inode *dir, struct dentry *from, struct inode *to_dir, struct dentry *to, unsigned int flags)
{
	struct fuse_rename2_in in2 = { .to_dir = fuse_node_of(to_dir)->id, .flags = flags };
	struct fuse_rename_in in = { .to_dir = fuse_node_of(to_dir)->id };

	return flags ? request_in(dir, FUSE_RENAME2, &in2, sizeof(in2), from->name, to->name)
		     : request_in(dir, FUSE_RENAME, &in, sizeof(in), from->name, to->name);
}

static int
dir_rename(struct inode *dir, struct dentry *from, struct inode *to_dir, struct dentry *to, unsigned int flags)
{
	struct fuse_connection *c = fuse_of(dir);
	int error;

	if (fuse_node_is_bad(dir) || fuse_node_is_bad(to_dir))
		return -EIO;
	if (flags && (fuse_lacks(c, LACK_RENAME2) || c->minor < 23))
		return -EINVAL;
	error = fuse_request_do(rename_request(dir, from, to_dir, to, flags));
	if (flags && error == -ENOSYS) {
		fuse_lacks_it(c, LACK_RENAME2);
		return -EINVAL;
	}
	if (error == -EINTR) {
		WRITE_ONCE(from->expires, 0);
		WRITE_ONCE(to->expires, 0);
	}
	if (error)
		return error;
	fuse_node_stale(dir);
	fuse_node_stale(to_dir);
	fuse_node_stale(from->inode);
	if (to->inode && !(flags & RENAME_EXCHANGE))
		name_gone(to->inode, S_ISDIR(to->inode->mode));
	else if (to->inode)
		fuse_node_stale(to->inode);
	return 0;
}

/* --- links --------------------------------------------------------------------------------------------- */

static ssize_t
kept_link(struct fuse_node *n, char *buf, size_t size)
{
	ssize_t length = -ENOENT;

	spin_lock(&n->lock);
	if (n->link) {
		length = (ssize_t)MIN(strlen(n->link), size);
		memcpy(buf, n->link, (size_t)length);
	}
	spin_unlock(&n->lock);
	return length;
}

/* `version`: conn->attr_version when it was asked for. What was called stale since is not kept: it has no time limit. */
static void
keep_link(struct fuse_node *n, const char *body, uint64_t version)
{
	char *copy = kstrdup(body);

	spin_lock(&n->lock);
	if (!n->link && copy && n->stale_version <= version) {
		n->link = copy;
		copy = NULL;
	}
	spin_unlock(&n->lock);
	kfree(copy);
}

void
fuse_link_stale(struct inode *i)
{
	struct fuse_node *n = fuse_node_of(i);
	char *old;

	spin_lock(&n->lock);
	old = n->link;
	n->link = NULL;
	spin_unlock(&n->lock);
	kfree(old);
}

static ssize_t
link_readlink(struct inode *i, char *buf, size_t size)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_node *n = fuse_node_of(i);
	ssize_t length = kept_link(n, buf, size);
	uint64_t version = atomic_load(&c->attr_version);
	struct fuse_request *r;
	int error = -ENOMEM;

	if (fuse_node_is_bad(i))
		return -EIO;
	if (length >= 0)
		return length;
	r = fuse_request_make(c, FUSE_READLINK, n->id, NULL, 0, NULL, NULL);
	if (r && fuse_request_wants(r, PAGE_SIZE, true)) {
		r->out_size--; /* a 0 behind it */
		error = fuse_request_call(r);
	}
	length = error;
	if (!error) {
		char *body = r->out;

		body[r->got] = '\0';
		length = (ssize_t)MIN(strlen(body), size);
		memcpy(buf, body, (size_t)length);
		if (fuse_has(c, FUSE_CACHE_SYMLINKS))
			keep_link(n, body, version);
	}
	fuse_request_put(r);
	return length;
}

#define FUSE_INODE_OPS                                                                             \
	.change = fuse_change, .get_attributes = fuse_get_attributes, .permission = fuse_permission, \
	.get_xattr = fuse_get_xattr, .set_xattr = fuse_set_xattr, .list_xattr = fuse_list_xattr,   \
	.remove_xattr = fuse_remove_xattr, .evict = fuse_node_evict

const struct inode_ops fuse_dir_ops = {
	.name = "fuse directory",
	.lookup = dir_lookup,
	.revalidate = dir_revalidate,
	.create = dir_create,
	.create_open = dir_create_open,
	.tmpfile_open = dir_tmpfile_open,
	.mknod = dir_mknod,
	.mkdir = dir_mkdir,
	.symlink = dir_symlink,
	.link = dir_link,
	.unlink = dir_unlink,
	.rmdir = dir_rmdir,
	.rename = dir_rename,
	.open = fuse_open,
	FUSE_INODE_OPS,
};

const struct inode_ops fuse_link_ops = {
	.name = "fuse link",
	.readlink = link_readlink,
	FUSE_INODE_OPS,
};

const struct inode_ops fuse_file_inode_ops = {
	.name = "fuse file",
	.open = fuse_open,
	.truncate = fuse_truncate,
	.bmap = fuse_bmap,
	FUSE_INODE_OPS,
};

const struct inode_ops fuse_special_ops = {
	.name = "fuse special file",
	FUSE_INODE_OPS,
};
