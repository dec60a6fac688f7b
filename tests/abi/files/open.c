/* SPDX-License-Identifier: MIT */
/* What open(2) does with its flags, and which fd it gives. */
#include "../check.h"

#include <sys/mount.h>
#include <sys/resource.h>

TEST(open_gives_lowest_free_fd)
{
	int a = CHECK_OK(open("/dev/null", O_RDONLY));
	int b = CHECK_OK(open("/dev/null", O_RDONLY));

	CHECK_EQ(b, a + 1);
	CHECK_OK(close(a));
	CHECK_EQ(open("/dev/null", O_RDONLY), a);
}

TEST(open_missing_is_enoent)
{
	CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
	CHECK_ERRNO(open("missing/x", O_RDONLY | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(open("", O_RDONLY), ENOENT);
}

TEST(open_bad_path_pointer_is_efault)
{
	CHECK_ERRNO(open((char *)8, O_RDONLY), EFAULT);
	CHECK_ERRNO(open(check_bad_address(), O_RDONLY), EFAULT);
	CHECK_ERRNO(open((char *)0xffff888000000000, O_RDONLY), EFAULT);
	CHECK_ERRNO(open((char *)0x8000000000000000, O_RDONLY), EFAULT);
}

TEST(open_path_that_runs_into_unmapped_page_is_efault)
{
	char *end = check_page_end();

	memset(end - 4, 'a', 4);
	CHECK_ERRNO(open(end - 4, O_RDONLY), EFAULT);
	end[-1] = '\0';
	CHECK_ERRNO(open(end - 4, O_RDONLY), ENOENT);
}

TEST(open_creat_excl_on_existing_is_eexist)
{
	CHECK_OK(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600));
	CHECK_ERRNO(open("f", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_OK(symlink("nowhere", "l"));
	CHECK_ERRNO(open("l", O_WRONLY | O_CREAT | O_EXCL, 0600), EEXIST);
	CHECK_ERRNO(access("nowhere", F_OK), ENOENT);
	CHECK_OK(mkdir("d", 0700));
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
}

TEST(open_creat_through_dangling_symlink_creates_target)
{
	CHECK_OK(symlink("target", "l"));
	CHECK_OK(open("l", O_WRONLY | O_CREAT, 0600));
	CHECK_OK(access("target", F_OK));
}

TEST(open_creat_mode_is_masked_by_umask)
{
	struct stat st;

	umask(027);
	int fd = CHECK_OK(open("f", O_WRONLY | O_CREAT, 0666));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 0640);
	umask(0);
	fd = CHECK_OK(open("g", O_WRONLY | O_CREAT, 04711));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_mode, S_IFREG | 04711);
}

TEST(open_creat_without_write_permission_bits_still_writes)
{
	int fd = CHECK_OK(open("f", O_WRONLY | O_CREAT, 0));

	CHECK_EQ(write(fd, "x", 1), 1);
}

TEST(open_trunc_empties_file)
{
	struct stat st;

	check_write_file("f", "hello", 5);
	int fd = CHECK_OK(open("f", O_WRONLY | O_TRUNC));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
}

TEST(open_trunc_needs_write_permission)
{
	check_write_file("f", "hello", 5);
	CHECK_OK(chmod("f", 0444));
	check_drop_root();
	CHECK_ERRNO(open("f", O_RDONLY | O_TRUNC), EACCES);
	struct stat st;
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_size, 5);
}

TEST(open_permission_denied_is_eacces)
{
	check_write_file("f", "hello", 5);
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(mkdir("d", 0700));
	check_write_file("d/f", "x", 1);
	CHECK_OK(chmod("d/f", 0666));
	check_drop_root();
	CHECK_ERRNO(open("f", O_RDONLY), EACCES);
	CHECK_ERRNO(open("d/f", O_RDONLY), EACCES);
	CHECK_ERRNO(open("d/missing", O_RDONLY), EACCES);
	CHECK_ERRNO(open("d/new", O_RDWR | O_CREAT, 0600), EACCES);
}

TEST(open_root_ignores_mode_bits)
{
	check_write_file("f", "hello", 5);
	CHECK_OK(chmod("f", 0));
	CHECK_OK(open("f", O_RDWR));
}

