/* SPDX-License-Identifier: MIT */
/*
 * socket_options.c - setsockopt, getsockopt: socket(7).
 *
 * Only the level SOL_SOCKET has options; no family here has a level of its own.
 */
#include <tessera/cpu.h>
#include <tessera/cred.h>
#include <tessera/errno.h>
#include <tessera/inet.h>
#include <tessera/namespace.h>
#include <tessera/network.h>
#include <tessera/pid_namespace.h>
#include <tessera/network.h>
#include <tessera/poll.h>
#include <tessera/process.h>
#include <tessera/slab.h>
#include <tessera/string.h>
#include <tessera/uaccess.h>

#include "linux.h"
#include "socket.h"

#define SOL_SOCKET 1

#define SO_DEBUG        1
#define SO_REUSEADDR    2
#define SO_TYPE         3
#define SO_ERROR        4
#define SO_DONTROUTE    5
#define SO_BROADCAST    6
#define SO_SNDBUF       7
#define SO_RCVBUF       8
#define SO_KEEPALIVE    9
#define SO_OOBINLINE    10
#define SO_NO_CHECK     11
#define SO_PRIORITY     12
#define SO_LINGER       13
#define SO_BSDCOMPAT    14
#define SO_REUSEPORT    15
#define SO_PASSCRED     16
#define SO_PEERCRED     17
#define SO_RCVLOWAT     18
#define SO_SNDLOWAT     19
#define SO_RCVTIMEO     20
#define SO_SNDTIMEO     21
#define SO_BINDTODEVICE 25
#define SO_ATTACH_FILTER 26 /* as getsockopt: SO_GET_FILTER */
#define SO_DETACH_FILTER 27
#define SO_PEERNAME     28
#define SO_TIMESTAMP    29
#define SO_ACCEPTCONN   30
#define SO_SNDBUFFORCE  32
#define SO_RCVBUFFORCE  33
#define SO_PASSSEC      34
#define SO_TIMESTAMPNS  35
#define SO_MARK         36
#define SO_TIMESTAMPING 37
#define SO_PROTOCOL     38
#define SO_DOMAIN       39
#define SO_RXQ_OVFL     40
#define SO_WIFI_STATUS  41
#define SO_PEEK_OFF     42
#define SO_NOFCS        43
#define SO_LOCK_FILTER  44
#define SO_SELECT_ERR_QUEUE 45
#define SO_BUSY_POLL    46
#define SO_MAX_PACING_RATE 47
#define SO_BPF_EXTENSIONS 48
#define SO_INCOMING_CPU 49
#define SO_CNX_ADVICE   53
#define SO_MEMINFO      55
#define SO_INCOMING_NAPI_ID 56
#define SO_COOKIE       57
#define SO_PEERGROUPS   59
#define SO_ZEROCOPY     60
#define SO_TXTIME       61
#define SO_BINDTOIFINDEX 62
#define SO_RCVTIMEO_NEW 66
#define SO_SNDTIMEO_NEW 67
#define SO_PREFER_BUSY_POLL 69
#define SO_BUSY_POLL_BUDGET 70
#define SO_NETNS_COOKIE 71
#define SO_BUF_LOCK     72
#define SO_RESERVE_MEM  73
#define SO_TXREHASH     74

#define BUFFER_LOCKS     3u
#define BPF_EXTENSIONS  64 /* how much of packets classic filters know of */
#define MEMINFO_WORDS    9

/* Linux doubles what is asked for, as its buffers count their overhead; programs see that. */
#define SEND_LIMIT_MIN    4608u
#define RECEIVE_LIMIT_MIN 2304u

struct linux_linger {
	int32_t on, seconds;
};

