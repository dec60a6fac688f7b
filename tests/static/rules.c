/* SPDX-License-Identifier: MIT */
/* as: kernel/linux/sample.c - the rules of this tree. */
#include <string.h>              /* found: rules/include */
#include "../../kernel/mm/mm.h"            /* found: rules/include */
#ifdef SOMETHING                 /* found: rules/conditional */
#endif
#include <tessera/uaccess.h>

int sample_double_fetch(const uint64_t __user *size);

int
sample_double_fetch(const uint64_t __user *size)
{
	uint64_t first, second;

	if (get_user(first, size) || first > 4096)
		return -EINVAL;
	if (handle_rights(NULL, 3)) /* found: rules/rights */
		return -EBADF;
	if (get_user(second, size)) /* found: rules/double_fetch */
		return -EFAULT;
	return *__force_user(int *, size) + (int)second; /* found: rules/force_user */
}
