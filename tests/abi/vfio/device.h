/* SPDX-License-Identifier: MIT */
/*
 * device.h - devices for the cases to take by VFIO: QEMU's, behind an IOMMU (tests/test_abi.py puts them there).
 *
 *	00:06.0  an NVMe controller: a line, 65 MSI-X; a command to queue n answers by message n
 *	00:07.0  a USB controller (nec-usb-xhci): sixteen MSI, sixteen MSI-X
 *	01:00.0, 01:00.1  two more controllers of the first kind behind a port: functions of one slot
 */
#ifndef ABI_VFIO_DEVICE_H
#define ABI_VFIO_DEVICE_H

#include "check.h"

#include <linux/vfio.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define NVME   "0000:00:06.0"
#define USB    "0000:00:07.0"
#define BEHIND "0000:01:00.0"
#define BESIDE "0000:01:00.1"

#define LINE VFIO_PCI_INTX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX
#define MSIX VFIO_PCI_MSIX_IRQ_INDEX

#define TRIGGER VFIO_IRQ_SET_ACTION_TRIGGER
#define EVENTS  (VFIO_IRQ_SET_DATA_EVENTFD | TRIGGER)
#define NONE    (VFIO_IRQ_SET_DATA_NONE | TRIGGER)
#define BOOLS   (VFIO_IRQ_SET_DATA_BOOL | TRIGGER)

#define NVME_VECTORS 65
#define QUEUES       5     /* that nvme_start() makes: 0, the controller's own, to 4 */

/* Registers of an NVMe controller (NVM Express 1.4, 3.1). */
#define NVME_CONFIG 0x14
#define NVME_STATUS 0x1c

struct taken {
	int container, group, number, device;
};

/* The driver takes it; its group's number. The case is skipped where there is no such device. */
int device_bind(const char *name);
/* Bound, in a container of its own, opened. */
struct taken device_take(const char *name);
/* A device of the same group besides. */
int device_open(const struct taken *t, const char *name);

int irqs_set(int device, unsigned index, unsigned flags, unsigned start, unsigned count, const void *data);
/* The calls' eventfds, `n` of them. */
void eventfds(int *fds, int n);
/* Its count, 0 without; waits for it, until the case's time is over. */
uint64_t event_now(int fd);
uint64_t event_wait(int fd);

uint32_t config_read(int device, unsigned at, unsigned size);
void config_write(int device, unsigned at, unsigned size, uint32_t value);
/* The same of the device itself, past VFIO. */
uint32_t config_real(const char *name, unsigned at, unsigned size);
unsigned capability(const char *name, unsigned id);

struct nvme {
	volatile uint32_t *registers;
	unsigned char *memory;      /* two pages for each queue: commands, answers */
	unsigned turn[QUEUES];
};

/*
 * Switch the controller on, with queues whose answers come by the message of the same number. MSI-X is on by then, or it
 * refuses; which messages are listened to does not matter.
 */
void nvme_start(struct nvme *n, const struct taken *t, int device);
/* Queue `q` is asked for nothing, and answers. */
void nvme_raise(struct nvme *n, int q);

#endif
