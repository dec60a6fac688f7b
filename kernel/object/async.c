/* SPDX-License-Identifier: MIT */
/*
 * async.c - signals when something can be read or written: SIGIO and F_SETSIG's, to F_SETOWN's.
 *
 * file->async, file->flags' O_ASYNC and the place on the object's list change together under the list's lock. The
 * owner is looked up by number for each signal, and must be one whom the one who named it might signal.
 */
#include <tessera/async.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/signal.h>
#include <tessera/slab.h>

struct async_entry {
	struct list node;            /* list's lock */
	struct file *file;           /* [I] not counted: it takes itself off the list before it goes */
	int fd;                      /* list's lock */
};

enum { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP };

void
async_list_init(struct async_list *l)
{
	mutex_init(&l->lock, LOCK_ASYNC);
	list_init(&l->entries);
}

static int64_t
band_of(enum async_event what)
{
	switch (what) {
	case ASYNC_IN:
		return POLLIN | POLLRDNORM;
	case ASYNC_OUT:
		return POLLOUT | POLLWRNORM | POLLWRBAND;
	case ASYNC_MSG:
		return POLLIN | POLLRDNORM | POLLMSG;
	case ASYNC_PRI:
		return POLLPRI | POLLRDBAND;
	default:
		return POLLHUP | POLLERR;
	}
}

static bool
may_signal(const struct pid_owner *o, struct process *p, struct thread *t)
{
	struct cred *c = process_thread_cred(p, t);
	bool may;

	if (!c)
		return false;
	may = o->euid == 0 || o->euid == c->suid || o->euid == c->uid || o->uid == c->suid || o->uid == c->uid;
	cred_put(c);
	return may;
}

/*
 * One process, or one of its threads. A real-time signal that finds no room is told as plain SIGIO. Without `info`
 * it is SIGURG, which says nothing else.
 */
static void
send(const struct pid_owner *o, struct process *p, struct thread *t, const struct siginfo *info)
{
	int plain = info ? SIGIO : SIGURG;

	if (!may_signal(o, p, t))
		return;
	if (info && o->signo && (t ? signal_send_thread(t, o->signo, info) : signal_send_process(p, o->signo, info)) != -EAGAIN)
		return;
	if (t)
		signal_send_thread(t, plain, NULL);
	else
		signal_send_process(p, plain, NULL);
}

static void
send_group(const struct pid_owner *o, const struct siginfo *info)
{
	struct process *p;

	for (pid_t pid = 1; (p = process_next(pid)) != NULL; pid = p->pid + 1, process_put(p))
		if (process_pgid(p) == o->pid)
			send(o, p, NULL, info);
}

/* As send(), to all of f's owner. `info` wants the owner's signal filled in. */
static void
send_owner(struct file *f, struct siginfo *info)
{
	struct pid_owner o = { 0 };

	spin_lock(&f->lock);
	if (f->owner)
		o = *f->owner;
	spin_unlock(&f->lock);
	if (o.pid <= 0)
		return;
	if (info)
		info->signo = o.signo;
	if (o.type == OWNER_GROUP) {
		send_group(&o, info);
	} else if (o.type == OWNER_THREAD) {
		struct thread *t = thread_find_in(&init_pid_namespace, o.pid);

		if (t) {
			send(&o, t->process, t, info);
			thread_put(t);
		}
	} else {
		struct process *p = process_find_in(&init_pid_namespace, o.pid);

		if (p) {
			send(&o, p, NULL, info);
			process_put(p);
		}
	}
}

void
file_signal_owner(struct file *f, int fd, enum async_event what)
{
	struct siginfo info = { .code = what, .poll = { band_of(what), fd } };

	send_owner(f, &info);
}

void
file_signal_urgent(struct file *f)
{
	send_owner(f, NULL);
}

void
async_tell_slow(struct async_list *l, enum async_event what)
{
	uint32_t deaf = what == ASYNC_IN ? FILE_READ : what == ASYNC_OUT ? FILE_WRITE : FILE_READ | FILE_WRITE;
	struct async_entry *e;

	mutex_lock(&l->lock);
	list_for_each(e, &l->entries, node)
		if (e->file->mode & deaf)
			file_signal_owner(e->file, e->fd, what);
	mutex_unlock(&l->lock);
}

int
file_owner_default(struct file *f)
{
	struct pid_owner *fresh = kzalloc(sizeof(*fresh));

	if (!fresh)
		return -ENOMEM;
	*fresh = (struct pid_owner){ .type = OWNER_PROCESS, .pid = current_process()->pid,
				     .uid = current_cred()->uid, .euid = current_cred()->euid };
	spin_lock(&f->lock);
	if (!f->owner) {
		f->owner = fresh;
		fresh = NULL;
	} else if (f->owner->pid == 0) {
		fresh->signo = f->owner->signo;
		*f->owner = *fresh;
	}
	spin_unlock(&f->lock);
	kfree(fresh);
	return 0;
}

void
file_owner_forget(struct file *f)
{
	spin_lock(&f->lock);
	if (f->owner)
		*f->owner = (struct pid_owner){ .type = OWNER_PROCESS };
	spin_unlock(&f->lock);
}

static void
set_flag(struct file *f, bool on)
{
	spin_lock(&f->lock);
	f->flags = on ? f->flags | O_ASYNC : f->flags & ~O_ASYNC;
	spin_unlock(&f->lock);
}

int
file_async_set(struct file *f, int fd, bool on)
{
	struct async_list *l = f->ops->async ? f->ops->async(f) : NULL;
	struct async_entry *e = NULL;

	if (!l)
		return -ENOTTY;
	if (on) {
		e = kmalloc(sizeof(*e), 0);
		if (!e)
			return -ENOMEM;
		*e = (struct async_entry){ .file = f, .fd = fd };
	}
	mutex_lock(&l->lock);
	if (on && !f->async) {
		f->async = e;
		list_add_tail(&l->entries, &e->node);
		e = NULL;
	} else if (on) {
		f->async->fd = fd;
	} else if (f->async) {
		e = f->async;
		f->async = NULL;
		list_del(&e->node);
	}
	set_flag(f, on);
	mutex_unlock(&l->lock);
	kfree(e);
	return 0;
}

void
file_async_gone(struct file *f)
{
	if (f->async)
		file_async_set(f, -1, false);
}
