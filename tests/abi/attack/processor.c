/* SPDX-License-Identifier: MIT */
/*
 * processor.c - instructions and signal frames meant to hurt: every one ends in a signal or nothing.
 */
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <ucontext.h>

#include "check.h"

static sigjmp_buf back;

static void
jump_back(int sig)
{
	siglongjmp(back, sig);
}

static void
catch_faults(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS };
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = jump_back, .sa_flags = SA_ONSTACK };

	CHECK_OK(sigaltstack(&ss, NULL));
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		CHECK_OK(sigaction(faults[i], &sa, NULL));
}

static bool
is_tessera(void)
{
	struct utsname u;

	CHECK_OK(uname(&u));
	return strstr(u.release, "tessera") != NULL;
}

TEST(every_int_instruction_is_a_signal)
{
	unsigned char *code = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
					    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	catch_faults();
	for (volatile int vector = 0; vector < 256; vector++) {
		if (vector == 0x80)
			continue;
		code[0] = 0xcd;
		code[1] = (unsigned char)vector;
		code[2] = 0xc3;
		int sig = sigsetjmp(back, 1);
		if (sig == 0) {
			((void (*)(void))code)();
			FAIL("int %d went through", vector);
		}
		if (sig != (vector == 3 ? SIGTRAP : SIGSEGV))
			FAIL("int %d gave signal %d", vector, sig);
	}
}

/* Some 3000 selectors in each segment register, with switches of threads while they are loaded. */
TEST(selectors_of_all_kinds)
{
	catch_faults();
	for (volatile unsigned int s = 0; s < 65536; s += s < 1024 ? 1 : 31) {
		if (sigsetjmp(back, 1) == 0)
			__asm__ volatile("mov %w0, %%ds" :: "r"(s));
		if (sigsetjmp(back, 1) == 0)
			__asm__ volatile("mov %w0, %%es" :: "r"(s));
		if (sigsetjmp(back, 1) == 0)
			__asm__ volatile("mov %w0, %%gs" :: "r"(s));
		if (s % 16 == 0)
			sched_yield();
	}
	__asm__ volatile("mov %w0, %%ds\n\tmov %w0, %%es\n\tmov %w0, %%gs" :: "r"(0));
}

/* Stacks for lretq and iretq: whatever lies there, the process at most dies of a signal. */
static void
return_far(int how, uintptr_t sp, const uint64_t *frame)
{
	if (frame)
		memcpy((void *)sp, frame, 40);
	switch (how) {
	case 0:
		__asm__ volatile("mov %0, %%rsp\n\tlretq" :: "r"(sp) : "memory");
		break;
	case 1:
		__asm__ volatile("mov %0, %%rsp\n\tiretq" :: "r"(sp) : "memory");
		break;
	case 2:
		__asm__ volatile("mov %0, %%rsp\n\tlretl" :: "r"(sp) : "memory");
		break;
	default:
		__asm__ volatile("mov %0, %%rsp\n\tiretl" :: "r"(sp) : "memory");
		break;
	}
	_exit(0);
}

TEST(far_returns_by_odd_stacks)
{
	static const uint64_t frames[][5] = {
		{ 0, 0x10, 2, 0, 0x18 },
		{ 0xffffffff80000000, 0x08, 0x202, 0xffffffff80000000, 0x10 },
		{ 0x8000000000000000, 0x33, 0x202, 0, 0x2b },
		{ 0x400000, 0x23, 0x7ffff, 0, 0x2b },
		{ 0x400000, 0xfff3, ~0ul, ~0ul, 0xffff },
		{ ~0ul, ~0ul, ~0ul, ~0ul, ~0ul },
	};
	/* Kernel text and data by our layout and by Linux's, what is not mapped, what is not canonical. */
	static const uintptr_t stacks[] = {
		0, 1, 0xffffffff80000000, 0xffffffff81000000, 0xffff888000000000, 0xffff800000000000,
		0xfffffffffffffff8, 0x8000000000000000, 0x7ffffffffff0, 0xffffffffff600000,
	};

	if (check_is_emulated() && !is_tessera())
		SKIP("QEMU reads the stack of a far return with the kernel's rights");
	TIMEOUT(60);
	char *edge = check_page_end();
	char *none = check_bad_address();
	for (int how = 0; how < 4; how++) {
		for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]) + 2; i++) {
			pid_t pid = check_fork();
			if (pid == 0) {
				alarm(5);
				return_far(how, i < 10 ? stacks[i] : i == 10 ? (uintptr_t)none :
								       (uintptr_t)edge - 12, NULL);
			}
			int status;
			CHECK_EQ(waitpid(pid, &status, 0), pid);
			if (!WIFSIGNALED(status) || WTERMSIG(status) == SIGALRM)
				FAIL("return %d by stack %zu ended with status %#x", how, i, status);
		}
		for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
			pid_t pid = check_fork();
			if (pid == 0) {
				alarm(5);
				return_far(how, (uintptr_t)edge - 40, frames[i]);
			}
			int status;
			CHECK_EQ(waitpid(pid, &status, 0), pid);
			if (!WIFSIGNALED(status) || WTERMSIG(status) == SIGALRM)
				FAIL("return %d by frame %zu ended with status %#x", how, i, status);
		}
	}
}

