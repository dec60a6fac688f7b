/* SPDX-License-Identifier: MIT */
/*
 * stream.c - AF_UNIX byte streams: sending and receiving.
 *
 * Each send makes messages of up to CHUNK bytes; a receive goes over the bounds between them, but stops
 * behind one that carried files, and, when the receiver wants credentials, before one from somebody else.
 *
 * A byte out of band (MSG_OOB) is a message of its own, which u->urgent names until it is taken, overtaken by the
 * next one (then it is a byte as any other), or passed: a receive in order stops before it, and the next one drops
 * it, or reads it if SO_OOBINLINE is on. One that was taken out of order stays, empty, as the place where a receive
 * stops.
 *
 * The reader holds read_lock while it copies, so the messages it looks at stay; socket.lock is held only to
 * change the queue, so writers are not kept waiting by a reader's page faults.
 */
#include <tessera/cpu.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/signal.h>
#include <tessera/string.h>
#include <tessera/thread.h>

#include "unix.h"

#define CHUNK UNIX_INLINE_MAX

/* --- sending ------------------------------------------------------------------------------------ */

static ssize_t
broken_pipe(const struct socket_message *m, ssize_t done)
{
	if (done > 0)
		return done;
	if (!(m->flags & MSG_NOSIGNAL))
		signal_send_thread(current_thread(), SIGPIPE, NULL);
	return -EPIPE;
}

/* False: the peer does not receive any more. */
static bool
deliver(struct unix_socket *peer, struct unix_message *msg, bool urgent)
{
	bool open;

	mutex_lock(&peer->socket.lock);
	open = !peer->dead && !(peer->socket.shutdown & SHUTDOWN_RECEIVE);
	if (open)
		unix_message_queue(peer, msg);
	if (open && urgent) {
		WRITE_ONCE(peer->urgent, msg);
		if (peer->socket.file) /* alive: it is not dead */
			file_signal_urgent(peer->socket.file);
	}
	mutex_unlock(&peer->socket.lock);
	if (open && urgent) {
		wake_poll(&peer->socket.read_wait, POLLPRI);
		async_tell(&peer->socket.async, ASYNC_PRI);
	}
	if (open) {
		wake_poll(&peer->socket.read_wait, POLLIN | POLLRDNORM);
		async_tell(&peer->socket.async, ASYNC_IN);
	}
	return open;
}

/*
 * One chunk: the last byte of all when it goes out of band, else what is before that. Its length, -ESHUTDOWN: the
 * peer is gone, or why there was no room; then `m` is as before.
 */
static ssize_t
send_chunk(struct unix_socket *u, struct unix_socket *peer, struct socket_message *m, deadline_t until)
{
	size_t later = m->flags & MSG_OOB && m->data->count > 1;
	bool urgent = m->flags & MSG_OOB && !later;
	size_t n = MIN(m->data->count - later, (size_t)(READ_ONCE(u->socket.send_limit) / 2 - 64));
	struct unix_message *msg;
	ssize_t error;

	n = MIN(n, (size_t)CHUNK);
	msg = unix_message_create(u, n, until);
	if (IS_ERR(msg))
		return PTR_ERR(msg);
	error = unix_message_load(msg, m);
	if (!error && iov_copy_from(msg->data, m->data, n) != n)
		error = -EFAULT;
	if (!error && deliver(peer, msg, urgent))
		return (ssize_t)n;
	unix_message_free(msg);
	return error ? error : -ESHUTDOWN;
}

ssize_t
unix_stream_send(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s), *peer = READ_ONCE(u->peer);
	deadline_t until = socket_deadline(s->send_timeout, m->flags);
	ssize_t done = 0, n;

	if ((m->flags & MSG_OOB) && m->data->count == 0)
		return -EOPNOTSUPP;
	if (m->address.length)
		return READ_ONCE(s->state) == SOCKET_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (!peer)
		return -ENOTCONN;
	if (READ_ONCE(s->shutdown) & SHUTDOWN_SEND)
		return broken_pipe(m, 0);
	while (m->data->count > 0) {
		n = send_chunk(u, peer, m, until);
		if (n == -ESHUTDOWN)
			return broken_pipe(m, done);
		if (n < 0)
			return done > 0 ? done : n;
		done += n;
	}
	return done;
}

