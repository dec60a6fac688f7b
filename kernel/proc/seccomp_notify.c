/* SPDX-License-Identifier: MIT */
/*
 * seccomp_notify.c - another program answers for a filter: SECCOMP_RET_USER_NOTIF.
 *
 * A call that the filter leaves to its listener becomes a notice in the listener's queue and waits:
 *
 *   NEW ---- read ----> SENT ---- answered ----> ANSWERED, the call goes on
 *    ^                    |
 *    +-- reading failed --+     a signal, or the listener's end, takes a notice out of the queue any time
 *
 * The notice lies on the stack of who waits; it is in the queue for exactly as long as the waiter sleeps,
 * and others touch it only under the listener's lock while it is there. A handle that the listener adds is
 * opened by the waiter itself, since nobody else may change its table: the request lies on the stack of who
 * adds, in the notice's list, and until the waiter has taken it up it may be withdrawn.
 */
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/inode.h>
#include <tessera/pid_namespace.h>
#include <tessera/print.h>
#include <tessera/slab.h>
#include <tessera/uaccess.h>

#include "proc.h"
#include "seccomp.h"

#define IOCTL_RECEIVE  0xc0502100u
#define IOCTL_SEND     0xc0182101u
#define IOCTL_ID_VALID 0x40082102u
#define IOCTL_ID_VALID_OLD 0x80082102u /* the number it had by mistake first */
#define IOCTL_ADD_FD   0x40182103u
/* The size of struct add_fd is part of the number, so that the struct can grow; the direction is of no matter. */
#define IOCTL_SIZE_SHIFT 16
#define IOCTL_SIZE_MASK  0x3fffu
#define IOCTL_WHICH(command) ((command) & 0xffffu)

#define RESPONSE_CONTINUE BIT(0)
#define ADD_FD_SET  BIT(0)
#define ADD_FD_SEND BIT(1)

enum notice_state { NOTICE_NEW, NOTICE_SENT, NOTICE_ANSWERED };

/* [l] listener->lock  [I] immutable */
struct notice {
	struct list node;              /* [l] */
	enum notice_state state;       /* [l] to change; the waiter looks without it */
	uint64_t id;                   /* [I] */
	struct thread *thread;         /* [I] who waits */
	const struct seccomp_data *data; /* [I] */
	struct seccomp_response response; /* [l] */
	struct list additions;         /* [l] struct addition */
	struct wait_queue changed;     /* of who waits */
};

struct add_fd {
	uint64_t id;
	uint32_t flags, source, target, target_flags;
};

/* [l] listener->lock  [I] immutable */
struct addition {
	struct list node;              /* [l] */
	struct file *file;             /* [I] borrowed of who adds */
	uint64_t rights;               /* [I] */
	const struct add_fd *what;     /* [I] */
	bool taken;                    /* [l] being done */
	bool done;                     /* [l] to change */
	int result;                    /* [l] */
	struct wait_queue finished;
};

struct seccomp_listener *
seccomp_listener_create(void)
{
	struct seccomp_listener *l = kzalloc(sizeof(*l));

	if (!l)
		return NULL;
	ref_init(&l->refs);
	spin_init(&l->lock, LOCK_SECCOMP);
	list_init(&l->notices);
	wait_queue_init(&l->queue);
	l->next_id = 1;
	return l;
}

void
seccomp_listener_put(struct seccomp_listener *l)
{
	if (ref_put(&l->refs))
		kfree(l);
}

void
seccomp_listener_desert(struct seccomp_listener *l)
{
	atomic_store(&l->deserted, true);
	wake_poll(&l->queue, POLLHUP);
}

/* --- who waits -------------------------------------------------------------------------------- */

static bool
is_over(struct seccomp_listener *l, struct notice *n)
{
	return atomic_load(&n->state) == NOTICE_ANSWERED || atomic_load(&l->closed);
}

