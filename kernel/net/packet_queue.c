/* SPDX-License-Identifier: MIT */
/*
 * packet_queue.c - queues of messages that keep their bounds: see packet.h.
 *
 * Locks: read_lock, held by a reader while it copies, so that the packet it looks at stays; then the queue's own
 * spinlock, held to change the list. Nobody sleeps for an event with either.
 */
#include <tessera/async.h>
#include <tessera/bpf.h>
#include <tessera/errno.h>
#include <tessera/packet.h>
#include <tessera/page.h>
#include <tessera/poll.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/time.h>

#define INLINE_MAX 32768u /* bytes that lie behind the header */

/* What a packet counts for: its bytes, with what Linux adds for a buffer and its header. */
static uint32_t
charge_of(size_t n)
{
	return (uint32_t)(ALIGN_UP(n + 320, 256) + 256);
}

/* What does not lie behind the header: one piece of frames, which costs no mapping; or any memory, where there is none. */
static char *
long_memory(struct packet *p, size_t n)
{
	unsigned int order = (unsigned int)(64 - __builtin_clzl((n - 1) >> PAGE_SHIFT));
	struct page *page = order <= MAX_ORDER ? page_alloc(order, ALLOC_TRY) : NULL;

	if (!page)
		return kvmalloc(n);
	p->frames = true;
	p->order = (uint8_t)order;
	return page_to_virt(page);
}

static struct packet *
create(size_t room, size_t n)
{
	bool inside = n <= INLINE_MAX;
	struct packet *p = kmalloc(sizeof(*p) + (inside ? room + n : 0), 0);

	if (!p)
		return NULL;
	*p = (struct packet){ .length = (uint32_t)n, .charge = charge_of(n), .info = { .ttl = -1, .tos = -1 } };
	list_init(&p->node);
	p->memory = inside ? (char *)(p + 1) : long_memory(p, room + n);
	p->data = p->memory + room;
	if (p->memory)
		return p;
	kfree(p);
	return NULL;
}

struct packet *
packet_create(size_t n)
{
	return create(0, n);
}

struct packet *
packet_create_sendable(size_t n)
{
	return create(PACKET_HEADROOM, n);
}

struct packet *
packet_copy(const struct packet *p)
{
	struct packet *copy = create(PACKET_HEADROOM, p->length);

	if (!copy)
		return NULL;
	memcpy(copy->data, p->data, p->length);
	copy->info = p->info;
	copy->time = p->time;
	return copy;
}

void
packet_free(struct packet *p)
{
	if (p->frames)
		page_free(virt_to_page(p->memory), p->order);
	else if (p->memory != (char *)(p + 1))
		kvfree(p->memory);
	kfree(p);
}

void
packet_queue_init(struct packet_queue *q)
{
	mutex_init(&q->read_lock, LOCK_SOCKET_READ);
	spin_init(&q->lock, LOCK_PACKETS);
	list_init(&q->packets);
}

void
packet_queue_drop(struct packet_queue *q)
{
	struct list gone = LIST_INIT(gone);
	struct packet *p, *tmp;

	spin_lock(&q->lock);
	list_splice_tail(&gone, &q->packets);
	WRITE_ONCE(q->charged, 0);
	spin_unlock(&q->lock);
	list_for_each_safe (p, tmp, &gone, node) {
		list_del_init(&p->node);
		packet_free(p);
	}
}

/* One packet always has room. */
bool
packet_queue_has_room(const struct packet_queue *q, const struct socket *s, const struct packet *p)
{
	uint32_t charged = READ_ONCE(q->charged);

	return charged == 0 || charged + p->charge <= READ_ONCE(s->receive_limit);
}

bool
packet_queue_put(struct packet_queue *q, struct socket *s, struct packet *p)
{
	bool room;

	if ((READ_ONCE(s->options) & (SOCKET_TIMESTAMP | SOCKET_TIMESTAMP_NS)) ||
	    (READ_ONCE(s->timestamping) & SOCKET_TIMESTAMPING_RECEIVE))
		p->time = clock_realtime_ns();
	spin_lock(&q->lock);
	room = packet_queue_has_room(q, s, p);
	if (room) {
		p->drops = q->drops;
		list_add_tail(&q->packets, &p->node);
		WRITE_ONCE(q->charged, q->charged + p->charge);
		WRITE_ONCE(q->arrivals, q->arrivals + 1);
	} else {
		q->drops++;
	}
	spin_unlock(&q->lock);
	return room;
}

void
packet_queue_tell(struct socket *s)
{
	wake_poll(&s->read_wait, POLLIN | POLLRDNORM);
	async_tell(&s->async, ASYNC_IN);
}

