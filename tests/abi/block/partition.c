/* SPDX-License-Identifier: MIT */
/*
 * partition.c - partitions: tables that are read, good ones and bad ones, and those that programs make.
 */
#include "disk.h"

static void
put(unsigned char *p, unsigned long long v, int bytes)
{
	while (bytes--) {
		*p++ = (unsigned char)v;
		v >>= 8;
	}
}

static unsigned int
crc(const unsigned char *p, size_t n)
{
	unsigned int c = ~0u;

	while (n--) {
		c ^= *p++;
		for (int i = 0; i < 8; i++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0);
	}
	return ~c;
}

static void
mbr_entry(unsigned char *sector, int i, int type, unsigned int start, unsigned int length)
{
	unsigned char *e = sector + 0x1be + i * 16;

	e[4] = (unsigned char)type;
	put(e + 8, start, 4);
	put(e + 12, length, 4);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

/* A disk of a MiB whose first bytes are `image`, its table looked for. */
static struct disk
disk_with(const void *image, size_t size)
{
	struct loop_config c = { .info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_PARTSCAN };
	struct disk d;

	c.fd = (unsigned int)backing_file(MIB);
	CHECK_EQ(pwrite((int)c.fd, image, size, 0), size);
	d = disk_configure(&c, O_RDWR);
	close((int)c.fd);
	return d;
}

/* In sectors; -1: there is no such partition. */
static long long
part(const struct disk *d, int number, const char *what)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/loop%d/loop%dp%d/", d->number, d->number, number);
	strcat(path, "%2$s%1$s");
	return number_in(path, what, "");
}

TEST(mbr_partitions_appear_where_it_says)
{
	unsigned char s[512] = { 0 }, *buf = aligned(512);
	char path[40];
	struct disk d;
	struct stat st;
	uint64_t size;
	int fd, whole;

	mbr_entry(s, 0, 0x83, 64, 128);
	mbr_entry(s, 2, 0x82, 256, 1000);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 1, "start"), 64);
	CHECK_EQ(part(&d, 1, "size"), 128);
	CHECK_EQ(part(&d, 1, "partition"), 1);
	CHECK_EQ(part(&d, 2, "start"), -1);
	CHECK_EQ(part(&d, 3, "start"), 256);
	CHECK_EQ(part(&d, 3, "size"), 1000);
	snprintf(path, sizeof(path), "%sp1", d.path);
	CHECK_OK(stat(path, &st));
	CHECK_EQ(major(st.st_rdev), 259);
	fd = CHECK_OK(open(path, O_RDWR | O_DIRECT));
	CHECK_OK(ioctl(fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, 128 * 512);
	memset(buf, 0x42, 512);
	CHECK_EQ(pwrite(fd, buf, 512, 512), 512);
	CHECK_ERRNO(pwrite(fd, buf, 512, 128 * 512), ENOSPC);
	memset(buf, 0, 512);
	whole = disk_open(&d, O_RDONLY | O_DIRECT);
	CHECK_EQ(pread(whole, buf, 512, 65 * 512), 512);
	CHECK_EQ(buf[511], 0x42);
}

TEST(logical_partitions_are_chained)
{
	unsigned char s[512 * 301] = { 0 };
	struct disk d;

	mbr_entry(s, 0, 0x83, 10, 50);
	mbr_entry(s, 1, 0x05, 100, 1000);
	mbr_entry(s + 512 * 100, 0, 0x83, 8, 60);
	mbr_entry(s + 512 * 100, 1, 0x05, 200, 300);
	mbr_entry(s + 512 * 300, 0, 0x83, 4, 20);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 1, "start"), 10);
	CHECK_EQ(part(&d, 2, "start"), 100);
	CHECK_EQ(part(&d, 2, "size"), 2);
	CHECK_EQ(part(&d, 5, "start"), 108);
	CHECK_EQ(part(&d, 5, "size"), 60);
	CHECK_EQ(part(&d, 6, "start"), 304);
	CHECK_EQ(part(&d, 6, "size"), 20);
	CHECK_EQ(part(&d, 7, "size"), -1);
}

TEST(a_chain_that_bites_its_tail_ends)
{
	unsigned char s[512 * 101] = { 0 };
	struct disk d;

	mbr_entry(s, 0, 0x05, 100, 1000);
	mbr_entry(s + 512 * 100, 0, 0x83, 8, 60);
	mbr_entry(s + 512 * 100, 1, 0x05, 0, 1000);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 5, "start"), 108);
}

