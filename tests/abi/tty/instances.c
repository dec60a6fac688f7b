/* SPDX-License-Identifier: MIT */
/* Instances of devpts: numbers, options, which ptmx makes terminals of which. */
#include "pty.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

/* Mounts of our own, in a folder where nodes are devices. */
static void
begin(void)
{
	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	CHECK_OK(mkdir("top", 0755));
	CHECK_OK(mount("none", "top", "tmpfs", 0, NULL));
	CHECK_OK(chdir("top"));
	CHECK_OK(mkdir("pts", 0755));
}

static int
number_of(int master)
{
	int n;

	CHECK_OK(ioctl(master, TIOCGPTN, &n));
	return n;
}

static void
unlock(int master)
{
	int no = 0;

	CHECK_OK(ioctl(master, TIOCSPTLCK, &no));
}

/* The options of the mount on ./pts as /proc/mounts has them. */
static bool
shown(const char *options)
{
	char line[1024], where[PATH_MAX], have[512];
	bool found = false;
	FILE *f = fopen("/proc/self/mounts", "re");

	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %4095s devpts %511s", where, have) == 2 && strlen(where) > 4 &&
		    strcmp(where + strlen(where) - 4, "/pts") == 0 && strcmp(where, "/dev/pts") != 0)
			found = strstr(have, options) != NULL;
	fclose(f);
	return found;
}

TEST(each_mount_counts_from_zero)
{
	int first, second, other;

	begin();
	CHECK_OK(mkdir("more", 0755));
	CHECK_OK(mount("none", "pts", "devpts", 0, "ptmxmode=666"));
	CHECK_OK(mount("none", "more", "devpts", 0, "ptmxmode=666"));
	first = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	second = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	other = CHECK_OK(open("more/ptmx", O_RDWR | O_NOCTTY));
	CHECK_EQ(number_of(first), 0);
	CHECK_EQ(number_of(second), 1);
	CHECK_EQ(number_of(other), 0);
	CHECK_OK(access("pts/1", F_OK));
	CHECK_ERRNO(access("more/1", F_OK), ENOENT);
	close(first);
	CHECK_ERRNO(access("pts/0", F_OK), ENOENT);
	CHECK_OK(access("more/0", F_OK));
	first = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_EQ(number_of(first), 0);
}

TEST(terminals_of_two_instances_are_two)
{
	int first, other, a, b;

	begin();
	CHECK_OK(mkdir("more", 0755));
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	CHECK_OK(mount("none", "more", "devpts", 0, NULL));
	first = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	other = CHECK_OK(open("more/ptmx", O_RDWR | O_NOCTTY));
	unlock(first);
	unlock(other);
	a = CHECK_OK(open("pts/0", O_RDWR | O_NOCTTY));
	b = CHECK_OK(open("more/0", O_RDWR | O_NOCTTY));
	pty_type(first, "one\n");
	pty_type(other, "two\n");
	pty_expect(a, "one\n");
	pty_expect(b, "two\n");
	pty_expect_nothing(a);
}

TEST(options_say_who_owns_the_nodes)
{
	struct stat st;
	int master;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, "uid=7,gid=5,mode=620,ptmxmode=640"));
	CHECK(shown("uid=7,gid=5,mode=620,ptmxmode=640"));
	CHECK_OK(stat("pts/ptmx", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0640);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_gid, 0);
	CHECK_EQ(st.st_rdev, makedev(5, 2));
	CHECK_EQ(st.st_ino, 2);
	master = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(stat("pts/0", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0620);
	CHECK_EQ(st.st_uid, 7);
	CHECK_EQ(st.st_gid, 5);
	CHECK_EQ(st.st_rdev, makedev(136, 0));
	CHECK_EQ(st.st_ino, 3);
	close(master);
}

TEST(without_options_only_the_opener_may)
{
	struct stat st;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	CHECK(shown("mode=600,ptmxmode=000"));
	CHECK_OK(stat("pts/ptmx", &st));
	CHECK_EQ(st.st_mode, S_IFCHR);
	CHECK_OK(setegid(9));
	CHECK_OK(seteuid(8));
	CHECK_ERRNO(open("pts/ptmx", O_RDWR | O_NOCTTY), EACCES);
	CHECK_OK(seteuid(0));
	CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(stat("pts/0", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0600);
	CHECK_EQ(st.st_uid, 0);
	CHECK_EQ(st.st_gid, 9);
}

TEST(options_that_are_wrong)
{
	begin();
	CHECK_ERRNO(mount("none", "pts", "devpts", 0, "mode=9"), EINVAL);
	CHECK_ERRNO(mount("none", "pts", "devpts", 0, "uid=x"), EINVAL);
	CHECK_ERRNO(mount("none", "pts", "devpts", 0, "max=1048577"), EINVAL);
	CHECK_ERRNO(mount("none", "pts", "devpts", 0, "nonsense"), EINVAL);
	CHECK_ERRNO(mount("none", "pts", "devpts", 0, "size=3"), EINVAL);
	CHECK_OK(mount("none", "pts", "devpts", 0, "newinstance,,max=1048576"));
	CHECK(!shown("max="));
}

TEST(remount_sets_anew_what_it_does_not_name)
{
	struct stat st;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, "gid=5,mode=620,ptmxmode=666,max=9"));
	CHECK_OK(mount("none", "pts", "devpts", MS_REMOUNT, "ptmxmode=600"));
	CHECK(shown("rw,relatime,mode=600,ptmxmode=600"));
	CHECK_OK(stat("pts/ptmx", &st));
	CHECK_EQ(st.st_mode, S_IFCHR | 0600);
	CHECK_ERRNO(mount("none", "pts", "devpts", MS_REMOUNT, "nonsense"), EINVAL);
}

