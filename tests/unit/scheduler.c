/* SPDX-License-Identifier: MIT */
/*
 * scheduler.c - weights, shares and order of the fair class, the real-time lists, the load average.
 */
/* unit: kernel/sched/fair.c kernel/sched/realtime.c kernel/sched/load.c kernel/lib/rbtree.c */
#include <stdlib.h>
#include <string.h>

#include "../../kernel/sched/run_queue.h"
#include "unit.h"

static struct thread *
make(int nice)
{
	struct thread *t = calloc(1, sizeof(*t));

	t->nice = (int8_t)nice;
	list_init(&t->run_list);
	return t;
}

/* Each step of nice is a factor of 1.25, within rounding; the ends are the numbers programs know. */
static void
weights(void **state)
{
	struct thread *t = make(0);

	assert_int_equal(fair_weight(t), 1024);
	for (int nice = -20; nice < 19; nice++) {
		uint32_t heavy, light;

		t->nice = (int8_t)nice;
		heavy = fair_weight(t);
		t->nice = (int8_t)(nice + 1);
		light = fair_weight(t);
		assert_true(heavy > light);
		assert_in_range(heavy * 100 / light, 118, 132);
	}
	t->nice = 19;
	assert_in_range(fair_weight(t), 14, 16);
	t->nice = -20;
	assert_in_range(fair_weight(t), 88000, 89500);
	t->policy = SCHED_IDLE;
	assert_int_equal(fair_weight(t), WEIGHT_IDLE);
	free(t);
}

/* Run threads by the class's own rules: the times must be as the weights. */
static void
shares(void **state)
{
	static const int nices[] = { 0, 0, 5, -5 };
	struct fair_queue q = { .count = 0 };
	struct thread *t[4], *current;
	uint64_t ran[4] = { 0 }, total = 0, weight = 0;

	for (int i = 0; i < 4; i++) {
		t[i] = make(nices[i]);
		fair_add(&q, t[i], 1);
		fair_link(&q, t[i]);
		weight += fair_weight(t[i]);
	}
	assert_int_equal(q.weight, weight);
	for (int step = 0; step < 20000; step++) {
		uint64_t slice;

		current = q.first;
		fair_unlink(&q, current);
		slice = fair_slice(&q, fair_weight(current));
		fair_charge(&q, current, slice);
		for (int i = 0; i < 4; i++)
			if (t[i] == current)
				ran[i] += slice;
		total += slice;
		fair_link(&q, current);
	}
	for (int i = 0; i < 4; i++) {
		uint64_t expected = total / weight * fair_weight(t[i]);

		assert_in_range(ran[i], expected * 97 / 100, expected * 103 / 100);
		fair_unlink(&q, t[i]);
		fair_remove(&q, t[i], 1);
		free(t[i]);
	}
	assert_int_equal(q.count, 0);
	assert_int_equal(q.weight, 0);
	assert_null(q.first);
}

/* However long a thread slept, it comes back at most the credit ahead of the others. */
static void
sleeper(void **state)
{
	struct fair_queue q = { .min_vruntime = 5000 * NSEC_PER_SEC }, other = { .min_vruntime = 70 };
	struct thread *t = make(0);
	uint64_t v;

	t->sleep_start = 1;
	fair_add(&q, t, 3600 * NSEC_PER_SEC);
	assert_int_equal(t->vruntime, q.min_vruntime - FAIR_CREDIT);
	fair_remove(&q, t, 10);
	/* Slept while nobody ran: nothing is gained. */
	fair_add(&q, t, 10 + 1000);
	assert_int_equal(t->vruntime, q.min_vruntime - FAIR_CREDIT);
	t->vruntime = q.min_vruntime + NSEC_PER_MSEC;
	v = t->vruntime;
	fair_remove(&q, t, 2000);
	/* The others got 1000 each while 3000 passed: it stands where it stood, they came nearer. */
	q.min_vruntime += 1000;
	fair_add(&q, t, 2000 + 3000);
	assert_int_equal(t->vruntime, v);
	/* On another queue, whose time does not compare, the clock counts. */
	fair_remove(&q, t, 6000);
	fair_add(&other, t, 6000 + 500);
	assert_int_equal(t->vruntime, other.min_vruntime + NSEC_PER_MSEC - 1000 - 500);
	free(t);
}

