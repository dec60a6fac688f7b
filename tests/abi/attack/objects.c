/* SPDX-License-Identifier: MIT */
/*
 * objects.c - objects used where they do not belong, in great depth, or while they go away.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/xattr.h>

#include "check.h"

/* One of each object that a program can hold; -1 where the kernel has none. */
static int
open_kind(int kind)
{
	sigset_t set;
	int fds[2];

	sigemptyset(&set);
	switch (kind) {
	case 0: return eventfd(0, EFD_NONBLOCK);
	case 1: return epoll_create1(0);
	case 2: return timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	case 3: return signalfd(-1, &set, SFD_NONBLOCK);
	case 4: return pipe2(fds, O_NONBLOCK) ? -1 : fds[0];
	case 5: return pipe2(fds, O_NONBLOCK) ? -1 : fds[1];
	case 6: return memfd_create("m", 0);
	case 7: return (int)syscall(SYS_pidfd_open, getpid(), 0);
	case 8: return open("/dev/null", O_RDWR);
	case 9: return open("/dev/ptmx", O_RDWR | O_NOCTTY);
	case 10: return open("/proc/self/maps", O_RDONLY);
	case 11: return open("/proc", O_RDONLY | O_DIRECTORY);
	case 12: return open(".", O_RDONLY | O_DIRECTORY);
	case 13: return open(".", O_PATH);
	default: return -2;
	}
}

TEST(calls_about_files_on_objects_of_every_kind)
{
	char buf[4096];
	struct stat st;
	int fd;

	TIMEOUT(20);
	for (int kind = 0; (fd = open_kind(kind)) != -2; kind++) {
		if (fd < 0)
			continue;
		CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK) == -1 ? 0 : 0);
		fgetxattr(fd, "user.x", buf, sizeof(buf));
		fsetxattr(fd, "user.x", "y", 1, 0);
		flistxattr(fd, buf, sizeof(buf));
		fremovexattr(fd, "user.x");
		CHECK_OK(fstat(fd, &st));
		fchmod(fd, S_ISCHR(st.st_mode) ? 0666 : 0600);
		fchmod(fd, st.st_mode & 07777); /* others use /proc meanwhile and after */
		fchown(fd, 0, 0);
		futimens(fd, NULL);
		(void)!ftruncate(fd, 0);
		posix_fadvise(fd, 0, 0, 0);
		fallocate(fd, 0, 0, 100);
		fsync(fd);
		syncfs(fd);
		lseek(fd, 0, SEEK_DATA);
		lseek(fd, -1, SEEK_END);
		(void)!pread(fd, buf, 10, -1);
		(void)!pwrite(fd, buf, 10, 1ul << 62);
		struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_END, .l_start = -1 };
		fcntl(fd, F_SETLK, &lock);
		for (unsigned int c = 0; c < 64; c++)
			if (c != F_DUPFD && c != F_SETLKW && c != F_OFD_SETLKW && c != F_SETOWN && c != F_SETSIG)
				fcntl(fd, (int)c, buf);
		for (unsigned int c = 0; c < 0x80; c++)
			ioctl(fd, 0x5400 + c, c == 0x20 ? buf : 0);
		syscall(SYS_getdents64, fd, buf, sizeof(buf));
		(void)!readlinkat(fd, "", buf, sizeof(buf));
		openat(fd, "x", O_RDONLY);
		(void)!fchdir(fd);
		int ep = CHECK_OK(epoll_create1(0));
		struct epoll_event e = { .events = EPOLLIN | EPOLLET };
		epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
		epoll_wait(ep, &e, 1, 0);
		close(fd);
		close(ep);
	}
}

TEST(attributes_of_a_handle_without_a_name)
{
	int fd = CHECK_OK(eventfd(0, 0));
	char buf[16];

	CHECK(fgetxattr(fd, "user.x", buf, sizeof(buf)) == -1);
	CHECK(fsetxattr(fd, "user.x", "y", 1, 0) == -1);
	CHECK(fremovexattr(fd, "user.x") == -1);
	CHECK_ERRNO(getxattr(NULL, "user.x", buf, sizeof(buf)), EFAULT);
}

