/* SPDX-License-Identifier: MIT */
/*
 * ps2_hw.h - the keyboard controller (8042) and what is plugged into it. README.md names the specifications; "KBC" is
 * the controller's chapter, "KBD" and "MOUSE" those of the devices.
 */
#ifndef PS2_HW_H
#define PS2_HW_H

/* The device's ranges of ports: a byte each. */
#define PORT_DATA    0 /* 0x60 */
#define PORT_COMMAND 1 /* 0x64: written; the status when read */

/* Its lines. */
#define LINE_KEYBOARD 0 /* 1 */
#define LINE_MOUSE    1 /* 12 */

/* Status: KBC, "Status register". */
#define STATUS_OUTPUT  0x01 /* there is a byte to read */
#define STATUS_INPUT   0x02 /* the last one written has not been taken */
#define STATUS_MOUSE   0x20 /* the byte is the mouse's */
#define STATUS_TIMEOUT 0x40
#define STATUS_PARITY  0x80

/* Commands: KBC, "Commands". */
#define KBC_READ_CONFIG	  0x20
#define KBC_WRITE_CONFIG  0x60
#define KBC_MOUSE_OFF	  0xa7
#define KBC_MOUSE_ON	  0xa8
#define KBC_KEYBOARD_OFF  0xad
#define KBC_KEYBOARD_ON	  0xae
#define KBC_TO_MOUSE	  0xd4 /* the next byte written is for the mouse */

/* The configuration: KBC, "Controller command byte". */
#define CONFIG_KEYBOARD_IRQ 0x01
#define CONFIG_MOUSE_IRQ    0x02
#define CONFIG_KEYBOARD_OFF 0x10
#define CONFIG_MOUSE_OFF    0x20
#define CONFIG_TRANSLATE    0x40 /* scan codes of set 2 become those of set 1 */

/* What both devices answer, and take. */
#define ANSWER_ACK    0xfa
#define ANSWER_RESEND 0xfe
#define DEV_SET_RATE  0xf3 /* of reports, or of repeated keys; an argument */
#define DEV_ON	      0xf4
#define DEV_OFF	      0xf5
#define DEV_DEFAULTS  0xf6

/* The keyboard: KBD, "Commands from the system". */
#define KBD_LEDS      0xed /* an argument: */
#define KBD_LED_SCROLL 0x01
#define KBD_LED_NUM   0x02
#define KBD_LED_CAPS  0x04
#define KBD_SCAN_SET  0xf0 /* an argument */
#define KBD_SLOWEST   0x7f /* of DEV_SET_RATE: a second, then twice a second */

/* Scan codes: KBD, "Scan codes". */
#define SCAN_BREAK    0xf0 /* set 2: the key that follows went up */
#define SCAN_EXTENDED 0xe0
#define SCAN_PAUSE    0xe1 /* two codes follow, and that twice */
#define SCAN_UP	      0x80 /* set 1 */

/* The mouse: MOUSE, "Commands"; IntelliMouse, "Enabling the wheel". */
#define MOUSE_RESOLUTION 0xe8
#define MOUSE_ID	 0xf2
#define MOUSE_ID_WHEEL	 3
#define MOUSE_ID_BUTTONS 4

/* A packet: MOUSE, "Data report". Its first byte. */
#define PACKET_LEFT   0x01
#define PACKET_RIGHT  0x02
#define PACKET_MIDDLE 0x04
#define PACKET_ALWAYS 0x08
#define PACKET_X_SIGN 0x10
#define PACKET_Y_SIGN 0x20
/* The fourth, of a mouse with five buttons. */
#define PACKET_WHEEL  0x0f
#define PACKET_SIDE   0x10
#define PACKET_EXTRA  0x20

#endif
