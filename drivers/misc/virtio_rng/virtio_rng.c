/* SPDX-License-Identifier: MIT */
/*
 * virtio_rng.c - random numbers of the host's for /dev/random: VIRTIO 1.1, 5.4. The device has no registers of its own:
 * a queue, into whose buffers it writes.
 *
 * What comes is written to /dev/random, which mixes it into the kernel's: at once, and then each minute.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "manager.h"
#include "virtio.h"

#define BYTES	  64
#define PERIOD_MS 60000

static struct {
	struct virtio virtio;
	struct virtio_queue queue;
	struct dma buffer;
	struct watch timer;
	int random;
	bool test;
	unsigned long long total;
} rng;

static void
ask(void)
{
	struct virtio_buffer buffer = { .bus = rng.buffer.bus, .size = BYTES };

	if (virtio_queue_add(&rng.queue, &buffer, 0, 1, &rng) == 0)
		virtio_queue_kick(&rng.queue);
}

static void
take(void)
{
	uint32_t written;

	while (virtio_queue_take(&rng.queue, &written)) {
		if (written > BYTES)
			written = BYTES;
		if (rng.test) {
			const uint8_t *bytes = rng.buffer.addr;

			printf("test %s: %u bytes %02x%02x%02x%02x\n", written ? "passed" : "failed", written, bytes[0], bytes[1],
				bytes[2], bytes[3]);
			fflush(stdout);
			loop_stop(written ? 0 : DRIVER_EXIT_TEST);
			return;
		}
		if (write(rng.random, rng.buffer.addr, written) < 0)
			log_error("/dev/random takes nothing: %s", strerror(errno));
		rng.total += written;
		memset(rng.buffer.addr, 0, BYTES);
		log_debug("%llu bytes so far", rng.total);
	}
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	(void)virtio_isr(&rng.virtio);
	do
		take();
	while (virtio_queue_listen(&rng.queue));
}

static void
minute(struct watch *w)
{
	ask();
}

static int
run(struct device *d, const struct driver_options *o)
{
	rng.test = o->test;
	rng.random = o->test ? -1 : o->manager_fd >= 0 ? manager_ask(o->manager_fd, MANAGER_WANTS_RANDOM, 0) :
							  open("/dev/random", O_WRONLY | O_CLOEXEC);
	if (!o->test && rng.random < 0) {
		log_error("no /dev/random");
		return DRIVER_EXIT_DEVICE;
	}
	rng.timer.ready = minute;
	if (virtio_begin(&rng.virtio, d, 1ull << VIRTIO_EVENT_IDX) < 0 || device_interrupts(d, 1) < 0 ||
		virtio_queue_begin(&rng.virtio, &rng.queue, 0, 8, device_on_interrupt(d, 0, interrupt, NULL), 0) < 0 ||
		dma_alloc(d, &rng.buffer, BYTES) < 0 || loop_watch_timer(&rng.timer, PERIOD_MS) < 0 || driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	virtio_go(&rng.virtio);
	ask();
	manager_tell_running(o->manager_fd);
	return loop_run();
}

int
main(int argc, char **argv)
{
	static const struct driver driver = {
		.name = "virtio_rng", .about = "Driver of virtio sources of random numbers (VIRTIO 1.1, 5.4).", .run = run,
	};

	return driver_main(&driver, argc, argv);
}
