/* SPDX-License-Identifier: MIT */
/*
 * tty_private.h - a terminal, as its own room sees it.
 *
 * A tty is two rings and the line discipline between them:
 *
 *   keyboard, serial line, pty master --tty_input()--> [ input ring ] --read(2)--> program
 *                                          | echo
 *   screen, serial line, pty master  <----------- [ output ring ] <--write(2)-- program
 *
 * The device below is a struct tty_driver: a serial port drains the output ring in its interrupt, the
 * master of a pty drains it by read(2). tty_input() runs in a thread (it may send signals); an
 * interrupt handler hands its bytes over through a continuation.
 *
 * Locks: process_tree_lock guards who controls the terminal; then tty->lock everything else. Signals
 * are sent and pollers woken after tty->lock is dropped.
 */
#ifndef TTY_PRIVATE_H
#define TTY_PRIVATE_H

#include <tessera/async.h>
#include <tessera/atomic.h>
#include <tessera/file.h>
#include <tessera/lock.h>
#include <tessera/radix.h>
#include <tessera/tty.h>
#include <tessera/types.h>
#include <tessera/wait.h>

#include "termios.h"

#define TTY_RING 4096 /* also the longest canonical line, with its end */

struct filesystem;
struct inode;
struct path;
struct tty;

struct tty_driver {
	const char *name;                  /* "ttyS", "pts": with the index the terminal's name */
	/* The output ring has new bytes, or flow was resumed. tty->lock held. */
	void (*start_output)(struct tty *t);
	/* Room was made in the input ring that had been full. No lock held. May be empty. */
	void (*input_room)(struct tty *t);
	/* The settings changed: speed, bits. No lock held. May be empty. */
	void (*settings_changed)(struct tty *t);
	/* True once every byte handed to the device has left it. May be empty. */
	bool (*drained)(struct tty *t);
	void (*release)(struct tty *t);    /* the last reference is gone; may be empty */
};

/* What a signal-raising or status-changing input leaves to do after the lock is dropped. */
struct tty_after {
	int signals[4];
	uint32_t signal_count;
	bool wake_readers, wake_writers, wake_master;
};

/*
 * [I] immutable  [l] lock  [P] process_tree_lock  [a] atomic
 */
struct tty {
	struct refcount refs;
	const struct tty_driver *driver; /* [I] */
	uint32_t index;                  /* [I] */
	dev_t device;                    /* [I] */
	void *private;                   /* [I] the driver's */
	struct spinlock lock;            /* class TTY_BUFFER */
	struct termios termios;          /* [l] */
	struct termios termios_lock;     /* [l] what of termios stays as it is: bits set, characters not 0 */
	uint32_t ispeed, ospeed;         /* [l] */
	struct winsize size;             /* [l] */

	/* input: tail <= canon_head <= head, counted without wrapping */
	uint8_t input[TTY_RING];         /* [l] */
	uint64_t line_end[TTY_RING / 64]; /* [l] bit: a line ends with this byte */
	uint64_t line_eof[TTY_RING / 64]; /* [l] bit: that byte is VEOF's: it ends, but is not data */
	uint32_t head, canon_head, tail; /* [l] */
	bool literal_next;               /* [l] after VLNEXT */
	bool erasing_printed;            /* [l] ECHOPRT: between backslash and slash */
	bool throttled;                  /* [l] VSTOP was sent to the other side (IXOFF) */
	bool input_was_full;             /* [l] the driver waits for room */

	/* output */
	uint8_t output[TTY_RING];        /* [l] */
	uint32_t output_head, output_tail; /* [l] */
	uint32_t column;                 /* [l] of the cursor */
	uint32_t canon_column;           /* [l] where the line being typed began */
	bool stopped;                    /* [l] by VSTOP or TCOOFF */
	bool writing;                    /* [l] one write(2) at a time */

	struct async_list async;         /* whom to tell of input by signal */
	struct wait_queue read_wait, write_wait;
	struct wait_queue master_wait;   /* pty: readers and writers of the master */

	/* life */
	uint32_t opened;                 /* [l] open files of the terminal side */
	bool was_opened;                 /* [l] at least once */
	bool hung_up;                    /* [l] reads end, writes fail */
	bool exclusive;                  /* [l] TIOCEXCL */

