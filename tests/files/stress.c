/* SPDX-License-Identifier: MIT */
/*
 * stress.c - names: several processes make, link, move, fill, shorten and remove what they find in one small tree.
 *
 *   stress [-s SEED] [-p PROCESSES] [-n OPERATIONS] FOLDER    and afterwards checks the tree
 *   stress -l FOLDER                                          lists it, to be compared with what is there later
 *
 * Each error must be one that the operation may give there (no EIO, no EBADF, no ENOTCONN). Files hold records that tell
 * their own place, so that bytes of another file or of a hole that should not be there are seen. At rest: each name
 * can be looked up and is listed once, a directory has the links of its subdirectories, a file as many as it has names.
 *
 * What a process writes it writes when it makes the file: a file system over libfuse keeps a cache for each name of a
 * file with several. The list is read past the page cache where that can be done.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "files.h"

enum { LETTERS = 5, DEPTH = 3, RECORD = 16, RECORDS_MAX = 1200, FILES_MAX = 4096 };

static const uint32_t record_magic = 0x7e55e7a1;

static char *
name(char *buffer)
{
	int depth = 1 + random_below(DEPTH), at = 0;

	for (int i = 0; i < depth; i++)
		at += sprintf(buffer + at, "%s%c%u", i ? "/" : "", i == depth - 1 && random_below(2) ? 'f' : 'd',
			      random_below(LETTERS));
	return buffer;
}

/* 0 when it went well or failed as it may when others change the tree. */
static void
allow(const char *what, const char *where, long result)
{
	static const int fine[] = { ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL, EPERM, ELOOP, EMLINK, EBUSY, ENOSPC };

	if (result >= 0)
		return;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++)
		if (errno == fine[i])
			return;
	fail("%s %s: %s", what, where, strerror(errno));
}

static void
fill(uint32_t *record, uint64_t at, uint32_t tag)
{
	record[0] = record_magic;
	record[1] = (uint32_t)at;
	record[2] = tag;
	record[3] = record[0] ^ record[1] * 2654435761u ^ tag;
}

static bool
is_valid(const uint32_t *record, uint64_t at)
{
	uint32_t want[4];

	if (!(record[0] | record[1] | record[2] | record[3]))
		return true;
	fill(want, at, record[2]);
	return memcmp(want, record, RECORD) == 0;
}

static void
make_file(const char *path)
{
	static uint32_t data[RECORDS_MAX][4];
	uint32_t records = random_below(RECORDS_MAX), tag = random_number();
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600 | random_below(0100));

	allow("make", path, fd);
	if (fd < 0)
		return;
	for (uint32_t i = 0; i < records; i++)
		fill(data[i], i * RECORD, tag);
	for (uint32_t i = 0; i < records;) {
		uint32_t n = 1 + random_below(records - i);

		if (pwrite(fd, data[i], n * RECORD, (off_t)i * RECORD) != (ssize_t)n * RECORD && errno != ENOSPC)
			fail("write to %s: %s", path, strerror(errno));
		i += n + (random_below(4) == 0 ? random_below(300) : 0);
	}
	if (random_below(8) == 0 && fsync(fd) < 0)
		fail("fsync of %s: %s", path, strerror(errno));
	if (close(fd) < 0)
		fail("close of %s: %s", path, strerror(errno));
}

static void
read_file(const char *path, uint32_t *sum, bool directly)
{
	static uint8_t data[65536] __attribute__((aligned(4096)));
	uint64_t at = 0;
	ssize_t n;
	int fd = -1;

	if (directly)
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_DIRECT | O_CLOEXEC);
	if (fd < 0)
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	allow("open", path, fd);
	if (fd < 0)
		return;
	while ((n = read(fd, data, sizeof(data))) > 0) {
		for (ssize_t i = 0; i + RECORD <= n; i += RECORD)
			if (!is_valid((uint32_t *)(data + i), at + i))
				fail("%s: not what was written at %#llx", path, (unsigned long long)(at + i));
		*sum = checksum(*sum, data, n);
		at += n;
	}
	if (n < 0)
		allow("read", path, -1);
	close(fd);
}

static void
list_names(const char *path)
{
	DIR *d = opendir(path);

	allow("opendir", path, d ? 0 : -1);
	while (d && (errno = 0, readdir(d)))
		;
	if (d && errno)
		allow("readdir", path, -1);
	if (d)
		closedir(d);
}

