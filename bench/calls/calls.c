/* SPDX-License-Identifier: MIT */
/* Calls that do little: what entering the kernel and finding a handle or a name costs. */
#include "bench.h"

#include <dirent.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int fd = -1;
static char byte, block[65536];

ITEM(null_call, 100000)
{
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
}

static void
open_zero(void)
{
	fd = MUST(open("/dev/zero", O_RDWR));
}

static void
close_fd(void)
{
	MUST(close(fd));
}

ITEM_IN(read_1, 50000, open_zero, close_fd)
{
	for (long i = 0; i < n; i++)
		MUST(read(fd, &byte, 1));
}

static void
open_null(void)
{
	fd = MUST(open("/dev/null", O_RDWR));
}

ITEM_IN(write_1, 50000, open_null, close_fd)
{
	for (long i = 0; i < n; i++)
		MUST(write(fd, &byte, 1));
}

static void
make_file(void)
{
	fd = MUST(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
	MUST(write(fd, block, 4096));
}

static void
remove_file(void)
{
	MUST(close(fd));
	MUST(unlink("file"));
}

ITEM_IN(stat, 20000, make_file, remove_file)
{
	struct stat st;

	for (long i = 0; i < n; i++)
		MUST(stat("file", &st));
}

ITEM_IN(fstat, 50000, make_file, remove_file)
{
	struct stat st;

	for (long i = 0; i < n; i++)
		MUST(fstat(fd, &st));
}

ITEM_IN(open_close, 20000, make_file, remove_file)
{
	for (long i = 0; i < n; i++)
		MUST(close(MUST(open("file", O_RDONLY))));
}

ITEM_IN(pread_1_of_a_file, 50000, make_file, remove_file)
{
	for (long i = 0; i < n; i++)
		MUST(pread(fd, &byte, 1, 100));
}

ITEM_IN(dup_close, 50000, make_file, remove_file)
{
	for (long i = 0; i < n; i++)
		MUST(close(MUST(dup(fd))));
}

ITEM_IN(fcntl_lock, 20000, make_file, remove_file)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10 };

	for (long i = 0; i < n; i++) {
		l.l_type = F_WRLCK;
		MUST(fcntl(fd, F_SETLK, &l));
		l.l_type = F_UNLCK;
		MUST(fcntl(fd, F_SETLK, &l));
	}
}

/* --- directories ------------------------------------------------------------------------------------- */

#define NAMES 100

static void
make_names(void)
{
	char name[16];

	MUST(mkdir("d", 0700));
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		MUST(close(MUST(open(name, O_WRONLY | O_CREAT, 0600))));
	}
	fd = MUST(open("d", O_RDONLY | O_DIRECTORY));
}

static void
remove_names(void)
{
	char name[16];

	MUST(close(fd));
	for (int i = 0; i < NAMES; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		MUST(unlink(name));
	}
	MUST(rmdir("d"));
}

ITEM_IN(getdents_100, 1000, make_names, remove_names)
{
	for (long i = 0; i < n; i++) {
		MUST(lseek(fd, 0, SEEK_SET));
		while (MUST(syscall(SYS_getdents64, fd, block, sizeof(block))) > 0)
			;
	}
}

static char deep[64];

static void
make_deep(void)
{
	deep[0] = '\0';
	for (int i = 0; i < 11; i++) {
		strcat(deep, "dir/");
		deep[strlen(deep) - 1] = '\0';
		MUST(mkdir(deep, 0700));
		strcat(deep, "/");
	}
	strcat(deep, "file");
	MUST(close(MUST(open(deep, O_WRONLY | O_CREAT, 0600))));
}

static void
remove_deep(void)
{
	MUST(unlink(deep));
	for (int i = 0; i < 11; i++) {
		*strrchr(deep, '/') = '\0';
		MUST(rmdir(deep));
	}
}

ITEM_IN(walk_12_deep, 10000, make_deep, remove_deep)
{
	struct stat st;

	for (long i = 0; i < n; i++)
		MUST(stat(deep, &st));
}

static void
make_shallow(void)
{
	MUST(mkdir("dir", 0700));
	MUST(close(MUST(open("dir/file", O_WRONLY | O_CREAT, 0600))));
}

static void
remove_shallow(void)
{
	MUST(unlink("dir/file"));
	MUST(rmdir("dir"));
}

ITEM_IN(walk_2_deep, 20000, make_shallow, remove_shallow)
{
	struct stat st;

	for (long i = 0; i < n; i++)
		MUST(stat("dir/file", &st));
}

ITEM(create_delete_0k, 3000)
{
	for (long i = 0; i < n; i++) {
		MUST(close(MUST(open("new", O_WRONLY | O_CREAT | O_EXCL, 0600))));
		MUST(unlink("new"));
	}
}

ITEM(create_delete_10k, 2000)
{
	for (long i = 0; i < n; i++) {
		int f = MUST(open("new", O_WRONLY | O_CREAT | O_EXCL, 0600));

		MUST(write(f, block, 10240));
		MUST(close(f));
		MUST(unlink("new"));
	}
}

/* --- contents ---------------------------------------------------------------------------------------- */

#define BIG (4 << 20)

static void
make_big(void)
{
	fd = MUST(open("big", O_RDWR | O_CREAT | O_TRUNC, 0600));
	for (long done = 0; done < BIG; done += (long)sizeof(block))
		MUST(write(fd, block, sizeof(block)));
}

static void
remove_big(void)
{
	MUST(close(fd));
	MUST(unlink("big"));
}

ITEM_OF(file_read, "MB/s", 10, BIG, make_big, remove_big)
{
	for (long i = 0; i < n; i++)
		for (long done = 0; done < BIG; done += (long)sizeof(block))
			MUST(pread(fd, block, sizeof(block), done));
}

ITEM_OF(file_write, "MB/s", 10, BIG, make_big, remove_big)
{
	for (long i = 0; i < n; i++)
		for (long done = 0; done < BIG; done += (long)sizeof(block))
			MUST(pwrite(fd, block, sizeof(block), done));
}

ITEM_OF(file_mmap_read, "MB/s", 10, BIG, make_big, remove_big)
{
	for (long i = 0; i < n; i++) {
		volatile char *p = mmap(NULL, BIG, PROT_READ, MAP_SHARED, fd, 0);

		if (p == MAP_FAILED)
			give_up(__FILE__, __LINE__, "mmap");
		for (long at = 0; at < BIG; at += 64)
			byte += p[at];
		MUST(munmap((void *)(uintptr_t)p, BIG));
	}
}
