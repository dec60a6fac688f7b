/* SPDX-License-Identifier: MIT */
/*
 * serial.c - ttyS0 .. ttyS3: 16550 serial ports on their ISA interrupts.
 *
 * The interrupt handler moves received bytes into a small ring of the port, and bytes of the
 * terminal's output ring into the transmit FIFO. A continuation then feeds the received bytes to the
 * line discipline in a thread, since that may send signals.
 *
 * Locks: tty->lock (TTY_BUFFER) covers the UART's registers, the output ring and `receiving`; the
 * received ring has one producer (the handler) and one consumer (the continuation) under
 * port->lock (DEVICE), which is taken inside it.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>
#include <tessera/continuation.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/kdb.h>
#include <tessera/panic.h>
#include <tessera/preempt.h>
#include <tessera/print.h>
#include <tessera/slab.h>

#include "serial_hw.h"
#include "tty_private.h"

#define PORTS      4
#define MAJOR_TTYS 4
#define MINOR_TTYS 64
#define RECEIVED   1024
#define CHUNK      128

struct serial_port {
	struct tty tty;
	uint16_t base;                 /* [I] first I/O port */
	uint8_t irq;                   /* [I] ISA interrupt, shared by two ports */
	bool present;                  /* [I] */
	bool sending;                  /* tty.lock: the transmit interrupt is on */
	struct spinlock lock;          /* class DEVICE */
	uint8_t received[RECEIVED];    /* lock */
	uint32_t head, tail;           /* lock */
	uint64_t overruns;             /* lock: bytes lost, the ring was full */
	struct continuation feed;      /* runs feed_discipline() */
	struct kdb_keys keys;          /* lock: of the console's port */
	bool broke;                    /* [a] the watch read the status that told of a BREAK, once */
};

static const struct { uint16_t base; uint8_t irq; } places[PORTS] = {
	{ 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 },
};
static struct serial_port ports[PORTS];

static uint8_t
reg_read(const struct serial_port *p, uint16_t reg)
{
	return port_read8(p->base + reg);
}

static void
reg_write(const struct serial_port *p, uint16_t reg, uint8_t value)
{
	port_write8(p->base + reg, value);
}

static struct serial_port *
port_of(struct tty *t)
{
	return container_of(t, struct serial_port, tty);
}

/* Fill the transmit FIFO while it is empty. tty->lock held. */
static void
send_some(struct serial_port *p)
{
	struct tty *t = &p->tty;

	assert_held(&t->lock);
	if (!(reg_read(p, UART_LSR) & LSR_THRE))
		return;
	for (int i = 0; i < UART_FIFO_SIZE && t->output_tail != t->output_head; i++)
		reg_write(p, UART_DATA, t->output[ring_at(t->output_tail++)]);
}

static void
set_sending(struct serial_port *p, bool on)
{
	if (p->sending == on)
		return;
	p->sending = on;
	reg_write(p, UART_IER, IER_RX | (on ? IER_TX : 0));
}

static void
serial_start_output(struct tty *t)
{
	struct serial_port *p = port_of(t);

	if (t->stopped || t->output_head == t->output_tail)
		return;
	send_some(p);
	set_sending(p, t->output_head != t->output_tail);
}

static bool
serial_drained(struct tty *t)
{
	return reg_read(port_of(t), UART_LSR) & LSR_TEMT;
}

/* Take what came in, up to a letter for kdb, which is returned; 0: none. p->lock held. */
static char
receive_locked(struct serial_port *p)
{
	uint8_t status;

	while ((status = reg_read(p, UART_LSR)) & LSR_DATA) {
		uint8_t c = reg_read(p, UART_DATA);
		int key = KDB_KEY_PASS;

		if (p == &ports[0])
			key = kdb_keys_byte(&p->keys, c, (status & LSR_BREAK) || (c == 0 && p->broke));
		p->broke = false;
		if (key > 0)
			return (char)key;
		if (key == KDB_KEY_TAKE)
			continue;
		if (p->head - p->tail == RECEIVED)
			p->overruns++;
		else
			p->received[p->head++ % RECEIVED] = c;
	}
	return 0;
}

