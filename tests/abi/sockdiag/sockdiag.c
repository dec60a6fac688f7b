/* SPDX-License-Identifier: MIT */
/* NETLINK_SOCK_DIAG: sockets as ss(8) asks for them. sock_diag(7), linux/inet_diag.h, linux/unix_diag.h. */
#include "../inet/inet.h"
#include "../netlink.h"

#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/un.h>

#define ALL_STATES 0xfffu
#define LISTENING  10

static char answer[65536];

static int
diag_socket(void)
{
	struct timeval tv = { READY_MS / 1000, 0 };
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_SOCK_DIAG));

	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return s;
}

static unsigned
inode_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return (unsigned)st.st_ino;
}

/* Send a request whose body is given, an attribute behind it unless that is of size 0. */
static int
ask(uint16_t flags, const void *body, size_t size, uint16_t type, const void *data, size_t data_size)
{
	struct {
		struct nlmsghdr h;
		char rest[512];
	} r = { .h = { .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST | flags, .nlmsg_seq = 7 } };
	struct rtattr *a = (struct rtattr *)(r.rest + NLMSG_ALIGN(size));
	int s = diag_socket();

	memcpy(r.rest, body, size);
	r.h.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	if (data_size) {
		a->rta_type = type;
		a->rta_len = (uint16_t)RTA_LENGTH(data_size);
		memcpy(RTA_DATA(a), data, data_size);
		r.h.nlmsg_len = (uint32_t)(NLMSG_ALIGN(r.h.nlmsg_len) + RTA_LENGTH(data_size));
	}
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	return s;
}

/* All answers to a dump in `answer`, one after the other: how many bytes. An error is -errno. */
static ssize_t
dump(const void *body, size_t size, uint16_t type, const void *data, size_t data_size)
{
	int s = ask(NLM_F_DUMP, body, size, type, data, data_size);
	ssize_t n, used = 0;

	for (;;) {
		const struct nlmsghdr *h = (const struct nlmsghdr *)(answer + used);

		n = CHECK_OK(recv(s, answer + used, sizeof(answer) - (size_t)used, 0));
		for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
			if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
				CHECK_OK(close(s));
				return h->nlmsg_type == NLMSG_ERROR ? ((const struct nlmsgerr *)NLMSG_DATA(h))->error
								    : (char *)h - answer;
			}
		}
		used = (char *)h - answer;
	}
}

/* How many sockets of the protocol are in one of these states and pass the filter; the last is *out. */
static int
count_inet(int family, int protocol, uint32_t states, const void *filter, size_t filter_size,
	   const struct nlmsghdr **out)
{
	struct inet_diag_req_v2 q = { .sdiag_family = (uint8_t)family, .sdiag_protocol = (uint8_t)protocol,
				      .idiag_states = states, .idiag_ext = 1 << (INET_DIAG_INFO - 1) };
	ssize_t n = dump(&q, sizeof(q), INET_DIAG_REQ_BYTECODE, filter, filter_size);
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	int count = 0;

	if (n < 0)
		return (int)n;
	for (; NLMSG_OK(h, n); h = NLMSG_NEXT(h, n)) {
		CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
		CHECK_EQ(h->nlmsg_seq, 7);
		if (out)
			*out = h;
		count++;
	}
	return count;
}

TEST(streams_are_shown)
{
	const struct nlmsghdr *h = NULL;
	const struct inet_diag_msg *m;
	const struct rtattr *info;
	int l, s[2];

	inet_fresh();
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, NULL, 0, NULL), 0);
	l = inet_server(5);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, NULL, 0, &h), 1);
	m = NLMSG_DATA(h);
	CHECK_EQ(m->idiag_family, AF_INET);
	CHECK_EQ(m->idiag_state, LISTENING);
	CHECK_EQ(ntohs(m->id.idiag_sport), inet_port(l));
	CHECK_EQ(m->id.idiag_dport, 0);
	CHECK_EQ(ntohl(m->id.idiag_src[0]), INADDR_LOOPBACK);
	CHECK_EQ(m->idiag_inode, inode_of(l));
	CHECK_EQ(m->idiag_uid, 0);
	CHECK_EQ(m->idiag_rqueue, 0);
	CHECK_EQ(m->idiag_wqueue, 5);
	inet_pair(s);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, NULL, 0, NULL), 3);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, 1 << TCP_ESTABLISHED, NULL, 0, &h), 2);
	m = NLMSG_DATA(h);
	CHECK_EQ(m->idiag_state, TCP_ESTABLISHED);
	info = netlink_attribute(h, sizeof(*m), INET_DIAG_INFO);
	CHECK(info);
	CHECK_EQ(((const struct tcp_info *)RTA_DATA(info))->tcpi_state, TCP_ESTABLISHED);
	CHECK_EQ(*(const uint8_t *)RTA_DATA(netlink_attribute(h, sizeof(*m), INET_DIAG_SHUTDOWN)), 0);
	CHECK_EQ(count_inet(AF_INET6, IPPROTO_TCP, ALL_STATES, NULL, 0, NULL), 0);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_UDP, ALL_STATES, NULL, 0, NULL), 0);
}

