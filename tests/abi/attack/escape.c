/* SPDX-License-Identifier: MIT */
/*
 * escape.c - ways out of what a program may do: running data, stacks that meet, weak handles made strong, other
 * people's processes, the kernel's own memory by its devices.
 */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "check.h"

/* mov $42, %eax; ret */
static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };

static void
run(void *at)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		_exit(((int (*)(void))at)());
	}
	CHECK_KILLED(pid, SIGSEGV);
}

TEST(data_does_not_run)
{
	static unsigned char in_data[sizeof(code)];
	unsigned char on_stack[sizeof(code)];
	unsigned char *in_heap = malloc(sizeof(code));
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0700));

	check_write_all(fd, code, sizeof(code));
	memcpy(in_data, code, sizeof(code));
	memcpy(on_stack, code, sizeof(code));
	memcpy(in_heap, code, sizeof(code));
	run(in_data);
	run(on_stack);
	run(in_heap);
	run(CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0)));
	run(CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)));
	/* And what may run does. */
	int (*f)(void) = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	CHECK_EQ(f(), 42);
}

TEST(kernel_text_does_not_run)
{
	static const uintptr_t places[] = {
		0xffffffff80000000, 0xffffffff81000000, 0xffff800000200000, 0x800000000000, 0x8000000000000000, ~0ul - 15,
		0xffffffffff5fc000,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		run((void *)places[i]);
}

TEST(lowest_page_cannot_be_mapped)
{
	check_drop_root();
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	CHECK_EQ(errno, EPERM);
	CHECK(mmap((void *)0xf000, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED);
	void *p = mmap((void *)1, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED && (uintptr_t)p >= 0x10000);
}

TEST(files_have_no_offsets_beyond_counting)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_ERRNO(syscall(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, fd, ~0ul & ~4095ul), EOVERFLOW);
	CHECK_ERRNO(syscall(SYS_mmap, 0, 1ul << 40, PROT_READ, MAP_SHARED, fd, (1ul << 63) - 4096), EOVERFLOW);
	CHECK_ERRNO(syscall(SYS_mmap, 0, ~0ul, PROT_READ, MAP_SHARED, fd, 0), ENOMEM);
	struct iovec v[4] = { { &fd, 4 }, { &fd, SSIZE_MAX }, { &fd, SSIZE_MAX }, { &fd, 16 } };
	/* Lengths that no memory has, and a sum that no count holds. */
	CHECK(readv(fd, v + 1, 3) == -1 && (errno == EINVAL || errno == EFAULT));
	v[1].iov_len = ~0ul;
	CHECK_ERRNO(writev(fd, v, 2), EINVAL);
	CHECK_ERRNO(syscall(SYS_readv, fd, v, ~0ul), EINVAL);
	CHECK_ERRNO(syscall(SYS_writev, fd, v, 1025), EINVAL);
}

TEST(no_memory_devices_for_programs)
{
	CHECK_ERRNO(open("/dev/kmem", O_RDONLY), ENOENT);
	check_drop_root();
	CHECK(open("/dev/mem", O_RDONLY) == -1);
	CHECK(open("/dev/port", O_RDONLY) == -1);
	CHECK(open("/proc/kcore", O_RDONLY) == -1);
	CHECK(syscall(SYS_iopl, 3) == -1);
	CHECK(syscall(SYS_ioperm, 0, 1, 1) == -1);
}

/* --- stacks --------------------------------------------------------------------------------------------- */

static uintptr_t
stack_start(void)
{
	static char maps[1 << 16];
	uintptr_t start = 0;

	check_read_file("/proc/self/maps", maps, sizeof(maps));
	for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "[stack]"))
			start = strtoul(line, NULL, 16);
	CHECK(start != 0);
	return start;
}

/* A gap of 256 pages stays between a growing stack and whatever lies below it. */
TEST(stack_does_not_grow_into_its_neighbour)
{
	uintptr_t neighbour = stack_start() - (4 << 20);

	CHECK_OK(mmap((void *)neighbour, 4096, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	pid_t pid = check_fork();
	if (pid == 0) {
		*(volatile char *)(neighbour + 4096 + (256 << 12)) = 1;
		_exit(7);
	}
	CHECK_EXIT(pid, 7);
	pid = check_fork();
	if (pid == 0) {
		*(volatile char *)(neighbour + 4096 + (255 << 12)) = 1;
		_exit(7);
	}
	CHECK_KILLED(pid, SIGSEGV);
	pid = check_fork();
	if (pid == 0) {
		*(volatile char *)(neighbour + 4096) = 1;
		_exit(7);
	}
	CHECK_KILLED(pid, SIGSEGV);
}

static uintptr_t
recurse(uintptr_t n)
{
	volatile char room[65536];

	room[n % sizeof(room)] = (char)n;
	return n > 1000000 ? n : recurse(n + 1) + (uintptr_t)room[n % sizeof(room)];
}

TEST(stack_ends_at_its_limit)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		_exit((int)recurse(1));
	}
	CHECK_KILLED(pid, SIGSEGV);
}

/* --- handles -------------------------------------------------------------------------------------------- */

