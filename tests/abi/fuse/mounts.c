/* SPDX-License-Identifier: MIT */
/*
 * mounts.c - other ways to the same file system: fsopen, a device below it (fuseblk), a file as its root; files by handle.
 */
#include "daemon.h"

#include <linux/fs.h>
#include <linux/loop.h>
#include <linux/mount.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#define HELLO (&shared->node[2])

static char buf[4096];

/* --- step by step ----------------------------------------------------------------------------------------------- */

static int
set(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0);
}

TEST(it_is_mounted_step_by_step)
{
	char number[16];
	struct stat st;
	int fs, mnt;

	daemon_prepare();
	fs = (int)CHECK_OK(syscall(SYS_fsopen, "fuse", 0));
	snprintf(number, sizeof(number), "%d", device);
	CHECK_OK(set(fs, "source", "steps"));
	CHECK_OK(set(fs, "fd", number));
	CHECK_OK(set(fs, "rootmode", "40000"));
	CHECK_ERRNO(set(fs, "rootmode", "9"), EINVAL);
	CHECK_ERRNO(set(fs, "what", "1"), EINVAL);
	CHECK_ERRNO(set(fs, "blksize", "512"), EINVAL);
	CHECK_OK(set(fs, "user_id", "0"));
	CHECK_OK(set(fs, "group_id", "0"));
	CHECK_OK(set(fs, "allow_other", NULL));
	CHECK_OK(set(fs, "subtype", "stepwise"));
	CHECK_OK(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	mnt = (int)CHECK_OK(syscall(SYS_fsmount, fs, 0, 0));
	CHECK_OK(syscall(SYS_move_mount, mnt, "", AT_FDCWD, MNT, MOVE_MOUNT_F_EMPTY_PATH));
	close(mnt);
	close(fs);
	daemon_start();
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_size, 6);
	daemon_end();
}

TEST(a_step_is_missing)
{
	int fs;

	daemon_prepare();
	fs = (int)CHECK_OK(syscall(SYS_fsopen, "fuse", 0));
	CHECK_OK(set(fs, "rootmode", "40000"));
	CHECK_OK(set(fs, "user_id", "0"));
	CHECK_OK(set(fs, "group_id", "0"));
	CHECK_ERRNO(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), EINVAL);
	close(fs);
}

TEST(its_root_may_be_a_file)
{
	char text[128];
	struct stat st;
	int fd;

	daemon_prepare();
	shared->node[1].attr.mode = S_IFREG | 0644;
	shared->node[1].attr.size = 4;
	memcpy(shared->node[1].data, "root", 4);
	CHECK_OK(close(CHECK_OK(open("file", O_CREAT | O_RDWR, 0600))));
	snprintf(text, sizeof(text), "fd=%d,rootmode=100644,user_id=0,group_id=0", device);
	CHECK_ERRNO(mount("x", MNT, "fuse", 0, text), ENOTDIR);
	close(device);
	device = CHECK_OK(open("/dev/fuse", O_RDWR | O_CLOEXEC));
	snprintf(text, sizeof(text), "fd=%d,rootmode=100644,user_id=0,group_id=0", device);
	CHECK_OK(mount("x", "file", "fuse", 0, text));
	daemon_start();
	fd = CHECK_OK(open("file", O_RDONLY));
	CHECK_EQ(CHECK_OK(read(fd, buf, 10)), 4);
	CHECK_MEM(buf, "root", 4);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_size, 4);
	close(fd);
	CHECK_OK(umount2("file", 0));
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
}

/* --- on a device ------------------------------------------------------------------------------------------------ */

