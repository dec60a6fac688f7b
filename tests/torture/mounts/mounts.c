/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - names change under those who walk them: mounts, moves, renames; nobody escapes.
 */
#include <dirent.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>

#include "storm.h"

#define THREADS 4

static volatile bool stop;

static void
run_threads(void *(*body)(void *))
{
	long long end = storm_end();
	pthread_t t[THREADS];

	stop = false;
	for (long i = 0; i < THREADS; i++)
		t[i] = storm_thread(body, (void *)i);
	while (!storm_over(end))
		check_sleep_ms(20);
	stop = true;
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
}

static const char *
random_name(char *buffer)
{
	int depth = 1 + storm_below(3), at = 0;

	for (int i = 0; i < depth; i++)
		at += sprintf(buffer + at, "%s%c", i ? "/" : "", 'a' + storm_below(4));
	return buffer;
}

static void *
renamer(void *arg)
{
	char a[64], b[64], text[512];

	while (!stop) {
		random_name(a);
		random_name(b);
		switch (storm_below(10)) {
		case 0:
		case 1:
			mkdir(a, 0700);
			break;
		case 2:
		case 3:
		case 4:
			rename(a, b);
			break;
		case 5:
			syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, 2 /* exchange */);
			break;
		case 6:
			rmdir(a);
			unlink(b);
			break;
		case 7: {
			int fd = open(a, O_CREAT | O_WRONLY, 0600);

			if (fd >= 0)
				close(fd);
			if (link(a, b) && errno == EDEADLK)
				FAIL("link: EDEADLK");
			break;
		}
		case 8: {
			int fd = open(a, O_RDONLY | O_DIRECTORY);

			if (fd >= 0) {
				while (syscall(SYS_getdents64, fd, text, sizeof(text)) > 0)
					;
				close(fd);
			}
			break;
		}
		default:
			strcat(a, "/../../../..");
			access(a, F_OK);
		}
	}
	return NULL;
}

/* Take the tree below the working directory down: ".." leads back to where a directory was found. */
static void
take_down(int depth)
{
	char names[32][8];
	struct stat self, back;
	struct dirent *e;
	DIR *d = opendir(".");
	int n = 0;

	CHECK(d);
	if (depth > 20000)
		FAIL("a cycle of directories");
	CHECK_OK(stat(".", &self));
	while ((e = readdir(d)) != NULL && n < 32)
		if (e->d_name[0] != '.')
			snprintf(names[n++], sizeof(names[0]), "%.7s", e->d_name);
	closedir(d);
	for (int i = 0; i < n; i++) {
		struct stat st;

		CHECK_OK(lstat(names[i], &st));
		if (!S_ISDIR(st.st_mode)) {
			CHECK_OK(unlink(names[i]));
			continue;
		}
		CHECK_OK(chdir(names[i]));
		take_down(depth + 1);
		CHECK_OK(chdir(".."));
		CHECK_OK(stat(".", &back));
		CHECK_EQ(back.st_ino, self.st_ino);
		CHECK_OK(rmdir(names[i]));
	}
}

static void
rename_body(void)
{
	CHECK_OK(mkdir("tree", 0700));
	CHECK_OK(chdir("tree"));
	run_threads(renamer);
	take_down(0);
	CHECK_OK(chdir(".."));
	CHECK_OK(rmdir("tree"));
}

TEST(renamed_directories_stay_a_tree)
{
	storm_leaves_nothing(rename_body);
}

