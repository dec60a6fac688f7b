/* SPDX-License-Identifier: MIT */
/*
 * pty.c - pseudo-terminals: a terminal whose line is a program.
 *
 * Opening a ptmx makes terminal N of an instance of devpts and gives its master: what is written there is
 * typed, what the terminal prints is read there. The node N is the terminal itself, locked until TIOCSPTLCK
 * clears. When the master is closed the terminal is hung up and its number free; while no terminal file is
 * open the master reads EIO, as on Linux.
 *
 * The tables of numbers hold no reference: an entry is removed before the last reference goes.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/print.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/uaccess.h>

#include "tty_private.h"

#define MAJOR_PTS   136
#define PTY_MAX     4096 /* of all instances, as Linux's kernel.pty.max */
#define CHUNK       256

static struct mutex table_lock = MUTEX_INIT(table_lock, SLEEP_LEAF);
static uint32_t pty_count; /* table_lock: of all instances */

static void
pty_start_output(struct tty *t)
{
	if (t->output_head != t->output_tail || t->packet_status)
		wake_poll(&t->master_wait, POLLIN | POLLRDNORM);
}

static void
pty_release(struct tty *t)
{
	kfree(t);
}

static const struct tty_driver pty_driver = {
	.name = "pts/",
	.start_output = pty_start_output,
	.release = pty_release,
};

void
pty_table_init(struct pty_table *p)
{
	radix_init(&p->by_number);
	p->count = 0;
}

struct tty *
pty_find(struct pty_table *p, uint32_t index)
{
	struct tty *t;

	mutex_lock(&table_lock);
	t = radix_get(&p->by_number, index);
	if (t && !ref_get_unless_zero(&t->refs))
		t = NULL;
	mutex_unlock(&table_lock);
	return t;
}

uint32_t
pty_next(struct pty_table *p, uint32_t index)
{
	uint64_t at = index;
	bool found;

	mutex_lock(&table_lock);
	found = radix_next(&p->by_number, &at) != NULL;
	mutex_unlock(&table_lock);
	return found ? (uint32_t)at : UINT32_MAX;
}

/* The smallest free number of the instance becomes t's. 0, -ENOSPC, -ENOMEM. */
static int
number_take(struct filesystem *instance, struct tty *t, uint32_t *index)
{
	struct pty_table *p = devpts_table(instance);
	int error = -ENOSPC;
	uint64_t at;

	mutex_lock(&table_lock);
	if (pty_count < PTY_MAX && p->count < devpts_limit(instance) &&
	    radix_find_free(&p->by_number, 0, PTY_MAX - 1, &at)) {
		*index = (uint32_t)at;
		error = radix_set(&p->by_number, at, t, NULL);
	}
	if (!error) {
		p->count++;
		pty_count++;
	}
	mutex_unlock(&table_lock);
	return error;
}

static void
number_release(struct filesystem *instance, uint32_t index)
{
	struct pty_table *p = devpts_table(instance);

	mutex_lock(&table_lock);
	radix_remove(&p->by_number, index);
	p->count--;
	pty_count--;
	mutex_unlock(&table_lock);
}

/* --- the master --------------------------------------------------------------------------------- */

static struct tty *
master_tty(struct file *f)
{
	return f->private;
}

/* One status byte when packet mode has news, else data (led by a zero byte in packet mode). */
static size_t
take_output(struct tty *t, uint8_t *buf, size_t n)
{
	struct tty_after after = { .signal_count = 0 };
	uint64_t flags = spin_lock_irq(&t->lock);
	size_t got = 0;

	if (t->packet && t->packet_status) {
		buf[got++] = t->packet_status;
		t->packet_status = 0;
	} else {
		bool header = t->packet && t->output_head != t->output_tail;

		if (header)
			buf[got++] = 0;
		while (got < n && t->output_tail != t->output_head)
			buf[got++] = t->output[ring_at(t->output_tail++)];
		after.wake_writers = got > 0;
	}
	spin_unlock_irq(&t->lock, flags);
	tty_after_input(t, &after);
	return got;
}

static bool
master_readable(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool yes = t->output_head != t->output_tail || (t->packet && t->packet_status);

	spin_unlock_irq(&t->lock, flags);
	return yes;
}

