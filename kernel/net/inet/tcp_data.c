/* SPDX-License-Identifier: MIT */
/*
 * tcp_data.c - bytes of a stream: sending and receiving. tcp(7), recv(2), send(2).
 *
 * The byte of MSG_OOB lies in the stream like any other; ring.urgent says behind which byte the latest mark stands.
 * Where it is not read in its place (SO_OOBINLINE), a receive in order stops before it, and the next one passes it by.
 * An older mark is forgotten: its byte is one like others.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/signal.h>
#include <tessera/thread.h>

#include "tcp.h"

#define PIECE (64u * 1024) /* after so many bytes the reader may begin */

/* --- sending ------------------------------------------------------------------------------------- */

static ssize_t
broken_pipe(const struct socket_message *m)
{
	if (!(m->flags & MSG_NOSIGNAL))
		signal_send_thread(current_thread(), SIGPIPE, NULL);
	return -EPIPE;
}

static bool
may_send(const struct tcp_socket *t)
{
	enum tcp_state state = READ_ONCE(t->state);

	return (state == TCP_ESTABLISHED || state == TCP_CLOSE_WAIT) &&
	       !(READ_ONCE(t->inet.socket.shutdown) & SHUTDOWN_SEND);
}

static bool
wire_has_room(struct tcp_socket *t)
{
	const struct byte_ring *out = &t->wire->out;

	if (tcp_wire_room(out))
		return true;
	atomic_store(&t->inet.socket.wants_room, true);
	return tcp_wire_room(out);
}

bool
tcp_has_room(struct tcp_socket *t)
{
	struct tcp_socket *peer = t->peer;
	size_t limit;

	assert_mutex_held(&t->inet.socket.lock);
	if (t->wire && may_send(t))
		return wire_has_room(t);
	if (!peer || !may_send(t))
		return true;
	limit = READ_ONCE(peer->ring.limit);
	if (byte_ring_room(&peer->ring) * 3 >= limit)
		return true;
	/* Said before it is looked at again: a reader either leaves room for us to see or sees our wish. */
	atomic_store(&t->inet.socket.wants_room, true);
	return byte_ring_room(&peer->ring) * 3 >= limit;
}

static bool
has_room(struct tcp_socket *t)
{
	bool room;

	mutex_lock(&t->inet.socket.lock);
	room = tcp_has_room(t);
	mutex_unlock(&t->inet.socket.lock);
	return room;
}

static void
tell_of_data(struct tcp_socket *peer, bool urgent)
{
	struct socket *s = &peer->inet.socket;

	if (urgent) {
		mutex_lock(&s->lock);
		if (s->file && !peer->released)
			file_signal_urgent(s->file);
		mutex_unlock(&s->lock);
		wake_poll(&s->read_wait, POLLPRI);
		async_tell(&s->async, ASYNC_PRI);
	}
	wake_poll(&s->read_wait, POLLIN | POLLRDNORM);
	async_tell(&s->async, ASYNC_IN);
	tcp_admit_held(peer);
}

/* The last byte of what is to be sent, with the mark behind it. 1, 0: no room, or an errno. send_lock held. */
static ssize_t
put_urgent(struct byte_ring *r, struct iov_iter *from, bool nowait)
{
	uint64_t before = r->urgent;
	ssize_t n;

	if (byte_ring_room(r) == 0)
		return 0;
	atomic_store(&r->urgent, r->head + 1);
	n = byte_ring_put(r, from, 1, nowait);
	if (n != 1)
		atomic_store(&r->urgent, before);
	return n;
}

/*
 * Put a piece into the peer's ring. Bytes; 0: no room; -EPIPE, -EFAULT, -ENOBUFS; -ECONNRESET: the peer is gone, and
 * what was sent is lost.
 */
static ssize_t
send_piece(struct tcp_socket *t, struct socket_message *m)
{
	bool urgent = false, nowait = m->flags & MSG_DONTWAIT;
	struct tcp_socket *peer;
	ssize_t n;

	mutex_lock(&t->send_lock);
	peer = t->peer;
	if (!may_send(t) || !(peer || t->wire)) {
		n = -EPIPE;
	} else if (t->wire) {
		n = tcp_wire_send(t, m, MIN(m->data->count, (size_t)PIECE));
	} else if (READ_ONCE(peer->released)) {
		n = -ECONNRESET;
	} else if ((m->flags & MSG_OOB) && m->data->count == 1) {
		urgent = true;
		n = put_urgent(&peer->ring, m->data, nowait);
	} else {
		size_t later = m->flags & MSG_OOB ? 1 : 0;

		n = byte_ring_put(&peer->ring, m->data, MIN(m->data->count - later, (size_t)PIECE), nowait);
	}
	if (n > 0 && peer)
		tell_of_data(peer, urgent);
	mutex_unlock(&t->send_lock);
	return n;
}

/* 0: look again; or what the call ends with. */
static ssize_t
wait_to_send(struct tcp_socket *t, deadline_t *until)
{
	struct socket *s = &t->inet.socket;
	int error;

	if (*until == 0) {
		(void)has_room(t); /* who polls then is told */
		return -EAGAIN;
	}
	error = wait_event_deadline(&s->write_wait, READ_ONCE(s->error) || has_room(t), WAIT_INTERRUPTIBLE, *until);
	return error ? socket_wait_error(error, *until) : 0;
}

