/* SPDX-License-Identifier: MIT */
/*
 * splice.c - splice, tee, vmsplice: moving bytes through a pipe without a program's buffer.
 *
 * Between pipes pages are shared or handed over; between a pipe and another object bytes are copied once, from or to the
 * pipe's pages, and once more where they are a message that is taken as a whole or not at all.
 *
 * A program's memory is lent to a pipe: what is read is what is there then. So it may change under the eyes of who reads;
 * whoever believes what he has looked at looks at a copy.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/page.h>
#include <tessera/pipe.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "io_uring.h"
#include "linux.h"

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_KNOWN    15u

struct sink {
	struct file *file;
	loff_t *pos;   /* NULL: its own */
};

static ssize_t
put_in_file(void *ctx, const void *data, size_t n)
{
	struct sink *s = ctx;
	struct iov_iter it;

	iov_iter_kernel(&it, (void *)data, n);
	return file_write(s->file, &it, s->pos);
}

/* What a pipe had, collected. */
struct message {
	char *data;
	size_t size;
};

static ssize_t
put_in_message(void *ctx, const void *data, size_t n)
{
	struct message *m = ctx;

	memcpy(m->data + m->size, data, n);
	m->size += n;
	return (ssize_t)n;
}

/* All of the n bytes at once, or nothing. */
static ssize_t
pipe_to_message(struct pipe *p, struct file *out, size_t n)
{
	struct message m = { 0 };
	struct iov_iter it;
	ssize_t r;

	if (pipe_available(p) < n)
		return -EINVAL;
	m.data = kvmalloc(n);
	if (!m.data)
		return -ENOMEM;
	r = pipe_drain(p, n, put_in_message, &m);
	if (r > 0) {
		iov_iter_kernel(&it, m.data, m.size);
		r = file_write(out, &it, NULL);
	}
	kvfree(m.data);
	return r;
}

static ssize_t
pipe_to_file(struct pipe *p, struct file *out, loff_t *pos, size_t n, bool nonblock)
{
	struct sink s = { out, pos };
	ssize_t r;

	if (out->ops->splice_messages)
		return pipe_to_message(p, out, n);
	r = pipe_wait_data(p, nonblock);
	return r ? r : pipe_drain(p, n, put_in_file, &s);
}

/* Only what has room is read, so nothing is read that the pipe would not take. */
static ssize_t
file_to_pipe(struct file *in, loff_t *pos, struct file *out, size_t n, bool nonblock)
{
	struct pipe *p = file_pipe(out);
	struct iov_iter it;
	size_t room;
	loff_t at;
	char *buf;
	ssize_t r = pipe_wait_room(p, nonblock);

	if (r)
		return r;
	room = MAX(pipe_room(p), PAGE_SIZE);
	n = MIN(n, room);
	if (!in->ops->splice_messages)
		n = MIN(n, 16 * PAGE_SIZE);
	buf = kvmalloc(n);
	if (!buf)
		return -ENOMEM;
	iov_iter_kernel(&it, buf, n);
	if (pos)
		at = *pos;
	r = file_read(in, &it, pos ? &at : NULL);
	if (r > 0) {
		iov_iter_kernel(&it, buf, (size_t)r);
		r = file_write(out, &it, NULL);
		if (r > 0 && pos)
			*pos += r;
	}
	kvfree(buf);
	return r;
}

static ssize_t
pipe_to_pipe(struct pipe *from, struct pipe *to, size_t n, bool nonblock, bool move)
{
	ssize_t r;

	if (from == to)
		return -EINVAL;
	for (;;) {
		r = pipe_wait_data(from, nonblock);
		if (!r)
			r = pipe_wait_room(to, nonblock);
		if (r)
			return r;
		r = pipe_share(from, to, n, move);
		if (r || pipe_available(from) == 0)
			return r; /* 0: no writer is left */
	}
}

static ssize_t
splice_files(struct file *in, loff_t *in_pos, struct file *out, loff_t *out_pos, size_t n,
	unsigned int flags)
{
	bool nonblock = flags & SPLICE_F_NONBLOCK;
	struct pipe *from = file_pipe(in), *to = file_pipe(out);

	if (from && (in->flags & O_NONBLOCK))
		nonblock = true;
	if (to && (out->flags & O_NONBLOCK))
		nonblock = true;
	if (from && to)
		return pipe_to_pipe(from, to, n, nonblock, true);
	if (from) {
		if ((out->flags & O_APPEND) || out->ops->no_splice_write)
			return -EINVAL;
		return pipe_to_file(from, out, out_pos, n, nonblock);
	}
	if (to)
		return in->ops->no_splice_read ? -EINVAL : file_to_pipe(in, in_pos, out, n, nonblock);
	return -EINVAL;
}

