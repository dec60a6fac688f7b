/* SPDX-License-Identifier: MIT */
/*
 * settings.c - ioctl_tty(2): settings, window size, queues, control, packet mode.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "tty_private.h"

/* Bits of cflag's speed codes, in the order of B0 .. B38400 and B57600 .. B4000000. */
static const uint32_t low_speeds[16] = {
	0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400,
};
static const uint32_t high_speeds[16] = {
	0,	57600,	115200,	 230400,  460800,  500000,  576000,  921600,
	1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000,
};

static uint32_t
speed_of(uint32_t cflag)
{
	return cflag & 0010000 ? high_speeds[cflag & 0xf] : low_speeds[cflag & 0xf];
}

/* Packet mode tells the master whether ^S and ^Q work (termios flags that matter to rlogin). */
static void
note_packet_change(struct tty *t, const struct termios *old)
{
	bool was = (old->iflag & IXON) && old->cc[VSTOP] == 023 && old->cc[VSTART] == 021;
	bool is = (t->termios.iflag & IXON) && t->termios.cc[VSTOP] == 023 &&
		  t->termios.cc[VSTART] == 021;

	if (!t->packet)
		return;
	if (was != is) {
		t->packet_status &= (uint8_t)~(PACKET_DOSTOP | PACKET_NOSTOP);
		t->packet_status |= is ? PACKET_DOSTOP : PACKET_NOSTOP;
	}
	if ((old->lflag ^ t->termios.lflag) & EXTPROC)
		t->packet_status |= PACKET_IOCTL;
}

static uint32_t
keep_bits(uint32_t old, uint32_t new, uint32_t locked)
{
	return (old & locked) | (new & ~locked);
}

/* What TIOCSLCKTRMIOS locked stays as it is. t->lock is held. */
static void
keep_locked(const struct tty *t, const struct termios *old, struct termios *set)
{
	const struct termios *locked = &t->termios_lock;

	set->iflag = keep_bits(old->iflag, set->iflag, locked->iflag);
	set->oflag = keep_bits(old->oflag, set->oflag, locked->oflag);
	set->cflag = keep_bits(old->cflag, set->cflag, locked->cflag);
	set->lflag = keep_bits(old->lflag, set->lflag, locked->lflag);
	for (uint32_t i = 0; i < NCCS_KERNEL; i++)
		if (locked->cc[i])
			set->cc[i] = old->cc[i];
}

static long
get_lock(struct tty *t, void __user *arg)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	struct termios locked = t->termios_lock;

	spin_unlock_irq(&t->lock, flags);
	return copy_to_user(arg, &locked, sizeof(locked));
}

static long
set_lock(struct tty *t, const void __user *arg)
{
	struct termios locked;
	uint64_t flags;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&locked, arg, sizeof(locked)))
		return -EFAULT;
	flags = spin_lock_irq(&t->lock);
	t->termios_lock = locked;
	spin_unlock_irq(&t->lock, flags);
	return 0;
}

enum when { AT_ONCE, AFTER_OUTPUT, AFTER_OUTPUT_FLUSH_INPUT };

static int
install(struct tty *t, const struct termios *set, uint32_t ispeed, uint32_t ospeed, enum when when)
{
	struct tty_after after = { .wake_readers = true, .wake_writers = true };
	struct termios old;
	uint64_t flags;
	int error;

	error = job_check_change(t);
	if (!error && when != AT_ONCE)
		error = tty_wait_drained(t);
	if (error)
		return error;
	flags = spin_lock_irq(&t->lock);
	if (when == AFTER_OUTPUT_FLUSH_INPUT)
		discipline_flush_input(t, &after);
	old = t->termios;
	t->termios = *set;
	keep_locked(t, &old, &t->termios);
	t->termios.line = 0;
	t->ispeed = ispeed;
	t->ospeed = ospeed;
	discipline_settings_changed(t, &old);
	if (!(t->termios.iflag & IXON) && (old.iflag & IXON))
		discipline_set_stopped(t, false, &after);
	note_packet_change(t, &old);
	after.wake_master = t->packet;
	spin_unlock_irq(&t->lock, flags);
	if (t->driver->settings_changed)
		t->driver->settings_changed(t);
	tty_after_input(t, &after);
	return 0;
}

static struct termios
snapshot(struct tty *t, uint32_t *ispeed, uint32_t *ospeed)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	struct termios set = t->termios;

	*ispeed = t->ispeed;
	*ospeed = t->ospeed;
	spin_unlock_irq(&t->lock, flags);
	return set;
}

static long
set_termios(struct tty *t, const void __user *arg, enum when when)
{
	struct termios set;

	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	return install(t, &set, speed_of(set.cflag), speed_of(set.cflag), when);
}

static long
set_termios2(struct tty *t, const void __user *arg, enum when when)
{
	struct termios2 set;

	if (copy_from_user(&set, arg, sizeof(set)))
		return -EFAULT;
	return install(t, &set.base, set.ispeed, set.ospeed, when);
}