static void *
mounter(void *arg)
{
	static const char *const place[] = { "m0", "m1", "m2", "m0/d", "m1/d", "m0/d/e" };
	char text[4096];

	while (!stop) {
		const char *a = place[storm_below(6)], *b = place[storm_below(6)];

		switch (storm_below(10)) {
		case 0:
		case 1:
			mount("none", a, "tmpfs", 0, "size=1m");
			break;
		case 2:
			mount(a, b, NULL, MS_BIND | (storm_below(2) ? MS_REC : 0), NULL);
			break;
		case 3:
			mount(a, b, NULL, MS_MOVE, NULL);
			break;
		case 4:
		case 5:
			umount2(a, storm_below(2) ? MNT_DETACH : 0);
			break;
		case 6: {
			char d[32];

			snprintf(d, sizeof(d), "%s/d", a);
			mkdir(d, 0700);
			break;
		}
		case 7: {
			char d[32];

			snprintf(d, sizeof(d), "%s/d", a);
			rename(d, b);
			break;
		}
		case 8: {
			int fd = open("/proc/self/mountinfo", O_RDONLY);

			while (read(fd, text, sizeof(text)) > 0)
				;
			close(fd);
			break;
		}
		default: {
			int fd = open(a, O_RDONLY | O_DIRECTORY);

			if (fd >= 0) {
				fchdir(fd);
				getcwd(text, sizeof(text));
				close(fd);
				chdir("/tmp/mount-storm");
			}
		}
		}
	}
	return NULL;
}

static void
mount_body(void)
{
	static const char *const place[] = { "m0", "m1", "m2" };

	mkdir("/tmp/mount-storm", 0700);
	CHECK_OK(chdir("/tmp/mount-storm"));
	/* A mount of its own, private where mounts are shared, that takes all others along. */
	CHECK_OK(mount("none", "/tmp/mount-storm", "tmpfs", 0, NULL));
	CHECK_OK(chdir("/tmp/mount-storm"));
	mount(NULL, "/tmp/mount-storm", NULL, MS_PRIVATE | MS_REC, NULL);
	for (int i = 0; i < 3; i++)
		CHECK_OK(mkdir(place[i], 0700));
	run_threads(mounter);
	CHECK_OK(chdir("/tmp"));
	for (int i = 0; umount2("/tmp/mount-storm", MNT_DETACH) == 0; i++)
		CHECK(i < 10000);
	rmdir("/tmp/mount-storm");
}

TEST(mounts_come_and_go)
{
	mkdir("/tmp", 0777);
	storm_leaves_nothing(mount_body);
}

/* --- peer groups ------------------------------------------------------------------------------ */

/* A tree that is attached nowhere: made from `a`, put on `b` or forgotten. */
static void
detached(const char *a, const char *b)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, a, 1 /* OPEN_TREE_CLONE */);

	if (fd < 0)
		return;
	if (storm_below(2))
		syscall(SYS_move_mount, fd, "", AT_FDCWD, b, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
	close(fd);
}

/* Mounts on one another at the top only, so that what propagates grows with their number and no faster. */
static void *
grouper(void *arg)
{
	static const char *const top[] = { "m0", "m1", "m2", "m3" };
	static const unsigned long kind[] = { MS_SHARED, MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE };
	char d[16], text[4096];

	while (!stop) {
		const char *a = top[storm_below(4)], *b = top[storm_below(4)];
		int fd;

		snprintf(d, sizeof(d), "%s/d", a);
		switch (storm_below(10)) {
		case 0:
			mount(a, b, NULL, MS_BIND, NULL);
			break;
		case 1:
			mount(NULL, a, NULL, kind[storm_below(5)], NULL);
			break;
		case 2:
			mount("none", d, "tmpfs", 0, "size=1m");
			break;
		case 3:
		case 4:
			umount2(d, storm_below(2) ? MNT_DETACH : 0);
			break;
		case 5:
		case 6:
			umount2(a, storm_below(2) ? MNT_DETACH : 0);
			break;
		case 7:
			detached(a, b);
			break;
		case 8:
			fd = open(d, O_CREAT | O_RDWR, 0600);
			mount(NULL, a, NULL, MS_REMOUNT | MS_BIND | (storm_below(2) ? MS_RDONLY : 0), NULL);
			if (fd >= 0)
				close(fd);
			break;
		default:
			fd = open("/proc/self/mountinfo", O_RDONLY);
			while (read(fd, text, sizeof(text)) > 0)
				;
			close(fd);
		}
	}
	return NULL;
}

/* The same from a namespace that gets all that is shared, and gives. */
static void
group_elsewhere(void)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWNS));
		run_threads(grouper);
		_exit(0);
	}
	run_threads(grouper);
	CHECK_EXIT(pid, 0);
}

