/* SPDX-License-Identifier: MIT */
/* /proc/sys/net: what can be set acts, in the network of who sets it. ip(7), tcp(7), socket(7), unix(7). */
#include "inet.h"

#include <dirent.h>
#include <fcntl.h>

static const char *
setting(const char *name)
{
	static char value[256];
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = CHECK_OK(open(path, O_RDONLY));
	n = CHECK_OK(read(fd, value, sizeof(value) - 1));
	value[n] = '\0';
	CHECK_OK(close(fd));
	return value;
}

/* 0, or the errno. */
static int
set(const char *name, const char *value)
{
	char path[128];
	ssize_t n;
	int fd, error;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = CHECK_OK(open(path, O_WRONLY));
	n = write(fd, value, strlen(value));
	error = n == (ssize_t)strlen(value) ? 0 : errno;
	CHECK_OK(close(fd));
	return error;
}

TEST(settings_at_birth)
{
	inet_fresh();
	CHECK_STR(setting("core/somaxconn"), "4096\n");
	CHECK_STR(setting("ipv4/ip_local_port_range"), "32768\t60999\n");
	CHECK_STR(setting("ipv4/ip_unprivileged_port_start"), "1024\n");
	CHECK_STR(setting("ipv4/ip_default_ttl"), "64\n");
	CHECK_STR(setting("ipv4/ip_forward"), "0\n");
	CHECK_STR(setting("ipv4/ip_nonlocal_bind"), "0\n");
	CHECK_STR(setting("ipv4/icmp_ratelimit"), "1000\n");
	CHECK_STR(setting("ipv4/icmp_ratemask"), "6168\n");
	CHECK_STR(setting("ipv4/tcp_invalid_ratelimit"), "500\n");
	CHECK_STR(setting("ipv4/ping_group_range"), "1\t0\n");
	CHECK_STR(setting("ipv4/tcp_keepalive_time"), "7200\n");
	CHECK_STR(setting("ipv4/tcp_keepalive_intvl"), "75\n");
	CHECK_STR(setting("ipv4/tcp_keepalive_probes"), "9\n");
	CHECK_STR(setting("ipv4/tcp_syn_retries"), "6\n");
	CHECK_STR(setting("ipv4/tcp_fin_timeout"), "60\n");
	CHECK_STR(setting("ipv4/tcp_timestamps"), "1\n");
	CHECK_STR(setting("ipv4/tcp_sack"), "1\n");
	CHECK_STR(setting("ipv4/tcp_window_scaling"), "1\n");
	CHECK_STR(setting("ipv4/conf/lo/forwarding"), "0\n");
	CHECK_STR(setting("ipv6/bindv6only"), "0\n");
	CHECK_STR(setting("ipv6/icmp/ratelimit"), "1000\n");
	CHECK_STR(setting("ipv6/icmp/ratemask"), "0-1,3-127\n");
	CHECK_STR(setting("ipv6/conf/all/disable_ipv6"), "0\n");
	CHECK_STR(setting("unix/max_dgram_qlen"), "10\n");
}

TEST(each_interface_has_settings)
{
	struct ifreq r = { .ifr_name = "lo", .ifr_newname = "other" };
	bool listed = false;
	struct dirent *e;
	DIR *d;

	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_STR(setting("ipv4/conf/lo/forwarding"), "0\n");
	CHECK_STR(setting("ipv6/conf/lo/forwarding"), "0\n");
	CHECK_OK(ioctl(inet_socket(SOCK_DGRAM), SIOCSIFNAME, &r));
	CHECK_STR(setting("ipv4/conf/other/forwarding"), "0\n");
	CHECK_STR(setting("ipv6/conf/other/forwarding"), "0\n");
	CHECK_ERRNO(open("/proc/sys/net/ipv4/conf/lo/forwarding", O_RDONLY), ENOENT);
	d = opendir("/proc/sys/net/ipv4/conf");
	CHECK(d);
	while ((e = readdir(d)) != NULL) {
		CHECK(strcmp(e->d_name, "lo") != 0);
		listed |= strcmp(e->d_name, "other") == 0;
	}
	CHECK_OK(closedir(d));
	CHECK(listed);
}

