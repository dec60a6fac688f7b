/* SPDX-License-Identifier: MIT */
/* mmap, munmap, mprotect, mremap, brk: the shape of the address space. */
#include "../check.h"

#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { PAGE = 4096 };

static sigjmp_buf escape;
static volatile int fault_code;
static char *volatile fault_address;

static void
on_fault(int sig, siginfo_t *info, void *context __attribute__((unused)))
{
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(escape, sig);
}

/* 0, or the signal that touching the byte raises. */
static int
touch(volatile char *p, bool write)
{
	struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	int sig = sigsetjmp(escape, 1);
	if (sig)
		return sig;
	if (write)
		*p = 1;
	else
		(void)*p;
	return 0;
}

static char *
map(size_t size, int prot)
{
	return CHECK_OK(mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

/* The number of lines of /proc/self/maps that cover part of [p, p + size). */
static int
count_mappings(char *p, size_t size)
{
	static char text[65536];
	int count = 0;

	check_read_file("/proc/self/maps", text, sizeof(text));
	for (char *line = text; line && *line;) {
		uintptr_t start, end;
		CHECK_EQ(sscanf(line, "%lx-%lx", &start, &end), 2);
		count += start < (uintptr_t)p + size && end > (uintptr_t)p;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return count;
}

TEST(anonymous_memory_is_zero_aligned_and_writable)
{
	char *p = map(10 * PAGE, PROT_READ | PROT_WRITE);

	CHECK_EQ((uintptr_t)p % PAGE, 0);
	for (int i = 0; i < 10 * PAGE; i++)
		CHECK_EQ(p[i], 0);
	memset(p, 7, 10 * PAGE);
	CHECK_OK(munmap(p, 10 * PAGE));
	CHECK_EQ(touch(p, false), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_MAPERR);
}

TEST(mmap_argument_errors)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	CHECK_ERRNO(mmap(NULL, 0, PROT_READ, anon, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
	CHECK_ERRNO(mmap((void *)0x10001, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0), EINVAL);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 200, 0), EBADF);
	CHECK_ERRNO(mmap(NULL, SIZE_MAX, PROT_READ, anon, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap(NULL, 1UL << 47, PROT_NONE, anon | MAP_NORESERVE, -1, 0), ENOMEM);
	CHECK_ERRNO(mmap((void *)0xffff800000000000, PAGE, PROT_READ, anon | MAP_FIXED, -1, 0),
		    ENOMEM);
	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_RDONLY));
	CHECK_ERRNO(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
}

TEST(mmap_flag_rules)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;

	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
				anon | MAP_STACK | MAP_NORESERVE, -1, 0));
	p[0] = 1;
	check_write_file("f", "abc", 3);
	int fd = CHECK_OK(open("f", O_RDWR));
	CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | 0x800000, fd, 0),
		    EOPNOTSUPP);
	/* MAP_PRIVATE takes no notice of flags that it does not know. */
	CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | 0x800000, fd, 0));
}

TEST(mmap_of_huge_pages_works_or_says_enomem)
{
	size_t huge = 2 << 20;
	char *p = mmap(NULL, huge, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (p == MAP_FAILED) {
		CHECK_EQ(errno, ENOMEM);
		SKIP("no huge pages are reserved");
	}
	CHECK_EQ((uintptr_t)p % huge, 0);
	p[huge - 1] = 1;
	CHECK_EQ(p[0], 0);
	CHECK_ERRNO(munmap(p, PAGE), EINVAL);
	CHECK_OK(munmap(p, huge));
}

TEST(mmap_file_access_rules)
{
	check_write_file("f", "abc", 3);
	int r = CHECK_OK(open("f", O_RDONLY)), w = CHECK_OK(open("f", O_WRONLY));
	int rw = CHECK_OK(open("f", O_RDWR)), d = CHECK_OK(open(".", O_RDONLY)), ends[2];

	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0), EACCES);
	CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, w, 0), EACCES);
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, w, 0), EACCES);
	CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, rw, 0));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, d, 0), ENODEV);
	CHECK_OK(pipe(ends));
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0), ENODEV);
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r, 0));
	CHECK_ERRNO(mprotect(p, PAGE, PROT_READ | PROT_WRITE), EACCES);
}

