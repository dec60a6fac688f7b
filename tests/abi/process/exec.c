/* SPDX-License-Identifier: MIT */
/* execve: what it runs, what it hands over, what it keeps and what it drops. */
#include "../check.h"

#include <elf.h>
#include <pthread.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>

extern char **environ;

static const char *
self_path(void)
{
	static char path[PATH_MAX];
	ssize_t n = CHECK_OK(readlink("/proc/self/exe", path, sizeof(path) - 1));

	path[n] = '\0';
	return path;
}

/* Copy this program to `to`. */
static void
copy_self(const char *to, mode_t mode)
{
	static char block[65536];
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	int out = CHECK_OK(open(to, O_WRONLY | O_CREAT | O_EXCL, 0755));
	ssize_t n;

	while ((n = CHECK_OK(read(in, block, sizeof(block)))) > 0)
		check_write_all(out, block, (size_t)n);
	CHECK_OK(close(in));
	CHECK_OK(close(out));
	CHECK_OK(chmod(to, mode));
}

static void
write_program(const char *path, const char *text)
{
	check_write_file(path, text, strlen(text));
	CHECK_OK(chmod(path, 0755));
}

/*
 * Fork; in the child exec `path` with these arguments and standard output into `text`. The
 * status the child left with is the value.
 */
static int
capture(const char *path, char *const argv[], char *const envp[], char *text, size_t size)
{
	int ends[2], status;
	size_t done = 0;

	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_OK(dup2(ends[1], 1));
		CHECK_OK(close(ends[0]));
		CHECK_OK(close(ends[1]));
		execve(path, argv, envp);
		_exit(errno == ENOENT ? 127 : 126);
	}
	CHECK_OK(close(ends[1]));
	for (;;) {
		ssize_t n = CHECK_OK(read(ends[0], text + done, size - 1 - done));
		if (n == 0)
			break;
		done += (size_t)n;
	}
	text[done] = '\0';
	CHECK_OK(close(ends[0]));
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

HELPER(print)
{
	printf("%d:", argc);
	for (int i = 0; i < argc; i++)
		printf("[%s]", argv[i]);
	for (char **e = environ; *e; e++)
		printf("{%s}", *e);
}

TEST(exec_passes_arguments_and_environment)
{
	char text[256];
	char *argv[] = { "zero", "--helper", "print", "", "two words", NULL };
	char *envp[] = { "A=1", "B=", "odd", NULL };

	CHECK_EQ(capture(self_path(), argv, envp, text, sizeof(text)), 0);
	CHECK_STR(text, "3:[print][][two words]{A=1}{B=}{odd}");
}

