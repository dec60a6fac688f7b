/* SPDX-License-Identifier: MIT */
/*
 * The older forms of calls, which glibc no longer makes: programs that are linked statically, other libcs
 * and hand-made code still do. Each must do what its successor does.
 */
#include "../check.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <utime.h>

TEST(open_of_old_creates_and_refuses_as_openat)
{
	int fd = CHECK_OK((int)syscall(SYS_open, "f", O_CREAT | O_EXCL | O_WRONLY, 0640));
	struct stat st;

	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0640);
	CHECK_ERRNO(syscall(SYS_open, "f", O_CREAT | O_EXCL | O_WRONLY, 0640), EEXIST);
	CHECK_ERRNO(syscall(SYS_open, "g", O_RDONLY), ENOENT);
	CHECK_ERRNO(syscall(SYS_open, "f/g", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_open, ".", O_WRONLY), EISDIR);
	CHECK_ERRNO(syscall(SYS_open, "", O_RDONLY), ENOENT);
	CHECK_ERRNO(syscall(SYS_open, check_bad_address(), O_RDONLY), EFAULT);
}

TEST(stat_fstat_and_lstat_of_old_agree_with_newfstatat)
{
	struct stat new_st, old_st;
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));

	CHECK_EQ(write(fd, "12345", 5), 5);
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(syscall(SYS_newfstatat, AT_FDCWD, "f", &new_st, 0));
	CHECK_OK(syscall(SYS_stat, "l", &old_st));
	CHECK_MEM(&old_st, &new_st, sizeof(new_st));
	CHECK_OK(syscall(SYS_fstat, fd, &old_st));
	CHECK_MEM(&old_st, &new_st, sizeof(new_st));
	CHECK_OK(syscall(SYS_lstat, "l", &old_st));
	CHECK(S_ISLNK(old_st.st_mode));
	CHECK_EQ(old_st.st_size, 1);
	CHECK_ERRNO(syscall(SYS_stat, "f", check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_lstat, check_bad_address(), &old_st), EFAULT);
	CHECK_ERRNO(syscall(SYS_fstat, -1, &old_st), EBADF);
	CHECK_ERRNO(syscall(SYS_stat, "none", &old_st), ENOENT);
}

TEST(fork_of_old_makes_a_child_that_is_waited_for)
{
	pid_t pid = (pid_t)CHECK_OK(syscall(SYS_fork));

	if (pid == 0)
		syscall(SYS_exit_group, 23);
	CHECK_EXIT(pid, 23);
}

TEST(getdents_of_old_puts_the_type_last)
{
	struct old_entry {
		unsigned long  inode, next;
		unsigned short length;
		char           name[];
	} *e;
	char buf[4096];
	bool found_file = false, found_dir = false;
	int dir;

	CHECK_OK(close(CHECK_OK(open("file", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(mkdir("folder", 0700));
	dir = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO(syscall(SYS_getdents, dir, buf, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_getdents, dir, check_bad_address(), 4096), EFAULT);
	long n = CHECK_OK(syscall(SYS_getdents, dir, buf, sizeof(buf)));
	for (long at = 0; at < n; at += e->length) {
		e = (void *)(buf + at);
		char type = buf[at + e->length - 1];
		if (strcmp(e->name, "file") == 0)
			found_file = type == DT_REG;
		if (strcmp(e->name, "folder") == 0)
			found_dir = type == DT_DIR;
	}
	CHECK(found_file && found_dir);
	CHECK_EQ(syscall(SYS_getdents, dir, buf, sizeof(buf)), 0);
}

TEST(utime_utimes_and_futimesat_set_both_times)
{
	struct utimbuf seconds = { 1000, 2000 };
	struct timeval tv[2] = { { 3000, 5 }, { 4000, 999999 } }, wrong[2] = { { 1, 1000000 }, { 1, 0 } };
	int dir = CHECK_OK(open(".", O_RDONLY));
	struct stat st;

	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(syscall(SYS_utime, "f", &seconds));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atime, 1000);
	CHECK_EQ(st.st_mtime, 2000);
	CHECK_OK(syscall(SYS_utimes, "f", tv));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atim.tv_sec, 3000);
	CHECK_EQ(st.st_atim.tv_nsec, 5000);
	CHECK_EQ(st.st_mtim.tv_nsec, 999999000);
	tv[0].tv_sec = 7000;
	CHECK_OK(syscall(SYS_futimesat, dir, "f", tv));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_atime, 7000);
	CHECK_ERRNO(syscall(SYS_utimes, "f", wrong), EINVAL);
	CHECK_ERRNO(syscall(SYS_futimesat, dir, "none", tv), ENOENT);
	CHECK_ERRNO(syscall(SYS_utime, "f", check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_utimes, check_bad_address(), tv), EFAULT);
	CHECK_ERRNO(syscall(SYS_futimesat, -1, "f", tv), EBADF);
	CHECK_OK(syscall(SYS_utime, "f", NULL));
	CHECK_OK(stat("f", &st));
	CHECK(st.st_mtime > 7000);
	CHECK_OK(chmod("f", 0644));
	CHECK_OK(chmod(".", 0755));
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_utime, "f", &seconds), EPERM);
	CHECK_ERRNO(syscall(SYS_utime, "f", NULL), EACCES);
}

