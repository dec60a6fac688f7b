/* SPDX-License-Identifier: MIT */
/*
 * names.c - look-ups and what is remembered of them; making, removing, moving names; what is given back.
 */
#include "daemon.h"

#include <dirent.h>

TEST(init_offers_what_linux_offers)
{
	daemon_prepare();
	daemon_run(NULL);
	UNTIL(COUNT(INIT) == 1);
	CHECK_EQ(access(MNT "/hello", F_OK), 0);
	CHECK_EQ(shared->init.major, 7);
	CHECK_EQ(shared->init.minor, 38);
	CHECK_EQ(shared->init.max_readahead, 131072);
	
	CHECK_EQ(shared->init.flags, 0x73fffffb);
	CHECK_EQ(shared->init.flags2, 11);
	CHECK_EQ(shared->head[FUSE_INIT].pid, 0);
	daemon_end();
}

TEST(a_file_is_found_and_read)
{
	char buf[16];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(read(fd, buf, sizeof(buf))), 6);
	CHECK_MEM(buf, "hello\n", 6);
	CHECK_EQ(CHECK_OK(read(fd, buf, sizeof(buf))), 0);
	close(fd);
	CHECK_EQ(COUNT(LOOKUP), 1);
	CHECK_EQ(COUNT(OPEN), 1);
	CHECK_STR(shared->body[FUSE_LOOKUP], "hello");
	CHECK_EQ(shared->head[FUSE_LOOKUP].nodeid, 1);
	CHECK_EQ(shared->head[FUSE_LOOKUP].uid, 0);
	CHECK_EQ(shared->head[FUSE_LOOKUP].pid, getpid());
	UNTIL(shared->released == 1);
	CHECK_EQ(COUNT(FLUSH), 1);
	daemon_end();
}

TEST(names_are_believed_as_long_as_told)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	for (int i = 0; i < 5; i++)
		CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 1);
	CHECK_EQ(COUNT(GETATTR), 0);
	CHECK_EQ(st.st_ino, shared->node[2].attr.ino);
	CHECK_EQ(st.st_size, 6);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_blksize, 4096);
	shared->entry_valid = shared->attr_valid = 0;
	CHECK_OK(stat(MNT "/dir/inside", &st));
	CHECK_OK(stat(MNT "/dir/inside", &st));
	CHECK_EQ(COUNT(LOOKUP), 5); /* both parts, twice */
	daemon_end();
}

TEST(absent_names_are_remembered_only_if_told)
{
	daemon_prepare();
	daemon_run(NULL);
	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(access(MNT "/absent", F_OK), ENOENT);
	CHECK_EQ(COUNT(LOOKUP), 3);
	shared->negative = true;
	for (int i = 0; i < 3; i++)
		CHECK_ERRNO(access(MNT "/absent2", F_OK), ENOENT);
	CHECK_EQ(COUNT(LOOKUP), 4);
	daemon_end();
}

TEST(a_name_that_becomes_another_file_is_seen)
{
	struct stat st;
	struct node *n;

	daemon_prepare();
	shared->entry_valid = shared->attr_valid = 0;
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_ino, 102);
	shared->node[2].parent = 0;
	n = node_make(1, "hello", S_IFREG | 0600, "other");
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_ino, n->attr.ino);
	CHECK_EQ(st.st_size, 5);
	n->parent = 0;
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOENT);
	daemon_end();
}

TEST(a_node_used_again_for_another_file_is_no_longer_the_old_one)
{
	struct stat st;
	int fd;

	daemon_prepare();
	shared->entry_valid = shared->attr_valid = 0;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	shared->node[2].generation = 5;
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_ERRNO(fstat(fd, &st), EIO);
	close(fd);
	daemon_end();
}

TEST(everything_looked_up_is_forgotten_at_unmount_or_before)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_OK(unlink(MNT "/hello"));
	UNTIL(shared->node[2].lookups == 0); /* the last name went */
	CHECK_EQ(COUNT(UNLINK), 1);
	daemon_end();
}

TEST(files_are_made_in_one_step_with_opening)
{
	struct stat st;
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	umask(022);
	fd = CHECK_OK(open(MNT "/new", O_CREAT | O_EXCL | O_WRONLY, 0666));
	CHECK_EQ(COUNT(CREATE), 1);
	CHECK_EQ(COUNT(MKNOD), 0);
	CHECK_EQ(COUNT(OPEN), 0);
	CHECK_EQ(LAST(CREATE, fuse_create_in)->mode, S_IFREG | 0644);
	CHECK_EQ(LAST(CREATE, fuse_create_in)->umask, 022);
	CHECK_EQ(LAST(CREATE, fuse_create_in)->flags & (O_CREAT | O_EXCL | O_ACCMODE), O_CREAT | O_EXCL | O_WRONLY);
	CHECK_EQ(CHECK_OK(write(fd, "text", 4)), 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4);
	close(fd);
	CHECK_ERRNO(open(MNT "/new", O_CREAT | O_EXCL | O_WRONLY, 0666), EEXIST);
	UNTIL(shared->released == 1);
	daemon_end();
}

TEST(a_daemon_without_create_gets_mknod_and_open)
{
	int fd;

	daemon_prepare();
	shared->error[FUSE_CREATE] = -ENOSYS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/a", O_CREAT | O_RDWR, 0600));
	close(fd);
	fd = CHECK_OK(open(MNT "/b", O_CREAT | O_RDWR, 0600));
	close(fd);
	CHECK_EQ(COUNT(CREATE), 1); /* not asked again */
	CHECK_EQ(COUNT(MKNOD), 2);
	CHECK_EQ(COUNT(OPEN), 2);
	daemon_end();
}

