/* SPDX-License-Identifier: MIT */
/* The table of fds: dup and its relatives, fcntl, close ranges, close-on-exec, locks. */
#include "../check.h"

#include <linux/close_range.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static bool
is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

TEST(dup_gives_lowest_and_shares_offset)
{
	check_write_file("f", "abcdef", 6);
	int a = CHECK_OK(open("f", O_RDONLY));
	int b = CHECK_OK(dup(a));
	char c;

	CHECK_EQ(b, a + 1);
	CHECK_EQ(read(a, &c, 1), 1);
	CHECK_EQ(read(b, &c, 1), 1);
	CHECK_EQ(c, 'b');
	CHECK_OK(close(a));
	CHECK_EQ(read(b, &c, 1), 1);
	CHECK_EQ(c, 'c');
	CHECK_ERRNO(dup(a), EBADF);
	CHECK_ERRNO(dup(-1), EBADF);
}

TEST(dup2_replaces_and_clears_cloexec)
{
	int a = CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));
	int b = CHECK_OK(open("/dev/zero", O_RDONLY | O_CLOEXEC));
	char c;

	CHECK_EQ(dup2(a, b), b);
	CHECK_EQ(read(b, &c, 1), 0);
	CHECK_EQ(fcntl(b, F_GETFD), 0);
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
}

TEST(dup2_same_fd_does_nothing)
{
	int a = CHECK_OK(open("/dev/null", O_RDONLY | O_CLOEXEC));

	CHECK_EQ(dup2(a, a), a);
	CHECK_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(dup2(200, 200), EBADF);
	CHECK_ERRNO(dup2(200, 3), EBADF);
	CHECK_ERRNO(dup2(a, -1), EBADF);
	CHECK_ERRNO(dup2(a, 0x7fffffff), EBADF);
}

TEST(dup2_to_high_fd_grows_the_table)
{
	CHECK_EQ(dup2(0, 1000), 1000);
	CHECK(is_open(1000));
	CHECK(!is_open(999));
}

TEST(dup3_flags_and_errors)
{
	int a = CHECK_OK(open("/dev/null", O_RDONLY));

	CHECK_EQ(dup3(a, a + 5, O_CLOEXEC), a + 5);
	CHECK_EQ(fcntl(a + 5, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(dup3(a, a, 0), EINVAL);
	CHECK_ERRNO(dup3(a, a + 6, O_NONBLOCK), EINVAL);
	CHECK_ERRNO(dup3(200, a + 6, 0), EBADF);
}

TEST(fcntl_dupfd_takes_lowest_from_minimum)
{
	CHECK_EQ(fcntl(0, F_DUPFD, 100), 100);
	CHECK_EQ(fcntl(0, F_DUPFD, 100), 101);
	CHECK_EQ(fcntl(0, F_DUPFD_CLOEXEC, 100), 102);
	CHECK_EQ(fcntl(102, F_GETFD), FD_CLOEXEC);
	CHECK_ERRNO(fcntl(0, F_DUPFD, -1), EINVAL);
	CHECK_ERRNO(fcntl(0, F_DUPFD, 0x7fffffff), EINVAL);
	CHECK_ERRNO(fcntl(200, F_DUPFD, 0), EBADF);
}

TEST(fcntl_unknown_command_is_einval)
{
	CHECK_ERRNO(fcntl(0, 9999, 0), EINVAL);
	CHECK_ERRNO(fcntl(200, F_GETFL), EBADF);
}

TEST(fcntl_setfd_is_per_fd_and_setfl_is_shared)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	int copy = CHECK_OK(dup(ends[0]));
	CHECK_OK(fcntl(ends[0], F_SETFD, FD_CLOEXEC));
	CHECK_EQ(fcntl(copy, F_GETFD), 0);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_EQ(fcntl(copy, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	char c;
	CHECK_ERRNO(read(copy, &c, 1), EAGAIN);
}

TEST(fcntl_setfl_cannot_change_access_mode)
{
	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_RDONLY));

	CHECK_OK(fcntl(fd, F_SETFL, O_RDWR | O_APPEND));
	CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND), O_RDONLY | O_APPEND);
	CHECK_ERRNO(write(fd, "x", 1), EBADF);
	CHECK_OK(fcntl(fd, F_SETFL, 0));
	CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, 0);
}

TEST(fcntl_getfl_does_not_show_creation_flags)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_EXCL | O_TRUNC | O_APPEND, 0600));
	int flags = CHECK_OK(fcntl(fd, F_GETFL));

	CHECK_EQ(flags & (O_ACCMODE | O_APPEND | O_CREAT | O_EXCL | O_TRUNC), O_RDWR | O_APPEND);
}

TEST(ioctl_fionbio_and_fioclex)
{
	int ends[2], on = 1;
	char c;

	CHECK_OK(pipe(ends));
	CHECK_OK(ioctl(ends[0], FIONBIO, &on));
	CHECK_EQ(fcntl(ends[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK_ERRNO(read(ends[0], &c, 1), EAGAIN);
	CHECK_OK(ioctl(ends[0], FIOCLEX));
	CHECK_EQ(fcntl(ends[0], F_GETFD), FD_CLOEXEC);
	CHECK_OK(ioctl(ends[0], FIONCLEX));
	CHECK_EQ(fcntl(ends[0], F_GETFD), 0);
	CHECK_ERRNO(ioctl(ends[0], FIONBIO, NULL), EFAULT);
	CHECK_ERRNO(ioctl(200, FIONBIO, &on), EBADF);
}

TEST(ioctl_unknown_is_enotty)
{
	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_RDONLY));

	CHECK_ERRNO(ioctl(fd, 0x12345678, 0), ENOTTY);
	CHECK_EQ(isatty(fd), 0);
	CHECK_EQ(errno, ENOTTY);
}

TEST(close_makes_the_fd_free)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY));

	CHECK_OK(close(fd));
	CHECK_ERRNO(close(fd), EBADF);
	CHECK_EQ(open("/dev/null", O_RDONLY), fd);
}

