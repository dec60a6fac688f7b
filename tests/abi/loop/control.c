/* SPDX-License-Identifier: MIT */
/*
 * control.c - loop devices come, are bound, and go.
 */
#include <pthread.h>

#include "disk.h"

static int
control(void)
{
	int fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		check_skip("no loop devices here");
	return fd;
}

TEST(control_adds_a_device_and_removes_it)
{
	int fd = control(), number = 777000;
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	CHECK_EQ(ioctl(fd, LOOP_CTL_ADD, number), number);
	CHECK_ERRNO(ioctl(fd, LOOP_CTL_ADD, number), EEXIST);
	CHECK_OK(stat(path, &st));
	CHECK(S_ISBLK(st.st_mode));
	CHECK_EQ(major(st.st_rdev), 7);
	CHECK_EQ(minor(st.st_rdev), number);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(ioctl(fd, LOOP_CTL_REMOVE, number), 0);
	CHECK_ERRNO(stat(path, &st), ENOENT);
	CHECK_ERRNO(ioctl(fd, LOOP_CTL_REMOVE, number), ENODEV);
}

TEST(control_refuses_what_makes_no_sense)
{
	int fd = control();

	CHECK_ERRNO(ioctl(fd, LOOP_CTL_REMOVE, -1), EINVAL);
	CHECK_ERRNO(ioctl(fd, 0x4c83, 0), ENOSYS);
	CHECK_ERRNO(ioctl(fd, BLKGETSIZE64, 0), ENOSYS);
}

TEST(open_device_is_not_removed)
{
	int fd = control(), number = 778000, device;
	char path[32];

	snprintf(path, sizeof(path), "/dev/loop%d", number);
	CHECK_EQ(ioctl(fd, LOOP_CTL_ADD, number), number);
	device = CHECK_OK(open(path, O_RDONLY));
	CHECK_ERRNO(ioctl(fd, LOOP_CTL_REMOVE, number), EBUSY);
	close(device);
	CHECK_EQ(ioctl(fd, LOOP_CTL_REMOVE, number), 0);
}

/* A node of our own, in /dev: elsewhere devices may not be opened. */
static char node_path[32];

static const char *
node(unsigned int major_number, unsigned int minor_number)
{
	snprintf(node_path, sizeof(node_path), "/dev/abi-disk");
	CHECK_OK(mknod(node_path, S_IFBLK | 0600, makedev(major_number, minor_number)));
	return node_path;
}

TEST(node_made_by_hand_brings_its_device)
{
	int number = 779000, fd = control(), device;
	uint64_t size = 1;

	device = CHECK_OK(open(node(7, (unsigned int)number), O_RDONLY));
	CHECK_OK(unlink(node_path));
	CHECK_OK(ioctl(device, BLKGETSIZE64, &size));
	CHECK_EQ(size, 0);
	close(device);
	CHECK_EQ(ioctl(fd, LOOP_CTL_REMOVE, number), 0);
}

TEST(unknown_numbers_are_no_devices)
{
	int fd = open(node(240, 3), O_RDONLY), error = errno;

	CHECK_OK(unlink(node_path));
	CHECK_EQ(fd, -1);
	CHECK_EQ(error, ENXIO);
}

TEST(set_fd_binds_and_clr_fd_lets_go)
{
	int fd = control(), number, device, file = backing_file(MIB);
	struct loop_info64 info;
	uint64_t size;
	char path[32];

	for (;;) {
		number = (int)CHECK_OK(ioctl(fd, LOOP_CTL_GET_FREE));
		snprintf(path, sizeof(path), "/dev/loop%d", number);
		device = CHECK_OK(open(path, O_RDWR));
		if (ioctl(device, LOOP_SET_FD, file) == 0)
			break;
		CHECK(errno == EBUSY);
		close(device);
	}
	CHECK_ERRNO(ioctl(device, LOOP_SET_FD, file), EBUSY);
	CHECK_OK(ioctl(device, BLKGETSIZE64, &size));
	CHECK_EQ(size, MIB);
	CHECK_OK(ioctl(device, LOOP_GET_STATUS64, &info));
	CHECK_EQ(info.lo_flags, 0);
	CHECK_EQ(info.lo_number, number);
	CHECK_OK(ioctl(device, LOOP_CLR_FD));
	CHECK_ERRNO(ioctl(device, LOOP_CLR_FD), ENXIO);
	CHECK_ERRNO(ioctl(device, LOOP_GET_STATUS64, &info), ENXIO);
	CHECK_OK(ioctl(device, BLKGETSIZE64, &size));
	CHECK_EQ(size, 0);
}

