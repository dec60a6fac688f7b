/* SPDX-License-Identifier: MIT */
/* The processor's state across calls, switches and abuse. */
#include "../check.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <ucontext.h>

static sigjmp_buf escape;

static void
leave(int sig)
{
	siglongjmp(escape, sig);
}

/* 0, or the signal that the statement raised. */
#define SIGNAL_OF(statement)                                                                       \
	({                                                                                         \
		for (int s_ = 1; s_ < 32; s_++) {                                                  \
			if (s_ == SIGSEGV || s_ == SIGBUS || s_ == SIGILL || s_ == SIGTRAP ||      \
			    s_ == SIGFPE)                                                          \
				signal(s_, leave);                                                 \
		}                                                                                  \
		volatile int sig_ = sigsetjmp(escape, 1);                                          \
		if (sig_ == 0) {                                                                   \
			statement;                                                                 \
		}                                                                                  \
		sig_;                                                                              \
	})

static bool
has_leaf7(int reg, unsigned int bit)
{
	unsigned int r[4] = { 0 };

	if (!__get_cpuid_count(7, 0, &r[0], &r[1], &r[2], &r[3]))
		return false;
	return r[reg] & 1U << bit;
}

/* Two threads on each CPU, so that they are switched at every turn. */
static void
crowd(void *(*f)(void *))
{
	enum { MAX = 128 };
	pthread_t t[MAX];
	cpu_set_t all;
	intptr_t count = 0;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (int cpu = 0; cpu < CPU_SETSIZE && count < MAX; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		for (int k = 0; k < 2; k++, count++) {
			pthread_attr_t a;
			cpu_set_t one;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			pthread_attr_init(&a);
			CHECK_RETURNS(pthread_attr_setaffinity_np(&a, sizeof(one), &one), 0);
			CHECK_RETURNS(pthread_create(&t[count], &a, f, (void *)(count + 1)), 0);
		}
	}
	for (intptr_t i = 0; i < count; i++)
		CHECK_RETURNS(pthread_join(t[i], NULL), 0);
}

static void *
keep_xmm(void *arg)
{
	uint64_t in[32], out[32];
	long long end = check_now_ms() + 300;

	for (int i = 0; i < 32; i++)
		in[i] = (uint64_t)(intptr_t)arg * 1000 + (uint64_t)i;
	for (int round = 0; check_now_ms() < end; round++) {
		long spins = round % 8 ? 20000 : 0;
		__asm__ volatile(
			"movdqu (%1), %%xmm0\n\tmovdqu 16(%1), %%xmm1\n\tmovdqu 112(%1), %%xmm7\n\t"
			"movdqu 128(%1), %%xmm8\n\tmovdqu 240(%1), %%xmm15\n\t"
			"test %0, %0\n\tjz 2f\n\t"
			"1: dec %0\n\tjnz 1b\n\tjmp 3f\n\t"
			"2: mov $24, %%eax\n\tsyscall\n\t"
			"3: movdqu %%xmm0, (%2)\n\tmovdqu %%xmm1, 16(%2)\n\t"
			"movdqu %%xmm7, 112(%2)\n\tmovdqu %%xmm8, 128(%2)\n\tmovdqu %%xmm15, 240(%2)"
			: "+r"(spins)
			: "r"(in), "r"(out)
			: "rax", "rcx", "r11", "memory", "cc", "xmm0", "xmm1", "xmm7", "xmm8",
			  "xmm15");
		CHECK_MEM(out, in, 32);
		CHECK_MEM(out + 14, in + 14, 32);
		CHECK_MEM(out + 30, in + 30, 16);
	}
	return NULL;
}

TEST(xmm_registers_survive_switches)
{
	TIMEOUT(60);
	crowd(keep_xmm);
}

static void *
keep_ymm(void *arg)
{
	uint64_t in[8], out[8];
	long long end = check_now_ms() + 300;

	for (int i = 0; i < 8; i++)
		in[i] = (uint64_t)(intptr_t)arg << 32 | (uint64_t)i;
	for (int round = 0; check_now_ms() < end; round++) {
		long spins = round % 8 ? 20000 : 0;
		__asm__ volatile(
			"vmovdqu (%1), %%ymm0\n\tvmovdqu 32(%1), %%ymm15\n\t"
			"test %0, %0\n\tjz 2f\n\t"
			"1: dec %0\n\tjnz 1b\n\tjmp 3f\n\t"
			"2: mov $24, %%eax\n\tsyscall\n\t"
			"3: vmovdqu %%ymm0, (%2)\n\tvmovdqu %%ymm15, 32(%2)\n\tvzeroupper"
			: "+r"(spins)
			: "r"(in), "r"(out)
			: "rax", "rcx", "r11", "memory", "cc", "xmm0", "xmm15");
		CHECK_MEM(out, in, sizeof(in));
	}
	return NULL;
}

