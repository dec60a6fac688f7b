/* SPDX-License-Identifier: MIT */
/*
 * vfio.h - containers, groups and devices: what the files of VFIO share.
 *
 *	container  /dev/vfio/vfio, opened: a space of addresses, and the memory mapped in it
 *	group      /dev/vfio/N, opened once at a time: joins a container, gives its devices out
 *	device     a file: registers, configuration, interrupts
 *
 * Each file holds what is above it: a device its group, a group its container. So when a process ends, however it
 * ends, first the device is closed and reset, and it reaches no memory any more; then what was mapped is let go.
 */
#ifndef TESSERA_DEV_VFIO_H
#define TESSERA_DEV_VFIO_H

#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/list.h>
#include <tessera/lock.h>
#include <tessera/memory_object.h>
#include <tessera/rbtree.h>
#include <tessera/wait.h>

#include "iommu.h"
#include "vfio_abi.h"

struct vfio_container;
struct vfio_space;
struct vfio_device;

enum vfio_group_kind {
	GROUP_IOMMU,   /* its devices reach what its container maps */
	GROUP_NOIOMMU, /* its devices reach all memory: who opens it is trusted */
	GROUP_NO_DMA,  /* its devices reach no memory at all */
};

/* [I] immutable  [V] vfio_lock */
struct vfio_group {
	struct refcount refs;          /* its devices, its open file, devices' open files */
	struct list node;              /* [V] all groups */
	uint32_t id;                   /* [I] */
	enum vfio_group_kind kind;     /* [I] */
	struct iommu_group *iommu;     /* [I] while devices are in it */
	struct list devices;           /* [V] */
	bool registered;               /* [V] it has a node in /dev */
	bool opened;                   /* [V] */
	struct vfio_container *container; /* [V] a reference */
	struct list container_node;    /* [V] */
	uint32_t open_devices;         /* [V] files of its devices */
};

struct vfio_device_ops {
	/* The first file of it is opened, or the last one closed. pci_lock and vfio_lock are held. */
	int (*open)(struct vfio_device *d);
	void (*close)(struct vfio_device *d);
	void (*free)(struct vfio_device *d);
	long (*ioctl)(struct vfio_device *d, unsigned int command, void __user *arg);
	ssize_t (*access)(struct vfio_device *d, uint32_t region, uint64_t at, void *buf, size_t n, bool write);
	int (*mmap)(struct vfio_device *d, uint32_t region, uint64_t offset, size_t length, bool shared,
		    struct memory_object **out);
	void (*request)(struct vfio_device *d); /* somebody wants it back: tell who has it, each time. Empty: no way to */
	void (*dump)(struct vfio_device *d);
};

struct vfio_device {
	struct refcount refs;          /* its driver, its files, mappings of it */
	const struct vfio_device_ops *ops; /* [I] */
	char name[24];                 /* [I] */
	struct vfio_group *group;      /* [I] a reference */
	struct list node;              /* [V] group->devices */
	uint32_t files;                /* [V] open */
	bool gone;                     /* [V] its driver gave it up: it is not opened again */
	struct wait_queue closed;      /* woken when files becomes 0 */
};

/* Regions in a device's file: each has 1 TiB of offsets. */
#define VFIO_REGION_SHIFT 40

extern struct mutex vfio_lock; /* class VFIO; below pci_lock */

/* --- vfio_group.c: vfio_lock is taken inside */
int vfio_add(struct vfio_device *d, const char *name, const struct vfio_device_ops *ops, enum vfio_group_kind kind,
	     struct iommu_group *iommu, uint32_t id);
/* -EBUSY while it is open. Afterwards the driver's reference is gone. */
int vfio_remove(struct vfio_device *d);
/* Ask for it back, and wait until it is closed. No locks. -EINTR. */
int vfio_wait_closed(struct vfio_device *d);
void vfio_device_get(struct vfio_device *d);
void vfio_device_put(struct vfio_device *d);
void vfio_group_get(struct vfio_group *g);
void vfio_group_put(struct vfio_group *g);
struct vfio_group *vfio_group_of(struct file *f); /* NULL: not a group's file */
extern bool vfio_unsafe; /* [a] devices may be given out without an IOMMU */

/* --- vfio_container.c */
struct vfio_container *vfio_container_of(struct file *f); /* with a reference; NULL: not one */
void vfio_container_put(struct vfio_container *c);
/* vfio_lock. 0, -EINVAL, -EPERM, -EBUSY, -ENOMEM */
int vfio_container_join(struct vfio_container *c, struct vfio_group *g);
/* vfio_lock, pci_lock. What the last group leaves behind, NULL: nothing: to be put without these locks. */
struct vfio_space *vfio_container_leave(struct vfio_container *c, struct vfio_group *g);
void vfio_space_put(struct vfio_space *s);
/* The same, where these locks are held: a worker does it. */
void vfio_space_put_late(struct vfio_space *s);
bool vfio_container_is_ready(struct vfio_container *c); /* an IOMMU, or none, was chosen */
void vfio_container_init(void);
void vfio_container_dump(struct vfio_container *c);

/* --- vfio_dma.c: what is mapped in a container's space; its lock is held */
/* [s] space->lock */
struct vfio_mappings {
	struct rb_tree tree;           /* [s] struct vfio_mapping by iova */
	uint32_t count;                /* [s] */
	uint64_t pages;                /* [s] pinned */
};
int vfio_dma_map(struct vfio_mappings *m, struct iommu_domain *domain, const struct vfio_dma_map *map);
int vfio_dma_unmap(struct vfio_mappings *m, struct iommu_domain *domain, uint64_t iova, uint64_t size, bool all,
		   bool strict, uint64_t *unmapped);
#define VFIO_MAPPINGS_MAX 65535u

/* --- vfio_irq.c: what a device sends, told by eventfds */
struct vfio_irq_request {
	uint32_t data, start, count;   /* VFIO_IRQ_DATA_* */
	union {
		const uint8_t *bools;
		const int32_t *fds;
	};
};
/* Copy in and check VFIO_DEVICE_SET_IRQS: `counts` says how many interrupts each index has. The data is kmalloc'd into
 * *buf. */
int vfio_irq_decode(const void __user *arg, const uint32_t *counts, uint32_t indices, struct vfio_irq_set *set,
		    struct vfio_irq_request *r, void **buf);
struct file *vfio_eventfd(int fd, uint64_t right, int *error);

void vfio_pci_init(void);
void vfio_legacy_init(void);

#endif
