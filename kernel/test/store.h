/* SPDX-License-Identifier: MIT */
/*
 * store.h - a store for tests of the page cache: memory that answers late, in another order, with errors, or not
 * until it is told to; and how to have little memory.
 */
#ifndef TEST_STORE_H
#define TEST_STORE_H

#include <tessera/backing.h>
#include <tessera/list.h>
#include <tessera/wait.h>

#define STORE_PAGES 256u

enum store_mode {
	STORE_AT_ONCE,  /* inside the op */
	STORE_LATE,     /* by a worker, the last first, runs in two parts */
	STORE_SILENT,   /* keeps runs until store_answer() */
	STORE_SIMPLE,   /* read_page and write_page */
};

/* [I] immutable  [s] lock  [a] atomic */
struct store {
	struct memory_object *object;  /* [I] the test's reference */
	struct backing *backing;       /* [I] likewise */
	char *disk;                    /* [a] STORE_PAGES pages; who reads or writes them is a run that is complete later */
	enum store_mode mode;          /* [a] */
	int fill_error, write_error;   /* [a] what runs end with, 0: nothing is wrong */
	struct spinlock lock;          /* class DEVICE */
	struct list runs;              /* [s] waiting for an answer */
	struct wait_queue come;        /* runs came, or the worker shall end */
	struct thread *worker;         /* [I] */
	bool stop, stopped;            /* [a] */
	uint64_t fills, fill_pages, writes, write_pages; /* [a] runs and pages asked for */
	bool released;                 /* [a] the object is gone */
};

/* A store of STORE_PAGES pages, each word of which is its own number. False: no memory. */
bool store_create(struct store *s, enum store_mode mode);
/* The test is done with it: nothing is left, nobody waits. */
void store_destroy(struct store *s);
/* Answer up to `n` waiting runs, the oldest or the newest first: with an errno, or truly for 0. How many there were. */
uint32_t store_answer(struct store *s, uint32_t n, bool newest, int error);
uint32_t store_waiting(struct store *s);
/* The first page of the run that waits longest, of which there is one; borrowed until it is answered. */
const struct page *store_first(struct store *s);
/* What the store has at word `i`; its word there when it was made. */
uint64_t store_word(const struct store *s, uint64_t i);

/* Take memory until only `left` pages are free. With memory_give_back() it is as it was. */
void memory_hoard(struct list *to, uint64_t left);
void memory_give_back(struct list *from);

#endif