TEST(avx_registers_survive_switches)
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("the processor has no AVX");
	TIMEOUT(60);
	crowd(keep_ymm);
}

static void *
keep_x87(void *arg)
{
	double in = 1.25 + (double)(intptr_t)arg, out = 0;
	unsigned short control = (unsigned short)(0x037f | ((intptr_t)arg & 3) << 10), seen = 0;
	unsigned int mxcsr = (unsigned int)(0x1f80 | ((intptr_t)arg & 3) << 13), seen_mxcsr = 0;
	long long end = check_now_ms() + 300;

	for (int round = 0; check_now_ms() < end; round++) {
		long spins = round % 8 ? 20000 : 0;
		__asm__ volatile(
			"fninit\n\tfldcw %4\n\tfldl %3\n\tldmxcsr %5\n\t"
			"test %0, %0\n\tjz 2f\n\t"
			"1: dec %0\n\tjnz 1b\n\tjmp 3f\n\t"
			"2: mov $24, %%eax\n\tsyscall\n\t"
			"3: fstpl %1\n\tfnstcw %2\n\tstmxcsr %6"
			: "+r"(spins), "=m"(out), "=m"(seen)
			: "m"(in), "m"(control), "m"(mxcsr), "m"(seen_mxcsr)
			: "rax", "rcx", "r11", "memory", "cc");
		CHECK(out == in);
		CHECK_EQ(seen, control);
		CHECK_EQ(seen_mxcsr & 0x6000, mxcsr & 0x6000);
	}
	return NULL;
}

TEST(x87_and_rounding_modes_survive_switches)
{
	TIMEOUT(60);
	crowd(keep_x87);
}

TEST(new_programs_start_with_default_floating_point)
{
	unsigned int mxcsr = 0x7f80;
	unsigned short control = 0x0f7f;

	__asm__ volatile("ldmxcsr %0\n\tfldcw %1" :: "m"(mxcsr), "m"(control));
	pid_t pid = check_fork();
	if (pid == 0) {
		unsigned int child_mxcsr = 0;
		__asm__ volatile("stmxcsr %0" : "=m"(child_mxcsr));
		CHECK_EQ(child_mxcsr & 0x6000, 0x6000);
		CHECK_OK(fcntl(CHECK_FD, F_SETFD, 0));
		execl("/proc/self/exe", "x", "--helper", "default_floating_point", NULL);
		_exit(99);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(default_floating_point)
{
	unsigned int mxcsr = 0;
	unsigned short control = 0;

	__asm__ volatile("stmxcsr %0\n\tfnstcw %1" : "=m"(mxcsr), "=m"(control));
	CHECK_EQ(mxcsr & 0xffc0, 0x1f80);
	CHECK_EQ(control, 0x037f);
}

TEST(fork_copies_the_vector_registers)
{
	uint64_t in[2] = { 0x1111222233334444, 0x5555666677778888 }, out[2] = { 0 };
	long pid;

	__asm__ volatile("movdqu (%1), %%xmm6\n\tmov $57, %%eax\n\tsyscall\n\tmovdqu %%xmm6, (%2)"
			 : "=&a"(pid) : "r"(in), "r"(out) : "rcx", "r11", "memory", "xmm6");
	if (pid == 0)
		_exit(memcmp(in, out, 16) ? 1 : 0);
	CHECK_MEM(out, in, 16);
	CHECK_EXIT((pid_t)pid, 0);
}

static void *
keep_gs(void *arg)
{
	static unsigned long words[256];
	unsigned long *own = &words[(intptr_t)arg], seen;
	long long end = check_now_ms() + 200;

	*own = (unsigned long)(intptr_t)arg;
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, own));
	while (check_now_ms() < end) {
		__asm__ volatile("mov %%gs:0, %0" : "=r"(seen));
		CHECK_EQ(seen, (intptr_t)arg);
		sched_yield();
	}
	return NULL;
}

TEST(gs_base_survives_switches)
{
	TIMEOUT(60);
	crowd(keep_gs);
}

TEST(fsgsbase_instructions)
{
	unsigned long fs, gs = 0x123456789000;

	if (!has_leaf7(1, 0) || !(getauxval(AT_HWCAP2) & 2))
		SKIP("no FSGSBASE");
	__asm__ volatile("rdfsbase %0" : "=r"(fs));
	CHECK_EQ(fs, (unsigned long)__builtin_thread_pointer());
	__asm__ volatile("wrgsbase %0" :: "r"(gs));
	check_sleep_ms(10);
	unsigned long seen = 0;
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &seen));
	CHECK_EQ(seen, gs);
	__asm__ volatile("rdgsbase %0" : "=r"(seen));
	CHECK_EQ(seen, gs);
	if (!check_is_emulated())
		CHECK_EQ(SIGNAL_OF(__asm__ volatile("wrgsbase %0" :: "r"(1UL << 63))), SIGSEGV);
}

