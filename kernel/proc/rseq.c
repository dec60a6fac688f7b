/* SPDX-License-Identifier: MIT */
/*
 * rseq.c - restartable sequences: a program reads its CPU number from its own memory, and learns when it
 * lost the CPU in the middle of a critical section.
 *
 * The program registers an area (struct user_rseq). On the way back to user mode after the thread was
 * switched in, or before a signal handler runs, we write the CPU number there; and if rip lies in the
 * critical section that the area names, rip becomes the section's abort address. Linux 6.1's layout
 * and checks.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/fork.h>
#include <tessera/preempt.h>
#include <tessera/uaccess.h>

#include "proc.h"

struct user_rseq {
	uint32_t cpu_id_start;
	uint32_t cpu_id;
	uint64_t rseq_cs;       /* address of a struct user_section, 0: none */
	uint32_t flags;
	uint32_t reserved[3];
};
_Static_assert(sizeof(struct user_rseq) == 32, "struct rseq");

struct user_section {
	uint32_t version, flags;
	uint64_t start, length, abort;
};

#define CPU_ID_UNINITIALIZED ((uint32_t)-1)
#define RSEQ_FLAG_UNREGISTER 1

/* The thread is in user code at f->rip: leave a critical section there. 0 or -EFAULT. */
static int
leave_section(struct thread *t, struct trap_frame *f, struct user_rseq __user *area)
{
	struct user_section s;
	uint64_t address;
	uint32_t signature;

	if (get_user(address, &area->rseq_cs))
		return -EFAULT;
	if (!address)
		return 0;
	if (copy_from_user(&s, (const void __user *)address, sizeof(s)))
		return -EFAULT;
	if (s.version != 0 || s.start >= USER_LIMIT || s.start + s.length < s.start ||
	    s.start + s.length > USER_LIMIT || s.abort >= USER_LIMIT ||
	    s.abort - s.start < s.length)
		return -EFAULT;
	if (f->rip - s.start >= s.length) {
		/* Outside: the pointer is stale, clear it lazily as the contract allows. */
		return put_user((uint64_t)0, &area->rseq_cs);
	}
	if (get_user(signature, (const uint32_t __user *)(s.abort - sizeof(uint32_t))))
		return -EFAULT;
	if (signature != t->rseq_signature)
		return -EFAULT;
	if (put_user((uint64_t)0, &area->rseq_cs))
		return -EFAULT;
	f->rip = s.abort;
	return 0;
}

int
rseq_update(struct trap_frame *f, bool before_signal)
{
	struct thread *t = current_thread();
	struct user_rseq __user *area = t->rseq;
	uint32_t cpu;
	int error = leave_section(t, f, area);

	if (error || before_signal)
		return error;
	preempt_disable();
	cpu = this_cpu()->id;
	preempt_enable();
	/* Should the thread move right now, WORK_RSEQ is set again and the number written anew. */
	if (put_user(cpu, &area->cpu_id_start) || put_user(cpu, &area->cpu_id))
		return -EFAULT;
	return 0;
}

/* rseq(2). */
long
rseq_register(uint64_t address, uint32_t size, int flags, uint32_t signature)
{
	struct thread *t = current_thread();
	struct user_rseq __user *area = (struct user_rseq __user *)address;

	if (flags & RSEQ_FLAG_UNREGISTER) {
		if (flags & ~RSEQ_FLAG_UNREGISTER)
			return -EINVAL;
		if (!t->rseq || t->rseq != area || size != t->rseq_size)
			return -EINVAL;
		if (signature != t->rseq_signature)
			return -EPERM;
		if (put_user(0u, &area->cpu_id_start) ||
		    put_user(CPU_ID_UNINITIALIZED, &area->cpu_id) ||
		    put_user((uint64_t)0, &area->rseq_cs))
			return -EFAULT;
		t->rseq = NULL;
		t->rseq_size = 0;
		return 0;
	}
	if (flags)
		return -EINVAL;
	if (t->rseq) {
		if (t->rseq != area || size != t->rseq_size)
			return -EINVAL;
		return signature != t->rseq_signature ? -EPERM : -EBUSY;
	}
	if (!IS_ALIGNED(address, 32ul) || size != sizeof(struct user_rseq))
		return -EINVAL;
	if (!user_range_ok(area, size))
		return -EFAULT;
	t->rseq = area;
	t->rseq_size = size;
	t->rseq_signature = signature;
	atomic_or(&t->work, WORK_RSEQ);
	return 0;
}