TEST(mmap_hint_is_honoured_when_free)
{
	char *p = map(4 * PAGE, PROT_READ);

	CHECK_OK(munmap(p, 4 * PAGE));
	CHECK_EQ(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), p);
	CHECK(mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != p);
}

TEST(map_fixed_replaces_what_was_there)
{
	char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 5, 3 * PAGE);
	CHECK_EQ(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), p + PAGE);
	CHECK_EQ(p[0], 5);
	CHECK_EQ(p[PAGE], 0);
	CHECK_EQ(p[2 * PAGE], 5);
}

TEST(map_fixed_noreplace_is_eexist)
{
	char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;

	CHECK_ERRNO(mmap(p + PAGE, PAGE, PROT_READ, flags, -1, 0), EEXIST);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(mmap(p + PAGE, 2 * PAGE, PROT_READ, flags, -1, 0), EEXIST);
	CHECK_EQ(mmap(p + PAGE, PAGE, PROT_READ, flags, -1, 0), p + PAGE);
}

TEST(munmap_splits_a_mapping)
{
	char *p = map(5 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 3, 5 * PAGE);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_OK(munmap(p + 3 * PAGE, PAGE));
	CHECK_EQ(touch(p, false), 0);
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
	CHECK_EQ(touch(p + 2 * PAGE, false), 0);
	CHECK_EQ(touch(p + 3 * PAGE, false), SIGSEGV);
	CHECK_EQ(p[4 * PAGE], 3);
	CHECK_OK(munmap(p, 5 * PAGE));
	CHECK_EQ(touch(p, false), SIGSEGV);
	CHECK_EQ(touch(p + 4 * PAGE, false), SIGSEGV);
}

TEST(munmap_errors)
{
	char *p = map(PAGE, PROT_READ);

	CHECK_ERRNO(munmap(p, 0), EINVAL);
	CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
	CHECK_ERRNO(munmap((void *)0xffff800000000000, PAGE), EINVAL);
	CHECK_ERRNO(munmap(p, SIZE_MAX - PAGE), EINVAL);
	CHECK_OK(munmap(p, PAGE));
	CHECK_OK(munmap(p, PAGE));
	p = map(2 * PAGE, PROT_READ);
	CHECK_OK(munmap(p, 1));
	CHECK_EQ(touch(p + PAGE - 1, false), SIGSEGV);
	CHECK_EQ(touch(p + PAGE, false), 0);
}

TEST(mprotect_takes_effect_on_touched_pages)
{
	char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 9, 3 * PAGE);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
	CHECK_EQ(touch(p, true), 0);
	CHECK_EQ(touch(p + PAGE, true), SIGSEGV);
	CHECK_EQ(fault_code, SEGV_ACCERR);
	CHECK_EQ(fault_address, p + PAGE);
	CHECK_EQ(touch(p + PAGE, false), 0);
	CHECK_EQ(touch(p + 2 * PAGE, true), 0);
	CHECK_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
	CHECK_EQ(touch(p + PAGE, false), SIGSEGV);
	CHECK_OK(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(touch(p + PAGE, true), 0);
	CHECK_EQ(p[PAGE + 1], 9);
}