TEST(wild_gs_base_does_not_hurt_the_kernel)
{
	for (unsigned long base = 8; base < 1UL << 46; base <<= 5) {
		CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, base));
		CHECK_OK(sched_yield());
		check_sleep_ms(1);
		unsigned long got;
		CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &got));
		CHECK_EQ(got, base);
	}
}

TEST(segment_registers_take_only_what_is_allowed)
{
	unsigned short cs, ss, ds;

	__asm__("mov %%cs, %0\n\tmov %%ss, %1\n\tmov %%ds, %2" : "=r"(cs), "=r"(ss), "=r"(ds));
	CHECK_EQ(cs, 0x33);
	CHECK_EQ(ss, 0x2b);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%ds" :: "r"(0x2b))), 0);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%ds" :: "r"(0))), 0);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%es" :: "r"(0x10))), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%ds" :: "r"(0xfff8))), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%gs" :: "r"(0x18))), SIGSEGV);
	/* Loading a selector clears the base; the kernel must live with that too. */
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%gs" :: "r"(0x2b))), 0);
	CHECK_OK(sched_yield());
	check_sleep_ms(2);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %0, %%gs" :: "r"(0))), 0);
}

TEST(int80_does_no_harm)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		long result = 0;
		int sig = SIGNAL_OF(__asm__ volatile("int $0x80" : "=a"(result) : "0"(20L)
						     : "r8", "r9", "r10", "r11", "memory"));
		if (sig)
			_exit(sig == SIGSEGV ? 0 : 1);
		/* 20 is getpid there. */
		_exit((pid_t)result == getpid() || result == -ENOSYS ? 0 : 2);
	}
	CHECK_EXIT(pid, 0);
}

TEST(sysenter_does_no_harm)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		__asm__ volatile("mov $20, %%eax\n\tmov %%rsp, %%rbp\n\tsysenter"
				 ::: "rax", "memory");
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
}

TEST(iopl_and_ioperm_are_refused_without_privilege)
{
	check_drop_root();
	/* A kernel may also be built without both. */
	CHECK_EQ(iopl(3), -1);
	CHECK(errno == EPERM || errno == ENOSYS);
	CHECK_EQ(ioperm(0x60, 1, 1), -1);
	CHECK(errno == EPERM || errno == ENOSYS);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("in $0x60, %%al" ::: "rax")), SIGSEGV);
}

TEST(privileged_instructions_are_refused)
{
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("cli")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("hlt")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %%cr3, %%rax" ::: "rax")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("mov %%rax, %%dr7" ::: "rax")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("wbinvd")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("invlpg (%rsp)")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("wrmsr" :: "a"(0), "c"(0x10), "d"(0))), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("swapgs")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("lgdt (%rsp)")), SIGSEGV);
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("clts")), SIGSEGV);
}

TEST(sysret_instruction_is_refused)
{
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("sysretq" ::: "rcx", "r11")), SIGSEGV);
}

TEST(umip_hides_the_tables)
{
	struct __attribute__((packed)) {
		unsigned short limit;
		unsigned long  base;
	} table = { 0 };

	if (!has_leaf7(2, 2))
		SKIP("the processor has no UMIP");
	/* A fault, or the made-up address that Linux shows: never the kernel's. */
	int sig = SIGNAL_OF(__asm__ volatile("sgdt %0" : "=m"(table) :: "memory"));
	CHECK(sig == SIGSEGV || (sig == 0 && table.base == 0xfffffffffffe0000));
}

TEST(flags_are_sanitised_on_entry)
{
	unsigned long flags;
	long pid;

	/* DF, NT, AC and ID set: the call works and gives back what a program may keep. */
	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
	__asm__ volatile("pushf\n\torl $0x44400, (%%rsp)\n\tpopf\n\t"
			 "mov $39, %%eax\n\tsyscall\n\t"
			 "pushf\n\tpop %1\n\t"
			 "pushf\n\tandl $~0x44400, (%%rsp)\n\tpopf"
			 : "=&a"(pid), "=&d"(flags) :: "rcx", "r11", "memory", "cc");
	CHECK_EQ(pid, getpid());
	CHECK_EQ(flags & 0x400, 0x400);
	CHECK_EQ(flags & 0x40000, 0x40000);
	CHECK_EQ(flags & 0x200, 0x200);
	CHECK_EQ(flags & 0x3000, 0);
}

TEST(nested_task_flag_with_a_fault)
{
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("pushf\n\torl $0x4000, (%%rsp)\n\tpopf\n\t"
					    "movb $1, 8" ::: "memory", "cc")), SIGSEGV);
	__asm__ volatile("pushf\n\tandl $~0x4000, (%%rsp)\n\tpopf" ::: "memory", "cc");
	CHECK_OK(sched_yield());
}

