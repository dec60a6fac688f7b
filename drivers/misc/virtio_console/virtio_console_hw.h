/* SPDX-License-Identifier: MIT */
/* virtio_console_hw.h - the console device: VIRTIO 1.1, section 5.3. */
#ifndef VIRTIO_CONSOLE_HW_H
#define VIRTIO_CONSOLE_HW_H

/* Features: 5.3.3. Bits. */
#define VIRTIO_CONSOLE_SIZE 0

/* Queues of port 0: 5.3.2. */
#define VIRTIO_CONSOLE_RECEIVE	0
#define VIRTIO_CONSOLE_TRANSMIT 1

/* The device's configuration: 5.3.4. */
#define VIRTIO_CONSOLE_COLS 0 /* 16 */
#define VIRTIO_CONSOLE_ROWS 2 /* 16 */

#endif
