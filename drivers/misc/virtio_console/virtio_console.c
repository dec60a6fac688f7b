/* SPDX-License-Identifier: MIT */
/*
 * virtio_console.c - a virtio console, port 0: VIRTIO 1.1, 5.3. Its upper door is a terminal: what programs write to
 * /dev/hvcN goes to the device, what the device brings they read. By hand the terminal's name is printed.
 *
 * Into the device one piece at a time goes, so that a host that does not read stops the writers, through the terminal's
 * own buffer. What the device brings and the terminal does not take now is kept; its buffer is given to the device
 * again when it is empty.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "driver.h"
#include "manager.h"
#include "virtio.h"
#include "virtio_console_hw.h"

#define PIECE	4096
#define BUFFERS 8
#define LATER_MS 20

struct buffer {
	struct dma memory;
	uint32_t used, done;
	struct buffer *next;
};

static struct {
	struct virtio virtio;
	struct virtio_queue receive, transmit;
	struct buffer in[BUFFERS], out;
	struct buffer *kept, **kept_end; /* brought, not taken by the terminal yet */
	bool sending;
	struct watch terminal, later;
	int held; /* the other end, by hand: so that the terminal is not hung up when nobody has it open */
} console;

static void
give(struct buffer *b)
{
	struct virtio_buffer buffer = { .bus = b->memory.bus, .size = PIECE };

	b->used = b->done = 0;
	if (virtio_queue_add(&console.receive, &buffer, 0, 1, b) < 0)
		log_error("no room for a buffer");
}

/* Hand what is kept to the terminal, as far as it takes it. */
static void
hand_over(void)
{
	struct buffer *b;

	while ((b = console.kept)) {
		ssize_t n = write(console.terminal.fd, (char *)b->memory.addr + b->done, b->used - b->done);

		b->done += n > 0 ? n : 0;
		if (b->done < b->used) {
			/* Full: again in a moment. */
			static const struct itimerspec moment = { .it_value.tv_nsec = LATER_MS * 1000000 };

			timerfd_settime(console.later.fd, 0, &moment, NULL);
			break;
		}
		console.kept = b->next;
		if (!console.kept)
			console.kept_end = &console.kept;
		give(b);
	}
	virtio_queue_kick(&console.receive);
}

static void
received(void)
{
	struct buffer *b;
	uint32_t written;

	while ((b = virtio_queue_take(&console.receive, &written))) {
		b->used = written < PIECE ? written : PIECE;
		b->done = 0;
		b->next = NULL;
		*console.kept_end = b;
		console.kept_end = &b->next;
	}
	hand_over();
}

/* Send what programs have written. */
static void
send_piece(struct watch *w)
{
	struct virtio_buffer buffer = { .bus = console.out.memory.bus };
	ssize_t n;

	if (console.sending)
		return;
	n = read(console.terminal.fd, console.out.memory.addr, PIECE);
	if (n <= 0)
		return;
	buffer.size = n;
	if (virtio_queue_add(&console.transmit, &buffer, 1, 0, &console.out) < 0)
		return;
	console.sending = true;
	/* Level-triggered: it would be ready all the time. */
	loop_forget(&console.terminal);
	virtio_queue_kick(&console.transmit);
}

static void
sent(void)
{
	bool any = false;

	while (virtio_queue_take(&console.transmit, NULL))
		any = true;
	if (!any)
		return;
	console.sending = false;
	if (loop_watch(&console.terminal) < 0)
		log_error("the terminal cannot be watched: %s", strerror(errno));
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	(void)virtio_isr(&console.virtio);
	do
		received();
	while (virtio_queue_listen(&console.receive));
	do
		sent();
	while (virtio_queue_listen(&console.transmit));
}

static void
later(struct watch *w)
{
	hand_over();
}

/* By hand: a terminal of our own, whose name is printed. */
static int
open_terminal(void)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	char name[64];

	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
		return -errno;
	console.held = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	printf("terminal %s\n", name);
	fflush(stdout);
	return master;
}

static void
set_size(void)
{
	struct winsize size = { 0 };

	if (!virtio_has(&console.virtio, VIRTIO_CONSOLE_SIZE) || !console.virtio.config)
		return;
	size.ws_col = read16(console.virtio.config, VIRTIO_CONSOLE_COLS);
	size.ws_row = read16(console.virtio.config, VIRTIO_CONSOLE_ROWS);
	if (size.ws_col && size.ws_row)
		(void)ioctl(console.terminal.fd, TIOCSWINSZ, &size);
}

static int
begin(struct device *d)
{
	unsigned vector;

	if (virtio_begin(&console.virtio, d, 1ull << VIRTIO_CONSOLE_SIZE | 1ull << VIRTIO_EVENT_IDX) < 0 ||
		device_interrupts(d, 1) < 0)
		return -EIO;
	vector = device_on_interrupt(d, 0, interrupt, NULL);
	if (virtio_queue_begin(&console.virtio, &console.receive, VIRTIO_CONSOLE_RECEIVE, BUFFERS, vector, 0) < 0 ||
		virtio_queue_begin(&console.virtio, &console.transmit, VIRTIO_CONSOLE_TRANSMIT, BUFFERS, vector, 0) < 0 ||
		dma_alloc(d, &console.out.memory, PIECE) < 0)
		return -EIO;
	for (unsigned i = 0; i < BUFFERS; i++)
		if (dma_alloc(d, &console.in[i].memory, PIECE) < 0)
			return -ENOMEM;
	return 0;
}

static int
run(struct device *d, const struct driver_options *o)
{
	console.kept_end = &console.kept;
	console.terminal.ready = send_piece;
	console.later.ready = later;
	console.later.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	console.terminal.fd = o->manager_fd >= 0 ? manager_ask(o->manager_fd, MANAGER_WANTS_TTY, 0) : open_terminal();
	if (console.terminal.fd < 0 || fcntl(console.terminal.fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		log_error("no terminal");
		return DRIVER_EXIT_DEVICE;
	}
	if (begin(d) < 0 || loop_watch(&console.terminal) < 0 || loop_watch_edge(&console.later) < 0)
		return DRIVER_EXIT_DEVICE;
	set_size();
	if (driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	virtio_go(&console.virtio);
	for (unsigned i = 0; i < BUFFERS; i++)
		give(&console.in[i]);
	virtio_queue_kick(&console.receive);
	manager_tell_running(o->manager_fd);
	return loop_run();
}

int
main(int argc, char **argv)
{
	static const struct driver driver = {
		.name = "virtio_console", .about = "Driver of virtio consoles (VIRTIO 1.1, 5.3).", .run = run,
	};

	return driver_main(&driver, argc, argv);
}
