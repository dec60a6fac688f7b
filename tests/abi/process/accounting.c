/* SPDX-License-Identifier: MIT */
/* acct(2): a record of each process that ends. */
#include "../check.h"

#include <sys/acct.h>
#include <sys/mount.h>
#include <sys/prctl.h>

/* All cases turn accounting off: it is the machine's. */
static void
off(void)
{
	acct(NULL);
}

static void
on(void)
{
	CHECK_OK(close(CHECK_OK(open("log", O_RDWR | O_CREAT, 0600))));
	CHECK_EQ(atexit(off), 0);
	CHECK_OK(acct("log"));
}

/* The record of `pid`. */
static struct acct_v3
record_of(pid_t pid)
{
	struct acct_v3 r;
	int fd = CHECK_OK(open("log", O_RDONLY));

	while (read(fd, &r, sizeof(r)) == (ssize_t)sizeof(r))
		if (r.ac_pid == (uint32_t)pid) {
			CHECK_OK(close(fd));
			return r;
		}
	FAIL("no record of process %d", pid);
}

TEST(a_record_says_who_ended_and_how)
{
	int status;

	on();
	pid_t child = CHECK_OK(fork());
	if (!child) {
		prctl(PR_SET_NAME, "accounted");
		_exit(7);
	}
	CHECK_EQ(waitpid(child, &status, 0), child);
	CHECK_OK(acct(NULL));
	struct acct_v3 r = record_of(child);
	CHECK_EQ(r.ac_version, 3);
	CHECK_EQ(r.ac_flag & (AFORK | ACORE | AXSIG), AFORK);
	CHECK_EQ(r.ac_exitcode, status);
	CHECK_EQ(r.ac_ppid, getpid());
	CHECK_EQ(r.ac_uid, 0);
	CHECK_EQ(r.ac_gid, 0);
	CHECK_STR(r.ac_comm, "accounted");
	CHECK(r.ac_mem > 0);
	CHECK(r.ac_etime >= 0);
	CHECK(labs((long)r.ac_btime - (long)time(NULL)) < 3600);
}

HELPER(ends)
{
}

TEST(a_program_of_its_own_and_a_signal)
{
	on();
	pid_t program = CHECK_OK(fork());
	if (!program) {
		execl("/proc/self/exe", "check", "--helper", "ends", (char *)NULL);
		_exit(1);
	}
	CHECK_EQ(waitpid(program, NULL, 0), program);
	pid_t killed = CHECK_OK(fork());
	if (!killed) {
		if (setresgid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY) || setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY))
			_exit(1);
		raise(SIGKILL);
	}
	CHECK_EQ(waitpid(killed, NULL, 0), killed);
	CHECK_OK(acct(NULL));
	CHECK_EQ(record_of(program).ac_flag & (AFORK | AXSIG), 0);
	struct acct_v3 r = record_of(killed);
	CHECK_EQ(r.ac_flag & (AFORK | AXSIG), AFORK | AXSIG);
	CHECK_EQ(r.ac_exitcode, SIGKILL);
	CHECK_EQ(r.ac_uid, CHECK_NOBODY);
	CHECK_EQ(r.ac_gid, CHECK_NOBODY);
}

TEST(time_that_was_used_is_told)
{
	on();
	pid_t child = CHECK_OK(fork());
	if (!child) {
		struct timespec t;

		do
			clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
		while (t.tv_sec == 0 && t.tv_nsec < 200000000);
		_exit(0);
	}
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_OK(acct(NULL));
	struct acct_v3 r = record_of(child);
	CHECK(r.ac_utime + r.ac_stime > 0);
	CHECK(r.ac_etime >= 19);
}

TEST(off_and_another_file)
{
	on();
	check_write_file("other", "", 0);
	pid_t child = CHECK_OK(fork());
	if (!child)
		_exit(0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	record_of(child);
	CHECK_OK(acct("other"));
	child = CHECK_OK(fork());
	if (!child)
		_exit(0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_OK(acct(NULL));
	CHECK_OK(rename("other", "log"));
	record_of(child);
	struct stat before, after;
	CHECK_OK(stat("log", &before));
	child = CHECK_OK(fork());
	if (!child)
		_exit(0);
	CHECK_EQ(waitpid(child, NULL, 0), child);
	CHECK_OK(stat("log", &after));
	CHECK_EQ(before.st_size, after.st_size);
	CHECK_OK(acct(NULL)); /* off already */
}

TEST(only_regular_files_and_only_by_root)
{
	char name[NAME_MAX + 2];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	check_write_file("f", "", 0);
	CHECK_OK(symlink("loop", "loop"));
	CHECK_ERRNO(acct("."), EISDIR);
	CHECK_ERRNO(acct("/dev/null"), EACCES);
	CHECK_ERRNO(acct("f/g"), ENOTDIR);
	CHECK_ERRNO(acct("none"), ENOENT);
	CHECK_ERRNO(acct(name), ENAMETOOLONG);
	CHECK_ERRNO(acct("loop"), ELOOP);
	CHECK_ERRNO(acct((char *)8), EFAULT);
	CHECK_OK(mkdir("ro", 0755));
	CHECK_OK(mount("none", "ro", "tmpfs", 0, NULL));
	check_write_file("ro/f", "", 0);
	CHECK_OK(mount("none", "ro", "tmpfs", MS_REMOUNT | MS_RDONLY, NULL));
	CHECK_ERRNO(acct("ro/f"), EROFS);
	CHECK_OK(umount("ro"));
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_ERRNO(acct(NULL), EPERM);
	CHECK_ERRNO(acct("none"), EPERM);
}
