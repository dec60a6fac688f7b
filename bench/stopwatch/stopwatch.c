/* SPDX-License-Identifier: MIT */
/*
 * stopwatch.c - how long a program takes, from its creation until it is reaped.
 *
 *	stopwatch [-n ROUNDS] [-b COMMAND] NAME PROGRAM [ARGUMENT...]
 *
 * Runs PROGRAM once to warm up and then ROUNDS times (3), prints
 *
 *	NAME <tab> us <tab> least time of a round in microseconds
 *
 * -b COMMAND is done by the shell before every round, unmeasured. The program reads nothing and its output is thrown
 * away; what it says on standard error is shown. It must succeed every time: a failure would be fast.
 *
 * BENCH_ITEMS, words with blanks between, chooses: an item whose name begins with none of them is passed over.
 */
#include "../frame.h"

#include <err.h>

#define WORDS_MAX 64

/* Waits for the child that `argv` is run in, which vfork has made. */
static void
run(char **argv)
{
	pid_t pid = MUST(vfork());

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	wait_child(pid, argv[0]);
}

/* Do the words of BENCH_ITEMS choose it? */
static bool
is_chosen(const char *name)
{
	char *words[WORDS_MAX], *text = strdup(getenv("BENCH_ITEMS") ?: ""), *word;
	int n = 0;

	while (n < WORDS_MAX && (word = strsep(&text, " ")))
		if (*word)
			words[n++] = word;
	return is_wanted(name, 0, n, words);
}

int
main(int argc, char **argv)
{
	int rounds = 3;
	char *before = NULL;
	for (int option; (option = getopt(argc, argv, "+n:b:")) != -1;) {
		if (option == 'n')
			rounds = atoi(optarg);
		else if (option == 'b')
			before = optarg;
		else
			return 2;
	}
	if (argc - optind < 2 || rounds < 1)
		errx(2, "stopwatch [-n ROUNDS] [-b COMMAND] NAME PROGRAM [ARGUMENT...]");
	char *name = argv[optind], **program = argv + optind + 1;
	if (!is_chosen(name))
		return 0;

	int out = MUST(fcntl(1, F_DUPFD_CLOEXEC, 10)), null = MUST(open("/dev/null", O_RDWR));
	MUST(dup2(null, 0));
	MUST(dup2(null, 1));
	double least = 0;
	for (int i = 0; i <= rounds; i++) {
		if (before)
			run((char *[]){ "sh", "-c", before, NULL });
		double begun = now();
		run(program);
		double took = now() - begun;
		if (i == 1 || (i > 1 && took < least))
			least = took;
	}
	dprintf(out, "%s\tus\t%.1f\n", name, least / 1000);
	return 0;
}
