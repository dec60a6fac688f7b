/* SPDX-License-Identifier: MIT */
/*
 * log_ring.c - the log keeps the newest records whole and in order, however they wrap.
 */
/* unit: kernel/debug/log_ring.c kernel/lib/format.c kernel/lib/string.c */
#include <stdlib.h>

#include "../../kernel/debug/log.h"
#include <tessera/string.h>
#include "unit.h"

static void
keeps_order(void **state)
{
	struct log_ring *r = calloc(1, sizeof(*r));
	char text[LOG_LINE_MAX];
	uint64_t sequence;
	unsigned int seed = 1;

	assert_null(log_ring_find(r, 0));
	for (uint64_t i = 0; i < 20000; i++) {
		size_t n;

		seed = seed * 1103515245 + 12345;
		n = (size_t)scnprintf(text, sizeof(text), "line %lu ", i);
		while (n < (seed >> 16) % LOG_LINE_MAX)
			text[n++] = (char)('a' + i % 26);
		log_ring_add(r, i * 1000, (uint8_t)(i % 8), text, n);
		assert_true(r->head - r->tail <= LOG_RING_SIZE);
		assert_int_equal(log_ring_find(r, i)->sequence, i);
	}
	/* From the oldest on there is no gap, and every record is as it was written. */
	sequence = log_ring_find(r, 0)->sequence;
	assert_true(sequence > 19000 && sequence < 20000 - 200);
	assert_int_equal(sequence, r->first);
	for (; sequence < 20000; sequence++) {
		const struct log_record *record = log_ring_find(r, sequence);
		int n = scnprintf(text, sizeof(text), "line %lu ", sequence);

		assert_int_equal(record->sequence, sequence);
		assert_int_equal(record->time, sequence * 1000);
		assert_int_equal(record->level, sequence % 8);
		assert_memory_equal(record->text, text, (size_t)n);
		if (record->length > n)
			assert_int_equal(record->text[record->length - 1], 'a' + (int)(sequence % 26));
	}
	assert_null(log_ring_find(r, 20000));
	free(r);
}

static void
stamps(void **state)
{
	char out[40];

	assert_int_equal(log_stamp(out, sizeof(out), 123456789), 15);
	assert_string_equal(out, "[    0.123456] ");
	log_stamp(out, sizeof(out), 123456ull * 1000000000 + 999999999);
	assert_string_equal(out, "[123456.999999] ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(keeps_order), cmocka_unit_test(stamps) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
