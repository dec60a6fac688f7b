/* SPDX-License-Identifier: MIT */
/*
 * worker.c - the loop: choose, mutate, log, run, look at the coverage; keep what found something new.
 *
 * A program that reached new edges runs again: edges that come back are its own, the others were
 * chance. Then calls are taken away as long as those edges stay. What is left joins the corpus, and the
 * comparisons that it was seen to fail give a few more programs to try.
 */
#include "shared.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define NEW_MAX 512
#define HINTS   24
#define ASKED_SECONDS 120 /* the host asks kdb where a process hangs, and ends the machine */
#define SLOW_MS 300 /* not worth a place in the corpus */

static unsigned int self;
static uint32_t *seen;            /* MAP_SIZE: the run that last reached the edge */
static uint32_t run_number;
static uint32_t fresh[NEW_MAX];   /* edges that nobody had reached before the run */
static unsigned int fresh_count;
static bool slow;                 /* the last run was */
static char text[TEXT_SIZE];
static struct program current, parent, other;

struct record *
log_program(unsigned int worker, const char *program, size_t length)
{
	/* Made at run time: no copy of it lies in the program's file. */
	static const uint8_t half[16] = { 0x15, 0x04, 0x12, 0x12, 0x04, 0x13, 0x00, 0x4c, 0x07, 0x14, 0x1b, 0x1b, 0x4c, 0x0d, 0x0e, 0x06 };
	uint64_t number = ++shared->number[worker];
	size_t room = sizeof(shared->ring[0][0].text);
	uint32_t parts = (uint32_t)((length + room - 1) / room);
	struct record *first = NULL;
	static uint32_t next[MAX_WORKERS];

	for (uint32_t part = 0; part < parts; part++) {
		struct record *r = &shared->ring[worker][next[worker]++ % RING_PAGES];
		size_t n = length - part * room < room ? length - part * room : room;

		for (int i = 0; i < 16; i++)
			r->magic[i] = half[i] ^ 0x61;
		r->worker = worker;
		r->number = number;
		r->part = part;
		r->parts = parts;
		r->length = (uint32_t)n;
		memcpy(r->text, program + part * room, n);
		r->state = RECORD_RUNNING;
		if (!first)
			first = r;
	}
	return first;
}

