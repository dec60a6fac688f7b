/* SPDX-License-Identifier: MIT */
/* vduse.c - the daemon's side of VDUSE: vduse.h has the states. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"
#include "log.h"
#include "vduse.h"

int
vduse_create(int control, const char *name, const struct vduse_kind *kind)
{
	uint64_t version = VDUSE_API_VERSION;
	struct vduse_dev_config *config;
	int error = 0;

	if (strlen(name) >= VDUSE_NAME_MAX)
		return -EINVAL;
	config = calloc(1, sizeof(*config) + kind->config_size);
	if (!config)
		return -ENOMEM;
	strcpy(config->name, name);
	config->device_id = kind->device_type;
	config->vendor_id = VIRTIO_VENDOR;
	config->features = kind->features;
	config->vq_num = kind->queues;
	config->vq_align = 4096;
	config->config_size = kind->config_size;
	memcpy(config->config, kind->config, kind->config_size);
	if (ioctl(control, VDUSE_SET_API_VERSION, &version) < 0 || ioctl(control, VDUSE_CREATE_DEV, config) < 0)
		error = -errno;
	free(config);
	return error;
}

int
vduse_open(const char *name)
{
	char path[VDUSE_NAME_MAX + 16];
	int fd;

	snprintf(path, sizeof(path), "/dev/vduse/%s", name);
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static void
unmap(struct vduse *v, struct vduse_region *r)
{
	if (v->region_unmapped)
		v->region_unmapped(v, r);
	munmap(r->addr, r->last - r->start + 1);
	*r = v->regions[--v->region_count];
}

/* Map the kernel's region around `addr`. */
static struct vduse_region *
map_around(struct vduse *v, uint64_t addr)
{
	struct vduse_iotlb_entry entry = { .start = addr, .last = addr };
	struct vduse_region *r = &v->regions[v->region_count];
	int fd, protection;

	if (v->region_count == VDUSE_REGIONS_MAX)
		return NULL;
	fd = ioctl(v->watch.fd, VDUSE_IOTLB_GET_FD, &entry);
	if (fd < 0)
		return NULL;
	protection = (entry.perm & VDUSE_ACCESS_RO ? PROT_READ : 0) | (entry.perm & VDUSE_ACCESS_WO ? PROT_WRITE : 0);
	*r = (struct vduse_region){ .start = entry.start, .last = entry.last };
	r->addr = mmap(NULL, r->last - r->start + 1, protection, MAP_SHARED, fd, entry.offset);
	close(fd);
	if (r->addr == MAP_FAILED) {
		log_error("memory of the ring cannot be mapped: %s", strerror(errno));
		return NULL;
	}
	v->region_count++;
	if (v->region_mapped)
		v->region_mapped(v, r);
	return r;
}

struct vduse_region *
vduse_find(struct vduse *v, uint64_t addr, uint64_t size)
{
	uint64_t last = addr + size - 1;
	struct vduse_region *r;

	if (size == 0 || last < addr)
		return NULL;
	for (unsigned i = 0; i < v->region_count; i++)
		if (v->regions[i].start <= addr && last <= v->regions[i].last)
			return &v->regions[i];
	r = map_around(v, addr);
	return r && r->start <= addr && last <= r->last ? r : NULL;
}

static void *
translate(void *owner, uint64_t addr, uint64_t size)
{
	struct vduse_region *r = vduse_find(owner, addr, size);

	return r ? r->addr + (addr - r->start) : NULL;
}

/* Begin with a queue if the kernel has made it ready, or go on with one whose memory has moved. */
static int
queue_begin(struct vduse *v, struct vduse_queue *q, bool moved)
{
	struct vduse_vq_info info = { .index = q->ring.index };

	if (ioctl(v->watch.fd, VDUSE_VQ_GET_INFO, &info) < 0)
		return -errno;
	if (!info.ready || info.num == 0 || info.num & (info.num - 1)) {
		q->ready = false;
		return 0;
	}
	q->ring.size = info.num;
	q->ring.event_idx = v->features >> VIRTIO_EVENT_IDX & 1;
	q->ring.translate = translate;
	q->ring.owner = v;
	if (device_ring_begin(&q->ring, info.desc_addr, info.driver_addr, info.device_addr,
		    moved ? q->ring.avail_next : info.split.avail_index) < 0) {
		log_error("queue %u does not lie in memory of the ring", q->ring.index);
		return -EFAULT;
	}
	q->ready = true;
	return 0;
}

static void
kick_all(struct vduse *v)
{
	for (unsigned i = 0; i < v->queue_count; i++)
		if (v->queues[i].ready)
			v->kicked(v, &v->queues[i]);
}

static void
start(struct vduse *v)
{
	uint64_t features = 0;

	if (ioctl(v->watch.fd, VDUSE_DEV_GET_FEATURES, &features) < 0)
		return;
	v->features = features;
	v->running = true;
	v->begun(v);
	for (unsigned i = 0; i < v->queue_count; i++)
		if (queue_begin(v, &v->queues[i], false) < 0)
			v->queues[i].ready = false;
	/* What is in the rings already will not be told again. */
	kick_all(v);
}

