/* SPDX-License-Identifier: MIT */
/*
 * xattr.c - extended attributes, which are the daemon's; and access control lists, which are among them and are checked
 * here where the daemon asked for that (FUSE_POSIX_ACL).
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/posix_acl.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "fuse.h"

#define XATTR_LIST_MAX 65536

/* Take over `r`, whose answer is a length (size 0), or bytes. */
static ssize_t
take_value(struct fuse_request *r, void *buf, size_t size)
{
	ssize_t n = -ENOMEM;

	if (r && fuse_request_wants(r, size ? size : sizeof(struct fuse_getxattr_out), size != 0))
		n = fuse_request_call(r);
	if (n == 0 && size) {
		n = (ssize_t)r->got;
		memcpy(buf, r->out, r->got);
	} else if (n == 0) {
		n = (ssize_t)MIN(((const struct fuse_getxattr_out *)r->out)->size, (uint32_t)XATTR_LIST_MAX);
	}
	fuse_request_put(r);
	return n;
}

/* The daemon knows nothing of it. */
static ssize_t
lacking(struct fuse_connection *c, enum fuse_lack what, ssize_t result)
{
	if (result != -ENOSYS)
		return result;
	fuse_lacks_it(c, what);
	return -EOPNOTSUPP;
}

static ssize_t
ask_value(struct inode *i, const char *name, void *buf, size_t size)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_getxattr_in in = { .size = (uint32_t)size };

	if (fuse_lacks(c, LACK_GETXATTR))
		return -EOPNOTSUPP;
	return lacking(c, LACK_GETXATTR,
		       take_value(fuse_request_make(c, FUSE_GETXATTR, fuse_node_of(i)->id, &in, sizeof(in), name, NULL),
				  buf, size));
}

static int
may_touch(const struct inode *i)
{
	if (fuse_node_is_bad(i))
		return -EIO;
	return fuse_may_access(fuse_of(i)) ? 0 : -EACCES;
}

ssize_t
fuse_get_xattr(struct inode *i, const char *name, void *buf, size_t size)
{
	int error = may_touch(i);

	return error ? error : ask_value(i, name, buf, size);
}

static int
send_value(struct inode *i, const char *name, const void *buf, size_t size, int flags, bool kills_sgid)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_setxattr_in in = {
		.size = (uint32_t)size, .flags = (uint32_t)flags, .setxattr_flags = kills_sgid ? FUSE_ACL_KILL_SGID : 0,
	};
	size_t head = fuse_has(c, FUSE_SETXATTR_EXT) ? sizeof(in) : FUSE_COMPAT_SETXATTR_SIZE;
	struct fuse_request *r = fuse_request_make(c, FUSE_SETXATTR, fuse_node_of(i)->id, &in, head, name, NULL);
	int error = -ENOMEM;

	if (r) {
		r->data = size ? kvmalloc(size) : NULL;
		r->data_size = size;
		if (size && r->data)
			memcpy(r->data, buf, size);
		if (!size || r->data)
			error = fuse_request_call(r);
	}
	fuse_request_put(r);
	return error;
}

static bool
is_acl(const char *name)
{
	return strcmp(name, POSIX_ACL_ACCESS) == 0 || strcmp(name, POSIX_ACL_DEFAULT) == 0;
}

int
fuse_set_xattr(struct inode *i, const char *name, const void *buf, size_t size, int flags)
{
	struct fuse_connection *c = fuse_of(i);
	bool acl = fuse_has(c, FUSE_POSIX_ACL) && is_acl(name);
	int error = may_touch(i);

	if (error)
		return error;
	if (acl && current_cred()->fsuid != i->uid && !inode_capable(i, CAP_FOWNER))
		return -EPERM;
	if (fuse_lacks(c, LACK_SETXATTR))
		return -EOPNOTSUPP;
	error = (int)lacking(c, LACK_SETXATTR,
			     send_value(i, name, buf, size, flags,
					acl && !cred_in_group(current_cred(), i->gid) && !inode_capable(i, CAP_FSETID)));
	if (!error) {
		fuse_node_stale(i);
		fuse_acl_stale(i);
	}
	return error;
}

int
fuse_remove_xattr(struct inode *i, const char *name)
{
	struct fuse_connection *c = fuse_of(i);
	int error = may_touch(i);

	if (error)
		return error;
	if (fuse_lacks(c, LACK_REMOVEXATTR))
		return -EOPNOTSUPP;
	error = (int)lacking(c, LACK_REMOVEXATTR, fuse_request_do(fuse_request_make(c, FUSE_REMOVEXATTR,
									 fuse_node_of(i)->id, NULL, 0, name, NULL)));
	if (!error) {
		fuse_node_stale(i);
		fuse_acl_stale(i);
	}
	return error;
}

/* A list is names, each with its zero, and no empty one. */
static bool
is_list(const char *list, size_t size)
{
	for (size_t at = 0, n; at < size; at += n + 1) {
		n = strnlen(list + at, size - at);
		if (n == 0 || at + n == size)
			return false;
	}
	return true;
}

ssize_t
fuse_list_xattr(struct inode *i, char *buf, size_t size)
{
	struct fuse_connection *c = fuse_of(i);
	struct fuse_getxattr_in in = { .size = (uint32_t)size };
	ssize_t n = may_touch(i);

	if (n)
		return n;
	if (fuse_lacks(c, LACK_LISTXATTR))
		return -EOPNOTSUPP;
	n = take_value(fuse_request_make(c, FUSE_LISTXATTR, fuse_node_of(i)->id, &in, sizeof(in), NULL, NULL), buf, size);
	if (n > 0 && size && !is_list(buf, (size_t)n)) {
		fuse_complain(c, "a list of attributes that is none", fuse_node_of(i)->id);
		return -EIO;
	}
	return lacking(c, LACK_LISTXATTR, n);
}

/* --- access control lists ------------------------------------------------------------------------------ */

void
fuse_acl_stale(struct inode *i)
{
	WRITE_ONCE(fuse_node_of(i)->acl_until, 0);
}

/* As good as the attributes that came last are the lists that are fetched now. */
void
fuse_acl_fetch(struct inode *i)
{
	struct fuse_node *n = fuse_node_of(i);
	uint64_t until = READ_ONCE(n->valid_until);
	void *buf;
	ssize_t size;

	if (!fuse_has(fuse_of(i), FUSE_POSIX_ACL) || S_ISLNK(i->mode) || clock_monotonic_ns() < READ_ONCE(n->acl_until))
		return;
	buf = kvmalloc(PAGE_SIZE);
	if (!buf)
		return;
	size = ask_value(i, POSIX_ACL_ACCESS, buf, PAGE_SIZE);
	if (size > 0)
		posix_acl_keep(i, buf, (size_t)size);
	else if (size == -ENODATA || size == -EOPNOTSUPP || size == 0)
		posix_acl_replace(i, NULL);
	if (size >= 0 || size == -ENODATA || size == -EOPNOTSUPP)
		WRITE_ONCE(n->acl_until, until);
	kvfree(buf);
}
