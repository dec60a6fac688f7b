/* SPDX-License-Identifier: MIT */
/* fanotify(7): groups that report keys of files, directories and names instead of open files. */
#include "events.h"

#include <sys/mount.h>

#define NAMES    (FAN_NONBLOCK | FAN_REPORT_DFID_NAME)
#define ENTRIES  (FAN_CREATE | FAN_DELETE | FAN_MOVE)

static void
touch(const char *name)
{
	CHECK_OK(close(CHECK_OK(open(name, O_RDWR | O_CREAT, 0644))));
}

TEST(a_file_key_finds_the_file_again)
{
	int g = CHECK_OK(fanotify_init(FAN_NONBLOCK | FAN_REPORT_FID, 0));

	touch("f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_ATTRIB | FAN_DELETE_SELF, AT_FDCWD, "f"));
	touch("f");
	CHECK_OK(chmod("f", 0600));
	events_expect(g, FAN_OPEN | FAN_ATTRIB, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_FID, "f", NULL);
	CHECK_EQ(events_infos(), 1);
	struct fanotify_event_info_fid *info = events_info(0, FAN_EVENT_INFO_TYPE_FID);
	int here = CHECK_OK(open(".", O_RDONLY));
	int fd = CHECK_OK(open_by_handle_at(here, (struct file_handle *)info->handle, O_RDONLY));
	struct stat a, b;
	CHECK_OK(fstat(fd, &a));
	CHECK_OK(stat("f", &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_OK(close(fd));
	events_next(g);
	CHECK_OK(unlink("f"));
	events_expect(g, FAN_ATTRIB | FAN_DELETE_SELF, NULL);
	events_expect_no_more(g);
}

TEST(a_directory_tells_the_names_of_its_entries)
{
	int g = CHECK_OK(fanotify_init(NAMES, 0));

	CHECK_OK(mkdir("d", 0755));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, ENTRIES | FAN_ONDIR, AT_FDCWD, "d"));
	touch("d/f");
	events_expect(g, FAN_CREATE, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "f");
	CHECK_EQ(events_infos(), 1);
	CHECK_OK(mkdir("d/longer name", 0755));
	events_expect(g, FAN_CREATE | FAN_ONDIR, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "longer name");
	CHECK_OK(rename("d/f", "d/g"));
	events_expect(g, FAN_MOVED_FROM, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "f");
	events_expect(g, FAN_MOVED_TO, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "g");
	CHECK_OK(link("d/g", "d/h"));
	CHECK_OK(symlink("nowhere", "d/s"));
	CHECK_OK(mknod("d/p", S_IFIFO | 0600, 0));
	for (const char **name = (const char *[]){ "h", "s", "p", NULL }; *name; name++) {
		events_expect(g, FAN_CREATE, NULL);
		events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", *name);
	}
	CHECK_OK(unlink("d/h"));
	CHECK_OK(rmdir("d/longer name"));
	events_expect(g, FAN_DELETE, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "h");
	events_expect(g, FAN_DELETE | FAN_ONDIR, NULL);
	events_expect_no_more(g);
}

TEST(entries_and_files_are_told_of_as_the_group_says)
{
	static const struct { unsigned int report; int create, open; } kinds[] = {
		{ FAN_REPORT_FID, 1, 1 },
		{ FAN_REPORT_DIR_FID, 1, 1 },
		{ FAN_REPORT_DIR_FID | FAN_REPORT_FID, 1, 2 },
		{ FAN_REPORT_DFID_NAME, 1, 1 },
		{ FAN_REPORT_DFID_NAME | FAN_REPORT_FID, 1, 2 },
		{ FAN_REPORT_DFID_NAME | FAN_REPORT_FID | FAN_REPORT_TARGET_FID, 2, 2 },
	};

	for (size_t n = 0; n < sizeof(kinds) / sizeof(kinds[0]); n++) {
		unsigned int report = kinds[n].report;
		int g = CHECK_OK(fanotify_init(FAN_NONBLOCK | report, 0)), dir;
		bool named = report & FAN_REPORT_NAME, both = report & FAN_REPORT_DIR_FID;

		CHECK_OK(mkdir("d", 0755));
		CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_CREATE | FAN_OPEN | FAN_ONDIR | FAN_EVENT_ON_CHILD, AT_FDCWD,
				       "d"));
		CHECK_OK(mknod("d/f", 0600, 0));
		events_expect(g, FAN_CREATE, NULL);
		CHECK_EQ(events_infos(), kinds[n].create);
		dir = both ? named ? FAN_EVENT_INFO_TYPE_DFID_NAME : FAN_EVENT_INFO_TYPE_DFID : FAN_EVENT_INFO_TYPE_FID;
		events_expect_key(0, (uint8_t)dir, "d", named ? "f" : NULL);
		if (kinds[n].create == 2)
			events_expect_key(1, FAN_EVENT_INFO_TYPE_FID, "d/f", NULL);
		touch("d/f");
		events_expect(g, FAN_OPEN, NULL);
		CHECK_EQ(events_infos(), kinds[n].open);
		/* The directory alone, of a file: it is called a file's key. */
		events_expect_key(0, report == FAN_REPORT_DIR_FID ? FAN_EVENT_INFO_TYPE_FID : (uint8_t)dir,
				  both ? "d" : "d/f", named ? "f" : NULL);
		if (kinds[n].open == 2)
			events_expect_key(1, FAN_EVENT_INFO_TYPE_FID, "d/f", NULL);
		CHECK_OK(close(CHECK_OK(open("d", O_RDONLY))));
		events_expect(g, FAN_OPEN | FAN_ONDIR, NULL);
		CHECK_EQ(events_infos(), 1);
		events_expect_key(0, (uint8_t)dir, "d", named ? "." : NULL);
		CHECK_OK(unlink("d/f"));
		CHECK_OK(rmdir("d"));
		events_expect_no_more(g);
		CHECK_OK(close(g));
	}
}

