/* SPDX-License-Identifier: MIT */
/* /proc/PID/task/TID of a thread that has other credentials than its process's first one. */
#include "../check.h"

#include <pthread.h>
#include <sys/prctl.h>

static int out[2];

static void *
be_nobody(void *arg)
{
	char line[32];
	int n;

	(void)arg;
	CHECK_OK(syscall(SYS_setresgid, CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(syscall(SYS_setresuid, CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_OK(prctl(PR_SET_DUMPABLE, 1));
	n = snprintf(line, sizeof(line), "%ld", syscall(SYS_gettid));
	check_write_all(out[1], line, (size_t)n + 1);
	for (;;)
		pause();
	return NULL;
}

static int
read_error(const char *format, int pid, int tid)
{
	char path[64], b[16];
	int fd, error = 0;

	snprintf(path, sizeof(path), format, pid, tid);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return errno;
	if (read(fd, b, sizeof(b)) < 0)
		error = errno;
	close(fd);
	return error;
}

TEST(a_thread_is_inspected_by_what_it_may_itself)
{
	char line[32] = "";
	pthread_t t;
	pid_t pid;
	int tid;

	CHECK_OK(pipe(out));
	pid = check_fork();
	if (pid == 0) {
		CHECK_RETURNS(pthread_create(&t, NULL, be_nobody, NULL), 0);
		for (;;)
			pause();
	}
	CHECK(read(out[0], line, sizeof(line)) > 0);
	tid = atoi(line);
	check_drop_root();
	CHECK_EQ(read_error("/proc/%d/task/%d/io", pid, pid), EACCES);
	CHECK_EQ(read_error("/proc/%d/task/%d/personality", pid, pid), EACCES);
	CHECK_EQ(read_error("/proc/%d/task/%d/personality", pid, tid), 0);
	CHECK_EQ(read_error("/proc/%d/task/%d/auxv", pid, tid), 0);
}