/* Options that are a bit and nothing else. 0: not one of them. */
static uint32_t
option_bit(int option)
{
	switch (option) {
	case SO_DEBUG:
		return SOCKET_DEBUG;
	case SO_REUSEADDR:
		return SOCKET_REUSE_ADDRESS;
	case SO_REUSEPORT:
		return SOCKET_REUSE_PORT;
	case SO_DONTROUTE:
		return SOCKET_DONT_ROUTE;
	case SO_BROADCAST:
		return SOCKET_BROADCAST;
	case SO_KEEPALIVE:
		return SOCKET_KEEPALIVE;
	case SO_OOBINLINE:
		return SOCKET_OOB_INLINE;
	case SO_PASSCRED:
		return SOCKET_PASS_CREDENTIALS;
	case SO_PASSSEC:
		return SOCKET_PASS_SECURITY;
	case SO_TIMESTAMP:
		return SOCKET_TIMESTAMP;
	case SO_TIMESTAMPNS:
		return SOCKET_TIMESTAMP_NS;
	case SO_NO_CHECK:
		return SOCKET_NO_CHECKSUM;
	case SO_RXQ_OVFL:
		return SOCKET_COUNT_DROPS;
	case SO_WIFI_STATUS:
		return SOCKET_WIFI_STATUS;
	case SO_NOFCS:
		return SOCKET_NO_FCS;
	case SO_LOCK_FILTER:
		return SOCKET_LOCK_FILTER;
	case SO_SELECT_ERR_QUEUE:
		return SOCKET_ERROR_QUEUE_EVENT;
	case SO_PREFER_BUSY_POLL:
		return SOCKET_PREFER_BUSY_POLL;
	default:
		return 0;
	}
}

static void
set_bit_to(struct socket *s, uint32_t bit, bool on)
{
	if (on)
		atomic_or(&s->options, bit);
	else
		atomic_and(&s->options, ~bit);
}

/* --- setting ------------------------------------------------------------------------------------ */

static int
set_timeout(uint64_t *timeout, const void __user *value, int length)
{
	struct linux_timeval tv;
	uint64_t ns;

	if (length < (int)sizeof(tv))
		return -EINVAL;
	if (copy_from_user(&tv, value, sizeof(tv)))
		return -EFAULT;
	if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
		return -EDOM;
	if (tv.tv_sec < 0)
		ns = 0;
	else if ((tv.tv_sec == 0 && tv.tv_usec == 0) || (uint64_t)tv.tv_sec >= INT64_MAX / NSEC_PER_SEC)
		ns = UINT64_MAX;
	else
		ns = (uint64_t)tv.tv_sec * NSEC_PER_SEC + (uint64_t)tv.tv_usec * NSEC_PER_USEC;
	WRITE_ONCE(*timeout, ns);
	return 0;
}

static int
set_linger(struct socket *s, const void __user *value, int length)
{
	struct linux_linger l;

	if (length < (int)sizeof(l))
		return -EINVAL;
	if (copy_from_user(&l, value, sizeof(l)))
		return -EFAULT;
	set_bit_to(s, SOCKET_LINGER, l.on);
	if (l.on)
		WRITE_ONCE(s->linger, (uint32_t)l.seconds);
	return 0;
}

static int
set_send_limit(struct socket *s, uint32_t n)
{
	WRITE_ONCE(s->send_limit, MAX(MIN(n, (uint32_t)INT32_MAX / 2) * 2, SEND_LIMIT_MIN));
	atomic_or(&s->buffer_lock, SOCKET_SEND_LOCKED);
	wake_poll(&s->write_wait, POLLOUT | POLLWRNORM | POLLWRBAND);
	return 0;
}

static int
set_receive_limit(struct socket *s, uint32_t n)
{
	WRITE_ONCE(s->receive_limit, MAX(MIN(n, (uint32_t)INT32_MAX / 2) * 2, RECEIVE_LIMIT_MIN));
	atomic_or(&s->buffer_lock, SOCKET_RECEIVE_LOCKED);
	return 0;
}