static void
receive(struct serial_port *p)
{
	char key;

	do {
		uint64_t flags = spin_lock_irq(&p->lock);

		key = receive_locked(p);
		spin_unlock_irq(&p->lock, flags);
		/* Before any other lock is waited for: its holder may be why we are called. */
		if (key)
			kdb_key(key, arch_interrupted_frame());
	} while (key);
}

static void
handle_port(struct serial_port *p)
{
	bool woke = false, got;
	uint64_t flags;

	receive(p);
	got = READ_ONCE(p->head) != READ_ONCE(p->tail);
	flags = spin_lock_irq(&p->tty.lock);
	if (p->sending) {
		if (!p->tty.stopped)
			send_some(p);
		set_sending(p, !p->tty.stopped && p->tty.output_head != p->tty.output_tail);
		woke = discipline_output_room(&p->tty) >= TTY_RING / 2;
	}
	spin_unlock_irq(&p->tty.lock, flags);
	if (woke)
		wake_poll(&p->tty.write_wait, POLLOUT | POLLWRNORM);
	if (got)
		continuation_run(&p->feed);
}

/*
 * Two ports share a line; each is asked. The line is an edge: look until nobody has anything. Reading
 * the identification register acknowledges a transmit interrupt, so it is read once for each.
 */
static void
serial_interrupt(void *arg)
{
	uint8_t irq = (uint8_t)(uintptr_t)arg;

	for (int round = 0; round < 64; round++) {
		bool pending = false;

		for (int i = 0; i < PORTS; i++) {
			if (!ports[i].present || ports[i].irq != irq)
				continue;
			if (!(reg_read(&ports[i], UART_IIR) & IIR_NONE)) {
				pending = true;
				handle_port(&ports[i]);
			}
		}
		if (!pending)
			break;
	}
}

/*
 * The console's interrupts go to CPU 0. When that has interrupts off for good, nobody would hear who calls
 * for kdb: so, where somebody is known to sit there (panic=kdb), another CPU looks now and then whether
 * input lies unserved, and serves it in its place.
 */
#define WATCH_NS (500 * NSEC_PER_MSEC)

static struct timer watch;
static bool watch_saw_input;   /* [s] of the watching CPU */

static void
watch_console(struct timer *t)
{
	struct serial_port *p = &ports[0];
	uint8_t status = reg_read(p, UART_LSR);
	char key = 0;

	if (status & LSR_BREAK)
		p->broke = true;
	if (!(status & LSR_DATA)) {
		watch_saw_input = false;
	} else if (!watch_saw_input) {
		watch_saw_input = true;
	} else if (spin_trylock(&p->lock)) {
		key = receive_locked(p);
		spin_unlock(&p->lock);
		continuation_run(&p->feed);
	} else {
		/* Its holder is the one that hangs. */
		struct kdb_keys *k = &p->keys;

		for (int c = arch_console_read(); c >= 0 && key <= 0; c = arch_console_read()) {
			key = (char)MAX(kdb_keys_byte(k, (uint8_t)c, c == 0 && p->broke), 0);
			p->broke = false;
		}
	}
	timer_start(t, deadline_after(WATCH_NS));
	if (key > 0)
		kdb_key(key, arch_interrupted_frame());
}

static void
start_watch(void *arg)
{
	timer_start(&watch, deadline_after(WATCH_NS));
}

static size_t
take_received(struct serial_port *p, uint8_t *buf, size_t n)
{
	uint64_t flags = spin_lock_irq(&p->lock);
	size_t got = 0;

	while (got < n && p->tail + got != p->head) {
		buf[got] = p->received[(p->tail + got) % RECEIVED];
		got++;
	}
	spin_unlock_irq(&p->lock, flags);
	return got;
}

static void
drop_received(struct serial_port *p, size_t n)
{
	uint64_t flags = spin_lock_irq(&p->lock);

	p->tail += (uint32_t)n;
	spin_unlock_irq(&p->lock, flags);
}

