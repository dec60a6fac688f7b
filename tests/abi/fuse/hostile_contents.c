/* SPDX-License-Identifier: MIT */
/*
 * hostile_contents.c - a daemon whose answers have the right form and say nonsense: directories, data, attributes by
 * name, ioctls. Each is an error to the one who asked, and the connection goes on. hostile.c has names and nodes.
 */
#include "daemon.h"

#include <dirent.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#define HELLO (&shared->node[2])
#define DIR3  (&shared->node[3])

static char buf[65536];

/* --- directories ------------------------------------------------------------------------------------------------ */

static size_t
put_entry(char *at, uint64_t off, const void *name, uint32_t length)
{
	struct fuse_dirent *d = (struct fuse_dirent *)at;

	*d = (struct fuse_dirent){ .ino = 5, .off = off, .namelen = length, .type = DT_REG };
	memcpy(d->name, name, length);
	return FUSE_DIRENT_SIZE(d);
}

/* A daemon that gives entries with their files. */
static void
run_plus(void)
{
	shared->init_flags = FUSE_DO_READDIRPLUS;
	daemon_run(NULL);
}

/* The bytes that one getdents64 gives, or -errno. */
static long
list_once(int fd)
{
	long n = syscall(SYS_getdents64, fd, buf, sizeof(buf));

	return n < 0 ? -errno : n;
}

/* How many entries `n` bytes in buf are. */
static int
entries(long n)
{
	int count = 0;

	for (long at = 0; at < n; at += ((const struct dirent64 *)(const void *)(buf + at))->d_reclen)
		count++;
	return count;
}

/* How many entries a listing of `path` has that is answered with these, and their files. */
static int
list_plus(const char *path, const struct fuse_entry_out *e, const char *const *names, int n)
{
	int fd = CHECK_OK(open(path, O_RDONLY | O_DIRECTORY)), count;
	char data[4096] = { 0 };
	size_t size = 0;

	for (int i = 0; i < n; i++) {
		memcpy(data + size, &e[i], sizeof(e[i]));
		size += sizeof(e[i]);
		size += put_entry(data + size, (unsigned)i + 1, names[i], (uint32_t)strlen(names[i]));
	}
	daemon_reply(FUSE_READDIRPLUS, data, size);
	count = entries(list_once(fd));
	close(fd);
	return count;
}

TEST(names_that_none_can_be_end_a_listing_with_eio)
{
	char data[4096] = { 0 };
	size_t n;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	n = put_entry(data, 1, "", 0);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(list_once(fd), -EIO);
	n = put_entry(data, 1, "a/b", 3);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(list_once(fd), -EIO);
	memset(buf, 'n', 2000);
	n = put_entry(data, 1, buf, 1025);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(list_once(fd), -EIO);
	/* A good one before it is told, and the error with the next call. */
	n = put_entry(data, 1, "good", 4);
	n += put_entry(data + n, 2, "/", 1);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(entries(list_once(fd)), 1);
	CHECK_EQ(list_once(fd), 24); /* asked at position 1, it says the same */
	close(fd);
	daemon_fine_end();
}

TEST(long_names_and_dots_are_told_as_they_are)
{
	const struct dirent64 *d = (const struct dirent64 *)(const void *)buf;
	char data[4096] = { 0 }, name[1024];
	size_t n;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	memset(name, 'n', sizeof(name));
	n = put_entry(data, 1, name, sizeof(name));
	daemon_reply(FUSE_READDIR, data, n);
	n = (size_t)list_once(fd);
	CHECK_EQ(n, (19 + 1024 + 1 + 7) / 8 * 8);
	CHECK_MEM(d->d_name, name, sizeof(name));
	n = put_entry(data, 1, ".", 1);
	n += put_entry(data + n, 2, "..", 2);
	n += put_entry(data + n, 3, "..", 2);
	n += put_entry(data + n, 4, "a\0b", 3);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(entries(list_once(fd)), 4);
	close(fd);
	daemon_fine_end();
}

