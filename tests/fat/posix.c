/* SPDX-License-Identifier: MIT */
/* posix.c - the file system under torture is what is mounted at a directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "torture.h"

static const char *top;
static DIR *listed;

static const char *
full(const char *path, int which)
{
	static char text[2][65536];

	snprintf(text[which], sizeof(text[0]), "%s%s", top, path);
	return text[which];
}

void
posix_start(const char *folder)
{
	top = folder;
}

static int
result(long n)
{
	return n < 0 ? -errno : (int)n;
}

static int
make(const char *path, bool directory)
{
	int fd;

	if (directory)
		return result(mkdir(full(path, 0), 0755));
	fd = open(full(path, 0), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
	return fd < 0 ? -errno : result(close(fd));
}

static int
take_away(const char *path)
{
	return result(unlink(full(path, 0)));
}

static int
take_folder(const char *path)
{
	return result(rmdir(full(path, 0)));
}

static int
move(const char *from, const char *to, bool exchange)
{
	return result(syscall(SYS_renameat2, AT_FDCWD, full(from, 0), AT_FDCWD, full(to, 1), exchange ? RENAME_EXCHANGE : 0));
}

static long
transfer(const char *path, uint64_t offset, void *bytes, size_t n, bool write)
{
	int fd = open(full(path, 0), (write ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
	long done;

	if (fd < 0)
		return -errno;
	done = write ? pwrite(fd, bytes, n, (off_t)offset) : pread(fd, bytes, n, (off_t)offset);
	if (done < 0)
		done = -errno;
	close(fd);
	return done;
}

static long
read_at(const char *path, uint64_t offset, void *to, size_t n)
{
	return transfer(path, offset, to, n, false);
}

static long
write_at(const char *path, uint64_t offset, const void *from, size_t n)
{
	return transfer(path, offset, (void *)from, n, true);
}

static int
resize(const char *path, uint64_t size)
{
	return result(truncate(full(path, 0), (off_t)size));
}

static int
look(const char *path, bool *directory, uint64_t *size)
{
	struct stat st;

	if (lstat(full(path, 0), &st) < 0)
		return -errno;
	*directory = S_ISDIR(st.st_mode);
	*size = *directory ? 0 : (uint64_t)st.st_size;
	return 0;
}

static int
hold(const char *path, void **held)
{
	int fd = open(full(path, 0), O_RDWR | O_CLOEXEC);

	*held = (void *)(intptr_t)fd;
	return fd < 0 ? -errno : 0;
}

static long
held_read(void *held, uint64_t offset, void *to, size_t n)
{
	return result(pread((int)(intptr_t)held, to, n, (off_t)offset));
}

static long
held_write(void *held, uint64_t offset, const void *from, size_t n)
{
	return result(pwrite((int)(intptr_t)held, from, n, (off_t)offset));
}

static void
release(void *held)
{
	close((int)(intptr_t)held);
}

static int
list(const char *path, unsigned int i, struct listing *out)
{
	char name[66000];
	struct dirent *e;
	int error;

	if (i == 0)
		listed = opendir(full(path, 0));
	if (!listed)
		return -errno;
	do {
		errno = 0;
		e = readdir(listed);
	} while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
	if (!e) {
		error = -errno;
		closedir(listed);
		return error;
	}
	snprintf(out->name, sizeof(out->name), "%s", e->d_name);
	snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
	error = look(name, &out->directory, &out->size);
	return error ? error : 1;
}

static int
again(void)
{
	return 0;
}

const struct backend posix_backend = {
	.create = make,
	.unlink = take_away,
	.rmdir = take_folder,
	.rename = move,
	.read = read_at,
	.write = write_at,
	.resize = resize,
	.stat = look,
	.hold = hold,
	.held_read = held_read,
	.held_write = held_write,
	.release = release,
	.list = list,
	.again = again,
};
