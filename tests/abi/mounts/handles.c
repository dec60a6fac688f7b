/* SPDX-License-Identifier: MIT */
/* open_tree, move_mount, mount_setattr: mounts by handles, and trees attached nowhere. */
#include "mnt.h"

#include <sys/vfs.h>

#define CLONE_TREE OPEN_TREE_CLONE

TEST(open_tree_errors)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "a", 0x40000000), EINVAL);
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "a", AT_RECURSIVE), EINVAL);
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "none", CLONE_TREE), ENOENT);
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "", CLONE_TREE), ENOENT);
	CHECK_ERRNO(open_tree_at(99, "a", CLONE_TREE), EBADF);
	CHECK_ERRNO(open_tree_at(AT_FDCWD, check_bad_address(), CLONE_TREE), EFAULT);
	set_kind("a", MS_UNBINDABLE);
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "a", CLONE_TREE), EINVAL);
	drop_root();
	CHECK_ERRNO(open_tree_at(AT_FDCWD, "a", CLONE_TREE), EPERM);
	CHECK_OK(open_tree_at(AT_FDCWD, "/", 0));
}

TEST(open_tree_without_clone_is_a_path)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(fcntl(fd, F_GETFL) & O_PATH);
	CHECK_ERRNO(umount("a"), EBUSY);
	close(fd);
	CHECK_OK(umount("a"));
}

TEST(a_clone_shows_the_same_and_is_nowhere)
{
	struct stat st, st2;
	int fd;

	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/in");
	check_write_file("a/f", "x", 1);
	check_write_file("a/in/g", "x", 1);
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE));
	CHECK_OK(faccessat(fd, "f", F_OK, 0));
	CHECK_ERRNO(faccessat(fd, "in/g", F_OK, 0), ENOENT);
	close(fd);
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE | AT_RECURSIVE));
	CHECK_OK(faccessat(fd, "in/g", F_OK, 0));
	/* up is where it is */
	CHECK_OK(fstat(fd, &st));
	CHECK_OK(fstatat(fd, "..", &st2, 0));
	CHECK_EQ(st.st_ino, st2.st_ino);
	CHECK_EQ(st.st_dev, st2.st_dev);
	/* the original can go */
	CHECK_OK(umount("a/in"));
	CHECK_OK(umount("a"));
	CHECK_OK(faccessat(fd, "in/g", F_OK, 0));
	close(fd);
}

TEST(a_clone_goes_with_its_last_handle)
{
	int fd, in;

	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/in");
	check_write_file("a/in/g", "x", 1);
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE | AT_RECURSIVE));
	in = CHECK_OK(openat(fd, ".", O_PATH | O_DIRECTORY));
	CHECK_OK(dup2(fd, 60));
	close(fd);
	CHECK_OK(move_mount_at(60, "", AT_FDCWD, "a", 0x4));
	CHECK_OK(umount2("a", MNT_DETACH));
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE | AT_RECURSIVE));
	CHECK_OK(dup2(fd, 61));
	close(in);
	in = CHECK_OK(openat(fd, ".", O_PATH | O_DIRECTORY));
	close(fd);
	close(61);
	/* the handle that was opened below keeps what it sees, but it cannot be attached any more */
	CHECK_OK(faccessat(in, "in/g", F_OK, 0));
	CHECK_ERRNO(move_mount_at(in, "", AT_FDCWD, "a", 0x4), EINVAL);
}

TEST(move_mount_attaches_once)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	check_write_file("a/f", "x", 1);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE));
	CHECK_OK(move_mount_at(fd, "", AT_FDCWD, "b", 0x4));
	CHECK(exists("b/f"));
	/* attached now: it moves on */
	CHECK_OK(move_mount_at(fd, "", AT_FDCWD, "c", 0x4));
	CHECK(!exists("b/f") && exists("c/f"));
	close(fd);
	CHECK(exists("c/f"));
	CHECK_OK(umount("c"));
}

