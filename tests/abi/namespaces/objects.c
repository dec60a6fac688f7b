/* SPDX-License-Identifier: MIT */
/* Namespaces as objects: made, named, entered, asked. */
#include "ns.h"

#define NS_GET_USERNS    _IO(0xb7, 1)
#define NS_GET_PARENT    _IO(0xb7, 2)
#define NS_GET_NSTYPE    _IO(0xb7, 3)
#define NS_GET_OWNER_UID _IO(0xb7, 4)

static const struct {
	const char *name;
	int flag;
} kinds[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mnt", CLONE_NEWNS }, { "net", CLONE_NEWNET },
	{ "uts", CLONE_NEWUTS },       { "user", CLONE_NEWUSER },
};

TEST(links_name_kind_and_number)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64], text[64] = "", want[64];

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
		CHECK(readlink(path, text, sizeof(text) - 1) > 0);
		snprintf(want, sizeof(want), "%s:[%lu]", kinds[i].name, (unsigned long)ns_number(path));
		CHECK_STR(text, want);
	}
	CHECK_EQ(ns_number("/proc/self/ns/pid"), ns_number("/proc/self/ns/pid_for_children"));
}

TEST(unshare_gives_another_and_only_that)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			ino_t before[6], after;

			for (size_t k = 0; k < 6; k++) {
				char path[64];

				snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[k].name);
				before[k] = ns_number(path);
			}
			CHECK_OK(unshare(kinds[i].flag));
			for (size_t k = 0; k < 6; k++) {
				char path[64];

				snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[k].name);
				after = ns_number(path);
				CHECK_EQ(after != before[k], k == i);
				CHECK_EQ(ns_number(path), after);
			}
			_exit(0);
		}
		CHECK_EXIT(pid, 0);
	}
}

TEST(clone_makes_them_too)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64], other[64];
		int fds[2];
		pid_t pid;

		CHECK_OK(pipe(fds));
		pid = CHECK_OK((pid_t)syscall(SYS_clone, kinds[i].flag | SIGCHLD, 0, 0, 0, 0));
		if (pid == 0) {
			char c;

			close(fds[1]);
			if (read(fds[0], &c, 1) != 0)
				_exit(1);
			_exit(0);
		}
		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i].name);
		snprintf(other, sizeof(other), "/proc/%d/ns/%s", pid, kinds[i].name);
		CHECK(ns_number(path) != ns_number(other));
		close(fds[1]);
		close(fds[0]);
		CHECK_EXIT(pid, 0);
	}
}

TEST(wrong_flags)
{
	CHECK_ERRNO(unshare(0x1), EINVAL);
	CHECK_ERRNO(unshare(CLONE_NEWUTS | 0x40), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_FS | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_SYSVSEM | CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWUSER, 0, 0, 0, 0), EINVAL);
}

TEST(need_privilege)
{
	drop_root();
	CHECK_ERRNO(unshare(CLONE_NEWUTS), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWNS), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWNET), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWIPC), EPERM);
	CHECK_ERRNO(unshare(CLONE_NEWCGROUP), EPERM);
	CHECK_ERRNO(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0), EPERM);
	CHECK_OK(unshare(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNS));
}

TEST(host_names_are_apart)
{
	struct utsname u, v;
	pid_t pid;

	CHECK_OK(uname(&u));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWUTS));
		CHECK_OK(uname(&v));
		CHECK_STR(v.nodename, u.nodename);
		CHECK_OK(sethostname("inside", 6));
		CHECK_OK(uname(&v));
		CHECK_STR(v.nodename, "inside");
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(uname(&v));
	CHECK_STR(v.nodename, u.nodename);
}

TEST(setns_goes_back_and_forth)
{
	int home = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC)), other;
	ino_t number = ns_number("/proc/self/ns/uts");

	CHECK_OK(unshare(CLONE_NEWUTS));
	other = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY));
	CHECK_OK(setns(home, CLONE_NEWUTS));
	CHECK_EQ(ns_number("/proc/self/ns/uts"), number);
	CHECK_OK(setns(other, 0));
	CHECK(ns_number("/proc/self/ns/uts") != number);
}

TEST(setns_errors)
{
	int uts = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY)), null = CHECK_OK(open("/dev/null", O_RDONLY));
	int user = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));

	CHECK_ERRNO(setns(uts, CLONE_NEWNET), EINVAL);
	CHECK_ERRNO(setns(null, 0), EINVAL);
	CHECK_ERRNO(setns(-1, 0), EBADF);
	CHECK_ERRNO(setns(user, 0), EINVAL); /* it is there already */
	drop_root();
	CHECK_ERRNO(setns(uts, 0), EPERM);
}

