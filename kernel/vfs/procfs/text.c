/* SPDX-License-Identifier: MIT */
/*
 * text.c - the files of procfs: opening them, and those whose content is a text.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "../text_file.h"
#include "../vfs.h"
#include "files.h"
#include "frame.h"

/* f->private */
struct open_text {
	struct text_file file;
	uint64_t space; /* [I] of an ENTRY_SPACE: target_space_id() */
	struct mount_namespace *mounts; /* [I] reference: polled for its changes; NULL: not such a file */
	uint64_t event; /* [a] of its changes the last that was told of */
};

int
proc_file_open(struct inode *i, struct file *f)
{
	struct namespace *mounts = NULL;
	struct open_text *o = NULL;
	struct target at;
	uint64_t space;
	int error = target_get(i, &at);

	if (error)
		return -ENOENT;
	/* In this order: see process_may_inspect(). */
	space = node_of(i)->entry->flags & ENTRY_SPACE ? target_space_id(&at) : 0;
	error = may_inspect(i, &at);
	if (!error && f->ops == &mounts_file_ops) {
		mounts = process_namespace(at.process, NULL, NAMESPACE_MOUNT, false);
		error = mounts ? 0 : -EINVAL;
	}
	target_put(&at);
	if (error)
		return error;
	if (f->ops != &proc_text_ops && f->ops != &proc_process_text_ops && f->ops != &mounts_file_ops) {
		f->private = (void *)(uintptr_t)space;
		return 0;
	}
	o = kzalloc(sizeof(*o));
	if (!o) {
		namespace_put(mounts);
		return -ENOMEM;
	}
	o->mounts = (struct mount_namespace *)mounts;
	if (mounts)
		o->event = READ_ONCE(o->mounts->event);
	o->space = space;
	f->private = o;
	return 0;
}

static void
text_release(struct file *f)
{
	struct open_text *o = f->private;

	if (o) {
		text_free(&o->file.text);
		namespace_put(o->mounts ? &o->mounts->ns : NULL);
	}
	kfree(o);
}

/* Does the file tell of a program that is no more? */
static bool
space_gone(const struct entry *e, struct target *at, uint64_t id)
{
	return (e->flags & ENTRY_SPACE) && target_space_id(at) != id;
}

static int
make_text(struct file *f, struct text *out)
{
	const struct entry *e = node_of(f->inode)->entry;
	const struct open_text *o = f->private;
	struct target at;
	int error;

	if (e->constant) {
		text_print(out, "%s\n", e->constant);
		return 0;
	}
	if (e->setting)
		return setting_show(e->setting, out);
	if (!e->show)
		return -EINVAL;
	error = target_get(f->inode, &at);
	if (error)
		return error;
	error = may_inspect(f->inode, &at);
	if (!error)
		error = e->show(out, &at);
	/* Asked afterwards: it may have become another, that we may not inspect, at any time before. */
	if (space_gone(e, &at, o->space))
		out->used = 0;
	target_put(&at);
	return error;
}

static ssize_t
text_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct open_text *o = f->private;

	return text_file_read(f, &o->file, make_text, to, pos);
}

static ssize_t
write_to_target(struct file *f, char *data, size_t n)
{
	struct target at;
	ssize_t result = target_get(f->inode, &at);

	if (result)
		return result;
	at.opener = f->cred;
	result = node_of(f->inode)->entry->write(&at, data, n);
	target_put(&at);
	return result;
}

static ssize_t
text_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	const struct entry *e = node_of(f->inode)->entry;
	size_t n = MIN(from->count, PAGE_SIZE - 1);
	ssize_t result;
	char *data;

	if (!e->write && !e->setting)
		return -EIO;
	if (e->setting && (n == 0 || *pos > 0)) {
		*pos += (loff_t)n;
		return (ssize_t)n;
	}
	data = kmalloc(PAGE_SIZE, 0);
	if (!data)
		return -ENOMEM;
	result = -EFAULT;
	if (iov_copy_from(data, from, n) < n)
		goto out;
	data[n] = '\0';
	result = e->setting ? setting_write(e->setting, data) : write_to_target(f, data, n);
	if (result > 0)
		*pos += result;
out:
	kfree(data);
	return result;
}

/* Always readable; each change of the tree is told once. */
static uint32_t
mounts_poll(struct file *f, struct poll_table *pt)
{
	struct open_text *o = f->private;
	uint64_t now;

	poll_wait(pt, f, &o->mounts->changed);
	now = atomic_load(&o->mounts->event);
	return POLLIN | POLLRDNORM | (atomic_exchange(&o->event, now) != now ? POLLERR | POLLPRI : 0);
}

const struct file_ops mounts_file_ops = {
	.name = "proc mounts",
	.read = text_read,
	.seek = seek_without_end,
	.poll = mounts_poll,
	.release = text_release,
};

const struct file_ops proc_text_ops = {
	.name = "proc",
	.read = text_read,
	.write = text_write,
	.seek = seek_without_end,
	.release = text_release,
};

/* Below /proc/PID nothing can be spliced, as on Linux. */
const struct file_ops proc_process_text_ops = {
	.name = "proc",
	.read = text_read,
	.write = text_write,
	.seek = seek_without_end,
	.release = text_release,
	.no_splice_read = true,
	.no_splice_write = true,
};
