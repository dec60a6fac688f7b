/* SPDX-License-Identifier: MIT */
/*
 * vduse.h - virtio devices that programs provide: VDUSE. The kernel is the driver of such a device.
 */
#ifndef TESSERA_VDUSE_H
#define TESSERA_VDUSE_H

#include <tessera/types.h>

struct file;
struct vduse;

#define VDUSE_NAME_SIZE 256
#define VIRTIO_ID_BLOCK 2u

struct vduse_create {
	char name[VDUSE_NAME_SIZE];
	uint32_t vendor, device;
	uint64_t features;
	uint32_t queues, align;
	uint32_t config_size;
	const uint8_t *config;         /* copied */
};

struct vduse_queue_info {
	uint32_t index, size;
	uint64_t descriptors, driver, device; /* where the three parts of the ring lie */
	uint16_t avail_index;          /* where the daemon begins */
	bool ready;
};

struct vduse_region {
	uint64_t offset, start, last;  /* offset: in the file */
};

/* /dev/vduse/control. -EEXIST, -EINVAL (there is none), -ENOMEM; -EBUSY: its daemon or its disk's users are there. */
int vduse_create(const struct vduse_create *c);
int vduse_destroy(const char *name);
bool file_is_vduse_control(const struct file *f);

/* An open /dev/vduse/NAME; NULL: the file is something else. Borrowed. */
struct vduse *file_vduse(const struct file *f);
/* A file of the memory in which `*r`'s addresses lie, with a reference; *r becomes the region. -EINVAL: none does. */
int vduse_region_file(struct vduse *v, struct vduse_region *r, struct file **out);
int vduse_region_info(struct vduse *v, struct vduse_region *r);
uint64_t vduse_features(struct vduse *v);
int vduse_set_config(struct vduse *v, uint32_t offset, const void *data, uint32_t length);
uint32_t vduse_config_size(const struct vduse *v);
int vduse_config_changed(struct vduse *v);
int vduse_queue_setup(struct vduse *v, uint32_t index, uint32_t max_size);
int vduse_queue_info(struct vduse *v, struct vduse_queue_info *i);
/* `kick` NULL: none any more. A reference of the caller's stays his. */
int vduse_queue_kick_file(struct vduse *v, uint32_t index, struct file *kick);
/* Begin the ring anew at index 0, and take answers when the eventfd `answers` says so. -EINVAL: there is no such queue,
 * or it is not ready. */
int vduse_queue_direct(struct vduse *v, uint32_t index, struct file *answers);
int vduse_queue_interrupt(struct vduse *v, uint32_t index);

void vduse_init(void);
void vduse_dump(void); /* all devices to the log, no locks */

#endif