/* What the socket's filter says of the packet, which is cut to what is wanted of it. False: nothing is. */
static bool
is_wanted(struct socket *s, struct packet *p)
{
	struct bpf_frame frame = { .interface = p->info.interface, .mark = READ_ONCE(s->mark) };
	uint32_t n;

	packet_push(p, p->header);
	n = socket_filter_run(s, p->data, p->length, &frame);
	if (n == 0) {
		packet_pull(p, p->header);
		return false;
	}
	p->length = MIN(p->length, MAX(n, (uint32_t)p->header));
	packet_pull(p, p->header);
	return true;
}

bool
packet_queue_add(struct packet_queue *q, struct socket *s, struct packet *p)
{
	if (READ_ONCE(s->filter) && !is_wanted(s, p)) {
		packet_free(p); /* as if it had been received */
		return true;
	}
	if (!packet_queue_put(q, s, p))
		return false;
	packet_queue_tell(s);
	return true;
}

struct packet *
packet_queue_take(struct packet_queue *q)
{
	struct packet *p;

	spin_lock(&q->lock);
	p = list_first(&q->packets, struct packet, node);
	if (p) {
		list_del_init(&p->node);
		WRITE_ONCE(q->charged, q->charged - p->charge);
	}
	spin_unlock(&q->lock);
	return p;
}

bool
packet_queue_peek_error(struct packet_queue *q, struct socket_error *out)
{
	struct packet *p;

	spin_lock(&q->lock);
	p = list_first(&q->packets, struct packet, node);
	if (p)
		*out = p->info.error;
	spin_unlock(&q->lock);
	return p;
}

size_t
packet_queue_next(struct packet_queue *q)
{
	struct packet *p;
	size_t n;

	spin_lock(&q->lock);
	p = list_first(&q->packets, struct packet, node);
	n = p ? p->length : 0;
	spin_unlock(&q->lock);
	return n;
}

/* --- receiving ----------------------------------------------------------------------------------- */

/* The packet that a receive begins with, or NULL. The queue's lock is held. */
static struct packet *
find(struct packet_queue *q, const struct socket *s, struct socket_look *l)
{
	struct packet *p;

	list_for_each (p, &q->packets, node)
		if (socket_look_finds(l, s, p->length, &p->peeked))
			return p;
	return NULL;
}

/* Take a packet off, or when peeking look at one. NULL: there is none. */
static struct packet *
take(struct packet_queue *q, const struct socket *s, struct socket_look *l)
{
	struct packet *p;

	spin_lock(&q->lock);
	p = find(q, s, l);
	l->arrivals = q->arrivals;
	if (p && !l->peek) {
		list_del_init(&p->node);
		WRITE_ONCE(q->charged, q->charged - p->charge);
	}
	spin_unlock(&q->lock);
	return p;
}

/* With read_lock held on success. NULL: *end says what the call returns. */
static struct packet *
wait_for_packet(struct packet_queue *q, struct socket *s, uint32_t flags, struct socket_look *l, ssize_t *end)
{
	deadline_t until = socket_deadline(s->receive_timeout, flags);
	struct packet *p;
	int error;

	for (;;) {
		*end = socket_take_error(s);
		if (*end)
			return NULL;
		mutex_lock(&q->read_lock);
		*l = socket_look_begin(s, flags);
		p = take(q, s, l);
		if (p)
			return p;
		mutex_unlock(&q->read_lock);
		*end = until == 0 ? -EAGAIN : 0;
		if (until == 0 || (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE))
			return NULL;
		error = wait_event_deadline(&s->read_wait,
					    READ_ONCE(q->arrivals) != l->arrivals || READ_ONCE(s->error) ||
						    (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE),
					    WAIT_INTERRUPTIBLE, until);
		if (error == -ETIMEDOUT) {
			until = 0;
		} else if (error) {
			*end = socket_wait_error(error, until);
			return NULL;
		}
	}
}

ssize_t
packet_queue_receive(struct packet_queue *q, struct socket *s, struct socket_message *m, struct packet_info *info)
{
	struct socket_look l;
	ssize_t end = 0;
	struct packet *p = wait_for_packet(q, s, m->flags, &l, &end);
	size_t n;

	if (!p)
		return end;
	n = p->length - l.skip;
	if (m->data->count < n) {
		n = m->data->count;
		m->result |= MSG_TRUNC;
	}
	*info = p->info;
	m->time = p->time ? p->time : clock_realtime_ns(); /* asked for after it came */
	m->drops = p->drops;
	end = m->flags & MSG_TRUNC ? (ssize_t)(p->length - l.skip) : (ssize_t)n;
	if (iov_copy_to(m->data, p->data + l.skip, n) != n)
		end = -EFAULT;
	socket_peek_moves(s, l.peek ? n : p->length, l.peek);
	mutex_unlock(&q->read_lock);
	if (!l.peek)
		packet_free(p);
	return end;
}
