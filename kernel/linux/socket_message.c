/* SPDX-License-Identifier: MIT */
/*
 * socket_message.c - sendto, sendmsg, sendmmsg, recvfrom, recvmsg, recvmmsg.
 *
 * Control messages lie one behind the other, each aligned to 8 bytes:
 *
 *	offset 0  8 bytes  length, this header included
 *	       8  4        level: SOL_SOCKET
 *	      12  4        type: SCM_RIGHTS (an array of fds), SCM_CREDENTIALS (pid, uid, gid); received
 *			   only: SCM_TIMESTAMP (a timeval), SCM_TIMESTAMPNS (a timespec)
 *	      16           data
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/namespace.h>
#include <tessera/pid_namespace.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>
#include <tessera/uring.h>

#include "linux.h"
#include "socket.h"

#define SOL_SOCKET      1
#define SCM_RIGHTS      1
#define SCM_CREDENTIALS 2
#define SCM_TIMESTAMP   29
#define SCM_TIMESTAMPNS 35
#define SCM_TIMESTAMPING 37
#define SCM_DROPS       40 /* SO_RXQ_OVFL */

#define CONTROL_MAX    20480u /* net.core.optmem_max */
#define MESSAGES_MAX   1024u
#define VECTOR_FAST    8

struct linux_msghdr {
	void __user *name;
	int32_t name_length;
	uint32_t pad0;
	struct iovec __user *segments;
	uint64_t segment_count;
	void __user *control;
	uint64_t control_length;
	uint32_t flags;
	uint32_t pad1;
};
_Static_assert(sizeof(struct linux_msghdr) == 56, "Linux's layout");

struct linux_mmsghdr {
	struct linux_msghdr message;
	uint32_t length;
	uint32_t pad;
};
_Static_assert(sizeof(struct linux_mmsghdr) == 64, "Linux's layout");

struct linux_cmsghdr {
	uint64_t length;
	int32_t level, type;
};

static size_t
control_space(size_t data)
{
	return sizeof(struct linux_cmsghdr) + ALIGN_UP(data, 8);
}

/* --- control messages of a sender --------------------------------------------------------------- */

/* The file goes with the rights of this handle, no others. */
static int
add_file(struct socket_rights *r, int fd)
{
	uint64_t rights;
	struct file *f = handle_table_get(current_process()->handles, fd, &rights);

	if (!f)
		return -EBADF;
	if (file_uring(f)) { /* it may hold the socket itself, and neither would ever end */
		file_put(f);
		return -EINVAL;
	}
	if (!(rights & RIGHT_GRANT)) {
		file_put(f);
		return -EPERM;
	}
	r->entry[r->count].file = f;
	r->entry[r->count++].rights = rights;
	return 0;
}

static int
parse_rights(const void *data, size_t size, struct socket_message *m)
{
	size_t n = size / sizeof(int);
	int error = 0;

	if (n == 0)
		return 0;
	if (n > SOCKET_RIGHTS_MAX)
		return -EINVAL;
	if (!m->rights)
		m->rights = socket_rights_create();
	if (!m->rights)
		return -ENOMEM;
	if (n > SOCKET_RIGHTS_MAX - m->rights->count)
		return -EINVAL;
	for (size_t i = 0; i < n && !error; i++)
		error = add_file(m->rights, ((const int *)data)[i]);
	return error;
}

