/* SPDX-License-Identifier: MIT */
/*
 * protocol.c - what the two sides agree on at the beginning, flag by flag, and the requests that are seldom made: what is asked,
 * how often, with which words.
 */
#include "daemon.h"

#include <dirent.h>
#include <linux/falloc.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>

#define HELLO  (&shared->node[2])
#define INSIDE (&shared->node[4])

static char buf[DATA_MAX];

static void
fill(struct node *n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		n->data[i] = (char)('a' + i / 4096 % 26);
	n->attr.size = size;
}

static void
run_with(uint32_t flags)
{
	daemon_prepare();
	shared->init_flags = flags;
	daemon_run(NULL);
}

/* --- opening ----------------------------------------------------------------------------------------------------- */

TEST(a_daemon_without_open_is_never_told_of_opens)
{
	struct stat st;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_NO_OPEN_SUPPORT;
	shared->error[FUSE_OPEN] = -ENOSYS;
	daemon_run(NULL);
	for (int i = 0; i < 3; i++) {
		fd = CHECK_OK(open(MNT "/hello", O_RDWR));
		CHECK_EQ(CHECK_OK(pread(fd, buf, 10, 0)), 6);
		CHECK_OK(fstat(fd, &st));
		CHECK_OK(close(fd));
	}
	CHECK_EQ(COUNT(OPEN), 1);
	CHECK_EQ(COUNT(RELEASE), 0);
	CHECK_EQ(COUNT(READ), 1); /* its pages are kept */
	CHECK_EQ(LAST(READ, fuse_read_in)->fh, 0);
	CHECK_EQ(COUNT(FLUSH), 3);
	daemon_end();
}

TEST(a_daemon_without_opendir_is_never_told_of_it)
{
	daemon_prepare();
	shared->init_flags = FUSE_NO_OPENDIR_SUPPORT;
	shared->error[FUSE_OPENDIR] = -ENOSYS;
	daemon_run(NULL);
	for (int i = 0; i < 3; i++) {
		DIR *d = opendir(MNT);
		int n = 0;

		CHECK(d);
		while (readdir(d))
			n++;
		CHECK_EQ(n, 3);
		closedir(d);
	}
	CHECK_EQ(COUNT(OPENDIR), 1);
	CHECK_EQ(COUNT(RELEASEDIR), 0);
	daemon_end();
}

TEST(streams_and_files_without_positions)
{
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_NONSEEKABLE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(fd, buf, 1, 0), ESPIPE);
	CHECK_EQ(CHECK_OK(read(fd, buf, 2)), 2);
	CHECK_EQ(CHECK_OK(read(fd, buf, 10)), 4);
	close(fd);
	shared->open_flags = FOPEN_STREAM | FOPEN_DIRECT_IO;
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_ERRNO(lseek(fd, 0, SEEK_CUR), ESPIPE);
	CHECK_EQ(CHECK_OK(read(fd, buf, 2)), 2);
	CHECK_EQ(CHECK_OK(read(fd, buf, 2)), 2);
	CHECK_EQ(LAST(READ, fuse_read_in)->offset, 0); /* it has none */
	close(fd);
	daemon_end();
}

TEST(a_file_may_ask_not_to_be_flushed)
{
	daemon_prepare();
	shared->open_flags = FOPEN_NOFLUSH;
	daemon_run(NULL);
	CHECK_OK(close(CHECK_OK(open(MNT "/hello", O_RDWR))));
	UNTIL(COUNT(RELEASE) == 1);
	CHECK_EQ(COUNT(FLUSH), 0);
	daemon_end();
}

TEST(a_file_without_a_name_is_the_daemons)
{
	char path[64];
	struct stat st;
	int fd;

	run_with(0);
	fd = open(MNT "/dir", O_TMPFILE | O_RDWR, 0640);
	CHECK(fd >= 0);
	CHECK_EQ(shared->count[FUSE_TMPFILE], 1);
	CHECK_EQ(shared->head[FUSE_TMPFILE].nodeid, 3);
	CHECK_EQ(((const struct fuse_create_in *)(const void *)shared->body[FUSE_TMPFILE])->mode, S_IFREG | 0640);
	CHECK_EQ(((const struct fuse_create_in *)(const void *)shared->body[FUSE_TMPFILE])->flags & O_TMPFILE, O_TMPFILE);
	CHECK_EQ(CHECK_OK(write(fd, "abc", 3)), 3);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, MNT "/dir/named", AT_SYMLINK_FOLLOW));
	CHECK_EQ(COUNT(LINK), 1);
	CHECK_OK(close(fd));
	CHECK_OK(stat(MNT "/dir/named", &st));
	CHECK_EQ(st.st_size, 3);
	daemon_end();
}

