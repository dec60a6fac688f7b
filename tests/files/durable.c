/* SPDX-License-Identifier: MIT */
/*
 * durable.c - make files durable in each way that there is, and say so; for machines whose power is cut.
 *
 *   durable [-n STEPS] FOLDER DEVICE OFFSET
 *
 * After each step that returned, and so must be found after any power cut from then on, a line goes to standard output,
 * and into the block at OFFSET of DEVICE, past the page cache: the disk's own record of writes then has the line behind
 * all that it promises. What a line says is all that the verifier (power_cut.py) needs:
 *
 *   log K LENGTH         FOLDER/log ends, or did once, with text K of that length; fsync
 *   table K SLOT         FOLDER/table: 4096 bytes of text K at SLOT * 4096, in place; fdatasync
 *   mapped K SLOT        FOLDER/mapped: the same through a shared mapping; msync
 *   file K LENGTH        FOLDER/file-K is text K; fsync
 *   renamed K LENGTH     FOLDER/current is text K; written as current.new, fsync, rename, fsync of FOLDER
 *   tree K LENGTH        FOLDER/tree-K/file is text K, in a directory that was just made; fsync of the file
 *   remove K             said before it begins: from here on file-K may be there or not
 *
 * Text K: lines "KKKKKKKK:NNNNNNNN\n", N counted from 0. A slot's step is the only one under way when power is cut.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files.h"

enum { BLOCK = 4096, SLOTS = 16, TEXT_MAX = 40000, LINE = 18 };

static char text[TEXT_MAX + LINE + 1];
static int device;
static off_t device_offset;
static char *mapped;

static const char *
make_text(unsigned k, size_t length)
{
	for (size_t n = 0; n * LINE < length; n++)
		sprintf(text + n * LINE, "%08u:%08zu\n", k, n);
	return text;
}

static void
must(const char *what, bool good)
{
	if (!good)
		fail("%s: %s", what, strerror(errno));
}

static void __attribute__((format(printf, 1, 2)))
announce(const char *format, ...)
{
	static char block[BLOCK] __attribute__((aligned(BLOCK)));
	va_list ap;

	memset(block, 0, sizeof(block));
	strcpy(block, "durable: ");
	va_start(ap, format);
	vsnprintf(block + 9, sizeof(block) - 9, format, ap);
	va_end(ap);
	must("the record of what is durable", pwrite(device, block, BLOCK, device_offset) == BLOCK);
	puts(block);
	fflush(stdout);
}

static void
write_file(const char *path, int flags, unsigned k, size_t length, bool sync)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644);

	must(path, fd >= 0);
	must("write", write(fd, make_text(k, length), length) == (ssize_t)length);
	must("fsync", !sync || fsync(fd) == 0);
	must("close", close(fd) == 0);
}

static void
step_table(unsigned k)
{
	unsigned slot = random_below(SLOTS);
	int fd = open("table", O_WRONLY | O_CLOEXEC);

	must("table", fd >= 0 && pwrite(fd, make_text(k, BLOCK), BLOCK, (off_t)slot * BLOCK) == BLOCK);
	must("fdatasync", fdatasync(fd) == 0 && close(fd) == 0);
	announce("table %u %u", k, slot);
}

static void
step_mapped(unsigned k)
{
	unsigned slot = random_below(SLOTS);

	memcpy(mapped + slot * BLOCK, make_text(k, BLOCK), BLOCK);
	must("msync", msync(mapped + slot * BLOCK, BLOCK, MS_SYNC) == 0);
	announce("mapped %u %u", k, slot);
}

static void
step_renamed(unsigned k, size_t length)
{
	int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	write_file("current.new", O_TRUNC, k, length, true);
	must("rename", rename("current.new", "current") == 0);
	must("fsync of the folder", fsync(folder) == 0 && close(folder) == 0);
	announce("renamed %u %zu", k, length);
}

static void
step_tree(unsigned k, size_t length)
{
	char path[64];

	snprintf(path, sizeof(path), "tree-%u", k);
	must("mkdir", mkdir(path, 0755) == 0);
	snprintf(path, sizeof(path), "tree-%u/file", k);
	write_file(path, O_EXCL, k, length, true);
	announce("tree %u %zu", k, length);
}

static void
step_file(unsigned k, size_t length)
{
	static unsigned kept[8], next;
	char path[32];

	snprintf(path, sizeof(path), "file-%u", kept[next]);
	if (kept[next]) {
		announce("remove %u", kept[next]);
		must("unlink", unlink(path) == 0);
	}
	snprintf(path, sizeof(path), "file-%u", k);
	write_file(path, O_EXCL, k, length, true);
	announce("file %u %zu", k, length);
	kept[next] = k;
	next = (next + 1) % 8;
}

static void
step(unsigned k)
{
	size_t length = 1 + random_below(random_below(4) ? 3000 : TEXT_MAX - 1);

	switch (random_below(7)) {
	case 0:
		write_file("log", O_APPEND, k, length, true);
		announce("log %u %zu", k, length);
		break;
	case 1:
		step_table(k);
		break;
	case 2:
		step_mapped(k);
		break;
	case 3:
		step_renamed(k, length);
		break;
	case 4:
		step_tree(k, length);
		break;
	default:
		step_file(k, length);
	}
}

int
main(int argc, char **argv)
{
	unsigned steps = 100;
	int option, fd;

	while ((option = getopt(argc, argv, "n:s:")) > 0) {
		if (option == 'n')
			steps = strtoul(optarg, NULL, 0);
		else if (option == 's')
			random_begin(strtoul(optarg, NULL, 0));
		else
			return 2;
	}
	if (argc - optind != 3)
		return 2;
	device = open(argv[optind + 1], O_WRONLY | O_DIRECT | O_CLOEXEC);
	must(argv[optind + 1], device >= 0 && chdir(argv[optind]) == 0);
	device_offset = strtoll(argv[optind + 2], NULL, 0);
	write_file("table", O_EXCL, 0, SLOTS * BLOCK < TEXT_MAX ? SLOTS * BLOCK : TEXT_MAX, false);
	fd = open("table", O_WRONLY | O_CLOEXEC);
	must("table", fd >= 0 && ftruncate(fd, SLOTS * BLOCK) == 0 && fsync(fd) == 0 && close(fd) == 0);
	fd = open("mapped", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	must("mapped", fd >= 0);
	for (int i = 0; i < SLOTS; i++)
		must("mapped", pwrite(fd, make_text(0, BLOCK), BLOCK, (off_t)i * BLOCK) == BLOCK);
	must("mapped", fsync(fd) == 0);
	mapped = mmap(NULL, SLOTS * BLOCK, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must("mmap", mapped != MAP_FAILED);
	announce("begin 0 0");
	for (unsigned k = 1; k <= steps; k++)
		step(k);
	announce("end 0 0");
	return 0;
}
