/* SPDX-License-Identifier: MIT */
/* Signals made by the processor, the frame of a handler, alternate stacks, register state. */
#include "../check.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/ucontext.h>
#include <ucontext.h>

static sigjmp_buf escape;
static siginfo_t got;
static volatile sig_atomic_t count;
static volatile uintptr_t got_pc, got_error, handler_sp;

static void
catch(int sig __attribute__((unused)), siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	got = *info;
	got_pc = (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
	got_error = (uintptr_t)u->uc_mcontext.gregs[REG_ERR];
	siglongjmp(escape, 1);
}

static void
count_signal(int sig __attribute__((unused)))
{
	handler_sp = (uintptr_t)__builtin_frame_address(0);
	count++;
}

static void
install_info(int sig, void (*f)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = { .sa_sigaction = f, .sa_flags = SA_SIGINFO | flags };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

static void
install(int sig, void (*f)(int), int flags)
{
	struct sigaction sa = { .sa_handler = f, .sa_flags = flags };

	CHECK_OK(sigaction(sig, &sa, NULL));
}

/* Run the statement; true if it raised `sig`, whose information is then in `got`. */
#define CATCHES(sig, statement)                                                                    \
	({                                                                                         \
		install_info(sig, catch, 0);                                                       \
		memset(&got, 0, sizeof(got));                                                      \
		volatile bool caught_ = true;                                                      \
		if (sigsetjmp(escape, 1) == 0) {                                                   \
			statement;                                                                 \
			caught_ = false;                                                           \
		}                                                                                  \
		caught_ && got.si_signo == (sig);                                                  \
	})

TEST(segv_maperr_on_unmapped_read)
{
	volatile char *p = check_bad_address();

	CHECK_OK(munmap((void *)p, 65536));
	CHECK(CATCHES(SIGSEGV, (void)p[1234]));
	CHECK_EQ(got.si_code, SEGV_MAPERR);
	CHECK_EQ(got.si_addr, p + 1234);
	CHECK_EQ(got_error & 3, 0);
}

TEST(segv_accerr_on_read_only_write)
{
	volatile char *p = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					 0));

	CHECK_EQ(p[0], 0);
	CHECK(CATCHES(SIGSEGV, p[77] = 1));
	CHECK_EQ(got.si_code, SEGV_ACCERR);
	CHECK_EQ(got.si_addr, p + 77);
	CHECK_EQ(got_error & 2, 2);
}

TEST(segv_accerr_on_prot_none)
{
	volatile char *p = check_bad_address();

	CHECK(CATCHES(SIGSEGV, (void)p[0]));
	CHECK_EQ(got.si_code, SEGV_ACCERR);
}

TEST(segv_accerr_on_execution_of_data)
{
	unsigned char *p = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	p[0] = 0xc3;
	CHECK(CATCHES(SIGSEGV, ((void (*)(void))p)()));
	CHECK_EQ(got.si_code, SEGV_ACCERR);
	CHECK_EQ(got.si_addr, p);
	CHECK_EQ(got_pc, (uintptr_t)p);
}

TEST(segv_on_null_and_on_kernel_addresses)
{
	CHECK(CATCHES(SIGSEGV, (void)*(volatile char *)(uintptr_t)(count + 8)));
	CHECK_EQ(got.si_code, SEGV_MAPERR);
	CHECK_EQ(got.si_addr, 8);
	CHECK(CATCHES(SIGSEGV, (void)*(volatile char *)0xffffffff81000000));
	CHECK_EQ(got.si_code, SEGV_MAPERR);
	CHECK(CATCHES(SIGSEGV, *(volatile char *)0xffff888000000000 = 1));
	CHECK_EQ(got.si_code, SEGV_MAPERR);
	CHECK(CATCHES(SIGSEGV, ((void (*)(void))0xffffffff81000000)()));
}

TEST(segv_on_noncanonical_address_has_no_address)
{
	CHECK(CATCHES(SIGSEGV, (void)*(volatile char *)0x8000000000000000));
	CHECK_EQ(got.si_code, SI_KERNEL);
	CHECK_EQ(got.si_addr, 0);
}

TEST(segv_on_privileged_instruction)
{
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("hlt")));
	CHECK_EQ(got.si_code, SI_KERNEL);
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("cli")));
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("mov %%cr0, %%rax" ::: "rax")));
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("in $0x60, %%al" ::: "rax")));
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("rdmsr" ::: "rax", "rdx")));
}

