/* SPDX-License-Identifier: MIT */
/*
 * host.h - two machines in one test: each has the memory of a door (abi/netd.h), of which the test is the kernel, and a
 * process that is its network stack; between them lies a wire, which the test is, too.
 *
 *   host.c    the memory, its chunks and slots: the kernel's half
 *   stack.c   the stack's process: services/netd without its main program, over a card that is a socket
 *   wire.c    frames from one to the other, lost, doubled and put out of order as the test says
 *   alone.c   one machine, without the other
 *   stream.c  connections as programs have them: bytes by a pattern, which the other end knows
 */
#ifndef TESTS_NETD_HOST_H
#define TESTS_NETD_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "../../abi/netd.h"

#define SLOTS	 2048u	/* of these the test uses so many */
#define BLOCKS	 32u
#define CHUNKS	 (BLOCKS * (NETD_BLOCK / NETD_CHUNK))
#define LISTENERS_QUEUE 64u

/* Shared by the test and the stacks. */
struct memory {
	struct netd_kernel_page kernel;
	struct netd_netd_page netd;
	struct netd_dirty to_netd, to_kernel;
	struct netd_half_open half_open[NETD_HALF_OPEN];
	_Alignas(64) uint8_t frames_out[NETD_FRAME_RING], frames_in[NETD_FRAME_RING];
	uint8_t wanted[SLOTS * NETD_WANTED_STRIDE], actual[SLOTS * NETD_ACTUAL_STRIDE];
	/* [l] What is below is the kernel's own; `lock` is held by who works in it, and when a stack is killed. */
	uint32_t lock;
	uint16_t free_chunk[CHUNKS];
	uint32_t free_count;
	uint32_t accepted[LISTENERS_QUEUE], accepted_count; /* slots */
	uint32_t refuse_accepts; /* EAGAIN */
	uint32_t time_leaps; /* what the stack knows of its neighbours is suddenly of long ago */
	uint32_t confirmed[2], failed; /* how often it told that one of IPv4, of IPv6 is where it was, and that one is not there */
	_Alignas(4096) uint8_t arena[BLOCKS * NETD_BLOCK];
};

struct host {
	struct memory *memory;
	unsigned number; /* 1, 2: the last byte of its addresses */
	pid_t stack, test;
	int wire;	 /* our end of its cable */
	int card;	 /* the stack's */
	unsigned kills;
};

#define fail(...) (fprintf(stderr, "FAILED: " __VA_ARGS__), fprintf(stderr, "\n"), host_fail())

void host_fail(void) __attribute__((noreturn));
void host_create(struct host *h, unsigned number);
void host_start(struct host *h);
void host_stop(struct host *h);
/* With SIGKILL, at no particular moment, and start the next one. */
void host_kill(struct host *h);
/* Still alive? */
void host_check(struct host *h);
void memory_lock(struct memory *m);
void memory_unlock(struct memory *m);
/* `m` locked: a chunk, or fail. */
uint16_t chunk_take(struct memory *m);
void slot_mark(struct memory *m, uint32_t slot);
struct netd_wanted *slot_wanted(struct memory *m, uint32_t slot);
struct netd_actual *slot_actual(struct memory *m, uint32_t slot);
/* `m` locked: a free slot with another generation. */
uint32_t slot_take(struct memory *m);
struct netd_address host_address(unsigned number, bool v6);
/* Chunks for the bytes [from, to) of a stream. `m` locked. */
void chunks_fill(struct memory *m, uint16_t *chunks, uint64_t from, uint64_t to);
void chunks_free(struct memory *m, uint16_t *chunks, uint64_t from, uint64_t to);

/* stack.c: a stack's process; the first never returns, the others are for who does without a process. */
void stack_run(struct host *h) __attribute__((noreturn));
void stack_begin(struct host *h);
void stack_receive(const void *frame, size_t length);
/* Has its card room, and a cable? */
void stack_set_card(bool room, bool carrier);
/* How many neighbours it has told the kernel of. */
unsigned stack_neighbours(void);

/* alone.c: cases */
void alone_without_cable(void);
void alone_flooded(void);

/* wire.c */
struct wire {
	uint32_t loss, doubled, late; /* of 1000 frames */
	uint64_t seed;
	bool resets_allowed, cut;
	/* Has `from` nothing left of the connection between these ports? */
	bool (*is_over)(const struct host *from, uint16_t port, uint16_t other);
	void (*show)(uint16_t port, uint16_t other);
	uint64_t frames, resets;
};

extern struct wire wire;
uint32_t wire_random(uint32_t below);
/* Carry what is there, wait for it up to a millisecond. */
void wire_carry(struct host *a, struct host *b);

/* stream.c */
struct stream {
	struct host *host;
	uint32_t slot, generation;
	uint64_t send, receive;	   /* how many bytes it is to send, and to receive */
	uint64_t queued, freed, taken, granted, given; /* given: chunks of the receive ring begin here */
	uint32_t seed_out, seed_in;
	uint64_t window;
	bool ended, closed, paused, end_seen, want_end_told;
	uint32_t error, state;
};

void stream_listen(struct host *h, uint16_t port, bool v6, uint32_t backlog);
void stream_connect(struct stream *s, struct host *h, struct host *to, uint16_t from_port, uint16_t port, bool v6);
/* The next connection that `h` accepted, if there is one. */
bool stream_accept(struct stream *s, struct host *h);
/* A program's share of the work: sends, reads and compares. */
void stream_work(struct stream *s);
/* All that was to come has come, and its end. */
bool stream_is_done(const struct stream *s);
void stream_end(struct stream *s);
void stream_reset(struct stream *s);
uint64_t test_now_ms(void);

#endif
