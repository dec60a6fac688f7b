/* SPDX-License-Identifier: MIT */
/*
 * tty.c - terminals as open files: reading, writing, readiness, hang-up; /dev/tty and /dev/console.
 *
 * A read or write that must wait sleeps on read_wait or write_wait with no lock held and looks again
 * under tty->lock. A hung-up terminal stays so until it is opened anew: reads find the end, writes
 * fail with EIO.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/string.h>

#include "tty_private.h"

#define CHUNK 256 /* bytes moved between a ring and a program at a time, through the stack */

#define MAJOR_TTY_AUX 5

const struct termios termios_default = {
	.iflag = ICRNL | IXON,
	.oflag = OPOST | ONLCR,
	.cflag = B38400 | CS8 | CREAD | HUPCL,
	.lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
	.cc = {
		[VINTR] = 'C' & 0x1f, [VQUIT] = '\\' & 0x1f, [VERASE] = 0x7f, [VKILL] = 'U' & 0x1f,
		[VEOF] = 'D' & 0x1f, [VMIN] = 1, [VSTART] = 'Q' & 0x1f, [VSTOP] = 'S' & 0x1f,
		[VSUSP] = 'Z' & 0x1f, [VREPRINT] = 'R' & 0x1f, [VDISCARD] = 'O' & 0x1f,
		[VWERASE] = 'W' & 0x1f, [VLNEXT] = 'V' & 0x1f,
	},
};

void
tty_setup(struct tty *t, const struct tty_driver *driver, uint32_t index, dev_t device)
{
	ref_init(&t->refs);
	t->driver = driver;
	t->index = index;
	t->device = device;
	spin_init(&t->lock, LOCK_TTY_BUFFER);
	t->termios = termios_default;
	t->ispeed = t->ospeed = 38400;
	wait_queue_init(&t->read_wait);
	async_list_init(&t->async);
	wait_queue_init(&t->write_wait);
	wait_queue_init(&t->master_wait);
}

void
tty_get(struct tty *t)
{
	ref_get(&t->refs);
}

void
tty_put(struct tty *t)
{
	if (ref_put(&t->refs) && t->driver->release)
		t->driver->release(t);
}

/* Linux's encoding of a device number in /proc/PID/stat and st_rdev's low half. */
uint32_t
tty_device_number(struct tty *t)
{
	uint32_t minor = DEV_MINOR(t->device);

	return (minor & 0xff) | DEV_MAJOR(t->device) << 8 | (minor & ~0xffu) << 12;
}

/* --- moving bytes ------------------------------------------------------------------------------- */

void
tty_after_input(struct tty *t, const struct tty_after *after)
{
	for (uint32_t i = 0; i < after->signal_count; i++)
		job_signal_foreground(t, after->signals[i]);
	if (after->wake_readers) {
		wake_poll(&t->read_wait, POLLIN | POLLRDNORM);
		async_tell(&t->async, ASYNC_IN);
	}
	if (after->wake_writers)
		wake_poll(&t->write_wait, POLLOUT | POLLWRNORM);
	if (after->wake_master)
		wake_poll(&t->master_wait, POLLIN | POLLRDNORM | POLLPRI | POLLOUT | POLLWRNORM);
}

size_t
tty_input(struct tty *t, const uint8_t *bytes, size_t n)
{
	struct tty_after after = { .signal_count = 0 };
	size_t done = 0;
	uint64_t flags;

	flags = spin_lock_irq(&t->lock);
	while (done < n && after.signal_count < ARRAY_SIZE(after.signals)) {
		if (discipline_input_room(t) == 0) {
			t->input_was_full = true;
			break;
		}
		discipline_input(t, bytes[done++], &after);
	}
	t->driver->start_output(t);
	spin_unlock_irq(&t->lock, flags);
	tty_after_input(t, &after);
	return done;
}

