/* SPDX-License-Identifier: MIT */
/*
 * io_uring_socket.c - io_uring's operations on sockets, and from ring to ring.
 *
 * Accepting and receiving may be asked for once and be answered many times (multishot): each answer but the last
 * says that more follow, and the request waits for the socket between them.
 */
#include <tessera/file.h>
#include <tessera/handle.h>
#include <tessera/poll.h>
#include <tessera/socket.h>

#include "io_uring.h"
#include "io_uring_ops.h"
#include "linux.h"
#include "socket.h"

/* In place of a priority. */
#define ACCEPT_MULTISHOT BIT(0)
#define POLL_FIRST       BIT(0)
#define RECV_MULTISHOT   BIT(1)

#define MESSAGE_DATA 0
#define MESSAGE_FILE 1
#define MESSAGE_SKIP BIT(0) /* the other ring is not told of the file */

static enum uring_verdict
wait_for(struct uring_request *q, uint32_t events, struct uring_answer *a)
{
	int error;

	if (!uring_request_file(q, &error))
		return done(a, error);
	a->events = events;
	return URING_WAIT;
}

static enum uring_verdict
again_when(struct uring_request *q, const struct uring_sqe *s, long result, uint32_t events,
	   struct uring_answer *a)
{
	if (result != -EAGAIN || (s->op_flags & MSG_DONTWAIT))
		return done(a, result);
	return wait_for(q, events, a);
}

/* Is the socket to be waited for before it is tried? */
static bool
waits_first(struct uring_request *q, const struct uring_sqe *s)
{
	return (s->priority & POLL_FIRST) && !uring_request_has_waited(q);
}

RUN_DECLARE(send)
{
	uint32_t flags = s->op_flags | MSG_DONTWAIT | MSG_NOSIGNAL;

	(void)may_sleep;
	if ((s->priority & ~POLL_FIRST) || s->file_index || s->offset)
		return done(a, -EINVAL);
	if (waits_first(q, s))
		return wait_for(q, POLLOUT, a);
	return again_when(q, s, WITH_HANDLE(q, s, linux_sendto(fd, user(s->address), s->length, flags, NULL, 0)),
			  POLLOUT, a);
}

RUN_DECLARE(sendmsg)
{
	(void)may_sleep;
	if ((s->priority & ~POLL_FIRST) || s->file_index || s->offset)
		return done(a, -EINVAL);
	if (waits_first(q, s))
		return wait_for(q, POLLOUT, a);
	return again_when(q, s, WITH_HANDLE(q, s, linux_sendmsg(fd, user(s->address),
							     s->op_flags | MSG_DONTWAIT | MSG_NOSIGNAL)),
			  POLLOUT, a);
}

/* One message, into the buffer that was named or a provided one. */
static long
receive(struct uring_request *q, const struct uring_sqe *s, struct uring_answer *a)
{
	uint32_t flags = s->op_flags | MSG_DONTWAIT, size = s->length;
	uint64_t address = s->address;
	long result;

	if (s->flags & SQE_BUFFER_SELECT) {
		result = uring_select(q, &address, &size, &a->flags);
		if (result)
			return result;
	}
	result = WITH_HANDLE(q, s, linux_recvfrom(fd, user(address), size, flags, NULL, NULL));
	if (result <= 0) { /* nothing came into it */
		uring_give_back(q);
		a->flags = 0;
	}
	return result;
}

static bool
recv_is_right(const struct uring_sqe *s)
{
	if ((s->priority & ~(POLL_FIRST | RECV_MULTISHOT)) || s->file_index || s->offset)
		return false;
	if (!(s->priority & RECV_MULTISHOT))
		return true;
	return (s->flags & SQE_BUFFER_SELECT) && !(s->op_flags & MSG_WAITALL) && !s->length;
}

RUN_DECLARE(recv)
{
	long result;

	(void)may_sleep;
	if (!recv_is_right(s))
		return done(a, -EINVAL);
	if (waits_first(q, s))
		return wait_for(q, POLLIN, a);
	for (;;) {
		result = receive(q, s, a);
		if (result <= 0 || !(s->priority & RECV_MULTISHOT) ||
		    !uring_post_more(q, (int32_t)result, a->flags | CQE_MORE))
			return again_when(q, s, result, POLLIN, a);
		uring_use_up(q);
		a->flags = 0;
	}
}

