/* SPDX-License-Identifier: MIT */
/*
 * mutate.c - spoil an ext4 image: mutate SEED FILE.
 *
 * The seed chooses what is spoilt (superblock, group descriptors, bitmaps and inodes, directories and extents, anything)
 * and how (bits, bytes, whole numbers that are large, small or negative). The magic number stays.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum { SUPERBLOCK = 1024, MAGIC_AT = SUPERBLOCK + 56, INODES_PER_GROUP = SUPERBLOCK + 40, INODE_SIZE = SUPERBLOCK + 88 };

/* Of group 0: where its bitmaps and inodes are (struct ext4_group_desc, the first 12 bytes). */
enum { DESCRIPTOR_SIZE = 64 };

static uint8_t *data;
static uint32_t size, block_size;

static uint32_t
number_at(uint32_t at)
{
	uint32_t n;

	memcpy(&n, data + at, sizeof(n));
	return n;
}

static void
spoil(uint32_t from, uint32_t length)
{
	static const uint32_t numbers[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0xffff, 0x10000, 0xfffffffe };
	uint32_t at = from + random_below(length), value = numbers[random_below(sizeof(numbers) / sizeof(numbers[0]))];

	if (at + 4 > size)
		return;
	switch (random_below(4)) {
	case 0:
		data[at] ^= 1 << random_below(8);
		break;
	case 1:
		data[at] = random_number();
		break;
	case 2:
		memcpy(data + (at & ~1u), &value, 2);
		break;
	default:
		memcpy(data + (at & ~3u), &value, 4);
	}
}

int
main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[2], O_RDWR) : -1;
	uint32_t from, length, inodes, descriptors;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !(data = malloc(st.st_size)) || read(fd, data, st.st_size) != st.st_size)
		fail("mutate SEED FILE: %s", strerror(errno));
	random_begin(strtoul(argv[1], NULL, 0));
	size = st.st_size;
	block_size = 1024u << number_at(SUPERBLOCK + 24);
	descriptors = block_size == 1024 ? 2048 : block_size;
	inodes = number_at(descriptors + 8) * block_size;
	switch (random_below(5)) {
	case 0:
		from = SUPERBLOCK, length = 400;
		break;
	case 1:
		from = descriptors, length = DESCRIPTOR_SIZE;
		break;
	case 2:
		/* The inodes that are in use lie in front. */
		from = inodes, length = 40 * (data[INODE_SIZE] | data[INODE_SIZE + 1] << 8);
		break;
	case 3:
		from = inodes + number_at(INODES_PER_GROUP) * (data[INODE_SIZE] | data[INODE_SIZE + 1] << 8);
		length = 32 * block_size;
		break;
	default:
		from = SUPERBLOCK, length = size - SUPERBLOCK;
	}
	for (uint32_t n = 1 + random_below(24); n; n--)
		spoil(from, length);
	data[MAGIC_AT] = 0x53;
	data[MAGIC_AT + 1] = 0xef;
	if (pwrite(fd, data, size, 0) != (ssize_t)size || close(fd) < 0)
		fail("%s: %s", argv[2], strerror(errno));
	return 0;
}
