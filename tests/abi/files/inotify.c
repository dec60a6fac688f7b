/* SPDX-License-Identifier: MIT */
/* inotify(7): which events a change makes, in which order, and when watches end. */
#include "../check.h"

#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

/* The next event is this one. */
static void
expect(int fd, int watch, uint32_t mask, const char *name)
{
	static char buffer[4096] __attribute__((aligned(8)));
	static ssize_t size, at;
	struct inotify_event *e;

	if (at >= size) {
		size = CHECK_OK(read(fd, buffer, sizeof(buffer)));
		at = 0;
	}
	e = (struct inotify_event *)(buffer + at);
	CHECK_EQ(e->mask, mask);
	CHECK_EQ(e->wd, watch);
	CHECK_STR(e->len ? e->name : "", name);
	at += (ssize_t)(sizeof(*e) + e->len);
}

static void
expect_no_more(int fd)
{
	char b[64];

	CHECK_ERRNO(read(fd, b, sizeof(b)), EAGAIN);
}

TEST(directory_hears_of_its_entries)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));

	CHECK_OK(mkdir("d", 0755));
	int d = CHECK_OK(inotify_add_watch(in, "d", IN_ALL_EVENTS));
	int fd = CHECK_OK(open("d/f", O_RDWR | O_CREAT, 0600));
	check_write_all(fd, "abc", 3);
	check_write_all(fd, "abc", 3);
	CHECK_OK(lseek(fd, 0, SEEK_SET));
	char c;
	check_read_all(fd, &c, 1);
	CHECK_OK(fchmod(fd, 0644));
	CHECK_OK(ftruncate(fd, 1));
	CHECK_OK(close(fd));
	expect(in, d, IN_CREATE, "f");
	expect(in, d, IN_OPEN, "f");
	expect(in, d, IN_MODIFY, "f"); /* two alike in a row are one */
	expect(in, d, IN_ACCESS, "f");
	expect(in, d, IN_ATTRIB, "f");
	expect(in, d, IN_MODIFY, "f");
	expect(in, d, IN_CLOSE_WRITE, "f");
	CHECK_OK(mkdir("d/sub", 0755));
	CHECK_OK(rmdir("d/sub"));
	CHECK_OK(unlink("d/f"));
	expect(in, d, IN_CREATE | IN_ISDIR, "sub");
	expect(in, d, IN_DELETE | IN_ISDIR, "sub");
	expect(in, d, IN_DELETE, "f");
	expect_no_more(in);
}

TEST(rename_tells_both_directories_with_one_cookie)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));
	char b[256] __attribute__((aligned(8)));

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("b", 0755));
	check_write_file("a/x", "", 0);
	int wa = CHECK_OK(inotify_add_watch(in, "a", IN_MOVE));
	int wb = CHECK_OK(inotify_add_watch(in, "b", IN_MOVE));
	CHECK_OK(rename("a/x", "b/y"));
	CHECK_EQ(read(in, b, sizeof(b)), 64);
	struct inotify_event *from = (struct inotify_event *)b, *to = (struct inotify_event *)(b + 32);
	CHECK_EQ(from->wd, wa);
	CHECK_EQ(from->mask, IN_MOVED_FROM);
	CHECK_STR(from->name, "x");
	CHECK_EQ(to->wd, wb);
	CHECK_EQ(to->mask, IN_MOVED_TO);
	CHECK_STR(to->name, "y");
	CHECK(from->cookie != 0);
	CHECK_EQ(from->cookie, to->cookie);
}

TEST(last_unlink_ends_the_watch)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));

	check_write_file("f", "", 0);
	int w = CHECK_OK(inotify_add_watch(in, "f", IN_ALL_EVENTS));
	CHECK_OK(link("f", "g"));
	CHECK_OK(unlink("f"));
	CHECK_OK(unlink("g"));
	expect(in, w, IN_ATTRIB, ""); /* the link and both removals: alike */
	expect(in, w, IN_DELETE_SELF, "");
	expect(in, w, IN_IGNORED, "");
	expect_no_more(in);
	CHECK_ERRNO(inotify_rm_watch(in, w), EINVAL);
}

TEST(open_file_keeps_the_watch_until_it_is_closed)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int w = CHECK_OK(inotify_add_watch(in, "f", IN_DELETE_SELF));

	CHECK_OK(unlink("f"));
	expect_no_more(in);
	CHECK_OK(close(fd));
	expect(in, w, IN_DELETE_SELF, "");
	expect(in, w, IN_IGNORED, "");
}

TEST(one_shot_and_removed_watches_are_told_ignored)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));

	check_write_file("f", "", 0);
	int w = CHECK_OK(inotify_add_watch(in, "f", IN_OPEN | IN_ONESHOT));
	CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
	CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
	expect(in, w, IN_OPEN, "");
	expect(in, w, IN_IGNORED, "");
	w = CHECK_OK(inotify_add_watch(in, "f", IN_OPEN));
	CHECK_OK(inotify_rm_watch(in, w));
	expect(in, w, IN_IGNORED, "");
	expect_no_more(in);
}

TEST(unmount_ends_watches_of_the_file_system)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, ""));
	check_write_file("m/f", "", 0);
	int w = CHECK_OK(inotify_add_watch(in, "m/f", IN_MODIFY));
	CHECK_OK(umount("m"));
	expect(in, w, IN_UNMOUNT, "");
	expect(in, w, IN_IGNORED, "");
}

