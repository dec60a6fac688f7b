/* SPDX-License-Identifier: MIT */
/*
 * mqueue.c - POSIX message queues: messages in order of priority, waiting, telling of the first one.
 *
 * Sleepers lie on lists of the queue, oldest first. Who sends to a queue with a waiting receiver hands the message
 * over; who takes a message out of a full queue puts the oldest waiting sender's in. Both end the other's
 * wait under the queue's lock, which a sleeper takes once more before it returns: see sem.c, (1) to (4).
 *
 * A queue lives as long as its inode. Its bytes, also those it may yet need, count against its maker's user.
 */
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/mqueue.h>
#include <tessera/netlink.h>
#include <tessera/print.h>
#include <tessera/process.h>
#include <tessera/sched.h>
#include <tessera/slab.h>
#include <tessera/sysv.h>
#include <tessera/user_count.h>

#define COUNT_HARD_MAX 65536
#define SIZE_HARD_MAX  (16 << 20)
#define COST_MESSAGE   48 /* what Linux counts of each message, */
#define COST_PRIORITY  48 /* and of each priority that there can be */
#define SI_MESGQ       -3

/* On the stack of who waits; all but `thread` under the queue's lock. */
struct mqueue_waiter {
	struct list node;
	struct thread *thread;
	struct mqueue_message *message; /* to be sent; received */
	bool done;                      /* [a] */
};

/*
 * [I] immutable  [l] lock
 */
struct mqueue {
	struct mutex lock;             /* class IPC */
	int64_t count_max, size_max;   /* [I] */
	uid_t user;                    /* [I] who made it, */
	uint64_t cost;                 /* [I] and what that counts */
	struct list messages;          /* [l] next to be received first */
	int64_t count;                 /* [l] read without it by poll */
	uint64_t bytes;                /* [l] */
	struct list receivers, senders; /* [l] struct mqueue_waiter, oldest first */
	struct process *notify;        /* [l] a reference; NULL: nobody */
	int notify_signo;              /* [l] 0: no signal */
	uint64_t notify_value;         /* [l] */
	struct netlink_note *note;     /* [l] what comes instead; NULL: none */
	struct wait_queue wait;        /* poll */
};

static struct user_count costs = USER_COUNT_INIT(costs); /* bytes */

/* --- making ----------------------------------------------------------------------------------- */

void
mqueue_limits_init(struct mqueue_limits *l)
{
	*l = (struct mqueue_limits){ 256, 10, 8192, 10, 8192 };
}

static int
check_attributes(const struct mqueue_limits *l, const struct mqueue_attributes *a)
{
	bool may = capable(CAP_SYS_RESOURCE);

	if (a->count_max <= 0 || a->size_max <= 0)
		return -EINVAL;
	if (a->count_max > (may ? COUNT_HARD_MAX : (int64_t)atomic_load(&l->msg_max)))
		return -EINVAL;
	if (a->size_max > (may ? SIZE_HARD_MAX : (int64_t)atomic_load(&l->size_max)))
		return -EINVAL;
	return 0;
}

int
mqueue_create(const struct mqueue_attributes *a, struct mqueue **out)
{
	const struct mqueue_limits *l = &current_ipc_namespace()->mqueue_limits;
	struct mqueue_attributes use = {
		.count_max = MIN(atomic_load(&l->msg_max), atomic_load(&l->msg_default)),
		.size_max = MIN(atomic_load(&l->size_max), atomic_load(&l->size_default)),
	};
	int error = a ? check_attributes(l, a) : 0;
	struct mqueue *q;

	if (error)
		return error;
	if (a)
		use = *a;
	q = kzalloc(sizeof(*q));
	if (!q)
		return -ENOMEM;
	mutex_init(&q->lock, LOCK_IPC);
	q->count_max = use.count_max;
	q->size_max = use.size_max;
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	wait_queue_init(&q->wait);
	q->user = current_cred()->uid;
	q->cost = (uint64_t)(use.count_max * (COST_MESSAGE + use.size_max) +
			     MIN(use.count_max, (int64_t)MQUEUE_PRIORITY_LIMIT) * COST_PRIORITY);
	error = user_count_take(&costs, q->user, q->cost, process_limit(current_process(), RLIMIT_MSGQUEUE));
	if (error) {
		kfree(q);
		return error == -EDQUOT ? -EMFILE : error;
	}
	*out = q;
	return 0;
}

