/* SPDX-License-Identifier: MIT */
/*
 * disks.c - failing allocations below loop devices, block devices, VDUSE, input devices.
 */
#include "fail_nth.h"

#include <linux/blkpg.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/uinput.h>
#include <linux/vduse.h>
#include <sys/ioctl.h>

enum { NUMBER = 771, SIZE = 32 * 1024 };

static int
open_or_skip(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		SKIP("no %s here", path);
	close(fd);
	return OK(open(path, O_RDWR | O_CLOEXEC));
}

/* A device that an earlier run has left, because it failed, is taken. */
static int
loop_open(int control)
{
	char path[32];

	if (ioctl(control, LOOP_CTL_REMOVE, NUMBER) < 0)
		CHECK_EQ(errno, ENODEV);
	CHECK_EQ(OK(ioctl(control, LOOP_CTL_ADD, NUMBER)), NUMBER);
	snprintf(path, sizeof(path), "/dev/loop%d", NUMBER);
	return OK(open(path, O_RDWR | O_CLOEXEC));
}

static void
loop_bind(int loop, uint32_t flags)
{
	struct loop_config c = { .info.lo_flags = flags };
	int file = CHECK_OK(open("below", O_RDWR | O_CREAT | O_CLOEXEC, 0600));

	CHECK_OK(ftruncate(file, SIZE));
	c.fd = (uint32_t)file;
	OK(ioctl(loop, LOOP_CONFIGURE, &c));
	close(file);
}

static void
loop_end(int control, int loop)
{
	OK(ioctl(loop, LOOP_CLR_FD, 0));
	close(loop);
	while (ioctl(control, LOOP_CTL_REMOVE, NUMBER) < 0)
		CHECK_EQ(errno, EBUSY); /* its files are let go late */
	close(control);
	unlink("below");
}

SCENARIO(loop_devices)
{
	int control = open_or_skip("/dev/loop-control"), loop = loop_open(control), other;
	struct loop_info64 info;

	loop_bind(loop, LO_FLAGS_PARTSCAN);
	OK(ioctl(loop, LOOP_GET_STATUS64, &info));
	info.lo_offset = 8192;
	OK(ioctl(loop, LOOP_SET_STATUS64, &info));
	OK(ioctl(loop, LOOP_SET_BLOCK_SIZE, 4096));
	OK(ioctl(loop, LOOP_SET_CAPACITY, 0));
	OK(ioctl(loop, LOOP_CLR_FD, 0));
	loop_bind(loop, LO_FLAGS_READ_ONLY);
	other = CHECK_OK(open("below", O_RDWR | O_CLOEXEC));
	OK(ioctl(loop, LOOP_CHANGE_FD, other));
	close(other);
	loop_end(control, loop);
}

SCENARIO(block_devices)
{
	int control = open_or_skip("/dev/loop-control"), loop = loop_open(control), again;
	struct blkpg_partition p = { .start = 16384, .length = 16384, .pno = 1 };
	struct blkpg_ioctl_arg add = { .op = BLKPG_ADD_PARTITION, .datalen = sizeof(p), .data = &p }, del = add;
	uint64_t range[2] = { 8192, 8192 };
	unsigned char *buf;
	char path[32];

	del.op = BLKPG_DEL_PARTITION;
	CHECK(posix_memalign((void **)&buf, 4096, SIZE) == 0);
	memset(buf, 5, SIZE);
	loop_bind(loop, LO_FLAGS_PARTSCAN);
	for (ssize_t n = 0; n < SIZE;) /* it may stop where there was no memory, and go on */
		n += OK(pwrite(loop, buf + n, (size_t)(SIZE - n), n));
	OK(fsync(loop));
	OK(ioctl(loop, BLKFLSBUF, 0));
	memset(buf, 0, SIZE);
	for (ssize_t n = 0; n < SIZE;)
		n += OK(pread(loop, buf + n, (size_t)(SIZE - n), n));
	CHECK_EQ(buf[SIZE - 1], 5);
	snprintf(path, sizeof(path), "/dev/loop%d", NUMBER);
	again = OK(open(path, O_RDWR | O_DIRECT | O_CLOEXEC));
	CHECK(OK(pwrite(again, buf, 16384, 4096)) > 0);
	CHECK(OK(pread(again, buf, 16384, 4096)) > 0);
	CHECK_EQ(buf[0], 5);
	OK(ioctl(again, BLKZEROOUT, range));
	OK(ioctl(again, BLKDISCARD, range));
	CHECK_EQ(OK(pread(again, buf, 4096, 8192)), 4096);
	CHECK_EQ(buf[0], 0);
	close(again);
	OK(ioctl(loop, BLKPG, &add));
	snprintf(path, sizeof(path), "/dev/loop%dp1", NUMBER);
	again = OK(open(path, O_RDONLY | O_CLOEXEC));
	CHECK(OK(pread(again, buf, 8192, 0)) > 0);
	close(again);
	OK(ioctl(loop, BLKPG, &del));
	OK(ioctl(loop, BLKRRPART, 0));
	free(buf);
	loop_end(control, loop);
}

