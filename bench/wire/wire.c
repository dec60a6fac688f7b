/* SPDX-License-Identifier: MIT */
/*
 * wire.c - how fast a machine's network is, between it and a server elsewhere; and a cable between two machines.
 *
 *	wire serve ADDRESS [PORT]
 *		serve by TCP and UDP on one port, which is printed, until somebody says stop
 *	wire ask PREFIX ADDRESS PORT [WORD ..]
 *		measure against such a server: items as `tessera bench` wants them, their names behind PREFIX_
 *	wire recover PREFIX ADDRESS PORT KILLS
 *		kill the network stack so often: how soon an open connection answers, and how soon a new one is there
 *	wire stop ADDRESS PORT
 *	wire join PATH
 *		a cable: what comes by one of two connections to a Unix socket leaves by the other
 *
 * A connection begins with a request: 'e' sends back whatever comes; 's' reads all, then sends one byte; 'z' sends
 * pieces of that size until the other side closes; 'q' stops the server. By UDP all is sent back.
 *
 * Each item goes on for a while, in rounds; told is the median of the rounds. A round of ping-pong counts its median,
 * so that what the host does besides is not told of the machine.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "../frame.h"

#define ROUNDS	    5
#define ROUND_NS    300e6
#define SAMPLES	    20000
#define PIECE_MAX   65536
#define LOST_MS	    1000 /* a datagram that has not come back by then never will */
#define UNDER_WAY   8	 /* datagrams */
#define PATIENCE    600	 /* tenths of a second, until a server is there */
#define CONNECTIONS 300	 /* of one round at most: a port is held for a while when its connection has gone */

struct request {
	char what;
	uint32_t size;
};

static char block[PIECE_MAX];
static struct sockaddr_in server;

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double
median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static struct sockaddr_in
address_of(const char *address, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, address, &a.sin_addr) != 1) {
		errno = EINVAL;
		give_up(__FILE__, __LINE__, address);
	}
	return a;
}

static void
no_delay(int s)
{
	MUST(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int)));
}

/* --- serving ----------------------------------------------------------------------------------------------- */