/* A terminal that was open and no longer is: its side is closed. */
static bool
terminal_closed(struct tty *t)
{
	return READ_ONCE(t->opened) == 0 && READ_ONCE(t->was_opened);
}

/*
 * What the terminal prints, waited for if it must be. Bytes (in packet mode of one packet), or nothing was taken:
 * -EIO, the terminal was closed and all that it printed is read; -EAGAIN, -ERESTARTSYS; -EFAULT, what did not fit into
 * the program's memory is lost.
 */
static ssize_t
take_waiting(struct tty *t, struct file *f, struct iov_iter *to, uint32_t rw_flags)
{
	uint8_t buf[CHUNK];
	ssize_t done = 0;

	if (to->count == 0)
		return 0;
	for (;;) {
		size_t got = take_output(t, buf, MIN(sizeof(buf), to->count));

		if (got > 0) {
			size_t copied = iov_copy_to(to, buf, got);

			done += (ssize_t)copied;
			if (copied < got)
				return done > 0 ? done : -EFAULT;
			if (to->count > 0 && got == sizeof(buf) && !t->packet)
				continue;
		}
		if (done > 0)
			return done;
		if (terminal_closed(t) && !master_readable(t))
			return -EIO;
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&t->master_wait, master_readable(t) || terminal_closed(t)))
			return -ERESTARTSYS;
	}
}

static bool
input_has_room(struct tty *t)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	bool yes = discipline_input_room(t) > 0;

	if (!yes)
		t->input_was_full = true;
	spin_unlock_irq(&t->lock, flags);
	return yes;
}

/*
 * Types what the program wrote, as the discipline has room for it. Bytes typed, and `from` stands behind them; or none
 * was: -EIO, the terminal is closed; -EAGAIN, -ERESTARTSYS, -EFAULT.
 */
static ssize_t
type_waiting(struct tty *t, struct file *f, struct iov_iter *from, uint32_t rw_flags)
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

			if (terminal_closed(t)) {
				iov_revert(from, got - put);
				return done > 0 ? done : -EIO;
			}
			now = tty_input(t, buf + put, got - put);
			put += now;
			done += (ssize_t)now;
			if (put == got)
				break;
			if (now > 0)
				continue;
			if (file_may_not_wait(f, rw_flags)) {
				iov_revert(from, got - put);
				return done > 0 ? done : -EAGAIN;
			}
			if (wait_event_interruptible(&t->master_wait,
						     input_has_room(t) || terminal_closed(t))) {
				iov_revert(from, got - put);
				return done > 0 ? done : -ERESTARTSYS;
			}
		}
	}
	return done;
}

static ssize_t
master_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	return tty_stamp(&f->inode->accessed, take_waiting(master_tty(f), f, to, rw_flags));
}

static ssize_t
master_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	return tty_stamp(&f->inode->modified, type_waiting(master_tty(f), f, from, rw_flags));
}

static uint32_t
master_poll(struct file *f, struct poll_table *pt)
{
	struct tty *t = master_tty(f);
	uint32_t events = 0;
	uint64_t flags;

	poll_wait(pt, f, &t->master_wait);
	flags = spin_lock_irq(&t->lock);
	if (t->output_head != t->output_tail)
		events |= POLLIN | POLLRDNORM;
	if (t->packet && t->packet_status)
		events |= POLLPRI | POLLIN | POLLRDNORM;
	if (discipline_input_room(t) > 0)
		events |= POLLOUT | POLLWRNORM;
	else
		t->input_was_full = true;
	spin_unlock_irq(&t->lock, flags);
	if (terminal_closed(t))
		events |= POLLHUP;
	return events;
}

/* TIOCGPTPEER: the terminal's own file, by the node beside the master's ptmx, whatever is mounted over its name. */
static long
open_peer(struct tty *t, struct file *master, uint32_t open_flags)
{
	struct path ptmx = { master->mount, master->dentry }, root;
	int error = devpts_find(&ptmx, &root);
	char name[12];
	struct file *f;
	int fd;

	if (error)
		return error;
	snprintf(name, sizeof(name), "%u", t->index);
	error = root.dentry->fs == t->instance ? vfs_open_child(&root, name, open_flags, &f) : -ENODEV;
	path_put(&root);
	if (error)
		return error;
	fd = handle_open(f, handle_rights_of(f), open_flags & O_CLOEXEC);
	if (fd < 0)
		file_put(f);
	return fd;
}