TEST(what_a_table_promises_beyond_the_disk_is_cut)
{
	unsigned char s[512] = { 0 };
	struct disk d;

	mbr_entry(s, 0, 0x83, 1000, 0xffffffffu);
	mbr_entry(s, 1, 0x83, 5000, 100);
	mbr_entry(s, 2, 0x83, 10, 0);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 1, "start"), 1000);
	CHECK_EQ(part(&d, 1, "size"), 1048);
	CHECK_EQ(part(&d, 2, "size"), -1);
	CHECK_EQ(part(&d, 3, "size"), -1);
}

TEST(rubbish_is_no_table)
{
	unsigned char s[512];
	struct disk d;

	memset(s, 0xcc, sizeof(s));
	s[510] = 0x55;
	s[511] = 0xaa;
	d = disk_with(s, sizeof(s));
	for (int i = 1; i < 8; i++)
		CHECK_EQ(part(&d, i, "size"), -1);
}

/* A GPT with two partitions, as it lies at the start of a disk of a MiB. */
static void
make_gpt(unsigned char *s)
{
	unsigned char *h = s + 512, *table = s + 1024;

	memset(s, 0, 512 * 34);
	mbr_entry(s, 0, 0xee, 1, 2047);
	for (int i = 0; i < 2; i++) {
		unsigned char *e = table + i * 128;

		memset(e, 0x11 * (i + 1), 16);
		memset(e + 16, 0x77, 16);
		put(e + 32, 40 + i * 100, 8);
		put(e + 40, 40 + i * 100 + 49, 8);
		put(e + 56, 'n', 2);
		put(e + 58, 'a' + i, 2);
	}
	memcpy(h, "EFI PART", 8);
	put(h + 8, 0x10000, 4);
	put(h + 12, 92, 4);
	put(h + 24, 1, 8);
	put(h + 32, 2047, 8);
	put(h + 40, 34, 8);
	put(h + 48, 2014, 8);
	put(h + 72, 2, 8);
	put(h + 80, 128, 4);
	put(h + 84, 128, 4);
	put(h + 88, crc(table, 128 * 128), 4);
	put(h + 16, 0, 4);
	put(h + 16, crc(h, 92), 4);
}

TEST(gpt_partitions_appear_where_it_says)
{
	unsigned char s[512 * 34];
	char path[96], text[512] = "";
	struct disk d;
	int fd;

	make_gpt(s);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 1, "start"), 40);
	CHECK_EQ(part(&d, 1, "size"), 50);
	CHECK_EQ(part(&d, 2, "start"), 140);
	CHECK_EQ(part(&d, 2, "size"), 50);
	CHECK_EQ(part(&d, 3, "size"), -1);
	snprintf(path, sizeof(path), "/sys/block/loop%d/loop%dp2/uevent", d.number, d.number);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "DEVTYPE=partition\n") != NULL);
	CHECK(strstr(text, "PARTN=2\n") != NULL);
	CHECK(strstr(text, "PARTNAME=nb\n") != NULL);
}

static void
expect_no_gpt(const unsigned char *s)
{
	struct disk d = disk_with(s, 512 * 34);

	CHECK_EQ(part(&d, 1, "size"), -1);
	CHECK_EQ(part(&d, 2, "size"), -1);
	close(d.fd);
}

TEST(a_damaged_gpt_gives_no_partitions)
{
	unsigned char s[512 * 34];

	make_gpt(s);
	s[1024 + 32]++; /* the table's checksum */
	expect_no_gpt(s);
	make_gpt(s);
	s[512 + 40]++; /* the header's */
	expect_no_gpt(s);
	make_gpt(s);
	s[510] = 0; /* nothing protects it */
	expect_no_gpt(s);
	make_gpt(s);
	put(s + 512 + 12, 4096, 4); /* a header longer than its block */
	expect_no_gpt(s);
	make_gpt(s);
	put(s + 512 + 80, 0xffffffff, 4); /* more entries than there is room for */
	put(s + 512 + 16, 0, 4);
	put(s + 512 + 16, crc(s + 512, 92), 4);
	expect_no_gpt(s);
}

TEST(gpt_entries_outside_of_the_disk_are_left_out)
{
	unsigned char s[512 * 34];
	struct disk d;

	make_gpt(s);
	put(s + 1024 + 32, 1ull << 60, 8);
	put(s + 1024 + 40, (1ull << 60) + 100, 8);
	put(s + 512 + 88, crc(s + 1024, 128 * 128), 4);
	put(s + 512 + 16, 0, 4);
	put(s + 512 + 16, crc(s + 512, 92), 4);
	d = disk_with(s, sizeof(s));
	CHECK_EQ(part(&d, 1, "size"), -1);
	CHECK_EQ(part(&d, 2, "size"), 50);
}

