/* SPDX-License-Identifier: MIT */
/*
 * files.c - failing allocations below names, files and handles.
 */
#include "fail_nth.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

SCENARIO(open_creates)
{
	int fd = OK(open("new", O_RDWR | O_CREAT | O_EXCL, 0600)), again;

	CHECK_EQ(OK(write(fd, "word", 4)), 4);
	again = OK(open("new", O_RDONLY));
	MUST(close(fd));
	MUST(close(again));
	OK(unlink("new"));
	CHECK_ERRNO(open("new", O_RDONLY), ENOENT);
}

SCENARIO(open_tmpfile)
{
	int fd = OK(open(".", O_RDWR | O_TMPFILE, 0600));
	char name[64];

	CHECK_EQ(OK(pwrite(fd, "x", 1, 100000)), 1);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	OK(linkat(AT_FDCWD, name, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	close(fd);
	OK(unlink("named"));
}

SCENARIO(open_device)
{
	int fd = OK(open("/dev/null", O_RDWR)), zero = OK(open("/dev/zero", O_RDONLY));
	int random = OK(open("/dev/urandom", O_RDONLY));
	char b[300];

	CHECK_EQ(OK(read(zero, b, sizeof(b))), 300);
	CHECK_EQ(OK(read(random, b, sizeof(b))), 300);
	close(random);
	close(zero);
	close(fd);
}

SCENARIO(directories)
{
	OK(mkdir("d", 0700));
	OK(mkdir("d/e", 0700));
	OK(symlink("e", "d/link"));
	OK(rename("d/e", "f"));
	OK(chdir("f"));
	OK(chdir(".."));
	OK(rename("f", "d/e"));
	OK(access("d/link", F_OK));
	OK(unlink("d/link"));
	OK(rmdir("d/e"));
	OK(rmdir("d"));
	CHECK_ERRNO(access("d", F_OK), ENOENT);
}

SCENARIO(rename_replaces)
{
	char text[8] = "";

	check_write_file("a", "a", 1);
	check_write_file("b", "b", 1);
	OK(rename("a", "b"));
	CHECK_ERRNO(access("a", F_OK), ENOENT);
	check_read_file("b", text, sizeof(text));
	CHECK_STR(text, "a");
	OK(link("b", "c"));
	OK(syscall(SYS_renameat2, AT_FDCWD, "b", AT_FDCWD, "c", 0));
	OK(unlink("b"));
	OK(unlink("c"));
}

SCENARIO(getdents)
{
	char buffer[8192], name[16];
	int n = 0, fd;
	long got;

	OK(mkdir("many", 0700));
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		close(CHECK_OK(open(name, O_CREAT | O_WRONLY, 0600)));
	}
	fd = OK(open("many", O_RDONLY | O_DIRECTORY));
	while ((got = OK(syscall(SYS_getdents64, fd, buffer, 700))) > 0)
		for (long at = 0; at < got; n++)
			at += ((struct dirent64 *)(void *)(buffer + at))->d_reclen;
	CHECK_EQ(n, 62);
	close(fd);
	for (int i = 0; i < 60; i++) {
		snprintf(name, sizeof(name), "many/%d", i);
		OK(unlink(name));
	}
	OK(rmdir("many"));
}

SCENARIO(xattrs)
{
	char value[300], list[200];

	check_write_file("x", "", 0);
	memset(value, 'v', sizeof(value));
	OK(setxattr("x", "trusted.one", value, 10, 0));
	OK(setxattr("x", "trusted.two", value, sizeof(value), 0));
	OK(setxattr("x", "trusted.one", value, 200, XATTR_REPLACE));
	CHECK_EQ(OK(listxattr("x", list, sizeof(list))), 24);
	CHECK_EQ(OK(getxattr("x", "trusted.two", value, sizeof(value))), 300);
	OK(removexattr("x", "trusted.one"));
	CHECK_ERRNO(getxattr("x", "trusted.one", value, sizeof(value)), ENODATA);
	OK(unlink("x"));
}

SCENARIO(attributes)
{
	struct stat st;

	check_write_file("x", "1234", 4);
	OK(chmod("x", 0640));
	OK(chown("x", 5, 6));
	OK(truncate("x", 100000));
	OK(truncate("x", 2));
	OK(utimensat(AT_FDCWD, "x", NULL, 0));
	OK(stat("x", &st));
	CHECK_EQ(st.st_size, 2);
	CHECK_EQ(st.st_uid, 5);
	OK(unlink("x"));
}

SCENARIO(file_grows)
{
	int fd = OK(open("big", O_RDWR | O_CREAT | O_EXCL, 0600));
	static char block[65536];
	size_t done = 0;

	memset(block, 'b', sizeof(block));
	while (done < 200000) {
		/* It may write less than it was asked to. */
		ssize_t n = OK(write(fd, block, sizeof(block) < 200000 - done ? sizeof(block) : 200000 - done));

		CHECK(n > 0);
		done += (size_t)n;
	}
	CHECK_EQ(lseek(fd, 0, SEEK_END), 200000);
	OK(fallocate(fd, 0, 200000, 50000));
	OK(fallocate(fd, 3, 5000, 100000)); /* punch a hole */
	CHECK_EQ(OK(pread(fd, block, sizeof(block), 150000)), 65536);
	CHECK_EQ(block[0], 'b');
	CHECK_EQ(OK(pread(fd, block, 10, 20000)), 10);
	CHECK_EQ(block[0], 0);
	close(fd);
	OK(unlink("big"));
}

SCENARIO(copies_between_files)
{
	int in = CHECK_OK(open("in", O_RDWR | O_CREAT, 0600)), out, p[2];
	static char block[40000];
	off_t from = 0;
	size_t done = 0;

	memset(block, 'c', sizeof(block));
	check_write_all(in, block, sizeof(block));
	out = OK(open("out", O_RDWR | O_CREAT | O_TRUNC, 0600));
	while (done < sizeof(block)) {
		ssize_t n = OK(sendfile(out, in, &from, sizeof(block) - done));

		CHECK(n > 0);
		done += (size_t)n;
	}
	CHECK_EQ(done, sizeof(block));
	CHECK_EQ(lseek(out, 0, SEEK_CUR), (long)sizeof(block));
	lseek(in, 0, SEEK_SET);
	CHECK(OK(copy_file_range(in, NULL, out, NULL, 10000, 0)) > 0);
	OK(pipe2(p, O_NONBLOCK));
	from = 0;
	CHECK(OK(splice(in, &from, p[1], NULL, 20000, 0)) > 0);
	CHECK(OK(splice(p[0], NULL, out, NULL, 20000, 0)) > 0);
	close(p[0]);
	close(p[1]);
	close(in);
	close(out);
	OK(unlink("in"));
	OK(unlink("out"));
}

SCENARIO(handles_grow)
{
	int fd = OK(dup(0)), high = OK(fcntl(0, F_DUPFD, 300)), more, p[2];

	CHECK_EQ(OK(dup2(0, 700)), 700);
	more = OK(fcntl(0, F_DUPFD_CLOEXEC, 900));
	OK(pipe2(p, 0));
	CHECK(high >= 300 && more >= 900);
	OK(syscall(SYS_close_range, 300, 899, 0));
	CHECK_ERRNO(fcntl(high, F_GETFD), EBADF);
	close(p[0]);
	close(p[1]);
	close(more);
	close(fd);
}

SCENARIO(locks)
{
	int fd = CHECK_OK(open("locked", O_RDWR | O_CREAT, 0600));
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100 };

	OK(fcntl(fd, F_SETLK, &l));
	l.l_type = F_RDLCK;
	l.l_start = 40;
	l.l_len = 10;
	OK(fcntl(fd, F_SETLK, &l));
	l.l_type = F_UNLCK;
	l.l_start = 44;
	l.l_len = 2;
	OK(fcntl(fd, F_SETLK, &l));
	OK(flock(fd, LOCK_EX));
	l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1000, .l_len = 1 };
	OK(fcntl(fd, F_OFD_SETLK, &l));
	MUST(close(fd));
	OK(unlink("locked"));
}