/* Only the privileged may speak for somebody else. unix(7). */
static int
parse_credentials(const void *data, size_t size, struct socket_message *m)
{
	const struct cred *c = current_cred();
	struct socket_credentials given;

	if (size != sizeof(given))
		return -EINVAL;
	memcpy(&given, data, sizeof(given));
	given.uid = uid_from_user(given.uid);
	given.gid = gid_from_user(given.gid);
	if (given.uid == ID_INVALID || given.gid == ID_INVALID)
		return -EINVAL;
	/* Over the namespace that the numbers are of: who made himself root of users only is not. */
	if (given.pid != current_process()->local_pid &&
	    !capable_in(current_pid_namespace()->ns.owner, CAP_SYS_ADMIN))
		return -EPERM;
	if (given.uid != c->uid && given.uid != c->euid && given.uid != c->suid && !capable_here(CAP_SETUID))
		return -EPERM;
	if (given.gid != c->gid && given.gid != c->egid && given.gid != c->sgid && !capable_here(CAP_SETGID))
		return -EPERM;
	if (given.pid != current_process()->local_pid) {
		struct process *p = process_find_by_thread(given.pid);

		if (!p)
			return -ESRCH;
		process_put(p);
	}
	given.pid = pid_given(given.pid);
	m->credentials = given;
	m->has_credentials = true;
	return 0;
}

static int
parse_control(struct socket *s, const char *control, size_t size, struct socket_message *m)
{
	size_t at = 0;

	while (size - at >= sizeof(struct linux_cmsghdr)) {
		const struct linux_cmsghdr *h = (const void *)(control + at);
		size_t data = h->length - sizeof(*h);
		int error = 0;

		if (h->length < sizeof(*h) || h->length > size - at)
			return -EINVAL;
		if (h->level == SOL_SOCKET && h->type == SCM_RIGHTS)
			error = parse_rights(h + 1, data, m);
		else if (h->level == SOL_SOCKET && h->type == SCM_CREDENTIALS)
			error = parse_credentials(h + 1, data, m);
		else if (h->level == SOL_SOCKET)
			error = -EINVAL;
		else if (s->family == AF_INET || s->family == AF_INET6)
			error = inet_control_parse(s, h->level, h->type, h + 1, data, m);
		if (error)
			return error;
		at += MIN(control_space(data), size - at);
	}
	return 0;
}

/* The sender's control messages as they are; *out is NULL when there are none. */
static int
copy_control(const struct linux_msghdr *h, char **out)
{
	char *control;

	*out = NULL;
	if (h->control_length == 0)
		return 0;
	if (h->control_length > CONTROL_MAX)
		return -ENOBUFS;
	control = kmalloc(h->control_length, 0);
	if (!control)
		return -ENOBUFS;
	if (copy_from_user(control, h->control, h->control_length)) {
		kfree(control);
		return -EFAULT;
	}
	*out = control;
	return 0;
}

/* --- control messages for a receiver ------------------------------------------------------------ */

void
socket_control_put(struct control_out *out, int level, int type, const void *data, size_t size)
{
	struct linux_cmsghdr h = { sizeof(h) + size, level, type };

	if (!out->at || out->left < sizeof(h)) {
		*out->result |= MSG_CTRUNC;
		return;
	}
	if (out->left < h.length) {
		*out->result |= MSG_CTRUNC;
		h.length = out->left;
	}
	if (copy_to_user(out->at, &h, sizeof(h)) ||
	    copy_to_user(out->at + sizeof(h), data, h.length - sizeof(h)))
		return;
	size = MIN(control_space(size), out->left);
	out->at += size;
	out->left -= size;
}

/* Install file i of `r` and write its number to *slot: 0, or why it did not go. */
static int
install_one(struct socket_rights *r, uint32_t i, int __user *slot, bool cloexec)
{
	struct process *p = current_process();
	uint32_t limit = (uint32_t)MIN(process_limit(p, RLIMIT_NOFILE), (uint64_t)UINT32_MAX);
	int fd = handle_reserve(p->handles, 0, limit);

	if (fd < 0)
		return fd;
	if (put_user(fd, slot)) {
		handle_unreserve(p->handles, fd);
		return -EFAULT;
	}
	file_get(r->entry[i].file);
	handle_install(p->handles, fd, r->entry[i].file, r->entry[i].rights, cloexec);
	return 0;
}

