/* SPDX-License-Identifier: MIT */
/*
 * fault_inject.h - allocations that fail on demand: /proc/thread-self/fail-nth, the argument failalloc=.
 */
#ifndef TESSERA_FAULT_INJECT_H
#define TESSERA_FAULT_INJECT_H

#include <tessera/config.h>
#include <tessera/types.h>

/* Count an allocation that `site` (a return address) asks for. True: it shall fail. Any context. */
bool fault_inject_count(const void *site);

/* Whoever allocates asks this first and answers "no memory" when it is true. */
static __always_inline bool
fault_inject(const void *site)
{
	return config_fault_injection && fault_inject_count(site);
}

/* From here on a failed allocation is something the kernel must bear: failalloc= counts from now. */
void fault_inject_boot(void);

/* Each place that asked for memory since boot: how often, and how often it was told there is none. */
void fault_inject_for_each_site(void (*fn)(void *ctx, vaddr_t site, uint64_t calls, uint64_t failed),
				void *ctx);

#endif
