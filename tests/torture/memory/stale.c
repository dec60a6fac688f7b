/* SPDX-License-Identifier: MIT */
/*
 * stale.c - no CPU reads or writes through a translation that was taken back.
 *
 * Writers write through a mapping as fast as they can, each store naming itself. Meanwhile the mapping is
 * unmapped, protected, moved, emptied, truncated, or shared by fork; writers live on through a handler
 * that jumps out of the store. What the frame becomes next holds a mark, and the mark must stay.
 */
#include <setjmp.h>
#include <sys/wait.h>

#include "storm.h"

#define PAGE  4096ul
#define HUGE  (2ul << 20)
#define MARK  0x6d61726b6d61726bull
#define WRITERS 3
#define FRESH 64ul

static char *volatile target;    /* where they write; any page of it may be missing */
static size_t target_pages;
static char *place;              /* where claim_and_check() maps; reserved before anything is unmapped */
static volatile bool stop;
static _Thread_local sigjmp_buf out;
static _Thread_local volatile bool trying;

static void
fault(int number)
{
	if (!trying)
		_exit(99);
	siglongjmp(out, 1);
}

static void
catch_faults(void)
{
	struct sigaction sa = { .sa_handler = fault, .sa_flags = SA_NODEFER };

	CHECK_OK(sigaction(SIGSEGV, &sa, NULL));
	CHECK_OK(sigaction(SIGBUS, &sa, NULL));
	place = mmap(NULL, HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *
writer(void *arg)
{
	uint64_t self = (uint64_t)(uintptr_t)arg;

	storm_pin((int)self + 1);
	while (!stop) {
		if (sigsetjmp(out, 1) == 0) {
			trying = true;
			for (int i = 0; i < 50; i++) {
				size_t at = (size_t)storm_below((int)target_pages) * PAGE +
					    (self * 64) % PAGE;

				*(volatile uint64_t *)(target + at) = self;
			}
		}
		trying = false;
	}
	return NULL;
}

/* Pages that nobody but us may write: taken at once after frames were let go. */
static void
claim_and_check(size_t pages)
{
	char *p;

	/* Not where the writers' memory was. */
	p = mmap(place, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages * PAGE; i += 64)
		*(volatile uint64_t *)(p + i) = MARK;
	for (int round = 0; round < 3; round++)
		for (size_t i = 0; i < pages * PAGE; i += 64)
			if (*(volatile uint64_t *)(p + i) != MARK)
				FAIL("a store to memory that was taken away landed at byte %zu: %#llx", i,
				     (unsigned long long)*(uint64_t *)(p + i));
	mmap(place, HUGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void
with_writers(size_t pages, void (*round)(void))
{
	long long end = storm_end();
	pthread_t t[WRITERS];

	catch_faults();
	target_pages = pages;
	stop = false;
	for (long i = 0; i < WRITERS; i++)
		t[i] = storm_thread(writer, (void *)(i + 1));
	storm_pin(0);
	while (!storm_over(end))
		round();
	stop = true;
	for (int i = 0; i < WRITERS; i++)
		pthread_join(t[i], NULL);
}

static char *
map_at(char *where, size_t length)
{
	char *p = mmap(where, length, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | (where ? MAP_FIXED : 0), -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static void
unmap_round(void)
{
	munmap(target, 16 * PAGE);
	claim_and_check(16);
	map_at(target, 16 * PAGE);
	sched_yield();
}

TEST(unmapped_pages_take_no_stores)
{
	target = map_at(NULL, 16 * PAGE);
	with_writers(16, unmap_round);
}

static void
dontneed_round(void)
{
	size_t first = (size_t)storm_below(12);

	madvise(target + first * PAGE, 4 * PAGE, MADV_DONTNEED);
	claim_and_check(4);
}

TEST(emptied_pages_take_no_stores)
{
	target = map_at(NULL, 16 * PAGE);
	with_writers(16, dontneed_round);
}

static void
protect_round(void)
{
	uint64_t before[16][4];

	CHECK_OK(mprotect(target, 16 * PAGE, PROT_READ));
	for (size_t i = 0; i < 16; i++)
		for (size_t w = 0; w < 4; w++)
			before[i][w] = *(volatile uint64_t *)(target + i * PAGE + w * 64);
	for (int n = 0; n < 20; n++)
		for (size_t i = 0; i < 16; i++)
			for (size_t w = 0; w < 4; w++)
				if (*(volatile uint64_t *)(target + i * PAGE + w * 64) != before[i][w])
					FAIL("read-only memory changed");
	for (size_t i = 0; i < 16; i++)
		CHECK_EQ(mprotect(target + i * PAGE, PAGE, PROT_READ | PROT_WRITE), 0);
	for (size_t i = 0; i < 16; i++)
		for (size_t w = 0; w < 4; w++)
			*(volatile uint64_t *)(target + i * PAGE + w * 64) = 0;
}

TEST(protected_pages_take_no_stores)
{
	target = map_at(NULL, 16 * PAGE);
	with_writers(16, protect_round);
}

/* No page comes after mprotect has returned, though writers fault on empty places all the time. */
static void
fresh_round(void)
{
	unsigned char before[FRESH], after[FRESH];

	map_at(target, FRESH * PAGE);
	for (volatile int n = storm_below(3000); n > 0; n--)
		;
	CHECK_OK(mprotect(target, FRESH * PAGE, PROT_READ));
	CHECK_OK(mincore(target, FRESH * PAGE, before));
	for (int n = 0; n < 8; n++)
		sched_yield();
	CHECK_OK(mincore(target, FRESH * PAGE, after));
	for (size_t i = 0; i < FRESH; i++)
		if ((after[i] & 1) && !(before[i] & 1))
			FAIL("page %zu came to memory that was read-only by then", i);
}

TEST(protected_places_get_no_pages)
{
	target = map_at(NULL, FRESH * PAGE);
	with_writers(FRESH, fresh_round);
}

static void
move_round(void)
{
	char *old = target, *away = map_at(NULL, 16 * PAGE), *p;
	uint64_t before[16];

	p = mremap(old, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, away);
	CHECK(p == away);
	for (size_t i = 0; i < 16; i++)
		before[i] = *(volatile uint64_t *)(p + i * PAGE + 64);
	for (int n = 0; n < 20; n++)
		for (size_t i = 0; i < 16; i++)
			if (*(volatile uint64_t *)(p + i * PAGE + 64) != before[i])
				FAIL("a store to where memory was before it moved landed");
	munmap(p, 16 * PAGE);
	map_at(old, 16 * PAGE);
	for (size_t i = 0; i < 16; i++)
		*(volatile char *)(old + i * PAGE) = 0;
	sched_yield();
}

TEST(moved_pages_take_no_stores)
{
	target = map_at(NULL, 16 * PAGE);
	with_writers(16, move_round);
}

static int file;

static void
truncate_round(void)
{
	CHECK_OK(ftruncate(file, 0));
	claim_and_check(16);
	CHECK_OK(ftruncate(file, 16 * (long)PAGE));
	sched_yield();
}

TEST(truncated_pages_take_no_stores)
{
	file = CHECK_OK((int)syscall(SYS_memfd_create, "t", 0));
	CHECK_OK(ftruncate(file, 16 * (long)PAGE));
	target = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	with_writers(16, truncate_round);
}

static char *pair_a, *pair_b;

/* fork makes pages read-only in us as well; what the child sees must stand still. */
static void
fork_round(void)
{
	pid_t pid = CHECK_OK(fork());

	if (pid == 0) {
		uint64_t before[16][4];

		for (size_t i = 0; i < 16; i++)
			for (size_t w = 0; w < 4; w++)
				before[i][w] = *(volatile uint64_t *)(target + i * PAGE + w * 64);
		for (int n = 0; n < 30; n++)
			for (size_t i = 0; i < 16; i++)
				for (size_t w = 0; w < 4; w++)
					if (*(volatile uint64_t *)(target + i * PAGE + w * 64) != before[i][w])
						_exit(1);
		_exit(0);
	}
	int status;

	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		FAIL("a parent's store landed in its child: %#x", (unsigned int)status);
}

TEST(forked_pages_take_no_stores_of_the_parent)
{
	target = map_at(NULL, 16 * PAGE);
	for (size_t i = 0; i < 16; i++)
		target[i * PAGE] = 0;
	with_writers(16, fork_round);
}

static char *huge_target(void)
{
	char *p = map_at(NULL, 2 * HUGE);
	char *h = (char *)(((uintptr_t)p + HUGE - 1) & ~(HUGE - 1));

	madvise(h, HUGE, MADV_HUGEPAGE);
	*(volatile char *)h = 0;
	return h;
}

static void
huge_round(void)
{
	switch (storm_below(5)) {
	case 0:
		madvise(target, HUGE, MADV_DONTNEED);
		claim_and_check(64);
		break;
	case 1:
		munmap(target, HUGE);
		claim_and_check(512);
		map_at(target, HUGE);
		madvise(target, HUGE, MADV_HUGEPAGE);
		break;
	case 2:
		madvise(target + 100 * PAGE, 8 * PAGE, MADV_DONTNEED);
		claim_and_check(8);
		break;
	case 3:
		mprotect(target + 7 * PAGE, PAGE, PROT_READ);
		mprotect(target, HUGE, PROT_READ | PROT_WRITE);
		break;
	default:
		fork_round();
	}
}

TEST(huge_pages_take_no_stores)
{
	target = huge_target();
	with_writers(512, huge_round);
}

/* A copy by the kernel on the program's behalf obeys too. */
static void *
reader_into(void *arg)
{
	int fd = open("/dev/zero", O_RDONLY);

	storm_pin(1);
	while (!stop)
		if (read(fd, target + (size_t)storm_below(12) * PAGE, 4 * PAGE) < 0)
			CHECK_EQ(errno, EFAULT);
	close(fd);
	return NULL;
}

TEST(unmapped_pages_take_no_stores_of_the_kernel)
{
	long long end = storm_end();
	pthread_t t;

	catch_faults();
	target = map_at(NULL, 16 * PAGE);
	t = storm_thread(reader_into, NULL);
	while (!storm_over(end))
		unmap_round();
	stop = true;
	pthread_join(t, NULL);
}

/* Several threads fork and write at once: each child sees one moment of each page. */
static void *
forker(void *arg)
{
	while (!stop) {
		pid_t pid = fork();
		int status;

		if (pid < 0)
			continue;
		if (pid == 0) {
			for (int n = 0; n < 50; n++)
				for (size_t i = 0; i < 16; i++) {
					uint64_t a = ((volatile uint64_t *)(pair_a + i * PAGE))[0];

					((volatile uint64_t *)(pair_a + i * PAGE))[0] = a + 1;
					if (((volatile uint64_t *)(pair_a + i * PAGE))[0] != a + 1)
						_exit(1);
				}
			_exit(0);
		}
		CHECK_EQ(waitpid(pid, &status, 0), pid);
		if (status != 0)
			FAIL("another wrote to a child's copy: %#x", (unsigned int)status);
	}
	return NULL;
}

static void *
counter(void *arg)
{
	uint64_t *word = (uint64_t *)(void *)(pair_a + 2048 + 8 * (long)arg);

	for (uint64_t n = 1; !stop; n++) {
		*(volatile uint64_t *)word = n;
		if (*(volatile uint64_t *)word != n)
			FAIL("a store was lost in a fork: %llu", (unsigned long long)n);
	}
	return NULL;
}

TEST(forks_at_once_lose_no_store)
{
	long long end = storm_end();
	pthread_t t[4];

	pair_a = map_at(NULL, 16 * PAGE);
	pair_b = pair_a;
	stop = false;
	for (long i = 0; i < 4; i++)
		t[i] = storm_thread(i < 2 ? forker : counter, (void *)i);
	while (!storm_over(end))
		check_sleep_ms(20);
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Everything at once to one address space; nothing asserted but that all live. */
static void *
shuffler(void *arg)
{
	while (!stop) {
		char *at = target + (size_t)storm_below(64) * PAGE;
		size_t n = ((size_t)storm_below(16) + 1) * PAGE;

		switch (storm_below(9)) {
		case 0:
			munmap(at, n);
			break;
		case 1:
		case 2:
			mmap(at, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
			break;
		case 3:
			mmap(at, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
			break;
		case 4:
			mprotect(at, n, storm_below(2) ? PROT_READ : PROT_READ | PROT_WRITE);
			break;
		case 5:
			madvise(at, n, storm_below(2) ? MADV_DONTNEED : 14 + storm_below(2));
			break;
		case 6:
			mremap(at, n, n, MREMAP_MAYMOVE | MREMAP_FIXED, target + (80 + (size_t)storm_below(32)) * PAGE);
			break;
		case 7: {
			pid_t pid = fork();

			if (pid == 0)
				_exit(0);
			if (pid > 0)
				waitpid(pid, NULL, 0);
			break;
		}
		default:
			if (sigsetjmp(out, 1) == 0) {
				trying = true;
				for (size_t i = 0; i < n; i += PAGE)
					*(volatile char *)(at + i) = 1;
			}
			trying = false;
		}
	}
	return NULL;
}

TEST(everything_at_once)
{
	long long end = storm_end();
	pthread_t t[4];

	catch_faults();
	file = CHECK_OK((int)syscall(SYS_memfd_create, "t", 0));
	CHECK_OK(ftruncate(file, 8 * (long)PAGE));
	target = map_at(NULL, 160 * PAGE);
	for (int i = 0; i < 4; i++)
		t[i] = storm_thread(shuffler, NULL);
	while (!storm_over(end))
		check_sleep_ms(20);
	stop = true;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}
