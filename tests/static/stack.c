/* SPDX-License-Identifier: MIT */
/* as: kernel/mm/sample.c - stacks that grow too far. */
#include <tessera/string.h>
#include <tessera/types.h>

struct list {
	const struct list *next;
};

int sample_large(int n);
int sample_deep(const struct list *l);

__noinline int
sample_large(int n) /* found: stack/frame */
{
	volatile char room[2000];

	for (unsigned int i = 0; i < sizeof(room); i++)
		room[i] = (char)n;
	return room[n & 1023];
}

__noinline int
sample_deep(const struct list *l) /* found: stack/recursion */
{
	return l ? sample_deep(l->next) * 3 + sample_large((int)(uintptr_t)l) : 0;
}