TEST(open_directory_for_writing_is_eisdir)
{
	CHECK_OK(mkdir("d", 0700));
	CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
	CHECK_ERRNO(open("d", O_RDWR), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_CREAT, 0600), EISDIR);
	CHECK_ERRNO(open("d", O_RDONLY | O_TRUNC), EISDIR);
	int fd = CHECK_OK(open("d", O_RDONLY));
	char c;
	CHECK_ERRNO(read(fd, &c, 1), EISDIR);
	CHECK_ERRNO(write(fd, &c, 1), EBADF);
}

TEST(open_o_directory_on_file_is_enotdir)
{
	check_write_file("f", "", 0);
	CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(symlink("f", "l"));
	CHECK_ERRNO(open("l", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_OK(symlink(".", "ld"));
	CHECK_OK(open("ld", O_RDONLY | O_DIRECTORY));
}

TEST(open_o_nofollow_on_symlink_is_eloop)
{
	check_write_file("f", "", 0);
	CHECK_OK(symlink("f", "l"));
	CHECK_ERRNO(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECK_OK(mkdir("d", 0700));
	check_write_file("d/f", "", 0);
	CHECK_OK(symlink("d", "ld"));
	CHECK_OK(open("ld/f", O_RDONLY | O_NOFOLLOW));
	CHECK_ERRNO(open("ld", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);
}

TEST(open_o_path_gives_only_a_location)
{
	char c;
	struct stat st;

	check_write_file("f", "x", 1);
	CHECK_OK(chmod("f", 0));
	int fd = CHECK_OK(open("f", O_PATH));
	CHECK_ERRNO(read(fd, &c, 1), EBADF);
	CHECK_ERRNO(write(fd, &c, 1), EBADF);
	CHECK_ERRNO(lseek(fd, 0, SEEK_SET), EBADF);
	CHECK_ERRNO(fchmod(fd, 0600), EBADF);
	CHECK_ERRNO(ftruncate(fd, 0), EBADF);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 1);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
	CHECK_OK(dup(fd));
}

TEST(open_o_path_nofollow_opens_the_symlink)
{
	struct stat st;
	char target[16] = "";

	CHECK_OK(symlink("nowhere", "l"));
	int fd = CHECK_OK(open("l", O_PATH | O_NOFOLLOW));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(fd, "", target, sizeof(target)), 7);
	CHECK_STR(target, "nowhere");
}

TEST(open_o_path_needs_no_permission_on_the_file)
{
	check_write_file("f", "x", 1);
	CHECK_OK(chmod("f", 0));
	check_drop_root();
	CHECK_OK(open("f", O_PATH));
	CHECK_ERRNO(open("f", O_RDONLY), EACCES);
}

TEST(open_o_tmpfile_has_no_name)
{
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0 && errno == EOPNOTSUPP)
		SKIP("the file system has no O_TMPFILE");
	CHECK(fd >= 0);
	check_write_all(fd, "hello", 5);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 5);
	CHECK_OK(linkat(fd, "", AT_FDCWD, "named", AT_EMPTY_PATH));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 1);
	char text[8];
	check_read_file("named", text, sizeof(text));
	CHECK_STR(text, "hello");
}

TEST(open_o_tmpfile_errors)
{
	check_write_file("f", "", 0);
	CHECK_ERRNO(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
	CHECK_ERRNO(open("f", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
	CHECK_ERRNO(open("missing", O_TMPFILE | O_RDWR, 0600), ENOENT);
}

TEST(open_access_mode_is_enforced_on_the_fd)
{
	char c = 'x';

	check_write_file("f", "abc", 3);
	int r = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(write(r, &c, 1), EBADF);
	CHECK_ERRNO(ftruncate(r, 0), EINVAL);
	int w = CHECK_OK(open("f", O_WRONLY));
	CHECK_ERRNO(read(w, &c, 1), EBADF);
	CHECK_ERRNO(pread(w, &c, 1, 0), EBADF);
}

TEST(open_fd_outlives_chmod_and_unlink)
{
	char text[8] = "";

	check_write_file("f", "hello", 5);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(chmod("f", 0));
	CHECK_OK(unlink("f"));
	CHECK_EQ(read(fd, text, 8), 5);
	CHECK_EQ(write(fd, "!", 1), 1);
	struct stat st;
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_size, 6);
}

TEST(open_rlimit_nofile_is_emfile)
{
	struct rlimit limit = { 20, 20 };
	int fd, last = -1;

	CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
	while ((fd = open("/dev/null", O_RDONLY)) >= 0)
		last = fd;
	CHECK_EQ(errno, EMFILE);
	CHECK_EQ(last, 19);
	int ends[2];
	CHECK_ERRNO(pipe(ends), EMFILE);
	CHECK_ERRNO(dup(0), EMFILE);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 20), EINVAL);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 0), EMFILE);
	CHECK_ERRNO(dup2(0, 20), EBADF);
	CHECK_OK(close(19));
	CHECK_ERRNO(pipe(ends), EMFILE);
	CHECK_EQ(dup(0), 19);
}

