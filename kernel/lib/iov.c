/* SPDX-License-Identifier: MIT */
/*
 * iov.c - iterators over user segments or one kernel buffer.
 *
 * `count` is what is left; segment and segment_offset name the next byte. Segments of length 0 are
 * stepped over when the position is normalised, never before: iov_revert() walks back over them.
 */
#include <tessera/errno.h>
#include <tessera/iov.h>
#include <tessera/kasan.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#define IOV_FAST 8u

void
iov_iter_user(struct iov_iter *it, struct iovec *one, void __user *base, size_t n)
{
	one->base = base;
	one->length = n;
	iov_iter_segments(it, one, 1, n);
}

void
iov_iter_segments(struct iov_iter *it, const struct iovec *segments, uint32_t n, size_t total)
{
	it->segment = segments;
	it->segments = n;
	it->segment_offset = 0;
	it->kernel = NULL;
	it->count = total;
}

void
iov_iter_kernel(struct iov_iter *it, void *buf, size_t n)
{
	it->segment = NULL;
	it->segments = 0;
	it->segment_offset = 0;
	it->kernel = buf;
	it->count = n;
}

size_t
iov_piece(struct iov_iter *it, size_t n, char __user **at)
{
	while (it->segment_offset == it->segment->length) {
		it->segment++;
		it->segments--;
		it->segment_offset = 0;
	}
	*at = (char __user *)it->segment->base + it->segment_offset;
	n = MIN(n, it->count);
	return MIN(n, it->segment->length - it->segment_offset);
}

enum direction { TO_ITER, FROM_ITER, ZERO_ITER };

static size_t
move(struct iov_iter *it, char *buf, size_t n, enum direction way)
{
	size_t done = 0;

	n = MIN(n, it->count);
	if (config_kasan && way == TO_ITER)
		kasan_check_read(buf, n);
	if (config_kasan && way == FROM_ITER)
		kasan_check_write(buf, n);
	if (!it->segment) {
		if (way == TO_ITER)
			memcpy(it->kernel, buf, n);
		else if (way == FROM_ITER)
			memcpy(buf, it->kernel, n);
		else
			memset(it->kernel, 0, n);
		it->kernel += n;
		it->count -= n;
		return n;
	}
	while (done < n) {
		char __user *at;
		size_t want = iov_piece(it, n - done, &at), left;

		if (unlikely(!user_range_ok(at, want)))
			break;
		if (way == TO_ITER)
			left = arch_copy_to_user(at, buf + done, want);
		else if (way == FROM_ITER)
			left = arch_copy_from_user(buf + done, at, want);
		else
			left = arch_clear_user(at, want);
		it->segment_offset += want - left;
		it->count -= want - left;
		done += want - left;
		if (left > 0)
			break;
	}
	return done;
}

size_t
iov_copy_to(struct iov_iter *to, const void *from, size_t n)
{
	return move(to, (char *)from, n, TO_ITER);
}

size_t
iov_copy_from(void *to, struct iov_iter *from, size_t n)
{
	return move(from, to, n, FROM_ITER);
}

size_t
iov_zero(struct iov_iter *to, size_t n)
{
	return move(to, NULL, n, ZERO_ITER);
}

void
iov_advance(struct iov_iter *it, size_t n)
{
	n = MIN(n, it->count);
	if (!it->segment) {
		it->kernel += n;
		it->count -= n;
		return;
	}
	while (n > 0) {
		char __user *at;
		size_t step = iov_piece(it, n, &at);

		it->segment_offset += step;
		it->count -= step;
		n -= step;
	}
}

void
iov_revert(struct iov_iter *it, size_t n)
{
	it->count += n;
	if (!it->segment) {
		it->kernel -= n;
		return;
	}
	while (n > it->segment_offset) {
		n -= it->segment_offset;
		it->segment--;
		it->segments++;
		it->segment_offset = it->segment->length;
	}
	it->segment_offset -= n;
}

ssize_t
iov_import(const struct iovec __user *uvec, unsigned long n, struct iovec *fast, struct iovec **out)
{
	struct iovec *v = fast;
	size_t total = 0;
	ssize_t error;

	*out = fast;
	if (n > IOV_MAX)
		return -EINVAL;
	if (n > IOV_FAST) {
		v = kmalloc(n * sizeof(*v), 0);
		if (!v)
			return -ENOMEM;
	}
	error = -EFAULT;
	if (n > 0 && copy_from_user(v, uvec, n * sizeof(*v)) != 0)
		goto free_vector;
	for (unsigned long i = 0; i < n; i++) {
		error = -EINVAL;
		if ((ssize_t)v[i].length < 0)
			goto free_vector;
		error = -EFAULT;
		if (!user_range_ok(v[i].base, v[i].length))
			goto free_vector;
		/* The call moves no more than RW_MAX: what lies beyond is cut off, as Linux
		 * does. */
		if (v[i].length > RW_MAX - total)
			v[i].length = RW_MAX - total;
		total += v[i].length;
	}
	*out = v;
	return (ssize_t)total;

free_vector:
	iov_import_free(fast, v);
	return error;
}

void
iov_import_free(struct iovec *fast, struct iovec *v)
{
	if (v != fast)
		kfree(v);
}
