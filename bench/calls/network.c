/* SPDX-License-Identifier: MIT */
/* TCP and UDP between two programs of one machine: a byte there and back, connections, how much goes through. */
#include "bench.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static int listener, near, far; /* far: the partner's end */
static struct sockaddr_in server;
static pid_t peer;
static char byte, block[65536];

/* Whatever started the machine, its loopback interface is up. */
static void
loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int s = MUST(socket(AF_INET, SOCK_DGRAM, 0));

	MUST(ioctl(s, SIOCGIFFLAGS, &lo));
	lo.ifr_flags |= IFF_UP;
	MUST(ioctl(s, SIOCSIFFLAGS, &lo));
	MUST(close(s));
}

static void
make_server(int type)
{
	socklen_t size = sizeof(server);

	loopback_up();
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	listener = MUST(socket(AF_INET, type, 0));
	MUST(bind(listener, (struct sockaddr *)&server, sizeof(server)));
	MUST(getsockname(listener, (struct sockaddr *)&server, &size));
	if (type == SOCK_STREAM)
		MUST(listen(listener, 128));
}

static int
connected(int type)
{
	int s = MUST(socket(AF_INET, type, 0));

	MUST(connect(s, (struct sockaddr *)&server, sizeof(server)));
	return s;
}

static void
no_delay(int s)
{
	MUST(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
}

static void
join_by_tcp(void)
{
	make_server(SOCK_STREAM);
	near = connected(SOCK_STREAM);
	far = MUST(accept(listener, NULL, NULL));
	no_delay(near);
	no_delay(far);
	MUST(close(listener));
}

/* Two UDP sockets, each connected to the other. */
static void
join_by_udp(void)
{
	struct sockaddr_in back;
	socklen_t size = sizeof(back);

	make_server(SOCK_DGRAM);
	near = connected(SOCK_DGRAM);
	MUST(getsockname(near, (struct sockaddr *)&back, &size));
	MUST(connect(listener, (struct sockaddr *)&back, size));
	far = listener;
}

static void
echo(void *unused)
{
	(void)unused;
	close(near);
	while (recv(far, &byte, 1, 0) == 1 && byte != 'q')
		MUST(send(far, &byte, 1, 0));
}

static void
start_echo(void)
{
	byte = 'x';
	peer = start_child(echo, NULL);
	MUST(close(far));
}

static void
end_echo(void)
{
	byte = 'q';
	MUST(send(near, &byte, 1, 0));
	wait_child(peer, "the partner");
	MUST(close(near));
}

static void
ping_pong(long n)
{
	for (long i = 0; i < n; i++) {
		MUST(send(near, &byte, 1, 0));
		MUST(recv(near, &byte, 1, 0));
	}
}

static void
tcp_echo(void)
{
	join_by_tcp();
	start_echo();
}

static void
udp_echo(void)
{
	join_by_udp();
	start_echo();
}

ITEM_IN(tcp_latency, 3000, tcp_echo, end_echo) { ping_pong(n); }
ITEM_IN(udp_latency, 3000, udp_echo, end_echo) { ping_pong(n); }

/* As servers do it: the partner waits by epoll, and reads until there is no more. */
static void
epoll_echo_loop(void *unused)
{
	struct epoll_event e = { .events = EPOLLIN };
	int epoll = MUST(epoll_create1(0));

	(void)unused;
	close(near);
	MUST(fcntl(far, F_SETFL, O_NONBLOCK));
	MUST(epoll_ctl(epoll, EPOLL_CTL_ADD, far, &e));
	for (;;) {
		ssize_t got;

		MUST(epoll_wait(epoll, &e, 1, -1));
		while ((got = recv(far, block, sizeof(block), 0)) > 0) {
			if (block[0] == 'q')
				return;
			MUST(send(far, block, (size_t)got, 0));
		}
	}
}

static void
epoll_echo(void)
{
	join_by_tcp();
	byte = 'x';
	peer = start_child(epoll_echo_loop, NULL);
	MUST(close(far));
}

ITEM_IN(tcp_latency_epoll, 2000, epoll_echo, end_echo) { ping_pong(n); }

/* --- nobody waits: what a byte costs by itself -------------------------------------------------------------- */

static void
part(void)
{
	MUST(close(near));
	MUST(close(far));
}

static void
send_receive(long n)
{
	for (long i = 0; i < n; i++) {
		MUST(send(near, &byte, 1, 0));
		MUST(recv(far, &byte, 1, 0));
	}
}

ITEM_IN(tcp_send_recv_1, 5000, join_by_tcp, part) { send_receive(n); }
ITEM_IN(udp_send_recv_1, 5000, join_by_udp, part) { send_receive(n); }

/* --- connections -------------------------------------------------------------------------------------------- */

static void
listen_alone(void)
{
	make_server(SOCK_STREAM);
}

static void
close_listener(void)
{
	MUST(close(listener));
}

/* Made, accepted, closed by whoever accepted it and then by the other. */
ITEM_IN(tcp_connect, 500, listen_alone, close_listener)
{
	for (long i = 0; i < n; i++) {
		near = connected(SOCK_STREAM);
		far = MUST(accept(listener, NULL, NULL));
		MUST(close(far));
		MUST(close(near));
	}
}

ITEM_IN(udp_socket, 2000, loopback_up, NULL)
{
	for (long i = 0; i < n; i++)
		MUST(close(MUST(socket(AF_INET, SOCK_DGRAM, 0))));
}

/* --- how much goes through ---------------------------------------------------------------------------------- */

static void
drain(void *unused)
{
	(void)unused;
	close(near);
	while (recv(far, block, sizeof(block), 0) > 0)
		;
}

static void
tcp_to_drain(void)
{
	join_by_tcp();
	peer = start_child(drain, NULL);
	MUST(close(far));
}

static void
end_drain(void)
{
	MUST(shutdown(near, SHUT_WR));
	wait_child(peer, "the partner");
	MUST(close(near));
}

static void
pour(long n, size_t size)
{
	for (long i = 0; i < n; i++)
		for (size_t done = 0; done < size;)
			done += (size_t)MUST(send(near, block, size - done, 0));
}

RATE_IN(tcp_bandwidth_64, 20000, 64, tcp_to_drain, end_drain) { pour(n, 64); }
RATE_IN(tcp_bandwidth_4k, 2000, 4096, tcp_to_drain, end_drain) { pour(n, 4096); }
RATE_IN(tcp_bandwidth_64k, 200, 65536, tcp_to_drain, end_drain) { pour(n, 65536); }

/* A datagram is sent and received by the same thread: else what was lost would count as fast. */
static void
datagrams(long n, size_t size)
{
	for (long i = 0; i < n; i++) {
		MUST(send(near, block, size, 0));
		if ((size_t)MUST(recv(far, block, sizeof(block), 0)) != size)
			give_up(__FILE__, __LINE__, "recv");
	}
}

RATE_IN(udp_bandwidth_64, 5000, 64, join_by_udp, part) { datagrams(n, 64); }
RATE_IN(udp_bandwidth_4k, 2000, 4096, join_by_udp, part) { datagrams(n, 4096); }
RATE_IN(udp_bandwidth_60k, 200, 60000, join_by_udp, part) { datagrams(n, 60000); }
