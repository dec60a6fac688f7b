/* SPDX-License-Identifier: MIT */
/* AF_NETLINK: sockets, NETLINK_ROUTE's requests, answers and events. netlink(7), rtnetlink(7). */
#include "inet.h"
#include "../netlink.h"

#include <ifaddrs.h>

struct request {
	struct nlmsghdr h;
	char body[256];
};

static int
route_socket(uint32_t groups)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct timeval tv = { READY_MS / 1000, 0 };
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));

	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return s;
}

static void
begin(struct request *r, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	memset(r, 0, sizeof(*r));
	r->h.nlmsg_type = type;
	r->h.nlmsg_flags = NLM_F_REQUEST | flags;
	r->h.nlmsg_seq = 42;
	r->h.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	memcpy(r->body, body, size);
}

static void
add(struct request *r, uint16_t type, const void *data, size_t size)
{
	struct rtattr *a = (struct rtattr *)((char *)r + NLMSG_ALIGN(r->h.nlmsg_len));

	a->rta_type = type;
	a->rta_len = (uint16_t)RTA_LENGTH(size);
	memcpy(RTA_DATA(a), data, size);
	r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + (uint32_t)RTA_LENGTH(size);
}

/* The errno that the acknowledgement of a request carries. */
static int
acknowledged(int s, struct request *r)
{
	char b[1024];
	const struct nlmsghdr *h = (const struct nlmsghdr *)b;

	r->h.nlmsg_flags |= NLM_F_ACK;
	CHECK_EQ(send(s, r, r->h.nlmsg_len, 0), r->h.nlmsg_len);
	CHECK_OK(recv(s, b, sizeof(b), 0));
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	CHECK_EQ(h->nlmsg_seq, 42);
	return -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

TEST(who_binds_gets_a_number)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(a);
	int s, other;

	inet_fresh();
	s = route_socket(0);
	CHECK_OK(getsockname(s, (struct sockaddr *)&a, &size));
	CHECK_EQ(size, sizeof(a));
	CHECK_EQ(a.nl_pid, getpid());
	other = route_socket(0);
	CHECK_OK(getsockname(other, (struct sockaddr *)&a, &size));
	CHECK(a.nl_pid != (uint32_t)getpid() && a.nl_pid != 0);
	a.nl_pid = (uint32_t)getpid();
	other = CHECK_OK(socket(AF_NETLINK, SOCK_DGRAM, NETLINK_ROUTE));
	CHECK_ERRNO(bind(other, (struct sockaddr *)&a, sizeof(a)), EADDRINUSE);
	CHECK_ERRNO(bind(other, (struct sockaddr *)&a, 4), EINVAL);
	a.nl_family = AF_INET;
	CHECK_ERRNO(bind(other, (struct sockaddr *)&a, sizeof(a)), EINVAL);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_STREAM, NETLINK_ROUTE), ESOCKTNOSUPPORT);
	CHECK_ERRNO(socket(AF_NETLINK, SOCK_RAW, 99), EPROTONOSUPPORT);
	CHECK_ERRNO(listen(other, 1), EOPNOTSUPP);
}

TEST(links_are_shown)
{
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC };
	struct request r;
	static char b[32768];
	const struct nlmsghdr *h = (const struct nlmsghdr *)b;
	const struct ifinfomsg *i;
	bool done = false;
	unsigned links = 0;
	int s;

	inet_fresh();
	s = route_socket(0);
	begin(&r, RTM_GETLINK, NLM_F_DUMP, &m, sizeof(m));
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	while (!done) {
		size_t left = (size_t)CHECK_OK(recv(s, b, sizeof(b), 0));

		for (h = (const struct nlmsghdr *)b; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			CHECK_EQ(h->nlmsg_seq, 42);
			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			done |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type != RTM_NEWLINK)
				continue;
			i = NLMSG_DATA(h);
			if (i->ifi_index == 1) {
				CHECK_EQ(i->ifi_type, 772);
				CHECK_STR(RTA_DATA(netlink_attribute(h, sizeof(*i), IFLA_IFNAME)), "lo");
				CHECK_EQ(*(const uint32_t *)RTA_DATA(netlink_attribute(h, sizeof(*i), IFLA_MTU)), 65536);
			}
			links++;
		}
	}
	CHECK(links >= 1);
}

