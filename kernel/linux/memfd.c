/* SPDX-License-Identifier: MIT */
/*
 * memfd.c - memfd_create.
 */
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "linux.h"

#define MFD_CLOEXEC       1u
#define MFD_ALLOW_SEALING 2u
#define MFD_HUGETLB       4u
#define MFD_HUGE_SHIFT    26
#define MFD_HUGE_MASK     0xfc000000u
#define NAME_LIMIT        (NAME_MAX - 6) /* "memfd:" comes before */

long
linux_memfd_create(const char __user *uname, unsigned int flags)
{
	char name[NAME_MAX + 32] = "/memfd:";
	unsigned int huge = flags >> MFD_HUGE_SHIFT;
	size_t prefix = strlen(name);
	struct file *f;
	long n;
	int fd;

	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB | MFD_HUGE_MASK))
		return -EINVAL;
	if (!(flags & MFD_HUGETLB) && (flags & MFD_HUGE_MASK))
		return -EINVAL;
	/* The logarithm of the size: none, 2 MiB or 1 GiB. */
	if (huge != 0 && huge != 21 && huge != 30)
		return -ENODEV;
	n = copy_string_from_user(name + prefix, uname, NAME_LIMIT + 1);
	if (n == -ENAMETOOLONG)
		return -EINVAL;
	if (n < 0)
		return n;
	string_copy(name + strlen(name), " (deleted)", 16);
	n = memory_file_create(name, O_RDWR | O_LARGEFILE, &f);
	if (n)
		return n;
	if (flags & MFD_ALLOW_SEALING)
		f->inode->seals = 0;
	fd = handle_open(f, handle_rights_of(f), flags & MFD_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}
