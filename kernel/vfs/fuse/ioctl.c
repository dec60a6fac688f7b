/* SPDX-License-Identifier: MIT */
/*
 * ioctl.c - ioctl(2) at the daemon, and poll.
 *
 * A file system's daemon gets and gives as many bytes as the command's number says, at the program's argument: it cannot
 * make the kernel read or write elsewhere. A character device's (CUSE) may answer "again, with these pieces of the
 * program's memory" (FUSE_IOCTL_RETRY); they are copied for it, with the caller's rights.
 *
 * The command's number: bits 30-31 direction (1 the program gives, 2 it gets), 16-29 size.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "fuse.h"

#define DIRECTION(command) ((command) >> 30)
#define SIZE(command)      ((command) >> 16 & 0x3fff)
#define GIVES              1u
#define GETS               2u

#define FS_IOC_GETFLAGS 0x80086601u
#define FS_IOC_SETFLAGS 0x40086602u

#define RETRIES 8 /* rounds in which a daemon may ask for other pieces */

/* A command being done. */
struct command {
	struct fuse_file *file;
	struct fuse_ioctl_in in;
	struct iovec *vec;             /* in_count pieces to be sent, then out_count to be filled */
	uint32_t in_count, out_count;
	bool unrestricted;
};

static size_t
total(const struct iovec *v, uint32_t n)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < n; i++)
		if (__builtin_add_overflow(sum, v[i].length, &sum))
			return SIZE_MAX;
	return sum;
}

/* What the command's number says. */
static void
pieces_of_number(struct command *cmd, unsigned int command, uintptr_t arg)
{
	size_t size = command == FS_IOC_GETFLAGS || command == FS_IOC_SETFLAGS ? sizeof(int) : SIZE(command);

	cmd->in_count = DIRECTION(command) & GIVES ? 1 : 0;
	cmd->out_count = DIRECTION(command) & GETS ? 1 : 0;
	for (uint32_t i = 0; i < 2; i++)
		cmd->vec[i] = (struct iovec){ (void __user *)arg, size };
}

static int
copy_pieces(const struct iovec *v, uint32_t n, char *buf, size_t size, bool to_user)
{
	for (uint32_t i = 0; i < n && size > 0; i++) {
		size_t part = MIN(size, v[i].length);
		int error = to_user ? copy_to_user(v[i].base, buf, part) : copy_from_user(buf, v[i].base, part);

		if (error)
			return error;
		buf += part;
		size -= part;
	}
	return 0;
}

/* The pieces that the daemon wants instead. */
static int
take_pieces(struct command *cmd, const struct fuse_ioctl_out *out, size_t got)
{
	const struct fuse_ioctl_iovec *from = (const struct fuse_ioctl_iovec *)(out + 1);
	uint32_t n = out->in_count + out->out_count;

	if (out->in_count > FUSE_IOCTL_MAX_IOV || out->out_count > FUSE_IOCTL_MAX_IOV || n > FUSE_IOCTL_MAX_IOV)
		return -ENOMEM;
	if (got != n * sizeof(*from))
		return -EIO;
	cmd->in_count = out->in_count;
	cmd->out_count = out->out_count;
	for (uint32_t i = 0; i < n; i++) {
		cmd->vec[i] = (struct iovec){ (void __user *)from[i].base, from[i].length };
		if (!user_range_ok(cmd->vec[i].base, from[i].length))
			return -EIO;
	}
	return 0;
}

static struct fuse_request *
command_request(struct command *cmd, int *error)
{
	size_t in = total(cmd->vec, cmd->in_count), out = total(cmd->vec + cmd->in_count, cmd->out_count);
	size_t most = (size_t)cmd->file->conn->max_pages * PAGE_SIZE;
	size_t room = MAX(out, cmd->unrestricted ? FUSE_IOCTL_MAX_IOV * sizeof(struct fuse_ioctl_iovec) : 0);
	struct fuse_request *r = NULL;

	*error = in > most || out > most ? -ENOMEM : 0;
	if (*error)
		return NULL;
	cmd->in.in_size = (uint32_t)in;
	cmd->in.out_size = (uint32_t)out;
	*error = -ENOMEM;
	r = fuse_file_request(cmd->file, FUSE_IOCTL, &cmd->in, sizeof(cmd->in));
	if (!r || !fuse_request_wants(r, sizeof(struct fuse_ioctl_out) + room, true))
		goto put;
	if (in) {
		r->data = kvmalloc(in);
		if (!r->data)
			goto put;
		r->data_size = in;
		*error = copy_pieces(cmd->vec, cmd->in_count, r->data, in, false);
		if (*error)
			goto put;
	}
	*error = 0;
	return r;
put:
	fuse_request_put(r);
	return NULL;
}

