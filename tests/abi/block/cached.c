/* SPDX-License-Identifier: MIT */
/*
 * cached.c - a disk through the page cache: what is written is read, and reaches the disk when it has to.
 */
#include <sys/mman.h>

#include "disk.h"

/* The file behind the disk, too. */
static struct disk
disk_and_file(long long size, int *file)
{
	struct loop_config c = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };

	*file = backing_file(size);
	c.fd = (unsigned int)*file;
	return disk_configure(&c, O_RDWR);
}

TEST(any_bytes_can_be_written_and_read)
{
	struct disk d = disk_of(MIB);
	unsigned char buf[10000], back[10000];

	for (int i = 0; i < 10000; i++)
		buf[i] = (unsigned char)(i * 3);
	CHECK_EQ(pwrite(d.fd, buf, 10000, 12345), 10000);
	CHECK_EQ(pread(d.fd, back, 10000, 12345), 10000);
	CHECK_MEM(back, buf, 10000);
	CHECK_EQ(pread(d.fd, back, 1, 12344), 1);
	CHECK_EQ(back[0], 0);
	CHECK_EQ(pwrite(d.fd, buf, 10, MIB - 5), 5);
	CHECK_EQ(pread(d.fd, back, 10, MIB - 5), 5);
	CHECK_MEM(back, buf, 5);
}

TEST(fsync_brings_it_to_the_disk)
{
	int file;
	struct disk d = disk_and_file(MIB, &file);
	char back[16] = "";

	CHECK_EQ(pwrite(d.fd, "on the disk", 11, 70000), 11);
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(pread(file, back, 11, 70000), 11);
	CHECK_STR(back, "on the disk");
	CHECK_EQ(pwrite(d.fd, "again", 5, 70000), 5);
	CHECK_OK(fdatasync(d.fd));
	CHECK_EQ(pread(file, back, 5, 70000), 5);
	CHECK(memcmp(back, "again", 5) == 0);
}

TEST(synchronous_writes_need_no_fsync)
{
	int file, fd;
	struct disk d = disk_and_file(MIB, &file);
	char back[16] = "";

	fd = disk_open(&d, O_RDWR | O_DSYNC);
	CHECK_EQ(pwrite(fd, "at once", 7, 5000), 7);
	CHECK_EQ(pread(file, back, 7, 5000), 7);
	CHECK_STR(back, "at once");
}

TEST(the_last_close_brings_it_to_the_disk)
{
	struct loop_config c = { 0 };
	int file = backing_file(MIB), again;
	struct disk d;
	char back[16] = "";

	c.fd = (unsigned int)file;
	d = disk_configure(&c, O_RDWR);
	CHECK_EQ(pwrite(d.fd, "kept", 4, 4000), 4);
	close(d.fd);
	CHECK_EQ(pread(file, back, 4, 4000), 4);
	CHECK_STR(back, "kept");
	again = disk_open(&d, O_RDWR);
	CHECK_EQ(pread(again, back, 4, 4000), 4);
	CHECK_STR(back, "kept");
	CHECK_OK(ioctl(again, LOOP_CLR_FD));
}

TEST(direct_reads_see_what_was_written_cached)
{
	struct disk d = disk_of(MIB);
	int direct = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(8192);
	char back[16] = "";

	CHECK_EQ(pwrite(d.fd, "cached", 6, 8192), 6);
	CHECK_EQ(pread(direct, buf, 8192, 8192), 8192);
	CHECK(memcmp(buf, "cached", 6) == 0);
	memcpy(buf, "direct", 6);
	CHECK_EQ(pwrite(direct, buf, 8192, 8192), 8192);
	CHECK_EQ(pread(d.fd, back, 6, 8192), 6);
	CHECK_STR(back, "direct");
}

TEST(mapping_and_reading_are_one)
{
	int file;
	struct disk d = disk_and_file(MIB, &file);
	unsigned char *map = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 4096);
	char back[16] = "";

	CHECK(map != MAP_FAILED);
	CHECK_EQ(pwrite(d.fd, "read", 4, 4096 + 100), 4);
	CHECK(memcmp(map + 100, "read", 4) == 0);
	memcpy(map + 20000, "mapped", 6);
	CHECK_EQ(pread(d.fd, back, 6, 4096 + 20000), 6);
	CHECK_STR(back, "mapped");
	CHECK_OK(msync(map, 65536, MS_SYNC));
	memset(back, 0, sizeof(back));
	CHECK_EQ(pread(file, back, 6, 4096 + 20000), 6);
	CHECK_STR(back, "mapped");
	memcpy(map + 20000, "second", 6); /* a clean page is written again */
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(pread(file, back, 6, 4096 + 20000), 6);
	CHECK_STR(back, "second");
}

TEST(mapping_beyond_the_end_is_a_bus_error)
{
	struct disk d = disk_of(65536);
	volatile unsigned char *map = mmap(NULL, 131072, PROT_READ, MAP_SHARED, d.fd, 0);
	pid_t pid;

	CHECK(map != MAP_FAILED);
	CHECK_EQ(map[65535], 0);
	pid = check_fork();
	if (pid == 0)
		_exit(map[65536]);
	CHECK_KILLED(pid, SIGBUS);
}

