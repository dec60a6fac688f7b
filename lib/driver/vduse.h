/* SPDX-License-Identifier: MIT */
/*
 * vduse.h - a virtio device that this process is, for the kernel: linux/vduse.h.
 *
 * The kernel is the virtio driver; it reads and writes rings in memory that it shares with us. It tells us by messages
 * when its status changes and when memory that we have mapped goes away. Both are answered only when no request is
 * under way: until then no new one is taken.
 *
 *   closed --vduse_open--> STOPPED --DRIVER_OK--> RUNNING --status 0, memory gone--> DRAINING --idle--> STOPPED
 *                             \---queues are ready already: a predecessor died---^        \--> RUNNING again
 */
#ifndef DRIVER_VDUSE_H
#define DRIVER_VDUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/vduse.h>

#include "device_ring.h"
#include "loop.h"

#define VDUSE_QUEUES_MAX  16
#define VDUSE_REGIONS_MAX 64
#define VDUSE_CONFIG_MAX  256

/* What the device is. */
struct vduse_kind {
	uint32_t device_type;
	uint64_t features;
	unsigned queues, queue_size;
	uint32_t config_size;
	uint8_t config[VDUSE_CONFIG_MAX];
};

/* Memory of the kernel's, [start, last] as rings name it, mapped at addr. */
struct vduse_region {
	uint64_t start, last;
	uint8_t *addr;
	bool reachable; /* for the device too, at `bus` */
	bool lent;	/* mapped for the device by the manager */
	uint64_t bus;
};

struct vduse_queue {
	struct device_ring ring;
	struct vduse *vduse;
	struct watch kick;
	bool ready;
};

struct vduse {
	struct watch watch; /* of /dev/vduse/NAME */
	uint64_t features;  /* agreed upon */
	unsigned queue_count;
	struct vduse_queue queues[VDUSE_QUEUES_MAX];
	unsigned region_count;
	struct vduse_region regions[VDUSE_REGIONS_MAX];
	bool running;
	bool draining; /* `request` waits for the last request to end */
	struct vduse_dev_request request;
	bool adopted; /* the queues were ready when we came */

	/* The owner's: */
	void (*kicked)(struct vduse *v, struct vduse_queue *q);
	/* The kernel has begun, or goes on with a successor. */
	void (*begun)(struct vduse *v);
	/* Publish all that was given back; true when nothing is under way. */
	bool (*settle)(struct vduse *v);
	/* Memory came (make it reachable for the device) or goes. May be NULL. */
	void (*region_mapped)(struct vduse *v, struct vduse_region *r);
	void (*region_unmapped)(struct vduse *v, struct vduse_region *r);
};

/* Make the device by the control descriptor unless it is there. Returns 0 or a negative errno. */
int vduse_create(int control, const char *name, const struct vduse_kind *kind);
/* Open /dev/vduse/NAME. Returns a descriptor or a negative errno; -EBUSY: another daemon has it. */
int vduse_open(const char *name);
/* Begin with the descriptor; go on where a predecessor stopped. */
int vduse_begin(struct vduse *v, int fd, const struct vduse_kind *kind);
/* Set the configuration anew and tell the kernel. */
int vduse_set_config(struct vduse *v, const struct vduse_kind *kind);
/* For the owner to call when nothing is under way: what waited for it goes on. */
void vduse_idle(struct vduse *v);
/* The mapped region that holds all of [addr, addr + size), or NULL. */
struct vduse_region *vduse_find(struct vduse *v, uint64_t addr, uint64_t size);
/* Publish what has been given back on a queue; interrupts the kernel if it wants that. */
void vduse_publish(struct vduse *v, struct vduse_queue *q);

#endif
