/* SPDX-License-Identifier: MIT */
/*
 * tcp_close.c - the ends of connections: shutdown, close, disconnecting. RFC 9293, 3.6; shutdown(2).
 *
 * Who changes both ends does so one after the other, so an end may find that its peer has gone on: to another
 * connection, or to none. What befalls the peer is only done if it still is this one's peer.
 */
#include <tessera/async.h>
#include <tessera/errno.h>
#include <tessera/poll.h>

#include "tcp.h"

/* `t` has said that it sends no more: its peer learns of it. No lock held. */
static void
end_arrives(struct tcp_socket *t, struct tcp_socket *from)
{
	struct socket *s = &t->inet.socket;
	bool waits = false;

	mutex_lock(&s->lock);
	if (t->peer != from || t->end_received || (t->state != TCP_ESTABLISHED && t->state != TCP_FIN_WAIT2)) {
		mutex_unlock(&s->lock);
		return;
	}
	atomic_store(&t->end_received, true);
	atomic_or(&s->shutdown, SHUTDOWN_RECEIVE);
	if (t->state == TCP_FIN_WAIT2) {
		waits = true;
		tcp_time_wait(t);
		tcp_closed(t);
	} else {
		t->state = TCP_CLOSE_WAIT;
	}
	mutex_unlock(&s->lock);
	wake_poll(&s->read_wait, POLLIN | POLLRDNORM | POLLRDHUP | (waits ? POLLHUP : 0));
	if (waits)
		wake_poll(&s->write_wait, POLLOUT | POLLWRNORM | POLLHUP);
	async_tell(&s->async, waits ? ASYNC_HUP : ASYNC_IN);
	tcp_admit_held(t);
}

/* No byte will go out any more: what was being put in is. No lock held. */
static void
stop_sending(struct tcp_socket *t)
{
	atomic_or(&t->inet.socket.shutdown, SHUTDOWN_SEND);
	mutex_lock(&t->send_lock);
	mutex_unlock(&t->send_lock);
}

/* Send the end, if it has not been; over a wire, the stack does. The peer, with a reference, or NULL: none is to be told. */
static struct tcp_socket *
send_end(struct tcp_socket *t)
{
	struct tcp_socket *peer = NULL;

	mutex_lock(&t->inet.socket.lock);
	if (t->wire) {
		tcp_wire_update(t);
	} else if (t->state == TCP_ESTABLISHED) {
		t->state = TCP_FIN_WAIT2;
		peer = t->peer;
	} else if (t->state == TCP_CLOSE_WAIT) {
		peer = t->peer;
		tcp_closed(t);
	}
	if (peer)
		tcp_get(peer);
	mutex_unlock(&t->inet.socket.lock);
	return peer;
}

static void
end_connection(struct tcp_socket *t)
{
	struct tcp_socket *peer;

	stop_sending(t);
	peer = send_end(t);
	if (!peer)
		return;
	end_arrives(peer, t);
	tcp_put(peer);
}

int
tcp_shutdown(struct socket *s, uint32_t how)
{
	struct tcp_socket *t = tcp_of(s);
	enum tcp_state state = READ_ONCE(t->state);

	if (state == TCP_LISTEN && !(how & SHUTDOWN_RECEIVE))
		return 0;
	if (state == TCP_LISTEN || state == TCP_SYN_SENT) {
		tcp_disconnect(t);
		return 0;
	}
	atomic_or(&s->shutdown, how);
	if (how & SHUTDOWN_SEND)
		end_connection(t);
	tcp_wake(t);
	return state == TCP_CLOSED ? -ENOTCONN : 0;
}

/*
 * Cut the connection with `peer`, whom `t` had when it was closed: he is reset if `reset`, and `t` has none any more. Takes over a
 * reference to him; NULL: there was none. Another thread may have been here before. No lock held.
 */
static void
leave_peer(struct tcp_socket *t, struct tcp_socket *peer, bool reset)
{
	bool ours, left;

	if (!peer)
		return;
	mutex_lock(&peer->inet.socket.lock);
	ours = peer->peer == t;
	mutex_unlock(&peer->inet.socket.lock);
	if (reset && ours)
		tcp_was_reset(peer);
	/* Who was putting bytes into our ring is through, and the next one sees why he may not. */
	mutex_lock(&peer->send_lock);
	mutex_unlock(&peer->send_lock);

	mutex_lock(&t->read_lock);
	mutex_lock(&t->send_lock);
	mutex_lock(&t->inet.socket.lock);
	left = t->peer == peer;
	if (left) {
		t->peer = NULL;
		byte_ring_destroy(&t->ring);
	}
	mutex_unlock(&t->inet.socket.lock);
	mutex_unlock(&t->send_lock);
	mutex_unlock(&t->read_lock);
	if (left)
		tcp_put(peer);
	tcp_put(peer);
}

