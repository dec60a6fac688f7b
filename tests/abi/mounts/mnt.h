/* SPDX-License-Identifier: MIT */
/* What the tests of mounts share. Every case has mounts of its own, all private at first. */
#ifndef MNT_H
#define MNT_H

#include "../namespaces/ns.h"

#include <linux/mount.h>
#include <poll.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

/* sys/mount.h of this C library and linux/mount.h do not get along everywhere: names are used where both agree. */
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

struct attr {
	uint64_t set, clear, propagation, user_ns;
};

static inline void
own_mounts(void)
{
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

/* A tmpfs on a new directory, private. */
static inline void
tmpfs_at(const char *name)
{
	CHECK_OK(mkdir(name, 0755));
	CHECK_OK(mount(name, name, "tmpfs", 0, NULL));
}

static inline void
set_kind(const char *name, unsigned long kind)
{
	CHECK_OK(mount(NULL, name, NULL, kind, NULL));
}

static inline char *
mountinfo(void)
{
	static char text[262144];
	int fd = CHECK_OK(open("/proc/self/mountinfo", O_RDONLY));
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	text[used] = 0;
	return text;
}

/* How many mounts have this source, which no other text of mountinfo contains. */
static inline int
mounted_from(const char *source)
{
	int n = 0;

	for (const char *at = mountinfo(); (at = strstr(at, source)) != NULL; at++)
		n++;
	return n;
}

/* The line of mountinfo for the topmost mount on `name`, below the working directory. Empty: there is none. */
static inline const char *
mount_line(const char *name)
{
	static char line[4096];
	char where[4096], *at, *save = NULL;

	if (name[0] == '/')
		snprintf(where, sizeof(where), " %s ", name);
	else {
		char cwd[2048];

		CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
		snprintf(where, sizeof(where), " %s/%s ", strcmp(cwd, "/") ? cwd : "", name);
	}
	line[0] = 0;
	for (at = strtok_r(mountinfo(), "\n", &save); at; at = strtok_r(NULL, "\n", &save))
		if (strstr(at, where))
			snprintf(line, sizeof(line), "%s", at);
	return line;
}

static inline bool
is_mounted(const char *name)
{
	return mount_line(name)[0] != 0;
}

/* The number after `tag` among the optional fields; 0: not there. */
static inline int
field(const char *name, const char *tag)
{
	char pattern[64];
	const char *line = mount_line(name), *dash = strstr(line, " - "), *at;

	snprintf(pattern, sizeof(pattern), " %s:", tag);
	at = strstr(line, pattern);
	return at && at < dash ? atoi(at + strlen(pattern)) : 0;
}

static inline int
shared(const char *name)
{
	return field(name, "shared");
}

static inline int
master(const char *name)
{
	return field(name, "master");
}

static inline bool
says(const char *name, const char *what)
{
	return strstr(mount_line(name), what) != NULL;
}

static inline bool
exists(const char *name)
{
	return access(name, F_OK) == 0;
}

static inline int
open_tree_at(int dirfd, const char *name, unsigned int flags)
{
	return (int)syscall(SYS_open_tree, dirfd, name, flags);
}

static inline int
move_mount_at(int from, const char *from_name, int to, const char *to_name, unsigned int flags)
{
	return (int)syscall(SYS_move_mount, from, from_name, to, to_name, flags);
}

static inline int
set_attr(int dirfd, const char *name, unsigned int flags, struct attr a)
{
	return (int)syscall(SYS_mount_setattr, dirfd, name, flags, &a, sizeof(a));
}

#endif
