/* SPDX-License-Identifier: MIT */
/* as: kernel/mm/sample.c - errors with memory that a reader of paths must find. */
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

struct node {
	struct node *next;
	uint32_t count;
};

uint32_t sample_use_after_free(struct node *n);
uint32_t sample_null(struct node *n);
uint32_t sample_uninitialised(int which);
int sample_leak(size_t size);
uint32_t sample_tainted(const uint32_t __user *from);
void sample_overflow(const char *text);

uint32_t
sample_use_after_free(struct node *n)
{
	struct node *m = kmalloc(sizeof(*m), 0);

	if (!m)
		return 0;
	m->count = n->count;
	kfree(m);
	return m->count; /* found: clang/unix.Malloc gcc/use-after-free */
}

uint32_t
sample_null(struct node *n)
{
	if (!n->next && n->count > 2)
		return n->next->count; /* found: clang/core.NullDereference */
	return 0;
}

uint32_t
sample_uninitialised(int which)
{
	uint32_t value;

	if (which > 3)
		value = 1;
	return value; /* found: clang/core.uninitialized.UndefReturn gcc/use-of-uninitialized-value cppcheck/uninitvar */
}

int
sample_leak(size_t size)
{
	char *buffer = kmalloc(size, 0);

	if (!buffer)
		return -ENOMEM;
	if (size > 100)
		return -EINVAL; /* found: clang/unix.Malloc cppcheck/memleak */
	kfree(buffer);
	return 0;
}

static const uint32_t table[16] = { 1, 2, 3 };

uint32_t
sample_tainted(const uint32_t __user *from)
{
	uint32_t index;

	if (copy_from_user(&index, from, sizeof(index)))
		return 0;
	return table[index]; /* found: clang/alpha.security.ArrayBoundV2 */
}

void
sample_overflow(const char *text)
{
	char room[8];

	memset(room, 0, sizeof(room) + 1); /* found: clang/alpha.unix.cstring.OutOfBounds cppcheck/bufferAccessOutOfBounds */
	(void)text;
}
