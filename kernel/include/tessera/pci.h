/* SPDX-License-Identifier: MIT */
/*
 * pci.h - what other rooms ask of PCI: that it is brought up, listed, and its configuration space read.
 */
#ifndef TESSERA_PCI_H
#define TESSERA_PCI_H

#include <tessera/text.h>
#include <tessera/types.h>

struct pci_device;

/* Find all devices, and show them in /sys. After vfs_init(). */
void pci_init(void);
/* VFIO: /dev/vfio/vfio, the drivers that give devices to programs, and the machine's legacy devices. After pci_init(). */
void vfio_init(void);

/* Buses and their devices by number, for /proc/bus/pci: the first from `from` on, or -1. A bus: segment << 8 | number. */
long pci_next_bus(long from);
long pci_next_device(uint32_t bus, long from);
/* The device there, with a reference; NULL: none. */
struct pci_device *pci_find(uint32_t bus, uint8_t devfn);
void pci_device_put(struct pci_device *d);
/* Bytes of configuration space, as many as there are; reads and writes of the widest naturally aligned units. */
uint32_t pci_config_size(const struct pci_device *d);
void pci_config_read(struct pci_device *d, uint32_t at, void *buf, size_t n);
void pci_config_write(struct pci_device *d, uint32_t at, const void *buf, size_t n);
/* /proc/bus/pci/devices. */
void pci_show_all(struct text *t);

/* All devices; all that VFIO has open; the IOMMUs: to the log, no locks. */
void pci_dump(void);
void vfio_dump(void);
void iommu_dump(void);

/* --- for tests: what is made of a device that does not exist (pci_made_up.c) ------------------------ */

struct pci_made_up {
	uint8_t bytes[4096];           /* its configuration */
	uint32_t masks[7];             /* of the registers of its six address ranges and its ROM: bits that can be set */
	bool extended;                 /* more than 256 bytes of it are there */
	uint32_t reads;                /* so far */
	uint8_t shown[4096];           /* out: what a program sees of it */
};

struct pci_reading {
	uint16_t capabilities[5];      /* PM, MSI, MSI-X, Express, AF: where; 0: none */
	uint16_t extended_found;       /* ACS */
	uint64_t start[7], size[7];
	bool ports[7];
	bool msix;                     /* it has a table of messages: */
	uint32_t msix_bar;
	uint64_t msix_start, msix_end;
};

int pci_read_made_up(struct pci_made_up *m, struct pci_reading *out); /* -ENOMEM */

#endif
