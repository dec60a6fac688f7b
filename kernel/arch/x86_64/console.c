/* SPDX-License-Identifier: MIT */
/*
 * console.c - where the kernel's log goes before, beside and after everything else: the first serial
 * port, polled, and the framebuffer if the boot loader set one up. No memory is allocated and no
 * interrupt is needed; the caller (the log, or a panic) keeps two writers apart.
 */
#include <tessera/arch.h>
#include <tessera/arch/port.h>

#include "platform.h"

/* 16550 registers, offsets from the base port. */
#define COM1            0x3f8
#define UART_DATA       0
#define UART_INTERRUPTS 1
#define UART_FIFO       2
#define UART_LINE       3
#define UART_MODEM      4
#define UART_STATUS     5
#define UART_SCRATCH    7

#define LINE_8N1        0x03
#define LINE_DIVISOR    0x80
#define FIFO_ENABLE     0x07 /* and clear both */
#define MODEM_READY     0x0b /* DTR, RTS, OUT2 (gates the interrupt line) */
#define STATUS_DATA     0x01
#define STATUS_EMPTY    0x20
#define STATUS_SENT     0x40 /* and the last byte has left */
#define FIFO_SIZE       16
#define DIVISOR_115200  1

/* A port that never empties must not stop the kernel. */
#define SPIN_LIMIT 1000000

static bool serial_present; /* [I] after console_init_early() */

void
console_init_early(void)
{
	port_write8(COM1 + UART_SCRATCH, 0x5a);
	if (port_read8(COM1 + UART_SCRATCH) != 0x5a)
		return;
	port_write8(COM1 + UART_INTERRUPTS, 0);
	port_write8(COM1 + UART_LINE, LINE_DIVISOR);
	port_write8(COM1 + UART_DATA, DIVISOR_115200);
	port_write8(COM1 + UART_INTERRUPTS, 0);
	port_write8(COM1 + UART_LINE, LINE_8N1);
	port_write8(COM1 + UART_FIFO, FIFO_ENABLE);
	port_write8(COM1 + UART_MODEM, MODEM_READY);
	serial_present = true;
}

/* Wait until the transmitter is in `state`: after STATUS_EMPTY, FIFO_SIZE bytes fit. */
static void
serial_drain(uint8_t state)
{
	for (uint32_t i = 0; i < SPIN_LIMIT; i++) {
		if (port_read8(COM1 + UART_STATUS) & state)
			return;
		arch_cpu_relax();
	}
	serial_present = false;
}

void
serial_write(const char *s, size_t n)
{
	size_t room = 0;

	for (size_t i = 0; i < n && serial_present; i++) {
		bool newline = s[i] == '\n';

		if (room < 2) {
			serial_drain(STATUS_EMPTY);
			room = FIFO_SIZE;
		}
		if (newline)
			port_write8(COM1 + UART_DATA, '\r');
		port_write8(COM1 + UART_DATA, (uint8_t)s[i]);
		room -= newline ? 2 : 1;
	}
}

int
arch_console_read(void)
{
	if (!serial_present || !(port_read8(COM1 + UART_STATUS) & STATUS_DATA))
		return -1;
	return port_read8(COM1 + UART_DATA);
}

void
serial_flush(void)
{
	if (serial_present)
		serial_drain(STATUS_SENT);
}

void
arch_console_write(const char *s, size_t n)
{
	serial_write(s, n);
	framebuffer_write(s, n);
}
