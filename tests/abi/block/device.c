/* SPDX-License-Identifier: MIT */
/*
 * device.c - an open block device: its size, its ends, who may have it, what its commands say.
 */
#include <linux/hdreg.h>
#include <sys/mman.h>

#include "disk.h"

/* BLKGETDISKSEQ, which Debian's <linux/fs.h> has and <sys/mount.h> has not. */
#define GET_DISK_SEQUENCE _IOR(0x12, 128, uint64_t)

TEST(stat_says_block_device_and_number)
{
	struct disk d = disk_of(MIB);
	struct stat st;

	CHECK_OK(fstat(d.fd, &st));
	CHECK(S_ISBLK(st.st_mode));
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(st.st_blocks, 0);
	CHECK_EQ(st.st_blksize, 4096);
	CHECK_EQ(major(st.st_rdev), 7);
	CHECK_EQ(minor(st.st_rdev), d.number);
}

TEST(seek_stays_on_the_device)
{
	struct disk d = disk_of(MIB);

	CHECK_EQ(lseek(d.fd, 0, SEEK_END), MIB);
	CHECK_EQ(lseek(d.fd, -512, SEEK_END), MIB - 512);
	CHECK_EQ(lseek(d.fd, 512, SEEK_CUR), MIB);
	CHECK_ERRNO(lseek(d.fd, 1, SEEK_CUR), EINVAL);
	CHECK_ERRNO(lseek(d.fd, MIB + 1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(d.fd, -1, SEEK_SET), EINVAL);
	CHECK_ERRNO(lseek(d.fd, 100, SEEK_DATA), EINVAL);
	CHECK_ERRNO(lseek(d.fd, 100, SEEK_HOLE), EINVAL);
}

TEST(reads_end_at_the_end_and_writes_have_no_space_there)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(8192);

	CHECK_EQ(pread(fd, buf, 8192, MIB), 0);
	CHECK_EQ(pread(fd, buf, 8192, MIB - 4096), 4096);
	CHECK_EQ(pwrite(fd, buf, 8192, MIB - 4096), 4096);
	CHECK_ERRNO(pwrite(fd, buf, 512, MIB), ENOSPC);
	CHECK_ERRNO(pwrite(d.fd, buf, 1, MIB), ENOSPC);
	CHECK_EQ(pread(d.fd, buf, 1, MIB), 0);
	CHECK_EQ(pwrite(d.fd, buf, 0, MIB), 0);
}

TEST(direct_transfers_want_alignment)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(8192);
	struct { void *base; size_t length; } v[2] = { { buf, 512 }, { buf + 4096, 512 } };

	CHECK_ERRNO(pread(fd, buf, 512, 1), EINVAL);
	CHECK_ERRNO(pread(fd, buf, 100, 0), EINVAL);
	CHECK_ERRNO(pread(fd, buf + 1, 512, 0), EINVAL);
	CHECK_ERRNO(pwrite(fd, buf, 511, 0), EINVAL);
	CHECK_EQ(pread(fd, buf + 512, 512, 512), 512);
	CHECK_EQ(syscall(SYS_preadv, fd, v, 2, 0, 0), 1024);
	v[1].length = 100;
	CHECK_ERRNO(syscall(SYS_preadv, fd, v, 2, 0, 0), EINVAL);
	CHECK_ERRNO(pread(fd, (void *)4096, 512, 0), EFAULT);
}

TEST(direct_data_comes_back)
{
	struct disk d = disk_of(8 * MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	size_t size = 3 * MIB + 512;
	unsigned char *buf = aligned(size), *back = aligned(size);

	for (size_t i = 0; i < size; i++)
		buf[i] = (unsigned char)(i * 7 + (i >> 9));
	CHECK_EQ(pwrite(fd, buf, size, 512 * 3), size);
	CHECK_OK(fsync(fd));
	CHECK_EQ(pread(fd, back, size, 512 * 3), size);
	CHECK_MEM(back, buf, size);
	CHECK_EQ(pread(fd, back, 512, 0), 512);
	CHECK_EQ(back[100], 0);
}

TEST(direct_vectors_land_where_they_should)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(65536), *back = aligned(65536);
	struct { void *base; size_t length; } v[8];

	for (int i = 0; i < 65536; i++)
		buf[i] = (unsigned char)(i >> 9);
	for (int i = 0; i < 8; i++) { /* from the last piece to the first, of different lengths */
		v[i].base = buf + (7 - i) * 8192;
		v[i].length = 512u * (unsigned int)(i + 1);
	}
	CHECK_EQ(syscall(SYS_pwritev, fd, v, 8, 4096, 0), 512 * 36);
	CHECK_EQ(pread(fd, back, 512 * 36, 4096), 512 * 36);
	for (int i = 0, at = 0; i < 8; at += 512 * ++i)
		CHECK_MEM(back + at, buf + (7 - i) * 8192, 512u * (unsigned int)(i + 1));
}

