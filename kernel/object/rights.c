/* SPDX-License-Identifier: MIT */
/*
 * rights.c - which rights an access mode gives, and their names.
 */
#include <tessera/handle.h>
#include <tessera/print.h>

static const struct {
	uint64_t bit;
	const char *name;
} names[] = {
#define RIGHT_NAME(name, bit) { BIT(bit), #name },
	RIGHT_TABLE(RIGHT_NAME)
#undef RIGHT_NAME
};

uint64_t
handle_rights_of(const struct file *f)
{
	uint64_t r = RIGHT_ALL;

	if (!(f->mode & FILE_READ))
		r &= ~(RIGHT_READ | RIGHT_MAP_READ | RIGHT_MAP_EXEC);
	if (!(f->mode & FILE_WRITE))
		r &= ~(RIGHT_WRITE | RIGHT_MAP_WRITE | RIGHT_TRUNCATE);
	if (!(f->mode & FILE_SEEKABLE))
		r &= ~RIGHT_SEEK;
	return r;
}

void
handle_rights_format(uint64_t rights, char *out, size_t size)
{
	size_t at = 0;

	if (size == 0)
		return;
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (rights & names[i].bit)
			at += (size_t)scnprintf(
				out + at, size - at, "%s%s", at ? "," : "", names[i].name);
}
