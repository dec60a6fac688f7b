/* SPDX-License-Identifier: MIT */
/*
 * check.h - the frame around the ABI tests.
 *
 * An ABI test is an ordinary Linux program that knows what a Linux system call does. It runs on
 * Debian's kernel, where it must pass, and on ours, where it shows what is missing. One static
 * program per topic; its cases are functions:
 *
 *	TEST(append_writes_at_the_end)
 *	{
 *		int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_APPEND, 0600));
 *		...
 *	}
 *
 * Each case runs in a forked child of its own: in a fresh scratch directory (its working
 * directory), in its own process group, as root, umask 022, fds 0 to 2 on /dev/null, all
 * signals at their defaults and unblocked. The first CHECK that fails ends the process that made
 * it; a CHECK may also be made in a child or a thread of the case. Fd CHECK_FD is the case's way
 * to report and must stay open. A case that runs for over ten seconds is killed and fails;
 * TIMEOUT(seconds), as the first statement, asks for longer. CHECK_PATIENCE in the environment multiplies
 * all these, for machines that are slow on purpose.
 *
 * Processes that are still in the case's process group when it ends are killed.
 */
#ifndef ABI_CHECK_H
#define ABI_CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The cases make wrong calls on purpose; the compiler need not point them out. */
#pragma GCC diagnostic ignored "-Wpragmas"
#pragma GCC diagnostic ignored "-Wunknown-warning-option"
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#pragma GCC diagnostic ignored "-Wstringop-overread"
#pragma GCC diagnostic ignored "-Warray-bounds"
#pragma GCC diagnostic ignored "-Wnonnull"

enum {
	CHECK_FD = 250,       /* the report pipe inside a case */
	CHECK_SKIPPED = 77,   /* exit status of a case that skips itself */
	CHECK_NOBODY = 65534, /* a uid and gid without rights */
};

struct check_case {
	const char        *file;
	const char        *name;
	void             (*run)(void);
	struct check_case *next;
};

struct check_helper {
	const char          *name;
	void               (*run)(int argc, char **argv);
	struct check_helper *next;
};

void check_register(struct check_case *c);
void check_register_helper(struct check_helper *h);
void check_fail(const char *file, int line, const char *format, ...)
	__attribute__((format(printf, 3, 4), noreturn));
void check_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
void check_timeout(int seconds);

#define TEST(case_name)                                                                            \
	static void test_##case_name(void);                                                        \
	static struct check_case case_##case_name = {                                              \
		.file = __FILE__, .name = #case_name, .run = test_##case_name,                     \
	};                                                                                         \
	__attribute__((constructor)) static void register_##case_name(void)                        \
	{                                                                                          \
		check_register(&case_##case_name);                                                 \
	}                                                                                          \
	static void test_##case_name(void)

/*
 * A program that a case may exec: /proc/self/exe with the arguments "--helper", NAME, ... runs the
 * body, which sees `argc`, `argv` (from NAME on) and `environ`. Falling off its end exits with 0.
 */
#define HELPER(helper_name)                                                                        \
	static void helper_##helper_name(int argc, char **argv);                                   \
	static struct check_helper entry_##helper_name = {                                         \
		.name = #helper_name, .run = helper_##helper_name,                                 \
	};                                                                                         \
	__attribute__((constructor)) static void register_helper_##helper_name(void)               \
	{                                                                                          \
		check_register_helper(&entry_##helper_name);                                       \
	}                                                                                          \
	static void helper_##helper_name(int argc __attribute__((unused)),                         \
					 char **argv __attribute__((unused)))

#define TIMEOUT(seconds) check_timeout(seconds)
#define SKIP(...)        check_skip(__VA_ARGS__)
#define FAIL(...)        check_fail(__FILE__, __LINE__, __VA_ARGS__)

/* The condition holds. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			FAIL("%s (got false, want true)", #cond);                                  \
	} while (0)

/* Two integers (or pointers cast to them) are equal: what was got, then what is wanted. */
#define CHECK_EQ(got, want)                                                                        \
	do {                                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);                      \
		if (got_ != want_)                                                                 \
			FAIL("%s (got %lld, want %lld)", #got, got_, want_);                       \
	} while (0)