TEST(move_mount_by_names)
{
	int to;

	own_mounts();
	tmpfs_at("a");
	check_write_file("a/f", "x", 1);
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
	CHECK_OK(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0));
	CHECK(exists("b/f"));
	to = CHECK_OK(open("c", O_PATH));
	CHECK_OK(move_mount_at(AT_FDCWD, "b", to, "", 0x40));
	CHECK(exists("c/f"));
}

TEST(move_mount_follows_links_when_told)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(symlink("a", "la"));
	CHECK_OK(symlink("b", "lb"));
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "la", AT_FDCWD, "b", 0), EINVAL);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "lb", 0), EINVAL);
	CHECK_OK(move_mount_at(AT_FDCWD, "la", AT_FDCWD, "lb", 0x11));
	CHECK(is_mounted("b"));
}

TEST(move_mount_errors)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/d", 0700));
	CHECK_OK(mkdir("b", 0700));
	check_write_file("file", "x", 1);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0x1000), EINVAL);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "none", 0), ENOENT);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "none", AT_FDCWD, "b", 0), ENOENT);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "", AT_FDCWD, "b", 0), ENOENT);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "file", 0), EINVAL);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a/d", AT_FDCWD, "b", 0), EINVAL);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "a/d", 0), ELOOP);
	CHECK_ERRNO(move_mount_at(99, "a", AT_FDCWD, "b", 0), EBADF);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, check_bad_address(), AT_FDCWD, "b", 0), EFAULT);
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, check_bad_address(), 0), EFAULT);
	/* nothing is mounted in what is nowhere */
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE));
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", fd, "d", 0), EINVAL);
	CHECK_ERRNO(move_mount_at(fd, "d", AT_FDCWD, "b", 0), EINVAL);
	set_kind("a", MS_SHARED);
	CHECK_OK(mount("none", "a/d", "tmpfs", 0, NULL));
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a/d", AT_FDCWD, "b", 0), EINVAL);
	drop_root();
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0), EPERM);
}

TEST(a_clone_of_a_shared_mount_is_a_peer_that_nothing_reaches)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/m", 0700));
	CHECK_OK(mkdir("b", 0700));
	set_kind("a", MS_SHARED);
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE));
	CHECK_OK(mount("none", "a/m", "tmpfs", 0, NULL));
	check_write_file("a/m/f", "x", 1);
	CHECK_ERRNO(faccessat(fd, "m/f", F_OK, 0), ENOENT);
	CHECK_OK(move_mount_at(fd, "", AT_FDCWD, "b", 0x4));
	CHECK_EQ(shared("b"), shared("a"));
	CHECK(!exists("b/m/f"));
}

TEST(set_group)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("c", 0700));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0x100), EINVAL); /* private to private */
	set_kind("a", MS_SHARED);
	CHECK_OK(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0x100));
	CHECK_EQ(shared("a"), shared("b"));
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "b", 0x100), EINVAL); /* is shared already */
	tmpfs_at("other");
	CHECK_ERRNO(move_mount_at(AT_FDCWD, "a", AT_FDCWD, "other", 0x100), EINVAL);
	CHECK_OK(mount("a", "c", NULL, MS_BIND, NULL));
	set_kind("c", MS_SLAVE);
	set_kind("b", MS_PRIVATE);
	CHECK_OK(move_mount_at(AT_FDCWD, "c", AT_FDCWD, "b", 0x100));
	CHECK_EQ(master("b"), shared("a"));
	CHECK_EQ(shared("b"), 0);
}

/* --- mount_setattr ---------------------------------------------------------------------------- */

