/* SPDX-License-Identifier: MIT */
/*
 * registers.c - what a tracer reads and writes in a tracee: memory, registers, FPU, siginfo.
 */
#include "tracee.h"

static volatile unsigned long word = 0x1122334455667788;

TEST(peek_and_poke_move_words)
{
	pid_t pid = tracee_stopped();
	unsigned long value;

	CHECK_OK(trace(PTRACE_PEEKDATA, pid, A(&word), A(&value)));
	CHECK_EQ(value, 0x1122334455667788);
	CHECK_OK(trace(PTRACE_POKEDATA, pid, A(&word), 99));
	CHECK_OK(trace(PTRACE_PEEKTEXT, pid, A(&word), A(&value)));
	CHECK_EQ(value, 99);
	CHECK_EQ(word, 0x1122334455667788);
	CHECK_OK(trace(PTRACE_POKEDATA, pid, A(&word) + 1, 7));
	CHECK_OK(trace(PTRACE_PEEKDATA, pid, A(&word) + 1, A(&value)));
	CHECK_EQ(value, 7);
	tracee_end(pid);
}

TEST(poke_changes_read_only_text_of_the_tracee_alone)
{
	pid_t pid = tracee_stopped();
	unsigned long addr = A(tracee_stopped) & ~7ul, value, own;

	memcpy(&own, (void *)addr, sizeof(own));
	CHECK_OK(trace(PTRACE_POKETEXT, pid, addr, 0xccccccccccccccccul));
	CHECK_OK(trace(PTRACE_PEEKTEXT, pid, addr, A(&value)));
	CHECK_EQ(value, 0xccccccccccccccccul);
	CHECK_MEM((void *)addr, &own, sizeof(own));
	tracee_end(pid);
}

TEST(peek_of_nothing_is_eio_to_nowhere_efault)
{
	pid_t pid = tracee_stopped();
	unsigned long value;

	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, 8, A(&value)), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEDATA, pid, 8, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, ~7ul, A(&value)), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEDATA, pid, 0xffffffff81000000ul, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, A(&word), A(check_bad_address())), EFAULT);
	CHECK_ERRNO(trace(PTRACE_PEEKDATA, pid, A(check_page_end()) - 4, A(&value)), EIO);
	tracee_end(pid);
}

TEST(registers_as_a_whole_and_one_by_one_agree)
{
	pid_t pid = tracee_stopped();
	struct user_regs_struct r, again;
	unsigned long *words = (unsigned long *)&r;

	CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&r)));
	for (unsigned int i = 0; i < sizeof(r) / 8; i++)
		CHECK_EQ(tracee_peek_user(pid, i * 8), words[i]);
	CHECK_EQ(r.cs, 0x33);
	CHECK_EQ(r.ss, 0x2b);
	CHECK_EQ(r.ds | r.es | r.fs | r.gs, 0);
	CHECK(r.fs_base != 0);
	r.r12 = 0x1212;
	r.rbx = 0xbbbb;
	CHECK_OK(trace(PTRACE_SETREGS, pid, 0, A(&r)));
	CHECK_OK(trace(PTRACE_GETREGS, pid, 0, A(&again)));
	CHECK_MEM(&again, &r, sizeof(r));
	tracee_end(pid);
}

TEST(registers_that_cannot_be_are_eio)
{
	pid_t pid = tracee_stopped();

	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.cs), 0), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.cs), 0x10), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.ss), 0), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.ds), 0x18), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.fs_base), 1ul << 63), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(regs.gs_base), 1ul << 47), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, 3, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, sizeof(struct user) + 16, 0), EIO);
	CHECK_ERRNO(trace(PTRACE_POKEUSER, pid, USER(u_tsize), 0), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, 4, A(&(long){ 0 })), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, sizeof(struct user) + 16, A(&(long){ 0 })), EIO);
	CHECK_ERRNO(trace(PTRACE_PEEKUSER, pid, 0, A(check_bad_address())), EFAULT);
	CHECK_EQ(tracee_peek_user(pid, USER(u_tsize)), 0);
	CHECK_EQ(tracee_peek_user(pid, USER(start_code)), 0);
	tracee_end(pid);
}

TEST(flags_keep_what_a_program_may_not_change)
{
	pid_t pid = tracee_stopped();

	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.eflags), ~0ul & ~0x100ul));
	/* Interrupts stay on, IOPL and virtual-8086 bits off. */
	CHECK_EQ(tracee_peek_user(pid, USER(regs.eflags)), 0x54ed7 | 0x200);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.eflags), 0));
	CHECK_EQ(tracee_peek_user(pid, USER(regs.eflags)), 0x202);
	tracee_end(pid);
}

static unsigned long result;

static void
returns_a_register(void)
{
	__asm__ volatile("mov $1, %%r15\n\tmov $37 /* gettid's neighbour */, %%eax\n\tint3\n\tmov %%r15, %0"
			 : "=m"(result)::"rax", "r15", "memory");
	_exit((int)result);
}

TEST(changed_registers_are_what_the_tracee_goes_on_with)
{
	pid_t pid = tracee_running(returns_a_register);

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.r15), 42));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 42);
}