static unsigned int seed = 1;

static uint64_t
random_word(void)
{
	static const uint64_t odd[] = {
		0, ~0ul, 1ul << 63, 0xffffffff80000000, 0x800000000000, 0xffff800000000000, 0x33, 0x2b, 1, 64,
	};

	seed = seed * 1103515245 + 12345;
	if (seed >> 30 == 0)
		return (uint64_t)seed * 0x9e3779b97f4a7c15;
	return odd[(seed >> 16) % 10];
}

/* What to do to the frame, then return by it. */
static int frame_attack;

static void
spoil_frame(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *u = context;
	uint64_t *words = context;
	unsigned char *image = (unsigned char *)u->uc_mcontext.fpregs;

	switch (frame_attack % 8) {
	case 0: /* one word of registers */
		words[5 + (unsigned int)random_word() % 26] = random_word();
		break;
	case 1: /* the header of XSAVE: components, compaction, reserved */
		if (image)
			memcpy(image + 512 + 8 * (random_word() % 8), &(uint64_t){ random_word() }, 8);
		break;
	case 2: /* MXCSR and its neighbours */
		if (image)
			memcpy(image + 24, &(uint64_t){ random_word() }, 8);
		break;
	case 3: /* where the image is */
		u->uc_mcontext.fpregs = (void *)random_word();
		break;
	case 4: /* the software bytes: sizes and components */
		if (image)
			memcpy(image + 464 + 4 * (random_word() % 5), &(uint32_t){ (uint32_t)random_word() }, 4);
		break;
	case 5: /* segments */
		u->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)random_word();
		break;
	case 6: /* flags and rip */
		u->uc_mcontext.gregs[REG_EFL] = (greg_t)random_word();
		u->uc_mcontext.gregs[REG_RIP] = (greg_t)random_word();
		break;
	default: /* the image misaligned, or at the end of the half that is ours */
		u->uc_mcontext.fpregs = (void *)(random_word() & 1 ? 0x7fffffffe001 : (uintptr_t)image + 8);
		u->uc_flags = random_word();
		break;
	}
}

TEST(spoiled_signal_frames)
{
	TIMEOUT(60);
	for (frame_attack = 0; frame_attack < 400; frame_attack++) {
		pid_t pid = check_fork();

		random_word();
		if (pid == 0) {
			struct sigaction sa = { .sa_sigaction = spoil_frame, .sa_flags = SA_SIGINFO };

			alarm(5);
			CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
			raise(SIGUSR1);
			sched_yield();
			_exit(0);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
			FAIL("frame %d hangs", frame_attack);
	}
}

/* The frame of a signal goes to no kernel address, whatever stack a program claims. */
TEST(signal_stacks_in_the_kernel)
{
	static const uintptr_t places[] = {
		0xffffffff80000000, 0xffff800000000000, 0xffff888000000000, 0x800000000000 - 8192,
		0xffffffffffff0000, 0x7fffffff0000,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			stack_t ss = { .ss_sp = (void *)places[i], .ss_size = 16384 };
			struct sigaction sa = { .sa_handler = jump_back, .sa_flags = SA_ONSTACK };

			if (sigaltstack(&ss, NULL) != 0)
				raise(SIGSEGV);
			CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
			if (sigsetjmp(back, 1) == 0)
				raise(SIGUSR1);
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
}

/* Words that the kernel writes when a thread ends: their addresses are the program's choice. */
TEST(addresses_left_for_the_kernel_to_use)
{
	static const uintptr_t places[] = {
		0xffffffff80000000, 0xffff800000000000, 0x800000000000, ~0ul, 0x7ffffffffffc, 1, 0x8000000000000000,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			syscall(SYS_set_tid_address, places[i]);
			syscall(SYS_set_robust_list, places[i], 24);
			syscall(SYS_rseq, places[i] & ~31ul, 32, 0, 0x53053053);
			sched_yield();
			syscall(SYS_exit_group, 0);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSEGV);
	}
}

/* A robust list that leads back to itself, or into the kernel, ends nevertheless. */
TEST(robust_list_without_end)
{
	struct {
		void *next;
		long  offset;
		void *pending;
	} *head = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
	void **entry = (void **)head + 100;

	for (int i = 0; i < 3; i++) {
		head->next = entry;
		entry[0] = i == 0 ? (void *)entry : i == 1 ? (void *)0xffffffff80000000 : (void *)1;
		head->offset = i == 2 ? -0x7fffffffffffffff : 16;
		head->pending = i == 1 ? (void *)0xffff800000000000 : NULL;
		pid_t pid = check_fork();
		if (pid == 0) {
			syscall(SYS_set_robust_list, head, 24);
			_exit(3);
		}
		CHECK_EXIT(pid, 3);
	}
}
