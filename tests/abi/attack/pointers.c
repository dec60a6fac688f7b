/* SPDX-License-Identifier: MIT */
/*
 * pointers.c - every system call of the kernel's table with every pointer argument wrong, and what comes out of
 * them when all pointers are right: no address of the kernel's, nothing left over on its stack.
 *
 * The table is kernel/linux/calls.h; of its types only the spelling counts here.
 */
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "check.h"

struct call {
	int number;
	const char *name;
	const char *argument[12]; /* type, name, type, name, ... */
};

#define CALL0(nr, name)      { nr, #name, { NULL } },
#define CALL1(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define CALL2(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define CALL3(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define CALL4(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define CALL5(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define CALL6(nr, name, ...) CALLN(nr, name, __VA_ARGS__)
#define WORDS(a, b, c, d, e, f, g, h, i, j, k, l, ...)                                            \
	#a, #b, #c, #d, #e, #f, #g, #h, #i, #j, #k, #l
#define CALLN(nr, name, ...) { nr, #name, { WORDS(__VA_ARGS__, , , , , , , , , , , , , ) } },

static const struct call calls[] = {
#include "../../../kernel/linux/calls.h"
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

/* They end, replace or stop the caller, or the machine, whatever their arguments. */
static const char *const left_out[] = {
	"exit", "exit_group", "pause", "rt_sigreturn", "fork", "vfork", "clone", "clone3", "reboot", "vhangup", "kill",
	"tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "rt_sigsuspend", "setsid", "sethostname",
	"setdomainname", "umount2", "chroot", "pivot_root", "prctl", "seccomp", "close_range", "munmap", "mremap", "mprotect",
	"brk", "mmap", "madvise", "pkey_mprotect", "setrlimit", "prlimit64", "syncfs", "arch_prctl", "set_tid_address",
	"set_robust_list", "rseq", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "settimeofday", "clock_settime",
	"adjtimex", "clock_adjtime", "execve", "execveat", "mount", "alarm", "setitimer", "process_madvise", "acct", "swapon",
	"init_module", "finit_module", "ptrace", "shmdt", "shmat",
};

enum { ROOM = 1 << 16, FD = 100 };
static char *right;                  /* ROOM bytes, each argument's own page */
static int files;

static bool
is_left_out(const struct call *c)
{
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (strcmp(c->name, left_out[i]) == 0)
			return true;
	return false;
}

static bool
is_pointer(const struct call *c, int i)
{
	return c->argument[2 * i] && strchr(c->argument[2 * i], '*') != NULL;
}

/* An argument that does no harm: a name, a page of zeroes, an open file, a small size. */
static long
harmless(const struct call *c, int i)
{
	const char *type = c->argument[2 * i], *name = c->argument[2 * i + 1];

	if (!type || !*type)
		return 0;
	if (is_pointer(c, i)) {
		char *at = right + 4096 * i;

		if (strncmp(type, "const char", 10) == 0)
			strcpy(at, "f");
		return (long)at;
	}
	if (strstr(name, "fd") || strcmp(name, "in") == 0 || strcmp(name, "out") == 0)
		return FD;
	if (strstr(name, "count") || strstr(name, "segments"))
		return 1;
	if (strstr(name, "size") || strstr(name, "length"))
		return 64;
	return 0;
}

static long
make(const struct call *c, const long *a)
{
	return syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* shmget, semget, msgget make private objects, that go with a namespace of the case's own. */
static void
prepare(void)
{
	CHECK_OK(unshare(CLONE_NEWIPC));
	files = CHECK_OK(open("f", O_RDWR | O_CREAT, 0644));
	check_write_all(files, "0123456789abcdef", 16);
	right = CHECK_OK(mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
}

static void
wake_up(int sig __attribute__((unused)))
{
}

/* In a child: something fresh to spoil, and a clock that gets a call that waits out of it. */
static void
prepare_child(void)
{
	struct sigaction sa = { .sa_handler = wake_up };
	struct itimerval beat = { { 0, 200000 }, { 0, 200000 } };

	CHECK_OK(dup2(files, FD));
	CHECK_OK(sigaction(SIGALRM, &sa, NULL));
	CHECK_OK(setitimer(ITIMER_REAL, &beat, NULL));
}

static char *
page_with(int prot)
{
	char *p = CHECK_OK(mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(p, 0, 12288);
	CHECK_OK(mprotect(p + 4096, 4096, prot));
	CHECK_OK(munmap(p + 8192, 4096));
	return p;
}

TEST(every_pointer_of_every_call)
{
	TIMEOUT(120);
	prepare();
	char *read_only = page_with(PROT_READ), *none = page_with(PROT_NONE);
	const uintptr_t wrong[] = {
		0xffffffff80000000, 0xffffffff80200000, 0xffff800000000000, 0xffff888000001000, 0xffffc90000000000,
		0xffffea0000000000, 0xffffffffff600000, 0x800000000000, 0x0000800000000000 - 8, 0x7ffffffff000 - 4,
		0x8000000000000000, ~0ul, ~0ul - 8, 1, (uintptr_t)read_only + 4096, (uintptr_t)read_only + 8192 - 3,
		(uintptr_t)none + 4096, (uintptr_t)none + 4096 - 3,
	};

	for (size_t n = 0; n < CALLS; n++) {
		const struct call *c = &calls[n];

		if (is_left_out(c))
			continue;
		pid_t pid = check_fork();
		if (pid == 0) {
			prepare_child();
			for (int i = 0; i < 6; i++) {
				if (!is_pointer(c, i))
					continue;
				for (size_t w = 0; w < sizeof(wrong) / sizeof(wrong[0]); w++) {
					long a[6];

					memset(right, 0, ROOM);
					for (int k = 0; k < 6; k++)
						a[k] = k == i ? (long)wrong[w] : harmless(c, k);
					long result = make(c, a);
					/* Whatever it says, it says it in the manner of a system call. */
					if (result == -1 && (errno <= 0 || errno > 133))
						FAIL("%s, argument %d at %#lx: error %d", c->name, i, wrong[w], errno);
				}
			}
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			FAIL("%s with wrong pointers ended its caller with status %#x", c->name, status);
	}
	/* What was only to be read is as it was. */
	for (int i = 0; i < 8192; i++)
		CHECK_EQ(read_only[i], 0);
}

#define LEFTOVER 0xa7a7a7a7a7a7a7a7ul

/* Leave a pattern on the kernel's stack: calls that copy much of the program's there. */
static void
leave_pattern(void)
{
	static unsigned char pattern[4096];
	static struct pollfd polls[30];
	struct timespec now = { 0, 0 };

	memset(pattern, 0xa7, sizeof(pattern));
	memset(polls, 0xa7, sizeof(polls));
	syscall(SYS_ppoll, polls, 30, &now, NULL, 8);
	memset(pattern, 0xa7, sizeof(pattern));
	syscall(SYS_pselect6, 1000, pattern, pattern + 128, pattern + 256, &now, NULL);
	memset(pattern, 0xa7, sizeof(pattern));
	syscall(SYS_writev, FD, pattern, 8);
	syscall(SYS_sched_setaffinity, 0x7fffffff, 128, pattern);
	syscall(SYS_rt_sigtimedwait, pattern, NULL, &now, 8);
	syscall(SYS_clone3, pattern, 88);
	pattern[4095] = 0;
	syscall(SYS_access, pattern, 0);
}

#define SHMMAX (~0ul - (1ul << 24)) /* what shmctl(IPC_INFO) has to say */

/* A word of the kernel's half that is no small negative number. */
static bool
is_kernel_address(uint64_t v)
{
	return v >= 0xffff800000000000 && v < 0xffffffffff000000 && v != SHMMAX;
}

TEST(nothing_of_the_kernel_in_what_calls_give)
{
	TIMEOUT(60);
	prepare();
	for (size_t n = 0; n < CALLS; n++) {
		const struct call *c = &calls[n];

		if (is_left_out(c) || strstr(c->name, "random") || strcmp(c->name, "read") == 0)
			continue;
		pid_t pid = check_fork();
		if (pid == 0) {
			long a[6];

			prepare_child();
			for (int round = 0; round < 4; round++) {
				memset(right, 0, ROOM);
				for (int k = 0; k < 6; k++) {
					a[k] = harmless(c, k);
					/* Other commands, clocks, resources, and room for more. */
					if (!is_pointer(c, k) && a[k] == 0)
						a[k] = round;
					if (a[k] == 64)
						a[k] = 64 << round;
				}
				leave_pattern();
				make(c, a);
				for (size_t at = 0; at + 8 <= ROOM; at += 8) {
					uint64_t v;

					memcpy(&v, right + at, 8);
					if (v == LEFTOVER || is_kernel_address(v))
						FAIL("%s gave %#lx in argument %zu at byte %zu", c->name, v, at / 4096,
						     at % 4096);
				}
			}
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
			FAIL("%s gave away something", c->name);
	}
}
