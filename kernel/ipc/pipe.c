/* SPDX-License-Identifier: MIT */
/*
 * pipe.c - pipes and named pipes: pipe(7), fifo(7).
 *
 * A pipe is a ring of buffers, one page each at most. A writer fills the newest buffer if it has room,
 * else takes a new one; a reader empties the oldest and frees it. A write of at most PIPE_BUF bytes
 * goes in as a whole or waits.
 *
 * A buffer's page may be shared with another pipe (tee, splice): then nothing is added to it. Or it is lent: a page of a
 * program's memory (vmsplice), referred to and not pinned. The program goes on writing to it, until it forks; what it
 * wrote last is what is read. Nothing is added to such a page, and it is not kept for the next write.
 *
 *     tail                         head
 *      | oldest ... | ... | newest |  free buffers ...
 *
 * The ends: `readers` and `writers` count open files of each kind. A read of an empty pipe without
 * writers is the end of file, a write without readers is SIGPIPE. Opening a fifo waits until the other
 * kind has been opened at least once meanwhile: `reader_opens` and `writer_opens` only grow.
 *
 * Lock: pipe->lock covers everything; nobody sleeps for an event with it held. Sleepers test the state
 * without it and look again with it.
 *
 * pipe_drain() hands the buffers to something that may sleep for long, or close the last handle of this very
 * pipe: it sets `draining` instead of holding the lock. Writers go on; whoever would take bytes waits.
 */
#include <tessera/async.h>
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/file.h>
#include <tessera/inode.h>
#include <tessera/panic.h>
#include <tessera/pipe.h>
#include <tessera/poll.h>
#include <tessera/print.h>
#include <tessera/signal.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/thread.h>
#include <tessera/uaccess.h>
#include <tessera/user_count.h>

#define PIPE_BUF        4096
#define DEFAULT_BUFFERS 16
#define LEAST_BUFFERS   2u  /* of who has too many already */
#define FIONREAD        0x541b

uint32_t pipe_max_size = 1024 * 1024;
int pipe_user_pages_soft = 16384, pipe_user_pages_hard;

static struct user_count user_buffers = USER_COUNT_INIT(user_buffers);

struct pipe_buffer {
	struct page *page;
	uint32_t offset, length; /* what is left to read */
	bool packet;             /* O_DIRECT: a read takes all of it, or throws the rest away */
	bool lent;               /* a program's page, which it may still write to; `offset` may lie beyond a page */
};

/* All under lock; the words that sleepers test without it are read with READ_ONCE. */
struct pipe {
	struct mutex lock;       /* class PIPE */
	struct refcount refs;    /* open files, and the inode of a fifo */
	struct async_list async; /* whom to tell by signal */
	struct pipe_buffer *ring;
	uint32_t size;           /* buffers, a power of two */
	uint32_t head, tail;     /* buffers written and read so far */
	uint32_t readers, writers;
	uint32_t reader_opens, writer_opens;
	uid_t owner;             /* [I] who is charged for the buffers */
	bool unnamed;            /* [I] of pipe(2): opening an end again, by /proc, waits for nobody; times: pipe_read() */
	bool draining;           /* the oldest bytes are somebody's already; read_wait tells of the end */
	struct wait_queue read_wait, write_wait;
	struct page *spare;      /* the last page emptied: most pipes hold one message at a time */
};

static const struct file_ops pipe_ops;
static struct spinlock fifo_lock = SPINLOCK_INIT(LEAF); /* inode->pipe */

static struct pipe *
pipe_of(struct file *f)
{
	return f->private;
}

struct pipe *
file_pipe(struct file *f)
{
	return f->ops == &pipe_ops ? pipe_of(f) : NULL;
}

/* May the caller have more buffers than all limits allow? pipe(7). */
static bool
is_unlimited(void)
{
	return capable(CAP_SYS_RESOURCE) || capable(CAP_SYS_ADMIN);
}

/* n more buffers for the user, if that is within his limit: 0 is none. */
static bool
charge(uid_t owner, uint32_t n, int limit)
{
	uint64_t most = limit > 0 && !is_unlimited() ? (uint64_t)limit : UINT64_MAX;

	return user_count_take(&user_buffers, owner, n, most) == 0;
}