void
mqueue_free(struct mqueue *q)
{
	struct mqueue_message *m, *next;

	list_for_each_safe (m, next, &q->messages, node)
		kfree(m);
	if (q->note)
		netlink_note_drop(q->note);
	if (q->notify)
		process_put(q->notify);
	user_count_give(&costs, q->user, q->cost);
	kfree(q);
}

void
mqueue_attributes(struct mqueue *q, struct mqueue_attributes *out, int64_t *count)
{
	*out = (struct mqueue_attributes){ q->count_max, q->size_max };
	*count = READ_ONCE(q->count);
}

/* --- telling ---------------------------------------------------------------------------------- */

static void
send_note_locked(struct mqueue *q, enum mqueue_told what)
{
	char *bytes;

	if (!q->note)
		return;
	bytes = netlink_note_bytes(q->note);
	bytes[MQUEUE_NOTE - 1] = (char)what;
	netlink_note_send(q->note);
	q->note = NULL;
}

static void
forget_locked(struct mqueue *q)
{
	send_note_locked(q, MQUEUE_FORGOTTEN);
	process_put(q->notify);
	q->notify = NULL;
}

/* A message came to the empty queue and nobody waited for it. */
static void
tell_locked(struct mqueue *q)
{
	struct siginfo info = { 0 };

	if (!q->notify)
		return;
	send_note_locked(q, MQUEUE_TOLD);
	if (q->notify_signo) {
		info.signo = q->notify_signo;
		info.code = SI_MESGQ;
		info.kill.pid = current_process()->pid;
		info.kill.uid = current_cred()->uid;
		info.kill.value = q->notify_value;
		(void)signal_send_process(q->notify, q->notify_signo, &info);
	}
	forget_locked(q);
}

int
mqueue_notify(struct mqueue *q, int signo, uint64_t value, struct netlink_note *note)
{
	int error = -EBUSY;

	mutex_lock(&q->lock);
	if (!q->notify) {
		q->notify = current_process();
		process_get(q->notify);
		q->notify_signo = signo;
		q->notify_value = value;
		q->note = note;
		error = 0;
	}
	mutex_unlock(&q->lock);
	return error;
}

void
mqueue_forget(struct mqueue *q)
{
	mutex_lock(&q->lock);
	if (q->notify == current_process())
		forget_locked(q);
	mutex_unlock(&q->lock);
}

/* --- sending and receiving -------------------------------------------------------------------- */

/* Behind those of its priority and of higher ones; in most programs that is at the end. */
static void
insert_locked(struct mqueue *q, struct mqueue_message *m)
{
	struct list *at = q->messages.prev;

	while (at != &q->messages && list_entry(at, struct mqueue_message, node)->priority < m->priority)
		at = at->prev;
	list_add(at, &m->node);
	WRITE_ONCE(q->count, q->count + 1);
	q->bytes += m->size;
}

static struct mqueue_message *
remove_first_locked(struct mqueue *q)
{
	struct mqueue_message *m = list_first(&q->messages, struct mqueue_message, node);

	list_del_init(&m->node);
	WRITE_ONCE(q->count, q->count - 1);
	q->bytes -= m->size;
	return m;
}

static void
end_wait(struct mqueue_waiter *w)
{
	struct thread *t = w->thread;

	list_del_init(&w->node);
	atomic_store(&w->done, true);
	thread_wake(t);
}

/* Queue locked before and after. 0, -ETIMEDOUT or -ERESTARTSYS. */
static int
wait_turn(struct mqueue *q, struct list *list, struct mqueue_waiter *w, deadline_t until)
{
	int error = 0;

	atomic_store(&w->done, false);
	list_add_tail(list, &w->node);
	mutex_unlock(&q->lock);
	while (error == 0) {
		wait_prepare(WAIT_INTERRUPTIBLE);
		if (atomic_load(&w->done)) {
			wait_finish();
			break;
		}
		error = wait_sleep(WAIT_INTERRUPTIBLE, until);
	}
	mutex_lock(&q->lock);
	if (atomic_load(&w->done))
		return 0;
	list_del_init(&w->node);
	return error == -ETIMEDOUT ? -ETIMEDOUT : -ERESTARTSYS;
}