TEST(open_text_busy_for_running_program)
{
	char self[PATH_MAX];
	ssize_t n = CHECK_OK(readlink("/proc/self/exe", self, sizeof(self) - 1));

	self[n] = '\0';
	CHECK_ERRNO(open(self, O_WRONLY), ETXTBSY);
	CHECK_ERRNO(truncate(self, 0), ETXTBSY);
}

TEST(open_creat_in_unwritable_directory_is_eacces)
{
	CHECK_OK(mkdir("d", 0555));
	check_write_file("d/f", "x", 1);
	CHECK_OK(chmod("d/f", 0666));
	check_drop_root();
	CHECK_ERRNO(open("d/new", O_WRONLY | O_CREAT, 0600), EACCES);
	CHECK_OK(open("d/f", O_WRONLY | O_CREAT, 0600));
}

TEST(open_trailing_slash_wants_directory)
{
	check_write_file("f", "", 0);
	CHECK_ERRNO(open("f/", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(open("new/", O_RDWR | O_CREAT, 0600), EISDIR);
	CHECK_ERRNO(open("missing/", O_RDONLY), ENOENT);
}

TEST(creat_is_write_only_and_truncates)
{
	char c;
	struct stat st;

	check_write_file("f", "hello", 5);
	int fd = CHECK_OK(creat("f", 0600));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 0);
	CHECK_ERRNO(read(fd, &c, 1), EBADF);
	CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
}

TEST(openat2_refuses_unknown_flags_and_resolves)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };

	check_write_file("f", "", 0);
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how));
	if (fd < 0 && errno == ENOSYS)
		SKIP("no openat2");
	CHECK(fd >= 0);
	how.flags = 1ULL << 40;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)), EINVAL);
	how.flags = O_RDONLY;
	how.mode = 0600;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)), EINVAL);
	how.mode = 0;
	how.resolve = 1ULL << 40;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, sizeof(how)), EINVAL);
	how.resolve = 0;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "f", &how, 8), EINVAL);
	how.resolve = 0x08 /* RESOLVE_BENEATH */;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "../x", &how, sizeof(how)), EXDEV);
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how)), EXDEV);
	CHECK_OK(symlink("f", "l"));
	how.resolve = 0x04 /* RESOLVE_NO_SYMLINKS */;
	CHECK_ERRNO(syscall(SYS_openat2, AT_FDCWD, "l", &how, sizeof(how)), ELOOP);
}

TEST(open_character_device_and_missing_driver)
{
	/* /tmp may be mounted nodev. */
	CHECK_OK(mkdir("m", 0700));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(mknod("m/none", S_IFCHR | 0600, 250 << 8 | 250));
	CHECK_ERRNO(open("m/none", O_RDONLY), ENXIO);
	CHECK_OK(mknod("m/null", S_IFCHR | 0600, 1 << 8 | 3));
	int fd = CHECK_OK(open("m/null", O_RDWR));
	char c;
	CHECK_EQ(write(fd, "x", 1), 1);
	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_OK(close(fd));
	CHECK_OK(mount("none", "m", "tmpfs", MS_REMOUNT | MS_NODEV, NULL));
	CHECK_ERRNO(open("m/null", O_RDWR), EACCES);
	CHECK_OK(umount("m"));
}
