/* SPDX-License-Identifier: MIT */
/*
 * rtnetlink.h - what the files of NETLINK_ROUTE share.
 */
#ifndef TESSERA_RTNETLINK_H
#define TESSERA_RTNETLINK_H

#include "netlink.h"

/* The first message of each kind; +1 deletes, +2 asks. */
#define RTM_LINK      16u
#define RTM_ADDRESS   20u
#define RTM_ROUTE     24u
#define RTM_NEIGHBOUR 28u
#define RTM_RULE      32u
#define RTM_NETWORK   88u
#define RTM_NEXT_HOP  104u
#define RTM_SETLINK   19u

enum act { NEW, DELETE, GET };

/* A request of that kind. 0, 1: a dump, all of it is there; or the errno that the acknowledgement carries. */
int rtnetlink_link_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o);
int rtnetlink_address_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o);
int rtnetlink_route_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o);
int rtnetlink_neighbour_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o);
int rtnetlink_rule_request(const struct netlink_request *r, enum act act, bool dump, struct netlink_out *o);

/* One message about one of them. */
void rtnetlink_put_link(struct netlink_out *o, const struct interface_info *i, uint16_t type);
void rtnetlink_put_own(struct netlink_out *o, const struct address_info *i, uint16_t type);
void rtnetlink_put_route(struct netlink_out *o, const struct route_info *i, uint16_t type);
void rtnetlink_put_neighbour(struct netlink_out *o, const struct neighbour_info *i, uint16_t type);

/* Addresses in attributes, four bytes or sixteen. */
uint8_t rtnetlink_family(const struct ip_address *a);
bool rtnetlink_is_family(uint8_t family); /* one of the two */
void rtnetlink_put_address(struct netlink_out *o, uint16_t type, const struct ip_address *a);
/* What is not there is any. -EINVAL: of another length. */
int rtnetlink_get_address(const struct nlattr *a, uint8_t family, struct ip_address *out);

#endif