TEST(sizes_and_limits_are_told)
{
	struct disk d = disk_of(3 * MIB);
	unsigned long sectors;
	unsigned int u = 77;
	unsigned short s = 77;
	uint64_t size, sequence;
	int i = 77;

	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, 3 * MIB);
	CHECK_OK(ioctl(d.fd, BLKGETSIZE, &sectors));
	CHECK_EQ(sectors, 3 * MIB / 512);
	CHECK_OK(ioctl(d.fd, BLKSSZGET, &i));
	CHECK_EQ(i, 512);
	CHECK_OK(ioctl(d.fd, BLKPBSZGET, &u));
	CHECK_EQ(u, 512);
	CHECK_OK(ioctl(d.fd, BLKIOMIN, &u));
	CHECK_EQ(u, 512);
	CHECK_OK(ioctl(d.fd, BLKIOOPT, &u));
	CHECK_EQ(u, 0);
	CHECK_OK(ioctl(d.fd, BLKALIGNOFF, &i));
	CHECK_EQ(i, 0);
	CHECK_OK(ioctl(d.fd, BLKDISCARDZEROES, &u));
	CHECK_EQ(u, 0);
	CHECK_OK(ioctl(d.fd, BLKROTATIONAL, &s));
	CHECK_EQ(s, 0);
	CHECK_OK(ioctl(d.fd, BLKSECTGET, &s));
	CHECK(s >= 8);
	CHECK_OK(ioctl(d.fd, BLKBSZGET, &i));
	CHECK_EQ(i, 4096);
	CHECK_OK(ioctl(d.fd, GET_DISK_SEQUENCE, &sequence));
	CHECK(sequence > 0);
	CHECK_ERRNO(ioctl(d.fd, HDIO_GETGEO, &size), ENOTTY);
	CHECK_ERRNO(ioctl(d.fd, BLKGETSIZE64, NULL), EFAULT);
}

TEST(read_only_can_be_set)
{
	struct disk d = disk_of(MIB);
	unsigned char *buf = aligned(4096);
	int on = 1, got;

	CHECK_OK(ioctl(d.fd, BLKROGET, &got));
	CHECK_EQ(got, 0);
	CHECK_OK(ioctl(d.fd, BLKROSET, &on));
	CHECK_OK(ioctl(d.fd, BLKROGET, &got));
	CHECK_EQ(got, 1);
	CHECK_ERRNO(pwrite(d.fd, buf, 512, 0), EPERM);
	CHECK_ERRNO(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, 0), EINVAL);
	on = 0;
	CHECK_OK(ioctl(d.fd, BLKROSET, &on));
	CHECK_EQ(pwrite(d.fd, buf, 512, 0), 512);
}

TEST(readahead_is_counted_in_sectors)
{
	struct disk d = disk_of(MIB);
	long got;

	CHECK_OK(ioctl(d.fd, BLKRAGET, &got));
	CHECK_EQ(got, 256);
	CHECK_OK(ioctl(d.fd, BLKRASET, 64ul));
	CHECK_OK(ioctl(d.fd, BLKRAGET, &got));
	CHECK_EQ(got, 64);
	CHECK_OK(ioctl(d.fd, BLKFRAGET, &got));
	CHECK_EQ(got, 64);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "read_ahead_kb", d.path + 9), 32);
	CHECK_EQ(number_in("/sys/class/bdi/7:%2$s/%1$s", "read_ahead_kb", d.path + 9), 32);
	CHECK_EQ(number_in("/sys/block/loop%2$s/bdi/%1$s", "read_ahead_kb", d.path + 9), 32);
	CHECK_ERRNO(ioctl(d.fd, BLKRAGET, NULL), EINVAL);
}