TEST(clr_fd_of_a_device_in_use_waits_for_the_last_close)
{
	struct disk d = disk_flags(MIB, 0, O_RDWR);
	int other = disk_open(&d, O_RDONLY);
	struct loop_info64 info;

	CHECK_OK(ioctl(d.fd, LOOP_CLR_FD));
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	CHECK_EQ(info.lo_flags & LO_FLAGS_AUTOCLEAR, LO_FLAGS_AUTOCLEAR);
	close(other);
	close(d.fd);
	CHECK_EQ(number_in("/sys/block/loop%2$s/%1$s", "size", d.path + 9), 0);
}

TEST(configure_refuses_bad_files_flags_and_sizes)
{
	struct disk d = disk_of(MIB);
	struct loop_config c = { 0 };
	int fd = control(), device, pipes[2];
	char path[32];

	for (;;) { /* a device that nobody else takes meanwhile: it is claimed */
		snprintf(path, sizeof(path), "/dev/loop%d", (int)CHECK_OK(ioctl(fd, LOOP_CTL_GET_FREE)));
		device = open(path, O_RDWR | O_EXCL);
		if (device >= 0)
			break;
	}
	c.fd = 9999;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EBADF);
	CHECK_OK(pipe(pipes));
	c.fd = (unsigned int)pipes[0];
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EINVAL);
	c.fd = (unsigned int)device;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EBADF);
	c.fd = (unsigned int)backing_file(MIB);
	c.block_size = 1000;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EINVAL);
	c.block_size = 8192;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EINVAL);
	c.block_size = 0;
	c.info.lo_flags = 2;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EINVAL);
	c.info.lo_flags = 0;
	c.info.lo_encrypt_type = 5;
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, &c), EINVAL);
	CHECK_ERRNO(ioctl(device, LOOP_CONFIGURE, NULL), EFAULT);
	CHECK_ERRNO(ioctl(d.fd, 0x4cff, 0), EINVAL);
}

TEST(offset_and_limit_choose_a_part_of_the_file)
{
	struct loop_config c = { .info = { .lo_offset = 8192, .lo_sizelimit = 65536, .lo_flags = LO_FLAGS_AUTOCLEAR } };
	int file = backing_file(MIB), direct;
	unsigned char *buf = aligned(4096);
	struct loop_info64 info;
	struct disk d;
	uint64_t size;

	CHECK_EQ(pwrite(file, "here", 4, 8192 + 4096), 4);
	c.fd = (unsigned int)file;
	strcpy((char *)c.info.lo_file_name, "a name");
	d = disk_configure(&c, O_RDWR);
	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, 65536);
	direct = disk_open(&d, O_RDWR | O_DIRECT);
	CHECK_EQ(pread(direct, buf, 4096, 4096), 4096);
	CHECK(memcmp(buf, "here", 4) == 0);
	memset(buf, 7, 4096);
	CHECK_EQ(pwrite(direct, buf, 4096, 0), 4096);
	CHECK_OK(fsync(direct));
	memset(buf, 0, 4096);
	CHECK_EQ(pread(file, buf, 4096, 8192), 4096);
	CHECK_EQ(buf[0], 7);
	CHECK_EQ(buf[4095], 7);
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	CHECK_EQ(info.lo_offset, 8192);
	CHECK_EQ(info.lo_sizelimit, 65536);
	CHECK(strcmp((char *)info.lo_file_name, "a name") == 0);
}

TEST(set_status_moves_the_window)
{
	struct disk d = disk_of(MIB);
	struct loop_info64 info;
	uint64_t size;

	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	info.lo_offset = 4096;
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS64, &info));
	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, MIB - 4096);
	info.lo_sizelimit = 1000;
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS64, &info));
	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, 512); /* whole sectors */
	info.lo_offset = 1ull << 63;
	CHECK_ERRNO(ioctl(d.fd, LOOP_SET_STATUS64, &info), EOVERFLOW);
	info.lo_offset = 0;
	info.lo_sizelimit = 0;
	info.lo_flags = 0; /* autoclear can be taken off, read-only not be set */
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS64, &info));
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	CHECK_EQ(info.lo_flags, 0);
	info.lo_flags = LO_FLAGS_AUTOCLEAR | LO_FLAGS_READ_ONLY;
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS64, &info));
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	CHECK_EQ(info.lo_flags, LO_FLAGS_AUTOCLEAR);
}