/* How many buffers a new pipe of the caller's gets, charged to him; 0: none any more. */
static uint32_t
charge_new(uid_t owner)
{
	int soft = READ_ONCE(pipe_user_pages_soft), hard = READ_ONCE(pipe_user_pages_hard);
	uint32_t n = DEFAULT_BUFFERS;

	if (n * PAGE_SIZE > READ_ONCE(pipe_max_size) && !capable(CAP_SYS_RESOURCE))
		n = READ_ONCE(pipe_max_size) / PAGE_SIZE;
	if (charge(owner, n, soft > 0 && (hard <= 0 || soft < hard) ? soft : hard))
		return n;
	return soft > 0 && charge(owner, LEAST_BUFFERS, hard) ? LEAST_BUFFERS : 0;
}

/* ERR_PTR: -ENFILE, the user has too many; -ENOMEM. */
static struct pipe *
pipe_create(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (!p)
		return ERR_PTR(-ENOMEM);
	p->owner = current_cred()->uid;
	p->size = charge_new(p->owner);
	if (!p->size) {
		kfree(p);
		return ERR_PTR(-ENFILE);
	}
	p->ring = kzalloc(p->size * sizeof(p->ring[0]));
	if (!p->ring) {
		user_count_give(&user_buffers, p->owner, p->size);
		kfree(p);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&p->lock, LOCK_PIPE);
	ref_init(&p->refs);
	wait_queue_init(&p->read_wait);
	async_list_init(&p->async);
	wait_queue_init(&p->write_wait);
	return p;
}

static struct pipe_buffer *
buffer_at(struct pipe *p, uint32_t n)
{
	return &p->ring[n & (p->size - 1)];
}

static void
pipe_put(struct pipe *p)
{
	if (!ref_put(&p->refs))
		return;
	for (; p->tail != p->head; p->tail++)
		page_put(buffer_at(p, p->tail)->page);
	if (p->spare)
		page_put(p->spare);
	user_count_give(&user_buffers, p->owner, p->size);
	kfree(p->ring);
	kfree(p);
}

static uint32_t
used(const struct pipe *p)
{
	return READ_ONCE(p->head) - READ_ONCE(p->tail);
}

static bool
is_full(const struct pipe *p)
{
	return used(p) >= READ_ONCE(p->size);
}

/* Bytes, or the end of the file, for whoever comes. */
static bool
can_take(const struct pipe *p)
{
	return !READ_ONCE(p->draining) && (used(p) > 0 || READ_ONCE(p->writers) == 0);
}

/* --- reading ------------------------------------------------------------------------------------ */

static void
drop_oldest(struct pipe *p)
{
	struct pipe_buffer *b = buffer_at(p, p->tail);

	if (!p->spare && !b->lent && atomic_load(&b->page->refcount) == 1)
		p->spare = b->page;
	else
		page_put(b->page);
	b->page = NULL;
	p->tail++;
}

/* Move what is there. Returns bytes, or -EFAULT when none. *freed: a buffer became free. */
static ssize_t
take(struct pipe *p, struct iov_iter *to, bool *freed)
{
	ssize_t done = 0;

	*freed = false;
	while (p->tail != p->head && to->count > 0) {
		struct pipe_buffer *b = buffer_at(p, p->tail);
		size_t n = MIN((size_t)b->length, to->count);
		size_t copied = iov_copy_to(to, (char *)page_to_virt(b->page) + b->offset, n);
		bool packet = b->packet;

		done += (ssize_t)copied;
		if (copied < n && done == 0)
			return -EFAULT;
		b->offset += (uint32_t)copied;
		b->length -= (uint32_t)copied;
		if (copied < n)
			break;
		if (b->length == 0 || packet) {
			drop_oldest(p);
			*freed = true;
		}
		if (packet)
			break;
	}
	return done;
}