static void
lock(void)
{
	uint32_t none = 0;

	while (!__atomic_compare_exchange_n(&shared->lock, &none, self + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
		none = 0;
		sched_yield();
	}
}

static void
unlock(void)
{
	__atomic_store_n(&shared->lock, 0, __ATOMIC_RELEASE);
}

bool
corpus_add(const char *program, size_t length)
{
	bool room;

	lock();
	room = shared->corpus_count < CORPUS_MAX && shared->pool_used + length + 1 <= POOL_SIZE;
	if (room) {
		memcpy(shared->pool + shared->pool_used, program, length);
		shared->pool[shared->pool_used + length] = '\0';
		shared->offset[shared->corpus_count] = shared->pool_used;
		shared->pool_used += (uint32_t)length + 1;
		__atomic_store_n(&shared->corpus_count, shared->corpus_count + 1, __ATOMIC_RELEASE);
	}
	unlock();
	return room;
}

/* Between programs, while the first process counts what is left. */
static void
rest(void)
{
	shared->paused[self] = 1;
	while (shared->pause && !shared->stop)
		usleep(2000);
	shared->paused[self] = 0;
}

/* Run `p`; fresh[] are its new edges. */
static void
run(const struct program *p)
{
	struct run_result result;
	struct record *r;
	size_t length = program_print(p, text, sizeof(text));

	fresh_count = 0;
	if (length == 0)
		return;
	if (shared->pause)
		rest();
	r = log_program(self, text, length);
	execute_run(p, &r->progress, &result);
	r->state = RECORD_DONE;
	__atomic_fetch_add(&shared->runs, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->calls, result.calls, __ATOMIC_RELAXED);
	if (result.stuck) {
		report("finding: a process cannot be killed");
		report("%s", text);
		sleep(ASKED_SECONDS);
		_exit(3);
	}
	run_number++;
	slow = result.ms > SLOW_MS;
	for (unsigned int t = 0; t < MAX_THREADS; t++) {
		uint64_t n, before = 0, *pc = execute_trace(t, &n);

		for (uint64_t i = 0; i < n; i++) {
			uint32_t edge = (uint32_t)(((pc[i] ^ before) * 0x9e3779b97f4a7c15ul) >> 44);

			before = pc[i] << 1 | 1;
			if (seen[edge] == run_number)
				continue;
			seen[edge] = run_number;
			if (!shared->map[edge] && fresh_count < NEW_MAX)
				fresh[fresh_count++] = edge;
		}
	}
}

static bool
reached(const uint32_t *edges, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (seen[edges[i]] != run_number)
			return false;
	return true;
}

static void
mark(const uint32_t *edges, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (!__atomic_exchange_n(&shared->map[edges[i]], 1, __ATOMIC_RELAXED))
			__atomic_fetch_add(&shared->edges, 1, __ATOMIC_RELAXED);
}

static void keep(struct program *p, bool hints);

static uint64_t
truncated(uint64_t n, uint64_t kind)
{
	unsigned int bits = 8u << (kind >> 1 & 3);

	return bits == 64 ? n : n & ((1ul << bits) - 1);
}

static bool
has_number(const struct value *v, uint64_t n)
{
	if (v->form == FORM_GROUP) {
		for (uint64_t i = 0; i < v->n; i++)
			if (has_number(&v->items[i], n))
				return true;
		return false;
	}
	return v->form == FORM_INT && v->n == n;
}

static bool
program_has(const struct program *p, uint64_t n)
{
	for (unsigned int i = 0; i < p->count; i++)
		for (unsigned int a = 0; a < p->calls[i].desc->args; a++)
			if (has_number(&p->calls[i].arg[a], n))
				return true;
	return false;
}

/* Numbers of the program that the kernel compared with others: try those others. */
static void
try_hints(const struct program *p)
{
	static struct program changed;
	struct {
		uint64_t from, to;
	} hint[HINTS];
	unsigned int hints = 0;
	struct run_result result;
	struct record *r;
	size_t length = program_print(p, text, sizeof(text));

	if (length == 0)
		return;
	execute_compares(true);
	r = log_program(self, text, length);
	execute_run(p, &r->progress, &result);
	r->state = RECORD_DONE;
	execute_compares(false);
	for (unsigned int t = 0; t < MAX_THREADS; t++) {
		uint64_t n, *word = execute_trace(t, &n);

		for (uint64_t i = 0; i < n && i < 16000 && hints < HINTS; i++, word += 4) {
			uint64_t a = truncated(word[1], word[0]), b = truncated(word[2], word[0]);
			bool known = false;

			if (a == b || !(word[0] & 1) || b < 2 || !program_has(p, b))
				continue;
			for (unsigned int h = 0; h < hints; h++)
				known |= hint[h].from == b && hint[h].to == a;
			if (!known) {
				hint[hints].from = b;
				hint[hints++].to = a;
			}
		}
	}
	for (unsigned int h = 0; h < hints && !shared->stop; h++) {
		program_copy(&changed, p);
		if (!mutate_hint(&changed, hint[h].from, hint[h].to, (unsigned int)below(2)))
			continue;
		program_check(&changed);
		run(&changed);
		if (fresh_count)
			keep(&changed, false);
	}
}

/* `p` has just reached fresh[]. */
static void
keep(struct program *p, bool hints)
{
	static struct program smaller;
	uint32_t edges[NEW_MAX];
	unsigned int n = fresh_count, stable = 0;
	size_t length;

	memcpy(edges, fresh, n * sizeof(edges[0]));
	if (slow) {
		mark(edges, n);
		return;
	}
	run(p);
	for (unsigned int i = 0; i < n; i++)
		if (seen[edges[i]] == run_number)
			edges[stable++] = edges[i];
	if (stable == 0) {
		mark(fresh, fresh_count);
		return;
	}
	for (unsigned int i = p->count; i-- > 0 && p->count > 1 && !shared->stop;) {
		program_copy(&smaller, p);
		program_remove(&smaller, i);
		run(&smaller);
		if (reached(edges, stable))
			program_copy(p, &smaller);
	}
	mark(edges, stable);
	length = program_print(p, text, sizeof(text));
	if (length && corpus_add(text, length)) {
		__atomic_fetch_add(&shared->kept, 1, __ATOMIC_RELAXED);
		report("program\n%.*send", (int)length, text);
	}
	if (hints)
		try_hints(p);
}

static bool
pick(struct program *p)
{
	uint32_t n = __atomic_load_n(&shared->corpus_count, __ATOMIC_ACQUIRE);
	const char *error;

	if (n == 0)
		return false;
	n = one_in(3) && n > 40 ? n - 1 - (uint32_t)below(40) : (uint32_t)below(n);
	return program_parse(p, shared->pool + shared->offset[n], &error) != NULL;
}

static void
step(void)
{
	if (one_in(10) || !pick(&parent)) {
		generate_program(&current);
	} else {
		bool have = pick(&other);

		program_copy(&current, &parent);
		mutate_program(&current, have ? &other : NULL);
	}
	if (current.count == 0)
		return;
	run(&current);
	if (fresh_count)
		keep(&current, true);
}

/* The corpus as it was given, divided among the workers: its edges are known then. */
static void
run_corpus(unsigned int workers, bool all, unsigned int repeat)
{
	uint32_t n = shared->corpus_count;
	const char *error;

	for (unsigned int round = 0; round < repeat; round++)
		for (uint32_t i = all ? 0 : self; i < n && !shared->stop; i += all ? 1 : workers) {
			if (!program_parse(&current, shared->pool + shared->offset[i], &error))
				continue;
			run(&current);
			mark(fresh, fresh_count);
		}
}

extern unsigned int worker_count;

void
worker_main(unsigned int worker, uint64_t seed, bool replay, unsigned int repeat)
{
	struct sched_param param = { .sched_priority = 60 };
	sigset_t chld;

	self = worker;
	prctl(PR_SET_NAME, "fuzz-worker");
	random_state = (seed + 1) * 0x9e3779b97f4a7c15ul + worker * 0xbf58476d1ce4e5b9ul + shared->number[worker];
	random_state |= 1;
	for (int i = 0; i < 8; i++)
		random64();
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
	seen = mmap(NULL, MAP_SIZE * sizeof(*seen), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		_exit(2);
	/* A program's child needs of all this the log only: forking is quicker without the rest. */
	madvise(seen, MAP_SIZE * sizeof(*seen), MADV_DONTFORK);
	madvise(shared, offsetof(struct shared, ring), MADV_DONTFORK);
	execute_init(worker);
	run_corpus(worker_count, replay, repeat);
	while (!replay && !shared->stop)
		step();
	_exit(0);
}
