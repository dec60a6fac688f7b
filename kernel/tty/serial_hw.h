/* SPDX-License-Identifier: MIT */
/*
 * serial_hw.h - registers of the 16550 UART (PC16550D data sheet, section 8).
 */
#ifndef SERIAL_HW_H
#define SERIAL_HW_H

#define UART_DATA 0       /* read: receiver buffer, write: transmitter holding */
#define UART_IER  1       /* interrupt enable */
#define IER_RX    0x01
#define IER_TX    0x02
#define UART_IIR  2       /* read: interrupt identification */
#define IIR_NONE  0x01
#define UART_FCR  2       /* write: FIFO control */
#define FCR_ENABLE 0x01
#define FCR_CLEAR 0x06
#define FCR_TRIGGER_14 0xc0
#define UART_LCR  3       /* line control */
#define LCR_8N1   0x03
#define LCR_DLAB  0x80    /* registers 0 and 1 are the divisor */
#define UART_MCR  4       /* modem control */
#define MCR_DTR   0x01
#define MCR_RTS   0x02
#define MCR_OUT2  0x08    /* lets the interrupt out on a PC */
#define UART_LSR  5       /* line status */
#define LSR_DATA  0x01
#define LSR_BREAK 0x10
#define LSR_THRE  0x20    /* holding register (with FIFO: FIFO) empty */
#define LSR_TEMT  0x40    /* and the shift register */
#define UART_SCR  7       /* scratch */

#define UART_FIFO_SIZE 16
#define UART_CLOCK     115200 /* divisor 1 */

#endif
