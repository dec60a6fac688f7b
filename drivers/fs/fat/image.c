/* SPDX-License-Identifier: MIT */
/* image.c - a file or a block device as the disk under a volume. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuse.h"

struct image {
	struct fat_disk disk;
	int fd;
};

static struct image *
image_of(struct fat_disk *disk)
{
	return (struct image *)((char *)disk - offsetof(struct image, disk));
}

static int
image_read(struct fat_disk *disk, uint64_t offset, void *to, size_t n)
{
	char *p = to;

	while (n) {
		ssize_t got = pread(image_of(disk)->fd, p, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		p += got;
		offset += (size_t)got;
		n -= (size_t)got;
	}
	return 0;
}

static int
image_write(struct fat_disk *disk, uint64_t offset, const void *from, size_t n)
{
	const char *p = from;

	while (n) {
		ssize_t put = pwrite(image_of(disk)->fd, p, n, (off_t)offset);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return put < 0 ? -errno : -EIO;
		p += put;
		offset += (size_t)put;
		n -= (size_t)put;
	}
	return 0;
}

static int
image_flush(struct fat_disk *disk)
{
	return fdatasync(image_of(disk)->fd) < 0 ? -errno : 0;
}

static int
size_of(int fd, uint64_t *size)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	*size = (uint64_t)st.st_size;
	if (S_ISBLK(st.st_mode))
		return ioctl(fd, BLKGETSIZE64, size) < 0 ? -errno : 0;
	return S_ISREG(st.st_mode) ? 0 : -EINVAL;
}

int
fat_image_open(const char *path, bool read_only, void (*log)(const char *line), struct fat_disk **out)
{
	struct image *i = calloc(1, sizeof(*i));
	int error;

	if (!i)
		return -ENOMEM;
	i->fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (i->fd < 0 && !read_only && (errno == EROFS || errno == EACCES)) {
		read_only = true;
		i->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (i->fd < 0) {
		error = -errno;
		free(i);
		return error;
	}
	i->disk = (struct fat_disk){ .read = image_read, .write = image_write, .flush = image_flush,
				     .read_only = read_only, .log = log };
	/* Two who write would be the end of it. */
	error = size_of(i->fd, &i->disk.size);
	if (!error && flock(i->fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) < 0 && errno == EWOULDBLOCK)
		error = -EBUSY;
	if (error) {
		fat_image_close(&i->disk);
		return error;
	}
	*out = &i->disk;
	return 0;
}

void
fat_image_close(struct fat_disk *disk)
{
	struct image *i = image_of(disk);

	close(i->fd);
	free(i);
}
