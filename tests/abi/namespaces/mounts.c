/* SPDX-License-Identifier: MIT */
/* Mount namespaces: trees of their own, what is locked in them, changing the root. */
#include "ns.h"

static void
own_mounts(void)
{
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
}

TEST(mounts_stay_inside)
{
	pid_t pid;

	CHECK_OK(mkdir("m", 0700));
	pid = check_fork();
	if (pid == 0) {
		own_mounts();
		CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
		check_write_file("m/f", "x", 1);
		CHECK_OK(access("m/f", F_OK));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_ERRNO(access("m/f", F_OK), ENOENT);
	CHECK_OK(rmdir("m"));
}

TEST(unmounts_stay_inside)
{
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	check_write_file("m/f", "x", 1);
	pid = check_fork();
	if (pid == 0) {
		own_mounts();
		CHECK_OK(access("m/f", F_OK));
		CHECK_OK(umount("m"));
		CHECK_ERRNO(access("m/f", F_OK), ENOENT);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(access("m/f", F_OK));
	CHECK_OK(umount("m"));
}

TEST(directories_held_stay_where_they_are)
{
	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(chdir("m"));
	check_write_file("f", "x", 1);
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(access("f", F_OK));
	CHECK_OK(access("../m/f", F_OK));
}

TEST(other_namespaces_mounts_are_out_of_reach)
{
	int old;

	own_mounts();
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mkdir("n", 0700));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("m/sub", 0700));
	old = CHECK_OK(open("m", O_PATH));
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(fchdir(old));
	CHECK_ERRNO(umount2(".", MNT_DETACH), EINVAL);
	CHECK_ERRNO(mount("none", "sub", "tmpfs", 0, NULL), EINVAL);
	CHECK_ERRNO(mount(".", "/mnt", NULL, MS_BIND, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EINVAL);
}

TEST(a_less_privileged_copy_is_locked)
{
	own_mounts();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mkdir("n", 0755));
	check_write_file("m/hidden", "x", 1);
	CHECK_OK(mount("none", "m", "tmpfs", MS_NOSUID | MS_RDONLY, NULL));
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_ERRNO(umount2("m", MNT_DETACH), EINVAL);
	CHECK_ERRNO(umount2("m", 0), EINVAL);
	CHECK_ERRNO(mount("m", "n", NULL, MS_MOVE, NULL), EINVAL);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND, NULL), EPERM);
	CHECK_ERRNO(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EPERM);
	/* what lies under it is not to be seen through a bind of what is around it */
	CHECK_ERRNO(mount(".", "/mnt", NULL, MS_BIND, NULL), EINVAL);
	CHECK_OK(mount(".", "/mnt", NULL, MS_BIND | MS_REC, NULL));
	CHECK_ERRNO(access("/mnt/m/hidden", F_OK), ENOENT);
	CHECK_ERRNO(umount2("/mnt/m", MNT_DETACH), EINVAL);
	/* its own mounts are its own */
	CHECK_OK(mount("none", "n", "tmpfs", 0, NULL));
	CHECK_OK(umount("n"));
	CHECK_OK(umount2("/mnt", MNT_DETACH));
}

TEST(only_harmless_file_systems_by_the_unprivileged)
{
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "/mnt", "tmpfs", 0, NULL));
	CHECK_ERRNO(mount("none", "/mnt", "devtmpfs", 0, NULL), EPERM);
	CHECK_ERRNO(mount("none", "/mnt", "no-such-type", 0, NULL), ENODEV);
}

