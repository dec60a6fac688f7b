/* SPDX-License-Identifier: MIT */
/*
 * hostile.c - a daemon whose answers have the right form and say nonsense: nodes, kinds, names, sizes, times. Each is an
 * error to the one who asked, and the connection goes on. hostile_contents.c has directories, data and what else a file has.
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
