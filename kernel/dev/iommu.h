/* SPDX-License-Identifier: MIT */
/*
 * iommu.h - groups of devices that cannot be told apart, and the spaces of addresses that they see.
 *
 * A domain is a table from the addresses that devices use to memory. A group is in at most one; the devices of a group
 * that is in none reach no memory at all. What is mapped in a domain is its user's to keep: pinned, until unmapped.
 */
#ifndef TESSERA_DEV_IOMMU_H
#define TESSERA_DEV_IOMMU_H

#include <tessera/list.h>
#include <tessera/types.h>

struct iommu_domain;
struct pci_device;
struct sysfs_node;

/* [P] pci_lock */
struct iommu_group {
	struct list node;              /* [P] all groups */
	uint32_t id;                   /* [I] */
	bool made_up;                  /* [I] there is no IOMMU */
	struct list devices;           /* [P] device->group_node */
	struct iommu_domain *domain;   /* [P] */
	struct sysfs_node *sysfs;      /* [P] */
};

/* pci_lock is held for all that take a device or a group. */
void iommu_init(void);
void iommu_add_device(struct pci_device *d);
void iommu_show_device(struct pci_device *d);
void iommu_remove_device(struct pci_device *d);
bool iommu_is_there(void);
/* A group of its own for a device where there is no IOMMU, for as long as somebody uses it. */
int iommu_make_up_group(struct pci_device *d);
void iommu_drop_made_up_group(struct pci_device *d);
uint32_t iommu_new_group_id(void);

struct iommu_domain *iommu_domain_create(void); /* NULL: no memory, or there are as many as there can be */
/* No group is in it; what is still mapped is the caller's. */
void iommu_domain_free(struct iommu_domain *m);
int iommu_attach(struct iommu_domain *m, struct iommu_group *g);
void iommu_detach(struct iommu_group *g);
/* One device of the group sees the domain, NULL: nothing. */
int iommu_set_devices(struct pci_device *d, struct iommu_domain *m);
/* The last address that devices can use. */
uint64_t iommu_last_address(const struct iommu_domain *m);
/* Addresses that are not memory to devices: writes there are interrupts. */
#define IOMMU_RESERVED_START 0xfee00000ul
#define IOMMU_RESERVED_END   0xfef00000ul

/*
 * Callers keep each other out of one domain. `size` bytes at `iova` are the memory at `pa`, whole pages, by entries
 * as large as there are; nothing is mapped there yet. Returns how many are mapped; fewer than all: no memory.
 */
uint64_t iommu_map(struct iommu_domain *m, uint64_t iova, paddr_t pa, uint64_t size, bool read, bool write);
/* After the last of them: devices see what was mapped. */
void iommu_map_done(struct iommu_domain *m);
/*
 * What one entry maps from `iova` on is not mapped any more. Returns how many bytes, 0: nothing was. The memory at *pa
 * stays in use until iommu_unmap_done(). What was mapped at once is unmapped at once: an entry begins at `iova`.
 */
uint64_t iommu_unmap(struct iommu_domain *m, uint64_t iova, paddr_t *pa);
void iommu_unmap_done(struct iommu_domain *m);
/* Tables for the range that are empty by now are given back, with the next iommu_unmap_done(). */
void iommu_unmap_tables(struct iommu_domain *m, uint64_t iova, uint64_t size);

#endif
