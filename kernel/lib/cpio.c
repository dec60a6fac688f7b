/* SPDX-License-Identifier: MIT */
/*
 * cpio.c - the "newc" format: a header of hexadecimal fields, the name, the data, each padded to 4.
 *
 *	offset  bytes  field               offset  bytes  field
 *	     0      6  magic 070701/2          62      8  device major, minor at 70
 *	     6      8  inode                   78      8  rdev major, minor at 86
 *	    14      8  mode                    94      8  name size with NUL(s)
 *	    22      8  uid, gid at 30         102      8  check sum (070702 only), not verified
 *	    38      8  links                  110         name
 *	    46      8  time
 *	    54      8  file size
 *
 * Every length comes from the archive and is checked against what is left before it is used.
 */
#include <tessera/cpio.h>
#include <tessera/errno.h>
#include <tessera/string.h>

#define HEADER_SIZE 110

static bool
hex_field(const uint8_t *p, uint32_t *out)
{
	uint32_t v = 0;

	for (int i = 0; i < 8; i++) {
		uint8_t c = p[i];

		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			c = (uint8_t)((c | 32) - 'a' + 10);
		else
			return false;
		v = v << 4 | c;
	}
	*out = v;
	return true;
}

int
cpio_next(const uint8_t *archive, size_t size, size_t *offset, struct cpio_entry *e)
{
	size_t at = *offset, name_at, data_at;
	uint32_t fields[13];
	uint32_t name_size;

	while (at < size && archive[at] == 0)
		at++;
	if (at >= size) {
		*offset = size;
		return 0;
	}
	if (at % 4 || size - at < HEADER_SIZE)
		return -EINVAL;
	if (memcmp(archive + at, "070701", 6) != 0 && memcmp(archive + at, "070702", 6) != 0)
		return -EINVAL;
	for (int i = 0; i < 13; i++)
		if (!hex_field(archive + at + 6 + 8 * i, &fields[i]))
			return -EINVAL;
	name_size = fields[11];
	name_at = at + HEADER_SIZE;
	if (name_size == 0 || name_size > size - name_at || archive[name_at + name_size - 1] != 0)
		return -EINVAL;
	data_at = ALIGN_UP(name_at + name_size, (size_t)4);
	if (data_at > size || fields[6] > size - data_at)
		return -EINVAL;
	*e = (struct cpio_entry){
		.name = (const char *)archive + name_at,
		.length = strnlen((const char *)archive + name_at, name_size),
		.inode = fields[0], .mode = fields[1], .uid = fields[2], .gid = fields[3],
		.links = fields[4], .time = fields[5], .size = fields[6],
		.device_major = fields[7], .device_minor = fields[8],
		.rdev_major = fields[9], .rdev_minor = fields[10],
		.data = archive + data_at, .data_offset = data_at,
	};
	e->trailer = e->length == 10 && memcmp(e->name, "TRAILER!!!", 10) == 0;
	*offset = MIN(ALIGN_UP(data_at + e->size, (size_t)4), size);
	return 1;
}
