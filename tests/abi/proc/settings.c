/* SPDX-License-Identifier: MIT */
/* The numbers below /proc/sys: how they are written, and what is refused. */
#include "../check.h"

#define ANY_INT     "/proc/sys/kernel/core_uses_pid"
#define RANGED_INT  "/proc/sys/fs/protected_fifos" /* 0 to 2 */

static char before[64], text[64];

static void
get(const char *path, char *out)
{
	int fd = CHECK_OK(open(path, O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, out, 63));

	out[n] = '\0';
	CHECK_OK(close(fd));
}

static ssize_t taken;

/* Write `value` and say what the file says then; the old value is back afterwards. */
static const char *
put(const char *path, const char *value)
{
	int fd;

	get(path, before);
	fd = CHECK_OK(open(path, O_WRONLY));
	taken = CHECK_OK(write(fd, value, strlen(value)));
	get(path, text);
	CHECK_EQ(pwrite(fd, before, strlen(before), 0), (ssize_t)strlen(before));
	CHECK_OK(close(fd));
	return text;
}

static void
refused(const char *path, const char *value)
{
	int fd = CHECK_OK(open(path, O_WRONLY));

	get(path, before);
	CHECK_ERRNO(write(fd, value, strlen(value)), EINVAL);
	get(path, text);
	CHECK_STR(text, before);
	CHECK_OK(close(fd));
}

TEST(a_number_may_be_among_blanks_and_in_any_base)
{
	CHECK_STR(put(ANY_INT, "5"), "5\n");
	CHECK_STR(put(ANY_INT, "5\n"), "5\n");
	CHECK_STR(put(ANY_INT, " \t 5  \n"), "5\n");
	CHECK_STR(put(ANY_INT, "0x10"), "16\n");
	CHECK_STR(put(ANY_INT, "010"), "8\n");
	CHECK_STR(put(RANGED_INT, "0x2"), "2\n");
}

TEST(what_follows_the_first_number_is_not_taken)
{
	CHECK_STR(put(ANY_INT, " 5  6"), "5\n");
	CHECK_EQ(taken, 4);
	CHECK_STR(put(ANY_INT, "5 x"), "5\n");
	CHECK_EQ(taken, 2);
}

TEST(a_write_that_is_not_at_the_start_says_nothing)
{
	int fd = CHECK_OK(open(ANY_INT, O_RDWR));

	get(ANY_INT, before);
	CHECK_EQ(pwrite(fd, "7", 1, 1), 1);
	CHECK_EQ(pwrite(fd, "x", 1, 1), 1);
	get(ANY_INT, text);
	CHECK_STR(text, before);
}

TEST(the_whole_range_of_an_int)
{
	CHECK_STR(put(ANY_INT, "-1"), "-1\n");
	CHECK_STR(put(ANY_INT, "2147483647"), "2147483647\n");
	CHECK_STR(put(ANY_INT, "-2147483648"), "-2147483648\n");
	refused(ANY_INT, "2147483648");
	refused(ANY_INT, "-2147483649");
	refused(ANY_INT, "99999999999999999999");
}

TEST(no_number_is_refused_and_changes_nothing)
{
	refused(ANY_INT, "x");
	refused(ANY_INT, "1x");
	refused(ANY_INT, "0xg");
	refused(ANY_INT, "-");
	refused(ANY_INT, " ");
}

TEST(out_of_range_is_refused_and_changes_nothing)
{
	refused(RANGED_INT, "3");
	refused(RANGED_INT, "-1");
}

TEST(writing_nothing_changes_nothing)
{
	CHECK_STR(put(ANY_INT, ""), before);
}

TEST(a_setting_that_cannot_be_written_refuses_root)
{
	CHECK_ERRNO(open("/proc/sys/kernel/osrelease", O_WRONLY), EACCES);
	CHECK_ERRNO(open("/proc/sys/kernel/ngroups_max", O_RDWR), EACCES);
	CHECK_ERRNO(chmod(ANY_INT, 0666), EPERM);
}

TEST(others_may_read_but_not_write)
{
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	get(ANY_INT, text);
	CHECK(text[0]);
	CHECK_ERRNO(open(ANY_INT, O_WRONLY), EACCES);
}