/* --- receiving ---------------------------------------------------------------------------------- */

/* What one call has got so far. */
struct taking {
	struct socket_message *m;
	struct unix_message *last;  /* peeking: the one looked at last */
	size_t skip;                /* peeking: bytes to pass over before the first */
	uint32_t arrivals;          /* when the queue was at its end */
	size_t target;              /* not worth returning with less */
	ssize_t done;
	bool matching;              /* credentials are wanted: only from the sender in m->credentials */
};

/*
 * The queue is at its end. 0: sleep, else what the call ends with, or 1: the end of the stream or what has
 * been taken. u's lock held: the peer may write and close between a look at the queue and one at the rest.
 */
static ssize_t
at_the_end(struct unix_socket *u, struct taking *t, deadline_t until)
{
	int error;

	t->arrivals = u->arrivals;
	if (t->done >= (ssize_t)t->target || ((t->m->flags & MSG_PEEK) && t->done > 0))
		return 1;
	error = socket_take_error(&u->socket);
	if (error)
		return error;
	if (u->socket.shutdown & SHUTDOWN_RECEIVE)
		return 1;
	return until == 0 ? -EAGAIN : 0;
}

/* The message to go on with; NULL: *end is as of at_the_end(). read_lock held: the message stays. */
static struct unix_message *
next_message(struct unix_socket *u, struct taking *t, deadline_t until, ssize_t *end)
{
	struct unix_message *m = NULL;

	mutex_lock(&u->socket.lock);
	if (!t->last)
		m = list_first(&u->messages, struct unix_message, node);
	else if (t->last->node.next != &u->messages)
		m = list_entry(t->last->node.next, struct unix_message, node);
	if (!m)
		*end = at_the_end(u, t, until);
	mutex_unlock(&u->socket.lock);
	return m;
}

static bool
same_sender(const struct unix_message *msg, const struct socket_message *m)
{
	struct socket_message other;

	unix_message_credentials(msg, &other);
	return other.credentials.pid == m->credentials.pid && other.credentials.uid == m->credentials.uid &&
	       other.credentials.gid == m->credentials.gid;
}

static void
consume(struct unix_socket *u, struct unix_message *msg)
{
	mutex_lock(&u->socket.lock);
	list_del_init(&msg->node);
	u->queue_length--;
	if (u->urgent == msg)
		WRITE_ONCE(u->urgent, NULL);
	mutex_unlock(&u->socket.lock);
	unix_message_free(msg);
}

enum pass { READ_IT, PASSED, STOP };

/* What the next message is for a receive in order; one that it PASSED is gone, or when peeking, behind. */
static enum pass
pass_message(struct unix_socket *u, struct taking *t, struct unix_message *msg)
{
	bool peek = t->m->flags & MSG_PEEK, urgent;

	mutex_lock(&u->socket.lock);
	urgent = u->urgent == msg;
	if (urgent && t->done == 0 && !peek && (READ_ONCE(u->socket.options) & SOCKET_OOB_INLINE)) {
		WRITE_ONCE(u->urgent, NULL);
		urgent = false;
	}
	mutex_unlock(&u->socket.lock);
	if (urgent && t->done > 0)
		return STOP;
	if (peek && t->skip >= msg->length - msg->offset) {
		t->skip -= msg->length - msg->offset;
		t->last = msg;
		return PASSED;
	}
	if (peek && urgent && !(READ_ONCE(u->socket.options) & SOCKET_OOB_INLINE)) {
		t->last = msg;
		return PASSED;
	}
	if (peek || (!urgent && msg->offset < msg->length))
		return READ_IT;
	consume(u, msg);
	return t->done > 0 ? STOP : PASSED;
}

