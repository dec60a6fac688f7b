/* SPDX-License-Identifier: MIT */
/*
 * files.c - contents: the page cache, direct I/O, mappings, writing back; locks, attributes, ioctl, poll; notices.
 */
#include "daemon.h"

#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/xattr.h>

/* A device of the same connection, kept beside the daemon's for notices. */
static int notices;

static void
run_with_notices(void)
{
	CHECK_EQ(daemon_mount(NULL), 0);
	notices = CHECK_OK(fcntl(device, F_DUPFD_CLOEXEC, 200));
	daemon_start();
}

static void
end_with_notices(void)
{
	close(notices);
	daemon_end();
}

static void
fill(struct node *n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		n->data[i] = (char)('a' + i / 4096 % 26);
	n->attr.size = size;
}

static char big[DATA_MAX], got[DATA_MAX];

TEST(what_was_read_is_kept_while_open_says_so)
{
	char buf[16];
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_KEEP_CACHE;
	daemon_run(NULL);
	for (int i = 0; i < 3; i++) {
		fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
		CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
		CHECK_MEM(buf, "hello\n", 6);
		close(fd);
	}
	CHECK_EQ(COUNT(READ), 1);
	shared->open_flags = 0;
	memcpy(shared->node[2].data, "HELLO\n", 6);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
	CHECK_MEM(buf, "HELLO\n", 6);
	close(fd);
	CHECK_EQ(COUNT(READ), 2);
	daemon_end();
}

TEST(large_files_are_read_in_large_pieces)
{
	int fd;

	daemon_prepare();
	fill(&shared->node[2], DATA_MAX);
	shared->init_flags = FUSE_ASYNC_READ | FUSE_MAX_PAGES;
	shared->max_pages = 64;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(read(fd, got, DATA_MAX)), DATA_MAX);
	CHECK_MEM(got, shared->node[2].data, DATA_MAX);
	CHECK(shared->max_read_size >= 32 * 1024);
	CHECK(COUNT(READ) < 30);
	close(fd);
	daemon_end();
}

TEST(direct_io_goes_to_the_daemon_each_time)
{
	char buf[16], *p;
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_DIRECT_IO;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	for (int i = 0; i < 3; i++)
		CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
	CHECK_EQ(COUNT(READ), 3);
	CHECK_EQ(LAST(READ, fuse_read_in)->size, 16);
	CHECK_EQ(CHECK_OK(pwrite(fd, "xyz", 3, 1)), 3);
	CHECK_EQ(LAST(WRITE, fuse_write_in)->size, 3);
	CHECK_EQ(LAST(WRITE, fuse_write_in)->offset, 1);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
	CHECK_MEM(buf, "hxyzo\n", 6);
	CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), ENODEV);
	p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_MEM(p, "hxyzo\n", 6);
	CHECK_OK(munmap(p, 4096));
	close(fd);
	daemon_end();
}

TEST(o_direct_is_known)
{
	char *buf = CHECK_OK(aligned_alloc(4096, 8192));
	int fd;

	daemon_prepare();
	fill(&shared->node[2], 8192);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_DIRECT));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 8192, 0)), 8192);
	CHECK_MEM(buf, shared->node[2].data, 8192);
	memset(buf, 'Z', 4096);
	CHECK_EQ(CHECK_OK(pwrite(fd, buf, 4096, 4096)), 4096);
	CHECK_EQ(shared->node[2].data[4096], 'Z');
	close(fd);
	daemon_end();
}

TEST(writes_go_through_and_are_seen_by_readers)
{
	char buf[16];
	int fd, reader;

	daemon_prepare();
	daemon_run(NULL);
	reader = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(reader, buf, 16, 0)), 6);
	fd = CHECK_OK(open(MNT "/hello", O_WRONLY | O_APPEND));
	CHECK_EQ(CHECK_OK(write(fd, "there", 5)), 5);
	CHECK_EQ(shared->node[2].attr.size, 11);
	CHECK_MEM(shared->node[2].data, "hello\nthere", 11);
	CHECK_EQ(CHECK_OK(pread(reader, buf, 16, 0)), 11);
	CHECK_MEM(buf, "hello\nthere", 11);
	close(fd);
	close(reader);
	daemon_end();
}

