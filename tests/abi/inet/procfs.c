/* SPDX-License-Identifier: MIT */
/* /proc/net: sockets, interfaces, addresses and routes as text. proc(5). */
#include "inet.h"

#include <net/route.h>
#include <sys/stat.h>

/* The first line of a file of /proc/net in which `word` is, in a buffer that the next call uses again; "" if none. */
static const char *
line_with(const char *name, const char *word)
{
	static char line[4096];
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/net/%s", name);
	f = fopen(path, "r");
	CHECK(f);
	while (fgets(line, sizeof(line), f))
		if (strstr(line, word)) {
			CHECK_OK(fclose(f));
			return line;
		}
	CHECK_OK(fclose(f));
	return "";
}

static unsigned long
inode_of(int fd)
{
	struct stat st;

	CHECK_OK(fstat(fd, &st));
	return st.st_ino;
}

/* What a line about a socket of IPv4 says. */
struct row {
	unsigned int local, local_port, remote, remote_port, state, tx, rx, uid, refs;
	unsigned long inode;
};

static struct row
row_of(const char *file, const char *word)
{
	const char *line = line_with(file, word);
	struct row r;

	CHECK_EQ(sscanf(line, "%*d: %x:%x %x:%x %x %x:%x 00:%*x %*x %u %*d %lu %u", &r.local, &r.local_port, &r.remote,
			&r.remote_port, &r.state, &r.tx, &r.rx, &r.uid, &r.inode, &r.refs), 10);
	return r;
}

TEST(streams_in_proc)
{
	char word[32], want[128];
	int l, s, a;
	struct row r;

	inet_fresh();
	CHECK_EQ(strlen(line_with("tcp", "local_address")), 150);
	l = inet_server(5);
	snprintf(word, sizeof(word), "0100007F:%04X 00000000:0000 0A", inet_port(l));
	snprintf(want, sizeof(want), "   0: %s 00000000:00000000 00:00000000 00000000     0        0 %lu 1 ", word,
		 inode_of(l));
	CHECK_MEM(line_with("tcp", word), want, strlen(want));
	CHECK_EQ(strlen(line_with("tcp", word)), 150);
	CHECK(strstr(line_with("tcp", word), " 100 0 0 10 0 "));

	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s, inet_port(l)));
	/* Nobody has accepted it: it has no inode yet, and the listener says that one waits. */
	r = row_of("tcp", word);
	CHECK_EQ(r.rx, 1);
	CHECK_EQ(r.tx, 0);
	a = CHECK_OK(accept(l, NULL, NULL));
	CHECK_EQ(row_of("tcp", word).rx, 0);
	snprintf(word, sizeof(word), "0100007F:%04X 0100007F:%04X", inet_port(a), inet_peer_port(a));
	r = row_of("tcp", word);
	CHECK_EQ(r.state, 1);
	CHECK_EQ(r.inode, inode_of(a));
	CHECK_EQ(r.uid, 0);
	CHECK_EQ(send(s, "12345", 5, 0), 5);
	CHECK_EQ(inet_ready(a, POLLIN), POLLIN);
	CHECK_EQ(row_of("tcp", word).rx, 5);
	/* IPv6's are elsewhere. */
	CHECK_STR(line_with("tcp6", "0100007F"), "");
	CHECK_OK(close(s));
	inet_until(a, POLLRDHUP, POLLRDHUP);
	CHECK_EQ(row_of("tcp", word).state, 8);
	CHECK_OK(close(a));
	CHECK_OK(close(l));
	CHECK_STR(line_with("tcp", " 0A "), "");
}

TEST(a_connection_is_whose_listener_it_has)
{
	char word[64];
	int l, s, a;
	pid_t pid;

	inet_fresh();
	l = inet_server(5);
	pid = check_fork();
	if (pid == 0) {
		check_drop_root();
		s = inet_socket(SOCK_STREAM);
		CHECK_OK(inet_connect(s, inet_port(l)));
		snprintf(word, sizeof(word), "0100007F:%04X 0100007F:%04X 01", inet_port(s), inet_port(l));
		CHECK_EQ(row_of("tcp", word).uid, getuid());
		pause();
		_exit(0);
	}
	a = CHECK_OK(accept(l, NULL, NULL));
	snprintf(word, sizeof(word), "0100007F:%04X 0100007F:%04X 01", inet_port(l), inet_peer_port(a));
	CHECK_EQ(row_of("tcp", word).uid, 0);
	CHECK_OK(kill(pid, SIGKILL));
	CHECK_KILLED(pid, SIGKILL);
}