TEST(mprotect_splits_and_merges_mappings)
{
	char *p = map(16 * PAGE, PROT_READ | PROT_WRITE);
	/* Hold neighbours off with pages of another kind. */
	CHECK_OK(mprotect(p, PAGE, PROT_NONE));
	CHECK_OK(mprotect(p + 15 * PAGE, PAGE, PROT_NONE));
	char *inner = p + PAGE;
	size_t size = 14 * PAGE;

	CHECK_EQ(count_mappings(inner, size), 1);
	CHECK_OK(mprotect(inner + 4 * PAGE, 2 * PAGE, PROT_READ));
	CHECK_EQ(count_mappings(inner, size), 3);
	CHECK_OK(mprotect(inner + 4 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	CHECK_EQ(count_mappings(inner, size), 1);
}

TEST(mprotect_errors)
{
	char *p = map(3 * PAGE, PROT_READ);

	CHECK_ERRNO(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECK_OK(mprotect(p, 0, PROT_READ));
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE), ENOMEM);
	/* The part before the gap has changed. */
	CHECK_EQ(touch(p, true), 0);
	CHECK_ERRNO(mprotect(p, PAGE, 0x80), EINVAL);
}

TEST(executable_mapping_runs)
{
	/* mov $42, %eax; ret */
	static const unsigned char code[] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	char *p = map(PAGE, PROT_READ | PROT_WRITE);

	memcpy(p, code, sizeof(code));
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	CHECK_EQ(((int (*)(void))p)(), 42);
	CHECK_EQ(touch(p, true), SIGSEGV);
	CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
	p[1] = 43;
	CHECK_EQ(((int (*)(void))p)(), 43);
}

TEST(mremap_shrinks_and_grows_in_place)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);

	memset(p, 4, 4 * PAGE);
	CHECK_EQ(mremap(p, 4 * PAGE, 2 * PAGE, 0), p);
	CHECK_EQ(touch(p + 2 * PAGE, false), SIGSEGV);
	CHECK_EQ(mremap(p, 2 * PAGE, 4 * PAGE, 0), p);
	CHECK_EQ(p[0], 4);
	CHECK_EQ(p[2 * PAGE], 0);
}

TEST(mremap_moves_with_contents)
{
	char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (char)(i + 1);
	/* The second page is in the way of growing the first. */
	CHECK_ERRNO(mremap(p, PAGE, 2 * PAGE, 0), ENOMEM);
	char *q = CHECK_OK(mremap(p, PAGE, 200 * PAGE, MREMAP_MAYMOVE));
	CHECK(q != p);
	CHECK_EQ(q[0], 1);
	CHECK_EQ(q[199 * PAGE], 0);
	CHECK_EQ(touch(p, false), SIGSEGV);
	CHECK_EQ(p[PAGE], 2);
}

TEST(mremap_fixed_replaces_the_target)
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE), *q = map(4 * PAGE, PROT_READ | PROT_WRITE);

	p[0] = 1;
	p[PAGE] = 2;
	memset(q, 9, 4 * PAGE);
	CHECK_EQ(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE), q + PAGE);
	CHECK_EQ(q[0], 9);
	CHECK_EQ(q[PAGE], 1);
	CHECK_EQ(q[2 * PAGE], 2);
	CHECK_EQ(q[3 * PAGE], 9);
	CHECK_EQ(touch(p, false), SIGSEGV);
}

TEST(mremap_dontunmap_leaves_an_empty_mapping)
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);

	p[0] = 1;
	char *q = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	CHECK(q != MAP_FAILED);
	CHECK(q != p);
	CHECK_EQ(q[0], 1);
	CHECK_EQ(p[0], 0);
	p[0] = 2;
	CHECK_EQ(q[0], 1);
}

TEST(mremap_of_zero_size_duplicates_shared_memory)
{
	char *p = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				-1, 0));
	char *q = CHECK_OK(mremap(p, 0, PAGE, MREMAP_MAYMOVE));

	p[5] = 6;
	CHECK_EQ(q[5], 6);
}