/* Take what can be read now. Returns bytes; *end: a line's end or the end of file came with it. */
static size_t
take_input(struct tty *t, uint8_t *buf, size_t n, bool *end)
{
	bool made_room = false;
	uint64_t flags = spin_lock_irq(&t->lock);
	size_t got;

	*end = false;
	got = discipline_read(t, buf, n, end);
	if ((got > 0 || *end) && t->input_was_full) {
		t->input_was_full = false;
		made_room = true;
	}
	spin_unlock_irq(&t->lock, flags);
	if (made_room) {
		wake_poll(&t->master_wait, POLLOUT | POLLWRNORM);
		if (t->driver->input_room)
			t->driver->input_room(t);
	}
	return got;
}

static bool
readable(struct tty *t, uint32_t at_least)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool yes = discipline_readable(t, at_least);

	spin_unlock_irq(&t->lock, flags);
	return yes;
}

static struct termios
settings(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	struct termios set = t->termios;

	spin_unlock_irq(&t->lock, flags);
	return set;
}

/*
 * read(2). The four cases of VMIN and VTIME without canonical mode are termios(3)'s: VMIN and VTIME
 * both set make VTIME the longest gap between bytes, VTIME alone the time to the first byte.
 */
ssize_t
tty_read(struct tty *t, struct iov_iter *to, bool nonblock)
{
	size_t wanted = to->count;
	uint8_t buf[CHUNK];
	ssize_t done = 0;

	if (wanted == 0)
		return 0;
	for (;;) {
		struct termios set = settings(t);
		bool canonical = (set.lflag & ICANON) && !(set.lflag & EXTPROC);
		size_t vmin = canonical ? 1 : set.cc[VMIN];
		uint64_t gap = canonical ? 0 : set.cc[VTIME] * 100 * NSEC_PER_MSEC;
		deadline_t until = DEADLINE_NEVER;
		bool end;
		size_t got;
		int error;

		if (t->hung_up)
			return done;
		error = job_check_read(t);
		if (error)
			return done > 0 ? done : error;
		got = take_input(t, buf, MIN(sizeof(buf), to->count), &end);
		if (got > 0) {
			size_t copied = iov_copy_to(to, buf, got);

			done += (ssize_t)copied;
			if (copied < got)
				return done > 0 ? done : -EFAULT;
		}
		if (end || to->count == 0)
			return done;
		if (got == sizeof(buf))
			continue;
		if (vmin == 0 ? done > 0 || gap == 0 : (size_t)done >= MIN(vmin, wanted))
			return done;
		if (nonblock)
			return done > 0 ? done : -EAGAIN;
		if (gap && (vmin == 0 || done > 0))
			until = deadline_after(gap);
		error = wait_event_deadline(&t->read_wait, readable(t, 1) || t->hung_up,
					    WAIT_INTERRUPTIBLE, until);
		if (error == -ETIMEDOUT)
			return done;
		if (error)
			return done > 0 ? done : -ERESTARTSYS;
	}
}

/* Put as much as fits. Returns bytes taken. */
static size_t
put_output(struct tty *t, const uint8_t *bytes, size_t n)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	size_t done = 0;

	while (done < n && !t->stopped && discipline_output(t, bytes[done]))
		done++;
	if (done > 0)
		t->driver->start_output(t);
	spin_unlock_irq(&t->lock, flags);
	return done;
}

static bool
writer_enter(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool mine = !t->writing;

	t->writing = true;
	spin_unlock_irq(&t->lock, flags);
	return mine;
}

static void
writer_leave(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);

	t->writing = false;
	spin_unlock_irq(&t->lock, flags);
	wake_all(&t->write_wait);
}

static bool
writable(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool yes = !t->stopped && discipline_output_room(t) >= 8;

	spin_unlock_irq(&t->lock, flags);
	return yes;
}

/* The output side lost its reader: nobody will ever make room. */
static bool
output_dead(struct tty *t)
{
	return t->hung_up || (t->node && !t->master_open);
}

