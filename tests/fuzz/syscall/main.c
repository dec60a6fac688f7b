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
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/loop.h>
#include <linux/vduse.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

#define COUNTERS      256
#define LOOPS         3

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

/*
 * What returns to where it was when nothing runs: how many may stay, and are no leak. Names and numbers of pages looked at
 * are kept while memory is plenty, and the nodes (kmalloc-768) that find the pages; magazines and regions are made once for
 * each CPU and need.
 */
static long
slack_of(const char *name)
{
	static const struct {
		const char *name;
		long slack;
	} kept[] = {
		{ "slab.magazine", 1000000 }, { "slab.dentry", 3000 }, { "slab.inode", 3000 }, { "slab.region", 1000 },
		{ "slab.kmalloc-768", 1000 }, { "frames", 2048 },
	};
	static const char *const lives[] = { "threads", "processes", "open", "handles" };

	for (unsigned int i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (strcmp(name, kept[i].name) == 0)
			return kept[i].slack;
	for (unsigned int i = 0; i < sizeof(lives) / sizeof(lives[0]); i++)
		if (strcmp(name, lives[i]) == 0)
			return 0;
	if (strncmp(name, "slab.kmalloc", 12) == 0)
		return 16;
	return strncmp(name, "slab.", 5) == 0 || strncmp(name, "file.", 5) == 0 ? 4 : -1;
}

/* The keyrings of both users live for ever, and what was put into them: that is no finding. */
static void
clear_keyrings(void)
{
	static const uid_t users[] = { 0, NOBODY };

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		pid_t pid = fork();

		if (pid == 0) {
			if (setuid(users[i]) == 0) {
				syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_USER_SESSION_KEYRING);
				syscall(SYS_keyctl, KEYCTL_CLEAR, KEY_SPEC_USER_KEYRING);
			}
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
}

/* Disks of daemons that are gone, and loop devices, outlive the programs that made them. A few loop devices are always there. */
static void
renew_disks(void)
{
	int vduse = open("/dev/vduse/control", O_RDWR | O_CLOEXEC), loops = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	DIR *names = opendir("/sys/class/vduse");

	for (struct dirent *e; names && (e = readdir(names));) {
		char name[VDUSE_NAME_MAX] = "";

		snprintf(name, sizeof(name), "%.255s", e->d_name);
		if (name[0] != '.' && strcmp(name, "control") != 0 && ioctl(vduse, VDUSE_DESTROY_DEV, name))
			report("stat %s stays: %s", name, strerror(errno));
	}
	if (names)
		closedir(names);
	names = opendir("/sys/block");
	for (struct dirent *e; names && (e = readdir(names));) {
		char path[300];
		int number, fd;

		if (sscanf(e->d_name, "loop%d", &number) != 1)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd >= 0) {
			ioctl(fd, LOOP_CLR_FD, 0);
			close(fd);
		}
		ioctl(loops, LOOP_CTL_REMOVE, number);
	}
	if (names)
		closedir(names);
	for (int number = 0; number < LOOPS; number++)
		ioctl(loops, LOOP_CTL_ADD, number);
	close(vduse);
	close(loops);
}

/* A program waits for its disk as long as this says; the fuzzer waits for no program so long. */
static void
hurry_disks(void)
{
	DIR *names = opendir("/sys/block");

	for (struct dirent *e; names && (e = readdir(names));) {
		char path[300];
		int fd;

		if (strncmp(e->d_name, "vd", 2) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s/queue/io_timeout", e->d_name);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0)
			continue;
		(void)!write(fd, "100", 3);
		close(fd);
	}
	if (names)
		closedir(names);
}

/*
 * What lives, with "frames": those in use but for caches. What is freed late is freed first. Sockets that keep each
 * other in flight go when another one closes.
 */
static unsigned int
read_counters(struct counter *c)
{
	FILE *f = fopen("/proc/tessera/counters", "r+e"); /* before: neither opening nor closing counts */
	int last = socket(AF_UNIX, SOCK_DGRAM, 0);
	long frames = 0;
	unsigned int n = 0;

	if (last >= 0)
		close(last);
	clear_keyrings();
	renew_disks();
	syscall(SYS_acct, NULL); /* the file that a program had the kernel write to stays open for ever */
	if (f)
		(void)!pwrite(fileno(f), "settle", 6, 0);
	while (f && n < COUNTERS - 1 && fscanf(f, "%47s %ld", c[n].name, &c[n].n) == 2) {
		const char *name = c[n].name;

		if (strcmp(name, "frames_total") == 0)
			frames += c[n].n;
		else if (strcmp(name, "frames_free") == 0 || strcmp(name, "frames_slab") == 0 ||
			 strcmp(name, "frames_cached") == 0 || strcmp(name, "frames_stacks_kept") == 0 ||
			 strcmp(name, "frames_page_array") == 0)
			frames -= c[n].n;
		n += slack_of(name) >= 0;
	}
	if (!f)
		return 0;
	fclose(f);
	c[n++] = (struct counter){ "frames", frames };
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

/* How many counts are above the first; `tell`: say which. */
static unsigned int
compare_counts(const struct counter *first, unsigned int first_count, const struct counter *now, unsigned int n, bool tell)
{
	unsigned int leaks = 0;

	for (unsigned int i = 0; i < n; i++) {
		long before = value_of(first, first_count, now[i].name);

		if (now[i].n <= before + slack_of(now[i].name))
			continue;
		leaks++;
		if (tell)
			report("finding: leak: %s was %ld, is %ld with nothing running", now[i].name, before, now[i].n);
	}
	return leaks;
}

/* Compare with the first count. Freeing may lag behind: wait for it up to three seconds. */
static void
check_leaks(void)
{
	static struct counter first[COUNTERS], now[COUNTERS];
	static unsigned int first_count;
	unsigned int n = 0, leaks = 0;

	hold(true);
	for (int tries = 0; tries < 30; tries++) {
		n = read_counters(now);
		leaks = first_count ? compare_counts(first, first_count, now, n, false) : 0;
		if (!leaks && (first_count || tries == 2))
			break;
		usleep(100000);
	}
	if (!first_count && n) {
		memcpy(first, now, sizeof(first));
		first_count = n;
	}
	if (leaks) {
		compare_counts(first, first_count, now, n, true);
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
	renew_disks();
	report("stat seed=%lu workers=%u corpus=%u", seed, worker_count, shared->corpus_count);
	for (unsigned int i = 0; i < worker_count; i++)
		start_worker(i);
	while (seconds() - start < limit && !found) {
		usleep(50000);
		hurry_disks();
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