TEST(mremap_errors)
{
	char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);

	CHECK_ERRNO(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, 0, 0), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, PAGE, 0x80), EINVAL);
	CHECK_ERRNO(mremap(p, PAGE, PAGE, MREMAP_FIXED, p), EINVAL);
	CHECK_ERRNO(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE), EINVAL);
	CHECK_ERRNO(mremap(p, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
	CHECK_OK(munmap(p, 2 * PAGE));
	CHECK_ERRNO(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

TEST(brk_grows_shrinks_and_zeroes)
{
	char *start = sbrk(0);

	CHECK_EQ(syscall(SYS_brk, 0), (long)start);
	CHECK_EQ(sbrk(3 * PAGE), start);
	memset(start, 1, 3 * PAGE);
	CHECK_EQ(sbrk(-3 * PAGE), start + 3 * PAGE);
	CHECK_EQ(sbrk(3 * PAGE), start);
	uintptr_t page = ((uintptr_t)start + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	CHECK_EQ(*(char *)page, 0);
	CHECK_EQ(syscall(SYS_brk, 1), (long)(start + 3 * PAGE));
	CHECK_EQ(syscall(SYS_brk, 0x7fffffffffff), (long)(start + 3 * PAGE));
}

TEST(brk_is_named_heap_in_maps)
{
	static char text[65536];

	CHECK_OK(sbrk(PAGE));
	check_read_file("/proc/self/maps", text, sizeof(text));
	CHECK(strstr(text, "[heap]"));
	CHECK(strstr(text, "[stack]"));
}

TEST(brk_does_not_run_into_a_mapping)
{
	char *start = sbrk(0);
	uintptr_t next = ((uintptr_t)start + 2 * PAGE - 1) & ~(uintptr_t)(PAGE - 1);

	CHECK_OK(mmap((void *)(next + PAGE), PAGE, PROT_READ,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
	CHECK_ERRNO(sbrk(10 * PAGE), ENOMEM);
	CHECK_EQ(sbrk(0), start);
}

TEST(stack_grows_by_use)
{
	pid_t pid = check_fork();

	if (pid == 0) {
		/* Four megabytes at once, touched from the far end. */
		volatile char *room = __builtin_alloca(4 << 20);
		room[0] = 1;
		room[2 << 20] = 2;
		_exit(room[0] + room[2 << 20]);
	}
	CHECK_EXIT(pid, 3);
}

TEST(growsdown_mapping_grows_downwards)
{
	char *p = map(64 * PAGE, PROT_READ);

	CHECK_OK(munmap(p, 64 * PAGE));
	char *g = CHECK_OK(mmap(p + 60 * PAGE, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
	CHECK_EQ(touch(g - 1, true), 0);
	CHECK_EQ(touch(g - PAGE - 1, true), 0);
	CHECK_EQ(g[-1], 1);
}

TEST(growsdown_keeps_a_gap_to_a_neighbour)
{
	char *p = map(1024 * PAGE, PROT_READ);

	CHECK_OK(munmap(p + PAGE, 1023 * PAGE));
	char *g = CHECK_OK(mmap(p + 20 * PAGE, PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
	/* Less than the guard gap of 256 pages lies between the two. */
	CHECK_EQ(touch(g - 1, true), SIGSEGV);
}

TEST(many_mappings)
{
	enum { COUNT = 2000 };
	static char *p[COUNT];

	for (int i = 0; i < COUNT; i++) {
		/* Alternate protections, so that neighbours do not merge. */
		p[i] = map(PAGE, i % 2 ? PROT_READ | PROT_WRITE : PROT_READ);
		if (i % 2)
			*(int *)p[i] = i;
	}
	for (int i = 1; i < COUNT; i += 2)
		CHECK_EQ(*(int *)p[i], i);
	for (int i = 0; i < COUNT; i += 3)
		CHECK_OK(munmap(p[i], PAGE));
	CHECK_EQ(touch(p[3], false), SIGSEGV);
	CHECK_EQ(touch(p[4], false), 0);
}

TEST(prot_none_reservation_costs_nothing)
{
	char *p = CHECK_OK(mmap(NULL, 1UL << 36, PROT_NONE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));

	CHECK_OK(mprotect(p + (1UL << 35), PAGE, PROT_READ | PROT_WRITE));
	p[1UL << 35] = 1;
	CHECK_OK(munmap(p, 1UL << 36));
}

TEST(maps_lines_show_range_protection_and_file)
{
	static char text[65536];
	char cwd[PATH_MAX], want[PATH_MAX + 64], *line;
	struct stat st;

	check_write_file("mapped", "abc", 3);
	int fd = CHECK_OK(open("mapped", O_RDONLY));
	CHECK_OK(fstat(fd, &st));
	char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, PAGE));
	CHECK(getcwd(cwd, sizeof(cwd)));
	check_read_file("/proc/self/maps", text, sizeof(text));
	snprintf(want, sizeof(want), "%lx-%lx r--s 00001000 ", (uintptr_t)p,
		 (uintptr_t)p + 2 * PAGE);
	line = strstr(text, want);
	CHECK(line);
	*strchr(line, '\n') = '\0';
	snprintf(want, sizeof(want), " %lu ", st.st_ino);
	CHECK(strstr(line, want));
	snprintf(want, sizeof(want), "%s/mapped", cwd);
	CHECK(strstr(line, want));
}

TEST(low_addresses_cannot_be_mapped_without_privilege)
{
	check_drop_root();
	CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
		    EPERM);
}

TEST(addresses_are_randomised_between_runs)
{
	char one[64], two[64], three[64];
	char *texts[3] = { one, two, three };

	for (int i = 0; i < 3; i++) {
		int ends[2];
		CHECK_OK(pipe(ends));
		pid_t pid = check_fork();
		if (pid == 0) {
			CHECK_OK(dup2(ends[1], 1));
			execl("/proc/self/exe", "x", "--helper", "print_addresses", NULL);
			_exit(99);
		}
		CHECK_OK(close(ends[1]));
		ssize_t n = CHECK_OK(read(ends[0], texts[i], 63));
		texts[i][n] = '\0';
		CHECK_OK(close(ends[0]));
		CHECK_EXIT(pid, 0);
	}
	CHECK(strcmp(one, two) != 0 || strcmp(two, three) != 0);
}

HELPER(print_addresses)
{
	int here;

	printf("%p %p", (void *)&here, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
					    0));
}

static long
remap_pages(void *at, size_t size, int prot, size_t page, int flags)
{
	return syscall(SYS_remap_file_pages, at, size, prot, page, flags);
}

TEST(remap_file_pages_shows_other_pages_of_the_object)
{
	enum { PAGE = 4096, PAGES = 8 };
	unsigned char *p = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		p[i * PAGE] = (unsigned char)(i + 1);
	/* Backwards, in pairs that then touch mappings of the same object. */
	for (int i = 0; i < PAGES; i++)
		CHECK_OK(remap_pages(p + i * PAGE, PAGE, 0, (size_t)(PAGES - 1 - i), 0));
	for (int i = 0; i < PAGES; i++)
		CHECK_EQ(p[i * PAGE], PAGES - i);
	p[0] = 99; /* the object's last page, which the last page of the range shows no more */
	CHECK_OK(remap_pages(p + PAGE, PAGE, 0, PAGES - 1, MAP_NONBLOCK));
	CHECK_EQ(p[PAGE], 99);
	CHECK_EQ(p[(PAGES - 1) * PAGE], 1);
	/* A length that is no whole number of pages is cut; the start is rounded down. */
	CHECK_OK(remap_pages(p + 100, PAGE + 5, 0, 2, 0));
	CHECK_EQ(p[0], 3);
	CHECK_EQ(p[PAGE], 99);
}

TEST(remap_file_pages_of_a_file_and_what_it_refuses)
{
	enum { PAGE = 4096 };
	int fd = CHECK_OK(open("f", O_RDWR | O_CREAT, 0600));
	unsigned char *p, *q;

	CHECK_OK(ftruncate(fd, 4 * PAGE));
	for (int i = 0; i < 4; i++)
		CHECK_EQ(pwrite(fd, &i, 1, (off_t)i * PAGE), 1);
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	CHECK_OK(close(fd));
	CHECK_OK(remap_pages(p, 2 * PAGE, 0, 2, 0));
	CHECK_EQ(p[0], 2);
	CHECK_EQ(p[PAGE], 3);
	CHECK_ERRNO(remap_pages(p, PAGE, PROT_READ, 0, 0), EINVAL);
	CHECK_ERRNO(remap_pages(p, 0, 0, 0, 0), EINVAL);
	CHECK_ERRNO(remap_pages(p, PAGE, 0, ~0ul, 0), EINVAL);
	CHECK_ERRNO(remap_pages((void *)~0xffful, 2 * PAGE, 0, 0, 0), EINVAL);
	CHECK_OK(munmap(p + PAGE, PAGE));
	CHECK_ERRNO(remap_pages(p, 2 * PAGE, 0, 0, 0), EINVAL);
	CHECK_ERRNO(remap_pages(p + PAGE, PAGE, 0, 0, 0), EINVAL);
	q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK_ERRNO(remap_pages(q, PAGE, 0, 0, 0), EINVAL);
}

/* What the processor reads although nobody may is not brought in for reading. */
TEST(populating_needs_the_permission_itself)
{
	char *p = mmap(NULL, 8192, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK_ERRNO(madvise(p, 8192, 22 /* MADV_POPULATE_READ */), EINVAL);
	CHECK_OK(madvise(p, 8192, 23 /* MADV_POPULATE_WRITE */));
	CHECK_OK(mprotect(p, 8192, PROT_EXEC));
	CHECK_ERRNO(madvise(p, 8192, 22), EINVAL);
	CHECK_OK(mprotect(p, 8192, PROT_READ));
	CHECK_OK(madvise(p, 8192, 22));
	CHECK_ERRNO(madvise(p, 8192, 23), EINVAL);
}

/* Compilers of Lisp put their code at such a hint, and take no other place. */
TEST(mmap_32bit_follows_a_hint_and_fills_from_below)
{
	enum { SIZE = 16 * PAGE, FLAGS = MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT };
	char *hint = (char *)0x50000000, *low = (char *)0x11000000;

	CHECK(mmap(hint, SIZE, PROT_NONE, FLAGS, -1, 0) == hint);
	/* Taken: some other place of the range. A hint is rounded down, and may lie below the range. */
	char *p = CHECK_OK(mmap(hint, SIZE, PROT_NONE, FLAGS, -1, 0));
	CHECK(p != hint && (uintptr_t)p >= 0x40000000 && (uintptr_t)p + SIZE <= 0x80000000);
	CHECK(mmap(low + 5, SIZE, PROT_NONE, FLAGS, -1, 0) == low);
	/* From below, where 32 MiB are left to chance. */
	p = CHECK_OK(mmap(NULL, SIZE, PROT_NONE, FLAGS, -1, 0));
	CHECK((uintptr_t)p >= 0x40000000 && (uintptr_t)p < 0x44000000);
	/* A hint out of the range is not followed. */
	p = CHECK_OK(mmap((char *)0x90000000, SIZE, PROT_NONE, FLAGS, -1, 0));
	CHECK((uintptr_t)p >= 0x40000000 && (uintptr_t)p + SIZE <= 0x80000000);
	p = CHECK_OK(mmap((char *)0x80000000 - PAGE, SIZE, PROT_NONE, FLAGS, -1, 0));
	CHECK((uintptr_t)p + SIZE <= 0x80000000);
	CHECK_ERRNO(mmap(NULL, 0x41000000, PROT_NONE, FLAGS, -1, 0), ENOMEM);
	p = CHECK_OK(mmap(low, 0x28000000, PROT_NONE, FLAGS | MAP_NORESERVE, -1, 0));
	CHECK(p != low && (uintptr_t)p + 0x28000000 <= 0x80000000);
}
