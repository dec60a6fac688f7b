/* SPDX-License-Identifier: MIT */
/* The rest: names, memory devices, random numbers, unknown calls, segment bases. */
#include "../check.h"

#include <asm/prctl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/random.h>
#include <sys/sysinfo.h>
#include <sys/uio.h>
#include <sys/utsname.h>

TEST(uname_fields)
{
	struct utsname u;
	int major = 0, minor = 0;

	CHECK_OK(uname(&u));
	CHECK_STR(u.sysname, "Linux");
	CHECK_STR(u.machine, "x86_64");
	CHECK_EQ(sscanf(u.release, "%d.%d", &major, &minor), 2);
	CHECK(major >= 5);
	CHECK(u.version[0] != '\0');
	char host[65];
	CHECK_OK(gethostname(host, sizeof(host)));
	CHECK_STR(host, u.nodename);
	CHECK_ERRNO(syscall(SYS_uname, check_bad_address()), EFAULT);
}

TEST(uname_of_a_program_that_knows_only_2_6)
{
	struct utsname now, old;
	int persona = CHECK_OK(personality(0xffffffff));
	unsigned int major, minor, then;

	CHECK_OK(uname(&now));
	CHECK_OK(personality((unsigned long)persona | UNAME26));
	CHECK_OK(uname(&old));
	CHECK_OK(personality((unsigned long)persona));
	CHECK_EQ(sscanf(now.release, "%u.%u", &major, &minor), 2);
	CHECK_EQ(sscanf(old.release, "2.6.%u", &then), 1);
	CHECK_EQ(then, minor + 60);
	CHECK_STR(strchr(old.release, '-'), strchr(now.release, '-'));
	CHECK_STR(old.version, now.version);
}

TEST(uname_of_a_32_bit_machine)
{
	struct utsname u;
	int persona = CHECK_OK(personality(0xffffffff));

	CHECK_OK(personality(PER_LINUX32));
	CHECK_OK(uname(&u));
	CHECK_STR(u.machine, "i686");
	CHECK_OK(personality(PER_LINUX32 | UNAME26));
	CHECK_OK(uname(&u));
	CHECK_STR(u.machine, "i686");
	CHECK_OK(personality((unsigned long)persona));
	CHECK_OK(uname(&u));
	CHECK_STR(u.machine, "x86_64");
}

TEST(sethostname_rules)
{
	char old[65], now[65], text[80];

	CHECK_OK(gethostname(old, sizeof(old)));
	CHECK_ERRNO(sethostname("x", 65), EINVAL);
	CHECK_ERRNO(sethostname(check_bad_address(), 5), EFAULT);
	CHECK_OK(sethostname("some-name", 9));
	CHECK_OK(gethostname(now, sizeof(now)));
	check_read_file("/proc/sys/kernel/hostname", text, sizeof(text));
	CHECK_OK(sethostname(old, strlen(old)));
	CHECK_STR(now, "some-name");
	CHECK_STR(text, "some-name\n");
	check_drop_root();
	CHECK_ERRNO(sethostname("x", 1), EPERM);
	CHECK_ERRNO(setdomainname("x", 1), EPERM);
}

TEST(sysinfo_is_plausible)
{
	struct sysinfo s;

	CHECK_OK(sysinfo(&s));
	CHECK(s.uptime >= 0);
	CHECK(s.mem_unit > 0);
	CHECK((unsigned long long)s.totalram * s.mem_unit >= 16ULL << 20);
	CHECK(s.freeram <= s.totalram);
	CHECK(s.procs >= 2);
	CHECK_ERRNO(syscall(SYS_sysinfo, check_bad_address()), EFAULT);
}

TEST(getrandom_fills_and_differs)
{
	unsigned char a[64] = { 0 }, b[64] = { 0 };
	int zeros = 0;

	CHECK_EQ(getrandom(a, 64, 0), 64);
	CHECK_EQ(getrandom(b, 64, GRND_NONBLOCK), 64);
	CHECK(memcmp(a, b, 64) != 0);
	for (int i = 0; i < 64; i++)
		zeros += a[i] == 0;
	CHECK(zeros < 16);
	CHECK_EQ(getrandom(a, 0, 0), 0);
	CHECK_ERRNO(getrandom(a, 1, 0x100), EINVAL);
	CHECK_ERRNO(getrandom(check_bad_address(), 16, 0), EFAULT);
	static unsigned char large[100000];
	CHECK_EQ(getrandom(large, sizeof(large), 0), sizeof(large));
}

TEST(getrandom_bits_are_balanced)
{
	static unsigned char data[65536];
	long ones = 0;

	CHECK_EQ(getrandom(data, sizeof(data), 0), sizeof(data));
	for (size_t i = 0; i < sizeof(data); i++)
		ones += __builtin_popcount(data[i]);
	/* 2^18 expected, with a standard deviation of 362. */
	CHECK_RANGE(ones, 262144 - 3000, 262144 + 3000);
}

