/* SPDX-License-Identifier: MIT */
/*
 * half_open.c - connections that peers began and have not confirmed: the stack has them, and writes them down for who comes
 * after it. The kernel reads that to show them, and for nothing else: whatever stands there harms nobody.
 */
#include <tessera/atomic.h>
#include <tessera/errno.h>
#include <tessera/page.h>

#include "door.h"

#define PER_PAGE (PAGE_SIZE / sizeof(struct netd_half_open))
#define PAGES    (NETD_HALF_OPEN / PER_PAGE)
#define WORDS    (sizeof(struct netd_half_open) / sizeof(uint64_t))

_Static_assert(PAGE_SIZE % sizeof(struct netd_half_open) == 0, "none lies in two pages");

static char *page[PAGES]; /* [I] once are_there */
static bool are_there;    /* [a] */

int
half_open_ready(void)
{
	if (!door_pages(page, PAGES, NETD_MAP_HALF_OPEN))
		return -ENOMEM;
	atomic_store_release(&are_there, true);
	return 0;
}

bool
half_open_get(uint32_t index, struct endpoint *local, struct endpoint *remote, uint32_t *interface)
{
	union {
		struct netd_half_open h;
		uint64_t word[WORDS];
	} copy;
	const uint64_t *from;

	if (index >= NETD_HALF_OPEN || !__atomic_load_n(&are_there, __ATOMIC_ACQUIRE))
		return false;
	from = (const uint64_t *)(page[index / PER_PAGE] + index % PER_PAGE * sizeof(copy.h));
	for (uint32_t i = 0; i < WORDS; i++)
		copy.word[i] = READ_ONCE(from[i]);
	*local = door_endpoint_of(&copy.h.local);
	*remote = door_endpoint_of(&copy.h.remote);
	*interface = copy.h.interface;
	return copy.h.used && local->port && remote->port;
}