static void
wake_preemption(void **state)
{
	struct thread *runs = make(0), *woken = make(0);

	runs->vruntime = 100 * NSEC_PER_MSEC;
	woken->vruntime = runs->vruntime - FAIR_WAKE_MARGIN - 1;
	assert_true(fair_preempts(woken, runs));
	woken->vruntime = runs->vruntime - FAIR_WAKE_MARGIN;
	assert_false(fair_preempts(woken, runs));
	woken->vruntime = 0;
	woken->policy = SCHED_BATCH;
	assert_false(fair_preempts(woken, runs));
	woken->policy = SCHED_IDLE;
	assert_false(fair_preempts(woken, runs));
	woken->policy = SCHED_OTHER;
	woken->vruntime = 200 * NSEC_PER_MSEC;
	runs->policy = SCHED_IDLE;
	assert_true(fair_preempts(woken, runs));
	free(runs);
	free(woken);
}

/* Virtual time wraps after 584 years of run time; the comparison does not care. */
static void
virtual_time_wraps(void **state)
{
	struct fair_queue q = { .min_vruntime = UINT64_MAX - 10 };
	struct thread *early = make(0), *late = make(0);

	fair_add(&q, early, 0);
	fair_add(&q, late, 0);
	late->vruntime = early->vruntime + 100; /* past the end */
	fair_link(&q, late);
	fair_link(&q, early);
	assert_ptr_equal(q.first, early);
	free(early);
	free(late);
}

static void
realtime_order(void **state)
{
	static const uint8_t priorities[] = { 1, 99, 63, 64, 63, 50 };
	struct rt_queue *q = malloc(sizeof(*q));
	struct thread *t[6];

	rt_init(q);
	assert_int_equal(rt_highest(q), 0);
	for (int i = 0; i < 6; i++) {
		t[i] = make(0);
		t[i]->rt_priority = priorities[i];
		rt_link(q, t[i], false);
	}
	static const int order[] = { 1, 3, 2, 4, 5, 0 };
	for (int i = 0; i < 6; i++) {
		struct thread *first = rt_first(q, rt_highest(q));

		assert_ptr_equal(first, t[order[i]]);
		rt_unlink(q, first);
	}
	assert_int_equal(rt_highest(q), 0);
	rt_link(q, t[2], false);
	rt_link(q, t[4], true);
	assert_ptr_equal(rt_first(q, 63), t[4]);
	for (int i = 0; i < 6; i++)
		free(t[i]);
	free(q);
}

static void
load_average(void **state)
{
	struct load_average l = { .next = 0 };
	uint64_t once = 0, often = 0;

	/* n periods at once are as n periods one by one. */
	load_advance(&once, 1884, 3 << 11, 12);
	for (int i = 0; i < 12; i++)
		load_advance(&often, 1884, 3 << 11, 1);
	assert_in_range(once, often - 24, often + 24);
	/* After a minute the one-minute average of a constant load stands at 63 %. */
	assert_in_range(once * 100 / (3 << 11), 60, 66);

	load_update(&l, 0, 1);
	load_update(&l, 2, 3600 * NSEC_PER_SEC);
	assert_in_range(l.average[0], (2 << 11) - 8, 2 << 11);
	load_update(&l, 0, 7200 * NSEC_PER_SEC);
	assert_in_range(l.average[0], 0, 8);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights), cmocka_unit_test(shares), cmocka_unit_test(sleeper),
		cmocka_unit_test(wake_preemption), cmocka_unit_test(virtual_time_wraps),
		cmocka_unit_test(realtime_order), cmocka_unit_test(load_average),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