static long
set_flag(struct tty *t, bool *flag, const int32_t __user *arg)
{
	uint64_t flags;
	int32_t on;

	if (get_user(on, arg))
		return -EFAULT;
	flags = spin_lock_irq(&t->lock);
	*flag = on != 0;
	if (flag == &t->packet)
		t->packet_status = 0;
	spin_unlock_irq(&t->lock, flags);
	return 0;
}

static long
master_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct tty *t = master_tty(f);
	int32_t __user *p = (int32_t __user *)arg;
	uint64_t flags;
	uint32_t n;

	switch (command) {
	case TIOCGPTN: return put_user(t->index, (uint32_t __user *)p);
	case TIOCSPTLCK: return set_flag(t, &t->locked, p);
	case TIOCGPTLCK: return put_user((int32_t)t->locked, p);
	case TIOCPKT: return set_flag(t, &t->packet, p);
	case TIOCGPKT: return put_user((int32_t)t->packet, p);
	case TIOCGPTPEER: return open_peer(t, f, (uint32_t)arg);
	case TIOCINQ:
		flags = spin_lock_irq(&t->lock);
		n = t->output_head - t->output_tail;
		spin_unlock_irq(&t->lock, flags);
		return put_user((int32_t)n, p);
	case TIOCSIG: /* raise a signal in the foreground group */
		if ((int)arg != SIGINT && (int)arg != SIGQUIT && (int)arg != SIGTSTP)
			return -EINVAL;
		job_signal_foreground(t, (int)arg);
		return 0;
	default: return tty_ioctl(t, f, command, arg);
	}
}

static void
master_release(struct file *f)
{
	struct tty *t = master_tty(f);
	uint64_t flags;

	if (!t)
		return;
	flags = spin_lock_irq(&t->lock);
	t->master_open = false;
	spin_unlock_irq(&t->lock, flags);
	inode_put(t->node);
	number_release(t->instance, t->index);
	filesystem_put(t->instance);
	tty_hang_up(t);
	tty_put(t);
}

static void
master_dump(struct file *f)
{
	tty_file_ops.dump(f);
}

static const struct file_ops master_ops = {
	.name = "ptmx",
	.read = master_read,
	.write = master_write,
	.poll = master_poll,
	.ioctl = master_ioctl,
	.release = master_release,
	.dump = master_dump,
};

/* A new terminal of `instance`, whose reference it takes over when it succeeds. 0, -ENOMEM, -ENOSPC. */
static int
pty_create(struct filesystem *instance, struct tty **out)
{
	struct tty *t = kzalloc(sizeof(*t));
	uint32_t index;
	int error;

	if (!t)
		return -ENOMEM;
	tty_setup(t, &pty_driver, 0, 0);
	t->termios.cflag = B38400 | CS8 | CREAD;
	t->locked = true;
	t->master_open = true;
	error = number_take(instance, t, &index);
	if (error)
		goto free;
	t->index = index;
	t->device = DEV(MAJOR_PTS, index);
	t->instance = instance;
	t->node = devpts_node_create(instance, t);
	if (t->node) {
		*out = t;
		return 0;
	}
	error = -ENOMEM;
	number_release(instance, index);
free:
	kfree(t);
	return error;
}

/* open of a ptmx. 0, -ENODEV: no devpts belongs to it, -ENOMEM, -ENOSPC. */
int
pty_open_master(struct inode *i, struct file *f)
{
	struct path ptmx = { f->mount, f->dentry }, root;
	struct tty *t;
	int error = devpts_find(&ptmx, &root);

	if (error)
		return error;
	ref_get(&root.dentry->fs->refs);
	error = pty_create(root.dentry->fs, &t);
	if (error) {
		filesystem_put(root.dentry->fs);
	} else {
		f->private = t;
		file_set_ops(f, &master_ops);
		f->mode = (f->mode | FILE_STREAM) & ~FILE_SEEKABLE;
	}
	path_put(&root);
	return error;
}
