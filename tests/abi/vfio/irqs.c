/* SPDX-License-Identifier: MIT */
/* VFIO_DEVICE_SET_IRQS: several messages of a device, and where its interrupts go. */
#include "device.h"

static struct vfio_irq_info
irq_info(int device, unsigned index)
{
	struct vfio_irq_info i = { .argsz = sizeof(i), .index = index };

	CHECK_OK(ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, &i));
	return i;
}

TEST(vfio_irqs_are_as_many_as_the_device_says)
{
	struct taken t = device_take(NVME);
	unsigned fixed = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	struct vfio_irq_info i = { .argsz = 4 };

	CHECK_EQ(irq_info(t.device, LINE).count, 1);
	CHECK_EQ(irq_info(t.device, MSI).count, 0);
	CHECK_EQ(irq_info(t.device, MSIX).count, NVME_VECTORS);
	CHECK_EQ(irq_info(t.device, MSIX).flags, fixed);
	CHECK_EQ(irq_info(t.device, LINE).flags, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED);
	CHECK_EQ(irq_info(t.device, VFIO_PCI_REQ_IRQ_INDEX).count, 1);
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_GET_IRQ_INFO, &i), EINVAL);
	i.argsz = sizeof(i);
	i.index = VFIO_PCI_NUM_IRQS;
	CHECK_ERRNO(ioctl(t.device, VFIO_DEVICE_GET_IRQ_INFO, &i), EINVAL);
	t = device_take(USB);
	CHECK_EQ(irq_info(t.device, MSI).count, 16);
	CHECK_EQ(irq_info(t.device, MSI).flags, fixed);
	CHECK_EQ(irq_info(t.device, MSIX).count, 16);
}

TEST(vfio_each_message_has_its_eventfd)
{
	struct taken t = device_take(NVME);
	struct nvme n;
	int fds[QUEUES];

	eventfds(fds, QUEUES);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, QUEUES, fds), 0);
	nvme_start(&n, &t, t.device); /* by many a message 0, the last of which may be under way still */
	for (int round = 0; round < 3; round++)
		for (int i = 1; i < QUEUES; i++) {
			nvme_raise(&n, i);
			CHECK_EQ(event_wait(fds[i]), 1);
			for (int k = 1; k < QUEUES; k++)
				CHECK_EQ(event_now(fds[k]), 0);
		}
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 0, 0, NULL), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 1, 1, fds + 1), 0);
	for (int i = QUEUES - 1; i > 0; i--)
		nvme_raise(&n, i);
	CHECK_EQ(event_wait(fds[1]), 1);
	for (int k = 2; k < QUEUES; k++)
		CHECK_EQ(event_now(fds[k]), 0);
}

TEST(vfio_messages_are_raised_by_hand)
{
	struct taken t = device_take(NVME);
	int fds[QUEUES];

	eventfds(fds, QUEUES);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, QUEUES, fds), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 1, 3, NULL), 0);
	for (int i = 0; i < QUEUES; i++)
		CHECK_EQ(event_now(fds[i]), i >= 1 && i <= 3);
	CHECK_EQ(irqs_set(t.device, MSIX, BOOLS, 0, QUEUES, (char[]){ 1, 0, 0, 1, 0 }), 0);
	for (int i = 0; i < QUEUES; i++)
		CHECK_EQ(event_now(fds[i]), i == 0 || i == 3);
	CHECK_EQ(irqs_set(t.device, MSIX, BOOLS, 4, 1, (char[]){ 1 }), 0);
	CHECK_EQ(event_now(fds[4]), 1);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 4, 2, NULL), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 5, 1, NULL), EINVAL);
}

TEST(vfio_messages_do_not_grow)
{
	struct taken t = device_take(NVME);
	struct nvme n;
	int fds[QUEUES], none = -1;

	eventfds(fds, QUEUES);
	/* Numbers 1 and 2: three there are from now on, the first is nobody's. */
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 1, 2, fds + 1), 0);
	nvme_start(&n, &t, t.device);
	nvme_raise(&n, 0);
	nvme_raise(&n, 1);
	CHECK_EQ(event_wait(fds[1]), 1);
	CHECK_EQ(event_now(fds[0]), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 0, 3, NULL), 0); /* who is nobody's is passed over */
	CHECK_EQ(event_now(fds[1]), 1);
	CHECK_EQ(event_now(fds[2]), 1);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 3, 1, fds + 3), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 2, 2, fds + 2), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 0, 4, NULL), EINVAL);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 1, fds), 0);
	CHECK_EQ(event_wait(fds[0]), 1); /* the device has kept what nobody heard */
	nvme_raise(&n, 0);
	CHECK_EQ(event_wait(fds[0]), 1);
	/* Another eventfd, and none. */
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 1, 1, fds + 4), 0);
	nvme_raise(&n, 1);
	CHECK_EQ(event_wait(fds[4]), 1);
	CHECK_EQ(event_now(fds[1]), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 1, 1, &none), 0);
	nvme_raise(&n, 1);
	nvme_raise(&n, 2);
	CHECK_EQ(event_wait(fds[2]), 1);
	CHECK_EQ(event_now(fds[4]), 0);
}

