/* SPDX-License-Identifier: MIT */
/*
 * pci.h - buses, devices and drivers: what the files of this room share.
 */
#ifndef TESSERA_DEV_PCI_H
#define TESSERA_DEV_PCI_H

#include <tessera/arch.h>
#include <tessera/atomic.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/pci.h>
#include <tessera/sysfs.h>

#include "pci_hw.h"

struct iommu_group;
struct pci_driver;
struct pci_slot;

/* resource->flags */
#define RESOURCE_IO       BIT(0)
#define RESOURCE_MEMORY   BIT(1)
#define RESOURCE_64       BIT(2)
#define RESOURCE_PREFETCH BIT(3)
#define RESOURCE_UNSET    BIT(4)  /* it has a size, but no place yet */
#define RESOURCE_SHADOW   BIT(5)  /* of the ROM: the copy that firmware left in memory */

/* A range of addresses that a device answers at, or a bridge passes on. size 0: there is none. */
struct pci_resource {
	uint64_t start, size;
	uint32_t flags;
	uint32_t raw;                  /* the low bits of the register */
};

#define PCI_BARS      6
#define PCI_ROM       6            /* in device->resource */
#define PCI_RESOURCES 7
enum { WINDOW_IO, WINDOW_MEMORY, WINDOW_PREFETCH, WINDOWS };

/* [I] immutable  [P] pci_lock */
struct pci_bus {
	struct list node;              /* [P] in all buses, by number */
	uint16_t segment;              /* [I] */
	uint8_t number, last;          /* [I]; [P] the highest number behind it */
	bool extended;                 /* [I] its devices can have more than 256 bytes of configuration space */
	uint8_t depth;                 /* [I] 0: a root */
	struct pci_bus *parent;        /* [I] NULL: a root */
	struct pci_device *bridge;     /* [I] that leads to it */
	struct list devices;           /* [P] by devfn */
	struct sysfs_node *devices_node; /* [I] the directory that its devices are in */
	struct sysfs_node *sysfs;      /* [I] its own */
};

/*
 * [I] immutable  [P] pci_lock  [d] lock  [P+d] both to change, either to read
 * [a] atomic
 * References: the bus's list, who has found it, who has a mapping of its registers.
 */
struct pci_device {
	struct refcount refs;
	struct list node;              /* [P] bus->devices */
	struct pci_bus *bus;           /* [I]; valid while the device is in its list */
	struct pci_bus *below;         /* [P] a bridge's */
	struct pci_slot *slot;         /* [P] a port's that is watched */
	uint16_t segment;              /* [I] */
	uint8_t bus_number, devfn;     /* [I] */
	char name[16];                 /* [I] 0000:00:1f.2 */
	uint16_t vendor, device, subvendor, subdevice; /* [I] */
	uint32_t class;                /* [I] three bytes: base, sub, interface */
	uint8_t revision, header, pin; /* [I] */
	uint32_t config_size;          /* [I] */
	uint32_t irq;                  /* [I] the line that firmware gave it, 0: none */
	uint16_t cap_pm, cap_msi, cap_msix, cap_express, cap_af; /* [I] 0: it has none */
	uint8_t express_type;          /* [I] where cap_express */
	bool removed;                  /* [a] */
	struct pci_made_up *made_up;   /* [I] a test's device; NULL: it is real */
	bool no_intx_works;            /* [I] interrupts can be switched off in the command register */
	struct pci_resource resource[PCI_RESOURCES]; /* [P] placed by who finds the device */
	struct pci_resource window[WINDOWS];         /* [P] */
	struct pci_driver *driver;     /* [P] */
	void *driver_data;             /* [P] the driver's */
	char *override;                /* [P+d] the only driver it may have; NULL: any */
	bool rom_readable;             /* [a] by /sys */
	uint32_t resets;               /* [a] a bit for each way to reset it */
	uint32_t enabled;              /* [P] by how many */
	struct iommu_group *group;     /* [P] NULL: there is no IOMMU, and nobody made one up */
	struct list group_node;        /* [P] */
	struct sysfs_node *sysfs;      /* [P] */
	struct spinlock lock;          /* class LEAF */
	struct list mappings;          /* [d] struct bar_mapping: of its registers, by resourceN */
};

/* [I] but the list and the ids, under pci_lock */
struct pci_driver {
	struct list node;
	const char *name;
	struct list ids;               /* struct pci_id that new_id added */
	/* The device becomes the driver's, or is no more. Called with pci_lock held. */
	int (*probe)(struct pci_driver *driver, struct pci_device *d);
	/* -EBUSY: somebody needs it still. */
	int (*remove)(struct pci_driver *driver, struct pci_device *d);
	/* Wait until nobody needs the device any more, without pci_lock; -EINTR. Empty: nobody does. */
	int (*release)(struct pci_driver *driver, struct pci_device *d);
	struct sysfs_node *sysfs;
};

extern struct mutex pci_lock;          /* class PCI: buses, devices, drivers */
extern struct list pci_buses;          /* pci_lock */

static inline void
pci_device_get(struct pci_device *d)
{
	ref_get(&d->refs);
}

/* --- pci_made_up.c */
uint32_t pci_made_up_read(struct pci_made_up *m, uint32_t at, uint32_t size);
void pci_made_up_write(struct pci_made_up *m, uint32_t at, uint32_t size, uint32_t value);

static inline uint32_t
pci_read(struct pci_device *d, uint32_t at, uint32_t size)
{
	if (unlikely(d->made_up))
		return pci_made_up_read(d->made_up, at, size);
	return arch_pci_read(d->segment, d->bus_number, d->devfn, at, size);
}