/* Lock `t`, which does not listen then, whatever other threads ask of it. */
static void
lock_no_listener(struct tcp_socket *t)
{
	for (;;) {
		tcp_listen_end(t);
		mutex_lock(&t->inet.socket.lock);
		if (t->state != TCP_LISTEN)
			return;
		mutex_unlock(&t->inet.socket.lock);
	}
}

/*
 * (1) It is CLOSED: nobody joins it any more, and the stack's news do not concern it. (2) It lets go of whom it waited for, its
 * peer and its wire. Until that is done nobody can connect it, or listen (tcp_is_free()).
 */
void
tcp_disconnect(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;
	struct tcp_socket *peer;
	bool reset;

	lock_no_listener(t);
	reset = t->state != TCP_CLOSED;
	if (t->state != TCP_SYN_SENT) /* that was given up, and has not failed */
		tcp_count_broken(t);
	if (!t->inet.fixed_address)
		t->inet.local.address = inet_any(&t->inet);
	tcp_closed(t);
	s->state = SOCKET_UNCONNECTED;
	peer = t->peer;
	if (peer)
		tcp_get(peer);
	WRITE_ONCE(s->shutdown, 0);
	t->end_received = false;
	WRITE_ONCE(t->urgent_read, 0);
	atomic_store(&s->error, 0);
	atomic_store(&s->soft_error, 0);
	mutex_unlock(&s->lock);
	tcp_stop_waiting(t);
	leave_peer(t, peer, reset);
	tcp_wire_cut(t);
	tcp_wake(t);
}

/* What close means to the other side: the end, or, when something was left unread or was to be dropped, a reset. */
static bool
close_resets(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;

	if (READ_ONCE(t->state) == TCP_CLOSED)
		return false;
	if (byte_ring_length(&t->ring) > 0)
		return true;
	return (READ_ONCE(s->options) & SOCKET_LINGER) && READ_ONCE(s->linger) == 0;
}

/* Until all is acknowledged, for as long as SO_LINGER says. */
static void
linger(struct tcp_socket *t)
{
	struct socket *s = &t->inet.socket;
	deadline_t until = deadline_after(READ_ONCE(s->linger) * NSEC_PER_SEC);

	if (!(READ_ONCE(s->options) & SOCKET_LINGER))
		return;
	(void)wait_event_deadline(&s->write_wait,
				  READ_ONCE(t->state) != TCP_ESTABLISHED && READ_ONCE(t->state) != TCP_CLOSE_WAIT &&
					  READ_ONCE(t->state) != TCP_FIN_WAIT1 && READ_ONCE(t->state) != TCP_LAST_ACK &&
					  READ_ONCE(t->state) != TCP_CLOSING,
				  WAIT_INTERRUPTIBLE, until);
}

/* The file of a connection that leads out of the machine is gone; what was sent goes on. */
static void
release_wire(struct tcp_socket *t, bool reset)
{
	struct socket *s = &t->inet.socket;
	bool cut;

	if (!reset)
		linger(t);
	mutex_lock(&s->lock);
	atomic_store(&t->released, true);
	reset |= byte_ring_length(&t->ring) > 0; /* it came meanwhile */
	if (!reset) {
		tcp_wire_end(t);
	} else {
		tcp_count_broken(t);
		tcp_closed(t);
	}
	cut = reset || !t->wire || t->wire->over;
	if (cut)
		port_release(network_of(s), &t->inet.port);
	mutex_unlock(&s->lock);
	/* From here on the stack's thread may have cut it: something came that nobody will read. */
	if (cut)
		tcp_wire_cut(t);
	tcp_put(t);
}

void
tcp_release(struct socket *s)
{
	struct tcp_socket *t = tcp_of(s), *peer;
	bool reset, waits;

	tcp_stop_waiting(t);
	tcp_listen_end(t);
	reset = close_resets(t);
	if (!reset)
		end_connection(t);
	if (t->wire) {
		release_wire(t, reset);
		return;
	}
	mutex_lock(&s->lock);
	atomic_store(&t->released, true);
	waits = t->state == TCP_FIN_WAIT2 && !reset;
	if (waits)
		tcp_time_wait(t);
	if (reset)
		tcp_count_broken(t);
	reset |= byte_ring_length(&t->ring) > 0 && t->state != TCP_CLOSED; /* it came meanwhile */
	peer = t->peer;
	if (peer)
		tcp_get(peer);
	port_release(network_of(s), &t->inet.port);
	mutex_unlock(&s->lock);
	leave_peer(t, peer, reset);
	tcp_put(t);
}