/* Wait for a connection that is under way. 0: established, or never will be. */
static ssize_t
wait_for_connection(struct tcp_socket *t, deadline_t until)
{
	struct socket *s = &t->inet.socket;
	int error;

	if (READ_ONCE(t->state) != TCP_SYN_SENT)
		return 0;
	if (until == 0)
		return -EAGAIN;
	error = wait_event_deadline(&s->write_wait, READ_ONCE(t->state) != TCP_SYN_SENT, WAIT_INTERRUPTIBLE, until);
	return error ? socket_wait_error(error, until) : 0;
}

ssize_t
tcp_send(struct socket *s, struct socket_message *m)
{
	struct tcp_socket *t = tcp_of(s);
	deadline_t until = socket_deadline(s->send_timeout, m->flags);
	ssize_t done = 0, n = wait_for_connection(t, until);

	if (n)
		return n;
	n = socket_take_error(s);
	if (n == -EPIPE || (!n && !may_send(t)))
		return broken_pipe(m);
	if (n)
		return n;
	while (m->data->count > 0) {
		n = send_piece(t, m);
		if (n == -ECONNRESET) {
			done += (ssize_t)m->data->count;
			iov_advance(m->data, m->data->count);
			tcp_was_reset(t);
			break;
		}
		if (n == 0)
			n = wait_to_send(t, &until);
		else if (n > 0)
			done += n;
		if (n < 0)
			break;
	}
	if (done > 0 || n >= 0)
		return done;
	if (n != -EPIPE)
		return n;
	n = socket_take_error(s);
	return n && n != -EPIPE ? n : broken_pipe(m);
}

/* --- the urgent byte ----------------------------------------------------------------------------- */

/* Is there a mark that reads have not passed, with its byte here? */
static bool
mark_ahead(const struct tcp_socket *t, uint64_t *mark)
{
	*mark = __atomic_load_n(&t->ring.urgent, __ATOMIC_ACQUIRE);
	return *mark && *mark > READ_ONCE(t->ring.tail) && *mark <= __atomic_load_n(&t->ring.head, __ATOMIC_ACQUIRE);
}

bool
tcp_has_urgent(const struct tcp_socket *t)
{
	uint64_t mark;

	return mark_ahead(t, &mark) && mark != READ_ONCE(t->urgent_read);
}

bool
tcp_at_urgent(const struct tcp_socket *t)
{
	uint64_t mark;

	return mark_ahead(t, &mark) && mark - 1 == READ_ONCE(t->ring.tail);
}

bool
tcp_at_mark(struct socket *s)
{
	return tcp_at_urgent(tcp_of(s));
}

/* The byte out of band: 1, or 0 when the program has no room for it. */
static ssize_t
receive_urgent(struct tcp_socket *t, struct socket_message *m)
{
	struct socket *s = &t->inet.socket;
	ssize_t n = -EINVAL;
	uint64_t mark;
	uint8_t byte;

	mutex_lock(&t->read_lock);
	if (!(READ_ONCE(s->options) & SOCKET_OOB_INLINE) && mark_ahead(t, &mark) && mark != t->urgent_read) {
		byte = byte_ring_byte(&t->ring, mark - 1);
		m->result |= MSG_OOB;
		n = MIN(m->data->count, (size_t)1);
		if (n == 0)
			m->result |= MSG_TRUNC;
		else if (iov_copy_to(m->data, &byte, 1) != 1)
			n = -EFAULT;
		if (!(m->flags & MSG_PEEK))
			WRITE_ONCE(t->urgent_read, mark);
	}
	mutex_unlock(&t->read_lock);
	return n;
}

/* --- receiving ----------------------------------------------------------------------------------- */

/* A reader made room: has the sender waited for it? read_lock held. */
static void
tell_of_room(struct tcp_socket *t)
{
	struct tcp_socket *peer = t->peer;
	struct socket *s;

	if (t->wire)
		tcp_wire_consumed(t);
	if (!peer)
		return;
	s = &peer->inet.socket;
	if (!atomic_load(&s->wants_room) || byte_ring_room(&t->ring) * 3 < READ_ONCE(t->ring.limit))
		return;
	atomic_store(&s->wants_room, false);
	wake_poll(&s->write_wait, POLLOUT | POLLWRNORM);
	async_tell(&s->async, ASYNC_OUT);
}

/* What one call has got so far. */
struct taking {
	uint64_t tail; /* of the ring, when read_lock was let go */
	size_t skip;   /* peeking: bytes behind the tail that it has seen */
	ssize_t done;
};

/* How many of the next `n` bytes may be read before the mark; *hole: the next one is passed by. */
static size_t
up_to_mark(const struct tcp_socket *t, const struct taking *k, size_t n, bool *hole)
{
	uint64_t mark, at = t->ring.tail + k->skip;

	*hole = false;
	if (!mark_ahead(t, &mark) || mark - 1 < at)
		return n;
	if (mark - 1 > at)
		return MIN(n, (size_t)(mark - 1 - at));
	if (k->done > 0)
		return 0;
	*hole = !(READ_ONCE(t->inet.socket.options) & SOCKET_OOB_INLINE);
	return n;
}

