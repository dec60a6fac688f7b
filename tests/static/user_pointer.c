/* SPDX-License-Identifier: MIT */
/* as: kernel/linux/sample.c - what may not be done with a program's pointer. */
#include <tessera/string.h>
#include <tessera/uaccess.h>

int sample_dereference(const int __user *p);
int sample_mixed(const void __user *p, void *to);
int sample_unmarked(const void __user *p);

int
sample_dereference(const int __user *p)
{
	return *p; /* found: user/noderef */
}

int
sample_mixed(const void __user *p, void *to)
{
	memcpy(to, p, 8); /* found: user/address-space */
	return 0;
}

int
sample_unmarked(const void __user *p)
{
	const int *q = (const int *)p; /* found: user/address-space */

	return *q;
}