/* A tree far deeper than PATH_MAX: built, asked where it is, left behind in a mount, freed. */
TEST(very_deep_directories)
{
	enum { DEPTH = 6000 };
	char *buf = malloc(1 << 16);

	TIMEOUT(60);
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(chdir("m"));
	for (int i = 0; i < DEPTH; i++) {
		CHECK_OK(mkdir("d", 0755));
		CHECK_OK(chdir("d"));
	}
	CHECK(syscall(SYS_getcwd, buf, 1 << 16) == -1);
	CHECK_EQ(errno, ENAMETOOLONG);
	CHECK(readlink("/proc/self/cwd", buf, 1 << 16) == -1);
	check_write_file("f", "deep", 4);
	CHECK_OK(rename("f", "g"));
	/* All of it is freed at once here: first the mount, then its root's last user. */
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(chdir("/"));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_OK(chdir(".."));
	CHECK_OK(chdir("/"));
}

TEST(deep_mount_is_freed)
{
	enum { DEPTH = 6000 };
	char top[4096];

	TIMEOUT(60);
	CHECK(getcwd(top, sizeof(top)) != NULL);
	for (int detached = 0; detached < 2; detached++) {
		CHECK(mkdir("m", 0755) == 0 || errno == EEXIST);
		CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
		CHECK_OK(chdir("m"));
		for (int i = 0; i < DEPTH; i++) {
			CHECK_OK(mkdir("d", 0755));
			CHECK_OK(chdir("d"));
		}
		if (detached) {
			char m[5000];

			snprintf(m, sizeof(m), "%s/m", top);
			CHECK_OK(umount2(m, MNT_DETACH));
			CHECK_OK(chdir(top));
		} else {
			CHECK_OK(chdir(top));
			CHECK_OK(umount("m"));
		}
	}
}

/* Mounts nested far deeper than a kernel's stack could follow, copied with all that is in them. */
TEST(very_deep_mounts_are_copied)
{
	enum { DEPTH = 500 };
	char top[PATH_MAX];
	pid_t pid = check_fork();

	TIMEOUT(60);
	if (pid == 0) {
		CHECK(getcwd(top, sizeof(top)) != NULL);
		CHECK_OK(mkdir("copy", 0755));
		for (int i = 0; i < DEPTH; i++) {
			CHECK_OK(mkdir("m", 0755));
			CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
			CHECK_OK(chdir("m"));
		}
		check_write_file("f", "deep", 4);
		CHECK_OK(chdir(top));
		CHECK_OK(mount("m", "copy", NULL, MS_BIND | MS_REC, NULL));
		CHECK_OK(chdir("copy"));
		for (int i = 1; i < DEPTH; i++)
			CHECK_OK(chdir("m"));
		CHECK_OK(access("f", F_OK));
		CHECK_OK(chdir(top));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(umount2("copy", MNT_DETACH));
	CHECK_OK(umount2("m", MNT_DETACH));
}

/* Directories removed from below while someone stands in the lowest. */
TEST(removed_from_under_the_feet)
{
	char buf[100];

	CHECK_OK(mkdir("a", 0755));
	CHECK_OK(mkdir("a/b", 0755));
	CHECK_OK(mkdir("a/b/c", 0755));
	CHECK_OK(chdir("a/b/c"));
	CHECK_OK(rmdir("../c"));
	CHECK_OK(rmdir("../../b"));
	CHECK_ERRNO(mkdir("x", 0755), ENOENT);
	CHECK_ERRNO(open("x", O_CREAT | O_WRONLY, 0600), ENOENT);
	CHECK_ERRNO(syscall(SYS_getcwd, buf, sizeof(buf)), ENOENT);
	CHECK_ERRNO(rename("../x", "y"), ENOENT);
	CHECK_OK(chdir(".."));
	CHECK_OK(chdir(".."));
	CHECK_OK(chdir(".."));
	CHECK_OK(rmdir("a"));
}

TEST(epoll_of_epolls)
{
	int a = CHECK_OK(epoll_create1(0)), b = CHECK_OK(epoll_create1(0));
	struct epoll_event e = { .events = EPOLLIN };

	CHECK_ERRNO(epoll_ctl(a, EPOLL_CTL_ADD, a, &e), EINVAL);
	CHECK_OK(epoll_ctl(a, EPOLL_CTL_ADD, b, &e));
	CHECK_ERRNO(epoll_ctl(b, EPOLL_CTL_ADD, a, &e), ELOOP);
	/* A chain is followed only so far. */
	int chain[32], error = 0;
	for (int i = 0; i < 32; i++) {
		chain[i] = CHECK_OK(epoll_create1(0));
		if (i > 0 && epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &e) != 0) {
			error = errno;
			break;
		}
	}
	CHECK_EQ(error, ELOOP);
	CHECK_EQ(epoll_wait(a, &e, 1, 0), 0);
	close(b);
	CHECK_EQ(epoll_wait(a, &e, 1, 0), 0);
}