TEST(ports_come_from_their_range)
{
	int i;

	inet_fresh();
	CHECK_EQ(set("ipv4/ip_local_port_range", "40000 40003\n"), 0);
	CHECK_STR(setting("ipv4/ip_local_port_range"), "40000\t40003\n");
	for (i = 0; i < 4; i++) {
		int s = inet_socket(SOCK_STREAM);

		CHECK_OK(inet_bind(s, INADDR_LOOPBACK, 0));
		CHECK(inet_port(s) >= 40000 && inet_port(s) <= 40003);
	}
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 0), EADDRINUSE);
	CHECK_EQ(set("ipv4/ip_local_port_range", "5000 4000"), EINVAL);
	CHECK_EQ(set("ipv4/ip_local_port_range", "500 600"), EINVAL);
	CHECK_EQ(set("ipv4/ip_local_port_range", "40000 70000"), EINVAL);
	CHECK_STR(setting("ipv4/ip_local_port_range"), "40000\t40003\n");
	/* Another network has its own. */
	CHECK_OK(unshare(CLONE_NEWNET));
	CHECK_STR(setting("ipv4/ip_local_port_range"), "32768\t60999\n");
}

TEST(ports_that_need_no_right)
{
	pid_t pid;

	inet_fresh();
	CHECK_EQ(set("ipv4/ip_unprivileged_port_start", "80"), 0);
	CHECK_EQ(set("ipv4/ip_unprivileged_port_start", "65536"), EINVAL);
	CHECK_EQ(set("ipv4/ip_unprivileged_port_start", "-1"), EINVAL);
	pid = check_fork();
	if (pid == 0) {
		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 80));
		CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 79), EACCES);
		CHECK_ERRNO(open("/proc/sys/net/ipv4/ip_default_ttl", O_WRONLY), EACCES);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(sockets_begin_as_set)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(7000) };
	int s;

	inet_fresh();
	CHECK_EQ(set("ipv4/tcp_keepalive_time", "100"), 0);
	CHECK_EQ(set("ipv4/tcp_keepalive_intvl", "11"), 0);
	CHECK_EQ(set("ipv4/tcp_keepalive_probes", "3"), 0);
	CHECK_EQ(set("ipv4/tcp_syn_retries", "2"), 0);
	CHECK_EQ(set("ipv4/ip_default_ttl", "33"), 0);
	CHECK_EQ(set("ipv4/ip_default_ttl", "0"), EINVAL);
	CHECK_EQ(set("ipv4/ip_default_ttl", "256"), EINVAL);
	s = inet_socket(SOCK_STREAM);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPIDLE), 100);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPINTVL), 11);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_KEEPCNT), 3);
	CHECK_EQ(inet_get(s, IPPROTO_TCP, TCP_SYNCNT), 2);
	CHECK_EQ(inet_get(s, IPPROTO_IP, IP_TTL), 33);
	CHECK_EQ(set("ipv6/bindv6only", "1"), 0);
	s = CHECK_OK(socket(AF_INET6, SOCK_STREAM, 0));
	CHECK_EQ(inet_get(s, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	CHECK_OK(bind(s, (struct sockaddr *)&any, sizeof(any)));
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_ANY, 7000));
	CHECK_EQ(set("ipv4/ip_nonlocal_bind", "1"), 0);
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), 0x08080808, 0));
}

TEST(listeners_have_a_bound)
{
	struct sockaddr_in to;
	int l, i;

	inet_fresh();
	CHECK_EQ(set("core/somaxconn", "1"), 0);
	l = inet_server(100);
	to = inet_here(inet_port(l));
	for (i = 0; i < 5; i++) {
		int s = inet_socket(SOCK_STREAM);

		inet_nonblock(s);
		(void)connect(s, (struct sockaddr *)&to, sizeof(to));
		if (i < 2) /* one more than the bound */
			CHECK_EQ(inet_ready(s, POLLOUT), POLLOUT);
		else
			CHECK_EQ(inet_now(s, POLLOUT), 0);
	}
}
