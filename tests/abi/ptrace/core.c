/* SPDX-License-Identifier: MIT */
/*
 * core.c - core files: when there is one, under which name, what stands in it.
 */
#include "tracee.h"

#include <pthread.h>
#include <sys/procfs.h>
#include <sys/resource.h>

static void
allow(rlim_t bytes)
{
	struct rlimit r = { bytes, RLIM_INFINITY };

	CHECK_OK(setrlimit(RLIMIT_CORE, &r));
}

/* A child that runs body() and dies of `signo`; whether it left a file. */
static bool
dies(void (*body)(void), int signo, rlim_t limit)
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		allow(limit);
		body();
		_exit(0);
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, &status, 0)), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != signo)
		FAIL("the child's status is %#x, want signal %d", status, signo);
	return WCOREDUMP(status);
}

static void
aborts(void)
{
	abort();
}

static void
faults(void)
{
	*(volatile int *)16 = 1;
}

static void
is_terminated(void)
{
	raise(SIGTERM);
}

static void
sleeps(void)
{
	raise(SIGQUIT);
}

TEST(signals_that_dump_leave_a_file)
{
	struct stat st;

	CHECK(dies(aborts, SIGABRT, RLIM_INFINITY));
	CHECK_OK(stat("core", &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_mode & 07777, 0600);
	CHECK_EQ(st.st_uid, 0);
	CHECK_OK(unlink("core"));
	CHECK(dies(faults, SIGSEGV, RLIM_INFINITY));
	CHECK_OK(unlink("core"));
	CHECK(dies(sleeps, SIGQUIT, RLIM_INFINITY));
	CHECK_OK(unlink("core"));
	CHECK(!dies(is_terminated, SIGTERM, RLIM_INFINITY));
	CHECK_ERRNO(stat("core", &st), ENOENT);
}

TEST(without_a_limit_there_is_no_file)
{
	CHECK(!dies(aborts, SIGABRT, 0));
	CHECK(!dies(aborts, SIGABRT, 4095));
	CHECK_ERRNO(access("core", F_OK), ENOENT);
}

TEST(a_small_limit_cuts_the_file)
{
	struct stat st;

	CHECK(dies(aborts, SIGABRT, 20000));
	CHECK_OK(stat("core", &st));
	CHECK(st.st_blocks * 512 <= 24576); /* holes do not count */
}

static void
not_dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	abort();
}

TEST(the_undumpable_leave_no_file)
{
	CHECK(!dies(not_dumpable, SIGABRT, RLIM_INFINITY));
	CHECK_ERRNO(access("core", F_OK), ENOENT);
}

TEST(waitid_tells_of_a_dump)
{
	siginfo_t info = { 0 };
	pid_t pid = fork();

	if (pid == 0) {
		allow(RLIM_INFINITY);
		abort();
	}
	CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
	CHECK_EQ(info.si_code, CLD_DUMPED);
	CHECK_EQ(info.si_status, SIGABRT);
}

TEST(an_old_file_is_replaced_a_link_is_not_followed)
{
	char text[8] = "";

	check_write_file("precious", "data", 4);
	CHECK_OK(symlink("precious", "core"));
	CHECK(dies(aborts, SIGABRT, RLIM_INFINITY));
	check_read_file("precious", text, sizeof(text));
	CHECK_STR(text, "data");
	CHECK_OK(unlink("core"));
	CHECK_OK(link("precious", "core"));
	CHECK(dies(aborts, SIGABRT, RLIM_INFINITY));
	check_read_file("precious", text, sizeof(text));
	CHECK_STR(text, "data");
}

/* --- what stands in it --- */

static volatile unsigned long marked = 0x6d61726b6d61726bul;
static volatile pid_t second_thread;