TEST(large_writes_come_whole)
{
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES;
	shared->max_pages = 32;
	daemon_run(NULL);
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 7 + i / 4096);
	fd = CHECK_OK(open(MNT "/hello", O_WRONLY));
	CHECK_EQ(CHECK_OK(write(fd, big, sizeof(big))), (ssize_t)sizeof(big));
	CHECK_MEM(shared->node[2].data, big, sizeof(big));
	CHECK_EQ(shared->max_write_size, 128 * 1024);
	close(fd);
	daemon_end();
}

TEST(truncation_reaches_daemon_and_cache)
{
	char buf[16];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 6);
	CHECK_OK(ftruncate(fd, 2));
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->valid, FATTR_SIZE | FATTR_FH | FATTR_LOCKOWNER);
	CHECK_EQ(LAST(SETATTR, fuse_setattr_in)->fh, 7);
	CHECK_OK(ftruncate(fd, 4));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 16, 0)), 4);
	CHECK_MEM(buf, "he\0\0", 4);
	close(fd);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_TRUNC));
	CHECK_EQ(shared->node[2].attr.size, 0);
	CHECK_EQ(COUNT(SETATTR), 3);
	close(fd);
	daemon_end();
}

TEST(open_truncates_where_the_daemon_does)
{
	struct stat st;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_ATOMIC_O_TRUNC;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR | O_TRUNC));
	CHECK_EQ(LAST(OPEN, fuse_open_in)->flags & O_TRUNC, O_TRUNC);
	CHECK_EQ(COUNT(SETATTR), 0);
	shared->node[2].attr.size = 0;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	close(fd);
	daemon_end();
}

TEST(mappings_show_and_change_the_file)
{
	char *p;
	int fd;

	daemon_prepare();
	fill(&shared->node[2], 3 * 4096 + 100);
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_EQ(p[0], 'a');
	CHECK_EQ(p[2 * 4096 + 5], 'c');
	CHECK_EQ(p[3 * 4096 + 100], 0);
	p[4096] = 'X';
	CHECK_OK(msync(p, 4 * 4096, MS_SYNC));
	CHECK_EQ(shared->node[2].data[4096], 'X');
	CHECK_EQ(shared->node[2].attr.size, 3 * 4096 + 100);
	CHECK_EQ(LAST(WRITE, fuse_write_in)->write_flags & FUSE_WRITE_CACHE, FUSE_WRITE_CACHE);
	p[3 * 4096 + 99] = 'Y';
	CHECK_OK(munmap(p, 4 * 4096));
	CHECK_OK(fsync(fd));
	CHECK_EQ(shared->node[2].data[3 * 4096 + 99], 'Y');
	CHECK_EQ(COUNT(FSYNC), 2);
	close(fd);
	daemon_end();
}

/* What a mapping changed is not lost when pages are dropped because the size is another one. */
TEST(truncation_keeps_what_a_mapping_changed)
{
	struct stat st;
	char *p, buf[8];
	int fd;

	daemon_prepare();
	fill(&shared->node[2], 4 * 4096);
	shared->open_flags = FOPEN_KEEP_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	memcpy(p, "mapped", 6);
	CHECK_OK(ftruncate(fd, 2 * 4096));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 8, 0)), 8);
	CHECK_MEM(buf, "mappedaa", 8);
	memcpy(p + 4096, "again", 5);
	/* The daemon's file grows without us. */
	shared->node[2].attr.size = 3 * 4096;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 8, 4096)), 8);
	CHECK_MEM(buf, "againbbb", 8);
	CHECK_OK(msync(p, 2 * 4096, MS_SYNC));
	CHECK_MEM(shared->node[2].data, "mappedaa", 8);
	CHECK_MEM(shared->node[2].data + 4096, "againbbb", 8);
	CHECK_OK(munmap(p, 4 * 4096));
	close(fd);
	daemon_end();
}

