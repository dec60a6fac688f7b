/* SPDX-License-Identifier: MIT */
/*
 * door.c - what drivers are given besides their device: the way to those whom they serve.
 *
 * A disk gets /dev/vduse/pci-ADDRESS, opened anew for each instance; another disk of the device, or in the place of the
 * first, pci-ADDRESS-N. A door goes when its device is gone, or when the driver has served for a while and has not asked
 * for it: then the disk is gone. One whose disk is open stays until that is closed.
 *
 * A manager that is started anew finds the doors of the one before, knows nothing of their disks, and makes others.
 *
 * A terminal's master is kept and each instance gets a duplicate: programs that have the terminal open notice nothing
 * when the driver dies. So it is with input devices: /dev/uinput stays open here, and each instance of the driver goes on
 * with the devices of the one before.
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

/* Of devices that are gone, whose disks somebody has open still: users get errors, and the doors go when those close. */
static struct door *left_doors;

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
	map.iova = (entry.start < DEVICE_BUS_END ? DEVICE_BUS_END : entry.start) + d->number * LENT_STEP;
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

static void
take_back_memory(struct managed *m, struct door *d)
{
	struct vfio_iommu_type1_dma_unmap unmap = {
		.argsz = sizeof(unmap), .iova = d->lent.bus, .size = d->lent.last - d->lent.start + 1,
	};

	if (ioctl(m->container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
		log_error("%s: memory of %s cannot be unmapped: %s", m->address, d->name, strerror(errno));
}

void
forget_lent(struct managed *m)
{
	for (struct door *d = m->doors; d; d = d->next)
		d->lent = (struct manager_lent){ 0 };
}

/* One that has become smaller has lost what may be under way to its end: it is another. */
static struct door *
find_door(struct managed *m, const struct manager_request *r)
{
	struct door *d = m->doors;

	while (d && (d->taken || strcmp(d->disk, r->disk) != 0 || d->sectors > r->sectors))
		d = d->next;
	return d;
}

void
leave_doors(struct managed *m)
{
	for (struct door *d = m->doors; d; d = d->next)
		d->taken = false;
}

static bool
is_number(const struct managed *m, unsigned number)
{
	for (const struct door *d = m->doors; d; d = d->next)
		if (d->number == number)
			return true;
	return false;
}

/* Make a VDUSE device under the first name that nothing has. 0 or a negative errno. */
static int
create_door(const struct managed *m, struct door *d, const struct vduse_kind *kind)
{
	int control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC), error = -EEXIST;

	if (control < 0)
		return -errno;
	for (unsigned i = d->number; i < d->number + DOORS_MAX && error == -EEXIST; i++) {
		snprintf(d->name, sizeof(d->name), i ? "pci-%s-%u" : "pci-%s", m->address, i);
		error = vduse_create(control, d->name, kind);
	}
	close(control);
	return error;
}

/* A door for a disk that was not seen here before. NULL: *error says why. */
static struct door *
make_door(struct managed *m, const struct manager_request *r, int *error)
{
	struct door *d, **end = &m->doors;
	unsigned number = 0;

	while (is_number(m, number))
		number++;
	*error = number < DOORS_MAX ? -ENOMEM : -ENOSPC;
	d = number < DOORS_MAX ? calloc(1, sizeof(*d)) : NULL;
	if (!d)
		return NULL;
	d->number = number;
	snprintf(d->disk, sizeof(d->disk), "%s", r->disk);
	d->sectors = r->sectors;
	*error = create_door(m, d, &r->kind);
	if (*error) {
		free(d);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = d;
	return d;
}

static int
open_vduse(struct managed *m, struct manager_request *r, struct manager_answer *answer)
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
	if (is_new && m->iommu && d->number < LENT_MAX)
		lend_memory(m, d, fd);
	answer->lent = d->lent;
	answer->grown = d->sectors < r->sectors;
	d->sectors = r->sectors;
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
open_door(struct managed *m, struct manager_request *r, struct manager_answer *answer)
{
	int fd;

	switch (r->what) {
	case MANAGER_WANTS_VDUSE:
		return open_vduse(m, r, answer);
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
	for (const struct door *d = m->doors; d; d = d->next) {
		char path[128], text[256] = "";
		const char *counts, *waits;
		int fd;

		snprintf(path, sizeof(path), "/sys/class/vduse/%s/counts", d->name);
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
		*waiting |= d->taken && waits[strlen("\nwaiting ")] != '0';
	}
	return m->doors != NULL;
}

/* False: the kernel keeps it, and it is to be tried again. */
static bool
destroy_door(const struct door *d)
{
	int control = open("/dev/vduse/control", O_RDWR | O_CLOEXEC);
	char name[VDUSE_NAME_MAX] = "";
	bool gone;

	if (control < 0)
		return false;
	snprintf(name, sizeof(name), "%s", d->name);
	gone = ioctl(control, VDUSE_DESTROY_DEV, name) == 0 || errno == EINVAL; /* there is none of that name */
	close(control);
	return gone;
}

/* Of a list: those that nobody has open, and all or those that the driver has not asked for. */
static void
destroy_some(struct managed *m, struct door **at, bool all)
{
	struct door *d;

	while ((d = *at)) {
		if ((d->taken && !all) || !destroy_door(d)) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		if (m && d->lent.last)
			take_back_memory(m, d);
		log_debug("%s is gone", d->name);
		free(d);
	}
}

void
drop_left_doors(struct managed *m)
{
	destroy_some(m, &m->doors, false);
}

void
destroy_left(void)
{
	destroy_some(NULL, &left_doors, true);
}

void
destroy_doors(struct managed *m)
{
	struct door **end = &m->doors;

	forget_lent(m);
	destroy_some(m, &m->doors, true);
	for (; *end; end = &(*end)->next)
		log_info("%s: its disk stays, without a device: %s", m->address, (*end)->name);
	*end = left_doors;
	left_doors = m->doors;
	m->doors = NULL;
	for (unsigned unit = 0; unit < INPUTS_MAX; unit++)
		if (m->inputs[unit] >= 0)
			close(m->inputs[unit]);
	if (m->tty >= 0) {
		(void)unlink(m->tty_name);
		close(m->tty);
	}
}
