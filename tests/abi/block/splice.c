/* SPDX-License-Identifier: MIT */
/*
 * splice.c - a disk that is opened past the page cache, and memory that is not a program's buffer: pipes, files, pages
 * that were lent to a pipe.
 */
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "disk.h"

enum { PIECE = 65536, HUGE = 2 << 20 };

static unsigned char text[PIECE], back[PIECE];

static void
fill(unsigned char seed)
{
	for (int i = 0; i < PIECE; i++)
		text[i] = (unsigned char)(seed + i / 16);
}

static void
expect_at(const struct disk *d, long long at, size_t n)
{
	CHECK_EQ(CHECK_OK(pread(d->fd, back, n, at)), (ssize_t)n);
	CHECK_MEM(back, text, n);
}

TEST(a_disk_past_the_cache_is_spliced_into_a_pipe)
{
	struct disk d = disk_of(MIB);
	int direct, ends[2];

	fill(3);
	CHECK_EQ(pwrite(d.fd, text, PIECE, 4096), PIECE);
	direct = disk_open(&d, O_RDWR | O_DIRECT);
	CHECK_OK(pipe(ends));
	CHECK_EQ(lseek(direct, 4096, SEEK_SET), 4096);
	for (ssize_t n, got = 0; got < PIECE; got += n) {
		n = CHECK_OK(splice(direct, NULL, ends[1], NULL, (size_t)(PIECE - got), 0));
		CHECK(n > 0);
		for (ssize_t left = n; left > 0;)
			left -= CHECK_OK(read(ends[0], back + got + n - left, (size_t)left));
	}
	CHECK_MEM(back, text, PIECE);
}

TEST(a_file_is_sent_to_a_disk_past_the_cache)
{
	struct disk d = disk_of(MIB);
	int direct = disk_open(&d, O_RDWR | O_DIRECT), from;

	fill(9);
	check_write_file("f", (const char *)text, PIECE);
	from = CHECK_OK(open("f", O_RDONLY | O_CLOEXEC));
	for (ssize_t sent = 0; sent < PIECE;)
		sent += CHECK_OK(sendfile(direct, from, NULL, (size_t)(PIECE - sent)));
	expect_at(&d, 0, PIECE);
}

/* One page from within a huge one: it is the program's afterwards as before. */
TEST(lent_memory_is_spliced_to_a_disk_past_the_cache)
{
	struct disk d = disk_of(MIB);
	int direct = disk_open(&d, O_RDWR | O_DIRECT), ends[2];
	unsigned char *memory = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *huge = (unsigned char *)(((uintptr_t)memory + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	CHECK(memory != MAP_FAILED);
	(void)madvise(huge, HUGE, MADV_HUGEPAGE);
	memset(huge, 0x5a, HUGE);
	CHECK_OK(pipe(ends));
	for (unsigned i = 1; i <= 8; i++) {
		struct iovec v = { huge + i * 4096, 4096 };

		fill((unsigned char)(i * 7));
		memcpy(v.iov_base, text, 4096);
		CHECK_EQ(CHECK_OK(vmsplice(ends[1], &v, 1, 0)), 4096);
		CHECK_EQ(CHECK_OK(splice(ends[0], NULL, direct, NULL, 4096, 0)), 4096);
		expect_at(&d, (i - 1) * 4096ll, 4096);
	}
	for (int i = 9 * 4096; i < HUGE; i++)
		CHECK(huge[i] == 0x5a);
	CHECK_OK(munmap(memory, 2 * HUGE));
	CHECK_EQ(CHECK_OK(pread(direct, aligned(4096), 4096, 0)), 4096);
}

/* Memory of huge pages is written to a disk whose file is written past the cache, too. */
TEST(huge_memory_goes_past_two_caches)
{
	struct disk d = disk_flags(MIB, LO_FLAGS_DIRECT_IO, O_RDWR | O_DIRECT);
	unsigned char *memory = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *huge = (unsigned char *)(((uintptr_t)memory + HUGE - 1) & ~(uintptr_t)(HUGE - 1));

	CHECK(memory != MAP_FAILED);
	(void)madvise(huge, HUGE, MADV_HUGEPAGE);
	memset(huge, 0x21, HUGE);
	fill(1);
	memcpy(huge + 4096, text, PIECE);
	CHECK_EQ(CHECK_OK(pwrite(d.fd, huge + 4096, PIECE, 0)), PIECE);
	memset(huge + 4096, 0, PIECE);
	CHECK_EQ(CHECK_OK(pread(d.fd, huge + 4096, PIECE, 0)), PIECE);
	CHECK_MEM(huge + 4096, text, PIECE);
	CHECK_OK(munmap(memory, 2 * HUGE));
}
