/* SPDX-License-Identifier: MIT */
/*
 * tun.c - /dev/net/tun as a device: attaching, flags, who may, what a read and a write take. What the stack makes of packets
 * the tests of the wire look at.
 */
#include <linux/if_tun.h>

#include "../inet/inet.h"

static int
tun_open(void)
{
	return CHECK_OK(open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
}

static int
attach(int fd, const char *name, short flags, char out[IFNAMSIZ])
{
	struct ifreq r = { .ifr_flags = flags };
	int result;

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	result = ioctl(fd, TUNSETIFF, &r);
	if (out && result == 0)
		strcpy(out, r.ifr_name);
	return result;
}

static short
flags_of(const char *name)
{
	int s = inet_socket(SOCK_DGRAM);
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	close(s);
	return r.ifr_flags;
}

static void
set_up(const char *name)
{
	int s = inet_socket(SOCK_DGRAM);
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	CHECK_OK(ioctl(s, SIOCGIFFLAGS, &r));
	r.ifr_flags |= IFF_UP;
	CHECK_OK(ioctl(s, SIOCSIFFLAGS, &r));
	close(s);
}

TEST(attaches)
{
	char name[IFNAMSIZ];
	struct ifreq r = { 0 };
	int fd;

	inet_fresh();
	fd = tun_open();
	CHECK_ERRNO(ioctl(fd, TUNGETIFF, &r), EBADFD);
	CHECK_ERRNO(attach(fd, "", 0, NULL), EINVAL);
	CHECK_OK(attach(fd, "abi%d", IFF_TUN | IFF_NO_PI, name));
	CHECK(strncmp(name, "abi", 3) == 0 && strchr(name, '%') == NULL);
	CHECK_ERRNO(attach(fd, "", IFF_TUN, NULL), EEXIST);
	CHECK_OK(ioctl(fd, TUNGETIFF, &r));
	CHECK(strcmp(r.ifr_name, name) == 0 && (r.ifr_flags & IFF_TUN) && (r.ifr_flags & IFF_NO_PI));
	CHECK_EQ(flags_of(name) & (IFF_UP | IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST | IFF_BROADCAST),
		 IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST);
	close(fd);
}

TEST(names_that_are_none)
{
	static const char *const bad[] = { "a/b", "..", "a b", "a:b", "%s", "a%d%d" };
	int fd;

	inet_fresh();
	fd = tun_open();
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_ERRNO(attach(fd, bad[i], IFF_TUN | IFF_NO_PI, NULL), EINVAL);
	close(fd);
}

static void
await_running(const char *name, bool running)
{
	while (!(flags_of(name) & IFF_RUNNING) == running)
		usleep(1000);
}

TEST(runs_while_there_is_a_carrier)
{
	int fd, on = 1, off = 0;

	inet_fresh();
	fd = tun_open();
	CHECK_OK(attach(fd, "abitun6", IFF_TUN | IFF_NO_PI, NULL));
	set_up("abitun6");
	await_running("abitun6", true);
	CHECK_OK(ioctl(fd, TUNSETCARRIER, &off));
	await_running("abitun6", false);
	CHECK_OK(ioctl(fd, TUNSETCARRIER, &on));
	await_running("abitun6", true);
	CHECK_OK(ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
	await_running("abitun6", false);
	fd = tun_open();
	CHECK_OK(attach(fd, "abitun6", IFF_TUN | IFF_NO_PI, NULL));
	await_running("abitun6", true);
	CHECK_OK(ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

TEST(is_one_programs)
{
	int a, b;

	inet_fresh();
	a = tun_open();
	b = tun_open();
	CHECK_OK(attach(a, "abitun7", IFF_TAP | IFF_NO_PI, NULL));
	CHECK_ERRNO(attach(b, "abitun7", IFF_TAP | IFF_NO_PI, NULL), EBUSY);
	CHECK_ERRNO(attach(b, "lo", IFF_TAP | IFF_NO_PI, NULL), EINVAL);
	CHECK_EQ(flags_of("abitun7") & (IFF_BROADCAST | IFF_POINTOPOINT), IFF_BROADCAST);
	close(a);
	CHECK_OK(attach(b, "abitun7", IFF_TAP | IFF_NO_PI, NULL));
	close(b);
}

TEST(persists)
{
	int fd;

	inet_fresh();
	fd = tun_open();
	CHECK_OK(attach(fd, "abitun8", IFF_TUN | IFF_NO_PI, NULL));
	CHECK_OK(ioctl(fd, TUNSETPERSIST, 1));
	close(fd);
	CHECK_EQ(flags_of("abitun8") & IFF_POINTOPOINT, IFF_POINTOPOINT);
	fd = tun_open();
	CHECK_ERRNO(attach(fd, "abitun8", IFF_TAP | IFF_NO_PI, NULL), EINVAL);
	CHECK_ERRNO(attach(fd, "abitun8", IFF_TUN | IFF_NO_PI | (short)IFF_TUN_EXCL, NULL), EBUSY);
	CHECK_OK(attach(fd, "abitun8", IFF_TUN | IFF_NO_PI, NULL));
	CHECK_OK(ioctl(fd, TUNSETPERSIST, 0));
	close(fd);
}

static void
set_address(const char *name, unsigned long request, uint32_t address)
{
	struct sockaddr_in a = inet_at(address, 0);
	int s = inet_socket(SOCK_DGRAM);
	struct ifreq r = { 0 };

	strncpy(r.ifr_name, name, IFNAMSIZ - 1);
	memcpy(&r.ifr_addr, &a, sizeof(a));
	CHECK_OK(ioctl(s, request, &r));
	close(s);
}

/* Linux sends two SYNs; who has no TCP there says so at once. */
/* Wherever its program has gone since. */
TEST(an_interface_is_of_the_network_where_its_file_was_opened)
{
	struct ifreq r = { .ifr_name = "abi7" };
	int fd, there, here;

	inet_fresh();
	fd = tun_open();
	there = inet_socket(SOCK_DGRAM);
	CHECK_OK(unshare(CLONE_NEWNET));
	here = inet_socket(SOCK_DGRAM);
	CHECK_OK(attach(fd, "abi7", IFF_TUN, NULL));
	CHECK_ERRNO(ioctl(here, SIOCGIFINDEX, &r), ENODEV);
	CHECK_OK(ioctl(there, SIOCGIFINDEX, &r));
	close(fd);
	CHECK_ERRNO(ioctl(there, SIOCGIFINDEX, &r), ENODEV);
}

TEST(a_connect_that_nobody_answers_ends)
{
	struct sockaddr_in to = inet_at(0x0a4d0002, 80);
	int fd, s;

	TIMEOUT(60);
	inet_fresh();
	fd = tun_open();
	CHECK_OK(attach(fd, "abitun10", IFF_TUN | IFF_NO_PI, NULL));
	set_address("abitun10", SIOCSIFADDR, 0x0a4d0001);
	set_address("abitun10", SIOCSIFNETMASK, 0xffffff00);
	set_up("abitun10");
	s = inet_socket(SOCK_STREAM);
	inet_set(s, IPPROTO_TCP, TCP_SYNCNT, 1);
	CHECK_EQ(connect(s, (struct sockaddr *)&to, sizeof(to)), -1);
	CHECK(errno == ETIMEDOUT || errno == ENETUNREACH);
	/* The socket is as good as new. */
	CHECK_OK(inet_connect(s, inet_port(inet_server(1))));
	close(fd);
}

TEST(writes_and_reads)
{
	struct pollfd p = { .events = POLLIN | POLLOUT };
	char packet[64] = { 0x45 };
	int fd;

	inet_fresh();
	fd = tun_open();
	CHECK_ERRNO(read(fd, packet, sizeof(packet)), EBADFD);
	CHECK_ERRNO(write(fd, packet, sizeof(packet)), EBADFD);
	p.fd = fd;
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(p.revents & POLLERR);
	CHECK_OK(attach(fd, "abitun9", IFF_TUN | IFF_NO_PI, NULL));
	CHECK_ERRNO(write(fd, packet, sizeof(packet)), EIO); /* it is down */
	CHECK_ERRNO(read(fd, packet, sizeof(packet)), EAGAIN);
	set_up("abitun9");
	CHECK_EQ(write(fd, packet, sizeof(packet)), (ssize_t)sizeof(packet));
	packet[0] = 0x10;
	CHECK_ERRNO(write(fd, packet, sizeof(packet)), EINVAL); /* no version of IP */
	CHECK_EQ(poll(&p, 1, 0), 1);
	CHECK(p.revents & POLLOUT);
	close(fd);
}
