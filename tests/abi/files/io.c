/* SPDX-License-Identifier: MIT */
/* read, write and their relatives, offsets, holes and lengths of regular files. */
#include "../check.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int
file_with(const char *text)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));

	check_write_all(fd, text, strlen(text));
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

TEST(read_at_and_past_end_is_zero)
{
	char buffer[8];
	int fd = file_with("abc");

	CHECK_EQ(read(fd, buffer, 8), 3);
	CHECK_EQ(read(fd, buffer, 8), 0);
	CHECK_EQ(lseek(fd, 1000, SEEK_SET), 1000);
	CHECK_EQ(read(fd, buffer, 8), 0);
}

TEST(read_and_write_bad_fd_is_ebadf)
{
	char c = 0;
	struct iovec v = { &c, 1 };

	CHECK_ERRNO(read(-1, &c, 1), EBADF);
	CHECK_ERRNO(read(200, &c, 1), EBADF);
	CHECK_ERRNO(write(-1, &c, 1), EBADF);
	CHECK_ERRNO(write(1000000, &c, 1), EBADF);
	CHECK_ERRNO(readv(200, &v, 1), EBADF);
	CHECK_ERRNO(writev(200, &v, 1), EBADF);
	CHECK_ERRNO(lseek(200, 0, SEEK_SET), EBADF);
	CHECK_ERRNO(close(200), EBADF);
	CHECK_ERRNO(close(-1), EBADF);
	CHECK_ERRNO(fsync(200), EBADF);
	CHECK_ERRNO(ftruncate(200, 0), EBADF);
	struct stat st;
	CHECK_ERRNO(fstat(200, &st), EBADF);
}

TEST(read_bad_buffer_is_efault)
{
	int fd = file_with("abc");

	CHECK_ERRNO(read(fd, check_bad_address(), 3), EFAULT);
	CHECK_ERRNO(read(fd, (void *)8, 3), EFAULT);
	CHECK_ERRNO(read(fd, (void *)0xffff888000000000, 3), EFAULT);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(read_into_read_only_page_is_efault)
{
	int fd = file_with("abc");

	CHECK_ERRNO(read(fd, (void *)"constant", 3), EFAULT);
}

TEST(write_bad_buffer_is_efault_and_writes_nothing)
{
	int fd = file_with("");
	struct stat st;

	CHECK_ERRNO(write(fd, check_bad_address(), 3), EFAULT);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
}

TEST(read_up_to_an_unmapped_page_is_short)
{
	int fd = file_with("0123456789");
	char *end = check_page_end();

	CHECK_EQ(read(fd, end - 4, 10), 4);
	CHECK_MEM(end - 4, "0123", 4);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 4);
}

TEST(read_zero_bytes_succeeds)
{
	int fd = file_with("abc");

	CHECK_EQ(read(fd, NULL, 0), 0);
	CHECK_EQ(write(fd, NULL, 0), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
}

TEST(read_huge_count_is_clamped_or_einval)
{
	static char buffer[16];
	int fd = file_with("abc");

	CHECK_ERRNO(read(fd, buffer, (size_t)-1), EFAULT);
	CHECK_ERRNO(syscall(SYS_pread64, fd, buffer, 3, -1L), EINVAL);
	CHECK_ERRNO(syscall(SYS_pwrite64, fd, buffer, 3, -1L), EINVAL);
}

TEST(pread_and_pwrite_leave_the_offset)
{
	char buffer[4] = "";
	int fd = file_with("0123456789");

	CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
	CHECK_EQ(pread(fd, buffer, 3, 5), 3);
	CHECK_STR(buffer, "567");
	CHECK_EQ(pwrite(fd, "xyz", 3, 8), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 2);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 11);
}

TEST(pwrite_on_append_fd_appends)
{
	char text[16];

	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_WRONLY | O_APPEND));
	CHECK_EQ(pwrite(fd, "d", 1, 0), 1);
	check_read_file("f", text, sizeof(text));
	CHECK_STR(text, "abcd");
}

TEST(append_writes_at_the_end_after_seek)
{
	char text[16];

	check_write_file("f", "abc", 3);
	int a = CHECK_OK(open("f", O_RDWR | O_APPEND));
	int b = CHECK_OK(open("f", O_RDWR | O_APPEND));
	CHECK_EQ(lseek(a, 0, SEEK_SET), 0);
	CHECK_EQ(write(a, "1", 1), 1);
	CHECK_EQ(lseek(a, 0, SEEK_CUR), 4);
	CHECK_EQ(write(b, "2", 1), 1);
	CHECK_EQ(write(a, "3", 1), 1);
	check_read_file("f", text, sizeof(text));
	CHECK_STR(text, "abc123");
}