static void
answer(struct vduse *v, const struct vduse_dev_request *request, bool good)
{
	struct vduse_dev_response response = {
		.request_id = request->request_id,
		.result = good ? VDUSE_REQ_RESULT_OK : VDUSE_REQ_RESULT_FAILED,
	};

	if (request->type == VDUSE_GET_VQ_STATE && good) {
		response.vq_state.index = request->vq_state.index;
		response.vq_state.split.avail_index = v->queues[request->vq_state.index].ring.avail_next;
	}
	if (write(v->watch.fd, &response, sizeof(response)) != sizeof(response))
		log_error("the kernel takes no answer: %s", strerror(errno));
}

/* Nothing is under way: do what the kernel asked. */
static void
perform(struct vduse *v, const struct vduse_dev_request *request)
{
	bool good = true;

	switch (request->type) {
	case VDUSE_GET_VQ_STATE:
		good = request->vq_state.index < v->queue_count;
		break;
	case VDUSE_SET_STATUS:
		if (!(request->s.status & VIRTIO_DRIVER_OK)) {
			v->running = false;
			for (unsigned i = 0; i < v->queue_count; i++)
				v->queues[i].ready = false;
		}
		break;
	case VDUSE_UPDATE_IOTLB:
		for (unsigned i = v->region_count; i-- > 0;)
			if (v->regions[i].start <= request->iova.last && request->iova.start <= v->regions[i].last)
				unmap(v, &v->regions[i]);
		break;
	default:
		good = false;
	}
	answer(v, request, good);
	if (request->type == VDUSE_SET_STATUS && request->s.status & VIRTIO_DRIVER_OK && !v->running) {
		start(v);
		return;
	}
	/* The rings may lie elsewhere now, and kicks that came meanwhile were not heard. */
	for (unsigned i = 0; request->type == VDUSE_UPDATE_IOTLB && i < v->queue_count; i++)
		if (v->queues[i].ready && queue_begin(v, &v->queues[i], true) < 0)
			v->queues[i].ready = false;
	kick_all(v);
}

void
vduse_idle(struct vduse *v)
{
	if (!v->draining)
		return;
	v->draining = false;
	perform(v, &v->request);
}

static void
message(struct watch *w)
{
	struct vduse *v = container_of(w, struct vduse, watch);
	struct vduse_dev_request request;

	/* One at a time: the kernel waits for each answer. */
	if (v->draining || read(w->fd, &request, sizeof(request)) != sizeof(request))
		return;
	log_debug("the kernel asks %u, status %u", request.type, request.s.status);
	v->request = request;
	v->draining = true;
	if (v->settle(v))
		vduse_idle(v);
}

static void
kick(struct watch *w)
{
	struct vduse_queue *q = container_of(w, struct vduse_queue, kick);

	if (q->ready && !q->vduse->draining)
		q->vduse->kicked(q->vduse, q);
}

static int
queue_setup(struct vduse *v, unsigned index, unsigned size)
{
	struct vduse_queue *q = &v->queues[index];
	struct vduse_vq_config config = { .index = index, .max_size = size };
	struct vduse_vq_eventfd event = { .index = index };
	int error;

	q->vduse = v;
	q->ring.index = index;
	q->kick.ready = kick;
	error = loop_watch_event(&q->kick);
	if (error)
		return error;
	event.fd = q->kick.fd;
	/* A kernel whose queues run already does not take a size again. */
	if (ioctl(v->watch.fd, VDUSE_VQ_SETUP, &config) < 0 && !v->adopted)
		return -errno;
	if (ioctl(v->watch.fd, VDUSE_VQ_SETUP_KICKFD, &event) < 0)
		return -errno;
	return 0;
}

int
vduse_begin(struct vduse *v, int fd, const struct vduse_kind *kind)
{
	int error;

	v->watch.fd = fd;
	v->watch.ready = message;
	v->queue_count = kind->queues;
	for (unsigned i = 0; i < kind->queues; i++) {
		struct vduse_vq_info info = { .index = i };

		if (ioctl(fd, VDUSE_VQ_GET_INFO, &info) == 0 && info.ready)
			v->adopted = true;
	}
	for (unsigned i = 0; i < kind->queues; i++) {
		error = queue_setup(v, i, kind->queue_size);
		if (error) {
			log_error("queue %u cannot be set up: %s", i, strerror(-error));
			return error;
		}
	}
	error = loop_watch(&v->watch);
	if (error)
		return error;
	if (v->adopted)
		start(v);
	return 0;
}

int
vduse_set_config(struct vduse *v, const struct vduse_kind *kind)
{
	struct vduse_config_data *data = calloc(1, sizeof(*data) + kind->config_size);
	int error = 0;

	if (!data)
		return -ENOMEM;
	data->length = kind->config_size;
	memcpy(data->buffer, kind->config, kind->config_size);
	if (ioctl(v->watch.fd, VDUSE_DEV_SET_CONFIG, data) < 0 || ioctl(v->watch.fd, VDUSE_DEV_INJECT_CONFIG_IRQ) < 0)
		error = -errno;
	free(data);
	return error;
}

void
vduse_publish(struct vduse *v, struct vduse_queue *q)
{
	uint32_t index = q->ring.index;

	if (device_ring_publish(&q->ring) && ioctl(v->watch.fd, VDUSE_VQ_INJECT_IRQ, &index) < 0)
		log_error("queue %u: the kernel takes no interrupt: %s", index, strerror(errno));
}
