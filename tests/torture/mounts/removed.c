/* SPDX-License-Identifier: MIT */
/*
 * removed.c - a directory that was removed is empty and stays so, whoever makes names in it meanwhile.
 *
 * One thread takes the directory away until it succeeds. Others, who have it open, make and remove a name in
 * it and look up names that are absent, so that the answer "absent" is being used when the directory goes.
 *
 * What is mounted upon cannot be removed, and what was removed cannot be mounted upon.
 */
#include <sys/mount.h>

#include "storm.h"

#define MAKERS 3

static int victim;            /* the directory, open */
static volatile bool gone;    /* removed: names can be made no more */

/* Make and remove `name` until the kernel says that there is no place for it. */
static void *
maker(void *arg)
{
	char name[] = { (char)('a' + (long)arg), '\0' };

	for (;;) {
		bool late = gone;
		int fd = openat(victim, name, O_CREAT | O_WRONLY, 0600);

		if (fd < 0) {
			CHECK_EQ(errno, ENOENT);
			break;
		}
		close(fd);
		if (late)
			FAIL("a name was made in a directory that had been removed");
		CHECK_OK(unlinkat(victim, name, 0));
		CHECK_ERRNO(faccessat(victim, name, F_OK, 0), ENOENT);
	}
	return NULL;
}

static int
take_away(bool by_rename)
{
	return by_rename ? rename("other", "victim") : rmdir("victim");
}

static void
one_removal(bool by_rename)
{
	pthread_t t[MAKERS];
	char text[512];
	struct stat st;

	CHECK_OK(mkdir("victim", 0700));
	if (by_rename)
		CHECK_OK(mkdir("other", 0700));
	victim = CHECK_OK(open("victim", O_RDONLY | O_DIRECTORY));
	gone = false;
	for (long i = 0; i < MAKERS; i++)
		t[i] = storm_thread(maker, (void *)i);
	while (take_away(by_rename))
		CHECK_EQ(errno, ENOTEMPTY);
	gone = true;
	for (int i = 0; i < MAKERS; i++)
		pthread_join(t[i], NULL);
	CHECK_OK(fstat(victim, &st));
	CHECK_EQ(st.st_nlink, 0);
	CHECK_ERRNO(syscall(SYS_getdents64, victim, text, sizeof(text)), ENOENT);
	CHECK_OK(close(victim));
	if (by_rename)
		CHECK_OK(rmdir("victim"));
}

static void
removals(void)
{
	for (long long end = storm_end(); !storm_over(end);)
		one_removal(false);
}

TEST(removed_directories_take_no_names)
{
	storm_leaves_nothing(removals);
}

static void
replacements(void)
{
	for (long long end = storm_end(); !storm_over(end);)
		one_removal(true);
}

TEST(replaced_directories_take_no_names)
{
	storm_leaves_nothing(replacements);
}

/* --- mount points ----------------------------------------------------------------------------- */

static pthread_barrier_t both;

static void *
mounts(void *arg)
{
	int *mounted = arg;

	pthread_barrier_wait(&both);
	*mounted = mount("none", "victim", "tmpfs", 0, "size=4k") == 0;
	if (!*mounted)
		CHECK_EQ(errno, ENOENT);
	return NULL;
}

static void
mount_or_remove(bool by_rename)
{
	int mounted, removed;
	pthread_t t;

	CHECK_OK(mkdir("victim", 0700));
	if (by_rename)
		CHECK_OK(mkdir("other", 0700));
	CHECK_RETURNS(pthread_barrier_init(&both, NULL, 2), 0);
	t = storm_thread(mounts, &mounted);
	pthread_barrier_wait(&both);
	for (int spin = storm_below(2000); spin > 0; spin--)
		__asm__ volatile("" ::: "memory");
	removed = take_away(by_rename) == 0;
	if (!removed)
		CHECK_EQ(errno, EBUSY);
	pthread_join(t, NULL);
	pthread_barrier_destroy(&both);
	if (!by_rename && mounted && removed)
		FAIL("a directory was removed and mounted upon");
	if (mounted)
		CHECK_OK(umount("victim"));
	if (by_rename && !removed)
		CHECK_OK(rmdir("other"));
	if (by_rename || !removed)
		CHECK_OK(rmdir("victim"));
}

static void
mount_points(void)
{
	for (long long end = storm_end(); !storm_over(end);)
		mount_or_remove(storm_below(2));
}

TEST(mount_points_are_not_removed)
{
	storm_leaves_nothing(mount_points);
}
