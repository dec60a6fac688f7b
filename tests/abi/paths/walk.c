/* SPDX-License-Identifier: MIT */
/* How a path is followed: links, dots, slashes, lengths, working and root directories. */
#include "../check.h"

static void
make_chain(int links)
{
	char from[16], to[16];

	check_write_file("c0", "end", 3);
	for (int i = 1; i <= links; i++) {
		snprintf(from, sizeof(from), "c%d", i - 1);
		snprintf(to, sizeof(to), "c%d", i);
		CHECK_OK(symlink(from, to));
	}
}

TEST(symlink_loop_is_eloop)
{
	struct stat st;

	CHECK_OK(symlink("b", "a"));
	CHECK_OK(symlink("a", "b"));
	CHECK_ERRNO(open("a", O_RDONLY), ELOOP);
	CHECK_ERRNO(stat("a", &st), ELOOP);
	CHECK_OK(lstat("a", &st));
	CHECK_ERRNO(open("a/x", O_RDONLY), ELOOP);
	CHECK_ERRNO(open("a", O_WRONLY | O_CREAT, 0600), ELOOP);
}

TEST(forty_symlinks_are_followed_and_no_more)
{
	make_chain(41);
	CHECK_OK(open("c40", O_RDONLY));
	CHECK_ERRNO(open("c41", O_RDONLY), ELOOP);
}

