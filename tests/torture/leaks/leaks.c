/* SPDX-License-Identifier: MIT */
/*
 * leaks.c - the count of what is left behind, shown to see each kind: a body leaves one thing each time.
 *
 * On Tessera each of these cases fails, and its verdict names the thing: tests/test_torture.py wants to see just
 * that. Elsewhere nothing is counted and they pass.
 */
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "storm.h"

#define PAGE 4096ul

/* Slabs hold a few objects more than are in use; so many of a kind are seen whatever was there. */
#define SEVERAL 3

static void
is_seen(void (*body)(void))
{
	storm_take_time();
	storm_leaves_nothing(body);
}

static void
leave_handles(void)
{
	/* A second handle for an object that is open already: nothing but the handle is new. */
	CHECK_OK(dup(CHECK_FD));
}

TEST(handles_are_counted)
{
	is_seen(leave_handles);
}

static void
leave_open_objects(void)
{
	CHECK_OK(eventfd(0, EFD_CLOEXEC));
}

TEST(open_objects_are_counted)
{
	is_seen(leave_open_objects);
}

static void
leave_frames(void)
{
	size_t size = (STORM_FRAMES_SLACK + 16) * PAGE;
	char *m = CHECK_OK(mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	memset(m, 1, size);
}

TEST(frames_are_counted)
{
	is_seen(leave_frames);
}

static int watcher, watched;

static void
leave_slab_objects(void)
{
	for (int i = 0; i < SEVERAL; i++) {
		char name[20];

		snprintf(name, sizeof(name), "f%d", watched++);
		check_write_file(name, "", 0);
		CHECK_OK(inotify_add_watch(watcher, name, IN_MODIFY));
	}
}

TEST(slab_objects_are_counted)
{
	watcher = CHECK_OK(inotify_init1(IN_CLOEXEC));
	is_seen(leave_slab_objects);
}

static void *
sleeps(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void
leave_threads(void)
{
	storm_thread(sleeps, NULL);
}

TEST(threads_are_counted)
{
	is_seen(leave_threads);
}

static void
leave_processes(void)
{
	if (check_fork() == 0)
		sleeps(NULL);
}

TEST(processes_are_counted)
{
	is_seen(leave_processes);
}