static void *
thread_body(void *arg)
{
	second_thread = (pid_t)syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

static void
aborts_with_a_thread(void)
{
	pthread_t t;

	marked = 0x77777777;
	pthread_create(&t, NULL, thread_body, NULL);
	while (!second_thread)
		usleep(1000);
	check_wait_asleep(getpid(), second_thread);
	__asm__ volatile("mov $0x1234abcd, %%r14\n\tud2" ::: "r14");
}

static char *image;
static size_t image_size;

static void
load_image(const char *path)
{
	int fd = CHECK_OK(open(path, O_RDONLY));
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	image_size = (size_t)st.st_size;
	image = mmap(NULL, image_size, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(image != MAP_FAILED);
	close(fd);
}

static const Elf64_Phdr *
segments(unsigned int *count)
{
	const Elf64_Ehdr *h = (const Elf64_Ehdr *)image;

	*count = h->e_phnum;
	return (const Elf64_Phdr *)(image + h->e_phoff);
}

/* The n-th note of a type, NULL: there are fewer. *size: of what it holds. */
static const void *
note(unsigned int type, unsigned int n, size_t *size)
{
	unsigned int count;
	const Elf64_Phdr *p = segments(&count);
	const char *at = image + p[0].p_offset, *end = at + p[0].p_filesz;

	CHECK_EQ(p[0].p_type, PT_NOTE);
	while (at < end) {
		const Elf64_Nhdr *h = (const Elf64_Nhdr *)at;
		const char *data = at + sizeof(*h) + ((h->n_namesz + 3) & ~3u);

		CHECK_STR((const char *)(h + 1), type == h->n_type && type == NT_X86_XSTATE ? "LINUX" : (const char *)(h + 1));
		if (h->n_type == type && n-- == 0) {
			if (size)
				*size = h->n_descsz;
			return data;
		}
		at = data + ((h->n_descsz + 3) & ~3u);
	}
	CHECK(at == end);
	return NULL;
}

/* The bytes of an address, NULL: not in the file. */
static const void *
memory(unsigned long addr)
{
	unsigned int count;
	const Elf64_Phdr *p = segments(&count);

	for (unsigned int i = 1; i < count; i++)
		if (addr >= p[i].p_vaddr && addr < p[i].p_vaddr + p[i].p_filesz)
			return image + p[i].p_offset + (addr - p[i].p_vaddr);
	return NULL;
}

TEST(the_file_tells_of_threads_signal_and_memory)
{
	const struct elf_prstatus *s;
	const struct elf_prpsinfo *ps;
	const siginfo_t *info;
	const unsigned long *auxv, *files;
	const Elf64_Ehdr *h;
	size_t size;
	char comm[16];

	CHECK(dies(aborts_with_a_thread, SIGILL, RLIM_INFINITY));
	load_image("core");
	h = (const Elf64_Ehdr *)image;
	CHECK_MEM(h->e_ident, ELFMAG, SELFMAG);
	CHECK_EQ(h->e_type, ET_CORE);
	CHECK_EQ(h->e_machine, EM_X86_64);
	s = note(NT_PRSTATUS, 0, &size);
	CHECK_EQ(size, sizeof(*s));
	CHECK_EQ(s->pr_cursig, SIGILL);
	CHECK_EQ(s->pr_ppid, getpid());
	CHECK_EQ(s->pr_reg[1], 0x1234abcd); /* r14 */
	CHECK_EQ(s->pr_fpvalid, 1);
	CHECK(note(NT_PRSTATUS, 1, NULL) && !note(NT_PRSTATUS, 2, NULL));
	s = note(NT_PRSTATUS, 1, NULL);
	CHECK_EQ(s->pr_reg[15], SYS_pause); /* orig_rax */
	CHECK(note(NT_PRFPREG, 1, &size));
	CHECK_EQ(size, 512);
	CHECK(note(NT_X86_XSTATE, 1, &size));
	CHECK(size > 512);
	ps = note(NT_PRPSINFO, 0, &size);
	CHECK_EQ(size, sizeof(*ps));
	CHECK_OK(prctl(PR_GET_NAME, comm));
	CHECK_STR(ps->pr_fname, comm);
	CHECK(strstr(ps->pr_psargs, comm));
	info = note(NT_SIGINFO, 0, &size);
	CHECK_EQ(size, sizeof(*info));
	CHECK_EQ(info->si_signo, SIGILL);
	auxv = note(NT_AUXV, 0, &size);
	CHECK(auxv && size >= 16);
	files = note(NT_FILE, 0, NULL);
	CHECK(files[0] > 0);
	CHECK_EQ(files[1], 4096);
	CHECK(memory(A(&marked)) && *(const unsigned long *)memory(A(&marked)) == 0x77777777);
}

TEST(every_mapping_has_a_segment)
{
	unsigned int count;
	const Elf64_Phdr *p;

	CHECK(dies(aborts, SIGABRT, RLIM_INFINITY));
	load_image("core");
	p = segments(&count);
	CHECK(count > 4);
	for (unsigned int i = 1; i < count; i++) {
		CHECK_EQ(p[i].p_type, PT_LOAD);
		CHECK_EQ(p[i].p_offset % 4096, 0);
		CHECK(p[i].p_filesz <= p[i].p_memsz);
		CHECK(p[i].p_offset + p[i].p_filesz <= image_size);
	}
}

/* --- what is chosen --- */

static char *anon_private, *anon_shared, *left_out, *file_private;

static void
map_and_abort(void)
{
	int fd = open("mapped", O_RDONLY);

	(void)fd;
	*anon_private = *anon_shared = *left_out = 'x';
	madvise(left_out, 4096, MADV_DONTDUMP);
	(void)*(volatile char *)file_private;
	abort();
}

static void
make_mappings(void)
{
	int fd;

	anon_private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	anon_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	left_out = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	check_write_file("mapped", "mapped", 6);
	fd = CHECK_OK(open("mapped", O_RDONLY));
	file_private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	CHECK(file_private != MAP_FAILED);
}

TEST(the_filter_chooses_mappings)
{
	char text[64] = "";

	check_read_file("/proc/self/coredump_filter", text, sizeof(text));
	CHECK_STR(text, "00000033\n");
	make_mappings();
	CHECK(dies(map_and_abort, SIGABRT, RLIM_INFINITY));
	load_image("core");
	CHECK(memory(A(anon_private)) && *(const char *)memory(A(anon_private)) == 'x');
	CHECK(memory(A(anon_shared)) && *(const char *)memory(A(anon_shared)) == 'x');
	CHECK(!memory(A(left_out)));
	CHECK(!memory(A(file_private)));
	check_write_file("/proc/self/coredump_filter", "0x4", 3);
	check_read_file("/proc/self/coredump_filter", text, sizeof(text));
	CHECK_STR(text, "00000004\n");
	CHECK(dies(map_and_abort, SIGABRT, RLIM_INFINITY));
	load_image("core");
	CHECK(!memory(A(anon_private)));
	CHECK(!memory(A(anon_shared)));
	CHECK(memory(A(file_private)) && *(const char *)memory(A(file_private)) == 'm');
}

/* --- names --- */

static void
pattern(const char *text)
{
	check_write_file("/proc/sys/kernel/core_pattern", text, strlen(text));
}

TEST(the_pattern_names_the_file)
{
	char cwd[PATH_MAX], text[PATH_MAX + 64], want[64], comm[16];
	pid_t pid;
	bool there;

	CHECK(getcwd(cwd, sizeof(cwd)));
	CHECK_OK(prctl(PR_GET_NAME, comm));
	snprintf(text, sizeof(text), "%.90s/c.%%p.%%s.%%e.%%u.%%%%.%%z", cwd);
	pattern(text);
	pid = fork();
	if (pid == 0) {
		allow(RLIM_INFINITY);
		abort();
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, 0)), pid);
	snprintf(want, sizeof(want), "c.%d.%d.%s.0.%%.", pid, SIGABRT, comm);
	there = access(want, F_OK) == 0;
	pattern("core");
	CHECK(there);
	check_write_file("/proc/sys/kernel/core_uses_pid", "1", 1);
	pid = fork();
	if (pid == 0) {
		allow(RLIM_INFINITY);
		abort();
	}
	CHECK_EQ(CHECK_OK(waitpid(pid, NULL, 0)), pid);
	snprintf(want, sizeof(want), "core.%d", pid);
	there = access(want, F_OK) == 0;
	check_write_file("/proc/sys/kernel/core_uses_pid", "0", 1);
	CHECK(there);
}