TEST(a_disk_may_end_inside_a_page)
{
	int file;
	struct disk d = disk_and_file(4096 + 1536, &file);
	unsigned char buf[8192], back[8192];

	memset(buf, 0x6b, sizeof(buf));
	CHECK_EQ(pwrite(d.fd, buf, 8192, 0), 5632);
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(pread(file, back, 8192, 0), 5632);
	CHECK_MEM(back, buf, 5632);
	CHECK_EQ(pread(d.fd, back, 8192, 4096), 1536);
	CHECK_MEM(back, buf, 1536);
}

TEST(discard_forgets_what_is_cached)
{
	struct disk d = disk_of(MIB);
	unsigned char buf[8192], zeroes[8192] = { 0 };
	uint64_t range[2] = { 0, 8192 };

	memset(buf, 1, sizeof(buf));
	CHECK_EQ(pwrite(d.fd, buf, 8192, 0), 8192);
	CHECK_OK(ioctl(d.fd, BLKZEROOUT, range));
	CHECK_EQ(pread(d.fd, buf, 8192, 0), 8192);
	CHECK_MEM(buf, zeroes, 8192);
}

TEST(blkflsbuf_writes_and_forgets)
{
	int file;
	struct disk d = disk_and_file(MIB, &file);
	char back[16] = "";

	CHECK_EQ(pwrite(d.fd, "flushed", 7, 0), 7);
	CHECK_OK(ioctl(d.fd, BLKFLSBUF, 0));
	CHECK_EQ(pread(file, back, 7, 0), 7);
	CHECK_STR(back, "flushed");
	CHECK_EQ(pwrite(file, "changed", 7, 0), 7); /* behind its back */
	CHECK_EQ(pread(d.fd, back, 7, 0), 7);
	CHECK_STR(back, "changed");
}

TEST(much_goes_through_in_order)
{
	TIMEOUT(60);
	struct disk d = disk_of(16 * MIB);
	unsigned int *buf = malloc(65536);
	long long at;

	for (at = 0; at < 16 * MIB; at += 65536) {
		for (unsigned int i = 0; i < 16384; i++)
			buf[i] = (unsigned int)at + i;
		CHECK_EQ(pwrite(d.fd, buf, 65536, at), 65536);
	}
	CHECK_OK(fsync(d.fd));
	CHECK_OK(ioctl(d.fd, BLKFLSBUF, 0));
	for (at = 0; at < 16 * MIB; at += 65536) {
		CHECK_EQ(pread(d.fd, buf, 65536, at), 65536);
		for (unsigned int i = 0; i < 16384; i++)
			if (buf[i] != (unsigned int)at + i)
				FAIL("word %u at %lld is %u", i, at, buf[i]);
	}
}

/* What is beside a range that changes below the page cache, in the same pages, was written and is not on the disk. */
static void
neighbours(int how)
{
	struct disk d = disk_of(MIB);
	int direct = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(16384), *back = aligned(16384);
	uint64_t range[2] = { 512, 12288 - 1024 };

	memset(buf, 'o', 16384);
	CHECK_EQ(pwrite(d.fd, buf, 16384, 0), 16384);
	CHECK_OK(fsync(d.fd));
	memset(buf, 'n', 16384);
	CHECK_EQ(pwrite(d.fd, buf, 16384, 0), 16384);
	if (how == 0)
		CHECK_OK(ioctl(d.fd, BLKZEROOUT, range));
	else if (how == 1)
		CHECK_OK(ioctl(d.fd, BLKDISCARD, range));
	else
		CHECK_OK(fallocate(d.fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)range[0], (off_t)range[1]));
	memset(buf + range[0], 0, range[1]);
	CHECK_EQ(pread(d.fd, back, 16384, 0), 16384);
	CHECK_MEM(back, buf, 16384);
	CHECK_OK(fsync(d.fd));
	CHECK_EQ(pread(direct, back, 16384, 0), 16384);
	CHECK_MEM(back, buf, 16384);
}

TEST(zeroing_keeps_what_was_written_beside) { neighbours(0); }
TEST(discarding_keeps_what_was_written_beside) { neighbours(1); }
TEST(allocating_zeroes_keeps_what_was_written_beside) { neighbours(2); }

/* More than is written at once, left behind by one who is killed: the device lets go of its file after that. */
TEST(who_is_killed_leaves_what_he_wrote)
{
	enum { SIZE = 24 * MIB };
	unsigned char *buf = aligned(MIB), *back = aligned(MIB);
	int backing, ready[2], state;
	struct disk d = disk_and_file(SIZE, &backing);
	char byte;
	pid_t pid;

	memset(buf, 'k', MIB);
	CHECK_OK(pipe(ready));
	pid = CHECK_OK(fork());
	if (pid == 0) {
		for (int i = 0; i < SIZE / MIB; i++)
			CHECK_EQ(pwrite(d.fd, buf, MIB, i * MIB), MIB);
		CHECK_EQ(write(ready[1], "", 1), 1);
		pause();
	}
	close(d.fd);
	close(ready[1]);
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_EQ(waitpid(pid, &state, 0), pid);
	for (int i = 0; i < SIZE / MIB; i++) {
		CHECK_EQ(pread(backing, back, MIB, i * MIB), MIB);
		CHECK_MEM(back, buf, MIB);
	}
}