static int blocked_fd;

static void *
block_in_read(void *arg __attribute__((unused)))
{
	char c;

	return (void *)read(blocked_fd, &c, 1);
}

TEST(close_during_a_blocked_read)
{
	int fds[2];
	pthread_t t;
	void *got;

	CHECK_OK(pipe(fds));
	blocked_fd = fds[0];
	CHECK_RETURNS(pthread_create(&t, NULL, block_in_read, NULL), 0);
	check_sleep_ms(100);
	CHECK_OK(close(fds[0]));
	/* The reader still has it: a byte arrives there and nothing else takes the number's place. */
	check_write_all(fds[1], "x", 1);
	CHECK_RETURNS(pthread_join(t, &got), 0);
	CHECK_EQ((long)got, 1);
	signal(SIGPIPE, SIG_IGN);
	CHECK_ERRNO(write(fds[1], "x", 1), EPIPE);
}

/* Timers that expire faster than anybody can count. */
TEST(timers_of_a_nanosecond)
{
	struct itimerspec fast = { { 0, 1 }, { 0, 1 } };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
	uint64_t count = 0;
	sigset_t set;
	timer_t id;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
	CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &id));
	CHECK_OK(timer_settime(id, 0, &fast, NULL));
	int fd = CHECK_OK(timerfd_create(CLOCK_MONOTONIC, 0));
	CHECK_OK(timerfd_settime(fd, 0, &fast, NULL));
	struct itimerval alarms = { { 0, 1 }, { 0, 1 } };
	signal(SIGALRM, SIG_IGN);
	CHECK_OK(setitimer(ITIMER_REAL, &alarms, NULL));
	check_sleep_ms(50);
	CHECK_EQ(read(fd, &count, 8), 8);
	CHECK(count > 1000000);
	CHECK_OK(timer_delete(id));
	struct itimerspec far = { { INT64_MAX, 999999999 }, { INT64_MAX, 999999999 } };
	CHECK_OK(timerfd_settime(fd, 0, &far, NULL));
	CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL));
	CHECK_OK(timerfd_gettime(fd, &far));
}

static volatile bool stop_opening;

static void *
open_and_close(void *arg)
{
	int at = *(int *)arg;

	for (int kind = 0; !stop_opening; kind = (kind + 1) % 8) {
		int fd = open_kind(kind);

		if (fd >= 0 && fd != at) {
			dup2(fd, at);
			close(fd);
		}
	}
	return NULL;
}

/* Whoever reads about a handle may be the last to hold what it meant. */
TEST(handles_closed_while_they_are_described)
{
	int at[2] = { 200, 201 };
	pthread_t t[2];
	char buf[4096];

	TIMEOUT(20);
	for (int i = 0; i < 2; i++)
		CHECK_RETURNS(pthread_create(&t[i], NULL, open_and_close, &at[i]), 0);
	long long end = check_now_ms() + 1500;
	while (check_now_ms() < end) {
		for (int i = 0; i < 2; i++) {
			char name[40];

			snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", at[i]);
			int fd = open(name, O_RDONLY);
			if (fd >= 0) {
				(void)!read(fd, buf, sizeof(buf));
				close(fd);
			}
		}
		/* Pipes lose an end each time: this closes the other. */
		for (int fd = 3; fd < 190; fd++)
			close(fd);
	}
	stop_opening = true;
	for (int i = 0; i < 2; i++)
		CHECK_RETURNS(pthread_join(t[i], NULL), 0);
}