TEST(one_link_is_shown)
{
	struct ifinfomsg m = { .ifi_index = 1 };
	char b[8192];
	const struct nlmsghdr *h = (const struct nlmsghdr *)b;
	struct request r;
	int s;

	inet_fresh();
	s = route_socket(0);
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	CHECK_OK(recv(s, b, sizeof(b), 0));
	CHECK_EQ(h->nlmsg_type, RTM_NEWLINK);
	CHECK_EQ(h->nlmsg_flags & NLM_F_MULTI, 0);
	CHECK_EQ(((const struct ifinfomsg *)NLMSG_DATA(h))->ifi_index, 1);
	m.ifi_index = 99;
	begin(&r, RTM_GETLINK, 0, &m, sizeof(m));
	CHECK_EQ(acknowledged(s, &r), ENODEV);
}

TEST(addresses_come_and_go)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	uint32_t address = htonl(0x0a010203);
	struct request r;
	int s;

	inet_fresh();
	s = route_socket(0);
	begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	add(&r, IFA_LOCAL, &address, 4);
	add(&r, IFA_ADDRESS, &address, 4);
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_EQ(acknowledged(s, &r), EEXIST);
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), 0x0a010203, 0));
	r.h.nlmsg_type = RTM_DELADDR;
	CHECK_EQ(acknowledged(s, &r), EOPNOTSUPP); /* NLM_F_EXCL of a request to delete is NLM_F_BULK */
	r.h.nlmsg_flags = NLM_F_REQUEST;
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_EQ(acknowledged(s, &r), EADDRNOTAVAIL);
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), 0x0a010203, 0), EADDRNOTAVAIL);
}

TEST(listeners_are_told)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 1 };
	uint32_t address = htonl(0x0a010203);
	char b[8192];
	const struct nlmsghdr *h = (const struct nlmsghdr *)b;
	struct sockaddr_nl from;
	socklen_t size = sizeof(from);
	struct request r;
	int s, listener;

	inet_fresh();
	listener = route_socket(RTMGRP_IPV4_IFADDR);
	s = route_socket(0);
	begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	add(&r, IFA_LOCAL, &address, 4);
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_OK(recvfrom(listener, b, sizeof(b), 0, (struct sockaddr *)&from, &size));
	CHECK_EQ(from.nl_pid, 0);
	CHECK_EQ(from.nl_groups, RTMGRP_IPV4_IFADDR);
	CHECK_EQ(h->nlmsg_type, RTM_NEWADDR);
	CHECK_EQ(*(const uint32_t *)RTA_DATA(netlink_attribute(h, sizeof(m), IFA_LOCAL)), address);
	r.h.nlmsg_type = RTM_DELADDR;
	r.h.nlmsg_flags = NLM_F_REQUEST;
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_OK(recv(listener, b, sizeof(b), 0));
	CHECK_EQ(h->nlmsg_type, RTM_DELADDR);
}

#define ROUTES 4200u /* more than a table holds that has a bound */
#define BATCH  100u

/* To 10.0.0.0 and those behind it. */
static void
route_to(struct request *r, uint32_t number, uint8_t type)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 32, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = type == RTN_UNICAST ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, .rtm_type = type };
	uint32_t to = htonl(0x0a000000 + number), loopback = 1;

	begin(r, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	add(r, RTA_DST, &to, sizeof(to));
	if (type == RTN_UNICAST)
		add(r, RTA_OIF, &loopback, sizeof(loopback));
}

/* The first error of so many new routes, or 0. */
static int
add_routes(int s, uint32_t first, uint32_t count)
{
	static char all[BATCH * sizeof(struct request)];
	struct request r;
	size_t size = 0;
	char b[1024];

	for (uint32_t i = 0; i < count; i++) {
		route_to(&r, first + i, RTN_UNICAST);
		memcpy(all + size, &r, r.h.nlmsg_len);
		size += NLMSG_ALIGN(r.h.nlmsg_len);
	}
	CHECK_EQ(send(s, all, size, 0), size);
	if (recv(s, b, sizeof(b), MSG_DONTWAIT) < 0) {
		CHECK_EQ(errno, EAGAIN);
		return 0;
	}
	return -((const struct nlmsgerr *)NLMSG_DATA((const struct nlmsghdr *)b))->error;
}