static void
one_operation(void)
{
	char a[64], b[64], text[PATH_MAX];
	struct stat st;
	uint32_t sum = 0;

	name(a);
	name(b);
	switch (random_below(18)) {
	case 0 ... 2:
		allow("mkdir", a, mkdir(a, 0700 | random_below(0100)));
		break;
	case 3 ... 5:
		make_file(a);
		break;
	case 6:
		allow("unlink", a, unlink(a));
		break;
	case 7:
		allow("rmdir", a, rmdir(a));
		break;
	case 8 ... 9:
		allow("rename", a, rename(a, b));
		break;
	case 10:
		allow("renameat2", a, syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b,
					     random_below(2) ? RENAME_NOREPLACE : RENAME_EXCHANGE));
		break;
	case 11:
		allow("link", a, link(a, b));
		break;
	case 12:
		allow("symlink", a, symlink(b, a));
		break;
	case 13:
		allow("readlink", a, readlink(a, text, sizeof(text)));
		allow("chmod", a, chmod(a, 0700 | random_below(0100)));
		break;
	case 14:
		/* Whole records: what is left tells its place. */
		allow("truncate", a, lstat(a, &st));
		if (lstat(a, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1)
			allow("truncate", a, truncate(a, random_below(RECORDS_MAX) * RECORD));
		break;
	case 15:
		list_names(random_below(4) ? a : ".");
		break;
	case 16:
		read_file(a, &sum, false);
		break;
	default:
		allow("lstat", a, lstat(a, &st));
		allow("access", a, access(a, R_OK));
	}
}

/* --- at rest ------------------------------------------------------------------------------------------------ */

static struct {
	ino_t ino;
	unsigned names, links;
} file[FILES_MAX];

static int files;
static bool listing;

static void
count_name(const struct stat *st)
{
	int i = 0;

	while (i < files && file[i].ino != st->st_ino)
		i++;
	if (i == FILES_MAX)
		fail("too many files");
	files += i == files;
	file[i].ino = st->st_ino;
	file[i].links = st->st_nlink;
	file[i].names++;
}

static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* libfuse gives such a name to a file that was removed while it was open, until the last close has come through. */
static int
is_counted(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..") && strncmp(e->d_name, ".fuse_hidden", 12);
}

static void
show(const char *path, const struct stat *st)
{
	char target[PATH_MAX] = "";
	uint32_t sum = 2166136261u;

	if (S_ISLNK(st->st_mode) && readlink(path, target, sizeof(target) - 1) < 0)
		fail("readlink %s: %s", path, strerror(errno));
	if (S_ISREG(st->st_mode))
		read_file(path, &sum, listing);
	if (listing)
		printf("%s %o %lu %lld %u %s\n", path, st->st_mode, (unsigned long)st->st_nlink,
		       S_ISDIR(st->st_mode) ? 0 : (long long)st->st_size, sum, target);
}

static void
walk(const char *path, unsigned depth)
{
	struct dirent **names;
	int count = scandir(path, &names, is_counted, by_name);
	unsigned folders = 0;
	struct stat st;

	if (count < 0 || depth > 200)
		fail("%s: cannot be listed: %s", path, strerror(errno));
	for (int i = 0; i < count; i++) {
		char *inner;

		if (i && strcmp(names[i]->d_name, names[i - 1]->d_name) == 0)
			fail("%s/%s is listed twice", path, names[i]->d_name);
		if (asprintf(&inner, "%s/%s", path, names[i]->d_name) < 0 || lstat(inner, &st) < 0)
			fail("%s/%s is listed, but: %s", path, names[i]->d_name, strerror(errno));
		show(inner, &st);
		if (S_ISDIR(st.st_mode)) {
			folders++;
			walk(inner, depth + 1);
		} else {
			count_name(&st);
		}
		free(inner);
	}
	for (int i = 0; i < count; i++)
		free(names[i]);
	free(names);
	if (lstat(path, &st) < 0 || st.st_nlink != 2 + folders)
		fail("%s has %lu links and %u subdirectories", path, (unsigned long)st.st_nlink, folders);
}

static void
check_tree(void)
{
	walk(".", 0);
	for (int i = 0; i < files; i++)
		if (file[i].names != file[i].links)
			fail("inode %lu has %u names and %u links", (unsigned long)file[i].ino, file[i].names, file[i].links);
}

int
main(int argc, char **argv)
{
	unsigned processes = 4, count = 500, seed = 1, failed = 0;
	int option, status;

	while ((option = getopt(argc, argv, "s:p:n:l")) > 0) {
		if (option == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (option == 'p')
			processes = strtoul(optarg, NULL, 0);
		else if (option == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (option == 'l')
			listing = true;
		else
			return 2;
	}
	if (optind != argc - 1 || chdir(argv[optind]) < 0)
		fail("stress wants a folder");
	for (unsigned p = 0; !listing && p < processes; p++) {
		if (fork() == 0) {
			random_begin(seed * 1000 + p);
			for (unsigned i = 0; i < count; i++)
				one_operation();
			exit(0);
		}
	}
	while (wait(&status) > 0)
		failed += status != 0;
	if (failed)
		fail("%u processes", failed);
	check_tree();
	return 0;
}
