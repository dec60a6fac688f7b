/* SPDX-License-Identifier: MIT */
/* as: kernel/mm/sample.c - mistakes that both compilers pass over by default. */
#include <tessera/print.h>
#include <tessera/types.h>

uint32_t sample_shortened(uint64_t count);
int sample_same(int a);
void sample_format(uint32_t n);

uint32_t
sample_shortened(uint64_t count)
{
	return count; /* found: warnings/shorten-64-to-32 */
}

int
sample_same(int a)
{
	if (a == 1)
		return 5;
	else if (a == 1) /* found: warnings/duplicated-cond */
		return 6;
	return 0;
}

void
sample_format(uint32_t n)
{
	pr_info("%d\n", n); /* found: warnings/format */
}
