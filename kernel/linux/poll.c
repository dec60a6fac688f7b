/* SPDX-License-Identifier: MIT */
/*
 * poll.c - poll(2), ppoll(2), select(2), pselect6(2).
 *
 * Relative times become deadlines here. A poll that a stop signal interrupted goes on until its first
 * deadline (restart_syscall); ppoll and select start again with what the kernel wrote back.
 */
#include <tessera/cpu.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "linux.h"

#define ON_STACK    16
#define SELECT_MAX  65536
#define SIGSET_SIZE 8

struct linux_pollfd {
	int32_t fd;
	uint16_t events, revents;
};
_Static_assert(sizeof(struct linux_pollfd) == sizeof(struct poll_item), "one layout");

static int
deadline_of(const struct timespec64 *t, deadline_t *out)
{
	if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	if (t->tv_sec == 0 && t->tv_nsec == 0)
		*out = 0;
	else if ((uint64_t)t->tv_sec > INT64_MAX / NSEC_PER_SEC)
		*out = DEADLINE_NEVER;
	else
		*out = deadline_after((uint64_t)t->tv_sec * NSEC_PER_SEC + (uint64_t)t->tv_nsec);
	return 0;
}

static struct timespec64
time_left(deadline_t until)
{
	uint64_t now = clock_monotonic_ns(), left = until > now ? until - now : 0;

	return (struct timespec64){ (int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC) };
}

/* --- poll --------------------------------------------------------------------------------------- */

static long
do_poll(struct linux_pollfd __user *fds, unsigned int count, deadline_t until)
{
	struct poll_item fast[ON_STACK], *items = fast;
	long ready;

	if (count > process_limit(current_process(), RLIMIT_NOFILE))
		return -EINVAL;
	if (count > ON_STACK)
		items = kmalloc(count * sizeof(*items), 0);
	if (!items)
		return -ENOMEM;
	if (copy_from_user(items, fds, count * sizeof(*items))) {
		ready = -EFAULT;
		goto out;
	}
	ready = poll_files(items, count, until);
	if (ready < 0 && ready != -EINTR)
		goto out;
	/* Nothing else of the structs goes back: the program may be changing it. */
	if (count) {
		if (!user_range_ok(fds, count * sizeof(*fds)) ||
		    arch_put_user_2_each(&fds->revents, &items->revents, sizeof(*fds), count))
			ready = -EFAULT;
	}
out:
	if (items != fast)
		kfree(items);
	return ready;
}

static long
poll_restart(struct restart_block *b)
{
	long r = do_poll(__force_user(struct linux_pollfd __user *, b->arg[0]), (unsigned int)b->arg[1],
			 b->deadline);

	return r == -EINTR ? -ERESTART_RESTARTBLOCK : r;
}

long
linux_poll(struct linux_pollfd __user *fds, unsigned int count, int timeout_ms)
{
	deadline_t until = timeout_ms < 0 ? DEADLINE_NEVER
			   : timeout_ms == 0
				   ? 0
				   : deadline_after((uint64_t)timeout_ms * NSEC_PER_MSEC);
	long r = do_poll(fds, count, until);

	if (r == -EINTR) {
		current_thread()->restart = (struct restart_block){
			.fn = poll_restart, .deadline = until, .arg = { (uintptr_t)fds, count },
		};
		return -ERESTART_RESTARTBLOCK;
	}
	return r;
}

/* A mask for the length of the call. -EINVAL, -EFAULT. */
static int
mask_begin(const uint64_t __user *mask, size_t size)
{
	uint64_t set;

	if (!mask)
		return 0;
	if (size != SIGSET_SIZE)
		return -EINVAL;
	if (get_user(set, mask))
		return -EFAULT;
	signal_mask_begin(set);
	return 0;
}

