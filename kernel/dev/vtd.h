/* SPDX-License-Identifier: MIT */
/*
 * vtd.h - Intel's remapping units, for iommu.c.
 */
#ifndef TESSERA_DEV_VTD_H
#define TESSERA_DEV_VTD_H

#include <tessera/types.h>

struct vtd_domain;

/* Find the units, and let no device reach memory. False: there are none, or they cannot be used. */
bool vtd_start(void);
struct vtd_domain *vtd_domain_create(void);
void vtd_domain_free(struct vtd_domain *m);
uint64_t vtd_last_address(const struct vtd_domain *m);
/* What the requester sees is the domain's, NULL: nothing. -ENOMEM. */
int vtd_set_domain(uint16_t segment, uint8_t bus, uint8_t devfn, struct vtd_domain *m);
/* As iommu.h's. */
uint64_t vtd_map(struct vtd_domain *m, uint64_t iova, paddr_t pa, uint64_t size, bool read, bool write);
uint64_t vtd_unmap(struct vtd_domain *m, uint64_t iova, paddr_t *pa);
void vtd_unmap_tables(struct vtd_domain *m, uint64_t iova, uint64_t size);
/* Units forget what they remember of it; `mapped`: more was mapped, which most need not be told. Else the tables that
 * the above took out are free afterwards. */
void vtd_flush(struct vtd_domain *m, bool mapped);
void vtd_dump(void);

#endif