TEST(on_a_device_it_has_the_devices_number_and_is_told_of_its_end)
{
	char name[32], text[128];
	struct stat st, dev;
	int control, disk, fd, number, block = 3;

	daemon_prepare();
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		SKIP("no loop devices");
	number = CHECK_OK(ioctl(control, LOOP_CTL_GET_FREE));
	snprintf(name, sizeof(name), "/dev/loop%d", number);
	disk = CHECK_OK(open(name, O_RDWR | O_CLOEXEC));
	fd = CHECK_OK(open("image", O_CREAT | O_RDWR | O_CLOEXEC, 0600));
	CHECK_OK(ftruncate(fd, 1 << 20));
	CHECK_OK(ioctl(disk, LOOP_SET_FD, fd));
	close(fd);
	snprintf(text, sizeof(text), "fd=%d,rootmode=40000,user_id=0,group_id=0,blksize=1024", device);
	CHECK_ERRNO(mount("image", MNT, "fuseblk", 0, text), ENOTBLK);
	CHECK_ERRNO(mount("absent", MNT, "fuseblk", 0, text), ENOENT);
	for (unsigned int i = 0; i < 4; i++) {
		static const int sizes[] = { 0, 256, 1000, 8192 };
		char wrong[128];

		snprintf(wrong, sizeof(wrong), "fd=%d,rootmode=40000,user_id=0,group_id=0,blksize=%d", device,
			 sizes[i]);
		CHECK_ERRNO(mount(name, MNT, "fuseblk", 0, wrong), EINVAL);
	}
	CHECK_OK(mount(name, MNT, "fuseblk", 0, text));
	daemon_start();
	CHECK_OK(stat(name, &dev));
	snprintf(text, sizeof(text), "/sys/class/bdi/%u:%u-fuseblk", major(dev.st_rdev), minor(dev.st_rdev));
	CHECK_OK(access(text, F_OK));
	CHECK_OK(stat(MNT "/hello", &st));
	CHECK_EQ(st.st_dev, dev.st_rdev);
	fd = CHECK_OK(open(MNT "/hello", O_RDONLY));
	shared->error[FUSE_BMAP] = -ENOSYS;
	CHECK_OK(ioctl(fd, FIBMAP, &block));
	CHECK_EQ(COUNT(BMAP), 1);
	CHECK_EQ(block, 0);
	CHECK_OK(close(fd));
	UNTIL(COUNT(RELEASE) == 1);
	CHECK_OK(umount2(MNT, 0));
	CHECK_EQ(COUNT(DESTROY), 1); /* waited for */
	CHECK_OK(waitpid(daemon_pid, NULL, 0));
	CHECK_OK(ioctl(disk, LOOP_CLR_FD, 0));
	close(disk);
}

/* --- by handle -------------------------------------------------------------------------------------------------- */

struct handle {
	struct file_handle head;
	unsigned char bytes[128];
};

static int
handle_of(const char *path, struct handle *h)
{
	int id;

	h->head.handle_bytes = sizeof(h->bytes);
	return (int)syscall(SYS_name_to_handle_at, AT_FDCWD, path, h, &id, 0);
}

static int
open_handle(const struct handle *h, int flags)
{
	int mnt = CHECK_OK(open(MNT, O_RDONLY | O_DIRECTORY)), fd, error;

	fd = (int)syscall(SYS_open_by_handle_at, mnt, h, flags);
	error = errno;
	close(mnt);
	errno = error;
	return fd;
}

TEST(a_file_is_opened_by_its_handle)
{
	struct handle h, dir;
	const uint32_t *words = (const void *)h.head.f_handle;
	struct stat st;
	int fd;

	daemon_prepare();
	HELLO->generation = 77;
	daemon_run(NULL);
	CHECK_OK(handle_of(MNT "/hello", &h));
	CHECK_EQ(h.head.handle_bytes, 12);
	CHECK_EQ(h.head.handle_type, 0x81);
	CHECK_EQ(words[0], 0);
	CHECK_EQ(words[1], 2);
	CHECK_EQ(words[2], 77);
	CHECK_OK(handle_of(MNT "/dir", &dir));
	fd = CHECK_OK(open_handle(&h, O_RDONLY));
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_ino, HELLO->attr.ino);
	CHECK_EQ(CHECK_OK(read(fd, buf, 10)), 6);
	close(fd);
	fd = CHECK_OK(open_handle(&dir, O_RDONLY | O_DIRECTORY));
	CHECK_OK(fstatat(fd, "inside", &st, 0));
	close(fd);
	daemon_end();
}

TEST(a_handle_of_nothing_is_stale)
{
	struct handle h;
	uint32_t *words = (void *)h.head.f_handle;

	daemon_prepare();
	daemon_run(NULL);
	CHECK_OK(handle_of(MNT "/hello", &h));
	words[2] = 5; /* another generation */
	CHECK_ERRNO(open_handle(&h, O_RDONLY), ESTALE);
	words[1] = 60; /* a node that nobody knows, of a daemon that does not find nodes by number */
	words[2] = 0;
	CHECK_ERRNO(open_handle(&h, O_RDONLY), ESTALE);
	words[1] = 0;
	CHECK_ERRNO(open_handle(&h, O_RDONLY), ESTALE);
	CHECK_EQ(COUNT(LOOKUP), 1);
	daemon_end();
}

TEST(a_daemon_that_exports_finds_nodes_by_number)
{
	struct handle h;
	struct stat st;
	int fd;

	daemon_prepare();
	shared->init_flags = FUSE_EXPORT_SUPPORT;
	shared->entry_valid = shared->attr_valid = 0;
	daemon_run(NULL);
	CHECK_OK(handle_of(MNT "/hello", &h));
	CHECK_OK(unlink(MNT "/hello"));
	UNTIL(HELLO->lookups == 0); /* the kernel knows nothing of it any more */
	fd = CHECK_OK(open_handle(&h, O_RDONLY));
	CHECK_STR(shared->body[FUSE_LOOKUP], ".");
	CHECK_EQ(shared->head[FUSE_LOOKUP].nodeid, 2);
	CHECK_OK(fstat(fd, &st));
	CHECK_EQ(st.st_ino, HELLO->attr.ino);
	close(fd);
	daemon_end();
}
