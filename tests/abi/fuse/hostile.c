/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - a daemon whose answers have the right form and say nonsense: nodes, kinds, names, sizes, times, offsets,
 * flags. Each is an error to the one who asked, and the connection goes on.
 */
#include "daemon.h"

#include <dirent.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

#define HELLO (&shared->node[2])
#define DIR3  (&shared->node[3])

static char buf[65536];

/* --- look-up ------------------------------------------------------------------------------------------------ */

TEST(node_zero_is_an_absent_name_whatever_else_is_said)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	memset(&e, 0xff, sizeof(e));
	e.nodeid = 0;
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOENT);
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOENT);
	CHECK_EQ(COUNT(LOOKUP), 1); /* until the end of time */
	daemon_fine_end();
}

TEST(all_ones_are_no_file)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	memset(&e, 0xff, sizeof(e));
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_ERRNO(stat(MNT "/hello", &st), EIO);
	CHECK_ERRNO(open(MNT "/hello", O_RDONLY), EIO);
	CHECK_ERRNO(unlink(MNT "/hello"), EIO);
	CHECK_ERRNO(open(MNT "/hello/below", O_RDONLY), EIO);
	daemon_fine_end();
}

TEST(numbers_at_their_limits_are_shown_or_cut)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	e = node_entry(HELLO);
	e.entry_valid = e.attr_valid = ~0ull;
	e.entry_valid_nsec = e.attr_valid_nsec = ~0u;
	e.attr.size = INT64_MAX;
	e.attr.blocks = ~0ull;
	e.attr.ino = ~0ull;
	e.attr.nlink = ~0u;
	e.attr.uid = e.attr.gid = ~0u;
	e.attr.blksize = ~0u;
	e.attr.mtime = INT64_MAX;
	e.attr.ctime = 1ull << 63;
	e.attr.mtimensec = e.attr.ctimensec = ~0u;
	e.attr.mode = 0xffff0000 | S_IFREG | 07777;
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_size, INT64_MAX);
	CHECK_EQ(st.st_blocks, -1);
	CHECK_EQ(st.st_ino, ~0ull);
	CHECK_EQ(st.st_nlink, ~0u);
	CHECK_EQ(st.st_uid, 65534);
	CHECK_EQ(st.st_gid, 65534);
	CHECK_EQ(st.st_mtim.tv_sec, INT64_MAX);
	CHECK_EQ(st.st_ctim.tv_sec, INT64_MIN);
	CHECK_EQ(st.st_mtim.tv_nsec, 999999999);
	CHECK_EQ(st.st_mode, S_IFREG | 07777);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 1);
	daemon_fine_end();
}

TEST(a_block_size_of_nothing_is_a_page)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	e = node_entry(HELLO);
	e.attr.blksize = 0;
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_blksize, 4096);
	e = node_entry(DIR3);
	e.attr.blksize = 1537;
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_OK(stat(MNT "/dir", &st));
	CHECK_EQ(st.st_blksize, 1024);
	daemon_fine_end();
}

/* A directory that is said to lie in itself, or in what lies in it. */
TEST(a_directory_in_itself_is_eloop)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	node_make(3, "sub", S_IFDIR | 0755, NULL);
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir/sub", &st));
	e = node_entry(DIR3);
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_ERRNO(stat(MNT "/dir/x", &st), ELOOP);
	CHECK_ERRNO(rmdir(MNT "/dir/x"), ELOOP);
	CHECK_ERRNO(rename(MNT "/dir/x", MNT "/dir/y"), ELOOP);
	CHECK_ERRNO(stat(MNT "/dir/sub/x", &st), ELOOP);
	CHECK_ERRNO(mkdir(MNT "/dir/sub/x", 0700), ELOOP);
	CHECK_ERRNO(open(MNT "/dir/sub/x", O_RDWR | O_CREAT, 0600), ELOOP);
	CHECK_ERRNO(stat(MNT "/dir/sub/x/y/z", &st), ELOOP);
	daemon_right();
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_fine_end();
}

TEST(a_directory_at_two_places_is_at_the_one_asked_for_last)
{
	struct fuse_entry_out e;
	struct stat st;
	char path[256];

	daemon_prepare();
	node_make(1, "other", S_IFDIR | 0755, NULL);
	daemon_run(NULL);
	CHECK_OK(chdir(MNT "/dir"));
	CHECK_OK(stat("../other", &st));
	e = node_entry(DIR3);
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_OK(stat("../other/second", &st));
	CHECK_EQ(st.st_ino, DIR3->attr.ino);
	CHECK(getcwd(path, sizeof(path)));
	CHECK_STR(strrchr(path, '/') - 6, "/other/second");
	daemon_right();
	CHECK_OK(stat("inside", &st));
	CHECK_OK(stat("../../dir", &st));
	CHECK_EQ(st.st_ino, DIR3->attr.ino);
	CHECK(getcwd(path, sizeof(path)));
	CHECK_STR(strrchr(path, '/') - 3, "mnt/dir");
	CHECK_OK(chdir("../.."));
	daemon_fine_end();
}