SCENARIO(inotify)
{
	int fd = OK(inotify_init1(IN_NONBLOCK)), wd, other;
	char events[4096];
	ssize_t n;

	OK(mkdir("watched", 0700));
	wd = OK(inotify_add_watch(fd, "watched", IN_ALL_EVENTS));
	other = OK(inotify_add_watch(fd, ".", IN_CREATE));
	CHECK(wd != other);
	/* The event may be lost (and an overflow be told instead), the file not. */
	close(OK(open("watched/file", O_CREAT | O_WRONLY, 0600)));
	OK(rename("watched/file", "watched/renamed"));
	n = read(fd, events, sizeof(events));
	CHECK(n > 0 || errno == EAGAIN);
	OK(inotify_rm_watch(fd, other));
	OK(unlink("watched/renamed"));
	OK(rmdir("watched"));
	MUST(close(fd));
}

SCENARIO(fanotify)
{
	int fd = OK(fanotify_init(FAN_NONBLOCK, O_RDONLY)), dir;
	char events[4096];

	/* Before anything that may fail unseen: an event that there is no memory for is lost. */
	OK(read(fd, events, sizeof(events)) < 0 && errno != EAGAIN ? -1 : 0);
	OK(mkdir("marked", 0700));
	OK(fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_CLOSE | FAN_EVENT_ON_CHILD, AT_FDCWD, "marked"));
	OK(fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_MODIFY, AT_FDCWD, "marked"));
	close(OK(open("marked/file", O_CREAT | O_WRONLY, 0600)));
	if (read(fd, events, sizeof(events)) > 0)
		close(((struct fanotify_event_metadata *)events)->fd);
	OK(fanotify_mark(fd, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL));
	dir = OK(open("marked", O_RDONLY));
	OK(fcntl(dir, F_NOTIFY, DN_DELETE));
	MUST(close(dir));
	OK(unlink("marked/file"));
	OK(rmdir("marked"));
	MUST(close(fd));
}