/* Hand received bytes to the line discipline; what does not fit stays until a reader makes room. */
static void
feed_discipline(struct continuation *c)
{
	struct serial_port *p = container_of(c, struct serial_port, feed);
	uint8_t buf[CHUNK];
	size_t got, taken;

	do {
		got = take_received(p, buf, sizeof(buf));
		taken = tty_input(&p->tty, buf, got);
		drop_received(p, taken);
	} while (taken > 0);
}

static void
serial_input_room(struct tty *t)
{
	continuation_run(&port_of(t)->feed);
}

static void
serial_settings_changed(struct tty *t)
{
	struct serial_port *p = port_of(t);
	uint64_t flags;
	uint32_t divisor;

	flags = spin_lock_irq(&t->lock);
	if (t->ospeed > 0) {
		divisor = MAX(UART_CLOCK / t->ospeed, 1u);
		reg_write(p, UART_LCR, LCR_8N1 | LCR_DLAB);
		reg_write(p, UART_DATA, (uint8_t)divisor);
		reg_write(p, UART_IER, (uint8_t)(divisor >> 8));
		reg_write(p, UART_LCR, LCR_8N1);
		reg_write(p, UART_IER, IER_RX | (p->sending ? IER_TX : 0));
	}
	spin_unlock_irq(&t->lock, flags);
}

static const struct tty_driver serial_driver = {
	.name = "ttyS",
	.start_output = serial_start_output,
	.input_room = serial_input_room,
	.settings_changed = serial_settings_changed,
	.drained = serial_drained,
};

/* The terminal of a port, NULL when there is no such UART. Not counted: ports stay. */
struct tty *
serial_port(uint32_t index)
{
	return index < PORTS && ports[index].present ? &ports[index].tty : NULL;
}

static int
serial_open(struct inode *i, struct file *f)
{
	struct tty *t = serial_port(DEV_MINOR(i->rdev) - MINOR_TTYS);

	return t ? tty_open_file(t, f) : -ENODEV;
}

/* A UART keeps what is written to its scratch register. */
static bool
probe(const struct serial_port *p)
{
	reg_write(p, UART_SCR, 0x5a);
	if (reg_read(p, UART_SCR) != 0x5a)
		return false;
	reg_write(p, UART_SCR, 0xa5);
	return reg_read(p, UART_SCR) == 0xa5;
}

static void
port_start(struct serial_port *p, uint32_t index)
{
	char name[8];

	p->base = places[index].base;
	p->irq = places[index].irq;
	spin_init(&p->lock, LOCK_DEVICE);
	continuation_init(&p->feed, feed_discipline);
	tty_setup(&p->tty, &serial_driver, index, DEV(MAJOR_TTYS, MINOR_TTYS + index));
	p->tty.termios.cflag = B115200 | CS8 | CREAD | HUPCL | CLOCAL;
	p->tty.ispeed = p->tty.ospeed = UART_CLOCK;
	if (!probe(p))
		return;
	p->present = true;
	reg_write(p, UART_FCR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_14);
	reg_write(p, UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	reg_write(p, UART_IER, IER_RX);
	snprintf(name, sizeof(name), "ttyS%u", index);
	chrdev_register(name, p->tty.device, 0600, &tty_file_ops, serial_open);
}

void
serial_init(void)
{
	for (uint32_t i = 0; i < PORTS; i++)
		port_start(&ports[i], i);
	for (uint8_t irq = 3; irq <= 4; irq++)
		if (arch_irq_isa_register(irq, serial_interrupt, (void *)(uintptr_t)irq, irq == 4 ? "ttyS0" : "ttyS1") != 0)
			pr_warn("serial: interrupt %u is taken", irq);
	if (kdb_wants_watch() && cpu_count > 1 && ports[0].present) {
		timer_init(&watch, watch_console);
		preempt_disable();
		arch_call_cpus(BIT(1), start_watch, NULL);
		if (this_cpu()->id == 1)
			start_watch(NULL);
		preempt_enable();
	}
}
