/* SPDX-License-Identifier: MIT */
/*
 * backing.c - what a FUSE file system is to the page cache: errors of writing back, told once to each open file; its
 * numbers in /sys/class/bdi.
 */
#include "daemon.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static const char *
bdi(const char *name)
{
	static char path[128];
	struct stat st;

	CHECK_OK(stat(MNT, &st));
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/%s", major(st.st_dev), minor(st.st_dev), name);
	return path;
}

static long
setting(const char *name)
{
	char text[64];

	check_read_file(bdi(name), text, sizeof(text));
	return strtol(text, NULL, 10);
}

/* 0 or an errno. */
static int
set(const char *name, const char *value)
{
	int fd = CHECK_OK(open(bdi(name), O_WRONLY));
	int error = write(fd, value, strlen(value)) < 0 ? errno : 0;

	close(fd);
	return error;
}

static void
run_written_back(void)
{
	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
}

/* Write back and fail, and let `fd` be told of it. */
static void
fail_to_write(int fd)
{
	shared->error[FUSE_WRITE] = -ENOSPC;
	CHECK_EQ(CHECK_OK(pwrite(fd, "0123456789", 10, 0)), 10);
	CHECK_ERRNO(fsync(fd), ENOSPC);
	shared->error[FUSE_WRITE] = 0;
	CHECK_OK(fsync(fd));
}

TEST(fsync_tells_each_open_file_of_each_error_once)
{
	int fd, other, late;

	run_written_back();
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	other = CHECK_OK(open(MNT "/hello", O_RDONLY));
	fail_to_write(fd);
	late = CHECK_OK(open(MNT "/hello", O_RDWR)); /* it has been told to somebody: old news to this one */
	CHECK_OK(fsync(late));
	CHECK_ERRNO(fsync(other), ENOSPC);
	CHECK_OK(fsync(other));
	close(late);
	close(other);
	close(fd);
	daemon_end();
}

/* Directories too, and files that nobody wrote through; whom fsync has told is told by syncfs all the same. */
TEST(syncfs_tells_each_open_file_of_the_file_system_once)
{
	int dir, fd, inside, late, path;

	run_written_back();
	dir = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	inside = CHECK_OK(open(MNT "/dir/inside", O_RDONLY));
	path = CHECK_OK(open(MNT, O_PATH | O_DIRECTORY));
	CHECK_OK(syncfs(dir));
	fail_to_write(fd);
	late = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY)); /* opened behind it, but nobody was told by syncfs */
	CHECK_ERRNO(syncfs(dir), ENOSPC);
	CHECK_OK(syncfs(dir));
	CHECK_ERRNO(syncfs(late), ENOSPC);
	CHECK_OK(syncfs(late));
	CHECK_ERRNO(syncfs(fd), ENOSPC);
	CHECK_OK(syncfs(fd));
	close(late);
	late = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY));
	CHECK_OK(syncfs(late));
	CHECK_ERRNO(syncfs(inside), ENOSPC);
	CHECK_OK(syncfs(inside));
	CHECK_ERRNO(syncfs(path), EBADF);
	CHECK_OK(fsync(dir)); /* its own matter */
	fail_to_write(fd);
	CHECK_ERRNO(syncfs(late), ENOSPC);
	close(late);
	close(path);
	close(inside);
	close(fd);
	close(dir);
	daemon_end();
}

TEST(a_file_system_has_its_numbers_in_sysfs)
{
	char target[128];

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(access(bdi("subsystem"), F_OK));
	CHECK(readlink(bdi("subsystem"), target, sizeof(target)) > 0);
	CHECK_EQ(setting("read_ahead_kb"), 128);
	CHECK_EQ(setting("max_ratio"), 1);
	CHECK_EQ(setting("min_ratio"), 0);
	CHECK_EQ(setting("stable_pages_required"), 0);
	CHECK_EQ(set("max_ratio", "101"), EINVAL);
	CHECK_EQ(set("max_ratio", "x"), EINVAL);
	CHECK_EQ(set("min_ratio", "2"), EINVAL); /* more than the most */
	CHECK_EQ(set("max_ratio", "40\n"), 0);
	CHECK_EQ(set("min_ratio", "30"), 0);
	CHECK_EQ(set("max_ratio", "20"), EINVAL); /* less than the least */
	CHECK_EQ(setting("max_ratio"), 40);
	CHECK_EQ(setting("min_ratio"), 30);
	CHECK_EQ(set("min_ratio", "0"), 0);
	CHECK_EQ(set("max_ratio", "100"), 0);
	strcpy(target, bdi(""));
	daemon_end();
	CHECK_ERRNO(access(target, F_OK), ENOENT);
}

/* A sequential reader's requests grow as large as read_ahead_kb says, and no larger. */
TEST(read_ahead_is_what_sysfs_says)
{
	struct node *n;
	char buf[4096];
	int fd;

	daemon_prepare();
	n = node_find(1, "hello");
	n->attr.size = DATA_MAX;
	daemon_run(NULL);
	CHECK_EQ(set("read_ahead_kb", "16"), 0);
	CHECK_EQ(setting("read_ahead_kb"), 16);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	for (size_t at = 0; at < DATA_MAX; at += sizeof(buf))
		CHECK_EQ(CHECK_OK(pread(fd, buf, sizeof(buf), (off_t)at)), (long)sizeof(buf));
	close(fd);
	CHECK(shared->max_read_size <= 16384);
	CHECK(shared->max_read_size >= 8192);
	CHECK_EQ(set("read_ahead_kb", "0"), 0);
	daemon_end();
}
