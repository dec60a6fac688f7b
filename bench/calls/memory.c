/* SPDX-License-Identifier: MIT */
/* Memory: faults, mappings and what changes them. */
#include "bench.h"

#define PAGE 4096l
#define HUGE (2l << 20)

static char *area;
static int fd = -1;

static char *
map(size_t size, int prot, int flags, int file)
{
	char *p = mmap(NULL, size, prot, flags, file, 0);

	if (p == MAP_FAILED)
		give_up(__FILE__, __LINE__, "mmap");
	return p;
}

/* --- faults: each operation is one page ----------------------------------------------------------------- */

#define FAULTS 2048

ITEM(fault_anonymous, FAULTS)
{
	char *p = map((size_t)(n * PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	MUST(madvise(p, (size_t)(n * PAGE), MADV_NOHUGEPAGE));
	for (long i = 0; i < n; i++)
		p[i * PAGE] = 1;
	MUST(munmap(p, (size_t)(n * PAGE)));
}

static void
make_file(void)
{
	static char block[65536];

	fd = MUST(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (long done = 0; done < FAULTS * PAGE; done += (long)sizeof(block))
		MUST(write(fd, block, sizeof(block)));
}

static void
remove_file(void)
{
	MUST(close(fd));
	MUST(unlink("file"));
}

ITEM_IN(fault_file, FAULTS, make_file, remove_file)
{
	volatile char *p = map((size_t)(n * PAGE), PROT_READ, MAP_SHARED, fd);

	for (long i = 0; i < n; i++)
		(void)p[i * PAGE];
	MUST(munmap((void *)(uintptr_t)p, (size_t)(n * PAGE)));
}

ITEM(fault_huge, 32)
{
	size_t size = (size_t)((n + 1) * HUGE);
	char *p = map(size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *start = (char *)(((uintptr_t)p + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	MUST(madvise(p, size, MADV_HUGEPAGE));
	for (long i = 0; i < n; i++)
		start[i * HUGE] = 1;
	MUST(munmap(p, size));
}

static void
make_area(void)
{
	area = map(FAULTS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	MUST(madvise(area, FAULTS * PAGE, MADV_NOHUGEPAGE));
	for (long i = 0; i < FAULTS; i++)
		area[i * PAGE] = 1;
}

static void
drop_area(void)
{
	MUST(munmap(area, FAULTS * PAGE));
}

/* The child breaks the sharing of each page; fork and exit are spread over them. */
ITEM_IN(copy_on_write, FAULTS, make_area, drop_area)
{
	pid_t pid = MUST(fork());

	if (pid == 0) {
		for (long i = 0; i < n; i++)
			area[i * PAGE] = 2;
		_exit(0);
	}
	wait_child(pid, "the child");
}

/* --- mappings -------------------------------------------------------------------------------------------- */

ITEM(mmap_munmap, 10000)
{
	for (long i = 0; i < n; i++)
		MUST(munmap(map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1), 16 * PAGE));
}

ITEM(mmap_touch_munmap, 3000)
{
	for (long i = 0; i < n; i++) {
		char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

		for (long at = 0; at < 16 * PAGE; at += PAGE)
			p[at] = 1;
		MUST(munmap(p, 16 * PAGE));
	}
}

ITEM_IN(mprotect, 10000, make_area, drop_area)
{
	for (long i = 0; i < n; i++)
		MUST(mprotect(area, 4 * PAGE, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ));
}

ITEM_IN(madvise_dontneed, 3000, make_area, drop_area)
{
	for (long i = 0; i < n; i++) {
		area[0] = 1;
		MUST(madvise(area, 4 * PAGE, MADV_DONTNEED));
	}
}

ITEM(brk, 10000)
{
	for (long i = 0; i < n; i++) {
		MUST((long)sbrk(16 * PAGE));
		MUST((long)sbrk(-16 * PAGE));
	}
}