TEST(setattr_sets_and_clears)
{
	own_mounts();
	tmpfs_at("a");
	CHECK_OK(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID }));
	CHECK(says("a", " ro,nosuid,relatime"));
	CHECK_ERRNO(mkdir("a/d", 0700), EROFS);
	CHECK_OK(set_attr(AT_FDCWD, "a", 0, (struct attr){ .clear = MOUNT_ATTR_RDONLY, .set = MOUNT_ATTR_NODEV }));
	CHECK(says("a", " rw,nosuid,nodev,relatime"));
	CHECK_OK(set_attr(AT_FDCWD, "a", 0,
			  (struct attr){ .clear = MOUNT_ATTR__ATIME, .set = MOUNT_ATTR_NOATIME }));
	CHECK(says("a", " rw,nosuid,nodev,noatime "));
	CHECK_OK(set_attr(AT_FDCWD, "a", 0,
			  (struct attr){ .clear = MOUNT_ATTR__ATIME, .set = MOUNT_ATTR_STRICTATIME }));
	CHECK(says("a", " rw,nosuid,nodev "));
	CHECK_OK(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_NODIRATIME | 0x200000 }));
	CHECK(says("a", ",nodiratime,nosymfollow "));
	CHECK_OK(set_attr(AT_FDCWD, "a", 0, (struct attr){ .propagation = MS_SHARED }));
	CHECK(shared("a") > 0);
}

TEST(setattr_recursively)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/b");
	CHECK_OK(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_NOEXEC }));
	CHECK(says("a", "noexec") && !says("a/b", "noexec"));
	CHECK_OK(set_attr(AT_FDCWD, "a", AT_RECURSIVE,
			  (struct attr){ .set = MOUNT_ATTR_NOEXEC, .propagation = MS_SHARED }));
	CHECK(says("a/b", "noexec") && shared("a/b") > 0);
	/* all or nothing */
	fd = CHECK_OK(open("a/b/f", O_CREAT | O_WRONLY, 0600));
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", AT_RECURSIVE, (struct attr){ .set = MOUNT_ATTR_RDONLY }), EBUSY);
	CHECK(says("a", " rw,") && says("a/b", " rw,"));
	close(fd);
	CHECK_OK(set_attr(AT_FDCWD, "a", AT_RECURSIVE, (struct attr){ .set = MOUNT_ATTR_RDONLY }));
	CHECK(says("a", " ro,") && says("a/b", " ro,"));
}

TEST(setattr_that_fails_shares_nothing)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	tmpfs_at("a/b");
	fd = CHECK_OK(open("a/b/f", O_CREAT | O_WRONLY, 0600));
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", AT_RECURSIVE,
			     (struct attr){ .set = MOUNT_ATTR_RDONLY, .propagation = MS_SHARED }), EBUSY);
	CHECK(shared("a") <= 0 && shared("a/b") <= 0);
	CHECK(says("a", " rw,") && says("a/b", " rw,"));
	close(fd);
	CHECK_OK(set_attr(AT_FDCWD, "a", AT_RECURSIVE,
			  (struct attr){ .set = MOUNT_ATTR_RDONLY, .propagation = MS_SHARED }));
	CHECK(shared("a") > 0 && shared("a/b") > 0);
	CHECK(says("a", " ro,") && says("a/b", " ro,"));
}

TEST(ramfs_is_a_file_system_without_limits)
{
	struct statfs st;
	struct stat s;
	int fd;

	own_mounts();
	CHECK_OK(mkdir("r", 0700));
	CHECK_OK(mount("none", "r", "ramfs", 0, "mode=710,nobody-knows-this"));
	CHECK_OK(statfs("r", &st));
	CHECK_EQ(st.f_type, 0x858458f6);
	CHECK_EQ(st.f_blocks, 0);
	CHECK_EQ(st.f_namelen, 255);
	CHECK_OK(stat("r", &s));
	CHECK_EQ(s.st_mode & 07777, 0710);
	fd = CHECK_OK(open("r/f", O_CREAT | O_RDWR, 0600));
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK(says("r", " - ramfs none rw,mode=710"));
	close(fd);
	CHECK_OK(umount("r"));
	CHECK_OK(mount("none", "r", "ramfs", 0, NULL));
	CHECK_OK(stat("r", &s));
	CHECK_EQ(s.st_mode & 07777, 0755);
	CHECK_ERRNO(stat("r/f", &s), ENOENT);
	CHECK_OK(umount("r"));
	CHECK_ERRNO(mount("none", "r", "ramfs", 0, "mode=9"), EINVAL);
}