TEST(watch_masks_are_replaced_added_or_refused)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK));

	check_write_file("f", "", 0);
	int w = CHECK_OK(inotify_add_watch(in, "f", IN_OPEN));
	CHECK_EQ(inotify_add_watch(in, "f", IN_CLOSE_NOWRITE | IN_MASK_ADD), w);
	CHECK_ERRNO(inotify_add_watch(in, "f", IN_OPEN | IN_MASK_CREATE), EEXIST);
	CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
	expect(in, w, IN_OPEN, "");
	expect(in, w, IN_CLOSE_NOWRITE, "");
	CHECK_EQ(inotify_add_watch(in, "f", IN_MODIFY), w);
	CHECK_OK(close(CHECK_OK(open("f", O_RDONLY))));
	expect_no_more(in);
	CHECK_ERRNO(inotify_add_watch(in, "f", 0), EINVAL);
	CHECK_ERRNO(inotify_add_watch(in, "f", IN_OPEN | IN_ONLYDIR), ENOTDIR);
	CHECK_ERRNO(inotify_add_watch(in, "missing", IN_OPEN), ENOENT);
	CHECK_ERRNO(inotify_add_watch(0, "f", IN_OPEN), EINVAL);
	CHECK_ERRNO(inotify_init1(5), EINVAL);
}

TEST(reading_waits_polls_and_wants_room)
{
	int in = CHECK_OK(inotify_init1(0)), n;
	struct pollfd p = { .fd = in, .events = POLLIN };
	char b[64];

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(inotify_add_watch(in, "d", IN_CREATE));
	CHECK_EQ(poll(&p, 1, 0), 0);
	pid_t pid = check_fork();
	if (pid == 0) {
		check_sleep_ms(30);
		check_write_file("d/f", "", 0);
		_exit(0);
	}
	CHECK_EQ(poll(&p, 1, -1), 1);
	CHECK_EXIT(pid, 0);
	CHECK_OK(ioctl(in, FIONREAD, &n));
	CHECK_EQ(n, 32);
	CHECK_ERRNO(read(in, b, 31), EINVAL);
	CHECK_EQ(read(in, b, sizeof(b)), 32);
}

#define LIMITS "/proc/sys/fs/inotify/"

static void
set_limit(const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), LIMITS "%s", name);
	fd = CHECK_OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* As a user of its own with a limit changed, which is put back whatever comes. */
static void
with_limit(const char *name, const char *text, void (*run)(void))
{
	char path[64], old[32];
	int status;

	snprintf(path, sizeof(path), LIMITS "%s", name);
	check_read_file(path, old, sizeof(old));
	CHECK_OK(chmod(".", 0777));
	set_limit(name, text);
	if (check_fork() == 0) {
		check_become(4712, 4712);
		run();
		_exit(0);
	}
	CHECK_OK(wait(&status));
	set_limit(name, old);
	CHECK_EQ(status, 0);
}

static void
three_instances(void)
{
	int a = CHECK_OK(inotify_init()), b = CHECK_OK(inotify_init()), c = CHECK_OK(inotify_init());

	CHECK_ERRNO(inotify_init(), EMFILE);
	close(b);
	CHECK_OK(inotify_init());
	CHECK_ERRNO(inotify_init(), EMFILE);
	(void)a, (void)c;
}

TEST(a_user_has_so_many_instances)
{
	with_limit("max_user_instances", "3", three_instances);
}

static void
two_watches(void)
{
	int a = CHECK_OK(inotify_init()), b = CHECK_OK(inotify_init()), w;

	check_write_file("f", "", 0);
	check_write_file("g", "", 0);
	w = CHECK_OK(inotify_add_watch(a, "f", IN_MODIFY));
	CHECK_OK(inotify_add_watch(b, "f", IN_MODIFY));
	CHECK_ERRNO(inotify_add_watch(a, "g", IN_MODIFY), ENOSPC);
	CHECK_EQ(inotify_add_watch(a, "f", IN_ATTRIB), w); /* is there already */
	CHECK_OK(inotify_rm_watch(a, w));
	CHECK_OK(inotify_add_watch(a, "g", IN_MODIFY));
	CHECK_ERRNO(inotify_add_watch(b, "g", IN_MODIFY), ENOSPC);
	close(a);
	CHECK_OK(inotify_add_watch(b, "g", IN_MODIFY));
}

TEST(a_user_has_so_many_watches)
{
	with_limit("max_user_watches", "2", two_watches);
}

static void
four_events(void)
{
	int in = CHECK_OK(inotify_init1(IN_NONBLOCK)), w;

	w = CHECK_OK(inotify_add_watch(in, ".", IN_CREATE));
	check_write_file("a", "", 0);
	check_write_file("b", "", 0);
	check_write_file("c", "", 0);
	check_write_file("d", "", 0);
	expect(in, w, IN_CREATE, "a");
	expect(in, w, IN_CREATE, "b");
	expect(in, -1, IN_Q_OVERFLOW, "");
	expect_no_more(in);
}

TEST(a_queue_holds_so_many_events)
{
	with_limit("max_queued_events", "2", four_events);
}
