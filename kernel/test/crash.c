/* SPDX-License-Identifier: MIT */
/*
 * crash.c - break a rule on purpose: `test=crash:NAME` at boot must end in the panic that NAME stands for.
 *
 * What the tests of the panic itself, of the lock checker and of the stack guards boot with. None of
 * these is in `test=all`.
 */
#include <tessera/address_space.h>
#include <tessera/config.h>
#include <tessera/cpu.h>
#include <tessera/lock.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/test.h>
#include <tessera/thread.h>
#include <tessera/wait.h>

#include "crash.h"

/* Static, and not inlined: the backtrace shows these names. */
static struct spinlock outer = SPINLOCK_INIT(PROCESS), inner = SPINLOCK_INIT(FILE);
static struct spinlock irq_lock = SPINLOCK_INIT(DEVICE);
static struct mutex mutex = MUTEX_INIT(mutex, PIPE);

static void __noinline
take_in_order(void)
{
	spin_lock(&outer);
	spin_lock(&inner);
	spin_unlock(&inner);
	spin_unlock(&outer);
}

static void __noinline
crash_lock_order(void)
{
	take_in_order();
	spin_lock(&inner);
	spin_lock(&outer);
}

static void __noinline
crash_lock_twice(void)
{
	mutex_lock(&mutex);
	mutex_lock(&mutex);
}

static void __noinline
crash_lock_irq(void)
{
	spin_lock(&irq_lock);
}

static void __noinline
crash_lock_owner(void)
{
	mutex_unlock(&mutex);
}

static void __noinline
crash_sleep(void)
{
	spin_lock(&outer);
	ktest_sleep_ns(NSEC_PER_MSEC);
}

static void __noinline
crash_assert(void)
{
	assert(strlen("one") == 1);
}

static void __noinline
crash_null(void)
{
	const volatile struct thread *volatile t = NULL;

	log_print(LOG_ERR, "tid %d\n", t->tid);
}

static void __noinline
crash_text(void)
{
	*(volatile uint8_t *)(vaddr_t)crash_null = 0xcc;
}

static void __noinline
crash_execute(void)
{
	static uint8_t code[] = { 0xc3 };
	void (*volatile fn)(void) = (void (*)(void))(vaddr_t)code;

	fn();
}

/* A page of a program's, loaded on this CPU, that the kernel has no business with. */
static volatile uint8_t *
user_page(void)
{
	struct address_space *as = address_space_create();
	struct map_request r = {
		.length = PAGE_SIZE,
		.flags = MAPPING_READ | MAPPING_WRITE | MAPPING_EXEC | MAPPING_MAYREAD | MAPPING_MAYWRITE | MAPPING_MAYEXEC,
	};
	uint8_t ret = 0xc3;
	long at = as ? address_space_map(as, &r) : -1;

	if (at < 0 || address_space_access(as, (vaddr_t)at, &ret, 1, true, false) != 1)
		panic("no page to try");
	arch_irq_disable();
	address_space_switch(as);
	return (volatile uint8_t *)at;
}

static void __noinline
crash_user_read(void)
{
	log_print(LOG_ERR, "byte %d\n", *user_page());
}

static void __noinline
crash_user_write(void)
{
	*user_page() = 1;
}

static void __noinline
crash_user_execute(void)
{
	((void (*)(void))(vaddr_t)user_page())();
}

static uint64_t __noinline
deeper(uint64_t n)
{
	volatile uint64_t room[32];

	if (n == UINT64_MAX)
		return 0;
	room[n % 32] = n;
	return deeper(n + 1) + room[n % 32];
}

static void __noinline
crash_stack(void)
{
	log_print(LOG_ERR, "%lu\n", deeper(0));
}

static void __noinline
crash_smash(void)
{
	char small[8];
	char *volatile p = small;

	memset(p, 0x41, 64);
	log_print(LOG_ERR, "%p\n", (void *)p);
}

static void __noinline
crash_double_free(void)
{
	void *volatile p = kmalloc(64, 0);

	kfree(p);
	kfree(p);
}

static void __noinline
crash_region(void)
{
	volatile uint8_t *p = vmalloc(PAGE_SIZE);

	p[PAGE_SIZE] = 1;
}

static void __noinline
spin_for_ever(void *arg, uint32_t index)
{
	if (index)
		for (;;)
			arch_cpu_relax();
	ktest_sleep_ns(20 * NSEC_PER_MSEC);
	panic("others run while this CPU panics");
}

/* The other CPUs must stop and print nothing. */
static void __noinline
crash_busy(void)
{
	ktest_parallel(cpu_count + 1, spin_for_ever, NULL);
}

static const struct crash crash_rules[] = {
	{ "lock_order", crash_lock_order },
	{ "lock_twice", crash_lock_twice },
	{ "lock_irq", crash_lock_irq },
	{ "lock_owner", crash_lock_owner },
	{ "sleep", crash_sleep },
	{ "assert", crash_assert },
	{ "null", crash_null },
	{ "text", crash_text },
	{ "execute", crash_execute },
	{ "stack", crash_stack },
	{ "smash", crash_smash },
	{ "double_free", crash_double_free },
	{ "region", crash_region },
	{ "busy", crash_busy },
	{ "user_read", crash_user_read },
	{ "user_write", crash_user_write },
	{ "user_execute", crash_user_execute },
	{ 0 },
};

static const struct crash *const tables[] = { crash_rules, crash_memory, crash_undefined,
					     crash_races, crashes_kasan, crash_hangs };

void
crash_run(const char *name)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(tables); i++) {
		for (const struct crash *c = tables[i]; c->name; c++) {
			if (strcmp(c->name, name))
				continue;
			c->fn();
			log_print(LOG_ERR, "ktest: FAIL crash:%s: nothing stopped it\n", name);
			return;
		}
	}
	log_print(LOG_ERR, "ktest: no crash is named %s\n", name);
}
