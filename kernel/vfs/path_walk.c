/* SPDX-License-Identifier: MIT */
/*
 * path_walk.c - from a name to a (mount, dentry) pair.
 *
 * A walk is a position and the rest of a string. Each component but the last must be a directory
 * that the caller may search, or a symlink to one: then the rest is put aside on a small stack and
 * the link's body is walked first. The last component is left to the caller (struct last_name),
 * because each call treats it differently; path_lookup() is the plain ending.
 *
 * No lock is held between components: the reference on the dentry reached keeps it and its inode. A
 * cached name costs no lock; an unknown one takes the directory's lock for reading and asks the file system.
 * Through directories that are cached, not mounted on, and open to the caller by their mode bits, a walk runs
 * ahead as a reader without taking references, and stops before whatever else comes (run_ahead).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/rcu.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "vfs.h"

void
path_get(const struct path *p)
{
	if (p->mount)
		mount_get(p->mount);
	dentry_get(p->dentry);
}

void
path_put(struct path *p)
{
	if (p->dentry)
		dentry_put(p->dentry);
	if (p->mount) {
		if (READ_ONCE(p->mount->expiring))
			WRITE_ONCE(p->mount->expiring, false);
		mount_put(p->mount);
	}
	p->dentry = NULL;
	p->mount = NULL;
}

/* Take over `to`'s references. */
static void
path_set(struct path *p, struct path to)
{
	path_put(p);
	*p = to;
}

/* May the cached answer be believed? */
static bool
still_valid(struct dentry *parent, struct dentry *d)
{
	return !parent->inode->ops->revalidate || parent->inode->ops->revalidate(d);
}

/* What is mounted on a name that is none any more goes with it; `parent_held`: the locks of mounts cannot be had now. */
static struct dentry *
find_valid(struct dentry *parent, const char *name, size_t length, bool parent_held)
{
	struct dentry *d = dentry_find(parent, name, length);

	if (!d || still_valid(parent, d))
		return d;
	dentry_drop(d);
	if (!parent_held && READ_ONCE(d->mounted))
		mount_leave_name(d);
	dentry_put(d);
	return NULL;
}

struct dentry *
lookup_child_locked(struct dentry *parent, const char *name, size_t length)
{
	struct inode *dir = parent->inode;
	struct dentry *d;
	int error;

	if (length > NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	if (dir->links == 0)
		return ERR_PTR(-ENOENT);
	d = find_valid(parent, name, length, true);
	if (d)
		return d;
	d = dentry_create(parent, name, length);
	if (!d)
		return ERR_PTR(-ENOMEM);
	error = dir->ops->lookup ? dir->ops->lookup(dir, d) : 0;
	if (error) {
		dentry_put(d);
		return ERR_PTR(error);
	}
	return dentry_adopt(d);
}

/* What was being moved when we came is looked up again, so often. */
#define ATTEMPTS 8

struct dentry *
lookup_child(struct dentry *parent, const char *name, size_t length)
{
	struct dentry *d = length <= NAME_MAX ? find_valid(parent, name, length, false) : NULL;

	if (d)
		return d;
	for (unsigned int n = 0; n < ATTEMPTS && (!n || d == ERR_PTR(-ESTALE)); n++) {
		if (n)
			sched_yield_thread();
		read_lock(&parent->inode->lock);
		d = lookup_child_locked(parent, name, length);
		read_unlock(&parent->inode->lock);
	}
	return d;
}

int
path_sibling(const struct path *p, const char *name, struct path *out)
{
	struct dentry *dir = dentry_parent(p->dentry), *d = lookup_child(dir, name, strlen(name));

	dentry_put(dir);
	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!d->inode) {
		dentry_put(d);
		return -ENOENT;
	}
	*out = (struct path){ p->mount, d };
	mount_get(out->mount);
	mount_follow(out);
	return 0;
}

/* Does `d` lie in the part of the file system that `m` shows? A directory may have been moved out of it. */
static bool
mount_shows(const struct mount *m, struct dentry *d)
{
	return m->root == m->fs->root || dentry_is_below(d, m->root);
}

