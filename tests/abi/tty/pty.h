/* SPDX-License-Identifier: MIT */
/*
 * pty.h - a pseudo-terminal for a case to play with.
 *
 * The case types at the master and reads and writes the slave as a program would. What is typed
 * arrives on Linux a little later, so all looking is done with patience.
 */
#ifndef ABI_TTY_PTY_H
#define ABI_TTY_PTY_H

#include "../check.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

struct pty {
	int  master;
	int  slave;
	char name[64]; /* of the slave */
};

/* Open a pair; neither becomes a controlling terminal. */
void pty_open(struct pty *p);

/* Change the slave's modes: clear, then set. */
void pty_iflag(struct pty *p, tcflag_t clear, tcflag_t set);
void pty_oflag(struct pty *p, tcflag_t clear, tcflag_t set);
void pty_lflag(struct pty *p, tcflag_t clear, tcflag_t set);
void pty_cc(struct pty *p, int index, cc_t value);
/* Neither canonical, nor echo, nor signals, nor any translation; VMIN and VTIME as given. */
void pty_raw(struct pty *p, cc_t min, cc_t time);

/* Write to a descriptor all of a text. */
void pty_type(int fd, const char *text);

/* The next bytes of `fd` are exactly this text (within eight seconds). */
void pty_expect_at(const char *file, int line, int fd, const char *text, size_t size);
#define pty_expect(fd, text) pty_expect_at(__FILE__, __LINE__, fd, text, sizeof(text) - 1)

/* Nothing can be read from `fd`, now and for a little while. */
void pty_expect_nothing_at(const char *file, int line, int fd);
#define pty_expect_nothing(fd) pty_expect_nothing_at(__FILE__, __LINE__, fd)

/* Wait (for at most eight seconds) until `size` bytes can be read, by FIONREAD. */
void pty_settle(int fd, int size);

/*
 * Run `body` in a child that leads a session with the slave as its controlling terminal. The
 * child has closed the master, unless `keep_master`; it exits with 0 after `body`.
 */
pid_t pty_session(struct pty *p, void (*body)(struct pty *p), bool keep_master);

/* One byte from child to parent: "I am there". */
void pty_make_ready(void);
void pty_signal_ready(void);
void pty_wait_ready(void);

#endif
