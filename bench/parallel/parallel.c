/* SPDX-License-Identifier: MIT */
/*
 * parallel.c - runs the items of parallel.h.
 *
 *	parallel CPUS[,CPUS...] [WORD...]   those whose names begin with a WORD, or all, with so many workers
 *	parallel --list                     their names
 *
 * With several counts of workers each item is measured with one after the other, and told besides how many times
 * the throughput of the first count the last one has ("scaling"), unless one worker alone does something else than
 * many (NO_SCALING).
 *
 * Workers wait at a gate until all are prepared, warm up, and are counted between two looks at the clock; a stop
 * flag ends them. Each item has a process and a scratch directory of its own, so that nothing of one is left for
 * the next.
 */
#include "parallel.h"

#include <pthread.h>
#include <stdatomic.h>

#define WARM_NS     30000000l
#define MEASURE_NS  150000000l
#define CENSUS_OPERATIONS 20
#define COUNTS_MAX 8

struct board {                  /* shared by all workers of an item */
	atomic_int ready, go, stop;
	struct worker worker[WORKERS_MAX];
};

static struct item *items, **last = &items;
static struct board *board;
static struct item *current;
static int counts[COUNTS_MAX], count_of_counts;

char byte, block[65536];
int shared_fd = -1, cpus;

void
item_register(struct item *i)
{
	*last = i;
	last = &i->next;
}

void
stand_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	MUST(sched_setaffinity(0, sizeof(set), &set));
}

static void
pause_for(long ns)
{
	struct timespec t = { ns / 1000000000l, ns % 1000000000l };

	while (nanosleep(&t, &t) != 0)
		;
}

/* How many flush interrupts all CPUs together have taken. */
static long
flush_interrupts(void)
{
	char line[2048], *at, *end;
	long sum = -1;
	FILE *f = fopen("/proc/interrupts", "r");

	while (f && fgets(line, sizeof(line), f)) {
		at = line + strspn(line, " ");
		if (strncmp(at, "TLB:", 4) != 0)
			continue;
		sum = 0;
		for (at += 4;; at = end) {
			long n = strtol(at, &end, 10);

			if (end == at)
				break;
			sum += n;
		}
	}
	if (sum < 0)
		give_up(__FILE__, __LINE__, "/proc/interrupts has no line TLB");
	fclose(f);
	return sum;
}

/* --- throughput -------------------------------------------------------------------------------------- */

static void
work(struct worker *w)
{
	stand_on(w->index);
	if (current->prepare)
		current->prepare(w);
	atomic_fetch_add(&board->ready, 1);
	while (!atomic_load(&board->go))
		sched_yield();
	while (!atomic_load_explicit(&board->stop, memory_order_relaxed)) {
		current->run(w);
		w->done += current->weight;
	}
}

static void
work_as_process(void *arg)
{
	work(arg);
}

static void *
work_as_thread(void *arg)
{
	work(arg);
	return NULL;
}

static uint64_t
total(int count)
{
	uint64_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += board->worker[i].done;
	return sum;
}

/* What a number of workers do of an item in a second; *flushes, if asked for: the interrupts that each operation took. */
static double
measure(struct item *item, int how, int count, double *flushes)
{
	pthread_t thread[WORKERS_MAX];
	pid_t pid[WORKERS_MAX];
	uint64_t before, done;
	long interrupts = 0;
	double start, rate;

	current = item;
	if (item->share)
		item->share();
	for (int i = 0; i < count; i++) {
		struct worker *w = &board->worker[i];

		*w = (struct worker){ .index = i, .count = count, .fd = { -1, -1, -1, -1 } };
		if (how == THREADS) {
			errno = pthread_create(&thread[i], NULL, work_as_thread, w);
			if (errno)
				give_up(__FILE__, __LINE__, "pthread_create");
		} else {
			pid[i] = start_child(work_as_process, w);
		}
	}
	while (atomic_load(&board->ready) < count)
		pause_for(1000000);
	atomic_store(&board->go, 1);
	pause_for(WARM_NS);
	if (flushes)
		interrupts = flush_interrupts();
	before = total(count);
	start = now();
	do {
		pause_for(MEASURE_NS);
		done = total(count) - before;
	} while (done == 0);
	rate = (double)done * 1e9 / (now() - start);
	if (flushes)
		*flushes = (double)(flush_interrupts() - interrupts) / (double)done;
	atomic_store(&board->stop, 1);
	for (int i = 0; i < count; i++) {
		if (how == THREADS)
			pthread_join(thread[i], NULL);
		else
			wait_child(pid[i], "a worker");
	}
	return rate;
}

/* --- counting ---------------------------------------------------------------------------------------- */

static atomic_int idlers, sleepers_go;

static void *
run_idly(void *arg)
{
	stand_on((int)(intptr_t)arg);
	atomic_fetch_add(&idlers, 1);
	while (!atomic_load_explicit(&board->stop, memory_order_relaxed))
		;
	return NULL;
}

