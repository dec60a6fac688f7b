/* SPDX-License-Identifier: MIT */
/* fanotify(7): groups, marks and the events that bring open files. */
#include "events.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define OPEN_CLOSE (FAN_OPEN | FAN_CLOSE)

static int
group(unsigned int flags)
{
	return CHECK_OK(fanotify_init(flags | FAN_NONBLOCK, O_RDONLY));
}

static void
touch(const char *name)
{
	CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_CREAT, 0644))));
}

TEST(init_refuses_what_does_not_go_together)
{
	static const struct { unsigned int flags, open; } bad[] = {
		{ 0x2000, 0 }, { ~0u, 0 }, { 0xc, 0 },
		{ FAN_REPORT_TID | FAN_REPORT_PIDFD, 0 },
		{ FAN_CLASS_CONTENT | FAN_REPORT_FID, 0 }, { FAN_CLASS_PRE_CONTENT | FAN_REPORT_DIR_FID, 0 },
		{ FAN_REPORT_NAME, 0 }, { FAN_REPORT_NAME | FAN_REPORT_FID, 0 },
		{ FAN_REPORT_TARGET_FID, 0 }, { FAN_REPORT_TARGET_FID | FAN_REPORT_DFID_NAME, 0 },
		{ 0, O_ACCMODE }, { 0, O_CREAT }, { 0, O_TRUNC }, { 0, O_DIRECTORY }, { 0, O_PATH }, { 0, O_DIRECT },
	};
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		CHECK_ERRNO(fanotify_init(bad[n].flags, bad[n].open), EINVAL);
	static const unsigned int good[] = {
		0, FAN_CLOEXEC, FAN_NONBLOCK, FAN_CLASS_CONTENT, FAN_CLASS_PRE_CONTENT, FAN_UNLIMITED_QUEUE,
		FAN_UNLIMITED_MARKS, FAN_REPORT_TID, FAN_REPORT_PIDFD, FAN_REPORT_FID, FAN_REPORT_DIR_FID,
		FAN_REPORT_DFID_NAME, FAN_REPORT_DFID_NAME | FAN_REPORT_FID,
		FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID,
		FAN_CLASS_CONTENT | FAN_REPORT_PIDFD, FAN_ENABLE_AUDIT,
	};
	for (size_t n = 0; n < sizeof(good) / sizeof(good[0]); n++) {
		int fd = CHECK_OK(fanotify_init(good[n], O_RDWR | O_APPEND | O_NONBLOCK | O_CLOEXEC | O_NOATIME | O_SYNC));
		CHECK_EQ(fcntl(fd, F_GETFD), good[n] & FAN_CLOEXEC ? FD_CLOEXEC : 0);
		CHECK_EQ(fcntl(fd, F_GETFL) & ~O_LARGEFILE, O_RDWR | (good[n] & FAN_NONBLOCK ? O_NONBLOCK : 0));
		CHECK_OK(close(fd));
	}
}

