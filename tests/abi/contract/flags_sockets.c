/* SPDX-License-Identifier: MIT */
/* Flags of sockets: see flags.h. */
#include "flags.h"

static long
make_socket(int family, int type, int protocol)
{
	int fd = socket(family, type, protocol);

	return fd < 0 ? -1 : close(fd);
}

TEST(socket_families)
{
	FLAG(socket, AF_UNIX SOCK_STREAM, 0, make_socket(AF_UNIX, SOCK_STREAM, 0));
	FLAG(socket, AF_UNIX SOCK_DGRAM, 0, make_socket(AF_UNIX, SOCK_DGRAM, 0));
	FLAG(socket, AF_UNIX SOCK_SEQPACKET, 0, make_socket(AF_UNIX, SOCK_SEQPACKET, 0));
	FLAG(socket, AF_UNIX SOCK_RAW, 0, make_socket(AF_UNIX, SOCK_RAW, 0));
	FLAG(socket, AF_UNIX SOCK_RDM, ESOCKTNOSUPPORT, make_socket(AF_UNIX, SOCK_RDM, 0));
	FLAG(socket, AF_UNIX type 0, ESOCKTNOSUPPORT, make_socket(AF_UNIX, 0, 0));
	FLAG(socket, AF_UNIX type 11, EINVAL, make_socket(AF_UNIX, 11, 0));
	FLAG(socket, AF_UNIX protocol 1, 0, make_socket(AF_UNIX, SOCK_STREAM, 1));
	FLAG(socket, AF_UNIX protocol 2, EPROTONOSUPPORT, make_socket(AF_UNIX, SOCK_STREAM, 2));
	FLAG(socket, SOCK_CLOEXEC, 0, make_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	FLAG(socket, SOCK_NONBLOCK, 0, make_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
	FLAG(socket, type flag 0x100, EINVAL, make_socket(AF_UNIX, SOCK_STREAM | 0x100, 0));
	FLAG(socket, AF_UNSPEC, EAFNOSUPPORT, make_socket(AF_UNSPEC, SOCK_STREAM, 0));
	FLAG(socket, AF_INET SOCK_STREAM, 0, make_socket(AF_INET, SOCK_STREAM, 0));
	FLAG(socket, AF_INET SOCK_DGRAM, 0, make_socket(AF_INET, SOCK_DGRAM, 0));
	FLAG(socket, AF_INET SOCK_RAW, 0, make_socket(AF_INET, SOCK_RAW, 1));
	FLAG(socket, AF_INET6 SOCK_STREAM, 0, make_socket(AF_INET6, SOCK_STREAM, 0));
	FLAG(socket, AF_NETLINK NETLINK_ROUTE, 0, make_socket(AF_NETLINK, SOCK_RAW, 0));
	FLAG(socket, AF_NETLINK NETLINK_AUDIT, 0, make_socket(AF_NETLINK, SOCK_RAW, 9));
	FLAG(socket, AF_NETLINK NETLINK_KOBJECT_UEVENT, 0, make_socket(AF_NETLINK, SOCK_RAW, 15));
	FLAG(socket, AF_PACKET, 0, make_socket(AF_PACKET, SOCK_RAW, 0));
	FLAG(socket, AF_ALG, EAFNOSUPPORT, make_socket(AF_ALG, SOCK_SEQPACKET, 0));
	FLAG(socket, AF_VSOCK, EAFNOSUPPORT, make_socket(AF_VSOCK, SOCK_STREAM, 0));
	FLAG(socket, AF_X25, EAFNOSUPPORT, make_socket(AF_X25, SOCK_SEQPACKET, 0));
	FLAG(socket, family 46, EAFNOSUPPORT, make_socket(46, SOCK_STREAM, 0));
	FLAG(socket, family -1, EAFNOSUPPORT, make_socket(-1, SOCK_STREAM, 0));
	FLAGS_END();
}

static int pair[2];

static long
get_option(int option, size_t size)
{
	char value[128] = { 0 };
	socklen_t length = (socklen_t)size;

	return getsockopt(pair[0], SOL_SOCKET, option, value, &length);
}

static long
set_option(int option, int value)
{
	return setsockopt(pair[0], SOL_SOCKET, option, &value, sizeof(value));
}

TEST(socket_options_get)
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
#define GET(name, want) ROW("getsockopt", #name, want, get_option(name, sizeof(int)))
	GET(SO_DEBUG, 0);
	GET(SO_REUSEADDR, 0);
	GET(SO_TYPE, 0);
	GET(SO_ERROR, 0);
	GET(SO_DONTROUTE, 0);
	GET(SO_BROADCAST, 0);
	GET(SO_SNDBUF, 0);
	GET(SO_RCVBUF, 0);
	GET(SO_KEEPALIVE, 0);
	GET(SO_OOBINLINE, 0);
	GET(SO_NO_CHECK, 0);
	GET(SO_PRIORITY, 0);
	GET(SO_LINGER, 0);
	GET(SO_BSDCOMPAT, 0);
	GET(SO_REUSEPORT, 0);
	GET(SO_PASSCRED, 0);
	GET(SO_PEERCRED, 0);
	GET(SO_RCVLOWAT, 0);
	GET(SO_SNDLOWAT, 0);
	GET(SO_RCVTIMEO, 0);
	GET(SO_SNDTIMEO, 0);
	GET(SO_BINDTODEVICE, 0);
	GET(SO_ATTACH_FILTER, 0);
	GET(SO_DETACH_FILTER, ENOPROTOOPT);
	GET(SO_PEERNAME, EINVAL);
	GET(SO_TIMESTAMP, 0);
	GET(SO_ACCEPTCONN, 0);
	GET(SO_PEERSEC, ENOPROTOOPT);
	GET(SO_SNDBUFFORCE, ENOPROTOOPT);
	GET(SO_RCVBUFFORCE, ENOPROTOOPT);
	GET(SO_PASSSEC, 0);
	GET(SO_TIMESTAMPNS, 0);
	GET(SO_MARK, 0);
	GET(SO_TIMESTAMPING, 0);
	GET(SO_PROTOCOL, 0);
	GET(SO_DOMAIN, 0);
	GET(SO_RXQ_OVFL, 0);
	GET(SO_WIFI_STATUS, 0);
	GET(SO_PEEK_OFF, 0);
	GET(SO_NOFCS, 0);
	GET(SO_LOCK_FILTER, 0);
	GET(SO_SELECT_ERR_QUEUE, 0);
	GET(SO_BUSY_POLL, 0);
	GET(SO_MAX_PACING_RATE, 0);
	GET(SO_BPF_EXTENSIONS, 0);
	GET(SO_INCOMING_CPU, 0);
	GET(SO_ATTACH_BPF, ENOPROTOOPT);
	GET(SO_CNX_ADVICE, ENOPROTOOPT);
	GET(SO_MEMINFO, 0);
	GET(SO_INCOMING_NAPI_ID, 0);
	GET(SO_COOKIE, EINVAL);
	GET(SO_PEERGROUPS, 0);
	GET(SO_ZEROCOPY, 0);
	GET(SO_TXTIME, 0);
	GET(SO_BINDTOIFINDEX, 0);
	GET(SO_PREFER_BUSY_POLL, 0);
	GET(SO_BUSY_POLL_BUDGET, ENOPROTOOPT);
	GET(SO_NETNS_COOKIE, EINVAL);
	GET(SO_BUF_LOCK, 0);
	GET(SO_RESERVE_MEM, 0);
	GET(SO_TXREHASH, 0);
	GET(99, ENOPROTOOPT);
	FLAG(getsockopt, SO_COOKIE of 8 bytes, 0, get_option(SO_COOKIE, 8));
	FLAG(getsockopt, SO_NETNS_COOKIE of 8 bytes, 0, get_option(SO_NETNS_COOKIE, 8));
	FLAGS_END();
}

TEST(socket_options_set)
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
#define SET(name, value, want) ROW("setsockopt", #name, want, set_option(name, value))
	SET(SO_DEBUG, 1, 0);
	SET(SO_REUSEADDR, 1, 0);
	SET(SO_TYPE, 1, ENOPROTOOPT);
	SET(SO_ERROR, 1, ENOPROTOOPT);
	SET(SO_DONTROUTE, 1, 0);
	SET(SO_BROADCAST, 1, 0);
	SET(SO_SNDBUF, 10000, 0);
	SET(SO_RCVBUF, 10000, 0);
	SET(SO_KEEPALIVE, 1, 0);
	SET(SO_OOBINLINE, 1, 0);
	SET(SO_NO_CHECK, 1, 0);
	SET(SO_PRIORITY, 1, 0);
	SET(SO_LINGER, 1, EINVAL);
	SET(SO_BSDCOMPAT, 1, 0);
	SET(SO_REUSEPORT, 1, EOPNOTSUPP);
	SET(SO_PASSCRED, 1, 0);
	SET(SO_PEERCRED, 1, ENOPROTOOPT);
	SET(SO_RCVLOWAT, 1, 0);
	SET(SO_SNDLOWAT, 1, ENOPROTOOPT);
	SET(SO_RCVTIMEO, 1, EINVAL);
	SET(SO_SNDTIMEO, 1, EINVAL);
	SET(SO_ATTACH_FILTER, 1, EINVAL);
	SET(SO_DETACH_FILTER, 1, ENOENT);
	SET(SO_PEERNAME, 1, ENOPROTOOPT);
	SET(SO_TIMESTAMP, 1, 0);
	SET(SO_ACCEPTCONN, 1, ENOPROTOOPT);
	SET(SO_PEERSEC, 1, ENOPROTOOPT);
	SET(SO_SNDBUFFORCE, 10000, 0);
	SET(SO_RCVBUFFORCE, 10000, 0);
	SET(SO_PASSSEC, 1, 0);
	SET(SO_TIMESTAMPNS, 1, 0);
	SET(SO_MARK, 1, 0);
	SET(SO_TIMESTAMPING, 0, 0);
	SET(SO_PROTOCOL, 1, ENOPROTOOPT);
	SET(SO_DOMAIN, 1, ENOPROTOOPT);
	SET(SO_RXQ_OVFL, 1, 0);
	SET(SO_WIFI_STATUS, 1, 0);
	SET(SO_PEEK_OFF, 0, 0);
	SET(SO_NOFCS, 1, 0);
	struct sock_filter pass = { 6, 0, 0, 0xffff }; /* return everything */
	struct sock_fprog program = { 1, &pass };
	FLAG(setsockopt, SO_ATTACH_FILTER of one instruction, 0,
	     setsockopt(pair[0], SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	SET(SO_LOCK_FILTER, 1, 0);
	SET(SO_SELECT_ERR_QUEUE, 1, 0);
	SET(SO_BUSY_POLL, 0, 0);
	SET(SO_MAX_PACING_RATE, 100000, 0);
	SET(SO_INCOMING_CPU, 0, 0);
	SET(SO_CNX_ADVICE, 1, 0);
	SET(SO_ZEROCOPY, 1, EOPNOTSUPP);
	SET(SO_BINDTOIFINDEX, 0, 0);
	SET(SO_PREFER_BUSY_POLL, 0, 0);
	SET(SO_BUSY_POLL_BUDGET, 0, 0);
	SET(SO_BUF_LOCK, 0, 0);
	SET(SO_RESERVE_MEM, 0, EOPNOTSUPP);
	SET(SO_TXREHASH, 1, 0);
	SET(99, 1, ENOPROTOOPT);
	FLAG(setsockopt, SO_TIMESTAMPING of software stamps, 0, set_option(SO_TIMESTAMPING, 1 << 4));
	FLAG(setsockopt, another level, EOPNOTSUPP, setsockopt(pair[0], 41, 1, pair, 4));
	FLAGS_END();
}

static long
send_one(int flags)
{
	return send(pair[0], "x", 1, flags);
}

static long
receive_one(int flags)
{
	char c[4];

	send(pair[0], "x", 1, MSG_DONTWAIT);
	return recv(pair[1], c, 1, flags);
}

TEST(socket_message_flags)
{
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
#define SEND(name, want) ROW("sendto", #name, want, send_one(name))
	SEND(MSG_CONFIRM, 0);
	SEND(MSG_DONTROUTE, 0);
	SEND(MSG_DONTWAIT, 0);
	SEND(MSG_EOR, 0);
	SEND(MSG_MORE, 0);
	SEND(MSG_NOSIGNAL, 0);
	SEND(MSG_OOB, 0);
	SEND(MSG_ZEROCOPY, 0);
	SEND(MSG_FASTOPEN, 0);
	SEND(MSG_PEEK, 0);
	SEND(MSG_TRUNC, 0);
	SEND(0x1000000, 0);
#define RECEIVE(name, want) ROW("recvfrom", #name, want, receive_one(name))
	RECEIVE(MSG_CMSG_CLOEXEC, 0);
	RECEIVE(MSG_DONTWAIT, 0);
	RECEIVE(MSG_PEEK, 0);
	RECEIVE(MSG_TRUNC, 0);
	RECEIVE(MSG_WAITALL, 0);
	RECEIVE(MSG_WAITFORONE, 0);
	RECEIVE(MSG_ERRQUEUE, 0);
	RECEIVE(MSG_NOSIGNAL, 0);
	RECEIVE(0x1000000, 0);
	FLAG(recvfrom, MSG_OOB, EINVAL, receive_one(MSG_OOB));
	FLAGS_END();
}