TEST(a_mark_on_a_file_tells_its_directory)
{
	int g = CHECK_OK(fanotify_init(NAMES | FAN_REPORT_FID, 0));

	CHECK_OK(mkdir("d", 0755));
	touch("d/f");
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD, FAN_OPEN | FAN_MOVE_SELF, AT_FDCWD, "d/f"));
	touch("d/f");
	events_expect(g, FAN_OPEN, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "d", "f");
	events_expect_key(1, FAN_EVENT_INFO_TYPE_FID, "d/f", NULL);
	CHECK_OK(rename("d/f", "g"));
	events_expect(g, FAN_MOVE_SELF, NULL);
	CHECK_EQ(events_infos(), 1);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_FID, "g", NULL);
	events_expect_no_more(g);
}

TEST(a_rename_tells_both_names_to_who_may_know_them)
{
	int a = CHECK_OK(fanotify_init(NAMES, 0)), b = CHECK_OK(fanotify_init(NAMES, 0)),
	    both = CHECK_OK(fanotify_init(NAMES | FAN_REPORT_FID | FAN_REPORT_TARGET_FID, 0));

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(mkdir("m/a", 0755));
	CHECK_OK(mkdir("m/b", 0755));
	touch("m/a/x");
	CHECK_OK(fanotify_mark(a, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "m/a"));
	CHECK_OK(fanotify_mark(b, FAN_MARK_ADD, FAN_RENAME, AT_FDCWD, "m/b"));
	CHECK_OK(fanotify_mark(both, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_RENAME, AT_FDCWD, "m"));
	CHECK_OK(rename("m/a/x", "m/b/y"));
	events_expect(a, FAN_RENAME, NULL);
	CHECK_EQ(events_infos(), 1);
	events_expect_key(0, 10, "m/a", "x");
	events_expect(b, FAN_RENAME, NULL);
	CHECK_EQ(events_infos(), 1);
	events_expect_key(0, 12, "m/b", "y");
	events_expect(both, FAN_RENAME, NULL);
	CHECK_EQ(events_infos(), 3);
	events_expect_key(0, 10, "m/a", "x");
	events_expect_key(1, 12, "m/b", "y");
	events_expect_key(2, FAN_EVENT_INFO_TYPE_FID, "m/b/y", NULL);
	/* An exchange is two moves. */
	touch("m/a/x");
	CHECK_OK(renameat2(AT_FDCWD, "m/a/x", AT_FDCWD, "m/b/y", RENAME_EXCHANGE));
	events_expect(both, FAN_RENAME, NULL);
	events_expect_key(0, 10, "m/a", "x");
	events_expect_key(1, 12, "m/b", "y");
	events_expect_key(2, FAN_EVENT_INFO_TYPE_FID, "m/b/y", NULL);
	events_expect(both, FAN_RENAME, NULL);
	events_expect_key(0, 10, "m/b", "y");
	events_expect_key(1, 12, "m/a", "x");
	events_expect_key(2, FAN_EVENT_INFO_TYPE_FID, "m/a/x", NULL);
	events_expect_no_more(both);
	CHECK_OK(umount("m"));
}

TEST(a_file_system_tells_of_entries_and_removals)
{
	int g = CHECK_OK(fanotify_init(NAMES | FAN_REPORT_FID | FAN_REPORT_TARGET_FID, 0));

	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(fanotify_mark(g, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
			       FAN_CREATE | FAN_DELETE | FAN_DELETE_SELF | FAN_ONDIR, AT_FDCWD, "m"));
	CHECK_OK(mkdir("m/d", 0755));
	events_expect(g, FAN_CREATE | FAN_ONDIR, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "m", "d");
	events_expect_key(1, FAN_EVENT_INFO_TYPE_FID, "m/d", NULL);
	CHECK_OK(rmdir("m/d"));
	events_expect(g, FAN_DELETE_SELF | FAN_ONDIR, NULL);
	events_info(0, FAN_EVENT_INFO_TYPE_DFID_NAME);
	events_expect(g, FAN_DELETE | FAN_ONDIR, NULL);
	events_expect_key(0, FAN_EVENT_INFO_TYPE_DFID_NAME, "m", "d");
	CHECK_OK(umount("m"));
	events_expect_no_more(g);
}
