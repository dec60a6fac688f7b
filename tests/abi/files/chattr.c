/* SPDX-License-Identifier: MIT */
/* What chattr(1) sets: immutable, append-only and the rest, and renames that leave a whiteout. */
#include "../check.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <utime.h>

static int
flags_of(const char *path)
{
	int fd = CHECK_OK(open(path, O_RDONLY | O_NONBLOCK)), flags = -1;

	CHECK_OK(ioctl(fd, FS_IOC_GETFLAGS, &flags));
	CHECK_OK(close(fd));
	return flags;
}

static void
set_flags(const char *path, int flags)
{
	int fd = CHECK_OK(open(path, O_RDONLY | O_NONBLOCK));

	CHECK_OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	CHECK_OK(close(fd));
}

static void
make(const char *path)
{
	check_write_file(path, "text", 4);
}

TEST(flags_are_none_at_first_and_kept)
{
	make("f");
	CHECK_OK(mkdir("d", 0755));
	CHECK_EQ(flags_of("f"), 0);
	CHECK_EQ(flags_of("d"), 0);
	set_flags("f", FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK_EQ(flags_of("f"), FS_NODUMP_FL | FS_NOATIME_FL);
	set_flags("f", FS_APPEND_FL);
	CHECK_EQ(flags_of("f"), FS_APPEND_FL);
	set_flags("f", 0);
	set_flags("d", FS_IMMUTABLE_FL);
	CHECK_EQ(flags_of("d"), FS_IMMUTABLE_FL);
	set_flags("d", 0);
}

TEST(setting_flags_changes_the_change_time)
{
	struct stat before, after;

	make("f");
	CHECK_OK(stat("f", &before));
	check_sleep_ms(20);
	set_flags("f", FS_NODUMP_FL);
	CHECK_OK(stat("f", &after));
	CHECK(after.st_ctim.tv_sec != before.st_ctim.tv_sec || after.st_ctim.tv_nsec != before.st_ctim.tv_nsec);
	CHECK_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

TEST(flags_that_no_file_here_has_are_not_supported)
{
	int fd, flags = FS_COMPR_FL;

	make("f");
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, &flags), EOPNOTSUPP);
	flags = FS_NODUMP_FL | FS_SYNC_FL;
	CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, &flags), EOPNOTSUPP);
	CHECK_EQ(flags_of("f"), 0);
}

TEST(flags_by_bad_pointers)
{
	int fd;

	make("f");
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(ioctl(fd, FS_IOC_GETFLAGS, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(fd, FS_IOC_FSGETXATTR, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, check_bad_address()), EFAULT);
}

TEST(only_files_and_directories_have_flags)
{
	int ends[2], flags = 0;

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(ioctl(ends[0], FS_IOC_GETFLAGS, &flags), ENOTTY);
	CHECK_OK(mkfifo("fifo", 0600));
	ends[0] = CHECK_OK(open("fifo", O_RDONLY | O_NONBLOCK));
	CHECK_ERRNO(ioctl(ends[0], FS_IOC_GETFLAGS, &flags), ENOTTY);
	CHECK_ERRNO(ioctl(ends[0], FS_IOC_SETFLAGS, &flags), ENOTTY);
	ends[0] = CHECK_OK(open("/proc/self/status", O_RDONLY));
	CHECK_ERRNO(ioctl(ends[0], FS_IOC_GETFLAGS, &flags), ENOTTY);
}

TEST(who_may_set_flags)
{
	int fd, other, flags = FS_NODUMP_FL;

	make("root");
	make("own");
	CHECK_OK(chmod("root", 0666));
	CHECK_OK(chown("own", CHECK_NOBODY, CHECK_NOBODY));
	check_drop_root();
	other = CHECK_OK(open("root", O_RDWR));
	CHECK_ERRNO(ioctl(other, FS_IOC_SETFLAGS, &flags), EPERM);
	fd = CHECK_OK(open("own", O_RDONLY));
	CHECK_OK(ioctl(fd, FS_IOC_SETFLAGS, &flags));
	flags = FS_IMMUTABLE_FL;
	CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, &flags), EPERM);
	flags = FS_APPEND_FL | FS_NODUMP_FL;
	CHECK_ERRNO(ioctl(fd, FS_IOC_SETFLAGS, &flags), EPERM);
	CHECK_EQ(flags_of("own"), FS_NODUMP_FL);
}