/* Where ".." and "/" stop: that of the walk, or the caller's. */
static const struct path *
root_of(struct last_name *w)
{
	if (!w->root.dentry)
		fs_context_root(&w->root);
	return &w->root;
}

/*
 * To the parent of w->parent, out of mounts where it is the root of one. -EXDEV: a confined walk may not;
 * -ENOENT: the directory has been moved out of what its mount shows, and so has its parent.
 */
static int
climb(struct last_name *w)
{
	for (;;) {
		struct path up;

		if (path_equal(&w->parent, root_of(w)))
			return w->flags & LOOKUP_BENEATH ? -EXDEV : 0;
		if (w->parent.dentry != w->parent.mount->root) {
			up.dentry = dentry_parent(w->parent.dentry);
			up.mount = w->parent.mount;
			if (!mount_shows(up.mount, up.dentry)) {
				dentry_put(up.dentry);
				return -ENOENT;
			}
			mount_get(up.mount);
			path_set(&w->parent, up);
			break;
		}
		if (w->flags & LOOKUP_NO_XDEV)
			return -EXDEV;
		if (!mount_leave(&w->parent))
			return 0;
	}
	mount_follow(&w->parent);
	return 0;
}

#define LOOKUP_CONFINED (LOOKUP_BENEATH | LOOKUP_IN_ROOT)

/*
 * One step up from w->parent, stopping at the root, out of mounts and then onto what covers it.
 *
 * A walk that is confined never meets its root on the way up when a directory that it is in was moved
 * out meanwhile. So it may take ".." only while nothing has moved since it began: else -EAGAIN, as
 * openat2(2) documents, and the program tries again.
 */
static int
step_up(struct last_name *w)
{
	int error = climb(w);

	if (!error && (w->flags & LOOKUP_CONFINED) && atomic_load(&tree_generation) != w->generation)
		error = -EAGAIN;
	return error;
}

/* Is a confined walk still below its root? A directory that it is in may have been moved out. */
static bool
inside(const struct last_name *w)
{
	struct dentry *d = w->parent.dentry;
	struct mount *m = w->parent.mount;
	bool below;

	if (!(w->flags & LOOKUP_CONFINED))
		return true;
	read_lock(&mount_lock);
	while (m && m != w->root.mount) {
		d = m->mountpoint;
		m = m->parent;
	}
	below = m && dentry_is_below(d, w->root.dentry);
	read_unlock(&mount_lock);
	return below;
}

/* Look `name` up below w->parent, mounts followed, links not: *out gets references. */
static int
step_down(struct last_name *w, const char *name, size_t length, struct path *out)
{
	struct dentry *d = lookup_child(w->parent.dentry, name, length);

	if (IS_ERR(d))
		return (int)PTR_ERR(d);
	if (!d->inode) {
		dentry_put(d);
		return -ENOENT;
	}
	out->dentry = d;
	out->mount = w->parent.mount;
	mount_get(out->mount);
	mount_follow(out);
	if (out->mount != w->parent.mount && (w->flags & LOOKUP_NO_XDEV)) {
		path_put(out);
		return -EXDEV;
	}
	return 0;
}

/*
 * `link` is a symlink found below w->parent. A magic link moves w->parent to its target and *body
 * is NULL. Otherwise *body is its text, ours to free, and w->parent is where the text starts.
 */
static int
enter_link(struct last_name *w, struct path *link, char **body)
{
	struct inode *i = link->dentry->inode;
	ssize_t n;

	*body = NULL;
	if ((w->flags & LOOKUP_NO_SYMLINKS) || (READ_ONCE(link->mount->flags) & MOUNT_NOSYMFOLLOW))
		return -ELOOP;
	if (++w->links > SYMLINK_DEPTH_MAX)
		return -ELOOP;
	if (i->ops->jump) {
		struct path to = { 0 };
		int error;

		if (w->flags & LOOKUP_NO_MAGICLINKS)
			return -ELOOP;
		if (w->flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT))
			return -EXDEV;
		error = i->ops->jump(i, &to.mount, &to.dentry);
		if (error)
			return error;
		if ((w->flags & LOOKUP_NO_XDEV) && to.mount != w->parent.mount) {
			path_put(&to);
			return -EXDEV;
		}
		path_set(&w->parent, to);
		return 0;
	}
	if (!i->ops->readlink)
		return -EINVAL;
	*body = kmalloc(PATH_MAX, 0);
	if (!*body)
		return -ENOMEM;
	n = i->ops->readlink(i, *body, PATH_MAX - 1);
	if (n > 0 && **body == '/' &&
	    ((w->flags & LOOKUP_BENEATH) ||
		    ((w->flags & LOOKUP_NO_XDEV) && root_of(w)->mount != w->parent.mount)))
		n = -EXDEV;
	if (n < 0) {
		kfree(*body);
		*body = NULL;
		return (int)n;
	}
	(*body)[n] = '\0';
	inode_touch_accessed(i, link->mount);
	if (**body == '/') {
		path_get(root_of(w));
		path_set(&w->parent, w->root);
	}
	return 0;
}