static long
get_termios2(struct tty *t, void __user *arg)
{
	struct termios2 out;

	out.base = snapshot(t, &out.ispeed, &out.ospeed);
	return copy_to_user(arg, &out, sizeof(out));
}

/* Is the line used without its modem's signals? */
static long
set_local(struct tty *t, const int32_t __user *arg)
{
	uint32_t in, out;
	struct termios set = snapshot(t, &in, &out);
	int32_t on;

	if (get_user(on, arg))
		return -EFAULT;
	set.cflag = on ? set.cflag | CLOCAL : set.cflag & ~CLOCAL;
	return install(t, &set, in, out, AT_ONCE);
}

static long
get_termios(struct tty *t, void __user *arg)
{
	uint32_t in, out;
	struct termios set = snapshot(t, &in, &out);

	return copy_to_user(arg, &set, sizeof(set));
}

/* The old System V layout: the low halves, eight characters. */
static long
get_termio(struct tty *t, void __user *arg)
{
	uint32_t in, out;
	struct termios set = snapshot(t, &in, &out);
	struct termio old = {
		.iflag = (uint16_t)set.iflag, .oflag = (uint16_t)set.oflag,
		.cflag = (uint16_t)set.cflag, .lflag = (uint16_t)set.lflag, .line = set.line,
	};

	memcpy(old.cc, set.cc, sizeof(old.cc));
	return copy_to_user(arg, &old, sizeof(old));
}

static long
set_termio(struct tty *t, const void __user *arg, enum when when)
{
	uint32_t in, out;
	struct termios set = snapshot(t, &in, &out);
	struct termio old;

	if (copy_from_user(&old, arg, sizeof(old)))
		return -EFAULT;
	set.iflag = (set.iflag & 0xffff0000u) | old.iflag;
	set.oflag = (set.oflag & 0xffff0000u) | old.oflag;
	set.cflag = (set.cflag & 0xffff0000u) | old.cflag;
	set.lflag = (set.lflag & 0xffff0000u) | old.lflag;
	memcpy(set.cc, old.cc, sizeof(old.cc));
	return install(t, &set, speed_of(set.cflag), speed_of(set.cflag), when);
}

static long
get_size(struct tty *t, void __user *arg)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	struct winsize size = t->size;

	spin_unlock_irq(&t->lock, flags);
	return copy_to_user(arg, &size, sizeof(size));
}

static long
set_size(struct tty *t, const void __user *arg)
{
	struct winsize size;
	uint64_t flags;
	bool changed;

	if (copy_from_user(&size, arg, sizeof(size)))
		return -EFAULT;
	flags = spin_lock_irq(&t->lock);
	changed = memcmp(&size, &t->size, sizeof(size)) != 0;
	t->size = size;
	spin_unlock_irq(&t->lock, flags);
	if (changed)
		job_signal_foreground(t, SIGWINCH);
	return 0;
}

static long
flush(struct tty *t, uintptr_t which)
{
	struct tty_after after = { .signal_count = 0 };
	uint64_t flags;
	int error;

	if (which > 2)
		return -EINVAL;
	error = job_check_change(t);
	if (error)
		return error;
	flags = spin_lock_irq(&t->lock);
	if (which == 0 || which == 2)
		discipline_flush_input(t, &after);
	if (which == 1 || which == 2)
		discipline_flush_output(t, &after);
	spin_unlock_irq(&t->lock, flags);
	tty_after_input(t, &after);
	return 0;
}

/* tcflow(3): TCOOFF, TCOON, TCIOFF, TCION. */
static long
flow(struct tty *t, uintptr_t action)
{
	struct tty_after after = { .signal_count = 0 };
	int error = job_check_change(t);
	uint64_t flags;

	if (error)
		return error;
	if (action > 3)
		return -EINVAL;
	flags = spin_lock_irq(&t->lock);
	if (action <= 1) {
		discipline_set_stopped(t, action == 0, &after);
	} else {
		discipline_put_raw(t, t->termios.cc[action == 2 ? VSTOP : VSTART]);
		t->driver->start_output(t);
	}
	spin_unlock_irq(&t->lock, flags);
	tty_after_input(t, &after);
	return 0;
}

static long
queue_length(struct tty *t, int32_t __user *arg, bool output)
{
	uint64_t flags = spin_lock_irq(&t->lock);
	uint32_t n = output                         ? t->output_head - t->output_tail
		     : (t->termios.lflag & ICANON) ? t->canon_head - t->tail
						    : t->head - t->tail;

	/* VEOF's mark is no data */
	if (!output && (t->termios.lflag & ICANON))
		for (uint32_t p = t->tail; p != t->canon_head; p++)
			if (t->line_eof[ring_at(p) / 64] >> (ring_at(p) % 64) & 1)
				n--;
	spin_unlock_irq(&t->lock, flags);
	return put_user((int32_t)n, arg);
}

