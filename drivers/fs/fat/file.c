/* SPDX-License-Identifier: MIT */
/*
 * file.c - what files hold. A file has no holes: whatever lies between its old end and a write behind it becomes zeros.
 *
 * Order: clusters are in the table, and bytes in the clusters, before the slot says that they are the file's; and a slot
 * is shorter before clusters are free.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "volume.h"

#define ZEROS 65536u

int
fat_chain_io(struct fat_node *n, uint64_t offset, void *bytes, size_t size, bool write)
{
	struct fat *fs = n->fs;
	uint8_t *p = bytes;

	while (size) {
		uint32_t i = (uint32_t)(offset / fs->cluster_size), at = (uint32_t)(offset % fs->cluster_size);
		uint64_t where = fat_cluster_offset(fs, n->chain[i]) + at;
		size_t run = fs->cluster_size - at;
		int error;

		/* Clusters that lie behind one another go in one piece. */
		while (run < size && n->chain[i + 1] == n->chain[i] + 1) {
			run += fs->cluster_size;
			i++;
		}
		if (run > size)
			run = size;
		error = write ? fs->disk->write(fs->disk, where, p, run) : fs->disk->read(fs->disk, where, p, run);
		if (error)
			return error;
		p += run;
		offset += run;
		size -= run;
	}
	return 0;
}

int
fat_zero(struct fat_node *n, uint64_t from, uint64_t to)
{
	static uint8_t zeros[ZEROS];

	while (from < to) {
		size_t size = to - from < sizeof(zeros) ? (size_t)(to - from) : sizeof(zeros);
		int error = fat_chain_io(n, from, zeros, size, true);

		if (error)
			return error;
		from += size;
	}
	return 0;
}

static uint32_t
clusters_for(const struct fat *fs, uint64_t size)
{
	return (uint32_t)((size + fs->cluster_size - 1) / fs->cluster_size);
}

/* The file was changed, and has this size. */
static int
changed(struct fat_node *n, uint64_t size)
{
	n->size = (uint32_t)size;
	n->modified = fat_time_to_2s(fat_time_now(n->fs));
	n->attributes |= FAT_ARCHIVE;
	return fat_node_store(n);
}

ssize_t
fat_read(struct fat_node *n, uint64_t offset, void *to, size_t size)
{
	int error;

	if (fat_is_directory(n))
		return -EISDIR;
	if (offset >= n->size)
		return 0;
	if (size > n->size - offset)
		size = (size_t)(n->size - offset);
	error = fat_node_chain(n);
	if (!error)
		error = fat_chain_io(n, offset, to, size, false);
	return error ? error : (ssize_t)size;
}

/* Clusters up to `end`, or as far as there are any; *end is what there is. */
static int
reserve(struct fat_node *n, uint64_t *end)
{
	struct fat *fs = n->fs;
	uint64_t most;
	int error = fat_node_chain(n);

	if (error)
		return error;
	most = ((uint64_t)n->length + fs->free) * fs->cluster_size;
	if (*end > most)
		*end = most;
	return fat_node_grow(n, clusters_for(fs, *end));
}

/* After a failure: clusters that no byte of the file lies in. */
static void
give_back(struct fat_node *n)
{
	uint32_t keep = clusters_for(n->fs, n->size);

	if (n->length <= keep)
		return;
	fat_table_cut(n->fs, keep ? n->chain[keep - 1] : 0, n->chain + keep, n->length - keep);
	n->length = keep;
	if (!keep)
		n->first = 0;
	(void)fat_table_flush(n->fs);
}

ssize_t
fat_write(struct fat_node *n, uint64_t offset, const void *from, size_t size)
{
	uint64_t end = offset + size;
	int error;

	if (fat_is_directory(n))
		return -EISDIR;
	if (offset > UINT32_MAX || (offset == UINT32_MAX && size))
		return -EFBIG;
	if (size == 0)
		return 0;
	if (end > UINT32_MAX)
		end = UINT32_MAX;
	error = fat_begin(n->fs);
	if (error)
		return error;
	error = reserve(n, &end);
	if (!error && end <= offset)
		error = -ENOSPC;
	if (!error && offset > n->size)
		error = fat_zero(n, n->size, offset);
	if (!error)
		error = fat_chain_io(n, offset, (void *)from, (size_t)(end - offset), true);
	if (error) {
		give_back(n);
		return error;
	}
	error = changed(n, end > n->size ? end : n->size);
	return error ? error : (ssize_t)(end - offset);
}

static int
shorten(struct fat_node *n, uint64_t size)
{
	uint32_t keep = clusters_for(n->fs, size), had;
	int error = fat_node_chain(n);

	if (error)
		return error;
	had = n->length;
	if (!keep)
		n->first = 0;
	error = changed(n, size);
	if (error || keep >= had)
		return error;
	fat_table_cut(n->fs, keep ? n->chain[keep - 1] : 0, n->chain + keep, had - keep);
	n->length = keep;
	return fat_table_flush(n->fs);
}

static int
lengthen(struct fat_node *n, uint64_t size)
{
	int error = fat_node_grow(n, clusters_for(n->fs, size));

	if (!error)
		error = fat_zero(n, n->size, size);
	if (error) {
		give_back(n);
		return error;
	}
	return changed(n, size);
}

int
fat_resize(struct fat_node *n, uint64_t size)
{
	int error;

	if (fat_is_directory(n))
		return -EISDIR;
	if (size > UINT32_MAX)
		return -EFBIG;
	error = fat_begin(n->fs);
	if (error)
		return error;
	return size <= n->size ? shorten(n, size) : lengthen(n, size);
}

int
fat_set_attributes(struct fat_node *n, uint8_t attributes)
{
	int error = fat_begin(n->fs);

	if (error || n == n->fs->root)
		return error ? error : -EINVAL;
	n->attributes = (uint8_t)((n->attributes & ~FAT_SETTABLE) | (attributes & FAT_SETTABLE));
	return fat_node_store(n);
}

int
fat_set_times(struct fat_node *n, const struct fat_time *modified, const struct fat_time *accessed)
{
	int error = fat_begin(n->fs);

	if (error)
		return error;
	if (modified)
		n->modified = fat_time_to_2s(*modified);
	if (accessed)
		n->accessed = fat_time_to_day(*accessed);
	return fat_node_store(n);
}