TEST(exec_without_environment)
{
	char text[256];
	char *argv[] = { "zero", "--helper", "print", NULL };

	CHECK_EQ(capture(self_path(), argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "1:[print]");
}

HELPER(many_arguments)
{
	size_t total = 0;

	for (int i = 0; i < argc; i++)
		total += strlen(argv[i]) + 1;
	printf("%d %zu", argc, total);
}

TEST(exec_with_a_megabyte_of_arguments)
{
	enum { COUNT = 5000, LENGTH = 200 };
	static char *argv[COUNT + 4];
	char text[64], word[LENGTH + 1];

	memset(word, 'w', LENGTH);
	word[LENGTH] = '\0';
	argv[0] = "x";
	argv[1] = "--helper";
	argv[2] = "many_arguments";
	for (int i = 0; i < COUNT; i++)
		argv[3 + i] = word;
	CHECK_EQ(capture(self_path(), argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "5001 1005015");
}

TEST(exec_argument_too_long_is_e2big)
{
	static char big[131073];
	char *argv[] = { "x", big, NULL };

	memset(big, 'a', sizeof(big) - 1);
	CHECK_ERRNO(execve("/proc/self/exe", argv, NULL), E2BIG);
}

TEST(exec_arguments_over_a_quarter_of_the_stack_are_e2big)
{
	static char big[100001];
	static char *argv[60];

	memset(big, 'a', sizeof(big) - 1);
	for (int i = 0; i < 50; i++)
		argv[i] = big;
	CHECK_OK(setrlimit(RLIMIT_STACK, &(struct rlimit){ 8 << 20, 8 << 20 }));
	CHECK_ERRNO(execve("/proc/self/exe", argv, NULL), E2BIG);
}

TEST(exec_path_errors)
{
	char *argv[] = { "x", NULL };

	check_write_file("plain", "data", 4);
	CHECK_ERRNO(execve("missing", argv, NULL), ENOENT);
	CHECK_ERRNO(execve("", argv, NULL), ENOENT);
	CHECK_ERRNO(execve("plain", argv, NULL), EACCES);
	CHECK_ERRNO(execve(".", argv, NULL), EACCES);
	CHECK_ERRNO(execve("plain/x", argv, NULL), ENOTDIR);
	CHECK_OK(symlink("l", "l"));
	CHECK_ERRNO(execve("l", argv, NULL), ELOOP);
	CHECK_OK(mkfifo("fifo", 0777));
	CHECK_ERRNO(execve("fifo", argv, NULL), EACCES);
}

TEST(exec_format_errors)
{
	char *argv[] = { "x", NULL };
	char page[4096] = "";

	write_program("garbage", "this is no program at all\n");
	CHECK_ERRNO(execve("garbage", argv, NULL), ENOEXEC);
	write_program("empty", "");
	CHECK_ERRNO(execve("empty", argv, NULL), ENOEXEC);
	write_program("blank", "#!   \n");
	CHECK_ERRNO(execve("blank", argv, NULL), ENOEXEC);
	write_program("elf", "\177ELF");
	CHECK_ERRNO(execve("elf", argv, NULL), ENOEXEC);
	write_program("machine", "");
	Elf64_Ehdr *e = (Elf64_Ehdr *)page;
	memcpy(e->e_ident, "\177ELF\2\1\1", 7);
	e->e_type = ET_EXEC;
	e->e_machine = EM_AARCH64;
	e->e_phentsize = sizeof(Elf64_Phdr);
	e->e_phnum = 1;
	e->e_phoff = 64;
	check_write_file("machine", page, sizeof(page));
	CHECK_ERRNO(execve("machine", argv, NULL), ENOEXEC);
	e->e_machine = EM_X86_64;
	e->e_type = ET_REL;
	check_write_file("machine", page, sizeof(page));
	CHECK_ERRNO(execve("machine", argv, NULL), ENOEXEC);
	e->e_type = ET_EXEC;
	e->e_phentsize = 7;
	check_write_file("machine", page, sizeof(page));
	CHECK_ERRNO(execve("machine", argv, NULL), ENOEXEC);
}

TEST(exec_of_broken_elf_kills_at_worst_the_caller)
{
	enum { KINDS = 6 };
	static char block[1 << 20];
	char name[16];

	size_t size = 0;
	int in = CHECK_OK(open("/proc/self/exe", O_RDONLY));
	size = (size_t)CHECK_OK(read(in, block, sizeof(block)));
	CHECK_OK(close(in));
	Elf64_Ehdr *e = (Elf64_Ehdr *)block;
	Elf64_Phdr *p = (Elf64_Phdr *)(block + e->e_phoff), saved = *p;
	for (int kind = 0; kind < KINDS; kind++) {
		*p = saved;
		p->p_type = PT_LOAD;
		if (kind == 0)
			p->p_vaddr = 0xffff800000000000;
		else if (kind == 1)
			p->p_memsz = 1ULL << 62;
		else if (kind == 2)
			p->p_filesz = p->p_memsz + 4096;
		else if (kind == 3)
			p->p_offset = 1ULL << 60;
		else if (kind == 4)
			p->p_vaddr += 123;
		else
			size = 600;
		snprintf(name, sizeof(name), "elf%d", kind);
		check_write_file(name, block, size);
		CHECK_OK(chmod(name, 0755));
		pid_t pid = check_fork();
		if (pid == 0) {
			char *argv[] = { name, "--list", NULL };
			execve(name, argv, NULL);
			_exit(55);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 55);
	}
}

TEST(exec_bad_pointers_are_efault)
{
	char *bad = check_bad_address();
	char *argv[] = { "x", bad, NULL };
	char *good[] = { "x", NULL };

	CHECK_ERRNO(execve(bad, good, NULL), EFAULT);
	CHECK_ERRNO(execve("/proc/self/exe", argv, NULL), EFAULT);
	CHECK_ERRNO(execve("/proc/self/exe", (char **)bad, NULL), EFAULT);
	CHECK_ERRNO(execve("/proc/self/exe", good, argv), EFAULT);
	CHECK_ERRNO(execve("/proc/self/exe", good, (char **)bad), EFAULT);
}

TEST(exec_needs_the_execute_bit_even_for_root)
{
	char *argv[] = { "x", "--helper", "print", NULL };
	char text[64];

	copy_self("p", 0644);
	CHECK_ERRNO(execve("p", argv, NULL), EACCES);
	CHECK_OK(chmod("p", 0010));
	CHECK_EQ(capture("p", argv, NULL, text, sizeof(text)), 0);
	CHECK_OK(chmod("p", 0700));
	check_drop_root();
	CHECK_ERRNO(execve("p", argv, NULL), EACCES);
}

TEST(exec_of_a_file_open_for_writing_is_etxtbsy)
{
	char *argv[] = { "x", NULL };

	copy_self("p", 0755);
	CHECK_OK(open("p", O_WRONLY));
	CHECK_ERRNO(execve("p", argv, NULL), ETXTBSY);
}

HELPER(script)
{
	printf("%d:", argc);
	for (int i = 0; i < argc; i++)
		printf("[%s]", argv[i]);
}

TEST(exec_script_gets_interpreter_argument_path_and_rest)
{
	char line[PATH_MAX + 32], text[256];
	char *argv[] = { "ignored", "a", "b c", NULL };

	snprintf(line, sizeof(line), "#!%s --helper\nrest of the file\n", self_path());
	write_program("script", line);
	CHECK_EQ(capture("script", argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "3:[script][a][b c]");
}

TEST(exec_script_line_blanks_are_trimmed)
{
	char line[PATH_MAX + 32], text[256];
	char *argv[] = { "ignored", NULL };

	snprintf(line, sizeof(line), "#! \t %s \t --helper \t \n", self_path());
	write_program("script", line);
	CHECK_EQ(capture("script", argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "1:[script]");
}

TEST(exec_script_errors)
{
	char *argv[] = { "x", NULL };
	char line[600];

	write_program("no_interpreter", "#!/does/not/exist\n");
	CHECK_ERRNO(execve("no_interpreter", argv, NULL), ENOENT);
	write_program("directory", "#!/proc\n");
	CHECK_ERRNO(execve("directory", argv, NULL), EACCES);
	write_program("loop", "#!./loop\n");
	CHECK_ERRNO(execve("loop", argv, NULL), ELOOP);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	memcpy(line, "#!/", 3);
	write_program("long", line);
	CHECK_ERRNO(execve("long", argv, NULL), ENOEXEC);
}

TEST(exec_scripts_nest)
{
	char line[PATH_MAX + 32], text[256], cwd[PATH_MAX];
	char *argv[] = { "ignored", "end", NULL };

	CHECK(getcwd(cwd, sizeof(cwd)));
	snprintf(line, sizeof(line), "#!%s --helper\n", self_path());
	write_program("print", line);
	write_program("outer", "#!print first\n");
	CHECK_EQ(capture("outer", argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "4:[print][first][outer][end]");
}

/* The entry as the kernel made it; libc's getauxval() has its own idea of AT_HWCAP. */
static uint64_t
raw_auxv(uint64_t type)
{
	char **end = environ;

	while (*end)
		end++;
	for (Elf64_auxv_t *a = (Elf64_auxv_t *)(end + 1); a->a_type != AT_NULL; a++) {
		if (a->a_type == type)
			return a->a_un.a_val;
	}
	return 0;
}

HELPER(auxv)
{
	unsigned int eax = 1, ebx, ecx, edx;
	const Elf64_Phdr *p = (const Elf64_Phdr *)getauxval(AT_PHDR);
	bool loads = false;

	__asm__("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
	CHECK_EQ(getauxval(AT_PAGESZ), 4096);
	CHECK_EQ(getauxval(AT_CLKTCK), 100);
	CHECK_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
	for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
		loads |= p[i].p_type == PT_LOAD && (p[i].p_flags & PF_X);
	CHECK(loads);
	CHECK(getauxval(AT_ENTRY) != 0);
	CHECK_EQ(getauxval(AT_BASE), 0);
	CHECK_EQ(getauxval(AT_UID), getuid());
	CHECK_EQ(getauxval(AT_EUID), geteuid());
	CHECK_EQ(getauxval(AT_GID), getgid());
	CHECK_EQ(getauxval(AT_EGID), getegid());
	CHECK_EQ(getauxval(AT_SECURE), 0);
	CHECK_EQ(raw_auxv(AT_HWCAP) & ~(uint64_t)edx, 0);
	CHECK(raw_auxv(AT_HWCAP) & 1 << 26 /* SSE2 */);
	CHECK(getauxval(AT_PLATFORM) != 0);
	CHECK_STR((const char *)getauxval(AT_PLATFORM), "x86_64");
	CHECK(getauxval(AT_EXECFN) != 0);
	CHECK_STR((const char *)getauxval(AT_EXECFN), argv[1]);
	const unsigned char *r = (const unsigned char *)getauxval(AT_RANDOM);
	CHECK(r);
	CHECK(getauxval(AT_SYSINFO_EHDR) != 0);
	CHECK_MEM((void *)getauxval(AT_SYSINFO_EHDR), ELFMAG, 4);
	for (int i = 0; i < 16; i++)
		printf("%02x", r[i]);
}

TEST(exec_auxiliary_vector)
{
	char one[64], two[64];
	const char *path = self_path();
	char *argv[] = { "x", "--helper", "auxv", (char *)path, NULL };

	CHECK_OK(fcntl(CHECK_FD, F_SETFD, 0));
	CHECK_EQ(capture(path, argv, NULL, one, sizeof(one)), 0);
	CHECK_EQ(capture(path, argv, NULL, two, sizeof(two)), 0);
	CHECK_EQ(strlen(one), 32);
	CHECK(strcmp(one, two) != 0);
}

HELPER(state)
{
	struct sigaction sa;
	sigset_t set;
	stack_t stack;

	CHECK_OK(sigaction(SIGUSR1, NULL, &sa));
	CHECK(sa.sa_handler == SIG_DFL);
	CHECK_OK(sigaction(SIGUSR2, NULL, &sa));
	CHECK(sa.sa_handler == SIG_IGN);
	CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
	CHECK_EQ(sigismember(&set, SIGHUP), 1);
	CHECK_EQ(sigismember(&set, SIGTERM), 0);
	CHECK_OK(sigpending(&set));
	CHECK_EQ(sigismember(&set, SIGHUP), 1);
	CHECK_OK(sigaltstack(NULL, &stack));
	CHECK_EQ(stack.ss_flags, SS_DISABLE);
	CHECK_RANGE(alarm(0), 90, 100);
	CHECK_EQ(umask(0), 031);
	CHECK_EQ(getpriority(PRIO_PROCESS, 0), 3);
	CHECK_EQ(getpid(), atoi(argv[1]));
	CHECK_EQ(getppid(), atoi(argv[2]));
}

static void
handler(int sig __attribute__((unused)))
{
}

TEST(exec_keeps_and_resets_state)
{
	static char stack_space[65536];
	char pid_text[16], parent_text[16];
	pid_t parent = getpid(), pid = check_fork();

	if (pid == 0) {
		sigset_t set;
		stack_t stack = { .ss_sp = stack_space, .ss_size = sizeof(stack_space) };
		CHECK_OK(dup2(CHECK_FD, CHECK_FD + 1));
		CHECK_OK(fcntl(CHECK_FD, F_SETFD, 0));
		signal(SIGUSR1, handler);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
		CHECK_OK(raise(SIGHUP));
		CHECK_OK(sigaltstack(&stack, NULL));
		alarm(100);
		umask(031);
		CHECK_OK(setpriority(PRIO_PROCESS, 0, 3));
		snprintf(pid_text, sizeof(pid_text), "%d", getpid());
		snprintf(parent_text, sizeof(parent_text), "%d", parent);
		execl("/proc/self/exe", "x", "--helper", "state", pid_text, parent_text, NULL);
		_exit(99);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(comm)
{
	char name[20] = "";

	CHECK_OK(prctl(PR_GET_NAME, name));
	printf("%s", name);
}

TEST(exec_names_the_process_after_the_file)
{
	char text[64];
	char *argv[] = { "other", "--helper", "comm", NULL };

	CHECK_OK(symlink(self_path(), "a_rather_long_name"));
	CHECK_EQ(capture("./a_rather_long_name", argv, NULL, text, sizeof(text)), 0);
	CHECK_STR(text, "a_rather_long_n");
}

static void *
exec_now(void *arg __attribute__((unused)))
{
	char pid_text[16];

	snprintf(pid_text, sizeof(pid_text), "%d", getpid());
	execl("/proc/self/exe", "x", "--helper", "is_pid", pid_text, NULL);
	_exit(99);
}

static void *
sleep_long(void *arg)
{
	check_sleep_ms(100000);
	return arg;
}

HELPER(is_pid)
{
	char path[40], text[2048];

	CHECK_EQ(getpid(), atoi(argv[1]));
	CHECK_EQ(syscall(SYS_gettid), getpid());
	snprintf(path, sizeof(path), "/proc/self/status");
	check_read_file(path, text, sizeof(text));
	const char *threads = strstr(text, "Threads:");
	CHECK(threads);
	CHECK_EQ(atoi(threads + 8), 1);
}

TEST(exec_from_a_thread_takes_over_the_pid)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		pthread_t threads[5];
		CHECK_OK(fcntl(CHECK_FD, F_SETFD, 0));
		for (int i = 0; i < 4; i++)
			CHECK_RETURNS(pthread_create(&threads[i], NULL, sleep_long, NULL), 0);
		CHECK_RETURNS(pthread_create(&threads[4], NULL, exec_now, NULL), 0);
		for (;;)
			pause();
	}
	CHECK_EXIT(pid, 0);
}

TEST(execveat_variants)
{
	char *argv[] = { "x", "--helper", "print", NULL };
	int fd = CHECK_OK(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));

	CHECK_OK(symlink(self_path(), "l"));
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "l", argv, NULL, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECK_ERRNO(syscall(SYS_execveat, AT_FDCWD, "l", argv, NULL, 0x40000000), EINVAL);
	CHECK_ERRNO(syscall(SYS_execveat, 200, "l", argv, NULL, 0), EBADF);
	CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, NULL, 0), ENOENT);
	pid_t pid = check_fork();
	if (pid == 0) {
		int null = CHECK_OK(open("/dev/null", O_WRONLY));
		dup2(null, 1);
		syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
		_exit(99);
	}
	CHECK_EXIT(pid, 0);
}

HELPER(setuid_state)
{
	printf("%d %d %lu", getuid(), geteuid(), getauxval(AT_SECURE));
}

TEST(exec_setuid_program)
{
	char text[64], want[64];
	char *argv[] = { "x", "--helper", "setuid_state", NULL };

	/* /tmp may be mounted nosuid. The runner takes the mount away. */
	CHECK_OK(mkdir("m", 0755));
	CHECK_OK(mount("none", "m", "tmpfs", 0, "mode=755"));
	copy_self("m/s", 04755);
	check_drop_root();
	CHECK_EQ(capture("m/s", argv, NULL, text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "%d 0 1", CHECK_NOBODY);
	CHECK_STR(text, want);
	CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CHECK_EQ(capture("m/s", argv, NULL, text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "%d %d 0", CHECK_NOBODY, CHECK_NOBODY);
	CHECK_STR(text, want);
}

TEST(exec_many_times_in_a_row)
{
	char text[64];
	char *argv[] = { "x", "--helper", "comm", NULL };

	TIMEOUT(60);
	for (int i = 0; i < 30; i++)
		CHECK_EQ(capture("/proc/self/exe", argv, NULL, text, sizeof(text)), 0);
}

TEST(proc_self_exe_names_the_program)
{
	char text[PATH_MAX], cwd[PATH_MAX], want[PATH_MAX + 8];
	char *argv[] = { "nothing", "--helper", "exe_link", NULL };

	copy_self("copy", 0755);
	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_EQ(capture("copy", argv, NULL, text, sizeof(text)), 0);
	snprintf(want, sizeof(want), "%s/copy", cwd);
	CHECK_STR(text, want);
}

HELPER(exe_link)
{
	printf("%s", self_path());
}

TEST(execveat_of_a_script_by_a_handle_that_closes)
{
	char *argv[] = { (char *)"script", NULL };
	int fd, status;
	pid_t pid;

	check_write_file("script", "#!/bin/sh\nexit 7\n", 17);
	CHECK_OK(chmod("script", 0755));
	fd = CHECK_OK(open("script", O_RDONLY | O_CLOEXEC));
	CHECK_ERRNO(syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH), ENOENT);
	CHECK_OK(fcntl(fd, F_SETFD, 0));
	pid = check_fork();
	if (pid == 0) {
		syscall(SYS_execveat, fd, "", argv, NULL, AT_EMPTY_PATH);
		_exit(1);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK(WIFEXITED(status));
	CHECK_EQ(WEXITSTATUS(status), 7);
}