TEST(blkrrpart_reads_the_table_again)
{
	unsigned char s[512] = { 0 }, *buf = aligned(512);
	struct disk d;
	int direct, inside;
	char path[40];

	mbr_entry(s, 0, 0x83, 64, 128);
	d = disk_with(s, sizeof(s));
	direct = disk_open(&d, O_RDWR | O_DIRECT);
	mbr_entry(s, 0, 0x83, 65, 200);
	memcpy(buf, s, 512);
	CHECK_EQ(pwrite(direct, buf, 512, 0), 512);
	snprintf(path, sizeof(path), "%sp1", d.path);
	inside = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERRNO(ioctl(d.fd, BLKRRPART, 0), EBUSY);
	CHECK_ERRNO(ioctl(inside, BLKRRPART, 0), EINVAL);
	close(inside);
	CHECK_OK(ioctl(d.fd, BLKRRPART, 0));
	CHECK_EQ(part(&d, 1, "start"), 65);
	CHECK_EQ(part(&d, 1, "size"), 200);
}

TEST(without_partscan_nobody_looks)
{
	struct disk d = disk_of(MIB);

	CHECK_ERRNO(ioctl(d.fd, BLKRRPART, 0), EINVAL);
}

static int
blkpg(int fd, int op, int number, long long start, long long length)
{
	struct blkpg_partition p = { .start = start, .length = length, .pno = number };
	struct blkpg_ioctl_arg a = { .op = op, .datalen = sizeof(p), .data = &p };

	return ioctl(fd, BLKPG, &a);
}

TEST(programs_make_resize_and_remove_partitions)
{
	struct disk d = disk_flags(MIB, LO_FLAGS_PARTSCAN, O_RDWR);
	char path[40];
	int fd;

	CHECK_OK(blkpg(d.fd, BLKPG_ADD_PARTITION, 3, 65536, 65536));
	CHECK_EQ(part(&d, 3, "start"), 128);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_ADD_PARTITION, 3, 262144, 65536), EBUSY);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_ADD_PARTITION, 4, 65536 + 512, 512), EBUSY);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_ADD_PARTITION, 4, 0, 0), EINVAL);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_ADD_PARTITION, 0, 0, 512), EINVAL);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_ADD_PARTITION, 4, 100, 512), EINVAL);
	CHECK_ERRNO(blkpg(d.fd, 9, 4, 0, 512), EINVAL);
	CHECK_OK(blkpg(d.fd, BLKPG_RESIZE_PARTITION, 3, 65536, 131072));
	CHECK_EQ(part(&d, 3, "size"), 256);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_RESIZE_PARTITION, 3, 0, 131072), EINVAL);
	CHECK_ERRNO(blkpg(d.fd, BLKPG_RESIZE_PARTITION, 9, 0, 131072), ENXIO);
	snprintf(path, sizeof(path), "%sp3", d.path);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERRNO(blkpg(d.fd, BLKPG_DEL_PARTITION, 3, 0, 0), EBUSY);
	CHECK_ERRNO(blkpg(fd, BLKPG_DEL_PARTITION, 3, 0, 0), EINVAL);
	close(fd);
	CHECK_OK(blkpg(d.fd, BLKPG_DEL_PARTITION, 3, 0, 0));
	CHECK_ERRNO(blkpg(d.fd, BLKPG_DEL_PARTITION, 3, 0, 0), ENXIO);
	CHECK_EQ(part(&d, 3, "start"), -1);
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(a_claim_of_the_disk_excludes_claims_of_its_partitions)
{
	struct disk d = disk_flags(MIB, LO_FLAGS_PARTSCAN, O_RDWR);
	char p1[40], p2[40];
	int fd, other;

	CHECK_OK(blkpg(d.fd, BLKPG_ADD_PARTITION, 1, 65536, 65536));
	CHECK_OK(blkpg(d.fd, BLKPG_ADD_PARTITION, 2, 262144, 65536));
	snprintf(p1, sizeof(p1), "%sp1", d.path);
	snprintf(p2, sizeof(p2), "%sp2", d.path);
	fd = CHECK_OK(open(p1, O_RDONLY | O_EXCL));
	CHECK_ERRNO(open(d.path, O_RDONLY | O_EXCL), EBUSY);
	other = CHECK_OK(open(p2, O_RDONLY | O_EXCL));
	close(fd);
	CHECK_ERRNO(open(d.path, O_RDONLY | O_EXCL), EBUSY);
	close(other);
	fd = CHECK_OK(open(d.path, O_RDONLY | O_EXCL));
	CHECK_ERRNO(open(p1, O_RDONLY | O_EXCL), EBUSY);
	close(fd);
	CHECK_OK(open(p1, O_RDONLY | O_EXCL));
}