TEST(a_route_is_replaced_where_there_is_no_room_for_more)
{
	struct sockaddr_in to = inet_at(0x0a000000, 9);
	int s, u, error = 0;
	struct request r;

	inet_fresh();
	s = route_socket(0);
	for (uint32_t i = 0; i < ROUTES && !error; i += BATCH)
		error = add_routes(s, i, BATCH);
	CHECK(!error || error == ENOBUFS);
	u = inet_socket(SOCK_DGRAM);
	CHECK_OK(connect(u, (struct sockaddr *)&to, sizeof(to)));
	s = route_socket(0);
	route_to(&r, 0, RTN_UNREACHABLE);
	r.h.nlmsg_flags |= NLM_F_REPLACE;
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_ERRNO(connect(u, (struct sockaddr *)&to, sizeof(to)), EHOSTUNREACH);
	route_to(&r, ROUTES, RTN_UNICAST);
	CHECK_EQ(acknowledged(s, &r), error);
}

/* Of IPv4 a route is to a whole prefix, and of IPv6 made to be. */
TEST(routes_are_to_prefixes)
{
	struct rtmsg m = { .rtm_family = AF_INET, .rtm_dst_len = 24, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
			   .rtm_type = RTN_UNREACHABLE };
	uint32_t address = htonl(0x0a010203), prefix = htonl(0x0a010200);
	struct in6_addr address6, prefix6;
	struct request r;
	int s;

	inet_fresh();
	s = route_socket(0);
	CHECK_EQ(inet_pton(AF_INET6, "2001:db8:7::5", &address6), 1);
	CHECK_EQ(inet_pton(AF_INET6, "2001:db8:7::", &prefix6), 1);
	for (uint16_t what = RTM_NEWROUTE; what <= RTM_DELROUTE; what++) {
		begin(&r, what, what == RTM_NEWROUTE ? NLM_F_CREATE : 0, &m, sizeof(m));
		add(&r, RTA_DST, &address, sizeof(address));
		CHECK_EQ(acknowledged(s, &r), EINVAL);
		begin(&r, what, what == RTM_NEWROUTE ? NLM_F_CREATE : 0, &m, sizeof(m));
		add(&r, RTA_DST, &prefix, sizeof(prefix));
		CHECK_EQ(acknowledged(s, &r), 0);
	}
	m.rtm_family = AF_INET6;
	m.rtm_dst_len = 64;
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE, &m, sizeof(m));
	add(&r, RTA_DST, &address6, sizeof(address6));
	CHECK_EQ(acknowledged(s, &r), 0);
	begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
	add(&r, RTA_DST, &prefix6, sizeof(prefix6));
	CHECK_EQ(acknowledged(s, &r), EEXIST);
	begin(&r, RTM_DELROUTE, 0, &m, sizeof(m));
	add(&r, RTA_DST, &address6, sizeof(address6));
	CHECK_EQ(acknowledged(s, &r), 0);
	CHECK_EQ(acknowledged(s, &r), ESRCH);
}

static int
change_v6_route(int s, uint16_t what, uint16_t flags, uint8_t type)
{
	struct rtmsg m = { .rtm_family = AF_INET6, .rtm_dst_len = 64, .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC,
			   .rtm_scope = RT_SCOPE_UNIVERSE, .rtm_type = type };
	struct in6_addr to;
	struct request r;

	CHECK_EQ(inet_pton(AF_INET6, "2001:db8:7::", &to), 1);
	begin(&r, what, flags, &m, sizeof(m));
	add(&r, RTA_DST, &to, sizeof(to));
	return acknowledged(s, &r);
}

TEST(a_route_of_ipv6_is_replaced_by_one_of_another_type)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	int s, u;

	inet_fresh();
	CHECK_EQ(inet_pton(AF_INET6, "2001:db8:7::1", &to.sin6_addr), 1);
	s = route_socket(0);
	u = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_EQ(change_v6_route(s, RTM_NEWROUTE, NLM_F_CREATE, RTN_UNREACHABLE), 0);
	CHECK_ERRNO(connect(u, (struct sockaddr *)&to, sizeof(to)), EHOSTUNREACH);
	CHECK_EQ(change_v6_route(s, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, RTN_PROHIBIT), 0);
	CHECK_ERRNO(connect(u, (struct sockaddr *)&to, sizeof(to)), EACCES);
	CHECK_EQ(change_v6_route(s, RTM_DELROUTE, 0, RTN_PROHIBIT), 0);
	CHECK_ERRNO(connect(u, (struct sockaddr *)&to, sizeof(to)), ENETUNREACH);
}