TEST(append_by_two_processes_loses_nothing)
{
	struct stat st;
	pid_t children[4];

	for (int i = 0; i < 4; i++) {
		children[i] = check_fork();
		if (children[i] == 0) {
			int fd = CHECK_OK(open("log", O_WRONLY | O_CREAT | O_APPEND, 0600));
			for (int j = 0; j < 200; j++)
				CHECK_EQ(write(fd, "0123456789", 10), 10);
			_exit(0);
		}
	}
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(children[i], 0);
	CHECK_OK(stat("log", &st));
	CHECK_EQ(st.st_size, 4 * 200 * 10);
}

TEST(readv_scatters_and_writev_gathers)
{
	char a[3], b[4], c[10];
	int fd = file_with("");
	struct iovec w[] = { { "abc", 3 }, { NULL, 0 }, { "defg", 4 } };
	struct iovec r[] = { { a, 3 }, { b, 4 }, { c, 10 } };

	CHECK_EQ(writev(fd, w, 3), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(readv(fd, r, 3), 7);
	CHECK_MEM(a, "abc", 3);
	CHECK_MEM(b, "defg", 4);
	CHECK_EQ(preadv(fd, r, 2, 2), 5);
	CHECK_MEM(a, "cde", 3);
	CHECK_EQ(pwritev(fd, w, 3, 1), 7);
	CHECK_EQ(lseek(fd, 0, SEEK_END), 8);
}

TEST(readv_argument_errors)
{
	static struct iovec many[1025];
	char c;
	int fd = file_with("abc");
	struct iovec v[2] = { { &c, 1 }, { &c, (size_t)1 << 63 } };

	CHECK_ERRNO(readv(fd, v, -1), EINVAL);
	CHECK_ERRNO(readv(fd, many, 1025), EINVAL);
	CHECK_EQ(readv(fd, many, 1024), 0);
	CHECK_EQ(readv(fd, v, 0), 0);
	CHECK_ERRNO(readv(fd, v, 2), EINVAL);
	CHECK_ERRNO(readv(fd, check_bad_address(), 1), EFAULT);
	CHECK_ERRNO(preadv(fd, v, 1, -1), EINVAL);
}

TEST(writev_bad_second_buffer_is_short)
{
	int fd = file_with("");
	struct iovec v[2] = { { "abc", 3 }, { check_bad_address(), 4 } };

	CHECK_EQ(writev(fd, v, 2), 3);
	v[0] = v[1];
	CHECK_ERRNO(writev(fd, v, 2), EFAULT);
}

TEST(lseek_whence_rules)
{
	int fd = file_with("0123456789");

	CHECK_EQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK_EQ(lseek(fd, -1, SEEK_CUR), 3);
	CHECK_EQ(lseek(fd, 5, SEEK_END), 15);
	CHECK_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
	CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(fd, 0, 77), EINVAL);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 15);
	CHECK_EQ(lseek(fd, 0x700000000, SEEK_SET), 0x700000000);
}

TEST(lseek_overflow_is_an_error)
{
	int fd = file_with("abc");

	CHECK_EQ(lseek(fd, 16, SEEK_SET), 16);
	errno = 0;
	CHECK_EQ(lseek(fd, INT64_MAX, SEEK_CUR), -1);
	CHECK(errno == EINVAL || errno == EOVERFLOW);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 16);
}

TEST(lseek_on_pipe_is_espipe)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
	CHECK_ERRNO(pread(ends[0], &c, 1, 0), ESPIPE);
	CHECK_ERRNO(pwrite(ends[1], &c, 1, 0), ESPIPE);
}

TEST(seek_data_and_hole)
{
	int fd = file_with("");

	CHECK_OK(ftruncate(fd, 1 << 20));
	CHECK_EQ(pwrite(fd, "x", 1, 512 << 10), 1);
	off_t data = lseek(fd, 0, SEEK_DATA);
	CHECK(data >= 0 && data <= 512 << 10);
	off_t hole = lseek(fd, 512 << 10, SEEK_HOLE);
	CHECK(hole > 512 << 10 && hole <= 1 << 20);
	CHECK_EQ(lseek(fd, (1 << 20) - 1, SEEK_HOLE) <= 1 << 20, 1);
	CHECK_ERRNO(lseek(fd, 1 << 20, SEEK_DATA), ENXIO);
	CHECK_ERRNO(lseek(fd, 1 << 20, SEEK_HOLE), ENXIO);
	CHECK_ERRNO(lseek(fd, -1, SEEK_DATA), ENXIO);
}