TEST(written_back_later_if_agreed)
{
	struct stat st;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	for (int i = 0; i < 100; i++)
		CHECK_EQ(CHECK_OK(pwrite(fd, "0123456789", 10, i * 10)), 10);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 1000);
	CHECK(COUNT(WRITE) < 50);
	CHECK_OK(fsync(fd));
	CHECK_EQ(shared->node[2].attr.size, 1000);
	CHECK_MEM(shared->node[2].data + 990, "0123456789", 10);
	CHECK_EQ(CHECK_OK(pwrite(fd, "last", 4, 0)), 4);
	close(fd);
	CHECK_MEM(shared->node[2].data, "last", 4); /* close writes what is left */
	daemon_end();
}

TEST(an_error_of_writing_back_is_told_by_fsync)
{
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_WRITEBACK_CACHE;
	shared->error[FUSE_WRITE] = -ENOSPC;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pwrite(fd, "0123456789", 10, 0)), 10);
	CHECK_ERRNO(fsync(fd), ENOSPC);
	shared->error[FUSE_WRITE] = 0;
	CHECK_OK(fsync(fd));
	close(fd);
	daemon_end();
}

TEST(close_tells_the_error_of_flush)
{
	int fd;

	daemon_prepare();
	shared->error[FUSE_FLUSH] = -EDQUOT;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_ERRNO(close(fd), EDQUOT);
	shared->error[FUSE_FLUSH] = -ENOSYS;
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(close(fd));
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(close(fd));
	CHECK_EQ(COUNT(FLUSH), 2);
	daemon_end();
}

TEST(a_read_error_of_a_mapping_is_sigbus)
{
	pid_t pid;
	int fd;

	daemon_prepare();
	shared->error[FUSE_READ] = -EIO;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	pid = check_fork();
	if (pid == 0) {
		volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		_exit(p[0]);
	}
	CHECK_KILLED(pid, SIGBUS);
	close(fd);
	daemon_end();
}

TEST(too_much_data_is_eio)
{
	char buf[16];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	shared->wrong = WRONG_READ_LONG;
	CHECK_ERRNO(pread(fd, buf, 16, 0), EIO);
	shared->wrong = WRONG_COUNT;
	CHECK_ERRNO(pwrite(fd, "x", 1, 0), EIO);
	shared->wrong = RIGHT;
	CHECK_EQ(CHECK_OK(pread(fd, buf, 1, 0)), 1);
	close(fd);
	daemon_end();
}

TEST(programs_run_from_it)
{
	static char self[4 << 20];
	int fd = CHECK_OK(open("/bin/true", O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, self, sizeof(self)));
	pid_t pid;

	close(fd);
	if (n > DATA_MAX)
		SKIP("true is larger than the daemon's files");
	daemon_prepare();
	memcpy(shared->node[2].data, self, (size_t)n);
	shared->node[2].attr.size = (uint64_t)n;
	shared->node[2].attr.mode = S_IFREG | 0755;
	daemon_run(NULL);
	pid = check_fork();
	if (pid == 0) {
		execl(MNT "/hello", "true", NULL);
		_exit(errno);
	}
	CHECK_EXIT(pid, 0);
	daemon_end();
}

/* --- locks, attributes, and so on ----------------------------------------------------------------------- */

