/* SPDX-License-Identifier: MIT */
/*
 * many.c - many small files: `many create|read|delete FOLDER COUNT`.
 *
 * COUNT files of 1 to 16 KiB in ten folders; read checks what it reads.
 */
#include "../frame.h"

#define FOLDERS 10
#define LARGEST 16384

static char data[LARGEST], back[LARGEST];

static size_t
size_of(int n)
{
	return 1024u * (1u + (unsigned)n * 7 % 16);
}

static void
create(const char *path, int n)
{
	int fd = MUST(open(path, O_WRONLY | O_CREAT | O_EXCL, 0644));

	data[0] = (char)n;
	if (write(fd, data, size_of(n)) != (ssize_t)size_of(n))
		give_up(__FILE__, __LINE__, path);
	MUST(close(fd));
}

static void
read_back(const char *path, int n)
{
	int fd = MUST(open(path, O_RDONLY));

	data[0] = (char)n;
	if (read(fd, back, sizeof(back)) != (ssize_t)size_of(n) || memcmp(data, back, size_of(n)) != 0)
		give_up(__FILE__, __LINE__, path);
	MUST(close(fd));
}

int
main(int argc, char **argv)
{
	char path[256];

	if (argc != 4)
		return 2;
	for (int i = 0; i < LARGEST; i++)
		data[i] = (char)(i * 31);
	for (int n = 0; n < atoi(argv[3]); n++) {
		snprintf(path, sizeof(path), "%s/%d", argv[2], n % FOLDERS);
		if (n < FOLDERS && argv[1][0] == 'c')
			MUST(mkdir(path, 0755));
		snprintf(path, sizeof(path), "%s/%d/%d", argv[2], n % FOLDERS, n);
		if (argv[1][0] == 'c')
			create(path, n);
		else if (argv[1][0] == 'r')
			read_back(path, n);
		else
			MUST(unlink(path));
	}
	return 0;
}