static void
uses_tls(void)
{
	_exit(errno = 5);
}

TEST(a_wild_instruction_pointer_is_a_segmentation_fault)
{
	pid_t pid = tracee_running(uses_tls);

	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rip), 0xffff800000000000ul));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGSEGV);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rip), 1ul << 62));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGSEGV);
	CHECK_OK(trace(PTRACE_POKEUSER, pid, USER(regs.rsp), 1ul << 62));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGSEGV));
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(arch_prctl_of_a_tracee)
{
	pid_t pid = tracee_stopped();
	unsigned long base = 0, was = tracee_peek_user(pid, USER(regs.fs_base));

	CHECK_OK(trace(30 /* ARCH_PRCTL */, pid, A(&base), 0x1003 /* GET_FS */));
	CHECK_EQ(base, was);
	CHECK_OK(trace(30, pid, 0x123000, 0x1001 /* SET_GS */));
	CHECK_OK(trace(30, pid, A(&base), 0x1004 /* GET_GS */));
	CHECK_EQ(base, 0x123000);
	CHECK_ERRNO(trace(30, pid, 1ul << 63, 0x1001), EPERM);
	CHECK_ERRNO(trace(30, pid, 0, 0x9999), EINVAL);
	CHECK_ERRNO(trace(30, pid, A(check_bad_address()), 0x1003), EFAULT);
	tracee_end(pid);
}

static void
keeps_a_double(void)
{
	double d = 1.5, out;

	__asm__ volatile("movsd %1, %%xmm7\n\tint3\n\tmovsd %%xmm7, %0" : "=m"(out) : "m"(d) : "xmm7", "memory");
	_exit((int)out);
}

TEST(fpu_registers_are_read_and_written)
{
	pid_t pid = tracee_running(keeps_a_double);
	struct user_fpregs_struct fp;
	double d;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETFPREGS, pid, 0, A(&fp)));
	CHECK_EQ(fp.cwd, 0x37f);
	CHECK_EQ(fp.mxcsr, 0x1f80);
	memcpy(&d, &fp.xmm_space[28], sizeof(d));
	CHECK(d == 1.5);
	d = 77.25;
	memcpy(&fp.xmm_space[28], &d, sizeof(d));
	CHECK_OK(trace(PTRACE_SETFPREGS, pid, 0, A(&fp)));
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 77);
}

TEST(xstate_carries_the_same_and_its_header)
{
	pid_t pid = tracee_running(keeps_a_double);
	static unsigned char image[16384] __attribute__((aligned(64)));
	struct iovec v = { image, sizeof(image) };
	unsigned long components, present;
	double d;

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_OK(trace(PTRACE_GETREGSET, pid, NT_X86_XSTATE, A(&v)));
	CHECK(v.iov_len >= 576 && v.iov_len < sizeof(image));
	memcpy(&components, image + 464, 8);
	memcpy(&present, image + 512, 8);
	CHECK_EQ(components & 3, 3);
	CHECK_EQ(present & ~components, 0);
	memcpy(&d, image + 160 + 7 * 16, sizeof(d));
	CHECK(d == 1.5);
	d = 33.0;
	memcpy(image + 160 + 7 * 16, &d, sizeof(d));
	present |= 2;
	memcpy(image + 512, &present, 8);
	v.iov_len -= 8;
	CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, A(&v)), EFAULT);
	v.iov_len += 8;
	CHECK_OK(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, A(&v)));
	present = ~0ul;
	memcpy(image + 512, &present, 8);
	CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, A(&v)), EINVAL);
	present = components & 3;
	memcpy(image + 512, &present, 8);
	image[27] = 0xff; /* bits of MXCSR that there are not */
	CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_X86_XSTATE, A(&v)), EINVAL);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	CHECK_EXIT(pid, 33);
}

TEST(register_sets_have_sizes)
{
	pid_t pid = tracee_stopped();
	struct user_regs_struct r;
	char fp[600];
	struct iovec v = { &r, 4096 };

	CHECK_OK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, A(&v)));
	CHECK_EQ(v.iov_len, sizeof(r));
	v.iov_len = 16;
	CHECK_OK(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, A(&v)));
	CHECK_EQ(v.iov_len, 16);
	CHECK_OK(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, A(&v)));
	v.iov_len = 15;
	CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, A(&v)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, 0x7777, A(&v)), EINVAL);
	v = (struct iovec){ fp, sizeof(fp) };
	CHECK_OK(trace(PTRACE_GETREGSET, pid, NT_PRFPREG, A(&v)));
	CHECK_EQ(v.iov_len, 512);
	v.iov_len = 256;
	CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_PRFPREG, A(&v)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, NT_PRSTATUS, A(check_bad_address())), EFAULT);
	v = (struct iovec){ check_bad_address(), 512 };
	CHECK_ERRNO(trace(PTRACE_GETREGSET, pid, NT_PRFPREG, A(&v)), EFAULT);
	CHECK_ERRNO(trace(PTRACE_SETREGSET, pid, NT_PRSTATUS, A(&v)), EFAULT);
	CHECK_ERRNO(trace(PTRACE_GETREGS, pid, 0, A(check_bad_address())), EFAULT);
	CHECK_ERRNO(trace(PTRACE_SETREGS, pid, 0, A(check_bad_address())), EFAULT);
	CHECK_ERRNO(trace(PTRACE_SETFPREGS, pid, 0, A(check_bad_address())), EFAULT);
	tracee_end(pid);
}