TEST(dev_null)
{
	char c;
	struct stat st;
	int fd = CHECK_OK(open("/dev/null", O_RDWR));

	CHECK_EQ(read(fd, &c, 1), 0);
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(lseek(fd, 100, SEEK_SET), 0);
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISCHR(st.st_mode));
	CHECK_EQ(st.st_rdev, 1 << 8 | 3);
	CHECK_EQ(write(fd, check_bad_address(), 3), 3);
	struct iovec v[2] = { { "ab", 2 }, { "cde", 3 } };
	CHECK_EQ(writev(fd, v, 2), 5);
	CHECK_OK(open("/dev/null", O_WRONLY | O_TRUNC | O_CREAT, 0600));
}

TEST(dev_zero)
{
	static char buffer[10000];
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));

	memset(buffer, 1, sizeof(buffer));
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), sizeof(buffer));
	for (size_t i = 0; i < sizeof(buffer); i++)
		CHECK_EQ(buffer[i], 0);
	CHECK_EQ(write(fd, buffer, 5000), 5000);
	CHECK_ERRNO(read(fd, check_bad_address(), 10), EFAULT);
}

TEST(dev_full)
{
	char c = 1;
	int fd = open("/dev/full", O_RDWR);

	if (fd < 0 && errno == ENOENT)
		SKIP("no /dev/full");
	CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
	CHECK_EQ(read(fd, &c, 1), 1);
	CHECK_EQ(c, 0);
}

TEST(dev_random_and_urandom)
{
	static const char *const paths[] = { "/dev/random", "/dev/urandom" };
	unsigned char a[32], b[32];

	for (int i = 0; i < 2; i++) {
		int fd = CHECK_OK(open(paths[i], O_RDWR));
		CHECK_EQ(read(fd, a, 32), 32);
		CHECK_EQ(read(fd, b, 32), 32);
		CHECK(memcmp(a, b, 32) != 0);
		CHECK_EQ(write(fd, a, 32), 32);
	}
}

TEST(dev_standard_links)
{
	int ends[2];
	char c;

	CHECK_OK(pipe(ends));
	CHECK_OK(dup2(ends[0], 0));
	CHECK_OK(dup2(ends[1], 1));
	int out = open("/dev/stdout", O_WRONLY);
	if (out < 0 && errno == ENOENT)
		SKIP("no /dev/stdout");
	CHECK(out >= 0);
	CHECK_EQ(write(out, "x", 1), 1);
	int in = CHECK_OK(open("/dev/stdin", O_RDONLY));
	CHECK_EQ(read(in, &c, 1), 1);
	CHECK_EQ(c, 'x');
	int fd = CHECK_OK(open("/dev/fd/0", O_RDONLY | O_NONBLOCK));
	CHECK_ERRNO(read(fd, &c, 1), EAGAIN);
}