TEST(a_file_told_as_a_directory_elsewhere_is_no_longer_the_old_one)
{
	struct fuse_entry_out e;
	struct stat st;
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_KEEP_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 10, 0)), 6);
	e = node_entry(HELLO);
	e.attr.mode = S_IFDIR | 0755;
	daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
	CHECK_OK(stat(MNT "/strange", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_ERRNO(pread(fd, buf, 10, 0), EIO);
	CHECK_ERRNO(pwrite(fd, buf, 10, 0), EIO);
	CHECK_ERRNO(fstat(fd, &st), EIO);
	CHECK_ERRNO(ftruncate(fd, 1), EIO);
	CHECK_ERRNO(fsync(fd), EIO);
	CHECK_ERRNO(fchmod(fd, 0600), EIO);
	CHECK_ERRNO(fsetxattr(fd, "user.a", "b", 1, 0), EIO);
	CHECK_ERRNO(ioctl(fd, _IO('f', 1), 0), EIO);
	close(fd);
	daemon_fine_end();
}

TEST(a_mapped_file_that_becomes_another_keeps_or_loses_its_pages_with_sigbus)
{
	struct fuse_entry_out e;
	struct stat st;
	pid_t pid;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	pid = check_fork();
	if (pid == 0) {
		volatile char *p = mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0);

		e = node_entry(HELLO);
		e.attr.mode = S_IFLNK | 0755;
		daemon_reply(FUSE_LOOKUP, &e, sizeof(e));
		CHECK_OK(lstat(MNT "/strange", &st));
		(void)p[4096]; /* behind the end anyway */
		_exit(0);
	}
	CHECK_KILLED(pid, SIGBUS);
	close(fd);
	daemon_fine_end();
}

/* --- making --------------------------------------------------------------------------------------------------- */

TEST(what_was_made_is_no_possible_file)
{
	struct fuse_entry_out e;

	daemon_prepare();
	daemon_run(NULL);
	e = node_entry(HELLO);
	for (int i = 0; i < 4; i++) {
		e.nodeid = 10;
		e.attr.mode = S_IFREG | 0600;
		e.attr.size = 0;
		if (i == 0)
			e.nodeid = 0;
		else if (i == 1)
			e.nodeid = 1;
		else if (i == 2)
			e.attr.mode = 0600;
		else
			e.attr.size = 1ull << 63;
		daemon_reply(FUSE_MKNOD, &e, sizeof(e));
		CHECK_ERRNO(mknod(MNT "/n", S_IFREG | 0600, 0), EIO);
		daemon_reply(FUSE_MKDIR, &e, sizeof(e));
		CHECK_ERRNO(mkdir(MNT "/d", 0700), EIO);
		daemon_reply(FUSE_SYMLINK, &e, sizeof(e));
		CHECK_ERRNO(symlink("where", MNT "/s"), EIO);
		daemon_reply(FUSE_LINK, &e, sizeof(e));
		CHECK_ERRNO(link(MNT "/hello", MNT "/l"), EIO);
	}
	daemon_fine_end();
}

TEST(another_kind_than_was_to_be_made_is_eio)
{
	struct fuse_entry_out e;

	daemon_prepare();
	daemon_run(NULL);
	e = node_entry(HELLO);
	e.nodeid = 20;
	daemon_reply(FUSE_MKDIR, &e, sizeof(e));
	CHECK_ERRNO(mkdir(MNT "/d", 0700), EIO);
	e.nodeid = 21;
	daemon_reply(FUSE_SYMLINK, &e, sizeof(e));
	CHECK_ERRNO(symlink("x", MNT "/s"), EIO);
	e.nodeid = 22;
	daemon_reply(FUSE_MKNOD, &e, sizeof(e));
	CHECK_ERRNO(mknod(MNT "/f", S_IFIFO | 0600, 0), EIO);
	e.attr.mode = S_IFDIR | 0755;
	e.nodeid = 23;
	daemon_reply(FUSE_LINK, &e, sizeof(e));
	CHECK_ERRNO(link(MNT "/hello", MNT "/l"), EIO);
	daemon_fine_end();
}

TEST(a_new_directory_that_is_one_above_is_eloop)
{
	struct fuse_entry_out e;
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/dir/inside", &st));
	e = node_entry(DIR3);
	daemon_reply(FUSE_MKDIR, &e, sizeof(e));
	CHECK_ERRNO(mkdir(MNT "/dir/new", 0700), ELOOP);
	daemon_right();
	CHECK_ERRNO(stat(MNT "/dir/new", &st), ENOENT);
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_fine_end();
}

