/* SPDX-License-Identifier: MIT */
/* as: kernel/mm/sample.c - what nothing reaches. */
#include <tessera/test.h>
#include <tessera/types.h>

int sample_reached(void);
int sample_forgotten(void);
int sample_only_by_forgotten(void);

int
sample_reached(void)
{
	return 1;
}

int
sample_forgotten(void) /* found: unused/function */
{
	return sample_only_by_forgotten();
}

int
sample_only_by_forgotten(void)
{
	return 3;
}

KTEST(sample)
{
	kcheck(sample_reached());
}
