/* SPDX-License-Identifier: MIT */
/*
 * shared.h - memory that all workers share with the first process.
 *
 * The log: each worker owns a ring of pages and writes each program there before it runs. A page stands
 * for itself, with a magic number in front, so that the host finds it in the machine's memory whatever
 * became of the machine (tools/fuzz/fuzz.py reads this layout):
 *
 *	0  magic, 16 bytes     24  program number, 8      40  bytes of text in this page, 4
 *	16 worker, 4           32  part, 4                44  unused, 4
 *	20 state, 4            36  parts, 4               48  progress, 24;  72: the text
 *
 * The map holds one byte for each edge, which is a pair of consecutive blocks, hashed. The corpus is text.
 */
#ifndef SHARED_H
#define SHARED_H

#include "fuzz.h"

#define MAP_SIZE    (1u << 20)
#define CORPUS_MAX  6000
#define POOL_SIZE   (8u << 20)
#define RING_PAGES  48
#define MAX_WORKERS 16

enum record_state { RECORD_FREE, RECORD_RUNNING, RECORD_DONE };

struct record {
	uint8_t magic[16];
	uint32_t worker, state;
	uint64_t number;
	uint32_t part, parts, length, unused;
	struct progress progress;
	char text[4096 - 72];
};
_Static_assert(sizeof(struct record) == 4096 && offsetof(struct record, text) == 72, "a page, as the host reads it");

/* [a] atomic  [l] lock  [w] the worker of that number  [c] the first process */
struct shared {
	uint8_t map[MAP_SIZE];               /* [a] */
	uint64_t edges, runs, calls, kept;   /* [a] */
	uint32_t lock;                       /* a worker's number + 1, or 0 */
	uint32_t corpus_count;               /* [l], read by all */
	uint32_t pool_used;                  /* [l] */
	uint32_t offset[CORPUS_MAX];         /* [l] of a text in the pool; never changes */
	uint32_t stop, pause;                /* [c] */
	uint32_t paused[MAX_WORKERS];        /* [w] */
	uint64_t number[MAX_WORKERS];        /* [w] of its program; goes on when a worker is started anew */
	char pool[POOL_SIZE];                /* [l] */
	struct record ring[MAX_WORKERS][RING_PAGES] __attribute__((aligned(4096))); /* [w] */
};

extern struct shared *shared;

/* A page of the ring with the program in it. */
struct record *log_program(unsigned int worker, const char *text, size_t length);
bool corpus_add(const char *text, size_t length);
void worker_main(unsigned int worker, uint64_t seed, bool replay, unsigned int repeat) __attribute__((noreturn));

#endif