TEST(changes_by_netlink_need_a_right)
{
	struct ifinfomsg m = { .ifi_index = 1 };
	struct request r;
	pid_t pid;

	inet_fresh();
	pid = check_fork();
	if (pid == 0) {
		int s;

		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		s = route_socket(0);
		begin(&r, RTM_SETLINK, 0, &m, sizeof(m));
		CHECK_EQ(acknowledged(s, &r), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(libc_lists_addresses)
{
	struct ifaddrs *all, *a;
	bool four = false, six = false;

	inet_fresh();
	CHECK_OK(getifaddrs(&all));
	for (a = all; a; a = a->ifa_next) {
		if (strcmp(a->ifa_name, "lo") != 0 || !a->ifa_addr)
			continue;
		four |= a->ifa_addr->sa_family == AF_INET &&
			((struct sockaddr_in *)a->ifa_addr)->sin_addr.s_addr == htonl(INADDR_LOOPBACK);
		six |= a->ifa_addr->sa_family == AF_INET6;
	}
	CHECK(four);
	CHECK(six);
	freeifaddrs(all);
}

TEST(messages_that_cannot_be)
{
	struct request r;
	char b[1024];
	const struct nlmsghdr *h = (const struct nlmsghdr *)b;
	int s;

	inet_fresh();
	s = route_socket(0);
	/* No such message. */
	begin(&r, 200, 0, "abcdefgh", 8);
	CHECK_EQ(acknowledged(s, &r), EOPNOTSUPP);
	/* Too short for what it says that it is. */
	begin(&r, RTM_NEWADDR, 0, "\2", 1);
	CHECK_EQ(acknowledged(s, &r), EINVAL);
	begin(&r, RTM_NEWADDR, 0, "", 0);
	CHECK_EQ(acknowledged(s, &r), 0);
	/* A length beyond what was sent: nobody answers. */
	begin(&r, RTM_GETLINK, NLM_F_ACK, "", 0);
	r.h.nlmsg_len = 5000;
	CHECK_EQ(send(s, &r, 100, 0), 100);
	CHECK_ERRNO(recv(s, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	/* The error carries the request. */
	begin(&r, 200, 0, "abcdefgh", 8);
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	CHECK_OK(recv(s, b, sizeof(b), 0));
	CHECK_EQ(h->nlmsg_type, NLMSG_ERROR);
	CHECK_MEM((char *)NLMSG_DATA(h) + sizeof(int), &r.h, sizeof(r.h));
}

/* As netlink(7) has them; of other levels there are none, whatever other sockets have there. */
TEST(options_are_given_back)
{
	static const int flags[] = { NETLINK_PKTINFO, NETLINK_BROADCAST_ERROR, NETLINK_NO_ENOBUFS, NETLINK_CAP_ACK,
				     NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK };
	static const int levels[] = { IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP, SOL_RAW, SOL_PACKET };
	int s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)), n, group = RTNLGRP_IPV6_IFADDR;
	uint32_t words[4] = { 0 };
	socklen_t size;

	for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		for (int on = 1; on >= 0; on--) {
			CHECK_OK(setsockopt(s, SOL_NETLINK, flags[i], &(int){ 5 * on }, sizeof(int)));
			size = 8;
			n = 7;
			CHECK_OK(getsockopt(s, SOL_NETLINK, flags[i], &n, &size));
			CHECK_EQ(n, on);
			CHECK_EQ(size, sizeof(n));
		}
	size = 3;
	CHECK_ERRNO(getsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &n, &size), EINVAL);
	size = (socklen_t)-1;
	CHECK_ERRNO(getsockopt(s, SOL_NETLINK, NETLINK_EXT_ACK, &n, &size), EINVAL);
	size = sizeof(n);
	CHECK_ERRNO(getsockopt(s, SOL_NETLINK, 77, &n, &size), ENOPROTOOPT);
	for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		for (int option = 1; option < 110; option++) {
			CHECK_ERRNO(getsockopt(s, levels[i], option, &n, &size), ENOPROTOOPT);
			CHECK_ERRNO(setsockopt(s, levels[i], option, &n, size), ENOPROTOOPT);
		}
	/* The groups that it listens to: there are none to show before it ever has. */
	size = sizeof(words);
	CHECK_OK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size));
	CHECK_EQ(size, 0);
	CHECK_OK(setsockopt(s, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)));
	size = sizeof(words);
	CHECK_OK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size));
	CHECK_EQ(size, 8);
	CHECK_EQ(words[0], 1u << (group - 1));
	CHECK_EQ(words[1], 0);
	words[0] = 77;
	size = 0;
	CHECK_OK(getsockopt(s, SOL_NETLINK, NETLINK_LIST_MEMBERSHIPS, words, &size));
	CHECK_EQ(size, 8);
	CHECK_EQ(words[0], 77);
}