static enum last_kind
component_kind(const char *name, size_t length)
{
	if (name[0] != '.' || length > 2)
		return LAST_NORMAL;
	if (length == 1)
		return LAST_DOT;
	return name[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
}

/* The directory `name` in `dir` if a reader may go on in it, else NULL. */
static struct dentry *
peek_directory(const struct dentry *dir, const char *name, size_t length)
{
	struct inode *i = atomic_load(&dir->inode);
	struct dentry *d;

	if (component_kind(name, length) != LAST_NORMAL || length > NAME_MAX || i->ops->revalidate ||
	    !permission_search_at_once(i))
		return NULL;
	d = dentry_peek(dir, name, length);
	if (!d || READ_ONCE(d->mounted))
		return NULL;
	i = atomic_load(&d->inode);
	return i && S_ISDIR(READ_ONCE(i->mode)) ? d : NULL;
}

/*
 * From w->parent down `rest`, which starts with a component, as far as directories lead that can be passed without
 * a reference. Never takes the last component. Returns what is left; w->parent is the directory that it is in.
 */
static const char *
run_ahead(struct last_name *w, const char *rest)
{
	struct dentry *d = w->parent.dentry, *start = d;
	const char *from = rest;
	uint64_t changing;
	bool there;

	rcu_read_lock();
	changing = atomic_load(&names_changing);
	for (;;) {
		const char *end = rest, *next;
		struct dentry *below;

		while (*end && *end != '/')
			end++;
		for (next = end; *next == '/'; next++)
			;
		if (!*next)
			break;
		below = peek_directory(d, rest, (size_t)(end - rest));
		if (!below)
			break;
		d = below;
		rest = next;
	}
	there = d != start && dentry_get_peeked(d);
	rcu_read_unlock();
	if (!there)
		return from;
	if (!names_same_since(changing)) {
		dentry_put(d);
		return from;
	}
	dentry_put(start);
	w->parent.dentry = d;
	return rest;
}

/* What is left to walk when a link in the middle of it has been walked. */
struct aside {
	const char *rest;
	char *body;
};

/*
 * Walk `rest` from w->parent up to its last component, which is left in w. `body`: the allocated
 * text that `rest` points into, now w's; or NULL.
 */
static int
walk(struct last_name *w, const char *rest, char *body)
{
	struct aside *aside = NULL;
	unsigned int depth = 0;
	int error;

	kfree(w->link);
	w->link = body;
	for (;;) {
		const char *name;
		size_t length;
		struct path next;
		char *link_body;

		while (*rest == '/')
			rest++;
		if (!*rest && depth > 0) {
			kfree(w->link);
			depth--;
			rest = aside[depth].rest;
			w->link = aside[depth].body;
			continue;
		}
		if (*rest)
			rest = run_ahead(w, rest);
		error = -ENOTDIR;
		if (!S_ISDIR(w->parent.dentry->inode->mode))
			break;
		if (!*rest) {
			w->kind = LAST_NONE;
			error = inside(w) ? 0 : -EXDEV;
			break;
		}
		error = vfs_permission(w->parent.dentry->inode, MAY_EXEC);
		if (error)
			break;
		name = rest;
		while (*rest && *rest != '/')
			rest++;
		length = (size_t)(rest - name);
		w->kind = component_kind(name, length);
		w->slash |= *rest == '/' && depth == 0;
		while (*rest == '/')
			rest++;
		if (!*rest && depth == 0) {
			w->name = name;
			w->length = length;
			error = inside(w) ? 0 : -EXDEV;
			break;
		}
		if (depth == 0)
			w->slash = false;
		if (w->kind == LAST_DOT)
			continue;
		if (w->kind == LAST_DOTDOT) {
			error = step_up(w);
			if (error)
				break;
			continue;
		}
		error = step_down(w, name, length, &next);
		if (error)
			break;
		if (!S_ISLNK(next.dentry->inode->mode)) {
			path_set(&w->parent, next);
			continue;
		}
		error = enter_link(w, &next, &link_body);
		path_put(&next);
		if (error)
			break;
		if (!link_body)
			continue;
		/* links <= SYMLINK_DEPTH_MAX bounds depth. A finished text is freed at once. */
		if (*rest) {
			/* Too large for a stack that a file system's own depth comes on top of. */
			if (!aside)
				aside = kmalloc(SYMLINK_DEPTH_MAX * sizeof(*aside), 0);
			if (!aside) {
				kfree(link_body);
				error = -ENOMEM;
				break;
			}
			aside[depth].rest = rest;
			aside[depth].body = w->link;
			depth++;
		} else {
			kfree(w->link);
		}
		w->link = link_body;
		rest = link_body;
	}
	while (depth > 0)
		kfree(aside[--depth].body);
	kfree(aside);
	return error;
}

void
last_name_put(struct last_name *l)
{
	path_put(&l->parent);
	path_put(&l->root);
	kfree(l->link);
	l->link = NULL;
}

/* Where a walk begins. *out gets references. */
static int
start_path(int dirfd, bool absolute, bool empty, unsigned int flags, struct path *out)
{
	uint64_t rights = RIGHT_LOOKUP | (flags & LOOKUP_CREATE ? RIGHT_CREATE : 0) |
			  (flags & LOOKUP_REMOVE ? RIGHT_UNLINK : 0);
	int error = 0;
	struct file *f;

	if (absolute) {
		fs_context_root(out);
		return 0;
	}
	if (dirfd == AT_FDCWD) {
		fs_context_cwd(out);
		return 0;
	}
	f = handle_get_path(dirfd, rights, &error);
	if (!f)
		return error;
	if (!f->dentry)
		error = -ENOTDIR;
	else if (!empty && !S_ISDIR(f->inode->mode))
		error = -ENOTDIR;
	if (!error) {
		out->mount = f->mount;
		out->dentry = f->dentry;
		path_get(out);
	}
	file_put(f);
	return error;
}

/* `start`: its references become the walk's, on failure too. */
static int
begin(struct path start, const char *name, unsigned int flags, struct last_name *w)
{
	int error;

	w->parent = start;
	w->flags = flags;
	w->kind = LAST_NONE;
	error = walk(w, name, NULL);
	if (error)
		last_name_put(w);
	return error;
}

int
path_lookup_parent(int dirfd, const char *name, unsigned int flags, struct last_name *w)
{
	bool absolute = *name == '/';
	struct path start;
	int error;

	*w = (struct last_name){ .generation = atomic_load(&tree_generation) };
	if (!*name && !(flags & LOOKUP_EMPTY))
		return -ENOENT;
	if (absolute && (flags & LOOKUP_BENEATH))
		return -EXDEV;
	error = start_path(dirfd, absolute && !(flags & LOOKUP_IN_ROOT), !*name, flags, &start);
	if (error)
		return error;
	if (flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
		path_get(&start);
		w->root = start;
	}
	if (!*name) {
		w->parent = start;
		w->flags = flags;
		w->kind = LAST_NONE;
		return 0;
	}
	return begin(start, name, flags, w);
}

int
last_name_find(struct last_name *l, struct path *out)
{
	int error;

	switch (l->kind) {
	case LAST_NORMAL:
		return step_down(l, l->name, l->length, out);
	case LAST_DOTDOT:
		error = step_up(l);
		if (error)
			return error;
		break;
	default:
		break;
	}
	*out = l->parent;
	path_get(out);
	return 0;
}

/*
 * Unless protected_symlinks is off: at the end of a name, a link in a directory like /tmp
 * (sticky, and writable by all) is only followed for its owner, or when it belongs to the
 * directory's owner.
 */
static bool
may_follow(const struct last_name *l, const struct path *link)
{
	const struct inode *dir = l->parent.dentry->inode, *i = link->dentry->inode;

	return !READ_ONCE(vfs_protection.symlinks) || i->uid == current_cred()->fsuid ||
	       (dir->mode & (S_ISVTX | 0002)) != (S_ISVTX | 0002) || dir->uid == i->uid;
}

int
last_name_follow(struct last_name *l, struct path *p)
{
	bool slash = l->slash;
	char *body;
	int error = may_follow(l, p) ? enter_link(l, p, &body) : -EACCES;

	path_put(p);
	if (error)
		return error;
	l->slash = false;
	l->kind = LAST_NONE;
	if (body)
		error = walk(l, body, body);
	l->slash |= slash;
	return error;
}

/* The end of a plain look-up: w is used up. */
static int
finish(struct last_name *w, unsigned int flags, struct path *out)
{
	struct path p;
	int error;

	for (;;) {
		error = last_name_find(w, &p);
		if (error)
			goto out;
		if (!S_ISLNK(p.dentry->inode->mode) || w->kind != LAST_NORMAL ||
		    !((flags & LOOKUP_FOLLOW) || w->slash))
			break;
		error = last_name_follow(w, &p);
		if (error)
			goto out;
	}
	if (((flags & LOOKUP_DIRECTORY) || w->slash) && !S_ISDIR(p.dentry->inode->mode)) {
		path_put(&p);
		error = -ENOTDIR;
		goto out;
	}
	*out = p;
out:
	last_name_put(w);
	return error;
}

int
path_lookup(int dirfd, const char *name, unsigned int flags, struct path *out)
{
	struct last_name w;
	int error = path_lookup_parent(dirfd, name, flags, &w);

	return error ? error : finish(&w, flags, out);
}

/* Put `n` bytes in front of *at. False: no room. */
static bool
prepend(char **at, char *start, const char *s, size_t n)
{
	if ((size_t)(*at - start) < n)
		return false;
	*at -= n;
	memcpy(*at, s, n);
	return true;
}

char *
path_name_from(const struct path *p, const struct path *root, char *buf, size_t size,
	       unsigned int *state)
{
	char *at = buf + size - 1, *result = ERR_PTR(-ENAMETOOLONG);
	struct dentry *d = p->dentry;
	struct mount *m = p->mount;

	*at = '\0';
	*state = 0;
	read_lock(&mount_lock);
	spin_lock(&dentry_lock);
	if (m && m->internal) {
		if (prepend(&at, buf, d->name, d->length))
			result = at;
		goto out;
	}
	if (!d->hashed && d->parent != d)
		*state |= PATH_DELETED;
	while (d != root->dentry || m != root->mount) {
		if (m && d == m->root) {
			if (m->parent) {
				d = m->mountpoint;
				m = m->parent;
				continue;
			}
			*state |= PATH_UNREACHABLE;
			break;
		}
		if (d->parent == d) {
			*state |= PATH_UNREACHABLE;
			break;
		}
		if (!prepend(&at, buf, d->name, d->length) || !prepend(&at, buf, "/", 1))
			goto out;
		d = d->parent;
	}
	if (*at != '\0' || prepend(&at, buf, "/", 1))
		result = at;
out:
	spin_unlock(&dentry_lock);
	read_unlock(&mount_lock);
	return result;
}

char *
path_name(const struct path *p, char *buf, size_t size)
{
	static const char deleted[] = " (deleted)";
	struct path root;
	unsigned int state;
	char *name;

	if (size <= sizeof(deleted))
		return ERR_PTR(-ENAMETOOLONG);
	fs_context_root(&root);
	name = path_name_from(p, &root, buf, size - sizeof(deleted) + 1, &state);
	path_put(&root);
	if (!IS_ERR(name) && (state & PATH_DELETED))
		memcpy(name + strlen(name), deleted, sizeof(deleted));
	return name;
}
