/* SPDX-License-Identifier: MIT */
/* A file that shrinks under those who touch its pages. */
#include "../check.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define PAGE   4096
#define ROUNDS 3000

static _Thread_local sigjmp_buf escape;
static atomic_bool stop;

static void
on_bus_error(int signo)
{
	(void)signo;
	siglongjmp(escape, 1);
}

/* Does a write there raise SIGBUS? */
static bool
is_gone(volatile char *p)
{
	if (sigsetjmp(escape, 1))
		return true;
	*p = 1;
	return false;
}

static void *
touch_for_ever(void *page)
{
	while (!stop)
		is_gone(page);
	return NULL;
}

static long
pages_left_behind(int flags)
{
	int fd = CHECK_OK(open("f", O_CREAT | O_RDWR, 0600));
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
	pthread_t toucher;
	long left = 0;

	CHECK(page != MAP_FAILED);
	signal(SIGBUS, on_bus_error);
	CHECK_EQ(pthread_create(&toucher, NULL, touch_for_ever, page), 0);
	for (int i = 0; i < ROUNDS; i++) {
		CHECK_OK(ftruncate(fd, PAGE));
		CHECK_OK(ftruncate(fd, 0));
		left += !is_gone(page);
	}
	stop = true;
	CHECK_EQ(pthread_join(toucher, NULL), 0);
	return left;
}

TEST(truncate_races_with_a_fault_of_a_shared_mapping)
{
	CHECK_EQ(pages_left_behind(MAP_SHARED), 0);
}

TEST(truncate_races_with_a_fault_of_a_private_mapping)
{
	CHECK_EQ(pages_left_behind(MAP_PRIVATE), 0);
}