TEST(half_an_entry_is_none)
{
	char data[4096] = { 0 };
	size_t n;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	n = put_entry(data, 1, "name", 4);
	daemon_reply(FUSE_READDIR, data, n - 1);
	CHECK_EQ(list_once(fd), 0);
	daemon_reply(FUSE_READDIR, data, 7);
	CHECK_EQ(list_once(fd), 0);
	put_entry(data, 1, "name", 4);
	((struct fuse_dirent *)(void *)data)->namelen = 900; /* no so many bytes follow */
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(list_once(fd), 0);
	((struct fuse_dirent *)(void *)data)->namelen = 0xfffffff0;
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(list_once(fd), -EIO);
	close(fd);
	daemon_fine_end();
}

TEST(positions_that_go_in_circles_do_not_hold_the_kernel)
{
	char data[4096] = { 0 };
	size_t n;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	n = put_entry(data, 0, "again", 5);
	daemon_reply(FUSE_READDIR, data, n);
	for (int i = 0; i < 10; i++)
		CHECK_EQ(entries(list_once(fd)), 1);
	n = put_entry(data, ~0ull, "minus", 5);
	n += put_entry(data + n, 1ull << 63, "least", 5);
	daemon_reply(FUSE_READDIR, data, n);
	CHECK_EQ(entries(list_once(fd)), 2);
	CHECK_EQ(LAST(READDIR, fuse_read_in)->offset, 0);
	CHECK_EQ(entries(list_once(fd)), 2);
	CHECK_EQ(LAST(READDIR, fuse_read_in)->offset, 1ull << 63);
	close(fd);
	daemon_fine_end();
}

/* What is wrong with an entry's file concerns the file, not its name. */
TEST(readdirplus_with_impossible_files_lists_their_names)
{
	static const char *const names[] = { "zero", "root", "none", "huge", "hello" };
	struct fuse_entry_out e[5];
	struct stat st;

	daemon_prepare();
	run_plus();
	CHECK_OK(stat(MNT "/dir", &st));
	for (int i = 0; i < 5; i++)
		e[i] = node_entry(HELLO);
	e[0].nodeid = 0;
	e[1].nodeid = 1;
	e[2].attr.mode = 1;
	e[3].attr.size = ~0ull;
	CHECK_EQ(list_plus(MNT, e, names, 5), 5);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 1);
	daemon_fine_end();
}

TEST(readdirplus_with_directories_that_go_in_circles)
{
	static const char *const names[] = { "aa", "bb", "cc" };
	struct fuse_entry_out e[3];
	struct stat st;

	daemon_prepare();
	node_make(3, "sub", S_IFDIR | 0755, NULL);
	node_make(1, "other", S_IFDIR | 0755, NULL);
	run_plus();
	CHECK_OK(stat(MNT "/dir/sub", &st));
	e[0] = node_entry(DIR3);
	e[1] = node_entry(node_find(3, "sub"));
	e[2] = node_entry(node_find(1, "other"));
	CHECK_EQ(list_plus(MNT "/dir/sub", e, names, 3), 3);
	daemon_right();
	CHECK_ERRNO(stat(MNT "/dir/sub/aa", &st), ENOENT);
	CHECK_ERRNO(rmdir(MNT "/dir/sub/bb"), ENOENT);
	CHECK_OK(stat(MNT "/dir/sub/cc", &st));
	CHECK_OK(stat(MNT "/other", &st));
	CHECK_OK(rename(MNT "/dir/inside", MNT "/dir/sub/moved"));
	daemon_fine_end();
}

/* --- contents --------------------------------------------------------------------------------------------------- */

TEST(reads_and_writes_that_take_nothing)
{
	struct fuse_write_out w = { 0 };
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_ERRNO(pwrite(fd, "abc", 3, 0), EIO);
	w.size = 2;
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_EQ(CHECK_OK(pwrite(fd, "abc", 3, 0)), 2);
	daemon_reply(FUSE_READ, "", 0);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 0);
	close(fd);
	daemon_fine_end();
}