static const char *
value_of(const char *text, ssize_t size, const char *name)
{
	const char *end = text + size;

	for (; text < end; text += strlen(text) + 1)
		if (strncmp(text, name, strlen(name)) == 0 && text[strlen(name)] == '=')
			return text + strlen(name) + 1;
	return "";
}

TEST(an_interface_that_is_renamed_is_an_event)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 1 }, from = { 0 };
	struct ifreq r = { .ifr_name = "lo", .ifr_newname = "other" };
	struct timeval tv = { READY_MS / 1000, 0 };
	char b[2048], control[100];
	struct iovec v = { b, sizeof(b) - 1 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &v, .msg_iovlen = 1,
			    .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	struct ucred who;
	ssize_t n;
	int s;

	CHECK_OK(unshare(CLONE_NEWNET));
	s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	inet_set(s, SOL_SOCKET, SO_PASSCRED, 1);
	CHECK_OK(ioctl(inet_socket(SOCK_DGRAM), SIOCSIFNAME, &r));
	n = CHECK_OK(recvmsg(s, &m, 0));
	b[n] = '\0';
	CHECK_EQ(from.nl_pid, 0);
	CHECK_EQ(from.nl_groups, 1);
	CHECK_STR(b, "move@/devices/virtual/net/other");
	CHECK_STR(value_of(b, n, "ACTION"), "move");
	CHECK_STR(value_of(b, n, "DEVPATH"), "/devices/virtual/net/other");
	CHECK_STR(value_of(b, n, "DEVPATH_OLD"), "/devices/virtual/net/lo");
	CHECK_STR(value_of(b, n, "SUBSYSTEM"), "net");
	CHECK_STR(value_of(b, n, "INTERFACE"), "other");
	CHECK_STR(value_of(b, n, "IFINDEX"), "1");
	CHECK(atoi(value_of(b, n, "SEQNUM")) > 0);
	c = CMSG_FIRSTHDR(&m);
	CHECK(c != NULL);
	CHECK_EQ(c->cmsg_type, SCM_CREDENTIALS);
	memcpy(&who, CMSG_DATA(c), sizeof(who));
	CHECK_EQ(who.pid, 0);
	CHECK_EQ(who.uid, 0);
}

/* As udev tells those who ask it. */
TEST(a_program_tells_a_group)
{
	struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = 2 }, from = { 0 };
	socklen_t size = sizeof(from);
	char b[100];
	int r, s;

	CHECK_OK(unshare(CLONE_NEWNET));
	r = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	s = CHECK_OK(socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT));
	CHECK_OK(bind(r, (struct sockaddr *)&a, sizeof(a)));
	CHECK_OK(bind(s, (struct sockaddr *)&a, sizeof(a)));
	CHECK_EQ(sendto(s, "libudev", 8, 0, (struct sockaddr *)&a, sizeof(a)), 8);
	CHECK_EQ(recvfrom(r, b, sizeof(b), 0, (struct sockaddr *)&from, &size), 8);
	CHECK_MEM(b, "libudev", 8);
	CHECK_EQ(from.nl_groups, 2);
	CHECK(from.nl_pid != 0);
	/* Not to itself, and not without a right to. */
	CHECK_ERRNO(recv(s, b, sizeof(b), MSG_DONTWAIT), EAGAIN);
	CHECK_OK(setresuid(1000, 1000, 1000));
	CHECK_ERRNO(sendto(s, "libudev", 8, 0, (struct sockaddr *)&a, sizeof(a)), EPERM);
	a.nl_groups = 0;
	a.nl_pid = from.nl_pid;
	CHECK_ERRNO(sendto(r, "libudev", 8, 0, (struct sockaddr *)&a, sizeof(a)), EPERM);
}

