/* SPDX-License-Identifier: MIT */
/*
 * forge.c - two of QEMU's teaching devices: the second one is told to send the first one's message. With its interrupt
 * remapped the message is nobody's; without, the first one's driver hears it.
 *
 *	forge 0000:00:05.0 0000:00:06.0
 */
#include "vfio.h"

#define RAISE 0x60
#define ACK   0x64
#define EVENT (VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER)

/* A file of the device in /sys. */
static int
open_file(const char *device, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", device, file);
	return open(path, O_RDWR);
}

static volatile uint32_t *
registers(int fd, off_t at)
{
	volatile uint32_t *r = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, at);

	CHECK(r != MAP_FAILED);
	return r;
}

int
main(int argc, char **argv)
{
	uint8_t message[12], at;
	uint16_t command = 6;
	volatile uint32_t *one, *other;
	int fd = eventfd(0, EFD_NONBLOCK), config_one, config_other;
	struct held h;

	if (argc < 3 || !hold(&h, argv[1]))
		return 2;
	set_config(h.device, 4, 2, 6);
	one = registers(h.device, (off_t)region(h.device, 0).offset);
	CHECK(irqs(h.device, VFIO_PCI_MSI_IRQ_INDEX, EVENT, 0, 1, &fd) == 0);
	one[RAISE / 4] = 1;
	CHECK(waited(fd) == 1);
	one[ACK / 4] = 1;

	/* Both have the capability in the same place: control, address, data. */
	config_one = open_file(argv[1], "config");
	config_other = open_file(argv[2], "config");
	CHECK(pread(config_one, &at, 1, 0x34) == 1 && pread(config_one, message, 12, at + 2) == 12);
	CHECK(message[0] & 1);
	CHECK(pwrite(config_other, message + 2, 10, at + 4) == 10 && pwrite(config_other, message, 2, at + 2) == 2);
	CHECK(pwrite(config_other, &command, 2, 4) == 2);
	other = registers(open_file(argv[2], "resource0"), 0);
	CHECK(other[0] == 0x010000ed);
	for (int n = 0; n < 5; n++) {
		other[RAISE / 4] = 1;
		other[ACK / 4] = 1;
	}
	usleep(100000);
	printf("%s\n", told(fd) ? "heard" : "not heard");
	one[RAISE / 4] = 1;
	CHECK(waited(fd) == 1);
	let_go(&h);
	return failures != 0;
}
