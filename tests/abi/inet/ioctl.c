/* SPDX-License-Identifier: MIT */
/* Interfaces, addresses and routes by ioctl: netdevice(7). */
#include "inet.h"

#include <linux/sockios.h>
#include <net/route.h>

static void
command(unsigned long what, struct ifreq *r)
{
	int s = inet_socket(SOCK_DGRAM);

	CHECK_OK(ioctl(s, what, r));
	CHECK_OK(close(s));
}

static uint32_t
address_of(const struct ifreq *r)
{
	return ntohl(((const struct sockaddr_in *)&r->ifr_addr)->sin_addr.s_addr);
}

static void
set_address(struct ifreq *r, uint32_t address)
{
	struct sockaddr_in a = inet_at(address, 0);

	memcpy(&r->ifr_addr, &a, sizeof(a));
}

TEST(what_loopback_is)
{
	struct ifreq r = { .ifr_name = "lo" };

	inet_fresh();
	command(SIOCGIFINDEX, &r);
	CHECK_EQ(r.ifr_ifindex, 1);
	command(SIOCGIFFLAGS, &r);
	CHECK_EQ(r.ifr_flags, IFF_UP | IFF_LOOPBACK | IFF_RUNNING);
	command(SIOCGIFMTU, &r);
	CHECK_EQ(r.ifr_mtu, 65536);
	command(SIOCGIFHWADDR, &r);
	CHECK_EQ(r.ifr_hwaddr.sa_family, 772);
	command(SIOCGIFADDR, &r);
	CHECK_EQ(address_of(&r), INADDR_LOOPBACK);
	command(SIOCGIFNETMASK, &r);
	CHECK_EQ(address_of(&r), 0xff000000);
	command(SIOCGIFTXQLEN, &r);
	CHECK_EQ(r.ifr_qlen, 1000);
	memset(r.ifr_name, 0, sizeof(r.ifr_name));
	r.ifr_ifindex = 1;
	command(SIOCGIFNAME, &r);
	CHECK_STR(r.ifr_name, "lo");
}

TEST(interfaces_that_are_not_there)
{
	struct ifreq r = { .ifr_name = "nope9" };
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_ERRNO(ioctl(s, SIOCGIFINDEX, &r), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCGIFFLAGS, &r), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCSIFFLAGS, &r), ENODEV);
	r.ifr_ifindex = 77;
	CHECK_ERRNO(ioctl(s, SIOCGIFNAME, &r), ENODEV);
	CHECK_ERRNO(ioctl(s, SIOCGIFINDEX, (void *)8), EFAULT);
	CHECK_EQ(if_nametoindex("lo"), 1);
	CHECK_EQ(if_nametoindex("nope9"), 0);
}

TEST(addresses_are_listed)
{
	struct ifreq r[8];
	struct ifconf c = { .ifc_len = sizeof(r), .ifc_req = r };
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(ioctl(s, SIOCGIFCONF, &c));
	CHECK_EQ(c.ifc_len, sizeof(r[0]));
	CHECK_STR(r[0].ifr_name, "lo");
	CHECK_EQ(address_of(&r[0]), INADDR_LOOPBACK);
	c.ifc_len = 0;
	c.ifc_req = NULL;
	CHECK_OK(ioctl(s, SIOCGIFCONF, &c));
	CHECK_EQ(c.ifc_len, sizeof(r[0]));
}

TEST(an_address_is_set)
{
	struct ifreq r = { .ifr_name = "lo:1" };
	int s;

	inet_fresh();
	set_address(&r, 0x0a010203);
	command(SIOCSIFADDR, &r);
	command(SIOCGIFNETMASK, &r);
	CHECK_EQ(address_of(&r), 0xff000000);
	set_address(&r, 0xffffff00);
	command(SIOCSIFNETMASK, &r);
	command(SIOCGIFADDR, &r);
	CHECK_EQ(address_of(&r), 0x0a010203);
	s = inet_socket(SOCK_STREAM);
	CHECK_OK(inet_bind(s, 0x0a010203, 0));
	CHECK_OK(listen(s, 1));
	/* On loopback all of the prefix is ours. */
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), 0x0a010204, 0));
	CHECK_ERRNO(inet_bind(inet_socket(SOCK_STREAM), 0x0a010304, 0), EADDRNOTAVAIL);
}

/* Addresses of IPv4, and who is bound to them, stay when their interface goes down. */
TEST(addresses_of_what_is_down)
{
	struct ifreq r = { .ifr_name = "lo" };
	struct sockaddr_in to = inet_here(9);
	int s;

	inet_fresh();
	command(SIOCGIFFLAGS, &r);
	r.ifr_flags &= (short)~IFF_UP;
	command(SIOCSIFFLAGS, &r);
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK, 0));
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), INADDR_LOOPBACK + 5, 0));
	s = inet_socket(SOCK_DGRAM);
	CHECK_OK(sendto(s, "a", 1, 0, (struct sockaddr *)&to, sizeof(to)));
	/* One that it gets while it is down is ours at once, the rest of its prefix is not. */
	strcpy(r.ifr_name, "lo:1");
	set_address(&r, 0x0a010203);
	command(SIOCSIFADDR, &r);
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), 0x0a010203, 0));
	strcpy(r.ifr_name, "lo");
	command(SIOCGIFFLAGS, &r);
	r.ifr_flags |= IFF_UP;
	command(SIOCSIFFLAGS, &r);
	CHECK_OK(inet_bind(inet_socket(SOCK_STREAM), 0x0a010204, 0));
	CHECK_ERRNO(inet_connect(inet_socket(SOCK_STREAM), 9), ECONNREFUSED);
}

TEST(changes_need_a_right)
{
	struct ifreq r = { .ifr_name = "lo" };
	pid_t pid;

	inet_fresh();
	pid = check_fork();
	if (pid == 0) {
		int s = inet_socket(SOCK_DGRAM);

		CHECK_OK(setresuid(CHECK_NOBODY, CHECK_NOBODY, CHECK_NOBODY));
		CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
		CHECK_ERRNO(ioctl(s, SIOCSIFFLAGS, &r), EPERM);
		CHECK_ERRNO(ioctl(s, SIOCSIFMTU, &r), EPERM);
		_exit(0);
	}
	CHECK_EXIT(pid, 0);
}

TEST(routes_are_added_and_removed)
{
	struct rtentry e = { .rt_flags = RTF_UP | RTF_GATEWAY };
	struct sockaddr_in *to = (struct sockaddr_in *)&e.rt_dst, *mask = (struct sockaddr_in *)&e.rt_genmask;
	struct sockaddr_in *via = (struct sockaddr_in *)&e.rt_gateway;
	struct ifreq r = { .ifr_name = "lo:1" };
	int s;

	inet_fresh();
	s = inet_socket(SOCK_DGRAM);
	*to = inet_at(0x0a090000, 0);
	*mask = inet_at(0xffff0000, 0);
	*via = inet_at(0x0a010209, 0);
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &e), ENETUNREACH);
	set_address(&r, 0x0a010203);
	command(SIOCSIFADDR, &r);
	e.rt_flags = RTF_UP;
	e.rt_dev = (char *)"lo";
	*via = inet_at(0, 0);
	CHECK_OK(ioctl(s, SIOCADDRT, &e));
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &e), EEXIST);
	CHECK_OK(ioctl(s, SIOCDELRT, &e));
	CHECK_ERRNO(ioctl(s, SIOCDELRT, &e), ESRCH);
	*to = inet_at(0x0a090001, 0);
	CHECK_ERRNO(ioctl(s, SIOCADDRT, &e), EINVAL);
}
