/* SPDX-License-Identifier: MIT */
/*
 * options.c - what mount(2) and fsconfig(2) say of an instance of tmpfs.
 */
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/string.h>

#include "tmpfs.h"

uint64_t
tmpfs_total_pages(void)
{
	struct memory_stats m;

	memory_stats(&m);
	return m.total;
}

/* "123", "4k", "1m", "2g", "50%" (of memory, in bytes). The whole string must be used. */
static int
parse_size(const char *s, bool percent, uint64_t *out)
{
	const char *end;
	uint64_t n;
	int error = parse_u64(s, &end, 0, &n);

	if (error)
		return -EINVAL;
	if (*end == '%' && percent) {
		n = tmpfs_total_pages() * PAGE_SIZE / 100 * n;
		end++;
	} else {
		static const char units[] = "kmgt";

		for (unsigned int i = 0; i < 4; i++)
			if ((*end | 32) == units[i]) {
				n <<= 10 * (i + 1);
				end++;
				break;
			}
	}
	*out = n;
	return *end ? -EINVAL : 0;
}

static bool
is_one_of(const char *word, size_t length, const char *const *words)
{
	for (; *words; words++)
		if (strlen(*words) == length && memcmp(word, *words, length) == 0)
			return true;
	return false;
}

/* Pages are as large as they come: which are wished for is checked and forgotten. */
static bool
is_huge(const char *value)
{
	static const char *const words[] = { "never", "always", "within_size", "advise", NULL };

	return is_one_of(value, strlen(value), words);
}

/* "0" or more of them: the number of the one node. What follows it, NULL: another number. */
static const char *
after_node(const char *at)
{
	const char *start = at;

	while (*at == '0')
		at++;
	return at > start ? at : NULL;
}

/* "0,0-0" */
static bool
is_node_list(const char *at)
{
	do {
		at = after_node(at);
		if (at && *at == '-')
			at = after_node(at + 1);
	} while (at && *at == ',' && at++);
	return at && !*at;
}

/* "MODE", "MODE:NODES" or "MODE=HOW:NODES": a policy as set_mempolicy(2)'s, of which there is one node. */
static bool
is_policy(const char *value)
{
	static const char *const alone[] = { "default", "interleave", "prefer", "local", NULL };
	static const char *const with_how[] = { "default", "interleave", NULL };
	static const char *const with_nodes[] = { "interleave", "bind", "prefer", "prefer (many)", NULL };
	static const char *const hows[] = { "static", "relative", NULL };
	const char *nodes = strchr(value, ':'), *end = nodes ? nodes : value + strlen(value);
	const char *how = strchr(value, '=');
	size_t length = (size_t)((how ? how : end) - value);

	if (how && (how > end || !is_one_of(how + 1, (size_t)(end - how - 1), hows)))
		return false;
	if (!nodes)
		return is_one_of(value, length, how ? with_how : alone);
	if (length == 6 && (strchr(nodes, ',') || strchr(nodes, '-'))) /* prefer: one */
		return false;
	return is_one_of(value, length, with_nodes) && is_node_list(nodes + 1);
}

/* One option into a struct tmpfs_options. */
static int
take_option(void *into, const char *key, const char *value)
{
	struct tmpfs_options *o = into;
	const char *end;
	uint64_t n = 0;
	int error;

	if (!value)
		return strcmp(key, "inode32") == 0 || strcmp(key, "inode64") == 0 ? 0 : -ENOENT;
	if (strcmp(key, "mpol") == 0)
		return is_policy(value) ? 0 : -EINVAL;
	if (strcmp(key, "huge") == 0)
		return is_huge(value) ? 0 : -EINVAL;
	if (strcmp(key, "mode") == 0) {
		error = parse_u64(value, &end, 8, &n);
		o->mode = (mode_t)n & 07777;
		return error || *end ? -EINVAL : 0;
	}
	error = parse_size(value, strcmp(key, "size") == 0, &n);
	if (error)
		return error;
	if (strcmp(key, "size") == 0) {
		o->max_pages = DIV_ROUND_UP(n, PAGE_SIZE);
		o->size_given = true;
	} else if (strcmp(key, "nr_blocks") == 0) {
		o->max_pages = n;
		o->size_given = true;
	} else if (strcmp(key, "nr_inodes") == 0) {
		o->max_inodes = n;
		o->inodes_given = true;
	} else if (strcmp(key, "uid") == 0) {
		o->uid = uid_from_user((uid_t)n);
		return o->uid == ID_INVALID ? -EINVAL : 0;
	} else if (strcmp(key, "gid") == 0) {
		o->gid = gid_from_user((gid_t)n);
		return o->gid == ID_INVALID ? -EINVAL : 0;
	} else {
		return -ENOENT;
	}
	return 0;
}

int
tmpfs_check_option(const char *key, const char *value)
{
	static const char *const with_value[] = {
		"gid", "huge", "mode", "mpol", "nr_blocks", "nr_inodes", "size", "uid",
	};
	struct tmpfs_options o = { 0 };

	if (strcmp(key, "inode32") == 0 || strcmp(key, "inode64") == 0)
		return value ? -EINVAL : 0;
	for (size_t i = 0; i < ARRAY_SIZE(with_value); i++)
		if (strcmp(key, with_value[i]) == 0)
			return value ? take_option(&o, key, value) : -EINVAL;
	return -ENOENT;
}

int
tmpfs_options_parse(const char *text, struct tmpfs_options *o)
{
	return mount_options_each(text, take_option, o);
}
