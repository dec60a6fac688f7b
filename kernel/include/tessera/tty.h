/* SPDX-License-Identifier: MIT */
/*
 * tty.h - terminals: one line discipline over serial ports, pseudo-terminals and the console.
 */
#ifndef TESSERA_TTY_H
#define TESSERA_TTY_H

#include <tessera/types.h>

struct process;
struct tty;

void tty_init(void);      /* /dev/tty, /dev/console, ptys (/dev/ptmx, devpts), serial ttyS0..3 */
void tty_get(struct tty *t);
void tty_put(struct tty *t);
/* "tty4:64"-like number for /proc/PID/stat; 0: none. */
uint32_t tty_device_number(struct tty *t);
/* The foreground group, for /proc/PID/stat's tpgid; -1: none. */
/* vhangup: the terminal of the caller's session, if it has one, for all who have it open. */
void tty_hang_up_current(void);
int32_t tty_foreground_group(struct tty *t);
/* The session leader ends: hang up its terminal, SIGHUP and SIGCONT to the foreground group.
 * No locks held. */
void tty_session_ended(struct tty *t, int32_t sid);

#endif