static volatile sig_atomic_t traps;

static void
count_trap(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	/* Step a few times, then clear TF. */
	if (++traps >= 5)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] &= ~0x100;
}

TEST(single_step_over_a_call)
{
	struct sigaction sa = { .sa_sigaction = count_trap, .sa_flags = SA_SIGINFO };
	long pid;

	CHECK_OK(sigaction(SIGTRAP, &sa, NULL));
	__asm__ volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\t"
			 "mov $39, %%eax\n\tsyscall\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop"
			 : "=a"(pid) :: "rcx", "r11", "memory", "cc");
	CHECK_EQ(pid, getpid());
	CHECK_EQ(traps, 5);
}

TEST(alignment_check_flag_faults_in_user_mode)
{
	char bytes[16] __attribute__((aligned(8))) = "";
	char *odd = bytes + 1;

	/* CR0.AM decides; with it a misaligned access is SIGBUS, without nothing happens. */
	int sig = SIGNAL_OF(__asm__ volatile("pushf\n\torl $0x40000, (%%rsp)\n\tpopf\n\t"
					     "movl $1, (%0)\n\t"
					     "pushf\n\tandl $~0x40000, (%%rsp)\n\tpopf"
					     :: "r"(odd) : "memory", "cc"));
	__asm__ volatile("pushf\n\tandl $~0x40000, (%%rsp)\n\tpopf" ::: "memory", "cc");
	CHECK(sig == 0 || sig == SIGBUS);
}

TEST(noncanonical_stack_pointer_faults)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		__asm__ volatile("mov %0, %%rsp\n\tpush %%rax" :: "r"(1UL << 63) : "memory");
		_exit(0);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status));
	CHECK(WTERMSIG(status) == SIGBUS || WTERMSIG(status) == SIGSEGV);
}

TEST(jump_to_a_noncanonical_address_faults)
{
	volatile uintptr_t target = 0x8000000000000000;

	CHECK_EQ(SIGNAL_OF(((void (*)(void))target)()), SIGSEGV);
	target = 0x0000800000000000;
	CHECK_EQ(SIGNAL_OF(((void (*)(void))target)()), SIGSEGV);
}

TEST(call_at_the_very_end_of_user_space)
{
	/* syscall in the last bytes of the highest page: the address after it is not canonical. */
	pid_t pid = check_fork();

	if (pid == 0) {
		char *top = (char *)0x7fffffffe000;
		char *p = mmap(top, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		if (p != top)
			_exit(0);
		p[4094] = 0x0f;
		p[4095] = 0x05;
		__asm__ volatile("mov $39, %%eax\n\tjmp *%0" :: "r"(p + 4094) : "rax", "memory");
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS ||
	      WTERMSIG(status) == SIGILL);
}

TEST(call_with_a_bad_stack_pointer_works)
{
	long pid;

	/* A call needs no user stack. */
	__asm__ volatile("mov %%rsp, %%rbx\n\tmov %1, %%rsp\n\tmov $39, %%eax\n\tsyscall\n\t"
			 "mov %%rbx, %%rsp"
			 : "=&a"(pid) : "r"(0x8000000000000000) : "rbx", "rcx", "r11", "memory");
	CHECK_EQ(pid, getpid());
}

TEST(far_return_to_kernel_code_is_refused)
{
	if (check_is_emulated())
		SKIP("QEMU reads the stack of a far return with the kernel's rights");
	CHECK_EQ(SIGNAL_OF(__asm__ volatile("push $0x10\n\tpush $0\n\tlretq" ::: "memory")),
		 SIGSEGV);
}

TEST(time_stamp_counter_rises)
{
	unsigned long a = __builtin_ia32_rdtsc(), b = __builtin_ia32_rdtsc();

	CHECK(b >= a);
	check_sleep_ms(5);
	CHECK(__builtin_ia32_rdtsc() > b);
}

TEST(cpuid_and_hwcap_agree)
{
	unsigned int eax, ebx, ecx, edx;

	CHECK(__get_cpuid(1, &eax, &ebx, &ecx, &edx));
	CHECK(edx & bit_SSE2);
	/* AVX is usable only if the kernel has switched it on in XCR0. */
	if (ecx & bit_OSXSAVE) {
		unsigned int low, high;
		__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
		CHECK_EQ(low & 3, 3);
	}
}

TEST(self_modifying_code_is_seen)
{
	unsigned char *p = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	for (int i = 0; i < 100; i++) {
		unsigned char code[] = { 0xb8, (unsigned char)i, 0, 0, 0, 0xc3 };
		memcpy(p, code, sizeof(code));
		__builtin___clear_cache((char *)p, (char *)p + sizeof(code));
		CHECK_EQ(((int (*)(void))p)(), i);
	}
}