TEST(hole_reads_as_zeros)
{
	char buffer[100];
	struct stat st;
	int fd = file_with("");

	CHECK_EQ(pwrite(fd, "end", 3, 100000), 3);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 100003);
	CHECK(st.st_blocks * 512 < 100003);
	CHECK_EQ(pread(fd, buffer, 100, 50000), 100);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(buffer[i], 0);
}

TEST(ftruncate_shrinks_and_grows_with_zeros)
{
	char buffer[16];
	struct stat st;
	int fd = file_with("0123456789");

	CHECK_OK(ftruncate(fd, 4));
	CHECK_OK(ftruncate(fd, 8));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8);
	CHECK_EQ(read(fd, buffer, 16), 8);
	CHECK_MEM(buffer, "0123\0\0\0\0", 8);
}

TEST(truncate_errors)
{
	check_write_file("f", "abc", 3);
	CHECK_ERRNO(truncate("f", -1), EINVAL);
	CHECK_ERRNO(truncate("missing", 1), ENOENT);
	CHECK_ERRNO(truncate(".", 1), EISDIR);
	CHECK_ERRNO(truncate("f/x", 1), ENOTDIR);
	CHECK_ERRNO(truncate((char *)8, 1), EFAULT);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
	int ends[2];
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(ftruncate(ends[1], 0), EINVAL);
	CHECK_OK(chmod("f", 0444));
	check_drop_root();
	CHECK_ERRNO(truncate("f", 0), EACCES);
}

TEST(truncate_leaves_the_offset)
{
	int fd = file_with("0123456789");
	char buffer[16];

	CHECK_EQ(lseek(fd, 8, SEEK_SET), 8);
	CHECK_OK(ftruncate(fd, 0));
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 8);
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(pread(fd, buffer, 16, 0), 9);
	CHECK_MEM(buffer, "\0\0\0\0\0\0\0\0x", 9);
}

TEST(large_offsets_work)
{
	struct stat st;
	char c;
	off_t far = 5LL << 30;
	int fd = file_with("");

	CHECK_EQ(pwrite(fd, "x", 1, far), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, far + 1);
	CHECK_EQ(pread(fd, &c, 1, far), 1);
	CHECK_EQ(c, 'x');
	CHECK_EQ(pread(fd, &c, 1, far - 1), 1);
	CHECK_EQ(c, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_END), far + 1);
}

TEST(rlimit_fsize_sends_sigxfsz_and_efbig)
{
	int fd = file_with("");

	CHECK_OK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 100, 100 }));
	signal(SIGXFSZ, SIG_IGN);
	char block[80] = "";
	CHECK_EQ(write(fd, block, 80), 80);
	CHECK_EQ(write(fd, block, 80), 20);
	CHECK_ERRNO(write(fd, block, 80), EFBIG);
	CHECK_ERRNO(ftruncate(fd, 200), EFBIG);
	pid_t pid = check_fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_DFL);
		(void)!write(fd, block, 1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGXFSZ);
}

TEST(two_opens_have_two_offsets)
{
	char c;
	int a = file_with("abc");
	int b = CHECK_OK(open("f", O_RDONLY));

	CHECK_EQ(read(a, &c, 1), 1);
	CHECK_EQ(read(b, &c, 1), 1);
	CHECK_EQ(c, 'a');
}

TEST(offset_is_shared_across_fork)
{
	char c;
	int fd = file_with("abcdef");
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 'd');
}

TEST(write_updates_mtime_and_size)
{
	struct stat before, after;
	int fd = file_with("abc");

	CHECK_OK(futimens(fd, (struct timespec[2]){ { 1000, 0 }, { 1000, 0 } }));
	CHECK_OK(fstat(fd, &before));
	CHECK_EQ(before.st_mtime, 1000);
	CHECK_EQ(pwrite(fd, "x", 1, 10), 1);
	CHECK_OK(fstat(fd, &after));
	CHECK(after.st_mtime > 1000);
	CHECK_EQ(after.st_size, 11);
	CHECK_EQ(after.st_ino, before.st_ino);
}