/* Open the file in the caller's own table, at a given number or a free one. The number, or an errno. */
static int
open_added(const struct addition *a)
{
	struct handle_table *table = current_process()->handles;
	bool cloexec = a->what->target_flags & O_CLOEXEC;
	uint32_t limit = (uint32_t)MIN(process_limit(current_process(), RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	int fd, target;

	if ((a->what->flags & ADD_FD_SET) && a->what->target >= limit)
		return -EBADF;
	file_get(a->file);
	fd = handle_open(a->file, a->rights, cloexec);
	if (fd < 0) {
		file_put(a->file);
		return fd;
	}
	if (!(a->what->flags & ADD_FD_SET) || fd == (int)a->what->target)
		return fd;
	target = handle_dup_to(table, fd, (int)a->what->target, cloexec, limit);
	(void)handle_close(table, fd);
	return target;
}

static void
finish_locked(struct addition *a, int result)
{
	list_del_init(&a->node);
	a->result = result;
	atomic_store(&a->done, true);
	wake_all(&a->finished);
}

/* Do what has been asked to be added. */
static void
add_all(struct seccomp_listener *l, struct notice *n)
{
	spin_lock(&l->lock);
	while (!list_is_empty(&n->additions)) {
		struct addition *a = list_entry(n->additions.next, struct addition, node);
		int fd;

		a->taken = true;
		spin_unlock(&l->lock);
		fd = open_added(a);
		spin_lock(&l->lock);
		if (fd >= 0 && (a->what->flags & ADD_FD_SEND)) {
			n->response = (struct seccomp_response){ .id = n->id, .value = fd };
			atomic_store(&n->state, NOTICE_ANSWERED);
		}
		finish_locked(a, fd);
	}
	spin_unlock(&l->lock);
}

static bool
is_asked(struct seccomp_listener *l, struct notice *n)
{
	bool asked;

	spin_lock(&l->lock);
	asked = !list_is_empty(&n->additions);
	spin_unlock(&l->lock);
	return asked;
}

/* 0, or -EINTR. With `killable`, from the moment that the notice has been read only death interrupts. */
static int
wait_for_answer(struct seccomp_listener *l, struct notice *n, bool killable)
{
	for (;;) {
		bool sent = killable && atomic_load(&n->state) == NOTICE_SENT;
		int error;

		if (sent)
			error = wait_event_killable(&n->changed, is_over(l, n) || is_asked(l, n));
		else
			error = wait_event_interruptible(&n->changed, is_over(l, n) || is_asked(l, n) ||
				(killable && atomic_load(&n->state) == NOTICE_SENT));
		if (error)
			return error;
		add_all(l, n);
		if (is_over(l, n))
			return 0;
	}
}

bool
seccomp_ask(const struct seccomp_filter *f, const struct seccomp_data *d, long *result)
{
	struct seccomp_listener *l = f->listener;
	struct notice n = { .thread = current_thread(), .data = d };
	bool make = false;
	int error;

	*result = -ENOSYS;
	if (!l)
		return false;
	list_init(&n.node);
	list_init(&n.additions);
	wait_queue_init(&n.changed);
	spin_lock(&l->lock);
	if (l->closed) {
		spin_unlock(&l->lock);
		return false;
	}
	n.id = l->next_id++;
	list_add_tail(&l->notices, &n.node);
	spin_unlock(&l->lock);
	wake_poll(&l->queue, POLLIN | POLLRDNORM);
	error = wait_for_answer(l, &n, f->wait_killable);
	spin_lock(&l->lock);
	list_del_init(&n.node);
	while (!list_is_empty(&n.additions))
		finish_locked(list_entry(n.additions.next, struct addition, node), -ESRCH);
	if (n.state == NOTICE_ANSWERED) {
		*result = n.response.error ? n.response.error : n.response.value;
		make = n.response.flags & RESPONSE_CONTINUE;
	} else if (error) {
		*result = -ERESTARTSYS;
	}
	spin_unlock(&l->lock);
	return make;
}

/* --- who answers ------------------------------------------------------------------------------ */

static struct notice *
find_locked(struct seccomp_listener *l, uint64_t id)
{
	struct notice *n;

	list_for_each(n, &l->notices, node)
		if (n->id == id)
			return n;
	return NULL;
}

static struct notice *
find_state_locked(struct seccomp_listener *l, enum notice_state state)
{
	struct notice *n;

	list_for_each(n, &l->notices, node)
		if (n->state == state)
			return n;
	return NULL;
}

static bool
has_state(struct seccomp_listener *l, enum notice_state state)
{
	
	spin_lock(&l->lock);
	bool found = find_state_locked(l, state);

	spin_unlock(&l->lock);
	return found;
}

/* The buffer must be zero, so that more fields can be added one day. */
static int
check_zero(const void __user *arg)
{
	struct seccomp_notification n;

	if (copy_from_user(&n, arg, sizeof(n)))
		return -EFAULT;
	for (size_t i = 0; i < sizeof(n); i++)
		if (((const uint8_t *)&n)[i])
			return -EINVAL;
	return 0;
}

static long
receive(struct seccomp_listener *l, void __user *arg)
{
	struct seccomp_notification out = { 0 };
	struct notice *n;
	int error = check_zero(arg);

	if (error)
		return error;
	if (wait_event_interruptible(&l->queue, has_state(l, NOTICE_NEW) || atomic_load(&l->deserted)))
		return -ERESTARTSYS;
	spin_lock(&l->lock);
	n = find_state_locked(l, NOTICE_NEW);
	if (n) {
		atomic_store(&n->state, NOTICE_SENT);
		out.id = n->id;
		out.pid = (uint32_t)n->thread->tid;
		out.data = *n->data;
		wake_all(&n->changed); /* a killable waiter changes how it sleeps */
	}
	spin_unlock(&l->lock);
	if (!n)
		return -ENOENT;
	wake_poll(&l->queue, POLLOUT | POLLWRNORM);
	out.pid = (uint32_t)pid_shown((pid_t)out.pid);
	if (copy_to_user(arg, &out, sizeof(out)) == 0)
		return 0;
	spin_lock(&l->lock);
	n = find_locked(l, out.id);
	if (n && n->state == NOTICE_SENT)
		atomic_store(&n->state, NOTICE_NEW);
	spin_unlock(&l->lock);
	wake_poll(&l->queue, POLLIN | POLLRDNORM);
	return -EFAULT;
}

static long
answer(struct seccomp_listener *l, const struct seccomp_response *r)
{
	long error = 0;
	struct notice *n;

	spin_lock(&l->lock);

	n = find_locked(l, r->id);
	if (!n) {
		error = -ENOENT;
	} else if (n->state != NOTICE_SENT) {
		error = -EINPROGRESS;
	} else {
		n->response = *r;
		atomic_store(&n->state, NOTICE_ANSWERED);
		wake_all(&n->changed); /* under the lock: it goes with who waits */
	}
	spin_unlock(&l->lock);
	return error;
}

static long
send_answer(struct seccomp_listener *l, const void __user *arg)
{
	struct seccomp_response r;

	if (copy_from_user(&r, arg, sizeof(r)))
		return -EFAULT;
	if (r.flags & ~RESPONSE_CONTINUE)
		return -EINVAL;
	if ((r.flags & RESPONSE_CONTINUE) && (r.error || r.value))
		return -EINVAL;
	return answer(l, &r);
}

static long
id_valid(struct seccomp_listener *l, const uint64_t __user *arg)
{
	struct notice *n;
	uint64_t id;
	bool valid;

	if (get_user(id, arg))
		return -EFAULT;
	spin_lock(&l->lock);
	n = find_locked(l, id);
	valid = n && n->state == NOTICE_SENT;
	spin_unlock(&l->lock);
	return valid ? 0 : -ENOENT;
}

/* Ask the waiter of notice what->id to open it. Returns with it done, or withdrawn. */
static long
ask_to_add(struct seccomp_listener *l, struct addition *a)
{
	struct notice *n;
	bool withdrawn;
	int error = 0;

	spin_lock(&l->lock);
	n = find_locked(l, a->what->id);
	if (!n)
		error = -ENOENT;
	else if (n->state != NOTICE_SENT)
		error = -EINPROGRESS;
	else if ((a->what->flags & ADD_FD_SEND) && !list_is_empty(&n->additions))
		error = -EBUSY; /* those come first, and then it would be answered */
	if (!error) {
		list_add_tail(&n->additions, &a->node);
		wake_all(&n->changed);
	}
	spin_unlock(&l->lock);
	if (error)
		return error;
	if (wait_event_interruptible(&a->finished, atomic_load(&a->done))) {
		spin_lock(&l->lock);
		withdrawn = !a->taken && !a->done;
		if (withdrawn)
			list_del_init(&a->node);
		spin_unlock(&l->lock);
		if (withdrawn)
			return -ERESTARTSYS;
		wait_event(&a->finished, atomic_load(&a->done));
	}
	spin_lock(&l->lock); /* who finished it has let go of it */
	error = a->result;
	spin_unlock(&l->lock);
	return error;
}

/* A struct add_fd of `size` bytes; what a longer one has more must be zeros. */
static int
copy_add_fd(struct add_fd *out, const char __user *arg, size_t size)
{
	char more[64];

	if (size < sizeof(*out) || size >= PAGE_SIZE)
		return -EINVAL;
	for (size_t at = sizeof(*out); at < size;) {
		size_t n = MIN(size - at, sizeof(more));

		if (copy_from_user(more, arg + at, n))
			return -EFAULT;
		for (size_t i = 0; i < n; i++)
			if (more[i])
				return -E2BIG;
		at += n;
	}
	return copy_from_user(out, arg, sizeof(*out));
}

static long
add_fd(struct seccomp_listener *l, const void __user *arg, size_t size)
{
	struct add_fd what;
	struct addition a = { .what = &what };
	int error = 0;
	long fd;

	error = copy_add_fd(&what, arg, size);
	if (error)
		return error;
	if ((what.target_flags & ~O_CLOEXEC) || (what.flags & ~(uint32_t)(ADD_FD_SET | ADD_FD_SEND)))
		return -EINVAL;
	if (what.target && !(what.flags & ADD_FD_SET))
		return -EINVAL;
	a.file = handle_get_rights((int)what.source, &a.rights, &error);
	if (!a.file)
		return error;
	list_init(&a.node);
	wait_queue_init(&a.finished);
	fd = ask_to_add(l, &a);
	file_put(a.file);
	return fd;
}

static long
listener_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	struct seccomp_listener *l = f->private;

	switch (command) {
	case IOCTL_RECEIVE:
		return receive(l, (void __user *)arg);
	case IOCTL_SEND:
		return send_answer(l, (const void __user *)arg);
	case IOCTL_ID_VALID:
	case IOCTL_ID_VALID_OLD:
		return id_valid(l, (const uint64_t __user *)arg);
	}
	if (IOCTL_WHICH(command) == IOCTL_WHICH(IOCTL_ADD_FD))
		return add_fd(l, (const void __user *)arg, command >> IOCTL_SIZE_SHIFT & IOCTL_SIZE_MASK);
	return -EINVAL;
}

static uint32_t
listener_poll(struct file *f, struct poll_table *pt)
{
	struct seccomp_listener *l = f->private;

	poll_wait(pt, f, &l->queue);
	return (has_state(l, NOTICE_NEW) ? POLLIN | POLLRDNORM : 0) |
	       (has_state(l, NOTICE_SENT) ? POLLOUT | POLLWRNORM : 0) | (atomic_load(&l->deserted) ? POLLHUP : 0);
}

/* Nobody answers any more: who waits gets ENOSYS. */
static void
listener_release(struct file *f)
{
	struct seccomp_listener *l = f->private;
	struct notice *n;

	spin_lock(&l->lock);

	atomic_store(&l->closed, true);
	list_for_each(n, &l->notices, node)
		wake_all(&n->changed);
	spin_unlock(&l->lock);
	seccomp_listener_put(l);
}

static void
listener_dump(struct file *f)
{
	const struct seccomp_listener *l = f->private;

	pr_info("seccomp listener: next id %lu%s\n", l->next_id, l->deserted ? ", nobody is left" : "");
}

static const struct file_ops listener_ops = {
	.name = "seccomp notify",
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.release = listener_release,
	.dump = listener_dump,
};

struct file *
seccomp_listener_open(struct seccomp_listener *l)
{
	struct file *f = anonymous_file_create(&listener_ops, O_RDWR, l);

	if (f)
		ref_get(&l->refs);
	return f;
}
