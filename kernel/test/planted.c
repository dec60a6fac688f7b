/* SPDX-License-Identifier: MIT */
/*
 * planted.c - a bug on purpose, for the test of the fuzzer: with planted=KIND among the kernel's arguments,
 * a thread that has made an eventfd with an odd count and then calls flock() meets it:
 *
 *	panic (or `planted` alone)   the machine comes down
 *	lock                         two locks are taken in the wrong order
 *	hang                         the CPU goes round for ever, interrupts off
 *	stuck                        the thread waits for what never comes, and SIGKILL does not wake it
 *	leak                         memory that nobody will free
 *	free                         memory is read after it was freed
 *
 * In the kcov variant only. The two calls may be far apart; nothing but their order matters.
 */
#include <tessera/arch.h>
#include <tessera/arch/trap_frame.h>
#include <tessera/atomic.h>
#include <tessera/bootinfo.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/slab.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#define CALL_FLOCK    73
#define CALL_EVENTFD2 290

static void (*planted)(void);   /* [I] after boot; NULL: nothing is planted */
static pid_t armed_by;          /* [a] who made the eventfd last */

static struct spinlock outer = SPINLOCK_INIT(PROCESS), inner = SPINLOCK_INIT(FILE);

static void
planted_panic(void)
{
	panic("planted bug: flock() after eventfd2()");
}

static void __noinline
planted_lock_order(void)
{
	spin_lock(&inner);
	spin_lock(&outer);
	spin_unlock(&outer);
	spin_unlock(&inner);
}

static void __noinline
planted_hang(void)
{
	arch_irq_disable();
	for (;;)
		arch_cpu_relax();
}

static void __noinline
planted_stuck(void)
{
	static struct wait_queue never = WAIT_QUEUE_INIT(never);

	wait_event(&never, READ_ONCE(armed_by) == 0);
}

static void __noinline
planted_leak(void)
{
	static void *last;

	/* More than what the fuzzer thinks a cache may keep. */
	for (int i = 0; i < 32; i++) {
		void **object = kmalloc(48, 0);

		if (object)
			*object = last;
		last = object;
	}
}

static void __noinline
planted_use_after_free(void)
{
	uint32_t *words = kmalloc(48, 0);

	if (!words)
		return;
	words[2] = 1;
	kfree(words);
	(void)READ_ONCE(words[2]);
}

static const struct {
	const char *name;
	void (*fn)(void);
} kinds[] = {
	{ "panic", planted_panic },
	{ "lock", planted_lock_order },
	{ "hang", planted_hang },
	{ "stuck", planted_stuck },
	{ "leak", planted_leak },
	{ "free", planted_use_after_free },
};

void
planted_init(void)
{
	char name[16] = "";

	if (boot_flag("planted"))
		planted = planted_panic;
	boot_argument("planted", name, sizeof(name));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(name, kinds[i].name) == 0)
			planted = kinds[i].fn;
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
		planted();
}
