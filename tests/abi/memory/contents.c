/* SPDX-License-Identifier: MIT */
/* What memory holds: files and shared memory, copy on write, advice, residency, locks. */
#include "../check.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

static sigjmp_buf escape;

static void
on_fault(int sig)
{
	siglongjmp(escape, sig);
}

/* 0, or the signal that reading the byte raises. */
static int
touch(volatile char *p)
{
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	int sig = sigsetjmp(escape, 1);
	if (sig)
		return sig;
	(void)*p;
	return 0;
}

static char *
map(size_t size)
{
	return CHECK_OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0));
}

static int
file_of(size_t size)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT | O_TRUNC, 0600));

	for (size_t i = 0; i < size; i += PAGE) {
		char page[PAGE];
		memset(page, 'a' + (int)(i / PAGE), PAGE);
		check_write_all(fd, page, size - i < PAGE ? size - i : PAGE);
	}
	return fd;
}

TEST(shared_file_mapping_and_calls_see_each_other)
{
	char c;
	int fd = file_of(2 * PAGE);
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_EQ(p[PAGE], 'b');
	p[10] = 'X';
	CHECK_EQ(pread(fd, &c, 1, 10), 1);
	CHECK_EQ(c, 'X');
	CHECK_EQ(pwrite(fd, "Y", 1, PAGE + 5), 1);
	CHECK_EQ(p[PAGE + 5], 'Y');
	char *q = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
	CHECK_EQ(q[5], 'Y');
	p[PAGE + 6] = 'Z';
	CHECK_EQ(q[6], 'Z');
}

TEST(private_file_mapping_hides_its_writes)
{
	char c;
	int fd = file_of(PAGE);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));

	p[0] = 'X';
	CHECK_EQ(pread(fd, &c, 1, 0), 1);
	CHECK_EQ(c, 'a');
	CHECK_EQ(pwrite(fd, "Y", 1, 1), 1);
	CHECK_EQ(p[0], 'X');
	CHECK_EQ(p[1], 'a');
}

TEST(mapping_outlives_close_and_unlink)
{
	int fd = file_of(PAGE);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_OK(close(fd));
	CHECK_OK(unlink("f"));
	CHECK_EQ(p[100], 'a');
	p[100] = 'b';
	CHECK_EQ(p[100], 'b');
}

TEST(shared_mapping_is_shared_across_fork_and_private_is_not)
{
	int fd = file_of(PAGE);
	volatile char *s = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	volatile char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));

	p[0] = 'p';
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(p[0], 'p');
		s[1] = 's';
		p[0] = 'q';
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(s[1], 's');
	CHECK_EQ(p[0], 'p');
}

TEST(rest_of_the_last_page_is_zero_and_not_written)
{
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	struct stat st;
	char c;

	check_write_all(fd, "abc", 3);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	CHECK_EQ(p[3], 0);
	p[3] = 'x';
	CHECK_OK(msync(p, PAGE, MS_SYNC));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 3);
	CHECK_EQ(pread(fd, &c, 1, 3), 0);
}

TEST(growing_the_file_makes_its_mapping_accessible)
{
	int fd = file_of(PAGE);
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_EQ(touch(p + PAGE), SIGBUS);
	CHECK_OK(ftruncate(fd, 2 * PAGE));
	CHECK_EQ(touch(p + PAGE), 0);
	CHECK_EQ(p[PAGE], 0);
}

/* They are in no TLB, so that nothing has to be flushed; gone they must be all the same, and given back. */
TEST(truncation_takes_mapped_pages_away_that_nobody_touched)
{
	int fd = file_of(512 * PAGE);
	char *p = CHECK_OK(mmap(NULL, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0));

	CHECK_OK(ftruncate(fd, 0));
	for (int i = 0; i < 512; i++)
		CHECK_EQ(touch(p + i * PAGE), SIGBUS);
}

TEST(truncation_takes_mapped_pages_away)
{
	int fd = file_of(3 * PAGE);
	char *p = CHECK_OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	char *q = CHECK_OK(mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));

	for (int i = 0; i < 3; i++) {
		CHECK_EQ(p[i * PAGE], 'a' + i);
		q[i * PAGE] = 'q';
	}
	CHECK_OK(ftruncate(fd, PAGE + 10));
	CHECK_EQ(touch(p + PAGE), 0);
	CHECK_EQ(p[PAGE + 9], 'b');
	CHECK_EQ(p[PAGE + 10], 0);
	CHECK_EQ(touch(p + 2 * PAGE), SIGBUS);
	CHECK_EQ(touch(q + 2 * PAGE), SIGBUS);
	CHECK_OK(ftruncate(fd, 3 * PAGE));
	CHECK_EQ(p[2 * PAGE], 0);
	CHECK_EQ(p[PAGE + 10], 0);
}

