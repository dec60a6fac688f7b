/* SPDX-License-Identifier: MIT */
/*
 * config.h - what the files of this room share: interfaces, addresses, routes, neighbours.
 */
#ifndef TESSERA_NET_CONFIG_H
#define TESSERA_NET_CONFIG_H

#include "../network.h"

/* Linux's RT_SCOPE_*. */
#define SCOPE_UNIVERSE 0u
#define SCOPE_LINK     253u
#define SCOPE_HOST     254u

/* address_info.flags: Linux's IFA_F_*. */
#define ADDRESS_SECONDARY       0x1u   /* of IPv4: another one of the same prefix was there before */
#define ADDRESS_PERMANENT       0x80u
#define ADDRESS_NO_PREFIX_ROUTE 0x200u

/* sysfs.c: a directory of its own, by its present name; and no more. Nothing in other networks. No lock held. */
void interface_show(struct network *n, uint32_t index);
void interface_hide(struct network *n, uint32_t index);
void network_settings_init(struct network *n);
/* The first address of the prefix of `bits` that `a` lies in. */
struct ip_address prefix_of(const struct ip_address *a, unsigned bits);
/* The interface is up: its addresses have their routes. No lock held. */
void addresses_refresh_routes(struct network *n, uint32_t index);
void addresses_v6_of_interface_gone(struct network *n, uint32_t index, struct list *gone); /* config_lock held */
void routes_of_address_gone(struct network *n, const struct address_info *a, struct list *gone); /* the same */

#endif