/* The two sides of a splice or tee, and what their handles may do. */
struct sides {
	struct file *in, *out;
	uint64_t in_rights, out_rights;
};

/* 0 with both held, or an errno. */
static long
sides_get(struct sides *s, int in_fd, int out_fd)
{
	int error = 0;

	s->in = handle_get_rights(in_fd, &s->in_rights, &error);
	if (!s->in)
		return error;
	s->out = handle_get_rights(out_fd, &s->out_rights, &error);
	if (!s->out)
		file_put(s->in);
	return error;
}

static void
sides_put(struct sides *s)
{
	file_put(s->out);
	file_put(s->in);
}

static long
sides_may_move(const struct sides *s)
{
	long error = handle_need(s->in, s->in_rights, RIGHT_READ);

	return error ? error : handle_need(s->out, s->out_rights, RIGHT_WRITE);
}

/* Offsets are fetched before anything else is asked of the two: a pipe has none. */
static long
splice_at(struct sides *s, loff_t __user *uin, loff_t __user *uout, size_t n, unsigned int flags)
{
	struct file *in = s->in, *out = s->out;
	loff_t in_pos = 0, out_pos = 0;
	long r;

	if ((uin && file_pipe(in)) || (uout && file_pipe(out)))
		return -ESPIPE;
	if ((uout && get_user(out_pos, uout)) || (uin && get_user(in_pos, uin)))
		return -EFAULT;
	r = sides_may_move(s);
	if (r)
		return r;
	if ((uin && !(in->mode & FILE_SEEKABLE)) || (uout && !(out->mode & FILE_SEEKABLE)))
		return -EINVAL;
	if (in->inode && S_ISDIR(in->inode->mode))
		return -EINVAL;
	r = splice_files(
		in, uin ? &in_pos : NULL, out, uout ? &out_pos : NULL, MIN(n, RW_MAX), flags);
	if (r < 0)
		return r;
	if (uin && put_user(in_pos, uin))
		return -EFAULT;
	if (uout && put_user(out_pos, uout))
		return -EFAULT;
	return r;
}

long
linux_splice(int in_fd, loff_t __user *uin, int out_fd, loff_t __user *uout, size_t n,
	unsigned int flags)
{
	struct sides s;
	long r;

	if (flags & ~SPLICE_F_KNOWN)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = sides_get(&s, in_fd, out_fd);
	if (r)
		return r;
	r = splice_at(&s, uin, uout, n, flags);
	sides_put(&s);
	return r;
}

/* An offset that the kernel holds: -1 is none, and a pipe has none. */
static long
check_offset(struct file *f, loff_t pos)
{
	if (pos == -1)
		return 0;
	return file_pipe(f) ? -ESPIPE : f->mode & FILE_SEEKABLE ? 0 : -EINVAL;
}

long
io_uring_splice(int in_fd, loff_t in_pos, int out_fd, loff_t out_pos, size_t n, unsigned int flags)
{
	struct sides s;
	long r;

	if (flags & ~SPLICE_F_KNOWN)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = sides_get(&s, in_fd, out_fd);
	if (r)
		return r;
	r = sides_may_move(&s);
	if (!r)
		r = check_offset(s.in, in_pos);
	if (!r)
		r = check_offset(s.out, out_pos);
	if (!r && s.in->inode && S_ISDIR(s.in->inode->mode))
		r = -EINVAL;
	if (!r)
		r = splice_files(s.in, in_pos == -1 ? NULL : &in_pos, s.out, out_pos == -1 ? NULL : &out_pos,
				 MIN(n, RW_MAX), flags);
	sides_put(&s);
	return r;
}