TEST(component_longer_than_name_max_is_enametoolong)
{
	char name[258];
	struct stat st;

	memset(name, 'n', 257);
	name[255] = '\0';
	check_write_file(name, "", 0);
	CHECK_OK(stat(name, &st));
	name[255] = 'n';
	name[256] = '\0';
	CHECK_ERRNO(stat(name, &st), ENAMETOOLONG);
	CHECK_ERRNO(mkdir(name, 0700), ENAMETOOLONG);
	CHECK_ERRNO(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
	CHECK_ERRNO(rename("x", name), ENOENT);
	check_write_file("x", "", 0);
	CHECK_ERRNO(rename("x", name), ENAMETOOLONG);
	CHECK_ERRNO(symlink("x", name), ENAMETOOLONG);
}

TEST(path_of_path_max_is_enametoolong)
{
	char path[PATH_MAX + 1];
	struct stat st;

	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(path + i, "./", 2);
	path[PATH_MAX - 1] = '\0';
	CHECK_OK(stat(path, &st));
	path[PATH_MAX - 1] = '/';
	path[PATH_MAX] = '\0';
	CHECK_ERRNO(stat(path, &st), ENAMETOOLONG);
	CHECK_ERRNO(symlink(path, "l"), ENAMETOOLONG);
}

TEST(empty_path_is_enoent)
{
	struct stat st;

	CHECK_ERRNO(stat("", &st), ENOENT);
	CHECK_ERRNO(mkdir("", 0700), ENOENT);
	CHECK_ERRNO(rmdir(""), ENOENT);
	CHECK_ERRNO(unlink(""), ENOENT);
	CHECK_ERRNO(chdir(""), ENOENT);
	CHECK_ERRNO(access("", F_OK), ENOENT);
	CHECK_ERRNO(symlink("", "l"), ENOENT);
	CHECK_ERRNO(symlink("x", ""), ENOENT);
	CHECK_ERRNO(rename("", "x"), ENOENT);
	CHECK_ERRNO(chmod("", 0600), ENOENT);
	CHECK_ERRNO(truncate("", 0), ENOENT);
}

TEST(bad_path_pointer_is_efault_everywhere)
{
	char *bad = check_bad_address();
	struct stat st;

	CHECK_ERRNO(stat(bad, &st), EFAULT);
	CHECK_ERRNO(stat(".", (struct stat *)bad), EFAULT);
	CHECK_ERRNO(mkdir(bad, 0700), EFAULT);
	CHECK_ERRNO(rmdir(bad), EFAULT);
	CHECK_ERRNO(unlink(bad), EFAULT);
	CHECK_ERRNO(chdir(bad), EFAULT);
	CHECK_ERRNO(access(bad, F_OK), EFAULT);
	CHECK_ERRNO(link(bad, "x"), EFAULT);
	CHECK_ERRNO(symlink(bad, "x"), EFAULT);
	CHECK_ERRNO(symlink("x", bad), EFAULT);
	CHECK_ERRNO(rename(bad, "x"), EFAULT);
	CHECK_ERRNO(chmod(bad, 0600), EFAULT);
	CHECK_ERRNO(chown(bad, 0, 0), EFAULT);
	CHECK_ERRNO(readlink(bad, (char[10]){ 0 }, 10), EFAULT);
	CHECK_ERRNO(mknod(bad, S_IFIFO | 0600, 0), EFAULT);
	CHECK_ERRNO(syscall(SYS_getcwd, bad, 4096), EFAULT);
	CHECK_ERRNO(syscall(SYS_getdents64, open(".", O_RDONLY), bad, 4096), EFAULT);
}

TEST(file_in_the_middle_is_enotdir)
{
	struct stat st;

	check_write_file("f", "", 0);
	CHECK_ERRNO(stat("f/x", &st), ENOTDIR);
	CHECK_ERRNO(stat("f/", &st), ENOTDIR);
	CHECK_ERRNO(stat("f/.", &st), ENOTDIR);
	CHECK_ERRNO(stat("f/..", &st), ENOTDIR);
	CHECK_ERRNO(mkdir("f/d", 0700), ENOTDIR);
	CHECK_ERRNO(unlink("f/x"), ENOTDIR);
	CHECK_ERRNO(chdir("f"), ENOTDIR);
	CHECK_ERRNO(open("f/x", O_RDWR | O_CREAT, 0600), ENOTDIR);
}

TEST(dots_and_repeated_slashes)
{
	struct stat a, b;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("d/e", 0700));
	CHECK_OK(stat("d", &a));
	CHECK_OK(stat("d/e/..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat(".//d///e/.././//", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("/", &a));
	CHECK_OK(stat("/..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(stat("/../../..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERRNO(stat("missing/..", &b), ENOENT);
}

TEST(dotdot_goes_to_the_parent_of_the_link_target)
{
	struct stat a, b;

	CHECK_OK(mkdir("x", 0700));
	CHECK_OK(mkdir("x/y", 0700));
	CHECK_OK(symlink("x/y", "l"));
	CHECK_OK(stat("x", &a));
	CHECK_OK(stat("l/..", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
}

TEST(relative_and_absolute_symlinks)
{
	char cwd[PATH_MAX], path[PATH_MAX + 10], text[8];

	CHECK_OK(mkdir("d", 0700));
	check_write_file("d/f", "inner", 5);
	check_write_file("f", "outer", 5);
	CHECK_OK(symlink("f", "d/rel"));
	check_read_file("d/rel", text, sizeof(text));
	CHECK_STR(text, "inner");
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(path, sizeof(path), "%s/f", cwd);
	CHECK_OK(symlink(path, "d/abs"));
	check_read_file("d/abs", text, sizeof(text));
	CHECK_STR(text, "outer");
	CHECK_OK(symlink("../f", "d/up"));
	check_read_file("d/up", text, sizeof(text));
	CHECK_STR(text, "outer");
}

TEST(lstat_and_trailing_slash_on_symlink)
{
	struct stat st;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(symlink("d", "l"));
	CHECK_OK(lstat("l", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(st.st_size, 1);
	CHECK_OK(lstat("l/", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_OK(lstat("l/.", &st));
	CHECK(S_ISDIR(st.st_mode));
}

TEST(readlink_truncates_and_adds_no_nul)
{
	char buffer[8] = "#######";

	CHECK_OK(symlink("abcdef", "l"));
	CHECK_EQ(readlink("l", buffer, 3), 3);
	CHECK_STR(buffer, "abc####");
	CHECK_ERRNO(readlink("l", buffer, 0), EINVAL);
	CHECK_ERRNO(readlink(".", buffer, 8), EINVAL);
	check_write_file("f", "", 0);
	CHECK_ERRNO(readlink("f", buffer, 8), EINVAL);
	CHECK_ERRNO(readlink("missing", buffer, 8), ENOENT);
	CHECK_ERRNO(readlink("l", check_bad_address(), 3), EFAULT);
}

TEST(at_calls_resolve_from_the_directory_fd)
{
	struct stat st;
	char text[8] = "";

	CHECK_OK(mkdir("d", 0700));
	int d = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	int fd = CHECK_OK(openat(d, "f", O_RDWR | O_CREAT, 0600));
	check_write_all(fd, "hello", 5);
	CHECK_OK(mkdirat(d, "sub", 0700));
	CHECK_OK(symlinkat("f", d, "l"));
	CHECK_OK(fstatat(d, "l", &st, 0));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(fstatat(d, "l", &st, AT_SYMLINK_NOFOLLOW));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_EQ(readlinkat(d, "l", text, 8), 1);
	CHECK_OK(linkat(d, "f", AT_FDCWD, "outside", 0));
	CHECK_OK(renameat(d, "f", d, "g"));
	CHECK_OK(access("d/g", F_OK));
	CHECK_OK(unlinkat(d, "g", 0));
	CHECK_OK(unlinkat(d, "sub", AT_REMOVEDIR));
	CHECK_OK(faccessat(AT_FDCWD, "outside", R_OK, 0));
	CHECK_OK(mknodat(d, "fifo", S_IFIFO | 0600, 0));
	CHECK_OK(fchmodat(d, "fifo", 0640, 0));
	CHECK_OK(fstatat(d, "fifo", &st, 0));
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
}

TEST(at_calls_with_bad_directory_fd)
{
	struct stat st;

	check_write_file("f", "", 0);
	int f = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(openat(f, "x", O_RDONLY), ENOTDIR);
	CHECK_ERRNO(openat(200, "x", O_RDONLY), EBADF);
	CHECK_ERRNO(fstatat(200, "x", &st, 0), EBADF);
	CHECK_ERRNO(mkdirat(f, "x", 0700), ENOTDIR);
	CHECK_ERRNO(unlinkat(f, "x", 0), ENOTDIR);
	CHECK_OK(openat(f, "/", O_RDONLY));
	CHECK_OK(fstatat(200, "/", &st, 0));
	CHECK_ERRNO(fstatat(AT_FDCWD, "f", &st, 0x40000000), EINVAL);
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", 0x40000000), EINVAL);
}

TEST(fstatat_empty_path_is_the_fd_itself)
{
	struct stat a, b;

	check_write_file("f", "abc", 3);
	int f = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(fstatat(f, "", &a, AT_EMPTY_PATH));
	CHECK_OK(fstat(f, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERRNO(fstatat(f, "", &a, 0), ENOENT);
	CHECK_OK(fstatat(AT_FDCWD, "", &a, AT_EMPTY_PATH));
	CHECK(S_ISDIR(a.st_mode));
}

TEST(search_permission_is_needed_on_each_directory)
{
	struct stat st;

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	check_write_file("d/e/f", "", 0);
	CHECK_OK(chmod("d", 0666));
	int d = CHECK_OK(open("d/e", O_RDONLY));
	check_drop_root();
	CHECK_ERRNO(stat("d/e/f", &st), EACCES);
	CHECK_ERRNO(stat("d/e", &st), EACCES);
	CHECK_ERRNO(chdir("d"), EACCES);
	CHECK_OK(stat("d", &st));
	CHECK_OK(fstatat(d, "f", &st, 0));
	CHECK_ERRNO(fstatat(d, "../e/f", &st, 0), EACCES);
}

TEST(chdir_fchdir_and_getcwd)
{
	char start[PATH_MAX], now[PATH_MAX], want[PATH_MAX + 8];

	CHECK(getcwd(start, sizeof(start)));
	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(mkdir("a/b", 0700));
	int fd = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
	CHECK_OK(chdir("a/b"));
	CHECK(getcwd(now, sizeof(now)));
	snprintf(want, sizeof(want), "%s/a/b", start);
	CHECK_STR(now, want);
	CHECK_OK(chdir(".."));
	CHECK(getcwd(now, sizeof(now)));
	snprintf(want, sizeof(want), "%s/a", start);
	CHECK_STR(now, want);
	CHECK_OK(fchdir(fd));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, start);
	CHECK_ERRNO(fchdir(200), EBADF);
	check_write_file("f", "", 0);
	CHECK_ERRNO(fchdir(open("f", O_RDONLY)), ENOTDIR);
	CHECK_ERRNO(chdir("missing"), ENOENT);
	CHECK_OK(chdir("/"));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/");
}

TEST(getcwd_small_buffer_is_erange)
{
	char path[PATH_MAX];

	long size = CHECK_OK(syscall(SYS_getcwd, path, sizeof(path)));
	CHECK_EQ(size, strlen(path) + 1);
	CHECK_ERRNO(syscall(SYS_getcwd, path, size - 1), ERANGE);
	CHECK_EQ(syscall(SYS_getcwd, path, size), size);
}

TEST(getcwd_follows_rename_and_notices_removal)
{
	char now[PATH_MAX];

	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(chdir("a"));
	CHECK_OK(rename("../a", "../b"));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(strrchr(now, '/'), "/b");
	CHECK_OK(rmdir("../b"));
	CHECK_EQ(getcwd(now, sizeof(now)) == NULL, 1);
	CHECK_EQ(errno, ENOENT);
	CHECK_ERRNO(open("new", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(mkdir("new", 0700), ENOENT);
	CHECK_OK(open(".", O_RDONLY));
	CHECK_OK(chdir("/"));
}

TEST(working_directory_is_inherited_by_fork_not_shared)
{
	char before[PATH_MAX], after[PATH_MAX];

	CHECK(getcwd(before, sizeof(before)));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK(getcwd(after, sizeof(after)));
		CHECK_STR(after, before);
		CHECK_OK(chdir("/"));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK(getcwd(after, sizeof(after)));
	CHECK_STR(after, before);
}

TEST(chroot_confines_absolute_paths_and_dotdot)
{
	struct stat inside, got;
	char now[PATH_MAX];

	CHECK_OK(mkdir("jail", 0755));
	CHECK_OK(mkdir("jail/in", 0755));
	CHECK_OK(symlink("/in", "jail/l"));
	check_write_file("outside", "", 0);
	CHECK_OK(stat("jail/in", &inside));
	CHECK_OK(chroot("jail"));
	CHECK_OK(chdir("/"));
	CHECK(getcwd(now, sizeof(now)));
	CHECK_STR(now, "/");
	CHECK_OK(stat("/in", &got));
	CHECK_EQ(got.st_ino, inside.st_ino);
	CHECK_OK(stat("l", &got));
	CHECK_EQ(got.st_ino, inside.st_ino);
	CHECK_ERRNO(stat("../outside", &got), ENOENT);
	CHECK_ERRNO(stat("/proc", &got), ENOENT);
}

TEST(chroot_errors)
{
	check_write_file("f", "", 0);
	CHECK_ERRNO(chroot("f"), ENOTDIR);
	CHECK_ERRNO(chroot("missing"), ENOENT);
	check_drop_root();
	CHECK_ERRNO(chroot("."), EPERM);
}

TEST(access_uses_real_ids)
{
	check_write_file("f", "", 0);
	CHECK_OK(chmod("f", 0600));
	CHECK_OK(setresuid(CHECK_NOBODY, 0, 0));
	CHECK_ERRNO(access("f", R_OK), EACCES);
	CHECK_OK(access("f", F_OK));
	CHECK_OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	CHECK_OK(open("f", O_RDONLY));
}

TEST(access_modes_and_errors)
{
	check_write_file("f", "", 0);
	CHECK_OK(chmod("f", 0640));
	CHECK_OK(access("f", R_OK | W_OK));
	CHECK_ERRNO(access("f", X_OK), EACCES);
	CHECK_ERRNO(access("f", 8), EINVAL);
	CHECK_ERRNO(access("missing", F_OK), ENOENT);
	CHECK_OK(chmod("f", 0010));
	CHECK_OK(access("f", X_OK));
	CHECK_ERRNO(syscall(439, AT_FDCWD, "f", R_OK, 0x40000000), EINVAL);
}

TEST(path_through_removed_directory_fd)
{
	struct stat st;

	CHECK_OK(mkdir("d", 0700));
	int d = CHECK_OK(open("d", O_RDONLY));
	CHECK_OK(rmdir("d"));
	CHECK_ERRNO(openat(d, "x", O_RDWR | O_CREAT, 0600), ENOENT);
	CHECK_ERRNO(fstatat(d, "x", &st, 0), ENOENT);
	CHECK_OK(fstatat(d, ".", &st, 0));
	CHECK_EQ(st.st_nlink, 0);
}