static ssize_t
write_locked(struct tty *t, struct iov_iter *from, bool nonblock)
{
	uint8_t buf[CHUNK];
	ssize_t done = 0;

	while (from->count > 0) {
		size_t n = MIN(sizeof(buf), from->count);
		size_t got = iov_copy_from(buf, from, n), put = 0;

		if (got == 0)
			return done > 0 ? done : -EFAULT;
		while (put < got) {
			size_t now;
			int error;

			if (output_dead(t))
				return done > 0 ? done : -EIO;
			now = put_output(t, buf + put, got - put);
			put += now;
			done += (ssize_t)now;
			if (put == got)
				break;
			if (nonblock) {
				iov_revert(from, got - put);
				return done > 0 ? done : -EAGAIN;
			}
			error = wait_event_interruptible(&t->write_wait, writable(t) || output_dead(t));
			if (error) {
				iov_revert(from, got - put);
				return done > 0 ? done : -ERESTARTSYS;
			}
		}
	}
	return done;
}

/* write(2): one writer at a time, so that the bytes of a call stay together. */
ssize_t
tty_write(struct tty *t, struct iov_iter *from, bool nonblock)
{
	ssize_t r;
	int error = job_check_write(t);

	if (error)
		return error;
	if (output_dead(t))
		return -EIO;
	if (nonblock) {
		if (!writer_enter(t))
			return -EAGAIN;
	} else if (wait_event_interruptible(&t->write_wait, writer_enter(t))) {
		return -ERESTARTSYS;
	}
	r = write_locked(t, from, nonblock);
	writer_leave(t);
	return r;
}

static bool
is_drained(struct tty *t)
{
	if (t->hung_up)
		return true;
	if (READ_ONCE(t->output_head) != READ_ONCE(t->output_tail))
		return false;
	return !t->driver->drained || t->driver->drained(t);
}

/* tcdrain(3). 0 or -ERESTARTSYS. */
int
tty_wait_drained(struct tty *t)
{
	/* a pty's output counts as sent when it is in the ring, as on Linux */
	if (t->node)
		return 0;
	while (!is_drained(t)) {
		int error = wait_event_deadline(&t->write_wait, is_drained(t), WAIT_INTERRUPTIBLE,
						deadline_after(NSEC_PER_MSEC));

		if (error && error != -ETIMEDOUT)
			return -ERESTARTSYS;
	}
	return 0;
}

/* --- files -------------------------------------------------------------------------------------- */

static struct tty *
file_tty(struct file *f)
{
	return f->private;
}

ssize_t
tty_stamp(struct timespec64 *time, ssize_t n)
{
	int64_t now = inode_now().tv_sec;

	if (n > 0 && ((now ^ READ_ONCE(time->tv_sec)) & ~7ll))
		WRITE_ONCE(time->tv_sec, now);
	return n;
}

static ssize_t
tty_file_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return tty_stamp(&f->inode->accessed, tty_read(file_tty(f), to, file_may_not_wait(f, rw_flags)));
}

static ssize_t
tty_file_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return tty_stamp(&f->inode->modified, tty_write(file_tty(f), from, file_may_not_wait(f, rw_flags)));
}

static uint32_t
tty_file_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = file_tty(f);
	uint32_t events = 0, at_least;
	uint64_t flags;

	poll_wait(pt, f, &t->read_wait);
	poll_wait(pt, f, &t->write_wait);
	flags = spin_lock_irq(&t->lock);
	at_least = t->termios.cc[VTIME] ? 1 : t->termios.cc[VMIN];
	if (discipline_readable(t, at_least))
		events |= POLLIN | POLLRDNORM;
	if (t->hung_up)
		events |= POLLHUP | POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;
	if (t->node && !t->master_open)
		events |= POLLHUP;
	if (!t->stopped && discipline_output_room(t) >= 256)
		events |= POLLOUT | POLLWRNORM;
	spin_unlock_irq(&t->lock, flags);
	return events;
}

static long
tty_file_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	return tty_ioctl(file_tty(f), f, command, arg);
}