/* What does not fit is closed, and MSG_CTRUNC tells. */
static void
put_rights(struct control_out *out, struct socket_rights *r, bool cloexec)
{
	size_t room = out->at && out->left > sizeof(struct linux_cmsghdr)
			      ? (out->left - sizeof(struct linux_cmsghdr)) / sizeof(int)
			      : 0;
	int __user *slot = (int __user *)(out->at + sizeof(struct linux_cmsghdr));
	uint32_t n = (uint32_t)MIN(room, (size_t)r->count), i = 0;
	struct linux_cmsghdr h = { 0, SOL_SOCKET, SCM_RIGHTS };
	size_t size;

	while (i < n && install_one(r, i, slot + i, cloexec) == 0)
		i++;
	if (i < r->count)
		*out->result |= MSG_CTRUNC;
	if (i == 0)
		return;
	h.length = sizeof(h) + i * sizeof(int);
	if (copy_to_user(out->at, &h, sizeof(h)))
		return;
	size = MIN(control_space(i * sizeof(int)), out->left);
	out->at += size;
	out->left -= size;
}

static void
put_time(struct socket *s, struct control_out *out, uint64_t ns, uint32_t options)
{
	struct timespec64 ts = ns_timespec(ns), three[3] = { ts, { 0 }, { 0 } };
	struct linux_timeval tv = { ts.tv_sec, ts.tv_nsec / 1000 };

	if (READ_ONCE(s->timestamping) & SOCKET_TIMESTAMPING_SOFTWARE)
		socket_control_put(out, SOL_SOCKET, SCM_TIMESTAMPING, three, sizeof(three));

	if (options & SOCKET_TIMESTAMP_NS)
		socket_control_put(out, SOL_SOCKET, SCM_TIMESTAMPNS, &ts, sizeof(ts));
	else if (options & SOCKET_TIMESTAMP)
		socket_control_put(out, SOL_SOCKET, SCM_TIMESTAMP, &tv, sizeof(tv));
}

/* As the receiver numbers who sent it. */
static void
put_credentials(struct control_out *out, const struct socket_credentials *c)
{
	struct socket_credentials shown = { pid_shown(c->pid), uid_shown(c->uid), gid_shown(c->gid) };

	socket_control_put(out, SOL_SOCKET, SCM_CREDENTIALS, &shown, sizeof(shown));
}

static void
put_all_control(struct socket *s, struct control_out *out, struct socket_message *m, size_t captured)
{
	uint32_t options = READ_ONCE(s->options);
	bool credentials = m->has_credentials && (options & SOCKET_PASS_CREDENTIALS);

	if (m->time)
		put_time(s, out, m->time, options);
	if (m->drops && (options & SOCKET_COUNT_DROPS))
		socket_control_put(out, SOL_SOCKET, SCM_DROPS, &m->drops, sizeof(m->drops));
	if (s->family == AF_INET || s->family == AF_INET6)
		inet_control_put(s, out, m);
	if (s->family == AF_PACKET)
		packet_control_put(s, out, m, captured);
	if (!out->at) {
		if (credentials || m->rights)
			*out->result |= MSG_CTRUNC;
		return;
	}
	if (credentials)
		put_credentials(out, &m->credentials);
	if (m->rights)
		put_rights(out, m->rights, m->flags & MSG_CMSG_CLOEXEC);
}

/* --- one message -------------------------------------------------------------------------------- */

/* A header from the program, checked as far as both directions agree. */
static int
get_header(const struct linux_msghdr __user *from, struct linux_msghdr *h)
{
	if (copy_from_user(h, from, sizeof(*h)))
		return -EFAULT;
	if (!h->name)
		h->name_length = 0;
	if (h->name_length < 0)
		return -EINVAL;
	h->name_length = MIN(h->name_length, (int32_t)SOCKET_ADDRESS_MAX);
	return h->segment_count > IOV_MAX ? -EMSGSIZE : 0;
}