TEST(direct_writes_that_take_nothing_or_too_much)
{
	struct fuse_write_out w = { 0 };
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_DIRECT_IO;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_EQ(CHECK_OK(pwrite(fd, "abc", 3, 0)), 0);
	w.size = 4;
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_ERRNO(pwrite(fd, "abc", 3, 0), EIO);
	w.size = ~0u;
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_ERRNO(pwrite(fd, "abc", 3, 0), EIO);
	memset(buf, 'x', 200);
	daemon_reply(FUSE_READ, buf, 200);
	CHECK_ERRNO(pread(fd, buf, 100, 0), EIO);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 200, 0)), 200);
	close(fd);
	daemon_fine_end();
}

TEST(written_back_too_much_or_too_little_is_eio)
{
	struct fuse_write_out w = { .size = 2 };
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_EQ(CHECK_OK(pwrite(fd, "abcdef", 6, 0)), 6);
	fsync(fd); /* Linux takes any number for success, ours does not */
	w.size = ~0u;
	daemon_reply(FUSE_WRITE, &w, sizeof(w));
	CHECK_EQ(CHECK_OK(pwrite(fd, "abcdef", 6, 0)), 6);
	fsync(fd);
	daemon_right();
	CHECK_EQ(CHECK_OK(pwrite(fd, "abcdef", 6, 0)), 6);
	CHECK_OK(fsync(fd));
	CHECK_MEM(HELLO->data, "abcdef", 6);
	close(fd);
	daemon_fine_end();
}

TEST(open_flags_of_all_ones_are_borne)
{
	struct fuse_open_out o = { .fh = ~0ull, .open_flags = ~0u };
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	daemon_reply(FUSE_OPEN, &o, sizeof(o));
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), ESPIPE);
	CHECK_ERRNO(pread(fd, buf, 6, 0), ESPIPE);
	CHECK_EQ(CHECK_OK(read(fd, buf, 6)), 6);
	CHECK_EQ(LAST(READ, fuse_read_in)->fh, ~0ull);
	close(fd);
	o.open_flags = ~0u;
	daemon_reply(FUSE_OPENDIR, &o, sizeof(o));
	fd = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY));
	CHECK(list_once(fd) > 0);
	close(fd);
	daemon_fine_end();
}

TEST(seeking_to_nonsense_is_einval)
{
	struct fuse_lseek_out o = { .offset = (uint64_t)-4 };
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_LSEEK, &o, sizeof(o));
	CHECK_ERRNO(lseek(fd, 0, SEEK_HOLE), EINVAL);
	CHECK_EQ(CHECK_OK(lseek(fd, 0, SEEK_CUR)), 0);
	o.offset = 1ull << 63;
	daemon_reply(FUSE_LSEEK, &o, sizeof(o));
	CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), EINVAL);
	o.offset = INT64_MAX;
	daemon_reply(FUSE_LSEEK, &o, sizeof(o));
	CHECK_EQ(CHECK_OK(lseek(fd, 0, SEEK_DATA)), INT64_MAX);
	CHECK_ERRNO(lseek(fd, 1, SEEK_CUR), EINVAL);
	close(fd);
	daemon_fine_end();
}

TEST(a_lock_that_cannot_be_is_eio)
{
	struct fuse_lk_out o = { .lk = { .start = 5, .end = 4, .type = F_WRLCK } };
	struct flock l = { .l_type = F_WRLCK };
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_LOCKS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_GETLK, &o, sizeof(o));
	CHECK_ERRNO(fcntl(fd, F_GETLK, &l), EIO);
	o.lk = (struct fuse_file_lock){ .type = 99 };
	daemon_reply(FUSE_GETLK, &o, sizeof(o));
	CHECK_ERRNO(fcntl(fd, F_GETLK, &l), EIO);
	o.lk = (struct fuse_file_lock){ .type = F_RDLCK, .start = 1ull << 63, .end = ~0ull };
	daemon_reply(FUSE_GETLK, &o, sizeof(o));
	CHECK_ERRNO(fcntl(fd, F_GETLK, &l), EIO);
	o.lk = (struct fuse_file_lock){ .type = F_RDLCK, .end = INT64_MAX, .pid = ~0u };
	daemon_reply(FUSE_GETLK, &o, sizeof(o));
	CHECK_OK(fcntl(fd, F_GETLK, &l));
	CHECK_EQ(l.l_type, F_RDLCK);
	CHECK_EQ(l.l_len, 0);
	CHECK_EQ(l.l_pid, 0);
	close(fd);
	daemon_fine_end();
}