static bool
send_all(int s, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = send(s, block, size - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* One connection, until its client has enough. */
static void
serve_connection(void *socket)
{
	int s = *(int *)socket;
	struct request r;
	ssize_t n;

	no_delay(s);
	if (recv(s, &r, sizeof(r), MSG_WAITALL) != sizeof(r) || r.size > PIECE_MAX)
		return;
	switch (r.what) {
	case 'e':
		while ((n = recv(s, block, sizeof(block), 0)) > 0 && send_all(s, (size_t)n))
			;
		break;
	case 's':
		while (recv(s, block, sizeof(block), 0) > 0)
			;
		send_all(s, 1);
		break;
	case 'z':
		while (send_all(s, r.size))
			;
		break;
	}
}

static void
serve_datagrams(void *socket)
{
	int s = *(int *)socket;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	ssize_t n;

	while ((n = recvfrom(s, block, sizeof(block), 0, (struct sockaddr *)&from, &size)) >= 0)
		(void)sendto(s, block, (size_t)n, 0, (struct sockaddr *)&from, size);
}

static int
serve(const char *address, const char *port)
{
	struct sockaddr_in own = address_of(address, port);
	int listener = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), s;
	int datagrams = MUST(socket(AF_INET, SOCK_DGRAM, 0));
	socklen_t size = sizeof(own);

	MUST(bind(listener, (struct sockaddr *)&own, size));
	MUST(getsockname(listener, (struct sockaddr *)&own, &size));
	MUST(bind(datagrams, (struct sockaddr *)&own, size));
	MUST(listen(listener, 1000));
	printf("%u\n", ntohs(own.sin_port));
	fflush(stdout);
	signal(SIGCHLD, SIG_IGN);
	start_child(serve_datagrams, &datagrams);
	for (;;) {
		struct pollfd more = { .fd = s = MUST(accept(listener, NULL, NULL)), .events = POLLIN };

		/* Who only connects is not worth a process. */
		if (poll(&more, 1, LOST_MS) == 1 && recv(s, block, 1, MSG_PEEK) == 1) {
			if (block[0] == 'q')
				return 0;
			start_child(serve_connection, &s);
		}
		close(s);
	}
}

/* --- a cable -------------------------------------------------------------------------------------------------- */

static void
write_all(int fd, const char *data, size_t size)
{
	for (ssize_t n; size && (n = send(fd, data, size, MSG_NOSIGNAL)) > 0; data += n)
		size -= (size_t)n;
}

/* Nobody else is to be on it. Who looks whether it is served (tools/vm/wire.py) connects and goes. */
static int
join(const char *path)
{
	struct sockaddr_un own = { .sun_family = AF_UNIX };
	struct pollfd fds[4] = { { .fd = MUST(socket(AF_UNIX, SOCK_STREAM, 0)), .events = POLLIN } };
	int count = 1;

	snprintf(own.sun_path, sizeof(own.sun_path), "%s", path);
	MUST(bind(fds[0].fd, (struct sockaddr *)&own, sizeof(own)));
	MUST(listen(fds[0].fd, 8));
	printf("%s\n", path);
	fflush(stdout);
	for (;;) {
		for (int i = 1; i < count; i++)
			fds[i].events = count == 3 ? POLLIN : 0;
		MUST(poll(fds, (nfds_t)count, -1));
		for (int i = count - 1; i > 0; i--) {
			ssize_t n = fds[i].revents & (POLLIN | POLLHUP) ? recv(fds[i].fd, block, sizeof(block), MSG_DONTWAIT) : 1;

			if (n == 0 || (n < 0 && errno != EAGAIN)) {
				close(fds[i].fd);
				fds[i] = fds[--count];
			} else if (n > 0 && fds[i].revents & POLLIN && count == 3) {
				write_all(fds[3 - i].fd, block, (size_t)n);
			}
		}
		if (fds[0].revents & POLLIN && count < 4)
			fds[count++] = (struct pollfd){ .fd = MUST(accept(fds[0].fd, NULL, NULL)) };
	}
}

/* --- measuring ------------------------------------------------------------------------------------------------ */

static int
connect_to_server(int type)
{
	int s = MUST(socket(AF_INET, type | SOCK_CLOEXEC, 0));

	MUST(connect(s, (struct sockaddr *)&server, sizeof(server)));
	return s;
}

static int
ask_for(char what, size_t size)
{
	struct request r = { .what = what, .size = (uint32_t)size };
	int s = connect_to_server(SOCK_STREAM);

	no_delay(s);
	MUST(send(s, &r, sizeof(r), 0));
	return s;
}

/* How long one turn of `turn` takes, in microseconds: the median of a round. */
static double
each(void (*turn)(int s, size_t size), int s, size_t size, int most)
{
	static double samples[SAMPLES];
	double begun = now(), last = begun, at;
	int count = 0;

	do {
		turn(s, size);
		at = now();
		samples[count++] = (at - last) / 1e3;
		last = at;
	} while (count < most && at - begun < ROUND_NS);
	return median(samples, (size_t)count);
}

static void
ping_pong(int s, size_t size)
{
	MUST(send(s, block, size, 0));
	MUST(recv(s, block, size, MSG_WAITALL));
}

/* The server's machine may not be there yet. */
static void
wait_for_server(void)
{
	struct timespec tenth = { .tv_nsec = 100000000 };

	for (int i = 0;; i++) {
		int s = MUST(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
		bool there = connect(s, (struct sockaddr *)&server, sizeof(server)) == 0;

		close(s);
		if (there)
			return;
		if (i == PATIENCE)
			give_up(__FILE__, __LINE__, "connect");
		nanosleep(&tenth, NULL);
	}
}

static double
tcp_latency(size_t size)
{
	int s = ask_for('e', 0);
	double time = each(ping_pong, s, size, SAMPLES);

	close(s);
	return time;
}

/* A datagram may be lost: then the turn is one of LOST_MS, which no median sees. */
static double
udp_latency(size_t size)
{
	struct timeval patience = { .tv_usec = LOST_MS * 1000 % 1000000, .tv_sec = LOST_MS / 1000 };
	static double samples[SAMPLES];
	int s = connect_to_server(SOCK_DGRAM), count = 0;
	double begun = now(), at, after = begun;

	MUST(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)));
	for (; count < SAMPLES && after - begun < ROUND_NS; count++) {
		at = after;
		MUST(send(s, block, size, 0));
		(void)recv(s, block, sizeof(block), 0);
		after = now();
		samples[count] = (after - at) / 1e3;
	}
	close(s);
	return median(samples, (size_t)count);
}

static void
connect_and_close(int s, size_t size)
{
	(void)s, (void)size;
	close(connect_to_server(SOCK_STREAM));
}

static double
tcp_connect(size_t size)
{
	return each(connect_and_close, -1, size, CONNECTIONS);
}

/* MB/s, by writes of `size`. All is with the server when it answers. */
static double
tcp_send(size_t size)
{
	int s = ask_for('s', size);
	double begun = now(), done = 0;

	while (now() - begun < ROUND_NS)
		done += (double)MUST(send(s, block, size, 0));
	MUST(shutdown(s, SHUT_WR));
	MUST(recv(s, block, 1, 0));
	begun = now() - begun;
	close(s);
	return done / begun * 1e3;
}

static double
tcp_receive(size_t size)
{
	int s = ask_for('z', size);
	double begun = now(), done = 0;

	while (now() - begun < ROUND_NS)
		done += (double)MUST(recv(s, block, size, 0));
	begun = now() - begun;
	close(s);
	return done / begun * 1e3;
}

/* Both ways at once, a few datagrams on the way: MB/s of what came back. */
static double
udp_there_and_back(size_t size)
{
	int s = connect_to_server(SOCK_DGRAM), under_way = 0;
	double begun = now(), done = 0;
	struct pollfd more = { .fd = s, .events = POLLIN };

	while (now() - begun < ROUND_NS) {
		for (; under_way < UNDER_WAY; under_way++)
			MUST(send(s, block, size, 0));
		if (poll(&more, 1, LOST_MS) == 0) {
			under_way = 0;
			continue;
		}
		for (ssize_t n; (n = recv(s, block, sizeof(block), MSG_DONTWAIT)) > 0; done += (double)n)
			under_way -= under_way > 0;
	}
	close(s);
	return done / (now() - begun) * 1e3;
}