TEST(read_into_a_mapping_of_the_same_file)
{
	int fd = file_of(2 * PAGE);
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_EQ(pread(fd, p, PAGE, PAGE), PAGE);
	CHECK_EQ(p[0], 'b');
	CHECK_EQ(pwrite(fd, p, PAGE, PAGE), PAGE);
	CHECK_EQ(p[PAGE], 'b');
	CHECK_EQ(pwrite(fd, p + 1, PAGE, 0), PAGE);
}

TEST(write_past_end_through_mapping_faults_with_efault)
{
	int fd = file_of(PAGE), ends[2];
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	CHECK_OK(pipe(ends));
	CHECK_ERRNO(write(ends[1], p + PAGE, 10), EFAULT);
	CHECK_EQ(write(ends[1], "0123456789", 10), 10);
	CHECK_ERRNO(read(ends[0], p + PAGE, 10), EFAULT);
}

TEST(copy_on_write_keeps_both_sides)
{
	enum { PAGES = 200 };
	char *p = map(PAGES * PAGE);

	for (int i = 0; i < PAGES; i++)
		*(int *)(p + i * PAGE) = i;
	pid_t pid = check_fork();
	if (pid == 0) {
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(*(int *)(p + i * PAGE), i);
		for (int i = 0; i < PAGES; i += 2)
			*(int *)(p + i * PAGE) = -i;
		pid_t grandchild = check_fork();
		if (grandchild == 0) {
			for (int i = 0; i < PAGES; i++)
				CHECK_EQ(*(int *)(p + i * PAGE), i % 2 ? i : -i);
			memset(p, 0, PAGES * PAGE);
			_exit(0);
		}
		CHECK_EXIT(grandchild, 0);
		for (int i = 0; i < PAGES; i++)
			CHECK_EQ(*(int *)(p + i * PAGE), i % 2 ? i : -i);
		_exit(0);
	}
	for (int i = 1; i < PAGES; i += 2)
		*(int *)(p + i * PAGE) = i + 1000;
	CHECK_EXIT(pid, 0);
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(*(int *)(p + i * PAGE), i % 2 ? i + 1000 : i);
}

TEST(kernel_writes_break_copy_on_write)
{
	char *p = map(PAGE);
	int ends[2];

	memset(p, 'o', PAGE);
	CHECK_OK(pipe(ends));
	pid_t pid = check_fork();
	if (pid == 0) {
		check_write_all(ends[1], "nnnn", 4);
		CHECK_EQ(read(ends[0], p, 4), 4);
		CHECK_EQ(p[0], 'n');
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(p[0], 'o');
}

TEST(reads_of_untouched_memory_stay_zero_after_writes_elsewhere)
{
	char *a = map(PAGE), *b = map(PAGE);
	char c = a[0];

	CHECK_EQ(c, 0);
	b[0] = 1;
	a[1] = 2;
	char *d = map(PAGE);
	CHECK_EQ(d[0] | d[1], 0);
}

TEST(madvise_dontneed_drops_anonymous_contents)
{
	char *p = map(4 * PAGE);

	memset(p, 5, 4 * PAGE);
	CHECK_OK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
	CHECK_EQ(p[0], 5);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[3 * PAGE - 1], 0);
	CHECK_EQ(p[3 * PAGE], 5);
}

TEST(madvise_dontneed_shows_the_file_again)
{
	int fd = file_of(PAGE);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	char *s = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	p[0] = 'x';
	s[1] = 'y';
	CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
	CHECK_OK(madvise(s, PAGE, MADV_DONTNEED));
	CHECK_EQ(p[0], 'a');
	CHECK_EQ(s[1], 'y');
}

TEST(madvise_free_keeps_or_zeroes)
{
	char *p = map(4 * PAGE);

	memset(p, 5, 4 * PAGE);
	CHECK_OK(madvise(p, 4 * PAGE, MADV_FREE));
	for (int i = 0; i < 4; i++)
		CHECK(p[i * PAGE] == 5 || p[i * PAGE] == 0);
	p[0] = 6;
	CHECK_EQ(p[0], 6);
}