TEST(locks_are_the_daemons_if_it_keeps_them)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = 10, .l_len = 5 };
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS;
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	CHECK_EQ(COUNT(SETLK), 1);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.start, 10);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.end, 14);
	CHECK_EQ(LAST(SETLK, fuse_lk_in)->lk.pid, getpid());
	shared->held_owner++;
	CHECK_ERRNO(fcntl(fd, F_SETLK, &l), EAGAIN);
	CHECK_OK(fcntl(fd, F_GETLK, &l));
	CHECK_EQ(l.l_type, F_WRLCK);
	CHECK_EQ(l.l_start, 10);
	CHECK_EQ(l.l_len, 5);
	CHECK_EQ(l.l_pid, getpid());
	shared->held.type = F_UNLCK;
	CHECK_OK(flock(fd, LOCK_EX));
	CHECK_EQ(LAST(SETLKW, fuse_lk_in)->lk_flags, FUSE_LK_FLOCK);
	close(fd);
	UNTIL(COUNT(RELEASE) == 1);
	CHECK_EQ(LAST(RELEASE, fuse_release_in)->release_flags & FUSE_RELEASE_FLOCK_UNLOCK, FUSE_RELEASE_FLOCK_UNLOCK);
	CHECK_EQ(LAST(RELEASE, fuse_release_in)->lock_owner, LAST(SETLKW, fuse_lk_in)->owner);
	daemon_end();
}

TEST(locks_are_the_kernels_otherwise)
{
	struct flock l = { .l_type = F_WRLCK };
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_OK(fcntl(fd, F_SETLK, &l));
	CHECK_OK(flock(fd, LOCK_SH));
	CHECK_EQ(COUNT(SETLK) + COUNT(SETLKW) + COUNT(GETLK), 0);
	close(fd);
	daemon_end();
}

TEST(extended_attributes_are_the_daemons)
{
	char buf[64];

	daemon_prepare();
	daemon_run(NULL);
	CHECK_ERRNO(getxattr(MNT "/hello", "user.a", buf, sizeof(buf)), ENODATA);
	CHECK_OK(setxattr(MNT "/hello", "user.a", "value", 5, 0));
	CHECK_EQ(LAST(SETXATTR, fuse_setxattr_in)->size, 5);
	CHECK_EQ(CHECK_OK(getxattr(MNT "/hello", "user.a", NULL, 0)), 5);
	CHECK_EQ(CHECK_OK(getxattr(MNT "/hello", "user.a", buf, sizeof(buf))), 5);
	CHECK_MEM(buf, "value", 5);
	CHECK_ERRNO(getxattr(MNT "/hello", "user.a", buf, 2), ERANGE);
	CHECK_EQ(CHECK_OK(listxattr(MNT "/hello", buf, sizeof(buf))), 7);
	CHECK_STR(buf, "user.a");
	CHECK_OK(removexattr(MNT "/hello", "user.a"));
	shared->error[FUSE_SETXATTR] = -ENOSYS;
	CHECK_ERRNO(setxattr(MNT "/hello", "user.b", "value", 5, 0), EOPNOTSUPP);
	CHECK_ERRNO(setxattr(MNT "/hello", "user.b", "value", 5, 0), EOPNOTSUPP);
	CHECK_EQ(COUNT(SETXATTR), 2);
	daemon_end();
}

TEST(statfs_is_the_daemons)
{
	struct statfs st;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(statfs(MNT "/hello", &st));
	CHECK_EQ(st.f_type, 0x65735546);
	CHECK_EQ(st.f_bsize, 4096);
	CHECK_EQ(st.f_frsize, 1024);
	CHECK_EQ(st.f_blocks, 1000);
	CHECK_EQ(st.f_bavail, 500);
	CHECK_EQ(st.f_namelen, 200);
	CHECK_EQ(shared->head[FUSE_STATFS].nodeid, 2);
	daemon_end();
}

TEST(seek_allocate_and_copy)
{
	loff_t in = 0, to = 0;
	int fd, other;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	other = CHECK_OK(open(MNT "/dir/inside", O_RDWR));
	CHECK_EQ(CHECK_OK(lseek(fd, 0, SEEK_END)), 6);
	CHECK_EQ(CHECK_OK(lseek(fd, 0, SEEK_HOLE)), 3);
	CHECK_EQ(COUNT(LSEEK), 1);
	shared->error[FUSE_LSEEK] = -ENOSYS;
	CHECK_EQ(CHECK_OK(lseek(fd, 1, SEEK_DATA)), 1);
	CHECK_EQ(CHECK_OK(lseek(fd, 1, SEEK_HOLE)), 6);
	CHECK_ERRNO(lseek(fd, 6, SEEK_DATA), ENXIO);
	CHECK_EQ(COUNT(LSEEK), 2);
	CHECK_OK(fallocate(fd, 0, 0, 100));
	CHECK_EQ(LAST(FALLOCATE, fuse_fallocate_in)->length, 100);
	CHECK_EQ(CHECK_OK(copy_file_range(fd, &in, other, &to, 4, 0)), 4);
	CHECK_EQ(COUNT(COPY_FILE_RANGE), 1);
	CHECK_EQ(LAST(COPY_FILE_RANGE, fuse_copy_file_range_in)->len, 4);
	CHECK_EQ(in, 4);
	shared->error[FUSE_FALLOCATE] = -ENOSYS;
	CHECK_ERRNO(fallocate(fd, 0, 0, 100), EOPNOTSUPP);
	close(other);
	close(fd);
	daemon_end();
}

