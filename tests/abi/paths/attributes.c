/* SPDX-License-Identifier: MIT */
/* Modes, owners, times, statx, statfs. */
#include "../check.h"

#include <sys/xattr.h>

#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

static mode_t
mode_of(const char *path)
{
	struct stat st;

	CHECK_OK(lstat(path, &st));
	return st.st_mode & 07777;
}

TEST(chmod_by_owner_and_others)
{
	check_write_file("mine", "", 0);
	check_write_file("root", "", 0);
	CHECK_OK(chown("mine", CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(chmod("root", 0666));
	check_drop_root();
	CHECK_OK(chmod("mine", 0612));
	CHECK_EQ(mode_of("mine"), 0612);
	CHECK_ERRNO(chmod("root", 0600), EPERM);
	CHECK_ERRNO(fchmod(open("root", O_RDONLY), 0600), EPERM);
	CHECK_ERRNO(chmod("missing", 0600), ENOENT);
}

TEST(chmod_follows_symlinks)
{
	check_write_file("f", "", 0);
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(chmod("l", 0604));
	CHECK_EQ(mode_of("f"), 0604);
	CHECK_EQ(mode_of("l"), 0777);
}

TEST(chmod_setgid_by_nonmember_is_dropped)
{
	check_write_file("f", "", 0);
	CHECK_OK(chown("f", CHECK_NOBODY, 1234));
	check_drop_root();
	CHECK_OK(chmod("f", 02755));
	CHECK_EQ(mode_of("f"), 0755);
}

TEST(chown_rules_for_root)
{
	struct stat st;

	check_write_file("f", "", 0);
	CHECK_OK(chown("f", 12, 34));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 12);
	CHECK_EQ(st.st_gid, 34);
	CHECK_OK(chown("f", (uid_t)-1, 56));
	CHECK_OK(chown("f", 78, (gid_t)-1));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 78);
	CHECK_EQ(st.st_gid, 56);
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(lchown("l", 9, 9));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_uid, 78);
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_uid, 9);
	CHECK_OK(fchownat(AT_FDCWD, "l", 10, 10, AT_SYMLINK_NOFOLLOW));
	CHECK_OK(lstat("l", &st));
	CHECK_EQ(st.st_uid, 10);
}

TEST(chown_rules_for_others)
{
	struct stat st;

	check_write_file("mine", "", 0);
	CHECK_OK(chown("mine", CHECK_NOBODY, CHECK_NOBODY));
	check_write_file("root", "", 0);
	gid_t groups[1] = { 1234 };
	CHECK_OK(syscall(SYS_setgroups, 1, groups));
	CHECK_OK(setresgid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_ERRNO(chown("mine", 0, (gid_t)-1), EPERM);
	CHECK_OK(chown("mine", (uid_t)-1, 1234));
	CHECK_ERRNO(chown("mine", (uid_t)-1, 4321), EPERM);
	CHECK_OK(chown("mine", CHECK_NOBODY, 1234));
	CHECK_ERRNO(chown("root", CHECK_NOBODY, (gid_t)-1), EPERM);
	CHECK_OK(stat("mine", &st));
	CHECK_EQ(st.st_gid, 1234);
}

TEST(chown_clears_setuid_and_setgid)
{
	check_write_file("f", "", 0);
	CHECK_OK(chmod("f", 06755));
	CHECK_OK(chown("f", 12, 34));
	CHECK_EQ(mode_of("f"), 0755);
	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(chmod("d", 06755));
	CHECK_OK(chown("d", 12, 34));
	CHECK_EQ(mode_of("d"), 06755);
}

TEST(group_class_is_used_for_members_only)
{
	check_write_file("f", "x", 1);
	CHECK_OK(chown("f", 0, 1234));
	CHECK_OK(chmod("f", 0606));
	gid_t groups[1] = { 1234 };
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(syscall(SYS_setgroups, 1, groups));
		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		CHECK_ERRNO(open("f", O_RDONLY), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	check_drop_root();
	CHECK_OK(open("f", O_RDWR));
}

TEST(owner_class_is_used_for_the_owner_only)
{
	check_write_file("f", "x", 1);
	CHECK_OK(chown("f", CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(chmod("f", 0066));
	check_drop_root();
	CHECK_ERRNO(open("f", O_RDONLY), EACCES);
}

TEST(utimensat_sets_omits_and_takes_now)
{
	struct stat st;
	struct timespec t[2] = { { 100, 123456789 }, { 200, 5 } };

	check_write_file("f", "", 0);
	CHECK_OK(utimensat(AT_FDCWD, "f", t, 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 100);
	CHECK_EQ(st.st_atim.tv_nsec, 123456789);
	CHECK_EQ(st.st_mtim.tv_sec, 200);
	t[0].tv_nsec = UTIME_OMIT;
	t[1].tv_nsec = UTIME_NOW;
	CHECK_OK(utimensat(AT_FDCWD, "f", t, 0));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 100);
	CHECK(st.st_mtim.tv_sec > 200);
	CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_atim.tv_sec > 100);
}

TEST(utimensat_errors)
{
	struct timespec t[2] = { { 100, 1000000000 }, { 200, 5 } };

	check_write_file("f", "", 0);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", t, 0), EINVAL);
	t[0].tv_nsec = 0;
	CHECK_ERRNO(utimensat(AT_FDCWD, "missing", t, 0), ENOENT);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", check_bad_address(), 0), EFAULT);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", t, 0x40000000), EINVAL);
	CHECK_OK(chmod("f", 0666));
	CHECK_OK(chmod(".", 0777));
	check_drop_root();
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", t, 0), EPERM);
	CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
}

TEST(utimensat_without_write_permission_is_eacces)
{
	check_write_file("f", "", 0);
	CHECK_OK(chmod("f", 0644));
	check_drop_root();
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", NULL, 0), EACCES);
}

TEST(stat_fields_of_a_regular_file)
{
	struct stat st;
	time_t now = time(NULL);

	check_write_file("f", "0123456789", 10);
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_size, 10);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_gid, 0);
	CHECK(st.st_ino != 0);
	CHECK(st.st_blksize >= 512);
	CHECK_RANGE(st.st_mtime, now - 5, now + 5);
	CHECK_RANGE(st.st_ctime, now - 5, now + 5);
}