/* What cannot be is refused, and the rest of the request with it. */
TEST(changes_of_a_link_that_cannot_be)
{
	struct ifinfomsg m = { .ifi_index = 1 };
	uint32_t absent = 77, own = 1, pid = (uint32_t)getpid(), mtu = 4000;
	struct ifreq f = { .ifr_name = "lo" };
	struct request r;
	int s;

	inet_fresh();
	s = route_socket(0);
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	add(&r, IFLA_NET_NS_PID, &pid, sizeof(pid));
	add(&r, IFLA_MTU, &mtu, sizeof(mtu));
	CHECK_EQ(acknowledged(s, &r), EINVAL);
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	add(&r, IFLA_MASTER, &absent, sizeof(absent));
	CHECK_EQ(acknowledged(s, &r), EINVAL);
	begin(&r, RTM_NEWLINK, 0, &m, sizeof(m));
	add(&r, IFLA_MASTER, &own, sizeof(own));
	CHECK_EQ(acknowledged(s, &r), EOPNOTSUPP);
	CHECK_OK(ioctl(inet_socket(SOCK_DGRAM), SIOCGIFMTU, &f));
	CHECK_EQ(f.ifr_mtu, 65536);
}

#define MANY 200

static void
add_many_addresses(void)
{
	int s = route_socket(0);

	for (uint32_t i = 1; i <= MANY; i++) {
		struct ifaddrmsg m = { .ifa_family = AF_INET, .ifa_prefixlen = 32, .ifa_index = 1 };
		uint32_t address = htonl(0x0a090000 + i);
		struct request r;

		begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &m, sizeof(m));
		add(&r, IFA_LOCAL, &address, sizeof(address));
		CHECK_EQ(acknowledged(s, &r), 0);
	}
	CHECK_OK(close(s));
}

/* Each of the many is there once. */
static void
dump_many(int s)
{
	struct ifaddrmsg m = { .ifa_family = AF_INET };
	static char b[4096];
	char seen[MANY] = { 0 };
	bool done = false;
	struct request r;
	unsigned sum = 0;

	begin(&r, RTM_GETADDR, NLM_F_DUMP, &m, sizeof(m));
	CHECK_EQ(send(s, &r, r.h.nlmsg_len, 0), r.h.nlmsg_len);
	while (!done) {
		size_t left = (size_t)CHECK_OK(recv(s, b, sizeof(b), MSG_TRUNC));

		CHECK(left <= sizeof(b));
		for (const struct nlmsghdr *h = (const struct nlmsghdr *)b; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
			const struct rtattr *a;
			uint32_t i;

			CHECK(h->nlmsg_flags & NLM_F_MULTI);
			done |= h->nlmsg_type == NLMSG_DONE;
			if (h->nlmsg_type != RTM_NEWADDR)
				continue;
			a = netlink_attribute(h, sizeof(m), IFA_LOCAL);
			CHECK(a);
			i = ntohl(*(const uint32_t *)RTA_DATA(a)) - 0x0a090001;
			if (i >= MANY)
				continue;
			CHECK_EQ(seen[i], 0);
			seen[i] = 1;
			sum++;
		}
	}
	CHECK_EQ(sum, MANY);
}

/* However little it reads at once, and however little its queue holds, a reader sees all of a dump. */
TEST(dumps_wait_for_their_reader)
{
	struct ifaddrs *all;
	unsigned n = 0;
	int s;

	inet_fresh();
	add_many_addresses();
	s = route_socket(0);
	inet_set(s, SOL_SOCKET, SO_RCVBUF, 1);
	dump_many(s);
	dump_many(s);
	CHECK_OK(close(s));
	/* glibc has room for a page. */
	CHECK_OK(getifaddrs(&all));
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		n += a->ifa_addr && a->ifa_addr->sa_family == AF_INET;
	CHECK(n >= MANY);
	freeifaddrs(all);
}