static const union {
	struct vduse_dev_config c;
	char room[sizeof(struct vduse_dev_config) + 64];
} vduse = {
	.c = { .name = "fail", .device_id = 2, .features = 3ull << 32, .vq_num = 2, .vq_align = 4096, .config_size = 60 },
};

static void
vduse_destroy(int control)
{
	char name[VDUSE_NAME_MAX] = "fail";

	OK(ioctl(control, VDUSE_DESTROY_DEV, name));
	close(control);
}

static void
vduse_creation(void)
{
	int control = open_or_skip("/dev/vduse/control");

	OK(ioctl(control, VDUSE_CREATE_DEV, &vduse));
	vduse_destroy(control);
}

/* What it makes before its memory, of which a page is like another. */
TEST(vduse_devices_are_made)
{
	fail_first(vduse_creation, 24);
}

/* Looked at by its daemon; there never is a disk. */
SCENARIO(vduse_daemons)
{
	int control = open_or_skip("/dev/vduse/control"), device, memory;
	struct vduse_iotlb_entry entry = { .last = UINT64_MAX };
	struct vduse_vq_config queue = { .index = 0, .max_size = 128 };
	struct {
		struct vduse_config_data head;
		uint64_t capacity;
	} config = { .head = { .length = 8 }, .capacity = 8 };
	struct vduse_dev_request request;

	CHECK_OK(ioctl(control, VDUSE_CREATE_DEV, &vduse));
	device = OK(open("/dev/vduse/fail", O_RDWR | O_NONBLOCK | O_CLOEXEC));
	memory = OK(ioctl(device, VDUSE_IOTLB_GET_FD, &entry));
	CHECK(OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0)) != MAP_FAILED);
	close(memory);
	OK(ioctl(device, VDUSE_DEV_SET_CONFIG, &config));
	OK(ioctl(device, VDUSE_VQ_SETUP, &queue));
	queue.index = 1;
	OK(ioctl(device, VDUSE_VQ_SETUP, &queue));
	while (read(device, &request, sizeof(request)) < 0)
		CHECK_EQ(errno, EAGAIN);
	close(device);
	vduse_destroy(control);
}

static void
describe_device(int fd)
{
	struct uinput_setup setup = { .id = { .bustype = BUS_VIRTUAL }, .name = "fail" };

	OK(ioctl(fd, UI_SET_EVBIT, EV_KEY));
	OK(ioctl(fd, UI_SET_KEYBIT, KEY_A));
	OK(ioctl(fd, UI_DEV_SETUP, &setup));
}

SCENARIO(input_devices)
{
	int fd = open_or_skip("/dev/uinput"), event, error;
	struct input_event e[2] = { { .type = EV_KEY, .code = KEY_A, .value = 1 }, { .type = EV_SYN } };
	char name[64], path[128];
	int was;

	describe_device(fd);
	fail_begin();
	error = ioctl(fd, UI_DEV_CREATE);
	was = errno;
	if (fail_end() && error < 0) { /* what it would be like is forgotten then: on Linux, too */
		fail_verdict(__FILE__, __LINE__, "UI_DEV_CREATE", true, was);
		describe_device(fd);
		error = ioctl(fd, UI_DEV_CREATE);
	}
	CHECK_OK(error);
	CHECK_OK(ioctl(fd, UI_GET_SYSNAME(sizeof(name)), name));
	/* Its node: the first that has the name, as it is the last that was made. */
	event = -1;
	for (int i = 0; i < 32 && event < 0; i++) {
		snprintf(path, sizeof(path), "/sys/class/input/event%d/device/name", i);
		if (access(path, R_OK) == 0 && check_read_file(path, name, sizeof(name)) > 0 &&
		    strncmp(name, "fail", 4) == 0) {
			close(OK(open(path, O_RDONLY | O_CLOEXEC))); /* found by links, read by a text of its own */
			snprintf(path, sizeof(path), "/dev/input/event%d", i);
			event = OK(open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC));
		}
	}
	CHECK(event >= 0);
	OK(ioctl(event, EVIOCGRAB, 1));
	CHECK_EQ(OK(write(fd, e, sizeof(e))), sizeof(e));
	CHECK_EQ(OK(read(event, e, sizeof(e))), sizeof(e));
	close(event);
	OK(ioctl(fd, UI_DEV_DESTROY));
	close(fd);
}