/* Where that directory was before is a question of its own. */
TEST(a_new_directory_that_is_known_already_is_made)
{
	struct fuse_entry_out e;
	struct stat st;
	int old;

	daemon_prepare();
	daemon_run(NULL);
	old = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY));
	e = node_entry(DIR3);
	daemon_reply(FUSE_MKDIR, &e, sizeof(e));
	CHECK_OK(mkdir(MNT "/new", 0700));
	daemon_right();
	CHECK_OK(stat(MNT "/new/inside", &st));
	CHECK_EQ(st.st_ino, shared->node[4].attr.ino);
	node_find(1, "dir")->parent = 0;
	CHECK_ERRNO(stat(MNT "/dir", &st), ENOENT);
	close(old);
	daemon_fine_end();
}

TEST(what_create_opened_is_no_possible_file)
{
	struct {
		struct fuse_entry_out e;
		struct fuse_open_out o;
	} a = { 0 };

	daemon_prepare();
	daemon_run(NULL);
	for (int i = 0; i < 5; i++) {
		a.e = node_entry(HELLO);
		a.e.nodeid = 30;
		a.o.fh = 99;
		a.o.open_flags = ~0u;
		if (i == 0)
			a.e.nodeid = 0;
		else if (i == 1)
			a.e.nodeid = 1;
		else if (i == 2)
			a.e.attr.mode = S_IFDIR | 0755;
		else if (i == 3)
			a.e.attr.mode = 0;
		else
			a.e.attr.size = ~0ull;
		daemon_reply(FUSE_CREATE, &a, sizeof(a));
		CHECK_ERRNO(open(MNT "/c", O_RDWR | O_CREAT, 0600), EIO);
	}
	daemon_fine_end();
}

TEST(a_made_name_may_be_a_file_that_is_known)
{
	struct {
		struct fuse_entry_out e;
		struct fuse_open_out o;
	} a = { 0 };
	struct stat st;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/hello", &st));
	a.e = node_entry(HELLO);
	a.o.fh = 7;
	daemon_reply(FUSE_CREATE, &a, sizeof(a));
	fd = CHECK_OK(open(MNT "/c", O_RDWR | O_CREAT, 0600));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_ino, HELLO->attr.ino);
	daemon_right();
	CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
	close(fd);
	daemon_fine_end();
}

/* --- attributes ------------------------------------------------------------------------------------------------- */

TEST(attributes_that_cannot_be_make_a_file_bad_for_good)
{
	struct fuse_attr_out a;
	struct stat st;

	daemon_prepare();
	shared->attr_valid = 0;
	daemon_run(NULL);
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { MNT "/hello", MNT "/dir", MNT "/link" };

		CHECK_OK(lstat(names[i], &st));
		a = (struct fuse_attr_out){ .attr = shared->node[i == 2 ? 5 : i + 2].attr };
		if (i == 0)
			a.attr.mode = 0644;
		else if (i == 1)
			a.attr.size = ~0ull;
		else
			a.attr.mode = S_IFCHR | 0600;
		daemon_reply(FUSE_GETATTR, &a, sizeof(a));
		CHECK_ERRNO(lstat(names[i], &st), EIO);
		daemon_right();
	}
	/* The names lead to the files again, which are new ones to the kernel. */
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_OK(stat(MNT "/dir/inside", &st));
	daemon_fine_end();
}

TEST(an_answer_to_chmod_of_another_kind_is_eio)
{
	struct fuse_attr_out a;

	daemon_prepare();
	daemon_run(NULL);
	a = (struct fuse_attr_out){ .attr = DIR3->attr };
	daemon_reply(FUSE_SETATTR, &a, sizeof(a));
	CHECK_ERRNO(chmod(MNT "/hello", 0600), EIO);
	daemon_right();
	CHECK_OK(chmod(MNT "/hello", 0600));
	daemon_fine_end();
}

TEST(a_truncation_may_lead_to_another_size)
{
	struct fuse_attr_out a;
	struct stat st;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	a = (struct fuse_attr_out){ .attr = HELLO->attr, .attr_valid = 1000 };
	a.attr.size = 100000;
	daemon_reply(FUSE_SETATTR, &a, sizeof(a));
	CHECK_OK(ftruncate(fd, 3));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100000);
	daemon_right();
	/* There is no more than there was. */
	CHECK_EQ(CHECK_OK(pread(fd, buf, 100, 0)), 6);
	CHECK_MEM(buf, "hello\n", 6);
	close(fd);
	daemon_fine_end();
}

