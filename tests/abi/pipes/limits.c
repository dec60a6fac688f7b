/* SPDX-License-Identifier: MIT */
/* How much of pipes a user may have: /proc/sys/fs/pipe-user-pages-soft and -hard. */
#include "../check.h"

#define SOFT "/proc/sys/fs/pipe-user-pages-soft"
#define HARD "/proc/sys/fs/pipe-user-pages-hard"

enum { PAGE = 4096, USER = 4711 };

static char old_soft[32], old_hard[32];

static void
set(const char *path, const char *text)
{
	int fd = CHECK_OK(open(path, O_WRONLY));

	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

/* The settings are everybody's: kept short, and put back by who watches the case that sets them. */
static void
with_limits(const char *soft, const char *hard, void (*run)(void))
{
	pid_t pid;
	int status;

	check_read_file(SOFT, old_soft, sizeof(old_soft));
	check_read_file(HARD, old_hard, sizeof(old_hard));
	set(SOFT, soft);
	set(HARD, hard);
	pid = check_fork();
	if (pid == 0) {
		check_become(USER, USER);
		run();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	set(SOFT, old_soft);
	set(HARD, old_hard);
	CHECK_EQ(status, 0);
}

static void
beyond_soft(void)
{
	int a[2], b[2], c[2];

	CHECK_OK(pipe(a));
	CHECK_EQ(fcntl(a[0], F_GETPIPE_SZ), 16 * PAGE);
	CHECK_OK(pipe(b));
	CHECK_EQ(fcntl(b[0], F_GETPIPE_SZ), 16 * PAGE);
	CHECK_OK(pipe(c));
	CHECK_EQ(fcntl(c[0], F_GETPIPE_SZ), 2 * PAGE);
	CHECK_ERRNO(fcntl(c[0], F_SETPIPE_SZ, 4 * PAGE), EPERM);
	CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, PAGE), PAGE);
	CHECK_EQ(fcntl(c[0], F_SETPIPE_SZ, 4 * PAGE), 4 * PAGE);
	close(b[0]);
	close(b[1]);
	CHECK_OK(pipe(b));
	CHECK_EQ(fcntl(b[0], F_GETPIPE_SZ), 16 * PAGE);
}

TEST(beyond_the_soft_limit_pipes_are_small)
{
	with_limits("33", "0", beyond_soft);
}

static void
beyond_hard(void)
{
	int a[2], b[2];

	CHECK_OK(pipe(a));
	CHECK_ERRNO(pipe(b), ENFILE);
	CHECK_ERRNO(fcntl(a[0], F_SETPIPE_SZ, 32 * PAGE), EPERM);
	CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, 2 * PAGE), 2 * PAGE);
	CHECK_OK(mkfifo("/tmp/pipe-limit", 0600));
	CHECK_OK(open("/tmp/pipe-limit", O_RDWR));
	unlink("/tmp/pipe-limit");
}

TEST(beyond_the_hard_limit_there_are_no_pipes)
{
	with_limits("0", "20", beyond_hard);
}

static void
beyond_both(void)
{
	int a[2], b[2], c[2];

	CHECK_OK(pipe(a));
	CHECK_OK(pipe(b));
	CHECK_EQ(fcntl(b[0], F_GETPIPE_SZ), 2 * PAGE);
	CHECK_OK(pipe(c));
	CHECK_ERRNO(pipe(c), ENFILE);
}

TEST(beyond_both_limits_the_hard_one_counts)
{
	with_limits("16", "20", beyond_both);
}

TEST(the_privileged_have_no_limit)
{
	int p[2];

	check_read_file(SOFT, old_soft, sizeof(old_soft));
	check_read_file(HARD, old_hard, sizeof(old_hard));
	set(SOFT, "1");
	set(HARD, "1");
	int error = pipe(p) ? errno : 0;
	set(SOFT, old_soft);
	set(HARD, old_hard);
	CHECK_EQ(error, 0);
	CHECK_EQ(fcntl(p[0], F_GETPIPE_SZ), 16 * PAGE);
}