TEST(a_daemon_may_take_the_umask_off_itself)
{
	daemon_prepare();
	shared->init_flags = FUSE_DONT_MASK;
	daemon_run(NULL);
	umask(077);
	CHECK_OK(mkdir(MNT "/d", 0777));
	CHECK_EQ(LAST(MKDIR, fuse_mkdir_in)->mode, 0777);
	CHECK_EQ(LAST(MKDIR, fuse_mkdir_in)->umask, 077);
	CHECK_OK(mknod(MNT "/f", S_IFREG | 0666, 0));
	CHECK_EQ(LAST(MKNOD, fuse_mknod_in)->mode, S_IFREG | 0666);
	umask(022);
	daemon_end();
}

TEST(directories_links_and_special_files_are_made)
{
	struct stat st;
	char buf[32];

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(mkdir(MNT "/d", 0755));
	CHECK_OK(symlink("where/ever", MNT "/d/l"));
	CHECK_EQ(CHECK_OK(readlink(MNT "/d/l", buf, sizeof(buf))), 10);
	CHECK_MEM(buf, "where/ever", 10);
	CHECK_OK(mknod(MNT "/d/p", S_IFIFO | 0600, 0));
	CHECK_OK(lstat(MNT "/d/p", &st));
	CHECK(S_ISFIFO(st.st_mode));
	CHECK_OK(link(MNT "/hello", MNT "/d/h"));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(LAST(LINK, fuse_link_in)->oldnodeid, 2);
	CHECK_OK(unlink(MNT "/d/l"));
	CHECK_OK(unlink(MNT "/d/p"));
	CHECK_ERRNO(rmdir(MNT "/hello"), ENOTDIR);
	CHECK_ERRNO(unlink(MNT "/d"), EISDIR);
	shared->error[FUSE_RMDIR] = -ENOTEMPTY;
	CHECK_ERRNO(rmdir(MNT "/d"), ENOTEMPTY);
	shared->error[FUSE_RMDIR] = 0;
	CHECK_OK(rmdir(MNT "/d"));
	CHECK_ERRNO(stat(MNT "/d", &st), ENOENT);
	daemon_end();
}

TEST(names_move)
{
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(rename(MNT "/hello", MNT "/dir/moved"));
	CHECK_OK(stat(MNT "/dir/moved", &st));
	CHECK_EQ(st.st_ino, 102);
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOENT);
	CHECK_EQ(COUNT(RENAME), 1);
	CHECK_OK(syscall(SYS_renameat2, AT_FDCWD, MNT "/dir/moved", AT_FDCWD, MNT "/dir/inside", 2u));
	CHECK_OK(stat(MNT "/dir/inside", &st));
	CHECK_EQ(st.st_ino, 102);
	CHECK_EQ(COUNT(RENAME2), 1);
	shared->error[FUSE_RENAME2] = -ENOSYS;
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, MNT "/dir/moved", AT_FDCWD, MNT "/x", 1u), EINVAL);
	CHECK_ERRNO(syscall(SYS_renameat2, AT_FDCWD, MNT "/dir/moved", AT_FDCWD, MNT "/x", 1u), EINVAL);
	CHECK_EQ(COUNT(RENAME2), 2);
	daemon_end();
}

static int
list(const char *path, char names[][64], int max)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int n = 0;

	CHECK(d);
	while (n < max && (e = readdir(d)) != NULL)
		snprintf(names[n++], 64, "%.60s", e->d_name);
	CHECK_OK(closedir(d));
	return n;
}

TEST(directories_are_listed_whole)
{
	char names[64][64];
	int n;

	daemon_prepare();
	for (int i = 0; i < 40; i++) {
		char name[32];

		snprintf(name, sizeof(name), "file-%d", i);
		node_make(1, name, S_IFREG | 0600, NULL);
	}
	daemon_run(NULL);
	n = list(MNT, names, 64);
	CHECK_EQ(n, 43);
	CHECK_STR(names[0], "hello");
	CHECK_STR(names[42], "file-39");
	CHECK(COUNT(READDIR) > 1);
	CHECK_EQ(COUNT(READDIRPLUS), 0);
	UNTIL(shared->released == 1);
	daemon_end();
}

TEST(readdirplus_brings_what_stat_asks)
{
	char names[64][64];
	struct stat st;

	daemon_prepare();
	shared->init_flags = FUSE_DO_READDIRPLUS;
	daemon_run(NULL);
	CHECK_EQ(list(MNT, names, 64), 3);
	CHECK(COUNT(READDIRPLUS) >= 1);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_size, 6);
	CHECK_OK(stat(MNT "/dir", &st));
	CHECK_EQ(COUNT(LOOKUP), 0);
	CHECK_EQ(COUNT(GETATTR), 1); /* of the directory that was opened */
	CHECK_OK(unlink(MNT "/hello"));
	UNTIL(shared->node[2].lookups == 0);
	daemon_end();
}

TEST(attributes_are_changed_by_the_daemon)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, { 5000, 77 } };
	struct stat st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(chmod(MNT "/hello", 0640));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid & FATTR_MODE, FATTR_MODE);
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->mode, S_IFREG | 0640);
	CHECK_OK(chown(MNT "/hello", 12, 34));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->uid, 12);
	CHECK_OK(utimensat(AT_FDCWD, MNT "/hello", ts, 0));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid, FATTR_MTIME);
	CHECK_OK(truncate(MNT "/hello", 3));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid, FATTR_SIZE | FATTR_LOCKOWNER);
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->size, 3);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	CHECK_EQ(st.st_uid, 12);
	CHECK_EQ(st.st_gid, 34);
	CHECK_EQ(st.st_mtim.tv_sec, 5000);
	CHECK_EQ(st.st_mtim.tv_nsec, 77);
	CHECK_EQ(st.st_size, 3);
	daemon_end();
}