TEST(what_changes_a_disk_is_the_administrators)
{
	struct disk d = disk_of(MIB);
	int on = 1;

	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_ERRNO(ioctl(d.fd, BLKROSET, &on), EACCES);
	CHECK_ERRNO(ioctl(d.fd, BLKRASET, 1ul), EACCES);
	CHECK_ERRNO(ioctl(d.fd, BLKFLSBUF, 0), EACCES);
	CHECK_ERRNO(ioctl(d.fd, BLKRRPART, 0), EACCES);
	CHECK_ERRNO(ioctl(d.fd, BLKBSZSET, &on), EACCES);
}

TEST(block_size_is_a_power_of_two_that_fits)
{
	struct disk d = disk_of(MIB);
	int size = 1024;

	CHECK_OK(ioctl(d.fd, BLKBSZSET, &size));
	CHECK_OK(ioctl(d.fd, BLKBSZGET, &size));
	CHECK_EQ(size, 1024);
	size = 1000;
	CHECK_ERRNO(ioctl(d.fd, BLKBSZSET, &size), EINVAL);
	size = 256;
	CHECK_ERRNO(ioctl(d.fd, BLKBSZSET, &size), EINVAL);
	size = 8192;
	CHECK_ERRNO(ioctl(d.fd, BLKBSZSET, &size), EINVAL);
	CHECK_ERRNO(ioctl(d.fd, BLKBSZSET, NULL), EINVAL);
}

TEST(exclusive_opens_exclude_each_other)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDONLY | O_EXCL), other;

	CHECK_ERRNO(open(d.path, O_RDONLY | O_EXCL), EBUSY);
	other = disk_open(&d, O_RDWR); /* who does not ask is let in */
	close(other);
	close(fd);
	fd = disk_open(&d, O_RDWR | O_EXCL);
	close(fd);
}

TEST(discarded_and_zeroed_ranges_read_as_zeroes)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT), reader;
	unsigned char *buf = aligned(65536), zeroes[4096] = { 0 };
	uint64_t range[2] = { 8192, 8192 };

	memset(buf, 0xee, 65536);
	CHECK_EQ(pwrite(fd, buf, 65536, 0), 65536);
	CHECK_OK(ioctl(fd, BLKDISCARD, range));
	CHECK_EQ(pread(fd, buf, 16384, 4096), 16384);
	CHECK_EQ(buf[4095], 0xee);
	CHECK_MEM(buf + 4096, zeroes, 4096);
	CHECK_MEM(buf + 8192, zeroes, 4096);
	CHECK_EQ(buf[12288], 0xee);
	range[0] = 32768 + 512;
	range[1] = 1024;
	CHECK_OK(ioctl(fd, BLKZEROOUT, range));
	CHECK_EQ(pread(fd, buf, 4096, 32768), 4096);
	CHECK_EQ(buf[511], 0xee);
	CHECK_MEM(buf + 512, zeroes, 1024);
	CHECK_EQ(buf[512 + 1024], 0xee);
	range[0] = 100;
	CHECK_ERRNO(ioctl(fd, BLKDISCARD, range), EINVAL);
	CHECK_ERRNO(ioctl(fd, BLKZEROOUT, range), EINVAL);
	range[0] = MIB - 512;
	CHECK_ERRNO(ioctl(fd, BLKDISCARD, range), EINVAL);
	CHECK_ERRNO(ioctl(fd, BLKZEROOUT, range), EINVAL);
	CHECK_ERRNO(ioctl(fd, BLKDISCARD, NULL), EFAULT);
	CHECK_ERRNO(ioctl(fd, BLKSECDISCARD, range), EOPNOTSUPP);
	reader = disk_open(&d, O_RDONLY);
	CHECK_ERRNO(ioctl(reader, BLKDISCARD, range), EBADF);
	CHECK_ERRNO(ioctl(reader, BLKZEROOUT, range), EBADF);
}

TEST(fallocate_punches_and_zeroes)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT);
	unsigned char *buf = aligned(16384), zeroes[4096] = { 0 };

	memset(buf, 0xee, 16384);
	CHECK_EQ(pwrite(fd, buf, 16384, 0), 16384);
	CHECK_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096));
	CHECK_OK(fallocate(fd, FALLOC_FL_ZERO_RANGE, 12288, 512));
	CHECK_EQ(pread(fd, buf, 16384, 0), 16384);
	CHECK_MEM(buf + 4096, zeroes, 4096);
	CHECK_EQ(buf[8192], 0xee);
	CHECK_MEM(buf + 12288, zeroes, 512);
	CHECK_EQ(buf[12288 + 512], 0xee);
	CHECK_ERRNO(fallocate(fd, 0, 0, 4096), EOPNOTSUPP);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, 512), EINVAL);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_ZERO_RANGE, MIB, 512), EINVAL);
	CHECK_ERRNO(fallocate(fd, FALLOC_FL_ZERO_RANGE, MIB - 512, 4096), EINVAL);
	CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
}