TEST(handle_for_reading_does_not_write)
{
	char c = 'x';

	check_write_file("f", "original", 8);
	CHECK_OK(chmod("f", 0444));
	CHECK_OK(chmod(".", 0755));
	int fd = CHECK_OK(open("f", O_RDONLY)), path = CHECK_OK(open("f", O_PATH));
	pid_t pid = check_fork();
	if (pid == 0) {
		char name[40];

		check_drop_root();
		CHECK_ERRNO(write(fd, &c, 1), EBADF);
		CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
		CHECK_ERRNO(fallocate(fd, 0, 0, 100), EBADF);
		CHECK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
		CHECK_EQ(errno, EACCES);
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		CHECK_ERRNO(open(name, O_RDWR), EACCES);
		CHECK_ERRNO(open(name, O_WRONLY | O_TRUNC), EACCES);
		CHECK_ERRNO(truncate(name, 0), EACCES);
		/* The way a file was opened is no status that can be set. */
		CHECK_OK(fcntl(fd, F_SETFL, O_RDWR));
		CHECK_ERRNO(write(fd, &c, 1), EBADF);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	/* A handle that only names something neither reads nor changes it. */
	CHECK_ERRNO(read(path, &c, 1), EBADF);
	CHECK_ERRNO(write(path, &c, 1), EBADF);
	CHECK_ERRNO(ftruncate(path, 0), EBADF);
	CHECK_ERRNO(fchmod(path, 0777), EBADF);
	CHECK_ERRNO(fchown(path, 1, 1), EBADF);
	CHECK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, path, 0) == MAP_FAILED);
	CHECK_EQ(errno, EBADF);
	char now[20];
	check_read_file("f", now, sizeof(now));
	CHECK_STR(now, "original");
}

/* --- other people's processes ------------------------------------------------------------------------------ */

TEST(processes_of_others_are_closed)
{
	static const char *const files[] = { "mem", "environ", "maps", "smaps", "pagemap", "auxv", "syscall", "stack", "io" };
	static const char *const links[] = { "exe", "cwd", "root", "fd/0" };
	pid_t victim = check_fork();

	if (victim == 0) {
		for (;;)
			pause();
	}
	int pidfd = CHECK_OK(syscall(SYS_pidfd_open, victim, 0));
	pid_t pid = check_fork();
	if (pid == 0) {
		char name[64], buf[64], c;
		struct iovec mine = { &c, 1 }, theirs = { &victim, 1 };

		check_drop_root();
		for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", victim, files[i]);
			int fd = open(name, O_RDONLY);
			CHECK(fd == -1 || read(fd, buf, sizeof(buf)) <= 0);
		}
		for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
			snprintf(name, sizeof(name), "/proc/%d/%s", victim, links[i]);
			CHECK_ERRNO(readlink(name, buf, sizeof(buf)), EACCES);
			CHECK_ERRNO(open(name, O_RDONLY), EACCES);
		}
		CHECK_ERRNO(process_vm_readv(victim, &mine, 1, &theirs, 1, 0), EPERM);
		CHECK_ERRNO(process_vm_writev(victim, &mine, 1, &theirs, 1, 0), EPERM);
		CHECK_ERRNO(kill(victim, SIGKILL), EPERM);
		CHECK_ERRNO(kill(victim, 0), EPERM);
		long stolen = syscall(SYS_pidfd_getfd, pidfd, 0, 0);
		CHECK(stolen == -1 && (errno == EPERM || errno == ENOSYS));
		CHECK(syscall(SYS_ptrace, 16 /* ATTACH */, victim, 0, 0) == -1);
		CHECK(setpriority(PRIO_PROCESS, (id_t)victim, 5) == -1);
		CHECK_ERRNO(prlimit(victim, RLIMIT_CORE, &(struct rlimit){ 0, 0 }, NULL), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_OK(kill(victim, SIGKILL));
	CHECK_KILLED(victim, SIGKILL);
}

/* The program that a setuid bit gave rights: it must not trust what it inherited. */
HELPER(with_rights)
{
	CHECK_EQ(getuid(), CHECK_NOBODY);
	CHECK_EQ(geteuid(), 0);
	CHECK_EQ(getauxval(AT_SECURE), 1);
	CHECK_EQ(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0);
	CHECK(getenv("LD_PRELOAD") == NULL);
	CHECK(getenv("LD_LIBRARY_PATH") == NULL);
	CHECK(getenv("HARMLESS") != NULL);
	CHECK_EQ(prctl(PR_GET_PDEATHSIG, &argc, 0, 0, 0), 0);
	CHECK_EQ(argc, 0);
	/* Nobody's descriptor 0, 1 or 2 is the file that is opened next. */
	CHECK(open("/dev/null", O_RDONLY) > 2);
}

