/* SPDX-License-Identifier: MIT */
/*
 * loop.h - a driver's one thread: wait for descriptors, call who watches them.
 *
 * A driver never blocks elsewhere. After each round of events the batch hooks run: what was gathered in
 * the round (completions to publish, doorbells to ring) goes out once.
 *
 * To be told of something costs more than to look for it where it appears in memory: who tells makes a call, who is
 * told is woken, and address spaces are switched. So before it waits, the loop lets lookers look for a while, if what
 * comes has lately come soon, and only where another processor can do something meanwhile.
 */
#ifndef DRIVER_LOOP_H
#define DRIVER_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A descriptor that somebody watches; embedded in his struct. An eventfd or a timer is watched by edge: each
 * signal calls `ready` once more and `ready` has nothing to read. Anything else is watched by level, and `ready` must
 * read it.
 */
struct watch {
	int fd;
	bool is_timer; /* one that comes again and again does so only when it is read; the loop does that */
	void (*ready)(struct watch *w);
};

struct batch_hook {
	void (*run)(struct batch_hook *h);
	struct batch_hook *next;
};

/* Somebody who finds what came in memory. */
enum looked { LOOK_FOUND, LOOK_NOTHING, LOOK_NO_MORE };
struct looker {
	/* Serve what is there. LOOK_NO_MORE: being told is better now. */
	enum looked (*look)(struct looker *l);
	/* The loop is about to wait: ask to be told. True: something is there already, and was served. */
	bool (*listen)(struct looker *l);
	struct looker *next;
};

#define container_of(pointer, type, member) ((type *)((char *)(pointer)-__builtin_offsetof(type, member)))

/* Watch w->fd. These return 0 or a negative errno. */
int loop_watch(struct watch *w);
int loop_watch_edge(struct watch *w);
/* Make an eventfd in w->fd and watch it. */
int loop_watch_event(struct watch *w);
/* Make a timer in w->fd that fires every `milliseconds`, and watch it. */
int loop_watch_timer(struct watch *w, unsigned milliseconds);
/* Watch no longer, nor serve what has come already; the descriptor stays open. */
void loop_forget(struct watch *w);

/* Hooks run in the order in which they were added. */
void loop_add_hook(struct batch_hook *h);

/* From now on l->look() is called instead of waiting, if that pays, and l->listen() before each wait. */
void loop_add_looker(struct looker *l);
/* Not from within its own look() or listen(). */
void loop_drop_looker(struct looker *l);

/* Wait once, up to `milliseconds` (-1: for ever), and serve what came. */
void loop_once(int milliseconds);
/*
 * Serve until loop_stop(); returns what that was given. SIGTERM and SIGINT stop with 0. Hooks run before the first
 * wait, too: what was gathered by then goes out.
 */
int loop_run(void);
void loop_stop(int status);

#endif
