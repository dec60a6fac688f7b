/* SPDX-License-Identifier: MIT */
/*
 * planted.c - a bug on purpose, for the test of the fuzzer: with `planted` among the kernel's arguments, a
 * thread that has made an eventfd with an odd count and then calls flock() brings the machine down.
 *
 * In the kcov variant only. The two calls may be far apart; nothing but their order matters.
 */
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/panic.h>
#include <tessera/test.h>
#include <tessera/thread.h>

#define CALL_FLOCK    73
#define CALL_EVENTFD2 290

static bool planted;   /* [I] after boot */
static pid_t armed_by; /* [a] who made the eventfd last */

void
planted_init(void)
{
	planted = boot_flag("planted");
}

void
planted_look(const struct trap_frame *f)
{
	pid_t tid = current_thread()->tid;

	if (likely(!planted))
		return;
	if (f->orig_rax == CALL_EVENTFD2 && (f->rdi & 1))
		WRITE_ONCE(armed_by, tid);
	else if (f->orig_rax == CALL_FLOCK && READ_ONCE(armed_by) == tid)
		panic("planted bug: flock() after eventfd2()");
}