TEST(madvise_hints_and_errors)
{
	char *p = map(4 * PAGE);

	CHECK_OK(madvise(p, 4 * PAGE, MADV_NORMAL));
	CHECK_OK(madvise(p, 4 * PAGE, MADV_RANDOM));
	CHECK_OK(madvise(p, 4 * PAGE, MADV_SEQUENTIAL));
	CHECK_OK(madvise(p, 4 * PAGE, MADV_WILLNEED));
	CHECK_OK(madvise(p, 0, MADV_DONTNEED));
	CHECK_ERRNO(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECK_ERRNO(madvise(p, PAGE, 9999), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(madvise(p, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	int fd = file_of(PAGE);
	char *s = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
	CHECK_ERRNO(madvise(s, PAGE, MADV_FREE), EINVAL);
}

TEST(madvise_dontfork_and_wipeonfork)
{
	char *p = map(PAGE), *q = map(2 * PAGE);

	p[0] = 1;
	q[0] = 2;
	CHECK_OK(madvise(p, PAGE, MADV_WIPEONFORK));
	CHECK_OK(madvise(q, PAGE, MADV_DONTFORK));
	pid_t pid = check_fork();
	if (pid == 0) {
		CHECK_EQ(p[0], 0);
		CHECK_EQ(touch(q), SIGSEGV);
		CHECK_EQ(touch(q + PAGE), 0);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(p[0], 1);
	CHECK_EQ(q[0], 2);
}

TEST(huge_page_sized_region_works_throughout)
{
	size_t huge = 2 << 20, size = 4 * huge;
	char *raw = map(size + huge);
	char *p = (char *)(((uintptr_t)raw + huge - 1) & ~(huge - 1));
	int advice = madvise(p, size, MADV_HUGEPAGE);

	CHECK(advice == 0 || errno == EINVAL);
	for (size_t i = 0; i < size; i += PAGE)
		*(size_t *)(p + i) = i;
	/* Split it in every way: protection, advice, unmapping, fork. */
	CHECK_OK(mprotect(p + 5 * PAGE, PAGE, PROT_READ));
	CHECK_OK(madvise(p + huge + 7 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_OK(munmap(p + 2 * huge + 9 * PAGE, PAGE));
	pid_t pid = check_fork();
	if (pid == 0) {
		for (size_t i = 0; i < huge; i += PAGE) {
			if (i != 5 * PAGE)
				*(size_t *)(p + i) = 1;
		}
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	for (size_t i = 0; i < size; i += PAGE) {
		if (i == 2 * huge + 9 * PAGE)
			continue;
		CHECK_EQ(*(size_t *)(p + i), i == huge + 7 * PAGE ? 0 : i);
	}
	CHECK_EQ(touch(p + 2 * huge + 9 * PAGE), SIGSEGV);
	char *moved = CHECK_OK(mremap(p + 3 * huge, huge, 2 * huge, MREMAP_MAYMOVE));
	CHECK_EQ(*(size_t *)(moved + PAGE), 3 * huge + PAGE);
	CHECK_EQ(*(size_t *)(moved + huge), 0);
}

TEST(mlockall_on_fault_brings_nothing_in)
{
	unsigned char v[4];
	char *p;

	CHECK_OK(mlockall(MCL_FUTURE | MCL_ONFAULT));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	p[PAGE] = 1;
	CHECK_OK(mincore(p, 4 * PAGE, v));
	CHECK_EQ(v[0] & 1, 0);
	CHECK_EQ(v[1] & 1, 1);
	CHECK_EQ(v[3] & 1, 0);
	CHECK_OK(mlockall(MCL_FUTURE));
	p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_OK(mincore(p, 4 * PAGE, v));
	CHECK_EQ(v[0] & v[3] & 1, 1);
	CHECK_OK(munlockall());
}

TEST(mincore_tells_touched_pages)
{
	unsigned char v[4];
	char *p = map(4 * PAGE);

	CHECK_OK(madvise(p, 4 * PAGE, MADV_NOHUGEPAGE));
	p[0] = 1;
	p[2 * PAGE] = 1;
	CHECK_OK(mincore(p, 4 * PAGE, v));
	CHECK_EQ(v[0] & 1, 1);
	CHECK_EQ(v[1] & 1, 0);
	CHECK_EQ(v[2] & 1, 1);
	CHECK_ERRNO(mincore(p + 1, PAGE, v), EINVAL);
	CHECK_ERRNO(mincore(p, PAGE, check_bad_address()), EFAULT);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(mincore(p, 4 * PAGE, v), ENOMEM);
}

TEST(map_populate_makes_pages_resident)
{
	unsigned char v[8];
	char *p = CHECK_OK(mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));

	CHECK_OK(mincore(p, 8 * PAGE, v));
	for (int i = 0; i < 8; i++)
		CHECK_EQ(v[i] & 1, 1);
}

TEST(msync_rules)
{
	int fd = file_of(2 * PAGE);
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	p[0] = 'z';
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC));
	CHECK_OK(msync(p, 2 * PAGE, MS_ASYNC));
	CHECK_OK(msync(p, 2 * PAGE, MS_SYNC | MS_INVALIDATE));
	CHECK_ERRNO(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECK_ERRNO(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECK_ERRNO(msync(p, PAGE, 0x80), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(msync(p, 2 * PAGE, MS_SYNC), ENOMEM);
}

TEST(mlock_makes_resident_and_is_limited)
{
	unsigned char v[4];
	char *p = map(4 * PAGE);

	CHECK_OK(mlock(p, 2 * PAGE));
	CHECK_OK(mincore(p, 4 * PAGE, v));
	CHECK_EQ(v[0] & v[1] & 1, 1);
	CHECK_OK(munlock(p, 2 * PAGE));
	CHECK_OK(munmap(p + 3 * PAGE, PAGE));
	CHECK_ERRNO(mlock(p, 4 * PAGE), ENOMEM);
	CHECK_ERRNO(mlockall(0), EINVAL);
	CHECK_OK(munlockall());
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 2 * PAGE, 2 * PAGE }));
	check_drop_root();
	char *q = map(4 * PAGE);
	CHECK_OK(mlock(q, PAGE));
	CHECK_ERRNO(mlock(q, 4 * PAGE), ENOMEM);
	CHECK_OK(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ 0, 0 }));
	CHECK_ERRNO(mlock(q + PAGE, PAGE), EPERM);
}

TEST(memfd_is_a_file_without_name)
{
	char target[64], path[40];
	struct stat st;
	int fd = memfd_create("thing", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no memfd_create");
	CHECK(fd >= 0);
	CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_OK(ftruncate(fd, PAGE));
	CHECK_OK(fstat(fd, &st));
	CHECK(S_ISREG(st.st_mode));
	CHECK_EQ(st.st_nlink, 0);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	strcpy(p, "hello");
	char text[6];
	CHECK_EQ(pread(fd, text, 6, 0), 6);
	CHECK_STR(text, "hello");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ssize_t n = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[n] = '\0';
	CHECK_STR(target, "/memfd:thing (deleted)");
	CHECK_ERRNO(memfd_create("x", 0x40000000), EINVAL);
	CHECK_ERRNO(memfd_create(check_bad_address(), 0), EFAULT);
}

TEST(memfd_seals_are_kept)
{
	int fd = memfd_create("sealed", MFD_ALLOW_SEALING);

	if (fd < 0 && errno == ENOSYS)
		SKIP("no memfd_create");
	CHECK_EQ(write(fd, "abc", 3), 3);
	CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
	CHECK_ERRNO(ftruncate(fd, 1), EPERM);
	CHECK_ERRNO(ftruncate(fd, 10), EPERM);
	CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
	CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
	CHECK_ERRNO(write(fd, "x", 1), EPERM);
	CHECK_ERRNO(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
}

TEST(dev_zero_mappings)
{
	int fd = CHECK_OK(open("/dev/zero", O_RDWR));
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	volatile char *s = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));

	p[0] = 1;
	pid_t pid = check_fork();
	if (pid == 0) {
		s[0] = 2;
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
	CHECK_EQ(s[0], 2);
}

TEST(process_vm_readv_copies_from_a_child)
{
	static char secret[16] = "parent", copy[16];
	int ends[2], hold[2];
	char c;

	CHECK_OK(pipe(ends));
	CHECK_OK(pipe(hold));
	pid_t pid = check_fork();
	if (pid == 0) {
		strcpy(secret, "child");
		check_write_all(ends[1], "r", 1);
		check_read_all(hold[0], &c, 1);
		_exit(0);
	}
	check_read_all(ends[0], &c, 1);
	struct iovec l = { copy, 16 }, r = { secret, 16 };
	ssize_t n = process_vm_readv(pid, &l, 1, &r, 1, 0);
	int error = errno;
	check_write_all(hold[1], "x", 1);
	CHECK_EXIT(pid, 0);
	if (n < 0 && error == ENOSYS)
		SKIP("no process_vm_readv");
	CHECK_EQ(n, 16);
	CHECK_STR(copy, "child");
}

TEST(proc_self_mem_reads_and_writes)
{
	static char word[8] = "before";
	char text[8] = "";
	int fd = CHECK_OK(open("/proc/self/mem", O_RDWR));

	CHECK_EQ(pread(fd, text, 7, (off_t)(uintptr_t)word), 7);
	CHECK_STR(text, "before");
	CHECK_EQ(pwrite(fd, "after", 6, (off_t)(uintptr_t)word), 6);
	CHECK_STR(*(char *volatile *)&(char *){ word }, "after");
	CHECK_ERRNO(pread(fd, text, 1, 8), EIO);
}

TEST(memory_is_given_back_when_processes_end)
{
	enum { SIZE = 32 << 20 };

	TIMEOUT(60);
	/* Far more in sum than the machine has. */
	for (int i = 0; i < 24; i++) {
		pid_t pid = check_fork();
		if (pid == 0) {
			char *p = map(SIZE);
			for (size_t at = 0; at < SIZE; at += PAGE)
				p[at] = (char)i;
			_exit(p[SIZE - PAGE] == (char)i ? 0 : 1);
		}
		CHECK_EXIT(pid, 0);
	}
}