TEST(filters_choose)
{
	struct {
		struct inet_diag_bc_op op, port;
	} from;
	struct {
		struct inet_diag_bc_op op;
		struct inet_diag_hostcond cond;
		uint32_t address;
	} in;
	int low, high;

	inet_fresh();
	low = inet_socket(SOCK_STREAM);
	high = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(low, INADDR_LOOPBACK, 5000));
	CHECK_OK(inet_bind(high, INADDR_LOOPBACK + 1, 6000));
	CHECK_OK(listen(low, 1));
	CHECK_OK(listen(high, 1));
	memset(&from, 0, sizeof(from));
	from.op = (struct inet_diag_bc_op){ INET_DIAG_BC_S_GE, sizeof(from), sizeof(from) + 4 };
	from.port.no = 5500;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &from, sizeof(from), NULL), 1);
	from.port.no = 5000;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &from, sizeof(from), NULL), 2);
	from.op.code = INET_DIAG_BC_S_LE;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &from, sizeof(from), NULL), 1);
	from.op.code = INET_DIAG_BC_S_EQ;
	from.port.no = 5001;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &from, sizeof(from), NULL), 0);

	memset(&in, 0, sizeof(in));
	in.op = (struct inet_diag_bc_op){ INET_DIAG_BC_S_COND, sizeof(in), sizeof(in) + 4 };
	in.cond.family = AF_INET;
	in.cond.prefix_len = 32;
	in.cond.port = -1;
	in.address = htonl(INADDR_LOOPBACK + 1);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &in, sizeof(in), NULL), 1);
	in.cond.prefix_len = 8;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &in, sizeof(in), NULL), 2);
	in.cond.port = 6000;
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, &in, sizeof(in), NULL), 1);
}

TEST(filters_that_cannot_be)
{
	struct inet_diag_bc_op op[2] = { { INET_DIAG_BC_JMP, 4, 8 }, { INET_DIAG_BC_NOP, 4, 0 } };

	inet_fresh();
	inet_server(1);
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 3, NULL), -EINVAL);
	op[0] = (struct inet_diag_bc_op){ 99, 4, 8 };
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 4, NULL), -EINVAL);
	op[0] = (struct inet_diag_bc_op){ INET_DIAG_BC_JMP, 4, 0 }; /* would go on for ever */
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 4, NULL), -EINVAL);
	op[0] = (struct inet_diag_bc_op){ INET_DIAG_BC_JMP, 4, 400 };
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 4, NULL), -EINVAL);
	op[0] = (struct inet_diag_bc_op){ INET_DIAG_BC_S_GE, 8, 12 }; /* its port is missing */
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 4, NULL), -EINVAL);
	op[0] = (struct inet_diag_bc_op){ INET_DIAG_BC_NOP, 4, 0 };
	CHECK_EQ(count_inet(AF_INET, IPPROTO_TCP, ALL_STATES, op, 4, NULL), 1);
}

TEST(one_stream_is_asked_for)
{
	struct inet_diag_req_v2 q = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ALL_STATES };
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	int l, s;

	inet_fresh();
	l = inet_server(1);
	q.id.idiag_sport = htons(inet_port(l));
	q.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
	q.id.idiag_cookie[0] = q.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	s = ask(0, &q, sizeof(q), 0, NULL, 0);
	CHECK_OK(recv(s, answer, sizeof(answer), 0));
	CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	CHECK_EQ(h->nlmsg_flags & NLM_F_MULTI, 0);
	CHECK_EQ(((const struct inet_diag_msg *)NLMSG_DATA(h))->idiag_inode, inode_of(l));
	q.id.idiag_sport = htons(9);
	s = ask(0, &q, sizeof(q), 0, NULL, 0);
	CHECK_OK(recv(s, answer, sizeof(answer), 0));
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(((const struct nlmsgerr *)NLMSG_DATA(h))->error, -ENOENT);
}