TEST(old_status_says_the_same)
{
	struct disk d = disk_of(MIB);
	struct loop_info info;
	struct loop_info64 info64;
	struct stat st;

	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS, &info));
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info64));
	CHECK_EQ(info.lo_number, d.number);
	CHECK_EQ(info.lo_flags, LO_FLAGS_AUTOCLEAR);
	CHECK_EQ(info.lo_inode, info64.lo_inode);
	info.lo_offset = 512;
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS, &info));
	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info64));
	CHECK_EQ(info64.lo_offset, 512);
	CHECK_OK(stat(".", &st));
	CHECK_EQ(info64.lo_device, st.st_dev); /* small numbers: one encoding */
	CHECK_ERRNO(ioctl(d.fd, LOOP_GET_STATUS64, NULL), EINVAL);
	CHECK_ERRNO(ioctl(d.fd, LOOP_SET_STATUS64, NULL), EFAULT);
}

TEST(capacity_follows_the_file_when_told)
{
	struct loop_config c = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	int file = backing_file(MIB);
	struct disk d;
	uint64_t size;

	c.fd = (unsigned int)file;
	d = disk_configure(&c, O_RDWR);
	CHECK_OK(ftruncate(file, 2 * MIB));
	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, MIB);
	CHECK_OK(ioctl(d.fd, LOOP_SET_CAPACITY));
	CHECK_OK(ioctl(d.fd, BLKGETSIZE64, &size));
	CHECK_EQ(size, 2 * MIB);
}