TEST(close_range_closes_and_marks)
{
	for (int fd = 20; fd < 30; fd++)
		CHECK_EQ(dup2(0, fd), fd);
	CHECK_OK(close_range(22, 24, 0));
	CHECK(is_open(21) && !is_open(22) && !is_open(24) && is_open(25));
	CHECK_OK(close_range(26, 27, CLOSE_RANGE_CLOEXEC));
	CHECK_EQ(fcntl(26, F_GETFD), FD_CLOEXEC);
	CHECK_EQ(fcntl(28, F_GETFD), 0);
	CHECK_ERRNO(close_range(10, 5, 0), EINVAL);
	CHECK_ERRNO(close_range(10, 12, 0x80), EINVAL);
	CHECK_OK(close_range(5000, ~0U, 0));
}

TEST(close_range_to_the_end)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		for (int fd = 20; fd < 30; fd++)
			CHECK_EQ(dup2(0, fd), fd);
		CHECK_OK(close_range(23, ~0U, 0));
		_exit(is_open(22) && !is_open(23) && !is_open(29) ? 0 : 5);
	}
	CHECK_EXIT(pid, 0);
}

TEST(close_range_unshare_leaves_the_other_table)
{
	CHECK_EQ(dup2(0, 20), 20);
	CHECK_OK(close_range(20, 20, CLOSE_RANGE_UNSHARE));
	CHECK(!is_open(20));
}

TEST(cloexec_closes_on_exec_only)
{
	int keep = CHECK_OK(dup2(0, 30));
	int drop = CHECK_OK(fcntl(0, F_DUPFD_CLOEXEC, 31));
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK(is_open(keep) && is_open(drop));
		execl("/proc/self/exe", "x", "--helper", "fd_30_is_open_and_31_is_not", NULL);
		_exit(100);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(fd_30_is_open_and_31_is_not)
{
	_exit(is_open(30) && !is_open(31) ? 0 : 1);
}

TEST(proc_self_fd_lists_open_fds)
{
	char path[40], target[PATH_MAX];
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK_STR(strrchr(target, '/'), "/f");
	CHECK_OK(unlink("f"));
	n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK(strstr(target, "/f (deleted)"));
	CHECK_OK(close(fd));
	CHECK_ERRNO(readlink(path, target, sizeof(target)), ENOENT);
}

TEST(proc_self_fd_reopens_the_file)
{
	char path[40];

	check_write_file("f", "abc", 3);
	int r = CHECK_OK(open("f", O_RDONLY));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r);
	CHECK_OK(unlink("f"));
	int w = CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(write(w, "xyz", 3), 3);
	char text[4] = "";
	CHECK_EQ(read(r, text, 3), 3);
	CHECK_STR(text, "xyz");
}

TEST(fd_table_is_copied_by_fork)
{
	int fd = CHECK_OK(open("/dev/null", O_RDONLY));
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(close(fd));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK(is_open(fd));
}

TEST(flock_excludes_other_descriptions)
{
	int a = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	int b = CHECK_OK(open("f", O_RDWR));

	CHECK_OK(flock(a, LOCK_EX));
	CHECK_ERRNO(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK_OK(flock(dup(a), LOCK_EX | LOCK_NB));
	CHECK_OK(flock(a, LOCK_SH));
	CHECK_OK(flock(b, LOCK_SH | LOCK_NB));
	CHECK_OK(flock(b, LOCK_UN));
	CHECK_ERRNO(flock(a, 77), EINVAL);
	CHECK_ERRNO(flock(200, LOCK_EX), EBADF);
}

TEST(record_locks_are_per_process)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(fcntl(fd, F_SETLK, &lock));
	CHECK_OK(fcntl(fd, F_SETLK, &lock));
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		struct flock other = { .l_type = F_WRLCK, .l_start = 15, .l_len = 1 };
		errno = 0;
		CHECK_EQ(fcntl(fd, F_SETLK, &other), -1);
		CHECK(errno == EAGAIN || errno == EACCES);
		CHECK_OK(fcntl(fd, F_GETLK, &other));
		CHECK_EQ(other.l_type, F_WRLCK);
		CHECK_EQ(other.l_pid, parent);
		CHECK_EQ(other.l_start, 10);
		CHECK_EQ(other.l_len, 10);
		other = (struct flock){ .l_type = F_WRLCK, .l_start = 20, .l_len = 1 };
		CHECK_OK(fcntl(fd, F_SETLK, &other));
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	lock.l_type = 77;
	CHECK_ERRNO(fcntl(fd, F_SETLK, &lock), EINVAL);
	CHECK_ERRNO(fcntl(fd, F_SETLK, NULL), EFAULT);
}

TEST(fcntl_getown_and_setown)
{
	int ends[2];

	CHECK_OK(pipe(ends));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
	CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
	CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
}