#define CHECK_STR(got, want)                                                                       \
	do {                                                                                       \
		const char *gots_ = (got), *wants_ = (want);                                       \
		if (strcmp(gots_, wants_) != 0)                                                    \
			FAIL("%s (got \"%s\", want \"%s\")", #got, gots_, wants_);                 \
	} while (0)

/* The memory at `got` holds the `size` bytes at `want`. */
#define CHECK_MEM(got, want, size)                                                                 \
	do {                                                                                       \
		if (memcmp(got, want, size) != 0)                                                  \
			FAIL("%s (got other bytes, want those of %s)", #got, #want);               \
	} while (0)

/* A call in libc's manner does not return -1. Its value is what it returned. */
#define CHECK_OK(expr)                                                                             \
	({                                                                                         \
		errno = 0;                                                                         \
		__typeof__(expr) value_ = (expr);                                                  \
		if ((long)value_ == -1)                                                            \
			FAIL("%s (got %s, want success)", #expr, check_error_name(errno));         \
		value_;                                                                            \
	})

/* A call in libc's manner returns -1 and this errno. */
#define CHECK_ERRNO(expr, error)                                                                   \
	do {                                                                                       \
		errno = 0;                                                                         \
		long long value_ = (long long)(expr);                                              \
		int error_ = errno;                                                                \
		if (value_ != -1)                                                                  \
			FAIL("%s (got %lld, want -1 and %s)", #expr, value_, #error);              \
		if (error_ != (error))                                                             \
			FAIL("%s (got %s, want %s)", #expr, check_error_name(error_), #error);     \
	} while (0)

/* A call in the manner of pthread_*() returns this error (0 for none). */
#define CHECK_RETURNS(expr, error)                                                                 \
	do {                                                                                       \
		int error_ = (expr);                                                               \
		if (error_ != (error))                                                             \
			FAIL("%s (got %s, want %s)", #expr, check_error_name(error_),              \
			     check_error_name(error));                                             \
	} while (0)

/* The child `pid` is waited for and exited with `code`, or was killed by `sig`. */
#define CHECK_EXIT(pid, code)  check_child(__FILE__, __LINE__, #pid, pid, false, code)
#define CHECK_KILLED(pid, sig) check_child(__FILE__, __LINE__, #pid, pid, true, sig)

/* `value` lies in [low, high]. */
#define CHECK_RANGE(value, low, high)                                                              \
	do {                                                                                       \
		long long value_ = (long long)(value);                                             \
		long long low_ = (long long)(low), high_ = (long long)(high);                      \
		if (value_ < low_ || value_ > high_)                                               \
			FAIL("%s (got %lld, want %lld to %lld)", #value, value_, low_, high_);     \
	} while (0)

const char *check_error_name(int error);
void check_child(const char *file, int line, const char *what, pid_t pid, bool killed, int value);

/*
 * fork() that ends the case when it fails. The child must leave with _exit(). It dies with its
 * parent, so that a failed case leaves nothing behind even in other sessions; check_fork_orphan()
 * makes one that lives on.
 */
pid_t check_fork(void);
pid_t check_fork_orphan(void);

/* Milliseconds of CLOCK_MONOTONIC; sleeping that long whatever signals come. */
long long check_now_ms(void);
void check_sleep_ms(long ms);

/*
 * Wait until thread `tid` of process `pid` sleeps in the kernel (0: the process' first thread),
 * as /proc tells it; without /proc, wait for a fifth of a second and hope.
 */
void check_wait_asleep(pid_t pid, pid_t tid);

/*
 * Are these QEMU's emulated processors? They let a few wrong things pass, such as SSE exceptions,
 * that no kernel can mend.
 */
bool check_is_emulated(void);

/* Become CHECK_NOBODY for good, with no groups. */
void check_drop_root(void);
void check_become(uid_t uid, gid_t gid);

/* Page-aligned addresses, 64 KiB of them, that fault on each access. */
void *check_bad_address(void);

/* A readable and writable page whose follower is not mapped. Returns the end of that page. */
char *check_page_end(void);

/* Create or replace a file; read a whole file as a string (at most size - 1 bytes). */
void check_write_file(const char *path, const void *data, size_t size);
size_t check_read_file(const char *path, char *buffer, size_t size);

/* Read or write exactly this much of a pipe or file, or end the case. */
void check_read_all(int fd, void *buffer, size_t size);
void check_write_all(int fd, const void *buffer, size_t size);

#endif
