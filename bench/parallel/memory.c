/* SPDX-License-Identifier: MIT */
/* Memory: faults, mappings, the break; and how many flush interrupts changes of them send. */
#include "parallel.h"

#define BOTH (PROCESSES | THREADS)
#define PAGES 128l

static char *
map(long bytes, int prot, int flags, int fd)
{
	char *p = mmap(NULL, (size_t)bytes, prot, flags, fd, 0);

	if (p == MAP_FAILED)
		give_up(__FILE__, __LINE__, "mmap");
	return p;
}

static char *
map_private(long bytes)
{
	return map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void
touch(char *p, long pages)
{
	for (long i = 0; i < pages; i++)
		*(volatile char *)(p + i * PAGE) = 1;
}

/* --- faults ------------------------------------------------------------------------------------------ */

ITEM_OF(fault_private, BOTH, PAGES, NULL, NULL)
{
	char *p = map_private(PAGES * PAGE);

	touch(p, PAGES);
	MUST(munmap(p, PAGES * PAGE));
	w->turn++;
}

static int
new_file(const char *name, long bytes)
{
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

	for (long done = 0; done < bytes; done += (long)sizeof(block))
		MUST(write(fd, block, sizeof(block)));
	return fd;
}

static void
own_file(struct worker *w)
{
	snprintf(w->name, sizeof(w->name), "own%d", w->index);
	w->fd[0] = new_file(w->name, PAGES * PAGE);
}

static void
common_file(void)
{
	shared_fd = new_file("common", PAGES * PAGE);
}

static void
fault_file(int fd)
{
	char *p = map(PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);

	touch(p, PAGES);
	MUST(munmap(p, PAGES * PAGE));
}

ITEM_OF(fault_own_file, BOTH, PAGES, own_file, NULL)
{
	fault_file(w->fd[0]);
}

ITEM_OF(fault_same_file, BOTH, PAGES, NULL, common_file)
{
	fault_file(shared_fd);
	w->turn++;
}

/* --- mappings ---------------------------------------------------------------------------------------- */

WORKERS(mmap_munmap, BOTH, NULL, NULL)
{
	MUST(munmap(map_private(64 * PAGE), 64 * PAGE));
	w->turn++;
}

WORKERS(brk, PROCESSES, NULL, NULL)
{
	MUST(sbrk(w->turn & 1 ? -PAGE : PAGE) == (void *)-1 ? -1 : 0);
	w->turn++;
}

/* Where nobody else's pages are near: each thread in a corner of its own, as allocators have arenas. */
static void
own_pages(struct worker *w)
{
	char *p = map(64l << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);

	w->memory = (char *)(((uintptr_t)p + (32l << 20) - 1) & ~(uintptr_t)((32l << 20) - 1));
	MUST(mprotect(w->memory, PAGE, PROT_READ | PROT_WRITE));
	touch(w->memory, 1);
}

WORKERS(tlb_mprotect, THREADS, own_pages, NULL)
{
	MUST(mprotect(w->memory, PAGE, PROT_READ));
	MUST(mprotect(w->memory, PAGE, PROT_READ | PROT_WRITE));
	touch(w->memory, 1);
}

WORKERS(tlb_madvise, THREADS, own_pages, NULL)
{
	touch(w->memory, 1);
	MUST(madvise(w->memory, PAGE, MADV_DONTNEED));
}

/* --- flush interrupts -------------------------------------------------------------------------------- */

WORKERS(flush_mprotect, CENSUS, own_pages, NULL)
{
	touch(w->memory, 1);
	MUST(mprotect(w->memory, PAGE, PROT_READ));
	MUST(mprotect(w->memory, PAGE, PROT_READ | PROT_WRITE));
}

/* Only the first page was ever used; the other rights are of pages that are there. */
static void
spare_pages(struct worker *w)
{
	own_pages(w);
	MUST(mprotect(w->memory, 16 * PAGE, PROT_READ | PROT_WRITE));
	MUST(madvise(w->memory, 16 * PAGE, MADV_POPULATE_WRITE));
}

WORKERS(flush_mprotect_unused, CENSUS, spare_pages, NULL)
{
	MUST(mprotect(w->memory + PAGE, 15 * PAGE, PROT_READ));
	MUST(mprotect(w->memory + PAGE, 15 * PAGE, PROT_READ | PROT_WRITE));
}

WORKERS(flush_munmap, CENSUS, NULL, NULL)
{
	char *p = map_private(16 * PAGE);

	touch(p, 16);
	MUST(munmap(p, 16 * PAGE));
	w->turn++;
}

WORKERS(flush_munmap_unused, CENSUS, NULL, NULL)
{
	char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);

	MUST(munmap(p, 16 * PAGE));
	w->turn++;
}

WORKERS(flush_munmap_file, CENSUS, NULL, common_file)
{
	char *p = map(16 * PAGE, PROT_READ, MAP_SHARED, shared_fd);

	byte += *(volatile char *)p;
	MUST(munmap(p, 16 * PAGE));
	w->turn++;
}

WORKERS(flush_madvise, CENSUS, own_pages, NULL)
{
	touch(w->memory, 1);
	MUST(madvise(w->memory, PAGE, MADV_DONTNEED));
}

static void
many_pages(struct worker *w)
{
	w->memory = map_private(PAGES * PAGE);
	touch(w->memory, PAGES);
}

/* A child, and 32 pages that are copied when they are next written. */
WORKERS(flush_fork_copy, CENSUS, many_pages, NULL)
{
	pid_t pid = MUST(fork());

	if (pid == 0)
		_exit(0);
	touch(w->memory, 32);
	MUST(waitpid(pid, NULL, 0));
}

WORKERS(flush_fork_exec, CENSUS, NULL, NULL)
{
	pid_t pid = MUST(fork());

	if (pid == 0) {
		execl("/proc/self/exe", "parallel", "--nothing", (char *)NULL);
		_exit(1);
	}
	MUST(waitpid(pid, NULL, 0));
	w->turn++;
}
