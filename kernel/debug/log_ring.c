/* SPDX-License-Identifier: MIT */
/*
 * log_ring.c - the last LOG_RING_SIZE bytes of the log, as records; the oldest make room. Pure.
 */
#include <tessera/string.h>

#include "log.h"

static struct log_record *
at(const struct log_ring *r, uint64_t position)
{
	return (struct log_record *)(void *)&((struct log_ring *)r)->bytes[position % LOG_RING_SIZE];
}

/* The space a record takes. A padding record runs to the end of the ring and may lack a header. */
static uint64_t
space(const struct log_ring *r, uint64_t position)
{
	uint64_t to_end = LOG_RING_SIZE - position % LOG_RING_SIZE;
	const struct log_record *record = at(r, position);

	if (to_end < sizeof(*record) || record->level == LOG_PADDING)
		return to_end;
	return ALIGN_UP(sizeof(*record) + (uint64_t)record->length, 8);
}

static bool
is_padding(const struct log_ring *r, uint64_t position)
{
	return LOG_RING_SIZE - position % LOG_RING_SIZE < sizeof(struct log_record) ||
	       at(r, position)->level == LOG_PADDING;
}

static void
make_room(struct log_ring *r, uint64_t size)
{
	while (r->head + size - r->tail > LOG_RING_SIZE) {
		if (!is_padding(r, r->tail))
			r->first++;
		r->tail += space(r, r->tail);
	}
}

void
log_ring_add(struct log_ring *r, uint64_t time, uint8_t level, const char *text, size_t length)
{
	uint64_t size = ALIGN_UP(sizeof(struct log_record) + length, 8);
	uint64_t to_end = LOG_RING_SIZE - r->head % LOG_RING_SIZE;
	struct log_record *record;

	if (to_end < size) {
		make_room(r, to_end);
		if (to_end >= sizeof(*record))
			*at(r, r->head) = (struct log_record){ .level = LOG_PADDING };
		r->head += to_end;
	}
	make_room(r, size);
	record = at(r, r->head);
	memset(record, 0, size);
	record->sequence = r->sequence++;
	record->time = time;
	record->length = (uint16_t)length;
	record->level = level;
	memcpy(record->text, text, length);
	r->head += size;
}

const struct log_record *
log_ring_find(const struct log_ring *r, uint64_t sequence)
{
	uint64_t position = r->tail;

	if (sequence >= r->sequence)
		return NULL;
	for (; position < r->head; position += space(r, position))
		if (!is_padding(r, position) && at(r, position)->sequence >= sequence)
			return at(r, position);
	return NULL;
}

size_t
log_stamp(char *out, size_t size, uint64_t time)
{
	return (size_t)scnprintf(out, size, "[%5lu.%06lu] ", (unsigned long)(time / 1000000000),
				 (unsigned long)(time / 1000 % 1000000));
}