static void *
sleep_idly(void *arg)
{
	stand_on((int)(intptr_t)arg);
	atomic_fetch_add(&idlers, 1);
	syscall(SYS_futex, &sleepers_go, 128, 0, NULL, NULL, 0); /* FUTEX_WAIT_PRIVATE */
	return NULL;
}

/* One thread operates on CPU 0, `others` more run or sleep on the next ones. */
static double
census(struct item *item, int others, bool running)
{
	pthread_t thread[WORKERS_MAX];
	struct worker *w = &board->worker[0];
	long before;

	*w = (struct worker){ .count = 1 + others };
	atomic_store(&board->stop, 0);
	atomic_store(&idlers, 0);
	atomic_store(&sleepers_go, 0);
	stand_on(0);
	if (item->share)
		item->share();
	if (item->prepare)
		item->prepare(w);
	for (int i = 0; i < others; i++) {
		errno = pthread_create(&thread[i], NULL, running ? run_idly : sleep_idly,
				       (void *)(intptr_t)(i + 1));
		if (errno)
			give_up(__FILE__, __LINE__, "pthread_create");
	}
	while (atomic_load(&idlers) < others)
		pause_for(1000000);
	pause_for(5000000);
	item->run(w);
	before = flush_interrupts();
	for (int i = 0; i < CENSUS_OPERATIONS; i++)
		item->run(w);
	before = flush_interrupts() - before;
	atomic_store(&board->stop, 1);
	atomic_store(&sleepers_go, 1);
	syscall(SYS_futex, &sleepers_go, 129, WORKERS_MAX, NULL, NULL, 0);
	for (int i = 0; i < others; i++)
		pthread_join(thread[i], NULL);
	return (double)before / CENSUS_OPERATIONS;
}

/* --- the items --------------------------------------------------------------------------------------- */

/* An item done in one way; shared with the process that does it, which tells the rate. */
struct run {
	struct item *item;
	int how;
	double rate;
};

static const char *
way_name(int how)
{
	return how == THREADS ? "threads" : "processes";
}

/* With `cpus` workers; prints what it found. */
static void
run_once(void *arg)
{
	struct run *r = arg;
	const char *name = r->item->name, *how = way_name(r->how);
	bool counts_flushes = r->how == THREADS && cpus > 1;
	double flushes;

	board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED)
		give_up(__FILE__, __LINE__, "mmap");
	if (r->how == CENSUS) {
		printf("%s.running.%d\tinterrupts/op\t%.3f\n", name, cpus, census(r->item, cpus - 1, true));
		printf("%s.sleeping.%d\tinterrupts/op\t%.3f\n", name, cpus, census(r->item, cpus - 1, false));
	} else {
		r->rate = measure(r->item, r->how, cpus, counts_flushes ? &flushes : NULL);
		printf("%s.%s.%d\tops/s\t%.0f\n", name, how, cpus, r->rate);
		if (counts_flushes)
			printf("%s.%s.%d.flushes\tinterrupts/op\t%.3f\n", name, how, cpus, flushes);
	}
	fflush(stdout);
}

/* One item in one way with all the counts of workers: how many of them failed. */
static int
run_one_way(struct run *r)
{
	double first = 0;
	int failed = 0;

	for (int c = 0; c < count_of_counts; c++) {
		cpus = counts[c];
		if (r->how == CENSUS && (cpus < 2 || c + 1 < count_of_counts))
			continue;
		r->rate = 0;
		if (run_apart(run_once, r) != 0) {
			fprintf(stderr, "parallel: %s with %d failed\n", r->item->name, cpus);
			failed++;
		}
		if (c == 0)
			first = r->rate;
		else if (c + 1 == count_of_counts && first > 0 && r->rate > 0 && !(r->item->kind & NO_SCALING))
			printf("%s.%s.scaling\tx\t%.3f\n", r->item->name, way_name(r->how), r->rate / first);
	}
	return failed;
}

static void
read_counts(const char *text)
{
	char *end;

	do {
		counts[count_of_counts] = (int)strtol(text, &end, 10);
		if (counts[count_of_counts] < 1 || counts[count_of_counts] > WORKERS_MAX)
			break;
		count_of_counts++;
		text = end + 1;
	} while (*end == ',' && count_of_counts < COUNTS_MAX);
}

int
main(int argc, char **argv)
{
	struct run *r;
	int failed = 0;

	if (argc < 2) {
		fprintf(stderr, "usage: parallel CPUS [WORD...] | --list\n");
		return 2;
	}
	if (strcmp(argv[1], "--nothing") == 0)
		return 0;
	read_counts(argv[1]);
	r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		give_up(__FILE__, __LINE__, "mmap");
	for (struct item *i = items; i; i = i->next) {
		if (strcmp(argv[1], "--list") == 0) {
			printf("%s\n", i->name);
			continue;
		}
		if (!is_wanted(i->name, 2, argc, argv))
			continue;
		for (int how = PROCESSES; how <= CENSUS; how *= 2) {
			*r = (struct run){ .item = i, .how = how };
			if (i->kind & how)
				failed += run_one_way(r);
		}
	}
	return failed > 0;
}
