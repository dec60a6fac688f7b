/* SPDX-License-Identifier: MIT */
/* name_to_handle_at(2), open_by_handle_at(2): files found again without a name. */
#include "../check.h"

#include <sys/mount.h>
#include <sys/prctl.h>

#define ROOM 128

struct handle {
	struct file_handle h;
	unsigned char bytes[ROOM];
};

static int
handle_of(int dir, const char *name, struct handle *h, int flags)
{
	int id = -1;

	memset(h, 0, sizeof(*h));
	h->h.handle_bytes = ROOM;
	CHECK_OK(name_to_handle_at(dir, name, &h->h, &id, flags));
	return id;
}

static ino_t
inode_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_ino;
}

static void
link_of(int fd, char *out, size_t size)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ssize_t n = CHECK_OK(readlink(name, out, size - 1));
	out[n] = 0;
}

TEST(handle_opens_the_file)
{
	struct handle h;
	char text[8];

	check_write_file("f", "abc", 3);
	handle_of(AT_FDCWD, "f", &h, 0);
	CHECK_EQ(h.h.handle_bytes, 12);
	CHECK_EQ(h.h.handle_type, 1);
	int fd = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDWR));
	check_read_all(fd, text, 3);
	CHECK_MEM(text, "abc", 3);
	CHECK_EQ(fcntl(fd, F_GETFD), 0);
	fd = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY | O_CLOEXEC));
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

TEST(handles_of_one_file_are_equal_and_others_differ)
{
	struct handle a, b;

	check_write_file("f", "", 0);
	check_write_file("g", "", 0);
	CHECK_OK(link("f", "other"));
	handle_of(AT_FDCWD, "f", &a, 0);
	handle_of(AT_FDCWD, "other", &b, 0);
	CHECK_MEM(&a, &b, sizeof(a));
	handle_of(AT_FDCWD, "g", &b, 0);
	CHECK(memcmp(&a, &b, sizeof(a)) != 0);
}

TEST(handle_survives_a_rename_and_shows_the_new_name)
{
	struct handle h;
	char cwd[PATH_MAX], want[PATH_MAX + 16], got[PATH_MAX];

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	CHECK_OK(mkdir("x", 0755));
	check_write_file("d/e/f", "", 0);
	handle_of(AT_FDCWD, "d/e/f", &h, 0);
	CHECK_OK(rename("d/e/f", "d/e/g"));
	CHECK_OK(rename("d/e", "x/moved"));
	int fd = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/x/moved/g", cwd);
	link_of(fd, got, sizeof(got));
	CHECK_STR(got, want);
}

TEST(handle_follows_an_exchange)
{
	struct handle h;
	char got[PATH_MAX];

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	handle_of(AT_FDCWD, "a", &h, 0);
	CHECK_OK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */));
	int fd = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY | O_DIRECTORY));
	link_of(fd, got, sizeof(got));
	CHECK_STR(strrchr(got, '/'), "/b");
	check_write_file("over", "", 0);
	check_write_file("new", "", 0);
	handle_of(AT_FDCWD, "new", &h, 0);
	CHECK_OK(rename("new", "over"));
	fd = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
	link_of(fd, got, sizeof(got));
	CHECK_STR(strrchr(got, '/'), "/over");
}

TEST(handle_of_one_name_of_two_survives_the_other)
{
	struct handle h;

	check_write_file("f", "", 0);
	CHECK_OK(link("f", "g"));
	handle_of(AT_FDCWD, "f", &h, 0);
	CHECK_OK(unlink("f"));
	CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
	CHECK_OK(unlink("g"));
}

TEST(handle_is_stale_when_the_file_is_gone)
{
	struct handle h;

	check_write_file("f", "", 0);
	handle_of(AT_FDCWD, "f", &h, 0);
	CHECK_OK(unlink("f"));
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	check_write_file("f", "", 0);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	CHECK_OK(mkdir("d", 0755));
	handle_of(AT_FDCWD, "d", &h, 0);
	CHECK_OK(rmdir("d"));
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
}

TEST(open_file_without_a_name_is_found)
{
	struct handle h;

	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_RDONLY));
	handle_of(AT_FDCWD, "f", &h, 0);
	CHECK_OK(unlink("f"));
	int again = CHECK_OK(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY));
	CHECK_EQ(inode_of(again), inode_of(fd));
	CHECK_OK(close(fd));
	CHECK_OK(close(again));
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
}

