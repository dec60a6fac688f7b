/* SPDX-License-Identifier: MIT */
/* Taking a device by VFIO; see device.h. */
#include "device.h"

#include <sched.h>

static int
write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}

int
device_bind(const char *name)
{
	char path[128], to[PATH_MAX] = "";

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", name);
	if (access(path, F_OK) || access("/dev/vfio/vfio", F_OK))
		check_skip("no such device, or no VFIO here");
	CHECK_OK(write_text(path, "vfio-pci"));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", name);
	if (access(path, F_OK))
		CHECK_OK(write_text("/sys/bus/pci/drivers_probe", name));
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", name);
	CHECK(readlink(path, to, sizeof(to) - 1) > 0);
	return atoi(strrchr(to, '/') + 1);
}

struct taken
device_take(const char *name)
{
	struct taken t = { .number = device_bind(name) };
	char path[64];

	snprintf(path, sizeof(path), "/dev/vfio/%d", t.number);
	t.container = CHECK_OK(open("/dev/vfio/vfio", O_RDWR));
	t.group = CHECK_OK(open(path, O_RDWR));
	CHECK_OK(ioctl(t.group, VFIO_GROUP_SET_CONTAINER, &t.container));
	CHECK_OK(ioctl(t.container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU));
	t.device = device_open(&t, name);
	return t;
}

int
device_open(const struct taken *t, const char *name)
{
	return CHECK_OK(ioctl(t->group, VFIO_GROUP_GET_DEVICE_FD, name));
}

int
irqs_set(int device, unsigned index, unsigned flags, unsigned start, unsigned count, const void *data)
{
	struct {
		struct vfio_irq_set set;
		char data[256];
	} o = { .set = { .argsz = sizeof(o.set), .flags = flags, .index = index, .start = start, .count = count } };
	size_t n = flags & VFIO_IRQ_SET_DATA_EVENTFD ? 4 * count : flags & VFIO_IRQ_SET_DATA_BOOL ? count : 0;

	if (data)
		memcpy(o.data, data, n);
	o.set.argsz += (unsigned)n;
	return ioctl(device, VFIO_DEVICE_SET_IRQS, &o);
}

void
eventfds(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		fds[i] = CHECK_OK(eventfd(0, EFD_NONBLOCK));
}

uint64_t
event_now(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, 8) == 8 ? n : 0;
}

uint64_t
event_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	CHECK_EQ(poll(&p, 1, -1), 1);
	return event_now(fd);
}

#define CONFIG ((off_t)VFIO_PCI_CONFIG_REGION_INDEX << 40)

uint32_t
config_read(int device, unsigned at, unsigned size)
{
	uint32_t v = 0;

	CHECK_EQ(pread(device, &v, size, CONFIG + at), (ssize_t)size);
	return v;
}

void
config_write(int device, unsigned at, unsigned size, uint32_t value)
{
	CHECK_EQ(pwrite(device, &value, size, CONFIG + at), (ssize_t)size);
}

uint32_t
config_real(const char *name, unsigned at, unsigned size)
{
	char path[96];
	uint32_t v = 0;
	int fd;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/config", name);
	fd = CHECK_OK(open(path, O_RDONLY));
	CHECK_EQ(pread(fd, &v, size, at), (ssize_t)size);
	close(fd);
	return v;
}

unsigned
capability(const char *name, unsigned id)
{
	unsigned at = config_real(name, 0x34, 1);

	while (at && config_real(name, at, 1) != id)
		at = config_real(name, at + 1, 1);
	CHECK(at);
	return at;
}

/* --- the NVMe controller ----------------------------------------------------------------------------- */

#define ENTRIES     16
#define ADMIN       0x24    /* sizes of its own queues; behind it their addresses */
#define DOORBELLS   0x1000
#define MAKE_SUBMIT 1
#define MAKE_ANSWER 5
#define IOVA        0x100000ul

/* The answer's last word has the phase, which changes each time round. */
static bool
is_answered(const struct nvme *n, int q)
{
	const volatile uint32_t *answers = (const volatile uint32_t *)(n->memory + (2 * q + 1) * 4096);
	unsigned turn = n->turn[q];

	return (answers[turn % ENTRIES * 4 + 3] >> 16 & 1) == !(turn / ENTRIES & 1);
}

static void
submit(struct nvme *n, int q, const uint32_t *command)
{
	unsigned turn = n->turn[q];

	memcpy(n->memory + 2 * q * 4096 + turn % ENTRIES * 64, command, 64);
	__sync_synchronize();
	n->registers[DOORBELLS / 4 + 2 * q] = (turn + 1) % ENTRIES;
}

/* The answer is there, and the controller told that it was taken. */
static void
take_answer(struct nvme *n, int q)
{
	while (!is_answered(n, q))
		sched_yield();
	n->turn[q]++;
	n->registers[DOORBELLS / 4 + 2 * q + 1] = n->turn[q] % ENTRIES;
}

static void
make_queue(struct nvme *n, int q, uint32_t what)
{
	uint64_t at = IOVA + (2 * (uint64_t)q + (what == MAKE_ANSWER)) * 4096;
	uint32_t command[16] = { [0] = what, [6] = (uint32_t)at, [10] = (uint32_t)q | (ENTRIES - 1) << 16 };

	command[11] = 1 | (uint32_t)q << 16 | (what == MAKE_ANSWER ? 2 : 0); /* by message q */
	submit(n, 0, command);
	take_answer(n, 0);
}

void
nvme_start(struct nvme *n, const struct taken *t, int device)
{
	struct vfio_region_info r = { .argsz = sizeof(r), .index = 0 };
	struct vfio_iommu_type1_dma_map m = {
		.argsz = sizeof(m), .flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE, .iova = IOVA,
		.size = 2 * QUEUES * 4096,
	};

	*n = (struct nvme){ .turn = { 0 } };
	n->memory = mmap(NULL, m.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(n->memory != MAP_FAILED);
	m.vaddr = (uintptr_t)n->memory;
	CHECK_OK(ioctl(t->container, VFIO_IOMMU_MAP_DMA, &m));
	config_write(device, 4, 2, 6 | config_read(device, 4, 2));
	CHECK_OK(ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &r));
	/* The table of messages lies behind the doorbells. */
	n->registers = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, device, (off_t)r.offset);
	CHECK(n->registers != MAP_FAILED);
	n->registers[ADMIN / 4] = (ENTRIES - 1) << 16 | (ENTRIES - 1);
	n->registers[ADMIN / 4 + 1] = (uint32_t)IOVA;
	n->registers[ADMIN / 4 + 2] = 0;
	n->registers[ADMIN / 4 + 3] = (uint32_t)IOVA + 4096;
	n->registers[ADMIN / 4 + 4] = 0;
	n->registers[NVME_CONFIG / 4] = 4 << 20 | 6 << 16 | 1; /* entries of 16 and 64 bytes; on */
	while (!(n->registers[NVME_STATUS / 4] & 1))
		sched_yield();
	for (int q = 1; q < QUEUES; q++) {
		make_queue(n, q, MAKE_ANSWER);
		make_queue(n, q, MAKE_SUBMIT);
	}
}

void
nvme_raise(struct nvme *n, int q)
{
	uint32_t command[16] = { [0] = 0, [1] = 1 }; /* to queue 0 it means nothing, which is an answer too */

	submit(n, q, command);
	take_answer(n, q);
}
