/* SPDX-License-Identifier: MIT */
/*
 * mount_options.c - the text of options that mount(2) hands to a file system, taken apart.
 */
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/slab.h>
#include <tessera/string.h>

/* The comma behind an option; one before a digit belongs to a list of numbers: mpol=bind:0,2-3. NULL: the last one. */
static char *
end_of_option(char *at)
{
	do
		at = strchr(at, ',');
	while (at && at[1] >= '0' && at[1] <= '9' && at++);
	return at;
}

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

		next = end_of_option(at);
		if (next)
			*next++ = '\0';
		if (!*at)
			continue;
		value = strchr(at, '=');
		if (value)
			*value++ = '\0';
		error = take(into, at, value);
	}
	kfree(copy);
	return error == -ENOENT ? -EINVAL : error;
}
