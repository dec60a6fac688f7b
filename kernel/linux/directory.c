/* SPDX-License-Identifier: MIT */
/*
 * directory.c - getdents, getcwd, chdir, chroot.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"
#include "user_name.h"

/* struct linux_dirent64: inode, next position, record length, type, name. getdents puts the type
 * last. */
#define DIRENT_HEADER 19
#define OLD_HEADER    18

struct listing {
	struct dir_context context;
	char __user *out;
	size_t left, done;
	bool old;
	int error;
};

/* A name longer than any that can be opened; a file system's process may tell such. */
static bool
put_long(struct listing *l, const char *header, size_t header_size, const char *name, size_t length, size_t size)
{
	char tail[16] = { 0 };

	tail[size - header_size - length - 1] = l->old ? header[OLD_HEADER] : 0;
	return !copy_to_user(l->out, header, header_size) && !copy_to_user(l->out + header_size, name, length) &&
	       !copy_to_user(l->out + header_size + length, tail, size - header_size - length);
}

static bool
emit(struct dir_context *ctx, const char *name, size_t length, loff_t next, ino_t inode,
	unsigned int type)
{
	struct listing *l = container_of(ctx, struct listing, context);
	size_t size =
		ALIGN_UP((l->old ? OLD_HEADER + length + 2 : DIRENT_HEADER + length + 1), 8ul);
	char record[ALIGN_UP(DIRENT_HEADER + NAME_MAX + 1, 8)] = { 0 };
	bool fault;

	if (size > l->left) {
		l->error = -EINVAL; /* only told when not one entry fits */
		return false;
	}
	memcpy(record, &inode, 8);
	memcpy(record + 8, &next, 8);
	record[16] = (char)size;
	record[17] = (char)(size >> 8);
	record[18] = (char)type;
	if (length > NAME_MAX) {
		fault = !put_long(l, record, l->old ? OLD_HEADER : DIRENT_HEADER, name, length, size);
	} else if (l->old) {
		memcpy(record + OLD_HEADER, name, length);
		record[size - 1] = (char)type;
		fault = copy_to_user(l->out, record, size);
	} else {
		memcpy(record + DIRENT_HEADER, name, length);
		fault = copy_to_user(l->out, record, size);
	}
	if (fault) {
		l->error = -EFAULT;
		return false;
	}
	l->out += size;
	l->left -= size;
	l->done += size;
	return true;
}

static long
list(int fd, void __user *out, unsigned int size, bool old)
{
	struct listing l = { .context.emit = emit, .out = out, .left = size, .old = old };
	int error = 0;
	struct file *f = handle_get(fd, RIGHT_NONE, &error);

	if (!f)
		return error;
	if (!f->inode || !S_ISDIR(f->inode->mode)) { /* whether it may be read or not */
		file_put(f);
		return -ENOTDIR;
	}
	file_put(f);
	f = handle_get(fd, RIGHT_READ, &error);
	if (!f)
		return error;
	error = vfs_readdir(f, &l.context);
	file_put(f);
	if (l.done) /* the error comes again with the next call */
		return (long)l.done;
	return error ? error : l.error;
}

long
linux_getdents64(int fd, void __user *out, unsigned int size)
{
	return list(fd, out, size, false);
}

long
linux_getdents(int fd, void __user *out, unsigned int size)
{
	return list(fd, out, size, true);
}

long
linux_getcwd(char __user *out, size_t size)
{
	static const char unreachable[] = "(unreachable)";
	struct path cwd, root;
	unsigned int state;
	char *buf = kmalloc(PATH_MAX, 0), *name;
	long n;

	if (!buf)
		return -ENOMEM;
	fs_context_cwd(&cwd);
	fs_context_root(&root);
	name = path_name_from(
		&cwd, &root, buf + sizeof(unreachable), PATH_MAX - sizeof(unreachable), &state);
	path_put(&cwd);
	path_put(&root);
	if (IS_ERR(name)) {
		n = PTR_ERR(name);
		goto out;
	}
	if (state & PATH_UNREACHABLE) {
		name -= sizeof(unreachable) - 1;
		memcpy(name, unreachable, sizeof(unreachable) - 1);
	}
	n = (long)strlen(name) + 1;
	if (state & PATH_DELETED)
		n = -ENOENT;
	else if ((size_t)n > size)
		n = -ERANGE;
	else if (copy_to_user(out, name, (size_t)n))
		n = -EFAULT;
out:
	kfree(buf);
	return n;
}

long
linux_chdir(const char __user *uname)
{
	struct path p;
	long error;

	error = user_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (error)
		return error;
	error = vfs_permission(p.dentry->inode, MAY_EXEC | MAY_CHDIR);
	if (!error)
		fs_context_set_cwd(&p);
	path_put(&p);
	return error;
}

long
linux_fchdir(int fd)
{
	int error = 0;
	struct file *f = handle_get_path(fd, RIGHT_LOOKUP, &error);

	if (!f)
		return error;
	if (!f->inode || !S_ISDIR(f->inode->mode))
		error = -ENOTDIR;
	else
		error = vfs_permission(f->inode, MAY_EXEC | MAY_CHDIR);
	if (!error)
		fs_context_set_cwd(&(struct path){ f->mount, f->dentry });
	file_put(f);
	return error;
}

long
linux_chroot(const char __user *uname)
{
	struct path p;
	long error;

	error = user_path_lookup(AT_FDCWD, uname, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);
	if (error)
		return error;
	error = vfs_permission(p.dentry->inode, MAY_EXEC | MAY_CHDIR);
	if (!error && !capable_here(CAP_SYS_CHROOT))
		error = -EPERM;
	if (!error)
		fs_context_set_root(&p);
	path_put(&p);
	return error;
}