TEST(datagrams_in_proc)
{
	int s, six;
	char word[96];
	struct row r;
	struct sockaddr_in6 any = { .sin6_family = AF_INET6 };

	inet_fresh();
	CHECK_EQ(strlen(line_with("udp", "local_address")), 128);
	s = inet_socket(SOCK_DGRAM);
	CHECK_STR(line_with("udp", "07 "), "");
	CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 0));
	snprintf(word, sizeof(word), "0100007F:%04X 00000000:0000", inet_port(s));
	r = row_of("udp", word);
	CHECK_EQ(r.state, 7);
	CHECK_EQ(r.inode, inode_of(s));
	CHECK_EQ(r.rx, 0);
	CHECK_EQ(strlen(line_with("udp", word)), 128);
	CHECK_OK(inet_connect(s, inet_port(s)));
	CHECK_EQ(send(s, "abc", 3, 0), 3);
	CHECK_EQ(inet_ready(s, POLLIN), POLLIN);
	snprintf(word, sizeof(word), "0100007F:%04X 0100007F:%04X", inet_port(s), inet_port(s));
	r = row_of("udp", word);
	CHECK_EQ(r.state, 1);
	CHECK(r.rx >= 3);

	six = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	CHECK_OK(bind(six, (struct sockaddr *)&any, sizeof(any)));
	snprintf(word, sizeof(word), ": 00000000000000000000000000000000:%04X 00000000000000000000000000000000:0000 07 ",
		 inet_port(six));
	CHECK(line_with("udp6", word)[0]);
}

TEST(interfaces_in_proc)
{
	inet_fresh();
	CHECK_STR(line_with("if_inet6", "lo"), "00000000000000000000000000000001 01 80 10 80       lo\n");
	CHECK_STR(line_with("ipv6_route", "8020"),
		  line_with("ipv6_route", "00000000000000000000000000000001 80 00000000000000000000000000000000 00 "
					  "00000000000000000000000000000000 00000000 0"));
	CHECK(strstr(line_with("dev", "lo:"), "lo: "));
	CHECK_STR(line_with("arp", "IP address"),
		  "IP address       HW type     Flags       HW address            Mask     Device\n");
}

TEST(routes_in_proc)
{
	struct rtentry e = { .rt_flags = RTF_UP, .rt_dev = (char *)"lo" };
	char want[256];
	struct sockaddr_in at;
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	at = inet_at(0x0a090000, 0);
	memcpy(&e.rt_dst, &at, sizeof(at));
	at = inet_at(0xffff0000, 0);
	memcpy(&e.rt_genmask, &at, sizeof(at));
	CHECK_OK(ioctl(s, SIOCADDRT, &e));
	snprintf(want, sizeof(want), "%-127s\n", "lo\t0000090A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0");
	CHECK_STR(line_with("route", "lo"), want);
	CHECK_EQ(strlen(line_with("route", "Iface")), 128);
}

TEST(counts_in_proc)
{
	char word[64];
	int s[2], u;

	inet_fresh();
	inet_pair(s);
	u = inet_socket(SOCK_DGRAM);
	CHECK_OK(inet_bind(u, INADDR_LOOPBACK, 0));
	snprintf(word, sizeof(word), "TCP: inuse 2 orphan 0 tw 0 ");
	CHECK(strncmp(line_with("sockstat", "TCP:"), word, strlen(word)) == 0);
	CHECK(strncmp(line_with("sockstat", "UDP:"), "UDP: inuse 1 ", 13) == 0);
	CHECK_STR(line_with("sockstat6", "TCP6:"), "TCP6: inuse 0\n");
	CHECK(strncmp(line_with("snmp", "Ip: 2"), "Ip: 2 64 ", 9) == 0);
	CHECK(strncmp(line_with("snmp", "Tcp: 1"), "Tcp: 1 200 120000 -1 ", 21) == 0);
	CHECK(line_with("netstat", "IpExt: InNoRoutes")[0]);
	CHECK(line_with("snmp6", "Icmp6OutMLDv2Reports            \t")[0]);
}

/* What TCP counts: RFC 4022. */
struct tcp_counts {
	unsigned long active, passive, failed, reset, established;
};

static struct tcp_counts
tcp_counts(void)
{
	struct tcp_counts c;

	CHECK_EQ(sscanf(line_with("snmp", "Tcp: 1"), "Tcp: 1 200 120000 -1 %lu %lu %lu %lu %lu", &c.active, &c.passive, &c.failed,
			&c.reset, &c.established), 5);
	return c;
}

static void
tcp_counted(unsigned long active, unsigned long passive, unsigned long failed, unsigned long reset, unsigned long established)
{
	struct tcp_counts c = tcp_counts();

	CHECK_EQ(c.active, active);
	CHECK_EQ(c.passive, passive);
	CHECK_EQ(c.failed, failed);
	CHECK_EQ(c.reset, reset);
	CHECK_EQ(c.established, established);
}