TEST(a_daemon_without_tmpfile_is_asked_once)
{
	daemon_prepare();
	shared->error[FUSE_TMPFILE] = -ENOSYS;
	daemon_run(NULL);
	CHECK_ERRNO(open(MNT "/dir", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	CHECK_ERRNO(open(MNT "/dir", O_TMPFILE | O_RDWR, 0600), EOPNOTSUPP);
	CHECK_EQ(shared->count[FUSE_TMPFILE], 1);
	daemon_end();
}

/* --- names ------------------------------------------------------------------------------------------------------ */

static void
two_lookups(uint32_t flags, unsigned int at_once)
{
	pid_t pid[2];

	daemon_prepare();
	shared->init_flags = flags;
	daemon_run(NULL);
	CHECK_ERRNO(access(MNT "/start", F_OK), ENOENT);
	shared->silent = FUSE_LOOKUP;
	for (int i = 0; i < 2; i++) {
		pid[i] = check_fork();
		if (pid[i] == 0) {
			CHECK_OK(access(i ? MNT "/link" : MNT "/hello", F_OK));
			_exit(0);
		}
		if (i == 0)
			UNTIL(COUNT(LOOKUP) == 2);
	}
	if (at_once == 2)
		UNTIL(COUNT(LOOKUP) == 3);
	else
		usleep(50000); /* it would have come by now; if not, the case finds less */
	CHECK_EQ(COUNT(LOOKUP), 1 + at_once);
	CHECK_OK(kill(pid[0], SIGKILL));
	CHECK_OK(kill(pid[1], SIGKILL));
	CHECK_OK(umount2(MNT, MNT_FORCE | MNT_DETACH));
	waitpid(pid[0], NULL, 0);
	waitpid(pid[1], NULL, 0);
}

TEST(one_look_up_at_a_time_in_a_directory_unless_agreed)
{
	two_lookups(0, 1);
}

TEST(look_ups_in_one_directory_at_once_if_agreed)
{
	two_lookups(FUSE_PARALLEL_DIROPS, 2);
}

TEST(links_are_kept_only_if_agreed)
{
	run_with(0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	CHECK_EQ(COUNT(READLINK), 3);
	daemon_end();
	CHECK_OK(rmdir(MNT));
	run_with(FUSE_CACHE_SYMLINKS);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	CHECK_EQ(COUNT(READLINK), 1);
	daemon_end();
}

TEST(a_link_that_is_kept_is_read_again_after_a_notice)
{
	struct fuse_notify_inval_inode_out n = { 0 };
	int notices;

	daemon_prepare();
	shared->init_flags = FUSE_CACHE_SYMLINKS;
	CHECK_EQ(daemon_mount(NULL), 0);
	notices = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	memcpy(node_find(1, "link")->data, "other", 5);
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	CHECK_MEM(buf, "hello", 5);
	n.ino = node_id(node_find(1, "link"));
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	CHECK_MEM(buf, "other", 5);
	close(notices);
	daemon_end();
}

/* Somebody asks by `op` about /link, and before that is answered the daemon says that what it knows is stale. */
static void
ask_and_say_stale(int notices, int op)
{
	struct fuse_notify_inval_inode_out n = { .ino = node_id(node_find(1, "link")) };
	uint64_t before = shared->count[op];
	pid_t asking, telling;
	struct stat st;

	shared->release_silent = false;
	shared->silent = op;
	asking = check_fork();
	if (asking == 0) {
		if (op == FUSE_GETATTR)
			CHECK_OK(lstat(MNT "/link", &st));
		else
			CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
		_exit(0);
	}
	UNTIL(shared->count[op] == before + 1);
	telling = check_fork(); /* Linux lets it wait for the link */
	if (telling == 0) {
		CHECK_EQ(device_notice(notices, FUSE_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
		_exit(0);
	}
	usleep(200000);
	shared->silent = -2;
	shared->release_silent = true;
	CHECK_EXIT(asking, 0);
	CHECK_EXIT(telling, 0);
}

/* An answer that was on its way when the daemon said so is not kept, whatever it says of its time. */
TEST(what_was_called_stale_while_it_was_asked_for_is_asked_for_again)
{
	unsigned long asked;
	struct stat st;
	int notices;

	daemon_prepare();
	shared->init_flags = FUSE_CACHE_SYMLINKS;
	shared->entry_valid = 1000;
	CHECK_EQ(daemon_mount(NULL), 0);
	notices = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	ask_and_say_stale(notices, FUSE_READLINK);
	memcpy(node_find(1, "link")->data, "other", 5);
	CHECK_EQ(CHECK_OK(readlink(MNT "/link", buf, 100)), 5);
	CHECK_MEM(buf, "other", 5);
	shared->attr_valid = 1000;
	asked = COUNT(GETATTR);
	ask_and_say_stale(notices, FUSE_GETATTR);
	CHECK_OK(lstat(MNT "/link", &st));
	CHECK_EQ(COUNT(GETATTR), asked + 2); /* once more by the first, or now */
	close(notices);
	daemon_end();
}

/* How often each kind is asked for when a directory of several pages is listed, names looked at (`look`) or not. */
static void
list_all(bool look)
{
	DIR *d = opendir(MNT);
	struct dirent *e;
	struct stat st;
	int n = 0;

	CHECK(d);
	while ((e = readdir(d)) != NULL) {
		if (look)
			CHECK_OK(fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW));
		n++;
	}
	CHECK_EQ(n, 53);
	CHECK_OK(closedir(d));
}

static void
many_names(void)
{
	for (int i = 0; i < 50; i++) {
		char name[64];

		snprintf(name, sizeof(name), "a-name-of-some-length-that-fills-pages-%d", i);
		CHECK(node_make(1, name, S_IFREG | 0600, NULL));
	}
}

TEST(readdirplus_always_if_agreed)
{
	daemon_prepare();
	many_names();
	shared->init_flags = FUSE_DO_READDIRPLUS;
	daemon_run(NULL);
	list_all(false);
	CHECK_EQ(COUNT(READDIR), 0);
	CHECK(COUNT(READDIRPLUS) > 2);
	list_all(true);
	CHECK_EQ(COUNT(LOOKUP), 0);
	daemon_end();
}

TEST(readdirplus_where_names_are_looked_at_if_left_to_the_kernel)
{
	daemon_prepare();
	many_names();
	shared->init_flags = FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO;
	daemon_run(NULL);
	list_all(false);
	CHECK_EQ(COUNT(READDIRPLUS), 1); /* the beginning */
	CHECK(COUNT(READDIR) >= 2);
	daemon_end();
}

/* --- attributes -------------------------------------------------------------------------------------------------- */

TEST(statx_asks_as_often_as_it_is_told_to)
{
	struct statx sx;

	run_with(0);
	CHECK_OK(statx(AT_FDCWD, MNT "/hello", 0, STATX_BASIC_STATS | STATX_BTIME, &sx));
	CHECK_EQ(sx.stx_mask & STATX_BTIME, 0);
	CHECK_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECK_EQ(COUNT(GETATTR), 0);
	CHECK_OK(statx(AT_FDCWD, MNT "/hello", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &sx));
	CHECK_EQ(COUNT(GETATTR), 1);
	CHECK_OK(statx(AT_FDCWD, MNT "/hello", AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &sx));
	CHECK_EQ(COUNT(GETATTR), 1);
	HELLO->attr.size = 3;
	CHECK_OK(statx(AT_FDCWD, MNT "/hello", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &sx));
	CHECK_EQ(sx.stx_size, 3);
	daemon_end();
}

TEST(times_of_files_that_are_written_back_are_told_to_the_daemon)
{
	struct stat st;
	int fd;

	run_with(FUSE_WRITEBACK_CACHE);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "now", 3, 0)), 3);
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid & (FATTR_MTIME | FATTR_CTIME), FATTR_MTIME | FATTR_CTIME);
	CHECK_EQ(HELLO->attr.mtime, (uint64_t)st.st_mtim.tv_sec);
	CHECK_EQ(HELLO->attr.mtimensec, (uint32_t)st.st_mtim.tv_nsec);
	CHECK(st.st_mtim.tv_sec > 1000);
	close(fd);
	daemon_end();
}

