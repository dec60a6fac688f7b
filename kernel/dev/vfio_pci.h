/* SPDX-License-Identifier: MIT */
/*
 * vfio_pci.h - a PCI device in a program's hands: what the files of vfio-pci share.
 */
#ifndef TESSERA_DEV_VFIO_PCI_H
#define TESSERA_DEV_VFIO_PCI_H

#include <tessera/continuation.h>

#include "line.h"
#include "pci.h"
#include "vfio.h"

/* An eventfd that lets the line through again when it is written to. */
struct vfio_unmask {
	struct continuation work;
	struct spinlock lock;          /* class DEVICE_LINE: a write is taken and obeyed in one step */
	bool dead;                     /* lock */
	struct vfio_pci *device;       /* [I] a reference */
	struct file *eventfd;          /* [I] a reference */
};

struct vfio_vector {
	struct vfio_pci *owner;        /* [I] */
	struct file *trigger;          /* [d] a reference; NULL: not used */
	int number;                    /* [d] of its interrupt; -1: none */
	bool on;                       /* [d] its entry of the table is not masked */
};

/*
 * [I] immutable  [V] pci_lock and vfio_lock: while it is opened and closed  [d] lock  [i] irq_lock
 */
struct vfio_pci {
	struct vfio_device base;
	struct pci_device *device;     /* [I] a reference */
	struct mutex lock;             /* class VFIO_DEVICE */
	bool resets;                   /* [V] it can be reset */
	struct pci_saved saved;        /* [V] as it was when it was opened */

	/* The configuration that the program sees: bytes of `shown` where `hidden` has a bit, else the device's; it
	 * changes what `writable` has. All of config_size. */
	uint8_t *shown, *hidden, *writable; /* [d] */
	uint8_t *raw;                  /* [I] a bit for each byte: of no capability, straight to the device */
	uint32_t bar_mask[PCI_RESOURCES]; /* [d] of the registers: bits that can be set */

	struct memory_object memory;   /* what mappings show, by offset in the file; it has a reference to us */
	uint64_t table_start, table_end; /* [I] of the table of messages, in its region */
	uint32_t table_bar;            /* [I] VFIO_PCI_REGIONS: it has none */
	volatile uint8_t *table;       /* [d] mapped while messages are used */
	uint8_t *bar_map[PCI_RESOURCES]; /* [d] mapped for reading and writing */

	uint32_t mode;                 /* [d] VFIO_PCI_INTX, _MSI, _MSIX; VFIO_PCI_IRQS: none */
	struct vfio_vector *vectors;   /* [d] */
	uint32_t vector_count;         /* [d] */
	uint32_t numbers;              /* [d] of MSI-X: how many of them have an interrupt */
	struct spinlock irq_lock;      /* class DEVICE */
	struct line_user line;         /* [d] */
	struct file *intx;             /* [i] a reference; NULL: nobody is told */
	bool intx_masked;              /* [i] by the program, or since it was told */
	bool intx_hidden;              /* [i] by the program, in the command register */
	struct vfio_unmask *unmask;    /* [d] */
	struct file *error, *request;  /* [d] references */
	struct list ioeventfds;        /* [d] struct vfio_ioeventfd.node */
};

/* vfio_config.c: vp->lock is held but for the first two */
int vfio_config_create(struct vfio_pci *vp);
void vfio_config_free(struct vfio_pci *vp);
ssize_t vfio_config_access(struct vfio_pci *vp, uint64_t at, void *buf, size_t n, bool write, bool *reset);
/* After a reset: the program sees what a fresh device has. */
void vfio_config_forget(struct vfio_pci *vp);
bool vfio_memory_is_on(struct vfio_pci *vp);
/* The registers answer, also where the program has switched them off; what that took, to be given back. */
uint32_t vfio_lend_memory(struct vfio_pci *vp);
void vfio_take_memory(struct vfio_pci *vp, uint32_t lent);
bool vfio_ports_are_on(struct vfio_pci *vp);

/* vfio_pci.c: its registers, mapped for us until it is closed; NULL: no memory. vp->lock is held. */
uint8_t *vfio_map_bar(struct vfio_pci *vp, uint32_t region);

/* vfio_ioeventfd.c: vp->lock is held. VFIO_DEVICE_IOEVENTFD: 0, -EINVAL, -EEXIST, -ENODEV (to be removed, and is not
 * there), -ENOSPC, -EBADF, -ENOMEM. */
long vfio_ioeventfd_request(struct vfio_pci *vp, const struct vfio_ioeventfd_order *o);
/* No register is written from here on, until they are looked at anew: the command register says which answer. */
void vfio_ioeventfds_hold(struct vfio_pci *vp);
void vfio_ioeventfds_resume(struct vfio_pci *vp);
void vfio_ioeventfds_off(struct vfio_pci *vp);

/* vfio_pci_irq.c: vp->lock is held */
long vfio_pci_set_irqs(struct vfio_pci *vp, const struct vfio_irq_set *set, const struct vfio_irq_request *r);
void vfio_pci_irqs_off(struct vfio_pci *vp);
void vfio_pci_irqs_reset(struct vfio_pci *vp); /* the device has forgotten its messages: it gets them again */
void vfio_pci_irq_counts(struct vfio_pci *vp, uint32_t *counts);
void vfio_intx_hide(struct vfio_pci *vp, bool hidden);

#endif