/* What is cached of a page in which a hole begins or ends is zeroed, not asked for: whatever the daemon made of it. */
TEST(a_hole_in_a_page_that_is_cached_has_zeros_there)
{
	char text[6];
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, 2));
	CHECK_EQ(CHECK_OK(pread(fd, text, 6, 0)), 6);
	CHECK_MEM(text, "h\0\0lo\n", 6);
	CHECK_EQ(COUNT(READ), 1);
	close(fd);
	daemon_end();
}

TEST(ioctls_move_as_many_bytes_as_their_number_says)
{
	char data[16] = "given", before[16] = "given";
	int fd;

	daemon_prepare();
	daemon_run(NULL);
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	CHECK_EQ(CHECK_OK(ioctl(fd, _IOR('f', 77, char[8]), data)), 42);
	CHECK_MEM(data, "ABCDEFGH", 8);
	CHECK_EQ(data[8], 0);
	CHECK_EQ(LAST(IOCTL, fuse_ioctl_in)->in_size, 0);
	memcpy(data, before, sizeof(data));
	CHECK_EQ(CHECK_OK(ioctl(fd, _IOWR('f', 78, char[6]), data)), 42);
	CHECK_MEM(data, "given", 6);
	CHECK_EQ(LAST(IOCTL, fuse_ioctl_in)->in_size, 6);
	CHECK_EQ(CHECK_OK(ioctl(fd, _IO('f', 79), data)), 42);
	CHECK_EQ(LAST(IOCTL, fuse_ioctl_in)->out_size, 0);
	CHECK_ERRNO(ioctl(fd, _IOW('f', 80, char[8]), (void *)8), EFAULT);
	shared->ioctl_retry = FUSE_IOCTL_RETRY;
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), EIO);
	shared->error[FUSE_IOCTL] = -ENOSYS;
	CHECK_ERRNO(ioctl(fd, _IOR('f', 77, char[8]), data), ENOTTY);
	close(fd);
	daemon_end();
}

TEST(poll_waits_for_a_notice)
{
	struct pollfd p;
	pid_t pid;
	uint64_t kh;
	int fd;

	daemon_prepare();
	shared->no_poll_events = true;
	run_with_notices();
	fd = CHECK_OK(open(MNT "/hello", O_RDWR));
	p = (struct pollfd){ .fd = fd, .events = POLLIN };
	pid = check_fork();
	if (pid == 0)
		_exit(poll(&p, 1, -1) == 1 && p.revents == POLLIN ? 0 : 1);
	UNTIL(COUNT(POLL) >= 1 && (LAST(POLL, fuse_poll_in)->flags & FUSE_POLL_SCHEDULE_NOTIFY));
	shared->no_poll_events = false;
	kh = shared->kh;
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_POLL, &kh, sizeof(kh), NULL, 0), 0);
	CHECK_EXIT(pid, 0);
	shared->error[FUSE_POLL] = -ENOSYS;
	CHECK_EQ(CHECK_OK(poll(&p, 1, 0)), 1);
	CHECK_EQ(p.revents, POLLIN);
	close(fd);
	end_with_notices();
}

/* --- notices -------------------------------------------------------------------------------------------- */

