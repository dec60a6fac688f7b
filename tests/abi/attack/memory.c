/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the roundabout ways to memory: what is not yours stays as it is.
 */
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "check.h"

static const uintptr_t kernel_places[] = {
	0xffffffff80000000, 0xffffffff80200000, 0xffffffff81000000, 0xffff800000000000, 0xffff888000000000,
	0xffffc90000000000, 0xffffffffff5fc000, 0x800000000000, 0x7ffffffff000, 0x8000000000000000,
};
#define PLACES (sizeof(kernel_places) / sizeof(kernel_places[0]))

TEST(advice_that_changes_nothing_in_part_of_a_mapping)
{
	char *p = CHECK_OK(mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	CHECK_OK(madvise(p, 4096, MADV_KEEPONFORK));
	CHECK_OK(madvise(p + 4096, 4096, MADV_DODUMP));
	CHECK_OK(madvise(p + 4096, 4096, MADV_DONTDUMP));
	CHECK_OK(madvise(p + 4096, 8192, MADV_DODUMP));
}

TEST(kernel_memory_through_proc_self_mem)
{
	int fd = CHECK_OK(open("/proc/self/mem", O_RDWR));
	char c = 0;

	for (size_t i = 0; i < PLACES; i++) {
		CHECK(pread(fd, &c, 1, (off_t)kernel_places[i]) <= 0);
		CHECK(pwrite(fd, &c, 1, (off_t)kernel_places[i]) <= 0);
		CHECK_EQ(c, 0);
	}
}

TEST(kernel_memory_through_process_vm_calls)
{
	char c = 0;
	struct iovec local = { &c, 1 };

	for (size_t i = 0; i < PLACES; i++) {
		struct iovec remote = { (void *)kernel_places[i], 1 };
		CHECK_ERRNO(process_vm_readv(getpid(), &local, 1, &remote, 1, 0), EFAULT);
		CHECK_ERRNO(process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
		/* The same the other way round: the kernel's address as one's own. */
		struct iovec own = { &c, 1 };
		CHECK_ERRNO(process_vm_readv(getpid(), &remote, 1, &own, 1, 0), EFAULT);
		CHECK_ERRNO(process_vm_writev(getpid(), &remote, 1, &own, 1, 0), EFAULT);
	}
}

TEST(kernel_memory_through_pipes_and_files)
{
	int fds[2], zero = CHECK_OK(open("/dev/zero", O_RDONLY)), file = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));

	CHECK_OK(pipe(fds));
	for (size_t i = 0; i < PLACES; i++) {
		char *p = (char *)kernel_places[i];
		struct iovec v = { p, 100 };

		CHECK_ERRNO(write(fds[1], p, 8), EFAULT);
		CHECK_ERRNO(read(zero, p, 8), EFAULT);
		CHECK_ERRNO(write(file, p, 8), EFAULT);
		CHECK(vmsplice(fds[1], &v, 1, 0) == -1);
		CHECK(writev(fds[1], &v, 1) == -1);
		CHECK_ERRNO(syscall(SYS_getrandom, p, 8, 0), EFAULT);
	}
}