SCENARIO(mounts)
{
	OK(mkdir("here", 0700));
	OK(mkdir("there", 0700));
	OK(mount("none", "here", "tmpfs", 0, "size=1m"));
	check_write_file("here/file", "x", 1);
	OK(mount("here", "there", NULL, MS_BIND, NULL));
	CHECK_OK(access("there/file", F_OK));
	OK(umount("there"));
	OK(mount("here", "there", NULL, MS_MOVE, NULL));
	CHECK_OK(access("there/file", F_OK));
	OK(mount("none", "there", NULL, MS_REMOUNT | MS_RDONLY, NULL));
	OK(mount("proc", "here", "proc", 0, NULL));
	OK(access("here/self/stat", F_OK));
	OK(umount("here"));
	OK(umount2("there", MNT_DETACH));
	OK(rmdir("here"));
	OK(rmdir("there"));
}

SCENARIO(names_of_proc)
{
	static const char *const files[] = { "maps", "smaps", "status", "stat", "cmdline", "mounts", "mountinfo",
					     "environ", "auxv", "limits", "fdinfo/0", "task", "net/unix" };
	char path[64], text[16384];

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		fd = OK(open(path, O_RDONLY));
		if (strcmp(files[i], "task") == 0)
			OK(syscall(SYS_getdents64, fd, text, sizeof(text)));
		else
			OK(read(fd, text, sizeof(text)));
		close(fd);
	}
	CHECK(OK(readlink("/proc/self/exe", text, sizeof(text))) > 0);
	CHECK(OK(readlink("/proc/self/fd/0", text, sizeof(text))) > 0);
	OK(syscall(SYS_getcwd, text, sizeof(text)));
}

SCENARIO(vectors)
{
	int fd = CHECK_OK(open("v", O_RDWR | O_CREAT, 0600));
	struct iovec v[50];
	char c[50];

	for (int i = 0; i < 50; i++)
		v[i] = (struct iovec){ c + i, 1 };
	memset(c, 'x', sizeof(c));
	CHECK_EQ(OK(writev(fd, v, 50)), 50);
	CHECK_EQ(OK(preadv(fd, v, 50, 0)), 50);
	CHECK_EQ(OK(process_vm_readv(getpid(), v, 1, v + 1, 1, 0)), 1);
	close(fd);
	OK(unlink("v"));
}
