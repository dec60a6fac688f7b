/* SPDX-License-Identifier: MIT */
/*
 * files.c - files registered with a ring, which requests name by their place.
 *
 * A place keeps what the handle that the file came by may do; it never gives more. Opening, accepting and the like
 * may put what they make into a place, named or any that is free, and need no number in the program's table.
 */
#include <tessera/errno.h>
#include <tessera/slab.h>

#include "uring.h"

int
uring_set_files(struct uring *u, struct uring_file *f, uint32_t count)
{
	int error = -EBUSY;

	mutex_lock(&u->lock);
	if (!u->files) {
		u->files = f;
		u->file_count = u->free_end = count;
		u->free_first = 0;
		error = 0;
	}
	mutex_unlock(&u->lock);
	return error;
}

int
uring_unset_files(struct uring *u)
{
	struct uring_file *old;
	uint32_t count;

	mutex_lock(&u->lock);
	old = u->files;
	count = u->file_count;
	u->files = NULL;
	u->file_count = u->free_first = u->free_end = 0;
	mutex_unlock(&u->lock);
	if (!old)
		return -ENXIO;
	for (uint32_t i = 0; i < count; i++)
		if (old[i].file)
			file_put_late(old[i].file);
	kfree(old);
	return 0;
}

/* *old: what lay there, for the caller to put. */
static int
replace_locked(struct uring *u, uint32_t index, struct uring_file f, struct file **old)
{
	*old = NULL;
	if (!u->files)
		return -ENXIO;
	if (index >= u->file_count)
		return -EINVAL;
	*old = u->files[index].file;
	u->files[index] = f;
	return 0;
}

int
uring_update_file(struct uring *u, uint32_t index, struct uring_file f)
{
	struct file *old;
	int error;

	mutex_lock(&u->lock);
	error = replace_locked(u, index, f, &old);
	mutex_unlock(&u->lock);
	if (old)
		file_put(old);
	return error;
}

static int
free_place_locked(struct uring *u)
{
	for (uint32_t i = u->free_first; i < u->free_end; i++)
		if (!u->files[i].file)
			return (int)i;
	return -ENFILE;
}

int
uring_install_file(struct uring *u, uint32_t place, struct uring_file f)
{
	struct file *old = NULL;
	int index, error;

	mutex_lock(&u->lock);
	index = place == URING_ALLOCATE ? free_place_locked(u) : (int)(place - 1);
	error = index < 0 && place == URING_ALLOCATE ? index : replace_locked(u, (uint32_t)index, f, &old);
	mutex_unlock(&u->lock);
	if (old)
		file_put(old);
	if (error)
		return error;
	return place == URING_ALLOCATE ? index : 0;
}

int
uring_set_file_range(struct uring *u, uint32_t first, uint32_t count)
{
	int error = 0;

	mutex_lock(&u->lock);
	if (first + (uint64_t)count > UINT32_MAX) {
		error = -EOVERFLOW;
	} else if (first + count > u->file_count) {
		error = -EINVAL;
	} else {
		u->free_first = first;
		u->free_end = first + count;
	}
	mutex_unlock(&u->lock);
	return error;
}

struct uring_file
uring_file_at(struct uring *u, uint32_t index)
{
	struct uring_file f = { 0 };

	mutex_lock(&u->lock);
	if (index < u->file_count && u->files[index].file) {
		f = u->files[index];
		file_get(f.file);
	}
	mutex_unlock(&u->lock);
	return f;
}

uint32_t
uring_file_count(struct uring *u)
{
	return READ_ONCE(u->file_count);
}