/* The times of a named pipe tell of its use; those of one without a name are nobody's, and cost a clock. */
static ssize_t
pipe_read(struct file *f, struct iov_iter *to, loff_t *pos, uint32_t rw_flags)
{
	struct pipe *p = pipe_of(f);
	bool freed, more;
	ssize_t r;

	if (to->count == 0)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		freed = false;
		r = p->draining ? 0 : take(p, to, &freed);
		more = p->tail != p->head;
		if (r == 0 && p->writers == 0 && !p->draining) {
			mutex_unlock(&p->lock);
			async_tell(&p->async, ASYNC_OUT);
			return 0;
		}
		mutex_unlock(&p->lock);
		if (freed)
			wake_queue(&p->write_wait, POLLOUT | POLLWRNORM, 1);
		async_tell(&p->async, ASYNC_OUT); /* as Linux: also when there was nothing to read */
		if (r != 0) {
			if (more)
				wake_queue(&p->read_wait, POLLIN | POLLRDNORM, 1);
			if (r > 0 && !p->unnamed)
				file_touch_accessed(f);
			return r;
		}
		if (file_may_not_wait(f, rw_flags))
			return -EAGAIN;
		if (wait_event_interruptible(&p->read_wait, can_take(p)))
			return -ERESTARTSYS;
	}
}

/* --- writing ------------------------------------------------------------------------------------ */

static struct page *
page_take(struct pipe *p)
{
	struct page *page = p->spare;

	if (page) {
		p->spare = NULL;
		return page;
	}
	return page_alloc(0, ALLOC_USER);
}

/*
 * The odd bytes of a write (all of a small one) go into the newest buffer when they fit there, so that
 * small writes neither waste pages nor are torn. Returns bytes moved, 0: none fit, or -EFAULT.
 */
static ssize_t
append(struct pipe *p, struct iov_iter *from)
{
	size_t odd = from->count % PAGE_SIZE;
	struct pipe_buffer *b;

	if (odd == 0 || p->head == p->tail)
		return 0;
	b = buffer_at(p, p->head - 1);
	if (b->packet || b->lent || b->offset + b->length + odd > PAGE_SIZE || atomic_load(&b->page->refcount) != 1)
		return 0;
	if (iov_copy_from((char *)page_to_virt(b->page) + b->offset + b->length, from, odd) != odd)
		return -EFAULT;
	b->length += (uint32_t)odd;
	return (ssize_t)odd;
}

/* Fill one new buffer, wholly or not at all. Bytes, or -ENOMEM, -EFAULT. The pipe is not full. */
static ssize_t
fill(struct pipe *p, struct iov_iter *from, bool packet)
{
	size_t n = MIN(from->count, PAGE_SIZE);
	struct page *page = page_take(p);
	struct pipe_buffer *b;

	if (!page)
		return -ENOMEM;
	if (iov_copy_from(page_to_virt(page), from, n) != n) {
		p->spare = page;
		return -EFAULT;
	}
	b = buffer_at(p, p->head);
	*b = (struct pipe_buffer){ .page = page, .length = (uint32_t)n, .packet = packet };
	p->head++;
	return (ssize_t)n;
}

/*
 * Put what fits. Returns bytes (0: full), or an errno when none went. *failed: memory of the program or
 * of the machine ended it, not a full pipe.
 */
static ssize_t
put(struct pipe *p, struct iov_iter *from, bool packet, bool *failed)
{
	ssize_t done = packet ? 0 : append(p, from), n;

	*failed = done < 0;
	while (!*failed && from->count > 0 && !is_full(p)) {
		n = fill(p, from, packet);
		if (n < 0) {
			*failed = true;
			return done > 0 ? done : n;
		}
		done += n;
	}
	return done;
}

static ssize_t
no_readers(void)
{
	signal_send_thread(current_thread(), SIGPIPE, NULL);
	return -EPIPE;
}

