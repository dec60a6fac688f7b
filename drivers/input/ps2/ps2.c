/* SPDX-License-Identifier: MIT */
/*
 * ps2.c - the PC's keyboard controller: two ports, two lines, a keyboard and a mouse behind them.
 *
 * It begins by polling, with interrupts off: what there is, and what it can do. Then bytes come by interrupts, whichever
 * of the two devices they are from; either line is a reason to look for all that is there, because an edge that comes
 * while the controller still holds a byte tells of nothing more.
 *
 * A predecessor may have died at any point: all that the controller holds is thrown away, and both devices are told
 * to be silent first. They are not reset, which takes half a second and switches the LEDs off.
 */
#include <sys/timerfd.h>

#include "log.h"
#include "manager.h"
#include "ps2.h"

#define POLLS	   20000 /* of the status; some microseconds each */
#define BATCH	   64	 /* bytes that one interrupt takes at most */
#define ANSWER_MS  500
#define TRIES	   3

struct device *ps2_device;
static struct watch timer; /* runs while an answer is waited for */

static uint8_t
status(void)
{
	return device_port_read(ps2_device, PORT_COMMAND, 0);
}

/* The controller has taken the last byte. */
static bool
is_writable(void)
{
	for (int i = 0; i < POLLS; i++)
		if (!(status() & STATUS_INPUT))
			return true;
	log_error("the controller takes nothing");
	return false;
}

static void
command(uint8_t byte)
{
	if (is_writable())
		device_port_write(ps2_device, PORT_COMMAND, 0, byte);
}

static void
data(uint8_t byte)
{
	if (is_writable())
		device_port_write(ps2_device, PORT_DATA, 0, byte);
}

/* The next byte, whose it is in *mouse_s, or -1 when none comes. */
static int
read_byte(bool *mouse_s)
{
	for (int i = 0; i < POLLS; i++) {
		uint8_t s = status();

		if (s & STATUS_OUTPUT) {
			*mouse_s = s & STATUS_MOUSE;
			return device_port_read(ps2_device, PORT_DATA, 0);
		}
	}
	return -1;
}

static void
drain(void)
{
	for (int i = 0; i < BATCH && (status() & STATUS_OUTPUT); i++)
		(void)device_port_read(ps2_device, PORT_DATA, 0);
}

static void
write_to(const struct ps2_port *p, uint8_t byte)
{
	if (p->mouse)
		command(KBC_TO_MOUSE);
	data(byte);
}

/* --- by polling -------------------------------------------------------------------------------------- */

int
ps2_more(void)
{
	bool from_mouse;

	return read_byte(&from_mouse);
}

int
ps2_ask(struct ps2_port *p, uint8_t byte)
{
	bool from_mouse;
	int answer = -1;

	for (unsigned try = 0; try < TRIES; try++) {
		write_to(p, byte);
		do /* a key that was pressed just now is no answer */
			answer = read_byte(&from_mouse);
		while (answer >= 0 && (from_mouse != p->mouse || (answer != ANSWER_ACK && answer != ANSWER_RESEND)));
		if (answer != ANSWER_RESEND)
			break;
	}
	return answer;
}

static int
read_config(void)
{
	bool from_mouse;

	command(KBC_READ_CONFIG);
	return read_byte(&from_mouse);
}

static void
write_config(uint8_t config)
{
	command(KBC_WRITE_CONFIG);
	data(config);
}

/* --- by interrupts ----------------------------------------------------------------------------------- */

static void
send_next(struct ps2_port *p)
{
	static const struct itimerspec when = { .it_value = { .tv_nsec = ANSWER_MS * 1000000l } };

	if (p->sent || !p->queued)
		return;
	write_to(p, p->queue[0]);
	p->sent = true;
	timerfd_settime(timer.fd, 0, &when, NULL);
}

void
ps2_send(struct ps2_port *p, const uint8_t *bytes, unsigned n)
{
	if (!p->there || p->queued + n > QUEUE_MAX)
		return;
	for (unsigned i = 0; i < n; i++)
		p->queue[p->queued++] = bytes[i];
	send_next(p);
}

