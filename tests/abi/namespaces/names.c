/* SPDX-License-Identifier: MIT */
/* Names that another mount namespace has mounted something on: whoever does not see that may remove and rename them. */
#include "ns.h"

static int to_child[2], to_parent[2];

static void
own_mounts(void)
{
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

static void
say(int pipe[2])
{
	check_write_all(pipe[1], "x", 1);
}

static void
hear(int pipe[2])
{
	char c;

	check_read_all(pipe[0], &c, 1);
}

/* A process with a tmpfs of its own on `name`, in which there is a file f. It goes on at the second say(). */
static pid_t
mount_elsewhere(const char *name, void (*then)(const char *name))
{
	pid_t pid;

	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(to_parent));
	pid = check_fork();
	if (pid == 0) {
		own_mounts();
		CHECK_OK(mount("none", name, "tmpfs", 0, NULL));
		check_write_file("in", "x", 1);
		say(to_parent);
		hear(to_child);
		then(name);
		_exit(0);
	}
	hear(to_parent);
	return pid;
}

static void
is_no_more(const char *name)
{
	struct stat st;

	CHECK_ERRNO(stat(name, &st), ENOENT);
	CHECK_ERRNO(umount(name), ENOENT);
}

static void
is_moved(const char *name)
{
	struct statfs {
		long type, rest[32];
	} f;

	CHECK_ERRNO(access(name, F_OK), ENOENT);
	CHECK_OK(syscall(SYS_statfs, "moved", &f));
	CHECK_OK(umount("moved"));
	CHECK_ERRNO(umount("moved"), EINVAL);
}

TEST(a_directory_mounted_on_elsewhere_is_removed)
{
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("d", 0700));
	pid = mount_elsewhere("d", is_no_more);
	CHECK_OK(rmdir("d"));
	CHECK_ERRNO(access("d", F_OK), ENOENT);
	CHECK_OK(mkdir("e", 0700));
	say(to_child);
	CHECK_EXIT(pid, 0);
}

TEST(a_full_directory_mounted_on_elsewhere_stays)
{
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("moved", 0700));
	check_write_file("moved/f", "x", 1);
	pid = mount_elsewhere("moved", is_moved);
	(void)pid;
	CHECK_ERRNO(rmdir("moved"), ENOTEMPTY);
	CHECK_ERRNO(unlink("moved"), EISDIR);
	CHECK_OK(access("moved/f", F_OK));
}

static int
file_error(const char *name)
{
	return access(name, F_OK) ? errno : 0;
}

static void
file_is_gone(const char *name)
{
	CHECK_EQ(file_error(name), ENOENT);
}

TEST(a_file_mounted_on_elsewhere_is_unlinked)
{
	pid_t pid;

	own_mounts();
	check_write_file("f", "old", 3);
	check_write_file("g", "new", 3);
	CHECK_OK(pipe(to_child));
	CHECK_OK(pipe(to_parent));
	pid = check_fork();
	if (pid == 0) {
		own_mounts();
		CHECK_OK(mount("g", "f", NULL, MS_BIND, NULL));
		say(to_parent);
		hear(to_child);
		file_is_gone("f");
		_exit(0);
	}
	hear(to_parent);
	CHECK_OK(unlink("f"));
	say(to_child);
	CHECK_EXIT(pid, 0);
}

TEST(a_directory_mounted_on_elsewhere_is_renamed_and_takes_the_mount_along)
{
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("d", 0700));
	pid = mount_elsewhere("d", is_moved);
	CHECK_OK(rename("d", "moved"));
	say(to_child);
	CHECK_EXIT(pid, 0);
}

TEST(a_directory_mounted_on_elsewhere_is_replaced)
{
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("other", 0700));
	pid = mount_elsewhere("d", (void (*)(const char *))file_is_gone);
	CHECK_OK(rename("other", "d"));
	CHECK_OK(rmdir("d"));
	say(to_child);
	CHECK_EXIT(pid, 0);
}

TEST(a_directory_mounted_on_here_is_busy)
{
	own_mounts();
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("e", 0700));
	CHECK_OK(mount("none", "d", "tmpfs", 0, NULL));
	CHECK_ERRNO(rmdir("d"), EBUSY);
	CHECK_ERRNO(rename("d", "f"), EBUSY);
	CHECK_ERRNO(rename("e", "d"), EBUSY);
	CHECK_OK(umount("d"));
	CHECK_OK(rename("e", "d"));
	CHECK_OK(rmdir("d"));
}
