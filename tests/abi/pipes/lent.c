/* SPDX-License-Identifier: MIT */
/*
 * lent.c - memory that vmsplice lends to a pipe, and what becomes of it before it is read.
 */
#include "../check.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

enum { PAGE = 4096, HUGE = 2 << 20 };

static int ends[2];
static char text[HUGE];

static char *
memory(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

/* Where a huge page may be, and is, if there is enough memory. */
static char *
huge_memory(void)
{
	char *p = memory(2 * HUGE), *huge = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	(void)madvise(huge, HUGE, MADV_HUGEPAGE);
	for (int i = 0; i < HUGE; i++)
		huge[i] = (char)(i / PAGE);
	return huge;
}

static ssize_t
lend(const void *p, size_t n, unsigned flags)
{
	struct iovec v = { (void *)(uintptr_t)p, n };

	return vmsplice(ends[1], &v, 1, flags);
}

static void
expect(const char *want, size_t n)
{
	for (size_t got = 0; got < n;)
		got += (size_t)CHECK_OK(read(ends[0], text + got, n - got));
	CHECK_MEM(text, want, n);
}

/* A page that two have since a fork: who lent it and has it no more does not see what the other writes to it. */
TEST(what_another_writes_since_is_not_read)
{
	int ready[2], go[2];
	char *p = memory(PAGE), c = 0;
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(ready));
	CHECK_OK(pipe(go));
	memcpy(p, "before", 6);
	pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(CHECK_OK(lend(p, 6, 0)), 6);
		CHECK_OK(munmap(p, PAGE));
		CHECK_EQ(CHECK_OK(write(ready[1], &c, 1)), 1);
		CHECK_EQ(CHECK_OK(read(go[0], &c, 1)), 1);
		expect("before", 6);
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(read(ready[0], &c, 1)), 1);
	memcpy(p, "secret", 6);
	CHECK_EQ(CHECK_OK(write(go[1], &c, 1)), 1);
	CHECK_EXIT(pid, 0);
	CHECK_MEM(p, "secret", 6);
}

/* What one writes oneself is read; not so after a fork, whose child has the page, too. */
TEST(a_fork_takes_lent_memory_away)
{
	char *p = memory(PAGE);
	pid_t pid;

	CHECK_OK(pipe(ends));
	memcpy(p, "before", 6);
	CHECK_EQ(CHECK_OK(lend(p, 6, 0)), 6);
	memcpy(p, "second", 6);
	pid = check_fork();
	if (pid == 0)
		_exit(0);
	CHECK_EXIT(pid, 0);
	memcpy(p, "third!", 6);
	expect("second", 6);
	CHECK_MEM(p, "third!", 6);
}

TEST(pages_of_a_huge_one_are_lent_and_go)
{
	char *huge = huge_memory(), want[2 * PAGE];

	CHECK_OK(pipe(ends));
	CHECK_EQ(CHECK_OK(lend(huge + 3 * PAGE + 5, 10, 0)), 10);
	CHECK_EQ(CHECK_OK(lend(huge + 7 * PAGE, 2 * PAGE, 0)), 2 * PAGE);
	CHECK_OK(madvise(huge + 3 * PAGE, PAGE, MADV_DONTNEED));
	CHECK(huge[3 * PAGE + 5] == 0);
	CHECK_OK(munmap(huge + 8 * PAGE, PAGE));
	memset(huge + 3 * PAGE, 99, PAGE); /* another page by now */
	memset(want, 3, 10);
	expect(want, 10);
	memset(want, 7, PAGE);
	memset(want + PAGE, 8, PAGE);
	expect(want, 2 * PAGE);
	for (int i = 0; i < HUGE; i++)
		if (i / PAGE != 3 && i / PAGE != 8)
			CHECK(huge[i] == (char)(i / PAGE));
}

/* All of a huge page, and of the program's memory, goes while one byte of it is lent. */
TEST(a_byte_of_what_is_gone_is_read)
{
	CHECK_OK(pipe(ends));
	for (int i = 0; i < 16; i++) {
		char *huge = huge_memory();

		CHECK_EQ(CHECK_OK(lend(huge + i * PAGE, 1, 0)), 1);
		CHECK_OK(munmap(huge, HUGE));
	}
	expect("\0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16);
}

/* What is lent is not added to, in either pipe. */
TEST(what_is_written_behind_lent_memory_is_not_in_it)
{
	char *p = memory(PAGE);
	int other[2];

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(other));
	memcpy(p, "lent, mine", 10);
	CHECK_EQ(CHECK_OK(lend(p, 4, 0)), 4);
	CHECK_EQ(CHECK_OK(tee(ends[0], other[1], 100, 0)), 4);
	CHECK_EQ(CHECK_OK(write(ends[1], "xxxx", 4)), 4);
	CHECK_EQ(CHECK_OK(write(other[1], "yyyy", 4)), 4);
	CHECK_MEM(p, "lent, mine", 10);
	memcpy(p, "LENT", 4);
	expect("LENTxxxx", 8);
	CHECK_EQ(CHECK_OK(read(other[0], text, 100)), 8);
	CHECK_MEM(text, "LENTyyyy", 8);
}

enum { LENDERS = 2, ROUNDS = 400 };

static void *
lender(void *p)
{
	for (int i = 0; i < ROUNDS; i++) {
		struct iovec v = { p, 3 * PAGE };
		size_t left = v.iov_len;

		while (left > 0) {
			ssize_t n = CHECK_OK(vmsplice(ends[1], &v, 1, 0));

			CHECK(n > 0); /* it waits, however fast the others are */
			left -= (size_t)n;
			v.iov_base = (char *)v.iov_base + n;
			v.iov_len = left;
		}
	}
	return NULL;
}

TEST(lenders_to_a_full_pipe_wait)
{
	size_t left = (size_t)LENDERS * ROUNDS * 3 * PAGE;
	pthread_t thread[LENDERS];
	char *p = memory(3 * PAGE);

	CHECK_OK(pipe(ends));
	memset(p, 'l', 3 * PAGE);
	for (int i = 0; i < LENDERS; i++)
		CHECK_EQ(pthread_create(&thread[i], NULL, lender, p), 0);
	while (left > 0)
		left -= (size_t)CHECK_OK(read(ends[0], text, left % 3 ? 2 * PAGE : PAGE));
	for (int i = 0; i < LENDERS; i++)
		CHECK_EQ(pthread_join(thread[i], NULL), 0);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK));
	CHECK_ERRNO(read(ends[0], text, 1), EAGAIN);
}

/* --- the other way ------------------------------------------------------------------------------------------- */

TEST(vmsplice_from_a_pipe_waits_as_its_flags_say)
{
	struct iovec v = { text, 100 };
	pid_t pid;

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(vmsplice(ends[0], &v, 1, SPLICE_F_NONBLOCK), EAGAIN);
	CHECK_OK(fcntl(ends[0], F_SETFL, O_NONBLOCK)); /* which it does not look at */
	pid = check_fork();
	if (pid == 0) {
		usleep(100000);
		CHECK_EQ(CHECK_OK(write(ends[1], "late", 4)), 4);
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(vmsplice(ends[0], &v, 1, 0)), 4);
	CHECK_MEM(text, "late", 4);
	CHECK_EXIT(pid, 0);
	close(ends[1]);
	CHECK_EQ(CHECK_OK(vmsplice(ends[0], &v, 1, SPLICE_F_NONBLOCK)), 0);
}