TEST(tcp_counts_what_becomes_of_connections)
{
	int l, s[2], port;

	inet_fresh();
	tcp_counted(0, 0, 0, 0, 0);
	inet_pair(s);
	tcp_counted(1, 1, 0, 0, 2);
	/* Both say that they are through: nothing is broken. */
	CHECK_OK(shutdown(s[0], SHUT_WR));
	inet_until(s[1], POLLRDHUP, POLLRDHUP);
	CHECK_OK(close(s[1]));
	inet_until(s[0], POLLHUP, POLLHUP);
	CHECK_OK(close(s[0]));
	tcp_counted(1, 1, 0, 0, 0);
	/* One has not read what came: both ends are reset. */
	inet_pair(s);
	CHECK_EQ(send(s[0], "x", 1, 0), 1);
	inet_until(s[1], POLLIN, POLLIN);
	CHECK_OK(close(s[1]));
	inet_until(s[0], POLLERR, POLLERR | POLLHUP);
	CHECK_OK(close(s[0]));
	tcp_counted(2, 2, 0, 2, 0);
	/* Nobody listens. */
	l = inet_server(1);
	port = inet_port(l);
	CHECK_OK(close(l));
	l = inet_socket(SOCK_STREAM);
	CHECK_ERRNO(inet_connect(l, port), ECONNREFUSED);
	CHECK_OK(close(l));
	tcp_counted(3, 2, 1, 2, 0);
	/* A connection that nobody has accepted when its listener goes. */
	l = inet_server(1);
	s[0] = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_connect(s[0], inet_port(l)));
	CHECK_OK(close(l));
	inet_until(s[0], POLLERR, POLLERR | POLLHUP);
	CHECK_OK(close(s[0]));
	tcp_counted(4, 3, 1, 4, 0);
}

TEST(groups_in_proc)
{
	struct ip_mreqn four = { .imr_multiaddr.s_addr = htonl(0xe9000001), .imr_ifindex = 1 };
	struct ipv6_mreq six = { .ipv6mr_interface = 1 };
	int s, other, s6;

	inet_fresh();
	CHECK_STR(line_with("igmp", "Idx"), "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	CHECK_STR(line_with("igmp", "lo"), "1\tlo        :     1      V3\n");
	CHECK_STR(line_with("igmp", "010000E0"), "\t\t\t\t010000E0     1 0:00000000\t\t0\n");
	CHECK_STR(line_with("igmp6", "ff02"), "1    lo              ff020000000000000000000000000001     1 0000000C 0\n");
	CHECK_STR(line_with("igmp6", "ff01"), "1    lo              ff010000000000000000000000000001     1 00000008 0\n");
	CHECK_STR(line_with("dev_mcast", "lo"), "");

	s = inet_socket(SOCK_DGRAM);
	other = inet_socket(SOCK_DGRAM);
	CHECK_OK(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)));
	CHECK_STR(line_with("igmp", "lo"), "1\tlo        :     2      V3\n");
	CHECK_STR(line_with("igmp", "\t\t\t\t"), "\t\t\t\t010000E9     1 0:00000000\t\t0\n");
	CHECK_OK(setsockopt(other, IPPROTO_IP, IP_ADD_MEMBERSHIP, &four, sizeof(four)));
	CHECK_STR(line_with("igmp", "\t\t\t\t"), "\t\t\t\t010000E9     2 0:00000000\t\t0\n");
	CHECK_STR(line_with("igmp", "lo"), "1\tlo        :     2      V3\n");

	s6 = CHECK_OK(socket(AF_INET6, SOCK_DGRAM, 0));
	six.ipv6mr_multiaddr.s6_addr[0] = 0xff;
	six.ipv6mr_multiaddr.s6_addr[1] = 0x02;
	six.ipv6mr_multiaddr.s6_addr[15] = 0xfb;
	CHECK_OK(setsockopt(s6, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &six, sizeof(six)));
	CHECK_STR(line_with("igmp6", "lo"), "1    lo              ff0200000000000000000000000000fb     1 00000004 0\n");
	CHECK_OK(close(s6));
	CHECK_STR(line_with("igmp6", "fb"), "");
	CHECK_OK(close(s));
	CHECK_OK(close(other));
	CHECK_STR(line_with("igmp", "010000E9"), "");
}

/* Another network's files tell of that network. */
TEST(each_network_has_its_own_in_proc)
{
	char word[32];
	int l;

	inet_fresh();
	l = inet_server(1);
	snprintf(word, sizeof(word), "0100007F:%04X", inet_port(l));
	CHECK(line_with("tcp", word)[0]);
	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_STR(line_with("tcp", word), "");
}