/* One round. *again: with other pieces. */
static long
do_round(struct command *cmd, bool *again)
{
	const struct fuse_ioctl_out *out;
	int error;
	struct fuse_request *r = command_request(cmd, &error);
	size_t got;

	*again = false;
	if (!r)
		return error;
	error = fuse_request_call(r);
	out = r->out;
	if (!error && r->got < sizeof(*out))
		error = -EIO;
	if (error)
		goto put;
	got = r->got - sizeof(*out);
	if (out->flags & FUSE_IOCTL_RETRY) {
		*again = cmd->unrestricted;
		error = cmd->unrestricted ? take_pieces(cmd, out, got) : -EIO;
	} else if (got > cmd->in.out_size) {
		error = -EIO;
	} else {
		error = copy_pieces(cmd->vec + cmd->in_count, cmd->out_count, (char *)r->out + sizeof(*out), got, true);
		if (!error)
			error = out->result;
	}
put:
	fuse_request_put(r);
	return error;
}

long
fuse_do_ioctl(struct file *f, unsigned int command, uintptr_t arg, uint32_t flags)
{
	struct command cmd = {
		.file = fuse_file_of(f),
		.in = { .fh = fuse_file_of(f)->fh, .flags = flags, .command = command, .arg = arg },
		.unrestricted = flags & FUSE_IOCTL_UNRESTRICTED,
	};
	bool again = false;
	long result;

	cmd.vec = kmalloc(FUSE_IOCTL_MAX_IOV * sizeof(struct iovec), 0);
	if (!cmd.vec)
		return -ENOMEM;
	if (!cmd.unrestricted)
		pieces_of_number(&cmd, command, arg);
	result = do_round(&cmd, &again);
	for (int n = 0; again && !result; n++)
		result = n < RETRIES ? do_round(&cmd, &again) : -EIO;
	kfree(cmd.vec);
	return result == -ENOSYS ? -ENOTTY : result;
}

long
fuse_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	const struct fuse_connection *c = fuse_of(f->inode);
	bool directory = S_ISDIR(f->inode->mode);

	if (directory && !fuse_has(c, FUSE_HAS_IOCTL_DIR))
		return -ENOTTY;
	if (!fuse_may_access(c))
		return -EACCES;
	if (fuse_node_is_bad(f->inode))
		return -EIO;
	return fuse_do_ioctl(f, command, arg, directory ? FUSE_IOCTL_DIR : 0);
}

/* --- poll ----------------------------------------------------------------------------------------------- */

#define ALWAYS (POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM)

/* Somebody waits: the daemon is to tell when that may be over. */
static void
register_poller(struct fuse_file *ff)
{
	struct fuse_connection *c = ff->conn;

	spin_lock(&c->lock);
	if (!ff->polled)
		list_add_tail(&c->pollers, &ff->poll_node);
	ff->polled = true;
	spin_unlock(&c->lock);
}

uint32_t
fuse_poll(struct file *f, struct poll_table *pt)
{
	struct fuse_file *ff = fuse_file_of(f);
	struct fuse_poll_in in = { .fh = ff->fh, .kh = ff->kh, .events = pt ? pt->events : ALWAYS };
	struct fuse_request *r;
	uint32_t events = POLLERR;
	int error = -ENOMEM;

	if (fuse_lacks(ff->conn, LACK_POLL))
		return ALWAYS;
	poll_wait(pt, f, &ff->poll);
	if (!wait_queue_is_empty(&ff->poll)) {
		in.flags = FUSE_POLL_NOTIFY;
		register_poller(ff);
	}
	r = fuse_file_request(ff, FUSE_POLL, &in, sizeof(in));
	if (r && fuse_request_wants(r, sizeof(struct fuse_poll_out), false))
		error = fuse_request_call(r);
	if (!error)
		events = ((const struct fuse_poll_out *)r->out)->events & 0xffff;
	fuse_request_put(r);
	if (error == -ENOSYS) {
		fuse_lacks_it(ff->conn, LACK_POLL);
		return ALWAYS;
	}
	return events;
}

void
fuse_poll_wake(struct fuse_connection *c, uint64_t kh)
{
	struct fuse_file *ff;

	spin_lock(&c->lock);
	list_for_each(ff, &c->pollers, poll_node)
		if (ff->kh == kh)
			wake_poll(&ff->poll, ALWAYS);
	spin_unlock(&c->lock);
}