/* End the mask; write back what is left of the time, as the kernel interface of both calls does. */
static long
finish(long r, const uint64_t __user *mask, struct timespec64 __user *timeout, deadline_t until)
{
	if (mask)
		signal_mask_end(r == -EINTR);
	if (timeout && until != DEADLINE_NEVER && until != 0) {
		struct timespec64 left = time_left(until);

		/* a program may keep it in read-only memory: the result stands all the same */
		(void)copy_to_user(timeout, &left, sizeof(left));
	}
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

long
linux_ppoll(struct linux_pollfd __user *fds, unsigned int count, struct timespec64 __user *timeout,
	    const uint64_t __user *mask, size_t mask_size)
{
	deadline_t until = DEADLINE_NEVER;
	struct timespec64 t;
	int error;

	if (timeout) {
		if (get_user(t, timeout))
			return -EFAULT;
		error = deadline_of(&t, &until);
		if (error)
			return error;
	}
	error = mask_begin(mask, mask_size);
	if (error)
		return error;
	return finish(do_poll(fds, count, until), mask, timeout, until);
}

/* --- select ------------------------------------------------------------------------------------- */

#define SELECT_IN     (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT    (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EXCEPT POLLPRI

/* Three bitmaps as the program gave them, and as they go back. */
struct select_sets {
	uint64_t *set[3];
	uint64_t __user *user[3];
	size_t words;
};

static bool
bit(const uint64_t *set, int n)
{
	return set[n / 64] >> (n % 64) & 1;
}

static uint32_t
select_wanted(const struct select_sets *s, int fd)
{
	return (bit(s->set[0], fd) ? SELECT_IN : 0) | (bit(s->set[1], fd) ? SELECT_OUT : 0) |
	       (bit(s->set[2], fd) ? SELECT_EXCEPT : 0);
}

/* Bits behind number `count` - 1 mean nothing, and come back as 0. */
static int
sets_read(struct select_sets *s, int count)
{
	for (int k = 0; k < 3; k++) {
		if (!s->words || !s->user[k])
			continue;
		if (copy_from_user(s->set[k], s->user[k], s->words * 8))
			return -EFAULT;
		if (count % 64)
			s->set[k][s->words - 1] &= BIT(count % 64) - 1;
	}
	return 0;
}

static int
sets_write(const struct select_sets *s)
{
	for (int k = 0; k < 3; k++)
		if (s->words && s->user[k] && copy_to_user(s->user[k], s->set[k], s->words * 8))
			return -EFAULT;
	return 0;
}

/* Turn the answers into the bitmaps; the number of bits set, or -EBADF. */
static long
sets_fill(struct select_sets *s, const struct poll_item *items, uint32_t n)
{
	static const uint32_t kinds[3] = { SELECT_IN, SELECT_OUT, SELECT_EXCEPT };
	uint64_t ready[3] = { 0, 0, 0 };
	long bits = 0;

	for (uint32_t i = 0; i < n; i++) {
		int fd = items[i].fd;

		if (items[i].revents & POLLNVAL)
			return -EBADF;
		for (int k = 0; items[i].revents && k < 3; k++)
			if ((items[i].revents & kinds[k]) && bit(s->set[k], fd)) {
				ready[k] |= BIT(fd % 64);
				bits++;
			}
		/* The last of its word: the items stand in order. */
		if (i + 1 == n || items[i + 1].fd / 64 != fd / 64)
			for (int k = 0; k < 3; k++) {
				s->set[k][fd / 64] = ready[k];
				ready[k] = 0;
			}
	}
	return bits;
}

/* One item for each number that stands in a set, in order. */
static uint32_t
items_make(const struct select_sets *s, struct poll_item *items)
{
	uint32_t n = 0;

	for (size_t w = 0; w < s->words; w++) {
		uint64_t any = s->set[0][w] | s->set[1][w] | s->set[2][w];

		for (; any; any &= any - 1) {
			int fd = (int)(w * 64) + __builtin_ctzll(any);

			items[n++] = (struct poll_item){ .fd = fd, .events = (uint16_t)select_wanted(s, fd) };
		}
	}
	return n;
}

static long
select_items(struct select_sets *s, struct poll_item *items, deadline_t until)
{
	uint32_t n = items_make(s, items);
	long r = poll_files(items, n, until);

	return r < 0 ? r : sets_fill(s, items, n);
}

static long
do_select(int count, uint64_t __user *in, uint64_t __user *out, uint64_t __user *except, deadline_t until)
{
	struct select_sets s = { .user = { in, out, except } };
	struct poll_item *items;
	long r = -ENOMEM;
	char *memory;

	if (count < 0)
		return -EINVAL;
	count = MIN(count, SELECT_MAX);
	s.words = DIV_ROUND_UP((size_t)count, 64);
	memory = kmalloc(s.words * 8 * 3 + (size_t)count * sizeof(*items) + 8, 0);
	if (!memory)
		return -ENOMEM;
	memset(memory, 0, s.words * 8 * 3);
	for (int k = 0; k < 3; k++)
		s.set[k] = (uint64_t *)memory + (size_t)k * s.words;
	items = (struct poll_item *)(memory + s.words * 8 * 3);
	r = sets_read(&s, count);
	if (!r)
		r = select_items(&s, items, until);
	if (r >= 0 && sets_write(&s))
		r = -EFAULT;
	kfree(memory);
	return r;
}

long
linux_select(int count, uint64_t __user *in, uint64_t __user *out, uint64_t __user *except,
	     struct linux_timeval __user *timeout)
{
	deadline_t until = DEADLINE_NEVER;
	struct linux_timeval tv;
	struct timespec64 left;
	long r;

	if (timeout) {
		if (get_user(tv, timeout))
			return -EFAULT;
		if (tv.tv_sec < 0 || tv.tv_usec < 0)
			return -EINVAL;
		left = (struct timespec64){ tv.tv_sec + tv.tv_usec / 1000000, tv.tv_usec % 1000000 * 1000 };
		if (deadline_of(&left, &until))
			return -EINVAL;
	}
	r = do_select(count, in, out, except, until);
	if (timeout && until != 0 && until != DEADLINE_NEVER) {
		left = time_left(until);
		tv = (struct linux_timeval){ left.tv_sec, left.tv_nsec / 1000 };
		(void)copy_to_user(timeout, &tv, sizeof(tv));
	}
	return r == -EINTR ? -ERESTARTNOHAND : r;
}

long
linux_pselect6(int count, uint64_t __user *in, uint64_t __user *out, uint64_t __user *except,
	       struct timespec64 __user *timeout, void __user *mask_argument)
{
	struct {
		uint64_t mask, size;
	} pair = { 0, 0 };
	const uint64_t __user *mask;
	deadline_t until = DEADLINE_NEVER;
	struct timespec64 t;
	int error;

	if (mask_argument && copy_from_user(&pair, mask_argument, sizeof(pair)))
		return -EFAULT;
	if (timeout) {
		if (get_user(t, timeout))
			return -EFAULT;
		error = deadline_of(&t, &until);
		if (error)
			return error;
	}
	mask = __force_user(const uint64_t __user *, pair.mask);
	error = mask_begin(mask, pair.size);
	if (error)
		return error;
	return finish(do_select(count, in, out, except, until), mask, timeout, until);
}
