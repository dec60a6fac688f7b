/* SPDX-License-Identifier: MIT */
/*
 * bench.c - runs the items: see bench.h.
 *
 *	bench [WORD...]     those whose names begin with a WORD; all
 *	bench --list        their names, units and how many operations a round has
 *	bench --nothing     ends at once: what fork_exec starts
 */
#include "bench.h"

#include <sys/prctl.h>

#define ROUNDS 3

static struct item *items, **last = &items;

void
item_register(struct item *i)
{
	*last = i;
	last = &i->next;
}

void
give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, strerror(errno));
	_exit(1);
}

pid_t
start_child(void (*body)(void))
{
	pid_t pid = MUST(fork());

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	body();
	_exit(0);
}

void
wait_child(pid_t pid)
{
	int status;

	MUST(waitpid(pid, &status, 0));
	if (status != 0) {
		errno = ECHILD;
		give_up(__FILE__, __LINE__, "the child failed");
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double
one_round(struct item *i, long n)
{
	double start, end;

	if (i->before)
		i->before();
	start = now();
	MARK_START();
	i->run(n);
	MARK_STOP();
	end = now();
	if (i->after)
		i->after();
	return (end - start) / (double)n;
}

static void
measure(struct item *i)
{
	double best = 0;

	one_round(i, i->n > 10 ? i->n / 10 : 1);
	for (int round = 0; round < ROUNDS; round++) {
		double ns = one_round(i, i->n);

		if (round == 0 || ns < best)
			best = ns;
	}
	if (i->bytes)
		printf("%s\t%s\t%.2f\n", i->name, i->unit, (double)i->bytes * 1e3 / best);
	else
		printf("%s\t%s\t%.2f\n", i->name, i->unit, best);
	fflush(stdout);
}

static bool
is_wanted(const struct item *i, int argc, char **argv)
{
	if (argc < 2)
		return true;
	for (int a = 1; a < argc; a++)
		if (strncmp(i->name, argv[a], strlen(argv[a])) == 0)
			return true;
	return false;
}

/* A child of its own: what an item leaves behind does not slow the next. */
static int
run_apart(struct item *i)
{
	char dir[] = "/tmp/bench.XXXXXX";
	int status;
	pid_t pid;

	if (!mkdtemp(dir))
		give_up(__FILE__, __LINE__, dir);
	pid = MUST(fork());
	if (pid == 0) {
		MUST(chdir(dir));
		measure(i);
		_exit(0);
	}
	MUST(waitpid(pid, &status, 0));
	rmdir(dir);
	return status;
}

int
main(int argc, char **argv)
{
	int failed = 0;

	if (argc > 1 && strcmp(argv[1], "--nothing") == 0)
		return 0;
	for (struct item *i = items; i; i = i->next) {
		if (argc > 1 && strcmp(argv[1], "--list") == 0) {
			printf("%s\t%s\t%ld\n", i->name, i->unit, i->n);
		} else if (is_wanted(i, argc, argv) && run_apart(i) != 0) {
			printf("%s\tfailed\n", i->name);
			failed = 1;
		}
	}
	return failed;
}
