/* SPDX-License-Identifier: MIT */
/*
 * door.c - what drivers are given besides their device: the way to those whom they serve.
 *
 * A disk gets /dev/vduse/pci-ADDRESS, opened anew for each instance; another disk of the device, or in the place of the
 * first, pci-ADDRESS-N. A terminal's master is kept and each instance gets
 * a duplicate: programs that have the terminal open notice nothing when the driver dies. So it is with input devices:
 * /dev/uinput stays open here, and each instance of the driver goes on with the devices of the one before.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/vduse.h>
#include <linux/vfio.h>

#include "device.h"
#include "devices.h"
#include "log.h"

#define TTYS_MAX  16
#define LENT_STEP 0x4000000ull /* of bus addresses between two disks of one device */

/* Doors of devices that are gone, whose disks somebody has open still: their users get errors, and they go when closed. */
static struct left {
	struct left *next;
	char name[sizeof(((struct door *)NULL)->name)];
} *left_doors;

/*
 * Map the memory of the rings for the device, if the kernel has it before a driver answers; then it stays what it is.
 * The pages are held by that mapping, not by ours.
 */
static void
lend_memory(struct managed *m, struct door *d, int vduse)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
	};
	struct vduse_iotlb_entry entry = { .last = UINT64_MAX };
	int fd = ioctl(vduse, VDUSE_IOTLB_GET_FD, &entry);
	void *at;

	if (fd < 0)
		return;
	/* Where the rings' own addresses will do, the device finds by them what the kernel means. */
	map.iova = (entry.start < DEVICE_BUS_END ? DEVICE_BUS_END : entry.start) + (uint64_t)(d - m->doors) * LENT_STEP;
	map.size = entry.last - entry.start + 1;
	at = map.size <= LENT_STEP ? mmap(NULL, map.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, entry.offset) : MAP_FAILED;
	close(fd);
	if (at == MAP_FAILED)
		return;
	map.vaddr = (uintptr_t)at;
	if (ioctl(m->container, VFIO_IOMMU_MAP_DMA, &map) == 0)
		d->lent = (struct manager_lent){ .start = entry.start, .last = entry.last, .bus = map.iova };
	munmap(at, map.size);
}

/* One that has become smaller has lost what may be under way to its end: it is another. */
static struct door *
find_door(struct managed *m, const struct manager_request *r)
{
	for (unsigned i = 0; i < m->door_count; i++)
		if (!m->doors[i].taken && strcmp(m->doors[i].disk, r->disk) == 0 && m->doors[i].sectors <= r->sectors)
			return &m->doors[i];
	return NULL;
}

const struct manager_lent *
lent_at_door(const struct managed *m, const struct manager_request *r)
{
	return r->what == MANAGER_WANTS_VDUSE ? &m->opened->lent : NULL;
}

void
leave_doors(struct managed *m)
{
	for (unsigned i = 0; i < m->door_count; i++)
		m->doors[i].taken = false;
}

/* A door for a disk that was not seen here before, under a name that nothing has. NULL: *error says why. */
static struct door *
make_door(struct managed *m, const struct manager_request *r, int *error)
{
	struct door *d = &m->doors[m->door_count];
	int control;

	*error = -ENOSPC;
	if (m->door_count == DOORS_MAX)
		return NULL;
	control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	if (control < 0) {
		*error = -errno;
		return NULL;
	}
	memset(d, 0, sizeof(*d));
	snprintf(d->disk, sizeof(d->disk), "%s", r->disk);
	d->sectors = r->sectors;
	*error = -EEXIST;
	for (unsigned i = m->door_count; i < m->door_count + DOORS_MAX && *error == -EEXIST; i++) {
		snprintf(d->name, sizeof(d->name), i ? "pci-%s-%u" : "pci-%s", m->address, i);
		*error = vduse_create(control, d->name, &r->kind);
	}
	close(control);
	if (*error)
		return NULL;
	m->door_count++;
	return d;
}