TEST(sysfs_describes_disk_and_queue)
{
	struct disk d = disk_of(2 * MIB);
	const char *n = d.path + 9;
	char path[64], target[256];
	ssize_t length;

	CHECK_EQ(number_in("/sys/block/loop%2$s/%1$s", "size", n), 2 * MIB / 512);
	CHECK_EQ(number_in("/sys/class/block/loop%2$s/%1$s", "ro", n), 0);
	CHECK_EQ(number_in("/sys/dev/block/7:%2$s/%1$s", "removable", n), 0);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "logical_block_size", n), 512);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "hw_sector_size", n), 512);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "minimum_io_size", n), 512);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "rotational", n), 0);
	CHECK_EQ(number_in("/sys/block/loop%2$s/queue/%1$s", "nr_zones", n), 0);
	snprintf(path, sizeof(path), "/sys/block/%s", d.path + 5);
	length = CHECK_OK(readlink(path, target, sizeof(target) - 1));
	target[length] = '\0';
	CHECK(strstr(target, "devices/virtual/block/loop") != NULL);
}

TEST(uevent_names_the_device)
{
	struct disk d = disk_of(MIB);
	char path[64], text[512] = "", line[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/block/%s/uevent", d.path + 5);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "MAJOR=7\n") != NULL);
	snprintf(line, sizeof(line), "DEVNAME=%s\n", d.path + 5);
	CHECK(strstr(text, line) != NULL);
	CHECK(strstr(text, "DEVTYPE=disk\n") != NULL);
	fd = CHECK_OK(open(path, O_WRONLY));
	CHECK_EQ(write(fd, "change", 6), 6);
}

/* The first seven numbers of a disk's stat. */
static void
read_stat(int fd, unsigned long n[7])
{
	char text[512] = "";

	CHECK(pread(fd, text, sizeof(text) - 1, 0) > 0);
	CHECK_EQ(sscanf(text, "%lu %lu %lu %lu %lu %lu %lu", &n[0], &n[1], &n[2], &n[3], &n[4], &n[5], &n[6]), 7);
}

/* Linux counts a request after it has woken who waits for it: the case's time limit is the wait's. */
TEST(transfers_are_counted)
{
	struct disk d = disk_of(MIB);
	int fd = disk_open(&d, O_RDWR | O_DIRECT), stat_fd;
	unsigned char *buf = aligned(8192);
	unsigned long before[7], after[7];
	char path[64];

	snprintf(path, sizeof(path), "/sys/block/%s/stat", d.path + 5);
	stat_fd = CHECK_OK(open(path, O_RDONLY));
	read_stat(stat_fd, before);
	CHECK_EQ(pread(fd, buf, 8192, 0), 8192);
	CHECK_EQ(pwrite(fd, buf, 4096, 0), 4096);
	do
		read_stat(stat_fd, after);
	while (after[0] == before[0] || after[4] == before[4]);
	CHECK_EQ(after[0] - before[0], 1);
	CHECK_EQ(after[2] - before[2], 16);
	CHECK_EQ(after[4] - before[4], 1);
	CHECK_EQ(after[6] - before[6], 8);
}

TEST(proc_lists_the_disk)
{
	struct disk d = disk_of(MIB);
	char text[16384], name[40];
	int fd = CHECK_OK(open("/proc/partitions", O_RDONLY));
	ssize_t n = CHECK_OK(read(fd, text, sizeof(text) - 1));

	text[n] = '\0';
	snprintf(name, sizeof(name), " %s\n", d.path + 5);
	CHECK(strstr(text, name) != NULL);
	CHECK(strncmp(text, "major minor  #blocks  name\n\n", 28) == 0);
	fd = CHECK_OK(open("/proc/diskstats", O_RDONLY));
	n = CHECK_OK(read(fd, text, sizeof(text) - 1));
	text[n] = '\0';
	snprintf(name, sizeof(name), " %s ", d.path + 5);
	CHECK(strstr(text, name) != NULL);
}