/* --- attributes by name, ioctl, poll --------------------------------------------------------------------------- */

TEST(attribute_lists_that_are_none)
{
	struct fuse_getxattr_out o = { .size = ~0u };

	daemon_prepare();
	daemon_run(NULL);
	daemon_reply(FUSE_GETXATTR, &o, sizeof(o));
	CHECK_EQ(CHECK_OK(getxattr(MNT "/hello", "user.a", NULL, 0)), 65536);
	daemon_reply(FUSE_LISTXATTR, &o, sizeof(o));
	CHECK_EQ(CHECK_OK(listxattr(MNT "/hello", NULL, 0)), 65536);
	daemon_reply(FUSE_LISTXATTR, "user.a", 6); /* without its zero */
	CHECK_ERRNO(listxattr(MNT "/hello", buf, 100), EIO);
	daemon_reply(FUSE_LISTXATTR, "\0user.a\0", 8); /* with an empty one */
	CHECK_ERRNO(listxattr(MNT "/hello", buf, 100), EIO);
	daemon_reply(FUSE_LISTXATTR, "x\0y", 4);
	CHECK_EQ(CHECK_OK(listxattr(MNT "/hello", buf, 100)), 4);
	memset(buf, 'x', 101);
	daemon_reply(FUSE_GETXATTR, buf, 101);
	CHECK_ERRNO(getxattr(MNT "/hello", "user.a", buf, 100), EIO);
	daemon_fine_end();
}

TEST(access_lists_that_are_none)
{
	struct stat st;
	pid_t pid;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_ACL;
	daemon_run("allow_other");
	for (int i = 0; i < 4; i++) {
		memset(buf, i == 2 ? 0xff : 0, 4096);
		buf[0] = 2; /* the version */
		daemon_reply(FUSE_GETXATTR, buf, i == 0 ? 4 : i == 1 ? 3 : i == 2 ? 12 + 8 * 7 : 4 + 8 * 100);
		pid = check_fork();
		if (pid == 0) {
			CHECK_OK(setgid(CHECK_NOBODY));
			CHECK_OK(setuid(CHECK_NOBODY));
			(void)access(MNT "/hello", R_OK);
			(void)open(MNT "/dir/inside", O_RDONLY);
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
		CHECK_OK(stat(MNT "/hello", &st));
	}
	daemon_fine_end();
}

TEST(ioctl_answers_that_are_none)
{
	struct {
		struct fuse_ioctl_out o;
		char data[100];
	} a = { .o = { .result = 5 } };
	char data[8];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_IOCTL, &a, 8); /* half of its struct */
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), EIO);
	daemon_reply(FUSE_IOCTL, &a, sizeof(a.o) + 9);
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), EIO);
	a.o.flags = ~0u;
	daemon_reply(FUSE_IOCTL, &a, sizeof(a.o));
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), EIO);
	a.o.flags = 0;
	a.o.in_iovs = a.o.out_iovs = ~0u;
	daemon_reply(FUSE_IOCTL, &a, sizeof(a.o));
	CHECK_EQ(CHECK_OK(ioctl(fd, _IOR('f', 77, char[8]), data)), 5);
	a.o.result = -ENOTBLK;
	daemon_reply(FUSE_IOCTL, &a, sizeof(a.o));
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), ENOTBLK);
	close(fd);
	daemon_fine_end();
}

TEST(poll_events_of_all_ones)
{
	struct fuse_poll_out o = { .revents = ~0u, .padding = ~0u };
	struct pollfd p;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	daemon_reply(FUSE_POLL, &o, sizeof(o));
	p = (struct pollfd){ .fd = fd, .events = POLLIN | POLLOUT };
	CHECK_EQ(CHECK_OK(poll(&p, 1, -1)), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT | POLLERR | POLLHUP);
	close(fd);
	daemon_fine_end();
}