TEST(getcpu_agrees_with_affinity)
{
	cpu_set_t all, one;
	unsigned int cpu, node;

	CHECK_OK(sched_getaffinity(0, sizeof(all), &all));
	for (unsigned int c = 0; c < CPU_SETSIZE; c++) {
		if (!CPU_ISSET(c, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(c, &one);
		CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
		CHECK_OK(getcpu(&cpu, &node));
		CHECK_EQ(cpu, c);
		CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
		CHECK_EQ(cpu, c);
	}
	CHECK_OK(syscall(SYS_getcpu, NULL, NULL, NULL));
	CHECK_ERRNO(syscall(SYS_getcpu, check_bad_address(), NULL, NULL), EFAULT);
}

TEST(unused_call_numbers_are_enosys)
{
	static const long numbers[] = { 600, 1000, 9999, 0x7fffffff, -1, -1000, 0x100000000 };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if ((int)numbers[i] == 0)
			continue;
		CHECK_ERRNO(syscall(numbers[i], 1, 2, 3, 4, 5, 6), ENOSYS);
	}
	/* Removed from Linux long ago. */
	CHECK_ERRNO(syscall(SYS_uselib, "x"), ENOSYS);
	CHECK_ERRNO(syscall(SYS_create_module, 0), ENOSYS);
}

TEST(calls_keep_all_registers_but_three)
{
	unsigned long sum, distance;

	__asm__ volatile("mov $1, %%rbx\n\tmov $2, %%rdx\n\tmov $3, %%rsi\n\tmov $4, %%rdi\n\t"
			 "mov $5, %%r8\n\tmov $6, %%r9\n\tmov $7, %%r10\n\tmov $8, %%r12\n\t"
			 "mov $9, %%r13\n\tmov $10, %%r14\n\tmov $11, %%r15\n\t"
			 "mov $39, %%eax\n\tsyscall\n\t"
			 "1: lea 1b(%%rip), %%rax\n\tsub %%rcx, %%rax\n\t"
			 "imul $3, %%rdx\n\timul $5, %%rsi\n\timul $7, %%rdi\n\timul $11, %%r8\n\t"
			 "imul $13, %%r9\n\timul $17, %%r10\n\timul $19, %%r12\n\t"
			 "imul $23, %%r13\n\timul $29, %%r14\n\timul $31, %%r15\n\t"
			 "add %%rdx, %%rbx\n\tadd %%rsi, %%rbx\n\tadd %%rdi, %%rbx\n\t"
			 "add %%r8, %%rbx\n\tadd %%r9, %%rbx\n\tadd %%r10, %%rbx\n\t"
			 "add %%r12, %%rbx\n\tadd %%r13, %%rbx\n\tadd %%r14, %%rbx\n\t"
			 "add %%r15, %%rbx\n\tmov %%rbx, %0"
			 : "=&r"(sum), "=&a"(distance)
			 :
			 : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12",
			   "r13", "r14", "r15", "memory", "cc");
	CHECK_EQ(sum, 1 + 2 * 3 + 3 * 5 + 4 * 7 + 5 * 11 + 6 * 13 + 7 * 17 + 8 * 19 + 9 * 23 +
			      10 * 29 + 11 * 31);
	/* rcx is where the call returned to. */
	CHECK_EQ(distance, 0);
}

TEST(arch_prctl_reads_and_sets_bases)
{
	unsigned long fs = 0, gs = 1, back = 0;

	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	CHECK_EQ(fs, (unsigned long)__builtin_thread_pointer());
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
	CHECK_EQ(gs, 0);
	static unsigned long word = 0x1234567;
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, &word));
	unsigned long through;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(through));
	CHECK_EQ(through, 0x1234567);
	CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &back));
	CHECK_EQ(back, (unsigned long)&word);
	check_sleep_ms(10);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(through));
	CHECK_EQ(through, 0x1234567);
	pid_t pid = check_fork();
	if (pid == 0) {
		__asm__ volatile("mov %%gs:0, %0" : "=r"(through));
		_exit(through == 0x1234567 ? 0 : 1);
	}
	CHECK_EXIT(pid, 0);
}

TEST(arch_prctl_errors)
{
	CHECK_ERRNO(syscall(SYS_arch_prctl, 0x7777, 0), EINVAL);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff800000000000), EPERM);
	CHECK_ERRNO(syscall(SYS_arch_prctl, ARCH_GET_FS, check_bad_address()), EFAULT);
}

TEST(personality_can_be_read_and_set)
{
	CHECK_EQ(personality(0xffffffff), PER_LINUX);
	CHECK_EQ(personality(ADDR_NO_RANDOMIZE), PER_LINUX);
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE);
}

TEST(reboot_is_refused_without_privilege_or_magic)
{
	CHECK_ERRNO(syscall(SYS_reboot, 1, 2, 3, NULL), EINVAL);
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, NULL), EPERM);
}

TEST(ids_of_calls_without_errors)
{
	CHECK(getpid() > 0);
	CHECK(getppid() > 0);
	CHECK_EQ(getuid(), 0);
	CHECK_EQ(getgid(), 0);
	CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
	CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
}

TEST(syslog_needs_privilege)
{
	check_drop_root();
	char buffer[16];
	CHECK_ERRNO(syscall(SYS_syslog, 5 /* CLEAR */, buffer, 16), EPERM);
}

/* Addresses of the kernel are in the log. */
TEST(log_is_for_the_privileged)
{
	char buffer[4096];

	check_read_file("/proc/sys/kernel/dmesg_restrict", buffer, sizeof(buffer));
	CHECK_STR(buffer, "1\n");
	CHECK_OK(syscall(SYS_syslog, 3 /* READ_ALL */, buffer, sizeof(buffer)));
	CHECK_OK(syscall(SYS_syslog, 10 /* SIZE_BUFFER */, NULL, 0));
	int fd = CHECK_OK(open("/dev/kmsg", O_RDONLY));
	CHECK_OK(close(fd));
	check_drop_root();
	CHECK_ERRNO(syscall(SYS_syslog, 3, buffer, sizeof(buffer)), EPERM);
	CHECK_ERRNO(syscall(SYS_syslog, 10, NULL, 0), EPERM);
	CHECK_ERRNO(open("/dev/kmsg", O_RDONLY), EPERM);
	CHECK_ERRNO(open("/dev/kmsg", O_WRONLY), EACCES);
	CHECK_ERRNO(open("/proc/sys/kernel/dmesg_restrict", O_WRONLY), EACCES);
}