static inline void
pci_write(struct pci_device *d, uint32_t at, uint32_t size, uint32_t value)
{
	if (unlikely(d->made_up))
		pci_made_up_write(d->made_up, at, size, value);
	else
		arch_pci_write(d->segment, d->bus_number, d->devfn, at, size, value);
}

static inline bool
pci_is_bridge(const struct pci_device *d)
{
	return d->header == PCI_HEADER_BRIDGE;
}

/* --- pci_bus.c */
int pci_rescan(void);                          /* all buses; takes pci_lock. -EINTR */
void pci_rescan_bus_locked(struct pci_bus *b);
/* The device and all behind it are taken away, when their users are done. -EINTR. */
int pci_remove(struct pci_device *d);
/* --- pci_capability.c */
uint16_t pci_find_capability(struct pci_device *d, uint8_t id);
uint16_t pci_find_extended(struct pci_device *d, uint16_t id);
void pci_read_capabilities(struct pci_device *d);
/* Its registers answer, and those of the bridges to it pass on. Counted. pci_lock. */
int pci_enable_locked(struct pci_device *d);
void pci_disable_locked(struct pci_device *d);
void pci_set_command(struct pci_device *d, uint32_t set, uint32_t clear);

/* --- pci_reset.c */
/* What a reset destroys and is put back. */
struct pci_saved {
	uint32_t header[16];
	uint16_t express[4];
};
void pci_save(struct pci_device *d, struct pci_saved *s);
void pci_restore(struct pci_device *d, const struct pci_saved *s);
/* Back to what it was at power-on, its configuration kept. -ENOTTY: it knows no way. pci_lock; may sleep. */
int pci_reset_locked(struct pci_device *d);
void pci_find_resets_locked(struct pci_device *d); /* sets d->resets */
bool pci_can_reset_bus_locked(const struct pci_bus *b);
/* All behind the bridge at once. -ENOTTY: none leads there. */
int pci_reset_bus_locked(struct pci_bus *b);
void pci_show_reset_methods(struct pci_device *d, struct text *t);

/* --- pci_bar.c */
void pci_read_bars(struct pci_device *d);
void pci_read_windows(struct pci_device *d);
/* Places for what has none. pci_lock. */
void pci_assign_bus(struct pci_bus *b);
/* The object that shows resource `index` to a mapping, with a reference; NULL: no memory. */
struct memory_object *pci_bar_object(struct pci_device *d, uint32_t index, bool combine);
/* All mappings made by the above show nothing from now on. */
void pci_bar_revoke(struct pci_device *d);
/* One access of 1, 2 or 4 bytes to a port: n, or -EINVAL. */
ssize_t pci_port_access(uint16_t port, void *buf, size_t n, bool write);
/* Bytes of the ROM, which answers meanwhile. n or an errno. May sleep. */
ssize_t pci_rom_read(struct pci_device *d, void *buf, size_t n, uint64_t at);

/* --- pci_sysfs.c */
void pci_sysfs_init(void);
int pci_sysfs_add_root(struct pci_bus *b);
int pci_sysfs_add_bus(struct pci_bus *b);
int pci_sysfs_add_device(struct pci_device *d);
void pci_sysfs_remove_device(struct pci_device *d);
/* The driver's links are there, 0 or -ENOMEM; or not. */
int pci_sysfs_bound(struct pci_device *d, struct pci_driver *driver);
void pci_sysfs_unbound(struct pci_device *d, struct pci_driver *driver);

bool pci_probes_by_itself(void);

/* --- pci_hotplug.c */
bool pci_has_slot(struct pci_device *d); /* that something may be plugged into while the machine runs */
/* From now on what comes to a port's slot is found, and what goes is removed; or no longer. */
void pci_slot_start_locked(struct pci_device *port);
void pci_slot_stop_locked(struct pci_device *port);

/* --- pci_msi.c */
/* The name that its requests come under: its own, or a bridge's. With the segment. */
uint32_t pci_requester(const struct pci_device *d);
uint32_t pci_msi_count(struct pci_device *d); /* that it could send; 0: it has no MSI */
void pci_msi_write(struct pci_device *d, const struct arch_msi *m);
void pci_msi_enable(struct pci_device *d, uint32_t count); /* a power of two */
void pci_msi_disable(struct pci_device *d);
/* Where the table of messages is: `bar` and the bytes there. False: it has none, or says nonsense. */
struct pci_msix {
	uint32_t bar, count;
	uint64_t start, end;
};
bool pci_msix_table(struct pci_device *d, struct pci_msix *out);
void pci_msix_write(volatile uint32_t *entry, const struct arch_msi *m, bool on);
void pci_msix_set(struct pci_device *d, bool on);
/* A message that the kernel itself handles: one for each device. -ENODEV: it sends none; -ENOMEM, -ENOSPC. */
struct pci_message {
	struct pci_device *device;
	volatile uint32_t *table;      /* of MSI-X; NULL: it is MSI */
	int number;
};
int pci_message_start(struct pci_message *own, struct pci_device *d, irq_handler_t handler, void *arg, const char *name);
void pci_message_stop(struct pci_message *own);

/* --- pci_driver.c */
#define PCI_OVERRIDE_MAX 64
void pci_driver_register(struct pci_driver *driver);
/* Give `d` to a driver that takes it, if one does. pci_lock. */
void pci_match_locked(struct pci_device *d);
int pci_unbind(struct pci_device *d, struct pci_driver *from); /* takes pci_lock; -ENODEV, -EINTR */
ssize_t pci_set_override(struct pci_device *d, const char *text, size_t n);
struct pci_device *pci_find_name(const char *name, size_t n); /* with a reference; takes pci_lock */
ssize_t pci_drivers_probe(const char *name, size_t n);

#endif