TEST(fpe_integer_division)
{
	volatile int zero = 0, seven = 7;

	CHECK(CATCHES(SIGFPE, zero = seven / zero));
	CHECK_EQ(got.si_code, FPE_INTDIV);
	CHECK_EQ(got.si_addr, got_pc);
	volatile int low = INT_MIN, minus = -1;
	CHECK(CATCHES(SIGFPE, low = low / minus));
}

TEST(fpe_sse_division)
{
	volatile double zero = 0.0, one = 1.0;
	unsigned int mxcsr = 0x1f80 & ~0x200u;

	if (check_is_emulated())
		SKIP("the processor is emulated without SSE exceptions");
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	CHECK(CATCHES(SIGFPE, one = one / zero));
	CHECK_EQ(got.si_code, FPE_FLTDIV);
}

TEST(fpe_x87_division)
{
	volatile long double zero = 0.0L, one = 1.0L;
	unsigned short control = 0x37f & ~4u;

	__asm__ volatile("fldcw %0" :: "m"(control));
	CHECK(CATCHES(SIGFPE, { one = one / zero; __asm__ volatile("fwait"); }));
	CHECK_EQ(got.si_code, FPE_FLTDIV);
}

TEST(ill_undefined_instruction)
{
	CHECK(CATCHES(SIGILL, __asm__ volatile("ud2")));
	CHECK_EQ(got.si_code, ILL_ILLOPN);
	CHECK_EQ(got.si_addr, got_pc);
}

TEST(trap_breakpoint)
{
	CHECK(CATCHES(SIGTRAP, __asm__ volatile("int3")));
	CHECK_EQ(got.si_code, SI_KERNEL);
	CHECK(CATCHES(SIGTRAP, __asm__ volatile("int $3")));
}

TEST(trap_single_step)
{
	CHECK(CATCHES(SIGTRAP, __asm__ volatile("pushf\n\torl $0x100, (%%rsp)\n\tpopf\n\tnop\n\tnop"
						::: "memory")));
	CHECK_EQ(got.si_code, TRAP_TRACE);
	unsigned long flags;
	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
	CHECK_EQ(flags & 0x100, 0);
}

TEST(bus_past_the_end_of_a_mapped_file)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	check_write_all(fd, "abc", 3);
	volatile char *p = CHECK_OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK_EQ(p[2], 'c');
	CHECK_EQ(p[3], 0);
	CHECK_EQ(p[4095], 0);
	CHECK(CATCHES(SIGBUS, (void)p[4096]));
	CHECK_EQ(got.si_code, BUS_ADRERR);
	CHECK_EQ(got.si_addr, p + 4096);
	CHECK_OK(ftruncate(fd, 0));
	CHECK(CATCHES(SIGBUS, p[0] = 1));
}

TEST(int_instructions_do_not_reach_other_vectors)
{
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("int $0x20")));
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("int $0x0e")));
	CHECK(CATCHES(SIGSEGV, __asm__ volatile("int $0xfe")));
}