TEST(mappings_outside_the_user_half)
{
	for (size_t i = 0; i < PLACES; i++) {
		void *want = (void *)kernel_places[i];
		void *p = mmap(want, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

		CHECK(p == MAP_FAILED);
		CHECK(munmap(want, 4096) == -1);
		CHECK(mprotect(want, 4096, PROT_READ) == -1);
		CHECK(madvise(want, 4096, MADV_DONTNEED) == -1);
		CHECK(mremap(want, 4096, 8192, MREMAP_MAYMOVE) == MAP_FAILED);
	}
	/* A range that would wrap round or run into the kernel's half. */
	CHECK(mmap((void *)0x7fffffffe000, 1ul << 47, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
	      MAP_FAILED);
	CHECK(mmap(NULL, ~0ul - 100, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
	CHECK(munmap((void *)0x1000, ~0ul & ~4095ul) == -1);
	char *own = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	CHECK(mremap(own, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)0xffffffff80000000) == MAP_FAILED);
	CHECK(mremap(own, 4096, ~0ul & ~4095ul, MREMAP_MAYMOVE) == MAP_FAILED);
}

/* Somebody else's file, opened and mapped for reading, written through /proc/self/mem: a private copy. */
TEST(read_only_file_cannot_be_written_through_memory)
{
	char buf[16] = "";

	check_write_file("f", "original", 8);
	CHECK_OK(chmod("f", 0444));
	CHECK_OK(chmod(".", 0755));
	int fd = CHECK_OK(open("f", O_RDONLY));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		char *private = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
		char *shared = CHECK_OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
		CHECK(mprotect(shared, 4096, PROT_READ | PROT_WRITE) == -1);
		int mem = open("/proc/self/mem", O_RDWR);
		if (mem >= 0) {
			(void)!pwrite(mem, "PRIVATE!", 8, (off_t)(uintptr_t)private);
			CHECK(pwrite(mem, "SHARED!!", 8, (off_t)(uintptr_t)shared) == -1);
			CHECK_MEM(shared, "original", 8);
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(pread(fd, buf, 8, 0), 8);
	CHECK_STR(buf, "original");
}

/* A page of a file that went into a pipe is not the pipe's to append to. */
TEST(writing_to_a_pipe_does_not_write_to_a_spliced_file)
{
	char buf[64] = "";
	int fds[2];
	loff_t at = 0;

	check_write_file("f", "original contents", 17);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_OK(pipe(fds));
	/* Leave behind buffers that were appended to. */
	for (int i = 0; i < 16; i++)
		check_write_all(fds[1], "x", 1);
	check_read_all(fds[0], buf, 16);
	CHECK_EQ(splice(fd, &at, fds[1], NULL, 3, 0), 3);
	check_write_all(fds[1], "EVIL", 4);
	check_read_all(fds[0], buf, 7);
	CHECK_MEM(buf, "oriEVIL", 7);
	memset(buf, 0, sizeof(buf));
	CHECK_EQ(pread(fd, buf, 63, 0), 17);
	CHECK_STR(buf, "original contents");
}

/* Where the clocks' data lies, as the list of mappings says. */
static void
find_vvar(uintptr_t *start, uintptr_t *end)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	CHECK(maps);
	*start = *end = 0;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, "[vvar]"))
			CHECK_EQ(sscanf(line, "%lx-%lx", start, end), 2);
	fclose(maps);
	CHECK(*start < *end);
}

/* What a process does to its own vDSO stays its own matter. */
TEST(vdso_of_others_cannot_be_changed)
{
	unsigned char *vdso = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
	unsigned char before[4096];
	uintptr_t vvar, vvar_end;

	if (!vdso)
		SKIP("no vDSO");
	find_vvar(&vvar, &vvar_end);
	memcpy(before, vdso, sizeof(before));
	pid_t pid = check_fork();
	if (pid == 0) {
		int mem = CHECK_OK(open("/proc/self/mem", O_RDWR));

		for (int page = -4; page < 2; page++)
			(void)!pwrite(mem, "EVIL", 4, (off_t)(uintptr_t)vdso + page * 4096 + 64);
		if (mprotect(vdso, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) == 0)
			memset(vdso + 512, 0xcc, 64);
		for (uintptr_t page = vvar; page < vvar_end; page += 4096)
			CHECK_ERRNO(mprotect((void *)page, 4096, PROT_READ | PROT_WRITE), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_MEM(vdso, before, sizeof(before));
	struct timespec a, b;
	CHECK_OK(clock_gettime(CLOCK_MONOTONIC, &a));
	CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &b));
	CHECK_RANGE(b.tv_sec - a.tv_sec, 0, 2);
}

TEST(limits_of_zero)
{
	static const int limits[] = {
		RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK,
		RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO,
		RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK,
	};

	TIMEOUT(60);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		pid_t pid = check_fork();

		if (pid == 0) {
			struct rlimit none = { 0, 0 };
			struct sigaction sa = { .sa_handler = SIG_IGN };

			alarm(8);
			sigaction(SIGXFSZ, &sa, NULL);
			check_drop_root();
			if (setrlimit(limits[i], &none) != 0)
				_exit(1);
			char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (p != MAP_FAILED)
				memset(p, 1, 1 << 20);
			sbrk(4096);
			mlock(&none, 1);
			close(open("/proc/self/status", O_RDONLY));
			(void)!write(memfd_create("m", 0), "x", 1);
			kill(getpid(), SIGURG);
			sigqueue(getpid(), SIGRTMIN + 5, (union sigval){ 0 });
			pid_t child = fork();
			if (child == 0)
				_exit(0);
			if (child > 0)
				waitpid(child, NULL, 0);
			execl("/proc/self/exe", "t", "--list", (char *)NULL);
			_exit(2);
		}
		int status;
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		CHECK(!WIFSIGNALED(status) || WTERMSIG(status) != SIGALRM);
	}
}
