/* SPDX-License-Identifier: MIT */
/*
 * main.c - fuzz [-s SEED] [-t SECONDS] [-w WORKERS] [-c CORPUS] [-o CALL,..] [-l SECONDS]
 *          fuzz; -o: with these calls only; -l: so long between looks for what leaks (15)
 *          fuzz -r REPEAT [-w WORKERS] -c FILE                          run these programs, nothing else
 *
 * The first process starts the workers, starts a dead one anew, tells the host how it goes, and now and then
 * holds all of them and counts: what a program leaves behind when all its processes are gone is a leak.
 *
 * On standard output: "stat KEY=N ...", "program" ... "end" around one for the corpus, "finding: ...".
 * Status: 0 all well, 3 a finding, 2 a mistake in the arguments.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

#define COUNTERS      256

struct shared *shared;
unsigned int worker_count = 2;
static pid_t workers[MAX_WORKERS];
static bool found;

/* A line (or several) in one piece. */
void
report(const char *format, ...)
{
	static char line[TEXT_SIZE + 64];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(line, sizeof(line) - 1, format, ap);
	va_end(ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	line[n] = '\n';
	(void)!write(1, line, (size_t)n + 1);
}

static char *
read_whole(const char *path)
{
	size_t size = 0, room = 1 << 16;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0) {
		report("cannot open %s: %s", path, strerror(errno));
		exit(2);
	}
	while ((n = read(fd, text + size, room - size - 1)) > 0) {
		size += (size_t)n;
		if (room - size < 4096)
			text = realloc(text, room *= 2);
	}
	close(fd);
	text[size] = '\0';
	return text;
}

/* Programs separated by empty lines. */
static void
read_corpus(const char *path)
{
	static struct program p;
	char *all = read_whole(path);
	const char *at = all;

	for (;;) {
		const char *error, *end;

		at += strspn(at, "\n");
		if (!*at)
			break;
		end = program_parse(&p, at, &error);
		if (!end) {
			const char *next = strstr(at, "\n\n");

			report("corpus: %s expected: %.*s", error, (int)(next ? next - at : 400), at);
			end = next ? next : at + strlen(at);
		} else if (p.count) {
			corpus_add(at, (size_t)(end - at));
		}
		at = end;
	}
	free(all);
}

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* --- what is left behind ---------------------------------------------------------------------- */

struct counter {
	char name[48];
	long n;
};

/* Numbers that return to where they were when nothing runs; others are caches. */
static const char *const exact[] = {
	"threads", "processes", "open", "slab.process", "slab.thread", "slab.file", "slab.address_space", "slab.fpu_area",
	"slab.mapping", "file.pipe", "file.socket", "file.eventfd", "file.epoll", "file.file", "file.timerfd", "file.signalfd",
};

static unsigned int
read_counters(struct counter *c)
{
	FILE *f = fopen("/proc/tessera/counters", "r");
	unsigned int n = 0;

	while (f && n < COUNTERS && fscanf(f, "%47s %ld", c[n].name, &c[n].n) == 2)
		n++;
	if (f)
		fclose(f);
	return n;
}

static long
value_of(const struct counter *c, unsigned int n, const char *name)
{
	for (unsigned int i = 0; i < n; i++)
		if (strcmp(c[i].name, name) == 0)
			return c[i].n;
	return 0;
}

static void
hold(bool on)
{
	shared->pause = on;
	for (unsigned int i = 0; on && i < worker_count; i++)
		for (int tries = 0; tries < 15000 && !shared->paused[i] && workers[i]; tries++) {
			int status;

			if (waitpid(workers[i], &status, WNOHANG) == workers[i]) {
				workers[i] = 0;
				report("stat worker=%u status=%#x", i, (unsigned int)status);
				break;
			}
			if (tries % 5000 == 4999)
				report("stat waiting for worker %u", i);
			usleep(2000);
		}
}