static int
open_vduse(struct managed *m, struct manager_request *r)
{
	struct door *d;
	bool is_new;
	int error, fd;

	r->disk[sizeof(r->disk) - 1] = '\0';
	if (r->kind.config_size > VDUSE_CONFIG_MAX || r->kind.queues > VDUSE_QUEUES_MAX)
		return -EINVAL;
	d = find_door(m, r);
	is_new = !d;
	if (is_new) {
		d = make_door(m, r, &error);
		if (!d)
			return error;
	}
	fd = vduse_open(d->name);
	if (fd < 0)
		return fd;
	d->taken = true;
	m->opened = d;
	if (is_new && m->iommu && m->door_count <= LENT_MAX)
		lend_memory(m, d, fd);
	return fd;
}

/* Make a terminal, and the first free name /dev/hvcN for it. */
static int
make_tty(struct managed *m)
{
	char slave[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, slave, sizeof(slave)) != 0) {
		int error = -errno;

		if (master >= 0)
			close(master);
		return error;
	}
	for (unsigned i = 0; i < TTYS_MAX; i++) {
		snprintf(m->tty_name, sizeof(m->tty_name), "/dev/hvc%u", i);
		if (symlink(slave, m->tty_name) == 0) {
			m->tty = master;
			return 0;
		}
	}
	close(master);
	return -EEXIST;
}

static int
open_tty(struct managed *m)
{
	int error = m->tty >= 0 ? 0 : make_tty(m);
	int fd = error ? error : fcntl(m->tty, F_DUPFD_CLOEXEC, 0);

	return fd < 0 && !error ? -errno : fd;
}

static int
open_input(struct managed *m, unsigned unit)
{
	int fd;

	if (unit >= INPUTS_MAX)
		return -EINVAL;
	if (m->inputs[unit] < 0)
		m->inputs[unit] = open("/dev/uinput", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (m->inputs[unit] < 0)
		return -errno;
	fd = fcntl(m->inputs[unit], F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

int
open_door(struct managed *m, struct manager_request *r)
{
	int fd;

	switch (r->what) {
	case MANAGER_WANTS_VDUSE:
		return open_vduse(m, r);
	case MANAGER_WANTS_TTY:
		return open_tty(m);
	case MANAGER_WANTS_INPUT:
		return open_input(m, r->unit);
	case MANAGER_WANTS_RANDOM:
		fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	default:
		return -EINVAL;
	}
}

bool
count_at_doors(const struct managed *m, uint64_t *answered, bool *waiting)
{
	*answered = 0;
	*waiting = false;
	for (unsigned i = 0; i < m->door_count; i++) {
		char path[128], text[256] = "";
		const char *counts, *waits;
		int fd;

		snprintf(path, sizeof(path), "/sys/class/vduse/%s/counts", m->doors[i].name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
			text[0] = '\0';
		if (fd >= 0)
			close(fd);
		counts = strstr(text, "\nanswered ");
		waits = strstr(text, "\nwaiting ");
		if (!counts || !waits)
			return false;
		*answered += strtoull(counts + strlen("\nanswered "), NULL, 10);
		*waiting |= m->doors[i].taken && waits[strlen("\nwaiting ")] != '0';
	}
	return m->door_count > 0;
}

static int
destroy_door(const char *door)
{
	int control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC), error = 0;
	char name[VDUSE_NAME_MAX] = "";

	snprintf(name, sizeof(name), "%s", door);
	if (control < 0 || ioctl(control, VDUSE_DESTROY_DEV, name) < 0)
		error = -errno;
	if (control >= 0)
		close(control);
	return error;
}

void
destroy_left(void)
{
	struct left **at = &left_doors, *l;

	while ((l = *at)) {
		if (destroy_door(l->name) == -EBUSY) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		free(l);
	}
}

void
destroy_doors(struct managed *m)
{
	for (unsigned i = 0; i < m->door_count; i++) {
		int error = destroy_door(m->doors[i].name);
		struct left *l = error == -EBUSY ? calloc(1, sizeof(*l)) : NULL;

		if (error)
			log_info("%s: its disk stays, without a device: %s", m->address, strerror(-error));
		if (l) {
			strcpy(l->name, m->doors[i].name);
			l->next = left_doors;
			left_doors = l;
		}
	}
	for (unsigned unit = 0; unit < INPUTS_MAX; unit++)
		if (m->inputs[unit] >= 0)
			close(m->inputs[unit]);
	if (m->tty >= 0) {
		(void)unlink(m->tty_name);
		close(m->tty);
	}
}