TEST(statfs_of_nonsense_is_shown)
{
	struct fuse_statfs_out o;
	struct statfs st;

	daemon_prepare();
	daemon_run(NULL);
	memset(&o, 0xff, sizeof(o));
	daemon_reply(FUSE_STATFS, &o, sizeof(o));
	CHECK_OK(statfs(MNT, &st));
	CHECK_EQ(st.f_blocks, ~0ull);
	CHECK_EQ(st.f_type, 0x65735546);
	memset(&o, 0, sizeof(o));
	daemon_reply(FUSE_STATFS, &o, sizeof(o));
	CHECK_OK(statfs(MNT, &st));
	CHECK_EQ(st.f_bsize, 0);
	daemon_fine_end();
}

/* --- links ------------------------------------------------------------------------------------------------------ */

TEST(links_to_nothing_or_too_far)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	daemon_reply(FUSE_READLINK, "", 0);
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, sizeof(buf))), 0);
	CHECK_OK(stat(MNT "/link", &st)); /* nowhere else */
	CHECK(S_ISDIR(st.st_mode));
	memset(buf, 'a', 4096);
	daemon_reply(FUSE_READLINK, buf, 4096);
	CHECK_ERRNO(readlink(MNT "/link", buf, sizeof(buf)), EIO);
	CHECK_ERRNO(stat(MNT "/link", &st), EIO);
	memset(buf, 'a', 4095);
	daemon_reply(FUSE_READLINK, buf, 4095);
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, sizeof(buf))), 4095);
	CHECK_ERRNO(stat(MNT "/link", &st), ENAMETOOLONG);
	daemon_reply(FUSE_READLINK, "link", 4);
	CHECK_ERRNO(stat(MNT "/link", &st), ELOOP);
	daemon_reply(FUSE_READLINK, "link/", 5);
	CHECK_ERRNO(stat(MNT "/link", &st), ELOOP);
	daemon_fine_end();
}

/* --- directories ------------------------------------------------------------------------------------------------ */

static size_t
put_entry(char *at, uint64_t off, const void *name, uint32_t length)
{
	struct fuse_dirent *d = (struct fuse_dirent *)at;

	*d = (struct fuse_dirent){ .ino = 5, .off = off, .namelen = length, .type = DT_REG };
	memcpy(d->name, name, length);
	return FUSE_DIRENT_SIZE(d);
}

/* The same of READDIRPLUS: an entry with its file. */
static size_t
put_entry_plus(char *at, const struct fuse_entry_out *e, uint64_t off, const char *name)
{
	memcpy(at, e, sizeof(*e));
	return sizeof(*e) + put_entry(at + sizeof(*e), off, name, (uint32_t)strlen(name));
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
	char data[4096] = { 0 };
	struct fuse_entry_out e;
	struct stat st;
	size_t n = 0;
	int fd;

	daemon_prepare();
	run_plus();
	CHECK_OK(stat(MNT "/dir", &st));
	fd = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = { "zero", "root", "none", "huge", "hello" };

		e = node_entry(HELLO);
		if (i == 0)
			e.nodeid = 0;
		else if (i == 1)
			e.nodeid = 1;
		else if (i == 2)
			e.attr.mode = 1;
		else if (i == 3)
			e.attr.size = ~0ull;
		n += put_entry_plus(data + n, &e, (unsigned)i + 1, names[i]);
	}
	daemon_reply(FUSE_READDIRPLUS, data, n);
	CHECK_EQ(entries(list_once(fd)), 5);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 1);
	close(fd);
	daemon_fine_end();
}

TEST(readdirplus_with_directories_that_go_in_circles)
{
	char data[4096] = { 0 };
	struct fuse_entry_out e;
	struct stat st;
	size_t n = 0;
	int fd;

	daemon_prepare();
	node_make(3, "sub", S_IFDIR | 0755, NULL);
	node_make(1, "other", S_IFDIR | 0755, NULL);
	run_plus();
	CHECK_OK(stat(MNT "/dir/sub", &st));
	fd = CHECK_OK(open(MNT "/dir/sub", O_RDONLY | O_DIRECTORY));
	for (int i = 0; i < 3; i++) {
		e = node_entry(i == 2 ? node_find(1, "other") : i ? node_find(3, "sub") : DIR3);
		n += put_entry_plus(data + n, &e, (unsigned)i + 1, i == 2 ? "cc" : i ? "bb" : "aa");
	}
	daemon_reply(FUSE_READDIRPLUS, data, n);
	CHECK_EQ(entries(list_once(fd)), 3);
	daemon_right();
	CHECK_ERRNO(stat(MNT "/dir/sub/aa", &st), ENOENT);
	CHECK_ERRNO(rmdir(MNT "/dir/sub/bb"), ENOENT);
	CHECK_OK(stat(MNT "/dir/sub/cc", &st));
	CHECK_OK(stat(MNT "/other", &st));
	CHECK_OK(rename(MNT "/dir/inside", MNT "/dir/sub/moved"));
	close(fd);
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