TEST(max_limits_an_instance)
{
	int first;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, "max=2"));
	CHECK(shown("max=2"));
	first = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_ERRNO(open("pts/ptmx", O_RDWR | O_NOCTTY), ENOSPC);
	CHECK_OK(close(first));
	CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
}

TEST(a_ptmx_elsewhere_goes_by_the_name_beside_it)
{
	int master;

	begin();
	CHECK_OK(mknod("ptmx", S_IFCHR | 0666, makedev(5, 2)));
	CHECK_ERRNO(open("ptmx", O_RDWR | O_NOCTTY), ENODEV); /* pts is a directory and no devpts */
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	master = CHECK_OK(open("ptmx", O_RDWR | O_NOCTTY));
	CHECK_EQ(number_of(master), 0);
	CHECK_OK(access("pts/0", F_OK));
	/* A tmpfs on top hides it. */
	CHECK_OK(mount("none", "pts", "tmpfs", 0, NULL));
	CHECK_ERRNO(open("ptmx", O_RDWR | O_NOCTTY), ENODEV);
	CHECK_OK(umount("pts"));
	CHECK_OK(open("ptmx", O_RDWR | O_NOCTTY));
	CHECK_OK(access("pts/1", F_OK));
	CHECK_OK(rename("ptmx", "other"));
	CHECK_OK(open("other", O_RDWR | O_NOCTTY));
}

TEST(peer_has_the_name_beside_its_master)
{
	char want[PATH_MAX], have[PATH_MAX], link[64], cwd[PATH_MAX - 16];
	int master, peer;
	ssize_t n;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	master = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO); /* locked */
	unlock(master);
	peer = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(want, sizeof(want), "%s/pts/0", cwd);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", peer);
	n = CHECK_OK(readlink(link, have, sizeof(have) - 1));
	have[n] = '\0';
	CHECK_STR(have, want);
	/* Something mounted over the name hides it from others, not from the master. */
	CHECK_OK(mount("/dev/null", "pts/0", NULL, MS_BIND, NULL));
	CHECK(!isatty(CHECK_OK(open("pts/0", O_RDWR | O_NOCTTY))));
	CHECK(isatty(CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY))));
}

TEST(terminals_outlive_the_mount)
{
	int master, peer;

	begin();
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	master = CHECK_OK(open("pts/ptmx", O_RDWR | O_NOCTTY));
	unlock(master);
	CHECK_ERRNO(umount("pts"), EBUSY);
	CHECK_OK(umount2("pts", MNT_DETACH));
	CHECK_ERRNO(access("pts/0", F_OK), ENOENT);
	peer = CHECK_OK(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	pty_type(master, "still\n");
	pty_expect(peer, "still\n");
	CHECK_OK(close(master));
	CHECK_EQ(read(peer, &(char){ 0 }, 1), 0);
}

TEST(master_of_a_node_elsewhere_outlives_the_mount)
{
	int master;

	begin();
	CHECK_OK(mknod("ptmx", S_IFCHR | 0666, makedev(5, 2)));
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	master = CHECK_OK(open("ptmx", O_RDWR | O_NOCTTY));
	unlock(master);
	/* The master is not in the mount, which is free to go; then no peer can be had. */
	CHECK_OK(umount("pts"));
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), ENODEV);
	CHECK_OK(mount("none", "pts", "devpts", 0, NULL));
	CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), ENODEV);
	CHECK_EQ(number_of(CHECK_OK(open("ptmx", O_RDWR | O_NOCTTY))), 0);
}

TEST(a_user_namespace_has_terminals_of_its_own)
{
	struct stat st;
	pid_t pid = check_fork();

	if (pid == 0) {
		int fd;

		CHECK_OK(unshare(CLONE_NEWUSER | CLONE_NEWNS));
		fd = CHECK_OK(open("/proc/self/setgroups", O_WRONLY));
		CHECK_EQ(write(fd, "deny", 4), 4);
		fd = CHECK_OK(open("/proc/self/uid_map", O_WRONLY));
		CHECK_EQ(write(fd, "0 0 1", 5), 5);
		fd = CHECK_OK(open("/proc/self/gid_map", O_WRONLY));
		CHECK_EQ(write(fd, "0 0 1", 5), 5);
		CHECK_OK(mkdir("own", 0755));
		CHECK_ERRNO(mount("none", "own", "devpts", 0, "gid=5"), EINVAL); /* not mapped */
		CHECK_OK(mount("none", "own", "devpts", 0, "mode=620,ptmxmode=666"));
		CHECK_EQ(number_of(CHECK_OK(open("own/ptmx", O_RDWR | O_NOCTTY))), 0);
		CHECK_OK(stat("own/0", &st));
		CHECK_EQ(st.st_mode, S_IFCHR | 0620);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}