static long
foreground(struct tty *t, struct file *f, int32_t __user *arg)
{
	if (f->ops == &tty_file_ops && !job_is_controlling(t))
		return -ENOTTY;
	return put_user((int32_t)pid_shown(t->foreground), arg);
}

static long
set_foreground(struct tty *t, const int32_t __user *arg)
{
	int32_t pgid;
	int error = job_check_change(t);

	if (error == -EIO)
		return -ENOTTY;
	if (error)
		return error;
	if (get_user(pgid, arg))
		return -EFAULT;
	return job_set_foreground(t, pid_given(pgid));
}

static long
session_id(struct tty *t, struct file *f, int32_t __user *arg)
{
	if (f->ops == &tty_file_ops && !job_is_controlling(t))
		return -ENOTTY;
	if (t->session == 0)
		return -ENOTTY;
	return put_user((int32_t)pid_shown(t->session), arg);
}

/* TIOCSTI: as if typed. Only into one's own terminal, or with CAP_SYS_ADMIN. */
static long
simulate(struct tty *t, const uint8_t __user *arg)
{
	uint8_t c;

	if (!job_is_controlling(t) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (get_user(c, arg))
		return -EFAULT;
	tty_input(t, &c, 1);
	return 0;
}

static long
set_exclusive(struct tty *t, bool on)
{
	uint64_t flags = spin_lock_irq(&t->lock);

	t->exclusive = on;
	spin_unlock_irq(&t->lock, flags);
	return 0;
}

static long
send_break(struct tty *t)
{
	int error = job_check_change(t);

	return error ? error : tty_wait_drained(t);
}

/* What both sides of a pty understand, and serial lines. */
long
tty_ioctl(struct tty *t, struct file *f, unsigned int command, uintptr_t arg)
{
	void __user *p = (void __user *)arg;
	int32_t discipline;

	if (t->hung_up && f->ops == &tty_file_ops)
		return command == TIOCSPGRP ? -ENOTTY : -EIO;
	switch (command) {
	case TCGETS: return get_termios(t, p);
	case TCSETS: return set_termios(t, p, AT_ONCE);
	case TCSETSW: return set_termios(t, p, AFTER_OUTPUT);
	case TCSETSF: return set_termios(t, p, AFTER_OUTPUT_FLUSH_INPUT);
	case TCGETS2: return get_termios2(t, p);
	case TCSETS2: return set_termios2(t, p, AT_ONCE);
	case TCSETSW2: return set_termios2(t, p, AFTER_OUTPUT);
	case TCSETSF2: return set_termios2(t, p, AFTER_OUTPUT_FLUSH_INPUT);
	case TCGETA: return get_termio(t, p);
	case TCSETA: return set_termio(t, p, AT_ONCE);
	case TCSETAW: return set_termio(t, p, AFTER_OUTPUT);
	case TCSETAF: return set_termio(t, p, AFTER_OUTPUT_FLUSH_INPUT);
	case TIOCGLCKTRMIOS: return get_lock(t, p);
	case TIOCSLCKTRMIOS: return set_lock(t, p);
	case TCSBRK:
	case TCSBRKP: return send_break(t);
	case TIOCSBRK:
	case TIOCCBRK: return job_check_change(t);
	case TIOCGSOFTCAR: return put_user(t->termios.cflag & CLOCAL ? 1 : 0, (int32_t __user *)p);
	case TIOCSSOFTCAR: return set_local(t, p);
	case TCXONC: return flow(t, arg);
	case TCFLSH: return flush(t, arg);
	case TIOCEXCL: return set_exclusive(t, true);
	case TIOCNXCL: return set_exclusive(t, false);
	case TIOCGEXCL: return put_user((int32_t)t->exclusive, (int32_t __user *)p);
	case TIOCSCTTY: return job_take_terminal(t, arg == 1);
	case TIOCNOTTY: return job_give_up_terminal(t);
	case TIOCGPGRP: return foreground(t, f, p);
	case TIOCSPGRP: return set_foreground(t, p);
	case TIOCGSID: return session_id(t, f, p);
	case TIOCOUTQ: return queue_length(t, p, true);
	case TIOCINQ: return queue_length(t, p, false);
	case TIOCSTI: return simulate(t, p);
	case TIOCGWINSZ: return get_size(t, p);
	case TIOCSWINSZ: return set_size(t, p);
	case TIOCGETD: return put_user(0, (int32_t __user *)p);
	case TIOCSETD:
		if (get_user(discipline, (int32_t __user *)p))
			return -EFAULT;
		return discipline == 0 ? 0 : -EINVAL;
	case TIOCGDEV: return put_user(tty_device_number(t), (uint32_t __user *)p);
	case TIOCVHANGUP:
		if (!capable(CAP_SYS_ADMIN))
			return -EPERM;
		tty_hang_up(t);
		return 0;
	default: return -ENOTTY;
	}
}
