/* SPDX-License-Identifier: MIT */
/* What one process may do with the memory of another: process_madvise(2), process_mrelease(2). */
#include "../check.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#define PAGE 4096ul

static int
pidfd(pid_t pid)
{
	return CHECK_OK(syscall(SYS_pidfd_open, pid, 0));
}

/* Where nothing is mapped. */
static void *
nowhere(void)
{
	void *p = CHECK_OK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_OK(munmap(p, PAGE));
	return p;
}

TEST(another_process_is_advised)
{
	char *p = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec v[3] = { { p, PAGE }, { p + 2 * PAGE, PAGE }, { nowhere(), PAGE } };
	pid_t child;
	int fd, ready[2];
	char c;

	memset(p, 7, 4 * PAGE);
	CHECK_OK(pipe(ready));
	child = check_fork();
	if (child == 0) {
		close(ready[1]);
		CHECK_EQ(read(ready[0], &c, 1), 0);
		for (size_t i = 0; i < 4 * PAGE; i++)
			CHECK_EQ(p[i], 7);
		_exit(0);
	}
	fd = pidfd(child);
	CHECK_EQ(syscall(SYS_process_madvise, fd, v, 2ul, MADV_COLD, 0), 2 * PAGE);
	CHECK_EQ(syscall(SYS_process_madvise, fd, v, 2ul, MADV_PAGEOUT, 0), 2 * PAGE);
	CHECK_EQ(syscall(SYS_process_madvise, fd, v, 2ul, MADV_WILLNEED, 0), 2 * PAGE);
	CHECK_EQ(syscall(SYS_process_madvise, fd, v, 3ul, MADV_COLD, 0), 2 * PAGE);
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, v + 2, 1ul, MADV_COLD, 0), ENOMEM);
	CHECK_EQ(syscall(SYS_process_madvise, fd, v, 0ul, MADV_COLD, 0), 0);
	CHECK_OK(close(ready[1]));
	CHECK_EXIT(child, 0);
	CHECK_ERRNO(syscall(SYS_process_madvise, fd, v, 1ul, MADV_COLD, 0), ESRCH);
}

TEST(what_process_madvise_refuses)
{
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct iovec v = { p, PAGE };
	int self = pidfd(getpid()), init = pidfd(1);

	CHECK_ERRNO(syscall(SYS_process_madvise, self, &v, 1ul, MADV_COLD, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, &v, 1ul, MADV_DONTNEED, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, &v, 1ul, MADV_FREE, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, -1, &v, 1ul, MADV_COLD, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_process_madvise, 0, &v, 1ul, MADV_COLD, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, &v, 1025ul, MADV_COLD, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_madvise, self, check_bad_address(), 1ul, MADV_COLD, 0), EFAULT);
	v.iov_base = p + 1;
	CHECK_ERRNO(syscall(SYS_process_madvise, self, &v, 1ul, MADV_COLD, 0), EINVAL);
	v.iov_base = p;
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_process_madvise, init, &v, 1ul, MADV_COLD, 0), EACCES);
}

TEST(memory_of_a_killed_process_is_released)
{
	pid_t child = check_fork();
	int fd;
	long r;

	if (child == 0) {
		char *p = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		memset(p, 1, 1 << 22);
		for (;;)
			pause();
	}
	fd = pidfd(child);
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 1), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, -1, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_process_mrelease, 0, 0), EBADF);
	CHECK_OK(kill(child, SIGKILL));
	/* It may have been faster. */
	r = syscall(SYS_process_mrelease, fd, 0);
	CHECK(r == 0 || errno == ESRCH);
	CHECK_KILLED(child, SIGKILL);
	CHECK_ERRNO(syscall(SYS_process_mrelease, fd, 0), ESRCH);
}

static void *
hold(void *arg)
{
	for (;;)
		pause();
	return arg;
}

TEST(many_wait_for_the_memory_of_one_with_threads)
{
	pid_t victim = check_fork(), reapers[4];
	int fd;

	if (victim == 0) {
		pthread_t t;

		for (int i = 0; i < 4; i++)
			CHECK_RETURNS(pthread_create(&t, NULL, hold, NULL), 0);
		hold(NULL);
	}
	fd = pidfd(victim);
	for (int i = 0; i < 4; i++) {
		reapers[i] = check_fork();
		if (reapers[i] == 0) {
			long r;

			do
				r = syscall(SYS_process_mrelease, fd, 0);
			while (r != 0 && errno == EINVAL);
			_exit(r == 0 || errno == ESRCH ? 0 : 1);
		}
	}
	CHECK_OK(kill(victim, SIGKILL));
	for (int i = 0; i < 4; i++)
		CHECK_EXIT(reapers[i], 0);
	CHECK_KILLED(victim, SIGKILL);
}