/* A root that can be pivoted, which the first one need not be: a tmpfs with another in it, "new". */
static void
own_root(void)
{
	own_mounts();
	CHECK_OK(mkdir("root", 0755));
	CHECK_OK(mount("none", "root", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("root/proc", 0755));
	CHECK_OK(chdir("root"));
	CHECK_OK(chroot("."));
}

TEST(pivot_root_puts_the_old_one_away)
{
	own_root();
	CHECK_OK(mkdir("new", 0755));
	CHECK_OK(mount("none", "new", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("new/old", 0755));
	check_write_file("new/here", "x", 1);
	CHECK_ERRNO(syscall(SYS_pivot_root, "new", "/"), EBUSY);
	CHECK_ERRNO(syscall(SYS_pivot_root, "/", "new"), EBUSY);
	CHECK_ERRNO(syscall(SYS_pivot_root, "new/old", "new/old"), EINVAL);
	CHECK_ERRNO(syscall(SYS_pivot_root, "new/here", "new/old"), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_pivot_root, "none", "new/old"), ENOENT);
	CHECK_ERRNO(syscall(SYS_pivot_root, check_bad_address(), "new/old"), EFAULT);
	CHECK_OK(syscall(SYS_pivot_root, "new", "new/old"));
	CHECK_OK(access("/here", F_OK));
	CHECK_OK(access("/old/proc", F_OK));
	CHECK_OK(chdir("/"));
	CHECK_OK(umount2("/old", MNT_DETACH));
	CHECK_ERRNO(access("/old/proc", F_OK), ENOENT);
	/* there is no way up */
	CHECK_OK(access("/../../here", F_OK));
}

/* As containers do it: the new root over the old one, which is then taken from below. */
TEST(pivot_root_on_itself)
{
	int old;

	own_root();
	CHECK_OK(mkdir("new", 0755));
	CHECK_OK(mount("none", "new", "tmpfs", 0, NULL));
	check_write_file("new/here", "x", 1);
	old = CHECK_OK(open("/", O_DIRECTORY | O_RDONLY));
	CHECK_OK(chdir("new"));
	CHECK_OK(syscall(SYS_pivot_root, ".", "."));
	CHECK_OK(fchdir(old));
	CHECK_OK(umount2(".", MNT_DETACH));
	CHECK_OK(chdir("/"));
	CHECK_OK(access("/here", F_OK));
	CHECK_OK(access("/../here", F_OK));
}

TEST(pivot_root_needs_privilege)
{
	drop_root();
	CHECK_ERRNO(syscall(SYS_pivot_root, "/", "/"), EPERM);
}

TEST(setns_enters_at_the_top)
{
	int home = CHECK_OK(open("/proc/self/ns/mnt", O_RDONLY));

	own_mounts();
	CHECK_OK(mkdir("new", 0755));
	CHECK_OK(mount("none", "new", "tmpfs", 0, NULL));
	CHECK_OK(chdir("new"));
	CHECK_OK(chroot("."));
	CHECK_ERRNO(access("/proc", F_OK), ENOENT);
	CHECK_OK(setns(home, 0));
	CHECK_OK(access("/proc/self", F_OK));
}

TEST(mountinfo_is_of_the_namespace)
{
	static char text[65536];
	int fd;

	own_mounts();
	CHECK_OK(mount("here-only", "/mnt", "tmpfs", 0, NULL));
	check_read_file("/proc/self/mountinfo", text, sizeof(text));
	CHECK(strstr(text, " /mnt ") && strstr(text, "here-only"));
	snprintf(text, sizeof(text), "/proc/%d/mounts", getppid());
	fd = CHECK_OK(open(text, O_RDONLY));
	{
		ssize_t n, used = 0;

		while ((n = read(fd, text + used, sizeof(text) - 1 - used)) > 0)
			used += n;
		text[used] = 0;
	}
	CHECK(!strstr(text, "here-only"));
}

TEST(what_one_mounts_is_ones_own)
{
	struct stat st;

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(chmod(".", 0755));
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=755"));
	CHECK_OK(stat("m", &st));
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_gid, 0);
	CHECK_OK(mkdir("m/sub", 0700));
	CHECK_ERRNO(mount("none", "/mnt", "tmpfs", 0, "uid=1"), EINVAL);
}