TEST(siginfo_is_read_and_replaced)
{
	pid_t pid = tracee_stopped();
	siginfo_t info;

	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGSTOP);
	CHECK_EQ(info.si_code, SI_TKILL);
	CHECK_EQ(info.si_pid, pid);
	info.si_signo = SIGTERM;
	CHECK_OK(trace(PTRACE_SETSIGINFO, pid, 0, A(&info)));
	CHECK_OK(trace(PTRACE_GETSIGINFO, pid, 0, A(&info)));
	CHECK_EQ(info.si_signo, SIGTERM);
	CHECK_ERRNO(trace(PTRACE_GETSIGINFO, pid, 0, A(check_bad_address())), EFAULT);
	CHECK_ERRNO(trace(PTRACE_SETSIGINFO, pid, 0, A(check_bad_address())), EFAULT);
	tracee_end(pid);
}

TEST(signal_mask_is_read_and_replaced)
{
	pid_t pid = tracee_stopped();
	unsigned long mask = 1;

	CHECK_ERRNO(trace(PTRACE_GETSIGMASK, pid, 4, A(&mask)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_GETSIGMASK, pid, 8, A(check_bad_address())), EFAULT);
	CHECK_ERRNO(trace(PTRACE_SETSIGMASK, pid, 8, A(check_bad_address())), EFAULT);
	CHECK_OK(trace(PTRACE_GETSIGMASK, pid, 8, A(&mask)));
	CHECK_EQ(mask, 0);
	mask = ~0ul;
	CHECK_OK(trace(PTRACE_SETSIGMASK, pid, 8, A(&mask)));
	CHECK_OK(trace(PTRACE_GETSIGMASK, pid, 8, A(&mask)));
	CHECK_EQ(mask, ~(1ul << (SIGKILL - 1) | 1ul << (SIGSTOP - 1)));
	tracee_end(pid);
}

static void
blocks_and_raises(void)
{
	sigset_t set;

	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < 3; i++)
		sigqueue(getpid(), SIGRTMIN + i, (union sigval){ .sival_int = 100 + i });
	syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
	__asm__ volatile("int3");
}

TEST(pending_signals_can_be_peeked_at)
{
	struct { unsigned long offset; unsigned int flags; int count; } args = { 0, 1, 8 };
	pid_t pid = tracee_running(blocks_and_raises);
	siginfo_t info[8];

	CHECK_OK(trace(PTRACE_CONT, pid, 0, 0));
	tracee_expect(pid, SIGTRAP);
	CHECK_EQ(CHECK_OK(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info))), 3);
	CHECK_EQ(info[0].si_signo, SIGRTMIN);
	CHECK_EQ(info[2].si_value.sival_int, 102);
	args.offset = 2;
	CHECK_EQ(CHECK_OK(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info))), 1);
	CHECK_EQ(info[0].si_signo, SIGRTMIN + 2);
	args.offset = 0;
	args.flags = 0;
	CHECK_EQ(CHECK_OK(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info))), 1);
	CHECK_EQ(info[0].si_signo, SIGUSR1);
	args.offset = 9;
	CHECK_EQ(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info)), 0);
	args.flags = 2;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info)), EINVAL);
	args.flags = 0;
	args.count = -1;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(info)), EINVAL);
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, A(check_bad_address()), A(info)), EFAULT);
	args.offset = 0;
	args.count = 1;
	CHECK_ERRNO(trace(PTRACE_PEEKSIGINFO, pid, A(&args), A(check_bad_address())), EFAULT);
	tracee_end(pid);
}

TEST(rseq_configuration_tells_what_libc_registered)
{
	pid_t pid = tracee_stopped();
	struct { unsigned long address; unsigned int size, signature, flags, pad; } c;

	CHECK_EQ(CHECK_OK(trace(0x420f, pid, sizeof(c), A(&c))), sizeof(c));
	CHECK(c.address != 0);
	CHECK_EQ(c.size, 32);
	CHECK_EQ(c.signature, 0x53053053);
	CHECK_EQ(CHECK_OK(trace(0x420f, pid, 8, A(&c))), sizeof(c));
	tracee_end(pid);
}

TEST(memory_file_of_a_tracee)
{
	pid_t pid = tracee_stopped();
	char path[64];
	unsigned long value = 5;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	fd = CHECK_OK(open(path, O_RDWR));
	CHECK_EQ(pread(fd, &value, 8, (off_t)A(&word)), 8);
	CHECK_EQ(value, 0x1122334455667788);
	value = 6;
	CHECK_EQ(pwrite(fd, &value, 8, (off_t)A(&word)), 8);
	CHECK_OK(trace(PTRACE_PEEKDATA, pid, A(&word), A(&value)));
	CHECK_EQ(value, 6);
	tracee_end(pid);
}