TEST(immutable_file_cannot_be_changed)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	int fd;

	make("f");
	fd = CHECK_OK(open("f", O_RDWR));
	set_flags("f", FS_IMMUTABLE_FL);
	CHECK_ERRNO(open("f", O_WRONLY), EPERM);
	CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EPERM);
	CHECK_ERRNO(truncate("f", 0), EPERM);
	CHECK_ERRNO(chmod("f", 0600), EPERM);
	CHECK_ERRNO(chown("f", 1, 1), EPERM);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", times, 0), EPERM);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", NULL, 0), EPERM);
	CHECK_ERRNO(link("f", "g"), EPERM);
	CHECK_ERRNO(rename("f", "g"), EPERM);
	CHECK_ERRNO(unlink("f"), EPERM);
	CHECK_ERRNO(setxattr("f", "trusted.x", "v", 1, 0), EPERM);
	CHECK_ERRNO(removexattr("f", "trusted.x"), EPERM);
	CHECK_ERRNO(access("f", W_OK), EPERM);
	make("g");
	CHECK_ERRNO(rename("g", "f"), EPERM);
	/* Who had it open goes on writing, but makes no room. */
	CHECK_EQ(write(fd, "T", 1), 1);
	CHECK_ERRNO(fallocate(fd, 0, 0, 100), EPERM);
	set_flags("f", 0);
	CHECK_OK(unlink("f"));
}

TEST(immutable_file_can_be_read)
{
	char buffer[8];

	make("f");
	set_flags("f", FS_IMMUTABLE_FL);
	CHECK_EQ(check_read_file("f", buffer, sizeof(buffer)), 4);
	CHECK_OK(access("f", R_OK));
	set_flags("f", 0);
}

TEST(append_only_file_grows_only)
{
	struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	char buffer[16];
	int fd;

	make("f");
	set_flags("f", FS_APPEND_FL);
	CHECK_ERRNO(open("f", O_WRONLY), EPERM);
	CHECK_ERRNO(open("f", O_RDWR), EPERM);
	CHECK_ERRNO(open("f", O_WRONLY | O_APPEND | O_TRUNC), EPERM);
	CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EPERM);
	fd = CHECK_OK(open("f", O_RDWR | O_APPEND));
	CHECK_EQ(write(fd, "more", 4), 4);
	CHECK_EQ(pwrite(fd, "more", 4, 0), 4);
	CHECK_EQ(check_read_file("f", buffer, sizeof(buffer)), 12);
	CHECK_STR(buffer, "textmoremore");
	CHECK_ERRNO(fcntl(fd, F_SETFL, 0), EPERM);
	CHECK_ERRNO(ftruncate(fd, 4), EPERM);
	CHECK_ERRNO(ftruncate(fd, 100), EPERM);
	CHECK_ERRNO(truncate("f", 4), EPERM);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, 0, 4), EPERM);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK_EQ(errno, EACCES);
	CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) != MAP_FAILED);
	CHECK_ERRNO(chmod("f", 0600), EPERM);
	CHECK_ERRNO(utimensat(AT_FDCWD, "f", times, 0), EPERM);
	CHECK_OK(utimensat(AT_FDCWD, "f", NULL, 0));
	CHECK_ERRNO(link("f", "g"), EPERM);
	CHECK_ERRNO(rename("f", "g"), EPERM);
	CHECK_ERRNO(unlink("f"), EPERM);
	CHECK_ERRNO(setxattr("f", "trusted.x", "v", 1, 0), EPERM);
	set_flags("f", 0);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_OK(ftruncate(fd, 4));
}

TEST(immutable_directory_keeps_its_names)
{
	CHECK_OK(mkdir("d", 0755));
	make("d/f");
	make("f");
	set_flags("d", FS_IMMUTABLE_FL);
	CHECK_ERRNO(open("d/g", O_WRONLY | O_CREAT, 0600), EPERM);
	CHECK_ERRNO(mkdir("d/g", 0700), EPERM);
	CHECK_ERRNO(unlink("d/f"), EPERM);
	CHECK_ERRNO(rename("d/f", "g"), EPERM);
	CHECK_ERRNO(rename("f", "d/g"), EPERM);
	CHECK_ERRNO(rename("d", "e"), EPERM);
	CHECK_ERRNO(rmdir("d"), EPERM);
	/* What is in it is not concerned. */
	CHECK_OK(chmod("d/f", 0600));
	CHECK_OK(truncate("d/f", 0));
	set_flags("d", 0);
	CHECK_OK(unlink("d/f"));
}

TEST(append_only_directory_takes_names_and_loses_none)
{
	CHECK_OK(mkdir("d", 0755));
	make("d/f");
	set_flags("d", FS_APPEND_FL);
	make("d/g");
	CHECK_OK(mkdir("d/e", 0700));
	make("h");
	CHECK_OK(rename("h", "d/h"));
	CHECK_ERRNO(unlink("d/f"), EPERM);
	CHECK_ERRNO(rmdir("d/e"), EPERM);
	CHECK_ERRNO(rename("d/f", "d/i"), EPERM);
	CHECK_ERRNO(rename("d/f", "f"), EPERM);
	set_flags("d", 0);
	CHECK_OK(unlink("d/f"));
}

