/* SPDX-License-Identifier: MIT */
/* mount and umount: tmpfs and bind mounts, and what a mount point allows. */
#include "../check.h"

#include <sys/mount.h>
#include <sys/statfs.h>

static void
mount_tmpfs(const char *at)
{
	CHECK_OK(mkdir(at, 0755));
	CHECK_OK(mount("none", at, "tmpfs", 0, NULL));
}

TEST(mount_tmpfs_hides_and_umount_shows_again)
{
	CHECK_OK(mkdir("m", 0755));
	check_write_file("m/under", "", 0);
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_ERRNO(access("m/under", F_OK), ENOENT);
	check_write_file("m/over", "", 0);
	CHECK_OK(umount("m"));
	CHECK_OK(access("m/under", F_OK));
	CHECK_ERRNO(access("m/over", F_OK), ENOENT);
}

TEST(mount_point_has_another_device_and_dotdot_leaves_it)
{
	struct stat here, there, up;

	mount_tmpfs("m");
	CHECK_OK(stat(".", &here));
	CHECK_OK(stat("m", &there));
	CHECK(here.st_dev != there.st_dev);
	CHECK_OK(stat("m/..", &up));
	CHECK_EQ(up.st_ino, here.st_ino);
	CHECK_EQ(up.st_dev, here.st_dev);
	CHECK_OK(umount("m"));
}

TEST(mount_point_cannot_be_removed_or_renamed)
{
	mount_tmpfs("m");
	CHECK_ERRNO(rmdir("m"), EBUSY);
	CHECK_ERRNO(rename("m", "n"), EBUSY);
	check_write_file("m/f", "", 0);
	CHECK_ERRNO(rename("m/f", "f"), EXDEV);
	CHECK_ERRNO(link("m/f", "f"), EXDEV);
	CHECK_OK(umount("m"));
}

TEST(umount_busy_is_ebusy)
{
	mount_tmpfs("m");
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	CHECK_ERRNO(umount("m"), EBUSY);
	CHECK_OK(close(fd));
	CHECK_OK(umount("m"));
}

TEST(umount_detach_lets_open_files_live)
{
	mount_tmpfs("m");
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	CHECK_OK(umount2("m", MNT_DETACH));
	CHECK_ERRNO(access("m/f", F_OK), ENOENT);
	CHECK_EQ(write(fd, "abc", 3), 3);
	char c;
	CHECK_EQ(pread(fd, &c, 1, 1), 1);
	CHECK_EQ(c, 'b');
}

TEST(mount_errors)
{
	check_write_file("f", "", 0);
	CHECK_OK(mkdir("m", 0755));
	CHECK_ERRNO(mount("none", "m", "nosuchfs", 0, NULL), ENODEV);
	CHECK_ERRNO(mount("none", "missing", "tmpfs", 0, NULL), ENOENT);
	CHECK_ERRNO(mount("none", "f", "tmpfs", 0, NULL), ENOTDIR);
	CHECK_ERRNO(umount("m"), EINVAL);
	CHECK_ERRNO(umount("missing"), ENOENT);
	CHECK_ERRNO(umount2("m", 0x1000), EINVAL);
	check_drop_root();
	CHECK_ERRNO(mount("none", "m", "tmpfs", 0, NULL), EPERM);
	CHECK_ERRNO(umount("m"), EPERM);
}

TEST(bind_mount_shows_the_same_files)
{
	struct stat a, b;

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	check_write_file("a/f", "x", 1);
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(stat("a/f", &a));
	CHECK_OK(stat("b/f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_dev, b.st_dev);
	check_write_file("b/g", "", 0);
	CHECK_OK(access("a/g", F_OK));
	CHECK_ERRNO(rename("b/g", "a/h"), EXDEV);
	CHECK_OK(umount("b"));
	CHECK_ERRNO(access("b/f", F_OK), ENOENT);
}

TEST(bind_mount_of_a_file)
{
	char text[8];

	check_write_file("a", "A", 1);
	check_write_file("b", "B", 1);
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "A");
	CHECK_ERRNO(unlink("b"), EBUSY);
	CHECK_OK(umount("b"));
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "B");
}

TEST(mount_read_only_is_erofs)
{
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	check_write_file("m/f", "abc", 3);
	CHECK_OK(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERRNO(open("m/f", O_RDWR), EROFS);
	CHECK_ERRNO(open("m/new", O_RDWR | O_CREAT, 0600), EROFS);
	CHECK_ERRNO(mkdir("m/d", 0700), EROFS);
	CHECK_ERRNO(unlink("m/f"), EROFS);
	CHECK_ERRNO(chmod("m/f", 0600), EROFS);
	CHECK_ERRNO(access("m/f", W_OK), EROFS);
	CHECK_OK(open("m/f", O_RDONLY));
	CHECK_OK(umount2("m", MNT_DETACH));
}

TEST(mounts_stack_on_one_point)
{
	mount_tmpfs("m");
	check_write_file("m/first", "", 0);
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_ERRNO(access("m/first", F_OK), ENOENT);
	CHECK_OK(umount("m"));
	CHECK_OK(access("m/first", F_OK));
	CHECK_OK(umount("m"));
}

TEST(mount_is_listed_in_proc_mounts)
{
	static char text[65536];
	char cwd[PATH_MAX], want[PATH_MAX + 32];

	CHECK(getcwd(cwd, sizeof(cwd)));
	mount_tmpfs("m");
	snprintf(want, sizeof(want), " %s/m tmpfs ", cwd);
	check_read_file("/proc/mounts", text, sizeof(text));
	CHECK(strstr(text, want));
	CHECK_OK(umount("m"));
	check_read_file("/proc/mounts", text, sizeof(text));
	CHECK(!strstr(text, want));
}

TEST(tmpfs_size_limit_is_enospc)
{
	static char block[65536];
	struct statfs s;

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "size=256k,mode=700"));
	struct stat st;
	CHECK_OK(stat("m", &st));
	CHECK_EQ(st.st_mode & 07777, 0700);
	CHECK_OK(statfs("m", &s));
	CHECK_EQ(s.f_blocks * (unsigned long)s.f_bsize, 256 << 10);
	CHECK_EQ(s.f_type, 0x01021994);
	int fd = CHECK_OK(open("m/f", O_RDWR | O_CREAT, 0600));
	ssize_t n, total = 0;
	while ((n = write(fd, block, sizeof(block))) > 0)
		total += n;
	CHECK_EQ(errno, ENOSPC);
	CHECK_RANGE(total, 128 << 10, 256 << 10);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(pwrite(fd, block, 65536, 0), 65536);
	CHECK_OK(close(fd));
	CHECK_OK(umount("m"));
}