/* --- traced --- */

TEST(a_tracee_that_dies_dumps)
{
	pid_t pid = check_fork();
	int status;

	if (pid == 0) {
		allow(RLIM_INFINITY);
		CHECK_OK(trace(PTRACE_TRACEME, 0, 0, 0));
		abort();
	}
	tracee_expect(pid, SIGABRT);
	CHECK_OK(trace(PTRACE_CONT, pid, 0, SIGABRT));
	status = tracee_wait(pid);
	CHECK(WIFSIGNALED(status) && WCOREDUMP(status));
	CHECK_OK(access("core", F_OK));
}

static void *
busy(void *arg)
{
	for (;;)
		close(open("/dev/null", O_RDONLY));
	return NULL;
}

static void
busy_and_fault(void)
{
	pthread_t t;

	for (int i = 0; i < 6; i++)
		pthread_create(&t, NULL, i & 1 ? busy : thread_body, NULL);
	for (int i = 0; i < 6; i++)
		pthread_create(&t, NULL, i & 1 ? busy : (void *(*)(void *))faults, NULL);
	for (;;)
		pause();
}

TEST(threads_that_fault_together_leave_one_file)
{
	TIMEOUT(60);
	for (int i = 0; i < 8; i++) {
		CHECK(dies(busy_and_fault, SIGSEGV, RLIM_INFINITY));
		load_image("core");
		CHECK(note(NT_PRSTATUS, 0, NULL));
		munmap(image, image_size);
	}
}