/* All of `from`, or as much as pipe_write() returns. */
static ssize_t
write_waiting(struct pipe *p, struct file *f, struct iov_iter *from, uint32_t rw_flags)
{
	ssize_t done = 0;

	for (;;) {
		bool room, failed;
		ssize_t r;

		mutex_lock(&p->lock);
		if (p->readers == 0) {
			mutex_unlock(&p->lock);
			return done > 0 ? done : no_readers();
		}
		r = put(p, from, f->flags & O_DIRECT, &failed);
		room = !is_full(p);
		mutex_unlock(&p->lock);
		if (r > 0) {
			done += r;
			wake_queue(&p->read_wait, POLLIN | POLLRDNORM, 1);
			if (room)
				wake_queue(&p->write_wait, POLLOUT | POLLWRNORM, 1);
			async_tell(&p->async, ASYNC_IN);
		}
		if (from->count == 0)
			return done;
		if (failed)
			return done > 0 ? done : r;
		if (file_may_not_wait(f, rw_flags))
			return done > 0 ? done : -EAGAIN;
		if (wait_event_interruptible(&p->write_wait, !is_full(p) || READ_ONCE(p->readers) == 0))
			return done > 0 ? done : -ERESTARTSYS;
	}
}

static ssize_t
pipe_write(struct file *f, struct iov_iter *from, loff_t *pos, uint32_t rw_flags)
{
	struct pipe *p = pipe_of(f);
	ssize_t done;

	if (from->count == 0)
		return 0;
	done = write_waiting(p, f, from, rw_flags);
	if (done > 0 && !p->unnamed)
		file_touch_modified(f);
	return done;
}

/* --- readiness, size, control ------------------------------------------------------------------- */

static uint32_t
pipe_poll(struct file *f, struct poll_table *pt)
{
	struct pipe *p = pipe_of(f);
	uint32_t events = 0;

	if (f->mode & FILE_READ)
		poll_wait(pt, f, &p->read_wait);
	if (f->mode & FILE_WRITE)
		poll_wait(pt, f, &p->write_wait);
	if (f->mode & FILE_READ) {
		if (used(p) > 0 && !READ_ONCE(p->draining))
			events |= POLLIN | POLLRDNORM;
		/* a fifo that no writer has opened since is not hung up */
		if (READ_ONCE(p->writers) == 0 && READ_ONCE(p->writer_opens) != (uint32_t)f->position)
			events |= POLLHUP;
	}
	if (f->mode & FILE_WRITE) {
		if (!is_full(p))
			events |= POLLOUT | POLLWRNORM;
		if (READ_ONCE(p->readers) == 0)
			events |= POLLERR;
	}
	return events;
}

size_t
pipe_available(struct pipe *p)
{
	size_t n = 0;

	mutex_lock(&p->lock);
	for (uint32_t i = p->tail; i != p->head; i++)
		n += buffer_at(p, i)->length;
	mutex_unlock(&p->lock);
	return n;
}

long
pipe_size(struct pipe *p)
{
	return (long)(READ_ONCE(p->size) * PAGE_SIZE);
}

static struct pipe_buffer *
ring_copy(struct pipe *p, struct pipe_buffer *fresh, uint32_t size)
{
	struct pipe_buffer *old = p->ring;
	uint32_t n = 0;

	for (uint32_t i = p->tail; i != p->head; i++)
		fresh[n++] = *buffer_at(p, i);
	p->ring = fresh;
	p->size = size;
	p->tail = 0;
	p->head = n;
	return old;
}

/* What grows is held to both limits. */
static bool
charge_growth(uid_t owner, uint32_t n)
{
	int soft = READ_ONCE(pipe_user_pages_soft), hard = READ_ONCE(pipe_user_pages_hard);

	return charge(owner, n, soft > 0 && hard > 0 ? MIN(soft, hard) : MAX(soft, hard));
}

