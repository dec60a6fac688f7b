/* SPDX-License-Identifier: MIT */
/*
 * frame.c - see frame.h.
 */
#include "frame.h"

#include <ftw.h>
#include <sys/prctl.h>

void
give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
	_exit(1);
}

double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

pid_t
start_child(void (*body)(void *arg), void *arg)
{
	pid_t pid = MUST(fork());

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	body(arg);
	_exit(0);
}

void
wait_child(pid_t pid, const char *who)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	if (status != 0) {
		fprintf(stderr, "%s ended with %#x\n", who, (unsigned int)status);
		_exit(1);
	}
}

bool
is_wanted(const char *name, int first, int argc, char **argv)
{
	if (argc <= first)
		return true;
	for (int a = first; a < argc; a++)
		if (strncmp(name, argv[a], strlen(argv[a])) == 0)
			return true;
	return false;
}

static int
remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st, (void)kind, (void)where;
	return remove(path);
}

int
run_apart(void (*body)(void *item), void *item)
{
	char dir[] = "/tmp/bench.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir))
		give_up(__FILE__, __LINE__, dir);
	pid = MUST(fork());
	if (pid == 0) {
		MUST(chdir(dir));
		body(item);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	if (nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
		fprintf(stderr, "%s is left: %s\n", dir, strerror(errno));
	return status;
}