TEST(setns_by_pidfd)
{
	int fds[2], pidfd;
	char c;
	pid_t pid;

	CHECK_OK(pipe(fds));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWUTS | CLONE_NEWIPC));
		CHECK_OK(sethostname("there", 5));
		check_write_all(fds[1], "x", 1);
		pause();
		_exit(0);
	}
	check_read_all(fds[0], &c, 1);
	pidfd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
	CHECK_ERRNO(setns(pidfd, 0), EINVAL);
	CHECK_ERRNO(setns(pidfd, 1), EINVAL);
	CHECK_OK(setns(pidfd, CLONE_NEWUTS | CLONE_NEWIPC));
	{
		struct utsname u;
		char theirs[64];

		CHECK_OK(uname(&u));
		CHECK_STR(u.nodename, "there");
		snprintf(theirs, sizeof(theirs), "/proc/%d/ns/ipc", pid);
		CHECK_EQ(ns_number("/proc/self/ns/ipc"), ns_number(theirs));
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CHECK_ERRNO(setns(pidfd, CLONE_NEWUTS), ESRCH);
}

TEST(ioctls_tell_of_owners)
{
	int uts = CHECK_OK(open("/proc/self/ns/uts", O_RDONLY)), user = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));
	int owner, inner, parent;
	struct stat a, b;
	uid_t uid = 1;

	CHECK_EQ(ioctl(uts, NS_GET_NSTYPE), CLONE_NEWUTS);
	CHECK_EQ(ioctl(user, NS_GET_NSTYPE), CLONE_NEWUSER);
	owner = CHECK_OK(ioctl(uts, NS_GET_USERNS));
	CHECK_OK(fstat(owner, &a));
	CHECK_OK(fstat(user, &b));
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_ERRNO(ioctl(uts, NS_GET_PARENT), EINVAL);
	CHECK_ERRNO(ioctl(user, NS_GET_PARENT), EPERM);
	CHECK_ERRNO(ioctl(uts, NS_GET_OWNER_UID, &uid), EINVAL);
	CHECK_OK(ioctl(user, NS_GET_OWNER_UID, &uid));
	CHECK_EQ(uid, 0);
	CHECK_ERRNO(ioctl(user, NS_GET_OWNER_UID, check_bad_address()), EFAULT);
	CHECK_ERRNO(ioctl(uts, _IO(0xb7, 99)), ENOTTY);
	if (check_fork() == 0) {
		int fd;

		CHECK_OK(unshare(CLONE_NEWUSER));
		inner = CHECK_OK(open("/proc/self/ns/user", O_RDONLY));
		CHECK_ERRNO(ioctl(inner, NS_GET_PARENT), EPERM); /* out of sight */
		(void)fd;
		_exit(0);
	}
	{
		int status;
		wait(&status);
		CHECK_EQ(status, 0);
	}
	(void)parent;
}

TEST(a_bind_mount_keeps_one)
{
	ino_t number;
	pid_t pid;
	int fd;

	CHECK_OK(unshare(CLONE_NEWNS));
	CHECK_OK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	close(CHECK_OK(open("kept", O_CREAT | O_RDWR, 0600)));
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(unshare(CLONE_NEWUTS));
		CHECK_OK(sethostname("kept", 4));
		CHECK_OK(mount("/proc/self/ns/uts", "kept", NULL, MS_BIND, NULL));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	number = ns_number("kept");
	CHECK(number != ns_number("/proc/self/ns/uts"));
	fd = CHECK_OK(open("kept", O_RDONLY));
	CHECK_OK(setns(fd, CLONE_NEWUTS));
	{
		struct utsname u;

		CHECK_OK(uname(&u));
		CHECK_STR(u.nodename, "kept");
	}
	close(fd);
	CHECK_OK(umount2("kept", MNT_DETACH));
}

/* Abstract names of sockets belong to the network. */
#include <sys/socket.h>
#include <sys/un.h>

TEST(abstract_names_are_apart)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0ns-test" };
	socklen_t n = sizeof(sa_family_t) + 8;
	int s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0)), t;

	CHECK_OK(bind(s, (struct sockaddr *)&a, n));
	CHECK_OK(listen(s, 1));
	CHECK_OK(unshare(CLONE_NEWNET));
	t = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_ERRNO(connect(t, (struct sockaddr *)&a, n), ECONNREFUSED);
	CHECK_OK(bind(t, (struct sockaddr *)&a, n));
}