/* Compare with the first count. Freeing may lag behind: wait for it up to three seconds. */
static void
check_leaks(void)
{
	static struct counter first[COUNTERS], now[COUNTERS];
	static unsigned int first_count;
	static long free_before;
	unsigned int n;

	hold(true);
	for (int tries = 0; tries < 30; tries++) {
		bool more = false;

		usleep(100000);
		n = read_counters(now);
		if (!first_count)
			continue;
		for (unsigned int i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
			more |= value_of(now, n, exact[i]) > value_of(first, first_count, exact[i]) + 2;
		if (!more)
			break;
	}
	if (!first_count && n) {
		memcpy(first, now, sizeof(first));
		first_count = n;
		free_before = value_of(now, n, "frames_free");
	}
	for (unsigned int i = 0; n && i < sizeof(exact) / sizeof(exact[0]); i++) {
		long before = value_of(first, first_count, exact[i]), after = value_of(now, n, exact[i]);

		/* A worker's C library and the kernel's own late work may hold a few. */
		if (after > before + 16) {
			report("finding: leak: %s was %ld, is %ld with nothing running", exact[i], before, after);
			found = true;
		}
	}
	if (n && free_before - value_of(now, n, "frames_free") > 16384) {
		report("finding: leak: frames_free was %ld, is %ld with nothing running", free_before,
		       value_of(now, n, "frames_free"));
		for (unsigned int i = 0; i < n; i++)
			if (now[i].n > value_of(first, first_count, now[i].name) + 500)
				report("  %s was %ld, is %ld", now[i].name, value_of(first, first_count, now[i].name), now[i].n);
		found = true;
	}
	if (kill(1, 0) < 0) {
		report("finding: process 1 is gone");
		found = true;
	}
	hold(false);
}

/* --- workers ---------------------------------------------------------------------------------- */

static uint64_t seed = 1;
static unsigned int replay;

static void
start_worker(unsigned int i)
{
	workers[i] = fork();
	if (workers[i] == 0)
		worker_main(i, seed, replay != 0, replay ? replay : 1);
	if (workers[i] < 0) {
		report("cannot start a worker: %s", strerror(errno));
		workers[i] = 0;
	}
}

/* Ends are noticed; in a replay a worker ends when it is through. */
static unsigned int
look_after_workers(void)
{
	unsigned int alive = 0;

	for (unsigned int i = 0; i < worker_count; i++) {
		int status;

		if (workers[i] && waitpid(workers[i], &status, WNOHANG) == workers[i]) {
			workers[i] = 0;
			if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
				found = true;
			if (status)
				report("stat worker=%u status=%#x", i, (unsigned int)status);
			if (shared->lock == i + 1)
				shared->lock = 0;
			if (status && !found && !shared->stop)
				start_worker(i);
		}
		alive += workers[i] != 0;
	}
	return alive;
}

static void
tell(double since)
{
	report("stat seconds=%.0f runs=%lu calls=%lu edges=%lu corpus=%u new=%lu", seconds() - since, shared->runs,
	       shared->calls, shared->edges, shared->corpus_count, shared->kept);
}

/* A thing that lives on would be no finding: limits and scores are set before the workers exist. */
static void
protect(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "-900", 4);
		close(fd);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

int
main(int argc, char **argv)
{
	double start = seconds(), told = start, checked = start, limit = 60, check_seconds = 15;
	const char *corpus = NULL, *only = NULL;
	int option;

	while ((option = getopt(argc, argv, "s:t:w:c:r:o:l:")) != -1)
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 't':
			limit = atof(optarg);
			break;
		case 'w':
			worker_count = (unsigned int)atoi(optarg);
			break;
		case 'c':
			corpus = optarg;
			break;
		case 'o':
			only = optarg;
			break;
		case 'l':
			check_seconds = atof(optarg);
			break;
		case 'r':
			replay = (unsigned int)atoi(optarg);
			break;
		default:
			return 2;
		}
	if (worker_count < 1 || worker_count > MAX_WORKERS)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 2;
	kinds_init();
	if (only && !descs_choose(only)) {
		report("-o wants names of calls with commas between, not %s", only);
		return 2;
	}
	if (corpus)
		read_corpus(corpus);
	protect();
	report("stat seed=%lu workers=%u corpus=%u", seed, worker_count, shared->corpus_count);
	for (unsigned int i = 0; i < worker_count; i++)
		start_worker(i);
	while (seconds() - start < limit && !found) {
		usleep(50000);
		if (!look_after_workers() && replay)
			break;
		if (seconds() - told > 5) {
			told = seconds();
			tell(start);
		}
		if (!replay && seconds() - checked > check_seconds) {
			check_leaks();
			checked = seconds();
		}
	}
	shared->stop = 1;
	shared->pause = 0;
	for (double end = seconds() + 30; look_after_workers() && seconds() < end;)
		usleep(10000);
	tell(start);
	return found ? 3 : 0;
}