TEST(vfio_wrong_requests_for_messages_are_refused)
{
	struct taken t = device_take(NVME);
	int fds[QUEUES + 1], closed = dup(t.group);

	eventfds(fds, QUEUES + 1);
	close(closed);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, NVME_VECTORS - 1, 2, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, NVME_VECTORS, 1, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSI, EVENTS, 0, 1, fds), EINVAL); /* it has none */
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 0, 0, fds), ERANGE);
	CHECK_ERRNO(irqs_set(t.device, LINE, EVENTS, 0, 0, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, VFIO_PCI_REQ_IRQ_INDEX, EVENTS, 0, 0, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 0, 1, NULL), EINVAL);
	/* All or none: an eventfd that is none undoes the others, and the whole. */
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 0, 2, (int[]){ fds[0], closed }), EBADF);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 0, 2, (int[]){ fds[0], t.container }), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 0, 1, NULL), EINVAL);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 3, fds), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 0, fds), 0);
	CHECK_EQ(irqs_set(t.device, MSIX, BOOLS, 0, 0, fds), 0);
	CHECK_ERRNO(irqs_set(t.device, MSI, EVENTS, 0, 1, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, LINE, EVENTS, 0, 1, fds), EINVAL);
	CHECK_ERRNO(irqs_set(t.device, MSIX, EVENTS, 1, 2, (int[]){ fds[4], closed }), EBADF);
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 0, 3, NULL), 0);
	CHECK_EQ(event_now(fds[0]), 1);
	CHECK_EQ(event_now(fds[4]), 0);
	CHECK_ERRNO(irqs_set(t.device, MSIX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_MASK, 0, 1, NULL), ENOTTY);
	CHECK_ERRNO(irqs_set(t.device, MSIX, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, 0, 1, NULL), ENOTTY);
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 0, 0, NULL), 0);
	CHECK_ERRNO(irqs_set(t.device, MSIX, NONE, 0, 0, NULL), EINVAL);
	CHECK_EQ(irqs_set(t.device, LINE, EVENTS, 0, 1, fds), 0);
}

/* How many messages the device itself may send by MSI; 0: none. */
static unsigned
msi_on(const char *name)
{
	unsigned control = config_real(name, capability(name, 5) + 2, 2);

	return control & 1 ? 1u << (control >> 4 & 7) : 0;
}

TEST(vfio_several_messages_of_msi)
{
	struct taken t = device_take(USB);
	int fds[16], none = -1;

	eventfds(fds, 16);
	CHECK_EQ(msi_on(USB), 0);
	CHECK_EQ(irqs_set(t.device, MSI, EVENTS, 0, 16, fds), 0);
	CHECK_EQ(msi_on(USB), 16);
	CHECK_EQ(irqs_set(t.device, MSI, NONE, 3, 10, NULL), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(event_now(fds[i]), i >= 3 && i < 13);
	CHECK_EQ(irqs_set(t.device, MSI, NONE, 0, 0, NULL), 0);
	CHECK_EQ(msi_on(USB), 0);
	/* Five are eight to the device; the sixth is not there. */
	CHECK_EQ(irqs_set(t.device, MSI, EVENTS, 0, 5, fds), 0);
	CHECK_EQ(msi_on(USB), 8);
	CHECK_ERRNO(irqs_set(t.device, MSI, EVENTS, 5, 1, fds + 5), EINVAL);
	CHECK_EQ(irqs_set(t.device, MSI, EVENTS, 2, 1, &none), 0);
	CHECK_EQ(irqs_set(t.device, MSI, NONE, 0, 5, NULL), 0);
	for (int i = 0; i < 5; i++)
		CHECK_EQ(event_now(fds[i]), i != 2);
	CHECK_EQ(irqs_set(t.device, MSI, NONE, 0, 0, NULL), 0);
	CHECK_EQ(irqs_set(t.device, MSI, EVENTS, 0, 1, fds), 0);
	CHECK_EQ(msi_on(USB), 1);
}

TEST(vfio_messages_are_set_while_registers_are_off)
{
	struct taken t = device_take(NVME);
	struct nvme n;
	int fds[2];

	eventfds(fds, 2);
	config_write(t.device, 4, 2, 0);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 2, fds), 0);
	CHECK_EQ(config_read(t.device, 4, 2) & 2, 0);
	config_write(t.device, 4, 2, config_read(t.device, 4, 2) | 2);
	nvme_start(&n, &t, t.device);
	nvme_raise(&n, 1);
	CHECK_EQ(event_wait(fds[1]), 1);
}

/* --- where they go --------------------------------------------------------------------------------- */

/* The number of the interrupt with that name in /proc/interrupts, what its row ends with, its count on CPU `cpu`. */
static int
row_of(const char *name, char *kind, unsigned long *counts)
{
	char line[512], end[160];
	FILE *f = fopen("/proc/interrupts", "r");
	int number, found = -1;

	CHECK(f);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strstr(line, name) || sscanf(line, "%d: %lu %lu %159[^\n]", &number, &counts[0], &counts[1], end) != 4)
			continue;
		found = number;
		strcpy(kind, end);
	}
	fclose(f);
	return found;
}

