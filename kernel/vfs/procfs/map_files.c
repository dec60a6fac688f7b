/* SPDX-License-Identifier: MIT */
/*
 * map_files.c - /proc/PID/map_files: a link for each mapping of a file, named by its addresses, "START-END" in
 * hexadecimal. Its number as a name of a list is the start.
 */
#include <tessera/address_space.h>
#include <tessera/errno.h>
#include <tessera/print.h>

#include "../vfs.h"
#include "files.h"

/* The first mapping of a file with a name that starts at `from` or behind; its file with a reference. */
static bool
find_mapping(struct target *at, vaddr_t from, struct mapping *out)
{
	struct address_space *as = process_address_space(at->process);
	struct mapping *m;

	if (!as)
		return false;
	read_lock(&as->lock);
	m = address_space_find(as, from);
	while (m && (m->start < from || !m->file || !m->file->dentry))
		m = address_space_find(as, m->end);
	if (m) {
		*out = *m;
		file_get(out->file);
	}
	read_unlock(&as->lock);
	address_space_put(as);
	return m != NULL;
}

/* Hexadecimal without leading zeros. */
static bool
parse_address(const char **at, const char *end, vaddr_t *out)
{
	const char *from = *at;

	*out = 0;
	for (; *at < end && *at - from < 16; (*at)++) {
		char c = **at;

		if (c >= '0' && c <= '9')
			*out = *out << 4 | (vaddr_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			*out = *out << 4 | (vaddr_t)((c | 0x20) - 'a' + 10);
		else
			break;
	}
	return *at > from && (*from != '0' || *at == from + 1);
}

static long
map_find(struct target *at, const char *name, size_t length)
{
	const char *from = name, *end = name + length;
	vaddr_t start, stop;
	struct mapping m;
	bool found;

	if (!parse_address(&from, end, &start) || from == end || *from++ != '-' ||
	    !parse_address(&from, end, &stop) || from != end || !find_mapping(at, start, &m))
		return -1;
	found = m.start == start && m.end == stop;
	file_put_late(m.file);
	return found ? (long)start : -1;
}

static long
map_next(struct target *at, long from)
{
	struct mapping m;

	if (!find_mapping(at, (vaddr_t)from, &m))
		return -1;
	file_put_late(m.file);
	return (long)m.start;
}

static int
map_name(struct target *at, long number, char *buf, size_t size)
{
	struct mapping m;

	if (!find_mapping(at, (vaddr_t)number, &m))
		return -ENOENT;
	file_put_late(m.file);
	if (m.start != (vaddr_t)number)
		return -ENOENT;
	return scnprintf(buf, size, "%lx-%lx", m.start, m.end);
}

mode_t
map_link_mode(struct target *at)
{
	struct mapping m;
	mode_t mode = 0;

	if (!find_mapping(at, at->address, &m))
		return 0;
	if (m.start == at->address)
		mode = (m.file->mode & FILE_READ ? 0400 : 0) | (m.file->mode & FILE_WRITE ? 0200 : 0);
	file_put_late(m.file);
	return mode;
}

static int
jump_map(struct target *at, struct path *out)
{
	struct mapping m;
	int error = -ENOENT;

	if (!find_mapping(at, at->address, &m))
		return error;
	if (m.start == at->address) {
		*out = (struct path){ m.file->mount, m.file->dentry };
		path_get(out);
		error = 0;
	}
	file_put_late(m.file);
	return error;
}

static const struct entry map_entry = {
	.name = "map_files",
	.mode = S_IFLNK | 0700,
	.flags = ENTRY_INSPECT | ENTRY_MAPPING,
	.jump = jump_map,
};

const struct entry_list map_files_list = { .find = map_find, .next = map_next, .name = map_name, .each = &map_entry };
