/* SPDX-License-Identifier: MIT */
/* Making, removing, linking and renaming names; reading directories. */
#include "../check.h"

#include <dirent.h>

struct entry64 {
	uint64_t       ino;
	int64_t        off;
	unsigned short reclen;
	unsigned char  type;
	char           name[];
};

static int
count_entries(const char *path)
{
	int count = 0;
	DIR *dir = opendir(path);

	CHECK(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static nlink_t
links_of(const char *path)
{
	struct stat st;

	CHECK_OK(lstat(path, &st));
	return st.st_nlink;
}

TEST(mkdir_mode_umask_and_errors)
{
	struct stat st;

	umask(022);
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(stat("d", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	CHECK_OK(mkdir("t", 01777));
	CHECK_OK(stat("t", &st));
	CHECK_EQ(st.st_mode, S_IFDIR | 01755);
	CHECK_ERRNO(mkdir("d", 0700), EEXIST);
	CHECK_ERRNO(mkdir("d/", 0700), EEXIST);
	CHECK_ERRNO(mkdir("x/y", 0700), ENOENT);
	CHECK_ERRNO(mkdir("/", 0700), EEXIST);
	CHECK_ERRNO(mkdir(".", 0700), EEXIST);
	CHECK_OK(symlink("nowhere", "l"));
	CHECK_ERRNO(mkdir("l", 0700), EEXIST);
	CHECK_OK(mkdir("slash/", 0700));
}

TEST(mkdir_in_setgid_directory_inherits_group)
{
	struct stat st;

	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chown("d", 0, 1234));
	CHECK_OK(chmod("d", 02777));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(stat("d/e", &st));
	CHECK_EQ(st.st_gid, 1234);
	CHECK_EQ(st.st_mode & S_ISGID, S_ISGID);
	check_write_file("d/f", "", 0);
	CHECK_OK(stat("d/f", &st));
	CHECK_EQ(st.st_gid, 1234);
	CHECK_EQ(st.st_mode & S_ISGID, 0);
}

TEST(directory_link_counts)
{
	CHECK_OK(mkdir("d", 0700));
	CHECK_EQ(links_of("d"), 2);
	CHECK_OK(mkdir("d/a", 0700));
	CHECK_OK(mkdir("d/b", 0700));
	CHECK_EQ(links_of("d"), 4);
	check_write_file("d/f", "", 0);
	CHECK_EQ(links_of("d"), 4);
	CHECK_OK(mkdir("e", 0700));
	CHECK_OK(rename("d/a", "e/a"));
	CHECK_EQ(links_of("d"), 3);
	CHECK_EQ(links_of("e"), 3);
	CHECK_OK(rmdir("d/b"));
	CHECK_EQ(links_of("d"), 2);
}

TEST(rmdir_rules)
{
	CHECK_OK(mkdir("d", 0700));
	check_write_file("d/f", "", 0);
	CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
	CHECK_ERRNO(rmdir("d/f"), ENOTDIR);
	CHECK_OK(unlink("d/f"));
	CHECK_ERRNO(rmdir("d/."), EINVAL);
	CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
	CHECK_ERRNO(rmdir("missing"), ENOENT);
	CHECK_OK(symlink("d", "l"));
	CHECK_ERRNO(rmdir("l"), ENOTDIR);
	CHECK_OK(rmdir("d/"));
	CHECK_ERRNO(rmdir("/"), EBUSY);
}

TEST(unlink_rules)
{
	CHECK_OK(mkdir("d", 0700));
	CHECK_ERRNO(unlink("d"), EISDIR);
	CHECK_ERRNO(unlink("missing"), ENOENT);
	check_write_file("f", "", 0);
	CHECK_ERRNO(unlink("f/"), ENOTDIR);
	CHECK_OK(symlink("f", "l"));
	CHECK_OK(unlink("l"));
	CHECK_OK(access("f", F_OK));
	CHECK_ERRNO(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
	CHECK_ERRNO(unlinkat(AT_FDCWD, "d", 0), EISDIR);
	CHECK_ERRNO(unlink("."), EISDIR);
}

TEST(link_makes_a_second_name)
{
	struct stat a, b;
	char text[8];

	check_write_file("a", "hello", 5);
	CHECK_OK(link("a", "b"));
	CHECK_OK(stat("a", &a));
	CHECK_OK(stat("b", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_OK(unlink("a"));
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "hello");
	CHECK_EQ(links_of("b"), 1);
}

TEST(link_rules)
{
	struct stat st;

	check_write_file("a", "", 0);
	CHECK_OK(mkdir("d", 0700));
	CHECK_ERRNO(link("d", "x"), EPERM);
	CHECK_ERRNO(link("a", "d"), EEXIST);
	CHECK_ERRNO(link("missing", "x"), ENOENT);
	CHECK_ERRNO(link("a", "x/y"), ENOENT);
	CHECK_ERRNO(link("a", "a"), EEXIST);
	CHECK_OK(symlink("a", "l"));
	CHECK_OK(link("l", "l2"));
	CHECK_OK(lstat("l2", &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_OK(linkat(AT_FDCWD, "l", AT_FDCWD, "f", AT_SYMLINK_FOLLOW));
	CHECK_OK(lstat("f", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERRNO(linkat(AT_FDCWD, "a", AT_FDCWD, "z", 0x40000000), EINVAL);
}

TEST(rename_replaces_atomically)
{
	char text[8];

	check_write_file("a", "new", 3);
	check_write_file("b", "old", 3);
	int old = CHECK_OK(open("b", O_RDONLY));
	CHECK_OK(rename("a", "b"));
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "new");
	CHECK_ERRNO(access("a", F_OK), ENOENT);
	CHECK_EQ(read(old, text, 3), 3);
	CHECK_MEM(text, "old", 3);
}

TEST(rename_rules_of_kinds)
{
	check_write_file("f", "", 0);
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("e", 0700));
	CHECK_OK(mkdir("full", 0700));
	check_write_file("full/x", "", 0);
	CHECK_ERRNO(rename("f", "d"), EISDIR);
	CHECK_ERRNO(rename("d", "f"), ENOTDIR);
	CHECK_ERRNO(rename("d", "full"), ENOTEMPTY);
	CHECK_ERRNO(rename("missing", "x"), ENOENT);
	CHECK_ERRNO(rename("f", "x/y"), ENOENT);
	CHECK_ERRNO(rename("f", "g/"), ENOTDIR);
	CHECK_OK(rename("d", "g/"));
	CHECK_OK(rename("g", "e"));
	CHECK_ERRNO(access("g", F_OK), ENOENT);
}

TEST(rename_directory_into_itself_is_einval)
{
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(mkdir("d/e", 0700));
	CHECK_ERRNO(rename("d", "d/x"), EINVAL);
	CHECK_ERRNO(rename("d", "d/e/x"), EINVAL);
	CHECK_ERRNO(rename("d/e", "d"), ENOTEMPTY);
	CHECK_OK(rename("d", "d"));
}

TEST(rename_of_dot_is_refused)
{
	CHECK_OK(mkdir("d", 0700));
	CHECK_ERRNO(rename(".", "x"), EBUSY);
	CHECK_ERRNO(rename("d/..", "x"), EBUSY);
	CHECK_ERRNO(rename("d", "."), EBUSY);
}

TEST(rename_two_names_of_one_file_does_nothing)
{
	check_write_file("a", "", 0);
	CHECK_OK(link("a", "b"));
	CHECK_OK(rename("a", "b"));
	CHECK_OK(access("a", F_OK));
	CHECK_OK(access("b", F_OK));
}

TEST(rename_moves_the_symlink_itself)
{
	struct stat st;

	CHECK_OK(symlink("nowhere", "l"));
	CHECK_OK(rename("l", "m"));
	CHECK_OK(lstat("m", &st));
	CHECK(S_ISLNK(st.st_mode));
	check_write_file("f", "", 0);
	CHECK_OK(rename("f", "m"));
	CHECK_OK(lstat("m", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_ERRNO(access("nowhere", F_OK), ENOENT);
}

TEST(rename_across_mounts_is_exdev)
{
	check_write_file("f", "", 0);
	CHECK_ERRNO(rename("f", "/proc/f"), EXDEV);
}

TEST(rename_noreplace_and_exchange)
{
	char text[8];

	check_write_file("a", "A", 1);
	check_write_file("b", "B", 1);
	if (renameat2(AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE) < 0 && errno == ENOSYS)
		SKIP("no renameat2");
	CHECK_OK(access("c", F_OK));
	CHECK_ERRNO(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_NOREPLACE), EEXIST);
	CHECK_OK(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", RENAME_EXCHANGE));
	check_read_file("c", text, sizeof(text));
	CHECK_STR(text, "B");
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "A");
	CHECK_ERRNO(renameat2(AT_FDCWD, "c", AT_FDCWD, "x", RENAME_EXCHANGE), ENOENT);
	CHECK_ERRNO(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE | RENAME_NOREPLACE),
		    EINVAL);
	CHECK_ERRNO(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", 0x80), EINVAL);
}

TEST(rename_exchange_file_and_directory)
{
	struct stat st;

	check_write_file("f", "", 0);
	CHECK_OK(mkdir("p", 0700));
	CHECK_OK(mkdir("p/d", 0700));
	CHECK_OK(renameat2(AT_FDCWD, "f", AT_FDCWD, "p/d", RENAME_EXCHANGE));
	CHECK_OK(stat("f", &st));
	CHECK(S_ISDIR(st.st_mode));
	CHECK_EQ(links_of("p"), 2);
	struct stat up;
	CHECK_OK(stat("f/..", &up));
	CHECK_OK(stat(".", &st));
	CHECK_EQ(up.st_ino, st.st_ino);
}

TEST(moved_directory_has_a_new_dotdot)
{
	struct stat a, b;

	CHECK_OK(mkdir("a", 0700));
	CHECK_OK(mkdir("b", 0700));
	CHECK_OK(mkdir("a/d", 0700));
	int d = CHECK_OK(open("a/d", O_RDONLY));
	CHECK_OK(rename("a/d", "b/d"));
	CHECK_OK(fstatat(d, "..", &a, 0));
	CHECK_OK(stat("b", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
}

TEST(sticky_directory_protects_other_peoples_files)
{
	CHECK_OK(mkdir("s", 0777));
	CHECK_OK(chmod("s", 01777));
	check_write_file("s/root", "", 0);
	check_write_file("s/mine", "", 0);
	CHECK_OK(chown("s/mine", CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(mkdir("open", 0777));
	CHECK_OK(chmod("open", 0777));
	check_write_file("open/root", "", 0);
	check_drop_root();
	CHECK_ERRNO(unlink("s/root"), EPERM);
	CHECK_ERRNO(rename("s/root", "s/x"), EPERM);
	CHECK_ERRNO(rename("s/mine", "s/root"), EPERM);
	CHECK_OK(unlink("s/mine"));
	CHECK_OK(unlink("open/root"));
}

TEST(names_in_unwritable_directory_are_fixed)
{
	CHECK_OK(mkdir("d", 0755));
	check_write_file("d/f", "", 0);
	CHECK_OK(chmod("d/f", 0666));
	check_drop_root();
	CHECK_ERRNO(unlink("d/f"), EACCES);
	CHECK_ERRNO(rename("d/f", "d/g"), EACCES);
	CHECK_ERRNO(mkdir("d/x", 0700), EACCES);
	CHECK_ERRNO(symlink("x", "d/l"), EACCES);
	CHECK_ERRNO(link("d/f", "d/h"), EACCES);
	CHECK_ERRNO(mkdir("d/f", 0700), EEXIST);
}

TEST(mknod_kinds)
{
	struct stat st;

	CHECK_OK(mknod("fifo", S_IFIFO | 0640, 0));
	CHECK_OK(stat("fifo", &st));
	CHECK_EQ(st.st_mode, S_IFIFO | 0640);
	CHECK_OK(mknod("plain", S_IFREG | 0600, 0));
	CHECK_OK(stat("plain", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(mknod("none", 0600, 0));
	CHECK_OK(stat("none", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_OK(mknod("dev", S_IFCHR | 0600, 1 << 8 | 5));
	CHECK_OK(stat("dev", &st));
	CHECK_EQ(st.st_rdev, 1 << 8 | 5);
	CHECK_ERRNO(mknod("fifo", S_IFIFO | 0600, 0), EEXIST);
	CHECK_ERRNO(mknod("dir", S_IFDIR | 0700, 0), EPERM);
	CHECK_ERRNO(mknod("what", 0170000 | 0600, 0), EINVAL);
	check_drop_root();
	CHECK_ERRNO(mknod("dev2", S_IFCHR | 0600, 1 << 8 | 3), EPERM);
	CHECK_OK(mknod("fifo2", S_IFIFO | 0600, 0));
}

TEST(getdents64_lists_dots_types_and_all_names)
{
	char buffer[4096];
	bool dot = false, dotdot = false;
	int files = 0, dirs = 0, links = 0, fifos = 0;

	CHECK_OK(mkdir("d", 0700));
	check_write_file("d/f", "", 0);
	CHECK_OK(mkdir("d/e", 0700));
	CHECK_OK(symlink("x", "d/l"));
	CHECK_OK(mkfifo("d/p", 0600));
	int fd = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
	long n;
	while ((n = CHECK_OK(syscall(SYS_getdents64, fd, buffer, sizeof(buffer)))) > 0) {
		for (char *at = buffer; at < buffer + n;) {
			struct entry64 *e = (struct entry64 *)at;
			CHECK(e->ino != 0);
			CHECK_EQ(e->reclen % 8, 0);
			dot |= !strcmp(e->name, ".");
			dotdot |= !strcmp(e->name, "..");
			files += e->type == DT_REG;
			dirs += e->type == DT_DIR;
			links += e->type == DT_LNK;
			fifos += e->type == DT_FIFO;
			at += e->reclen;
		}
	}
	CHECK(dot && dotdot);
	CHECK_EQ(files, 1);
	CHECK_EQ(dirs, 3);
	CHECK_EQ(links, 1);
	CHECK_EQ(fifos, 1);
}

TEST(getdents64_errors)
{
	char buffer[64];

	CHECK_OK(mkdir("d", 0700));
	check_write_file("f", "", 0);
	int d = CHECK_OK(open("d", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_getdents64, d, buffer, 8), EINVAL);
	CHECK_ERRNO(syscall(SYS_getdents64, open("f", O_RDONLY), buffer, 64), ENOTDIR);
	CHECK_ERRNO(syscall(SYS_getdents64, 200, buffer, 64), EBADF);
	CHECK_OK(rmdir("d"));
	CHECK_ERRNO(syscall(SYS_getdents64, d, buffer, 64), ENOENT);
}

TEST(readdir_while_unlinking_sees_each_name_once)
{
	static char seen[500];
	char name[20];
	int count = 0;

	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(chdir("d"));
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "file%d", i);
		CHECK_OK(mknod(name, S_IFREG | 0600, 0));
	}
	DIR *dir = opendir(".");
	CHECK(dir);
	struct dirent *e;
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		int i = atoi(e->d_name + 4);
		CHECK_EQ(seen[i], 0);
		seen[i] = 1;
		count++;
		CHECK_OK(unlink(e->d_name));
	}
	closedir(dir);
	CHECK_EQ(count, 500);
	CHECK_EQ(count_entries("."), 2);
}

TEST(rewinddir_and_seekdir)
{
	char name[20], again[256];

	CHECK_OK(mkdir("d", 0700));
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		check_write_file(name, "", 0);
	}
	DIR *dir = opendir("d");
	CHECK(dir);
	for (int i = 0; i < 10; i++)
		CHECK(readdir(dir));
	long at = telldir(dir);
	struct dirent *e = readdir(dir);
	CHECK(e);
	snprintf(again, sizeof(again), "%s", e->d_name);
	while (readdir(dir))
		;
	seekdir(dir, at);
	e = readdir(dir);
	CHECK(e);
	CHECK_STR(e->d_name, again);
	rewinddir(dir);
	int count = 0;
	while (readdir(dir))
		count++;
	CHECK_EQ(count, 32);
	closedir(dir);
}

TEST(many_names_in_one_directory)
{
	char name[20];
	struct stat st;

	TIMEOUT(60);
	CHECK_OK(mkdir("d", 0700));
	CHECK_OK(chdir("d"));
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		CHECK_OK(mknod(name, S_IFREG | 0600, 0));
	}
	CHECK_EQ(count_entries("."), 3002);
	for (int i = 0; i < 3000; i += 7) {
		snprintf(name, sizeof(name), "n%d", i);
		CHECK_OK(stat(name, &st));
	}
	CHECK_ERRNO(stat("n3000", &st), ENOENT);
}

TEST(directory_times_change_with_its_names)
{
	struct stat before, after;

	CHECK_OK(mkdir("d", 0700));
	struct timespec old[2] = { { 1000, 0 }, { 1000, 0 } };
	CHECK_OK(utimensat(AT_FDCWD, "d", old, 0));
	CHECK_OK(stat("d", &before));
	check_write_file("d/f", "", 0);
	CHECK_OK(stat("d", &after));
	CHECK(after.st_mtime > before.st_mtime);
	CHECK_OK(utimensat(AT_FDCWD, "d", old, 0));
	CHECK_OK(unlink("d/f"));
	CHECK_OK(stat("d", &after));
	CHECK(after.st_mtime > 1000);
}

TEST(linking_by_handle_needs_the_right_to_search)
{
	int fd;

	CHECK_OK(chmod(".", 0777));
	check_write_file("f", "", 0);
	CHECK_OK(chown("f", CHECK_NOBODY, CHECK_NOBODY));
	fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(linkat(fd, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	CHECK_OK(linkat(AT_FDCWD, "f", AT_FDCWD, "h", AT_EMPTY_PATH));
	check_drop_root();
	CHECK_ERRNO(linkat(fd, "", AT_FDCWD, "i", AT_EMPTY_PATH), ENOENT);
	CHECK_ERRNO(linkat(AT_FDCWD, "f", AT_FDCWD, "i", AT_EMPTY_PATH), ENOENT);
	CHECK_ERRNO(linkat(AT_FDCWD, check_bad_address(), AT_FDCWD, "i", AT_EMPTY_PATH), ENOENT);
	CHECK_ERRNO(linkat(AT_FDCWD, "f", AT_FDCWD, "i", AT_EMPTY_PATH | 1), EINVAL);
	CHECK_OK(linkat(AT_FDCWD, "f", AT_FDCWD, "i", 0));
}

TEST(anybody_makes_the_device_that_stands_for_no_name)
{
	struct stat st;

	CHECK_OK(chmod(".", 0777));
	check_drop_root();
	CHECK_OK(mknod("w", S_IFCHR | 0600, 0));
	CHECK_OK(stat("w", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0600);
	CHECK_EQ(st.st_rdev, 0);
	CHECK_ERRNO(mknod("b", S_IFBLK | 0600, 0), EPERM);
	CHECK_ERRNO(mknod("c", S_IFCHR | 0600, 1), EPERM);
}
