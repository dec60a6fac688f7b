/* SPDX-License-Identifier: MIT */
/*
 * handles.c - in-kernel tests of handle tables: rights only shrink, revocation reaches all that was
 * derived, numbers are the smallest free ones, and references are counted right.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/test.h>

#define LIMIT 100u

/* Put a fresh eventfd with these rights into `t`: its number. */
static int
install(struct handle_table *t, uint64_t rights)
{
	struct file *f = eventfd_create_file(0, false, 0);
	int fd;

	if (!f)
		return -ENOMEM;
	fd = handle_reserve(t, 0, LIMIT);
	if (fd < 0)
		file_put(f);
	else
		handle_install(t, fd, f, rights, false);
	return fd;
}

static bool
may(struct handle_table *t, int fd, uint64_t rights)
{
	int error = 0;
	struct file *f = handle_table_get_rights(t, fd, rights, &error);

	if (f)
		file_put(f);
	return f != NULL;
}

/* Every subset of eight rights against every subset of them asked for. */
KTEST(handle_gives_no_right_that_it_lacks)
{
	struct handle_table *t = handle_table_create();
	uint64_t bad = 0;

	kcheck(t);
	for (uint64_t has = 0; has < 256; has++) {
		int fd = install(t, has);

		kcheck_equal(fd, 0);
		for (uint64_t asks = 0; asks < 256; asks++)
			bad += may(t, fd, asks) != ((asks & ~has) == 0);
		kcheck_equal(handle_close(t, fd), 0);
	}
	kcheck_equal(bad, 0);
	handle_table_put(t);
}

KTEST(handle_restrict_only_shrinks)
{
	struct handle_table *t = handle_table_create();
	uint64_t bad = 0;
	int fd, weak;

	kcheck(t);
	fd = install(t, RIGHT_READ | RIGHT_POLL | RIGHT_STAT);
	kcheck_equal(fd, 0);
	for (unsigned int bit = 0; bit < 30; bit++) {
		weak = handle_restrict(t, fd, RIGHT_ALL & ~BIT(bit), false, LIMIT);
		kcheck(weak > 0);
		bad += handle_rights(t, weak) != (handle_rights(t, fd) & ~BIT(bit));
		kcheck_equal(handle_close(t, weak), 0);
	}
	kcheck_equal(bad, 0);
	/* what a copy lacks no copy of the copy gets back */
	weak = handle_restrict(t, fd, RIGHT_READ, false, LIMIT);
	kcheck_equal(handle_rights(t, handle_restrict(t, weak, RIGHT_ALL, false, LIMIT)), RIGHT_READ);
	handle_table_put(t);
}

KTEST(handle_revoke_reaches_all_duplicates)
{
	struct handle_table *t = handle_table_create();
	int fd, a, b, c, other;

	kcheck(t);
	fd = install(t, RIGHT_ALL);
	other = install(t, RIGHT_ALL);
	a = handle_restrict(t, fd, RIGHT_READ | RIGHT_WRITE, false, LIMIT);
	b = handle_restrict(t, a, RIGHT_READ, false, LIMIT);
	/* a plain duplicate is no way out */
	c = handle_dup(t, a, 20, true, LIMIT);
	kcheck_equal(c, 20);
	kcheck_equal(handle_rights(t, c), RIGHT_READ | RIGHT_WRITE);
	kcheck_equal(handle_dup_to(t, b, 21, false, LIMIT), 21);
	kcheck(fd >= 0 && other >= 0 && a >= 0 && b >= 0);
	kcheck_equal(handle_revoke(t, fd), 0);
	kcheck(!may(t, a, 0));
	kcheck(!may(t, b, 0));
	kcheck(!may(t, c, 0));
	kcheck(!may(t, 21, 0));
	kcheck(may(t, other, RIGHT_READ));
	handle_table_put(t);
}

KTEST(handle_numbers_are_the_smallest_free)
{
	struct handle_table *t = handle_table_create();

	kcheck(t);
	for (uint32_t i = 0; i < LIMIT; i++)
		kcheck_equal(install(t, RIGHT_ALL), i);
	kcheck_equal(install(t, RIGHT_ALL), -EMFILE);
	kcheck_equal(handle_close(t, 70), 0);
	kcheck_equal(handle_close(t, 7), 0);
	kcheck_equal(handle_close(t, 7), -EBADF);
	kcheck_equal(install(t, RIGHT_ALL), 7);
	kcheck_equal(handle_reserve(t, 50, LIMIT), 70);
	/* a reserved number is no handle yet */
	kcheck(!may(t, 70, 0));
	handle_unreserve(t, 70);
	kcheck_equal(install(t, RIGHT_ALL), 70);
	handle_table_put(t);
}

KTEST(handle_table_copy_holds_its_own_references)
{
	struct handle_table *t = handle_table_create(), *copy;
	uint64_t before = file_count();
	int fd;

	kcheck(t);
	fd = install(t, RIGHT_READ);
	kcheck_equal(handle_set_cloexec(t, fd, true), 0);
	copy = handle_table_copy(t);
	kcheck(copy);
	handle_table_put(t);
	kcheck(may(copy, fd, RIGHT_READ));
	kcheck(!may(copy, fd, RIGHT_WRITE));
	handle_table_close_on_exec(copy);
	kcheck(!may(copy, fd, 0));
	handle_table_put(copy);
	kcheck_equal(file_count(), before);
}

#define ROUNDS 3000

/* Look-ups against closes and opens of the same number on all CPUs. */
static void
use_and_close(void *arg, uint32_t index)
{
	struct handle_table *t = arg;

	for (int i = 0; i < ROUNDS; i++) {
		int error;

		if (index % 2 == 0) {
			struct file *f = handle_table_get_rights(t, i % 4, RIGHT_READ, &error);

			if (f) {
				file_poll(f, NULL);
				file_put(f);
			}
		} else {
			handle_close(t, i % 4);
			install(t, RIGHT_READ);
		}
	}
}

KTEST(handle_use_races_with_close)
{
	struct handle_table *t = handle_table_create();
	uint64_t before = file_count();

	kcheck(t);
	ktest_parallel(4, use_and_close, t);
	handle_table_put(t);
	kcheck_equal(file_count(), before);
}
