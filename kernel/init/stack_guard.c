/* SPDX-License-Identifier: MIT */
/*
 * stack_guard.c - the two names that the compiler's stack protector expects.
 *
 * One word for the whole kernel: functions with arrays put it between them and their return address and
 * compare before they return. It has a zero byte, so that a string that overflows cannot write it.
 */
#include <tessera/arch.h>
#include <tessera/panic.h>

#include "init.h"

extern uint64_t __stack_chk_guard;
void __noreturn __stack_chk_fail(void);

uint64_t __stack_chk_guard = 0x5dc1e39a47b2f600;

/* Interrupts are off and no other CPU runs. Must not be guarded itself: the word changes under it. */
__attribute__((no_stack_protector)) void
stack_guard_init(void)
{
	bool ok;
	uint64_t word = arch_random(&ok);

	if (!ok)
		word = (arch_cycles() | 1) * 0x9e3779b97f4a7c15;
	__stack_chk_guard = word & ~0xffull;
}

void
__stack_chk_fail(void)
{
	panic("a function wrote past an array on its stack; its return address is %p",
	      __builtin_return_address(0));
}