static ssize_t
send_one(struct socket *s, const struct linux_msghdr __user *user, uint32_t flags)
{
	struct iovec fast[VECTOR_FAST], *v;
	struct linux_msghdr h;
	struct iov_iter it;
	struct socket_message m = { .data = &it, .flags = flags };
	char *control;
	ssize_t n = get_header(user, &h);

	if (!n)
		n = socket_address_get(h.name, h.name_length, &m.address);
	if (n)
		return n;
	n = iov_import(h.segments, h.segment_count, fast, &v);
	if (n < 0)
		return n;
	iov_iter_segments(&it, v, (uint32_t)h.segment_count, (size_t)n);
	n = copy_control(&h, &control);
	if (n)
		goto free_vector;
	n = s->ops->check_send ? s->ops->check_send(s) : 0;
	if (!n && control)
		n = parse_control(s, control, h.control_length, &m);
	if (!n)
		n = socket_send(s, &m);
	socket_rights_drop(m.rights);
	kfree(control);
free_vector:
	iov_import_free(fast, v);
	return n;
}

/* Name, flags and the length of the control part go back into the header. */
static int
put_header(struct linux_msghdr __user *user, const struct linux_msghdr *h, const struct socket_message *m,
	   size_t control_used)
{
	int error = 0;

	if (h->name)
		error = socket_address_put(&m->address, h->name, &user->name_length);
	if (!error)
		error = put_user(m->result, &user->flags);
	if (!error)
		error = put_user(control_used, &user->control_length);
	return error;
}

static ssize_t
receive_one(struct socket *s, struct linux_msghdr __user *user, uint32_t flags)
{
	struct iovec fast[VECTOR_FAST], *v;
	struct linux_msghdr h;
	struct iov_iter it;
	struct socket_message m = { .data = &it, .flags = flags, .result = flags & MSG_CMSG_CLOEXEC };
	struct control_out out;
	ssize_t n = get_header(user, &h);
	int error;

	if (n)
		return n;
	n = iov_import(h.segments, h.segment_count, fast, &v);
	if (n < 0)
		return n;
	iov_iter_segments(&it, v, (uint32_t)h.segment_count, (size_t)n);
	n = socket_receive(s, &m);
	iov_import_free(fast, v);
	if (n >= 0) {
		out = (struct control_out){ h.control, h.control_length, &m.result };
		put_all_control(s, &out, &m, (size_t)n);
		error = put_header(user, &h, &m, h.control_length - out.left);
		if (error)
			n = error;
	}
	socket_rights_drop(m.rights);
	return n;
}

/* --- the calls ---------------------------------------------------------------------------------- */

long
linux_sendto(int fd, const void __user *buf, size_t count, unsigned int flags, const void __user *address,
	     int length)
{
	struct iovec one;
	struct iov_iter it;
	struct socket_message m = { .data = &it, .flags = flags };
	struct file *f;
	struct socket *s;
	int error = 0;
	ssize_t n;

	count = MIN(count, RW_MAX);
	if (!user_range_ok(buf, count))
		return -EFAULT;
	s = socket_get(fd, RIGHT_SEND, &f, &error);
	if (!s)
		return error;
	iov_iter_user(&it, &one, __force_user(void __user *, buf), count);
	n = address ? socket_address_get(address, length, &m.address) : 0;
	if (!n)
		n = socket_send(s, &m);
	file_put(f);
	return n;
}

long
linux_sendmsg(int fd, struct linux_msghdr __user *message, unsigned int flags)
{
	struct file *f;
	int error = 0;
	struct socket *s;
	ssize_t n;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	s = socket_get(fd, RIGHT_SEND, &f, &error);
	if (!s)
		return error;
	n = send_one(s, message, flags);
	file_put(f);
	return n;
}

/*
 * One message of an array that may be anywhere, NULL for one: naming a member of what is not there has no
 * meaning in C, so the member's place is taken for granted.
 */
static struct linux_msghdr __user *
message_at(struct linux_mmsghdr __user *messages, unsigned int i)
{
	_Static_assert(offsetof(struct linux_mmsghdr, message) == 0, "the message comes first");
	return (struct linux_msghdr __user *)(messages + i);
}