/* "f" or "d" as if nobody had looked for years; then whether looking at it by `look` is remembered. */
static bool
remembers(const char *name, int flags, void (*look)(int fd))
{
	struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 2000 } };
	struct stat st;
	int fd;

	CHECK_OK(utimensat(AT_FDCWD, name, old, 0));
	fd = CHECK_OK(open(name, O_RDONLY | flags));
	look(fd);
	CHECK_OK(close(fd));
	CHECK_OK(stat(name, &st));
	return st.st_atime != 1000;
}

static void
look_by_read(int fd)
{
	char byte;

	CHECK_EQ(read(fd, &byte, 1), 1);
}

static void
look_by_sendfile(int fd)
{
	int null = CHECK_OK(open("/dev/null", O_WRONLY));

	CHECK_EQ(sendfile(null, fd, NULL, 1), 1);
	CHECK_OK(close(null));
}

static void
look_by_mmap(int fd)
{
	void *at = mmap(NULL, 1, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(at != MAP_FAILED);
	CHECK_OK(munmap(at, 1));
}

static void
look_by_getdents(int fd)
{
	char entries[512];

	CHECK(syscall(SYS_getdents64, fd, entries, sizeof(entries)) > 0);
}

TEST(o_noatime_keeps_the_access_time)
{
	CHECK_OK(close(file_with("abc")));
	CHECK_OK(mkdir("d", 0700));
	for (int flags = 0; flags <= O_NOATIME; flags += O_NOATIME) {
		CHECK_EQ(remembers("f", flags, look_by_read), flags == 0);
		CHECK_EQ(remembers("f", flags, look_by_sendfile), flags == 0);
		CHECK_EQ(remembers("f", flags, look_by_mmap), flags == 0);
		CHECK_EQ(remembers("d", flags, look_by_getdents), flags == 0);
	}
}

TEST(write_by_non_owner_clears_setuid)
{
	struct stat st;

	check_write_file("f", "abc", 3);
	CHECK_OK(chmod("f", 06777));
	check_drop_root();
	int fd = CHECK_OK(open("f", O_WRONLY));
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode & 07777, 0777);
}

TEST(fallocate_reserves_and_punches)
{
	struct stat st;
	char c;
	int fd = file_with("");

	if (fallocate(fd, 0, 0, 8192) < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		SKIP("no fallocate here");
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_OK(fallocate(fd, 1 /* KEEP_SIZE */, 0, 16384));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 8192);
	CHECK_EQ(pwrite(fd, "x", 1, 100), 1);
	CHECK_OK(fallocate(fd, 3 /* PUNCH_HOLE | KEEP_SIZE */, 0, 4096));
	CHECK_EQ(pread(fd, &c, 1, 100), 1);
	CHECK_EQ(c, 0);
	CHECK_ERRNO(fallocate(fd, 0, -1, 10), EINVAL);
	CHECK_ERRNO(fallocate(fd, 0, 0, 0), EINVAL);
}

TEST(sendfile_copies_and_keeps_given_offset)
{
	char buffer[8] = "";
	int ends[2];
	off_t at = 2;
	int fd = file_with("0123456789");

	CHECK_OK(pipe(ends));
	CHECK_EQ(sendfile(ends[1], fd, &at, 4), 4);
	CHECK_EQ(at, 6);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 0);
	check_read_all(ends[0], buffer, 4);
	CHECK_STR(buffer, "2345");
	CHECK_EQ(sendfile(ends[1], fd, NULL, 3), 3);
	CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
	at = 100;
	CHECK_EQ(sendfile(ends[1], fd, &at, 4), 0);
}

TEST(copy_file_range_copies_within_file_system)
{
	char text[16];
	int from = file_with("0123456789");
	int to = CHECK_OK(open("g", O_RDWR | O_CREAT, 0600));
	off_t at = 3;
	ssize_t n = copy_file_range(from, &at, to, NULL, 4, 0);

	if (n < 0 && errno == ENOSYS)
		SKIP("no copy_file_range");
	CHECK_EQ(n, 4);
	CHECK_EQ(at, 7);
	check_read_file("g", text, sizeof(text));
	CHECK_STR(text, "3456");
	CHECK_ERRNO(copy_file_range(from, NULL, to, NULL, 4, 77), EINVAL);
}

TEST(fsync_and_relatives_succeed)
{
	int fd = file_with("abc");

	CHECK_OK(fsync(fd));
	CHECK_OK(fdatasync(fd));
	sync();
	CHECK_OK(syncfs(fd));
	int ends[2];
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(fsync(ends[0]), EINVAL);
}