TEST(empty_path_and_links)
{
	struct handle a, b;
	int id;

	check_write_file("f", "", 0);
	CHECK_OK(symlink("f", "l"));
	int fd = CHECK_OK(open("f", O_RDONLY));
	handle_of(AT_FDCWD, "f", &a, 0);
	handle_of(fd, "", &b, AT_EMPTY_PATH);
	CHECK_MEM(&a, &b, sizeof(a));
	handle_of(CHECK_OK(open("f", O_PATH)), "", &b, AT_EMPTY_PATH);
	CHECK_MEM(&a, &b, sizeof(a));
	handle_of(AT_FDCWD, "l", &b, AT_SYMLINK_FOLLOW);
	CHECK_MEM(&a, &b, sizeof(a));
	handle_of(AT_FDCWD, "l", &b, 0);
	CHECK(memcmp(&a, &b, sizeof(a)) != 0);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &b.h, O_RDONLY), ELOOP);
	int path = CHECK_OK(open_by_handle_at(AT_FDCWD, &b.h, O_PATH));
	struct stat st;
	CHECK_OK(fstat(path, &st));
	CHECK(S_ISLNK(st.st_mode));
	CHECK_ERRNO(name_to_handle_at(fd, "", &a.h, &id, 0), ENOENT);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "none", &a.h, &id, 0), ENOENT);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f/x", &a.h, &id, 0), ENOTDIR);
	CHECK_ERRNO(name_to_handle_at(-5, "f", &a.h, &id, 0), EBADF);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", &a.h, &id, AT_SYMLINK_NOFOLLOW), EINVAL);
}

TEST(too_little_room_says_how_much)
{
	struct handle h;
	int id = -1;

	memset(&h, 0, sizeof(h));
	check_write_file("f", "", 0);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0), EOVERFLOW);
	CHECK_EQ(h.h.handle_bytes, 12);
	CHECK(id > 0);
	h.h.handle_bytes = 11;
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0), EOVERFLOW);
	CHECK_EQ(h.h.handle_bytes, 12);
	CHECK_EQ(h.bytes[0] | h.bytes[4], 0);
	CHECK_OK(name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0));
	h.h.handle_bytes = 129;
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", &h.h, &id, 0), EINVAL);
}

TEST(mount_id_is_that_of_mountinfo)
{
	struct handle h;
	char line[1024];
	int found = 0, id;

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	id = handle_of(AT_FDCWD, "m", &h, 0);
	FILE *f = fopen("/proc/self/mountinfo", "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (atoi(line) == id) {
			found++;
			CHECK(strstr(line, "/m "));
		}
	CHECK_EQ(found, 1);
	CHECK_OK(umount("m"));
}

