/* SPDX-License-Identifier: MIT */
/*
 * message.c - AF_UNIX messages: memory, who pays for it, and what travels along.
 *
 * A message is charged to its sender from birth until the receiver has consumed it. A sender may start a
 * message while its charges are below its limit, so one may go over; then it waits until three quarters
 * of the limit are free again.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/slab.h>

#include "unix.h"

/* What a message counts for: its bytes, with what Linux adds for a small one's buffer and header. */
static uint32_t
charge_of(size_t n)
{
	return (uint32_t)(ALIGN_UP(n + 320, 512) + 256);
}

static bool
has_room(const struct unix_socket *u)
{
	return atomic_load(&u->sent) < READ_ONCE(u->socket.send_limit);
}

static int
wait_for_room(struct unix_socket *u, deadline_t until)
{
	struct socket *s = &u->socket;

	for (;;) {
		int error = socket_take_error(s);

		if (error)
			return error;
		if (READ_ONCE(s->shutdown) & SHUTDOWN_SEND)
			return -EPIPE;
		if (has_room(u))
			return 0;
		/* Said before it is looked at again: a reader either leaves room for us to see or sees our wish. */
		atomic_store(&s->wants_room, true);
		if (has_room(u))
			return 0;
		if (until == 0)
			return -EAGAIN;
		error = wait_event_deadline(&s->write_wait,
					    has_room(u) || READ_ONCE(s->error) ||
						    (READ_ONCE(s->shutdown) & SHUTDOWN_SEND),
					    WAIT_INTERRUPTIBLE, until);
		if (error)
			return socket_wait_error(error, until);
	}
}

struct unix_message *
unix_message_create(struct unix_socket *u, size_t n, deadline_t until)
{
	size_t behind = n <= UNIX_INLINE_MAX ? n : 0;
	int error = wait_for_room(u, until);
	struct unix_message *m;

	if (error)
		return ERR_PTR(error);
	m = kmalloc(sizeof(*m) + behind, 0);
	if (!m)
		return ERR_PTR(-ENOBUFS);
	*m = (struct unix_message){ .from = u, .length = (uint32_t)n, .charge = charge_of(n) };
	list_init(&m->node);
	m->data = (char *)(m + 1);
	if (!behind && n) {
		m->data = vmalloc(n);
		if (!m->data) {
			kfree(m);
			return ERR_PTR(-ENOBUFS);
		}
	}
	unix_get(u);
	atomic_add(&u->sent, m->charge);
	return m;
}

void
unix_message_free(struct unix_message *m)
{
	struct unix_socket *from = m->from;

	if (m->rights) {
		unix_flight_end(m->rights);
		socket_rights_drop(m->rights);
	}
	if (m->data != (char *)(m + 1))
		vfree(m->data);
	atomic_sub(&from->sent, m->charge);
	if (unix_is_writable(from)) {
		wake_poll(&from->socket.write_wait, POLLOUT | POLLWRNORM | POLLWRBAND);
		if (READ_ONCE(from->socket.wants_room)) {
			WRITE_ONCE(from->socket.wants_room, false);
			async_tell(&from->socket.async, ASYNC_OUT);
		}
	}
	kfree(m);
	unix_put(from);
}

void
unix_messages_free(struct list *messages)
{
	struct unix_message *m, *tmp;

	list_for_each_safe (m, tmp, messages, node) {
		list_del_init(&m->node);
		unix_message_free(m);
	}
}

int
unix_message_load(struct unix_message *msg, struct socket_message *m)
{
	msg->has_credentials = m->has_credentials;
	msg->credentials = m->credentials;
	if (m->rights) {
		int error = unix_flight_begin(m->rights);

		if (error == -ETOOMANYREFS) { /* perhaps most of them are lost for good */
			unix_flight_collect();
			error = unix_flight_begin(m->rights);
		}
		if (error)
			return error;
		msg->rights = m->rights;
		m->rights = NULL;
	}
	return 0;
}

/* Who sends is noted when either side wants to know; else nobody will be told. */
void
unix_message_queue(struct unix_socket *to, struct unix_message *msg)
{
	uint32_t wanted = READ_ONCE(msg->from->socket.options) | READ_ONCE(to->socket.options);

	assert_mutex_held(&to->socket.lock);
	if (!msg->has_credentials && ((wanted & SOCKET_PASS_CREDENTIALS) || !to->socket.file)) {
		const struct cred *c = current_cred();

		msg->credentials = (struct socket_credentials){ current_process()->pid, c->uid, c->gid };
		msg->has_credentials = true;
	}
	if (READ_ONCE(to->socket.options) & (SOCKET_TIMESTAMP | SOCKET_TIMESTAMP_NS))
		msg->time = clock_realtime_ns();
	list_add_tail(&to->messages, &msg->node);
	to->queue_length++;
	WRITE_ONCE(to->arrivals, to->arrivals + 1);
}

int
unix_message_unload(struct unix_message *msg, struct socket_message *m)
{
	if (!msg->rights)
		return 0;
	if (m->flags & MSG_PEEK) {
		m->rights = unix_flight_copy(msg->rights);
		return m->rights ? 0 : -ENOMEM;
	}
	unix_flight_end(msg->rights);
	m->rights = msg->rights;
	msg->rights = NULL;
	return 0;
}

void
unix_message_credentials(const struct unix_message *msg, struct socket_message *m)
{
	m->has_credentials = true;
	m->credentials = msg->has_credentials
				 ? msg->credentials
				 : (struct socket_credentials){ 0, SOCKET_NOBODY, SOCKET_NOBODY };
}