TEST(blocked_fault_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		sigset_t set;
		install(SIGSEGV, count_signal, 0);
		sigemptyset(&set);
		sigaddset(&set, SIGSEGV);
		sigprocmask(SIG_BLOCK, &set, NULL);
		*(volatile char *)8 = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(ignored_fault_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile char *)8 = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(fault_in_the_fault_handler_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		install(SIGSEGV, (void (*)(int))check_bad_address(), 0);
		*(volatile char *)8 = 1;
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(altstack_is_used_and_reported)
{
	static char space[65536];
	stack_t stack = { .ss_sp = space, .ss_size = sizeof(space) }, old;

	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaltstack(NULL, &old));
	CHECK_EQ(old.ss_sp, space);
	CHECK_EQ(old.ss_size, sizeof(space));
	CHECK_EQ(old.ss_flags, 0);
	install(SIGUSR1, count_signal, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK(handler_sp > (uintptr_t)space && handler_sp < (uintptr_t)space + sizeof(space));
	install(SIGUSR1, count_signal, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK(handler_sp < (uintptr_t)space || handler_sp >= (uintptr_t)space + sizeof(space));
}

static volatile int change_errno, state_inside;

static void
change_stack(int sig __attribute__((unused)))
{
	static char other[65536];
	stack_t stack = { .ss_sp = other, .ss_size = sizeof(other) }, old;

	sigaltstack(NULL, &old);
	state_inside = old.ss_flags;
	change_errno = sigaltstack(&stack, NULL) < 0 ? errno : 0;
}

TEST(altstack_cannot_change_while_in_use)
{
	static char space[65536];
	stack_t stack = { .ss_sp = space, .ss_size = sizeof(space) };

	CHECK_OK(sigaltstack(&stack, NULL));
	install(SIGUSR1, change_stack, SA_ONSTACK);
	CHECK_OK(raise(SIGUSR1));
	CHECK_EQ(change_errno, EPERM);
	CHECK_EQ(state_inside, SS_ONSTACK);
}

TEST(altstack_errors)
{
	static char space[65536];
	stack_t stack = { .ss_sp = space, .ss_size = 100 };

	CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
	stack.ss_size = sizeof(space);
	stack.ss_flags = 0x1234;
	CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
	CHECK_ERRNO(syscall(SYS_sigaltstack, check_bad_address(), NULL), EFAULT);
	stack.ss_flags = SS_DISABLE;
	CHECK_OK(sigaltstack(&stack, NULL));
	CHECK_OK(sigaltstack(NULL, &stack));
	CHECK_EQ(stack.ss_flags, SS_DISABLE);
}

static volatile int bottomless = 1;

/* Recurses until the stack is full. */
static int __attribute__((noinline))
overflow(volatile char *above)
{
	volatile char room[4096];

	room[0] = above ? above[0] : 0;
	return bottomless ? overflow(room) + room[0] : 0;
}

static void
exit_with_nine(int sig __attribute__((unused)))
{
	_exit(9);
}

TEST(stack_overflow_is_caught_on_the_altstack)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		static char space[65536];
		stack_t stack = { .ss_sp = space, .ss_size = sizeof(space) };
		CHECK_OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 }));
		CHECK_OK(sigaltstack(&stack, NULL));
		install(SIGSEGV, exit_with_nine, SA_ONSTACK);
		_exit(overflow(NULL));
	}
	CHECK_EXIT(pid, 9);
}

TEST(stack_overflow_without_altstack_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		CHECK_OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, 1 << 20 }));
		install(SIGSEGV, exit_with_nine, 0);
		_exit(overflow(NULL));
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void
overflow_handler(int sig __attribute__((unused)))
{
	overflow(NULL);
}

TEST(overflow_of_the_altstack_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		char *space = CHECK_OK(mmap(NULL, 3 * 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
					    -1, 0));
		CHECK_OK(mprotect(space + 65536, 65536, PROT_READ | PROT_WRITE));
		stack_t stack = { .ss_sp = space + 65536, .ss_size = 65536 };
		CHECK_OK(sigaltstack(&stack, NULL));
		install(SIGUSR1, overflow_handler, SA_ONSTACK);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(handler_with_a_bad_stack_pointer_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		long own = getpid();
		install(SIGUSR1, count_signal, 0);
		__asm__ volatile("mov $64, %%rsp\n\tsyscall\n\tud2"
				 :: "a"(SYS_kill), "D"(own), "S"(SIGUSR1)
				 : "rcx", "r11", "memory");
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(sigreturn_without_a_frame_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		__asm__ volatile("mov $64, %%rsp\n\tmov $15, %%eax\n\tsyscall\n\tud2" ::: "memory");
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void
set_bad_pc(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] = (greg_t)0x8000000000000000;
}

TEST(sigreturn_to_a_noncanonical_address_kills)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		install_info(SIGUSR1, set_bad_pc, 0);
		raise(SIGUSR1);
		_exit(0);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static void
raise_privilege(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
		void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_EFL] |= 0x3000 | 0x4000 | 0x20000; /* IOPL, NT, VM */
	u->uc_mcontext.gregs[REG_EFL] &= ~0x200;                    /* IF */
}

TEST(sigreturn_cannot_set_system_flags)
{
	unsigned long flags;

	install_info(SIGUSR1, raise_privilege, 0);
	CHECK_OK(raise(SIGUSR1));
	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
	CHECK_EQ(flags & 0x3000, 0);
	CHECK_EQ(flags & 0x20000, 0);
	CHECK_EQ(flags & 0x200, 0x200);
}

static void
kernel_segments(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
		void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_CSGSFS] = (greg_t)0x0018000000000010;
}

TEST(sigreturn_with_kernel_segments_does_not_give_privilege)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		install_info(SIGUSR1, kernel_segments, 0);
		raise(SIGUSR1);
		unsigned short cs;
		__asm__ volatile("mov %%cs, %0" : "=r"(cs));
		_exit((cs & 3) == 3 ? 5 : 0);
	}
	int status;
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 5);
}