static int
set_bit_option(struct socket *s, uint32_t bit, int n)
{
	if (bit == SOCKET_REUSE_PORT && s->family != AF_INET && s->family != AF_INET6)
		return -EOPNOTSUPP; /* there are no ports */
	if (bit == SOCKET_DEBUG && n && !capable(CAP_NET_ADMIN))
		return -EACCES;
	if (bit == SOCKET_PREFER_BUSY_POLL && n && !capable(CAP_NET_ADMIN))
		return -EPERM;
	if (bit == SOCKET_LOCK_FILTER && !n && (READ_ONCE(s->options) & bit))
		return -EPERM;
	if (bit & (SOCKET_TIMESTAMP | SOCKET_TIMESTAMP_NS)) /* the later one counts */
		set_bit_to(s, SOCKET_TIMESTAMP | SOCKET_TIMESTAMP_NS, false);
	set_bit_to(s, bit, n);
	return 0;
}

/* Options that are kept and told, and otherwise concern only families with devices. */
static int
set_kept(struct socket *s, int option, const void __user *value, int length, int n)
{
	uint64_t rate;

	switch (option) {
	case SO_BSDCOMPAT:
	case SO_CNX_ADVICE:
		return option == SO_CNX_ADVICE && n != 1 ? -EINVAL : 0;
	case SO_ATTACH_FILTER:
		return socket_filter_option_set(s, value, length);
	case SO_DETACH_FILTER:
		return socket_filter_detach(s);
	case SO_MARK:
		if (!capable(CAP_NET_RAW) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		WRITE_ONCE(s->mark, (uint32_t)n);
		return 0;
	case SO_TIMESTAMPING:
		if ((uint32_t)n & ~SOCKET_TIMESTAMPING_ALL)
			return -EINVAL;
		WRITE_ONCE(s->timestamping, (uint32_t)n);
		return 0;
	case SO_BUSY_POLL:
		if (n < 0)
			return -EINVAL;
		if ((uint32_t)n > s->busy_poll && !capable(CAP_NET_ADMIN))
			return -EPERM;
		WRITE_ONCE(s->busy_poll, (uint32_t)n);
		return 0;
	case SO_BUSY_POLL_BUDGET:
		return n && !capable(CAP_NET_ADMIN) ? -EPERM : n < 0 || n > (int)UINT16_MAX ? -EINVAL : 0;
	case SO_MAX_PACING_RATE:
		rate = (uint32_t)n == UINT32_MAX ? UINT64_MAX : (uint32_t)n;
		if (length == (int)sizeof(rate) && copy_from_user(&rate, value, sizeof(rate)))
			return -EFAULT;
		WRITE_ONCE(s->pacing_rate, rate);
		return 0;
	case SO_INCOMING_CPU:
		WRITE_ONCE(s->incoming_cpu, n);
		return 0;
	case SO_BINDTOIFINDEX:
		if (s->family == AF_INET || s->family == AF_INET6)
			return n < 0 ? -EINVAL : inet_bind_device(s, (uint32_t)n);
		return n == 0 ? 0 : n < 0 ? -EINVAL : -ENODEV;
	case SO_BUF_LOCK:
		if ((uint32_t)n & ~BUFFER_LOCKS)
			return -EINVAL;
		WRITE_ONCE(s->buffer_lock, (uint32_t)n);
		return 0;
	case SO_TXREHASH:
		return n < -1 || n > 1 ? -EINVAL : 0;
	case SO_PEEK_OFF:
		if (!s->ops->set_peek_offset)
			return -EOPNOTSUPP;
		s->ops->set_peek_offset(s, n);
		return 0;
	case SO_ZEROCOPY:
	case SO_RESERVE_MEM:
		return -EOPNOTSUPP;
	default:
		return -ENOPROTOOPT; /* those that can only be read, too */
	}
}

#define DEVICE_NAME_MAX 15

/* The empty name is for none. */
static int
bind_to_device(struct socket *s, const void __user *value, int length)
{
	char name[DEVICE_NAME_MAX + 1] = { 0 };
	struct interface_info info = { 0 };

	if (length < 0)
		return -EINVAL;
	if (copy_from_user(name, value, MIN((size_t)length, sizeof(name) - 1)))
		return -EFAULT;
	if (name[0] && network_interface_named((struct network *)s->net, name, &info))
		return -ENODEV;
	return s->family == AF_INET || s->family == AF_INET6 ? inet_bind_device(s, info.index) : 0;
}

static int
set_option(struct socket *s, int option, const void __user *value, int length)
{
	uint32_t bit = option_bit(option);
	int n;

	if (option == SO_BINDTODEVICE)
		return bind_to_device(s, value, length);
	if (length < (int)sizeof(n))
		return -EINVAL;
	if (get_user(n, (const int __user *)value))
		return -EFAULT;
	if (bit)
		return set_bit_option(s, bit, n);
	switch (option) {
	case SO_SNDBUF:
		return set_send_limit(s, MIN((uint32_t)n, (uint32_t)network_setting(&init_network, SETTING_SEND_MAX)));
	case SO_RCVBUF:
		return set_receive_limit(s, MIN((uint32_t)n, (uint32_t)network_setting(&init_network, SETTING_RECEIVE_MAX)));
	case SO_SNDBUFFORCE:
		return capable(CAP_NET_ADMIN) ? set_send_limit(s, (uint32_t)MAX(n, 0)) : -EPERM;
	case SO_RCVBUFFORCE:
		return capable(CAP_NET_ADMIN) ? set_receive_limit(s, (uint32_t)MAX(n, 0)) : -EPERM;
	case SO_PRIORITY:
		if ((n < 0 || n > 6) && !capable(CAP_NET_ADMIN))
			return -EPERM;
		WRITE_ONCE(s->priority, (uint32_t)n);
		return 0;
	case SO_RCVLOWAT:
		WRITE_ONCE(s->low_water, n < 0 ? (uint32_t)INT32_MAX : n == 0 ? 1u : (uint32_t)n);
		return 0;
	case SO_LINGER:
		return set_linger(s, value, length);
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		return set_timeout(&s->receive_timeout, value, length);
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		return set_timeout(&s->send_timeout, value, length);
	default:
		return set_kept(s, option, value, length, n);
	}
}

long
linux_setsockopt(int fd, int level, int option, const void __user *value, int length)
{
	struct file *f;
	int error = 0;
	struct socket *s;

	if (length < 0)
		return -EINVAL;
	s = socket_get(fd, RIGHT_CONTROL, &f, &error);
	if (!s)
		return error;
	if (level == SOL_SOCKET)
		error = set_option(s, option, value, length);
	else if (s->family == AF_UNIX)
		error = -EOPNOTSUPP;
	else
		error = inet_option_set(s, level, option, value, length);
	if (!error && s->ops->options_changed)
		s->ops->options_changed(s);
	file_put(f);
	return error;
}

/* --- getting ------------------------------------------------------------------------------------ */

/* What an option has to tell. */
struct option_value {
	size_t size;
	union {
		int32_t number;
		struct linux_timeval time;
		struct linux_linger linger;
		struct socket_credentials credentials;
		uint64_t wide;
		uint32_t words[MEMINFO_WORDS];
		uint8_t bytes[SOCKET_ADDRESS_MAX];
	};
};

static void
tell_timeout(uint64_t ns, struct option_value *v)
{
	v->size = sizeof(v->time);
	v->time = (struct linux_timeval){ 0, 0 };
	if (ns != UINT64_MAX) {
		v->time.tv_sec = (int64_t)(ns / NSEC_PER_SEC);
		v->time.tv_usec = (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC);
	}
}

static int
tell_peer_cred(struct socket *s, struct option_value *v)
{
	struct cred *c;

	v->size = sizeof(v->credentials);
	s->ops->peer_cred(s, &v->credentials.pid, &c);
	v->credentials.pid = pid_shown(v->credentials.pid);
	v->credentials.uid = c ? uid_shown(c->euid) : UINT32_MAX;
	v->credentials.gid = c ? gid_shown(c->egid) : UINT32_MAX;
	if (c)
		cred_put(c);
	return 0;
}

static int
tell_peer_name(struct socket *s, size_t room, struct option_value *v)
{
	struct socket_address a;

	if (s->ops->name(s, true, &a))
		return -ENOTCONN;
	if (a.length < room)
		return -EINVAL;
	v->size = a.length;
	memcpy(v->bytes, a.bytes, a.length);
	return 0;
}

/* A number that is as long as the program has room for: 4 or 8 bytes. */
static int
tell_wide(struct option_value *v, size_t room, uint64_t n)
{
	v->wide = n;
	v->size = room >= sizeof(n) ? sizeof(n) : sizeof(int32_t);
	if (v->size < sizeof(n) && n > UINT32_MAX)
		v->number = -1;
	return 0;
}

static bool
has_device(const struct socket *s)
{
	return s->family == AF_INET || s->family == AF_INET6;
}

/* The name of the interface that it is bound to; nothing: none. */
static int
get_device(struct socket *s, size_t room, struct option_value *v)
{
	struct interface_info info;

	v->size = 0;
	if (!has_device(s) || !inet_device(s))
		return 0;
	if (room <= INTERFACE_NAME_MAX)
		return -EINVAL;
	if (network_interface((struct network *)s->net, inet_device(s), &info))
		return -ENODEV;
	v->size = strlen(info.name) + 1;
	memcpy(v->bytes, info.name, v->size);
	return 0;
}

/* Those of set_kept, and what can only be read of the kind. */
static int
get_kept(struct socket *s, int option, size_t room, struct option_value *v)
{
	v->number = 0;
	switch (option) {
	case SO_BINDTODEVICE:
		return get_device(s, room, v);
	case SO_BSDCOMPAT:
	case SO_INCOMING_NAPI_ID:
	case SO_ZEROCOPY:
	case SO_RESERVE_MEM:
	case SO_TXREHASH:
		return 0;
	case SO_BINDTOIFINDEX:
		v->number = has_device(s) ? (int32_t)inet_device(s) : 0;
		return 0;
	case SO_TIMESTAMPING:
		v->size = 2 * sizeof(uint32_t); /* and whose clock: nobody's */
		v->wide = READ_ONCE(s->timestamping);
		return 0;
	case SO_TXTIME:
		v->size = 2 * sizeof(uint32_t); /* clock, flags: none is set */
		v->wide = 0;
		return 0;
	case SO_MARK:
		v->number = (int32_t)READ_ONCE(s->mark);
		return 0;
	case SO_BUSY_POLL:
		v->number = (int32_t)READ_ONCE(s->busy_poll);
		return 0;
	case SO_MAX_PACING_RATE:
		return tell_wide(v, room, READ_ONCE(s->pacing_rate));
	case SO_BPF_EXTENSIONS:
		v->number = BPF_EXTENSIONS;
		return 0;
	case SO_INCOMING_CPU:
		v->number = READ_ONCE(s->incoming_cpu);
		return 0;
	case SO_BUF_LOCK:
		v->number = (int32_t)READ_ONCE(s->buffer_lock);
		return 0;
	case SO_MEMINFO:
		memset(v->words, 0, sizeof(v->words));
		v->words[1] = READ_ONCE(s->receive_limit);
		v->words[3] = READ_ONCE(s->send_limit);
		v->size = sizeof(v->words);
		return 0;
	case SO_COOKIE:
		v->wide = s->inode;
		v->size = sizeof(v->wide);
		return room < v->size ? -EINVAL : 0;
	case SO_NETNS_COOKIE:
		v->wide = 1;
		v->size = sizeof(v->wide);
		return room != v->size ? -EINVAL : 0;
	case SO_PEEK_OFF:
		if (!s->ops->set_peek_offset)
			return -EOPNOTSUPP;
		v->number = READ_ONCE(s->peek_offset);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int
get_option(struct socket *s, int option, size_t room, struct option_value *v)
{
	uint32_t bit = option_bit(option);

	v->size = sizeof(v->number);
	if (bit) {
		v->number = (READ_ONCE(s->options) & bit) != 0;
		return 0;
	}
	switch (option) {
	case SO_TYPE:
		v->number = s->type;
		return 0;
	case SO_DOMAIN:
		v->number = s->family;
		return 0;
	case SO_PROTOCOL:
		v->number = s->protocol;
		return 0;
	case SO_ERROR:
		v->number = -socket_take_error(s);
		if (!v->number)
			v->number = atomic_exchange(&s->soft_error, 0);
		return 0;
	case SO_SNDBUF:
		v->number = (int32_t)READ_ONCE(s->send_limit);
		return 0;
	case SO_RCVBUF:
		v->number = (int32_t)READ_ONCE(s->receive_limit);
		return 0;
	case SO_PRIORITY:
		v->number = (int32_t)READ_ONCE(s->priority);
		return 0;
	case SO_RCVLOWAT:
		v->number = (int32_t)READ_ONCE(s->low_water);
		return 0;
	case SO_SNDLOWAT:
		v->number = 1;
		return 0;
	case SO_ACCEPTCONN:
		v->number = READ_ONCE(s->state) == SOCKET_LISTENING;
		return 0;
	case SO_LINGER:
		v->size = sizeof(v->linger);
		v->linger.on = (READ_ONCE(s->options) & SOCKET_LINGER) != 0;
		v->linger.seconds = (int32_t)READ_ONCE(s->linger);
		return 0;
	case SO_RCVTIMEO:
	case SO_RCVTIMEO_NEW:
		tell_timeout(READ_ONCE(s->receive_timeout), v);
		return 0;
	case SO_SNDTIMEO:
	case SO_SNDTIMEO_NEW:
		tell_timeout(READ_ONCE(s->send_timeout), v);
		return 0;
	case SO_PEERCRED:
		return tell_peer_cred(s, v);
	case SO_PEERNAME:
		return tell_peer_name(s, room, v);
	default:
		return get_kept(s, option, room, v);
	}
}

/* Unlike other options this one is told wholly or not at all: -ERANGE with the length that it needs. */
static int
get_peer_groups(struct socket *s, int room, void __user *value, int __user *length)
{
	struct cred *c;
	pid_t pid;
	int size, error;

	s->ops->peer_cred(s, &pid, &c);
	if (!c)
		return -ENODATA;
	size = (int)(c->group_count * sizeof(gid_t));
	error = room < size ? -ERANGE : 0;
	for (uint32_t i = 0; i < c->group_count && !error; i++)
		error = put_user(gid_shown(c->groups[i]), (gid_t __user *)value + i);
	cred_put(c);
	if (error != -EFAULT && put_user(size, length))
		error = -EFAULT;
	return error;
}

long
linux_getsockopt(int fd, int level, int option, void __user *value, int __user *length)
{
	struct option_value v = { 0 };
	struct file *f;
	int error = 0, room;
	struct socket *s = socket_get(fd, RIGHT_NONE, &f, &error);

	if (!s)
		return error;
	if (level != SOL_SOCKET) {
		error = s->family == AF_UNIX ? -EOPNOTSUPP : inet_option_get(s, level, option, value, length);
		goto out;
	}
	error = -EFAULT;
	if (get_user(room, length))
		goto out;
	error = -EINVAL;
	if (room < 0)
		goto out;
	if (option == SO_ATTACH_FILTER) {
		error = socket_filter_option_get(s, room, value, length);
		goto out;
	}
	if (option == SO_PEERGROUPS) {
		error = get_peer_groups(s, room, value, length);
		goto out;
	}
	error = get_option(s, option, (size_t)room, &v);
	if (error)
		goto out;
	room = MIN(room, (int)v.size);
	error = copy_to_user(value, v.bytes, (size_t)room);
	if (!error)
		error = put_user(room, length);
out:
	file_put(f);
	return error;
}