/* Messages sent; an error is told only when none went. */
long
linux_sendmmsg(int fd, struct linux_mmsghdr __user *messages, unsigned int count, unsigned int flags)
{
	struct file *f;
	int error = 0;
	struct socket *s;
	unsigned int done;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	s = socket_get(fd, RIGHT_SEND, &f, &error);
	if (!s)
		return error;
	count = MIN(count, MESSAGES_MAX);
	for (done = 0; done < count; done++) {
		ssize_t n = send_one(s, message_at(messages, done), flags);

		error = n < 0 ? (int)n : put_user((uint32_t)n, &messages[done].length);
		if (error)
			break;
	}
	file_put(f);
	return done > 0 ? (long)done : error;
}

long
linux_recvfrom(int fd, void __user *buf, size_t count, unsigned int flags, void __user *address,
	       int __user *length)
{
	struct iovec one;
	struct iov_iter it;
	struct socket_message m = { .data = &it, .flags = flags };
	struct file *f;
	struct socket *s;
	int error = 0;
	ssize_t n;

	count = MIN(count, RW_MAX);
	if (!user_range_ok(buf, count))
		return -EFAULT;
	s = socket_get(fd, RIGHT_RECEIVE, &f, &error);
	if (!s)
		return error;
	iov_iter_user(&it, &one, buf, count);
	n = socket_receive(s, &m);
	socket_rights_drop(m.rights);
	if (n >= 0 && address) {
		error = socket_address_put(&m.address, address, length);
		if (error)
			n = error;
	}
	file_put(f);
	return n;
}

long
linux_recvmsg(int fd, struct linux_msghdr __user *message, unsigned int flags)
{
	struct file *f;
	int error = 0;
	struct socket *s;
	ssize_t n;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	s = socket_get(fd, RIGHT_RECEIVE, &f, &error);
	if (!s)
		return error;
	n = receive_one(s, message, flags);
	file_put(f);
	return n;
}

/*
 * Up to `count` messages. The time limit is looked at after each one only, as on Linux: it does not end the
 * wait for a message. An error behind the first message is kept for the next call.
 */
static long
receive_many(struct socket *s, struct linux_mmsghdr __user *messages, unsigned int count, uint32_t flags,
	     deadline_t until)
{
	uint32_t once = flags & MSG_WAITFORONE;
	unsigned int done;
	int error = socket_take_error(s);

	if (error)
		return error;
	flags &= ~MSG_WAITFORONE;
	for (done = 0; done < count; ) {
		ssize_t n = receive_one(s, message_at(messages, done), flags);

		error = n < 0 ? (int)n : put_user((uint32_t)n, &messages[done].length);
		if (error)
			break;
		done++;
		if (once)
			flags |= MSG_DONTWAIT;
		if (until != DEADLINE_NEVER && clock_monotonic_ns() >= until)
			break;
	}
	if (done == 0)
		return error;
	if (error && error != -EAGAIN)
		atomic_store(&s->error, -error);
	return done;
}

long
linux_recvmmsg(int fd, struct linux_mmsghdr __user *messages, unsigned int count, unsigned int flags,
	       struct timespec64 __user *timeout)
{
	deadline_t until = DEADLINE_NEVER;
	struct timespec64 ts;
	struct file *f;
	struct socket *s;
	int error = 0;
	long n;

	if (flags & MSG_CMSG_COMPAT)
		return -EINVAL;
	if (timeout) {
		if (copy_from_user(&ts, timeout, sizeof(ts)))
			return -EFAULT;
		if (!timespec_valid(&ts))
			return -EINVAL;
		until = deadline_after(timespec_ns(&ts));
	}
	s = socket_get(fd, RIGHT_RECEIVE, &f, &error);
	if (!s)
		return error;
	n = receive_many(s, messages, MIN(count, MESSAGES_MAX), flags, until);
	file_put(f);
	if (timeout && n > 0) {
		uint64_t now = clock_monotonic_ns();

		ts = ns_timespec(until > now ? until - now : 0);
		if (copy_to_user(timeout, &ts, sizeof(ts)))
			return -EFAULT;
	}
	return n;
}
