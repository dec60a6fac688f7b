/* SPDX-License-Identifier: MIT */
/*
 * mount_options.c - the text of options that mount(2) hands to a file system, taken apart.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

int
mount_options_each(const char *options, int (*take)(void *into, const char *key, const char *value), void *into)
{
	char *copy, *next;
	int error = 0;

	if (!options)
		return 0;
	copy = kstrdup(options);
	if (!copy)
		return -ENOMEM;
	for (char *at = copy; at && !error; at = next) {
		char *value;

		next = strchr(at, ',');
		if (next)
			*next++ = '\0';
		value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		if (*at)
			error = take(into, at, value);
	}
	kfree(copy);
	return error == -ENOENT ? -EINVAL : error;
}