TEST(times_of_what_a_mapping_changed_are_told_to_the_daemon)
{
	struct stat st;
	char *p;
	int fd;

	run_with(FUSE_WRITEBACK_CACHE);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 'H';
	CHECK_OK(fsync(fd));
	CHECK_OK(fstat(fd, &st));
	CHECK(st.st_mtim.tv_sec > 1000);
	CHECK_EQ(HELLO->attr.mtime, (uint64_t)st.st_mtim.tv_sec);
	CHECK_OK(munmap(p, 4096));
	close(fd);
	daemon_end();
}

TEST(times_that_are_set_stand_where_writes_are_kept)
{
	struct timespec ts[2] = { { 0, UTIME_OMIT }, { 5000, 77 } };
	struct stat st;
	int fd;

	run_with(FUSE_WRITEBACK_CACHE);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "now", 3, 0)), 3);
	CHECK_OK(futimens(fd, ts));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mtim.tv_sec, 5000);
	CHECK_EQ(st.st_mtim.tv_nsec, 77);
	CHECK_OK(close(fd));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_mtim.tv_sec, 5000);
	CHECK_EQ(HELLO->attr.mtime, 5000);
	daemon_end();
}

TEST(sizes_grow_at_once_where_writes_are_kept)
{
	struct stat st;
	int fd;

	run_with(FUSE_WRITEBACK_CACHE);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "end", 3, 100000)), 3);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_size, 100003);
	CHECK_EQ(CHECK_OK(lseek(fd, 0, SEEK_END)), 100003);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 10, 50000)), 10);
	CHECK_OK(ftruncate(fd, 5));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 5);
	CHECK_OK(close(fd));
	CHECK_EQ(HELLO->attr.size, 5);
	CHECK_MEM(HELLO->data, "hello", 5);
	daemon_end();
}

