/* SPDX-License-Identifier: MIT */
/*
 * memory.c - failing allocations below mappings and page faults.
 */
#include "fail_nth.h"

#define PAGE 4096ul

static char *
map(size_t length, int flags)
{
	return OK(mmap(NULL, length, PROT_READ | PROT_WRITE, flags, -1, 0));
}

static void
touch(char *p, size_t length, char c)
{
	for (size_t i = 0; i < length; i += PAGE)
		*(volatile char *)(p + i) = c;
}

static void
verify(const char *p, size_t length, char c)
{
	for (size_t i = 0; i < length; i += PAGE)
		if (p[i] != c)
			FAIL("page %zu has %#x, want %#x", i / PAGE, p[i], c);
}

SCENARIO(anonymous_pages)
{
	char *p = map(20 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);

	MUST(verify(p, 20 * PAGE, 0));
	MUST(touch(p, 20 * PAGE, 'a'));
	verify(p, 20 * PAGE, 'a');
	OK(munmap(p, 20 * PAGE));
}

SCENARIO(huge_pages)
{
	char *p = map(4ul << 20, MAP_PRIVATE | MAP_ANONYMOUS);
	char *huge = (char *)(((uintptr_t)p + (2ul << 20) - 1) & ~((2ul << 20) - 1));

	OK(madvise(huge, 2ul << 20, MADV_HUGEPAGE));
	MUST(touch(huge, 2ul << 20, 'h'));
	OK(mprotect(huge + 5 * PAGE, PAGE, PROT_READ));
	OK(madvise(huge + 10 * PAGE, PAGE, MADV_DONTNEED));
	MUST(verify(huge + 10 * PAGE, PAGE, 0));
	verify(huge, 10 * PAGE, 'h');
	OK(munmap(huge + 100 * PAGE, PAGE));
	OK(munmap(p, 4ul << 20));
}

SCENARIO(mappings_split)
{
	char *p = map(32 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);

	touch(p, 32 * PAGE, 's');
	OK(mprotect(p + 4 * PAGE, 4 * PAGE, PROT_READ));
	OK(munmap(p + 16 * PAGE, 2 * PAGE));
	OK(madvise(p + 20 * PAGE, 2 * PAGE, MADV_DONTFORK));
	OK(mlock(p + 24 * PAGE, 2 * PAGE));
	OK(munlock(p + 24 * PAGE, 2 * PAGE));
	verify(p, 16 * PAGE, 's');
	verify(p + 18 * PAGE, 14 * PAGE, 's');
	OK(mprotect(p + 4 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE));
	touch(p, 16 * PAGE, 't');
	OK(munmap(p, 32 * PAGE));
}

SCENARIO(mapping_moves)
{
	char *p = map(8 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS), *q, *target;

	touch(p, 8 * PAGE, 'm');
	p = OK(mremap(p, 8 * PAGE, 600 * PAGE, MREMAP_MAYMOVE));
	target = CHECK_OK(mmap(NULL, 700 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	q = OK(mremap(p, 600 * PAGE, 600 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target));
	CHECK(q == target);
	verify(q, 8 * PAGE, 'm');
	OK(munmap(q, 700 * PAGE));
}

SCENARIO(break_moves)
{
	char *start = sbrk(0);

	CHECK_EQ((long)OK(sbrk(50 * (long)PAGE)), (long)start);
	MUST(touch(start, 50 * PAGE, 'b'));
	verify(start, 50 * PAGE, 'b');
	CHECK_OK(brk(start));
}

SCENARIO(file_mappings)
{
	int fd = OK((int)syscall(SYS_memfd_create, "m", 0));
	char *shared, *private;

	OK(ftruncate(fd, 20 * (long)PAGE));
	shared = OK(mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
	private = OK(mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
	MUST(touch(shared, 20 * PAGE, 'f'));
	OK(pwrite(fd, "far", 3, 3000 * (off_t)PAGE)); /* the tree of pages grows upwards */
	OK(ftruncate(fd, 20 * (long)PAGE));
	MUST(verify(private, 20 * PAGE, 'f'));
	MUST(touch(private, 10 * PAGE, 'p'));
	verify(shared, 20 * PAGE, 'f');
	OK(msync(shared, 20 * PAGE, MS_SYNC));
	OK(ftruncate(fd, 5 * (long)PAGE));
	OK(munmap(shared, 20 * PAGE));
	OK(munmap(private, 20 * PAGE));
	close(fd);
}

SCENARIO(shared_anonymous)
{
	char *p = map(30 * PAGE, MAP_SHARED | MAP_ANONYMOUS);
	pid_t pid;

	MUST(touch(p, 10 * PAGE, 'x'));
	pid = OK(fork());
	if (pid == 0) {
		touch(p, 30 * PAGE, 'y');
		_exit(3);
	}
	CHECK_EXIT(pid, 3);
	MUST(verify(p, 30 * PAGE, 'y'));
	OK(munmap(p, 30 * PAGE));
}

SCENARIO(populate)
{
	char *p = map(40 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE);
	unsigned char in[40];

	OK(madvise(p, 40 * PAGE, 23)); /* MADV_POPULATE_WRITE */
	OK(mincore(p, 40 * PAGE, in));
	OK(munmap(p, 40 * PAGE));
}

SCENARIO(fork_copies)
{
	char *p = map(600 * PAGE, MAP_PRIVATE | MAP_ANONYMOUS);
	pid_t pid;

	touch(p, 600 * PAGE, 'a');
	pid = OK(fork());
	if (pid == 0) {
		verify(p, 600 * PAGE, 'a');
		touch(p, 600 * PAGE, 'b');
		verify(p, 600 * PAGE, 'b');
		_exit(5);
	}
	MUST(touch(p, 300 * PAGE, 'c'));
	CHECK_EXIT(pid, 5);
	verify(p, 300 * PAGE, 'c');
	verify(p + 300 * PAGE, 300 * PAGE, 'a');
	OK(munmap(p, 600 * PAGE));
}
