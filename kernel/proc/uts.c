/* SPDX-License-Identifier: MIT */
/*
 * uts.c - host and domain name.
 */
#include <tessera/lock.h>
#include <tessera/string.h>
#include <tessera/uts.h>

static struct spinlock lock = SPINLOCK_INIT(LEAF);
static char host_name[UTS_NAME_MAX + 1] = "(none)";   /* lock */
static char domain_name[UTS_NAME_MAX + 1] = "(none)"; /* lock */

void
uts_get_names(char *host, char *domain)
{
	uint64_t flags = spin_lock_irq(&lock);

	if (host)
		memcpy(host, host_name, sizeof(host_name));
	if (domain)
		memcpy(domain, domain_name, sizeof(domain_name));
	spin_unlock_irq(&lock, flags);
}

void
uts_set_name(const char *name, bool domain)
{
	uint64_t flags = spin_lock_irq(&lock);

	string_copy(domain ? domain_name : host_name, name, UTS_NAME_MAX + 1);
	spin_unlock_irq(&lock, flags);
}
