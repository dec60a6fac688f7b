/* SPDX-License-Identifier: MIT */
/*
 * handles.c - /proc/PID/fd and fdinfo: a process's handles, as links to what they lead to.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>

#include "../vfs.h"
#include "files.h"

/* A process's file with a reference, or NULL. */
static struct file *
file_of(struct target *at, int fd)
{
	struct handle_table *h = process_handles(at->process);
	struct file *f = NULL;

	if (h) {
		f = handle_table_get(h, fd, NULL);
		handle_table_put_late(h); /* names and texts are read under locks */
	}
	return f;
}

mode_t
fd_link_mode(struct target *at)
{
	struct file *f = file_of(at, at->fd);
	mode_t mode = 0;

	if (!f)
		return 0;
	if (f->mode & FILE_READ)
		mode |= 0500;
	if (f->mode & FILE_WRITE)
		mode |= 0300;
	file_put_late(f);
	return mode;
}

static long
fd_find(struct target *at, const char *name, size_t length)
{
	long fd = parse_number(name, length);
	struct file *f = fd >= 0 ? file_of(at, (int)fd) : NULL;

	if (!f)
		return -1;
	file_put_late(f);
	return fd;
}

static long
fd_next(struct target *at, long from)
{
	struct handle_table *h = process_handles(at->process);
	long fd = -1;

	if (h) {
		fd = handle_next(h, (int)from);
		handle_table_put_late(h);
	}
	return fd;
}

static int
jump_fd(struct target *at, struct path *out)
{
	struct file *f = file_of(at, at->fd);
	int error = -ENOENT;

	if (!f)
		return error;
	if (f->dentry) {
		*out = (struct path){ f->mount, f->dentry };
		path_get(out);
		error = 0;
	}
	file_put_late(f);
	return error;
}

static int
show_fdinfo(struct text *t, struct target *at)
{
	struct handle_table *h = process_handles(at->process);
	struct file *f = h ? handle_table_get(h, at->fd, NULL) : NULL;
	uint32_t flags;

	if (!f) {
		if (h)
			handle_table_put_late(h);
		return -ENOENT;
	}
	flags = f->flags & ~O_CLOEXEC;
	if (handle_get_cloexec(h, at->fd) > 0)
		flags |= O_CLOEXEC;
	text_print(t, "pos:\t%li\nflags:\t0%o\nmnt_id:\t%lu\nino:\t%lu\n", f->mode & FILE_STREAM ? 0 : f->position,
		   flags, f->mount ? f->mount->id : 0, f->inode ? f->inode->number : 0);
	if (f->ops->fdinfo)
		f->ops->fdinfo(f, text_print_context, t);
	/* Perhaps the last reference, and the reader's position is locked. */
	file_put_late(f);
	handle_table_put_late(h);
	return 0;
}

static const struct entry fd_entry = {
	.name = "fd",
	.mode = S_IFLNK | 0700,
	.flags = ENTRY_INSPECT | ENTRY_FD,
	.jump = jump_fd,
};

static const struct entry fdinfo_entry = {
	.name = "fdinfo",
	.mode = S_IFREG | 0444,
	.flags = ENTRY_INSPECT | ENTRY_FD,
	.show = show_fdinfo,
};

const struct entry_list fd_list = { .find = fd_find, .next = fd_next, .each = &fd_entry };
const struct entry_list fdinfo_list = { .find = fd_find, .next = fd_next, .each = &fdinfo_entry };
