/* SPDX-License-Identifier: MIT */
/*
 * icmp_limit.c - how many errors of ICMP are sent: what strangers send must not make us send as much, which might be to
 * somebody in whose name they speak. RFC 1812, 4.3.2.8; RFC 4443, 2.4 (f); icmp(7).
 *
 * A limit is a debt, a moment that lies ahead: a message adds its price in time to it, and time pays it off. As long as it
 * is less than a burst of messages, another one may go. There is a debt of each who was sent errors lately, and one of the
 * network. In the latter a message costs nothing, its price or twice that, by chance: who counts what still comes to him
 * learns nothing of what others were told (which ports are closed: CVE-2020-25705).
 *
 * Of those that were sent errors only some are known. When another one comes, who has the least debt is forgotten: somebody
 * who speaks in many names is bound by the network's limit.
 */
#include <tessera/random.h>
#include <tessera/time.h>

#include "ip.h"

#define OWN_BURST 6u /* messages; Linux's */

/* config_lock held. A new one has no debt. */
static struct icmp_debt *
debt_to(struct network *n, const struct ip_address *to)
{
	struct icmp_debt *least = &n->icmp_debts[0];

	assert_held(&n->config_lock);
	for (unsigned i = 0; i < ICMP_DEBTS; i++) {
		struct icmp_debt *d = &n->icmp_debts[i];

		if (ip_address_equal(&d->to, to))
			return d;
		if (d->paid < least->paid)
			least = d;
	}
	*least = (struct icmp_debt){ .to = *to };
	return least;
}

/* Take `count` times the price for a message, if that may go now. A debt is no more than a burst, whatever it once was. */
static bool
take(deadline_t *paid, deadline_t now, uint64_t price, uint64_t burst, uint64_t count)
{
	deadline_t most = now + burst * price, debt = MIN(MAX(*paid, now), most);
	bool goes = debt + price <= most;

	*paid = goes ? debt + count * price : debt;
	return goes;
}

/* Nanoseconds; with 0 there is no limit. Of IPv6 the wider the route, the less: behind it are more that may ask. */
static uint64_t
price_of_own(struct network *n, const struct packet *p, const struct ip_label *l)
{
	uint64_t price = (uint64_t)network_setting(n, l->v6 ? SETTING_ICMP6_INTERVAL : SETTING_ICMP_INTERVAL) * NSEC_PER_MSEC;
	uint32_t interface = ip_address_is_link_local(&l->from) ? p->info.interface : 0;
	struct ip_address any = { 0 };
	struct route_info by;
	struct way w;

	if (l->v6 && price && find_way_and_route(n, &l->from, &any, interface, &w, &by) == 0)
		price >>= (128u - by.bits) / 32;
	return price;
}

static bool
is_limited(struct network *n, const struct packet *p, const struct ip_label *l, uint8_t type)
{
	if (p->info.interface == NETWORK_LOOPBACK)
		return false;
	return l->v6 || (type < 31 && (network_setting(n, SETTING_ICMP_MASK) >> type & 1));
}

bool
icmp_limit_admits(struct network *n, const struct packet *p, const struct ip_label *l, uint8_t type)
{
	uint64_t rate = (uint64_t)network_setting(n, SETTING_ICMP_RATE), burst = (uint64_t)network_setting(n, SETTING_ICMP_BURST);
	uint64_t price, count = random_below(3);
	deadline_t now = clock_monotonic_ns();
	bool own, all;

	if (!is_limited(n, p, l, type))
		return true;
	price = price_of_own(n, p, l);
	spin_lock(&n->config_lock);
	own = take(&debt_to(n, &l->from)->paid, now, price, OWN_BURST, 1);
	all = own && rate && take(&n->icmp_paid, now, NSEC_PER_SEC / rate, burst, count);
	spin_unlock(&n->config_lock);
	if (!own)
		network_add(n, l->v6 ? ICMP6_OUT_LIMITED_HOST : ICMP_OUT_LIMITED_HOST, 1);
	else if (!all)
		network_add(n, ICMP_OUT_LIMITED, 1);
	return all;
}
