/* SPDX-License-Identifier: MIT */
/* Files, directories, handles: what is each worker's own, and what all share. */
#include "parallel.h"

#define BOTH (PROCESSES | THREADS)

static void
make(const char *name)
{
	int fd = MUST(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));

	MUST(write(fd, block, 4096));
	MUST(close(fd));
}

static void
own_name(struct worker *w)
{
	snprintf(w->name, sizeof(w->name), "file%d", w->index);
	make(w->name);
}

static void
common_name(void)
{
	make("common");
}

static void
common_open(void)
{
	common_name();
	shared_fd = MUST(open("common", O_RDWR));
}

static void
own_open(struct worker *w)
{
	own_name(w);
	w->fd[0] = MUST(open(w->name, O_RDWR));
}

WORKERS(open_own, BOTH, own_name, NULL)
{
	MUST(close(MUST(open(w->name, O_RDONLY))));
}

WORKERS(open_same, BOTH, NULL, common_name)
{
	MUST(close(MUST(open("common", O_RDONLY))));
	w->turn++;
}

WORKERS(stat_same, BOTH, NULL, common_name)
{
	struct stat st;

	MUST(stat("common", &st));
	w->turn++;
}

WORKERS(pread_own, BOTH, own_open, NULL)
{
	char to[64];

	MUST(pread(w->fd[0], to, sizeof(to), 0));
}

/* One open file for all. */
WORKERS(pread_same, BOTH, NULL, common_open)
{
	char to[64];

	MUST(pread(shared_fd, to, sizeof(to), 64));
	w->turn++;
}

/* The position is the file's: one after the other. */
WORKERS(read_same, BOTH, NULL, common_open)
{
	char to[64];

	if (MUST(read(shared_fd, to, sizeof(to))) == 0)
		MUST(lseek(shared_fd, 0, SEEK_SET));
	w->turn++;
}

WORKERS(pwrite_own, BOTH, own_open, NULL)
{
	MUST(pwrite(w->fd[0], block, 64, 0));
}

WORKERS(dup_close, BOTH, NULL, common_open)
{
	MUST(close(MUST(dup(shared_fd))));
	w->turn++;
}

/* --- directories ------------------------------------------------------------------------------------- */

static void
own_directory(struct worker *w)
{
	char name[16];

	snprintf(name, sizeof(name), "dir%d", w->index);
	MUST(mkdir(name, 0700));
	snprintf(w->name, sizeof(w->name), "%s/new", name);
}

static void
own_new_name(struct worker *w)
{
	snprintf(w->name, sizeof(w->name), "new%d", w->index);
}

static void
create_and_unlink(struct worker *w)
{
	MUST(close(MUST(open(w->name, O_WRONLY | O_CREAT | O_EXCL, 0600))));
	MUST(unlink(w->name));
}

WORKERS(create_own_directory, BOTH, own_directory, NULL)
{
	create_and_unlink(w);
}

WORKERS(create_same_directory, BOTH, own_new_name, NULL)
{
	create_and_unlink(w);
}

static void
two_names(struct worker *w)
{
	own_new_name(w);
	make(w->name);
}

WORKERS(rename_same_directory, PROCESSES, two_names, NULL)
{
	char other[40];

	snprintf(other, sizeof(other), "%s.b", w->name);
	MUST(rename(w->name, other));
	MUST(rename(other, w->name));
}