static void
as_nobody_writes(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		int fd;

		CHECK_OK(setgid(CHECK_NOBODY));
		CHECK_OK(setuid(CHECK_NOBODY));
		fd = CHECK_OK(open(MNT "/hello", O_WRONLY));
		CHECK_EQ(CHECK_OK(pwrite(fd, "x", 1, 0)), 1);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(set_id_bits_go_with_a_write)
{
	daemon_prepare();
	HELLO->attr.mode = S_IFREG | 06777;
	daemon_run("allow_other");
	as_nobody_writes();
	CHECK_EQ(HELLO->attr.mode, S_IFREG | 0777);
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid & FATTR_MODE, FATTR_MODE);
	daemon_end();
}

/* The mode that is told with it is not an old one. */
TEST(set_id_bits_go_from_the_mode_as_it_is)
{
	struct stat st;

	daemon_prepare();
	HELLO->attr.mode = S_IFREG | 04755;
	daemon_run("allow_other");
	CHECK_OK(stat(MNT "/hello", &st));
	HELLO->attr.mode = S_IFREG | 04600;
	as_nobody_writes();
	CHECK_EQ(HELLO->attr.mode, S_IFREG | 0600);
	daemon_end();
}

TEST(set_id_bits_are_the_daemons_if_agreed)
{
	daemon_prepare();
	shared->init_flags = FUSE_HANDLE_KILLPRIV_V2;
	HELLO->attr.mode = S_IFREG | 06777;
	daemon_run("allow_other");
	as_nobody_writes();
	CHECK_EQ(HELLO->attr.mode, S_IFREG | 06777);
	CHECK_EQ(LAST(WRITE, fuse_write_in)->write_flags & FUSE_WRITE_KILL_SUIDGID, FUSE_WRITE_KILL_SUIDGID);
	daemon_end();
}

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry e[5];
};