/* The terminal side was opened as `f`: 0, -EIO (no master), -EBUSY (exclusive). */
int
tty_open_file(struct tty *t, struct file *f)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	int error = 0;

	if (t->node && !t->master_open)
		error = -EIO;
	else if (t->node && t->locked)
		error = -EIO;
	else if (t->exclusive && !capable(CAP_SYS_ADMIN))
		error = -EBUSY;
	else {
		t->opened++;
		t->was_opened = true;
		t->hung_up = false;
	}
	spin_unlock_irq(&t->lock, flags);
	if (error)
		return error;
	tty_get(t);
	f->private = t;
	file_set_ops(f, &tty_file_ops);
	f->mode = (f->mode | FILE_STREAM) & ~FILE_SEEKABLE;
	if (!(f->flags & O_NOCTTY) && (f->mode & FILE_READ))
		job_take_terminal_on_open(t);
	return 0;
}

static void
tty_file_release(struct file *f)
{
	struct tty *t = file_tty(f);
	uint64_t flags;
	bool last;

	if (!t)
		return;
	flags = spin_lock_irq(&t->lock);
	last = --t->opened == 0;
	if (last)
		t->exclusive = false;
	spin_unlock_irq(&t->lock, flags);
	if (last)
		wake_poll(&t->master_wait, POLLHUP | POLLIN);
	tty_put(t);
}

static void
tty_file_dump(struct file *f)
{
	struct tty *t = file_tty(f);

	pr_info("tty %s%u: session %d, foreground %d, input %u, output %u%s%s", t->driver->name, t->index,
		t->session, t->foreground, t->head - t->tail, t->output_head - t->output_tail,
		t->stopped ? ", stopped" : "", t->hung_up ? ", hung up" : "");
}

static struct async_list *
tty_file_async(struct file *f)
{
	return &file_tty(f)->async;
}

const struct file_ops tty_file_ops = {
	.async = tty_file_async,
	.name = "tty",
	.read = tty_file_read,
	.write = tty_file_write,
	.poll = tty_file_poll,
	.ioctl = tty_file_ioctl,
	.release = tty_file_release,
	.dump = tty_file_dump,
};

/* The line is gone: who reads finds the end, who writes EIO, who controls gets SIGHUP. */
void
tty_hang_up(struct tty *t)
{
	struct tty_after after = { .wake_readers = true, .wake_writers = true, .wake_master = true };
	uint64_t flags = spin_lock_irq(&t->lock);

	t->hung_up = true;
	discipline_flush_input(t, &after);
	discipline_flush_output(t, &after);
	spin_unlock_irq(&t->lock, flags);
	job_hang_up(t);
	tty_after_input(t, &after);
	wake_poll(&t->read_wait, POLLHUP | POLLIN);
	wake_poll(&t->write_wait, POLLHUP | POLLOUT);
}

void
tty_hang_up_current(void)
{
	struct tty *t = job_current_terminal();

	if (!t)
		return;
	tty_hang_up(t);
	tty_put(t);
}

/* --- /dev/tty, /dev/console --------------------------------------------------------------------- */

static int
open_current_terminal(struct inode *i, struct file *f)
{
	struct tty *t = job_current_terminal();
	int error;

	if (!t)
		return -ENXIO;
	error = tty_open_file(t, f);
	tty_put(t);
	return error;
}

static int
open_console(struct inode *i, struct file *f)
{
	struct tty *t = serial_port(0);

	if (!t)
		return -ENODEV;
	f->flags |= O_NOCTTY;
	return tty_open_file(t, f);
}

void
tty_init(void)
{
	serial_init();
	devpts_init();
	chrdev_register("tty", DEV(MAJOR_TTY_AUX, 0), 0666, &tty_file_ops, open_current_terminal);
	chrdev_register("console", DEV(MAJOR_TTY_AUX, 1), 0600, &tty_file_ops, open_console);
	chrdev_register("ptmx", DEV(MAJOR_TTY_AUX, 2), 0666, &tty_file_ops, pty_open_master);
}