/* Is the socket of that number among the answers, `size` bytes of them? */
static bool
shows_unix(ssize_t size, unsigned number)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;

	for (CHECK_OK(size); NLMSG_OK(h, size); h = NLMSG_NEXT(h, size))
		if (((const struct unix_diag_msg *)NLMSG_DATA(h))->udiag_ino == number)
			return true;
	return false;
}

TEST(unix_sockets_are_shown)
{
	struct unix_diag_req q = { .sdiag_family = AF_UNIX, .udiag_states = 1 << LISTENING,
				   .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_RQLEN | UDIAG_SHOW_PEER };
	const struct nlmsghdr *h = (const struct nlmsghdr *)answer;
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "\0diag" };
	const struct unix_diag_msg *m;
	const struct rtattr *r;
	int l, pair[2];

	inet_fresh();
	l = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK_OK(bind(l, (struct sockaddr *)&a, offsetof(struct sockaddr_un, sun_path) + 5));
	CHECK_OK(listen(l, 6));
	CHECK(dump(&q, sizeof(q), 0, NULL, 0) > 0);
	m = NLMSG_DATA(h);
	CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	CHECK_EQ(m->udiag_ino, inode_of(l));
	CHECK_EQ(m->udiag_type, SOCK_STREAM);
	CHECK_EQ(m->udiag_state, LISTENING);
	r = netlink_attribute(h, sizeof(*m), UNIX_DIAG_NAME);
	CHECK(r);
	CHECK_EQ(RTA_PAYLOAD(r), 5);
	CHECK_MEM(RTA_DATA(r), "\0diag", 5);
	r = netlink_attribute(h, sizeof(*m), UNIX_DIAG_RQLEN);
	CHECK(r);
	CHECK_EQ(((const struct unix_diag_rqlen *)RTA_DATA(r))->udiag_wqueue, 6);
	CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	CHECK_EQ(write(pair[0], "abc", 3), 3);
	q.udiag_ino = inode_of(pair[1]);
	q.udiag_cookie[0] = q.udiag_cookie[1] = ~0u;
	CHECK_OK(recv(ask(0, &q, sizeof(q), 0, NULL, 0), answer, sizeof(answer), 0));
	m = NLMSG_DATA(h);
	CHECK_EQ(h->nlmsg_type, SOCK_DIAG_BY_FAMILY);
	CHECK_EQ(m->udiag_ino, inode_of(pair[1]));
	CHECK_EQ(*(const uint32_t *)RTA_DATA(netlink_attribute(h, sizeof(*m), UNIX_DIAG_PEER)), inode_of(pair[0]));
	r = netlink_attribute(h, sizeof(*m), UNIX_DIAG_RQLEN);
	CHECK_EQ(((const struct unix_diag_rqlen *)RTA_DATA(r))->udiag_rqueue, 3);
}

/* What it sent is there still, and has its name. */
TEST(a_closed_unix_socket_is_not_shown)
{
	struct unix_diag_req q = { .sdiag_family = AF_UNIX, .udiag_states = ~0u, .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_VFS };
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "gone" }, from;
	socklen_t size = sizeof(from);
	unsigned number;
	int pair[2], s;
	char byte;

	inet_fresh();
	CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
	CHECK_OK(bind(pair[0], (struct sockaddr *)&a, sizeof(a)));
	number = inode_of(pair[0]);
	CHECK_EQ(write(pair[0], "x", 1), 1);
	CHECK(shows_unix(dump(&q, sizeof(q), 0, NULL, 0), number));
	CHECK_OK(close(pair[0]));
	CHECK_OK(unlink("gone"));
	s = CHECK_OK(socket(AF_UNIX, SOCK_STREAM, 0));
	CHECK(!shows_unix(dump(&q, sizeof(q), 0, NULL, 0), number));
	CHECK(shows_unix(dump(&q, sizeof(q), 0, NULL, 0), inode_of(s)));
	CHECK_EQ(recvfrom(pair[1], &byte, 1, 0, (struct sockaddr *)&from, &size), 1);
	CHECK_STR(from.sun_path, "gone");
}

TEST(requests_that_cannot_be)
{
	uint8_t family = 99;
	struct inet_diag_req_v2 q = { .sdiag_family = AF_INET, .sdiag_protocol = 250, .idiag_states = ALL_STATES };

	inet_fresh();
	CHECK_EQ(dump(&family, 1, 0, NULL, 0), -EINVAL);
	CHECK_EQ(dump("\2", 2, 0, NULL, 0), -EINVAL);
	CHECK_EQ(dump("cc", 2, 0, NULL, 0), -EINVAL);
	CHECK_EQ(dump(&q, sizeof(q), 0, NULL, 0), 0);
}