static const struct item {
	const char *name, *unit;
	double (*round)(size_t size);
	size_t size;
} items[] = {
	{ "tcp_latency", "us", tcp_latency, 1 },
	{ "udp_latency", "us", udp_latency, 1 },
	{ "connect", "us", tcp_connect, 0 },
	{ "send_64", "MB/s", tcp_send, 64 },
	{ "send_4k", "MB/s", tcp_send, 4096 },
	{ "send_64k", "MB/s", tcp_send, 65536 },
	{ "receive_64", "MB/s", tcp_receive, 64 },
	{ "receive_4k", "MB/s", tcp_receive, 4096 },
	{ "receive_64k", "MB/s", tcp_receive, 65536 },
	{ "udp_64", "MB/s", udp_there_and_back, 64 },
	{ "udp_4k", "MB/s", udp_there_and_back, 4096 },
};

static int
ask(const char *prefix, int argc, char **argv)
{
	wait_for_server();
	for (size_t i = 0; i < sizeof(items) / sizeof(items[0]); i++) {
		double rounds[ROUNDS];
		char name[64];

		snprintf(name, sizeof(name), "%s_%s", prefix, items[i].name);
		if (!is_wanted(name, 0, argc, argv))
			continue;
		for (int n = 0; n < ROUNDS; n++)
			rounds[n] = items[i].round(items[i].size);
		printf("%s\t%s\t%.3f\n", name, items[i].unit, median(rounds, ROUNDS));
		fflush(stdout);
	}
	return 0;
}

/* --- a network stack that is killed ----------------------------------------------------------------------------- */

/* The process that has the cards; 0: there is none now. */
static pid_t
stack(void)
{
	FILE *file = fopen("/run/devices/status", "re");
	char line[256];
	int pid = 0;

	if (!file)
		give_up(__FILE__, __LINE__, "/run/devices/status");
	while (!pid && fgets(line, sizeof(line), file))
		if (strstr(line, "netd") || strncmp(line, "network", 7) == 0) {
			const char *at = strstr(line, "running pid ");

			pid = at ? atoi(at + 12) : 0;
		}
	fclose(file);
	return pid;
}

static void
rest_ms(long ms)
{
	struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

/* Kill it; from when on nobody serves. */
static double
kill_stack(void)
{
	struct pollfd dead = { .events = POLLIN };
	double begun;
	pid_t pid;

	for (int i = 0; !(pid = stack()); i++) {
		if (i > 20000) {
			errno = ESRCH;
			give_up(__FILE__, __LINE__, "the network stack");
		}
		rest_ms(1);
	}
	dead.fd = (int)MUST(syscall(SYS_pidfd_open, pid, 0));
	begun = now();
	MUST(kill(pid, SIGKILL));
	MUST(poll(&dead, 1, -1));
	close(dead.fd);
	return begun;
}

static void
tell(const char *prefix, const char *what, double *times, size_t count)
{
	printf("%s_recovery_%s\tms\t%.2f\n", prefix, what, median(times, count));
	printf("%s_recovery_%s.p99\tms\t%.2f\n", prefix, what, times[count * 99 / 100]);
	printf("%s_recovery_%s.longest\tms\t%.2f\n", prefix, what, times[count - 1]);
}

static int
recover(const char *prefix, size_t kills)
{
	double *next_byte = calloc(kills, sizeof(double)), *connection = calloc(kills, sizeof(double));
	int s = ask_for('e', 0);

	if (!kills || !next_byte || !connection)
		return 2;
	for (size_t n = 0; n < kills; n++) {
		next_byte[n] = -kill_stack();
		ping_pong(s, 1);
		next_byte[n] = (next_byte[n] + now()) / 1e6;
		rest_ms(50);
		connection[n] = -kill_stack();
		close(connect_to_server(SOCK_STREAM));
		connection[n] = (connection[n] + now()) / 1e6;
		rest_ms(50);
	}
	tell(prefix, "byte", next_byte, kills);
	tell(prefix, "connect", connection, kills);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "serve") == 0 && argc >= 3)
		return serve(argv[2], argc > 3 ? argv[3] : "0");
	if (strcmp(what, "join") == 0 && argc == 3)
		return join(argv[2]);
	if (strcmp(what, "stop") == 0 && argc == 4) {
		server = address_of(argv[2], argv[3]);
		return close(ask_for('q', 0));
	}
	if (strcmp(what, "ask") == 0 && argc >= 5) {
		server = address_of(argv[3], argv[4]);
		return ask(argv[2], argc - 5, argv + 5);
	}
	if (strcmp(what, "recover") == 0 && argc == 6) {
		server = address_of(argv[3], argv[4]);
		return recover(argv[2], (size_t)atoi(argv[5]));
	}
	fprintf(stderr, "usage: wire serve|ask|recover|stop|join ...: see bench/wire/wire.c\n");
	return 2;
}
