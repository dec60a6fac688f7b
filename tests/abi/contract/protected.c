/* SPDX-License-Identifier: MIT */
/*
 * The rules for directories that all may write to, proc(5): fs.protected_symlinks, _hardlinks, _fifos and
 * _regular, set as Debian sets them. And the rules about who may be whom.
 */
#include "../check.h"

#include <sys/prctl.h>

static void
set(const char *name, const char *value)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/fs/%s", name);
	fd = CHECK_OK(open(path, O_RDWR));
	CHECK_OK(pwrite(fd, value, strlen(value), 0));
	CHECK_OK(close(fd));
}

/* A sticky directory of root's for all, with a file, a link and a FIFO of user 1000's in it. */
static void
set_up(void)
{
	CHECK_OK(chmod(".", 0755));
	CHECK_OK(close(CHECK_OK(open("mine", O_CREAT | O_RDWR, 0666))));
	CHECK_OK(chmod("mine", 0666));
	CHECK_OK(mkdir("all", 0777));
	CHECK_OK(chmod("all", 01777));
	CHECK_OK(symlink("../mine", "all/link"));
	CHECK_OK(lchown("all/link", 1000, 1000));
	CHECK_OK(symlink("../mine", "all/link-of-root"));
	CHECK_OK(close(CHECK_OK(open("all/file", O_CREAT | O_RDWR, 0666))));
	CHECK_OK(chmod("all/file", 0666));
	CHECK_OK(chown("all/file", 1000, 1000));
	CHECK_OK(mkfifo("all/fifo", 0666));
	CHECK_OK(chmod("all/fifo", 0666));
	CHECK_OK(chown("all/fifo", 1000, 1000));
	set("protected_symlinks", "1");
	set("protected_hardlinks", "1");
	set("protected_fifos", "1");
	set("protected_regular", "2");
}

static void
tear_down(void)
{
	set("protected_symlinks", "1"); /* the kernel's own setting */
	set("protected_hardlinks", "1");
	set("protected_fifos", "0");
	set("protected_regular", "0");
}

/* Run `body` as user `uid` in a child; back as root the settings are put back. */
#define AS(uid, ...)                                                                               \
	do {                                                                                       \
		pid_t child_ = check_fork();                                                       \
		int status_;                                                                       \
		if (child_ == 0) {                                                                 \
			check_become(uid, uid);                                                    \
			__VA_ARGS__;                                                               \
			_exit(0);                                                                  \
		}                                                                                  \
		waitpid(child_, &status_, 0);                                                      \
		tear_down();                                                                       \
		CHECK_EQ(status_, 0);                                                              \
	} while (0)

TEST(link_of_another_in_a_sticky_directory_is_not_followed)
{
	set_up();
	AS(2000, CHECK_ERRNO(open("all/link", O_RDONLY), EACCES));
}

TEST(link_of_another_is_not_followed_even_by_root)
{
	set_up();
	AS(0, CHECK_ERRNO(open("all/link", O_RDONLY), EACCES));
}

TEST(link_of_ones_own_in_a_sticky_directory_is_followed)
{
	set_up();
	AS(1000, CHECK_OK(open("all/link", O_RDONLY)));
}

TEST(link_of_the_directorys_owner_is_followed)
{
	set_up();
	AS(2000, CHECK_OK(open("all/link-of-root", O_RDONLY)));
}

TEST(link_of_another_can_still_be_read_and_stated)
{
	char buf[20];

	set_up();
	AS(2000, {
		struct stat st;
		CHECK_OK(lstat("all/link", &st));
		CHECK_EQ(readlink("all/link", buf, 20), 7);
		CHECK_ERRNO(stat("all/link", &st), EACCES);
	});
}

TEST(hard_link_to_a_file_one_may_not_write_is_refused)
{
	set_up();
	CHECK_OK(chmod("mine", 0644));
	AS(2000, CHECK_ERRNO(link("mine", "all/new"), EPERM));
}

TEST(hard_link_to_a_file_one_may_write_is_made)
{
	set_up();
	AS(2000, CHECK_OK(link("mine", "all/new")));
}

TEST(hard_link_to_a_special_file_of_another_is_refused)
{
	set_up();
	AS(2000, CHECK_ERRNO(link("all/fifo", "all/new"), EPERM));
}

TEST(hard_link_to_a_setuid_file_of_another_is_refused)
{
	set_up();
	CHECK_OK(chmod("mine", 04777));
	AS(2000, CHECK_ERRNO(link("mine", "all/new"), EPERM));
}

TEST(O_CREAT_does_not_open_a_file_of_another_in_a_sticky_directory)
{
	set_up();
	AS(2000, {
		CHECK_ERRNO(open("all/file", O_CREAT | O_WRONLY, 0600), EACCES);
		CHECK_OK(open("all/file", O_WRONLY));
		CHECK_ERRNO(open("all/file", O_CREAT | O_EXCL | O_WRONLY, 0600), EEXIST);
	});
}

TEST(O_CREAT_does_not_open_a_fifo_of_another_in_a_sticky_directory)
{
	set_up();
	AS(2000, {
		CHECK_ERRNO(open("all/fifo", O_CREAT | O_RDWR, 0600), EACCES);
		CHECK_OK(open("all/fifo", O_RDWR));
	});
}

TEST(O_CREAT_opens_ones_own_in_a_sticky_directory)
{
	set_up();
	AS(1000, {
		CHECK_OK(open("all/file", O_CREAT | O_WRONLY, 0600));
		CHECK_OK(open("all/fifo", O_CREAT | O_RDWR, 0600));
	});
}

TEST(sticky_directory_keeps_names_of_others)
{
	set_up();
	AS(2000, {
		CHECK_ERRNO(unlink("all/file"), EPERM);
		CHECK_ERRNO(rename("all/file", "all/other"), EPERM);
		CHECK_OK(close(CHECK_OK(open("all/own", O_CREAT | O_RDWR, 0600))));
		CHECK_ERRNO(rename("all/own", "all/file"), EPERM);
		CHECK_OK(rename("all/own", "all/other"));
		CHECK_OK(unlink("all/other"));
	});
}

TEST(links_of_others_are_followed_and_made_when_the_rules_are_off)
{
	set_up();
	CHECK_OK(chmod("mine", 0644));
	set("protected_symlinks", "0");
	set("protected_hardlinks", "0");
	AS(2000, {
		CHECK_OK(open("all/link", O_RDONLY));
		CHECK_OK(link("mine", "all/new"));
	});
}

TEST(settings_of_protection_refuse_nonsense)
{
	int fd = CHECK_OK(open("/proc/sys/fs/protected_regular", O_WRONLY));

	CHECK_ERRNO(write(fd, "3", 1), EINVAL);
	CHECK_ERRNO(write(fd, "-1", 2), EINVAL);
	CHECK_ERRNO(write(CHECK_OK(open("/proc/sys/fs/protected_symlinks", O_WRONLY)), "2", 1), EINVAL);
}