long
pipe_set_size(struct pipe *p, uint64_t bytes)
{
	struct pipe_buffer *fresh;
	uint32_t size = 1, was;
	long error = 0;

	if (bytes > BIT(31))
		return -EINVAL;
	while (size * PAGE_SIZE < bytes)
		size *= 2;
	if (size > p->size && size * PAGE_SIZE > pipe_max_size && !capable(CAP_SYS_RESOURCE))
		return -EPERM;
	fresh = kzalloc(size * sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	mutex_lock(&p->lock);
	was = p->size;
	if (used(p) > size)
		error = -EBUSY;
	else if (size > was && !charge_growth(p->owner, size - was))
		error = -EPERM;
	if (error) {
		mutex_unlock(&p->lock);
		kfree(fresh);
		return error;
	}
	kfree(ring_copy(p, fresh, size));
	mutex_unlock(&p->lock);
	if (size < was)
		user_count_give(&user_buffers, p->owner, was - size);
	if (size > was)
		wake_poll(&p->write_wait, POLLOUT | POLLWRNORM);
	return (long)(size * PAGE_SIZE);
}

static long
pipe_ioctl(struct file *f, unsigned int command, uintptr_t arg)
{
	if (command != FIONREAD)
		return -ENOTTY;
	return put_user((int32_t)pipe_available(pipe_of(f)), __force_user(int32_t __user *, arg));
}

static void
pipe_dump(struct file *f)
{
	struct pipe *p = pipe_of(f);

	pr_info("pipe: %u of %u buffers, %u readers, %u writers", used(p), p->size, p->readers, p->writers);
}

/* --- splice and tee ----------------------------------------------------------------------------- */

int
pipe_wait_data(struct pipe *p, bool nonblock)
{
	if (can_take(p))
		return 0;
	if (nonblock)
		return -EAGAIN;
	return wait_event_interruptible(&p->read_wait, can_take(p)) ? -ERESTARTSYS : 0;
}

int
pipe_wait_room(struct pipe *p, bool nonblock)
{
	if (is_full(p) && READ_ONCE(p->readers) > 0) {
		if (nonblock)
			return -EAGAIN;
		if (wait_event_interruptible(&p->write_wait, !is_full(p) || READ_ONCE(p->readers) == 0))
			return -ERESTARTSYS;
	}
	return READ_ONCE(p->readers) > 0 ? 0 : (int)no_readers();
}

size_t
pipe_room(struct pipe *p)
{
	return is_full(p) ? 0 : (READ_ONCE(p->size) - used(p)) * PAGE_SIZE;
}

/* p->lock held: wait until nobody else drains. 0, or -ERESTARTSYS with the lock released. */
static int
drain_begin_locked(struct pipe *p)
{
	while (p->draining) {
		mutex_unlock(&p->lock);
		if (wait_event_interruptible(&p->read_wait, !READ_ONCE(p->draining)))
			return -ERESTARTSYS;
		mutex_lock(&p->lock);
	}
	WRITE_ONCE(p->draining, true);
	return 0;
}

/* The oldest buffer gives r of its bytes away. p->lock held. */
static void
consume_locked(struct pipe *p, uint32_t n)
{
	struct pipe_buffer *b = buffer_at(p, p->tail);

	b->offset += n;
	b->length -= n;
	if (b->length == 0)
		drop_oldest(p);
}

ssize_t
pipe_drain(struct pipe *p, size_t n, ssize_t (*actor)(void *ctx, const void *data, size_t n), void *ctx)
{
	size_t done = 0;
	ssize_t r = 0;

	mutex_lock(&p->lock);
	if (drain_begin_locked(p))
		return -ERESTARTSYS;
	while (done < n && p->tail != p->head) {
		/* Only we drop buffers, and writers write behind what there is. */
		struct pipe_buffer *b = buffer_at(p, p->tail);
		char *data = (char *)page_to_virt(b->page) + b->offset;
		size_t offered = MIN((size_t)b->length, n - done);

		mutex_unlock(&p->lock);
		r = actor(ctx, data, offered);
		mutex_lock(&p->lock);
		if (r <= 0)
			break;
		done += (size_t)r;
		consume_locked(p, (uint32_t)r);
		if ((size_t)r < offered)
			break;
	}
	WRITE_ONCE(p->draining, false);
	mutex_unlock(&p->lock);
	wake_poll(&p->read_wait, POLLIN | POLLRDNORM); /* for who waited for us, too */
	if (done) {
		wake_poll(&p->write_wait, POLLOUT | POLLWRNORM);
		async_tell(&p->async, ASYNC_OUT);
	}
	return done ? (ssize_t)done : r;
}

ssize_t
pipe_share(struct pipe *from, struct pipe *to, size_t n, bool move)
{
	struct pipe *first = from < to ? from : to, *second = from < to ? to : from;
	size_t done = 0;

	if (from == to)
		return -EINVAL;
	mutex_lock(&first->lock);
	mutex_lock_nested(&second->lock); /* by address */
	for (uint32_t i = from->tail; i != from->head && done < n && !is_full(to) && !(move && from->draining); i++) {
		struct pipe_buffer *b = buffer_at(from, i), copy = *b;

		page_get(copy.page);
		copy.length = (uint32_t)MIN((size_t)b->length, n - done);
		*buffer_at(to, to->head) = copy;
		to->head++;
		done += copy.length;
		if (!move)
			continue;
		b->offset += copy.length;
		b->length -= copy.length;
		if (b->length == 0)
			drop_oldest(from); /* i is the oldest: all before it went this way */
	}
	mutex_unlock(&second->lock);
	mutex_unlock(&first->lock);
	if (done) {
		wake_poll(&to->read_wait, POLLIN | POLLRDNORM);
		async_tell(&to->async, ASYNC_IN);
	}
	if (done && move) {
		wake_poll(&from->write_wait, POLLOUT | POLLWRNORM);
		async_tell(&from->async, ASYNC_OUT);
	}
	return (ssize_t)done;
}

bool
pipe_lend(struct pipe *p, struct page *page, uint32_t offset, uint32_t length)
{
	bool fits;

	mutex_lock(&p->lock);
	fits = !is_full(p) && p->readers > 0;
	if (fits) {
		*buffer_at(p, p->head) = (struct pipe_buffer){
			.page = page, .offset = offset, .length = length, .lent = true,
		};
		p->head++;
	}
	mutex_unlock(&p->lock);
	return fits;
}

void
pipe_lent(struct pipe *p)
{
	wake_poll(&p->read_wait, POLLIN | POLLRDNORM);
	async_tell(&p->async, ASYNC_IN);
}

/* --- ends --------------------------------------------------------------------------------------- */

/* How an open found the pipe. */
struct ends_seen {
	bool other;                /* the other kind of end was there */
	uint32_t other_opens;      /* how often it had been opened; a fifo's open waits for one more */
};

/*
 * Count the ends that `f` is. Whether the other kind is there is looked at under the same lock: whoever
 * waited for us may come, write and be gone before we look again.
 */
static struct ends_seen
end_opened(struct pipe *p, struct file *f)
{
	struct ends_seen seen;

	mutex_lock(&p->lock);
	if (f->mode & FILE_READ) {
		p->readers++;
		p->reader_opens++;
	}
	if (f->mode & FILE_WRITE) {
		p->writers++;
		p->writer_opens++;
	}
	if (f->mode & FILE_READ)
		seen = (struct ends_seen){ p->writers > 0, p->writer_opens };
	else
		seen = (struct ends_seen){ p->readers > 0, p->reader_opens };
	mutex_unlock(&p->lock);
	wake_all(&p->read_wait);
	wake_all(&p->write_wait);
	return seen;
}

static void
pipe_release(struct file *f)
{
	struct pipe *p = pipe_of(f);

	if (!p)
		return;
	mutex_lock(&p->lock);
	if (f->mode & FILE_READ)
		p->readers--;
	if (f->mode & FILE_WRITE)
		p->writers--;
	/* a fifo without any open end forgets what nobody read */
	if (p->readers == 0 && p->writers == 0)
		while (p->tail != p->head)
			drop_oldest(p);
	mutex_unlock(&p->lock);
	wake_poll(&p->read_wait, POLLIN | POLLRDNORM | POLLHUP);
	wake_poll(&p->write_wait, POLLOUT | POLLWRNORM | POLLERR);
	async_tell(&p->async, ASYNC_IN);
	async_tell(&p->async, ASYNC_OUT);
	pipe_put(p);
}

static struct async_list *
pipe_async(struct file *f)
{
	return &pipe_of(f)->async;
}

static const struct file_ops pipe_ops = {
	.name = "pipe",
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.async = pipe_async,
	.release = pipe_release,
	.dump = pipe_dump,
};

int
pipe_create_files(uint32_t flags, struct file **read_end, struct file **write_end)
{
	struct inode *i = anonymous_inode_create(S_IFIFO | 0600);
	struct pipe *p = pipe_create();
	struct file *r = NULL, *w = NULL;
	int error = -ENOMEM;
	char name[32];

	if (IS_ERR(p)) {
		error = (int)PTR_ERR(p);
		p = NULL;
	}
	if (!i || !p)
		goto fail;
	p->unnamed = true;
	snprintf(name, sizeof(name), "pipe:[%lu]", i->number);
	r = anonymous_inode_open(i, name, &pipe_ops, O_RDONLY | (flags & O_NONBLOCK), NULL);
	w = anonymous_inode_open(i, name, &pipe_ops, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)), NULL);
	if (!r || !w)
		goto fail;
	ref_get(&p->refs);
	r->private = w->private = p;
	r->position = -1;
	ref_get(&p->refs);
	i->pipe = p; /* found again by an open of /proc/PID/fd/N */
	(void)end_opened(p, r);
	(void)end_opened(p, w);
	inode_put(i);
	*read_end = r;
	*write_end = w;
	return 0;