static ssize_t
inval_entry(uint64_t parent, const char *name)
{
	struct fuse_notify_inval_entry_out n = { .parent = parent, .namelen = (uint32_t)strlen(name) };

	return device_notice(notices, FUSE_NOTIFY_INVAL_ENTRY, &n, sizeof(n), name, strlen(name) + 1);
}

TEST(a_notice_makes_a_name_be_asked_for_again)
{
	struct stat st;

	daemon_prepare();
	run_with_notices();
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 1);
	CHECK_EQ(inval_entry(1, "hello"), 0);
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(COUNT(LOOKUP), 2);
	CHECK_EQ(inval_entry(1, "absent"), -ENOENT);
	CHECK_EQ(inval_entry(55, "hello"), -ENOENT);
	CHECK_EQ(inval_entry(2, "x"), -ENOTDIR);
	end_with_notices();
}

TEST(a_notice_of_a_deleted_file)
{
	struct fuse_notify_delete_out n = { .parent = 1, .child = 2, .namelen = 5 };
	struct stat st;

	daemon_prepare();
	run_with_notices();
	CHECK_OK(stat(MNT "/hello", &st));
	n.child = 3;
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_DELETE, &n, sizeof(n), "hello", 6), -ENOENT);
	CHECK_OK(stat(MNT "/hello", &st)); /* asked for again: it is not what the daemon thinks */
	CHECK_EQ(COUNT(LOOKUP), 2);
	n.child = 2;
	shared->node[2].parent = 0;
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_DELETE, &n, sizeof(n), "hello", 6), 0);
	CHECK_ERRNO(stat(MNT "/hello", &st), ENOENT);
	end_with_notices();
}

TEST(a_notice_drops_attributes_and_pages)
{
	struct fuse_notify_inval_inode_out n = { .ino = 2 };
	struct stat st;
	char buf[8];
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_KEEP_CACHE;
	run_with_notices();
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	memcpy(shared->node[2].data, "other\n", 6);
	shared->node[2].attr.mtime = 7777;
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	CHECK_MEM(buf, "hello\n", 6);
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), 0);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	CHECK_MEM(buf, "other\n", 6);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mtim.tv_sec, 7777);
	n.ino = 44;
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_INVAL_INODE, &n, sizeof(n), NULL, 0), -ENOENT);
	close(fd);
	end_with_notices();
}

TEST(notices_store_and_retrieve_pages)
{
	struct fuse_notify_store_out s = { .nodeid = 2, .offset = 0, .size = 6 };
	struct fuse_notify_retrieve_out r = { .notify_unique = 99, .nodeid = 2, .offset = 0, .size = 100 };
	char buf[8];
	int fd;

	daemon_prepare();
	shared->open_flags = FOPEN_KEEP_CACHE;
	run_with_notices();
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_STORE, &s, sizeof(s), "STORED", 6), 0);
	CHECK_EQ(CHECK_OK(pread(fd, buf, 6, 0)), 6);
	CHECK_MEM(buf, "STORED", 6);
	CHECK_EQ(COUNT(READ), 0);
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_RETRIEVE, &r, sizeof(r), NULL, 0), 0);
	UNTIL(COUNT(NOTIFY_REPLY) == 1);
	CHECK_EQ(shared->head[FUSE_NOTIFY_REPLY].unique, 99);
	CHECK_EQ(LAST(NOTIFY_REPLY, fuse_notify_retrieve_in)->size, 6);
	CHECK_MEM(shared->body[FUSE_NOTIFY_REPLY] + sizeof(struct fuse_notify_retrieve_in), "STORED", 6);
	close(fd);
	end_with_notices();
}