TEST(setattr_of_a_detached_tree)
{
	int fd;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("b", 0700));
	fd = CHECK_OK(open_tree_at(AT_FDCWD, "a", CLONE_TREE));
	CHECK_OK(set_attr(fd, "", AT_EMPTY_PATH, (struct attr){ .set = MOUNT_ATTR_RDONLY }));
	CHECK_ERRNO(mkdirat(fd, "d", 0700), EROFS);
	CHECK_OK(mkdir("a/d", 0700));
	CHECK_OK(move_mount_at(fd, "", AT_FDCWD, "b", 0x4));
	CHECK(says("b", " ro,"));
}

TEST(setattr_errors)
{
	struct {
		struct attr a;
		uint64_t more;
	} big = { .a = { .set = MOUNT_ATTR_NOSUID } };
	struct attr a = { .set = MOUNT_ATTR_NOSUID };
	int ns;

	own_mounts();
	tmpfs_at("a");
	CHECK_OK(mkdir("a/d", 0700));
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0x40000000, a), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &a, 31), EINVAL);
	CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &a, 5000), E2BIG);
	CHECK_OK(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &big, sizeof(big)));
	big.more = 1;
	CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, &big, sizeof(big)), E2BIG);
	CHECK_ERRNO(syscall(SYS_mount_setattr, AT_FDCWD, "a", 0, check_bad_address(), sizeof(a)), EFAULT);
	CHECK_ERRNO(set_attr(AT_FDCWD, "none", 0, a), ENOENT);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a/d", 0, a), EINVAL);
	CHECK_OK(set_attr(AT_FDCWD, "none", 0, (struct attr){ 0 })); /* nothing to do */
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = 0x8000 }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .clear = 0x8000 }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .propagation = MS_SHARED | MS_SLAVE }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .propagation = MS_REC }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_NOATIME }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .clear = MOUNT_ATTR_NOATIME }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0,
			     (struct attr){ .clear = MOUNT_ATTR__ATIME, .set = MOUNT_ATTR__ATIME }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .clear = MOUNT_ATTR_IDMAP }), EINVAL);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_IDMAP, .user_ns = 99 }), EBADF);
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, (struct attr){ .set = MOUNT_ATTR_IDMAP, .user_ns = 1ull << 40 }), EINVAL);
	ns = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0,
			     (struct attr){ .set = MOUNT_ATTR_IDMAP, .user_ns = (unsigned int)ns }), EINVAL);
	ns = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0,
			     (struct attr){ .set = MOUNT_ATTR_IDMAP, .user_ns = (unsigned int)ns }), EPERM);
	drop_root();
	CHECK_ERRNO(set_attr(AT_FDCWD, "a", 0, a), EPERM);
}

TEST(setattr_keeps_locked_flags)
{
	own_mounts();
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", MS_NOSUID | MS_RDONLY, NULL));
	drop_root();
	become_root_inside();
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_ERRNO(set_attr(AT_FDCWD, "m", 0, (struct attr){ .clear = MOUNT_ATTR_RDONLY }), EPERM);
	CHECK_ERRNO(set_attr(AT_FDCWD, "m", 0, (struct attr){ .clear = MOUNT_ATTR_NOSUID }), EPERM);
	CHECK_ERRNO(set_attr(AT_FDCWD, "m", 0,
			     (struct attr){ .clear = MOUNT_ATTR__ATIME, .set = MOUNT_ATTR_NOATIME }), EPERM);
	CHECK_OK(set_attr(AT_FDCWD, "m", 0, (struct attr){ .set = MOUNT_ATTR_NOEXEC }));
	CHECK_OK(set_attr(AT_FDCWD, "m", 0, (struct attr){ .clear = MOUNT_ATTR_NOEXEC }));
}