TEST(read_only_file_makes_a_read_only_disk)
{
	struct loop_config c = { .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	unsigned char *buf = aligned(4096);
	struct disk d;
	int ro, fd;

	fd = CHECK_OK(open("file", O_RDWR | O_CREAT, 0600));
	CHECK_OK(ftruncate(fd, MIB));
	close(fd);
	c.fd = (unsigned int)CHECK_OK(open("file", O_RDONLY));
	d = disk_configure(&c, O_RDWR);
	CHECK_OK(ioctl(d.fd, BLKROGET, &ro));
	CHECK_EQ(ro, 1);
	CHECK_EQ(number_in("/sys/block/loop%2$s/%1$s", "ro", d.path + 9), 1);
	CHECK_EQ(pread(d.fd, buf, 4096, 0), 4096);
	CHECK_ERRNO(pwrite(d.fd, buf, 4096, 0), EPERM);
	fd = disk_open(&d, O_RDWR | O_DIRECT);
	CHECK_ERRNO(pwrite(fd, buf, 4096, 0), EPERM);
}

TEST(change_fd_wants_a_read_only_disk_of_the_same_size)
{
	struct disk d = disk_of(MIB), r = disk_flags(MIB, LO_FLAGS_READ_ONLY, O_RDONLY);
	int same = backing_file(MIB), other = backing_file(2 * MIB), direct;
	unsigned char *buf = aligned(512);

	CHECK_ERRNO(ioctl(d.fd, LOOP_CHANGE_FD, same), EINVAL);
	CHECK_ERRNO(ioctl(r.fd, LOOP_CHANGE_FD, other), EINVAL);
	CHECK_EQ(pwrite(same, "new", 3, 0), 3);
	CHECK_OK(ioctl(r.fd, LOOP_CHANGE_FD, same));
	direct = disk_open(&r, O_RDONLY | O_DIRECT);
	CHECK_EQ(pread(direct, buf, 512, 0), 512);
	CHECK(memcmp(buf, "new", 3) == 0);
}

TEST(block_size_can_be_set)
{
	struct loop_config c = { .block_size = 4096, .info.lo_flags = LO_FLAGS_AUTOCLEAR };
	unsigned char *buf = aligned(4096);
	struct disk d;
	int size, direct;

	c.fd = (unsigned int)backing_file(MIB);
	d = disk_configure(&c, O_RDWR);
	CHECK_OK(ioctl(d.fd, BLKSSZGET, &size));
	CHECK_EQ(size, 4096);
	direct = disk_open(&d, O_RDWR | O_DIRECT);
	CHECK_ERRNO(pread(direct, buf, 512, 0), EINVAL);
	CHECK_ERRNO(pread(direct, buf, 4096, 512), EINVAL);
	CHECK_EQ(pread(direct, buf, 4096, 4096), 4096);
	CHECK_ERRNO(ioctl(d.fd, LOOP_SET_BLOCK_SIZE, 100ul), EINVAL);
	CHECK_OK(ioctl(d.fd, LOOP_SET_BLOCK_SIZE, 512ul));
	CHECK_OK(ioctl(d.fd, BLKSSZGET, &size));
	CHECK_EQ(size, 512);
	CHECK_EQ(pread(direct, buf, 512, 512), 512);
}

TEST(a_disk_can_lie_on_a_disk)
{
	struct disk lower = disk_of(MIB), upper;
	struct loop_config c = { .info = { .lo_offset = 65536, .lo_flags = LO_FLAGS_AUTOCLEAR } };
	unsigned char *buf = aligned(8192);
	int direct, below;

	c.fd = (unsigned int)disk_open(&lower, O_RDWR);
	upper = disk_configure(&c, O_RDWR);
	direct = disk_open(&upper, O_RDWR | O_DIRECT);
	below = disk_open(&lower, O_RDWR | O_DIRECT);
	memset(buf, 0x5a, 8192);
	CHECK_EQ(pwrite(direct, buf, 8192, 4096), 8192);
	CHECK_OK(fsync(direct));
	memset(buf, 0, 8192);
	CHECK_EQ(pread(below, buf, 8192, 65536 + 4096), 8192);
	CHECK_EQ(buf[0], 0x5a);
	CHECK_EQ(buf[8191], 0x5a);
	/* Over a disk, past its page cache too. */
	CHECK_OK(ioctl(upper.fd, LOOP_SET_DIRECT_IO, 1ul));
	memset(buf, 0x33, 8192);
	CHECK_EQ(pwrite(direct, buf, 8192, 0), 8192);
	memset(buf, 0, 8192);
	CHECK_EQ(pread(below, buf, 8192, 65536), 8192);
	CHECK_EQ(buf[8191], 0x33);
}

TEST(a_file_in_memory_cannot_be_read_directly)
{
	struct disk d = disk_of(MIB);

	CHECK_ERRNO(ioctl(d.fd, LOOP_SET_DIRECT_IO, 1ul), EINVAL);
	CHECK_OK(ioctl(d.fd, LOOP_SET_DIRECT_IO, 0ul));
}

TEST(sysfs_shows_the_binding)
{
	struct disk d = disk_of(MIB);
	char path[64], text[256] = "";
	int fd;

	CHECK_EQ(number_in("/sys/block/loop%2$s/loop/%1$s", "autoclear", d.path + 9), 1);
	CHECK_EQ(number_in("/sys/block/loop%2$s/loop/%1$s", "offset", d.path + 9), 0);
	CHECK_EQ(number_in("/sys/block/loop%2$s/loop/%1$s", "partscan", d.path + 9), 0);
	CHECK_EQ(number_in("/sys/block/loop%2$s/loop/%1$s", "dio", d.path + 9), 0);
	CHECK_EQ(number_in("/sys/block/loop%2$s/%1$s", "size", d.path + 9), MIB / 512);
	snprintf(path, sizeof(path), "/sys/block/loop%d/loop/backing_file", d.number);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK(read(fd, text, sizeof(text) - 1) > 0);
	CHECK(strstr(text, "/backing") != NULL);
	CHECK_OK(ioctl(d.fd, LOOP_CLR_FD));
	CHECK_ERRNO(open(path, O_RDONLY), ENOENT);
}

TEST(only_who_may_write_or_administer_sets_a_status)
{
	struct disk d = disk_of(MIB);
	int reader = disk_open(&d, O_RDONLY);
	struct loop_info64 info;

	CHECK_OK(ioctl(d.fd, LOOP_GET_STATUS64, &info));
	CHECK_OK(ioctl(reader, LOOP_SET_STATUS64, &info));
	CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
	CHECK_ERRNO(ioctl(reader, LOOP_SET_STATUS64, &info), EPERM);
	CHECK_OK(ioctl(d.fd, LOOP_SET_STATUS64, &info));
}

struct rival {
	int fd, file, *at_the_start;
	bool done;
};

static void *
change_file(void *arg)
{
	struct rival *r = arg;

	__atomic_add_fetch(r->at_the_start, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 100000 && __atomic_load_n(r->at_the_start, __ATOMIC_SEQ_CST) < 2; i++)
		;
	r->done = ioctl(r->fd, LOOP_CHANGE_FD, r->file) == 0;
	return NULL;
}

/* Each of two devices is given the other as its file at the same time: whoever comes second is refused. */
TEST(two_devices_do_not_become_each_others_files)
{
	struct disk a = disk_flags(MIB, LO_FLAGS_READ_ONLY, O_RDWR), b = disk_flags(MIB, LO_FLAGS_READ_ONLY, O_RDWR);
	int file = backing_file(MIB);

	for (int i = 0; i < 40; i++) {
		int at_the_start = 0;
		struct rival one = { a.fd, b.fd, &at_the_start, false }, two = { b.fd, a.fd, &at_the_start, false };
		pthread_t t;

		CHECK_EQ(pthread_create(&t, NULL, change_file, &one), 0);
		change_file(&two);
		CHECK_EQ(pthread_join(t, NULL), 0);
		CHECK_EQ(one.done + two.done, 1);
		CHECK_OK(ioctl(one.done ? a.fd : b.fd, LOOP_CHANGE_FD, file));
	}
}
