/* SPDX-License-Identifier: MIT */
/*
 * log.h - private to debug/: the ring of log records, and printing while the kernel gives up.
 */
#ifndef DEBUG_LOG_H
#define DEBUG_LOG_H

#include <tessera/print.h>
#include <tessera/types.h>

#define LOG_RING_SIZE (128u * 1024) /* a power of two */
#define LOG_LINE_MAX  400u          /* longer lines are cut */

/*
 * In the ring, each record at a multiple of 8, never wrapping: a record that would is preceded by one
 * of level LOG_PADDING.
 *
 *	offset  size
 *	0       8     sequence number
 *	8       8     time, monotonic ns
 *	16      2     length of the text
 *	18      1     level
 *	19      5     zero
 *	24      n     text, no newline, no NUL; zeros up to a multiple of 8
 */
struct log_record {
	uint64_t sequence;
	uint64_t time;
	uint16_t length;
	uint8_t level;
	uint8_t zero[5];
	char text[];
};
_Static_assert(sizeof(struct log_record) == 24, "log record");

#define LOG_PADDING 0xff

/* Positions only grow; the byte at position p is bytes[p % size]. The caller locks. */
struct log_ring {
	uint64_t head;       /* where the next record goes */
	uint64_t tail;       /* the oldest record */
	uint64_t sequence;   /* of the next record */
	uint64_t first;      /* sequence of the record at tail */
	char bytes[LOG_RING_SIZE] __aligned(8);
};

void log_ring_add(struct log_ring *r, uint64_t time, uint8_t level, const char *text, size_t length);
/* The first record with a sequence >= `sequence`, NULL: none yet. */
const struct log_record *log_ring_find(const struct log_ring *r, uint64_t sequence);

/* "[    1.234567] ": at least 16 bytes; returns the length. */
size_t log_stamp(char *out, size_t size, uint64_t time);

#endif