TEST(setuid_program_starts_clean)
{
	char buf[65536];
	ssize_t n;

	/* Where the case runs setuid bits may count for nothing. */
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, NULL));
	CHECK_OK(chdir("m"));
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY)), out = CHECK_OK(open("s", O_WRONLY | O_CREAT, 0700));

	while ((n = read(in, buf, sizeof(buf))) > 0)
		check_write_all(out, buf, (size_t)n);
	CHECK_OK(fchmod(out, 04755));
	CHECK_OK(close(out));
	CHECK_OK(chmod(".", 0755));
	pid_t pid = check_fork();
	if (pid == 0) {
		char *argv[] = { "s", "--helper", "with_rights", NULL };
		char *env[] = { "LD_PRELOAD=evil.so", "LD_LIBRARY_PATH=/tmp", "HARMLESS=1", NULL };

		check_drop_root();
		CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0));
		close(0);
		close(1);
		close(2);
		execve("./s", argv, env);
		_exit(9);
	}
	CHECK_EXIT(pid, 0);
}

/* --- the processor ----------------------------------------------------------------------------------------- */

static volatile int instruction;

/* What only the kernel may do, one by one. */
static void
privileged(void)
{
	unsigned long value = 0;

	switch (instruction) {
	case 0: __asm__ volatile("inb $0x80, %%al" ::: "rax"); break;
	case 1: __asm__ volatile("outb %%al, $0x80" ::: "rax"); break;
	case 2: __asm__ volatile("cli"); break;
	case 3: __asm__ volatile("sti"); break;
	case 4: __asm__ volatile("hlt"); break;
	case 5: __asm__ volatile("mov %%cr0, %0" : "=r"(value)); break;
	case 6: __asm__ volatile("mov %%cr3, %0" : "=r"(value)); break;
	case 7: __asm__ volatile("mov %0, %%cr4" ::"r"(value)); break;
	case 8: __asm__ volatile("mov %%dr7, %0" : "=r"(value)); break;
	case 9: __asm__ volatile("mov %0, %%dr0" ::"r"(value)); break;
	case 10: __asm__ volatile("rdmsr" ::"c"(0xc0000082) : "rax", "rdx"); break;
	case 11: __asm__ volatile("wrmsr" ::"c"(0xc0000082), "a"(0), "d"(0)); break;
	case 12: __asm__ volatile("invlpg (%0)" ::"r"(&value)); break;
	case 13: __asm__ volatile("wbinvd"); break;
	case 14: __asm__ volatile("swapgs"); break;
	case 15: __asm__ volatile("sysretq"); break;
	case 16: __asm__ volatile("lgdt %0" ::"m"(value)); break;
	case 17: __asm__ volatile("ltr %w0" ::"r"(value)); break;
	case 18: __asm__ volatile("clts"); break;
	default: _exit(99);
	}
}

/* A frame may ask for any flags: those that give rights are not given. */
static void
ask_for_flags(int sig __attribute__((unused)), siginfo_t *info __attribute__((unused)), void *context)
{
	ucontext_t *u = context;

	/* IOPL 3, NT, VM, VIF, VIP, ID, RF and all that is reserved; not TF, which would trap. */
	u->uc_mcontext.gregs[REG_EFL] |= 0x7ffffffffffff000 & ~(1l << 18);
	u->uc_mcontext.gregs[REG_EFL] &= ~(1l << 9); /* interrupts off */
}

TEST(flags_of_a_signal_frame_give_no_rights)
{
	struct sigaction sa = { .sa_sigaction = ask_for_flags, .sa_flags = SA_SIGINFO };
	unsigned long flags;

	CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
	CHECK_OK(raise(SIGUSR1));
	__asm__ volatile("pushfq; popq %0" : "=r"(flags));
	CHECK_EQ(flags & 0x3000, 0);   /* IOPL */
	CHECK_EQ(flags & 0x4000, 0);   /* NT */
	CHECK_EQ(flags & 0x200, 0x200); /* interrupts are on */
	CHECK_EQ(flags & 0x1a0000, 0); /* VM, VIF, VIP */
}

TEST(privileged_instructions_after_asking_for_rights)
{
	struct sigaction sa = { .sa_sigaction = ask_for_flags, .sa_flags = SA_SIGINFO };

	for (instruction = 0;; instruction++) {
		int status;
		pid_t pid = check_fork();

		if (pid == 0) {
			setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
			/* Also after having asked for the rights. */
			CHECK_OK(sigaction(SIGUSR1, &sa, NULL));
			CHECK_OK(raise(SIGUSR1));
			privileged();
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
			break;
		if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV)
			FAIL("instruction %d ended with status %#x", instruction, status);
	}
}

/* Segment bases that lead into the kernel's half are refused, or useless. */
TEST(segment_bases_in_the_kernel)
{
	static const unsigned long places[] = {
		0xffffffff80000000, 0xffff800000000000, 0x800000000000, 0x8000000000000000, 0x7ffffffff000,
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			unsigned long value;

			setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
			long refused = syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, places[i]);
			if (refused != 0 && (getauxval(AT_HWCAP2) & 2))
				__asm__ volatile("wrgsbase %0" ::"r"(places[i]));
			else if (refused != 0)
				raise(SIGSEGV);
			/* The base survives system calls and switches, and reading by it faults. */
			syscall(SYS_sched_yield);
			__asm__ volatile("mov %%gs:0, %0" : "=r"(value));
			_exit(0);
		}
		CHECK_KILLED(pid, SIGSEGV);
	}
}