/* A bind on a peer makes one on each, and these are peers again: now and then their number doubles with every call. */
static void
allow_mounts(const char *most)
{
	int fd = CHECK_OK(open("/proc/sys/fs/mount-max", O_WRONLY));

	CHECK_OK(write(fd, most, strlen(most)));
	close(fd);
}

static void
group_body(void)
{
	static const char *const dir[] = { "base", "base/d", "m0", "m1", "m2", "m3" };

	allow_mounts("2000");
	mkdir("/tmp/group-storm", 0700);
	CHECK_OK(mount("none", "/tmp/group-storm", "tmpfs", 0, NULL));
	CHECK_OK(chdir("/tmp/group-storm"));
	CHECK_OK(mount(NULL, ".", NULL, MS_PRIVATE, NULL));
	for (int i = 0; i < 6; i++)
		CHECK_OK(mkdir(dir[i], 0700));
	CHECK_OK(mount("base", "m0", NULL, MS_BIND, NULL));
	CHECK_OK(mount(NULL, "m0", NULL, MS_SHARED, NULL));
	for (int i = 3; i < 6; i++)
		CHECK_OK(mount("m0", dir[i], NULL, MS_BIND, NULL));
	group_elsewhere();
	CHECK_OK(chdir("/tmp"));
	for (int i = 0; umount2("/tmp/group-storm", MNT_DETACH) == 0; i++)
		CHECK(i < 10000);
	rmdir("/tmp/group-storm");
	allow_mounts("100000");
}

TEST(groups_of_mounts_come_and_go)
{
	mkdir("/tmp", 0777);
	storm_leaves_nothing(group_body);
}

/* --- escapes ---------------------------------------------------------------------------------- */

static int inside;

static void *
swap_parent(void *arg)
{
	while (!stop) {
		rename("jail/a/b", "outside/b");
		rename("outside/b", "jail/a/b");
	}
	return NULL;
}

/* The jail is a/..; b moves out of it and back while somebody walks up from within b. */
static void
escape_setup(void)
{
	CHECK_OK(mkdir("jail", 0700));
	CHECK_OK(mkdir("jail/a", 0700));
	CHECK_OK(mkdir("jail/a/b", 0700));
	CHECK_OK(mkdir("jail/a/b/c", 0700));
	CHECK_OK(mkdir("outside", 0700));
	check_write_file("secret", "secret", 6);
	check_write_file("outside/secret", "secret", 6);
	inside = CHECK_OK(open("jail", O_PATH | O_DIRECTORY));
}

static void
escape_trials(uint64_t resolve)
{
	static const char *const up[] = { "a/b/c/../../../secret", "a/b/c/../../../../secret", "a/b/../../secret",
					  "a/b/c/../../secret" };
	struct open_how how = { .flags = O_RDONLY, .resolve = resolve };
	long long end = storm_end();
	pthread_t t;

	stop = false;
	t = storm_thread(swap_parent, NULL);
	while (!storm_over(end)) {
		int fd = (int)syscall(SYS_openat2, inside, up[storm_below(4)], &how, sizeof(how));

		if (fd >= 0)
			FAIL("a walk went out of where it was confined to");
	}
	stop = true;
	pthread_join(t, NULL);
}

TEST(resolve_beneath_holds_against_rename)
{
	escape_setup();
	escape_trials(RESOLVE_BENEATH);
}

TEST(resolve_in_root_holds_against_rename)
{
	escape_setup();
	escape_trials(RESOLVE_IN_ROOT);
}

/*
 * A directory below the root that is moved out of it takes along who is in it, on Linux too. So what is
 * checked is that walks which never enter the moving directory stay inside, and that the others end.
 */
TEST(chroot_walks_end)
{
	pid_t pid;
	int status;
	long long end = storm_end();
	pthread_t t;

	escape_setup();
	stop = false;
	t = storm_thread(swap_parent, NULL);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(chroot("jail"));
		CHECK_OK(chdir("/"));
		while (!storm_over(end)) {
			access("/a/b/c/../../../../../../etc/passwd", F_OK);
			if (access("/a/../../../secret", F_OK) == 0)
				_exit(1);
			if (access("/../../outside", F_OK) == 0)
				_exit(2);
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	stop = true;
	pthread_join(t, NULL);
	CHECK_EQ(status, 0);
}
