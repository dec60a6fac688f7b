/* SPDX-License-Identifier: MIT */
/* What flags of mounts forbid, umount2's flags, what /proc says of mounts and when. */
#include "mnt.h"

static void
remount(const char *name, unsigned long flags)
{
	CHECK_OK(mount(NULL, name, NULL, MS_REMOUNT | MS_BIND | flags, NULL));
}

TEST(read_only_bind_of_a_writable_file_system)
{
	struct statfs s;
	int fd;

	own_mounts();
	tmpfs_at("a");
	check_write_file("a/f", "x", 1);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	fd = CHECK_OK(open("b/f", O_RDWR));
	CHECK_ERRNO(mount(NULL, "b", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
	close(fd);
	remount("b", MS_RDONLY);
	CHECK_ERRNO(open("b/f", O_RDWR), EROFS);
	CHECK_ERRNO(open("b/new", O_CREAT | O_RDWR, 0600), EROFS);
	CHECK_ERRNO(truncate("b/f", 0), EROFS);
	CHECK_ERRNO(chmod("b/f", 0600), EROFS);
	CHECK_ERRNO(unlink("b/f"), EROFS);
	CHECK_ERRNO(access("b/f", W_OK), EROFS);
	CHECK_ERRNO(setxattr("b/f", "trusted.x", "1", 1, 0), EROFS);
	check_write_file("a/g", "x", 1);
	CHECK_OK(statfs("b", &s));
	CHECK(s.f_flags & 1);
	CHECK_OK(statfs("a", &s));
	CHECK(!(s.f_flags & 1));
	remount("b", 0);
	check_write_file("b/g", "x", 1);
}

TEST(read_only_file_system)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	fd = CHECK_OK(open("b/f", O_CREAT | O_RDWR, 0600));
	CHECK_ERRNO(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
	close(fd);
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	/* on all mounts of it, whose own flags say otherwise */
	CHECK_ERRNO(open("b/f", O_RDWR), EROFS);
	CHECK(says("a", " ro,relatime") && says("b", " rw,relatime"));
	CHECK(says("a", "tmpfs a ro") && says("b", "tmpfs a ro"));
	CHECK_OK(mount(NULL, "a", NULL, MS_REMOUNT, NULL));
	CHECK_OK(close(open("b/f", O_RDWR)));
	CHECK_OK(umount("a"));
	CHECK_OK(mkdir("ro", 0700));
	CHECK_OK(mount("x", "ro", "tmpfs", MS_RDONLY, NULL));
	CHECK_ERRNO(mkdir("ro/d", 0700), EROFS);
	remount("ro", 0);
	CHECK_ERRNO(mkdir("ro/d", 0700), EROFS);
}

TEST(noexec_and_nodev)
{
	char *argv[] = { "p", NULL };

	own_mounts();
	tmpfs_at("a");
	check_write_file("a/p", "#!/bin/true\n", 12);
	CHECK_OK(chmod("a/p", 0755));
	CHECK_OK(mknod("a/null", S_IFCHR | 0666, 1 << 8 | 3));
	remount("a", MS_NOEXEC | MS_NODEV);
	CHECK_ERRNO(execv("a/p", argv), EACCES);
	CHECK_ERRNO(access("a/p", X_OK), EACCES);
	CHECK_ERRNO(open("a/null", O_RDONLY), EACCES);
	remount("a", 0);
	CHECK_OK(close(open("a/null", O_RDONLY)));
	CHECK_OK(access("a/p", X_OK));
}

TEST(nosymfollow)
{
	char text[16];

	own_mounts();
	tmpfs_at("a");
	check_write_file("a/f", "x", 1);
	CHECK_OK(symlink("f", "a/l"));
	CHECK_OK(symlink("a/f", "outside"));
	remount("a", MS_NOSYMFOLLOW);
	CHECK(says("a", ",nosymfollow"));
	CHECK_ERRNO(open("a/l", O_RDONLY), ELOOP);
	CHECK_OK(readlink("a/l", text, sizeof(text)));
	CHECK_OK(access("outside", F_OK));
}

static long long
accessed(const char *name)
{
	struct stat st;

	CHECK_OK(stat(name, &st));
	return st.st_atim.tv_sec;
}

static void
read_old(const char *name)
{
	struct timespec old[2] = { { .tv_sec = 1000000 }, { .tv_sec = 1000000 } };
	char byte;
	int fd;

	CHECK_OK(utimensat(AT_FDCWD, name, old, 0));
	fd = CHECK_OK(open(name, O_RDONLY));
	CHECK(read(fd, &byte, 1) >= 0 || errno == EISDIR);
	close(fd);
}

TEST(access_times)
{
	own_mounts();
	tmpfs_at("a");
	check_write_file("a/f", "x", 1);
	remount("a", MS_NOATIME);
	read_old("a/f");
	CHECK_EQ(accessed("a/f"), 1000000);
	CHECK(says("a", " rw,noatime "));
	remount("a", MS_RELATIME);
	read_old("a/f");
	CHECK(accessed("a/f") > 1000000);
	remount("a", MS_STRICTATIME);
	CHECK(says("a", " rw - "));
	read_old("a/f");
	CHECK(accessed("a/f") > 1000000);
	/* not named: kept */
	remount("a", MS_NOATIME);
	remount("a", MS_NOSUID);
	CHECK(says("a", " rw,nosuid,noatime "));
	remount("a", MS_NODIRATIME);
	CHECK(says("a", " rw,nodiratime,relatime "));
}

TEST(umount2_flags)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(symlink("a", "l"));
	CHECK_ERRNO(umount2("a", 16), EINVAL);
	CHECK_ERRNO(umount2("a", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECK_ERRNO(umount2("a", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECK_ERRNO(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
	CHECK_ERRNO(umount2("none", 0), ENOENT);
	CHECK_ERRNO(umount2(check_bad_address(), 0), EFAULT);
	CHECK_OK(mkdir("a/d", 0700));
	CHECK_ERRNO(umount2("a/d", 0), EINVAL);
	fd = CHECK_OK(open("a/d", O_RDONLY | O_DIRECTORY));
	CHECK_ERRNO(umount2("a", 0), EBUSY);
	CHECK_ERRNO(umount2("a", MNT_EXPIRE), EBUSY);
	CHECK_OK(umount2("a", MNT_DETACH));
	CHECK(!is_mounted("a"));
	CHECK_OK(mkdirat(fd, "still", 0700));
	CHECK_ERRNO(umount2("a", 0), EINVAL);
}

TEST(expiry_takes_two_calls_without_a_use)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_ERRNO(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK_OK(mkdir("a/d", 0700)); /* a use */
	CHECK_ERRNO(umount2("a", MNT_EXPIRE), EAGAIN);
	CHECK_OK(umount2("a", MNT_EXPIRE));
	CHECK(!is_mounted("a"));
}

TEST(a_detached_tree_is_apart)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/b");
	check_write_file("a/b/f", "x", 1);
	fd = CHECK_OK(open("a", O_PATH));
	CHECK_OK(umount2("a", MNT_DETACH));
	CHECK_ERRNO(faccessat(fd, "b/f", F_OK, 0), ENOENT);
}

TEST(changes_are_polled)
{
	struct pollfd p = { .events = POLLPRI };

	own_mounts();
	CHECK_OK(mkdir("a", 0700));
	p.fd = CHECK_OK(open("/proc/self/mounts", O_RDONLY));
	CHECK_EQ(poll(&p, 1, 0), 0);
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLPRI | POLLERR);
	CHECK_EQ(poll(&p, 1, 0), 0); /* told once */
	CHECK_OK(umount("a"));
	CHECK_EQ(poll(&p, 1, 0), 1);
	p.events = POLLIN;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
}

TEST(a_change_ends_a_wait)
{
	struct pollfd p = { .events = POLLPRI };
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("a", 0700));
	p.fd = CHECK_OK(open("/proc/self/mountinfo", O_RDONLY));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK(p.revents & POLLPRI);
	CHECK_EXIT(pid, 0);
}

TEST(other_namespaces_changes_are_not_told)
{
	struct pollfd p = { .events = POLLPRI };
	pid_t pid;

	own_mounts();
	CHECK_OK(mkdir("a", 0700));
	p.fd = CHECK_OK(open("/proc/self/mounts", O_RDONLY));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(poll(&p, 1, 0), 0);
}

TEST(mountstats)
{
	char text[65536], line[512], cwd[256];
	struct stat st;
	ssize_t n, used = 0;
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK(getcwd(cwd, sizeof(cwd)) != NULL);
	CHECK_OK(stat("/proc/self/mountstats", &st));
	CHECK_EQ(st.st_mode & 07777, 0400);
	fd = CHECK_OK(open("/proc/self/mountstats", O_RDONLY));
	while ((n = read(fd, text + used, sizeof(text) - 1 - (size_t)used)) > 0)
		used += n;
	text[used] = 0;
	snprintf(line, sizeof(line), "device a mounted on %s/a with fstype tmpfs\n", cwd);
	CHECK(strstr(text, line) != NULL);
}