static void
affinity_write(int number, const char *file, const char *text, int error)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/irq/%d/%s", number, file);
	fd = CHECK_OK(open(path, O_WRONLY));
	errno = 0;
	n = write(fd, text, strlen(text));
	if (error && (n != -1 || errno != error))
		FAIL("\"%s\" to %s gave %zd, %s", text, path, n, check_error_name(errno));
	else if (!error)
		CHECK_EQ(n, (ssize_t)strlen(text));
	close(fd);
}

static const char *
affinity_read(int number, const char *file)
{
	static char text[64];
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/irq/%d/%s", number, file);
	fd = CHECK_OK(open(path, O_RDONLY));
	n = read(fd, text, sizeof(text) - 1);
	CHECK(n >= 0);
	text[n] = '\0';
	close(fd);
	return text;
}

TEST(vfio_rows_of_interrupts)
{
	struct taken t = device_take(NVME);
	unsigned long counts[2];
	char kind[160];
	int fds[3];

	eventfds(fds, 3);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 3, fds), 0);
	CHECK(row_of("vfio-msix[2](" NVME ")", kind, counts) > 0);
	CHECK_STR(kind, "IR-PCI-MSI 98306-edge      vfio-msix[2](" NVME ")");
	CHECK_EQ(irqs_set(t.device, MSIX, NONE, 0, 0, NULL), 0);
	CHECK_EQ(row_of("vfio-msix", kind, counts), -1);
	t = device_take(USB);
	CHECK_EQ(irqs_set(t.device, MSI, EVENTS, 0, 2, fds), 0);
	CHECK(row_of("vfio-msi[1](" USB ")", kind, counts) > 0);
	CHECK_STR(kind, "IR-PCI-MSI 114689-edge      vfio-msi[1](" USB ")");
}

TEST(vfio_interrupts_move)
{
	struct taken t = device_take(NVME);
	struct nvme n;
	unsigned long before[2], after[2];
	int fds[QUEUES], number;
	char kind[160];

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		check_skip("two processors are needed");
	eventfds(fds, QUEUES);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, QUEUES, fds), 0);
	nvme_start(&n, &t, t.device);
	number = row_of("vfio-msix[1]", kind, before);
	CHECK_STR(affinity_read(number, "smp_affinity"), "3\n");
	CHECK_STR(affinity_read(number, "smp_affinity_list"), "0-1\n");
	for (int round = 0; round < 6; round++) {
		int cpu = round & 1;

		affinity_write(number, round & 2 ? "smp_affinity" : "smp_affinity_list",
			       round & 2 ? cpu ? "2" : "1" : cpu ? "1\n" : "0\n", 0);
		CHECK_STR(affinity_read(number, "smp_affinity"), cpu ? "2\n" : "1\n");
		/* The first one behind the change may still come the old way; each comes once. */
		nvme_raise(&n, 1);
		CHECK_EQ(event_wait(fds[1]), 1);
		row_of("vfio-msix[1]", kind, before);
		CHECK_STR(affinity_read(number, "effective_affinity_list"), cpu ? "1\n" : "0\n");
		for (int i = 0; i < 3; i++) {
			nvme_raise(&n, 1);
			CHECK_EQ(event_wait(fds[1]), 1);
			nvme_raise(&n, 4);
			CHECK_EQ(event_wait(fds[4]), 1);
		}
		CHECK_EQ(row_of("vfio-msix[1]", kind, after), number);
		CHECK_EQ(after[cpu] - before[cpu], 3);
		CHECK_EQ(after[!cpu], before[!cpu]);
	}
	affinity_write(number, "smp_affinity", "3", 0);
	CHECK_STR(affinity_read(number, "smp_affinity_list"), "0-1\n");
	affinity_write(number, "smp_affinity", "0", EINVAL);
	affinity_write(number, "smp_affinity", "8", EOVERFLOW);
	affinity_write(number, "smp_affinity", "x", EINVAL);
	affinity_write(number, "smp_affinity", "", EINVAL);
	affinity_write(number, "smp_affinity_list", "3", ERANGE);
	affinity_write(number, "smp_affinity_list", "1-0", EINVAL);
	affinity_write(number, "smp_affinity_list", "0-", EINVAL);
	CHECK_STR(affinity_read(number, "smp_affinity_list"), "0-1\n");
}

TEST(vfio_interrupts_are_spread)
{
	struct taken t = device_take(USB);
	unsigned long counts[2];
	int fds[16], on[2] = { 0 };
	char name[32], kind[160];

	if (sysconf(_SC_NPROCESSORS_ONLN) != 2)
		check_skip("two processors are needed");
	eventfds(fds, 16);
	CHECK_EQ(irqs_set(t.device, MSIX, EVENTS, 0, 16, fds), 0);
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "vfio-msix[%d](", i);
		on[atoi(affinity_read(row_of(name, kind, counts), "effective_affinity_list"))]++;
	}
	CHECK(on[0] >= 4 && on[1] >= 4);
}