	/* control */
	pid_t session;                   /* [P] 0: none */
	pid_t foreground;                /* [P] process group; 0: none */

	/* pty */
	bool master_open;                /* [l] */
	bool locked;                     /* [l] TIOCSPTLCK */
	bool packet;                     /* [l] TIOCPKT */
	uint8_t packet_status;           /* [l] */
	struct inode *node;              /* [I] devpts' inode, a reference while the master is open */
	struct filesystem *instance;     /* [I] of devpts, likewise */
};

/* tty.c */
void tty_setup(struct tty *t, const struct tty_driver *driver, uint32_t index, dev_t device);
int tty_open_file(struct tty *t, struct file *f);
void tty_hang_up(struct tty *t);
extern const struct file_ops tty_file_ops;
extern const struct termios termios_default;
static inline uint32_t
ring_at(uint32_t n)
{
	return n % TTY_RING;
}
/* Do what the line discipline left over. No locks held. */
void tty_after_input(struct tty *t, const struct tty_after *after);
ssize_t tty_read(struct tty *t, struct iov_iter *to, bool nonblock);
ssize_t tty_write(struct tty *t, struct iov_iter *from, bool nonblock);
/*
 * n bytes were read or written by a file whose inode has this time for it: it is now, if that is another eight seconds,
 * so that a terminal's times do not tell how somebody types. Returns n; of no bytes and errors nothing is told.
 */
ssize_t tty_stamp(struct timespec64 *time, ssize_t n);
int tty_wait_drained(struct tty *t);

/* line_discipline.c: all with tty->lock held unless said */
void discipline_input(struct tty *t, uint8_t c, struct tty_after *after);
uint32_t discipline_input_room(const struct tty *t);
bool discipline_readable(const struct tty *t, uint32_t at_least);
size_t discipline_read(struct tty *t, uint8_t *out, size_t n, bool *line_done);
bool discipline_output(struct tty *t, uint8_t c);
uint32_t discipline_output_room(const struct tty *t);
void discipline_flush_input(struct tty *t, struct tty_after *after);
void discipline_flush_output(struct tty *t, struct tty_after *after);
void discipline_settings_changed(struct tty *t, const struct termios *old);
void discipline_set_stopped(struct tty *t, bool stopped, struct tty_after *after);
bool discipline_put_raw(struct tty *t, uint8_t c);
/* Feed `n` bytes from a thread, as many as fit. Takes the lock. Returns bytes taken. */
size_t tty_input(struct tty *t, const uint8_t *bytes, size_t n);

/* job_control.c */
int job_check_read(struct tty *t);
int job_check_write(struct tty *t);
int job_check_change(struct tty *t);
void job_signal_foreground(struct tty *t, int signo);
int job_take_terminal(struct tty *t, bool steal);
void job_take_terminal_on_open(struct tty *t);
int job_give_up_terminal(struct tty *t);
int job_set_foreground(struct tty *t, pid_t pgid);
bool job_is_controlling(struct tty *t);
struct tty *job_current_terminal(void);
void job_hang_up(struct tty *t);

/* settings.c */
long tty_ioctl(struct tty *t, struct file *f, unsigned int command, uintptr_t arg);

/* pty.c, devpts.c, serial.c */
void devpts_init(void);
int pty_open_master(struct inode *i, struct file *f);

/* The terminals of one instance of devpts by number. Holds no references: an entry goes before its terminal. */
struct pty_table {
	struct radix_tree by_number; /* pty.c's table_lock: struct tty * */
	uint32_t count;              /* table_lock */
};
void pty_table_init(struct pty_table *p);
struct tty *pty_find(struct pty_table *p, uint32_t index); /* with a reference, or NULL */
uint32_t pty_next(struct pty_table *p, uint32_t index); /* the smallest in use >= index, or UINT32_MAX */

/* The root of the instance that the file ptmx makes terminals of, with references. 0, -ENODEV. */
int devpts_find(const struct path *ptmx, struct path *root);
struct pty_table *devpts_table(struct filesystem *fs);
uint32_t devpts_limit(struct filesystem *fs); /* how many terminals it may have */
/* The inode of a new pty, owned as the mount's options say. NULL: no memory. */
struct inode *devpts_node_create(struct filesystem *fs, struct tty *t);
void serial_init(void);
struct tty *serial_port(uint32_t index);

#endif