/* Take what is there, at most what the call wants. False: the call ends here, with what it has. */
static bool
take(struct tcp_socket *t, struct socket_message *m, struct taking *k)
{
	bool peek = m->flags & MSG_PEEK, drop = (m->flags & MSG_TRUNC) && !peek, hole;
	size_t there = byte_ring_length(&t->ring) - k->skip, n = MIN(there, m->data->count), copied;

	if (n == 0)
		return true;
	n = up_to_mark(t, k, n, &hole);
	if (n == 0)
		return false;
	if (hole && peek)
		k->skip++;
	else if (hole)
		byte_ring_consume_and_keep(&t->ring, 1);
	if (hole)
		return true;
	if (drop) {
		iov_advance(m->data, n);
		copied = n;
	} else {
		copied = byte_ring_copy(&t->ring, k->skip, m->data, n);
	}
	if (peek)
		k->skip += copied;
	else if (copied)
		byte_ring_consume_and_keep(&t->ring, copied);
	k->done += (ssize_t)copied;
	if (copied < n && k->done == 0)
		k->done = -EFAULT;
	return copied == n;
}

/*
 * Nothing is left in the ring, as it seemed. 0: look again, or wait; 1: end with what there is; or an errno. What says
 * that it is over is read before the ring is looked at again: the peer may send and close at any time.
 */
static ssize_t
at_the_end(struct tcp_socket *t, const struct taking *k, size_t target, deadline_t until)
{
	struct socket *s = &t->inet.socket;
	bool ended = atomic_load(&t->end_received), closed = atomic_load(&t->state) == TCP_CLOSED;
	bool shut = atomic_load(&s->shutdown) & SHUTDOWN_RECEIVE, failed = atomic_load(&s->error);
	ssize_t error;

	if (byte_ring_length(&t->ring) > k->skip)
		return 0;
	if (k->done >= (ssize_t)target)
		return 1;
	if (k->done > 0)
		return shut || closed || failed || until == 0;
	if (ended)
		return 1;
	error = failed ? socket_take_error(s) : 0;
	if (error)
		return error;
	if (shut)
		return 1;
	if (closed)
		return -ENOTCONN;
	return until == 0 ? -EAGAIN : 0;
}

static bool
worth_a_look(const struct tcp_socket *t, const struct taking *k)
{
	const struct socket *s = &t->inet.socket;

	return atomic_load(&t->ring.head) != k->tail + k->skip || READ_ONCE(s->error) ||
	       (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE) || READ_ONCE(t->state) == TCP_CLOSED;
}

/*
 * read_lock is let go meanwhile. 0: look again; or as at_the_end(). Somebody else may have read what was only looked at, or the
 * ring may be that of another connection: then the look begins anew, where the stream is now.
 */
static ssize_t
wait_for_data(struct tcp_socket *t, struct taking *k, deadline_t *until)
{
	int error;

	k->tail = t->ring.tail;
	mutex_unlock(&t->read_lock);
	error = wait_event_deadline(&t->inet.socket.read_wait, worth_a_look(t, k), WAIT_INTERRUPTIBLE, *until);
	mutex_lock(&t->read_lock);
	if (t->ring.tail != k->tail || byte_ring_length(&t->ring) < k->skip)
		k->skip = 0;
	if (error == -ETIMEDOUT) {
		*until = 0;
		return 0;
	}
	if (error)
		return k->done > 0 ? 1 : socket_wait_error(error, *until);
	return 0;
}

ssize_t
tcp_receive(struct socket *s, struct socket_message *m)
{
	struct tcp_socket *t = tcp_of(s);
	deadline_t until = socket_deadline(s->receive_timeout, m->flags);
	size_t target = m->flags & MSG_WAITALL ? m->data->count : MIN(m->data->count, (size_t)READ_ONCE(s->low_water));
	struct taking k = { 0 };
	ssize_t end = 0;

	if (m->flags & MSG_ERRQUEUE)
		return tcp_refusal_receive(t, m);
	if (READ_ONCE(t->state) == TCP_LISTEN)
		return -ENOTCONN;
	if (m->flags & MSG_OOB)
		return receive_urgent(t, m);
	target = MAX(target, (size_t)1);
	mutex_lock(&t->read_lock);
	while (end == 0 && m->data->count > 0) {
		if (!take(t, m, &k) || k.done < 0)
			break;
		if (m->data->count == 0 || byte_ring_length(&t->ring) > k.skip)
			continue;
		if (!(m->flags & MSG_PEEK))
			tell_of_room(t);
		end = at_the_end(t, &k, target, until);
		if (end == 0)
			end = wait_for_data(t, &k, &until);
	}
	if (!(m->flags & MSG_PEEK))
		tell_of_room(t);
	mutex_unlock(&t->read_lock);
	if (k.done != 0 || end >= 0)
		return k.done;
	return end;
}
