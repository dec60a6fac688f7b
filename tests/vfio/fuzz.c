/* SPDX-License-Identifier: MIT */
/*
 * fuzz.c - VFIO's doors rattled: calls with arguments that are nearly right, wrong, or nowhere, from two threads, on a
 * container, a group and a device that are closed and opened again meanwhile. Only the kernel can fail.
 *
 *	fuzz DEVICE SEED CALLS
 */
#include <pthread.h>

#include "vfio.h"

static const char *name;
static struct held h;
static int events[4];
static char *memory;

struct state {
	uint64_t random;
	unsigned calls;
};

static uint64_t
next(struct state *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static uint64_t
below(struct state *s, uint64_t n)
{
	return next(s) % n;
}

// A number that is likely to be at a border.
static uint64_t
number(struct state *s)
{
	static const uint64_t some[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 20, 24, 32, 48, 64, 255, 256, 4095, 4096, 8192, 65536, 1 << 20, 0x7fffffff,
		0xfee00000, 0xfeefffff, 0xffffffff, 1ull << 32, 1ull << 39, 1ull << 40, 7ull << 40, 8ull << 40, 1ull << 63,
		UINT64_MAX, UINT64_MAX - 4095,
	};

	return below(s, 8) ? some[below(s, sizeof(some) / sizeof(some[0]))] + (below(s, 4) ? 0 : below(s, 4096)) : next(s);
}

static int
some_fd(struct state *s)
{
	int fds[] = { -1, -2, 0, 1000, h.container, h.group, h.device, events[below(s, 4)], events[below(s, 4)] };

	return fds[below(s, sizeof(fds) / sizeof(fds[0]))];
}

static void
call_device(struct state *s, uint32_t *w)
{
	static const unsigned orders[] = {
		VFIO_DEVICE_GET_INFO, VFIO_DEVICE_GET_REGION_INFO, VFIO_DEVICE_GET_IRQ_INFO, VFIO_DEVICE_SET_IRQS,
		VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_SET_IRQS, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO,
		VFIO_DEVICE_PCI_HOT_RESET, VFIO_DEVICE_IOEVENTFD, VFIO_DEVICE_FEATURE,
	};
	unsigned order = orders[below(s, sizeof(orders) / sizeof(orders[0]))];

	if (order == VFIO_DEVICE_SET_IRQS) {
		static const uint32_t data[] = { 1, 1, 2, 4, 4, 4, 0, 3, 7 }, action[] = { 8, 16, 32, 32, 32, 0, 40 };

		w[0] = below(s, 10) ? 20 + 4 * (uint32_t)below(s, 8) : (uint32_t)number(s);
		w[1] = data[below(s, 9)] | action[below(s, 7)];
		w[2] = (uint32_t)below(s, 6);
		w[3] = below(s, 4) ? 0 : (uint32_t)below(s, 4);
		w[4] = below(s, 10) ? (uint32_t)below(s, 4) : (uint32_t)number(s);
		for (int i = 5; i < 13; i++)
			w[i] = (uint32_t)some_fd(s);
	}
	if (order == VFIO_DEVICE_IOEVENTFD && below(s, 4)) {
		*(struct vfio_device_ioeventfd *)w = (struct vfio_device_ioeventfd){
			.argsz = sizeof(struct vfio_device_ioeventfd),
			.flags = 1u << below(s, 4),
			.offset = below(s, 2) << 40 | (4 + below(s, 4)), /* no register that interrupts: who hears could write again */
			.data = below(s, 4),
			.fd = some_fd(s),
		};
	}
	ioctl(h.device, order, below(s, 40) ? (void *)w : (void *)number(s));
}

static void
call_container(struct state *s, uint32_t *w)
{
	uint64_t *q = (uint64_t *)w;

	switch (below(s, 6)) {
	case 0:
		ioctl(h.container, VFIO_CHECK_EXTENSION, below(s, 12));
		break;
	case 1:
		ioctl(h.container, VFIO_SET_IOMMU, below(s, 10));
		break;
	case 2:
		ioctl(h.container, VFIO_IOMMU_GET_INFO, w);
		break;
	case 3:
	case 4:
		w[0] = below(s, 10) ? 32 : (uint32_t)number(s);
		w[1] = (uint32_t)below(s, 8) ? 1 + (uint32_t)below(s, 3) : (uint32_t)number(s);
		q[1] = below(s, 6) ? (uintptr_t)memory + 4096 * below(s, 64) : number(s);
		q[2] = below(s, 6) ? 4096 * below(s, 128) : number(s);
		q[3] = below(s, 6) ? 4096 * (1 + below(s, 16)) : number(s);
		ioctl(h.container, VFIO_IOMMU_MAP_DMA, w);
		break;
	default:
		w[0] = below(s, 10) ? 24 : (uint32_t)number(s);
		w[1] = below(s, 8) ? 0 : (uint32_t)below(s, 4);
		q[1] = below(s, 6) ? 4096 * below(s, 128) : number(s);
		q[2] = below(s, 6) ? 4096 * (1 + below(s, 64)) : number(s);
		ioctl(h.container, VFIO_IOMMU_UNMAP_DMA, w);
	}
}

static void
call_group(struct state *s, uint32_t *w)
{
	w[0] = (uint32_t)some_fd(s);
	switch (below(s, 4)) {
	case 0:
		ioctl(h.group, VFIO_GROUP_GET_STATUS, w);
		break;
	case 1:
		ioctl(h.group, VFIO_GROUP_SET_CONTAINER, w);
		break;
	case 2:
		ioctl(h.group, VFIO_GROUP_UNSET_CONTAINER);
		break;
	default:
		close(ioctl(h.group, VFIO_GROUP_GET_DEVICE_FD, below(s, 4) ? name : (char *)w));
	}
}

static void
move(struct state *s, uint32_t *w)
{
	uint64_t region = below(s, 8) ? below(s, 10) : number(s), at = below(s, 2) ? below(s, 300) : number(s);
	size_t n = below(s, 8) ? 1u << below(s, 5) : (size_t)(number(s) & 0xffff);
	off_t where = (off_t)(region << 40 | at);
	void *p;

	switch (below(s, 8)) {
	case 0: // the device itself may be told anything but to move what would end QEMU
		if (region == VFIO_PCI_CONFIG_REGION_INDEX)
			(void)!pwrite(h.device, w, n > 64 ? 64 : n, where);
		break;
	case 1:
		p = mmap(NULL, n, PROT_READ | PROT_WRITE, below(s, 8) ? MAP_SHARED : MAP_PRIVATE, h.device, where & ~4095l);
		if (p != MAP_FAILED)
			munmap(p, n);
		break;
	default:
		(void)!pread(h.device, w, n > 4096 ? 4096 : n, where);
	}
}

static void
again(void)
{
	struct held old = h, fresh;

	close(old.device);
	close(old.group);
	close(old.container);
	if (hold(&fresh, name))
		h = fresh;
}

static void *
run(void *arg)
{
	struct state *s = arg;
	uint32_t *w = malloc(8192);

	for (unsigned i = 0; i < s->calls; i++) {
		for (int k = 0; k < 16; k++)
			w[k] = below(s, 4) ? (uint32_t)number(s) : (uint32_t)below(s, 64);
		switch (below(s, 16)) {
		case 0 ... 6:
			call_device(s, w);
			break;
		case 7 ... 10:
			call_container(s, w);
			break;
		case 11:
			call_group(s, w);
			break;
		default:
			move(s, w);
		}
		if (below(s, 200) == 0)
			again();
	}
	free(w);
	return NULL;
}

int
main(int argc, char **argv)
{
	struct state s[2];
	pthread_t other;

	if (argc < 4)
		return 2;
	name = argv[1];
	if (!hold(&h, name)) {
		printf("%s cannot be had: errno %d\n", name, errno);
		return 1;
	}
	memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 4; i++)
		events[i] = eventfd(0, EFD_NONBLOCK);
	for (int i = 0; i < 2; i++)
		s[i] = (struct state){ .random = strtoull(argv[2], NULL, 0) * 2 + 1 + (unsigned)i, .calls = (unsigned)atoi(argv[3]) };
	pthread_create(&other, NULL, run, &s[1]);
	run(&s[0]);
	pthread_join(other, NULL);
	printf("done\n");
	return 0;
}
