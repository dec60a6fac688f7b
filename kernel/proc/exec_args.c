/* SPDX-License-Identifier: MIT */
/*
 * exec_args.c - collecting a new program's arguments and environment.
 *
 * They are copied out of the old program into one growing buffer, because the old memory is gone when
 * the new stack is written. Limits as in execve(2): one string 128 KiB, all together (pointers
 * included) a quarter of the stack limit, at most 6 MiB and at least 128 KiB.
 */
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "exec.h"
#include "proc.h"

#define STRING_MAX   (32 * PAGE_SIZE)
#define ARGS_MIN     (128ul << 10)
#define ARGS_MAX     (6ul << 20)
#define CAPACITY_MIN (2 * PAGE_SIZE)

int
exec_args_init(struct exec_args *a)
{
	uint64_t limit = process_limit(current_process(), RLIMIT_STACK) / 4;

	*a = (struct exec_args){ .limit = MAX(MIN(limit, ARGS_MAX), ARGS_MIN) };
	a->data = kvmalloc(CAPACITY_MIN);
	if (!a->data)
		return -ENOMEM;
	a->capacity = CAPACITY_MIN;
	return 0;
}

void
exec_args_free(struct exec_args *a)
{
	if (a->data)
		kvfree(a->data);
	a->data = NULL;
}

/* Make room for `more` bytes behind what is used. */
static int
grow(struct exec_args *a, size_t more)
{
	size_t capacity = a->capacity;
	char *data;

	if (a->used + more <= capacity)
		return 0;
	while (a->used + more > capacity)
		capacity *= 2;
	data = kvmalloc(capacity);
	if (!data)
		return -ENOMEM;
	memcpy(data, a->data, a->used);
	kvfree(a->data);
	a->data = data;
	a->capacity = capacity;
	return 0;
}

/* A string of `size` bytes, NUL included, and its pointer have come on top. */
static int
account(struct exec_args *a, size_t size)
{
	if (size + sizeof(uint64_t) > a->limit)
		return -E2BIG;
	a->limit -= size + sizeof(uint64_t);
	a->used += size;
	return 0;
}

int
exec_args_add(struct exec_args *a, const char *s)
{
	size_t size = strlen(s) + 1;
	int error = size > STRING_MAX ? -E2BIG : grow(a, size);

	if (error)
		return error;
	memcpy(a->data + a->used, s, size);
	return account(a, size);
}

static int
add_user(struct exec_args *a, const char __user *s)
{
	size_t room = 256;
	long length;
	int error;

	for (;;) {
		error = grow(a, room);
		if (error)
			return error;
		room = MIN(a->capacity - a->used, STRING_MAX);
		length = copy_string_from_user(a->data + a->used, s, room);
		if (length >= 0)
			return account(a, length + 1);
		if (length != -ENAMETOOLONG)
			return (int)length;
		if (room >= STRING_MAX || room > a->limit)
			return -E2BIG;
		room *= 2;
	}
}

/* Add the strings of `from` but the first `skip`. *count grows by how many. */
int
exec_args_add_source(struct exec_args *a, const struct exec_source *from, uint32_t skip, uint32_t *count)
{
	for (uint32_t i = 0;; i++) {
		uint64_t pointer;
		int error;

		if (from->kernel) {
			if (!from->kernel[i])
				return 0;
			if (i < skip)
				continue;
			error = exec_args_add(a, from->kernel[i]);
		} else {
			if (!from->user)
				return 0;
			error = copy_from_user(&pointer, (const uint64_t __user *)from->user + i, 8);
			if (error)
				return error;
			if (!pointer)
				return 0;
			if (i < skip)
				continue;
			error = add_user(a, (const char __user *)pointer);
		}
		if (error)
			return error;
		(*count)++;
	}
}