/* The byte under way is done with: taken, or given up. */
static void
next_byte(struct ps2_port *p)
{
	p->sent = false;
	p->tries = 0;
	p->queued--;
	for (unsigned i = 0; i < p->queued; i++)
		p->queue[i] = p->queue[i + 1];
	send_next(p);
}

static void
again(struct ps2_port *p)
{
	p->sent = false;
	if (++p->tries < TRIES) {
		send_next(p);
		return;
	}
	log_info("the %s does not take 0x%02x", p->mouse ? "mouse" : "keyboard", p->queue[0]);
	next_byte(p);
}

static void
received(struct ps2_port *p, uint8_t byte)
{
	log_debug("%s 0x%02x", p->mouse ? "mouse" : "keyboard", byte);
	if (!p->there)
		return;
	if (p->sent && byte == ANSWER_ACK)
		next_byte(p);
	else if (p->sent && byte == ANSWER_RESEND)
		again(p);
	else if (p->mouse)
		mouse_byte(byte);
	else
		keyboard_byte(byte);
}

static void
interrupt(struct device *d, unsigned vector, void *argument)
{
	for (int i = 0; i < BATCH; i++) {
		uint8_t s = status(), byte;

		if (!(s & STATUS_OUTPUT))
			break;
		byte = device_port_read(d, PORT_DATA, 0);
		if (!(s & STATUS_PARITY))
			received(s & STATUS_MOUSE ? &mouse : &keyboard, byte);
	}
}

/* Nothing was sent for a while: a device does not answer, or its interrupt did not come. */
static void
no_answer(struct watch *w)
{
	interrupt(ps2_device, 0, NULL);
	if (keyboard.sent)
		again(&keyboard);
	if (mouse.sent)
		again(&mouse);
}

/* --- start ------------------------------------------------------------------------------------------- */

/* Silence; then what is there. The configuration in force, or -1: there is no controller. */
static int
begin(const struct driver_options *o)
{
	int config;

	command(KBC_KEYBOARD_OFF);
	command(KBC_MOUSE_OFF);
	drain();
	config = read_config();
	if (config < 0)
		return -1;
	config &= ~(CONFIG_KEYBOARD_IRQ | CONFIG_MOUSE_IRQ | CONFIG_KEYBOARD_OFF | CONFIG_MOUSE_OFF);
	if (o->test_words && *o->test_words == '2')
		config &= ~CONFIG_TRANSLATE;
	else
		config |= CONFIG_TRANSLATE;
	write_config(config);
	command(KBC_KEYBOARD_ON);
	command(KBC_MOUSE_ON);
	config = read_config();
	if (config < 0)
		return -1;
	if (keyboard_begin(o, !(config & CONFIG_TRANSLATE)) < 0 || mouse_begin(o) < 0)
		return -1;
	return config;
}

static int
run(struct device *d, const struct driver_options *o)
{
	int config;

	ps2_device = d;
	timer.ready = no_answer;
	if (!d->platform) {
		log_error("%s is no keyboard controller", o->name);
		return DRIVER_EXIT_USAGE;
	}
	config = begin(o);
	if (config < 0) {
		log_error("no controller answers");
		return DRIVER_EXIT_DEVICE;
	}
	if (!keyboard.there && !mouse.there)
		return 0;
	if (device_line(d, LINE_KEYBOARD, interrupt, NULL) < 0 || device_line(d, LINE_MOUSE, interrupt, NULL) < 0 ||
		loop_watch_timer(&timer, ANSWER_MS) < 0 || keyboard_listen() < 0 || mouse_listen() < 0 || driver_confine(o) < 0)
		return DRIVER_EXIT_DEVICE;
	write_config(config | CONFIG_KEYBOARD_IRQ | CONFIG_MOUSE_IRQ);
	interrupt(d, 0, NULL); /* what came meanwhile made no edge for us */
	log_info("%s%s%s", keyboard.there ? "a keyboard" : "", keyboard.there && mouse.there ? " and " : "",
		mouse.there ? "a mouse" : "");
	manager_tell_running(o->manager_fd);
	return loop_run();
}

int
main(int argc, char **argv)
{
	static const struct driver driver = {
		.name = "ps2", .about = "Driver of the PC's keyboard controller, its keyboard and its mouse.", .run = run,
	};

	return driver_main(&driver, argc, argv);
}