static void
touch(struct file *f)
{
	f->inode->accessed = f->inode->modified = f->inode->changed = inode_now();
}

int
mqueue_send(struct file *f, struct mqueue_message *m, deadline_t until)
{
	struct mqueue *q = f->private;
	struct mqueue_waiter w = { .thread = current_thread(), .message = m }, *r;
	bool arrived = false;
	int error = 0;

	mutex_lock(&q->lock);
	r = list_first(&q->receivers, struct mqueue_waiter, node);
	if (q->count == q->count_max) {
		error = READ_ONCE(f->flags) & O_NONBLOCK ? -EAGAIN : wait_turn(q, &q->senders, &w, until);
	} else if (r) {
		r->message = m;
		end_wait(r);
	} else {
		insert_locked(q, m);
		if (q->count == 1)
			tell_locked(q);
		arrived = true;
	}
	if (error == 0)
		touch(f);
	mutex_unlock(&q->lock);
	if (arrived)
		wake_poll(&q->wait, POLLIN | POLLRDNORM);
	return error;
}

struct mqueue_message *
mqueue_receive(struct file *f, size_t size, deadline_t until)
{
	struct mqueue *q = f->private;
	struct mqueue_waiter w = { .thread = current_thread() }, *s;
	struct mqueue_message *m;
	int error;

	if (size < (size_t)q->size_max)
		return ERR_PTR(-EMSGSIZE);
	mutex_lock(&q->lock);
	if (q->count == 0) {
		error = READ_ONCE(f->flags) & O_NONBLOCK ? -EAGAIN
							   : wait_turn(q, &q->receivers, &w, until);
		m = error ? ERR_PTR(error) : w.message;
	} else {
		m = remove_first_locked(q);
		s = list_first(&q->senders, struct mqueue_waiter, node);
		if (s) {
			insert_locked(q, s->message);
			end_wait(s);
		}
	}
	if (!IS_ERR(m))
		touch(f);
	mutex_unlock(&q->lock);
	if (!IS_ERR(m))
		wake_poll(&q->wait, POLLOUT | POLLWRNORM);
	return m;
}

/* --- the open object -------------------------------------------------------------------------- */

struct mqueue *
file_mqueue(struct file *f)
{
	return f->ops == &mqueue_file_ops ? f->private : NULL;
}

static ssize_t
mqueue_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct mqueue *q = f->private;
	char text[80];
	size_t n, length;

	mutex_lock(&q->lock);
	length = (size_t)scnprintf(text, sizeof(text), "QSIZE:%-10lu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
				   q->bytes, q->note ? 2 : q->notify && !q->notify_signo ? 1 : 0,
				   q->notify ? q->notify_signo : 0, q->notify ? q->notify->pid : 0);
	mutex_unlock(&q->lock);
	if ((size_t)*pos >= length || *pos < 0)
		return 0;
	n = iov_copy_to(to, text + *pos, MIN(length - (size_t)*pos, to->count));
	*pos += (loff_t)n;
	return n ? (ssize_t)n : -EFAULT;
}

static uint32_t
mqueue_poll(struct file *f, struct poll_table *pt)
{
	struct mqueue *q = f->private;
	int64_t count;

	poll_wait(pt, f, &q->wait);
	count = READ_ONCE(q->count);
	return (count > 0 ? POLLIN | POLLRDNORM : 0) | (count < q->count_max ? POLLOUT | POLLWRNORM : 0);
}

/* Who asked to be told and closes the queue, however he opened it, is not told any more. */
static int
mqueue_flush(struct file *f, struct handle_table *by)
{
	struct mqueue *q = f->private;

	mutex_lock(&q->lock);
	if (q->notify && q->notify == current_process())
		forget_locked(q);
	mutex_unlock(&q->lock);
	return 0;
}

static void
mqueue_dump(struct file *f)
{
	const struct mqueue *q = f->private;

	pr_info("mqueue: %ld of %ld messages, %lu bytes%s%s\n", q->count, q->count_max, q->bytes,
		list_is_empty(&q->receivers) ? "" : ", receivers wait",
		list_is_empty(&q->senders) ? "" : ", senders wait");
}

const struct file_ops mqueue_file_ops = {
	.name = "mqueue",
	.read = mqueue_read,
	.poll = mqueue_poll,
	.flush = mqueue_flush,
	.dump = mqueue_dump,
};