TEST(access_lists_of_the_daemon_are_checked_here)
{
	/* user::rw- user:nobody:--- group::r-- mask::r-- other::r-- */
	struct acl a = { 2, { { 1, 6, ~0u }, { 2, 0, CHECK_NOBODY }, { 4, 4, ~0u }, { 16, 4, ~0u }, { 32, 4, ~0u } } };
	pid_t pid;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_ACL;
	shared->attr_valid = 1000;
	daemon_run("allow_other");
	CHECK_OK(setxattr(MNT "/hello", "system.posix_acl_access", &a, sizeof(a), 0));
	CHECK_EQ(COUNT(SETXATTR), 1);
	CHECK_EQ(CHECK_OK(getxattr(MNT "/hello", "system.posix_acl_access", buf, 100)), sizeof(a));
	for (int i = 0; i < 2; i++) {
		pid = check_fork();
		if (pid == 0) {
			CHECK_OK(setgid(i ? 1234 : CHECK_NOBODY));
			CHECK_OK(setuid(i ? 1234 : CHECK_NOBODY));
			if (i == 0)
				CHECK_ERRNO(open(MNT "/hello", O_RDONLY), EACCES);
			else
				CHECK_OK(close(CHECK_OK(open(MNT "/hello", O_RDONLY))));
			CHECK_ERRNO(open(MNT "/hello", O_WRONLY), EACCES);
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
	}
	daemon_end();
}

/* --- contents ---------------------------------------------------------------------------------------------------- */

TEST(large_requests_are_as_large_as_agreed)
{
	char *p;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_MAX_PAGES | FUSE_BIG_WRITES;
	shared->max_pages = 64;
	shared->max_write = 256 * 1024;
	shared->open_flags = FOPEN_DIRECT_IO;
	fill(HELLO, DATA_MAX);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, DATA_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(CHECK_OK(pread(fd, p, 256 * 1024, 0)), 256 * 1024);
	CHECK_MEM(p, HELLO->data, 256 * 1024);
	CHECK_EQ(COUNT(READ), 1);
	CHECK_EQ(shared->max_read_size, 256 * 1024);
	memset(p, 'w', 256 * 1024);
	CHECK_EQ(CHECK_OK(pwrite(fd, p, 256 * 1024, 0)), 256 * 1024);
	CHECK_EQ(COUNT(WRITE), 1);
	CHECK_EQ(CHECK_OK(pread(fd, p, DATA_MAX, 0)), DATA_MAX);
	CHECK_EQ(COUNT(READ), 3);
	close(fd);
	daemon_end();
}

TEST(reads_are_no_larger_than_the_mount_says)
{
	int fd;

	daemon_prepare();
	fill(HELLO, 128 * 1024);
	shared->open_flags = FOPEN_DIRECT_IO;
	daemon_run("max_read=8192");
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 128 * 1024, 0)), 128 * 1024);
	CHECK_EQ(COUNT(READ), 16);
	CHECK_EQ(shared->max_read_size, 8192);
	close(fd);
	daemon_end();
}

TEST(direct_reads_end_where_the_daemon_says)
{
	struct iovec v[3] = { { buf, 3 }, { buf + 10, 1 }, { buf + 20, 10 } };
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_DIRECT_IO;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(preadv(fd, v, 3, 0)), 6);
	CHECK_MEM(buf, "hel", 3);
	CHECK_MEM(buf + 10, "l", 1);
	CHECK_MEM(buf + 20, "o\n", 2);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 10, 6)), 0);
	CHECK_EQ(CHECK_OK(pwritev(fd, v, 2, 0)), 4);
	CHECK_MEM(HELLO->data, "hello\n", 6);
	CHECK_ERRNO(pread(fd, (void *)16, 10, 0), EFAULT);
	CHECK_ERRNO(pwrite(fd, (void *)16, 10, 0), EFAULT);
	close(fd);
	daemon_end();
}

TEST(writes_at_the_end_and_writes_that_last)
{
	int fd;

	run_with(0);
	fd = CHECK_OK(open(MNT "/hello", O_WRONLY | O_APPEND));
	CHECK_EQ(CHECK_OK(pwrite(fd, "at", 2, 0)), 2);
	CHECK_EQ(HELLO->attr.size, 8);
	CHECK_EQ(COUNT(FSYNC), 0);
	close(fd);
	fd = CHECK_OK(open(MNT "/hello", O_WRONLY | O_SYNC));
	CHECK_EQ(CHECK_OK(pwrite(fd, "s", 1, 0)), 1);
	CHECK_EQ(COUNT(FSYNC), 1);
	CHECK_EQ(LAST(FSYNC, fuse_fsync_in)->fsync_flags, 0);
	CHECK_OK(fdatasync(fd));
	CHECK_EQ(LAST(FSYNC, fuse_fsync_in)->fsync_flags, 1);
	close(fd);
	fd = CHECK_OK(open(MNT "/dir", O_RDONLY | O_DIRECTORY));
	CHECK_OK(fsync(fd));
	CHECK_EQ(COUNT(FSYNCDIR), 1);
	close(fd);
	daemon_end();
}

