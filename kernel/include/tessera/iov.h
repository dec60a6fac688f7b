/* SPDX-License-Identifier: MIT */
/*
 * iov.h - where bytes come from or go to: user segments or one kernel buffer, consumed as they move.
 */
#ifndef TESSERA_IOV_H
#define TESSERA_IOV_H

#include <tessera/types.h>

struct iovec {               /* Linux's layout */
	void __user *base;
	size_t length;
};

#define IOV_MAX 1024
#define RW_MAX  0x7ffff000ul /* the most one call moves */

struct iov_iter {
	const struct iovec *segment; /* user segments, or NULL: `kernel` */
	uint32_t segments;
	size_t segment_offset;       /* consumed of *segment */
	char *kernel;
	size_t count;                /* bytes left in all */
};

/* An iterator over a program's range (*one keeps it), over ranges that iov_import() checked, over the kernel's. */
void iov_iter_user(struct iov_iter *it, struct iovec *one, void __user *base, size_t n);
void iov_iter_segments(struct iov_iter *it, const struct iovec *segments, uint32_t n, size_t total);
void iov_iter_kernel(struct iov_iter *it, void *buf, size_t n);
/* Move up to n bytes, consuming. Returns bytes moved; fewer than MIN(n, count) only on a fault. */
size_t iov_copy_to(struct iov_iter *to, const void *from, size_t n);
size_t iov_copy_from(void *to, struct iov_iter *from, size_t n);
size_t iov_zero(struct iov_iter *to, size_t n);
void iov_advance(struct iov_iter *it, size_t n);
/* The next piece of a program's memory, at most n bytes of it: its length. The iterator has segments and count > 0. */
size_t iov_piece(struct iov_iter *it, size_t n, char __user **at);
void iov_revert(struct iov_iter *it, size_t n); /* undo the last n consumed bytes */
/* Copy in and check a user's iovec array (kmalloc'd when n > 8: free with iov_import_free).
 * Returns the total length or -EINVAL, -EFAULT, -ENOMEM. */
ssize_t iov_import(const struct iovec __user *uvec, unsigned long n, struct iovec *fast,
		   struct iovec **out);
void iov_import_free(struct iovec *fast, struct iovec *v);

#endif