fail:
	if (r)
		file_put(r);
	if (w)
		file_put(w);
	if (i)
		inode_put(i);
	if (p)
		pipe_put(p);
	return error;
}

/* --- named pipes -------------------------------------------------------------------------------- */

/* The pipe of a fifo's inode, made at the first open, with a reference for the caller. */
static struct pipe *
fifo_pipe(struct inode *i)
{
	struct pipe *fresh, *p;
	uint64_t flags = spin_lock_irq(&fifo_lock);

	p = i->pipe;
	if (p)
		ref_get(&p->refs);
	spin_unlock_irq(&fifo_lock, flags);
	if (p)
		return p;
	fresh = pipe_create();
	if (IS_ERR(fresh))
		return NULL;
	flags = spin_lock_irq(&fifo_lock);
	if (!i->pipe) {
		i->pipe = fresh;
		fresh = NULL;
	}
	p = i->pipe;
	ref_get(&p->refs);
	spin_unlock_irq(&fifo_lock, flags);
	if (fresh)
		pipe_put(fresh);
	return p;
}

void
fifo_inode_gone(struct inode *i)
{
	if (i->pipe)
		pipe_put(i->pipe);
	i->pipe = NULL;
}

/* Wait until the other kind of end was opened since we came. */
static int
wait_for_other(struct pipe *p, struct file *f, uint32_t opens)
{
	if (f->mode & FILE_READ)
		return wait_event_interruptible(&p->read_wait, READ_ONCE(p->writer_opens) != opens);
	return wait_event_interruptible(&p->write_wait, READ_ONCE(p->reader_opens) != opens);
}

int
fifo_open(struct inode *i, struct file *f)
{
	bool both = (f->mode & (FILE_READ | FILE_WRITE)) == (FILE_READ | FILE_WRITE);
	struct pipe *p = fifo_pipe(i);
	struct ends_seen seen;

	if (!p)
		return -ENOMEM;
	if (!p->unnamed && (f->flags & O_NONBLOCK) && !(f->mode & FILE_READ) && READ_ONCE(p->readers) == 0) {
		pipe_put(p);
		return -ENXIO;
	}
	file_set_ops(f, &pipe_ops);
	f->private = p;
	f->mode = (f->mode | FILE_STREAM) & ~FILE_SEEKABLE;
	seen = end_opened(p, f);
	/* poll: hang-up only once a writer has come and gone */
	f->position = (f->mode & FILE_READ) && !seen.other && !p->unnamed ? (loff_t)seen.other_opens : -1;
	if (both || seen.other || p->unnamed || (f->flags & O_NONBLOCK))
		return 0;
	if (wait_for_other(p, f, seen.other_opens)) {
		pipe_release(f);
		f->private = NULL;
		return -ERESTARTSYS;
	}
	return 0;
}