/* Many at once would need a header before each: not offered. */
RUN_DECLARE(recvmsg)
{
	(void)may_sleep;
	if ((s->priority & ~POLL_FIRST) || s->file_index || s->offset)
		return done(a, -EINVAL);
	if (waits_first(q, s))
		return wait_for(q, POLLIN, a);
	return again_when(q, s, WITH_HANDLE(q, s, linux_recvmsg(fd, user(s->address),
							     s->op_flags | MSG_DONTWAIT)),
			  POLLIN, a);
}

static bool
accept_is_right(const struct uring_sqe *s)
{
	uint32_t place = (uint32_t)s->file_index;

	if (s->length || s->buffer || (s->priority & ~ACCEPT_MULTISHOT) ||
	    (s->op_flags & ~(O_NONBLOCK | O_CLOEXEC)))
		return false;
	if (place && (s->op_flags & O_CLOEXEC))
		return false;
	return !(s->priority & ACCEPT_MULTISHOT) || !place || place == URING_ALLOCATE;
}

RUN_DECLARE(accept)
{
	struct uring_file fresh = { .rights = RIGHT_ALL };
	struct socket *listener;
	struct file *f;
	long result;
	int error;

	(void)may_sleep;
	if (!accept_is_right(s))
		return done(a, -EINVAL);
	f = io_uring_file_for(q, s, RIGHT_ACCEPT, &error);
	if (!f)
		return done(a, error);
	listener = file_socket(f);
	if (!listener)
		return done(a, -ENOTSOCK);
	for (;;) {
		result = socket_accept_file(listener, MSG_DONTWAIT, s->op_flags, user(s->address), user(s->offset),
					    &fresh.file);
		if (result == -EAGAIN)
			return wait_for(q, POLLIN, a);
		if (result == 0)
			result = io_uring_keep(q, s, fresh, s->op_flags & O_CLOEXEC);
		if (result < 0 || !(s->priority & ACCEPT_MULTISHOT) ||
		    !uring_post_more(q, (int32_t)result, CQE_MORE))
			return done(a, result);
	}
}

RUN_DECLARE(connect)
{
	if (s->length || s->buffer || s->op_flags || s->file_index)
		return done(a, -EINVAL);
	if (!may_sleep)
		return URING_WORKER;
	return done(a, WITH_HANDLE(q, s, linux_connect(fd, user(s->address), (int)s->offset)));
}

RUN_DECLARE(socket)
{
	struct uring_file f = { .rights = RIGHT_ALL };
	int error, type = (int)s->offset;
	uint32_t flags;

	(void)may_sleep;
	if (s->address || s->op_flags || s->buffer || (s->file_index && (type & O_CLOEXEC)))
		return done(a, -EINVAL);
	error = socket_file_new(s->fd, type, (int)s->length, &flags, &f.file);
	return done(a, error ? error : io_uring_keep(q, s, f, flags & O_CLOEXEC));
}

RUN_DECLARE(shutdown)
{
	(void)may_sleep;
	if (s->offset || s->address || s->op_flags || s->buffer || s->file_index)
		return done(a, -EINVAL);
	return done(a, WITH_HANDLE(q, s, linux_shutdown(fd, (int)s->length)));
}

/* --- from ring to ring ---------------------------------------------------------------------------- */

/* A registered file becomes one of the other ring's too. */
static long
send_file(struct uring_request *q, const struct uring_sqe *s, struct uring *to)
{
	struct uring_file f;
	int result, told;

	if (to == uring_request_ring(q))
		return -EINVAL;
	f = uring_file_at(uring_request_ring(q), (uint32_t)s->address3);
	if (!f.file)
		return -EBADF;
	result = uring_install_file(to, (uint32_t)s->file_index, f);
	if (result < 0) {
		file_put(f.file);
		return result;
	}
	told = s->op_flags & MESSAGE_SKIP ? 0 : uring_message(to, s->offset, (int32_t)s->length);
	return told ? told : result;
}

RUN_DECLARE(msg_ring)
{
	struct uring *to;
	struct file *f;
	int error;

	(void)may_sleep;
	if (s->buffer || (s->op_flags & ~MESSAGE_SKIP))
		return done(a, -EINVAL);
	f = uring_request_file(q, &error);
	if (!f)
		return done(a, error);
	to = file_uring(f);
	if (!to)
		return done(a, -EBADFD);
	switch (s->address) {
	case MESSAGE_DATA:
		if (s->address3 || s->file_index || s->op_flags)
			return done(a, -EINVAL);
		return done(a, uring_message(to, s->offset, (int32_t)s->length));
	case MESSAGE_FILE:
		return done(a, send_file(q, s, to));
	}
	return done(a, -EINVAL);
}