/* Take from `msg` what fits. True: the call may go on with the next one. */
static bool
take_from(struct unix_socket *u, struct taking *t, struct unix_message *msg)
{
	struct socket_message *m = t->m;
	size_t from = msg->offset + t->skip, n = MIN(msg->length - from, m->data->count), copied;
	bool carries = msg->rights != NULL;

	if (t->matching && !same_sender(msg, m))
		return false;
	if (!t->matching && (READ_ONCE(u->socket.options) & SOCKET_PASS_CREDENTIALS)) {
		unix_message_credentials(msg, m);
		t->matching = true;
	}
	if (t->done == 0)
		unix_tell_sender(msg->from, &m->address);
	copied = iov_copy_to(m->data, msg->data + from, n);
	if (copied < n) {
		if (t->done == 0)
			t->done = -EFAULT;
		return false;
	}
	t->done += (ssize_t)n;
	if (carries && unix_message_unload(msg, m)) {
		t->done = -ENOMEM;
		return false;
	}
	t->last = msg;
	t->skip = 0;
	socket_peek_moves(&u->socket, n, m->flags & MSG_PEEK);
	if (m->flags & MSG_PEEK)
		return !carries;
	msg->offset += (uint32_t)n;
	if (msg->offset < msg->length)
		return false;
	t->last = NULL;
	consume(u, msg);
	return !carries;
}

/* Sleep without read_lock, and so forget what was looked at. 0: look again, or an errno. */
static int
wait_for_data(struct unix_socket *u, struct taking *t, deadline_t *until)
{
	struct socket *s = &u->socket;
	int error;

	mutex_unlock(&u->read_lock);
	error = wait_event_deadline(&s->read_wait,
				    READ_ONCE(u->arrivals) != t->arrivals || READ_ONCE(s->error) ||
					    (READ_ONCE(s->shutdown) & SHUTDOWN_RECEIVE),
				    WAIT_INTERRUPTIBLE, *until);
	mutex_lock(&u->read_lock);
	t->last = NULL;
	t->skip = socket_peek_offset(&u->socket, t->m->flags);
	if (error != -ETIMEDOUT)
		return error ? socket_wait_error(error, *until) : 0;
	*until = 0;
	return 0;
}

/* The byte out of band: 1. -EINVAL: there is none, or it is read in its place. */
static ssize_t
receive_urgent(struct unix_socket *u, struct socket_message *m)
{
	struct unix_message *msg;
	bool peek = m->flags & MSG_PEEK;
	ssize_t result = 1;

	mutex_lock(&u->read_lock);
	mutex_lock(&u->socket.lock);
	msg = READ_ONCE(u->socket.options) & SOCKET_OOB_INLINE ? NULL : u->urgent;
	if (msg && !peek)
		WRITE_ONCE(u->urgent, NULL);
	mutex_unlock(&u->socket.lock);
	if (!msg)
		result = -EINVAL;
	else if (iov_copy_to(m->data, msg->data, 1) != 1)
		result = -EFAULT;
	else
		m->result |= MSG_OOB;
	if (msg && !peek)
		msg->offset = msg->length;
	mutex_unlock(&u->read_lock);
	return result;
}

ssize_t
unix_stream_receive(struct socket *s, struct socket_message *m)
{
	struct unix_socket *u = unix_of(s);
	deadline_t until = socket_deadline(s->receive_timeout, m->flags);
	size_t wanted = m->data->count;
	struct taking t = { .m = m };
	ssize_t end = 0;

	if (READ_ONCE(s->state) != SOCKET_CONNECTED)
		return -EINVAL;
	if (m->flags & MSG_OOB)
		return receive_urgent(u, m);
	t.target = m->flags & MSG_WAITALL ? wanted : MIN(wanted, (size_t)READ_ONCE(s->low_water));
	t.target = MAX(t.target, 1ul);
	mutex_lock(&u->read_lock);
	t.skip = socket_peek_offset(&u->socket, m->flags);
	do {
		struct unix_message *msg = next_message(u, &t, until, &end);
		enum pass pass = msg ? pass_message(u, &t, msg) : READ_IT;

		if (pass == STOP)
			break;
		if (pass == PASSED)
			continue;
		if (msg) {
			if (!take_from(u, &t, msg))
				break;
			continue;
		}
		if (end == 0)
			end = wait_for_data(u, &t, &until);
	} while (end == 0 && m->data->count > 0);
	mutex_unlock(&u->read_lock);
	m->has_credentials = true; /* nobody's, all zero, at the end of the stream */
	if (t.done != 0 || end >= 0)
		return t.done;
	return end;
}
