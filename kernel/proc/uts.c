/* SPDX-License-Identifier: MIT */
/*
 * uts.c - host and domain name, of each UTS namespace.
 */
#include <tessera/cred.h>
#include <tessera/lock.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uts.h>

static struct spinlock lock = SPINLOCK_INIT(LEAF); /* names of all */

struct uts_namespace init_uts_namespace = {
	.ns = { { 1 }, NAMESPACE_UTS, 0xeffffffe, &init_user_namespace },
	.host = "(none)",
	.domain = "(none)",
};

static struct uts_namespace *
current_uts(void)
{
	return (struct uts_namespace *)current_namespaces()->of[NAMESPACE_UTS];
}

void
uts_get_names(char *host, char *domain)
{
	struct uts_namespace *u = current_uts();
	uint64_t flags = spin_lock_irq(&lock);

	if (host)
		memcpy(host, u->host, sizeof(u->host));
	if (domain)
		memcpy(domain, u->domain, sizeof(u->domain));
	spin_unlock_irq(&lock, flags);
}

void
uts_set_name(const char *name, bool domain)
{
	struct uts_namespace *u = current_uts();
	uint64_t flags = spin_lock_irq(&lock);

	string_copy(domain ? u->domain : u->host, name, UTS_NAME_MAX + 1);
	spin_unlock_irq(&lock, flags);
}

bool
uts_may_set(void)
{
	return capable_in(current_uts()->ns.owner, CAP_SYS_ADMIN);
}

struct namespace *
uts_namespace_copy(struct namespace *from, struct user_namespace *owner)
{
	struct uts_namespace *u = kzalloc(sizeof(*u)), *old = (struct uts_namespace *)from;
	uint64_t flags;

	if (!u)
		return NULL;
	namespace_init(&u->ns, NAMESPACE_UTS, owner);
	flags = spin_lock_irq(&lock);
	memcpy(u->host, old->host, sizeof(u->host));
	memcpy(u->domain, old->domain, sizeof(u->domain));
	spin_unlock_irq(&lock, flags);
	return &u->ns;
}