TEST(mknod_of_old_makes_files_fifos_and_devices)
{
	struct stat st;

	CHECK_OK(syscall(SYS_mknod, "file", 0600, 0));
	CHECK_OK(stat("file", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(syscall(SYS_mknod, "fifo", S_IFIFO | 0640, 0));
	CHECK_OK(stat("fifo", &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_EQ(st.st_mode & 0777, 0640);
	CHECK_OK(syscall(SYS_mknod, "null", S_IFCHR | 0666, makedev(1, 3)));
	CHECK_OK(stat("null", &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, makedev(1, 3));
	CHECK_OK(syscall(SYS_mknod, "socket", S_IFSOCK | 0600, 0));
	CHECK_ERRNO(syscall(SYS_mknod, "file", 0600, 0), EEXIST);
	CHECK_ERRNO(syscall(SYS_mknod, "dir", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERRNO(syscall(SYS_mknod, "odd", S_IFLNK | 0700, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_mknod, "no/file", 0600, 0), ENOENT);
	CHECK_ERRNO(syscall(SYS_mknod, check_bad_address(), 0600, 0), EFAULT);
	CHECK_OK(chmod(".", 0777));
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_mknod, "tty", S_IFCHR | 0600, makedev(1, 3)), EPERM);
	CHECK_OK(syscall(SYS_mknod, "pipe", S_IFIFO | 0600, 0));
}

TEST(eventfd_and_signalfd_of_old)
{
	uint64_t mask = 1ull << (SIGUSR1 - 1), n = 0;
	struct signalfd_siginfo info;
	int e = CHECK_OK((int)syscall(SYS_eventfd, 5)), s;

	CHECK_EQ(read(e, &n, 8), 8);
	CHECK_EQ(n, 5);
	CHECK_EQ(fcntl(e, F_GETFD), 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	s = CHECK_OK((int)syscall(SYS_signalfd, -1, &mask, 8));
	CHECK_OK(kill(getpid(), SIGUSR1));
	CHECK_EQ(read(s, &info, sizeof(info)), sizeof(info));
	CHECK_EQ(info.ssi_signo, SIGUSR1);
	CHECK_ERRNO(syscall(SYS_signalfd, -1, &mask, 4), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd, -1, check_bad_address(), 8), EFAULT);
	CHECK_ERRNO(syscall(SYS_signalfd, e, &mask, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_signalfd, 240, &mask, 8), EBADF);
}

TEST(nanosleep_of_old_tells_what_is_left)
{
	struct timespec t = { 0, 1000000 }, left = { 77, 77 };

	CHECK_OK(syscall(SYS_nanosleep, &t, NULL));
	CHECK_OK(syscall(SYS_nanosleep, &t, &left));
	CHECK_EQ(left.tv_sec, 77);
	t.tv_nsec = 1000000000;
	CHECK_ERRNO(syscall(SYS_nanosleep, &t, NULL), EINVAL);
	t = (struct timespec){ -1, 0 };
	CHECK_ERRNO(syscall(SYS_nanosleep, &t, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_nanosleep, check_bad_address(), NULL), EFAULT);
}

TEST(readahead_wants_a_readable_file)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600)), wo = CHECK_OK(open("f", O_WRONLY)), p[2];

	CHECK_OK(ftruncate(fd, 100000));
	CHECK_OK(pipe(p));
	CHECK_OK(readahead(fd, 0, 50000));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECK_ERRNO(readahead(-1, 0, 1), EBADF);
	CHECK_ERRNO(readahead(wo, 0, 1), EBADF);
	CHECK_ERRNO(readahead(p[0], 0, 1), EINVAL);
	CHECK_ERRNO(readahead(CHECK_OK(open(".", O_RDONLY)), 0, 1), EINVAL);
}

TEST(setfsgid_tells_the_old_one_and_changes_who_owns_new_files)
{
	struct stat st;

	CHECK_EQ(syscall(SYS_setfsgid, 1234), 0);
	CHECK_EQ(syscall(SYS_setfsgid, -1), 1234);
	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_gid, 1234);
	CHECK_EQ(getegid(), 0);
	check_drop_root();
	CHECK_EQ(syscall(SYS_setfsgid, 5), CHECK_NOBODY);
	CHECK_EQ(syscall(SYS_setfsgid, -1), CHECK_NOBODY);
}

TEST(extended_attributes_of_a_link_are_its_own)
{
	char buf[100];

	CHECK_OK(close(CHECK_OK(open("f", O_CREAT | O_RDWR, 0600))));
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(setxattr("l", "trusted.of", "file", 4, 0));
	CHECK_OK(lsetxattr("l", "trusted.of", "link", 4, 0));
	CHECK_OK(lsetxattr("l", "trusted.more", "x", 1, XATTR_CREATE));
	CHECK_EQ(getxattr("l", "trusted.of", buf, 100), 4);
	CHECK_MEM(buf, "file", 4);
	CHECK_EQ(lgetxattr("l", "trusted.of", buf, 100), 4);
	CHECK_MEM(buf, "link", 4);
	CHECK_EQ(listxattr("l", buf, 100), sizeof("trusted.of"));
	CHECK_STR(buf, "trusted.of");
	CHECK_EQ(llistxattr("l", NULL, 0), sizeof("trusted.of") + sizeof("trusted.more"));
	CHECK_ERRNO(llistxattr("l", buf, 5), ERANGE);
	CHECK_ERRNO(llistxattr("l", check_bad_address(), 100), EFAULT);
	CHECK_ERRNO(lgetxattr("l", "trusted.of", buf, 3), ERANGE);
	CHECK_ERRNO(lgetxattr("l", "trusted.of", check_bad_address(), 100), EFAULT);
	CHECK_ERRNO(lgetxattr("l", check_bad_address(), buf, 100), EFAULT);
	CHECK_ERRNO(lsetxattr("l", "trusted.more", "x", 1, XATTR_CREATE), EEXIST);
	CHECK_ERRNO(lsetxattr("l", "trusted.none", "x", 1, XATTR_REPLACE), ENODATA);
	CHECK_ERRNO(lsetxattr("l", "user.a", "x", 1, 0), EPERM);
	CHECK_OK(lremovexattr("l", "trusted.of"));
	CHECK_ERRNO(lremovexattr("l", "trusted.of"), ENODATA);
	CHECK_OK(removexattr("l", "trusted.of"));
	CHECK_ERRNO(removexattr("f", "trusted.of"), ENODATA);
	CHECK_ERRNO(removexattr("none", "trusted.of"), ENOENT);
	CHECK_ERRNO(removexattr("f", ""), ERANGE);
}

TEST(epoll_pwait2_waits_by_nanoseconds)
{
	struct epoll_event e = { .events = EPOLLIN }, got;
	struct timespec none = { 0, 0 }, some = { 0, 1000000 }, wrong = { 0, 1000000000 };
	int ep = CHECK_OK(epoll_create1(0)), p[2];

	CHECK_OK(pipe(p));
	CHECK_OK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e));
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &got, 1, &none, NULL, 0), 0);
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &got, 1, &some, NULL, 0), 0);
	CHECK_EQ(write(p[1], "x", 1), 1);
	CHECK_EQ(syscall(SYS_epoll_pwait2, ep, &got, 1, NULL, NULL, 0), 1);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, &got, 1, &wrong, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, &got, 0, &none, NULL, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, check_bad_address(), 1, &none, NULL, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, ep, &got, 1, check_bad_address(), NULL, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_epoll_pwait2, p[0], &got, 1, &none, NULL, 0), EINVAL);
}