TEST(handle_belongs_to_its_file_system)
{
	struct handle h;

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mkdir("n", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(mount("none", "n", "tmpfs", 0, NULL));
	check_write_file("m/f", "m", 1);
	check_write_file("n/f", "n", 1);
	handle_of(AT_FDCWD, "m/f", &h, 0);
	int m = CHECK_OK(open("m", O_RDONLY)), n = CHECK_OK(open("n", O_RDONLY)), fd;
	char c;
	fd = CHECK_OK(open_by_handle_at(m, &h.h, O_RDONLY));
	check_read_all(fd, &c, 1);
	CHECK_EQ(c, 'm');
	CHECK_OK(close(fd));
	CHECK_ERRNO(open_by_handle_at(n, &h.h, O_RDONLY), ESTALE);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	CHECK_ERRNO(open_by_handle_at(CHECK_OK(open("/proc", O_RDONLY)), &h.h, O_RDONLY), ESTALE);
	CHECK_ERRNO(open_by_handle_at(CHECK_OK(open("m", O_PATH)), &h.h, O_RDONLY), EBADF);
	handle_of(m, "", &h, AT_EMPTY_PATH);
	CHECK_EQ(inode_of(CHECK_OK(open_by_handle_at(m, &h.h, O_RDONLY | O_DIRECTORY))), inode_of(m));
	umount2("m", MNT_DETACH);
	umount2("n", MNT_DETACH);
}

TEST(file_systems_without_handles_say_so)
{
	static const char *const names[] = { "/proc", "/proc/self/status", "/sys", "/dev/pts", "/proc/self/ns/mnt" };
	struct handle h = { .h.handle_bytes = ROOM };
	int id, p[2];

	for (unsigned int i = 0; i < sizeof(names) / sizeof(*names); i++)
		CHECK_ERRNO(name_to_handle_at(AT_FDCWD, names[i], &h.h, &id, AT_SYMLINK_FOLLOW), EOPNOTSUPP);
	CHECK_OK(pipe(p));
	CHECK_ERRNO(name_to_handle_at(p[0], "", &h.h, &id, AT_EMPTY_PATH), EOPNOTSUPP);
	handle_of(AT_FDCWD, "/dev/null", &h, 0);
	CHECK_ERRNO(open_by_handle_at(p[0], &h.h, O_RDONLY), ESTALE);
	CHECK_OK(open_by_handle_at(CHECK_OK(open("/dev", O_RDONLY)), &h.h, O_WRONLY));
}

TEST(flags_are_those_of_open)
{
	struct handle f, d;

	check_write_file("f", "abc", 3);
	CHECK_OK(mkdir("d", 0755));
	handle_of(AT_FDCWD, "f", &f, 0);
	handle_of(AT_FDCWD, "d", &d, 0);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &f.h, O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &d.h, O_RDWR), EISDIR);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &f.h, O_RDONLY | O_CREAT | O_EXCL), EEXIST);
	CHECK_OK(open_by_handle_at(AT_FDCWD, &f.h, O_RDONLY | O_CREAT));
	CHECK_OK(close(CHECK_OK(open_by_handle_at(AT_FDCWD, &f.h, O_RDWR | O_TRUNC))));
	struct stat st;
	CHECK_OK(stat("f", &st));
	CHECK_EQ(st.st_size, 0);
}

TEST(opening_by_handle_needs_the_capability)
{
	struct handle h;

	check_write_file("f", "", 0);
	handle_of(AT_FDCWD, "f", &h, 0);
	check_drop_root();
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), EPERM);
	CHECK_ERRNO(open_by_handle_at(-1, NULL, O_RDONLY), EPERM);
	handle_of(AT_FDCWD, "f", &h, 0);
}

TEST(bad_handles)
{
	struct handle h = { .h.handle_bytes = 0 };
	void *bad = check_bad_address();
	int id;

	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), EINVAL);
	h.h.handle_bytes = 129;
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), EINVAL);
	h.h.handle_bytes = 12;
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	h.h.handle_bytes = 3;
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY), ESTALE);
	CHECK_ERRNO(open_by_handle_at(-1, &h.h, O_RDONLY), EBADF);
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, bad, O_RDONLY), EFAULT);
	struct file_handle *last = (void *)(check_page_end() - sizeof(*last));
	last->handle_bytes = 12;
	CHECK_ERRNO(open_by_handle_at(AT_FDCWD, last, O_RDONLY), EFAULT);
	check_write_file("f", "", 0);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", bad, &id, 0), EFAULT);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", last, &id, 0), EFAULT);
	h.h.handle_bytes = ROOM;
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, "f", &h.h, bad, 0), EFAULT);
	CHECK_ERRNO(name_to_handle_at(AT_FDCWD, bad, &h.h, &id, 0), EFAULT);
}

/* Handles of what is being renamed and unlinked: found, or stale, and nothing else. */
TEST(handles_race_with_renames)
{
	struct handle h;
	int found = 0;

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/b", 0755));
	CHECK_OK(mkdir("c", 0755));
	check_write_file("a/b/f", "", 0);
	int keep = CHECK_OK(open("a/b/f", O_RDONLY));
	handle_of(AT_FDCWD, "a/b/f", &h, 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		for (;;) {
			CHECK_OK(rename("a/b", "c/d"));
			CHECK_OK(rename("c/d/f", "c/f"));
			CHECK_OK(rename("c/f", "c/d/f"));
			CHECK_OK(rename("c/d", "a/b"));
		}
	}
	for (int i = 0; i < 300; i++) {
		int fd = open_by_handle_at(AT_FDCWD, &h.h, O_RDONLY);
		if (fd < 0)
			CHECK_EQ(errno, ESTALE);
		else {
			CHECK_EQ(inode_of(fd), inode_of(keep));
			found++;
			CHECK_OK(close(fd));
		}
	}
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
	CHECK(found > 0);
}