TEST(fallocate_in_all_its_modes)
{
	int fd;

	run_with(0);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100));
	CHECK_EQ(LAST(FALLOCATE, fuse_fallocate_in)->mode, FALLOC_FL_KEEP_SIZE);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 3));
	CHECK_EQ(LAST(FALLOCATE, fuse_fallocate_in)->mode, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
	CHECK_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 3));
	CHECK_EQ(COUNT(FALLOCATE), 3);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, 4096), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, 4096), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096), EOPNOTSUPP);
	CHECK_EQ(COUNT(FALLOCATE), 3);
	shared->error[FUSE_FALLOCATE] = -ENOSYS;
	CHECK_ERRNO(fallocate(fd, 0, 0, 100), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, 0, 0, 100), EOPNOTSUPP);
	CHECK_EQ(COUNT(FALLOCATE), 4);
	close(fd);
	daemon_end();
}

TEST(a_hole_that_was_punched_is_seen)
{
	char *p;
	int fd;

	daemon_prepare();
	fill(HELLO, 3 * 4096);
	shared->open_flags = FOPEN_KEEP_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 3 * 4096, PROT_READ, MAP_SHARED, fd, 0);
	CHECK_EQ(p[4096], 'b');
	memset(HELLO->data + 4096, 0, 4096); /* as the daemon would */
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	CHECK_EQ(p[4096], 0);
	CHECK_EQ(p[8192], 'c');
	CHECK_EQ(CHECK_OK(pread(fd, buf, 1, 4096)), 1);
	CHECK_EQ(buf[0], 0);
	CHECK_OK(munmap(p, 3 * 4096));
	close(fd);
	daemon_end();
}

TEST(copies_are_made_here_by_a_daemon_that_makes_none)
{
	loff_t in = 1, to = 2;
	int fd, other;

	daemon_prepare();
	shared->error[FUSE_COPY_FILE_RANGE] = -ENOSYS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	other = CHECK_OK(open(MNT "/dir/inside", O_RDWR));
	CHECK_EQ(CHECK_OK(copy_file_range(fd, &in, other, &to, 4, 0)), 4);
	CHECK_MEM(INSIDE->data, "inello\n", 7);
	in = 0;
	CHECK_EQ(CHECK_OK(copy_file_range(fd, &in, other, &to, 1, 0)), 1);
	CHECK_EQ(COUNT(COPY_FILE_RANGE), 1);
	close(other);
	close(fd);
	daemon_end();
}

/* --- locks ------------------------------------------------------------------------------------------------------- */

TEST(a_close_tells_whose_locks_go)
{
	struct flock l = { .l_type = F_RDLCK, .l_start = 0, .l_len = 0 };
	int fd;

	run_with(FUSE_POSIX_LOCKS);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.end, INT64_MAX);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.type, F_RDLCK);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk_flags, 0);
	CHECK_OK(close(fd));
	CHECK_EQ(LAST(FLUSH, fuse_flush_in)->lock_owner, LAST(SETLK, fuse_lk_in)->owner);
	CHECK(LAST(FLUSH, fuse_flush_in)->lock_owner != 0);
	daemon_end();
}

static void
nothing(int sig)
{
	(void)sig;
}

TEST(who_waits_for_a_lock_is_interrupted)
{
	struct sigaction sa = { .sa_handler = nothing };
	struct flock l = { .l_type = F_WRLCK };
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_LOCKS;
	shared->silent = FUSE_SETLKW;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_CLOEXEC));
	pid = check_fork();
	if (pid == 0) {
		sigaction(SIGUSR1, &sa, NULL);
		CHECK_ERRNO(fcntl(fd, F_SETLKW, &l), EINTR);
		_exit(0);
	}
	UNTIL(COUNT(SETLKW) == 1);
	CHECK_OK(kill(pid, SIGUSR1));
	CHECK_EXIT(pid, 0);
	CHECK_EQ(COUNT(INTERRUPT), 1);
	shared->silent = -2;
	close(fd);
	daemon_end();
}