TEST(futimesat_without_a_name_means_the_handle)
{
	struct timeval tv[2] = { { 100, 0 }, { 200, 0 } };
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));
	struct stat st;

	CHECK_OK(syscall(SYS_futimesat, fd, NULL, tv));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mtime, 200);
	CHECK_ERRNO(syscall(SYS_futimesat, AT_FDCWD, NULL, tv), EFAULT);
}

TEST(ustat_tells_of_a_file_system_by_number)
{
	struct { int blocks; unsigned long files; char name[6], pack[6]; } u;
	struct stat st;

	memset(&u, 0xff, sizeof(u));
	CHECK_OK(stat("/tmp", &st));
	CHECK_OK(syscall(SYS_ustat, st.st_dev, &u));
	CHECK(u.blocks > 0);
	CHECK(u.files > 0);
	CHECK_MEM(u.name, "\0\0\0\0\0", 6);
	CHECK_OK(stat("/proc", &st));
	CHECK_OK(syscall(SYS_ustat, st.st_dev, &u));
	CHECK_EQ(u.blocks, 0);
	CHECK_ERRNO(syscall(SYS_ustat, st.st_dev, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_ustat, 0xfffff, &u), EINVAL);
	CHECK_ERRNO(syscall(SYS_ustat, 0xfffff, check_bad_address()), EINVAL);
}

TEST(sysfs_tells_types_of_file_systems)
{
	char name[64];
	long n = CHECK_OK(syscall(SYS_sysfs, 3)), found = 0;

	for (long i = 0; i < n; i++) {
		memset(name, 'x', sizeof(name));
		CHECK_OK(syscall(SYS_sysfs, 2, i, name));
		CHECK_EQ(syscall(SYS_sysfs, 1, name), i);
		found += strcmp(name, "proc") == 0;
	}
	CHECK_EQ(found, 1);
	CHECK_ERRNO(syscall(SYS_sysfs, 2, n, name), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 2, 0, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_sysfs, 1, "nofs"), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 1, ""), ENOENT);
	CHECK_ERRNO(syscall(SYS_sysfs, 1, check_bad_address()), EFAULT);
	CHECK_ERRNO(syscall(SYS_sysfs, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_sysfs, 4), EINVAL);
}