long
linux_tee(int in_fd, int out_fd, size_t n, unsigned int flags)
{
	struct sides s;
	long r;

	if (flags & ~SPLICE_F_KNOWN)
		return -EINVAL;
	if (n == 0)
		return 0;
	r = sides_get(&s, in_fd, out_fd);
	if (r)
		return r;
	r = sides_may_move(&s);
	if (!r && !(file_pipe(s.in) && file_pipe(s.out)))
		r = -EINVAL;
	if (!r)
		r = pipe_to_pipe(file_pipe(s.in), file_pipe(s.out), n,
				 (flags & SPLICE_F_NONBLOCK) || ((s.in->flags | s.out->flags) & O_NONBLOCK),
				 false);
	sides_put(&s);
	return r;
}

#define VECTOR_FAST 8

/* A program's memory goes into the pipe as it is, not what it holds: whoever reads sees what was written there since, and
 * libfuse mends a length in a header after that. Up to what fits, or the first address that is none. */
static ssize_t
lend_range(struct pipe *p, vaddr_t addr, size_t n)
{
	size_t done = 0;

	while (done < n) {
		struct address_space *as = current_process()->as;
		vaddr_t at = addr + done;
		uint32_t inside = at % PAGE_SIZE, length = (uint32_t)MIN(n - done, PAGE_SIZE - inside);
		struct page *page, *head;
		int error;

		address_space_split_block(as, at); /* else a byte keeps 2 MiB, for as long as nobody reads it */
		error = address_space_get_page(as, at, false, false, &page);
		if (error)
			return done ? (ssize_t)done : error == -ENOMEM ? -ENOMEM : -EFAULT;
		head = page_head(page);
		if (!pipe_lend(p, head, (uint32_t)(page - head) * PAGE_SIZE + inside, length)) {
			page_put(head);
			break;
		}
		done += length;
	}
	return (ssize_t)done;
}

/* What fits of the n bytes; 0: nothing does, or nobody reads. */
static ssize_t
lend_segments(struct pipe *p, const struct iovec *v, unsigned long segments, size_t n)
{
	size_t done = 0;

	for (unsigned long i = 0; i < segments && done < n; i++) {
		size_t wanted = MIN(v[i].length, n - done);
		ssize_t r = lend_range(p, (vaddr_t)v[i].base, wanted);

		if (r < 0)
			return done ? (ssize_t)done : r;
		done += (size_t)r;
		if ((size_t)r < wanted)
			break;
	}
	return (ssize_t)done;
}

/* It waits until there is room: then what does not fit stays. Others may fill it first, or close it. */
static ssize_t
lend_to_pipe(struct pipe *p, const struct iovec *v, unsigned long segments, size_t n, bool nonblock)
{
	ssize_t r;

	do {
		r = pipe_wait_room(p, nonblock);
		if (!r)
			r = lend_segments(p, v, segments, n);
	} while (r == 0);
	if (r > 0)
		pipe_lent(p);
	return r;
}

/* Whether it waits is said by the call alone, not by the open file. */
static ssize_t
read_from_pipe(struct file *f, struct iov_iter *it, bool nonblock)
{
	ssize_t r;

	do {
		r = pipe_wait_data(file_pipe(f), nonblock);
		if (!r)
			r = file_read_flags(f, it, NULL, RW_NOWAIT);
	} while (r == -EAGAIN && !nonblock);
	return r;
}

/* The end decides the direction. */
long
linux_vmsplice(int fd, const struct iovec __user *vec, unsigned long segments, unsigned int flags)
{
	struct iovec fast[VECTOR_FAST], *v = fast;
	uint64_t rights;
	struct iov_iter it;
	int error = 0;
	struct file *f;
	long n;

	if (flags & ~SPLICE_F_KNOWN)
		return -EINVAL;
	f = handle_get_rights(fd, &rights, &error);
	if (!f)
		return error;
	n = iov_import(vec, segments, fast, &v);
	if (n <= 0)
		goto free_vector;
	if (!file_pipe(f)) {
		n = -EBADF;
	} else if (!(rights & (f->mode & FILE_WRITE ? RIGHT_WRITE : RIGHT_READ))) {
		n = -EPERM;
	} else if (f->mode & FILE_WRITE) {
		n = lend_to_pipe(file_pipe(f), v, segments, MIN((size_t)n, RW_MAX), flags & SPLICE_F_NONBLOCK);
	} else {
		iov_iter_segments(&it, v, (uint32_t)segments, MIN((size_t)n, RW_MAX));
		n = read_from_pipe(f, &it, flags & SPLICE_F_NONBLOCK);
	}
free_vector:
	iov_import_free(fast, v);
	file_put(f);
	return n;
}
