/* SPDX-License-Identifier: MIT */
/* System calls that a program handles itself: PR_SET_SYSCALL_USER_DISPATCH. And which part of rax names a call. */
#include "../check.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/ucontext.h>

#define NOBODYS_CALL 0x4242u
#define SI_USER_DISPATCH 2

static volatile char selector;
static volatile int caught_code, caught_call;
static volatile uint32_t caught_arch;
static void *volatile caught_place;
static volatile long long caught_rax;

/* Its own calls, sigreturn too, are let through again. */
static void
on_call(int signo, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)signo;
	selector = 0;
	caught_code = info->si_code;
	caught_call = info->si_syscall;
	caught_arch = info->si_arch;
	caught_place = info->si_call_addr;
	caught_rax = u->uc_mcontext.gregs[REG_RAX];
	u->uc_mcontext.gregs[REG_RAX] = 77;
}

static void
catch_calls(void)
{
	struct sigaction a = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO };

	CHECK_OK(sigaction(SIGSYS, &a, NULL));
}

static long
dispatch(unsigned long mode, unsigned long start, unsigned long length, const void *byte)
{
	return prctl(PR_SET_SYSCALL_USER_DISPATCH, mode, start, length, byte);
}

__attribute__((noinline)) static long
raw_call(uint64_t nr)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(0), "S"(0), "d"(0) : "rcx", "r11", "memory");
	return result;
}

TEST(calls_come_back_as_sigsys)
{
	long result;

	catch_calls();
	selector = 0;
	CHECK_OK(dispatch(1, 0, 0, (void *)&selector));
	CHECK(raw_call(SYS_getpid) == getpid());
	selector = 1;
	result = raw_call(NOBODYS_CALL);
	CHECK_EQ(result, 77);
	CHECK_EQ(caught_code, SI_USER_DISPATCH);
	CHECK_EQ(caught_call, NOBODYS_CALL);
	CHECK_EQ(caught_rax, NOBODYS_CALL);
	CHECK_EQ(caught_arch, 0xc000003eu);
	CHECK(caught_place != NULL);
	selector = 1;
	result = raw_call(SYS_getpid);
	CHECK_EQ(result, 77);
	CHECK_EQ(caught_call, SYS_getpid);
	CHECK_OK(dispatch(0, 0, 0, NULL));
	selector = 1;
	CHECK(raw_call(SYS_getpid) == getpid());
}

TEST(calls_from_the_range_are_made)
{
	unsigned char *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long (*getpid_there)(void) = (long (*)(void))(uintptr_t)code;
	static const unsigned char text[] = { 0xb8, SYS_getpid, 0, 0, 0, 0x0f, 0x05, 0xc3 };
	long result;

	CHECK(code != MAP_FAILED);
	memcpy(code, text, sizeof(text));
	catch_calls();
	CHECK_OK(dispatch(1, (uintptr_t)code, 4096, (void *)&selector));
	selector = 1;
	result = getpid_there();
	selector = 0;
	CHECK_EQ(result, getpid());
	selector = 1;
	result = raw_call(NOBODYS_CALL);
	CHECK_EQ(result, 77);
	/* an address just behind is outside */
	CHECK_OK(dispatch(1, (uintptr_t)code, 7, (void *)&selector));
	selector = 1;
	result = getpid_there();
	CHECK_EQ(caught_call, SYS_getpid);
	CHECK_EQ(result, 77);
}

TEST(dispatch_errors)
{
	char byte = 0;

	CHECK_ERRNO(dispatch(2, 0, 0, NULL), EINVAL);
	CHECK_ERRNO(dispatch(0, 1, 0, NULL), EINVAL);
	CHECK_ERRNO(dispatch(0, 0, 1, NULL), EINVAL);
	CHECK_ERRNO(dispatch(0, 0, 0, &byte), EINVAL);
	CHECK_ERRNO(dispatch(1, 4096, 0, &byte), EINVAL);
	CHECK_ERRNO(dispatch(1, 4096, -4096ul, &byte), EINVAL);
	CHECK_ERRNO(dispatch(1, 0, 0, (void *)(1ul << 63)), EFAULT);
	CHECK_OK(dispatch(0, 0, 0, NULL));
}

TEST(a_wrong_selector_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		catch_calls();
		selector = 0;
		(void)dispatch(1, 0, 0, (void *)&selector);
		selector = 9;
		(void)raw_call(SYS_getpid);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSYS);
	pid = check_fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		(void)dispatch(1, 0, 0, check_bad_address());
		(void)raw_call(SYS_getpid);
		_exit(1);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

HELPER(asks_for_its_number)
{
	_exit(getpid() > 0 ? 5 : 6);
}

TEST(children_and_later_programs_make_their_calls)
{
	char *const argv[] = { (char *)"/proc/self/exe", (char *)"--helper", (char *)"asks_for_its_number", NULL };
	pid_t pid;

	catch_calls();
	CHECK_OK(dispatch(1, 0, 0, (void *)&selector));
	pid = check_fork();
	if (pid == 0) {
		selector = 1;
		_exit(raw_call(SYS_getpid) == 77 ? 1 : 7);
	}
	CHECK_EXIT(pid, 7);
	pid = check_fork();
	if (pid == 0) {
		(void)dispatch(1, 0, 0, (void *)&selector);
		execv(argv[0], argv);
		_exit(1);
	}
	CHECK_EXIT(pid, 5);
}

TEST(the_upper_half_of_rax_says_nothing)
{
	CHECK_EQ(raw_call(SYS_getpid | 0xffffffff00000000ull), getpid());
	CHECK_EQ(raw_call(SYS_getppid | 0x100000000ull), getppid());
	CHECK_EQ(raw_call(0xffffffffull), -ENOSYS);
	CHECK_EQ(raw_call(0x80000000ull | SYS_getpid), -ENOSYS);
}