static void
skip_instruction(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
		 void *context)
{
	ucontext_t *u = context;

	u->uc_mcontext.gregs[REG_RIP] += 2;
	u->uc_mcontext.gregs[REG_RAX] = 1234;
	u->uc_mcontext.gregs[REG_R15] = 5678;
}

TEST(handler_can_change_the_registers)
{
	unsigned long a = 0, b = 0;

	install_info(SIGILL, skip_instruction, 0);
	__asm__ volatile("ud2" : "=a"(a) :: "r15");
	CHECK_EQ(a, 1234);
	__asm__ volatile("ud2\n\tmov %%r15, %0" : "=r"(b) :: "rax", "r15");
	CHECK_EQ(b, 5678);
}

static void
skip_only(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	__asm__ volatile("mov $0xdead, %%rbx\n\tmov $0xdead, %%r12\n\tmov $0xdead, %%r9"
			 ::: "rbx", "r12", "r9");
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(all_general_registers_survive_a_handler)
{
	unsigned long sum = 0;

	install_info(SIGILL, skip_only, 0);
	__asm__ volatile("mov $1, %%rax\n\tmov $2, %%rbx\n\tmov $3, %%rcx\n\tmov $4, %%rdx\n\t"
			 "mov $5, %%rsi\n\tmov $6, %%rdi\n\tmov $7, %%r8\n\tmov $8, %%r9\n\t"
			 "mov $9, %%r10\n\tmov $10, %%r11\n\tmov $11, %%r12\n\tmov $12, %%r13\n\t"
			 "mov $13, %%r14\n\tmov $14, %%r15\n\t"
			 "ud2\n\t"
			 "imul $3, %%rbx\n\timul $5, %%rcx\n\timul $7, %%rdx\n\timul $11, %%rsi\n\t"
			 "imul $13, %%rdi\n\timul $17, %%r8\n\timul $19, %%r9\n\t"
			 "imul $23, %%r10\n\timul $29, %%r11\n\timul $31, %%r12\n\t"
			 "imul $37, %%r13\n\timul $41, %%r14\n\timul $43, %%r15\n\t"
			 "add %%rbx, %%rax\n\tadd %%rcx, %%rax\n\tadd %%rdx, %%rax\n\t"
			 "add %%rsi, %%rax\n\tadd %%rdi, %%rax\n\tadd %%r8, %%rax\n\t"
			 "add %%r9, %%rax\n\tadd %%r10, %%rax\n\tadd %%r11, %%rax\n\t"
			 "add %%r12, %%rax\n\tadd %%r13, %%rax\n\tadd %%r14, %%rax\n\t"
			 "add %%r15, %%rax"
			 : "=&a"(sum)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "cc");
	CHECK_EQ(sum, 1 + 2 * 3 + 3 * 5 + 4 * 7 + 5 * 11 + 6 * 13 + 7 * 17 + 8 * 19 + 9 * 23 +
			      10 * 29 + 11 * 31 + 12 * 37 + 13 * 41 + 14 * 43);
}

static void
use_red_zone(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
	     void *context)
{
	char room[512];

	memset(room, 0xee, sizeof(room));
	__asm__ volatile("" :: "r"(room) : "memory");
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(red_zone_survives_a_handler)
{
	unsigned long low, high;

	install_info(SIGILL, use_red_zone, 0);
	__asm__ volatile("sub $256, %%rsp\n\t"
			 "movq $0x1111, -8(%%rsp)\n\t"
			 "movq $0x2222, -128(%%rsp)\n\t"
			 "ud2\n\t"
			 "mov -8(%%rsp), %0\n\t"
			 "mov -128(%%rsp), %1\n\t"
			 "add $256, %%rsp"
			 : "=&r"(high), "=&r"(low) :: "memory", "cc");
	CHECK_EQ(high, 0x1111);
	CHECK_EQ(low, 0x2222);
}

static volatile unsigned long handler_flags, stack_alignment;

static void
note_entry_state(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
		 void *context)
{
	unsigned long flags;

	__asm__ volatile("pushf\n\tpop %0" : "=r"(flags));
	handler_flags = flags;
	stack_alignment = (uintptr_t)__builtin_frame_address(0) & 15;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(handler_starts_with_clear_direction_flag_and_aligned_stack)
{
	unsigned long flags;

	install_info(SIGILL, note_entry_state, 0);
	__asm__ volatile("std\n\tud2\n\tpushf\n\tpop %0\n\tcld" : "=r"(flags) :: "memory", "cc");
	CHECK_EQ(handler_flags & 0x400, 0);
	CHECK_EQ(flags & 0x400, 0x400);
	/* The frame address is where rbp was pushed: 16 below the aligned caller's stack. */
	CHECK_EQ(stack_alignment, 0);
}

static void
dirty_vectors(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)),
	      void *context)
{
	__asm__ volatile("pcmpeqb %%xmm0, %%xmm0\n\tpcmpeqb %%xmm7, %%xmm7\n\t"
			 "pcmpeqb %%xmm15, %%xmm15\n\tfninit\n\tfldz\n\tfldz"
			 ::: "xmm0", "xmm7", "xmm15");
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(xmm_registers_survive_a_handler)
{
	uint64_t in[6] = { 1, 2, 3, 4, 5, 6 }, out[6] = { 0 };

	install_info(SIGILL, dirty_vectors, 0);
	__asm__ volatile("movdqu (%0), %%xmm0\n\tmovdqu 16(%0), %%xmm7\n\t"
			 "movdqu 32(%0), %%xmm15\n\t"
			 "ud2\n\t"
			 "movdqu %%xmm0, (%1)\n\tmovdqu %%xmm7, 16(%1)\n\tmovdqu %%xmm15, 32(%1)"
			 :: "r"(in), "r"(out) : "memory", "xmm0", "xmm7", "xmm15");
	CHECK_MEM(out, in, sizeof(in));
}

TEST(x87_and_mxcsr_survive_a_handler)
{
	double value = 1.5, out = 0;
	unsigned int mxcsr = 0x7f80, mxcsr_out = 0;
	unsigned short control = 0x0f7f, control_out = 0;

	install_info(SIGILL, dirty_vectors, 0);
	__asm__ volatile("fninit\n\tfldcw %3\n\tfldl %2\n\tldmxcsr %4\n\t"
			 "ud2\n\t"
			 "fstpl %0\n\tfnstcw %1\n\tstmxcsr %5\n\tfninit"
			 : "=m"(out), "=m"(control_out)
			 : "m"(value), "m"(control), "m"(mxcsr), "m"(mxcsr_out)
			 : "memory");
	unsigned int usual = 0x1f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(usual));
	CHECK(out == 1.5);
	CHECK_EQ(control_out, control);
	CHECK_EQ(mxcsr_out, mxcsr);
}

static void
dirty_avx(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	__asm__ volatile("vzeroall" ::: "xmm0", "xmm15");
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

TEST(avx_registers_survive_a_handler)
{
	uint64_t in[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, out[8] = { 0 };

	if (!__builtin_cpu_supports("avx"))
		SKIP("the processor has no AVX");
	install_info(SIGILL, dirty_avx, 0);
	__asm__ volatile("vmovdqu (%0), %%ymm0\n\tvmovdqu 32(%0), %%ymm15\n\t"
			 "ud2\n\t"
			 "vmovdqu %%ymm0, (%1)\n\tvmovdqu %%ymm15, 32(%1)\n\tvzeroupper"
			 :: "r"(in), "r"(out) : "memory", "xmm0", "xmm15");
	CHECK_MEM(out, in, sizeof(in));
}

static volatile bool fp_is_default;

static void
look_at_fp(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *u = context;
	struct _libc_fpstate *fp = u->uc_mcontext.fpregs;

	fp_is_default = fp && fp->mxcsr == 0x1f80 && (fp->cwd & 0x7f) == 0x7f;
}

TEST(handler_frame_shows_the_floating_point_state)
{
	install_info(SIGUSR1, look_at_fp, 0);
	CHECK_OK(raise(SIGUSR1));
	CHECK(fp_is_default);
}

TEST(asynchronous_signals_do_not_disturb_computation)
{
	install(SIGUSR1, count_signal, SA_RESTART);
	pid_t parent = getpid(), pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < 200; i++) {
			kill(parent, SIGUSR1);
			check_sleep_ms(1);
		}
		_exit(0);
	}
	int status;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		double x = 0, y = 0;
		uint64_t h = 1;
		for (int i = 1; i < 20000; i++) {
			x += 1.0 / i;
			y += 1.0 / i;
			h = h * 6364136223846793005u + 1;
		}
		CHECK(x == y);
		CHECK(h != 0);
	}
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	CHECK(count > 0);
}