TEST(flock_is_asked_with_its_own_owner)
{
	int fd, other;

	run_with(FUSE_FLOCK_LOCKS);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	other = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(flock(fd, LOCK_SH | LOCK_NB));
	CHECK_EQ(COUNT(SETLK), 1);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk_flags, FUSE_LK_FLOCK);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.type, F_RDLCK);
	CHECK_ERRNO(flock(other, LOCK_EX | LOCK_NB), EAGAIN);
	CHECK_OK(flock(fd, LOCK_UN));
	CHECK_OK(flock(other, LOCK_EX | LOCK_NB));
	close(fd);
	close(other);
	daemon_end();
}

TEST(a_daemon_that_wants_no_interrupts_gets_one)
{
	struct sigaction sa = { .sa_handler = nothing };
	pid_t pid;

	daemon_prepare();
	shared->silent = FUSE_LOOKUP;
	shared->error[FUSE_INTERRUPT] = -ENOSYS;
	daemon_run(NULL);
	for (int i = 0; i < 2; i++) {
		shared->silent = FUSE_LOOKUP;
		shared->release_silent = false;
		pid = check_fork();
		if (pid == 0) {
			sigaction(SIGUSR1, &sa, NULL);
			CHECK_ERRNO(access(MNT "/absent", F_OK), ENOENT);
			_exit(0);
		}
		UNTIL(COUNT(LOOKUP) == (unsigned)i + 1);
		CHECK_OK(kill(pid, SIGUSR1));
		if (i == 0)
			UNTIL(COUNT(INTERRUPT) == 1);
		shared->silent = -2;
		shared->release_silent = true;
		CHECK_EXIT(pid, 0);
	}
	CHECK_EQ(COUNT(INTERRUPT), 1);
	daemon_end();
}

/* --- notices ----------------------------------------------------------------------------------------------------- */

TEST(a_name_that_expires_by_notice_is_asked_for_but_not_forgotten)
{
	struct fuse_notify_inval_entry_out n = { .parent = 1, .namelen = 3, .flags = 1 /* FUSE_EXPIRE_ONLY */ };
	struct stat st;
	int d;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	d = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	CHECK_OK(mount("none", MNT "/dir", "tmpfs", 0, NULL));
	CHECK_EQ(COUNT(LOOKUP), 1);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_ENTRY, &n, sizeof(n), "dir", 4), 0);
	CHECK_OK(stat(MNT "/dir", &st));
	CHECK_EQ(COUNT(LOOKUP), 2);
	CHECK(st.st_ino != 103); /* the mount is still on it */
	CHECK_OK(umount2(MNT "/dir", 0));
	close(d);
	daemon_end();
}

TEST(a_notice_drops_only_the_pages_it_names)
{
	struct fuse_notify_inval_inode_out n = { .ino = 2, .off = 4096, .len = 4096 };
	int d, fd;

	daemon_prepare();
	fill(HELLO, 3 * 4096);
	shared->open_flags = FOPEN_KEEP_CACHE;
	CHECK_EQ(daemon_mount(NULL), 0);
	d = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 3 * 4096, 0)), 3 * 4096);
	memset(HELLO->data, 'N', 3 * 4096);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 3 * 4096, 0)), 3 * 4096);
	CHECK_EQ(buf[0], 'a');
	CHECK_EQ(buf[4096], 'N');
	CHECK_EQ(buf[8192], 'c');
	close(fd);
	close(d);
	daemon_end();
}

TEST(what_is_stored_over_the_end_makes_the_file_longer)
{
	struct {
		struct fuse_notify_store_out s;
		char data[4096];
	} n = { .s = { .nodeid = 2, .offset = 4096, .size = 10 } };
	struct stat st;
	int d, fd;

	daemon_prepare();
	fill(HELLO, 4096);
	shared->open_flags = FOPEN_KEEP_CACHE;
	CHECK_EQ(daemon_mount(NULL), 0);
	d = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	memset(n.data, 'S', 10);
	CHECK_EQ(device_notice(d, FUSE_NOTIFY_STORE, &n, sizeof(n.s) + 10, NULL, 0), 0);
	HELLO->attr.size = 4106;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4106);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 100, 4096)), 10);
	CHECK_MEM(buf, "SSSSSSSSSS", 10);
	CHECK_EQ(COUNT(READ), 0);
	close(fd);
	close(d);
	daemon_end();
}