TEST(ctime_moves_with_metadata)
{
	struct stat a, b;

	check_write_file("f", "", 0);
	CHECK_OK(stat("f", &a));
	check_sleep_ms(30);
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(stat("f", &b));
	CHECK(b.st_ctim.tv_sec > a.st_ctim.tv_sec ||
	      (b.st_ctim.tv_sec == a.st_ctim.tv_sec && b.st_ctim.tv_nsec > a.st_ctim.tv_nsec));
	CHECK_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec);
}

TEST(statx_agrees_with_stat)
{
	struct statx x;
	struct stat st;

	check_write_file("f", "abc", 3);
	CHECK_OK(stat("f", &st));
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(x.stx_ino, st.st_ino);
	CHECK_EQ(x.stx_size, 3);
	CHECK_EQ(x.stx_mode, st.st_mode);
	CHECK_EQ(x.stx_nlink, 1);
	CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
	CHECK_EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);
	CHECK_EQ(makedev(x.stx_dev_major, x.stx_dev_minor), st.st_dev);
	CHECK_ERRNO(statx(AT_FDCWD, "missing", 0, STATX_BASIC_STATS, &x), ENOENT);
	CHECK_ERRNO(statx(AT_FDCWD, "f", 0x40000000, STATX_BASIC_STATS, &x), EINVAL);
	CHECK_ERRNO(statx(AT_FDCWD, "f", 0, 0x80000000, &x), EINVAL);
	CHECK_ERRNO(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, check_bad_address()), EFAULT);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_ino, st.st_ino);
}

TEST(statfs_kinds_and_errors)
{
	struct statfs s;

	CHECK_OK(statfs("/proc", &s));
	CHECK_EQ(s.f_type, 0x9fa0);
	CHECK_OK(statfs(".", &s));
	CHECK(s.f_bsize > 0);
	CHECK_EQ(s.f_namelen, 255);
	CHECK(s.f_bfree <= s.f_blocks);
	CHECK_OK(fstatfs(open(".", O_RDONLY), &s));
	CHECK_ERRNO(statfs("missing", &s), ENOENT);
	CHECK_ERRNO(fstatfs(200, &s), EBADF);
	CHECK_ERRNO(statfs(".", check_bad_address()), EFAULT);
}

TEST(pathconf_limits)
{
	CHECK_EQ(pathconf(".", _PC_NAME_MAX), 255);
	CHECK_EQ(pathconf(".", _PC_PATH_MAX), 4096);
	CHECK_EQ(pathconf(".", _PC_PIPE_BUF), 4096);
}

TEST(umask_returns_the_old_and_keeps_nine_bits)
{
	umask(0123);
	CHECK_EQ(umask(07777), 0123);
	CHECK_EQ(umask(0), 0777);
}

TEST(xattr_on_a_missing_file_or_name)
{
	char value[16];

	check_write_file("f", "", 0);
	errno = 0;
	long r = syscall(SYS_getxattr, "missing", "user.x", value, sizeof(value));
	CHECK_EQ(r, -1);
	CHECK_EQ(errno, ENOENT);
	r = syscall(SYS_getxattr, "f", "user.x", value, sizeof(value));
	CHECK_EQ(r, -1);
	CHECK(errno == ENODATA || errno == EOPNOTSUPP);
}

/* tmpfs has no user.*, which is asked for last. */
TEST(a_sticky_directory_is_labelled_by_its_owner_only)
{
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	CHECK_OK(mkdir("s", 0777));
	CHECK_OK(chmod("s", 01777));
	CHECK_OK(mkdir("mine", 0777));
	CHECK_OK(chown("mine", CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(chmod("mine", 01777));
	CHECK_ERRNO(setxattr("s", "user.a", "x", 1, 0), EOPNOTSUPP);
	check_drop_root();
	CHECK_ERRNO(setxattr("d", "user.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(setxattr("mine", "user.a", "x", 1, 0), EOPNOTSUPP);
	CHECK_ERRNO(setxattr("s", "user.a", "x", 1, 0), EPERM);
	CHECK_ERRNO(removexattr("s", "user.a"), EPERM);
	CHECK_ERRNO(getxattr("s", "user.a", NULL, 0), EOPNOTSUPP);
}
