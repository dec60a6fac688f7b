/* SPDX-License-Identifier: MIT */
/*
 * path_mtu.c - what routers have told of ways that are narrower than their links: RFC 1191, RFC 8201.
 *
 * It is forgotten after ten minutes, when the way may be another, and when its interface goes down. Who has been told
 * sends no better for what somebody made up: the least that is believed is what every path takes, or nearly.
 */
#include <tessera/time.h>

#include "config.h"

#define PATH_MTU_NS (600 * NSEC_PER_SEC)
#define LEAST_V4    552u  /* less is not believed; longer packets may be cut then. Linux's ip_rt_min_pmtu */
#define LEAST_V6    1280u /* RFC 8200, 5 */

/* config_lock held. NULL: nothing is known. */
static struct path_mtu *
find(struct network *n, const struct ip_address *to, uint32_t interface, deadline_t now)
{
	for (unsigned i = 0; i < PATH_MTUS; i++) {
		struct path_mtu *p = &n->path_mtus[i];

		if (p->until > now && p->interface == interface && ip_address_equal(&p->to, to))
			return p;
	}
	return NULL;
}

void
path_mtu_apply(struct network *n, const struct ip_address *to, struct way *out)
{
	deadline_t now;
	struct path_mtu *p;

	assert_held(&n->config_lock);
	if (likely(n->path_mtus_until == 0) || out->local)
		return;
	now = clock_monotonic_ns();
	p = n->path_mtus_until > now ? find(n, to, out->interface, now) : NULL;
	if (!p || p->mtu >= out->mtu)
		return;
	out->mtu = p->mtu;
	out->mtu_until = p->until;
	out->may_cut = p->cut;
}

void
path_mtu_learn(struct network *n, const struct ip_address *to, uint32_t mtu)
{
	struct ip_address any = ip_address_is_v4(to) ? ip_address_v4(0) : (struct ip_address){ 0 };
	uint32_t least = ip_address_is_v4(to) ? LEAST_V4 : LEAST_V6;
	deadline_t now = clock_monotonic_ns();
	struct path_mtu *p;
	struct way w;

	if (find_way(n, to, &any, 0, &w) || w.local || w.type != ROUTE_UNICAST || mtu > w.mtu)
		return;
	if (mtu < least && !ip_address_is_v4(to))
		return;
	spin_lock(&n->config_lock);
	p = find(n, to, w.interface, now);
	if (!p) {
		p = &n->path_mtus[0];
		for (unsigned i = 1; i < PATH_MTUS; i++)
			if (n->path_mtus[i].until < p->until)
				p = &n->path_mtus[i];
	}
	*p = (struct path_mtu){ .to = *to, .interface = w.interface, .mtu = MIN(MAX(mtu, least), w.mtu), .cut = mtu < least,
				.until = now + PATH_MTU_NS };
	n->path_mtus_until = p->until;
	spin_unlock(&n->config_lock);
}

void
path_mtus_of_interface_gone(struct network *n, uint32_t index)
{
	assert_held(&n->config_lock);
	for (unsigned i = 0; i < PATH_MTUS; i++)
		if (n->path_mtus[i].interface == index)
			n->path_mtus[i].until = 0;
}
