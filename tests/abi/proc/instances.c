/* SPDX-License-Identifier: MIT */
/* Instances of procfs with options of their own: hidepid=, gid=, subset=pid. */
#include "../check.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>

enum { SEER = 4711 };

static char path[64];

static const char *
below(const char *format, int pid)
{
	int n = snprintf(path, sizeof(path), "/tmp/p/");

	snprintf(path + n, sizeof(path) - (size_t)n, format, pid);
	return path;
}

static void
with(const char *options)
{
	if (mkdir("/tmp/p", 0755) && errno != EEXIST)
		CHECK_OK(-1);
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mount("proc", "/tmp/p", "proc", 0, options));
}

static int
open_error(const char *name)
{
	int fd = open(name, O_RDONLY);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static int
stat_error(const char *name)
{
	struct stat st;

	return stat(name, &st) ? errno : 0;
}

static bool
is_listed(const char *name)
{
	DIR *d = opendir("/tmp/p");
	struct dirent *e;
	bool found = false;

	CHECK(d);
	while ((e = readdir(d)) != NULL)
		found = found || strcmp(e->d_name, name) == 0;
	closedir(d);
	return found;
}

static bool
pid_is_listed(int pid)
{
	char name[16];

	snprintf(name, sizeof(name), "%d", pid);
	return is_listed(name);
}

TEST(closed_processes_are_seen_and_not_entered)
{
	int us = getpid();

	with("hidepid=1");
	CHECK_EQ(open_error(below("%d/stat", 1)), 0);
	if (check_fork() == 0) {
		check_drop_root();
		CHECK_EQ(stat_error(below("%d", 1)), 0);
		CHECK(pid_is_listed(1));
		CHECK_EQ(open_error(below("%d/stat", 1)), EPERM);
		CHECK_EQ(open_error(below("%d/stat", us)), EPERM);
		CHECK_EQ(open_error(below("%d", 1)), EPERM);
		CHECK_EQ(open_error(below("%d/stat", getpid())), 0);
		CHECK_EQ(open_error("/tmp/p/self/status"), 0);
		CHECK_EQ(open_error("/tmp/p/uptime"), 0);
		CHECK_EQ(open_error("/proc/1/stat"), 0); /* another instance */
		_exit(0);
	}
	int status;
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
}

static void
as_nobody_nothing_is_there(void)
{
	check_drop_root();
	CHECK_EQ(stat_error(below("%d", 1)), ENOENT);
	CHECK(open_error(below("%d/stat", 1)) != 0);
	CHECK(!pid_is_listed(1));
	CHECK(pid_is_listed(getpid()));
	CHECK(is_listed("self"));
	CHECK_EQ(open_error("/tmp/p/self/stat"), 0);
	_exit(0);
}

TEST(hidden_processes_are_not_seen)
{
	int status;

	with("hidepid=invisible");
	CHECK(pid_is_listed(1));
	CHECK_EQ(stat_error(below("%d", 1)), 0);
	if (check_fork() == 0)
		as_nobody_nothing_is_there();
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
	CHECK_EQ(stat_error(below("%d", 1)), 0);
	CHECK(pid_is_listed(1));
}

TEST(only_processes_that_could_be_traced_are_there)
{
	int status;

	with("hidepid=ptraceable");
	CHECK(pid_is_listed(1));
	if (check_fork() == 0)
		as_nobody_nothing_is_there();
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
}

TEST(a_group_sees_what_is_hidden)
{
	int status;

	with("hidepid=2,gid=4711");
	if (check_fork() == 0) {
		check_become(SEER, SEER);
		CHECK_EQ(open_error(below("%d/stat", 1)), 0);
		CHECK(pid_is_listed(1));
		_exit(0);
	}
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
	if (check_fork() == 0)
		as_nobody_nothing_is_there();
	CHECK_OK(wait(&status));
	CHECK_EQ(status, 0);
}

TEST(an_instance_of_processes_alone)
{
	with("subset=pid");
	CHECK(pid_is_listed(1));
	CHECK(is_listed("self"));
	CHECK(is_listed("thread-self"));
	CHECK(!is_listed("meminfo"));
	CHECK(!is_listed("sys"));
	CHECK(!is_listed("mounts"));
	CHECK_EQ(open_error("/tmp/p/meminfo"), ENOENT);
	CHECK_EQ(stat_error("/tmp/p/sys/kernel"), ENOENT);
	CHECK_EQ(open_error("/tmp/p/self/stat"), 0);
	CHECK_EQ(open_error("/proc/meminfo"), 0);
}

static void
options_of(char *out, size_t size)
{
	static char text[16384];
	char *line;

	check_read_file("/proc/self/mountinfo", text, sizeof(text));
	line = strstr(text, " /tmp/p ");
	CHECK(line);
	line = strstr(line, " - proc proc ");
	CHECK(line);
	snprintf(out, size, "%.*s", (int)strcspn(line + 13, "\n"), line + 13);
}

TEST(options_are_told_changed_and_refused)
{
	char options[64];

	with("hidepid=2,gid=7");
	options_of(options, sizeof(options));
	CHECK_STR(options, "rw,gid=7,hidepid=invisible");
	CHECK_OK(mount(NULL, "/tmp/p", NULL, MS_REMOUNT, "hidepid=noaccess"));
	options_of(options, sizeof(options));
	CHECK_STR(options, "rw,gid=7,hidepid=noaccess");
	CHECK_ERRNO(mount(NULL, "/tmp/p", NULL, MS_REMOUNT, "hidepid=3"), EINVAL);
	CHECK_ERRNO(mount(NULL, "/tmp/p", NULL, MS_REMOUNT, "subset=all"), EINVAL);
	CHECK_ERRNO(mount(NULL, "/tmp/p", NULL, MS_REMOUNT, "nothing=1"), EINVAL);
	options_of(options, sizeof(options));
	CHECK_STR(options, "rw,gid=7,hidepid=noaccess");
}

TEST(an_instance_that_could_not_be_made_leaves_nothing)
{
	with("hidepid=1");
	for (int i = 0; i < 3; i++) {
		CHECK_ERRNO(mount("none", "/tmp/p", "tmpfs", 0, "size=many"), EINVAL);
		CHECK_ERRNO(mount("none", "/tmp/p", "proc", 0, "subset=none"), EINVAL);
	}
	CHECK_OK(mount("none", "/tmp/p", "tmpfs", 0, NULL));
	CHECK_OK(umount("/tmp/p"));
	CHECK_OK(umount("/tmp/p"));
}
