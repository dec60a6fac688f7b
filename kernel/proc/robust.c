/* SPDX-License-Identifier: MIT */
/*
 * robust.c - what a thread leaves behind in its program's memory: locks it held, its tid word.
 *
 * The program keeps a list of the robust locks it holds (set_robust_list). When the thread ends, each
 * lock that still carries its tid is marked FUTEX_OWNER_DIED and one waiter is woken. The list is the
 * program's and may be anything: it is followed for a bounded number of steps, and a fault ends it.
 */
#include <tessera/address_space.h>

#include "futex_private.h"
#include "proc.h"

#define ROBUST_STEPS_MAX 2048

/* struct robust_list_head */
struct robust_head {
	uint64_t next;
	int64_t futex_offset;
	uint64_t pending;
};

/* Mark one lock if it is ours. `pending`: it was just being taken or given back. -EFAULT ends the walk. */
static int
abandon(struct thread *t, uint64_t entry, int64_t offset, bool pi, bool pending)
{
	uint32_t __user *addr = (uint32_t __user *)(entry + offset);
	uint32_t value, seen;

	if (((vaddr_t)addr & 3) || !user_range_ok(addr, sizeof(*addr)))
		return -EFAULT;
	if (get_user(value, addr))
		return -EFAULT;
	/* Unlocked by us, but the waiter was not woken yet: somebody must do it. */
	if (pending && !pi && value == 0) {
		(void)futex_wake(addr, true, 1, FUTEX_BITSET_ALL);
		return 0;
	}
	for (;;) {
		uint32_t wanted = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if ((value & FUTEX_TID_MASK) != (uint32_t)t->local_tid)
			return 0;
		if (arch_user_cmpxchg32(addr, value, wanted, &seen))
			return -EFAULT;
		if (seen == value)
			break;
		value = seen;
	}
	if (!pi && (value & FUTEX_WAITERS))
		(void)futex_wake(addr, true, 1, FUTEX_BITSET_ALL);
	return 0;
}

static void
walk_robust_list(struct thread *t)
{
	uint64_t list = (uint64_t)t->robust_list, entry, next;
	struct robust_head head;

	if (copy_from_user(&head, t->robust_list, sizeof(head)))
		return;
	entry = head.next;
	for (int steps = 0; (entry & ~1ull) != list && steps < ROBUST_STEPS_MAX; steps++) {
		bool bad = get_user(next, (uint64_t __user *)(entry & ~1ull)) != 0;

		/* The pending one is handled last, and once. */
		if ((entry & ~1ull) != (head.pending & ~1ull) &&
		    abandon(t, entry & ~1ull, head.futex_offset, entry & 1, false))
			return;
		if (bad)
			break;
		entry = next;
	}
	if (head.pending & ~1ull)
		(void)abandon(t, head.pending & ~1ull, head.futex_offset, head.pending & 1, true);
}

/* The calling thread stops using its program's memory: it `ends`, or execs. */
void
futex_thread_exit(struct thread *t, bool ends)
{
	struct process *p = t->process;

	if (!p->as)
		return;
	if (t->robust_list) {
		walk_robust_list(t);
		t->robust_list = NULL;
	}
	futex_pi_thread_exit(t, ends);
	if (t->clear_child_tid) {
		/* Nobody is left to see it when this was the last user of the memory. */
		if (ref_count(&p->as->refs) > 1 || READ_ONCE(p->thread_count) > 1) {
			if (put_user(0u, t->clear_child_tid) == 0)
				(void)futex_wake(t->clear_child_tid, true, 1, FUTEX_BITSET_ALL);
		}
		t->clear_child_tid = NULL;
	}
}