TEST(nonsense_as_a_notice_is_refused)
{
	char junk[64] = { 0 };

	daemon_prepare();
	run_with_notices();
	CHECK_OK(access(MNT "/hello", F_OK));
	CHECK_EQ(device_notice(notices, 0, junk, 8, NULL, 0), -EINVAL);
	CHECK_EQ(device_notice(notices, 77, junk, 8, NULL, 0), -EINVAL);
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_POLL, junk, 7, NULL, 0), -EINVAL);
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_INVAL_INODE, junk, 23, NULL, 0), -EINVAL);
	CHECK_EQ(device_notice(notices, FUSE_NOTIFY_STORE, junk, 23, NULL, 0), -EINVAL);
	CHECK_ERRNO(write(notices, junk, 8), EINVAL);
	CHECK_ERRNO(write(notices, junk, 16), EINVAL);
	end_with_notices();
}

/* --- the device ----------------------------------------------------------------------------------------- */

TEST(a_clone_is_a_device_of_the_same_connection)
{
	struct stat st;
	uint32_t from;
	int clone;

	daemon_prepare();
	clone = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	from = (uint32_t)device;
	CHECK_ERRNO(ioctl(clone, FUSE_DEV_IOC_CLONE, &from), EINVAL);
	CHECK_EQ(daemon_mount(NULL), 0);
	CHECK_OK(ioctl(clone, FUSE_DEV_IOC_CLONE, &from));
	CHECK_ERRNO(ioctl(clone, FUSE_DEV_IOC_CLONE, &from), EINVAL);
	close(device);
	device = clone;
	daemon_start();
	CHECK_OK(stat(MNT "/hello", &st));
	daemon_end();
}

TEST(the_device_does_not_wait_when_told_not_to)
{
	struct fuse_in_header h;
	static char space[200000];
	struct pollfd p;

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	CHECK_OK(fcntl(device, F_SETFL, O_NONBLOCK));
	p = (struct pollfd){ .fd = device, .events = POLLIN | POLLOUT };
	CHECK_EQ(CHECK_OK(poll(&p, 1, 0)), 1);
	CHECK_EQ(p.revents, POLLIN | POLLOUT);
	CHECK_ERRNO(read(device, &h, sizeof(h)), EINVAL);
	CHECK(CHECK_OK(read(device, space, sizeof(space))) == 104);
	CHECK_ERRNO(read(device, space, sizeof(space)), EAGAIN);
	CHECK_OK(umount2(MNT, MNT_DETACH));
	CHECK_ERRNO(read(device, space, sizeof(space)), ENODEV);
	CHECK_EQ(CHECK_OK(poll(&p, 1, 0)), 1);
	CHECK_EQ(p.revents, POLLERR);
}

TEST(requests_and_answers_are_spliced)
{
	struct fuse_out_header h = { 0 };
	struct fuse_init_out o = { .major = 7, .minor = 31, .max_write = 4096 };
	struct fuse_in_header in;
	static char space[200000];
	int pipe_fds[2];

	daemon_prepare();
	CHECK_EQ(daemon_mount(NULL), 0);
	CHECK_OK(pipe(pipe_fds));
	CHECK_OK(fcntl(pipe_fds[1], F_SETPIPE_SZ, 262144));
	CHECK_EQ(CHECK_OK(splice(device, NULL, pipe_fds[1], NULL, sizeof(space), 0)), 104);
	CHECK_EQ(CHECK_OK(read(pipe_fds[0], &in, sizeof(in))), (ssize_t)sizeof(in));
	CHECK_EQ(in.opcode, FUSE_INIT);
	CHECK_EQ(CHECK_OK(read(pipe_fds[0], space, sizeof(space))), 64);
	h.unique = in.unique;
	/* The length is known when the data is there: libfuse's way. */
	h.len = 1 << 20;
	CHECK_EQ(CHECK_OK(vmsplice(pipe_fds[1], &(struct iovec){ &h, sizeof(h) }, 1, SPLICE_F_NONBLOCK)), (ssize_t)sizeof(h));
	CHECK_OK(write(pipe_fds[1], &o, sizeof(o)));
	h.len = sizeof(h) + sizeof(o);
	CHECK_EQ(CHECK_OK(splice(pipe_fds[0], NULL, device, NULL, h.len, SPLICE_F_MOVE)), h.len);
	daemon_start();
	CHECK_OK(access(MNT "/hello", F_OK));
	daemon_end();
}