TEST(mark_refuses_what_does_not_go_together)
{
	int plain = group(0), keys = group(FAN_REPORT_FID), content = group(FAN_CLASS_CONTENT);
	int named = group(FAN_REPORT_DFID_NAME);

	touch("f");
#define REFUSED(fd, flags, mask, error) CHECK_ERRNO(fanotify_mark(fd, flags, mask, AT_FDCWD, "."), error)
	REFUSED(plain, 0, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_FLUSH, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | 0x800, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_MOUNT | FAN_MARK_FILESYSTEM, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_FLUSH | FAN_MARK_DONT_FOLLOW, 0, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, 0, EINVAL);
	REFUSED(plain, FAN_MARK_REMOVE, 0, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, FAN_Q_OVERFLOW, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, 0x2000, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, 1ull << 32, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_MASK, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, FAN_OPEN_PERM, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, FAN_CREATE, EINVAL);
	REFUSED(plain, FAN_MARK_ADD, FAN_ATTRIB, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_EVICTABLE | FAN_MARK_MOUNT, FAN_OPEN, EINVAL);
	REFUSED(keys, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CREATE, EINVAL);
	REFUSED(keys, FAN_MARK_ADD, FAN_OPEN_PERM, EINVAL);
	REFUSED(keys, FAN_MARK_ADD, FAN_RENAME, EINVAL);
	REFUSED(keys, FAN_MARK_ADD, FAN_FS_ERROR, EINVAL);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, EISDIR);
	REFUSED(plain, FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_MOUNT, FAN_OPEN, EINVAL);
	REFUSED(plain, FAN_MARK_REMOVE, FAN_OPEN, ENOENT);
	REFUSED(-1, FAN_MARK_ADD, FAN_OPEN, EBADF);
	REFUSED(CHECK_FD, FAN_MARK_ADD, FAN_OPEN, EINVAL);
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, AT_FDCWD, "f"), ENOTDIR);
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "none"), ENOENT);
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, (char *)8), EFAULT);
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD, FAN_OPEN, -1, NULL), EBADF);
	CHECK_ERRNO(fanotify_mark(named, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "f"), ENOTDIR);
	CHECK_ERRNO(fanotify_mark(keys, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/proc"), ENODEV);
	CHECK_ERRNO(fanotify_mark(content, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, "/proc"), EINVAL);
	CHECK_OK(fanotify_mark(plain, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/proc"));
	CHECK_OK(fanotify_mark(plain, FAN_MARK_ADD, FAN_ONDIR, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(keys, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(plain, FAN_MARK_FLUSH, 0, AT_FDCWD, "none")); /* the name is not looked at */
	int p[2];
	CHECK_OK(pipe(p));
	CHECK_OK(fanotify_mark(plain, FAN_MARK_ADD, FAN_OPEN, p[0], NULL));
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, p[0], NULL), EINVAL);
	CHECK_ERRNO(fanotify_mark(plain, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, p[0], NULL), ENOTDIR);
}

TEST(a_file_tells_what_is_done_with_it)
{
	int g = group(0), fd;

	touch("f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, OPEN_CLOSE | FAN_ACCESS | FAN_MODIFY, AT_FDCWD, "f"));
	events_expect_no_more(g);
	fd = CHECK_OK(open("f", O_RDWR));
	events_expect(g, FAN_OPEN, "f");
	check_write_all(fd, "abc", 3);
	events_expect(g, FAN_MODIFY, "f");
	char c;
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	events_expect(g, FAN_ACCESS, "f");
	CHECK_OK(ftruncate(fd, 1)); /* by name, so to say: no open file is told */
	CHECK_OK(chmod("f", 0600));
	events_expect_no_more(g);
	CHECK_OK(fallocate(fd, 0, 0, 4096));
	events_expect(g, FAN_MODIFY, "f");
	CHECK_OK(close(fd));
	events_expect(g, FAN_CLOSE_WRITE, "f");
	CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
	events_expect(g, FAN_OPEN | FAN_CLOSE_NOWRITE, "f"); /* both at once */
	events_expect_no_more(g);
}

TEST(events_of_one_process_and_file_join)
{
	int g = group(0), q, status;

	touch("f");
	touch("h");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, OPEN_CLOSE | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
	touch("f");
	touch("h");
	touch("f");
	pid_t child = CHECK_OK(fork());
	if (!child) {
		touch("f");
		_exit(0);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_OK(ioctl(g, FIONREAD, &q));
	CHECK_EQ(q, 3 * 24);
	events_expect(g, FAN_OPEN | FAN_CLOSE_WRITE, "f");
	events_expect(g, FAN_OPEN | FAN_CLOSE_WRITE, "h");
	struct fanotify_event_metadata *e = events_next(g);
	CHECK_EQ(e->pid, child);
	CHECK_EQ(e->mask, FAN_OPEN | FAN_CLOSE_WRITE);
	events_expect_no_more(g);
}

TEST(files_of_events_are_not_told_of_again)
{
	int g = CHECK_OK(fanotify_init(FAN_NONBLOCK, O_RDWR | O_CLOEXEC));
	struct fanotify_event_metadata *e;
	char c;

	check_write_file("f", "abc", 3);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, OPEN_CLOSE | FAN_ACCESS | FAN_MODIFY, AT_FDCWD, "f"));
	CHECK_OK(chmod("f", 0));
	touch("f");
	e = events_next(g);
	CHECK_EQ(fcntl(e->fd, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(e->fd, F_GETFL) & (O_ACCMODE | 0x4000000), O_RDWR | 0x4000000);
	CHECK_EQ(read(e->fd, &c, 1), 1);
	CHECK_EQ(write(e->fd, &c, 1), 1);
	CHECK_OK(close(e->fd));
	events_expect_no_more(g);
}

TEST(directories_are_told_of_if_asked_for)
{
	int g = group(0);

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(mkdir("d/e", 0755));
	touch("d/f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, OPEN_CLOSE, AT_FDCWD, "d"));
	CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
	touch("d/f");
	events_expect_no_more(g);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_ONDIR | FAN_ACCESS, AT_FDCWD, "d"));
	int fd = CHECK_OK(open("d", O_RDONLY));
	char b[512];
	CHECK(syscall(SYS_getdents64, fd, b, sizeof(b)) > 0);
	CHECK_OK(close(fd));
	events_expect(g, FAN_OPEN | FAN_ACCESS | FAN_CLOSE_NOWRITE, "d");
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d/e", O_RDONLY))));
	events_expect_no_more(g);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d/e", O_RDONLY))));
	events_expect(g, FAN_OPEN | FAN_CLOSE_WRITE, "d/f");
	events_expect(g, FAN_OPEN | FAN_CLOSE_NOWRITE, "d/e");
	CHECK_OK(fanotify_mark(g, FAN_MARK_REMOVE, FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
	events_expect_no_more(g);
}

TEST(mounts_and_file_systems_tell_of_all_their_files)
{
	int m = group(0), s = group(0);

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	CHECK_OK(mount("none", "a", "tmpfs", 0, NULL));
	CHECK_OK(mount("a", "b", NULL, MS_BIND, NULL));
	CHECK_OK(fanotify_mark(m, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "b"));
	CHECK_OK(fanotify_mark(s, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "b"));
	touch("a/f");
	events_expect_no_more(m);
	events_expect(s, FAN_OPEN, "a/f");
	touch("b/f");
	events_expect(m, FAN_OPEN, "b/f");
	events_expect(s, FAN_OPEN, "b/f");
	CHECK_OK(fanotify_mark(m, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL)); /* of inodes: there are none */
	touch("b/f");
	events_expect(m, FAN_OPEN, "b/f");
	CHECK_OK(fanotify_mark(m, FAN_MARK_FLUSH | FAN_MARK_MOUNT, 0, AT_FDCWD, NULL));
	touch("b/f");
	events_expect_no_more(m);
	events_expect(s, FAN_OPEN, "b/f");
	/* Marks do not keep mounts, and go with them. */
	CHECK_OK(fanotify_mark(m, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "b"));
	CHECK_OK(umount("b"));
	CHECK_OK(umount("a"));
	events_expect_no_more(s);
}

TEST(what_is_ignored_is_told_by_none_of_the_marks)
{
	int g = group(0), fd;

	touch("f");
	touch("h");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_MODIFY | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"));
	touch("f");
	touch("h");
	events_expect(g, FAN_OPEN, "h");
	events_expect_no_more(g);
	/* Until it is modified. */
	fd = CHECK_OK(open("f", O_RDWR));
	events_expect_no_more(g);
	check_write_all(fd, "x", 1);
	CHECK_OK(close(fd));
	events_expect(g, FAN_MODIFY, "f");
	touch("f");
	events_expect(g, FAN_OPEN, "f");
	/* What is open for writing is not ignored at all, unless for good. */
	fd = CHECK_OK(open("f", O_RDWR));
	events_expect(g, FAN_OPEN, "f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"));
	touch("f");
	events_expect(g, FAN_OPEN, "f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_OPEN, AT_FDCWD,
			       "f"));
	check_write_all(fd, "x", 1);
	events_expect(g, FAN_MODIFY, "f");
	touch("f");
	events_expect_no_more(g);
	CHECK_OK(fanotify_mark(g, FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"));
	touch("f");
	events_expect(g, FAN_OPEN, "f");
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_REMOVE | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "f"), ENOENT);
}

TEST(the_new_way_to_ignore_heeds_its_own_flags)
{
	const unsigned int ignore = FAN_MARK_ADD | FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY;
	int g = group(0);

	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	CHECK_OK(fanotify_mark(g, ignore, FAN_OPEN, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
	events_expect(g, FAN_OPEN, "d/f");
	events_expect(g, FAN_OPEN, "d");
	CHECK_OK(fanotify_mark(g, ignore, FAN_ONDIR, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
	events_expect(g, FAN_OPEN, "d/f");
	CHECK_OK(fanotify_mark(g, ignore, FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	touch("d/f");
	events_expect_no_more(g);
	/* No way back. */
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d"), EEXIST);
	CHECK_OK(fanotify_mark(g, ignore, FAN_OPEN, AT_FDCWD, "d/f"));
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORE, FAN_OPEN, AT_FDCWD, "d/f"), EEXIST);
}

TEST(the_old_way_ignores_directories_too)
{
	int g = group(0);

	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK, FAN_OPEN, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
	events_expect_no_more(g);
}

TEST(evictable_marks_hold_and_stay_told)
{
	int g = group(0);

	touch("f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, AT_FDCWD, "f"));
	touch("f");
	events_expect(g, FAN_OPEN, "f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, AT_FDCWD, "f"), EEXIST);
	touch("h");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_EVICTABLE, FAN_OPEN, AT_FDCWD, "h"));
	CHECK_OK(unlink("h"));
	touch("h");
	events_expect_no_more(g);
}

TEST(a_program_that_is_run_is_told_of)
{
	int g = group(0), status;

	CHECK_OK(symlink("/proc/self/exe", "l"));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN_EXEC, AT_FDCWD, "l"));
	int fd = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	CHECK_OK(close(fd));
	events_expect_no_more(g);
	pid_t child = CHECK_OK(vfork());
	if (!child) {
		execl("/proc/self/exe", "check", "--helper", "does_nothing", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_EQ(status, 0);
	struct fanotify_event_metadata *e = events_next(g);
	CHECK_EQ(e->mask, FAN_OPEN_EXEC);
	CHECK_EQ(e->pid, child);
	events_expect_no_more(g);
}

HELPER(does_nothing)
{
}

TEST(a_full_queue_says_so_once)
{
	char name[16];
	int g;

	check_write_file("/proc/sys/fs/fanotify/max_queued_events", "3", 1);
	g = group(0);
	int all = group(FAN_UNLIMITED_QUEUE);
	check_write_file("/proc/sys/fs/fanotify/max_queued_events", "16384", 5);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(all, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "."));
	for (int n = 0; n < 6; n++) {
		snprintf(name, sizeof(name), "f%d", n);
		touch(name);
	}
	for (int n = 0; n < 3; n++)
		CHECK_EQ(events_next(g)->mask, FAN_OPEN);
	struct fanotify_event_metadata *e = events_next(g);
	CHECK_EQ(e->mask, FAN_Q_OVERFLOW);
	CHECK_EQ(e->fd, FAN_NOFD);
	CHECK_EQ(e->pid, 0);
	events_expect_no_more(g);
	touch("f1");
	events_expect(g, FAN_OPEN, "f1");
	for (int n = 0; n < 6; n++)
		CHECK_EQ(events_next(all)->mask, FAN_OPEN);
}

TEST(marks_and_groups_are_limited)
{
	int g[4], n;

	touch("f");
	check_write_file("/proc/sys/fs/fanotify/max_user_marks", "2", 1);
	g[0] = group(0);
	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(fanotify_mark(g[0], FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "a"));
	CHECK_OK(fanotify_mark(g[0], FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(g[0], FAN_MARK_ADD, FAN_CLOSE, AT_FDCWD, "."));
	CHECK_ERRNO(fanotify_mark(g[0], FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"), ENOSPC);
	g[1] = group(FAN_UNLIMITED_MARKS);
	CHECK_OK(fanotify_mark(g[1], FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	CHECK_OK(fanotify_mark(g[0], FAN_MARK_REMOVE, FAN_OPEN, AT_FDCWD, "a"));
	CHECK_OK(fanotify_mark(g[0], FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	check_write_file("/proc/sys/fs/fanotify/max_user_marks", "8192", 4);
	check_write_file("/proc/sys/fs/fanotify/max_user_groups", "3", 1);
	g[2] = group(0);
	n = fanotify_init(0, 0);
	check_write_file("/proc/sys/fs/fanotify/max_user_groups", "128", 3);
	CHECK(n == -1);
}

TEST(users_without_rights_are_told_of_keys_only)
{
	CHECK_OK(mkdir("d", 0777));
	CHECK_OK(chmod("d", 0777));
	CHECK_OK(mkdir("secret", 0700));
	CHECK_OK(setresgid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	static const unsigned int refused[] = {
		0, FAN_REPORT_FID | FAN_REPORT_TID, FAN_REPORT_FID | FAN_REPORT_PIDFD,
		FAN_REPORT_FID | FAN_UNLIMITED_QUEUE, FAN_REPORT_FID | FAN_UNLIMITED_MARKS, FAN_CLASS_CONTENT,
	};
	for (size_t n = 0; n < sizeof(refused) / sizeof(refused[0]); n++)
		CHECK_ERRNO(fanotify_init(refused[n], 0), EPERM);
	int g = group(FAN_REPORT_FID);
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_OPEN, AT_FDCWD, "d"), EPERM);
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_OPEN, AT_FDCWD, "d"), EPERM);
	CHECK_ERRNO(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "secret"), EACCES);
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, AT_FDCWD, "d"));
	touch("d/f");
	CHECK_EQ(events_next(g)->pid, getpid());
	pid_t child = CHECK_OK(fork());
	if (!child) {
		touch("d/f");
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_EQ(events_next(g)->pid, 0); /* of others it is not told who they are */
}

TEST(reading_needs_room_and_good_memory)
{
	int g = group(0);
	struct pollfd p = { g, POLLIN | POLLOUT, 0 };
	char b[64];

	touch("f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	CHECK_EQ(poll(&p, 1, 0), 0);
	touch("f");
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK_EQ(p.revents, POLLIN);
	CHECK_ERRNO(read(g, b, 23), EINVAL);
	CHECK_ERRNO(read(g, (char *)8, 64), EFAULT);
	CHECK_EQ(poll(&p, 1, 0), 0); /* it is lost */
}

TEST(threads_and_pidfds_are_told_if_asked_for)
{
	int t = group(FAN_REPORT_TID), p = group(FAN_REPORT_PIDFD);

	touch("f");
	CHECK_OK(fanotify_mark(t, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	CHECK_OK(fanotify_mark(p, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "f"));
	pid_t child = CHECK_OK(fork());
	if (!child) {
		touch("f");
		pause();
	}
	/* One group is told after the other. */
	struct pollfd wait = { t, POLLIN, 0 };
	CHECK_EQ(poll(&wait, 1, -1), 1);
	wait.fd = p;
	CHECK_EQ(poll(&wait, 1, -1), 1);
	CHECK_EQ(events_next(t)->pid, child);
	struct fanotify_event_metadata *e = events_next(p);
	CHECK_EQ(e->pid, child);
	CHECK(e->fd >= 0);
	struct { struct fanotify_event_info_header h; int fd; } *info = events_info(0, 4);
	CHECK_EQ(info->h.len, 8);
	CHECK(info->fd >= 0);
	CHECK_OK(syscall(SYS_pidfd_send_signal, info->fd, SIGKILL, NULL, 0));
	CHECK_EQ(waitpid(child, NULL, 0), child);
	/* One that is gone when its event is read has none. */
	child = CHECK_OK(fork());
	if (!child) {
		touch("f");
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	events_next(p);
	info = events_info(0, 4);
	CHECK_EQ(info->fd, -1);
}

TEST(fdinfo_shows_the_marks)
{
	int g = CHECK_OK(fanotify_init(FAN_NONBLOCK | FAN_CLASS_CONTENT, O_RDWR)), at;
	char name[64], text[1024], want[128];
	struct stat st;

	CHECK_OK(stat(".", &st));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN_PERM | FAN_ONDIR, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_IGNORED_MASK | FAN_MARK_IGNORED_SURV_MODIFY, FAN_CLOSE_WRITE, AT_FDCWD, "."));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_ACCESS, AT_FDCWD, "."));
	snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", g);
	at = CHECK_OK(open(name, O_RDONLY));
	text[CHECK_OK(read(at, text, sizeof(text) - 1))] = 0;
	CHECK(strstr(text, "fanotify flags:6 event-flags:8002\n") != NULL);
	snprintf(want, sizeof(want), "fanotify ino:%lx sdev:%x mflags:40 mask:40010000 ignored_mask:8 fhandle-bytes:c ",
		 st.st_ino, (unsigned int)minor(st.st_dev));
	CHECK(strstr(text, want) != NULL);
	snprintf(want, sizeof(want), "fanotify sdev:%x mflags:0 mask:1 ignored_mask:0\n", (unsigned int)minor(st.st_dev));
	CHECK(strstr(text, want) != NULL);
	CHECK_OK(fanotify_mark(g, FAN_MARK_FLUSH, 0, AT_FDCWD, NULL));
}
