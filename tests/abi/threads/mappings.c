/* SPDX-License-Identifier: MIT */
/* One address space, changed by one thread while others use it. */
#include "../check.h"
#include "start.h"

#include <sched.h>
#include <sys/mman.h>

static void *
map_and_unmap(void *arg)
{
	for (int i = 0; i < 100; i++) {
		char *p = CHECK_OK(mmap(NULL, 16384, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		for (int k = 0; k < 4; k++) {
			CHECK_EQ(p[k * 4096], 0);
			p[k * 4096] = 1;
		}
		CHECK_OK(mprotect(p, 4096, PROT_READ));
		CHECK_OK(munmap(p, 16384));
	}
	return arg;
}

TEST(threads_that_map_and_unmap_at_once)
{
	pthread_t t[4];

	TIMEOUT(60);
	for (int i = 0; i < 4; i++)
		start(&t[i], map_and_unmap, NULL);
	for (int i = 0; i < 4; i++)
		join(t[i]);
}

static volatile int ready_count, flip;

static void *
watch_protection(void *arg)
{
	volatile int *page = arg;

	__sync_fetch_and_add(&ready_count, 1);
	while (!flip)
		;
	return (void *)(intptr_t)page[0];
}

TEST(a_new_mapping_at_an_old_address_is_seen_by_all_threads)
{
	TIMEOUT(60);
	for (int round = 0; round < 50; round++) {
		pthread_t t[2];
		int *page = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
		page[0] = 1;
		flip = ready_count = 0;
		for (int i = 0; i < 2; i++)
			start(&t[i], watch_protection, page);
		while (ready_count < 2)
			sched_yield();
		CHECK(page[0] == 1);
		CHECK_OK(mmap(page, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		page[0] = 2;
		flip = 1;
		for (int i = 0; i < 2; i++)
			CHECK_EQ(join(t[i]), 2);
		CHECK_OK(munmap(page, 4096));
	}
}