TEST(nodump_and_noatime_are_inherited)
{
	CHECK_OK(mkdir("d", 0755));
	set_flags("d", FS_NODUMP_FL | FS_NOATIME_FL);
	make("d/f");
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_EQ(flags_of("d/f"), FS_NODUMP_FL | FS_NOATIME_FL);
	CHECK_EQ(flags_of("d/e"), FS_NODUMP_FL | FS_NOATIME_FL);
	set_flags("d", FS_APPEND_FL);
	make("d/g");
	CHECK_EQ(flags_of("d/g"), 0);
	set_flags("d", 0);
}

TEST(noatime_leaves_the_access_time)
{
	struct timespec old[2] = { { 1000, 0 }, { 2000, 0 } };
	char buffer[8];
	struct stat st;

	make("f");
	set_flags("f", FS_NOATIME_FL);
	CHECK_OK(utimensat(AT_FDCWD, "f", old, 0));
	check_read_file("f", buffer, sizeof(buffer));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atime, 1000);
	set_flags("f", 0);
	check_read_file("f", buffer, sizeof(buffer));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_atime != 1000);
}

TEST(statx_tells_the_flags)
{
	struct statx x;

	make("f");
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP), 0);
	CHECK_EQ(x.stx_attributes_mask & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP),
		 STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP);
	set_flags("f", FS_APPEND_FL | FS_NODUMP_FL);
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK_EQ(x.stx_attributes & (STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE | STATX_ATTR_NODUMP),
		 STATX_ATTR_APPEND | STATX_ATTR_NODUMP);
	set_flags("f", FS_IMMUTABLE_FL);
	CHECK_OK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &x));
	CHECK(x.stx_attributes & STATX_ATTR_IMMUTABLE);
	set_flags("f", 0);
}

TEST(flags_in_the_extended_form)
{
	struct fsxattr x;
	int fd;

	make("f");
	fd = CHECK_OK(open("f", O_RDONLY));
	memset(&x, 0xff, sizeof(x));
	CHECK_OK(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	CHECK_EQ(x.fsx_xflags, 0);
	CHECK_EQ(x.fsx_extsize | x.fsx_nextents | x.fsx_projid | x.fsx_cowextsize, 0);
	x.fsx_xflags = FS_XFLAG_APPEND | FS_XFLAG_NODUMP;
	CHECK_OK(ioctl(fd, FS_IOC_FSSETXATTR, &x));
	CHECK_EQ(flags_of("f"), FS_APPEND_FL | FS_NODUMP_FL);
	CHECK_OK(ioctl(fd, FS_IOC_FSGETXATTR, &x));
	CHECK_EQ(x.fsx_xflags, FS_XFLAG_APPEND | FS_XFLAG_NODUMP);
	x.fsx_projid = 7;
	CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
	x.fsx_projid = 0;
	x.fsx_xflags = FS_XFLAG_IMMUTABLE | FS_XFLAG_NODEFRAG;
	CHECK_ERRNO(ioctl(fd, FS_IOC_FSSETXATTR, &x), EOPNOTSUPP);
	CHECK_EQ(flags_of("f"), FS_APPEND_FL | FS_NODUMP_FL);
	set_flags("f", 0);
}

/* --- whiteouts --------------------------------------------------------------------------------------- */

static void
check_whiteout(const char *path)
{
	struct stat st;

	CHECK_OK(lstat(path, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0);
	CHECK_EQ(st.st_rdev, makedev(0, 0));
}

TEST(rename_leaves_a_whiteout)
{
	char buffer[8];

	make("f");
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT));
	check_whiteout("f");
	CHECK_EQ(check_read_file("g", buffer, sizeof(buffer)), 4);
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(access("f", F_OK), ENOENT);
}

TEST(rename_over_another_leaves_a_whiteout)
{
	struct stat dir;

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(mkdir("a/d", 0755));
	CHECK_OK(mkdir("b/d", 0755));
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "a/d", AT_FDCWD, "b/d", RENAME_WHITEOUT));
	check_whiteout("a/d");
	CHECK_OK(stat("a", &dir));
	CHECK_EQ(dir.st_nlink, 2);
	CHECK_OK(stat("b", &dir));
	CHECK_EQ(dir.st_nlink, 3);
	CHECK_ERRNO(rmdir("a"), ENOTEMPTY);
}

TEST(rename_with_a_whiteout_and_other_flags)
{
	make("f");
	make("g");
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "h", RENAME_WHITEOUT | RENAME_NOREPLACE));
	check_whiteout("f");
}

TEST(anybody_leaves_whiteouts)
{
	CHECK_OK(chmod(".", 0777));
	check_drop_root();
	make("f");
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT));
	check_whiteout("f");
}

/* What was left behind was once taken for a name of the file that had gone. */
TEST(whiteout_outlives_the_file_that_left_it)
{
	CHECK_OK(close(CHECK_OK(open("f", O_WRONLY | O_CREAT, 0600))));
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT));
	CHECK_OK(unlink("g"));
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(unlink("f"), ENOENT);
}
