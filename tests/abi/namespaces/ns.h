/* SPDX-License-Identifier: MIT */
/* What the tests of namespaces share. */
#ifndef NS_H
#define NS_H

#include "../check.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/utsname.h>

static inline ino_t
ns_number(const char *path)
{
	struct stat st;

	CHECK_OK(stat(path, &st));
	return st.st_ino;
}

static inline void
write_text(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY));

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static inline int
write_error(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

/* A new user namespace in which the caller, whoever it is, is root. */
static inline void
become_root_inside(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[64];

	CHECK_OK(unshare(CLONE_NEWUSER));
	write_text("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	write_text("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "0 %u 1", gid);
	write_text("/proc/self/gid_map", text);
}

/* Nobody without rights, but with its own /proc files. */
static inline void
drop_root(void)
{
	check_drop_root();
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static inline uint64_t
capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	CHECK_OK(syscall(SYS_capget, &head, data));
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

#endif
