/* SPDX-License-Identifier: MIT */
/*
 * signalfd.c - signalfd(2): pending signals of the reader, as records.
 *
 * The file holds only a mask; whose signals are read is decided by who reads. A poller's waiter sits on
 * its process's signal_wait, maybe for longer than the process lives (an epoll that a child
 * inherited): so the file keeps every process that polled it, until it is released.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

/* struct signalfd_siginfo: 128 bytes. */
struct signalfd_record {
	uint32_t signo;
	int32_t error, code;
	uint32_t pid, uid;
	int32_t fd;
	uint32_t timer, band, overrun, trap;
	int32_t status, integer;
	uint64_t pointer, utime, stime, address;
	uint16_t address_lsb, pad2;
	int32_t syscall;
	uint64_t call_address;
	uint32_t arch;
	uint8_t pad[28];
};
_Static_assert(sizeof(struct signalfd_record) == 128, "struct signalfd_siginfo");

struct signalfd_poller {
	struct signalfd_poller *next;
	struct process *process; /* a reference */
};

struct signalfd {
	uint64_t mask;                   /* [a] */
	struct spinlock lock;            /* class LEAF */
	struct signalfd_poller *pollers; /* lock; only grows */
};

static const struct file_ops signalfd_ops;

bool
file_is_signalfd(const struct file *f)
{
	return f->ops == &signalfd_ops;
}

void
signalfd_set_mask(struct file *f, uint64_t mask)
{
	struct signalfd *s = f->private;

	atomic_store(&s->mask, mask & ~SIGNAL_UNBLOCKABLE);
	wake_poll(&current_process()->signal_wait, POLLIN);
}

static void
record_fill(struct signalfd_record *r, const struct siginfo *info)
{
	*r = (struct signalfd_record){
		.signo = (uint32_t)info->signo, .error = info->error, .code = info->code,
	};
	if (info->signo == SIGCHLD && info->code > 0) {
		r->pid = (uint32_t)info->child.pid;
		r->uid = info->child.uid;
		r->status = info->child.status;
		r->utime = (uint64_t)info->child.utime;
		r->stime = (uint64_t)info->child.stime;
	} else if (info->code == SI_TIMER) {
		r->timer = (uint32_t)info->timer.timer;
		r->overrun = (uint32_t)info->timer.overrun;
		r->pointer = info->timer.value;
		r->integer = (int32_t)info->timer.value;
	} else if (info->code <= 0 || info->code == SI_KERNEL) {
		r->pid = (uint32_t)info->kill.pid;
		r->uid = info->kill.uid;
		r->pointer = info->kill.value;
		r->integer = (int32_t)info->kill.value;
	} else {
		r->address = info->fault.address;
	}
}

static ssize_t
signalfd_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct signalfd *s = f->private;
	ssize_t done = 0;

	if (to->count < sizeof(struct signalfd_record))
		return -EINVAL;
	while (to->count >= sizeof(struct signalfd_record)) {
		uint64_t mask = atomic_load(&s->mask);
		struct signalfd_record r;
		struct siginfo info;

		if (!signal_take(mask, &info)) {
			int error;

			if (done > 0)
				break;
			if (file_may_not_wait(f, rw_flags))
				return -EAGAIN;
			error = wait_event_interruptible(&current_process()->signal_wait,
							 signal_pending_set() & mask);
			if (error)
				return -ERESTARTSYS;
			continue;
		}
		record_fill(&r, &info);
		if (iov_copy_to(to, &r, sizeof(r)) != sizeof(r))
			return done > 0 ? done : -EFAULT;
		done += (ssize_t)sizeof(r);
	}
	return done;
}

static bool
is_kept(struct signalfd *s, const struct process *p)
{
	uint64_t flags = spin_lock_irq(&s->lock);
	struct signalfd_poller *k = s->pollers;

	while (k && k->process != p)
		k = k->next;
	spin_unlock_irq(&s->lock, flags);
	return k != NULL;
}

/* False: no memory. Two threads of a process may both add it, which does no harm. */
static bool
keep(struct signalfd *s, struct process *p)
{
	struct signalfd_poller *k;
	uint64_t flags;

	if (is_kept(s, p))
		return true;
	k = kmalloc(sizeof(*k), 0);
	if (!k)
		return false;
	process_get(p);
	k->process = p;
	flags = spin_lock_irq(&s->lock);
	k->next = s->pollers;
	s->pollers = k;
	spin_unlock_irq(&s->lock, flags);
	return true;
}

static uint32_t
signalfd_poll(struct file *f, struct poll_table *pt)
{
	struct signalfd *s = f->private;

	if (pt && pt->add && keep(s, current_process()))
		poll_wait(pt, f, &current_process()->signal_wait);
	return signal_pending_set() & atomic_load(&s->mask) ? POLLIN | POLLRDNORM : 0;
}

static void
signalfd_release(struct file *f)
{
	struct signalfd *s = f->private;

	while (s->pollers) {
		struct signalfd_poller *k = s->pollers;

		s->pollers = k->next;
		process_put(k->process);
		kfree(k);
	}
	kfree(s);
}

static void
signalfd_dump(struct file *f)
{
	pr_info("signalfd: mask %#lx", ((struct signalfd *)f->private)->mask);
}

static void
signalfd_fdinfo(struct file *f, void (*print)(void *ctx, const char *fmt, ...), void *ctx)
{
	print(ctx, "sigmask:\t%016lx\n", ((struct signalfd *)f->private)->mask);
}

static const struct file_ops signalfd_ops = {
	.name = "signalfd",
	.read = signalfd_read,
	.poll = signalfd_poll,
	.release = signalfd_release,
	.dump = signalfd_dump,
	.fdinfo = signalfd_fdinfo,
};

struct file *
signalfd_create_file(uint64_t mask, uint32_t flags)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	struct file *f;

	if (!s)
		return NULL;
	s->mask = mask & ~SIGNAL_UNBLOCKABLE;
	spin_init(&s->lock, LOCK_LEAF);
	f = anonymous_file_create(&signalfd_ops, O_RDWR | flags, s);
	if (!f)
		kfree(s);
	else
		f->mode |= FILE_STREAM;
	return f;
}
